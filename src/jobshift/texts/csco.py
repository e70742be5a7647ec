"""China's occupational classification (2022): task statements, and job titles as a second test set.

Choices made here:

- **Code.** `2-02-10-03` is major group 2, medium group 2-02, small group 2-02-10, occupation 2-02-10-03.
  The label is the major group (class `M2`), the leak group the small group (`2-02-10`). Where a medium
  group is not divided the file writes 00 for the small group, which then is one all the same.
- **Statements.** An occupation's tasks stand in one cell as a numbered list. It is cut at the marks 1, 2,
  3 … of one style only, each at the start of the cell or after white space or a separator, so that a
  number in the text (1:3, 1.5, No. 2) cuts nothing. A list without numbers is cut at line breaks,
  semicolons and full stops. Only numbering, and white space and punctuation at the ends, is lost.
- **Form.** `text` is in Unicode form NFKC (full-width letters, digits and punctuation become ordinary
  ones), without invisible characters and pictures (emoji, stars), with single spaces. `original`
  keeps the statement or title as written, for reading and citing.
- **The same text in several occupations** ("keep the machine in repair") stays with each: it is a task of
  each, and occupations would else lose tasks. Small groups are *not* merged by their texts: a few such
  statements would chain dozens of them into one. `group` alone therefore lets such a text straddle a
  split; a split has to purge it from training, as `splits.purge` does. Twice in one occupation, it
  counts once.
- **Rows in doubt** are counted in `dropped`. Two are mended: an occupation that stands twice with the
  same content counts once, and a task list in the row of a small group is that of its only occupation
  without a list.
"""

import re
import unicodedata
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from jobshift.errors import JobshiftError
from jobshift.texts.gpts_are_gpts import indicators
from jobshift.texts.onet import Prepared
from jobshift.texts.schema import checked
from jobshift.texts.splits import normalise

CODE = r"\d-\d\d-\d\d-\d\d"
LEVELS = {"1": "major group", "2": "medium group", "3": "small group", "4": "occupation"}
DIGITS = {"1": 1, "2": 4, "3": 7, "4": 10}  # how many characters of a code say its group

CLASSIFICATION = pa.DataFrameSchema(
    {
        "level": pa.Column(str, pa.Check.isin(list(LEVELS))),
        "code": pa.Column(str, pa.Check.str_matches(rf"^{CODE}$")),
        "name": pa.Column(str),
        "definition": pa.Column(str, nullable=True),
        "tasks": pa.Column(str, nullable=True),
    }
)

JOB_TITLES = pa.DataFrameSchema(
    {
        "job_name": pa.Column(str, nullable=True),
        "expected_code": pa.Column(str, nullable=True),
        "expected_name": pa.Column(str, nullable=True),
    }
)

# Clocks, geometric shapes to dingbats, arrows and stars, the emoji planes and what modifies them.
PICTURES = re.compile(
    "[\u231a-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe00-\ufe0f\u20e3\U000e0100-\U000e01ef]+"
)
INVISIBLE = {"Cc", "Cf", "Co", "Cs"}  # controls, format, private use, half a character
DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
NUMERALS = "一二三四五六七八九"
ENDS = " \t\r\n\u3000。；;，,、"
# A mark of a list: `1.` `１、` `(1)` `1）` `一、` `（一）` `①`, not before a digit, which would be 1.5.
MARK = re.compile(
    rf"(?:(?<=[\s。；;])|^)\s*"
    rf"(?:[(（]?\s*(?P<number>\d{{1,2}}|[十{NUMERALS}]{{1,3}})\s*(?P<end>[.．、)）])(?!\d)"
    rf"|(?P<circled>[①-⑳]))"
)


def plain(text: str) -> str:
    """`text` as models read it: NFKC, no invisible characters, no pictures, single spaces."""
    kept = (each for each in text if each.isspace() or unicodedata.category(each) not in INVISIBLE)
    folded = unicodedata.normalize("NFKC", "".join(kept))
    return " ".join(PICTURES.sub(" ", folded).split())


def value(mark: re.Match) -> int:
    """The number that a mark of a list says."""
    if mark["circled"]:
        return int(unicodedata.numeric(mark["circled"]))
    if mark["number"].isdecimal():
        return int(mark["number"])
    tens, ten, ones = mark["number"].rpartition("十")
    digit = {name: number for number, name in enumerate(NUMERALS, start=1)}
    return 10 * digit.get(tens, len(ten)) + digit.get(ones, 0)


def style(mark: re.Match) -> str:
    """What the marks of one list have in common: the script of the number, and what ends it."""
    if mark["circled"]:
        return "circled"
    script = "digits" if mark["number"].isdecimal() else "Chinese"
    return f"{script} {unicodedata.normalize('NFKC', mark['end'])}"


def numbering(text: str) -> list[re.Match]:
    """The marks 1, 2, 3 … of the list in `text`, in one style; empty where it has no such list.

    The list begins with the first mark that says 1. One Chinese numeral alone begins none (一、二层楼).
    """
    found: list[re.Match] = []
    for mark in MARK.finditer(text):
        if value(mark) == len(found) + 1 and (not found or style(mark) == style(found[0])):
            found.append(mark)
    return [] if len(found) == 1 and style(found[0]).startswith("Chinese") else found


def split_list(text: str) -> list[str]:
    """The statements of a task list as written, without numbering and separators.

    What stands before the first mark is a statement, too.
    """
    marks = numbering(text)
    if marks:
        starts, ends = [0, *(mark.end() for mark in marks)], [mark.start() for mark in marks]
        pieces = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
    else:
        pieces = re.split(r"[\r\n；;。]", text)
    return [piece for piece in (each.strip(ENDS) for each in pieces) if piece]


def in_doubt(text: str) -> bool:
    """Whether marks are left over: the numbering has a gap, starts anew, or does not start with 1."""
    marks, all_marks = numbering(text), list(MARK.finditer(text))
    return len(marks) < sum(not marks or style(each) == style(marks[0]) for each in all_marks)


def read_classification(file: Path) -> pd.DataFrame:
    """The rows of `csco22.csv`: code, name, definition, tasks (empty where there is none), level.

    A row of level 4 without definition and tasks is that of a group and gets level 3. Raises
    JobshiftError where the file is missing or does not fit.
    """
    rows = checked(file, CLASSIFICATION)
    for column in ("definition", "tasks"):
        rows[column] = rows[column].fillna("").map(lambda cell: cell if plain(cell) else "")
    hollow = (rows["level"] == "4") & (rows["definition"] == "") & (rows["tasks"] == "")
    return rows.assign(level=rows["level"].mask(hollow, "3"), hollow=hollow)


def occupations_with_tasks(file: Path, dropped: dict[str, int]) -> pd.DataFrame:
    """The occupations of `csco22.csv` with a task list: code, name, definition, tasks; by code.

    `dropped` gets the count of each reason for which a row or list is left out. Raises JobshiftError as
    `read_classification`, and where a code has two contents.
    """
    rows = read_classification(file)
    found, groups = rows[rows["level"] == "4"], rows[rows["level"] != "4"]
    again = found.duplicated()
    dropped["occupation that stands twice"] = int(again.sum())
    dropped["occupation without definition and tasks"] = int(rows["hollow"].sum())
    found = found[~again].set_index("code")
    if found.index.has_duplicates:
        raise JobshiftError(
            f"{file}: the occupation {found.index[found.index.duplicated()][0]} stands there with two "
            "contents; give each a code of its own"
        )
    astray = 0
    for code, tasks in groups.loc[groups["tasks"] != "", ["code", "tasks"]].itertuples(index=False):
        mine = found.index.str.startswith(code.removesuffix("00"))
        without = found.index[mine & (found["tasks"] == "")]
        if len(without) == 1:
            found.loc[without, "tasks"] = tasks
        else:
            astray += 1
    dropped["task list of a group, not of an occupation"] = astray
    dropped["occupation without tasks"] = int((found["tasks"] == "").sum())
    found = found[found["tasks"] != ""].sort_index().reset_index()
    return found[["code", "name", "definition", "tasks"]]


def prepare(raw: Path, classes: list[str], rater: str) -> Prepared:
    """The task statements in `csco_2022` under `raw`, one row a statement.

    `classes` are the major groups as `M1`, `M2` …; `rater` is the classification itself, the only one.
    Returns the columns of `schema.TASKS`, `original`, `title` (the occupation's name) and `p_<class>`;
    ids are `2-02-10-03.04`, the fourth statement of an occupation. Raises JobshiftError where the file
    is missing or does not fit, ValueError where `classes` lacks a major group that has tasks.
    """
    file = raw / "csco_2022" / "csco22.csv"
    dropped: dict[str, int] = {}
    occupations = occupations_with_tasks(file, dropped)
    lists = occupations["tasks"]
    rows = occupations.assign(original=lists.map(split_list)).explode("original", ignore_index=True)
    rows["number"] = rows.groupby("code").cumcount() + 1
    rows["text"] = rows["original"].fillna("").map(plain)
    rows["same"] = rows["text"].map(normalise)
    silent = rows["same"] == ""
    dropped["statement without a letter or digit"] = int(silent.sum())
    again = rows[~silent].duplicated(["code", "same"])
    dropped["statement that stands twice in its occupation"] = int(again.sum())
    rows = rows[~silent][~again].reset_index(drop=True)
    if rows.empty:
        raise JobshiftError(f"{file} has no occupation with tasks; fetch csco_2022 again")

    tasks = pd.DataFrame(
        {
            "id": rows["code"] + "." + rows["number"].map("{:02d}".format),
            "text": rows["text"],
            "text_pair": pd.Series(None, index=rows.index, dtype="str"),
            "label": major_group(rows["code"]),
            "group": rows["code"].str[: DIGITS["3"]],
            "occupation": rows["code"],
            "weight": 1.0,
            "title": rows["name"],
            "original": rows["original"],
        }
    )
    unknown = set(tasks["label"]) - set(classes)
    if unknown:
        raise ValueError(f"{min(unknown)} is missing, a major group that has tasks")
    tasks = tasks.join(indicators(tasks["label"], classes))

    spread = tasks.groupby(rows["same"])[["group", "label"]].nunique()
    in_groups, in_labels = spread["group"] > 1, spread["label"] > 1
    length = tasks["text"].str.len()
    counts = {
        "occupations": tasks["occupation"].nunique(),
        "small groups": tasks["group"].nunique(),
        "tasks": len(tasks),
        "distinct texts": len(spread),
        "texts in several small groups": int(in_groups.sum()),
        "tasks whose text is in several small groups": int(rows["same"].map(in_groups).sum()),
        "texts in several major groups": int(in_labels.sum()),
        "tasks whose text is in several major groups": int(rows["same"].map(in_labels).sum()),
        "characters of the shortest text": int(length.min()),
        "characters of the longest text": int(length.max()),
    }
    numbered = lists.map(lambda cell: bool(numbering(cell)))
    facts = {
        "task lists": (
            f"{numbered.sum():,} numbered, {(~numbered).sum():,} without numbers; "
            f"{lists.map(in_doubt).sum():,} with numbers that do not fit; "
            f"{(lists.map(split_list).map(len) == 1).sum():,} of one statement"
        ),
        "task weights": "equal",
    }
    return Prepared(tasks, counts, dropped, facts)


def major_group(codes: pd.Series) -> pd.Series:
    """The class of each code: `M2` for 2-02-10-03."""
    return "M" + codes.str[: DIGITS["1"]]


def job_titles(raw: Path, classes: list[str]) -> Prepared:
    """The job titles in `csco_2022` under `raw` that have a usable code: a second test set.

    `classes` as in `prepare`. Returns the columns of `schema.TASKS`, with `id` `t` and the row of the
    file, `occupation` null where the code is that of a group, `group` the small group or the larger
    group that the code names; and `title` (the name of the code), `original`, `note` (which group the
    code is of; whether pictures or invisible characters were taken out), `p_<class>`. Raises
    JobshiftError where a file is missing or does not fit, or no title is usable.
    """
    folder = raw / "csco_2022"
    known = read_classification(folder / "csco22.csv").sort_values("level", kind="stable")
    known = known.drop_duplicates("code", keep="last").set_index("code")
    rows = checked(folder / "testcases.csv", JOB_TITLES).fillna("")
    read = len(rows)
    dropped: dict[str, int] = {}

    def drop(bad: pd.Series, reason: str) -> None:
        nonlocal rows
        dropped[reason] = int(bad[rows.index].sum())
        rows = rows[~bad[rows.index]]

    rows["id"] = [f"t{row:05d}" for row in range(1, read + 1)]
    rows["text"] = rows["job_name"].map(plain)
    rows["same"] = rows["text"].map(normalise)
    cell = rows["expected_code"].map(lambda text: plain(text).translate(DASHES))
    codes = cell.map(lambda text: sorted(set(re.findall(rf"(?<!\d){CODE}(?!\d)", text))))
    drop(rows["text"] == "", "empty title")
    drop(rows["same"] == "", "title without a letter or digit")
    drop(cell == "", "no code")
    drop(codes.map(len) == 0, "not a code")
    drop(codes.map(len) > 1, "several codes")
    rows = rows.assign(code=codes.map("".join))
    rows = rows.assign(label=major_group(rows["code"]))
    drop(~rows["code"].isin(known.index), "code that the classification does not have")
    drop(~rows["label"].isin(classes), "major group without tasks")
    rows = rows.assign(title=rows["code"].map(known["name"]), said=bare(rows["expected_name"]))
    differs = (rows["said"] != "") & (rows["said"] != bare(rows["title"]))
    drop(differs, "name that is not that of the code")
    drop(rows.groupby("same")["code"].transform("nunique") > 1, "title with several codes")
    drop(rows.duplicated("same"), "title that stands twice")
    if rows.empty:
        raise JobshiftError(
            f"{folder / 'testcases.csv'} has no title with a usable code; fetch csco_2022 again"
        )

    rows = rows.reset_index(drop=True)
    level = rows["code"].map(known["level"])
    changed = rows["job_name"].map(only_folded) != rows["text"]
    group_note = level.map({each: f"code of a {LEVELS[each]}" for each in "123"}).fillna("")
    form_note = changed.map({True: "pictures or invisible characters taken out", False: ""})
    titles = pd.DataFrame(
        {
            "id": rows["id"],
            "text": rows["text"],
            "text_pair": pd.Series(None, index=rows.index, dtype="str"),
            "label": rows["label"],
            "group": [
                code[: DIGITS[min(each, "3")]]
                for code, each in zip(rows["code"], level, strict=True)
            ],
            "occupation": rows["code"].where(level == "4"),
            "weight": 1.0,
            "title": rows["title"],
            "original": rows["job_name"],
            "note": (group_note + "; " + form_note).str.strip("; "),
        }
    ).join(indicators(rows["label"], classes))
    length = titles["text"].str.len()
    counts = {
        "titles read": read,
        "titles": len(titles),
        **{
            f"titles with the code of a {LEVELS[each]}": int((level == each).sum())
            for each in "321"
        },
        "titles with pictures or invisible characters": int(changed.sum()),
        "titles that are the name of their code": int(
            (bare(rows["text"]) == bare(rows["title"])).sum()
        ),
        "characters of the shortest title": int(length.min()),
        "characters of the longest title": int(length.max()),
    }
    return Prepared(titles, counts, dropped, {})


def only_folded(text: str) -> str:
    """`text` in the form NFKC with single spaces, pictures and invisible characters still there."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def bare(names: pd.Series) -> pd.Series:
    """Names for comparing: no white space or punctuation, nor the marks L (green) and S (digital)."""
    folded = names.map(lambda name: normalise(name).replace(" ", ""))
    return folded.str.replace(r"(?<=[^\x00-\x7f])(?:ls|l|s)$", "", regex=True)
