"""External validity: do measures of exposure go with the use of AI that is seen?

The yardstick is AI applicability (Tomlinson et al. 2025, "Working with AI", arXiv:2507.07935): how much
of an occupation's work activities people bring to a chat assistant and get done there, on the user's
side (what people want help with) and the assistant's side (what it does), both 0 to 1.

Three correlations: Pearson's r, Spearman's ρ (ties share their mean rank) and Pearson's r weighted by
employment. Their units are occupations or, with employment-weighted means of both sides, SOC major
groups, or intermediate work activities (IWAs), which have no employment.

Occupations. Applicability is published by the code of the labour statistics, so an O*NET occupation
joins by its own SOC code or else by the OEWS code that stands for it (`bridged`); rates are the simple
mean over its O*NET occupations of each SOC code, then over the SOC codes of the OEWS code, as in
`labour_market`. What joins through the bridge or not at all is listed, never silently left out.

Intervals are from the cluster bootstrap of `bootstrap`: occupations are drawn by SOC broad group (first
five digits), because O*NET gives the occupations of one broad group much the same activities; major
groups and, with few of them, intervals too narrow, by themselves; IWAs by their generalized activity.
Ranks are taken anew in every draw.

What they cannot say: applicability is itself a mean over the activities that O*NET links to an
occupation. A rater who rated activities (`rubric`) shares that construction with it, one who rated
tasks (people, GPT-4, models) only in part, which favours the former whoever is right. And all of it is
about who could use a model or does so, not about what becomes of the work.
"""

from itertools import product

import numpy as np
import pandas as pd

from jobshift.measures import agreement
from jobshift.measures.exposure import MEASURES

METHODS = ("pearson", "spearman", "pearson_employment")
# Untouched is 1 − ζ and adds nothing.
VALIDATED = (*MEASURES, "substituted_share", "complemented_share")
DIRECT, BRIDGED, NONE = "direct", "bridged", "none"


def join_codes(occupations: pd.DataFrame, codes: set[str]) -> pd.DataFrame:
    """The code by which each O*NET occupation joins: `code` and `join` beside its columns.

    `occupations` has the columns occupation, soc and oews_code (may be null), `codes` are those of the
    scores. A SOC code that is itself among them joins `direct`, else its OEWS code is `bridged`, else
    the occupation joins `none` and its code is null.
    """
    direct = occupations["soc"].isin(codes)
    bridged = ~direct & occupations["oews_code"].isin(codes)
    code = occupations["soc"].where(direct, occupations["oews_code"].where(bridged))
    join = np.select([direct, bridged], [DIRECT, BRIDGED], NONE)
    return occupations.assign(code=code, join=join)


def code_means(rates: pd.DataFrame, joined: pd.DataFrame) -> pd.DataFrame:
    """Simple mean over the O*NET occupations of each SOC code, then over the SOC codes of a code.

    `rates` [O*NET occupations × measures] and `joined` (of `join_codes`, with soc and code) share the
    index. Returns [codes × measures], sorted by code; a rate that none of them has is NaN.
    """
    within = [joined["code"], joined["soc"]]
    return rates.groupby(within).mean().groupby(level="code").mean()


def group_means(rates: pd.DataFrame, groups: pd.Series, weights: pd.Series) -> pd.DataFrame:
    """Weighted mean of each column over the units that have a value and a positive weight.

    `rates` [units × columns], `groups` and `weights` share the index. Returns [groups × columns].
    """
    present = rates.notna().mul(weights.fillna(0.0), axis=0)
    sums = rates.fillna(0.0).mul(present).groupby(groups).sum()
    totals = present.groupby(groups).sum()
    return sums / totals.where(totals > 0)


def drawn_ranks(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rank of each value [n] in every draw [n × draws], where value i stands `times` [n × draws] times.

    From 1; equal values, and the copies of one, share their mean rank. A value that a draw does not
    hold has the rank it would have between its neighbours; it weighs nothing.
    """
    order = np.argsort(np.round(values, 9), kind="stable")
    ascending = np.round(values, 9)[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
    counts = np.add.reduceat(times[order], starts, axis=0)
    ranks = np.cumsum(counts, axis=0) - counts + (counts + 1) / 2
    place = np.empty(len(values), dtype=int)
    place[order] = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(values)]))
    return ranks[place]


def weighted_pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's r for every column of `weights` [n × draws], which are not negative.

    `x` and `y` are [n], or [n × draws] where they differ by draw. The weighted r is the covariance of
    weighted means over the root of the weighted variances. NaN where either is constant.
    """
    x, y = (values[:, None] if values.ndim == 1 else values for values in (x, y))
    total = weights.sum(axis=0)
    whole = np.where(total > 0, total, np.nan)
    x, y = (values - (weights * values).sum(axis=0) / whole for values in (x, y))
    sums = [(weights * part).sum(axis=0) for part in (x, y, x * x, y * y, x * y)]
    return agreement.pearson_from_sums(whole, *sums)


def correlations(
    x: np.ndarray, y: np.ndarray, times: np.ndarray, employment: np.ndarray | None
) -> dict[str, tuple[np.ndarray, int]]:
    """Each correlation of `x` with `y` [units]: [plain value, draws …] and how many units it counts.

    `times` [units × 1 + draws] says how often a unit was drawn, its first column is ones. A unit with
    a NaN in `x` or `y` is left out and, in the weighted correlation, one without `employment` [units];
    that correlation is not there where `employment` is None.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y, drawn = x[known], y[known], times[known]
    n = int(known.sum())
    if n == 0:
        nothing = np.full(times.shape[1], np.nan)
        return dict.fromkeys(METHODS[: 2 if employment is None else 3], (nothing, 0))
    result = {
        "pearson": (weighted_pearson(x, y, drawn), n),
        "spearman": (
            weighted_pearson(drawn_ranks(x, drawn), drawn_ranks(y, drawn), drawn),
            n,
        ),
    }
    if employment is not None:
        workers = np.nan_to_num(employment[known])
        weighted = weighted_pearson(x, y, drawn * workers[:, None])
        result["pearson_employment"] = (weighted, int((workers > 0).sum()))
    return result


def correlate(
    rates: pd.DataFrame, scores: pd.DataFrame, times: np.ndarray, employment: pd.Series | None
) -> dict[tuple[str, str, str], tuple[np.ndarray, int]]:
    """`correlations` of every measure in `rates` with every score, by (measure, score, method).

    `rates` [units × measures] and `scores` [units × scores] have the same index, that of the rows of
    `times`. A measure without any value (a rater who did not give it) is left out.
    """
    result = {}
    for measure, score in product(rates, scores):
        if rates[measure].isna().all():
            continue
        x, y = rates[measure].to_numpy(dtype=float), scores[score].to_numpy(dtype=float)
        weights = None if employment is None else employment.to_numpy(dtype=float)
        for method, found in correlations(x, y, times, weights).items():
            result[measure, score, method] = found
    return result


def activity_means(values: pd.DataFrame, activities: pd.Series, level: int) -> pd.DataFrame:
    """Mean over the tasks of each activity, every task once for each of its distinct activities.

    `values` [tasks × columns]; `activities` holds each task's DWA ids joined by spaces, the same index.
    `level` is the number of dotted parts that are kept: 5 GWA, 6 IWA, 7 DWA (the whole id).
    """
    links = memberships(activities, level)
    return values.reindex(links.index).groupby(links.to_numpy()).mean().rename_axis("activity")


def memberships(activities: pd.Series, level: int) -> pd.Series:
    """The distinct activities of each task at a level (see `activity_means`), one row a link."""
    links = activities.str.split().explode().dropna()
    cut = links.str.split(".").str[:level].str.join(".")
    return cut[~pd.MultiIndex.from_arrays([cut.index, cut]).duplicated()]
