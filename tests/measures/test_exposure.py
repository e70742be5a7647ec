"""α, β and ζ by hand, and that the general form agrees with the three functions."""

import numpy as np
import pandas as pd
import pytest

from jobshift.measures.exposure import EXPOSURE, alpha, beta, class_weights, hard_shares, zeta

SHARES = pd.DataFrame({"p_E0": [0.2, 1.0], "p_E2": [0.5, 0.0], "p_E1": [0.3, 0.0]})


def test_of_shares():
    # First row: α = 0.3; β = 0.3 + 0.5 / 2 = 0.55; ζ = 0.3 + 0.5 = 0.8. Second row: all E0.
    np.testing.assert_allclose(alpha(SHARES), [0.3, 0.0])
    np.testing.assert_allclose(beta(SHARES), [0.55, 0.0])
    np.testing.assert_allclose(zeta(SHARES), [0.8, 0.0])


def test_of_arrays():
    arrays = {name: SHARES[name].to_numpy() for name in SHARES}
    np.testing.assert_allclose(beta(arrays), [0.55, 0.0])


def test_of_hard_labels():
    shares = hard_shares(pd.Series(["E1", "E2", "E0"], index=[7, 8, 9]))
    assert list(shares.index) == [7, 8, 9]
    np.testing.assert_array_equal(alpha(shares), [1, 0, 0])
    np.testing.assert_array_equal(beta(shares), [1, 0.5, 0])
    np.testing.assert_array_equal(zeta(shares), [1, 1, 0])


def test_unknown_label_is_named():
    with pytest.raises(ValueError, match="'E3' in row 1"):
        hard_shares(pd.Series(["E1", "E3"]))


def test_class_weights_are_the_three_functions():
    product = SHARES[[f"p_{name}" for name in EXPOSURE]].to_numpy() @ class_weights()
    np.testing.assert_allclose(product, np.column_stack([f(SHARES) for f in (alpha, beta, zeta)]))


def test_class_weights_of_other_classes():
    # "some" has score 0.25: it is no α, a quarter of β, and all of ζ.
    weights = class_weights({"none": 0.0, "some": 0.25, "full": 1.0})
    np.testing.assert_array_equal(weights, [[0, 0, 0], [0, 0.25, 1], [1, 1, 1]])
