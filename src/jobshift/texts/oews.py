"""Employment and wages of one release of OEWS (BLS Occupational Employment and Wage Statistics).

OEWS counts jobs of employees; the self-employed are not in it.

The file is a SQLite copy of the BLS flat files: table `cell` has one row for an area, an industry
and an occupation, `key` being `OEU`, the type of area (N, S, M), its code (7 characters), the
industry (6) and the occupation (6), and `vNN`, `fNN` the text and the footnotes of data type NN.
Three blocks are read: the nation over all industries, the nation by NAICS sector, the states over
all industries.

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
# Data types of the flat files.
EMPLOYMENT, ANNUAL_MEAN, HOURLY_MEDIAN, ANNUAL_MEDIAN = "01", "04", "08", "13"
NOTES = {"4": "other pay basis", "5": "top-coded", "8": "not released"}
MARKS = {"*": "not released", "**": "not released", "#": "top-coded"}
# FIPS codes above Wyoming's are territories, which the national estimates leave out.
LAST_STATE = "56"


@dataclass(frozen=True)
class Oews:
    """One release. All employment in workers, wages in US dollars a year, codes as `11-1011`.

    - occupations: code, title, level (0 major group or all, 1 minor, 2 broad, 3 detailed)
    - national: code, employment_workers, median_annual_wage_usd (as published), annual_wage_usd
      and wage_basis
    - sectors, states: place, place_title, code, employment_workers; states also in_national
    - cells: block, quantity, status, n_cells: how often each mark was met
    """

    release: str
    occupations: pd.DataFrame
    national: pd.DataFrame
    sectors: pd.DataFrame
    states: pd.DataFrame
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

    def block(name: str, prefixes: list[str], quantities: dict[str, str]) -> pd.DataFrame:
        cells = [_cells(connection, prefix, list(quantities)) for prefix in prefixes or ["none"]]
        frame = pd.concat(cells, ignore_index=True)
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

    nation = "OEUN0000000"
    national = block(
        "national",
        [nation + ALL_INDUSTRIES],
        {
            EMPLOYMENT: "employment_workers",
            ANNUAL_MEDIAN: "median_annual_wage_usd",
            ANNUAL_MEAN: "mean_annual_wage_usd",
            HOURLY_MEDIAN: "median_hourly_wage_usd",
        },
    )
    if national.empty:
        raise JobshiftError(f"{file} has no national cells; fetch the file again")
    national["annual_wage_usd"], national["wage_basis"] = _wage(national, bound, file)

    sectors, states = _sectors(connection), _states(connection)
    employment = {EMPLOYMENT: "employment_workers"}
    by_sector = block("sectors", [nation + code for code in sectors["industry"]], employment)
    by_state = block(
        "states", [f"OEUS{code}{ALL_INDUSTRIES}" for code in states["area"]], employment
    )
    by_sector = by_sector.merge(sectors, on="industry", validate="many_to_one")
    by_state = by_state.merge(states, on="area", validate="many_to_one")

    wages = ["median_annual_wage_usd", "annual_wage_usd", "wage_basis"]
    place = ["place", "place_title", "code", "employment_workers"]
    return Oews(
        release=meta.get("release", ""),
        occupations=occupations,
        national=_sorted(national, ["code"])[["code", "employment_workers", *wages]],
        sectors=_sorted(by_sector, ["place", "code"])[place],
        states=_sorted(by_state, ["place", "code"])[[*place, "in_national"]],
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


def _states(connection: sqlite3.Connection) -> pd.DataFrame:
    """States and territories: area (as in the keys), place (FIPS), place_title, in_national."""
    frame = pd.read_sql(
        "SELECT area_code AS area, state_code AS place, area_name AS place_title FROM area "
        "WHERE areatype_code = 'S'",
        connection,
    )
    frame["in_national"] = frame["place"] <= LAST_STATE
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
    note = frame[f"f{kind}"].fillna("").str.extract(r"\b([458])\b")[0]
    status = text.map(MARKS)
    status[text == "-"] = note[text == "-"].map(NOTES)
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
