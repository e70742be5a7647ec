"""Configs: the study's runs, the command line, and what a wrong key or file says."""

from pathlib import Path

import pytest
from conftest import jobshift

from jobshift import cli
from jobshift.config import Contrast, DataConfig, Study, in_quotes, overrides_first
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


def test_a_verb_with_arguments_of_its_own_gives_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr("sys.argv", ["jobshift", "rate", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0 and "--engine" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["jobshift", "rate", "a.csv", "--model", "m", "--out", "b.csv"])
    with pytest.raises(SystemExit, match="jobshift rate: m is no exported model"):
        cli.main()


def test_problems_are_one_line_without_a_traceback(study: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["jobshift", "prepare"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert str(stopped.value).startswith(
        "jobshift prepare: data/raw/rubric_ratings/dwa_ratings.csv is missing"
    )
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("data.text=句子", "data.text='句子'"),
        ("data.path=l'été.csv", "data.path='l\\'été.csv'"),
        ("data.text=text", "data.text=text"),
        ('data.labels=["naïve"]', 'data.labels=["naïve"]'),
        ("--multirun", "--multirun"),
    ],
)
def test_values_in_other_letters_need_no_quotation_marks(given: str, read: str):
    assert in_quotes(given) == read


def test_words_of_a_list_in_other_letters_need_them(study: Path):
    with pytest.raises(JobshiftError, match=r"in a list, put words .* in quotation marks"):
        jobshift("prepare", "data.labels=[naïve]")
    # 文 is no column of the example; that it was read at all is the point.
    with pytest.raises(JobshiftError, match=r"there is no column '文'"):
        jobshift("prepare", "data=csv", "data.text=文")


def data(**changes) -> DataConfig:
    return DataConfig(**{"name": "d", "title": "D", "labels": ["a", "b"], **changes})


def test_labels_are_a_list_or_with_exposure_scores():
    assert data().classes == ["a", "b"] == data().scale
    assert data(labels=[1, 2.5]).classes == ["1", "2.5"]  # stars, for example
    scored = data(labels={"a": 0, "b": 1}, exposure=True)
    assert scored.classes == ["a", "b"] and scored.scale == {"a": 0.0, "b": 1.0}
    assert scored.no_exposure == "" and data().no_exposure.startswith("the labels of d are no")
    assert data(labels={"a": 0, "b": 0}).scale == ["a", "b"]


def test_generated_texts_have_no_classes():
    assert data(task="generation", labels=[]).classes == []  # without a data card to look into


def test_who_rated():
    assert data().rated_by("rubric") == "the data set itself"
    assert data(raters={"us": "ourselves"}).rated_by("us") == "ourselves"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exposure": True}, "exposure is true, so labels must give each class its score"),
        ({"labels": [True, False]}, r"labels has True; write classes as words"),
        ({"labels": {"a": "low"}}, "the score of a is 'low', which is no number"),
        ({"labels": "a, b"}, "labels is 'a, b'; list the classes"),
        ({"labels": ["a", "b", "a"]}, "labels names a class twice"),
        ({"task": "poems"}, "task is 'poems'; choose classification or pairs or multilabel or"),
        ({"task": "generation"}, "whose targets are texts; leave labels empty"),
        (
            {"task": "pairs", "labels": {"a": 0, "b": 1}, "exposure": True},
            "goes with the task classification, not pairs",
        ),
        ({"task": "multilabel", "labels": ["a", "b c"]}, "labels has 'b c'; .* write it without"),
        ({"pairs": {"train": 8}}, "pairs is for the task pairs; this one is classification"),
    ],
)
def test_a_data_set_that_makes_no_sense(changes: dict, said: str):
    with pytest.raises(JobshiftError, match=rf"conf/data/d\.yaml: .*{said}"):
        data(**changes)
