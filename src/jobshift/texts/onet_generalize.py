"""From a task statement to the titles of its detailed work activities (DWAs): a data set for generation.

One row is one link of a task and a DWA: `text` is the statement, `target` the title without its full
stop (as `text_pair` in `texts/onet.py`), `label` the DWA's code. A task with several DWAs has several rows,
and `all_targets` names all that would be right. Choices made here:

- **All tasks of one text go together**: a distinct normalised text is what is divided, with all DWAs of its
  tasks, so no text is in two parts.
- **Unseen DWAs** of the test are drawn first, whole, until they have half of the test's share of the
  links; those of validation from the rest. A text whose DWAs are all unseen is a test row. One that has
  an unseen DWA and others, too, can be in neither test nor training and is `purged` (`near` where only
  validation forbids it).
- **Seen DWAs**: from the texts that are left, the other half of the share is drawn, text by text; a
  text whose removal would leave one of its DWAs without a training text stays. So every DWA of these rows
  is in training, but never with this text.
- `seen` says whether the row's DWA is in training. In test and validation it is the same for all rows of
  a text. `group` is the leak group of `texts/onet.py`, linked by the first DWA (by code) and the text; for
  seen DWAs it straddles training and test, which is their very point, and serves to resample.

The drawing depends on texts, codes and the seed, not on the order of the file. The split belongs to this
reader, as `seen` depends on it, and `part` says it.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.onet import Prepared
from jobshift.texts.onet_activity import read_tasks
from jobshift.texts.splits import leakage, linked_groups, normalise, parts_of

HELD = ("val", "test")
# The parts as the data card counts them: those held out by what is asked of them.
NAMED = ("train", "near", "val, seen", "val, unseen", "test, seen", "test, unseen", "purged")


def prepare(
    raw: Path,
    classes: list[str],
    rater: str,
    seed: int = 0,
    test: float = 0.2,
    val: float = 0.1,
) -> Prepared:
    """The links of tasks and DWAs in `onet_tasks` under `raw`, sorted by id.

    `classes` is empty and `rater` says nothing, as no one rated. `test` is the share that is held out,
    half of it as unseen DWAs, half as texts of seen ones; `val` likewise. Returns the columns of
    `schema.TASKS`, with `id` task and DWA joined by a slash and no `p_<class>`; and `target`,
    `all_targets` (joined by line breaks), `seen`, `part`, `task`, `title` (the occupation's name), `dwa`
    (this row's), `dwas` (the task's). Raises JobshiftError as `read_tasks`, where two DWAs have one title,
    for shares that do not fit, and where a part would be empty.
    """
    dropped: dict[str, int] = {}
    links, tasks = read_tasks(raw, dropped)
    read = len(links) + sum(dropped.values())
    links = pd.DataFrame(
        {
            "id": links["Task ID"] + "/" + links["DWA ID"],
            "task": links["Task ID"],
            "dwa": links["DWA ID"],
            "target": links["DWA Title"].str.removesuffix("."),
        }
    ).sort_values("id", ignore_index=True)
    check_titles(links, raw / "onet_tasks" / "Task_DWA.csv")

    tasks["group"] = linked_groups(tasks["dwas"].str.split().str[0], tasks["same"])
    rows = links.merge(tasks.drop(columns="dwa"), left_on="task", right_on="id", suffixes=("", "_"))
    rows["all_targets"] = rows["task"].map(rows.groupby("task")["target"].agg("\n".join))
    rows["part"] = rows["same"].map(divide(rows["same"], rows["dwa"], seed, test, val))
    rows["seen"] = rows["dwa"].isin(set(rows["dwa"][rows["part"] == "train"]))
    named = named_parts(rows)
    for part in NAMED:
        if part not in ("near", "purged") and not (named == part).any():
            raise JobshiftError(
                f"no link is left for the part '{part}'; change split.test={test}, split.val={val} or "
                f"split.seed={seed}"
            )
    counts = {
        "links read": read,
        "tasks": len(tasks),
        "occupations": tasks["occupation"].nunique(),
        "distinct texts": tasks["same"].nunique(),
        "titles": rows["target"].nunique(),
    }
    for part in NAMED:
        own = rows[named == part]
        counts |= {
            f"{part}: links": len(own),
            f"{part}: tasks": own["task"].nunique(),
            f"{part}: distinct texts": own["same"].nunique(),
            f"{part}: titles": own["target"].nunique(),
        }
    columns = ["id", "text", "text_pair", "label", "target", "all_targets", "group", "occupation"]
    columns += ["weight", "seen", "part", "task", "title", "dwa", "dwas"]
    rows = rows.assign(label=rows["dwa"], text_pair=pd.Series(None, index=rows.index, dtype="str"))
    return Prepared(rows[columns], counts, dropped, {"link weights": "equal"})


def check_titles(links: pd.DataFrame, file: Path) -> None:
    """JobshiftError where a DWA has two titles, or two have one: an output could not be judged."""
    same = links["target"].map(normalise)
    for by, of, what in ((links["dwa"], same, "titles"), (same, links["dwa"], "activities")):
        number = of.groupby(by).nunique()
        if (number > 1).any():
            raise JobshiftError(
                f"{file}: '{number.idxmax()}' has {number.max()} {what}; mend the file"
            )


def divide(
    texts: pd.Series, activities: pd.Series, seed: int, test: float, val: float
) -> dict[str, str]:
    """The part of each text: train, near, val, test or purged, as the head of this file tells.

    `texts` and `activities` are the normalised text and the DWA of every link. Raises JobshiftError for
    shares outside (0, 0.5].
    """
    if not (0 < test <= 0.5 and 0 < val <= 0.5):
        raise JobshiftError(f"split.test={test} and split.val={val} must lie in (0, 0.5]")
    links = pd.DataFrame({"text": texts, "dwa": activities}).drop_duplicates()
    in_test = parts_of(links["dwa"], round(2 / test), seed) == 0
    rest = links["dwa"][~in_test]
    of_test = set(links["dwa"][in_test])
    of_val = set(rest[parts_of(rest, round(2 / val), seed) == 0])

    of_text = links.groupby("text")["dwa"].agg(frozenset)
    part: dict[str, str] = {}
    for text, own in of_text.items():
        if own & of_test:
            part[text] = "test" if own <= of_test else "purged"
        elif own & of_val:
            part[text] = "val" if own <= of_val else "near"
        else:
            part[text] = "train"
    free = [text for text in of_text.index if part[text] == "train"]
    in_training = Counter(activity for text in free for activity in of_text[text])
    free = [free[place] for place in np.random.default_rng(seed).permutation(len(free))]
    for name, share in (("test", test), ("val", val)):
        wanted = round(share / 2 * len(free))
        kept = []
        for text in free:
            if wanted and all(in_training[activity] > 1 for activity in of_text[text]):
                part[text] = name
                in_training.subtract(of_text[text])
                wanted -= 1
            else:
                kept.append(text)
        free = kept
    return part


def named_parts(rows: pd.DataFrame) -> pd.Series:
    """The part of each row, of validation and test with its kind: `test, unseen`, `test, seen` …"""
    kind = rows["seen"].map({True: ", seen", False: ", unseen"})
    return rows["part"] + kind.where(rows["part"].isin(HELD), "")


def leaks(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What leaks between parts: the share of rows that share their DWA, and their text, with a row there.

    Nothing may for unseen DWAs; for seen ones all DWAs and no text are shared with training.
    """
    texts, named = rows["text"].map(normalise), named_parts(rows)
    pairs = [
        (f"{held}, {kind}", seen)
        for held in HELD
        for kind in ("unseen", "seen")
        for seen in ("train", "near")
    ]
    pairs += [
        (f"test, {kind}", f"val, {other}")
        for kind in ("unseen", "seen")
        for other in ("unseen", "seen")
    ]
    return {
        f"{held} from {seen}": leakage(rows["dwa"], texts, named, held, seen)
        for held, seen in pairs
    }
