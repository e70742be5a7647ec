"""Figures of growth show what the tables say: points, intervals, lines, labels and captions."""

import numpy as np
import pandas as pd
import pytest

from jobshift.measures import bootstrap, growth
from jobshift.report import growth_figures as figures
from jobshift.report import style

BASIS = "All by hand"
MEASURES = ("alpha", "beta", "zeta")


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


@pytest.fixture(scope="module")
def tables():
    """The tables of the stage for made-up occupations of two raters, by the measures themselves."""
    rng = np.random.default_rng(0)
    n = 90
    workers = rng.integers(1_000, 4_000_000, n).astype(float)
    frame = pd.DataFrame(
        {
            "title": [f"Occupation {number}, Except Others" for number in range(n)],
            "employment_2021_workers": workers,
            "wage_2021_usd": rng.uniform(30_000, 150_000, n),
            "employment": rng.normal(0.1, 0.2, n),
            "median_wage": rng.normal(0.17, 0.05, n),
            "mean_wage": rng.normal(0.17, 0.05, n),
        },
        index=pd.Index(
            [f"{11 + number % 9}-{number % 4}{number:03}" for number in range(n)], name="code"
        ),
    )
    frame["employment_2025_workers"] = workers * np.exp(frame["employment"])
    # One soars far beyond the others, one has no comparable wage, one no exposure.
    frame.iloc[5, frame.columns.get_loc("employment")] = 3.0
    frame.iloc[6, frame.columns.get_loc("median_wage")] = np.nan
    cluster = pd.factorize(frame.index.str[:4], sort=True)[0]
    times = bootstrap.resample(cluster.max() + 1, 50, 0)[cluster]
    parts = {"quintiles": [], "correlations": []}
    exposures = {}
    for rater in ("human", "model_x"):
        for measure in MEASURES:
            values = rng.uniform(size=n)
            exposures[f"{measure}_{rater}"] = values
            named = {"rater": rater, "measure": measure}
            parts["quintiles"].append(growth.quintiles(frame, values, times).assign(**named))
            parts["correlations"] += [
                growth.correlations(frame, values, times).assign(**named),
                growth.slopes(frame, values).assign(statistic="slope", **named),
            ]
    found = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    changes = {name: f"{name}_log_change" for name in growth.OUTCOMES}
    found["occupations"] = frame.rename(columns=changes).assign(**exposures).reset_index()
    found["occupations"].loc[7, ["alpha_human", "beta_human", "zeta_human"]] = np.nan
    found["coverage"] = pd.DataFrame(
        {
            "release": ["2021", "2025"],
            "n_occupations": [831, 830],
            "n_rated": [783, 783],
            "rated_share": [0.984, 0.987],
        }
    )
    return found


def own(table, rater="human"):
    return table[table["rater"] == rater].drop(columns="rater")


def test_fifths_are_drawn_relative_to_all(tables):
    quintiles = own(tables["quintiles"])
    drawing = figures.by_quintile(quintiles, tables["coverage"], BASIS)
    grid = np.array(drawing.figure.axes).reshape(2, 3)
    assert [axes.get_title() for axes in grid[0]] == ["fifths by α", "fifths by β", "fifths by ζ"]
    rows = quintiles.set_index(["measure", "fifths_of", "outcome", "fifth"]).sort_index()
    for row, (first, second) in enumerate(
        (("employment_total", "employment"), ("median_wage", "median_wage"))
    ):
        for column, measure in enumerate(MEASURES):
            axes = grid[row, column]
            lines = [line for line in axes.lines if line.get_marker() in ("o", "D")]
            intervals = [part for part in axes.collections if len(part.get_segments()) == 5]
            for line, interval, kind, outcome in zip(
                lines, intervals, ("workers", "occupations"), (first, second), strict=True
            ):
                cells = rows.loc[[(measure, kind, outcome, each) for each in "12345"]]
                percent = 100 * (np.exp(cells[["relative_low", "relative", "relative_high"]]) - 1)
                np.testing.assert_allclose(line.get_ydata(), percent["relative"])
                ends = np.array(interval.get_segments())[:, :, 1]
                np.testing.assert_allclose(ends, percent[["relative_low", "relative_high"]])
    total = 100 * (np.exp(rows.loc[("beta", "workers", "employment_total", "all"), "value"]) - 1)
    for said in (
        f"(of all: {total:.1f} %)",
        "no causal estimate",
        "nominal",
        "783 of 831 occupations of May 2021, with 98.4 % of its employment and 98.7 %",
        BASIS,
        "growth_quintiles.csv",
    ):
        assert said in drawing.caption


def test_scatter_shows_occupations_and_fits(tables):
    occupations = tables["occupations"]
    correlations = own(tables["correlations"])
    drawing = figures.scatter(occupations, correlations, tables["coverage"], "human", BASIS)
    jobs, wages = drawing.figure.axes
    rated = occupations.dropna(subset="beta_human")
    assert len(rated) == 89
    for axes, outcome in ((jobs, "employment"), (wages, "median_wage")):
        known = rated.dropna(subset=f"{outcome}_log_change")
        low, high = axes.get_ylim()
        inside = known[known[f"{outcome}_log_change"].between(low, high)]
        dots = axes.collections[0].get_offsets()
        expected = inside[["beta_human", f"{outcome}_log_change"]].to_numpy()
        np.testing.assert_allclose(np.sort(dots, axis=0), np.sort(expected, axis=0))
        edges = [line for line in axes.lines if line.get_marker() in ("^", "v")]
        assert sum(len(line.get_xdata()) for line in edges) == len(known) - len(inside)
        # The lines are those of least squares.
        fits = [line for line in axes.lines if line.get_linewidth() == 1.2]
        for line, weights in zip(fits, (known["employment_2021_workers"], None), strict=True):
            values = known["beta_human"], known[f"{outcome}_log_change"]
            # The slope is that of the table, which counts the occupation without β, too.
            (x0, x1), (y0, y1) = line.get_data()
            mean = np.average(values[0], weights=weights), np.average(values[1], weights=weights)
            slope = (y1 - y0) / (x1 - x0)
            assert y0 + slope * (mean[0] - x0) == pytest.approx(mean[1])
            weighting = "equal" if weights is None else "workers"
            rows = correlations[
                (correlations["measure"] == "beta")
                & (correlations["outcome"] == outcome)
                & (correlations["weighting"] == weighting)
                & (correlations["controls"] == "none")
            ]
            assert slope == pytest.approx(rows["value"].item())
    # Labels are percent: ln 1.2 is +20.
    ticks = dict(
        zip([label.get_text() for label in jobs.get_yticklabels()], jobs.get_yticks(), strict=True)
    )
    assert ticks["+20"] == pytest.approx(np.log(1.2))
    assert ticks["0"] == 0
    assert "−20" in ticks
    labels = [text.get_text() for text in jobs.texts]
    assert len(labels) >= 5
    assert not any("Except" in label for label in labels)
    for said in ("89 occupations", "Occupation 5, Except Others (+1909 %)", "no causal estimate",
                 "nominal", "growth_correlations.csv"):  # fmt: skip
        assert said in drawing.caption


def test_scatter_of_few_occupations_without_exposure(tables):
    # No occupation is exposed, so that neither slope nor correlation is defined.
    occupations = tables["occupations"][:3].assign(beta_human=0.0)
    occupations["median_wage_log_change"] = 0.1
    correlations = own(tables["correlations"]).assign(value=np.nan, low=np.nan, high=np.nan)
    drawing = figures.scatter(occupations, correlations, tables["coverage"], "human", BASIS)
    drawing.figure.draw_without_rendering()
    assert [len(axes.collections[0].get_offsets()) for axes in drawing.figure.axes] == [3, 3]
    assert "not defined" in drawing.caption
    assert "nan" not in drawing.caption


def test_slopes_of_every_rater(tables):
    correlations = tables["correlations"]
    drawing = figures.slopes(correlations, {"human": "People"})
    grid = np.array(drawing.figure.axes).reshape(2, 3)
    assert [label.get_text() for label in grid[0, 0].get_yticklabels()] == ["People", "model_x"]
    assert [axes.get_title() for axes in grid[0]] == list(figures.CONTROLS.values())
    rows = correlations[
        (correlations["statistic"] == "slope")
        & (correlations["weighting"] == "workers")
        & (correlations["outcome"] == "median_wage")
        & (correlations["controls"] == "log wage")
    ].set_index(["measure", "rater"])
    points = [line for line in grid[1, 1].lines if line.get_marker() == "o"]
    for line, measure in zip(points, MEASURES, strict=True):
        expected = [10 * rows.loc[(measure, rater), "value"] for rater in ("human", "model_x")]
        np.testing.assert_allclose(line.get_xdata(), expected)
    thick, thin = grid[1, 1].collections[:2]
    robust = rows.loc[("alpha", "human"), ["low", "high"]].to_numpy(float)
    clustered = rows.loc[("alpha", "human"), ["clustered_low", "clustered_high"]].to_numpy(float)
    np.testing.assert_allclose(np.array(thick.get_segments())[0, :, 0], 10 * robust)
    np.testing.assert_allclose(np.array(thin.get_segments())[0, :, 0], 10 * clustered)
    for said in ("n = 89 to 90", "HC1", "36 SOC minor groups", "no causal estimate"):
        assert said in drawing.caption


def test_labels_are_the_largest_and_the_extremes():
    n = 40
    frame = pd.DataFrame({"employment_2021_workers": np.linspace(4e6, 1e3, n), "x": 0.0, "y": 0.0})
    frame.loc[[3, 39], "x"] = [1, 9]
    frame.loc[[4, 5], "y"] = [2, -2]
    rows = figures.worth_labelling(frame)
    assert rows[:10] == list(range(10))
    assert len(rows) == len(set(rows))
    # A small one is not labelled, however extreme.
    assert 39 not in rows
    assert figures.worth_labelling(frame[:2]) == [0, 1]


@pytest.mark.parametrize(
    ("number", "said"), [(0.0, "0"), (5.0, "+5"), (-2.5, "−2.5"), (-1e-15, "0")]
)
def test_numbers_with_signs(number, said):
    assert figures.signed(number) == said
