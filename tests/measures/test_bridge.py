"""The bridge to Chinese occupations by hand: the sample, the concordance, its ceiling, its check."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.measures import agreement, bridge

# Medium group 2-01 with five small groups, 2-02 with one; three occupations each, four statements.
IDS = [
    f"2-{medium}-{small:02}-{occupation:02}.{statement:02}"
    for medium, smalls in (("01", 5), ("02", 1))
    for small in range(1, smalls + 1)
    for occupation in (1, 2, 3)
    for statement in (1, 2, 3, 4)
]


def test_the_sample_by_hand():
    drawn = bridge.draw(IDS, occupations=2, one_in=2, statements=3, seed=1)
    # 2-01: one in two of five small groups, rounded up, is 3; 2-02: a half, but at least 2.
    occupations = pd.Series(sorted({each[:10] for each in drawn}))
    assert occupations.str[:4].value_counts().to_dict() == {"2-01": 3, "2-02": 2}
    assert len(drawn) == 5 * 3 and drawn == sorted(drawn) and set(drawn) <= set(IDS)
    # The three of 2-01 are of three small groups.
    assert occupations[occupations.str[:4] == "2-01"].str[:7].nunique() == 3
    # Seven occupations of five small groups: a second one only where all have a first.
    drawn = bridge.draw(IDS, occupations=7, one_in=9, statements=1, seed=1)
    counts = pd.Series(drawn).str[:7].value_counts()
    assert sorted(counts[counts.index.str[:4] == "2-01"]) == [1, 1, 1, 2, 2]
    # 2-02 has only three.
    assert counts["2-02-01"] == 3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False), st.integers(1, 5))
def test_a_larger_sample_holds_the_smaller_one_in_any_order(seed, chance, statements):
    mixed = IDS.copy()
    chance.shuffle(mixed)
    small = bridge.draw(IDS, 2, 9, statements, seed)
    assert bridge.draw(mixed, 2, 9, statements, seed) == small
    assert set(small) <= set(bridge.draw(IDS, 4, 9, statements + 1, seed))
    # What else there is does not matter.
    alone = bridge.draw([each for each in IDS if each.startswith("2-02")], 2, 9, statements, seed)
    assert alone == [each for each in small if each.startswith("2-02")]


def test_another_seed_draws_another_sample():
    assert bridge.draw(IDS, 2, 9, 2, seed=1) != bridge.draw(IDS, 2, 9, 2, seed=2)


ONET = pd.DataFrame(
    {"beta": [0.1, 0.3, 0.8, 0.4]},
    index=["11-1011.00", "11-1011.03", "11-1021.00", "13-2011.00"],
)


def test_the_concordance_takes_codes_alike_and_their_occupations_alike():
    concordance = pd.DataFrame(
        {"csco_group": ["1-01-01", "1-01-02", "2-01-01"],
         "soc": ["11-1011 13-2011", "11-1", "11-1011.03"]}
    )  # fmt: skip
    found = bridge.through_concordance(concordance, ONET)["beta"]
    # ((0.1 + 0.3) / 2 + 0.4) / 2; (0.1 + 0.3 + 0.8) / 3; 0.3 alone.
    assert found.to_dict() == pytest.approx({"1-01-01": 0.3, "1-01-02": 0.4, "2-01-01": 0.3})


def test_a_code_that_begins_no_occupation_is_named():
    concordance = pd.DataFrame({"csco_group": ["1-01-01"], "soc": ["11-1011 99-9"]})
    with pytest.raises(KeyError, match="99-9"):
        bridge.through_concordance(concordance, ONET)


def test_a_group_counts_each_of_its_occupations():
    small = pd.DataFrame({"beta": [0.2, 0.8, 0.5]}, index=["1-01-01", "1-01-02", "1-02-01"])
    codes = ["1-01-01-01", "1-01-01-02", "1-01-02-01", "1-02-01-01"]
    levels = bridge.by_level(pd.DataFrame(index=pd.Index(codes)), small)
    assert levels["small group"]["beta"].tolist() == [0.2, 0.2, 0.8, 0.5]
    # (0.2 + 0.2 + 0.8) / 3 = 0.4; with 0.5 as a fourth 0.425.
    assert levels["medium group"]["beta"].tolist() == pytest.approx([0.4, 0.4, 0.4, 0.5])
    assert levels["major group"]["beta"].tolist() == pytest.approx([0.425] * 4)


def test_the_mean_of_the_others_leaves_out_all_copies():
    values = np.array([1.0, 2.0, 6.0, 9.0])
    own, pool = np.array(list("abcd")), np.array(list("xxxy"))
    # As they are; and with the first drawn twice, the second not at all.
    times = np.array([[1, 2], [1, 0], [1, 1], [1, 1]], float)
    found = bridge.others_mean(values, own, pool, times)
    np.testing.assert_allclose(found[:, 0], [4, 3.5, 1.5, np.nan])
    np.testing.assert_allclose(found[:, 1], [6, 8 / 3, 1, np.nan])
    # Whole groups are left out where they are its own.
    found = bridge.others_mean(values, np.array(list("aabc")), np.array(list("xxxx")), times[:, :1])
    np.testing.assert_allclose(found[:, 0], [7.5, 7.5, 4, 3])


def test_explained_variance_by_hand():
    codes = pd.Index(["11-1011.00", "11-1021.00", "11-2011.00"])
    found = bridge.explained(np.array([0, 0.2, 0.6]), codes, np.ones((3, 1)))
    # The others' means are 0.4, 0.3 and 0.1: errors² 0.16 + 0.01 + 0.25 = 0.42. All are of one major
    # group. By minor group the guesses are 0.2, 0 and, alone, that of the major group, 0.1: errors²
    # 0.04 + 0.04 + 0.25 = 0.33. In a broad group each is alone.
    expected = {"SOC major group": 0, "SOC minor group": 1 - 0.33 / 0.42}
    expected["SOC broad group"] = expected["SOC minor group"]
    assert {name: draws[0] for name, draws in found.items()} == pytest.approx(expected)


def test_groups_that_are_all_the_difference_explain_nearly_all():
    rng = np.random.default_rng(0)
    codes = pd.Index([f"{major}-{minor}0{n:02}.00" for major in (11, 13, 15) for minor in (1, 2, 3)
                      for n in range(8)])  # fmt: skip
    minor = pd.factorize(codes.str[:4])[0]
    times = np.ones((len(codes), 1))
    by_minor = bridge.explained(rng.normal(size=9)[minor], codes, times)
    assert by_minor["SOC minor group"][0] == pytest.approx(1)
    noise = bridge.explained(rng.normal(size=len(codes)), codes, times)
    assert noise["SOC minor group"][0] < 0.1


def test_intraclass_correlation_by_hand():
    # Means 0.5 and 3.5, of all 2: between 2 · 1.5² · 2 = 9 with 1 degree of freedom, within 0.5 + 0.5
    # = 1 with 2, so 9 and ½; variance between (9 − ½) / 2 = 4.25.
    values, group = np.array([0, 1, 3, 4.0]), np.array(list("aabb"))
    found = bridge.intraclass(values, group, np.ones((4, 1)))
    assert found["intraclass_correlation"][0] == pytest.approx(4.25 / 4.75)
    assert found["reliability"][0] == pytest.approx(1 - 0.5 / 9)
    # Groups that differ less than their units have none.
    found = bridge.intraclass(np.array([0, 4, 1, 3.0]), group, np.ones((4, 1)))
    assert found["intraclass_correlation"][0] == found["reliability"][0] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_draws_are_samples_with_the_copies_written_out(seed):
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, 6, 20))
    x, y = rng.integers(0, 5, 20) / 4, rng.integers(0, 3, 20) / 2
    drawn = rng.integers(0, 3, 6)
    times = drawn[group].astype(float)
    rows = [np.flatnonzero(group == each) for each in range(6) for _ in range(drawn[each])]
    if not rows or sum(map(len, rows)) < 3:
        return
    written = np.concatenate(rows)
    copies = np.concatenate([np.full(len(own), n) for n, own in enumerate(rows)])
    weights = np.column_stack([np.ones(20), times])
    plain = np.ones((len(written), 1))
    assert bridge.spearman(x, y, weights)[1] == pytest.approx(
        float(agreement.spearman(x[written], y[written])), nan_ok=True
    )
    assert bridge.mean_absolute_error(x, y, weights)[1] == pytest.approx(
        np.abs(x - y)[written].mean()
    )
    assert bridge.mean_difference(x, y, weights)[1] == pytest.approx((x - y)[written].mean())
    if len(set(copies)) < 2 or len(set(copies)) == len(copies):
        return
    found = bridge.intraclass(y, group, weights)
    expected = bridge.intraclass(y[written], copies, plain)
    for name, draws in found.items():
        assert draws[1] == pytest.approx(expected[name][0], nan_ok=True)


def test_errors_of_a_guess_that_differs_by_draw():
    guess = np.array([[0.0, 1.0], [0.5, 0.5]])
    truth, times = np.array([0.0, 1.0]), np.array([[1.0, 3.0], [1.0, 1.0]])
    # (0 + 0.5) / 2; (3 · 1 + 0.5) / 4.
    np.testing.assert_allclose(bridge.mean_absolute_error(guess, truth, times), [0.25, 0.875])


def test_a_draw_without_any_unit_is_undefined():
    found = bridge.mean_difference(np.array([1.0]), np.array([0.5]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(found, [0.5, np.nan])
