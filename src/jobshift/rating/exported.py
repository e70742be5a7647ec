"""A model as the stage export leaves it: what its folder holds, read with as few imports as can be.

The folder is described in docs/rating.md. Everything here is plain data; the engines that run the model
are in `engines.py`, what is read off its outputs in `heads.py`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobshift.errors import JobshiftError
from jobshift.rating.heads import Heads

if TYPE_CHECKING:
    import pandas as pd
    from tokenizers import Tokenizer

FORMAT = 1
EXPORTS = Path("exports")


@dataclass(frozen=True)
class Exported:
    """What rating.json says of an exported model."""

    folder: Path
    model: str
    classes: list[str]
    scores: dict[str, float] | None  # class → exposure score in [0, 1], where the classes have one
    automation: list[str]  # T0 … T4, or none
    temperature: float
    max_length: int  # tokens, with the special ones
    padding: int  # token id
    threshold: float  # a text further than this from the training texts is out of domain
    neighbours: int

    def tokenizer(self) -> "Tokenizer":
        """The tokenizer, which truncates at `max_length` and does not pad."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.file("tokenizer.json")))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_length)
        return tokenizer

    def heads(self) -> Heads:
        """The automation head and the embeddings of the training texts."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = self.file("heads.safetensors")
        try:
            found = load_file(file)
            train = found["train_embeddings"].astype("float32")
        except (SafetensorError, KeyError) as error:
            raise damaged(file) from error
        return Heads(
            train,
            self.neighbours,
            found.get("automation_weight"),
            found.get("automation_bias"),
            found.get("mean", 0.0),
            found.get("map"),
        )

    def evidence(self) -> "pd.DataFrame":
        """The training texts, one a row of `heads().train`: id, text, label, occupation (may be null)."""
        import pandas as pd

        return pd.read_parquet(self.file("evidence.parquet"))

    def file(self, name: str) -> Path:
        """A file of the folder; JobshiftError where it is missing."""
        file = self.folder / name
        if not file.is_file():
            raise JobshiftError(f"{file} is missing; run `jobshift export name={self.model}` again")
        return file


def damaged(file: Path) -> JobshiftError:
    """What is said of a file of an export that cannot be read."""
    return JobshiftError(f"{file} is damaged; run `jobshift export` again")


def find_export(path: Path) -> Path:
    """The export of a run, models/minilm/purged-0 → exports/minilm/purged-0; an export is its own.

    JobshiftError where there is none.
    """
    path = Path(path)
    if (path / "rating.json").is_file():
        return path
    *_, model, run = path.absolute().parts
    if len(path.parts) > 2 and path.parts[-3] in ("models", "exports"):
        folder = path.parents[2] / EXPORTS / model / run
        if (folder / "rating.json").is_file():
            return folder
        split, _, seed = run.partition("-")
        command = f"jobshift export name={model} split={split} seed={seed}"
        raise JobshiftError(f"{path} has not been exported: {folder} is missing; run `{command}`")
    raise JobshiftError(
        f"{path} is no exported model; name a folder such as models/minilm/purged-0 that "
        "`jobshift export` has exported"
    )


def read_export(folder: Path) -> Exported:
    """The export in `folder`, or that of the run `folder` (`find_export`).

    JobshiftError where there is none, or where it is damaged or of another format.
    """
    folder = find_export(folder)
    file = folder / "rating.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        written = content["format"]
        if written == FORMAT:
            return Exported(
                folder=folder,
                model=content["model"],
                classes=list(content["classes"]),
                scores=content["scores"],
                automation=list(content["automation"]),
                temperature=float(content["temperature"]),
                max_length=int(content["max_length"]),
                padding=int(content["padding"]),
                threshold=float(content["domain"]["threshold"]),
                neighbours=int(content["domain"]["neighbours"]),
            )
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(file) from error
    raise JobshiftError(
        f"{file} has the format {written}, this jobshift reads {FORMAT}; run `jobshift export` again"
    )
