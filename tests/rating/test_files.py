import csv
import io
import json
import string
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.rating import files

FORMS = {"csv": "a.csv", "tsv": "a.tsv", "parquet": "a.parquet", "jsonl": "a.jsonl"}


def read(path: Path, rows: int = 3) -> list[pa.Table]:
    return [
        table for table, _ in files.read_chunks(str(path), files.format_of(str(path), None), rows)
    ]


def rows_of(path: Path) -> list[dict]:
    form = files.format_of(str(path), None)
    found = []
    for table in read(path):
        columns = {
            name: table[name].to_pylist() if name == "problem" else files.decoded(table[name], form)
            for name in table.column_names
        }
        found += [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
    return found


def write(path: Path, rows: list[dict]) -> Path:
    """As other programs would write it."""
    form = files.format_of(str(path), None)
    if form == "parquet":
        pq.write_table(pa.table({name: [row[name] for row in rows] for name in rows[0]}), path)
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=files.DELIMITERS[form])
            writer.writeheader()
            writer.writerows(rows)
    return path


def copied(source: Path, target: Path) -> Path:
    """`source` read and written in the format of `target`."""
    form, chunks = files.format_of(str(source), None), read(source)
    fields = {
        each.name: each for table in chunks for each in table.schema if each.name != "problem"
    }
    json_columns = set(fields) if form == "jsonl" else set()
    schema = pa.schema(fields.values())
    with files.writer(target, files.format_of(str(target), None), schema, json_columns) as append:
        for table in chunks:
            append(table.drop_columns("problem"))
    return target


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
ROWS = st.lists(st.fixed_dictionaries({"text": CELLS, "other name": CELLS}), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, form=st.sampled_from(list(FORMS)), to=st.sampled_from(list(FORMS)))
def test_any_table_comes_through_in_order(tmp_path_factory, rows: list[dict], form: str, to: str):
    folder = tmp_path_factory.mktemp("files")
    source = write(folder / FORMS[form], rows)
    wanted = [{**row, "problem": ""} for row in rows]
    assert rows_of(source) == wanted
    assert rows_of(copied(source, folder / f"b{FORMS[to]}")) == wanted


@settings(max_examples=60, deadline=None)
@given(content=st.text('ab",\n\r', max_size=60))
def test_no_line_of_a_damaged_file_is_lost(tmp_path_factory, content: str):
    file = tmp_path_factory.mktemp("files") / "a.csv"
    file.write_bytes(b"x,y\n" + content.encode())
    text = io.StringIO("x,y\n" + content, newline="")
    starts = [line for line, _ in files.records(text, ",")]
    assert starts == sorted(set(starts))
    bad = [row for row in rows_of(file) if row["problem"]]
    good = [row for row in rows_of(file) if not row["problem"]]
    assert all(row["x"] is not None and row["y"] is not None for row in good)
    assert all(row["problem"].startswith("line ") for row in bad)


def test_bad_rows_of_csv_say_why_and_do_not_take_others_along(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(
        b'id,text\n1,good\n2,too,many\n3\n4,"never closed\n5,caf\xe9\n\n6,"two\nlines"\n7,"a"b\n8,last\n'
    )
    found = [(row["id"], row["text"], row["problem"]) for row in rows_of(file)]
    quotes = "quotation marks that do not match, or a cell of over 131072 characters"
    assert found == [
        ("1", "good", ""),
        ("2", "too", "line 3: 3 fields, not 2 as in the header"),
        ("3", None, "line 4: 1 fields, not 2 as in the header"),
        (None, None, f"line 5: {quotes}"),
        ("5", "caf\ufffd", "line 6: not UTF-8"),
        ("6", "two\nlines", ""),
        (None, None, f"line 10: {quotes}"),
        ("8", "last", ""),
    ]


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_a_large_file(tmp_path: Path):
    file = tmp_path / "a.csv"
    lines = [f"{n},text number {n}" for n in range(20_000)]
    lines[5] = '5,"text number 5'
    file.write_text("id,text\n" + "\n".join(lines) + "\n")
    found = rows_of(file)
    assert len(found) == 20_000 and [n for n, row in enumerate(found) if row["problem"]] == [5]
    assert found[6]["text"] == "text number 6" and found[-1]["id"] == "19999"


def test_a_blank_line_is_a_row_only_where_there_is_one_column(tmp_path: Path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("text\na\n\nb\n")
    two.write_text("text,id\na,1\n\nb,2\n")
    assert [row["text"] for row in rows_of(one)] == ["a", "", "b"]
    assert [row["text"] for row in rows_of(two)] == ["a", "b"]


def test_bad_lines_of_json_say_why(tmp_path: Path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"text": "a", "n": 1.5}\n\n{"text": \n[1]\n"caf\xe9"\n{"n": null, "deep": {"k": [1]}}\n'
    )
    found = rows_of(file)
    assert [row["problem"] for row in found] == [
        "",
        "line 3: not JSON; one whole object a line",
        'line 4: JSON, but no object such as {"text": …}',
        "line 5: not UTF-8",
        "",
    ]
    assert found[0]["n"] == 1.5 and found[4]["deep"] == {"k": [1]}


def test_json_objects_come_back_as_they_were(tmp_path: Path):
    lines = [
        '{"a": "ä", "b": [1, {"c": null}]}',
        "{}",
        '{"b": null}',
        '{"a": "\\ud800", "late": true}',
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert copied(file, tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines() == lines
    other = copied(file, tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    assert other == ["a,b,late", 'ä,"[1, {""c"": null}]",', ",,", ",,", "\ufffd,,true"]


def test_types_of_parquet_stay(tmp_path: Path):
    import datetime

    table = pa.table(
        {
            "text": pa.array(["a", None]).dictionary_encode(),
            "n": pa.array([1, None], pa.int16()),
            "day": [datetime.date(2024, 5, 1), None],
            "x": [1e-9, float("nan")],
            "list": [["p", "q"], []],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = pq.read_table(copied(tmp_path / "a.parquet", tmp_path / "b.parquet"))
    assert found.schema.types[1:] == table.schema.types[1:] and found["text"].type == pa.string()
    assert found["list"].to_pylist() == [["p", "q"], []]
    written = copied(tmp_path / "a.parquet", tmp_path / "b.csv").read_text().splitlines()
    assert written == ["text,n,day,x,list", 'a,1,2024-05-01,1e-09,"[""p"", ""q""]"', ",,,nan,[]"]
    lines = copied(tmp_path / "a.parquet", tmp_path / "b.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"text": None, "n": None, "day": None, "x": None, "list": []}


def test_parquet_that_is_not_utf_8_is_the_problem_of_its_row(tmp_path: Path):
    cells = pa.array([b"good", b"caf\xe9", None], pa.binary())
    text = pa.StringArray.from_buffers(3, *cells.buffers()[1:], cells.buffers()[0])
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == [
        {"text": "good", "problem": ""},
        {"text": "caf\ufffd", "problem": "not UTF-8"},
        {"text": None, "problem": ""},
    ]


@pytest.mark.parametrize("form", list(FORMS))
def test_chunks_have_a_fixed_number_of_rows_and_tell_how_far_they_are(tmp_path: Path, form: str):
    rows = [{"text": letter * 900} for letter in string.ascii_letters]
    file = write(tmp_path / FORMS[form], rows)
    found = list(files.read_chunks(str(file), form, 10))
    assert [table.num_rows for table, _ in found] == [10, 10, 10, 10, 10, 2]
    shares = [share for _, share in found]
    assert shares == sorted(shares) and shares[-1] == 1 and shares[0] < 1


def test_files_that_cannot_be_read_are_one_sentence(tmp_path: Path):
    def why(name: str, content: bytes) -> str:
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(JobshiftError) as error:
            read(file)
        return str(error.value)

    assert "it is empty" in why("a.csv", b"")
    assert "the column 'x' is there twice" in why("b.csv", b"x,y,x\n1,2,3\n")
    assert "is in UTF-16; save it in UTF-8" in why("c.csv", "text\n".encode("utf-16"))
    assert "cannot be read as Parquet" in why("d.parquet", b"no Parquet")
    with pytest.raises(JobshiftError, match="gone.csv is missing"):
        read(tmp_path / "gone.csv")
    with pytest.raises(JobshiftError, match=r"the ending '\.xlsx' is none of \.csv"):
        read(tmp_path / "a.xlsx")
    with pytest.raises(JobshiftError, match="not read from standard input"):
        next(files.read_chunks("-", "parquet", 3))


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_a_file_without_rows_has_columns(tmp_path: Path, form: str):
    file = tmp_path / FORMS[form]
    if form == "parquet":
        pq.write_table(pa.table({"text": pa.array([], pa.string())}), file)
    else:
        file.write_text("text\n")
    (table,) = read(file)
    assert table.column_names == ["text", "problem"] and table.num_rows == 0
