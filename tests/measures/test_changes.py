"""What changed: agreement, shifts and ranks by hand, and every draw against its rows."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.measures import changes
from jobshift.measures import labour_market as lm
from jobshift.measures.exposure import EXPOSURE

CLASSES = list(EXPOSURE)
RATERS = ["human", "gpt4", "rubric"]
PUBLISHED, NEW = ["human", "gpt4"], "rubric"

# Task: unit, group, weight, human, GPT-4, rubric.
ROWS = [
    ("u", "d1", 2.0, "E1", "E1", "E0"),
    ("u", "d2", 1.0, "E2", "E1", "E0"),
    ("u", "d2", 1.0, "E0", "E2", "E0"),
    ("v", "d3", 1.0, "E0", "E0", "E1"),
]


def frame(rows=ROWS) -> pd.DataFrame:
    columns = ["unit", "group", "weight", *(f"label_{rater}" for rater in RATERS)]
    return pd.DataFrame(rows, columns=columns)


def rated(rows=ROWS, draws=0, seed=0) -> changes.Rated:
    return changes.Rated(frame(rows), RATERS, EXPOSURE, draws, seed)


def value(table: pd.DataFrame, reference: str, rater: str, metric: str) -> float:
    row = table[
        (table["reference"] == reference) & (table["rater"] == rater) & (table["metric"] == metric)
    ]
    assert len(row) == 1
    return row["value"].iloc[0]


def test_pairs_by_hand():
    table = changes.summary(rated(draws=50), PUBLISHED, NEW)
    # Human and rubric agree on the third of four tasks. β of the tasks: human 1, ½, 0, 0 (mean .375),
    # rubric 0, 0, 0, 1 (.25), GPT-4 1, 1, ½, 0 (.625); ζ: human ½, rubric ¼; α: human ¼, rubric ¼.
    expected = {
        "agreement": 0.25,
        "mean_beta_reference": 0.375,
        "mean_beta_rater": 0.25,
        "shift_beta": -0.125,
        "shift_zeta": -0.25,
        "shift_alpha": 0.0,
        "share_E1_E0": 0.25,
        "share_E2_E0": 0.25,
        "share_E0_E0": 0.25,
        "share_E0_E1": 0.25,
        "share_E1_E1": 0.0,
        # Chance: E0 ½·¾ + E2 ¼·0 + E1 ¼·¼ = .4375; κ = (.25 − .4375)/(1 − .4375) = −1/3.
        "cohen_kappa": -1 / 3,
        # About the means: human .625, .125, −.375, −.375; rubric −.25, −.25, −.25, .75.
        # Σ xy = −.375, Σ x² = .6875, Σ y² = .75.
        "task_beta_pearson": -0.375 / np.sqrt(0.6875 * 0.75),
    }
    for metric, number in expected.items():
        assert value(table, "human", "rubric", metric) == pytest.approx(number, abs=1e-6), metric
    assert value(table, "human", "gpt4", "shift_beta") == pytest.approx(0.25)
    kinds = table.groupby("kind", sort=False)[["reference", "rater"]].agg(list)
    assert list(kinds.index) == ["change", "yardstick", "difference"]
    # GPT-4 agrees with people on two of four: 1/4 − 2/4.
    assert value(table, "human", "rubric - gpt4", "agreement") == pytest.approx(-0.25)


def test_units_weigh_core_tasks_twice_and_count_every_task_once():
    table = changes.by_unit(rated(draws=20), PUBLISHED, NEW, min_groups=2)
    assert list(table) == changes.columns(PUBLISHED, NEW)
    u, v = table.loc["u"], table.loc["v"]
    # β of u, weights 2, 1, 1: human (2 + ½)/4, GPT-4 (2 + 1 + ½)/4, rubric 0. It agrees on one of three.
    assert u[["n_tasks", "n_groups"]].tolist() == [3, 2]
    assert u["beta_human"] == 0.625
    assert u["beta_gpt4"] == 0.875
    assert u["beta_rubric"] == 0.0
    assert u["shift_beta"] == -0.625
    assert u["beyond_beta"] == -0.625
    assert u["agreement_human_rubric"] == pytest.approx(1 / 3)
    assert u["agreement_human_gpt4"] == pytest.approx(1 / 3)
    # ζ: human 3/4, GPT-4 4/4.
    assert u["shift_zeta"] == -0.75
    # v: from 0 to 1, one group, so no interval.
    assert v["shift_beta"] == 1.0 and v["beyond_alpha"] == 1.0
    assert np.isnan(v["shift_beta_low"]) and np.isfinite(u["shift_beta_low"])


def test_beyond_is_the_distance_from_the_range_of_all_published():
    published = np.array([[0.2, 0.2, 0.2, 0.3], [0.5, 0.5, 0.5, 0.1 + 0.2]])
    new = np.array([0.1, 0.3, 0.9, 0.1 + 0.2])
    found = changes.beyond(new, published)
    # The last is 0.3 up to rounding: within.
    assert found.tolist() == pytest.approx([-0.1, 0.0, 0.4, 0.0])
    assert found[3] == 0.0


def test_the_most_moved_activity_goes_first_and_small_ones_have_no_rank():
    table = pd.DataFrame(
        {
            "n_tasks": [30, 29, 50, 40, 90, 90, 60],
            "n_groups": [5, 5, 5, 5, 4, 5, 5],
            "beyond_beta": [-0.3, -0.9, -0.3, 0.2, 0.8, 0.0, -0.1],
        },
        index=pd.Index(list("abcdefg"), name="unit"),
    )
    ranked = changes.most_moved(table, min_tasks=30, min_groups=5)
    # b has too few tasks, e too few groups, f lies within; a and c tie and c has more tasks.
    assert ranked["rank"].fillna(0).tolist() == [2, 0, 1, 1, 0, 0, 3]
    assert ranked["direction"].tolist() == ["lower", "", "lower", "higher", "", "", "lower"]
    assert ranked["enough"].tolist() == [True, False, True, True, False, True, True]


def test_groups_are_means_over_the_units_that_a_draw_holds():
    # Two draws of one column; the second lacks the second unit.
    means = np.array([[[0.2, 0.6, 0.5], [0.4, np.nan, 0.5]]])
    names, found = changes.grouped(means, np.array(["x", "x", "y"]), np.array([1.0, 3.0, 0.0]))
    # (0.2 + 3·0.6)/4 = 0.5, then 0.4 alone; y has no weight and is left out.
    assert names == ["x"]
    np.testing.assert_allclose(found, [[[0.5], [0.4]]])


def test_employment_gives_the_means_of_the_labour_market():
    occupations = pd.DataFrame(
        [
            ("11-1011.00", "11-1011", "11-1011", 100.0, 0.2),
            ("11-1011.03", "11-1011", "11-1011", 100.0, 0.6),
            ("11-2021.00", "11-2021", "11-2020", 300.0, 0.9),
            ("11-2022.00", "11-2022", "11-2020", 300.0, 0.1),
            ("11-2022.01", "11-2022", "11-2020", 300.0, 0.3),
            ("11-1031.00", "11-1031", None, np.nan, 0.8),
        ],
        columns=["occupation", "soc", "oews_code", "oews_employment_workers", "beta"],
    ).set_index("occupation")
    weights = changes.employment_weights(occupations)
    assert weights.tolist() == [50, 50, 150, 75, 75, 0]
    # By hand: 11-1011 has 0.4, 11-2020 (0.9 + 0.2)/2 = 0.55: (100·0.4 + 300·0.55)/400 = 0.5125.
    mine = (occupations["beta"] * weights).sum() / weights.sum()
    assert mine == pytest.approx(0.5125)
    # And as the stage aggregate does it.
    rates = occupations.assign(n_tasks=1, **dict.fromkeys(lm.RATES, occupations["beta"]))
    pairs = pd.DataFrame(
        [("11-1011", "11-1011"), ("11-2020", "11-2021"), ("11-2020", "11-2022")],
        columns=["oews_code", "soc_code"],
    ).assign(match="direct")
    by_code = lm.oews_rates(pairs, lm.soc_rates(rates))["beta"]
    assert mine == pytest.approx((100 * by_code["11-1011"] + 300 * by_code["11-2020"]) / 400)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("uvw"),
            st.sampled_from(["d1", "d2", "d3", "d4", "d5"]),
            st.sampled_from([1.0, 2.0]),
            *[st.sampled_from(CLASSES)] * 3,
        ),
        min_size=4,
        max_size=30,
    ),
    seed=st.integers(0, 3),
)
def test_every_draw_is_the_measure_of_the_drawn_tasks(rows, seed):
    compared = rated(rows, draws=2, seed=seed)
    found = changes.pair_measures(compared, "human", "rubric")
    tasks = frame(rows)
    for draw in range(3):
        times = compared.held.weights[compared.held.group, draw].astype(int)
        drawn = tasks.loc[np.repeat(tasks.index, times)]
        human, rubric = drawn["label_human"], drawn["label_rubric"]
        assert found["agreement"][draw] == pytest.approx((human == rubric).mean())
        shift = rubric.map(EXPOSURE).mean() - human.map(EXPOSURE).mean()
        assert found["shift_beta"][draw] == pytest.approx(shift, abs=1e-12)
        moved = ((human == "E1") & (rubric == "E0")).mean()
        assert found["share_E1_E0"][draw] == pytest.approx(moved)
        if len(set(human) | set(rubric)) > 1:
            kappa = sklearn.metrics.cohen_kappa_score(human, rubric, labels=CLASSES)
            assert found["cohen_kappa"][draw] == pytest.approx(kappa, abs=1e-9)
        for position, unit in enumerate(compared.units):
            own = drawn[drawn["unit"] == unit]
            mean = compared.column("beta", "rubric")[draw, position]
            if own.empty:
                assert np.isnan(mean)
            else:
                beta = own["label_rubric"].map(EXPOSURE)
                assert mean == pytest.approx(np.average(beta, weights=own["weight"]))
