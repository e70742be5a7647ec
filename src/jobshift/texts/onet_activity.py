"""O*NET task statements with their generalized work activities (GWAs): several classes may apply to a task.

A task's label is the set of GWAs of its detailed work activities (DWAs), sorted and joined by spaces, as
`gwas` in `texts/onet.py`. No rating enters it. Choices made here:

- **No second text.** `text_pair` is null: the titles of a task's DWAs would nearly tell its GWAs. `dwas`
  is there for the split alone; a model that reads it reads the answer, because a DWA's code begins with
  its GWA.
- **The split is purged as for `onet`** (see `texts/splits.py`): no DWA and no text of a test or validation
  task is in training. But the rarest classes have a few dozen tasks in a few leak groups, and groups drawn
  regardless of class leave some parts without them: no threshold could be chosen and no F1 measured. So
  groups are dealt class by class, the rarest first, each to the part that has the least of the class for
  its share (iterative stratification, Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of
  multi-label data", ECML PKDD, here with whole groups). Where a class is still missing from training,
  validation or test, the split is refused.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.onet import Prepared, activities, read_links
from jobshift.texts.schema import LINKS, checked
from jobshift.texts.splits import Fold, linked_groups, normalise, shares_any
from jobshift.texts.splits import folds as other_folds

NEEDED = ("train", "val", "test")  # parts in which every class must have an example


def read_tasks(raw: Path, dropped: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All links in `onet_tasks` under `raw`, and one row a task, sorted by task id.

    The tasks have `id`, `text`, `occupation`, `title`, `weight` (1.0: this source does not tell core from
    supplemental tasks), `same` (the normalised text), `dwa`, `dwas`, `gwas`. `dropped` gets the count of
    each reason for which a link is left out. Raises JobshiftError where the file is missing or does not
    fit, or a GWA is not the beginning of its DWA's code.
    """
    file = raw / "onet_tasks" / "Task_DWA.csv"
    rated = set(
        checked(file, LINKS)["DWA ID"]
    )  # no rating is needed here, so all activities will do
    reasons: dict[str, int] = {}
    links = read_links(file, rated, reasons)
    reasons.pop("activity without a rating")
    dropped.update(reasons)
    astray = links["DWA ID"].str.rsplit(".", n=2).str[0] != links["GWA"]
    if astray.any():
        first = links[astray].iloc[0]
        raise JobshiftError(
            f"{file}: the activity {first['DWA ID']} is not of the generalized activity {first['GWA']} "
            "that stands beside it; mend the file"
        )
    listed = links.groupby("Task ID")
    tasks = pd.DataFrame(
        {
            "text": listed["Task"].first(),
            "occupation": listed["O*NET-SOC Code"].first(),
            "title": listed["Title"].first(),
            "weight": 1.0,
        }
    )
    tasks["same"] = tasks["text"].map(normalise)
    tasks = tasks.join(activities(links).drop(columns="text_pair"))
    return links, tasks.rename_axis("id").reset_index()


def prepare(raw: Path, classes: list[str], rater: str) -> Prepared:
    """The tasks in `onet_tasks` under `raw` with their generalized activities as labels.

    `classes` are the codes of the GWAs; `rater` says nothing, as no one rated. Returns the columns of
    `schema.TASKS` but `group`, `title` (the occupation's name), `dwa`, `dwas`, and `p_<class>`, 1.0 for
    each class of the task, else 0.0. Raises JobshiftError as `read_tasks`, ValueError where `classes`
    lacks a GWA that has tasks or has one that has none.
    """
    dropped: dict[str, int] = {}
    links, tasks = read_tasks(raw, dropped)
    odd = set(links["GWA"]) ^ set(classes)
    if odd:
        known = min(odd) in classes
        raise ValueError(f"{min(odd)} {'has no task' if known else 'is missing, which has tasks'}")
    same = tasks.pop("same")
    tasks = tasks.rename(columns={"gwas": "label"})
    tasks.insert(2, "text_pair", pd.Series(None, index=tasks.index, dtype="str"))
    has = indicators(tasks["label"])[classes]
    number = has.sum(axis=1)
    counts = {
        "links read": len(links) + sum(dropped.values()),
        "tasks": len(tasks),
        "occupations": tasks["occupation"].nunique(),
        "activities": links["DWA ID"].nunique(),
        "classes": len(classes),
        "distinct texts": same.nunique(),
        "distinct sets of classes": tasks["label"].nunique(),
        **{
            f"tasks of {n} {'class' if n == 1 else 'classes'}": int((number == n).sum())
            for n in sorted(set(number))
        },
        "tasks of the rarest class": int(has.sum().min()),
        "tasks of the most common class": int(has.sum().max()),
    }
    facts = {"task weights": "equal", "classes a task": f"{number.mean():.3f} on average"}
    return Prepared(tasks.join(has.astype(float).add_prefix("p_")), counts, dropped, facts)


def indicators(labels: pd.Series) -> pd.DataFrame:
    """Which classes each row has, 1 or 0, a column for each class that occurs, from names joined by spaces."""
    return labels.str.get_dummies(" ")


def class_counts(labels: pd.Series, part: pd.Series) -> pd.DataFrame:
    """How many tasks of each class (rows) are in each part that occurs (columns)."""
    return indicators(labels).groupby(part).sum().T


def dealt(groups: pd.Series, has: pd.DataFrame, shares: list[float], seed: int) -> pd.Series:
    """Deal whole groups to parts of the given `shares`, so that each part has its share of every class.

    `has` says which classes each row has (1 or 0). Classes come from the rarest to the most common, their
    groups from the largest to the smallest, in an order shuffled by `seed` where they are equal; each
    goes to the part that has the fewest tasks of the class for its share, then the fewest of all, then
    the first. So a part goes without a class only if there are fewer groups of it than parts, or others
    have brought it elsewhere. Returns 0 … len(shares) − 1 for each row.
    """
    by_group = has.groupby(groups).sum().sort_index()
    order = np.random.default_rng(seed).permutation(len(by_group))
    sizes = groups.value_counts().sort_index().to_numpy()[order]
    of_class = by_group.to_numpy()[order]
    share = np.array(shares)
    part = np.full(len(by_group), -1)
    have, filled = np.zeros((len(share), has.shape[1])), np.zeros(len(share))
    for column in np.argsort(of_class.sum(axis=0), kind="stable"):
        left = np.flatnonzero((part < 0) & (of_class[:, column] > 0))
        for group in left[np.argsort(-of_class[left, column], kind="stable")]:
            chosen = np.lexsort((filled / share, have[:, column] / share))[0]
            part[group] = chosen
            have[chosen] += of_class[group]
            filled[chosen] += sizes[group]
    return groups.map(dict(zip(by_group.index[order], part, strict=True)))


def folds(
    tasks: pd.DataFrame,
    texts: pd.Series,
    split: str,
    count: int,
    seed: int,
    test: float,
    val: float,
) -> Iterator[Fold]:
    """Yield the folds of a split, as `splits.folds` does, with the groups of `purged` dealt by class.

    `tasks` has the columns `label`, `dwa`, `dwas` and `occupation`. Raises ValueError as `splits.folds`,
    and where training, validation or test of a purged fold is without a class.
    """
    if split != "purged":
        yield from other_folds(tasks, texts, split, count, seed, test, val)
        return
    if not (0 < test <= 0.5 and 0 < val <= 0.5 and count >= 1):
        raise ValueError(
            f"split.test={test} and split.val={val} must lie in (0, 0.5], split.folds={count} be 1 or more"
        )
    group = linked_groups(tasks["dwa"], texts)
    has = indicators(tasks["label"])
    number = round(1 / test) if count == 1 else count
    parts = dealt(group, has, [1 / number] * number, seed)
    for fold in range(count):
        part = purged(tasks["dwas"], texts, group, has, parts == fold, val, seed)
        lacking = class_counts(tasks["label"], part).reindex(columns=NEEDED, fill_value=0) == 0
        if lacking.any(axis=None):
            name, where = lacking.stack().idxmax()
            raise ValueError(
                f"fold {fold} of the split purged has no {where} task of the class {name}; choose "
                "another split.seed, another split.test or split.val, or fewer folds"
            )
        yield Fold(part, group)


def purged(
    activities: pd.Series,
    texts: pd.Series,
    group: pd.Series,
    has: pd.DataFrame,
    held: pd.Series,
    val: float,
    seed: int,
) -> pd.Series:
    """The parts of a fold whose test is `held`, as `splits.purge`, with validation dealt by class."""
    part = pd.Series("purged", index=held.index)
    part[held] = "test"
    left = ~held & ~shares_any(activities, texts, held)
    part[left] = "train"
    if left.any():
        chosen = dealt(group[left], has[left], [val, 1 - val], seed)
        part[chosen.index[chosen == 0]] = "val"
    near = shares_any(activities, texts, part == "val")
    part[(part == "train") & near] = "near"
    return part
