"""Fairness by hand: measures of a few tasks, chance, deciles, tests against the rest, and what must add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.measures import bootstrap, fairness

SCORES = np.array([0.0, 0.5, 1.0])
REFERENCE = np.array([0, 1, 2, 2])
PROBABILITIES = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.0, 0.4, 0.6], [0.2, 0.0, 0.8]])
PREDICTED = PROBABILITIES.argmax(axis=1)


def columns(rows=slice(None), bins=5):
    return fairness.task_columns(
        REFERENCE[rows], PREDICTED[rows], PROBABILITIES[rows], SCORES, bins
    )


def test_measures_of_four_tasks():
    error, signed, calibration = fairness.measures(columns().sum(axis=0))
    assert error == pytest.approx(1 / 4)
    # Predicted β .1, .2, .8 and .8, labelled 0, .5, 1 and 1.
    assert signed == pytest.approx((0.1 - 0.3 - 0.2 - 0.2) / 4)
    # Bins (.4, .6]: confidences .6 and .6, one right; (.6, .8]: .8 and .8, both right.
    assert calibration == pytest.approx((abs(1 - 1.2) + abs(2 - 1.6)) / 4)


def test_no_tasks_have_no_measures():
    assert np.isnan(fairness.measures(np.zeros((2, 18)))).all()


def test_what_chance_gives():
    assert fairness.by_chance(np.ones(3), bins=5, draws=10, seed=0) == 0
    # One task is off by .3 with probability .7 and by .7 with .3.
    found = fairness.by_chance(np.array([0.7]), bins=5, draws=20_000, seed=0)
    assert found == pytest.approx(0.42, abs=0.01)
    # Two of .5 in one bin: off by 1 in half of the draws, of two tasks.
    found = fairness.by_chance(np.full(2, 0.5), bins=5, draws=20_000, seed=0)
    assert found == pytest.approx(0.25, abs=0.01)


def test_deciles_of_workers():
    jobs = pd.DataFrame(
        {
            "workers": [10.0, 10.0, 25.0, 5.0, 40.0, 10.0, 7.0, np.nan],
            "wage": [30.0, 10.0, 20.0, 30.0, 50.0, 60.0, np.nan, 70.0],
        },
        index=list("abcdefgh"),
    )
    # By wage: b has the workers 0 to 10, c to 35 (middle 22.5), a and d to 50 (42.5), e to 90 (70), f.
    found = fairness.wage_deciles(jobs["workers"], jobs["wage"])
    assert found.dropna().to_dict() == {"b": 1, "c": 3, "a": 5, "d": 5, "e": 8, "f": 10}
    assert found.isna()[["g", "h"]].all()


def study(wrong, group, leak=None):
    """Resamples and the columns of tasks, right or `wrong`, each a leak group but where `leak` is given."""
    n = len(wrong)
    tasks = pd.DataFrame({"group": [f"{each:04}" for each in (range(n) if leak is None else leak)]})
    p = np.tile([0.7, 0.2, 0.1], (n, 1))
    reference = np.where(wrong, 1, 0)
    predicted = np.zeros(n, dtype=int)
    made = fairness.task_columns(reference, predicted, p, SCORES, 5)
    return bootstrap.Resamples(tasks, 99, 0), made, p[:, 0], pd.Series(group, dtype="string")


def test_groups_against_the_rest():
    # 20 tasks of each of "2" and "10" and 5 of "3"; no task of "2" is wrong, all of "10" are, 1 of "3".
    wrong = np.array([False] * 20 + [True] * 20 + [True] + [False] * 4 + [False])
    group = ["2"] * 20 + ["10"] * 20 + ["3"] * 5 + [None]
    resamples, made, confidence, membership = study(wrong, group)
    table = fairness.by_group(resamples, [made], [confidence], membership, 10, 0)
    assert list(table) == fairness.COLUMNS
    # Numbers in their order; the task without a group is among the rest of all.
    assert table["group"].tolist() == ["2", "3", "10"]
    table = table.set_index("group")
    assert table["n_tasks"].to_dict() == {"2": 20, "3": 5, "10": 20}
    assert table["error"].to_dict() == {"2": 0.0, "3": 0.2, "10": 1.0}
    assert table["rest_error"].to_list() == pytest.approx([21 / 26, 20 / 41, 1 / 26])
    assert table.loc["2", ["error_low", "error_high"]].tolist() == [0, 0]
    # Right with confidence .7: predicted β .2 instead of 0; wrong: instead of .5.
    assert table["signed_error"].to_dict() == pytest.approx({"2": 0.2, "3": 0.1, "10": -0.3})
    # All tasks in one bin: |share right − .7|.
    calibration = table["expected_calibration_error"].to_dict()
    assert calibration == pytest.approx({"2": 0.3, "3": 0.1, "10": 0.7})
    # No draw is on the other side of 0: p is 2/100, by Holm of two tests 4/100, the small one is no test.
    assert table["p_holm"].dropna().to_dict() == pytest.approx({"2": 0.04, "10": 0.04})
    # Better than the rest is not unreliable.
    assert table["unreliable"].to_dict() == {"2": False, "3": False, "10": True}


def test_holm_by_hand():
    # p .01, .02, .5 and a group that is not judged: 3 × .01, 2 × .02, 1 × .5.
    found = bootstrap.holm(np.array([0.02, np.nan, 0.5, 0.01]))
    assert found == pytest.approx([0.04, np.nan, 0.5, 0.03], nan_ok=True)


def test_several_seeds_are_averaged():
    group = ["a"] * 4 + ["b"] * 4
    resamples, one, confidence, membership = study(np.array([True] * 2 + [False] * 6), group)
    _, other, _, _ = study(np.array([False] * 6 + [True] * 2), group)
    table = fairness.by_group(resamples, [one, other], [confidence] * 2, membership, 1, 0)
    assert table["error"].tolist() == [0.25, 0.25]
    assert table["rest_error"].tolist() == [0.25, 0.25]


def test_a_single_group_has_no_rest():
    resamples, made, confidence, membership = study(np.array([True, False]), ["all"] * 2)
    row = fairness.by_group(resamples, [made], [confidence], membership, 1, 0).iloc[0]
    assert np.isnan(row["rest_error"]) and np.isnan(row["p_holm"]) and not row["unreliable"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(0, 5)), min_size=2))
def test_groups_add_up_to_all_tasks(tasks):
    wrong, group, leak = (np.array(each) for each in zip(*tasks, strict=True))
    resamples, made, confidence, membership = study(wrong, group, leak)
    table = fairness.by_group(resamples, [made], [confidence], membership, 1, 0)
    n = table["n_tasks"]
    assert n.sum() == len(tasks)
    assert (n * table["error"]).sum() == pytest.approx(wrong.sum(), abs=1e-4)
    for row in table.itertuples():
        assert row.error_low - 1e-6 <= row.error <= row.error_high + 1e-6
        assert row.n_groups == len(set(leak[group == row.group]))
        if row.n_tasks < len(tasks):
            rest = wrong[group != row.group].mean()
            assert row.rest_error == pytest.approx(rest)


@pytest.mark.parametrize(
    ("grouping", "group", "title", "said"),
    [
        ("major_group", "23", "Legal", "23 Legal"),
        ("wage_decile", "3", "$1 to $2", "Wage decile 3 ($1 to $2)"),
        ("job_zone", "4", "considerable preparation", "Job zone 4 (considerable preparation)"),
    ],
)
def test_a_group_in_words(grouping, group, title, said):
    row = {"grouping": grouping, "group": group, "title": title, "rest_error": 0.26}
    row |= {"error": 0.412, "error_low": 0.349, "error_high": 0.47}
    assert fairness.in_words(row) == f"{said}: 41 % wrong [35, 47], the rest 26 %"


def test_all_tasks_in_words():
    row = dict.fromkeys(["error", "error_low", "error_high"], 0.25)
    row |= {"grouping": "all", "group": "all", "title": "All tasks", "rest_error": float("nan")}
    assert fairness.in_words(row) == "All tasks: 25 % wrong [25, 25]"
