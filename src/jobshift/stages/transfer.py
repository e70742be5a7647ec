"""transfer: learning from one rater, judged by another; which labels bring a small model closest to people?

The models of `transfer` in params.yaml are trained on the labels of each rater in turn, on the same folds
of the primary split, and their predictions of the held-out tasks are compared with the labels of every
rater. The raters' own labels stand in the table as well: what one would get by asking them.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap
from jobshift.measures.kinds import Classification
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables
from jobshift.stages.evaluate import (
    PRIMARY,
    defined,
    kind_of,
    read_predictions,
    read_tasks,
)

TABLES = Path("reports/tables")
COLUMNS = ["model", "trained_on", "judged_by", "metric", "value", "low", "high", "n_tasks"]
# Stands for the labels of a rater themselves in the column `model`.
LABELS = "labels"


@dataclass
class Config:
    """Schema of `conf/transfer.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    min_tasks: int = 5
    metrics: list[str] = MISSING


def run(config: Config) -> None:
    """Write reports/tables/transfer.csv and .tex; without a rater or model in `transfer`, empty ones."""
    study, kind = config.study, kind_of(config.data)
    check_counts("conf/transfer.yaml", config, ["draws"])
    config.metrics = defined(config.metrics, kind, config.data.name, "transfer: metrics")
    for rater in study.transfer.raters:
        if rater not in config.data.raters:
            raise JobshiftError(
                f"params.yaml: transfer.raters names '{rater}', but the data set {config.data.name} "
                f"was rated by {', '.join(config.data.raters) or 'nobody'}"
            )
    rows: list[tuple] = []
    if study.transfer.models and study.transfer.raters:
        rows = measured(config, kind)
    else:
        logging.info("left out: params.yaml names no model or no rater in `transfer`")
    frame = pd.DataFrame(rows, columns=COLUMNS)
    write_csv(frame, TABLES / "transfer.csv")
    with complete_file(TABLES / "transfer.tex") as partial:
        partial.write_text(latex(frame, config), encoding="utf-8")


def measured(config: Config, kind: Classification) -> list[tuple]:
    """One row a model, rater learnt from, rater who judges and measure."""
    study, classes = config.study, kind.classes
    raters = list(dict.fromkeys([study.rater, *study.transfer.raters]))
    others = [rater for rater in raters if rater != study.rater]
    folder = Path("data/prepared", config.data.name, PRIMARY)
    tasks = read_tasks(folder, kind, others)
    tasks[f"label_{study.rater}"] = tasks["label"]
    given = {}
    for rater in raters:
        numbers = pd.Categorical(tasks[f"label_{rater}"], categories=classes).codes.astype(int)
        given[LABELS, rater] = numbers, None
    for model in study.transfer.models:
        for rater in raters:
            key = model, study.seeds[0], PRIMARY
            learnt_from = "" if rater == study.rater else rater
            frame = read_predictions(key, tasks, kind, learnt_from)
            given[model, rater] = kind.answers(frame, tasks)
    rows = []
    for judge in raters:
        for (model, source), (predicted, p) in given.items():
            if model == LABELS and source == judge:
                continue
            truth = pd.Categorical(tasks[f"label_{judge}"], categories=classes).codes
            both = (predicted >= 0) & (truth >= 0)
            chosen = tasks[both].assign(label=tasks[f"label_{judge}"][both])
            held_out = kind.held_out(chosen, config.draws, config.seed, config.min_tasks)
            measures = (
                kind.measure_labels(held_out, predicted[both])
                if p is None
                else kind.measure(held_out, (predicted[both], p[both]), bins=1)
            )
            for metric in config.metrics:
                value, low, high, _ = bootstrap.summary(measures[metric], bootstrap.bounds(metric))
                rows.append((model, source, judge, metric, value, low, high, int(both.sum())))
            logging.info(
                "%s of %s, judged by %s: %s %.3f",
                model, source, judge, tables.MAIN[kind.first], measures[kind.first][0],
            )  # fmt: skip
    order = {name: n for n, name in enumerate([LABELS, *study.transfer.models])}
    return sorted(rows, key=lambda row: (order[row[0]], raters.index(row[1]), raters.index(row[2])))


def latex(frame: pd.DataFrame, config: Config) -> str:
    """The table of κ and r of occupation β: learnt from (rows), judged by (columns)."""
    if frame.empty:
        return "% Left out: params.yaml names no model or no rater in `transfer`.\n"
    notes = [
        "Held-out tasks of the primary split that the judge, and the rater of labels, have rated.",
        f"Intervals: 95 % percentile, {config.draws} draws of whole leak groups, centred.",
    ]
    cells = []
    for (model, source, metric), part in frame.groupby(
        ["model", "trained_on", "metric"], sort=False
    ):
        by_judge = part.set_index("judged_by")
        row = {"metric": tables.MAIN.get(metric, metric), "Model": model, "Labels of": source}
        for judge in frame["judged_by"].unique():
            row[judge] = "–"
            if judge in by_judge.index:
                each = by_judge.loc[judge]
                row[judge] = (
                    f"{tables.number(each['value'])} {tables.interval(each['low'], each['high'])}"
                )
        cells.append(row)
    order = pd.DataFrame(cells)
    order["rank"] = order["metric"].map({m: n for n, m in enumerate(order["metric"].unique())})
    order = order.sort_values("rank", kind="stable").drop(columns="rank")
    return tables.booktabs(order, notes, "metric")
