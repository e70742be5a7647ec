"""tokenize: the token ids of every text of a data set, once a tokenizer, as Arrow; truncation is counted.

The fast tokenizer of a model's own folder (`tokenizer.json`), of the hub, or one that is trained here on
the training texts; models may share one. The texts of second test sets are tokenized, too.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig
from jobshift.errors import JobshiftError
from jobshift.models.options import TokenizerOptions
from jobshift.outputs import complete_folder, write_json

PREPARED = Path("data/prepared")
TOKENS = Path("data/tokens")


# By which transformers loads a tokenizer that was trained here.
SETTINGS = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
}


@dataclass
class Config:
    """Schema of conf/tokenize.yaml."""

    data: DataConfig = MISSING
    tokenizer: TokenizerOptions = MISSING


def run(config: Config) -> None:
    """Write data/tokens/<tokenizer>/: tokens.arrow, report.json and, if it was trained, the tokenizer."""
    from jobshift.texts.batches import Tokens, write_tokens
    from jobshift.texts.tokenizer import folder_of, load_tokenizer, padding_id, train_tokenizer

    folder, options = PREPARED / config.data.name, config.tokenizer
    tasks = pd.concat([read_texts(file) for file in prepared_files(config.data)], ignore_index=True)
    if tasks["id"].duplicated().any():
        raise JobshiftError(
            f"{folder}: the id {tasks['id'][tasks['id'].duplicated()].iloc[0]} is that of two texts"
        )
    place = folder_of(options)
    trained = None
    if options.kind:
        train = read_texts(folder / "purged" / "0" / "train.parquet")
        columns = ["text", "text_pair"] if options.pair else ["text"]
        trained = train_tokenizer(options, [t for c in columns for t in train[c].dropna()])
        trained.enable_truncation(options.max_length)
    tokenizer = trained or load_tokenizer(options)
    padding = padding_id(tokenizer)
    tokenizer.no_padding()
    texts = tasks["text"].tolist()
    if options.pair:
        second = tasks["text_pair"].where(tasks["text_pair"].notna(), None)
        texts = [(a, b) if b else a for a, b in zip(texts, second, strict=True)]
    encoded = tokenizer.encode_batch(texts)
    lengths = np.array([len(each.ids) for each in encoded])
    tokens = Tokens(
        ids=np.concatenate([np.array(each.ids, dtype=np.int32) for each in encoded]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        vocabulary=tokenizer.get_vocab_size(with_added_tokens=True),
        padding=padding,
    )
    report = {
        "data": config.data.name,
        "prepared": prepared_hash(config.data),
        "tokenizer": place,
        "max_length": options.max_length,
        "texts": len(tasks),
        "tokens": int(lengths.sum()),
        "mean_length": round(float(lengths.mean()), 3),
        "longest": int(lengths.max()),
        "truncated": sum(bool(each.overflowing) for each in encoded),
    }
    if trained:
        unknown = trained.token_to_id("[UNK]")
        report["vocabulary"] = tokens.vocabulary
        report["unknown_share"] = round(float((tokens.ids == unknown).mean()), 6)
    with complete_folder(TOKENS / options.name) as folder:
        if trained:
            trained.no_truncation()
            trained.save(str(folder / "tokenizer.json"))
            write_json(SETTINGS, folder / "tokenizer_config.json")
        write_tokens(folder / "tokens.arrow", tasks["id"].tolist(), tokens)
        report["sha256"] = hashlib.sha256((folder / "tokens.arrow").read_bytes()).hexdigest()
        write_json(report, folder / "report.json")
    logging.info(
        "%s: %d texts, %.1f tokens on average, %d truncated at %d",
        options.name,
        report["texts"],
        report["mean_length"],
        report["truncated"],
        report["max_length"],
    )


def prepared_files(data: DataConfig) -> list[Path]:
    """The files with all texts of a data set: its own and those of its second test sets."""
    folder = PREPARED / data.name
    return [
        folder / "tasks.parquet",
        *(folder / "extra" / f"{name}.parquet" for name in data.extra),
    ]


def prepared_hash(data: DataConfig) -> str:
    """SHA-256 of the texts of a data set, by which tokens of other texts are told."""
    digests = [hashlib.sha256(file.read_bytes()).digest() for file in prepared_files(data)]
    return hashlib.sha256(b"".join(digests)).hexdigest()


def read_texts(file: Path) -> pd.DataFrame:
    """The columns id, text and text_pair of a prepared file."""
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; run the stage prepare first")
    return pd.read_parquet(file, columns=["id", "text", "text_pair"])
