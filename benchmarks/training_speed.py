"""How fast jobshift fine-tunes MiniLM, beside the Hugging Face `Trainer`, all sides in one run.

    python benchmarks/training_speed.py [--texts 1024] [--seeds 3]

Sides: `Trainer` padding to the maximum length (as its text-classification example does by default),
`Trainer` padding each batch to its longest text, jobshift in full, and jobshift with the lower four
or five layers frozen and their outputs computed once (that pass is counted). Same model, texts,
labels, batch size, learning rate and number of epochs; the accuracy is on the study's validation
tasks. The time is that of training alone: loading, tokenizing and predicting are left out on all
sides, and all write a checkpoint an epoch. Run the stages prepare and
tokenize first. Writes benchmarks/training_speed.json.
"""

import argparse
import json
import platform
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from jobshift.models.encoder import Encoder, FrozenOutputs
from jobshift.models.options import EncoderOptions, LossOptions, OptimizerOptions, TrainingOptions
from jobshift.models.training import Labelled, fit, predict
from jobshift.texts.batches import Tokens, read_tokens, sorted_batches

MODEL = "data/raw/minilm"
FOLD = Path("data/prepared/onet/purged/0")
CLASSES = ["E0", "E2", "E1"]
MAX_LENGTH, BATCH, EPOCHS, LR = 96, 32, 2, 1e-4


def read(part: str, count: int | None = None) -> pd.DataFrame:
    rows = pd.read_parquet(FOLD / f"{part}.parquet")
    rows = rows.sample(count, random_state=0) if count else rows
    return rows.assign(number=rows["label"].map({name: n for n, name in enumerate(CLASSES)}))


def trainer(
    train: pd.DataFrame, val: pd.DataFrame, seed: int, padding: str | bool
) -> tuple[float, float]:
    """Seconds of training and validation accuracy of the Hugging Face Trainer."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL)

    def dataset(rows: pd.DataFrame) -> list[dict]:
        encoded = tokenizer(
            rows["text"].tolist(), truncation=True, max_length=MAX_LENGTH, padding=padding
        )
        columns = zip(encoded["input_ids"], encoded["attention_mask"], rows["number"], strict=True)
        return [{"input_ids": i, "attention_mask": a, "labels": n} for i, a, n in columns]

    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=len(CLASSES))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=2 * BATCH,
            num_train_epochs=EPOCHS,
            learning_rate=LR,
            weight_decay=0.01,
            warmup_steps=round(0.1 * EPOCHS * len(train) / BATCH),
            seed=seed,
            save_strategy="epoch",
            report_to="none",
            disable_tqdm=True,
        )
        hugging_face = Trainer(
            model,
            arguments,
            train_dataset=dataset(train),
            data_collator=DataCollatorWithPadding(tokenizer, padding=True),
        )
        start = time.perf_counter()
        hugging_face.train()
        seconds = time.perf_counter() - start
        logits = hugging_face.predict(dataset(val)).predictions
    return seconds, float((logits.argmax(axis=1) == val["number"].to_numpy()).mean())


def jobshift(train: pd.DataFrame, val: pd.DataFrame, seed: int, frozen: int) -> tuple[float, float]:
    """Seconds of training (with the frozen pass, without validation) and validation accuracy."""
    tokens = read_tokens(Path("data/tokens/minilm/tokens.arrow"), train["id"].tolist())
    torch.manual_seed(seed)
    options = EncoderOptions(path=MODEL, frozen_layers=frozen, cache_frozen=frozen > 0)
    network = Encoder(options, CLASSES)
    labels = train["number"].to_numpy(np.int64)
    targets = np.eye(len(CLASSES), dtype=np.float32)[labels]
    rows, weights = np.arange(len(train)), np.ones(len(train), dtype=np.float32)
    scratch = Path(tempfile.mkdtemp())
    start = time.perf_counter()
    inputs = cached(network, tokens) if frozen else tokens
    part = Labelled(inputs, rows, targets, labels, weights)
    # The Trainer does not validate here: one validation text is next to nothing.
    one = Labelled(inputs, rows[:1], targets[:1], labels[:1], weights[:1])
    training = TrainingOptions(epochs=EPOCHS, batch_size=BATCH, monitor="val_loss", patience=EPOCHS)
    fit(network, part, one, LossOptions(), OptimizerOptions(lr=LR), training, seed, scratch, None)
    seconds = time.perf_counter() - start
    # The last epoch, as the Trainer's; `fit` restored the best one, by one text here.
    state = torch.load(scratch / "last.ckpt", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("network."): each for name, each in state.items()})
    shutil.rmtree(scratch)
    held = read_tokens(Path("data/tokens/minilm/tokens.arrow"), val["id"].tolist())
    probabilities = predict(network, cached(network, held) if frozen else held, np.arange(len(val)))
    return seconds, float((probabilities.argmax(axis=1) == val["number"].to_numpy()).mean())


def cached(network: Encoder, tokens: Tokens) -> FrozenOutputs:
    return FrozenOutputs(network, tokens, sorted_batches(tokens.lengths, 64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    train, val = read("train", chosen.texts), read("val")
    sides = {
        "Trainer, padded to the maximum": lambda seed: trainer(train, val, seed, "max_length"),
        "Trainer, dynamic padding": lambda seed: trainer(train, val, seed, False),
        "jobshift, in full": lambda seed: jobshift(train, val, seed, 0),
        "jobshift, 4 layers frozen and cached": lambda seed: jobshift(train, val, seed, 4),
        "jobshift, 5 layers frozen and cached": lambda seed: jobshift(train, val, seed, 5),
    }
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for seed in range(chosen.seeds):
        for name, side in sides.items():
            seconds, accuracy = side(seed)
            rows[name].append((len(train) * EPOCHS / seconds, accuracy))
            print(
                f"seed {seed}: {name}: {rows[name][-1][0]:.1f} texts/s, accuracy {accuracy:.4f}",
                flush=True,
            )
    speed = {name: float(np.median([each[0] for each in found])) for name, found in rows.items()}
    padded, dynamic, full, four, five = speed.values()
    report = {
        "texts": len(train),
        "epochs": EPOCHS,
        "batch": BATCH,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "sides": {
            name: {
                "texts_per_second": [round(each[0], 1) for each in found],
                "median": round(speed[name], 1),
                "accuracy": [round(each[1], 4) for each in found],
            }
            for name, found in rows.items()
        },
        "in full / Trainer padded to the maximum": round(full / padded, 2),
        "in full / Trainer dynamic": round(full / dynamic, 2),
        "4 layers frozen / Trainer dynamic": round(four / dynamic, 2),
        "5 layers frozen / Trainer dynamic": round(five / dynamic, 2),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    Path("benchmarks/training_speed.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
