"""prepare: from fetched files to labelled tasks, split without leakage, with a data card of every count."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file, complete_folder, write_json, write_parquet

RAW = Path("data/raw")
PREPARED = Path("data/prepared")
CARD = Path("reports/data_card.md")
PARTS = ("train", "near", "val", "test")


@dataclass
class SplitConfig:
    """How tasks are divided; see `texts/splits.py`."""

    folds: int = 1  # purged folds; above 1 every task is held out once
    seed: int = 0
    test: float = 0.2  # share of tasks, before purging
    val: float = 0.1  # share of what is left


@dataclass
class Config:
    """Schema of conf/prepare.yaml."""

    study: Study = MISSING
    data: DataConfig = MISSING
    rater: str = MISSING  # whose labels train and judge; one of data.raters
    split: SplitConfig = field(default_factory=SplitConfig)


def run(config: Config) -> None:
    """Write data/prepared/<data>/ (tasks, splits, card.json) and reports/data_card.md."""
    from jobshift.texts import gpts_are_gpts, onet, schema

    readers = {"onet": onet.prepare, "gpts_are_gpts": gpts_are_gpts.prepare}
    data = config.data
    if data.name not in readers:
        raise JobshiftError(f"conf/data/{data.name}.yaml: there is no data set named {data.name}")
    config.study.check_sources(data)
    if config.rater not in data.raters:
        raise JobshiftError(
            f"rater is '{config.rater}', but the data set {data.name} was rated by "
            f"{', '.join(data.raters)}; choose one of them in params.yaml"
        )
    try:
        prepared = readers[data.name](RAW, list(data.labels), config.rater)
    except ValueError as error:
        raise JobshiftError(f"conf/data/{data.name}.yaml: labels: {error}") from error
    tasks = prepared.tasks
    card = {
        "data": data.name,
        "title": data.title,
        "rater": config.rater,
        "rated by": data.raters[config.rater],
        "counts": prepared.counts,
        "dropped": prepared.dropped,
        "facts": prepared.facts,
        "labels": shares(tasks["label"]),
        "automation": shares(tasks["automation"]),
        "splits": {},
    }
    with complete_folder(PREPARED / data.name) as folder:
        for split, split_card in write_splits(folder, tasks, config, schema):
            card["splits"][split] = split_card
        write_json(card, folder / "card.json")
    with complete_file(CARD) as partial:
        partial.write_text(render(card), encoding="utf-8")
    logging.info(
        "%s: %d tasks, %d dropped; purged fold 0: %s",
        data.name,
        len(tasks),
        sum(prepared.dropped.values()),
        ", ".join(f"{part} {n}" for part, n in card["splits"]["purged"][0]["tasks"].items()),
    )


def shares(values: pd.Series) -> dict[str, dict[str, float]]:
    """Count and share of each value, sorted by value."""
    counts = values.value_counts().sort_index()
    return {
        value: {"tasks": int(n), "share": round(n / len(values), 6)} for value, n in counts.items()
    }


def write_splits(folder: Path, tasks: pd.DataFrame, config: Config, schema):
    """Write tasks.parquet and every fold of every split below `folder`; yield what the card says of each."""
    from jobshift.texts.splits import SPLITS, folds, normalise

    options = config.split
    # As numbers, texts compare many times faster.
    texts = pd.Series(pd.factorize(tasks["text"].map(normalise))[0], index=tasks.index)
    for split in SPLITS:
        split_card = []
        try:
            all_folds = list(
                folds(tasks, texts, split, options.folds, options.seed, options.test, options.val)
            )
        except ValueError as error:
            raise JobshiftError(f"conf/prepare.yaml: {error}") from error
        if split == "purged":
            whole = schema.valid(
                tasks.assign(group=all_folds[0].group), schema.TASKS, config.data.name
            )
            write_parquet(whole.sort_values("id"), folder / "tasks.parquet")
        for number, fold in enumerate(all_folds):
            rows = tasks.assign(group=fold.group)
            for part in PARTS:
                chosen = rows[fold.part == part]
                if chosen.empty and part != "near":
                    raise JobshiftError(
                        f"{config.data.name}: fold {number} of the split {split} has no {part} tasks; "
                        "lower split.folds or raise split.test and split.val"
                    )
                write_parquet(
                    chosen.sort_values("id"), folder / split / str(number) / f"{part}.parquet"
                )
            split_card.append(fold_card(tasks["dwas"], texts, fold))
        yield split, split_card


def fold_card(activities: pd.Series, texts: pd.Series, fold) -> dict:
    """Sizes and measured leakage of one fold."""
    from jobshift.texts.splits import leakage

    return {
        "tasks": {part: int((fold.part == part).sum()) for part in (*PARTS, "purged")},
        "groups": {
            part: int(fold.group[fold.part == part].nunique()) for part in ("train", "val", "test")
        },
        "leakage": {
            f"{held} from {seen}": {
                what: round(share, 6)
                for what, share in leakage(activities, texts, fold.part, held, seen).items()
            }
            for held, seen in (
                ("test", "train"),
                ("test", "near"),
                ("test", "val"),
                ("val", "train"),
            )
        },
    }


def render(card: dict) -> str:
    """The data card as Markdown."""
    lines = [
        f"# Data card: {card['title']}",
        "",
        "Written by the stage `prepare`; how labels and splits are made stands in `docs/method.md`.",
        f"The labels are those of the rater `{card['rater']}`: {card['rated by']}.",
        "",
        "| count | rows |",
        "| --- | ---: |",
        *(f"| {what} | {n:,} |" for what, n in card["counts"].items()),
        *(f"| dropped: {reason} | {n:,} |" for reason, n in card["dropped"].items()),
        "",
        *(f"{what[0].upper()}{what[1:]}: {fact}." for what, fact in card["facts"].items()),
        "",
        "| class | tasks | share |",
        "| --- | ---: | ---: |",
    ]
    for scale in ("labels", "automation"):
        for name, row in card[scale].items():
            lines.append(f"| {name} | {row['tasks']:,} | {row['share']:.1%} |")
    lines += [
        "",
        "Leakage: share of the test tasks that share an activity (DWA) or a normalised text with a "
        "training task. *Near* tasks share one with a validation task: only a model that needs no "
        "validation trains on them. *Purged* tasks are in no part of the fold.",
        "",
        "| split | fold | train | near | val | test | purged | DWA leakage | text leakage |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for split, fold_cards in card["splits"].items():
        for number, fold in enumerate(fold_cards):
            sizes = " | ".join(f"{n:,}" for n in fold["tasks"].values())
            leak = {
                what: max(fold["leakage"][f"test from {seen}"][what] for seen in ("train", "near"))
                for what in ("dwa", "text")
            }
            lines.append(
                f"| {split} | {number} | {sizes} | {leak['dwa']:.1%} | {leak['text']:.1%} |"
            )
    return "\n".join(lines) + "\n"
