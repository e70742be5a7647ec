"""compare: what each model is worth and what it costs, and how many labelled tasks a model needs.

The comparison puts the measures of the stage evaluate on the primary split beside reports/costs.csv, which
benchmarks/model_costs.py measures once on a quiet machine and which is committed, as seconds are never the
same twice. A model that was not measured has its costs empty and is named. Raters stand in the table for
what people, or other labels, would get; they have no costs, and none of them is the best model, even where
one agrees better than every model and so is "behind" it by less than nothing.

The learning curve has a row for each percent of the training tasks in params.yaml and for all of them, with
the mean over the seeds, draw by draw; what a model loses to itself with all tasks is paired in the draws.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap
from jobshift.measures.kinds import Kind
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables
from jobshift.stages.evaluate import (
    PRIMARY,
    defined,
    kind_of,
    metrics_frame,
    read_columns,
    read_predictions,
    read_tasks,
    run_file,
    seed_means,
    with_spread,
)
from jobshift.stages.train import FIT_ON, in_share

TABLES = Path("reports/tables")
COSTS_FILE = Path("reports/costs.csv")
# The columns of reports/costs.csv behind `data` and `model`.
COSTS = [
    *("parameters_total", "parameters_trained", "training_texts", "epochs", "training_seconds"),
    *(
        "once_seconds",
        "training_texts_per_second",
        "peak_memory_mb",
        "rating_texts_per_second",
        "size_mb",
    ),
    "threads",
]
BEHIND_BEST = ["behind_best", "behind_best_low", "behind_best_high", "behind_best_p_holm"]
BEHIND_FULL = ["behind_full", "behind_full_low", "behind_full_high"]
CURVE = ["model", "percent", "seeds", "n_tasks", "metric", "value", "low", "high", "sd"]


@dataclass
class Config:
    """Schema of `conf/compare.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    bins: int = 15
    min_tasks: int = 5
    metrics: list[str] = MISSING


def run(config: Config) -> None:
    """Write comparison and learning_curve, each .csv and .tex, in reports/tables/.

    JobshiftError where a table or a run is missing or does not fit.
    """
    kind = kind_of(config.data)
    check(config, kind)
    comparison, curve = comparison_frame(config, kind), learning_curve_frame(config, kind)
    for name, frame, latex in (
        ("comparison", comparison, comparison_latex(comparison, config, kind)),
        ("learning_curve", curve, learning_curve_latex(curve, config, kind)),
    ):
        write_csv(frame, TABLES / f"{name}.csv")
        with complete_file(TABLES / f"{name}.tex") as partial:
            partial.write_text(latex, encoding="utf-8")


def check(config: Config, kind: Kind) -> None:
    """Refuse values that mean nothing, before anything is read."""
    check_counts("conf/compare.yaml", config, ["draws", "bins", "min_tasks"])
    config.metrics = defined(config.metrics, kind, config.data.name, "compare: metrics")
    if kind.first not in config.metrics:
        raise JobshiftError(
            f"conf/compare.yaml: metrics lacks {kind.first}, in whose order the models stand; add it"
        )
    study = config.study
    for model in study.learning_curve.models:
        if model not in study.all_models():
            raise JobshiftError(
                f"params.yaml: learning_curve.models names '{model}', which is no model of the study; "
                f"choose from {', '.join(study.all_models())}, or add it to `models`"
            )
    for percent in study.learning_curve.percents:
        if not 0 < percent < 100:
            raise JobshiftError(
                f"params.yaml: learning_curve.percents names {percent}; choose from 1 to 99, as 100 "
                "is the model's run on all tasks, which the curve always has"
            )


def comparison_frame(config: Config, kind: Kind) -> pd.DataFrame:
    """One row a model or rater on the primary split, the best first: measures, distance, costs."""
    metrics = primary_metrics(config)
    rows = []
    for model, part in metrics.groupby("model", sort=False):
        of = part.set_index("metric")
        row = {"model": model, "seeds": of["seeds"].iloc[0]}
        for metric in config.metrics:
            if metric not in of.index:
                raise JobshiftError(
                    f"{TABLES / 'metrics_mean.csv'}: {model} has no row for {metric} on the {PRIMARY} "
                    "split; make it again with `jobshift evaluate`"
                )
            row[metric] = of.loc[metric, "value"]
            row |= {f"{metric}_{what}": of.loc[metric, what] for what in ("sd", "low", "high")}
        rows.append(row)
    measures = [f"{m}{what}" for m in config.metrics for what in ("", "_sd", "_low", "_high")]
    frame = pd.DataFrame(rows, columns=["model", "seeds", *measures])
    # Stable: models that agree equally well stay in the order of the study.
    frame = frame.sort_values(kind.first, ascending=False, kind="stable", ignore_index=True)
    behind = pd.DataFrame(behind_best(frame, config, kind.first), columns=BEHIND_BEST, dtype=float)
    return pd.concat([frame, behind, costs_of(frame["model"], config)], axis=1)


def primary_metrics(config: Config) -> pd.DataFrame:
    """The rows of metrics_mean.csv on the primary split; JobshiftError unless of this study."""
    path = TABLES / "metrics_mean.csv"
    columns = ["model", "split", "metric", "value", "low", "high", "sd", "seeds"]
    table = read_table(path, columns, numbers=columns[3:])
    metrics = table[table["split"] == PRIMARY]
    found, models = set(metrics["model"]), set(config.study.all_models())
    for model in sorted(models - found) + sorted(found - models - set(config.data.raters)):
        problem = "lacks" if model in models else "has"
        raise JobshiftError(
            f"{path} {problem} the model {model} on the {PRIMARY} split, "
            f"{'which' if model in models else 'which no longer'} belongs to the study of "
            "params.yaml; make it again with `jobshift evaluate`"
        )
    return metrics


def behind_best(frame: pd.DataFrame, config: Config, first: str) -> list[list[float]]:
    """For each row the best model minus it: difference, low, high, p by Holm; NaN for the best.

    `frame` is in the order of the measure `first`, of which this is. The best is a model, not a rater.
    """
    path = TABLES / "comparisons.csv"
    columns = ["model_a", "model_b", "difference", "low", "high", "p_holm"]
    table = read_table(path, ["split", "metric", *columns], numbers=columns[2:])
    table = table[(table["split"] == PRIMARY) & (table["metric"] == first)]
    pairs = {(a, b): numbers for a, b, *numbers in table[columns].itertuples(index=False)}
    defined = frame.loc[frame[first].notna(), "model"]
    best = next((model for model in defined if model in config.study.all_models()), None)
    rows = []
    for model in frame["model"]:
        if best in (None, model):
            rows.append([np.nan] * 4)
        elif (best, model) in pairs:
            rows.append(pairs[best, model])
        elif (model, best) in pairs:
            difference, low, high, p = pairs[model, best]
            # Taken from 0.0, as the negative of 0.0 would be written as −0.0.
            rows.append([0.0 - difference, 0.0 - high, 0.0 - low, p])
        else:
            raise JobshiftError(
                f"{path}: there is no comparison of {best} and {model} in {first} on the {PRIMARY} "
                f"split; name {first} under `compare` in conf/evaluate.yaml and run `jobshift evaluate`"
            )
    return rows


def costs_of(models: Iterable[str], config: Config) -> pd.DataFrame:
    """The costs [models × COSTS] as they are written in reports/costs.csv, None where not measured."""
    models, measured = list(models), [m for m in models if m in config.study.all_models()]
    if COSTS_FILE.is_file():
        costs = read_costs(COSTS_FILE)
        costs = costs[costs["data"] == config.data.name].set_index("model")[COSTS]
        if missing := [model for model in measured if model not in costs.index]:
            logging.info(
                "%s has no row on %s for %s: their costs stay empty; measure them with "
                "`python benchmarks/model_costs.py --models %s`",
                COSTS_FILE, config.data.name, ", ".join(missing), " ".join(missing),
            )  # fmt: skip
    else:
        costs = pd.DataFrame(columns=COSTS)
        logging.info(
            "there is no %s: all costs stay empty; measure them with "
            "`python benchmarks/model_costs.py --models %s`",
            COSTS_FILE, " ".join(measured),
        )  # fmt: skip
    costs = costs.reindex(models)
    # A rater costs nothing that this table counts, even if a model of that name was once measured.
    costs.loc[~costs.index.isin(measured)] = None
    return costs.reset_index(drop=True)


def read_costs(path: Path) -> pd.DataFrame:
    """reports/costs.csv as text, each number checked; JobshiftError naming the first bad row.

    Text, so that the comparison has every number just as it was written down.
    """
    columns = ["data", "model", *COSTS]
    remedy = "measure it again with `python benchmarks/model_costs.py`"
    table = read_table(path, columns, remedy=remedy)[columns]
    names = ["data", "model"]
    problems = [
        (table[names].isna().any(axis=1), "lacks the data set or the model"),
        (table.duplicated(names), "is a second row for the same data set and model"),
    ]
    for column in COSTS:
        number = pd.to_numeric(table[column], errors="coerce")
        given = table[column].notna()
        problems.append((given & ~np.isfinite(number), f"has no number as {column}"))
        problems.append((given & (number < 0), f"has a negative number as {column}"))
    for bad, problem in problems:
        if bad.any():
            row = table[bad].iloc[0]
            raise JobshiftError(
                f"{path}: line {row.name + 2} (model {row['model']}) {problem}; {remedy}"
            )
    return table


def read_table(
    path: Path,
    columns: list[str],
    numbers: Iterable[str] = (),
    remedy: str = "make it with `jobshift evaluate`",
) -> pd.DataFrame:
    """A CSV file as text, only an empty field missing, and `numbers` as floats.

    Raises JobshiftError, which ends with `remedy`, where there is no such file, column or number.
    """
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such table; {remedy}")
    try:
        # A blank line is a row, so that row n stands in line n + 2.
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, na_values=[""], skip_blank_lines=False
        )
    except ValueError as error:
        raise JobshiftError(f"{path} is no CSV table ({str(error).strip()}); {remedy}") from error
    for column in columns:
        if column not in table:
            raise JobshiftError(f"{path}: there is no column '{column}'; {remedy}")
    for column in numbers:
        number = pd.to_numeric(table[column], errors="coerce")
        bad = table[column].notna() & number.isna()
        if bad.any():
            raise JobshiftError(
                f"{path}: line {table.index[bad][0] + 2} has no number as {column}; {remedy}"
            )
        table[column] = number.astype("Int64" if column == "seeds" else float)
    return table


def learning_curve_frame(config: Config, kind: Kind) -> pd.DataFrame:
    """One row a model, percent of the training tasks and measure, 100 % last: mean over the seeds."""
    study = config.study
    models, seeds = study.learning_curve.models, study.seeds
    if not models:
        logging.info("learning curve left out: params.yaml names no model in `learning_curve`")
        return pd.DataFrame(columns=[*CURVE, *BEHIND_FULL])
    percents = [*sorted(set(study.learning_curve.percents)), 100]
    folder = Path("data/prepared", config.data.name, PRIMARY)
    tasks = read_tasks(folder, kind, [])
    held_out = kind.held_out(tasks, config.draws, config.seed, config.min_tasks)
    counted = cache(learnt_from)
    measured, learnt = {}, {}
    for model in dict.fromkeys(models):
        for percent in percents:
            for seed in seeds:
                key = model, seed, PRIMARY
                said = kind.answers(read_predictions(key, tasks, kind, percent=percent), tasks)
                found = kind.measure(held_out, said, config.bins)
                measured[model, seed, percent] = {m: found[m] for m in config.metrics}
            numbers = [
                counted(folder, fit_on(model, seed, percent), percent, seed) for seed in seeds
            ]
            learnt[model, percent] = round(np.mean(numbers))
            logging.info(
                "%s learnt from %d %s (%d %%): %s %.3f",
                model, learnt[model, percent], kind.units, percent, tables.MAIN[kind.first],
                np.mean([measured[model, seed, percent][kind.first][0] for seed in seeds]),
            )  # fmt: skip
    # The functions of evaluate ask for a split: here it is the percent, of the same held-out tasks.
    means, same = seed_means(measured), dict.fromkeys(percents, held_out)
    frame = with_spread(metrics_frame(means, same), metrics_frame(measured, same))
    frame = frame.rename(columns={"split": "percent"})
    rows = list(frame[["model", "percent", "metric"]].itertuples(index=False, name=None))
    frame["n_tasks"] = [learnt[model, percent] for model, percent, _ in rows]
    frame[BEHIND_FULL] = [
        [np.nan] * 3
        if percent == 100
        else bootstrap.summary(
            means[model, "mean", 100][metric] - means[model, "mean", percent][metric]
        )[:3]
        for model, percent, metric in rows
    ]
    # By percent and then model until here.
    order = {model: number for number, model in enumerate(models)}
    frame = frame.sort_values("model", key=lambda names: names.map(order), kind="stable")
    return frame[[*CURVE, *BEHIND_FULL]]


def fit_on(model: str, seed: int, percent: int) -> str:
    """What a run of the learning curve was fitted on, a key of FIT_ON, from its run.json."""
    path, command = run_file((model, seed, PRIMARY), "run.json", percent=percent)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["fit_on"]
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    if found not in FIT_ON:
        raise JobshiftError(
            f"{path} does not say whether the run was fitted on {' or '.join(FIT_ON)} (fit_on); "
            f"run `{command}` again"
        )
    return found


def learnt_from(folder: Path, fitted_on: str, percent: int, seed: int) -> float:
    """From how many tasks a run learns, the mean over the folds of a split's `folder`."""
    numbers = []
    for fold in sorted(path for path in folder.glob("*") if path.name.isdigit()):
        parts = [
            read_columns(fold / f"{part}.parquet", ["group"], "jobshift prepare")["group"]
            for part in FIT_ON[fitted_on]
        ]
        group = pd.concat(parts).to_numpy()
        numbers.append(in_share(group, percent / 100, seed).sum())
    return float(np.mean(numbers))


def notes(config: Config, kind: Kind) -> list[str]:
    """What both captions must say."""
    seeds = ", ".join(map(str, config.study.seeds))
    return [
        f"Held-out {kind.units} of the primary split.",
        f"Mean over the seeds {seeds}; ±: standard deviation over them, where there are several.",
        "Intervals: 95 % percentile, draws of whole leak groups, centred.",
    ]


def in_words(metric: str) -> str:
    """What a note calls a measure of the main table."""
    return tables.MAIN[metric].replace("κ", "kappa")


def comparison_latex(frame: pd.DataFrame, config: Config, kind: Kind) -> str:
    """The comparison in LaTeX."""
    if frame.empty:
        return "% Left out: the study has no model.\n"
    said = [
        *notes(config, kind),
        f"Behind: the best model minus this one in {in_words(kind.first)}, paired; Holm over all pairs.",
    ]
    threads = ", ".join(sorted(frame["threads"].dropna().unique(), key=float))
    if threads:
        said.append(f"Costs: benchmarks/model_costs.py, threads of the processor: {threads}.")
    return tables.comparison_table(frame, config.metrics, said)


def learning_curve_latex(frame: pd.DataFrame, config: Config, kind: Kind) -> str:
    """The learning curve in LaTeX."""
    if frame.empty:
        return "% Left out: params.yaml names no model in `learning_curve`.\n"
    occupations = f"Occupations of at least {config.min_tasks} held-out tasks: mean of these."
    said = [
        *notes(config, kind),
        *([occupations] if config.data.exposure else []),
        f"{kind.units.capitalize()}: learnt from, mean over seeds and folds.",
        f"Behind: the same model with all {kind.units} minus this one in {in_words(kind.first)}, paired.",
    ]
    return tables.learning_curve_table(frame, said, kind.first, kind.units)
