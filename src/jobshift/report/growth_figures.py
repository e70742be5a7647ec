"""Figures of growth: employment and wages from May 2021 to May 2025, by exposure. Descriptive.

All read the tables of the stage growth. Changes are drawn as percent of the ratio of the two years,
on axes that are linear in its logarithm. Every caption says that nothing here is a causal estimate.
"""

from math import expm1, log1p

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator
from matplotlib.transforms import Bbox

from jobshift.report import style
from jobshift.report.exposure_figures import LARGEST_DOT, MEASURE_COLOURS, MEASURES
from jobshift.report.style import Drawing, people, percent, source

FIFTHS = ["1", "2", "3", "4", "5"]
# How fifths are drawn: those of workers, those of occupations.
KINDS = {"workers": ("o", style.BLUE), "occupations": ("D", style.ORANGE)}
WEIGHTINGS = {
    "workers": ("weighted by the workers of May 2021", {"color": style.BLACK}),
    "equal": ("all occupations equal", {"color": style.VERMILLION, "linestyle": (0, (4, 2))}),
}
PANELS = {"employment": "Employment", "median_wage": "Median wage"}
CONTROLS = {
    "none": "no controls",
    "log wage": "given the wage of 2021",
    "log wage, major group": "given wage and major group",
}
# Changes in percent that an axis may name.
ROUND = [-80, -70, -60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 60, 80, 100, 150, 200, 300]
SIZES = (100_000, 1_000_000, 3_000_000)
# Share of the occupations that may lie beyond each end of the axis of changes.
BEYOND = 0.004
CAUTION = (
    "Descriptive, no causal estimate: OEWS pools three years of panels, so May 2021 is partly before "
    "and partly in the pandemic, and exposure goes with education, wage and industry"
)
MARKET = "employment and wages: OEWS, May 2021 and May 2025"


def by_quintile(quintiles: pd.DataFrame, coverage: pd.DataFrame, basis: str) -> Drawing:
    """Growth of each fifth of exposure relative to all occupations, by α, β and ζ.

    Both tables are of one rater.
    """
    figure = style.new_figure(style.FULL, 3.8)
    grid = figure.subplots(len(PANELS), len(MEASURES), sharex=True, sharey="row")
    rows = quintiles.set_index(["measure", "fifths_of", "outcome", "fifth"]).sort_index()
    for line, (outcome, name) in zip(grid, PANELS.items(), strict=True):
        for axes, (measure, letter) in zip(line, MEASURES.items(), strict=True):
            style.guides(axes, "y")
            axes.axhline(0, color=style.GREY, linewidth=0.6, zorder=1)
            for shift, (kind, (marker, colour)) in zip((-0.13, 0.13), KINDS.items(), strict=True):
                cells = rows.loc[[(measure, kind, drawn(outcome, kind), each) for each in FIFTHS]]
                low, value, high = (
                    100 * np.expm1(cells[column])
                    for column in ("relative_low", "relative", "relative_high")
                )
                x = np.arange(1, 6) + shift
                axes.vlines(x, low, high, color=colour, linewidth=1.0, zorder=2)
                axes.plot(x, value, marker, color=colour, markersize=3.8, zorder=3)
            if outcome == "employment":
                axes.set_title(f"fifths by {letter}", fontweight="bold")
        line[0].yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        line[0].yaxis.set_major_formatter(signed)
        line[0].set_ylabel(f"{name},\nrelative to all (%)")
    for axes in grid[-1]:
        # Lines for all, so that the numbers stand on one line.
        under = ["least\nexposed", " \n ", " \n ", " \n ", "most\nexposed"]
        axes.set_xticks(range(1, 6), [f"{n}\n{what}" for n, what in enumerate(under, start=1)])
        axes.set_xlim(0.5, 5.5)
    figure.align_ylabels(grid[:, 0])
    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, label=label, markersize=3.8)
        for (marker, colour), label in zip(
            KINDS.values(),
            ("fifths of workers (weighted)", "fifths of occupations (unweighted)"),
            strict=True,
        )
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    everyone = {
        (kind, outcome): percent(
            expm1(rows.loc[("beta", kind, drawn(outcome, kind), "all"), "value"])
        )
        for kind in KINDS
        for outcome in PANELS
    }
    caption = (
        "Growth of employment and of the median wage from May 2021 to May 2025 by fifth of exposure, "
        "relative to all rated occupations, with 95 % intervals (bootstrap over SOC minor groups). "
        "Circles: each fifth has a fifth of the workers of May 2021; employment is that of the fifth "
        f"as a whole (of all: {everyone['workers', 'employment']}), the wage a geometric mean "
        f"weighted by these workers (of all: {everyone['workers', 'median_wage']}, nominal). "
        "Diamonds: each fifth has a fifth of the occupations, all of which count the same, in "
        f"geometric means (of all: {everyone['occupations', 'employment']} and "
        f"{everyone['occupations', 'median_wage']}). Occupations with the same exposure, or across a "
        "border, are divided in proportion. Relative to all, general inflation cancels. "
        f"{matched(coverage)} {CAUTION}. {basis}; {MARKET}. "
        f"{source('growth', 'growth_quintiles', 'growth_coverage')}"
    )
    return Drawing(figure, caption)


def drawn(outcome: str, kind: str) -> str:
    """Fifths of workers show their employment as a whole, fifths of occupations a mean."""
    return "employment_total" if (outcome, kind) == ("employment", "workers") else outcome


def scatter(
    occupations: pd.DataFrame,
    correlations: pd.DataFrame,
    coverage: pd.DataFrame,
    rater: str,
    basis: str,
) -> Drawing:
    """Change of employment and of the median wage of each occupation over β, with fitted lines.

    `occupations` has the column beta_RATER; the other tables are of that rater.
    """
    figure = style.new_figure(style.FULL, 3.9)
    figure.set_layout_engine("none")  # Labels are placed for good, so the axes must not move.
    dots = occupations.dropna(subset=f"beta_{rater}")
    dots = dots.sort_values(["employment_2021_workers", "code"], ascending=[False, True])
    found = correlations[correlations["measure"] == "beta"].fillna({"controls": ""})
    found = found.set_index(["outcome", "weighting", "statistic", "controls"]).sort_index()
    unit = 0.6 * LARGEST_DOT / dots["employment_2021_workers"].max()
    said, hidden = [], []
    for number, (outcome, name) in enumerate(PANELS.items()):
        axes = figure.add_axes((0.072 + 0.503 * number, 0.098, 0.422, 0.832))
        own = dots.dropna(subset=f"{outcome}_log_change").reset_index(drop=True)
        own = own.rename(columns={f"beta_{rater}": "x", f"{outcome}_log_change": "y"})
        area = np.maximum(unit * own["employment_2021_workers"].to_numpy(dtype=float), 1.0)
        inside = draw_dots(axes, own, area)
        axes.set_ylabel(f"{name}, change May 2021 to May 2025 (%)", labelpad=1.0)
        if not inside.all():
            outside = own[~inside]
            named = zip(outside["title"], map(in_percent, outside["y"]), strict=True)
            hidden.append(
                f"{name.lower()} of {', '.join(f'{title} ({change})' for title, change in named)}"
            )
        boxes = []
        for weighting, (how, looks) in WEIGHTINGS.items():
            slope = found.loc[(outcome, weighting, "slope", "none")]
            r = found.loc[(outcome, weighting, "pearson", ""), "value"]
            what = "not defined"
            if np.isfinite(slope["value"]):
                weights = own["employment_2021_workers"] if weighting == "workers" else None
                boxes += draw_fit(axes, own, weights, slope["value"], looks)
                ends = f"{log_points(slope['low'])} to {log_points(slope['high'])}"
                what = f"{log_points(slope['value'])} ({ends}), r = {r:.2f}".replace("-", "−")
            said.append(f"{name.lower()}, {how}: {what}")
        label_dots(axes, own, area, inside, boxes)
    draw_keys(figure, unit, dots["employment_2021_workers"].max())
    caption = (
        "Change of employment and of the nominal median wage from May 2021 to May 2025 over β of "
        f"{len(dots)} occupations; the area of a dot is in proportion to its workers in May 2021. "
        "Lines: least squares. Slope in log points for 10 percentage points more exposure (robust "
        f"HC1 95 % interval) and correlation: {'; '.join(said)}."
        + (f" Triangles at the edge: {'; '.join(hidden)}." if hidden else "")
        + f" {matched(coverage)} {CAUTION}. {basis}; {MARKET}. "
        f"{source('growth', 'growth_occupations', 'growth_correlations', 'growth_coverage')}"
    )
    return Drawing(figure, caption)


def draw_dots(axes: Axes, own: pd.DataFrame, area: np.ndarray) -> np.ndarray:
    """Draw x and y of `own` as dots of these areas; which are within the axes, others on the edge."""
    x, y = own["x"].to_numpy(), own["y"].to_numpy()
    low, high = change_axis(axes, y)
    most = max(x.max(), 0.01)
    axes.set_xlim(-0.025 * most, 1.025 * most)
    style.percent_axis(axes.xaxis, "β of the occupation", 8)
    style.guides(axes, "y")
    inside = (y >= low) & (y <= high)
    looks = {"facecolor": style.SKY, "alpha": 0.55, "linewidth": 0.3, "edgecolor": "white"}
    axes.scatter(x[inside], y[inside], s=area[inside], zorder=2, **looks)
    looks = {"color": style.BLUE, "markersize": 3.0, "clip_on": False, "zorder": 3}
    for out, marker, edge in ((y < low, "v", low), (y > high, "^", high)):
        axes.plot(x[out], np.full(out.sum(), edge), marker, **looks)
    return inside


def draw_fit(
    axes: Axes, own: pd.DataFrame, weights: pd.Series | None, slope: float, looks: dict
) -> list[Bbox]:
    """Draw the least-squares line, which goes through the means; boxes along it, in pixels."""
    middle = [np.average(own[name], weights=weights) for name in ("x", "y")]
    ends = np.array([0.0, own["x"].max()])
    fit = middle[1] + slope * (ends - middle[0])
    axes.plot(ends, fit, linewidth=1.2, zorder=4, **looks)
    start, end = axes.transData.transform(np.column_stack([ends, fit]))
    return [
        Bbox.from_bounds(*(start + part * (end - start) - 2), 4, 4)
        for part in np.linspace(0, 1, 80)
    ]


def label_dots(
    axes: Axes, own: pd.DataFrame, area: np.ndarray, inside: np.ndarray, boxes: list[Bbox]
) -> None:
    """Names beside the dots that are worth it, which get a ring; `boxes` stay free."""
    texts = {
        row: style.balanced(own["title"].iloc[row].split(", Except ")[0], 24)
        for row in worth_labelling(own)
        if inside[row]
    }
    centres = np.column_stack([own["x"], own["y"].clip(*axes.get_ylim())])
    written = style.label_points(axes, centres, np.sqrt(area / np.pi), texts, boxes)
    looks = {"facecolor": "none", "edgecolor": style.BLUE, "linewidth": 0.7, "zorder": 2.5}
    axes.scatter(*centres[written].T, s=area[written], **looks)


def draw_keys(figure: Figure, unit: float, largest: float) -> None:
    """What the lines are and how many workers a dot stands for, `unit` points² each, on top."""
    lines = [Line2D([], [], label=text, **looks) for text, looks in WEIGHTINGS.values()]
    figure.legend(handles=lines, loc="upper left", bbox_to_anchor=(0.06, 1.0), ncols=2)
    handles = [Line2D([], [], linestyle="none", label="workers in May 2021:")]
    looks = {"marker": "o", "linestyle": "none", "color": style.SKY, "alpha": 0.55}
    for size in [size for size in SIZES if size <= largest] or [largest]:
        diameter = 2 * np.sqrt(unit * size / np.pi)
        text = people(size)
        handles.append(
            Line2D([], [], markersize=diameter, markeredgecolor="white", label=text, **looks)
        )
    place = {"loc": "upper right", "bbox_to_anchor": (1.0, 1.0)}
    figure.legend(handles=handles, ncols=len(handles), handletextpad=1.0, **place)


def slopes(correlations: pd.DataFrame, names: dict[str, str]) -> Drawing:
    """Slopes on α, β and ζ by every rater, weighted by workers, with more and more controls.

    `names` tells what a rater is called; others go by their own name.
    """
    own = correlations[
        (correlations["statistic"] == "slope") & (correlations["weighting"] == "workers")
    ]
    raters = list(dict.fromkeys(own["rater"]))
    labels = [style.balanced(names.get(rater, rater), 22) for rater in raters]
    rows = own.set_index(["outcome", "controls", "measure", "rater"]).sort_index()
    figure = style.new_figure(style.FULL, 0.85 + 2 * (0.3 + 0.3 * len(raters)))
    grid = figure.subplots(len(PANELS), len(CONTROLS), sharey=True, sharex="row")
    y = np.arange(len(raters))
    for line, (outcome, name) in zip(grid, PANELS.items(), strict=True):
        for axes, (controls, given) in zip(line, CONTROLS.items(), strict=True):
            style.guides(axes)
            axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=1)
            for shift, (measure, colour) in zip(
                (-0.24, 0.0, 0.24), MEASURE_COLOURS.items(), strict=True
            ):
                cells = (
                    10
                    * rows.loc[[(outcome, controls, measure, rater) for rater in raters]][
                        ["value", "low", "high", "clustered_low", "clustered_high"]
                    ]
                )
                at = y + shift
                axes.hlines(at, cells["low"], cells["high"], color=colour, linewidth=1.6)
                axes.hlines(
                    at, cells["clustered_low"], cells["clustered_high"], color=colour, linewidth=0.5
                )
                axes.plot(cells["value"], at, "o", color=colour, markersize=3.2, zorder=3)
            if outcome == "employment":
                axes.set_title(given)
            axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(signed)
        line[0].text(
            -0.02, 1.0, name, transform=line[0].transAxes, ha="right", fontweight="bold"
        )  # fmt: skip
    style.rows_axis(grid[0, 0], labels)
    for axes in grid.flat:
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    figure.supxlabel(
        "Difference in change for 10 percentage points more exposure (log points, about percent)",
        fontsize=style.FONT,
    )
    handles = [
        Line2D(
            [], [], marker="o", color=colour, markersize=3.2, linewidth=1.6, label=MEASURES[name]
        )
        for name, colour in MEASURE_COLOURS.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
    n = own["n_occupations"]
    caption = (
        "Slopes of the log change of employment and of the nominal median wage, May 2021 to May 2025, "
        "on exposure, by rater: weighted least squares, occupations weighted by their workers of May "
        f"2021, n = {n.min():.0f} to {n.max():.0f}. Controls: the log of the wage of May 2021, and "
        "with it the SOC major group. Thick lines: robust 95 % intervals (HC1), thin lines: clustered "
        f"by {own['n_clusters'].max():.0f} SOC minor groups. Since all occupations share the same "
        f"inflation, it does not enter a slope. {CAUTION}. {MARKET[0].upper()}{MARKET[1:]}. "
        f"{source('growth', 'growth_correlations')}"
    )
    return Drawing(figure, caption)


def worth_labelling(own: pd.DataFrame) -> list[int]:
    """Numbers of the rows to label: the largest, and of the sizeable those with extreme values.

    `own` is sorted by workers, the largest first.
    """
    workers = own["employment_2021_workers"]
    sizeable = np.flatnonzero(workers >= workers.quantile(0.85))
    extremes = (own["y"], -own["y"], own["x"])
    chosen = [
        sizeable[np.argsort(-values.to_numpy()[sizeable], kind="stable")][:4] for values in extremes
    ]
    return list(dict.fromkeys([*range(min(10, len(own))), *np.concatenate(chosen).tolist()]))


def change_axis(axes: Axes, changes: np.ndarray) -> tuple[float, float]:
    """Let the y axis of log changes count in percent; its ends, which leave few outliers out."""
    low, high = np.quantile(changes, [BEYOND, 1 - BEYOND])
    margin = max(0.05 * (high - low), 0.01)
    low, high = float(low - margin), float(high + margin)
    axes.set_ylim(low, high)
    ticks = [each for each in ROUND if low <= log1p(each / 100) <= high]
    axes.yaxis.set_major_locator(FixedLocator([log1p(each / 100) for each in ticks]))
    axes.set_yticks([log1p(each / 100) for each in ticks], [signed(each) for each in ticks])
    return low, high


def signed(number: float, _: object = None) -> str:
    """A number of an axis with its sign, 0 without one."""
    return "0" if abs(number) < 1e-9 else f"{number:+g}".replace("-", "−")


def log_points(slope: float) -> str:
    """A slope per unit of exposure as log points (percent) for 10 percentage points more."""
    return f"{10 * slope:+.1f}".replace("-", "−")


def in_percent(change: float) -> str:
    """A log change in words: +120 %."""
    return f"{100 * expm1(change):+.0f} %".replace("-", "−")


def matched(coverage: pd.DataFrame) -> str:
    """How many occupations and which share of employment are in both years and rated."""
    first, second = (coverage[coverage["release"] == year].iloc[0] for year in ("2021", "2025"))
    return (
        f"{first['n_rated']} of {first['n_occupations']} occupations of May 2021, with "
        f"{percent(first['rated_share'])} of its employment and {percent(second['rated_share'])} of "
        "that of May 2025, are in both releases and rated."
    )
