"""How `train` fits models that write a text for each text: sequence to sequence, and two that write none anew.

Outputs are written for validation and test alone, once for each distinct text: greedily or however the
model's `generation` says, and the test texts also in the ways of `generation.also`. How close an output is
to its target in meaning is the cosine of their embeddings by MiniLM, whichever model wrote it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.config import RunConfig
from jobshift.errors import JobshiftError
from jobshift.models.options import GenerationOptions, monitored
from jobshift.stages.train import PREPARED, section, taught, together

EMBEDDER = Path("data/raw/minilm")  # of outputs and targets, for their cosine
MAX_LENGTH = 128  # tokens that it reads, with the special ones
WRITTEN = ("val", "test")


def fit_generation(
    config: RunConfig,
    parts: dict[str, pd.DataFrame],
    scratch: Path,
    logger,
    callbacks: Sequence = (),
):
    """Fit a model that writes; returns it, what it wrote for each part, and its history or None.

    What it wrote has a row for each of the part's: `output`, `log_probability` (natural, of the whole output;
    NaN where a model has none), `cosine` with the target; in the test also `output_D` and `cosine_D` for
    each D of `generation.also`. It has no columns in parts for which nothing is written.
    """
    if not EMBEDDER.is_dir():
        raise JobshiftError(
            f"{EMBEDDER} is missing, by which outputs are compared with targets; run `jobshift fetch "
            "source=minilm` first"
        )
    titles = json.loads((PREPARED / config.data.name / "titles.json").read_text(encoding="utf-8"))
    everything = together(parts)
    train = everything.iloc[taught(config, everything)]
    held = {part: parts[part] for part in WRITTEN if part in parts}
    history = None
    if config.model.kind == "seq2seq":
        model, found, history = fit_seq2seq(
            config, train, held, titles, scratch / "epochs", logger, callbacks
        )
    else:
        model = baseline(config, titles)
        model.fit(train)
        found = {
            part: pd.DataFrame({"output": model.outputs(rows), "log_probability": np.nan})
            for part, rows in held.items()
        }
    add_cosines(found, held, titles)
    nothing = {part: pd.DataFrame(index=range(len(rows))) for part, rows in parts.items()}
    return model, nothing | found, history


def baseline(config: RunConfig, titles: list[str]):
    """A model that writes nothing of its own, not yet fitted; `titles` are all that are known."""
    if config.model.kind == "majority":
        from jobshift.models.baselines import MajorityTarget

        return MajorityTarget()
    from jobshift.models.nearest import Nearest

    options = section(config, "nearest")
    if not options.path:
        return Nearest(options, titles=titles)
    from jobshift.models.probe import sentences, vectors

    file = PREPARED / config.data.name / "tasks.parquet"
    embedded = sentences(options.path, options.max_length, file, False)
    if options.titles:
        embedded |= vectors(options.path, options.max_length, sorted({*titles} - {*embedded}))
    return Nearest(options, embedded, titles)


def fit_seq2seq(
    config: RunConfig,
    train: pd.DataFrame,
    held: dict[str, pd.DataFrame],
    titles: list[str],
    checkpoints: Path,
    logger,
    callbacks: Sequence,
):
    """Train a sequence to sequence model on the pairs of text and target in `train`, and let it write.

    Its vocabulary is that of the training pairs. `held` are validation, which chooses the epoch unless it is
    learnt from, and test. Returns the network, the outputs of each part of `held` and the history.
    """
    import torch

    from jobshift.models import seq2seq
    from jobshift.models.encoder import FrozenOutputs
    from jobshift.texts.batches import sorted_batches
    from jobshift.texts.tokenizer import load_tokenizer

    options, generation = section(config, "seq2seq"), section(config, "generation")
    training = section(config, "training")
    training = replace(training, monitor=monitored(training.monitor, config.data.task))
    optimizer, ways = section(config, "optimizer"), decodings(generation)
    tokenizer = load_tokenizer(section(config, "tokenizer"))
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(config.seed)
    learnt = [*train["text"], *train["target"]]
    vocabulary = seq2seq.crop(tokenizer, learnt) if options.crop else seq2seq.Vocabulary(tokenizer)
    network = seq2seq.Seq2Seq(options, vocabulary)

    rows = pd.concat([train, *held.values()])
    texts, targets = (pd.Index(sorted(set(rows[name]))) for name in ("text", "target"))
    inputs = sources = vocabulary.sources(texts)
    if options.cache_frozen:
        batches = sorted_batches(sources.lengths, 64)
        inputs = FrozenOutputs(network.reader, sources, batches, keep=True)
    outputs = vocabulary.targets(targets)
    for way in ways.values():
        # Of no text: what is wrong with the options or titles should show now, not after hours of training.
        seq2seq.generate(network, inputs, np.arange(0), way, titles)

    def pairs(frame: pd.DataFrame) -> seq2seq.Pairs:
        return seq2seq.Pairs(
            inputs,
            texts.get_indexer(frame["text"]),
            outputs,
            targets.get_indexer(frame["target"]),
            frame["weight"].to_numpy(np.float32),
        )

    history = seq2seq.fit(
        network,
        pairs(train),
        pairs(held["val"]) if config.fit_on == "train" else None,
        config.loss,
        optimizer,
        training,
        config.seed,
        checkpoints,
        logger,
        callbacks,
        options.sample,
    )
    found = {}
    for part, frame in held.items():
        distinct, row = np.unique(pairs(frame).rows, return_inverse=True)
        found[part] = pd.DataFrame(index=range(len(frame)))
        for name, way in ways.items() if part == "test" else [("", ways[""])]:
            written, scores = seq2seq.generate(network, inputs, distinct, way, titles, config.seed)
            found[part][f"output{name}"] = np.array(written, dtype=object)[row]
            if not name:
                found[part]["log_probability"] = scores[row]
    return network, found, history


def decodings(generation: GenerationOptions) -> dict[str, GenerationOptions]:
    """The ways in which texts are written, by the ending of their columns' names: the model's own has none.

    Raises JobshiftError where `generation.also` names another one, or one twice.
    """
    further = {
        "beam": replace(generation, how="beam", constrained=False),
        "sample": replace(generation, how="sample", constrained=False),
        "constrained": replace(generation, constrained=True),
    }
    if len(set(generation.also)) < len(generation.also) or not further.keys() >= {*generation.also}:
        raise JobshiftError(
            f"generation.also is {generation.also}; choose from {', '.join(further)}, each once"
        )
    return {"": generation} | {f"_{name}": further[name] for name in generation.also}


def add_cosines(
    found: dict[str, pd.DataFrame], held: dict[str, pd.DataFrame], titles: list[str]
) -> None:
    """Put a column `cosine…` behind each column `output…` of `found`, the first behind the probability."""
    from jobshift.measures.generation import cosine
    from jobshift.models.probe import vectors

    def embedded(texts: set[str]) -> dict[str, np.ndarray]:
        return vectors(str(EMBEDDER), MAX_LENGTH, sorted(texts)) if texts else {}

    written = {
        text
        for frame in found.values()
        for name in frame
        if name.startswith("output")
        for text in frame[name]
    }
    # The titles by themselves: they are the same in every run, and so embedded once for all.
    vector = embedded(set(titles)) | embedded(
        (written | {text for rows in held.values() for text in rows["target"]}) - set(titles)
    )
    for part, frame in found.items():
        right = np.array([vector[text] for text in held[part]["target"]])
        for name in [name for name in frame if name.startswith("output")]:
            own = np.array([vector[text] for text in frame[name]])
            place = frame.columns.get_loc(name) + (2 if name == "output" else 1)
            frame.insert(place, name.replace("output", "cosine"), cosine(own, right).round(6))
