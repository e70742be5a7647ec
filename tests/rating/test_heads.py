import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobshift.rating.heads import Heads, normalised, softmax, whitening

LOGITS = arrays(np.float32, (4, 3), elements=st.floats(-50, 50, width=32))


def test_softmax_with_temperature_by_hand():
    # e^0 : e^ln 3 is 1 : 3; at temperature 2 it is 1 : √3.
    logits = np.array([[0.0, np.log(3)]])
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75]])
    np.testing.assert_allclose(softmax(logits, 2.0)[0, 1], 3**0.5 / (1 + 3**0.5))


@given(LOGITS, st.floats(0.05, 20))
def test_a_temperature_changes_no_prediction_and_probabilities_sum_to_1(logits, temperature):
    p = softmax(logits, temperature)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    largest = p.max(axis=1)
    assert (p[np.arange(len(p)), logits.argmax(axis=1)] == largest).all()


def test_distance_is_one_minus_the_mean_cosine_to_the_nearest():
    train = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32)
    heads = Heads(train, neighbours=2)
    # Of [2, 0] the cosines are 1, .6, 0, −1; of a text without direction all are 0.
    found = heads.distance(np.array([[2.0, 0.0], [0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [1 - 0.8, 1], atol=1e-6)


def test_the_nearest_come_in_order_and_equal_ones_as_they_stand():
    train = np.array([[0, 1], [1, 0], [1, 0], [-1, 0]], dtype=np.float32)
    rows, cosine = Heads(train, 1).nearest(np.array([[3.0, 0.0]]), 3)
    assert rows.tolist() == [[1, 2, 0]]
    np.testing.assert_allclose(cosine, [[1, 1, 0]])
    assert Heads(train, 1).nearest(np.ones((2, 2)), 9)[0].shape == (2, 4)


# Squares of numbers below 1e-19 are lost in float32, and with them the length; no network gives such.
NUMBERS = st.floats(-10, 10, width=32).map(lambda value: value if abs(value) > 1e-6 else 0.0)


@given(arrays(np.float32, (5, 3), elements=NUMBERS), st.floats(0.1, 9))
def test_distance_is_the_nearests_and_does_not_depend_on_length(embedding, factor):
    train = normalised(np.eye(3, dtype=np.float32)[[0, 1, 1, 2]] + 0.1)
    heads = Heads(train, neighbours=3)
    _, cosine = heads.nearest(embedding, 3)
    np.testing.assert_allclose(heads.distance(embedding), 1 - cosine.mean(axis=1), atol=1e-6)
    longer = heads.distance(embedding * np.float32(factor))
    np.testing.assert_allclose(heads.distance(embedding), longer, atol=1e-5)


def test_automation_is_a_softmax_of_a_linear_map_or_nothing():
    weight, bias = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, np.log(2)])
    heads = Heads(np.eye(2, dtype=np.float32), 1, weight, bias)
    found = heads.automation_probabilities(np.array([[0.0, 0.0], [np.log(2), 0.0]]))
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3], [0.5, 0.5]])
    assert Heads(np.eye(2), 1).automation_probabilities(np.ones((3, 2))).shape == (3, 0)


def test_normalised_rows_have_length_1_and_zeros_stay():
    found = normalised(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert found.dtype == np.float32
    assert found.tolist() == [pytest.approx([0.6, 0.8]), [0, 0]]


def test_whitening_by_hand_and_what_it_finds_near():
    # Variances 9 and 1 along the axes, their mean 5: scales 1/√14 and 1/√6, about the mean (1, 1).
    mean, spread = whitening(np.array([[4, 2], [-2, 2], [4, 0], [-2, 0]]))
    np.testing.assert_allclose(mean, [1, 1])
    np.testing.assert_allclose(spread, [[14**-0.5, 0], [0, 6**-0.5]], atol=1e-6)
    heads = Heads(np.array([[1.0, 0.0]]), 1, mean=mean, map=spread)
    np.testing.assert_allclose(
        heads.distance(np.array([[5.0, 1.0], [-3.0, 1.0]])), [0, 2], atol=1e-6
    )
    assert np.isfinite(whitening(np.ones((3, 2)))[1]).all()
