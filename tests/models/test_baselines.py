"""Baselines by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from jobshift.errors import JobshiftError
from jobshift.models.baselines import ActivityLookup, Majority, Tfidf
from jobshift.models.options import LookupOptions, TfidfOptions

ROWS = pd.DataFrame(
    {
        "text": ["write a letter", "write a note", "lift a crate", "lift a box"],
        "dwas": [
            "4.A.1.a.1.I01.D01",
            "4.A.1.a.1.I01.D02",
            "4.A.2.a.1.I01.D01",
            "4.A.2.a.1.I01.D01 4.A.1.a.1.I01.D01",
        ],
    }
)
# Classes: none, exposed.
TARGETS = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
ONES = np.ones(4)


def rows(*dwas: str) -> pd.DataFrame:
    return pd.DataFrame({"dwas": dwas, "text": ""})


def test_majority_is_the_weighted_mean_label():
    model = Majority()
    model.fit(ROWS, TARGETS, np.array([1, 1, 1, 2]))
    # (0 + .5 + 1 + 2 × 1) / 5 = .7 none
    assert model.probabilities(ROWS[:2]).tolist() == [pytest.approx([0.7, 0.3])] * 2


def test_lookup_takes_the_most_specific_level_that_training_saw():
    model = ActivityLookup(LookupOptions(["dwa", "iwa", "gwa"]))
    model.fit(ROWS, TARGETS, ONES)
    found = model.probabilities(
        rows(
            "4.A.1.a.1.I01.D01",  # DWA seen in rows 0 and 3: (0 + 1) / 2 none
            "4.A.1.a.1.I01.D09",  # IWA seen in rows 0, 1, 3: (0 + .5 + 1) / 3
            "4.A.1.a.1.I07.D01",  # GWA, the same rows
            "4.A.9.a.1.I01.D01",  # never seen: the mean of all, 2.5 / 4
            "4.A.2.a.1.I01.D01 4.A.1.a.1.I01.D02",  # mean of 1 and .5
        )
    )
    assert found[:, 0] == pytest.approx([0.5, 0.5, 0.5, 0.625, 0.75])
    assert found.sum(axis=1) == pytest.approx(np.ones(5))


def test_lookup_of_dwas_alone_knows_no_others():
    model = ActivityLookup(LookupOptions(["dwa"]))
    model.fit(ROWS, TARGETS, ONES)
    assert model.probabilities(rows("4.A.1.a.1.I01.D09"))[0] == pytest.approx([0.625, 0.375])


def test_an_unknown_level_is_refused():
    with pytest.raises(JobshiftError, match=r"lookup\.levels has 'soc'"):
        ActivityLookup(LookupOptions(["soc"]))


def test_tfidf_separates_words_and_is_kept_without_pickle(tmp_path: Path):
    model = Tfidf(TfidfOptions(min_df=1, C=100.0), "none")
    model.fit(ROWS, TARGETS, ONES)
    new = pd.DataFrame({"text": ["write", "lift"]})
    found = model.probabilities(new)
    assert found[0, 1] > 0.5 > found[1, 1]
    model.save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    terms = json.loads((tmp_path / "vocabulary.json").read_text())
    assert weights["coef"].shape[1] == len(terms) == len(weights["idf"])
    assert {path.name for path in tmp_path.iterdir()} == {"weights.safetensors", "vocabulary.json"}


def test_tfidf_soft_labels_are_weighted_hard_ones():
    # A row with shares .25/.75 counts like one row of weight .25 and one of weight .75.
    text = pd.DataFrame({"text": ["read mail", "drive trucks"]})
    soft = Tfidf(TfidfOptions(min_df=1), "none")
    soft.fit(text, np.array([[0.25, 0.75], [1.0, 0.0]]), np.ones(2))
    hard = Tfidf(TfidfOptions(min_df=1), "none")
    doubled = pd.DataFrame({"text": ["read mail", "read mail", "drive trucks"]})
    hard.fit(doubled, np.array([[1.0, 0], [0, 1.0], [1.0, 0]]), np.array([0.25, 0.75, 1.0]))
    # The doubled text changes the inverse document frequencies, not which words there are.
    assert soft.probabilities(text) == pytest.approx(hard.probabilities(text), abs=0.05)


def test_a_class_that_training_never_saw_gets_zero():
    model = Tfidf(TfidfOptions(min_df=1), "none")
    three = np.array([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0], [0, 0, 1.0]])
    model.fit(ROWS, three, ONES)
    assert (model.probabilities(ROWS)[:, 1] == 0).all()
