"""LaTeX tables: exact text of small ones, and escaping that compiles."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobshift.report import tables


def test_booktabs():
    frame = pd.DataFrame({"Model": ["tf_idf", "5 % κ"], "n": [3, 4], "r": [0.12345, np.nan]})
    assert tables.booktabs(frame, ["Counts\nall\\input tasks."]) == (
        "% Counts all\\input tasks.\n"
        "\\begin{tabular}{lrr}\n"
        "\\toprule\n"
        "Model & n & r \\\\\n"
        "\\midrule\n"
        "tf\\_idf & 3 & 0.123 \\\\\n"
        "5 \\% $\\kappa$ & 4 & -- \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_blocks():
    frame = pd.DataFrame({"split": ["one", "one", "two"], "Model": ["a", "b", "a"], "n": [1, 2, 3]})
    body = tables.booktabs(frame, [], "split").splitlines()[3:-2]
    assert body == [
        "\\midrule",
        "\\multicolumn{2}{l}{\\emph{one}} \\\\",
        "a & 1 \\\\",
        "b & 2 \\\\",
        "\\midrule",
        "\\multicolumn{2}{l}{\\emph{two}} \\\\",
        "a & 3 \\\\",
    ]


@given(st.text(alphabet="\\{}$&%#_~^<>[]\nab –−κβ", max_size=30))
def test_escaped_text_has_no_bare_special_character(text):
    escaped = tables.escape(text)
    known = sorted(set(tables.ESCAPES.values()) - {" "}, key=len, reverse=True)
    rest = re.sub("|".join(map(re.escape, known)), "", escaped)
    assert not re.search(r"[\\{}$&%#_~^<>\[\]\n]", rest)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (-0.5, "−0.500"), (-0.0001, "0.000"), (np.nan, "–"), (1, "1.000")],
)
def test_number(value, text):
    assert tables.number(value) == text


def test_interval():
    assert tables.interval(-0.1, 0.25, digits=2) == "[−0.10, 0.25]"
    assert tables.interval(np.nan, np.nan) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(0, "0"), (3.0, "3"), (0.004, "<0.01"), (0.25, "0.25"), (1.5, "1.50"), (12.34, "12.3")],
        *[(420.5, "420"), (22713216, "22,713,216"), (np.nan, "–")],
    ],
)
def test_amount(value, text):
    assert tables.amount(value) == text


def test_spread():
    assert tables.spread(0.5, 0.0123) == "0.500 ± 0.012"
    assert tables.spread(-0.5, np.nan) == "−0.500"


def comparison(**costs: float | None) -> pd.DataFrame:
    """The best of three seeds, and another, of one seed, without costs."""
    frame = pd.DataFrame({"model": ["net", "a_b"], "cohen_kappa": [0.7, 0.5]})
    frame["cohen_kappa_sd"] = [0.02, np.nan]
    frame["cohen_kappa_low"], frame["cohen_kappa_high"] = [0.6, 0.4], [0.8, 0.6]
    frame["behind_best"] = [np.nan, 0.2]
    frame["behind_best_low"], frame["behind_best_high"] = [np.nan, -0.1], [np.nan, 0.3]
    frame["behind_best_p_holm"] = [np.nan, 0.0123]
    return frame.assign(**{name: [costs.get(name), None] for name in tables.COSTS})


def test_comparison_table():
    frame = comparison(parameters_total="1155", training_seconds="1.5")
    lines = tables.comparison_table(frame, ["cohen_kappa"], ["A note."]).splitlines()
    assert lines == [
        "% A note.",
        r"\begin{tabular}{lrrrrr}",
        r"\toprule",
        r"Model & Cohen's $\kappa$ & Behind & p (Holm) & Parameters & Training, s \\",
        r"\midrule",
        r"net & 0.700 $\pm$ 0.020 & -- & -- & 1,155 & 1.50 \\",
        r" & {[}0.600, 0.800{]} &  &  &  &  \\",
        r"a\_b & 0.500 & 0.200 & 0.012 & -- & -- \\",
        r" & {[}0.400, 0.600{]} & {[}$-$0.100, 0.300{]} &  &  &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_comparison_table_without_costs():
    lines = tables.comparison_table(comparison(), ["cohen_kappa"], []).splitlines()
    assert lines[2] == r"Model & Cohen's $\kappa$ & Behind & p (Holm) \\"


def test_learning_curve_table():
    columns = ["model", "percent", "n_tasks", "metric", "value", "low", "high", "sd"]
    columns += ["behind_full", "behind_full_low", "behind_full_high"]
    rows = [
        ("net", 25, 3500, "accuracy", 0.8, 0.7, 0.9, 0.01, 0.9, 0.9, 0.9),
        ("net", 25, 3500, "cohen_kappa", 0.5, 0.4, 0.6, np.nan, 0.2, 0.1, 0.3),
        ("net", 100, 14000, "accuracy", 0.9, 0.8, 1.0, 0.0, np.nan, np.nan, np.nan),
        ("net", 100, 14000, "cohen_kappa", 0.7, 0.6, 0.8, np.nan, np.nan, np.nan, np.nan),
    ]
    curve = pd.DataFrame(rows, columns=columns)
    lines = tables.learning_curve_table(curve, [], "cohen_kappa", "tasks").splitlines()
    assert lines[2:-2] == [
        r"Learnt from & Tasks & Accuracy & Cohen's $\kappa$ & Behind \\",
        r"\midrule",
        r"\multicolumn{5}{l}{\emph{net}} \\",
        r"25 \% & 3,500 & 0.800 $\pm$ 0.010 & 0.500 & 0.200 \\",
        r" &  & {[}0.700, 0.900{]} & {[}0.400, 0.600{]} & {[}0.100, 0.300{]} \\",
        r"100 \% & 14,000 & 0.900 $\pm$ 0.000 & 0.700 & -- \\",
        r" &  & {[}0.800, 1.000{]} & {[}0.600, 0.800{]} &  \\",
    ]


def test_the_learning_curve_of_another_kind_of_task():
    columns = ["model", "percent", "n_tasks", "metric", "value", "low", "high", "sd"]
    columns += ["behind_full", "behind_full_low", "behind_full_high"]
    rows = [("net", 25, 3500, "roc_auc", 0.8, 0.7, 0.9, np.nan, 0.1, 0.05, 0.2)]
    curve = pd.DataFrame(rows, columns=columns)
    lines = tables.learning_curve_table(curve, [], "roc_auc", "pairs").splitlines()
    assert lines[2] == r"Learnt from & Pairs & ROC AUC & Behind \\"
    assert lines[5] == r"25 \% & 3,500 & 0.800 & 0.100 \\"


# The main measures of labels with scores.
SCORED = [
    *("cohen_kappa", "f1_macro", "accuracy", "cohen_kappa_quadratic"),
    *("expected_calibration_error", "occupation_beta_pearson", "occupation_beta_mae"),
]


def metrics(*models: str) -> pd.DataFrame:
    """Two splits; κ is not defined for the first model."""
    rows = [
        (split, model, metric, 0.5, 0.25, 0.75, 3800, 400, 300)
        for split in ("purged", "major_group")
        for model in models
        for metric in ["log_loss", *SCORED]
    ]
    columns = ["split", "model", "metric", "value", "low", "high"]
    frame = pd.DataFrame(rows, columns=[*columns, "n_tasks", "n_groups", "n_occupations"])
    undefined = (frame["model"] == models[0]) & (frame["metric"] == "cohen_kappa")
    frame.loc[undefined, ["value", "low", "high"]] = np.nan
    return frame


def test_metrics_table():
    lines = tables.metrics_table(metrics("tf_idf", "lstm"), ["A note."], "tasks").splitlines()
    assert lines[0] == "% A note."
    assert lines[3].startswith(r"Model & Cohen's $\kappa$ & Macro-F1 & Accuracy &")
    heading = r"\emph{Purged split: 3,800 tasks in 400 leak groups, 300 occupations}"
    assert lines[5] == rf"\multicolumn{{8}}{{l}}{{{heading}}} \\"
    assert lines[6].startswith(r"tf\_idf & -- & 0.500 &")
    assert lines[7].startswith(r" &  & {[}0.250, 0.750{]} &")
    assert lines[8].startswith(r"lstm & 0.500 &")
    assert sum("Major group split" in line for line in lines) == 1
    assert {line.count(" & ") for line in lines if " & " in line} == {7}


def test_labels_without_scores_have_neither_weighted_kappa_nor_occupations():
    frame = metrics("tf_idf").replace({"cohen_kappa_quadratic": "balanced_accuracy"})
    frame = frame[~frame["metric"].str.startswith("occupation")].assign(n_occupations=0)
    lines = tables.metrics_table(frame, [], "texts").splitlines()
    heads = "Model & Cohen's $\\kappa$ & Macro-F1 & Accuracy & Balanced accuracy & ECE"
    assert lines[2] == heads + r" \\"
    assert r"3,800 texts in 400 leak groups}" in lines[4]


@pytest.mark.parametrize(
    ("measures", "heads"),
    [
        (
            ["brier_score", "accuracy", "cohen_kappa", "average_precision", "roc_auc"],
            r"ROC AUC & Average precision & Cohen's $\kappa$ & Accuracy",
        ),
        (
            ["f1_4.A.1.a.1", "subset_accuracy", "hierarchical_f1", "f1_macro", "f1_micro"],
            "Micro-F1 & Macro-F1 & Hierarchical F1 & All classes right",
        ),
        (
            ["known_title", "cosine", "chrf", "bleu", "rouge_l", "any_match", "exact_match"],
            "Exact match & Any match & ROUGE-L & BLEU & chrF & Cosine & Known title",
        ),
    ],
)
def test_each_kind_of_task_has_its_measures_with_the_first_one_first(measures, heads):
    rows = [("purged", "net", metric, 0.5, 0.4, 0.6, 12, 3, 0) for metric in measures]
    columns = ["split", "model", "metric", "value", "low", "high"]
    frame = pd.DataFrame(rows, columns=[*columns, "n_tasks", "n_groups", "n_occupations"])
    lines = tables.metrics_table(frame, [], "rows").splitlines()
    assert lines[2] == rf"Model & {heads} \\"
    assert r"12 rows in 3 leak groups}" in lines[4]


def test_comparisons_table():
    frame = pd.DataFrame(
        [
            ("purged", "cohen_kappa", "a_1", "b", -0.1, -0.2, 0.05, 0.3, 0.6),
            ("purged", "log_loss", "a_1", "b", *[np.nan] * 5),
        ],
        columns=[
            "split",
            "metric",
            "model_a",
            "model_b",
            "difference",
            "low",
            "high",
            "p",
            "p_holm",
        ],
    )
    text = tables.comparisons_table(frame, [])
    row = r"a\_1 $-$ b & $-$0.100 & {[}$-$0.200, 0.050{]} & 0.300 & 0.600 \\"
    assert row in text
    assert r"\emph{Purged split: Cohen's $\kappa$}" in text
    assert r"log\_loss" in text
    assert r"a\_1 $-$ b & -- &  & -- & -- \\" in text
    assert "midrule" not in tables.comparisons_table(frame[:0], [])


def test_reliability_table():
    frame = pd.DataFrame(
        [("activity", "exposure", "A-B", "krippendorff_alpha_nominal", 0.8, 2085)],
        columns=["level", "variable", "raters", "measure", "value", "n"],
    )
    text = tables.reliability_table(frame)
    assert r"\emph{Exposure by activity}" in text
    assert r"Krippendorff's $\alpha$, nominal & A--B & 0.800 & 2,085 \\" in text
