"""The options of a sweep, each documented where it is declared; `conf/sweep.yaml` and `conf/sweep/*.yaml`.

A file of `conf/sweep/` says what is searched and how. The primary config says where its trials run and
where they are recorded: that changes no result.
"""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from jobshift.config import Study


@dataclass
class Parameter:
    """One dimension of the search space; its key is the path of a training option."""

    type: str = MISSING  # float, int, categorical
    low: float | None = None
    high: float | None = None  # inclusive
    log: bool = False  # search the logarithm evenly; low must be above 0
    step: float | None = None  # only every step-th value from low; not together with log
    choices: list[Any] = field(default_factory=list)
    # Other parameter → its values under which this one exists; elsewhere the model's file decides.
    when: dict[str, Any] = field(default_factory=dict)


@dataclass
class Pruner:
    """How hopeless trials are ended early, by the objective after each epoch of their first seed."""

    kind: str = "none"  # none, median, successive_halving, hyperband
    min_epochs: int = 1  # no trial ends before it has trained so long
    reduction: int = 3  # halving and hyperband: one in so many goes on
    warmup_trials: int = 5  # median: so many finish before any is ended


@dataclass
class Sweep:
    """What is searched and how; `conf/sweep/NAME.yaml`."""

    name: str = MISSING  # of its folder, its Optuna study and its group in W&B
    model: str = MISSING  # conf/model/
    data: str = ""  # conf/data/; empty: that of params.yaml
    space: dict[str, Parameter] = field(default_factory=dict)
    # Training options of every trial, such as {training.epochs: 8}.
    fixed: dict[str, Any] = field(default_factory=dict)
    objective: str = "val_cohen_kappa"  # or val_accuracy, val_loss
    sampler: str = "tpe"  # tpe, random, qmc (Sobol)
    seed: int = 0  # of the sampler
    pruner: Pruner = field(default_factory=Pruner)
    trials: int = 20
    minutes: float = 0  # no trial starts later than this after the command; 0: no limit
    seeds: list[int] = field(
        default_factory=lambda: [0]
    )  # of training; the objective is their mean
    hand_set: bool = True  # trial 0 is the model's file as it is


@dataclass
class RayOptions:
    """Where the workers of `launcher=ray` run."""

    address: str = "none"  # none: a cluster of this command's own; auto or HOST:PORT: one that runs


@dataclass
class SubmititOptions:
    """The jobs of `launcher=submitit`."""

    cluster: str = "slurm"  # slurm; local (processes) and debug (this process) to try it out
    partition: str = ""
    minutes: int = 240  # limit of a job
    memory_gb: int = 8
    setup: list[str] = field(default_factory=list)  # shell lines before a job, to load modules


@dataclass
class Config:
    """Schema of `conf/sweep.yaml`."""

    sweep: Sweep = MISSING
    launcher: str = "local"  # local, ray, submitit
    workers: int = 1
    threads: int = 0  # of a worker; 0: the cores (or OMP_NUM_THREADS) divided among the workers
    storage: str = ""  # a URL of Optuna; empty: the file sweeps/<name>/journal.log
    heartbeat_seconds: int = 15  # of databases; a worker silent for four of them is dead
    retries: int = 10  # how often a trial is tried again whose process died
    progress_seconds: int = 15  # between two lines of progress
    figures: bool = True  # draw them at the end
    ray: RayOptions = field(default_factory=RayOptions)
    submitit: SubmititOptions = field(default_factory=SubmititOptions)
    study: Study = MISSING
