"""Cluster bootstrap: every measure of a run for all resamples of the leak groups at once.

Tasks of one leak group share texts or activities and are right or wrong together, so whole groups
are drawn with replacement, not tasks (Davison and Hinkley 1997, section 3.8; Cameron, Gelbach and
Miller 2008). A draw is a weight for each group: how often it was drawn. All measures are functions
of sums over tasks, so that the sums per group times the matrix of weights give all draws in one
product. The first "draw" has weight 1 for every group and is the plain measure. Runs on the same
held-out tasks share the draws, which makes differences between models paired.

Choices. The interval is the percentile interval of the draws after they are moved so that their
mean is the plain value. A resample holds only about 63 % of the groups, so the occupation means in
it are noisier than those of the sample, which lowers every correlation between them and raises
their errors and the calibration error: unmoved, the interval of an occupation measure can miss its
own value. Measures that are means over tasks do not move. The ends stay within the measure's range.
A draw in which a measure is not defined is left out and counted. The intervals tell what other
groups of tasks would have given, not what other seeds would have; with few groups (the 22 SOC
major groups) they are somewhat too narrow.

Labels that are degrees of exposure have scores, so that the weighted κ and the exposure of tasks and
occupations are measured as well. Other labels are names alone: then these are not defined, and balanced
accuracy, the mean recall of the classes, stands beside accuracy.

A model that says the same of every task of a fold has no correlation. Its constants would differ
between folds only because each training set lacks just what is held out, so that they run against
the labels: the majority baseline would seem to correlate by −0.6 over the major groups.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from jobshift.measures import agreement, calibration
from jobshift.measures.exposure import MEASURES, class_weights

COMPARISON = ["model_a", "model_b", "difference", "low", "high", "p", "p_holm", "draws"]


def resample(groups: int, draws: int, seed: int) -> np.ndarray:
    """How often each group was drawn, [groups × 1 + draws]; the first column is ones."""
    rng = np.random.default_rng(seed)
    weights = np.ones((groups, 1 + draws))
    for draw in range(1, 1 + draws):
        weights[:, draw] = np.bincount(rng.integers(groups, size=groups), minlength=groups)
    return weights


def centred(draws: np.ndarray) -> np.ndarray:
    """Of [plain value, draws …]: the defined draws, moved so that their mean is the plain value.

    Empty where the plain value is not defined.
    """
    defined = draws[1:][np.isfinite(draws[1:])]
    if np.isnan(draws[0]) or not len(defined):
        return np.empty(0)
    return defined + (draws[0] - defined.mean())


def bounds(metric: str) -> tuple[float, float]:
    """The range in which a measure lies."""
    if "kappa" in metric or metric == "cosine" or metric.endswith(("pearson", "spearman")):
        return -1.0, 1.0
    above_1 = {"brier_score": 2.0, "log_loss": np.inf, "bleu": 100.0, "chrf": 100.0}
    return 0.0, above_1.get(metric, 1.0)


def summary(
    draws: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float, float, int]:
    """Of [plain value, draws …]: value, low, high, and how many draws define the measure.

    Low and high are the 2.5 % and 97.5 % quantiles of the centred draws, within `bounds`. Rounded
    to six decimals, so that files have the same bytes; all NaN where the value is.
    """
    moved = centred(draws)
    low, high = np.quantile(moved, [0.025, 0.975]).clip(*bounds) if len(moved) else (np.nan,) * 2
    # Adding 0.0 turns −0.0 into 0.0.
    value, low, high = (round(float(number), 6) + 0.0 for number in (draws[0], low, high))
    return value, low, high, int(np.isfinite(draws[1:]).sum())


def p_value(differences: np.ndarray) -> float:
    """Two-sided p of "no difference" from paired differences [plain value, draws …]; may be NaN.

    Twice the smaller share of centred draws on either side of 0, (1 + count) / (draws + 1) each, so
    that it is never 0 and that p < 0.05 goes with an interval without 0. At least 2 / (draws + 1).
    """
    moved = centred(differences)
    if not len(moved):
        return np.nan
    fewer = min((moved <= 0).sum(), (moved >= 0).sum())
    return min(1.0, 2 * (1 + int(fewer)) / (1 + len(moved)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down correction; NaN is no test: it stays NaN and is not counted."""
    p_values = np.asarray(p_values, dtype=float)
    corrected = np.full(p_values.shape, np.nan)
    tests = np.flatnonzero(np.isfinite(p_values))
    order = tests[np.argsort(p_values[tests], kind="stable")]
    stepped = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return corrected


def compare(models: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Each model minus each later one, from one measure as [plain value, draws …] by model.

    Columns as in `COMPARISON`, draws being those that define the difference; Holm's correction is
    over all pairs. A difference that is not defined is NaN throughout.
    """
    rows = []
    for a, b in combinations(models, 2):
        difference = models[a] - models[b]
        *estimate, defined = summary(difference)
        rows.append((a, b, *estimate, p_value(difference), defined))
    frame = pd.DataFrame(rows, columns=[name for name in COMPARISON if name != "p_holm"])
    return frame.assign(p_holm=holm(frame["p"].to_numpy()))[COMPARISON]


def metric_names(classes: Sequence[str], exposure: bool = True) -> list[str]:
    """The measures of one class a task, as they are reported; some only of labels with scores."""
    each = [f"{name}_{label}" for name in ("precision", "recall", "f1") for label in classes]
    if not exposure:
        return [
            "accuracy",
            "balanced_accuracy",
            "f1_macro",
            *each,
            "cohen_kappa",
            "expected_calibration_error",
            "brier_score",
            "log_loss",
        ]
    occupations = [f"occupation_{m}_{r}" for m in MEASURES for r in ("pearson", "spearman")]
    return [
        "accuracy",
        "f1_macro",
        *each,
        "cohen_kappa",
        "cohen_kappa_quadratic",
        "expected_calibration_error",
        "brier_score",
        "log_loss",
        "task_beta_pearson",
        *occupations,
        "occupation_beta_mae",
    ]


class Resamples:
    """Held-out rows of any kind with the resamples of their groups that all runs on them share."""

    occupations: Mapping[str, np.ndarray] = {}

    def __init__(self, rows: pd.DataFrame, draws: int, seed: int):
        """Draw the groups of `rows`, column group."""
        # Sorted, so that the draws depend on the groups and not on the order of the rows.
        self.group, names = pd.factorize(rows["group"], sort=True)
        self.weights = resample(len(names), draws, seed)

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Sums of `columns` [rows × m] over the rows in every draw, [1 + draws × m]."""
        by_group = np.zeros((len(self.weights), columns.shape[1]))
        np.add.at(by_group, self.group, columns)
        return self.weights.T @ by_group


class HeldOut(Resamples):
    """The held-out tasks of a split, of which each has one class, with their resamples."""

    def __init__(
        self,
        tasks: pd.DataFrame,
        labels: Mapping[str, float] | Sequence[str],
        draws: int,
        seed: int,
        min_tasks: int,
    ):
        """Draw the groups of `tasks`: label, group, occupation (may be null), weight, fold.

        `labels` maps class to ordinal score, or lists the classes where they have none; then no
        occupation counts. Occupations with at least `min_tasks` held-out tasks
        count; which these are is the same in every draw. An occupation of which a draw holds no
        task is left out of that draw.
        """
        super().__init__(tasks, draws, seed)
        self.classes = list(labels)
        self.exposure = isinstance(labels, Mapping)
        self.reference = pd.Categorical(tasks["label"], categories=self.classes).codes.astype(int)
        self.fold = tasks["fold"].to_numpy()
        self.task_weight = tasks["weight"].to_numpy(dtype=float)
        if not self.exposure:
            return
        self.scores = np.array(list(labels.values()), dtype=float)
        self.class_weights = class_weights(labels)
        rows = tasks.reset_index(drop=True).groupby("occupation").indices
        self.occupations = {
            name: rows[name] for name in sorted(rows) if len(rows[name]) >= min_tasks
        }
        self.task_reference = self.class_weights[self.reference]
        self.occupation_reference = self.occupation_means(self.task_reference)

    def occupation_means(self, columns: np.ndarray) -> np.ndarray:
        """Weighted means of `columns` [tasks × m] by occupation, [m × 1 + draws × occupations].

        NaN in a draw that holds no task of the occupation.
        """
        weighted = np.column_stack([columns, np.ones(len(columns))]) * self.task_weight[:, None]
        shape = (weighted.shape[1], self.weights.shape[1], len(self.occupations))
        sums = np.empty(shape)
        for position, rows in enumerate(self.occupations.values()):
            sums[:, :, position] = weighted[rows].T @ self.weights[self.group[rows]]
        drawn = sums[-1] > 0
        return np.divide(sums[:-1], sums[-1], out=np.full(sums[:-1].shape, np.nan), where=drawn)


def measure_labels(held_out: HeldOut, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Every measure of a rater, who gives a class [tasks] and no probability; as `measure`.

    What is asked of probabilities (calibration error, Brier score, log loss) is not defined.
    """
    certain = np.eye(len(held_out.classes))[predicted]
    result = measure(held_out, predicted, certain, bins=1)
    for metric in ("expected_calibration_error", "brier_score", "log_loss"):
        result[metric] = np.full_like(result[metric], np.nan)
    return result


def measure(
    held_out: HeldOut, predicted: np.ndarray, probabilities: np.ndarray, bins: int
) -> dict[str, np.ndarray]:
    """Every measure of one run, each [1 + draws]: the plain value, then the value in each draw.

    `predicted` [tasks] holds class numbers and `probabilities` is [tasks × classes], both in the
    order of tasks and classes of `held_out`. `bins` is for the expected calibration error.
    """
    classes = held_out.classes
    size, reference = len(classes), held_out.reference
    pairs = np.eye(size * size)[reference * size + predicted]
    confidence = probabilities[np.arange(len(predicted)), predicted]
    binned = calibration.bin_columns(confidence, predicted == reference, bins)
    loss = np.column_stack(
        [
            calibration.brier_score(probabilities, reference),
            calibration.log_loss(probabilities, reference),
        ]
    )
    moments = np.empty((len(predicted), 0))
    if held_out.exposure:
        exposure = probabilities @ held_out.class_weights
        beta = MEASURES.index("beta")
        x, y = (
            values[:, beta] - values[:, beta].mean()
            for values in (held_out.task_reference, exposure)
        )
        moments = np.column_stack([x, y, x * x, y * y, x * y])
    widths = np.cumsum([pairs.shape[1], binned.shape[1], loss.shape[1]])
    confusion, bin_sums, loss, moments = np.split(
        held_out.sums(np.hstack([pairs, binned, loss, moments])), widths, axis=1
    )
    n = confusion.sum(axis=1)
    confusion = confusion.reshape(-1, size, size)

    result = {
        "accuracy": agreement.accuracy(confusion),
        "balanced_accuracy": agreement.balanced_accuracy(confusion),
        "f1_macro": agreement.f1_macro(confusion),
        "cohen_kappa": agreement.cohen_kappa(confusion),
        "expected_calibration_error": calibration.expected_calibration_error(bin_sums),
        "brier_score": loss[:, 0] / n,
        "log_loss": loss[:, 1] / n,
    }
    for name, function in (
        ("precision", agreement.precision),
        ("recall", agreement.recall),
        ("f1", agreement.f1),
    ):
        for label, values in zip(classes, function(confusion).T, strict=True):
            result[f"{name}_{label}"] = values
    if held_out.exposure:
        result["cohen_kappa_quadratic"] = agreement.cohen_kappa(confusion, held_out.scores)
        result["task_beta_pearson"] = agreement.pearson_from_sums(n, *moments.T)
        result |= of_occupations(held_out, exposure)
        by_fold = pd.DataFrame(exposure, columns=list(MEASURES)).groupby(held_out.fold)
        constant = (by_fold.max() - by_fold.min() < agreement.TOLERANCE).all()
        for metric in result:
            if metric.endswith(("pearson", "spearman")) and constant[metric.split("_")[1]]:
                result[metric] = np.full(len(n), np.nan)
    return {name: result[name] for name in metric_names(classes, held_out.exposure)}


def of_occupations(held_out: HeldOut, exposure: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of occupations, each [1 + draws], from the exposure of tasks [tasks × MEASURES]."""
    result: dict[str, np.ndarray] = {}
    beta = MEASURES.index("beta")
    occupations = held_out.occupation_means(exposure)
    for name, truth, estimate in zip(
        MEASURES, held_out.occupation_reference, occupations, strict=True
    ):
        result[f"occupation_{name}_pearson"] = agreement.pearson(truth, estimate)
        result[f"occupation_{name}_spearman"] = agreement.spearman(truth, estimate)
    result["occupation_beta_mae"] = agreement.mean_absolute_error(
        held_out.occupation_reference[beta], occupations[beta]
    )
    return result
