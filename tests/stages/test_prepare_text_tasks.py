"""prepare and tokenize on the other kinds of tasks: several classes a text, pairs, texts to be generated."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import jobshift
from tiny_study import activities, links_csv

from jobshift.config import DataConfig
from jobshift.errors import JobshiftError
from jobshift.stages.prepare import check_classes, class_shares, fold_card
from jobshift.texts.splits import Fold

ACTIVITIES = sorted({code.rsplit(".", 2)[0] for code in activities()})  # the ten verbs
ALL = ["id", "text", "text_pair", "label", "group", "occupation", "weight"]
# With 18 occupations, half of them held out, and then half of the rest.
PAIRS = [
    "data=onet_pairs",
    "data.pairs={train: 48, val: 16, test: 16}",
    "split.test=0.4",
    "split.val=0.4",
]


@pytest.fixture
def links(study: Path) -> Path:
    """The tiny study's tasks; every thirtieth has an activity of the next verb, too."""
    header, *lines = links_csv().splitlines()
    codes = list(activities())
    for line in lines[::40]:
        row = line.split(",")
        other = codes[(codes.index(row[4]) + 7) % len(codes)]
        row[4:6] = other, activities()[other]
        row[-1] = other.rsplit(".", 2)[0]
        lines.append(",".join(row))
    folder = Path("data/raw/onet_tasks")
    folder.mkdir(parents=True)
    (folder / "Task_DWA.csv").write_text("\n".join([header, *lines]) + "\n")
    conf = Path("conf/data/onet_activity.yaml")
    data = yaml.safe_load(conf.read_text())
    conf.write_text(yaml.safe_dump(data | {"labels": ACTIVITIES, "names": {}}))
    return study


PARTS = ("train", "near", "val", "test")


def parts(data: str) -> dict[str, pd.DataFrame]:
    folder = Path("data/prepared") / data / "purged" / "0"
    return {part: pd.read_parquet(folder / f"{part}.parquet") for part in PARTS}


def card_of(data: str) -> dict:
    return json.loads((Path("data/prepared") / data / "card.json").read_text())


def tokenized(data: str) -> int:
    """How many texts have tokens; none is cut."""
    jobshift("fetch", "source=minilm")
    jobshift("tokenize", f"data={data}", "tokenizer=minilm")
    report = json.loads(Path("data/tokens/minilm/report.json").read_text())
    assert report["truncated"] == 0
    return report["texts"]


def same_again(*arguments: str) -> None:
    """Prepare again; every file must have the same bytes."""
    files = sorted(path for path in Path("data/prepared").rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    jobshift("prepare", *arguments)
    assert [path.read_bytes() for path in files] == before


def test_several_classes(links: Path):
    jobshift("prepare", "data=onet_activity")
    tasks = pd.read_parquet("data/prepared/onet_activity/tasks.parquet")
    shares = [f"p_{name}" for name in ACTIVITIES]
    assert {*ALL, *shares} <= set(tasks) and "part" not in tasks
    several = tasks[tasks["label"].str.contains(" ")]
    assert 0 < len(several) < len(tasks)
    for row in tasks.itertuples():
        # A class's share is 1.0 if its name is in the label, which has them in class order.
        own = [name for name in ACTIVITIES if name in row.label.split()]
        assert row.label == " ".join(own)
        assert [tasks.at[row.Index, f"p_{name}"] for name in own] == [1.0] * len(own)
    assert tasks[shares].sum(axis=1).tolist() == tasks["label"].str.split().map(len).tolist()

    card = card_of("onet_activity")
    assert list(card["splits"]) == ["purged", "major_group", "random"]
    assert card["classes"] == ACTIVITIES and card["rater"] is None
    counted = sum(row["tasks"] for row in card["labels"].values())
    assert counted == len(tasks) + len(several)  # none has three
    (fold,) = card["splits"]["purged"]
    for leak in fold["leakage"].values():
        assert leak == {"dwa": 0.0, "text": 0.0}
    for part, rows in parts("onet_activity").items():
        for name in ACTIVITIES:
            assert fold["classes"][name][part] == rows[f"p_{name}"].sum()
            assert part == "near" or fold["classes"][name][part] > 0
    page = Path("reports/data_card.md").read_text()
    assert "docs/text_tasks.md" in page and "add up to more than 100 %" in page
    name = ACTIVITIES[0]
    row = [card["labels"][name]["tasks"], *(fold["classes"][name][part] for part in PARTS)]
    assert f"| {name} | {row[0]} | {row[0] / len(tasks):.1%} | " in page
    assert f" | {' | '.join(str(n) for n in row[1:])} |" in page
    assert tokenized("onet_activity") == len(tasks)
    same_again("data=onet_activity")
    jobshift("prepare", "data=onet_activity", "split.folds=5")
    assert len(card_of("onet_activity")["splits"]["purged"]) == 5


def test_pairs(links: Path):
    jobshift("prepare", *PAIRS)
    found = parts("onet_pairs")
    assert {part: len(rows) for part, rows in found.items()} == {
        "train": 48,
        "near": 0,
        "val": 16,
        "test": 16,
    }
    rows = pd.concat(found.values(), ignore_index=True)
    columns = [*ALL, "p_other", "p_same", "hard", "occupation_pair"]
    assert set(rows) == set(columns) and rows["hard"].dtype == bool
    assert set(pd.read_parquet("data/prepared/onet_pairs/tasks.parquet")["id"]) == set(rows["id"])
    assert (rows["p_same"] == (rows["label"] == "same")).all()
    assert (rows["p_same"] + rows["p_other"] == 1).all()
    card = card_of("onet_pairs")
    assert list(card["splits"]) == ["purged"] and card["classes"] == ["other", "same"]
    assert card["labels"]["same"] == {"tasks": 40, "share": 0.5}
    (fold,) = card["splits"]["purged"]
    assert fold["leakage"] == {
        between: {"occupation": 0.0, "text": 0.0}
        for between in ("test from train", "test from val", "val from train")
    }
    page = Path("reports/data_card.md").read_text()
    assert "| of the part | train | val | test |" in page
    assert "| class | pairs | share |" in page and "| same | 40 | 50.0% |" in page
    assert "| hard pairs | 24 | 8 | 8 |" in page
    assert "| pairs of | and of | same occupation | same normalised text |" in page
    assert "| val | train | 0.0% | 0.0% |" in page
    assert "| purged | 0 | 48 | 0 | 16 | 16 | 0 |" in page
    assert tokenized("onet_pairs") == 80
    same_again(*PAIRS)
    # Seed and shares of conf/prepare.yaml are those of the drawing.
    jobshift("prepare", *PAIRS, "split.seed=2")
    assert set(parts("onet_pairs")["test"]["occupation"]) != set(found["test"]["occupation"])


def test_texts_to_be_generated(links: Path):
    jobshift("prepare", "data=onet_generalize")
    rows = pd.read_parquet("data/prepared/onet_generalize/tasks.parquet")
    more = ["target", "all_targets", "seen", "task", "dwa", "dwas"]
    assert {*ALL, *more} <= set(rows) and "part" not in rows and rows["seen"].dtype == bool
    assert not any(name.startswith("p_") for name in rows)
    assert (rows["label"] == rows["dwa"]).all()
    for row in rows.itertuples():
        assert row.target in row.all_targets.split("\n")
    titles = json.loads(Path("data/prepared/onet_generalize/titles.json").read_text())
    assert titles == sorted(activities().values())
    found = parts("onet_generalize")
    known = set(found["train"]["dwa"])
    for part in ("val", "test"):
        assert found[part]["seen"].nunique() == 2
        assert (found[part]["seen"] == found[part]["dwa"].isin(known)).all()
    card = card_of("onet_generalize")
    assert card["labels"] == {} and card["classes"] == []
    assert DataConfig("onet_generalize", "t", task="generation").classes == []
    (fold,) = card["splits"]["purged"]
    assert sum(fold["tasks"].values()) == len(rows)
    assert fold["tasks"]["purged"] == len(rows) - sum(map(len, found.values()))
    assert fold["leakage"]["test, unseen from train"] == {"dwa": 0.0, "text": 0.0}
    assert fold["leakage"]["test, seen from train"] == {"dwa": 1.0, "text": 0.0}
    page = Path("reports/data_card.md").read_text()
    assert "| links of | and of | same activity (DWA) | same normalised text |" in page
    assert "| test, seen | train | 100.0% | 0.0% |" in page
    assert "| class |" not in page
    unseen = card["counts"]["test, unseen: links"]
    assert unseen == (~found["test"]["seen"]).sum()
    (line,) = [line for line in page.splitlines() if line.startswith("| links |")]
    assert f" {unseen} " in line
    assert tokenized("onet_generalize") == len(rows)
    same_again("data=onet_generalize")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["data=onet_generalize", "split.folds=2"], r"prepare\.yaml: split\.folds=2, .* itself"),
        ([*PAIRS, "split.folds=5"], r"split\.folds=5, .* set split\.folds to 1 in params"),
        ([*PAIRS[:1]], r"data\.pairs\.train is 32000, but its tasks give no more than"),
        ([*PAIRS, "data.pairs.val=12"], r"data\.pairs\.val is 12; .* multiple of 8"),
        ([*PAIRS, "data.pairs.dev=8"], r"pairs.*dev"),
        ([*PAIRS, "data.labels=[same,other]"], r"onet_pairs\.yaml: labels: .* in this order"),
        (["data=onet_generalize", "split.test=0.8"], r"split\.test=0\.8 .* lie in"),
        (["data=onet_generalize", "data.labels=[a]"], r"are texts; leave labels empty"),
        (["data=onet_activity", "data.task=pairs"], r"activity gives multilabel; change"),
        (
            ["data=csv", "data.task=generation"],
            r"the reader csv gives classification or multilabel",
        ),
        (["data=onet_activity", "data.labels=[]"], r"labels is empty; list the classes"),
        (
            ["data=onet_activity", f"data.labels=[{','.join(ACTIVITIES[1:])}]"],
            rf"onet_activity\.yaml: labels: {ACTIVITIES[0]} is missing, which has tasks",
        ),
    ],
)
def test_what_does_not_fit_is_refused(links: Path, given: list[str], said: str):
    with pytest.raises(JobshiftError, match=said):
        jobshift("prepare", *given)
    assert not Path("reports/data_card.md").exists() and not list(Path().glob("data/prepared/*"))


def test_a_file_with_several_classes_a_text(study: Path):
    """Topics of notes of our own: 40 notes in ten places, the label with a blank, semicolon or both."""
    rows = [("text", "label", "group")]
    for number in range(40):
        topics = (
            ["pay"] if number % 2 else ["tools; safety", "safety  tools", "tools"][number % 3 :]
        )
        rows.append((f"Note {number} of the morning.", topics[0], f"place {number % 10}"))
    Path("notes.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    given = ["data=csv", "data.path=notes.csv", "data.task=multilabel"]
    jobshift("prepare", *given)
    tasks = pd.read_parquet("data/prepared/csv/tasks.parquet")
    assert set(tasks["label"]) == {"pay", "safety tools", "tools"}
    card = card_of("csv")
    assert card["classes"] == ["pay", "safety", "tools"]
    assert list(card["splits"]) == ["purged", "random"]
    for part in ("train", "val", "test"):
        held = pd.read_parquet(f"data/prepared/csv/purged/0/{part}.parquet")
        assert (held[["p_pay", "p_safety", "p_tools"]].sum() > 0).all()
    jobshift("prepare", *given, "data.labels=[tools,safety,pay]")
    tasks = pd.read_parquet("data/prepared/csv/tasks.parquet")
    assert set(tasks["label"]) == {"pay", "tools safety", "tools"}


def test_a_part_without_a_class_is_refused_where_several_may_apply(caplog):
    data = DataConfig("d", "D", task="multilabel", labels=["x", "y"])
    tasks = pd.DataFrame({"label": ["x", "x y", "x", "x y", "y", "x"]})
    fold = Fold(
        pd.Series(["train", "train", "val", "test", "test", "purged"]), pd.Series(list("abcdef"))
    )
    with pytest.raises(JobshiftError, match=r"d: fold 0 of the split purged has no val text of y;"):
        check_classes(data, tasks, "purged", [fold])
    check_classes(data, tasks, "random", [fold])  # this one only warns
    assert "d: fold 0 of the split random has no val text of y" in caplog.text
    # Of six rows five are x and three y: the shares add up to 8/6.
    assert class_shares(tasks, "multilabel") == {
        "x": {"tasks": 5, "share": 0.833333},
        "y": {"tasks": 3, "share": 0.5},
    }
    named = tasks.assign(group=list("abcdef"))
    counts = fold_card(named, pd.Series(range(6)), fold, "multilabel")["classes"]
    assert counts["y"] == {"train": 1, "near": 0, "val": 0, "test": 2}
