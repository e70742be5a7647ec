"""What the page shows of ratings, explanations and occupations, as HTML.

Every element is made by `tag`, which escapes all that is not markup already: what a visitor enters is text.
`words` are those of a language (`words.WORDS`). Colours never tell anything alone: beside them stand words.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from jobshift.measures.exposure import AUTOMATION, MEASURES
from jobshift.measures.labour_market import SHARES
from jobshift.report.page import Html, joined, tag

LEVELS = 4  # of the strength with which a word is marked
FAINT = 0.1  # of the strongest word, below which a word is not marked
MOST_ALIKE = 3


# ---- rated sentences ----


def ratings_html(
    ratings: Sequence[dict], classes: Sequence[str], words: dict[str, str], note: str = ""
) -> Html:
    """The summary of `ratings` and each of them; `note` is said at the top."""
    n = len(ratings)
    count = words["sentence_count_one" if n == 1 else "sentence_count"].format(n=n)
    return tag(
        "div",
        tag("h2", words["summary"]),
        said(note),
        summary(ratings, classes, words, count),
        saving("ratings", words),
        tag("h2", words["sentences"]),
        tag("ol", *(sentence(each, classes, words) for each in ratings), class_="sentences"),
        class_="results",
        data_failed=words["failed"],
    )


def summary(
    ratings: Sequence[dict], classes: Sequence[str], words: dict[str, str], count: str
) -> Html:
    """Mean exposure, share of the classes, and the occupations that most sentences resemble."""
    rated = [each for each in ratings if not each["problem"]]
    n = len(rated)
    cards = []
    if n and rated[0]["beta"] is not None:
        mean = sum(each["beta"] for each in rated) / n
        cards.append(card(words["exposure"], percent(mean), words["beta_meaning"]))
    predicted = Counter(each["predicted"] for each in rated)
    shares = {name: predicted[name] / n if n else 0.0 for name in classes[::-1]}
    counted = [
        tag("li", swatch(name), f"{named(name, words)}: {predicted[name]}") for name in shares
    ]
    cards.append(
        tag(
            "div",
            tag("dt", words["classes"]),
            tag("dd", bar(shares, words), tag("ul", *counted, class_="legend")),
            class_="card wide",
        )
    )
    alike = Counter((each["resembles"]["title"], each["resembles"]["code"])
                    for each in rated if each["resembles"])  # fmt: skip
    if alike:
        items = [
            tag("li", occupation_link(title, code), " ",
                tag("span", words["times"].format(n=times, of=n), class_="soft"))
            for (title, code), times in alike.most_common(MOST_ALIKE)
        ]  # fmt: skip
        cards.append(
            tag(
                "div",
                tag("dt", words["resembles_most"]),
                tag("dd", tag("ul", *items)),
                class_="card wide",
            )
        )
    flagged = sum(bool(each["out_of_domain"]) for each in rated)
    flag = flagged and tag("p", "⚠ ", words["flagged"].format(n=flagged, of=n), class_="flag")
    return joined(
        tag("p", count, role="status", class_="soft"),
        tag("dl", *cards, class_="cards"),
        flag or Html(),
    )


def sentence(rating: dict, classes: Sequence[str], words: dict[str, str]) -> Html:
    """One sentence with its rating, and what opens its explanation."""
    text = tag("p", rating["text"], class_="text", dir="auto")
    if rating["problem"]:
        problem = words["not_rated"].format(problem=rating["problem"])
        return tag("li", text, tag("p", "⚠ ", problem, class_="flag"), class_="sentence")
    shares = {name: rating["probabilities"][name] for name in classes[::-1]}
    facts = [fact(words["confidence"], percent(rating["confidence"]))]
    if rating["automation"] is not None:
        scale = tag("span", f" ({words['automation_scale']})", class_="soft")
        facts.append(fact(words["automation"], joined(f"{rating['automation']:.2f}", scale)))
    if rating["resembles"]:
        alike = rating["resembles"]
        value = words["similarity"].format(value=f"{alike['similarity']:.2f}")
        facts.append(
            fact(
                words["resembles"],
                joined(occupation_link(alike["title"], alike["code"]), " ",
                       tag("span", f"({value})", class_="soft")),
            )
        )  # fmt: skip
    flags = [words["out_of_domain"]] if rating["out_of_domain"] else []
    if rating["note"]:
        cut = re.search(r"\d+", rating["note"])
        flags.append(words["cut"].format(n=cut.group()) if cut else rating["note"])
    beta = "" if rating["beta"] is None else tag(
        "span", words["exposure"], " ", tag("strong", percent(rating["beta"])), class_="beta"
    )  # fmt: skip
    legend = (tag("li", swatch(name), f"{named(name, words)} {percent(share)}")
              for name, share in shares.items())  # fmt: skip
    return tag(
        "li",
        tag("div", text, tag("dl", *facts, class_="facts"),
            *(tag("p", "⚠ ", flag, class_="flag") for flag in flags), class_="left"),
        tag("div", tag("p", badge(rating["predicted"], words), beta, class_="verdict"),
            bar(shares, words), tag("ul", *legend, class_="legend"), class_="right"),
        tag("details", tag("summary", words["why"]),
            tag("div", class_="explanation", aria_live="polite", data_waiting=words["explaining"])),
        class_="sentence",
    )  # fmt: skip


def explanation_html(explanation: dict, words: dict[str, str]) -> Html:
    """The words of a text marked by what they add to its exposure, and the nearest tasks."""
    strongest = max((abs(each["value"]) for each in explanation["words"]), default=0.0)
    moved = words["words_sum"].format(
        baseline=percent(explanation["baseline"]), value=percent(explanation["value"])
    )
    key = joined(
        tag("span", words["adds"], class_="up up3"),
        " ",
        tag("span", words["takes"], class_="down down3"),
    )
    parts = [
        tag("h4", words["words_heading"]),
        tag("p", key, class_="key"),
        tag(
            "p",
            *marked(explanation["text"], explanation["words"], strongest),
            class_="marked",
            dir="auto",
        ),
        tag("p", moved, class_="soft"),
    ]
    if explanation["nearest"]:
        rows = [
            [
                each["text"],
                label(each["label"], words),
                each["occupation"] or "–",
                f"{each['cosine']:.2f}",
            ]
            for each in explanation["nearest"]
        ]
        heads = [words[name] for name in ("task", "label", "occupation", "cosine")]
        parts.append(table(words["nearest_heading"], heads, rows, "near"))
    return joined(*parts)


def marked(text: str, found: Sequence[dict], strongest: float) -> Iterable[object]:
    """`text` in pieces: each of the words `found` its value beside it where it counts, gaps as they are."""
    end = 0
    for each in found:
        word, value = each["word"], each["value"]
        begin = text.find(word, end)
        if begin < 0:
            continue
        yield text[end:begin]
        end = begin + len(word)
        if strongest <= 0 or abs(value) < FAINT * strongest:
            yield word
            continue
        way, level = (
            ("up" if value > 0 else "down"),
            min(int(LEVELS * abs(value) / strongest) + 1, LEVELS),
        )
        number = f"{value:+.2f}".replace("-", "−")
        yield tag("span", word, tag("small", number), class_=f"mark {way} {way}{level}")
    yield text[end:]


# ---- occupations ----


def occupation_html(occupation: dict, words: dict[str, str]) -> Html:
    """One occupation: its exposure, wage and employment, what happens to its tasks, and these."""
    cards = [
        *(
            card(words[name], percent(occupation[name]), words[f"{name}_words"])
            for name in ("beta", "alpha", "zeta")
        ),
        card(words["rank"], percent(occupation["exposure_rank"]), words["rank_words"]),
        card(words["employment"], workers(occupation, words), words["workers"]),
        card(words["wage"], wage(occupation, words), wage_basis(occupation, words)),
    ]
    shares = {name: occupation[name] or 0.0 for name in SHARES}
    legend = (
        tag("li", swatch(name), tag("strong", f"{words[name]} {percent(share)}"), " ",
            tag("span", words[name.replace("share", "words")], class_="soft"))
        for name, share in shares.items()
    )  # fmt: skip
    rows = [
        [task["text"], label(task["label"], words), automation(task["automation"], words)]
        for task in sorted(occupation["tasks"], key=lambda task: order(task["label"]))
    ]
    heads = [words["task"], words["exposure"], words["automation"]]
    caption = f"{words['tasks'].format(n=len(rows))} {words['tasks_source']}"
    return tag(
        "div",
        tag(
            "h2",
            occupation["title"],
            " ",
            tag("span", occupation["code"], class_="code"),
            lang="en",
        ),
        tag("dl", *cards, class_="cards"),
        *(tag("p", note, class_="soft") for note in notes(occupation, words)),
        tag("h3", words["shares"]),
        bar(shares, words),
        tag("ul", *legend, class_="legend column"),
        saving("occupation", words, [occupation["code"]]),
        table(caption, heads, rows, "tasks"),
        class_="results",
        data_failed=words["failed"],
    )


def comparison_html(first: dict, second: dict, country: dict, words: dict[str, str]) -> Html:
    """Two occupations beside each other and the country."""
    both = (first, second)
    named_bars = [
        tag("div", tag("p", title, lang=language), bar({s: each[s] or 0.0 for s in SHARES}, words),
            class_="named-bar")
        for title, each, language in (
            (first["title"], first, "en"), (second["title"], second, "en"),
            (words["country"], country, None),
        )
    ]  # fmt: skip
    legend = (tag("li", swatch(name), words[name]) for name in SHARES)
    rows = []
    for name in ("beta", "alpha", "zeta", *SHARES):
        values = [each[name] for each in both]
        unknown = any(value is None for value in values)
        apart = "–" if unknown else points(values[0] - values[1], words)
        rows.append([words[name], *map(percent, values), apart, percent(country[name])])
    ranks = (f"{percent(each['exposure_rank'])} {words['rank_words']}" for each in both)
    rows.append([words["rank"], *ranks, "", ""])
    rows.append([words["employment"], *(workers(each, words) for each in both), "", ""])
    rows.append([words["wage"], *(wage(each, words) for each in both), "", ""])
    titles = [tag("span", each["title"], lang="en") for each in both]
    heads = [words["measure"], *titles, words["difference"], words["country"]]
    said_of = [f"{each['title']}: {note}" for each in both for note in notes(each, words)]
    return tag(
        "div",
        tag("h2", words["shares"]),
        *named_bars,
        tag("ul", *legend, class_="legend"),
        saving("comparison", words, [each["code"] for each in both]),
        table(words["country_words"], heads, rows, "compared"),
        *(tag("p", note, class_="soft") for note in said_of),
        class_="results",
        data_failed=words["failed"],
    )


def notes(occupation: dict, words: dict[str, str]) -> list[str]:
    """What wage and employment stand for where that is not this occupation alone."""
    found = []
    title, others = occupation["oews_title"], occupation["shared_with"]
    if title and title != occupation["title"]:
        found.append(words["wider"].format(title=title))
    if others:
        found.append(words["shared_one" if others == 1 else "shared"].format(n=others))
    return found


def workers(occupation: dict, words: dict[str, str]) -> str:
    """The number of workers."""
    n = occupation["employment_workers"]
    return words["unknown"] if n is None else f"{n:,}"


def wage(occupation: dict, words: dict[str, str]) -> str:
    """The annual wage in dollars."""
    dollars = occupation["annual_wage_usd"]
    if dollars is None:
        return words["unknown"]
    said = f"${dollars:,}"
    return words["at_least"].format(value=said) if occupation["wage_at_least"] else said


def wage_basis(occupation: dict, words: dict[str, str]) -> str:
    """In which money the wage is, and which kind of wage."""
    basis = occupation["wage_basis"]
    return words["wage_words"].format(basis=words.get(basis, basis)) if basis else ""


def order(label: str | None) -> int:
    """Where tasks with this label stand: the most exposed first."""
    place = ("E1", "E2", "E0")
    return place.index(label) if label in place else len(place)


# ---- parts ----


def card(term: str, value: object, note: str = "") -> Html:
    """A number with what it is above it and what it means below."""
    more = tag("dd", note, class_="soft") if note else ""
    return tag("div", tag("dt", term), tag("dd", value, class_="value"), more, class_="card")


def fact(term: str, value: object) -> Html:
    """A term and its value on a line."""
    return tag("div", tag("dt", term), tag("dd", value))


def bar(shares: dict[str, float], words: dict[str, str]) -> Html:
    """Shares side by side; their names and values are its text for those who do not see it."""
    said_of = ", ".join(f"{named(name, words)} {percent(share)}" for name, share in shares.items())
    parts = (
        tag("span", class_=f"part c-{name}", style=f"width:{100 * share:.2f}%")
        for name, share in shares.items()
    )
    return tag("div", *parts, class_="bar", role="img", aria_label=said_of)


def swatch(name: str) -> Html:
    """The colour of a class or share."""
    return tag("span", class_=f"swatch c-{name}", aria_hidden="true")


def badge(name: str, words: dict[str, str]) -> Html:
    """A class with its meaning in its colour."""
    return tag("span", named(name, words), class_=f"badge c-{name}")


def label(name: str | None, words: dict[str, str]) -> Html | str:
    """The badge of a label, or that there is none."""
    return badge(name, words) if name else "–"


def automation(name: str | None, words: dict[str, str]) -> str:
    """An automation class with its meaning."""
    return named(name, words) if name in AUTOMATION else "–"


def named(name: str, words: dict[str, str]) -> str:
    """A class with its meaning, E1 direct; a share by its name."""
    if name in SHARES:
        return words[name]
    return f"{name} {words[name]}" if name in words and name not in MEASURES else name


def occupation_link(title: str, code: str | None) -> Html:
    """A button that shows the occupation; its title alone where it has no code."""
    if code is None:
        return tag("span", title, lang="en")
    return tag("button", title, type="button", class_="link", data_code=code, lang="en")


def saving(what: str, words: dict[str, str], codes: Sequence[str] = ()) -> Html:
    """The buttons that save a table and a figure, and where it is said that a file is being made."""
    buttons = (
        tag("button", words[f"save_{form}"], type="button", class_="save",
            data_save=f"{what}.{form}", data_codes=" ".join(codes))
        for form in ("csv", "png")
    )  # fmt: skip
    status = tag("span", class_="saving soft", role="status", data_saving=words["saving"])
    return tag("p", *buttons, status, class_="saves")


def said(text: str, look: str = "notice") -> Html:
    """A sentence to the visitor; nothing where there is none."""
    return tag("p", text, class_=look, role="alert") if text else Html()


def table(
    caption: str, heads: Sequence[object], rows: Sequence[Sequence[object]], look: str = ""
) -> Html:
    """A table whose first cells head its rows; it scrolls in its own box where it is too wide."""
    first = tag("thead", tag("tr", *(tag("th", each, scope="col") for each in heads)))
    body = (
        tag(
            "tr",
            tag("th", row[0], scope="row", dir="auto"),
            *(
                tag("td", each, data_head=head)
                for each, head in zip(row[1:], heads[1:], strict=True)
            ),
        )
        for row in rows
    )
    whole = tag("table", tag("caption", caption), first, tag("tbody", *body), class_=look)
    return tag("div", whole, class_="box", role="region", aria_label=caption, tabindex="0")


def percent(share: float | None) -> str:
    """A share between 0 and 1 in percent."""
    return "–" if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def points(difference: float, words: dict[str, str]) -> str:
    """A difference of shares in percentage points, with its sign."""
    value = f"{100 * difference:+.0f}"
    value = "0" if value in ("+0", "-0") else value.replace("-", "−")
    return words["points"].format(value=value)
