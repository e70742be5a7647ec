"""Freezing, caching, cutting and adapting, on a random BERT of two layers and a ModernBERT of three."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_encoders
import tiny_study
import torch

from jobshift.errors import JobshiftError
from jobshift.models.encoder import Encoder, FrozenOutputs
from jobshift.models.options import EncoderOptions, LoraOptions, ScratchOptions
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


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("modernbert")
    tiny_encoders.modernbert(folder, vocabulary=30)
    return str(folder)


def encoder(path: str, lora=None, kept=None, **options) -> Encoder:
    torch.manual_seed(0)
    return Encoder(EncoderOptions(path=path, **options), LABELS, lora, kept)


def shaken(model: Encoder) -> Encoder:
    """The model with noise on all that it trains, as after a few steps."""
    torch.manual_seed(1)
    with torch.no_grad():
        for each in model.parameters():
            if each.requires_grad:
                each.add_(torch.randn_like(each) * 0.3)
    return model


def trained(model: Encoder) -> set[str]:
    """The names of the parameters that training changes, without what libraries wrap around them."""
    noise = (".default", ".modules_to_save", "base_model.model.", "model.")
    names = {name for name, each in model.named_parameters() if each.requires_grad}
    for part in noise:
        names = {name.replace(part, "", 1) for name in names}
    return names


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


def test_a_student_has_the_layers_kept_and_is_saved_as_a_smaller_model(path: str, tmp_path: Path):
    whole, student = encoder(path), encoder(path, kept=[1])
    assert len(student.layers) == 1
    for name, each in whole.layers[1].state_dict().items():
        assert torch.equal(student.layers[0].state_dict()[name], each)
    student.save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["num_hidden_layers"] == 1
    back = Encoder(EncoderOptions(path=str(tmp_path)), LABELS)
    assert predict(back, TOKENS, ROWS) == pytest.approx(predict(student, TOKENS, ROWS), abs=1e-6)


@pytest.mark.parametrize("kept", [[], [2], [1, 0], [0, 0], [-1]])
def test_a_student_of_layers_that_are_not_there_is_refused(path: str, kept: list[int]):
    with pytest.raises(
        JobshiftError, match=r"student\.layers is .*; choose from 0 to 1, each once"
    ):
        encoder(path, kept=kept)


def test_lora_trains_its_adapters_and_the_head_alone(path: str):
    model = encoder(path, lora=LoraOptions(r=2))
    ids, mask = map(torch.from_numpy, TOKENS.padded(ROWS))
    model(ids, mask).sum().backward()
    assert {n for n, each in model.named_parameters() if each.grad is not None} == {
        n for n, each in model.named_parameters() if each.requires_grad
    }
    attention = [
        f"bert.encoder.layer.{layer}.attention.self.{name}.lora_{side}.weight"
        for layer in (0, 1)
        for name in ("query", "value")
        for side in "AB"
    ]
    assert trained(model) == {*attention, "classifier.weight", "classifier.bias"}
    # Width 32, rank 2: two matrices of 64 for each of 4 linear layers; a head of 3 × 32 + 3.
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 4 * 128 + 99


@pytest.mark.parametrize(("name", "targets"), [("path", ["query", "value"]), ("modern", ["Wqkv"])])
def test_an_adapter_is_kept_without_the_base_and_loads_on_its_own(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, targets: list[str]
):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    base = request.getfixturevalue(name)
    model = shaken(encoder(base, lora=LoraOptions(r=2, target_modules=targets)))
    expected = predict(model, TOKENS, ROWS)
    model.save(tmp_path)
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json"}
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 30_000
    torch.manual_seed(7)  # the new base's head is another one, and must not matter
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    back = PeftModel.from_pretrained(plain, str(tmp_path)).eval()
    ids, mask = map(torch.from_numpy, TOKENS.padded(ROWS))
    with torch.no_grad():
        found = torch.softmax(back(input_ids=ids, attention_mask=mask).logits, dim=1).numpy()
    assert found == pytest.approx(expected, abs=1e-6)


def test_an_adapter_names_its_layers_in_order_and_its_base_as_the_config_does(
    path: str, tmp_path: Path
):
    # peft keeps them as a set, in another order in every process.
    targets = ["value", "query", "key", "intermediate.dense"]
    encoder(path, lora=LoraOptions(r=2, target_modules=targets)).save(tmp_path)
    options = json.loads((tmp_path / "adapter_config.json").read_text())
    assert options["target_modules"] == ["intermediate.dense", "key", "query", "value"]
    assert options["modules_to_save"] == ["classifier", "score"]
    assert options["base_model_name_or_path"] == path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lora": LoraOptions(r=0)}, r"lora\.r is 0; it must be at least 1"),
        ({"lora": LoraOptions(target_modules=["Wqkv"])}, r"lora\.target_modules is \['Wqkv'\]: "),
        ({"lora": LoraOptions(), "frozen_layers": 1}, "lora trains adapters in all layers"),
        ({"lora": LoraOptions(), "kept": [0]}, "lora trains adapters in all layers"),
    ],
)
def test_adapters_that_cannot_be_are_refused(path: str, options: dict, said: str):
    with pytest.raises(JobshiftError, match=said):
        encoder(path, **options)


def test_lower_layers_of_modernbert_can_be_frozen_but_not_cached_or_dropped(modern: str):
    names = trained(encoder(modern, frozen_layers=2))
    assert not any(
        part in name for name in names for part in ("embeddings", "layers.0", "layers.1")
    )
    assert any("layers.2" in name for name in names)
    for options in ({"frozen_layers": 1, "cache_frozen": True}, {"kept": [0]}):
        with pytest.raises(
            JobshiftError, match=r"works for models built like BERT, not for modernbert"
        ):
            encoder(modern, **options)


def new(**sizes) -> Encoder:
    torch.manual_seed(0)
    options = EncoderOptions(
        scratch=ScratchOptions(**{"layers": 2, "width": 16, "heads": 2, **sizes})
    )
    return Encoder(options, LABELS, vocabulary=TOKENS.vocabulary, padding=TOKENS.padding)


def test_a_new_model_is_trained_whole_and_loads_again(tmp_path: Path):
    model = new()
    assert all(each.requires_grad for each in model.parameters())
    config = model.model.config
    assert (config.num_hidden_layers, config.hidden_size, config.vocab_size) == (2, 16, 30)
    said = predict(shaken(model), TOKENS, ROWS)
    model.save(tmp_path)
    back = Encoder(EncoderOptions(path=str(tmp_path)), LABELS)
    assert np.array_equal(predict(back, TOKENS, ROWS), said)
    # The same seed gives the same weights.
    first, second = (new().state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_new_model_that_makes_no_sense(path: str):
    with pytest.raises(JobshiftError, match="width 15, heads 2; .* a multiple of heads"):
        new(width=15)
    with pytest.raises(JobshiftError, match="give either path"):
        Encoder(EncoderOptions(), LABELS)
    with pytest.raises(JobshiftError, match="give either path"):
        encoder(path, scratch=ScratchOptions())
    with pytest.raises(JobshiftError, match="all of a new model has to be trained"):
        Encoder(EncoderOptions(scratch=ScratchOptions(), frozen_layers=1), LABELS, vocabulary=9)
