"""validity: correlation of every exposure measure with AI applicability from real use.

Reads data/results/occupations.parquet (every rater of the study, models too), the tasks with the
labels of each rater, the ratings of activities, and the source working_with_ai. Writes, under
reports/tables/:

- validity.csv, one row a level (occupation, major_group, iwa), rater, measure, side of applicability
  (`applicability`: mean of both; `applicability_user`; `applicability_ai`) and method. `rated` says
  what the rater's value of a unit is a mean of: tasks, or the ratings of its activities. `n_units` are
  correlated, of them `n_bridged` joined through an OEWS code; `n_unmatched` units of the score have no
  value of the rater.
- validity_comparisons.csv: each rater minus each other, one measure, both sides, paired draws.
- validity_unmatched.csv: every code that did not join as it is, and what became of it.
- validity.tex: one measure and another beside each other for a paper.

Where the study does not have the source, all of them are empty and say so.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, validity
from jobshift.measures.exposure import EXPOSURE, MEASURES, class_weights
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables

log = logging.getLogger(__name__)

SOURCE = "working_with_ai"
SCORES = Path("data/raw", SOURCE, "soc_ai_applicability_scores.csv")
SIDES = Path("data/raw", SOURCE, "soc_metrics.csv")
ACTIVITIES = Path("data/raw", SOURCE, "iwa_metrics.csv")
RATINGS = Path("data/raw/rubric_ratings/dwa_ratings.csv")
RESULTS = Path("data/results/occupations.parquet")
PREPARED = Path("data/prepared")
TABLES = Path("reports/tables")

# (rater, rated, measure, target, method) → draws and number of units.
Found = dict[tuple[str, str, str, str, str], tuple[np.ndarray, int]]

TARGETS = ["applicability", "applicability_user", "applicability_ai"]
SIDE = "ai_applicability_score"
# Scope times completion of the conversations about an activity, 0 where they are too few to count.
IWA_SIDE = "completion_x_scope_x_coverage"
IWA_PARTS, GWA_PARTS = 6, 5
KEYS = ["level", "rater", "rated", "measure", "target", "method"]
ESTIMATE = ["value", "low", "high", "draws"]
SIZES = ["n_units", "n_clusters", "n_bridged", "n_unmatched"]
COMPARED = ["level", "measure", "method", *bootstrap.COMPARISON]
UNMATCHED = ["side", "code", "title", "joined_to", "n_onet", "employment_workers", "reason"]
# Columns of the LaTeX table: heading → measure, side and method.
PRINTED = {
    "α, r": ("alpha", "applicability", "pearson"),
    "β, r": ("beta", "applicability", "pearson"),
    "ζ, r": ("zeta", "applicability", "pearson"),
    "β, ρ": ("beta", "applicability", "spearman"),
    "β, r by employment": ("beta", "applicability", "pearson_employment"),
    "β, r, user side": ("beta", "applicability_user", "pearson"),
    "β, r, AI side": ("beta", "applicability_ai", "pearson"),
}
HEADINGS = {
    "occupation": "occupations",
    "major_group": "SOC major groups",
    "iwa": "activities (IWA)",
}


@dataclass
class Config:
    """Schema of `conf/validity.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    bridged: bool = True
    compare: str = "beta"


@dataclass
class Level:
    """What is correlated at one level: units in rows, the same index throughout."""

    name: str
    scores: pd.DataFrame  # TARGETS
    rates: dict[tuple[str, str], pd.DataFrame]  # (rater, rated) → measures
    clusters: pd.Series
    employment: pd.Series | None
    bridged: pd.Series  # True where the unit joined through an OEWS code


def run(config: Config) -> None:
    """Correlate all measures with AI applicability; JobshiftError where a file is missing or bad."""
    check(config)
    if reason := config.data.no_exposure:
        leave_out(reason)
        return
    if SOURCE not in config.study.sources:
        leave_out(f"the study has no source {SOURCE}; add it to `sources` in params.yaml")
        return
    scores = read_scores()
    onet = read_occupations()
    joined = validity.join_codes(distinct(onet), set(scores.index))
    used = joined.assign(code=joined["code"].where(config.bridged | (joined["join"] == "direct")))
    levels = [occupations_level(onet, used, scores)]
    levels += [major_groups_level(levels[0]), activities_level(config)]

    measured = {level.name: correlate(level, config) for level in levels}
    table = pd.DataFrame(
        [row for level in levels for row in table_rows(level, measured[level.name])],
        columns=[*KEYS, *ESTIMATE, *SIZES],
    )
    write_csv(table, TABLES / "validity.csv")
    write_csv(comparisons(measured, config.compare), TABLES / "validity_comparisons.csv")
    write_csv(unmatched(joined, scores, config.bridged), TABLES / "validity_unmatched.csv")
    with complete_file(TABLES / "validity.tex") as partial:
        partial.write_text(latex(table, config), encoding="utf-8")
    headline = table[(table["level"] == "occupation") & (table["measure"] == "beta")]
    headline = headline[(headline["target"] == TARGETS[0]) & (headline["method"] == "pearson")]
    for row in headline.itertuples():
        log.info(
            "%s: β and applicability r = %.3f over %d codes", row.rater, row.value, row.n_units
        )


def correlate(level: Level, config: Config) -> Found:
    """Every correlation of a level: [plain value, draws …] and how many units it counts."""
    clusters, names = pd.factorize(level.clusters, sort=True)
    times = bootstrap.resample(len(names), config.draws, config.seed)[clusters]
    return {
        (*key, *what): found
        for key, rates in level.rates.items()
        for what, found in validity.correlate(rates, level.scores, times, level.employment).items()
    }


def table_rows(level: Level, measured: Found) -> list[tuple]:
    """The rows of a level in validity.csv."""
    rows = []
    for (rater, rated, measure, target, method), (draws, n) in measured.items():
        known = level.rates[rater, rated][measure].notna()
        sizes = (
            n,
            level.clusters[known].nunique(),
            int(level.bridged[known].sum()),
            int((~known).sum()),
        )
        estimate = bootstrap.summary(draws, (-1.0, 1.0))
        rows.append((level.name, rater, rated, measure, target, method, *estimate, *sizes))
    return rows


def comparisons(measured: dict[str, Found], measure: str) -> pd.DataFrame:
    """Each rater less each later one in one measure, both sides: families of level and method."""
    frames = [pd.DataFrame(columns=COMPARED)]
    for level, found in measured.items():
        for method in validity.METHODS:
            wanted = ("tasks", measure, TARGETS[0], method)
            raters = {key[0]: draws for key, (draws, _) in found.items() if key[1:] == wanted}
            if len(raters) > 1:
                family = bootstrap.compare(raters)
                frames.append(family.assign(level=level, measure=measure, method=method))
    return pd.concat(frames[1:] or frames)[COMPARED]


def check(config: Config) -> None:
    """Refuse values that mean nothing, before anything is read."""
    check_counts("conf/validity.yaml", config, ["draws"])
    if config.compare not in validity.VALIDATED:
        raise JobshiftError(
            f"conf/validity.yaml: compare is '{config.compare}', which is no measure; "
            f"choose one of {', '.join(validity.VALIDATED)}"
        )


def leave_out(reason: str) -> None:
    """Write every output empty, with the reason where a sentence fits."""
    log.info("left out: %s", reason)
    for name, columns in {
        "validity": [*KEYS, *ESTIMATE, *SIZES],
        "validity_comparisons": COMPARED,
        "validity_unmatched": UNMATCHED,
    }.items():
        write_csv(pd.DataFrame(columns=columns), TABLES / f"{name}.csv")
    with complete_file(TABLES / "validity.tex") as partial:
        partial.write_text(tables.escape(f"External validity is left out: {reason}.\n"), "utf-8")


def read_scores() -> pd.DataFrame:
    """Applicability of both sides and their mean, with title and employment code, by code."""
    mean = read(SCORES, "SOC Code", [SIDE], ["title"])
    sides = read(SIDES, "SOC Code", [f"{SIDE}_user", f"{SIDE}_ai"], [])
    lacks = {SIDES: mean.index.difference(sides.index), SCORES: sides.index.difference(mean.index)}
    for file, lacking in lacks.items():
        if len(lacking):
            raise JobshiftError(f"{file} lacks the code {lacking[0]}; fetch {SOURCE} again")
    scores = mean.join(sides)
    return scores.rename(
        columns={SIDE: TARGETS[0], f"{SIDE}_user": TARGETS[1], f"{SIDE}_ai": TARGETS[2]}
    )


def read(file: Path, key: str, numbers: list[str], texts: list[str]) -> pd.DataFrame:
    """Columns of a CSV file by `key`, sorted; JobshiftError for what is missing, double or no number."""
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; bring it with `jobshift fetch source={SOURCE}`")
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    for column in [key, *numbers, *texts]:
        if column not in frame:
            raise JobshiftError(f"{file}: there is no column '{column}'; fetch {SOURCE} again")
    twice = frame[key].duplicated()
    if twice.any():
        raise JobshiftError(f"{file}: {frame.loc[twice, key].iloc[0]} stands twice; fetch it again")
    for column in numbers:
        values = pd.to_numeric(frame[column], errors="coerce")
        bad = values.isna() | ~values.between(0, 1)
        if bad.any():
            row = frame[bad].iloc[0]
            raise JobshiftError(
                f"{file}: {column} of {row[key]} is {row[column]!r}, which is no number from 0 to 1; "
                "fetch it again"
            )
        frame[column] = values
    return frame.set_index(key)[[*numbers, *texts]].sort_index()


def read_occupations() -> pd.DataFrame:
    """The O*NET occupations of every rater, as `aggregate` wrote them."""
    if not RESULTS.is_file():
        raise JobshiftError(f"{RESULTS} is missing; make it with `jobshift aggregate`")
    onet = pd.read_parquet(RESULTS)
    needed = ["rater", "occupation", "title", "soc", "oews_code", "oews_employment_workers"]
    for column in [*needed, *validity.VALIDATED]:
        if column not in onet:
            raise JobshiftError(
                f"{RESULTS}: there is no column '{column}'; make it again with `jobshift aggregate`"
            )
    return onet


def distinct(onet: pd.DataFrame) -> pd.DataFrame:
    """Each O*NET occupation once, by its code; JobshiftError where raters place it differently."""
    columns = ["occupation", "title", "soc", "oews_code", "oews_employment_workers"]
    once = onet[columns].drop_duplicates()
    twice = once["occupation"].duplicated()
    if twice.any():
        raise JobshiftError(
            f"{RESULTS}: {once.loc[twice, 'occupation'].iloc[0]} has two codes or employments; "
            "make it again with `jobshift aggregate`"
        )
    return once.set_index("occupation").sort_index()


def occupations_level(onet: pd.DataFrame, joined: pd.DataFrame, scores: pd.DataFrame) -> Level:
    """Every code of the scores, with the rates of each rater that has some there."""
    codes = scores.index
    rates = {}
    for rater, own in onet.groupby("rater", sort=False):
        own = own.set_index("occupation")[list(validity.VALIDATED)].astype(float)
        means = validity.code_means(own, joined.reindex(own.index))
        rates[rater, "tasks"] = means.reindex(codes)
    return Level(
        name="occupation",
        scores=scores[TARGETS],
        rates=rates,
        clusters=pd.Series(codes.str[:6], codes),
        employment=employment(joined).reindex(codes),
        bridged=pd.Series(codes.isin(joined.loc[joined["join"] == "bridged", "code"]), codes),
    )


def employment(joined: pd.DataFrame) -> pd.Series:
    """Workers by code, where OEWS counts the workers of just this code."""
    own = joined[joined["oews_code"] == joined["code"]]
    return own.groupby("code")["oews_employment_workers"].first()


def major_groups_level(occupations: Level) -> Level:
    """Employment-weighted means of rates and scores over the occupations of each SOC major group.

    Rate and score of a group count the same occupations: those that the first rater and OEWS have.
    """
    groups = pd.Series(occupations.scores.index.str[:2], occupations.scores.index)
    first = next(iter(occupations.rates.values()))["beta"]
    workers = occupations.employment.where(first.notna(), 0.0).fillna(0.0)
    scores = validity.group_means(occupations.scores, groups, workers)
    return Level(
        name="major_group",
        scores=scores,
        rates={
            key: validity.group_means(rates, groups, workers)
            for key, rates in occupations.rates.items()
        },
        clusters=pd.Series(scores.index, scores.index),
        employment=workers.groupby(groups).sum(),
        bridged=pd.Series(False, scores.index),
    )


def activities_level(config: Config) -> Level:
    """Intermediate work activities: mean over their tasks by rater, and the ratings of their DWAs."""
    sides = [f"{IWA_SIDE}_user", f"{IWA_SIDE}_ai"]
    found = read(ACTIVITIES, "IWA", sides, [])
    scores = pd.DataFrame(
        {TARGETS[0]: found.mean(axis=1), TARGETS[1]: found[sides[0]], TARGETS[2]: found[sides[1]]}
    )
    labels = config.data.labels
    tasks = read_tasks(config)
    rates = {}
    for rater in config.data.raters:
        column = label_column(config, rater)
        if column not in tasks:
            continue
        own = tasks[tasks[column].notna() & (tasks["dwas"] != "")]
        exposed = label_exposure(own[column], labels, f"task {own.index.name}")
        rates[rater, "tasks"] = validity.activity_means(exposed, own["dwas"], IWA_PARTS)
    if labels == EXPOSURE:
        rates["rubric", "activities"] = rating_means(labels)
    return Level(
        name="iwa",
        scores=scores,
        rates={key: means.reindex(scores.index) for key, means in rates.items()},
        clusters=scores.index.to_series().str.split(".").str[:GWA_PARTS].str.join("."),
        employment=None,
        bridged=pd.Series(False, scores.index),
    )


def label_column(config: Config, rater: str) -> str:
    """Where the tasks hold the labels of a rater: beside others, or as the only ones."""
    return "label" if rater == config.study.rater else f"label_{rater}"


def read_tasks(config: Config) -> pd.DataFrame:
    """The tasks by id, with their activities and labels."""
    file = PREPARED / config.data.name / "tasks.parquet"
    command = f"jobshift prepare data={config.data.name}"
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; make it with `{command}`")
    tasks = pd.read_parquet(file)
    for column in ("id", "dwas", "label"):
        if column not in tasks:
            raise JobshiftError(f"{file}: there is no column '{column}'; run `{command}` again")
    return tasks.set_index("id").fillna({"dwas": ""})


def label_exposure(labels: pd.Series, scores: dict[str, float], what: str) -> pd.DataFrame:
    """α, β and ζ of hard labels; JobshiftError for a label that is no class."""
    known = labels.isin(list(scores))
    if not known.all():
        raise JobshiftError(
            f"{what} {labels.index[~known][0]} has the label {labels[~known].iloc[0]!r}, which is none "
            f"of {', '.join(scores)}; prepare the data again"
        )
    numbers = pd.Categorical(labels, categories=list(scores)).codes
    return pd.DataFrame(class_weights(scores)[numbers], columns=list(MEASURES), index=labels.index)


def rating_means(labels: dict[str, float]) -> pd.DataFrame:
    """Mean over the raters and the DWAs of each IWA of our ratings, every DWA the same."""
    if not RATINGS.is_file():
        raise JobshiftError(
            f"{RATINGS} is missing; bring it with `jobshift fetch source=rubric_ratings`"
        )
    ratings = pd.read_csv(RATINGS, dtype=str)
    exposed = label_exposure(
        ratings.set_index("dwa_id")["exposure"], labels, f"{RATINGS}: activity"
    )
    by_activity = exposed.groupby(level="dwa_id").mean()
    return validity.activity_means(by_activity, by_activity.index.to_series(), IWA_PARTS)


def unmatched(joined: pd.DataFrame, scores: pd.DataFrame, bridged: bool) -> pd.DataFrame:
    """Codes that join only through the bridge, join not at all, or have no employment to weigh by."""
    rows = []
    titles, workers = scores["title"], employment(joined)
    for soc, own in joined[joined["join"] != "direct"].groupby("soc"):
        first = own.iloc[0]
        reason = "neither its SOC code nor its OEWS code has a score"
        code = ""
        if first["join"] == "bridged":
            code = first["code"]
            reason = "its SOC code has no score; it joins by the OEWS code that stands for it"
            if not bridged:
                reason = (
                    "its SOC code has no score, and the OEWS code that stands for it is left out"
                )
        count = first["oews_employment_workers"]
        rows.append(("exposure", soc, first["title"], code, len(own), count, reason))
    at_code = joined.groupby("code")
    for code in scores.index:
        title, count = titles[code], workers.get(code, np.nan)
        if code not in at_code.groups:
            reason = "no O*NET occupation with tasks has this code"
            rows.append(("applicability", code, title, "", 0, count, reason))
            continue
        own = joined.loc[at_code.groups[code]]
        if (own["join"] == "bridged").all():
            reason = "OEWS code of several SOC codes, whose mean it gets" if bridged else "left out"
            members = " ".join(sorted(set(own["soc"])))
            rows.append(("applicability", code, title, members, len(own), count, reason))
        elif np.isnan(count):
            reason = "no employment: not in the weighted correlation nor in its major group"
            rows.append(("applicability", code, title, code, len(own), count, reason))
    return pd.DataFrame(rows, columns=UNMATCHED)


def latex(table: pd.DataFrame, config: Config) -> str:
    """The correlations that a paper prints, each above its interval, one block a level."""
    rows = []
    for (level, rater, rated), part in table.groupby(["level", "rater", "rated"], sort=False):
        cells = part.set_index(["measure", "target", "method"])
        sizes = part.iloc[0]
        block = f"{sizes.n_units:,} {HEADINGS[level]}"
        name = rater if rated == "tasks" else f"{rater}, ratings of activities"
        found = [cells.loc[key] if key in cells.index else None for key in PRINTED.values()]
        values = [
            tables.UNDEFINED if cell is None else tables.number(cell["value"]) for cell in found
        ]
        ends = [
            "" if cell is None else tables.interval(cell["low"], cell["high"]) for cell in found
        ]
        rows += [[block, name, *values], [block, "", *ends]]
    n = config.draws
    notes = [
        "Correlation of exposure with AI applicability (Tomlinson et al. 2025), mean of both sides.",
        "r: Pearson; rho: Spearman; by employment: Pearson weighted by OEWS employment.",
        f"Intervals: 95 % percentile, {n} draws of SOC broad groups, major groups, or GWAs; centred.",
        "Major groups: employment-weighted means; activities: means over their tasks, unweighted.",
        *(f"{name}: {title}." for name, title in config.data.raters.items()),
    ]
    return tables.booktabs(pd.DataFrame(rows, columns=["level", "Rater", *PRINTED]), notes, "level")
