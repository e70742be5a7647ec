"""Token ids on disk as Arrow, and batches of texts of like length.

A batch is padded only to its own longest text, and texts of like length go together; on short texts
that saves more than half of the arithmetic. The order depends on seed and epoch alone, so a resumed run
sees the batches that an uninterrupted one would have seen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts: text i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: np.ndarray  # int32, all texts one after another
    offsets: np.ndarray  # int64, one more than there are texts
    vocabulary: int  # number of distinct ids that the tokenizer can give
    padding: int  # id that fills a batch up

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Tokens":
        """The tokens of `rows`, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ids = np.concatenate([self.ids[self.offsets[row] : self.offsets[row + 1]] for row in rows])
        return Tokens(ids, offsets, self.vocabulary, self.padding)

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and mask of `rows`, both int64 of shape [rows, longest text]; the mask is 1 on text."""
        lengths = self.lengths[rows]
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.full(mask.shape, self.padding, dtype=np.int64)
        ids[mask] = np.concatenate(
            [self.ids[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        )
        return ids, mask.astype(np.int64)


def write_tokens(file: Path, ids: list[str], tokens: Tokens) -> None:
    """Write the tokens of the texts called `ids` as one Arrow file."""
    lists = pa.ListArray.from_arrays(pa.array(tokens.offsets, pa.int32()), pa.array(tokens.ids))
    table = pa.table({"id": pa.array(ids), "input_ids": lists}).replace_schema_metadata(
        {"vocabulary": str(tokens.vocabulary), "padding": str(tokens.padding)}
    )
    with (
        complete_file(file) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table)


def read_tokens(file: Path, ids: list[str]) -> Tokens:
    """Read the tokens of the texts called `ids`, in that order (memory-mapped).

    Raises JobshiftError where the file is missing or lacks one of `ids`.
    """
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; run the stage tokenize first")
    table = pa.ipc.open_file(pa.memory_map(str(file))).read_all().combine_chunks()
    meta = {key.decode(): int(value) for key, value in table.schema.metadata.items()}
    lists = table["input_ids"].chunk(0)
    everything = Tokens(lists.values.to_numpy(), lists.offsets.to_numpy().astype(np.int64), **meta)
    place = {name: row for row, name in enumerate(table["id"].to_pylist())}
    missing = [name for name in ids if name not in place]
    if missing:
        raise JobshiftError(
            f"{file} has no tokens of the text {missing[0]}; run the stage tokenize again"
        )
    return everything.take(np.array([place[name] for name in ids]))


def length_batches(lengths: np.ndarray, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Divide rows into shuffled batches of like length; every row is in exactly one batch.

    `lengths` has one length a row, `size` rows make a batch (one batch may be smaller). Rows of equal
    length are in random order, and so are the batches; both depend on `seed` and `epoch` alone.
    """
    random = np.random.default_rng([seed, epoch])
    shuffled = random.permutation(len(lengths))
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    batches = [by_length[start : start + size] for start in range(0, len(lengths), size)]
    return [batches[number] for number in random.permutation(len(batches))]


def sorted_batches(lengths: np.ndarray, size: int) -> list[np.ndarray]:
    """Divide rows into batches of like length in a fixed order, longest first, for inference."""
    by_length = np.argsort(-lengths, kind="stable")
    return [by_length[start : start + size] for start in range(0, len(lengths), size)]
