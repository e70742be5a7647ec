"""Pairs of O*NET task statements: do the two belong to the same occupation?

Choices made here:

- **Truth is a matter of texts.** Some statements stand in many occupations, so two texts are `same` if
  any occupation has both, and `other` only if none has. Two equal texts are no pair. A pair of texts,
  in either order, stands in the data once.
- **Occupations are divided first, pairs are drawn within each part.** An occupation goes to one part
  together with its specialities (all O*NET-SOC codes of one SOC code). A text of a test occupation is taken
  away from all others, one of a validation occupation from training. So neither an occupation nor a text of
  test or validation is in training. The drawing decides who meets whom, so the split belongs to this
  reader, and `part` says it.
- **Squares.** Take a pair (a, b) of one occupation and a pair (c, d) of another: (a, b) and (c, d) are
  `same`, (a, d) and (c, b) are `other`. All pairs come in such fours. So labels are balanced, and each text
  stands on each side as often in a `same` as in an `other` pair: nothing can be told from one text
  alone (compare Gururangan et al. 2018, "Annotation artifacts in natural language inference data", NAACL).
- **Hard.** In half of the squares the occupations are of one SOC major group, in the others of two. `hard`
  says it of all four pairs; so the hard pairs alone are a balanced set, too.
- **Every occupation in turn** is the first of a square, and draws the second among all that it may, so
  occupations with long task lists do not make most of the pairs.

All drawing is from tasks sorted by occupation and id, so it depends on the seed and not on the order of the
file.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.gpts_are_gpts import indicators
from jobshift.texts.onet import Prepared
from jobshift.texts.onet_activity import read_tasks
from jobshift.texts.splits import hold_out, normalise, parts_of

CLASSES = ["other", "same"]
PAIRS = {"train": 20_000, "val": 4_000, "test": 4_000}
SQUARE = 4  # pairs a square; as many squares are hard as are not

Pair = tuple[int, int]  # the rows of two tasks


def prepare(
    raw: Path,
    classes: list[str],
    rater: str,
    pairs: Mapping[str, int] = PAIRS,
    seed: int = 0,
    test: float = 0.2,
    val: float = 0.1,
) -> Prepared:
    """Pairs of the tasks in `onet_tasks` under `raw`, sorted by id.

    `classes` are `other` and `same`, in this order; `rater` says nothing, as no one rated. `pairs` is the
    number of pairs of each part, a multiple of 8; `PAIRS` where it says nothing. `test` is the share of
    tasks whose occupations are held out, `val` that of the remaining. Returns the columns of
    `schema.PREPARED`, with `id` the two task ids joined by a hyphen, `group` and `occupation` the occupation
    of the first task; and `part`, `p_<class>`. Raises JobshiftError as `read_tasks`, for numbers and shares
    that do not fit, and where there are not as many pairs; ValueError for other classes.
    """
    if classes != CLASSES:
        raise ValueError(f"the classes are other and same, in this order, not {', '.join(classes)}")
    pairs = {**PAIRS, **pairs}
    for name, number in pairs.items():
        if name not in PAIRS or number <= 0 or number % (2 * SQUARE):
            raise JobshiftError(
                f"data.pairs.{name} is {number}; give train, val and test a multiple of {2 * SQUARE} pairs"
            )
    dropped: dict[str, int] = {}
    links, tasks = read_tasks(raw, dropped)
    read = len(links) + sum(dropped.values())
    tasks = tasks.sort_values(["occupation", "id"], ignore_index=True)
    again = tasks.duplicated(["occupation", "same"])
    dropped["task that stands twice in its occupation"] = int(again.sum())
    tasks = tasks[~again].reset_index(drop=True)
    part = divide(tasks, seed, test, val)
    dropped["task with a text of a test occupation"] = int((part == "purged").sum())
    dropped["training task with a text of a validation occupation"] = int((part == "near").sum())

    text = pd.Series(pd.factorize(tasks["same"], sort=True)[0], index=tasks.index)
    owners = {number: frozenset(rows) for number, rows in tasks["occupation"].groupby(text)}
    drawn = []
    for place, (name, number) in enumerate(pairs.items()):
        rng = np.random.default_rng([seed, place])
        try:
            rows = draw(tasks["occupation"][part == name], text.to_dict(), owners, number, rng)
        except JobshiftError as error:
            raise JobshiftError(
                f"data.pairs.{name} is {number}, but {error}; lower it or change the split"
            ) from error
        drawn.append(rows.assign(part=name))
    found = described(tasks, pd.concat(drawn, ignore_index=True), classes)

    counts: dict[str, int] = {
        "links read": read,
        "tasks": len(tasks),
        "distinct texts": len(owners),
        "occupations": tasks["occupation"].nunique(),
    }
    for name in PAIRS:
        own, rows = tasks[part == name], found[found["part"] == name]
        other = rows["label"] == "other"
        counts |= {
            f"{name}: occupations": own["occupation"].nunique(),
            f"{name}: tasks": len(own),
            f"{name}: pairs": len(rows),
            f"{name}: hard pairs": int(rows["hard"].sum()),
            f"{name}: pairs of one occupation": int((~other).sum()),
            f"{name}: pairs of two occupations of one major group": int(
                (other & rows["hard"]).sum()
            ),
            f"{name}: pairs of two specialities of one SOC occupation": int(
                (other & (soc(rows["occupation"]) == soc(rows["occupation_pair"]))).sum()
            ),
            f"{name}: pairs of two major groups": int((other & ~rows["hard"]).sum()),
            f"{name}: texts in pairs": pd.concat([rows["text"], rows["text_pair"]]).nunique(),
        }
    facts = {"pair weights": "equal", "truth": "two texts are of one occupation if any has both"}
    return Prepared(found, counts, dropped, facts)


def soc(occupations: pd.Series) -> pd.Series:
    """The SOC codes of O*NET-SOC codes: `29-1141` of `29-1141.03`."""
    return occupations.str[:7]


def divide(tasks: pd.DataFrame, seed: int, test: float, val: float) -> pd.Series:
    """The part of each task: train, val or test, whole SOC occupations; or purged or near.

    `tasks` has `occupation` and `same`, its normalised text. `purged` is a task of training or validation
    whose text a test occupation has, `near` one of training whose text a validation occupation has.
    Raises JobshiftError for shares outside (0, 0.5].
    """
    if not (0 < test <= 0.5 and 0 < val <= 0.5):
        raise JobshiftError(f"split.test={test} and split.val={val} must lie in (0, 0.5]")
    group = soc(tasks["occupation"])
    part = hold_out(parts_of(group, round(1 / test), seed) == 0, group, val, seed)
    in_test = tasks["same"].isin(set(tasks["same"][part == "test"]))
    part[in_test & (part != "test")] = "purged"
    in_val = tasks["same"].isin(set(tasks["same"][part == "val"]))
    part[in_val & (part == "train")] = "near"
    return part


def draw(
    occupations: pd.Series,
    text: Mapping[int, int],
    owners: Mapping[int, frozenset[str]],
    number: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw `number` pairs of the tasks of one part: first, second (rows), same, hard (booleans).

    `occupations` are those of the part's tasks by row, `text` has the number of each row's text, `owners`
    the occupations that have a text, in any part. Raises JobshiftError where there are not as many pairs.
    """
    left: dict[str, list[Pair]] = {}
    for occupation, own in occupations.groupby(occupations):
        pairs = np.array(list(combinations(own.index, 2)), dtype=int).reshape(-1, 2)
        # Which task of a pair comes first is drawn, too.
        pairs = rng.permuted(rng.permutation(pairs), axis=1)
        left[occupation] = [(first, second) for first, second in pairs.tolist()]
    names = sorted(left)
    used: set[frozenset[int]] = set()
    drawn: list[tuple[int, int, bool, bool]] = []
    for hard in (True, False):
        partners = {
            one: [two for two in names if two != one and (two[:2] == one[:2]) == hard]
            for one in names
        }
        half = len(drawn) + number // 2
        while len(drawn) < half:
            before = len(drawn)
            for one in rng.permutation(names).tolist():
                if len(drawn) == half:
                    break
                for two in rng.permutation(partners[one]).tolist():
                    square = next_square(left[one], left[two], text, owners, used)
                    if square:
                        drawn += [(*pair, same, hard) for pair, same in square]
                        break
            if len(drawn) == before:
                raise JobshiftError(
                    f"its tasks give no more than {number // 2 - half + before} of the "
                    f"{number // 2} {'hard' if hard else 'easy'} ones"
                )
    return pd.DataFrame(drawn, columns=["first", "second", "same", "hard"])


def next_square(
    ones: list[Pair],
    twos: list[Pair],
    text: Mapping[int, int],
    owners: Mapping[int, frozenset[str]],
    used: set[frozenset[int]],
) -> list[tuple[Pair, bool]]:
    """The first square of a pair of `ones` and a pair of `twos`: its four pairs, and whether each is `same`.

    Takes the two pairs from their lists and adds the texts of all four to `used`. Empty where there is no
    square: two texts that some occupation has both cannot be `other`, and no pair may be used twice.
    """

    def apart(first: int, second: int) -> bool:
        return owners[text[first]].isdisjoint(owners[text[second]])

    for one in ones:
        for two in twos:
            across = (one[0], two[1]), (two[0], one[1])
            if all(apart(*pair) for pair in across):
                square = (one, True), (two, True), (across[0], False), (across[1], False)
                texts = {frozenset(text[row] for row in pair) for pair, _ in square}
                if len(texts) == SQUARE and texts.isdisjoint(used):
                    ones.remove(one)
                    twos.remove(two)
                    used |= texts
                    return list(square)
    return []


def described(tasks: pd.DataFrame, pairs: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """The drawn `pairs` with all columns of the data set, sorted by id; `tasks` has their tasks by row."""
    first, second = (
        tasks.loc[pairs[side], ["id", "text", "occupation"]].reset_index(drop=True)
        for side in ("first", "second")
    )
    rows = pd.DataFrame(
        {
            "id": first["id"] + "-" + second["id"],
            "text": first["text"],
            "text_pair": second["text"],
            "label": pairs["same"].map({True: "same", False: "other"}),
            "group": first["occupation"],
            "occupation": first["occupation"],
            "occupation_pair": second["occupation"],
            "weight": 1.0,
            "hard": pairs["hard"],
            "part": pairs["part"],
        }
    )
    rows = rows.join(indicators(rows["label"], classes))
    return rows.sort_values("id", ignore_index=True)


def leakage(rows: pd.DataFrame, held: str, seen: str) -> dict[str, float]:
    """Share of the `held` pairs that share an occupation, and a text, with a `seen` pair (parts by name)."""

    def shared(columns: list[str], form: Callable[[str], str]) -> float:
        mine, others = (rows.loc[rows["part"] == part, columns].map(form) for part in (held, seen))
        known = set(others.to_numpy().ravel())
        return float(mine.isin(known).any(axis=1).mean())

    return {
        "occupation": shared(["occupation", "occupation_pair"], str),
        "text": shared(["text", "text_pair"], normalise),
    }


def leaks(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What leaks between the parts of the pairs, by `test from train` and so on; see `leakage`."""
    between = ("test", "train"), ("test", "val"), ("val", "train")
    return {f"{held} from {seen}": leakage(rows, held, seen) for held, seen in between}
