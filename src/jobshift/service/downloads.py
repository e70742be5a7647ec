"""What can be saved from the page: tables as CSV for spreadsheets, and figures as PNG.

matplotlib is imported with the first figure: the page has to start.
"""

import csv
import io
from collections.abc import Sequence

from jobshift.measures.exposure import AUTOMATION, MEASURES
from jobshift.measures.labour_market import SHARES

# With these a spreadsheet takes a cell for a formula, also in their wide forms.
FORMULA = tuple("=+-@\t\r＝＋－＠")
OCCUPATION = (
    *("code", "title", *MEASURES, *SHARES, "exposure_rank", "oews_title", "shared_with"),
    *("employment_workers", "annual_wage_usd", "wage_at_least", "wage_basis"),
)


def spreadsheet(rows: Sequence[dict]) -> bytes:
    """`rows` as CSV: UTF-8 with a mark of its encoding, headed by the keys of the first, None as nothing.

    Texts that a spreadsheet would run as a formula get an apostrophe before them.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows({key: inert(value) for key, value in row.items()} for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def inert(value: object) -> object:
    """`value`, a text that begins like a formula behind an apostrophe."""
    begins = isinstance(value, str) and value.lstrip(" ").startswith(FORMULA)
    return f"'{value}" if begins else value


def ratings_csv(ratings: Sequence[dict], classes: Sequence[str]) -> bytes:
    """The ratings with the columns of `jobshift rate`, behind them the occupation that each resembles."""
    rows = []
    for rating in ratings:
        shares = rating["probabilities"] or {}
        automation = rating["automation_probabilities"] or {}
        resembles = rating["resembles"] or {}
        rows.append(
            {"text": rating["text"], **{f"p_{name}": shares.get(name) for name in classes}}
            | {name: rating[name] for name in ("predicted", *MEASURES)}
            | {f"t_{name}": automation.get(name) for name in AUTOMATION}
            | {name: rating[name] for name in ("automation", "confidence", "out_of_domain", "note")}
            | {"problem": rating["problem"], "resembles": resembles.get("title")}
            | {"resembles_code": resembles.get("code"), "similarity": resembles.get("similarity")}
        )
    return spreadsheet(rows)


def occupation_csv(occupation: dict) -> bytes:
    """The tasks of an occupation."""
    codes = {"code": occupation["code"], "occupation": occupation["title"]}
    return spreadsheet([codes | task for task in occupation["tasks"]] or [codes])


def comparison_csv(occupations: Sequence[dict], country: dict) -> bytes:
    """A row for each occupation, and one for the country."""
    rows = [{key: each[key] for key in OCCUPATION} for each in occupations]
    return spreadsheet([*rows, dict.fromkeys(OCCUPATION) | {"title": "United States"} | country])


def ratings_png(ratings: Sequence[dict], classes: Sequence[str], words: dict[str, str]) -> bytes:
    """Texts with the probabilities of their classes, the highest first, and β."""
    from jobshift.service.page_figures import Row, png

    order = classes[::-1]
    rows = [
        Row(each["text"], [each["probabilities"][name] for name in order], each["beta"])
        for each in ratings
        if each["probabilities"]
    ]
    series = [(name, f"{name} {words.get(name, '')}".strip()) for name in order]
    return png(rows, series, words["ratings_axis"], words["beta"])


def occupations_png(occupations: Sequence[dict], country: dict, words: dict[str, str]) -> bytes:
    """Occupations above the country, with the shares of their tasks and β."""
    from jobshift.service.page_figures import Row, png

    named = [(each["title"], each) for each in occupations] + [(words["country"], country)]
    rows = [Row(name, [each[s] or 0.0 for s in SHARES], each["beta"]) for name, each in named]
    return png(
        rows, [(share, words[share]) for share in SHARES], words["share_axis"], words["beta"]
    )
