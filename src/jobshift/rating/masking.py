"""Personal data in texts, replaced by what they are: `Write to <EMAIL>.`

Found by presidio's recognizers of patterns (Microsoft, MIT): e-mail addresses, telephone numbers, IBANs,
credit cards, US social security numbers, IP addresses, URLs; and here the numbers of Chinese resident identity
cards. Names are found by a spaCy model where one is installed. Nothing is asked of a network. Choices:

- What looks like an e-mail address is masked, whether or not its domain exists.
- A URL has a scheme, `www.` or a path. presidio's own rule takes `ASP.NET`, and `done.In` without a space.
- Identifiers are in ASCII and may stand in Chinese without spaces, which hides their edges from the rules; so
  these see a blank in the place of each Chinese character, and a half-width one for a full-width one.
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from jobshift.errors import JobshiftError
from jobshift.rating.files import as_json, decoded

NAMES = ("en_core_web_sm", "zh_core_web_sm")  # spaCy's models
CALLED = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "US_SSN": "SSN",
    "IP_ADDRESS": "IP",
    "PERSON": "NAME",
}
SURE = 0.4  # the score that presidio gives a valid telephone number
IN_URL = r"[\w\-.~:/?#@!$&*+,;=%\[\]]*[\w\-~/#&=%]"
URLS = (
    rf"(?ia)\b(?:https?|ftp)://{IN_URL}",
    rf"(?ia)\bwww\d{{0,3}}\.{IN_URL}",
    rf"(?ia)(?<![@\w.])(?:[a-z0-9][a-z0-9-]*\.)+[a-z]{{2,}}/{IN_URL}",
)
CN_ID = (
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
    r"(?![0-9A-Za-z])"
)
# Every identifier has one of these, so most texts need no rule.
MAYBE = re.compile(r"[0-9@]|://|www|\.[a-z]+/", re.IGNORECASE)
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
CHINESE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Masker:
    """Masks texts; loading takes some seconds, so one is made for a process."""

    def __init__(self, models: list | None = None):
        """Load the rules, and the models of names: `models`, else those that are installed.

        JobshiftError where presidio is not installed.
        """
        # presidio writes what it could not make out into its log.
        logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)
        try:
            with hidden("torch", "transformers"):
                import presidio_analyzer
                import presidio_analyzer.predefined_recognizers as known
                import spacy
        except ImportError as error:
            raise JobshiftError(
                f"--mask needs {error.name}, which is not installed; run `pip install 'jobshift[mask]'`"
            ) from error
        email = known.EmailRecognizer()
        email.validate_result = lambda found: None  # presidio's would look up the list of domains
        resident = presidio_analyzer.PatternRecognizer(
            "CN_ID", patterns=[presidio_analyzer.Pattern("18 digits", CN_ID, 0.5)]
        )
        resident.validate_result = resident_number
        urls = [presidio_analyzer.Pattern(f"URL {n}", rule, 0.6) for n, rule in enumerate(URLS)]
        self.rules = [
            email,
            known.PhoneRecognizer(
                supported_regions=(*known.PhoneRecognizer.DEFAULT_SUPPORTED_REGIONS, "CN")
            ),
            known.IbanRecognizer(),
            known.CreditCardRecognizer(),
            known.UsSsnRecognizer(),
            known.IpRecognizer(),
            known.UrlRecognizer(patterns=urls),
            resident,
        ]
        if models is None:
            there = [name for name in NAMES if spacy.util.is_package(name)]
            models = [spacy.load(name) for name in there]
            if not there:
                logging.info(
                    "--mask: names stay, as none of spaCy's models %s is installed",
                    ", ".join(NAMES),
                )
        self.models = models

    def text(self, text: str) -> str:
        """`text` with `<EMAIL>`, `<PHONE>`, … for what was found; of two that overlap, the surer or longer."""
        found = []
        plain = CHINESE.sub(" ", text.translate(WIDE))
        if MAYBE.search(plain):
            for rule in self.rules:
                found += [
                    (each.score, each.start, each.end, each.entity_type)
                    for each in rule.analyze(plain, rule.supported_entities, None)
                    if each.score >= SURE
                ]
        for model in self.models:
            found += [
                (SURE, name.start_char, name.end_char, name.label_)
                for name in model(text).ents
                if name.label_ == "PERSON"
            ]
        taken: list[tuple[int, int, str]] = []
        for _, start, end, kind in sorted(
            found, key=lambda each: (-each[0], each[1] - each[2], each)
        ):
            if all(end <= other or start >= until for other, until, _ in taken):
                taken.append((start, end, kind))
        for start, end, kind in sorted(taken, reverse=True):
            text = f"{text[:start]}<{CALLED.get(kind, kind)}>{text[end:]}"
        return text

    def value(self, value: Any) -> Any:
        """A cell with all strings in it masked, however deep they lie."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {name: self.value(each) for name, each in value.items()}
        return value

    def column(self, column: pa.Array, form: str) -> pa.Array:
        """A column of a chunk of a file of the format `form`, masked; it keeps its type."""
        if form != "jsonl" and "string" not in str(column.type):
            return column
        masked = [self.value(cell) for cell in decoded(column, form)]
        if form == "jsonl":
            there = column.is_valid().to_pylist()
            masked = [
                as_json(cell) if is_cell else None
                for cell, is_cell in zip(masked, there, strict=True)
            ]
        return pa.array(masked, column.type)


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """As if the libraries `names` were not installed: both would load them unasked, which takes seconds."""
    before = {name: sys.modules.pop(name, None) for name in names}
    sys.modules.update(dict.fromkeys(names))
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module:
                sys.modules[name] = module


def resident_number(number: str) -> bool:
    """Whether the last of 18 characters is the check digit of the others (GB 11643; ISO 7064, MOD 11-2)."""
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()
