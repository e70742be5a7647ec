"""Tasks with their generalized activities, and the split that leaves no part without a class."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from jobshift.errors import JobshiftError
from jobshift.texts import schema
from jobshift.texts.onet_activity import (
    class_counts,
    dealt,
    folds,
    indicators,
    prepare,
    purged,
    read_tasks,
)
from jobshift.texts.splits import folds as plain_folds
from jobshift.texts.splits import leakage, linked_groups

A, B, C = "4.A.1.a.1", "4.A.1.b.2", "4.A.3.a.2"
HEADER = ["O*NET-SOC Code", "Title", "Task ID", "Task", "DWA ID", "DWA Title", "GWA"]
LINKS = [
    ("11-1011.00", "Bakers", "12", "Look for flour.", f"{A}.I01.D01", "Look for goods.", A),
    ("11-1011.00", "Bakers", "12", "Look for flour.", f"{C}.I02.D01", "Carry goods.", C),
    ("11-1011.00", "Bakers", "12", "Look for flour.", f"{A}.I01.D02", "Read notes.", A),
    ("53-3011.00", "Drivers", "3", "Look for  FLOUR", f"{A}.I01.D01", "Look for goods.", A),
    ("53-3011.00", "Drivers", "4", "Test the brakes.", f"{B}.I01.D01", "Test things.", B),
    ("53-3011.00", "Drivers", "4", "Test the brakes.", f"{B}.I01.D01", "Test things.", B),
    ("53-3011.00", "Drivers", "5", "…", f"{B}.I01.D01", "Test things.", B),
]


def write(folder: Path, links: list[tuple]) -> Path:
    file = folder / "onet_tasks" / "Task_DWA.csv"
    file.parent.mkdir(exist_ok=True)
    pd.DataFrame(links, columns=HEADER).to_csv(file, index=False)
    return folder


def test_a_task_has_the_classes_of_its_activities(tmp_path):
    prepared = prepare(write(tmp_path, LINKS), [A, B, C], "onet")
    tasks = prepared.tasks.set_index("id")
    assert tasks.index.tolist() == ["12", "3", "4"]
    # Task 12 has two activities of A and one of C; A counts once.
    assert tasks["label"].to_dict() == {"12": f"{A} {C}", "3": A, "4": B}
    assert tasks.loc["12", "dwas"] == f"{A}.I01.D01 {A}.I01.D02 {C}.I02.D01"
    assert tasks[[f"p_{A}", f"p_{B}", f"p_{C}"]].to_numpy().tolist() == [
        [1.0, 0.0, 1.0],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
    ]
    # The titles of the activities would tell the answer.
    assert tasks["text_pair"].isna().all() and "gwas" not in tasks
    schema.valid(prepared.tasks.assign(group="g"), schema.TASKS, "made up")
    assert prepared.dropped == {
        "link stands twice": 1,
        "task statement without a letter or digit": 1,
    }
    assert prepared.counts == {
        "links read": 7,
        "tasks": 3,
        "occupations": 2,
        "activities": 4,
        "classes": 3,
        "distinct texts": 2,  # "Look for flour." twice
        "distinct sets of classes": 3,
        "tasks of 1 class": 2,
        "tasks of 2 classes": 1,
        "tasks of the rarest class": 1,
        "tasks of the most common class": 2,
    }


def test_the_order_of_the_file_does_not_matter(tmp_path):
    single = [link for link in LINKS if link[4] != f"{A}.I01.D02"]
    there = prepare(write(tmp_path, single), [A, B, C], "onet").tasks
    # `dwa` is the first in the order of the file, as in `onet`.
    back = prepare(write(tmp_path, single[::-1]), [A, B, C], "onet").tasks
    pd.testing.assert_frame_equal(there.drop(columns="dwa"), back.drop(columns="dwa"))


@pytest.mark.parametrize(
    ("classes", "message"),
    [([A, B], f"{C} is missing"), ([A, B, C, "4.A.9.z.9"], "4.A.9.z.9 has no task")],
)
def test_the_classes_must_be_those_of_the_tasks(tmp_path, classes, message):
    with pytest.raises(ValueError, match=message):
        prepare(write(tmp_path, LINKS), classes, "onet")


def test_an_activity_of_another_class_is_refused(tmp_path):
    wrong = (*LINKS[4][:-1], C)
    with pytest.raises(JobshiftError, match=f"{B}.I01.D01 is not of the .* {C}"):
        read_tasks(write(tmp_path, [*LINKS[:4], wrong]), {})


def test_class_counts_counts_a_task_in_each_of_its_classes():
    counts = class_counts(pd.Series(["x y", "x", "y"]), pd.Series(["train", "train", "test"]))
    assert counts["train"].to_dict() == {"x": 2, "y": 1}
    assert counts["test"].to_dict() == {"x": 0, "y": 1}


def test_groups_are_dealt_by_class_the_rarest_and_the_largest_first():
    groups = pd.Series(list("aaabbccdd"))
    has = pd.DataFrame({"x": [0, 0, 0, 0, 0, 1, 1, 1, 1], "y": [1] * 5 + [0] * 4})
    parts = dealt(groups, has, [0.5, 0.5], seed=0)
    # x has 4 rows, y has 5. Of x, c and d go to one part each; of y, a (3 rows) goes to the first, as the
    # two are equal, then b (2 rows) to the second, which has less of y.
    assert parts.groupby(groups).nunique().eq(1).all()
    of = parts.groupby(groups).first()
    assert {of["c"], of["d"]} == {0, 1}
    assert (of["a"], of["b"]) == (0, 1)


def test_unequal_shares_give_the_small_part_something_of_every_class():
    # Ten groups of one row for x, two for y: of y (rarest) the first part takes one, then it is above its
    # share of a tenth; of x again one, since the other part has 9 rows for nine tenths.
    has = pd.DataFrame({"x": [1] * 10 + [0] * 2, "y": [0] * 10 + [1] * 2})
    parts = dealt(pd.Series(range(12)).astype(str), has, [0.1, 0.9], seed=3)
    assert has[parts == 0].sum().to_dict() == {"x": 1, "y": 1}


def tasks_of(rows: list[tuple[str, str]]) -> tuple[pd.DataFrame, pd.Series]:
    """Tasks with the given activities and texts; the class of an activity is its first letter."""
    tasks = pd.DataFrame(
        {
            "dwa": [dwas.split()[0] for dwas, _ in rows],
            "dwas": [dwas for dwas, _ in rows],
            "label": [" ".join(sorted({dwa[0] for dwa in dwas.split()})) for dwas, _ in rows],
            "occupation": "11-1011.00",
        }
    )
    return tasks, pd.Series([text for _, text in rows])


def test_a_part_without_a_class_is_refused():
    # Class y has one leak group, so it cannot be in all parts.
    tasks, texts = tasks_of([(f"x{n}", f"t{n}") for n in range(20)] + [("y0", "u1"), ("y0", "u2")])
    with pytest.raises(
        ValueError, match="fold 0 of the split purged has no .* task of the class y"
    ):
        list(folds(tasks, texts, "purged", 1, 0, 0.2, 0.2))
    with pytest.raises(ValueError, match="must lie in"):
        list(folds(tasks, texts, "purged", 1, 0, 0.9, 0.2))


def test_every_class_is_in_every_part_and_the_split_depends_on_the_seed_alone():
    # 30 groups of x, 6 of y, of one task each.
    rows = [(f"x{n}", f"t{n}") for n in range(30)] + [(f"y{n}", f"u{n}") for n in range(6)]
    tasks, texts = tasks_of(rows)
    (fold,) = folds(tasks, texts, "purged", 1, 0, 0.2, 0.2)
    counts = class_counts(tasks["label"], fold.part)
    # Test is the first of 5 parts. y is dealt first: one to each part, the sixth to the first: 2. Of x each
    # gets 30 / 5 = 6. Validation, a fifth of the rest: of 4 y the first (1 / 0.2 is more than 3 / 0.8);
    # of 24 x it has 4 when the rest has 19, and 4 / 0.2 is less than 19 / 0.8: 5.
    assert counts.loc["y"].to_dict() == {"test": 2, "train": 3, "val": 1}
    assert counts.loc["x"].to_dict() == {"test": 6, "train": 19, "val": 5}
    (again,) = folds(tasks, texts, "purged", 1, 0, 0.2, 0.2)
    assert fold.part.equals(again.part)
    (other,) = folds(tasks, texts, "purged", 1, 1, 0.2, 0.2)
    assert not fold.part.equals(other.part)


def test_with_more_folds_every_task_is_held_out_once():
    tasks, texts = tasks_of([(f"{c}{n}", f"{c} {n}") for c in "xy" for n in range(12)])
    parts = [fold.part for fold in folds(tasks, texts, "purged", 3, 0, 0.2, 0.2)]
    assert sum((part == "test").astype(int) for part in parts).eq(1).all()


def test_the_other_splits_are_the_ordinary_ones():
    tasks, texts = tasks_of([(f"x{n}", f"t{n}") for n in range(20)])
    (mine,) = folds(tasks, texts, "random", 1, 0, 0.2, 0.2)
    (ordinary,) = plain_folds(tasks, texts, "random", 1, 0, 0.2, 0.2)
    assert mine.part.equals(ordinary.part)


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
def test_purged_leaves_no_activity_and_no_text_in_two_parts(rows, seed):
    tasks, texts = tasks_of(rows)
    groups = linked_groups(tasks["dwa"], texts)
    held = dealt(groups, indicators(tasks["label"]), [0.3, 0.7], seed) == 0
    part = purged(tasks["dwas"], texts, groups, indicators(tasks["label"]), held, 0.3, seed)
    assert (part[held] == "test").all() and not (part[~held] == "test").any()
    for one, two in (("test", "train"), ("test", "near"), ("test", "val"), ("val", "train")):
        if (part == one).any():
            assert leakage(tasks["dwas"], texts, part, one, two) == {"dwa": 0.0, "text": 0.0}


def test_the_config_names_every_class():
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / "onet_activity.yaml")
    assert data.task == "multilabel" and len(data.labels) == 37
    assert list(data.names) == list(data.labels) == sorted(data.labels)
    assert len(set(data.names.values())) == 37
