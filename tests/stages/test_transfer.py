"""Learning from one rater, judged by another, on predictions made by hand."""

from pathlib import Path

import pandas as pd
import pytest

from jobshift.config import DataConfig, Study, Transfer
from jobshift.errors import JobshiftError
from jobshift.stages.transfer import Config, run

CLASSES = ["E0", "E2", "E1"]
HUMAN = ["E0", "E0", "E2", "E2", "E1", "E1"]
GPT4 = ["E0", "E2", "E2", "E2", "E1", "E0"]
RUBRIC = ["E0", "E0", "E2", "E1", "E1", None]


def config(**changes) -> Config:
    transfer = Transfer(models=["net"], raters=["gpt4", "rubric"])
    study = Study(name="s", data="d", rater="human", models=["net"], seeds=[0], transfer=transfer)
    data = DataConfig(
        name="d",
        title="D",
        exposure=True,
        labels={"E0": 0.0, "E2": 0.5, "E1": 1.0},
        sources=[],
        raters={"human": "people", "gpt4": "a model", "rubric": "us"},
    )
    options = {"draws": 20, "min_tasks": 1, "metrics": ["cohen_kappa", "accuracy"]}
    return Config(study=study, data=data, **{**options, **changes})


@pytest.fixture
def study(tmp_path: Path, monkeypatch) -> Path:
    """Six tasks; the model learnt from people repeats them, from GPT-4 and rubric says always E0."""
    monkeypatch.chdir(tmp_path)
    ids = [f"t{number}" for number in range(6)]
    tasks = pd.DataFrame({"id": ids, "label": HUMAN, "label_gpt4": GPT4, "label_rubric": RUBRIC})
    tasks = tasks.assign(group=ids, occupation=["o1", "o1", "o1", "o2", "o2", "o2"], weight=1.0)
    folder = Path("data/prepared/d/purged/0")
    folder.mkdir(parents=True)
    tasks.to_parquet(folder / "test.parquet", index=False)
    for name, said in (
        ("purged-0", HUMAN),
        ("purged-0-gpt4", ["E0"] * 6),
        ("purged-0-rubric", ["E0"] * 6),
    ):
        shares = {f"p_{c}": [float(each == c) for each in said] for c in CLASSES}
        frame = pd.DataFrame({"id": ids, "fold": 0, "part": "test", "predicted": said, **shares})
        Path("models/net", name).mkdir(parents=True)
        frame.to_parquet(Path("models/net", name, "predictions.parquet"), index=False)
    return tmp_path


def value(
    frame: pd.DataFrame, model: str, trained_on: str, judged_by: str, metric: str
) -> pd.Series:
    rows = frame[
        (frame["model"] == model)
        & (frame["trained_on"] == trained_on)
        & (frame["judged_by"] == judged_by)
        & (frame["metric"] == metric)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_source_of_labels_meets_every_judge(study: Path):
    run(config())
    frame = pd.read_csv("reports/tables/transfer.csv")
    # The net: 3 sources × 3 judges; the labels themselves: 3 × 2, not against themselves; 2 measures.
    assert len(frame) == (9 + 6) * 2
    assert value(frame, "net", "human", "human", "accuracy")["value"] == 1.0
    assert value(frame, "net", "gpt4", "human", "accuracy")["value"] == pytest.approx(
        2 / 6, abs=1e-6
    )
    # GPT-4 against people: right on tasks 0, 2, 3, 4.
    assert value(frame, "labels", "gpt4", "human", "accuracy")["value"] == pytest.approx(
        4 / 6, abs=1e-6
    )
    # By chance: E0 2·2 + E2 2·3 + E1 2·1 = 12 of 36, so κ = (4/6 − 1/3) / (1 − 1/3) = 1/2.
    assert value(frame, "labels", "gpt4", "human", "cohen_kappa")["value"] == pytest.approx(0.5)
    # A task that the rubric has not rated counts for nobody whom it judges: 5 tasks, 4 agree.
    judged = value(frame, "net", "human", "rubric", "accuracy")
    assert judged["n_tasks"] == 5 and judged["value"] == pytest.approx(0.8)
    assert "human" in Path("reports/tables/transfer.tex").read_text()


def test_a_study_without_transfer_leaves_the_table_empty_and_says_so(study: Path, caplog):
    with caplog.at_level("INFO"):
        empty = config()
        empty.study.transfer = Transfer()
        run(empty)
    assert "left out" in caplog.text
    frame = pd.read_csv("reports/tables/transfer.csv")
    assert frame.empty and "judged_by" in frame
    assert Path("reports/tables/transfer.tex").read_text().startswith("% Left out")


def test_a_missing_run_is_named_with_its_command(study: Path):
    Path("models/net/purged-0-gpt4/predictions.parquet").unlink()
    with pytest.raises(JobshiftError, match="model=net split=purged seed=0 learn_from=gpt4"):
        run(config())


def test_an_unknown_rater_or_measure_is_refused(study: Path):
    wrong = config()
    wrong.study.transfer.raters = ["gpt5"]
    with pytest.raises(JobshiftError, match=r"transfer\.raters names 'gpt5'"):
        run(wrong)
    with pytest.raises(JobshiftError, match="metrics names 'kapa'"):
        run(config(metrics=["kapa"]))
