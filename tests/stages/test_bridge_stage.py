"""The stage bridge on a tiny classification: a bridge that holds, one that does not, none, errors."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.measures.bridge import draw
from jobshift.report import tables
from jobshift.stages import bridge
from jobshift.stages.bridge import Config, Sample

ROOT = Path(__file__).parents[2]
SAMPLE = Sample(occupations=2, one_in=2, statements=2, seed=3)
RULE = {level: dict.fromkeys(asked, 0.0) for level, asked in bridge.CONDITIONS.items()}
# 36 small groups, two in each of 18 medium groups of 3 major groups, spread so that exposure differs
# within all of them: that of small group k is this.
EXPOSURE = [k * 7 % 36 / 35 for k in range(36)]
SMALL = [f"{1 + k // 2 % 3}-{1 + k // 2:02}-{1 + k % 2:02}" for k in range(36)]
SOC = [f"{11 + 2 * (k // 6)}-{1000 * (1 + k % 6 // 2) + k:04}" for k in range(36)]
# The ratings of two statements of which an occupation has β 0, ¼, ½, ¾, 1.
PAIRS = ["E0 E0", "E0 E2", "E2 E2", "E2 E1", "E1 E1"]


def write(file, rows, columns):
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(file, index=False)


def write_onet():
    """An O*NET occupation for each small group, 35 tasks each, the share EXPOSURE of them E1."""
    columns = ["O*NET-SOC Code", "Title", "Task ID", "Task", "DWA ID", "DWA Title", "GWA"]
    rows = []
    for k, exposure in enumerate(EXPOSURE):
        for n in range(35):
            dwa = f"4.A.1.a.1.I01.D0{1 + (n < round(35 * exposure))}"
            text = f"Do thing {n} of work {k}."
            row = [f"{SOC[k]}.00", f"Work {k}", str(1000 * k + n), text, dwa, "Do.", "4.A.1.a.1"]
            rows.append(row)
    write("data/raw/onet_tasks/Task_DWA.csv", rows, columns)
    ratings = [
        (f"4.A.1.a.1.I01.D0{1 + exposed}", rater, f"E{exposed}", "T0")
        for exposed in (0, 1)
        for rater in "ABC"
    ]
    columns = ["dwa_id", "rater", "exposure", "automation"]
    write("data/raw/rubric_ratings/dwa_ratings.csv", ratings, columns)


def write_csco(exposure=EXPOSURE):
    """Two occupations a small group, three statements each; rated as `exposure` of the small group."""
    statements = pd.DataFrame(
        [
            (f"{small}-{n:02}.{m:02}", f"{small}-{n:02}", f"工作{k}之{n}")
            for k, small in enumerate(SMALL)
            for n in (1, 2)
            for m in (1, 2, 3)
        ],
        columns=["id", "occupation", "title"],
    )
    Path("data/prepared/csco").mkdir(parents=True, exist_ok=True)
    statements.to_parquet("data/prepared/csco/tasks.parquet", index=False)
    drawn = pd.Series(draw(statements["id"], **vars(SAMPLE)))
    turn = drawn.groupby(drawn.str[:10]).cumcount()
    level = [round(4 * exposure[SMALL.index(each[:7])]) for each in drawn]
    rated = [PAIRS[n].split()[t] for n, t in zip(level, turn, strict=True)]
    write(bridge.RATINGS, {"id": drawn, "exposure": rated}, None)


def write_conf():
    rows = [(small, soc, "close", "") for small, soc in zip(SMALL, SOC, strict=True)]
    rows[0] = (SMALL[0], SOC[0], "partial", "a note")
    write(bridge.CONCORDANCE, rows, ["csco_group", "soc", "fit", "note"])
    groups = sorted({small[:4] for small in SMALL})
    write(bridge.TITLES, [(each, f"Group {each}") for each in groups], ["csco_group", "title"])


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study in a folder of its own; call it with what the config changes."""
    monkeypatch.chdir(tmp_path)
    write_onet()
    write_csco()
    write_conf()

    def config(name="csco", sources=("csco_2022", "onet_tasks"), **changes):
        return Config(
            study=Study(name="t", data=name, models=[], seeds=[0], sources=list(sources)),
            data=DataConfig(name=name, title="T", labels=["M1", "M2", "M3"], sources=[]),
            **{"draws": 50, "sample": SAMPLE, "rule": RULE, "top": 3, **changes},
        )

    return config


def table(name):
    return pd.read_csv(bridge.TABLES / f"{name}.csv", dtype={"holds": str})


def rows(part, level):
    found = table("bridge_evaluation")
    found = found[(found["part"] == part) & (found["level"] == level)]
    return found.set_index(["method", "measure"])


def test_a_bridge_that_holds_ranks_every_occupation(study):
    bridge.run(study())
    rule = table("bridge_evaluation").query("part == 'rule'")
    assert rule["holds"].tolist() == ["True"] * 6
    occupations = table("bridge_occupations")
    assert len(occupations) == 72
    # The two of the small group with exposure 35 / 35 first, those with 0 last.
    best, worst = (SMALL[EXPOSURE.index(value)] for value in (1, 0))
    assert occupations["occupation"].iloc[:2].tolist() == [f"{best}-01", f"{best}-02"]
    assert occupations["occupation"].iloc[-2:].tolist() == [f"{worst}-01", f"{worst}-02"]
    first = occupations.iloc[0]
    assert (first["beta"], first["csco_group"], first["fit"]) == (1.0, best, "close")
    assert occupations["soc"].iloc[-1] == SOC[SMALL.index(worst)]
    assert (occupations["alpha"] == occupations["zeta"]).all()
    tex = (bridge.TABLES / "bridge_groups.tex").read_text(encoding="utf-8")
    assert r"\emph{Most exposed}" in tex and r"\emph{Least exposed}" in tex
    assert tex.count("工作") == 6
    assert f"{best}-01 工作{SMALL.index(best)}之1 & 1.00 & 1.00 & 1.00" in tex


def test_groups_by_hand(study):
    bridge.run(study())
    groups = table("bridge_groups").set_index("csco_group")
    assert len(groups) == 18 and groups.index.is_monotonic_increasing
    # Small groups 0 and 1 have β 0 and 7/35; the check rounds them to quarters: 0 and ¼.
    own = groups.loc["1-01"]
    assert own[["n_small_groups", "n_occupations"]].tolist() == [2, 4]
    assert own["beta"] == pytest.approx(0.1)
    assert own["check_beta"] == pytest.approx(0.125)
    assert own[["check_occupations", "check_statements"]].tolist() == [2, 4]
    assert own["close_share"] == 0.5  # one of its two small groups fits partially
    assert own["soc"] == "11-1"
    assert groups["ranked"].all()


def test_what_is_measured_by_hand(study):
    bridge.run(study())
    found = rows("transfer", "medium group")
    groups = table("bridge_groups")
    error = (groups["beta"] - groups["check_beta"]).abs().mean()
    assert found.loc[("medium group", "mae"), "value"] == pytest.approx(error, abs=1e-6)
    shift = (groups["beta"] - groups["check_beta"]).mean()
    assert found.loc[("medium group", "mean_difference"), "value"] == pytest.approx(shift, abs=1e-6)
    # The mean of the other 17 groups: off by 18 / 17 of the distance from the mean of all.
    check = groups["check_beta"]
    distance = (check - check.mean()).abs().mean() * 18 / 17
    assert found.loc[("mean", "mae"), "value"] == pytest.approx(distance, abs=1e-6)
    gained = found.loc[("mean − medium group", "mae"), "value"]
    assert gained == pytest.approx(distance - error, abs=2e-6)
    rank = groups["beta"].rank().corr(check.rank())
    assert found.loc[("medium group", "spearman"), "value"] == pytest.approx(rank, abs=1e-6)
    # The major group: its mean over all occupations.
    major = groups.groupby(groups["csco_group"].str[0])["beta"].transform("mean")
    by_major = found.loc[("major group", "spearman"), "value"]
    assert by_major == pytest.approx(major.rank().corr(check.rank()), abs=1e-6)
    assert ("mean", "spearman") not in found.index
    # Over occupations: a check of quarters is at most 1/8 off.
    assert rows("transfer", "occupation").loc[("small group", "mae"), "value"] <= 0.125
    of_check = rows("check", "medium group").loc[("check", "beta"), "value"]
    assert of_check == pytest.approx(check.mean(), abs=1e-6)
    ceiling = rows("ceiling", "O*NET occupation")["n"]
    assert ceiling.tolist() == [36, 36, 36]


def test_a_bridge_that_does_not_hold_ranks_nothing(study):
    # The check runs against the bridge.
    write_csco([1 - each for each in EXPOSURE])
    bridge.run(study())
    rule = table("bridge_evaluation").query("part == 'rule'")
    assert rule["holds"].str.cat() == "False" * 6
    header = ",".join(bridge.OCCUPATIONS) + "\n"
    assert (bridge.TABLES / "bridge_occupations.csv").read_text() == header
    assert not table("bridge_groups")["ranked"].any()
    tex = (bridge.TABLES / "bridge_groups.tex").read_text(encoding="utf-8")
    assert "does not meet the rule" in tex and "tabular" not in tex
    evaluation = (bridge.TABLES / "bridge_evaluation.tex").read_text(encoding="utf-8")
    assert evaluation.count(": no") == 6


def test_groups_may_be_ranked_where_occupations_may_not(study):
    rule = {**RULE, "occupations": {**RULE["occupations"], "spearman": 0.999}}
    bridge.run(study(rule=rule))
    holds = table("bridge_evaluation").query("part == 'rule'")["holds"]
    assert holds.tolist() == ["True"] * 3 + ["False"] + ["True"] * 2
    assert table("bridge_occupations").empty
    groups = table("bridge_groups")
    assert groups["ranked"].all()
    tex = (bridge.TABLES / "bridge_groups.tex").read_text(encoding="utf-8")
    most = groups.sort_values("beta")["csco_group"].iloc[-1]
    assert "the rule does not hold for single occupations" in tex
    assert f"\n{most} Group {most} & " in tex and "工作" not in tex
    bridge.run(study(rule=rule, top=9))
    whole = (bridge.TABLES / "bridge_groups.tex").read_text(encoding="utf-8")
    assert "From the most to the least exposed" in whole and whole.count("Group ") == 18


def test_a_rule_of_groups_that_fails_forbids_occupations_too(study):
    bridge.run(study(rule={**RULE, "groups": {**RULE["groups"], "spearman": 0.9999}}))
    rule = table("bridge_evaluation").query("part == 'rule'")
    assert rule["holds"].tolist() == ["False"] + ["True"] * 5
    assert table("bridge_occupations").empty


def test_two_runs_give_the_same_bytes(study):
    bridge.run(study())
    files = sorted(bridge.TABLES.iterdir())
    names = [*(f"{name}.csv" for name in bridge.EMPTY), *(f"{name}.tex" for name in bridge.PRINTED)]
    assert [file.name for file in files] == sorted(names)
    first = {file: file.read_bytes() for file in files}
    # The order of statements and ratings does not matter.
    tasks = pd.read_parquet("data/prepared/csco/tasks.parquet")
    tasks[::-1].to_parquet("data/prepared/csco/tasks.parquet", index=False)
    pd.read_csv(bridge.RATINGS)[::-1].to_csv(bridge.RATINGS, index=False)
    bridge.run(study())
    assert {file: file.read_bytes() for file in files} == first


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "onet"}, "onet has no Chinese occupations"),
        ({"sources": ["csco_2022"]}, "the study has no source onet_tasks; add it to `sources`"),
    ],
)
def test_other_studies_have_empty_tables_that_say_so(study, caplog, changes, reason):
    with caplog.at_level("INFO"):
        bridge.run(study(**changes))
    assert caplog.messages[0].startswith(f"left out: {reason}")
    for name, columns in bridge.EMPTY.items():
        assert (bridge.TABLES / f"{name}.csv").read_text() == ",".join(columns) + "\n"
    for name in bridge.PRINTED:
        text = (bridge.TABLES / f"{name}.tex").read_text()
        assert text.startswith("The bridge to Chinese occupations is left out: ")


def test_empty_tables_have_the_columns_of_full_ones(study):
    bridge.run(study())
    for name, columns in bridge.EMPTY.items():
        assert table(name).columns.tolist() == columns


def test_bad_inputs_say_what_to_do(study):
    def refused(said, **changes):
        with pytest.raises(JobshiftError, match=said):
            bridge.run(study(**changes))

    refused("conf/bridge.yaml: draws is 0; it must be at least 1", draws=0)
    refused("sample.one_in is 0; it must be at least 1", sample=Sample(one_in=0))
    refused("rule must have exactly the conditions groups: spearman, ", rule={"groups": {}})
    ratings = pd.read_csv(bridge.RATINGS)
    refused("is drawn but not rated; rate the sample", sample=Sample(2, 2, 3, 3))
    refused("is rated but not drawn", sample=Sample(2, 2, 1, 3))
    ratings.assign(exposure="E3").to_csv(bridge.RATINGS, index=False)
    refused(r"csco_ratings.csv: column 'exposure', line 2: 'E3' violates isin")
    ratings.to_csv(bridge.RATINGS, index=False)

    concordance = pd.read_csv(bridge.CONCORDANCE)
    concordance[1:].to_csv(bridge.CONCORDANCE, index=False)
    refused(f"csco_soc.csv: the group {SMALL[0]} is missing, add it")
    more = concordance.iloc[:1].assign(csco_group="9-01-01")
    pd.concat([concordance, more]).to_csv(bridge.CONCORDANCE, index=False)
    refused("csco_soc.csv: the group 9-01-01 has no tasks, take it out")
    concordance.assign(soc="11-1 99-9").to_csv(bridge.CONCORDANCE, index=False)
    refused("soc names '99-9', which no O[*]NET occupation begins with; correct it")
    concordance.to_csv(bridge.CONCORDANCE, index=False)

    Path("data/prepared/csco/tasks.parquet").unlink()
    refused("tasks.parquet is missing; make it with `jobshift prepare data=csco`")
    assert not bridge.TABLES.exists()


def test_the_committed_concordance_and_check_fit_each_other():
    """Codes and ratings that are in the repository; the classification itself is not needed."""
    concordance = bridge.checked(ROOT / bridge.CONCORDANCE, bridge.SCHEMA_CONCORDANCE)
    titles = bridge.checked(ROOT / bridge.TITLES, bridge.SCHEMA_TITLES)
    ratings = bridge.checked(ROOT / bridge.RATINGS, bridge.SCHEMA_RATINGS)
    groups = concordance["csco_group"]
    assert groups.is_monotonic_increasing and ratings["id"].is_monotonic_increasing
    assert sorted(set(groups.str[:4])) == titles["csco_group"].tolist()
    # Every medium group is checked, by occupations of different small groups where it has several.
    occupations = pd.Series(ratings["id"].str[:10].unique())
    assert set(occupations.str[:7]) <= set(groups)
    assert set(occupations.str[:4]) == set(titles["csco_group"])
    small = groups.groupby(groups.str[:4]).size()
    found = occupations.str[:7].groupby(occupations.str[:4]).nunique()
    rated = occupations.groupby(occupations.str[:4]).size()
    assert (found == np.minimum(small, rated)).all()
    # Forced matches say why.
    assert concordance.loc[concordance["fit"] == "forced", "note"].notna().all()


REPORTED = ROOT / "reports/csco/tables/bridge_evaluation.csv"


@pytest.mark.skipif(not REPORTED.is_file(), reason="the study csco has not been reported yet")
def test_the_document_says_what_the_table_says():
    number = r"(−?\d\.\d+)"
    text = (ROOT / "docs/csco_bridge.md").read_text(encoding="utf-8")
    said = re.findall(rf"{number} \[{number}, {number}\]", text)
    evaluation = pd.read_csv(REPORTED)[["value", "low", "high"]].to_numpy()
    known = {
        tuple(tables.number(each, digits) for each in row)
        for row in evaluation
        for digits in (2, 3)
    }
    assert len(said) > 15 and set(said) <= known
