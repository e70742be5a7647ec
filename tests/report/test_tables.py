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


def metrics(*models: str) -> pd.DataFrame:
    """Two splits; κ is not defined for the first model."""
    rows = [
        (split, model, metric, 0.5, 0.25, 0.75, 3800, 400, 300)
        for split in ("purged", "major_group")
        for model in models
        for metric in ["log_loss", *tables.MAIN]
    ]
    columns = ["split", "model", "metric", "value", "low", "high"]
    frame = pd.DataFrame(rows, columns=[*columns, "n_tasks", "n_groups", "n_occupations"])
    undefined = (frame["model"] == models[0]) & (frame["metric"] == "cohen_kappa")
    frame.loc[undefined, ["value", "low", "high"]] = np.nan
    return frame


def test_metrics_table():
    lines = tables.metrics_table(metrics("tf_idf", "lstm"), ["A note."]).splitlines()
    assert lines[0] == "% A note."
    assert lines[3].startswith(r"Model & Cohen's $\kappa$ & Macro-F1 & Accuracy &")
    heading = r"\emph{Purged split: 3,800 tasks in 400 leak groups, 300 occupations}"
    assert lines[5] == rf"\multicolumn{{8}}{{l}}{{{heading}}} \\"
    assert lines[6].startswith(r"tf\_idf & -- & 0.500 &")
    assert lines[7].startswith(r" &  & {[}0.250, 0.750{]} &")
    assert lines[8].startswith(r"lstm & 0.500 &")
    assert sum("Major group split" in line for line in lines) == 1
    assert {line.count(" & ") for line in lines if " & " in line} == {7}


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
