"""benchmarks/model_costs.py on the tiny study: what it measures, and what it leaves as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
from safetensors.numpy import load_file
from tiny_study import ROOT

COSTS = Path("reports/costs.csv")
COLUMNS = (
    "data,model,parameters_total,parameters_trained,training_texts,epochs,training_seconds,"
    "once_seconds,training_texts_per_second,peak_memory_mb,rating_texts_per_second,size_mb,threads"
)
# Made up: of a model that is not measured here, the members of an ensemble, and one to be replaced.
OLDER = {
    "minilm": "onet,minilm,100,50,200,2,10,0,40,900,60.5,1.25,1",
    "zebra": "other,zebra,1,1,1,1,1.50,0,1,1,1,1,1",
}
MAJORITY = "onet,majority,99999,1,1,1,1,0,1,1,1,1,1"


def costs(*arguments: str) -> subprocess.CompletedProcess:
    program = str(ROOT / "benchmarks" / "model_costs.py")
    command = [sys.executable, program, "--threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_models_are_measured_and_other_rows_stay(prepared: Path):
    COSTS.write_text("\n".join([COLUMNS, MAJORITY, *OLDER.values()]) + "\n")
    lstm = Path("conf/model/lstm.yaml")
    lstm.write_text(lstm.read_text().replace("epochs: 5", "epochs: 2"))
    before = files(prepared)
    models = ["majority", "minilm_student", "tfidf", "minilm_probe", "lstm", "ensemble"]
    ended = costs("--models", *models)
    assert "lstm (5 of 6)" in ended.stdout, ended.stderr
    # What lacks something does not stop the others.
    assert ended.returncode == 1
    assert (
        "model_costs: minilm_student is made from models/minilm/purged-0, which is missing; run "
        "`jobshift train model=minilm split=purged seed=0` first\n" in ended.stderr
    )
    assert ended.stderr.endswith("not measured, for the reasons above: minilm_student\n")
    assert files(prepared) == before  # so no frozen features were kept, or read, either
    lines = COSTS.read_text().splitlines()
    assert lines[0] == COLUMNS
    names = ["ensemble", "lstm", "majority", "minilm", "minilm_probe", "tfidf", "zebra"]
    assert [line.split(",")[1] for line in lines[1:]] == names
    assert OLDER["minilm"] in lines and OLDER["zebra"] in lines
    # Three members: 3 × 100, 3 × 50, 3 × 10 s, 40 / 3 = 13.33, the memory of one, 60.5 / 3 = 20.17, 3 × 1.25.
    assert lines[1] == "onet,ensemble,300,150,200,2,30,0,13.33,900,20.17,3.75,1"

    rows = pd.read_csv(COSTS).set_index("model").loc[models[:1] + models[2:5]]
    assert (rows.drop(columns=["data", "once_seconds"]) > 0).all(axis=None)
    # Only the probe has something that is done once.
    once = rows["once_seconds"]
    assert 0 < once["minilm_probe"] < rows["training_seconds"]["minilm_probe"]
    assert (once.drop("minilm_probe") == 0).all()
    train = len(pd.read_parquet("data/prepared/onet/purged/0/train.parquet"))
    assert rows["training_texts"].tolist() == 4 * [train]
    assert rows["epochs"].tolist() == [1, 1, 1, 2]
    speed = rows["training_texts"] * rows["epochs"] / rows["training_seconds"]
    assert (rows["training_texts_per_second"] / speed).between(0.998, 1.002).all()
    # A process without PyTorch needs less.
    assert 2 * rows["peak_memory_mb"]["majority"] < rows["peak_memory_mb"]["lstm"]
    # The prior of three classes.
    assert rows["parameters_total"]["majority"] == 3
    # Of the probe, a weight for each of 32 dimensions and an offset, for three classes: 3 × (32 + 1).
    assert rows["parameters_trained"]["minilm_probe"] == 99
    encoder = load_file("data/raw/minilm/model.safetensors")
    whole = sum(array.size for array in encoder.values())
    assert rows["parameters_total"]["minilm_probe"] == whole + 99
    # 128 numbers a word; each direction 4 gates of 128 × (128 inputs + 128 states) and two biases,
    # 4 × 128 × (256 + 2) = 132,096; 2 × 128 × 3 weights of the classes and 3 biases.
    words = len(json.loads(Path("data/raw/minilm/tokenizer.json").read_text())["model"]["vocab"])
    expected = 128 * words + 2 * 132_096 + 2 * 128 * 3 + 3
    assert rows["parameters_total"]["lstm"] == rows["parameters_trained"]["lstm"] == expected
    # Its file has 4 bytes for each, and a header.
    assert 0 < 1e6 * rows["size_mb"]["lstm"] - 4 * expected < 2000


def test_what_cannot_be_measured_is_one_sentence(prepared: Path):
    COSTS.unlink()
    unknown = costs("--models", "majority", "minilm_lstm")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(
        "model_costs: there is no model minilm_lstm; choose from activity_lookup, bert_base, "
    )
    missing = costs("--models", "ensemble")
    assert missing.returncode == 1
    assert missing.stderr.splitlines()[0] == (
        "model_costs: ensemble is the sum of its members, but reports/costs.csv has no row of minilm on "
        "onet; measure it first (--models minilm ensemble)"
    )
    assert not COSTS.exists()
