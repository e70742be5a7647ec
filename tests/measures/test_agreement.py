"""Every measure of agreement by hand, with scikit-learn and SciPy as a second opinion."""

import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobshift.measures import agreement

# Reference in rows, prediction in columns: 10 cases, 7 on the diagonal.
TABLE = np.array([[3, 1, 0], [1, 2, 1], [0, 0, 2]])
SCORES = np.array([0.0, 0.5, 1.0])

labels = arrays(int, st.shared(st.integers(1, 40), key="n"), elements=st.integers(0, 2))
# Numbers with few digits: ties occur and no two differ by less than the tolerance.
numbers = arrays(
    float, st.shared(st.integers(3, 30), key="n"), elements=st.integers(-8, 8).map(lambda i: i / 8)
)


def test_confusion_table():
    reference = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 1, 0, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(agreement.confusion_table(reference, predicted, 3), TABLE)


def test_measures_by_hand():
    assert agreement.accuracy(TABLE) == pytest.approx(7 / 10)
    # Columns sum to 4, 3, 3 and rows to 4, 4, 2.
    np.testing.assert_allclose(agreement.precision(TABLE), [3 / 4, 2 / 3, 2 / 3])
    np.testing.assert_allclose(agreement.recall(TABLE), [3 / 4, 2 / 4, 2 / 2])
    # 2 TP / (row + column): 6/8, 4/7, 4/5.
    np.testing.assert_allclose(agreement.f1(TABLE), [6 / 8, 4 / 7, 4 / 5])
    assert agreement.f1_macro(TABLE) == pytest.approx((6 / 8 + 4 / 7 + 4 / 5) / 3)


def test_kappa_by_hand():
    # Chance agreement (4·4 + 4·3 + 2·3) / 100 = 0.34; κ = (0.7 − 0.34) / (1 − 0.34).
    assert agreement.cohen_kappa(TABLE) == pytest.approx(0.36 / 0.66)


def test_quadratic_kappa_by_hand():
    # Squared distances in steps: observed 1 + 1 + 1 = 3 (all errors are by one step). Expected, row
    # sum × column sum / 10: one step 4·3 + 4·4 + 4·3 + 2·3 = 46, two steps (4·3 + 2·4)·4 = 80:
    # 12.6. κ = 1 − 3 / 12.6; the step of 0.5 cancels.
    assert agreement.cohen_kappa(TABLE, SCORES) == pytest.approx(1 - 3 / 12.6)
    assert agreement.cohen_kappa(TABLE, np.arange(3)) == pytest.approx(1 - 3 / 12.6)


def test_leading_dimensions_are_resamples():
    tables = np.stack([TABLE, TABLE.T, np.eye(3, dtype=int)])
    np.testing.assert_allclose(
        agreement.cohen_kappa(tables), [agreement.cohen_kappa(table) for table in tables]
    )
    assert agreement.precision(tables).shape == (3, 3)


def test_majority_baseline():
    # Always class 0: κ is exactly 0, recall of the others 0, their precision undefined, F1 0.
    table = np.array([[5, 0, 0], [3, 0, 0], [2, 0, 0]])
    assert agreement.cohen_kappa(table) == 0
    assert agreement.cohen_kappa(table, SCORES) == 0
    np.testing.assert_array_equal(agreement.precision(table), [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(agreement.recall(table), [1, 0, 0])
    # F1 of class 0: 10 / 15; macro (10/15 + 0 + 0) / 3.
    assert agreement.f1_macro(table) == pytest.approx(10 / 15 / 3)


def test_undefined_is_nan():
    one_class = np.array([[5, 0], [0, 0]])
    assert np.isnan(agreement.cohen_kappa(one_class))
    np.testing.assert_array_equal(agreement.f1(one_class), [1, np.nan])
    assert agreement.f1_macro(one_class) == 1
    empty = np.zeros((2, 2))
    assert np.isnan(agreement.accuracy(empty))
    assert np.isnan(agreement.f1_macro(empty))
    assert np.isnan(agreement.cohen_kappa(empty))


@given(labels, labels)
def test_as_scikit_learn(reference, predicted):
    table = agreement.confusion_table(reference, predicted, 3)
    assert agreement.accuracy(table) == pytest.approx(
        sklearn.metrics.accuracy_score(reference, predicted)
    )
    assert agreement.f1_macro(table) == pytest.approx(
        sklearn.metrics.f1_score(reference, predicted, average="macro")
    )
    if len(set(reference) | set(predicted)) > 1:
        for scores, weights in ((None, None), (SCORES, "quadratic")):
            theirs = sklearn.metrics.cohen_kappa_score(
                reference, predicted, labels=[0, 1, 2], weights=weights
            )
            assert agreement.cohen_kappa(table, scores) == pytest.approx(theirs)


@given(labels, labels)
def test_kappa_is_symmetric_and_bounded(reference, predicted):
    table = agreement.confusion_table(reference, predicted, 3)
    for scores in (None, SCORES):
        kappa = agreement.cohen_kappa(table, scores)
        if np.isfinite(kappa):
            assert agreement.cohen_kappa(table.T, scores) == pytest.approx(kappa)
            assert -1 - 1e-12 <= kappa <= 1
        else:  # Only where nothing but one class occurs.
            assert set(reference) == set(predicted)
            assert len(set(reference)) == 1


def test_pearson_by_hand():
    # Deviations (−1, 0, 1) and (−1, 1, 0): 1 / √(2 · 2).
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    assert agreement.pearson(x, y) == pytest.approx(0.5)
    # The pair with a NaN is left out: the same three pairs remain.
    x, y = np.array([1.0, 2.0, 9.0, 3.0]), np.array([1.0, 3.0, np.nan, 2.0])
    assert agreement.pearson(x, y) == pytest.approx(0.5)


def test_ranks_share_ties():
    values = np.array([[0.3, 0.1, 0.3, np.nan], [2.0, 2.0, 2.0, 1.0]])
    np.testing.assert_array_equal(agreement.ranks(values), [[2.5, 1, 2.5, np.nan], [3, 3, 3, 1]])


def test_ranks_ignore_rounding_noise():
    # 0.1 + 0.2 is 0.30000000000000004.
    np.testing.assert_array_equal(agreement.ranks(np.array([0.3, 0.1 + 0.2, 0.4])), [1.5, 1.5, 3])


def test_spearman_by_hand():
    # Ranks (1, 2, 3, 4) and (1.5, 1.5, 4, 3): deviations (−1.5, −.5, .5, 1.5) and
    # (−1, −1, 1.5, .5); 1.5 + 0.5 + 0.75 + 0.75 = 3.5, over √(5 · 4.5).
    x, y = np.array([1.0, 5.0, 6.0, 90.0]), np.array([2.0, 2.0, 8.0, 7.0])
    assert agreement.spearman(x, y) == pytest.approx(3.5 / np.sqrt(22.5))


def test_spearman_ranks_only_complete_pairs():
    # Without the third pair the ranks are (1, 2, 3) and (1, 3, 2): deviations as in Pearson above.
    x, y = np.array([1.0, 2.0, 2.5, 3.0]), np.array([1.0, 3.0, np.nan, 2.0])
    assert agreement.spearman(x, y) == pytest.approx(0.5)


@given(numbers, numbers)
def test_correlations_as_scipy(x, y):
    for ours, theirs in (
        (agreement.pearson, scipy.stats.pearsonr),
        (agreement.spearman, scipy.stats.spearmanr),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.stats.ConstantInputWarning)
            expected = theirs(x, y).statistic
        np.testing.assert_allclose(ours(x, y), expected, atol=1e-9)
        np.testing.assert_allclose(ours(np.stack([x, y]), np.stack([y, y]))[0], expected, atol=1e-9)


def test_a_constant_has_no_correlation():
    # Means of a constant by different sums differ in the last digit; that is no variation.
    almost = np.array([0.3, 0.1 + 0.2, 0.3, 0.1 * 3])
    other = np.array([1.0, 2.0, 4.0, 3.0])
    assert np.isnan(agreement.pearson(almost, other))
    assert np.isnan(agreement.spearman(almost, other))
    assert np.isnan(agreement.pearson(np.full(4, np.nan), other))


def test_pearson_from_sums():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    sums = (3, x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum())
    assert agreement.pearson_from_sums(*sums) == pytest.approx(0.5)


def test_mean_absolute_error():
    x, y = np.array([[0.5, 0.1, np.nan]]), np.array([[0.2, 0.2, 0.9]])
    # (0.3 + 0.1) / 2
    np.testing.assert_allclose(agreement.mean_absolute_error(x, y), [0.2])
    assert np.isnan(agreement.mean_absolute_error(np.array([np.nan]), np.array([1.0])))


def test_balanced_accuracy():
    # Recalls 8/10 and 1/2, the third class never occurs: (0.8 + 0.5) / 2; accuracy is 9/12.
    confusion = np.array([[8, 1, 1], [1, 1, 0], [0, 0, 0]])
    assert agreement.balanced_accuracy(confusion) == pytest.approx(0.65)
    assert np.isnan(agreement.balanced_accuracy(np.zeros((2, 2))))
