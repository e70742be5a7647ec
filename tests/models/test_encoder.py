"""Freezing, caching and putting together again, on a random BERT of two layers."""

from pathlib import Path

import numpy as np
import pytest
import tiny_study
import torch

from jobshift.errors import JobshiftError
from jobshift.models.encoder import Encoder, FrozenOutputs
from jobshift.models.options import EncoderOptions
from jobshift.models.training import predict
from jobshift.texts.batches import Tokens, sorted_batches

LABELS = ["E0", "E2", "E1"]
TOKENS = Tokens(np.array([2, 7, 3, 2, 8, 9, 10, 3], dtype=np.int32), np.array([0, 3, 8]), 30, 0)
ROWS = np.array([0, 1])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bert")
    tiny_study.encoder(folder)
    return str(folder)


def encoder(path: str, **options) -> Encoder:
    torch.manual_seed(0)
    return Encoder(EncoderOptions(path=path, **options), LABELS)


def test_cached_outputs_give_the_same_predictions(path: str):
    whole = predict(encoder(path), TOKENS, ROWS)
    for count in (1, 2):
        cut = encoder(path, frozen_layers=count, cache_frozen=True)
        cached = FrozenOutputs(cut, TOKENS, sorted_batches(TOKENS.lengths, 2))
        assert predict(cut, cached, ROWS) == pytest.approx(whole, abs=1e-6)


def test_frozen_parts_get_no_gradient(path: str):
    model = encoder(path, frozen_layers=1)
    ids, mask = map(torch.from_numpy, TOKENS.padded(ROWS))
    model(ids, mask).sum().backward()
    moved = {name for name, each in model.named_parameters() if each.grad is not None}
    assert not any("embeddings" in name or "layer.0." in name for name in moved)
    assert any("layer.1." in name for name in moved)


def test_a_cut_model_is_saved_whole(path: str, tmp_path: Path):
    before = predict(encoder(path), TOKENS, ROWS)
    encoder(path, frozen_layers=1, cache_frozen=True).save(tmp_path)
    back = Encoder(EncoderOptions(path=str(tmp_path)), LABELS)
    assert predict(back, TOKENS, ROWS) == pytest.approx(before, abs=1e-6)
    assert path not in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frozen_layers": 3}, "frozen_layers is 3, but the model has 2 layers"),
        ({"cache_frozen": True}, r"cache_frozen needs encoder\.frozen_layers"),
    ],
)
def test_impossible_options_are_refused(path: str, options: dict, said: str):
    with pytest.raises(JobshiftError, match=said):
        encoder(path, **options)


def test_a_model_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(JobshiftError, match=r"encoder\.path: no model .*nowhere"):
        encoder(str(tmp_path / "nowhere"))
