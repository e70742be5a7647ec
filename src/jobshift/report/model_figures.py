"""Figures of models: how well each agrees with the held-out labels, and how its training went.

All read the tables of the stage evaluate. `models` maps the name of each model to the name for
people, in the order to show. With several seeds, a large mark is the mean over them, small marks
and intervals are those of each seed (comparison.csv has the interval of the mean).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from jobshift.report import style
from jobshift.report.style import Drawing, source
from jobshift.report.tables import RELIABILITY, number

PRIMARY = "purged"
# From the easiest split to the hardest: name, colour, meaning.
SPLITS = {
    "random": (
        "random",
        style.ORANGE,
        "test tasks share activities and texts with training tasks",
    ),
    "major_group": ("SOC major group", style.BLUE, "whole groups of occupations are held out"),
    PRIMARY: (
        "purged",
        style.BLACK,
        "no training task shares an activity or a text with a test task",
    ),
}
COMPARED = {
    "cohen_kappa": "Cohen's κ",
    "f1_macro": "Macro-F1",
    "occupation_beta_pearson": "Pearson's r of occupation β",
}
# Of labels that are no degrees of exposure.
WITHOUT_EXPOSURE = {
    "cohen_kappa": "Cohen's κ",
    "f1_macro": "Macro-F1",
    "accuracy": "Accuracy",
}
BY_GROUPS = "no training text shares a leak group or its wording with a test text"
INTERVAL = "95 % intervals from a bootstrap of leak groups"
# Classes → confusion matrices a row, so that every cell has room for its number.
MATRICES = {2: 6, 3: 6, 4: 4, 5: 3}
# Up to so many classes: the number of tasks in every cell, and their share at all.
WITH_COUNTS, WITH_SHARES = 6, 12
CIRCLE = {"color": style.BLUE, "markerfacecolor": "none"}
WHITE_TO_BLUE = LinearSegmentedColormap.from_list("white_to_blue", ["#FFFFFF", style.BLUE])


def best_first(metrics: pd.DataFrame, names: dict[str, str]) -> dict[str, str]:
    """Models by κ on the primary split, best first, to their names for people (or their own)."""
    kappa = metrics[(metrics["split"] == PRIMARY) & (metrics["metric"] == "cohen_kappa")]
    means = kappa.groupby("model", sort=False)["value"].mean()
    order = means.sort_values(ascending=False, kind="stable").index
    return {model: names.get(model, model) for model in order}


def model_comparison(
    metrics: pd.DataFrame, models: dict[str, str], split: str = PRIMARY, named: str = ""
) -> Drawing:
    """κ, macro-F1 and r of occupation β, else accuracy, of each model, with intervals.

    On the primary split, or on the second test set `split`, which is `named` so.
    """
    primary = metrics[metrics["split"] == split]
    exposure = "occupation_beta_pearson" in set(metrics["metric"])
    compared = COMPARED if exposure else WITHOUT_EXPOSURE
    figure = style.new_figure(style.FULL, 0.45 + 0.27 * len(models))
    grid = figure.subplots(1, len(compared), sharey=True)
    for axes, metric in zip(grid, compared, strict=True):
        part = primary[primary["metric"] == metric]
        style.guides(axes)
        style.rows_axis(axes, [style.wrapped(name, 30) for name in models.values()])
        for row, model in enumerate(models):
            runs = part[part["model"] == model]
            value = estimate(axes, row, runs, style.BLUE)
            if np.isnan(value):
                axes.text(0.02, row, "not defined", color=style.GREY, va="center")
            else:
                axes.text(value, row - 0.17, number(value, 2), ha="center", va="bottom")
        axes.set_xlim(lowest(part) - 0.03, 1)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_ylim(len(models) - 0.5, -0.8)
        axes.set_xlabel(compared[metric])
    sizes = primary.iloc[0]
    shown = primary[primary["metric"].isin(compared)]
    undefined = " Not defined: a model that always says the same has no correlation."
    what = (
        f"Cohen's κ and macro-F1 (n = {sizes.n_tasks:,} tasks in {sizes.n_groups:,} leak groups) and "
        f"Pearson's r of the β of occupations (n = {sizes.n_occupations:,} with enough held-out tasks)"
        if exposure
        else f"Cohen's κ, macro-F1 and accuracy (n = {sizes.n_tasks:,} texts in {sizes.n_groups:,} leak groups)"
    )
    where = (
        f"the second test set, {named}, of which nothing was learnt"
        if named
        else f"the {split} split"
    )
    caption = (
        f"Agreement of each model with the held-out labels on {where}: {what}. {INTERVAL} "
        f"({int(primary['draws'].max()):,} draws).{seeds_meaning(primary)}"
        f"{undefined if shown['value'].isna().any() else ''} {source('evaluate', 'metrics')}"
    )
    return Drawing(figure, caption)


def split_effect(metrics: pd.DataFrame, models: dict[str, str], by_groups: bool = False) -> Drawing:
    """κ of each model under each split it was trained on, with intervals.

    `by_groups` says that the data set is split by leak groups of its own, not by activities.
    """
    kappa = metrics[metrics["metric"] == "cohen_kappa"]
    splits = in_order(kappa["split"])
    runs = {
        (model, split): part
        for (model, split), part in kappa.groupby(["model", "split"], sort=False)
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
    axes.set_xlim(lowest(kappa) - 0.03, 1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(COMPARED["cohen_kappa"])
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
    n = kappa.drop_duplicates("split").set_index("split")
    means = {PRIMARY: BY_GROUPS, "random": "single texts are held out"} if by_groups else {}
    meaning = "; ".join(
        f"{look(split)[0]}: {means.get(split, look(split)[2])} (held out: {n.n_tasks[split]:,} tasks in "
        f"{n.n_groups[split]:,} leak groups)"
        for split in splits
    )
    caption = (
        "What the split does to a result: Cohen's κ of each model with the held-out labels under each "
        f"split that it was trained on (no dot: not trained on it). {meaning[0].upper()}{meaning[1:]}. "
        f"{INTERVAL}.{seeds_meaning(kappa)} {source('evaluate', 'metrics')}"
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


def lowest(table: pd.DataFrame) -> float:
    """The least value or end of an interval that is defined, at most 0."""
    return min([0, *table["low"].dropna(), *table["value"].dropna()])


def reliability_diagram(
    calibration: pd.DataFrame, metrics: pd.DataFrame, models: dict[str, str]
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
        f"Reliability of the probabilities on the {PRIMARY} split: accuracy of the test tasks in bins "
        "of the confidence of the predicted class, the area of a dot in proportion to its tasks (at "
        f"most {most:,}); on the diagonal, where a line leads from each dot, a model is as often right "
        f"as it says. ECE: expected calibration error, {number(errors.min())} to "
        f"{number(errors.max())}.{' All seeds; ECE is their mean.' if several_seeds(primary) else ''} "
        f"{source('evaluate', 'calibration', 'metrics')}"
    )
    return Drawing(figure, caption)


def confusion_matrices(
    confusion: pd.DataFrame,
    models: dict[str, str],
    classes: list[str],
    names: Mapping[str, str] | None = None,
) -> Drawing:
    """Label against prediction on the primary split, a panel a model, shares of each label.

    `names` maps classes to what stands beside them. Many classes leave no room for the numbers of tasks,
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
        f"Confusion matrices of the test tasks of the {PRIMARY} split (n = {sizes.sum():,}: {held_out}): "
        f"share of the tasks of each label (a row sums to 100 %){numbers}."
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


def learning_curves(history: pd.DataFrame, models: dict[str, str]) -> Drawing:
    """Loss (training and validation) and validation κ over steps on the primary split."""
    primary = history[history["split"] == PRIMARY]
    shown = {model: name for model, name in models.items() if model in set(primary["model"])}
    columns = min(len(shown), 4)
    blocks = -(-len(shown) // columns)
    figure = style.new_figure(style.COLUMN if columns <= 2 else style.FULL, 2.9 * blocks)
    grid = figure.subplots(2 * blocks, columns, squeeze=False, sharey=False)
    best_of = {}
    for position in range(blocks * columns):
        block, column = divmod(position, columns)
        loss, kappa = grid[2 * block : 2 * block + 2, column]
        if position >= len(shown):
            loss.remove()
            kappa.remove()
            continue
        model = list(shown)[position]
        runs = primary[primary["model"] == model]
        best_of[model] = draw_curves(loss, kappa, runs, labelled=position == 0)
        loss.set_title(style.wrapped(shown[model], 28))
        loss.tick_params(labelbottom=False)
        kappa.set_xlabel("Step")
        if column == 0:
            loss.set_ylabel("Cross-entropy")
            kappa.set_ylabel("Validation κ")
    top_loss = primary[["train_loss", "val_loss"]].max(axis=None)
    kappas = primary["val_cohen_kappa"].dropna()
    low, top = min([0, *kappas]), max([0.1, *kappas])
    for row, column in np.ndindex(grid.shape):
        grid[row, column].set_ylim(*((low, 1.08 * top) if row % 2 else (0, 1.08 * top_loss)))
        if column:
            grid[row, column].tick_params(labelleft=False)
    said = "; ".join(
        f"{shown[model]}: κ {number(best['val_cohen_kappa'].mean())} after {epochs(best)}, step "
        f"{best['step'].mean() + 1:,.0f}"
        for model, best in best_of.items()
        if len(best)
    )
    several = len(primary[["model", "seed", "fold"]].drop_duplicates()) > len(shown)
    caption = (
        f"Training of the networks on the {PRIMARY} split: cross-entropy of the training batches (mean "
        f"since the point before) and of the validation tasks after each epoch, and validation κ; "
        f"dotted: the epoch with the highest validation κ ({said or 'not defined'})."
        f"{' A line a seed and fold, all of which the numbers are means of.' if several else ''} "
        f"{source('evaluate', 'history')}"
    )
    return Drawing(figure, caption)


def epochs(best: pd.DataFrame) -> str:
    """The epochs, counted from 1, of some rows of the history in words."""
    first, last = int(best["epoch"].min()) + 1, int(best["epoch"].max()) + 1
    return f"epoch {first}" if first == last else f"epochs {first}–{last}"


def draw_curves(loss: Axes, kappa: Axes, runs: pd.DataFrame, labelled: bool) -> pd.DataFrame:
    """The curves of all seeds and folds of one network; the row of each with the highest κ."""
    each = [run for _, run in runs.groupby(["seed", "fold"], sort=False)]
    thick, dot = (1.1, 3.0) if len(each) == 1 else (0.6, 1.8)
    looks = {"color": style.BLUE, "linewidth": thick, "marker": "o", "markersize": dot}
    for run in each:
        train, after = run.dropna(subset=["train_loss"]), run.dropna(subset=["val_loss"])
        loss.plot(train["step"], train["train_loss"], color=style.ORANGE, linewidth=0.8 * thick)
        loss.plot(after["step"], after["val_loss"], **looks)
        kappa.plot(after["step"], after["val_cohen_kappa"], **looks)
    defined = [run for run in each if run["val_cohen_kappa"].notna().any()]
    best = runs.loc[[run["val_cohen_kappa"].idxmax() for run in defined]]
    for axes in (loss, kappa):
        for step in best["step"].unique():
            axes.axvline(step, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.set_xlim(0, runs["step"].max() * 1.04)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    if len(best):
        last = best["step"].max()
        late = last > runs["step"].max() / 2
        kappa.annotate(
            f"best: {epochs(best)}\nκ = {number(best['val_cohen_kappa'].mean(), 2)}",
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


def look(split: str) -> tuple[str, str, str]:
    """Name for people, colour and meaning of a split."""
    return SPLITS.get(split, (split.replace("_", " "), style.PURPLE, "as conf/ defines it"))


def several_seeds(table: pd.DataFrame) -> bool:
    """Whether there is more than one seed."""
    return table["seed"].nunique() > 1


def seeds_meaning(table: pd.DataFrame) -> str:
    """What the marks are where there are several seeds, for a caption."""
    if not several_seeds(table):
        return ""
    return f" Dots: mean of {table['seed'].nunique()} seeds; ticks and lines: each seed."
