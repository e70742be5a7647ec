"""Pruning after each epoch, without training."""

from types import SimpleNamespace

import optuna
import pytest
import torch

from jobshift.sweeps.options import Pruner, Sweep
from jobshift.sweeps.trials import callbacks


class Hopeless:
    """A trial that the pruner would end after every epoch."""

    number = 0

    def __init__(self, point: int, before: dict[int, float]):
        self.user_attrs, self.reported = {"point": point}, {}
        self.study = SimpleNamespace(trials=[SimpleNamespace(intermediate_values=before)])

    def report(self, value: float, step: int) -> None:
        self.reported[step] = value

    def should_prune(self) -> bool:
        return True


def epoch(trial: Hopeless, number: int, hand_set: bool = True, kind: str = "median") -> None:
    """Let the callbacks of a trial see the end of an epoch."""
    sweep = Sweep(name="s", model="lstm", pruner=Pruner(kind), hand_set=hand_set)
    config = SimpleNamespace(model=SimpleNamespace(kind="lstm"))
    trainer = SimpleNamespace(
        current_epoch=number, callback_metrics={"val_cohen_kappa": torch.tensor(0.25)}
    )
    for each in callbacks(trial, sweep, config):
        each.on_validation_end(trainer, None)


def test_a_trial_reports_how_many_epochs_it_has_trained_and_ends():
    trial = Hopeless(1, {})
    with pytest.raises(optuna.TrialPruned):
        epoch(trial, 0)
    assert trial.reported == {1: 0.25}


def test_the_hand_set_trial_reports_but_is_never_pruned():
    trial = Hopeless(0, {})
    epoch(trial, 0)
    assert trial.reported == {1: 0.25}
    with pytest.raises(optuna.TrialPruned):
        epoch(Hopeless(0, {}), 0, hand_set=False)


def test_what_was_reported_before_a_crash_is_not_reported_again():
    trial = Hopeless(1, {1: 0.5})
    epoch(trial, 0)
    assert trial.reported == {}
    with pytest.raises(optuna.TrialPruned):
        epoch(trial, 1)


def test_without_a_pruner_nothing_is_reported():
    trial = Hopeless(1, {})
    epoch(trial, 0, kind="none")
    assert trial.reported == {}
