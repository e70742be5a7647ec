"""What a sweep found: reports/sweeps/<name>/ and the tuned model's file.

trials.csv, best.yaml and the tuned model's file say nothing of when and where, so the same finished trials
give the same bytes, whoever ran them in whatever order. What trials cost is in costs.csv.
"""

import fcntl
import logging
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import yaml
from omegaconf import OmegaConf

from jobshift.config import CONF
from jobshift.outputs import complete_file, write_csv, write_json
from jobshift.sweeps import progress
from jobshift.sweeps.configs import command, flat, overrides
from jobshift.sweeps.options import Config, Sweep
from jobshift.sweeps.storage import Point, finished, folder_of, points
from jobshift.sweeps.trials import parameters

REPORTS = Path("reports/sweeps")


def write_report(config: Config, study: optuna.Study) -> None:
    """Write all of the report from the trials finished so far; one process at a time does it."""
    sweep = config.sweep
    ended = [each for each in points(study, sweep.trials, config.retries) if finished(each)]
    folder = REPORTS / sweep.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder_of(sweep.name) / "report.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        trials, costs = trials_table(sweep, ended), costs_table(sweep, ended)
        write_csv(trials, folder / "trials.csv")
        write_csv(costs, folder / "costs.csv")
        leader = progress.best(ended, sweep.objective)
        if leader is None:
            logging.warning("sweep %s: no trial has a value, so there is no best one", sweep.name)
            return
        write_best(sweep, leader, len(ended), folder)
        if config.figures:
            from jobshift.sweeps.figures import draw

            write_json(draw(sweep, ended, trials, costs, folder), folder / "captions.json")


def trials_table(sweep: Sweep, ended: list[Point]) -> pd.DataFrame:
    """One row a finished point: what it was, what it came to; numbers as text, with all their digits."""
    rows = []
    for point in ended:
        trial = point.trial
        values = trial.user_attrs.get("values", []) if point.state == "done" else []
        row: dict[str, Any] = {
            "trial": point.number,
            "state": point.state,
            sweep.objective: f"{trial.value:.6f}" if point.state == "done" else "",
        }
        if len(sweep.seeds) > 1:
            seeds = dict(zip(sweep.seeds, values, strict=False))
            row.update(
                {
                    f"seed_{seed}": f"{seeds[seed]:.6f}" if seed in seeds else ""
                    for seed in sweep.seeds
                }
            )
        row["epochs_reported"] = len(trial.intermediate_values)
        chosen = parameters(trial, sweep)
        row.update({key: shown(chosen[key]) if key in chosen else "" for key in sweep.space})
        row["error"] = trial.user_attrs.get("error", "its process died too often")
        if point.state != "failed":
            row["error"] = ""
        rows.append(row)
    return pd.DataFrame(rows)


def shown(value: Any) -> str:
    """A parameter as text that reads back as the same value."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def costs_table(sweep: Sweep, ended: list[Point]) -> pd.DataFrame:
    """Seconds of each finished point, its last attempt alone; they differ from run to run."""
    rows = [
        {
            "trial": point.number,
            "state": point.state,
            "seconds": float(point.trial.user_attrs.get("seconds", "nan")),
            "threads": point.trial.user_attrs.get("threads", ""),
            "attempts": point.attempts + (point.state != "failed" or not point.attempts),
        }
        for point in ended
    ]
    return pd.DataFrame(rows)


def write_best(sweep: Sweep, leader: Point, trials: int, folder: Path) -> None:
    """best.yaml, and conf/model/<model>_tuned.yaml for the study to select."""
    chosen = parameters(leader.trial, sweep)
    repeats = f"{folder_of(sweep.name)}/repeats/{leader.number}"
    threads = leader.trial.user_attrs.get("threads", 1)
    best = {
        "sweep": sweep.name,
        "trial": leader.number,
        "of": trials,
        "objective": sweep.objective,
        "value": round(leader.trial.value, 6),
        "seeds": list(sweep.seeds),
        "parameters": chosen,
        "tuned_model": tuned_name(sweep),
        "commands": [
            command(overrides(sweep, chosen, seed, repeats), threads) for seed in sweep.seeds
        ],
    }
    write_yaml(best, folder / "best.yaml", [])
    note = [
        f"{CONF / 'model' / sweep.model}.yaml as the sweep {sweep.name} tuned it: trial {leader.number} of "
        f"{trials}, {sweep.objective} {leader.trial.value:.4f}.",
        "Written by `jobshift sweep`, which overwrites it.",
    ]
    write_yaml(
        tuned_model(sweep, chosen),
        CONF / "model" / f"{tuned_name(sweep)}.yaml",
        ["@package _global_", *note],
    )


def tuned_name(sweep: Sweep) -> str:
    """What the tuned model is called."""
    return f"{sweep.model.removesuffix('_tuned')}_tuned"


def tuned_model(sweep: Sweep, chosen: dict[str, Any]) -> dict[str, Any]:
    """The whole recipe: the model's file with the fixed options and the parameters `chosen` in it.

    Options outside of a section (such as train_share) belong to the sweep and not to the recipe.
    """
    file = CONF / "model" / f"{sweep.model}.yaml"
    recipe: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    for path, value in {**flat(sweep.fixed), **chosen}.items():
        *sections, key = path.split(".")
        if not sections:
            continue
        inside = recipe
        for name in sections:
            inside = inside.setdefault(name, {})
        inside[key] = value
    recipe["model"]["name"] = tuned_name(sweep)
    return recipe


class Plain(yaml.SafeDumper):
    """YAML without anchors."""

    def ignore_aliases(self, data) -> bool:
        """Write repeated values out."""
        return True


def write_yaml(content: dict[str, Any], path: Path, comments: list[str]) -> None:
    """Write `content` in its own order under lines of comment."""
    text = "".join(f"# {line}\n" for line in comments)
    text += yaml.dump(content, Dumper=Plain, sort_keys=False, allow_unicode=True, width=10_000)
    with complete_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
