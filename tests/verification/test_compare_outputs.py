"""Comparisons of outputs, with differences computed by hand."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobshift.verification.compare import compare_output, difference, largest_difference


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.5, 0.25),
        (-3.0, -3.4, 0.1),
        (2, 2.3, 0.1),
        (0.0, 0.0, 0.0),
        (math.nan, math.nan, 0.0),
        (math.inf, math.inf, 0.0),
        (7, 7, 0.0),
        ("E0", "E0", 0.0),
        (None, None, 0.0),
        # Counts are equal or not.
        (7, 8, None),
        (1, True, None),
        (0.0, None, None),
        (1.0, math.nan, None),
        (1.0, math.inf, None),
        ("E0", "E1", None),
        ("1.0", 1.0, None),
    ],
)
def test_the_difference_of_two_values(a: object, b: object, expected: float | None):
    assert difference(a, b) == (None if expected is None else pytest.approx(expected))


numbers = st.floats(-1e6, 1e6)


@given(numbers, numbers)
def test_it_is_the_tolerance_that_numpy_needs(a: float, b: float):
    needed = difference(a, b)
    assert np.isclose(b, a, rtol=needed * (1 + 1e-9), atol=needed * (1 + 1e-9))
    if needed > 1e-9:
        assert not np.isclose(b, a, rtol=needed * 0.999, atol=needed * 0.999)


def written(folder: Path, name: str, *contents: str) -> list[Path]:
    """Files of one name with these contents, each in a folder of its own."""
    paths = [folder / str(number) / name for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.parent.mkdir()
        path.write_text(content, encoding="utf-8")
    return paths


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # 0.5 → 0.65 is .15 / 1.5; 4.0 → 4.1 is .1 / 5.
        ("b,c\n0.5,4.0\n", "b,c\n0.65,4.1\n", (0.1, "row 2, column 1 (b)")),
        ("b\n1e3\n", "b\n1e3\n\n", (0.0, "")),
        ("b\n0.5\n", "b\n0.5\n0.6\n", (None, "only one has row 3, column 1 (b)")),
        ("b\n0.5\n", "c\n0.5\n", (None, "only one has row 2, column 1 (c)")),
        ("b\n5\n", "b\n6\n", (None, "row 2, column 1 (b): 5 became 6")),
        ("b\nx\n", "b\ny\n", (None, "row 2, column 1 (b): 'x' became 'y'")),
        # Codes are no numbers, however long.
        ("b\n11-1011.00\n", "b\n11-1011.01\n", (None, "row 2, column 1 (b): '11-1011.")),
        (f"b\n{'1' * 20}\n", f"b\n{'1' * 19}2\n", (None, "row 2, column 1 (b): '111")),
        ("", "b\n", (None, "header: () became ('b',)")),
    ],
)
def test_tables(tmp_path: Path, old: str, new: str, expected: tuple):
    largest, where = largest_difference(*written(tmp_path, "a.csv", old, new))
    assert largest == (None if expected[0] is None else pytest.approx(expected[0]))
    assert where.startswith(expected[1])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"m": [{"k": 1.0}, 3]}, {"m": [{"k": 1.5}, 3]}, (0.25, "m, 0, k")),
        ({"m": 1.0}, {"m": None}, (None, "m: 1.0 became None")),
        ({"m": []}, {"m": {}}, (None, "m: [] became {}")),
        ({"m": 1, "n": 2}, {"n": 2, "m": 1}, (None, "in another order")),
        ([1.0], [1.0, 2.0], (None, "only one has 1")),
    ],
)
def test_json(tmp_path: Path, old: object, new: object, expected: tuple):
    paths = written(tmp_path, "a.json", json.dumps(old), json.dumps(new))
    assert largest_difference(*paths) == expected


def test_parquet_and_what_cannot_be_read(tmp_path: Path):
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    pd.DataFrame({"id": ["x", "y"], "p": [0.0, 1.0]}).to_parquet(old)
    pd.DataFrame({"id": ["x", "y"], "p": [0.0, 1.5]}).to_parquet(new)
    assert largest_difference(old, new) == (0.25, "p, 1")
    new.write_bytes(b"nothing")
    largest, where = largest_difference(old, new)
    assert largest is None and where.startswith("cannot be read: ")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_a_file_is_compared_by_numbers_only_where_it_is_kept(tmp_path: Path):
    before, after = written(tmp_path, "a.csv", "b\n1.0\n", "b\n1.5\n")
    hashes = "reports/a.csv", md5("b\n1.0\n"), md5("b\n1.5\n")
    assert compare_output(*hashes, before, after, 0.25).verdict == "within tolerance"
    assert compare_output(*hashes, before, after, 0.24).verdict == "different"
    # Other bytes are another file, where nothing may differ.
    strict = compare_output(*hashes, before, after, 0.0)
    assert (strict.verdict, strict.by, strict.difference) == ("different", "values", 0.25)
    for unknown in (None, tmp_path / "missing"):
        blind = compare_output(*hashes, unknown, after, 0.25)
        assert (blind.verdict, blind.by, blind.difference) == ("different", "hash", None)
    assert compare_output("a", "1", None, before, after, 0.5).verdict == "missing"
    assert compare_output("a", None, "1", before, after, 0.5).verdict == "new"


def test_a_folder_is_as_good_as_its_worst_file(tmp_path: Path):
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, number in ((before, "1.0"), (after, "1.5")):
        (folder / "in").mkdir(parents=True)
        (folder / "in" / "a.csv").write_text(f"b\n{number}\n")
        (folder / "same.png").write_text("picture")
    close = compare_output("reports/f", "1.dir", "2.dir", before, after, 0.3)
    assert (close.verdict, close.by, close.difference) == ("within tolerance", "values", 0.25)
    assert [(each.path, each.verdict) for each in close.files] == [
        *(("in/a.csv", "within tolerance"), ("same.png", "identical"))
    ]
    (before / "gone.png").write_text("picture")
    (after / "more.png").write_text("picture")
    far = compare_output("reports/f", "1.dir", "2.dir", before, after, 0.3)
    assert far.verdict == "different" and far.difference == 0.25
    assert [each.verdict for each in far.files] == [
        *("missing", "within tolerance", "new", "identical")
    ]
