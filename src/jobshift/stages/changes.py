"""changes: the ratings of 2026 against the published labels of 2023, task by task.

Reads the tasks of the data set (labels of every rater), titles of activities from the sources, and the
employment that `aggregate` joined to the occupations. Writes, under reports/tables/:

- changes_summary.csv: every pair of raters, one row a metric. `kind` is `change` (2026 against 2023),
  `yardstick` (raters of 2023 among themselves) or `difference` (a change less a yardstick).
  `n_left_out` tasks lack the label of one of the raters.
- changes_activities.csv: GWAs, IWAs and DWAs. `rank` orders, within level and `direction`, the
  activities with enough tasks by how far β lies beyond all raters of 2023; empty for the others. A DWA,
  which is rated as a whole and is one group of the bootstrap, has no interval and needs no groups.
- changes_occupations.csv: O*NET occupations; changes_major_groups.csv: their means by SOC major group
  and over all (`00`), each occupation alike (`weighting` occupations) or by employment.
- changes_summary.tex, changes_activities.tex (the most moved IWAs): for a paper.

A difference between raters is not only time: `measures.changes` says what else, and notes and captions
repeat it. Where the study does not have the published labels, all of these are empty and say so.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import changes
from jobshift.measures.validity import memberships
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables

log = logging.getLogger(__name__)

SOURCE = "gpts_are_gpts"
LINKS = Path("data/raw/onet_tasks/Task_DWA.csv")
IWAS = Path("data/raw/working_with_ai/iwa_metrics.csv")
PREPARED = Path("data/prepared")
RESULTS = Path("data/results/occupations.parquet")
TABLES = Path("reports/tables")
GROUPS = TABLES / "exposure_major_groups.csv"

# Level → dotted parts of a DWA id.
LEVELS = {"gwa": 5, "iwa": 6, "dwa": 7}
SIZES = ["n_tasks", "n_groups", "n_occupations", "n_left_out"]
OCCUPATION = ["occupation", "title", "major_group"]
ACTIVITY = ["level", "activity", "title", "enough", "direction", "rank"]
GROUP = ["weighting", "major_group", "title", "n_occupations", "employment_workers"]
EVERYTHING, ALL = "00", "All occupations"
# Columns of the LaTeX summary: heading → metric.
PRINTED = {
    "Agreement": "agreement",
    "Cohen's κ": "cohen_kappa",
    "Weighted κ": "cohen_kappa_quadratic",
    "Task β, r": "task_beta_pearson",
    "Occupation β, r": "occupation_beta_pearson",
    "Shift of α": "shift_alpha",
    "Shift of β": "shift_beta",
    "Shift of ζ": "shift_zeta",
}
KINDS = {
    changes.CHANGE: "2026 against 2023: another rater, unit, wording and time",
    changes.YARDSTICK: "2023 against 2023: the same time (yardstick)",
    changes.DIFFERENCE: "Change less yardstick",
}
CAUTION = "A difference between raters is not only time: rater, unit that is rated and wording differ, too."


@dataclass
class Config:
    """Schema of `conf/changes.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    new: str = "rubric"
    published: list[str] = field(default_factory=lambda: ["human", "gpt4", "gpt4_alt"])
    draws: int = 1000
    seed: int = 0
    min_groups: int = 5
    min_tasks: int = 30
    top: int = 12
    gwa_titles: dict[str, str] = field(default_factory=dict)


def run(config: Config) -> None:
    """Compare the ratings; JobshiftError where a file is missing or does not fit."""
    check(config)
    reason = config.data.no_exposure
    if not reason and SOURCE not in config.study.sources:
        reason = f"the study has no source {SOURCE}; add it to `sources` in params.yaml"
    elif not reason and SOURCE not in config.data.sources:
        reason = f"the data set {config.data.name} has no published labels; set `data: {SOURCE}`"
    if reason:
        leave_out(config, reason)
        return
    raters = [*config.published, config.new]
    for rater in raters:
        if rater not in config.data.raters:
            raise JobshiftError(
                f"conf/changes.yaml names the rater '{rater}', but the data set {config.data.name} "
                f"was rated by {', '.join(config.data.raters)}; choose of these"
            )
    tasks, left_out = read_tasks(config, raters)
    # Titles and employment are read before anything is computed, so that a missing file tells at once.
    titles = activity_titles(config)
    employed, group_titles = read_occupations(set(tasks["occupation"])), read_group_titles()

    by_occupation = rated(config, tasks, tasks["occupation"], config.draws)
    summary = changes.summary(by_occupation, config.published, config.new)
    sizes = (len(tasks), tasks["group"].nunique(), tasks["occupation"].nunique(), left_out)
    summary = summary.assign(**dict(zip(SIZES, sizes, strict=True)))
    occupations = units(config, by_occupation).rename_axis("occupation").reset_index()
    names = tasks.drop_duplicates("occupation").set_index("occupation")["title"]
    occupations.insert(1, "title", occupations["occupation"].map(names))
    occupations.insert(2, "major_group", occupations["occupation"].str[:2])
    major = major_groups(config, tasks, by_occupation, employed, group_titles)
    del by_occupation
    activities = activity_table(config, tasks, titles)
    for name, frame in {
        "summary": summary,
        "activities": activities,
        "occupations": occupations,
        "major_groups": major,
    }.items():
        write_csv(frame, TABLES / f"changes_{name}.csv")
    write_latex("summary", summary_latex(summary, config))
    write_latex("activities", activities_latex(activities, config))
    for row in summary[summary["metric"] == "cohen_kappa"].itertuples():
        log.info("%s: %s and %s, Cohen's κ %.3f", row.kind, row.reference, row.rater, row.value)


def check(config: Config) -> None:
    """Refuse values that mean nothing, before anything is read."""
    check_counts("conf/changes.yaml", config, ["draws", "min_groups", "min_tasks", "top"])
    if not config.published:
        raise JobshiftError("conf/changes.yaml: published is empty; name at least one rater")
    raters = [*config.published, config.new]
    if len(set(raters)) < len(raters):
        raise JobshiftError(f"conf/changes.yaml names a rater twice in {', '.join(raters)}")


def leave_out(config: Config, reason: str) -> None:
    """Write every output empty, with the reason where a sentence fits."""
    log.info("left out: %s", reason)
    rates = changes.columns(config.published, config.new)
    for name, columns in {
        "summary": [*changes.PAIR, *SIZES],
        "activities": [*ACTIVITY, *rates],
        "occupations": [*OCCUPATION, *rates],
        "major_groups": [*GROUP, *rates],
    }.items():
        write_csv(pd.DataFrame(columns=columns), TABLES / f"changes_{name}.csv")
    sentence = (
        tables.escape(f"What changed from 2023 to 2026 is left out: {reason}.\n".strip()) + "\n"
    )
    for name in ("summary", "activities"):
        write_latex(name, sentence)


def write_latex(name: str, text: str) -> None:
    """Write changes_NAME.tex."""
    with complete_file(TABLES / f"changes_{name}.tex") as partial:
        partial.write_text(text, encoding="utf-8")


def read_tasks(config: Config, raters: list[str]) -> tuple[pd.DataFrame, int]:
    """The tasks that every rater labelled, with the first activity as `group`, and how many are not."""
    file = PREPARED / config.data.name / "tasks.parquet"
    command = f"jobshift prepare data={config.data.name}"
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; make it with `{command}`")
    found = pd.read_parquet(file)
    labels = [f"label_{rater}" for rater in raters]
    for column in ("id", "occupation", "title", "weight", "dwa", "dwas", *labels):
        if column not in found:
            raise JobshiftError(f"{file}: there is no column '{column}'; run `{command}` again")
    for column in labels:
        bad = found[column].notna() & ~found[column].isin(list(config.data.labels))
        if bad.any():
            row = found[bad].iloc[0]
            raise JobshiftError(
                f"{file}: task {row['id']} has {column} {row[column]!r}, which is none of "
                f"{', '.join(config.data.labels)}; run `{command}` again"
            )
    # Without an activity there is no group to draw either.
    complete = found[labels].notna().all(axis=1) & (found["dwa"].fillna("") != "")
    if not complete.any():
        raise JobshiftError(f"{file}: no task has a label of each of {', '.join(raters)}")
    tasks = found[complete].sort_values("id", ignore_index=True)
    return tasks.assign(group=tasks["dwa"]), int((~complete).sum())


def activity_titles(config: Config) -> dict[str, str]:
    """Titles of activities by code, as far as the study's sources (and conf, for GWAs) have them."""
    if not LINKS.is_file():
        raise JobshiftError(f"{LINKS} is missing; bring it with `jobshift fetch source=onet_tasks`")
    links = pd.read_csv(LINKS, dtype=str, usecols=["DWA ID", "DWA Title"], encoding="utf-8-sig")
    titles = links.drop_duplicates("DWA ID").set_index("DWA ID")["DWA Title"].to_dict()
    if "working_with_ai" in config.study.sources:
        if not IWAS.is_file():
            raise JobshiftError(
                f"{IWAS} is missing; bring it with `jobshift fetch source=working_with_ai`"
            )
        titles |= pd.read_csv(IWAS, dtype=str).set_index("IWA")["title"].to_dict()
    return {code: title.removesuffix(".") for code, title in (titles | config.gwa_titles).items()}


def read_occupations(wanted: set[str]) -> pd.DataFrame:
    """SOC code, OEWS code and its employment of the O*NET occupations `wanted`, by occupation."""
    if not RESULTS.is_file():
        raise JobshiftError(f"{RESULTS} is missing; make it with `jobshift aggregate`")
    columns = ["soc", "oews_code", "oews_employment_workers"]
    found = pd.read_parquet(RESULTS)
    for column in ("occupation", *columns):
        if column not in found:
            raise JobshiftError(
                f"{RESULTS}: there is no column '{column}'; make it again with `jobshift aggregate`"
            )
    once = found.drop_duplicates("occupation").set_index("occupation")[columns]
    for occupation in sorted(wanted - set(once.index)):
        raise JobshiftError(
            f"{RESULTS} lacks the occupation {occupation}; make it again with `jobshift aggregate`"
        )
    return once.loc[sorted(wanted)]


def read_group_titles() -> dict[str, str]:
    """Titles of the SOC major groups by their two digits."""
    if not GROUPS.is_file():
        raise JobshiftError(f"{GROUPS} is missing; make it with `jobshift aggregate`")
    groups = pd.read_csv(GROUPS, dtype=str)
    return groups.drop_duplicates("major_group").set_index("major_group")["title"].to_dict()


def rated(config: Config, tasks: pd.DataFrame, unit: pd.Series, draws: int) -> changes.Rated:
    """The tasks with their `unit`, as the measures need them."""
    raters = [*config.published, config.new]
    return changes.Rated(tasks.assign(unit=unit), raters, config.data.labels, draws, config.seed)


def units(config: Config, compared: changes.Rated) -> pd.DataFrame:
    """Raters, agreement and shifts in every unit."""
    return changes.by_unit(compared, config.published, config.new, config.min_groups)


def activity_table(config: Config, tasks: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """GWAs, IWAs and DWAs, each by code."""
    parts = []
    for level, dotted in LEVELS.items():
        links = memberships(tasks["dwas"], dotted)
        linked = tasks.loc[links.index].assign(weight=1.0)
        draws, min_groups = (0, 1) if level == "dwa" else (config.draws, config.min_groups)
        frame = units(config, rated(config, linked, links, draws))
        frame = changes.most_moved(frame, config.min_tasks, min_groups)
        codes = frame.index.to_series()
        parts.append(
            frame.assign(level=level, activity=codes, title=codes.map(titles).fillna(codes))
        )
    table = pd.concat(parts, ignore_index=True)
    return table[[*ACTIVITY, *changes.columns(config.published, config.new)]]


def major_groups(
    config: Config,
    tasks: pd.DataFrame,
    by_occupation: changes.Rated,
    employed: pd.DataFrame,
    titles: dict[str, str],
) -> pd.DataFrame:
    """Means over the occupations of each SOC major group and over all, under both weightings."""
    by_group = units(config, rated(config, tasks, tasks["occupation"].str[:2], 0))
    everything = units(config, rated(config, tasks, pd.Series(EVERYTHING, tasks.index), 0))
    counts = pd.concat([by_group, everything])
    counts = counts[[name for name in counts if name.startswith(("n_", "agreement_", "cohen_"))]]
    codes = by_occupation.units.to_numpy(dtype=str)
    groups = np.array([code[:2] for code in codes])
    workers = changes.employment_weights(employed).loc[codes].to_numpy()
    parts = []
    for weighting, weights in {"occupations": np.ones(len(codes)), "employment": workers}.items():
        names, means = changes.grouped(by_occupation.means, groups, weights)
        _, over_all = changes.grouped(by_occupation.means, np.full(len(codes), EVERYTHING), weights)
        index = pd.Index([EVERYTHING, *names], name="major_group")
        frame = changes.with_shifts(
            counts.loc[index],
            np.concatenate([over_all, means], axis=2),
            by_occupation.names,
            config.published,
            config.new,
            (counts.loc[index, "n_groups"] >= config.min_groups).to_numpy(),
        )
        frame = frame.rename_axis("major_group").reset_index()
        of_group = {name: (groups == name) & (weights > 0) for name in names}
        of_group[EVERYTHING] = weights > 0
        frame["n_occupations"] = [int(of_group[name].sum()) for name in index]
        frame["employment_workers"] = [workers[of_group[name]].sum() for name in index]
        parts.append(frame.assign(weighting=weighting, title=[
            ALL if name == EVERYTHING else titles.get(name, name) for name in index
        ]))  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    return table[[*GROUP, *changes.columns(config.published, config.new)]]


def summary_latex(summary: pd.DataFrame, config: Config) -> str:
    """Every pair of raters, each value above its interval, one block a kind."""
    rows = []
    pairs = summary.groupby(["kind", "reference", "rater"], sort=False)
    for (kind, reference, rater), part in pairs:
        cells = part.set_index("metric")
        found = [
            cells.loc[metric] if metric in cells.index else None for metric in PRINTED.values()
        ]
        values = [tables.UNDEFINED if row is None else tables.number(row["value"]) for row in found]
        ends = ["" if row is None else tables.interval(row["low"], row["high"]) for row in found]
        who = f"{rater} − {reference}" if kind != changes.DIFFERENCE else f"({rater}) − {reference}"
        rows += [[KINDS[kind], who.replace(" - ", " − "), *values], [KINDS[kind], "", *ends]]
    sizes = summary.iloc[0]
    notes = [
        CAUTION,
        f"{sizes['n_tasks']:,} tasks that all of them rated ({sizes['n_left_out']:,} left out).",
        "Shift: mean of the first named rater less that of the second, over tasks.",
        f"Intervals: 95 % percentile, {config.draws} draws of first activities, centred.",
        *(f"{name}: {config.data.raters[name]}." for name in [*config.published, config.new]),
    ]
    return tables.booktabs(pd.DataFrame(rows, columns=["kind", "Raters", *PRINTED]), notes, "kind")


def activities_latex(activities: pd.DataFrame, config: Config) -> str:
    """The intermediate activities whose β lies farthest beyond all raters of 2023."""
    moved = activities[(activities["level"] == "iwa") & (activities["rank"] <= config.top)]
    raters = [*config.published, config.new]
    blocks = {
        "higher": "Higher in 2026 than for any rater of 2023",
        "lower": "Lower in 2026 than for any rater of 2023",
    }
    rows = []
    for direction, block in blocks.items():
        for row in moved[moved["direction"] == direction].sort_values("rank").to_dict("records"):
            ends = tables.interval(row["shift_beta_low"], row["shift_beta_high"], 2)
            rates = [tables.number(row[f"beta_{rater}"], 2) for rater in raters]
            shift = f"{tables.number(row['shift_beta'], 2)} {ends}".strip()
            beyond = tables.number(row["beyond_beta"], 2)
            rows.append([block, row["title"], f"{row['n_tasks']:,}", *rates, shift, beyond])
    heads = ["block", "Activity", "Tasks", *raters, f"Shift from {raters[0]}", "Beyond 2023"]
    notes = [
        CAUTION,
        f"Mean beta of tasks; activities (IWA) of at least {config.min_tasks} tasks with at least "
        f"{config.min_groups} first activities. The largest of many, so partly chance.",
        "Beyond 2023: distance of the new beta from the range of all raters of 2023; orders the rows.",
        f"Intervals: 95 % percentile, {config.draws} draws of first activities, centred.",
        *(f"{name}: {config.data.raters[name]}." for name in raters),
    ]
    return tables.booktabs(pd.DataFrame(rows, columns=heads), notes, "block")
