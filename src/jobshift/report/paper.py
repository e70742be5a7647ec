"""The paper: a Typst source whose numbers come from reports/tables/, compiled to one PDF.

The source is three files: `paper.typ` has the words, `numbers.typ` is the only way from a table to
the text, `layout.typ` is how it looks and refuses a digit that did not come that way. Here is what
Typst cannot do itself: see that the figures are those of the tables, hand over what the configs say,
and put an error into one sentence. Only the fonts that Typst brings along are used and no date is
written, so the same tables give the same bytes on every machine.
"""

import hashlib
import json
import re
from pathlib import Path

from jobshift.errors import JobshiftError

CAPTIONS, DRAWN_FROM = "captions.json", "drawn_from.json"
# What layout.typ says of a digit in the prose, with the digits at the end.
TYPED = "a number typed by hand"


def compile_paper(source: Path, facts: dict, kind: str = "pdf", ppi: float = 80) -> list[bytes]:
    """Compile `source`, a path below the working directory, which is the root of all its paths.

    `facts` is what numbers.typ knows as `study`. `kind` is pdf (one file), png (a file a page, with
    `ppi` pixels an inch) or html (one file, for reading the text by program). Raises JobshiftError
    with file and line where the source asks for what the tables do not have, types a number itself,
    or where Typst warns.
    """
    import typst

    inputs = {"study": json.dumps(facts)}
    try:
        compiled, warnings = typst.compile_with_warnings(
            str(source), root=".", format=kind, ppi=ppi, sys_inputs=inputs, ignore_system_fonts=True
        )
    except typst.TypstError as error:
        raise JobshiftError(explain(error.message, error.diagnostic, source)) from error
    for warning in warnings:
        if kind != "html":  # which is an experiment of Typst and always warns
            raise JobshiftError(explain(warning.message, warning.diagnostic, source))
    return compiled if isinstance(compiled, list) else [compiled]


def explain(message: str, diagnostic: str, source: Path) -> str:
    """One sentence from what Typst says, with the line of `source` that led there.

    `diagnostic` has the place of the error and of every call that led to it; the innermost place in
    `source` counts. A digit in the prose has no place there and is looked for.
    """
    message = message.removeprefix("panicked with: ")
    missing = re.fullmatch(r"file not found \(searched at (.+)\)", message)
    if missing:
        path = Path(missing[1]).relative_to(Path.cwd())
        return f"{path} is missing and {source} reads it; make it with `dvc repro`"
    place = re.search(rf"┌─ {re.escape(source.as_posix())}:(\d+)", diagnostic)
    line = int(place[1]) if place else None
    if message.startswith(TYPED):
        typed = re.compile(rf"(?<![\w.]){re.escape(message.rsplit(maxsplit=1)[-1])}(?!\w)")
        lines = source.read_text(encoding="utf-8").splitlines()
        found = [n for n, text in enumerate(lines, start=1) if typed.search(text)]
        line = found[0] if len(found) == 1 else None
    sentence = " ".join(message.split())
    return f"{source}{f', line {line}' if line else ''}: {sentence}"


def check_figures(figures: Path, tables: Path) -> None:
    """JobshiftError where a figure was drawn from other tables than those in the folder `tables`.

    `drawn_from.json` has, for each figure in `captions.json`, the SHA-256 of every table it shows.
    """
    captions, drawn_from = (read_json(figures / name) for name in (CAPTIONS, DRAWN_FROM))
    for name in captions:
        if name not in drawn_from:
            raise JobshiftError(
                f"{figures / DRAWN_FROM} does not say from which tables {name} was drawn; "
                "draw the figures with `jobshift figures`"
            )
        for table, hash_ in drawn_from[name].items():
            path = tables / f"{table}.csv"
            if not path.is_file():
                raise JobshiftError(
                    f"{path} is missing, from which the figure {name} was drawn; make it with "
                    "`dvc repro`"
                )
            if sha256(path) != hash_:
                raise JobshiftError(
                    f"{figures / name}.pdf is stale: {path} has changed since it was drawn; draw the "
                    "figures with `jobshift figures`"
                )


def read_json(path: Path) -> dict:
    """What the stage figures wrote at `path`; JobshiftError where it is missing."""
    if not path.is_file():
        raise JobshiftError(f"{path} is missing; draw the figures with `jobshift figures`")
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
