"""The plain loops of tutorials beside jobshift, on the same texts: accuracy and seconds of training.

    python benchmarks/reference_programs.py [--programs lstm_classifier …] [--seeds 1] [--texts N]

Runs each program of examples/reference/ and jobshift's model of the same name in turn, each in a process
of its own, on fold 0 of the purged split of what is prepared here. Run the stages fetch and prepare for
onet and onet_generalize first. Writes benchmarks/reference_programs.json, where programs that are not
run keep what they have, and prints the table of examples/reference/README.md.

- seconds: on both sides the whole loop over the epochs, with the validation after each. Without imports,
  reading, tokenizing, loading pretrained weights, and rating the test. jobshift's include a checkpoint an
  epoch, what frozen layers are run for once, and for generation the outputs that it writes for 200
  validation texts. Its training may stop early, so the number of epochs is given.
- Both read the same files: jobshift in a scratch study whose data/raw and data/prepared are links to
  those here. With --texts, both learn from that many training rows alone, drawn by the seed.
- as_good: jobshift's mean accuracy (or exact match) on the test is at least that of the program;
  times_as_fast is the ratio of the medians of the seconds.
"""

import argparse
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from types import SimpleNamespace

import pandas as pd
from model_costs import add_time, time_network

import jobshift
from jobshift.config import RunConfig, compose_and_run
from jobshift.errors import JobshiftError
from jobshift.outputs import write_json

HERE = Path(__file__).resolve()
PROGRAMS = HERE.parent.parent / "examples" / "reference"
REPORT = Path("benchmarks/reference_programs.json")
FOLD = Path("purged/0")
# Program → its data set, jobshift's model, and the measure that is compared.
COMPARED = {
    "lstm_classifier": ("onet", "lstm", "test_accuracy"),
    "bert_finetune": ("onet", "minilm", "test_accuracy"),
    "t5_generate": ("onet_generalize", "seq2seq_t5", "test_exact_match"),
}
AT_LEAST = 1.5  # times as fast as the program


def scratch_study(folder: Path, data: str, texts: int | None, seed: int) -> None:
    """Make `folder` a study with the conf, params and data of this one, but no tokens and no models."""
    prepared = Path("data/prepared", data).resolve()
    if not (prepared / FOLD / "train.parquet").is_file():
        raise JobshiftError(
            f"{prepared / FOLD} is missing; run `jobshift prepare data={data}` first"
        )
    (folder / "data" / "prepared").mkdir(parents=True)
    for name in ("conf", "params.yaml", "data/raw"):
        (folder / name).symlink_to(Path(name).resolve())
    own = folder / "data" / "prepared" / data
    if texts is None:
        own.symlink_to(prepared)
        return
    shutil.copytree(prepared, own)
    file = own / FOLD / "train.parquet"
    rows = pd.read_parquet(file)
    rows.sample(min(texts, len(rows)), random_state=seed).sort_index().to_parquet(file, index=False)


def run_in(folder: Path, threads: int, *command: str) -> dict:
    """Run a Python program in `folder`, showing what it prints; its last line, which is JSON."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    # Wherever it starts, the jobshift of this process.
    environment |= {"PYTHONPATH": str(Path(jobshift.__file__).resolve().parents[1])}
    environment |= {"PYTHONUNBUFFERED": "1", "WANDB_MODE": "disabled"}
    last = ""
    with subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            print(f"  {line.rstrip()}", flush=True)
            last = line
    if process.returncode:
        raise JobshiftError(f"{Path(command[0]).name} ended with {process.returncode}, see above")
    return json.loads(last)


def jobshift_side(model: str, data: str, seed: int) -> dict:
    """Train here, in this process and folder: epochs, seconds and the measures on the test."""
    from jobshift.stages import tokenize, train

    chosen = [f"data={data}", f"model={model}", f"seed={seed}", "wandb=disabled"]
    configs: list[RunConfig] = []
    compose_and_run("train", RunConfig, configs.append, chosen)
    (config,) = configs
    if train.reads_tokens(config):
        arguments = [f"data={data}", f"tokenizer={config.tokenizer.name}"]
        compose_and_run("tokenize", tokenize.Config, tokenize.run, arguments)
    spent = SimpleNamespace(seconds=0.0, once=0.0)
    time_network(spent)
    if config.data.task == "generation":
        from jobshift.models import seq2seq

        add_time(spent, seq2seq, "fit")
        config.generation.also = []  # further outputs of the test, which nothing here compares
    train.run(config)
    run = Path(config.output, config.model.name, train.run_name(config, seed))
    found = {
        "epochs": int(pd.read_csv(run / "history.csv")["epoch"].max()) + 1,
        "seconds": spent.seconds + spent.once,
    }
    predictions = pd.read_parquet(run / "predictions.parquet")
    predictions = predictions[predictions["part"] == "test"].set_index("id")
    test = pd.read_parquet(train.PREPARED / data / FOLD / "test.parquet").set_index("id")
    return found | measures(test, predictions.loc[test.index])


def measures(test: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, float]:
    """The measures of the reference programs, of a run's `predictions` of the rows of `test`."""
    if "target" not in test:
        return {"test_accuracy": float((predictions["predicted"] == test["label"]).mean())}
    right = predictions["output"] == test["target"]
    return {
        "test_exact_match": float(right.mean()),
        "test_exact_match_seen": float(right[test["seen"]].mean()),
    }


def compare(program: str, seeds: int, texts: int | None, threads: int) -> dict:
    """Run a program and jobshift's model in turn with each seed; their entry of the report."""
    data, model, measure = COMPARED[program]
    sides: dict[str, dict[str, list[float]]] = {"program": {}, "jobshift": {}}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            scratch_study(folder, data, texts, seed)
            common = ["--data", data, "--seed", str(seed)]
            print(f"{program}, seed {seed}", flush=True)
            theirs = run_in(folder, threads, str(PROGRAMS / f"{program}.py"), *common)
            print(f"jobshift's {model}, seed {seed}", flush=True)
            ours = run_in(folder, threads, str(HERE), "--one", model, *common)
        for side, found in (("program", theirs), ("jobshift", ours)):
            for key in ("epochs", "seconds", *(key for key in ours if key.startswith("test_"))):
                sides[side].setdefault(key, []).append(round(found[key], 4))
    return entry(data, model, measure, theirs["texts"], threads, sides)


def entry(data: str, model: str, measure: str, texts: int, threads: int, sides: dict) -> dict:
    """What the report says of a program, from what was found on both `sides`, a list over seeds each."""
    theirs, ours = sides["program"], sides["jobshift"]
    return {
        "data": data,
        "model": model,
        "measure": measure,
        "texts": texts,
        "threads": threads,
        "machine": platform.machine(),
        "torch": version("torch"),
        **sides,
        "as_good": mean(ours[measure]) >= mean(theirs[measure]),
        "times_as_fast": round(median(theirs["seconds"]) / median(ours["seconds"]), 2),
    }


def table(report: dict) -> str:
    """The Markdown table of examples/reference/README.md; a dash for what is not measured."""
    lines = [
        "| program | jobshift's model | on the test | of the program | of jobshift "
        "| seconds of training, program | jobshift | times as fast | as good, and 1.5 times as fast |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for program, (_, model, measure) in COMPARED.items():
        cells = ["–"] * 6
        if found := report.get(program):
            sides = (found["program"], found["jobshift"])
            reached = found["as_good"] and found["times_as_fast"] >= AT_LEAST
            cells = [
                *(f"{mean(side[measure]):.3f}" for side in sides),
                *(f"{median(side['seconds']):.0f} ({epochs(side)})" for side in sides),
                f"{found['times_as_fast']:.2f}",
                "yes" if reached else "no",
            ]
        name = measure.removeprefix("test_").replace("_", " ")
        lines.append(
            f"| [`{program}.py`]({program}.py) | `{model}` | {name} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def epochs(side: dict) -> str:
    """How many epochs a side took, over the seeds: `5 epochs`, or `3 to 5 epochs`."""
    few, many = min(side["epochs"]), max(side["epochs"])
    return f"{many} epochs" if few == many else f"{few} to {many} epochs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", nargs="+", choices=COMPARED, default=list(COMPARED))
    parser.add_argument("--seeds", type=int, default=1, help="how many: 0, 1, …")
    parser.add_argument("--texts", type=int, help="training rows to learn from; default: all")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all cores")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    try:
        if chosen.one:
            logging.basicConfig(level=logging.INFO, format="  %(message)s")
            print(json.dumps(jobshift_side(chosen.one, chosen.data, chosen.seed)))
            return
        report = json.loads(REPORT.read_text()) if REPORT.is_file() else {}
        for program in chosen.programs:
            found = compare(program, chosen.seeds, chosen.texts, chosen.threads)
            report = {name: report[name] for name in report if name != program} | {program: found}
            write_json({name: report[name] for name in COMPARED if name in report}, REPORT)
        print(table(report))
    except JobshiftError as error:
        sys.exit(f"reference_programs: {error}")


if __name__ == "__main__":
    main()
