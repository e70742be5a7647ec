"""How well scores tell the rows that are positive from those that are not, for many resamples at once.

For yes/no tasks such as text pairs: area under the ROC curve, average precision, and both curves. And
what `multilabel` needs to choose thresholds.

Weights. A resample gives each row a weight: how often it, or its leak group, was drawn. `weights` is
[… × n], a weight for each row, or, together with `group` [n], [… × groups], a weight for each group
of which `group` holds every row's number (the draws of `bootstrap.resample`, transposed). A measure
has the leading dimensions of `weights`; without weights every row counts once and it is one number.
A row of weight 2 counts as if it stood there twice. What is not defined is NaN, never 0.

Choices. Scores are compared exactly as they are given, as scikit-learn does: rounding them to tell
noise from difference would wipe out the order of probabilities close to 0 or 1. A row is predicted
positive if its score is at least the threshold. Thresholds to choose from are 0.5 and the midpoints
between neighbours among 0, 1 and the scores, all strictly between 0 and 1: a score of exactly 0 is
never predicted positive, a score of exactly 1 always.
"""

from collections.abc import Callable

import numpy as np

from jobshift.errors import JobshiftError
from jobshift.measures.agreement import _ratio

# Weights are spread over the rows for so many draws at a time that they take about 32 MB.
CELLS = 4_000_000


def roc_auc(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Area under the ROC curve, from 0 to 1: P(score of a positive row > that of a negative one).

    Equal scores count ½. It is Mann and Whitney's (1947, doi:10.1214/aoms/1177730491) U over the
    number of pairs (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747), pairs weighted by
    the product of their rows' weights. `positive` [n] is boolean or 0/1, `scores` [n] any finite
    numbers. NaN where a resample lacks positive or negative rows. Raises JobshiftError for scores
    that are not finite, labels that are not 0/1, no rows, or weights that do not fit.
    """

    def area(hits: np.ndarray, others: np.ndarray) -> np.ndarray:
        below = np.cumsum(others, axis=1) - others / 2
        return _ratio((hits * below).sum(axis=1), hits.sum(axis=1) * others.sum(axis=1))

    return _by_score(area, positive, scores, weights, group)


def average_precision(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Average precision, from 0 to 1: Σ (Rₖ − Rₖ₋₁) Pₖ over the distinct scores, highest first.

    Pₖ and Rₖ are precision and recall of "score ≥ the k-th distinct score": the area under the
    steps of the precision-recall curve without interpolation, as in scikit-learn. Rows, errors
    and shapes as in `roc_auc`. NaN where a resample lacks positive rows (scikit-learn says 0).
    """

    def area(hits: np.ndarray, others: np.ndarray) -> np.ndarray:
        hits, others = hits[:, ::-1], others[:, ::-1]
        found = np.cumsum(hits, axis=1)
        taken = found + np.cumsum(others, axis=1)
        # Where nothing is taken yet, nothing is hit: the step has no height.
        precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
        return _ratio((hits * precision).sum(axis=1), found[:, -1])

    return _by_score(area, positive, scores, weights, group)


def curves(
    positive: np.ndarray, scores: np.ndarray, points: int = 200
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What `roc_auc` and `average_precision` are areas under: "roc" and "precision_recall" → x, y.

    roc: share of the negative rows (x) and of the positive ones (y) that score at least as high as each
    distinct score, the highest first, from (0, 0) on. precision_recall: recall (x) and precision (y)
    there. Of more than `points` points these are evenly spaced in their order, with both ends. Empty
    where a curve is not defined: without positive or, roc, without negative rows. Rows and errors as
    in `roc_auc`.
    """
    positive, scores = _checked(positive, scores)
    levels = np.unique(scores)[::-1]
    hits, taken = counts_at(positive, scores, levels)
    all_hits, all_others = hits[-1], len(scores) - hits[-1]
    result = {"roc": (np.empty(0), np.empty(0)), "precision_recall": (np.empty(0), np.empty(0))}
    if all_hits and all_others:
        others = np.concatenate([[0], taken - hits]) / all_others
        result["roc"] = thinned(points, others, np.concatenate([[0], hits]) / all_hits)
    if all_hits:
        result["precision_recall"] = thinned(points, hits / all_hits, hits / taken)
    return result


def thinned(points: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` (2 or more) of the points x, y: evenly spaced in their order, with both ends."""
    kept = np.arange(len(x))
    if len(x) > points:
        kept = np.round(np.linspace(0, len(x) - 1, points)).astype(int)
    return x[kept], y[kept]


def candidates(probabilities: np.ndarray) -> np.ndarray:
    """The thresholds worth comparing for `probabilities` of any shape, ascending (see Choices)."""
    levels = np.unique(np.concatenate([[0.0, 1.0], np.ravel(probabilities)]))
    return np.unique(np.concatenate([[0.5], (levels[:-1] + levels[1:]) / 2]))


def counts_at(
    positive: np.ndarray, scores: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many rows are predicted positive and right, and predicted positive, at each threshold.

    `positive` (boolean) and `scores` have one shape; both results have that of `thresholds`.
    """
    every, hit = np.sort(scores, axis=None), np.sort(scores[positive], axis=None)
    return len(hit) - np.searchsorted(hit, thresholds), len(every) - np.searchsorted(
        every, thresholds
    )


def nearest_best(values: np.ndarray, thresholds: np.ndarray) -> float:
    """The threshold of highest value; of equal ones the nearest 0.5, of equally near the lower."""
    best = thresholds[values == values.max()]
    # Rounded, as 0.7 − 0.5 and 0.5 − 0.3 differ in the 17th digit.
    return float(best[np.argmin(np.round(np.abs(best - 0.5), 12))])


def check_weights(rows: int, weights: np.ndarray | None, group: np.ndarray | None) -> None:
    """Raise JobshiftError unless `weights` and `group` fit `rows` rows."""
    if group is not None and len(group) != rows:
        raise JobshiftError(
            f"there are {rows} rows but groups of {len(group)} rows; give every row its group"
        )
    if weights is None:
        return
    if group is None and weights.shape[-1] != rows:
        raise JobshiftError(
            f"there are {rows} rows but weights of {weights.shape[-1]}; "
            "give one weight a row, or the rows' groups"
        )
    if group is not None and rows and (np.min(group) < 0 or np.max(group) >= weights.shape[-1]):
        raise JobshiftError(
            f"a row is of group {np.max(group)} but there are weights of {weights.shape[-1]} groups; "
            "number the groups from 0 and give one weight a group"
        )


def _checked(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as booleans and scores as numbers, both [n]."""
    positive, scores = np.asarray(positive), np.asarray(scores, dtype=float)
    if positive.ndim != 1 or positive.shape != scores.shape or not len(scores):
        raise JobshiftError(
            f"labels have the shape {positive.shape} and scores {scores.shape}; "
            "give one label and one score a row, and at least one row"
        )
    bad = ~np.isin(positive, [0, 1])
    if bad.any():
        row = int(np.argmax(bad))
        raise JobshiftError(f"row {row}: the label {positive[row]} is not 0 or 1; give a yes or no")
    bad = ~np.isfinite(scores)
    if bad.any():
        row = int(np.argmax(bad))
        raise JobshiftError(
            f"row {row}: the score {scores[row]} is not a finite number; mend the predictions"
        )
    return positive.astype(bool), scores


def _by_score(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    group: np.ndarray | None,
) -> np.ndarray:
    """`function` of the weights of the positive and of the negative rows at each distinct score.

    It gets both as [draws × distinct scores], ascending, and gives [draws]; draws come in blocks.
    """
    positive, scores = _checked(positive, scores)
    check_weights(len(scores), weights, group)
    if weights is None:
        weights, group = np.ones(len(scores)), None
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    source = order if group is None else np.asarray(group)[order]
    hit = positive[order]
    draws = weights.reshape(-1, weights.shape[-1])
    size = max(1, CELLS // len(order))
    values = []
    for start in range(0, len(draws), size):
        drawn = draws[start : start + size][:, source]
        values.append(
            function(
                np.add.reduceat(np.where(hit, drawn, 0.0), starts, axis=1),
                np.add.reduceat(np.where(hit, 0.0, drawn), starts, axis=1),
            )
        )
    return np.concatenate(values).reshape(weights.shape[:-1])[()]
