"""Growth by exposure by hand: fifths with ties, weighted means, correlations, slopes, coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.measures import agreement, growth


def release(rows):
    """Rows code: (employment, wage, basis, mean wage) as one release."""
    columns = ["employment_workers", "annual_wage_usd", "wage_basis", "mean_annual_wage_usd"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return frame.assign(title="Title of " + frame.index)


MEDIAN, HOURLY, MEAN = "annual median", "hourly median x 2080", "annual mean"


def test_changes_are_logarithms_between_the_same_kinds_of_wages():
    first = release(
        {
            "11-1011": (100, 50_000, MEDIAN, 60_000),
            "11-1021": (200, 40_000, HOURLY, np.nan),
            "29-1211": (10, 331_190, MEAN, 331_190),
            "11-1031": (50, 37_270, MEDIAN, 57_110),
            "53-1041": (0, 30_000, MEDIAN, 30_000),
        }
    )
    second = release(
        {
            "29-1211": (11, 391_490, MEDIAN, 360_570),
            "11-1011": (150, 60_000, MEDIAN, 66_000),
            "11-1021": (100, 50_000, HOURLY, np.nan),
            "53-1041": (10, 30_000, MEDIAN, 30_000),
        }
    )
    pairs = growth.matched(first, second)
    # One is not in the second release, another had nobody in the first.
    assert pairs.index.tolist() == ["11-1011", "11-1021", "29-1211"]
    assert pairs["employment"].tolist() == pytest.approx(np.log([1.5, 0.5, 1.1]))
    # A mean because the median was top-coded is not compared with a median.
    expected = [np.log(1.2), np.log(1.25), np.nan]
    assert pairs["median_wage"].tolist() == pytest.approx(expected, nan_ok=True)
    expected = [np.log(1.1), np.nan, np.log(360_570 / 331_190)]
    assert pairs["mean_wage"].tolist() == pytest.approx(expected, nan_ok=True)
    assert pairs.loc["11-1011", ["wage_2021_usd", "employment_2025_workers"]].tolist() == [
        50_000,
        150,
    ]


def parts(values, sizes):
    return growth.fifths(np.array(values, float), np.array(sizes, float)[:, None])[:, :, 0]


def test_fifths_divide_ties_and_borders_in_proportion():
    # Four units, so a fifth is 0.2 of the line and a unit 0.25. The two zeros share 0 to 0.5: each
    # has 0.2 / 0.5 in the first two fifths and 0.1 / 0.5 in the third, which has also 0.1 / 0.25 of
    # the next, and so on.
    np.testing.assert_allclose(
        parts([0, 1, 0, 2], [1, 1, 1, 1]).T,
        [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.4, 0.6, 0], [0.4, 0.4, 0.2, 0, 0], [0, 0, 0, 0.2, 0.8]],
        atol=1e-12,
    )
    # By size: the line is 20 long, a fifth 4. Unit 3 (size 14) ends at 20 and starts at 6.
    np.testing.assert_allclose(
        parts([1, 2, 3], [2, 4, 14]),
        [[1, 0.5, 0], [0, 0.5, 2 / 14], [0, 0, 4 / 14], [0, 0, 4 / 14], [0, 0, 4 / 14]],
        atol=1e-12,
    )


def test_exposures_that_differ_by_rounding_are_ties():
    found = parts([0.1 + 0.2, 0.3, 1], [1, 1, 1])
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1000)), min_size=1, max_size=30).filter(
        lambda units: sum(size for _, size in units) > 0
    ),
    st.randoms(use_true_random=False),
)
def test_fifths_keep_everybody_and_are_of_one_size(units, chance):
    values, sizes = (np.array(part, float) for part in zip(*units, strict=True))
    found = parts(values, sizes)
    np.testing.assert_allclose(found.sum(axis=0)[sizes > 0], 1)
    np.testing.assert_allclose(found @ sizes, sizes.sum() / 5)
    # The order of the units does not matter.
    order = list(range(len(units)))
    chance.shuffle(order)
    np.testing.assert_allclose(parts(values[order], sizes[order]), found[:, order], atol=1e-12)
    # Who is more exposed is never in a lower fifth: the mean fifth does not fall with exposure.
    mean_fifth = pd.Series(found[:, sizes > 0].T @ np.arange(5)).groupby(values[sizes > 0]).mean()
    assert (mean_fifth.diff().dropna() > -1e-9).all()


def occupations(employment, median_wage, workers, codes=None):
    """Occupations with these log changes and workers of May 2021; mean wages as the medians."""
    n = len(employment)
    codes = codes or [
        f"{11 + 2 * (number % 3)}-{1 + number % 2}0{number:02}" for number in range(n)
    ]
    workers = np.array(workers, float)
    return pd.DataFrame(
        {
            "employment_2021_workers": workers,
            "employment_2025_workers": workers * np.exp(employment),
            "wage_2021_usd": np.linspace(30_000, 90_000, n) ** 1.01,
            "employment": employment,
            "median_wage": median_wage,
            "mean_wage": median_wage,
        },
        index=pd.Index(codes, name="code"),
    )


def test_means_of_fifths_by_hand():
    # Workers 1, 1, 2, 2, 4 of 10, so a fifth of workers is 2: the first two occupations; the third;
    # the fourth; half of the fifth twice. The wage of the second is not comparable.
    frame = occupations(
        np.log([2.0, 1.0, 1.5, 1.0, 0.5]), [0.1, np.nan, 0.2, 0.3, 0.4], [1, 1, 2, 2, 4]
    )
    exposure = np.array([0.0, 0.1, 0.2, 0.3, 0.9])
    table = growth.quintiles(frame, exposure, np.ones((5, 1))).set_index(
        ["fifths_of", "outcome", "fifth"]
    )
    workers = table.loc["workers"]
    change = workers.loc["employment"]["value"]
    # All: (1 ln 2 + 2 ln 1.5 + 4 ln ½) / 10.
    mean = (np.log(2) + 2 * np.log(1.5) - 4 * np.log(2)) / 10
    expected = [np.log(2) / 2, np.log(1.5), 0, -np.log(2), -np.log(2), mean]
    assert change[[*"12345", "all"]].tolist() == pytest.approx(expected, abs=1e-6)
    assert change["5-1"] == pytest.approx(-1.5 * np.log(2), abs=1e-6)
    relative = workers.loc["employment"]["relative"]
    assert relative["2"] == pytest.approx(np.log(1.5) - mean, abs=1e-6)
    # As a whole: (2 + 1) / 2, 3 / 2, 1, ½, ½ and (2 + 1 + 3 + 2 + 2) / 10.
    total = workers.loc["employment_total"]["value"]
    assert total[[*"12345", "all"]].tolist() == pytest.approx(
        np.log([1.5, 1.5, 1, 0.5, 0.5, 1]), abs=1e-6
    )
    wage = workers.loc["median_wage"]
    # The first fifth knows one wage; all: (0.1 + 0.4 + 0.6 + 1.6) / 9.
    assert wage.loc[["1", "5", "all"], "value"].tolist() == pytest.approx([0.1, 0.4, 0.3])
    assert wage.loc[[*"12345", "all"], "n_occupations"].tolist() == [1, 1, 1, 1, 1, 4]
    assert (
        workers.loc["employment"].loc[[*"12345"], "employment_2021_workers"].tolist()
        == [pytest.approx(2)] * 5
    )
    # Of occupations each is a fifth.
    equal = table.loc["occupations"]
    assert equal.loc["employment"]["value"][list("12345")].tolist() == pytest.approx(
        np.log([2, 1, 1.5, 1, 0.5]), abs=1e-6
    )
    first = equal.loc["employment"].loc["1"]
    assert first[["exposure_from", "exposure_to", "exposure_mean"]].tolist() == [0, 0, 0]
    assert workers.loc[("employment", "1"), "exposure_mean"] == pytest.approx(0.05)


def test_intervals_come_from_draws_with_their_own_fifths():
    # The one draw has the last occupation five times and nothing else: every fifth is that one.
    times = np.column_stack([np.ones(5), [0, 0, 0, 0, 5]])
    frame = occupations([0.1, 0.2, 0.3, 0.4, 0.5], [0.0] * 5, [1] * 5)
    table = growth.quintiles(frame, np.arange(5.0), times)
    row = table[(table["outcome"] == "employment") & (table["fifth"] == "1")].iloc[0]
    # A single draw, moved onto the plain value, has no width.
    assert row[["value", "low", "high"]].tolist() == [0.1, 0.1, 0.1]
    times = np.column_stack([np.ones(5), [0, 0, 0, 0, 5], [5, 0, 0, 0, 0]])
    table = growth.quintiles(frame, np.arange(5.0), times)
    row = table[(table["outcome"] == "employment") & (table["fifth"] == "1")].iloc[0]
    # Draws 0.5 and 0.1, moved by −0.2: 0.3 and −0.1; their 2.5 % quantile is −0.1 + 0.025 · 0.4.
    assert row[["low", "high"]].tolist() == pytest.approx([-0.09, 0.29])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_fifths_average_to_all(seed, n):
    rng = np.random.default_rng(seed)
    frame = occupations(rng.normal(size=n), rng.normal(size=n), rng.integers(1, 99, n),
                        [f"11-{number:04}" for number in range(n)])  # fmt: skip
    exposure = rng.integers(0, 5, n) / 4
    table = growth.quintiles(frame, exposure, np.ones((n, 1)))
    five = table[table["fifth"].isin(list("12345"))]
    for keys, part in five.groupby(["fifths_of", "outcome"]):
        if keys[1] != "employment_total":
            # All fifths have the same size, so that their means average to that of all.
            assert part["relative"].sum() == pytest.approx(0, abs=1e-5)
        total = frame["employment_2021_workers"].sum()
        assert part["employment_2021_workers"].sum() == pytest.approx(total)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_correlations_by_workers_are_those_of_one_row_a_worker(seed):
    rng = np.random.default_rng(seed)
    n = 12
    workers = rng.integers(1, 5, n)
    frame = occupations(rng.integers(0, 4, n) / 4, rng.normal(size=n), workers)
    exposure = rng.integers(0, 4, n) / 3
    table = growth.correlations(frame, exposure, np.ones((n, 1)))
    found = table.set_index(["outcome", "weighting", "statistic"])["value"]
    for weighting, repeat in (("equal", np.ones(n, int)), ("workers", workers)):
        x, y = np.repeat(exposure, repeat), np.repeat(frame["employment"].to_numpy(), repeat)
        for statistic, function in (
            ("pearson", agreement.pearson),
            ("spearman", agreement.spearman),
        ):
            expected = float(function(x, y))
            value = found["employment", weighting, statistic]
            assert value == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_an_unknown_change_is_left_out_of_its_correlation():
    frame = occupations([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, np.nan, 2.0], [1] * 4)
    table = growth.correlations(frame, np.array([0.0, 0.1, 0.9, 0.2]), np.ones((4, 1)))
    found = table.set_index(["outcome", "weighting", "statistic"])
    assert found.loc[("median_wage", "equal", "pearson"), ["value", "n_occupations"]].tolist() == [
        1.0,
        3,
    ]
    assert found.loc[("employment", "equal", "spearman"), "n_occupations"] == 4


def test_slope_and_robust_error_by_hand():
    # x = 0, 0, 1, 1 and y = 0, 2, 3, 5: means 1 and 4, slope 3, residuals ∓1. About the mean of x,
    # x is ∓½ and Σx² = 1; meat Σ x² e² = 4 · ¼ = 1, times n / (n − k) = 4 / 2: error √2.
    found = growth.least_squares(
        np.array([0.0, 2, 3, 5]),
        np.array([0.0, 0, 1, 1]),
        np.empty((4, 0)),
        np.ones(4),
        np.arange(4),
    )
    assert (found["value"], found["standard_error"]) == pytest.approx((3, np.sqrt(2)))
    assert (found["low"], found["high"]) == pytest.approx((0.22819, 5.77181), abs=1e-4)
    # Every occupation a cluster: CR1 is HC1.
    assert found["clustered_error"] == pytest.approx(np.sqrt(2))
    # Clusters {1, 2} and {3, 4}: scores x e are ½, −½, −½, ½; sums are 0 within each.
    found = growth.least_squares(
        np.array([0.0, 2, 3, 5]), np.array([0.0, 0, 1, 1]), np.empty((4, 0)), np.ones(4),
        np.array([0, 0, 1, 1]),
    )  # fmt: skip
    assert found["clustered_error"] == pytest.approx(0)
    assert found["n_clusters"] == 2


def sandwich(y, x, controls, weights, cluster):
    """The textbook formulas with the whole design, for comparison."""
    design = np.column_stack([x, np.ones(len(y)), controls])
    bread = np.linalg.inv(design.T @ (weights[:, None] * design))
    coefficients = bread @ design.T @ (weights * y)
    score = design * (weights * (y - design @ coefficients))[:, None]
    n, k = design.shape
    robust = bread @ score.T @ score @ bread * n / (n - k)
    sums = pd.DataFrame(score).groupby(cluster).sum().to_numpy()
    g = len(sums)
    clustered = bread @ sums.T @ sums @ bread * g / (g - 1) * (n - 1) / (n - k)
    return coefficients[0], np.sqrt(robust[0, 0]), np.sqrt(clustered[0, 0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_slopes_given_controls_are_those_of_the_whole_regression(seed):
    rng = np.random.default_rng(seed)
    n = 40
    x, y, wage = rng.uniform(size=n), rng.normal(size=n), rng.normal(10, 1, size=n)
    weights, cluster, group = rng.uniform(1, 9, n), rng.integers(0, 8, n), rng.integers(0, 3, n)
    # The whole regression leaves one group out; ours gets all of them beside the constant.
    groups = np.eye(3)[group]
    expected = sandwich(y, x, np.column_stack([wage, groups[:, 1:]]), weights, cluster)
    found = growth.least_squares(y, x, np.column_stack([wage, groups]), weights, cluster)
    names = ("value", "standard_error", "clustered_error")
    assert [found[name] for name in names] == pytest.approx(expected, rel=1e-7)


def test_slopes_of_occupations_have_every_outcome_weighting_and_controls():
    rng = np.random.default_rng(0)
    frame = occupations(rng.normal(size=30), rng.normal(size=30), rng.integers(1, 9, 30))
    frame.iloc[3, frame.columns.get_loc("wage_2021_usd")] = np.nan
    frame.iloc[4, frame.columns.get_loc("median_wage")] = np.nan
    table = growth.slopes(frame, rng.uniform(size=30))
    assert len(table) == 3 * 2 * 3
    counts = table.set_index(["outcome", "weighting", "controls"])["n_occupations"]
    assert counts["employment", "equal", "none"] == 30
    assert counts["employment", "equal", "log wage"] == 29
    assert counts["median_wage", "workers", "log wage, major group"] == 28
    # Six minor groups: three major groups, of each "-1" and "-2".
    assert set(table["n_clusters"]) == {6}
    # An exposure that major groups explain wholly has no slope beside them.
    group = frame.index.str[:2].astype(float).to_numpy()
    table = growth.slopes(frame, group / 100).set_index(["outcome", "weighting", "controls"])
    assert np.isnan(table.loc[("employment", "workers", "log wage, major group"), "value"])
    assert np.isfinite(table.loc[("employment", "workers", "log wage"), "value"])


def test_slope_without_enough_occupations_or_variation_is_undefined():
    one = np.ones(3)
    found = growth.least_squares(np.arange(3.0), one, np.empty((3, 0)), one, np.arange(3))
    assert np.isnan(found["value"])
    found = growth.least_squares(one[:2], np.arange(2.0), np.empty((2, 0)), one[:2], np.arange(2))
    assert np.isnan(found["value"])
    assert found["n_occupations"] == 2


def test_coverage_by_hand():
    first = release({"a": (60, 1, MEDIAN, 1), "b": (30, 1, MEDIAN, 1), "c": (8, 1, MEDIAN, 1)})
    second = release({"a": (50, 1, MEDIAN, 1), "b": (40, 1, MEDIAN, 1)})
    pairs = growth.matched(first, second).assign(rated=[True, False])
    table = growth.coverage({"2021": first, "2025": second}, {"2021": 100, "2025": 120}, pairs)
    assert table["in_both_workers"].tolist() == [90, 90]
    assert table["in_both_share"].tolist() == pytest.approx([0.9, 0.75])
    assert table["rated_share"].tolist() == pytest.approx([0.6, 50 / 120])
    assert table[["n_occupations", "n_in_both", "n_rated"]].values.tolist() == [
        [3, 2, 1],
        [2, 2, 1],
    ]
