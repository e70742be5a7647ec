"""Data sets without exposure, from prepare to the page: a file of one's own, and Chinese occupations.

The first is a new language with new labels: one config file, and no code.
"""

import json
import random
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import jobshift

from jobshift.errors import JobshiftError

# Esperanto: sentences of our own about tools at work, each word saying what is thought of them.
THINGS = [
    "la nova robotilo",
    "tiu programo",
    "la skanilo",
    "nia horaro",
    "la ekrano",
    "tiu ŝaltilo",
]
WORDS = {
    "ĝoja": ["bonege helpas nin", "plaĉas al mi", "ŝparas horojn"],
    "kolera": ["ĉesas ĉiutage", "ĝenas nin", "perdas niajn notojn"],
    "neŭtra": ["staras apud la pordo", "havas ok butonojn", "venis marde"],
}
WHERE = ["en la magazeno", "dum la nokto", "ĉe la kaso", "en la oficejo", "post la paŭzo"]
REVIEWS = """
name: opinioj
title: Opinioj pri novaj iloj
reader: csv
path: texts/opinioj.tsv
text: frazo
label: sento
group: loko
names: {ĝoja: glad, kolera: angry}
"""
STUDY = {
    "models": ["majority", "tfidf_char"],
    "seeds": [0],
    "contrast": {"models": ["majority", "tfidf_char"], "splits": ["random"]},
}


def select(**changes) -> None:
    """Change keys of params.yaml."""
    file = Path("params.yaml")
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes, allow_unicode=True))


def write_opinions(file: str = "texts/opinioj.tsv") -> None:
    """90 sentences in 15 places, each place with several labels."""
    chance = random.Random(0)
    rows = [
        (f"{thing} {words} {where}.".capitalize(), label, f"{where} {number % 3}")
        for number, thing in enumerate(THINGS)
        for label, sayings in WORDS.items()
        for words, where in zip(sayings, chance.sample(WHERE, 3), strict=True)
    ]
    chance.shuffle(rows)
    Path(file).parent.mkdir(exist_ok=True)
    frame = pd.DataFrame(rows, columns=["frazo", "sento", "loko"])
    frame.to_csv(file, sep="\t", index=False)


@pytest.fixture
def opinions(study: Path) -> Path:
    """The tiny study with one data set more, which params.yaml selects."""
    Path("conf/data/opinioj.yaml").write_text(REVIEWS, encoding="utf-8")
    write_opinions()
    select(data="opinioj", **STUDY)
    return study


def train_all(*more: str) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    for model in params["models"]:
        network = model in ("lstm_char", "bert_small")
        jobshift("train", f"model={model}", *(more if network else ()))
    for model in params["contrast"]["models"]:
        jobshift("train", f"model={model}", "split=random")


def report() -> None:
    """Everything behind the training, with few draws."""
    for verb in ("evaluate", "aggregate", "transfer", "compare", "validity", "changes", "growth"):
        jobshift(verb, *(["draws=50"] if verb in ("evaluate", "compare") else []))
    jobshift("fairness")
    for verb in ("export", "explain"):
        jobshift(verb, "name=")
    for verb in ("figures", "page", "paper"):
        jobshift(verb)


def test_a_new_language_with_new_labels_is_one_config_file(opinions: Path, caplog):
    select(
        models=["majority", "tfidf_char", "lstm_char", "bert_small"],
        tokenizers=["chars", "trained"],
    )
    jobshift("prepare")
    card = json.loads(Path("data/prepared/opinioj/card.json").read_text())
    assert card["classes"] == ["kolera", "neŭtra", "ĝoja"] and card["rater"] is None
    assert list(card["splits"]) == ["purged", "random"]
    for leak in card["splits"]["purged"][0]["leakage"].values():
        assert leak == {"group": 0.0, "text": 0.0}
    assert "| ĝoja | 18 | 33.3% |" in Path("reports/data_card.md").read_text()

    for tokenizer in ("chars", "trained"):
        jobshift("tokenize", f"tokenizer={tokenizer}")
    train_all("training.epochs=1")
    saved = Path("models/bert_small/purged-0/0")
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= {
        file.name for file in saved.iterdir()
    }
    with caplog.at_level("INFO"):
        report()
    metrics = pd.read_csv("reports/tables/metrics_mean.csv")
    assert set(metrics["model"]) == {"majority", "tfidf_char", "lstm_char", "bert_small"}
    assert "balanced_accuracy" in set(metrics["metric"])
    assert not metrics["metric"].str.contains("occupation|beta|quadratic").any()
    assert list(json.loads(Path("reports/headline.json").read_text())["majority"]) == [
        "cohen_kappa",
        "f1_macro",
        "accuracy",
    ]
    assert caplog.text.count("left out, as opinioj does not have it: occupation_beta_pearson") == 3
    figures = {path.stem for path in Path("reports/figures").glob("*.pdf")}
    assert figures == {
        *("model_comparison", "confusion_matrices", "reliability_diagram", "learning_curves"),
        "split_effect",
    }
    page = Path("reports/comparison.html").read_text()
    assert "4 models on Opinioj pri novaj iloj" in page and "occupations" not in page
    assert "no training text shares a leak group" in page
    assert Path("reports/paper.pdf").read_bytes().startswith(b"%PDF")
    for table in ("exposure_national", "validity", "growth_quintiles", "changes_summary"):
        assert pd.read_csv(f"reports/tables/{table}.csv").empty
    assert pd.read_parquet("data/results/occupations.parquet").empty


def test_a_file_from_the_command_line(study: Path):
    write_opinions("mine.tsv")
    given = ["data=csv", "data.path=mine.tsv", "data.text=frazo", "data.label=sento"]
    jobshift("prepare", *given)
    # The stages that follow know the classes from what was prepared.
    jobshift("train", "data=csv", "model=tfidf_char")
    found = pd.read_parquet("models/tfidf_char/purged-0/predictions.parquet")
    assert {"p_kolera", "p_neŭtra", "p_ĝoja"} <= set(found)
    with pytest.raises(JobshiftError, match=r"label is null, so there is nothing to learn"):
        jobshift("prepare", *given[:3], "data.label=null")
    with pytest.raises(
        JobshiftError, match=r"mine\.tsv: 2 problems[^\n]*\n- .*'kolera' is none of"
    ):
        jobshift("prepare", *given, 'data.labels=[kolerega,"neŭtra","ĝoja"]')


def test_what_texts_without_activities_cannot_do(opinions: Path):
    with pytest.raises(
        JobshiftError, match=r"opinioj\.yaml lists no labels.*jobshift prepare data="
    ):
        jobshift("evaluate")
    jobshift("prepare")
    with pytest.raises(JobshiftError, match=r"dwa_lookup\.yaml: the model reads the activities"):
        jobshift("train", "model=dwa_lookup")
    with pytest.raises(JobshiftError, match=r"probe\.yaml: .* activities"):
        jobshift("train", "model=probe")
    with pytest.raises(JobshiftError, match=r"minilm_probe\.yaml: the model reads a second text"):
        jobshift("train", "model=minilm_probe", "probe.pair=true")
    with pytest.raises(JobshiftError, match=r"major_group is missing or empty"):
        jobshift("train", "model=majority", "split=major_group")


def test_tokens_of_other_texts_are_refused(opinions: Path):
    jobshift("prepare")
    with pytest.raises(JobshiftError, match=r"report\.json is missing; .*tokenize data=opinioj"):
        jobshift("train", "model=lstm_char")
    jobshift("tokenize", "tokenizer=chars")
    file = Path("texts/opinioj.tsv")
    file.write_text(file.read_text().replace("skanilo", "printilo"))
    jobshift("prepare")
    with pytest.raises(
        JobshiftError, match=r"has the tokens of other texts; run `jobshift tokenize"
    ):
        jobshift("train", "model=lstm_char")


def test_a_tokenizer_learns_from_training_texts_alone(opinions: Path):
    """A letter that only a held-out text has is no token, however often it stands there."""
    jobshift("prepare")
    test = pd.read_parquet("data/prepared/opinioj/purged/0/test.parquet")
    file = Path("texts/opinioj.tsv")
    held_out = test["text"].iloc[0]
    assert held_out in file.read_text()
    file.write_text(file.read_text().replace(held_out, held_out.replace(".", " 龙龙龙龙.")))
    jobshift("prepare")
    again = pd.read_parquet("data/prepared/opinioj/purged/0/test.parquet")
    assert again["text"].str.contains("龙").sum() == 1  # the groups and so the split are the same
    jobshift("tokenize", "tokenizer=chars", "tokenizer.min_count=1")
    vocabulary = json.loads(Path("data/tokens/chars/tokenizer.json").read_text())["model"]["vocab"]
    assert "龙" not in vocabulary and "ŝ" in vocabulary
    report = json.loads(Path("data/tokens/chars/report.json").read_text())
    assert report["unknown_share"] == pytest.approx(4 / report["tokens"], abs=1e-6)


# Chinese occupations: three classes, six small groups each; the statements are our own.
KINDS = {"1": "开会做出决定", "2": "计算桥梁受力", "6": "打磨木头椅子"}
TOOLS = ["用纸", "用铅笔", "用电脑", "用尺子", "用锤子", "用刷子"]


@pytest.fixture
def chinese(study: Path) -> Path:
    """The tiny study with a classification of 18 occupations and 6 job titles as csco_2022."""
    rows = []
    for kind, work in KINDS.items():
        rows.append(("1", f"{kind}-00-00-00", f"第{kind}大类", "", ""))
        for number, tool in enumerate(TOOLS, start=1):
            tasks = (
                f"1.{tool}{work}； 2.每天{work}{number}次； 3.保持{tool[1:]}完好，ＡＩ辅助{work}。"
            )
            code = f"{kind}-01-{number:02d}-01"
            rows.append(("4", code, f"{tool[1:]}{work[:2]}员", f"{work}的人员", tasks))
    folder = Path("data/raw/csco_2022")
    folder.mkdir(parents=True)
    columns = ["level", "code", "name", "definition", "tasks"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "csco22.csv", index=False)
    titles = [
        ("木头椅子打磨★急聘", "6-01-05-01", ""),
        ("桥梁计算 engineer", "2-01-03-01", ""),
        ("决定员", "1-01-01-01", ""),
        ("打磨学徒 🙂", "6-01-01-01", ""),
        ("受力计算", "2-01-01-01", ""),
        ("没有编码", "", ""),
    ]
    columns = ["job_name", "expected_code", "expected_name"]
    pd.DataFrame(titles, columns=columns).to_csv(folder / "testcases.csv", index=False)
    conf = Path("conf/data/csco.yaml")
    conf.write_text(conf.read_text().replace("[M1, M2, M3, M4, M5, M6]", "[M1, M2, M6]"))
    select(data="csco", sources=["csco_2022", "onet_tasks", "minilm"], **STUDY)
    return study


def test_chinese_occupations_and_their_second_test_set(chinese: Path):
    jobshift("prepare")
    tasks = pd.read_parquet("data/prepared/csco/tasks.parquet")
    assert len(tasks) == 54 and tasks["group"].nunique() == 18  # the small groups, whole
    for part in ("train", "val", "test"):
        rows = pd.read_parquet(f"data/prepared/csco/purged/0/{part}.parquet")
        assert set(rows["label"]) == {"M1", "M2", "M6"}  # drawn within each class
    card = Path("reports/data_card.md").read_text()
    assert "Second test set `job titles`" in card and "dropped: no code | 1 |" in card

    jobshift("tokenize", "tokenizer=chars")
    ensemble = Path("conf/model/ensemble.yaml")
    changed = ensemble.read_text().replace("model: minilm\n", "model: tfidf_char\n")
    ensemble.write_text(changed.replace("[0, 1, 2]", "[0]"))
    select(models=["majority", "tfidf_char", "lstm_char", "ensemble"])
    train_all("training.epochs=1")
    found = pd.read_parquet("models/lstm_char/purged-0/predictions.parquet")
    assert list(found["part"].unique())[-1] == "job_titles"
    assert (found["part"] == "job_titles").sum() == 5
    random_split = pd.read_parquet("models/tfidf_char/random-0/predictions.parquet")
    assert "job_titles" not in set(random_split["part"])
    report()
    metrics = pd.read_csv("reports/tables/metrics.csv")
    titles = metrics[metrics["split"] == "job_titles"]
    assert set(titles["model"]) == {"majority", "tfidf_char", "lstm_char", "ensemble"}
    assert set(titles["n_tasks"]) == {5} and set(titles["n_occupations"]) == {0}
    # By hand: the share of titles whose class the model said.
    truth = pd.read_parquet("data/prepared/csco/extra/job_titles.parquet").set_index("id")["label"]
    said = found[found["part"] == "job_titles"].set_index("id")["predicted"]
    accuracy = titles[(titles["model"] == "lstm_char") & (titles["metric"] == "accuracy")]
    assert accuracy["value"].item() == pytest.approx((said == truth[said.index]).mean())
    assert "Job titles: 5 texts in" in Path("reports/tables/metrics.tex").read_text()
    assert "job_titles" in set(pd.read_csv("reports/tables/comparisons.csv")["split"])
    captions = json.loads(Path("reports/figures/captions.json").read_text())
    assert "the second test set, job titles" in captions["model_comparison_job_titles"]
    assert "job titles" not in captions["split_effect"]
    assert "figure-model_comparison_job_titles" in Path("reports/comparison.html").read_text()


def test_readers_and_second_test_sets_that_are_not_there(chinese: Path):
    with pytest.raises(
        JobshiftError, match=r"csco\.yaml: extra names titles, which the reader csco"
    ):
        jobshift("prepare", "data.extra=[titles]")
    with pytest.raises(
        JobshiftError, match=r"there is no reader named nobody; choose .*csco, .*csv"
    ):
        jobshift("prepare", "data.reader=nobody", "data.extra=[]")
    with pytest.raises(JobshiftError, match=r"csco\.yaml: labels: M6 is missing"):
        jobshift("prepare", "data.labels=[M1,M2]")
    with pytest.raises(JobshiftError, match=r"csco\.yaml: labels is empty"):
        jobshift("prepare", "data.labels=[]")
    with pytest.raises(JobshiftError, match=r"task is 'summary'; choose classification"):
        jobshift("prepare", "data.task=summary")
