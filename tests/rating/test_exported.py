import json
from pathlib import Path

import numpy as np
import pytest

from jobshift.errors import JobshiftError
from jobshift.rating.exported import find_export, read_export

RATING = {
    "format": 1,
    "model": "m",
    "classes": ["E0", "E1"],
    "scores": {"E0": 0.0, "E1": 1.0},
    "automation": [],
    "temperature": 1.5,
    "max_length": 4,
    "padding": 0,
    "domain": {"threshold": 0.25, "neighbours": 3},
}


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("exports/m/purged-0")
    folder.mkdir(parents=True)
    (folder / "rating.json").write_text(json.dumps(RATING))
    return folder


def test_an_export_is_found_by_its_run_or_itself(export: Path):
    assert find_export(Path("models/m/purged-0")) == export
    assert find_export(export) == export
    elsewhere = export.absolute().parents[2] / "models" / "m" / "purged-0"
    assert find_export(elsewhere) == export.absolute()


def test_it_reads_what_rating_json_says(export: Path):
    found = read_export(Path("models/m/purged-0"))
    assert found.folder == export
    assert (found.temperature, found.threshold, found.neighbours) == (1.5, 0.25, 3)
    assert found.scores == {"E0": 0.0, "E1": 1.0}


def test_a_run_that_was_not_exported_says_which_command(export: Path):
    with pytest.raises(JobshiftError, match="run `jobshift export name=n split=random seed=3`"):
        read_export(Path("models/n/random-3"))
    with pytest.raises(JobshiftError, match="no exported model"):
        read_export(Path("elsewhere"))


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', json.dumps(RATING)[:-20]])
def test_a_damaged_file_is_named(export: Path, text: str):
    (export / "rating.json").write_text(text)
    with pytest.raises(JobshiftError, match=r"rating\.json is damaged"):
        read_export(export)


def test_another_format_is_refused(export: Path):
    (export / "rating.json").write_text(json.dumps({**RATING, "format": 2}))
    with pytest.raises(JobshiftError, match="format 2, this jobshift reads 1"):
        read_export(export)


def test_heads_are_read_from_safetensors_and_a_missing_file_is_named(export: Path):
    from safetensors.numpy import save_file

    found = read_export(export)
    with pytest.raises(JobshiftError, match=r"heads\.safetensors is missing"):
        found.heads()
    (export / "heads.safetensors").write_bytes(b"none")
    with pytest.raises(JobshiftError, match=r"heads\.safetensors is damaged"):
        found.heads()
    save_file({"train_embeddings": np.eye(3, dtype=np.float16)}, export / "heads.safetensors")
    heads = found.heads()
    assert heads.train.dtype == np.float32 and heads.neighbours == 3 and heads.weight is None


def test_the_tokenizer_cuts_and_does_not_pad(export: Path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(export / "tokenizer.json"))
    found = read_export(export).tokenizer().encode_batch(["a", "a a a a a a"])
    assert [each.ids for each in found] == [[1], [1, 1, 1, 1]]
