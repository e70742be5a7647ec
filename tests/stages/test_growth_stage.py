"""The stage growth on a tiny labour market: joins, hybrid codes, what is left out, errors."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.measures import labour_market as lm
from jobshift.stages import growth
from jobshift.stages.growth import Config

# Code: workers and wage of 2021, workers and wage of 2025.
MARKET = {
    "00-0000": ("1,000", "50,000", "1100", "60000"),
    "11-1011": ("100", "40,000", "150", "50000"),
    "11-1031": ("44", "37,270", None, None),  # not published in 2025
    "13-1020": ("200", "40,000", "100", "44000"),  # hybrid: 13-1021 and 13-1022
    "29-1211": ("100", "#", "100", "390000"),  # median top-coded in 2021
    "35-3011": ("300", "20,000", "450", "30000"),
    "43-9061": ("100", "30,000", "90", "33000"),
    "53-3099": ("50", "30,000", "60", "33000"),  # no rated tasks
    "53-7199": ("60", "30,000", "-", "33000"),  # employment of 2025 not released
}
LEVELS = {"00-0000": ("total", 0)}
# O*NET occupation: OEWS code, match, α; ζ = 2 α, β between.
ONET = [
    ("11-1011.00", "11-1011", "direct", 0.1),
    ("11-1011.03", "11-1011", "direct", 0.3),  # the SOC code has α 0.2
    ("13-1021.00", "13-1020", "broad", 0.5),
    ("13-1022.00", "13-1020", "broad", 0.2),
    ("13-1022.01", "13-1020", "broad", 0.4),  # 13-1022 has 0.3, so that 13-1020 has 0.4
    ("29-1211.00", "29-1211", "direct", 0.05),
    ("35-3011.00", "35-3011", "direct", 0.0),
    ("43-9061.00", "43-9061", "direct", 0.45),
    ("45-3031.00", None, None, 0.4),  # not in OEWS
    ("53-7199.00", "53-7199", "residual", 0.1),
]


def write_market():
    growth.MAY_2021.parent.mkdir(parents=True, exist_ok=True)
    lines = ["OCC_CODE,OCC_TITLE,O_GROUP,TOT_EMP,A_MEAN,H_MEDIAN,A_MEDIAN,HOURLY"]
    lines += [
        f'{code},Title of {code},{LEVELS.get(code, ("detailed", 3))[0]},"{workers}","70,000",*,"{wage}",'
        for code, (workers, wage, _, _) in MARKET.items()
    ]
    growth.MAY_2021.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    growth.MAY_2025.parent.mkdir(parents=True, exist_ok=True)
    growth.MAY_2025.unlink(missing_ok=True)
    with sqlite3.connect(growth.MAY_2025) as base:
        base.execute("PRAGMA synchronous = OFF")
        kinds = ", ".join(f"v{kind}, f{kind}" for kind in ("01", "04", "08", "13"))
        base.execute(f"CREATE TABLE cell (key TEXT PRIMARY KEY, {kinds}) WITHOUT ROWID")
        for table, names in (
            ("area", "area_code, areatype_code, state_code, area_name"),
            ("industry", "industry_code, industry_name, display_level"),
            ("occupation", "occupation_code, occupation_name, display_level"),
            ("footnote", "footnote_code, footnote_text"),
            ("meta", "name, value"),
        ):
            base.execute(f"CREATE TABLE {table} ({names})")
        for code, (_, _, workers, wage) in MARKET.items():
            if workers is None:
                continue
            plain = code.replace("-", "")
            level = LEVELS.get(code, ("detailed", 3))[1]
            base.execute(
                "INSERT INTO occupation VALUES (?, ?, ?)", (plain, f"Title of {code}", level)
            )
            note = "8" if workers == "-" else None
            row = ("OEUN0000000000000" + plain, workers, note, "77000", None, "-", "8", wage, None)
            base.execute("INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    base.close()


def write_results(raters=("human", "small_model")):
    frames = []
    for factor, rater in enumerate(raters, start=1):
        onet = pd.DataFrame(ONET, columns=["occupation", "oews_code", "match", "alpha"])
        onet["alpha"] /= factor
        onet = onet.assign(
            rater=rater,
            soc=onet["occupation"].str[:7],
            n_tasks=10,
            beta=1.5 * onet["alpha"],
            zeta=2 * onet["alpha"],
            **dict.fromkeys(lm.SHARES, np.nan),
        )
        frames.append(onet)
    growth.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    table = pd.concat(frames, ignore_index=True)
    table.to_parquet(growth.RESULTS, index=False)
    return table


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study in a folder of its own; call it with what the config changes."""
    monkeypatch.chdir(tmp_path)
    write_market()
    write_results()

    def config(sources=("oews_2025", "gpts_are_gpts"), **changes):
        return Config(
            study=Study(name="t", data="t", models=[], seeds=[0], sources=list(sources)),
            data=DataConfig(
                name="t", title="T", exposure=True, labels={"E0": 0.0, "E1": 1.0}, sources=[],
                raters={"human": "people of 2023"},
            ),
            **{"draws": 20, **changes},
        )  # fmt: skip

    return config


def table(name):
    text = dict.fromkeys(("fifth", "release", "rater", "controls"), str)
    return pd.read_csv(
        growth.TABLES / f"{name}.csv", dtype=text, keep_default_na=False, na_values=[""]
    )


def test_occupations_of_both_releases_with_their_changes(study):
    growth.run(study())
    found = table("growth_occupations").set_index("code")
    assert found.index.tolist() == [
        "11-1011",
        "13-1020",
        "29-1211",
        "35-3011",
        "43-9061",
        "53-3099",
    ]
    chief = found.loc["11-1011"]
    assert chief["employment_log_change"] == pytest.approx(np.log(1.5), abs=1e-6)
    assert chief["median_wage_log_change"] == pytest.approx(np.log(1.25), abs=1e-6)
    assert chief["mean_wage_log_change"] == pytest.approx(np.log(1.1), abs=1e-6)
    assert chief[["wage_2021_usd", "wage_2025_usd"]].tolist() == [40_000, 50_000]
    # Hybrid: the mean of its SOC codes 0.5 and (0.2 + 0.4) / 2.
    hybrid = found.loc["13-1020"]
    assert (hybrid["match"], hybrid["employment_log_change"]) == ("broad", -0.693147)
    assert hybrid[["alpha_human", "zeta_human", "alpha_small_model"]].tolist() == [0.4, 0.8, 0.2]
    assert chief["beta_human"] == pytest.approx(0.3)
    # A top-coded median is the mean in 2021 and not compared with the median of 2025.
    top = found.loc["29-1211"]
    assert (top["wage_basis_2021"], top["wage_basis_2025"]) == ("annual mean", "annual median")
    assert np.isnan(top["median_wage_log_change"])
    assert found.loc["53-3099", "match"] == "none"
    assert np.isnan(found.loc["53-3099", "beta_human"])


def test_matched_share_and_every_code_that_is_not_matched(study):
    growth.run(study())
    coverage = table("growth_coverage").set_index(["rater", "release"])
    # Both releases: all but legislators and the code not released, 850 of 1,000 and 950 of 1,100.
    first, second = coverage.loc["human", "2021"], coverage.loc["human", "2025"]
    assert (first["in_both_workers"], first["in_both_share"]) == (850, 0.85)
    assert second["in_both_share"] == pytest.approx(950 / 1100, abs=1e-6)
    assert first["rated_share"] == 0.8
    assert second["rated_share"] == pytest.approx(890 / 1100, abs=1e-6)
    assert first[["n_occupations", "n_in_both", "n_rated"]].tolist() == [8, 6, 5]
    assert second["employment_log_change"] == pytest.approx(np.log(1.1), abs=1e-6)
    assert second["median_wage_log_change"] == pytest.approx(np.log(1.2), abs=1e-6)
    assert coverage.index.get_level_values("rater").unique().tolist() == ["human", "small_model"]
    left = table("growth_unmatched").set_index("code")
    assert left["reason"].to_dict() == {
        "53-7199": "employment not released or none",
        "53-3099": "no rated tasks",
        "11-1031": "not in the release of May 2025",
    }
    assert left.loc["11-1031", "share_2021"] == 0.044
    assert np.isnan(left.loc["11-1031", "employment_2025_workers"])


def test_a_code_that_one_rater_lacks_is_named(study):
    results = write_results()
    results.loc[(results["rater"] == "small_model") & (results["soc"] == "35-3011"), "beta"] = (
        np.nan
    )
    results.to_parquet(growth.RESULTS, index=False)
    growth.run(study())
    left = table("growth_unmatched").set_index("code")
    assert left.loc["35-3011", "reason"] == "not rated by small_model"
    rated = table("growth_coverage").drop_duplicates("rater").set_index("rater")["n_rated"]
    assert rated.to_dict() == {"human": 5, "small_model": 4}


def test_fifths_and_correlations_of_every_rater_and_measure(study):
    growth.run(study())
    quintiles = table("growth_quintiles")
    assert len(quintiles) == 2 * 3 * 2 * 4 * 7
    rows = quintiles[(quintiles["rater"] == "human") & (quintiles["measure"] == "beta")]
    rows = rows.set_index(["fifths_of", "outcome", "fifth"])
    # Five rated occupations, so of occupations each is a fifth; by β: 35-3011, 29-1211, 11-1011,
    # 13-1020, 43-9061.
    of_each = rows.loc["occupations"].loc["employment"]["value"]
    assert of_each[list("12345")].tolist() == pytest.approx(
        np.log([1.5, 1, 1.5, 0.5, 0.9]), abs=1e-6
    )
    # 800 workers, 160 a fifth: the first is of 35-3011 alone, the second its other 140 and 20 of
    # the 100 of 29-1211; in 2025 all have 890.
    whole = rows.loc["workers"].loc["employment_total"]
    assert whole.loc["1", "value"] == pytest.approx(np.log(1.5), abs=1e-6)
    second = (140 * 1.5 + 20) / 160
    assert whole.loc["2", "value"] == pytest.approx(np.log(second), abs=1e-6)
    assert whole.loc["all", "value"] == pytest.approx(np.log(890 / 800), abs=1e-6)
    assert whole.loc["2", "relative"] == pytest.approx(np.log(second * 800 / 890), abs=2e-6)
    # Halving every exposure changes neither fifths nor correlations, but doubles slopes.
    other = quintiles[(quintiles["rater"] == "small_model") & (quintiles["measure"] == "beta")]
    np.testing.assert_array_equal(other["value"], rows["value"])
    correlations = table("growth_correlations")
    assert len(correlations) == 2 * 3 * 3 * 2 * (2 + 3)
    keys = ["measure", "outcome", "weighting", "statistic", "controls"]
    human, model = (
        correlations[correlations["rater"] == rater]
        .fillna({"controls": ""})
        .set_index(keys)["value"]
        for rater in ("human", "small_model")
    )
    pearson = ("beta", "employment", "workers", "pearson", "")
    assert model[pearson] == human[pearson]
    slope = ("beta", "employment", "workers", "slope", "none")
    assert model[slope] == pytest.approx(2 * human[slope], abs=5e-6)


def test_tables_for_the_paper(study):
    growth.run(study(printed="zeta"))
    fifths = (growth.TABLES / "growth_quintiles.tex").read_text(encoding="utf-8")
    assert fifths.startswith("% human: people of 2023.\n")
    for said in ("by ζ. Descriptive, no causal estimate", "80.0 % of employment in May 2021",
                 r"Rated by small\_model", "nominal"):  # fmt: skip
        assert said in fifths
    # The first fifth of workers: 1.5 times the jobs, ζ 0, one occupation.
    assert "1 & 0.00--0.00 & 1 & 50.0 & 34.8 " in fifths  # 1.5 / (890 / 800) = 1.348
    correlations = (growth.TABLES / "growth_correlations.tex").read_text(encoding="utf-8")
    assert correlations.count(r"\emph{") == 4
    assert "no causal estimate" in correlations
    assert correlations.count("\nhuman & ") == 4


def test_two_runs_give_the_same_bytes(study):
    growth.run(study())
    files = sorted(growth.TABLES.iterdir())
    first = {file.name: file.read_bytes() for file in files}
    assert sorted(first) == sorted(
        [*(f"{name}.csv" for name in growth.EMPTY), *(f"{name}.tex" for name in growth.PRINTED)]
    )
    # The order of the rows within a rater does not matter.
    results = pd.read_parquet(growth.RESULTS)
    results = pd.concat([results[results["rater"] == "human"][::-1],
                         results[results["rater"] == "small_model"][::-1]])  # fmt: skip
    results.to_parquet(growth.RESULTS, index=False)
    growth.run(study())
    assert {file.name: file.read_bytes() for file in files} == first


def test_a_study_without_the_source_has_empty_tables_that_say_so(study, caplog):
    growth.MAY_2021.unlink()
    growth.RESULTS.unlink()
    with caplog.at_level("INFO"):
        growth.run(study(sources=["oews_2025"]))
    reason = "the study has no source gpts_are_gpts; add it to `sources` in params.yaml"
    assert caplog.messages == [f"left out: {reason}"]
    for name, columns in growth.EMPTY.items():
        assert (growth.TABLES / f"{name}.csv").read_text() == ",".join(columns) + "\n"
    for name in growth.PRINTED:
        text = (growth.TABLES / f"{name}.tex").read_text()
        assert text.startswith("Growth by exposure is left out: the study has no source gpts")
        assert "params.yaml" in text


def test_empty_tables_have_the_columns_of_full_ones(study):
    growth.run(study())
    for name, columns in growth.EMPTY.items():
        found = list(table(name).columns)
        exposures = [each for each in found if each.split("_")[0] in ("alpha", "beta", "zeta")]
        assert [each for each in found if each not in exposures] == columns
        assert len(exposures) == (6 if name == "growth_occupations" else 0)


def test_missing_and_bad_inputs_say_what_to_do(study):
    for changes, said in (
        ({"draws": 0}, "conf/growth.yaml: draws is 0; it must be at least 1"),
        (
            {"printed": "gamma"},
            "printed is 'gamma', which is no measure; choose one of alpha, beta",
        ),
    ):
        with pytest.raises(JobshiftError, match=said):
            growth.run(study(**changes))
    results = write_results()
    results.drop(columns="match").to_parquet(growth.RESULTS, index=False)
    with pytest.raises(JobshiftError, match="no column 'match'; make it again with `jobshift aggr"):
        growth.run(study())
    results.assign(oews_code="99-9999").to_parquet(growth.RESULTS, index=False)
    with pytest.raises(JobshiftError, match="no OEWS code with an exposure by human is in both"):
        growth.run(study())
    growth.RESULTS.unlink()
    with pytest.raises(JobshiftError, match="occupations.parquet is missing; make it with"):
        growth.run(study())
    text = growth.MAY_2021.read_text(encoding="utf-8-sig")
    growth.MAY_2021.write_text(text.replace('"1,000"', '"**"'), encoding="utf-8-sig")
    with pytest.raises(
        JobshiftError, match=r"national_May2021_dl.csv: there is no employment of all"
    ):
        growth.run(study())
    growth.MAY_2021.unlink()
    with pytest.raises(JobshiftError, match="`jobshift fetch source=gpts_are_gpts`"):
        growth.run(study())
    assert not growth.TABLES.exists()
