"""Files of texts, read and written in chunks of a fixed number of rows: CSV, TSV, Parquet, JSON Lines.

A chunk is an Arrow table: the columns of the file, and behind them `problem`, which says why a row cannot be
rated, or is empty. No row is dropped; only blank lines are no rows. Choices:

- Memory does not grow with the file. A quotation mark that is never closed would make one cell of the rest
  of it, so a cell has at most CELL characters; where that fails, the line alone is bad, and the next one is
  read afresh.
- CSV has no types, and JSON no fixed columns, so a guess from the first rows may fail at the last: cells of
  CSV stay text, and those of JSON Lines stay JSON (`decoded` reads them) until they are written.
- What is not UTF-8 is a problem of its row, and becomes � where the row is written.
"""

import csv
import io
import json
import math
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from jobshift.errors import JobshiftError

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
CELL = 131_072  # csv's own limit
ROWS = 4096  # of a chunk
PROBLEM = "problem"


def format_of(path: str, given: str | None) -> str:
    """csv, tsv, parquet or jsonl: by the ending of `path`; `-` is `given`, else csv."""
    if path == "-":
        return given or "csv"
    form = FORMATS.get(Path(path).suffix.lower())
    if form is None:
        raise JobshiftError(
            f"{path}: the ending '{Path(path).suffix}' is none of {', '.join(FORMATS)}; rename the file"
        )
    return form


def read_chunks(path: str, form: str, rows: int) -> Iterator[tuple[pa.Table, float]]:
    """Yield chunks of `rows` rows, the last one smaller, each with the share of the file read so far.

    `path` may be `-`, standard input, whose share is always 0. At least one chunk comes, perhaps without
    rows. Raises JobshiftError where the file is missing, empty, in UTF-16 or no Parquet.
    """
    if form == "parquet":
        yield from parquet_chunks(path, rows)
        return
    if path != "-" and not Path(path).is_file():
        raise JobshiftError(f"{path} is missing; name a file with one text a row")
    size = 0 if path == "-" else Path(path).stat().st_size
    with sys.stdin.buffer if path == "-" else Path(path).open("rb") as stream:
        if stream.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise JobshiftError(f"{path} is in UTF-16; save it in UTF-8")
        read = json_chunks if form == "jsonl" else delimited_chunks
        for table in read(stream, path, form, rows):
            yield table, min(1.0, stream.tell() / size) if size else 0.0


def delimited_chunks(stream: BinaryIO, path: str, form: str, rows: int) -> Iterator[pa.Table]:
    """CSV or TSV with a header; every cell is text, null where the row does not reach."""
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        found = records(text, DELIMITERS[form])
        _, header = next(((n, fields) for n, fields in found if fields != []), (0, None))
        if not header:
            raise JobshiftError(
                f"{path}: it is empty, or its first line has quotation marks that do not match"
            )
        header = [readable(name) for name in header]
        check_names(path, header)
        cells = ([*row, problem] for row, problem in delimited_rows(found, len(header)))
        schema = pa.schema([(name, pa.string()) for name in header])
        yield from tables(cells, lambda some: columns_of(schema, some), rows)
    finally:
        text.detach()  # the stream is closed by whoever opened it


def check_names(path: str, names: list[str]) -> None:
    """Raise JobshiftError where two columns have one name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise JobshiftError(f"{path}: the column '{twice}' is there twice; rename one")


def records(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Records with the line where each begins; None where quotation marks do not match, for that line."""
    number, taken, again = 1, [], deque()

    def lines() -> Iterator[str]:
        while line := again.popleft() if again else text.readline():
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            again.extendleft(reversed(taken[1:]))
            del taken[1:]
            fields, reader = None, csv.reader(lines(), delimiter=delimiter, strict=True)
        yield number, fields
        number += len(taken)
        taken.clear()


def delimited_rows(
    found: Iterable[tuple[int, list[str] | None]], width: int
) -> Iterator[tuple[list[str | None], str]]:
    """The cells of each row, as many as the header has, and its problem."""
    for line, fields in found:
        problem = ""
        if fields == []:
            if width > 1:
                continue
            fields = [""]  # of one column, a blank line is an empty cell
        if fields is None:
            fields = []
            problem = f"line {line}: quotation marks that do not match, or a cell of over {CELL} characters"
        elif len(fields) != width:
            problem = f"line {line}: {len(fields)} fields, not {width} as in the header"
        if any(not each.isascii() and readable(each) != each for each in fields):
            fields = [readable(each) for each in fields]
            problem = problem or f"line {line}: not UTF-8"
        yield [*fields, *[None] * width][:width], problem


def readable(text: str) -> str:
    """`text` with � for bytes that are not UTF-8 and halves of surrogate pairs."""
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if broken(text) else text
    )


def broken(text: str) -> bool:
    """True where `text` cannot be written in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def json_chunks(stream: BinaryIO, path: str, form: str, rows: int) -> Iterator[pa.Table]:
    """JSON Lines; every cell is JSON, null where the object lacks the key.

    The columns of a chunk are the keys that occur in it, in the order in which they first come.
    """
    yield from tables(json_rows(stream), json_columns, rows)


def json_rows(stream: BinaryIO) -> Iterator[tuple[dict, str]]:
    """The object of each line that is not blank, and its problem."""
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        record, problem = {}, ""
        try:
            record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            problem = f"line {number}: not UTF-8"
        except (ValueError, RecursionError):
            problem = f"line {number}: not JSON; one whole object a line"
        if not isinstance(record, dict):
            record, problem = {}, f'line {number}: JSON, but no object such as {{"text": …}}'
        yield record, problem


def json_columns(some: list[tuple[dict, str]]) -> pa.Table:
    """A chunk of objects and problems."""
    names = list(dict.fromkeys(key for record, _ in some for key in record))
    cells = [[*(encoded(record, name) for name in names), problem] for record, problem in some]
    return columns_of(pa.schema([(readable(name), pa.string()) for name in names]), cells)


def encoded(record: dict, name: str) -> str | None:
    """A cell as JSON; halves of surrogate pairs stay escaped."""
    if name not in record:
        return None
    cell = json.dumps(record[name], ensure_ascii=False)
    return json.dumps(record[name]) if broken(cell) else cell


def columns_of(schema: pa.Schema, rows: list[list[str | None]]) -> pa.Table:
    """The table of `rows`, whose last cell is the problem."""
    schema = schema.append(pa.field(PROBLEM, pa.string()))
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    arrays = [pa.array(cells, each.type) for cells, each in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def tables(rows: Iterable, table_of: Callable[[list], pa.Table], size: int) -> Iterator[pa.Table]:
    """Tables of `size` rows, the last one smaller; one without rows where there are none."""
    rows = iter(rows)
    some = list(islice(rows, size))
    yield table_of(some)
    while some := list(islice(rows, size)):
        yield table_of(some)


def parquet_chunks(path: str, rows: int) -> Iterator[tuple[pa.Table, float]]:
    """The columns of a Parquet file in their types, a row group read piece by piece."""
    import pyarrow.parquet as pq

    if path == "-":
        raise JobshiftError("Parquet is not read from standard input; name a file")
    if not Path(path).is_file():
        raise JobshiftError(f"{path} is missing; name a file with one text a row")
    done = 0
    try:
        # Small buffers: a row group may be the whole file.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
            schema, total = file.schema_arrow, file.metadata.num_rows
            check_names(path, schema.names)
            for batch in file.iter_batches(rows) if total else [schema.empty_table()]:
                done += batch.num_rows
                yield checked(batch), done / max(total, 1)
    except (pa.ArrowException, OSError) as error:
        raise JobshiftError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}); save it again"
        ) from error


def checked(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """The batch with its problems: text that is not UTF-8, for Parquet does not check."""
    problems = [""] * batch.num_rows
    arrays = []
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid:
                cells = column.cast(pa.binary()).to_pylist()
                texts = [cell and cell.decode("utf-8", "replace") for cell in cells]
                for row, (cell, text) in enumerate(zip(cells, texts, strict=True)):
                    problems[row] = "not UTF-8" if cell and text.encode() != cell else problems[row]
                column = pa.array(texts, column.type)
        arrays.append(column)
    return pa.Table.from_arrays(
        [*arrays, pa.array(problems, pa.string())], names=[*batch.schema.names, PROBLEM]
    )


def decoded(column: pa.Array | pa.ChunkedArray, form: str) -> list:
    """The cells of a chunk as Python values; `form` is that of the file they were read from."""
    cells = column.to_pylist()
    return [cell and json.loads(cell) for cell in cells] if form == "jsonl" else cells


@contextmanager
def writer(
    path: Path, form: str, schema: pa.Schema, read: Collection[str]
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends a table with columns of `schema` to the new file `path`.

    `read` names the columns whose cells are JSON: they are text in Parquet, and where the table lacks one or
    a cell is null, the object of JSON Lines lacks the key. A value that CSV has no form for, such as a list,
    is written as JSON there.
    """
    if form == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, schema) as file:
            yield lambda table: file.write_table(parquet_table(table, schema, read))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "jsonl":
            yield lambda table: file.writelines(json_lines(table, schema, read))
            return
        options = {"delimiter": DELIMITERS[form], "lineterminator": "\n"}
        usual = csv.writer(file, **options)
        quoted = csv.writer(file, quoting=csv.QUOTE_ALL, **options)
        usual.writerow(schema.names)

        def write(table: pa.Table) -> None:
            cells = [
                [text_of(cell) if name in read else plain(cell) for cell in column]
                for name, column in values_of(table, schema).items()
            ]
            # csv does not quote a carriage return where lines do not end in one.
            returns = any(cell and "\r" in cell for column in cells for cell in column)
            (quoted if returns else usual).writerows(zip(*cells, strict=True))

        yield write


def values_of(table: pa.Table, schema: pa.Schema) -> dict[str, list]:
    """The columns of `schema` as Python values; None where the table lacks one."""
    there = set(table.column_names)
    nothing = [None] * table.num_rows
    return {name: table[name].to_pylist() if name in there else nothing for name in schema.names}


def parquet_table(table: pa.Table, schema: pa.Schema, read: Collection[str]) -> pa.Table:
    """The table with all columns of `schema`."""
    there = set(table.column_names) - set(read)
    values = values_of(table.select([name for name in table.column_names if name in read]), schema)
    arrays = [
        table[field.name]
        if field.name in there
        else pa.array([text_of(cell) for cell in values[field.name]], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def json_lines(table: pa.Table, schema: pa.Schema, read: Collection[str]) -> Iterator[str]:
    """The rows as objects, one a line."""
    values = values_of(table, schema)
    keys = [f"{json.dumps(name, ensure_ascii=False)}: " for name in values]
    cells = [
        column if name in read else [as_json(cell) for cell in column]
        for name, column in values.items()
    ]
    for row in zip(*cells, strict=True):
        said = (key + cell for key, cell in zip(keys, row, strict=True) if cell is not None)
        yield "{" + ", ".join(said) + "}\n"


def text_of(cell: str | None) -> str | None:
    """A JSON cell as text: a string as it is, null as None, anything else as JSON."""
    if cell is None or cell == "null":
        return None
    return readable(json.loads(cell)) if cell.startswith('"') else cell


def plain(cell: Any) -> str | None:
    """A cell of CSV."""
    if cell is None or isinstance(cell, str):
        return cell
    return repr(cell) if isinstance(cell, float) else as_json(cell).strip('"')


def as_json(cell: Any) -> str:
    """A value as JSON: a number that is none as null, and a date as text."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return "null"
    return json.dumps(cell, ensure_ascii=False, default=str)
