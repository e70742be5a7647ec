import numpy as np
import pyarrow as pa
import pytest

from jobshift.rating.occupations import occupation_table


def tables(values: list[float | None], occupations: list[str | None], size: int):
    for start in range(0, len(values), size):
        part = pa.table({"beta": pa.array(values[start : start + size], pa.float64())})
        yield occupations[start : start + size], part


def test_means_are_over_rated_rows_that_have_an_occupation():
    values = [0.2, None, 0.6, 0.5, 0.9]
    occupations = ["b", "b", "b", "a", None]
    found = occupation_table(tables(values, occupations, 2), ["beta"])
    assert found["occupation"] == ["a", "b"] and found["n"] == [1, 2]
    assert found["beta"] == [0.5, 0.4]
    assert found["beta_low"][0] == found["beta_high"][0] == 0.5  # of one row
    assert found["beta_low"][1] < 0.4 < found["beta_high"][1]


def test_the_interval_is_that_of_the_mean():
    random = np.random.default_rng(0)
    values = random.beta(2, 3, 4000)
    found = occupation_table(tables(values.tolist(), ["x"] * 4000, 1000), ["beta"])
    error = values.std() / np.sqrt(len(values))
    assert found["beta_low"][0] == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert found["beta_high"][0] == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_the_same_rows_give_the_same_interval_and_another_seed_another():
    values, names = [0.1, 0.4, 0.8, 0.9], ["x"] * 4
    first = occupation_table(tables(values, names, 2), ["beta"])
    assert first == occupation_table(tables(values, names, 2), ["beta"])
    assert first != occupation_table(tables(values, names, 2), ["beta"], seed=1)


def test_nothing_rated_gives_no_occupation():
    found = occupation_table(tables([None], ["a"], 1), ["beta"])
    assert found == {"occupation": [], "n": [], "beta": [], "beta_low": [], "beta_high": []}
