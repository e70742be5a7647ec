"""Reliability: how far raters agree with each other, beyond chance.

A unit (a task, an activity) has one class of each rater or none. Pairwise measures use the units
that both raters rated; Krippendorff's α uses every unit with at least two ratings.

Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania,
https://repository.upenn.edu/asc_papers/43: sections C (nominal, missing data) and E (ordinal).
"""

from itertools import combinations

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.measures import agreement

MISSING_RATING = -1


def class_numbers(ratings: pd.DataFrame, classes: list[str], where: str) -> np.ndarray:
    """Ratings [units × raters] as class numbers in the order of `classes`, −1 where missing.

    JobshiftError with `where` (the file) for a rating that is no class.
    """
    numbers = np.full(ratings.shape, MISSING_RATING)
    for column, rater in enumerate(ratings):
        known = ratings[rater].isin(classes) | ratings[rater].isna()
        if not known.all():
            unit = known.index[~known][0]
            raise JobshiftError(
                f"{where}: the rating {ratings.loc[unit, rater]!r} of {rater} for {unit} "
                f"is none of {', '.join(classes)}"
            )
        numbers[:, column] = pd.Categorical(ratings[rater], categories=classes).codes
    return numbers


def coincidences(numbers: np.ndarray, classes: int) -> np.ndarray:
    """Krippendorff's coincidence matrix [classes × classes] of ratings [units × raters].

    A unit with m ≥ 2 ratings adds 1 / (m − 1) for each ordered pair of ratings by two raters.
    """
    counts = np.zeros((len(numbers), classes))
    for column in numbers.T:
        rated = column != MISSING_RATING
        counts[np.flatnonzero(rated), column[rated]] += 1
    counts = counts[counts.sum(axis=1) >= 2]
    shares = counts / (counts.sum(axis=1, keepdims=True) - 1)
    return counts.T @ shares - np.diag(shares.sum(axis=0))


def krippendorff_alpha(numbers: np.ndarray, classes: int, level: str = "nominal") -> float:
    """Krippendorff's α of class numbers [units × raters], −1 where missing; classes in order.

    α = 1 − observed / expected disagreement, with `level` "nominal" (classes differ or not) or
    "ordinal" (squared number of ratings between two classes, each end counted by half). NaN where
    nothing can disagree: fewer than two classes in use. ValueError for another level.
    """
    observed = coincidences(numbers, classes)
    n = observed.sum(axis=0)
    if level == "nominal":
        distance = 1.0 - np.eye(classes)
    elif level == "ordinal":
        middle = np.cumsum(n) - n / 2
        distance = (middle[:, None] - middle[None, :]) ** 2
    else:
        raise ValueError(f"level is {level!r}, not 'nominal' or 'ordinal'")
    expected = (distance * np.outer(n, n)).sum()
    if expected == 0:
        return np.nan
    return float(1.0 - (n.sum() - 1) * (distance * observed).sum() / expected)


def reliability_table(numbers: np.ndarray, raters: list[str], scores: list[float]) -> pd.DataFrame:
    """Every measure between the raters: columns raters, measure, value, n (units that count).

    For each pair: agreement, cohen_kappa, cohen_kappa_quadratic (on the ordinal `scores` of the
    classes); for all raters together: krippendorff_alpha_nominal and krippendorff_alpha_ordinal.
    Without a second rater there is no row.
    """
    if len(raters) < 2:
        return pd.DataFrame(columns=["raters", "measure", "value", "n"])
    classes, rows = len(scores), []
    for a, b in combinations(range(len(raters)), 2):
        both = (numbers[:, [a, b]] != MISSING_RATING).all(axis=1)
        table = agreement.confusion_table(numbers[both, a], numbers[both, b], classes)
        for measure, value in (
            ("agreement", agreement.accuracy(table)),
            ("cohen_kappa", agreement.cohen_kappa(table)),
            ("cohen_kappa_quadratic", agreement.cohen_kappa(table, np.array(scores))),
        ):
            rows.append((f"{raters[a]}-{raters[b]}", measure, float(value), int(both.sum())))
    rated = int(((numbers != MISSING_RATING).sum(axis=1) >= 2).sum())
    for level in ("nominal", "ordinal"):
        value = krippendorff_alpha(numbers, classes, level)
        rows.append(("-".join(raters), f"krippendorff_alpha_{level}", value, rated))
    return pd.DataFrame(rows, columns=["raters", "measure", "value", "n"])
