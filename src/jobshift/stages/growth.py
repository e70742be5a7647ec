"""growth: employment and wages from May 2021 to May 2025, by exposure. Descriptive, no causal estimate.

Why not causal, how fifths are formed and what the intervals are: `measures.growth`. Exposure is that
of data/results/occupations.parquet, every rater of it; the releases of OEWS are May 2021 (source
gpts_are_gpts, saved from the spreadsheet of BLS) and May 2025 (source oews_2025).

The bridge. Both releases have the same detailed codes, hybrid ones too (13-1020, 21-1018, 31-1120 …
with the same titles), but for 11-1031 Legislators, which May 2025 does not publish; so no line between
the releases is needed, and the bridge of `aggregate` from OEWS to SOC (conf/bridge) holds for both. A
code that is in one release only, or that a new file would bring, is never guessed at: it is listed in
growth_unmatched.csv and counts against the matched share. An exposure imputed to "all other" codes
is not used.

Writes under reports/tables/:

- growth_occupations.csv, one row a code of both releases: employment and wages of both, log changes,
  and `alpha_RATER`, `beta_RATER`, `zeta_RATER`, empty where no task of it is rated.
- growth_quintiles.csv, one row a rater, measure, kind of fifths, outcome and fifth.
- growth_correlations.csv, correlations and slopes by rater, measure, outcome and weighting.
- growth_coverage.csv, employment and wages of all occupations in either release, and the share of
  employment that is matched and rated.
- growth_unmatched.csv, every code that is not, with the reason.
- growth_quintiles.tex and growth_correlations.tex for a paper.

Wages are nominal. `wage` is the median, top-coded or hourly as `texts.oews` says; its change is taken
where both are medians of the same pay basis. Where the study lacks the source of May 2021, all
tables are empty and say so.
"""

import logging
from dataclasses import dataclass
from math import expm1
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, growth
from jobshift.measures import labour_market as lm
from jobshift.measures.exposure import MEASURES
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables
from jobshift.stages.aggregate import whole_numbers
from jobshift.texts.oews import ALL_OCCUPATIONS, DETAILED, read_national, read_oews

log = logging.getLogger(__name__)

SOURCE = "gpts_are_gpts"
MAY_2021 = Path("data/raw", SOURCE, "national_May2021_dl.csv")
MAY_2025 = Path("data/raw/oews_2025/oews.sqlite")
RESULTS = Path("data/results/occupations.parquet")
TABLES = Path("reports/tables")
# "#" in the spreadsheet of May 2021: at least $100.00 an hour or $208,000 a year.
TOP_CODE_2021 = 208_000

RATER = ["rater", "measure"]
ESTIMATE = ["value", "low", "high"]
QUINTILES = [
    *RATER, "fifths_of", "outcome", "fifth", "n_occupations", "employment_2021_workers",
    "exposure_from", "exposure_to", "exposure_mean", *ESTIMATE, "relative", "relative_low",
    "relative_high",
]  # fmt: skip
CORRELATIONS = [
    *RATER, "outcome", "weighting", "statistic", "controls", *ESTIMATE, "standard_error",
    "clustered_error", "clustered_low", "clustered_high", "n_occupations", "n_clusters",
]  # fmt: skip
PAIRS = [
    "code", "title", "match", "employment_2021_workers", "employment_2025_workers",
    "wage_2021_usd", "wage_2025_usd", "wage_basis_2021", "wage_basis_2025", "mean_wage_2021_usd",
    "mean_wage_2025_usd", "employment_log_change", "median_wage_log_change",
    "mean_wage_log_change",
]  # fmt: skip
COVERAGE = [
    "rater", "release", "n_occupations", "n_in_both", "n_rated", "employment_workers",
    "detailed_workers", "in_both_workers", "rated_workers", "in_both_share", "rated_share",
    "median_wage_usd", "mean_wage_usd", "employment_log_change", "median_wage_log_change",
    "mean_wage_log_change",
]  # fmt: skip
UNMATCHED = [
    "code", "title", "reason", "employment_2021_workers", "employment_2025_workers", "share_2021",
    "share_2025",
]  # fmt: skip
EMPTY = {
    "growth_occupations": PAIRS,
    "growth_quintiles": QUINTILES,
    "growth_correlations": CORRELATIONS,
    "growth_coverage": COVERAGE,
    "growth_unmatched": UNMATCHED,
}
PRINTED = ("growth_quintiles", "growth_correlations")
LETTERS = {"alpha": "α", "beta": "β", "zeta": "ζ"}
NOTE = "Descriptive, no causal estimate: OEWS pools three years of panels, and May 2021 is in the pandemic."


@dataclass
class Config:
    """Schema of `conf/growth.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    printed: str = "beta"


def run(config: Config) -> None:
    """Write every table of growth; JobshiftError where a file is missing or bad."""
    check_counts("conf/growth.yaml", config, ["draws"])
    if config.printed not in MEASURES:
        raise JobshiftError(
            f"conf/growth.yaml: printed is '{config.printed}', which is no measure; "
            f"choose one of {', '.join(MEASURES)}"
        )
    if reason := config.data.no_exposure:
        leave_out(reason)
        return
    if SOURCE not in config.study.sources:
        leave_out(f"the study has no source {SOURCE}; add it to `sources` in params.yaml")
        return
    releases, everyone = read_releases()
    pairs = growth.matched(*releases.values())
    exposure, match = read_exposure()
    for rater, rates in exposure.items():
        if rates.reindex(pairs.index)["beta"].isna().all():
            raise JobshiftError(
                f"{RESULTS}: no OEWS code with an exposure by {rater} is in both releases; "
                "make it again with `jobshift aggregate`"
            )
    quintiles, correlations, covered = [], [], []
    for rater, rates in exposure.items():
        rated = pairs.join(rates)
        covered.append(
            growth.coverage(
                releases,
                everyone["employment_workers"],
                rated.assign(rated=rated["beta"].notna()),
            ).assign(rater=rater)
        )
        rated = rated[rated["beta"].notna()]
        group, names = pd.factorize(rated.index.str[:4], sort=True)
        times = bootstrap.resample(len(names), config.draws, config.seed)[group]
        for measure in MEASURES:
            values, whose = rated[measure].to_numpy(), {"rater": rater, "measure": measure}
            quintiles.append(growth.quintiles(rated, values, times).assign(**whose))
            correlations.append(growth.correlations(rated, values, times).assign(**whose))
            slopes = growth.slopes(rated, values).assign(statistic="slope", **whose)
            correlations.append(slopes)
    changes = np.log(everyone.loc["2025"] / everyone.loc["2021"])
    changes = changes.rename(
        {
            "employment_workers": "employment_log_change",
            "median_wage_usd": "median_wage_log_change",
            "mean_wage_usd": "mean_wage_log_change",
        }
    )
    coverage = pd.concat(covered, ignore_index=True)
    coverage = coverage.join(everyone.drop(columns="employment_workers"), on="release")
    coverage.loc[coverage["release"] == "2025", changes.index] = changes.to_numpy()
    found = {
        "growth_occupations": occupations(pairs, exposure, match),
        "growth_quintiles": pd.concat(quintiles, ignore_index=True)[QUINTILES],
        "growth_correlations": pd.concat(correlations, ignore_index=True)[CORRELATIONS],
        "growth_coverage": coverage[COVERAGE],
        "growth_unmatched": unmatched(releases, everyone, pairs, exposure),
    }
    for name, table in found.items():
        write_csv(whole_numbers(table), TABLES / f"{name}.csv")
    for name, text in {
        "growth_quintiles": quintiles_tex(found["growth_quintiles"], coverage, config),
        "growth_correlations": correlations_tex(found["growth_correlations"], config),
    }.items():
        write_text(text, name)
    report(found["growth_quintiles"], coverage)


def leave_out(reason: str) -> None:
    """Write every output empty, with the reason where a sentence fits."""
    log.info("left out: %s", reason)
    for name, columns in EMPTY.items():
        write_csv(pd.DataFrame(columns=columns), TABLES / f"{name}.csv")
    for name in PRINTED:
        write_text(tables.escape(f"Growth by exposure is left out: {reason}.\n"), name)


def write_text(text: str, name: str) -> None:
    """Write a LaTeX table."""
    with complete_file(TABLES / f"{name}.tex") as partial:
        partial.write_text(text, encoding="utf-8")


def read_releases() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The detailed occupations of 2021 and 2025 by code, and all occupations by release.

    The latter: employment_workers, median_wage_usd and mean_wage_usd as published.
    """
    first = read_national(MAY_2021, TOP_CODE_2021)
    oews = read_oews(MAY_2025)
    second = oews.occupations.merge(oews.national, on="code", validate="one_to_one")
    releases, everyone = {}, {}
    for (release, table), file in zip(
        {"2021": first, "2025": second}.items(), (MAY_2021, MAY_2025), strict=True
    ):
        releases[release] = table[table["level"] == DETAILED].set_index("code").sort_index()
        total = table[table["code"] == ALL_OCCUPATIONS]
        if len(total) != 1 or total["employment_workers"].isna().any():
            raise JobshiftError(
                f"{file}: there is no employment of all occupations ({ALL_OCCUPATIONS}); "
                "fetch the file again"
            )
        everyone[release] = total.iloc[0]
    columns = {
        "employment_workers": "employment_workers",
        "annual_wage_usd": "median_wage_usd",
        "mean_annual_wage_usd": "mean_wage_usd",
    }
    totals = pd.DataFrame(everyone).T[list(columns)].rename(columns=columns).astype(float)
    return releases, totals.rename_axis("release")


def read_exposure() -> tuple[dict[str, pd.DataFrame], pd.Series]:
    """α, β and ζ of each rater by OEWS code, as `aggregate` joins them, and the kind of match."""
    if not RESULTS.is_file():
        raise JobshiftError(f"{RESULTS} is missing; make it with `jobshift aggregate`")
    onet = pd.read_parquet(RESULTS)
    for column in ("rater", "soc", "oews_code", "match", "n_tasks", *lm.RATES):
        if column not in onet:
            raise JobshiftError(
                f"{RESULTS}: there is no column '{column}'; make it again with `jobshift aggregate`"
            )
    exposure, match = {}, pd.Series(dtype=object)
    for rater, own in onet.groupby("rater", sort=False):
        links = own[["oews_code", "soc", "match"]].dropna().drop_duplicates()
        rates = lm.oews_rates(links.rename(columns={"soc": "soc_code"}), lm.soc_rates(own))
        exposure[rater] = rates[list(MEASURES)]
        match = match.combine_first(rates["match"])
    return exposure, match


def occupations(
    pairs: pd.DataFrame, exposure: dict[str, pd.DataFrame], match: pd.Series
) -> pd.DataFrame:
    """Every code of both releases with its changes and the exposure by each rater."""
    table = pairs.rename(columns={name: f"{name}_log_change" for name in growth.OUTCOMES})
    table["match"] = match.reindex(table.index).fillna("none")
    table = table.reset_index()[PAIRS].set_index("code")
    for rater, rates in exposure.items():
        table = table.join(rates.add_suffix(f"_{rater}"))
    return table.reset_index()


def unmatched(
    releases: dict[str, pd.DataFrame],
    everyone: pd.DataFrame,
    pairs: pd.DataFrame,
    exposure: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    """Codes that are not in both releases or that a rater has no exposure of, largest first."""
    first, second = releases.values()
    codes = first.index.union(second.index)
    workers = pd.DataFrame(
        {
            f"employment_{release}_workers": detailed["employment_workers"].reindex(codes)
            for release, detailed in releases.items()
        }
    )
    reason = pd.Series("", codes, dtype=object)
    for rater, rates in exposure.items():
        unrated = ~codes.isin(rates.index[rates["beta"].notna()])
        reason[unrated] += f", {rater}"
    everybody = "".join(f", {rater}" for rater in exposure)
    reason = reason.map(
        lambda who: "no rated tasks" if who == everybody else who and f"not rated by {who[2:]}"
    )
    reason[~codes.isin(pairs.index)] = "employment not released or none"
    for here, there, year in ((first, second, 2025), (second, first, 2021)):
        reason[here.index.difference(there.index)] = f"not in the release of May {year}"
    table = workers.assign(
        title=second["title"].combine_first(first["title"]).reindex(codes), reason=reason
    )
    for release in releases:
        total = everyone.loc[release, "employment_workers"]
        table[f"share_{release}"] = table[f"employment_{release}_workers"] / total
    table = table[table["reason"] != ""].rename_axis("code").reset_index()
    order = ["reason", "employment_2021_workers", "code"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True)[UNMATCHED]


def quintiles_tex(quintiles: pd.DataFrame, coverage: pd.DataFrame, config: Config) -> str:
    """Fifths of workers by one measure: total employment and median wage, a block a rater."""
    own = quintiles[
        (quintiles["measure"] == config.printed) & (quintiles["fifths_of"] == "workers")
    ].set_index(["rater", "outcome", "fifth"])
    rows = []
    for rater in dict.fromkeys(quintiles["rater"]):
        for fifth in [*map(str, growth.FIFTHS), "all"]:
            jobs, wage = (
                own.loc[(rater, name, fifth)] for name in ("employment_total", "median_wage")
            )
            row = {
                "block": f"Rated by {rater}",
                "Fifth of workers": fifth,
                "Exposure": f"{tables.number(jobs['exposure_from'], 2)}–"
                + tables.number(jobs["exposure_to"], 2),
                "Occupations": f"{jobs['n_occupations']:,}",
            }
            for name, of in (("Employment", jobs), ("Wage", wage)):
                low, high = (100 * np.expm1(of[f"relative_{end}"]) for end in ("low", "high"))
                relative = f"{percent(of['relative'])} {tables.interval(low, high, 1)}"
                row[f"{name}, %"] = percent(of["value"])
                row[f"{name} rel., %"] = relative if fifth != "all" else ""
            rows.append(row)
    shares = coverage.groupby("release")["rated_share"].min()
    notes = [
        *rater_notes(config),
        f"Growth May 2021 to May 2025 by fifth of workers by {LETTERS[config.printed]}. {NOTE}",
        "Employment: of the fifth as a whole. Wage: nominal annual median of the occupation, mean log "
        "change weighted by the workers of May 2021, as percent. Rel.: relative to all occupations, "
        "which takes general inflation out, with the 95 % interval of a bootstrap over SOC minor groups.",
        f"Rated occupations in both releases: {100 * shares['2021']:.1f} % of employment in May 2021, "
        f"{100 * shares['2025']:.1f} % in May 2025.",
    ]
    return tables.booktabs(pd.DataFrame(rows), notes, "block")


def correlations_tex(correlations: pd.DataFrame, config: Config) -> str:
    """Correlations and slopes of one measure, a block an outcome and weighting, a row a rater."""
    own = correlations[correlations["measure"] == config.printed].fillna({"controls": ""})
    key = ["outcome", "weighting", "rater", "statistic", "controls"]
    own = own.set_index(key).sort_index()
    columns = {
        "Pearson": ("pearson", "", 1, 2),
        "Spearman": ("spearman", "", 1, 2),
        "Slope": ("slope", "none", 10, 1),
        "given wage": ("slope", "log wage", 10, 1),
        "and group": ("slope", "log wage, major group", 10, 1),
    }
    rows = []
    for outcome, name in (("employment", "Employment"), ("median_wage", "Median wage")):
        for weighting, how in (("equal", "all occupations equal"), ("workers", "by workers")):
            for rater in dict.fromkeys(correlations["rater"]):
                row = {"block": f"{name}, {how}", "Rater": rater}
                for heading, (statistic, controls, factor, digits) in columns.items():
                    cell = own.loc[(outcome, weighting, rater, statistic, controls)]
                    value, low, high = (factor * cell[part] for part in ESTIMATE)
                    interval = tables.interval(low, high, digits)
                    row[heading] = f"{tables.number(value, digits)} {interval}"
                rows.append(row)
    notes = [
        *rater_notes(config),
        f"{LETTERS[config.printed]} and log changes May 2021 to May 2025. {NOTE}",
        "Correlations: 95 % interval of a bootstrap over SOC minor groups. Slope: change in percent "
        "(log points) that goes with 10 points more exposure, HC1 interval; given the log wage of May "
        "2021, and given that and the SOC major group. The intervals clustered by minor group, mostly "
        "wider, are in growth_correlations.csv.",
    ]
    return tables.booktabs(pd.DataFrame(rows), notes, "block")


def rater_notes(config: Config) -> list[str]:
    """Who the raters are."""
    return [f"{name}: {title}." for name, title in config.data.raters.items()]


def percent(log_change: float) -> str:
    """A log change as percent with one digit."""
    return tables.number(100 * expm1(log_change), 1)


def report(quintiles: pd.DataFrame, coverage: pd.DataFrame) -> None:
    """Log the matched shares and, by rater, the growth of the least and the most exposed workers."""
    for row in coverage.drop_duplicates("release").itertuples():
        log.info(
            "May %s: %.2f %% of employment is in both releases, %.2f %% also rated",
            row.release, 100 * row.in_both_share, 100 * row.rated_share,
        )  # fmt: skip
    own = quintiles[(quintiles["measure"] == "beta") & (quintiles["fifths_of"] == "workers")]
    own = own.set_index(["rater", "outcome", "fifth"])["value"]
    for rater in dict.fromkeys(quintiles["rater"]):
        cells = [
            100 * expm1(own[rater, outcome, fifth])
            for outcome in ("employment_total", "median_wage")
            for fifth in ("1", "5", "all")
        ]
        log.info(
            "%s: employment of the least exposed fifth %+.1f %%, most %+.1f %%, all %+.1f %%; "
            "median wage %+.1f %%, %+.1f %%, %+.1f %%",
            rater, *cells,
        )  # fmt: skip
