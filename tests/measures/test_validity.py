"""External validity: weighted r and ranks by hand, draws against SciPy on the drawn rows."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.measures import validity
from jobshift.measures.bootstrap import resample


def once(n: int) -> np.ndarray:
    """Every unit drawn once: the plain value."""
    return np.ones((n, 1))


def test_weighted_pearson_by_hand():
    # Weights 1, 1, 2 (sum 4). Means: x (0 + 1 + 2·2)/4 = 1.25, y (0 + 2 + 2·1)/4 = 1.
    # Covariance: (−1.25·−1 + −0.25·1 + 2·0.75·0)/4 = 1/4.
    # Variances: x (1.5625 + 0.0625 + 2·0.5625)/4 = 0.6875, y (1 + 1 + 0)/4 = 0.5.
    x, y = np.array([0.0, 1, 2]), np.array([0.0, 2, 1])
    found = validity.weighted_pearson(x, y, np.array([[1.0], [1], [2]]))
    assert found == pytest.approx([0.25 / np.sqrt(0.6875 * 0.5)])
    # An occupation of weight 2 is the same as two of weight 1.
    assert found == pytest.approx([scipy.stats.pearsonr([0, 1, 2, 2], [0, 2, 1, 1]).statistic])


def test_spearman_with_ties_by_hand():
    # Ranks of x: 1, 2.5, 2.5, 4; of y: 1, 3, 2, 4. About their mean 2.5: x −1.5, 0, 0, 1.5 and
    # y −1.5, 0.5, −0.5, 1.5. ρ = (2.25 + 2.25) / √(4.5 · 5).
    x, y = np.array([1.0, 2, 2, 3]), np.array([10.0, 30, 20, 40])
    found = validity.correlations(x, y, once(4), None)
    assert list(found) == ["pearson", "spearman"]
    draws, n = found["spearman"]
    assert n == 4
    assert draws == pytest.approx([4.5 / np.sqrt(22.5)])


def test_ranks_in_a_draw_by_hand():
    # 10 is drawn twice (places 1 and 2: rank 1.5), each 20 once (places 3 and 4: 3.5), 30 never.
    ranks = validity.drawn_ranks(np.array([30.0, 20, 10, 20]), np.array([[0.0], [1], [2], [1]]))
    assert ranks[1:, 0].tolist() == [3.5, 1.5, 3.5]


@settings(deadline=None, max_examples=60)
@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 9)), min_size=5, max_size=25
    ),
    seed=st.integers(0, 5),
)
def test_every_draw_is_the_correlation_of_the_drawn_rows(pairs, seed):
    x, y, workers = (np.array(column) / 4 for column in zip(*pairs, strict=True))
    times = resample(len(x), 3, seed)
    found = validity.correlations(x, y, times, workers)
    for draw in range(times.shape[1]):
        rows = np.repeat(np.arange(len(x)), times[:, draw].astype(int))
        many = np.repeat(rows, (4 * workers[rows]).astype(int))
        for method, kept, function in (
            ("pearson", rows, scipy.stats.pearsonr),
            ("spearman", rows, scipy.stats.spearmanr),
            # A worker is a row of its own.
            ("pearson_employment", many, scipy.stats.pearsonr),
        ):
            value = found[method][0][draw]
            if np.ptp(x[kept]) == 0 or np.ptp(y[kept]) == 0:
                assert np.isnan(value)
            else:
                expected = function(x[kept], y[kept]).statistic
                assert value == pytest.approx(expected, abs=1e-9)


def test_units_without_a_value_or_employment_are_left_out_and_counted():
    x = np.array([0.0, 1, 2, np.nan, 5])
    y = np.array([0.0, 2, 1, 9, 7])
    workers = np.array([10.0, 10, 20, 30, np.nan])
    found = validity.correlations(x, y, once(5), workers)
    assert {method: n for method, (_, n) in found.items()} == {
        "pearson": 4,
        "spearman": 4,
        "pearson_employment": 3,
    }
    # The three that are left have the weights of the first test, times 10.
    assert found["pearson_employment"][0] == pytest.approx([0.25 / np.sqrt(0.6875 * 0.5)])


def test_a_constant_and_no_unit_at_all_have_no_correlation():
    flat = validity.correlations(np.full(3, 0.1), np.arange(3.0), once(3), np.ones(3))
    assert all(np.isnan(draws).all() and n == 3 for draws, n in flat.values())
    none = validity.correlations(np.full(3, np.nan), np.arange(3.0), once(3), np.ones(3))
    assert all(np.isnan(draws).all() and n == 0 for draws, n in none.values())
    assert len(none) == 3


def test_a_measure_nobody_gave_is_not_there():
    rates = pd.DataFrame({"beta": [0.1, 0.4, 0.2], "substituted_share": [np.nan] * 3})
    scores = pd.DataFrame({"applicability": [0.2, 0.3, 0.1]})
    found = validity.correlate(rates, scores, once(3), None)
    assert {key[0] for key in found} == {"beta"}


OCCUPATIONS = pd.DataFrame(
    [
        ("11-1011.00", "11-1011", "11-1011", 0.2),
        ("11-1011.03", "11-1011", "11-1011", 0.6),
        ("31-1121.00", "31-1121", "31-1120", 0.9),
        ("31-1122.00", "31-1122", "31-1120", 0.1),
        ("31-1122.01", "31-1122", "31-1120", 0.2),
        ("45-3031.00", "45-3031", None, 0.5),
        ("47-9999.00", "47-9999", "47-9990", 0.7),
    ],
    columns=["occupation", "soc", "oews_code", "beta"],
).set_index("occupation")


def test_codes_join_as_they_are_or_by_the_code_that_stands_for_them():
    joined = validity.join_codes(OCCUPATIONS, {"11-1011", "31-1120", "45-3031"})
    assert joined["join"].tolist() == [*["direct"] * 2, *["bridged"] * 3, "direct", "none"]
    assert joined["code"].fillna("-").tolist() == [
        *["11-1011"] * 2,
        *["31-1120"] * 3,
        "45-3031",
        "-",
    ]
    # 11-1011: (0.2 + 0.6)/2. 31-1120: SOC means 0.9 and (0.1 + 0.2)/2 = 0.15, of these 0.525.
    means = validity.code_means(OCCUPATIONS[["beta"]], joined)["beta"]
    assert means.to_dict() == pytest.approx({"11-1011": 0.4, "31-1120": 0.525, "45-3031": 0.5})


def test_a_soc_code_that_has_a_score_does_not_take_the_bridge():
    joined = validity.join_codes(OCCUPATIONS, {"31-1121", "31-1120"})
    assert joined.loc["31-1121.00", ["code", "join"]].tolist() == ["31-1121", "direct"]
    assert joined.loc["31-1122.00", ["code", "join"]].tolist() == ["31-1120", "bridged"]


def test_group_means_weigh_what_has_a_value():
    rates = pd.DataFrame({"beta": [0.2, 0.6, np.nan, 0.5], "alpha": [0.0, 0.4, 0.8, np.nan]})
    groups = pd.Series(["11", "11", "11", "31"])
    means = validity.group_means(rates, groups, pd.Series([1.0, 3.0, 4.0, np.nan]))
    # β: (0.2 + 3·0.6)/4 = 0.5; α: (0 + 3·0.4 + 4·0.8)/8 = 0.55; 31 has no weight.
    assert means.loc["11"].to_dict() == pytest.approx({"beta": 0.5, "alpha": 0.55})
    assert means.loc["31"].isna().all()


def test_a_task_counts_once_for_each_activity():
    activities = pd.Series(
        {
            "a": "4.A.1.a.1.I01.D01 4.A.1.a.1.I01.D02 4.A.2.b.1.I03.D01",
            "b": "4.A.1.a.1.I01.D02",
            "c": "",
        }
    )
    values = pd.DataFrame({"beta": [1.0, 0.5, 0.0]}, index=list("abc"))
    assert validity.activity_means(values, activities, 6)["beta"].to_dict() == {
        "4.A.1.a.1.I01": 0.75,  # a counts once though two of its activities lie in it
        "4.A.2.b.1.I03": 1.0,
    }
    assert validity.memberships(activities, 7).tolist() == [
        "4.A.1.a.1.I01.D01",
        "4.A.1.a.1.I01.D02",
        "4.A.2.b.1.I03.D01",
        "4.A.1.a.1.I01.D02",
    ]
    assert validity.memberships(activities, 5).tolist() == ["4.A.1.a.1", "4.A.2.b.1", "4.A.1.a.1"]
