"""The published study through DVC on the tiny study: raters beside models, and known results.

What is known by construction stands in `tiny_study.py`: 440 tasks, 20 of them without an activity, on
which GPT-4 and people agree in 14 of every 20, and use and growth that follow people's β exactly.
"""

import json
import re
import socket
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import command, jobshift
from tiny_study import GROWTH

from jobshift.errors import JobshiftError

RATERS = ["human", "gpt4", "gpt4_alt", "rubric"]
MODELS = ["majority", "activity_lookup", "probe"]
# What `make published` selects, in small.
SELECTED = {
    "name": "tiny",
    "data": "gpts_are_gpts",
    "rater": "human",
    "sources": ["onet_tasks", "minilm", "oews_2025", "gpts_are_gpts", "working_with_ai"],
    "models": MODELS,
    "split": {"folds": 2},
    "contrast": {"splits": ["random"], "models": ["activity_lookup"]},
    "export": "",
    "transfer": {"models": ["activity_lookup"], "raters": ["gpt4", "rubric"]},
}


def edit(file: str, changes: dict) -> None:
    """Change keys of a YAML file."""
    content = yaml.safe_load(Path(file).read_text())
    Path(file).write_text(yaml.safe_dump(content | changes, sort_keys=False))


def rows(name: str, **where: object) -> pd.DataFrame:
    """The rows of a table where its columns have these values; at least one."""
    text = {"fifth": str, "release": str, "controls": str, "published": str, "ours_printed": str}
    found = pd.read_csv(f"reports/tables/{name}.csv", dtype=text)
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found), (name, where)
    return found


def value(name: str, **where: object) -> float:
    (found,) = rows(name, **where)["value"]
    return found


def test_the_published_study_from_a_missing_source_to_the_paper(repository: Path, forks: Path):
    edit("params.yaml", {"data": "gpts_are_gpts", "rater": "human"})
    with pytest.raises(AssertionError) as failed:
        command("dvc", "repro", python=forks)
    assert re.findall(r"jobshift \w+: (.*)", str(failed.value)) == [
        "the data set gpts_are_gpts needs the source gpts_are_gpts; add it to `sources` in params.yaml, "
        "which says how"
    ]
    # This takes most of a minute, so everything that is known of the study is checked here.
    edit("params.yaml", SELECTED)
    # An intermediate activity of the tiny study has three DWAs and hardly 20 tasks.
    edit("conf/changes.yaml", {"min_groups": 3, "min_tasks": 10})
    command("dvc", "repro", python=forks)
    published_numbers_have_their_verdicts()
    exposure_is_that_of_the_published_file()
    gpt4_stands_beside_the_models_on_all_tasks()
    whoever_teaches_is_judged_by_all()
    use_changes_and_growth_are_as_made()
    figures = {path.name for path in Path("reports/figures").iterdir()}
    for name in (
        *("validity", "changes_by_major_group", "changes_activities"),
        *("growth_by_quintile", "growth_scatter", "growth_slopes"),
    ):
        assert {f"{name}.pdf", f"{name}.png"} <= figures
    assert Path("reports/paper.pdf").read_bytes().startswith(b"%PDF-")


def published_numbers_have_their_verdicts():
    found = rows("replication").set_index("id")
    assert found["verdict"].to_dict() == {"right": "exact", "wrong": "differs", "jobs": "exact"}
    # 14 and 15 of 20; every occupation has the employment of May 2021.
    assert found["ours_printed"].tolist() == ["70.0", "75.0", "100"]
    assert found.loc["jobs", "note"] == "100.0 % of employment is joined"
    assert found["n"].tolist() == [440, 440, 18]
    assert rows("replication_skills")["coefficient"].notna().all()


def exposure_is_that_of_the_published_file():
    found = rows("exposure_national", measure="beta")
    assert found["rater"].tolist() == [*RATERS, *MODELS]
    assert found["value"].between(0.1, 0.9).all()
    published = pd.read_csv("data/raw/gpts_are_gpts/occ_level.csv")
    published = published.set_index("O*NET-SOC Code")
    for rater, theirs in (("human", "human"), ("gpt4", "dv")):
        ours = rows("exposure_onet", rater=rater).set_index("occupation")
        assert set(ours["task_weighting"]) == {"core"}
        for measure, letter in (("alpha", "alpha"), ("beta", "beta"), ("zeta", "gamma")):
            expected = published[f"{theirs}_rating_{letter}"][ours.index]
            assert ours[measure].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def gpt4_stands_beside_the_models_on_all_tasks():
    card = json.loads(Path("data/prepared/gpts_are_gpts/card.json").read_text())
    # Every task is held out once: the two folds have all of them.
    assert sum(fold["tasks"]["test"] for fold in card["splits"]["purged"]) == 440
    kappa = rows("metrics", split="purged", metric="cohen_kappa").set_index("model")
    # Our rubric has not rated the 20 tasks without an activity, so it is not beside them.
    assert sorted(kappa.index) == sorted([*MODELS, "gpt4", "gpt4_alt"])
    assert set(kappa["n_tasks"]) == {440}
    agreed = {"split": "purged", "metric": "accuracy"}
    assert value("metrics", model="gpt4", **agreed) == pytest.approx(14 / 20)
    assert value("metrics", model="gpt4_alt", **agreed) == pytest.approx(15 / 20)
    compared = rows("comparisons", split="purged", metric="cohen_kappa")
    both = compared[["model_a", "model_b"]].isin(["probe", "gpt4"]).all(axis=1)
    (pair,) = compared[both].itertuples()
    # Either may stand first, and the sign follows.
    difference = kappa.loc[pair.model_a, "value"] - kappa.loc[pair.model_b, "value"]
    assert pair.difference == pytest.approx(difference, abs=2e-6)
    assert pair.low < pair.difference < pair.high


def whoever_teaches_is_judged_by_all():
    raters = ["human", "gpt4", "rubric"]
    found = rows("transfer", model="activity_lookup", metric="cohen_kappa")
    pairs = list(zip(found["trained_on"], found["judged_by"], strict=True))
    assert pairs == list(product(raters, raters))
    assert found["value"].notna().all()
    sizes = found.groupby("judged_by")["n_tasks"].unique().str[0].to_dict()
    assert sizes == {"human": 440, "gpt4": 440, "rubric": 420}
    labels = {"model": "labels", "trained_on": "gpt4", "judged_by": "human", "metric": "accuracy"}
    assert value("transfer", **labels) == pytest.approx(14 / 20)


def use_changes_and_growth_are_as_made():
    use = {"level": "occupation", "measure": "beta", "target": "applicability", "method": "pearson"}
    assert value("validity", rater="human", **use) == pytest.approx(1)
    assert value("validity", rater="gpt4", **use) < 0.99
    assert set(rows("validity")["level"]) == {"occupation", "major_group", "iwa"}
    # The 420 tasks with an activity are 21 times twenty.
    (pair,) = rows(
        "changes_summary", reference="human", rater="gpt4", metric="agreement"
    ).itertuples()
    assert (pair.kind, pair.n_tasks, pair.n_left_out) == ("yardstick", 420, 20)
    assert pair.value == pytest.approx(14 / 20)
    assert len(rows("changes_occupations")) == 18
    assert rows("changes_activities", level="iwa")["rank"].notna().any()
    slope = {"outcome": "employment", "statistic": "slope", "controls": "none", "measure": "beta"}
    for weighting in ("equal", "workers"):
        found = value("growth_correlations", rater="human", weighting=weighting, **slope)
        assert found == pytest.approx(GROWTH, abs=0.005)  # workers are whole
    assert set(rows("growth_coverage")["rated_share"]) == {1.0}
    assert len(rows("growth_quintiles", rater="probe"))


def test_without_mirror_and_network_the_command_says_what_to_bring(
    study: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("JOBSHIFT_MIRROR")
    # Bound but not listening: every connection is refused at once.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(JobshiftError) as refused:
            jobshift("fetch", "source=gpts_are_gpts", "tries=1")
    said = str(refused.value)
    assert "openai/GPTs-are-GPTs" in said and "check network and proxy" in said
    assert said.endswith("or set JOBSHIFT_MIRROR to a folder that holds gpts-are-gpts/LICENSE")
    assert not Path("data/raw/gpts_are_gpts").exists()
