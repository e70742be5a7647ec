"""Splits and leakage: hand-made examples, and properties over random task lists."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.texts.splits import (
    dealt,
    folds,
    indicators,
    leakage,
    linked_groups,
    most_frequent,
    normalise,
    parts_of,
    purge,
    shares_any,
    splits_of,
)


def series(*values: object) -> pd.Series:
    return pd.Series(values)


def test_normalise_folds_case_width_and_punctuation():
    assert normalise("  Answer the TELEPHONE, politely! ") == "answer the telephone politely"
    assert normalise("Ｆｕｌｌ　ｗｉｄｔｈ_text") == "full width text"
    assert normalise("…") == ""


def test_linked_groups_follow_chains_over_both_keys():
    # Rows 0 and 2 share activity A, rows 2 and 3 share text z: one chain. Row 1 stands alone.
    groups = linked_groups(series("A", "B", "A", "C"), series("x", "y", "z", "z"))
    assert groups.tolist() == ["g00000", "g00001", "g00000", "g00000"]


def test_parts_keep_groups_whole_and_are_even():
    groups = series(*"aaabbbccdd")
    parts = parts_of(groups, 2, seed=0)
    assert groups.groupby(parts).nunique().sum() == 4  # no group in two parts
    assert sorted(parts.value_counts()) == [5, 5]  # 3 + 2 and 3 + 2 rows


def test_shares_any_sees_every_activity_and_text():
    activities = series("A B", "B", "C", "D")
    texts = series("one", "two", "three", "one")
    held = series(True, False, False, False)
    # Row 1 shares activity B with the held row 0, row 3 its text, row 2 nothing.
    assert shares_any(activities, texts, held).tolist() == [True, True, False, True]


def test_purge_removes_what_shares_an_activity_or_text_with_the_test():
    activities = series("A B", "B C", "C", "D", "E", "F")
    texts = series("t0", "t1", "t2", "t0", "t4", "t5")
    group = series(*"abcdef")
    held = series(True, False, False, False, False, False)
    part = purge(activities, texts, group, held, val=0.34, seed=0)
    assert part[0] == "test"
    assert part[1] == "purged"  # shares B with the test
    assert part[3] == "purged"  # shares its text with the test
    # Rows 2, 4 and 5 share nothing: one of the three is validation, two are training.
    assert sorted(part[[2, 4, 5]]) == ["train", "train", "val"]


def test_leakage_counts_shares_of_the_held_rows():
    activities = series("A", "B", "A", "C")
    texts = series("x", "y", "q", "y")
    part = series("test", "test", "train", "train")
    # Test row 0 shares activity A with training, test row 1 the text y: one half each.
    assert leakage(activities, texts, part, "test", "train") == {"dwa": 0.5, "text": 0.5}


def test_major_group_leaves_each_group_out_once():
    tasks = pd.DataFrame(
        {
            "dwa": list("ABCDEFGH"),
            "dwas": list("ABCDEFGH"),
            "occupation": ["11-1"] * 3 + ["13-2"] * 3 + ["15-3"] * 2,
        }
    )
    texts = pd.Series([f"text {row}" for row in range(8)])
    held = [
        set(tasks["occupation"][fold.part == "test"].str[:2])
        for fold in folds(tasks, texts, "major_group", 1, 0, 0.2, 0.3)
    ]
    assert held == [{"11"}, {"13"}, {"15"}]


def test_unknown_split_and_senseless_shares_are_refused():
    tasks = pd.DataFrame({"dwa": ["A"], "dwas": ["A"], "occupation": ["11-1"]})
    with pytest.raises(ValueError, match="no split 'stratified'"):
        list(folds(tasks, series("x"), "stratified", 1, 0, 0.2, 0.1))
    with pytest.raises(ValueError, match=r"split\.test=0"):
        list(folds(tasks, series("x"), "purged", 1, 0, 0, 0.1))


def test_what_is_kept_out_for_validation_alone_is_near_and_not_purged():
    # One group of two tasks (activity A) is held out; C shares B's text partner only with validation.
    activities = series("A", "A", "B", "B C", "C", "D A")
    texts = series("t0", "t1", "t2", "t3", "t4", "t5")
    group = series("g0", "g0", "g2", "g2", "g4", "g5")
    held = pd.Series([True, True, False, False, False, False])
    for seed in range(8):
        part = purge(activities, texts, group, held, 0.5, seed)
        assert list(part[:2]) == ["test", "test"]
        assert part[5] == "purged"  # shares A with the test
        # g2 and g4 share C: whichever is validation, the other is near it or has no part that is.
        if list(part[2:4]) == ["val", "val"]:
            assert part[4] == "near"
        else:
            assert part[4] == "val" and list(part[2:4]) == ["train", "near"]


def test_tasks_without_an_activity_are_linked_by_their_text_alone():
    tasks = pd.DataFrame({"dwa": ["", "", "", "A"], "dwas": ["", "", "", "A"]})
    tasks["occupation"] = "11-1011.00"
    texts = series("x", "y", "x", "z")
    group = next(iter(folds(tasks, texts, "purged", 2, 0, 0.2, 0.5))).group
    assert list(group) == ["g00000", "g00001", "g00000", "g00003"]


@st.composite
def task_lists(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.Series]:
    """Tasks with one to three of few activities and few texts, so that much is shared."""
    rows = draw(
        st.lists(
            st.tuples(
                st.lists(st.integers(0, 30), min_size=1, max_size=3, unique=True),
                st.integers(0, 40),
            ),
            min_size=5,
            max_size=60,
        )
    )
    tasks = pd.DataFrame(
        {
            "dwa": [f"D{activities[0]}" for activities, _ in rows],
            "dwas": [" ".join(f"D{each}" for each in sorted(activities)) for activities, _ in rows],
            "occupation": "11-1011.00",
        }
    )
    return tasks, pd.Series([f"text {text}" for _, text in rows])


@settings(max_examples=60, deadline=None)
@given(task_lists(), st.integers(1, 4), st.integers(0, 5))
def test_purged_parts_share_nothing_and_lose_no_row(
    made: tuple[pd.DataFrame, pd.Series], count: int, seed: int
):
    tasks, texts = made
    tested = []
    for fold in folds(tasks, texts, "purged", count, seed, 0.25, 0.2):
        assert set(fold.part) <= {"train", "near", "val", "test", "purged"}
        seen: dict[str, tuple[set[str], set[str]]] = {}
        for part in ("train", "near", "val", "test"):
            rows = fold.part == part
            seen[part] = (set(" ".join(tasks["dwas"][rows]).split()), set(texts[rows]))
        for one, other in (("train", "test"), ("near", "test"), ("val", "test"), ("train", "val")):
            assert seen[one][0].isdisjoint(seen[other][0])
            assert seen[one][1].isdisjoint(seen[other][1])
        tested += list(tasks.index[fold.part == "test"])
    assert len(tested) == len(set(tested))
    if count > 1:
        assert sorted(tested) == list(tasks.index)  # every task is held out exactly once


@settings(max_examples=30, deadline=None)
@given(task_lists(), st.integers(0, 5))
def test_splits_depend_on_the_seed_alone(made: tuple[pd.DataFrame, pd.Series], seed: int):
    tasks, texts = made
    for split in ("purged", "random"):
        first, second = (
            next(iter(folds(tasks, texts, split, 1, seed, 0.25, 0.2))) for _ in range(2)
        )
        assert first.part.equals(second.part)
        assert first.group.equals(second.group)


def test_parts_are_drawn_within_each_label():
    # Of label x there are ten groups, of y two, of z one; each group has two rows.
    groups = series(*(f"{n:02}" for n in range(13) for _ in range(2)))
    labels = groups.map(lambda name: "x" if name < "10" else "y" if name < "12" else "z")
    parts = parts_of(groups, 5, 0, labels)
    assert groups.groupby(parts).nunique().sum() == 13  # no group in two parts
    of_x = groups[labels == "x"].groupby(parts).nunique()
    assert of_x.tolist() == [2, 2, 2, 2, 2]
    assert sorted(parts[labels == "y"].unique()) == [0, 1]  # the first is the test
    assert parts[labels == "z"].unique().tolist() == [4]  # alone, it is learnt from


def test_a_group_counts_for_its_most_frequent_label():
    labels, groups = series(*"xxyyyz"), series(*"aaabbb")
    # Group a has x twice and y once, group b y twice and z once.
    assert most_frequent(labels, groups).tolist() == list("xxxyyy")
    assert most_frequent(series("y", "x"), series("a", "a")).tolist() == ["x", "x"]  # by name


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abcdefghijkl"), st.sampled_from("xy"), st.integers(0, 30)),
        min_size=24,
        max_size=80,
    ),
    count=st.sampled_from([1, 3]),
    seed=st.integers(0, 5),
)
def test_texts_with_groups_of_their_own(rows: list[tuple], count: int, seed: int):
    tasks = pd.DataFrame(rows, columns=["group", "label", "text"])
    texts = tasks["text"]
    found = list(folds(tasks, texts, "purged", count, seed, 0.2, 0.1))
    assert len(found) == count
    held = pd.concat([fold.part == "test" for fold in found], axis=1).sum(axis=1)
    assert (held == 1).all() if count > 1 else (held <= 1).all()
    for fold in found:
        assert fold.group.equals(tasks["group"])
        for one, two in (("test", "train"), ("test", "val"), ("test", "near"), ("val", "train")):
            if (fold.part == one).any():
                leak = leakage(tasks["group"], texts, fold.part, one, two, "group")
                # `near` and validation may share a group, as both are kept from training.
                assert leak == {"group": 0.0, "text": 0.0}


def test_without_occupations_there_is_no_split_by_them():
    tasks = pd.DataFrame({"group": list("abcd"), "label": list("xxyy")})
    assert splits_of(tasks) == ["purged", "random"]
    with pytest.raises(
        ValueError, match="there is no split 'major_group'; choose one of purged, random"
    ):
        list(folds(tasks, series(*"stuv"), "major_group", 1, 0, 0.2, 0.1))


def test_groups_are_dealt_by_class_the_rarest_and_the_largest_first():
    groups = series(*"aaabbccdd")
    has = pd.DataFrame({"x": [0, 0, 0, 0, 0, 1, 1, 1, 1], "y": [1] * 5 + [0] * 4})
    parts = dealt(groups, has, [0.5, 0.5], seed=0)
    # x has 4 rows, y has 5. Of x, c and d go to one part each; of y, a (3 rows) goes to the first, as the
    # two are equal, then b (2 rows) to the second, which has less of y.
    assert parts.groupby(groups).nunique().eq(1).all()
    of = parts.groupby(groups).first()
    assert {of["c"], of["d"]} == {0, 1}
    assert (of["a"], of["b"]) == (0, 1)
    assert parts_of(groups, 2, seed=0, labels=has).equals(parts)


def test_unequal_shares_give_the_small_part_something_of_every_class():
    # Ten groups of one row for x, two for y: of y (rarest) the first part takes one, then it is above its
    # share of a tenth; of x again one, since the other part has 9 rows for nine tenths.
    has = pd.DataFrame({"x": [1] * 10 + [0] * 2, "y": [0] * 10 + [1] * 2})
    parts = dealt(series(*range(12)).astype(str), has, [0.1, 0.9], seed=3)
    assert has[parts == 0].sum().to_dict() == {"x": 1, "y": 1}


def tasks_of(rows: list[tuple[str, str]]) -> tuple[pd.DataFrame, pd.Series]:
    """Tasks with the given activities and texts; the class of an activity is its first letter."""
    tasks = pd.DataFrame(
        {
            "dwa": [dwas.split()[0] for dwas, _ in rows],
            "dwas": [dwas for dwas, _ in rows],
            "label": [" ".join(sorted({dwa[0] for dwa in dwas.split()})) for dwas, _ in rows],
            "occupation": [f"{11 + number % 2}-1011.00" for number in range(len(rows))],
        }
    )
    return tasks, series(*(text for _, text in rows))


def test_where_several_apply_every_class_is_in_every_part():
    # 30 groups of x, 6 of y, of one task each.
    rows = [(f"x{n}", f"t{n}") for n in range(30)] + [(f"y{n}", f"u{n}") for n in range(6)]
    tasks, texts = tasks_of(rows)
    (fold,) = folds(tasks, texts, "purged", 1, 0, 0.2, 0.2, several=True)
    counts = indicators(tasks["label"]).groupby(fold.part).sum()
    # Test is the first of 5 parts. y is dealt first: one to each part, the sixth to the first: 2. Of x each
    # gets 30 / 5 = 6. Validation, a fifth of the rest: of 4 y the first (1 / 0.2 is more than 3 / 0.8);
    # of 24 x it has 4 when the rest has 19, and 4 / 0.2 is less than 19 / 0.8: 5.
    assert counts["y"].to_dict() == {"test": 2, "train": 3, "val": 1}
    assert counts["x"].to_dict() == {"test": 6, "train": 19, "val": 5}
    (again,) = folds(tasks, texts, "purged", 1, 0, 0.2, 0.2, several=True)
    assert fold.part.equals(again.part)
    (other,) = folds(tasks, texts, "purged", 1, 1, 0.2, 0.2, several=True)
    assert not fold.part.equals(other.part)
    (random,) = folds(tasks, texts, "random", 1, 0, 0.2, 0.2, several=True)
    assert indicators(tasks["label"]).groupby(random.part).sum().loc["test", "y"] in (1, 2)
    for fold in folds(tasks, texts, "major_group", 1, 0, 0.2, 0.2, several=True):
        assert set(tasks["label"][fold.part == "val"]) == {"x", "y"}


def test_where_several_apply_more_folds_hold_every_task_out_once():
    tasks, texts = tasks_of([(f"{c}{n}", f"{c} {n}") for c in "xy" for n in range(12)])
    parts = [fold.part for fold in folds(tasks, texts, "purged", 3, 0, 0.2, 0.2, several=True)]
    assert sum((part == "test").astype(int) for part in parts).eq(1).all()


activities = st.lists(
    st.sampled_from([f"{c}{n}" for c in "xyz" for n in range(5)]), min_size=1, max_size=2
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(activities.map(" ".join), st.integers(0, 40).map(str)), min_size=8, max_size=40
    ),
    st.integers(0, 5),
)
def test_where_several_apply_purged_parts_share_nothing(rows: list[tuple], seed: int):
    tasks, texts = tasks_of(rows)
    (fold,) = folds(tasks, texts, "purged", 1, seed, 0.3, 0.3, several=True)
    for one, two in (("test", "train"), ("test", "near"), ("test", "val"), ("val", "train")):
        if (fold.part == one).any():
            leak = leakage(tasks["dwas"], texts, fold.part, one, two)
            assert leak == {"dwa": 0.0, "text": 0.0}


def test_rows_that_are_divided_already_have_one_split_and_one_fold():
    tasks = pd.DataFrame({"group": list("abb"), "part": ["train", "purged", "test"]})
    texts = series(*"xyz")
    assert splits_of(tasks) == ["purged"]
    (fold,) = folds(tasks, texts, "purged", 1, 0, 0.2, 0.1)
    assert fold.part.equals(tasks["part"]) and fold.group.equals(tasks["group"])
    with pytest.raises(ValueError, match="split.folds=3, but the reader .* set split.folds to 1"):
        list(folds(tasks, texts, "purged", 3, 0, 0.2, 0.1))
    with pytest.raises(ValueError, match="there is no split 'random'; choose one of purged"):
        list(folds(tasks, texts, "random", 1, 0, 0.2, 0.1))
