"""What changed between the published labels of 2023 and a later rating of the same tasks.

A difference between two raters is not only time: in 2023 people (and GPT-4) labelled tasks under the
rubric of Eloundou et al. (2023); later a language model rated work activities, in which tasks then
voted, under a rubric of our own wording, which for instance calls work E0 where a person must answer
for it or be there. Rater, unit, wording and time change at once, and nothing here tells them apart.

So every change stands beside a yardstick, the differences between raters of 2023 among themselves:
GPT-4 and people had the rubric and the year in common, GPT-4 under two rubrics all but the wording. Of a
unit (an activity, an occupation) the part of a change that lies *beyond* them is the distance of the
new value from the range of all published ones, 0 within it. Only that part is ranked: who ranks by the
difference from one rater finds that rater's noise. The largest of many are still partly chance.

Tasks count where every rater has a label. α, β and ζ of an activity are plain means over its tasks, each
once for each of its distinct activities; those of an occupation weigh core tasks twice, where they are
known; a major group is the mean over its O*NET occupations, each alike or by employment.

Intervals: cluster bootstrap (see `bootstrap`) of groups of tasks with the same first activity (DWA),
within which the later rating is nearly one rating; paired over raters. A unit of few groups has none.
They tell what other activities would have given, not what another rater of the same kind would have.
"""

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd

from jobshift.measures import agreement, bootstrap
from jobshift.measures.exposure import MEASURES

CHANGE, YARDSTICK, DIFFERENCE = "change", "yardstick", "difference"
PAIR = ["kind", "reference", "rater", "metric", "value", "low", "high", "draws"]
# What the difference between a change and its yardstick is taken of.
COMPARED = ("agreement", "cohen_kappa", "cohen_kappa_quadratic", "task_beta_pearson",
            "occupation_beta_pearson")  # fmt: skip
TOLERANCE = 1e-9


class Rated:
    """Tasks that every rater labelled, with the draws that all measures of them share."""

    def __init__(
        self,
        tasks: pd.DataFrame,
        raters: list[str],
        labels: Mapping[str, float],
        draws: int,
        seed: int,
    ):
        """Take `tasks`: label_<rater> (all classes in `labels`), group, unit, weight (positive).

        `labels` maps class to ordinal score. Means are taken by `unit` with the weight.
        """
        self.raters, self.labels = raters, labels
        held = tasks.assign(label=tasks[f"label_{raters[0]}"], occupation=tasks["unit"], fold=0)
        self.held = bootstrap.HeldOut(held, labels, draws, seed, min_tasks=1)
        self.numbers = {
            rater: pd.Categorical(tasks[f"label_{rater}"], categories=list(labels)).codes.astype(
                int
            )
            for rater in raters
        }
        exposure = [self.held.class_weights[self.numbers[rater]] for rater in raters]
        self.names = [f"{measure}_{rater}" for rater, measure in product(raters, MEASURES)]
        # [columns × 1 + draws × units], NaN in a draw without a task of the unit.
        self.means = self.held.occupation_means(np.hstack(exposure))
        self.units = pd.Index(list(self.held.occupations), name="unit")

    def column(self, measure: str, rater: str) -> np.ndarray:
        """α, β or ζ of a rater, [1 + draws × units], the first row without resampling."""
        return self.means[self.names.index(f"{measure}_{rater}")]

    def pairs(self, reference: str, rater: str) -> np.ndarray:
        """One column for each pair of classes, [tasks × classes²], 1 where a task has it."""
        size = len(self.labels)
        return np.eye(size * size)[self.numbers[reference] * size + self.numbers[rater]]


def roles(published: list[str], new: str) -> list[tuple[str, str, str]]:
    """Every comparison as (kind, reference, rater): changes first, then the published ones' own."""
    changes = [(CHANGE, reference, new) for reference in published]
    return changes + [(YARDSTICK, a, b) for a, b in combinations(published, 2)]


def summary(rated: Rated, published: list[str], new: str) -> pd.DataFrame:
    """Agreement, moves between classes and mean shifts of every pair, columns as in `PAIR`.

    `share_<a>_<b>` is the share of all tasks that are `a` for the reference and `b` for the rater;
    `shift_<measure>` the mean of the rater less that of the reference over all tasks, each once.
    Kind `difference` is a change less a yardstick with the same reference, rater written `x - y`.
    """
    measured = {}
    for kind, reference, rater in roles(published, new):
        measured[kind, reference, rater] = pair_measures(rated, reference, rater)
    first = published[0]
    for other in published[1:]:
        change, yardstick = measured[CHANGE, first, new], measured[YARDSTICK, first, other]
        measured[DIFFERENCE, first, f"{new} - {other}"] = {
            metric: change[metric] - yardstick[metric] for metric in COMPARED
        }
    rows = []
    for (kind, reference, rater), metrics in measured.items():
        for metric, draws in metrics.items():
            ends = bootstrap.bounds(metric)
            if metric.startswith("shift") or kind == DIFFERENCE:
                ends = (-2.0, 2.0) if kind == DIFFERENCE else (-1.0, 1.0)
            rows.append((kind, reference, rater, metric, *bootstrap.summary(draws, ends)))
    return pd.DataFrame(rows, columns=PAIR)


def pair_measures(rated: Rated, reference: str, rater: str) -> dict[str, np.ndarray]:
    """Every measure of one pair by name, each [1 + draws]: the plain value, then the draws."""
    classes, scores = list(rated.labels), rated.held.scores
    size = len(classes)
    cells = rated.held.sums(rated.pairs(reference, rater))
    confusion = cells.reshape(-1, size, size)
    n = cells.sum(axis=1)
    result = {
        "agreement": agreement.accuracy(confusion),
        "cohen_kappa": agreement.cohen_kappa(confusion),
        "cohen_kappa_quadratic": agreement.cohen_kappa(confusion, scores),
    }
    for position, measure in enumerate(MEASURES):
        of_class = rated.held.class_weights[:, position]
        x, y = (values.ravel() for values in np.meshgrid(of_class, of_class, indexing="ij"))
        sums = cells @ np.column_stack([x, y, x * x, y * y, x * y])
        result[f"task_{measure}_pearson"] = agreement.pearson_from_sums(n, *sums.T)
        result[f"mean_{measure}_reference"] = sums[:, 0] / n
        result[f"mean_{measure}_rater"] = sums[:, 1] / n
        result[f"shift_{measure}"] = (sums[:, 1] - sums[:, 0]) / n
        result[f"occupation_{measure}_pearson"] = agreement.pearson(
            rated.column(measure, reference), rated.column(measure, rater)
        )
    for (a, b), cell in zip(product(classes, classes), cells.T, strict=True):
        result[f"share_{a}_{b}"] = cell / n
    return result


def by_unit(rated: Rated, published: list[str], new: str, min_groups: int) -> pd.DataFrame:
    """Raters, agreement and shifts in every unit, in the columns of `columns`, by unit.

    Agreement and κ are those of the unit's tasks, each once. An interval needs `min_groups` groups.
    """
    held = rated.held
    rows = list(held.occupations.values())
    n_groups = np.array([len(np.unique(held.group[own])) for own in rows])
    frame = pd.DataFrame({"n_tasks": [len(own) for own in rows], "n_groups": n_groups}, rated.units)
    for _, reference, rater in roles(published, new):
        pairs = rated.pairs(reference, rater)
        size = len(rated.labels)
        confusion = np.array([pairs[own].sum(axis=0) for own in rows]).reshape(-1, size, size)
        frame[f"agreement_{reference}_{rater}"] = agreement.accuracy(confusion)
        frame[f"cohen_kappa_{reference}_{rater}"] = agreement.cohen_kappa(confusion)
    return with_shifts(frame, rated.means, rated.names, published, new, n_groups >= min_groups)


def with_shifts(
    frame: pd.DataFrame,
    means: np.ndarray,
    names: list[str],
    published: list[str],
    new: str,
    intervals: np.ndarray,
) -> pd.DataFrame:
    """`frame` with the rates of all raters, the shifts from the first published one, and the beyond.

    `means` [names × 1 + draws × rows of `frame`] hold the rates `<measure>_<rater>`; `intervals` says
    which rows get one.
    """
    at = {name: means[position] for position, name in enumerate(names)}
    result = {f"{m}_{r}": at[f"{m}_{r}"][0] for m in MEASURES for r in [*published, new]}
    for measure in MEASURES:
        moved = at[f"{measure}_{new}"] - at[f"{measure}_{published[0]}"]
        ends = [bootstrap.summary(draws, (-1.0, 1.0))[:3] for draws in moved.T]
        found = np.array(ends).reshape(-1, 3)
        found[~intervals, 1:] = np.nan
        for name, values in zip(shift_columns(measure), found.T, strict=True):
            result[name] = values
    for measure in MEASURES:
        others = np.array([at[f"{measure}_{rater}"][0] for rater in published])
        result[f"beyond_{measure}"] = beyond(at[f"{measure}_{new}"][0], others)
    return frame.assign(**result)[columns(published, new, frame)]


def shift_columns(measure: str) -> list[str]:
    """Names of a shift and the ends of its interval."""
    return [f"shift_{measure}", f"shift_{measure}_low", f"shift_{measure}_high"]


def columns(published: list[str], new: str, frame: pd.DataFrame | None = None) -> list[str]:
    """The columns of a table by unit; where a `frame` has others before the rates, these first."""
    pairs = [f"{reference}_{rater}" for _, reference, rater in roles(published, new)]
    agreed = [f"{what}_{pair}" for pair in pairs for what in ("agreement", "cohen_kappa")]
    own = ["n_tasks", "n_groups", *agreed] if frame is None else list(frame)
    rates = [f"{measure}_{rater}" for measure in MEASURES for rater in [*published, new]]
    shifts = [name for measure in MEASURES for name in shift_columns(measure)]
    return [*own, *rates, *shifts, *(f"beyond_{measure}" for measure in MEASURES)]


def beyond(new: np.ndarray, published: np.ndarray) -> np.ndarray:
    """How far `new` [units] lies outside the range of `published` [raters × units], with its sign.

    0 within the range; values that differ by less than 1e-9 are the same.
    """
    above = new - published.max(axis=0)
    below = new - published.min(axis=0)
    outside = np.where(above > TOLERANCE, above, np.where(below < -TOLERANCE, below, 0.0))
    return outside + 0.0


def most_moved(frame: pd.DataFrame, min_tasks: int, min_groups: int) -> pd.DataFrame:
    """`enough` tasks and groups, `direction` (higher, lower or empty) and `rank` of a level's units.

    Rank 1 has moved most, by how far β lies beyond the published raters, among units with so many tasks
    and groups; of equals, the one with more tasks goes first, then by the index. A unit within their
    range has no rank (NA).
    """
    enough = (frame["n_tasks"] >= min_tasks) & (frame["n_groups"] >= min_groups)
    moved = frame["beyond_beta"].where(enough, 0.0).round(9)
    direction = pd.Series(np.select([moved > 0, moved < 0], ["higher", "lower"], ""), frame.index)
    order = pd.DataFrame({"far": -moved.abs(), "few": -frame["n_tasks"], "code": frame.index})
    order = order.sort_values(["far", "few", "code"])
    ranked = direction[order.index]
    rank = ranked.groupby(ranked).cumcount() + 1
    rank = rank.where(ranked != "").reindex(frame.index).astype("Int64")
    return frame.assign(enough=enough, direction=direction, rank=rank)


def grouped(
    means: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Weighted means over the units of each group, in every draw over the units that it holds.

    `means` [columns × draws × units], NaN where a draw lacks the unit; `groups` and `weights` are
    [units], a weight of 0 leaves a unit out. Returns the groups with any weight, sorted, and their
    means [columns × draws × groups].
    """
    names = sorted(set(groups[weights > 0]))
    result = np.empty((*means.shape[:2], len(names)))
    for position, name in enumerate(names):
        own = (groups == name) & (weights > 0)
        part = means[:, :, own]
        total = np.isfinite(part) @ weights[own]
        sums = np.nan_to_num(part) @ weights[own]
        result[:, :, position] = np.divide(
            sums, total, out=np.full(sums.shape, np.nan), where=total > 0
        )
    return names, result


def employment_weights(occupations: pd.DataFrame) -> pd.Series:
    """Workers of each O*NET occupation, by its index: an equal part of its SOC code's equal part.

    `occupations` has soc, oews_code and oews_employment_workers (of the whole OEWS code; NaN: 0). Nothing
    public divides the workers of an OEWS code among its SOC codes, nor those among O*NET occupations;
    with these weights a weighted mean is that of `labour_market`.
    """
    members = occupations.groupby("oews_code")["soc"].transform("nunique")
    within = occupations.groupby(["oews_code", "soc"])["soc"].transform("size")
    return (occupations["oews_employment_workers"] / members / within).fillna(0.0)
