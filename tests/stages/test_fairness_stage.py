"""The stage fairness: joins of tasks with wages and zones, which model is shown, what is left out, errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.stages import fairness
from jobshift.stages.fairness import COLUMNS, Config, run

CLASSES = ["E0", "E2", "E1"]
TABLE = Path("reports/tables/fairness.csv")
# O*NET occupation: OEWS code, wage, job zone. The second has no code, two share one.
OCCUPATIONS = {
    "11-1011.00": ("11-1011", 90_000.0, "5"),
    "11-9999.00": (None, None, "4"),
    "43-4011.00": ("43-4011", 40_000.0, "2"),
    "43-4011.01": ("43-4011", 40_000.0, None),
    "53-7011.00": ("53-7011", 30_000.0, "1"),
}


def config(**changes) -> Config:
    study = Study(
        name="small", data="made_up", models=["lookup", "reader", "guess"], seeds=[0, 7],
        sources=["oews_2025", "gpts_are_gpts"],
    )  # fmt: skip
    data = DataConfig(
        name="made_up", title="Made up", exposure=True, labels={"E0": 0.0, "E2": 0.5, "E1": 1.0},
        sources=[], raters={"rubric": "us"},
    )  # fmt: skip
    start = Config(study=study, data=data, draws=200, min_tasks=15, coded=["lookup"])
    return replace(start, **changes)


@pytest.fixture
def study(tmp_path, monkeypatch) -> pd.DataFrame:
    """100 tasks of five occupations, three models of which the reader is wrong in all of the major group 53."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    occupation = np.repeat(list(OCCUPATIONS), 20)
    labels = rng.integers(3, size=100)
    tasks = pd.DataFrame(
        {
            "id": [f"{number:03}" for number in range(100)],
            "label": [CLASSES[number] for number in labels],
            "group": [f"g{number}" for number in range(100)],
            "occupation": occupation,
            "weight": 1.0,
        }
    )
    folder = Path("data/prepared/made_up/purged/0")
    folder.mkdir(parents=True)
    tasks.to_parquet(folder / "test.parquet", index=False)
    wrong = np.char.startswith(occupation, "53")
    said = {
        "lookup": labels,
        "reader": np.where(wrong, (labels + 1) % 3, labels),
        "guess": np.zeros(100, dtype=int),
    }
    for model, classes in said.items():
        for seed in (0, 7):
            p = 0.7 * np.eye(3)[classes] + 0.1
            frame = pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES]).assign(
                id=tasks["id"], fold=0, part="test", predicted=np.array(CLASSES)[classes]
            )
            run_folder = Path("models", model, f"purged-{seed}")
            run_folder.mkdir(parents=True)
            frame.to_parquet(run_folder / "predictions.parquet", index=False)
    onet = pd.DataFrame(
        [(code, f"Title {code}", oews, wage) for code, (oews, wage, _) in OCCUPATIONS.items()],
        columns=["occupation", "title", "oews_code", "oews_annual_wage_usd"],
    ).assign(oews_employment_workers=100.0)
    fairness.RESULTS.parent.mkdir(parents=True)
    # Every rater has a row of each occupation.
    pd.concat([onet.assign(rater="rubric"), onet.assign(rater="other")]).to_parquet(
        fairness.RESULTS, index=False
    )
    TABLE.parent.mkdir(parents=True)
    fairness.MAJOR_GROUPS.write_text(
        "major_group,title\n11,Management Occupations\n43,Office Occupations\n53,Moving Occupations\n"
    )
    zones = [(f"Title {code}", zone) for code, (*_, zone) in OCCUPATIONS.items() if zone]
    fairness.ZONES.parent.mkdir(parents=True)
    pd.DataFrame(zones, columns=["Occupation", "Job Zone"]).to_csv(fairness.ZONES, index=False)
    return tasks


def read() -> pd.DataFrame:
    text = dict.fromkeys(["group", "title"], str)
    return pd.read_csv(TABLE, dtype=text, keep_default_na=False, na_values=[""])


def test_groups_of_every_grouping(study, caplog):
    caplog.set_level("INFO")
    run(config())
    table = read()
    assert list(table) == COLUMNS
    assert list(dict.fromkeys(table["model"])) == ["lookup", "reader", "guess"]
    # The lookup agrees in all, but a new text has no codes to look up.
    assert set(table.loc[table["shown"], "model"]) == {"reader"}
    own = table[table["shown"]].set_index(["grouping", "group"])
    assert own["title"].to_dict() == {
        ("all", "all"): "All tasks",
        ("major_group", "11"): "Management",
        ("major_group", "43"): "Office",
        ("major_group", "53"): "Moving",
        # 100 workers each of three codes: their middles are at a sixth, a half and five sixths.
        ("wage_decile", "2"): "$30,000 to $30,000",
        ("wage_decile", "6"): "$40,000 to $40,000",
        ("wage_decile", "9"): "$90,000 to $90,000",
        ("job_zone", "1"): "little or no preparation",
        ("job_zone", "2"): "some preparation",
        ("job_zone", "4"): "considerable preparation",
        ("job_zone", "5"): "extensive preparation",
    }
    assert own["n_tasks"].tolist() == [100, 40, 40, 20, 20, 40, 20, 20, 20, 20, 20]
    bad = own[own["unreliable"]]
    assert bad["title"].tolist() == ["Moving", "$30,000 to $30,000", "little or no preparation"]
    assert set(bad["error"]) == {1.0} and set(bad["rest_error"]) == {0.0}
    assert own.loc[("all", "all"), "error"] == 0.2
    # Confidence .8: right in all of a group, the calibration error is .2.
    office = own.loc[("major_group", "43")]
    assert office["expected_calibration_error"] == 0.2
    for said in (
        "20 of 100 test tasks have no wage_decile",
        "20 of 100 test tasks have no job_zone",
        "reader is unreliable: 53 Moving: 100 % wrong [100, 100], the rest 0 %",
    ):
        assert said in caplog.text
    latex = TABLE.with_suffix(".tex").read_text()
    assert "% Model reader" in latex and "53 Moving & 20 & 1.000*" in latex


def test_the_same_bytes_twice(study):
    run(config())
    first = TABLE.read_bytes(), TABLE.with_suffix(".tex").read_bytes()
    run(config())
    assert (TABLE.read_bytes(), TABLE.with_suffix(".tex").read_bytes()) == first


def test_small_groups_are_shown_but_not_judged(study):
    run(config(min_tasks=21))
    moving = read().query("model == 'reader' and group == '53'").iloc[0]
    assert moving["error"] == 1 and np.isnan(moving["p_holm"]) and not moving["unreliable"]


def test_without_the_source_there_are_no_zones(study, caplog):
    caplog.set_level("INFO")
    run(config(study=replace(config().study, sources=["oews_2025"])))
    assert set(read()["grouping"]) == {"all", "major_group", "wage_decile"}
    assert "no skill levels: the study has no source gpts_are_gpts" in caplog.text


def test_of_coded_models_alone_the_best_is_shown(study):
    run(config(coded=["lookup", "reader", "guess"]))
    table = read()
    assert set(table.loc[table["shown"], "model"]) == {"lookup"}


@pytest.mark.parametrize("exposure", [True, False])
def test_nothing_to_group_by(study, exposure, caplog):
    caplog.set_level("INFO")
    if exposure:
        file = Path("data/prepared/made_up/purged/0/test.parquet")
        study.assign(occupation=None).to_parquet(file, index=False)
    run(config(data=replace(config().data, exposure=exposure)))
    assert TABLE.read_text() == ",".join(COLUMNS) + "\n"
    reason = "the tasks of made\\_up have no occupations"
    if not exposure:
        reason = "the labels of made\\_up are no degrees of exposure"
    assert reason in TABLE.with_suffix(".tex").read_text()
    assert reason.replace("\\", "") in caplog.text


def test_bad_files_are_named(study):
    zones = fairness.ZONES.read_text()
    fairness.ZONES.write_text(zones.replace(",4", ",6"))
    with pytest.raises(JobshiftError, match="line 3 has the job zone 6, which is none of 1 to 5"):
        run(config())
    fairness.ZONES.write_text("Title\n")
    with pytest.raises(JobshiftError, match="lacks the column Occupation or Job Zone"):
        run(config())
    fairness.ZONES.unlink()
    with pytest.raises(JobshiftError, match="run `jobshift fetch source=gpts_are_gpts`"):
        run(config())
    fairness.MAJOR_GROUPS.write_text("code\n")
    with pytest.raises(JobshiftError, match="lacks the column major_group or title"):
        run(config())
    fairness.MAJOR_GROUPS.unlink()
    with pytest.raises(JobshiftError, match="make it with `jobshift aggregate`"):
        run(config())
    fairness.RESULTS.unlink()
    with pytest.raises(JobshiftError, match="run `jobshift aggregate` first"):
        run(config())
    with pytest.raises(JobshiftError, match=r"conf/fairness.yaml: draws is 0"):
        run(config(draws=0))
