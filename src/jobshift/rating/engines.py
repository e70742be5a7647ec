"""How an exported model runs: torch, ONNX Runtime, or OpenVINO in 8-bit integers.

An engine is a function of token ids and their mask, both int64 [texts, tokens], that gives float32 logits
[texts, classes] and embeddings [texts, width], the mean of the last layer over a text's tokens.

Importing transformers' BERT takes longer than rating a thousand texts, so torch computes a BERT from its
weights directly; the stage export checks that both give the same. Other kinds of models are transformers' own.
"""

import importlib.util
import json
import sys
from collections.abc import Callable

import numpy as np

from jobshift.errors import JobshiftError
from jobshift.rating.exported import Exported, damaged

Engine = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
ENGINES = ("torch", "onnx", "openvino-int8")
# What it takes to export for an engine; to run it, the last of them is enough.
LIBRARIES = {
    "torch": ["torch"],
    "onnx": ["onnx", "onnxscript", "onnxruntime"],
    "openvino-int8": ["nncf", "openvino"],
}
INPUTS = ["input_ids", "attention_mask"]
OUTPUTS = ["logits", "embedding"]


def open_engine(exported: Exported, name: str, threads: int | None = None) -> Engine:
    """The engine called `name`, on `threads` threads or as many as its library chooses.

    Raises JobshiftError where there is no such engine, where its library is not installed, and where its
    file is missing or cannot be read.
    """
    if name not in OPEN:
        raise JobshiftError(f"there is no engine '{name}'; choose one of {', '.join(ENGINES)}")
    try:
        return OPEN[name](exported, threads)
    except ImportError as error:
        raise not_installed(name, error.name) from error


def check_installed(name: str) -> None:
    """JobshiftError where a library is missing that exporting for the engine called `name` needs."""
    for library in LIBRARIES[name]:
        if importlib.util.find_spec(library) is None:
            raise not_installed(name, library)


def not_installed(name: str, library: str) -> JobshiftError:
    """What is said where a library of the engine called `name` is missing."""
    return JobshiftError(
        f"the engine {name} needs {library}, which is not installed; "
        "run `pip install 'jobshift[engines]'`"
    )


def open_torch(exported: Exported, threads: int | None) -> Engine:
    """The folder's weights in float32."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    config = json.loads(exported.file("config.json").read_text(encoding="utf-8"))
    like_bert = config["model_type"] == "bert" and config["hidden_act"] == "gelu"
    network = bert(exported, config) if like_bert else transformers_model(exported)

    def engine(ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            logits, embedding = network(torch.from_numpy(ids), torch.from_numpy(mask))
        return logits.numpy(), embedding.numpy()

    return engine


def transformers_model(exported: Exported) -> Callable:
    """transformers' own model as a function of ids and mask."""
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        network = AutoModelForSequenceClassification.from_pretrained(
            exported.folder, use_safetensors=True, trust_remote_code=False
        ).eval()
    except (OSError, ValueError) as error:
        raise damaged(exported.folder / "model.safetensors") from error

    return lambda ids, mask: outputs_of(network, ids, mask)


def outputs_of(network, ids, mask) -> tuple:
    """Logits and embeddings that transformers' model `network` gives; all are torch tensors."""
    found = network(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    return found.logits, mean_over_tokens(found.hidden_states[-1], mask)


def mean_over_tokens(hidden, mask):
    """Mean [texts, width] of `hidden` [texts, tokens, width] where `mask` [texts, tokens] is 1."""
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1)


def bert(exported: Exported, config: dict) -> Callable:
    """A BERT with a classification head (Devlin et al. 2019) as a function of ids and mask."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

    file = exported.file("model.safetensors")
    try:
        found = load_file(file)
    except SafetensorError as error:
        raise damaged(file) from error
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]

    def dense(name, values):
        return linear(values, found[f"{name}.weight"], found[f"{name}.bias"])

    def normed(name, values):
        weight, bias = found[f"{name}.weight"], found[f"{name}.bias"]
        return layer_norm(values, weight.shape, weight, bias, eps)

    # Query, key and value in one product; a text has one segment, the first.
    for number in range(config["num_hidden_layers"]):
        part = f"bert.encoder.layer.{number}.attention.self"
        for kind in ("weight", "bias"):
            three = [found.pop(f"{part}.{name}.{kind}") for name in ("query", "key", "value")]
            found[f"{part}.{kind}"] = torch.cat(three)
    words = found["bert.embeddings.word_embeddings.weight"]
    places = found["bert.embeddings.position_embeddings.weight"]
    places = places + found["bert.embeddings.token_type_embeddings.weight"][0]

    def forward(ids, mask):
        texts, tokens = ids.shape
        values = normed("bert.embeddings.LayerNorm", words[ids] + places[:tokens])
        seen = None if bool(mask.all()) else mask.bool()[:, None, None, :]
        for number in range(config["num_hidden_layers"]):
            layer = f"bert.encoder.layer.{number}"
            three = dense(f"{layer}.attention.self", values)
            query, key, value = three.view(texts, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
            mixed = scaled_dot_product_attention(query, key, value, attn_mask=seen)
            mixed = mixed.transpose(1, 2).reshape(texts, tokens, -1)
            attended = dense(f"{layer}.attention.output.dense", mixed)
            values = normed(f"{layer}.attention.output.LayerNorm", attended + values)
            inner = gelu(dense(f"{layer}.intermediate.dense", values))
            outer = dense(f"{layer}.output.dense", inner)
            values = normed(f"{layer}.output.LayerNorm", outer + values)
        pooled = torch.tanh(dense("bert.pooler.dense", values[:, 0]))
        return dense("classifier", pooled), mean_over_tokens(values, mask)

    return forward


def open_onnx(exported: Exported, threads: int | None) -> Engine:
    """ONNX Runtime on onnx/model.onnx, in float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if threads:
        options.intra_op_num_threads = threads
    file = exported.file("onnx/model.onnx")
    try:
        session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    except Exception as error:  # the library's own errors have no base but this
        raise damaged(file) from error

    def engine(ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(session.run(OUTPUTS, dict(zip(INPUTS, (ids, mask), strict=True))))

    return engine


def import_openvino():
    """The library openvino, which would send statistics of its use unasked, without what sends them."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def open_openvino(exported: Exported, threads: int | None) -> Engine:
    """OpenVINO on openvino/model.xml, whose matrix products are in 8-bit integers."""
    openvino = import_openvino()
    exported.file("openvino/model.bin")
    file = exported.file("openvino/model.xml")
    # Without the hint, what is not in integers would be bfloat16 on some processors and float32 on others.
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        compiled = openvino.Core().compile_model(file, "CPU", options)
    except RuntimeError as error:
        raise damaged(file) from error

    def engine(ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = compiled(dict(zip(INPUTS, (ids, mask), strict=True)))
        return tuple(found[name] for name in OUTPUTS)

    return engine


OPEN = {"torch": open_torch, "onnx": open_onnx, "openvino-int8": open_openvino}
