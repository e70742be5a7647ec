"""A siamese encoder for pairs: one encoder reads each text by itself, and a small head compares the two.

An embedding is the mean of the last layer over a text's tokens; the head reads u, v, |u - v| and u * v of
the embeddings of both (Reimers and Gurevych 2019, "Sentence-BERT", EMNLP; u * v as in Conneau et al. 2017,
"InferSent", EMNLP). Choices:

- Embeddings have one length, as encoders of sentences are trained by their cosine. It is such that entries
  are about 1, which suits the head's learning rate.
- With `symmetric`, the head reads u + v in the place of u and v: whether two texts belong together does not
  depend on which comes first, and so the model cannot learn that it does.
- A linear head makes nothing of u, v and u + v in pairs where each text is as often in the one class
  as in the other; nor would any model that adds up something for each text, such as TF-IDF with logistic
  regression. A hidden layer does: what difference counts depends on what both are about.
- Pairs refer to distinct texts. So the frozen part of the encoder (`encoder.frozen_layers`) runs once a
  text and not once a pair. With all layers frozen, only the head is trained.
- A finished run is a folder that `AutoModel.from_pretrained` loads as the encoder, with the head beside it
  and the head's options in config.json; adapters (LoRA) are merged into the encoder.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from jobshift.errors import JobshiftError
from jobshift.models.encoder import Encoder
from jobshift.models.options import EncoderOptions, LoraOptions, SiameseOptions
from jobshift.models.seq2seq import Vocabulary
from jobshift.models.training import Inputs


class TextPairs:
    """Pairs of texts as inputs of a network; each distinct text is there once."""

    def __init__(self, texts: Inputs, first: np.ndarray, second: np.ndarray):
        """`first` and `second` [pairs] say which of `texts` each pair is made of.

        `texts` are tokens, or the frozen part's outputs in their place. `lengths` [pairs] are those of the
        longer text.
        """
        self.texts, self.first, self.second = texts, first, second
        self.lengths = np.maximum(texts.lengths[first], texts.lengths[second])

    def padded(self, rows: np.ndarray) -> tuple:
        """Inputs [2 × rows, longest text, …] and mask [2 × rows, longest text]: first texts, then second."""
        return self.texts.padded(np.concatenate([self.first[rows], self.second[rows]]))


def text_pairs(tokenizer: Tokenizer, rows: pd.DataFrame) -> TextPairs:
    """The pairs `text`, `text_pair` of `rows`, as tokens of all distinct texts, sorted.

    Raises JobshiftError where a row has no second text.
    """
    alone = rows["text_pair"].isna()
    if alone.any():
        raise JobshiftError(
            f"the row with id {rows['id'][alone].iloc[0]} has no text_pair, and a siamese encoder compares "
            "two texts; give it one, or choose another model"
        )
    both = pd.concat([rows["text"], rows["text_pair"]])
    number, texts = pd.factorize(both, sort=True)
    first, second = np.split(number, 2)
    return TextPairs(Vocabulary(tokenizer).sources(texts), first, second)


class Siamese(nn.Module):
    """Logits of pairs, from the token ids of their texts or from the frozen part's cached outputs."""

    def __init__(
        self,
        options: SiameseOptions,
        encoder: EncoderOptions,
        labels: list[str],
        lora: LoraOptions | None = None,
        vocabulary: int = 0,
        padding: int = 0,
    ):
        """As for `Encoder`, whose errors are raised here, too; `labels` are the classes of a pair."""
        super().__init__()
        if options.hidden < 0 or not 0 <= options.dropout < 1:
            raise JobshiftError(
                f"siamese.hidden is {options.hidden} and siamese.dropout {options.dropout:g}; the first must "
                "be at least 0, the second from 0 to below 1"
            )
        self.options = options
        # Its `frozen_outputs` are what `FrozenOutputs` keeps.
        self.encoder = Encoder(encoder, labels, lora, None, vocabulary, padding)
        if self.encoder.adapted:
            # The head of a classifier stays, unused.
            whole = self.encoder.model.get_base_model()
            for part in whole.children():
                if part is not whole.base_model:
                    part.requires_grad_(False)
        else:
            self.encoder.model = self.reader  # without that head
        if hasattr(self.reader, "pooler"):
            self.reader.pooler = None
        width = (3 if options.symmetric else 4) * self.reader.config.hidden_size
        layers = [nn.Dropout(options.dropout)]
        if options.hidden:
            layers += [nn.Linear(width, options.hidden), nn.ReLU(), nn.Dropout(options.dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(options.hidden or width, len(labels)))

    @property
    def reader(self) -> nn.Module:
        """The encoder itself, with adapters where it has them, without a head."""
        model = self.encoder.model
        return (model.get_base_model() if self.encoder.adapted else model).base_model

    def embed(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Embeddings [texts, width]: the mean of the last layer over a text's tokens, its length √width."""
        name = "inputs_embeds" if inputs.is_floating_point() else "input_ids"
        hidden = self.reader(**{name: inputs}, attention_mask=mask).last_hidden_state
        shown = mask.unsqueeze(-1).to(hidden)
        # The sum in the place of the mean: the length is lost.
        return hidden.shape[-1] ** 0.5 * nn.functional.normalize((hidden * shown).sum(dim=1), dim=1)

    def compared(self, first: Tensor, second: Tensor) -> Tensor:
        """What the head reads, [pairs, 3 or 4 × width], of the embeddings [pairs, width] of both texts."""
        both = [first + second] if self.options.symmetric else [first, second]
        return torch.cat([*both, (first - second).abs(), first * second], dim=1)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Logits [pairs, classes] of what `TextPairs.padded` gives: first texts, then second ones."""
        return self.head(self.compared(*self.embed(inputs, mask).chunk(2)))

    def save(self, folder: Path) -> None:
        """Write the encoder and config.json as `from_pretrained` reads them, and head.safetensors."""
        from safetensors.torch import save_file

        if self.encoder.adapted:
            merged = self.encoder.model.merge_and_unload()
            self.encoder.model, self.encoder.adapted = merged.base_model, False
        self.reader.config.siamese = asdict(self.options)
        self.encoder.save(folder)
        save_file(self.head.state_dict(), folder / "head.safetensors")

    @classmethod
    def load(cls, folder: Path) -> "Siamese":
        """What `save` wrote into `folder`, without dropout; JobshiftError where that is not there."""
        from safetensors.torch import load_file

        config, head = folder / "config.json", folder / "head.safetensors"
        found = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        if "siamese" not in found or not head.is_file():
            raise JobshiftError(
                f"{folder} has no siamese encoder: config.json with `siamese`, or head.safetensors, is "
                "missing; train one, or name another folder"
            )
        labels = [label for _, label in sorted(found["id2label"].items(), key=lambda n: int(n[0]))]
        model = cls(SiameseOptions(**found["siamese"]), EncoderOptions(str(folder)), labels)
        model.head.load_state_dict(load_file(head))
        return model.eval()
