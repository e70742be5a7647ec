"""The comparison of the models as one HTML page that needs nothing else: no network, no other file.

Every element is made by `tag`, which escapes all text that is not markup already, so a name with a
`<` in it is a name. Style and script are `page.css` and `page.js` beside this file; a content security
policy with their hashes lets the page run these two and load nothing. All it shows is there without
the script, which only sorts tables.
"""

import html
import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.report.tables import MAIN, UNDEFINED, interval, listed, number

PRIMARY = "purged"
KAPPA = "cohen_kappa"
SIGNIFICANT = 0.05
# Differences in κ from which a cell is shaded more strongly.
SHADES = (0.005, 0.02, 0.05, 0.1)
VOID = ("br", "img", "meta")
# Figures have 300 dots an inch and print size; on a screen their letters need to be larger.
ENLARGED = 1.35 * 96 / 300
TITLES = {
    "model_comparison": "Agreement of each model with the labels, with intervals",
    "accuracy_cost": "Agreement against training time and rating speed",
    "learning_curve": "Agreement against the number of labelled tasks",
    "reliability_diagram": "Accuracy against confidence of each model",
}
# What each table of the page is in, and what its SHA-256 is the proof of.
TABLES = ["comparison", "comparisons", "learning_curve", "metrics"]


class Html(str):
    """Text that is markup: it is not escaped again."""


@dataclass(frozen=True)
class Image:
    """A figure as PNG with its caption."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Facts:
    """What the page says of the study besides its tables."""

    study: str
    data: str
    rater: str  # who judges, in words
    seeds: list[int]
    names: dict[str, str]  # model → name for people
    others: list[str]  # raters that stand beside the models
    hashes: dict[str, str]  # table → SHA-256


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what it shows and, for sorting, its number (NaN: none) or text."""

    content: Html
    value: float | str
    look: str = ""


def tag(element: str, /, *content: object, **attributes: object) -> Html:
    """An element. Attributes: `class_` is class, `aria_label` aria-label; True is a bare one, None none."""
    parts = [element]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(key)
        elif value is not None and value != "":
            parts.append(f'{key}="{html.escape(str(value))}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening if element in VOID else f"{opening}{joined(*content)}</{element}>")


def joined(*content: object) -> Html:
    """Markup as it is and everything else escaped, one after the other."""
    return Html("".join(c if isinstance(c, Html) else html.escape(str(c)) for c in content))


def page(facts: Facts, tables: dict[str, pd.DataFrame], images: Sequence[Image]) -> str:
    """The whole page. `tables` has the frames of `TABLES` as the stages wrote them."""
    comparison, metrics = tables["comparison"], tables["metrics"]
    primary = tables["comparisons"]
    primary = primary[(primary["split"] == PRIMARY) & (primary["metric"] == KAPPA)]
    curve = tables["learning_curve"]
    title = f"Models of the study {facts.study} compared"
    sections = [
        ("models", "The models", [main_table(comparison, facts)]),
        ("figures", "Figures", [figure(image) for image in images]),
        ("pairs", "Model against model", pairs(comparison, primary, facts)),
        ("labels", "Fewer labelled tasks", learning(curve, facts)),
        ("runs", "Every run by seed", runs(metrics, list(comparison["model"]), facts)),
        ("method", "How it was measured", method(comparison, primary, metrics)),
        ("tables", "What this page was made from", [made_from(facts)]),
    ]
    sections = [each for each in sections if each[2]]
    links = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in sections]
    body = [
        tag("header", tag("h1", title), *introduction(comparison, metrics, facts)),
        tag("nav", tag("ul", *links), aria_label="Contents"),
        tag(
            "main",
            *(
                tag("section", tag("h2", heading, id=f"{name}-heading"), *parts, id=name,
                    aria_labelledby=f"{name}-heading")
                for name, heading, parts in sections
            ),
        ),
    ]  # fmt: skip
    style, script = (beside(f"page.{ending}") for ending in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{hashed(style)}'; "
        f"script-src '{hashed(script)}'; base-uri 'none'; form-action 'none'"
    )
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    ]
    parts = [tag("head", *head), tag("body", *body, tag("script", script))]
    return "<!DOCTYPE html>\n" + tag("html", *parts, lang="en") + "\n"


# ---- what it says ----


def introduction(comparison: pd.DataFrame, metrics: pd.DataFrame, facts: Facts) -> list[Html]:
    """What is compared, and what came out, in a paragraph each."""
    sizes = metrics[(metrics["split"] == PRIMARY) & (metrics["metric"] == KAPPA)]
    if sizes.empty:
        raise JobshiftError(
            f"reports/tables/metrics.csv has no Cohen's κ on the {PRIMARY} split; make it again with "
            "`jobshift evaluate`"
        )
    n = sizes.iloc[0]
    models = len(comparison) - len(set(comparison["model"]) & set(facts.others))
    seeds = listed([str(seed) for seed in facts.seeds])
    averaged = "; their numbers are means over the seeds" if len(facts.seeds) > 1 else ""
    beside_them = ""
    if set(comparison["model"]) & set(facts.others):
        others = [facts.names.get(each, each) for each in facts.others]
        beside_them = f" Raters stand beside the models: {listed(others)}."
    what = (
        f"The study {facts.study} compares {models} model{'' if models == 1 else 's'} on {facts.data}. "
        f"They are judged by the labels of {facts.rater}, on the {PRIMARY} split, in which no training "
        f"task shares an activity or a text with a test task: {n['n_tasks']:,} held-out tasks in "
        f"{n['n_groups']:,} leak groups and {n['n_occupations']:,} occupations with enough of them. "
        f"Each model was trained with the seed{'s' if len(facts.seeds) > 1 else ''} "
        f"{seeds}{averaged}.{beside_them}"
    )
    # A rater may stand above every model.
    best = comparison[~comparison["model"].isin(facts.others)].iloc[0]
    near = comparison[comparison["behind_best_p_holm"] >= SIGNIFICANT]["model"]
    ties = [facts.names.get(model, model) for model in near]
    came_out = (
        f"Highest Cohen's κ: {facts.names.get(best['model'], best['model'])}, "
        f"{number(best[KAPPA])} {interval(best[f'{KAPPA}_low'], best[f'{KAPPA}_high'])}. "
        + (
            f"Not clearly behind it (Holm's p ≥ {SIGNIFICANT:g}): {listed(ties)}."
            if ties
            else f"All others are behind it (Holm's p < {SIGNIFICANT:g})."
        )
    )
    return [tag("p", what), tag("p", came_out) if len(comparison) > 1 else Html("")]


def main_table(comparison: pd.DataFrame, facts: Facts) -> Html:
    """One row a model: how good, how far behind, and what it costs."""
    measures = [column for column in comparison if f"{column}_sd" in comparison]
    columns: list[tuple[str, Callable[[pd.Series], Cell]]] = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        *((MAIN.get(m, m), lambda row, m=m: measured(row, m)) for m in measures),
        (
            "Behind the best, κ",
            lambda row: estimate(
                row["behind_best"], row["behind_best_low"], row["behind_best_high"]
            ),
        ),
        ("p (Holm)", lambda row: plain(row["behind_best_p_holm"], number)),
        ("Parameters trained", lambda row: plain(row["parameters_trained"], count)),
        ("Parameters, all", lambda row: plain(row["parameters_total"], count)),
        ("Training time", lambda row: plain(row["training_seconds"], duration)),
        ("Training, texts/s", lambda row: plain(row["training_texts_per_second"], significant)),
        ("Peak memory", lambda row: plain(row["peak_memory_mb"], megabytes)),
        ("Rating, texts/s", lambda row: plain(row["rating_texts_per_second"], significant)),
        ("Size on disk", lambda row: plain(row["size_mb"], megabytes)),
    ]
    caption = (
        f"Models from the highest κ down. Below each value its 95 % interval; behind ±: the standard "
        f"deviation over the seeds; {UNDEFINED}: not defined or not measured."
    )
    return table(caption, columns, comparison, "main")


def pairs(comparison: pd.DataFrame, primary: pd.DataFrame, facts: Facts) -> list[Html]:
    """The difference in κ of each model to each other: as a matrix, and as a list in words."""
    models = list(comparison["model"])
    found = {}
    for row in primary.itertuples():
        found[row.model_a, row.model_b] = (row.difference, row.low, row.high, row.p_holm)
        found[row.model_b, row.model_a] = (-row.difference, -row.high, -row.low, row.p_holm)
    names = [facts.names.get(model, model) for model in models]
    head = [
        tag("th", tag("span", place, title=name, aria_hidden="true"),
            tag("span", name, class_="unseen"), scope="col")
        for place, name in enumerate(names, start=1)
    ]  # fmt: skip
    rows = []
    for place, row_model in enumerate(models):
        cells = [tag("th", tag("span", place + 1, class_="place"), names[place], scope="row")]
        for column, column_model in enumerate(models):
            pair = found.get((row_model, column_model))
            if pair is None:
                cells.append(tag("td", UNDEFINED if row_model != column_model else ""))
                continue
            difference, low, high, p = pair
            said = (
                f"{names[place]} − {names[column]}: {signed(difference)} "
                f"{interval(low, high)}, p (Holm) {number(p)}"
            )
            shade = sum(abs(difference) >= least for least in SHADES)
            look = f"{'over' if difference > 0 else 'under'}{shade}" if shade else None
            text = signed(difference, 2)
            content = tag("strong", text) if p < SIGNIFICANT else text
            cells.append(tag("td", content, title=said, class_=look))
        rows.append(tag("tr", *cells))
    caption = (
        "Cohen's κ of the model of the row minus that of the column, whose numbers are those of the "
        f"rows. Bold: Holm's p < {SIGNIFICANT:g}. Blue: the row is higher; orange: the column is; stronger "
        f"from {listed([f'{least:g}' for least in SHADES])} on. The list below has the intervals."
    )
    matrix = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", tag("th", "Model", scope="col"), *head)),
        tag("tbody", *rows),
        class_="matrix",
    )
    ordered = [
        (a, b, *found[a, b])
        for n, a in enumerate(models)
        for b in models[n + 1 :]
        if (a, b) in found
    ]
    frame = pd.DataFrame(ordered, columns=["a", "b", "difference", "low", "high", "p_holm"])
    columns = [
        ("Model", lambda row: name_cell(row["a"], facts)),
        ("Minus", lambda row: words(facts.names.get(row["b"], row["b"]))),
        ("Difference in κ", lambda row: estimate(row["difference"], row["low"], row["high"], True)),
        ("p (Holm)", lambda row: plain(row["p_holm"], number)),
    ]
    every = table("Differences in Cohen's κ with 95 % intervals.", columns, frame, "pairs-list")
    summary = tag("summary", f"All {len(frame)} pairs as a list")
    return [scrolling(matrix, "Differences between the models")] + (
        [tag("details", summary, every)] if len(frame) else []
    )


def learning(curve: pd.DataFrame, facts: Facts) -> list[Html]:
    """One row a model and number of tasks learned from; a sentence where there is none."""
    if curve.empty:
        return [tag("p", "No model of this study learned from a part of the training tasks.")]
    keys = ["model", "percent"]
    rows = []
    for key, part in curve.groupby(keys, sort=False):
        by_metric = part.set_index("metric")
        row = dict(zip(keys, key, strict=True)) | {"n_tasks": part["n_tasks"].iloc[0]}
        for metric, each in by_metric.iterrows():
            row |= {f"{metric}_{name}": each[name] for name in ("low", "high", "sd")}
            row[metric] = each["value"]
            row[f"{metric}_seeds"] = each["seeds"]
        if KAPPA in by_metric.index:
            row |= by_metric.loc[KAPPA, ["behind_full", "behind_full_low", "behind_full_high"]]
        rows.append(row)
    columns = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        ("Share of the tasks", lambda row: plain(row["percent"], lambda n: f"{n:g} %")),
        ("Tasks learned from", lambda row: plain(row["n_tasks"], lambda n: f"{n:,.0f}")),
        *((MAIN.get(m, m), lambda row, m=m: measured(row, m)) for m in curve["metric"].unique()),
    ]
    if KAPPA in set(curve["metric"]):
        columns.append(
            (
                "Behind all tasks, κ",
                lambda row: estimate(
                    row["behind_full"], row["behind_full_low"], row["behind_full_high"]
                ),
            )
        )
    caption = (
        "Models that learned from a part of the training tasks, taken by whole leak groups, and how far "
        "they stay behind the same model with all tasks. 95 % intervals; behind ±: the standard "
        "deviation over the seeds."
    )
    return [table(caption, columns, pd.DataFrame(rows), "learning")]


def runs(metrics: pd.DataFrame, models: list[str], facts: Facts) -> list[Html]:
    """One row a run: split (the primary one first), model (as in `models`) and seed."""
    place = {model: n for n, model in enumerate(dict.fromkeys([*models, *metrics["model"]]))}
    metrics = metrics.assign(
        easier=metrics["split"].ne(PRIMARY), place=metrics["model"].map(place)
    ).sort_values(["easier", "split", "place", "seed"], kind="stable")
    wide = [
        {"split": split, "model": model, "seed": seed}
        | {row.metric: row.value for row in part.itertuples()}
        | {f"{row.metric}_low": row.low for row in part.itertuples()}
        | {f"{row.metric}_high": row.high for row in part.itertuples()}
        for (split, model, seed), part in metrics.groupby(["split", "model", "seed"], sort=False)
    ]
    known = set(metrics["metric"])
    columns = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        ("Split", lambda row: words(row["split"].replace("_", " "))),
        ("Seed", lambda row: plain(row["seed"], lambda seed: f"{seed:.0f}")),
        *(
            (
                title,
                lambda row, m=m: estimate(row.get(m), row.get(f"{m}_low"), row.get(f"{m}_high")),
            )
            for m, title in MAIN.items()
            if m in known
        ),
    ]
    caption = "Every run with its 95 % intervals. ECE: expected calibration error."
    every = table(caption, columns, pd.DataFrame(wide), "every-run")
    return [tag("details", tag("summary", f"{len(wide)} runs"), every)]


def method(comparison: pd.DataFrame, primary: pd.DataFrame, metrics: pd.DataFrame) -> list[Html]:
    """Intervals, tests and costs: what they mean and what they do not."""
    draws = metrics["draws"].max()  # fewer where a measure is not always defined
    threads = listed([f"{n:g}" for n in sorted(set(comparison["threads"].dropna()))])
    items = [
        (
            "Intervals",
            f"95 % percentile intervals of {draws:,} bootstrap draws of whole leak groups, moved so that "
            "their mean is the measured value. They tell what other tasks would have given. The "
            "standard deviation tells what other seeds would have given; it needs two seeds.",
        ),
        (
            "Differences",
            "All models are measured on the same draws, so differences are paired: mean over the "
            f"seeds, draw by draw. Holm's correction is over the {len(primary)} pairs of models.",
        ),
        (
            "Occupations",
            "r is Pearson's correlation of the exposure β of occupations, by the model and by the "
            "labels, over those with enough held-out tasks. A model that always says the same has none.",
        ),
    ]
    if comparison["training_seconds"].notna().any():
        items += [
            (
                "Costs",
                "Measured once by benchmarks/model_costs.py"
                + (f" with {threads} thread{'' if threads == '1' else 's'}" if threads else "")
                + "; another machine has other seconds, and the order of models that are close may "
                "change.",
            ),
            (
                "Training",
                "Seconds of fitting with one-off passes, such as embedding the texts, and validation "
                "after epochs, without starting Python and reading the data (comparison.csv says how "
                "many of them are spent once for all runs). Texts per second: training texts times "
                "epochs by these seconds.",
            ),
            (
                "Rating",
                "Texts of the test part per second from raw text to probabilities, after a warm-up.",
            ),
            (
                "Memory and size",
                "The largest resident set of the process, and all files of the saved model "
                "(1 MB is a million bytes). An ensemble sums its members' parameters, seconds and size; "
                "its memory is that of the largest.",
            ),
        ]
    else:
        items.append(("Costs", "Not measured; benchmarks/model_costs.py measures them."))
    return [tag("dl", *(joined(tag("dt", term), tag("dd", text)) for term, text in items))]


def made_from(facts: Facts) -> Html:
    """The tables and their SHA-256."""
    rows = [
        tag(
            "tr",
            tag("th", f"reports/tables/{name}.csv", scope="row"),
            tag("td", tag("code", digest)),
        )
        for name, digest in facts.hashes.items()
    ]
    head = tag("tr", tag("th", "Table", scope="col"), tag("th", "SHA-256", scope="col"))
    caption = tag("caption", "The same tables and figures give the same page, byte for byte.")
    whole = tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="hashes")
    return scrolling(whole, "Tables and their SHA-256")


# ---- tables, cells and figures ----


def table(
    caption: str, columns: list[tuple[str, Callable]], frame: pd.DataFrame, name: str
) -> Html:
    """A table that can be sorted: heading and cell of each column, the first of which heads the row."""
    head = [tag("th", heading, scope="col") for heading, _ in columns]
    rows = []
    for _, row in frame.iterrows():
        cells = []
        for place, (_, cell_of) in enumerate(columns):
            cell = cell_of(row)
            missing = isinstance(cell.value, float) and np.isnan(cell.value)
            attributes = {"class_": cell.look, "data_value": None if missing else cell.value}
            kind = {"scope": "row"} if place == 0 else {}
            cells.append(tag("td" if place else "th", cell.content, **kind, **attributes))
        rows.append(tag("tr", *cells))
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *head)),
        tag("tbody", *rows),
        id=f"{name}-table",
        class_="sortable",
    )
    return scrolling(whole, caption.split(".")[0])


def scrolling(content: Html, label: str) -> Html:
    """A box in which wide content scrolls, also by keyboard."""
    return tag("div", content, class_="box", role="region", aria_label=label, tabindex="0")


def figure(image: Image) -> Html:
    """A figure with its caption; on a narrow screen it scrolls in its own box."""
    title = TITLES.get(image.name, image.name.replace("_", " ").capitalize())
    if image.png[:8] != b"\x89PNG\r\n\x1a\n":
        raise JobshiftError(
            f"reports/figures/{image.name}.png is no PNG; draw it with `jobshift figures`"
        )
    pixels = struct.unpack(">II", image.png[16:24])
    width, height = (round(ENLARGED * n) for n in pixels)
    picture = tag(
        "img",
        src=f"data:image/png;base64,{b64encode(image.png).decode()}",
        alt=f"{title}. The caption says what the chart shows; the tables have its numbers.",
        width=width,
        height=height,
    )
    caption = tag("figcaption", image.caption)
    return tag("figure", scrolling(picture, title), caption, id=f"figure-{image.name}")


def name_cell(model: str, facts: Facts) -> Cell:
    """The name for people and, where it is another, that in conf/model/."""
    name = facts.names.get(model, model)
    code = joined(" ", tag("code", model)) if name != model else Html("")
    return Cell(joined(name, code), name)


def measured(row: pd.Series, metric: str) -> Cell:
    """A measure with its standard deviation and interval."""
    sd = row.get(f"{metric}_sd", np.nan)
    cell = estimate(row.get(metric), row.get(f"{metric}_low"), row.get(f"{metric}_high"))
    if sd is None or pd.isna(sd) or pd.isna(row.get(metric)):
        return cell
    spread = tag("span", f" ± {number(sd)}", class_="sd")
    first, rest = cell.content.split("</span>", 1)
    return Cell(Html(f"{first}</span>{spread}{rest}"), cell.value)


def estimate(
    value: float | None, low: float | None, high: float | None, sign: bool = False
) -> Cell:
    """A value with its interval below."""
    if value is None or pd.isna(value):
        return Cell(Html(UNDEFINED), np.nan, "none")
    said = tag("span", signed(value) if sign else number(value), class_="value")
    ends = "" if low is None or high is None else interval(low, high)
    return Cell(joined(said, tag("span", ends, class_="interval") if ends else Html("")), value)


def plain(value: float, said: Callable[[float], str]) -> Cell:
    """A number in words of its own."""
    if pd.isna(value):
        return Cell(Html(UNDEFINED), np.nan, "none")
    return Cell(joined(said(value)), float(value))


def words(text: str) -> Cell:
    """Plain text."""
    return Cell(joined(text), text, "words")


# ---- numbers in words ----


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign; what rounds to nothing has none."""
    text = number(value, digits)
    return f"+{text}" if value > 0 and float(text) else text


def significant(value: float, digits: int = 3) -> str:
    """At most three significant digits, with thousands apart: 43,100; 0.052."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    rounded = float(f"{value:.{digits - 1}e}")
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def with_unit(value: float, steps: Sequence[tuple[float, str]]) -> str:
    """The value in the largest unit of which it has one, after rounding; a space that does not break."""
    size, unit = steps[0]
    for each in steps:
        if float(f"{value:.2e}") >= each[0]:
            size, unit = each
    return f"{significant(value / size)}\N{NO-BREAK SPACE}{unit}".rstrip()


def count(n: float) -> str:
    """A number of parameters: 1,155; 22.7 M."""
    return f"{n:,.0f}" if n < 1e5 else with_unit(n, [(1e3, "k"), (1e6, "M"), (1e9, "G")])


def duration(seconds: float) -> str:
    """Seconds, minutes or hours: 0.05 s, 22 min, 2.72 h."""
    return with_unit(seconds, [(1.0, "s"), (60.0, "min"), (3600.0, "h")])


def megabytes(mb: float) -> str:
    """Millions of bytes as kB, MB or GB."""
    return with_unit(mb, [(1e-3, "kB"), (1.0, "MB"), (1e3, "GB")])


# ---- what stands beside this file ----


def beside(name: str) -> Html:
    """A file beside this one, as markup."""
    return Html(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def hashed(text: str) -> str:
    """The hash by which a content security policy knows an inline style or script."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
