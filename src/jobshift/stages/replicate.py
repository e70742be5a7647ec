"""replicate: published numbers, each recomputed by its rule and set beside what was printed.

Reads the rows in conf/replicate/*.yaml and data/raw/gpts_are_gpts/. A file has a list `rows` and what
they have in common: `paper`, `place`, `about`, `rule`. A row has its own id, quantity and published number
as printed, may change what the file says, may try the rule with other choices (`also`) and may say what
numbers cannot (`note`).

Writes reports/tables/replication.csv, .md and .tex, one row a published number in the order of the
files, and replication_skills.csv: the regression behind the skills, by people and by GPT-4, with three
kinds of standard errors. `tried` lists the other choices and what they give. Where the study does not
have the source, all are empty and say so.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import MISSING as REQUIRED
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin

import pandas as pd
import pandera.pandas as pa
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from jobshift.config import Study, explain
from jobshift.errors import JobshiftError
from jobshift.measures import replication
from jobshift.measures.exposure import MEASURES
from jobshift.measures.replication import Data, Rule
from jobshift.outputs import complete_file, write_csv
from jobshift.report import tables
from jobshift.texts.gpts_are_gpts import EXPOSURE
from jobshift.texts.oews import read_bridge
from jobshift.texts.schema import OCCUPATION, PUBLISHED, checked

log = logging.getLogger(__name__)

SOURCE = "gpts_are_gpts"
RAW = Path("data/raw", SOURCE)
ROWS = Path("conf/replicate")
TABLES = Path("reports/tables")

NUMBER = pa.Check.str_matches(r"^\d+(\.\d+)?(e-\d+)?$")
# The published file calls GPT-4 dv and ζ gamma.
STORED = {
    (rater, exposure): f"{theirs}_rating_{exposure.replace('zeta', 'gamma')}"
    for rater, theirs in (("human", "human"), ("gpt4", "dv"))
    for exposure in MEASURES
}
OCC_LEVEL = pa.DataFrameSchema(
    {
        "O*NET-SOC Code": pa.Column(str, pa.Check.str_matches(OCCUPATION)),
        **{name: pa.Column(str, NUMBER) for name in STORED.values()},
    },
    unique=["O*NET-SOC Code"],
)
OEWS_2021 = pa.DataFrameSchema(
    {
        "OCC_CODE": pa.Column(str, pa.Check.str_matches(r"^\d\d-\d{4}$")),
        "O_GROUP": pa.Column(str),
        "TOT_EMP": pa.Column(str, pa.Check.str_matches(r"^([\d,]+|\*\*?)$")),
    }
)
SKILLS = [
    "Active_Listening",
    "Mathematics",
    "Reading_Comprehension",
    "Science",
    "Speaking",
    "Writing",
    "Active_Learning",
    "Critical_Thinking",
    "Learning_Strategies",
    "Monitoring",
    "Programming",
]
IMPORTANCE = pa.DataFrameSchema(
    {
        "Occupation": pa.Column(str),
        "Job Zone": pa.Column(str, pa.Check.isin(list("12345"))),
        **{f"{skill}_Importance": pa.Column(str, NUMBER) for skill in SKILLS},
    },
    unique=["Occupation"],
)

COLUMNS = [
    "id",
    "paper",
    "place",
    "quantity",
    "exposure",
    "published",
    "rule",
    "ours",
    "ours_printed",
    "difference",
    "verdict",
    "note",
    "about",
    "tried",
    "n",
]
SKILL_COLUMNS = ["rater", "exposure", "term", "coefficient"]
SKILL_COLUMNS += [*(f"se_{kind}" for kind in replication.ERRORS), "n_tasks", "n_occupations"]
# What a value of a row may be, in words.
NAMES = {
    str: "text (a published number in quotes, since its printed digits count)",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Rule: "a list of rules",
    Any: "a list",
}
PRINTED = {
    "Quantity": "quantity",
    "Published": "published",
    "Ours": "ours_printed",
    "Verdict": "verdict",
}


@dataclass
class Config:
    """Schema of `conf/replicate.yaml`, which documents the keys."""

    study: Study = MISSING
    files: list[str] = field(default_factory=list)
    bridge: str = "conf/bridge/oews_2025.csv"


@dataclass
class Row:
    """One published number in conf/replicate/*.yaml; what is not given is as its file says."""

    id: str
    quantity: str
    published: str  # in quotes, since the printed digits count
    paper: str = ""
    place: str = ""
    about: str = ""
    note: str = ""
    rule: Rule = field(default_factory=Rule)
    # Other choices to try, each the keys of the rule that it changes.
    also: list[Rule] = field(default_factory=list)


@dataclass
class Group:
    """A file in conf/replicate/: its rows and what they have in common."""

    paper: str
    rows: list[Any]
    place: str = ""
    about: str = ""  # printed once, below the heading
    rule: Rule = field(default_factory=Rule)


def run(config: Config) -> None:
    """Recompute every published number; JobshiftError where a row or a file does not fit."""
    rows = read_rows(config.files)
    if SOURCE not in config.study.sources:
        leave_out(f"the study has no source {SOURCE}; add it to `sources` in params.yaml")
        return
    data = read_data(Path(config.bridge))
    table = pd.DataFrame([replicated(where, row, data) for where, row in rows], columns=COLUMNS)
    # Fixed notation, as whoever reads the table may not know exponents.
    write_csv(table, TABLES / "replication.csv", float_format="%.10f")
    write_csv(skills_table(data), TABLES / "replication_skills.csv")
    counted = Counter(table["verdict"])
    summary = (
        f"{counted[replication.EXACT]} are exact, {counted[replication.WITHIN]} are within rounding, "
        f"{counted[replication.DIFFERS]} differ"
    )
    for suffix, render in (("md", markdown), ("tex", latex)):
        with complete_file(TABLES / f"replication.{suffix}") as partial:
            partial.write_text(render(table, summary), encoding="utf-8")
    log.info("replicate: of %d published numbers %s", len(table), summary)


def leave_out(reason: str) -> None:
    """Write every output empty, with the reason where a sentence fits."""
    log.info("left out: %s", reason)
    write_csv(pd.DataFrame(columns=COLUMNS), TABLES / "replication.csv")
    write_csv(pd.DataFrame(columns=SKILL_COLUMNS), TABLES / "replication_skills.csv")
    sentence = f"The replication table is left out: {reason}."
    for suffix, text in (("md", sentence), ("tex", tables.escape(sentence))):
        with complete_file(TABLES / f"replication.{suffix}") as partial:
            partial.write_text(text + "\n", encoding="utf-8")


def read_rows(files: list[str]) -> list[tuple[str, Row]]:
    """The rows in order, each with its file and name for messages, defaults filled in and checked.

    `files` are names in conf/replicate/, none meaning all of them. Raises JobshiftError, naming file
    and row, for an unknown key, a value that does not fit and an id that stands twice.
    """
    paths = [ROWS / f"{name}.yaml" for name in files] or sorted(ROWS.glob("*.yaml"))
    if not paths:
        raise JobshiftError(f"{ROWS} has no file with published numbers; restore it")
    rows: list[tuple[str, Row]] = []
    for path in paths:
        group = typed(load(path), Group, str(path))
        for number, given in enumerate(group.rows, start=1):
            name = given.get("id", number) if isinstance(given, dict) else number
            where = f"{path}, row {name}"
            rows.append((where, filled(given, group, where)))
    seen: dict[str, str] = {}
    for where, row in rows:
        if row.id in seen:
            raise JobshiftError(f"{where}: {seen[row.id]} has the same id; change one")
        seen[row.id] = where
    return rows


def load(path: Path) -> Any:
    """A YAML file as plain data; JobshiftError where it is missing or no YAML."""
    if not path.is_file():
        raise JobshiftError(f"{path} is missing; name a file of {ROWS} or restore it")
    try:
        return OmegaConf.to_container(OmegaConf.load(path))
    except (OmegaConfBaseException, YAMLError) as error:
        raise JobshiftError(f"{path}: {explain(error)}") from error


def typed(given: Any, schema: type, where: str) -> Any:
    """`given` as an instance of `schema`; JobshiftError that begins with `where` if it does not fit."""
    if not isinstance(given, dict):
        raise JobshiftError(f"{where}: there must be keys with values here, not {given!r}")
    keys = {each.name: each for each in fields(schema)}
    for key in given:
        if key not in keys:
            raise JobshiftError(
                f"{where}: the key {key!r} is unknown; choose one of {', '.join(keys)}"
            )
    values = {}
    for key, each in keys.items():
        if key not in given:
            if each.default is REQUIRED and each.default_factory is REQUIRED:
                raise JobshiftError(f"{where}: the key {key!r} is missing; add it")
            continue
        value, kinds = given[key], get_args(each.type) or (each.type,)
        if kinds == (Rule,) and isinstance(each.type, type):
            value = typed(value, Rule, where)
        elif kinds == (Rule,) and isinstance(value, list):
            value = [typed(other, Rule, where) for other in value]
        elif float in kinds and type(value) is int:
            value = float(value)
        elif type(value) not in kinds and type(value) is not get_origin(each.type):
            names = " or ".join(NAMES[kind] for kind in kinds if kind in NAMES)
            raise JobshiftError(f"{where}: {key} is {value!r} but must be {names}; correct it")
        values[key] = value
    return schema(**values)


def filled(given: Any, group: Group, where: str) -> Row:
    """A row with the defaults of its group, every rule of it checked."""
    row = typed(given, Row, where)
    for key in ("paper", "place", "about"):
        setattr(row, key, getattr(row, key) or getattr(group, key))
    row.rule = changed(group.rule, row.rule)
    row.also = [changed(row.rule, other) for other in row.also]
    try:
        replication.parse(row.published)
    except ValueError as error:
        raise JobshiftError(
            f"{where}: published {row.published!r} is no number; correct it"
        ) from error
    for rule in (row.rule, *row.also):
        try:
            replication.check(rule)
        except JobshiftError as error:
            raise JobshiftError(f"{where}: {error}") from error
    return row


def changed(rule: Rule, other: Rule) -> Rule:
    """`rule` with the keys that `other` gives."""
    given = {each.name: getattr(other, each.name) for each in fields(Rule)}
    return Rule(
        **{name: getattr(rule, name) if value is None else value for name, value in given.items()}
    )


def read_data(bridge: Path) -> Data:
    """Everything the numbers are computed from; JobshiftError where a file is missing or bad."""
    published = checked(RAW / "full_labelset.tsv", PUBLISHED)
    tasks = published.rename(columns={theirs: ours for ours, theirs in EXPOSURE.items()})
    tasks = tasks.rename(columns={"O*NET-SOC Code": "occupation", "Title": "title"})
    tasks["core"] = tasks["Task Type"] == "Core"
    file = RAW / "occ_level.csv"
    stored = (
        checked(file, OCC_LEVEL).set_index("O*NET-SOC Code")[list(STORED.values())].astype(float)
    )
    other = stored.index.symmetric_difference(tasks["occupation"].unique())
    if len(other):
        raise JobshiftError(
            f"{file} and full_labelset.tsv differ in occupation {other[0]}; "
            f"fetch the pinned source {SOURCE} again"
        )
    stored.columns = pd.MultiIndex.from_tuples(STORED)
    oews = checked(RAW / "national_May2021_dl.csv", OEWS_2021)
    detailed = oews[oews["O_GROUP"] == "detailed"].set_index("OCC_CODE")["TOT_EMP"]
    if detailed.empty or detailed.index.has_duplicates:
        raise JobshiftError(
            f"{RAW / 'national_May2021_dl.csv'} must have each detailed occupation once; "
            f"fetch the pinned source {SOURCE} again"
        )
    jobs = pd.to_numeric(detailed.str.replace(",", ""), errors="coerce")
    skills = checked(RAW / "occupations_onet_basic_skills.csv", IMPORTANCE).set_index("Occupation")
    names = {f"{skill}_Importance": skill.replace("_", " ") for skill in SKILLS}
    skills = skills.astype(float).rename(columns={"Job Zone": "job_zone", **names})
    return Data(
        tasks[["occupation", "title", "core", *EXPOSURE]], stored, jobs, read_bridge(bridge), skills
    )


def replicated(where: str, row: Row, data: Data) -> dict[str, Any]:
    """A row of the table, by COLUMNS; JobshiftError that begins with `where`."""
    try:
        result = replication.evaluate(row.rule, data)
        others = [(rule, replication.evaluate(rule, data)) for rule in row.also]
    except JobshiftError as error:
        raise JobshiftError(f"{where}: {error}") from error
    places = replication.digits(row.published)
    verdict, why = replication.compare(row.published, result)
    tried = [
        f"{replication.changes(row.rule, rule)}: {replication.printed(other.value, places)} "
        f"({replication.compare(row.published, other)[0]})"
        for rule, other in others
    ]
    return {
        "id": row.id,
        "paper": row.paper,
        "place": row.place,
        "quantity": row.quantity,
        "exposure": replication.SYMBOLS.get(row.rule.exposure, ""),
        "published": row.published,
        "rule": replication.words(row.rule),
        "ours": result.value,
        "ours_printed": replication.printed(result.value, places),
        "difference": result.value - float(replication.parse(row.published)),
        "verdict": verdict,
        "note": "; ".join(part for part in (why, result.remark, row.note) if part),
        "about": row.about,
        "tried": "; ".join(tried),
        "n": result.n,
    }


def skills_table(data: Data) -> pd.DataFrame:
    """The regression of task exposure on skills, by people and by GPT-4, by SKILL_COLUMNS."""
    parts = []
    for rater in ("human", "gpt4"):
        for exposure in MEASURES:
            fit = replication.skills_regression(data, rater, exposure, "tasks", "equal")
            fit = fit.rename(columns={kind: f"se_{kind}" for kind in replication.ERRORS})
            fit = fit.rename(columns={"n": "n_tasks"}).rename_axis("term").reset_index()
            parts.append(fit.assign(rater=rater, exposure=exposure))
    return pd.concat(parts, ignore_index=True)[SKILL_COLUMNS]


def markdown(table: pd.DataFrame, summary: str) -> str:
    """The table for reading: a section for each place."""
    lines = [
        "# Published numbers, recomputed",
        "",
        f"Of {len(table)} published numbers {summary}.",
        "",
    ]
    heading = ["Quantity", "Published", "Ours", "Verdict", "Rule", "Note", "Other choices"]
    keys = ["quantity", "published", "ours_printed", "verdict", "rule", "note", "tried"]
    for (paper, place), part in table.groupby(["paper", "place"], sort=False):
        lines += [f"## {paper}: {place}", ""]
        lines += [line for about in part["about"].unique() if about for line in (about, "")]
        lines += [bar(heading), bar(["---"] * len(heading))]
        lines += [bar(cells) for cells in part[keys].itertuples(index=False)]
        lines.append("")
    return "\n".join(lines)


def bar(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def latex(table: pd.DataFrame, summary: str) -> str:
    """One LaTeX table for each place, below each other, the rule above the rows that follow it."""
    parts = []
    for (paper, place), part in table.groupby(["paper", "place"], sort=False):
        shown = pd.DataFrame({heading: part[column] for heading, column in PRINTED.items()})
        shown["rule"] = part["rule"]
        for heading in ("Published", "Ours"):
            shown[heading] = shown[heading].str.replace("-", "−")
        notes = [f"{paper}: {place}.", *(about for about in part["about"].unique() if about)]
        parts.append(tables.booktabs(shown, notes, "rule"))
    return f"% Of {len(table)} published numbers {summary}.\n" + "\n\\medskip\n\n".join(parts)
