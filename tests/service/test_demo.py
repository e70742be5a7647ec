"""`jobshift demo` as a process: that it starts, stays up under overload, and ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny_service

from jobshift.errors import JobshiftError
from jobshift.rating.exported import read_export
from jobshift.stages.demo import fastest, main


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tiny_service.write(tmp_path / "study")
    monkeypatch.chdir(folder)
    return folder


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """The process, and where it listens."""
    command = [sys.executable, "-m", "jobshift", "demo", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            found = re.search(r"http://[^/]+", process.stderr.readline())
            assert found, process.stderr.read()
            yield process, found.group()
        finally:
            process.kill()


def ask(address: str, path: str, content: object = None) -> tuple[int, dict, dict]:
    """Status, headers and content of an answer."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.load(error)


def test_it_stays_up_under_overload_and_ends_cleanly(study: Path):
    with running("--no-page", "--rate", "0") as (process, address):
        assert ask(address, "/api/health")[2]["model"] == "tiny"
        # More texts at once than may wait.
        bodies = [{"texts": [f"Net {n} of boat {b}" for n in range(256)]} for b in range(40)]
        with ThreadPoolExecutor(40) as threads:
            answers = list(threads.map(lambda body: ask(address, "/api/rate", body), bodies))
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {200, 503}
        for status, headers, content in answers:
            if status == 503:
                assert int(headers["retry-after"]) >= 1
                assert "try again in" in content["error"]
            else:
                assert len(content["ratings"]) == 256
        assert ask(address, "/api/rate", {"texts": ["Mend nets"]})[0] == 200

        # What is being answered is answered before it ends; the first explanation takes a second at least.
        found = []
        explained = threading.Thread(
            target=lambda: found.append(ask(address, "/api/explain", {"texts": ["Mend nets"]}))
        )
        explained.start()
        while ask(address, "/api/health")[2]["waiting"] == 0 and not found:
            pass
        process.send_signal(signal.SIGTERM)
        explained.join()
        assert found[0][0] in (200, 503)
        assert process.wait(30) == 0
        said = process.stderr.read()
        assert said.endswith("stopped\n") and "Traceback" not in said
        port = int(address.rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


@pytest.mark.parametrize(
    ("options", "prepare", "said"),
    [
        ([], "rm exports/tiny/purged-0/rating.json", "purged-0 is missing.*`make repro` makes one"),
        ([], 'sed -i s/^export:.*/export:\\x20\"\"/ params.yaml', "names no model in `export`.*--model"),
        (["--model", "models/x/purged-0"], "true", "models/x/purged-0 has not been exported"),
        ([], "rm reports/tables/exposure_onet.csv", r"exposure_onet\.csv is missing.*`make repro`"),
        (["--rate", "-1"], "true", "--rate is -1; it must be"),
        (["--threads", "0"], "true", "--threads is 0; it must be at least 1"),
        (["--host", "no.such.host.invalid"], "true", "cannot listen on no.such.host.invalid"),
        (["--port", "99999"], "true", "cannot listen on 127.0.0.1, port 99999"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_one_sentence(study: Path, options, prepare: str, said: str):
    subprocess.run(prepare.split(), check=True)
    with pytest.raises(JobshiftError, match=said):
        main(["--no-page", "--port", "0", *options])


def test_the_engine_that_starts_fastest_is_taken_where_it_is_there(study: Path):
    pytest.importorskip("onnxruntime")
    exported = read_export(Path("exports/tiny/purged-0"))
    assert fastest(exported) == "torch"
    exported.folder.joinpath("onnx").mkdir()
    exported.folder.joinpath("onnx/model.onnx").touch()
    assert fastest(exported) == "onnx"


def test_a_port_in_use(study: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(JobshiftError, match=rf"port {port}: Address already in use; choose"):
            main(["--no-page", "--port", str(port)])
