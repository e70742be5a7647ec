"""The stage page: what it reads, refuses and leaves out, and the same bytes twice."""

import json
import re
import struct
import zlib
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import write_csv, write_json
from jobshift.report.kinds import KINDS
from jobshift.report.paper import sha256
from jobshift.stages import page
from jobshift.stages.page import Config, run

CONF = Path(__file__).parents[2] / "conf" / "page.yaml"
PAGE, TABLES, FIGURES = page.PAGE, Path("reports/tables"), Path("reports/figures")
CONFIG = Config(
    study=Study(name="small", data="made_up", models=["NA", "7"], seeds=[0]),
    data=DataConfig(
        name="made_up",
        title="Made-up tasks",
        exposure=True,
        labels={"E0": 0.0, "E1": 1.0},
        sources=[],
        raters={"rubric": "us"},
    ),
    figures=["model_comparison", "accuracy_cost"],
)


def png() -> bytes:
    """One white dot."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\xff"))


NEEDED = page.needed(KINDS["exposure"])


def rows(name: str, *given: dict) -> pd.DataFrame:
    """A table with the columns that the stage needs, empty where nothing is given."""
    return pd.DataFrame(list(given), columns=NEEDED[name][1])


@pytest.fixture(autouse=True)
def tables(tmp_path, monkeypatch) -> dict[str, pd.DataFrame]:
    """Two models whose names are no names to pandas, and one figure."""
    monkeypatch.chdir(tmp_path)
    kappa = {"cohen_kappa_low": 0.4, "cohen_kappa_high": 0.6, "seeds": 1}
    behind = {"behind_best": 0.1, "behind_best_low": 0.0, "behind_best_high": 0.2}
    sizes = {"metric": "cohen_kappa", "value": 0.5, "low": 0.4, "high": 0.6, "draws": 100}
    sizes |= {"n_tasks": 90, "n_groups": 30, "n_occupations": 8, "split": "purged", "seed": 0}
    pair = {"split": "purged", "metric": "cohen_kappa", "model_a": "7", "model_b": "NA"}
    tables = {
        "comparison": rows(
            "comparison",
            {"model": "NA", "cohen_kappa": 0.6, **kappa},
            {"model": "7", "cohen_kappa": 0.5, **kappa, **behind, "behind_best_p_holm": 0.02},
        ),
        "comparisons": rows(
            "comparisons", {**pair, "difference": -0.1, "low": -0.2, "high": 0.0, "p_holm": 0.02}
        ),
        "learning_curve": rows("learning_curve"),
        "metrics": rows("metrics", {"model": "NA", **sizes}, {"model": "7", **sizes}),
        "metrics_mean": rows("metrics_mean", {"model": "NA", **sizes}, {"model": "7", **sizes}),
        "classes": rows("classes"),
        "decodings": rows("decodings"),
    }
    for name, table in tables.items():
        write_csv(table, TABLES / f"{name}.csv")
    FIGURES.mkdir(parents=True)
    (FIGURES / "model_comparison.png").write_bytes(png())
    caption = "How good. Drawn from metrics.csv (stage evaluate)."
    write_json({"model_comparison": caption}, FIGURES / "captions.json")
    drawn_from = {"model_comparison": {"metrics": sha256(TABLES / "metrics.csv")}}
    write_json(drawn_from, FIGURES / "drawn_from.json")
    Path("conf").mkdir()
    Path("conf/figures.yaml").write_text("names:\n  NA: The word list\n")
    return tables


def test_the_page_and_the_same_bytes_again(caplog):
    with caplog.at_level("INFO"):
        run(CONFIG)
    first = PAGE.read_bytes()
    text = first.decode()
    for said in (
        "The study small compares 2 models on Made-up tasks.",
        "The word list <code>NA</code>",
        "The word list − 7: +0.100 [0.000, 0.200]",
        "How good. Drawn from",
        *(sha256(TABLES / f"{name}.csv") for name in page.NEEDED),
    ):
        assert said in text
    assert str(Path.cwd()) not in text
    assert "left out accuracy_cost: the study has no such figure" in caplog.text
    run(CONFIG)
    assert PAGE.read_bytes() == first
    assert sorted(path.name for path in Path("reports").iterdir()) == [
        "comparison.html",
        "figures",
        "tables",
    ]


@pytest.mark.parametrize("name", list(page.NEEDED))
def test_missing_table_or_column(tables, name):
    stage, columns = NEEDED[name]
    write_csv(tables[name].drop(columns=columns[-1]), TABLES / f"{name}.csv")
    with pytest.raises(JobshiftError, match=rf"{name}\.csv: .*'{columns[-1]}'.*`jobshift {stage}`"):
        run(CONFIG)
    (TABLES / f"{name}.csv").unlink()
    with pytest.raises(JobshiftError, match=rf"{name}\.csv: .* no such table.*`jobshift {stage}`"):
        run(CONFIG)
    assert not PAGE.exists()


def test_no_model(tables):
    write_csv(tables["comparison"][:0], TABLES / "comparison.csv")
    with pytest.raises(JobshiftError, match=r"comparison\.csv has no model.*`jobshift compare`"):
        run(CONFIG)


def test_figures_that_are_stale_or_missing(tables):
    (FIGURES / "model_comparison.png").unlink()
    with pytest.raises(JobshiftError, match=r"model_comparison\.png is missing.*jobshift figures"):
        run(CONFIG)
    write_csv(tables["metrics"].assign(value=0.7), TABLES / "metrics.csv")
    with pytest.raises(JobshiftError, match=r"is stale: .*metrics\.csv has changed"):
        run(CONFIG)
    (FIGURES / "captions.json").unlink()
    with pytest.raises(JobshiftError, match=r"captions\.json is missing.*jobshift figures"):
        run(CONFIG)


def test_without_figures():
    write_json({}, FIGURES / "captions.json")
    run(replace(CONFIG, figures=[]))
    assert "<img" not in PAGE.read_text(encoding="utf-8")


def test_without_exposure_the_page_is_the_report(tables):
    data = DataConfig(name="made_up", title="Made-up texts", labels=["a", "b"], extra=["titles"])
    second = tables["metrics_mean"].assign(split="titles", n_tasks=17)
    write_csv(pd.concat([tables["metrics_mean"], second]), TABLES / "metrics_mean.csv")
    captions = {
        name: f"Caption of {name}."
        for name in ("split_effect", "accuracy_cost", "model_comparison_titles", "model_comparison")
    }
    for name in captions:
        (FIGURES / f"{name}.png").write_bytes(png())
    write_json(captions, FIGURES / "captions.json")
    write_json({name: {} for name in captions}, FIGURES / "drawn_from.json")
    run(replace(CONFIG, data=data))
    text = PAGE.read_text(encoding="utf-8")
    # A second test set stands behind the first, what else a paper would show at the end.
    assert re.findall(r"Caption of (\w+)", text) == [
        *("model_comparison", "model_comparison_titles", "accuracy_cost", "split_effect")
    ]
    assert "on the 17 titles." in text
    assert "They are judged by the labels of the data set itself" in text


def test_the_columns_follow_the_kind(tables):
    data = DataConfig(name="made_up", title="Made-up pairs", task="pairs", labels=["a", "b"])
    with pytest.raises(JobshiftError, match=r"comparison\.csv: there is no column 'roc_auc'"):
        run(replace(CONFIG, data=data))


def test_the_config_file_documents_every_key_and_names_figures_that_there_are():
    file = OmegaConf.load(CONF)
    assert set(file) - {"defaults"} == {entry.name for entry in fields(Config)} - {"study", "data"}
    from jobshift.report.page import TITLES

    assert list(file.figures) == list(TITLES)
    assert json.dumps(list(file.figures)).count("learning_curve") == 1
