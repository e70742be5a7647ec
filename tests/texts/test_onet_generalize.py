"""Statements and titles of activities: rows by hand, and a split that keeps its promises."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from jobshift.errors import JobshiftError
from jobshift.texts import schema
from jobshift.texts.onet_generalize import divide, leaks, named_parts, prepare

HEADER = ["O*NET-SOC Code", "Title", "Task ID", "Task", "DWA ID", "DWA Title", "GWA"]
GWA = "4.A.1.a.1"


def link(task: int, text: str, activity: int, title: str | None = None) -> tuple:
    """A link of a task with an activity `4.A.1.a.1.I01.D07`, titled "Do work 7." """
    code = f"{GWA}.I01.D{activity:02d}"
    return ("11-1011.00", "Bakers", str(task), text, code, title or f"Do work {activity}.", GWA)


def made_up() -> list[tuple]:
    """20 activities with 6 tasks each; every tenth task has the next activity, too."""
    links = []
    for activity in range(1, 21):
        for place in range(6):
            task = 100 * activity + place
            links.append(link(task, f"Bake cake {task}.", activity))
            if place == 0:
                links.append(link(task, f"Bake cake {task}.", activity % 20 + 1))
    return links


def write(folder: Path, links: list[tuple]) -> Path:
    file = folder / "onet_tasks" / "Task_DWA.csv"
    file.parent.mkdir(exist_ok=True)
    pd.DataFrame(links, columns=HEADER).to_csv(file, index=False)
    return folder


def read(folder: Path, seed: int = 0):
    return prepare(folder, [], "onet", seed, test=0.4, val=0.4)


def test_a_row_is_a_link_and_names_all_titles_of_its_task(tmp_path):
    prepared = read(write(tmp_path, made_up()))
    rows = prepared.tasks.set_index("id")
    assert len(rows) == 140  # 20 × 6 + 20 × 1
    row = rows.loc[f"300/{GWA}.I01.D04"]
    assert row["text"] == "Bake cake 300."
    assert row["target"] == "Do work 4"  # without the full stop
    assert row["all_targets"] == "Do work 3\nDo work 4"
    assert row["label"] == row["dwa"] == f"{GWA}.I01.D04"
    assert row["dwas"] == f"{GWA}.I01.D03 {GWA}.I01.D04"
    assert rows.loc[f"301/{GWA}.I01.D03", "all_targets"] == "Do work 3"
    assert rows.index.is_monotonic_increasing and rows["weight"].eq(1.0).all()
    schema.valid(prepared.tasks, schema.PREPARED["generation"], "made up")


def test_seen_and_unseen_are_what_training_says(tmp_path):
    prepared = read(write(tmp_path, made_up()))
    rows = prepared.tasks
    in_training = set(rows["dwa"][rows["part"] == "train"])
    assert rows["seen"].tolist() == [dwa in in_training for dwa in rows["dwa"]]
    for what, shares in leaks(rows).items():
        assert shares["text"] == 0.0, what
    found = leaks(rows)
    for held in ("test", "val"):
        assert found[f"{held}, unseen from train"]["dwa"] == 0.0
        assert found[f"{held}, seen from train"]["dwa"] == 1.0
    assert found["test, unseen from near"]["dwa"] == 0.0
    assert found["test, unseen from val, unseen"]["dwa"] == 0.0
    # A fifth (half of 0.4) of 140 links is 28 links, of activities of 7 links each: 4 activities.
    unseen = rows[named_parts(rows) == "test, unseen"]
    assert unseen["dwa"].nunique() == 4
    assert prepared.counts["test, unseen: titles"] == 4
    parts = [n for what, n in prepared.counts.items() if what.endswith(": links")]
    assert sum(parts) == len(rows) == prepared.counts["links read"]


def test_mixed_texts_are_purged_and_the_last_text_of_an_activity_stays():
    # With test 0.5 a quarter of the links is unseen: one of four activities of two links each. With val
    # 0.5 a quarter of the other six links, so one of the three other activities, is unseen in validation.
    texts = pd.Series(["a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"])
    activities = pd.Series(list("AABBCCDD"))
    part = divide(texts, activities, seed=0, test=0.5, val=0.5)
    by_activity = pd.Series(part).groupby(lambda text: text[0]).agg(sorted)
    # Four seen texts are left; a quarter of them, one, is test, and a quarter of three, 0.75, so one,
    # validation; each from another activity, or an activity would be without a training text.
    assert sorted(map(tuple, by_activity)) == [
        ("test", "test"),
        ("test", "train"),
        ("train", "val"),
        ("val", "val"),
    ]
    # A text of an unseen and of a seen activity is in no part.
    test = next(name for name, own in by_activity.items() if own == ["test", "test"]).upper()
    val = next(name for name, own in by_activity.items() if own == ["val", "val"]).upper()
    train = next(name for name, own in by_activity.items() if own == ["test", "train"]).upper()
    pairs = {"x": (test, train), "y": (val, train), "z": (test, val)}
    more_texts = pd.concat([texts, pd.Series([text for text in pairs for _ in range(2)])])
    more = pd.concat([activities, pd.Series([each for pair in pairs.values() for each in pair])])
    # Drawn again, as sizes have changed: the rule holds for whatever is drawn.
    again = divide(more_texts.reset_index(drop=True), more.reset_index(drop=True), 0, 0.5, 0.5)
    check(again, more_texts.tolist(), more.tolist())


def check(part: dict[str, str], texts: list[str], activities: list[str]) -> None:
    """What the split promises, for every text."""
    of_text: dict[str, set[str]] = {}
    for text, activity in zip(texts, activities, strict=True):
        of_text.setdefault(text, set()).add(activity)
    assert part.keys() == of_text.keys()

    def known(*names: str) -> set[str]:
        return {each for text, own in of_text.items() if part[text] in names for each in own}

    train = known("train")
    unseen = {
        name: {
            each
            for text, own in of_text.items()
            if part[text] == name and not own & train
            for each in own
        }
        for name in ("test", "val")
    }
    for text, own in of_text.items():
        if part[text] in unseen:
            # All activities are in training, or none is; there is no text of both kinds.
            assert own <= train or own <= unseen[part[text]]
    # What is unseen in the test is nowhere else; fit_on: all may train on near and validation.
    assert not unseen["test"] & known("train", "near", "val")


links = st.lists(
    st.tuples(
        st.integers(0, 25).map(str), st.sampled_from([f"{c}{n}" for c in "AB" for n in range(6)])
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(links, st.integers(0, 3), st.sampled_from([0.1, 0.3, 0.5]), st.randoms())
def test_the_split_keeps_its_promises_in_any_order(rows, seed, share, random):
    def divided(rows: list[tuple[str, str]]) -> dict[str, str]:
        return divide(*(pd.Series(each) for each in zip(*rows, strict=True)), seed, share, share)

    part = divided(rows)
    check(part, *(list(each) for each in zip(*rows, strict=True)))
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert divided(shuffled) == part


def test_tasks_of_one_text_are_in_one_part(tmp_path):
    # One task in six stands twice, under another id and in capitals, and with the next activity.
    links = made_up()
    twins = [
        link(int(row[2]) + 50, row[3].upper(), int(row[4][-2:]) % 20 + 1)
        for row in links
        if row[2].endswith("3")
    ]
    rows = read(write(tmp_path, links + twins)).tasks
    assert rows.groupby(rows["text"].str.casefold())["part"].nunique().max() == 1
    assert rows["all_targets"][rows["task"] == "353"].tolist() == [
        "Do work 4"
    ]  # its own titles only


def test_the_order_of_the_file_does_not_matter_and_the_seed_does(tmp_path):
    there = read(write(tmp_path, made_up())).tasks
    pd.testing.assert_frame_equal(there, read(write(tmp_path, made_up()[::-1])).tasks)
    assert not there["part"].equals(read(tmp_path, seed=1).tasks["part"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (link(9, "Eat.", 3, "Rest."), "has 2 titles"),
        (link(9, "Eat.", 99, "Do WORK 3"), "'do work 3' has 2 activities"),
    ],
)
def test_titles_must_tell_activities_apart(tmp_path, more, message):
    with pytest.raises(JobshiftError, match=message):
        read(write(tmp_path, [*made_up(), more]))


def test_a_part_without_rows_is_refused(tmp_path):
    folder = write(tmp_path, [link(n, f"Bake {n}.", n) for n in range(1, 9)])
    # Each activity has one text, so none of the seen ones can be held out.
    with pytest.raises(JobshiftError, match="no link is left for the part '(val|test), seen'"):
        read(folder)
    with pytest.raises(JobshiftError, match="split.val=0.7"):
        prepare(folder, [], "onet", val=0.7)


def test_the_config_fits():
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / "onet_generalize.yaml")
    assert data.task == "generation" and not data.labels
