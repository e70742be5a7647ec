"""The page as a reader's program sees it: every row and number there, tags closed, nothing smuggled in."""

import base64
import hashlib
import re
import struct
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from jobshift.errors import JobshiftError
from jobshift.report.kinds import KINDS
from jobshift.report.page import (
    VOID,
    Facts,
    Html,
    Image,
    count,
    duration,
    megabytes,
    page,
    signed,
    significant,
    tag,
)

HOSTILE = '<script>alert("1")</script> & \'"><img src=x onerror=alert(2)>'
COSTS = {
    "parameters_total": [22_713_216.0, 1155.0, np.nan],
    "parameters_trained": [75_000.0, 1155.0, np.nan],
    "training_seconds": [1320.0, 7.4, np.nan],
    "training_texts_per_second": [27.37, 1627.7, np.nan],
    "peak_memory_mb": [1900.0, 430.2, np.nan],
    "rating_texts_per_second": [170.4, 43_123.0, np.nan],
    "size_mb": [91.23, 0.0021, np.nan],
    "threads": [2.0, 2.0, np.nan],
}
# A PNG of 700 × 300 dots, as far as a reader of its header sees.
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 700, 300) + b"the rest"


def facts(**changes) -> Facts:
    known = {
        "study": "small",
        "data": "Made-up tasks",
        "rater": "us",
        "seeds": [0, 7],
        "names": {"net": "Network", "people": "Some people"},
        "others": ["people"],
        "hashes": {"comparison": "ab" * 32, "metrics": "cd" * 32},
        "kind": KINDS["exposure"],
    }
    return Facts(**{**known, **changes})


def tables(second: str = "words") -> dict[str, pd.DataFrame]:
    """Two models and a rater: net is best, the second significantly behind it, the rater not."""
    models = ["net", second, "people"]
    comparison = pd.DataFrame({"model": models, "seeds": [2, 2, 1]})
    for metric, values in {
        "cohen_kappa": [0.6041, 0.5262, 0.51],
        "occupation_beta_pearson": [0.82, np.nan, 0.7],
    }.items():
        comparison[metric] = values
        comparison[f"{metric}_sd"] = [0.0123, 0.0, np.nan]
        comparison[f"{metric}_low"] = comparison[metric] - 0.04
        comparison[f"{metric}_high"] = comparison[metric] + 0.03
    comparison["behind_best"] = [np.nan, 0.0779, 0.0941]
    comparison["behind_best_low"] = [np.nan, 0.05, -0.01]
    comparison["behind_best_high"] = [np.nan, 0.1, 0.2]
    comparison["behind_best_p_holm"] = [np.nan, 0.006, 0.08]
    for name, values in COSTS.items():
        comparison[name] = values
    pairs = [
        ("purged", "cohen_kappa", second, "net", -0.0779, -0.1, -0.05, 0.006),
        ("purged", "cohen_kappa", "net", "people", 0.0941, -0.01, 0.2, 0.08),
        ("purged", "cohen_kappa", second, "people", 0.0162, -0.03, 0.06, 1.0),
        ("purged", "f1_macro", "net", "people", 0.9, 0.8, 1.0, 0.001),
        ("random", "cohen_kappa", "net", "people", 0.9, 0.8, 1.0, 0.001),
    ]
    columns = ["split", "metric", "model_a", "model_b", "difference", "low", "high", "p_holm"]
    metrics = [
        (model, seed, split, metric, 0.1 + 0.01 * n, 0.05, 0.3, 1000, 3761, 417, 346)
        for n, (model, seed, split) in enumerate(
            [
                ("net", 0, "purged"),
                ("net", 7, "purged"),
                (second, 0, "random"),
                ("people", 0, "purged"),
            ]
        )
        for metric in ("cohen_kappa", "accuracy", "recall_E1")
    ]
    run = ["model", "seed", "split", "metric", "value", "low", "high", "draws"]
    curve = [
        ("net", 10, 2, 120.5, "cohen_kappa", 0.41, 0.37, 0.45, 0.02, 0.1941, 0.15, 0.23),
        ("net", 100, 2, 1205, "cohen_kappa", 0.6041, 0.56, 0.63, 0.0123, np.nan, np.nan, np.nan),
        ("net", 10, 2, 120.5, "accuracy", 0.7, 0.65, 0.75, 0.01, 0.1, 0.05, 0.15),
        ("net", 100, 2, 1205, "accuracy", 0.8, 0.75, 0.85, 0.01, np.nan, np.nan, np.nan),
    ]
    estimate = ["value", "low", "high", "sd", "behind_full", "behind_full_low", "behind_full_high"]
    mean = [
        ("net", "purged", "cohen_kappa", 0.6041, 0.5641, 0.6341, 0.0123, 3761),
        (second, "purged", "cohen_kappa", 0.5262, 0.4862, 0.5562, 0.0, 3761),
        ("people", "purged", "cohen_kappa", 0.51, 0.47, 0.54, np.nan, 3761),
        (second, "random", "cohen_kappa", 0.9, 0.8, 1.0, np.nan, 3767),
        (second, "random", "accuracy", 0.1, 0.0, 0.2, np.nan, 3767),
    ]
    mean_columns = ["model", "split", "metric", "value", "low", "high", "sd", "n_tasks"]
    classes = [
        "model",
        "seed",
        "split",
        "class",
        "n_test",
        "threshold",
        "precision",
        "recall",
        "f1",
    ]
    decodings = ["model", "seed", "split", "decoding", "metric", "value", "low", "high"]
    return {
        "comparison": comparison,
        "comparisons": pd.DataFrame(pairs, columns=columns),
        "learning_curve": pd.DataFrame(
            curve, columns=["model", "percent", "seeds", "n_tasks", "metric", *estimate]
        ),
        "metrics": pd.DataFrame(metrics, columns=[*run, "n_tasks", "n_groups", "n_occupations"]),
        "metrics_mean": pd.DataFrame(mean, columns=mean_columns),
        "classes": pd.DataFrame(columns=[*classes, "low", "high"]),
        "decodings": pd.DataFrame(columns=decodings),
    }


class Reader(HTMLParser):
    """Checks that tags are closed in order; keeps attributes, texts and the cells of each table."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.elements, self.said = [], [], [], []
        self.tables: dict[str, list[list[str]]] = {}
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        values = dict(attributes)
        self.elements.append((name, values))
        if "id" in values:
            self.ids.append(values["id"])
        if name == "table":
            self.rows = self.tables[values.get("id") or values["class"]] = []
        if name == "tr":
            self.rows.append([])
        if name in ("td", "th"):
            self.rows[-1].append("")
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.said.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def test_every_table_has_every_row_and_number():
    text = page(facts(), tables(), [Image("accuracy_cost", "A caption.", PNG)])
    reader = Reader(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert {"models", "figures", "pairs", "labels", "runs", "method", "tables"} <= set(reader.ids)
    # The order that was asked for.
    headings = re.findall(r"<h2[^>]*>([^<]+)", text)
    assert headings[:4] == ["The models", "Other test sets", "Figures", "Model against model"]
    assert "Class by class" not in headings and "Ways to write an output" not in headings

    head, net, second, people = reader.tables["main-table"]
    assert [cell.split()[0] for cell in head[:3]] == ["Model", "Cohen's", "Occupation"]
    assert net == [
        "Network net", "0.604 ± 0.012[0.564, 0.634]", "0.820 ± 0.012[0.780, 0.850]", "–", "–",
        "75,000", "22.7\N{NO-BREAK SPACE}M", "22\N{NO-BREAK SPACE}min", "27.4",
        "1.9\N{NO-BREAK SPACE}GB", "170", "91.2\N{NO-BREAK SPACE}MB",
    ]  # fmt: skip
    assert second == [
        "words", "0.526 ± 0.000[0.486, 0.556]", "–", "0.078[0.050, 0.100]", "0.006",
        "1,155", "1,155", "7.4\N{NO-BREAK SPACE}s", "1,630",
        "430\N{NO-BREAK SPACE}MB", "43,100", "2.1\N{NO-BREAK SPACE}kB",
    ]  # fmt: skip
    assert people[:2] == ["Some people people", "0.510[0.470, 0.540]"]
    assert people[5:] == ["–"] * 7

    assert reader.tables["splits-table"] == [
        ["Model", "Purged, n = 3,761", "Random, n = 3,767"],
        ["Network net", "0.604 ± 0.012[0.564, 0.634]", "–"],
        ["words", "0.526 ± 0.000[0.486, 0.556]", "0.900[0.800, 1.000]"],
        ["Some people people", "0.510[0.470, 0.540]", "–"],
    ]

    # −(words − net) = 0.0779, whichever way round the table has it.
    _, first, below, last = reader.tables["matrix"]
    assert first == ["1Network", "", "+0.08", "+0.09"]
    assert below == ["2words", "−0.08", "", "+0.02"]
    assert last == ["3Some people", "−0.09", "−0.02", ""]
    assert text.count("<strong>") == 2  # both directions of one pair
    assert 'title="Network − words: +0.078 [0.050, 0.100], p (Holm) 0.006" class="over3"' in text
    assert 'title="words − Network: −0.078 [−0.100, −0.050], p (Holm) 0.006" class="under3"' in text
    assert reader.tables["pairs-list-table"][1:] == [
        ["Network net", "words", "+0.078[0.050, 0.100]", "0.006"],
        ["Network net", "Some people", "+0.094[−0.010, 0.200]", "0.080"],
        ["words", "Some people", "+0.016[−0.030, 0.060]", "1.000"],
    ]
    assert reader.tables["learning-table"][1:] == [
        ["Network net", "10 %", "120", "0.410 ± 0.020[0.370, 0.450]", "0.700 ± 0.010[0.650, 0.750]",
         "0.194[0.150, 0.230]"],
        ["Network net", "100 %", "1,205", "0.604 ± 0.012[0.560, 0.630]",
         "0.800 ± 0.010[0.750, 0.850]", "–"],
    ]  # fmt: skip
    runs = reader.tables["every-run-table"]
    assert [row[:4] for row in runs[1:]] == [
        ["Network net", "purged", "0", "0.100[0.050, 0.300]"],
        ["Network net", "purged", "7", "0.110[0.050, 0.300]"],
        ["Some people people", "purged", "0", "0.130[0.050, 0.300]"],
        ["words", "random", "0", "0.120[0.050, 0.300]"],
    ]
    assert (
        len(runs[0]) == 5
    )  # Model, split, seed, κ and accuracy; recall is none of the main measures.
    assert ["reports/tables/metrics.csv", "cd" * 32] in reader.tables["hashes"]

    said = " ".join(reader.said)
    for words in (
        "The study small compares 2 models on Made-up tasks.",
        "3,761 held-out tasks in 417 leak groups and 346 occupations",
        "with the seeds 0 and 7; their numbers are means over the seeds. Raters stand beside the models: "
        "Some people.",
        "Highest Cohen's κ: Network, 0.604 [0.564, 0.634]. Not clearly behind it (Holm's p ≥ 0.05): "
        "Some people.",
        "over the 3 pairs of models",
        "1,000 bootstrap draws",
        "model_costs.py with 2 threads",
    ):
        assert words in said


def test_numbers_to_sort_by_are_those_of_the_table():
    text = page(facts(), tables(), [])
    cells = [values for name, values in Reader(text).elements if name in ("td", "th")]
    values = [cell["data-value"] for cell in cells if "data-value" in cell]
    for expected in ("0.6041", "22713216.0", "1320.0", "43123.0", "Network"):
        assert expected in values
    assert "nan" not in text.lower().replace("governance", "")


def test_it_loads_nothing_and_runs_only_what_is_ours():
    text = page(facts(), tables(), [Image("accuracy_cost", "A caption.", PNG)])
    elements = Reader(text).elements
    images = [values for name, values in elements if name == "img"]
    assert len(images) == 1
    assert base64.b64decode(images[0]["src"].removeprefix("data:image/png;base64,")) == PNG
    # 700 × 300 dots at 300 an inch, 96 pixels an inch, 1.35 times as large: 302.4 and 129.6.
    assert (images[0]["width"], images[0]["height"]) == ("302", "130")
    assert images[0]["alt"]
    assert "A caption." in text
    for name, values in elements:
        assert name not in ("link", "iframe", "base", "object")
        assert not any(key.startswith("on") or key == "style" for key in values)
        if name != "img":
            assert "src" not in values
        if "href" in values:
            assert values["href"].startswith("#")
    assert not re.search(r"https?:|url\(|@import", text)
    (policy,) = (v["content"] for _, v in elements if "http-equiv" in v)
    for name in ("style", "script"):
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_semantics():
    text = page(facts(), tables(), [Image("mine", "A caption.", PNG)])
    elements = Reader(text).elements
    names = [name for name, _ in elements]
    assert names.count("caption") == names.count("table") == 7
    assert names.count("h1") == names.count("main") == names.count("nav") == 1
    assert names.count("figure") == names.count("figcaption") == 1
    for name, values in elements:
        if name == "th":
            assert values["scope"] in ("row", "col")
        if name == "div":
            assert values["tabindex"] == "0" and values["role"] == "region" and values["aria-label"]
        if "aria-labelledby" in values:
            assert f'id="{values["aria-labelledby"]}"' in text
    targets = [values["href"][1:] for _, values in elements if "href" in values]
    assert targets and all(f'id="{target}"' in text for target in targets)


@pytest.mark.parametrize("named", [{}, {HOSTILE: HOSTILE + "!"}])
def test_a_hostile_name_is_only_a_name(named):
    # In the tables, in the names for people, in the study, the rater and a caption.
    given = facts(names=named, study=HOSTILE, data=HOSTILE, rater=HOSTILE, others=[HOSTILE])
    text = page(given, tables(HOSTILE), [Image("mine", HOSTILE, PNG)])
    reader = Reader(text)
    assert [name for name, _ in reader.elements].count("script") == 1
    assert [name for name, _ in reader.elements].count("img") == 1
    assert HOSTILE in reader.tables["main-table"][2][0]
    assert "alert(" not in re.sub(r"&lt;script&gt;alert|onerror=alert", "", text)


def test_the_same_bytes_again():
    image = Image("accuracy_cost", "A caption.", PNG)
    assert page(facts(), tables(), [image]) == page(facts(), tables(), [image])


def test_without_costs_curve_figures_and_pairs():
    given = tables()
    given["comparison"] = given["comparison"].assign(**dict.fromkeys(COSTS, np.nan))
    given["learning_curve"] = given["learning_curve"][:0]
    given["comparisons"] = given["comparisons"][:0]
    given["metrics_mean"] = given["metrics_mean"][:3]
    text = page(facts(), given, [])
    reader = Reader(text)
    # What nobody measured has no column; one that was measured for one model has.
    assert reader.tables["main-table"][0][-1].startswith("p (Holm)")
    assert len(reader.tables["main-table"][1]) == 5
    given["comparison"].loc[0, "size_mb"] = 1.5
    sizes = Reader(page(facts(), given, [])).tables["main-table"]
    assert sizes[0][-1].startswith("Size on disk") and len(sizes[1]) == 6
    assert "learning-table" not in reader.tables and "pairs-list-table" not in reader.tables
    said = " ".join(reader.said)
    assert "No model of this study learned from a part" in said
    assert "Not measured; benchmarks/model_costs.py measures them." in said
    assert "figures" not in reader.ids and 'href="#figures"' not in text
    assert "splits" not in reader.ids
    assert "Not clearly behind it" in said


def test_one_model_and_one_seed():
    given = tables()
    given["comparison"] = given["comparison"][:1]
    text = page(facts(seeds=[3], others=[]), given, [])
    said = " ".join(Reader(text).said)
    assert "Each model was trained with the seed 3." in said
    assert "compares 1 model on" in said
    assert "Highest" not in said and "Raters stand" not in said


def in_first(kind: str) -> dict[str, pd.DataFrame]:
    """The tables with κ called as the first measure of another kind."""
    names = {"cohen_kappa": KINDS[kind].first}
    return {
        name: table.replace({"metric": names} if "metric" in table else {}).rename(
            columns=lambda column: column.replace("cohen_kappa", KINDS[kind].first)
        )
        for name, table in tables().items()
    }


def test_pairs_and_their_hard_part():
    given = in_first("pairs")
    hard = given["metrics_mean"][:2].assign(split="hard", value=[0.45, 0.4], n_tasks=1500)
    given["metrics_mean"] = pd.concat([given["metrics_mean"], hard])
    given["comparison"]["behind_best_p_holm"] = [np.nan, 0.006, 0.04]
    text = page(facts(kind=KINDS["pairs"], others=[]), given, [])
    said = " ".join(Reader(text).said)
    for words in (
        "in which no training pair shares an occupation or a text with a test pair: 3,761 held-out pairs",
        "Highest ROC AUC: Network, 0.604 [0.564, 0.634]. All others are behind it (Holm's p < 0.05). "
        "It has 0.450 [0.564, 0.634] on the 1,500 hard pairs.",
        "hard, a part of the purged test set: those drawn from two occupations",
        "random: as conf/ defines it",
        "Behind the best, ROC AUC",
        "Difference in ROC AUC",
        "ROC AUC of the model of the row minus",
        "Fewer labelled pairs",
        "Behind all pairs, ROC AUC",
    ):
        assert words in said
    assert "κ" not in text
    assert "exposure" not in text.split("</style>")[1]


def test_a_second_test_set():
    given = in_first("classification")
    titles = given["metrics_mean"][:2].assign(split="job_titles", value=0.3, n_tasks=5857)
    given["metrics_mean"] = pd.concat([given["metrics_mean"], titles])
    text = page(facts(kind=KINDS["classification"], extra=["job_titles"]), given, [])
    reader = Reader(text)
    said = " ".join(reader.said)
    assert "It has 0.300 [0.564, 0.634] on the 5,857 job titles." in said
    assert "job titles: a second test set of which nothing was learnt" in said
    assert reader.tables["splits-table"][0][1:] == [
        *("Purged, n = 3,761", "Random, n = 3,767", "Job titles, n = 5,857")
    ]


@pytest.mark.parametrize("seeds", [1, 2])
def test_several_labels_class_by_class(seeds: int):
    given = in_first("multilabel")
    found = [
        (model, seed, "purged", name, n, 0.25, 0.5, 0.4, f1 + seed / 10, 0.3, 0.6)
        for model in ("words", "net")
        for seed in range(seeds)
        for name, n, f1 in (("a.1", 1200, 0.44), ("a.2", 11, np.nan))
    ]
    given["classes"] = pd.DataFrame(found, columns=given["classes"].columns)
    text = page(facts(kind=KINDS["multilabel"], classes={"a.1": "Ride <fast>"}), given, [])
    reader = Reader(text)
    f1 = "0.440[0.300, 0.600]" if seeds == 1 else "0.490"
    assert reader.tables["of-classes-table"] == [
        ["Class", "Test texts", "F1", "Precision", "Recall", "Threshold"],
        ["a.1 Ride <fast>", "1,200", f1, "0.500", "0.400", "0.250"],
        ["a.2", "11", "–", "0.500", "0.400", "0.250"],
    ]
    assert "Each class by Network" in " ".join(reader.said)
    assert "Highest micro-F1: Network" in " ".join(reader.said)


def test_generated_texts_by_decoding():
    given = in_first("generation")
    found = [
        ("net", 0, split, decoding, metric, value, value - 0.1, value + 0.1)
        for split in ("purged", "seen")
        for decoding in ("greedy", "beam")
        for metric, value in (("bleu", 41.5), ("exact_match", 0.5))
    ]
    given["decodings"] = pd.DataFrame(found, columns=given["decodings"].columns)
    reader = Reader(page(facts(kind=KINDS["generation"]), given, []))
    shown = reader.tables["of-decodings-table"]
    assert shown[0] == ["Model", "Decoding", "Test set", "Exact match", "BLEU"]
    assert shown[1] == [
        *("Network net", "greedy", "purged", "0.500[0.400, 0.600]", "41.500[41.400, 41.600]")
    ]
    assert [row[1:3] for row in shown[2:]] == [
        ["beam", "purged"],
        ["greedy", "seen"],
        ["beam", "seen"],
    ]
    assert "They are judged by the targets of us" in " ".join(reader.said)


def test_what_cannot_be_shown():
    with pytest.raises(JobshiftError, match=r"figures/mine\.png is no PNG"):
        page(facts(), tables(), [Image("mine", "A caption.", b"GIF89a")])
    given = tables()
    given["metrics"] = given["metrics"][given["metrics"]["split"] == "random"]
    with pytest.raises(JobshiftError, match=r"metrics\.csv has no Cohen's κ on the purged split"):
        page(facts(), given, [])


def test_tag():
    assert tag("p", "a < b", tag("b", "&"), 3) == "<p>a &lt; b<b>&amp;</b>3</p>"
    assert tag("img", alt='"', hidden=True, class_=None) == '<img alt="&quot;" hidden>'
    assert tag("td", Html("&nbsp;"), data_value=0.0) == '<td data-value="0.0">&nbsp;</td>'


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (significant(0), "0"),
        (significant(0.05234), "0.0523"),
        (significant(170.4), "170"),
        (significant(43_123), "43,100"),
        (significant(999.9), "1,000"),
        (significant(1.0), "1"),
        (count(3), "3"),
        (count(99_999), "99,999"),
        (count(118_000), "118 k"),
        (count(22_713_216), "22.7 M"),
        (count(999_999), "1 M"),
        (duration(0.0512), "0.0512 s"),
        (duration(59.99), "1 min"),
        (duration(1320), "22 min"),
        (duration(9800), "2.72 h"),
        (megabytes(0.0001), "0.1 kB"),
        (megabytes(0.5), "500 kB"),
        (megabytes(91.23), "91.2 MB"),
        (megabytes(1900), "1.9 GB"),
        (signed(0.0004), "0.000"),
        (signed(-0.0004), "0.000"),
        (signed(0.02), "+0.020"),
        (signed(-0.02), "−0.020"),
    ],
)
def test_numbers_in_words(said, expected):
    assert said.replace("\N{NO-BREAK SPACE}", " ") == expected
