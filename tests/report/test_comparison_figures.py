"""Cost and learning-curve figures show what the tables say, with few models and with many."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from jobshift.report import comparison_figures as figures
from jobshift.report import style
from jobshift.report.kinds import KINDS

NAMES = {"lstm": "LSTM", "tfidf": "TF-IDF"}
KIND = KINDS["exposure"]


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


def comparison(models: dict[str, tuple[float, float, float]], seeds: int = 3) -> pd.DataFrame:
    """Model → κ, training seconds, rating texts per second."""
    table = pd.DataFrame(
        [(model, *numbers) for model, numbers in models.items()],
        columns=["model", "cohen_kappa", "training_seconds", "rating_texts_per_second"],
    )
    kappa = table["cohen_kappa"]
    return table.assign(
        seeds=seeds, cohen_kappa_low=kappa - 0.05, cohen_kappa_high=kappa + 0.04, threads=2.0
    )


def curve(rows: list[tuple], **changes) -> pd.DataFrame:
    """Rows of (model, percent, tasks, κ, behind the full data)."""
    table = pd.DataFrame(rows, columns=["model", "percent", "n_tasks", "value", "behind_full"])
    return table.assign(
        metric="cohen_kappa",
        seeds=2,
        low=table["value"] - 0.05,
        high=table["value"] + 0.04,
        sd=0.01,
    ).assign(**changes)


LINES = [
    ("tfidf", 10, 100, 0.40, 0.10),
    ("tfidf", 50, 500, 0.48, 0.02),
    ("tfidf", 100, 1000, 0.50, np.nan),
    ("lstm", 10, 100, 0.20, 0.50),
    ("lstm", 50, 500, 0.50, 0.20),
    ("lstm", 100, 1000, 0.70, np.nan),
]


def dots(axes) -> np.ndarray:
    return np.asarray(axes.collections[1].get_offsets())


def test_accuracy_cost():
    table = comparison(
        {"lstm": (0.6, 100.0, 50.0), "tfidf": (0.5, 2.0, 900.0), "mine": (0.4, 7.0, 40.0)}
    )
    drawing = figures.accuracy_cost(table, NAMES, KIND)
    training, rating = drawing.figure.axes
    assert training.get_xscale() == rating.get_xscale() == "log"
    np.testing.assert_allclose(dots(training), [[100, 0.6], [2, 0.5], [7, 0.4]])
    np.testing.assert_allclose(dots(rating), [[50, 0.6], [900, 0.5], [40, 0.4]])
    ends = [list(segment[:, 1]) for segment in training.collections[0].get_segments()]
    np.testing.assert_allclose(ends, [[0.55, 0.64], [0.45, 0.54], [0.35, 0.44]])
    # tfidf is better than mine in all; lstm has the highest κ, tfidf the lowest cost.
    np.testing.assert_allclose(training.lines[0].get_xydata(), [[2, 0.5], [100, 0.6]])
    np.testing.assert_allclose(rating.lines[0].get_xydata(), [[50, 0.6], [900, 0.5]])
    assert [text.get_text() for text in training.texts] == ["1", "2", "3"]
    written = [text.get_text() for text in rating.texts]
    assert written == ["1", "LSTM", "2", "TF-IDF", "3", "mine", "1", "2", "3"]
    for said in (
        "of 3 models, numbered from the highest κ (mean over the seeds)",
        "(training: LSTM and TF-IDF; rating: LSTM and TF-IDF)",
        "once with 2 threads by benchmarks/model_costs.py",
        "Drawn from comparison.csv (stage compare).",
    ):
        assert said in drawing.caption
    assert "Left out" not in drawing.caption


def test_models_that_read_codes_are_grey_and_no_part_of_the_front():
    table = comparison(
        {"lookup": (0.7, 1.0, 999.0), "lstm": (0.6, 100.0, 50.0), "tfidf": (0.5, 2.0, 900.0)}
    )
    drawing = figures.accuracy_cost(table, NAMES, KIND, ["lookup", "another"])
    training = drawing.figure.axes[0]
    np.testing.assert_allclose(training.lines[0].get_xydata(), [[2, 0.5], [100, 0.6]])
    edges = training.collections[1].get_edgecolors()
    assert (edges[0] != edges[1]).any() and (edges[1] == edges[2]).all()
    assert "Grey, and no part of the front: lookup; they read the activities" in drawing.caption
    assert "(training: LSTM and TF-IDF; rating: LSTM and TF-IDF)" in drawing.caption


def test_models_that_always_say_the_same_are_named_and_not_drawn():
    table = comparison({"lstm": (0.6, 100.0, 50.0), "tfidf": (0.0, 2.0, 900.0)})
    table.loc[1, ["cohen_kappa_low", "cohen_kappa_high"]] = 0.0
    drawing = figures.accuracy_cost(table, NAMES, KIND)
    np.testing.assert_allclose(dots(drawing.figure.axes[0]), [[100, 0.6]])
    assert "Left out, as they always say the same (κ = 0.00): TF-IDF." in drawing.caption
    assert "not measured" not in drawing.caption
    assert drawing.figure.axes[0].get_ylim()[0] > 0.5


def test_models_without_costs_are_counted():
    table = comparison({"a": (0.6, 5.0, 50.0), "b": (0.5, np.nan, np.nan)}, seeds=1)
    drawing = figures.accuracy_cost(table.assign(threads=1.0), {}, KIND)
    assert len(dots(drawing.figure.axes[0])) == 1
    assert "of 1 models" not in drawing.caption
    assert "of 1 model, numbered from the highest κ; vertical" in drawing.caption
    assert "Left out, as their costs were not measured: 1." in drawing.caption
    assert "with 1 thread by" in drawing.caption
    assert figures.with_costs(table[1:], KIND).empty


def test_no_time_at_all_is_drawn_at_the_end_of_the_axis():
    table = comparison({"a": (0.6, 0.0, 50.0), "b": (0.5, 2.0, 60.0)})
    drawing = figures.accuracy_cost(table, {}, KIND)
    assert dots(drawing.figure.axes[0])[0, 0] == 0.001
    assert "Values below 0.001 are drawn there." in drawing.caption


def test_every_one_of_many_models_has_its_number_and_none_overlap():
    rng = np.random.default_rng(0)
    models = {
        f"model {n}": (0.5 + 0.01 * n, 10 ** rng.uniform(1, 4), 10 ** rng.uniform(1, 3))
        for n in range(16)
    }
    models |= {"majority": (0.0, 0.01, 1e6), "lookup": (0.0, 0.01, 1e6)}
    drawing = figures.accuracy_cost(comparison(models), {}, KIND)
    drawing.figure.draw_without_rendering()
    for axes in drawing.figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        numbers = [text.get_text() for text in axes.texts]
        assert {str(n) for n in range(1, 19)} <= set(numbers)
        for n, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:n]), numbers[n]
            assert drawing.figure.bbox.contains(*box.max)


def test_pareto():
    first, second = np.array([1, 2, 3, 3, 1]), np.array([5, 4, 3, 3, 4])
    # (3, 3) twice: neither is better than the other. (1, 4) is beaten by (1, 5) and by (2, 4).
    np.testing.assert_array_equal(figures.pareto(first, second), [1, 1, 1, 1, 0])


def test_learning_curve():
    drawing = figures.learning_curve(curve(LINES), NAMES, KIND)
    (axes,) = drawing.figure.axes
    assert axes.get_xscale() == "log"
    # Best at the end first.
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[100, 0.2], [500, 0.5], [1000, 0.7]])
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [[100, 0.4], [500, 0.48], [1000, 0.5]])
    assert [text.get_text() for text in axes.texts] == ["LSTM", "TF-IDF"]
    low, high = (f(axes.collections[0].get_paths()[0].vertices[:, 1]) for f in (min, max))
    np.testing.assert_allclose([low, high], [0.15, 0.74])
    for said in (
        "Within 0.02 of the κ that all tasks give from this many on: TF-IDF 500 (50 %); only with all "
        "tasks: LSTM.",
        "thick marks: ± their standard deviation",
        "Drawn from learning_curve.csv (stage compare).",
    ):
        assert said in drawing.caption


def test_near_counts_only_what_stays_near():
    rows = [
        ("a", 10, 100, 0.5, 0.01),
        ("a", 25, 250, 0.4, 0.11),
        ("a", 50, 500, 0.5, 0.01),
        ("a", 100, 1000, 0.51, np.nan),
        ("b", 10, 100, 0.5, -0.01),
        ("b", 25, 250, 0.5, 0.0),
        ("b", 100, 1000, 0.49, np.nan),
    ]
    said = figures.near(figures.of_first(curve(rows), KIND), {}, KIND)
    assert said.endswith("on: b 100 (10 %) and a 500 (50 %).")


def test_one_seed_has_no_marks_and_names_of_equal_ends_do_not_overlap():
    rows = [(f"model {n}", p, 10 * p, 0.5 + p / 1e3, 0.05) for n in range(9) for p in (10, 100)]
    drawing = figures.learning_curve(curve(rows, seeds=1, sd=np.nan), {}, KIND)
    assert "thick marks" not in drawing.caption
    drawing.figure.draw_without_rendering()
    (axes,) = drawing.figure.axes
    # Without the line that leads to the end of the curve.
    boxes = [Text.get_window_extent(text) for text in axes.texts]
    assert len(boxes) == 9
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:n])


def test_other_measures_do_not_make_a_curve():
    assert figures.of_first(curve(LINES, metric="accuracy"), KIND).empty


def test_the_first_measure_of_another_kind():
    kind = KINDS["pairs"]
    table = comparison({"lstm": (0.8, 100.0, 50.0), "tfidf": (0.5, 2.0, 900.0)})
    table = table.rename(columns=lambda name: name.replace("cohen_kappa", "roc_auc"))
    table.loc[1, ["roc_auc_low", "roc_auc_high"]] = 0.5
    drawing = figures.accuracy_cost(table, NAMES, kind)
    assert drawing.figure.axes[0].get_ylabel() == "ROC AUC"
    assert "What agreement costs: ROC AUC on the held-out pairs of the purged" in drawing.caption
    assert "as they always say the same (ROC AUC = 0.50): TF-IDF." in drawing.caption
    line = figures.learning_curve(curve(LINES, metric="roc_auc"), NAMES, kind)
    (axes,) = line.figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Labelled pairs learned from", "ROC AUC")
    assert "Within 0.02 of the ROC AUC that all pairs give" in line.caption
    assert "κ" not in drawing.caption + line.caption
