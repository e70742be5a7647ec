"""The tiny study (`tiny_study.py`), built once, for the tests that run the real pipeline."""

import importlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
import tiny_study
from hydra._internal.hydra import Hydra

from jobshift.config import compose_and_run

# No run of a test is sent anywhere, nor are statistics; the tests of W&B set their own mode.
os.environ["WANDB_MODE"] = "disabled"
os.environ["DVC_NO_ANALYTICS"] = "1"
# A model that is not there is asked for once, not for half a minute; test_hub.py has a hub of its own.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def levels_of_logging() -> Iterator[None]:
    """Give all handlers their level back: an exporter's library raises it, and later tests read the log."""
    levels = [(handler, handler.level) for handler in logging.root.handlers]
    yield
    for handler, level in levels:
        handler.setLevel(level)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of the tiny study and of its mirror; not to be written to."""
    top = tmp_path_factory.mktemp("tiny")
    study = top / "study"
    study.mkdir()
    return study, tiny_study.build(study)


@pytest.fixture
def study(built: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the tiny study but for its code, as working directory, its mirror set."""
    folder = tmp_path / "study"
    shutil.copytree(built[0], folder, ignore=shutil.ignore_patterns("src"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JOBSHIFT_MIRROR", str(built[1]))
    return folder


def command(*words: str, python: Path | None = None) -> str:
    """Run a command with this environment's python first on the path; its output, stderr included.

    Or with the one in the folder `python`, that of `forked.python`.
    """
    first = [str(python)] if python else []
    path = os.pathsep.join([*first, str(Path(sys.executable).parent), os.environ["PATH"]])
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


@pytest.fixture
def repository(built: tuple[Path, Path], study: Path) -> Path:
    """The tiny study with its code as a clone of its Git and DVC repository, as working directory."""
    shutil.copytree(built[0] / "src", study / "src")
    # With the repository's own settings DVC sends nothing and does not look for a new version.
    ignored = shutil.ignore_patterns("cache", "tmp", "*.local")
    shutil.copytree(tiny_study.ROOT / ".dvc", study / ".dvc", ignore=ignored)
    command("git", "init", "-q")
    command("git", "config", "user.email", "tests@example.org")
    command("git", "config", "user.name", "Tests")
    command("git", "add", "-A")
    command("git", "commit", "-qm", "The tiny study")
    return study


@pytest.fixture
def forks() -> Iterator[Path]:
    """The folder of a python that runs jobshift without importing first, for `command`."""
    with forked.python() as folder:
        yield folder


@pytest.fixture(scope="session")
def prepared_once(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study but for its code after fetch, prepare and tokenize; not to be written to."""
    folder = tmp_path_factory.mktemp("prepared") / "study"
    shutil.copytree(built[0], folder, ignore=shutil.ignore_patterns("src"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("JOBSHIFT_MIRROR", str(built[1]))
        for source in ("onet_tasks", "minilm", "rubric_ratings"):
            jobshift("fetch", f"source={source}")
        jobshift("prepare")
        jobshift("tokenize", "tokenizer=minilm")
    return folder


@pytest.fixture
def prepared(prepared_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the prepared tiny study, as working directory."""
    folder = tmp_path / "study"
    shutil.copytree(prepared_once, folder)
    monkeypatch.chdir(folder)
    return folder


def jobshift(verb: str, *arguments: str) -> None:
    """Run a verb in this process, as the command line would, but for its last line of defence."""
    stage = importlib.import_module(f"jobshift.stages.{verb}")
    with pytest.MonkeyPatch.context() as patch:
        # Hydra composes every config twice, first to look whether it sets hydra.mode; none of ours does.
        patch.setattr(Hydra, "get_mode", lambda *_, **__: None)
        compose_and_run(verb, stage.Config, stage.run, list(arguments))
