"""Figures that one kind of task alone has: what is drawn, what is said of it, and what is left out."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from jobshift.measures import kinds as measured
from jobshift.report import style
from jobshift.report import task_figures as figures
from jobshift.report.kinds import KINDS, kind_of

NAMES = {"lstm": "LSTM", "tfidf": "TF-IDF"}
ESTIMATE = ["value", "low", "high"]


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


def rows(columns: str, *given: tuple) -> pd.DataFrame:
    return pd.DataFrame(list(given), columns=columns.split())


def inside(drawing: style.Drawing) -> bool:
    """Whether nothing is cut off: all that is drawn lies on the page."""
    drawing.figure.draw_without_rendering()
    box = drawing.figure.get_tightbbox()
    width, height = drawing.figure.get_size_inches()
    return min(box.x0, box.y0) >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


# ---- pairs ----


def ranked(seeds: tuple[int, ...] = (0,)) -> list[pd.DataFrame]:
    """curves, metrics and confusion of two models: 3 of 8 pairs are "same", of the hard ones 1 of 4."""
    curves, metrics, confusion = [], [], []
    for model, area in (("lstm", 0.9), ("tfidf", 0.6)):
        for seed in seeds:
            for split, n, same in (("purged", 8, 3), ("hard", 4, 1)):
                run = (model, seed, split)
                curves += [(*run, "roc", x, y) for x, y in ((0, 0), (0.2, area), (1, 1))]
                curves += [(*run, "precision_recall", x, y) for x, y in ((0.5, area), (1, 0.4))]
                metrics += [
                    (*run, "roc_auc", area + seed / 10, n, 2),
                    (*run, "average_precision", area - 0.1, n, 2),
                ]
                confusion += [(*run, "other", "other", n - same), (*run, "other", "same", 0)]
                confusion += [(*run, "same", "other", same - 1), (*run, "same", "same", 1)]
    return [
        rows("model seed split curve x y", *curves),
        rows("model seed split metric value n_tasks n_groups", *metrics),
        rows("model seed split label predicted n", *confusion),
    ]


def test_ranking_curves():
    drawing = figures.ranking_curves(*ranked(), NAMES, KINDS["pairs"], "same")
    roc, precision = drawing.figure.axes
    # The first line is that of a model that knows nothing.
    np.testing.assert_allclose(roc.lines[0].get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_allclose(roc.lines[1].get_xydata(), [[0, 0], [0.2, 0.9], [1, 1]])
    np.testing.assert_allclose(precision.lines[0].get_ydata(), [0.375, 0.375])  # 3 of 8
    np.testing.assert_allclose(precision.lines[2].get_xydata(), [[0.5, 0.6], [1, 0.4]])
    legends = [axes.get_legend() for axes in (roc, precision)]
    assert [legend.get_title().get_text() for legend in legends] == ["ROC AUC", "Average precision"]
    assert [text.get_text() for text in legends[0].get_texts()] == ["0.900  LSTM", "0.600  TF-IDF"]
    assert [text.get_text() for text in legends[1].get_texts()] == ["0.800  LSTM", "0.500  TF-IDF"]
    assert "(n = 8, 37.5 % of them “same”)" in drawing.caption
    assert "Drawn from curves.csv, metrics.csv and confusion.csv" in drawing.caption
    assert "seeds" not in drawing.caption
    assert inside(drawing)


def test_ranking_curves_of_a_part_and_of_several_seeds():
    drawing = figures.ranking_curves(*ranked((0, 1)), NAMES, KINDS["pairs"], "same", "hard")
    roc = drawing.figure.axes[0]
    assert len(roc.lines) == 1 + 2 * 2
    # The mean of 0.9 and 1.0.
    assert roc.get_legend().get_texts()[0].get_text() == "0.950  LSTM"
    for said in (
        "the hard test pairs",
        "(n = 4, 25.0 % of them",
        "A line a seed; numbers are means",
    ):
        assert said in drawing.caption


def test_many_models_fit_on_the_page():
    tables = ranked()
    models = {f"net{n}": f"A rather long name of a model, number {n}" for n in range(9)}
    many = [
        pd.concat([table[table["model"] == "lstm"].assign(model=model) for model in models])
        for table in tables
    ]
    assert inside(figures.ranking_curves(*many, models, KINDS["pairs"], "same"))


# ---- several labels ----


def test_classes():
    columns = "model seed split class n_test f1 low high"
    table = rows(
        columns,
        ("tfidf", 0, "purged", "a.1", 40, 0.9, 0.8, 1.0),
        ("lstm", 0, "purged", "a.1", 40, 0.3, 0.2, 0.4),
        ("lstm", 0, "purged", "a.2", 1200, 0.7, 0.6, 0.8),
        ("lstm", 0, "purged", "b.1", 11, np.nan, np.nan, np.nan),
        ("lstm", 0, "random", "a.1", 40, 0.9, 0.8, 1.0),
    )
    drawing = figures.classes(table, {"rater": "Rater", **NAMES}, {"a.2": "Ride", "a.1": "检查"})
    values, texts = drawing.figure.axes
    # The best model that has classes; from the highest F1 down; what is not defined last.
    labels = [label.get_text() for label in values.get_yticklabels()]
    assert labels == ["Ride  a.2", "检查  a.1", "b.1"]
    dots = [tuple(line.get_xydata()[0]) for line in values.lines]
    np.testing.assert_allclose(dots[:2], [(0.7, 0), (0.3, 1)])
    assert [text.get_text() for text in values.texts] == ["not defined"]
    np.testing.assert_allclose(texts.lines[0].get_xydata(), [[1200, 0], [40, 1], [11, 2]])
    assert [text.get_text() for text in texts.texts] == ["1,200", "40", "11"]
    for said in (
        "each of the 3 classes by LSTM",
        "(11 to 1,200; logarithmic)",
        "(Spearman): 1.00",  # of the two that are defined
        "Not defined: neither a label nor predicted (1).",
    ):
        assert said in drawing.caption
    assert inside(drawing)


def test_classes_of_several_seeds_are_averaged():
    table = rows(
        "model seed split class n_test f1 low high",
        *(
            ("lstm", seed, "purged", name, 9, 0.4 + seed / 5, 0.3, 0.9)
            for seed in (0, 1)
            for name in "ab"
        ),
    )
    drawing = figures.classes(table, NAMES, {})
    values = drawing.figure.axes[0]
    dots = [line.get_xdata()[0] for line in values.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, [0.5, 0.5])
    assert "mean of 2 seeds" in drawing.caption
    # All alike: there is no rank correlation.
    assert "(Spearman): –" in drawing.caption


# ---- generation ----


def decoded(model: str, decoding: str | float, seen: float, unseen: float) -> list[tuple]:
    return [
        (model, 0, split, decoding, metric, value, value - 0.1, value + 0.1)
        for split, value in (("purged", (seen + unseen) / 2), ("seen", seen), ("unseen", unseen))
        for metric in ("exact_match", "known_title", "bleu")
    ]


def test_decodings():
    table = rows(
        "model seed split decoding metric value low high",
        *decoded("lstm", "greedy", 0.5, 0.2),
        *decoded("lstm", "beam", 0.6, 0.3),
        *decoded("tfidf", np.nan, 0.4, 0.1),
    )
    drawing = figures.decodings(table, NAMES, KINDS["generation"])
    exact, known = drawing.figure.axes
    # BLEU has another scale and is left to the page.
    assert [axes.get_xlabel() for axes in (exact, known)] == ["Exact match", "Known title"]
    labels = exact.get_yticklabels()
    assert [label.get_text() for label in labels] == ["LSTM", "greedy", "beam", "TF-IDF"]
    assert [to_hex(label.get_color()) == style.GREY.lower() for label in labels] == [
        *(False, True, True, False)
    ]
    dots = [tuple(line.get_xydata()[0]) for line in exact.lines]
    expected = [(0.5, 0.85), (0.2, 1.15), (0.6, 1.85), (0.3, 2.15), (0.4, 2.85), (0.1, 3.15)]
    np.testing.assert_allclose(dots, expected)
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == ["seen", "unseen"]
    assert "exact match and known title of each model by decoding" in drawing.caption
    assert "unseen: the target is none of training" in drawing.caption
    assert inside(drawing)


# ---- the words ----


@pytest.mark.parametrize("task", measured.KINDS)
def test_the_words_are_of_the_measures_that_there_are(task: str):
    kind, own = kind_of(task, exposure=False), measured.KINDS[task]
    assert (kind.first, kind.units) == (own.first, own.units)
    assert list(kind.parts) == list(own.parts)
    assert kind.first in kind.compared
    assert "purged" in kind.splits
    assert kind.first in own().measures()
    assert set(kind.compared) <= {*own().measures()}


def test_exposure_is_a_kind_of_its_own():
    assert kind_of("classification", exposure=True).units == "tasks"
