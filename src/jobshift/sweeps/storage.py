"""Where trials are recorded, whose they are, and which of them still live.

A sweep has points 0 … n − 1. A point is one Optuna trial, or several where a process died: the later ones
carry the same point, the same parameters and what was reported so far. Trials wait in Optuna's queue, from
which the storage hands each to one process only. If two processes queue the same point at once, the later
trial gives up. So no process needs to know of the others, and none is in charge.

A process that runs a trial holds a lock on a file of the trial, its mark. The system releases the lock when
the process ends, however it ends. That tells the dead on the same machine or a shared file system at once;
databases have Optuna's heartbeat for the rest. (Optuna's journal has no heartbeat.)
"""

import fcntl
import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from jobshift.errors import JobshiftError
from jobshift.sweeps.options import Config

SWEEPS = Path("sweeps")
# A trial taken from the queue has a mark within milliseconds, unless its process died just then.
UNMARKED_SECONDS = 10


@dataclass
class Point:
    """What became of a point."""

    number: int
    state: str  # open, waiting, running, done, pruned, failed
    trial: FrozenTrial | None  # the one that says so
    attempts: int  # trials of the point whose process died


def folder_of(name: str) -> Path:
    """Where a sweep keeps its trials and its journal."""
    return SWEEPS / name


def quiet() -> None:
    """Keep Optuna from reporting what we report, and from warning of what we use on purpose."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")


class JournalLock:
    """The lock of a journal file, released by the system when its process ends.

    Optuna's own locks are files that a killed process leaves behind: the others then wait for half a
    minute, or (where the path is a relative one, Optuna 5.0.0) for ever.
    """

    def __init__(self, path: Path):
        self.path = path
        self.file = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self.file = self.path.open("a")
        fcntl.lockf(self.file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let it go."""
        self.file.close()


def open_storage(config: Config):
    """The storage: a journal file, a Redis journal or a database."""
    quiet()
    folder = folder_of(config.sweep.name)
    folder.mkdir(parents=True, exist_ok=True)
    url = config.storage
    try:
        if not url:
            lock = JournalLock(folder / "journal.lock")
            backend = optuna.storages.journal.JournalFileBackend(str(folder / "journal.log"), lock)
            return optuna.storages.JournalStorage(backend)
        if url.startswith("redis"):
            backend = optuna.storages.journal.JournalRedisBackend(url)
            return optuna.storages.JournalStorage(backend)
        return optuna.storages.RDBStorage(
            url,
            heartbeat_interval=config.heartbeat_seconds,
            grace_period=4 * config.heartbeat_seconds,
        )
    except Exception as error:  # whatever the driver of a database raises
        place = url.rpartition("@")[2] or folder / "journal.log"
        raise JobshiftError(
            f"the storage {place} cannot be opened ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no reason given'})"
        ) from error


def open_study(config: Config, storage, sampler, pruner, said: dict[str, Any]) -> optuna.Study:
    """Start or continue the sweep's study; JobshiftError where it was started as another one."""
    said = json.loads(json.dumps(said))
    direction = "minimize" if config.sweep.objective == "val_loss" else "maximize"
    study = optuna.create_study(
        study_name=config.sweep.name,
        storage=storage,
        sampler=sampler,
        pruner=pruner,
        direction=direction,
        load_if_exists=True,
    )
    before = study.user_attrs.get("definition")
    if before is None:
        study.set_user_attr("definition", said)
    elif before != said:
        changed = sorted(key for key in {*before, *said} if before.get(key) != said.get(key))
        raise JobshiftError(
            f"the sweep {config.sweep.name} was started with another {', '.join(changed)}; give the new "
            f"one a name of its own (sweep.name=…), or remove the old one "
            f"({config.storage.rpartition('@')[2] or folder_of(config.sweep.name)})"
        )
    return study


def points(study: optuna.Study, number: int, retries: int) -> list[Point]:
    """What became of each of `number` points, and of those beyond that were run all the same."""
    trials: dict[int, list[FrozenTrial]] = {each: [] for each in range(number)}
    for trial in study.get_trials(deepcopy=False):
        point = trial.user_attrs.get("point")
        if point is not None and not trial.user_attrs.get("gave_up"):
            trials.setdefault(point, []).append(trial)
    return [became(point, trials[point], retries) for point in sorted(trials)]


def became(point: int, trials: list[FrozenTrial], retries: int) -> Point:
    """What the trials of one point, in the order they were made, say of it."""
    died = [
        trial
        for trial in trials
        if trial.state == TrialState.FAIL and not trial.user_attrs.keys() & {"error", "interrupted"}
    ]
    for state, name in (
        (TrialState.COMPLETE, "done"),
        (TrialState.PRUNED, "pruned"),
        (TrialState.RUNNING, "running"),
        (TrialState.WAITING, "waiting"),
    ):
        found = [trial for trial in trials if trial.state == state]
        if found:
            return Point(point, name, found[0], len(died))
    wrong = [trial for trial in trials if "error" in trial.user_attrs]
    if wrong or len(died) > retries:
        return Point(point, "failed", wrong[0] if wrong else died[-1], len(died))
    return Point(point, "open", trials[-1] if trials else None, len(died))


def finished(point: Point) -> bool:
    """Whether nothing is left to do for a point."""
    return point.state in ("done", "pruned", "failed")


def queue(study: optuna.Study, point: Point, first: dict[str, Any] | None) -> None:
    """Put a trial of an open point into the queue, as an earlier one left it.

    `first` are the parameters of point 0 where they are not the sampler's to choose.
    """
    attributes: dict[str, Any] = {"point": point.number}
    before = point.trial
    if before is None and point.number == 0 and first is not None:
        study.enqueue_trial(first, user_attrs=attributes)
        return
    whole = before is not None and before.user_attrs.get("suggested", False)
    if before is not None:
        attributes["retries"] = before.number
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            # Of some parameters only, the sampler would draw the others in another order.
            params=before.params if whole else {},
            distributions=before.distributions if whole else {},
            intermediate_values=before.intermediate_values if whole else {},
            # Those of enqueue_trial, which point 0 needs if it died before it had its parameters.
            system_attrs=before.system_attrs if before else {},
            user_attrs=attributes | ({"suggested": True} if whole else {}),
        )
    )


def is_first(study: optuna.Study, trial, number: int) -> bool:
    """Whether `trial` is the one to run its point, not a second one that was queued at the same time."""
    point = trial.user_attrs.get("point")
    if point is None or point >= number:
        return False
    return not any(
        other.number < trial.number
        and other.user_attrs.get("point") == point
        and other.state != TrialState.FAIL
        for other in study.get_trials(deepcopy=False)
    )


@contextmanager
def mark(path: Path) -> Iterator[dict[str, Any]]:
    """Hold the mark `path` of a running trial; yields what its attribute `worker` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            # Unlike flock, such a lock is not inherited by processes that a trial forks.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JobshiftError(
                f"{path} cannot be locked ({error}); put it on a local disk"
            ) from error
        try:
            yield {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "mark": str(path.absolute()),
            }
        finally:
            path.unlink(missing_ok=True)


def is_dead(trial: FrozenTrial) -> bool:
    """Whether the process of a running trial is known to have ended."""
    worker = trial.user_attrs.get("worker")
    if worker is None:
        started = trial.datetime_start
        return started and (datetime.now() - started).total_seconds() > UNMARKED_SECONDS
    same = worker["host"] == socket.gethostname()
    if same and worker["pid"] == os.getpid():
        return False  # a process would always get its own lock
    try:
        with Path(worker["mark"]).open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return same  # elsewhere it says nothing: the file system may not be shared
    except OSError:
        return False
    return True


def bury(study: optuna.Study) -> list[int]:
    """Record trials as failed whose process died, so that their points are open again; their points."""
    optuna.storages.fail_stale_trials(study)
    dead = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if is_dead(trial)
    ]
    buried = []
    for trial in dead:
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            continue  # its worker or another process was faster
        if not trial.user_attrs.get("gave_up"):
            buried.append(trial.user_attrs.get("point"))
            logging.info("trial %s: its process died; it is tried again", buried[-1])
    return buried
