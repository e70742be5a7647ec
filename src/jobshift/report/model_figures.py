"""Figures of models: how well each agrees with the held-out labels, and how its training went.

All read the tables of the stage evaluate. `models` maps the name of each model to the name for
people, in the order to show; `kind` has the measures of the data set's kind of task. With several
seeds, a large mark is the mean over them, small marks and intervals are those of each seed
(comparison.csv has the interval of the mean).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from jobshift.report import style
from jobshift.report.kinds import Kind
from jobshift.report.style import Drawing, source
from jobshift.report.tables import MAIN, RELIABILITY, listed, number

PRIMARY = "purged"
# From the easiest split to the hardest, then parts of a test set: name and colour.
SPLITS = {
    "random": ("random", style.ORANGE),
    "major_group": ("SOC major group", style.BLUE),
    PRIMARY: ("purged", style.BLACK),
    "seen": ("seen", style.BLUE),
    "unseen": ("unseen", style.VERMILLION),
    "hard": ("hard", style.VERMILLION),
}
# What an axis or a heading says where it needs another word than `MAIN`.
TITLES = {"occupation_beta_pearson": "Pearson's r of occupation β"}
INTERVAL = "95 % intervals from a bootstrap of leak groups"
# Classes → confusion matrices a row, so that every cell has room for its number.
MATRICES = {2: 6, 3: 6, 4: 4, 5: 3}
# Up to so many classes: the number of texts in every cell, and their share at all.
WITH_COUNTS, WITH_SHARES = 6, 12
CIRCLE = {"color": style.BLUE, "markerfacecolor": "none"}
WHITE_TO_BLUE = LinearSegmentedColormap.from_list("white_to_blue", ["#FFFFFF", style.BLUE])


def best_first(metrics: pd.DataFrame, names: dict[str, str], kind: Kind) -> dict[str, str]:
    """Models by the first measure on the primary split, best first, to their names for people."""
    first = metrics[(metrics["split"] == PRIMARY) & (metrics["metric"] == kind.first)]
    means = first.groupby("model", sort=False)["value"].mean()
    order = means.sort_values(ascending=False, kind="stable").index
    return {model: names.get(model, model) for model in order}


def model_comparison(
    metrics: pd.DataFrame,
    models: dict[str, str],
    kind: Kind,
    splits: Sequence[str] = (PRIMARY,),
    named: str = "",
) -> Drawing:
    """The main measures of each model, with intervals, a line for each of `splits`.

    On the primary split and the parts of its test set, or on a second test set, which is `named` so.
    """
    shown = metrics[metrics["split"].isin(splits)]
    compared = [metric for metric in kind.compared if metric in set(shown["metric"])]
    lines = len(splits)
    band = lines + (0.4 if lines > 1 else 0)
    figure = style.new_figure(
        style.FULL, 0.45 + (0.27 if lines == 1 else 0.23) * band * len(models)
    )
    grid = figure.subplots(1, len(compared), sharey=True, squeeze=False)[0]
    middles = [band * row + (lines - 1) / 2 for row in range(len(models))]
    for axes, metric in zip(grid, compared, strict=True):
        part = shown[shown["metric"] == metric]
        style.guides(axes)
        style.rows_axis(axes, [])
        axes.set_yticks(middles, [style.wrapped(name, 30) for name in models.values()])
        left = lowest(part, kind.chance) - 0.03 * (2 if kind.chance else 1)
        for row, model in enumerate(models):
            if lines > 1 and row % 2:
                edges = middles[row] - band / 2, middles[row] + band / 2
                axes.axhspan(*edges, color="#F6F6F6", linewidth=0, zorder=0)
            for place, split in enumerate(splits):
                y = band * row + place
                runs = part[(part["model"] == model) & (part["split"] == split)]
                colour = style.BLUE if lines == 1 else look(split)[1]
                value = estimate(axes, y, runs, colour)
                if np.isnan(value):
                    axes.text(left + 0.05, y, "not defined", color=style.GREY, va="center")
                else:
                    axes.text(value, y - 0.17, number(value, 2), ha="center", va="bottom")
        if kind.chance:
            axes.axvline(kind.chance, color=style.GREY, linewidth=0.8, linestyle=":", zorder=1)
        axes.set_xlim(left, 1)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_ylim(band * len(models) - 0.5, -0.8)
        axes.set_xlabel(title(metric))
    if lines > 1:
        handles = [
            Line2D([], [], color=look(split)[1], marker="o", label=part_name(split, kind))
            for split in splits
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=lines, handlelength=1.6)
    return Drawing(figure, comparison_caption(shown, kind, splits, compared, named))


def comparison_caption(
    shown: pd.DataFrame, kind: Kind, splits: Sequence[str], compared: Sequence[str], named: str
) -> str:
    """Which measures of what is shown, on how many texts, and with which intervals."""
    sizes = shown.drop_duplicates("split").set_index("split").loc[splits[0]]
    n = f"n = {sizes.n_tasks:,} {kind.units} in {sizes.n_groups:,} leak groups"
    names = {metric: lower(title(metric)) for metric in compared} | {kind.first: kind.name}
    if names.pop("occupation_beta_pearson", None):
        n += (
            f") and Pearson's r of the β of occupations (n = {sizes.n_occupations:,} with enough held-out "
            "tasks"
        )
    what = f"{listed(names.values())} ({n})"
    where = f"the {splits[0]} split"
    if named:
        where = f"the second test set, {named}, of which nothing was learnt"
    chance = ""
    if kind.chance:
        chance = f" Dotted: {kind.chance:g}, where a model that knows nothing is; the axes do not start at 0."
    undefined = ""
    if shown.loc[shown["metric"].isin(compared), "value"].isna().any():
        undefined = " Not defined: a model that always says the same has no correlation."
    return (
        f"Agreement of each model with the held-out {kind.truth} on {where}: {what}."
        f"{of_parts(shown, splits[1:], kind)} {INTERVAL} ({int(shown['draws'].max()):,} draws)."
        f"{seeds_meaning(shown)}{chance}{undefined} {source('evaluate', 'metrics')}"
    )


def of_parts(shown: pd.DataFrame, parts: Sequence[str], kind: Kind) -> str:
    """What the parts of the test set are and how large, as a sentence; empty where there are none."""
    if not parts:
        return ""
    n = shown.drop_duplicates("split").set_index("split")["n_tasks"]
    said = "; ".join(f"{part}: {kind.parts[part]} (n = {n[part]:,})" for part in parts)
    return f" Beside all of them: {said}."


def split_effect(metrics: pd.DataFrame, models: dict[str, str], kind: Kind) -> Drawing:
    """The first measure of each model under each split it was trained on, with intervals."""
    first = metrics[metrics["metric"] == kind.first]
    splits = in_order(first["split"])
    runs = {
        (model, split): part
        for (model, split), part in first.groupby(["model", "split"], sort=False)
    }
    trained = {model: [split for split in splits if (model, split) in runs] for model in models}
    labels = {model: style.wrapped(name, 24) for model, name in models.items()}
    # Bands in lines of text: one a split and some air, or what the label needs.
    bands = [max(len(trained[model]), 1 + labels[model].count("\n")) + 0.7 for model in models]
    figure = style.new_figure(style.COLUMN, 0.55 + 0.125 * sum(bands))
    axes = figure.add_subplot()
    style.guides(axes)
    top, middles = 0.0, []
    for row, model in enumerate(models):
        bottom = top + bands[row]
        middles.append((top + bottom) / 2)
        if row % 2:
            axes.axhspan(top, bottom, color="#F6F6F6", linewidth=0, zorder=0)
        ends = []
        for position, split in enumerate(trained[model]):
            y = middles[-1] + position - (len(trained[model]) - 1) / 2
            ends.append((estimate(axes, y, runs[model, split], look(split)[1]), y))
        axes.plot(*np.transpose(ends), color=style.LIGHT, linewidth=0.8, zorder=1)
        top = bottom
    style.rows_axis(axes, [])
    axes.set_yticks(middles, list(labels.values()))
    axes.set_ylim(top, 0)
    axes.set_xlim(lowest(first, kind.chance) - 0.03, 1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(title(kind.first))
    handles = [
        Line2D([], [], color=look(split)[1], marker="o", label=look(split)[0]) for split in splits
    ]
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(splits),
        handlelength=1.6,
    )
    n = first.drop_duplicates("split").set_index("split")
    meaning = "; ".join(
        f"{look(split)[0]}: {kind.splits.get(split, 'as conf/ defines it')} (held out: "
        f"{n.n_tasks[split]:,} {kind.units} in {n.n_groups[split]:,} leak groups)"
        for split in splits
    )
    caption = (
        f"What the split does to a result: {kind.name} of each model on the held-out {kind.units} under "
        f"each split that it was trained on (no dot: not trained on it). {sentence(meaning)}. "
        f"{INTERVAL}.{seeds_meaning(first)} {source('evaluate', 'metrics')}"
    )
    return Drawing(figure, caption)


def estimate(axes: Axes, y: float, runs: pd.DataFrame, colour: str) -> float:
    """Draw one measure of the seeds of a model at height `y`; its mean, NaN where not defined."""
    several = len(runs) > 1
    axes.hlines(
        [y] * len(runs), runs["low"], runs["high"], color=colour, zorder=2,
        linewidth=0.9 if several else 1.3, alpha=0.5 if several else 1.0,
    )  # fmt: skip
    if several:
        axes.plot(runs["value"], [y] * len(runs), "|", color=colour, markersize=4.5, zorder=3)
    value = runs["value"].mean(skipna=False)
    axes.plot(
        [value], [y], "o", color=colour, markersize=4.0, markeredgewidth=0, zorder=4, clip_on=False
    )
    return value


def lowest(table: pd.DataFrame, chance: float) -> float:
    """The least value or end of an interval that is defined, at most that of chance."""
    return min([chance, *table["low"].dropna(), *table["value"].dropna()])


def reliability_diagram(
    calibration: pd.DataFrame, metrics: pd.DataFrame, models: dict[str, str], kind: Kind
) -> Drawing:
    """Accuracy against confidence on the primary split, a panel a model."""
    primary = calibration[calibration["split"] == PRIMARY]
    ece = metrics[
        (metrics["split"] == PRIMARY) & (metrics["metric"] == "expected_calibration_error")
    ]
    figure, grid = style.panels(len(models), 6)
    most = primary["n"].max()
    for axes, (model, name) in zip(grid, models.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=style.LIGHT, linewidth=0.8, zorder=1)
        run = primary[primary["model"] == model]
        where, right = run["confidence"], run["accuracy"]
        axes.vlines(where, where, right, color=style.SKY, linewidth=0.8, zorder=2)
        axes.scatter(
            where, right, s=(80 * run["n"] / most).clip(lower=1.5), color=style.BLUE,
            linewidth=0, zorder=3, clip_on=False,
        )  # fmt: skip
        error = ece.loc[ece["model"] == model, "value"].mean()
        tasks = ece.loc[ece["model"] == model, "n_tasks"].iloc[0]
        axes.text(0.04, 1.0, f"ECE {number(error)}\nn = {tasks:,}", va="top")
        axes.set_title(style.wrapped(name, 20))
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    figure.supxlabel("Confidence (probability of the predicted class)", fontsize=style.FONT)
    figure.supylabel("Accuracy", fontsize=style.FONT)
    errors = ece.groupby("model")["value"].mean()
    caption = (
        f"Reliability of the probabilities on the {PRIMARY} split: accuracy of the test {kind.units} in "
        "bins of the confidence of the predicted class, the area of a dot in proportion to its "
        f"{kind.units} (at most {most:,}); on the diagonal, where a line leads from each dot, a model is "
        f"as often right as it says. ECE: expected calibration error, {number(errors.min())} to "
        f"{number(errors.max())}.{' All seeds; ECE is their mean.' if several_seeds(primary) else ''} "
        f"{source('evaluate', 'calibration', 'metrics')}"
    )
    return Drawing(figure, caption)


def confusion_matrices(
    confusion: pd.DataFrame,
    models: dict[str, str],
    classes: list[str],
    kind: Kind,
    names: Mapping[str, str] | None = None,
) -> Drawing:
    """Label against prediction on the primary split, a panel a model, shares of each label.

    `names` maps classes to what stands beside them. Many classes leave no room for the numbers of texts,
    and very many none for shares.
    """
    called = [
        style.wrapped(f"{each} {(names or {}).get(each, '')}".strip(), 20) for each in classes
    ]
    primary = confusion[confusion["split"] == PRIMARY]
    if len(classes) in MATRICES:
        figure, grid = style.panels(
            len(models), MATRICES[len(classes)], max(2.0, 0.4 * len(classes))
        )
    else:
        figure, grid = two_a_row(len(models))
    for axes, (model, name) in zip(grid, models.items(), strict=True):
        runs = primary[primary["model"] == model]
        # Mean over the seeds, which all have the same test tasks.
        counts = runs.pivot_table(index="label", columns="predicted", values="n", aggfunc="mean")
        counts = counts.reindex(index=classes, columns=classes).to_numpy()
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
        axes.imshow(shares, cmap=WHITE_TO_BLUE, vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape if len(classes) <= WITH_SHARES else (0, 0)):
            share = f"{100 * shares[row, column]:.0f}"
            axes.text(
                column, row,
                f"{share} %\n{counts[row, column]:,.0f}" if len(classes) <= WITH_COUNTS else share,
                ha="center", va="center", linespacing=1.15,
                color="white" if shares[row, column] > 0.55 else "black",
            )  # fmt: skip
        axes.set_title(style.wrapped(name, 20))
        axes.set_xticks(range(len(classes)), classes)
        axes.set_yticks(range(len(classes)), called)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.supxlabel("Predicted", fontsize=style.FONT)
    figure.supylabel("Label", fontsize=style.FONT)
    one = primary[(primary["model"] == primary["model"].iloc[0])]
    one = one[one["seed"] == one["seed"].iloc[0]]
    sizes = one.groupby("label")["n"].sum().reindex(classes)
    held_out = ", ".join(f"{label} {n:,}" for label, n in sizes.items())
    numbers = " and, below, their number" if len(classes) <= WITH_COUNTS else ", in percent"
    if len(classes) > WITH_SHARES:
        numbers = ", white none, blue all"
    caption = (
        f"Confusion matrices of the test {kind.units} of the {PRIMARY} split (n = {sizes.sum():,}: "
        f"{held_out}): share of the {kind.units} of each label (a row sums to 100 %){numbers}."
        f"{' Mean over the seeds.' if several_seeds(primary) else ''} {source('evaluate', 'confusion')}"
    )
    return Drawing(figure, caption)


def two_a_row(n: int) -> tuple[Figure, list[Axes]]:
    """A figure and the axes of `n` square panels, two in a row of a page, with room for long labels."""
    rows, columns = -(-n // 2), min(n, 2)
    figure = style.new_figure(1.8 + 2.7 * columns, 0.3 + 3.0 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[n:]:
        axes.remove()
    return figure, list(grid.flat[:n])


def learning_curves(history: pd.DataFrame, models: dict[str, str], kind: Kind) -> Drawing:
    """Loss (training and validation) and the validation measure over steps on the primary split."""
    primary = history[history["split"] == PRIMARY]
    shown = {model: name for model, name in models.items() if model in set(primary["model"])}
    columns = min(len(shown), 4)
    blocks = -(-len(shown) // columns)
    figure = style.new_figure(style.COLUMN if columns <= 2 else style.FULL, 2.9 * blocks)
    grid = figure.subplots(2 * blocks, columns, squeeze=False, sharey=False)
    best_of = {}
    for position in range(blocks * columns):
        block, column = divmod(position, columns)
        loss, measure = grid[2 * block : 2 * block + 2, column]
        if position >= len(shown):
            loss.remove()
            measure.remove()
            continue
        model = list(shown)[position]
        runs = primary[primary["model"] == model]
        best_of[model] = draw_curves(loss, measure, runs, kind, labelled=position == 0)
        loss.set_title(style.wrapped(shown[model], 28))
        loss.tick_params(labelbottom=False)
        measure.set_xlabel("Step")
        if column == 0:
            loss.set_ylabel(kind.loss)
            measure.set_ylabel(f"Validation {kind.validated}")
    top_loss = primary[["train_loss", "val_loss"]].max(axis=None)
    values = primary[kind.validation].dropna()
    low, top = min([0, *values]), max([0.1, *values])
    for row, column in np.ndindex(grid.shape):
        grid[row, column].set_ylim(*((low, 1.08 * top) if row % 2 else (0, 1.08 * top_loss)))
        if column:
            grid[row, column].tick_params(labelleft=False)
    said = "; ".join(
        f"{shown[model]}: {kind.validated} {number(best[kind.validation].mean())} after {epochs(best)}, "
        f"step {best['step'].mean() + 1:,.0f}"
        for model, best in best_of.items()
        if len(best)
    )
    several = len(primary[["model", "seed", "fold"]].drop_duplicates()) > len(shown)
    caption = (
        f"Training of the networks on the {PRIMARY} split: {lower(kind.loss)} of the training batches (mean "
        f"since the point before) and of the validation {kind.units} after each epoch, and validation "
        f"{kind.validated}; dotted: the epoch with the highest validation {kind.validated} "
        f"({said or 'not defined'})."
        f"{' A line a seed and fold, all of which the numbers are means of.' if several else ''} "
        f"{source('evaluate', 'history')}"
    )
    return Drawing(figure, caption)


def epochs(best: pd.DataFrame) -> str:
    """The epochs, counted from 1, of some rows of the history in words."""
    first, last = int(best["epoch"].min()) + 1, int(best["epoch"].max()) + 1
    return f"epoch {first}" if first == last else f"epochs {first}–{last}"


def draw_curves(
    loss: Axes, measure: Axes, runs: pd.DataFrame, kind: Kind, labelled: bool
) -> pd.DataFrame:
    """The curves of all seeds and folds of one network; the row of each with the highest measure."""
    each = [run for _, run in runs.groupby(["seed", "fold"], sort=False)]
    thick, dot = (1.1, 3.0) if len(each) == 1 else (0.6, 1.8)
    looks = {"color": style.BLUE, "linewidth": thick, "marker": "o", "markersize": dot}
    for run in each:
        train, after = run.dropna(subset=["train_loss"]), run.dropna(subset=["val_loss"])
        loss.plot(train["step"], train["train_loss"], color=style.ORANGE, linewidth=0.8 * thick)
        loss.plot(after["step"], after["val_loss"], **looks)
        measure.plot(after["step"], after[kind.validation], **looks)
    defined = [run for run in each if run[kind.validation].notna().any()]
    best = runs.loc[[run[kind.validation].idxmax() for run in defined]]
    for axes in (loss, measure):
        for step in best["step"].unique():
            axes.axvline(step, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.set_xlim(0, runs["step"].max() * 1.04)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    if len(best):
        last = best["step"].max()
        late = last > runs["step"].max() / 2
        measure.annotate(
            f"best: {epochs(best)}\n{kind.validated} = {number(best[kind.validation].mean(), 2)}",
            (last, 0), xytext=(-3 if late else 3, 4), textcoords="offset points",
            ha="right" if late else "left", va="bottom", color=style.GREY,
        )  # fmt: skip
    train, after = runs["train_loss"].dropna(), runs["val_loss"].dropna()
    if labelled and len(train) and len(after):
        up = 5 if after.iloc[-1] > train.iloc[-1] else -5
        for text, y, colour, way in (
            ("validation", after.iloc[-1], style.BLUE, up),
            ("training", train.iloc[-1], "#B07800", -up),
        ):
            loss.annotate(
                text, (runs["step"].max(), y), xytext=(-8, way), textcoords="offset points",
                ha="right", va="bottom" if way > 0 else "top", color=colour,
            )  # fmt: skip
    return best


def rater_agreement(reliability: pd.DataFrame) -> Drawing:
    """Agreement of each pair of raters and of all, a panel for each thing rated."""
    blocks = list(dict.fromkeys(zip(reliability["variable"], reliability["level"], strict=True)))
    measures = [measure for measure in RELIABILITY if measure in set(reliability["measure"])]
    figure = style.new_figure(style.FULL, 0.6 + 0.17 * len(measures))
    grid = figure.subplots(1, len(blocks), sharey=True, sharex=True, squeeze=False)[0]
    for axes, (variable, level) in zip(grid, blocks, strict=True):
        part = reliability[(reliability["variable"] == variable) & (reliability["level"] == level)]
        style.guides(axes)
        style.rows_axis(axes, [RELIABILITY[measure] for measure in measures])
        for row, measure in enumerate(measures):
            values = part.loc[part["measure"] == measure, "value"]
            together = measure.startswith("krippendorff")
            mark = {"marker": "D", "color": style.BLACK} if together else {"marker": "o", **CIRCLE}
            axes.plot(values, [row] * len(values), linestyle="none", **mark)
        axes.set_title(f"{variable.capitalize()}, n = {part['n'].max():,} {plural(level)}")
    grid[0].set_xlim(np.floor(20 * reliability["value"].min() - 0.2) / 20, 1)
    grid[0].xaxis.set_major_locator(MaxNLocator(3))
    grid[0].xaxis.set_major_formatter("{x:g}")
    figure.supxlabel("Agreement between raters", fontsize=style.FONT)
    pairs = sorted(set(reliability.loc[reliability["measure"] == "cohen_kappa", "raters"]))
    kappa = reliability[reliability["measure"] == "cohen_kappa"]["value"]
    caption = (
        f"Agreement between the raters: a circle for each pair ({', '.join(pairs)}), a diamond for all "
        f"together. Cohen's κ of the pairs lies between {number(kappa.min())} and {number(kappa.max())}. "
        f"Weighted κ: squared difference of the ordinal scores. The axis does not start at 0. "
        f"{source('evaluate', 'reliability')}"
    )
    return Drawing(figure, caption)


def plural(noun: str) -> str:
    """task → tasks, activity → activities."""
    return noun.removesuffix("y") + "ies" if noun.endswith("y") else noun + "s"


def in_order(splits: pd.Series) -> list[str]:
    """The splits there are, easiest first; those that are not known come before them."""
    found = list(dict.fromkeys(splits))
    return [split for split in found if split not in SPLITS] + [s for s in SPLITS if s in found]


def look(split: str) -> tuple[str, str]:
    """Name for people and colour of a split."""
    return SPLITS.get(split, (split.replace("_", " "), style.PURPLE))


def part_name(split: str, kind: Kind) -> str:
    """A part of the test set for a legend; the primary split is all of it."""
    return f"all {kind.units}" if split == PRIMARY else look(split)[0]


def title(metric: str) -> str:
    """How an axis calls a measure."""
    return TITLES.get(metric) or MAIN.get(metric, metric.replace("_", " ").capitalize())


def lower(text: str) -> str:
    """With a small letter at its beginning, as within a sentence, but for ROUGE, ECE and the like."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def sentence(text: str) -> str:
    """With a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def several_seeds(table: pd.DataFrame) -> bool:
    """Whether there is more than one seed."""
    return table["seed"].nunique() > 1


def seeds_meaning(table: pd.DataFrame) -> str:
    """What the marks are where there are several seeds, for a caption."""
    if not several_seeds(table):
        return ""
    return f" Dots: mean of {table['seed'].nunique()} seeds; ticks and lines: each seed."
