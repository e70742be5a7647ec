import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from jobshift.errors import JobshiftError
from jobshift.rating import engines
from jobshift.rating.exported import Exported

CLASSES = ["E0", "E2", "E1"]


def exported(folder: Path) -> Exported:
    return Exported(folder, "m", CLASSES, None, [], 1.0, 16, 0, 0.5, 3)


def batch(vocabulary: int, lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask of texts of these lengths."""
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    random = np.random.default_rng(seed).integers(1, vocabulary, size=mask.shape)
    return random * mask, mask


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=20,
        num_labels=3,
        initializer_range=0.3,
    )
    network = BertForSequenceClassification(config)
    # A new model has none of these.
    for name, parameter in network.named_parameters():
        if "bias" in name or "LayerNorm" in name or "position" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    network.save_pretrained(folder)
    return exported(folder)


def test_a_bert_gives_what_transformers_gives(bert: Exported):
    import torch

    ids, mask = batch(50, [1, 4, 16, 9])
    with torch.inference_mode():
        wanted = engines.transformers_model(bert)(torch.tensor(ids), torch.tensor(mask))
    for found, right in zip(engines.open_engine(bert, "torch")(ids, mask), wanted, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, right.numpy(), atol=2e-5)
    assert float(wanted[0].std()) > 0.1  # else nothing was compared


def test_a_text_gets_the_same_in_company_and_alone(bert: Exported):
    engine = engines.open_engine(bert, "torch")
    ids, mask = batch(50, [5, 16])
    for number, length in enumerate([5, 16]):
        alone = engine(ids[number : number + 1, :length], mask[number : number + 1, :length])
        for found, one in zip(engine(ids, mask), alone, strict=True):
            np.testing.assert_allclose(found[number], one[0], atol=2e-5)


def test_the_embedding_is_the_mean_of_the_last_layer_over_the_text(bert: Exported):
    import torch
    from transformers import AutoModel

    ids, mask = batch(50, [7])
    base = AutoModel.from_pretrained(bert.folder).eval()
    with torch.inference_mode():
        wanted = base(input_ids=torch.tensor(ids)).last_hidden_state.mean(dim=1)
    _, found = engines.open_engine(bert, "torch")(ids, mask)
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-5)


def test_another_kind_of_encoder_runs_by_transformers(tmp_path: Path):
    import torch
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        pad_token_id=0,
        num_labels=3,
    )
    network = ModernBertForSequenceClassification(config).eval()
    network.save_pretrained(tmp_path)
    ids, mask = batch(50, [4, 9])
    logits, embedding = engines.open_engine(exported(tmp_path), "torch")(ids, mask)
    with torch.inference_mode():
        inputs = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
        last = network.base_model(**inputs).last_hidden_state
        np.testing.assert_allclose(logits, network(**inputs).logits.numpy(), atol=1e-5)
    np.testing.assert_allclose(embedding[0], last[0, :4].mean(dim=0).numpy(), atol=1e-5)


def test_what_is_wrong_is_one_sentence(bert: Exported, tmp_path: Path, monkeypatch):
    with pytest.raises(JobshiftError, match="no engine 'tpu'; choose one of torch, onnx"):
        engines.open_engine(bert, "tpu")
    (tmp_path / "config.json").write_bytes((bert.folder / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(JobshiftError, match=r"model\.safetensors is damaged"):
        engines.open_engine(exported(tmp_path), "torch")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name in ("onnx", "openvino-int8"):
        with pytest.raises(JobshiftError, match=r"run `pip install 'jobshift\[engines\]'`"):
            engines.open_engine(bert, name)


@pytest.mark.parametrize(("name", "file"), [("onnx", "model.onnx"), ("openvino-int8", "model.xml")])
def test_a_damaged_graph_is_named(tmp_path: Path, name: str, file: str):
    if importlib.util.find_spec(engines.LIBRARIES[name][-1]) is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path / ("onnx" if name == "onnx" else "openvino")
    folder.mkdir()
    with pytest.raises(JobshiftError, match="is missing"):
        engines.open_engine(exported(tmp_path), name)
    for each in (file, "model.bin"):
        (folder / each).write_bytes(b"nothing")
    with pytest.raises(JobshiftError, match=rf"{file} is damaged"):
        engines.open_engine(exported(tmp_path), name)
