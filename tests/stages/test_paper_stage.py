"""The real text of the paper on a made-up study: with everything, with almost nothing, and changed."""

import html
import json
import re
import shutil
from dataclasses import fields, replace
from itertools import combinations, product
from pathlib import Path

import pandas as pd
import pytest
import typst
from omegaconf import OmegaConf

from jobshift.config import Contrast, DataConfig, Folds, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import write_csv
from jobshift.report.paper import compile_paper, sha256
from jobshift.stages import paper
from jobshift.stages.paper import Config, run

ROOT = Path(__file__).parents[2]
TABLES = Path("reports/tables")
FIGURES = Path("reports/figures")
MODELS = ["majority", "dwa_lookup", "activity_lookup", "tfidf", "minilm"]
KAPPA = dict(zip(MODELS, [0.0, 0.0, 0.41, 0.35, 0.456], strict=True)) | {"probe": 0.52}
RATERS = {"human": "people", "gpt4": "GPT-4", "rubric": "our raters A and B"}
RATES = ["alpha", "beta", "zeta", "substituted_share", "complemented_share", "untouched_share"]
ALWAYS = [
    *("exposure_by_major_group", "workers_over_threshold", "exposure_by_wage"),
    *("exposure_by_industry", "exposure_by_state", "model_comparison", "reliability_diagram"),
    "confusion_matrices",
]
HEADERS = {
    "validity": "level,rater,rated,measure,target,method,value,low,high,n_units",
    "validity_comparisons": "level,measure,method,model_a,model_b,difference,low,high,p,p_holm",
    "changes_summary": "kind,reference,rater,metric,value,low,high,n_tasks",
    "changes_activities": (
        "level,title,enough,direction,rank,n_tasks,beta_human,beta_rubric,shift_beta,"
        "shift_beta_low,shift_beta_high"
    ),
    "growth_quintiles": (
        "rater,measure,fifths_of,outcome,fifth,n_occupations,exposure_from,exposure_to,value,low,"
        "high,relative,relative_low,relative_high"
    ),
    "growth_coverage": "rater,release,rated_share",
    "growth_correlations": (
        "rater,measure,outcome,weighting,statistic,controls,value,low,high,n_occupations"
    ),
    "transfer": "model,trained_on,judged_by,metric,value,low,high",
    "replication": "paper,place,quantity,published,ours_printed,verdict,note",
    "replication_skills": "rater,exposure,term,se_robust,se_clustered",
}


def config(published: bool = False, **changes) -> Config:
    raters = RATERS if published else {"rubric": RATERS["rubric"]}
    study = Study(
        name="made-up",
        data="made_up",
        rater="human" if published else "rubric",
        models=MODELS,
        seeds=[0],
        contrast=Contrast(models=["dwa_lookup", "tfidf"], splits=["random"]),
    )
    data = DataConfig(
        name="made_up",
        title="Made-up tasks",
        exposure=True,
        labels={"E0": 0.0, "E2": 0.5, "E1": 1.0},
        sources=[],
        raters=raters,
        automation={"human": "gpt4", "gpt4": "gpt4", "rubric": "rubric"} if published else {},
    )
    file = OmegaConf.load(ROOT / "conf" / "paper.yaml")
    return Config(
        study=replace(study, **changes),
        data=data,
        rater=study.rater,
        optional_figures=list(file.optional_figures),
        literals=list(file.literals),
    )


def table(columns: str, rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split(","))


def estimates(value: float) -> tuple[float, float, float]:
    return value, value - 0.03, value + 0.03


def model_tables(config: Config) -> dict[str, pd.DataFrame]:
    others = [rater for rater in config.data.raters if rater != config.rater]
    runs = [*config.study.runs(), *((rater, "purged", 0) for rater in others)]
    metrics = []
    for model, split, seed in runs:
        kappa = KAPPA.get(model, 0.3) + 0.2 * (split == "random") + 0.01 * seed
        values = {"cohen_kappa": kappa, "f1_macro": 0.5, "accuracy": 0.6}
        values |= {"occupation_beta_pearson": 0.8, "expected_calibration_error": 0.05}
        for metric, value in values.items():
            metrics.append((model, seed, split, metric, *estimates(value), 3210, 99, 77))
    comparisons = []
    for metric in ("cohen_kappa", "occupation_beta_pearson"):
        for a, b in combinations([*config.study.models, *others], 2):
            difference = KAPPA.get(a, 0.3) - KAPPA.get(b, 0.3)
            comparisons.append(("purged", metric, a, b, *estimates(difference), 0.02, 0.04))
    pairs = combinations(config.data.raters if others else ["A", "B", "C"], 2)
    reliability = [
        ("task", "exposure", f"{a}-{b}", "cohen_kappa", 0.7 + 0.01 * n, 3210)
        for n, (a, b) in enumerate(pairs)
    ]
    sizes = "n_tasks,n_groups,n_occupations"
    return {
        "metrics": table(f"model,seed,split,metric,value,low,high,{sizes}", metrics),
        "comparisons": table(
            "split,metric,model_a,model_b,difference,low,high,p,p_holm", comparisons
        ),
        "reliability": table("level,variable,raters,measure,value,n", reliability),
    }


def exposure_tables(config: Config) -> dict[str, pd.DataFrame]:
    national, places = [], {}
    predicted = ["probe"] if config.study.split.folds > 1 else []
    for n, rater in enumerate([*config.data.raters, *predicted]):
        rates = dict(zip(RATES, [0.07, 0.22 + n / 100, 0.37, 0.05, 0.32, 0.63], strict=True))
        rates |= {"workers_beta_at_least_10_percent": 0.7, "workers_beta_at_least_50_percent": 0.1}
        rates |= {"matched_share_of_total": 0.9, "matched_workers": 9e6, "employment_workers": 1e7}
        if rater in predicted:  # Models tell nothing about automation.
            rates |= dict.fromkeys(RATES[3:], float("nan"))
        national += [(rater, "core", measure, value) for measure, value in rates.items()]
        for name, key, count in (
            ("major_groups", "title", 4),
            ("industries", "industry", 3),
            ("states", "state", 3),
            ("wage_deciles", "decile", 10),
            ("industries_detailed", "industry", 24),
            ("areas", "area", 3),
        ):
            for i in range(count):
                row = {"rater": rater, key: i + 1 if key == "decile" else f"{key.title()} {i}"}
                row |= dict.fromkeys(RATES, 0.1 + 0.02 * i) | {"matched_workers": 1e6}
                row |= {"employment_workers": 1e6, "wage_mean_usd": 4e4 + i, "in_national": True}
                row |= {"metropolitan": True, "naics": i, "naics_level": 4, "ownership": "all"}
                places.setdefault(f"exposure_{name}", []).append(row)
    return {
        "exposure_national": table("rater,task_weighting,measure,value", national),
        **{name: pd.DataFrame(rows) for name, rows in places.items()},
        "sources": table(
            "name,title,licence,version,origin,file,sha256",
            [("tasks", "Tasks", "CC BY 4.0", "1.0", "a wheel", "tasks.csv", "ab" * 32)],
        ),
    }


def published_tables() -> dict[str, pd.DataFrame]:
    """Rows of every table that the default study has empty."""
    levels = [("occupation", 785), ("major_group", 22), ("iwa", 332)]
    targets = ["applicability", "applicability_user", "applicability_ai"]
    methods = ["pearson", "spearman", "pearson_employment"]
    validity = [
        (level, rater, "tasks", measure, target, method, *estimates(0.5 + 0.07 * n), units)
        for (level, units), (n, rater), measure, target, method in product(
            levels, enumerate(RATERS), RATES[:3], targets, methods
        )
    ]
    # A model that says the same of all has no correlation.
    constant = ("occupation", "majority", "tasks", "beta", "applicability", "pearson")
    validity.append((*constant, *[float("nan")] * 3, 785))
    compared = [
        ("occupation", "beta", "pearson", a, b, *estimates(-0.07), 0.01, 0.02)
        for a, b in combinations(RATERS, 2)
    ]
    metrics = ["agreement", "cohen_kappa", "task_beta_pearson", "occupation_beta_pearson"]
    metrics += [f"shift_{rate}" for rate in RATES[:3]]
    metrics += [f"share_{a}_{b}" for a, b in product(("E0", "E2", "E1"), repeat=2)]
    pairs = [("change", "human", "rubric"), ("change", "gpt4", "rubric")]
    pairs += [("yardstick", "human", "gpt4"), ("difference", "human", "rubric - gpt4")]
    changes = [
        (*pair, metric, *estimates(-0.1 if metric.startswith("shift") else 0.1), 3000)
        for pair, metric in product(pairs, metrics)
    ]
    activities = [
        ("iwa", f"Activity of kind {n}", True, direction, n + 1, 50, 0.4, 0.1, *estimates(-0.3))
        for direction, n in product(("lower", "higher"), range(2))
    ]
    fifths = ["1", "2", "3", "4", "5", "all", "5-1"]
    quintiles = [
        (rater, "beta", "workers", outcome, fifth, 9, 0.1, 0.2, *estimates(0.1), *estimates(0.01))
        for rater, outcome, fifth in product(RATERS, ("employment_total", "median_wage"), fifths)
    ]
    weightings = ["equal", "workers"]
    kinds = [("pearson", ""), ("slope", "log wage, major group")]
    correlations = [
        (rater, "beta", outcome, weighting, *kind, *estimates(0.1), 700)
        for rater, outcome, weighting, kind in product(
            RATERS, ("employment", "median_wage"), weightings, kinds
        )
    ]
    transfer = [
        (model, a, b, metric, *estimates(0.5 if a == "gpt4" else 0.4))
        for model, a, b, metric in product(
            ("labels", "tfidf"), RATERS, RATERS, ("cohen_kappa", "occupation_beta_pearson")
        )
        if (model, a) != ("labels", b)
    ]
    replication = [
        ("A paper (2023)", "Table 1", "mean, α", "0.14", "0.14", "exact", ""),
        ("A paper (2023)", "Table 1", "mean, β", "0.30", "0.31", "within rounding", "cut off"),
        ("A paper (2023)", "abstract", "workers, %", "-0.80", "-0.75", "differs", "why"),
    ]
    skills = [("gpt4", "alpha", f"Skill {n}", 0.1, 0.1 * n) for n in (1, 2, 3)]
    rows = {
        "validity": validity,
        "validity_comparisons": compared,
        "changes_summary": changes,
        "changes_activities": activities,
        "growth_quintiles": quintiles,
        "growth_coverage": [(rater, year, 0.98) for rater, year in product(RATERS, (2021, 2025))],
        "growth_correlations": correlations,
        "transfer": transfer,
        "replication": replication,
        "replication_skills": skills,
    }
    return {name: table(HEADERS[name], each) for name, each in rows.items()}


CARD = """# Data card: made up

| count | rows |
| --- | ---: |
| tasks | 16,050 |
| occupations | 800 |
| activities | 1,234 |

| class | tasks | share |
| --- | ---: | ---: |
| E0 | 8,000 | 50.0% |
| E1 | 8,050 | 50.0% |

| split | fold | train | val | test | purged | DWA leakage | text leakage |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| purged | 0 | 8,000 | 800 | 3,210 | 4,040 | 0.0% | 0.0% |
| major_group | 0 | 15,000 | 1,000 | 50 | 0 | 40.0% | 1.0% |
| major_group | 1 | 12,000 | 1,000 | 3,000 | 0 | 50.0% | 2.0% |
| random | 0 | 12,000 | 840 | 3,210 | 0 | 97.5% | 8.0% |
"""


def draw(names: list[str]) -> None:
    """Write figures drawn from the tables as they are."""
    FIGURES.mkdir(exist_ok=True)
    picture = typst.compile(b"#set page(width: 8cm, height: 2cm)\nA figure")
    for name in names:
        (FIGURES / f"{name}.pdf").write_bytes(picture)
    (FIGURES / "captions.json").write_text(json.dumps(dict.fromkeys(names, "Drawn in 2026.")))
    hashes = {"metrics": sha256(TABLES / "metrics.csv")}
    (FIGURES / "drawn_from.json").write_text(json.dumps(dict.fromkeys(names, hashes)))


@pytest.fixture
def reports(tmp_path, monkeypatch) -> Path:
    """The folder of a default study: what needs other sources is there but empty."""
    monkeypatch.chdir(tmp_path)
    Path("conf").symlink_to(ROOT / "conf")
    TABLES.mkdir(parents=True)
    for name in ("paper.typ", "numbers.typ", "layout.typ", "references.bib"):
        shutil.copyfile(ROOT / "reports" / name, Path("reports", name))
    Path("requirements.lock").write_text("somepackage==1.2.3\nother==4.5\n")
    Path("reports/data_card.md").write_text(CARD)
    for name, header in HEADERS.items():
        (TABLES / f"{name}.csv").write_text(f"{header}\n")
    write(model_tables(config()) | exposure_tables(config()))
    draw(ALWAYS)
    return tmp_path


def write(tables: dict[str, pd.DataFrame]) -> None:
    for name, each in tables.items():
        write_csv(each, TABLES / f"{name}.csv")


def text(config: Config) -> str:
    """The text of the paper, all spaces alike; Typst's HTML has neither title page nor captions."""
    (page,) = compile_paper(paper.SOURCE, paper.facts(config), "html")
    body = page.decode().split("<body>")[1]
    body = re.sub(r"<[^>]+>", "", re.sub(r"</?(p|li|h\d|t[dhr])\b[^>]*>", " ", body))
    return re.sub(r"\s+", " ", html.unescape(body))


def test_the_default_study_builds_and_says_what_is_left_out(reports):
    run(config())
    first = paper.PAPER.read_bytes()
    assert first.startswith(b"%PDF-")
    run(config())
    assert paper.PAPER.read_bytes() == first

    said = text(config())
    assert "We use 16,050 of them, in 800 occupations." in said
    assert "MiniLM (fine-tuned) is best: κ = 0.456 [0.426, 0.486]" in said
    # 0.456 − 0.35 = 0.106, whose interval is above 0; 0.456 − 0.41 = 0.046 ± 0.03 as well.
    assert "it is ahead of TF-IDF + logistic regression by 0.106 in κ [0.076, 0.136]" in said
    assert "ahead of Activity lookup by 0.046 in κ [0.016, 0.076]" in said
    assert "More work is complemented (32.0 %) than substituted (5.0 %)" in said
    for part in (
        "Exposure and observed use need the source working_with_ai.",
        "What changed between 2023 and 2026 needs the source gpts_are_gpts.",
        "Employment and wages, 2021 to 2025 need the source gpts_are_gpts",
        "Learning from one rater, judged by another needs a data set with several raters",
        "Replication of published numbers needs the source gpts_are_gpts.",
    ):
        assert part in said
    assert "ab" * 32 in said


def test_the_published_study_has_every_section(reports):
    models = ["majority", "activity_lookup", "tfidf"]
    contrast = Contrast(models=models, splits=["major_group", "random"])
    published = config(True, models=[*models, "probe"], contrast=contrast, split=Folds(5))
    write(model_tables(published) | exposure_tables(published) | published_tables())
    draw([*ALWAYS, *published.optional_figures])
    run(published)

    said = text(published)
    assert "Not in this study" not in said
    assert (
        "and so does Logistic regression on MiniLM and activities, which reads the titles" in said
    )
    assert "is ahead of GPT-4 by 0.220 in κ" in said  # 0.52 − 0.30
    assert "lies between 0.50 (people) and 0.64 (our rubric)" in said
    assert "the lead of our rubric holds against all others" in said
    # 0.22 for people, a hundredth more for each further rater, of whom the model is the fourth.
    assert "without having seen its activities, it is 25.0 %" in said
    # (50 · 40 % + 3,000 · 50 %) / 3,050 = 49.8 %
    assert re.search(r"major group 2 13,500 3,050 49\.8 % 2\.0 %", said)
    assert "By our ratings it has not: over the 3,000 tasks" in said
    # Growth is in logarithms: e^0.1 − 1 = 10.5 %, with an interval above 0.
    assert "employment growth is higher: the difference is 10.5 % [7.3, 13.9]" in said
    assert "TF-IDF + logistic regression reaches κ = 0.40 when it learns from people" in said
    assert "The highest value comes from the labels of GPT-4." in said
    assert "Of 3 numbers, 1 come out exactly as printed, 1 within rounding, and 1 differ" in said
    assert "workers, % −0.80 −0.75 differs: why" in said


def test_the_text_follows_one_metric(reports):
    metrics = pd.read_csv(TABLES / "metrics.csv")
    cell = (metrics["model"] == "minilm") & (metrics["metric"] == "cohen_kappa")
    before = text(config())
    run(config())
    pdf = paper.PAPER.read_bytes()
    metrics.loc[cell, "value"] = 0.789
    write({"metrics": metrics})
    draw(ALWAYS)
    after = text(config())
    run(config())
    assert "0.789" not in before
    assert "MiniLM (fine-tuned) is best: κ = 0.789 [0.426, 0.486]" in after
    assert paper.PAPER.read_bytes() != pdf


def test_sentences_follow_the_values(reports):
    national = pd.read_csv(TABLES / "exposure_national.csv").set_index("measure")
    national.loc["substituted_share", "value"] = 0.4
    national.loc["untouched_share", "value"] = 0.28
    write({"exposure_national": national.reset_index()})
    comparisons = pd.read_csv(TABLES / "comparisons.csv")
    comparisons[["difference", "low", "high"]] = [0.01, -0.02, 0.04]
    write({"comparisons": comparisons})
    said = text(config())
    assert "More work is substituted (40.0 %) than complemented (32.0 %)" in said
    assert "most of the work done in the United States is exposed" in said
    # In the table TF-IDF stands first, so the sign turns.
    assert (
        "not to be told from TF-IDF + logistic regression, "
        "with a difference in κ of −0.010 [−0.040, 0.020]"
    ) in said


def test_a_study_of_two_models_and_one_split(reports):
    small = config(models=["majority", "tfidf"], contrast=Contrast())
    write(model_tables(small))
    draw(ALWAYS)
    run(small)
    said = text(small)
    assert "TF-IDF + logistic regression is best" in said
    assert "random split" not in said


def test_several_seeds_are_averaged(reports):
    several = config(seeds=[0, 4])
    write(model_tables(several))
    draw(ALWAYS)
    run(several)
    # (0.456 + 0.496) / 2
    assert "MiniLM (fine-tuned) is best: κ = 0.476, and" in text(several)


def test_a_missing_number_stops_the_build_and_keeps_the_last_paper(reports):
    run(config())
    last = paper.PAPER.read_bytes()
    metrics = pd.read_csv(TABLES / "metrics.csv")
    write({"metrics": metrics[metrics["model"] != "minilm"]})
    draw(ALWAYS)
    with pytest.raises(
        JobshiftError,
        match=r"paper\.typ, line \d+: reports/tables/metrics\.csv: no row with model = minilm, seed = 0",
    ):
        run(config())
    assert paper.PAPER.read_bytes() == last


def test_a_stale_figure_stops_the_build(reports):
    metrics = pd.read_csv(TABLES / "metrics.csv")
    write({"metrics": metrics.assign(accuracy=1)})
    with pytest.raises(JobshiftError, match=r"exposure_by_major_group\.pdf is stale"):
        run(config())
    assert not paper.PAPER.exists()


def test_a_missing_figure_stops_the_build(reports):
    draw(ALWAYS[1:])
    with pytest.raises(JobshiftError, match="there is no figure 'exposure_by_major_group'"):
        run(config())


def test_a_hand_typed_number_in_the_paper_stops_the_build(reports):
    source = paper.SOURCE.read_text()
    paper.SOURCE.write_text(source.replace("= Limits", "The model reaches 0.62.\n\n= Limits"))
    with pytest.raises(
        JobshiftError, match=r"paper\.typ, line \d+: a number typed by hand; .*0\.62"
    ):
        run(config())


def test_without_exposure_there_is_a_note(reports, monkeypatch):
    said = {}

    def keep(source, *, sys_inputs, **options):
        said.update(json.loads(sys_inputs["note"]))
        return compiled(source, sys_inputs=sys_inputs, **options)

    compiled = typst.compile
    monkeypatch.setattr(typst, "compile", keep)
    labels = {"task": "pairs", "labels": ["no", "yes"]}
    data = DataConfig(name="made_up", title="Made-up pairs: 成对", **labels)
    measures = "model,split,metric,value,low,high,n_tasks,n_groups"
    rows = [
        (model, split, metric, value, value - 0.1, value + 0.1, n, 9)
        for model, value in (("majority", 0.5), ("minilm", 0.8))
        for split, n in (("purged", 40), ("hard", 20))
        for metric in ("roc_auc", "average_precision", "cohen_kappa")
    ]
    write({"metrics_mean": table(measures, rows)})
    run(replace(config(), data=data))
    first = paper.PAPER.read_bytes()
    assert first.startswith(b"%PDF-")
    # The best first, by the measures of pairs that there are.
    assert said["head"] == ["Model", "Test set", "ROC AUC", "Average precision"]
    best = "0.800 [0.700, 0.900]"
    assert said["rows"] == [
        ["MiniLM (fine-tuned)", "purged", best, best],
        ["", "hard", best, best],
        ["Majority class", "purged", *["0.500 [0.400, 0.600]"] * 2],
        ["", "hard", *["0.500 [0.400, 0.600]"] * 2],
    ]
    why, what, parts = said["paragraphs"]
    assert "the labels of made_up are no degrees of exposure" in why
    assert "40 held-out pairs in 9 leak groups" in what
    assert f"The highest ROC AUC there is that of MiniLM (fine-tuned), {best}." in what
    assert "hard: those drawn from two occupations" in parts
    run(replace(config(), data=data))
    assert paper.PAPER.read_bytes() == first


def test_the_config_file_documents_every_key():
    keys = set(OmegaConf.load(ROOT / "conf" / "paper.yaml")) - {"defaults"}
    assert keys == {entry.name for entry in fields(Config)} - {"study", "data"}
