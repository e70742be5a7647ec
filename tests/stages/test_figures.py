"""All figures of small made-up tables, the same bytes twice, and studies that lack something."""

import json
import re
from dataclasses import fields, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.config import Contrast, DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import write_csv
from jobshift.report import style
from jobshift.report.kinds import Kind, kind_of
from jobshift.report.style import Drawing
from jobshift.stages import figures
from jobshift.stages.figures import Config, run

CLASSES = ["E0", "E2", "E1"]
CONF = Path(__file__).parents[2] / "conf" / "figures.yaml"
ALL = [
    "exposure_by_major_group",
    "workers_over_threshold",
    "exposure_by_wage",
    "top_occupations",
    "exposure_by_industry",
    "exposure_by_state",
    "model_comparison",
    "reliability_diagram",
    "confusion_matrices",
    "learning_curves",
    "split_effect",
    "accuracy_cost",
    "learning_curve",
    "rater_agreement",
]


def config(**changes) -> Config:
    study = Study(
        name="small",
        data="made_up",
        models=["word_list", "net"],
        seeds=[0, 7],
        contrast=Contrast(models=["word_list"], splits=["random"]),
    )
    data = DataConfig(
        name="made_up",
        title="Made-up tasks",
        exposure=True,
        labels={"E0": 0.0, "E2": 0.5, "E1": 1.0},
        sources=[],
        raters={"rubric": "us"},
    )
    config = Config(study=study, data=data, rater="rubric", names={"net": "Network"})
    return replace(config, **changes)


def one_model() -> Config:
    """One model, one seed and the purged split alone."""
    study = Study(name="small", data="made_up", models=["word_list"], seeds=[0])
    return config(study=study)


def rates(n: int) -> dict[str, np.ndarray]:
    substituted, complemented = np.linspace(0, 0.2, n), np.linspace(0.6, 0.1, n)
    zeta = substituted + complemented
    return {
        "alpha": zeta / 4,
        "beta": zeta * 5 / 8,
        "zeta": zeta,
        "substituted_share": substituted,
        "complemented_share": complemented,
        "untouched_share": 1 - zeta,
    }


def exposure_tables() -> dict[str, pd.DataFrame]:
    def places(key: str, names: list[str]) -> pd.DataFrame:
        workers = 100_000 * np.arange(1, len(names) + 1)
        return pd.DataFrame(
            {key: names, "employment_workers": workers, "matched_share": 0.9, **rates(len(names))}
        )

    n = 12
    nation = {name: values.mean() for name, values in rates(n).items()}
    nation |= {"employment_workers": 1e6, "matched_workers": 9e5}
    thresholds = np.arange(101) / 100
    curves = [
        pd.DataFrame(
            {
                "measure": measure,
                "threshold": thresholds,
                "n_workers": 9e5 * (1 - thresholds),
                "workers_share": 1 - thresholds,
            }
        )
        for measure in ("alpha", "beta", "zeta")
    ]
    tables = {
        "exposure_major_groups": places("title", ["Writing Occupations", "Driving Occupations"]),
        "exposure_industries": places("industry", ["Mining", "Trade"]),
        "exposure_states": places("state", ["Ohio", "Guam"]).assign(in_national=[True, False]),
        "exposure_national": pd.DataFrame(nation.items(), columns=["measure", "value"]),
        "exposure_thresholds": pd.concat(curves),
        "exposure_occupations": places("title", [f"Occupation {i}" for i in range(n)]).assign(
            soc=[f"11-10{i}" for i in range(n)],
            annual_wage_usd=np.linspace(30_000, 90_000, n),
            wage_basis="annual median",
        ),
        "exposure_wage_deciles": pd.DataFrame(
            {
                "decile": range(1, 11),
                "wage_mean_usd": np.linspace(31_000, 85_000, 10),
                "beta": np.linspace(0.1, 0.4, 10),
            }
        ),
    }
    parts = {}
    for name, table in tables.items():
        named = table.assign(rater="rubric", task_weighting="equal", exposure_from="labels")
        # A model tells nothing about automation.
        shares = [column for column in named if column.endswith(("ted_share", "touched_share"))]
        other = named.assign(rater="net", exposure_from="shares", **dict.fromkeys(shares, np.nan))
        parts[name] = pd.concat([named, other])
    return parts


def model_tables(study: Study) -> dict[str, pd.DataFrame]:
    runs = pd.DataFrame(study.runs(), columns=["model", "split", "seed"])
    values = {
        "cohen_kappa": 0.5,
        "f1_macro": 0.6,
        "occupation_beta_pearson": np.nan,
        "expected_calibration_error": 0.1,
    }
    measures = pd.DataFrame(values.items(), columns=["metric", "value"])
    measures = measures.assign(low=measures["value"] - 0.1, high=measures["value"] + 0.1)
    measures = measures.assign(draws=100, n_tasks=90, n_groups=30, n_occupations=8)
    bins = pd.DataFrame(
        {"bin": [5, 9], "confidence": [0.5, 0.9], "accuracy": [0.4, 0.9], "n": [30, 60]}
    )
    cells = pd.DataFrame(product(CLASSES, CLASSES), columns=["label", "predicted"]).assign(n=10)
    steps = pd.DataFrame(
        {
            "fold": 0,
            "epoch": [0, 0, 1, 1],
            "step": [3, 4, 7, 8],
            "train_loss": [1.0, np.nan, 0.5, np.nan],
            "val_loss": [np.nan, 0.9, np.nan, 0.8],
            "val_cohen_kappa": [np.nan, 0.3, np.nan, 0.5],
        }
    )
    reliability = pd.DataFrame(
        {
            "level": "task",
            "variable": "exposure",
            "raters": ["A-B", "A-B"],
            "measure": ["cohen_kappa", "krippendorff_alpha_nominal"],
            "value": [0.8, 0.79],
            "n": 90,
        }
    )
    return {
        "metrics": runs.merge(measures, how="cross"),
        "calibration": runs.merge(bins, how="cross"),
        "confusion": runs.merge(cells, how="cross"),
        "history": runs[runs["model"] == "net"].merge(steps, how="cross"),
        "reliability": reliability,
    }


def comparison_tables() -> dict[str, pd.DataFrame]:
    """Costs of two models, and what one of them makes of a part of the tasks."""
    comparison = pd.DataFrame(
        {
            "model": ["net", "word_list"],
            "seeds": 2,
            "cohen_kappa": [0.6, 0.5],
            "cohen_kappa_low": [0.5, 0.4],
            "cohen_kappa_high": [0.7, 0.6],
            "training_seconds": [90.0, 0.5],
            "rating_texts_per_second": [100.0, 9000.0],
            "threads": 2,
        }
    )
    curve = pd.DataFrame(
        {
            "model": "net",
            "percent": [10, 100],
            "seeds": 2,
            "n_tasks": [40, 400],
            "metric": "cohen_kappa",
            "value": [0.3, 0.6],
            "low": [0.2, 0.5],
            "high": [0.4, 0.7],
            "sd": 0.02,
            "behind_full": [0.3, np.nan],
        }
    )
    return {"comparison": comparison, "learning_curve": curve}


def write(tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        write_csv(table, Path("reports/tables", f"{name}.csv"))


@pytest.fixture
def tables(tmp_path, monkeypatch) -> dict[str, pd.DataFrame]:
    monkeypatch.chdir(tmp_path)
    tables = exposure_tables() | model_tables(config().study) | comparison_tables()
    # This study has fetched nothing to compare with, and another kind of task has curves, classes and
    # decodings; what is drawn of these, tests/report tells.
    for name, (_, columns) in figures.NEEDED.items():
        if name not in tables:
            tables[name] = pd.DataFrame(columns=columns)
    write(tables)
    return tables


@pytest.fixture
def drawn(monkeypatch) -> dict[str, Drawing]:
    """The drawings of a run, which is faster for not saving them."""
    drawings: dict[str, Drawing] = {}
    found = figures.drawings

    def keep(*arguments):
        def draw(name, function):
            drawings[name] = function()
            return drawings[name]

        wanted = found(*arguments)
        return {name: lambda n=name, f=function: draw(n, f) for name, function in wanted.items()}

    monkeypatch.setattr(figures, "drawings", keep)
    monkeypatch.setattr(style, "save", lambda *_: None)
    return drawings


def test_every_figure_and_the_same_bytes_again(tables, monkeypatch):
    def outputs() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("reports/figures").iterdir()}

    run(config())
    first = outputs()
    files = {f"{name}.{ending}" for name in ALL for ending in ("pdf", "png")}
    assert set(first) == files | {"captions.json", "drawn_from.json"}
    captions = json.loads(first["captions.json"])
    assert list(captions) == ALL
    for name, caption in captions.items():
        assert re.search(
            r"Drawn from \w+\.csv.* \(stage (aggregate|evaluate|compare)\)\.$", caption
        ), name
    for name in ALL:
        content = first[f"{name}.pdf"]
        assert b"/Type3" not in content
        assert b"/FontFile2" in content
        assert b"Date" not in content

    # Again, only those with the most to decide, as writing fonts takes its time.
    again = ["exposure_by_wage", "learning_curves", "confusion_matrices"]
    drawings = figures.drawings

    def some(*arguments):
        return {name: draw for name, draw in drawings(*arguments).items() if name in again}

    monkeypatch.setattr(figures, "drawings", some)
    run(config())
    second = outputs()
    assert set(second) == {f"{n}.{end}" for n in again for end in ("pdf", "png")} | {
        "captions.json",
        "drawn_from.json",
    }
    del second["captions.json"], second["drawn_from.json"]
    assert second == {name: first[name] for name in second}


def test_the_rater_and_the_names_are_those_of_the_config(tables, drawn):
    run(config())
    assert "substituted" in drawn["exposure_by_major_group"].caption
    assert "all tasks of an occupation count the same" in drawn["exposure_by_wage"].caption
    axes = drawn["model_comparison"].figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["word_list", "Network"]
    run(config(rater="net"))
    caption = drawn["exposure_by_major_group"].caption
    assert "substituted" not in caption
    assert "labels: Made-up tasks, predicted by Network" in caption
    assert "shares of the classes" in caption


def test_core_tasks_are_said_to_count_twice(tables, drawn):
    for name, table in exposure_tables().items():
        write({name: table.assign(task_weighting="core")})
    run(config())
    assert "core tasks count twice" in drawn["exposure_by_state"].caption


def test_a_study_of_one_model_and_one_split_leaves_figures_out(tables, drawn, caplog):
    write(model_tables(one_model().study))
    write({"reliability": tables["reliability"][:0]})
    with caplog.at_level("INFO"):
        run(one_model())
    left_out = {"learning_curves", "split_effect", "rater_agreement"}
    assert set(drawn) == set(ALL) - left_out
    for name in left_out:
        assert f"left out {name}: " in caplog.text
    assert set(json.loads(Path("reports/figures/captions.json").read_text())) == set(drawn)


def test_without_costs_and_parts_of_the_tasks_their_figures_are_left_out(tables, drawn, caplog):
    costs = ["training_seconds", "rating_texts_per_second", "threads"]
    comparison = tables["comparison"].assign(**dict.fromkeys(costs, np.nan))
    write({"comparison": comparison, "learning_curve": tables["learning_curve"][:0]})
    with caplog.at_level("INFO"):
        run(config())
    assert not {"accuracy_cost", "learning_curve"} & set(drawn)
    assert "left out accuracy_cost: comparison.csv has no costs; benchmarks/" in caplog.text
    assert "left out learning_curve: learning_curve.csv has no model" in caplog.text


def test_without_large_occupations_their_figure_is_left_out(tables, drawn, caplog):
    with caplog.at_level("INFO"):
        run(config(large_occupation_workers=1_200_000))
    assert "top_occupations" not in drawn
    assert "left out top_occupations: occupations with at least 1,200,000 workers: 1" in caplog.text


def no_exposure(task: str, **changes) -> Config:
    """A study of two models on another kind of task, one split."""
    study = replace(config().study, contrast=Contrast(), seeds=[0])
    labels = [] if task == "generation" else ["no", "yes"]
    data = DataConfig(name="made_up", title="Made-up texts", task=task, labels=labels, **changes)
    return config(study=study, data=data)


def kind_tables(config: Config, kind: Kind, splits: list[str]) -> dict[str, pd.DataFrame]:
    """The tables of a kind that has neither confusion nor calibration, with `splits` besides the primary."""
    runs = pd.DataFrame(config.study.runs(), columns=["model", "split", "seed"])
    metrics = pd.DataFrame({"metric": kind.compared, "value": 0.6, "low": 0.5, "high": 0.7})
    metrics = metrics.assign(draws=100, n_tasks=90, n_groups=30, n_occupations=0)
    parts = [runs.assign(split=split) for split in ("purged", *splits)]
    tables = model_tables(config.study) | comparison_tables()
    rename = {"val_cohen_kappa": kind.validation}
    rename |= {f"cohen_kappa{end}": f"{kind.first}{end}" for end in ("", "_low", "_high")}
    return {
        "metrics": pd.concat(parts).merge(metrics, how="cross"),
        "history": tables["history"].rename(columns=rename),
        "comparison": tables["comparison"].rename(columns=rename),
        "learning_curve": tables["learning_curve"].assign(metric=kind.first),
        **{name: tables[name][:0] for name in ("confusion", "calibration", "reliability")},
    }


COMMON = ["model_comparison", "learning_curves", "accuracy_cost", "learning_curve"]


def test_a_study_of_pairs(tables, drawn):
    pairs = no_exposure("pairs")
    runs = pd.DataFrame(pairs.study.runs(), columns=["model", "split", "seed"])
    runs = pd.concat([runs, runs.assign(split="hard")])
    cells = pd.DataFrame(product(["no", "yes"], repeat=2), columns=["label", "predicted"])
    points = pd.DataFrame(
        {"curve": ["roc", "roc", "precision_recall"], "x": [0, 1, 1], "y": [0, 1, 0.5]}
    )
    write(kind_tables(pairs, kind_of("pairs", False), ["hard"]))
    write({"confusion": runs.merge(cells.assign(n=10), how="cross")})
    write({"curves": runs.merge(points, how="cross")})
    run(pairs)
    curves = ["ranking_curves", "ranking_curves_hard"]
    assert sorted(drawn) == sorted([*COMMON, *curves, "confusion_matrices"])
    assert "hard: those drawn from" in drawn["model_comparison"].caption
    assert "the hard test pairs" in drawn["ranking_curves_hard"].caption
    drawn_from = json.loads(Path("reports/figures/drawn_from.json").read_text())
    assert set(drawn_from["ranking_curves"]) == {"curves", "metrics", "confusion"}


def test_a_study_of_several_labels(tables, drawn, caplog):
    several = no_exposure("multilabel", names={"yes": "是"})
    write(kind_tables(several, kind_of("multilabel", False), []))
    classes = {"class": ["no", "yes"], "n_test": [30, 12], "f1": [0.4, 0.7]}
    rows = pd.DataFrame(classes).assign(model="net", seed=0, split="purged", low=0.3, high=0.8)
    write({"classes": rows})
    with caplog.at_level("INFO"):
        run(several)
    assert sorted(drawn) == sorted([*COMMON, "classes"])
    axes = drawn["classes"].figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["是  yes", "no"]
    assert "left out confusion_matrices: confusion.csv is empty" in caplog.text


def test_a_study_of_generated_texts(tables, drawn):
    texts = no_exposure("generation")
    write(kind_tables(texts, kind_of("generation", False), ["seen", "unseen"]))
    write({"history": tables["history"][:0].drop(columns="val_cohen_kappa")})
    rows = pd.DataFrame(
        product(["net"], [0], ["purged", "seen", "unseen"], ["greedy", "beam"], ["exact_match"]),
        columns=["model", "seed", "split", "decoding", "metric"],
    )
    write({"decodings": rows.assign(value=0.4, low=0.3, high=0.5)})
    run(texts)
    assert sorted(drawn) == sorted({*COMMON, "decodings"} - {"learning_curves"})
    for drawing in drawn.values():
        assert "κ" not in drawing.caption


def test_a_second_test_set_has_a_figure_of_its_own(tables, drawn):
    extra = no_exposure("classification", extra=["job_titles"])
    write(kind_tables(extra, kind_of("classification", False), ["job_titles"]))
    run(extra)
    assert sorted(drawn) == sorted([*COMMON, "model_comparison_job_titles"])
    assert "the second test set, job titles" in drawn["model_comparison_job_titles"].caption


def test_a_column_of_the_kind_that_lacks(tables):
    write({"comparison": tables["comparison"].drop(columns="cohen_kappa_low")})
    with pytest.raises(JobshiftError, match=r"comparison\.csv: .*'cohen_kappa_low'"):
        run(config())
    write({"comparison": tables["comparison"]})
    history = tables["history"].drop(columns="val_cohen_kappa")
    write({"history": history})
    with pytest.raises(JobshiftError, match=r"history\.csv: .*'val_cohen_kappa'.*evaluate"):
        run(config())


def test_a_model_may_be_called_none(tables, drawn):
    study = replace(config().study, models=["None", "NA"], contrast=Contrast())
    write(model_tables(study))
    run(config(study=study))
    axes = drawn["model_comparison"].figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["None", "NA"]


def test_a_model_on_an_easy_split_alone_is_in_the_figure_of_splits(tables, drawn):
    study = replace(config().study, models=["word_list"], contrast=Contrast(["net"], ["random"]))
    write(model_tables(study))
    run(config(study=study))
    shown = drawn["split_effect"].figure.axes[0]
    assert [label.get_text() for label in shown.get_yticklabels()] == ["word_list", "Network"]
    assert len(drawn["confusion_matrices"].figure.axes) == 1
    assert "learning_curves" not in drawn


@pytest.mark.parametrize("name", list(figures.NEEDED))
def test_missing_table(tables, name):
    Path(f"reports/tables/{name}.csv").unlink()
    stage = figures.NEEDED[name][0]
    with pytest.raises(JobshiftError, match=rf"{name}\.csv: .* no such table.*`jobshift {stage}`"):
        run(config())
    assert not Path("reports/figures").exists()


def test_missing_column(tables):
    write({"calibration": tables["calibration"].drop(columns="accuracy")})
    with pytest.raises(JobshiftError, match=r"calibration\.csv: .*'accuracy'.*jobshift evaluate"):
        run(config())


def test_another_study(tables):
    study = replace(config().study, seeds=[0, 7, 8])
    with pytest.raises(JobshiftError, match="lacks the run net, purged split, seed 8"):
        run(config(study=study))
    study = replace(config().study, seeds=[0])
    with pytest.raises(
        JobshiftError, match="has the run net, purged split, seed 7, which no longer"
    ):
        run(config(study=study))


def test_bad_values(tables):
    with pytest.raises(JobshiftError, match=r"rater is 'nobody'.* have rubric, net"):
        run(config(rater="nobody"))
    with pytest.raises(JobshiftError, match="top is 0"):
        run(config(top=0))
    data = replace(config().data, labels={"E0": 0.0, "E1": 1.0})
    with pytest.raises(JobshiftError, match=r"confusion\.csv has the label E2"):
        run(config(data=data))


def test_a_failed_run_leaves_the_last_figures(tables, monkeypatch):
    Path("reports/figures").mkdir()
    Path("reports/figures/old.png").touch()

    def fail(*_):
        raise JobshiftError("no more ink")

    monkeypatch.setattr(style, "save", fail)
    with pytest.raises(JobshiftError, match="ink"):
        run(config())
    assert sorted(path.name for path in Path("reports").iterdir()) == ["figures", "tables"]
    assert [path.name for path in Path("reports/figures").iterdir()] == ["old.png"]


def test_the_config_file_documents_every_key():
    keys = set(OmegaConf.load(CONF)) - {"defaults"}
    assert keys == {entry.name for entry in fields(Config)} - {"study", "data"}
