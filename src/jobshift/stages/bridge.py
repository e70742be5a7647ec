"""bridge: carry exposure from O*NET's occupations to Chinese ones, check it, and say whether it holds.

Exposure of O*NET comes straight from our rubric ratings (sources onet_tasks, rubric_ratings); no model
has a part in it. conf/csco/csco_soc.csv is the concordance, ratings/csco_ratings.csv the check: Chinese
statements, drawn as conf/bridge.yaml says and rated with the same rubric. What is computed and why:
`measures.bridge`; what came of it: docs/csco_bridge.md.

conf/bridge.yaml holds the rule that was written before: what must hold for medium groups, and what for
single occupations, to be ranked by the bridge. Writes under reports/tables/:

- bridge_evaluation.csv, one row a number: part `ceiling` (variance between O*NET occupations that SOC
  groups explain), `check` (what the ratings are like), `transfer` (bridge against check) and `rule`,
  whose rows say what had to be above what and whether it `holds`.
- bridge_groups.csv, one row a medium group with tasks: the bridge's exposure beside that of the check.
- bridge_occupations.csv, the exposure of every Chinese occupation, without rows unless the rule holds.
- bridge_evaluation.tex, and bridge_groups.tex: the most and least exposed occupations, or medium groups,
  or a sentence that the rule does not hold, whichever it allows.

For other data sets than csco, and without the source onet_tasks, they have no rows.
"""

import logging
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, bridge
from jobshift.measures import labour_market as lm
from jobshift.measures.exposure import EXPOSURE, MEASURES
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables
from jobshift.texts import onet
from jobshift.texts.schema import checked

log = logging.getLogger(__name__)

DATA, SOURCE = "csco", "onet_tasks"
RAW = Path("data/raw")
CONCORDANCE = Path("conf/csco/csco_soc.csv")
TITLES = Path("conf/csco/medium_groups.csv")
RATINGS = Path("ratings/csco_ratings.csv")
TABLES = Path("reports/tables")

SCHEMA_CONCORDANCE = pa.DataFrameSchema(
    {
        "csco_group": pa.Column(str, pa.Check.str_matches(r"^\d-\d\d-\d\d$")),
        "soc": pa.Column(str, pa.Check.str_matches(r"^\d\d-\d[\d.]*( \d\d-\d[\d.]*)*$")),
        "fit": pa.Column(str, pa.Check.isin(["close", "partial", "forced"])),
        "note": pa.Column(str, nullable=True),
    },
    unique=["csco_group"],
)
SCHEMA_TITLES = pa.DataFrameSchema(
    {
        "csco_group": pa.Column(str, pa.Check.str_matches(r"^\d-\d\d$")),
        "title": pa.Column(str),
    },
    unique=["csco_group"],
)
SCHEMA_RATINGS = pa.DataFrameSchema(
    {
        "id": pa.Column(str, pa.Check.str_matches(r"^\d-\d\d-\d\d-\d\d\.\d\d$")),
        "exposure": pa.Column(str, pa.Check.isin(list(EXPOSURE))),
    },
    unique=["id"],
)

EVALUATION = [
    "part", "level", "method", "measure", "value", "low", "high", "n", "above", "holds",
]  # fmt: skip
GROUPS = [
    "csco_group", "title", "n_small_groups", "n_occupations", "close_share", "soc", *MEASURES,
    "check_beta", "check_occupations", "check_statements", "ranked",
]  # fmt: skip
OCCUPATIONS = ["occupation", "title", "csco_group", "fit", "soc", *MEASURES]
EMPTY = {
    "bridge_evaluation": EVALUATION,
    "bridge_groups": GROUPS,
    "bridge_occupations": OCCUPATIONS,
}
PRINTED = ("bridge_evaluation", "bridge_groups")
LETTERS = {"alpha": "α", "beta": "β", "zeta": "ζ"}
# What each measure of a transfer is called in the LaTeX table, with its digits.
NAMES = {
    "explained": "R²",
    "beta": "mean β",
    "intraclass_correlation": "ICC",
    "reliability": "reliability",
    "highest_correlation": "highest correlation",
    "spearman": "Spearman's ρ",
    "mae": "mean absolute error",
    "mean_difference": "bridge − check",
}
# Each condition of the rule, the row of part `transfer` it is about: level, method, measure.
CONDITIONS = {
    "groups": {
        "spearman": ("medium group", "medium group", "spearman"),
        "spearman_over_major_group": ("medium group", "medium − major group", "spearman"),
        "mae_below_mean": ("medium group", "mean − medium group", "mae"),
    },
    "occupations": {
        "spearman": ("occupation", "small group", "spearman"),
        "spearman_within": ("occupation in its medium group", "small group", "spearman"),
        "mae_below_medium_group": ("occupation", "medium − small group", "mae"),
    },
}


@dataclass
class Sample:
    """Which statements are rated, see `measures.bridge.draw`."""

    occupations: int = 2
    one_in: int = 4
    statements: int = 2
    seed: int = 0


@dataclass
class Config:
    """Schema of `conf/bridge.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    draws: int = 1000
    seed: int = 0
    sample: Sample = field(default_factory=Sample)
    rule: dict[str, dict[str, float]] = MISSING
    top: int = 10


def run(config: Config) -> None:
    """Write every table of the bridge; JobshiftError where a file is missing or does not fit."""
    check(config)
    if (config.data.reader or config.data.name) != DATA:
        leave_out(f"{config.data.name} has no Chinese occupations")
        return
    if SOURCE not in config.study.sources:
        leave_out(f"the study has no source {SOURCE}; add it to `sources` in params.yaml")
        return
    statements = read_statements(config.data.name)
    titles = statements.groupby("occupation")["title"].first()
    concordance, groups = read_concordance(titles.index)
    rated = read_ratings(statements, config.sample)
    exposure = onet_exposure()
    try:
        small = bridge.through_concordance(concordance, exposure)
    except KeyError as error:
        raise JobshiftError(
            f"{CONCORDANCE}: soc names {error}, which no O*NET occupation begins with; correct it"
        ) from error
    levels = bridge.by_level(titles.to_frame(), small)

    rows = [*ceiling(exposure, config), *check_rows(rated, config)]
    rows += transfer(rated, levels, config)
    found = pd.DataFrame(rows, columns=EVALUATION[:8])
    judged, holds = judge(found, config.rule)
    evaluation = pd.concat([found, judged], ignore_index=True)[EVALUATION]

    group_table = describe(titles.index, concordance, groups, levels, rated)
    group_table["ranked"] = holds["groups"]
    occupations = levels["small group"].rename_axis("occupation").reset_index()
    occupations["csco_group"] = occupations["occupation"].str[: bridge.SMALL]
    occupations = occupations.merge(concordance, on="csco_group").assign(
        title=lambda frame: frame["occupation"].map(titles)
    )
    occupations = occupations.sort_values(
        ["beta", "occupation"], ascending=[False, True], ignore_index=True
    )[OCCUPATIONS]

    write_csv(evaluation, TABLES / "bridge_evaluation.csv")
    write_csv(group_table[GROUPS], TABLES / "bridge_groups.csv")
    write_csv(
        occupations if holds["occupations"] else occupations[:0], TABLES / "bridge_occupations.csv"
    )
    write_text(evaluation_tex(evaluation, config), "bridge_evaluation")
    write_text(ranking_tex(group_table, occupations, holds, config), "bridge_groups")
    for row in judged.itertuples():
        log.info(
            "%s: %s %.3f, at least %.3f, must be above %.2f: %s", row.level, row.measure, row.value,
            row.low, row.above, "holds" if row.holds else "does not hold",
        )  # fmt: skip
    for level, good in holds.items():
        log.info("%s %s be ranked by the bridge", level, "may" if good else "must not")


def check(config: Config) -> None:
    """Raise JobshiftError where a value of conf/bridge.yaml cannot be."""
    where = "conf/bridge.yaml"
    sample = [f"sample.{name}" for name in ("occupations", "one_in", "statements")]
    check_counts(where, config, ["draws", "top", *sample])
    if {level: set(asked) for level, asked in config.rule.items()} != {
        level: set(asked) for level, asked in CONDITIONS.items()
    }:
        wanted = "; ".join(f"{level}: {', '.join(asked)}" for level, asked in CONDITIONS.items())
        raise JobshiftError(f"{where}: rule must have exactly the conditions {wanted}")


def leave_out(reason: str) -> None:
    """Write every output empty, with the reason where a sentence fits."""
    log.info("left out: %s", reason)
    for name, columns in EMPTY.items():
        write_csv(pd.DataFrame(columns=columns), TABLES / f"{name}.csv")
    for name in PRINTED:
        write_text(
            tables.escape(f"The bridge to Chinese occupations is left out: {reason}.\n"), name
        )


def write_text(text: str, name: str) -> None:
    """Write a LaTeX table."""
    with complete_file(TABLES / f"{name}.tex") as partial:
        partial.write_text(text, encoding="utf-8")


def read_statements(data: str) -> pd.DataFrame:
    """The prepared task statements: id, occupation and title."""
    file = Path("data/prepared", data, "tasks.parquet")
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; make it with `jobshift prepare data={data}`")
    return pd.read_parquet(file, columns=["id", "occupation", "title"])


def read_concordance(occupations: pd.Index) -> tuple[pd.DataFrame, pd.Series]:
    """The concordance by small group, and the titles of medium groups.

    Raises JobshiftError unless they name just the groups of `occupations`, once each.
    """
    concordance = checked(CONCORDANCE, SCHEMA_CONCORDANCE)
    groups = checked(TITLES, SCHEMA_TITLES)
    for file, table, length in (
        (CONCORDANCE, concordance, bridge.SMALL),
        (TITLES, groups, bridge.MEDIUM),
    ):
        wanted, named = set(occupations.str[:length]), set(table["csco_group"])
        for code in sorted(wanted ^ named):
            what = "is missing, add it" if code in wanted else "has no tasks, take it out"
            raise JobshiftError(f"{file}: the group {code} {what}")
    return concordance, groups.set_index("csco_group")["title"]


def read_ratings(statements: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """The check: id, exposure, occupation, medium and `beta` of each rated statement.

    Raises JobshiftError unless the statements rated are those that `sample` draws.
    """
    ratings = checked(RATINGS, SCHEMA_RATINGS).sort_values("id", ignore_index=True)
    drawn = bridge.draw(statements["id"].tolist(), **vars(sample))
    for each in sorted(set(drawn) ^ set(ratings["id"])):
        what = "is drawn but not rated" if each in set(drawn) else "is rated but not drawn"
        raise JobshiftError(
            f"{RATINGS}: statement {each} {what}; rate the sample that conf/bridge.yaml draws"
        )
    return ratings.assign(
        occupation=ratings["id"].str[: bridge.OCCUPATION],
        medium=ratings["id"].str[: bridge.MEDIUM],
        beta=ratings["exposure"].map(EXPOSURE),
    )


def onet_exposure() -> pd.DataFrame:
    """α, β and ζ of each O*NET occupation by code: the mean over its tasks, by their majority label."""
    tasks = onet.prepare(RAW, list(EXPOSURE), "rubric").tasks
    hard = pd.DataFrame({f"p_{name}": (tasks["label"] == name).astype(float) for name in EXPOSURE})
    rates = lm.task_exposure(hard, EXPOSURE)
    return rates.groupby(tasks["occupation"]).mean().rename_axis("occupation")


def ceiling(exposure: pd.DataFrame, config: Config) -> list[tuple]:
    """How much of the variance of β between O*NET occupations lies between SOC groups."""
    codes = exposure.index
    group, names = pd.factorize(codes.str[: bridge.SOC["SOC minor group"]], sort=True)
    times = bootstrap.resample(len(names), config.draws, config.seed)[group]
    explained = bridge.explained(exposure["beta"].to_numpy(), codes, times)
    return [
        ("ceiling", "O*NET occupation", name, "explained", *estimate(draws), len(codes))
        for name, draws in explained.items()
    ]


def check_rows(rated: pd.DataFrame, config: Config) -> list[tuple]:
    """What the check is like: its mean by major group, and how reliable its means are."""
    occupations, times = clustered(rated, config)
    rows = []
    major = occupations["medium"].str[: bridge.MAJOR]
    for name in ("all", *sorted(major.unique())):
        mine = (major == name).to_numpy() | (name == "all")
        means, drawn = group_means(occupations[mine], times[mine])
        draws = bridge.mean_difference(means["beta"].to_numpy(), np.zeros(len(means)), drawn)
        level = "medium group" if name == "all" else f"medium group of M{name}"
        rows.append(("check", level, "check", "beta", *estimate(draws, (0.0, 1.0)), len(means)))
    statement_times = times[occupations.index.get_indexer(rated["occupation"])]
    for level, values, group, weights in (
        ("occupation", rated["beta"], rated["occupation"], statement_times),
        ("medium group", occupations["beta"], occupations["medium"], times),
    ):
        found = bridge.intraclass(values.to_numpy(), group.to_numpy(), weights)
        found["highest_correlation"] = np.sqrt(found["reliability"])
        for measure, draws in found.items():
            low_to_high = estimate(draws, (0.0, 1.0))
            rows.append(("check", level, "check", measure, *low_to_high, group.nunique()))
    return rows


def clustered(rated: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, np.ndarray]:
    """The rated occupations (medium, beta), and how often each was drawn with its medium group."""
    occupations = rated.groupby("occupation").agg(medium=("medium", "first"), beta=("beta", "mean"))
    group, names = pd.factorize(occupations["medium"], sort=True)
    return occupations, bootstrap.resample(len(names), config.draws, config.seed)[group]


def group_means(occupations: pd.DataFrame, times: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Means over the occupations of each medium group, and how often each group was drawn."""
    means = occupations.groupby("medium").mean()
    first = ~occupations["medium"].duplicated().to_numpy()
    return means, times[first]


def transfer(rated: pd.DataFrame, levels: dict[str, pd.DataFrame], config: Config) -> list[tuple]:
    """The bridge against the check, over medium groups and over occupations.

    `mean` is the mean of the check's other medium groups: it knows the level in China, which the bridge
    does not, so it is a hard baseline for errors; being a constant, it ranks nothing.
    """
    occupations, times = clustered(rated, config)
    for name, values in levels.items():
        occupations[name] = values.loc[occupations.index, "beta"]
    # A group's value is that of all its occupations, which `levels` has alike for each of them.
    means, drawn = group_means(occupations, times)
    rows: list[tuple] = []

    def add(level: str, method: str, measure: str, draws: np.ndarray, n: int) -> np.ndarray:
        ends = {"spearman": (-1.0, 1.0), "mae": (0.0, 1.0)}
        # A difference of two of them may be beyond these.
        bounds = (-np.inf, np.inf) if "−" in method else ends.get(measure, (-1.0, 1.0))
        rows.append(("transfer", level, method, measure, *estimate(draws, bounds), n))
        return draws

    for level, frame, weights, methods in (
        ("medium group", means, drawn, ["major group", "medium group"]),
        ("occupation", occupations, times, ["major group", "medium group", "small group"]),
    ):
        truth, n = frame["beta"].to_numpy(), len(frame)
        own = frame.index.str[: bridge.MEDIUM].to_numpy()
        constant = bridge.others_mean(truth, own, np.zeros(n), weights)
        error = {
            "mean": add(
                level, "mean", "mae", bridge.mean_absolute_error(constant, truth, weights), n
            )
        }
        rank = {}
        for name in methods:
            guess = frame[name].to_numpy()
            rank[name] = add(level, name, "spearman", bridge.spearman(guess, truth, weights), n)
            wrong = bridge.mean_absolute_error(guess, truth, weights)
            error[name] = add(level, name, "mae", wrong, n)
        # Each method less the next finer one: of errors what is gained, of ranks the other way round.
        for coarse, fine in pairwise(methods):
            short = coarse.removesuffix(" group")
            gain = rank[fine] - rank[coarse]
            add(level, f"{fine.removesuffix(' group')} − {coarse}", "spearman", gain, n)
            add(level, f"{short} − {fine}", "mae", error[coarse] - error[fine], n)
        for name in methods[1:]:
            add(level, f"mean − {name}", "mae", error["mean"] - error[name], n)

    for name in ("all", *sorted(means.index.str[: bridge.MAJOR].unique())):
        mine = (
            means.index.str.startswith(name) if name != "all" else np.ones(len(means), dtype=bool)
        )
        part = means[mine]
        shift = bridge.mean_difference(
            part["medium group"].to_numpy(), part["beta"].to_numpy(), drawn[mine]
        )
        level = "medium group" if name == "all" else f"medium group of M{name}"
        add(level, "medium group", "mean_difference", shift, len(part))

    inside = occupations[["beta", "small group"]]
    inside = (inside - inside.groupby(occupations["medium"]).transform("mean")).to_numpy()
    # A medium group with one rated occupation says nothing of the order within.
    several = occupations["medium"].duplicated(keep=False).to_numpy()
    draws = bridge.spearman(inside[several, 1], inside[several, 0], times[several])
    level = "occupation in its medium group"
    add(level, "small group", "spearman", draws, int(several.sum()))
    return rows


def estimate(draws: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf)) -> tuple:
    """Value, low and high of [plain value, draws …]."""
    return bootstrap.summary(draws, bounds)[:3]


def judge(
    found: pd.DataFrame, rule: dict[str, dict[str, float]]
) -> tuple[pd.DataFrame, dict[str, bool]]:
    """The rows of the part `rule`, and whether groups and occupations may be ranked.

    Occupations may only where groups may. A measure that is not defined does not hold.
    """
    measured = found[found["part"] == "transfer"].set_index(["level", "method", "measure"])
    rows, holds = [], {}
    for level, conditions in CONDITIONS.items():
        for name, key in conditions.items():
            row, above = measured.loc[key], float(rule[level][name])
            estimated = [row["value"], row["low"], row["high"], row["n"]]
            rows.append(["rule", level, key[1], name, *estimated, above, bool(row["low"] > above)])
        holds[level] = all(row[-1] for row in rows)
    return pd.DataFrame(rows, columns=EVALUATION), holds


def describe(
    occupations: pd.Index,
    concordance: pd.DataFrame,
    titles: pd.Series,
    levels: dict[str, pd.DataFrame],
    rated: pd.DataFrame,
) -> pd.DataFrame:
    """One row a medium group, by code: what it is, which SOC minor groups it leads to, both exposures."""
    medium = occupations.str[: bridge.MEDIUM]
    small = concordance.set_index("csco_group")
    frame = pd.DataFrame({"title": titles})
    frame["n_small_groups"] = small.groupby(small.index.str[: bridge.MEDIUM]).size()
    frame["n_occupations"] = pd.Series(1, occupations).groupby(medium).sum()
    close = (small["fit"] == "close").loc[occupations.str[: bridge.SMALL]].to_numpy()
    frame["close_share"] = pd.Series(close, occupations).groupby(medium).mean()
    frame["soc"] = small["soc"].groupby(small.index.str[: bridge.MEDIUM]).agg(minor_groups)
    frame = frame.join(levels["medium group"].groupby(medium).first())
    own = rated.groupby(["medium", "occupation"])["beta"].mean().groupby("medium")
    frame["check_beta"], frame["check_occupations"] = own.mean(), own.size()
    frame["check_statements"] = rated.groupby("medium").size()
    return frame.rename_axis("csco_group").sort_index().reset_index()


def minor_groups(cells: pd.Series) -> str:
    """The SOC minor groups of all codes in `cells`, joined by spaces."""
    length = bridge.SOC["SOC minor group"]
    return " ".join(sorted({code[:length] for cell in cells for code in cell.split()}))


def evaluation_tex(evaluation: pd.DataFrame, config: Config) -> str:
    """The evaluation as a LaTeX table, a block a part."""
    headings = {
        "ceiling": "Variance of β between O*NET occupations that the others of the group explain",
        "check": "The check: Chinese statements rated with the rubric",
        "transfer": "The bridge against the check",
        "rule": "The rule: the lower end must be above",
    }
    rows = [
        {
            "block": headings[row.part],
            "Level": row.level,
            "By": row.method,
            "Measure": NAMES.get(row.measure, row.measure.replace("_", " ")),
            "Value": f"{tables.number(row.value)} {tables.interval(row.low, row.high)}".strip(),
            "n": f"{row.n:,}",
            "Rule": "" if row.part != "rule" else rule_cell(row.above, row.holds),
        }
        for row in evaluation.itertuples()
    ]
    notes = [
        "β of O*NET by our rubric ratings, carried over by conf/csco; check: ratings/csco_ratings.csv, "
        "one pass of a language model.",
        f"Intervals: 95 %, {config.draws} draws of whole SOC minor groups (ceiling) or CSCO medium "
        "groups, centred.",
    ]
    return tables.booktabs(pd.DataFrame(rows), notes, "block")


def rule_cell(above: float, holds: bool) -> str:
    """What had to be exceeded, and whether it was."""
    return f"{tables.number(above, 1)}: {'yes' if holds else 'no'}"


def ranking_tex(
    groups: pd.DataFrame, occupations: pd.DataFrame, holds: dict[str, bool], config: Config
) -> str:
    """The most and least exposed occupations or medium groups, or why there is no such table."""
    if not holds["groups"]:
        return tables.escape(
            "The bridge to Chinese occupations does not meet the rule that was set for it, so that none "
            "is listed as more or less exposed.\n"
        )
    named = occupations.rename(columns={"occupation": "code"})
    notes = ["By the small group: occupations of one small group share their values."]
    if not holds["occupations"]:
        named = groups.rename(columns={"csco_group": "code"})
        named = named.sort_values(["beta", "code"], ascending=[False, True])
        notes = ["Medium groups only: the rule does not hold for single occupations."]
    if len(named) <= 2 * config.top:
        ends = {"From the most to the least exposed": named}
    else:
        ends = {"Most exposed": named[: config.top], "Least exposed": named[-config.top :]}
    rows = [
        {"block": heading, "Name": f"{row.code} {row.title}"}
        | {letter: tables.number(getattr(row, name), 2) for name, letter in LETTERS.items()}
        for heading, part in ends.items()
        for row in part.itertuples()
    ]
    notes.append("Exposure of the O*NET occupations that conf/csco names, by our rubric ratings.")
    return tables.booktabs(pd.DataFrame(rows), notes, "block")
