"""evaluate: how well each run agrees with the held-out labels, and which model is better.

Reads the predictions of every run of the study for the test tasks of all folds, joins them with the
held-out labels, and writes all measures with their intervals, the comparisons between the models,
the reliability of the ratings themselves, confusion tables and reliability diagrams.

Choices: measures of tasks count every task once; the value of an occupation is the mean over its
held-out tasks, weighted by column `weight`. Where a study has several seeds, models are compared,
and printed in LaTeX, by their mean over the seeds, draw by draw. A measure that is not defined (a
model that always says the same has no correlation) is null in JSON and empty in CSV. A second test set
stands in the column `split` by its own name; its predictions are those of the models of the primary
split, with several folds those of the first. A part of the test tasks of the primary split that is measured
by itself (hard pairs, seen and unseen targets) stands there, too, with resamples of its own groups.

Which measures there are depends on the kind of task (`measures/kinds.py`), and only that. Tables of what a
kind does not have (a confusion of generated texts) have their header alone.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, generation
from jobshift.measures.exposure import AUTOMATION
from jobshift.measures.kinds import FURTHER, KINDS, Answers, Generation, Kind, Measures
from jobshift.measures.reliability import class_numbers, reliability_table
from jobshift.outputs import complete_file, write_csv, write_json
from jobshift.report import samples, tables

log = logging.getLogger(__name__)

REPORTS = Path("reports")
TABLES = REPORTS / "tables"
# Not among the reports, as it quotes the texts.
SAMPLES = Path("data/results/samples.md")
RATINGS = Path("data/raw/rubric_ratings/dwa_ratings.csv")
ORDINAL = ("cohen_kappa_quadratic", "krippendorff_alpha_ordinal")
PRIMARY = "purged"
RUN = ["model", "seed", "split"]
# Columns of the prepared rows of all kinds of tasks.
OF_ALL_KINDS = ["id", "label", "group", "occupation", "weight"]

Run = tuple[str, int, str]


@dataclass
class Config:
    """Schema of `conf/evaluate.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    bins: int = 15
    min_tasks: int = 5
    samples: int = 10
    compare: list[str] = field(default_factory=lambda: list(KINDS["classification"].main))


def run(config: Config) -> None:
    """Measure every run of the study; JobshiftError where a file is missing or does not fit."""
    kind = kind_of(config.data)
    check(config, kind)
    runs = runs_in_order(config.study)
    prepared = Path("data/prepared", config.data.name)
    reliability = reliability_frame(config.data, prepared / "tasks.parquet")
    tasks = {}
    for split in dict.fromkeys(split for _, _, split in runs):
        tasks[split] = read_tasks(prepared / split, kind, other_raters(config))
    for name in config.data.extra:
        tasks[name] = read_extra(prepared / "extra" / f"{name}.parquet", kind)
    # Split → itself and its parts, each with the rows of the split that it has.
    within = {split: {split: np.full(len(rows), True)} for split, rows in tasks.items()}
    for split in within:
        if split == PRIMARY:
            within[split] |= parts_of(tasks[split], kind)
    held_out = {
        part: kind.held_out(tasks[split][rows], config.draws, config.seed, config.min_tasks)
        for split, parts in within.items()
        for part, rows in parts.items()
    }
    measured: dict[Run, Measures] = {}
    made: dict[str, dict[Run, pd.DataFrame]] = {name: {} for name in FURTHER}
    for rater, split in product(other_raters(config), tasks):
        numbers = rater_numbers(tasks[split], rater, config.data.classes)
        if numbers is None:
            log.info("%s has not rated every test task of the %s split; left out", rater, split)
            continue
        key = rater, config.study.seeds[0], split
        measured[key] = kind.measure_labels(held_out[split], numbers)
        made["confusion"][key] = kind.confusion(held_out[split], numbers)
    for key in with_extra(runs, tasks, config.data):
        model, seed, split = key
        frame = read_predictions(key, tasks[split], kind, extra=split in config.data.extra)
        for part, answers in each_part(kind.answers(frame, tasks[split]), within[split]):
            found = kind.measure(held_out[part], answers, config.bins)
            measured[model, seed, part] = found
            more = kind.tables(held_out[part], answers, found, config.bins)
            for name, table in more.items():
                made[name][model, seed, part] = table
        if "classes" in more:
            made["classes"][key]["threshold"] = thresholds(key, config.data.classes)
        own = tasks[split], within[split], held_out
        for part, table in decodings(config, key, kind, frame, *own).items():
            made["decodings"][model, seed, part] = table
        value = measured[key][kind.first][0]
        log.info("%s, seed %s, %s split: %s %.3f", *key, tables.MAIN[kind.first], value)

    means = seed_means(measured)
    metrics, mean_metrics = metrics_frame(measured, held_out), metrics_frame(means, held_out)
    comparisons = comparisons_frame(means, config.compare)

    write_json(nested(metrics), REPORTS / "metrics.json")
    write_json(headline(mean_metrics, kind), REPORTS / "headline.json")
    for name, frame in {
        "metrics": metrics,
        "metrics_mean": with_spread(mean_metrics, metrics),
        "comparisons": comparisons,
        "reliability": reliability,
        "history": history_frame(runs, kind),
        **{name: by_run(of_runs, FURTHER[name]) for name, of_runs in made.items()},
    }.items():
        write_csv(frame, TABLES / f"{name}.csv")
    notes = bootstrap_notes(config, kind, pd.concat(tasks.values())["weight"])
    primary = comparisons[comparisons["split"] == PRIMARY]
    for name, latex in {
        "metrics": tables.metrics_table(mean_metrics, notes, kind.units),
        "comparisons": tables.comparisons_table(primary, notes),
        "reliability": tables.reliability_table(reliability),
    }.items():
        with complete_file(TABLES / f"{name}.tex") as partial:
            partial.write_text(latex, encoding="utf-8")
    with complete_file(SAMPLES) as partial:
        partial.write_text(samples_page(config, kind, tasks, means), encoding="utf-8")


def kind_of(data: DataConfig) -> Kind:
    """The kind of task that a data set asks, with its classes or, of generated texts, known titles."""
    if data.task != "generation":
        return KINDS[data.task](data.scale)
    path = Path("data/prepared", data.name, "titles.json")
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such file; run `jobshift prepare` first")
    titles = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(titles, list) or not all(isinstance(title, str) for title in titles):
        raise JobshiftError(f"{path} is no list of texts; run `jobshift prepare` again")
    return Generation(titles)


def parts_of(tasks: pd.DataFrame, kind: Kind) -> dict[str, np.ndarray]:
    """Part of the primary split that is measured by itself → its test tasks, boolean [tasks]."""
    parts = {}
    for part, (column, value) in kind.parts.items():
        rows = tasks[column].to_numpy(dtype=bool) == value
        if rows.any():
            parts[part] = rows
        else:
            log.info("no test task of the %s split is %s; left out", PRIMARY, part)
    return parts


def each_part(answers: Answers, parts: dict[str, np.ndarray]) -> Iterable[tuple[str, Answers]]:
    """Each of `parts` with those of the answers [tasks …] that belong to it."""
    for part, rows in parts.items():
        yield part, tuple(column[rows] for column in answers)


def by_run(frames: dict[Run, pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The tables of all runs one below the other, each row with its run; `columns` where there are none."""
    if not frames:
        return pd.DataFrame(columns=[*RUN, *columns])
    return pd.concat(frames, names=RUN).reset_index(RUN)[[*RUN, *columns]]


def thresholds(key: Run, classes: list[str]) -> np.ndarray:
    """From which probability on a run predicts each of `classes`, [classes]: the mean over its folds."""
    path, command = run_file(key, "thresholds.csv")
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such file; run `{command}` again")
    table = pd.read_csv(path, dtype={"class": str})
    mean = pd.Series(index=classes, dtype=float)
    if {"class", "threshold"} <= set(table):
        mean = table.groupby("class")["threshold"].mean().reindex(classes)
    if mean.isna().any():
        raise JobshiftError(
            f"{path} has no threshold of {mean.isna().idxmax()}; run `{command}` again"
        )
    return mean.to_numpy()


def decodings(
    config: Config,
    key: Run,
    kind: Kind,
    frame: pd.DataFrame,
    tasks: pd.DataFrame,
    parts: dict[str, np.ndarray],
    held_out: dict[str, bootstrap.Resamples],
) -> dict[str, pd.DataFrame]:
    """Part → all measures of each way in which a run's outputs were found, of `frame` for `tasks`.

    Nothing where the run does not decode.
    """
    configured = configured_decoding(key) if isinstance(kind, Generation) else None
    if configured is None:
        return {}
    further = [column.removeprefix("output_") for column in frame if column.startswith("output_")]
    rows: dict[str, list[tuple]] = {part: [] for part in parts}
    for decoding in dict.fromkeys([configured, *further]):
        end = "" if decoding == configured else f"_{decoding}"
        path, command = run_file(key, "predictions.parquet")
        if f"cosine{end}" not in frame:
            raise JobshiftError(f"{path}: there is no column 'cosine{end}'; run `{command}` again")
        own = frame[["id"]].assign(output=frame[f"output{end}"], cosine=frame[f"cosine{end}"])
        for bad, problem in kind.wrong_predictions(own):
            refuse(path, own, bad, f"{problem} by the decoding {decoding}")
        for part, answers in each_part(kind.answers(own, tasks), parts):
            for metric, draws in kind.measure(held_out[part], answers, config.bins).items():
                estimate = bootstrap.summary(draws, bootstrap.bounds(metric))[:3]
                rows[part].append((decoding, metric, *estimate))
    return {part: pd.DataFrame(each, columns=FURTHER["decodings"]) for part, each in rows.items()}


def configured_decoding(key: Run) -> str | None:
    """How the run's column `output` was found, from its run.json; None for a model that does not decode."""
    path, command = run_file(key, "run.json")
    try:
        options = json.loads(path.read_text(encoding="utf-8"))["generation"]
        return "constrained" if options["constrained"] else options["how"]
    except KeyError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise JobshiftError(
            f"{path} does not say how the outputs were found; run `{command}` again"
        ) from error


def samples_page(config: Config, kind: Kind, tasks: dict[str, pd.DataFrame], means: dict) -> str:
    """Outputs of the best model for the test tasks as a page; a sentence where nothing is generated."""
    if not isinstance(kind, Generation):
        return samples.nothing(config.data.name)
    seed, models = config.study.seeds[0], config.study.all_models()
    scores = {model: means[model, "mean", PRIMARY][kind.first][0] for model in models}
    best = max(models, key=lambda model: np.nan_to_num(scores[model], nan=-1.0))
    rows = tasks[PRIMARY]
    outputs = read_predictions((best, seed, PRIMARY), rows, kind)["output"].tolist()
    right = rows["all_targets"].str.split("\n").tolist()
    rows = rows[["text", "seen"]].assign(
        output=outputs,
        right=right,
        good=generation.any_match(outputs, right) == 1,
        known=generation.known_title(outputs, kind.titles) == 1,
    )
    return samples.page(rows, f"{best}, seed {seed}", config.samples, config.seed)


def run_file(key: Run, name: str, learnt_from: str = "", percent: int = 100) -> tuple[Path, str]:
    """A file in a run's folder, and the command that makes it.

    `learnt_from` is the rater that the run learnt from, empty for the study's own; `percent` how many
    percent of the training tasks it learnt from.
    """
    model, seed, split = key
    run, command = f"{split}-{seed}", f"jobshift train model={model} split={split} seed={seed}"
    if learnt_from:
        run, command = f"{run}-{learnt_from}", f"{command} learn_from={learnt_from}"
    if percent < 100:
        run, command = f"{run}-{percent}", f"{command} train_share={percent / 100:g}"
    return Path("models", model, run, name), command


def other_raters(config: Config) -> list[str]:
    """The raters of the data set but the one who judges: they stand beside the models."""
    return [name for name in config.data.raters if name != config.study.rater]


def rater_numbers(tasks: pd.DataFrame, rater: str, classes: list[str]) -> np.ndarray | None:
    """Class numbers [tasks] of a rater's labels; None where one is missing."""
    if f"label_{rater}" not in tasks:  # a second test set has none
        return None
    numbers = pd.Categorical(tasks[f"label_{rater}"], categories=classes).codes.astype(int)
    return None if (numbers < 0).any() else numbers


def history_frame(runs: list[Run], kind: Kind) -> pd.DataFrame:
    """The training histories of the runs that have one (networks), one below the other."""
    columns = [*RUN, "fold", "epoch", "step", "lr", "train_loss", "gradient_norm", "val_loss"]
    columns += kind.validated
    frames = []
    for model, seed, split in runs:
        path, _ = run_file((model, seed, split), "history.csv")
        if path.is_file():
            frames.append(pd.read_csv(path).assign(model=model, seed=seed, split=split))
    if not frames:
        return pd.DataFrame(columns=columns)
    if not kind.validated:  # what a network validates by is for it to say
        columns = list(dict.fromkeys([*columns, *(name for frame in frames for name in frame)]))
    return pd.concat(frames)[columns]


def check(config: Config, kind: Kind) -> None:
    """Refuse values that mean nothing, before anything is read."""
    check_counts("conf/evaluate.yaml", config, ["draws", "bins", "min_tasks", "samples"])
    config.compare = defined(config.compare, kind, config.data.name, "evaluate: compare")


def defined(metrics: list[str], kind: Kind, data: str, where: str) -> list[str]:
    """Those of `metrics`, named by a config, that the kind of task has; the log names the others.

    A list that names measures of another kind, and not the first of this one, was written for that other
    kind: then the main measures of this one stand in its place. `data` is the name of the data set, `where`
    the verb and the key. JobshiftError for a name that is no measure of any kind.
    """
    verb, key = where.split(": ")
    known = kind.measures()
    elsewhere = {name for each in KINDS.values() for name in each().measures()}
    elsewhere |= set(KINDS["classification"]({}).measures())  # with scores
    for metric in metrics:
        if metric not in {*known, *elsewhere}:
            raise JobshiftError(
                f"conf/{verb}.yaml: {key} names '{metric}', which is no measure; "
                f"choose from {', '.join(known)}"
            )
    kept = [metric for metric in metrics if metric in known]
    if left_out := [metric for metric in metrics if metric not in known]:
        log.info("%s: left out, as %s does not have it: %s", key, data, ", ".join(left_out))
        if kind.first not in kept:
            kept = [metric for metric in kind.main if metric in known]
            log.info("%s: in their place those of %s: %s", key, data, ", ".join(kept))
    return kept


def with_extra(runs: list[Run], tasks: dict[str, pd.DataFrame], data: DataConfig) -> list[Run]:
    """`runs`, and behind them those of the primary split on each second test set that they predicted."""
    found = list(runs)
    for name in data.extra:
        for model, seed, split in runs:
            if split != PRIMARY:
                continue
            path, _ = run_file((model, seed, split), "predictions.parquet")
            part = read_columns(path, ["part"], f"jobshift train model={model} seed={seed}")["part"]
            if (part == name).any():
                found.append((model, seed, name))
            else:
                log.info("%s, seed %s, has not predicted %s; left out", model, seed, name)
    return found


def read_extra(path: Path, kind: Kind) -> pd.DataFrame:
    """A second test set as `read_tasks` gives the test tasks, all of fold 0."""
    rows = read_columns(path, [*OF_ALL_KINDS, *kind.columns], "jobshift prepare")
    for bad, problem in kind.wrong_rows(rows):
        refuse(path, rows, bad, problem)
    return rows.assign(fold=0)


def runs_in_order(study: Study) -> list[Run]:
    """The runs by model, then seed, then split, each in the order of the study."""
    runs = study.runs()
    models, splits, seeds = (list(dict.fromkeys(values)) for values in zip(*runs, strict=True))
    return [
        (model, seed, split)
        for model, seed, split in product(models, seeds, splits)
        if (model, split, seed) in runs
    ]


def read_tasks(folder: Path, kind: Kind, raters: list[str]) -> pd.DataFrame:
    """The test tasks of all folds in `folder`: id, label, group, occupation, weight, fold.

    And the columns of the kind of task, and `label_<rater>`, which may be null, of each of `raters`.
    """
    folds = sorted(int(path.name) for path in folder.glob("*") if path.name.isdigit())
    if not folds:
        raise JobshiftError(f"{folder}: there is no fold here; run `jobshift prepare` first")
    parts = []
    for fold in folds:
        path = folder / str(fold) / "test.parquet"
        columns = [*OF_ALL_KINDS, *kind.columns, *(f"label_{rater}" for rater in raters)]
        part = read_columns(path, columns, "jobshift prepare")
        for bad, problem in kind.wrong_rows(part):
            refuse(path, part, bad, problem)
        refuse(path, part, part["group"].isna(), "has no group")
        positive = (part["weight"] > 0) & np.isfinite(part["weight"])
        refuse(path, part, ~positive, "has a weight that is not a positive number")
        parts.append(part.assign(fold=fold))
    tasks = pd.concat(parts, ignore_index=True)
    refuse(folder, tasks, tasks["id"].duplicated(), "is a test task twice")
    return tasks


def read_predictions(
    key: Run,
    tasks: pd.DataFrame,
    kind: Kind,
    learnt_from: str = "",
    percent: int = 100,
    extra: bool = False,
) -> pd.DataFrame:
    """The predictions of a run for `tasks`, in their order: id and the columns of the kind of task.

    `learnt_from` and `percent` as in `run_file`. With `extra` the split of `key` is the name of a second
    test set, which the run on the primary split predicted.
    """
    model, seed, split = key
    part, split = (split, PRIMARY) if extra else ("test", split)
    path, command = run_file((model, seed, split), "predictions.parquet", learnt_from, percent)
    columns = ["id", "fold", "part", *kind.predictions()]
    frame = read_columns(path, columns, command, kind.further)
    frame = frame[frame["part"] == part]
    if extra:
        frame = frame[frame["fold"] == 0]
    for bad, problem in kind.wrong_predictions(frame):
        refuse(path, frame, bad, problem)
    refuse(path, frame, frame.duplicated(["fold", "id"]), "is there twice")
    wanted = pd.MultiIndex.from_frame(tasks[["fold", "id"]])
    found = pd.MultiIndex.from_frame(frame[["fold", "id"]])
    refuse(path, frame, ~found.isin(wanted), "is no test task of its fold")
    rows = found.get_indexer(wanted)
    if (rows < 0).any():
        fold, task = wanted[int(np.argmax(rows < 0))]
        raise JobshiftError(
            f"{path}: there is no prediction for test task {task} of fold {fold}; run `{command}`"
        )
    return frame.iloc[rows]


def read_columns(
    path: Path, columns: list[str], command: str, further: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Columns of a Parquet file; JobshiftError with the command that makes it where they lack.

    And those whose names begin with one of `further`, if there are any.
    """
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such file; run `{command}` first")
    frame = pd.read_parquet(path)
    for column in columns:
        if column not in frame:
            raise JobshiftError(f"{path}: there is no column '{column}'; run `{command}` again")
    return frame[[*columns, *(name for name in frame if name.startswith(further))]]


def refuse(path: Path, frame: pd.DataFrame, bad: pd.Series | np.ndarray, problem: str) -> None:
    """JobshiftError for the first `bad` row of `frame`, by its number in the file from 0."""
    if np.any(bad):
        row = frame[np.asarray(bad)].iloc[0]
        raise JobshiftError(
            f"{path}: row {row.name} (id {row['id']}) {problem}; make the file again"
        )


def seed_means(measured: dict[Run, Measures]) -> dict[tuple[str, str, str], Measures]:
    """Mean of each measure over the seeds, draw by draw, by (model, "mean", split), split first.

    Not defined where it is not defined for one of the seeds.
    """
    runs = list(measured)
    splits, models = (list(dict.fromkeys(key[part] for key in runs)) for part in (2, 0))
    means = {}
    for split, model in product(splits, models):
        seeds = [measured[key] for key in runs if key[0] == model and key[2] == split]
        if seeds:
            means[model, "mean", split] = {
                metric: np.mean([draws[metric] for draws in seeds], axis=0) for metric in seeds[0]
            }
    return means


def metrics_frame(measured: dict, held_out: dict[str, bootstrap.HeldOut]) -> pd.DataFrame:
    """Every measure with its interval and the number of draws that define it, one row each."""
    rows = []
    for (model, seed, split), measures in measured.items():
        truth = held_out[split]
        sizes = len(truth.group), len(truth.weights), len(truth.occupations)
        for metric, draws in measures.items():
            estimate = bootstrap.summary(draws, bootstrap.bounds(metric))
            rows.append((model, seed, split, metric, *estimate, *sizes))
    columns = [*RUN, "metric", "value", "low", "high", "draws"]
    return pd.DataFrame(rows, columns=[*columns, "n_tasks", "n_groups", "n_occupations"])


def with_spread(means: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """`means` with the sample standard deviation over the seeds, and their number, behind each value.

    One seed has no standard deviation; nor has a measure that one of the seeds does not define.
    """
    run = ["model", "split", "metric"]
    over = metrics.groupby(run)["value"].agg(
        sd=lambda values: values.std(skipna=False), seeds="size"
    )
    frame = means.drop(columns="seed").merge(over.reset_index(), on=run, validate="one_to_one")
    columns = [*run, "value", "low", "high", "sd", "seeds", "draws"]
    return frame[[*columns, "n_tasks", "n_groups", "n_occupations"]]


def comparisons_frame(means: dict, metrics: list[str]) -> pd.DataFrame:
    """Each model minus each later one, by split and metric, the family of Holm's correction."""
    families = []
    for split, metric in product(dict.fromkeys(split for _, _, split in means), metrics):
        draws = {model: means[model, "mean", s][metric] for model, _, s in means if s == split}
        families.append(bootstrap.compare(draws).assign(split=split, metric=metric))
    columns = ["split", "metric", *bootstrap.COMPARISON]
    return (
        pd.concat(families, ignore_index=True)[columns]
        if families
        else pd.DataFrame(columns=columns)
    )


def reliability_frame(data: DataConfig, path: Path) -> pd.DataFrame:
    """Agreement between the raters of the tasks and, where they are a source, of the activities."""
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such file; run `jobshift prepare` first")
    tasks = pd.read_parquet(path).set_index("id")
    ratings = tasks[[column for column in tasks if column.startswith("label_")]]
    ratings.columns = ratings.columns.str.removeprefix("label_")
    columns = ["level", "variable", "raters", "measure", "value", "n"]
    if ratings.empty:  # the labels are those of the data themselves
        return pd.DataFrame(columns=columns)
    if not data.exposure:  # classes without an order have no measure that counts distances
        numbers = class_numbers(ratings, data.classes, str(path))
        frame = reliability_table(numbers, list(ratings), list(range(len(data.classes))))
        frame = frame[~frame["measure"].isin(ORDINAL)]
        return frame.assign(level="task", variable="label")[columns]
    rated = [("task", "exposure", path, ratings, data.labels)]
    if "rubric_ratings" in data.sources:
        steps = {name: float(step) for step, name in enumerate(AUTOMATION)}
        for variable, scores in (("exposure", data.labels), ("automation", steps)):
            rated.append(("activity", variable, RATINGS, read_ratings(variable), scores))
    frames = []
    for level, variable, source, ratings, scores in rated:
        numbers = class_numbers(ratings, list(scores), str(source))
        frame = reliability_table(numbers, list(ratings), list(scores.values()))
        frames.append(frame.assign(level=level, variable=variable))
    return pd.concat(frames, ignore_index=True)[columns]


def read_ratings(variable: str) -> pd.DataFrame:
    """The ratings of the activities in one variable, [activities × raters]."""
    if not RATINGS.is_file():
        raise JobshiftError(
            f"{RATINGS}: there is no such file; run `jobshift fetch source=rubric_ratings` first"
        )
    frame = pd.read_csv(RATINGS, dtype=str).rename(columns={"dwa_id": "id"})
    refuse(RATINGS, frame, frame.duplicated(["id", "rater"]), "is rated twice by one rater")
    return frame.pivot(index="id", columns="rater", values=variable)


def nested(metrics: pd.DataFrame) -> dict:
    """{model: {seed: {split: {metric: {value, low, high}}}}}, not defined is None."""
    result: dict = {}
    for row in metrics.itertuples():
        split = result.setdefault(row.model, {}).setdefault(str(row.seed), {})
        numbers = {name: getattr(row, name) for name in ("value", "low", "high")}
        split.setdefault(row.split, {})[row.metric] = {
            name: None if np.isnan(number) else number for name, number in numbers.items()
        }
    return result


def headline(mean_metrics: pd.DataFrame, kind: Kind) -> dict:
    """{model: {metric: value}} on the primary split, mean over the seeds: `dvc metrics show`."""
    known = kind.measures()
    shown = [metric for metric in kind.main if metric in known]
    primary = mean_metrics[mean_metrics["split"] == PRIMARY]
    return {
        model: {
            metric: None if np.isnan(value) else value
            for metric, value in part.set_index("metric")["value"][shown].items()
        }
        for model, part in primary.groupby("model", sort=False)
    }


def bootstrap_notes(config: Config, kind: Kind, weights: pd.Series) -> list[str]:
    """What a caption must say about the measures: reference, occupations, intervals, seeds."""
    values = sorted(weights.unique())
    weighing = "all tasks weigh the same"
    if len(values) > 1:
        weighing = f"tasks weigh {values[0]:g} to {values[-1]:g}, column weight"
    seeds = ", ".join(map(str, config.study.seeds))
    occupations = (
        f"Occupations of at least {config.min_tasks} held-out tasks: mean of these; {weighing}."
    )
    return [
        kind.reference,
        *([occupations] if config.data.exposure else []),
        f"Intervals: 95 % percentile, {config.draws} draws of whole leak groups, centred.",
        f"Mean over the seeds: {seeds}.",
        *kind.explained(config.bins),
    ]
