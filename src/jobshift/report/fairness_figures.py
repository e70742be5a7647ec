"""Figures of the stages fairness and explain: where the model that is shown errs, and which words move it.

`names` maps models to their names for people; a model without one goes by its own.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobshift.report import style
from jobshift.report.style import Drawing, percent, source
from jobshift.report.tables import listed, number

INTERVAL = "95 % intervals from a bootstrap of leak groups"
# Grouping → what heads its rows, how a row is called there, and grouping and group in a caption.
GROUPINGS = {
    "major_group": ("SOC major groups", "{group} {title}", "SOC major group", "{title}"),
    "wage_decile": ("Wage deciles", "{group}: {title}", "wage decile", "wage decile {group}"),
    "job_zone": ("Job zones", "{group}: {title}", "job zone", "job zone {group}"),
}
# Measure → what its panel says below its axis.
MEASURES = {
    "error": "Wrong class (%)",
    "signed_error": "Signed error of β (points)",
    "expected_calibration_error": "Calibration error (points)",
}
ROW = 0.148  # inches


def fairness(table: pd.DataFrame, names: dict[str, str]) -> Drawing:
    """Error, signed error of exposure and calibration error by group, of the model that is `shown`.

    `table` is fairness.csv; a row of panels a grouping, a column a measure.
    """
    own = table[table["shown"].astype(bool)]
    everyone = own[own["grouping"] == "all"].iloc[0]
    groupings = [name for name in GROUPINGS if (own["grouping"] == name).any()]
    parts = [own[own["grouping"] == name].reset_index(drop=True) for name in groupings]
    heights = [len(part) + 1.0 for part in parts]
    figure = style.new_figure(style.FULL, ROW * sum(heights) + 0.3 * len(parts) + 0.25)
    grid = figure.subplots(
        len(parts), len(MEASURES), sharex="col", sharey="row", squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for line, part, grouping in zip(grid, parts, groupings, strict=True):
        style.rows_axis(line[0], [row_label(row) for row in part.to_dict("records")])
        for label, row in zip(line[0].get_yticklabels(), part.itertuples(), strict=True):
            label.set_fontweight("bold" if row.unreliable else "normal")
        line[0].set_title(GROUPINGS[grouping][0], loc="right", fontweight="bold", x=-0.04)
        for axes, measure in zip(line, MEASURES, strict=True):
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            draw_measure(axes, part, measure, everyone[measure])
    for axes, (measure, label) in zip(grid[-1], MEASURES.items(), strict=True):
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}".replace("-", "−"))
        if measure != "signed_error":
            axes.set_xlim(left=0)
    return Drawing(figure, fairness_caption(own, everyone, groupings, names))


def row_label(row: dict) -> str:
    """A group with its code, its title and the number of its tasks, without mathematics in it."""
    label = f"{GROUPINGS[row['grouping']][1].format_map(row)} ({row['n_tasks']:,})"
    return label.replace("$", r"\$")


def draw_measure(axes: Axes, part: pd.DataFrame, measure: str, overall: float) -> None:
    """Dots with intervals of one measure, the overall value as a line."""
    style.guides(axes)
    if measure == "signed_error":
        axes.axvline(0, color=style.LIGHT, linewidth=0.8, zorder=1)
    axes.axvline(overall, color=style.GREY, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    for y, row in enumerate(part.to_dict("records")):
        judged = not np.isnan(row["p_holm"])
        colour = style.VERMILLION if row["unreliable"] else style.BLUE if judged else style.GREY
        ends = row[f"{measure}_low"], row[f"{measure}_high"]
        axes.hlines(y, *ends, color=colour, linewidth=1.0, zorder=2)
        axes.plot(
            row[measure], y, "D" if row["unreliable"] else "o", color=colour, markersize=3.4,
            markerfacecolor=colour if judged else "white", zorder=3, clip_on=False,
        )  # fmt: skip
        if measure == "expected_calibration_error":
            chance = row["calibration_by_chance"]
            axes.plot(chance, y, "|", color=style.BLACK, markersize=5.5, zorder=4)


def fairness_caption(
    own: pd.DataFrame, everyone: pd.Series, groupings: list[str], names: dict[str, str]
) -> str:
    """What the figure shows, of which model, and which groups are unreliable."""
    model = everyone["model"]
    bad = [
        f"{GROUPINGS[row['grouping']][3].format_map(row)} ({percent(row['error'], 0)} wrong)"
        for row in own[own["unreliable"].astype(bool)].to_dict("records")
    ]
    small = int(own["p_holm"].isna().sum()) - 1
    hollow = f" Hollow: {small} with too few tasks to be judged." if small else ""
    return (
        f"Where {names.get(model, model)} errs: the {everyone['n_tasks']:,} held-out tasks of the purged "
        f"split by {listed([GROUPINGS[name][2] for name in groupings])} (in brackets the tasks). Share "
        f"of wrong classes (of all {percent(everyone['error'])}), mean predicted less mean labelled β "
        f"({number(100 * everyone['signed_error'], 1)} points), and expected calibration error "
        f"({number(100 * everyone['expected_calibration_error'], 1)} points); dashed: all tasks; {INTERVAL}. "
        "Diamonds: error significantly above that of the other tasks (5 %, Holm over the groups of a "
        f"kind): {listed(bad)}. Upright ticks: the calibration error that chance gives so few tasks if "
        f"every probability is right.{hollow} {source('fairness', 'fairness')}"
    )


def words(table: pd.DataFrame, names: dict[str, str], top_words: int) -> Drawing:
    """The `top_words` words that raise exposure most, and those that lower it most, with intervals.

    `table` is words.csv, of which the first model is drawn.
    """
    own = table[table["model"] == table["model"].iloc[0]]
    ordered = own.sort_values(["attribution", "word"], ascending=[False, True])
    raising = ordered[ordered["attribution"] > 0].head(top_words)
    lowering = ordered[ordered["attribution"] < 0].tail(top_words)[::-1]
    figure = style.new_figure(style.FULL, ROW * max(len(raising), len(lowering)) + 0.6)
    grid = figure.subplots(1, 2)
    for axes, part, colour, what in zip(
        grid, (raising, lowering), (style.BLUE, style.VERMILLION), ("raise", "lower"), strict=True
    ):
        style.guides(axes)
        style.rows_axis(axes, [f"{row.word} ({row.n_tasks:,})" for row in part.itertuples()])
        y = np.arange(len(part))
        axes.axvline(0, color=style.LIGHT, linewidth=0.8, zorder=1)
        axes.hlines(y, part["low"], part["high"], color=colour, linewidth=1.0, zorder=2)
        axes.plot(part["attribution"], y, "o", color=colour, markersize=3.4, zorder=3)
        axes.set_title(f"Words that {what} exposure", loc="left", fontweight="bold")
        axes.xaxis.set_major_formatter(
            lambda share, _: f"{round(100 * share, 6):g}".replace("-", "−")
        )
        axes.set_xlabel("Mean attribution to β (points)")
    first = own.iloc[0]
    complete = percent(first["complete_share"])
    caption = (
        f"Words that raise and lower the exposure β that {names.get(first['model'], first['model'])} "
        f"predicts: mean integrated gradients over their occurrences in {first['explained_tasks']:,} "
        "held-out tasks of the purged split, against the same task with every word blanked "
        f"(in brackets the tasks that have the word); {INTERVAL}; the two scales differ. The attributions "
        f"of a task sum to the difference that they explain, within the tolerance in {complete} of the tasks. "
        "They tell what this model reads, not what makes work exposed. "
        f"{source('explain', 'words')}"
    )
    return Drawing(figure, caption)
