"""The stage on five made-up codes whose correlations are worked out by hand, and broken files."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.stages import validity
from jobshift.stages.validity import Config, run

LABELS = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
CONF = Path(__file__).parents[2] / "conf" / "validity.yaml"
OUTPUTS = ["validity.csv", "validity_comparisons.csv", "validity_unmatched.csv", "validity.tex"]

# Code: applicability on the user's and the AI's side; the mean is .1, .3, .2, .5, .4.
SCORES = {
    "11-1011": (0.2, 0.0),
    "11-2020": (0.3, 0.3),
    "13-1011": (0.1, 0.3),
    "15-1111": (0.6, 0.4),
    "45-3031": (0.5, 0.3),
}
# O*NET occupation: OEWS code, its workers, α, β, ζ of people. By code β is .1, (.1 + .5)/2, .2, .4, .3.
ONET = {
    "11-1011.00": ("11-1011", 100, 0.0, 0.1, 0.2),
    "11-2021.00": ("11-2020", 300, 0.0, 0.1, 0.2),
    "11-2022.00": ("11-2020", 300, 0.2, 0.5, 0.8),
    "13-1011.00": ("13-1011", 100, 0.0, 0.2, 0.4),
    "15-1111.00": ("15-1111", 200, 0.2, 0.4, 0.6),
    "45-3031.00": (None, np.nan, 0.2, 0.3, 0.4),
    "51-9999.00": ("51-9990", 50, 0.3, 0.3, 0.3),
}
TASKS = [
    ("1", "E1", "E1", "4.A.1.a.1.I01.D01 4.A.1.a.1.I01.D02"),
    ("2", "E0", "E2", "4.A.1.a.1.I01.D01"),
    ("3", "E2", "E0", "4.A.2.b.1.I02.D01"),
    ("4", "E0", "E0", "4.A.2.b.1.I03.D01"),
    ("5", "E0", None, ""),
]
ACTIVITIES = {"4.A.1.a.1.I01": (0.4, 0.2), "4.A.2.b.1.I02": (0.2, 0.2), "4.A.2.b.1.I03": (0.0, 0.0)}


def config(**changes) -> Config:
    study = Study(
        name="small",
        data="made_up",
        rater="human",
        models=[],
        seeds=[0],
        sources=["working_with_ai"],
    )
    raters = {"human": "people", "rubric": "our rubric"}
    data = DataConfig(
        name="made_up", title="Made up", exposure=True, labels=LABELS, sources=[], raters=raters
    )
    return replace(Config(study=study, data=data, draws=40), **changes)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with every file that the stage reads."""
    monkeypatch.chdir(tmp_path)
    validity.SCORES.parent.mkdir(parents=True)
    frame = pd.DataFrame(SCORES, index=["user", "ai"]).T.rename_axis("SOC Code")
    frame = frame.add_prefix(f"{validity.SIDE}_").assign(title=[f"Work {c}" for c in SCORES])
    frame.to_csv(validity.SIDES)
    mean = frame.assign(**{validity.SIDE: (frame.iloc[:, 0] + frame.iloc[:, 1]) / 2})
    mean[["title", validity.SIDE]].to_csv(validity.SCORES)
    sides = [f"{validity.IWA_SIDE}_user", f"{validity.IWA_SIDE}_ai"]
    pd.DataFrame(ACTIVITIES, index=sides).T.rename_axis("IWA").to_csv(validity.ACTIVITIES)
    validity.RATINGS.parent.mkdir(parents=True)
    ratings = [("4.A.1.a.1.I01.D01", "E1"), ("4.A.1.a.1.I01.D02", "E0")]
    ratings += [("4.A.2.b.1.I02.D01", "E2"), ("4.A.2.b.1.I03.D01", "E0")]
    pd.DataFrame(ratings, columns=["dwa_id", "exposure"]).to_csv(validity.RATINGS, index=False)
    write_occupations()
    tasks = pd.DataFrame(TASKS, columns=["id", "label", "label_rubric", "dwas"])
    folder = validity.PREPARED / "made_up"
    folder.mkdir(parents=True)
    tasks.to_parquet(folder / "tasks.parquet", index=False)
    return tmp_path


def write_occupations() -> None:
    """People's rates, and those of our rubric: the same, turned round, with shares of substitution."""
    rows = []
    for occupation, (code, workers, *rates) in ONET.items():
        own = (occupation, f"Title of {occupation}", occupation[:7], code, workers)
        rows.append(("human", *own, *rates, np.nan, np.nan))
        rows.append(("rubric", *own, *(1 - rate for rate in rates), 1 - rates[1], 0.0))
    names = ["rater", "occupation", "title", "soc", "oews_code", "oews_employment_workers"]
    frame = pd.DataFrame(rows, columns=[*names, *validity.validity.VALIDATED])
    validity.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(validity.RESULTS, index=False)


def table(name: str = "validity") -> pd.DataFrame:
    return pd.read_csv(validity.TABLES / f"{name}.csv", dtype={"code": str})


def found(level, rater, measure, method="pearson", target="applicability", rated="tasks"):
    frame = table()
    row = frame[
        (frame["level"] == level)
        & (frame["rater"] == rater)
        & (frame["measure"] == measure)
        & (frame["method"] == method)
        & (frame["target"] == target)
        & (frame["rated"] == rated)
    ]
    assert len(row) == 1
    return row.iloc[0]


def test_occupations_by_hand(study):
    run(config())
    # β by code .1, .3, .2, .4, .3 (mean .26) and applicability .1, .3, .2, .5, .4 (mean .3):
    # Σ xy = .16·.2 + .04·0 + .06·.1 + .14·.2 + .04·.1 = .07, Σ x² = .052, Σ y² = .1.
    row = found("occupation", "human", "beta")
    assert row["value"] == pytest.approx(0.07 / np.sqrt(0.052 * 0.1), abs=1e-6)
    assert row[["n_units", "n_bridged", "n_unmatched"]].tolist() == [5, 1, 0]
    assert -1 <= row["low"] <= row["value"] <= row["high"] <= 1
    # Ranks 1, 3.5, 2, 5, 3.5 and 1, 3, 2, 5, 4: Σ xy 9.5, Σ x² 9.5, Σ y² 10.
    spearman = found("occupation", "human", "beta", "spearman")
    assert spearman["value"] == pytest.approx(9.5 / np.sqrt(9.5 * 10), abs=1e-6)
    # Without 45-3031, weights 1, 3, 1, 2 (hundreds). Means: β (.1 + .9 + .2 + .8)/7 = 2/7,
    # applicability (.1 + .9 + .2 + 1)/7 = 2.2/7.
    x, y, w = np.array([0.1, 0.3, 0.2, 0.4]), np.array([0.1, 0.3, 0.2, 0.5]), np.array([1, 3, 1, 2])
    x, y = x - 2 / 7, y - 2.2 / 7
    expected = (w * x * y).sum() / np.sqrt((w * x * x).sum() * (w * y * y).sum())
    weighted = found("occupation", "human", "beta", "pearson_employment")
    assert weighted["value"] == pytest.approx(expected, abs=1e-6)
    assert weighted["n_units"] == 4
    # Turned round, our rubric has the same correlations with another sign.
    assert found("occupation", "rubric", "beta")["value"] == pytest.approx(-row["value"])
    # The user's side alone: .2, .3, .1, .6, .5, with β by plain NumPy.
    user = found("occupation", "human", "beta", target="applicability_user")["value"]
    beta = [0.1, 0.3, 0.2, 0.4, 0.3]
    assert user == pytest.approx(np.corrcoef(beta, [0.2, 0.3, 0.1, 0.6, 0.5])[0, 1], abs=1e-6)


def test_measures_that_a_rater_lacks_are_not_in_the_table(study):
    run(config())
    frame = table()
    of_people = frame.loc[frame["rater"] == "human", "measure"]
    assert set(of_people) == {"alpha", "beta", "zeta"}
    constant = found("occupation", "rubric", "complemented_share")
    assert np.isnan(constant["value"]) and constant["n_units"] == 5


def test_major_groups_are_means_by_employment(study):
    run(config())
    row = found("major_group", "human", "beta")
    # 11: β (100·.1 + 300·.3)/400 = .25 and score (100·.1 + 300·.3)/400 = .25; 13: .2, .2; 15: .4, .5.
    expected = np.corrcoef([0.25, 0.2, 0.4], [0.25, 0.2, 0.5])[0, 1]
    assert row["value"] == pytest.approx(expected, abs=1e-6)
    assert row[["n_units", "n_clusters"]].tolist() == [3, 3]
    weighted = found("major_group", "human", "beta", "pearson_employment")
    x, y, w = np.array([0.25, 0.2, 0.4]), np.array([0.25, 0.2, 0.5]), np.array([4, 1, 2])
    x, y = x - (w * x).sum() / 7, y - (w * y).sum() / 7
    expected = (w * x * y).sum() / np.sqrt((w * x * x).sum() * (w * y * y).sum())
    assert weighted["value"] == pytest.approx(expected, abs=1e-6)


def test_activities_by_hand(study):
    run(config())
    # People: I01 (1 + 0)/2, I02 ½, I03 0. Scores (.4 + .2)/2 = .3, .2, 0.
    row = found("iwa", "human", "beta")
    assert row["value"] == pytest.approx(np.corrcoef([0.5, 0.5, 0], [0.3, 0.2, 0])[0, 1], abs=1e-6)
    assert row["n_clusters"] == 2
    # Our rubric by tasks: I01 (1 + ½)/2, I02 0, I03 0; by the ratings: I01 (1 + 0)/2, I02 ½, I03 0.
    by_tasks = found("iwa", "rubric", "beta")["value"]
    assert by_tasks == pytest.approx(np.corrcoef([0.75, 0, 0], [0.3, 0.2, 0])[0, 1], abs=1e-6)
    by_ratings = found("iwa", "rubric", "beta", rated="activities")["value"]
    assert by_ratings == pytest.approx(row["value"])
    assert set(table().query("level == 'iwa'")["method"]) == {"pearson", "spearman"}


def test_every_code_that_does_not_join_as_it_is_is_listed(study):
    run(config())
    rows = table("validity_unmatched").set_index(["side", "code"])
    assert list(rows.index) == [
        ("exposure", "11-2021"),
        ("exposure", "11-2022"),
        ("exposure", "51-9999"),
        ("applicability", "11-2020"),
        ("applicability", "45-3031"),
    ]
    assert rows.loc[("exposure", "11-2021"), "joined_to"] == "11-2020"
    assert pd.isna(rows.loc[("exposure", "51-9999"), "joined_to"])
    assert rows.loc[("applicability", "11-2020"), "joined_to"] == "11-2021 11-2022"
    assert rows.loc[("applicability", "11-2020"), "employment_workers"] == 300
    assert "no employment" in rows.loc[("applicability", "45-3031"), "reason"]


def test_without_the_bridge_codes_are_unmatched_and_said_so(study):
    run(config(bridged=False))
    row = found("occupation", "human", "beta")
    assert row[["n_units", "n_bridged", "n_unmatched"]].tolist() == [4, 0, 1]
    rows = table("validity_unmatched").set_index("code")
    assert rows.loc["11-2020", "reason"] == "left out"
    assert "left out" in rows.loc["11-2021", "reason"]


def test_raters_are_compared_on_the_same_draws(study):
    run(config())
    rows = table("validity_comparisons")
    row = rows[(rows["level"] == "occupation") & (rows["method"] == "pearson")].iloc[0]
    assert (row["model_a"], row["model_b"]) == ("human", "rubric")
    assert row["difference"] == pytest.approx(2 * found("occupation", "human", "beta")["value"])


def test_the_latex_table_has_a_block_a_level(study):
    run(config())
    latex = Path("reports/tables/validity.tex").read_text(encoding="utf-8")
    for said in ("5 occupations", "3 SOC major groups", "3 activities (IWA)", "% human: people."):
        assert said in latex
    assert latex.count(r"\\" + "\n") == 1 + 3 + 2 * (2 + 2 + 3)


def test_the_same_bytes_twice(study):
    run(config())
    first = {name: (validity.TABLES / name).read_bytes() for name in OUTPUTS}
    run(config())
    assert first == {name: (validity.TABLES / name).read_bytes() for name in OUTPUTS}
    assert not any("-0.000000" in text.decode() for text in first.values())


def test_without_the_source_all_is_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    study = replace(config().study, sources=["onet_tasks"])
    with caplog.at_level("INFO"):
        run(config(study=study))
    assert caplog.messages == [
        "left out: the study has no source working_with_ai; add it to `sources` in params.yaml"
    ]
    for name in OUTPUTS[:3]:
        assert table(name.removesuffix(".csv")).empty
    assert "working\\_with\\_ai" in Path("reports/tables/validity.tex").read_text()
    header = list(table())
    assert header == [*validity.KEYS, *validity.ESTIMATE, *validity.SIZES]


def drop(path: Path, column: str) -> None:
    pd.read_parquet(path).drop(columns=column).to_parquet(path)


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda: validity.SCORES.unlink(), r"scores\.csv is missing; bring it with"),
        (lambda: validity.SIDES.unlink(), r"soc_metrics\.csv is missing"),
        (lambda: validity.ACTIVITIES.unlink(), r"iwa_metrics\.csv is missing"),
        (lambda: validity.RATINGS.unlink(), r"dwa_ratings\.csv is missing"),
        (lambda: validity.RESULTS.unlink(), "make it with `jobshift aggregate`"),
        (lambda: drop(validity.RESULTS, "zeta"), "no column 'zeta'"),
        (lambda: replaced(validity.SCORES, "ai_applicability_score", "score"), "no column 'ai_app"),
        (lambda: replaced(validity.SIDES, "13-1011", "15-1111"), "15-1111 stands twice"),
        (lambda: replaced(validity.SIDES, "13-1011", "13-1012"), "lacks the code 13-1011"),
        (lambda: replaced(validity.SIDES, "0.6", "much"), "_user of 15-1111 is 'much'"),
        (lambda: replaced(validity.SIDES, "0.6", "1.6"), "no number from 0 to 1"),
        (lambda: replaced(validity.RATINGS, "E2", "E7"), "I02.D01 has the label 'E7'"),
        (lambda: (validity.PREPARED / "made_up/tasks.parquet").unlink(), "jobshift prepare data=made_up"),
        (lambda: drop(validity.PREPARED / "made_up/tasks.parquet", "dwas"), "no column 'dwas'"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_what_to_do(study, damage, message):
    damage()
    with pytest.raises(JobshiftError, match=message):
        run(config())


def test_an_occupation_in_two_places_is_an_error(study):
    frame = pd.read_parquet(validity.RESULTS)
    frame.loc[0, "oews_employment_workers"] = 7
    frame.to_parquet(validity.RESULTS)
    with pytest.raises(JobshiftError, match=r"11-1011\.00 has two codes or employments"):
        run(config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draws": 0}, "draws is 0"),
        ({"compare": "gamma"}, "compare is 'gamma', which is no measure"),
    ],
)
def test_values_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(JobshiftError, match=message):
        run(config(**changes))


def test_the_config_file_has_every_key_and_the_same_defaults():
    conf = OmegaConf.load(CONF)
    defaults = Config()
    chosen = {entry.name for entry in fields(Config)} - {"study", "data"}
    assert set(conf) - {"defaults"} == chosen
    assert {name: conf[name] for name in chosen} == {
        name: getattr(defaults, name) for name in chosen
    }
