"""What a re-run made, against what is recorded: by hash, and where that differs, by the numbers within.

Numbers are compared in CSV, JSON and Parquet files. a, recorded, and b, obtained, differ by
|a − b| / (1 + |a|): the smallest value that `numpy.isclose(b, a)` needs as both its tolerances. Whole numbers
(counts, codes, years) and all that is no number must be equal, and both files must have the same cells.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# From good to bad: what is said of an output or file.
VERDICTS = ("identical", "within tolerance", "different", "missing", "new", "unknown")
GOOD = VERDICTS[:2]
WHOLE = re.compile(r"[-+]?\d{1,15}")
DECIMAL = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")

Place = tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """One output, or file of one: its two hashes (MD5, None where there is none), and how they compare.

    `by` is what the verdict rests on: hash or values. `difference` is the largest one of two numbers, None
    where there is none or something else differs; `where` says at which place. `files` are those of a folder.
    """

    path: str
    recorded: str | None
    obtained: str | None
    verdict: str
    by: str = "hash"
    difference: float | None = None
    where: str = ""
    files: tuple["Compared", ...] = ()


def compare_output(
    path: str,
    recorded: str | None,
    obtained: str | None,
    before: Path | None,
    after: Path,
    tolerance: float,
) -> Compared:
    """Compare an output, file or folder, whose hashes are in the two lock files.

    `before` is what was recorded, None where it is not kept; `after` what was obtained. In a folder of which
    only the hash of the whole is kept, a file that may be another one is `unknown`.
    """
    hashes = path, recorded, obtained
    if recorded is None or obtained is None or not after.is_dir():
        return compare_file(*hashes, before, after, tolerance)
    new = file_hashes(after)
    if recorded == obtained:
        files = tuple(Compared(name, hash_, hash_, "identical") for name, hash_ in new.items())
        return Compared(*hashes, "identical", files=files)
    if before is None or not before.is_dir():
        files = tuple(Compared(name, None, hash_, "unknown") for name, hash_ in new.items())
        return Compared(*hashes, "different", files=files)
    old = file_hashes(before)
    files = tuple(
        compare_file(name, old.get(name), new.get(name), before / name, after / name, tolerance)
        for name in sorted({*old, *new})
    )
    worst = max(files, key=lambda each: VERDICTS.index(each.verdict))
    verdict = worst.verdict if worst.verdict == "within tolerance" else "different"
    differences = [each.difference for each in files if each.difference is not None]
    return Compared(*hashes, verdict, worst.by, max(differences, default=None), files=files)


def compare_file(
    path: str,
    recorded: str | None,
    obtained: str | None,
    before: Path | None,
    after: Path,
    tolerance: float,
) -> Compared:
    """Compare two files with their hashes; by numbers where `before` is kept and has numbers."""
    hashes = path, recorded, obtained
    if recorded is None or obtained is None:
        return Compared(*hashes, "new" if recorded is None else "missing")
    if recorded == obtained:
        return Compared(*hashes, "identical")
    if before is None or not before.is_file() or after.suffix not in READERS:
        return Compared(*hashes, "different")
    largest, where = largest_difference(before, after)
    close = largest is not None and largest <= tolerance
    # With the tolerance 0 the bytes are to be the same, too.
    verdict = "within tolerance" if close and tolerance else "different"
    return Compared(*hashes, verdict, "values", largest, where)


def file_hashes(folder: Path) -> dict[str, str]:
    """The MD5 of each file in a folder, by its path in it, in order."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {
        each.relative_to(folder).as_posix(): hashlib.md5(each.read_bytes()).hexdigest()
        for each in files
    }


def largest_difference(before: Path, after: Path) -> tuple[float | None, str]:
    """The largest difference between two files of numbers, 0 or more, and its place.

    None where something else differs, with the first place of it.
    """
    largest, where = 0.0, ""
    try:
        old, new = (dict(READERS[path.suffix](path)) for path in (before, after))
        if list(old) != list(new):
            own = next((place for place in [*new, *old] if (place in old) != (place in new)), None)
            return None, f"only one has {', '.join(own)}" if own else "in another order"
        for place, value in old.items():
            gap = difference(value, new[place])
            if gap is None:
                return None, f"{', '.join(place)}: {value!r:.40} became {new[place]!r:.40}"
            if gap > largest:
                largest, where = gap, ", ".join(place)
    except (ValueError, OverflowError, csv.Error) as error:
        return None, f"cannot be read: {str(error).splitlines()[0]}"
    return largest, where


def difference(a: object, b: object) -> float | None:
    """|a − b| / (1 + |a|) of two numbers, at most one of them whole; 0 where equal, else None."""
    if type(a) is type(b) and (a == b or (a != a and b != b)):
        return 0.0
    if {type(a), type(b)} - {int, float} or type(a) is type(b) is int:
        return None
    gap = abs(a - b) / (1 + abs(a))
    return gap if math.isfinite(gap) else None


def csv_cells(path: Path) -> Iterator[tuple[Place, object]]:
    """Every cell of a CSV with its line and column; numbers as such."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        yield ("header",), tuple(header)
        for line, row in enumerate(rows, 2):
            for column, cell in enumerate(row):
                name = header[column] if column < len(header) else "none"
                yield (f"row {line}", f"column {column + 1} ({name})"), number(cell)


def number(text: str) -> int | float | str:
    """The number that a text is, or the text."""
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text) if DECIMAL.fullmatch(text) else text


def json_leaves(path: Path) -> Iterator[tuple[Place, object]]:
    """Every value of a JSON file with the keys that lead to it."""
    return leaves(json.loads(path.read_text(encoding="utf-8")))


def parquet_cells(path: Path) -> Iterator[tuple[Place, object]]:
    """Every cell of a Parquet file with its column and row, counted from 0."""
    import pyarrow.parquet

    return leaves(pyarrow.parquet.read_table(path).to_pydict())


def leaves(value: object, place: Place = ()) -> Iterator[tuple[Place, object]]:
    """What is in nested dicts and lists, with the keys and numbers that lead to it."""
    if not value or not isinstance(value, dict | list):
        yield place, value
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(inner, (*place, str(key)))


READERS = {".csv": csv_cells, ".json": json_leaves, ".parquet": parquet_cells}
