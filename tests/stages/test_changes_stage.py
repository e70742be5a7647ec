"""The stage on seven made-up tasks in three occupations, by hand, and broken files."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.stages import changes
from jobshift.stages.changes import Config, run

LABELS = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
CONF = Path(__file__).parents[2] / "conf" / "changes.yaml"
OUTPUTS = [
    "changes_summary.csv",
    "changes_activities.csv",
    "changes_occupations.csv",
    "changes_major_groups.csv",
    "changes_summary.tex",
    "changes_activities.tex",
]
ASK, ASK_OTHERS, SORT = "4.A.1.a.1.I01.D01", "4.A.1.a.1.I01.D02", "4.A.3.a.2.I05.D01"

# Task: occupation, weight, human, GPT-4, rubric, activities.
TASKS = [
    ("1", "11-1011.00", 2.0, "E1", "E2", "E0", [ASK]),
    ("2", "11-1011.00", 1.0, "E2", "E2", "E0", [ASK, ASK_OTHERS]),
    ("3", "11-2021.00", 1.0, "E1", "E1", "E1", [ASK_OTHERS]),
    ("4", "51-4041.00", 1.0, "E0", "E0", "E0", [SORT]),
    ("5", "51-4041.00", 1.0, "E0", "E0", "E2", [SORT]),
    ("6", "51-4041.00", 1.0, "E0", "E0", "E2", [SORT]),
    ("7", "51-4041.00", 1.0, "E1", "E0", None, []),
]
EMPLOYED = {
    "11-1011.00": ("11-1011", 100.0),
    "11-2021.00": ("11-2021", 300.0),
    "51-4041.00": (None, np.nan),
}


def config(**changed) -> Config:
    study = Study(
        name="small",
        data="made_up",
        models=[],
        seeds=[0],
        sources=["gpts_are_gpts", "working_with_ai"],
    )
    raters = {"human": "people", "gpt4": "a machine", "rubric": "our rubric"}
    data = DataConfig(
        name="made_up",
        title="Made up",
        exposure=True,
        labels=LABELS,
        sources=["gpts_are_gpts"],
        raters=raters,
    )
    small = Config(
        study=study,
        data=data,
        published=["human", "gpt4"],
        draws=30,
        min_groups=2,
        min_tasks=2,
        gwa_titles={"4.A.1.a.1": "Getting information"},
    )
    return replace(small, **changed)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with every file that the stage reads."""
    monkeypatch.chdir(tmp_path)
    write_tasks()
    changes.LINKS.parent.mkdir(parents=True)
    titles = [(ASK, "Ask people."), (ASK_OTHERS, "Ask other people."), (SORT, "Sort parts.")]
    pd.DataFrame(titles, columns=["DWA ID", "DWA Title"]).to_csv(changes.LINKS, index=False)
    changes.IWAS.parent.mkdir(parents=True)
    changes.IWAS.write_text("IWA,title\n4.A.1.a.1.I01,Ask.\n4.A.3.a.2.I05,Sort & store.\n")
    changes.RESULTS.parent.mkdir(parents=True)
    rows = [(code, code[:7], *employed) for code, employed in EMPLOYED.items()]
    names = ["occupation", "soc", "oews_code", "oews_employment_workers"]
    # One block a rater, as aggregate writes them.
    frame = pd.DataFrame(rows * 2, columns=names)
    frame.to_parquet(changes.RESULTS, index=False)
    changes.TABLES.mkdir(parents=True)
    changes.GROUPS.write_text("rater,major_group,title\nhuman,11,Management Occupations\n")
    return tmp_path


def write_tasks(rows=TASKS) -> None:
    columns = ["id", "occupation", "weight", "label_human", "label_gpt4", "label_rubric", "dwas"]
    tasks = pd.DataFrame(rows, columns=columns)
    tasks["title"] = "Title of " + tasks["occupation"]
    tasks["dwa"] = tasks["dwas"].map(lambda codes: codes[0] if codes else "")
    tasks["dwas"] = tasks["dwas"].str.join(" ")
    folder = changes.PREPARED / "made_up"
    folder.mkdir(parents=True, exist_ok=True)
    tasks.to_parquet(folder / "tasks.parquet", index=False)


def table(name: str) -> pd.DataFrame:
    codes = {"major_group": str}
    return pd.read_csv(changes.TABLES / f"changes_{name}.csv", dtype=codes, na_values=[""])


def test_the_summary_by_hand(study):
    run(config())
    rows = table("summary")
    rows = rows[(rows["reference"] == "human") & (rows["rater"] == "rubric")]
    assert set(rows["kind"]) == {"change"}
    # Six tasks in three groups and occupations; the seventh has no rating of ours.
    sizes = rows[["n_tasks", "n_groups", "n_occupations", "n_left_out"]].drop_duplicates()
    assert sizes.to_numpy().tolist() == [[6, 3, 3, 1]]
    value = rows.set_index("metric")["value"]
    # Tasks 3 and 4 agree. β: people 1 + ½ + 1 of six, our rubric 1 + ½ + ½: 2.5/6 to 2/6.
    assert value["agreement"] == pytest.approx(2 / 6, abs=1e-6)
    assert value["shift_beta"] == pytest.approx(-0.5 / 6, abs=1e-6)
    assert value["share_E0_E2"] == pytest.approx(2 / 6, abs=1e-6)
    # By occupation, core tasks twice: people (2 + ½)/3, 1, 0; our rubric 0, 1, 2/6.
    expected = np.corrcoef([2.5 / 3, 1, 0], [0, 1, 1 / 3])[0, 1]
    assert value["occupation_beta_pearson"] == pytest.approx(expected, abs=1e-6)


def test_activities_by_hand(study):
    run(config())
    rows = table("activities").set_index("activity")
    assert rows["level"].tolist() == ["gwa"] * 2 + ["iwa"] * 2 + ["dwa"] * 3
    # I01: tasks 1, 2, 3, each once: people (1 + ½ + 1)/3, GPT-4 (½ + ½ + 1)/3, rubric 1/3.
    ask = rows.loc["4.A.1.a.1.I01"]
    assert ask["title"] == "Ask"
    assert ask[["n_tasks", "n_groups"]].tolist() == [3, 2]
    assert ask["beta_human"] == pytest.approx(2.5 / 3, abs=1e-6)
    assert ask["shift_beta"] == pytest.approx(-0.5, abs=1e-6)
    # Beyond GPT-4's 2/3, the lower end of the range: −1/3. It is the only one with two groups.
    assert ask["beyond_beta"] == pytest.approx(-1 / 3, abs=1e-6)
    assert ask[["direction", "rank"]].tolist() == ["lower", 1]
    assert -1 <= ask["shift_beta_low"] <= -0.5 <= ask["shift_beta_high"] <= 1
    # One group: no interval, no rank; at the level of DWAs it needs none for its rank.
    sort = rows.loc["4.A.3.a.2.I05"]
    assert pd.isna(sort["rank"]) and not sort["enough"] and np.isnan(sort["shift_beta_low"])
    detailed = rows.loc[SORT]
    assert detailed[["title", "direction", "rank"]].tolist() == ["Sort parts", "higher", 1]
    assert np.isnan(detailed["shift_beta_low"])
    # Task 2 counts for both of its activities; ASK has 1 and 2, ASK_OTHERS 2 and 3.
    assert rows.loc[[ASK, ASK_OTHERS], "beta_human"].tolist() == [0.75, 0.75]
    # GWAs are titled by the config file, the others by their code.
    assert rows.loc[["4.A.1.a.1", "4.A.3.a.2"], "title"].tolist() == [
        "Getting information",
        "4.A.3.a.2",
    ]


def test_occupations_by_hand(study):
    run(config())
    rows = table("occupations").set_index("occupation")
    first = rows.loc["11-1011.00"]
    assert first[["title", "major_group"]].tolist() == ["Title of 11-1011.00", "11"]
    # Weights 2 and 1: people (2·1 + ½)/3, GPT-4 ½, rubric 0.
    assert first["beta_human"] == pytest.approx(2.5 / 3, abs=1e-6)
    assert first["shift_beta"] == pytest.approx(-2.5 / 3, abs=1e-6)
    assert first["beyond_beta"] == pytest.approx(-0.5, abs=1e-6)
    assert rows.loc["11-2021.00", "agreement_human_rubric"] == 1.0


def test_major_groups_under_both_weightings(study):
    run(config())
    rows = table("major_groups").set_index(["weighting", "major_group"])
    assert list(rows.index) == [
        ("occupations", "00"),
        ("occupations", "11"),
        ("occupations", "51"),
        ("employment", "00"),
        ("employment", "11"),
    ]
    # β of people: 11-1011 2.5/3, 11-2021 1, 51-4041 0 (no employment); workers 100 and 300.
    alike = rows.loc["occupations", "beta_human"]
    assert alike.tolist() == pytest.approx([5.5 / 9, 5.5 / 6, 0.0], abs=1e-6)
    weighted = rows.loc[("employment", "11")]
    assert weighted["beta_human"] == pytest.approx((250 / 3 + 300) / 400, abs=1e-6)
    assert weighted["beta_rubric"] == pytest.approx(300 / 400, abs=1e-6)
    assert weighted[["n_occupations", "employment_workers", "n_tasks"]].tolist() == [2, 400, 3]
    assert weighted["title"] == "Management Occupations"
    assert rows.loc[("employment", "00"), ["title", "n_occupations"]].tolist() == [
        "All occupations",
        2,
    ]
    assert rows.loc[("occupations", "51"), "title"] == "51"


def test_the_latex_tables_say_what_a_caption_must(study):
    run(config())
    summary, activities = (Path("reports/tables", name).read_text("utf-8") for name in OUTPUTS[4:])
    for text in (summary, activities):
        assert "A difference between raters is not only time" in text
        assert "% human: people." in text
    assert "6 tasks that all of them rated (1 left out)" in summary
    for block in changes.KINDS.values():
        assert block in summary
    assert "rubric $-$ human & 0.333" in summary
    assert "Ask & 3 & 0.83 & 0.67 & 0.33 & $-$0.50 {[}" in activities
    assert "Higher in 2026" not in activities


def test_titles_of_activities_are_codes_without_their_source(study):
    changes.IWAS.unlink()
    run(config(study=replace(config().study, sources=["gpts_are_gpts"])))
    rows = table("activities").set_index("activity")
    assert rows.loc["4.A.1.a.1.I01", "title"] == "4.A.1.a.1.I01"


def test_the_same_bytes_twice(study):
    run(config())
    first = {name: (changes.TABLES / name).read_bytes() for name in OUTPUTS}
    write_tasks(TASKS[::-1])
    run(config())
    assert first == {name: (changes.TABLES / name).read_bytes() for name in OUTPUTS}
    assert not any("-0.000000" in text.decode() for text in first.values())


@pytest.mark.parametrize(
    ("sources", "of_data", "reason"),
    [
        (["onet_tasks"], ["gpts_are_gpts"], "the study has no source gpts_are_gpts; add it to"),
        (["gpts_are_gpts"], ["onet_tasks"], "the data set made_up has no published labels"),
    ],
)
def test_without_the_published_labels_all_is_left_out(
    tmp_path, monkeypatch, caplog, sources, of_data, reason
):
    monkeypatch.chdir(tmp_path)
    given = config()
    with caplog.at_level("INFO"):
        run(
            replace(
                given,
                study=replace(given.study, sources=sources),
                data=replace(given.data, sources=of_data),
            )
        )
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"left out: {reason}")
    for name in OUTPUTS[4:]:
        assert "is left out:" in Path("reports/tables", name).read_text()
    empty = {
        name: table(name.removeprefix("changes_").removesuffix(".csv")) for name in OUTPUTS[:4]
    }
    assert all(frame.empty for frame in empty.values())
    assert {"rank", "beta_rubric", "shift_beta_low"} <= set(empty["changes_activities.csv"])


def test_empty_tables_have_the_columns_of_full_ones(study):
    run(config())
    full = {
        name: list(table(name)) for name in ("summary", "activities", "occupations", "major_groups")
    }
    run(config(study=replace(config().study, sources=[])))
    assert {name: list(table(name)) for name in full} == full


def drop(path: Path, column: str) -> None:
    pd.read_parquet(path).drop(columns=column).to_parquet(path)


TASK_FILE = changes.PREPARED / "made_up/tasks.parquet"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda: TASK_FILE.unlink(), "make it with `jobshift prepare data=made_up`"),
        (lambda: drop(TASK_FILE, "label_gpt4"), "no column 'label_gpt4'"),
        (lambda: write_tasks([(*TASKS[0][:3], "E9", *TASKS[0][4:])]), "1 has label_human 'E9'"),
        (lambda: write_tasks(TASKS[6:]), "no task has a label of each of human, gpt4, rubric"),
        (lambda: changes.LINKS.unlink(), "bring it with `jobshift fetch source=onet_tasks`"),
        (lambda: changes.IWAS.unlink(), "bring it with `jobshift fetch source=working_with_ai`"),
        (lambda: changes.RESULTS.unlink(), "occupations.parquet is missing; make it with `jobshift agg"),
        (lambda: drop(changes.RESULTS, "soc"), "no column 'soc'"),
        (lambda: pd.read_parquet(changes.RESULTS)[:1].to_parquet(changes.RESULTS), "lacks the occ.*11-2021"),
        (lambda: changes.GROUPS.unlink(), "exposure_major_groups.csv is missing; make it with"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_what_to_do(study, damage, message):
    damage()
    with pytest.raises(JobshiftError, match=message):
        run(config())
    assert not (changes.TABLES / OUTPUTS[0]).exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"draws": 0}, "draws is 0; it must be at least 1"),
        ({"min_tasks": 0}, "min_tasks is 0"),
        ({"published": []}, "published is empty"),
        ({"published": ["human", "rubric"]}, "a rater twice in human, rubric, rubric"),
        (
            {"published": ["humans"]},
            "the rater 'humans', but the data set made_up was rated by human",
        ),
    ],
)
def test_values_that_mean_nothing_are_refused(changed, message):
    with pytest.raises(JobshiftError, match=message):
        run(config(**changed))


def test_the_config_file_has_every_key_and_the_same_defaults():
    conf = OmegaConf.load(CONF)
    defaults = Config()
    chosen = {entry.name for entry in fields(Config)} - {"study", "data"}
    assert set(conf) - {"defaults"} == chosen
    chosen -= {"gwa_titles"}
    assert {name: conf[name] for name in chosen} == {
        name: getattr(defaults, name) for name in chosen
    }
    # The generalized activities of the O*NET content model.
    assert len(conf.gwa_titles) == 41
    assert all(code.startswith("4.A.") and code.count(".") == 4 for code in conf.gwa_titles)
