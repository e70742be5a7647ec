"""Figures of what agreement costs: in seconds of training and of rating, and in labelled tasks.

They draw the tables of the stage compare. `names` maps models to their names for people; a model
without one goes by its own. Agreement is the first measure of the data set's `kind` of task.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from jobshift.report import style
from jobshift.report.kinds import Kind
from jobshift.report.model_figures import PRIMARY, sentence, title
from jobshift.report.style import Drawing, source
from jobshift.report.tables import listed, number

# The costs that are drawn: label of the axis and whether more is better.
COSTS = {
    "training_seconds": ("Training time (s)", False),
    "rating_texts_per_second": ("Texts rated per second", True),
}
KEY_LINE = 0.15  # inches a line
FLOOR = 1e-3  # seconds, or texts per second; a logarithmic axis has no 0
# A model is near its measure with all labels when it is at most this far below.
NEAR = 0.02
# Looks of the lines, so that none depends on its colour alone: colour, line, marker.
LOOKS = [
    (style.BLUE, "-", "o"),
    (style.VERMILLION, "--", "s"),
    (style.BLACK, "-.", "D"),
    (style.PURPLE, "-", "^"),
    (style.ORANGE, "--", "v"),
    (style.SKY, "-.", "P"),
    (style.GREY, ":", "X"),
]
INTERVAL = "95 % interval, a bootstrap of leak groups"


def with_costs(comparison: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """The models whose costs and measure are known, and that do not say the same of all (no interval)."""
    known = comparison.dropna(subset=[kind.first, *COSTS])
    return known[known[f"{kind.first}_low"] < known[f"{kind.first}_high"]]


def accuracy_cost(
    comparison: pd.DataFrame, names: dict[str, str], kind: Kind, coded: Sequence[str] = ()
) -> Drawing:
    """The measure of each model against its training time and against how fast it rates, both logarithmic.

    `comparison` has one row a model; those without costs are not drawn, and the caption tells how
    many they are. Models that need to be told a task's activities are `coded`: they are grey, and no
    part of the Pareto front, as nobody has coded the activities of a new text.
    """
    first, low, high = kind.first, f"{kind.first}_low", f"{kind.first}_high"
    shown = with_costs(comparison, kind).sort_values(first, ascending=False, kind="stable")
    free = ~shown["model"].isin(list(coded)).to_numpy()
    colours = np.where(free, style.BLUE, style.GREY)
    figure = style.new_figure(style.FULL, max(3.3, KEY_LINE * len(shown) + 0.6))
    grid = figure.subplots(1, len(COSTS), sharey=True)
    fronts = {}
    for axes, (cost, (label, more)) in zip(grid, COSTS.items(), strict=True):
        x, y = shown[cost].clip(lower=FLOOR).to_numpy(float), shown[first].to_numpy(float)
        on_front = free.copy()
        on_front[free] = pareto((x if more else 1 / x)[free], y[free])
        fronts[cost] = shown["model"][on_front]
        style.guides(axes, "both")
        axes.vlines(
            x, shown[low], shown[high], color=colours, linewidth=0.7, alpha=0.4, zorder=2,
        )  # fmt: skip
        line = np.flatnonzero(on_front)[np.argsort(x[on_front], kind="stable")]
        axes.plot(x[line], y[line], color=style.GREY, linewidth=0.7, zorder=2.2)
        axes.scatter(
            x, y, s=14, linewidth=0.9, zorder=3, edgecolor=colours,
            facecolor=[style.BLUE if each else "white" for each in on_front],
        )  # fmt: skip
        axes.set_xscale("log")
        span = np.log10([x.min(), x.max()])
        room = max(0.3, 0.06 * np.ptp(span))  # for the numbers
        axes.set_xlim(10 ** (span[0] - room), 10 ** (span[1] + room))
        powers(axes)
        axes.set_xlabel(label)
    bottom, top = shown[[low, first]].min(axis=None), shown[[high, first]].max(axis=None)
    margin = 0.07 * (top - bottom)
    grid[0].set_ylim(bottom - margin, top + margin)
    grid[0].yaxis.set_major_formatter("{x:g}")
    grid[0].set_ylabel(title(first))
    key(grid[-1], [names.get(model, model) for model in shown["model"]])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # Labels are placed for good, so the axes must not move.
    numbers = {row: str(row + 1) for row in range(len(shown))}
    for axes, cost in zip(grid, COSTS, strict=True):
        points = np.column_stack([shown[cost].clip(lower=FLOOR), shown[first]])
        style.label_points(axes, points, np.full(len(points), 2.4), numbers)
    caption = cost_caption(comparison, shown, fronts, names, kind, shown["model"][~free])
    return Drawing(figure, caption)


def key(axes: Axes, texts: Sequence[str]) -> None:
    """Right of `axes`, what the numbers of the points mean: 1 is the first of `texts`."""
    step = 72 * KEY_LINE  # points
    for row, text in enumerate(texts):
        for place, words, side in ((18, str(row + 1), "right"), (23, text, "left")):
            axes.annotate(
                words, (1, 1), (place, -step * (row + 0.5)), xycoords="axes fraction",
                textcoords="offset points", ha=side, va="center", annotation_clip=False,
            )  # fmt: skip


def cost_caption(
    comparison: pd.DataFrame,
    shown: pd.DataFrame,
    fronts: dict,
    names: dict[str, str],
    kind: Kind,
    coded: Sequence[str],
) -> str:
    """What the figure shows and on how many threads it was measured."""
    no_interval = comparison[f"{kind.first}_low"] == comparison[f"{kind.first}_high"]
    constant = comparison.loc[no_interval, "model"]
    lacking = len(comparison) - len(shown) - len(constant)
    without = f" Left out, as their costs were not measured: {lacking}." if lacking else ""
    if len(constant):
        same = listed([names.get(model, model) for model in constant])
        value = number(comparison.loc[no_interval, kind.first].iloc[0], 2)
        without += f" Left out, as they always say the same ({kind.symbol} = {value}): {same}."
    if len(coded):
        told = listed([names.get(model, model) for model in coded])
        without += (
            f" Grey, and no part of the front: {told}; they read the activities that analysts have "
            "coded for a task, which a new text does not have."
        )
    threads = " or ".join(f"{n:g}" for n in sorted(set(shown["threads"].dropna())))
    with_threads = f" with {threads} thread{'' if threads == '1' else 's'}" if threads else ""
    models = "model" if len(shown) == 1 else "models"
    averaged = " (mean over the seeds)" if shown["seeds"].max() > 1 else ""
    least = shown[list(COSTS)].min(axis=None)
    floored = f" Values below {FLOOR:g} are drawn there." if least < FLOOR else ""
    front, fast = (listed([names.get(model, model) for model in fronts[cost]]) for cost in COSTS)
    return (
        f"What agreement costs: {kind.name} on the held-out {kind.units} of the {PRIMARY} split against "
        f"the seconds of training (left) and the texts that it rates per second (right), of "
        f"{len(shown)} {models}, numbered from the highest {kind.symbol}{averaged}; "
        f"vertical lines: {INTERVAL}. Filled dots on the thin line are the Pareto front: no other "
        f"model is at least as good in both and better in one (training: {front}; rating: {fast}). "
        f"Both axes of cost are logarithmic. Costs were measured once{with_threads} by "
        f"benchmarks/model_costs.py, and another machine has others.{without}{floored} "
        f"{source('compare', 'comparison')}"
    )


def pareto(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Which points no other beats: at least as large in both and larger in one. [n] bool."""
    at_least = (first[:, None] >= first) & (second[:, None] >= second)
    larger = (first[:, None] > first) | (second[:, None] > second)
    return ~(at_least & larger).any(axis=0)


def of_first(curve: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """The rows of the learning curve in the measure that are defined, from few labels to all."""
    rows = curve[(curve["metric"] == kind.first) & curve["value"].notna()]
    return rows.sort_values(["model", "n_tasks"], kind="stable")


def learning_curve(curve: pd.DataFrame, names: dict[str, str], kind: Kind) -> Drawing:
    """The measure against the number of labelled texts learned from, a line a model with its interval.

    `curve` is learning_curve.csv; the row of all texts has 100 percent.
    """
    rows = of_first(curve, kind)
    last = rows.groupby("model").tail(1).sort_values("value", ascending=False, kind="stable")
    models = list(last["model"])
    height = max(2.6, 0.16 * len(models) + 0.6)
    figure = style.new_figure(min(style.FULL, 5.2), height)
    axes = figure.subplots()
    style.guides(axes, "y")
    for number_, model in enumerate(models):
        line, (colour, dashes, marker) = rows[rows["model"] == model], LOOKS[number_ % len(LOOKS)]
        x = line["n_tasks"]
        axes.fill_between(
            x, line["low"], line["high"], color=colour, alpha=0.10, linewidth=0, zorder=1
        )
        axes.plot(
            x,
            line["value"],
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=3.2,
            zorder=3,
        )
        spread = line.dropna(subset=["sd"])
        axes.vlines(
            spread["n_tasks"], spread["value"] - spread["sd"], spread["value"] + spread["sd"],
            color=colour, linewidth=1.6, zorder=2.5,
        )  # fmt: skip
    axes.set_xscale("log")
    ticks = sorted(set(rows["n_tasks"].round().astype(int)))
    axes.xaxis.set_major_locator(FixedLocator(apart(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    sd = rows["sd"].fillna(0.0)
    low = np.minimum(rows["low"], rows["value"] - sd).min()
    high = np.maximum(rows["high"], rows["value"] + sd).max()
    margin = max(0.05 * (high - low), 0.01)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlabel(f"Labelled {kind.units} learned from")
    axes.set_ylabel(title(kind.first))
    # The names stand right of the axes, as high as the ends of their lines where there is room.
    gap = 1.35 * style.FONT / 72 / (0.8 * height) * (high - low + 2 * margin)
    places = style.spread(last["value"].to_numpy()[::-1], gap)[::-1]
    for number_, (end, y) in enumerate(zip(last.itertuples(), places, strict=True)):
        colour = LOOKS[number_ % len(LOOKS)][0]
        axes.annotate(
            names.get(end.model, end.model), (end.n_tasks, end.value), (1.06, y),
            textcoords=axes.get_yaxis_transform(), va="center", color=readable(colour),
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5,
                        "shrinkA": 1, "shrinkB": 2.5},
        )  # fmt: skip
    several = rows["seeds"].max() > 1
    lines = "points: mean over the seeds, thick marks: ± their standard deviation; bands"
    caption = (
        f"How many labelled {kind.units} does one need? {sentence(kind.name)} on the held-out "
        f"{kind.units} of the {PRIMARY} split against the number of training {kind.units} learned from "
        f"(logarithmic), the smaller samples within the larger; {lines if several else 'bands'}: "
        f"{INTERVAL}. {near(rows, names, kind)} The axis of {kind.symbol} does not start at 0. "
        f"{source('compare', 'learning_curve')}"
    )
    return Drawing(figure, caption)


def near(rows: pd.DataFrame, names: dict[str, str], kind: Kind) -> str:
    """From how many texts on each model stays within `NEAR` of its measure with all, in words."""
    enough, never = [], []
    for model in dict.fromkeys(rows["model"]):
        line = rows[(rows["model"] == model) & (rows["percent"] < 100)]
        far = (line["behind_full"] > NEAR + 1e-9).to_numpy() | line["behind_full"].isna().to_numpy()
        after = line[np.flatnonzero(far)[-1] + 1 :] if far.any() else line
        name = names.get(model, model)
        if len(after):
            first = after.iloc[0]
            enough.append(
                (first["n_tasks"], f"{name} {first['n_tasks']:,.0f} ({first['percent']:g} %)")
            )
        else:
            never.append(name)
    said = []
    if enough:
        found = listed([text for _, text in sorted(enough)])
        said.append(
            f"within {NEAR:g} of the {kind.symbol} that all {kind.units} give from this many on: {found}"
        )
    if never:
        said.append(f"only with all {kind.units}: {listed(never)}")
    return f"{sentence('; '.join(said))}."


def powers(axes: Axes) -> None:
    """Powers of ten as short numbers: 0.01, 1, 100, 10 k, 1 M."""
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}" if x < 1000 else short(x))
    axes.xaxis.set_minor_locator(NullLocator())


def short(x: float) -> str:
    """A round number from a thousand on, with a space that does not break: 10 k, 1 M."""
    return (f"{x / 1e6:g} M" if x >= 1e6 else f"{x / 1e3:g} k").replace(" ", "\N{NO-BREAK SPACE}")


def apart(ticks: Sequence[int]) -> list[int]:
    """Those of increasing `ticks`, from the last down, whose numbers do not touch on a log axis."""
    kept: list[int] = []
    span = np.log(ticks[-1] / ticks[0]) or 1.0
    for tick in reversed(ticks):
        if not kept or np.log(kept[-1] / tick) > 0.11 * span:
            kept.append(tick)
    return kept[::-1]


def readable(colour: str) -> str:
    """A colour dark enough for text on white."""
    return {style.ORANGE: "#8F6400", style.SKY: "#1F7FB8", style.PURPLE: "#A8527F"}.get(
        colour, colour
    )
