"""A bidirectional LSTM over token embeddings that are learned from the training texts alone."""

from pathlib import Path

from torch import Tensor, nn

from jobshift.errors import JobshiftError
from jobshift.models.options import LstmOptions


class Lstm(nn.Module):
    """Embedding, bidirectional LSTM, pooling over the tokens, linear layer."""

    def __init__(self, options: LstmOptions, vocabulary: int, padding: int, classes: int):
        super().__init__()
        if options.pooling not in ("max", "mean"):
            raise JobshiftError(f"lstm.pooling is {options.pooling!r}; choose max or mean")
        self.pooling = options.pooling
        self.embedding = nn.Embedding(vocabulary, options.embedding, padding_idx=padding)
        self.lstm = nn.LSTM(
            options.embedding,
            options.hidden,
            options.layers,
            batch_first=True,
            bidirectional=True,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(options.dropout)
        self.linear = nn.Linear(2 * options.hidden, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits [texts, classes] of token ids and mask, both [texts, tokens]."""
        lengths = attention_mask.sum(dim=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.embedding(input_ids)), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        text = attention_mask.unsqueeze(-1).bool()
        if self.pooling == "max":
            pooled = states.masked_fill(~text, float("-inf")).amax(dim=1)
        else:
            pooled = (states * text).sum(dim=1) / lengths.to(states)[:, None]
        return self.linear(self.dropout(pooled))

    def save(self, folder: Path) -> None:
        """Write the weights as `model.safetensors` into `folder`."""
        from safetensors.torch import save_file

        save_file(self.state_dict(), folder / "model.safetensors")
