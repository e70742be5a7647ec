"""prepare: from fetched files to labelled texts, split without leakage, with a data card of every count.

Who reads a data set is the `reader` of its config: a module of `texts` with a function `prepare`, which may
have functions for second test sets as well; or `csv`, any file of texts (`texts/own_file.py`). A reader whose
rows are drawn part by part says in their column `part` where each belongs, and measures in `leaks` what
parts share; all others are divided and measured by `texts/splits.py`.
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
UNITS = {"pairs": "pair", "generation": "link"}  # what a row is, where it is not a task


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
    """Write data/prepared/<data>/ (tasks, splits, extra, titles, card.json) and reports/data_card.md."""
    from jobshift.texts import schema

    data = config.data
    config.study.check_sources(data)
    if data.raters and config.rater not in data.raters:
        raise JobshiftError(
            f"rater is '{config.rater}', but the data set {data.name} was rated by "
            f"{', '.join(data.raters)}; choose one of them in params.yaml"
        )
    prepared, extra = read(config)
    tasks = prepared.tasks
    card = {
        "data": data.name,
        "title": data.title,
        "rater": config.rater if data.raters else None,
        "rated by": data.rated_by(config.rater),
        "counts": prepared.counts,
        "dropped": prepared.dropped,
        "facts": prepared.facts,
        "labels": class_shares(tasks, data.task),
        "automation": shares(tasks["automation"]) if "automation" in tasks else {},
        "splits": {},
    }
    if not data.exposure:
        # In a file of one's own they are found, and the stages that follow read them here.
        card["classes"] = list(data.labels or card["labels"])
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
        if "target" in tasks:
            # Whatever may be generated, those of purged rows, too.
            write_json(sorted(set(tasks["target"])), folder / "titles.json")
        write_json(card, folder / "card.json")
    with complete_file(CARD) as partial:
        partial.write_text(render(card, data.task), encoding="utf-8")
    logging.info(
        "%s: %d %ss, %d dropped; purged fold 0: %s",
        data.name,
        len(tasks),
        UNITS.get(data.task, "task"),
        sum(prepared.dropped.values()),
        ", ".join(f"{part} {n}" for part, n in card["splits"]["purged"][0]["tasks"].items()),
    )


def read(config: Config):
    """The texts of a data set, and those of its second test sets by name, each as a `Prepared`.

    Raises JobshiftError where its reader or a second test set is not known, the reader gives another kind
    of task, or a file does not fit.
    """
    from jobshift.texts import csco, gpts_are_gpts, onet, onet_activity, onet_generalize, onet_pairs

    data, split = config.data, config.split
    file = f"conf/data/{data.name}.yaml"
    readers = {
        "onet": onet,
        "gpts_are_gpts": gpts_are_gpts,
        "csco": csco,
        "onet_activity": onet_activity,
        "onet_pairs": onet_pairs,
        "onet_generalize": onet_generalize,
    }
    kinds = {
        "onet_activity": ["multilabel"],
        "onet_pairs": ["pairs"],
        "onet_generalize": ["generation"],
        "csv": ["classification", "multilabel"],
    }
    others = {"csco": {"job_titles": csco.job_titles}}
    reader = data.reader or data.name
    given = kinds.get(reader, ["classification"])
    unknown = [name for name in data.extra if name not in others.get(reader, {})]
    if unknown:
        raise JobshiftError(
            f"{file}: extra names {unknown[0]}, which the reader {reader} does not know"
        )
    if reader not in [*readers, "csv"]:
        raise JobshiftError(
            f"{file}: there is no reader named {reader}; choose one of {', '.join([*readers, 'csv'])}"
        )
    if data.task not in given:
        raise JobshiftError(
            f"{file}: task is {data.task}, but the reader {reader} gives {' or '.join(given)}; change one "
            "of the two"
        )
    if reader == "csv":
        return read_own(data), {}
    if not data.labels and data.task != "generation":
        raise JobshiftError(f"{file}: labels is empty; list the classes")
    # These readers divide what they read.
    divide = {"seed": split.seed, "test": split.test, "val": split.val}
    more = {"onet_pairs": {"pairs": data.pairs, **divide}, "onet_generalize": divide}
    try:
        prepared = readers[reader].prepare(RAW, data.classes, config.rater, **more.get(reader, {}))
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
    several = data.task == "multilabel"
    return read(data.path, columns, list(data.labels or []), data.format, several)


def class_shares(tasks: pd.DataFrame, task: str) -> dict[str, dict[str, float]]:
    """Count and share of the rows of each class; none where texts are generated.

    Where several classes may apply to a row it counts for each, so the shares add up to more than 1.
    """
    if task == "generation":
        return {}
    if task == "multilabel":
        counts = tasks["label"].str.split().explode().value_counts().sort_index()
        return of_rows(counts, len(tasks))
    return shares(tasks["label"])


def shares(values: pd.Series) -> dict[str, dict[str, float]]:
    """Count and share of each value, sorted by value."""
    return of_rows(values.value_counts().sort_index(), len(values))


def of_rows(counts: pd.Series, rows: int) -> dict[str, dict[str, float]]:
    """Each count with the share that it is of `rows`."""
    return {value: {"tasks": int(n), "share": round(n / rows, 6)} for value, n in counts.items()}


def write_splits(folder: Path, tasks: pd.DataFrame, config: Config, schema):
    """Write tasks.parquet and every fold of every split below `folder`; yield what the card says of each."""
    from jobshift.texts.splits import folds, normalise, splits_of

    data, options = config.data, config.split
    # As numbers, texts compare many times faster.
    texts = pd.Series(pd.factorize(tasks["text"].map(normalise))[0], index=tasks.index)
    for split in splits_of(tasks):
        split_card = []
        try:
            all_folds = list(
                folds(
                    tasks,
                    texts,
                    split,
                    options.folds,
                    options.seed,
                    options.test,
                    options.val,
                    several=data.task == "multilabel",
                )
            )
        except ValueError as error:
            raise JobshiftError(f"conf/prepare.yaml: {error}") from error
        check_classes(data, tasks, split, all_folds)
        # Where a row is, its file says.
        rows = tasks.drop(columns="part", errors="ignore")
        if split == "purged":
            whole = schema.valid(
                rows.assign(group=all_folds[0].group),
                schema.PREPARED.get(data.task, schema.TASKS),
                data.name,
            )
            write_parquet(whole.sort_values("id"), folder / "tasks.parquet")
        for number, fold in enumerate(all_folds):
            rows = rows.assign(group=fold.group)
            for part in PARTS:
                chosen = rows[fold.part == part]
                if chosen.empty and part != "near":
                    raise JobshiftError(
                        f"{data.name}: fold {number} of the split {split} has no {part} tasks; "
                        "lower split.folds or raise split.test and split.val"
                    )
                write_parquet(
                    chosen.sort_values("id"), folder / split / str(number) / f"{part}.parquet"
                )
            split_card.append(fold_card(tasks, texts, fold, data.task))
        yield split, split_card


def check_classes(data: DataConfig, tasks: pd.DataFrame, split: str, all_folds: list) -> None:
    """Say which classes a part lacks; JobshiftError where training has only one, so nothing to learn.

    Also where several classes may apply and the primary split holds out none of one: no threshold could
    be chosen for it and nothing be measured. Texts to be generated have no classes.
    """
    if data.task == "generation":
        return
    several = data.task == "multilabel"

    def classes(labels: pd.Series) -> set[str]:
        return set(" ".join(labels).split()) if several else set(labels)

    everything = classes(tasks["label"])
    for number, fold in enumerate(all_folds):
        where = f"fold {number} of the split {split}"
        found = {
            part: classes(tasks["label"][fold.part == part]) for part in ("train", "val", "test")
        }
        if len(found["train"]) == 1:
            raise JobshiftError(
                f"{data.name}: all training texts of {where} are of the class {found['train'].pop()}; the "
                "other classes have too few leak groups"
            )
        refused = several and split == "purged"
        if "dwas" in tasks and not refused:
            continue  # drawn whatever their labels
        for part, there in found.items():
            if lacking := sorted(everything - there):
                said = f"{data.name}: {where} has no {part} text of {', '.join(lacking)}"
                if refused:
                    raise JobshiftError(
                        f"{said}; choose another split.seed, another split.test or split.val, or fewer "
                        "folds"
                    )
                logging.warning("%s", said)


def fold_card(tasks: pd.DataFrame, texts: pd.Series, fold, task: str) -> dict:
    """Sizes and measured leakage of one fold; where several classes may apply, the rows of each by part."""
    card = {
        "tasks": {part: int((fold.part == part).sum()) for part in (*PARTS, "purged")},
        "groups": {
            part: int(fold.group[fold.part == part].nunique()) for part in ("train", "val", "test")
        },
        "leakage": {
            between: {what: round(share, 6) for what, share in found.items()}
            for between, found in leaks(tasks, texts, fold, task).items()
        },
    }
    if task == "multilabel":
        labels = tasks["label"].str.split()
        by_part = {part: labels[fold.part == part].explode().value_counts() for part in PARTS}
        card["classes"] = {
            name: {part: int(counts.get(name, 0)) for part, counts in by_part.items()}
            for name in sorted(set(labels.explode()))
        }
    return card


def leaks(tasks: pd.DataFrame, texts: pd.Series, fold, task: str) -> dict[str, dict[str, float]]:
    """What parts of a fold share, by `test from train` and so on, as the kind of task has it."""
    from jobshift.texts import onet_generalize, onet_pairs
    from jobshift.texts.splits import leakage

    if task == "pairs":
        return onet_pairs.leaks(tasks)
    if task == "generation":
        return onet_generalize.leaks(tasks)
    name = "dwas" if "dwas" in tasks else "group"
    between = ("test", "train"), ("test", "near"), ("test", "val"), ("val", "train")
    return {
        f"{held} from {seen}": leakage(
            tasks[name], texts, fold.part, held, seen, name.removesuffix("s")
        )
        for held, seen in between
    }


def render(card: dict, task: str) -> str:
    """The data card of a data set of the kind `task` as Markdown."""
    # `test: pairs` is the count of one part, for which there is a table of its own.
    counts = {what: n for what, n in card["counts"].items() if ": " not in what}
    method = "text_tasks" if task in ("multilabel", *UNITS) else "method"
    lines = [
        f"# Data card: {card['title']}",
        "",
        f"Written by the stage `prepare`; how labels and splits are made stands in `docs/{method}.md`.",
        f"The labels are those of the rater `{card['rater']}`: {card['rated by']}."
        if card["rater"]
        else f"The labels are those of {card['rated by']}.",
        "",
        "| count | rows |",
        "| --- | ---: |",
        *(f"| {what} | {n:,} |" for what, n in counts.items()),
        *(f"| dropped: {reason} | {n:,} |" for reason, n in card["dropped"].items()),
        "",
        *(f"{what[0].upper()}{what[1:]}: {fact}." for what, fact in card["facts"].items()),
        *part_lines(card["counts"]),
        *class_lines(card, task),
    ]
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
    lines += own_split_lines(card, UNITS[task]) if task in UNITS else split_lines(card)
    return "\n".join(lines) + "\n"


def part_lines(counts: dict[str, int]) -> list[str]:
    """The table of the counts that are those of one part: `test, seen: links` and so on."""
    parted = {tuple(what.split(": ", 1)): n for what, n in counts.items() if ": " in what}
    if not parted:
        return []
    parts = list(dict.fromkeys(part for part, _ in parted))
    return [
        "",
        f"| of the part | {' | '.join(parts)} |",
        f"| --- |{' ---: |' * len(parts)}",
        *(
            f"| {what} | {' | '.join(f'{parted[part, what]:,}' for part in parts)} |"
            for what in dict.fromkeys(what for _, what in parted)
        ),
    ]


def class_lines(card: dict, task: str) -> list[str]:
    """The table of the classes; where several may apply, with the rows of each part of the first fold."""
    rows = [*card["labels"].items(), *card["automation"].items()]
    if not rows:
        return []
    if task != "multilabel":
        return [
            "",
            f"| class | {UNITS.get(task, 'task')}s | share |",
            "| --- | ---: | ---: |",
            *(f"| {name} | {row['tasks']:,} | {row['share']:.1%} |" for name, row in rows),
        ]
    by_part = card["splits"]["purged"][0]["classes"]
    return [
        "",
        "Several classes may apply to a task, so their shares add up to more than 100 %. The parts are "
        "those of fold 0 of the split `purged`.",
        "",
        f"| class | tasks | share | {' | '.join(PARTS)} |",
        f"| --- |{' ---: |' * (2 + len(PARTS))}",
        *(
            f"| {name} | {row['tasks']:,} | {row['share']:.1%} | "
            f"{' | '.join(f'{by_part[name][part]:,}' for part in PARTS)} |"
            for name, row in rows
        ),
    ]


def split_lines(card: dict) -> list[str]:
    """The table of the splits, with what the test shares with training."""
    # A data set with activities is split by them, another one by the groups that it comes with.
    keys = list(card["splits"]["purged"][0]["leakage"]["test from train"])
    heads = {"dwa": "DWA leakage", "group": "group leakage", "text": "text leakage"}
    shared = "an activity (DWA)" if "dwa" in keys else "a leak group"
    lines = [
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
    return lines


def own_split_lines(card: dict, unit: str) -> list[str]:
    """The one split of a reader's own and, in a table of its own, what its parts share."""
    (fold,) = card["splits"]["purged"]
    sizes = fold["tasks"]
    found = fold["leakage"]
    keys = list(next(iter(found.values())))
    names = {"dwa": "activity (DWA)", "text": "normalised text"}
    heads = [names.get(key, key) for key in keys]
    return [
        "",
        f"There is one split with one fold. *Near* {unit}s would share with validation what must not be "
        f"shared: only a model that needs no validation trains on them. *Purged* {unit}s are in no part.",
        "",
        f"| split | fold | {' | '.join(sizes)} |",
        f"| --- |{' ---: |' * (1 + len(sizes))}",
        f"| purged | 0 | {' | '.join(f'{n:,}' for n in sizes.values())} |",
        "",
        f"Leakage: share of the {unit}s of one part that have something in common with any of another.",
        "",
        f"| {unit}s of | and of | {' | '.join(f'same {head}' for head in heads)} |",
        f"| --- | --- |{' ---: |' * len(keys)}",
        *(
            f"| {' | '.join(between.split(' from '))} | "
            f"{' | '.join(f'{shared[key]:.1%}' for key in keys)} |"
            for between, shared in found.items()
        ),
    ]
