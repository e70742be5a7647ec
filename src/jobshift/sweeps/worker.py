"""A worker: takes points of the sweep one after another until none is left.

Workers of one command, of several commands and of several machines do the same; the storage is all that
they share.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import optuna

from jobshift.config import RunConfig
from jobshift.errors import JobshiftError
from jobshift.sweeps import progress
from jobshift.sweeps.configs import checked, definition, most_epochs, own
from jobshift.sweeps.options import Config
from jobshift.sweeps.samplers import PointSampler, pruner
from jobshift.sweeps.storage import (
    Point,
    bury,
    finished,
    folder_of,
    is_first,
    mark,
    open_storage,
    open_study,
    points,
    queue,
)
from jobshift.sweeps.trials import run_trial

# So many trials that end in an error, and none that does not: it is not the parameters.
HOPELESS = 3
WAIT_SECONDS = 0.5


class GaveUp(Exception):
    """Another process runs the point of this trial."""


class Failed(Exception):
    """Training failed with the parameters of this trial; why is among its attributes."""


@dataclass
class Plan:
    """What a worker needs to know."""

    config: Config
    folder: str  # the top of the study
    threads: int
    deadline: float | None = None  # seconds since the epoch; no trial starts later
    tell_progress: bool = False  # where no other process does


def study_of(config: Config, base: RunConfig | None = None) -> optuna.Study:
    """The sweep's study, started or continued; `base` is its training config if that is checked."""
    sweep = config.sweep
    base = base or checked(sweep)
    return open_study(
        config,
        open_storage(config),
        PointSampler(sweep.sampler, sweep.seed, list(sweep.space)),
        pruner(sweep.pruner, most_epochs(sweep, base)),
        definition(sweep, base),
    )


def work(plan: Plan) -> None:
    """Run trials until every point is finished or the time is up."""
    os.chdir(plan.folder)
    config = plan.config
    base = checked(config.sweep)
    study = study_of(config, base)
    set_threads(base, plan.threads)
    first = own(config.sweep, base) if config.sweep.hand_set else None
    while True:
        bury(study)
        state = points(study, config.sweep.trials, config.retries)
        stop_if_hopeless(config, state)
        todo = [point for point in state[: config.sweep.trials] if not finished(point)]
        if not todo or (plan.deadline and time.time() > plan.deadline):
            return
        if not any(point.state == "waiting" for point in todo):
            free = [point for point in todo if point.state == "open"]
            if not free:  # all that is left is being run; its process may yet die
                time.sleep(WAIT_SECONDS)
                continue
            queue(study, free[0], first)
        run_next(study, plan)
        if plan.tell_progress:
            state = points(study, config.sweep.trials, config.retries)
            logging.info(progress.line(config, state))


def set_threads(base: RunConfig, threads: int) -> None:
    """Let PyTorch compute on as many threads; they decide the last digits of its sums."""
    from jobshift.stages.train import NETWORKS

    if base.model.kind in NETWORKS:
        import torch

        torch.set_num_threads(threads)


def stop_if_hopeless(config: Config, state: list[Point]) -> None:
    """JobshiftError where trials fail and none has ever succeeded."""
    failed = [point for point in state if point.state == "failed"]
    if len(failed) >= HOPELESS and not any(point.state in ("done", "pruned") for point in state):
        said = failed[-1].trial.user_attrs.get("error", "its process died again and again")
        raise JobshiftError(
            f"{len(failed)} trials failed and none succeeded, the last with: {said} (mend it and remove "
            f"{config.storage.rpartition('@')[2] or folder_of(config.sweep.name)} to start again)"
        )


def run_next(study: optuna.Study, plan: Plan) -> None:
    """Take the next trial from the queue and run it; one that fails is recorded, and the sweep goes on."""
    config = plan.config
    marks = folder_of(config.sweep.name) / "running"
    held = []

    def objective(trial: optuna.Trial) -> float:
        context = mark(marks / str(trial.number))
        trial.set_user_attr("worker", context.__enter__())
        held.append(context)
        if not is_first(study, trial, config.sweep.trials):
            trial.set_user_attr("gave_up", True)
            raise GaveUp
        try:
            return run_trial(trial, config.sweep, plan.threads)
        except optuna.exceptions.OptunaError:
            raise  # pruned, or taken over
        except Exception as error:  # a choice that a library refuses, or too little memory
            foreseen = isinstance(error, JobshiftError)
            said = str(error) if foreseen else f"{type(error).__name__}: {error}"
            point = trial.user_attrs["point"]
            logging.warning("trial %d failed: %s", point, said, exc_info=not foreseen)
            trial.set_user_attr("error", said)
            raise Failed from error
        except KeyboardInterrupt:
            trial.set_user_attr("interrupted", True)
            raise

    try:
        # A finished training is a cycle of objects, large ones.
        study.optimize(objective, n_trials=1, catch=(Failed, GaveUp), gc_after_trial=True)
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError) as error:
        if "Cannot tell a" not in str(error) and "can not be updated" not in str(error):
            raise
        # This process was silent for so long that another one took the trial over.
        logging.warning("another process has taken a trial over; its result here is dropped")
    finally:
        # Only now: a running trial without a mark would be taken for dead.
        for context in held:
            context.__exit__(None, None, None)


def process(plan: Plan) -> None:
    """`work` as a process of its own; ends when the process that started it does."""
    import multiprocessing
    import sys

    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format=f"[{os.getpid()}] %(message)s")
    try:
        work(plan)
    except JobshiftError as error:
        sys.exit(f"jobshift sweep: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def plan_of(config: Config, threads: int) -> Plan:
    """The plan of a worker that starts now."""
    minutes = config.sweep.minutes
    deadline = time.time() + 60 * minutes if minutes else None
    return Plan(config, str(Path.cwd()), threads, deadline)
