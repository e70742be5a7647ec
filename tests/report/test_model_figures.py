"""Figures of models show what the tables say, for one model and for many, one seed and several."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from jobshift.report import model_figures as figures
from jobshift.report import style
from jobshift.report.kinds import KINDS

CLASSES = ["E0", "E2", "E1"]
NAMES = {"lstm": "LSTM", "tfidf": "TF-IDF"}
TASKS, TEXTS, PAIRS = (KINDS[name] for name in ("exposure", "classification", "pairs"))


@pytest.fixture(autouse=True)
def print_style():
    with style.print_style():
        yield


def metrics(values: dict[tuple[str, int, str], float]) -> pd.DataFrame:
    """(model, seed, split) → κ; the other measures are κ + 0.1 (F1), r (κ + 0.2) and 0.05 (ECE)."""
    rows = [
        (model, seed, split, metric, value, value - 0.1, value + 0.1, 50, 300, 40, 12)
        for (model, seed, split), kappa in values.items()
        for metric, value in (
            ("cohen_kappa", kappa),
            ("f1_macro", kappa + 0.1),
            ("occupation_beta_pearson", kappa + 0.2 if kappa else np.nan),
            ("expected_calibration_error", 0.05 + seed / 100),
        )
    ]
    columns = ["model", "seed", "split", "metric", "value", "low", "high", "draws"]
    return pd.DataFrame(rows, columns=[*columns, "n_tasks", "n_groups", "n_occupations"])


def names(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def means(axes) -> list[tuple[float, float]]:
    """The large dots, one an estimate."""
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    return [tuple(point) for line in lines for point in line.get_xydata()]


def intervals(axes) -> list[list[float]]:
    ends = [segment for lines in axes.collections for segment in lines.get_segments()]
    return [list(segment[:, 0]) for segment in ends]


def test_best_first_by_kappa_on_the_purged_split():
    table = metrics(
        {
            ("mine", 0, "purged"): 0.2,
            ("tfidf", 0, "purged"): 0.5,
            ("mine", 0, "random"): 0.9,
            ("also_mine", 0, "purged"): 0.2,
        }
    )
    assert figures.best_first(table, NAMES, TASKS) == {
        "tfidf": "TF-IDF",
        "mine": "mine",
        "also_mine": "also_mine",
    }


def test_model_comparison():
    table = metrics({("none", 0, "purged"): 0.0, ("lstm", 0, "purged"): 0.6})
    drawing = figures.model_comparison(table, figures.best_first(table, NAMES, TASKS), TASKS)
    kappa, f1, r = drawing.figure.axes
    assert names(kappa) == ["LSTM", "none"]
    np.testing.assert_allclose(means(kappa), [(0.6, 0), (0, 1)])
    np.testing.assert_allclose(intervals(kappa), [[0.5, 0.7], [-0.1, 0.1]])
    np.testing.assert_allclose(means(f1), [(0.7, 0), (0.1, 1)])
    assert kappa.get_xlim()[0] < -0.1
    assert [text.get_text() for text in kappa.texts] == ["0.60", "0.00"]
    assert [text.get_text() for text in r.texts] == ["0.80", "not defined"]
    for said in ("n = 300 tasks in 40 leak groups", "n = 12 with", "50 draws", "Not defined"):
        assert said in drawing.caption


def test_several_seeds_show_their_mean_and_each_of_them():
    table = metrics({("lstm", seed, "purged"): 0.4 + seed / 10 for seed in (0, 1, 2)})
    drawing = figures.model_comparison(table, {"lstm": "LSTM"}, TASKS)
    kappa = drawing.figure.axes[0]
    np.testing.assert_allclose(means(kappa), [(0.5, 0)])
    np.testing.assert_allclose(intervals(kappa), [[0.3, 0.5], [0.4, 0.6], [0.5, 0.7]])
    (ticks,) = [line for line in kappa.lines if line.get_marker() == "|"]
    np.testing.assert_allclose(ticks.get_xdata(), [0.4, 0.5, 0.6])
    assert "mean of 3 seeds" in drawing.caption
    assert "Not defined" not in drawing.caption


def test_split_effect_goes_from_easy_to_hard():
    table = metrics(
        {
            ("lstm", 0, "purged"): 0.7,
            ("tfidf", 0, "purged"): 0.3,
            ("tfidf", 0, "major_group"): 0.5,
            ("tfidf", 0, "random"): 0.8,
            ("tfidf", 0, "by_year"): 0.4,
        }
    )
    drawing = figures.split_effect(table, figures.best_first(table, NAMES, TASKS), TASKS)
    (axes,) = drawing.figure.axes
    assert names(axes) == ["LSTM", "TF-IDF"]
    estimates = means(axes)
    np.testing.assert_allclose([x for x, _ in estimates], [0.7, 0.4, 0.8, 0.5, 0.3])
    heights = [y for _, y in estimates]
    assert heights == sorted(heights)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "by year",
        "random",
        "SOC major group",
        "purged",
    ]
    assert "By year: as conf/ defines it (held out: 300 tasks in 40 leak groups)" in drawing.caption


@pytest.fixture
def calibration() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["lstm", "lstm", "lstm", "tfidf", "lstm"],
            "seed": [0, 0, 1, 0, 0],
            "split": ["purged", "purged", "purged", "purged", "random"],
            "bin": [5, 9, 9, 5, 9],
            "confidence": [0.5, 0.9, 0.88, 0.5, 0.9],
            "accuracy": [0.4, 0.95, 0.9, 0.5, 0.1],
            "n": [100, 200, 300, 300, 200],
        }
    )


def test_reliability_diagram(calibration):
    runs = {("lstm", 0, "purged"): 0.6, ("lstm", 1, "purged"): 0.6, ("tfidf", 0, "purged"): 0.5}
    table = metrics(runs)
    drawing = figures.reliability_diagram(
        calibration, table, figures.best_first(table, NAMES, TASKS), TASKS
    )
    lstm, tfidf = drawing.figure.axes
    assert (lstm.get_title(), tfidf.get_title()) == ("LSTM", "TF-IDF")
    distances, dots = lstm.collections
    np.testing.assert_allclose(dots.get_offsets(), [[0.5, 0.4], [0.9, 0.95], [0.88, 0.9]])
    np.testing.assert_allclose(dots.get_sizes() / dots.get_sizes()[2], [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(
        [segment[:, 1] for segment in distances.get_segments()],
        [[0.5, 0.4], [0.9, 0.95], [0.88, 0.9]],
    )
    # The mean of 0.05 and 0.06.
    assert [text.get_text() for text in lstm.texts] == ["ECE 0.055\nn = 300"]
    assert lstm.get_xlim() == lstm.get_ylim() == (0, 1)
    assert "0.050 to 0.055" in drawing.caption


def confusion(models: list[str], seeds: list[int]) -> pd.DataFrame:
    """Counts of 100 tasks a label: 60 right + the seed, the rest in the next class."""
    rows = []
    for model in models:
        for seed in seeds:
            for number, label in enumerate(CLASSES):
                counts = dict.fromkeys(CLASSES, 0)
                counts[label] = 60 + seed
                counts[CLASSES[(number + 1) % 3]] = 40 - seed
                rows += [(model, seed, "purged", label, p, n) for p, n in counts.items()]
    return pd.DataFrame(rows, columns=["model", "seed", "split", "label", "predicted", "n"])


def test_confusion_matrices():
    table = confusion(["tfidf"], [0, 4])
    drawing = figures.confusion_matrices(table, {"tfidf": "TF-IDF"}, CLASSES, TASKS)
    (axes,) = drawing.figure.axes
    assert axes.get_title() == "TF-IDF"
    shown = [[0.62, 0.38, 0], [0, 0.62, 0.38], [0.38, 0, 0.62]]
    np.testing.assert_allclose(axes.images[0].get_array(), shown)
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == ["62 %\n62", "38 %\n38", "0 %\n0"]
    colours = [to_hex(text.get_color()) for text in axes.texts[:2]]
    assert colours == ["#ffffff", "#000000"]
    assert names(axes) == [label.get_text() for label in axes.get_xticklabels()] == CLASSES
    assert "n = 300: E0 100, E2 100, E1 100" in drawing.caption
    assert "Mean over the seeds" in drawing.caption


def history(runs: list[tuple[str, int, int]], best: int = 1) -> pd.DataFrame:
    """Two epochs of 4 steps for each (model, seed, fold); κ 0.3 and 0.5, or the other way round."""
    rows = []
    for model, seed, fold in runs:
        for epoch in (0, 1):
            for step in (1, 3):
                rows.append((model, seed, fold, epoch, 4 * epoch + step, 1 / (epoch + step), None))
            kappa = 0.5 if epoch == best else 0.3
            rows.append((model, seed, fold, epoch, 4 * epoch + 3, None, kappa))
    columns = ["model", "seed", "fold", "epoch", "step", "train_loss", "val_cohen_kappa"]
    frame = pd.DataFrame(rows, columns=columns).assign(split="purged")
    return frame.assign(val_loss=1 - frame["val_cohen_kappa"].astype(float)).astype(
        {"train_loss": float, "val_cohen_kappa": float}
    )


def test_learning_curves():
    drawing = figures.learning_curves(
        history([("lstm", 0, 0)], best=0), {"tfidf": "T", **NAMES}, TASKS
    )
    loss, kappa = drawing.figure.axes
    train, validation, *_ = loss.lines
    np.testing.assert_allclose(train.get_xydata(), [[1, 1], [3, 1 / 3], [5, 1 / 2], [7, 1 / 4]])
    np.testing.assert_allclose(validation.get_xydata(), [[3, 0.5], [7, 0.7]])
    np.testing.assert_allclose(kappa.lines[0].get_xydata(), [[3, 0.5], [7, 0.3]])
    assert list(kappa.lines[1].get_xdata()) == list(loss.lines[2].get_xdata()) == [3, 3]
    assert [text.get_text() for text in kappa.texts] == ["best: epoch 1\nκ = 0.50"]
    assert {text.get_text() for text in loss.texts} == {"training", "validation"}
    assert "LSTM: κ 0.500 after epoch 1, step 4" in drawing.caption
    assert loss.get_ylim()[0] == 0


def test_learning_curves_of_many_runs():
    models = [f"net{number}" for number in range(5)]
    table = history([(model, seed, fold) for model in models for seed in (0, 1) for fold in (0, 1)])
    drawing = figures.learning_curves(table, dict(zip(models, models, strict=True)), TASKS)
    assert len(drawing.figure.axes) == 2 * 5
    assert drawing.figure.get_figwidth() == style.FULL
    assert "A line a seed and fold" in drawing.caption


def test_learning_curves_without_a_defined_kappa_or_a_single_logged_step():
    table = history([("lstm", 0, 0)]).assign(val_cohen_kappa=np.nan, train_loss=np.nan)
    drawing = figures.learning_curves(table, NAMES, TASKS)
    assert not any(axes.texts for axes in drawing.figure.axes)
    assert "not defined" in drawing.caption


def test_rater_agreement():
    rows = [
        ("task", "exposure", "A-B", "cohen_kappa", 0.81, 90),
        ("task", "exposure", "A-C", "cohen_kappa", 0.84, 90),
        ("task", "exposure", "A-B-C", "krippendorff_alpha_nominal", 0.83, 99),
        ("activity", "automation", "A-B", "cohen_kappa", 0.7, 20),
    ]
    columns = ["level", "variable", "raters", "measure", "value", "n"]
    drawing = figures.rater_agreement(pd.DataFrame(rows, columns=columns))
    tasks, activities = drawing.figure.axes
    assert tasks.get_title() == "Exposure, n = 99 tasks"
    assert activities.get_title() == "Automation, n = 20 activities"
    assert names(tasks) == ["Cohen's κ", "Krippendorff's α, nominal"]
    assert [list(line.get_xdata()) for line in tasks.lines] == [[0.81, 0.84], [0.83]]
    assert tasks.get_xlim()[0] < 0.7
    assert "between 0.700 and 0.840" in drawing.caption


@pytest.mark.parametrize("n", [1, 12])
def test_one_model_and_many(n, calibration):
    models = {f"model_{number}": f"A rather long name, number {number}" for number in range(n)}
    table = metrics({(model, 0, split): 0.5 for model in models for split in ("purged", "random")})
    parted = table.replace({"split": {"random": "hard"}, "metric": {"cohen_kappa": "roc_auc"}})
    parts = [calibration[:2].assign(model=model) for model in models]
    drawings = [
        figures.model_comparison(table, models, TASKS),
        figures.model_comparison(parted, models, PAIRS, ["purged", "hard"]),
        figures.split_effect(table, models, TASKS),
        figures.reliability_diagram(pd.concat(parts), table, models, TASKS),
        figures.confusion_matrices(confusion(list(models), [0]), models, CLASSES, TASKS),
    ]
    for drawing in drawings:
        drawing.figure.draw_without_rendering()
        inches = drawing.figure.get_figwidth(), drawing.figure.get_figheight()
        assert inches[0] in (style.COLUMN, style.FULL)
        assert 0.5 < inches[1] < 9.5
        # Nothing is cut off: all that is drawn lies on the page.
        box = drawing.figure.get_tightbbox()
        assert box.x0 >= -0.01 and box.y0 >= -0.01
        assert box.x1 <= inches[0] + 0.01 and box.y1 <= inches[1] + 0.01


@pytest.mark.parametrize("n", [6, 9, 15])
def test_confusion_matrices_of_many_classes(n: int):
    classes = [f"c{number}" for number in range(n)]
    table = pd.DataFrame(
        [
            ("lstm", 0, "purged", label, predicted, 10 * (label == predicted) + 2)
            for label in classes
            for predicted in classes
        ],
        columns=["model", "seed", "split", "label", "predicted", "n"],
    )
    drawing = figures.confusion_matrices(
        table, {"lstm": "LSTM"}, classes, TEXTS, {"c1": "服务人员"}
    )
    (axes,) = drawing.figure.axes
    assert names(axes)[:2] == ["c0", "c1 服务人员"]
    # Each label has 12 hits and 2 of each other class.
    share = round(1200 / (12 + 2 * (n - 1)))
    texts = [text.get_text() for text in axes.texts]
    assert len(texts) == (n * n if n <= 12 else 0)
    if n == 6:
        assert texts[0] == f"{share} %\n12"
    elif n == 9:
        assert texts[0] == str(share)
    assert ("their number" in drawing.caption) == (n == 6)
    assert ("white none" in drawing.caption) == (n == 15)


def test_without_exposure_accuracy_stands_in_the_place_of_occupations():
    table = metrics({("lstm", 0, "purged"): 0.4, ("lstm", 0, "job_titles"): 0.2})
    table = table.replace({"occupation_beta_pearson": "accuracy"})
    drawing = figures.model_comparison(table, NAMES, TEXTS, ["job_titles"], "job titles")
    assert [axes.get_xlabel() for axes in drawing.figure.axes][-1] == "Accuracy"
    assert means(drawing.figure.axes[0])[0][0] == pytest.approx(0.2)
    assert "the second test set, job titles, of which nothing was learnt" in drawing.caption
    assert "occupations" not in drawing.caption


def test_parts_of_the_test_set_stand_below_the_whole():
    values = {("lstm", 0, "purged"): 0.7, ("lstm", 0, "hard"): 0.6, ("tfidf", 0, "purged"): 0.55}
    table = metrics(values | {("tfidf", 0, "hard"): 0.5}).replace(
        {"metric": {"cohen_kappa": "roc_auc", "f1_macro": "average_precision"}}
    )
    table.loc[table["split"] == "hard", "n_tasks"] = 120
    models = figures.best_first(table, NAMES, PAIRS)
    assert list(models) == ["lstm", "tfidf"]
    drawing = figures.model_comparison(table, models, PAIRS, ["purged", "hard"])
    # Accuracy is not in the table, r of occupations not among what is compared of pairs.
    assert [axes.get_xlabel() for axes in drawing.figure.axes] == ["ROC AUC", "Average precision"]
    area = drawing.figure.axes[0]
    # Two lines and some air a model.
    np.testing.assert_allclose(means(area), [(0.7, 0), (0.6, 1), (0.55, 2.4), (0.5, 3.4)])
    np.testing.assert_allclose(area.get_yticks(), [0.5, 2.9])
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == [
        "all pairs",
        "hard",
    ]
    # 0.5 is what guessing gets; the interval of 0.5 ends at 0.4.
    assert area.get_xlim() == pytest.approx((0.34, 1))
    for said in (
        "purged split: ROC AUC and average precision (n = 300 pairs in 40 leak groups)",
        "hard: those drawn from two occupations of one major group (n = 120)",
        "Dotted: 0.5",
    ):
        assert said in drawing.caption


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_its_own_validation_measure(name: str):
    kind = KINDS[name]
    table = history([("lstm", 0, 0)]).rename(columns={"val_cohen_kappa": kind.validation})
    drawing = figures.learning_curves(table, NAMES, kind)
    loss, measure = drawing.figure.axes
    assert loss.get_ylabel() == kind.loss
    assert measure.get_ylabel() == f"Validation {kind.validated}"
    assert [text.get_text() for text in measure.texts] == [
        f"best: epoch 2\n{kind.validated} = 0.50"
    ]
    assert f"LSTM: {kind.validated} 0.500 after epoch 2, step 8" in drawing.caption
    assert ("κ" in drawing.caption) == (kind.first == "cohen_kappa")


def test_the_splits_of_another_kind():
    table = metrics({("lstm", 0, "purged"): 0.6, ("lstm", 0, "random"): 0.8})
    table = table.replace({"metric": {"f1_macro": "f1_micro"}})
    drawing = figures.split_effect(table, {"lstm": "LSTM"}, KINDS["multilabel"])
    assert drawing.figure.axes[0].get_xlabel() == "Micro-F1"
    assert "micro-F1 of each model on the held-out texts" in drawing.caption
    assert "Random: single texts are held out (held out: 300 texts" in drawing.caption
    assert "κ" not in drawing.caption
