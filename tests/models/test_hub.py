"""An encoder and its tokenizer by hub name, from a local server that answers as the hub does."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import tiny_study

NAME, COMMIT = "jobshift/tiny", "0" * 39 + "1"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A server of one model; yields its address."""
    folder = tmp_path / "served"
    tiny_study.encoder(folder)

    class Handler(BaseHTTPRequestHandler):
        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0]
            if path.startswith(f"/api/models/{NAME}"):
                names = sorted(each.name for each in folder.iterdir())
                files = [{"rfilename": name} for name in names]
                content = json.dumps({"id": NAME, "sha": COMMIT, "siblings": files}).encode()
                kind = "application/json"
            else:
                file = folder / path.rsplit("/", 1)[-1]
                if f"/{NAME}/resolve/" not in path or not file.is_file():
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


def test_an_encoder_by_hub_name_trains(prepared: Path, hub: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", hub)
    monkeypatch.setenv("HF_HOME", str(prepared / "hub"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    tokenizer = Path("conf/tokenizer/tiny.yaml")
    tokenizer.write_text(f"name: tiny\npath: {NAME}\nmax_length: 32\n")
    model = Path("conf/model/minilm.yaml").read_text()
    model = model.replace("/tokenizer: minilm", "/tokenizer: tiny").replace(
        "name: minilm", "name: tiny"
    )
    Path("conf/model/tiny.yaml").write_text(model.replace("path: data/raw/minilm", f"path: {NAME}"))
    for arguments in (["tokenize", "tokenizer=tiny"], ["train", "model=tiny", "training.epochs=1"]):
        done = subprocess.run(
            [sys.executable, "-m", "jobshift", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    rows = pd.read_parquet("models/tiny/purged-0/predictions.parquet")
    assert (rows["part"] == "test").any()
    assert Path("models/tiny/purged-0/0/tokenizer.json").is_file()
