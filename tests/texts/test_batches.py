"""Batches of like length: every row once, little padding, the order fixed by seed and epoch."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.texts.batches import Tokens, length_batches, read_tokens, sorted_batches, write_tokens

# Three texts: [5], [6, 7, 8], [9, 1]
TOKENS = Tokens(
    ids=np.array([5, 6, 7, 8, 9, 1], dtype=np.int32),
    offsets=np.array([0, 1, 4, 6]),
    vocabulary=10,
    padding=0,
)


def test_padded_only_to_the_longest_of_the_batch():
    ids, mask = TOKENS.padded(np.array([2, 0]))
    assert ids.tolist() == [[9, 1], [5, 0]]
    assert mask.tolist() == [[1, 1], [1, 0]]


def test_take_reorders_texts():
    taken = TOKENS.take(np.array([1, 0, 1]))
    assert taken.lengths.tolist() == [3, 1, 3]
    assert taken.ids.tolist() == [6, 7, 8, 5, 6, 7, 8]


def test_tokens_come_back_from_arrow_in_the_order_asked(tmp_path: Path):
    write_tokens(tmp_path / "tokens.arrow", ["a", "b", "c"], TOKENS)
    back = read_tokens(tmp_path / "tokens.arrow", ["c", "a"])
    assert back.ids.tolist() == [9, 1, 5]
    assert (back.vocabulary, back.padding) == (10, 0)


def test_equal_tokens_give_equal_bytes(tmp_path: Path):
    for name in ("one", "two"):
        write_tokens(tmp_path / name, ["a", "b", "c"], TOKENS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_missing_text_and_file_are_named(tmp_path: Path):
    write_tokens(tmp_path / "tokens.arrow", ["a", "b", "c"], TOKENS)
    with pytest.raises(JobshiftError, match=r"no tokens of the text z"):
        read_tokens(tmp_path / "tokens.arrow", ["a", "z"])
    with pytest.raises(JobshiftError, match="run the stage tokenize"):
        read_tokens(tmp_path / "other.arrow", ["a"])


lengths_of = st.lists(st.integers(1, 50), min_size=1, max_size=200).map(np.array)


@settings(max_examples=100, deadline=None)
@given(lengths_of, st.integers(1, 40), st.integers(0, 9), st.integers(0, 9))
def test_every_row_is_in_one_batch_and_the_order_is_fixed(lengths, size, seed, epoch):
    batches = length_batches(lengths, size, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert sorted(map(len, batches), reverse=True)[:-1] == [size] * (len(batches) - 1)
    again = length_batches(lengths, size, seed, epoch)
    assert all(np.array_equal(one, two) for one, two in zip(batches, again, strict=True))


@settings(max_examples=100, deadline=None)
@given(lengths_of, st.integers(1, 40))
def test_batches_do_not_overlap_in_length(lengths, size):
    # Sorted by their shortest text, no batch starts below the longest of the one before it.
    for batches in (length_batches(lengths, size, 0, 0), sorted_batches(lengths, size)):
        spans = sorted((lengths[rows].min(), lengths[rows].max()) for rows in batches)
        assert all(one[1] <= two[0] for one, two in pairwise(spans))


def test_epochs_differ():
    lengths = np.ones(100, dtype=int)
    first, second = (np.concatenate(length_batches(lengths, 10, 0, epoch)) for epoch in (0, 1))
    assert not np.array_equal(first, second)
