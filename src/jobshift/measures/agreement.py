"""Agreement between labels, and between numbers, computed for many resamples at once.

Every function takes arrays with any number of leading dimensions (one for each resample) and works
on the last ones: a confusion table is [… × classes × classes] with the reference in rows and the
prediction in columns, a series of numbers is [… × n]. Counts may be fractions or sums of weights.
A measure that is not defined is NaN: a precision without predictions, a recall without cases, a κ
where chance alone must agree, a correlation with a constant. It is never set to 0.

Names and conventions as in scikit-learn where it has the measure; F1 of a class is 0 where it has
predictions or cases but no hit, and macro-F1 is the mean over the classes that occur in either.
"""

import math

import numpy as np
import pandas as pd

# Values that differ by less than this are equal: sums in another order differ in the 16th digit,
# which must neither break ties between ranks nor give a constant a correlation.
TOLERANCE = 1e-9


def confusion_table(reference: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs of class numbers, [classes × classes], with the reference in rows."""
    counts = np.bincount(reference * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of all cases on the diagonal."""
    return _ratio(_hits(confusion).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def precision(confusion: np.ndarray) -> np.ndarray:
    """Share of the predictions of each class that are right, [… × classes]."""
    return _ratio(_hits(confusion), confusion.sum(axis=-2))


def recall(confusion: np.ndarray) -> np.ndarray:
    """Share of the cases of each class that are found, [… × classes]."""
    return _ratio(_hits(confusion), confusion.sum(axis=-1))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that occur in the reference."""
    each = recall(confusion)
    return _ratio(np.nansum(each, axis=-1), np.isfinite(each).sum(axis=-1))


def f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class, 2 TP / (2 TP + FP + FN), [… × classes]."""
    return _ratio(2 * _hits(confusion), confusion.sum(axis=-2) + confusion.sum(axis=-1))


def f1_macro(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur in the reference or the prediction."""
    each = f1(confusion)
    return _ratio(np.nansum(each, axis=-1), np.isfinite(each).sum(axis=-1))


def cohen_kappa(confusion: np.ndarray, scores: np.ndarray | None = None) -> np.ndarray:
    """Cohen's κ; with `scores` [classes], κ weighted by the squared difference of the scores.

    κ = 1 − (observed disagreement) / (disagreement expected by chance from the margins). Cohen
    (1960), doi:10.1177/001316446002000104; weighted: Cohen (1968), doi:10.1037/h0026256. With
    equally spaced scores this is scikit-learn's `weights="quadratic"`.
    """
    classes = confusion.shape[-1]
    if scores is None:
        distance = 1.0 - np.eye(classes)
    else:
        scores = np.asarray(scores, dtype=float)
        distance = (scores[:, None] - scores[None, :]) ** 2
    margins = confusion.sum(axis=-1)[..., :, None] * confusion.sum(axis=-2)[..., None, :]
    observed = (distance * confusion).sum(axis=(-2, -1))
    expected = (distance * margins).sum(axis=(-2, -1))
    return 1.0 - _ratio(confusion.sum(axis=(-2, -1)) * observed, expected)


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r of `x` and `y` [… × n] over the last axis; a pair with a NaN is left out.

    NaN where either is constant or no pair is left.
    """
    present = np.isfinite(x) & np.isfinite(y)
    n = present.sum(axis=-1, keepdims=True)
    x, y = (np.where(present, values, 0.0) for values in (x, y))
    x, y = (
        np.where(present, values - _ratio(values.sum(axis=-1, keepdims=True), n), 0.0)
        for values in (x, y)
    )
    return pearson_from_sums(
        n[..., 0],
        x.sum(axis=-1),
        y.sum(axis=-1),
        (x * x).sum(axis=-1),
        (y * y).sum(axis=-1),
        (x * y).sum(axis=-1),
    )


def pearson_from_sums(
    n: np.ndarray, x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray, xy: np.ndarray
) -> np.ndarray:
    """Pearson's r from the number of pairs and the sums of x, y, x², y² and x y.

    Centre x and y near 0 before summing: differences of large sums lose digits.
    """
    var_x = _ratio(xx, n) - _ratio(x, n) ** 2
    var_y = _ratio(yy, n) - _ratio(y, n) ** 2
    varies = (var_x > TOLERANCE**2) & (var_y > TOLERANCE**2)
    covariance = _ratio(xy, n) - _ratio(x, n) * _ratio(y, n)
    spread = np.sqrt(np.where(varies, var_x, np.nan)) * np.sqrt(np.where(varies, var_y, np.nan))
    return np.clip(covariance / spread, -1.0, 1.0)


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ of `x` and `y` [… × n] over the last axis: Pearson's r of the ranks.

    Equal values share their mean rank; a pair with a NaN is left out.
    """
    present = np.isfinite(x) & np.isfinite(y)
    return pearson(ranks(np.where(present, x, np.nan)), ranks(np.where(present, y, np.nan)))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 over the last axis; ties share their mean rank, NaN stays NaN."""
    *leading, n = values.shape
    rows = np.round(values, 9).reshape(math.prod(leading), n)
    return pd.DataFrame(rows.T).rank().to_numpy().T.reshape(values.shape)


def mean_absolute_error(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean |x − y| over the last axis; a pair with a NaN is left out."""
    error = np.abs(x - y)
    return _ratio(np.nansum(error, axis=-1), np.isfinite(error).sum(axis=-1))


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.full(shape, np.nan), where=whole != 0)
