"""Figures of fairness and of words show what the tables say: dots, marks, order, labels and captions."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from jobshift.report import fairness_figures as figures
from jobshift.report import style

NAMES = {"minilm": "MiniLM (fine-tuned)"}


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


def fairness_table() -> pd.DataFrame:
    """Two models of which one is shown; one group is unreliable, one too small to be judged."""
    groups = [
        ("all", "all", "All tasks", 300, 0.20, np.nan),
        ("major_group", "11", "Management", 200, 0.15, 0.5),
        ("major_group", "23", "Legal", 80, 0.40, 0.01),
        ("major_group", "55", "Military", 20, 0.10, np.nan),
        ("wage_decile", "1", "$10 to $20", 150, 0.20, 1.0),
        ("wage_decile", "10", "$30 to $40", 150, 0.20, 1.0),
    ]
    columns = ["grouping", "group", "title", "n_tasks", "error", "p_holm"]
    frame = pd.DataFrame(groups, columns=columns)
    frame["unreliable"] = frame["title"] == "Legal"
    for measure, value in (
        ("error", frame["error"]),
        ("signed_error", -0.05),
        ("expected_calibration_error", 0.06),
    ):
        frame[measure] = value
        frame[f"{measure}_low"], frame[f"{measure}_high"] = (
            frame[measure] - 0.04,
            frame[measure] + 0.05,
        )
    frame["calibration_by_chance"] = 0.03
    other = frame.assign(model="tfidf", shown=False, error=0.9)
    return pd.concat([other, frame.assign(model="minilm", shown=True)], ignore_index=True)


def labels(axes) -> list[str]:
    return [tick.get_text() for tick in axes.get_yticklabels()]


def dots(axes) -> list:
    """The points with a marker but that of chance."""
    lines = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    return sorted(lines, key=lambda line: line.get_ydata()[0])


def test_error_by_group():
    drawing = figures.fairness(fairness_table(), NAMES)
    grid = np.array(drawing.figure.axes).reshape(2, 3)
    # Dollars are no mathematics.
    assert labels(grid[0, 0]) == ["11 Management (200)", "23 Legal (80)", "55 Military (20)"]
    assert labels(grid[1, 0]) == [r"1: \$10 to \$20 (150)", r"10: \$30 to \$40 (150)"]
    points = dots(grid[0, 0])
    assert [line.get_xdata()[0] for line in points] == [0.15, 0.40, 0.10]
    assert [line.get_marker() for line in points] == ["o", "D", "o"]
    colours = [style.BLUE, style.VERMILLION, style.GREY]
    assert [to_hex(line.get_color()).upper() for line in points] == [c.upper() for c in colours]
    assert points[2].get_markerfacecolor() == "white"
    bold = [
        tick.get_text() for tick in grid[0, 0].get_yticklabels() if tick.get_fontweight() == "bold"
    ]
    assert bold == ["23 Legal (80)"]
    # Ends of the interval, and all tasks as a dashed line.
    assert grid[0, 0].collections[1].get_segments()[0][:, 0].tolist() == pytest.approx([0.36, 0.45])
    assert 0.20 in [line.get_xdata()[0] for line in grid[0, 0].lines]
    chance = [line for line in grid[1, 2].lines if line.get_marker() == "|"]
    assert [line.get_xdata()[0] for line in chance] == [0.03, 0.03]
    for said in (
        "Where MiniLM (fine-tuned) errs: the 300 held-out tasks",
        "by SOC major group and wage decile",
        "of all 20.0 %",
        "(−5.0 points)",
        "kind): Legal (40 % wrong).",
        "Hollow: 1 with too few tasks",
        "fairness.csv (stage fairness)",
    ):
        assert said in drawing.caption


def test_no_group_is_unreliable_and_all_are_judged():
    table = fairness_table().assign(unreliable=False)
    table.loc[table["grouping"] != "all", "p_holm"] = 1.0
    caption = figures.fairness(table, NAMES).caption
    assert "kind): none." in caption and "Hollow" not in caption


def word_rows() -> pd.DataFrame:
    values = {"draft": 0.2, "email": 0.1, "the": 0.0, "carry": -0.05, "paint": -0.2, "lift": -0.1}
    frame = pd.DataFrame(values.items(), columns=["word", "attribution"])
    return frame.assign(
        low=frame["attribution"] - 0.02, high=frame["attribution"] + 0.02, n_tasks=1200,
        model="minilm", explained_tasks=2000, complete_share=0.995,
    )  # fmt: skip


def test_words_that_raise_and_lower():
    drawing = figures.words(word_rows(), NAMES, 2)
    raising, lowering = drawing.figure.axes
    assert labels(raising) == ["draft (1,200)", "email (1,200)"]
    assert labels(lowering) == ["paint (1,200)", "lift (1,200)"]
    assert raising.lines[-1].get_xdata().tolist() == [0.2, 0.1]
    assert lowering.collections[0].get_segments()[0][:, 0].tolist() == pytest.approx([-0.22, -0.18])
    for said in ("MiniLM (fine-tuned)", "2,000 held-out tasks", "in 99.5 %", "words.csv"):
        assert said in drawing.caption


def test_fewer_words_than_asked_for():
    drawing = figures.words(word_rows().head(3), NAMES, 20)
    raising, lowering = drawing.figure.axes
    assert labels(raising) == ["draft (1,200)", "email (1,200)"] and labels(lowering) == []
