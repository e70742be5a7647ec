"""The page without a browser: its words, what it makes of texts, what can be saved, what is served."""

import asyncio
import csv
import io
import re
from base64 import b64decode
from html.parser import HTMLParser
from string import Formatter

import pytest
from fake_service import COUNTRY, OCCUPATIONS, FakeService, explanation, rating
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.service import downloads, page, page_html
from jobshift.service.words import EXAMPLE, LANGUAGES, WORDS

EN = WORDS["en"]
NASTY = (
    "<script>alert(1)</script> \"quoted\" & 'single'",
    "<img src=x onerror=alert(1)>",
    "תשובות ללקוחות",
    "🧑‍🚒 put out fires",
    "${alert(1)} {{value}}",
)
# Any text that the browser keeps as it is: a parser reads \r as \n.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


class Read(HTMLParser):
    """Text of the elements with a class, and all tags and attributes."""

    def __init__(self, markup: str, look: str):
        super().__init__()
        self.look, self.inside, self.texts, self.tags, self.attributes = look, 0, [], set(), set()
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if self.inside or self.look in (dict(attributes).get("class") or "").split():
            self.inside += 1
            if self.inside == 1:
                self.texts.append("")

    def handle_endtag(self, tag):
        self.inside = max(self.inside - 1, 0)

    def handle_data(self, data):
        if self.inside:
            self.texts[-1] += data


def rated(text: str, service: FakeService | None = None, language: str = "en") -> str:
    async def last() -> str:
        handler = page.rate_handler(service or FakeService(), WORDS[language])
        return [html async for html, _ in handler(text)][-1]

    return asyncio.run(last())


def saved(**wanted) -> tuple[str, bytes]:
    _, save = page.answers(FakeService(), EN)
    answer = asyncio.run(save(wanted))
    assert "error" not in answer
    return answer["name"], b64decode(answer["url"].partition(",")[2])


# ---- words ----


def test_both_languages_say_the_same():
    assert WORDS.keys() == EXAMPLE.keys() == LANGUAGES.keys()
    assert list(WORDS["zh"]) == list(EN)
    for key, text in EN.items():
        fields = [{name for _, name, *_ in Formatter().parse(WORDS[w][key])} for w in LANGUAGES]
        assert fields[0] - {None} == fields[1] - {None}, key
        assert text and WORDS["zh"][key]


# ---- HTML ----


@pytest.mark.parametrize("text", NASTY)
def test_a_text_stays_a_text(text):
    markup = page_html.ratings_html([rating(text)], FakeService.classes, EN)
    read = Read(markup, "text")
    assert read.texts == [text]
    assert not read.tags & {"script", "img"} and "onerror" not in read.attributes


@given(TEXTS)
@settings(max_examples=40)
def test_any_text_stays_a_text(text):
    markup = page_html.ratings_html([rating(text)], FakeService.classes, EN)
    assert Read(markup, "text").texts == [text]


@given(TEXTS, st.lists(st.floats(-1, 1), min_size=1))
@settings(max_examples=60)
def test_marked_words_make_up_the_text(text, values):
    words = [
        {"word": word, "value": value} for word, value in zip(text.split(), values, strict=False)
    ]
    strongest = max((abs(value) for value in values), default=0.0)
    markup = page_html.tag("p", *page_html.marked(text, words, strongest), class_="marked")
    assert Read(re.sub("<small>.*?</small>", "", markup), "marked").texts == [text]


def test_words_are_marked_by_sign_and_strength_with_their_value():
    words = [{"word": w, "value": v} for w, v in (("Write", 0.08), ("big", -0.021), ("the", 0.001))]
    markup = "".join(map(str, page_html.marked("Write the big", words, 0.08)))
    assert '<span class="mark up up4">Write<small>+0.08</small></span>' in markup
    assert '<span class="mark down down2">big<small>−0.02</small></span>' in markup
    assert markup.count("<span") == 2


def test_an_explanation_escapes_the_nearest_tasks():
    markup = page_html.explanation_html(explanation("Sort letters."), EN)
    assert "Sort &lt;old&gt; letters." in markup
    assert "from 22\N{NO-BREAK SPACE}%" in markup


def test_the_summary_counts_and_averages():
    texts = ["Write a letter.", "Compare offers.", "Open gates.", "Open doors."]
    markup = page_html.ratings_html([rating(t) for t in texts], FakeService.classes, EN)
    # β: 0.72 + 0.04, 0.08 + 0.36, twice 0.08 + 0.1; the mean is 0.39.
    assert "39\N{NO-BREAK SPACE}%" in markup and "4 sentences" in markup
    assert (
        "E1 direct: 1" in markup and "E2 through software: 1" in markup and "E0 none: 2" in markup
    )
    assert markup.index("Letter Clerks") < markup.index("2 of 4")


def test_a_text_that_cannot_be_rated_says_why():
    empty = dict.fromkeys(rating("x")) | {"text": "…", "problem": "no letter or digit"}
    markup = page_html.ratings_html([rating("Sing."), empty], FakeService.classes, EN)
    assert "Not rated: no letter or digit" in markup


@pytest.mark.parametrize("language", LANGUAGES)
def test_flags_are_said_in_words(language):
    words = WORDS[language]
    markup = rated("回复邮件", language=language)
    assert words["out_of_domain"] in markup
    assert words["cut"].format(n=96) in rated("Write " * 80, language=language)


def test_classes_without_scores_have_no_exposure():
    of_others = {"probabilities": {"no": 0.3, "yes": 0.7}, "predicted": "yes"}
    missing = dict.fromkeys(("alpha", "beta", "zeta", "automation", "resembles"))
    markup = page_html.ratings_html([rating("Sing.") | of_others | missing], ["no", "yes"], EN)
    assert "yes 70\N{NO-BREAK SPACE}%" in markup and EN["exposure"] not in markup


def test_an_occupation_says_what_its_figures_cover():
    markup = page_html.occupation_html(OCCUPATIONS["39-0001.00"], EN)
    assert "at least $239,200" in markup and "not published" in markup
    assert "OEWS counts 2 other O*NET occupations with it." in markup
    assert "“Wardens and Attendants, All Other”" in markup
    assert "12\N{NO-BREAK SPACE}%" in markup and "T3 over nine tenths" in markup
    assert "&lt;b&gt;Painters" in page_html.occupation_html(OCCUPATIONS["29-0001.00"], EN)


def test_a_comparison_has_differences_and_the_country():
    first, second = OCCUPATIONS["43-0001.00"], OCCUPATIONS["39-0001.00"]
    markup = page_html.comparison_html(first, second, COUNTRY, EN)
    assert "+46 points" in markup  # β 0.625 and 0.1667
    assert "31\N{NO-BREAK SPACE}%" in markup and "603,210" in markup


def test_differences_have_a_sign_unless_they_round_to_nothing():
    said = [page_html.points(value, EN) for value in (0.1, -0.25, 0.001, -0.001)]
    assert said == ["+10 points", "−25 points", "0 points", "0 points"]


# ---- what the visitor is told ----


def test_without_a_sentence_there_is_nothing_to_rate():
    for text in ("", " \n ", "…", None):
        assert EN["empty"] in rated(text)


def test_limits_are_said():
    assert "more than 5000 characters" in rated("a" * 5_001)
    many = rated("\n".join(f"Write letter {n}." for n in range(260)))
    assert "The first 256 of 260" in many and many.count('class="sentence"') == 256


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_overload_is_a_sentence(language):
    text = rated("Write.", FakeService(busy=True), language)
    assert WORDS[language]["overloaded"].format(seconds=3) in text


def test_an_explanation_that_fails_is_a_sentence():
    explain, _ = page.answers(FakeService(), EN)
    assert "captum is not installed" in asyncio.run(explain("captum"))["error"]
    assert "reload the page" in asyncio.run(explain(7))["error"]
    assert "marked" in asyncio.run(explain("Write."))["html"]


# ---- what is saved ----


def test_a_table_opens_in_a_spreadsheet_and_runs_nothing():
    texts = ["=1+1", "  @SUM(A1)", "＝1", "-2", "+3", 'Write, "twice"', "回复 🧑"]
    name, content = saved(name="ratings.csv", texts=texts)
    assert name == "ratings.csv" and content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["text"] for row in rows] == [f"'{text}" for text in texts[:5]] + texts[5:]
    assert rows[0]["p_E1"] == "0.08" and rows[5]["predicted"] == "E1" and rows[0]["t_T0"] == "0.2"


@given(st.text())
def test_no_cell_begins_like_a_formula(text):
    assert not str(downloads.inert(text)).lstrip(" ").startswith(downloads.FORMULA)


def test_tasks_and_comparisons_are_saved():
    _, content = saved(name="occupation.csv", codes=["43-0001.00"])
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["text"] for row in rows][-1] == "'=SUM(1) is no formula but a task."
    _, content = saved(name="comparison.csv", codes=["43-0001.00", "39-0001.00"])
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["title"] for row in rows] == ["Letter Clerks", "Door Wardens", "United States"]
    assert rows[2]["beta"] == "0.31" and rows[2]["annual_wage_usd"] == ""


def test_figures_take_any_letters():
    name, content = saved(name="ratings.png", texts=[*NASTY, "costs $x^$ and $y_", "回复客户" * 30])
    assert name == "ratings.png" and content.startswith(b"\x89PNG")
    again = saved(name="ratings.png", texts=[*NASTY, "costs $x^$ and $y_", "回复客户" * 30])[1]
    assert again == content
    assert saved(name="comparison.png", codes=list(OCCUPATIONS)[:2])[1].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "wanted",
    [
        *(None, [], "ratings.csv", {}, {"name": "../secrets", "texts": ["a"]}, {"name": ["x"]}),
        {"name": "ratings.csv", "texts": []},
        {"name": "ratings.csv", "texts": [1]},
        {"name": "ratings.png", "texts": ["a" * 5_001]},
        {"name": "ratings.png", "texts": ["a"] * 257},
        {"name": "occupation.csv", "codes": ["no such"]},
        {"name": "comparison.png", "codes": None},
    ],
)
def test_what_is_no_file_of_the_page_is_refused(wanted):
    _, save = page.answers(FakeService(), EN)
    assert list(asyncio.run(save(wanted))) == ["error"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@settings(max_examples=50)
def test_labels_of_figures_have_at_most_two_lines(text):
    from jobshift.service.page_figures import CHARACTERS, shortened

    lines = shortened(text.replace("\n", " ")).split("\n")
    assert len(lines) <= 2 and all(len(line) <= CHARACTERS for line in lines)


# ---- what is served ----


@pytest.fixture(scope="module")
def client():
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    with TestClient(page.mount(FastAPI(), FakeService())) as client:
        yield client


@pytest.mark.parametrize(("language", "locale"), [("en", "en"), ("zh", "zh-CN")])
def test_the_document_speaks_the_language_of_the_address(client, language, locale):
    text = client.get(f"/{language}/").text
    assert re.search(rf'<html\s+lang="{locale}"', text)
    assert f"'language', {{ value: '{locale}' }}" in text
    assert WORDS[language]["title"] in text and "<noscript>" in text


def test_nothing_is_loaded_from_elsewhere(client):
    document = client.get("/en/").text.partition("window.gradio_config")[0]
    assert "raw.githubusercontent" not in document and "twitter" not in document
    assert not re.search(r"@import|url\([\"']?http", client.get("/en/theme.css").text)
    config = client.get("/en/config").json()
    assert not config["stylesheets"] and not config["analytics_enabled"]


def test_no_function_of_the_page_is_an_api(client):
    described = client.get("/en/gradio_api/info").json()
    assert described == {"named_endpoints": {}, "unnamed_endpoints": {}}


def test_without_occupations_there_is_one_tab():
    def tabs(service: FakeService) -> int:
        config = page.page(service, "en").get_config_file()
        return sum(each["type"] == "tabitem" for each in config["components"])

    assert tabs(FakeService()) == 3 and tabs(FakeService(occupations=False)) == 1


def test_what_gradio_fails_on_is_refused_with_a_sentence(caplog):
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from jobshift.service.limits import Guard

    client = TestClient(
        Guard(page.mount(FastAPI(), FakeService()), 0), raise_server_exceptions=False
    )
    json, said = {"Content-Type": "application/json"}, []
    for body in (
        b'{"texts": [NaN]}',
        b'"\\ud800"',
        b"\xff",
        b'{"data": ["a"], "fn_index": 1000000000}',
    ):
        answered = client.post("/en/gradio_api/queue/join", content=body, headers=json)
        assert 400 <= answered.status_code < 500, body
        assert answered.headers["x-content-type-options"] == "nosniff"
        said.append(answered.text)
    assert "gradio failed on a request, which got 400" in caplog.text
    assert '{"error":"this is not what the page sends; reload the page"}' in said
    assert (
        client.get("/", headers={"Accept-Language": "zh-CN,en"}, follow_redirects=False).headers[
            "location"
        ]
        == "/zh/"
    )
    assert client.get("/en/").status_code == 200
