"""The real pipeline through DVC, from wheels to figures, on the tiny study (420 tasks)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml


def command(*words: str) -> str:
    """Run a command with this environment's python first on the path; its output, stderr included."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        words,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def ran(output: str) -> list[str]:
    """The stages that a `dvc repro` ran."""
    return re.findall(r"Running stage '([^']+)'", output)


@pytest.fixture
def repository(study: Path) -> Path:
    """The tiny study as a Git and DVC repository."""
    command("git", "init", "-q")
    command("git", "config", "user.email", "tests@example.org")
    command("git", "config", "user.name", "Tests")
    command("dvc", "init", "-q")
    return study


def test_the_study_runs_repeats_to_the_byte_and_reruns_only_what_an_edit_touches(repository: Path):
    # Every kind of model and split of the study, but not each of its runs: a run is a process.
    selected = yaml.safe_load(Path("params.yaml").read_text())
    selected["models"] = ["activity_lookup", "tfidf", "lstm", "minilm"]
    selected["contrast"] = {"splits": ["major_group", "random"], "models": ["tfidf"]}
    Path("params.yaml").write_text(yaml.safe_dump(selected))
    # The other engines are compared byte for byte in tests/stages/test_export.py.
    file = Path("conf/export.yaml")
    file.write_text(file.read_text().replace("[torch, onnx, openvino-int8]", "[torch]"))
    first = command("dvc", "repro")
    lock = Path("dvc.lock").read_bytes()
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == selected["models"]
    assert list(metrics["tfidf"]["0"]) == ["purged", "major_group", "random"]
    assert list(metrics["lstm"]["0"]) == ["purged"]
    kappa = metrics["tfidf"]["0"]["purged"]["cohen_kappa"]
    assert kappa["low"] < kappa["value"] < kappa["high"]
    card = json.loads(Path("data/prepared/onet/card.json").read_text())
    assert card["counts"]["tasks"] == 420
    for leak in card["splits"]["purged"][0]["leakage"].values():
        assert leak == {"dwa": 0.0, "text": 0.0}
    assert card["splits"]["random"][0]["leakage"]["test from train"]["dwa"] > 0.5
    figures = {path.stem for path in Path("reports/figures").glob("*.pdf")}
    assert {"exposure_by_major_group", "model_comparison", "learning_curves"} <= figures

    # Nothing to do: nothing runs.
    assert ran(command("dvc", "repro")) == []

    # One value in one model's file: its training, and the evaluation that follows from it.
    file = Path("conf/model/minilm.yaml")
    file.write_text(file.read_text().replace("lr: 1.0e-4", "lr: 3.0e-4"))
    assert ran(command("dvc", "repro", "evaluate")) == ["train@minilm-0", "evaluate"]

    # The first study again, with nothing kept: the same lock file, so the same bytes everywhere.
    file.write_text(file.read_text().replace("lr: 3.0e-4", "lr: 1.0e-4"))
    made = (
        "data",
        "models",
        "exports",
        "reports/figures",
        "reports/tables",
        ".dvc/cache",
        ".dvc/tmp",
    )
    for path in made:
        shutil.rmtree(path)
    for path in ("reports/paper.pdf", "reports/comparison.html", "dvc.lock"):
        Path(path).unlink()
    assert ran(command("dvc", "repro")) == ran(first)
    assert Path("dvc.lock").read_bytes() == lock


def test_an_experiment_selects_models_from_the_command_line(repository: Path):
    command("git", "add", "-A")
    command("git", "commit", "-qm", "The tiny study")
    chosen = [
        *("models=[majority,tfidf]", "seeds=[0,1]", "contrast.splits=[]", "contrast.models=[]"),
        *("conf/model/tfidf.yaml:tfidf.C=1.0", "derived.base=tfidf"),
        *("derived.models=[ensemble]", "conf/model/ensemble.yaml:ensemble.model=tfidf"),
        *("conf/model/ensemble.yaml:ensemble.seeds=[0,1]", "learning_curve.models=[tfidf]"),
        *("learning_curve.percents=[25]", "export="),
    ]
    done = command("dvc", "exp", "run", *(word for each in chosen for word in ("-S", each)))
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == ["majority", "tfidf", "ensemble"]
    assert list(metrics["tfidf"]["0"]) == ["purged"]
    assert yaml.safe_load(Path("conf/model/tfidf.yaml").read_text())["tfidf"]["C"] == 1.0
    assert "learning_curves" not in {path.stem for path in Path("reports/figures").iterdir()}
    # What the ensemble is made of was trained before it.
    order = ran(done)
    assert max(order.index(f"train@tfidf-{seed}") for seed in (0, 1)) < min(
        order.index(f"train_derived@ensemble-{seed}") for seed in (0, 1)
    )
    table = pd.read_csv("reports/tables/comparison.csv").set_index("model")
    assert set(table.index) == {"majority", "tfidf", "ensemble"}
    # Two runs of TF-IDF are the same, and so is their mean.
    assert table["cohen_kappa"]["ensemble"] == table["cohen_kappa"]["tfidf"] > 0
    assert set(table["cohen_kappa_sd"]) == {0} and set(table["seeds"]) == {2}
    assert table["size_mb"].dropna().to_dict() == {"tfidf": 0.1}
    curve = pd.read_csv("reports/tables/learning_curve.csv")
    few, every = (curve[curve["percent"] == percent] for percent in (25, 100))
    assert few["n_tasks"].between(40, 60).all() and (every["n_tasks"] > 180).all()
    assert Path("models/tfidf/purged-1-25/run.json").is_file()
    page = Path("reports/comparison.html").read_text()
    assert "The study default compares 3 models" in page and "TF-IDF + logistic" in page
    shown = command("dvc", "exp", "show", "--csv")
    assert "cohen_kappa" in shown


def test_texts_without_exposure_go_through_the_same_stages(repository: Path):
    """The example of a file of one's own, from `prepare` to the page; no stage is left out by hand."""
    command("git", "add", "-A")
    command("git", "commit", "-qm", "The tiny study")
    chosen = ["data=csv", "models=[majority,tfidf_char]", "tokenizers=[chars]", "export="]
    chosen += ["contrast.models=[tfidf_char]", "contrast.splits=[random]"]
    done = command("dvc", "exp", "run", *(word for each in chosen for word in ("-S", each)))
    assert {"aggregate", "growth", "paper", "page"} <= set(ran(done))
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == ["majority", "tfidf_char"]
    card = Path("reports/data_card.md").read_text()
    assert "| texts | 449 |" in card
    figures = {path.stem for path in Path("reports/figures").glob("*.pdf")}
    assert "confusion_matrices" in figures and not any(
        name.startswith("exposure") for name in figures
    )
    # An edit of the file is noticed.
    file = Path("examples/sentiment/sentiment.csv")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert ran(command("dvc", "repro", "prepare")) == ["prepare"]
    assert "| texts | 448 |" in Path("reports/data_card.md").read_text()
