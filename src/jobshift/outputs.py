"""Writing outputs: completely or not at all, and the same bytes for the same content.

Everything is first written beside its destination under a name that starts with a dot and ends in
`.partial`, and moved into place when it is complete.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write; move it to `path` on success, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def complete_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; put it in the place of `path` on success, else remove it."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_parquet(frame: "pd.DataFrame", path: Path) -> None:
    """Write `frame` without its index; Parquet holds no time stamp, so equal frames give equal bytes."""
    with complete_file(path) as partial:
        frame.to_parquet(partial, index=False)


def write_csv(frame: "pd.DataFrame", path: Path, float_format: str = "%.6f") -> None:
    """Write `frame` without its index, floats in a fixed format, line ends as on Unix."""
    with complete_file(path) as partial:
        frame.to_csv(partial, index=False, float_format=float_format, lineterminator="\n")


def write_json(content: object, path: Path) -> None:
    """Write `content` indented, in its own key order, with a final line end."""
    with complete_file(path) as partial:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
