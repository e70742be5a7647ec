"""Every result in README.md is the one in reports/: no number there is typed by hand for long."""

import json
import re
from pathlib import Path

import pandas as pd
import yaml

from jobshift.report import page

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = ROOT / "reports" / "tables"
NAMES = {
    "majority": "majority",
    "DWA lookup, reads no text": "dwa_lookup",
    "activity lookup, reads no text": "activity_lookup",
    "TF-IDF + logistic regression": "tfidf",
    "LSTM": "lstm",
    "MiniLM, fine-tuned": "minilm",
}


def test_the_findings_are_those_of_the_tables():
    rows = re.findall(r"\| ([\d.]+) \| `(\w+\.csv): (\w+)` \|", README)
    assert len(rows) >= 9
    for value, file, measure in rows:
        table = pd.read_csv(TABLES / file).set_index("measure")["value"]
        assert f"{table[measure]:.3f}" == value, measure


def test_the_agreement_table_is_that_of_the_metrics():
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())
    section = README.split("## The published labels")[0]
    for label, name in NAMES.items():
        (cells,) = re.findall(rf"\| {re.escape(label)} \|(.*)\|", section)
        for cell, split in zip(cells.split("|"), ("purged", "major_group", "random"), strict=True):
            found = metrics[name]["0"].get(split)
            assert cell.strip() == (f"{found['cohen_kappa']['value']:.3f}" if found else ""), (
                name,
                split,
            )


def test_the_differences_are_those_of_the_comparisons():
    table = pd.read_csv(TABLES / "comparisons.csv")
    table = table[(table["split"] == "purged") & (table["metric"] == "cohen_kappa")]
    table = table.set_index(["model_a", "model_b"])
    better, behind = table.loc[("tfidf", "minilm")], table.loc[("activity_lookup", "minilm")]
    signs = README.replace("−", "-")
    assert f"{-better.difference:.3f} in κ [{-better.high:.3f}, {-better.low:.3f}]" in signs
    assert f"by {behind.difference:.3f} [{behind.low:.3f}, {behind.high:.3f}]" in signs
    assert better.high < 0  # the sentence says better
    assert behind.low < 0 < behind.high  # the sentence says: not told from none


def test_the_findings_of_the_published_study_are_those_of_its_tables():
    tables = ROOT / "reports" / "published" / "tables"
    verdicts = pd.read_csv(tables / "replication.csv")["verdict"]
    good = verdicts.isin(["exact", "within rounding"]).sum()
    assert f"each by a stated rule | {len(verdicts)} |" in README
    assert f"within rounding | {good} |" in README
    assert good >= 0.9 * len(verdicts)
    metrics = pd.read_csv(tables / "metrics.csv").query("split == 'purged'")
    metrics = metrics.set_index(["model", "metric"])["value"]
    rows = re.findall(r"\| ([\d.]+) \| `metrics\.csv: (\w+), (\w+)` \|", README)
    assert len(rows) == 4
    for value, model, metric in rows:
        assert f"{metrics[model, metric]:.3f}" == value, (model, metric)
    table = pd.read_csv(tables / "comparisons.csv")
    table = table[(table["split"] == "purged") & (table["metric"] == "cohen_kappa")]
    row = table.set_index(["model_a", "model_b"]).loc[("gpt4", "probe")]
    assert f"{-row.difference:.3f} in κ [{-row.high:.3f}, {-row.low:.3f}]" in README
    assert row.high < 0  # the sentence says closer


def test_the_files_it_points_to_are_there():
    for path in re.findall(r"\]\(([\w./]+)\)", README):
        assert (ROOT / path).exists(), path


def test_what_the_sweep_found_is_in_its_table():
    trials = pd.read_csv(ROOT / "reports" / "sweeps" / "lstm" / "trials.csv")
    kappa = trials["val_cohen_kappa"]
    found = f"κ on validation {kappa.max():.3f} against {kappa[0]:.3f} as set by hand"
    assert f"{found}, in {len(trials)} trials" in README


def test_what_docs_say_of_workers_is_what_was_measured():
    measured = json.loads((ROOT / "benchmarks" / "sweep_workers.json").read_text())
    said = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    assert f"{measured['2 workers are so many times as fast as 1']} times as fast as one" in said
    assert f"{measured['overhead_of_a_trial_seconds']} s beyond its training run" in said
    assert len(measured["killed_after_seconds"]) == 5
    assert measured["undisturbed_tables_are_the_same"]
    assert measured["killed_table_is_the_same"]


def test_the_models_are_those_of_the_comparison():
    table = pd.read_csv(ROOT / "reports" / "comparison" / "tables" / "comparison.csv")
    names = yaml.safe_load((ROOT / "conf" / "figures.yaml").read_text())["names"]
    section = README.split("## Which model, and what it costs")[1].split("\n## ")[0]
    lines = section.split("| ---: |\n")[1].split("\n\n")[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert [row[0] for row in rows] == [names[model] for model in table["model"]]
    for cells, row in zip(rows, table.itertuples(), strict=True):
        said = [
            f"{row.cohen_kappa:.3f} ± {row.cohen_kappa_sd:.3f}",
            f"[{row.cohen_kappa_low:.3f}, {row.cohen_kappa_high:.3f}]",
            page.count(row.parameters_trained),
            page.duration(row.training_seconds),
            page.significant(row.rating_texts_per_second),
            page.megabytes(row.size_mb),
        ]
        assert cells[1:] == [each.replace("\N{NO-BREAK SPACE}", " ") for each in said], row.model


def test_the_results_on_other_texts_are_those_of_their_studies():
    pattern = r"\| ([\d.]+) \[([\d.]+), ([\d.]+)\] \| `(\w+): (\w+), (\w+), (\w+)` \|"
    rows = re.findall(pattern, README)
    assert {row[3] for row in rows} == {
        *("csco", "csv", "onet_activity", "onet_pairs", "onet_generalize")
    }
    for *said, study, model, split, metric in rows:
        table = pd.read_csv(ROOT / "reports" / study / "tables" / "metrics_mean.csv")
        table = table.set_index(["model", "split", "metric"])
        row = table.loc[(model, split, metric)]
        assert said == [f"{row[key]:.3f}" for key in ("value", "low", "high")], (study, metric)
        assert f"[`make {study}`]" in README


def test_the_prices_of_cheaper_training_are_those_of_the_comparison():
    tables = ROOT / "reports" / "comparison" / "tables"
    table = pd.read_csv(tables / "comparison.csv").set_index("model")
    pairs = pd.read_csv(tables / "comparisons.csv")
    pairs = pairs[(pairs["split"] == "purged") & (pairs["metric"] == "cohen_kappa")]
    pairs = pairs.set_index(["model_a", "model_b"])
    text = README.replace("−", "-")
    full = table["training_texts_per_second"]["minilm"]
    ratio = table["training_texts_per_second"] / full
    probe = table.loc["minilm_probe"]
    again = probe.training_texts / (probe.training_seconds - probe.once_seconds) / full
    for said in (
        f"LoRA in the upper three layers learns from {ratio['minilm_lora']:.1f} times as many",
        f"layers frozen it is {ratio['minilm_frozen']:.1f} times as many",
        f"{ratio['minilm_probe']:.1f} times as many in the first run, {again:.0f} times in all",
    ):
        assert said in text, said
    for pair in [("minilm_lora", "minilm"), ("minilm_frozen", "minilm"), ("minilm_probe", "minilm"),
                 ("lstm", "lstm_tuned")]:  # fmt: skip
        row = pairs.loc[pair]
        assert f"{-row.difference:.3f} [{-row.high:.3f}, {-row.low:.3f}]" in text, pair
    curve = pd.read_csv(tables / "learning_curve.csv")
    curve = curve[(curve["model"] == "minilm") & (curve["metric"] == "cohen_kappa")]
    some, quarter, half, every = curve.itertuples()
    assert (
        f"With {some.n_tasks} tasks MiniLM reaches κ {some.value:.3f}, with a quarter of all "
        f"{quarter.value:.3f}, with half {half.value:.3f}, with all {every.n_tasks:,} {every.value:.3f}"
    ) in text


def test_the_speeds_are_those_that_were_measured():
    sides = json.loads((ROOT / "benchmarks" / "training_speed.json").read_text())["sides"]
    section = README.split("## Speed")[1].replace("`", "")
    for name, side in sides.items():
        beside = side["median"] / sides["Trainer, dynamic padding"]["median"]
        accuracy = ", ".join(f"{each:.3f}" for each in side["accuracy"])
        assert f"| {name} | {side['median']:.0f} | {beside:.1f} × | {accuracy} |" in section


def test_what_it_says_of_rating_is_what_was_measured():
    section = README.split("## Rate your own texts")[1].split("\n## ")[0]
    sides = json.loads((ROOT / "benchmarks" / "rating_speed.json").read_text())["sides"]
    for name, side in sides.items():
        said = (
            f"| {side['texts_per_second']:.0f} | {side['times_batch_1']:.1f} × | "
            f"{side['times_batch_32']:.1f} × | {100 * side['agreement']:.1f} % |"
        )
        assert f"| {name} {said}" in section.replace("`", "")
    engines = pd.read_csv(TABLES / "engines.csv").set_index("engine")["agreement_with_torch"]
    assert f"{100 * engines['openvino-int8']:.1f} % of the labels of held-out tasks" in section
    domain = pd.read_csv(TABLES / "domain.csv").query("chosen").set_index("texts")["share_flagged"]
    for texts, called in (
        ("held-out test texts", "held-out tasks"),
        ("no tasks", "sentences that are no tasks"),
        ("remarks about work", "remarks about work"),
    ):
        assert f"{100 * domain[texts]:.1f} % of {called}" in section
    fairness = pd.read_csv(TABLES / "fairness.csv", dtype={"group": str}).query("model == 'minilm'")
    (every,) = fairness.query("grouping == 'all'")["error"]
    assert f"MiniLM is wrong in {100 * every:.1f} % of the held-out tasks" in section
    bad = fairness[fairness["unreliable"]]
    named = [
        f"{'major group' if row.grouping == 'major_group' else 'wage decile'} {row.group}"
        for row in bad.itertuples()
    ]
    assert re.findall(r"(?:major group|wage decile) \d+", section) == named
    assert re.findall(r"\((\d+) %\)", section) == [f"{100 * each:.0f}" for each in bad["error"]]
