"""Several classes a row: F1, ranking and subset measures, thresholds, and F1 over a hierarchy.

`reference` and `predicted` are boolean [n × classes], `scores` are [n × classes]. As in `agreement`,
a measure is a function of sums over rows: `f1_columns` tells what each row adds, the functions after
it take the sums [… × 3·classes], with any leading dimensions (one for each resample).
`label_ranking_average_precision` and `subset_accuracy` are means over rows of what they give for
each. `columns` puts all together that a row adds, `measures` makes every measure of the sums.

What happens with empty classes and rows. A class that occurs neither in the reference nor in the
prediction of a resample has no F1 (NaN) and is left out of that resample's macro-F1; a class that
occurs in either but is never hit has F1 0 and counts. (scikit-learn counts the first kind as 0
unless `labels` leaves it out.) Micro-F1 without any class in either is NaN. A row with no class, or
with all, has nothing to rank: its label-ranking average precision is 1, as in scikit-learn. A row
with no class that is predicted to have none is right.

A row's class is predicted if its score is at least the class's threshold.
"""

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.measures.agreement import _ratio
from jobshift.measures.ranking import candidates, counts_at, nearest_best

# Of the thresholds: cases that stand for all classes in each. Compared by cross-validation within the
# validation part of onet_activity (docs/experiments.md).
PRIOR_CASES = 200


def indicators(labels: pd.Series, classes: list[str]) -> np.ndarray:
    """Which of `classes` each row has, boolean [n × classes], from names joined by blanks.

    An empty string is a row without a class. Raises JobshiftError for a name that is no class.
    """
    column = {name: number for number, name in enumerate(classes)}
    result = np.zeros((len(labels), len(classes)), dtype=bool)
    for row, names in enumerate(labels):
        for name in names.split():
            if name not in column:
                raise JobshiftError(
                    f"row {row}: {name!r} is none of the {len(classes)} classes; "
                    "add it to them or mend the row"
                )
            result[row, column[name]] = True
    return result


def f1_columns(reference: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """What each row adds for each class, [n × 3·classes]: hits, then predictions, then cases."""
    return np.hstack([reference & predicted, predicted, reference]).astype(float)


def f1(sums: np.ndarray) -> np.ndarray:
    """F1 of each class, 2 hits / (predictions + cases), [… × classes], from sums of `f1_columns`.

    From 0 to 1; NaN for a class without predictions and cases.
    """
    hits, predicted, cases = np.split(sums, 3, axis=-1)
    return _ratio(2 * hits, predicted + cases)


def f1_macro(sums: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur in the reference or the prediction; NaN without any."""
    each = f1(sums)
    return _ratio(np.nansum(each, axis=-1), np.isfinite(each).sum(axis=-1))


def f1_micro(sums: np.ndarray) -> np.ndarray:
    """F1 over all pairs of row and class; NaN without any prediction and case."""
    return f1(pooled(sums))[..., 0]


def precision_micro(sums: np.ndarray) -> np.ndarray:
    """Share of all predictions that are right; NaN without any prediction."""
    hits, predicted, _ = np.moveaxis(pooled(sums), -1, 0)
    return _ratio(hits, predicted)


def recall_micro(sums: np.ndarray) -> np.ndarray:
    """Share of all cases that are found; NaN without any case."""
    hits, _, cases = np.moveaxis(pooled(sums), -1, 0)
    return _ratio(hits, cases)


def pooled(sums: np.ndarray) -> np.ndarray:
    """Sums of `f1_columns` as if all classes were one: hits, predictions, cases, [… × 3]."""
    return np.stack([part.sum(axis=-1) for part in np.split(sums, 3, axis=-1)], axis=-1)


def ancestors(code: str, levels: int = 2) -> list[str]:
    """The codes above an O*NET activity code, nearest first, down to those of `levels` levels.

    4.A.1.a.1 → 4.A.1.a, 4.A.1, 4.A.
    """
    parts = code.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, levels - 1, -1)]


def hierarchy(
    classes: list[str], levels: int = 2, root: bool = False
) -> tuple[list[str], np.ndarray]:
    """The classes with all codes above them, sorted, and which of them each class implies.

    Returns names [nodes] and a boolean matrix [classes × nodes]: a class implies itself and its
    `ancestors`. A code above every class is the root: it is in every set that is not empty and
    would be a hit for any guess (4.A is the root of O*NET's generalized work activities), so it is
    left out, as in Kiritchenko et al., unless `root` is set.
    """
    implied = [{name, *ancestors(name, levels)} for name in classes]
    nodes = set().union(*implied)
    if not root and implied:
        nodes -= set.intersection(*implied) - set(classes)
    names = sorted(nodes)
    return names, np.array([[node in each for node in names] for each in implied], dtype=bool)


def augmented(labels: np.ndarray, implies: np.ndarray) -> np.ndarray:
    """`labels` [n × classes] with all codes above them, [n × nodes], boolean.

    F1 over a hierarchy (Kiritchenko, Matwin and Famili 2005, "Functional annotation of genes using
    hierarchical text categorization", BioLINK SIG): the set of each row's classes is extended by
    all their ancestors, in the reference and in the prediction, and precision, recall and F1 are
    those of the extended sets, over all rows: `precision_micro`, `recall_micro` and `f1_micro` of
    the sums of `f1_columns` of the augmented labels. A guess in the right branch gets credit for
    the levels that it shares with the truth. `implies` comes from `hierarchy`.
    """
    return labels.astype(float) @ implies > 0


def subset_accuracy(reference: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Whether all classes of each row are right, 1.0 or 0.0, [n]; its mean is the accuracy of sets."""
    return (reference == predicted).all(axis=1).astype(float)


def label_ranking_average_precision(reference: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Label-ranking average precision of each row, [n], in (0, 1].

    For each class that the row has: of the classes that score at least as high, the share that the
    row has, too; averaged over the row's classes. A tie counts as ranked above, as in scikit-learn.
    Tsoumakas, Katakis and Vlahavas (2010), "Mining multi-label data". Raises JobshiftError for a
    score that is not finite.
    """
    _check(reference, scores)
    rows, classes = scores.shape
    order = np.argsort(-scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    has = np.take_along_axis(reference, order, axis=1)
    # Each rank's last rank of equal score: how many classes score at least as high, minus one.
    ends = np.ones((rows, classes), dtype=bool)
    ends[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    last = np.where(ends, np.arange(classes), classes)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    share = np.take_along_axis(np.cumsum(has, axis=1), last, axis=1) / (last + 1)
    count = has.sum(axis=1)
    mean = (share * has).sum(axis=1) / np.maximum(count, 1)
    return np.where((count == 0) | (count == classes), 1.0, mean)


def choose_thresholds(
    reference: np.ndarray, probabilities: np.ndarray, prior: float = PRIOR_CASES
) -> np.ndarray:
    """The threshold of highest F1 of each class on rows of validation, shrunk to that of all, [classes].

    A class has few cases in validation, and the threshold that is best for them alone is mostly chance. So
    hits, predictions and cases of each class are those of its own and, as if they were `prior` further
    cases, those of all classes together. With 0 each class would stand for itself, with many all get the
    one threshold of highest micro-F1. Of equally good thresholds the nearest 0.5, of equally near ones the
    lower; for those that are compared see `ranking`. All are 0.5 where validation has no case at all. Raises
    JobshiftError for values outside [0, 1] or a `prior` that is not above 0.
    """
    _check(reference, probabilities, probability=True)
    if not prior > 0:
        raise JobshiftError(f"the prior of the thresholds is {prior} cases; it must be above 0")
    count = reference.sum()
    if not count:
        return np.full(reference.shape[1], 0.5)
    thresholds, share = candidates(probabilities), prior / count
    every_hit, every_prediction = counts_at(reference, probabilities, thresholds)
    chosen = []
    for cases, values in zip(reference.T, probabilities.T, strict=True):
        hits, predicted = counts_at(cases, values, thresholds)
        found = 2 * (hits + share * every_hit)
        found /= predicted + share * every_prediction + cases.sum() + prior
        chosen.append(nearest_best(found, thresholds))
    return np.array(chosen)


def columns(
    reference: np.ndarray, predicted: np.ndarray, scores: np.ndarray, implies: np.ndarray
) -> np.ndarray:
    """What each row adds to the sums of `measures`, [n × 3·classes + 6].

    `predicted` is what the thresholds made of `scores`; `implies` [classes × nodes] comes from
    `hierarchy`. Raises JobshiftError for scores that are not finite or shapes that do not fit.
    """
    ranked = label_ranking_average_precision(reference, scores)
    deep = f1_columns(augmented(reference, implies), augmented(predicted, implies))
    right = subset_accuracy(reference, predicted)
    each = np.column_stack([ranked, right, np.ones(len(ranked))])
    return np.hstack([f1_columns(reference, predicted), pooled(deep), each])


def measures(sums: np.ndarray, classes: list[str]) -> dict[str, np.ndarray]:
    """Every measure by name, [… ] each, from sums of `columns` [… × 3·classes + 6]; `f1_<class>` last.

    All lie in [0, 1].
    """
    flat, deep, each = np.split(sums, [-6, -3], axis=-1)
    result = {
        "f1_micro": f1_micro(flat),
        "f1_macro": f1_macro(flat),
        "precision_micro": precision_micro(flat),
        "recall_micro": recall_micro(flat),
        "hierarchical_f1": f1_micro(deep),
        "hierarchical_precision": precision_micro(deep),
        "hierarchical_recall": recall_micro(deep),
        "label_ranking_average_precision": _ratio(each[..., 0], each[..., 2])[()],
        "subset_accuracy": _ratio(each[..., 1], each[..., 2])[()],
    }
    of_classes = np.moveaxis(f1(flat), -1, 0)
    return result | {f"f1_{name}": of for name, of in zip(classes, of_classes, strict=True)}


def class_table(sums: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """One row a class, from sums of `columns` [3·classes + 6]: class, n_test, precision, recall, f1.

    `n_test` is the number of rows that have the class. What is not defined is NaN.
    """
    hits, predicted, cases = np.split(sums[:-6], 3)
    return pd.DataFrame(
        {
            "class": classes,
            "n_test": cases.astype(int),
            "precision": _ratio(hits, predicted),
            "recall": _ratio(hits, cases),
            "f1": f1(sums[:-6]),
        }
    )


def _check(reference: np.ndarray, scores: np.ndarray, probability: bool = False) -> None:
    if reference.dtype != bool or reference.shape != scores.shape or scores.ndim != 2:
        raise JobshiftError(
            f"labels are {reference.dtype} {reference.shape} and scores {scores.shape}; "
            "give both as rows × classes, the labels as true or false"
        )
    bad = ~np.isfinite(scores)
    if probability:
        bad |= (scores < 0) | (scores > 1)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        kind = "probability" if probability else "finite number"
        raise JobshiftError(
            f"row {row}: the score {scores[row, column]} of class {column} is not a {kind}; "
            "mend the predictions"
        )
