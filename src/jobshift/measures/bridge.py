"""From O*NET's occupations to those of China's classification (CSCO), and how far that can be believed.

The bridge. A concordance names for each small group of CSCO the SOC codes of the same work. A code
stands for all O*NET occupations that it begins (17-2 for a minor group, 15-1299.02 for one
occupation), and the exposure of the small group is the mean over its codes of the mean over their
occupations. Every Chinese occupation has the value of its small group; that of a medium or major group
is the mean over its occupations. There is no employment in it: neither that of the United States, which
would import its structure, nor that of China, which CSCO does not give.

What no concordance can know is what differs within its cells. `explained` measures this where both are
known, among O*NET's occupations: how well the others of a SOC group tell the exposure of one. It is the
ceiling of every bridge at that level.

The check. Statements of CSCO are drawn by medium group and rated with the same rubric, not through the
bridge; means over statements, then over occupations, are set against the bridge's. They are few for each
group, and their noise lowers every correlation: `intraclass` tells how reliable they are, and the root of
the reliability is the most that a perfect bridge could reach (Spearman 1904).

Intervals. Whole groups are drawn with replacement, SOC minor groups for O*NET, medium groups for the
check; ranks, means and the pools of other units are formed anew in each draw (see `bootstrap`).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobshift.measures.growth import spans, weighted_pearson

# How many characters of a CSCO code name its group.
MAJOR, MEDIUM, SMALL, OCCUPATION = 1, 4, 7, 10
# How many characters of an O*NET code name its group, from coarse to fine.
SOC = {"SOC major group": 2, "SOC minor group": 4, "SOC broad group": 6}


def draw(
    ids: Sequence[str], occupations: int, one_in: int, statements: int, seed: int
) -> list[str]:
    """The ids of the statements to rate, in order; the same for ever for the same arguments.

    `ids` are those of all statements, `2-02-10-03.04`. Of each medium group so many occupations are
    drawn: one in `one_in` of its small groups, rounded up, but at least `occupations` (or all it has);
    no second one of a small group before every small group has one. Of each occupation `statements` are
    drawn, or all. What comes first is decided by a hash of seed and code, so that it depends on no
    library and not on what else there is.
    """
    frame = pd.DataFrame({"id": sorted(ids)})
    frame["occupation"] = frame["id"].str[:OCCUPATION]
    medium, small = frame["id"].str[:MEDIUM], frame["id"].str[:SMALL]
    quota = (-(-small.groupby(medium).nunique() // one_in)).clip(lower=occupations)
    chosen = by_lot(frame["occupation"].drop_duplicates(), seed)
    turn = chosen.groupby(chosen.str[:SMALL]).cumcount()
    chosen = chosen.iloc[np.argsort(turn.to_numpy(), kind="stable")]
    medium = chosen.str[:MEDIUM]
    chosen = chosen[chosen.groupby(medium).cumcount() < medium.map(quota)]
    found = by_lot(frame.loc[frame["occupation"].isin(chosen), "id"], seed)
    return sorted(found[found.groupby(found.str[:OCCUPATION]).cumcount() < statements])


def by_lot(names: pd.Series, seed: int) -> pd.Series:
    """`names` in an order that only they and the seed decide."""
    lots = names.map(lambda name: hashlib.sha256(f"{seed} {name}".encode()).hexdigest())
    return names.loc[lots.sort_values().index]


def through_concordance(concordance: pd.DataFrame, onet: pd.DataFrame) -> pd.DataFrame:
    """The exposure of each small group: the mean over its SOC codes of the means of their occupations.

    `concordance` has `csco_group` and `soc` (codes parted by spaces), `onet` rates by O*NET code.
    Returns the columns of `onet` by `csco_group`. Raises KeyError with the code that begins no
    occupation of `onet`.
    """
    codes = sorted({code for cell in concordance["soc"] for code in cell.split()})
    means = {}
    for code in codes:
        own = onet[onet.index.str.startswith(code)]
        if own.empty:
            raise KeyError(code)
        means[code] = own.mean()
    means = pd.DataFrame(means).T
    rows = [means.loc[cell.split()].mean() for cell in concordance["soc"]]
    return pd.DataFrame(rows, index=pd.Index(concordance["csco_group"], name="csco_group"))


def by_level(occupations: pd.DataFrame, small: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The bridge's value for each occupation as its major, medium or small group has it.

    `occupations` is indexed by CSCO code and holds every occupation of the classification, since a
    group counts each of its occupations; `small` comes from `through_concordance`.
    """
    codes = occupations.index
    fine = small.loc[codes.str[:SMALL]].set_axis(codes)
    levels = {"major group": MAJOR, "medium group": MEDIUM, "small group": SMALL}
    return {name: fine.groupby(codes.str[:n]).transform("mean") for name, n in levels.items()}


def others_mean(
    values: np.ndarray, own: np.ndarray, pool: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """For each unit the mean of the others in its pool that are not its own, [n × draws].

    `values` [n]; `own` and `pool` [n] are names of groups, each `own` within one `pool`; `times`
    [n × draws] says how often each unit was drawn: with a unit go all its copies. NaN where nothing
    is left.
    """
    sums = []
    for group in (pool, own):
        code, names = pd.factorize(group)
        for part in (times * values[:, None], times):
            total = np.zeros((len(names), times.shape[1]))
            np.add.at(total, code, part)
            sums.append(total[code])
    (all_values, all_times, own_values, own_times) = sums
    left = np.round(all_times - own_times, 9)
    return np.divide(all_values - own_values, left, out=np.full(left.shape, np.nan), where=left > 0)


def explained(values: np.ndarray, codes: pd.Index, times: np.ndarray) -> dict[str, np.ndarray]:
    """The share of the variance between occupations that their SOC groups tell, left out one by one.

    R² = 1 − Σ (y − mean of the others of the group)² / Σ (y − mean of all others)², for each level of
    `SOC`, [draws]. An occupation alone in its group takes the next coarser level that has others; this
    is what a bridge would do. `codes` are O*NET-SOC codes; `values` and `times` as in `others_mean`. It
    can be below 0, and is a little below the share in a population, since the mean of few others is
    noisy.
    """
    one = codes.to_numpy()
    guess = others_mean(values, one, np.zeros(len(one)), times)
    target = values[:, None]
    total = (times * (target - guess) ** 2).sum(axis=0)
    result = {}
    for name, length in SOC.items():
        finer = others_mean(values, one, codes.str[:length].to_numpy(), times)
        guess = np.where(np.isnan(finer), guess, finer)
        result[name] = 1 - (times * (target - guess) ** 2).sum(axis=0) / total
    return result


def intraclass(values: np.ndarray, group: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """How alike the units of a group are, and how reliable its mean is; each [draws].

    One-way analysis of variance with groups of unequal size: `intraclass_correlation` is ICC(1), the
    share of the variance that lies between groups, and `reliability` that of the mean of as many units
    as groups have (ICC(1,k); Shrout and Fleiss 1979). `times` [n × draws] is constant within a group,
    and a group that was drawn twice counts as two. Neither is below 0; NaN where no group has two units.
    """
    code, names = pd.factorize(group)
    drawn = np.zeros((len(names), times.shape[1]))
    drawn[code] = times
    size = np.bincount(code).astype(float)
    mean = np.bincount(code, weights=values) / size
    inside = np.bincount(code, weights=(values - mean[code]) ** 2)
    groups, units = drawn.sum(axis=0), size @ drawn
    grand = (size * mean) @ drawn / units
    between = (drawn * size[:, None] * (mean[:, None] - grand) ** 2).sum(axis=0)
    usual = (units - size**2 @ drawn / units) / (groups - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = inside @ drawn / (units - groups)
        variance = np.maximum((between / (groups - 1) - within) / usual, 0.0)
        return {
            "intraclass_correlation": variance / (variance + within),
            "reliability": variance / (variance + within / usual),
        }


def spearman(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Spearman's ρ of `x` and `y` [n] in each draw of `times` [n × draws]; copies share their rank."""
    middles = (sum(spans(values, times)) / 2 for values in (x, y))
    return weighted_pearson(*middles, times)


def mean_absolute_error(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean |x − y| in each draw; `x` is [n] or [n × draws], `y` [n]."""
    error = np.abs((x if x.ndim == 2 else x[:, None]) - y[:, None])
    return _mean(times * error, times)


def mean_difference(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean of x − y [n] in each draw; NaN where none of the units was drawn."""
    return _mean(times * (x - y)[:, None], times)


def _mean(parts: np.ndarray, times: np.ndarray) -> np.ndarray:
    size = times.sum(axis=0)
    return np.divide(parts.sum(axis=0), size, out=np.full(size.shape, np.nan), where=size > 0)
