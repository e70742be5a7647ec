"""Ranking measures by hand, as in scikit-learn, and for weights as a slow loop over draws."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
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


def test_brier_score_and_accuracy_by_hand():
    # 0.1² + 0.8² + 0.4² + 0.6² + 0.8² = 0.01 + 0.64 + 0.16 + 0.36 + 0.64 = 1.81.
    assert ranking.brier_score(POSITIVE, SCORES) == pytest.approx(1.81 / 5)
    # At 0.6 the first four are predicted: right are rows 1 and 3.
    assert ranking.accuracy(POSITIVE, SCORES, 0.6) == pytest.approx(2 / 5)
    # Above 0.6 the first two are: right are rows 1 and 4.
    assert ranking.accuracy(POSITIVE, SCORES, 0.61) == pytest.approx(2 / 5)


def test_weights_by_hand():
    # Row 2 (negative, 0.8) three times, row 5 not at all: pairs 0.9 > 0.8 three times, 0.9 > 0.6,
    # 0.6 = 0.6: 3 + 1 + 0.5 of (1 + 1) · (3 + 1).
    weights = np.array([1.0, 3, 1, 1, 0])
    assert ranking.roc_auc(POSITIVE, SCORES, weights) == pytest.approx(4.5 / 8)
    # 0.9: 1 of 1; 0.6: 2 of 1 + 3 + 2 = 6; two positives.
    assert ranking.average_precision(POSITIVE, SCORES, weights) == pytest.approx((1 + 2 / 6) / 2)
    # (0.01 + 3 · 0.64 + 0.16 + 0.36) / 6.
    assert ranking.brier_score(POSITIVE, SCORES, weights) == pytest.approx(2.45 / 6)
    # At 0.5 the first four are predicted: right are rows 1 and 3, of 6.
    assert ranking.accuracy(POSITIVE, SCORES, 0.5, weights) == pytest.approx(2 / 6)


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
    np.testing.assert_array_equal(
        np.isnan(ranking.brier_score(POSITIVE, SCORES, weights)), [False, False, True]
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
    assert ranking.brier_score(positive, scores, weights) == pytest.approx(
        sklearn.metrics.brier_score_loss(positive, scores, sample_weight=weights)
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
    values = ranking.measure(positive, scores, 0.45, weights, group)
    assert list(values) == ["roc_auc", "average_precision", "brier_score", "accuracy"]
    for draw, drawn in enumerate(weights.astype(int)):
        # The rows of a draw, each as often as its group was drawn.
        kept = np.repeat(np.arange(60), drawn[group])
        truth, score = positive[kept], scores[kept]
        slow = {
            "roc_auc": sklearn.metrics.roc_auc_score(truth, score),
            "average_precision": sklearn.metrics.average_precision_score(truth, score),
            "brier_score": np.mean([(s - t) ** 2 for s, t in zip(score, truth, strict=True)]),
            "accuracy": np.mean([(s >= 0.45) == t for s, t in zip(score, truth, strict=True)]),
        }
        for name, value in slow.items():
            assert values[name][draw] == pytest.approx(value), (name, draw)
    # Without weights: the first draw, as one number.
    for name, value in ranking.measure(positive, scores, 0.45).items():
        assert np.ndim(value) == 0
        assert value == pytest.approx(values[name][0])


def test_weights_of_rows_are_weights_of_groups_of_one():
    positive, scores, _ = sample(n=30, groups=3, seed=3)
    weights = np.random.default_rng(4).random((2, 3, 30))
    by_row = ranking.measure(positive, scores, 0.5, weights)
    by_group = ranking.measure(positive, scores, 0.5, weights, np.arange(30))
    for name, values in by_row.items():
        assert values.shape == (2, 3)
        np.testing.assert_allclose(by_group[name], values)


def test_best_threshold_by_hand():
    # Levels 0, 0.1, 0.4, 0.8, 1; midpoints 0.05, 0.25, 0.6, 0.9, and 0.5. Right at 0.05: 2 of 3
    # (0.1 is negative), at 0.25 all 3.
    truth, scores = np.array([0, 1, 1]), np.array([0.1, 0.4, 0.8])
    np.testing.assert_allclose(ranking.candidates(scores), [0.05, 0.25, 0.5, 0.6, 0.9])
    assert ranking.best_threshold(truth, scores) == pytest.approx(0.25)
    # 0.3 is negative, 0.7 is positive: the midpoint is 0.5 itself.
    assert ranking.best_threshold(np.array([0, 1]), np.array([0.3, 0.7])) == 0.5
    # Every threshold from 0.1 to 0.8 is right; the midpoint is 0.45, but 0.5 is nearer.
    assert ranking.best_threshold(np.array([0, 1]), np.array([0.1, 0.8])) == 0.5


def test_equally_near_thresholds():
    # Alternating labels at 0.2, 0.4, 0.6, 0.8. At 0.3 and at 0.7 three of four are right, at 0.5
    # two: both are as near 0.5, the lower wins.
    truth, scores = np.array([0, 1, 0, 1]), np.array([0.2, 0.4, 0.6, 0.8])
    assert ranking.best_threshold(truth, scores) == pytest.approx(0.3)


def test_probabilities_of_0_and_1():
    # Strictly between 0 and 1: 0 is never predicted, 1 always.
    truth, scores = np.array([1, 0]), np.array([0.0, 1.0])
    threshold = ranking.best_threshold(truth, scores)
    assert 0 < threshold < 1
    assert ranking.accuracy(truth, scores, threshold) == 0


@settings(max_examples=50)
@given(rows)
def test_best_threshold_is_best(sample):
    positive, scores = (np.array(column) for column in zip(*sample, strict=True))
    scores = (scores + 1) / 10
    chosen = ranking.best_threshold(positive, scores)
    value = ranking.accuracy(positive, scores, chosen)
    grid = np.arange(1, 100) / 100
    others = np.array([ranking.accuracy(positive, scores, threshold) for threshold in grid])
    assert value >= others.max() - 1e-12
    # No midpoint that is as good lies nearer 0.5.
    nearer = np.abs(grid - 0.5) < abs(chosen - 0.5) - 1e-9
    middle = np.isin(np.round(grid, 2), np.round(ranking.candidates(scores), 2))
    assert not (others[nearer & middle] >= value - 1e-12).any()


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


def test_probabilities_must_be_probabilities():
    for function in (ranking.brier_score, ranking.best_threshold):
        with pytest.raises(JobshiftError, match=r"row 0: the score 1\.5 is not a probability"):
            function(np.array([1]), np.array([1.5]))
    # The order of any numbers will do for the others.
    assert ranking.roc_auc(np.array([1, 0]), np.array([7.0, -3])) == 1


def test_weights_must_fit():
    with pytest.raises(JobshiftError, match="5 rows but weights of 4"):
        ranking.roc_auc(POSITIVE, SCORES, np.ones((3, 4)))
    with pytest.raises(JobshiftError, match="group 4 but there are weights of 4 groups"):
        ranking.brier_score(POSITIVE, SCORES, np.ones((3, 4)), np.arange(5))
    with pytest.raises(JobshiftError, match="5 rows but groups of 2 rows"):
        ranking.roc_auc(POSITIVE, SCORES, np.ones((3, 4)), np.arange(2))
