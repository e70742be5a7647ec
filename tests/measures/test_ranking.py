"""Ranking measures by hand, as in scikit-learn, and for weights as a slow loop over draws."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, ranking

POSITIVE = np.array([1, 0, 1, 0, 1])
SCORES = np.array([0.9, 0.8, 0.6, 0.6, 0.2])

# Scores with few digits, so that ties occur.
rows = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=25)
weighted_rows = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=25
)


def test_roc_auc_by_hand():
    # Pairs with the negative 0.8: 0.9 wins, 0.6 and 0.2 lose: 1. With the negative 0.6: 0.9 wins,
    # 0.6 ties, 0.2 loses: 1.5. Of 3 · 2 pairs.
    assert ranking.roc_auc(POSITIVE, SCORES) == pytest.approx(2.5 / 6)


def test_average_precision_by_hand():
    # Distinct scores downwards: 0.9: 1 of 1, recall +1/3; 0.8: no step; 0.6: 2 of 4, +1/3;
    # 0.2: 3 of 5, +1/3.
    assert ranking.average_precision(POSITIVE, SCORES) == pytest.approx((1 + 2 / 4 + 3 / 5) / 3)


def test_weights_by_hand():
    # Row 2 (negative, 0.8) three times, row 5 not at all: pairs 0.9 > 0.8 three times, 0.9 > 0.6,
    # 0.6 = 0.6: 3 + 1 + 0.5 of (1 + 1) · (3 + 1).
    weights = np.array([1.0, 3, 1, 1, 0])
    assert ranking.roc_auc(POSITIVE, SCORES, weights) == pytest.approx(4.5 / 8)
    # 0.9: 1 of 1; 0.6: 2 of 1 + 3 + 2 = 6; two positives.
    assert ranking.average_precision(POSITIVE, SCORES, weights) == pytest.approx((1 + 2 / 6) / 2)


def test_undefined_is_nan():
    assert np.isnan(ranking.roc_auc(np.array([1, 1]), np.array([0.1, 0.2])))
    assert np.isnan(ranking.roc_auc(np.array([0]), np.array([0.1])))
    assert np.isnan(ranking.average_precision(np.array([0, 0]), np.array([0.1, 0.2])))
    assert ranking.average_precision(np.array([1, 1]), np.array([0.1, 0.2])) == 1
    # The second draw has no positive row, the third no row at all.
    weights = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]])
    for function in (ranking.roc_auc, ranking.average_precision):
        np.testing.assert_array_equal(
            np.isnan(function(POSITIVE, SCORES, weights)), [False, True, True]
        )


@given(weighted_rows)
def test_as_scikit_learn(sample):
    positive, scores, weights = (np.array(column) for column in zip(*sample, strict=True))
    scores = scores / 8
    if weights[positive].sum() == 0:
        assert np.isnan(ranking.average_precision(positive, scores, weights))
        return
    assert ranking.average_precision(positive, scores, weights) == pytest.approx(
        sklearn.metrics.average_precision_score(positive, scores, sample_weight=weights)
    )
    if weights[~positive].sum() > 0:
        assert ranking.roc_auc(positive, scores, weights) == pytest.approx(
            sklearn.metrics.roc_auc_score(positive, scores, sample_weight=weights)
        )


@given(rows)
def test_roc_auc_is_half_the_pairs_of_a_reversed_order(sample):
    positive, scores = (np.array(column) for column in zip(*sample, strict=True))
    value = ranking.roc_auc(positive, scores)
    if np.isfinite(value):
        assert 0 <= value <= 1
        assert ranking.roc_auc(positive, -scores) == pytest.approx(1 - value)
        # Only the order counts.
        assert ranking.roc_auc(positive, np.exp(scores)) == pytest.approx(value)


def sample(n: int, groups: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.integers(2, size=n).astype(bool)
    scores = np.round(np.clip(0.3 * positive + rng.random(n) * 0.7, 0, 1), 2)
    return positive, scores, rng.integers(groups, size=n)


@pytest.mark.parametrize("cells", [ranking.CELLS, 1, 130])
def test_draws_of_groups_as_a_slow_loop(monkeypatch, cells):
    # Blocks of all draws, of one draw and of a few must give the same.
    monkeypatch.setattr(ranking, "CELLS", cells)
    positive, scores, group = sample(n=60, groups=9, seed=1)
    weights = bootstrap.resample(9, draws=12, seed=2).T
    theirs = {
        ranking.roc_auc: sklearn.metrics.roc_auc_score,
        ranking.average_precision: sklearn.metrics.average_precision_score,
    }
    values = {ours: ours(positive, scores, weights, group) for ours in theirs}
    for draw, drawn in enumerate(weights.astype(int)):
        # The rows of a draw, each as often as its group was drawn.
        kept = np.repeat(np.arange(60), drawn[group])
        for ours, slow in theirs.items():
            value = slow(positive[kept], scores[kept])
            assert values[ours][draw] == pytest.approx(value), (ours, draw)
    # Without weights: the first draw, as one number.
    for ours, of_draws in values.items():
        value = ours(positive, scores)
        assert np.ndim(value) == 0
        assert value == pytest.approx(of_draws[0])


def test_weights_of_rows_are_weights_of_groups_of_one():
    positive, scores, _ = sample(n=30, groups=3, seed=3)
    weights = np.random.default_rng(4).random((2, 3, 30))
    for function in (ranking.roc_auc, ranking.average_precision):
        by_row = function(positive, scores, weights)
        assert by_row.shape == (2, 3)
        np.testing.assert_allclose(function(positive, scores, weights, np.arange(30)), by_row)


def test_curves_by_hand():
    drawn = ranking.curves(POSITIVE, SCORES)
    # Downwards: 0.9 is positive; 0.8 negative; 0.6 one of each; 0.2 positive. Of 3 and 2.
    x, y = drawn["roc"]
    np.testing.assert_allclose(x, [0, 0, 1 / 2, 1, 1])
    np.testing.assert_allclose(y, [0, 1 / 3, 1 / 3, 2 / 3, 1])
    x, y = drawn["precision_recall"]
    np.testing.assert_allclose(x, [1 / 3, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(y, [1, 1 / 2, 2 / 4, 3 / 5])


@given(rows)
def test_the_curves_are_those_under_which_the_areas_are(sample):
    positive, scores = (np.array(column) for column in zip(*sample, strict=True))
    drawn = ranking.curves(positive, scores)
    if np.isfinite(value := ranking.roc_auc(positive, scores)):
        assert np.trapezoid(drawn["roc"][1], drawn["roc"][0]) == pytest.approx(value)
    else:
        assert not len(drawn["roc"][0])
    recall, precision = drawn["precision_recall"]
    if np.isfinite(value := ranking.average_precision(positive, scores)):
        assert (np.diff(recall, prepend=0) * precision).sum() == pytest.approx(value)
    else:
        assert not len(recall)


def test_curves_are_thinned_evenly_with_both_ends():
    positive, scores = np.arange(1000) % 3 == 0, np.arange(1000) / 1000
    whole, thin = (ranking.curves(positive, scores, points=n) for n in (2000, 5))
    for name, first in (("roc", 1001), ("precision_recall", 1000)):
        assert len(whole[name][0]) == first
        for all_of, some in zip(whole[name], thin[name], strict=True):
            # 0, 249.75, 499.5, 749.25, 999 of 999; a quarter more of 1000.
            kept = [0, 250, 500, 750, 1000] if name == "roc" else [0, 250, 500, 749, 999]
            np.testing.assert_array_equal(some, all_of[kept])


def test_candidates_by_hand():
    # Levels 0, 0.1, 0.4, 0.8, 1; midpoints 0.05, 0.25, 0.6, 0.9, and 0.5.
    np.testing.assert_allclose(
        ranking.candidates(np.array([0.1, 0.4, 0.8])), [0.05, 0.25, 0.5, 0.6, 0.9]
    )
    # Strictly between 0 and 1.
    np.testing.assert_allclose(ranking.candidates(np.array([0.0, 1.0])), [0.5])


def test_counts_at_by_hand():
    # At 0.6 the first four rows are predicted, two of them right; above 0.6 two, one of them right.
    hits, predicted = ranking.counts_at(POSITIVE == 1, SCORES, np.array([0.6, 0.61, 1.0]))
    np.testing.assert_array_equal(hits, [2, 1, 0])
    np.testing.assert_array_equal(predicted, [4, 2, 0])


def test_the_best_threshold_is_the_nearest_to_one_half():
    thresholds = np.array([0.1, 0.3, 0.5, 0.7])
    assert ranking.nearest_best(np.array([3, 1, 2, 1]), thresholds) == 0.1
    assert ranking.nearest_best(np.array([3, 3, 2, 1]), thresholds) == 0.3
    # 0.3 and 0.7 are equally near: the lower.
    assert ranking.nearest_best(np.array([2, 3, 2, 3]), thresholds) == 0.3


@pytest.mark.parametrize(
    ("positive", "scores", "message"),
    [
        ([1, 0], [0.5, np.nan], "row 1: the score nan is not a finite number"),
        ([1, 2], [0.5, 0.5], "row 1: the label 2 is not 0 or 1"),
        ([1], [0.5, 0.5], "one score a row"),
        ([], [], "at least one row"),
    ],
)
def test_bad_rows(positive, scores, message):
    for function in (ranking.roc_auc, ranking.average_precision):
        with pytest.raises(JobshiftError, match=message):
            function(np.array(positive), np.array(scores))


def test_scores_may_be_any_numbers():
    assert ranking.roc_auc(np.array([1, 0]), np.array([7.0, -3])) == 1


def test_weights_must_fit():
    with pytest.raises(JobshiftError, match="5 rows but weights of 4"):
        ranking.roc_auc(POSITIVE, SCORES, np.ones((3, 4)))
    with pytest.raises(JobshiftError, match="group 4 but there are weights of 4 groups"):
        ranking.average_precision(POSITIVE, SCORES, np.ones((3, 4)), np.arange(5))
    with pytest.raises(JobshiftError, match="5 rows but groups of 2 rows"):
        ranking.roc_auc(POSITIVE, SCORES, np.ones((3, 4)), np.arange(2))
