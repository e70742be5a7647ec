"""The reference programs of examples/reference/, on a few made-up texts with a tiny random checkpoint."""

import ast
import importlib
import itertools
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import tiny_study
import yaml
from tiny_study import ROOT

FOLDER = ROOT / "examples" / "reference"
PROGRAMS = sorted(FOLDER.glob("*.py"))
NAMES = ["bert_finetune", "lstm_classifier", "t5_generate"]
SIZES = {"num_layers", "num_decoder_layers", "d_model", "d_kv", "d_ff", "num_heads", "dropout_rate"}
PARTS = {"train": 40, "val": 14, "test": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder: 70 texts with a class and a title, both told by the verb, and a random BERT."""
    top = tmp_path_factory.mktemp("reference")
    texts = [
        (f"{verb.capitalize()} {thing}.", tiny_study.usual(verb)[0], f"{verb} maps")
        for thing, verb in itertools.product(tiny_study.THINGS, tiny_study.VERBS)
    ]
    rows = pd.DataFrame(texts, columns=["text", "label", "target"])
    rows["seen"] = rows.index % 2 == 0
    for data in ("onet", "onet_generalize"):
        place = top / "data" / "prepared" / data / "purged" / "0"
        place.mkdir(parents=True)
        start = 0
        for part, count in PARTS.items():
            rows[start : start + count].to_parquet(place / f"{part}.parquet", index=False)
            start += count
    model = top / "data" / "raw" / "minilm"
    tiny_study.encoder(model)
    special = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]"}
    settings = {f"{name}_token": piece for name, piece in special.items()}
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    return top


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Runs a program in this process, in the folder above; what it prints, and its last line as JSON."""

    def run(name: str, *options: str) -> tuple[list[str], dict]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        lines = capsys.readouterr().out.splitlines()
        return lines, json.loads(lines[-1])

    return run


def constants(name: str) -> dict:
    """The options of a program with their defaults, and its sizes, as they are written in it."""
    found = {}
    for node in ast.parse((FOLDER / f"{name}.py").read_text()).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if getattr(target, "id", None) in ("OPTIONS", "SIZES"):
            found |= ast.literal_eval(node.value)
    return found


def test_these_are_the_programs():
    assert [program.stem for program in PROGRAMS] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_short_and_knows_nothing_of_jobshift(name: str):
    source = (FOLDER / f"{name}.py").read_text()
    assert len(source.splitlines()) < 80
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= {*sys.stdlib_module_names, "pandas", "torch", "transformers"}
    assert "jobshift" not in source


@pytest.mark.parametrize(
    ("name", "model"),
    [("lstm_classifier", "lstm"), ("bert_finetune", "minilm"), ("t5_generate", "seq2seq_t5")],
)
def test_the_values_are_those_of_the_model_beside_it(name: str, model: str):
    conf = yaml.safe_load((ROOT / "conf" / "model" / f"{model}.yaml").read_text())
    tokenizer = yaml.safe_load((ROOT / "conf" / "tokenizer" / "minilm.yaml").read_text())
    found = constants(name)
    optimizer, training = conf["optimizer"], conf["training"]
    assert {"/tokenizer": "minilm"} in conf["defaults"]
    # Where a program has no such option, it has PyTorch's own weight decay, and a constant learning rate.
    assert found.get("weight_decay", 0.01) == optimizer["weight_decay"]
    assert found.get("warmup", optimizer["warmup"]) == optimizer["warmup"]
    assert (
        f"clip_grad_norm_(model.parameters(), {optimizer['clip']})"
        in (FOLDER / f"{name}.py").read_text()
    )
    for ours, theirs in (
        (training["epochs"], "epochs"),
        (training["batch_size"], "batch_size"),
        (optimizer["lr"], "lr"),
    ):
        assert found[theirs] == ours, theirs
    # What jobshift does not cut, the program may pad to less.
    assert found["max_length"] <= tokenizer["max_length"]
    if name == "lstm_classifier":
        sizes = conf["lstm"]
        assert {key: found[key] for key in ("embedding", "hidden", "dropout")} == {
            key: sizes[key] for key in ("embedding", "hidden", "dropout")
        }
        assert (sizes["layers"], sizes["pooling"]) == (1, "max")
        assert found["tokenizer"] == tokenizer["path"]
    elif name == "bert_finetune":
        assert found["model"] == conf["encoder"]["path"] == tokenizer["path"]
    else:
        sizes = conf["seq2seq"]
        names = {"layers": "num_layers", "decoder_layers": "num_decoder_layers", "d_ff": "d_ff"}
        names |= {"heads": "num_heads", "d_model": "d_model", "dropout": "dropout_rate"}
        assert {name: sizes[name] for name in names} == {n: found[to] for n, to in names.items()}
        assert found["d_kv"] * sizes["heads"] == sizes["d_model"]
        assert found["target_length"] <= conf["generation"]["max_length"]


@pytest.mark.parametrize("name", NAMES)
def test_a_program_runs_and_says_how_it_went(name: str, run):
    lines, found = run(name, "--epochs", "1", "--max-length", "16")
    assert re.match(r"epoch 1: train accuracy 0\.\d{4}, validation accuracy 0\.\d{4}", lines[-2])
    assert found["texts"] == PARTS["train"]
    assert 0 < found["seconds"] < 20
    assert found["epochs"] == 1
    assert constants(name).keys() - SIZES <= found.keys()
    value = found["test_exact_match" if name == "t5_generate" else "test_accuracy"]
    assert value * PARTS["test"] == pytest.approx(round(value * PARTS["test"]))


def test_the_lstm_learns_and_its_seed_decides_all(run):
    options = ("--epochs", "20", "--lr", "0.01", "--batch-size", "8", "--max-length", "8")
    lines, found = run("lstm_classifier", *options)
    # The verb tells the class, and all verbs are in training.
    assert found["test_accuracy"] == 1
    again = run("lstm_classifier", *options)
    assert again[0][:-1] == lines[:-1]
    assert run("lstm_classifier", *options, "--seed", "1")[0][:-1] != lines[:-1]


def test_bert_learns(run):
    options = ("--epochs", "15", "--lr", "0.003", "--batch-size", "8", "--max-length", "8")
    _, found = run("bert_finetune", *options)
    # The most frequent class has four of the ten verbs.
    assert found["test_accuracy"] > 0.6


def test_the_t5_learns_to_write(run):
    options = ("--epochs", "15", "--batch-size", "8", "--max-length", "8", "--target-length", "8")
    _, found = run("t5_generate", *options)
    assert found["test_exact_match"] > 0.9
    assert found["test_exact_match_seen"] > 0.8


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):
    """benchmarks/reference_programs.py as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("reference_programs")


def sides(program: list[float], jobshift: list[float]) -> dict:
    """What was found in three seeds, with the given accuracies."""
    return {
        "program": {"epochs": [5, 5, 5], "seconds": [10, 30, 20], "test_accuracy": program},
        "jobshift": {"epochs": [5, 3, 4], "seconds": [5, 4, 10], "test_accuracy": jobshift},
    }


def test_the_table_is_that_of_the_numbers(benchmark):
    found = benchmark.entry(
        "onet", "lstm", "test_accuracy", 40, 2, sides([0.5, 0.75, 0.7], [0.7, 0.6, 0.7])
    )
    # Medians of 20 and 5 seconds; mean accuracies of 1.95 / 3 = 0.65 and 2 / 3 = 0.667.
    assert found["times_as_fast"] == 4
    assert found["as_good"] is True
    row = benchmark.table({"lstm_classifier": found}).splitlines()[2]
    assert row == (
        "| [`lstm_classifier.py`](lstm_classifier.py) | `lstm` | accuracy | 0.650 | 0.667 "
        "| 20 (5 epochs) | 5 (3 to 5 epochs) | 4.00 | yes |"
    )
    worse = benchmark.entry(
        "onet", "lstm", "test_accuracy", 40, 2, sides([0.5, 0.75, 0.7], [0.6, 0.6, 0.7])
    )
    assert worse["as_good"] is False
    assert benchmark.table({"lstm_classifier": worse}).splitlines()[2].endswith("| 4.00 | no |")
    # As good, but 20 / 14 = 1.43 times as fast.
    slow = sides([0.5, 0.75, 0.7], [0.7, 0.6, 0.7])
    slow["jobshift"]["seconds"] = [14, 14, 14]
    slow = benchmark.entry("onet", "lstm", "test_accuracy", 40, 2, slow)
    assert benchmark.table({"lstm_classifier": slow}).splitlines()[2].endswith("| 1.43 | no |")


def test_the_measures_are_those_of_the_programs(benchmark):
    test = pd.DataFrame({"label": list("aabb")}, index=list("wxyz"))
    predictions = pd.DataFrame({"predicted": list("abbb")}, index=list("wxyz"))
    assert benchmark.measures(test, predictions) == {"test_accuracy": 0.75}
    test = test.assign(target=["P", "Q", "R", "S"], seen=[True, True, False, False])
    predictions["output"] = ["P", "q", "R", "S"]
    # Three of four; of the two that are seen, one.
    assert benchmark.measures(test, predictions) == {
        "test_exact_match": 0.75,
        "test_exact_match_seen": 0.5,
    }


def test_the_readme_has_the_table_of_the_measurement(benchmark):
    report = ROOT / benchmark.REPORT
    found = json.loads(report.read_text()) if report.is_file() else {}
    assert benchmark.table(found) in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_both_sides_are_measured_in_turn(prepared: Path):
    # In the tiny study it is not what transformers takes it for.
    Path("data/raw/minilm/special_tokens_map.json").write_text("{}")
    before = {path for path in prepared.rglob("*") if "__pycache__" not in path.parts}
    report = Path("benchmarks/reference_programs.json")
    report.parent.mkdir()
    report.write_text('{"t5_generate": null}')
    program = str(ROOT / "benchmarks" / "reference_programs.py")
    options = ["--programs", "lstm_classifier", "--texts", "100", "--threads", "1"]
    ended = subprocess.run(
        [sys.executable, program, *options], capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, ended.stderr
    after = {path for path in prepared.rglob("*") if "__pycache__" not in path.parts}
    assert after == before | {report.parent.absolute(), report.absolute()}
    found = json.loads(report.read_text())
    assert list(found) == ["lstm_classifier", "t5_generate"]
    found = found["lstm_classifier"]
    assert (found["texts"], found["threads"]) == (100, 1)
    for side in ("program", "jobshift"):
        assert found[side].keys() == {"epochs", "seconds", "test_accuracy"}
        assert 1 <= found[side]["epochs"][0] <= 5
        assert found[side]["seconds"][0] > 0
        assert 0.3 < found[side]["test_accuracy"][0] <= 1
    assert "| [`lstm_classifier.py`](lstm_classifier.py) | `lstm` |" in ended.stdout
