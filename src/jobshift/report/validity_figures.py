"""Figures beyond replication: exposure against AI seen in use, and 2026 against 2023.

They read the tables of the stages validity and changes. `names` maps raters (people, GPT-4, our rubric,
models) to their names for people; others go by their own. Who was compared with whom stands in the table
`changes_summary`: the rater of its changes is the later one, their references are those of 2023, of
whom the first is where a line starts.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jobshift.report import style
from jobshift.report.exposure_figures import MEASURES
from jobshift.report.model_figures import WHITE_TO_BLUE
from jobshift.report.style import Drawing, people, source
from jobshift.report.tables import UNDEFINED, number

LEVELS = {"occupation": "occupations", "major_group": "SOC major groups"}
METHODS = {
    "pearson": "Pearson's r",
    "spearman": "Spearman's ρ",
    "pearson_employment": "Pearson's r by employment",
}
COLUMNS = MEASURES | {"substituted_share": "subst.", "complemented_share": "compl."}
CAUTION = (
    "A difference between raters is not only time: the later one is a language model that rated work "
    "activities under another wording; the raters of 2023 among themselves are the yardstick."
)
LATER = {"marker": "D", "color": style.VERMILLION, "markersize": 4.6}
# Those of 2023: the first, from whom changes are measured, and the others in turn.
FIRST = {"marker": "o", "color": style.BLACK, "markerfacecolor": "white", "markersize": 4.6}
OTHERS = (
    {"marker": "s", "color": style.BLUE, "markersize": 3.4},
    {"marker": "^", "color": "#2E9BD6", "markerfacecolor": "white", "markersize": 3.8},
    {"marker": "v", "color": style.PURPLE, "markersize": 3.8},
)


def heat_map(validity: pd.DataFrame, names: dict[str, str]) -> Drawing:
    """Correlation of each measure of each rater with AI applicability, a panel a level and method."""
    shown = validity[(validity["target"] == "applicability") & (validity["rated"] == "tasks")]
    shown = shown[shown["level"].isin(list(LEVELS)) & shown["measure"].isin(list(COLUMNS))]
    raters = list(dict.fromkeys(shown["rater"]))
    measures = [measure for measure in COLUMNS if measure in set(shown["measure"])]
    lowest = np.floor(10 * shown["value"].min() - 0.5) / 10
    levels = [level for level in LEVELS if level in set(shown["level"])]
    # A cell is as high as its number and some air, and each level has a heading.
    figure = style.new_figure(style.FULL, 0.5 + len(levels) * (0.2 * len(raters) + 0.25))
    grid = figure.subplots(len(levels), len(METHODS), squeeze=False, sharex=True, sharey=True)
    for panels, level in zip(grid, levels, strict=True):
        for axes, (method, title) in zip(panels, METHODS.items(), strict=True):
            part = shown[(shown["level"] == level) & (shown["method"] == method)]
            cells = part.pivot(index="rater", columns="measure", values="value")
            cells = cells.reindex(index=raters, columns=measures).to_numpy(dtype=float)
            image = draw_cells(axes, cells, lowest)
            axes.set_title(title if level == levels[0] else "")
        n = shown.loc[shown["level"] == level, "n_units"].max()
        panels[0].text(
            -0.02, 1, f"{n:,} {LEVELS[level]}", transform=panels[0].transAxes, ha="right",
            va="bottom", fontweight="bold",
        )  # fmt: skip
    grid[0, 0].set_yticks(
        range(len(raters)), [style.wrapped(name_of(names, rater), 30) for rater in raters]
    )
    grid[0, 0].set_xticks(range(len(measures)), [COLUMNS[measure] for measure in measures])
    bar = figure.colorbar(image, ax=list(grid.flat), aspect=30, pad=0.015, fraction=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.ax.yaxis.set_major_formatter("{x:.1f}")
    occupations = shown[shown["level"] == "occupation"]
    pearson = occupations[(occupations["method"] == "pearson") & (occupations["measure"] == "beta")]
    wide = (shown["high"] - shown["low"]).groupby(shown["level"]).median()
    said = "; ".join(
        f"{name_of(names, row.rater)} {number(row.value, 2)} "
        f"(95 % interval {number(row.low, 2)} to {number(row.high, 2)})"
        for row in pearson.itertuples()
    )
    bridged = int(occupations["n_bridged"].max())
    unmatched = int(occupations["n_unmatched"].max())
    employed = occupations.loc[occupations["method"] == "pearson_employment", "n_units"].max()
    caption = (
        "Correlation of exposure, by rater and measure, with AI applicability: the mean of what users ask "
        "a chat assistant for and what it does, in real conversations (Tomlinson et al. 2025). Of the "
        f"occupations {bridged} join through the code that stands for several, and {unmatched} with a "
        f"score have no match; the {employed:,} with published employment are in the correlation weighted "
        "by it. Major groups: employment-weighted means of these. Subst., compl.: shares of tasks that "
        "are substituted and complemented. β of occupations, r: "
        f"{said}. Median width of the 95 % intervals: "
        + ", ".join(f"{number(wide[level], 2)} ({LEVELS[level]})" for level in levels)
        + ", from a bootstrap of SOC broad groups or of the major groups. Applicability is a mean over "
        "work activities, as are the ratings under our rubric, which may favour these. Colours start at "
        f"{number(lowest, 1)}. {UNDEFINED}: not rated, or the same everywhere. "
        f"{source('validity', 'validity')}"
    )
    return Drawing(figure, caption)


def draw_cells(axes: Axes, cells: np.ndarray, lowest: float):
    """Numbers on colours from `lowest` to 1; NaN is a dash on white. Returns the image."""
    image = axes.imshow(cells, cmap=WHITE_TO_BLUE, vmin=lowest, vmax=1.0, aspect="auto")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(cells):
        dark = value > lowest + 0.75 * (1 - lowest)
        axes.text(
            column,
            row,
            UNDEFINED if np.isnan(value) else number(value, 2),
            ha="center",
            va="center",
            color="white" if dark else style.BLACK,
        )
    return image


def by_major_group(groups: pd.DataFrame, summary: pd.DataFrame, names: dict[str, str]) -> Drawing:
    """β of the SOC major groups in 2023 and 2026, the most exposed of 2023 first, under all."""
    published, new = who(summary)
    first = published[0]
    rows = groups[groups["weighting"] == "employment"]
    rows = rows.assign(
        everyone=rows["major_group"] == "00", label=rows["title"].str.removesuffix(" Occupations")
    )
    rows["label"] += " (" + rows["employment_workers"].map(people) + ")"
    rows = rows.sort_values(
        ["everyone", f"beta_{first}", "major_group"], ascending=[False, False, True]
    )
    figure = style.new_figure(style.FULL, 0.72 + 0.165 * len(rows))
    axes = figure.add_subplot()
    draw_rows(axes, rows, list(rows["label"]), published, new)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.axhline(0.5, color=style.GREY, linewidth=0.4)
    heading(axes)
    key(axes, published, new, names)
    style.percent_axis(axes.xaxis, "β, mean over workers")
    every = rows.iloc[0]
    moved = rows.iloc[1:]
    outside = int((moved["beyond_beta"] != 0).sum())
    sizes = summary.iloc[0]
    caption = (
        f"Exposure β of the same {sizes['n_tasks']:,} tasks as rated in 2023 and in 2026, by SOC major "
        f"group: a line from {name_of(names, first)} to {name_of(names, new)}, on a band over all "
        f"raters of 2023; {outside} of {len(moved)} groups end outside it. Over all workers β goes from "
        f"{percent_of(every, first)} to {percent_of(every, new)} %"
        f"{said_others(every, published, names)}. On the right the difference in percentage points with "
        "its 95 % interval, from a bootstrap of groups of tasks with the same first activity. "
        f"{CAUTION} Means over occupations weighted by OEWS employment of May 2025 at either time; in "
        "brackets the workers (M: million, k: thousand) of the occupations that are counted. "
        f"{left_out(sizes)}{source('changes', 'changes_major_groups', 'changes_summary')}"
    )
    return Drawing(figure, caption)


def moved_activities(
    activities: pd.DataFrame, summary: pd.DataFrame, names: dict[str, str], top: int
) -> Drawing:
    """The intermediate activities (IWA) that moved most, at most `top` in either direction."""
    published, new = who(summary)
    iwas = activities[activities["level"] == "iwa"]
    moved = iwas[iwas["rank"] <= top].sort_values("rank")
    blocks = {
        "Higher than every rater of 2023": moved[moved["direction"] == "higher"],
        "Lower than every rater of 2023": moved[moved["direction"] == "lower"],
    }
    blocks = {title: rows for title, rows in blocks.items() if len(rows)}
    labels = {
        title: [
            style.balanced(f"{row.title}\N{NO-BREAK SPACE}({row.n_tasks:,})", 56)
            for row in rows.itertuples()
        ]
        for title, rows in blocks.items()
    }
    wraps = any("\n" in label for texts in labels.values() for label in texts)
    heights = [len(rows) + 1.2 for rows in blocks.values()]
    figure = style.new_figure(style.FULL, 0.6 + (0.235 if wraps else 0.165) * sum(heights))
    grid = figure.subplots(
        len(blocks), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    for axes, (title, rows) in zip(grid, blocks.items(), strict=True):
        draw_rows(axes, rows, labels[title], published, new)
        axes.text(
            -0.012, -0.75, title, transform=axes.get_yaxis_transform(),
            ha="right", va="bottom", fontweight="bold",
        )  # fmt: skip
    heading(grid[0])
    key(grid[0], published, new, names, below=1.1 / (len(next(iter(blocks.values()))) + 0.2))
    grid[-1].set_xlim(-0.02, 1.02)
    style.percent_axis(grid[-1].xaxis, "β, mean over the tasks of the activity")
    enough = iwas[iwas["enough"].astype(bool)]
    sizes = summary.iloc[0]
    caption = (
        f"Work activities (O*NET intermediate activities, in brackets their tasks) whose exposure β in 2026 "
        "lies farthest outside the range of all raters of 2023 (band), ordered by that distance: a line "
        f"from {name_of(names, published[0])} to {name_of(names, new)}, the difference in percentage points "
        "on the right with its 95 % interval from a bootstrap of groups of tasks with the same first "
        f"activity. Of the {len(enough)} activities with enough tasks (at least {enough['n_tasks'].min()}) and "
        f"groups (at least {enough['n_groups'].min()}) {int(iwas['rank'].notna().sum())} lie outside; the "
        "largest of many differences are in part chance. "
        f"{CAUTION} {left_out(sizes)}{source('changes', 'changes_activities', 'changes_summary')}"
    )
    return Drawing(figure, caption)


def who(summary: pd.DataFrame) -> tuple[list[str], str]:
    """The raters of 2023 in order, and the later one."""
    changes = summary[summary["kind"] == "change"]
    return list(dict.fromkeys(changes["reference"])), changes["rater"].iloc[0]


def draw_rows(
    axes: Axes, rows: pd.DataFrame, labels: list[str], published: list[str], new: str
) -> None:
    """One row each: a band over the raters of 2023, their marks, an arrow to 2026, the difference."""
    y = np.arange(len(rows))
    style.rows_axis(axes, labels)
    style.guides(axes)
    values = rows[[f"beta_{rater}" for rater in published]].to_numpy(dtype=float)
    later = rows[f"beta_{new}"].to_numpy(dtype=float)
    axes.hlines(
        y, values.min(axis=1), values.max(axis=1), color=style.PALE, linewidth=6.5, zorder=1
    )
    axes.hlines(y, values[:, 0], later, color=style.VERMILLION, linewidth=0.9, zorder=2)
    for position in range(len(published) - 1, -1, -1):
        axes.plot(values[:, position], y, linestyle="none", zorder=4, **looks(position))
    axes.plot(later, y, linestyle="none", zorder=5, clip_on=False, **LATER)
    for row, (shift, low, high) in enumerate(
        rows[["shift_beta", "shift_beta_low", "shift_beta_high"]].to_numpy(dtype=float)
    ):
        ends = "" if np.isnan(low) else f" [{points(low)}, {points(high)}]"
        axes.text(
            1.015, row, f"{points(shift)}{ends}", transform=axes.get_yaxis_transform(), va="center"
        )


def looks(position: int) -> dict:
    """How the marks of a rater of 2023 look, by its place among them."""
    return FIRST if position == 0 else OTHERS[(position - 1) % len(OTHERS)]


def key(
    axes: Axes, published: list[str], new: str, names: dict[str, str], below: float = 0.0
) -> None:
    """What the marks are, in one line above the axes."""
    handles = [
        Line2D([], [], linestyle="none", label=name_of(names, rater), **looks(position))
        for position, rater in enumerate(published)
    ]
    handles.append(Line2D([], [], linestyle="none", label=name_of(names, new), **LATER))
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 1 + below), ncols=len(handles)
    )


def heading(axes: Axes) -> None:
    """The head of the column of differences."""
    axes.annotate(
        "2026 − 2023", (1.015, 1), (0, 4), xycoords="axes fraction", textcoords="offset points",
        color=style.GREY,
    )  # fmt: skip


def name_of(names: dict[str, str], rater: str) -> str:
    """The name of a rater for people."""
    return names.get(rater, rater)


def points(share: float) -> str:
    """A difference of shares in whole percentage points, with its sign."""
    text = number(100 * share, 0)
    return text if share < 0 or text == "0" else f"+{text}"


def percent_of(row: pd.Series, rater: str) -> str:
    """β of a rater in a row, in percent without the sign."""
    return f"{100 * row[f'beta_{rater}']:.1f}"


def said_others(row: pd.Series, published: list[str], names: dict[str, str]) -> str:
    """β of the other raters of 2023, for a caption."""
    others = [f"{name_of(names, rater)}: {percent_of(row, rater)} %" for rater in published[1:]]
    return f" ({'; '.join(others)})" if others else ""


def left_out(sizes: pd.Series) -> str:
    """How many tasks are not compared, for a caption."""
    n = int(sizes["n_left_out"])
    return f"Left out: {n:,} tasks that one of the raters did not rate. " if n else ""
