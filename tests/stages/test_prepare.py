"""prepare on made-up files: labels by hand, counts, and every broken file with its message."""

import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import jobshift

from jobshift.errors import JobshiftError

LINKS = Path("data/raw/onet_tasks/Task_DWA.csv")
RATINGS = Path("data/raw/rubric_ratings/dwa_ratings.csv")


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_labels_follow_from_the_votes(prepared: Path):
    tasks = pd.read_parquet("data/prepared/onet/tasks.parquet").set_index("id")
    ratings = pd.read_csv(RATINGS)
    task = tasks.loc["3"]  # two activities: six votes
    votes = ratings[ratings["dwa_id"].isin(task["dwas"].split())]["exposure"].tolist()
    assert len(votes) == 6
    for name in ("E0", "E1", "E2"):
        assert task[f"p_{name}"] == pytest.approx(votes.count(name) / 6)
    counts = {name: votes.count(name) for name in ("E0", "E2", "E1")}  # least exposed first
    assert task["label"] == max(counts, key=counts.get)
    assert task["dwa"] in task["dwas"].split()


def test_the_same_files_give_the_same_bytes(prepared: Path):
    files = sorted(path for path in Path("data/prepared").rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    jobshift("prepare")
    assert [path.read_bytes() for path in files] == before


def test_every_dropped_row_is_counted_with_its_reason(prepared: Path):
    lines = LINKS.read_text().splitlines()
    broken = lines[1].split(",")
    LINKS.write_text(
        "\n".join([*lines, lines[1], ",".join([*broken[:2], "9001", "…", *broken[4:]])]) + "\n"
    )
    unrated = lines[2].split(",")[4]
    ratings = RATINGS.read_text().splitlines()
    RATINGS.write_text("\n".join(line for line in ratings if not line.startswith(unrated)) + "\n")
    jobshift("prepare")
    dropped = json.loads(Path("data/prepared/onet/card.json").read_text())["dropped"]
    assert dropped == {
        "link stands twice": 1,
        "task statement without a letter or digit": 1,
        # The two rows added above are of the same activity, but dropped before.
        "activity without a rating": sum(f",{unrated}," in line for line in lines),
    }
    assert "link stands twice | 1 |" in Path("reports/data_card.md").read_text()


def test_folds_hold_out_every_task_once(prepared: Path):
    jobshift("prepare", "split.folds=3")
    held = pd.concat(
        pd.read_parquet(f"data/prepared/onet/purged/{n}/test.parquet") for n in range(3)
    )
    tasks = pd.read_parquet("data/prepared/onet/tasks.parquet")
    assert sorted(held["id"]) == sorted(tasks["id"])


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            LINKS,
            "4.A.1.a.1.I01.D01,",
            "4.A.1,",
            r"Task_DWA\.csv: column 'DWA ID', line 2: '4\.A\.1'",
        ),
        (LINKS, ",1,Draft letters", ",one,Draft letters", r"column 'Task ID', line 2: 'one'"),
        (LINKS, "Task ID,", "TaskID,", r"column 'Task ID' is missing"),
        (RATINGS, ",A,E1,", ",A,E9,", r"dwa_ratings\.csv: column 'exposure', line \d+: 'E9'"),
        (
            RATINGS,
            "4.A.1.a.1.I01.D01,B",
            "4.A.1.a.1.I01.D01,A",
            r"dwa_ratings\.csv: column 'dwa_id, rater'",
        ),
        (RATINGS, "dwa_id,rater", "dwa_id;rater", r"dwa_ratings\.csv: column 'dwa_id' is missing"),
    ],
)
def test_broken_files_name_file_column_and_line(
    prepared: Path, file: Path, old: str, new: str, said: str
):
    change(file, old, new)
    with pytest.raises(JobshiftError, match=said):
        jobshift("prepare")


def test_a_task_with_two_statements_is_refused(prepared: Path):
    lines = LINKS.read_text().splitlines()
    other = lines[1].split(",")
    other[3], other[4] = "Draft something else.", lines[8].split(",")[4]
    LINKS.write_text("\n".join([*lines, ",".join(other)]) + "\n")
    with pytest.raises(JobshiftError, match=r"Task ID 1 has more than one statement"):
        jobshift("prepare")


def test_a_file_that_is_not_text_is_refused(prepared: Path):
    RATINGS.write_bytes(b"\xff\xfe\x00dwa")
    with pytest.raises(JobshiftError, match=r"dwa_ratings\.csv cannot be read as CSV in UTF-8"):
        jobshift("prepare")


def test_missing_files_and_senseless_splits_say_what_to_do(prepared: Path):
    with pytest.raises(JobshiftError, match=r"split\.val=1\.5"):
        jobshift("prepare", "split.val=1.5")
    with pytest.raises(JobshiftError, match=r"split\.fold\b"):
        jobshift("prepare", "split.fold=2")
    with pytest.raises(JobshiftError, match=r"data/nothing.*onet"):
        jobshift("prepare", "data=nothing")
    RATINGS.unlink()
    with pytest.raises(
        JobshiftError, match=r"missing; bring it with `jobshift fetch source=rubric_ratings`"
    ):
        jobshift("prepare")
