"""A service for the tests of the page: ratings by rules, occupations of our own, nothing to load."""

import asyncio

from jobshift.errors import JobshiftError
from jobshift.service.batching import Overloaded

CLASSES = ["E0", "E2", "E1"]
DIRECT = ("write", "reply", "replies", "sum up", "回复", "纪要")
SOFTWARE = ("compare", "spreadsheet", "suggest", "list", "比较", "清单")
COUNTRY = {
    **{"alpha": 0.12, "beta": 0.31, "zeta": 0.5},
    **{"substituted_share": 0.04, "complemented_share": 0.46, "untouched_share": 0.5},
}


def rating(text: str) -> dict:
    low = text.lower()
    kind = (
        "E1" if any(w in low for w in DIRECT) else "E2" if any(w in low for w in SOFTWARE) else "E0"
    )
    rest = iter([0.2, 0.08])
    shares = {name: 0.72 if name == kind else next(rest) for name in CLASSES}
    return {
        "text": text,
        "predicted": kind,
        "probabilities": shares,
        "alpha": shares["E1"],
        "beta": shares["E1"] + shares["E2"] / 2,
        "zeta": shares["E1"] + shares["E2"],
        "automation": {"E0": 0.1, "E2": 0.35, "E1": 0.6}[kind],
        "automation_probabilities": {"T0": 0.2, "T1": 0.3, "T2": 0.3, "T3": 0.15, "T4": 0.05},
        "confidence": 0.72,
        "distance": 0.4,
        "out_of_domain": not low.isascii(),
        "note": "cut to 96 tokens" if len(text) > 400 else None,
        "resembles": {
            "code": "43-0001.00" if kind != "E0" else "39-0001.00",
            "title": "Letter Clerks" if kind != "E0" else "Door Wardens",
            "similarity": 0.81,
        },
        "problem": None,
    }


def explanation(text: str) -> dict:
    words = text.split()
    return {
        "text": text,
        "value": 0.31,
        "baseline": 0.22,
        "completeness_gap": 0.001,
        "words": [{"word": w, "value": (-1) ** n * 0.06 / (n + 1)} for n, w in enumerate(words)],
        "nearest": [
            {
                "cosine": 0.91,
                "label": "E1",
                "occupation": "Letter Clerks",
                "text": "Sort <old> letters.",
            },
            {
                "cosine": 0.84,
                "label": "E0",
                "occupation": None,
                "text": "Open the gate for guests.",
            },
        ],
        "problem": None,
    }


def occupation(code: str, title: str, tasks: list[tuple[str, str, str]], **others) -> dict:
    n = len(tasks)
    e1, e2 = (sum(label == kind for _, label, _ in tasks) / n for kind in ("E1", "E2"))
    return {
        "code": code,
        "title": title,
        "soc": code[:7],
        "alpha": e1,
        "beta": e1 + e2 / 2,
        "zeta": e1 + e2,
        "substituted_share": 1 / n,
        "complemented_share": e1 + e2 - 1 / n,
        "untouched_share": 1 - e1 - e2,
        "exposure_rank": 0.83,
        "oews_title": title,
        "shared_with": 0,
        "employment_workers": 603_210,
        "annual_wage_usd": 48_060,
        "wage_at_least": False,
        "wage_basis": "annual median",
        "tasks": [
            {"id": str(n), "text": text, "label": label, "automation": automation}
            for n, (text, label, automation) in enumerate(tasks)
        ],
        **others,
    }


OCCUPATIONS = {
    each["code"]: each
    for each in (
        occupation(
            "43-0001.00",
            "Letter Clerks",
            [
                ("Write replies to letters of complaint.", "E1", "T3"),
                ("Keep the list of senders up to date.", "E2", "T2"),
                ("Carry sacks of letters to the van.", "E0", "T0"),
                ("=SUM(1) is no formula but a task.", "E1", "T2"),
            ],
        ),
        occupation(
            "39-0001.00",
            "Door Wardens",
            [
                ("Write the names of guests into a book.", "E2", "T3"),
                ("Open the gate for guests.", "E0", "T0"),
                ("Help guests who cannot climb stairs.", "E0", None),
            ],
            oews_title="Wardens and Attendants, All Other",
            shared_with=2,
            employment_workers=None,
            annual_wage_usd=239_200,
            wage_at_least=True,
            wage_basis="top-code",
            exposure_rank=0.12,
        ),
        occupation(
            "29-0001.00",
            "Tooth <b>Painters</b> & Polishers of Very Long Titles, Except for Dentists and Their Assistants",
            [("Paint teeth.", "E0", "T0"), ("Send bills to patients.", "E1", "T3")],
            oews_title=None,
            employment_workers=None,
            annual_wage_usd=None,
            wage_basis=None,
        ),
    )
}  # fmt: skip


class FakeOccupations:
    country = COUNTRY

    def choices(self) -> list[tuple[str, str]]:
        return sorted((each["title"], code) for code, each in OCCUPATIONS.items())

    def occupation(self, code: str) -> dict:
        if code not in OCCUPATIONS:
            raise JobshiftError("there is no occupation with this code; search for its title")
        return OCCUPATIONS[code]


class FakeService:
    model = "minilm"
    classes = CLASSES

    def __init__(self, occupations: bool = True, busy: bool = False):
        self.occupations = FakeOccupations() if occupations else None
        self.busy = busy

    def warm(self) -> None:
        """There is nothing to load."""

    async def rate(self, texts: list[str]) -> list[dict]:
        await asyncio.sleep(0)
        if self.busy or "overload" in texts:
            raise Overloaded(2_048, 3)
        return [rating(text) for text in texts]

    async def explain(self, texts: list[str]) -> list[dict]:
        await asyncio.sleep(0.05)
        if any("captum" in text for text in texts):
            raise JobshiftError("captum is not installed; run pip install 'jobshift[explain]'")
        return [explanation(text) for text in texts]
