"""Your own data: texts with labels, or without, from one CSV, TSV, Parquet or JSON Lines file.

A file of one's own is rarely clean at first, so every problem is reported at once, each with the lines of
the file that have it (rows, in Parquet). Nothing is repaired in silence and nothing dropped but blank
lines: the labels of a study should be what its author wrote. Choices:

- Text is UTF-8, with or without a byte order mark. Another encoding is named as a guess only.
- A cell is missing where it is empty or holds nothing visible; `NA`, `null` and `None` are words.
- Labels are told apart letter by letter; those that differ only in case, white space or width (full,
  half) are one label written in two ways, which is a problem.
- Where several classes may apply to a text, a cell names them with blanks or semicolons between; their
  order says nothing, and a text without any has no label.
- Near-duplicates are texts that are equal after folding of compatibility forms (NFKC), case, punctuation
  and white space. They are no problem, but fall in one leak group, and so never straddle a split. With
  pairs this holds for both sides, and across them. A leak group is a connected component of rows that
  share a value of the group column or a text.
"""

import csv
import difflib
import io
import json
import logging
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.onet import Prepared
from jobshift.texts.splits import indicators, labels_of, linked_groups, normalise

AUTO = "auto"
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "vertical bar"}
SHOWN = 10  # lines, labels and columns that a problem names before it says how many more there are


@dataclass(frozen=True)
class Columns:
    """Which column of the file plays which part; None: no column does.

    `auto` stands for the column of that very name where the file has one, else for None.
    """

    text: str = "text"
    label: str | None = "label"  # None: the texts are only to be rated
    pair: str | None = None  # the second text of a pair
    group: str | None = AUTO  # rows that must not be divided between training and test
    weight: str | None = None
    language: str | None = AUTO
    id: str | None = AUTO  # None: rows are numbered


@dataclass
class Table:
    """What was read: the header and the rows, each with its place in the file."""

    unit: str  # what a place is: line or row
    header: list[str] = field(default_factory=list)
    rows: list[list] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    blank: int = 0  # lines without anything, the only thing that is dropped
    undivided: bool = False  # the delimiter is another one, so the columns are not known


def read(
    path: str | Path,
    columns: Columns = Columns(),
    labels: Sequence[str] = (),
    format: str | None = None,
    several: bool = False,
) -> Prepared:
    """Read and check a file of texts; one row a text, in the order of the file.

    `format` is csv, tsv, parquet or jsonl; None: by the ending of the file. `labels` lists the classes in
    order; empty: all that occur, sorted. Columns of `Prepared.tasks`: id, text, text_pair (null without
    pairs), label, group (the leak group), occupation (null), weight (1.0 without a column), language (only
    with a column), p_<class> in the order of the classes (1.0 for the label, else 0.0). Without labels
    `label` is null and there are no p_<class>. With `several`, `label` has the names of the classes in their
    order, joined by blanks, and p_<class> is 1.0 for each of them.

    Raises JobshiftError whose message lists every problem on a line of its own.
    """
    path = Path(path)
    form = format_of(path, format)
    problems: list[str] = []
    warnings: list[str] = []
    table = read_table(path, form, problems)
    cells = select(table, columns, problems)
    places = pd.Series(table.places, dtype=int)
    if not table.rows and not problems:
        problems.append("there is no row below the header" if table.header else "it is empty")
    if several and "label" in cells:
        cells["label"] = cells["label"].map(in_one_form, na_action="ignore").astype("str")
    check(cells, places, table.unit, list(labels), several, problems, warnings)
    for warning in warnings:
        logging.warning("%s: %s", path.name, warning)
    if problems:
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise JobshiftError(f"{path}: {number}; mend the file or the config\n{listed}")
    return assemble(cells, table, labels, several, path.name)


def format_of(path: Path, form: str | None) -> str:
    """The format of an existing file, given or by its ending."""
    if not path.is_file():
        raise JobshiftError(f"{path} (data.path) is missing; name a file with one text a row")
    if form is None:
        form = FORMATS.get(path.suffix.lower())
        if form is None:
            raise JobshiftError(
                f"{path}: the ending '{path.suffix}' is none of {', '.join(FORMATS)}; save it as CSV in "
                "UTF-8, or say what it is by data.format=csv, tsv, parquet or jsonl"
            )
    elif form not in FORMATS.values():
        raise JobshiftError(
            f"data.format is '{form}'; choose csv, tsv, parquet or jsonl, or null for the file's ending"
        )
    return form


# What the file holds


def read_table(path: Path, form: str, problems: list[str]) -> Table:
    """All cells as they stand in the file."""
    if form == "parquet":
        return read_parquet(path, problems)
    text = decoded(path.read_bytes(), problems)
    if form == "jsonl":
        return read_json_lines(text, problems)
    previous = csv.field_size_limit(2**31 - 1)  # long texts are no error
    try:
        return read_delimited(text, DELIMITERS[form], problems)
    finally:
        csv.field_size_limit(previous)


def decoded(content: bytes, problems: list[str]) -> str:
    """The text of the file; what is not UTF-8 is a problem, and read as what it seems to be."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.append(
            "it is UTF-16, not UTF-8: its first bytes are "
            f"0x{content[:2].hex()}; convert it, for example with `iconv -f UTF-16 -t UTF-8`"
        )
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    bad = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            bad.append(f"line {number} byte {error.start + 1} is 0x{line[error.start]:02X}")
    encoding = likely_encoding(content)
    problems.append(
        f"it is not UTF-8: {some(bad, '; ')}; it may be {encoding}: look at it, and convert it, for "
        f"example with `iconv -f {encoding} -t UTF-8`"
    )
    return content.decode(encoding, errors="replace")


def likely_encoding(content: bytes) -> str:
    """GB18030 where the bytes fit it and give common Chinese characters, else Windows-1252."""
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return "WINDOWS-1252"
    return "GB18030" if any("一" <= letter <= "鿿" for letter in text) else "WINDOWS-1252"


def read_delimited(text: str, delimiter: str, problems: list[str]) -> Table:
    """CSV or TSV with a header line; a record may span lines, its place is where it begins."""
    table = Table("line")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    quotes: list[int] = []
    counts: dict[int, int] = {}  # line → number of fields, where it is not that of the header
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error:
            quotes.append(line)
            if not table.header:
                break
            continue
        if not record:
            table.blank += 1
        elif not table.header:
            table.header = record
        elif len(record) == len(table.header):
            table.rows.append(record)
            table.places.append(line)
        else:
            counts[line] = len(record)
    if quotes:
        problems.append(
            f"{places_of(quotes, 'line')}: quotation marks that do not match; a field that begins with one "
            'ends with one, and has "" for each one inside'
        )
    if len(table.header) == 1:
        others = [other for other in NAMES if other != delimiter and other in table.header[0]]
        if others:
            table.undivided = True
            form = {divider: form for form, divider in DELIMITERS.items()}.get(others[0])
            remedy = f"set data.format={form}" if form else f"save it with {NAMES[delimiter]}s"
            problems.append(
                f"line 1: one column only; it seems to be divided by {NAMES[others[0]]}s, not "
                f"{NAMES[delimiter]}s; {remedy}"
            )
    if counts and not table.undivided:
        wrong = [f"{line} ({n})" for line, n in counts.items()]
        problems.append(
            f"{'line' if len(wrong) == 1 else 'lines'} {some(wrong)}: not {len(table.header)} fields as "
            f"in the header, but the number in brackets; put a text that holds a {NAMES[delimiter]} in "
            "quotation marks"
        )
    return table


def read_json_lines(text: str, problems: list[str]) -> Table:
    """One JSON object a line; the columns are all keys, in the order in which they first come."""
    table = Table("line")
    records: list[dict] = []
    bad: dict[str, list[int]] = {}
    for line, content in enumerate(io.StringIO(text, newline=""), 1):
        if not content.strip():
            table.blank += 1
            continue
        try:
            record = json.loads(content)
            json.dumps(record, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except json.JSONDecodeError as error:
            what = error.msg[0].lower() + error.msg[1:]
            bad.setdefault(f"not JSON ({what}); one whole object a line", []).append(line)
            continue
        except UnicodeEncodeError:
            bad.setdefault("half of a surrogate pair; write the character out", []).append(line)
            continue
        if isinstance(record, dict):
            records.append(record)
            table.places.append(line)
        else:
            bad.setdefault('not an object such as {"text": …, "label": …}', []).append(line)
    problems += [f"{places_of(lines, 'line')}: {what}" for what, lines in bad.items()]
    table.header = list(dict.fromkeys(key for record in records for key in record))
    table.rows = [[record.get(key) for key in table.header] for record in records]
    return table


def read_parquet(path: Path, problems: list[str]) -> Table:
    """All columns of a Parquet file; rows are numbered from 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = Table("row")
    try:
        content = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        problems.append(f"it cannot be read as Parquet: {str(error).splitlines()[0]}")
        return table
    table.header = list(content.column_names)
    table.rows = [
        list(row) for row in zip(*(column.to_pylist() for column in content.columns), strict=True)
    ]
    table.places = list(range(1, content.num_rows + 1))
    return table


# Which columns are meant


def select(table: Table, columns: Columns, problems: list[str]) -> pd.DataFrame:
    """The cells as text or None, by the part that their column plays; unknown columns are problems."""
    cells: dict[str, list[str | None]] = {}
    chosen: dict[str, str] = {}
    if table.undivided or not table.header:
        return pd.DataFrame()
    for part in (each.name for each in fields(columns)):
        name = getattr(columns, part)
        if name == AUTO:
            name = part if part in table.header else None
        if name is None:
            continue
        if table.header.count(name) != 1:
            problems.append(f"data.{part}: {why_not(name, table.header)}")
            continue
        if part in ("label", "pair") and name == chosen.get("text"):
            problems.append(f"data.{part}: the column '{name}' is that of data.text; name another")
            continue
        chosen[part] = name
        position = table.header.index(name)
        cells[part] = [as_text(row[position]) for row in table.rows]
        nested = [
            place
            for place, row in zip(table.places, table.rows, strict=True)
            if isinstance(row[position], list | dict | bytes)
        ]
        if nested:
            problems.append(
                f"{places_of(nested, table.unit)}: the column '{name}' holds lists, objects or bytes; "
                "data sets are made of text and numbers"
            )
    return pd.DataFrame(cells, dtype=object)


def why_not(name: str, header: list[str]) -> str:
    """Say why the column cannot be taken, and which one may be meant."""
    if name in header:
        return f"the column '{name}' is there {header.count(name)} times; rename the others"
    folded = {fold(column): column for column in reversed(header)}
    near = difflib.get_close_matches(fold(name), list(folded), n=1)
    hint = f"; did you mean '{folded[near[0]]}'?" if near else ""
    # A file without a header has texts in its place.
    return (
        f"there is no column '{name}' among {some([repr(column[:40]) for column in header])}{hint}"
    )


def as_text(value: object) -> str | None:
    """A cell as text; None where it is missing: empty, no number, or nothing visible."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = value if isinstance(value, str) else str(value)
    return text if any(map(visible, text)) else None


def in_one_form(label: str) -> str | None:
    """The classes that a cell names, each once, sorted, joined by blanks; None where it names none."""
    return " ".join(sorted(set(re.split(r"[\s;；]+", label)) - {""})) or None


def visible(letter: str) -> bool:
    """False for white space, control characters and marks such as the zero-width space."""
    return unicodedata.category(letter) not in ("Cc", "Cf", "Zs", "Zl", "Zp")


# What is wrong with them


def check(
    cells: pd.DataFrame,
    places: pd.Series,
    unit: str,
    labels: list[str],
    several: bool,
    problems: list[str],
    warnings: list[str],
) -> None:
    """Add what is wrong in the selected cells to `problems`, and what is doubtful to `warnings`."""

    def where(rows: pd.Series) -> str:
        """The places of the true ones among some of the rows."""
        return places_of(places[rows.index[rows].unique()].tolist(), unit)

    if cells.empty:
        return

    for part, column in cells.items():
        missing = column.isna()
        if missing.any() and part in ("text", "label", "pair", "weight", "id"):
            problems.append(f"{where(missing)}: the {part} is missing; fill it in")
        elif missing.any() and part == "group":
            warnings.append(f"{where(missing)}: no group, so each of these texts stands alone")
        elif missing.any():
            warnings.append(f"{where(missing)}: no {part}")
    if "id" in cells:
        twice = cells["id"][cells["id"].notna() & cells["id"].duplicated(keep=False)]
        same = [f"'{name}' {where(twice == name)}" for name in first(twice)]
        if same:
            problems.append(
                f"ids that are not unique: {'; '.join(same)}{more(twice)}; give each row its own"
            )
    if "weight" in cells:
        bad = cells["weight"].notna() & ~cells["weight"].map(number).gt(0)
        if bad.any():
            said = ", ".join(f"'{value}'" for value in first(cells["weight"][bad]))
            problems.append(
                f"{where(bad)}: weights that are not positive numbers: "
                f"{said}{more(cells['weight'][bad])}"
            )
    if "label" in cells:
        given = cells["label"].dropna()
        given = given.str.split().explode() if several else given
        check_labels(given, where, labels, problems)
    if "text" in cells:
        check_texts(cells, where, warnings)


def check_labels(given: pd.Series, where, labels: list[str], problems: list[str]) -> None:
    """Labels that are one label in two forms, rare, unknown or alone; `given` has no missing ones."""
    folded = given.map(fold)
    forms = given.groupby(folded).unique()
    twins = forms[forms.map(len) > 1].tolist()
    for spellings in twins[:SHOWN]:
        said = ", ".join(f"{spelt!r} ({where(given == spelt)})" for spelt in first(spellings))
        problems.append(
            f"labels that differ only in case, white space or width: {said}; write them alike"
        )
    if len(twins) > SHOWN:
        problems.append(f"{len(twins) - SHOWN} more labels are written in several ways, too")
    once = given[~folded.duplicated(keep=False)]
    if len(once):
        said = ", ".join(f"'{name}'" for name in first(once)) + more(once)
        problems.append(
            f"{where(given.isin(once))}: the only {'example' if len(once) == 1 else 'examples'} of "
            f"{'class' if len(once) == 1 else 'classes'} {said}, which cannot be both learnt and tested; "
            "add more or leave it out"
        )
    if len(forms) == 1:
        problems.append(
            f"all labels are '{given.iloc[0]}'; a classifier needs at least two classes"
        )
    if labels:
        check_listed(given, forms, where, labels, problems)


def check_listed(
    given: pd.Series, forms: pd.Series, where, labels: list[str], problems: list[str]
) -> None:
    """Labels that the config lists and no row has, and the reverse; `forms`: folded label → spellings."""
    listed = {fold(label): label for label in labels}
    # Those that also stand in the file as the config has them are said to be written in two ways.
    unknown = [
        name
        for name in given.unique()
        if name not in labels and not set(labels) & set(forms[fold(name)])
    ]
    for name in unknown[:SHOWN]:
        near = difflib.get_close_matches(fold(name), list(listed), n=1)
        hint = f"; did you mean '{listed[near[0]]}'?" if near else ""
        problems.append(f"{where(given == name)}: the label '{name}' is none of data.labels{hint}")
    if len(unknown) > SHOWN:
        problems.append(f"{len(unknown) - SHOWN} more labels are none of data.labels")
    for label in labels:
        if fold(label) not in forms.index:
            problems.append(f"data.labels has '{label}', but no row has it; take it out")


def check_texts(cells: pd.DataFrame, where, warnings: list[str]) -> None:
    """Near-duplicates, those of them that are labelled differently, and damaged letters."""
    texts = cells["text"].dropna()
    damaged = cells["text"].str.contains("�", regex=False, na=False)
    if damaged.any():
        warnings.append(
            f"{where(damaged)}: texts with the replacement character �; letters were lost before"
        )
    keys = keys_of(cells).reindex(cells.index)
    again = keys.notna() & keys.duplicated(keep=False)
    if not again.any():
        return
    clusters = keys[again].nunique()
    warnings.append(
        f"{where(again)}: {int(again.sum())} of {len(texts)} texts are near-duplicates of others, in "
        f"{clusters} {'cluster' if clusters == 1 else 'clusters'}; each cluster stays in one leak group"
    )
    if "label" in cells:
        differ = again & (cells["label"].groupby(keys).transform("nunique") > 1)
        if differ.any():
            warnings.append(f"{where(differ)}: near-duplicates with different labels")


# The prepared data


def assemble(
    cells: pd.DataFrame, table: Table, labels: Sequence[str], several: bool, file: str
) -> Prepared:
    """The prepared format of checked cells, with the counts and facts of the data card."""
    rows = len(cells)
    width = max(5, len(str(rows)))
    numbers = [f"{row:0{width}d}" for row in range(1, rows + 1)]
    null = pd.Series([None] * rows, dtype="str")
    tasks = pd.DataFrame(
        {
            "id": cells.get("id", numbers),
            "text": cells["text"],
            "text_pair": cells.get("pair", null),
            "label": cells.get("label", null),
            "group": leak_groups(cells),
            "occupation": null,
        }
    ).astype("str")
    tasks["weight"] = cells["weight"].astype(float) if "weight" in cells else 1.0
    if "language" in cells:
        tasks["language"] = cells["language"].astype("str")
    given = tasks["label"].str.split().explode() if several else tasks["label"]
    classes = list(labels or sorted(given.unique())) if "label" in cells else []
    if several and classes:
        has = indicators(tasks["label"])[classes]
        tasks["label"] = labels_of(has)
        tasks = tasks.join(has.astype(float).add_prefix("p_"))
    else:
        for name in classes:
            tasks[f"p_{name}"] = (tasks["label"] == name).astype(float)

    keys = keys_of(cells)
    again = keys.duplicated(keep=False)
    differ = cells["label"].groupby(keys).nunique() > 1 if "label" in cells else pd.Series(False)
    counts = {
        "texts": rows,
        "distinct texts": keys.nunique(),
        "near-duplicate texts": int(again.sum()),
        "near-duplicate clusters": keys[again].nunique(),
        "near-duplicate clusters with different labels": int(differ.sum()),
        "leak groups": tasks["group"].nunique(),
        "texts in the largest leak group": int(tasks["group"].value_counts().max()),
    }
    if "group" in cells:
        counts["groups of the file"] = cells["group"].nunique()
        counts["texts without a group"] = int(cells["group"].isna().sum())
    facts = {
        "file": file,
        "classes": ", ".join(classes) or "none: the texts are only to be rated",
        "leak groups": "near-duplicate texts stay together"
        + (", and so do the groups of the file" if "group" in cells else ""),
        "weights": "those of the file" if "weight" in cells else "all equal",
    }
    if "language" in cells:
        languages = cells["language"].fillna("unknown").value_counts().sort_index()
        facts["languages"] = ", ".join(f"{name} {n:,}" for name, n in languages.items())
    return Prepared(tasks, counts, {"blank line": table.blank}, facts)


def keys_of(cells: pd.DataFrame) -> pd.Series:
    """What near-duplicate rows share: the folded text, in pairs those of both sides; not null.

    A text of signs only, such as an emoji, has no letter that would stay; so it stands for itself.
    """
    keys = cells["text"].dropna().map(comparable)
    if "pair" in cells:
        keys = keys + "\n" + cells["pair"].dropna().map(comparable)
    return keys.dropna()


def comparable(text: str) -> str:
    """The text as near-duplicates are compared; never empty where the text shows anything."""
    return normalise(text) or "".join(unicodedata.normalize("NFKC", text).split())


def leak_groups(cells: pd.DataFrame) -> pd.Series:
    """Connected components of rows that share a group or a text, on whichever side of a pair."""
    rows = pd.Series([f"row {row}" for row in range(len(cells))])
    # Each side of a pair is a row of its own, tied to the other by the number of the row.
    sides = [cells[part].map(comparable) for part in ("text", "pair") if part in cells]
    keys = [pd.concat([rows] * len(sides)), pd.concat(sides)]
    if "group" in cells:
        # White space keeps a group apart from the rows without one.
        own = cells["group"].where(cells["group"].isna(), "group " + cells["group"]).fillna(rows)
        keys.append(pd.concat([own] * len(sides)))
    groups = linked_groups(*(key.reset_index(drop=True) for key in keys))
    return groups.iloc[: len(cells)].set_axis(cells.index)


# How it is said


def fold(label: str) -> str:
    """A label or column name without case, width, white space at its ends, and marks that do not show."""
    shown = "".join(letter for letter in label if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", shown).casefold().split())


def number(value: str | None) -> float:
    """The finite number that a cell holds, else not a number."""
    try:
        read = float(value or "")
    except ValueError:
        return math.nan
    return read if math.isfinite(read) else math.nan


def first(values: Sequence[str]) -> list[str]:
    """The first few distinct values, in their order."""
    return list(dict.fromkeys(values))[:SHOWN]


def more(values: Sequence[str]) -> str:
    """How many distinct values there are besides the first few."""
    rest = len(set(values)) - SHOWN
    return f" (and {rest} more)" if rest > 0 else ""


def some(values: Sequence[str], between: str = ", ") -> str:
    """The first few values, and how many more there are."""
    rest = len(values) - SHOWN
    return between.join(values[:SHOWN]) + (f" (and {rest} more)" if rest > 0 else "")


def places_of(places: Sequence[int], unit: str) -> str:
    """`line 4`, or `lines 4, 9, 12`, the first few."""
    return f"{unit}{'' if len(places) == 1 else 's'} {some([str(place) for place in places])}"
