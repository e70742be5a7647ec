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
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.report.kinds import Kind
from jobshift.report.tables import MAIN, UNDEFINED, interval, listed, number

PRIMARY = "purged"
SIGNIFICANT = 0.05
# Differences from which a cell is shaded more strongly.
SHADES = (0.005, 0.02, 0.05, 0.1)
VOID = ("br", "img", "meta")
# Figures have 300 dots an inch and print size; on a screen their letters need to be larger.
ENLARGED = 1.35 * 96 / 300
TITLES = {
    "model_comparison": "Agreement of each model, with intervals",
    "accuracy_cost": "Agreement against training time and rating speed",
    "learning_curve": "Agreement against the number of labelled texts",
    "ranking_curves": "What is found at which price",
    "ranking_curves_hard": "What is found of the hard pairs at which price",
    "classes": "F1 of each class of the best model",
    "decodings": "What each way to write an output gives",
    "reliability_diagram": "Accuracy against confidence of each model",
}
# What each table of the page is in, and what its SHA-256 is the proof of.
TABLES = [
    *("comparison", "comparisons", "learning_curve", "metrics", "metrics_mean", "classes"),
    "decodings",
]


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
    kind: Kind
    extra: list[str] = field(default_factory=list)  # second test sets
    classes: dict[str, str] = field(default_factory=dict)  # class → what it is called

    def named(self, model: str) -> str:
        """A model's name for people."""
        return self.names.get(model, model)


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
    primary, means = tables["comparisons"], tables["metrics_mean"]
    primary = primary[(primary["split"] == PRIMARY) & (primary["metric"] == facts.kind.first)]
    models = list(comparison["model"])
    title = f"Models of the study {facts.study} compared"
    sections = [
        ("models", "The models", [main_table(comparison, facts)]),
        ("splits", "Other test sets", other_test_sets(means, models, facts)),
        ("figures", "Figures", [figure(image) for image in images]),
        ("classes", "Class by class", of_classes(tables["classes"], models, facts)),
        ("decodings", "Ways to write an output", of_decodings(tables["decodings"], models, facts)),
        ("pairs", "Model against model", pairs(comparison, primary, facts)),
        ("labels", f"Fewer labelled {facts.kind.units}", learning(tables["learning_curve"], facts)),
        ("runs", "Every run by seed", runs(metrics, models, facts)),
        ("method", "How it was measured", method(comparison, primary, metrics, facts.kind)),
        ("tables", "What this page was made from", [made_from(facts)]),
    ]
    sections = [each for each in sections if each[2]]
    links = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in sections]
    body = [
        tag("header", tag("h1", title), *introduction(comparison, metrics, means, facts)),
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


def introduction(
    comparison: pd.DataFrame, metrics: pd.DataFrame, means: pd.DataFrame, facts: Facts
) -> list[Html]:
    """What is compared, and what came out, in a paragraph each."""
    kind = facts.kind
    sizes = metrics[(metrics["split"] == PRIMARY) & (metrics["metric"] == kind.first)]
    if sizes.empty:
        raise JobshiftError(
            f"reports/tables/metrics.csv has no {kind.name} on the {PRIMARY} split; make it again with "
            "`jobshift evaluate`"
        )
    n = sizes.iloc[0]
    models = len(comparison) - len(set(comparison["model"]) & set(facts.others))
    seeds = listed([str(seed) for seed in facts.seeds])
    averaged = "; their numbers are means over the seeds" if len(facts.seeds) > 1 else ""
    beside_them = ""
    if set(comparison["model"]) & set(facts.others):
        others = [facts.named(each) for each in facts.others]
        beside_them = f" Raters stand beside the models: {listed(others)}."
    occupations = ""
    if n["n_occupations"]:
        occupations = f" and {n['n_occupations']:,} occupations with enough of them"
    what = (
        f"The study {facts.study} compares {models} model{'' if models == 1 else 's'} on {facts.data}. "
        f"They are judged by the {kind.truth} of {facts.rater}, on the {PRIMARY} split, in which "
        f"{kind.splits[PRIMARY]}: {n['n_tasks']:,} held-out {kind.units} in {n['n_groups']:,} leak groups"
        f"{occupations}. Each model was trained with the seed{'s' if len(facts.seeds) > 1 else ''} "
        f"{seeds}{averaged}.{beside_them}"
    )
    # A rater may stand above every model.
    best = comparison[~comparison["model"].isin(facts.others)].iloc[0]
    near = comparison[comparison["behind_best_p_holm"] >= SIGNIFICANT]["model"]
    first = kind.first
    came_out = (
        f"Highest {kind.name}: {facts.named(best['model'])}, "
        f"{number(best[first])} {interval(best[f'{first}_low'], best[f'{first}_high'])}. "
        + (
            f"Not clearly behind it (Holm's p ≥ {SIGNIFICANT:g}): {listed(map(facts.named, near))}."
            if len(near)
            else f"All others are behind it (Holm's p < {SIGNIFICANT:g})."
        )
    )
    of_best = means[(means["model"] == best["model"]) & (means["metric"] == first)]
    elsewhere = [
        f"{number(row.value)} {interval(row.low, row.high)} on the {row.n_tasks:,} {in_words(row.split)}"
        f"{f' {kind.units}' if row.split in kind.parts else ''}"
        for row in of_best[of_best["split"].isin([*kind.parts, *facts.extra])].itertuples()
    ]
    if elsewhere:
        came_out += f" It has {listed(elsewhere)}."
    return [tag("p", what), tag("p", came_out) if len(comparison) > 1 else Html("")]


def other_test_sets(means: pd.DataFrame, models: list[str], facts: Facts) -> list[Html]:
    """The first measure of each model on the primary split and on all others; empty where there is one."""
    kind = facts.kind
    first = means[means["metric"] == kind.first]
    sizes = first.drop_duplicates("split").set_index("split")
    others = [split for split in sizes.index if split != PRIMARY]
    if not others:
        return []
    rows = {model: {"model": model} for model in dict.fromkeys([*models, *first["model"]])}
    for each in first.itertuples():
        rows[each.model] |= {each.split: each.value, f"{each.split}_low": each.low}
        rows[each.model] |= {f"{each.split}_high": each.high, f"{each.split}_sd": each.sd}
    columns = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        *(
            (
                f"{in_words(split).capitalize()}, n = {sizes.n_tasks[split]:,}",
                lambda row, split=split: measured(row, split),
            )
            for split in [PRIMARY, *others]
        ),
    ]
    meanings = [
        f"{in_words(split)}: {kind.splits.get(split, 'as conf/ defines it')}"
        for split in sizes.index
        if split not in (*kind.parts, *facts.extra)
    ]
    meanings += [
        f"{in_words(part)}, a part of the {PRIMARY} test set: {kind.parts[part]}"
        for part in others
        if part in kind.parts
    ]
    meanings += [
        f"{in_words(name)}: a second test set of which nothing was learnt"
        for name in others
        if name in facts.extra
    ]
    meaning = "; ".join(meanings)
    caption = (
        f"{MAIN.get(kind.first, kind.first)} by test set. {meaning[0].upper()}{meaning[1:]}. Below each "
        "value its 95 % interval; behind ±: the standard deviation over the seeds."
    )
    return [table(caption, columns, pd.DataFrame(list(rows.values())), "splits")]


def of_classes(classes: pd.DataFrame, models: list[str], facts: Facts) -> list[Html]:
    """Each class as the best model finds it, by mean over the seeds; empty where there are none."""
    classes = classes[classes["split"] == PRIMARY]
    model = next((each for each in models if each in set(classes["model"])), None)
    if model is None:
        return []
    runs = classes[classes["model"] == model]
    several = runs["seed"].nunique() > 1
    means = runs.drop(columns=["model", "seed", "split"]).groupby("class", sort=False).mean()
    if several:  # each seed has an interval of its own
        means[["low", "high"]] = np.nan
    columns = [
        (
            "Class",
            lambda row: words(f"{row['class']} {facts.classes.get(row['class'], '')}".strip()),
        ),
        ("Test texts", lambda row: plain(row["n_test"], lambda n: f"{n:,.0f}")),
        ("F1", lambda row: estimate(row["f1"], row["low"], row["high"])),
        ("Precision", lambda row: plain(row["precision"], number)),
        ("Recall", lambda row: plain(row["recall"], number)),
        ("Threshold", lambda row: plain(row["threshold"], number)),
    ]
    averaged = " Means over the seeds." if several else ""
    caption = f"Each class by {facts.named(model)}, with the probability from which it is predicted.{averaged}"
    every = table(caption, columns, means.reset_index(), "of-classes")
    return [tag("details", tag("summary", f"{len(means)} classes"), every)]


def of_decodings(decodings: pd.DataFrame, models: list[str], facts: Facts) -> list[Html]:
    """What each decoding gives, by mean over the seeds; empty where nothing was decoded."""
    if decodings.empty:
        return []
    place = {model: n for n, model in enumerate(models)}
    keys = ["model", "decoding", "split"]
    several = decodings["seed"].nunique() > 1
    rows = []
    for key, part in decodings.groupby(keys, sort=False):
        of = part.groupby("metric", sort=False)[["value", "low", "high"]].mean()
        row = dict(zip(keys, key, strict=True)) | of["value"].to_dict()
        for metric, each in of.iterrows():
            row |= {} if several else {f"{metric}_low": each["low"], f"{metric}_high": each["high"]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame = frame.sort_values("model", key=lambda names: names.map(place), kind="stable")
    known = set(decodings["metric"])
    columns = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        ("Decoding", lambda row: words(row["decoding"])),
        ("Test set", lambda row: words(in_words(row["split"]))),
        *((MAIN[m], lambda row, m=m: measured(row, m)) for m in MAIN if m in known),
    ]
    averaged = "; means over the seeds" if several else ""
    caption = f"What each decoding gives on the test set and its parts{averaged}. BLEU and chrF: 0 to 100."
    return [table(caption, columns, frame, "of-decodings")]


def main_table(comparison: pd.DataFrame, facts: Facts) -> Html:
    """One row a model: how good, how far behind, and what it costs."""
    measures = [column for column in comparison if f"{column}_sd" in comparison]
    costs = {
        "parameters_trained": ("Parameters trained", count),
        "parameters_total": ("Parameters, all", count),
        "training_seconds": ("Training time", duration),
        "training_texts_per_second": ("Training, texts/s", significant),
        "peak_memory_mb": ("Peak memory", megabytes),
        "rating_texts_per_second": ("Rating, texts/s", significant),
        "size_mb": ("Size on disk", megabytes),
    }
    columns: list[tuple[str, Callable[[pd.Series], Cell]]] = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        *((MAIN.get(m, m), lambda row, m=m: measured(row, m)) for m in measures),
        (
            f"Behind the best, {facts.kind.symbol}",
            lambda row: estimate(
                row["behind_best"], row["behind_best_low"], row["behind_best_high"]
            ),
        ),
        ("p (Holm)", lambda row: plain(row["behind_best_p_holm"], number)),
    ]
    columns += [
        (title, lambda row, name=name, form=form: plain(row[name], form))
        for name, (title, form) in costs.items()
        if comparison[name].notna().any()  # no empty columns where nothing was measured
    ]
    caption = (
        f"Models from the highest {facts.kind.symbol} down. Below each value its 95 % interval; behind ±: "
        f"the standard deviation over the seeds; {UNDEFINED}: not defined or not measured."
    )
    return table(caption, columns, comparison, "main")


def pairs(comparison: pd.DataFrame, primary: pd.DataFrame, facts: Facts) -> list[Html]:
    """The difference of each model to each other: as a matrix, and as a list in words."""
    models = list(comparison["model"])
    found = {}
    for row in primary.itertuples():
        found[row.model_a, row.model_b] = (row.difference, row.low, row.high, row.p_holm)
        found[row.model_b, row.model_a] = (-row.difference, -row.high, -row.low, row.p_holm)
    names = [facts.named(model) for model in models]
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
        f"{MAIN[facts.kind.first]} of the model of the row minus that of the column, whose numbers are "
        f"those of the rows. Bold: Holm's p < {SIGNIFICANT:g}. Blue: the row is higher; orange: the column "
        f"is; stronger from {listed([f'{least:g}' for least in SHADES])} on. The list below has the intervals."
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
        ("Minus", lambda row: words(facts.named(row["b"]))),
        (
            f"Difference in {facts.kind.symbol}",
            lambda row: estimate(row["difference"], row["low"], row["high"], True),
        ),
        ("p (Holm)", lambda row: plain(row["p_holm"], number)),
    ]
    every = table(
        f"Differences in {facts.kind.name} with 95 % intervals.", columns, frame, "pairs-list"
    )
    summary = tag("summary", f"All {len(frame)} pairs as a list")
    return [scrolling(matrix, "Differences between the models")] + (
        [tag("details", summary, every)] if len(frame) else []
    )


def learning(curve: pd.DataFrame, facts: Facts) -> list[Html]:
    """One row a model and number of texts learned from; a sentence where there is none."""
    first, units = facts.kind.first, facts.kind.units
    if curve.empty:
        return [tag("p", f"No model of this study learned from a part of the training {units}.")]
    keys = ["model", "percent"]
    rows = []
    for key, part in curve.groupby(keys, sort=False):
        by_metric = part.set_index("metric")
        row = dict(zip(keys, key, strict=True)) | {"n_tasks": part["n_tasks"].iloc[0]}
        for metric, each in by_metric.iterrows():
            row |= {f"{metric}_{name}": each[name] for name in ("low", "high", "sd")}
            row[metric] = each["value"]
            row[f"{metric}_seeds"] = each["seeds"]
        if first in by_metric.index:
            row |= by_metric.loc[first, ["behind_full", "behind_full_low", "behind_full_high"]]
        rows.append(row)
    columns = [
        ("Model", lambda row: name_cell(row["model"], facts)),
        (f"Share of the {units}", lambda row: plain(row["percent"], lambda n: f"{n:g} %")),
        (
            f"{units.capitalize()} learned from",
            lambda row: plain(row["n_tasks"], lambda n: f"{n:,.0f}"),
        ),
        *((MAIN.get(m, m), lambda row, m=m: measured(row, m)) for m in curve["metric"].unique()),
    ]
    if first in set(curve["metric"]):
        columns.append(
            (
                f"Behind all {units}, {facts.kind.symbol}",
                lambda row: estimate(
                    row["behind_full"], row["behind_full_low"], row["behind_full_high"]
                ),
            )
        )
    caption = (
        f"Models that learned from a part of the training {units}, taken by whole leak groups, and how far "
        f"they stay behind the same model with all {units}. 95 % intervals; behind ±: the standard "
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
        ("Split", lambda row: words(in_words(row["split"]))),
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
    caption = "Every run with its 95 % intervals."
    if "expected_calibration_error" in known:
        caption += " ECE: expected calibration error."
    every = table(caption, columns, pd.DataFrame(wide), "every-run")
    return [tag("details", tag("summary", f"{len(wide)} runs"), every)]


def method(
    comparison: pd.DataFrame, primary: pd.DataFrame, metrics: pd.DataFrame, kind: Kind
) -> list[Html]:
    """Intervals, tests and costs: what they mean and what they do not."""
    draws = metrics["draws"].max()  # fewer where a measure is not always defined
    threads = listed([f"{n:g}" for n in sorted(set(comparison["threads"].dropna()))])
    items = [
        (
            "Intervals",
            f"95 % percentile intervals of {draws:,} bootstrap draws of whole leak groups, moved so that "
            f"their mean is the measured value. They tell what other {kind.units} would have given. The "
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
    if "occupation_beta_pearson" not in set(metrics["metric"]):
        items.pop()
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
                "Texts of the test part per second from raw text to what is predicted, after a warm-up.",
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
    name = facts.named(model)
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


def in_words(split: str) -> str:
    """The name of a split or test set."""
    return split.replace("_", " ")


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
