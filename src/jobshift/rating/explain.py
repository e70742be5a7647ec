"""Why a model rates a text as it does: which words move its exposure, and which training tasks are near.

Integrated gradients (Sundararajan, Taly and Yan 2017, PMLR 70) over the word embeddings, through captum:
the attribution of a token is the integral of the gradient along the straight line from a baseline to the
text, times the way. The baseline is the text with padding in the place of every token but the special ones,
so these get exactly 0. What is explained is the exposure β = Σ p·score of the calibrated probabilities, or,
where the classes have no scores, the probability of the predicted class.

Completeness: the attributions of a text sum to its value less that of the baseline. The integral is a sum of
`STEPS[0]` points (Gauss–Legendre); where the gap is above `TOLERANCE` the steps are doubled, for these
texts alone, up to `STEPS[-1]`, and the gap that is left is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from jobshift.errors import JobshiftError
from jobshift.rating.exported import Exported, damaged
from jobshift.texts.batches import sorted_batches

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from tokenizers import Encoding

STEPS = (16, 32, 64, 128, 256)
TOLERANCE = 0.01  # of a value between 0 and 1
BATCH = 32  # texts
ROWS = 256  # texts × steps that go through the network at once


@dataclass(frozen=True)
class Attribution:
    """What each word of a text adds to its value."""

    words: list[str]  # as they stand in the text
    values: list[float]  # one a word, in the units of `value`
    value: float  # what is explained: β, or a probability
    baseline: float  # the same of the baseline
    completeness_gap: float  # |Σ values − (value − baseline)|


class Explainer:
    """Attributions and neighbours by an exported model; loads its network once, in full precision."""

    def __init__(self, exported: Exported):
        """Load the network; JobshiftError where the export cannot be read or captum is not installed."""
        try:
            from captum.attr import LayerIntegratedGradients
        except ImportError as error:
            raise JobshiftError(
                f"explaining needs {error.name}, which is not installed; "
                "run `pip install 'jobshift[explain]'`"
            ) from error
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            network = AutoModelForSequenceClassification.from_pretrained(
                exported.folder, use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise damaged(exported.folder / "model.safetensors") from error
        self.exported, self.network = exported, network.eval().requires_grad_(False)
        self.tokenizer = exported.tokenizer()
        self.gradients = LayerIntegratedGradients(self.values, network.get_input_embeddings())

    def values(
        self, ids: "torch.Tensor", mask: "torch.Tensor", weights: "torch.Tensor"
    ) -> "torch.Tensor":
        """Σ p·weight [texts] of token ids and mask [texts, tokens]; `weights` is [texts, classes]."""
        logits = self.network(input_ids=ids, attention_mask=mask).logits
        return ((logits / self.exported.temperature).softmax(dim=1) * weights).sum(dim=1)

    def attributions(self, texts: Sequence[str], target: str | None = None) -> list[Attribution]:
        """One attribution a text, the same for the same list of texts.

        `target` is a class whose probability is explained, None as in the module's docstring. Texts
        longer than the model reads are explained as far as it does. JobshiftError for an unknown class.
        """
        if target is not None and target not in self.exported.classes:
            raise JobshiftError(
                f"there is no class '{target}'; choose from {', '.join(self.exported.classes)}"
            )
        encodings = self.tokenizer.encode_batch(list(texts))
        found: list[Attribution | None] = [None] * len(texts)
        for rows in sorted_batches(lengths(encodings), BATCH):
            for steps in STEPS:
                part = self.of_batch([encodings[row] for row in rows], steps, target)
                left = []
                for row, (tokens, value, baseline) in zip(rows, part, strict=True):
                    words, values = summed(texts[row], encodings[row], tokens)
                    gap = abs(sum(values) - (value - baseline))
                    found[row] = Attribution(words, values, value, baseline, gap)
                    if gap > TOLERANCE:
                        left.append(row)
                if not (rows := left):
                    break
        return found

    def of_batch(
        self, encodings: Sequence["Encoding"], steps: int, target: str | None
    ) -> list[tuple[np.ndarray, float, float]]:
        """Attributions [tokens] of each text, its value and that of its baseline."""
        import torch

        ids, mask, special = padded(encodings, self.exported.padding)
        ids, mask, special = (torch.from_numpy(each) for each in (ids, mask, special))
        baseline = torch.where(special, ids, self.exported.padding)
        with torch.no_grad():
            weights = self.weights(ids, mask, target)
            values, of_baseline = (self.values(x, mask, weights) for x in (ids, baseline))
        tokens = self.gradients.attribute(
            ids,
            baseline,
            additional_forward_args=(mask, weights),
            n_steps=steps,
            internal_batch_size=max(ROWS, len(ids)),
        ).sum(dim=-1)
        return [
            (own[: len(encoding)], float(value), float(blank))
            for own, encoding, value, blank in zip(
                tokens.numpy(), encodings, values, of_baseline, strict=True
            )
        ]

    def weights(
        self, ids: "torch.Tensor", mask: "torch.Tensor", target: str | None
    ) -> "torch.Tensor":
        """How much the probability of each class counts in what is explained, [texts, classes]."""
        import torch

        classes, scores = self.exported.classes, self.exported.scores
        if target is None and scores:
            each = torch.tensor([scores[name] for name in classes])
            return each.expand(len(ids), -1)
        if target is None:
            chosen = self.network(input_ids=ids, attention_mask=mask).logits.argmax(dim=1)
        else:
            chosen = torch.full((len(ids),), classes.index(target))
        return torch.eye(len(classes))[chosen]

    def nearest(self, texts: Sequence[str], count: int) -> "list[pd.DataFrame]":
        """For each text its `count` nearest training texts, nearest first.

        Columns cosine, id, text, label, occupation; the cosine is that of the mean embeddings of the last
        layer. Fewer where there are fewer training texts.
        """
        heads, evidence = self.neighbours
        encodings = self.tokenizer.encode_batch(list(texts))
        found: list[pd.DataFrame | None] = [None] * len(texts)
        for batch in sorted_batches(lengths(encodings), BATCH):
            embedding = self.embedding([encodings[row] for row in batch])
            for row, near, cosine in zip(batch, *heads.nearest(embedding, count), strict=True):
                own = evidence.iloc[near].reset_index(drop=True)
                own.insert(0, "cosine", cosine)
                found[row] = own
        return found

    @cached_property
    def neighbours(self) -> tuple:
        """The embeddings of the training texts, and their rows."""
        return self.exported.heads(), self.exported.evidence()

    def embedding(self, encodings: Sequence["Encoding"]) -> np.ndarray:
        """Mean of the last layer over the tokens of each text, [texts, width]."""
        import torch

        ids, mask, _ = (torch.from_numpy(x) for x in padded(encodings, self.exported.padding))
        with torch.no_grad():
            out = self.network(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        share = mask / mask.sum(dim=1, keepdim=True)
        return (out.hidden_states[-1] * share[..., None]).sum(dim=1).numpy()


def lengths(encodings: Sequence["Encoding"]) -> np.ndarray:
    """Number of tokens of each text."""
    return np.array([len(encoding) for encoding in encodings], dtype=int)


def padded(
    encodings: Sequence["Encoding"], padding: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, mask (1 on tokens), both int64, and whether a token is a special one, [texts, longest text]."""
    shape = len(encodings), max(len(encoding) for encoding in encodings)
    ids, mask = np.full(shape, padding, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    special = np.ones(shape, dtype=bool)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding)] = encoding.ids
        mask[row, : len(encoding)] = 1
        special[row, : len(encoding)] = np.array(encoding.special_tokens_mask, dtype=bool)
    return ids, mask, special


def summed(text: str, encoding: "Encoding", tokens: np.ndarray) -> tuple[list[str], list[float]]:
    """The words of a text with the sums of what their pieces have in `tokens`; special tokens are none.

    Words are those of the tokenizer, as they stand in the text; a piece with a Chinese character is a
    word of its own, as a clause without spaces may be one word to the tokenizer.
    """
    words, values, before = [], [], None
    for token, (word, (start, end)) in enumerate(
        zip(encoding.word_ids, encoding.offsets, strict=True)
    ):
        if word is None:
            continue
        piece = text[start:end].strip()
        alone = any("\u3400" <= letter <= "\u9fff" for letter in piece)
        if word == before and not alone:
            words[-1] += piece
            values[-1] += float(tokens[token])
        else:
            words.append(piece)
            values.append(float(tokens[token]))
        before = None if alone else word
    return words, values
