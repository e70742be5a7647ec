"""Points, queue and marks: who runs what, and who is dead."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from jobshift.errors import JobshiftError
from jobshift.sweeps.options import Config, Parameter, Sweep
from jobshift.sweeps.samplers import PointSampler
from jobshift.sweeps.space import suggest
from jobshift.sweeps.storage import (
    bury,
    is_first,
    mark,
    open_storage,
    open_study,
    points,
    queue,
    quiet,
)

HOLD = """
import sys, time
from jobshift.sweeps.storage import mark
from pathlib import Path
with mark(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
DIE = """
import os, signal, sys
from pathlib import Path
from jobshift.sweeps.storage import JournalLock
JournalLock(Path(sys.argv[1])).acquire()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def study() -> optuna.Study:
    quiet()
    return optuna.create_study(direction="maximize")


def states(study: optuna.Study, number: int = 3) -> list[str]:
    return [point.state for point in points(study, number, retries=2)]


def put(study: optuna.Study, point: int) -> optuna.Trial:
    """Queue a point and take it."""
    queue(study, points(study, 3, 2)[point], None)
    trial = study.ask()
    assert trial.user_attrs["point"] == point
    return trial


def test_the_states_of_a_point(study: optuna.Study):
    assert states(study) == ["open", "open", "open"]
    queue(study, points(study, 3, 2)[0], None)
    assert states(study) == ["waiting", "open", "open"]
    first = study.ask()
    assert states(study) == ["running", "open", "open"]
    study.tell(first, 0.5)
    second, third = put(study, 1), put(study, 2)
    study.tell(second, state=TrialState.PRUNED)
    third.set_user_attr("error", "it diverged")
    study.tell(third, state=TrialState.FAIL)
    assert states(study) == ["done", "pruned", "failed"]


def test_a_dead_trial_is_queued_again_with_its_parameters_and_values(study: optuna.Study):
    first = put(study, 1)
    chosen = first.suggest_float("x", 0, 1)
    first.set_user_attr("suggested", True)
    first.report(0.25, 1)
    study.tell(first, state=TrialState.FAIL)
    again = put(study, 1)
    assert again.number != first.number
    assert again.suggest_float("x", 0, 1) == chosen
    assert again.study.trials[again.number].intermediate_values == {1: 0.25}
    assert points(study, 3, 2)[1].attempts == 1


@pytest.mark.parametrize("kind", ["random", "qmc", "tpe"])
def test_a_trial_that_died_between_two_parameters_draws_them_as_if_it_had_not(kind: str):
    space = {key: Parameter("float", 0, 1) for key in "abc"}
    quiet()
    died, fresh = (optuna.create_study(sampler=PointSampler(kind, 0, list(space))) for _ in "12")
    queue(died, points(died, 1, 2)[0], None)
    trial = died.ask()
    trial.suggest_float("a", 0, 1)
    died.tell(trial, state=TrialState.FAIL)
    for each in (died, fresh):
        queue(each, points(each, 1, 2)[0], None)
    assert suggest(died.ask(), space) == suggest(fresh.ask(), space)


def test_a_point_whose_processes_die_again_and_again_is_given_up(study: optuna.Study):
    for _ in range(3):
        study.tell(put(study, 0), state=TrialState.FAIL)
    assert states(study)[0] == "failed"


def test_an_interruption_does_not_count_as_a_death(study: optuna.Study):
    for _ in range(5):
        trial = put(study, 0)
        trial.set_user_attr("interrupted", True)
        study.tell(trial, state=TrialState.FAIL)
    assert states(study)[0] == "open"


def test_of_two_trials_of_a_point_the_later_gives_up(study: optuna.Study):
    # Two processes see point 0 open at the same time.
    seen = points(study, 3, 2)[0]
    queue(study, seen, None)
    queue(study, seen, None)
    first, second = study.ask(), study.ask()
    assert is_first(study, first, 3) and not is_first(study, second, 3)
    # A point beyond the number of trials, and a trial that was not queued, are nobody's.
    assert not is_first(study, first, 0)
    assert not is_first(study, study.ask(), 3)


def test_hand_set_parameters_go_to_point_0(study: optuna.Study):
    queue(study, points(study, 3, 2)[0], {"x": 0.125})
    trial = study.ask()
    study.tell(trial, state=TrialState.FAIL)  # dead before it had its parameters
    queue(study, points(study, 3, 2)[0], {"x": 0.125})
    assert study.ask().suggest_float("x", 0, 1) == 0.125


def test_the_mark_of_a_living_process_is_held_and_that_of_a_killed_one_is_not(
    study: optuna.Study, tmp_path: Path
):
    file = tmp_path / "running" / "0"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    trial = put(study, 0)
    with mark(tmp_path / "own") as own:
        trial.set_user_attr("worker", {**own, "pid": holder.pid, "mark": str(file)})
    assert bury(study) == []
    with pytest.raises(JobshiftError, match="cannot be locked"), mark(file):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert bury(study) == [0]
    assert states(study) == ["open", "open", "open"]


def test_a_process_killed_while_it_wrote_to_the_journal_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    config = Config(sweep=Sweep(name="s", model="m"))
    open_study(config, open_storage(config), None, None, {})
    killed = subprocess.run([sys.executable, "-c", DIE, "sweeps/s/journal.lock"], check=False)
    assert killed.returncode == -signal.SIGKILL
    started = time.monotonic()
    open_study(config, open_storage(config), None, None, {}).set_user_attr("x", 1)
    assert time.monotonic() - started < 2


def test_a_trial_on_another_machine_is_left_alone(study: optuna.Study, tmp_path: Path):
    trial = put(study, 0)
    trial.set_user_attr(
        "worker", {"host": "elsewhere", "pid": 1, "mark": str(tmp_path / "not_shared")}
    )
    assert bury(study) == []


def test_a_trial_that_never_got_a_mark_is_dead_after_a_while(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
):
    put(study, 0)
    assert bury(study) == []
    monkeypatch.setattr("jobshift.sweeps.storage.UNMARKED_SECONDS", 0)
    time.sleep(0.01)
    assert bury(study) == [0]


def test_a_database_has_a_heartbeat_and_a_bad_url_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    config = Config(sweep=Sweep(name="s", model="m"), storage="sqlite:///sweeps.db")
    assert open_storage(config).get_heartbeat_interval() == 15
    config.storage = "postgresql://me:secret@nowhere.invalid/sweeps"
    with pytest.raises(JobshiftError, match="nowhere.invalid/sweeps cannot be opened") as said:
        open_storage(config)
    assert "secret" not in str(said.value)


def test_a_sweep_that_is_continued_as_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    config = Config(sweep=Sweep(name="s", model="m"))
    open_study(config, open_storage(config), None, None, {"seed": 0, "space": {"x": 1}})
    open_study(config, open_storage(config), None, None, {"seed": 0, "space": {"x": 1}})
    with pytest.raises(JobshiftError, match="sweep s was started with another space; .*sweeps/s"):
        open_study(config, open_storage(config), None, None, {"seed": 0, "space": {"x": 2}})
