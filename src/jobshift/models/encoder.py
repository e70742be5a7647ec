"""A transformers encoder with a classification head: in full, in part, or with adapters.

The network is the model's own `AutoModelForSequenceClassification`, so a finished run is a folder that
`from_pretrained` loads. With `cache_frozen` the frozen part runs once over all texts without dropout,
and training reads its outputs: the upper layers see them as input embeddings. With adapters (LoRA, Hu et
al. 2022) the folder holds these and the head alone, as peft's `PeftModel.from_pretrained` reads them. A
student keeps only some of the layers. Without a pretrained model a small BERT starts from random weights.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jobshift.errors import JobshiftError
from jobshift.models.features import key, stored
from jobshift.models.options import EncoderOptions, LoraOptions, ScratchOptions


class Encoder(nn.Module):
    """Logits of token ids, or of the frozen part's cached outputs."""

    def __init__(
        self,
        options: EncoderOptions,
        labels: list[str],
        lora: LoraOptions | None = None,
        kept: list[int] | None = None,
        vocabulary: int = 0,
        padding: int = 0,
        several: bool = False,
    ):
        """Load the model, with adapters where `lora` is given, with the layers `kept` alone where they are.

        `vocabulary` is the number of tokens of a new model and `padding` the one that fills up. Where
        `several` labels may apply to a text, the saved model says so to transformers. Raises JobshiftError
        where it is not there or cannot be cut as asked.
        """
        super().__init__()
        from transformers.utils import logging

        names = {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: number for number, label in enumerate(labels)},
        }
        if several:
            names["problem_type"] = "multi_label_classification"

        # That the head is new is as it should be, and needs no report.
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        if bool(options.path) == bool(options.scratch):
            raise JobshiftError(
                "encoder: give either path, where a pretrained model lies, or scratch, the sizes of a new one"
            )
        if options.scratch:
            if lora or options.freeze_embeddings or options.frozen_layers:
                raise JobshiftError(
                    "encoder.scratch: all of a new model has to be trained; leave out lora, "
                    "encoder.frozen_layers and encoder.freeze_embeddings"
                )
            self.model = small_bert(options.scratch, vocabulary, padding, names)
            missing = []
        else:
            self.model, missing = pretrained(options.path, names)
        self.lower: nn.Module | None = None
        self.adapted = lora is not None
        if kept is not None:
            self.keep(kept)
        if options.cache_frozen and not options.frozen_layers:
            raise JobshiftError("encoder.cache_frozen needs encoder.frozen_layers of 1 or more")
        if options.freeze_embeddings or options.frozen_layers:
            self.freeze(options.frozen_layers)
        if options.cache_frozen:
            self.cut(options.frozen_layers)
        if lora:
            if kept is not None or options.freeze_embeddings or options.frozen_layers:
                raise JobshiftError(
                    "lora trains adapters in all layers of the encoder as it is; leave out student, "
                    "encoder.frozen_layers and encoder.freeze_embeddings"
                )
            self.adapt(lora, options.path, missing)

    @property
    def layers(self) -> nn.ModuleList:
        """The stack of transformer layers, of BERT's kind or of ModernBERT's."""
        base = self.model.base_model
        stack = getattr(getattr(base, "encoder", base), "layer", getattr(base, "layers", None))
        if not isinstance(stack, nn.ModuleList) or not hasattr(base, "embeddings"):
            raise JobshiftError(
                f"encoder.frozen_layers and encoder.freeze_embeddings work for models built like BERT or "
                f"ModernBERT, not for {self.model.config.model_type}; set them to 0 and false"
            )
        return stack

    def only_like_bert(self, option: str) -> None:
        """Refuse `option` for a model whose layers are not alike and one behind the other, as BERT's are."""
        if not hasattr(getattr(self.model.base_model, "encoder", None), "layer"):
            raise JobshiftError(
                f"{option} works for models built like BERT, not for {self.model.config.model_type}; "
                "leave it out"
            )

    def keep(self, kept: list[int]) -> None:
        """Drop all layers but those `kept`, counted from 0."""
        self.only_like_bert("student.layers")
        there = range(len(self.layers))
        if not kept or sorted(set(kept)) != kept or not set(kept) <= set(there):
            raise JobshiftError(
                f"student.layers is {kept}; choose from 0 to {len(there) - 1}, each once and in order"
            )
        self.model.base_model.encoder.layer = nn.ModuleList([self.layers[n] for n in kept])
        self.model.config.num_hidden_layers = len(kept)

    def adapt(self, lora: LoraOptions, path: str, new: list[str]) -> None:
        """Put adapters into the model; only they and the parameters `new`, which `path` lacks, are trained."""
        from peft import LoraConfig, TaskType, get_peft_model

        if lora.r < 1:
            raise JobshiftError(f"lora.r is {lora.r}; it must be at least 1")
        self.model.config._name_or_path = path
        try:
            with warnings.catch_warnings():
                # peft asks transformers for an attribute by its old name.
                warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
                self.model = get_peft_model(
                    self.model,
                    LoraConfig(
                        task_type=TaskType.SEQ_CLS,
                        r=lora.r,
                        lora_alpha=lora.alpha,
                        lora_dropout=lora.dropout,
                        target_modules=list(lora.target_modules),
                        modules_to_save=sorted({name.rpartition(".")[0] for name in new}),
                    ),
                )
        except ValueError as error:
            raise JobshiftError(
                f"lora.target_modules is {lora.target_modules}: {str(error).splitlines()[0]}"
            ) from error

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
        self.only_like_bert("encoder.cache_frozen")
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
        """Write the whole model, or its adapters and head, into `folder`, as `from_pretrained` reads them."""
        if self.adapted:
            self.model.save_pretrained(folder)
            (folder / "README.md").unlink()  # an empty form
            # peft writes sets in an order that differs from process to process.
            file = folder / "adapter_config.json"
            options = json.loads(file.read_text())
            for key in ("target_modules", "modules_to_save"):
                options[key] = sorted(set(options[key]))
            file.write_text(json.dumps(options, indent=2) + "\n")
            return
        if self.lower is not None:
            base = self.model.base_model
            base.embeddings = self.lower["embeddings"]
            base.encoder.layer = nn.ModuleList([*self.lower["layers"], *base.encoder.layer])
            self.lower = None
        # The folder it came from is no property of the trained model, and differs between machines.
        self.model.config._name_or_path = ""
        self.model.save_pretrained(folder)


def pretrained(path: str, names: dict) -> tuple[nn.Module, list[str]]:
    """The model at `path` with a head for the classes of `names`, and the parameters that `path` lacks."""
    from transformers import AutoModelForSequenceClassification

    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            path,
            output_loading_info=True,
            trust_remote_code=False,
            use_safetensors=True,
            **names,
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobshiftError(
            f"encoder.path: no model with safetensors weights at {path} ({reason}); "
            "fetch it, or name a folder or a model of the hub"
        ) from error
    return model, sorted(loading["missing_keys"])


def small_bert(sizes: ScratchOptions, vocabulary: int, padding: int, names: dict) -> nn.Module:
    """A BERT with random weights and a head for the classes of `names`."""
    from transformers import BertConfig, BertForSequenceClassification

    if sizes.layers < 1 or sizes.heads < 1 or sizes.width < 1 or sizes.width % sizes.heads:
        raise JobshiftError(
            f"encoder.scratch: layers is {sizes.layers}, width {sizes.width}, heads {sizes.heads}; all must be "
            "at least 1, and width a multiple of heads"
        )
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=vocabulary,
            pad_token_id=padding,
            hidden_size=sizes.width,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            intermediate_size=4 * sizes.width,
            hidden_dropout_prob=sizes.dropout,
            attention_probs_dropout_prob=sizes.dropout,
            max_position_embeddings=512,
            **names,
        )
    )


class Passthrough(nn.Module):
    """Stands where the embeddings stood; the input is what they and the frozen layers gave."""

    def forward(self, inputs_embeds: Tensor | None = None, **unused: object) -> Tensor:
        """Return `inputs_embeds` as it is."""
        return inputs_embeds


class FrozenOutputs:
    """The frozen part's outputs for many texts, kept as one float32 array [all tokens, width]."""

    def __init__(self, encoder: Encoder, tokens, batches: list[np.ndarray], keep: bool = False):
        """Run the frozen part of `encoder` over `tokens` in `batches`, which hold every row once.

        With `keep`, only where `data/features/` does not have its outputs already.
        """
        self.lengths, self.offsets = tokens.lengths, tokens.offsets

        def compute() -> np.ndarray:
            return outputs(encoder, tokens, batches)

        if keep:
            config = encoder.model.config.to_json_string()
            name = key(encoder.lower, config, [tokens.ids, tokens.offsets, *batches])
            self.values = torch.from_numpy(stored(name, compute))
        else:
            self.values = torch.from_numpy(compute())

    def padded(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Outputs [rows, longest text, width], zero beyond each text, and the mask [rows, longest text]."""
        pieces = [self.values[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        mask = torch.arange(max(map(len, pieces))) < torch.tensor([len(p) for p in pieces])[:, None]
        return nn.utils.rnn.pad_sequence(pieces, batch_first=True), mask.long()


def outputs(encoder: Encoder, tokens, batches: list[np.ndarray]) -> np.ndarray:
    """The frozen part's outputs [all tokens, width], float32, in the order of `tokens`."""
    width = encoder.model.config.hidden_size
    values = torch.empty((int(tokens.offsets[-1]), width))
    for rows in batches:
        ids, mask = map(torch.from_numpy, tokens.padded(rows))
        found = encoder.frozen_outputs(ids, mask)
        for row, output, length in zip(rows, found, tokens.lengths[rows], strict=True):
            start = tokens.offsets[row]
            values[start : start + length] = output[:length]
    return values.numpy()
