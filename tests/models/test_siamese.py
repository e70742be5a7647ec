"""The siamese encoder: pairs as inputs, the comparison by hand, saving, training; on a random BERT."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_encoders
import tiny_study
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.models.encoder import FrozenOutputs
from jobshift.models.options import (
    EncoderOptions,
    LoraOptions,
    LossOptions,
    OptimizerOptions,
    ScratchOptions,
    SiameseOptions,
    TokenizerOptions,
    TrainingOptions,
)
from jobshift.models.siamese import Siamese, TextPairs, text_pairs
from jobshift.models.training import Labelled, fit, predict
from jobshift.texts.batches import Tokens, sorted_batches
from jobshift.texts.tokenizer import load_tokenizer

LABELS = ["other", "same"]
# Three texts of 3, 5 and 2 tokens, and four pairs of them.
TEXTS = Tokens(
    np.array([2, 7, 3, 2, 8, 9, 10, 3, 2, 3], dtype=np.int32), np.array([0, 3, 8, 10]), 30, 0
)
PAIRS = TextPairs(TEXTS, np.array([0, 1, 0, 2]), np.array([1, 2, 2, 0]))
ROWS = np.arange(4)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bert")
    tiny_study.encoder(folder)
    return str(folder)


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("modernbert")
    tiny_encoders.modernbert(folder, vocabulary=30)
    return str(folder)


def siamese(path: str, lora=None, symmetric=True, hidden=8, dropout=0.1, **encoder) -> Siamese:
    torch.manual_seed(0)
    options = SiameseOptions(symmetric, hidden, dropout)
    return Siamese(options, EncoderOptions(path=path, **encoder), LABELS, lora)


def frame(*pairs: tuple[str, str | None]) -> pd.DataFrame:
    rows = pd.DataFrame(pairs, columns=["text", "text_pair"])
    return rows.assign(id=[f"p{number}" for number in range(len(rows))])


def test_each_distinct_text_is_there_once(path: str):
    tokenizer = load_tokenizer(TokenizerOptions("t", path))
    pairs = text_pairs(
        tokenizer, frame(("paint maps", "carry pipes at night"), ("draft", "paint maps"), ("", ""))
    )
    # In order: the empty text, carry …, draft, paint …
    assert pairs.first.tolist() == [3, 2, 0] and pairs.second.tolist() == [1, 3, 0]
    # [CLS] and [SEP] with 0, 4, 1 and 2 words; of each pair the longer one.
    assert pairs.texts.lengths.tolist() == [2, 6, 3, 4] and pairs.lengths.tolist() == [6, 4, 2]
    ids, mask = pairs.padded(np.array([1, 2]))
    number = tokenizer.token_to_id
    assert ids.tolist() == [
        [2, number("draft"), 3, 0],
        [2, 3, 0, 0],
        [2, number("paint"), number("maps"), 3],
        [2, 3, 0, 0],
    ]
    assert mask.sum(axis=1).tolist() == [3, 2, 4, 2]


def test_a_row_with_one_text_is_refused(path: str):
    tokenizer = load_tokenizer(TokenizerOptions("t", path))
    with pytest.raises(JobshiftError, match="the row with id p1 has no text_pair"):
        text_pairs(tokenizer, frame(("draft", "paint"), ("draft", None)))


def test_what_the_head_reads_by_hand(path: str):
    first, second = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
    assert siamese(path).compared(first, second).tolist() == [[4, 1, 2, 3, 3, -2]]
    both = siamese(path, symmetric=False).compared(first, second)
    assert both.tolist() == [[1, 2, 3, -1, 2, 3, 3, -2]]


def test_an_embedding_is_the_mean_over_the_tokens_scaled(path: str):
    model = siamese(path).eval()
    ids, mask = map(torch.from_numpy, TEXTS.padded(np.arange(3)))
    with torch.no_grad():
        found = model.embed(ids, mask)
        alone = model.reader(input_ids=ids[2:, :2]).last_hidden_state  # the text of two tokens
    mean = (alone[0, 0] + alone[0, 1]) / 2
    assert torch.allclose(found[2], mean / mean.square().mean().sqrt(), atol=1e-5)
    # Of length √32, so that entries are about 1.
    assert found.square().sum(dim=1).tolist() == pytest.approx([32] * 3, rel=1e-5)


def test_first_texts_are_compared_with_second_ones(path: str):
    model = siamese(path, symmetric=False).eval()
    ids, mask = map(torch.from_numpy, TEXTS.padded(np.arange(3)))
    with torch.no_grad():
        u = model.embed(ids, mask)
        expected = torch.softmax(model.head(model.compared(u[[0, 1, 0, 2]], u[[1, 2, 2, 0]])), 1)
    assert predict(model, PAIRS, ROWS, size=3) == pytest.approx(expected.numpy(), abs=1e-6)


def test_a_linear_head_of_the_asked_width(path: str):
    # 32 wide embeddings: 3 or 4 times as many features, to 2 classes, and a bias each.
    sizes = {
        symmetric: sum(p.numel() for p in siamese(path, None, symmetric, 0).head.parameters())
        for symmetric in (True, False)
    }
    assert sizes == {True: 2 * 96 + 2, False: 2 * 128 + 2}
    # With a hidden layer of 8: 96 × 8 + 8 and 8 × 2 + 2.
    assert sum(p.numel() for p in siamese(path).head.parameters()) == 776 + 18


@pytest.fixture(scope="module")
def linear(path: str) -> Siamese:
    return siamese(path, hidden=0)


tokens_of_a_text = st.lists(st.integers(4, 29), max_size=6).map(lambda ids: [2, *ids, 3])


@settings(deadline=None, max_examples=40)
@given(
    pairs=st.lists(st.tuples(tokens_of_a_text, tokens_of_a_text), min_size=1, max_size=4),
    size=st.integers(1, 4),
)
def test_the_order_of_the_texts_does_not_matter_to_a_symmetric_one(
    linear: Siamese, pairs: list[tuple[list[int], list[int]]], size: int
):
    ids = [each for pair in pairs for each in pair]
    offsets = np.cumsum([0, *map(len, ids)])
    tokens = Tokens(np.concatenate(ids).astype(np.int32), offsets, 30, 0)
    rows = np.arange(len(pairs))
    first, second = 2 * rows, 2 * rows + 1
    there = predict(linear, TextPairs(tokens, first, second), rows, size)
    assert there == pytest.approx(predict(linear, TextPairs(tokens, second, first), rows), abs=1e-6)
    assert there.sum(axis=1) == pytest.approx(np.ones(len(pairs)))


def test_the_order_matters_to_the_other(path: str):
    model = siamese(path, symmetric=False)
    back = predict(model, TextPairs(TEXTS, PAIRS.second, PAIRS.first), ROWS)
    assert np.abs(predict(model, PAIRS, ROWS) - back).max() > 1e-4


def cached(model: Siamese, pairs: TextPairs) -> TextPairs:
    kept = FrozenOutputs(model.encoder, pairs.texts, sorted_batches(pairs.texts.lengths, 2))
    return TextPairs(kept, pairs.first, pairs.second)


@pytest.mark.parametrize("count", [1, 2])
def test_cached_outputs_give_the_same_predictions(path: str, count: int):
    whole = predict(siamese(path), PAIRS, ROWS)
    cut = siamese(path, frozen_layers=count, cache_frozen=True)
    inputs = cached(cut, PAIRS)
    assert len(inputs.texts.values) == 10  # tokens of three texts, not of eight
    assert inputs.lengths.tolist() == PAIRS.lengths.tolist() == [5, 5, 3, 3]
    assert predict(cut, inputs, ROWS) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_all_but_the_frozen_part_is_trained(path: str, count: int):
    model = siamese(path, frozen_layers=count)
    model(*map(torch.from_numpy, PAIRS.padded(ROWS))).sum().backward()
    moved = {name for name, each in model.named_parameters() if each.grad is not None}
    assert moved == {name for name, each in model.named_parameters() if each.requires_grad}
    assert {name for name in moved if name.startswith("head.")} == {
        f"head.{layer}.{part}" for layer in (1, 4) for part in ("weight", "bias")
    }
    assert any("layer.1." in name for name in moved) == (count == 1)
    assert not any("embeddings" in name or "layer.0." in name for name in moved)


def test_adapters_and_the_head_alone_are_trained(path: str):
    model = siamese(path, lora=LoraOptions(r=2))
    model(*map(torch.from_numpy, PAIRS.padded(ROWS))).sum().backward()
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert trained == {n for n, each in model.named_parameters() if each.grad is not None}
    assert all("lora_" in name or name.startswith("head.") for name in trained)
    # Rank 2 on query and value of two layers (4 × 2 × 64), and the head.
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 512 + 794


def shaken(model: Siamese) -> Siamese:
    """The model with noise on all that it trains, as after a few steps."""
    torch.manual_seed(1)
    with torch.no_grad():
        for each in model.parameters():
            if each.requires_grad:
                each.add_(torch.randn_like(each) * 0.3)
    return model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden": 0, "symmetric": False},
        {"frozen_layers": 1, "cache_frozen": True},
        {"frozen_layers": 2, "cache_frozen": True},
        {"lora": LoraOptions(r=2)},
    ],
    ids=str,
)
def test_the_folder_is_enough_to_load_it_again(path: str, tmp_path: Path, options: dict):
    from transformers import AutoModel

    model = shaken(siamese(path, **options))
    inputs = cached(model, PAIRS) if options.get("cache_frozen") else PAIRS
    expected = predict(model, inputs, ROWS)
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        model.save(folder)
    names = ["config.json", "head.safetensors", "model.safetensors"]
    assert sorted(each.name for each in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    back = Siamese.load(tmp_path / "a")
    assert not back.training and back.options == model.options
    assert predict(back, PAIRS, ROWS) == pytest.approx(expected, abs=1e-5)
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["id2label"] == {"0": "other", "1": "same"}
    assert path not in (tmp_path / "a" / "config.json").read_text()
    # As an encoder of transformers' own, too.
    reader = AutoModel.from_pretrained(tmp_path / "a", add_pooling_layer=False).eval()
    ids, mask = map(torch.from_numpy, TEXTS.padded(np.arange(3)))
    with torch.no_grad():
        hidden = reader(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = hidden[2, :2].mean(dim=0)
        assert torch.allclose(mean / mean.norm() * 32**0.5, back.embed(ids, mask)[2], atol=1e-5)


def test_other_families_and_new_encoders_will_do(modern: str, tmp_path: Path):
    torch.manual_seed(0)
    sizes = EncoderOptions(scratch=ScratchOptions(layers=1, width=16, heads=2))
    small = Siamese(SiameseOptions(), sizes, LABELS, vocabulary=30, padding=0)
    for number, model in enumerate((siamese(modern), small)):
        expected = predict(model, PAIRS, ROWS)
        folder = tmp_path / str(number)
        folder.mkdir()
        model.save(folder)
        assert predict(Siamese.load(folder), PAIRS, ROWS) == pytest.approx(expected, abs=1e-6)


# Two occupations of three tasks each, and one pair of every two tasks.
TASKS = {
    "a": ["draft letters", "summarise stock records", "translate lesson plans for customers"],
    "b": ["repair pipes", "carry wooden boats at night", "paint wooden boats in the workshop"],
}


def every_pair() -> pd.DataFrame:
    tasks = [(text, name) for name, texts in TASKS.items() for text in texts]
    pairs = [(x, y) for x in tasks for y in tasks if x[0] < y[0]]
    rows = frame(*((x[0], y[0]) for x, y in pairs))
    return rows.assign(same=[x[1] == y[1] for x, y in pairs])


@pytest.mark.parametrize("frozen", [0, 1])
def test_training_learns_the_pairs_the_same_way_twice(path: str, tmp_path: Path, frozen: int):
    torch.use_deterministic_algorithms(True)
    rows = every_pair()
    runs = []
    for name in ("one", "two"):
        model = siamese(path, hidden=16, frozen_layers=frozen, cache_frozen=frozen > 0)
        inputs = text_pairs(load_tokenizer(TokenizerOptions("t", path)), rows)
        if frozen:
            inputs = cached(model, inputs)
        label = rows["same"].to_numpy().astype(np.int64)
        part = Labelled(
            inputs,
            np.arange(len(rows)),
            np.eye(2, dtype=np.float32)[label],
            label,
            np.ones(len(rows), dtype=np.float32),
        )
        history, _ = fit(
            model,
            part,
            part,
            LossOptions(),
            OptimizerOptions(lr=1e-2),
            TrainingOptions(epochs=15, patience=15, monitor="val_accuracy", batch_size=4),
            seed=0,
            checkpoints=tmp_path / name,
            logger=None,
        )
        assert history["val_loss"].notna().any()
        runs.append(predict(model, inputs, np.arange(len(rows))))
        assert (runs[-1].argmax(axis=1) == label).mean() > 0.9
    assert np.array_equal(*runs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": -1}, r"siamese\.hidden is -1"),
        ({"dropout": 1.0}, r"siamese\.dropout 1; .* to below 1"),
        ({"frozen_layers": 3}, "frozen_layers is 3, but the model has 2 layers"),
        ({"cache_frozen": True}, r"cache_frozen needs encoder\.frozen_layers"),
    ],
)
def test_options_that_make_no_sense_are_refused(path: str, options: dict, said: str):
    with pytest.raises(JobshiftError, match=said):
        siamese(path, **options)


def test_a_folder_without_a_siamese_encoder_is_named(path: str, tmp_path: Path):
    for folder in (path, str(tmp_path / "nowhere")):
        with pytest.raises(JobshiftError, match=f"{folder} has no siamese encoder"):
            Siamese.load(Path(folder))
