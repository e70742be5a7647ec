"""α, β and ζ by hand."""

import numpy as np

from jobshift.measures.exposure import EXPOSURE, class_weights


def test_of_shares_and_of_hard_labels():
    # Columns E0, E2, E1. First row: α = .3; β = .3 + .5 / 2 = .55; ζ = .3 + .5 = .8.
    shares = np.array([[0.2, 0.5, 0.3], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert list(EXPOSURE) == ["E0", "E2", "E1"]
    expected = [[0.3, 0.55, 0.8], [0, 0, 0], [0, 0.5, 1], [1, 1, 1]]
    np.testing.assert_allclose(shares @ class_weights(), expected)


def test_of_other_classes():
    # "some" has score 0.25: it is no α, a quarter of β, and all of ζ.
    weights = class_weights({"none": 0.0, "some": 0.25, "full": 1.0})
    np.testing.assert_array_equal(weights, [[0, 0, 0], [0, 0.25, 1], [1, 1, 1]])
