"""The published labels joined with activities and ratings, on files made by hand."""

from pathlib import Path

import pandas as pd
import pytest

from jobshift.errors import JobshiftError
from jobshift.texts.gpts_are_gpts import prepare

CLASSES = ["E0", "E2", "E1"]
LABELS = {
    "": [0, 1, 2, 3],
    "O*NET-SOC Code": ["11-1011.00", "11-1011.00", "11-1011.00", "53-3011.00"],
    "Task ID": ["1.0", "2.0", "3.0", "4.0"],
    "Task": [
        "Draft the yearly letter.",
        "Carry the boxes upstairs.",
        "Look up old prices.",
        "Paint the van.",
    ],
    "Task Type": ["Core", "Supplemental", None, "Core"],
    "Title": ["Managers", "Managers", "Managers", "Drivers"],
    "human_exposure_agg": ["E1", "E0", "E2", "E0"],
    "gpt4_exposure": ["E1", "E0", "E1", "E2"],
    "gpt4_exposure_alt_rubric": ["E2", "E0", "E0", "E0"],
    "gpt4_automation": ["T3", "T0", "T2", "T1"],
    "human_labels": ["E1", "E0", "E2", "E0"],
}
AUTOMATION = {
    "gpt4_automation": ["T3", "T0", "T4", "T1"],
    "Task ID": [1, 2, 3, 4],
    "human_automation": ["T2", "T0", None, None],
}
LINKS = """\
O*NET-SOC Code,Title,Task ID,Task,DWA ID,DWA Title,GWA
11-1011.00,Managers,1,Draft the yearly letter.,4.A.1.a.1.I01.D01,Write letters.,4.A.1.a.1
11-1011.00,Managers,1,Draft the yearly letter.,4.A.1.a.1.I01.D02,Report results.,4.A.1.a.1
11-1011.00,Managers,2,Carry the boxes upstairs.,4.A.3.a.1.I01.D01,Move goods.,4.A.3.a.1
53-3011.00,Drivers,4,Paint the van.,4.A.3.a.1.I01.D01,Move goods.,4.A.3.a.1
"""
# Task 1 has the votes E1 E1 E1 E1 E2 E2, so E1; tasks 2 and 4 have E0 E0 E2, so E0.
RATINGS = """\
dwa_id,rater,exposure,automation
4.A.1.a.1.I01.D01,A,E1,T2
4.A.1.a.1.I01.D01,B,E1,T2
4.A.1.a.1.I01.D01,C,E2,T2
4.A.1.a.1.I01.D02,A,E1,T2
4.A.1.a.1.I01.D02,B,E1,T2
4.A.1.a.1.I01.D02,C,E2,T3
4.A.3.a.1.I01.D01,A,E0,T0
4.A.3.a.1.I01.D01,B,E0,T0
4.A.3.a.1.I01.D01,C,E2,T1
"""


def tsv(columns: dict[str, list]) -> str:
    return pd.DataFrame(columns).to_csv(sep="\t", index=False)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name, content in {
        "gpts_are_gpts/full_labelset.tsv": tsv(LABELS),
        "gpts_are_gpts/automation_gpt4_human_labels.tsv": tsv(AUTOMATION),
        "onet_tasks/Task_DWA.csv": LINKS,
        "rubric_ratings/dwa_ratings.csv": RATINGS,
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_every_rater_and_his_file(raw: Path):
    tasks = prepare(raw, CLASSES, "human").tasks.set_index("id")
    assert list(tasks["label"]) == ["E1", "E0", "E2", "E0"]
    assert list(tasks["label_gpt4"]) == ["E1", "E0", "E1", "E2"]
    assert list(tasks["label_gpt4_alt"]) == ["E2", "E0", "E0", "E0"]
    assert tasks["label_rubric"].fillna("none").tolist() == ["E1", "E0", "none", "E0"]
    # From full_labelset.tsv; the other file says T4 of task 3.
    assert list(tasks["automation"]) == ["T3", "T0", "T2", "T1"]
    assert list(tasks["automation_gpt4_other"]) == ["T3", "T0", "T4", "T1"]
    assert tasks["automation_human"].fillna("none").tolist() == ["T2", "T0", "none", "none"]
    assert tasks.loc["1", ["p_E0", "p_E2", "p_E1"]].tolist() == [0, 0, 1]


def test_core_tasks_count_twice_and_all_others_once(raw: Path):
    tasks = prepare(raw, CLASSES, "human").tasks.set_index("id")
    assert tasks["weight"].to_dict() == {"1": 2.0, "2": 1.0, "3": 1.0, "4": 2.0}


def test_activities_and_their_titles_come_with_the_task(raw: Path):
    tasks = prepare(raw, CLASSES, "human").tasks.set_index("id")
    assert tasks.loc["1", "text_pair"] == "Write letters; Report results"
    assert tasks.loc["1", "dwas"] == "4.A.1.a.1.I01.D01 4.A.1.a.1.I01.D02"
    assert pd.isna(tasks.loc["3", "text_pair"]) and tasks.loc["3", "dwa"] == ""


def test_with_the_rubric_as_rater_unrated_tasks_are_dropped_and_counted(raw: Path):
    prepared = prepare(raw, CLASSES, "rubric")
    tasks = prepared.tasks.set_index("id")
    assert list(tasks.index) == ["1", "2", "4"]
    assert prepared.dropped["task without a rated activity"] == 1
    assert tasks.loc["1", ["p_E0", "p_E2", "p_E1"]].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert list(tasks["automation"]) == ["T2", "T0", "T0"]


def test_the_card_says_how_far_the_files_of_automation_agree(raw: Path):
    facts = " ".join(prepare(raw, CLASSES, "human").facts.values())
    assert "the same class on 75.0% of the tasks" in facts  # T3 T0 T1, not T2 and T4
    # People said T2 and T0 of tasks 1 and 2, both files T3 and T0: one of two.
    assert "2 tasks; the same class as GPT-4 in full_labelset.tsv on 50%" in facts


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("full_labelset.tsv", "\tT3\tE1", "\tT3\tE0", "Task ID 1"),
        ("full_labelset.tsv", "\tE2\tE0\tT1", "\tE7\tE0\tT1", "gpt4_exposure', line 5"),
        ("full_labelset.tsv", "2.0\tCarry", "1.0\tCarry", "Task ID"),
        ("full_labelset.tsv", "Paint the van", "Wash the van", "different statements of Task ID 4"),
        ("automation_gpt4_human_labels.tsv", "T4\t3", "T9\t3", "gpt4_automation', line 4"),
    ],
)
def test_a_broken_file_is_named(raw: Path, name: str, old: str, new: str, said: str):
    change(raw / "gpts_are_gpts" / name, old, new)
    with pytest.raises(JobshiftError, match=said) as caught:
        prepare(raw, CLASSES, "human")
    assert name in str(caught.value)


def test_a_missing_source_says_how_to_bring_it(raw: Path):
    (raw / "gpts_are_gpts" / "full_labelset.tsv").unlink()
    with pytest.raises(JobshiftError, match="jobshift fetch source=gpts_are_gpts"):
        prepare(raw, CLASSES, "human")
