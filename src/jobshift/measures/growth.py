"""Growth of employment and wages between two releases of OEWS, by exposure. Descriptive.

Nothing here is a causal estimate. OEWS pools six half-yearly panels of three years: May 2021 holds
establishments that were asked from November 2018 on, before and in the pandemic, and May 2025 those
asked from November 2022 on, so the change between them is smeared over years and starts from the
pandemic's base (food service, travel and personal care grow because they had shrunk). May 2021 is
also the first release with model-based estimates (BLS, "Survey methods and reliability statement",
OEWS May 2021). Exposure goes with education, wage and industry, which have trends of their own.

Changes are logarithms of the ratio. Wages are nominal; what compares groups in the same years, as a
difference to all occupations or a slope does, is free of general inflation.

Fifths by exposure. Occupations stand in a line from the least to the most exposed, each as wide as
its size: 1 for fifths of occupations, its workers of May 2021 for fifths of workers. A fifth is a
fifth of the line's length. An occupation across a border belongs to both sides in these parts, and
occupations with the same exposure (within 1e-9) are divided in the same proportion, so that neither
the order of codes nor a toss decides, and every fifth has exactly the same size.

Intervals. Draws of whole SOC minor groups (the first four characters of the code, "11-1"), since
related occupations share what happens to them; fifths and ranks are formed anew in each draw (see
`bootstrap`). Slopes have the heteroskedasticity-robust HC1 interval (MacKinnon and White 1985) and,
beside it, the cluster-robust one by minor group (CR1; Cameron, Gelbach and Miller 2008), both with
the normal quantile.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jobshift.measures.agreement import pearson_from_sums
from jobshift.measures.bootstrap import summary

TOLERANCE = 1e-9
NORMAL_975 = 1.959963984540054
FIFTHS = (1, 2, 3, 4, 5)
# A wage of the same kind in both releases; a mean is not compared with a median.
COMPARABLE = ("annual median", "hourly median x 2080")
OUTCOMES = ("employment", "median_wage", "mean_wage")
WEIGHTINGS = ("equal", "workers")
CONTROLS = ("none", "log wage", "log wage, major group")


def matched(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Occupations with employment in both releases, by code, with their log changes.

    `first` (May 2021) and `second` (May 2025) have, by code: title, employment_workers,
    annual_wage_usd, wage_basis and mean_annual_wage_usd. The change of the median wage is NaN where
    the two wages are not both medians of the same pay basis, that of the mean wage where one is
    unknown.
    """
    present = first["employment_workers"].gt(0) & second["employment_workers"].gt(0).reindex(
        first.index, fill_value=False
    )
    codes = sorted(first.index[present])
    old, new = first.loc[codes], second.loc[codes]
    frame = pd.DataFrame({"title": new["title"]}, index=pd.Index(codes, name="code"))
    for column, quantity in {
        "employment_{}_workers": "employment_workers",
        "wage_{}_usd": "annual_wage_usd",
        "wage_basis_{}": "wage_basis",
        "mean_wage_{}_usd": "mean_annual_wage_usd",
    }.items():
        frame[column.format(2021)], frame[column.format(2025)] = old[quantity], new[quantity]
    same = (old["wage_basis"] == new["wage_basis"]) & old["wage_basis"].isin(COMPARABLE)
    frame["employment"] = np.log(new["employment_workers"] / old["employment_workers"])
    frame["median_wage"] = np.log(new["annual_wage_usd"] / old["annual_wage_usd"]).where(same)
    frame["mean_wage"] = np.log(new["mean_annual_wage_usd"] / old["mean_annual_wage_usd"])
    return frame


def spans(values: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each unit begins and ends on the line from 0 to 1, in ascending order of `values` [n].

    `sizes` is [n × draws]. Units with the same value share one span. Both results [n × draws].
    """
    _, tie = np.unique(np.round(values, 9), return_inverse=True)
    widths = np.zeros((tie.max() + 1, sizes.shape[1]))
    np.add.at(widths, tie, sizes)
    ends = widths.cumsum(axis=0)
    # The last end as divisor, so that it is exactly 1.
    return ((ends - widths) / ends[-1])[tie], (ends / ends[-1])[tie]


def fifths(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The part of each unit in each fifth, [5 × n × draws], from values [n] and sizes [n × draws].

    The parts of a unit with a size add up to 1, and every fifth has a fifth of the sizes.
    """
    low, high = spans(values, sizes)
    width = high - low
    parts = [
        np.clip(np.minimum(high, fifth / 5) - np.maximum(low, (fifth - 1) / 5), 0.0, None)
        for fifth in FIFTHS
    ]
    return np.divide(parts, width, out=np.zeros((5, *width.shape)), where=width > 0)


def quintiles(occupations: pd.DataFrame, exposure: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """Mean log changes by fifth of exposure, of all occupations, and of the fifth less the first.

    `occupations` comes from `matched`, `exposure` [n] is known for all of them, `times` [n × 1 +
    draws] tells how often each was drawn, first once each. Fifths of occupations take every
    occupation as one; fifths of workers take it as its workers of May 2021, also in the means. The
    outcome `employment_total` is the log change of the fifth's employment as a whole. `relative` is
    the value less that of all occupations. Returns one row for each of fifths_of, outcome and fifth
    (1 … 5, all, 5-1); n_occupations have a part in it and the outcome.
    """
    old, new = (
        occupations[f"employment_{year}_workers"].to_numpy(dtype=float) for year in (2021, 2025)
    )
    rows = []
    for fifths_of, size in (("occupations", np.ones(len(old))), ("workers", old)):
        sizes = size[:, None] * times
        parts = dict(zip(map(str, FIFTHS), fifths(exposure, sizes), strict=True))
        parts["all"] = np.ones(times.shape)
        for outcome in (*OUTCOMES, "employment_total"):
            if outcome == "employment_total":
                known = np.ones(len(old), dtype=bool)
                draws = {
                    fifth: np.log((new @ (part * times)) / (old @ (part * times)))
                    for fifth, part in parts.items()
                }
            else:
                change = occupations[outcome].to_numpy(dtype=float)
                known = np.isfinite(change)
                values = np.column_stack([np.where(known, change, 0.0), known]).T
                draws = {fifth: _ratio(*(values @ (part * sizes))) for fifth, part in parts.items()}
            for fifth, part in parts.items():
                inside = (part[:, 0] > TOLERANCE) & known
                held = part[:, 0] * size
                rows.append(
                    {
                        "fifths_of": fifths_of,
                        "outcome": outcome,
                        "fifth": fifth,
                        "n_occupations": int(inside.sum()),
                        "employment_2021_workers": old @ part[:, 0],
                        "exposure_from": exposure[part[:, 0] > TOLERANCE].min(initial=np.inf),
                        "exposure_to": exposure[part[:, 0] > TOLERANCE].max(initial=-np.inf),
                        "exposure_mean": exposure @ held / held.sum(),
                        **_estimate(draws[fifth], ""),
                        **_estimate(draws[fifth] - draws["all"], "relative_"),
                    }
                )
            rows.append(
                {
                    "fifths_of": fifths_of,
                    "outcome": outcome,
                    "fifth": "5-1",
                    **_estimate(draws["5"] - draws["1"], ""),
                }
            )
    frame = pd.DataFrame(rows).astype({"n_occupations": "Int64"})
    return frame.rename(columns={"relative_value": "relative"})


def correlations(
    occupations: pd.DataFrame, exposure: np.ndarray, times: np.ndarray
) -> pd.DataFrame:
    """Pearson's and Spearman's correlation of exposure with each log change, equal and by workers.

    Arguments as in `quintiles`. Spearman's is Pearson's of the mean ranks, by workers of the mean
    places in the line of workers. Returns outcome, weighting, statistic, value, low, high and
    n_occupations.
    """
    rows = []
    for outcome in OUTCOMES:
        known = occupations[outcome].notna().to_numpy()
        change, exposed = occupations.loc[known, outcome].to_numpy(), exposure[known]
        workers = occupations.loc[known, "employment_2021_workers"].to_numpy(dtype=float)
        for weighting in WEIGHTINGS:
            sizes = times[known] * (workers[:, None] if weighting == "workers" else 1.0)
            for statistic, draws in {
                "pearson": weighted_pearson(exposed[:, None], change[:, None], sizes),
                "spearman": weighted_pearson(
                    _middle(exposed, sizes), _middle(change, sizes), sizes
                ),
            }.items():
                value, low, high, _ = summary(draws, (-1.0, 1.0))
                rows.append((outcome, weighting, statistic, value, low, high, int(known.sum())))
    columns = ["outcome", "weighting", "statistic", "value", "low", "high", "n_occupations"]
    return pd.DataFrame(rows, columns=columns)


def weighted_pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's r over the first axis for each column of `weights` [n × draws]; x, y alike or [n × 1]."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    sums = ((weights * part).sum(axis=0) for part in (1.0, x, y, x * x, y * y, x * y))
    return pearson_from_sums(*sums)


def slopes(occupations: pd.DataFrame, exposure: np.ndarray) -> pd.DataFrame:
    """Slopes of the log changes on exposure, with and without controls, equal and by workers.

    The slope is the difference in log change between an occupation that is wholly exposed and one
    that is not. Controls: log of the wage of May 2021 (where its median is top-coded, the mean), and
    with it the SOC major group. Returns outcome, weighting, controls, value, standard_error, low,
    high (HC1), clustered_error, clustered_low, clustered_high (CR1 by minor group), n_occupations
    and n_clusters.
    """
    wage = np.log(occupations["wage_2021_usd"].to_numpy(dtype=float))
    codes = occupations.index.to_series()
    group = pd.get_dummies(codes.str[:2]).to_numpy(dtype=float)
    cluster = pd.factorize(codes.str[:4])[0]
    workers = occupations["employment_2021_workers"].to_numpy(dtype=float)
    columns = {
        "none": np.empty((len(codes), 0)),
        "log wage": wage[:, None],
        "log wage, major group": np.column_stack([wage, group]),
    }
    rows = []
    for outcome in OUTCOMES:
        change = occupations[outcome].to_numpy(dtype=float)
        for weighting in WEIGHTINGS:
            weights = workers if weighting == "workers" else np.ones(len(workers))
            for controls in CONTROLS:
                design = columns[controls]
                known = np.isfinite(change) & np.isfinite(design).all(axis=1)
                found = least_squares(
                    change[known], exposure[known], design[known], weights[known], cluster[known]
                )
                rows.append(
                    {"outcome": outcome, "weighting": weighting, "controls": controls} | found
                )
    return pd.DataFrame(rows)


def least_squares(
    y: np.ndarray, x: np.ndarray, controls: np.ndarray, weights: np.ndarray, cluster: np.ndarray
) -> dict[str, float]:
    """The slope of y on x [n] beside a constant and `controls` [n × k], weighted, with its errors.

    By Frisch, Waugh and Lovell: y and x are freed of the controls first. NaN where x does not vary
    beyond them.
    """
    root = np.sqrt(weights)
    fixed = np.column_stack([np.ones(len(y)), controls]) * root[:, None]
    basis, size, _ = np.linalg.svd(fixed, full_matrices=False)
    basis = basis[:, size > size[0] * 1e-10]
    free_x, free_y = (part - basis @ (basis.T @ part) for part in (x * root, y * root))
    square = free_x @ free_x
    n, k = len(y), basis.shape[1] + 1
    names, cluster = np.unique(cluster, return_inverse=True)
    g = len(names)
    result = dict.fromkeys(
        ["value", "standard_error", "low", "high", "clustered_error", "clustered_low",
         "clustered_high"], np.nan
    )  # fmt: skip
    result |= {"n_occupations": n, "n_clusters": g}
    if n <= k or square <= TOLERANCE * ((x * root) @ (x * root)):
        return result
    slope = free_x @ free_y / square
    score = free_x * (free_y - slope * free_x)
    robust = np.sqrt(score @ score * n / (n - k)) / square
    result |= {"value": slope, "standard_error": robust}
    result["low"], result["high"] = slope - NORMAL_975 * robust, slope + NORMAL_975 * robust
    if g > 1:
        sums = np.bincount(cluster, weights=score)
        clustered = np.sqrt(sums @ sums * g / (g - 1) * (n - 1) / (n - k)) / square
        margin = NORMAL_975 * clustered
        result |= {
            "clustered_error": clustered,
            "clustered_low": slope - margin,
            "clustered_high": slope + margin,
        }
    return result


def coverage(
    releases: Mapping[str, pd.DataFrame], totals: Mapping[str, float], pairs: pd.DataFrame
) -> pd.DataFrame:
    """How much of each release's employment is in both releases, and how much is rated, too.

    `releases` and `totals` by release: the detailed occupations by code, and the published
    employment of all; `pairs` comes from `matched`, with the column `rated`. Shares are of the
    published total.
    """
    rows = []
    for release, detailed in releases.items():
        workers, total = detailed["employment_workers"], totals[release]
        both, rated = (workers.reindex(part.index).sum() for part in (pairs, pairs[pairs["rated"]]))
        rows.append(
            {
                "release": release,
                "n_occupations": int(workers.notna().sum()),
                "n_in_both": len(pairs),
                "n_rated": int(pairs["rated"].sum()),
                "employment_workers": total,
                "detailed_workers": workers.sum(),
                "in_both_workers": both,
                "rated_workers": rated,
                "in_both_share": both / total,
                "rated_share": rated / total,
            }
        )
    return pd.DataFrame(rows)


def _middle(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    low, high = spans(values, sizes)
    return (low + high) / 2


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _estimate(draws: np.ndarray, prefix: str) -> dict[str, float]:
    value, low, high, _ = summary(draws)
    return {f"{prefix}value": value, f"{prefix}low": low, f"{prefix}high": high}
