"""From a transformers model to ONNX in float32, and from there to OpenVINO in 8-bit integers.

Both graphs have the inputs `input_ids` and `attention_mask`, int64 of any [texts, tokens], and the outputs
`logits` and `embedding` (see `engines.py`). The same model and calibration texts give the same bytes: names
that hold paths or counters of the exporter are replaced.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jobshift.rating.engines import INPUTS, OUTPUTS, import_openvino, outputs_of

# The oldest that torch writes without converting; ONNX Runtime and OpenVINO read all later ones, too.
OPSET = 18


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without the reports and warnings of exporters that say nothing of the model."""
    kind = logging.getLoggerClass()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        logging.setLoggerClass(
            kind
        )  # nncf puts its own in the place, which keeps later loggers silent


def write_onnx(network, file: Path) -> None:
    """Write the transformers model `network` to `file`, weights included, in float32."""
    import torch

    class WithEmbedding(torch.nn.Module):
        """The model with the mean of its last layer as second output."""

        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask):
            return outputs_of(self.network, input_ids, attention_mask)

    ids = torch.ones((2, 16), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    texts, tokens = torch.export.Dim("texts"), torch.export.Dim("tokens", min=2)
    with quietly():
        program = torch.onnx.export(
            WithEmbedding().eval(),
            (ids, mask),
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamic_shapes={name: {0: texts, 1: tokens} for name in INPUTS},
            verbose=False,
        )
    rename(program.model)
    file.parent.mkdir(parents=True, exist_ok=True)
    program.save(file, external_data=False)


def rename(model) -> None:
    """Number all nodes and inner values of an onnx_ir `model`, and drop where in which file they came from.

    The exporter may give an inner value the name of an output, which ONNX Runtime refuses.
    """
    number = 0
    for node in model.graph.all_nodes():
        node.name, node.doc_string = f"node_{number}", None
        node.metadata_props.clear()
        for value in node.outputs:
            if not value.is_graph_output():
                value.name = f"value_{number}"
            value.metadata_props.clear()
            number += 1
    for part in (model, model.graph, *model.graph.inputs, *model.graph.outputs):
        part.metadata_props.clear()
        part.doc_string = None


def write_openvino(onnx: Path, file: Path, texts: list[list[int]]) -> None:
    """Quantise the graph in `onnx` and write it to `file` and its weights beside it, as .bin.

    Weights and activations become 8-bit integers (post-training quantisation with SmoothQuant, Xiao et al.
    2023); their ranges are those that the token ids `texts` have, each by itself and so without padding.
    """
    openvino = import_openvino()
    with quietly():
        import nncf
        from nncf.quantization.advanced_parameters import (
            AdvancedQuantizationParameters,
            OverflowFix,
        )

        nncf.set_log_level(logging.ERROR)

        def inputs(ids: list[int]) -> dict[str, np.ndarray]:
            row = np.array([ids], dtype=np.int64)
            return dict(zip(INPUTS, (row, np.ones_like(row)), strict=True))

        quantised = nncf.quantize(
            openvino.convert_model(onnx),
            nncf.Dataset(texts, inputs),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(texts),
            # Processors without VNNI instructions add up products of two 8-bit numbers in 16 bits; half the
            # range of the weights keeps them from overflowing, so that all processors give the same.
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )
        for number, operation in enumerate(quantised.get_ordered_ops()):
            if operation.get_type_name() not in ("Parameter", "Result"):
                # The names that were given hold a count over all that this process has built.
                operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
        file.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(quantised, file, compress_to_fp16=False)
