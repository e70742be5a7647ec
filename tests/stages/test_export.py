import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import jobshift

from jobshift.errors import JobshiftError
from jobshift.rating.engines import ENGINES, open_engine
from jobshift.rating.exported import find_export, read_export
from jobshift.rating.heads import softmax
from jobshift.stages import export

FOLDER = Path("exports/minilm/purged-0")
# Loads a folder as anybody would: in another process, in which there is no jobshift.
LOAD = """
import json, sys

class Hidden:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "jobshift":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden)
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
inputs = tokenizer(texts, truncation=True, padding=True, return_tensors="pt")
with torch.inference_mode():
    p = torch.softmax(model(**inputs).logits, dim=1)
print(json.dumps([[model.config.id2label[n] for n in p.argmax(dim=1).tolist()], p.tolist()]))
"""


def tables() -> None:
    """The tables that a card reads, as the stages evaluate and sources write them."""
    folder = Path("reports/tables")
    folder.mkdir(parents=True, exist_ok=True)
    row = "purged,accuracy,0.8,0.7,0.9"
    lines = [f"{model},0,{row}" for model in ("minilm", "minilm_lora", "tfidf")]
    text = "\n".join(["model,seed,split,metric,value,low,high", *lines])
    (folder / "metrics.csv").write_text(text + "\n")
    jobshift("sources", "study.sources=[onet_tasks,minilm]")


@pytest.fixture(scope="module")
def exported_once(prepared_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study with an exported run; not to be written to."""
    for library in ("onnxscript", "nncf"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    folder = tmp_path_factory.mktemp("exported") / "study"
    shutil.copytree(prepared_once, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        jobshift("train", "model=minilm", "training.epochs=1", "seed=0")
        tables()
        jobshift("export", "name=minilm", "draws=50", "calibration_texts=40")
    return folder


@pytest.fixture
def study(exported_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of it, as working directory."""
    folder = tmp_path / "study"
    shutil.copytree(exported_once, folder)
    monkeypatch.chdir(folder)
    return folder


def test_the_folder_loads_with_transformers_alone_and_gives_the_runs_labels(study: Path):
    stored = pd.read_parquet("models/minilm/purged-0/predictions.parquet")
    stored = stored[stored["part"] == "test"].set_index("id")
    rows = pd.read_parquet("data/prepared/onet/purged/0/test.parquet").head(20)
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, FOLDER, json.dumps(rows["text"].tolist())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    labels, p = json.loads(done.stdout.splitlines()[-1])
    wanted = stored.loc[rows["id"]]
    assert labels == wanted["predicted"].tolist()
    np.testing.assert_allclose(p, wanted[["p_E0", "p_E2", "p_E1"]], atol=1e-5)


def test_everything_of_the_format_is_there_and_fits_together(study: Path):
    assert find_export(Path("models/minilm/purged-0")) == FOLDER
    found = read_export(FOLDER)
    rating = json.loads((FOLDER / "rating.json").read_text())
    assert found.classes == ["E0", "E2", "E1"] and found.scores == {"E0": 0, "E2": 0.5, "E1": 1}
    assert found.automation == ["T0", "T1", "T2", "T3", "T4"]
    heads, evidence = found.heads(), found.evidence()
    train = pd.read_parquet("data/prepared/onet/purged/0/train.parquet")
    assert evidence["id"].tolist() == train["id"].tolist()
    assert list(evidence) == ["id", "text", "label", "occupation"]
    assert heads.train.shape == (rating["training_texts"], rating["width"]) == (len(train), 32)
    np.testing.assert_allclose(np.linalg.norm(heads.train, axis=1), 1, atol=1e-3)
    assert heads.weight.shape == (5, 32) and heads.bias.shape == (5,)
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["id2label"] == {"0": "E0", "1": "E2", "2": "E1"}
    assert json.loads((FOLDER / "tokenizer_config.json").read_text())["model_max_length"] == 96
    run = json.loads((FOLDER / "run.json").read_text())
    assert run == json.loads(Path("models/minilm/purged-0/run.json").read_text())


def test_a_training_text_is_nearest_to_itself_and_the_heads_answer(study: Path):
    found = read_export(FOLDER)
    heads, evidence = found.heads(), found.evidence()
    ids = np.array([found.tokenizer().encode(evidence["text"][7]).ids])
    _, embedding = open_engine(found, "torch")(ids, np.ones_like(ids))
    rows, cosine = heads.nearest(embedding, 3)
    assert cosine[0, 0] == pytest.approx(1, abs=1e-3)
    assert evidence["text"][7] in evidence["text"][rows[0]].tolist()
    p = heads.automation_probabilities(embedding)
    assert p.shape == (1, 5) and p.sum() == pytest.approx(1) and p[0, 4] < 1e-9  # T4 is never given


def test_the_engines_are_compared_and_the_threshold_flags_its_share(study: Path):
    engines = pd.read_csv("reports/tables/engines.csv").set_index("engine")
    assert list(engines.index) == ["torch", "onnx", "openvino-int8"]
    assert engines.loc["torch", "agreement_with_torch"] == 1
    assert engines.loc["onnx", "agreement_with_torch"] == 1
    assert engines.loc["onnx", "largest_logit_difference"] < 1e-4
    int8 = engines.loc["openvino-int8"]
    difference = int8["accuracy"] - engines.loc["torch", "accuracy"]
    assert int8["accuracy_difference"] == pytest.approx(difference, abs=2e-6)
    assert int8["accuracy_difference_low"] <= difference <= int8["accuracy_difference_high"]
    rating = json.loads((FOLDER / "rating.json").read_text())["engines"]
    assert rating["openvino-int8"]["accuracy"] == pytest.approx(int8["accuracy"], abs=1e-6)
    assert rating["onnx"]["texts"] == engines.loc["onnx", "texts"]

    domain = pd.read_csv("reports/tables/domain.csv")
    chosen = domain[domain["chosen"]].set_index("texts")
    assert chosen.loc["validation texts", "share_flagged"] <= 0.05 + 1e-6
    for _, curve in domain.groupby("texts"):
        assert curve["threshold"].is_monotonic_increasing
        assert curve["share_flagged"].is_monotonic_decreasing
        assert curve["share_flagged"].iloc[-1] == 0


def batch(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask of texts of these lengths."""
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return np.random.default_rng(0).integers(1, 20, size=mask.shape) * mask, mask


def test_onnx_gives_what_torch_gives_for_any_shape_and_openvino_nearly(exported_once: Path):
    found = read_export(exported_once / FOLDER)
    torch, onnx, openvino = (open_engine(found, name, 1) for name in ENGINES)
    assert sys.modules["openvino_telemetry"] is None  # no statistics of use are sent
    for lengths in ([2], [16], [3, 11, 5], [1, 2, 3, 4, 5]):
        inputs = batch(lengths)
        wanted, same, near = (engine(*inputs) for engine in (torch, onnx, openvino))
        for number in range(2):
            np.testing.assert_allclose(same[number], wanted[number], atol=2e-5)
            assert near[number].dtype == np.float32 and near[number].shape == wanted[number].shape
        assert np.corrcoef(near[1].ravel(), wanted[1].ravel())[0, 1] > 0.95  # of the embeddings


def test_no_graph_names_where_it_was_made(exported_once: Path):
    for file in ("onnx/model.onnx", "openvino/model.xml"):
        content = (exported_once / FOLDER / file).read_bytes()
        assert str(exported_once).encode() not in content
        assert b"site-packages" not in content


def test_the_card_quotes_no_task(study: Path):
    text = (FOLDER / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    assert front["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    tasks = pd.read_parquet("data/prepared/onet/tasks.parquet")["text"]
    assert not [task for task in tasks if task in text]
    assert "| accuracy | 0.800 [0.700, 0.900] |" in text
    assert "Apache License" in (FOLDER / "LICENSE").read_text()


def test_a_second_export_has_the_same_bytes(study: Path):
    def content() -> dict[str, bytes]:
        files = [path for path in FOLDER.rglob("*") if path.is_file()]
        files += [Path("reports/tables/domain.csv"), Path("reports/tables/engines.csv")]
        return {path.as_posix(): path.read_bytes() for path in files}

    before = content()
    jobshift("export", "name=minilm", "draws=50", "calibration_texts=40")
    after = content()
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


def test_adapters_are_merged(study: Path):
    jobshift(
        "train",
        "model=minilm_lora",
        "training.epochs=1",
        "lora.target_modules=[query,value]",
    )
    jobshift("export", "name=minilm_lora", "draws=20", "engines=[torch]")
    folder = Path("exports/minilm_lora/purged-0")
    assert not (folder / "adapter_config.json").exists() and not (folder / "onnx").exists()
    stored = pd.read_parquet("models/minilm_lora/purged-0/predictions.parquet")
    stored = stored[stored["part"] == "test"].head(1)
    rows = pd.read_parquet("data/prepared/onet/purged/0/test.parquet").set_index("id")
    found = read_export(folder)
    ids = np.array([found.tokenizer().encode(rows.loc[stored["id"].iloc[0], "text"]).ids])
    logits, _ = open_engine(found, "torch")(ids, np.ones_like(ids))
    np.testing.assert_allclose(softmax(logits), stored[["p_E0", "p_E2", "p_E1"]], atol=1e-5)


def test_without_a_model_the_tables_are_empty(study: Path):
    jobshift("export", "name=")
    assert list(pd.read_csv("reports/tables/engines.csv")) == export.ENGINES
    assert pd.read_csv("reports/tables/domain.csv").empty


def test_what_cannot_be_exported_says_why(study: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(JobshiftError, match="run `jobshift train model=lstm split=random seed=2`"):
        jobshift("export", "name=lstm", "split=random", "seed=2")
    file = Path("models/minilm/purged-0/run.json")
    recorded = json.loads(file.read_text())
    for key, value, reason in (
        ("model", {"name": "minilm", "kind": "lstm"}, "it is a lstm for the task classification"),
        ("fit_on", "all", "nothing is left to calibrate"),
        ("tokenizer", {"pair": True}, "it is two texts"),
        ("data", {**recorded["data"], "name": "other"}, "choose data=other"),
    ):
        file.write_text(json.dumps({**recorded, key: value}))
        with pytest.raises(JobshiftError, match=reason):
            jobshift("export", "name=minilm")
    file.write_text(json.dumps(recorded))
    for argument, reason in (
        ("engines=[torch,tpu]", "name the first one, two or three of torch, onnx"),
        ("engines=[torch,openvino-int8]", "each is made from the one before"),
        ("engines=[]", r"engines is \[\]"),
        ("domain.held_out_share=1", "above 0 and below 1"),
        ("domain.neighbours=0", "it must be at least 1"),
    ):
        with pytest.raises(JobshiftError, match=reason):
            jobshift("export", "name=minilm", argument)
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(JobshiftError, match=r"run `pip install 'jobshift\[engines\]'`"):
        jobshift("export", "name=minilm")


def test_a_model_that_gives_something_else_is_not_exported(study: Path):
    before = (FOLDER / "rating.json").read_bytes()
    file = Path("models/minilm/purged-0/predictions.parquet")
    stored = pd.read_parquet(file)
    stored.loc[stored["part"] == "test", "p_E0"] += 0.01
    stored.to_parquet(file, index=False)
    with pytest.raises(JobshiftError, match="probabilities differ by up to 0.01"):
        jobshift("export", "name=minilm")
    assert (FOLDER / "rating.json").read_bytes() == before


def test_the_temperature_undoes_a_scale():
    # Of logits (0, ±ln 3) with frequencies 1 : 3 the temperature is 1; of thrice the logits, 3.
    logits = np.array([[0.0, np.log(3)]] * 4 + [[np.log(3), 0.0]] * 4)
    rows = pd.DataFrame({"label": ["b", "b", "b", "a", "a", "a", "a", "b"]})
    for factor in (1, 3):
        part = export.Part(rows, factor * logits, np.empty((8, 0)))
        assert export.temperature(part, ["a", "b"]) == pytest.approx(factor, rel=1e-3)


def test_soft_regression_learns_shares_and_knows_no_class_that_was_not_seen():
    # One value for all texts: the probabilities are the mean shares, 1/4 : 3/4.
    shares = np.tile([0.25, 0.0, 0.75], (50, 1))
    weight, bias = export.soft_regression(np.zeros((50, 2)), shares, 1e6)
    p = softmax((np.zeros((1, 2)) @ weight.T) + bias)
    np.testing.assert_allclose(p, [[0.25, 0, 0.75]], atol=1e-3)
    weight, bias = export.soft_regression(np.zeros((5, 2)), np.tile([0.0, 1.0], (5, 1)), 1.0)
    np.testing.assert_allclose(softmax(bias[None]), [[0, 1]], atol=1e-9)


def test_the_threshold_leaves_the_share_above_it():
    config = export.Config(domain=export.Domain(neighbours=1, held_out_share=0.2))
    assert export.threshold(config, np.arange(11) / 10) == pytest.approx(0.8)


def test_texts_are_read_without_comments_and_blank_lines(tmp_path: Path):
    (tmp_path / "a.txt").write_text("# Weather\nIt rains.\n\n  It pours. \n")
    assert export.read_texts(tmp_path / "a.txt").tolist() == ["It rains.", "It pours."]
    (tmp_path / "a.csv").write_text("id,text\n1,It snows.\n")
    assert export.read_texts(tmp_path / "a.csv").tolist() == ["It snows."]
    with pytest.raises(JobshiftError, match="which does not exist"):
        export.read_texts(tmp_path / "b.txt")
