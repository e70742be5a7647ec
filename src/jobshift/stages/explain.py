"""explain: which words raise and lower the exposure that an exported model predicts.

A random sample of the held-out test tasks of the primary split (with several folds, of the first, whose
training tasks the exported model has seen) is explained by integrated gradients (`rating.explain`), and the
attributions of each word are averaged over its occurrences. Words are in lower case; what has no letter
(punctuation, numbers) is left out, and nothing else is: there is no list of stop words. Intervals: 95 %
percentile, draws of whole leak groups.

Writes reports/tables/words.csv, one row a word that enough tasks have, from the one that raises exposure
most. Where the labels are no degrees of exposure, or the model is not of the study or not exported, the
table is empty and the log says so.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap
from jobshift.outputs import write_csv
from jobshift.stages.evaluate import PRIMARY, read_columns

if TYPE_CHECKING:
    from jobshift.rating.explain import Attribution

log = logging.getLogger(__name__)

EXPORTS = Path("exports")
WORDS = Path("reports/tables/words.csv")
WORD = ["word", "attribution", "low", "high", "n_tasks"]
COLUMNS = ["model", *WORD, "explained_tasks", "complete_share"]


@dataclass
class Config:
    """Schema of `conf/explain.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    name: str = MISSING
    texts: int = 500
    seed: int = 0
    draws: int = 1000
    min_tasks: int = 10


def run(config: Config) -> None:
    """Write words.csv; JobshiftError where a file is missing or does not fit."""
    check_counts("conf/explain.yaml", config, ["texts", "draws", "min_tasks"])
    folder = EXPORTS / config.name / f"{PRIMARY}-{config.study.seeds[0]}"
    if not (reason := config.data.no_exposure):
        if not config.name:
            reason = "params.yaml names no model in `export`"
        elif config.name not in config.study.all_models():
            reason = f"conf/explain.yaml names {config.name}, which is no model of the study"
        elif not folder.is_dir():
            reason = f"there is no {folder}; `jobshift export name={config.name}` makes it"
    if reason:
        log.info("left out: %s", reason)
        write_csv(pd.DataFrame(columns=COLUMNS), WORDS)
        return
    # Torch takes seconds to load; what is left out needs none.
    from jobshift.rating.explain import TOLERANCE, Explainer
    from jobshift.rating.exported import read_export

    exported = read_export(folder)
    if exported.scores != config.data.labels:
        raise JobshiftError(
            f"{folder} has other classes or scores than conf/data/{config.data.name}.yaml; "
            f"run `jobshift export name={config.name}` again"
        )
    tasks = sample(Path("data/prepared", config.data.name, PRIMARY, "0/test.parquet"), config)
    attributions = Explainer(exported).attributions(tasks["text"].tolist())
    gaps = np.array([each.completeness_gap for each in attributions])
    complete = float((gaps <= TOLERANCE).mean())
    log.info(
        "%d tasks explained, completeness gap at most %g in %.1f %% of them, %.4f at most",
        len(tasks), TOLERANCE, 100 * complete, gaps.max(),
    )  # fmt: skip
    resamples = bootstrap.Resamples(tasks, config.draws, config.seed)
    table = word_table(attributions, resamples, config.min_tasks)
    table = table.assign(model=config.name, explained_tasks=len(tasks), complete_share=complete)
    write_csv(table[COLUMNS], WORDS)
    log.info("most raised by: %s", ", ".join(table["word"].head(8)))
    log.info("most lowered by: %s", ", ".join(table["word"].tail(8)[::-1]))


def sample(path: Path, config: Config) -> pd.DataFrame:
    """A random sample of the tasks in `path`, in the order of their ids: id, text, group."""
    command = f"jobshift prepare data={config.data.name}"
    tasks = read_columns(path, ["id", "text", "group"], command).sort_values("id")
    rng = np.random.default_rng(config.seed)
    rows = rng.choice(len(tasks), size=min(config.texts, len(tasks)), replace=False)
    return tasks.iloc[np.sort(rows)].reset_index(drop=True)


def word_table(
    attributions: "Sequence[Attribution]", resamples: bootstrap.Resamples, min_tasks: int
) -> pd.DataFrame:
    """Mean attribution of each word over its occurrences, with `WORD`, highest first.

    `attributions` are those of the rows of `resamples`; words in fewer than `min_tasks` are left out.
    """
    occurrences = pd.DataFrame(
        [
            (word.lower(), row, value)
            for row, each in enumerate(attributions)
            for word, value in zip(each.words, each.values, strict=True)
            if any(letter.isalpha() for letter in word)
        ],
        columns=["word", "row", "value"],
    )
    by_task = occurrences.groupby(["word", "row"])["value"].agg(["sum", "size"]).reset_index()
    rows = []
    for word, part in by_task.groupby("word"):
        if len(part) < min_tasks:
            continue
        weights = resamples.weights[resamples.group[part["row"]]].T
        total, times = (weights @ part[["sum", "size"]].to_numpy(dtype=float)).T
        means = np.divide(total, times, out=np.full(len(total), np.nan), where=times > 0)
        rows.append((word, *bootstrap.summary(means)[:3], len(part)))
    table = pd.DataFrame(rows, columns=WORD)
    return table.sort_values(["attribution", "word"], ascending=[False, True], ignore_index=True)
