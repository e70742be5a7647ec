"""From texts to ratings: class probabilities, exposure, automation, confidence, and whether to trust them.

Texts of like length go through the model together, so that little is padding, and equal texts once. All
numbers are rounded to six decimals: so they are the same in every file format. `rate_table` does the same for a
chunk of a file, whose rows may lack a text.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jobshift.measures.exposure import MEASURES, class_weights
from jobshift.rating import files
from jobshift.rating.engines import Engine, open_engine
from jobshift.rating.exported import Exported, read_export
from jobshift.rating.heads import Heads, softmax

if TYPE_CHECKING:
    import pandas as pd
    from tokenizers import Tokenizer

BATCH_TOKENS = 1024  # of a batch, with its padding
DECIMALS = 6
SHOWN = {"words": 5, "tasks": 3}  # of an explanation
TYPES = {float: pa.float64(), str: pa.string(), bool: pa.bool_()}


@dataclass(frozen=True)
class Settings:
    """What the ratings of a chunk depend on, besides the chunk."""

    export: str  # folder
    hashed: str  # of the export's files
    engine: str
    threads: int
    form: str  # of the input
    text: str  # column
    occupation: str | None  # column
    mask: bool
    explain: bool


def rating_columns(exported: Exported) -> dict[str, type]:
    """What `rate_texts` gives, in its order: column → float, str or bool."""
    return {
        **{f"p_{name}": float for name in exported.classes},
        "predicted": str,
        **(dict.fromkeys(MEASURES, float) if exported.scores else {}),
        **{f"t_{name}": float for name in exported.automation},
        **({"automation": float} if exported.automation else {}),
        "confidence": float,
        "distance": float,
        "out_of_domain": bool,
        "note": str,
    }


def rate_texts(texts: list[str], exported: Exported, engine: Engine) -> "pd.DataFrame":
    """The ratings of `texts`, one row each, in their order; columns as in `rating_columns`.

    p_<class> are the calibrated probabilities and predicted is the likeliest class; alpha, beta and zeta
    (Eloundou et al. 2023) are there where classes have scores; t_<T0 … T4> and automation, their mean on a
    scale from 0 (T0) to 1 (T4), where the model has that head. confidence is the probability of the
    predicted class, distance 1 − mean cosine to the nearest training texts, and out_of_domain whether that
    is above the threshold. note is null, or says that a text was cut to the model's length.

    The same list gives the same numbers; in another list a text may be padded otherwise, which can change
    its last decimal.
    """
    import pandas as pd

    return pd.DataFrame(ratings(texts, exported, engine))


def ratings(texts: list[str], exported: Exported, engine: Engine) -> dict[str, np.ndarray]:
    """What `rate_texts` gives, as column → array [texts], without pandas, whose import takes half a second."""
    place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    found, _ = rate_distinct(list(place), exported, engine)
    rows = np.array([place[text] for text in texts], int)
    return {name: values[rows] for name, values in found.items()}


def rate_distinct(
    texts: list[str], exported: Exported, engine: Engine
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """As `ratings`, of texts that are all different, and their embeddings [texts, width], float32."""
    tokenizer, heads = opened(exported.folder)
    encodings = tokenizer.encode_batch_fast(texts)
    logits, embedding = run(
        engine, [each.ids for each in encodings], exported, heads.train.shape[1]
    )
    p = softmax(logits, exported.temperature)
    shares = heads.automation_probabilities(embedding)
    # In pieces, as each text is held against every training text.
    pieces = [embedding[start : start + 128] for start in range(0, len(embedding), 128)]
    distance = np.concatenate([np.empty(0), *map(heads.distance, pieces)])
    note = f"cut to {exported.max_length} tokens"
    found = {
        **{f"p_{name}": p[:, n] for n, name in enumerate(exported.classes)},
        "predicted": np.array(exported.classes, object)[p.argmax(axis=1)],
        "confidence": p.max(axis=1),
        "distance": distance,
        "out_of_domain": distance > exported.threshold,
        "note": np.array([note if each.overflowing else None for each in encodings], object),
    }
    if exported.scores:
        scores = {name: exported.scores[name] for name in exported.classes}
        found |= dict(zip(MEASURES, (p @ class_weights(scores)).T, strict=True))
    if exported.automation:
        found |= {f"t_{name}": shares[:, n] for n, name in enumerate(exported.automation)}
        found["automation"] = shares @ np.linspace(0, 1, len(exported.automation))
    rounded = {
        # Adding 0.0 turns −0.0 into 0.0.
        name: found[name].astype(float).round(DECIMALS) + 0.0 if kind is float else found[name]
        for name, kind in rating_columns(exported).items()
    }
    return rounded, embedding


@lru_cache(maxsize=2)
def opened(folder: Path) -> "tuple[Tokenizer, Heads]":
    """The tokenizer and heads of the export in `folder`, read once."""
    exported = read_export(folder)
    return exported.tokenizer(), exported.heads()


def run(
    engine: Engine, ids: list[list[int]], exported: Exported, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits [texts, classes] and embeddings [texts, width], both float32, of token ids."""
    logits = np.empty((len(ids), len(exported.classes)), np.float32)
    embedding = np.empty((len(ids), width), np.float32)
    for rows in batches(np.array([len(each) for each in ids], int)):
        longest = len(ids[rows[0]])
        padded = np.full((len(rows), longest), exported.padding, np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for place, row in enumerate(rows):
            padded[place, : len(ids[row])] = ids[row]
            mask[place, : len(ids[row])] = 1
        logits[rows], embedding[rows] = engine(padded, mask)
    return logits, embedding


def batches(lengths: np.ndarray, tokens: int = BATCH_TOKENS) -> list[np.ndarray]:
    """Rows in batches of at most `tokens` tokens with their padding (or one text), longest first."""
    order = np.argsort(-lengths, kind="stable")
    found, start = [], 0
    while start < len(order):
        size = max(1, tokens // int(lengths[order[start]]))
        found.append(order[start : start + size])
        start += size
    return found


# A chunk of a file


def columns(exported: Exported, settings: Settings) -> pa.Schema:
    """What is added behind the columns of the file."""
    explained = dict.fromkeys(("raises", "lowers", "nearest"), str) if settings.explain else {}
    kinds = rating_columns(exported) | explained | {files.PROBLEM: str}
    return pa.schema([(name, TYPES[kind]) for name, kind in kinds.items()])


@lru_cache(maxsize=1)
def tools(settings: Settings) -> tuple:
    """The export, its engine, and what masks and explains where that is asked for; opened once a process."""
    from threadpoolctl import threadpool_limits

    exported = read_export(Path(settings.export))
    masked = explainer = None
    if settings.mask:
        from jobshift.rating.masking import Masker

        masked = Masker()
    if settings.explain:
        from jobshift.rating.explain import Explainer

        explainer = Explainer(exported)
    engine = open_engine(exported, settings.engine, settings.threads)
    threadpool_limits(settings.threads)  # sums of numpy depend on it, too
    return exported, engine, masked, explainer


def rate_table(table: pa.Table, settings: Settings) -> pa.Table:
    """A chunk with its ratings: the columns of the file, masked if asked for, and behind them `columns`."""
    exported, engine, masked, explainer = tools(settings)
    kept = {name: table[name].combine_chunks() for name in table.column_names[:-1]}
    if masked:
        kept = {
            name: column
            if name in (settings.occupation, "id")
            else masked.column(column, settings.form)
            for name, column in kept.items()
        }
    known = settings.text in kept
    cells = files.decoded(kept[settings.text], settings.form) if known else [None] * table.num_rows
    problems = [
        before or why_not(cell)
        for before, cell in zip(table[files.PROBLEM].to_pylist(), cells, strict=True)
    ]
    texts = [cell for cell, problem in zip(cells, problems, strict=True) if not problem]
    found = ratings(texts, exported, engine)
    if explainer:
        found |= explanations(explainer, texts)
    place = iter(range(len(texts)))
    rows = pa.array([None if problem else next(place) for problem in problems], pa.int64())
    added = columns(exported, settings)
    new = [
        pa.array(found[each.name], each.type).take(rows)
        for each in added
        if each.name != files.PROBLEM
    ]
    new.append(pa.array([problem or None for problem in problems], pa.string()))
    return pa.Table.from_arrays([*kept.values(), *new], names=[*kept, *added.names])


def why_not(text: object) -> str:
    """Why a cell cannot be rated; empty where it can."""
    if text is None or text == "":
        return "no text"
    if not isinstance(text, str):
        return "not text"
    if files.broken(text):
        return "half of a surrogate pair"
    return "" if any(map(str.isalnum, text)) else "no letter or digit"


def explanations(explainer, texts: list[str]) -> dict[str, list[str]]:
    """Words that raise and lower the exposure, and the nearest labelled tasks, as text."""
    distinct = list(dict.fromkeys(texts))
    found = {}
    attributions = explainer.attributions(distinct) if texts else []
    nearest = explainer.nearest(distinct, SHOWN["tasks"]) if texts else []
    for text, attribution, tasks in zip(distinct, attributions, nearest, strict=True):
        pairs = zip(attribution.values, attribution.words, strict=True)
        words = sorted((value, word) for value, word in pairs if any(map(str.isalnum, word)))
        said = [f"{word} {value:+.3f}" for value, word in words]
        lowers = [each for each, (value, _) in zip(said, words, strict=True) if value < 0]
        raises = [each for each, (value, _) in zip(said, words, strict=True) if value > 0][::-1]
        rows = zip(tasks["cosine"], tasks["label"], tasks["text"], strict=True)
        found[text] = (
            ", ".join(raises[: SHOWN["words"]]),
            ", ".join(lowers[: SHOWN["words"]]),
            " | ".join(f"{cosine:.2f} {label} {text}" for cosine, label, text in rows),
        )
    names = ("raises", "lowers", "nearest")
    return {name: [found[text][n] for text in texts] for n, name in enumerate(names)}
