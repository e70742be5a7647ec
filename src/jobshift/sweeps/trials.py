"""One trial: a training run for each seed, judged by validation alone.

A trial of point k writes to sweeps/<name>/trials/<k>/: config.yaml (all of the run's options), command.txt
(what repeats it) and one training run a seed, as `jobshift train` writes it.
"""

import json
import logging
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from omegaconf import OmegaConf

from jobshift.config import RunConfig
from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file
from jobshift.stages import train
from jobshift.sweeps.configs import command, overrides, training_config
from jobshift.sweeps.options import Sweep
from jobshift.sweeps.space import suggest
from jobshift.sweeps.storage import folder_of


def run_trial(trial: optuna.Trial, sweep: Sweep, threads: int) -> float:
    """Train a trial of each seed; the mean over the seeds of the best validation value.

    Raises TrialPruned where the pruner ends it, JobshiftError where training fails.
    """
    started = time.monotonic()
    point = trial.user_attrs["point"]
    chosen = suggest(trial, sweep.space)
    trial.set_user_attr("suggested", True)
    folder = folder_of(sweep.name) / "trials" / str(point)
    repeats = folder_of(sweep.name) / "repeats" / str(point)
    commands = [
        command(overrides(sweep, chosen, seed, str(repeats)), threads) for seed in sweep.seeds
    ]
    logging.info("trial %d: %s", point, commands[0])
    values = []
    try:
        for position, seed in enumerate(sweep.seeds):
            config = training_config(overrides(sweep, chosen, seed, str(folder)))
            if position == 0:
                write_text(folder / "command.txt", "".join(f"{each}\n" for each in commands))
                write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))
            if not (trial.user_attrs.get("retries") is not None and is_finished(config)):
                with wandb_run(sweep.name, f"{sweep.name}-{point}-seed{seed}"):
                    train.run(config, callbacks(trial, sweep, config) if position == 0 else ())
            values.append(best_value(config, sweep.objective))
    except optuna.TrialPruned:
        shutil.rmtree(train.CHECKPOINTS / config.output, ignore_errors=True)
        raise
    finally:
        trial.set_user_attr("seconds", round(time.monotonic() - started, 3))
        trial.set_user_attr("threads", threads)
        trial.set_user_attr("commands", commands)
    trial.set_user_attr("values", values)
    return float(np.mean(values))


def write_text(path: Path, text: str) -> None:
    """Write a small file as a whole."""
    with complete_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def wandb_run(group: str, name: str):
    """Give W&B's run of this trial its group and its name, as variables that W&B itself knows."""
    kept = {key: os.environ.get(key) for key in ("WANDB_RUN_GROUP", "WANDB_NAME")}
    os.environ.update(WANDB_RUN_GROUP=group, WANDB_NAME=name)
    try:
        yield
    finally:
        for key, value in kept.items():
            os.environ.pop(key)
            if value is not None:
                os.environ[key] = value


def callbacks(trial: optuna.Trial, sweep: Sweep, config: RunConfig) -> list:
    """The pruning callback of a network; nothing for other models."""
    if config.model.kind not in train.NETWORKS or sweep.pruner.kind == "none":
        return []
    from pytorch_lightning import Callback

    class Pruning(Callback):
        """Report the objective after each epoch, and end the trial where the pruner says so.

        Optuna's own callback (optuna-integration 5.0.0) is a callback of the package `lightning`; the
        Trainer of the package `pytorch_lightning`, which we use, refuses it.
        """

        def on_validation_end(self, trainer, module) -> None:
            epochs = trainer.current_epoch + 1
            # What a resumed trial has reported before, or another fold.
            if epochs in reported:
                return
            reported.add(epochs)
            trial.report(trainer.callback_metrics[sweep.objective].item(), epochs)
            # The hand-set model is what the others are measured by.
            if trial.should_prune() and not (sweep.hand_set and trial.user_attrs["point"] == 0):
                raise optuna.TrialPruned

    reported = set(trial.study.trials[trial.number].intermediate_values)
    return [Pruning()]


def run_folder(config: RunConfig) -> Path:
    """Where a training run is written."""
    return Path(config.output, config.model.name, train.run_name(config, config.seed))


def is_finished(config: RunConfig) -> bool:
    """Whether this very run is there as a whole: its process died before it could say so."""
    file = run_folder(config) / "run.json"
    options = json.loads(json.dumps(train.recorded(config)))
    return file.is_file() and json.loads(file.read_text()) == options


def best_value(config: RunConfig, objective: str) -> float:
    """The objective of a finished run: the best epoch of each fold in history.csv, meaned over folds.

    A model without epochs is judged by its predictions of the validation part.
    """
    history = run_folder(config) / "history.csv"
    if not history.is_file():
        return predicted_value(config, objective)
    found = pd.read_csv(history).dropna(subset=objective).groupby("fold")[objective]
    best = found.min() if objective == "val_loss" else found.max()
    if best.empty or best.isna().any():
        raise JobshiftError(f"{history} has no {objective}, so the trial cannot be judged")
    return float(best.mean())


def predicted_value(config: RunConfig, objective: str) -> float:
    """The objective from predictions of the validation part, rounded as in a history."""
    predictions = pd.read_parquet(run_folder(config) / "predictions.parquet")
    values = []
    for fold, rows in predictions[predictions["part"] == "val"].groupby("fold"):
        file = train.PREPARED / config.data.name / config.split / str(fold) / "val.parquet"
        labelled = pd.read_parquet(file).set_index("id").loc[rows["id"]].reset_index()
        values.append(float(measured(config, objective, rows, labelled)))
    return round(float(np.mean(values)), 6)


def measured(
    config: RunConfig, objective: str, rows: pd.DataFrame, labelled: pd.DataFrame
) -> float:
    """The objective of the predictions `rows` of the tasks `labelled`, in the same order.

    As in training: micro-F1 is that of the threshold 0.5. JobshiftError where outputs do not tell it.
    """
    from jobshift.measures import agreement, multilabel
    from jobshift.measures.generation import exact_match

    if config.data.task == "generation":
        if objective != "val_exact_match":
            raise JobshiftError(
                f"{config.model.name} has no {objective}, as it gives no probabilities; choose the "
                "objective val_exact_match"
            )
        return exact_match(rows["output"].tolist(), labelled["target"].tolist()).mean()
    classes = config.data.classes
    shares = rows[[f"p_{name}" for name in classes]].to_numpy()
    if objective == "val_loss":
        targets = train.targets(labelled, config.data, config.loss.targets)
        each = -targets * np.log(np.clip(shares, 1e-12, 1))
        if config.data.task == "multilabel":
            each = (each - (1 - targets) * np.log(np.clip(1 - shares, 1e-12, 1))) / len(classes)
        return np.average(each.sum(axis=1), weights=labelled["weight"])
    if config.data.task == "multilabel":
        reference = multilabel.indicators(labelled["label"], classes)
        if objective == "val_f1_micro":
            return multilabel.f1_micro(multilabel.f1_columns(reference, shares > 0.5).sum(axis=0))
        return multilabel.label_ranking_average_precision(reference, shares).mean()
    number = {name: n for n, name in enumerate(classes)}
    reference, guessed = (
        each.map(number).to_numpy() for each in (labelled["label"], rows["predicted"])
    )
    table = agreement.confusion_table(reference, guessed, len(classes))
    measure = agreement.accuracy if objective == "val_accuracy" else agreement.cohen_kappa
    return measure(table)


def parameters(trial: optuna.trial.FrozenTrial, sweep: Sweep) -> dict[str, Any]:
    """The parameters of a recorded trial in the order of the search space."""
    return {key: trial.params[key] for key in sweep.space if key in trial.params}
