"""Splits without leakage, and the measure of what leaks.

Tasks of different occupations share detailed work activities (DWAs) and even whole texts, and the
labels are largely carried by the DWA. So the primary split, `purged`, holds out whole groups of tasks
that are linked by their first DWA or by their text, and purges from training every task that still
shares any DWA or text with a held-out one. Validation is held out of training in the same way, so that
early stopping and the choice of a configuration are as honest as the test. What is kept out only for
the sake of validation is the part `near`: with `fit_on: all` a model whose epochs are settled trains on
it and on validation, too. A task without a DWA shares none with any other. `major_group` leaves one
SOC major group out at a time; `random` draws rows and exists only to show the gap.

Texts without DWAs come with leak groups of their own. Then `purged` holds out whole groups and purges
what shares a text with a held-out one, and there is no `major_group`. The parts are drawn within each
label, so that a rare class is in every part if it has enough groups; a group counts for the label that
most of its texts have.

Where several classes may apply to a text, groups are dealt class by class, the rarest first, each to the
part that has the least of the class for its share (iterative stratification, Sechidis, Tsoumakas and
Vlahavas 2011, "On the stratification of multi-label data", ECML PKDD, here with whole groups).

Some readers divide what they read before they make rows of it, as pairs are drawn within a part. Their rows
say in the column `part` where they belong; that is `purged` with one fold, and there is no other split.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

SPLITS = ("purged", "major_group", "random")


def normalise(text: str) -> str:
    """Fold case, width, punctuation and white space, for comparing only; models read the text itself."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[\W_]+", " ", folded).split())


def linked_groups(*keys: pd.Series) -> pd.Series:
    """Connected components of rows that share a value of any of `keys` (union-find).

    `keys` are series over the same index, each with one value a row. Returns for each row the smallest
    position of its component, as a string `g00042`.
    """
    parent = np.arange(len(keys[0]))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for key in keys:
        first: dict[str, int] = {}
        for row, value in enumerate(key):
            other = root(first.setdefault(value, row))
            mine = root(row)
            parent[max(mine, other)] = min(mine, other)
    roots = [root(row) for row in range(len(parent))]
    return pd.Series([f"g{row:05d}" for row in roots], index=keys[0].index)


def indicators(labels: pd.Series) -> pd.DataFrame:
    """Which classes each row has, 1 or 0, a column for each class that occurs, from names joined by spaces."""
    return labels.str.get_dummies(" ")


def labels_of(has: pd.DataFrame) -> pd.Series:
    """The label of each row of `indicators`: the names of its classes, in the order of the columns."""
    return has.dot(has.columns + " ").str.rstrip()


def parts_of(
    groups: pd.Series, parts: int, seed: int, labels: pd.Series | pd.DataFrame | None = None
) -> pd.Series:
    """Divide whole groups into `parts` parts of nearly equal size: 0 … parts − 1 for each row.

    Groups come in an order shuffled by `seed`, each into the part that is smallest so far; so a part is
    never larger than a fair share by more than the largest group. With `labels`, this is done for the
    groups of each label by itself; the only group of a label goes into the last part. Where a row has
    several, `labels` are its `indicators`, and groups are `dealt`.
    """
    if isinstance(labels, pd.DataFrame):
        return dealt(groups, labels, [1 / parts] * parts, seed)
    if labels is not None and len(labels):
        of_label = most_frequent(labels, groups)
        found = [
            parts_of(groups[of_label == label], parts, seed) for label in sorted(of_label.unique())
        ]
        alone = [groups[part.index].nunique() == 1 for part in found]
        return pd.concat(
            [part * 0 + parts - 1 if one else part for part, one in zip(found, alone, strict=True)]
        ).reindex(groups.index)
    sizes = groups.value_counts().sort_index()
    order = np.random.default_rng(seed).permutation(len(sizes))
    filled = np.zeros(parts, dtype=int)
    part_of: dict[str, int] = {}
    for position in order:
        part = int(np.argmin(filled))
        part_of[sizes.index[position]] = part
        filled[part] += sizes.iloc[position]
    return groups.map(part_of)


def dealt(groups: pd.Series, has: pd.DataFrame, shares: list[float], seed: int) -> pd.Series:
    """Deal whole groups to parts of the given `shares`, so that each part has its share of every class.

    `has` says which classes each row has (1 or 0). Classes come from the rarest to the most common, their
    groups from the largest to the smallest, in an order shuffled by `seed` where they are equal; each
    goes to the part that has the fewest rows of the class for its share, then the fewest of all, then
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


def most_frequent(labels: pd.Series, groups: pd.Series) -> pd.Series:
    """For each row the label that most rows of its group have, the first by name where several do."""
    counts = pd.crosstab(groups, labels)  # columns sorted by name
    return groups.map(counts.idxmax(axis=1))


def shares_any(activities: pd.Series, texts: pd.Series, held: pd.Series) -> pd.Series:
    """True for rows that share any activity or text with a row where `held` is true.

    `activities` holds each row's activities joined by spaces, `texts` the normalised texts, `held` is
    boolean; all over the same index.
    """
    seen = set(" ".join(activities[held]).split())
    by_activity = activities.map(lambda joined: not seen.isdisjoint(joined.split()))
    return by_activity | texts.isin(set(texts[held]))


@dataclass(frozen=True)
class Fold:
    """One fold: for each row its part (`train`, `near`, `val`, `test` or `purged`) and its leak group."""

    part: pd.Series
    group: pd.Series


def folds(
    tasks: pd.DataFrame,
    texts: pd.Series,
    split: str,
    count: int,
    seed: int,
    test: float,
    val: float,
    several: bool = False,
) -> Iterator[Fold]:
    """Yield the folds of a split.

    `tasks` has the columns `dwa` (first DWA, empty where there is none), `dwas` (all, joined by spaces) and
    `occupation`, or else `group` and `label`, or `part` and `group`; `texts` are its normalised texts, or
    numbers that stand for them. With `several`, `label` holds names of classes joined by spaces.
    `purged` yields `count` folds (with one fold, a share `test` of the tasks is held out; with more, every
    task is held out once), `major_group` one fold for each SOC major group, `random` one fold. `val` is
    the share of the remaining tasks held out for validation. Raises ValueError for an unknown split,
    shares that leave nothing to train on, or several folds of rows that are divided already.
    """
    if not (0 < test <= 0.5 and 0 < val <= 0.5 and count >= 1):
        raise ValueError(
            f"split.test={test} and split.val={val} must lie in (0, 0.5], split.folds={count} be 1 or more"
        )
    if split not in splits_of(tasks):
        raise ValueError(
            f"there is no split {split!r}; choose one of {', '.join(splits_of(tasks))}"
        )
    if "part" in tasks:
        if count > 1:
            raise ValueError(
                f"split.folds={count}, but the reader of this data set divides it itself, into one fold; set "
                "split.folds to 1 in params.yaml"
            )
        yield Fold(tasks["part"], tasks["group"])
        return
    if "dwas" in tasks:
        alone = pd.Series([f"row {row}" for row in range(len(tasks))], index=tasks.index)
        group = linked_groups(tasks["dwa"].where(tasks["dwa"] != "", alone), texts)
        activities, labels = tasks["dwas"], None
    else:
        group, labels = tasks["group"], tasks["label"]
        activities = pd.Series("", index=tasks.index)
    if several:
        labels = indicators(tasks["label"])
    if split == "purged":
        parts = parts_of(group, round(1 / test) if count == 1 else count, seed, labels)
        for number in range(count):
            held = parts == number
            yield Fold(purge(activities, texts, group, held, val, seed, labels), group)
    elif split == "major_group":
        major = tasks["occupation"].str[:2]
        for left_out in sorted(major.unique()):
            yield Fold(hold_out(major == left_out, group, val, seed, labels), major)
    elif split == "random":
        rows = pd.Series(tasks.index.astype(str), index=tasks.index)
        held = parts_of(rows, round(1 / test), seed, labels) == 0
        yield Fold(hold_out(held, rows, val, seed, labels), group)


def splits_of(tasks: pd.DataFrame) -> list[str]:
    """The splits that make sense for `tasks`: by SOC major group only where there are DWAs."""
    if "part" in tasks:
        return ["purged"]
    return [split for split in SPLITS if "dwas" in tasks or split != "major_group"]


def hold_out(
    held: pd.Series,
    group: pd.Series,
    val: float,
    seed: int,
    labels: pd.Series | pd.DataFrame | None = None,
) -> pd.Series:
    """Name the parts: `held` is the test, whole groups of the rest are validation, the others training."""
    part = pd.Series("train", index=held.index)
    rest = group[~held]
    of_rest = None if labels is None else labels[~held]
    if isinstance(of_rest, pd.DataFrame):
        # One of ten equal parts may go without a class that has fewer groups than that.
        number = dealt(rest, of_rest, [val, 1 - val], seed)
    else:
        number = parts_of(rest, max(round(1 / val), 2), seed, of_rest)
    part[rest.index[number == 0]] = "val"
    part[held] = "test"
    return part


def purge(
    activities: pd.Series,
    texts: pd.Series,
    group: pd.Series,
    held: pd.Series,
    val: float,
    seed: int,
    labels: pd.Series | pd.DataFrame | None = None,
) -> pd.Series:
    """Hold `held` out and purge what shares an activity or text with it.

    Of the rest, `near` is what shares one with validation.
    """
    left = ~held & ~shares_any(activities, texts, held)
    part = pd.Series("purged", index=held.index)
    part[held] = "test"
    of_left = None if labels is None else labels[left]
    part[left] = hold_out(held[left], group[left], val, seed, of_left)
    validation = part == "val"
    near = shares_any(activities, texts, validation)
    part[(part == "train") & near] = "near"
    return part


def leakage(
    activities: pd.Series,
    texts: pd.Series,
    part: pd.Series,
    held: str,
    seen: str,
    name: str = "dwa",
) -> dict[str, float]:
    """Share of the `held` rows that share a DWA, and a text, with a `seen` row (parts by name).

    `activities` and `texts` as in `shares_any`; `name` says what the former are.
    """
    rows, others = part == held, part == seen
    seen_activities = set(" ".join(activities[others]).split())
    by_activity = activities[rows].map(
        lambda joined: not seen_activities.isdisjoint(joined.split())
    )
    return {
        name: float(by_activity.mean()),
        "text": float(texts[rows].isin(set(texts[others])).mean()),
    }
