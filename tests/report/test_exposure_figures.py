"""Figures of exposure show what the tables say: bars, dots, order, labels and captions."""

import numpy as np
import pandas as pd
import pytest

from jobshift.report import exposure_figures as figures
from jobshift.report import style

BASIS = "All by hand"
LABELS = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
NATION = pd.Series(
    {
        "alpha": 0.1,
        "beta": 0.25,
        "zeta": 0.4,
        "substituted_share": 0.05,
        "complemented_share": 0.35,
        "untouched_share": 0.6,
        "employment_workers": 3_200_000,
        "matched_workers": 3_000_000,
    }
)


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


def rates(substituted: list[float], complemented: list[float], alpha: list[float]) -> dict:
    """Columns of rates that belong together: ζ = substituted + complemented, β = (α + ζ) / 2."""
    zeta = np.add(substituted, complemented)
    return {
        "alpha": alpha,
        "beta": (np.array(alpha) + zeta) / 2,
        "zeta": zeta,
        "substituted_share": substituted,
        "complemented_share": complemented,
        "untouched_share": 1 - zeta,
    }


@pytest.fixture
def groups() -> pd.DataFrame:
    # β: (0 + 0.1) / 2 = 0.05, (0.3 + 0.7) / 2 = 0.5, (0.1 + 0.3) / 2 = 0.2.
    return pd.DataFrame(
        {
            "title": ["Carpentry Occupations", "Writing Occupations", "Driving Occupations"],
            "employment_workers": [1_000_000, 200_000, 2_000_000],
            "matched_share": [1.0, 0.9, 0.95],
            **rates([0.0, 0.2, 0.1], [0.1, 0.5, 0.2], [0.0, 0.3, 0.1]),
        }
    )


def bars(axes) -> np.ndarray:
    """Start and length of every bar, [shares × rows × 2]."""
    return np.array(
        [[(bar.get_x(), bar.get_width()) for bar in part.patches] for part in axes.containers]
    )


def dots(axes) -> np.ndarray:
    """Coordinates of the black dots of β, [rows × 2]."""
    (line,) = [line for line in axes.lines if line.get_marker() == "o"]
    return line.get_xydata()


def names(axes) -> list[str]:
    return [label.get_text().replace("\N{NO-BREAK SPACE}", " ") for label in axes.get_yticklabels()]


def test_major_groups_are_ordered_by_beta_under_all(groups):
    drawing = figures.by_major_group(groups, NATION, BASIS)
    (axes,) = drawing.figure.axes
    assert names(axes) == [
        "All occupations (3.2 M)",
        "Writing (200 k)",
        "Driving (2.0 M)",
        "Carpentry (1.0 M)",
    ]
    np.testing.assert_allclose(dots(axes), [[0.25, 0], [0.5, 1], [0.2, 2], [0.05, 3]])
    substituted, complemented, untouched = bars(axes)
    np.testing.assert_allclose(substituted, [[0, 0.05], [0, 0.2], [0, 0.1], [0, 0]])
    np.testing.assert_allclose(complemented, [[0.05, 0.35], [0.2, 0.5], [0.1, 0.2], [0, 0.1]])
    np.testing.assert_allclose(untouched, [[0.4, 0.6], [0.7, 0.3], [0.3, 0.7], [0.1, 0.9]])
    assert axes.get_xlim() == (0, 1)
    assert axes.yaxis_inverted()
    for said in ("3 SOC major groups", "90.0 % to 100.0 %", BASIS, "stage aggregate"):
        assert said in drawing.caption
    assert "Left out" not in drawing.caption


def test_a_rater_without_automation_gets_lines_from_alpha_to_zeta(groups):
    groups[list(figures.SHARES)] = np.nan
    nation = NATION.copy()
    nation[list(figures.SHARES)] = np.nan
    drawing = figures.by_major_group(groups, nation, BASIS)
    (axes,) = drawing.figure.axes
    assert not axes.containers
    (lines,) = axes.collections
    ends = np.array(lines.get_segments())
    np.testing.assert_allclose(ends[:, :, 0], [[0.1, 0.4], [0.3, 0.7], [0.1, 0.3], [0, 0.1]])
    np.testing.assert_allclose(dots(axes)[:, 0], [0.25, 0.5, 0.2, 0.05])
    assert "substituted" not in drawing.caption


def test_places_without_rated_tasks_are_named(groups):
    groups.loc[1, list(NATION.index[:6])] = np.nan
    drawing = figures.by_major_group(groups, NATION, BASIS)
    assert "none of their workers' tasks are rated: Writing." in drawing.caption
    assert len(names(drawing.figure.axes[0])) == 3


def test_long_industries_break_between_words_only(groups):
    groups["industry"] = ["Mining", "Trade", "Administrative and Support and Waste " * 3]
    drawing = figures.by_industry(groups.drop(columns="title"), NATION, BASIS)
    (axes,) = drawing.figure.axes
    long = names(axes)[2]
    assert "\n" in long
    assert long.endswith("(2.0 M)")
    assert max(map(len, long.splitlines())) <= 62


def test_states_leave_the_territories_out(groups):
    groups["state"] = ["Guam", "District of Columbia", "Ohio"]
    groups["in_national"] = [False, True, True]
    drawing = figures.by_state(groups, NATION, BASIS)
    (axes,) = drawing.figure.axes
    assert names(axes) == ["District of Columbia (200 k)", "Ohio (2.0 M)"]
    np.testing.assert_allclose(dots(axes), [[0.5, 0], [0.2, 1]])
    assert "1 states and the District of Columbia, from 50.0 %" in drawing.caption
    assert "total: Guam." in drawing.caption


def test_top_occupations():
    n = 7
    occupations = pd.DataFrame(
        {
            "soc": [f"1{number}" for number in range(n)],
            "title": ["Helpers--Boats", "B", "C", "D", "Small", "E", "No tasks"],
            "employment_workers": [100_000, 300_000, 200_000, 500_000, 99_999, 150_000, 400_000],
            # β: 0, 0, 0.4, 0.2, 0.5, 0.3.
            **rates(
                [0, 0, 0.2, 0, 0.5, 0.3, np.nan],
                [0, 0, 0.6, 0.4, 0.5, 0.3, np.nan],
                [0, 0, 0, 0, 0, 0, np.nan],
            ),
        }
    )
    drawing = figures.top_occupations(occupations, NATION, BASIS, 100_000, 2)
    most, least = drawing.figure.axes
    assert names(most) == ["C (200 k)", "E (150 k)"]
    np.testing.assert_allclose(dots(most), [[0.4, 0], [0.3, 1]])
    np.testing.assert_allclose(bars(most)[1], [[0.2, 0.6], [0.3, 0.3]])
    # Of two with nothing exposed the larger is the last.
    assert names(least) == ["Helpers–Boats (100 k)", "B (300 k)"]
    # (100 + 300 + 200 + 500 + 150) k of 3,000 k are 41.7 %.
    for said in (
        "2 most",
        "5 occupations with at least 100,000",
        "41.7 %",
        "; 2 of them",
        "; 1 more",
    ):
        assert said in drawing.caption
    # Five occupations make two pairs at most: none is both most and least exposed.
    drawing = figures.top_occupations(occupations, NATION, BASIS, 100_000, 25)
    assert [len(names(axes)) for axes in drawing.figure.axes] == [2, 2]


def test_workers_over_a_threshold():
    x = np.arange(101) / 100
    curves = pd.concat(
        [
            pd.DataFrame(
                {
                    "measure": measure,
                    "threshold": x,
                    "n_workers": 1e6 * (1 - x) ** power,
                    "workers_share": (1 - x) ** power,
                }
            )
            for measure, power in (("alpha", 3), ("beta", 2), ("zeta", 1))
        ]
    )
    drawing = figures.workers_over_threshold(curves, LABELS, BASIS)
    (axes,) = drawing.figure.axes
    drawn = {
        line.get_label(): line.get_xydata() for line in axes.lines if len(line.get_xdata()) > 2
    }
    assert list(drawn) == ["α", "β", "ζ"]
    np.testing.assert_allclose(drawn["β"], np.column_stack([x, (1 - x) ** 2]))
    marked = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(marked, [[0.729, 0.125], [0.81, 0.25], [0.9, 0.5]])
    written = {text.get_text() for text in axes.texts}
    assert {"72.9 %", "12.5 %", "81.0 %", "25.0 %", "90.0 %", "50.0 %"} <= written
    assert {"ζ = E1 + E2", "β = E1 + ½ E2", "α = E1"} <= written
    assert "n = 1.0 million" in drawing.caption


@pytest.fixture
def occupations() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 120
    workers = rng.integers(1_000, 3_000_000, size=n)
    return pd.DataFrame(
        {
            "soc": [f"{number:03}" for number in range(n)],
            "title": [f"Occupation {number}, Except Others" for number in range(n)],
            "employment_workers": workers.astype(float),
            "annual_wage_usd": rng.uniform(30_000, 250_000, size=n),
            "wage_basis": ["annual median"] * (n - 1) + ["hourly median x 2080"],
            "beta": rng.uniform(size=n),
        }
    )


@pytest.fixture
def deciles() -> pd.DataFrame:
    beta = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 0.8, 0.6]
    wages = [30_000.0 * 1.2**step for step in range(10)]
    frame = pd.DataFrame({"decile": range(1, 11), "wage_mean_usd": wages, "beta": beta})
    # Workers without a wage are in no decile.
    return pd.concat([frame, pd.DataFrame({"decile": [None], "beta": [0.5]})], ignore_index=True)


def test_wages(occupations, deciles):
    occupations.loc[3, "beta"] = np.nan
    drawing = figures.by_wage(occupations, deciles, BASIS)
    (axes,) = drawing.figure.axes
    assert axes.get_xscale() == "log"
    drawn = axes.collections[0]
    shown = occupations.drop(index=3).sort_values("employment_workers", ascending=False)
    np.testing.assert_allclose(drawn.get_offsets(), shown[["annual_wage_usd", "beta"]])
    # The area is in proportion to the workers, but for specks.
    area, workers = drawn.get_sizes(), shown["employment_workers"].to_numpy()
    np.testing.assert_allclose(area[0] / area[:50], workers[0] / workers[:50])
    means = [line.get_xydata() for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(means[0], deciles[["wage_mean_usd", "beta"]][:10])
    texts = [text.get_text().replace("\n", " ") for text in axes.texts]
    assert "mean of each wage decile (a tenth of all workers)" in texts
    labels = [text for text in texts if text.startswith("Occupation")]
    assert len(labels) >= 10
    assert len(set(labels)) == len(labels)
    assert not any("Except" in label for label in labels)
    # What has a label has a ring.
    rings = axes.collections[-1].get_offsets()
    assert len(rings) == len(labels)
    for said in ("119 occupations", "x 2080 in 1 occ", "10.0 % in decile 1", "decile 8 (the max"):
        assert said in drawing.caption


def test_wages_of_two_occupations(occupations, deciles):
    drawing = figures.by_wage(occupations[:2], deciles[4:5], BASIS)
    assert len(drawing.figure.axes[0].collections[0].get_offsets()) == 2


def test_what_is_worth_a_label(occupations):
    rows = figures.worth_labelling(occupations)
    assert rows[0] == occupations["employment_workers"].idxmax()
    assert {occupations["beta"].idxmax(), occupations["annual_wage_usd"].idxmax()} <= set(rows)
    assert len(rows) == len(set(rows)) <= 24


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS, ["α = E1", "β = E1 + ½ E2", "ζ = E1 + E2"]),
        (
            {"low": 0.0, "mid": 0.25, "high": 0.75},
            ["α = 0", "β = 0.75 high + 0.25 mid", "ζ = high + mid"],
        ),
    ],
)
def test_definitions(labels, said):
    assert list(figures.definitions(labels).values()) == said


def test_long_titles_are_cut_between_words():
    cut = figures.short("Machine Setters, Operators, and Tenders " * 4)
    assert len(cut) <= 72
    assert cut.endswith(" …")
