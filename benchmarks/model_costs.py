"""What each model costs: parameters, training time, memory, speed of rating, size; reports/costs.csv.

    python benchmarks/model_costs.py [--models lstm minilm …] [--data onet] [--seed 0] [--threads N]

Trains the models (by default all of params.yaml) for real on fold 0 of the purged split, each in a process
of its own, one after another. A row is written as soon as its model is done; rows of other models stay.
Run the stages prepare and tokenize first. In the study's folder nothing but reports/costs.csv changes.

- training_seconds: fitting, with what is done once (running frozen layers, embedding texts; nothing is
  taken from data/features/) and validation after epochs. Without imports, reading data, loading pretrained
  weights, and the teacher of a student. Only what training needs is embedded: the study's own runs also
  embed the parts that are only predicted.
- once_seconds: the part of training_seconds that is spent once for all runs, as they find what frozen
  layers gave in data/features/.
- training_texts: texts learned from in an epoch; epochs: those that were run, 1 for models without.
- peak_memory_mb: the largest resident set of the training process.
- rating_texts_per_second: texts of the test part, from raw text to probabilities, after a warm-up.
- size_mb: all files of the saved model; of adapters and probes without the encoder that they need.
- parameters_total counts that encoder. Of models without a network they are the numbers they save.
- An ensemble is not trained: it is the sum of its members, computed from the row of their model.
"""

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from jobshift.config import CONF, RunConfig, compose_and_run, load_params
from jobshift.errors import JobshiftError
from jobshift.models.probe import sentences
from jobshift.outputs import write_csv
from jobshift.stages import compare

COSTS = compare.COSTS_FILE
COLUMNS = ["data", "model", *compare.COSTS]
MB = 1e6


def measure(config: RunConfig, threads: int) -> dict:
    """Train one model in this process; its row of costs.csv."""
    from jobshift.stages import train

    train.check(config)
    if config.data.task == "generation":
        raise JobshiftError(
            f"the models of {config.data.name} write texts, and what that costs is not measured; choose a "
            "data set whose models rate"
        )
    if config.model.kind == "ensemble":
        return sum_of_members(config)
    train.other_runs(config)  # a student's teacher must be there
    fold = train.PREPARED / config.data.name / config.split / "0"
    if not fold.is_dir():
        raise JobshiftError(f"{fold} is missing; run the stage prepare first")
    needed = dict.fromkeys([*train.FIT_ON[config.fit_on], "val"])
    read = {part: train.read_part(config, fold, part) for part in needed}
    parts = {part: rows for part, rows in read.items() if len(rows)}
    everything = train.together(parts)
    network = config.model.kind in train.NETWORKS
    if network or config.model.kind == "probe":
        import torch

        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        spent = SimpleNamespace(seconds=0.0, once=0.0)
        if network:
            time_network(spent)
            model, _, history = train.fit_network(config, fold, parts, scratch, None)
        else:
            time_baseline(spent, config, everything, scratch)
            model, _, history = train.fit_baseline(config, parts)
        memory = peak_memory()
        saved = scratch / "model"
        saved.mkdir()
        model.save(saved)  # which also puts a network together again that was cut for its cache
        if config.model.kind in ("encoder", "siamese"):
            train.tokenizer_files(config, saved)
        size = sum(file.stat().st_size for file in saved.rglob("*") if file.is_file())
        total, trained = parameters(config, model, saved)
        rate = rater(config, model, scratch)
        speed = texts_per_second(rate, train.read_part(config, fold, "test"))
    texts = len(train.taught(config, everything))
    epochs = 1 if history is None else int(history["epoch"].max()) + 1
    return {
        "data": config.data.name,
        "model": config.model.name,
        "parameters_total": total,
        "parameters_trained": trained,
        "training_texts": texts,
        "epochs": epochs,
        "training_seconds": spent.seconds + spent.once,
        "once_seconds": spent.once,
        "training_texts_per_second": texts * epochs / (spent.seconds + spent.once),
        "peak_memory_mb": memory,
        "rating_texts_per_second": speed,
        "size_mb": size / MB,
        "threads": threads,
    }


def add_time(spent: SimpleNamespace, owner, name: str, kind: str = "seconds") -> None:
    """Let every call of `owner`.`name` add its time to `spent`.`kind`."""
    function = getattr(owner, name)

    def timed(*arguments, **options):
        start = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            setattr(spent, kind, getattr(spent, kind) + time.perf_counter() - start)

    setattr(owner, name, timed)


def compute_anew(module) -> None:
    """Let `module` compute what frozen layers give, and neither read nor write data/features/."""
    module.stored = lambda _, compute: compute()


def time_network(spent: SimpleNamespace) -> None:
    """Time the fit of a network and the one run of its frozen part; not loading, not predicting."""
    from jobshift.models import encoder, training

    compute_anew(encoder)
    add_time(spent, encoder, "FrozenOutputs", "once")
    add_time(spent, training, "fit")


def time_baseline(
    spent: SimpleNamespace, config: RunConfig, rows: pd.DataFrame, scratch: Path
) -> None:
    """Time the fit of a baseline and the embedding of its texts, after imports."""
    from jobshift.models import baselines, probe

    for each in (baselines.Majority, baselines.ActivityLookup, baselines.Tfidf, probe.Probe):
        add_time(spent, each, "fit")
    if config.model.kind in ("tfidf", "svm", "probe"):
        import sklearn.calibration
        import sklearn.feature_extraction.text
        import sklearn.linear_model
        import sklearn.model_selection
        import sklearn.svm  # noqa: F401
    if config.model.kind == "probe":
        from transformers import AutoModel

        from jobshift.models import features

        compute_anew(features)
        # Loaded once, as by a program that goes on rating texts.
        AutoModel.from_pretrained = functools.cache(AutoModel.from_pretrained)
        embedded(config, rows.head(1), scratch)
        probe.sentences = lambda *_: embedded(config, rows, scratch)
        add_time(spent, probe, "sentences", "once")


def embedded(config: RunConfig, rows: pd.DataFrame, scratch: Path) -> dict[str, np.ndarray]:
    """The embeddings of the texts of `rows`, computed now."""
    file = scratch / "texts.parquet"
    rows.to_parquet(file)
    options = config.probe
    # Past its cache, and past the clock that may stand before it.
    return sentences.__wrapped__(options.path, options.max_length, file, options.pair)


def peak_memory() -> float:
    """The largest resident set of this process so far, in MB.

    Linux starts it at that of the process which started this one; so that one loads no more than this.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def parameters(config: RunConfig, model, saved: Path) -> tuple[int, int]:
    """All parameters that rating needs, and those of them that were trained."""
    from jobshift.stages.train import NETWORKS

    if config.model.kind in NETWORKS:
        every = list(model.parameters())
        return sum(p.numel() for p in every), sum(p.numel() for p in every if p.requires_grad)
    trained = numbers_saved(saved)
    if config.model.kind != "probe":
        return trained, trained
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(
        config.probe.path, trust_remote_code=False, use_safetensors=True
    )
    return trained + sum(p.numel() for p in encoder.parameters()), trained


def numbers_saved(folder: Path) -> int:
    """How many numbers a baseline saved, in safetensors or JSON; `classes` only names the classes."""
    from safetensors.numpy import load_file

    def count(content) -> int:
        if isinstance(content, dict):
            content = list(content.values())
        if isinstance(content, list):
            return sum(count(each) for each in content)
        return int(isinstance(content, int | float))

    tables = sum(count(json.loads(file.read_text())) for file in folder.glob("*.json"))
    return tables + sum(
        array.size
        for file in folder.glob("*.safetensors")
        for name, array in load_file(file).items()
        if name != "classes"
    )


def rater(config: RunConfig, model, scratch: Path) -> Callable[[pd.DataFrame], None]:
    """What takes rows with raw texts to their probabilities."""
    from jobshift.stages.train import NETWORKS

    if config.model.kind == "probe":

        def rate_embedded(rows: pd.DataFrame) -> None:
            model.embedded = embedded(config, rows, scratch)
            model.probabilities(rows)

        return rate_embedded
    if config.model.kind not in NETWORKS:
        return model.probabilities
    from jobshift.models.training import predict
    from jobshift.texts.batches import Tokens
    from jobshift.texts.tokenizer import load_tokenizer, padding_id

    tokenizer = load_tokenizer(config.tokenizer)
    if config.model.kind == "siamese":
        from jobshift.models.siamese import text_pairs

        return lambda rows: predict(model, text_pairs(tokenizer, rows), np.arange(len(rows)))
    padding, vocabulary = padding_id(tokenizer), tokenizer.get_vocab_size()
    tokenizer.no_padding()

    def rate_tokens(rows: pd.DataFrame) -> None:
        texts = rows["text"].tolist()
        if config.tokenizer.pair:
            second = rows["text_pair"].where(rows["text_pair"].notna(), None)
            texts = [(a, b) if b else a for a, b in zip(texts, second, strict=True)]
        encoded = [np.array(each.ids, np.int32) for each in tokenizer.encode_batch(texts)]
        offsets = np.cumsum([0, *map(len, encoded)])
        tokens = Tokens(np.concatenate(encoded), offsets, vocabulary, padding)
        predict(model, tokens, np.arange(len(rows)))

    return rate_tokens


def texts_per_second(rate: Callable[[pd.DataFrame], None], rows: pd.DataFrame) -> float:
    """How many of `rows` are rated in a second, over half a second or more."""
    rate(rows.head(64))
    start, rated, passed = time.perf_counter(), 0, 0.0
    while passed < 0.5:
        rate(rows)
        rated += len(rows)
        passed = time.perf_counter() - start
    return rated / passed


def sum_of_members(config: RunConfig) -> dict:
    """The row of an ensemble, from that of the model whose seeds are its members."""
    member, count = config.ensemble.model, len(config.ensemble.seeds)
    table = written()
    found = table[(table["data"] == config.data.name) & (table["model"] == member)]
    if found.empty:
        raise JobshiftError(
            f"{config.model.name} is the sum of its members, but {COSTS} has no row of {member} on "
            f"{config.data.name}; measure it first (--models {member} {config.model.name})"
        )
    row = {name: number(value) for name, value in found.iloc[0].items()}
    row["model"] = config.model.name
    summed = (
        "parameters_total",
        "parameters_trained",
        "training_seconds",
        "once_seconds",
        "size_mb",
    )
    for name in summed:
        row[name] *= count
    for name in ("training_texts_per_second", "rating_texts_per_second"):
        row[name] /= count
    return row


def number(text: str) -> int | float | str:
    """A field of costs.csv as what it is."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def written() -> pd.DataFrame:
    """costs.csv as it stands, every field as text; empty where there is none."""
    if not COSTS.is_file():
        return pd.DataFrame(columns=COLUMNS, dtype=str)
    table = pd.read_csv(COSTS, dtype=str, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise JobshiftError(f"{COSTS} has other columns than {', '.join(COLUMNS)}; remove it")
    return table


def keep(row: dict) -> None:
    """Put `row` into costs.csv in the place of an older one; the other rows stay as they are."""
    table = written()
    older = (table["data"] == row["data"]) & (table["model"] == row["model"])
    fresh = pd.DataFrame([{name: shown(row[name]) for name in COLUMNS}])
    table = pd.concat([table[~older], fresh], ignore_index=True)
    write_csv(table.sort_values(["data", "model"]), COSTS)


def shown(value: int | float | str) -> str:
    """Counts and names as they are, other numbers with four significant digits."""
    if not isinstance(value, float):
        return str(value)
    return np.format_float_positional(value, 4, fractional=False, trim="-")


def one(chosen: argparse.Namespace) -> None:
    """Measure a single model in this process and print its row as JSON."""
    import logging

    logging.basicConfig(level=logging.INFO, format="  %(message)s")
    rows: list[dict] = []
    arguments = [f"data={chosen.data}", f"model={chosen.one}", f"seed={chosen.seed}"]
    compose_and_run(
        "train",
        RunConfig,
        lambda config: rows.append(measure(config, chosen.threads)),
        [*arguments, "wandb=disabled"],
    )
    print(json.dumps(rows[0]))


def each_alone(chosen: argparse.Namespace) -> None:
    """Measure the chosen models, each in a process of its own; those that fail do not stop the others."""
    known = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
    models = chosen.models or load_params().all_models()
    for model in models:
        if model not in known:
            raise JobshiftError(f"there is no model {model}; choose from {', '.join(known)}")
    written()
    threads = str(chosen.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads}
    environment |= {"TOKENIZERS_PARALLELISM": "true", "WANDB_MODE": "disabled"}
    common = ["--data", chosen.data, "--seed", str(chosen.seed), "--threads", threads]
    failed = []
    for place, model in enumerate(models, start=1):
        print(f"{model} ({place} of {len(models)})", flush=True)
        ended = subprocess.run(
            [sys.executable, __file__, "--one", model, *common],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        if ended.returncode:
            failed.append(model)
            continue
        row = json.loads(ended.stdout.splitlines()[-1])
        keep(row)
        print("  " + ", ".join(f"{name} {shown(row[name])}" for name in COLUMNS[2:]), flush=True)
    if failed:
        raise JobshiftError(f"not measured, for the reasons above: {', '.join(failed)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", help="of conf/model/; default: those of params.yaml")
    parser.add_argument("--data", help="of conf/data/; default: that of params.yaml")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all cores")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    try:
        chosen.data = chosen.data or load_params().data
        (one if chosen.one else each_alone)(chosen)
    except JobshiftError as error:
        sys.exit(f"model_costs: {error}")


if __name__ == "__main__":
    main()
