"""Measures of generated texts by hand, as sacrebleu gives them, and for weights as a slow loop."""

import numpy as np
import pandas as pd
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap, generation

REFERENCES = [
    "Water the plants in the old greenhouse.",
    "Count the boxes that arrive at the gate.",
    "Paint the fence of the garden.",
    "Sing to the bees at noon.",
    "Fold the paper into small boats.",
]
OUTPUTS = [
    "water the plants in the old greenhouse",
    "Count boxes at the gate each morning.",
    "Sing to the bees at noon.",
    "",
    "Fold paper into large boats.",
]
RIGHT = [[reference] for reference in REFERENCES]

tokens = st.lists(st.sampled_from("abcd"), max_size=8)
texts = st.lists(st.sampled_from(["sing", "to", "the", "bees,", "at", "noon."]), max_size=9).map(
    " ".join
)


def test_normalise():
    # Case, full-width letters, white space and one full stop at the end.
    assert generation.normalise("  Ｗater\tthe  PLANTS . ") == "water the plants"
    assert generation.normalise("Wait..") == "wait."
    # Nothing else: punctuation and word forms stay.
    assert generation.normalise("Cut, then fold") != generation.normalise("Cut then fold")
    assert generation.normalise("") == generation.normalise(".") == ""


def test_exact_match_and_known_title_by_hand():
    np.testing.assert_array_equal(generation.exact_match(OUTPUTS, REFERENCES), [1, 0, 0, 0, 0])
    # The third output is a title, though not the right one; an empty text is none.
    np.testing.assert_array_equal(generation.known_title(OUTPUTS, REFERENCES), [1, 0, 1, 0, 0])


def test_any_match_by_hand():
    right = [
        REFERENCES[:1],
        REFERENCES,
        REFERENCES[3:],
        ["."],
        [*RIGHT[4], "FOLD paper into large boats"],
    ]
    # The second is none of all, the third one of two, the empty one equals a full stop.
    np.testing.assert_array_equal(generation.any_match(OUTPUTS, right), [1, 0, 1, 1, 1])
    # With the references alone it is exact match.
    exact = generation.exact_match(OUTPUTS, REFERENCES)
    np.testing.assert_array_equal(generation.any_match(OUTPUTS, RIGHT), exact)


def test_words():
    assert generation.words("Re-count 12 boxes, at_noon!") == [
        "re",
        "count",
        "12",
        "boxes",
        "at",
        "noon",
    ]
    # No spaces between Chinese words: each character is one.
    assert generation.words("给 plants 浇水。") == ["给", "plants", "浇", "水"]


def test_rouge_l_by_hand():
    # Row 1: all 7 words. Row 2: "count boxes at the gate" = 5 of 7 and of 8: 10 / 15. Row 3: "the"
    # of 6 and 6: 2 / 12. Row 4: nothing. Row 5: "fold paper into boats" = 4 of 5 and 6: 8 / 11.
    np.testing.assert_allclose(
        generation.rouge_l(OUTPUTS, REFERENCES), [1, 10 / 15, 2 / 12, 0, 8 / 11]
    )
    # Order counts: of "b a" and "a b" one word is common. Lin's (2004) own example: "police killed
    # the gunman" against "police kill the gunman" 3 of 4 and 4, "the gunman kill police" 2 of 4.
    np.testing.assert_allclose(
        generation.rouge_l(
            ["b a", "police kill the gunman", "the gunman kill police"],
            ["a b", "police killed the gunman", "police killed the gunman"],
        ),
        [1 / 2, 3 / 4, 2 / 4],
    )


def slow_subsequence(a: list[str], b: list[str]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


@given(tokens, tokens)
def test_common_subsequence_as_a_table(a, b):
    assert generation.common_subsequence(a, b) == slow_subsequence(a, b)


def test_cosine_by_hand():
    outputs = np.array([[3.0, 4], [1, 0], [2, 0]])
    references = np.array([[4.0, 3], [0, 2], [-5, 0]])
    # (12 + 12) / (5 · 5); a right angle; the opposite.
    np.testing.assert_allclose(generation.cosine(outputs, references), [24 / 25, 0, -1])
    with pytest.raises(JobshiftError, match="row 1: the embedding of the reference is zero"):
        generation.cosine(outputs, np.array([[1.0, 1], [0, 0], [1, 1]]))
    with pytest.raises(JobshiftError, match="rows × dimensions"):
        generation.cosine(outputs, references[:2])


def test_bleu_by_hand():
    # One row, "a b c d e" for "a b c d f g": hits of orders 1 to 4: 4, 3, 2, 1 of 5, 4, 3, 2
    # n-grams; 5 words for 6: penalty exp(1 − 6/5).
    sums = np.array([5.0, 6, 4, 3, 2, 1, 5, 4, 3, 2])
    expected = 100 * np.exp(1 - 6 / 5) * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)
    assert generation.bleu(sums) == pytest.approx(expected)
    # No hit of orders 3 and 4: 1/2 of 3 and 1/4 of 2 n-grams; no penalty.
    sums = np.array([5.0, 5, 4, 3, 0, 0, 5, 4, 3, 2])
    expected = 100 * (4 / 5 * 3 / 4 * (1 / 2 / 3) * (1 / 4 / 2)) ** (1 / 4)
    assert generation.bleu(sums) == pytest.approx(expected)
    # No hit; no output of four words; no output; no reference.
    rows = [
        [4, 4, 0, 0, 0, 0, 4, 3, 2, 1],
        [3, 4, 3, 2, 1, 0, 3, 2, 1, 0],
        [0, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        [0] * 10,
    ]
    np.testing.assert_array_equal(generation.bleu(np.array(rows, dtype=float)), [0, 0, 0, np.nan])


def test_chrf_by_hand():
    # "ab" for "abc": orders 1 and 2 occur in both: precision 2/2 and 1/1, recall 2/3 and 1/2, mean
    # 1 and 7/12; order 3 only in the reference. F = 5 · 1 · 7/12 / (4 · 1 + 7/12).
    sums = np.array([2.0, 3, 2, 1, 2, 1, 0, 1, 0, *[0] * 9])
    assert generation.chrf(sums) == pytest.approx(100 * 5 * 7 / 12 / (4 + 7 / 12))
    assert np.isnan(generation.chrf(np.zeros(18)))
    # A reference and no output, and no hit.
    rows = np.zeros((2, 18))
    rows[:, 1] = 3
    rows[1, 0] = 2
    np.testing.assert_array_equal(generation.chrf(rows), [0, 0])


@settings(max_examples=60)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_as_sacrebleu(rows):
    outputs, references = (list(side) for side in zip(*rows, strict=True))
    ours = {
        "bleu": generation.bleu(generation.bleu_columns(outputs, references).sum(axis=0)),
        "chrf": generation.chrf(generation.chrf_columns(outputs, references).sum(axis=0)),
    }
    if not any(references):
        assert all(np.isnan(value) for value in ours.values())
        return
    theirs = {
        "bleu": sacrebleu.corpus_bleu(outputs, [references]).score,
        "chrf": sacrebleu.corpus_chrf(outputs, [references]).score,
    }
    assert ours == pytest.approx(theirs)


def test_signatures():
    version = sacrebleu.__version__
    assert generation.signatures() == {
        "bleu": f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}",
        "chrf": f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}",
    }


def test_draws_of_groups_as_a_slow_loop():
    rng = np.random.default_rng(7)
    n, groups = 25, 6
    of, given_out = rng.integers(5, size=n), rng.integers(5, size=n)
    # Half of the outputs belong to their reference, half to any; half have a second right text.
    given_out = np.where(rng.random(n) < 0.5, of, given_out)
    outputs, references = [OUTPUTS[i] for i in given_out], [REFERENCES[i] for i in of]
    right = [[REFERENCES[i], REFERENCES[row % 5]] for row, i in enumerate(of)]
    group, cosines = rng.integers(groups, size=n), rng.uniform(-1, 1, size=n)
    held_out = bootstrap.Resamples(pd.DataFrame({"group": group}), draws=12, seed=8)
    columns = generation.columns(outputs, references, right, REFERENCES, cosines)
    result = generation.measures(held_out.sums(columns))
    each = {
        "exact_match": generation.exact_match(outputs, references),
        "any_match": generation.any_match(outputs, right),
        "rouge_l": generation.rouge_l(outputs, references),
        "cosine": cosines,
        "known_title": generation.known_title(outputs, REFERENCES),
    }
    assert each["any_match"].sum() > each["exact_match"].sum()
    assert tuple(result) == generation.NAMES and set(result) == {*each, "bleu", "chrf"}
    for draw, drawn in enumerate(held_out.weights.T.astype(int)):
        kept = np.repeat(np.arange(n), drawn[group])
        slow = {name: np.mean([values[row] for row in kept]) for name, values in each.items()}
        drawn_texts = [outputs[row] for row in kept], [[references[row] for row in kept]]
        slow["bleu"] = sacrebleu.corpus_bleu(*drawn_texts).score
        slow["chrf"] = sacrebleu.corpus_chrf(*drawn_texts).score
        for name, value in slow.items():
            assert result[name][draw] == pytest.approx(value), (name, draw)
    for name, value in generation.measures(columns.sum(axis=0)).items():
        assert np.ndim(value) == 0
        assert value == pytest.approx(result[name][0])


def test_plain_values_by_hand():
    cosines = np.array([1, 0.5, 0, 0, -0.5])
    columns = generation.columns(OUTPUTS, REFERENCES, RIGHT, REFERENCES, cosines)
    result = generation.measures(columns.sum(axis=0))
    assert result["exact_match"] == result["any_match"] == pytest.approx(1 / 5)
    assert result["known_title"] == pytest.approx(2 / 5)
    assert result["rouge_l"] == pytest.approx((1 + 10 / 15 + 2 / 12 + 0 + 8 / 11) / 5)
    assert result["cosine"] == pytest.approx(1 / 5)


def test_without_rows_all_is_undefined():
    columns = generation.columns([], [], [], REFERENCES, np.empty(0))
    assert columns.shape == (0, 34)
    values = generation.measures(columns.sum(axis=0))
    assert len(values) == 7 and all(np.isnan(value) for value in values.values())


def test_bad_input():
    with pytest.raises(JobshiftError, match="1 outputs and 2 references"):
        generation.exact_match(["a"], ["a", "b"])
    with pytest.raises(JobshiftError, match="row 1: the output None is not a text"):
        generation.rouge_l(["a", None], ["a", "b"])
