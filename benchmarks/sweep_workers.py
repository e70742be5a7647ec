"""What a second worker gains, what a trial costs beside its training, and whether kills change a sweep.

    python benchmarks/sweep_workers.py [--trials 8] [--repeats 2] [--epochs 2] [--share 0.25]

One sweep of small LSTM trials (random sampler, no pruner) on the prepared data, again and again from
nothing, one thread a worker: with 1 worker, the same command once more when nothing is left to do, the same
training runs one after another in a process without a sweep, with 2 workers. The overhead of a trial is what
the sweep takes beyond its start and those runs, divided by the trials. Last, with 2 workers, it is killed
with SIGKILL at five random times (seeded) and continued to its end. All must give the same trials.csv.

Works in a temporary copy of the study's configuration, on its data; run the stages prepare and tokenize first.
Nothing else should run. Writes benchmarks/sweep_workers.json.
"""

import argparse
import json
import os
import platform
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

NAME = "workers"
TABLE = Path("reports/sweeps", NAME, "trials.csv")
SWEEP = ["sweep", f"sweep={NAME}", "figures=false", "threads=1"]
KILLS = 5
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}


def sweep_file(trials: int, epochs: int, share: float) -> dict:
    """The sweep: trials that differ in what does not change how long they take."""
    return {
        "name": NAME,
        "model": "lstm",
        "data": "onet",
        "sampler": "random",
        "pruner": {"kind": "none"},
        "trials": trials,
        "hand_set": False,
        "fixed": {"training.epochs": epochs, "training.patience": epochs, "train_share": share},
        "space": {
            "optimizer.lr": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True},
            "lstm.dropout": {"type": "float", "low": 0.1, "high": 0.5},
        },
    }


def study(folder: Path, sweep: dict) -> None:
    """A study in `folder` with this one's configuration and data."""
    shutil.copytree("conf", folder / "conf")
    shutil.copyfile("params.yaml", folder / "params.yaml")
    (folder / "data").mkdir()
    for name in ("prepared", "raw", "tokens"):
        (folder / "data" / name).symlink_to(Path("data", name).absolute())
    (folder / "conf" / "sweep" / f"{NAME}.yaml").write_text(yaml.safe_dump(sweep))


def python(*arguments: str) -> str:
    """What a Python process that must succeed prints."""
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(ended.stderr)
    return ended.stdout


def seconds_of_sweep(workers: int) -> float:
    """Wall time of `jobshift sweep`, which starts anew or continues."""
    start = time.perf_counter()
    python("-m", "jobshift", *SWEEP, f"workers={workers}")
    return time.perf_counter() - start


def clear() -> None:
    """Forget the sweep and all that it left."""
    for name in ("sweeps", "checkpoints", "reports"):
        shutil.rmtree(name, ignore_errors=True)


def bare() -> None:
    """Train what the trials trained, by the commands they left, and print the seconds of all together."""
    import torch

    from jobshift.stages import train
    from jobshift.sweeps.configs import training_config

    torch.set_num_threads(1)
    files = sorted(Path("sweeps", NAME, "trials").glob("*/command.txt"))
    # A command is OMP_NUM_THREADS=1 jobshift train KEY=VALUE …
    configs = [training_config(shlex.split(file.read_text())[3:]) for file in files]
    start = time.perf_counter()
    for config in configs:
        train.run(config)
    print(time.perf_counter() - start)


def kill_after(seconds: float) -> bool:
    """Start the sweep with 2 workers and kill all of its processes after `seconds`; whether it still ran."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jobshift", *SWEEP, "workers=2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its own process group, with the workers
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def finished() -> int:
    """How many trials have written their run."""
    return len(list(Path("sweeps", NAME, "trials").glob("*/lstm/*/run.json")))


def measure(trials: int, repeats: int, seed: int) -> dict:
    """All measurements, in the working directory's study."""
    times: dict[str, list[float]] = {
        "1 worker": [],
        "nothing to do": [],
        "bare": [],
        "2 workers": [],
    }
    tables = set()

    def note(name: str, seconds: float) -> None:
        times[name].append(seconds)
        print(f"{name}: {seconds:.1f} s", flush=True)

    for _ in range(repeats):
        clear()
        note("1 worker", seconds_of_sweep(1))
        tables.add(TABLE.read_bytes())
        note("nothing to do", seconds_of_sweep(1))
        note("bare", float(python(__file__, "--bare").splitlines()[-1]))
        clear()
        note("2 workers", seconds_of_sweep(2))
        tables.add(TABLE.read_bytes())
    clear()
    # From the moment that the sweep is loaded; so early that all of them together do not come to its end.
    first = min(times["nothing to do"])
    training = min(times["bare"]) / 2
    last = max(first, min(times["2 workers"]) - training) + training / KILLS
    chance = random.Random(seed)
    kills, done = [], []
    for _ in range(KILLS):
        seconds = chance.uniform(first, last)
        if not kill_after(seconds):
            print(f"the sweep ended before {seconds:.1f} s, so it is not killed again", flush=True)
            break
        kills.append(seconds)
        done.append(finished())
        print(f"killed after {seconds:.1f} s, {done[-1]} of {trials} trials done", flush=True)
    python("-m", "jobshift", *SWEEP, "workers=2")
    killed = TABLE.read_bytes()
    attempts = pd.read_csv(TABLE.with_name("costs.csv"))["attempts"]
    one, idle, alone, two = times.values()
    gains = [a / b for a, b in zip(one, two, strict=True)]
    overheads = [(a - b - c) / trials for a, b, c in zip(one, idle, alone, strict=True)]
    return {
        "seconds": {name: [round(each, 1) for each in found] for name, found in times.items()},
        "2 workers are so many times as fast as 1": round(statistics.median(gains), 2),
        "overhead_of_a_trial_seconds": round(statistics.median(overheads), 2),
        "killed_after_seconds": [round(each, 1) for each in kills],
        "trials_done_when_killed": done,
        "attempts_that_died": int(attempts.sum()) - trials,
        "undisturbed_tables_are_the_same": len(tables) == 1,
        "killed_table_is_the_same": tables == {killed},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.25, help="of the training tasks")
    parser.add_argument("--seed", type=int, default=0, help="of the times of the kills")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        bare()
        return
    os.environ.update(ENVIRONMENT)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        study(Path(folder), sweep_file(chosen.trials, chosen.epochs, chosen.share))
        os.chdir(folder)
        try:
            found = measure(chosen.trials, chosen.repeats, chosen.seed)
        finally:
            os.chdir(here)
    report = {
        "trials": chosen.trials,
        "epochs": chosen.epochs,
        "train_share": chosen.share,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        **found,
    }
    Path("benchmarks/sweep_workers.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
