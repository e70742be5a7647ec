"""Tasks with their generalized activities, as the files have them."""

from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.errors import JobshiftError
from jobshift.texts import schema
from jobshift.texts.onet_activity import prepare, read_tasks

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


def test_a_label_has_its_classes_in_the_order_of_the_config(tmp_path):
    tasks = prepare(write(tmp_path, LINKS), [C, B, A], "onet").tasks.set_index("id")
    assert tasks.loc["12", "label"] == f"{C} {A}"
    assert [name for name in tasks if name.startswith("p_")] == [f"p_{each}" for each in (C, B, A)]


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


def test_the_config_names_every_class():
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / "onet_activity.yaml")
    assert data.task == "multilabel" and len(data.labels) == 37
    assert list(data.names) == list(data.labels) == sorted(data.labels)
    assert len(set(data.names.values())) == 37
