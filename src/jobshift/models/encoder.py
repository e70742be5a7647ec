"""A pretrained transformers encoder with a classification head, in full or with frozen lower layers.

The network is the model's own `AutoModelForSequenceClassification`, so a finished run is a folder that
`from_pretrained` loads. With `cache_frozen` the frozen part runs once over all texts without dropout,
and training reads its outputs: the upper layers see them as input embeddings.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jobshift.errors import JobshiftError
from jobshift.models.options import EncoderOptions


class Encoder(nn.Module):
    """Logits of token ids, or of the frozen part's cached outputs."""

    def __init__(self, options: EncoderOptions, labels: list[str]):
        """Load the model. Raises JobshiftError where it is not there or cannot be cut as asked."""
        super().__init__()
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        # That the head is new is as it should be, and needs no report.
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            self.model = AutoModelForSequenceClassification.from_pretrained(
                options.path,
                num_labels=len(labels),
                id2label=dict(enumerate(labels)),
                label2id={label: number for number, label in enumerate(labels)},
                trust_remote_code=False,
                use_safetensors=True,
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise JobshiftError(
                f"encoder.path: no model with safetensors weights at {options.path} ({reason}); "
                "fetch it, or name a folder or a model of the hub"
            ) from error
        self.lower: nn.Module | None = None
        if options.cache_frozen and not options.frozen_layers:
            raise JobshiftError("encoder.cache_frozen needs encoder.frozen_layers of 1 or more")
        if options.freeze_embeddings or options.frozen_layers:
            self.freeze(options.frozen_layers)
        if options.cache_frozen:
            self.cut(options.frozen_layers)

    @property
    def layers(self) -> nn.ModuleList:
        """The stack of transformer layers."""
        base = self.model.base_model
        stack = getattr(getattr(base, "encoder", base), "layer", None)
        if not isinstance(stack, nn.ModuleList) or not hasattr(base, "embeddings"):
            raise JobshiftError(
                f"encoder.frozen_layers and encoder.freeze_embeddings work for models built like BERT, "
                f"not for {self.model.config.model_type}; set them to 0 and false"
            )
        return stack

    def freeze(self, count: int) -> None:
        """Exclude the embeddings and the lowest `count` layers from training."""
        if count > len(self.layers):
            raise JobshiftError(
                f"encoder.frozen_layers is {count}, but the model has {len(self.layers)} layers"
            )
        for module in (self.model.base_model.embeddings, *self.layers[:count]):
            module.requires_grad_(False)

    def cut(self, count: int) -> None:
        """Part the model: `lower` holds embeddings and `count` layers, `model` reads their outputs."""
        base, layers = self.model.base_model, self.layers
        self.lower = nn.ModuleDict({"embeddings": base.embeddings, "layers": layers[:count]})
        base.embeddings = Passthrough()
        base.encoder.layer = layers[count:]

    @torch.inference_mode()
    def frozen_outputs(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Outputs [texts, tokens, width] of the frozen part."""
        base, upper = self.model.base_model, self.model.base_model.encoder.layer
        passthrough, pooler = base.embeddings, getattr(base, "pooler", None)
        base.embeddings, base.encoder.layer = self.lower["embeddings"], self.lower["layers"]
        base.pooler = None
        training = base.training
        base.eval()
        try:
            return base(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        finally:
            base.embeddings, base.encoder.layer, base.pooler = passthrough, upper, pooler
            base.train(training)

    def forward(self, inputs: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits [texts, classes] of token ids [texts, tokens], or of cached outputs where the model is cut."""
        if self.lower is None:
            return self.model(input_ids=inputs, attention_mask=attention_mask).logits
        return self.model(inputs_embeds=inputs, attention_mask=attention_mask).logits

    def save(self, folder: Path) -> None:
        """Write the whole model into `folder`, as `from_pretrained` reads it."""
        if self.lower is not None:
            base = self.model.base_model
            base.embeddings = self.lower["embeddings"]
            base.encoder.layer = nn.ModuleList([*self.lower["layers"], *base.encoder.layer])
            self.lower = None
        # The folder it came from is no property of the trained model, and differs between machines.
        self.model.config._name_or_path = ""
        self.model.save_pretrained(folder)


class Passthrough(nn.Module):
    """Stands where the embeddings stood; the input is what they and the frozen layers gave."""

    def forward(self, inputs_embeds: Tensor | None = None, **unused: object) -> Tensor:
        """Return `inputs_embeds` as it is."""
        return inputs_embeds


class FrozenOutputs:
    """The frozen part's outputs for many texts, kept as one float32 array [all tokens, width]."""

    def __init__(self, encoder: Encoder, tokens, batches: list[np.ndarray]):
        """Run the frozen part of `encoder` over `tokens` in `batches`, which hold every row once."""
        width = encoder.model.config.hidden_size
        self.lengths, self.offsets = tokens.lengths, tokens.offsets
        self.values = torch.empty((int(tokens.offsets[-1]), width))
        for rows in batches:
            ids, mask = map(torch.from_numpy, tokens.padded(rows))
            outputs = encoder.frozen_outputs(ids, mask)
            for row, output, length in zip(rows, outputs, tokens.lengths[rows], strict=True):
                start = tokens.offsets[row]
                self.values[start : start + length] = output[:length]

    def padded(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Outputs [rows, longest text, width], zero beyond each text, and the mask [rows, longest text]."""
        pieces = [self.values[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        mask = torch.arange(max(map(len, pieces))) < torch.tensor([len(p) for p in pieces])[:, None]
        return nn.utils.rnn.pad_sequence(pieces, batch_first=True), mask.long()
