"""sources: which data the study rests on: every fetched source with version, licence and hashes."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file, write_csv

RAW = Path("data/raw")
CSV = Path("reports/tables/sources.csv")
MARKDOWN = Path("reports/sources.md")


@dataclass
class Config:
    """Schema of conf/sources.yaml."""

    study: Study = MISSING
    data: DataConfig = MISSING


def run(config: Config) -> None:
    """Write reports/tables/sources.csv, one row a file, and reports/sources.md."""
    config.study.check_sources(config.data)
    names = sorted({*config.study.sources, *config.data.sources})
    found = []
    for name in names:
        file = RAW / name / "source.json"
        if not file.is_file():
            raise JobshiftError(f"{file} is missing; bring it with `jobshift fetch source={name}`")
        found.append(json.loads(file.read_text(encoding="utf-8")))
    rows = [
        {
            **{key: source[key] for key in ("name", "title", "licence", "version", "origin")},
            "file": file,
            "sha256": hash_,
        }
        for source in found
        for file, hash_ in sorted(source["sha256"].items())
    ]
    write_csv(pd.DataFrame(rows), CSV)
    with complete_file(MARKDOWN) as partial:
        partial.write_text(render(found), encoding="utf-8")
    logging.info("%d sources, %d files", len(found), len(rows))


def render(found: list[dict]) -> str:
    """The sources as Markdown."""
    lines = [
        "# Sources",
        "",
        "Written by the stage `sources` from the provenance of what was fetched.",
        "",
    ]
    for source in found:
        lines += [
            f"## {source['title']}",
            "",
            f"`{source['name']}`, version {source['version']}, from `{source['origin']}`. "
            f"Licence: {source['licence']}.",
            "",
            "| file | SHA-256 |",
            "| --- | --- |",
            *(f"| `{file}` | `{hash_}` |" for file, hash_ in sorted(source["sha256"].items())),
            "",
        ]
    return "\n".join(lines)
