"""Bring one pinned source into `data/raw/NAME/`, complete or not at all, with its provenance.

`JOBSHIFT_MIRROR` names a folder that is looked at before the network: wheels directly in it, other
files in a folder with the source's name.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from jobshift.errors import JobshiftError
from jobshift.outputs import complete_folder, write_json
from jobshift.texts.sources import PROVENANCE, Source, fetch

RAW = Path("data/raw")

log = logging.getLogger(__name__)


@dataclass
class Config:
    """Which source, and how patient https downloads are; `conf/fetch.yaml`."""

    source: Source = MISSING
    timeout_s: float = 30
    tries: int = 5
    backoff_s: float = 1.0


def run(config: Config) -> None:
    """Fetch the source; raises JobshiftError where it cannot be had with the right SHA-256."""
    if config.tries < 1 or config.timeout_s <= 0 or config.backoff_s < 0:
        raise JobshiftError(
            "conf/fetch.yaml: tries must be 1 or more, timeout_s above 0 and backoff_s not below 0"
        )
    source = config.source
    with complete_folder(RAW / source.name) as folder:
        found = fetch(
            source,
            folder,
            mirror=mirror(),
            timeout_s=config.timeout_s,
            tries=config.tries,
            backoff_s=config.backoff_s,
        )
        write_json(found, folder / PROVENANCE)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    files = f"{len(source.members)} file{'s' if len(source.members) > 1 else ''}"
    log.info("%s: %s, %.1f MB, sha256 verified", source.name, files, size / 1e6)


def mirror() -> Path | None:
    """The folder that `JOBSHIFT_MIRROR` names; None, with a warning, where it is none."""
    named = os.environ.get("JOBSHIFT_MIRROR")
    if named and not Path(named).is_dir():
        log.warning("JOBSHIFT_MIRROR is not a folder and is left aside: %s", named)
        return None
    return Path(named) if named else None
