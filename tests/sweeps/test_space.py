"""Search spaces: declarations, conditions, and what a point gets of them."""

import math

import optuna
import pytest

from jobshift.errors import JobshiftError
from jobshift.sweeps.options import Parameter, Pruner
from jobshift.sweeps.samplers import PointSampler, Sobol, at, pruner
from jobshift.sweeps.space import distributions, samples, suggest

SPACE = {
    "lr": Parameter("float", 1e-4, 1e-1, log=True),
    "layers": Parameter("int", 1, 3),
    "pooling": Parameter("categorical", choices=["max", "mean"]),
    "dropout": Parameter("float", 0.0, 0.5, step=0.1, when={"layers": [2, 3]}),
}


def drawn(kind: str, points, seed: int = 0) -> dict[int, dict]:
    """Point → its parameters, asked for in the given order."""
    study = optuna.create_study(sampler=PointSampler(kind, seed, list(SPACE)))
    found = {}
    for point in points:
        study.enqueue_trial({}, user_attrs={"point": point})
        trial = study.ask()
        found[point] = suggest(trial, SPACE)
        study.tell(trial, float(point))
    return found


@pytest.mark.parametrize("kind", ["random", "qmc"])
def test_a_point_has_the_same_parameters_in_whatever_order_it_is_asked_for(kind: str):
    assert drawn(kind, [0, 1, 2, 3]) == drawn(kind, [3, 1, 0, 2])
    assert drawn(kind, [0, 1]) != drawn(kind, [0, 1], seed=1)
    assert drawn(kind, [0])[0] != drawn(kind, [1])[1]


def test_tpe_draws_the_same_after_the_same_trials():
    assert drawn("tpe", range(14)) == drawn("tpe", range(14))


@pytest.mark.parametrize("kind", ["random", "qmc", "tpe"])
def test_a_conditional_parameter_is_there_only_under_its_condition(kind: str):
    for chosen in drawn(kind, range(16)).values():
        assert ("dropout" in chosen) == (chosen["layers"] in (2, 3))
        assert 1e-4 <= chosen["lr"] <= 1e-1


def test_sobol_points_are_even():
    # 8 points of a scrambled Sobol sequence: one in each eighth of every coordinate.
    names = list(SPACE)
    for name in names:
        found = sorted(int(8 * Sobol(0, point, names).coordinates[name]) for point in range(8))
        assert found == list(range(8))


def test_the_inverse_distribution_by_hand():
    found = distributions(SPACE)
    assert at(found["lr"], 0.5) == pytest.approx(math.sqrt(1e-4 * 1e-1))
    assert [at(found["layers"], u) for u in (0, 0.32, 0.34, 0.66, 0.67, 0.999)] == [
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    assert [at(found["pooling"], u) for u in (0.49, 0.5)] == ["max", "mean"]
    # Six values, 0.0 to 0.5: a sixth of the interval each.
    assert at(found["dropout"], 0.51) == pytest.approx(0.3)
    whole = distributions({"n": Parameter("int", 1, 100, log=True)})["n"]
    assert (at(whole, 0.0), at(whole, 0.9999)) == (1, 100)


def test_samples_are_both_ends_or_every_choice():
    assert samples(SPACE)["layers"] == [1, 3]
    assert samples(SPACE)["pooling"] == ["max", "mean"]


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (
            Parameter("real", 0, 1),
            r"space\.x: its type is 'real'; choose float, int or categorical",
        ),
        (Parameter("float", 1, 1), "needs low < high"),
        (Parameter("float", 0), "needs low < high"),
        (Parameter("float", 0, 1, log=True), "low must be above 0"),
        (Parameter("int", 1, 5, step=3), "whole number of steps"),
        (Parameter("float", 0, 1, step=0.3), "whole number of steps"),
        (Parameter("int", 0.5, 3), "whole numbers"),
        (Parameter("categorical", choices=["a"]), "two or more choices"),
        (Parameter("categorical", choices=["a", [1]]), "choices are numbers, texts"),
        (Parameter("float", 0, 1, when={"z": 1}), "'when' names z"),
        (Parameter("float", 0, 1, when={"first": 9}), "first=9, which never is"),
    ],
)
def test_wrong_declarations_are_one_clear_sentence(parameter: Parameter, said: str):
    with pytest.raises(JobshiftError, match=said):
        distributions({"first": Parameter("int", 1, 3), "x": parameter})


def test_an_empty_space_an_unknown_sampler_and_pruner_are_refused():
    with pytest.raises(JobshiftError, match="search space is empty"):
        distributions({})
    with pytest.raises(JobshiftError, match="sampler is 'luck'; choose one of tpe, random, qmc"):
        PointSampler("luck", 0, [])
    with pytest.raises(JobshiftError, match=r"pruner\.kind is 'axe'"):
        pruner(Pruner("axe"), 3)


@pytest.mark.parametrize("kind", ["successive_halving", "median", "hyperband"])
def test_pruners_end_what_is_worse_than_what_came_before(kind: str):
    study = optuna.create_study(
        direction="maximize", pruner=pruner(Pruner(kind, 1, 2, warmup_trials=4), 4)
    )
    ended = []
    for value in (0.9, 0.8, 0.7, 0.6, 0.1, 0.05, 0.01, 0.95):
        trial = study.ask()
        pruned = False
        for epoch in range(1, 5):
            trial.report(value, epoch)
            pruned = pruned or trial.should_prune()
        study.tell(
            trial,
            state=optuna.trial.TrialState.PRUNED if pruned else None,
            values=None if pruned else value,
        )
        ended.append(pruned)
    assert not ended[0] and any(ended) and not ended[-1]
