"""prepare: from fetched files to labelled texts, split without leakage, with a data card of every count.

Who reads a data set is the `reader` of its config: a module of `texts` with a function `prepare`, which may
have functions for second test sets as well; or `csv`, any file of texts (`texts/own_file.py`).
"""

import logging
from dataclasses import dataclass, field, fields
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
    """Write data/prepared/<data>/ (tasks, splits, extra, card.json) and reports/data_card.md."""
    from jobshift.texts import schema

    data = config.data
    config.study.check_sources(data)
    if data.raters and config.rater not in data.raters:
        raise JobshiftError(
            f"rater is '{config.rater}', but the data set {data.name} was rated by "
            f"{', '.join(data.raters)}; choose one of them in params.yaml"
        )
    prepared, extra = read(data, config.rater)
    tasks = prepared.tasks
    card = {
        "data": data.name,
        "title": data.title,
        "rater": config.rater if data.raters else None,
        "rated by": data.rated_by(config.rater),
        "counts": prepared.counts,
        "dropped": prepared.dropped,
        "facts": prepared.facts,
        "labels": shares(tasks["label"]),
        "automation": shares(tasks["automation"]) if "automation" in tasks else {},
        "splits": {},
    }
    if not data.exposure:
        # In a file of one's own they are found, and the stages that follow read them here.
        card["classes"] = list(data.labels or sorted(tasks["label"].unique()))
    if extra:
        card["extra"] = {
            name: {
                "counts": found.counts,
                "dropped": found.dropped,
                "labels": shares(found.tasks["label"]),
            }
            for name, found in extra.items()
        }
    with complete_folder(PREPARED / data.name) as folder:
        for split, split_card in write_splits(folder, tasks, config, schema):
            card["splits"][split] = split_card
        for name, found in extra.items():
            rows = schema.valid(found.tasks, schema.TASKS, f"{data.name}: {name}")
            write_parquet(rows.sort_values("id"), folder / "extra" / f"{name}.parquet")
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


def read(data: DataConfig, rater: str):
    """The texts of a data set, and those of its second test sets by name, each as a `Prepared`.

    Raises JobshiftError where its reader or a second test set is not known, or a file does not fit.
    """
    from jobshift.texts import csco, gpts_are_gpts, onet

    file = f"conf/data/{data.name}.yaml"
    readers = {"onet": onet, "gpts_are_gpts": gpts_are_gpts, "csco": csco}
    others = {"csco": {"job_titles": csco.job_titles}}
    reader = data.reader or data.name
    unknown = [name for name in data.extra if name not in others.get(reader, {})]
    if unknown:
        raise JobshiftError(
            f"{file}: extra names {unknown[0]}, which the reader {reader} does not know"
        )
    if reader == "csv":
        return read_own(data), {}
    if reader not in readers:
        raise JobshiftError(
            f"{file}: there is no reader named {reader}; choose one of {', '.join([*readers, 'csv'])}"
        )
    if not data.labels:
        raise JobshiftError(f"{file}: labels is empty; list the classes")
    try:
        prepared = readers[reader].prepare(RAW, data.classes, rater)
        return prepared, {name: others[reader][name](RAW, data.classes) for name in data.extra}
    except ValueError as error:
        raise JobshiftError(f"{file}: labels: {error}") from error


def read_own(data: DataConfig):
    """The texts of a file of one's own as a `Prepared`."""
    from jobshift.texts.own_file import Columns, read

    file = f"conf/data/{data.name}.yaml"
    if not data.path:
        raise JobshiftError(f"{file}: path is empty; name a file of texts, or give data.path=FILE")
    if data.label is None:
        raise JobshiftError(
            f"{file}: label is null, so there is nothing to learn from and nothing to be measured by; name "
            "the column of the labels, or give data.label=COLUMN"
        )
    columns = Columns(**{each.name: getattr(data, each.name) for each in fields(Columns)})
    return read(data.path, columns, list(data.labels or []), data.format)


def shares(values: pd.Series) -> dict[str, dict[str, float]]:
    """Count and share of each value, sorted by value."""
    counts = values.value_counts().sort_index()
    return {
        value: {"tasks": int(n), "share": round(n / len(values), 6)} for value, n in counts.items()
    }


def write_splits(folder: Path, tasks: pd.DataFrame, config: Config, schema):
    """Write tasks.parquet and every fold of every split below `folder`; yield what the card says of each."""
    from jobshift.texts.splits import folds, normalise, splits_of

    options = config.split
    # As numbers, texts compare many times faster.
    texts = pd.Series(pd.factorize(tasks["text"].map(normalise))[0], index=tasks.index)
    for split in splits_of(tasks):
        split_card = []
        try:
            all_folds = list(
                folds(tasks, texts, split, options.folds, options.seed, options.test, options.val)
            )
        except ValueError as error:
            raise JobshiftError(f"conf/prepare.yaml: {error}") from error
        check_classes(config.data.name, tasks, split, all_folds)
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
            split_card.append(fold_card(tasks, texts, fold))
        yield split, split_card


def check_classes(data: str, tasks: pd.DataFrame, split: str, all_folds: list) -> None:
    """Say which classes a part lacks; JobshiftError where training has only one, so nothing to learn."""
    everything = set(tasks["label"])
    for number, fold in enumerate(all_folds):
        where = f"fold {number} of the split {split}"
        found = {part: set(tasks["label"][fold.part == part]) for part in ("train", "val", "test")}
        if len(found["train"]) == 1:
            raise JobshiftError(
                f"{data}: all training texts of {where} are of the class {found['train'].pop()}; the other "
                "classes have too few leak groups"
            )
        if "dwas" in tasks:
            continue  # drawn whatever their labels
        for part, classes in found.items():
            if lacking := sorted(everything - classes):
                logging.warning(
                    "%s: %s has no %s text of %s", data, where, part, ", ".join(lacking)
                )


def fold_card(tasks: pd.DataFrame, texts: pd.Series, fold) -> dict:
    """Sizes and measured leakage of one fold."""
    from jobshift.texts.splits import leakage

    name = "dwas" if "dwas" in tasks else "group"
    activities, what_for = tasks[name], name.removesuffix("s")

    return {
        "tasks": {part: int((fold.part == part).sum()) for part in (*PARTS, "purged")},
        "groups": {
            part: int(fold.group[fold.part == part].nunique()) for part in ("train", "val", "test")
        },
        "leakage": {
            f"{held} from {seen}": {
                what: round(share, 6)
                for what, share in leakage(
                    activities, texts, fold.part, held, seen, what_for
                ).items()
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
        f"The labels are those of the rater `{card['rater']}`: {card['rated by']}."
        if card["rater"]
        else f"The labels are those of {card['rated by']}.",
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
    for name, extra in card.get("extra", {}).items():
        lines += [
            "",
            f"Second test set `{name.replace('_', ' ')}`, of which nothing is learnt:",
            "",
            "| count | rows |",
            "| --- | ---: |",
            *(f"| {what} | {n:,} |" for what, n in extra["counts"].items()),
            *(f"| dropped: {reason} | {n:,} |" for reason, n in extra["dropped"].items()),
            *(f"| class {label} | {row['tasks']:,} |" for label, row in extra["labels"].items()),
        ]
    # A data set with activities is split by them, another one by the groups that it comes with.
    keys = list(card["splits"]["purged"][0]["leakage"]["test from train"])
    heads = {"dwa": "DWA leakage", "group": "group leakage", "text": "text leakage"}
    shared = "an activity (DWA)" if "dwa" in keys else "a leak group"
    lines += [
        "",
        f"Leakage: share of the test tasks that share {shared} or a normalised text with a "
        "training task. *Near* tasks share one with a validation task: only a model that needs no "
        "validation trains on them. *Purged* tasks are in no part of the fold.",
        "",
        "| split | fold | train | near | val | test | purged | "
        f"{' | '.join(heads[key] for key in keys)} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for split, fold_cards in card["splits"].items():
        for number, fold in enumerate(fold_cards):
            sizes = " | ".join(f"{n:,}" for n in fold["tasks"].values())
            leak = {
                what: max(fold["leakage"][f"test from {seen}"][what] for seen in ("train", "near"))
                for what in keys
            }
            shown = " | ".join(f"{share:.1%}" for share in leak.values())
            lines.append(f"| {split} | {number} | {sizes} | {shown} |")
    return "\n".join(lines) + "\n"
