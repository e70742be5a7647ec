"""Figures of exposure: whose work, at which wage, in which industry and state.

All read the tables of the stage aggregate, of one rater. Bars divide the tasks of an occupation into
substituted, complemented and untouched, a dot on them is β; for a rater who tells nothing about
automation (a model), a line goes from α to ζ instead. Bars start at 0 and end at 100 %; the axis of
a dot alone need not. `nation` is the table `exposure_national` as a series from measure to value.
"""

from itertools import pairwise
from textwrap import shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullFormatter
from matplotlib.transforms import Bbox

from jobshift.report import style
from jobshift.report.style import Drawing, million, people, percent, source

MEASURES = {"alpha": "α", "beta": "β", "zeta": "ζ"}
MEASURE_COLOURS = {"alpha": style.VERMILLION, "beta": style.BLACK, "zeta": style.BLUE}
SHARES = {
    "substituted_share": ("substituted", style.VERMILLION),
    "complemented_share": ("complemented", "#9CD0F0"),
    "untouched_share": ("untouched", style.PALE),
}
MARKS = (0.1, 0.5)
LARGEST_DOT = 330.0  # area in points²
CAPITAL = "District of Columbia"
BRACKETS = "In brackets the workers (M: million, k: thousand)"
MARKET = "employment and wages: OEWS, May 2025"


def by_major_group(groups: pd.DataFrame, nation: pd.Series, basis: str) -> Drawing:
    """The SOC major groups, most exposed first, under all occupations."""
    groups = groups.assign(label=groups["title"].str.removesuffix(" Occupations"))
    groups, without = rated(groups)
    figure, shares = place_rows(groups, nation, "All occupations")
    caption = (
        f"Exposure of {len(groups)} SOC major groups, ordered by β. {rows_meaning(shares)} "
        f"{BRACKETS}; {matched(groups)}.{without} {basis}; {MARKET}. "
        f"{source('aggregate', 'exposure_major_groups', 'exposure_national')}"
    )
    return Drawing(figure, caption)


def by_industry(sectors: pd.DataFrame, nation: pd.Series, basis: str) -> Drawing:
    """The NAICS sectors, most exposed first, under all industries."""
    sectors, without = rated(sectors.assign(label=sectors["industry"]))
    figure, shares = place_rows(sectors, nation, "All industries")
    caption = (
        f"Exposure of the work in {len(sectors)} NAICS sectors, ordered by β. "
        f"{rows_meaning(shares)} {BRACKETS}; {matched(sectors)}.{without} {basis}; {MARKET}. "
        f"{source('aggregate', 'exposure_industries', 'exposure_national')}"
    )
    return Drawing(figure, caption)


def by_state(states: pd.DataFrame, nation: pd.Series, basis: str) -> Drawing:
    """β of the 50 states and the District of Columbia, most exposed first."""
    within = states["in_national"].astype(bool)
    rows, without = rated(states[within].assign(label=states["state"]))
    rows = rows.sort_values(["beta", "label"], ascending=[False, True])
    figure = style.new_figure(style.COLUMN, 0.6 + 0.125 * len(rows))
    axes = figure.add_subplot()
    labels = rows["label"] + " (" + rows["employment_workers"].map(people) + ")"
    style.rows_axis(axes, labels)
    y = np.arange(len(rows))
    style.guides(axes, "y")
    axes.axvline(nation["beta"], color=style.GREY, linewidth=0.6, zorder=1)
    axes.plot(rows["beta"], y, "o", color=style.BLUE, markersize=3.6, zorder=3)
    shown = [*rows["beta"], nation["beta"]]
    margin = max(0.05 * (max(shown) - min(shown)), 0.005)
    axes.set_xlim(max(min(shown) - margin, 0), max(shown) + margin)
    average = f"United States {percent(nation['beta'])}"
    axes.text(nation["beta"], -0.8, average, color=style.GREY, ha="center", va="bottom")
    style.percent_axis(axes.xaxis, "β, mean over workers")
    left_out = ", ".join(states.loc[~within, "state"])
    places = f"{len(rows)} states"
    if CAPITAL in set(rows["state"]):
        places = f"{len(rows) - 1} states and the {CAPITAL}"
    caption = (
        f"Exposure β of the work in {places}, from {percent(rows['beta'].iloc[0])} "
        f"({rows['label'].iloc[0]}) to {percent(rows['beta'].iloc[-1])} "
        f"({rows['label'].iloc[-1]}); the line is the United States, "
        f"{percent(nation['beta'])}. The axis does not start at 0. {BRACKETS}; {matched(rows)}."
        + (f" Left out, as they are not in the national total: {left_out}." if left_out else "")
        + f"{without} {basis}; {MARKET}. "
        f"{source('aggregate', 'exposure_states', 'exposure_national')}"
    )
    return Drawing(figure, caption)


def top_occupations(
    occupations: pd.DataFrame, nation: pd.Series, basis: str, least_workers: int, n: int
) -> Drawing:
    """The `n` most and the `n` least exposed of the occupations with at least `least_workers`."""
    large = occupations[occupations["employment_workers"] >= least_workers]
    unrated = int(large["beta"].isna().sum())
    large = large.dropna(subset="beta").assign(
        label=large["title"].map(short) + " (" + large["employment_workers"].map(people) + ")"
    )
    large = large.sort_values(["beta", "employment_workers", "soc"], ascending=[False, False, True])
    n = min(n, len(large) // 2)
    # Among equals the occupation with more workers is the more extreme one at either end.
    least = large.sort_values(["beta", "employment_workers", "soc"], ascending=[True, False, True])
    parts = [large.head(n), least.head(n)[::-1]]
    shares = has_shares(large)
    figure = style.new_figure(style.FULL, 0.9 + 2 * n * 0.14)
    both = figure.subplots(2, 1, sharex=True)
    for axes, part, title in zip(both, parts, ("most exposed", "least exposed"), strict=True):
        draw_rows(axes, part, list(part["label"]), nation["beta"])
        axes.text(
            -0.012,
            -0.75,
            f"{n} {title}",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontweight="bold",
        )
    key(both[0], shares, 1 + 1 / (n + 0.2))
    style.percent_axis(both[1].xaxis, "Share of tasks")
    zero = int((large["beta"] == 0).sum())
    share = large["employment_workers"].sum() / nation["matched_workers"]
    caption = (
        f"The {n} most and the {n} least exposed of the {len(large)} occupations with at least "
        f"{least_workers:,} workers ({percent(share)} of the {million(nation['matched_workers'])} "
        "workers in occupations with rated tasks), ordered by β and, among equals, by employment"
        + (f"; {zero} of them have no exposed task at all" if zero else "")
        + (f"; {unrated} more have no rated tasks" if unrated else "")
        + f". {rows_meaning(shares)} {BRACKETS}. {basis}; {MARKET}. "
        f"{source('aggregate', 'exposure_occupations', 'exposure_national')}"
    )
    return Drawing(figure, caption)


def workers_over_threshold(curves: pd.DataFrame, labels: dict[str, float], basis: str) -> Drawing:
    """Share of workers whose occupation has at least the share x of its tasks exposed, all x."""
    figure = style.new_figure(style.COLUMN, 3.0)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1.005))
    style.guides(axes, "both")
    style.percent_axis(axes.xaxis, "At least this share of tasks exposed", 10)
    style.percent_axis(axes.yaxis, "Share of workers")
    axes.vlines(MARKS, 0, 1, color=style.LIGHT, linewidth=0.8, zorder=1)
    values, curve_at = {}, {}
    for measure, letter in MEASURES.items():
        curve = curves[curves["measure"] == measure].sort_values("threshold")
        colour = MEASURE_COLOURS[measure]
        axes.plot(curve["threshold"], curve["workers_share"], color=colour, label=letter, zorder=3)
        curve_at[measure] = curve.set_index(curve["threshold"].round(6))["workers_share"]
        values[measure] = [curve_at[measure][mark] for mark in MARKS]
        axes.plot(MARKS, values[measure], "o", color=colour, zorder=4, clip_on=False)
    definition = definitions(labels)
    above = dict(zip(("alpha", "beta", "zeta"), (1.02, 1.09, 1.16), strict=True))
    for measure, y in above.items():
        for x, value in zip(MARKS, values[measure], strict=True):
            axes.text(x, y, percent(value), color=MEASURE_COLOURS[measure], ha="center")
        axes.text(0.61, y, definition[measure], color=MEASURE_COLOURS[measure])
    for x in MARKS:
        axes.text(x, 1.24, f"≥ {percent(x, 0)}", color=style.GREY, ha="center")
    # Each curve has its letter where the three lie apart.
    at_letter = [curve_at[measure][0.3] for measure in MEASURES]
    for measure, y in zip(MEASURES, style.spread(at_letter, 0.06), strict=True):
        axes.text(0.315, y + 0.015, MEASURES[measure], color=MEASURE_COLOURS[measure], fontsize=9)
    workers = curves["n_workers"].max()
    said = "; ".join(
        f"{letter} {' and '.join(percent(value) for value in values[measure])}"
        for measure, letter in MEASURES.items()
    )
    caption = (
        "Share of workers whose occupation has at least the share x of its tasks exposed, for every x "
        f"in steps of one percentage point; marked at 10 % and 50 %: {said}. n = {million(workers)} "
        f"workers in occupations with rated tasks. {basis}; {MARKET}. "
        f"{source('aggregate', 'exposure_thresholds')}"
    )
    return Drawing(figure, caption)


def by_wage(occupations: pd.DataFrame, deciles: pd.DataFrame, basis: str) -> Drawing:
    """Occupations as dots sized by employment over log wage, means by wage decile on top."""
    dots = occupations.dropna(subset=["employment_workers", "annual_wage_usd", "beta"])
    dots = dots.sort_values(["employment_workers", "soc"], ascending=[False, True])
    deciles = deciles.dropna(subset=["decile", "beta"])
    figure = style.new_figure(style.FULL, 4.0)
    figure.set_layout_engine("none")  # Labels are placed for good, so the axes must not move.
    axes = figure.add_axes((0.062, 0.105, 0.93, 0.885))
    wages = dots["annual_wage_usd"]
    axes.set(xscale="log", xlim=(wages.min() / 1.25, wages.max() * 1.06))
    axes.set_ylim(-0.09, dots["beta"].max() + 0.04)
    ticks = [n * 10**power for power in (4, 5, 6) for n in (1, 1.5, 2, 3, 4, 5, 7)]
    ticks = [int(tick) for tick in ticks if wages.min() / 1.25 <= tick <= wages.max() * 1.06]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(ticks, [f"{tick / 1000:,.0f}" for tick in ticks])
    axes.tick_params(axis="x", which="minor", length=0)
    axes.set_xlabel("Annual wage of the occupation, median (thousand US dollars, log scale)")
    style.percent_axis(axes.yaxis, "β of the occupation", 9)
    style.guides(axes, "y")
    labelled = worth_labelling(dots)
    largest = dots["employment_workers"].max()
    area = LARGEST_DOT * dots["employment_workers"] / largest
    looks = {"facecolor": style.SKY, "alpha": 0.55, "linewidth": 0.3, "edgecolor": "white"}
    axes.scatter(wages, dots["beta"], s=area.clip(lower=1.0), zorder=2, **looks)
    means = deciles[["wage_mean_usd", "beta"]].to_numpy()
    axes.plot(*means.T, "-", color="white", linewidth=2.6, zorder=3)
    axes.plot(*means.T, "D-", color=style.BLACK, markersize=4.2, markeredgecolor="white", zorder=4)
    path = axes.transData.transform(means)
    along = np.concatenate([np.linspace(a, b, 12) for a, b in pairwise(path)] or [path])
    taken = [Bbox.from_bounds(x - 2, y - 2, 4, 4) for x, y in along]
    taken.append(draw_size_key(axes, largest, looks))
    # The line of means has the first label, at its last point.
    radii = np.append(np.sqrt(area / np.pi), 3.0)
    texts = {len(dots): "mean of each wage decile\n(a tenth of all workers)"}
    for row in labelled:
        texts[row] = style.balanced(dots["title"].iloc[row].split(", Except ")[0], 26)
    points = np.vstack([dots[["annual_wage_usd", "beta"]], means[-1:]])
    written = [
        row for row in style.label_points(axes, points, radii, texts, taken) if row in labelled
    ]
    axes.scatter(
        wages.iloc[written],
        dots["beta"].iloc[written],
        s=area.iloc[written].clip(lower=1.0),
        facecolor="none",
        edgecolor=style.BLUE,
        linewidth=0.7,
        zorder=2.5,
    )
    first, last = deciles.iloc[0], deciles.iloc[-1]
    top = deciles.loc[deciles["beta"].idxmax()]
    basis_of_wage = ""
    if (dots["wage_basis"] != "annual median").any():
        others = dots[dots["wage_basis"] != "annual median"]
        counts = others["wage_basis"].value_counts()
        kinds = ", ".join(f"{kind} in {n} occupations" for kind, n in counts.items())
        basis_of_wage = f" (where none is published: {kinds})"
    said = ", ".join(
        f"{percent(row['beta'])} in decile {int(row['decile'])}{what}"
        for row, what in ((first, ""), (top, " (the maximum)"), (last, ""))
    )
    caption = (
        f"Exposure β against the median annual wage{basis_of_wage} of {len(dots)} occupations, the "
        "area of a dot in proportion to its workers (together "
        f"{million(dots['employment_workers'].sum())}). Diamonds: employment-weighted mean of each "
        f"tenth of all workers by the wage of their occupation, {said}. {basis}; {MARKET}. "
        f"{source('aggregate', 'exposure_occupations', 'exposure_wage_deciles')}"
    )
    return Drawing(figure, caption)


def worth_labelling(dots: pd.DataFrame) -> list[int]:
    """Numbers of the rows to label: the largest, and the extremes in exposure and wage."""
    numbered = dots.reset_index(drop=True)
    workers, beta, wage = (
        numbered[name] for name in ("employment_workers", "beta", "annual_wage_usd")
    )
    sizeable = numbered[workers >= workers.quantile(0.8)]
    chosen = [
        *workers.nlargest(12).index,
        *sizeable["beta"].nlargest(5).index,
        *sizeable["annual_wage_usd"].nlargest(3).index,
        *beta.nlargest(2).index,
        *wage.nlargest(2).index,
    ]
    return list(dict.fromkeys(chosen))


def draw_size_key(axes: Axes, largest: float, looks: dict) -> Bbox:
    """Dots of some sizes with their employment in the upper right corner; its box in pixels."""
    sizes = [size for size in (100_000, 1_000_000, 4_000_000) if size <= largest] or [largest]
    within, x = axes.transAxes, 0.985 - 0.06 * len(sizes)
    middle = {"transform": within, "va": "center", "color": style.GREY}
    start = axes.text(x - 0.03, 0.95, "workers:", ha="right", **middle)
    for size in sizes:
        axes.scatter([x], [0.95], s=LARGEST_DOT * size / largest, transform=within, **looks)
        axes.text(x, 0.875, people(size), ha="center", **middle)
        x += 0.06
    box = start.get_window_extent()
    return Bbox([(box.x0, within.transform((0, 0.85))[1]), within.transform((1, 1))])


def place_rows(places: pd.DataFrame, nation: pd.Series, everyone: str) -> tuple[Figure, bool]:
    """A page-wide figure of `places` (label, employment_workers, rates) under a row of everyone.

    Also whether it has bars of shares (True) or lines from α to ζ.
    """
    rows = places.sort_values(["beta", "label"], ascending=[False, True])
    total = nation.to_dict() | {"label": everyone}
    rows = pd.concat([pd.DataFrame([total]), rows], ignore_index=True)
    labels = [
        style.wrapped(f"{label} ({people(workers)})", 62)
        for label, workers in zip(rows["label"], rows["employment_workers"], strict=True)
    ]
    lines = sum(label.count("\n") for label in labels)
    pitch = 0.2 if lines else 0.165
    figure = style.new_figure(style.FULL, 0.65 + pitch * len(rows))
    axes = figure.add_subplot()
    draw_rows(axes, rows, labels, nation["beta"])
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.axhline(0.5, color=style.GREY, linewidth=0.4)
    shares = has_shares(rows)
    key(axes, shares)
    style.percent_axis(axes.xaxis, "Share of tasks, employment-weighted")
    return figure, shares


def draw_rows(axes: Axes, rows: pd.DataFrame, labels: list[str], average: float) -> None:
    """One row each: bars of the three shares, or a line from α to ζ, with β as a dot."""
    y = np.arange(len(rows))
    style.rows_axis(axes, labels)
    axes.set_xlim(0, 1)
    if has_shares(rows):
        left = np.zeros(len(rows))
        for name, (_, colour) in SHARES.items():
            axes.barh(y, rows[name], left=left, height=0.74, color=colour, zorder=1)
            left += rows[name].to_numpy()
    else:
        style.guides(axes)
        axes.hlines(y, rows["alpha"], rows["zeta"], color=style.SKY, linewidth=3.0, zorder=1)
    axes.axvline(average, color=style.GREY, linewidth=0.6, linestyle=(0, (4, 2)), zorder=2)
    axes.plot(
        rows["beta"],
        y,
        "o",
        color=style.BLACK,
        markersize=4.4,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=3,
        clip_on=False,
    )


def key(axes: Axes, shares: bool, lift: float = 1.0) -> None:
    """What bars, lines and dots are, in one line above the axes (in axes heights)."""
    handles = (
        [Patch(color=colour, label=name) for name, colour in SHARES.values()]
        if shares
        else [Line2D([], [], color=style.SKY, linewidth=3.0, label="α to ζ")]
    )
    dot = {"marker": "o", "linestyle": "none", "color": style.BLACK, "markersize": 4.4}
    handles.append(Line2D([], [], label="β", **dot))
    handles.append(
        Line2D(
            [], [], color=style.GREY, linewidth=0.6, linestyle=(0, (4, 2)), label="β of all workers"
        )
    )
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, lift), ncols=len(handles))


def has_shares(rows: pd.DataFrame) -> bool:
    """Whether the rater tells substituted from complemented work."""
    return bool(rows[list(SHARES)].notna().all(axis=None))


def rows_meaning(shares: bool) -> str:
    """What a row of `draw_rows` shows, for its caption."""
    if shares:
        return (
            "Bars: share of tasks that are substituted (exposed, and a model could carry them out nearly "
            "alone), complemented (exposed, but not that) and untouched (not exposed); "
            "dots: β, with the dashed line at that of all workers."
        )
    return "Lines: from α to ζ; dots: β, with the dashed line at that of all workers."


def rated(places: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The `places` (with label) that have a β, and a sentence that names the others."""
    without = ", ".join(places.loc[places["beta"].isna(), "label"])
    sentence = (
        f" Left out, as none of their workers' tasks are rated: {without}." if without else ""
    )
    return places[places["beta"].notna()], sentence


def matched(places: pd.DataFrame) -> str:
    """How many of their workers the occupations with rated tasks have, for a caption."""
    low, high = places["matched_share"].min(), places["matched_share"].max()
    return f"means are over the {percent(low)} to {percent(high)} of them in occupations with rated tasks"


def short(title: str) -> str:
    """The title of an occupation as a label: at most 72 characters, with real dashes."""
    return shorten(title.replace("--", "–"), 72, placeholder=" …")


def definitions(labels: dict[str, float]) -> dict[str, str]:
    """What α, β and ζ are in classes, from class → score: β = E1 + ½ E2."""
    scored = sorted(((score, name) for name, score in labels.items() if score > 0), reverse=True)
    factors = {1.0: "", 0.5: "½ "}
    terms = {
        "alpha": [name for score, name in scored if score == 1],
        "beta": [f"{factors.get(score, f'{score:g} ')}{name}" for score, name in scored],
        "zeta": [name for _, name in scored],
    }
    return {
        measure: f"{MEASURES[measure]} = {' + '.join(of) or '0'}" for measure, of in terms.items()
    }
