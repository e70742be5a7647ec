"""Configs: the study's runs, the command line, and what a wrong key or file says."""

from pathlib import Path

import pytest
from conftest import jobshift

from jobshift import cli
from jobshift.config import Contrast, Study, overrides_first
from jobshift.errors import JobshiftError


def test_runs_are_primary_first_then_the_contrast():
    study = Study("s", "onet", ["a", "b"], [0, 1], contrast=Contrast(["b"], ["random"]))
    assert study.runs() == [
        ("a", "purged", 0),
        ("a", "purged", 1),
        ("b", "purged", 0),
        ("b", "purged", 1),
        ("b", "random", 0),
        ("b", "random", 1),
    ]


def test_flags_may_stand_anywhere():
    given = ["model=lstm", "--multirun", "seed=0,1", "--cfg", "job", "split=random"]
    expected = ["model=lstm", "seed=0,1", "split=random", "--multirun", "--cfg", "job"]
    assert overrides_first(given) == expected


def test_a_wrong_key_in_params_names_file_and_key(study: Path):
    file = Path("params.yaml")
    file.write_text(file.read_text().replace("seeds:", "seed:"))
    with pytest.raises(JobshiftError, match=r"params\.yaml: .*'?seed'?"):
        jobshift("prepare")


def test_broken_yaml_and_missing_files_are_named(study: Path):
    Path("params.yaml").write_text("models: [a\n")
    with pytest.raises(JobshiftError, match=r"params\.yaml"):
        jobshift("prepare")
    Path("params.yaml").unlink()
    with pytest.raises(JobshiftError, match=r"no params\.yaml here"):
        jobshift("prepare")
    Path("conf/prepare.yaml").unlink()
    with pytest.raises(JobshiftError, match=r"no conf/prepare\.yaml here.*top folder"):
        jobshift("prepare")


def test_cfg_shows_the_composed_config(study: Path, capsys: pytest.CaptureFixture):
    jobshift("train", "model=minilm", "--cfg", "job")
    assert "batch_size: 32" in capsys.readouterr().out


def test_an_unknown_verb_lists_the_verbs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr("sys.argv", ["jobshift", "teach"])
    with pytest.raises(SystemExit, match="no verb 'teach'; choose one of fetch, sources, prepare"):
        cli.main()
    monkeypatch.setattr("sys.argv", ["jobshift"])
    cli.main()
    assert "usage: jobshift VERB" in capsys.readouterr().out


def test_problems_are_one_line_without_a_traceback(study: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["jobshift", "prepare"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert str(stopped.value).startswith(
        "jobshift prepare: data/raw/rubric_ratings/dwa_ratings.csv is missing"
    )
    assert "\n" not in str(stopped.value)
