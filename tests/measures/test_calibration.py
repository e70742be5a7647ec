"""Calibration measures by hand, with scikit-learn as a second opinion."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from jobshift.measures import calibration

# Three tasks; the true classes are 0, 1, 2.
P = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
REFERENCE = np.array([0, 1, 2])


def test_brier_score():
    # .3² + .2² + .1² = .14; .5² + .7² + .2² = .78; certain and wrong: 1 + 1 = 2, the maximum.
    np.testing.assert_allclose(calibration.brier_score(P, REFERENCE), [0.14, 0.78, 2.0])


def test_log_loss():
    # −ln .7, −ln .3, and −ln 1e-15 instead of infinity.
    expected = [-np.log(0.7), -np.log(0.3), 15 * np.log(10)]
    np.testing.assert_allclose(calibration.log_loss(P, REFERENCE), expected)


@given(st.integers(1, 30), st.integers(0, 99))
def test_as_scikit_learn(n, seed):
    rng = np.random.default_rng(seed)
    p, reference = rng.dirichlet([1, 1, 1], size=n), rng.integers(3, size=n)
    assert calibration.log_loss(p, reference).mean() == pytest.approx(
        sklearn.metrics.log_loss(reference, p, labels=[0, 1, 2])
    )
    assert calibration.brier_score(p, reference).mean() == pytest.approx(
        sklearn.metrics.brier_score_loss(reference, p, labels=[0, 1, 2], scale_by_half=False)
    )


def test_a_bin_includes_its_upper_edge():
    confidence = np.array([0.0, 0.1, 0.25, 0.26, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(calibration.bin_of(confidence, 4), [0, 0, 0, 1, 1, 2, 3])


CONFIDENCE = np.array([0.9, 0.7, 0.6, 0.4])
RIGHT = np.array([True, True, False, False])


def test_expected_calibration_error():
    # Two bins. Upper: 0.9, 0.7, 0.6 with 2 of 3 right: |2 − 2.2| = 0.2. Lower: 0.4 with none right:
    # 0.4. (0.2 + 0.4) / 4 = 0.15.
    sums = calibration.bin_columns(CONFIDENCE, RIGHT, 2).sum(axis=0)
    assert calibration.expected_calibration_error(sums) == pytest.approx(0.15)
    # With ten bins every task is alone: (0.1 + 0.3 + 0.6 + 0.4) / 4 = 0.35, for twice as many too.
    sums = calibration.bin_columns(CONFIDENCE, RIGHT, 10).sum(axis=0)
    assert calibration.expected_calibration_error(np.stack([sums, 2 * sums])) == pytest.approx(0.35)


def test_perfect_confidence_has_no_error():
    sums = calibration.bin_columns(np.ones(5), np.ones(5), 15).sum(axis=0)
    assert calibration.expected_calibration_error(sums) == 0
    assert np.isnan(calibration.expected_calibration_error(np.zeros(45)))


def test_reliability_diagram():
    sums = calibration.bin_columns(CONFIDENCE, RIGHT, 4).sum(axis=0)
    # Bins (¼, ½]: 0.4, wrong. (½, ¾]: 0.7 right and 0.6 wrong. (¾, 1]: 0.9, right. (0, ¼]: none.
    np.testing.assert_allclose(
        calibration.reliability_diagram(sums),
        [(2, 0.4, 0.0, 1), (3, 0.65, 0.5, 2), (4, 0.9, 1.0, 1)],
    )
