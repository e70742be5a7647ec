"""How well scores tell the rows that are positive from those that are not, for many resamples at once.

For yes/no tasks such as text pairs: area under the ROC curve, average precision, Brier score, and
accuracy at a threshold that was chosen on validation.

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


def weighted_sums(
    columns: np.ndarray, weights: np.ndarray | None = None, group: np.ndarray | None = None
) -> np.ndarray:
    """Sums of `columns` [n × m] over the rows in every resample, [… × m]; see Weights above.

    Raises JobshiftError where the weights fit neither the rows nor the groups.
    """
    check_weights(len(columns), weights, group)
    if weights is None:
        return columns.sum(axis=0)
    if group is not None:
        by_group = np.zeros((weights.shape[-1], columns.shape[1]))
        np.add.at(by_group, group, columns)
        columns = by_group
    return weights @ columns


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


def brier_score(
    positive: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Mean squared distance of the probability of "positive" from 0 or 1, from 0 to 1.

    Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, in the form for two classes:
    half of what `calibration.brier_score` gives when both classes are summed. Rows and shapes as in
    `roc_auc`; raises JobshiftError for probabilities outside [0, 1], too.
    """
    positive, probabilities = _checked(positive, probabilities, probability=True)
    return _mean((probabilities - positive) ** 2, weights, group)


def accuracy(
    positive: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    weights: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Share of the rows, from 0 to 1, where "score ≥ threshold" is the label.

    Choose the threshold on validation, by `best_threshold`. Rows, errors and shapes as in `roc_auc`.
    """
    positive, scores = _checked(positive, scores)
    return _mean((scores >= threshold) == positive, weights, group)


def best_threshold(positive: np.ndarray, probabilities: np.ndarray) -> float:
    """The threshold of highest accuracy on rows of validation; of equally good ones the nearest 0.5.

    `positive` [n] is boolean or 0/1, `probabilities` [n] lie in [0, 1]; raises JobshiftError where
    they do not. For the thresholds that are compared see Choices above.
    """
    positive, probabilities = _checked(positive, probabilities, probability=True)
    thresholds = candidates(probabilities)
    hits, predicted = counts_at(positive, probabilities, thresholds)
    # Right are the hits and the negatives that are not predicted; the number of negatives is fixed.
    return nearest_best(2 * hits - predicted, thresholds)


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


def measure(
    positive: np.ndarray,
    probabilities: np.ndarray,
    threshold: float,
    weights: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Every measure of one run, by name, each with the leading dimensions of `weights`.

    `positive` and `probabilities` are [n]; `threshold` was chosen on validation. Raises
    JobshiftError as the single measures do.
    """
    return {
        "roc_auc": roc_auc(positive, probabilities, weights, group),
        "average_precision": average_precision(positive, probabilities, weights, group),
        "brier_score": brier_score(positive, probabilities, weights, group),
        "accuracy": accuracy(positive, probabilities, threshold, weights, group),
    }


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


def _checked(
    positive: np.ndarray, scores: np.ndarray, probability: bool = False
) -> tuple[np.ndarray, np.ndarray]:
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
    if probability:
        bad |= (scores < 0) | (scores > 1)
    if bad.any():
        row, kind = int(np.argmax(bad)), "probability" if probability else "finite number"
        raise JobshiftError(
            f"row {row}: the score {scores[row]} is not a {kind}; mend the predictions"
        )
    return positive.astype(bool), scores


def _mean(values: np.ndarray, weights: np.ndarray | None, group: np.ndarray | None) -> np.ndarray:
    """Weighted mean of `values` [n]; NaN in a resample without rows."""
    sums = weighted_sums(np.column_stack([values, np.ones(len(values))]), weights, group)
    return _ratio(sums[..., 0], sums[..., 1])[()]


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
