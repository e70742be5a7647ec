"""The committed reports are what the stages made: each has the hash that the lock file of its run records."""

import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parent.parent
# Studies beside the default one, as the Makefile lists them.
STUDIES = re.search(r"STUDIES := (.*)", (ROOT / "Makefile").read_text())[1].split()
# Lock file → where the reports of its run lie.
RUNS = {"dvc.lock": ROOT / "reports"} | {
    f"reports/{name}/dvc.lock": ROOT / "reports" / name for name in STUDIES
}


def md5(path: Path) -> str:
    """The hash of a file, or of a folder, as DVC computes it."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    files = sorted(each for each in path.rglob("*") if each.is_file())
    listed = [{"md5": md5(each), "relpath": each.relative_to(path).as_posix()} for each in files]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


@pytest.mark.parametrize("lock", RUNS)
def test_every_report_is_the_one_that_its_stage_made(lock: str):
    stages = yaml.safe_load((ROOT / lock).read_text())["stages"]
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    reports = [out for out in outs if out["path"].startswith("reports/")]
    assert len(reports) > 40
    for out in reports:
        made = RUNS[lock] / Path(out["path"]).relative_to("reports")
        assert md5(made) == out["md5"], made


@pytest.mark.parametrize("folder", RUNS.values())
def test_no_report_is_there_that_no_stage_made(folder: Path):
    lock = ROOT / next(name for name, place in RUNS.items() if place == folder)
    stages = yaml.safe_load(lock.read_text())["stages"]
    made = [Path(out["path"]) for stage in stages.values() for out in stage.get("outs", [])]
    written = {
        "paper.typ",
        "numbers.typ",
        "layout.typ",
        "references.bib",
        "params.yaml",
        "dvc.lock",
        "costs.csv",  # measured by benchmarks/model_costs.py
        "verification.json",  # written by jobshift verify
        "verification.md",
    }
    for file in folder.rglob("*"):
        path = Path("reports") / file.relative_to(folder)
        if file.is_dir() or path.parts[1] in {*STUDIES, "sweeps", *written}:
            continue
        assert any(path == out or out in path.parents for out in made), file


@pytest.mark.parametrize("file", sorted((ROOT / "reports" / "sweeps").glob("*/best.yaml")))
def test_a_tuned_model_is_the_best_trial_of_its_sweep(file: Path):
    best = yaml.safe_load(file.read_text())
    sweep = yaml.safe_load((ROOT / "conf" / "sweep" / f"{best['sweep']}.yaml").read_text())
    trials = pd.read_csv(file.parent / "trials.csv").set_index("trial")
    assert len(trials) == best["of"] == sweep["trials"] >= 20
    values = trials[best["objective"]]
    assert best["value"] == values.max() == values[best["trial"]]
    # Trial 0 is the model's file as it was set by hand.
    assert values.max() >= values[0]
    tuned = yaml.safe_load((ROOT / "conf" / "model" / f"{best['tuned_model']}.yaml").read_text())
    for path, value in best["parameters"].items():
        section, key = path.split(".")
        assert tuned[section][key] == value == type(value)(trials[path][best["trial"]]), path


def test_there_is_a_sweep():
    assert list((ROOT / "reports" / "sweeps").glob("*/best.yaml"))
