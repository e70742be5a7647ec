"""A whole evaluation of made-up predictions, and broken files with their messages."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.config import Contrast, DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.measures.bootstrap import metric_names
from jobshift.measures.kinds import FURTHER
from jobshift.stages.evaluate import Config, run

CLASSES = ["E0", "E2", "E1"]
SHARES = [f"p_{name}" for name in CLASSES]
CONF = Path(__file__).parents[2] / "conf" / "evaluate.yaml"


def config(**changes) -> Config:
    study = Study(
        name="small",
        data="made_up",
        models=["majority", "word_list"],
        seeds=[0, 7],
        contrast=Contrast(models=["majority", "word_list"], splits=["random"]),
    )
    data = DataConfig(
        name="made_up",
        title="Made up",
        exposure=True,
        labels={"E0": 0.0, "E2": 0.5, "E1": 1.0},
        sources=["rubric_ratings"],
        raters={"rubric": "us"},
    )
    return replace(Config(study=study, data=data, draws=60), **changes)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Two splits (purged has two folds), two models, two seeds, and the ratings."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=90)
    tasks = pd.DataFrame(
        {
            "id": [f"{number:03}" for number in range(90)],
            "text": "Sort the made-up letters.",
            "label": [CLASSES[number] for number in labels],
            "label_A": [CLASSES[number] for number in labels],
            "label_B": [CLASSES[number] for number in np.roll(labels, 1)],
            "group": [f"g{number}" for number in rng.integers(30, size=90)],
            "occupation": [f"o{number}" for number in rng.integers(8, size=90)],
            "weight": rng.choice([1.0, 2.0], size=90),
        }
    )
    prepared = Path("data/prepared/made_up")
    for split, fold, part in (
        ("purged", 0, tasks[:50]),
        ("purged", 1, tasks[50:]),
        ("random", 0, tasks),
    ):
        folder = prepared / split / str(fold)
        folder.mkdir(parents=True)
        part.to_parquet(folder / "test.parquet", index=False)
    tasks.to_parquet(prepared / "tasks.parquet", index=False)
    for split in ("purged", "random"):
        fold = (np.arange(90) >= 50).astype(int) if split == "purged" else np.zeros(90, dtype=int)
        for seed in (0, 7):
            p = rng.dirichlet([1, 1, 1], size=90) * 0.7 + 0.3 * np.eye(3)[labels]
            for model, q in (("majority", np.tile([0.5, 0.3, 0.2], (90, 1))), ("word_list", p)):
                frame = pd.DataFrame(q, columns=SHARES).assign(
                    id=tasks["id"], fold=fold, part="test", predicted=np.array(CLASSES)[q.argmax(1)]
                )
                # Rows of other parts, of the same tasks, must not be read.
                other = frame.assign(part="train", fold=1 - fold, predicted="E0")
                folder = Path("models", model, f"{split}-{seed}")
                folder.mkdir(parents=True)
                pd.concat([other, frame[::-1]]).to_parquet(
                    folder / "predictions.parquet", index=False
                )
    ratings = [
        (f"4.A.{unit}", rater, exposure, f"T{unit % 5}")
        for unit in range(10)
        for rater, exposure in (("A", CLASSES[unit % 3]), ("B", CLASSES[(unit + unit // 8) % 3]))
    ]
    raw = Path("data/raw/rubric_ratings")
    raw.mkdir(parents=True)
    pd.DataFrame(ratings, columns=["dwa_id", "rater", "exposure", "automation"]).to_csv(
        raw / "dwa_ratings.csv", index=False
    )
    return tasks


def outputs() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()}


def test_the_same_bytes_twice(study):
    run(config())
    first = outputs()
    assert sorted(first) == [
        "reports/headline.json",
        "reports/metrics.json",
        *(f"reports/tables/{name}.csv" for name in ("calibration", "classes", "comparisons")),
        "reports/tables/comparisons.tex",
        *(f"reports/tables/{name}.csv" for name in ("confusion", "curves", "decodings", "history")),
        *(f"reports/tables/metrics{end}" for end in (".csv", ".tex", "_mean.csv")),
        *(f"reports/tables/reliability.{end}" for end in ("csv", "tex")),
    ]
    run(config())
    assert outputs() == first
    # What other kinds of tasks have.
    for name, columns in FURTHER.items():
        if name not in ("confusion", "calibration"):
            header = ",".join(["model", "seed", "split", *columns]) + "\n"
            assert first[f"reports/tables/{name}.csv"].decode() == header
    assert Path("data/results/samples.md").read_bytes() == (
        b"The models of made_up generate no texts, so there are no samples.\n"
    )


def test_the_mean_over_seeds_has_their_standard_deviation(study):
    run(config())
    each = pd.read_csv("reports/tables/metrics.csv")
    means = pd.read_csv("reports/tables/metrics_mean.csv")
    keys = ["model", "split", "metric"]
    assert len(means) == len(each) / 2 and not means.duplicated(keys).any()
    assert set(means["seeds"]) == {2}
    wide = each.pivot(index=keys, columns="seed", values="value")
    means = means.set_index(keys).loc[wide.index]
    assert np.allclose(means["value"], wide.mean(axis=1, skipna=False), atol=1e-6, equal_nan=True)
    # Of two values a and b the sample standard deviation is |a − b| / √2.
    assert np.allclose(means["sd"], abs(wide[0] - wide[7]) / 2**0.5, atol=2e-6, equal_nan=True)
    kappa = means.loc["word_list", "purged", "cohen_kappa"]
    assert kappa["sd"] > 0 and kappa["low"] < kappa["value"] < kappa["high"]
    constant = means.loc["majority", "purged", "occupation_beta_pearson"]
    assert np.isnan(constant["value"]) and np.isnan(constant["sd"])


def test_one_seed_has_no_standard_deviation(study):
    one = replace(config().study, seeds=[7])
    run(config(study=one))
    means = pd.read_csv("reports/tables/metrics_mean.csv")
    assert means["sd"].isna().all() and set(means["seeds"]) == {1}


def test_metrics(study):
    run(config())
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == ["majority", "word_list"]
    assert list(metrics["majority"]) == ["0", "7"]
    assert list(metrics["majority"]["0"]) == ["purged", "random"]
    assert list(metrics["majority"]["0"]["purged"]) == metric_names(CLASSES)
    undefined = {"value": None, "low": None, "high": None}
    assert metrics["majority"]["0"]["purged"]["occupation_beta_pearson"] == undefined
    assert metrics["majority"]["0"]["purged"]["cohen_kappa"] == {"value": 0, "low": 0, "high": 0}

    # The same from the files: predictions of both folds against the labels.
    predictions = pd.read_parquet("models/word_list/purged-7/predictions.parquet")
    predictions = predictions[predictions["part"] == "test"].set_index("id")["predicted"]
    right = (predictions[study["id"]].to_numpy() == study["label"]).mean()
    accuracy = metrics["word_list"]["7"]["purged"]["accuracy"]
    assert accuracy["value"] == pytest.approx(right, abs=1e-6)
    assert accuracy["low"] < right < accuracy["high"]

    table = pd.read_csv("reports/tables/metrics.csv")
    assert len(table) == 2 * 2 * 2 * len(metric_names(CLASSES))
    row = table[
        (table["model"] == "word_list") & (table["seed"] == 7) & (table["metric"] == "accuracy")
    ]
    assert row["value"].iloc[0] == accuracy["value"]
    sizes = study["occupation"].value_counts()
    expected = [90, study["group"].nunique(), (sizes >= 5).sum()]
    assert row[["n_tasks", "n_groups", "n_occupations"]].iloc[0].tolist() == expected

    headline = json.loads(Path("reports/headline.json").read_text())
    seeds = [metrics["word_list"][seed]["purged"]["cohen_kappa"]["value"] for seed in ("0", "7")]
    assert headline["word_list"]["cohen_kappa"] == pytest.approx(np.mean(seeds), abs=2e-6)
    assert headline["majority"]["occupation_beta_pearson"] is None


def test_tables(study):
    run(config())
    confusion = pd.read_csv("reports/tables/confusion.csv")
    assert (confusion.groupby(["model", "seed", "split"])["n"].sum() == 90).all()
    majority = confusion[(confusion["model"] == "majority") & (confusion["split"] == "purged")]
    counts = majority[(majority["seed"] == 0) & (majority["predicted"] == "E0")].set_index("label")[
        "n"
    ]
    assert counts.to_dict() == study["label"].value_counts().to_dict()

    bins = pd.read_csv("reports/tables/calibration.csv")
    assert (bins.groupby(["model", "seed", "split"])["n"].sum() == 90).all()
    # Confidence 0.5 is in the eighth of 15 bins, (7/15, 8/15].
    assert set(bins.loc[bins["model"] == "majority", "bin"]) == {8}

    comparisons = pd.read_csv("reports/tables/comparisons.csv")
    assert len(comparisons) == 2 * 4
    kappa = comparisons.iloc[0]
    headline = json.loads(Path("reports/headline.json").read_text())
    assert kappa["difference"] == pytest.approx(-headline["word_list"]["cohen_kappa"], abs=1e-6)
    assert kappa["high"] < 0
    assert kappa["p"] == pytest.approx(2 / 61, abs=1e-6)
    assert comparisons["p"].isna().sum() == 2  # No correlation for the majority, in each split.

    reliability = pd.read_csv("reports/tables/reliability.csv")
    assert len(reliability) == 3 * (3 + 2)
    # A and B agree on 8 of 10 activities in exposure and on all in automation.
    activity = reliability[reliability["level"] == "activity"].set_index(["variable", "measure"])[
        "value"
    ]
    assert activity["exposure", "agreement"] == 0.8
    assert activity["automation", "krippendorff_alpha_ordinal"] == 1

    latex = Path("reports/tables/metrics.tex").read_text()
    assert "of at least 5 held-out tasks" in latex
    assert "tasks weigh 1 to 2" in latex
    assert "90 tasks in" in latex
    assert latex.index("Purged split") < latex.index("Random split")
    assert "random" not in Path("reports/tables/comparisons.tex").read_text().lower()


def test_one_model_without_comparisons_and_raters(study):
    tasks = pd.read_parquet("data/prepared/made_up/tasks.parquet")
    tasks.drop(columns="label_B").to_parquet("data/prepared/made_up/tasks.parquet", index=False)
    single = config(compare=[])
    single = replace(
        single,
        study=replace(single.study, models=["word_list"], contrast=Contrast()),
        data=replace(single.data, sources=[]),
    )
    for compare in ([], ["accuracy"]):
        run(replace(single, compare=compare))
        header = Path("reports/tables/comparisons.csv").read_text()
        assert header == "split,metric,model_a,model_b,difference,low,high,p,p_holm,draws\n"
    assert (
        Path("reports/tables/reliability.csv").read_text()
        == "level,variable,raters,measure,value,n\n"
    )


PREDICTIONS = "models/word_list/random-7/predictions.parquet"
TEST = "data/prepared/made_up/random/0/test.parquet"


def edit(path: str, change) -> None:
    frame = pd.read_parquet(path).reset_index(drop=True)
    change(frame).to_parquet(path, index=False)


def put(row: int, **values):
    """A change that sets `values` in a row."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for column, value in values.items():
            frame.loc[row, column] = value
        return frame

    return change


# Rows 0 to 89 are of the training part; row 90 is the test task 089, row 179 is task 000.
@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (
            PREDICTIONS,
            put(179, p_E2=np.nan),
            r"row 179 \(id 000\) has a probability that is not a number",
        ),
        (PREDICTIONS, put(90, p_E0=0.9, p_E1=0.9, p_E2=0.0), r"row 90 \(id 089\) has .* sum to 1"),
        (PREDICTIONS, put(90, p_E0=-1.0, p_E1=1.0, p_E2=1.0), r"row 90 .* outside 0 to 1"),
        (PREDICTIONS, put(90, predicted="E3"), r"row 90 .* predicts a class that is none of"),
        (PREDICTIONS, put(90, id="088"), r"row 91 \(id 088\) is there twice"),
        (PREDICTIONS, put(90, id="999"), r"row 90 \(id 999\) is no test task of its fold"),
        (PREDICTIONS, put(90, fold=1), r"row 90 \(id 089\) is no test task of its fold"),
        (
            PREDICTIONS,
            lambda f: f.drop(index=100),
            "no prediction for test task 079 of fold 0; run `job",
        ),
        (PREDICTIONS, lambda f: f[:0], "no prediction for test task 000"),
        (
            PREDICTIONS,
            lambda f: f.drop(columns="p_E1"),
            "no column 'p_E1'; run `jobshift train model=wor",
        ),
        (TEST, put(5, label="E5"), r"row 5 \(id 005\) has a label that is none of"),
        (TEST, put(5, group=None), r"row 5 \(id 005\) has no group"),
        (TEST, put(5, weight=0.0), r"row 5 \(id 005\) has a weight that is not a positive number"),
        (TEST, put(5, id="006"), r"random: row 6 \(id 006\) is a test task twice"),
        (
            TEST,
            lambda f: f.drop(columns="weight"),
            "no column 'weight'; run `jobshift prepare` again",
        ),
    ],
)
def test_broken_files(study, path, change, message):
    edit(path, change)
    with pytest.raises(JobshiftError, match=message) as error:
        run(config())
    assert str(error.value).startswith(str(Path(path).parents[0 if path == PREDICTIONS else 1]))
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            PREDICTIONS,
            "no such file; run `jobshift train model=word_list split=random seed=7` first",
        ),
        (TEST, "no such file; run `jobshift prepare` first"),
        ("data/prepared/made_up/tasks.parquet", "no such file; run `jobshift prepare` first"),
        (
            "data/raw/rubric_ratings/dwa_ratings.csv",
            "run `jobshift fetch source=rubric_ratings` first",
        ),
    ],
)
def test_missing_files(study, path, message):
    Path(path).unlink()
    with pytest.raises(JobshiftError, match=f"^{path}: .*{message}"):
        run(config())


def test_no_folds(study):
    Path(TEST).unlink()
    Path(TEST).parent.rmdir()
    with pytest.raises(JobshiftError, match="made_up/random: there is no fold here"):
        run(config())


def test_ratings_twice(study):
    path = Path("data/raw/rubric_ratings/dwa_ratings.csv")
    path.write_text(path.read_text() + "4.A.3,A,E0,T0\n")
    with pytest.raises(JobshiftError, match=r"row 20 \(id 4\.A\.3\) is rated twice by one rater"):
        run(config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draws": 0}, "draws is 0; it must be at least 1"),
        ({"bins": -1}, "bins is -1"),
        ({"min_tasks": 0}, "min_tasks is 0"),
        ({"samples": 0}, "samples is 0"),
        (
            {"compare": ["kappa"]},
            "compare names 'kappa', which is no measure; choose from accuracy",
        ),
    ],
)
def test_bad_config(changes, message):
    with pytest.raises(JobshiftError, match=f"^conf/evaluate.yaml: {message}"):
        run(config(**changes))


def test_conf_holds_the_defaults_of_the_schema():
    conf = OmegaConf.to_container(OmegaConf.load(CONF))
    defaults = Config()
    chosen = {entry.name for entry in fields(Config)} - {"study", "data"}
    assert set(conf) - {"defaults"} == chosen
    assert {name: conf[name] for name in chosen} == {
        name: getattr(defaults, name) for name in chosen
    }


def test_labels_without_scores_have_only_nominal_measures(study, caplog):
    data = replace(config().data, exposure=False, labels=CLASSES)
    with caplog.at_level("INFO"):
        run(config(data=data))
    assert "compare: left out, as made_up does not have it: occupation_beta_pearson" in caplog.text
    found = pd.read_csv("reports/tables/metrics.csv")
    assert list(found["metric"].unique()) == metric_names(CLASSES, exposure=False)
    assert set(found["n_occupations"]) == {0}
    run(config())
    scored = pd.read_csv("reports/tables/metrics.csv")
    both = found.merge(scored, on=["model", "seed", "split", "metric"])
    assert len(both) == len(found[found["metric"] != "balanced_accuracy"])
    for column in ("value", "low", "high"):
        assert both[f"{column}_x"].equals(both[f"{column}_y"])


def test_the_header_of_the_histories_is_that_of_classification(study):
    run(config())
    header = "model,seed,split,fold,epoch,step,lr,train_loss,gradient_norm,val_loss,"
    header += "val_accuracy,val_cohen_kappa\n"
    assert Path("reports/tables/history.csv").read_text() == header
    row = "0,3,0.001,0.7,1.5,0.6,0.75,0.5,0"
    columns = header.strip().split(",")
    names = ",".join([*columns[4:], "fold"])
    Path("models/word_list/purged-7/history.csv").write_text(f"{names}\n{row}\n")
    run(config())
    assert Path("reports/tables/history.csv").read_text() == (
        header + "word_list,7,purged,0,0,3,0.001000,0.700000,1.500000,0.600000,0.750000,0.500000\n"
    )


def test_raters_of_labels_without_scores_are_compared_without_distances(study):
    run(config(data=replace(config().data, exposure=False, labels=CLASSES)))
    table = pd.read_csv("reports/tables/reliability.csv")
    assert set(table["variable"]) == {"label"} and set(table["level"]) == {"task"}
    assert set(table["measure"]) == {"agreement", "cohen_kappa", "krippendorff_alpha_nominal"}
