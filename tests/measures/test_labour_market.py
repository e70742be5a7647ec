"""Aggregation by hand: tasks → occupations → SOC → OEWS → places, thresholds and wage deciles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.measures import labour_market as lm

LABELS = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
BRIDGE = "conf/bridge/test.csv"


def tasks_with_rates(rows, automated_from="T3"):
    """Rows (occupation, label, automation, weight) as tasks with their rates."""
    tasks = pd.DataFrame(rows, columns=["occupation", "label", "automation", "weight"])
    tasks["title"] = "Title of " + tasks["occupation"]
    shares = pd.DataFrame({f"p_{c}": (tasks["label"] == c).astype(float) for c in LABELS})
    rates = lm.task_exposure(shares, LABELS).join(
        lm.task_shares(tasks["label"], tasks["automation"], LABELS, automated_from)
    )
    return tasks, rates


ONE = [
    ("11-1011.00", "E1", "T3", 2.0),
    ("11-1011.00", "E2", "T1", 1.0),
    ("11-1011.00", "E0", "T0", 1.0),
]


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        # Core task twice: α = 2/4, β = (2·1 + ½)/4, ζ = 3/4, substituted 2/4, rest a quarter each.
        ("core", [0.5, 0.625, 0.75, 0.5, 0.25, 0.25]),
        # Equal: α = 1/3, β = 1.5/3, ζ = 2/3, a third each.
        ("equal", [1 / 3, 0.5, 2 / 3, 1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_occupation_is_the_weighted_mean_of_its_tasks(weighting, expected):
    tasks, rates = tasks_with_rates(ONE)
    rule, weights = lm.task_weights(tasks, weighting)
    row = lm.occupation_rates(tasks, rates, weights).iloc[0]
    assert rule == weighting
    assert row[lm.RATES].tolist() == pytest.approx(expected)
    assert (row["soc"], row["n_tasks"], row["title"]) == ("11-1011", 3, "Title of 11-1011.00")


def test_core_is_reported_as_equal_where_no_occupation_tells_its_tasks_apart():
    tasks, _ = tasks_with_rates([("11-1011.00", "E1", "T0", 2.0), ("11-1021.00", "E1", "T0", 1.0)])
    rule, weights = lm.task_weights(tasks, "core")
    assert rule == "equal"
    assert weights.tolist() == [1.0, 1.0]


def test_automated_from_moves_the_border_between_substituted_and_complemented():
    # Exposed with T3 and T4, untouched with T4: from T4 on only the second is substituted.
    rows = [
        ("11-1011.00", "E1", "T3", 1),
        ("11-1011.00", "E2", "T4", 1),
        ("11-1011.00", "E0", "T4", 1),
    ]
    for automated_from, substituted in (("T3", [1, 1, 0]), ("T4", [0, 1, 0])):
        _, rates = tasks_with_rates(rows, automated_from)
        assert rates["substituted_share"].tolist() == substituted
        assert rates["untouched_share"].tolist() == [0, 0, 1]
        assert (rates[list(lm.SHARES)].sum(axis=1) == 1).all()


def test_exposure_from_shares_is_linear_in_them():
    # p = (E0 ½, E2 ¼, E1 ¼): α = ¼, β = ¼ + ⅛, ζ = ½.
    shares = pd.DataFrame({"p_E0": [0.5], "p_E2": [0.25], "p_E1": [0.25]})
    assert lm.task_exposure(shares, LABELS).iloc[0].tolist() == [0.25, 0.375, 0.5]


def onet_frame(betas):
    """O*NET occupations with one value for all rates, ten tasks each."""
    frame = pd.DataFrame({"occupation": list(betas), "n_tasks": 10})
    frame["soc"] = frame["occupation"].str[:7]
    for rate in lm.RATES:
        frame[rate] = list(betas.values())
    return frame


def detailed_frame(*codes):
    return pd.DataFrame(
        {
            "code": list(codes),
            "title": ["Some, All Other" if c.endswith("9") else "Some" for c in codes],
        }
    )


def bridge_frame(*rows):
    frame = pd.DataFrame(rows, columns=["oews_code", "soc_code", "reason"])
    return frame.assign(line=range(2, len(frame) + 2))


ONET = onet_frame(
    {
        "11-1011.00": 0.2,  # with .03 one SOC code: mean 0.3
        "11-1011.03": 0.4,
        "13-1021.00": 0.6,  # these two are members of the broad 13-1020
        "13-1022.00": 0.9,
        "13-1199.04": 0.5,  # a speciality of an "all other" code
        "17-3011.00": 0.1,  # siblings of 17-3019
        "17-3012.00": 0.2,
        "45-3031.00": 0.0,  # without employment
    }
)
DETAILED = detailed_frame(
    "11-1011", "13-1020", "13-1199", "17-3011", "17-3012", "17-3019", "17-3029"
)
ROWS = [
    ("13-1020", "13-1021", "broad"),
    ("13-1020", "13-1022", "broad"),
    ("13-1020", "13-1023", "no tasks"),
    ("17-3019", "17-3010", "residual"),
]


def linked(impute_residual=False, rows=ROWS):
    return lm.links(DETAILED, set(ONET["soc"]), bridge_frame(*rows), impute_residual, BRIDGE)


def test_soc_is_the_simple_mean_of_its_onet_occupations():
    soc = lm.soc_rates(ONET)
    assert soc.loc["11-1011", "beta"] == pytest.approx(0.3)  # (0.2 + 0.4) / 2
    assert soc.loc["11-1011", ["n_onet", "n_tasks"]].tolist() == [2, 20]


def test_bridged_code_has_the_mean_of_its_members():
    rates = lm.oews_rates(linked(), lm.soc_rates(ONET))
    assert rates["match"].to_dict() == {
        "11-1011": "direct",
        "13-1020": "broad",
        "13-1199": "residual",
        "17-3011": "direct",
        "17-3012": "direct",
    }
    assert rates.loc["13-1020", "beta"] == pytest.approx(0.75)  # (0.6 + 0.9) / 2
    assert rates.loc["13-1020", "n_tasks"] == 20


def test_residual_code_is_imputed_only_when_asked():
    assert "17-3019" not in linked()["oews_code"].tolist()
    rates = lm.oews_rates(linked(impute_residual=True), lm.soc_rates(ONET))
    assert rates.loc["17-3019", "beta"] == pytest.approx(0.15)  # (0.1 + 0.2) / 2
    assert rates.loc["17-3019", ["match", "n_tasks"]].tolist() == ["imputed", 0]
    assert "17-3029" not in rates.index  # no line in the bridge


def test_minor_group_of_a_residual_code_is_a_prefix():
    rows = [("17-3029", "17-3000", "residual")]
    pairs = linked(impute_residual=True, rows=rows)
    assert pairs.loc[pairs["oews_code"] == "17-3029", "soc_code"].tolist() == ["17-3011", "17-3012"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("13-1029", "13-1021", "broad")],
            "line 2: oews_code '13-1029' is no detailed occupation",
        ),
        ([ROWS[0], ("13-1020", "13-9999", "broad")], "line 3: soc_code '13-9999' is unknown"),
        ([("", "", "")], "line 2: oews_code '' is no detailed"),
        (
            [("13-1020", "13-1021", "combined")],
            "line 2: reason 'combined' is none of broad, hybrid",
        ),
        (
            [("11-1011", "13-1021", "hybrid")],
            "line 2: oews_code 11-1011 has tasks and joins directly",
        ),
        ([("13-1020", "11-1011", "hybrid")], "line 2: soc_code 11-1011 already joins directly"),
        ([ROWS[0], ROWS[0]], r"line 3: soc_code 13-1021 already belongs to 13-1020 \(line 2\)"),
        ([("13-1020", "13-1021", "no tasks")], "line 2: soc_code 13-1021 is marked 'no tasks'"),
        ([("17-3019", "19-9000", "residual")], "line 2: soc_code '19-9000' is no SOC group"),
        ([("17-3019", "17-3011", "residual")], "line 2: soc_code '17-3011' is no SOC group"),
        ([("17-3019", "00-0000", "residual")], "line 2: soc_code '00-0000' is no SOC group"),
        ([ROWS[3], ROWS[3]], "line 2: oews_code 17-3019 is residual but stands on 2 lines"),
    ],
)
def test_bad_bridge_row_is_named_with_its_line(rows, said):
    with pytest.raises(JobshiftError, match=f"{BRIDGE}, {said}"):
        linked(rows=rows)


def rates_by_code(**betas):
    """All rates of a code the same, its code written with an underscore."""
    codes = [name.replace("c", "").replace("_", "-") for name in betas]
    return pd.DataFrame({rate: list(betas.values()) for rate in lm.RATES}, index=codes)


RATES = rates_by_code(c11_1011=0.2, c13_1020=0.8)
CELLS = pd.DataFrame(
    [
        ("A", "11-1011", 300.0),
        ("A", "13-1020", 100.0),
        ("A", "17-3019", 50.0),  # unmatched
        ("A", "17-3011", np.nan),  # not released
        ("B", "13-1020", 40.0),
        ("B", "11-1011", np.nan),
        ("C", "17-3019", 10.0),
    ],
    columns=["place", "code", "employment_workers"],
)
TOTALS = pd.Series({"A": 500.0, "B": 100.0, "C": 10.0, "D": 70.0})


def test_place_is_weighted_by_matched_employment_and_conserved():
    table = lm.by_place(CELLS, TOTALS, RATES)
    # A: β = (300·0.2 + 100·0.8) / 400 = 140/400; 500 = 400 matched + 50 unmatched + 50 not shown.
    # B: only 13-1020 is released; 100 = 40 + 0 + 60. C: nothing matched. D: no cell is published.
    assert table["beta"].tolist() == pytest.approx([0.35, 0.8, np.nan, np.nan], nan_ok=True)
    assert table["matched_workers"].tolist() == [400, 40, 0, 0]
    assert table["unmatched_workers"].tolist() == [50, 0, 10, 0]
    assert table["not_shown_workers"].tolist() == [50, 60, 0, 70]
    assert table["matched_share"].tolist() == [0.8, 0.4, 0.0, 0.0]
    assert table["n_occupations"].tolist() == [2, 1, 0, 0]
    assert table["n_unmatched"].tolist() == [1, 0, 1, 0]
    assert table["n_not_released"].tolist() == [1, 1, 0, 0]


def test_column_without_any_value_stays_empty():
    table = lm.by_place(CELLS, TOTALS, RATES.assign(substituted_share=np.nan))
    assert table["substituted_share"].isna().all()
    assert table["beta"].iloc[0] == pytest.approx(0.35)


def test_code_that_joins_twice_breaks_conservation():
    twice = pd.concat([RATES, RATES.loc[["11-1011"]]])
    with pytest.raises(JobshiftError, match="employment of 'A' is not conserved: -300 workers"):
        lm.by_place(CELLS, TOTALS, twice)


def test_occupations_may_exceed_the_total_by_rounding_only():
    # Three released cells in A, four in all: rounding explains up to 5·(4 + 1) = 25 workers.
    rounded = lm.by_place(CELLS, TOTALS.replace({500.0: 425.0}), RATES)
    assert rounded.loc["A", "not_shown_workers"] == -25
    assert rounded.loc["A", "matched_share"] == pytest.approx(400 / 450)
    with pytest.raises(JobshiftError, match="occupations of 'A' have 30 workers more than its pub"):
        lm.by_place(CELLS, TOTALS.replace({500.0: 420.0}), RATES)


def test_place_without_a_published_total_is_an_error():
    with pytest.raises(JobshiftError, match="no total employment for 'B'"):
        lm.by_place(CELLS, TOTALS.drop("B"), RATES)


def test_threshold_counts_those_exactly_on_it():
    employment = pd.Series([100.0, 200.0, 700.0])
    # 0.1 + 0.2 is 0.30000000000000004 and 0.7 - 0.4 is 0.29999999999999993: both reach 0.30.
    values = [0.1 + 0.2, 0.7 - 0.4, 0.295]
    assert values[1] < 0.3 < values[0]
    rates = pd.DataFrame({"alpha": 0.0, "beta": values, "zeta": 1.0}, index=employment.index)
    curve = lm.thresholds(employment, rates).set_index(["measure", "threshold"])
    assert curve.loc[("beta", 0.29), "n_workers"] == 1000
    assert curve.loc[("beta", 0.3), "n_workers"] == 300
    assert curve.loc[("beta", 0.3), "workers_share"] == pytest.approx(0.3)
    assert curve.loc[("beta", 0.31), "n_workers"] == 0
    assert curve.loc[("alpha", 0.0), "workers_share"] == 1
    assert curve.loc[("alpha", 0.01), "workers_share"] == 0
    assert curve.loc[("zeta", 1.0), "workers_share"] == 1
    assert len(curve) == 3 * 101


def market(rows):
    frame = pd.DataFrame(rows, columns=["employment_workers", "annual_wage_usd", "beta"])
    for rate in lm.RATES:
        frame[rate] = frame["beta"]
    return frame


def test_decile_divides_the_occupation_on_its_border():
    # 100 workers, 10 a decile. At 20,000: 15 workers with β 0.2, so decile 1 is all of them and
    # decile 2 has 5 of them and 5 of the next 85 (β 0.6): β = (5·0.2 + 5·0.6)/10 = 0.4.
    table = lm.wage_deciles(market([(85.0, 30000.0, 0.6), (15.0, 20000.0, 0.2)])).set_index(
        "decile"
    )
    assert table["employment_workers"].tolist() == pytest.approx([10.0] * 10)
    assert table["beta"].tolist() == pytest.approx([0.2, 0.4] + [0.6] * 8)
    assert table["n_occupations"].tolist() == [1, 2] + [1] * 8
    assert table.loc[2, ["wage_from_usd", "wage_to_usd", "wage_mean_usd"]].tolist() == [
        20000,
        30000,
        25000,
    ]


def test_decile_shares_equal_wages_in_proportion_whatever_the_order():
    # At one wage 12 workers with β 1 and 4 with β 0, 16 of 100: of decile 1 three quarters have
    # β 1. Decile 2: 6 of these (β 0.75) and 4 of the rest (β 0): 4.5/10.
    rows = [(12.0, 20000.0, 1.0), (4.0, 20000.0, 0.0), (84.0, 30000.0, 0.0)]
    for order in (rows, rows[::-1]):
        table = lm.wage_deciles(market(order))
        assert table["beta"].tolist()[:3] == pytest.approx([0.75, 0.45, 0.0])


def test_unmatched_and_unpaid_workers_stay_in_the_deciles():
    # Decile 1 is unmatched, 5 of the 10 workers of decile 2 as well; 7 workers have no wage.
    rows = [(15.0, 20000.0, np.nan), (85.0, 30000.0, 0.6), (7.0, np.nan, 0.5)]
    table = lm.wage_deciles(market(rows))
    assert table["matched_workers"].tolist() == pytest.approx([0, 5] + [10] * 8 + [7])
    assert table["unmatched_workers"].tolist() == pytest.approx([10, 5] + [0] * 9)
    assert table["beta"].tolist() == pytest.approx([np.nan] + [0.6] * 9 + [0.5], nan_ok=True)
    assert table["decile"].isna().tolist() == [False] * 10 + [True]
    assert table["employment_workers"].sum() == pytest.approx(107)


def test_deciles_need_a_wage():
    with pytest.raises(JobshiftError, match="no occupation of the OEWS file has a wage"):
        lm.wage_deciles(market([(10.0, np.nan, 0.5)]))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7).map(float),
            st.one_of(st.just(np.nan), st.integers(2, 50).map(lambda k: k * 10000.0)),
            st.one_of(st.just(np.nan), st.floats(0, 1)),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_deciles_conserve_workers_and_exposure(rows):
    frame = market(rows)
    paid = frame["annual_wage_usd"].notna() & (frame["employment_workers"] > 0)
    if not paid.any():
        return
    table = lm.wage_deciles(frame)
    tenth = frame.loc[paid, "employment_workers"].sum() / 10
    assert table["employment_workers"].iloc[:10].tolist() == pytest.approx([tenth] * 10)
    assert table["employment_workers"].sum() == pytest.approx(frame["employment_workers"].sum())
    exposed = (table["beta"] * table["matched_workers"]).sum()
    expected = (frame["beta"] * frame["employment_workers"]).sum()
    assert exposed == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert table["wage_mean_usd"].iloc[:10].is_monotonic_increasing or np.allclose(
        np.diff(table["wage_mean_usd"].iloc[:10]).clip(max=0), 0, atol=1e-6
    )
