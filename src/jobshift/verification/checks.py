"""What is looked at before a re-run: whether the recorded study can follow from what is committed.

What DVC's own `status` finds in the clone is sorted into what it means. Every finding is a sentence.
"""

from contextlib import chdir
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobshift.errors import JobshiftError
from jobshift.verification.checkout import LOCK, UnreadableError, git, hashes, outputs

# Where certificates lie; not part of what they certify.
CERTIFICATES = ":(exclude,glob)reports/**/verification.*"
# Check → what holds if nothing is found.
CHECKS = {
    "committed": "nothing is uncommitted",
    "libraries": "the installed libraries are those of requirements.lock",
    "code": "dvc.lock fits dvc.yaml, the parameters and the committed files",
    "hashes": "the hashes in dvc.lock fit one another",
    "reports": "every committed report has the hash in dvc.lock",
}


@dataclass(frozen=True)
class State:
    """The study in the clone, as DVC sees it before the re-run.

    `planned` are the stages to be run, in the order of the run. Of these, by stage: `deps` that differ from
    dvc.lock (path → state, or key → state for a file of parameters), `outs` that do (path → state), and
    the paths of those outs that Git keeps (`in_git`); `commands` are stages whose command differs.
    """

    planned: list[str]
    known: list[str]
    deps: dict[str, dict] = field(default_factory=dict)
    outs: dict[str, dict[str, str]] = field(default_factory=dict)
    in_git: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)


def read_state(place: Path, chosen: list[str]) -> State:
    """Ask DVC how the clone differs from its dvc.lock, for stages `chosen` and what they need, or for all.

    A stage may be named without what stands after `@`. JobshiftError where there is none of a name,
    UnreadableError where DVC does not understand its files.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.reproduce import get_active_graph, plan_repro

    try:
        # DVC names stages and files as seen from the working directory.
        with chdir(place), Repo() as repo:
            stages = {stage.addressing: stage for stage in repo.index.stages}
            for name in chosen:
                if not any(name in (each, group(each)) for each in stages):
                    known = ", ".join(dict.fromkeys(group(each) for each in stages))
                    raise JobshiftError(
                        f"--stage {name}: there is no such stage; there are {known}"
                    )
            targets = [each for name, each in stages.items() if {name, group(name)} & set(chosen)]
            # With no target at all, DVC plans everything.
            planned = plan_repro(get_active_graph(repo.index.graph), targets)
            state = State([stage.addressing for stage in planned], list(stages))
            differing = repo.status()
            for stage in planned:
                state.in_git.update(str(out) for out in stage.outs if not out.use_cache)
                for found in differing.get(stage.addressing, []):
                    if found == "changed command":
                        state.commands.append(stage.addressing)
                    elif "changed deps" in found:
                        state.deps[stage.addressing] = found["changed deps"]
                    elif "changed outs" in found:
                        state.outs[stage.addressing] = found["changed outs"]
            return state
    except DvcException as error:
        reason = str(error).replace(f"{place}/", "").strip().splitlines()[0]
        raise UnreadableError(f"DVC cannot read the study: {reason.rstrip('.')}") from error


def group(stage: str) -> str:
    """The name of a stage without what it is run with: train@lstm-0 → train."""
    return stage.split("@")[0]


def uncommitted(root: Path) -> list[str]:
    """A sentence for each file of the working tree that is not as in HEAD, or that Git does not know."""
    lines = git(root, "status", "--porcelain", "--", ".", CERTIFICATES).splitlines()
    return [f"{line.split(maxsplit=1)[1]} is not committed" for line in lines]


def libraries(pins: Path) -> tuple[dict[str, str], list[str]]:
    """The installed version of each library that the file pins, and a sentence for each that is another."""
    from packaging.requirements import InvalidRequirement, Requirement

    if not pins.is_file():
        return {}, [f"{pins.name} is not committed, so nothing says which libraries are meant"]
    installed, found = {}, []
    for number, line in enumerate(pins.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith(("#", "-")):
            continue
        try:
            pin = Requirement(line)
        except InvalidRequirement:
            found.append(f"{pins.name}, line {number}: '{line}' is no pinned library")
            continue
        try:
            installed[pin.name] = version(pin.name)
        except PackageNotFoundError:
            found.append(f"{pin.name} is not installed; {pins.name} pins {pin.specifier}")
            continue
        if not pin.specifier.contains(installed[pin.name], prereleases=True):
            found.append(
                f"{pin.name} {installed[pin.name]} is installed; {pins.name} pins {pin.specifier}"
            )
    return installed, found


def misfits(state: State, lock: dict[str, dict], remedy: str) -> list[str]:
    """One sentence that names the stages which dvc.lock does not fit, and one for each reason.

    `remedy` is the command that makes the study anew.
    """
    recorded = outputs(lock)
    differing = [Path(path) for outs in state.outs.values() for path in outs]
    reasons: dict[str, list[str]] = {}
    for stage in state.planned:
        of_stage = [f"{LOCK} has no entry"] if stage not in lock else []
        if stage in lock:
            if stage in state.commands:
                of_stage.append("the command in dvc.yaml is another one")
            for path in state.outs.get(stage, {}):
                if Path(path) not in recorded:
                    of_stage.append(f"{LOCK} has no hash of {path}")
            for path, how in state.deps.get(stage, {}).items():
                if isinstance(how, dict):
                    of_stage += [f"{key} in {path} is another one" for key in how]
                # What another stage makes is not there yet, or looked at as a report.
                elif not overlaps(Path(path), differing):
                    of_stage.append(f"{path} is {how}")
        for reason in of_stage:
            reasons.setdefault(reason, []).append(stage)
    if not reasons:
        return []
    stages = [stage for stage in state.planned if any(stage in each for each in reasons.values())]
    return [
        f"{LOCK} was not made by what is committed: {named(stages)} would run again; run `{remedy}` and "
        "commit, or bring back what was edited",
        *(f"since {named(stages)} ran: {reason}" for reason, stages in reasons.items()),
    ]


def overlaps(path: Path, others: list[Path]) -> bool:
    """Whether `path` is one of the others, in one, or has one in it."""
    return any(path == each or each in path.parents or path in each.parents for each in others)


def named(stages: list[str]) -> str:
    """Stages for a sentence; one run with many values is named once."""
    return ", ".join(dict.fromkeys(group(stage) for stage in stages))


def contradictions(planned: list[str], lock: dict[str, dict], made: dict[str, str]) -> list[str]:
    """A sentence for each dependency of which dvc.lock has another hash than `made`, path → hash, has."""
    return [
        f"the hash of {path} that {stage} read is not the one that was made: {LOCK} was edited by "
        "hand, or is older at one of them"
        for stage in planned
        for path, hash_ in hashes(lock, stage, "deps").items()
        if made.get(path, hash_) != hash_
    ]


def edited_reports(state: State, lock: dict[str, dict]) -> list[str]:
    """A sentence for each committed output which is not the one that dvc.lock records."""
    recorded, found = outputs(lock), []
    for path, how in ((path, how) for outs in state.outs.values() for path, how in outs.items()):
        if how == "modified":
            found.append(
                f"{path} has not the hash in {LOCK}: the report or the lock was edited after the run"
            )
        elif how == "deleted" and path in state.in_git and Path(path) in recorded:
            found.append(f"{path} is recorded in {LOCK} but not committed")
    return found
