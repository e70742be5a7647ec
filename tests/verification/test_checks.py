"""What is found before a run, of states written by hand."""

from importlib.metadata import version
from pathlib import Path

from jobshift.verification.certificate import machine
from jobshift.verification.checks import (
    State,
    contradictions,
    edited_reports,
    libraries,
    misfits,
)

LOCK = {
    "make": {"deps": [{"path": "in.txt", "md5": "1"}], "outs": [{"path": "data/a", "md5": "2"}]},
    "use@x-0": {
        "deps": [{"path": "data/a", "md5": "3"}],
        "outs": [{"path": "reports/b", "md5": "4"}],
    },
    "use@y-0": {
        "deps": [{"path": "data", "md5": "5"}],
        "outs": [{"path": "reports/c", "md5": "6"}],
    },
}


def state(**differing: object) -> State:
    return State(list(LOCK), list(LOCK), **differing)


def test_what_is_not_made_yet_is_no_misfit():
    missing = {"make": {"data/a": "not in cache"}}
    deps = {"use@x-0": {"data/a": "deleted"}, "use@y-0": {"data": "deleted"}}
    assert misfits(state(outs=missing, deps=deps), LOCK, "dvc repro") == []


def test_reasons_are_named_once_with_their_stages():
    deps = {each: {"code.py": "modified"} for each in ("use@x-0", "use@y-0")}
    deps["make"] = {"conf/a.yaml": {"lr": "modified", "size": "new"}, "in.txt": "deleted"}
    outs = {"make": {"data/more": "new"}}
    assert misfits(state(deps=deps, outs=outs, commands=["make"]), LOCK, "make study") == [
        "dvc.lock was not made by what is committed: make, use would run again; run `make study` and "
        "commit, or bring back what was edited",
        "since make ran: the command in dvc.yaml is another one",
        "since make ran: dvc.lock has no hash of data/more",
        "since make ran: lr in conf/a.yaml is another one",
        "since make ran: size in conf/a.yaml is another one",
        "since make ran: in.txt is deleted",
        "since use ran: code.py is modified",
    ]


def test_two_hashes_of_one_file_contradict():
    assert contradictions(["make"], LOCK, {"data/a": "2"}) == []
    assert contradictions(["make", "use@x-0"], LOCK, {"data/a": "2"}) == [
        "the hash of data/a that use@x-0 read is not the one that was made: dvc.lock was edited by hand, "
        "or is older at one of them"
    ]


def test_reports_are_edited_or_not_committed():
    outs = {
        "make": {"data/a": "not in cache"},
        "use@x-0": {"reports/b": "modified"},
        "use@y-0": {"reports/c": "deleted", "reports/not_recorded": "deleted"},
    }
    in_git = {"reports/b", "reports/c", "reports/not_recorded"}
    assert edited_reports(state(outs=outs, in_git=in_git), LOCK) == [
        "reports/b has not the hash in dvc.lock: the report or the lock was edited after the run",
        "reports/c is recorded in dvc.lock but not committed",
    ]


def test_libraries_are_compared_as_pip_would(tmp_path: Path):
    pins = tmp_path / "requirements.lock"
    assert libraries(pins)[1] == [
        "requirements.lock is not committed, so nothing says which libraries are meant"
    ]
    pins.write_text(f"# a comment\n\nPyTest=={version('pytest')}\nnumpy==0.1\nno library\n")
    installed, found = libraries(pins)
    assert installed == {"PyTest": version("pytest"), "numpy": version("numpy")}
    assert found == [
        f"numpy {version('numpy')} is installed; requirements.lock pins ==0.1",
        "requirements.lock, line 5: 'no library' is no pinned library",
    ]


def test_the_machine_is_told_without_names(tmp_path: Path, monkeypatch):
    text = (
        "model name\t: A Processor\nflags\t\t: avx512f fpu ssse3 smep avx2\nmodel name\t: Another\n"
    )
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr("jobshift.verification.certificate.CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    told = machine()
    assert told["processor"] == "A Processor" and told["threads"] == 3
    assert told["cpu_flags"] == ["avx2", "avx512f", "ssse3"]
    assert told["cores"] >= 1
