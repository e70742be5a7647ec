"""The stage explain: the sample, the mean of each word and its interval, what is left out, errors."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap
from jobshift.rating.explain import TOLERANCE, Attribution
from jobshift.stages.explain import COLUMNS, WORDS, Config, run, word_table

LABELS = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
VALUES = {"draft": 0.3, "the": 0.01, "carry": -0.2, "2": 0.05}


def config(**changes) -> Config:
    study = Study(name="small", data="made_up", models=["tfidf", "minilm"], seeds=[3])
    data = DataConfig(name="made_up", title="Made up", exposure=True, labels=LABELS, sources=[])
    return replace(Config(study, data, "minilm", draws=30, min_tasks=2), **changes)


class Fake:
    """Attributes to a word what `VALUES` says; the third of every four texts is not complete."""

    def __init__(self, exported):
        assert exported.model == "minilm"

    def attributions(self, texts):
        return [
            Attribution(words := text.split(), [VALUES.get(w.lower(), 0.0) for w in words], 0, 0, gap)
            for text, gap in zip(texts, [0, 0, 2 * TOLERANCE, 0] * len(texts), strict=False)
        ]  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch) -> pd.DataFrame:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jobshift.rating.explain.Explainer", Fake)
    texts = ["Draft the letters", "Carry the 2 boxes", "draft 2 maps .", "carry the pipes"]
    tasks = pd.DataFrame(
        {
            "id": [f"{number:02}" for number in range(40)],
            "text": texts * 10,
            "group": [f"g{number // 2}" for number in range(40)],
        }
    )
    folder = Path("data/prepared/made_up/purged/0")
    folder.mkdir(parents=True)
    tasks.to_parquet(folder / "test.parquet", index=False)
    write_rating(LABELS)
    return tasks


def write_rating(scores: dict) -> None:
    folder = Path("exports/minilm/purged-3")
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format": 1, "model": "minilm", "classes": list(scores), "scores": scores, "automation": [],
        "temperature": 1.0, "max_length": 64, "padding": 0,
        "domain": {"threshold": 0.5, "neighbours": 5},
    }  # fmt: skip
    (folder / "rating.json").write_text(json.dumps(content))


def test_words_of_all_tasks(study, caplog):
    caplog.set_level("INFO")
    run(config())
    table = pd.read_csv(WORDS)
    assert list(table) == COLUMNS
    # Without figures and punctuation, in lower case, equal ones by the alphabet.
    words = ["draft", "the", "boxes", "letters", "maps", "pipes", "carry"]
    assert table["word"].tolist() == words
    assert table["attribution"].tolist() == [0.3, 0.01, 0, 0, 0, 0, -0.2]
    assert table["n_tasks"].tolist() == [20, 30, 10, 10, 10, 10, 20]
    # Always the same, so without an interval.
    assert (table["low"] == table["high"]).all()
    assert set(table["explained_tasks"]) == {40} and set(table["complete_share"]) == {0.75}
    assert set(table["model"]) == {"minilm"}
    assert "most raised by: draft, the" in caplog.text and "lowered by: carry" in caplog.text
    first = WORDS.read_bytes()
    run(config())
    assert WORDS.read_bytes() == first


def test_a_sample(study):
    run(config(texts=10))
    table = pd.read_csv(WORDS)
    assert set(table["explained_tasks"]) == {10}
    chosen = np.sort(np.random.default_rng(0).choice(40, size=10, replace=False))
    count = study["text"].iloc[chosen].str.lower().str.contains("draft").sum()
    assert table.set_index("word").loc["draft", "n_tasks"] == count


def test_the_mean_over_occurrences_by_hand():
    each = [
        Attribution(["Sort", "sort", "maps"], [0.1, 0.2, 0.3], 0, 0, 0),
        Attribution(["sort"], [0.6], 0, 0, 0),
        Attribution(["paint"], [0.5], 0, 0, 0),
    ]
    resamples = bootstrap.Resamples(pd.DataFrame({"group": ["a", "b", "c"]}), 200, 0)
    table = word_table(each, resamples, 2)
    assert table["word"].tolist() == ["sort"] and table["n_tasks"].tolist() == [2]
    row = table.iloc[0]
    # (.1 + .2 + .6) / 3; draws have it between .15 and .6 before they are centred.
    assert row["attribution"] == pytest.approx(0.3)
    assert 0.1 < row["low"] < 0.3 < row["high"] < 0.6
    assert word_table(each, resamples, 1)["word"].tolist() == ["paint", "maps", "sort"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "params.yaml names no model in `export`"),
        ({"name": "bert"}, "conf/explain.yaml names bert, which is no model of the study"),
        ({"name": "tfidf"}, "there is no exports/tfidf/purged-3; `jobshift export name=tfidf`"),
        (
            {"data": replace(config().data, exposure=False)},
            "the labels of made_up are no degrees of exposure",
        ),
    ],
)
def test_nothing_to_explain(study, caplog, changes, reason):
    caplog.set_level("INFO")
    run(config(**changes))
    assert WORDS.read_text() == ",".join(COLUMNS) + "\n"
    assert f"left out: {reason}" in caplog.text


def test_bad_input_is_named(study):
    with pytest.raises(JobshiftError, match="texts is 0"):
        run(config(texts=0))
    write_rating({"no": 0.0, "yes": 1.0})
    with pytest.raises(JobshiftError, match=r"has other classes or scores than conf/data/made_up"):
        run(config())
    write_rating(LABELS)
    Path("data/prepared/made_up/purged/0/test.parquet").unlink()
    with pytest.raises(JobshiftError, match="run `jobshift prepare data=made_up` first"):
        run(config())
