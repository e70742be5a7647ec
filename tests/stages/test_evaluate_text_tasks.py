"""Pairs, several classes a text and generated texts, from prepared rows and predictions made by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sacrebleu

from jobshift.config import DataConfig, LearningCurve, Study
from jobshift.errors import JobshiftError
from jobshift.measures import generation
from jobshift.stages import compare, evaluate, transfer

TABLES = Path("reports/tables")
ACTIVITIES = ["4.A.1.a.1", "4.A.1.a.2", "4.A.2.b.1"]
A, B, C = ACTIVITIES
TITLES = ["Count boxes", "Fold papers", "Paint boxes", "Sing to bees", "Water plants"]
# What stands in conf/: measures of classification.
CLASSIFICATION = ["cohen_kappa", "f1_macro", "accuracy", "occupation_beta_pearson"]

LABELS = {"pairs": ["other", "same"], "multilabel": ACTIVITIES, "generation": []}


def config(task: str, models: list[str], **changes) -> evaluate.Config:
    study = Study(name="s", data="d", models=models, seeds=[0])
    data = DataConfig(name="d", title="D", task=task, labels=LABELS[task], sources=[])
    return replace(evaluate.Config(study=study, data=data, draws=40), **changes)


def of_compare(given: evaluate.Config, **changes) -> compare.Config:
    options = {"draws": 40, "metrics": CLASSIFICATION, **changes}
    return compare.Config(study=given.study, data=given.data, **options)


def prepare(*folds: pd.DataFrame) -> None:
    """Test rows by fold, each with its leak group; what none of the kinds needs is the same for all."""
    for fold, rows in enumerate(folds):
        folder = Path("data/prepared/d/purged", str(fold))
        folder.mkdir(parents=True)
        rows.assign(occupation="o", weight=1.0).to_parquet(folder / "test.parquet", index=False)
    rows = pd.concat(folds)
    rows.to_parquet("data/prepared/d/tasks.parquet", index=False)


def predict(model: str, said: pd.DataFrame, run: str = "purged-0", **options) -> Path:
    """A run's predictions of the test rows, last first, and of a training row, which are not to be read."""
    folder = Path("models", model, run)
    folder.mkdir(parents=True)
    said = said.assign(part="test", **({} if "fold" in said else {"fold": 0}))
    trained = said[:1].assign(id="trained", part="train")
    trained = trained.assign(**{name: None for name in said if name.startswith("output_")})
    rows = pd.concat([trained, said[::-1]])
    rows.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "run.json").write_text(json.dumps({"fit_on": "train", **options}))
    return folder


def value(split: str, metric: str, model: str = "net", column: str = "value") -> float:
    table = pd.read_csv(TABLES / "metrics.csv")
    rows = table[
        (table["model"] == model) & (table["split"] == split) & (table["metric"] == metric)
    ]
    assert len(rows) == 1
    return rows[column].iloc[0]


def edit(path: str, row: int, **values) -> None:
    frame = pd.read_parquet(path).astype(dict.fromkeys(values, object))
    for column, new in values.items():
        frame.loc[row, column] = new
    frame.to_parquet(path, index=False)


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv")


def tex(name: str) -> str:
    return (TABLES / f"{name}.tex").read_text()


# Pairs


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch) -> evaluate.Config:
    """Four hard pairs and four others, in four leak groups; `net` knows something, `even` nothing."""
    monkeypatch.chdir(tmp_path)
    ids = [f"p{number}" for number in range(8)]
    rows = pd.DataFrame(
        {"id": ids, "label": ["same", "other"] * 4, "hard": [True] * 4 + [False] * 4}
    )
    prepare(rows.assign(group=["a", "a", "b", "b", "c", "c", "d", "d"]))
    same = np.array([0.9, 0.8, 0.6, 0.6, 0.7, 0.1, 0.2, 0.3])
    for model, p in (("even", np.full(8, 0.5)), ("net", same)):
        said = np.where(p >= 0.5, "same", "other")
        predict(model, pd.DataFrame({"id": ids, "predicted": said, "p_other": 1 - p, "p_same": p}))
    return config("pairs", ["even", "net"], compare=CLASSIFICATION)


def test_pairs_are_measured_by_rank_and_as_classes(pairs):
    evaluate.run(pairs)
    # Of same 0.9, 0.6, 0.7, 0.2 above other 0.8, 0.6, 0.1, 0.3: 4 + 2½ + 3 + 1, of 16.
    assert value("purged", "roc_auc") == pytest.approx(10.5 / 16, abs=1e-6)
    # Downwards, at each same: 1 of 1, 2 of 3 (0.7), 3 of 5 (0.6, with an other), 4 of 7 (0.2).
    expected = (1 + 2 / 3 + 3 / 5 + 4 / 7) / 4
    assert value("purged", "average_precision") == pytest.approx(expected, abs=1e-6)
    # Right from one half on: 0.9, 0.6, 0.7 of same, 0.1, 0.3 of other.
    assert value("purged", "accuracy") == pytest.approx(5 / 8)
    # Both classes counted, as in classification: twice 0.01 + .64 + .16 + .36 + .09 + .01 + .64 + .09.
    assert value("purged", "brier_score") == pytest.approx(2 * 2 / 8)
    assert value("purged", "roc_auc", "even") == 0.5
    assert value("purged", "roc_auc", "even", "low") == 0.5
    metrics = table("metrics")
    assert list(metrics["metric"].unique()[:4]) == [
        *("roc_auc", "average_precision", "accuracy", "balanced_accuracy"),
    ]
    low, high = (value("purged", "roc_auc", column=end) for end in ("low", "high"))
    assert 0 <= low < 10.5 / 16 < high <= 1


def test_hard_pairs_are_a_split_of_their_own(pairs):
    evaluate.run(pairs)
    # 0.9 above both, 0.6 as high as one: 2½ of 4.
    assert value("hard", "roc_auc") == 0.625
    assert value("hard", "accuracy") == 0.5
    sizes = [value("hard", "roc_auc", column=f"n_{unit}") for unit in ("tasks", "groups")]
    assert sizes == [4, 2]
    confusion = table("confusion")
    assert confusion.groupby(["model", "split"])["n"].sum().tolist() == [4, 8, 4, 8]
    assert set(table("calibration")["split"]) == {"purged", "hard"}
    assert "Hard: 4 pairs in 2 leak groups" in tex("metrics")


def test_the_curves_of_pairs(pairs):
    evaluate.run(pairs)
    curves = table("curves")
    assert list(curves) == ["model", "seed", "split", "curve", "x", "y"]
    of_hard = curves[(curves["model"] == "net") & (curves["split"] == "hard")]
    roc = of_hard[of_hard["curve"] == "roc"]
    # Same at 0.9, other at 0.8, one of each at 0.6.
    assert roc[["x", "y"]].to_numpy().tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [1, 1]]
    pr = of_hard[of_hard["curve"] == "precision_recall"]
    assert pr[["x", "y"]].to_numpy().tolist() == [[0.5, 1], [0.5, 0.5], [1, 0.5]]


def test_pairs_are_compared_in_their_own_measures(pairs, caplog):
    with caplog.at_level("INFO"):
        evaluate.run(pairs)
    assert "left out, as d does not have it: occupation_beta_pearson" in caplog.text
    assert "in their place those of d: roc_auc, average_precision, accuracy" in caplog.text
    assert "net, seed 0, purged split: ROC AUC 0.656" in caplog.text
    headline = json.loads(Path("reports/headline.json").read_text())
    assert list(headline["net"]) == ["roc_auc", "average_precision", "accuracy"]
    comparisons = table("comparisons")
    assert list(comparisons["metric"]) == ["roc_auc", "average_precision", "accuracy"] * 2
    assert list(comparisons["split"]) == ["purged"] * 3 + ["hard"] * 3
    assert comparisons["difference"].iloc[0] == pytest.approx(0.5 - 10.5 / 16, abs=1e-6)
    notes = tex("metrics")
    assert "Every held-out pair counts once." in notes and "of the class same." in notes
    assert "task" not in notes


def test_an_own_choice_of_measures_that_has_the_first_stays(pairs, caplog):
    with caplog.at_level("INFO"):
        evaluate.run(replace(pairs, compare=["log_loss", "roc_auc", "f1_micro"]))
    assert "left out, as d does not have it: f1_micro" in caplog.text
    assert set(table("comparisons")["metric"]) == {"log_loss", "roc_auc"}
    evaluate.run(replace(pairs, compare=["log_loss"]))
    assert set(table("comparisons")["metric"]) == {"log_loss"}
    with pytest.raises(
        JobshiftError, match="names 'roc', which is no measure; choose from roc_auc"
    ):
        evaluate.run(replace(pairs, compare=["roc"]))


def test_a_test_set_without_hard_pairs_has_no_such_split(pairs, caplog):
    path = "data/prepared/d/purged/0/test.parquet"
    pd.read_parquet(path).assign(hard=False).to_parquet(path, index=False)
    with caplog.at_level("INFO"):
        evaluate.run(pairs)
    assert "no test task of the purged split is hard" in caplog.text
    assert set(table("metrics")["split"]) == {"purged"}


def test_pairs_by_costs_and_by_how_many_there_were(pairs):
    evaluate.run(pairs)
    train = pd.DataFrame({"group": [f"g{number // 2}" for number in range(20)]})
    train.to_parquet("data/prepared/d/purged/0/train.parquet", index=False)
    source = Path("models/even/purged-0/predictions.parquet")
    half = predict("net", pd.DataFrame({"id": ["x"]}), run="purged-0-50")
    (half / "predictions.parquet").write_bytes(source.read_bytes())
    pairs.study.learning_curve = LearningCurve(models=["net"], percents=[50])
    compare.run(of_compare(pairs))
    comparison = table("comparison")
    assert comparison["model"].tolist() == ["net", "even"]
    assert list(comparison)[2:4] == ["roc_auc", "roc_auc_sd"]
    assert comparison["behind_best"].iloc[1] == pytest.approx(10.5 / 16 - 0.5, abs=1e-6)
    curve = table("learning_curve").set_index(["percent", "metric"])
    assert curve.loc[(50, "roc_auc"), "value"] == 0.5
    assert curve.loc[(50, "roc_auc"), "behind_full"] == pytest.approx(10.5 / 16 - 0.5, abs=1e-6)
    assert curve.loc[(50, "roc_auc"), "n_tasks"] == 10
    notes = tex("comparison") + tex("learning_curve")
    assert "minus this one in ROC AUC, paired" in notes and "kappa" not in notes
    assert "Held-out pairs of the primary split" in notes and "tasks" not in notes.lower()


@pytest.mark.parametrize(
    ("path", "values", "problem"),
    [
        (
            "data/prepared/d/purged/0/test.parquet",
            {"hard": None},
            "has neither true nor false as hard",
        ),
        ("data/prepared/d/purged/0/test.parquet", {"label": "twin"}, "has a label that is none of"),
        # Row 0 is a training pair.
        ("models/net/purged-0/predictions.parquet", {"p_same": 0.5}, "do not sum to 1"),
    ],
)
def test_broken_pairs(pairs, path, values, problem):
    edit(path, 3, **values)
    with pytest.raises(JobshiftError, match=rf"row 3 \(id p\d\) .*{problem}"):
        evaluate.run(pairs)


# Several classes a text


@pytest.fixture
def activities(tmp_path: Path, monkeypatch) -> evaluate.Config:
    """Two folds of two texts; `net` has thresholds for each, `none` never predicts a class."""
    monkeypatch.chdir(tmp_path)
    labels = [f"{A} {B}", A, C, A]
    ids, folds = ["t0", "t1", "t2", "t3"], [0, 0, 1, 1]
    rows = pd.DataFrame({"id": ids, "label": labels, "group": ["a", "b", "c", "d"]})
    prepare(rows[:2], rows[2:])
    p = [[0.9, 0.4, 0.1], [0.3, 0.6, 0.2], [0.1, 0.2, 0.8], [0.2, 0.1, 0.1]]
    for model, said, chances in (
        ("none", [""] * 4, np.full((4, 3), 0.1)),
        ("net", [A, B, C, ""], np.array(p)),
    ):
        frame = pd.DataFrame(chances, columns=[f"p_{name}" for name in ACTIVITIES])
        folder = predict(model, frame.assign(id=ids, fold=folds, predicted=said))
        chosen = [(fold, name, t) for fold, t in ((0, 0.5), (1, 0.7)) for name in ACTIVITIES]
        chosen = pd.DataFrame(chosen, columns=["fold", "class", "threshold"])
        chosen.to_csv(folder / "thresholds.csv", index=False)
    return config("multilabel", ["none", "net"], compare=CLASSIFICATION)


def test_several_classes_by_hand(activities):
    evaluate.run(activities)
    # Hits, predictions, cases of A: 1, 1, 3; of B: 0, 1, 1; of C: 1, 1, 1.
    assert value("purged", "f1_micro") == pytest.approx(2 * 2 / (3 + 5))
    assert value("purged", "f1_macro") == pytest.approx((2 / 4 + 0 + 1) / 3)
    assert value("purged", "precision_micro") == pytest.approx(2 / 3, abs=1e-6)
    assert value("purged", "recall_micro") == pytest.approx(2 / 5)
    # With 4.A.1.a and 4.A.1, or 4.A.2.b and 4.A.2: 4, 3, 3, 3 there, 3, 3, 3, 0 predicted, 3, 2, 3 hit.
    assert value("purged", "hierarchical_f1") == pytest.approx(2 * 8 / (13 + 9), abs=1e-6)
    assert value("purged", "hierarchical_precision") == pytest.approx(8 / 9, abs=1e-6)
    assert value("purged", "hierarchical_recall") == pytest.approx(8 / 13, abs=1e-6)
    # A and B are the first two of t0; A is second of t1, and first of t3, though none is predicted.
    ranked = value("purged", "label_ranking_average_precision")
    assert ranked == pytest.approx((1 + 1 / 2 + 1 + 1) / 4)
    assert value("purged", "subset_accuracy") == 0.25
    assert value("purged", f"f1_{A}") == 0.5
    metrics = table("metrics")
    assert list(metrics["metric"].unique()) == [
        *("f1_micro", "f1_macro", "precision_micro", "recall_micro", "hierarchical_f1"),
        *("hierarchical_precision", "hierarchical_recall", "label_ranking_average_precision"),
        *("subset_accuracy", *(f"f1_{name}" for name in ACTIVITIES)),
    ]
    assert set(metrics["n_tasks"]) == {4} and set(metrics["n_groups"]) == {4}
    # Who predicts nothing has no precision and finds nothing.
    assert np.isnan(value("purged", "precision_micro", "none"))
    assert value("purged", "f1_micro", "none") == 0


def test_the_table_of_classes(activities):
    evaluate.run(activities)
    classes = table("classes")
    assert list(classes) == [
        *("model", "seed", "split", "class", "n_test", "threshold"),
        *("precision", "recall", "f1", "low", "high"),
    ]
    net = classes[classes["model"] == "net"].set_index("class")
    assert net.index.tolist() == ACTIVITIES and net["n_test"].tolist() == [3, 1, 1]
    # The mean of two folds.
    assert net["threshold"].tolist() == pytest.approx([0.6] * 3)
    assert net["precision"].tolist() == [1, 0, 1]
    assert net["recall"].tolist() == pytest.approx([1 / 3, 0, 1], abs=1e-6)
    assert net["f1"].tolist() == [0.5, 0, 1]
    assert net["low"].iloc[0] == value("purged", f"f1_{A}", column="low") < 0.5
    assert net["high"].iloc[0] == value("purged", f"f1_{A}", column="high") > 0.5
    assert classes[classes["model"] == "none"]["precision"].isna().all()


def test_several_classes_are_compared_in_micro_f1(activities):
    evaluate.run(activities)
    main = ["f1_micro", "f1_macro", "hierarchical_f1", "label_ranking_average_precision"]
    headline = json.loads(Path("reports/headline.json").read_text())
    assert list(headline["net"]) == main
    assert table("comparisons")["metric"].tolist() == main
    compare.run(of_compare(activities))
    comparison = table("comparison")
    assert comparison["model"].tolist() == ["net", "none"]
    assert comparison["behind_best"].iloc[1] == 0.5
    for name in ("confusion", "calibration", "curves", "decodings"):
        assert table(name).empty
    assert "chosen on validation" in tex("metrics") and "ECE" not in tex("metrics")
    assert "Purged split: 4 texts in 4 leak groups" in tex("metrics")
    assert "in Micro-F1, paired" in tex("comparison")


def test_the_histories_have_the_columns_of_the_runs(activities):
    evaluate.run(activities)
    base = "model,seed,split,fold,epoch,step,lr,train_loss,gradient_norm,val_loss"
    history = TABLES / "history.csv"
    assert history.read_text() == f"{base}\n"
    names = "epoch,step,lr,train_loss,gradient_norm,val_loss,val_f1_micro,fold"
    Path("models/net/purged-0/history.csv").write_text(f"{names}\n0,3,0.1,0.7,1.5,0.6,0.75,1\n")
    evaluate.run(activities)
    numbers = "1,0,3,0.100000,0.700000,1.500000,0.600000,0.750000"
    assert history.read_text() == f"{base},val_f1_micro\nnet,0,purged,{numbers}\n"


NET = "models/net/purged-0/predictions.parquet"


@pytest.mark.parametrize(
    ("path", "values", "problem"),
    [
        (NET, {"predicted": f"{A} 4.A.9"}, "predicts a class that is none of"),
        (NET, {"predicted": None}, "predicts a class that is none of"),
        (NET, {f"p_{A}": 1.5}, "has a probability outside 0 to 1"),
        (NET, {f"p_{A}": np.nan}, "has a probability that is not a number"),
        ("data/prepared/d/purged/1/test.parquet", {"label": f"{C}x"}, "has a label with a class"),
    ],
)
def test_broken_classes(activities, path, values, problem):
    edit(path, 1, **values)
    with pytest.raises(JobshiftError, match=rf"{path}: row 1 \(id t\d\) {problem}"):
        evaluate.run(activities)


def test_thresholds_must_be_there_for_every_class(activities):
    path = Path("models/net/purged-0/thresholds.csv")
    path.write_text(f"fold,class,threshold\n0,{A},0.5\n0,{B},0.5\n")
    with pytest.raises(
        JobshiftError, match=rf"{path} has no threshold of {C}; run `jobshift train"
    ):
        evaluate.run(activities)
    path.write_text("fold,threshold\n0,0.5\n")
    with pytest.raises(JobshiftError, match=rf"has no threshold of {A}"):
        evaluate.run(activities)
    path.unlink()
    with pytest.raises(JobshiftError, match="no such file; run `jobshift train model=net"):
        evaluate.run(activities)


# Generated texts


TARGETS = ["Water plants", "Count boxes", "Paint boxes", "Sing to bees", "Fold papers"]
# The second and third rows are of one task, which has both titles.
OUTPUTS = ["water plants.", "Paint boxes", "Paint boxes", "Sing to birds", "Count boxes"]
COSINES = [1.0, 0.5, 1.0, 0.8, -0.1]


@pytest.fixture
def titles(tmp_path: Path, monkeypatch) -> evaluate.Config:
    """Three rows of seen targets, two of unseen ones; `net` decodes in two ways, `first` not at all."""
    monkeypatch.chdir(tmp_path)
    ids = [f"g{number}" for number in range(5)]
    texts = ["Water the roses.", "Count and paint | boxes.", "Count and paint | boxes."]
    texts += ["Sing to the bees at noon.", "Fold the papers."]
    both = "Count boxes\nPaint boxes"
    rows = pd.DataFrame({"id": ids, "text": texts, "target": TARGETS, "label": ids})
    rows["all_targets"] = [TARGETS[0], both, both, *TARGETS[3:]]
    prepare(rows.assign(seen=[True] * 3 + [False] * 2, group=["a", "b", "b", "c", "d"]))
    Path("data/prepared/d/titles.json").write_text(json.dumps(TITLES))
    said = pd.DataFrame({"id": ids, "output": OUTPUTS, "cosine": COSINES, "log_probability": -1.0})
    predict("first", said.assign(output="Water plants", cosine=0.5, log_probability=np.nan))
    predict(
        "net",
        said.assign(output_constrained=TARGETS, cosine_constrained=1.0),
        generation={"how": "greedy", "constrained": False},
    )
    return config("generation", ["first", "net"], compare=CLASSIFICATION)


def test_generated_texts_by_hand(titles):
    evaluate.run(titles)
    splits = {"purged": slice(0, 5), "seen": slice(0, 3), "unseen": slice(3, 5)}
    # Rows 1 and 3 are exact; row 2 has the other title of its task; row 4 is no title, row 5 a wrong one.
    # Words in common: 2 of 2 and 2, 1 of 2 and 2, 2 of 2 and 2, 2 of 3 and 3, none.
    by_hand = {
        "exact_match": [1, 0, 1, 0, 0],
        "any_match": [1, 1, 1, 0, 0],
        "rouge_l": [1, 1 / 2, 1, 2 / 3, 0],
        "cosine": COSINES,
        "known_title": [1, 1, 1, 0, 1],
    }
    for split, rows in splits.items():
        for metric, values in by_hand.items():
            assert value(split, metric) == pytest.approx(np.mean(values[rows]), abs=1e-6)
        given = OUTPUTS[rows], [TARGETS[rows]]
        assert value(split, "bleu") == pytest.approx(sacrebleu.corpus_bleu(*given).score, abs=1e-6)
        assert value(split, "chrf") == pytest.approx(sacrebleu.corpus_chrf(*given).score, abs=1e-6)
    metrics = table("metrics")
    assert tuple(metrics["metric"].unique()) == generation.NAMES
    assert metrics.drop_duplicates("split")["n_tasks"].tolist() == [5, 3, 2]
    assert metrics.drop_duplicates("split")["n_groups"].tolist() == [4, 2, 2]
    assert value("purged", "chrf", column="high") > 1


def test_every_decoding_has_its_measures(titles):
    evaluate.run(titles)
    frame = table("decodings")
    assert list(frame) == [
        *("model", "seed", "split", "decoding", "metric", "value", "low", "high"),
    ]
    assert len(frame) == 3 * 2 * 7 and set(frame["model"]) == {"net"}
    assert frame["decoding"].unique().tolist() == ["greedy", "constrained"]
    frame = frame.set_index(["split", "decoding", "metric"]).sort_index()
    metrics = table("metrics")
    for row in metrics[metrics["model"] == "net"].itertuples():
        found = frame.loc[(row.split, "greedy", row.metric)]
        np.testing.assert_array_equal(
            found[["value", "low", "high"]].astype(float), [row.value, row.low, row.high]
        )
    for split in ("purged", "seen", "unseen"):
        of = frame.loc[(split, "constrained")]["value"]
        assert of["exact_match"] == of["known_title"] == of["cosine"] == 1
        assert of["chrf"] == pytest.approx(100)


def test_generated_texts_are_compared_in_exact_matches(titles):
    evaluate.run(titles)
    main = ["exact_match", "any_match", "rouge_l", "chrf"]
    assert list(json.loads(Path("reports/headline.json").read_text())["net"]) == main
    comparisons = table("comparisons")
    assert comparisons["metric"].tolist() == main * 3
    assert comparisons["difference"].iloc[0] == pytest.approx(1 / 5 - 2 / 5)
    compare.run(of_compare(titles))
    assert table("comparison")["model"].tolist() == ["net", "first"]
    transfer.run(transfer.Config(study=titles.study, data=titles.data, metrics=CLASSIFICATION))
    assert table("transfer").empty
    for name in ("confusion", "calibration", "curves", "classes"):
        assert table(name).empty
    notes = tex("metrics")
    assert "sacrebleu: nrefs:1" in notes and "ECE" not in notes and "label" not in notes
    assert "Seen: 3 rows in 2 leak groups" in notes
    assert "Held-out rows of the primary split." in tex("comparison")


def test_samples_are_of_the_best_model_and_each_text_stands_once(titles):
    evaluate.run(titles)
    page = Path("data/results/samples.md").read_text()
    assert "Outputs of net, seed 0" in page
    heads = [line for line in page.splitlines() if line.startswith("## ")]
    assert heads == [
        "## Targets seen in training, good: 2 of 2 texts",
        "## Targets seen in training, bad: 0 of 0 texts",
        "## Targets not seen in training, good: 0 of 0 texts",
        "## Targets not seen in training, bad: 2 of 2 texts",
    ]
    row = "| Count and paint \\| boxes. | Paint boxes | Count boxes<br>Paint boxes |"
    assert page.count(row) == 1 and page.count("Count and paint") == 1
    unknown = "| Sing to the bees at noon. | Sing to birds *(no known title)* | Sing to bees |"
    assert unknown in page
    evaluate.run(replace(titles, samples=1))
    assert page != Path("data/results/samples.md").read_text()
    assert "good: 1 of 2 texts" in Path("data/results/samples.md").read_text()


@pytest.mark.parametrize(
    ("path", "values", "problem"),
    [
        (NET, {"output": None}, "has no output"),
        (NET, {"cosine": np.nan}, "has a cosine that is not from −1 to 1"),
        (NET, {"cosine": 1.5}, "has a cosine that is not from −1 to 1"),
        (NET, {"output_constrained": None}, "has no output by the decoding constrained"),
        (
            "data/prepared/d/purged/0/test.parquet",
            {"seen": None},
            "has neither true nor false as seen",
        ),
        (
            "data/prepared/d/purged/0/test.parquet",
            {"target": None},
            "has no target, or one that is",
        ),
        (
            "data/prepared/d/purged/0/test.parquet",
            {"target": "Water"},
            "has no target, or one that is",
        ),
    ],
)
def test_broken_texts(titles, path, values, problem):
    edit(path, 4, **values)
    with pytest.raises(JobshiftError, match=rf"row 4 \(id g\d\) {problem}"):
        evaluate.run(titles)


def test_files_that_generated_texts_need(titles):
    path = Path("models/net/purged-0/run.json")
    path.write_text("{")
    with pytest.raises(
        JobshiftError, match="does not say how the outputs were found; run `jobshift"
    ):
        evaluate.run(titles)
    frame = pd.read_parquet(NET).drop(columns="cosine_constrained")
    path.write_text(json.dumps({"generation": {"how": "beam", "constrained": False}}))
    frame.to_parquet(NET, index=False)
    with pytest.raises(JobshiftError, match="there is no column 'cosine_constrained'; run"):
        evaluate.run(titles)
    path = Path("data/prepared/d/titles.json")
    path.write_text('{"a": 1}')
    with pytest.raises(JobshiftError, match="is no list of texts; run `jobshift prepare` again"):
        evaluate.run(titles)
    path.unlink()
    with pytest.raises(JobshiftError, match="no such file; run `jobshift prepare` first"):
        evaluate.run(titles)


def test_nobody_rated_generated_texts(titles):
    titles.study.transfer.raters = ["people"]
    with pytest.raises(
        JobshiftError, match="names 'people', but the data set d was rated by nobody"
    ):
        transfer.run(transfer.Config(study=titles.study, data=titles.data, metrics=CLASSIFICATION))


@pytest.mark.parametrize("kind", ["pairs", "activities", "titles"])
def test_the_same_bytes_twice_of_every_kind(kind, request):
    given = request.getfixturevalue(kind)
    files = []
    for _ in range(2):
        evaluate.run(given)
        compare.run(of_compare(given))
        found = [*Path("reports").rglob("*"), *Path("data/results").rglob("*")]
        paths = [path for path in found if path.is_file()]
        files.append({path: path.read_bytes() for path in paths})
    assert files[0] == files[1] and len(files[0]) == 20
