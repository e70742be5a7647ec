"""verify: a small study of three stages, committed as honest, then tampered with in one way each."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from jobshift.errors import JobshiftError
from jobshift.stages import verify

STAGES = """
stages:
  prepare:
    cmd: python code/prepare.py
    deps: [code/prepare.py, input.txt]
    outs: [data]
  measure:
    matrix:
      part: ${parts}
    cmd: python code/measure.py ${item.part}
    params:
      - name
      - conf.yaml:
    deps: [code/measure.py, data/numbers.txt]
    outs:
      - reports/tables/${item.part}.csv: {cache: false}
  draw:
    cmd: python code/draw.py
    deps: [code/draw.py, reports/tables]
    outs:
      - reports/figures: {cache: false}
      - reports/metrics.json: {cache: false}
"""
CODE = {
    "prepare": """
from pathlib import Path
Path("data").mkdir()
Path("data/numbers.txt").write_text(Path("input.txt").read_text().upper())
""",
    # NOISE stands for a machine that computes otherwise.
    "measure": """
import os, sys
from pathlib import Path
lines = Path("data/numbers.txt").read_text().split()
noise = float(os.environ.get("NOISE", 0))
rows = ["name,value,count"] + [f"{line},{len(line) / 8 + noise:.6f},{len(line)}" for line in lines]
Path("reports/tables").mkdir(parents=True, exist_ok=True)
Path("reports/tables", sys.argv[1] + ".csv").write_text("\\n".join(rows) + "\\n")
""",
    "draw": """
import os, time
from pathlib import Path
assert os.environ["WANDB_MODE"] == "disabled"
if "WAIT" in os.environ:
    Path(os.environ["WAIT"]).write_text(str(os.getpid()))
    time.sleep(60)
folder = Path("reports/figures")
folder.mkdir(parents=True)
rows = sum(file.read_text().count("\\n") for file in Path("reports/tables").iterdir())
(folder / "one.png").write_bytes(b"\\x89PNG\\xff" + bytes([rows]) + os.environb.get(b"PIXEL", b""))
(folder / "captions.json").write_text('{"one": "a line"}')
Path("reports/metrics.json").write_text('{"rows": %d}' % rows)
""",
}
MAKEFILE = """
other:
	dvc exp run --temp --name $@ -S name=$@ -S 'parts=[a,b]' -S conf.yaml:scale=2
"""


def command(*words: str) -> None:
    """Run a command with this environment's python first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(words, env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL)


def commit() -> None:
    command("git", "add", "-A")
    command("git", "commit", "-qm", "Another state")


def edit(file: str, old: str, new: str) -> None:
    """Replace a text that is there, and commit."""
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))
    commit()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a study that was run and committed; not to be written to."""
    folder = tmp_path_factory.mktemp("honest") / "repository"
    (folder / "code").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("dvc.yaml").write_text(STAGES)
        Path("params.yaml").write_text("name: default\nparts: [a]\n")
        Path("conf.yaml").write_text("scale: 1\n")
        Path("Makefile").write_text(MAKEFILE)
        Path("input.txt").write_text("one\nthree\n")
        Path("requirements.lock").write_text(f"# pins\ndvc=={version('dvc')}\n")
        Path(".gitignore").write_text("/data\n__pycache__/\n")
        for name, text in CODE.items():
            Path("code", f"{name}.py").write_text(text)
        command("git", "init", "-q")
        command("git", "config", "user.email", "tests@example.org")
        command("git", "config", "user.name", "Tests")
        command("dvc", "init", "-q")
        command("dvc", "repro", "-q")
        commit()
    return folder


@pytest.fixture
def repository(honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the honest study, as working directory; clones lie in `clones` beside it."""
    folder = tmp_path / "repository"
    shutil.copytree(honest, folder)
    monkeypatch.chdir(folder)
    (tmp_path / "clones").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "clones"))
    return folder


def read(folder: str = "reports") -> dict:
    return json.loads(Path(folder, "verification.json").read_text())


def found() -> dict[str, list[str]]:
    """The findings of the checks that do not hold."""
    return {name: check["found"] for name, check in read()["checks"].items() if not check["holds"]}


def verdicts() -> dict[str, str]:
    return {each["path"]: each["verdict"] for each in read()["outputs"]}


def test_an_honest_study_holds(repository: Path, capfd: pytest.CaptureFixture):
    assert verify.main([]) == 0
    content = read()
    assert content["holds"] and content["rerun"] == "finished" and found() == {}
    assert set(verdicts().values()) == {"identical"}
    assert [each["path"] for each in content["outputs"]] == [
        *("data", "reports/tables/a.csv", "reports/figures", "reports/metrics.json")
    ]
    # What an independent program says of a file, and of those of a folder.
    table = content["outputs"][1]
    done = subprocess.run(["md5sum", table["path"]], capture_output=True, text=True, check=True)
    assert table["obtained"] == table["recorded"] == done.stdout.split()[0]
    files = content["outputs"][2]["files"]
    assert [each["path"] for each in files] == ["captions.json", "one.png"]
    assert content["libraries"] == {"dvc": version("dvc")}
    assert content["commit"] == Path(".git/refs/heads", branch()).read_text().strip()
    assert content["machine"]["threads"] >= 1 and content["seconds"] > 0
    shown = capfd.readouterr().out
    assert shown.count("Running stage") == 3 and "it holds" in shown
    page = Path("reports/verification.md").read_text()
    assert "| `reports/metrics.json` | draw |" in page
    # No place of this machine is told, and nothing is left.
    for text in (page, Path("reports/verification.json").read_text()):
        assert str(repository.parent) not in text
    assert list((repository.parent / "clones").iterdir()) == []
    # Certificates are not part of what they certify: that they are not committed is no finding.
    Path("note.txt").write_text("mine")
    edit("requirements.lock", "dvc==", "no-such-library==1\ndvc==0.1+")
    Path("input.txt").write_text("one\n")
    assert verify.main([]) == 1
    assert found() == {
        "committed": ["input.txt is not committed"],
        "libraries": [
            "no-such-library is not installed; requirements.lock pins ==1",
            f"dvc {version('dvc')} is installed; requirements.lock pins ==0.1+{version('dvc')}",
        ],
    }
    assert read()["rerun"] == "not started" and read()["outputs"] == []


def branch() -> str:
    return Path(".git/HEAD").read_text().strip().removeprefix("ref: refs/heads/")


def test_an_edited_report_is_noticed_before_the_run_and_by_it(repository: Path):
    edit("reports/metrics.json", "3", "4")
    Path("reports/figures/one.png").write_bytes(b"\x89PNG\xfe")
    commit()
    assert verify.main([]) == 1
    sentence = "has not the hash in dvc.lock: the report or the lock was edited after the run"
    assert found() == {
        "reports": [f"reports/figures {sentence}", f"reports/metrics.json {sentence}"]
    }
    assert verify.main(["--anyway"]) == 1
    # The record itself follows from the data: it is the reports that do not.
    assert set(verdicts().values()) == {"identical"} and found() and not read()["holds"]


def recorded(path: str) -> str:
    """The first hash of a path in dvc.lock."""
    return re.search(rf"path: {path}\n *hash: md5\n *md5: (\w+)", Path("dvc.lock").read_text())[1]


def test_a_lock_that_was_edited_by_hand_is_noticed(repository: Path):
    edit("dvc.lock", "code/measure.py a", "code/measure.py  a")
    edit("dvc.lock", "scale: 1", "scale: 3")
    assert verify.main([]) == 1
    code = found()["code"]
    assert "committed: measure would run again; run `dvc repro`" in code[0]
    assert code[1:] == [
        "since measure ran: the command in dvc.yaml is another one",
        "since measure ran: scale in conf.yaml is another one",
    ]
    Path("dvc.lock").write_text("stages: {prepare: 3}")
    commit()
    assert verify.main([]) == 1
    assert found() == {"code": ["dvc.lock is not as DVC writes it; run `dvc repro` and commit"]}
    assert list(read()["checks"]) == ["committed", "libraries", "code"]


def test_a_hash_that_only_the_run_can_tell_is_noticed(repository: Path):
    """Of data that Git does not keep: what a stage made, and what another one read of it."""
    edit("dvc.lock", recorded("data/numbers.txt"), "a" * 32)
    assert verify.main(["--stage", "measure@a"]) == 1
    assert set(verdicts().values()) == {"identical"} and list(found()) == ["hashes"]
    assert found()["hashes"][0].startswith(
        "the hash of data/numbers.txt that measure@a read is not"
    )
    edit("dvc.lock", recorded("data"), "b" * 32)
    assert verify.main(["--stage", "prepare"]) == 1
    assert found() == {} and verdicts() == {"data": "different"}
    files = read()["outputs"][0]["files"]
    assert [(each["path"], each["recorded"], each["verdict"]) for each in files] == [
        ("numbers.txt", None, "unknown")
    ]
    assert "`data`: different, by hash" in Path("reports/verification.md").read_text()


def test_changed_code_is_named_with_its_stages(repository: Path):
    edit("code/draw.py", "60", "61")
    Path("reports/tables/extra.csv").write_text("by,hand\n1,2\n")
    commit()
    assert verify.main([]) == 1
    assert found()["code"][1:] == [
        "since draw ran: code/draw.py is modified",
        "since draw ran: reports/tables is modified",
    ]
    edit("params.yaml", "[a]", "[b]")
    assert verify.main([]) == 1
    assert found()["code"][0].startswith(
        "dvc.lock was not made by what is committed: measure, draw would run again"
    )
    assert "since measure ran: dvc.lock has no entry" in found()["code"]
    assert read()["left_over"] == ["measure@a"]


def test_numbers_may_differ_by_the_tolerance(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOISE", "0.000275")
    monkeypatch.setenv("PIXEL", "x")
    assert verify.main(["--tolerance", "1e-3", "--stage", "measure"]) == 0
    table = read()["outputs"][1]
    assert table["verdict"] == "within tolerance" and table["by"] == "values"
    # 3 / 8 became 3 / 8 + 0.000275; the other number is larger, so its relative difference is less.
    assert table["difference"] == pytest.approx(0.000275 / 1.375)
    assert table["where"] == "row 2, column 2 (value)"
    assert read()["stages"] == ["measure"] and verdicts().keys() == {"data", "reports/tables/a.csv"}
    assert verify.main(["--tolerance", "1e-4"]) == 1
    assert verdicts() == {
        "data": "identical",
        "reports/tables/a.csv": "different",
        "reports/figures": "different",
        "reports/metrics.json": "identical",
    }
    figures = read()["outputs"][2]["files"]
    assert [(each["path"], each["verdict"]) for each in figures] == [
        *(("captions.json", "identical"), ("one.png", "different"))
    ]
    assert "one.png`: different, by hash" in Path("reports/verification.md").read_text()


def test_a_stage_that_fails_leaves_a_certificate(repository: Path, monkeypatch):
    monkeypatch.setenv("NOISE", "none")
    assert verify.main([]) == 1
    assert verdicts() == {
        "data": "identical",
        "reports/tables/a.csv": "missing",
        "reports/figures": "missing",
        "reports/metrics.json": "missing",
    }
    assert read()["rerun"].startswith("stopped, as dvc repro ended with code")


def test_a_study_beside_the_default_one(repository: Path, capfd: pytest.CaptureFixture):
    """As `make STUDY` leaves it: reports, params.yaml and dvc.lock in reports/STUDY."""
    kept = {path: Path(path).read_bytes() for path in ("params.yaml", "conf.yaml", "dvc.lock")}
    Path("params.yaml").write_text("name: other\nparts:\n- a\n- b\n")
    Path("conf.yaml").write_text("scale: 2\n")
    command("dvc", "repro", "-q")
    own = Path("reports/other")
    own.mkdir()
    for path in ("tables", "figures", "metrics.json"):
        Path("reports", path).rename(own / path)
    for path in ("params.yaml", "dvc.lock"):
        shutil.copy(path, own)
    for path, content in kept.items():
        Path(path).write_bytes(content)
    command("git", "checkout", "-q", "reports")
    commit()
    assert verify.main(["--study", "other"]) == 0
    content = read("reports/other")
    assert content["study"] == "other" and content["holds"]
    assert "reports/tables/b.csv" in [each["path"] for each in content["outputs"]]
    assert not Path("reports/verification.json").exists()
    edit("reports/other/params.yaml", "- b", "- z")
    assert verify.main(["--study", "other"]) == 1
    assert read("reports/other")["checks"]["code"]["found"] == [
        "`make other` would choose another parts than reports/other has"
    ]
    with pytest.raises(JobshiftError, match="no such study is committed; there are other"):
        verify.main(["--study", "more"])


def test_stopped_it_leaves_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch):
    waiting, clones = repository.parent / "waiting", repository.parent / "clones"
    code = "import sys; from jobshift.stages.verify import main; sys.exit(main([]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(clones), "WAIT": str(waiting)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not waiting.exists() or not waiting.read_text():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped; the clone is removed, and no certificate is written" in said
    assert list(clones.iterdir()) == [] and not Path("reports/verification.json").exists()
    # The stage is gone, too, or at most waits for its parent to notice.
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(int(waiting.read_text())).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jobshift.verification.checkout.run_again", interrupted)
    assert verify.main([]) == 128 + signal.SIGINT
    assert list(clones.iterdir()) == [] and not Path("reports/verification.json").exists()
    assert verify.main(["--keep"]) == 128 + signal.SIGINT
    assert next(clones.glob("*/clone/code/draw.py")).is_file()


def test_what_cannot_be_verified_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(JobshiftError, match="--stage more: there is no such stage; there are prep"):
        verify.main(["--stage", "prepare", "more"])
    with pytest.raises(JobshiftError, match="--tolerance 2: give a number from 0 up to 1"):
        verify.main(["--tolerance", "2"])
    command("git", "rm", "-q", "dvc.lock")
    commit()
    with pytest.raises(JobshiftError, match="dvc.lock is not committed"):
        verify.main([])
    monkeypatch.chdir(repository.parent)
    with pytest.raises(JobshiftError, match="git rev-parse failed: .*not a git repository"):
        verify.main([])
