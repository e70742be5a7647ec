"""The real pipeline through DVC, from wheels to figures, on the tiny study (420 tasks)."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import yaml
from conftest import command


def ran(output: str) -> list[str]:
    """The stages that a `dvc repro` ran."""
    return re.findall(r"Running stage '([^']+)'", output)


def test_the_study_runs_repeats_to_the_byte_and_reruns_only_what_an_edit_touches(
    repository: Path, forks: Path
):
    # A model without epochs and a network, but not each run of the study: a run is a process. Others
    # are trained twice and compared byte for byte in tests/stages/test_train.py.
    selected = yaml.safe_load(Path("params.yaml").read_text())
    selected["models"] = ["tfidf", "minilm"]
    selected["contrast"] = {"splits": ["random"], "models": ["tfidf"]}
    Path("params.yaml").write_text(yaml.safe_dump(selected))
    # The other engines are compared byte for byte in tests/stages/test_export.py.
    file = Path("conf/export.yaml")
    file.write_text(file.read_text().replace("[torch, onnx, openvino-int8]", "[torch]"))
    # This run is that of a user; in all others the stages do not import first (tests/forked.py).
    first = command("dvc", "repro")
    lock = Path("dvc.lock").read_bytes()
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == selected["models"]
    assert list(metrics["tfidf"]["0"]) == ["purged", "random"]
    assert list(metrics["minilm"]["0"]) == ["purged"]
    kappa = metrics["tfidf"]["0"]["purged"]["cohen_kappa"]
    assert kappa["low"] < kappa["value"] < kappa["high"]
    card = json.loads(Path("data/prepared/onet/card.json").read_text())
    assert card["counts"]["tasks"] == 420
    for leak in card["splits"]["purged"][0]["leakage"].values():
        assert leak == {"dwa": 0.0, "text": 0.0}
    assert card["splits"]["random"][0]["leakage"]["test from train"]["dwa"] > 0.5
    figures = {path.stem for path in Path("reports/figures").glob("*.pdf")}
    assert {"exposure_by_major_group", "model_comparison", "learning_curves"} <= figures

    # Nothing to do: nothing runs.
    assert ran(command("dvc", "repro", python=forks)) == []

    # One value in one model's file: its trainings, and the evaluation that follows from them.
    file = Path("conf/model/tfidf.yaml")
    recipe = file.read_text()
    file.write_text(re.sub("  C: .*", "  C: 0.5", recipe))
    reran = ran(command("dvc", "repro", "evaluate", python=forks))
    assert sorted(reran[:-1]) == ["train@tfidf-0", "train_contrast@tfidf-random-0"]
    assert reran[-1] == "evaluate"

    # The first study again, with nothing kept: the same lock file, so the same bytes everywhere.
    file.write_text(recipe)
    made = (
        "data",
        "models",
        "exports",
        "reports/figures",
        "reports/tables",
        ".dvc/cache",
        ".dvc/tmp",
    )
    for path in made:
        shutil.rmtree(path)
    for path in ("reports/paper.pdf", "reports/comparison.html", "dvc.lock"):
        Path(path).unlink()
    assert ran(command("dvc", "repro", python=forks)) == ran(first)
    assert Path("dvc.lock").read_bytes() == lock


def test_an_experiment_selects_texts_without_exposure_and_models_from_the_command_line(
    repository: Path, forks: Path
):
    """The example of a file of one's own, from `prepare` to the page; no stage is left out by hand."""
    with Path("reports/costs.csv").open("a") as costs:
        costs.write("csv,tfidf_char,900,900,260,1,0.5,0,520,150,9000,0.1,1\n")
    command("git", "commit", "-qam", "The costs of a model of characters")
    chosen = [
        *("data=csv", "models=[majority,tfidf_char]", "seeds=[0,1]", "tokenizers=[chars]"),
        *("contrast.splits=[]", "contrast.models=[]", "conf/model/tfidf_char.yaml:tfidf.C=1.0"),
        *("derived.base=tfidf_char", "derived.models=[ensemble]"),
        "conf/model/ensemble.yaml:ensemble.model=tfidf_char",
        *("conf/model/ensemble.yaml:ensemble.seeds=[0,1]", "learning_curve.models=[tfidf_char]"),
        *("learning_curve.percents=[25]", "export="),
    ]
    options = [word for each in chosen for word in ("-S", each)]
    done = command("dvc", "exp", "run", *options, python=forks)
    order = ran(done)
    assert {"aggregate", "growth", "paper", "page"} <= set(order)
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert list(metrics) == ["majority", "tfidf_char", "ensemble"]
    assert list(metrics["tfidf_char"]["0"]) == ["purged"]
    assert yaml.safe_load(Path("conf/model/tfidf_char.yaml").read_text())["tfidf"]["C"] == 1.0
    figures = {path.stem for path in Path("reports/figures").glob("*.pdf")}
    assert "confusion_matrices" in figures and "learning_curves" not in figures
    assert not any(name.startswith("exposure") for name in figures)
    # What the ensemble is made of was trained before it.
    assert max(order.index(f"train@tfidf_char-{seed}") for seed in (0, 1)) < min(
        order.index(f"train_derived@ensemble-{seed}") for seed in (0, 1)
    )
    table = pd.read_csv("reports/tables/comparison.csv").set_index("model")
    assert set(table.index) == {"majority", "tfidf_char", "ensemble"}
    # Two runs of TF-IDF are the same, and so is their mean.
    assert table["cohen_kappa"]["ensemble"] == table["cohen_kappa"]["tfidf_char"] > 0
    assert set(table["cohen_kappa_sd"]) == {0} and set(table["seeds"]) == {2}
    assert table["size_mb"].dropna().to_dict() == {"tfidf_char": 0.1}
    curve = pd.read_csv("reports/tables/learning_curve.csv")
    few, every = (curve[curve["percent"] == percent] for percent in (25, 100))
    assert few["n_tasks"].between(60, 90).all() and (every["n_tasks"] > 240).all()
    assert Path("models/tfidf_char/purged-1-25/run.json").is_file()
    page = Path("reports/comparison.html").read_text()
    assert "The study default compares 3 models" in page and "TF-IDF of characters" in page
    shown = command("dvc", "exp", "show", "--csv")
    assert "cohen_kappa" in shown

    # An edit of the file is noticed.
    assert "| texts | 449 |" in Path("reports/data_card.md").read_text()
    file = Path("examples/sentiment/sentiment.csv")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert ran(command("dvc", "repro", "prepare", python=forks)) == ["prepare"]
    assert "| texts | 448 |" in Path("reports/data_card.md").read_text()
