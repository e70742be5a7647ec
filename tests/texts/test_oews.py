"""Reading an OEWS file: marks and footnotes, the wage of an occupation, sectors, states, errors."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

from jobshift.errors import JobshiftError
from jobshift.texts.oews import read_bridge, read_national, read_oews

TYPES = ("01", "04", "08", "13")
FOOTNOTES = {"5": "This wage is equal to or greater than $100.00 per hour or $208,000 per year."}
OCCUPATIONS = [("000000", "All", 0), ("110000", "Heads", 0), ("111011", "Chiefs", 3)]


def write_oews(file, cells, occupations=OCCUPATIONS, footnotes=FOOTNOTES):
    """Write a file of the same tables; `cells`: key → {data type: text or (text, footnote)}."""
    columns = [f"{letter}{kind}" for kind in TYPES for letter in "vf"]
    file.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(file) as base:
        base.execute("PRAGMA synchronous = OFF")
        base.execute(
            f"CREATE TABLE cell (key TEXT PRIMARY KEY, {', '.join(columns)}) WITHOUT ROWID"
        )
        base.execute("CREATE TABLE area (area_code, areatype_code, state_code, area_name)")
        base.execute("CREATE TABLE industry (industry_code, industry_name, display_level)")
        base.execute("CREATE TABLE occupation (occupation_code, occupation_name, display_level)")
        base.execute("CREATE TABLE footnote (footnote_code, footnote_text)")
        base.execute("CREATE TABLE meta (name, value)")
        base.execute("INSERT INTO meta VALUES ('release', 'May 2025')")
        base.executemany("INSERT INTO footnote VALUES (?, ?)", footnotes.items())
        base.executemany("INSERT INTO occupation VALUES (?, ?, ?)", occupations)
        base.executemany(
            "INSERT INTO area VALUES (?, ?, ?, ?)",
            [
                ("0000000", "N", "00", "National"),
                ("0100000", "S", "01", "Alabama"),
                ("7200000", "S", "72", "Puerto Rico"),
                ("0010180", "M", "48", "Abilene, TX"),
                ("0041980", "M", "72", "San Juan, PR"),
                ("0100001", "M", "01", "Northwest Alabama nonmetropolitan area"),
            ],
        )
        base.executemany(
            "INSERT INTO industry VALUES (?, ?, ?)",
            [
                ("000000", "Cross-Industry", 0),
                ("31--34", "Sectors 31, 32, and 33 - Manufacturing", 2),
                ("22--23", "Sector 22 - Utilities", 2),
                ("99-100", "Sector 99 - Government", 2),
                ("000001", "Cross-industry, Private Ownership only", 1),
                ("221000", "Utilities", 3),
                ("221300", "Water, Sewage and Other Systems", 4),
                ("221320", "Sewage Treatment", 5),
                ("221112", "Fossil Fuel Power", 5),
                ("3250A1", "Chemicals (3251 and 3252 only)", 4),
                ("611002", "Schools, State Government Owned", 4),
                ("611105", "Secondary Schools, Privately Owned", 5),
                ("999101", "Federal Government", 2),
            ],
        )
        for key, values in cells.items():
            row = [key]
            for kind in TYPES:
                given = values.get(kind)
                row += list(given) if isinstance(given, tuple) else [given, None]
            base.execute(f"INSERT INTO cell VALUES ({', '.join('?' * len(row))})", row)
    base.close()
    return file


NATION = "OEUN0000000000000"


def national_row(tmp_path, values):
    cells = {f"{NATION}000000": {"01": "100"}, f"{NATION}111011": {"01": "10", **values}}
    oews = read_oews(write_oews(tmp_path / "oews.sqlite", cells))
    return oews, oews.national.set_index("code").loc["11-1011"]


@pytest.mark.parametrize(
    ("values", "wage", "basis"),
    [
        ({"13": "50000", "04": "60000"}, 50000, "annual median"),
        # Paid by the hour: 20.50 · 2,080 = 42,640.
        ({"13": ("-", "4"), "04": ("-", "4"), "08": "20.50"}, 42640, "hourly median x 2080"),
        ({"13": ("-", "8"), "04": "60000", "08": "20.50"}, 60000, "annual mean"),
        ({"13": ("*", None), "04": "60000"}, 60000, "annual mean"),
        ({"13": None, "04": "60000"}, 60000, "annual mean"),
        # Top-coded: the mean, but not below the bound of 208,000 that the footnote states.
        ({"13": ("-", "5"), "04": "300000"}, 300000, "annual mean"),
        ({"13": ("-", "5"), "04": "200000"}, 208000, "annual mean"),
        ({"13": ("-", "5"), "04": ("-", "5")}, 208000, "top-code"),
        ({"13": "#", "04": "#"}, 208000, "top-code"),
        ({"13": ("-", "8"), "04": ("-", "8"), "08": ("-", "8")}, np.nan, "none"),
    ],
)
def test_the_one_wage_of_an_occupation(tmp_path, values, wage, basis):
    _, row = national_row(tmp_path, values)
    assert row["annual_wage_usd"] == pytest.approx(wage, nan_ok=True)
    assert row["wage_basis"] == basis


@pytest.mark.parametrize(
    ("employment", "number", "status"),
    [
        ("1230", 1230, "published"),
        ("0", 0, "published"),
        (("-", "8"), np.nan, "not released"),
        ("**", np.nan, "not released"),
        (None, np.nan, "absent"),
    ],
)
def test_unknown_employment_is_counted_and_never_zero(tmp_path, employment, number, status):
    oews, row = national_row(tmp_path, {"01": employment})
    assert row["employment_workers"] == pytest.approx(number, nan_ok=True)
    counts = oews.cells.set_index(["block", "quantity", "status"])["n_cells"]
    # The total's own cell is published too.
    expected = 2 if status == "published" else 1
    assert counts["national", "employment_workers", status] == expected


def test_median_is_kept_as_published(tmp_path):
    _, row = national_row(tmp_path, {"13": ("-", "5"), "04": "300000"})
    assert np.isnan(row["median_annual_wage_usd"])


def test_sectors_and_states_are_told_from_other_industries_and_areas(tmp_path):
    cells = {
        f"{NATION}000000": {"01": "100"},
        "OEUN000000031--34000000": {"01": "60"},
        "OEUN000000031--34111011": {"01": ("-", "8")},
        "OEUN000000022--23000000": {"01": "30"},
        "OEUN000000099-100000000": {"01": "10"},
        "OEUN0000000221000000000": {"01": "29"},
        "OEUN0000000999101000000": {"01": "5"},
        "OEUS0100000000000000000": {"01": "70"},
        "OEUS7200000000000000000": {"01": "8"},
        "OEUM0010180000000000000": {"01": "3"},
    }
    oews = read_oews(write_oews(tmp_path / "oews.sqlite", cells))
    assert oews.sectors[["place", "place_title", "code"]].values.tolist() == [
        ["22", "Utilities", "00-0000"],
        ["31-33", "Manufacturing", "00-0000"],
        ["31-33", "Manufacturing", "11-1011"],
        ["99", "Government", "00-0000"],
    ]
    assert oews.sectors["employment_workers"].tolist() == pytest.approx(
        [30, 60, np.nan, 10], nan_ok=True
    )
    assert oews.states[
        ["place", "place_title", "employment_workers", "in_national"]
    ].values.tolist() == [
        ["01", "Alabama", 70.0, True],
        ["72", "Puerto Rico", 8.0, False],
    ]
    assert oews.national["code"].tolist() == ["00-0000"]
    assert oews.release == "May 2025"


def test_finer_industries_go_by_their_naics_digits(tmp_path):
    employed = {
        "221000": "90",
        "221300": "60",
        "221320": "20",
        "221112": "9",
        "3250A1": "8",
        "611002": "7",
        "611105": "6",
        "999101": "5",
        "000001": "4",
        "22--23": "3",
    }
    cells = {f"OEUN0000000{code}000000": {"01": n} for code, n in employed.items()}
    cells |= {f"{NATION}000000": {"01": "100"}, "OEUN0000000221000111011": {"01": ("-", "8")}}
    oews = read_oews(write_oews(tmp_path / "oews.sqlite", cells))
    # What OEWS itself made up keeps its six characters; sums over sectors are not read.
    columns = ["place", "naics_level", "place_title", "ownership", "code", "employment_workers"]
    total = "00-0000"
    assert oews.industries[columns].fillna(-1).values.tolist() == [
        ["221", 3, "Utilities", "all", total, 90],
        ["221", 3, "Utilities", "all", "11-1011", -1],
        ["221112", 6, "Fossil Fuel Power", "all", total, 9],
        ["2213", 4, "Water, Sewage and Other Systems", "all", total, 60],
        ["22132", 5, "Sewage Treatment", "all", total, 20],
        ["3250A1", 4, "Chemicals (3251 and 3252 only)", "all", total, 8],
        ["611002", 3, "Schools", "state", total, 7],
        ["611105", 4, "Secondary Schools", "private", total, 6],
    ]
    counts = oews.cells.set_index(["block", "status"])["n_cells"]
    assert counts["industries"].to_dict() == {"not released": 1, "published": 7}


def test_areas_are_metropolitan_or_not(tmp_path):
    cells = {
        f"{NATION}000000": {"01": "100"},
        "OEUM0010180000000000000": {"01": "30"},
        "OEUM0010180000000111011": {"01": "3"},
        "OEUM0041980000000000000": {"01": "20"},
        "OEUM0100001000000000000": {"01": "10"},
        "OEUM0010180221000000000": {"01": "1"},  # not over all industries
    }
    oews = read_oews(write_oews(tmp_path / "oews.sqlite", cells))
    columns = ["place", "place_title", "state_fips", "metropolitan", "in_national"]
    assert oews.areas[[*columns, "employment_workers"]].values.tolist() == [
        ["0100001", "Northwest Alabama nonmetropolitan area", "01", False, True, 10],
        ["10180", "Abilene, TX", "48", True, True, 30],
        ["10180", "Abilene, TX", "48", True, True, 3],
        ["41980", "San Juan, PR", "72", True, False, 20],
    ]


def test_missing_file_says_how_to_fetch_it(tmp_path):
    with pytest.raises(
        JobshiftError, match="missing; bring it with `jobshift fetch source=oews_2025`"
    ):
        read_oews(tmp_path / "oews_2025" / "oews.sqlite")


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "oews.sqlite"
    text.write_text("not a database, but long enough to look at\n" * 50, encoding="utf-8")
    with pytest.raises(JobshiftError, match=r"oews\.sqlite is not an OEWS file .*fetch it again"):
        read_oews(text)
    empty = tmp_path / "empty.sqlite"
    sqlite3.connect(empty).close()
    empty.touch()
    with pytest.raises(JobshiftError, match="is not an OEWS file"):
        read_oews(empty)


@pytest.mark.parametrize("value", ["~", "1,200", ("-", None), ("-", "3")])
def test_unknown_mark_is_an_error_that_names_the_cell(tmp_path, value):
    with pytest.raises(JobshiftError, match=f"cell {NATION}111011 has v01 = .* meaning is unknown"):
        national_row(tmp_path, {"01": value})


def test_top_code_without_a_bound_is_an_error(tmp_path):
    cells = {f"{NATION}000000": {"01": "9", "13": ("-", "5")}}
    file = write_oews(tmp_path / "oews.sqlite", cells, footnotes={"5": "This wage is high."})
    with pytest.raises(JobshiftError, match="footnote 5 does not state the bound"):
        read_oews(file)


def test_file_without_national_cells_or_with_unknown_occupations_is_an_error(tmp_path):
    with pytest.raises(JobshiftError, match="has no national cells"):
        read_oews(write_oews(tmp_path / "a.sqlite", {"OEUS0100000000000000000": {"01": "70"}}))
    with pytest.raises(JobshiftError, match=f"cell {NATION}999999 has an occupation"):
        read_oews(write_oews(tmp_path / "b.sqlite", {f"{NATION}999999": {"01": "70"}}))


SPREADSHEET = "OCC_CODE,OCC_TITLE,O_GROUP,TOT_EMP,A_MEAN,H_MEDIAN,A_MEDIAN,HOURLY\n"


def write_spreadsheet(tmp_path, *rows):
    """Rows as in the spreadsheets of BLS: a byte order mark, thousands with commas, marks."""
    file = tmp_path / "gpts_are_gpts" / "national.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(SPREADSHEET + "\n".join(rows) + "\n", encoding="utf-8-sig")
    return file


def test_national_spreadsheet_has_the_same_wages(tmp_path):
    file = write_spreadsheet(
        tmp_path,
        '27-2011,Actors,detailed,"1,100",*,20.50,*,TRUE',
        '00-0000,All Occupations,total,"140,886,310","58,260",22.00,"45,760",',
        '13-1020,Buyers,broad,"1,200","61,000",30.00,"60,000",',
        '13-1020,Buyers,detailed,"1,200","61,000",30.00,"60,000",',
        '29-1211,Anesthesiologists,detailed,"31,130","331,190",#,#,',
        "41-9012,Models,detailed,**,*,*,*,",
    )
    table = read_national(file, 208_000)
    assert table["code"].tolist() == [
        "00-0000",
        "13-1020",  # the broad occupation before the detailed one
        "13-1020",
        "27-2011",
        "29-1211",
        "41-9012",
    ]
    assert table["level"].tolist() == [0, 2, 3, 3, 3, 3]
    wages = table[["annual_wage_usd", "wage_basis"]].values.tolist()
    assert wages[0] == [45760, "annual median"]
    assert wages[3] == [42640, "hourly median x 2080"]  # 20.50 · 2,080
    assert wages[4] == [331190, "annual mean"]
    assert table["median_annual_wage_usd"].isna().tolist() == [False] * 3 + [True] * 3
    assert np.isnan(wages[5][0])
    assert table["employment_workers"].fillna(-1).tolist() == [
        140886310,
        1200,
        1200,
        1100,
        31130,
        -1,
    ]


def test_bad_national_spreadsheets_are_refused(tmp_path):
    with pytest.raises(JobshiftError, match="bring it with `jobshift fetch source=gpts_are_gpts`"):
        read_national(tmp_path / "gpts_are_gpts" / "national.csv", 1)
    good = "11-1011,Chiefs,detailed,9,1,1,1,"
    for rows, said in (
        ([good, good], "11-1011 has two rows"),
        ([good.replace("detailed", "tiny")], "11-1011 has an unknown O_GROUP"),
        ([good.replace(",9,", ",9e3,")], "TOT_EMP of 11-1011 is '9e3', whose meaning is unknown"),
    ):
        with pytest.raises(JobshiftError, match=said):
            read_national(write_spreadsheet(tmp_path, *rows), 1)
    file = write_spreadsheet(tmp_path, good)
    file.write_text(file.read_text(encoding="utf-8").replace("HOURLY", "HOURS"), encoding="utf-8")
    with pytest.raises(JobshiftError, match="no column HOURLY; fetch the file again"):
        read_national(file, 1)


def test_bridge_keeps_the_line_of_every_row(tmp_path):
    file = tmp_path / "bridge.csv"
    file.write_text("oews_code,soc_code,reason\n13-1020,13-1021,broad\n\n13-1020,13-1022,broad\n")
    bridge = read_bridge(file)
    # The empty line is a row without codes, so that an error can name it.
    assert bridge["line"].tolist() == [2, 3, 4]
    assert bridge["oews_code"].tolist() == ["13-1020", "", "13-1020"]


def test_bad_bridge_files_are_refused(tmp_path):
    with pytest.raises(JobshiftError, match="restore it from the repository"):
        read_bridge(tmp_path / "none.csv")
    pd.DataFrame({"oews": ["x"], "soc": ["y"]}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(
        JobshiftError, match="columns are oews, soc but must be oews_code, soc_code"
    ):
        read_bridge(tmp_path / "b.csv")
