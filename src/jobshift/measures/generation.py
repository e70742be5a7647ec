"""How close generated texts are to their references, for many resamples at once.

| name | what | scale |
| --- | --- | --- |
| exact_match | share of outputs that equal their reference after `normalise` | 0 to 1 |
| any_match | share of outputs that equal one of all right texts of their row after `normalise` | 0 to 1 |
| rouge_l | mean F of the longest common subsequence of words | 0 to 1 |
| known_title | share of outputs that equal one of the given titles after `normalise` | 0 to 1 |
| cosine | mean cosine of the embeddings of output and reference | −1 to 1 |
| bleu, chrf | sacrebleu's corpus scores of the raw texts; `signatures` says with which settings | 0 to 100 |

BLEU and chrF are no means over rows: n-grams are counted over all rows first. Every row adds its
counts, so that sums of columns give all measures of all resamples, as in `bootstrap`.

Choices. `normalise` folds width and case, collapses white space and drops one full stop at the end,
nothing else: a missing comma or another form of a word is a different text. Each row has one
reference; where a task has several right targets, a model that gives one output a task can match
only one of its rows exactly, and `any_match` takes any of them. An empty output is an output: it
matches nothing but an empty reference, and its ROUGE-L is 0.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence

import numpy as np

from jobshift.errors import JobshiftError
from jobshift.measures.agreement import _ratio

NAMES = ("exact_match", "any_match", "rouge_l", "bleu", "chrf", "cosine", "known_title")

# A Chinese character, which no space parts from the next, or a run of other letters and digits.
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")

# Statistics of a row as sacrebleu orders them: lengths of output and reference, then the hits and
# the n-grams of the output of orders 1 to 4; for each order of characters 1 to 6 the n-grams of the
# output, of the reference, and the hits.
BLEU_ORDER, CHRF_ORDER, CHRF_BETA = 4, 6, 2


def normalise(text: str) -> str:
    """NFKC, case folded, runs of white space as one blank, ends stripped, without a last full stop."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.removesuffix(".").rstrip()


def exact_match(outputs: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Whether each output is its reference after `normalise`, 1.0 or 0.0, [n].

    Raises JobshiftError where there are not as many outputs as references or one is not a text.
    """
    _check(outputs, references)
    return np.array(
        [normalise(a) == normalise(b) for a, b in zip(outputs, references, strict=True)],
        dtype=float,
    )


def any_match(outputs: Sequence[str], right: Sequence[Collection[str]]) -> np.ndarray:
    """Whether each output is one of its row's right texts after `normalise`, 1.0 or 0.0, [n]."""
    rows = zip(outputs, right, strict=True)
    return np.array([normalise(a) in map(normalise, texts) for a, texts in rows], dtype=float)


def known_title(outputs: Sequence[str], titles: Collection[str]) -> np.ndarray:
    """Whether each output is one of `titles` after `normalise`, 1.0 or 0.0, [n]."""
    known = {normalise(title) for title in titles}
    return np.array([normalise(output) in known for output in outputs], dtype=float)


def words(text: str) -> list[str]:
    """The words of a text for ROUGE-L: runs of letters and digits of the normalised text, no stemming.

    For English text without accents as in Google's `rouge-score`; a Chinese character is a word.
    """
    return WORD.findall(normalise(text))


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence of two lists of words.

    With one bit for each word of `a`, in one step for each word of `b`: Hyyrö (2004), "Bit-parallel
    LCS-length computation revisited", AWOCA. A bit turns to 0 where the length grows by one.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(a)) - 1
    rows = every
    for word in b:
        hits = rows & places.get(word, 0)
        rows = (rows + hits | rows - hits) & every
    return len(a) - rows.bit_count()


def rouge_l(outputs: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """ROUGE-L of each output, [n], from 0 to 1: F of the longest common subsequence of `words`.

    Recall L / m and precision L / n with L the length of the subsequence, m words in the reference
    and n in the output; F = 2 R P / (R + P) = 2 L / (m + n). Lin (2004), "ROUGE: a package for
    automatic evaluation of summaries", section 3.1, with β = 1, as is usual. 0 where either has no
    word. Errors as in `exact_match`.
    """
    _check(outputs, references)
    values = np.zeros(len(outputs))
    for row, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        a, b = words(output), words(reference)
        if a and b:
            values[row] = 2 * common_subsequence(a, b) / (len(a) + len(b))
    return values


def cosine(outputs: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Cosine of the angle between the embeddings of each row, both [n × d]; [n], from −1 to 1.

    Raises JobshiftError where the shapes differ, or an embedding is zero or not finite.
    """
    if outputs.ndim != 2 or outputs.shape != references.shape:
        raise JobshiftError(
            f"embeddings of outputs are {outputs.shape} and of references {references.shape}; "
            "give both as rows × dimensions"
        )
    lengths = []
    for name, vectors in (("output", outputs), ("reference", references)):
        length = np.linalg.norm(vectors.astype(float), axis=1)
        bad = ~(np.isfinite(length) & (length > 0))
        if bad.any():
            raise JobshiftError(
                f"row {int(np.argmax(bad))}: the embedding of the {name} is zero or not finite "
                "and has no direction; mend the embeddings"
            )
        lengths.append(length)
    inner = (outputs.astype(float) * references).sum(axis=1)
    return np.clip(inner / lengths[0] / lengths[1], -1.0, 1.0)


def bleu_columns(outputs: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """What each row adds to the counts of `bleu`, [n × 2 + 4 + 4], counted by sacrebleu.

    Errors as in `exact_match`.
    """
    from sacrebleu.metrics import BLEU

    _check(outputs, references)
    return _statistics(BLEU(), outputs, references, 2 + 2 * BLEU_ORDER)


def bleu(sums: np.ndarray) -> np.ndarray:
    """Corpus BLEU, from 0 to 100, from sums of `bleu_columns` [… × 10].

    The geometric mean of the precisions of 1- to 4-grams times the brevity penalty
    exp(1 − r / c) where the outputs' length c is below the references' r: Papineni et al. (2002),
    doi:10.3115/1073083.1073135. The k-th precision without a hit is 1 / (2ᵏ · n-grams), as in NIST's
    mteval ("exp" in Chen and Cherry 2014, doi:10.3115/v1/W14-3346); 0 without any hit, or where no
    output is as long as four words. The same number as sacrebleu's. NaN where the references of a
    resample are empty.
    """
    lengths, hits, grams = np.split(sums, [2, 2 + BLEU_ORDER], axis=-1)
    output, reference = np.moveaxis(lengths, -1, 0)
    smoothed = np.where(hits == 0, 0.5 ** np.cumsum(hits == 0, axis=-1), hits)
    defined = (hits > 0).any(axis=-1) & (grams > 0).all(axis=-1)
    logs = np.log(np.where(grams > 0, smoothed, 1.0)) - np.log(np.where(grams > 0, grams, 1.0))
    penalty = np.minimum(0.0, 1 - reference / np.where(output > 0, output, 1.0))
    value = np.where(defined, 100 * np.exp(logs.mean(axis=-1) + penalty), 0.0)
    return np.where(reference > 0, value, np.nan)[()]


def chrf_columns(outputs: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """What each row adds to the counts of `chrf`, [n × 3 · 6], counted by sacrebleu.

    Errors as in `exact_match`.
    """
    from sacrebleu.metrics import CHRF

    _check(outputs, references)
    return _statistics(CHRF(), outputs, references, 3 * CHRF_ORDER)


def chrf(sums: np.ndarray) -> np.ndarray:
    """Corpus chrF, from 0 to 100, from sums of `chrf_columns` [… × 18].

    Precision P and recall R of character n-grams without white space, each averaged over the orders
    1 to 6 that occur in both outputs and references; F with β = 2, (1 + β²) P R / (β² P + R), in
    which recall weighs twice. Popović (2015), doi:10.18653/v1/W15-3049. 0 without any hit. The same
    number as sacrebleu's. NaN where the references of a resample are empty.
    """
    grams, cases, hits = np.moveaxis(sums.reshape(*sums.shape[:-1], CHRF_ORDER, 3), -1, 0)
    occurs = (grams > 0) & (cases > 0)
    orders = occurs.sum(axis=-1)
    precision, recall = (
        np.where(occurs, hits, 0.0) / np.where(occurs, whole, 1.0) for whole in (grams, cases)
    )
    precision, recall = (each.sum(axis=-1) / np.maximum(orders, 1) for each in (precision, recall))
    square = CHRF_BETA**2
    below = square * precision + recall
    value = 100 * (1 + square) * precision * recall / np.where(below > 0, below, 1.0)
    return np.where(cases[..., 0] > 0, value, np.nan)[()]


def signatures() -> dict[str, str]:
    """sacrebleu's signatures of the two scores, to report with them: settings and version."""
    from sacrebleu.metrics import BLEU, CHRF

    result = {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        # It knows the number of references, a part of its signature, once it has scored.
        metric.corpus_score(["a"], [["a"]])
        result[name] = str(metric.get_signature())
    return result


def columns(
    outputs: Sequence[str],
    references: Sequence[str],
    right: Sequence[Collection[str]],
    titles: Collection[str],
    cosines: np.ndarray,
) -> np.ndarray:
    """What each row adds to the sums of `measures`, [n × 1 + 5 + 10 + 18].

    `right` are all texts that would be right for the row, `titles` all that exist, and `cosines` [n]
    the cosine of each output and its reference. Raises JobshiftError where there are not as many of
    each or one is not a text.
    """
    return np.column_stack(
        [
            np.ones(len(outputs)),
            exact_match(outputs, references),
            any_match(outputs, right),
            rouge_l(outputs, references),
            cosines,
            known_title(outputs, titles),
            bleu_columns(outputs, references),
            chrf_columns(outputs, references),
        ]
    )


def measures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Every measure by name (`NAMES`), from sums of `columns`; NaN in a resample without rows."""
    count, means, words_sums, character_sums = np.split(
        sums, np.cumsum([1, 5, 2 + 2 * BLEU_ORDER]), axis=-1
    )
    exact, any_of, rouge, cosines, known = np.moveaxis(_ratio(means, count), -1, 0)
    values = (exact, any_of, rouge, bleu(words_sums), chrf(character_sums), cosines, known)
    return dict(zip(NAMES, values, strict=True))


def _statistics(
    metric: object, outputs: Sequence[str], references: Sequence[str], width: int
) -> np.ndarray:
    """sacrebleu's counts of each row, [n × width]: what its own resampling adds up."""
    if not len(outputs):
        return np.zeros((0, width))
    # Not part of its documented interface, but there is no other way to the counts of chrF; the
    # version is pinned and the tests compare the scores.
    rows = metric._extract_corpus_statistics(list(outputs), [list(references)])
    return np.array(rows, dtype=float)


def _check(outputs: Sequence[str], references: Sequence[str]) -> None:
    if len(outputs) != len(references):
        raise JobshiftError(
            f"there are {len(outputs)} outputs and {len(references)} references; "
            "give one of each a row"
        )
    for name, texts in (("output", outputs), ("reference", references)):
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise JobshiftError(
                    f'row {row}: the {name} {text!r} is not a text; an empty one is ""'
                )
