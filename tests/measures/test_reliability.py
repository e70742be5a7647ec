"""Reliability against the worked example of Krippendorff (2011) and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobshift.errors import JobshiftError
from jobshift.measures.reliability import (
    class_numbers,
    coincidences,
    krippendorff_alpha,
    reliability_table,
)

# Krippendorff (2011), section C: four observers, twelve units, "." is missing.
OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
EXAMPLE = np.array(
    [
        [-1 if code == "." else int(code) - 1 for code in line.split()]
        for line in OBSERVERS.split("\n")[1:-1]
    ]
).T

ratings = arrays(int, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.integers(-1, 2))


def test_coincidences_of_the_example():
    # The matrix printed in the paper; the last unit has one rating and pairs with nothing: n = 40.
    expected = [
        [7, 4 / 3, 1 / 3, 1 / 3, 0],
        [4 / 3, 10, 4 / 3, 1 / 3, 0],
        [1 / 3, 4 / 3, 8, 1 / 3, 0],
        [1 / 3, 1 / 3, 1 / 3, 4, 0],
        [0, 0, 0, 0, 3],
    ]
    np.testing.assert_allclose(coincidences(EXAMPLE, 5), expected)
    assert coincidences(EXAMPLE, 5).sum() == pytest.approx(40)


def test_alpha_of_the_example():
    assert krippendorff_alpha(EXAMPLE, 5, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(EXAMPLE, 5, "ordinal") == pytest.approx(0.815, abs=5e-4)


def test_alpha_by_hand():
    # Two raters, units 0/0, 0/1, 1/1: coincidences 2, 1, 1, 2; n = 6, margins 3 and 3.
    # α = 1 − 5 · 2 / (2 · 9) = 4/9; with two classes the ordinal distance is a constant.
    numbers = np.array([[0, 0], [0, 1], [1, 1]])
    assert krippendorff_alpha(numbers, 2, "nominal") == pytest.approx(4 / 9)
    assert krippendorff_alpha(numbers, 2, "ordinal") == pytest.approx(4 / 9)


def test_alpha_without_variation_is_undefined():
    assert np.isnan(krippendorff_alpha(np.array([[1, 1], [1, 1]]), 3))
    assert np.isnan(krippendorff_alpha(np.array([[0, -1], [-1, 1]]), 3))
    with pytest.raises(ValueError, match="interval"):
        krippendorff_alpha(EXAMPLE, 5, "interval")


@given(ratings, st.randoms(use_true_random=False))
def test_raters_and_units_have_no_order(numbers, random):
    shuffled = numbers.copy()
    for unit in shuffled:
        random.shuffle(unit)
    random.shuffle(order := list(range(len(shuffled))))
    for level in ("nominal", "ordinal"):
        ours = krippendorff_alpha(numbers, 3, level)
        assert np.isnan(ours) or ours <= 1
        np.testing.assert_allclose(krippendorff_alpha(shuffled[order], 3, level), ours, atol=1e-9)


def test_table():
    frame = pd.DataFrame(
        {
            "A": ["E0", "E0", "E2", "E1"],
            "B": ["E0", "E2", "E2", None],
            "C": ["E0", None, None, None],
        }
    )
    numbers = class_numbers(frame, ["E0", "E2", "E1"], "here")
    np.testing.assert_array_equal(numbers, [[0, 0, 0], [0, 1, -1], [1, 1, -1], [2, -1, -1]])
    table = reliability_table(numbers, list("ABC"), [0.0, 0.5, 1.0]).set_index(
        ["raters", "measure"]
    )
    # A and B share three units: E0/E0, E0/E2, E2/E2. Agreement 2/3; by chance (2·1 + 1·2)/9 = 4/9;
    # κ = (6/9 − 4/9) / (5/9). One step is the only distance here, so quadratic κ is the same.
    assert table.loc[("A-B", "agreement"), "value"] == pytest.approx(2 / 3)
    assert table.loc[("A-B", "cohen_kappa"), "value"] == pytest.approx(2 / 5)
    assert table.loc[("A-B", "cohen_kappa_quadratic"), "value"] == pytest.approx(2 / 5)
    assert table.loc[("A-B", "agreement"), "n"] == 3
    # B and C share one unit and agree on it, which chance would do as well: κ is undefined.
    assert table.loc[("B-C", "agreement"), "value"] == 1
    assert np.isnan(table.loc[("B-C", "cohen_kappa"), "value"])
    # Three units have two ratings or more. Coincidences: 0/0: 6/2 = 3; 0/1: 1 each way; 1/1: 2.
    # n = 7, margins 4 and 3: α = 1 − 6 · 2 / (2 · 12) = 1/2.
    assert table.loc[("A-B-C", "krippendorff_alpha_nominal"), "value"] == pytest.approx(1 / 2)
    assert table.loc[("A-B-C", "krippendorff_alpha_nominal"), "n"] == 3


def test_one_rater_has_no_reliability():
    assert reliability_table(np.zeros((4, 1), dtype=int), ["A"], [0.0, 1.0]).empty


def test_unknown_rating_is_named():
    frame = pd.DataFrame({"A": ["E0", "E9"]}, index=["4.A.1", "4.A.2"])
    with pytest.raises(
        JobshiftError, match=r"ratings\.csv: the rating 'E9' of A for 4\.A\.2 is none"
    ):
        class_numbers(frame, ["E0", "E2", "E1"], "ratings.csv")
