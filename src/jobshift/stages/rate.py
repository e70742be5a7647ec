"""`jobshift rate`: rate every row of a file, in its order, in memory that does not grow with the file.

The file is read in chunks. A rated chunk is a part, a file in `OUT.parts/` whose name has a hash of the
chunk and of all that its ratings depend on, so that a part is either exactly what would be computed again,
or not looked at. After a crash the same command finds the finished parts. At the end they are joined.
"""

import argparse
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather

from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file
from jobshift.rating import files
from jobshift.rating.engines import ENGINES
from jobshift.rating.exported import Exported, read_export
from jobshift.rating.files import PROBLEM
from jobshift.rating.rate import Settings, columns, rate_table

WINDOW = 64  # chunks that a Ray cluster gets at once
FILES = {
    "torch": ["config.json", "model.safetensors"],
    "onnx": ["onnx/model.onnx"],
    "openvino-int8": ["openvino/model.xml", "openvino/model.bin"],
}


def main(arguments: list[str]) -> int:
    """Rate the file that the command line names; 0, or 130 where the user broke off."""
    chosen = parser().parse_args(arguments)
    out = chosen.out
    # Arrow's own keeps what it freed, and grows with the number of chunks.
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        with parts_folder(chosen.input, out) as parts:
            try:
                rate(chosen, parts)
            except KeyboardInterrupt:
                print(f"\n{stopped(chosen.input, out, parts)}", file=sys.stderr)
                return 130
    except BrokenPipeError:
        # Whoever read standard output has enough; Python must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise JobshiftError(
            f"{error.filename or out}: {error.strerror or error}; choose another --out, or make room"
        ) from error
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    found = argparse.ArgumentParser("jobshift rate", description="Rate every row of a file.")
    add = found.add_argument
    add("input", help="CSV, TSV, Parquet or JSON Lines, by its ending; - is standard input")
    add("--model", type=Path, required=True, help="an exported run, such as models/minilm/purged-0")
    add("--out", required=True, help="any of the same formats; - is standard output")
    add("--text", metavar="COLUMN", help="the texts; else 'text', or the only column with texts")
    add(
        "--occupation",
        metavar="COLUMN",
        help="also write the means by occupation, OUT.occupations.csv",
    )
    add("--engine", choices=ENGINES, default="torch", help="what runs the model (torch)")
    add("--mask", action="store_true", help="first replace personal data, such as e-mail addresses")
    add("--explain", action="store_true", help="add the words that count, and the nearest tasks")
    add("--cluster", choices=["ray"], help="spread the work over a Ray cluster")
    add("--threads", type=int, help="of the model; else all that this process may use")
    add("--format", choices=["csv", "tsv", "parquet", "jsonl"], help="of what is - (csv)")
    add("--quiet", action="store_true", help="no progress bar and no summary")
    return found


@contextmanager
def parts_folder(source: str, out: str) -> Iterator[Path]:
    """Where the parts lie: beside the output, or, where standard input or output is used, for this once."""
    if "-" not in (source, out):
        yield Path(f"{out}.parts")
        return
    with tempfile.TemporaryDirectory(prefix="jobshift-rate-") as folder:
        yield Path(folder)


def stopped(source: str, out: str, parts: Path) -> str:
    """What is said to who pressed Ctrl-C."""
    if "-" in (source, out):
        return "jobshift rate: stopped; with standard input or output nothing is kept"
    count = len(list(parts.glob("*.arrow")))
    return (
        f"jobshift rate: stopped; {count} parts of {files.ROWS} rows are kept in {parts}, and the same "
        "command continues"
    )


def rate(chosen: argparse.Namespace, folder: Path) -> None:
    """Read, rate, and write what the options say, with the parts in `folder`."""
    source, out = chosen.input, chosen.out
    form, out_form = files.format_of(source, chosen.format), files.format_of(out, chosen.format)
    if chosen.occupation and out == "-":
        raise JobshiftError(
            "--occupation writes a second file beside --out, which - has no place for"
        )
    if source == out != "-" or (
        Path(out).exists() and Path(source).exists() and Path(out).samefile(source)
    ):
        raise JobshiftError(f"--out is the input, {out}; name another file")
    if chosen.threads is not None and chosen.threads < 1:
        raise JobshiftError(f"--threads is {chosen.threads}; it must be at least 1")
    exported = read_export(chosen.model)
    chunks = files.read_chunks(source, form, files.ROWS)
    first = next(chunks)
    if chosen.occupation:
        named(first[0], chosen.occupation, source, "--occupation")
    settings = Settings(
        export=str(exported.folder.resolve()),
        hashed=hash_of(exported, chosen),
        engine=chosen.engine,
        threads=chosen.threads or available(),
        form=form,
        text=text_column(first[0], chosen.text, source, form),
        occupation=chosen.occupation,
        mask=chosen.mask,
        explain=chosen.explain,
    )
    added = columns(exported, settings)
    paths = rate_chunks(chain([first], chunks), source, settings, added, folder, chosen)
    counts = join(paths, out, out_form, settings, added)
    if chosen.occupation:
        write_occupations(paths, Path(out).with_suffix(".occupations.csv"), settings, added)
    for part in (*folder.glob("*.arrow"), *folder.glob(".*.arrow.partial")):
        part.unlink()
    with suppress(OSError):  # something else lies there
        folder.rmdir()
    if not chosen.quiet:
        logging.info(
            "%s: %d rows, %d with a problem (see the column problem), %d unlike the training texts",
            "standard output" if out == "-" else out,
            *counts,
        )


def available() -> int:
    """The threads that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def hash_of(exported: Exported, chosen: argparse.Namespace) -> str:
    """SHA-256 of the files of the export that ratings depend on."""
    digest = hashlib.sha256()
    names = ["rating.json", "tokenizer.json", "heads.safetensors", *FILES[chosen.engine]]
    names += ["evidence.parquet", *FILES["torch"]] if chosen.explain else []
    for name in names:
        with exported.file(name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def named(table: pa.Table, name: str, source: str, option: str) -> str:
    """`name`; JobshiftError where the file has no such column."""
    names = table.column_names[:-1]
    if name not in names:
        listed = ", ".join(repr(each) for each in names)
        raise JobshiftError(f"{source} has no column '{name}' ({option}); choose from {listed}")
    return name


def text_column(table: pa.Table, wanted: str | None, source: str, form: str) -> str:
    """The column of the texts: the one asked for, else `text`, else the only one that looks like texts."""
    names = table.column_names[:-1]
    if not names:
        raise JobshiftError(f"{source} is empty, or none of its first lines is an object")
    if wanted or "text" in names:
        return named(table, wanted or "text", source, "--text")
    cells = {name: files.decoded(table[name], form) for name in names}
    strings = [name for name in names if any(isinstance(cell, str) for cell in cells[name])]
    wordy = [name for name in strings if looks_like_texts(cells[name])]
    for candidates in (strings, wordy):
        if len(candidates) == 1:
            return candidates[0]
    listed = ", ".join(repr(name) for name in names)
    raise JobshiftError(
        f"{source}: it is not clear which column holds the texts; name it with --text, one of {listed}"
    )


def looks_like_texts(cells: list) -> bool:
    """True where most cells that are not empty have several words, or Chinese characters."""
    given = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    wordy = [cell for cell in given if re.search(r"\w\W*\s\W*\w|[㐀-鿿]{2}", cell)]
    return 2 * len(wordy) > len(given)


# Rating the chunks


def rate_chunks(
    chunks: Iterable[tuple[pa.Table, float]],
    source: str,
    settings: Settings,
    added: pa.Schema,
    folder: Path,
    chosen: argparse.Namespace,
) -> list[Path]:
    """Rate every chunk that has no part yet; the parts in their order."""
    from tqdm import tqdm

    paths: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    # Nothing is shown where standard error is no terminal.
    with tqdm(unit=" rows", disable=chosen.quiet or None, dynamic_ncols=True) as bar:

        def missing() -> Iterator[tuple[Path, bytes]]:
            rows = kept = 0
            for number, (table, share) in enumerate(chunks):
                clash = set(table.column_names[:-1]) & set(added.names)
                if clash:
                    raise JobshiftError(
                        f"{source} has a column '{min(clash)}' already, as the ratings have; rename it"
                    )
                content = to_bytes(table)
                paths.append(folder / f"{number:07d}-{key(content, settings)}.arrow")
                rows += table.num_rows
                done = paths[-1].exists()
                # What an earlier run did is no part of the speed.
                kept += table.num_rows if done else 0
                bar.total = round(rows / share) - kept if share else None
                if not done:
                    yield paths[-1], content

        work = on_ray if chosen.cluster else here
        for path, table in work(missing(), settings):
            with complete_file(path) as partial:
                feather.write_feather(table, str(partial), compression="lz4")
            bar.update(table.num_rows)
    return paths


def key(content: bytes, settings: Settings) -> str:
    """A hash of a chunk and the settings; the export counts by its content and not by its place."""
    known = {name: value for name, value in asdict(settings).items() if name != "export"}
    return hashlib.sha256(json.dumps(known).encode() + content).hexdigest()[:16]


def to_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_bytes(content: bytes) -> pa.Table:
    """The table of an Arrow stream."""
    return pa.ipc.open_stream(content).read_all()


def here(
    chunks: Iterable[tuple[Path, bytes]], settings: Settings
) -> Iterator[tuple[Path, pa.Table]]:
    """Rate the chunks in this process."""
    for path, content in chunks:
        yield path, rate_table(from_bytes(content), settings)


def on_ray(
    chunks: Iterable[tuple[Path, bytes]], settings: Settings
) -> Iterator[tuple[Path, pa.Table]]:
    """Rate the chunks with Ray Data, some at a time, on the cluster of RAY_ADDRESS or an embedded one."""
    # Ray reads it when it is loaded.
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    try:
        import ray
    except ImportError as error:
        raise JobshiftError(
            f"--cluster ray needs {error.name}, which is not installed; run `pip install 'jobshift[cluster]'`"
        ) from error
    address = os.environ.get("RAY_ADDRESS")
    options = (
        {}
        if address
        else {"num_cpus": max(settings.threads, available()), "include_dashboard": False}
    )
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **options)
    except (ConnectionError, ValueError) as error:
        raise JobshiftError(
            f"there is no Ray cluster at RAY_ADDRESS={address}; start one with `ray start --head`, or unset it"
        ) from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        chunks = iter(chunks)
        while some := list(islice(chunks, WINDOW)):
            items = [
                {"number": number, "table": content} for number, (_, content) in enumerate(some)
            ]
            data = ray.data.from_items(items, override_num_blocks=len(items))
            data = data.map(on_worker, fn_kwargs={"settings": settings}, num_cpus=settings.threads)
            for row in data.iter_rows():
                if row["problem"]:
                    raise JobshiftError(row["problem"])
                yield some[row["number"]][0], from_bytes(row["table"])
    finally:
        ray.shutdown()


def on_worker(row: dict, settings: Settings) -> dict:
    """`rate_table` in a process of Ray; what the user can mend is returned, as Ray would wrap it."""
    try:
        table = to_bytes(rate_table(from_bytes(row["table"]), settings))
    except JobshiftError as error:
        return {"number": row["number"], "table": b"", "problem": str(error)}
    return {"number": row["number"], "table": table, "problem": ""}


# Joining the parts


def join(
    paths: list[Path], out: str, form: str, settings: Settings, added: pa.Schema
) -> tuple[int, int, int]:
    """Write the parts one after another to `out`; how many rows, problems, and rows out of domain there are."""
    fields: dict[str, pa.Field] = {}
    for path in paths:
        with pa.ipc.open_file(path) as file:
            schema = file.schema
        for field in schema:
            if field.name not in added.names:
                fields.setdefault(field.name, field)
    schema = pa.schema([*fields.values(), *added])
    read = set(fields) if settings.form == "jsonl" else set()
    rows = problems = strange = 0
    target = paths[0].with_name("joined") if out == "-" else Path(out)
    with complete_file(target) as partial, files.writer(partial, form, schema, read) as write:
        for path in paths:
            table = feather.read_table(str(path))
            write(table)
            rows += table.num_rows
            problems += table.num_rows - table[PROBLEM].null_count
            strange += table["out_of_domain"].to_pylist().count(True)
    if out == "-":
        with target.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()
    return rows, problems, strange


def write_occupations(paths: list[Path], file: Path, settings: Settings, added: pa.Schema) -> None:
    """Write the means by occupation with their intervals."""
    from jobshift.rating.occupations import occupation_table

    def tables() -> Iterator[tuple[list[str | None], pa.Table]]:
        for path in paths:
            table = feather.read_table(str(path))
            found = settings.occupation in table.column_names
            cells = files.decoded(table[settings.occupation], settings.form) if found else []
            cells = cells or [None] * table.num_rows
            yield [None if cell in (None, "") else str(cell) for cell in cells], table

    measures = [name for name in ("alpha", "beta", "zeta", "automation") if name in added.names]
    means = pa.table(occupation_table(tables(), measures))
    with complete_file(file) as partial, files.writer(partial, "csv", means.schema, set()) as write:
        write(means)
    logging.info("%s: %d occupations", file, means.num_rows)
