"""evaluate: how well each run agrees with the held-out labels, and which model is better.

Reads the predictions of every run of the study for the test tasks of all folds, joins them with the
held-out labels, and writes all measures with their intervals, the comparisons between the models,
the reliability of the ratings themselves, confusion tables and reliability diagrams.

Choices: measures of tasks count every task once; the value of an occupation is the mean over its
held-out tasks, weighted by column `weight`. Where a study has several seeds, models are compared,
and printed in LaTeX, by their mean over the seeds, draw by draw. A measure that is not defined (a
model that always says the same has no correlation) is null in JSON and empty in CSV. A second test set
stands in the column `split` by its own name; its predictions are those of the models of the primary
split, with several folds those of the first.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, calibration
from jobshift.measures.agreement import confusion_table
from jobshift.measures.exposure import AUTOMATION
from jobshift.measures.reliability import class_numbers, reliability_table
from jobshift.outputs import complete_file, write_csv, write_json
from jobshift.report import tables

log = logging.getLogger(__name__)

REPORTS = Path("reports")
TABLES = REPORTS / "tables"
RATINGS = Path("data/raw/rubric_ratings/dwa_ratings.csv")
HEADLINE = ["cohen_kappa", "f1_macro", "accuracy", "occupation_beta_pearson"]
ORDINAL = ("cohen_kappa_quadratic", "krippendorff_alpha_ordinal")
PRIMARY = "purged"
RUN = ["model", "seed", "split"]

Run = tuple[str, int, str]
Measures = dict[str, np.ndarray]


@dataclass
class Config:
    """Schema of `conf/evaluate.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    bins: int = 15
    min_tasks: int = 5
    compare: list[str] = field(default_factory=lambda: list(HEADLINE))


def run(config: Config) -> None:
    """Measure every run of the study; JobshiftError where a file is missing or does not fit."""
    check(config)
    labels, runs = config.data.classes, runs_in_order(config.study)
    prepared = Path("data/prepared", config.data.name)
    reliability = reliability_frame(config.data, prepared / "tasks.parquet")
    tasks, held_out = {}, {}
    for split in dict.fromkeys(split for _, _, split in runs):
        tasks[split] = read_tasks(prepared / split, labels, other_raters(config))
    for name in config.data.extra:
        tasks[name] = read_extra(prepared / "extra" / f"{name}.parquet", labels)
    for split in tasks:
        held_out[split] = bootstrap.HeldOut(
            tasks[split], config.data.scale, config.draws, config.seed, config.min_tasks
        )
    measured, confusion, diagram = {}, {}, {}
    for rater, split in product(other_raters(config), tasks):
        numbers = rater_numbers(tasks[split], rater, labels)
        if numbers is None:
            log.info("%s has not rated every test task of the %s split; left out", rater, split)
            continue
        key = rater, config.study.seeds[0], split
        measured[key] = bootstrap.measure_labels(held_out[split], numbers)
        confusion[key] = confusion_frame(held_out[split], numbers)
    for key in with_extra(runs, tasks, config.data):
        truth = held_out[key[2]]
        predicted, p = read_predictions(
            key, tasks[key[2]], labels, extra=key[2] in config.data.extra
        )
        measured[key] = bootstrap.measure(truth, predicted, p, config.bins)
        confusion[key] = confusion_frame(truth, predicted)
        diagram[key] = diagram_frame(truth, predicted, p, config.bins)
        log.info("%s, seed %s, %s split: Cohen's κ %.3f", *key, measured[key]["cohen_kappa"][0])

    means = seed_means(measured)
    metrics, mean_metrics = metrics_frame(measured, held_out), metrics_frame(means, held_out)
    comparisons = comparisons_frame(means, config.compare)

    write_json(nested(metrics), REPORTS / "metrics.json")
    write_json(headline(mean_metrics, config.data), REPORTS / "headline.json")
    for name, frame in {
        "metrics": metrics,
        "metrics_mean": with_spread(mean_metrics, metrics),
        "comparisons": comparisons,
        "reliability": reliability,
        "confusion": pd.concat(confusion, names=RUN).reset_index(RUN),
        "calibration": pd.concat(diagram, names=RUN).reset_index(RUN),
        "history": history_frame(runs),
    }.items():
        write_csv(frame, TABLES / f"{name}.csv")
    notes = bootstrap_notes(config, pd.concat(tasks.values())["weight"])
    primary = comparisons[comparisons["split"] == PRIMARY]
    for name, latex in {
        "metrics": tables.metrics_table(mean_metrics, notes),
        "comparisons": tables.comparisons_table(primary, notes),
        "reliability": tables.reliability_table(reliability),
    }.items():
        with complete_file(TABLES / f"{name}.tex") as partial:
            partial.write_text(latex, encoding="utf-8")


def other_raters(config: Config) -> list[str]:
    """The raters of the data set but the one who judges: they stand beside the models."""
    return [name for name in config.data.raters if name != config.study.rater]


def rater_numbers(tasks: pd.DataFrame, rater: str, classes: list[str]) -> np.ndarray | None:
    """Class numbers [tasks] of a rater's labels; None where one is missing."""
    if f"label_{rater}" not in tasks:  # a second test set has none
        return None
    numbers = pd.Categorical(tasks[f"label_{rater}"], categories=classes).codes.astype(int)
    return None if (numbers < 0).any() else numbers


def history_frame(runs: list[Run]) -> pd.DataFrame:
    """The training histories of the runs that have one (networks), one below the other."""
    columns = [*RUN, "fold", "epoch", "step", "lr", "train_loss", "gradient_norm"]
    columns += ["val_loss", "val_accuracy", "val_cohen_kappa"]
    frames = [pd.DataFrame(columns=columns)]
    for model, seed, split in runs:
        path = Path("models", model, f"{split}-{seed}", "history.csv")
        if path.is_file():
            frames.append(pd.read_csv(path).assign(model=model, seed=seed, split=split))
    return pd.concat(frames[1:] or frames)[columns]


def check(config: Config) -> None:
    """Refuse values that mean nothing, before anything is read."""
    check_counts("conf/evaluate.yaml", config, ["draws", "bins", "min_tasks"])
    config.compare = defined(config.compare, config.data, "evaluate: compare")


def check_counts(file: str, config, keys: Sequence[str]) -> None:
    """Refuse options of `file` that count something and are below 1."""
    for key in keys:
        if getattr(config, key) < 1:
            raise JobshiftError(f"{file}: {key} is {getattr(config, key)}; it must be at least 1")


def defined(metrics: list[str], data: DataConfig, where: str) -> list[str]:
    """Those of `metrics`, named by a config, that the data set has; the log names the others.

    `where` is the verb and the key. JobshiftError for a name that is no measure of any data set.
    """
    verb, key = where.split(": ")
    known = bootstrap.metric_names(data.classes, data.exposure)
    elsewhere = {name for each in (True, False) for name in bootstrap.metric_names([], each)}
    for metric in metrics:
        if metric not in {*known, *elsewhere}:
            raise JobshiftError(
                f"conf/{verb}.yaml: {key} names '{metric}', which is no measure; "
                f"choose from {', '.join(known)}"
            )
    if left_out := [metric for metric in metrics if metric not in known]:
        log.info("%s: left out, as %s does not have it: %s", key, data.name, ", ".join(left_out))
    return [metric for metric in metrics if metric in known]


def with_extra(runs: list[Run], tasks: dict[str, pd.DataFrame], data: DataConfig) -> list[Run]:
    """`runs`, and behind them those of the primary split on each second test set that they predicted."""
    found = list(runs)
    for name in data.extra:
        for model, seed, split in runs:
            if split != PRIMARY:
                continue
            path = Path("models", model, f"{split}-{seed}", "predictions.parquet")
            part = read_columns(path, ["part"], f"jobshift train model={model} seed={seed}")["part"]
            if (part == name).any():
                found.append((model, seed, name))
            else:
                log.info("%s, seed %s, has not predicted %s; left out", model, seed, name)
    return found


def read_extra(path: Path, classes: list[str]) -> pd.DataFrame:
    """A second test set as `read_tasks` gives the test tasks, all of fold 0."""
    rows = read_columns(path, ["id", "label", "group", "occupation", "weight"], "jobshift prepare")
    refuse(path, rows, ~rows["label"].isin(classes), f"has a label that is none of {classes}")
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


def read_tasks(folder: Path, classes: list[str], raters: list[str]) -> pd.DataFrame:
    """The test tasks of all folds in `folder`: id, label, group, occupation, weight, fold.

    And `label_<rater>`, which may be null, of each of `raters`.
    """
    folds = sorted(int(path.name) for path in folder.glob("*") if path.name.isdigit())
    if not folds:
        raise JobshiftError(f"{folder}: there is no fold here; run `jobshift prepare` first")
    parts = []
    for fold in folds:
        path = folder / str(fold) / "test.parquet"
        columns = ["id", "label", "group", "occupation", "weight"]
        columns += [f"label_{rater}" for rater in raters]
        part = read_columns(path, columns, "jobshift prepare")
        refuse(path, part, ~part["label"].isin(classes), f"has a label that is none of {classes}")
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
    classes: list[str],
    learnt_from: str = "",
    percent: int = 100,
    extra: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers [tasks] and probabilities [tasks × classes], in the order of `tasks`.

    `learnt_from` is the rater that the run learnt from, empty for the study's own; `percent` how many
    percent of the training tasks it learnt from. With `extra` the split of `key` is the name of a second
    test set, which the run on the primary split predicted.
    """
    model, seed, split = key
    part, split = (split, PRIMARY) if extra else ("test", split)
    name, command = f"{split}-{seed}", f"jobshift train model={model} split={split} seed={seed}"
    if learnt_from:
        name, command = f"{name}-{learnt_from}", f"{command} learn_from={learnt_from}"
    if percent < 100:
        name, command = f"{name}-{percent}", f"{command} train_share={percent / 100:g}"
    path = Path("models", model, name, "predictions.parquet")
    shares = [f"p_{name}" for name in classes]
    frame = read_columns(path, ["id", "fold", "part", "predicted", *shares], command)
    frame = frame[frame["part"] == part]
    if extra:
        frame = frame[frame["fold"] == 0]
    p = frame[shares].to_numpy(dtype=float)
    unknown = ~frame["predicted"].isin(classes)
    refuse(path, frame, unknown, f"predicts a class that is none of {classes}")
    refuse(path, frame, np.isnan(p).any(axis=1), "has a probability that is not a number")
    refuse(path, frame, ((p < 0) | (p > 1)).any(axis=1), "has a probability outside 0 to 1")
    refuse(path, frame, abs(p.sum(axis=1) - 1) > 1e-6, "has probabilities that do not sum to 1")
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
    predicted = pd.Categorical(frame["predicted"], categories=classes).codes.astype(int)
    return predicted[rows], p[rows]


def read_columns(path: Path, columns: list[str], command: str) -> pd.DataFrame:
    """Columns of a Parquet file; JobshiftError with the command that makes it where they lack."""
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such file; run `{command}` first")
    frame = pd.read_parquet(path)
    for column in columns:
        if column not in frame:
            raise JobshiftError(f"{path}: there is no column '{column}'; run `{command}` again")
    return frame[columns]


def refuse(path: Path, frame: pd.DataFrame, bad: pd.Series | np.ndarray, problem: str) -> None:
    """JobshiftError for the first `bad` row of `frame`, by its number in the file from 0."""
    if np.any(bad):
        row = frame[np.asarray(bad)].iloc[0]
        raise JobshiftError(
            f"{path}: row {row.name} (id {row['id']}) {problem}; make the file again"
        )


def confusion_frame(truth: bootstrap.HeldOut, predicted: np.ndarray) -> pd.DataFrame:
    """One row a cell of the confusion table: label, predicted, n."""
    counts = confusion_table(truth.reference, predicted, len(truth.classes))
    return pd.DataFrame(
        product(truth.classes, truth.classes), columns=["label", "predicted"]
    ).assign(n=counts.ravel())


def diagram_frame(
    truth: bootstrap.HeldOut, predicted: np.ndarray, p: np.ndarray, bins: int
) -> pd.DataFrame:
    """The points of the reliability diagram, bins that hold tasks: bin, confidence, accuracy, n."""
    confidence = p[np.arange(len(predicted)), predicted]
    columns = calibration.bin_columns(confidence, predicted == truth.reference, bins)
    rows = calibration.reliability_diagram(columns.sum(axis=0))
    return pd.DataFrame(rows, columns=["bin", "confidence", "accuracy", "n"])


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
        sizes = len(truth.reference), len(truth.weights), len(truth.occupations)
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


def headline(mean_metrics: pd.DataFrame, data: DataConfig) -> dict:
    """{model: {metric: value}} on the primary split, mean over the seeds: `dvc metrics show`."""
    known = bootstrap.metric_names(data.classes, data.exposure)
    shown = [metric for metric in HEADLINE if metric in known]
    primary = mean_metrics[mean_metrics["split"] == PRIMARY]
    return {
        model: {
            metric: None if np.isnan(value) else value
            for metric, value in part.set_index("metric")["value"][shown].items()
        }
        for model, part in primary.groupby("model", sort=False)
    }


def bootstrap_notes(config: Config, weights: pd.Series) -> list[str]:
    """What a caption must say about the measures: weights, occupations, intervals, seeds."""
    values = sorted(weights.unique())
    weighing = "all tasks weigh the same"
    if len(values) > 1:
        weighing = f"tasks weigh {values[0]:g} to {values[-1]:g}, column weight"
    seeds = ", ".join(map(str, config.study.seeds))
    if not config.data.exposure:
        return [
            "Reference: held-out label. Every held-out text counts once.",
            f"Intervals: 95 % percentile, {config.draws} draws of whole leak groups, centred.",
            f"Mean over the seeds: {seeds}.",
            f"ECE: expected calibration error, {config.bins} bins.",
        ]
    return [
        "Reference: held-out majority label. Measures of tasks count every held-out task once.",
        f"Occupations of at least {config.min_tasks} held-out tasks: mean of these; {weighing}.",
        f"Intervals: 95 % percentile, {config.draws} draws of whole leak groups, centred.",
        f"Mean over the seeds: {seeds}.",
        f"ECE: expected calibration error, {config.bins} bins.",
        "Weighted kappa: squared difference of the ordinal scores.",
    ]
