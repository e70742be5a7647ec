"""Figures that one kind of task alone has: curves of pairs, classes of several labels, decodings of texts.

All read the tables of the stage evaluate, on the primary split and on parts of its test set. `models` maps
the name of each model to the name for people, best first.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from jobshift.report import style
from jobshift.report.comparison_figures import LOOKS
from jobshift.report.kinds import Kind
from jobshift.report.model_figures import (
    INTERVAL,
    PRIMARY,
    estimate,
    look,
    lower,
    lowest,
    seeds_meaning,
    several_seeds,
    title,
)
from jobshift.report.style import Drawing, source
from jobshift.report.tables import listed, number

# Name of a curve in curves.csv: the measure that is the area below it, and the labels of its axes.
CURVES = {
    "roc": (
        "roc_auc",
        "Share of the other pairs called {positive}",
        "Share of the {positive} pairs found",
    ),
    "precision_recall": (
        "average_precision",
        "Share of the {positive} pairs found (recall)",
        "Share of those called {positive} that are (precision)",
    ),
}
# What decodings.csv has and the figure shows.
DECODED = ("exact_match", "any_match", "rouge_l", "known_title")


def ranking_curves(
    curves: pd.DataFrame,
    metrics: pd.DataFrame,
    confusion: pd.DataFrame,
    models: dict[str, str],
    kind: Kind,
    positive: str,
    split: str = PRIMARY,
) -> Drawing:
    """How many of the class `positive` are found at which price: ROC, and precision and recall.

    On the primary split or a part of its test set.
    """
    curves, metrics, confusion = (
        table[table["split"] == split] for table in (curves, metrics, confusion)
    )
    cells = confusion[confusion["model"] == confusion["model"].iloc[0]]
    cells = cells[cells["seed"] == cells["seed"].iloc[0]]
    share = cells.loc[cells["label"] == positive, "n"].sum() / cells["n"].sum()
    shown = {model: name for model, name in models.items() if model in set(curves["model"])}
    figure = style.new_figure(style.FULL, 3.9 + 0.15 * len(shown))
    grid = figure.subplots(1, len(CURVES))
    for axes, (curve, (metric, x, y)) in zip(grid, CURVES.items(), strict=True):
        part = curves[curves["curve"] == curve]
        chance = ([0, 1], [0, 1]) if curve == "roc" else ([0, 1], [share, share])
        axes.plot(*chance, color=style.GREY, linewidth=0.8, linestyle=":", zorder=1)
        handles = []
        for row, (model, name) in enumerate(shown.items()):
            colour, dashes, _ = LOOKS[row % len(LOOKS)]
            for _, run in part[part["model"] == model].groupby("seed", sort=False):
                axes.plot(
                    run["x"], run["y"], color=colour, linestyle=dashes, linewidth=1.0,
                    zorder=3 + len(shown) - row, clip_on=False,
                )  # fmt: skip
            area = metrics.loc[(metrics["model"] == model) & (metrics["metric"] == metric), "value"]
            label = f"{number(area.mean())}  {style.wrapped(name, 42)}"
            handles.append(Line2D([], [], color=colour, linestyle=dashes, label=label))
        axes.legend(
            handles=handles, title=title(metric), loc="upper left", bbox_to_anchor=(0, -0.12),
            handlelength=2.2, alignment="left", borderaxespad=0,
        )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", anchor="N")
        axes.set_xlabel(x.format(positive=f"“{positive}”"))
        axes.set_ylabel(y.format(positive=f"“{positive}”"))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
    sizes = metrics.iloc[0]
    where = "the test pairs" if split == PRIMARY else f"the {look(split)[0]} test pairs"
    which = f", {kind.parts[split]}" if split in kind.parts else ""
    caption = (
        f"What is found at which price on {where} of the {PRIMARY} split{which} (n = {sizes.n_tasks:,}, "
        f"{style.percent(share)} of them “{positive}”), as the threshold from which a model says "
        f"“{positive}” goes down. Left: receiver operating characteristic (ROC); right: precision "
        "against recall. The numbers are the areas (average precision: that below the steps of its "
        "curve). Dotted: a model that knows nothing."
        f"{' A line a seed; numbers are means over the seeds.' if several_seeds(curves) else ''} "
        f"{source('evaluate', 'curves', 'metrics', 'confusion')}"
    )
    return Drawing(figure, caption)


def classes(table: pd.DataFrame, models: dict[str, str], names: dict[str, str]) -> Drawing:
    """F1 of each class of the best model, with intervals, beside the number of its test texts.

    `table` is classes.csv, `names` maps classes to what they are called.
    """
    primary = table[table["split"] == PRIMARY]
    model = next(model for model in models if model in set(primary["model"]))
    runs = primary[primary["model"] == model].rename(columns={"f1": "value"})
    means = runs.groupby("class", sort=False).agg(
        value=("value", "mean"), n_test=("n_test", "first")
    )
    means = means.sort_values("value", ascending=False, kind="stable", na_position="last")
    figure = style.new_figure(style.FULL, 0.55 + 0.155 * len(means))
    of_f1, of_texts = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    style.guides(of_f1)
    style.guides(of_texts)
    style.rows_axis(of_f1, [f"{names.get(name, '')}  {name}".strip() for name in means.index])
    for row, name in enumerate(means.index):
        value = estimate(of_f1, row, runs[runs["class"] == name], style.BLUE)
        if np.isnan(value):
            of_f1.text(0.02, row, "not defined", color=style.GREY, va="center")
    of_f1.set_xlim(lowest(runs, 0) - 0.02, 1)
    of_f1.xaxis.set_major_formatter("{x:g}")
    of_f1.set_xlabel("F1")
    texts_axis(of_texts, means["n_test"].to_numpy())
    undefined = means["value"].isna()
    neither = (
        f" Not defined: neither a label nor predicted ({undefined.sum()})."
        if undefined.any()
        else ""
    )
    ranks = means.loc[~undefined].rank()
    caption = (
        f"Which classes are recognised: F1 of each of the {len(means)} classes by {models[model]}, the best "
        f"model on the {PRIMARY} split, from the highest down, and the number of test texts that have "
        f"the class ({means['n_test'].min():,} to {means['n_test'].max():,}; logarithmic). Rank correlation "
        f"of the two (Spearman): {number(ranks['value'].corr(ranks['n_test']), 2)}. A class is predicted "
        f"from its own threshold on, which the table has. {INTERVAL}.{seeds_meaning(runs)}{neither} "
        f"{source('evaluate', 'classes')}"
    )
    return Drawing(figure, caption)


def texts_axis(axes: Axes, n: np.ndarray) -> None:
    """Numbers of texts as dots on a logarithmic axis, with the number beside them."""
    axes.set_xscale("log")
    axes.plot(n.clip(min=1), range(len(n)), "o", color=style.GREY, markersize=3.0, clip_on=False)
    for row, number_ in enumerate(n):
        axes.annotate(
            f"{number_:,}", (max(number_, 1), row), (4, 0), textcoords="offset points",
            va="center", annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(1, 4 * n.max())
    axes.xaxis.set_major_locator(
        FixedLocator([10**power for power in range(1 + int(np.log10(n.max())))])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Test texts with the class")


def decodings(table: pd.DataFrame, models: dict[str, str], kind: Kind) -> Drawing:
    """What each way to write an output gives, on seen and unseen targets, in several measures.

    `table` is decodings.csv: a model may have several decodings, or one without a name.
    """
    table = table.assign(decoding=table["decoding"].fillna(""))
    parts = [part for part in kind.parts if part in set(table["split"])]
    shown = table[table["split"].isin(parts)]
    measures = [metric for metric in DECODED if metric in set(shown["metric"])]
    rows: list[tuple[str, str | None, str]] = []  # model, decoding and label
    for model, name in models.items():
        found = list(dict.fromkeys(shown.loc[shown["model"] == model, "decoding"]))
        if len(found) > 1:  # a heading without marks, and its decodings
            rows += [(model, None, name), *((model, decoding, decoding) for decoding in found)]
        else:
            rows += [(model, decoding, name) for decoding in found]
    figure = style.new_figure(style.FULL, 0.6 + 0.21 * len(rows))
    grid = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, metric in zip(grid, measures, strict=True):
        part = shown[shown["metric"] == metric]
        style.guides(axes)
        style.rows_axis(axes, [label for _, _, label in rows])
        for row, (model, decoding, _) in enumerate(rows):
            for place, split in enumerate(parts):
                runs = part[
                    (part["model"] == model)
                    & (part["decoding"] == decoding)
                    & (part["split"] == split)
                ]
                if len(runs):
                    y = row + 0.3 * (place - (len(parts) - 1) / 2)
                    estimate(axes, y, runs, look(split)[1])
        axes.set_xlim(lowest(part, 0) - 0.03, 1.02)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(title(metric))
    for (_, decoding, label), text in zip(rows, grid[0].get_yticklabels(), strict=True):
        if label == decoding:
            text.set_color(style.GREY)
    handles = [Line2D([], [], color=look(part)[1], marker="o", label=part) for part in parts]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(parts), handlelength=1.6)
    meaning = "; ".join(f"{part}: {kind.parts[part]}" for part in parts)
    said = listed([lower(title(metric)) for metric in measures])
    caption = (
        f"How outputs are found and what they are worth: {said} of each model by decoding on the held-out "
        f"{kind.units} of the {PRIMARY} split; {meaning}. Grey names: decodings of the model above, of "
        "which the first is the one that all other tables and figures show. "
        f"{INTERVAL}.{seeds_meaning(shown)} {source('evaluate', 'decodings')}"
    )
    return Drawing(figure, caption)
