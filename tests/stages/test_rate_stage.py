import csv
import json
import os
import signal
import subprocess
import sys
import time
from io import BufferedReader, BytesIO, TextIOWrapper
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import tiny_export

from jobshift.errors import JobshiftError
from jobshift.rating import files
from jobshift.rating.exported import read_export
from jobshift.rating.rate import rating_columns
from jobshift.stages import rate

VERBS = ("draft", "carry", "paint", "look up", "sort", "count")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_export.export(tmp_path_factory.mktemp("export") / "tiny")


@pytest.fixture
def model(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The export, in an empty working directory, with chunks of 5 rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "ROWS", 5)
    return export


def run(model: Path, *arguments: str) -> int:
    return rate.main(["--model", str(model), "--threads", "1", "--quiet", *arguments])


def tasks(count: int) -> list[dict]:
    return [{"id": str(n), "text": f"{VERBS[n % 6]} {n}", "job": "ab"[n % 2]} for n in range(count)]


def write(file: str, rows: list[dict]) -> str:
    form = files.format_of(file, None)
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif form == "jsonl":
        Path(file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with Path(file).open("w", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]), delimiter=files.DELIMITERS[form])
            writer.writeheader()
            writer.writerows(rows)
    return file


def rows_of(file: str) -> list[dict]:
    """The rows of any format, as text; empty where there is nothing."""
    form = files.format_of(file, None)
    if form == "parquet":
        rows = pq.read_table(file).to_pylist()
    elif form == "jsonl":
        rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    else:
        with Path(file).open(newline="") as opened:
            return list(csv.DictReader(opened, delimiter=files.DELIMITERS[form]))
    said = {None: "", True: "true", False: "false"}
    return [
        {
            name: said.get(cell, str(cell)) if not isinstance(cell, float) else repr(cell)
            for name, cell in row.items()
        }
        for row in rows
    ]


ENDINGS = ("csv", "tsv", "parquet", "jsonl")


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_rows_in_order(model: Path, ending: str):
    rows = tasks(13)
    write("in.csv", rows)
    assert run(model, "in.csv", "--out", "wanted.csv") == 0
    wanted = rows_of("wanted.csv")
    assert [{name: row[name] for name in rows[0]} for row in wanted] == rows
    assert list(wanted[0]) == ["id", "text", "job", *rating_columns(read_export(model)), "problem"]
    assert {row["problem"] for row in wanted} == {""} and float(wanted[0]["beta"]) >= 0
    source = write(f"in.{ending}", rows)
    for other in ENDINGS:
        assert run(model, source, "--out", f"out.{other}") == 0
        assert rows_of(f"out.{other}") == wanted
    assert not list(Path().glob("*.parts"))


def test_bad_rows_come_out_in_order_with_the_reason(model: Path):
    lines = [
        {"text": "sort 1"},
        {"text": ""},
        {"text": None},
        {"text": 5},
        {"n": 1},
        {"text": "\ud800"},
    ]
    Path("in.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
        + '[1]\n{"text": "..."}\n{"text": "sort 1"}\n'
    )
    assert run(model, "in.jsonl", "--out", "out.jsonl") == 0
    found = rows_of("out.jsonl")
    assert [row["problem"] for row in found] == [
        "",
        "no text",
        "no text",
        "not text",
        "no text",
        "half of a surrogate pair",
        'line 7: JSON, but no object such as {"text": …}',
        "no letter or digit",
        "",
    ]
    assert all(row["predicted"] == row["out_of_domain"] == "" for row in found if row["problem"])
    assert found[0]["p_E0"] == found[-1]["p_E0"] != ""
    assert "n" in found[4] and "n" not in found[0]


def test_the_column_of_the_texts(model: Path):
    write("a.csv", [{"code": "x1", "what people do": "sort 1 letters", "n": "5"}] * 3)
    assert run(model, "a.csv", "--out", "b.csv") == 0
    assert rows_of("b.csv")[0]["problem"] == ""
    write("c.csv", [{"one": "sort letters", "two": "paint boats"}])
    with pytest.raises(JobshiftError, match="not clear which .* --text, one of 'one', 'two'"):
        run(model, "c.csv", "--out", "d.csv")
    assert run(model, "c.csv", "--out", "d.csv", "--text", "two") == 0
    with pytest.raises(JobshiftError, match=r"c.csv has no column 'three' \(--text\); choose"):
        run(model, "c.csv", "--out", "d.csv", "--text", "three")


def test_what_cannot_be_is_one_sentence(model: Path):
    write("a.csv", [{"text": "sort 1", "beta": "1"}])
    with pytest.raises(JobshiftError, match="has a column 'beta' already"):
        run(model, "a.csv", "--out", "b.csv")
    with pytest.raises(JobshiftError, match="--out is the input"):
        run(model, "a.csv", "--out", "./a.csv")
    with pytest.raises(JobshiftError, match="no column 'job'"):
        run(model, "a.csv", "--out", "b.csv", "--occupation", "job")
    with pytest.raises(JobshiftError, match="second file"):
        run(model, "a.csv", "--out", "-", "--occupation", "job")
    with pytest.raises(JobshiftError, match="no exported model"):
        run(Path("nothing"), "a.csv", "--out", "b.csv")
    Path("empty.jsonl").write_text("[]\n")
    with pytest.raises(JobshiftError, match="empty.jsonl is empty, or none"):
        run(model, "empty.jsonl", "--out", "b.csv")
    with pytest.raises(JobshiftError, match="--threads is 0"):
        run(model, "a.csv", "--out", "b.csv", "--threads", "0")


def test_standard_input_and_output(model: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary):
    content = "".join(json.dumps(row) + "\n" for row in tasks(7)).encode()
    Path("in.jsonl").write_bytes(content)
    assert run(model, "in.jsonl", "--out", "wanted.jsonl") == 0
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BufferedReader(BytesIO(content))))
    assert run(model, "-", "--out", "-", "--format", "jsonl") == 0
    assert capsysbinary.readouterr().out == Path("wanted.jsonl").read_bytes()


def test_occupations_are_means_over_their_rows(model: Path):
    rows = [*tasks(11), {"id": "11", "text": "", "job": "a"}]
    write("in.csv", rows)
    assert run(model, "in.csv", "--out", "out.csv", "--occupation", "job") == 0
    rated, found = rows_of("out.csv"), rows_of("out.occupations.csv")
    assert [(row["occupation"], row["n"]) for row in found] == [("a", "6"), ("b", "5")]
    for row in found:
        for name in ("alpha", "beta", "zeta", "automation"):
            own = [
                float(each[name])
                for each in rated
                if each["job"] == row["occupation"] and each[name]
            ]
            mean, low, high = (float(row[name + end]) for end in ("", "_low", "_high"))
            assert mean == pytest.approx(sum(own) / len(own), abs=1e-6) and low < mean < high


def test_ctrl_c_says_how_to_continue(model: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    write("in.csv", tasks(23))
    run(model, "in.csv", "--out", "wanted.parquet")
    done, real = [], rate.rate_table

    def broken_off(*arguments: object) -> pa.Table:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments)

    monkeypatch.setattr(rate, "rate_table", broken_off)
    assert run(model, "in.csv", "--out", "out.parquet") == 130
    said = capsys.readouterr().err
    assert "2 parts of 5 rows are kept in out.parquet.parts, and the same command continues" in said
    assert not Path("out.parquet").exists()
    # Another input under the same name: its first chunk is rated again, its second is not.
    rows = tasks(23)
    rows[0]["text"] = "something else"
    write("in.csv", rows)
    done.append(1)
    monkeypatch.setattr(rate, "rate_table", lambda *x: done.append(1) or real(*x))
    assert run(model, "in.csv", "--out", "out.parquet") == 0
    assert len(done) == 3 + 4 and not Path("out.parquet.parts").exists()
    run(model, "in.csv", "--out", "wanted.parquet")
    assert Path("out.parquet").read_bytes() == Path("wanted.parquet").read_bytes()


def test_killed_it_continues_with_the_same_bytes(model: Path, monkeypatch: pytest.MonkeyPatch):
    write("in.csv", tasks(1500))
    run(model, "in.csv", "--out", "wanted.csv")
    code = (
        "import sys; from jobshift.rating import files; from jobshift.stages import rate; files.ROWS = 5; "
        "rate.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "in.csv", "--out", "out.csv", "--model", str(model)]
    process = subprocess.Popen([*command, "--threads", "1", "--quiet"])
    parts, until = Path("out.csv.parts"), time.monotonic() + 60
    while len(list(parts.glob("*.arrow"))) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = len(list(parts.glob("*.arrow")))
    assert 2 <= kept < 300 and not Path("out.csv").exists()
    again, real = [], rate.rate_table
    monkeypatch.setattr(rate, "rate_table", lambda *x: again.append(1) or real(*x))
    assert run(model, "in.csv", "--out", "out.csv") == 0
    assert len(again) == 300 - kept
    assert Path("out.csv").read_bytes() == Path("wanted.csv").read_bytes()


def test_masked_before_anything_is_stored(model: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("presidio_analyzer")
    rows = [
        {
            "id": "1",
            "text": "mail jane@example.org",
            "job": "j@example.org",
            "by": "bob@example.org",
        }
    ]
    write("in.csv", rows)
    with monkeypatch.context() as patch:
        patch.setattr(rate, "join", lambda *x: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run(model, "in.csv", "--out", "out.csv", "--mask", "--occupation", "job") == 130
    (part,) = Path("out.csv.parts").glob("*.arrow")
    assert feather.read_table(part)["text"].to_pylist() == ["mail <EMAIL>"]
    assert run(model, "in.csv", "--out", "out.csv", "--mask", "--occupation", "job") == 0
    (row,) = rows_of("out.csv")
    assert (row["text"], row["by"], row["job"]) == ("mail <EMAIL>", "<EMAIL>", "j@example.org")
    # What is rated is what is stored.
    write("masked.csv", [{"text": row["text"]}])
    run(model, "masked.csv", "--out", "again.csv")
    assert rows_of("again.csv")[0]["beta"] == row["beta"]


def test_ray_gives_the_same_bytes(model: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    write("in.csv", tasks(23))
    assert run(model, "in.csv", "--out", "here.parquet") == 0
    assert run(model, "in.csv", "--out", "there.parquet", "--cluster", "ray") == 0
    assert Path("here.parquet").read_bytes() == Path("there.parquet").read_bytes()
