"""The tiny study (`tiny_study.py`), built once, for the tests that run the real pipeline."""

import importlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_study

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
    """A fresh copy of the tiny study, as working directory, its mirror set."""
    folder = tmp_path / "study"
    shutil.copytree(built[0], folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JOBSHIFT_MIRROR", str(built[1]))
    return folder


@pytest.fixture(scope="session")
def prepared_once(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study after fetch, prepare and tokenize; not to be written to."""
    folder = tmp_path_factory.mktemp("prepared") / "study"
    shutil.copytree(built[0], folder)
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
    compose_and_run(verb, stage.Config, stage.run, list(arguments))
