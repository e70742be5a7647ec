"""The page in Chromium, as a visitor uses it: by mouse on a laptop and a phone, and by keyboard alone.

With JOBSHIFT_SCREENSHOTS=FOLDER each step leaves a picture there. Needs `playwright` and a Chromium of the
system; nothing is downloaded.
"""

import csv
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import FakeService

from jobshift.service import page
from jobshift.service.limits import Guard
from jobshift.service.words import WORDS

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-headless-shell", "google-chrome"))), None
)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

SIZES = {"laptop": (1280, 800), "phone": (390, 844)}
TASKS = "Write replies to <b>guests</b>.\nOpen the gate.\nفتح الباب"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page on a free port of this machine, under the policy that it asks for."""
    import uvicorn
    from fastapi import FastAPI

    app = Guard(page.mount(FastAPI(), FakeService()), 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, fd=free.fileno(), log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server has ended"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{free.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Visit:
    """A tab of the browser, what went wrong in it, and its pictures."""

    def __init__(self, browser, address: str, language: str, size: str, scheme: str = "light"):
        width, height = SIZES[size]
        # The language of the browser is another, so that the address alone decides.
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, locale="de-DE", color_scheme=scheme
        )
        self.page, self.name, self.step = self.context.new_page(), f"{language}-{size}", 0
        self.width, self.wrong = width, []
        self.page.set_default_timeout(15_000)
        self.page.on("request", lambda asked: self.outside(asked.url, address))
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("response", lambda got: got.status >= 400 and self.wrong.append(got.url))
        self.page.goto(f"{address}/{language}/")
        self.page.locator("#rate-button").wait_for()

    def outside(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.wrong.append(url)

    def picture(self, name: str) -> None:
        """Note what is shown, and that nothing is wider than the screen."""
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width
        if folder := os.environ.get("JOBSHIFT_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.step += 1
            file = Path(folder, f"{self.name}-{self.step}-{name}.png")
            self.page.screenshot(path=file, full_page=True)

    def saved(self, name: str) -> bytes:
        """What the button gives that saves the file `name`."""
        with self.page.expect_download() as download:
            self.page.locator(f'[data-save="{name}"]').click()
        assert download.value.suggested_filename == name
        return Path(download.value.path()).read_bytes()

    def choose(self, place: int, letters: str) -> None:
        """Type a part of a title into the dropdown of this place and take the first that has it."""
        box = self.page.locator("input:visible").nth(place)
        box.click()
        box.press_sequentially(letters)
        self.page.locator('[role="option"]:visible').first.click()

    def end(self) -> None:
        self.context.close()
        assert self.wrong == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_visit_by_mouse(browser, address, language, size):
    words, visit = WORDS[language], Visit(browser, address, language, size)
    tab = visit.page
    assert tab.evaluate("document.documentElement.lang") == words["locale"]
    assert tab.title() == words["title"]
    visit.picture("start")

    tab.locator("#rate-button").click()
    tab.get_by_text(words["empty"]).wait_for()
    tab.get_by_role("button", name=words["example"], exact=True).click()
    tab.wait_for_function("document.querySelector('textarea').value.length > 50")
    tab.locator("#rate-button").click()
    tab.locator(".sentence").nth(4).wait_for()
    assert tab.locator("#rate-button").inner_text() == words["rate"]
    visit.picture("rated")
    tab.locator(".sentence summary").first.click()
    tab.locator(".marked").wait_for()
    visit.picture("explained")
    table = visit.saved("ratings.csv").decode("utf-8-sig")
    assert len(list(csv.reader(table.splitlines()))) == 6
    assert visit.saved("ratings.png").startswith(b"\x89PNG")

    tab.locator(".sentence .link").first.click()
    tab.locator("#occupation h2", has_text="Letter Clerks").wait_for()
    visit.picture("occupation")
    assert b"letters of complaint" in visit.saved("occupation.csv")
    visit.choose(0, "ward")
    tab.locator("#occupation h2", has_text="Door Wardens").wait_for()

    tab.get_by_role("tab", name=words["compare_tab"]).click()
    visit.choose(0, "letter")
    visit.choose(1, "tooth")
    tab.locator("#comparison table").wait_for()
    visit.picture("compared")
    assert b"Tooth" in visit.saved("comparison.csv")

    other = {"en": "zh", "zh": "en"}[language]
    tab.locator(f'header a[href="../{other}/"]').click()
    tab.get_by_text(WORDS[other]["lead"]).wait_for()
    visit.end()


def test_a_visit_by_keyboard(browser, address):
    visit = Visit(browser, address, "en", "laptop", scheme="dark")
    tab, keys = visit.page, visit.page.keyboard

    def to(selector: str, key: str = "Tab") -> None:
        for _ in range(40):
            if tab.evaluate("s => document.activeElement.matches(s)", selector):
                return
            keys.press(key)
        raise AssertionError(f"the keyboard does not reach {selector}")

    to("textarea")
    keys.insert_text(TASKS)
    to("#rate-button")
    keys.press("Enter")
    tab.locator(".sentence").nth(2).wait_for()
    assert tab.locator(".sentence .text").all_inner_texts() == TASKS.split("\n")
    to(".sentence summary")
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.evaluate(ring) == "solid"
    keys.press("Enter")
    tab.locator(".marked").wait_for()
    to(".sentence .link", "Shift+Tab")
    visit.picture("keyboard-rated")
    keys.press("Enter")
    tab.locator("#occupation .cards").wait_for()
    to('[role="tab"][aria-selected="true"]', "Shift+Tab")
    keys.press("Tab")
    keys.press("Enter")
    for place, title in (("first", "Door Wardens"), ("second", "Letter Clerks")):
        to(f'input[aria-label="{WORDS["en"][place]}"]')
        keys.type(title.lower())
        # gradio filters a moment after the last letter, and Enter takes the first of what is listed then.
        tab.locator('[role="option"].active:visible', has_text=title).wait_for()
        keys.press("Enter")
        tab.wait_for_function(
            "([label, title]) => document.querySelector(`[aria-label='${label}']`).value.startsWith(title)",
            arg=[WORDS["en"][place], title],
        )
    tab.locator("#comparison table").wait_for()
    visit.picture("keyboard-compared")
    visit.end()


def test_what_goes_wrong_is_a_sentence(browser, address):
    visit = Visit(browser, address, "en", "phone")
    tab = visit.page
    tab.locator("textarea").fill("overload")
    tab.locator("#rate-button").click()
    tab.get_by_text("try again in 3 s").wait_for()
    tab.locator("textarea").fill("Install captum.")
    tab.locator("#rate-button").click()
    tab.locator(".sentence summary").click()
    tab.get_by_text("captum is not installed").wait_for()
    assert visit.wrong == []
    visit.context.set_offline(True)
    tab.locator('[data-save="ratings.csv"]').click()
    tab.get_by_text(WORDS["en"]["failed"]).wait_for()
    visit.picture("wrong")
    visit.context.close()
