"""Pairs of tasks: squares by hand, and what holds for any tables: balance, no leak, no order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from jobshift.errors import JobshiftError
from jobshift.texts import schema
from jobshift.texts.onet_pairs import (
    PAIRS,
    divide,
    draw,
    leakage,
    leaks,
    next_square,
    prepare,
)
from jobshift.texts.splits import normalise

HEADER = ["O*NET-SOC Code", "Title", "Task ID", "Task", "DWA ID", "DWA Title", "GWA"]
GWA = "4.A.1.a.1"
SMALL = {"train": 48, "val": 16, "test": 16}
CLASSES = ["other", "same"]


def table(occupations: dict[str, list[str]]) -> pd.DataFrame:
    """The links of occupations with these statements, each statement with an activity."""
    rows = [
        (code, f"Workers {code}", str(100 * number + place), text, f"{GWA}.I01.D01", "Work.", GWA)
        for number, (code, texts) in enumerate(occupations.items(), start=1)
        for place, text in enumerate(texts)
    ]
    return pd.DataFrame(rows, columns=HEADER)


def write(folder: Path, links: pd.DataFrame) -> Path:
    file = folder / "onet_tasks" / "Task_DWA.csv"
    file.parent.mkdir(exist_ok=True)
    links.to_csv(file, index=False)
    return folder


def made_up(majors: int = 3, each: int = 6, tasks: int = 7) -> dict[str, list[str]]:
    """Occupations of major groups 11, 12 …; the statement "Greet people." is one of every occupation."""
    return {
        f"{11 + major}-{1000 + place}.00": [
            "Greet people.",
            *(f"Mend thing {major} {place} {task}." for task in range(tasks - 1)),
        ]
        for major in range(majors)
        for place in range(each)
    }


def truth(rows: pd.DataFrame, links: pd.DataFrame) -> list[bool]:
    """Whether any occupation has both texts of a pair, from the links themselves."""
    owners = links["O*NET-SOC Code"].groupby(links["Task"].map(normalise)).agg(set)
    return [
        bool(owners[normalise(one)] & owners[normalise(two)])
        for one, two in zip(rows["text"], rows["text_pair"], strict=True)
    ]


def check_balance(rows: pd.DataFrame) -> None:
    """As many pairs of either label, hard and not; each text on each side as often in either."""
    assert rows.groupby(["hard", "label"]).size().nunique() == 1
    for side in ("text", "text_pair"):
        for _, own in rows.groupby("hard"):
            counts = own.groupby([side, "label"]).size().unstack(fill_value=0)
            assert (counts["same"] == counts["other"]).all()


def test_a_square_has_two_pairs_of_one_occupation_and_two_of_two():
    # Rows 0 1 are tasks of occupation A, rows 2 3 of B; no text is shared.
    text = {0: 0, 1: 1, 2: 2, 3: 3}
    owners = {0: frozenset("A"), 1: frozenset("A"), 2: frozenset("B"), 3: frozenset("B")}
    ones, twos, used = [(0, 1)], [(3, 2)], set()
    assert next_square(ones, twos, text, owners, used) == [
        ((0, 1), True),
        ((3, 2), True),
        ((0, 2), False),
        ((3, 1), False),
    ]
    assert ones == twos == []
    assert used == {frozenset(pair) for pair in ((0, 1), (2, 3), (0, 2), (1, 3))}


def test_texts_that_some_occupation_has_both_are_never_other():
    # Rows 0 1 2 of A, rows 3 4 5 of B. Text 0 is in both, text 1 and 4 are also in a third, C.
    text = dict(enumerate([0, 1, 2, 0, 4, 5]))
    owners = {0: frozenset("AB"), 1: frozenset("AC"), 2: frozenset("A")}
    owners |= {4: frozenset("BC"), 5: frozenset("B")}
    # (0, 1): text 0 is B's, too. (1, 2) with (4, 5): 1 and 5 may meet, 4 and 2 may: the first square.
    ones, twos = [(0, 1), (1, 2)], [(3, 5), (5, 4), (4, 5)]
    square = next_square(ones, twos, text, owners, set())
    # (1, 2) with (5, 4): 1 and 4 are both C's, so not that one.
    assert square[:2] == [((1, 2), True), ((4, 5), True)]
    assert ones == [(0, 1)] and twos == [(3, 5), (5, 4)]
    # Now all that is left shares a text or an occupation.
    assert next_square(ones, twos, text, owners, set()) == []


def test_no_pair_of_texts_is_used_twice():
    text = {0: 0, 1: 1, 2: 2, 3: 3}
    owners = {0: frozenset("A"), 1: frozenset("A"), 2: frozenset("B"), 3: frozenset("B")}
    assert next_square([(0, 1)], [(2, 3)], text, owners, {frozenset((1, 2))}) == []


def test_occupations_and_their_specialities_stay_together_and_texts_in_one_part():
    # Three SOC occupations of 4 tasks, the first in two specialities: of 3 parts one each is the test, then
    # of 2 parts one each is validation. The text `all` is one of each occupation, so is in the test alone;
    # two occupations have `both`.
    tasks = pd.DataFrame(
        {
            "occupation": ["11-1000.00"] * 2
            + ["11-1000.01"] * 2
            + ["12-1000.00"] * 4
            + ["13-1000.00"] * 4,
            "same": ["all", "a1", "a2", "a3", "all", "b1", "b2", "both", "all", "c1", "c2", "both"],
        }
    )
    seen = set()
    for seed in range(6):
        part = divide(tasks, seed, test=0.34, val=0.5)
        soc = tasks["occupation"].str[:7]
        one = {name: set(soc[part == name]) for name in ("train", "val", "test")}
        assert all(len(own) == 1 for own in one.values()) and len(set.union(*one.values())) == 3
        assert sorted(part[tasks["same"] == "all"]) == ["purged", "purged", "test"]
        seen.add(tuple(sorted(part[tasks["same"] == "both"])))
        # What may not be in a part is only what another one has.
        assert part.value_counts().loc[["test"]].tolist() == [4]
        assert part.isin(["purged", "near"]).sum() == 3
    # `both` is where its two occupations are, unless one of them has it before the other.
    assert seen <= {("purged", "test"), ("near", "val")} and len(seen) == 2
    with pytest.raises(JobshiftError, match="split.test=0.6"):
        divide(tasks, seed=0, test=0.6, val=0.5)


def test_pairs_of_made_up_occupations(tmp_path):
    links = table(made_up())
    prepared = prepare(write(tmp_path, links), CLASSES, "onet", SMALL, test=0.3, val=0.3)
    rows = prepared.tasks
    assert rows["part"].value_counts().to_dict() == SMALL
    for _, own in rows.groupby("part"):
        check_balance(own)
    assert (rows["label"] == "same").tolist() == truth(rows, links)
    assert rows["id"].is_monotonic_increasing
    statement = links.set_index("Task ID")
    for row in rows.itertuples():
        one, two = (statement.loc[task] for task in row.id.split("-"))
        assert (row.text, row.text_pair) == (one["Task"], two["Task"])
        assert (row.occupation, row.occupation_pair) == (
            one["O*NET-SOC Code"],
            two["O*NET-SOC Code"],
        )
        if row.label == "other":
            assert row.hard == (row.occupation[:2] == row.occupation_pair[:2])
    assert rows["group"].equals(rows["occupation"])
    assert rows["p_same"].tolist() == [float(label == "same") for label in rows["label"]]
    assert (rows["p_same"] + rows["p_other"] == 1).all()
    schema.valid(rows, schema.PREPARED["pairs"], "made up")
    found = leaks(rows)
    assert set(found) == {"test from train", "test from val", "val from train"}
    assert all(leak == {"occupation": 0.0, "text": 0.0} for leak in found.values())
    # 18 occupations of 7 tasks; the common text is in one part only.
    assert prepared.counts["tasks"] == 126 and prepared.counts["distinct texts"] == 1 + 18 * 6
    kept = sum(prepared.counts[f"{part}: tasks"] for part in PAIRS)
    lost = sum(n for reason, n in prepared.dropped.items() if "with a text of" in reason)
    assert kept + lost == 126
    assert prepared.counts["test: hard pairs"] == 8
    assert prepared.counts["test: pairs of two occupations of one major group"] == 4
    assert prepared.counts["test: pairs of two specialities of one SOC occupation"] == 0


def test_leakage_sees_occupations_and_texts_on_both_sides():
    rows = pd.DataFrame(
        {
            "part": ["test", "test", "train"],
            "text": ["One.", "Two.", "Five."],
            "text_pair": ["Three.", "Four.", "three"],
            "occupation": ["A", "B", "B"],
            "occupation_pair": ["A", "C", "D"],
        }
    )
    # Of two test pairs the second has B, the first has the text "three", as in training.
    assert leakage(rows, "test", "train") == {"occupation": 0.5, "text": 0.5}


def test_the_order_of_the_file_does_not_matter_and_the_seed_does(tmp_path):
    links = table(made_up())
    folder = write(tmp_path, links)
    first = prepare(folder, CLASSES, "onet", SMALL, 0, 0.3, 0.3).tasks
    other = prepare(folder, CLASSES, "onet", SMALL, 1, 0.3, 0.3).tasks
    assert set(first["id"]) != set(other["id"])
    write(tmp_path, links.sample(frac=1, random_state=5))
    pd.testing.assert_frame_equal(first, prepare(folder, CLASSES, "onet", SMALL, 0, 0.3, 0.3).tasks)


def test_what_does_not_fit_is_refused(tmp_path):
    folder = write(tmp_path, table(made_up()))
    for classes in (["no", "yes"], ["same", "other"]):
        with pytest.raises(ValueError, match="other and same, in this order"):
            prepare(folder, classes, "onet", SMALL)
    with pytest.raises(JobshiftError, match=r"data\.pairs\.val is 12; give .* a multiple of 8"):
        prepare(folder, CLASSES, "onet", {"val": 12})
    with pytest.raises(JobshiftError, match="pairs.dev is 8"):
        prepare(folder, CLASSES, "onet", {"dev": 8})
    # By default 20,000 pairs are wanted, far more than there are.
    with pytest.raises(
        JobshiftError, match="pairs.train is 20000, but its tasks give no more than"
    ):
        prepare(folder, CLASSES, "onet")


texts = st.lists(st.integers(0, 30), min_size=2, max_size=8, unique=True)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts, min_size=4, max_size=12), st.integers(0, 3))
def test_any_tables_give_balanced_true_pairs_or_say_that_they_cannot(tables, seed):
    occupations = [f"{11 + place % 2}-{place:04d}.00" for place in range(len(tables))]
    tasks = pd.DataFrame(
        [(code, text) for code, own in zip(occupations, tables, strict=True) for text in own],
        columns=["occupation", "text"],
    )
    owners = {text: frozenset(own) for text, own in tasks["occupation"].groupby(tasks["text"])}
    rng = np.random.default_rng(seed)
    try:
        pairs = draw(tasks["occupation"], tasks["text"].to_dict(), owners, 16, rng)
    except JobshiftError:
        return  # too few tasks that may be paired
    assert len(pairs) == 16
    numbers = [tuple(tasks["text"][pairs[side]]) for side in ("first", "second")]
    couples = list(zip(*numbers, strict=True))
    assert len({frozenset(couple) for couple in couples}) == 16  # none twice, no text with itself
    assert pairs["same"].tolist() == [bool(owners[one] & owners[two]) for one, two in couples]
    check_balance(
        pd.DataFrame(
            {
                "text": numbers[0],
                "text_pair": numbers[1],
                "hard": pairs["hard"],
                "label": pairs["same"].map({True: "same", False: "other"}),
            }
        )
    )


def test_the_config_fits():
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / "onet_pairs.yaml")
    assert data.task == "pairs" and dict(data.pairs) == PAIRS | {"train": 32000}
    assert list(data.labels) == CLASSES
