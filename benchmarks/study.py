"""How long the default study takes from a warm `.venv`, and how much memory its largest process needs.

    python benchmarks/study.py FOLDER

Clones this repository's committed state into FOLDER (which must not exist), runs `dvc repro` there with
nothing cached, and checks that the lock file and the reports come out as they are committed. Writes
benchmarks/study.json.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    subprocess.run(["git", "clone", "-q", ".", str(folder)], check=True)
    # Reports that are there would spare DVC the stages that make them.
    (folder / "dvc.lock").unlink()
    shutil.rmtree(folder / "reports")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str((folder / "src").resolve())}
    start = time.perf_counter()
    log, last, stage, spent = [], start, None, {}
    process = subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        log.append(line)
        if found := re.match(r"Running stage '([^']+)'", line):
            now = time.perf_counter()
            spent[stage] = now - last
            last, stage = now, found[1]
            print(f"{now - start:6.0f} s  {stage}", flush=True)
    spent[stage] = time.perf_counter() - last
    spent.pop(None, None)
    total = time.perf_counter() - start
    if process.wait():
        sys.exit("".join(log[-40:]))
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    report = {
        "seconds": round(total),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
        "seconds_by_stage": {name: round(each, 1) for name, each in spent.items()},
        "files_that_differ_from_the_commit": [line[3:] for line in changed if line],
    }
    Path("benchmarks/study.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
