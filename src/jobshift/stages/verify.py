"""verify: does this number still follow from that data? The committed study, run again and compared.

In a temporary clone of HEAD, with an empty cache, every stage runs anew (with `--stage` those named and what
they need), and each output is compared with the hash that dvc.lock records. Before that it is looked at
whether the record fits the code, the reports fit the record, and this environment is the one that is pinned.
The certificate is written in any case: `reports/verification.json` and `.md`, of another study in its folder.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file, write_json
from jobshift.verification import checkout, checks
from jobshift.verification.certificate import Found, certificate, page, summary
from jobshift.verification.compare import compare_output

DEFAULT = "default"


def main(arguments: list[str]) -> int:
    """Verify as the options say; the exit code: 0 if everything holds, 1 if not, 130 or 143 if stopped.

    Raises JobshiftError where nothing can be verified, as outside a repository.
    """
    options = parser().parse_args(arguments)
    if not 0 <= options.tolerance < 1:
        raise JobshiftError(f"--tolerance {options.tolerance:g}: give a number from 0 up to 1")
    started = time.monotonic()
    try:
        with stopped_by_signals(), checkout.scratch(options.keep) as folder:
            root = Path(checkout.git(Path.cwd(), "rev-parse", "--show-toplevel"))
            commit = checkout.git(root, "rev-parse", "HEAD")
            place = checkout.clone(root, commit, folder)
            if options.keep:
                print(f"the clone stays in {place}")
            found = verify(root, place, folder, options)
    except KeyboardInterrupt as error:
        number = error.args[0] if error.args else signal.SIGINT
        kept = "stays, as --keep says" if options.keep else "is removed"
        message = f"jobshift verify: stopped; the clone {kept}, and no certificate is written"
        print(message, file=sys.stderr)
        return 128 + number
    study, seconds = options.study or DEFAULT, time.monotonic() - started
    content = certificate(found, study, commit, options.stage, options.tolerance, seconds)
    written = root / checkout.REPORTS / (options.study or "") / "verification.json"
    write_json(content, written)
    with complete_file(written.with_suffix(".md")) as partial:
        partial.write_text(page(content), encoding="utf-8")
    print("\n" + "\n".join(summary(content)))
    print(f"certificate: {written.relative_to(root).with_suffix('')}.json and .md")
    return 0 if content["holds"] else 1


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    made = argparse.ArgumentParser(
        prog="jobshift verify",
        description="Run the committed study again in a temporary clone, and compare every output.",
    )
    made.add_argument(
        "--stage",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these stages of dvc.yaml and what they need, as train@lstm-0, or train for all of them",
    )
    made.add_argument("--study", metavar="NAME", help="the study in reports/NAME")
    made.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="X",
        help="numbers in reports may differ by X (1 + |recorded|); 0, the default: not at all",
    )
    made.add_argument("--keep", action="store_true", help="leave the clone where it is")
    made.add_argument(
        "--anyway", action="store_true", help="run even if a check before the run does not hold"
    )
    return made


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM within ends like Ctrl-C: by a KeyboardInterrupt, which has the signal's number."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def verify(root: Path, place: Path, folder: Path, options: argparse.Namespace) -> Found:
    """Check the clone `place` of `root`, run the study in it, and compare; `folder` is for what is needed."""
    libraries, found = checks.libraries(place / "requirements.lock")
    result = Found({"committed": checks.uncommitted(root), "libraries": found}, libraries)
    remedy = f"make {options.study}" if options.study else "dvc repro"
    try:
        other = checkout.place_study(place, options.study) if options.study else []
        lock = checkout.read_lock(place / checkout.LOCK)
        state = checks.read_state(place, options.stage)
    except checkout.UnreadableError as error:
        result.findings["code"] = [f"{error}; run `{remedy}` and commit"]
        return result
    result.findings["code"] = [
        *(
            f"`{remedy}` would choose another {key} than reports/{options.study} has"
            for key in other
        ),
        *checks.misfits(state, lock, remedy),
    ]
    result.findings["hashes"] = checks.contradictions(state.planned, lock, all_hashes(lock, "outs"))
    result.findings["reports"] = checks.edited_reports(state, lock)
    result.left_over = [stage for stage in lock if stage not in state.known]
    if any(result.findings.values()) and not options.anyway:
        return result
    recorded = folder / "recorded"
    checkout.take_away(place, lock, recorded)
    code = checkout.run_again(place, options.stage and state.planned)
    new_lock = place / checkout.LOCK
    obtained = checkout.read_lock(new_lock) if new_lock.is_file() else {}
    result.rerun = "finished" if code == 0 else f"stopped, as dvc repro ended with code {code}"
    edited = {path for outs in state.outs.values() for path in outs}
    for stage in state.planned:
        old, new = (checkout.hashes(each, stage, "outs") for each in (lock, obtained))
        result.outputs[stage] = [
            compare_output(
                path,
                old.get(path),
                new.get(path),
                recorded / path if path not in edited else None,
                place / path,
                options.tolerance,
            )
            for path in sorted({*old, *new})
        ]
    if all(each.verdict == "identical" for of in result.outputs.values() for each in of):
        # So what the stages read must be as recorded, too.
        made = all_hashes(obtained, "deps")
        result.findings["hashes"] = checks.contradictions(state.planned, lock, made)
    return result


def all_hashes(lock: dict[str, dict], kind: str) -> dict[str, str]:
    """Path → hash of the outs or deps of all stages."""
    return {
        path: hash_ for stage in lock for path, hash_ in checkout.hashes(lock, stage, kind).items()
    }
