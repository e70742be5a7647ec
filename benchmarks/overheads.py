"""How long it takes before anything happens: stages that start, and `dvc repro` with nothing to do.

    python benchmarks/overheads.py

Run after `make repro`. A stage's start is the whole process that loads it and composes its config
(`--cfg job`), imports included; `dvc repro` is compared with `dvc repro` on a pipeline without stages.
Medians of five. Writes benchmarks/overheads.json.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYTHON = [sys.executable, "-m"]
STAGES = {
    "fetch": ["source=onet_tasks"],
    "sources": [],
    "prepare": [],
    "tokenize": ["tokenizer=minilm"],
    "evaluate": [],
    "aggregate": [],
    "figures": [],
}


def seconds(command: list[str], folder: str = ".") -> float:
    """Median wall time of five runs of `command`, which must succeed."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 2)


def main() -> None:
    starts = {
        verb: seconds([*PYTHON, "jobshift", verb, *arguments, "--cfg", "job"])
        for verb, arguments in STAGES.items()
    }
    idle = seconds([*PYTHON, "dvc", "repro"])
    with tempfile.TemporaryDirectory() as folder:
        for command in (["git", "init", "-q"], [*PYTHON, "dvc", "init", "-q"]):
            subprocess.run(command, cwd=folder, check=True)
        Path(folder, "dvc.yaml").write_text("stages: {}\n")
        empty = seconds([*PYTHON, "dvc", "repro"], folder)
    report = {
        "stage_start_seconds": starts,
        "slowest_start_seconds": max(starts.values()),
        "dvc_repro_nothing_to_do_seconds": idle,
        "dvc_repro_empty_pipeline_seconds": empty,
        "difference_seconds": round(idle - empty, 2),
    }
    Path("benchmarks/overheads.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
