"""A temporary clone of the committed state, and the study's re-run in it, without anything kept.

The clone has a DVC cache of its own, which is empty and stays so. Before the run, what the stages are to make
and dvc.lock are moved out of it: so DVC finds nothing made and nothing recorded, and runs every stage.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import yaml
from yaml import YAMLError

from jobshift.errors import JobshiftError

LOCK = "dvc.lock"
PARAMS = "params.yaml"
REPORTS = Path("reports")
SECONDS_TO_END = 10
# Nothing of the user's DVC is used: neither a cache, nor what it remembers of files.
SETTINGS = """[core]
    analytics = false
    check_update = false
    autostage = true
    site_cache_dir = {folder}/site
[cache]
    dir = {folder}/cache
"""


class UnreadableError(JobshiftError):
    """The committed study itself cannot be read, so there is nothing to run again."""


@contextmanager
def scratch(keep: bool) -> Iterator[Path]:
    """A folder in the system's temporary place, removed at the end, however it comes, unless `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="jobshift-verify-")).resolve()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def git(folder: Path, *words: str) -> str:
    """What a Git command in `folder` prints; JobshiftError with its complaint where it fails."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise JobshiftError("there is no command git; install Git") from error
    if done.returncode:
        complaint = done.stderr.strip().splitlines() or ["no reason given"]
        raise JobshiftError(f"git {words[0]} failed: {complaint[-1]}")
    return done.stdout.strip()


def clone(root: Path, commit: str, folder: Path) -> Path:
    """Clone the repository `root` at `commit` into `folder`; JobshiftError where it is no study."""
    place = folder / "clone"
    git(root, "clone", "--quiet", "--no-checkout", str(root), str(place))
    git(place, "checkout", "--quiet", "--detach", commit)
    for name in ("dvc.yaml", LOCK, ".dvc"):
        if not (place / name).exists():
            raise JobshiftError(f"{name} is not committed, so nothing says what to verify")
    (place / ".dvc" / "config.local").write_text(SETTINGS.format(folder=folder), encoding="utf-8")
    return place


def read_lock(path: Path) -> dict[str, dict]:
    """The stages of a dvc.lock as it lies there, by name; UnreadableError where it is no lock file."""
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        for entry in stages.values():
            for each in (*entry.get("outs", []), *entry.get("deps", [])):
                each["path"], each["md5"]
    except (YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path.name} is not as DVC writes it") from error
    return stages


def place_study(place: Path, name: str) -> list[str]:
    """Put the study reports/NAME in the place of the default one: its choices, lock file and reports.

    Its choices are those that the Makefile gives to `dvc exp run`. Returned are the keys which
    reports/NAME/params.yaml has with another value. JobshiftError where there is no such study.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides

    own = place / REPORTS / name
    studies = sorted(each.parent.name for each in (place / REPORTS).glob(f"*/{LOCK}"))
    if name not in studies:
        raise JobshiftError(
            f"--study {name}: no such study is committed; there are {', '.join(studies) or 'none'}"
        )
    try:
        for file, overrides in to_path_overrides(choices(place, name)).items():
            apply_overrides(place / file, overrides)
        made, kept = (yaml.safe_load((at / PARAMS).read_bytes()) for at in (place, own))
    except (DvcException, OSError, YAMLError) as error:
        raise JobshiftError(
            f"--study {name}: {PARAMS} and the choices in the Makefile do not fit: {error}"
        ) from error
    lock = read_lock(own / LOCK)
    take_away(place, read_lock(place / LOCK), place.with_name("default"))
    shutil.copyfile(own / LOCK, place / LOCK)
    for path in outputs(lock):
        report = own / path.relative_to(REPORTS) if REPORTS in path.parents else None
        if report and report.exists():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if report.is_dir() else shutil.copyfile
            copy(report, place / path)
    return sorted(key for key in kept if made.get(key) != kept[key])


def choices(place: Path, name: str) -> list[str]:
    """What `make NAME` would set for the study, as `KEY=VALUE` or `FILE:KEY=VALUE`."""
    try:
        done = subprocess.run(
            ["make", "--dry-run", name], cwd=place, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise JobshiftError("there is no command make; install it for --study") from error
    for line in done.stdout.splitlines():
        if line.startswith("dvc exp run"):
            words = shlex.split(line)
            return [after for word, after in pairwise(words) if word == "-S"]
    raise JobshiftError(f"--study {name}: the Makefile does not run it; `make {name}` must")


def outputs(lock: dict[str, dict]) -> list[Path]:
    """The paths of all outputs that a lock file records."""
    return [Path(path) for stage in lock for path in hashes(lock, stage, "outs")]


def hashes(lock: dict[str, dict], stage: str, kind: str) -> dict[str, str]:
    """Path → recorded MD5 of a stage's `outs` or `deps`; empty where it is not recorded."""
    return {each["path"]: each["md5"] for each in lock.get(stage, {}).get(kind, [])}


def take_away(place: Path, lock: dict[str, dict], to: Path) -> None:
    """Move all outputs and dvc.lock from the clone to the folder `to`, where they keep their paths."""
    for path in [Path(LOCK), *outputs(lock)]:
        if (place / path).exists():
            (to / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).rename(to / path)


def environment(place: Path) -> dict[str, str]:
    """The environment of the re-run: this python and the clone's code come first, nothing goes to W&B."""
    given = dict(os.environ)
    for name, first in {"PATH": Path(sys.executable).parent, "PYTHONPATH": place / "src"}.items():
        given[name] = os.pathsep.join([str(first), *filter(None, [given.get(name)])])
    if given.get("JOBSHIFT_MIRROR"):
        given["JOBSHIFT_MIRROR"] = str(Path(given["JOBSHIFT_MIRROR"]).resolve())
    return given | {"WANDB_MODE": "disabled", "PYTHONDONTWRITEBYTECODE": "1"}


def run_again(place: Path, stages: list[str]) -> int:
    """Run `stages` and what they need (all without any) in the clone; DVC's exit code.

    DVC writes to this process's output. Whatever ends this function ends DVC and its stages, too.
    """
    # Its own group of processes: Ctrl-C reaches us alone, and we end the group.
    command = [sys.executable, "-m", "dvc", "repro", "--no-run-cache", "--no-commit", *stages]
    process = subprocess.Popen(command, cwd=place, env=environment(place), start_new_session=True)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_END)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
