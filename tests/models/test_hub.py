"""Encoders and their tokenizers by hub name, from a local server that answers as the hub does.

The recipes conf/model/bert_base.yaml, bert_base_chinese.yaml and modernbert.yaml are trained as they are,
under the names that they give, on small random checkpoints of the same kinds.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tiny_encoders
from conftest import jobshift

COMMIT = "0" * 39 + "1"
RECIPES = {
    "bert_base": "google-bert/bert-base-uncased",
    "bert_base_chinese": "google-bert/bert-base-chinese",
    "modernbert": "answerdotai/ModernBERT-base",
}
# One process for all, as importing torch and transformers takes longer than the training.
TRAIN = """
from conftest import jobshift
for name in ("bert_base", "bert_base_chinese", "modernbert"):
    jobshift("tokenize", f"tokenizer={name}")
    jobshift("train", f"model={name}", "training.epochs=1")
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A server of the three models; yields its address."""
    served = tmp_path / "served"
    tiny_encoders.bert(served / RECIPES["bert_base"], chinese=False)
    tiny_encoders.bert(served / RECIPES["bert_base_chinese"], chinese=True)
    tiny_encoders.modernbert(served / RECIPES["modernbert"])

    class Handler(BaseHTTPRequestHandler):
        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0]
            model = next(name for name in RECIPES.values() if name in path)
            folder = served / model
            if path.startswith(f"/api/models/{model}"):
                names = sorted(each.name for each in folder.iterdir())
                files = [{"rfilename": name} for name in names]
                content = json.dumps({"id": model, "sha": COMMIT, "siblings": files}).encode()
                kind = "application/json"
            else:
                file = folder / path.rsplit("/", 1)[-1]
                if f"/{model}/resolve/" not in path or not file.is_file():
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content, kind = file.read_bytes(), "application/octet-stream"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def bilingual(prepared: Path) -> Path:
    """The prepared tiny study, each of its texts with a Chinese one behind it."""
    for file in Path("data/prepared").rglob("*.parquet"):
        rows = pd.read_parquet(file)
        verb = rows["text"].str.lower().str.extract(f"^({'|'.join(tiny_encoders.CHINESE)})")[0]
        rows["text"] += " " + verb.map(tiny_encoders.CHINESE)
        rows.to_parquet(file, index=False)
    return prepared


def test_encoders_by_hub_name_train_as_their_recipes_say(
    bilingual: Path, hub: str, monkeypatch: pytest.MonkeyPatch
):
    tests = Path(__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tests), *sys.path]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", hub)
    monkeypatch.setenv("HF_HOME", str(bilingual / "hub"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shares = {}
    for name, hub_name in RECIPES.items():
        rows = pd.read_parquet(f"models/{name}/purged-0/predictions.parquet")
        shares[name] = rows[["p_E0", "p_E2", "p_E1"]].to_numpy()
        assert (rows["part"] == "test").any()
        assert np.allclose(shares[name].sum(axis=1), 1)
        folder = Path("models", name, "purged-0/0")
        assert (folder / "tokenizer.json").is_file()
        kind = json.loads((folder / "config.json").read_text())["architectures"]
        family = "ModernBert" if name == "modernbert" else "Bert"
        assert kind == [f"{family}ForSequenceClassification"]
        report = json.loads(Path("data/tokens", name, "report.json").read_text())
        assert report["tokenizer"] == hub_name and report["truncated"] == 0
    assert not np.allclose(shares["bert_base"], shares["bert_base_chinese"])


def test_chinese_is_read_by_the_character(bilingual: Path, tmp_path: Path):
    tiny_encoders.bert(tmp_path / "chinese", chinese=True)
    options = ["tokenizer=bert_base_chinese", f"tokenizer.path={tmp_path / 'chinese'}"]
    jobshift("tokenize", *options)
    tokens = pa.ipc.open_file("data/tokens/bert_base_chinese/tokens.arrow").read_all().to_pandas()
    tasks = pd.read_parquet("data/prepared/onet/tasks.parquet")
    unknown = 1
    for text, ids in zip(
        tasks["text"], tokens.set_index("id").loc[tasks["id"], "input_ids"], strict=True
    ):
        english, chinese = text.rsplit(" ", 1)
        # [CLS], words and the full stop, characters, [SEP]
        assert len(ids) == 1 + len(english.replace(".", " .").split()) + len(chinese) + 1
        assert unknown not in ids
