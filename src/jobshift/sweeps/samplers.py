"""Which parameters a point of the sweep gets, and when its trial is ended early.

Every point has a random state of its own, from the sweep's seed and the point's number. So random and
Sobol points are the same whoever runs them, in whatever order and after whatever crash. TPE also looks at
the trials that are finished when it is asked.
"""

import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from jobshift.errors import JobshiftError
from jobshift.sweeps.options import Pruner

SAMPLERS = ("tpe", "random", "qmc")
PRUNERS = ("none", "median", "successive_halving", "hyperband")


class PointSampler(BaseSampler):
    """A sampler made anew for each point, which it finds among the trial's attributes."""

    def __init__(self, kind: str, seed: int, names: list[str]):
        if kind not in SAMPLERS:
            raise JobshiftError(f"sampler is '{kind}'; choose one of {', '.join(SAMPLERS)}")
        self.kind, self.seed, self.names = kind, seed, names
        self.inner: BaseSampler = RandomSampler(seed)

    def before_trial(self, study, trial) -> None:
        """Start the random state of the trial's point."""
        point = trial.user_attrs.get("point", 0)
        seed = int(np.random.SeedSequence([self.seed, point]).generate_state(1)[0])
        if self.kind == "random":
            self.inner = RandomSampler(seed)
        elif self.kind == "tpe":
            self.inner = TPESampler(seed=seed, multivariate=True, group=True)
        else:
            self.inner = Sobol(self.seed, point, self.names)
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(self, study, trial) -> dict[str, BaseDistribution]:
        """As the sampler of the point."""
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space) -> dict[str, Any]:
        """As the sampler of the point."""
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution) -> Any:
        """As the sampler of the point."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


class Sobol(BaseSampler):
    """A point of a scrambled Sobol sequence, one coordinate a parameter, also of those not active.

    Optuna's own QMCSampler counts the trials that were asked, so what a point gets there depends on
    crashes and on who asks first.
    """

    def __init__(self, seed: int, point: int, names: list[str]):
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(seed))
        if point:
            sequence.fast_forward(point)
        self.coordinates = dict(zip(names, sequence.random(1)[0], strict=True))

    def infer_relative_search_space(self, study, trial) -> dict[str, BaseDistribution]:
        """None: all parameters are sampled one by one."""
        return {}

    def sample_relative(self, study, trial, search_space) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(self, study, trial, param_name, param_distribution) -> Any:
        """The parameter's coordinate, stretched over its distribution."""
        return at(param_distribution, float(self.coordinates[param_name]))


def at(found: BaseDistribution, u: float) -> Any:
    """The value of a distribution at `u` in [0, 1), by its inverse cumulative distribution."""
    if isinstance(found, CategoricalDistribution):
        return found.choices[int(u * len(found.choices))]
    whole = isinstance(found.high, int)
    low, high = found.low, found.high
    if found.log:
        # Whole numbers have the width of one around them, as in Optuna.
        low, high = (low - 0.5, high + 0.5) if whole else (low, high)
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        value = round(value) if whole else value
    elif found.step:
        value = low + found.step * int(u * (round((high - low) / found.step) + 1))
    else:
        value = low + u * (high - low)
    return min(max(value, found.low), found.high)


def pruner(options: Pruner, epochs: int) -> BasePruner:
    """The pruner; `epochs` is the most that a trial may train."""
    if options.kind not in PRUNERS:
        raise JobshiftError(f"pruner.kind is '{options.kind}'; choose one of {', '.join(PRUNERS)}")
    if options.min_epochs < 1 or options.reduction < 2:
        raise JobshiftError("pruner.min_epochs is 1 or more, pruner.reduction 2 or more")
    if options.kind == "median":
        return MedianPruner(options.warmup_trials, n_warmup_steps=options.min_epochs)
    if options.kind == "successive_halving":
        return SuccessiveHalvingPruner(options.min_epochs, options.reduction)
    if options.kind == "hyperband":
        most = max(epochs, options.min_epochs)
        return HyperbandPruner(options.min_epochs, most, options.reduction)
    return NopPruner()
