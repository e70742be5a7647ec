"""Peak memory of `jobshift rate` on a file of 20 thousand rows and on one of 2 million, and its start.

    python benchmarks/rate_memory.py [--engine openvino-int8] [--format csv] [--export exports/minilm/purged-0]

The rows repeat 64 of the study's test tasks, each with a number of its own in another column. The command
rates equal texts of a chunk once, so two million rows take minutes, not hours; everything else, such as
reading, parts, joining and writing, is done for every row. Each side is a process of its own. The start is
that of a file of one row, the least of three. Writes benchmarks/rate_memory.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = Path("data/prepared/onet/purged/0/test.parquet")
SIZES = (20_000, 2_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="openvino-int8")
    parser.add_argument("--format", default="csv", choices=["csv", "tsv", "jsonl", "parquet"])
    parser.add_argument("--export", default="exports/minilm/purged-0")
    chosen = parser.parse_args()
    texts = pd.read_parquet(TEXTS)["text"].drop_duplicates().head(64).tolist()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = written(folder / f"one.{chosen.format}", texts, 1)
        start = min(rated(chosen, one)[0] for _ in range(3))
        for size in SIZES:
            file = written(folder / f"{size}.{chosen.format}", texts, size)
            seconds, peak = rated(chosen, file)
            found[size] = {"seconds": round(seconds, 1), "peak_mib": round(peak / 1024)}
            print(f"{size} rows: {seconds:.1f} s, {peak / 1024:.0f} MiB", flush=True)
    small, large = (found[size]["peak_mib"] for size in SIZES)
    report = {
        "engine": chosen.engine,
        "format": chosen.format,
        "start_seconds": round(start, 2),
        "rows": found,
        "memory_ratio": round(large / small, 3),
    }
    Path("benchmarks/rate_memory.json").write_text(json.dumps(report, indent=2) + "\n")
    print(
        f"start {start:.2f} s; {SIZES[1]} rows take {large / small:.3f} times the memory of {SIZES[0]}"
    )


def written(file: Path, texts: list[str], rows: int) -> Path:
    """A file of `rows` rows in the format of its ending, written piece by piece."""
    pieces = (range(start, min(start + 100_000, rows)) for start in range(0, rows, 100_000))
    if file.suffix == ".parquet":
        with pq.ParquetWriter(file, pa.schema([("id", pa.int64()), ("text", pa.string())])) as out:
            # As pandas would write it: one row group for up to a million rows.
            for start in range(0, rows, 1_000_000):
                numbers = list(range(start, min(start + 1_000_000, rows)))
                out.write_table(
                    pa.table({"id": numbers, "text": [texts[n % 64] for n in numbers]}), 1_000_000
                )
        return file
    for number, piece in enumerate(pieces):
        frame = pd.DataFrame({"id": piece, "text": [texts[row % 64] for row in piece]})
        with file.open("a", encoding="utf-8", newline="") as out:
            if file.suffix == ".jsonl":
                frame.to_json(out, orient="records", lines=True)
            else:
                divider = "\t" if file.suffix == ".tsv" else ","
                frame.to_csv(out, index=False, header=number == 0, sep=divider, lineterminator="\n")
    return file


def rated(chosen: argparse.Namespace, file: Path) -> tuple[float, int]:
    """Seconds and peak memory (KiB) of the command on `file`, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "jobshift",
        "rate",
        str(file),
        "--quiet",
        "--model",
        chosen.export,
    ]
    command += ["--engine", chosen.engine, "--out", str(file.with_name(f"out{file.suffix}"))]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    scale = 1024 if sys.platform == "darwin" else 1  # bytes there
    return time.perf_counter() - start, used.ru_maxrss // scale


if __name__ == "__main__":
    main()
