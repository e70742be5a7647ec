from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
import yaml

from jobshift.errors import JobshiftError
from jobshift.rating import card
from jobshift.rating.exported import Exported

RECORDED = {
    "data": {
        "name": "own",
        "title": "Our sentences",
        "sources": ["sentences"],
        "raters": {"A": "one of us"},
    },
    "model": {"name": "m", "kind": "encoder"},
    "encoder": {"path": "data/raw/small"},
    "seed": 0,
}


@dataclass
class Config:
    """The keys of conf/export.yaml that a card reads."""

    split: str = "purged"
    seed: int = 0
    language: str = "en"
    base_models: dict = field(default_factory=lambda: {"small": "maker/small"})
    licence_texts: dict = field(default_factory=dict)
    card: str = str(Path(__file__).parents[2] / "conf" / "export" / "card.md")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tables = Path("reports/tables")
    tables.mkdir(parents=True)
    (tables / "metrics.csv").write_text(
        "model,seed,split,metric,value,low,high\n"
        "m,0,purged,accuracy,0.8,0.7,0.9\nm,0,purged,cohen_kappa,,,\nm,0,random,accuracy,0.99,0.9,1\n"
        "m,mean,purged,accuracy,0.55,0.5,0.6\n"
    )
    (tables / "sources.csv").write_text(
        "name,title,licence,version,origin,file,sha256\n"
        "small,A small encoder,Apache 2.0 (its makers),1,small==1,model,aa\n"
        "sentences,Sentences,CC BY 4.0,2,here,a.csv,bb\n"
        "other,Another,MIT,2,here,a.csv,cc\n"
    )
    return tables


def exported(scores: dict | None = None) -> Exported:
    return Exported(Path("x"), "m", ["E0", "E1"], scores, [], 1.25, 16, 0, 0.5, 3)


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    domain = pd.DataFrame(
        {"texts": ["tasks", "poems"], "chosen": True, "share_flagged": [0.05, 0.75]}
    )
    names = ["agreement_with_torch", "accuracy", "accuracy_difference"]
    names += ["cohen_kappa", "cohen_kappa_difference"]
    columns = {name + end: [0.5] for name in names for end in ("", "_low", "_high")}
    return domain, pd.DataFrame({"engine": ["torch"], "texts": [90], "groups": [12], **columns})


def written(config: Config, recorded: dict = RECORDED, scores: dict | None = None) -> str:
    domain, engines = tables()
    measured = {"domain": domain, "engines": engines, "automation": {}}
    measured["calibration"] = [(0.25, 0.2, 0.3), (0.0625, 0, 0.125)]
    return card.card(config, exported(scores), card.gather(config, recorded), measured)


def test_front_matter_measures_sources_and_config(study: Path):
    text = written(Config())
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "apache-2.0" and front["base_model"] == "maker/small"
    assert front["language"] == "en" and front["pipeline_tag"] == "text-classification"
    assert "| accuracy | 0.800 [0.700, 0.900] |" in text
    assert "| cohen_kappa | not defined |" in text
    assert "$" not in text and "0.990" not in text and "0.550" not in text
    assert "| model | aa |" in text and "| a.csv | bb |" in text and "| cc |" not in text
    assert "- 75.0 % of poems" in text
    assert (
        "held-out texts: 0.062 [0.000, 0.125], without the temperature 0.250 [0.200, 0.300]" in text
    )
    block = text.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block) == RECORDED


def test_exposure_is_in_the_snippet_where_classes_have_scores(study: Path):
    assert "β" not in written(Config())
    text = written(Config(), scores={"E0": 0.0, "E1": 1.0})
    assert "p @ torch.tensor([0.0, 1.0])" in text and "logits / 1.25" in text


def test_the_licence_names_what_the_weights_came_from_and_has_its_text(study: Path):
    Path("apache.txt").write_text("The terms.\n")
    config = Config(licence_texts={"apache-2.0": "apache.txt"})
    text = card.licence(config, card.gather(config, RECORDED))
    assert "A small encoder (small==1)" in text and "- Sentences: CC BY 4.0" in text
    assert text.endswith("\nThe terms.\n") and "- A small encoder" not in text
    with pytest.raises(JobshiftError, match=r"names gone\.txt, which does not exist"):
        card.gather(Config(licence_texts={"apache-2.0": "gone.txt"}), RECORDED)


@pytest.mark.parametrize("path", ["maker/other", ""])
def test_an_encoder_from_elsewhere_or_a_new_one(study: Path, path: str):
    text = written(Config(), {**RECORDED, "encoder": {"path": path}})
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "other" and front.get("base_model", "") == path


def test_groups_in_which_the_model_is_unreliable_are_named(study: Path):
    assert "were not measured" in written(Config())
    columns = "model,grouping,group,title,n_tasks,error,error_low,error_high,rest_error,unreliable"
    rows = [
        "m,major_group,11,Management,40,0.4,0.3,0.5,0.2,True",
        "m,major_group,13,Business,40,0.2,0.1,0.3,0.2,False",
        "n,major_group,15,Computers,40,0.4,0.3,0.5,0.2,True",
    ]
    (study / "fairness.csv").write_text("\n".join([columns, *rows]) + "\n")
    text = written(Config())
    assert "- 11 Management: 40 % wrong [30, 50], the rest 20 %" in text
    assert "Business" not in text and "Computers" not in text
    (study / "fairness.csv").write_text("\n".join([columns, *rows[1:]]) + "\n")
    assert "no group was called unreliable" in written(Config())


def test_what_is_missing_is_named_with_its_command(study: Path):
    with pytest.raises(JobshiftError, match="no measures of m on the split major_group"):
        card.gather(Config(split="major_group"), RECORDED)
    data = {**RECORDED["data"], "sources": ["unknown"]}
    with pytest.raises(JobshiftError, match=r"sources\.csv does not list unknown"):
        card.gather(Config(), {**RECORDED, "data": data})
    (study / "metrics.csv").unlink()
    with pytest.raises(JobshiftError, match="run `jobshift evaluate` first"):
        card.gather(Config(), RECORDED)
