"""From tasks to occupations to the labour market: whose work is exposed, how many workers.

Tasks → O*NET occupation (8 digits): weighted mean over its tasks of α, β, ζ (see `exposure`) and of
three shares: *substituted* (exposed, automation at or above a class, T3 by default), *complemented*
(exposed, below it) and *untouched* (not exposed). Tasks weigh as the data set says (rule `core`:
core tasks count twice) or all the same (rule `equal`); where the source does not know core tasks,
`core` cannot be applied and `equal` is reported.

O*NET occupation → SOC (6 digits): simple mean over the O*NET occupations of the SOC code that have
tasks, because nothing public tells how its employment divides among them.

SOC → OEWS: the same code where there is one. Other OEWS codes go through an explicit bridge:
`broad` (OEWS publishes only the broad occupation) and `hybrid` (OEWS combines some of its members)
get the simple mean of their SOC members; `no tasks` records a member for which O*NET has none;
`residual` ("all other" codes without tasks) may be imputed with the simple mean of the SOC codes of
the group named there, its broad group or, where that has no other member, its minor group. Not
imputed, they are unmatched. An "all other" code whose O*NET specialities have tasks joins directly,
but only these specialities speak for it; the match `residual` marks it.

OEWS → groups of workers: means weighted by employment over the matched occupations. Every group
reports matched + unmatched + not shown = published total. Not shown is what BLS leaves out of
detailed occupations (suppressed cells); since BLS rounds every cell to 10, it may be off by 5
workers a cell.
"""

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.measures.exposure import AUTOMATION, MEASURES, class_weights

SHARES = ("substituted_share", "complemented_share", "untouched_share")
RATES = [*MEASURES, *SHARES]
REASONS = ("broad", "hybrid", "no tasks", "residual")
THRESHOLDS = np.arange(101) / 100
TOLERANCE = 1e-9
# BLS rounds employment to 10, so a sum of n cells may miss its published total by 5 (n + 1).
ROUNDING = 5.0


def task_weights(tasks: pd.DataFrame, weighting: str) -> tuple[str, pd.Series]:
    """The rule really applied (`core` or `equal`) and the weight of each task.

    `tasks` has the columns `occupation` and `weight`. Weights that are constant within every
    occupation tell no core task from another: then the rule is `equal`, whatever was asked.
    """
    distinct = tasks.groupby("occupation")["weight"].nunique()
    if weighting == "core" and (distinct > 1).any():
        return "core", tasks["weight"].astype(float)
    return "equal", pd.Series(1.0, tasks.index)


def task_exposure(shares: pd.DataFrame, labels: dict[str, float]) -> pd.DataFrame:
    """α, β and ζ of each task from its label shares `p_<class>`, the index of `shares`."""
    values = shares[[f"p_{name}" for name in labels]].to_numpy(dtype=float) @ class_weights(labels)
    return pd.DataFrame(values, columns=list(MEASURES), index=shares.index)


def task_shares(
    label: pd.Series, automation: pd.Series, labels: dict[str, float], automated_from: str
) -> pd.DataFrame:
    """1.0 in the one of substituted, complemented and untouched that each task is, else 0.0."""
    exposed = label.map(labels) > 0
    automated = automation.isin(AUTOMATION[AUTOMATION.index(automated_from) :])
    return pd.DataFrame(
        {
            "substituted_share": (exposed & automated).astype(float),
            "complemented_share": (exposed & ~automated).astype(float),
            "untouched_share": (~exposed).astype(float),
        }
    )


def occupation_rates(tasks: pd.DataFrame, rates: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Weighted mean of the task rates of each O*NET occupation.

    `tasks` has `occupation` and `title`; `rates` the columns RATES (a column may be all NaN) and
    `weights` (positive) the same index. Returns occupation, title, soc, n_tasks and RATES, sorted
    by occupation.
    """
    code = tasks["occupation"]
    sums = rates.mul(weights, axis=0).groupby(code).sum(min_count=1)
    means = sums.div(weights.groupby(code).sum(), axis=0)[RATES]
    named = tasks.groupby("occupation")["title"].agg(title="first", n_tasks="size")
    frame = named.join(means).rename_axis("occupation").reset_index()
    frame.insert(2, "soc", frame["occupation"].str[:7])
    return frame


def soc_rates(onet: pd.DataFrame) -> pd.DataFrame:
    """Simple mean over the O*NET occupations of each SOC code: n_onet, n_tasks, RATES by `soc`."""
    by_soc = onet.groupby("soc")
    counts = by_soc["n_tasks"].agg(n_onet="size", n_tasks="sum")
    return counts.join(by_soc[RATES].mean())


def links(
    detailed: pd.DataFrame,
    with_tasks: set[str],
    bridge: pd.DataFrame,
    impute_residual: bool,
    bridge_file: str,
) -> pd.DataFrame:
    """Which SOC codes stand for which detailed OEWS code: oews_code, soc_code, match.

    `detailed` has `code` and `title` of the detailed OEWS occupations, `with_tasks` the SOC codes
    that have tasks, `bridge` the columns oews_code, soc_code, reason and line. match is direct,
    residual, broad, hybrid or imputed. Raises JobshiftError, naming the line of `bridge_file`, for
    a code that is unknown, joins directly, or stands twice.
    """
    titles = detailed.set_index("code")["title"]
    rows = [
        (code, code, "residual" if "All Other" in title else "direct")
        for code, title in titles.items()
        if code in with_tasks
    ]
    lines = bridge["oews_code"].value_counts()
    taken = {code: "joins directly" for code, _, _ in rows}
    for row in bridge.itertuples():
        where = f"{bridge_file}, line {row.line}"
        if row.oews_code not in titles.index:
            raise JobshiftError(
                f"{where}: oews_code {row.oews_code!r} is no detailed occupation of the OEWS file; "
                "correct or remove the line"
            )
        if row.oews_code in with_tasks:
            raise JobshiftError(
                f"{where}: oews_code {row.oews_code} has tasks and joins directly; remove the line"
            )
        members = _members(row, with_tasks, where)
        if row.reason == "residual":
            if lines[row.oews_code] > 1:
                raise JobshiftError(
                    f"{where}: oews_code {row.oews_code} is residual but stands on "
                    f"{lines[row.oews_code]} lines; keep one"
                )
            rows += [(row.oews_code, soc, "imputed") for soc in members if impute_residual]
            continue
        if row.soc_code in taken:
            raise JobshiftError(
                f"{where}: soc_code {row.soc_code} already {taken[row.soc_code]}; "
                "it would count twice, keep one"
            )
        taken[row.soc_code] = f"belongs to {row.oews_code} (line {row.line})"
        rows += [(row.oews_code, soc, row.reason) for soc in members]
    frame = pd.DataFrame(rows, columns=["oews_code", "soc_code", "match"])
    return frame.sort_values(["oews_code", "soc_code"], ignore_index=True)


def _members(row, with_tasks: set[str], where: str) -> list[str]:
    """The SOC codes with tasks that a row of the bridge stands for; JobshiftError if it is bad."""
    if row.reason not in REASONS:
        raise JobshiftError(
            f"{where}: reason {row.reason!r} is none of {', '.join(REASONS)}; correct it"
        )
    if row.reason == "residual":
        # A group code is a prefix and zeros: 11-9030 is 11-903…, 11-9000 is 11-9….
        prefix = row.soc_code.rstrip("0")
        members = [soc for soc in sorted(with_tasks) if len(prefix) > 3 and soc.startswith(prefix)]
        if not members or row.soc_code in with_tasks:
            raise JobshiftError(
                f"{where}: soc_code {row.soc_code!r} is no SOC group with tasks; "
                "name a broad or minor group"
            )
        return members
    if row.reason == "no tasks":
        if row.soc_code in with_tasks:
            raise JobshiftError(
                f"{where}: soc_code {row.soc_code} is marked 'no tasks' but has tasks; "
                "give its reason"
            )
        return []
    if row.soc_code not in with_tasks:
        raise JobshiftError(
            f"{where}: soc_code {row.soc_code!r} is unknown, no task has it; "
            "correct it, or give the reason 'no tasks'"
        )
    return [row.soc_code]


def oews_rates(pairs: pd.DataFrame, soc: pd.DataFrame) -> pd.DataFrame:
    """Simple mean over the SOC codes of each OEWS code: match, n_onet, n_tasks, RATES by `code`.

    `pairs` comes from `links`, `soc` from `soc_rates`. Imputed occupations have no tasks of their
    own.
    """
    joined = pairs.join(soc, on="soc_code")
    joined.loc[joined["match"] == "imputed", ["n_onet", "n_tasks"]] = 0
    by_code = joined.groupby("oews_code")
    frame = by_code[["n_onet", "n_tasks"]].sum().join(by_code[RATES].mean())
    frame.insert(0, "match", by_code["match"].first())
    return frame.rename_axis("code")


def by_place(cells: pd.DataFrame, totals: pd.Series, rates: pd.DataFrame) -> pd.DataFrame:
    """Employment-weighted means by place: state, sector, major group or the whole nation.

    `cells` has place, code (detailed) and employment_workers (NaN where not released); `totals` the
    published employment of every place; `rates` the columns RATES by code, for matched codes alone.
    Returns, indexed and sorted by place: n_occupations (matched), n_unmatched, n_not_released,
    employment_workers (published total), matched_workers, unmatched_workers, not_shown_workers,
    matched_share (of the total) and RATES. Raises JobshiftError where the parts do not make up the
    total.
    """
    joined = cells[["place", "code", "employment_workers"]].join(rates[RATES], on="code")
    released, rated = joined["employment_workers"].notna(), joined["beta"].notna()
    matched = joined[released & rated]
    place = matched["place"]
    missing = sorted(set(cells["place"]) - set(totals.dropna().index))
    if missing:
        raise JobshiftError(
            f"OEWS publishes no total employment for {missing[0]!r}; fetch the OEWS file again"
        )
    index = pd.Index(sorted(totals.index), name="place")

    def count(chosen: pd.Series) -> pd.Series:
        return joined[chosen].groupby("place").size().reindex(index, fill_value=0)

    def workers(chosen: pd.Series) -> pd.Series:
        return (
            joined[chosen]
            .groupby("place")["employment_workers"]
            .sum()
            .reindex(index, fill_value=0.0)
        )

    frame = pd.DataFrame(
        {
            "n_occupations": count(released & rated),
            "n_unmatched": count(released & ~rated),
            "n_not_released": count(~released),
            "employment_workers": totals.reindex(index),
            "matched_workers": workers(released & rated),
            "unmatched_workers": workers(released & ~rated),
        }
    )
    published = cells.groupby("place")["employment_workers"].sum().reindex(index, fill_value=0.0)
    frame["not_shown_workers"] = frame["employment_workers"] - published
    # By rounding the occupations may have a few workers more than the total; a share is at most 1.
    shown = frame["matched_workers"] + frame["unmatched_workers"]
    frame["matched_share"] = frame["matched_workers"] / frame["employment_workers"].clip(
        lower=shown
    )
    check_conservation(frame, cells.groupby("place").size())
    sums = matched[RATES].mul(matched["employment_workers"], axis=0).groupby(place).sum(min_count=1)
    return frame.join(sums.div(frame["matched_workers"], axis=0).reindex(index))


def check_conservation(frame: pd.DataFrame, n_cells: pd.Series) -> None:
    """Raise JobshiftError unless matched + unmatched + not shown = total in every row of `frame`.

    Not shown may be negative by rounding only. `n_cells` counts the detailed cells by place.
    """
    parts = frame[["matched_workers", "unmatched_workers", "not_shown_workers"]].sum(axis=1)
    lost = frame["employment_workers"] - parts
    for place in frame.index[lost.abs() > TOLERANCE * frame["employment_workers"].clip(lower=1)]:
        raise JobshiftError(
            f"employment of {place!r} is not conserved: {lost[place]:+,.0f} workers are neither "
            "matched, unmatched nor not shown; a code joins twice or not at all"
        )
    excess = -frame["not_shown_workers"] > ROUNDING * (
        n_cells.reindex(frame.index, fill_value=0) + 1
    )
    for place in frame.index[excess]:
        more = -frame["not_shown_workers"][place]
        raise JobshiftError(
            f"the detailed occupations of {place!r} have {more:,.0f} workers more than its "
            "published total; a code stands twice in the OEWS file, fetch it again"
        )


def thresholds(employment: pd.Series, rates: pd.DataFrame) -> pd.DataFrame:
    """Share of workers whose occupation has at least the share x of its tasks exposed.

    x = 0, 0.01 … 1, for each of α, β and ζ.

    `employment` of the matched occupations, `rates` with α, β, ζ, the same index. An occupation
    exactly on a threshold counts (within 1e-9, so that 0.1 + 0.2 reaches 0.3). Returns measure,
    threshold, n_workers, workers_share: the share is of the matched workers.
    """
    parts = []
    for measure in MEASURES:
        reached = rates[measure].to_numpy()[:, None] >= THRESHOLDS - TOLERANCE
        workers = employment.to_numpy(dtype=float) @ reached
        parts.append(
            pd.DataFrame({"measure": measure, "threshold": THRESHOLDS, "n_workers": workers})
        )
    frame = pd.concat(parts, ignore_index=True)
    frame["workers_share"] = frame["n_workers"] / employment.sum() if len(employment) else np.nan
    return frame


def wage_deciles(occupations: pd.DataFrame) -> pd.DataFrame:
    """Means by decile of workers, each taken to earn the wage of the occupation.

    `occupations` has employment_workers, annual_wage_usd (NaN where unknown) and RATES (NaN where
    unmatched). All workers with a wage make up the deciles, matched or not; an occupation across a
    border is divided between the two, and occupations with the same wage in equal proportion, so
    that the order of codes does not matter and every decile has exactly a tenth of the workers.
    Returns one row a decile (1 lowest … 10) with wage_from_usd, wage_to_usd, wage_mean_usd,
    n_occupations (with a part in it), employment_workers, matched_workers, unmatched_workers,
    matched_share and RATES; workers without a wage, if any, follow with decile NA.
    """
    known = occupations["annual_wage_usd"].notna() & (occupations["employment_workers"] > 0)
    paid = occupations[known]
    if paid.empty:
        raise JobshiftError("no occupation of the OEWS file has a wage; fetch the file again")
    at_wage = paid.groupby("annual_wage_usd")["employment_workers"].sum()
    high = at_wage.cumsum()
    low = high - at_wage
    rows = []
    for decile in range(1, 11):
        start, end = high.iloc[-1] * (decile - 1) / 10, high.iloc[-1] * decile / 10
        part = (high.clip(upper=end) - low.clip(lower=start)).clip(lower=0) / at_wage
        rows.append(
            _decile(decile, paid, paid["employment_workers"] * paid["annual_wage_usd"].map(part))
        )
    unpaid = occupations[
        occupations["annual_wage_usd"].isna() & (occupations["employment_workers"] > 0)
    ]
    if len(unpaid):
        rows.append(_decile(pd.NA, unpaid, unpaid["employment_workers"]))
    frame = pd.DataFrame(rows).astype({"decile": "Int64"})
    lost = occupations["employment_workers"].sum() - frame["employment_workers"].sum()
    if abs(lost) > TOLERANCE * max(occupations["employment_workers"].sum(), 1):
        raise JobshiftError(f"{lost:+,.0f} workers are in no wage decile; report this as a bug")
    return frame


def _decile(decile, occupations: pd.DataFrame, workers: pd.Series) -> dict:
    # A border that falls exactly between two wages leaves a part of rounding size behind it.
    inside = workers > TOLERANCE * occupations["employment_workers"]
    matched = workers.where(occupations["beta"].notna(), 0.0)
    wage = occupations["annual_wage_usd"][inside]
    means = {
        rate: occupations[rate].mul(matched).sum(min_count=1) / matched.sum()
        if matched.sum() > 0
        else np.nan
        for rate in RATES
    }
    return {
        "decile": decile,
        "wage_from_usd": wage.min(),
        "wage_to_usd": wage.max(),
        "wage_mean_usd": occupations["annual_wage_usd"].mul(workers).sum(min_count=1)
        / workers.sum(),
        "n_occupations": int(inside.sum()),
        "employment_workers": workers.sum(),
        "matched_workers": matched.sum(),
        "unmatched_workers": workers.sum() - matched.sum(),
        "matched_share": matched.sum() / workers.sum(),
        **means,
    }
