"""Pinned sources: downloads against a local server, wheels through the real pip, mirror, hashes.

The bodies are random bytes, so that a piece put in the wrong place shows.
"""

import gzip
import hashlib
import os
import random
import re
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from jobshift.errors import JobshiftError
from jobshift.texts import sources
from jobshift.texts.sources import Kind, Member, Source

ROOT = Path(__file__).parents[2]
BODY = random.Random(0).randbytes(200_000)  # three whole chunks and a bit
OTHER = random.Random(1).randbytes(150_000)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NETWORK = {"timeout_s": 5, "tries": 3, "backoff_s": 0}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- a server that misbehaves as told -------------------------------------------------------------


class Server:
    """Answers the requests one by one as `script` says; the last answer is repeated.

    An answer is a status (500), "whole", "hang", ("cut", where the body ends) or ("from", another
    start); a Range header is answered with 206 unless `ranges` is off.
    """

    def __init__(self):
        self.script, self.body, self.etag, self.ranges = ["whole"], BODY, '"v1"', True
        self.seen = []  # (path, headers) of each request
        self.over = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def handler(server):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answer = server.script[min(len(server.seen), len(server.script) - 1)]
                server.seen.append((self.path, dict(self.headers)))
                if answer == "hang":
                    server.over.wait(10)
                    return
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                what, place = answer if isinstance(answer, tuple) else (answer, None)
                asked = self.headers.get("Range") if server.ranges else None
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                start = place if what == "from" else start
                self.send_response(206 if asked else 200)
                if asked:
                    last = len(server.body) - 1
                    self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
                self.send_header("Content-Length", str(len(server.body) - start))
                if server.etag:
                    self.send_header("ETag", server.etag)
                self.end_headers()
                self.wfile.write(server.body[start : place if what == "cut" else None])

            def log_message(self, *_):
                pass

        return Handler

    def header(self, name: str) -> list[str | None]:
        return [headers.get(name) for _, headers in self.seen]


@contextmanager
def served() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        server = Server()
        thread = threading.Thread(target=server.http.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.over.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()


@pytest.fixture
def server():
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def shared():
    """One server for all examples of a property."""
    with served() as running:
        yield running


@pytest.fixture
def pauses(monkeypatch):
    """What would have been slept, in seconds."""
    slept = []
    monkeypatch.setattr(sources.time, "sleep", slept.append)
    return slept


def download(server: Server, path: Path, **changes) -> bytes:
    sources.download(f"{server.url}/file", path, **(NETWORK | changes))
    return path.read_bytes()


# --- https ----------------------------------------------------------------------------------------


def test_whole_download_is_one_plain_request(server, tmp_path):
    assert download(server, tmp_path / "file") == BODY
    assert server.header("Range") == [None]
    assert server.header("Accept-Encoding") == ["identity"]


def test_server_errors_are_tried_again_with_growing_pauses(server, tmp_path, pauses, caplog):
    server.script = [500, 503, 429, "whole"]
    assert download(server, tmp_path / "file", tries=4, backoff_s=0.5) == BODY
    assert pauses == [0.5, 1.0, 2.0]  # 0.5 · 2⁰, 0.5 · 2¹, 0.5 · 2²
    assert "file: the server answered 503; trying again in 1.0 s" in caplog.messages


def test_truncated_body_is_resumed_where_it_broke_off(server, tmp_path):
    server.script = [("cut", 150_000), "whole"]
    assert download(server, tmp_path / "file") == BODY
    first, second = server.header("Range")
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 150_000
    assert server.header("If-Range") == [None, '"v1"']


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, len(BODY) - 1), max_size=4))
@example(cuts=[1 << 16, 1 << 17])
def test_body_is_right_wherever_it_is_cut(shared, cuts):
    shared.script, shared.seen = [*(("cut", cut) for cut in cuts), "whole"], []
    with tempfile.TemporaryDirectory() as folder:
        assert download(shared, Path(folder, "file"), tries=5) == BODY


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
def test_only_a_strong_etag_guards_a_resume(server, tmp_path, etag):
    server.etag, server.script = etag, [("cut", 150_000), "whole"]
    assert download(server, tmp_path / "file") == BODY
    assert server.header("Range")[1] and server.header("If-Range") == [None, None]


def test_server_that_ignores_range_sends_the_whole_file_again(server, tmp_path):
    server.ranges, server.script = False, [("cut", 150_000), "whole"]
    assert download(server, tmp_path / "file") == BODY
    assert server.header("Range")[1]


def test_changed_file_is_not_mixed_with_the_old_one(server, tmp_path, monkeypatch):
    server.script, server.ranges = [("cut", 150_000), "whole"], False
    monkeypatch.setattr(sources.time, "sleep", lambda _: setattr(server, "body", OTHER))
    assert download(server, tmp_path / "file") == OTHER


@pytest.mark.parametrize("odd", [416, ("from", 7)])
def test_resume_that_fails_starts_over(server, tmp_path, odd):
    server.script = [("cut", 150_000), odd, "whole"]
    assert download(server, tmp_path / "file") == BODY
    assert [bool(asked) for asked in server.header("Range")] == [False, True, False]


def test_body_that_always_ends_early_is_an_error(server, tmp_path):
    server.ranges, server.script = False, [("cut", 100_000)]
    with pytest.raises(JobshiftError, match=r"/file could not be downloaded in 3 tries \(last: "):
        download(server, tmp_path / "file")
    assert len(server.seen) == 3


def test_early_end_is_noticed_by_its_length_too(tmp_path):
    """As with an older urllib3, which does not raise."""

    class Answer:
        status_code, headers = 200, {"Content-Length": "10"}

        def iter_content(self, _):
            yield b"1234"

    said = sources._receive(Answer(), tmp_path / "file", 0)
    assert said == "the body ended at 4 of 10 bytes"


def test_missing_file_is_not_tried_again(server, tmp_path):
    server.script = [404]
    with pytest.raises(JobshiftError, match="/file cannot be downloaded: the server answered 404"):
        download(server, tmp_path / "file")
    assert len(server.seen) == 1


def test_timeout_is_tried_again(server, tmp_path):
    server.script = ["hang", "whole"]
    assert download(server, tmp_path / "file", timeout_s=0.2) == BODY


def test_server_that_always_hangs_is_an_error(server, tmp_path):
    server.script = ["hang"]
    with pytest.raises(JobshiftError, match="in 2 tries .*timed out"):
        download(server, tmp_path / "file", timeout_s=0.1, tries=2)


def test_no_server_is_an_error(server, tmp_path):
    server.http.server_close()
    with pytest.raises(JobshiftError, match=r"in 2 tries \(last: ConnectionError: .*refused\)$"):
        sources.download(f"{server.url}/file", tmp_path / "file", **NETWORK | {"tries": 2})


# --- files of a repository, and the mirror --------------------------------------------------------


@pytest.fixture
def repository(server, monkeypatch):
    """A source on the server: one file in a folder."""
    monkeypatch.setattr(sources, "GITHUB", server.url)
    members = {"labels.tsv": Member("data/labels.tsv", sha(BODY))}
    return Source("made_up", "Made up", "MIT", Kind.github, "some/where", COMMIT, members=members)


def fetch(source: Source, folder: Path, mirror: Path | None = None) -> dict:
    folder.mkdir(exist_ok=True)
    return sources.fetch(source, folder, mirror=mirror, **NETWORK)


def test_file_of_a_repository_comes_from_its_commit(server, repository, tmp_path):
    found = fetch(repository, tmp_path / "raw")
    assert (tmp_path / "raw/labels.tsv").read_bytes() == BODY
    assert [path for path, _ in server.seen] == [f"/some/where/{COMMIT}/data/labels.tsv"]
    assert found == {
        "name": "made_up",
        "title": "Made up",
        "licence": "MIT",
        "version": COMMIT,
        "origin": f"github.com/some/where@{COMMIT}",
        "origin_sha256": None,
        "sha256": {"labels.tsv": sha(BODY)},
    }


def test_wrong_body_is_removed_and_named(server, repository, tmp_path):
    server.body = OTHER
    with pytest.raises(JobshiftError) as error:
        fetch(repository, tmp_path / "raw")
    for part in ("made_up: ", "data/labels.tsv", sha(OTHER), sha(BODY), "made_up.yaml"):
        assert part in str(error.value)
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize("place", ["made-up", "made_up"])
def test_mirror_comes_before_the_network(server, repository, tmp_path, place):
    mirror = tmp_path / "mirror"
    (mirror / place).mkdir(parents=True)
    (mirror / place / "labels.tsv").write_bytes(BODY)
    (mirror / place / "labels.tsv").chmod(0o444)
    mirrored = fetch(repository, tmp_path / "raw", mirror)
    assert server.seen == []
    assert (tmp_path / "raw/labels.tsv").read_bytes() == BODY
    assert mirrored == fetch(repository, tmp_path / "network")


def test_mirror_file_with_another_hash_is_left_aside(server, repository, tmp_path, caplog):
    (tmp_path / "made-up").mkdir()
    (tmp_path / "made-up/labels.tsv").write_bytes(OTHER)
    fetch(repository, tmp_path / "raw", tmp_path)
    assert len(server.seen) == 1
    assert (tmp_path / "raw/labels.tsv").read_bytes() == BODY
    (warning,) = caplog.messages
    assert "labels.tsv in JOBSHIFT_MIRROR" in warning and sha(OTHER) in warning


def test_unreachable_file_says_what_the_mirror_needs(server, repository, tmp_path):
    server.script = [404]
    with pytest.raises(JobshiftError, match="made_up: .* 404; .* holds made-up/labels.tsv"):
        fetch(repository, tmp_path / "raw", tmp_path)


# --- wheels ---------------------------------------------------------------------------------------

TABLE = b"activity,rating\nFold paper boats,E0\n"


def wheel(folder: Path, members: dict[str, bytes], name="tiny_data-1.0-py3-none-any.whl") -> Path:
    """Write a wheel that pip takes; `members` beside the usual metadata."""
    metadata = {
        "METADATA": b"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n",
        "WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, content in members.items():
            archive.writestr(path, content)
        for path, content in metadata.items():
            archive.writestr(f"tiny_data-1.0.dist-info/{path}", content)
    return folder / name


def packed(path: Path, **members: str) -> Source:
    """The source whose wheel is `path`; `members` as target=path, a dot in a target written __."""
    named = {target.replace("__", "."): Member(path) for target, path in members.items()}
    return Source(
        *("tiny", "Tiny", "MIT", Kind.wheel, "tiny-data", "1.0"),
        sha256=sources.sha256(path),
        members=named,
    )


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An empty folder that is all that pip sees."""
    folder = tmp_path / "index"
    folder.mkdir()
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def no_pip(monkeypatch):
    """A wheel must be in the mirror."""

    def refuse(*_, **__):
        raise AssertionError("pip was called")

    monkeypatch.setattr(sources.subprocess, "run", refuse)


def test_wheel_comes_through_pip(index, tmp_path):
    path = wheel(index, {"tiny_data/table.csv": TABLE, "tiny_data/__init__.py": b"raise 1"})
    found = fetch(packed(path, table__csv="tiny_data/table.csv"), tmp_path / "raw")
    assert [file.name for file in (tmp_path / "raw").iterdir()] == ["table.csv"]
    assert (tmp_path / "raw/table.csv").read_bytes() == TABLE
    assert found["origin"] == "tiny-data==1.0" and found["version"] == "1.0"
    assert found["origin_sha256"] == sources.sha256(path)
    assert found["sha256"] == {"table.csv": sha(TABLE)}


def test_wheel_of_one_platform_comes_to_every_other(index, tmp_path):
    for platform in ("win_amd64", "macosx_11_0_arm64", "manylinux_2_17_x86_64"):
        name = f"tiny_data-1.0-py3-none-{platform}.whl"
        path = wheel(index, {"table.csv": TABLE, "built_for": platform.encode()}, name)
        source = replace(packed(path, table__csv="table.csv"), platform=platform)
        assert fetch(source, tmp_path / platform)["origin_sha256"] == sources.sha256(path)


def test_wheel_with_another_hash_is_never_opened(index, tmp_path, monkeypatch):
    path = wheel(index, {"table.csv": TABLE})
    source = replace(packed(path, table__csv="table.csv"), sha256=sha(b"another wheel"))
    monkeypatch.setattr(sources.zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(JobshiftError) as error:
        fetch(source, tmp_path / "raw")
    for part in ("tiny: tiny_data-1.0-py3-none-any.whl", sources.sha256(path), source.sha256):
        assert part in str(error.value)
    assert list((tmp_path / "raw").iterdir()) == []


def test_wheel_that_is_nowhere_says_how_to_get_it(index, tmp_path):
    source = packed(wheel(tmp_path, {}), table__csv="table.csv")
    with pytest.raises(JobshiftError) as error:
        fetch(source, tmp_path / "raw")
    assert re.search(
        r"^tiny: pip could not download tiny-data==1\.0 "
        r"\(ERROR: No matching distribution found for tiny-data==1\.0\); .*index settings"
        r".*JOBSHIFT_MIRROR to a folder that holds tiny_data-1\.0-",
        str(error.value),
    )


def test_credentials_in_what_pip_says_are_masked(tmp_path, monkeypatch):
    source = packed(wheel(tmp_path, {}), table__csv="table.csv")
    said = (
        "WARNING: Retrying after connection broken by 'X': https://me:pa@ss@index.example/simple/\n"
        "ERROR: Could not open https://token@index.example/simple/tiny\n"
        "a last line that explains nothing\n"
    )
    fail = subprocess.CompletedProcess([], 1, stderr=said)
    monkeypatch.setattr(sources.subprocess, "run", lambda *_, **__: fail)
    with pytest.raises(JobshiftError) as error:
        fetch(source, tmp_path / "raw")
    assert (
        "(WARNING: Retrying after connection broken by 'X': https://****@index.example/simple/; "
        "ERROR: Could not open https://****@index.example/simple/tiny)"
    ) in str(error.value)


def test_url_without_credentials_is_left_as_it_is():
    assert sources.masked("see https://a.example/x@y or a@b") == "see https://a.example/x@y or a@b"


def test_python_without_pip_is_told_so(tmp_path, monkeypatch):
    source = packed(wheel(tmp_path, {}), table__csv="table.csv")
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(JobshiftError, match="fetched with pip, which .* lacks; .*ensurepip"):
        fetch(source, tmp_path / "raw")


@pytest.mark.parametrize("name", ["tiny_data-1.0-py3-none-any.whl", "Tiny.Data-1.0-1-py3-x-y.whl"])
def test_wheel_in_the_mirror_needs_no_pip(tmp_path, no_pip, name):
    path = wheel(tmp_path / "mirror", {"table.csv": TABLE}, name)
    wheel(tmp_path / "mirror", {}, "tiny_data-1.0.1-py3-none-any.whl")
    (tmp_path / "mirror/readme.whl").write_text("not a wheel")
    fetch(packed(path, table__csv="table.csv"), tmp_path / "raw", tmp_path / "mirror")
    assert (tmp_path / "raw/table.csv").read_bytes() == TABLE


def test_wheel_in_the_mirror_with_another_hash_is_left_aside(index, tmp_path, caplog):
    wrong = wheel(tmp_path / "mirror", {"table.csv": b"something else"})
    right = wheel(index, {"table.csv": TABLE})
    fetch(packed(right, table__csv="table.csv"), tmp_path / "raw", tmp_path / "mirror")
    assert (tmp_path / "raw/table.csv").read_bytes() == TABLE
    (warning,) = caplog.messages
    assert sources.sha256(wrong) in warning and "left aside" in warning


def extract(path: Path, tmp_path: Path, **members: str) -> Path:
    """Fetch the members from the wheel `path` as the mirror's."""
    fetch(packed(path, **members), tmp_path / "raw", path.parent)
    return tmp_path / "raw"


def test_gzipped_member_is_stored_as_its_target_says(tmp_path, no_pip):
    zipped = gzip.compress(TABLE, mtime=0)
    path = wheel(tmp_path / "mirror", {"table.csv.gz": zipped})
    raw = extract(path, tmp_path, table__csv="table.csv.gz", table__csv__gz="table.csv.gz")
    assert (raw / "table.csv").read_bytes() == TABLE
    assert (raw / "table.csv.gz").read_bytes() == zipped


def test_missing_member_is_named(tmp_path, no_pip):
    path = wheel(tmp_path / "mirror", {"table.csv": TABLE})
    with pytest.raises(JobshiftError, match="tiny: tiny_data-1.0.* has no member 'tabel.csv'"):
        extract(path, tmp_path, table__csv="tabel.csv")


def test_link_or_folder_is_not_extracted(tmp_path, no_pip):
    path = wheel(tmp_path / "mirror", {"table.csv": TABLE, "sub/": b""})
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16  # S_IFLNK, as on Unix
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/hostname")
    with pytest.raises(JobshiftError, match="'link' of tiny_data.* is a link or a folder"):
        extract(path, tmp_path, table__csv="link")
    source = replace(packed(path), members={"sub": Member("sub/")})
    with pytest.raises(JobshiftError, match=r"members\.sub\.path must not lead out"):
        fetch(source, tmp_path / "raw", path.parent)


@pytest.mark.parametrize("content", ["not a zip", "half a gzip"])
def test_wheel_that_cannot_be_unpacked_is_named(tmp_path, no_pip, content):
    half = gzip.compress(TABLE)[:-12]
    path = wheel(tmp_path / "mirror", {"table.csv.gz": half})
    if content == "not a zip":
        path.write_bytes(b"<html>Please sign in</html>")
    with pytest.raises(JobshiftError, match="tiny: tiny_data-1.0.*cannot be unpacked"):
        extract(path, tmp_path, table__csv="table.csv.gz")


# --- what a config may say ------------------------------------------------------------------------

GOOD = Source(
    *("tiny", "Tiny", "MIT", Kind.wheel, "tiny-data", "1.0"),
    sha256=sha(TABLE),
    members={"table.csv": Member("tiny_data/table.csv")},
)
GITHUB = replace(GOOD, kind=Kind.github, origin="some/where", version=COMMIT, sha256="")


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (replace(GOOD, name="../tiny"), "name"),
        (replace(GOOD, origin="--index-url=x"), "origin"),
        (replace(GOOD, version="1.0 --pre"), "version"),
        (replace(GOOD, sha256=""), "sha256"),
        (replace(GOOD, sha256=sha(TABLE).upper()), "sha256"),
        (replace(GOOD, members={}), "members"),
        (replace(GOOD, members={"source.json": Member("a")}), "members.source.json"),
        (replace(GOOD, members={"a": Member("a", "12")}), "members.a.sha256"),
        (replace(GITHUB, origin="where"), "origin"),
        (replace(GITHUB, version="main"), "version"),
        (GITHUB, "members.table.csv.sha256"),
        (replace(GOOD, kind=Kind.file, origin="../elsewhere"), "origin"),
    ],
)
def test_bad_config_names_its_key(source, key, tmp_path):
    with pytest.raises(JobshiftError, match=rf"^conf/source/.*tiny\.yaml: {re.escape(key)} must "):
        fetch(source, tmp_path / "raw")


OUTSIDE = ["../a", "a/../../b", "/etc/a", "..", ".", "", "a//b", "a\\..\\b", "C:/a", "a/"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_that_lead_out_are_refused(path, tmp_path):
    for members in ({path: Member("a")}, {"a": Member(path)}):
        with pytest.raises(JobshiftError, match="must not lead out of"):
            fetch(replace(GOOD, members=members), tmp_path / "raw")
    assert list((tmp_path / "raw").iterdir()) == []


@given(st.text(st.sampled_from("a./\\:~ ")))
@example("a/b.c")
def test_accepted_paths_stay_inside(path):
    if sources._stays_inside(path):
        assert Path("/raw", path).resolve().is_relative_to("/raw")
        assert Path("/raw", path).resolve() != Path("/raw")


# --- the sources that are configured --------------------------------------------------------------

CONFIGS = sorted((ROOT / "conf/source").glob("*.yaml"))


def load(path: Path) -> Source:
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Source), OmegaConf.load(path)))


def test_all_eight_sources_are_configured():
    assert [path.stem for path in CONFIGS] == [
        *("csco_2022", "gpts_are_gpts", "minilm", "multilingual_e5", "oews_2025"),
        *("onet_tasks", "rubric_ratings", "working_with_ai"),
    ]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configured_source_is_consistent(path):
    source = load(path)
    sources.check(source)
    assert source.name == path.stem
    assert source.title and source.licence
    assert path.read_text(encoding="utf-8").startswith("# ")
    hashes = [source.sha256, *(member.sha256 for member in source.members.values())]
    hashes = [found for found in hashes if found]
    assert hashes and len(set(hashes)) == len(hashes)  # none copied twice


def test_committed_ratings_have_the_configured_hash(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    source = load(ROOT / "conf/source/rubric_ratings.yaml")
    found = fetch(source, tmp_path / "raw")
    assert found["origin"] == "this repository, ratings/"
    header = (tmp_path / "raw/dwa_ratings.csv").read_text(encoding="utf-8").split("\n")[0]
    assert header == "dwa_id,rater,exposure,automation"


def test_changed_or_missing_file_of_ours_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    members = {"a.csv": Member("a.csv", sha(TABLE))}
    source = Source("own", "Own", "MIT", Kind.file, "ours", "1", members=members)
    with pytest.raises(JobshiftError, match="own: there is no ours/a.csv here; run jobshift in"):
        fetch(source, tmp_path / "raw")
    Path("ours").mkdir()
    Path("ours/a.csv").write_bytes(OTHER)
    with pytest.raises(JobshiftError, match=f"own: ours/a.csv has SHA-256 {sha(OTHER)}, expected"):
        fetch(source, tmp_path / "raw")
    assert Path("ours/a.csv").read_bytes() == OTHER  # only the copy was removed
    assert not Path("raw/a.csv").exists()
