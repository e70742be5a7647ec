"""The search space: typed parameters, their Optuna distributions, and what a trial gets of them."""

import math
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from jobshift.errors import JobshiftError
from jobshift.sweeps.options import Parameter

Space = dict[str, Parameter]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Parameter → its distribution; JobshiftError where a parameter is declared wrongly."""
    if not space:
        raise JobshiftError("the search space is empty; list parameters under 'space'")
    found = {key: distribution(key, parameter) for key, parameter in space.items()}
    declared: list[str] = []
    for key, parameter in space.items():
        for other, values in parameter.when.items():
            if other not in declared:
                raise JobshiftError(
                    f"space.{key}: 'when' names {other}, which is not a parameter declared before it"
                )
            for value in listed(values):
                if not contains(found[other], value):
                    raise JobshiftError(
                        f"space.{key}: 'when' asks for {other}={value}, which never is"
                    )
        declared.append(key)
    return found


def distribution(key: str, parameter: Parameter) -> BaseDistribution:
    """The distribution of one parameter."""
    if parameter.type not in ("float", "int", "categorical"):
        raise JobshiftError(
            f"space.{key}: its type is '{parameter.type}'; choose float, int or categorical"
        )
    if parameter.type == "categorical":
        if len(parameter.choices) < 2 or parameter.low is not None or parameter.high is not None:
            raise JobshiftError(
                f"space.{key}: a categorical needs two or more choices, and no range"
            )
        if any(not isinstance(each, bool | int | float | str) for each in parameter.choices):
            raise JobshiftError(f"space.{key}: choices are numbers, texts, true or false")
        return CategoricalDistribution(parameter.choices)
    low, high, step = parameter.low, parameter.high, parameter.step
    if low is None or high is None or not low < high or parameter.choices:
        raise JobshiftError(f"space.{key}: a {parameter.type} needs low < high, and no choices")
    if parameter.log and (low <= 0 or step is not None):
        raise JobshiftError(f"space.{key}: with log, low must be above 0 and there is no step")
    if step is not None and step <= 0:
        raise JobshiftError(f"space.{key}: step must be above 0")
    if parameter.type == "float":
        if step and not math.isclose((high - low) / step, round((high - low) / step)):
            raise JobshiftError(f"space.{key}: high must lie a whole number of steps above low")
        return FloatDistribution(low, high, log=parameter.log, step=step)
    if any(value is not None and value != int(value) for value in (low, high, step)):
        raise JobshiftError(f"space.{key}: low, high and step of an int are whole numbers")
    if (int(high) - int(low)) % int(step or 1):
        raise JobshiftError(f"space.{key}: high must lie a whole number of steps above low")
    return IntDistribution(int(low), int(high), log=parameter.log, step=int(step or 1))


def listed(values: Any) -> list:
    """`values` of a condition as a list; one value may stand alone."""
    return values if isinstance(values, list) else [values]


def contains(found: BaseDistribution, value: Any) -> bool:
    """Whether a distribution can give `value`."""
    if isinstance(found, CategoricalDistribution):
        return any(each == value and type(each) is type(value) for each in found.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(found, IntDistribution) and value != int(value):
        return False
    return found._contains(value)


def active(parameter: Parameter, chosen: dict[str, Any]) -> bool:
    """Whether `parameter` exists beside the values `chosen` so far."""
    return all(
        other in chosen and chosen[other] in listed(values)
        for other, values in parameter.when.items()
    )


def suggest(trial, space: Space) -> dict[str, Any]:
    """The parameters of an Optuna trial, in the order of the space, without those not active."""
    chosen: dict[str, Any] = {}
    for key, found in distributions(space).items():
        if active(space[key], chosen):
            chosen[key] = trial._suggest(key, found)
    return chosen


def samples(space: Space) -> dict[str, list]:
    """Parameter → values to try its type with: both ends, or every choice."""
    return {
        key: list(found.choices)
        if isinstance(found, CategoricalDistribution)
        else [found.low, found.high]
        for key, found in distributions(space).items()
    }
