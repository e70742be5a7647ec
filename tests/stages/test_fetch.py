"""The fetch stage: a folder complete or absent, and provenance that depends on content alone."""

import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, ValidationError

from jobshift.errors import JobshiftError
from jobshift.stages.fetch import Config, run
from jobshift.texts import sources
from jobshift.texts.sources import Kind, Member, Source

ROOT = Path(__file__).parents[2]
TABLE = b"activity,rating\nWhistle to the goats,E0\n"
NOTE = b"Made up for a test.\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RAW = Path("data/raw/made_up")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def config(tmp_path, monkeypatch) -> Config:
    """A source of two files, of which `mirror/` has both."""
    monkeypatch.chdir(tmp_path)
    Path("mirror/made-up").mkdir(parents=True)
    Path("mirror/made-up/table.csv").write_bytes(TABLE)
    Path("mirror/made-up/note.txt").write_bytes(NOTE)
    monkeypatch.setenv("JOBSHIFT_MIRROR", "mirror")
    members = {
        "table.csv": Member("data/table.csv", sha(TABLE)),
        "docs/note.txt": Member("note.txt", sha(NOTE)),
    }
    source = Source("made_up", "Madé up", "MIT", Kind.github, "a/b", COMMIT, members=members)
    return Config(source, timeout_s=1, tries=1, backoff_s=0)


@pytest.fixture
def network(monkeypatch):
    """What the network serves, by the end of the address; anything else is unreachable."""
    served = {}

    def download(url: str, path: Path, **_):
        if Path(url).name not in served:
            path.write_bytes(b"half of i")
            raise JobshiftError(f"{url} could not be downloaded")
        path.write_bytes(served[Path(url).name])

    monkeypatch.setattr(sources, "download", download)
    return served


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_members_and_provenance_are_written(config, caplog):
    caplog.set_level(logging.INFO)
    run(config)
    found = files(RAW)
    assert found.pop("source.json").decode() == (
        "{\n"
        '  "name": "made_up",\n'
        '  "title": "Madé up",\n'
        '  "licence": "MIT",\n'
        f'  "version": "{COMMIT}",\n'
        f'  "origin": "github.com/a/b@{COMMIT}",\n'
        '  "origin_sha256": null,\n'
        '  "sha256": {\n'
        f'    "docs/note.txt": "{sha(NOTE)}",\n'
        f'    "table.csv": "{sha(TABLE)}"\n'
        "  }\n"
        "}\n"
    )
    assert found == {"table.csv": TABLE, "docs/note.txt": NOTE}
    assert caplog.messages[-1] == "made_up: 2 files, 0.0 MB, sha256 verified"


def test_mirror_and_network_give_the_same_bytes(config, network, monkeypatch):
    run(config)
    mirrored = files(RAW)
    monkeypatch.delenv("JOBSHIFT_MIRROR")
    network |= {"table.csv": TABLE, "note.txt": NOTE}
    run(config)
    assert files(RAW) == mirrored


@pytest.mark.parametrize("wrong", ["unreachable", "another body"])
def test_failure_leaves_nothing_behind(config, network, wrong):
    Path("mirror/made-up/note.txt").unlink()
    if wrong == "another body":
        network["note.txt"] = b"Please sign in."
    with pytest.raises(JobshiftError, match="^made_up: "):
        run(config)
    assert list(Path("data/raw").iterdir()) == []


def test_failure_leaves_an_earlier_fetch_as_it_was(config, network):
    run(config)
    before = files(Path("data"))
    Path("mirror/made-up/note.txt").unlink()
    with pytest.raises(JobshiftError):
        run(config)
    assert files(Path("data")) == before


def test_nothing_else_stays_in_the_folder(config):
    run(config)
    (RAW / "left over").touch()
    run(config)
    assert sorted(files(RAW)) == ["docs/note.txt", "source.json", "table.csv"]


def test_mirror_that_is_no_folder_is_said_and_left_aside(config, network, monkeypatch, caplog):
    network |= {"table.csv": TABLE, "note.txt": NOTE}
    monkeypatch.setenv("JOBSHIFT_MIRROR", "miror")
    run(config)
    assert caplog.messages[0] == "JOBSHIFT_MIRROR is not a folder and is left aside: miror"
    assert (RAW / "table.csv").read_bytes() == TABLE


@pytest.mark.parametrize("change", [{"tries": 0}, {"timeout_s": 0}, {"backoff_s": -1}])
def test_senseless_patience_is_refused(config, change):
    for key, value in change.items():
        setattr(config, key, value)
    with pytest.raises(JobshiftError, match=r"^conf/fetch\.yaml: .*" + next(iter(change))):
        run(config)


# --- the config as it is composed -----------------------------------------------------------------


def composed(**changes) -> Config:
    """The stage's config from conf/fetch.yaml and conf/source/, without Hydra."""
    primary = OmegaConf.load(ROOT / "conf/fetch.yaml")
    assert primary.pop("defaults") == ["fetch_schema", {"source": "???"}, "_self_"]
    chosen = {"source": OmegaConf.load(ROOT / "conf/source/rubric_ratings.yaml")}
    return OmegaConf.to_object(
        OmegaConf.merge(OmegaConf.structured(Config), chosen, primary, changes)
    )


def test_config_is_typed():
    config = composed()
    assert isinstance(config, Config) and isinstance(config.source, Source)
    assert config.source.kind is Kind.file
    assert isinstance(config.source.members["dwa_ratings.csv"], Member)
    with pytest.raises(ConfigKeyError, match="retries"):
        composed(retries=3)
    with pytest.raises(ValidationError, match="ftp"):
        composed(source={"kind": "ftp"})


def test_own_ratings_are_fetched_from_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ratings").symlink_to(ROOT / "ratings")
    run(composed())
    folder = Path("data/raw/rubric_ratings")
    own = (ROOT / "ratings/dwa_ratings.csv").read_bytes()
    assert (folder / "dwa_ratings.csv").read_bytes() == own
    said = json.loads((folder / "source.json").read_text(encoding="utf-8"))
    assert said["version"] == "2026-11" and said["sha256"]["dwa_ratings.csv"] == sha(own)


def test_stage_imports_neither_torch_nor_what_it_may_not_need():
    loaded = (
        "import sys, jobshift.stages.fetch; "
        "print(*{'torch', 'transformers', 'sklearn', 'scipy', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
