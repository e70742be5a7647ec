"""Quality beside cost and learning curves, from tables and predictions made by hand."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.config import DataConfig, LearningCurve, Study
from jobshift.errors import JobshiftError
from jobshift.stages.compare import COSTS, Config, run

CLASSES = ["E0", "E2", "E1"]
LABELS = ["E0", "E0", "E0", "E0", "E1", "E1", "E1", "E1"]
METRICS = ["cohen_kappa", "accuracy"]
CONF = Path(__file__).parents[2] / "conf" / "compare.yaml"
COMPARISON = Path("reports/tables/comparison.csv")
CURVE = Path("reports/tables/learning_curve.csv")
MEANS = Path("reports/tables/metrics_mean.csv")
PAIRS = Path("reports/tables/comparisons.csv")
COST = {
    "data": "d",
    "model": "net",
    "parameters_total": "22713216",
    "parameters_trained": "1155",
    "training_texts": "14000",
    "epochs": "3",
    "training_seconds": "420.5",
    "once_seconds": "20.5",
    "training_texts_per_second": "99.881",
    "peak_memory_mb": "1810.25",
    "rating_texts_per_second": "230.04",
    "size_mb": "90.9",
    "threads": "2",
}


def config(**changes) -> Config:
    """A judge, another rater, three models; `net` learns from parts as well."""
    study = Study(
        name="s",
        data="d",
        rater="human",
        models=["words", "majority"],
        seeds=[0, 1],
        learning_curve=LearningCurve(models=["net"], percents=[50, 10, 25]),
    )
    study.derived.models = ["net"]
    data = DataConfig(
        name="d",
        title="D",
        exposure=True,
        labels={"E0": 0.0, "E2": 0.5, "E1": 1.0},
        sources=[],
        raters={"human": "people", "gpt4": "a model"},
    )
    given = Config(study=study, data=data, draws=20, min_tasks=1, metrics=METRICS)
    return replace(given, **changes)


def means(*rows: tuple) -> pd.DataFrame:
    """metrics_mean.csv, from (model, κ, sd, seeds): intervals of ± 0.1, an accuracy 0.3 above κ."""
    table = [
        (model, "purged", metric, x, x - 0.1, x + 0.1, sd, seeds)
        for model, kappa, sd, seeds in rows
        for metric, x in (("cohen_kappa", kappa), ("accuracy", kappa + 0.3), ("log_loss", 9.0))
    ]
    columns = ["model", "split", "metric", "value", "low", "high", "sd", "seeds"]
    return pd.DataFrame(table, columns=columns)


def pairs(*rows: tuple) -> pd.DataFrame:
    """comparisons.csv, from (model_a, model_b, difference): intervals of −0.02 to + 0.01, p 0.03."""
    table = [("purged", "cohen_kappa", a, b, d, d - 0.02, d + 0.01, 0.01, 0.03) for a, b, d in rows]
    columns = ["split", "metric", "model_a", "model_b", "difference", "low", "high", "p", "p_holm"]
    return pd.DataFrame(table, columns=columns)


def costs(*rows: dict) -> None:
    pd.DataFrame([COST | row for row in rows]).to_csv("reports/costs.csv", index=False)


def predict(name: str, said: list[str], **options) -> None:
    """A run of `net` that says `said` of the test tasks, the second half of which is fold 1."""
    folder = Path("models/net", name)
    folder.mkdir(parents=True)
    frame = pd.DataFrame({"id": [f"t{n}" for n in range(8)], "fold": [0] * 4 + [1] * 4})
    frame = frame.assign(part="test", predicted=said)
    for label in CLASSES:
        frame[f"p_{label}"] = (frame["predicted"] == label).astype(float)
    frame.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "run.json").write_text(json.dumps({"fit_on": "train", **options}))


def wrong(*tasks: int) -> list[str]:
    """The labels, but for `tasks`, of which the other class is said."""
    other = {"E0": "E1", "E1": "E0"}
    return [other[label] if n in tasks else label for n, label in enumerate(LABELS)]


@pytest.fixture
def study(tmp_path: Path, monkeypatch) -> Path:
    """Tables of evaluate, costs of `net` and `words`, and the runs of `net` on two folds.

    Of fold 0, 20 tasks in 10 groups of two are for training and 2 are near; of fold 1, 40 in 20.
    """
    monkeypatch.chdir(tmp_path)
    Path("reports/tables").mkdir(parents=True)
    table = means(("gpt4", 0.6, np.nan, 1), ("words", 0.5, 0.01, 2), ("majority", 0.0, 0.0, 2))
    table = pd.concat([table, means(("net", 0.7, 0.02, 2)), table.assign(split="random")])
    table.to_csv(MEANS, index=False)
    # The best, `net`, is once the first and twice the second of a pair.
    table = pairs(("words", "net", -0.2), ("net", "majority", 0.7), ("gpt4", "net", -0.1))
    others = [table.assign(split="random"), table.assign(metric="accuracy")]
    pd.concat([*[other.assign(difference=9) for other in others], table]).to_csv(PAIRS, index=False)
    costs({}, {"model": "words", "training_seconds": "1.5"}, {"data": "other", "model": "majority"})
    for fold, groups in ((0, 10), (1, 20)):
        folder = Path("data/prepared/d/purged", str(fold))
        folder.mkdir(parents=True)
        train = pd.DataFrame({"group": [f"g{n // 2}" for n in range(2 * groups)]})
        train.to_parquet(folder / "train.parquet", index=False)
        pd.DataFrame({"group": ["n"] * 2}).to_parquet(folder / "near.parquet", index=False)
        pd.DataFrame({"group": ["v"] * 4}).to_parquet(folder / "val.parquet", index=False)
        rows = range(4 * fold, 4 * fold + 4)
        test = pd.DataFrame({"id": [f"t{n}" for n in rows], "label": [LABELS[n] for n in rows]})
        test = test.assign(group=test["id"], occupation="o", weight=1.0)
        test.to_parquet(folder / "test.parquet", index=False)
    for percent, of_seeds in {
        "": (wrong(), wrong(0)),
        "-50": (wrong(0), wrong(0, 4)),
        "-25": (wrong(0, 4), wrong(0, 4)),
        "-10": (["E0"] * 8, ["E0"] * 8),
    }.items():
        for seed, said in enumerate(of_seeds):
            predict(f"purged-{seed}{percent}", said)
    return tmp_path


def curve_row(percent: int, metric: str) -> pd.Series:
    frame = pd.read_csv(CURVE)
    rows = frame[(frame["percent"] == percent) & (frame["metric"] == metric)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_config_file_fits_the_schema():
    given = OmegaConf.load(CONF)
    given.pop("defaults")
    OmegaConf.merge(OmegaConf.structured(Config), given)


def test_models_stand_in_the_order_of_kappa_with_their_spread(study: Path):
    run(config())
    frame = pd.read_csv(COMPARISON)
    assert frame["model"].tolist() == ["net", "gpt4", "words", "majority"]
    assert frame["seeds"].tolist() == [2, 1, 2, 2]
    assert list(frame)[:10] == [
        *("model", "seeds", "cohen_kappa", "cohen_kappa_sd", "cohen_kappa_low", "cohen_kappa_high"),
        *("accuracy", "accuracy_sd", "accuracy_low", "accuracy_high"),
    ]
    behind = ["behind_best", "behind_best_low", "behind_best_high", "behind_best_p_holm"]
    assert list(frame)[10:] == [*behind, *COSTS]
    assert frame.iloc[0, 2:10].tolist() == pytest.approx([0.7, 0.02, 0.6, 0.8, 1, 0.02, 0.9, 1.1])
    # One "seed" of a rater has no standard deviation.
    assert np.isnan(frame.loc[1, "cohen_kappa_sd"])


def test_the_distance_to_the_best_has_one_sign_whichever_comes_first_in_a_pair(study: Path):
    run(config())
    rows = pd.read_csv(COMPARISON).set_index("model").filter(like="behind_best")
    assert rows.loc["net"].isna().all()
    # net − majority = 0.7 [0.68, 0.71] as it stands; words − net = −0.2 [−0.22, −0.19] turned round.
    assert rows.loc["majority"].tolist() == pytest.approx([0.7, 0.68, 0.71, 0.03])
    assert rows.loc["words"].tolist() == pytest.approx([0.2, 0.19, 0.22, 0.03])
    assert rows.loc["gpt4"].tolist() == pytest.approx([0.1, 0.09, 0.12, 0.03])


def test_a_rater_who_agrees_better_than_every_model_is_not_the_best_model(study: Path):
    table = pd.read_csv(MEANS)
    table.loc[(table["model"] == "gpt4") & (table["metric"] == "cohen_kappa"), "value"] = 0.8
    table.to_csv(MEANS, index=False)
    pd.concat([pd.read_csv(PAIRS), pairs(("gpt4", "words", 0.3))]).to_csv(PAIRS, index=False)
    table = pd.read_csv(PAIRS)
    table.loc[table["model_a"] == "gpt4", ["difference", "low", "high"]] = 0.1, 0.08, 0.11
    table.to_csv(PAIRS, index=False)
    run(config())
    rows = pd.read_csv(COMPARISON).set_index("model").filter(like="behind_best")
    assert rows.index[0] == "gpt4"
    assert rows.loc["gpt4"].tolist() == pytest.approx([-0.1, -0.11, -0.08, 0.03])
    assert rows.loc["net"].isna().all()


def test_models_that_agree_equally_well_and_not_at_all(study: Path):
    """Ties stay in the order of metrics_mean.csv; a κ that is not defined comes last and is no best."""
    table = pd.read_csv(MEANS)
    kappa = table["metric"] == "cohen_kappa"
    table.loc[kappa & (table["model"] == "net"), ["value", "low", "high", "sd"]] = np.nan
    table.loc[kappa & (table["model"] == "gpt4"), "value"] = 0.5
    table.to_csv(MEANS, index=False)
    pairs(("gpt4", "words", 0.0), ("words", "majority", 0.5), ("words", "net", np.nan)).to_csv(
        PAIRS, index=False
    )
    run(config())
    frame = pd.read_csv(COMPARISON, dtype=str).set_index("model")
    assert frame.index.tolist() == ["gpt4", "words", "majority", "net"]
    assert frame["behind_best"].fillna("").tolist() == ["0.000000", "", "0.500000", ""]


def test_costs_stand_as_they_were_measured_and_who_has_none_is_named(study: Path, caplog):
    with caplog.at_level("INFO"):
        run(config())
    frame = pd.read_csv(COMPARISON, dtype=str).set_index("model")[COSTS]
    assert frame.loc["net"].tolist() == [COST[column] for column in COSTS]
    assert frame.loc["words", "training_seconds"] == "1.5"
    # The row of majority is of another data set; a rater costs nothing and is not missed.
    assert frame.loc[["majority", "gpt4"]].isna().all(axis=None)
    assert "no row on d for majority" in caplog.text
    assert "python benchmarks/model_costs.py --models majority`" in caplog.text


def test_an_empty_cell_of_the_costs_stays_empty(study: Path):
    costs({"peak_memory_mb": None}, {"model": "gpt4"})
    run(config())
    frame = pd.read_csv(COMPARISON, dtype=str).set_index("model")[COSTS]
    assert pd.isna(frame.loc["net", "peak_memory_mb"]) and frame.loc["net", "size_mb"] == "90.9"
    assert frame.loc["gpt4"].isna().all()


def test_without_measured_costs_the_columns_are_empty_and_one_line_says_so(study: Path, caplog):
    Path("reports/costs.csv").unlink()
    with caplog.at_level("INFO"):
        run(config())
    frame = pd.read_csv(COMPARISON)
    assert frame[COSTS].isna().all(axis=None) and list(frame)[-len(COSTS) :] == COSTS
    said = [record.getMessage() for record in caplog.records if "costs" in record.getMessage()]
    assert len(said) == 1 and "--models net words majority`" in said[0]
    assert "Training, s" not in COMPARISON.with_suffix(".tex").read_text()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{}, {"model": "words"}, {}], r"line 4 \(model net\) is a second row"),
        (
            [{}, {"model": "words", "size_mb": "-1"}],
            r"line 3 \(model words\) has a negative number as size_mb",
        ),
        ([{"epochs": "three"}], r"line 2 \(model net\) has no number as epochs"),
        ([{"training_seconds": "inf"}], r"line 2 \(model net\) has no number as training_seconds"),
        ([{}, {"data": "other", "threads": "-2"}], r"line 3 .* negative number as threads"),
        ([{"data": None}], r"line 2 \(model net\) lacks the data set or the model"),
    ],
)
def test_a_wrong_row_of_the_costs_is_named(study: Path, rows: list[dict], problem: str):
    costs(*rows)
    with pytest.raises(JobshiftError, match=rf"^reports/costs\.csv: {problem}") as error:
        run(config())
    assert "\n" not in str(error.value)
    assert not COMPARISON.exists()


def test_costs_without_a_column_or_a_header_are_refused(study: Path):
    table = pd.DataFrame([COST]).drop(columns="size_mb")
    table.to_csv("reports/costs.csv", index=False)
    with pytest.raises(JobshiftError, match=r"costs\.csv: there is no column 'size_mb'"):
        run(config())
    Path("reports/costs.csv").write_text("")
    with pytest.raises(JobshiftError, match=r"costs\.csv is no CSV table"):
        run(config())


def test_the_learning_curve_of_each_part_of_the_tasks(study: Path):
    run(config())
    frame = pd.read_csv(CURVE)
    # Percents ascending with all tasks last, and within them the measures as in the config.
    rows = list(frame[["model", "percent", "metric"]].itertuples(index=False, name=None))
    assert rows == [("net", percent, metric) for percent in (10, 25, 50, 100) for metric in METRICS]
    assert set(frame["seeds"]) == {2}
    # Groups of two tasks. Fold 0 has 20: 10 % are 2, 25 % are 5, of which 4 is as near as 6, 50 % are
    # 10. Fold 1 has 40: 4, 10, 20. The mean of 2 and 4, 4 and 10, 10 and 20, 20 and 40; as are the seeds.
    assert frame["n_tasks"].tolist()[::2] == [3, 7, 15, 30]


def test_the_curves_of_several_models_stand_one_below_the_other(study: Path):
    shutil.copytree("models/net", "models/words")
    given = config()
    given.study.learning_curve.models = ["words", "net"]
    run(given)
    frame = pd.read_csv(CURVE)
    assert frame["model"].tolist() == ["words"] * 8 + ["net"] * 8
    same = [part.drop(columns="model").reset_index(drop=True) for part in (frame[:8], frame[8:])]
    pd.testing.assert_frame_equal(*same)


def test_the_values_of_the_learning_curve(study: Path):
    run(config())
    # Of 8 tasks, 4 of each class, w wrong on one side: accuracy 1 − w/8; by chance half: κ = 1 − w/4,
    # also with one wrong (of E0 5 said: chance (4·3 + 4·5)/64 = 1/2) or two, one in each class.
    full, half, quarter = (curve_row(percent, "cohen_kappa") for percent in (100, 50, 25))
    # All tasks: 1 and 3/4, sd = √(2 · (1/8)²) = 0.176777; half of them: 3/4 and 1/2; a quarter: 1/2.
    assert full["value"] == 0.875 and full["sd"] == pytest.approx(0.176777, abs=1e-6)
    assert half["value"] == 0.625 and half["sd"] == pytest.approx(0.176777, abs=1e-6)
    assert quarter["value"] == 0.5 and quarter["sd"] == 0
    assert full.filter(like="behind_full").isna().all()
    assert half["behind_full"] == 0.25 and quarter["behind_full"] == 0.375
    # Always E0 is right by chance alone.
    assert curve_row(10, "cohen_kappa")["value"] == 0
    assert curve_row(10, "accuracy")["value"] == 0.5
    # Each half of the tasks costs seed 0 the task 0 and seed 1 the task 4: 1/8 of the accuracy.
    row = curve_row(50, "accuracy")
    assert row["behind_full"] == 0.125
    assert row["behind_full_low"] < row["behind_full"] < row["behind_full_high"]


def test_the_distance_to_all_tasks_is_paired_draw_by_draw(study: Path):
    """The same mistakes with a quarter and with all tasks: no draw tells them apart."""
    for seed in (0, 1):
        source = Path(f"models/net/purged-{seed}-25/predictions.parquet").read_bytes()
        Path(f"models/net/purged-{seed}/predictions.parquet").write_bytes(source)
    run(config())
    row = curve_row(25, "cohen_kappa")
    assert row[["behind_full", "behind_full_low", "behind_full_high"]].tolist() == [0, 0, 0]
    assert row["low"] < row["value"] < row["high"]


def test_tasks_learnt_from_are_of_the_parts_that_the_run_was_fitted_on(study: Path):
    for file in Path("models/net").glob("purged-1*/run.json"):
        file.write_text(json.dumps({"fit_on": "all"}))
    run(config())
    # Seed 0: (20 + 40) / 2 = 30; seed 1 also near and validation, 2 + 4 a fold: 36. The mean is 33.
    assert curve_row(100, "accuracy")["n_tasks"] == 33


def test_one_seed_has_no_standard_deviation(study: Path):
    given = config()
    given.study.seeds = [1]
    run(given)
    frame = pd.read_csv(CURVE)
    assert frame["sd"].isna().all() and set(frame["seeds"]) == {1}
    assert curve_row(100, "cohen_kappa")["value"] == 0.75
    assert "±" not in CURVE.with_suffix(".tex").read_text().split("toprule")[1]


def test_a_study_without_learning_curves_leaves_them_empty_and_says_so(study: Path, caplog):
    given = config()
    given.study.learning_curve.models = []
    with caplog.at_level("INFO"):
        run(given)
    assert "learning curve left out" in caplog.text
    frame = pd.read_csv(CURVE)
    assert frame.empty and {"n_tasks", "behind_full_high"} < set(frame)
    assert CURVE.with_suffix(".tex").read_text().startswith("% Left out")
    assert len(pd.read_csv(COMPARISON)) == 4


def test_an_empty_study_has_empty_tables(study: Path):
    given = config()
    given.study.models = given.study.derived.models = given.study.learning_curve.models = []
    means().to_csv(MEANS, index=False)
    pairs().to_csv(PAIRS, index=False)
    run(given)
    frame = pd.read_csv(COMPARISON)
    assert frame.empty and list(frame)[:3] == ["model", "seeds", "cohen_kappa"]
    assert COMPARISON.with_suffix(".tex").read_text().startswith("% Left out")


def test_the_same_inputs_give_the_same_bytes(study: Path):
    run(config())
    files = {path: path.read_bytes() for path in Path("reports/tables").iterdir()}
    run(config())
    assert {path: path.read_bytes() for path in Path("reports/tables").iterdir()} == files


def test_the_tables_in_latex(study: Path):
    run(config())
    lines = COMPARISON.with_suffix(".tex").read_text().splitlines()
    row = lines[lines.index(r"\midrule") + 1]
    assert row.startswith(
        r"net & 0.700 $\pm$ 0.020 & 1.000 $\pm$ 0.020 & -- & -- & 22,713,216 & 1,155"
    )
    assert any("threads of the processor: 2." in line for line in lines)
    lines = CURVE.with_suffix(".tex").read_text().splitlines()
    assert any(line.startswith(r"50 \% & 15 & 0.625 $\pm$ 0.177 & ") for line in lines)
    assert any(line.startswith(r"100 \% & 30 & ") and line.endswith(r"& -- \\") for line in lines)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (
            "purged-1-25/predictions.parquet",
            "model=net split=purged seed=1 train_share=0.25` first",
        ),
        ("purged-1-25/run.json", "model=net split=purged seed=1 train_share=0.25` again"),
        ("purged-0/run.json", "fit_on.*split=purged seed=0` again"),
    ],
)
def test_a_missing_run_is_named_with_its_command(study: Path, file: str, problem: str):
    Path("models/net", file).unlink()
    with pytest.raises(JobshiftError, match=problem):
        run(config())


def test_tables_of_another_study_are_refused(study: Path):
    given = config()
    given.study.models = ["words", "majority", "lstm"]
    with pytest.raises(JobshiftError, match=r"metrics_mean\.csv lacks the model lstm"):
        run(given)
    given.study.models = ["words"]
    with pytest.raises(JobshiftError, match=r"has the model majority .* no longer belongs"):
        run(given)
    with pytest.raises(JobshiftError, match="gpt4 has no row for f1_macro"):
        run(config(metrics=[*METRICS, "f1_macro"]))
    pairs(("words", "net", -0.2), ("gpt4", "net", -0.1)).to_csv(PAIRS, index=False)
    with pytest.raises(JobshiftError, match=r"no comparison of net and majority in cohen_kappa"):
        run(config())
    pairs(("words", "net", 0.2)).assign(difference="a lot").to_csv(PAIRS, index=False)
    with pytest.raises(JobshiftError, match=r"line 2 has no number as difference"):
        run(config())
    MEANS.unlink()
    with pytest.raises(JobshiftError, match=r"metrics_mean\.csv.* `jobshift evaluate`"):
        run(config())


def test_values_that_mean_nothing_are_refused(study: Path):
    with pytest.raises(JobshiftError, match="metrics names 'kapa'"):
        run(config(metrics=["kapa"]))
    with pytest.raises(JobshiftError, match="metrics lacks cohen_kappa"):
        run(config(metrics=["accuracy"]))
    with pytest.raises(JobshiftError, match=r"conf/compare\.yaml: draws is 0"):
        run(config(draws=0))
    given = config()
    given.study.learning_curve.percents = [100]
    with pytest.raises(JobshiftError, match=r"learning_curve\.percents names 100"):
        run(given)
    given.study.learning_curve = LearningCurve(models=["nett"])
    with pytest.raises(JobshiftError, match=r"learning_curve\.models names 'nett'"):
        run(given)
