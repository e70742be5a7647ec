"""Baselines by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from jobshift.errors import JobshiftError
from jobshift.models.baselines import (
    ActivityLookup,
    EachClass,
    Ensemble,
    Majority,
    MajorityTarget,
    Svm,
    Tfidf,
)
from jobshift.models.options import LookupOptions, SvmOptions, TfidfOptions

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


def three_verbs() -> tuple[list[str], pd.DataFrame, np.ndarray]:
    """Three verbs, each of which decides the class, with three things."""
    verbs, things = ["write", "lift", "plan"], ["boxes", "notes", "trips"]
    rows = [(f"{verb} {thing}", thing) for verb in verbs for thing in things]
    return verbs, pd.DataFrame(rows, columns=["text", "group"]), np.eye(3).repeat(3, axis=0)


def test_tfidf_is_kept_as_numbers_from_which_its_probabilities_follow(tmp_path: Path):
    verbs, rows, targets = three_verbs()
    model = Tfidf(TfidfOptions(min_df=1), "none")
    model.fit(rows, targets, np.ones(9))
    model.save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    terms = json.loads((tmp_path / "vocabulary.json").read_text())
    found = model.probabilities(pd.DataFrame({"text": verbs}))
    for number, verb in enumerate(verbs):
        # One word alone: its TF-IDF vector has length 1, so the logits are coefficient + intercept.
        shares = np.exp(weights["coef"][:, terms.index(verb)] + weights["intercept"])
        assert found[number] == pytest.approx(shares / shares.sum())


def test_svm_is_kept_as_numbers_from_which_its_probabilities_follow(tmp_path: Path):
    verbs, rows, targets = three_verbs()
    # One mislabelled task, else margins would be without any doubt and so their factor without limit.
    targets[0] = targets[3]
    model = Svm(SvmOptions(min_df=1, folds=3), "none")
    model.fit(rows, targets, np.ones(9))
    model.save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    terms = json.loads((tmp_path / "vocabulary.json").read_text())
    assert {path.name for path in tmp_path.iterdir()} == {"weights.safetensors", "vocabulary.json"}
    found = model.probabilities(pd.DataFrame({"text": verbs}))
    for number, verb in enumerate(verbs):
        # As above, the margins are coefficient + intercept.
        margins = weights["coef"][:, terms.index(verb)] + weights["intercept"]
        shares = np.exp(weights["factor"] * margins)
        assert found[number] == pytest.approx(shares / shares.sum())
        assert found[number].argmax() == number


def svm(groups: list[str], folds: int = 2) -> Svm:
    """An SVM fitted on eight tasks: four texts twice, of the second four two with the other label."""
    text = ["write a letter", "write a note", "lift a crate", "lift a box"] * 2
    model = Svm(SvmOptions(min_df=1, folds=folds), "none")
    targets = np.array([[0.0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1]])
    model.fit(pd.DataFrame({"text": text, "group": groups}), targets, np.ones(8))
    return model


def test_svm_judges_its_margins_on_leak_groups_that_it_has_not_seen():
    # Words say nothing of the label, which each of six texts has twice. Texts that were seen are known by
    # heart; only where both of a kind are held out together does that show to be worth nothing.
    text = [f"{a} {b}" for a in ("write", "lift") for b in ("boxes", "notes", "trips")] * 2
    label = np.array([0, 1, 0, 1, 0, 1] * 2)
    factors = {}
    for name, groups in {"texts": list("abcdef") * 2, "rows": list("abcdefbcdefa")}.items():
        model = Svm(SvmOptions(min_df=1, folds=6, C=10.0), "none")
        model.fit(pd.DataFrame({"text": text, "group": groups}), np.eye(2)[label], np.ones(12))
        factors[name] = model.weights()["factor"][0]
    assert factors["texts"] < 0.1 < factors["rows"]


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        (1, r"svm\.folds is 1; it must be at least 2"),
        (3, r"svm\.folds is 3, but training has 2 leak groups; lower it"),
    ],
)
def test_svm_refuses_folds_that_cannot_be(folds: int, said: str):
    with pytest.raises(JobshiftError, match=said):
        svm(list("abababab"), folds)


def test_svm_gives_zero_to_a_class_that_training_never_saw():
    three = np.array([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0], [0, 0, 1.0]])
    model = Svm(SvmOptions(min_df=1, folds=2), "none")
    model.fit(ROWS.assign(group=["a", "b", "a", "b"]), three, ONES)
    found = model.probabilities(ROWS)
    assert (found[:, 1] == 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(4))


def test_ensemble_is_the_mean_and_names_its_members(tmp_path: Path):
    model = Ensemble(["models/m/purged-0", "models/m/purged-1"])
    found = model.mean([np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]])])
    assert found == pytest.approx(np.array([[0.4, 0.6]]))
    model.save(tmp_path)
    assert json.loads((tmp_path / "members.json").read_text()) == model.members


# Several classes a text: written work, heavy work, work of any kind, and no work.
SEVERAL = np.array([[1.0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0]])


def test_majority_of_several_classes_is_how_often_each_is():
    model = Majority()
    model.fit(ROWS, SEVERAL, np.array([1, 1, 1, 2]))
    # (1 + 1 + 0 + 2) / 5, (0 + 0 + 1 + 2) / 5, all, none
    assert model.probabilities(ROWS[:1])[0] == pytest.approx([0.8, 0.6, 1.0, 0.0])


def test_each_class_has_a_regression_of_its_own():
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    features, weights = random.normal(size=(30, 3)), random.uniform(0.5, 2, size=30)
    targets = (features[:, :2] + random.normal(size=(30, 2)) > 0).astype(float)
    found = EachClass(LogisticRegression(C=2.0)).fit(features, targets, weights)
    probabilities = found.predict_proba(features)
    for number in range(2):
        alone = LogisticRegression(C=2.0).fit(features, targets[:, number], weights)
        assert probabilities[:, number] == pytest.approx(alone.predict_proba(features)[:, 1])


def test_tfidf_of_several_classes_is_sure_of_what_all_or_none_have(tmp_path: Path):
    model = Tfidf(TfidfOptions(min_df=1, C=100.0), "none", several=True)
    model.fit(ROWS, SEVERAL, ONES)
    found = model.probabilities(pd.DataFrame({"text": ["write", "lift", "sleep"]}))
    assert found[0, 0] > 0.5 > found[0, 1]
    assert found[1, 1] > 0.5
    # They are independent: no row has to sum to 1.
    assert (found[:, 2] == 1).all() and (found[:, 3] == 0).all()
    model.save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    assert weights["intercept"][2:].tolist() == [np.inf, -np.inf]
    terms = json.loads((tmp_path / "vocabulary.json").read_text())
    # One word alone: its TF-IDF vector has length 1, so the logit is coefficient + intercept.
    logit = weights["coef"][0, terms.index("write")] + weights["intercept"][0]
    assert found[0, 0] == pytest.approx(1 / (1 + np.exp(-logit)))


def test_balanced_classes_count_the_rare_side_more():
    text = pd.DataFrame({"text": ["carry crates"] * 10})
    targets = np.array([[1.0]] + [[0.0]] * 9)
    shares = {}
    for how in ("none", "balanced"):
        model = Tfidf(TfidfOptions(min_df=1, C=1e6), how, several=True)
        model.fit(text, targets, np.ones(10))
        shares[how] = model.probabilities(text)[0, 0]
    # The same text ten times, once with the class: 1/10, or 1/2 if both sides count the same.
    assert shares["none"] == pytest.approx(0.1, abs=1e-3)
    assert shares["balanced"] == pytest.approx(0.5, abs=1e-3)


def test_majority_target_is_the_most_frequent_one_and_the_first_of_equals(tmp_path: Path):
    model = MajorityTarget()
    model.fit(pd.DataFrame({"target": ["Move goods", "Write notes", "Read", "Write notes"]}))
    assert model.outputs(ROWS) == ["Write notes"] * 4
    model.save(tmp_path)
    assert json.loads((tmp_path / "target.json").read_text()) == "Write notes"
    model.fit(pd.DataFrame({"target": ["b", "a", "b", "a", "c"]}))
    assert model.outputs(ROWS[:1]) == ["a"]
