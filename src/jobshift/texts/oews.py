"""Employment and wages of one release of OEWS (BLS Occupational Employment and Wage Statistics).

OEWS counts jobs of employees; the self-employed are not in it.

The file is a SQLite copy of the BLS flat files: table `cell` has one row for an area, an industry
and an occupation, `key` being `OEU`, the type of area (N, S, M), its code (7 characters), the
industry (6) and the occupation (6), and `vNN`, `fNN` the text and the footnotes of data type NN.
Five blocks are read: the nation over all industries; the nation by NAICS sector and by the finer
industries; the states and the metropolitan and nonmetropolitan areas, over all industries.

A finer industry goes by its NAICS digits, 3 to 6 of them. What OEWS adds keeps its own six
characters: parts of an industry group (`3250A1` is 3251, 3252, 3253 and 3259) and schools and
hospitals by owner (`611002` is 611 owned by states), which would count twice beside the whole. The
sums over several sectors and the private and government totals are not read. A metropolitan area
goes by its CBSA code (5 digits), a nonmetropolitan area by the code of OEWS (7 digits).

What the marks mean, as the footnotes of May 2025 say, and what is made of them:

| mark | footnote | status | employment | wage |
| --- | --- | --- | --- | --- |
| a number | | published | as it is | as it is |
| `-` `*` `**` | 8 | not released (suppressed) | unknown | next best, see below |
| `-` | 4 | other pay basis: paid by the hour, no annual wage | unknown | hourly × 2,080 |
| `-` `#` | 5 | top-coded: at or above the bound that the footnote states | unknown | next best |
| nothing | | absent | unknown | next best |

The one annual wage of an occupation is the first of: annual median; hourly median × 2,080 hours
(the year-round full-time equivalent that BLS uses itself) where only hours are paid; annual mean,
but not below the bound where the median is top-coded; the bound itself. `wage_basis` tells which it
was. An unknown employment is never taken for zero: it stays in the published total of its block,
from which `measures.labour_market` computes what is not shown. Any other mark is an error.
"""

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError

HOURS_PER_YEAR = 2080
ALL_INDUSTRIES = "000000"
ALL_OCCUPATIONS = "00-0000"
MAJOR, MINOR, BROAD, DETAILED = 0, 1, 2, 3
NAICS_3 = 3  # display level of industries from which on they are finer than sectors
# Data types of the flat files.
EMPLOYMENT, ANNUAL_MEAN, HOURLY_MEDIAN, ANNUAL_MEDIAN = "01", "04", "08", "13"
NOTES = {"4": "other pay basis", "5": "top-coded", "8": "not released"}
MARKS = {"*": "not released", "**": "not released", "#": "top-coded"}
NATIONAL = [
    "employment_workers",
    "median_annual_wage_usd",
    "mean_annual_wage_usd",
    "annual_wage_usd",
    "wage_basis",
]
# The same in the spreadsheets of BLS.
SPREADSHEET = {
    "TOT_EMP": "employment_workers",
    "A_MEDIAN": "median_annual_wage_usd",
    "A_MEAN": "mean_annual_wage_usd",
    "H_MEDIAN": "median_hourly_wage_usd",
}
GROUPS = {"total": MAJOR, "major": MAJOR, "minor": MINOR, "broad": BROAD, "detailed": DETAILED}
# FIPS codes above Wyoming's are territories, which the national estimates leave out.
LAST_STATE = "56"
# How the name of an industry ends where it is that part of the industry which has one owner.
OWNERS = {
    "State Government Owned": "state",
    "Local Government Owned": "local",
    "Privately Owned": "private",
}
NATION = "OEUN0000000"


@dataclass(frozen=True)
class Oews:
    """One release. All employment in workers, wages in US dollars a year, codes as `11-1011`.

    - occupations: code, title, level (0 major group or all, 1 minor, 2 broad, 3 detailed)
    - national: code, employment_workers, median_annual_wage_usd and mean_annual_wage_usd (as
      published), annual_wage_usd and wage_basis
    - sectors, industries, states, areas: place, place_title, code, employment_workers; industries
      also naics_level (digits) and ownership (all, state, local, private); states also in_national;
      areas also state_fips (of the principal state), metropolitan and in_national
    - cells: block, quantity, status, n_cells: how often each mark was met
    """

    release: str
    occupations: pd.DataFrame
    national: pd.DataFrame
    sectors: pd.DataFrame
    industries: pd.DataFrame
    states: pd.DataFrame
    areas: pd.DataFrame
    cells: pd.DataFrame


def read_oews(file: Path) -> Oews:
    """Read a release.

    Raises JobshiftError where the file is missing, no OEWS file, or has an unknown mark.
    """
    if not file.is_file():
        raise JobshiftError(
            f"{file} is missing; bring it with `jobshift fetch source={file.parent.name}`"
        )
    # immutable: no journal is written beside a file that may lie in a read-only cache.
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return _read(connection, str(file))
    except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
        raise JobshiftError(
            f"{file} is not an OEWS file ({error}); remove it and fetch it again"
        ) from error
    finally:
        connection.close()


def _read(connection: sqlite3.Connection, file: str) -> Oews:
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    bound = _top_code(dict(connection.execute("SELECT footnote_code, footnote_text FROM footnote")))
    occupations = pd.read_sql(
        "SELECT occupation_code AS code, occupation_name AS title, display_level AS level "
        "FROM occupation ORDER BY occupation_code",
        connection,
    )
    occupations["code"] = _dashed(occupations["code"])
    counts = []

    def block(name: str, frame: pd.DataFrame, quantities: dict[str, str]) -> pd.DataFrame:
        for kind, quantity in quantities.items():
            values, status = _parsed(frame, kind, file)
            frame[quantity], frame[f"{quantity}_status"] = values, status
            tally = status.value_counts().sort_index()
            counts.extend((name, quantity, mark, int(n)) for mark, n in tally.items())
        unknown = frame[~frame["code"].isin(occupations["code"])]
        if len(unknown):
            raise JobshiftError(
                f"{file}: cell {unknown['key'].iloc[0]} has an occupation that the table "
                "`occupation` lacks; fetch the file again"
            )
        return frame

    def by_place(name: str, cells: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
        key = places.columns[0]
        frame = cells.merge(places, on=key, validate="many_to_one")
        frame = block(name, frame, {EMPLOYMENT: "employment_workers"})
        columns = [*places.columns.drop(key), "code", "employment_workers"]
        return _sorted(frame, ["place", "code"])[columns]

    wages = {
        EMPLOYMENT: "employment_workers",
        ANNUAL_MEDIAN: "median_annual_wage_usd",
        ANNUAL_MEAN: "mean_annual_wage_usd",
        HOURLY_MEDIAN: "median_hourly_wage_usd",
    }
    national = block("national", _cells(connection, NATION + ALL_INDUSTRIES, list(wages)), wages)
    if national.empty:
        raise JobshiftError(f"{file} has no national cells; fetch the file again")
    national["annual_wage_usd"], national["wage_basis"] = _wage(national, bound, file)

    by_industry = _cells(connection, NATION, [EMPLOYMENT])
    by_state, by_area = (
        frame[frame["industry"] == ALL_INDUSTRIES]
        for frame in (_cells(connection, f"OEU{kind}", [EMPLOYMENT]) for kind in "SM")
    )
    return Oews(
        release=meta.get("release", ""),
        occupations=occupations,
        national=_sorted(national, ["code"])[["code", *NATIONAL]],
        sectors=by_place("sectors", by_industry, _sectors(connection)),
        industries=by_place("industries", by_industry, _industries(connection)),
        states=by_place("states", by_state, _states(connection)),
        areas=by_place("areas", by_area, _areas(connection)),
        cells=pd.DataFrame(counts, columns=["block", "quantity", "status", "n_cells"]),
    )


def _sectors(connection: sqlite3.Connection) -> pd.DataFrame:
    """NAICS sectors: industry (the code in the keys), place (`31-33`), place_title."""
    frame = pd.read_sql(
        "SELECT industry_code AS industry, industry_name AS place_title FROM industry", connection
    )
    # A sector's code is the range of its NAICS codes, the end excluded: 31--34 is 31, 32 and 33.
    span = frame["industry"].str.extract(r"^(\d\d)--?(\d{2,3})$").dropna().astype(int)
    first, last = span[0].astype(str), (span[1] - 1).astype(str)
    frame = frame.loc[span.index]
    frame["place"] = first.where(first == last, first + "-" + last)
    frame["place_title"] = frame["place_title"].str.replace(r"^Sectors? .*? - ", "", regex=True)
    return frame


def _industries(connection: sqlite3.Connection) -> pd.DataFrame:
    """Finer industries: industry, place, naics_level, place_title, ownership (docstring above)."""
    frame = pd.read_sql(
        "SELECT industry_code AS industry, industry_name AS place_title, display_level FROM industry "
        f"WHERE display_level >= {NAICS_3}",
        connection,
    )
    parts = frame["place_title"].str.extract(rf"^(.*?)(?:, ({'|'.join(OWNERS)}))?$")
    # 541000 is 541; with an owner the last digit is not one of NAICS: 611002 belongs to 611.
    digits = (
        frame["industry"].str.slice_replace(5, 6, "0").where(parts[1].notna(), frame["industry"])
    )
    naics = digits.str.rstrip("0")
    own = parts[1].notna() | frame["industry"].str.contains("A")
    frame["place"] = frame["industry"].where(own, naics)
    frame["naics_level"] = naics.str.len().where(~frame["industry"].str.contains("A"), 4)
    frame["place_title"] = parts[0]
    frame["ownership"] = parts[1].map(OWNERS).fillna("all")
    return frame[["industry", "place", "naics_level", "place_title", "ownership"]]


def _states(connection: sqlite3.Connection) -> pd.DataFrame:
    """States and territories: area (as in the keys), place (FIPS), place_title, in_national."""
    frame = pd.read_sql(
        "SELECT area_code AS area, state_code AS place, area_name AS place_title FROM area "
        "WHERE areatype_code = 'S'",
        connection,
    )
    frame["in_national"] = frame["place"] <= LAST_STATE
    return frame


def _areas(connection: sqlite3.Connection) -> pd.DataFrame:
    """Areas: area (as in the keys), place, place_title, state_fips, metropolitan, in_national."""
    frame = pd.read_sql(
        "SELECT area_code AS area, area_name AS place_title, state_code AS state_fips FROM area "
        "WHERE areatype_code = 'M'",
        connection,
    )
    # CBSA codes are filled with zeros in front, the others begin with their state.
    frame["metropolitan"] = frame["area"].str.startswith("00")
    frame.insert(1, "place", frame["area"].str[2:].where(frame["metropolitan"], frame["area"]))
    frame["in_national"] = frame["state_fips"] <= LAST_STATE
    return frame


def _cells(connection: sqlite3.Connection, prefix: str, kinds: list[str]) -> pd.DataFrame:
    """The cells whose key begins with `prefix`, a range of the primary key, with its parts."""
    columns = ", ".join(f"v{kind}, f{kind}" for kind in kinds)
    frame = pd.read_sql(
        f"SELECT key, {columns} FROM cell WHERE key >= ? AND key < ? ORDER BY key",
        connection,
        params=(prefix, prefix + "~"),
        dtype="str",
    )
    frame["area"] = frame["key"].str[4:11]
    frame["industry"] = frame["key"].str[11:17]
    frame["code"] = _dashed(frame["key"].str[17:])
    return frame


def _parsed(frame: pd.DataFrame, kind: str, file: str) -> tuple[pd.Series, pd.Series]:
    """Number (NaN where there is none) and status of each cell of one data type."""
    text = frame[f"v{kind}"].str.strip()
    dash = text == "-"
    note = frame.loc[dash, f"f{kind}"].fillna("").str.extract(r"\b([458])\b")[0]
    status = text.map(MARKS)
    status[dash] = note.map(NOTES)
    status[text.fillna("") == ""] = "absent"
    status[text.str.fullmatch(r"\d+(\.\d+)?", na=False)] = "published"
    if status.isna().any():
        row = frame[status.isna()].iloc[0]
        raise JobshiftError(
            f"{file}: cell {row['key']} has v{kind} = {row[f'v{kind}']!r} with footnote "
            f"{row[f'f{kind}']!r}, whose meaning is unknown; add it to jobshift.texts.oews"
        )
    return pd.to_numeric(text.where(status == "published")).astype(float), status.astype("str")


def _wage(national: pd.DataFrame, bound: float | None, file: str) -> tuple[pd.Series, pd.Series]:
    """The one annual wage of each occupation and its basis, chosen as the docstring above says."""
    top = national["median_annual_wage_usd_status"] == "top-coded"
    if bound is None and top.any():
        raise JobshiftError(
            f"{file}: wages are top-coded but footnote 5 does not state the bound; "
            "fetch the file again"
        )
    bound = np.nan if bound is None else bound
    hourly = national["median_annual_wage_usd_status"] == "other pay basis"
    mean = national["mean_annual_wage_usd"]
    full_time = (national["median_hourly_wage_usd"] * HOURS_PER_YEAR).round()
    choices = {
        "annual median": national["median_annual_wage_usd"],
        "hourly median x 2080": full_time.where(hourly),
        "annual mean": mean.where(~top, mean.clip(lower=bound)),
        "top-code": pd.Series(bound, national.index).where(top),
    }
    wage = pd.Series(np.nan, national.index)
    basis = pd.Series("none", national.index, dtype="str")
    for name, values in choices.items():
        use = wage.isna() & values.notna()
        wage[use], basis[use] = values[use], name
    return wage, basis


def _top_code(notes: dict[str, str]) -> float | None:
    """The annual bound in the text of footnote 5, e.g. "… or $239,200 per year"."""
    found = re.search(r"\$([\d,]+) per year", notes.get("5", ""))
    return float(found.group(1).replace(",", "")) if found else None


def _dashed(codes: pd.Series) -> pd.Series:
    """`111011` as `11-1011`."""
    return codes.str[:2] + "-" + codes.str[2:]


def _sorted(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return frame.sort_values(by, ignore_index=True)


def read_national(file: Path, bound: float) -> pd.DataFrame:
    """The nation over all industries from the spreadsheet that BLS publishes, saved as CSV.

    Returns code, title, level and NATIONAL, sorted by level and code; the wage of an occupation is
    chosen as above. `#` stands for a wage of at least `bound` US dollars a year, which the
    spreadsheet does not state. Raises JobshiftError where the file is missing or no such table, an
    occupation stands twice or a mark is unknown.
    """
    if not file.is_file():
        raise JobshiftError(
            f"{file} is missing; bring it with `jobshift fetch source={file.parent.name}`"
        )
    table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    for column in ("OCC_CODE", "OCC_TITLE", "O_GROUP", "HOURLY", *SPREADSHEET):
        if column not in table:
            raise JobshiftError(f"{file}: there is no column {column}; fetch the file again")
    frame = pd.DataFrame(
        {
            "code": table["OCC_CODE"],
            "title": table["OCC_TITLE"],
            "level": table["O_GROUP"].map(GROUPS),
        }
    )
    for bad, what in (
        (frame["level"].isna(), "an unknown O_GROUP"),
        (frame.duplicated(["code", "level"]), "two rows"),
    ):
        if bad.any():
            raise JobshiftError(
                f"{file}: {frame.loc[bad, 'code'].iloc[0]} has {what}; fetch the file again"
            )
    hourly = table["HOURLY"] == "TRUE"
    for column, quantity in SPREADSHEET.items():
        text = table[column].str.strip().str.replace(",", "")
        status = text.map(MARKS)
        status[text == ""] = "absent"
        status[text.str.fullmatch(r"\d+(\.\d+)?")] = "published"
        if status.isna().any():
            row = table[status.isna()].iloc[0]
            raise JobshiftError(
                f"{file}: {column} of {row['OCC_CODE']} is {row[column]!r}, whose meaning is "
                "unknown; add it to jobshift.texts.oews"
            )
        if quantity.endswith("annual_wage_usd"):
            status[hourly & (status == "not released")] = "other pay basis"
        frame[quantity] = pd.to_numeric(text.where(status == "published")).astype(float)
        frame[f"{quantity}_status"] = status.astype("str")
    frame["annual_wage_usd"], frame["wage_basis"] = _wage(frame, bound, str(file))
    columns = ["code", "title", "level", *NATIONAL]
    return _sorted(frame.astype({"level": int}), ["level", "code"])[columns]


def read_bridge(file: Path) -> pd.DataFrame:
    """The bridge between OEWS and SOC codes: oews_code, soc_code, reason and `line` in the file.

    Raises JobshiftError where the file is missing or its columns are not these three.
    """
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; restore it from the repository")
    columns = ["oews_code", "soc_code", "reason"]
    bridge = pd.read_csv(file, dtype=str, keep_default_na=False, skip_blank_lines=False)
    if list(bridge.columns) != columns:
        raise JobshiftError(
            f"{file}: the columns are {', '.join(bridge.columns)} but must be {', '.join(columns)}"
        )
    return bridge.assign(line=range(2, len(bridge) + 2))
