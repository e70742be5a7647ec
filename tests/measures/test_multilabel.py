"""Multi-label measures by hand, as in scikit-learn, and for weights as a slow loop over draws."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, multilabel

CLASSES = ["4.A.1.a.1", "4.A.1.a.2", "4.A.1.b.1", "4.A.2.a.1"]

# 3 rows × 4 classes; class 3 occurs neither in the reference nor in the prediction.
REFERENCE = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]], dtype=bool)
PREDICTED = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], dtype=bool)
SUMS = multilabel.f1_columns(REFERENCE, PREDICTED).sum(axis=0)

shapes = st.shared(st.tuples(st.integers(1, 12), st.integers(1, 6)), key="shape")
labels = arrays(bool, shapes)
# Scores with few digits, so that ties occur.
scores = arrays(float, shapes, elements=st.integers(0, 8).map(lambda i: i / 8))


def test_f1_by_hand():
    # Hits, predictions, cases: class 0: 1, 1, 2; class 1: 0, 1, 1; class 2: 1, 1, 1.
    np.testing.assert_array_equal(SUMS, [1, 0, 1, 0, 1, 1, 1, 0, 2, 1, 1, 0])
    np.testing.assert_allclose(multilabel.f1(SUMS), [2 / 3, 0, 1, np.nan])
    # Class 3 is left out, class 1 counts with 0.
    assert multilabel.f1_macro(SUMS) == pytest.approx((2 / 3 + 0 + 1) / 3)
    # 2 hits, 3 predictions, 4 cases.
    assert multilabel.precision_micro(SUMS) == pytest.approx(2 / 3)
    assert multilabel.recall_micro(SUMS) == pytest.approx(2 / 4)
    assert multilabel.f1_micro(SUMS) == pytest.approx(2 * 2 / (3 + 4))


def test_undefined_is_nan():
    nothing = np.zeros(12)
    for function in (
        multilabel.f1_macro,
        multilabel.f1_micro,
        multilabel.precision_micro,
        multilabel.recall_micro,
    ):
        assert np.isnan(function(nothing))
    # Cases without predictions: no precision, recall 0, F1 0.
    missed = np.array([0.0, 0, 3])
    assert np.isnan(multilabel.precision_micro(missed))
    assert multilabel.recall_micro(missed) == 0
    assert multilabel.f1_micro(missed) == 0


@given(labels, labels.map(np.copy))
def test_f1_as_scikit_learn(reference, predicted):
    sums = multilabel.f1_columns(reference, predicted).sum(axis=0)
    occurring = np.flatnonzero((reference | predicted).any(axis=0))
    if not len(occurring):
        assert np.isnan(multilabel.f1_macro(sums))
        return
    for average, function in (("macro", multilabel.f1_macro), ("micro", multilabel.f1_micro)):
        # A column of its own keeps scikit-learn from taking one class for a yes/no task.
        theirs = sklearn.metrics.f1_score(
            np.column_stack([reference, np.zeros(len(reference), dtype=bool)]),
            np.column_stack([predicted, np.zeros(len(reference), dtype=bool)]),
            labels=occurring,
            average=average,
            zero_division=0,
        )
        assert function(sums) == pytest.approx(theirs)
    assert multilabel.subset_accuracy(reference, predicted).mean() == pytest.approx(
        np.mean([list(a) == list(b) for a, b in zip(reference, predicted, strict=True)])
    )


def test_subset_accuracy_by_hand():
    np.testing.assert_array_equal(multilabel.subset_accuracy(REFERENCE, PREDICTED), [0, 0, 1])


def test_ranking_by_hand():
    reference = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    values = np.array([[0.9, 0.8, 0.3, 0.1], [0.5, 0.2, 0.5, 0.5], [0.1] * 4, [0.1] * 4])
    # Row 0: class 0 has rank 1, 1 of 1; class 2 has rank 3, 2 of 3. Row 1: three classes score at
    # least 0.5, one of them is right: 1/3. The others have nothing to rank.
    np.testing.assert_allclose(
        multilabel.label_ranking_average_precision(reference, values),
        [(1 + 2 / 3) / 2, 1 / 3, 1, 1],
    )


@given(labels, scores)
def test_ranking_as_scikit_learn(reference, values):
    ours = multilabel.label_ranking_average_precision(reference, values)
    assert ((ours > 0) & (ours <= 1)).all()
    if reference.shape[1] > 1:
        theirs = sklearn.metrics.label_ranking_average_precision_score(reference, values)
        assert ours.mean() == pytest.approx(theirs)


def test_ancestors():
    assert multilabel.ancestors("4.A.1.a.1") == ["4.A.1.a", "4.A.1", "4.A"]
    assert multilabel.ancestors("4.A.1.a.1", levels=3) == ["4.A.1.a", "4.A.1"]
    assert multilabel.ancestors("4.A.1.a.1.I02.D03", levels=4) == [
        "4.A.1.a.1.I02",
        "4.A.1.a.1",
        "4.A.1.a",
    ]
    assert multilabel.ancestors("4.A") == []


def test_hierarchy():
    names, implies = multilabel.hierarchy(CLASSES)
    # 4.A is above all classes: the root.
    assert names == sorted([*CLASSES, "4.A.1", "4.A.2", "4.A.1.a", "4.A.1.b", "4.A.2.a"])
    assert {names[node] for node in np.flatnonzero(implies[1])} == {
        "4.A.1.a.2",
        "4.A.1.a",
        "4.A.1",
    }
    assert multilabel.hierarchy(CLASSES, root=True)[0] == ["4.A", *names]
    # One class keeps its own code alone, and a class that is above all others is no mere root.
    assert multilabel.hierarchy(["4.A.1"])[0] == ["4.A.1"]
    assert multilabel.hierarchy(["4.A", "4.A.1"])[0] == ["4.A", "4.A.1"]


def test_hierarchical_f1_by_hand():
    _, implies = multilabel.hierarchy(CLASSES)
    reference, predicted = (multilabel.augmented(each, implies) for each in (REFERENCE, PREDICTED))
    sums = multilabel.f1_columns(reference, predicted).sum(axis=0)
    # Row 0: {a.1, a.2, a, 1} and {a.1, a, 1}: 3 hits of 4 cases, 3 predictions. Row 1: {a.1, a, 1}
    # and {a.2, a, 1}: 2 hits, 3, 3. Row 2: {b.1, b, 1} in both: 3, 3, 3. 8 hits, 9 predictions, 10.
    assert multilabel.precision_micro(sums) == pytest.approx(8 / 9)
    assert multilabel.recall_micro(sums) == pytest.approx(8 / 10)
    assert multilabel.f1_micro(sums) == pytest.approx(16 / 19)
    # With the root one more hit, prediction and case a row: 11 of 12 and of 13.
    _, implies = multilabel.hierarchy(CLASSES, root=True)
    sums = multilabel.f1_columns(
        multilabel.augmented(REFERENCE, implies), multilabel.augmented(PREDICTED, implies)
    ).sum(axis=0)
    assert multilabel.f1_micro(sums) == pytest.approx(22 / 25)


codes = st.sets(st.sampled_from([*CLASSES, "4.A.2.a.2", "4.A.2.b.4", "4.A.3.a.1"]), max_size=4)


@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=8))
def test_hierarchical_f1_as_sets(rows):
    classes = sorted(set(CLASSES).union(*(a | b for a, b in rows)))
    _, implies = multilabel.hierarchy(classes)

    def extended(names: set[str]) -> set[str]:
        return names.union(*(multilabel.ancestors(name) for name in names)) - {"4.A"}

    hits = sum(len(extended(a) & extended(b)) for a, b in rows)
    total = sum(len(extended(a)) + len(extended(b)) for a, b in rows)
    reference, predicted = (
        multilabel.augmented(
            multilabel.indicators(pd.Series([" ".join(row[side]) for row in rows]), classes),
            implies,
        )
        for side in (0, 1)
    )
    value = multilabel.f1_micro(multilabel.f1_columns(reference, predicted).sum(axis=0))
    assert np.isnan(value) if total == 0 else value == pytest.approx(2 * hits / total)


def test_indicators():
    np.testing.assert_array_equal(
        multilabel.indicators(pd.Series(["b a", "", "b"]), ["a", "b"]),
        [[True, True], [False, False], [False, True]],
    )
    with pytest.raises(JobshiftError, match="row 1: 'c' is none of the 2 classes"):
        multilabel.indicators(pd.Series(["b a", "c"]), ["a", "b"])


def test_thresholds_by_hand():
    reference = np.array([[1, 0], [1, 0], [0, 1]], dtype=bool)
    values = np.array([[0.3, 0.5], [0.6, 0.1], [0.4, 0.8]])
    # By themselves: class 0 has both cases at 0.2 among 3 predictions, 2·2 / (3 + 2) = 0.8, and one of
    # one from 0.45 to 0.55, 2/3; class 1 its case alone at 0.55 and 0.7, of which 0.55 is nearer 0.5.
    alone = multilabel.choose_thresholds(reference, values, 1e-9)
    np.testing.assert_allclose(alone, [0.2, 0.55])
    # All together: at 0.2 3 hits in 5, at 0.55 2 in 2, so 2·3 / (5 + 3) = 0.75 and 2·2 / (2 + 3) = 0.8.
    # With a prior of as many cases as there are, 3, class 0 at 0.2: 2 (2 + 3) / (3 + 5 + 2 + 3) = 10/13,
    # at 0.55: 2 (1 + 2) / (1 + 2 + 2 + 3) = 6/8; class 1 at 0.55: 2 (1 + 2) / (1 + 2 + 1 + 3) = 6/7,
    # at 0.2: 2 (1 + 3) / (2 + 5 + 1 + 3) = 8/11.
    np.testing.assert_allclose(multilabel.choose_thresholds(reference, values, 3), [0.2, 0.55])
    # With a hundred times as many, class 0 at 0.2: 604/805, at 0.55: 402/503.
    np.testing.assert_allclose(multilabel.choose_thresholds(reference, values, 300), [0.55, 0.55])
    with pytest.raises(JobshiftError, match="prior of the thresholds is 0 cases"):
        multilabel.choose_thresholds(reference, values, 0)


def test_thresholds_without_any_case():
    chosen = multilabel.choose_thresholds(np.zeros((2, 3), dtype=bool), np.full((2, 3), 0.7))
    np.testing.assert_array_equal(chosen, [0.5, 0.5, 0.5])


@settings(max_examples=40)
@given(labels, scores.map(lambda values: (values * 8 + 1) / 10))
def test_thresholds_are_best(reference, values):
    chosen = multilabel.choose_thresholds(reference, values, 1e-9)
    assert ((chosen > 0) & (chosen < 1)).all()

    def each(thresholds):
        columns = multilabel.f1_columns(reference, values >= thresholds)
        return multilabel.f1(columns.sum(axis=0))

    ours, cases = each(chosen), reference.any(axis=0)
    for threshold in np.arange(1, 20) / 20:
        assert (each(threshold)[cases] <= ours[cases] + 1e-6).all()


@settings(max_examples=40)
@given(labels, scores.map(lambda values: (values * 8 + 1) / 10))
def test_with_a_large_prior_all_thresholds_are_that_of_highest_micro_f1(reference, values):
    chosen = multilabel.choose_thresholds(reference, values, 1e12)

    def micro(thresholds):
        return multilabel.f1_micro(
            multilabel.f1_columns(reference, values >= thresholds).sum(axis=0)
        )

    if reference.any():
        assert np.nanmax([micro(each) for each in np.arange(1, 20) / 20]) <= micro(chosen) + 1e-6


def test_draws_of_groups_as_a_slow_loop():
    rng = np.random.default_rng(5)
    n, groups = 40, 7
    reference = rng.random((n, 4)) < [0.5, 0.3, 0.05, 0.2]
    values = np.round(np.clip(rng.random((n, 4)) * 0.7 + 0.3 * reference, 0, 1), 2)
    group = rng.integers(groups, size=n)
    held_out = bootstrap.Resamples(pd.DataFrame({"group": group}), draws=10, seed=6)
    predicted = values >= [0.5, 0.4, 0.95, 0.6]
    names, implies = multilabel.hierarchy(CLASSES)
    columns = multilabel.columns(reference, predicted, values, implies)
    result = multilabel.measures(held_out.sums(columns), CLASSES)
    assert held_out.weights.shape == (groups, 11)
    for draw, drawn in enumerate(held_out.weights.T.astype(int)):
        kept = np.repeat(np.arange(n), drawn[group])
        truth, guess = reference[kept], predicted[kept]
        occurring = np.flatnonzero((truth | guess).any(axis=0))
        deep = [
            np.array(
                [
                    [
                        any(
                            name == CLASSES[c] or name in multilabel.ancestors(CLASSES[c])
                            for c in np.flatnonzero(row)
                        )
                        for name in names
                    ]
                    for row in rows
                ]
            )
            for rows in (truth, guess)
        ]
        slow = {
            "f1_micro": sklearn.metrics.f1_score(truth, guess, average="micro"),
            "f1_macro": sklearn.metrics.f1_score(truth, guess, average="macro", labels=occurring),
            "precision_micro": sklearn.metrics.precision_score(truth, guess, average="micro"),
            "recall_micro": sklearn.metrics.recall_score(truth, guess, average="micro"),
            "hierarchical_f1": sklearn.metrics.f1_score(*deep, average="micro"),
            "hierarchical_precision": sklearn.metrics.precision_score(*deep, average="micro"),
            "hierarchical_recall": sklearn.metrics.recall_score(*deep, average="micro"),
            "label_ranking_average_precision": (
                sklearn.metrics.label_ranking_average_precision_score(truth, values[kept])
            ),
            "subset_accuracy": sklearn.metrics.accuracy_score(truth, guess),
        }
        each = sklearn.metrics.f1_score(truth, guess, average=None, zero_division=np.nan)
        slow |= {f"f1_{name}": value for name, value in zip(CLASSES, each, strict=True)}
        assert list(slow) == list(result)
        for name, value in slow.items():
            assert result[name][draw] == pytest.approx(value, nan_ok=True), (name, draw)
    for name, value in multilabel.measures(columns.sum(axis=0), CLASSES).items():
        assert np.ndim(value) == 0
        assert value == pytest.approx(result[name][0])


def test_the_table_of_classes_by_hand():
    _, implies = multilabel.hierarchy(CLASSES)
    columns = multilabel.columns(REFERENCE, PREDICTED, PREDICTED.astype(float), implies)
    table = multilabel.class_table(columns.sum(axis=0), CLASSES)
    assert table["class"].tolist() == CLASSES and table["n_test"].tolist() == [2, 1, 1, 0]
    # Hits, predictions, cases: class 0: 1, 1, 2; class 1: 0, 1, 1; class 2: 1, 1, 1; class 3: none.
    np.testing.assert_array_equal(table["precision"], [1, 0, 1, np.nan])
    np.testing.assert_array_equal(table["recall"], [1 / 2, 0, 1, np.nan])
    np.testing.assert_array_equal(table["f1"], [2 / 3, 0, 1, np.nan])


def test_bad_input():
    with pytest.raises(JobshiftError, match="row 1: the score nan of class 0 is not a finite"):
        multilabel.label_ranking_average_precision(
            REFERENCE[:2, :2], np.array([[0.1, 0.2], [np.nan, 0.1]])
        )
    with pytest.raises(JobshiftError, match=r"the score 1\.5 of class 1 is not a probability"):
        multilabel.choose_thresholds(REFERENCE[:1, :2], np.array([[0.1, 1.5]]))
    # Numbers would be added where truth values are meant.
    with pytest.raises(JobshiftError, match="the labels as true or false"):
        multilabel.choose_thresholds(REFERENCE.astype(int), REFERENCE.astype(float))
