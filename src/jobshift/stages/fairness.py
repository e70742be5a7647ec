"""fairness: error and calibration of each model by SOC major group, wage decile and required skill level.

Of the held-out test tasks of the primary split, mean over the seeds; the measures and when a group is
called unreliable: `measures.fairness`. The wage decile of an occupation is by its workers and its wage in
OEWS, as `aggregate` joins them; the skill level is O*NET's job zone, which the source gpts_are_gpts
has by the title of the occupation. Without that source there are no skill levels, and the log says so. A task
whose occupation lacks a wage or a zone is counted in the log and stays among the rest of every group.

Writes reports/tables/fairness.csv, one row a model, grouping and group, that of all tasks first, and
fairness.tex of the model that is `shown`: the one that agrees best (κ) of those that need the text alone.
Where the labels are no degrees of exposure, or no task has an occupation, both are empty and say so.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, fairness
from jobshift.measures.agreement import cohen_kappa, confusion_table
from jobshift.measures.fairness import in_words
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables
from jobshift.stages.evaluate import (
    PRIMARY,
    kind_of,
    read_columns,
    read_predictions,
    read_tasks,
)

log = logging.getLogger(__name__)

TABLES = Path("reports/tables")
RESULTS = Path("data/results/occupations.parquet")
MAJOR_GROUPS = TABLES / "exposure_major_groups.csv"
SOURCE = "gpts_are_gpts"
ZONES = Path("data/raw", SOURCE, "occupations_onet_basic_skills.csv")
PREPARATION = {
    "1": "little or no",
    "2": "some",
    "3": "medium",
    "4": "considerable",
    "5": "extensive",
}
COLUMNS = ["model", "shown", "grouping", "group", "title", *fairness.COLUMNS[1:]]
HEADINGS = {
    "all": "",
    "major_group": "SOC major group",
    "wage_decile": "Decile of workers by wage",
    "job_zone": "Job zone (preparation)",
}


@dataclass
class Config:
    """Schema of `conf/fairness.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 5000
    seed: int = 0
    bins: int = 15
    min_tasks: int = 30
    coded: list[str] = field(default_factory=list)


def run(config: Config) -> None:
    """Write fairness.csv and .tex; JobshiftError where a file is missing or does not fit."""
    check_counts("conf/fairness.yaml", config, ["draws", "bins", "min_tasks"])
    if reason := config.data.no_exposure:
        leave_out(reason)
        return
    kind = kind_of(config.data)
    tasks = read_tasks(Path("data/prepared", config.data.name, PRIMARY), kind, [])
    if tasks["occupation"].isna().all():
        leave_out(f"the tasks of {config.data.name} have no occupations")
        return
    groupings = read_groupings(tasks["occupation"], SOURCE in config.study.sources)
    resamples = bootstrap.Resamples(tasks, config.draws, config.seed)
    scores = np.array(list(config.data.labels.values()))
    reference = pd.Categorical(tasks["label"], categories=config.data.classes).codes.astype(int)
    found, kappa = [], {}
    for model in config.study.all_models():
        columns, confidences, confusions = [], [], []
        for seed in config.study.seeds:
            frame = read_predictions((model, seed, PRIMARY), tasks, kind)
            predicted, p = kind.answers(frame, tasks)
            columns.append(fairness.task_columns(reference, predicted, p, scores, config.bins))
            confidences.append(fairness.confidence(predicted, p))
            confusions.append(confusion_table(reference, predicted, len(scores)))
        kappa[model] = np.nan_to_num(cohen_kappa(np.array(confusions)).mean(), nan=-1.0)
        for grouping, (membership, titles) in groupings.items():
            table = fairness.by_group(
                resamples, columns, confidences, membership, config.min_tasks, config.seed
            )
            titled = table["group"].map(titles).fillna("")
            found.append(table.assign(model=model, grouping=grouping, title=titled))
    uncoded = [model for model in kappa if model not in config.coded]
    shown = max(uncoded or kappa, key=kappa.get)
    table = pd.concat(found, ignore_index=True)
    table = table.assign(shown=table["model"] == shown)[COLUMNS]
    write_csv(table, TABLES / "fairness.csv")
    write_tex(latex(table[table["shown"]], config))
    for row in table[table["shown"] & table["unreliable"]].to_dict("records"):
        log.info("%s is unreliable: %s", shown, in_words(row))


def leave_out(reason: str) -> None:
    """Write both tables empty, with the reason where a sentence fits."""
    log.info("left out: %s", reason)
    write_csv(pd.DataFrame(columns=COLUMNS), TABLES / "fairness.csv")
    write_tex(tables.escape(f"Error by group is left out: {reason}.\n"))


def write_tex(text: str) -> None:
    """Write the LaTeX table."""
    with complete_file(TABLES / "fairness.tex") as partial:
        partial.write_text(text, encoding="utf-8")


def read_groupings(
    occupation: pd.Series, with_zones: bool
) -> dict[str, tuple[pd.Series, dict[str, str]]]:
    """Grouping → the group of each task, as text or missing, and what each group is called.

    `occupation` is the O*NET-SOC code of each task, which may be missing.
    """
    onet = read_columns(
        RESULTS,
        ["occupation", "title", "oews_code", "oews_employment_workers", "oews_annual_wage_usd"],
        "jobshift aggregate",
    ).drop_duplicates("occupation")
    jobs = onet.dropna(subset="oews_code").drop_duplicates("oews_code").set_index("oews_code")
    wage = jobs["oews_annual_wage_usd"]
    deciles = fairness.wage_deciles(jobs["oews_employment_workers"], wage).astype("string")
    ends = wage.groupby(deciles).agg(["min", "max"])
    dollars = {row.Index: f"${row.min:,.0f} to ${row.max:,.0f}" for row in ends.itertuples()}
    onet = onet.set_index("occupation")
    groupings = {
        "all": (pd.Series("all", occupation.index), {"all": "All tasks"}),
        "major_group": (occupation.str[:2], major_titles()),
        "wage_decile": (occupation.map(onet["oews_code"].map(deciles)), dollars),
    }
    if with_zones:
        zones = onet["title"].map(read_zones())
        titles = {zone: f"{what} preparation" for zone, what in PREPARATION.items()}
        groupings["job_zone"] = (occupation.map(zones), titles)
    else:
        log.info("no skill levels: the study has no source %s; see params.yaml", SOURCE)
    for grouping, (membership, _) in groupings.items():
        if missing := int(membership.isna().sum()):
            log.info("%d of %d test tasks have no %s", missing, len(occupation), grouping)
    return groupings


def major_titles() -> dict[str, str]:
    """SOC major group (two digits) → its name."""
    if not MAJOR_GROUPS.is_file():
        raise JobshiftError(f"{MAJOR_GROUPS} is missing; make it with `jobshift aggregate`")
    groups = pd.read_csv(MAJOR_GROUPS, dtype=str)
    if not {"major_group", "title"} <= set(groups):
        raise JobshiftError(
            f"{MAJOR_GROUPS} lacks the column major_group or title; make it again with "
            "`jobshift aggregate`"
        )
    titles = groups["title"].str.removesuffix(" Occupations")
    return dict(zip(groups["major_group"], titles, strict=True))


def read_zones() -> dict[str, str]:
    """Title of an O*NET occupation → its job zone, 1 to 5."""
    fetch = f"run `jobshift fetch source={SOURCE}`"
    if not ZONES.is_file():
        raise JobshiftError(f"{ZONES} is missing; {fetch}")
    table = pd.read_csv(ZONES, dtype=str)
    if not {"Occupation", "Job Zone"} <= set(table):
        raise JobshiftError(f"{ZONES} lacks the column Occupation or Job Zone; {fetch} again")
    unknown = ~table["Job Zone"].isin(list(PREPARATION))
    if unknown.any():
        row = table[unknown].iloc[0]
        raise JobshiftError(
            f"{ZONES}: line {row.name + 2} has the job zone {row['Job Zone']}, which is none of 1 to 5; "
            f"{fetch} again"
        )
    return dict(zip(table["Occupation"], table["Job Zone"], strict=True))


def latex(table: pd.DataFrame, config: Config) -> str:
    """The rows of one model as a table, a block a grouping."""
    rows = [
        {
            "block": HEADINGS[row["grouping"]] or "All",
            "Group": row["title"] if row["grouping"] == "all" else f"{row['group']} {row['title']}",
            "Tasks": f"{row['n_tasks']:,}",
            "Error": tables.number(row["error"]) + ("*" if row["unreliable"] else ""),
            "95 % interval": tables.interval(row["error_low"], row["error_high"]),
            "Rest": tables.number(row["rest_error"]),
            "p (Holm)": tables.number(row["p_holm"]),
            "Signed error": tables.number(row["signed_error"]),
            "ECE": tables.number(row["expected_calibration_error"]),
            "by chance": tables.number(row["calibration_by_chance"]),
        }
        for row in table.to_dict("records")
    ]
    notes = [
        f"Model {table['model'].iloc[0]}, held-out tasks of the {PRIMARY} split, mean over the seeds.",
        f"Intervals: 95 % percentile, {config.draws} draws of whole leak groups, centred. p: difference "
        f"of the error from that of the rest, Holm within each block, from {config.min_tasks} tasks on.",
        "*: error significantly above that of the rest (5 %). Signed error: predicted less labelled beta.",
        f"ECE: expected calibration error, {config.bins} bins; by chance: what it would be if every "
        "probability were right.",
    ]
    return tables.booktabs(pd.DataFrame(rows), notes, "block")
