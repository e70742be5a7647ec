"""The stage on four made-up occupations: the table, its renderings, and what a wrong row says."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import jobshift

from jobshift.config import Study
from jobshift.errors import JobshiftError
from jobshift.stages import replicate
from jobshift.stages.replicate import Config

ROOT = Path(__file__).parents[2]

# Occupation, title, task type, human, GPT-4, GPT-4 with the alternative rubric.
TASKS = [
    ("11-1011.00", "Bee keepers", "Core", "E1", "E1", "E2"),
    ("11-1011.00", "Bee keepers", "Supplemental", "E1", "E0", "E2"),
    ("13-1021.00", "Glove sewers", "Core", "E0", "E0", "E0"),
    ("13-1021.00", "Glove sewers", "", "E0", "E2", "E2"),
    ("13-1022.00", "Hat sewers", "Core", "E1", "E2", "E2"),
    ("13-1022.00", "Hat sewers", "Supplemental", "E1", "E2", "E2"),
    ("15-1011.00", "Map drawers", "Supplemental", "E1", "E1", "E1"),
    ("15-1011.00", "Map drawers", "Supplemental", "E0", "E1", "E1"),
]
# Human α: 1, 0, 1, and ½ that is stored as a little less.
STORED = ["1.0", "0.0", "1.0", "0.49999999999999994"]
ROWS = """
paper: A made-up paper
place: Table 1
about: All numbers are made up.
rule: {rater: human, exposure: alpha, weighting: equal}
rows:
  - id: mean
    quantity: "mean of α | all"
    published: "0.63"
    rule: {measure: mean, unit: occupations}
    also: [{weighting: core}, {rater: gpt4}]
  - id: over_half
    quantity: jobs over half, %
    published: "99"
    rule: &half {measure: share_over, unit: jobs, values: tasks, threshold: 0.5, at_least: true, sharing: mean,
      bridge: full}
    note: a note of ours
  - {id: top, quantity: Map drawers, published: "50.0", rule: {measure: top_occupation, occupation: Map drawers,
      top: 2}}
"""
SECOND = """
paper: A second paper
rows:
  - id: stored
    place: text
    quantity: occupations at half or over, %
    published: "-49"
    rule: {measure: share_over, rater: human, exposure: alpha, weighting: core, unit: occupations,
      values: occ_level, threshold: 0.5, at_least: true}
"""


def write_source(folder):
    folder.mkdir(parents=True)
    columns = ["O*NET-SOC Code", "Title", "Task Type", "human_labels", *replicate.EXPOSURE.values()]
    tasks = pd.DataFrame(
        [(code, title, kind, human, human, *gpt) for code, title, kind, human, *gpt in TASKS],
        columns=columns,
    )
    tasks["Task ID"] = [f"{number}.0" for number in range(len(tasks))]
    tasks["Task"] = [f"Do thing {number}." for number in range(len(tasks))]
    tasks["gpt4_automation"] = "T1"
    tasks.to_csv(folder / "full_labelset.tsv", sep="\t")
    occupations = pd.DataFrame(
        dict.fromkeys(replicate.STORED.values(), STORED), index=tasks["O*NET-SOC Code"].unique()
    )
    occupations.rename_axis("O*NET-SOC Code").to_csv(folder / "occ_level.csv")
    # The file begins with a byte order mark; a broad line has a code that a detailed one has, too.
    (folder / "national_May2021_dl.csv").write_text(
        "\ufeffAREA,OCC_CODE,O_GROUP,TOT_EMP\n"
        '99,00-0000,total,"1,100"\n99,11-1011,detailed,100\n99,13-1020,broad,300\n'
        '99,13-1020,detailed,300\n99,15-1011,detailed,"1,600"\n99,15-2011,detailed,**\n',
        encoding="utf-8",
    )
    skills = pd.DataFrame({"Occupation": [title for _, title, *_ in TASKS[::2]]})
    skills["Job Zone"] = [1, 1, 2, 2]
    for number, skill in enumerate(replicate.SKILLS):
        skills[f"{skill}_Importance"] = [(10 + 7 * number + 13 * row) % 50 for row in range(4)]
    skills.to_csv(folder / "occupations_onet_basic_skills.csv", index=False)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The made-up study in a folder of its own, as working directory."""
    monkeypatch.chdir(tmp_path)
    write_source(replicate.RAW)
    replicate.ROWS.mkdir(parents=True)
    (replicate.ROWS / "a.yaml").write_text(ROWS, encoding="utf-8")
    (replicate.ROWS / "b.yaml").write_text(SECOND, encoding="utf-8")
    Path("conf/bridge").mkdir()
    Path("conf/bridge/oews_2025.csv").write_text(
        "oews_code,soc_code,reason\n13-1020,13-1021,broad\n13-1020,13-1022,broad\n"
    )
    return tmp_path


def config(*sources, **changes):
    return Config(
        Study("tiny", "gpts_are_gpts", models=[], seeds=[0], sources=list(sources)), **changes
    )


def table(name="replication"):
    return pd.read_csv(replicate.TABLES / f"{name}.csv", dtype={"published": str})


def text(suffix):
    return (replicate.TABLES / f"replication.{suffix}").read_text(encoding="utf-8")


def test_every_row_in_the_order_of_the_files(study, caplog):
    caplog.set_level("INFO")
    replicate.run(config("gpts_are_gpts"))
    rows = table().set_index("id")
    assert rows.index.tolist() == ["mean", "over_half", "top", "stored"]
    # (1 + 0 + 1 + ½) / 4 = .625, printed half away from zero.
    assert rows.loc["mean", "ours"] == 0.625
    assert rows.loc["mean", ["verdict", "n", "exposure"]].tolist() == ["exact", 4, "α"]
    # The supplemental tasks of Map drawers weigh alike, so that core tasks change nothing.
    # GPT-4: ½, 0, 0, 1 → .375, printed 0.38.
    assert rows.loc["mean", "tried"] == "core tasks double: 0.63 (exact); GPT-4: 0.38 (differs)"
    # 11-1011 α 1, 13-1020 ½, 15-1011 ½: all of them, of the 2,000 jobs that are published.
    assert rows.loc["over_half", ["ours", "difference", "verdict"]].tolist() == [100, 1, "differs"]
    assert rows.loc["over_half", "note"] == "100.0 % of employment is joined; a note of ours"
    # ½ is right but third, behind two that share the first rank.
    assert rows.loc["top", "verdict"] == "differs"
    assert rows.loc["top", "note"] == "not among the highest; rank 3"
    # Map drawers are below a half by the stored number: two of four.
    assert rows.loc["stored", ["ours", "place"]].tolist() == [50, "text"]
    assert rows["paper"].tolist() == ["A made-up paper"] * 3 + ["A second paper"]
    assert caplog.messages == [
        "replicate: of 4 published numbers 1 are exact, 0 are within rounding, 3 differ"
    ]


def test_renderings(study):
    replicate.run(config("gpts_are_gpts"))
    lines = text("md").splitlines()
    assert lines[2] == "Of 4 published numbers 1 are exact, 0 are within rounding, 3 differ."
    assert lines[4:8] == ["## A made-up paper: Table 1", "", "All numbers are made up.", ""]
    assert lines[10].startswith(r"| mean of α \| all | 0.63 | 0.63 | exact | mean over O*NET occu")
    assert "## A second paper: text" in lines
    tex = text("tex")
    assert tex.startswith("% Of 4 published numbers 1 are exact")
    assert tex.count(r"\begin{tabular}{lrrr}") == tex.count(r"\end{tabular}") == 2
    assert "mean of $\\alpha$ | all & 0.63 & 0.63 & exact \\\\\n" in tex
    assert "& $-$49 & 50 & differs" in tex
    assert r"\emph{share of jobs (OEWS May 2021) at $\ge$ 0.5; human annotators;" in tex


def test_the_skills_regression_for_both_raters(study):
    replicate.run(config("gpts_are_gpts"))
    skills = table("replication_skills")
    assert skills.groupby(["rater", "exposure"], sort=False).size().tolist() == [12] * 6
    assert skills["rater"].unique().tolist() == ["human", "gpt4"]
    assert set(skills["n_tasks"]) == {8} and set(skills["n_occupations"]) == {4}
    # Four occupations do not tell eleven skills apart.
    assert skills["coefficient"].isna().all()


def test_the_same_inputs_give_the_same_bytes(study):
    def outputs():
        replicate.run(config("gpts_are_gpts"))
        return {file.name: file.read_bytes() for file in replicate.TABLES.iterdir()}

    first = outputs()
    assert sorted(first) == [
        "replication.csv", "replication.md", "replication.tex", "replication_skills.csv"
    ]  # fmt: skip
    assert outputs() == first


def test_chosen_files_in_their_order(study):
    replicate.run(config("gpts_are_gpts", files=["b", "a"]))
    assert table()["id"].tolist() == ["stored", "mean", "over_half", "top"]
    replicate.run(config("gpts_are_gpts", files=["b"]))
    assert table()["id"].tolist() == ["stored"]
    with pytest.raises(JobshiftError, match=r"conf/replicate/c\.yaml is missing"):
        replicate.run(config("gpts_are_gpts", files=["c"]))


def test_a_study_without_the_source_says_so(study, caplog):
    caplog.set_level("INFO")
    shutil.rmtree("data")
    replicate.run(config("onet_tasks"))
    assert table().columns.tolist() == replicate.COLUMNS and table().empty
    assert table("replication_skills").columns.tolist() == replicate.SKILL_COLUMNS
    why = "the study has no source gpts_are_gpts; add it to `sources` in params.yaml"
    assert text("md") == f"The replication table is left out: {why}.\n"
    assert text("tex") == text("md").replace("_", r"\_")
    assert caplog.messages == [f"left out: {why}"]


ROW = "  - {id: extra, quantity: q, published: '1', rule: {measure: mean, unit: tasks}}\n"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("id: mean", "id: mean\n    colour: red", "row mean: the key 'colour' is unknown; choose"),
        ("measure: mean,", "measure: meen,", "row mean: measure 'meen' is unknown; choose one of"),
        ("{rater: gpt4}", "{rater: gpt5}", "row mean: rater 'gpt5' is unknown; choose one of hum"),
        ("unit: occupations", "units: tasks", "row mean: the key 'units' is unknown; choose one"),
        ("weighting: core", "weighted: yes", "row mean: the key 'weighted' is unknown"),
        ("threshold: 0.5", "threshold: half", "row over_half: threshold is 'half' but must be a n"),
        ("at_least: true", "at_least: 1", "row over_half: at_least is 1 but must be true or false"),
        ("top: 2", "top: true", "row top: top is True but must be a whole number"),
        ('"0.63"', "0.63", "row mean: published is 0.63 but must be text (a published number in q"),
        ('"0.63"', '"about 1"', "row mean: published 'about 1' is no number"),
        ("    quantity: jobs over half, %\n", "", "row over_half: the key 'quantity' is missing"),
        ("[{weighting: core}, {rater: gpt4}]", "core", "row mean: also is 'core' but must be a li"),
        ("  - id: mean", ROW + "  - id: extra", "row extra: conf/replicate/a.yaml, row extra has "),
        ("rows:", "rows:\n  - nothing", "row 1: there must be keys with values here, not 'nothing'"),
        ("rows:", "lines:", ": the key 'lines' is unknown; choose one of paper, rows, "),
        ("rows:", "rows: 3\nx:", ": the key 'x' is unknown; choose one of paper, rows, "),
        ("Map drawers,\n", "Map readers,\n", "row top: occupation 'Map readers' is the title of 0"),
        ("paper: A", "paper: [A", ": "),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named_with_its_file(study, before, after, message):
    assert ROWS.count(before) == 1
    file = replicate.ROWS / "a.yaml"
    file.write_text(ROWS.replace(before, after), encoding="utf-8")
    with pytest.raises(JobshiftError) as refused:
        replicate.run(config("gpts_are_gpts"))
    said = str(refused.value)
    assert said.startswith(
        f"{file}, {message}" if message.startswith("row") else f"{file}{message}"
    )
    assert "\n" not in said


def test_no_rows_at_all(study):
    shutil.rmtree(replicate.ROWS)
    with pytest.raises(JobshiftError, match="conf/replicate has no file with published numbers"):
        replicate.run(config("gpts_are_gpts"))


@pytest.mark.parametrize(
    ("name", "before", "after", "message"),
    [
        ("full_labelset.tsv", "\tE1\tE2", "\tE9\tE2", "column 'gpt4_exposure', line 2: 'E9'"),
        ("occ_level.csv", "0.49999999999999994", "half", "column 'human_rating_alpha', line 5"),
        ("occ_level.csv", "15-1011.00", "15-1012.00", "differ in occupation 15-1011.00"),
        ("national_May2021_dl.csv", "13-1020,detailed", "11-1011,detailed", "detailed occupation"),
        ("national_May2021_dl.csv", "100\n", "many\n", "column 'TOT_EMP', line 3: 'many'"),
        ("occupations_onet_basic_skills.csv", "Job Zone", "Zone", "column 'Job Zone' is missing"),
    ],
)
def test_a_bad_source_is_named(study, name, before, after, message):
    file = replicate.RAW / name
    good = file.read_text(encoding="utf-8")
    assert before in good
    file.write_text(good.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(JobshiftError, match=f"{name}.*{message}"):
        replicate.run(config("gpts_are_gpts"))
    file.unlink()
    with pytest.raises(JobshiftError, match=f"{name} is missing; bring it with `jobshift fetch"):
        replicate.run(config("gpts_are_gpts"))


def test_the_verb_with_the_config_of_the_repository(study):
    shutil.copyfile(ROOT / "conf" / "replicate.yaml", "conf/replicate.yaml")
    params = {"name": "n", "data": "d", "models": [], "seeds": [0], "sources": ["gpts_are_gpts"]}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    jobshift("replicate")
    assert len(table()) == 4
    jobshift("replicate", "files=[b]")
    assert len(table()) == 1
    with pytest.raises(JobshiftError, match="fils"):
        jobshift("replicate", "fils=[b]")


def test_the_rows_of_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = [row for _, row in replicate.read_rows([])]
    assert len(rows) >= 90
    assert all(row.paper and row.place for row in rows)
    # No number is typed but the published ones.
    assert not [row.id for row in rows if re.search(r"\d", row.note.replace("GPT-4", ""))]
