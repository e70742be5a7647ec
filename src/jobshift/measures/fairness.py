"""Fairness: is a model as right, and as honest about it, for all groups of tasks?

For each group of tasks, say those of one SOC major group:

- error: the share of tasks whose class is wrong, 1 − accuracy.
- signed error of exposure: mean predicted β (of the probabilities) minus mean labelled β; above 0 the
  model overstates the exposure of the group. Group-wise error rates are what Buolamwini and Gebru (2018),
  PMLR 81, compare; equal ones are "overall accuracy equality", Berk et al. (2021),
  doi:10.1177/0049124118782533.
- expected calibration error within the group (see `calibration`), which is what multicalibration asks for:
  Hébert-Johnson et al. (2018), PMLR 80. In few tasks it is far above 0 even where every probability is
  right; how far is `by_chance`, consistency resampling, Bröcker and Smith (2007), doi:10.1175/WAF993.1.

A group is compared with all other tasks in the same draws of whole leak groups (`bootstrap`), the p-values
of one grouping corrected by Holm. It is judged only from `min_tasks` tasks on, and unreliable where its
error is significantly above that of the other tasks. That a small group is not unreliable says little.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobshift.measures import bootstrap, calibration

# Measure → its range.
MEASURES = {
    "error": (0.0, 1.0),
    "signed_error": (-1.0, 1.0),
    "expected_calibration_error": (0.0, 1.0),
}
ESTIMATES = [f"{measure}{end}" for measure in MEASURES for end in ("", "_low", "_high")]
COLUMNS = [
    *("group", "n_tasks", "n_groups", *ESTIMATES[:3], "rest_error", *ESTIMATES[3:]),
    *("calibration_by_chance", "p_holm", "draws", "unreliable"),
]
LEVEL = 0.05
# Grouping → how a sentence names a group of it.
NAMED = {
    "all": "{title}",
    "major_group": "{group} {title}",
    "wage_decile": "Wage decile {group} ({title})",
    "job_zone": "Job zone {group} ({title})",
}


def task_columns(
    reference: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    scores: np.ndarray,
    bins: int,
) -> np.ndarray:
    """What each task adds to the sums of `measures`, [tasks × 3 + 3·bins]: 1, wrong, signed error, bins.

    `reference` and `predicted` are class numbers [tasks], `probabilities` [tasks × classes], `scores`
    [classes] those of exposure.
    """
    right = predicted == reference
    signed = probabilities @ scores - scores[reference]
    binned = calibration.bin_columns(confidence(predicted, probabilities), right, bins)
    return np.column_stack([np.ones(len(right)), ~right, signed, binned])


def confidence(predicted: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The probability of the predicted class, [tasks]."""
    return probabilities[np.arange(len(predicted)), predicted]


def measures(sums: np.ndarray) -> np.ndarray:
    """`MEASURES` [… × 3] from sums of `task_columns`; NaN without tasks."""
    n = sums[..., :1]
    means = np.divide(sums[..., 1:3], n, out=np.full((*n.shape[:-1], 2), np.nan), where=n > 0)
    error = calibration.expected_calibration_error(sums[..., 3:])
    return np.concatenate([means, error[..., None]], axis=-1)


def by_chance(confidence: np.ndarray, bins: int, draws: int, seed: int) -> float:
    """Mean calibration error of so many tasks whose probabilities are all right.

    Each of `draws` times every task is right with the probability `confidence` [tasks]. Tasks are drawn
    independently; tasks that are right or wrong together have a larger error by chance.
    """
    rng = np.random.default_rng(seed)
    member = np.eye(bins)[calibration.bin_of(confidence, bins)]
    right = rng.random((draws, len(confidence))) < confidence
    return float(np.abs((right - confidence) @ member).sum(axis=1).mean() / len(confidence))


def by_group(
    resamples: bootstrap.Resamples,
    of_seeds: Sequence[np.ndarray],
    confidences: Sequence[np.ndarray],
    membership: pd.Series,
    min_tasks: int,
    seed: int,
) -> pd.DataFrame:
    """One row a group, sorted, with `COLUMNS`; measures are means over the seeds, draw by draw.

    `of_seeds` and `confidences` have the `task_columns` and confidences of each seed, `membership` the
    group of each task, missing where it has none: such a task belongs to the rest of every group.
    """
    totals = [resamples.sums(columns) for columns in of_seeds]
    bins, draws = (totals[0].shape[1] - 3) // 3, len(totals[0]) - 1
    rows, p = [], []
    # Numbers as text: shorter ones are smaller.
    for group in sorted(membership.dropna().unique(), key=lambda name: (len(name), name)):
        places = np.flatnonzero(membership.isin([group]))
        weights = resamples.weights[resamples.group[places]].T
        inside = [weights @ columns[places] for columns in of_seeds]
        found = np.mean([measures(sums) for sums in inside], axis=0)
        others = [measures(total - sums) for total, sums in zip(totals, inside, strict=True)]
        rest = np.mean(others, axis=0)[:, 0]
        row = {"group": group, "n_tasks": len(places)}
        row |= {"n_groups": len(set(resamples.group[places])), "rest_error": rest[0]}
        for (measure, bounds), values in zip(MEASURES.items(), found.T, strict=True):
            value, low, high, row["draws"] = bootstrap.summary(values, bounds)
            row |= {measure: value, f"{measure}_low": low, f"{measure}_high": high}
        chance = [by_chance(own[places], bins, draws, seed) for own in confidences]
        row["calibration_by_chance"] = np.mean(chance)
        rows.append(row)
        judged = len(places) >= min_tasks
        p.append(bootstrap.p_value(found[:, 0] - rest) if judged else np.nan)
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_holm"] = bootstrap.holm(np.array(p))
    table["unreliable"] = (table["p_holm"] < LEVEL) & (table["error"] > table["rest_error"])
    return table


def wage_deciles(workers: pd.Series, wage: pd.Series) -> pd.Series:
    """Decile of workers, 1 lowest paid to 10, that holds the middle worker of each occupation's wage.

    Workers and wages of occupations, the same index; missing where one of them is. Occupations with the
    same wage are in the same decile; one that spans a border is where the larger part of it is, unlike
    in `labour_market.wage_deciles`, as a task cannot be divided.
    """
    known = wage.notna() & (workers > 0)
    at_wage = workers[known].groupby(wage[known]).sum()
    middle = (at_wage.cumsum() - at_wage / 2) / at_wage.sum()
    return wage.where(known).map(np.floor(10 * middle) + 1).astype("Int64")


def in_words(row: Mapping) -> str:
    """A row of fairness.csv in words: 23 Legal: 41 % wrong [35, 47], the rest 26 %."""
    value, low, high, rest = (
        f"{100 * row[name]:.0f}" for name in ("error", "error_low", "error_high", "rest_error")
    )
    name = NAMED[row["grouping"]].format(group=row["group"], title=row["title"])
    others = "" if rest == "nan" else f", the rest {rest} %"
    return f"{name}: {value} % wrong [{low}, {high}]{others}"
