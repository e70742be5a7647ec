"""Figures beyond replication show what the tables say: numbers in cells, marks, order and captions."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from jobshift.report import style
from jobshift.report import validity_figures as figures

NAMES = {"human": "People (2023)", "rubric": "Our rubric (2026)"}
PUBLISHED = ["human", "gpt4"]


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


def validity_table() -> pd.DataFrame:
    """Two raters, one without shares, one of them also rated by activities, which is not drawn."""
    rows = []
    for level, n in (("occupation", 785), ("major_group", 22), ("iwa", 332)):
        for rater, measures in (
            ("human", ("alpha", "beta")),
            ("rubric", ("alpha", "beta", "substituted_share")),
        ):
            for position, measure in enumerate(measures):
                for lift, method in enumerate(figures.METHODS):
                    value = 0.5 + 0.1 * position + 0.01 * lift + 0.2 * (level == "major_group")
                    value -= 0.05 * (rater == "rubric")
                    units = n - 2 * (method == "pearson_employment" and level == "occupation")
                    rows.append((level, rater, "tasks", measure, method, value, units))
    rows.append(("occupation", "rubric", "activities", "alpha", "pearson", 0.01, 785))
    columns = ["level", "rater", "rated", "measure", "method", "value", "n_units"]
    frame = pd.DataFrame(rows, columns=columns)
    extra = {"target": "applicability", "n_bridged": 12, "n_unmatched": 3}
    frame = frame.assign(low=frame["value"] - 0.1, high=frame["value"] + 0.1, **extra)
    user = frame.assign(target="applicability_user", value=0.02)
    return pd.concat([frame, user], ignore_index=True)


def cells(axes) -> list[str]:
    image = axes.images[0].get_array()
    texts = [text for text in axes.texts if text.get_transform() == axes.transData]
    assert len(texts) == image.size
    return [text.get_text() for text in texts]


def test_every_cell_has_its_number():
    drawing = figures.heat_map(validity_table(), NAMES)
    *panels, bar = drawing.figure.axes
    assert len(panels) == 6
    assert [panel.get_title() for panel in panels[:3]] == list(figures.METHODS.values())
    # People lack substitution. Pearson at occupations: people .50 and .60, our rubric .05 less.
    assert cells(panels[0]) == ["0.50", "0.60", "–", "0.45", "0.55", "0.65"]
    # Employment-weighted r at major groups: .2 + .02 more.
    assert cells(panels[5]) == ["0.72", "0.82", "–", "0.67", "0.77", "0.87"]
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == list(NAMES.values())
    assert [tick.get_text() for tick in panels[3].get_xticklabels()] == ["α", "β", "subst."]
    bold = [text.get_text() for text in panels[0].texts if text.get_fontweight() == "bold"]
    assert bold == ["785 occupations"]
    # The lowest is .45: colours start a step below.
    assert bar.get_ylim() == (pytest.approx(0.4), 1.0)
    for said in (
        "People (2023) 0.60 (95 % interval 0.50 to 0.70)",
        "Of the occupations 12 join through",
        "and 3 with a score have no match",
        "the 783 with published employment",
        "Median width of the 95 % intervals: 0.20 (occupations), 0.20 (SOC major groups)",
        "stage validity",
    ):
        assert said in drawing.caption


def test_a_constant_model_has_dashes_only():
    table = validity_table()
    constant = table[table["rater"] == "human"].assign(rater="majority", value=np.nan)
    drawing = figures.heat_map(pd.concat([table, constant]), NAMES)
    assert cells(drawing.figure.axes[0])[-3:] == ["–", "–", "–"]


def test_numbers_on_dark_cells_are_white():
    drawing = figures.heat_map(validity_table(), NAMES)
    axes = drawing.figure.axes[5]
    colours = {text.get_text(): to_hex(text.get_color()) for text in axes.texts}
    # From .4 to 1 three quarters of the way are at .85.
    assert colours["0.87"] == "#ffffff" and colours["0.82"] == "#000000"


def summary() -> pd.DataFrame:
    pairs = [
        ("change", "human", "rubric"),
        ("change", "gpt4", "rubric"),
        ("yardstick", "human", "gpt4"),
    ]
    frame = pd.DataFrame(pairs, columns=["kind", "reference", "rater"])
    return frame.assign(n_tasks=18831, n_left_out=434)


def moves(human, gpt4, rubric) -> dict:
    """Columns of β that belong together."""
    human, gpt4, rubric = map(np.array, (human, gpt4, rubric))
    published = np.array([human, gpt4])
    beyond = np.where(rubric > published.max(axis=0), rubric - published.max(axis=0), 0.0)
    beyond += np.where(rubric < published.min(axis=0), rubric - published.min(axis=0), 0.0)
    return {
        "beta_human": human,
        "beta_gpt4": gpt4,
        "beta_rubric": rubric,
        "shift_beta": rubric - human,
        "shift_beta_low": rubric - human - 0.05,
        "shift_beta_high": rubric - human + 0.05,
        "beyond_beta": beyond,
    }


@pytest.fixture
def groups() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "weighting": "employment",
            "major_group": ["00", "11", "51"],
            "title": ["All occupations", "Production Occupations", "Management Occupations"],
            "employment_workers": [3_000_000.0, 900_000.0, 2_100_000.0],
            **moves([0.3, 0.1, 0.4], [0.35, 0.2, 0.5], [0.2, 0.15, 0.25]),
        }
    )
    return pd.concat([frame.assign(weighting="occupations", beta_human=0.9), frame])


def labels(axes) -> list[str]:
    return [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in axes.get_yticklabels()]


def marks(axes, look: dict) -> np.ndarray:
    """Coordinates of the marks of one rater in the chart."""
    found = [
        line.get_xydata()
        for line in axes.lines
        if line.get_marker() == look["marker"] and to_hex(line.get_color()) == to_hex(look["color"])
    ]
    assert len(found) == 1
    return found[0]


def test_groups_are_ordered_by_people_under_all(groups):
    drawing = figures.by_major_group(groups, summary(), NAMES)
    (axes,) = drawing.figure.axes
    assert labels(axes) == ["All occupations (3.0 M)", "Management (2.1 M)", "Production (900 k)"]
    np.testing.assert_allclose(marks(axes, figures.FIRST), [[0.3, 0], [0.4, 1], [0.1, 2]])
    np.testing.assert_allclose(marks(axes, figures.OTHERS[0]), [[0.35, 0], [0.5, 1], [0.2, 2]])
    np.testing.assert_allclose(marks(axes, figures.LATER), [[0.2, 0], [0.25, 1], [0.15, 2]])
    band, lines = (np.array(part.get_segments())[:, :, 0] for part in axes.collections)
    np.testing.assert_allclose(band, [[0.3, 0.35], [0.4, 0.5], [0.1, 0.2]])
    np.testing.assert_allclose(lines, [[0.3, 0.2], [0.4, 0.25], [0.1, 0.15]])
    said = [text.get_text() for text in axes.texts]
    assert "−15 [−20, −10]" in said and "+5 [0, +10]" in said
    for said in (
        "18,831 tasks",
        "a line from People (2023) to Our rubric (2026)",
        "1 of 2 groups end outside it",
        "from 30.0 to 20.0 % (gpt4: 35.0 %)",
        "is not only time",
        "Left out: 434 tasks",
        "stage changes",
    ):
        assert said in drawing.caption


@pytest.fixture
def activities() -> pd.DataFrame:
    title = "A work activity of ours whose title is so long that it must go on a second line"
    frame = pd.DataFrame(
        {
            "level": "iwa",
            "title": ["Move up", "Move down", title, "Stay", "Too few"],
            "n_tasks": [30, 1200, 50, 60, 3],
            "n_groups": [5, 9, 6, 7, 1],
            "enough": [True, True, True, True, False],
            "direction": ["higher", "lower", "lower", np.nan, np.nan],
            "rank": [1, 1, 2, np.nan, np.nan],
            **moves([0.2, 0.9, 0.5, 0.4, 0], [0.3, 0.8, 0.6, 0.5, 0], [0.8, 0.1, 0.3, 0.45, 1]),
        }
    )
    return pd.concat([frame, frame.assign(level="gwa", title="Not drawn")])


def test_the_most_moved_activities_in_two_blocks(activities):
    drawing = figures.moved_activities(activities, summary(), NAMES, top=5)
    up, down = drawing.figure.axes
    assert labels(up) == ["Move up (30)"]
    assert labels(down)[0] == "Move down (1,200)"
    assert "\n" in labels(down)[1] and labels(down)[1].endswith("(50)")
    np.testing.assert_allclose(marks(down, figures.LATER), [[0.1, 0], [0.3, 1]])
    assert "Higher than every rater of 2023" in [text.get_text() for text in up.texts]
    assert (
        "Of the 4 activities with enough tasks (at least 30) and groups (at least 5) 3 lie outside"
        in (drawing.caption)
    )


def test_only_the_top_and_a_direction_that_has_some(activities):
    rows = activities[activities["direction"] != "higher"]
    drawing = figures.moved_activities(rows, summary(), NAMES, top=1)
    (axes,) = drawing.figure.axes
    assert labels(axes) == ["Move down (1,200)"]


def test_a_difference_without_interval_stands_alone(activities):
    activities[["shift_beta_low", "shift_beta_high"]] = np.nan
    drawing = figures.moved_activities(activities, summary(), NAMES, top=1)
    assert "+60" in [text.get_text() for text in drawing.figure.axes[0].texts]


@pytest.mark.parametrize(
    ("share", "text"), [(0.004, "0"), (-0.004, "0"), (0.126, "+13"), (-0.5, "−50")]
)
def test_points_have_a_sign(share, text):
    assert figures.points(share) == text


def test_all_can_be_saved(groups, activities, tmp_path):
    drawings = {
        "a": figures.heat_map(validity_table(), NAMES),
        "b": figures.by_major_group(groups, summary(), NAMES),
        "c": figures.moved_activities(activities, summary(), NAMES, 3),
    }
    for name, drawing in drawings.items():
        drawing.figure.draw_without_rendering()
        for axes in drawing.figure.axes:
            # Nothing lies outside of the page.
            for text in axes.texts:
                box = text.get_window_extent()
                assert box.x0 >= -1 and box.x1 <= drawing.figure.bbox.x1 + 1, text.get_text()
        style.save(drawing.figure, tmp_path, name)
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
