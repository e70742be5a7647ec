"""The real pipeline through DVC, from wheels to figures, on the tiny study (420 tasks)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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
    first = command("dvc", "repro")
    lock = Path("dvc.lock").read_bytes()
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == ["majority", "dwa_lookup", "activity_lookup", "tfidf", "lstm", "minilm"]
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

    # One value in one model's file: its training, and what follows from it.
    file = Path("conf/model/minilm.yaml")
    file.write_text(file.read_text().replace("lr: 1.0e-4", "lr: 3.0e-4"))
    changed = ran(command("dvc", "repro"))
    assert changed[0] == "train@minilm-0"
    follows = {"evaluate", "aggregate", "validity", "changes", "growth", "transfer"}
    assert set(changed) <= {"train@minilm-0", *follows, "figures", "paper"}
    assert "evaluate" in changed

    # The first study again, with nothing kept: the same lock file, so the same bytes everywhere.
    file.write_text(file.read_text().replace("lr: 3.0e-4", "lr: 1.0e-4"))
    made = ("data", "models", "reports/figures", "reports/tables", ".dvc/cache", ".dvc/tmp")
    for path in made:
        shutil.rmtree(path)
    Path("reports/paper.pdf").unlink()
    Path("dvc.lock").unlink()
    assert ran(command("dvc", "repro")) == ran(first)
    assert Path("dvc.lock").read_bytes() == lock


def test_an_experiment_selects_models_from_the_command_line(repository: Path):
    command("git", "add", "-A")
    command("git", "commit", "-qm", "The tiny study")
    command(
        "dvc", "exp", "run", "-S", "models=[majority,tfidf]", "-S", "contrast.splits=[random]",
        "-S", "contrast.models=[tfidf]", "-S", "conf/model/tfidf.yaml:tfidf.C=1.0",
    )  # fmt: skip
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == ["majority", "tfidf"]
    assert list(metrics["tfidf"]["0"]) == ["purged", "random"]
    assert yaml.safe_load(Path("conf/model/tfidf.yaml").read_text())["tfidf"]["C"] == 1.0
    assert "learning_curves" not in {path.stem for path in Path("reports/figures").iterdir()}
    shown = command("dvc", "exp", "show", "--csv")
    assert "cohen_kappa" in shown
