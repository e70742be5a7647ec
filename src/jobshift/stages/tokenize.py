"""tokenize: the token ids of every text of a data set, once a tokenizer, as Arrow; truncation is counted.

The fast tokenizer of a model's own folder (`tokenizer.json`) or of the hub; models may share one.
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


@dataclass
class Config:
    """Schema of conf/tokenize.yaml."""

    data: DataConfig = MISSING
    tokenizer: TokenizerOptions = MISSING


def run(config: Config) -> None:
    """Write data/tokens/<tokenizer>/: tokens.arrow and report.json."""
    from jobshift.texts.batches import Tokens, write_tokens
    from jobshift.texts.tokenizer import load_tokenizer, padding_id

    file = PREPARED / config.data.name / "tasks.parquet"
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; run the stage prepare first")
    tasks = pd.read_parquet(file, columns=["id", "text", "text_pair"])
    options = config.tokenizer
    tokenizer = load_tokenizer(options)
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
        "tokenizer": options.path,
        "max_length": options.max_length,
        "texts": len(tasks),
        "tokens": int(lengths.sum()),
        "mean_length": round(float(lengths.mean()), 3),
        "longest": int(lengths.max()),
        "truncated": sum(bool(each.overflowing) for each in encoded),
    }
    with complete_folder(TOKENS / options.name) as folder:
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
