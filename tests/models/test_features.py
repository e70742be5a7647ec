"""Outputs of frozen layers: computed once, by one process, and named by all that decides them."""

import os
import time
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from conftest import jobshift

from jobshift.models.features import FEATURES, key, stored


def slow_pid() -> np.ndarray:
    Path("computed", str(os.getpid())).touch()
    time.sleep(0.3)
    return np.array([[os.getpid(), 0.1]])


def fetch(folder: str, results) -> None:
    os.chdir(folder)
    results.put(stored("same", slow_pid).tolist())


def test_an_array_is_computed_once_and_comes_back_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []

    def compute() -> np.ndarray:
        calls.append(1)
        return np.array([[0.1, -2.5], [1e-30, 7.0]], dtype=np.float32)

    first, second = stored("a", compute), stored("a", compute)
    assert len(calls) == 1
    assert first.dtype == np.float32 and first.tobytes() == compute().tobytes()
    assert second.tobytes() == first.tobytes()
    second[0, 0] = 5  # changes the copy of this process alone
    assert stored("a", compute).tobytes() == first.tobytes()


def test_what_failed_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError):
        stored("a", lambda: 1 / 0)
    assert stored("a", lambda: np.ones(2)).tolist() == [1, 1]


def test_two_processes_compute_it_once(tmp_path):
    (tmp_path / "computed").mkdir()
    results = forked.FORKS.Queue()
    processes = [
        forked.FORKS.Process(target=fetch, args=(str(tmp_path), results)) for _ in range(2)
    ]
    for each in processes:
        each.start()
    found = [results.get(timeout=60) for _ in processes]
    for each in processes:
        each.join()
    assert found[0] == found[1]
    assert len(list((tmp_path / "computed").iterdir())) == 1


def test_the_key_is_that_of_weights_config_and_inputs():
    torch.manual_seed(0)
    network, array = torch.nn.Linear(2, 3), np.arange(6)
    first = key(network, "{}", [array])
    assert key(network, "{}", [array]) == first
    others = [
        key(network, '{"heads": 2}', [array]),
        key(network, "{}", [array.reshape(2, 3)]),
        key(network, "{}", [array.astype(np.int32)]),
        key(network, "{}", [array[:3], array[3:]]),
    ]
    with torch.no_grad():
        network.bias[0] += 1
    others.append(key(network, "{}", [array]))
    assert len({first, *others}) == 6


def test_runs_of_a_frozen_encoder_share_its_outputs_and_come_to_the_same(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
):
    from jobshift.models import encoder

    computed = []
    outputs = encoder.outputs
    monkeypatch.setattr(encoder, "outputs", lambda *given: (computed.append(1), outputs(*given))[1])
    arguments = ["train", "model=minilm_frozen", "encoder.frozen_layers=1", "training.epochs=1"]
    jobshift(*arguments, "output=a")
    jobshift(*arguments, "output=b", "optimizer.lr=1e-3")
    jobshift(*arguments, "output=c")
    assert len(computed) == 1 and len(list(FEATURES.glob("*.npy"))) == 1
    weights = [Path(f"{run}/minilm_frozen/purged-0/0/model.safetensors") for run in "abc"]
    assert weights[0].read_bytes() == weights[2].read_bytes() != weights[1].read_bytes()
    # Another thread count may change the last digit, so it has outputs of its own.
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    jobshift(*arguments, "output=d")
    torch.set_num_threads(threads)
    assert len(computed) == 2
