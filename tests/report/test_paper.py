"""From tables to text: every way to name a number wrongly, and the check of digits typed by hand."""

import html
import json
import re
import shutil
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import typst
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.report.paper import check_figures, compile_paper, sha256

REPORTS = Path(__file__).parents[2] / "reports"
SOURCE = Path("reports/paper.typ")
TABLES = Path("reports/tables")
FIGURES = Path("reports/figures")
HEAD = """#import "numbers.typ": *
#import "layout.typ": paper, ruled, tab
#show: paper.with(title: [Made up], abstract: [None.])
"""
FACTS = {
    "name": "small",
    "version": "0.0",
    "names": {"net": "Network 7"},
    "literals": ["E1", "GPT-4", "O*NET 27", "95 %", "½", "2023"],
    "optional_figures": ["perhaps"],
}
# The second row of cats has no value; there are two dogs.
METRICS = """model,metric,value,low,high
net,kappa,0.125000,0.061000,0.249500
net,r,-0.000400,-0.012500,0.500000
net,workers,153469040.000000,,
cat,kappa,0.500000,0.400000,0.600000
cat,r,,,
dog,kappa,0.3,,
dog,kappa,0.3,,
"""
CARD = """# Data card: made up

| count | rows |
| --- | ---: |
| tasks | 18,831 |

| split | fold | train | DWA leakage |
| --- | ---: | ---: | ---: |
| random | 0 | 7 | 99.6% |
| random | 1 | 8 | 50.0% |
"""


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A folder with one table, a data card and one figure, as working directory."""
    monkeypatch.chdir(tmp_path)
    TABLES.mkdir(parents=True)
    FIGURES.mkdir()
    for name in ("numbers.typ", "layout.typ"):
        shutil.copyfile(REPORTS / name, Path("reports", name))
    (TABLES / "metrics.csv").write_text(METRICS)
    Path("reports/data_card.md").write_text(CARD)
    (FIGURES / "line.pdf").write_bytes(typst.compile(b"#set page(width: 9cm, height: 2cm)\n"))
    (FIGURES / "captions.json").write_text(json.dumps({"line": "A line from 3 to 4."}))
    (FIGURES / "drawn_from.json").write_text(
        json.dumps({"line": {"metrics": sha256(TABLES / "metrics.csv")}})
    )
    return tmp_path


def read(text: str) -> str:
    """The text of the paper whose body is `text`; Typst's HTML has no captions."""
    SOURCE.write_text(HEAD + text, encoding="utf-8")
    (page,) = compile_paper(SOURCE, FACTS, "html")
    body = page.decode().split("<body>")[1]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", body))).strip()


def refused(text: str) -> str:
    """What the error about the paper with this body says; the body starts in line 4."""
    SOURCE.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(JobshiftError) as caught:
        compile_paper(SOURCE, FACTS)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ('#num("metrics", model: "cat", metric: "kappa")', "0.500"),
        # A tie goes away from zero: 0.125 is 0.13; and −0.0004 with three digits is 0, not −0.
        ('#num("metrics", model: "net", metric: "kappa", digits: 2)', "0.13"),
        ('#num("metrics", model: "net", metric: "r")', "0.000"),
        ('#num("metrics", model: "net", metric: "r", column: "low", digits: 3)', "−0.013"),
        ('#percent("metrics", model: "net", metric: "kappa")', "12.5 %"),
        ('#percent("metrics", model: "net", metric: "kappa", digits: 0)', "13 %"),
        ('#count("metrics", model: "net", metric: "workers")', "153,469,040"),
        ('#millions(value("metrics", model: "net", metric: "workers"))', "153.5 million"),
        ('#interval("metrics", model: "net", metric: "kappa", digits: 2)', "[0.06, 0.25]"),
        ('#share-span(value("metrics", column: "low", model: "net", metric: "r"), 1)', "[−1.3, 100.0]"),
        ('#words("metrics", column: "metric", model: "net", value: "0.125000")', "kappa"),
        ('#count("card/count", count: "tasks", column: "rows")', "18,831"),
        ('#percent("card/split", split: "random", fold: 1, column: "DWA leakage")', "50.0 %"),
        ('#named("net"), #named("cat")', "Network 7, cat"),
        # e^0.1 − 1 = 0.10517
        ('#share(grown(decimal("0.1")))', "10.5 %"),
    ],
)  # fmt: skip
def test_a_number_is_that_of_the_table(study, call, shown):
    assert read(f"It is {call} here.") == f"It is {shown} here."


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-(10**12), 10**12), st.integers(0, 5))
def test_rounding_is_that_of_decimal_arithmetic(study, millionths, digits):
    value = Decimal(millionths).scaleb(-6)
    (TABLES / "one.csv").write_text(f"value\n{value:.6f}\n")
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    expected = f"{rounded + 0:,}".replace("-", "−") if rounded else f"{abs(rounded):,}"
    assert read(f'#num("one", digits: {digits})') == expected


def test_the_text_follows_the_table(study):
    call = 'κ is #num("metrics", model: "cat", metric: "kappa", digits: 2).'
    assert read(call) == "κ is 0.50."
    (TABLES / "metrics.csv").write_text(METRICS.replace("cat,kappa,0.500000", "cat,kappa,0.620000"))
    assert read(call) == "κ is 0.62."


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ('#num("metric")', "reports/tables/metric.csv is missing and reports/paper.typ reads it"),
        ('#num("metrics", modell: "cat")', "metrics.csv: there is no column 'modell'"),
        ('#num("metrics", column: "mean", model: "cat")', "metrics.csv: there is no column 'mean'"),
        ('#num("metrics", model: "bird", metric: "r")', "metrics.csv: no row with model = bird, metric = r"),
        ('#num("metrics", model: "dog", metric: "kappa")', "2 rows with model = dog, metric = kappa, where"),
        ('#num("metrics")', "metrics.csv: 7 rows with no condition, where there must be one"),
        ('#num("metrics", model: "cat", metric: "r")', "'value' is not defined where model = cat, metric = r"),
        ('#count("card/counts", count: "tasks")', "data_card.md has no table that begins with counts"),
        ('#count("card/count", count: "words", column: "rows")', "data_card.md: no row with count = words"),
        ('#fig("circle")', "captions.json: there is no figure 'circle'"),
        ('#drawn("circle")', "'circle', and optional_figures in conf/paper.yaml does not name it"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_file_and_line(study, call, sentence):
    said = refused(f"It is {call} here.")
    assert sentence in said
    if "is missing" not in sentence:
        assert said.startswith("reports/paper.typ, line 4: ")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("It is 0.62.", "0.62"),
        ("= Section 3", "3"),
        ("- item 4", "4"),
        ("#ruled((left,), ([Head],), [5])", "5"),
        ("#tab(\"a\", [Of 6 rows], [Text])", "6"),
        ("`raw 7`", "7"),
        ("$x = 8$", "8"),
        ("#str(9)", "9"),
        ('#("0.5")', "0.5"),
        ("*10*", "10"),
        ("of class E12", "E12"),
        ("in 12023", "12023"),
        ("1,000 words", "1,000"),
        ("x²", "x²"),
    ],
)  # fmt: skip
def test_a_number_typed_by_hand_is_refused(study, text, digits):
    said = refused(text)
    assert said.startswith(
        "reports/paper.typ, line 4: a number typed by hand; take it from a table: "
    )
    assert said.split(": ")[-1].rstrip(".") == digits


def test_the_words_of_the_config_may_have_digits(study):
    text = "GPT-4 (E1) and ½ in 2023: 95 % of O\\*NET 27."
    assert read(text) == text.replace("\\", "")


def test_sections_figures_tables_and_citations_count_by_themselves(study):
    Path("reports/b.bib").write_text("@book{x7, author={A}, title={T}, publisher={P}, year={1999}}")
    text = read(
        '= One <one>\nSee @one, @fig:line, @tab:t and @x7. #fig("line") '
        '#tab("t", [Text], ruled((left,), ([Head],), [Cell]))\n#bibliography("b.bib", style: "apa")'
    )
    assert "See Section 1, Figure 1, Table 1 and (A, 1999)." in text
    compile_paper(SOURCE, FACTS)  # with its captions


def test_an_optional_figure_may_lack(study):
    assert (
        read('#if drawn("perhaps") [yes] else [no], #if drawn("line") [yes] else [no]') == "no, yes"
    )


def test_wording_follows_the_values(study):
    call = "#order({}, {}, [more], [less], [as much])"
    assert read(call.format("decimal(2)", "decimal(1)")) == "more"
    assert read(call.format("decimal(1)", "decimal(2)")) == "less"
    # 1.0004 and 1.0001 are both printed as 1.000.
    assert read(call.format('decimal("1.0004")', 'decimal("1.0001")')) == "as much"
    call = "#sign(decimal({}), decimal({}), [above], [below], [open])"
    assert [read(call.format(*ends)) for ends in ((1, 2), (-2, -1), (-1, 1), (0, 1))] == [
        "above",
        "below",
        "open",
        "open",
    ]


def test_ranked_rows_leave_out_the_undefined_and_keep_the_order_of_equals(study):
    (TABLES / "t.csv").write_text("name,x\na,1\nb,\nc,3\nd,1\n")
    assert read('#ranked(rows("t"), "x").map(row => row.name).join(" ")') == "c a d"


def test_a_warning_is_an_error(study):
    SOURCE.write_text(HEAD + '#set text(font: "No Such Font")\nText', encoding="utf-8")
    with pytest.raises(JobshiftError, match=r"paper\.typ, line 4: unknown font family"):
        compile_paper(SOURCE, FACTS)


def test_the_same_bytes_in_another_folder_and_no_date(study, tmp_path_factory, monkeypatch):
    SOURCE.write_text(HEAD + '= One\n#num("metrics", model: "cat", metric: "kappa") #fig("line")')
    (first,) = compile_paper(SOURCE, FACTS)
    other = tmp_path_factory.mktemp("other") / "study"
    shutil.copytree(study, other)
    monkeypatch.chdir(other)
    assert compile_paper(SOURCE, FACTS) == [first]
    assert first.startswith(b"%PDF-")
    assert b"CreationDate" not in first and b"CreateDate" not in first


def test_figures_of_these_tables_pass(study):
    check_figures(FIGURES, TABLES)


def test_a_stale_figure(study):
    (TABLES / "metrics.csv").write_text(METRICS.replace("0.5", "0.6"))
    with pytest.raises(JobshiftError, match=r"line\.pdf is stale: .*metrics\.csv has changed"):
        check_figures(FIGURES, TABLES)


def test_figures_that_cannot_be_checked(study):
    (FIGURES / "drawn_from.json").write_text("{}")
    with pytest.raises(JobshiftError, match=r"drawn_from\.json does not say .* line was drawn"):
        check_figures(FIGURES, TABLES)
    (FIGURES / "drawn_from.json").write_text('{"line": {"gone": ""}}')
    with pytest.raises(JobshiftError, match=r"gone\.csv is missing, from which the figure line"):
        check_figures(FIGURES, TABLES)
    (FIGURES / "drawn_from.json").unlink()
    with pytest.raises(
        JobshiftError, match=r"drawn_from\.json is missing; draw .* `jobshift figures`"
    ):
        check_figures(FIGURES, TABLES)
