"""Ratings and explanations of a random model of two layers."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import tiny_service

from jobshift.rating.engines import open_engine
from jobshift.rating.exported import Exported, read_export
from jobshift.rating.rate import ratings
from jobshift.service.occupations import read_occupations
from jobshift.service.service import Service, resembling


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exported:
    monkeypatch.chdir(tiny_service.write(tmp_path / "study"))
    return read_export(Path("exports/tiny/purged-0"))


@pytest.fixture
def service(exported: Exported):
    service = Service(exported, open_engine(exported, "torch"), read_occupations("onet", "rubric"))
    yield service
    service.close()


def test_ratings_are_those_of_jobshift_rate(service: Service, exported: Exported):
    texts = ["Mend nets", "?!", "Steer big boats home", "Mend nets", "\ud800 a"]
    found = asyncio.run(service.rate(texts))
    expected = ratings(
        ["Mend nets", "Steer big boats home"], exported, open_engine(exported, "torch")
    )
    assert [each["problem"] for each in found] == [
        None,
        "no letter or digit",
        None,
        None,
        "half of a surrogate pair",
    ]
    assert found[0] == found[3]
    for row, rating in enumerate((found[0], found[2])):
        assert list(rating["probabilities"]) == ["E0", "E2", "E1"]
        assert list(rating["automation_probabilities"]) == ["T0", "T1", "T2", "T3", "T4"]
        for name, value in rating["probabilities"].items():
            assert value == expected[f"p_{name}"][row]
        for name in ("alpha", "beta", "zeta", "automation", "confidence", "distance", "predicted"):
            assert rating[name] == expected[name][row]
        # The random embeddings belong to no task in particular, yet each has an occupation of the study.
        title = rating["resembles"]["title"]
        assert tiny_service.TITLES[rating["resembles"]["code"]] == title
    assert found[1]["predicted"] is None and found[1]["text"] == "?!"
    assert found[4]["text"] == "? a"
    assert found[2]["note"] == "cut to 12 tokens" and found[0]["note"] is None


def test_explanations_sum_to_what_they_explain(service: Service):
    rated, *_ = asyncio.run(service.rate(["Mend nets"]))
    found, empty = asyncio.run(service.explain(["Mend nets", "!"]))
    assert [each["word"] for each in found["words"]] == ["Mend", "nets"]
    assert found["value"] == pytest.approx(rated["beta"], abs=1e-4)
    gap = sum(each["value"] for each in found["words"]) - (found["value"] - found["baseline"])
    assert abs(gap) == pytest.approx(found["completeness_gap"], abs=1e-5)
    assert len(found["nearest"]) == 3
    assert found["nearest"][0]["cosine"] >= found["nearest"][1]["cosine"]
    assert empty["problem"] == "no letter or digit" and empty["words"] is None


def test_the_nearest_tasks_vote_by_their_cosine():
    titles = np.array(["A", "B", "B", None], object)
    cosine = np.array([[0.7, 0.4, 0.35, 0.9], [0.8, 0.4, 0.35, 0.9], [-0.1, -0.2, -0.3, 0.1]])
    assert resembling(cosine, titles) == [("B", 0.4), ("A", 0.8), ("A", 0.0)]
    assert resembling(cosine[:1], np.array([None] * 4, object)) == [None]


def test_only_the_ten_nearest_vote():
    cosine = np.linspace(0.9, 0.8, 12)[None]
    titles = np.array(["A"] * 4 + ["B"] * 3 + ["C"] * 3 + ["B"] * 2, object)
    assert resembling(cosine, titles)[0][0] == "A"
