"""How fast an exported model rates texts, beside the Hugging Face `pipeline`, all sides in one run.

    python benchmarks/rating_speed.py [--texts 1024] [--export exports/minilm/purged-0]

Sides: transformers' text-classification `pipeline` at batch size 1 and 32, and `rate_texts` with each
engine, which gives automation, distance and exposure besides. The texts are the first of the study's test
tasks, in their own order; each side is warmed up with 64 of them, and runs in turn `--rounds` times, of
which the median counts. The agreement is the share of texts with the label of the pipeline, which computes in
fp32. Writes benchmarks/rating_speed.json.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.rating.engines import ENGINES, open_engine
from jobshift.rating.exported import read_export
from jobshift.rating.rate import rate_texts
from jobshift.verification.certificate import machine

FAST = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
TEXTS = Path("data/prepared/onet/purged/0/test.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--export", type=Path, default=Path("exports/minilm/purged-0"))
    chosen = parser.parse_args()
    exported = read_export(chosen.export)
    texts = pd.read_parquet(TEXTS)["text"].drop_duplicates().head(chosen.texts).tolist()
    sides = {f"pipeline, batch {size}": pipeline(chosen.export, size) for size in (1, 32)}
    for name in ENGINES:
        engine = open_engine(exported, name)
        sides[f"rate, {name}"] = lambda some, engine=engine: rate_texts(some, exported, engine)[
            "predicted"
        ]
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    labels = {}
    for turn in range(chosen.rounds):
        for name, side in sides.items():
            side(texts[:64])
            start = time.perf_counter()
            labels[name] = np.array(side(texts))
            seconds[name].append(time.perf_counter() - start)
            print(f"round {turn}: {name}: {len(texts) / seconds[name][-1]:.1f} texts/s", flush=True)
    speed = {name: len(texts) / float(np.median(found)) for name, found in seconds.items()}
    single, batched = list(sides)[:2]
    rows = {
        name: {
            "texts_per_second": round(speed[name], 1),
            "times_batch_1": round(speed[name] / speed[single], 2),
            "times_batch_32": round(speed[name] / speed[batched], 2),
            "agreement": round(float((labels[name] == labels[single]).mean()), 4),
        }
        for name in sides
    }
    about = machine()
    report = {
        "texts": len(texts),
        "rounds": chosen.rounds,
        "machine": f"{about['processor']}, {os.cpu_count()} cores",
        # Those for products of 8-bit integers among them, without which these are no faster.
        "instructions": [each for each in FAST if each in about["cpu_flags"]],
        "sides": rows,
    }
    Path("benchmarks/rating_speed.json").write_text(json.dumps(report, indent=2) + "\n")
    print(pd.DataFrame(rows).T.to_string())


def pipeline(folder: Path, size: int):
    """The pipeline as a function of texts, which gives labels."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    built = transformers.pipeline("text-classification", str(folder), device="cpu")
    return lambda texts: [each["label"] for each in built(texts, batch_size=size, truncation=True)]


if __name__ == "__main__":
    main()
