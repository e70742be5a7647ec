"""The page over a finished study: rate tasks, look occupations up, compare them; once in each language.

gradio makes the form, the tabs and the queue; what they show is our own HTML (`page_html.py`), style
(`page.css`) and script (`page.js`). Choices:

- Nothing of a visitor is written to a file: what can be saved goes to the browser as a data URL, made anew
  from the ratings that the service keeps in memory, and gradio's history of runs and statistics are off.
- Ratings come at once; a sentence is explained when it is opened, since that takes long.
- gradio reads the language from the browser; here the address tells it, for gradio's own words too.
"""

import asyncio
import os
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobshift.errors import JobshiftError
from jobshift.report.page import Html, joined, tag
from jobshift.service import downloads, page_html
from jobshift.service.batching import Overloaded
from jobshift.service.limits import CHARACTERS, TEXTS
from jobshift.service.sentences import split_sentences
from jobshift.service.words import EXAMPLE, LANGUAGES, WORDS

if TYPE_CHECKING:
    import fastapi
    import gradio as gr

    from jobshift.service.service import Service

WAITING = 256  # visitors
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
# What stands in a dropdown gives way to what is typed; a click would undo the first selection.
SELECT = """document.addEventListener("focusin", ({ target }) => {
  if (!target.matches("input[role=combobox]")) return
  const before = target.value
  target.select()
  setTimeout(() => target.value === before && target.select())
})"""
TYPES = {"csv": "text/csv;charset=utf-8", "png": "image/png"}
FONTS = ("system-ui", "'Segoe UI'", "Roboto", "'PingFang SC'", "'Microsoft YaHei'", "'Noto Sans SC'",
         "'Noto Sans CJK SC'", "'DejaVu Sans'", "sans-serif")  # fmt: skip


def mount(app: "fastapi.FastAPI", service: "Service") -> "fastapi.FastAPI":
    """Add the page to `app` at /en/ and /zh/, and the way to them at /; returns `app`."""
    gr = gradio()
    speak_languages()
    app.add_route("/", to_language, include_in_schema=False)
    for language in LANGUAGES:
        gr.mount_gradio_app(
            app,
            page(service, language),
            f"/{language}",
            theme=gr.themes.Base(font=FONTS, font_mono=("ui-monospace", "monospace")),
            css=beside("page.css"),
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            max_file_size=1,
            show_error=False,
        )
    return app


def page(service: "Service", language: str) -> "gr.Blocks":
    """The page in one of `LANGUAGES`; without occupations where the service has none."""
    gr = gradio()
    words = WORDS[language]
    explain, save = answers(service, words)
    own = {
        "js_on_load": beside("page.js"),
        "server_functions": [explain, save],
        "apply_default_css": False,
    }
    with gr.Blocks(title=words["title"], fill_width=True) as blocks:
        gr.HTML(header(language), elem_classes="plain")
        with gr.Tabs(selected="rate", overflow_behavior="wrap") as tabs:
            with gr.Tab(words["rate_tab"], id="rate"):
                box = gr.Textbox(
                    label=words["input"], info=words["input_info"], placeholder=words["input_hint"],
                    lines=6, max_lines=14, elem_classes="entry",
                )  # fmt: skip
                with gr.Row(elem_classes="buttons"):
                    rate = gr.Button(words["rate"], variant="primary", elem_id="rate-button")
                    example = gr.Button(words["example"])
                rated = gr.HTML(**own, elem_id="rated")
            if service.occupations:
                choices = [
                    (f"{title} ({code})", code) for title, code in service.occupations.choices()
                ]
                chosen = occupations_tab(service, words, choices, own)
                compare_tab(service, words, choices, own)
        gr.HTML(footer(service, words), elem_classes="plain")

        # Explaining takes seconds to load; whoever opens the page will soon want it.
        blocks.load(service.warm, queue=False, **QUIET)
        example.click(lambda: EXAMPLE[language], None, box, queue=False, **QUIET)
        gr.on(
            [rate.click, box.submit],
            rate_handler(service, words),
            box,
            [rated, rate],
            concurrency_limit=None,
            **QUIET,
        )
        if service.occupations:

            def show(event: gr.EventData):
                return gr.Tabs(selected="occupations"), event.code

            rated.click(show, None, [tabs, chosen], queue=False, **QUIET).then(
                None, js="() => { window.scrollTo(0, 0) }", **QUIET
            )
    return blocks.queue(max_size=WAITING, api_open=False)


def occupations_tab(
    service: "Service", words: dict[str, str], choices: list, own: dict
) -> "gr.Dropdown":
    """The tab of one occupation; returns what it is chosen with."""
    gr = gradio()
    with gr.Tab(words["occupations_tab"], id="occupations"):
        chosen = gr.Dropdown(
            choices,
            value=None,
            label=words["choose"],
            info=words["choose_info"],
            elem_classes="entry",
        )
        shown = gr.HTML(hint(words["choose_hint"]), **own, elem_id="occupation")

    def show(code: str | None) -> str:
        if not code:
            return hint(words["choose_hint"])
        return told(lambda: page_html.occupation_html(service.occupations.occupation(code), words))

    chosen.change(show, chosen, shown, concurrency_limit=None, **QUIET)
    return chosen


def compare_tab(service: "Service", words: dict[str, str], choices: list, own: dict) -> None:
    """The tab of two occupations beside each other."""
    gr = gradio()
    with gr.Tab(words["compare_tab"], id="compare"):
        with gr.Row(elem_classes="pair"):
            both = [
                gr.Dropdown(choices, value=None, label=words[place], info=words["choose_info"],
                            elem_classes="entry")
                for place in ("first", "second")
            ]  # fmt: skip
        shown = gr.HTML(hint(words["compare_hint"]), **own, elem_id="comparison")

    def show(first: str | None, second: str | None) -> str:
        if not (first and second):
            return hint(words["compare_hint"])
        find, country = service.occupations.occupation, service.occupations.country
        return told(lambda: page_html.comparison_html(find(first), find(second), country, words))

    for each in both:
        each.change(show, both, shown, concurrency_limit=None, **QUIET)


def rate_handler(service: "Service", words: dict[str, str]):
    """What the button Rate does with a text: HTML of its sentences or the reason why not, and its own label."""
    gr = gradio()

    async def rated(text: str) -> str:
        texts = split_sentences(text or "")
        if not texts:
            return page_html.said(words["empty"])
        if any(len(each) > CHARACTERS for each in texts):
            return page_html.said(words["too_long"].format(most=CHARACTERS))
        note = words["too_many"].format(most=TEXTS, n=len(texts)) if len(texts) > TEXTS else ""
        try:
            ratings = await service.rate(texts[:TEXTS])
        except JobshiftError as error:
            return page_html.said(reason(error, words))
        return page_html.ratings_html(ratings, service.classes, words, note)

    async def rate(text: str) -> AsyncIterator[tuple]:
        yield gr.skip(), words["waiting"]
        yield await rated(text), words["rate"]

    return rate


def answers(service: "Service", words: dict[str, str]) -> tuple:
    """What the script of the page asks: `explain` a text, `save` a file; {"error"} where it cannot."""

    async def explain(text: str) -> dict:
        try:
            [found] = await service.explain(asked([text], CHARACTERS))
        except JobshiftError as error:
            return {"error": reason(error, words)}
        if found["problem"]:
            return {"error": words["not_rated"].format(problem=found["problem"])}
        return {"html": page_html.explanation_html(found, words)}

    async def save(wanted: dict) -> dict:
        try:
            name, content = await file(service, wanted, words)
        except JobshiftError as error:
            return {"error": reason(error, words)}
        kind = TYPES[name.rpartition(".")[2]]
        return {"name": name, "url": f"data:{kind};base64,{b64encode(content).decode()}"}

    return explain, save


async def file(service: "Service", wanted: object, words: dict[str, str]) -> tuple[str, bytes]:
    """Name and bytes of what is `wanted`: {"name", "texts", "codes"}; JobshiftError where it cannot be had."""
    if not isinstance(wanted, dict):
        raise JobshiftError("this is no file of the page; reload the page")
    name, draw = wanted.get("name"), asyncio.to_thread
    if name in ("ratings.csv", "ratings.png"):
        ratings = await service.rate(asked(wanted.get("texts"), CHARACTERS))
        if name == "ratings.csv":
            return name, downloads.ratings_csv(ratings, service.classes)
        return name, await draw(downloads.ratings_png, ratings, service.classes, words)
    if service.occupations and name in (
        "occupation.csv",
        "occupation.png",
        "comparison.csv",
        "comparison.png",
    ):
        codes = asked(wanted.get("codes"), 20)[:2]
        found, country = (
            [service.occupations.occupation(code) for code in codes],
            service.occupations.country,
        )
        if name.endswith(".png"):
            return name, await draw(downloads.occupations_png, found, country, words)
        if name == "occupation.csv":
            return name, downloads.occupation_csv(found[0])
        return name, downloads.comparison_csv(found, country)
    raise JobshiftError("this is no file of the page; reload the page")


def asked(texts: object, longest: int) -> list[str]:
    """`texts` where they are what the script of the page sends; else JobshiftError."""
    if (
        not isinstance(texts, list)
        or not 0 < len(texts) <= TEXTS
        or not all(isinstance(each, str) and len(each) <= longest for each in texts)
    ):
        raise JobshiftError("this is not what the page asks for; reload the page")
    return texts


def told(make) -> str:
    """The HTML that `make` gives, or the sentence of the JobshiftError that it raises."""
    try:
        return make()
    except JobshiftError as error:
        return page_html.said(str(error))


def reason(error: JobshiftError, words: dict[str, str]) -> str:
    """What the visitor is told of an error."""
    if isinstance(error, Overloaded):
        return words["overloaded"].format(seconds=error.retry_after)
    return str(error)


# ---- the frame ----


async def to_language(request: "fastapi.Request") -> "fastapi.Response":
    """To the page in the first language of the browser that the page has."""
    from starlette.responses import RedirectResponse

    wanted = request.headers.get("accept-language", "").lower().split(",")
    known = (each.strip()[:2] for each in wanted if each.strip()[:2] in LANGUAGES)
    return RedirectResponse(f"/{next(known, 'en')}/", 307, {"Vary": "Accept-Language"})


def header(language: str) -> Html:
    """Name, a sentence, and the way to the other language."""
    words = WORDS[language]
    links = [
        tag("a", name, href=f"../{code}/", lang=WORDS[code]["locale"],
            aria_current="page" if code == language else None)
        for code, name in LANGUAGES.items()
    ]  # fmt: skip
    return tag(
        "header",
        tag("h1", "jobshift"),
        tag("p", words["lead"]),
        tag("nav", *links, aria_label=words["languages"]),
    )


def footer(service: "Service", words: dict[str, str]) -> Html:
    """What ratings are and what becomes of a text."""
    model = words["footer_model"].format(model=service.model)
    return tag("footer", tag("p", words["footer_meaning"]), tag("p", model))


def hint(text: str) -> Html:
    """What to do where nothing is shown yet."""
    return tag("p", text, class_="hint")


def speak_languages() -> None:
    """Let gradio's own document speak the language of the address, and name nobody's pictures or manifest.

    Its template says `lang="en"`, its script takes the language of the browser, and its preview for other
    sites is gradio's own.
    """
    from gradio import routes
    from jinja2 import ChoiceLoader, DictLoader

    environment, name = routes.templates.env, "frontend/index.html"
    source, *_ = environment.loader.get_source(environment, name)
    codes = {f"/{code}": words["locale"] for code, words in WORDS.items()}
    locale = f"{{{{ {codes!r}.get(request.scope.get('root_path', '')[-3:], 'en') }}}}"
    source = source.replace('lang="en"', f'lang="{locale}"', 1)
    source = re.sub(
        r'<meta\s+(?:property="og|name="twitter)[^>]*>|<link rel="manifest"[^>]*>', "", source
    )
    script = f"Object.defineProperty(navigator, 'language', {{ value: '{locale}' }})\n{SELECT}"
    source = source.replace("<head>", f"<head>{tag('script', Html(script))}", 1)
    no_script = joined(
        *(tag("p", words["no_script"], lang=words["locale"]) for words in WORDS.values())
    )
    source = source.replace("<gradio-app", f"{tag('noscript', no_script)}<gradio-app", 1)
    environment.loader = ChoiceLoader([DictLoader({name: source}), environment.loader])
    environment.cache.clear()


def gradio():
    """The package gradio, which sends statistics unless told not to before it is imported."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio

    return gradio


def beside(name: str) -> str:
    """The text of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
