"""The stage on a tiny labour market whose every number is worked out by hand below."""

import sqlite3

import pandas as pd
import pytest

from jobshift.config import DataConfig, Folds, Study
from jobshift.errors import JobshiftError
from jobshift.stages import aggregate
from jobshift.stages.aggregate import Config

LABELS = {"E0": 0.0, "E2": 0.5, "E1": 1.0}

# Task: occupation, label, automation, weight.
TASKS = [
    ("11-1011.00", "E1", "T3", 1),  # α ½, β ¾, ζ 1, substituted ½, complemented ½
    ("11-1011.00", "E2", "T1", 1),
    ("31-1121.00", "E1", "T1", 1),  # α 1
    ("31-1122.00", "E0", "T0", 1),  # α 0: the broad 31-1120 has α = β = ζ = ½
    ("45-3031.00", "E0", "T0", 1),  # not in OEWS
    ("53-3032.00", "E0", "T0", 1),  # ζ 0
    ("53-3032.01", "E2", "T2", 1),  # ζ 1: the SOC code has β ¼, ζ ½
]
BRIDGE = """oews_code,soc_code,reason
31-1120,31-1121,broad
31-1120,31-1122,broad
53-3099,53-3000,residual
"""
OCCUPATIONS = [
    ("000000", "All Occupations", 0),
    ("110000", "Management Occupations", 0),
    ("111011", "Chief Executives", 3),
    ("310000", "Healthcare Support Occupations", 0),
    ("311120", "Home Health and Personal Care Aides", 3),
    ("530000", "Transportation Occupations", 0),
    ("533030", "Drivers", 2),
    ("533032", "Heavy Truck Drivers", 3),
    ("533099", "Motor Vehicle Operators, All Other", 3),
]
# Occupation: national employment and median wage, employment in manufacturing and in Alabama.
CELLS = {
    "000000": ("1000", "50000", "400", "200"),
    "110000": ("100", "200000", None, None),
    "111011": ("100", ("-", "5"), "100", ("-", "8")),
    "310000": ("500", "30000", None, None),
    "311120": ("500", "30000", None, "100"),
    "530000": ("390", "40000", None, None),
    "533030": ("300", "40000", "200", None),
    "533032": ("300", "40000", "200", "60"),
    "533099": ("90", "20000", "90", None),
}


def write_oews(file):
    file.parent.mkdir(parents=True)
    kinds = ("01", "04", "08", "13")
    columns = ", ".join(f"v{kind}, f{kind}" for kind in kinds)
    with sqlite3.connect(file) as base:
        base.execute("PRAGMA synchronous = OFF")
        base.execute(f"CREATE TABLE cell (key TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        for table, names in (
            ("area", "area_code, areatype_code, state_code, area_name"),
            ("industry", "industry_code, industry_name, display_level"),
            ("occupation", "occupation_code, occupation_name, display_level"),
            ("footnote", "footnote_code, footnote_text"),
            ("meta", "name, value"),
        ):
            base.execute(f"CREATE TABLE {table} ({names})")
        base.execute(
            "INSERT INTO footnote VALUES ('5', 'at least $115.00 per hour or $239,200 per year.')"
        )
        base.execute("INSERT INTO area VALUES ('0100000', 'S', '01', 'Alabama')")
        base.execute("INSERT INTO area VALUES ('0033860', 'M', '01', 'Montgomery, AL')")
        base.executemany(
            "INSERT INTO industry VALUES (?, ?, ?)",
            [
                ("31--34", "Sectors 31, 32, and 33 - Manufacturing", 2),
                ("336000", "Transportation Equipment Manufacturing", 3),
            ],
        )
        base.executemany("INSERT INTO occupation VALUES (?, ?, ?)", OCCUPATIONS)
        for code, (nation, wage, sector, state) in CELLS.items():
            for place, employment in (
                ("OEUN0000000000000", nation),
                ("OEUN000000031--34", sector),
                ("OEUS0100000000000", state),
                # All of manufacturing is in one subsector, all of Alabama in one area.
                ("OEUN0000000336000", sector),
                ("OEUM0033860000000", state),
            ):
                if employment is None:
                    continue
                value, note = employment if isinstance(employment, tuple) else (employment, None)
                median, median_note = wage if isinstance(wage, tuple) else (wage, None)
                row = (place + code, value, note, "-", "5", "-", "4", median, median_note)
                base.execute("INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    base.close()


def write_tasks(rows=TASKS):
    tasks = pd.DataFrame(rows, columns=["occupation", "label", "automation", "weight"])
    tasks.insert(0, "id", [str(number) for number in range(len(tasks))])
    tasks["title"] = "Title of " + tasks["occupation"]
    tasks["weight"] = tasks["weight"].astype(float)
    # Votes that disagree with the label a little: a quarter of each is for E2.
    for name in LABELS:
        tasks[f"p_{name}"] = 0.75 * (tasks["label"] == name) + 0.25 * (name == "E2")
    folder = aggregate.PREPARED / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    tasks.to_parquet(folder / "tasks.parquet", index=False)
    return tasks


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study in a folder of its own; call it with what the config changes."""
    monkeypatch.chdir(tmp_path)
    write_oews(aggregate.OEWS)
    write_tasks()
    (tmp_path / "bridge.csv").write_text(BRIDGE, encoding="utf-8")

    def config(folds=1, **changes):
        return Config(
            study=Study(
                name="tiny",
                data="tiny",
                models=["majority"],
                seeds=[3, 4],
                split=Folds(folds=folds),
            ),
            data=DataConfig(
                name="tiny",
                title="Tiny",
                exposure=True,
                labels=LABELS,
                sources=[],
                raters={"rubric": "us"},
                automation={"rubric": "rubric"},
            ),
            **{"bridge": "bridge.csv", **changes},
        )

    return config


def table(name):
    keys = dict.fromkeys(("naics", "state_fips", "area_code", "major_group"), str)
    return pd.read_csv(aggregate.TABLES / f"{name}.csv", dtype=keys)


def national(rater="rubric"):
    frame = table("exposure_national")
    return frame[frame["rater"] == rater].set_index("measure")["value"]


def test_other_raters_have_rows_of_their_own_over_the_tasks_that_they_rated(study):
    tasks = write_tasks()
    tasks["label_they"] = "E2"
    # They have not rated the managers: 11-1011 is left without a rate, its workers unmatched.
    tasks.loc[tasks["occupation"].str.startswith("11-1011"), "label_they"] = None
    tasks["label_others"] = "E1"
    tasks["automation_they"] = "T4"
    tasks.to_parquet(aggregate.PREPARED / "tiny" / "tasks.parquet", index=False)
    config = study()
    config.data.raters |= {"they": "them", "others": "others"}
    config.data.automation |= {"they": "they", "others": "they"}
    aggregate.run(config)
    # Every task that they rated is E2 and T4: β ½, all of it substituted.
    they, others = national("they"), national("others")
    assert they["beta"] == pytest.approx(0.5) and they["substituted_share"] == pytest.approx(1.0)
    assert they["matched_workers"] == 900 - 100
    assert others["beta"] == pytest.approx(1.0) and others["matched_workers"] == 900
    assert national()["beta"] == pytest.approx((75 + 250 + 75) / 900, abs=1e-6)
    # Without automation classes of theirs, the three shares are empty.
    del config.data.automation["they"]
    aggregate.run(config)
    assert pd.isna(national("they")["substituted_share"])


def test_national_exposure_by_hand(study):
    aggregate.run(study())
    found = national()
    # Matched: 100 (β ¾) + 500 (β ½) + 300 (β ¼) = 900 of the 990 in detailed occupations, of 1,000.
    assert set(table("exposure_national")["rater"]) == {"rubric"}  # one fold: no model
    assert found["beta"] == pytest.approx((75 + 250 + 75) / 900, abs=1e-6)
    assert found["alpha"] == pytest.approx((50 + 250 + 0) / 900, abs=1e-6)
    assert found["zeta"] == pytest.approx((100 + 250 + 150) / 900, abs=1e-6)
    # Substituted: half of 11-1011. Untouched: half of the aides and half of the drivers.
    assert found["substituted_share"] == pytest.approx(50 / 900, abs=1e-6)
    assert found["untouched_share"] == pytest.approx(400 / 900, abs=1e-6)
    assert found["complemented_share"] == pytest.approx(450 / 900, abs=1e-6)
    # β ≥ 0.5 holds for 11-1011 and, exactly on the threshold, for the aides.
    assert found["workers_beta_at_least_50_percent"] == pytest.approx(600 / 900, abs=1e-6)
    assert found["workers_beta_at_least_10_percent"] == 1
    assert found["workers_alpha_at_least_10_percent"] == pytest.approx(600 / 900, abs=1e-6)
    assert found["matched_share_of_detailed"] == pytest.approx(900 / 990, abs=1e-6)
    assert found["matched_share_of_total"] == pytest.approx(0.9)
    assert found[["matched_workers", "unmatched_workers", "not_shown_workers"]].tolist() == [
        900,
        90,
        10,
    ]


def test_places_by_hand(study):
    aggregate.run(study())
    sector = table("exposure_industries").iloc[0]
    assert (sector["naics"], sector["industry"]) == ("31-33", "Manufacturing")
    # 100 with β ¾ and 200 with β ¼; 90 unmatched; 10 of 400 not shown.
    assert sector["beta"] == pytest.approx(125 / 300, abs=1e-6)
    assert sector[["matched_workers", "unmatched_workers", "not_shown_workers"]].tolist() == [
        300,
        90,
        10,
    ]
    state = table("exposure_states").iloc[0]
    assert (state["state_fips"], state["state"], state["in_national"]) == ("01", "Alabama", True)
    # 100 with β ½ and 60 with β ¼; the suppressed cell is among the 40 not shown.
    assert state["beta"] == pytest.approx(65 / 160, abs=1e-6)
    assert state[["not_shown_workers", "n_not_released"]].tolist() == [40, 1]
    subsector = table("exposure_industries_detailed").iloc[0]
    assert (subsector["naics"], subsector["naics_level"]) == ("336", 3)
    area = table("exposure_areas").iloc[0]
    assert (area["area_code"], area["area"], area["metropolitan"]) == (
        "33860",
        "Montgomery, AL",
        True,
    )
    for inner, outer in ((subsector, sector), (area, state)):
        # The same workers, so the same numbers, here with four digits.
        rates = outer.loc["n_occupations":"untouched_share"]
        assert inner[rates.index].tolist() == pytest.approx(rates.tolist(), abs=5.1e-5)
        assert len(str(inner["beta"])) <= len("0.1234")
    groups = table("exposure_major_groups").set_index("major_group")
    assert groups.index.tolist() == ["11", "31", "53"]
    assert groups["title"].tolist()[0] == "Management Occupations"
    assert groups["employment_workers"].tolist() == [100, 500, 390]
    assert groups["beta"].tolist() == [0.75, 0.5, 0.25]


def test_occupation_tables_list_everything(study):
    aggregate.run(study())
    occupations = table("exposure_occupations").set_index("soc")
    assert occupations["match"].to_dict() == {
        "11-1011": "direct",
        "31-1120": "broad",
        "45-3031": "no employment",
        "53-3032": "direct",
        "53-3099": "none",
    }
    assert occupations.loc["53-3032", ["n_onet", "n_tasks", "zeta"]].tolist() == [2, 2, 0.5]
    assert occupations.loc["53-3099", lm_rates()].isna().all()
    chief = occupations.loc["11-1011"]
    assert pd.isna(chief["median_annual_wage_usd"])
    assert (chief["annual_wage_usd"], chief["wage_basis"]) == (239200, "top-code")
    assert len(table("exposure_onet")) == 6
    results = pd.read_parquet(aggregate.RESULTS).set_index("occupation")
    assert results.loc["31-1121.00", ["oews_code", "match"]].tolist() == ["31-1120", "broad"]
    assert results.loc["31-1121.00", "oews_employment_workers"] == 500
    left = table("oews_unmatched").set_index("code")
    assert left["employment_workers"].dropna().to_dict() == {"53-3099": 90}
    assert left["reason"].to_dict() == {
        "53-3099": "all other occupations: no tasks, not imputed",
        "45-3031": "no detailed employment in OEWS",
    }
    cells = table("oews_cells").set_index(["block", "quantity", "status"])["n_cells"]
    assert cells["states", "employment_workers", "not released"] == 1
    assert cells["national", "median_annual_wage_usd", "top-coded"] == 1


def lm_rates():
    return aggregate.lm.RATES


def test_imputed_residual_is_matched_and_shown_in_the_bridge(study):
    aggregate.run(study(impute_residual=True))
    # The 90 get the mean of 53-3…: only 53-3032, β ¼. β = (400 + 22.5) / 990.
    assert national()["beta"] == pytest.approx(422.5 / 990, abs=1e-6)
    assert national()["unmatched_workers"] == 0
    bridge = table("oews_bridge").set_index("soc_code")
    assert bridge["used"].tolist() == [True, True, True]
    assert bridge["beta"].to_dict() == {"31-1121": 1.0, "31-1122": 0.0, "53-3000": 0.25}
    assert table("oews_unmatched")["code"].tolist() == ["45-3031"]
    aggregate.run(study())
    assert table("oews_bridge")["used"].tolist() == [True, True, False]


def test_weighting_and_exposure_are_named_in_the_tables(study):
    aggregate.run(study())
    # All weights are 1, so that core cannot be applied.
    assert set(table("exposure_national")["task_weighting"]) == {"equal"}
    write_tasks([("11-1011.00", "E1", "T3", 2), *TASKS[1:]])
    for weighting, beta in (("core", (2 + 0.5) / 3), ("equal", 0.75)):
        aggregate.run(study(weighting=weighting, exposure="labels"))
        groups = table("exposure_major_groups")
        assert set(groups["task_weighting"]) == {weighting}
        assert groups.loc[0, "beta"] == pytest.approx(beta, abs=1e-6)
    aggregate.run(study(weighting="equal", exposure="shares"))
    groups = table("exposure_major_groups")
    assert set(groups["exposure_from"]) == {"shares"}
    # p of E1 is (0, ¼, ¾), of E2 (0, 1, 0): β = (¾ + ⅛ + ½) / 2; substituted stays by labels.
    assert groups.loc[0, ["beta", "substituted_share"]].tolist() == [0.6875, 0.5]


def test_two_runs_give_the_same_bytes(study):
    aggregate.run(study())
    files = [*aggregate.TABLES.iterdir(), aggregate.RESULTS]
    first = {file.name: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    # The order of the rows in the input does not matter either.
    tasks = aggregate.PREPARED / "tiny" / "tasks.parquet"
    pd.read_parquet(tasks).iloc[::-1].to_parquet(tasks, index=False)
    aggregate.run(study())
    assert {file.name: file.read_bytes() for file in files} == first
    assert len(first) == 14
    assert not any(b"/tmp" in content for content in first.values())


def write_predictions(predicted, folds=2):
    """Every task predicted in the test part of one fold, and wrongly in the training part."""
    rows = [
        {"id": str(number), "fold": number % folds, "part": part, "predicted": label}
        for number, right in enumerate(predicted)
        for part, label in (("test", right), ("train", "E1"))
    ]
    frame = pd.DataFrame(rows)
    for name in LABELS:
        frame[f"p_{name}"] = 0.8 * (frame["predicted"] == name) + 0.1 * (name != "E0") + 0.0
    folder = aggregate.MODELS / "majority" / "purged-3"
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / "predictions.parquet", index=False)


def test_models_of_a_cross_fitted_study_are_raters_without_automation(study):
    write_predictions(["E0", "E2", "E0", "E0", "E0", "E0", "E0"])
    # Joined by id, not by the order of the rows.
    tasks = aggregate.PREPARED / "tiny" / "tasks.parquet"
    pd.read_parquet(tasks).iloc[::-1].to_parquet(tasks, index=False)
    aggregate.run(study(folds=2))
    # By the model 11-1011 has β ¼ and nothing else is exposed: 25/900.
    assert national("majority")["beta"] == pytest.approx(25 / 900, abs=1e-6)
    assert national("majority")[["substituted_share", "untouched_share"]].isna().all()
    assert national("rubric")["beta"] == pytest.approx(400 / 900, abs=1e-6)
    places = ("major_groups", "industries", "industries_detailed", "states", "areas")
    for name in ("occupations", "onet", "wage_deciles", *places):
        raters = table(f"exposure_{name}")["rater"]
        assert raters.drop_duplicates().tolist() == ["rubric", "majority"]
        assert raters.value_counts().nunique() == 1


@pytest.mark.parametrize(
    ("predicted", "said"),
    [
        (["E0"] * 6, "have 6 rows and 6 tasks, but must have each of the 7 tasks once"),
        (["E0"] * 6 + ["E9"], "purged-3/predictions.parquet: task 6 is predicted 'E9'"),
    ],
)
def test_predictions_that_do_not_cover_the_tasks_are_refused(study, predicted, said):
    write_predictions(predicted)
    with pytest.raises(JobshiftError, match=said):
        aggregate.run(study(folds=2))


def test_missing_inputs_say_which_stage_makes_them(study, tmp_path):
    with pytest.raises(JobshiftError, match="`jobshift train model=majority split=purged seed=3`"):
        aggregate.run(study(folds=2))
    with pytest.raises(JobshiftError, match=r"none\.csv is missing"):
        aggregate.run(study(bridge="none.csv"))
    (aggregate.PREPARED / "tiny" / "tasks.parquet").unlink()
    with pytest.raises(JobshiftError, match="`jobshift prepare data=tiny`"):
        aggregate.run(study())
    aggregate.OEWS.unlink()
    with pytest.raises(JobshiftError, match="`jobshift fetch source=oews_2025`"):
        aggregate.run(study())
    assert not aggregate.TABLES.exists()


def test_unknown_code_in_the_bridge_is_named_with_its_line(study, tmp_path):
    (tmp_path / "bridge.csv").write_text(BRIDGE + "51-2090,51-2092,broad\n", encoding="utf-8")
    with pytest.raises(
        JobshiftError, match="bridge.csv, line 5: oews_code '51-2090' is no detailed"
    ):
        aggregate.run(study())


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("occupation", None, "task 0 has occupation nan"),
        ("occupation", "11-1011", "task 0 has occupation '11-1011'"),
        ("label", "E7", "task 0 has label 'E7'"),
        ("automation", "T9", "task 0 has automation 'T9'"),
        ("weight", 0.0, "task 0 has weight"),
    ],
)
def test_tasks_that_do_not_fit_are_named(study, column, value, said):
    tasks = write_tasks()
    tasks.loc[0, column] = value
    tasks.to_parquet(aggregate.PREPARED / "tiny" / "tasks.parquet", index=False)
    with pytest.raises(JobshiftError, match=said):
        aggregate.run(study())


def test_data_set_without_automation_is_refused(study):
    file = aggregate.PREPARED / "tiny" / "tasks.parquet"
    write_tasks().drop(columns="automation").to_parquet(file, index=False)
    with pytest.raises(JobshiftError, match="has no column automation"):
        aggregate.run(study())


@pytest.mark.parametrize(
    ("key", "value"), [("weighting", "heavy"), ("exposure", "soft"), ("automated_from", "T7")]
)
def test_unknown_choice_in_the_config_is_named(study, key, value):
    with pytest.raises(
        JobshiftError, match=f"conf/aggregate.yaml: {key} is '{value}'; choose one of"
    ):
        aggregate.run(study(**{key: value}))


def test_without_exposure_every_table_is_empty_but_has_its_columns(study, caplog):
    """Those that a study with exposure has; so what reads them finds no row, but no other table."""
    aggregate.run(study())
    files = sorted(aggregate.TABLES.glob("*.csv"))
    heads = {file.stem: file.read_text().splitlines()[0] for file in files}
    rows = pd.read_parquet(aggregate.RESULTS)
    config = study()
    config.data.exposure, config.data.labels = False, ["E0", "E2", "E1"]
    with caplog.at_level("INFO"):
        aggregate.run(config)
    assert {file.stem: file.read_text().strip() for file in files} == heads
    assert "left out: the labels of tiny are no degrees of exposure" in caplog.text
    empty = pd.read_parquet(aggregate.RESULTS)
    assert empty.empty and set(empty) <= set(rows)
