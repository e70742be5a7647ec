"""The figures of a sweep, in the style of all others: PDF and PNG, each with its caption.

fANOVA (Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for assessing hyperparameter importance")
comes from Optuna; the rest is drawn from trials.csv and costs.csv.
"""

from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import MaxNLocator, NullLocator

from jobshift.report import style
from jobshift.report.style import Drawing
from jobshift.sweeps.options import Sweep
from jobshift.sweeps.report import shown
from jobshift.sweeps.space import distributions
from jobshift.sweeps.storage import Point

NAMES = {
    "val_cohen_kappa": "Cohen's κ",
    "val_accuracy": "accuracy",
    "val_f1_micro": "micro-F1",
    "val_label_ranking_average_precision": "label-ranking average precision",
    "val_token_accuracy": "accuracy of tokens",
    "val_exact_match": "exact match",
    "val_loss": "cross-entropy",
}
GREY_TO_BLUE = LinearSegmentedColormap.from_list("grey_to_blue", [style.PALE, style.SKY, "#003A5C"])
TREES = 64


def draw(
    sweep: Sweep, ended: list[Point], trials: pd.DataFrame, costs: pd.DataFrame, folder: Path
) -> dict[str, str]:
    """Write every figure for which there are enough trials; figure → caption."""
    trials = trials.assign(
        value=pd.to_numeric(trials[sweep.objective]), seconds=costs["seconds"].to_numpy()
    )
    done = trials[trials["state"] == "done"]
    with style.print_style():
        drawings = {"history": history(sweep, trials), "cost": cost(sweep, done)}
        varied = [key for key in sweep.space if done[key].nunique() > 1]
        if varied:
            drawings["slices"] = slices(sweep, done, varied)
            drawings["parallel_coordinates"] = parallel_coordinates(sweep, done, varied)
        shares = importance(sweep, ended)
        if shares:
            drawings["importance"] = importances(sweep, shares, len(done))
        for name, drawing in drawings.items():
            style.save(drawing.figure, folder, name)
    for name in ("importance", "slices", "parallel_coordinates"):
        if name not in drawings:  # of an earlier report with more trials
            for ending in style.METADATA:
                (folder / f"{name}.{ending}").unlink(missing_ok=True)
    return {name: drawing.caption for name, drawing in sorted(drawings.items())}


def label(sweep: Sweep) -> str:
    """The objective for people."""
    return f"{NAMES[sweep.objective]} on validation"


def better(sweep: Sweep) -> str:
    """Which end of the objective is the good one."""
    return "lower" if sweep.objective == "val_loss" else "higher"


def drawn(sweep: Sweep, done: pd.DataFrame) -> str:
    """What the figures are drawn from, for their captions."""
    return f"Sweep {sweep.name}, {len(done)} finished trials; {better(sweep)} is better."


def best_row(sweep: Sweep, done: pd.DataFrame) -> pd.Series:
    """The best finished trial, the first of equals."""
    values = done["value"]
    return done.loc[values.idxmin() if sweep.objective == "val_loss" else values.idxmax()]


def history(sweep: Sweep, trials: pd.DataFrame) -> Drawing:
    """The value of every trial and the best so far, with those that ended early."""
    done = trials[trials["state"] == "done"]
    figure = style.new_figure(style.COLUMN, 2.2)
    axes = figure.add_subplot()
    style.guides(axes, "y")
    best = done["value"].cummin() if sweep.objective == "val_loss" else done["value"].cummax()
    axes.step(done["trial"], best, where="post", color=style.BLUE, label="best so far", zorder=2)
    axes.plot(
        done["trial"],
        done["value"],
        "o",
        color=style.BLACK,
        markersize=3,
        label="finished",
        zorder=3,
    )
    bottom = axes.get_ylim()[0]
    for state, mark, colour in (("pruned", "v", style.GREY), ("failed", "x", style.VERMILLION)):
        ended = trials[trials["state"] == state]
        if len(ended):
            height = np.full(len(ended), bottom)
            axes.plot(
                ended["trial"], height, mark, color=colour, label=state, clip_on=False, zorder=4
            )
    axes.set_ylim(bottom=bottom)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(label(sweep))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
    counts = trials["state"].value_counts()
    caption = (
        f"{label(sweep)} of each trial and the best so far. Trials without a value stand at the bottom: "
        f"{counts.get('pruned', 0)} pruned, {counts.get('failed', 0)} failed. {drawn(sweep, done)}"
        f"{' Trial 0 is the hand-set model.' if sweep.hand_set else ''}"
    )
    return Drawing(figure, caption[0].upper() + caption[1:])


def cost(sweep: Sweep, done: pd.DataFrame) -> Drawing:
    """Value against training time, with the trials that no other beats in both."""
    figure = style.new_figure(style.COLUMN, 2.2)
    axes = figure.add_subplot()
    style.guides(axes, "both")
    known = done.dropna(subset="seconds").sort_values(["seconds", "trial"])
    axes.plot(known["seconds"], known["value"], "o", color=style.GREY, markersize=3)
    running = known["value"].cummin() if sweep.objective == "val_loss" else known["value"].cummax()
    front = known[~running.duplicated()]
    axes.step(front["seconds"], front["value"], where="post", color=style.BLUE, zorder=2)
    axes.plot(front["seconds"], front["value"], "o", color=style.BLUE, markersize=4, zorder=3)
    for row in front.itertuples():
        axes.annotate(
            f"{row.trial}",
            (row.seconds, row.value),
            (0, 4),
            textcoords="offset points",
            ha="center",
        )
    axes.set_xlim(left=0)
    axes.margins(y=0.15)
    axes.set_xlabel("training time (s)")
    axes.set_ylabel(label(sweep))
    caption = (
        f"{label(sweep)} against training time. Blue, with their numbers: trials to which no faster one "
        f"is equal. {drawn(sweep, done)} Seconds differ from run to run; they are in costs.csv."
    )
    return Drawing(figure, caption)


def positions(sweep: Sweep, key: str, values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Where texts of trials.csv stand on the axis of a parameter; the choices of a categorical.

    Categories are their places in line; NaN where a trial does not have the parameter.
    """
    if sweep.space[key].type != "categorical":
        return pd.to_numeric(values.replace("", np.nan)).to_numpy(float), []
    names = [shown(each) for each in sweep.space[key].choices]
    places = {name: float(n) for n, name in enumerate(names)}
    return values.map(places).to_numpy(float), names


def slices(sweep: Sweep, done: pd.DataFrame, varied: list[str]) -> Drawing:
    """The value of each trial against each parameter."""
    columns = min(4, len(varied)) if len(varied) > 2 else len(varied)
    rows = -(-len(varied) // columns)
    width = style.COLUMN if len(varied) <= 2 else style.FULL
    figure = style.new_figure(width, 0.3 + 1.45 * rows)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    best = best_row(sweep, done)
    for axes, key in zip(grid.flat, varied, strict=False):
        at, names = positions(sweep, key, done[key])
        style.guides(axes, "y")
        axes.plot(at, done["value"], "o", color=style.GREY, markersize=3, alpha=0.7)
        place = at[done.index.get_loc(best.name)]
        axes.plot(place, best["value"], "o", color=style.BLUE, markersize=4.5, zorder=3)
        axis_of(axes, sweep, key, names)
        axes.set_xlabel(key)
    for axes in grid.flat[len(varied) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(NAMES[sweep.objective])
    caption = (
        f"{label(sweep)} of each trial against each parameter; blue: the best trial "
        f"({best['trial']}). {drawn(sweep, done)} Dots overlap where values are equal."
    )
    return Drawing(figure, caption)


def axis_of(axes: Axes, sweep: Sweep, key: str, names: list[str]) -> None:
    """Ticks of a parameter: its choices, whole numbers, or a logarithm."""
    if names:
        axes.set_xticks(range(len(names)), [style.wrapped(name, 12) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
        return
    low, high = sweep.space[key].low, sweep.space[key].high
    if sweep.space[key].log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(low / (high / low) ** 0.04, high * (high / low) ** 0.04)
    else:
        whole = sweep.space[key].type == "int"
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=whole))
        axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def parallel_coordinates(sweep: Sweep, done: pd.DataFrame, varied: list[str]) -> Drawing:
    """A line a trial through all parameters to its value, the good ones dark and in front."""
    sign = -1 if sweep.objective == "val_loss" else 1
    ordered = done.assign(rank=sign * done["value"]).sort_values(["rank", "trial"])
    figure = style.new_figure(style.FULL, 2.6)
    axes = figure.add_subplot()
    heights, ticks = [], []
    for key in varied:
        at, names = positions(sweep, key, ordered[key])
        low, high = (0, len(names) - 1) if names else (sweep.space[key].low, sweep.space[key].high)
        log = not names and sweep.space[key].log
        scale = np.log if log else np.asarray
        heights.append((scale(at) - scale(low)) / (scale(high) - scale(low)))
        if names:
            ticks.append([(n / (len(names) - 1), name) for n, name in enumerate(names)])
        else:
            ticks.append([(0.0, f"{low:g}"), (1.0, f"{high:g}")])
    low, high = ordered["value"].min(), ordered["value"].max()
    span = high - low or 1.0
    heights.append(((ordered["value"] - low) / span).to_numpy())
    ticks.append([(0.0, f"{low:.3f}"), (1.0, f"{high:.3f}")])
    lines = np.column_stack(heights)
    colours = Normalize(*sorted((sign * low, sign * high)))
    for row, rank in zip(lines, ordered["rank"], strict=True):
        axes.plot(row, color=GREY_TO_BLUE(colours(rank)), linewidth=0.9, zorder=2)
    for place, marks in enumerate(ticks):
        axes.axvline(place, color=style.LIGHT, linewidth=0.6, zorder=1)
        for height, text in marks:
            axes.annotate(
                text, (place, height), (2.5, 0), textcoords="offset points", va="center", zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
            )  # fmt: skip
    axes.set_xticks(
        range(len(ticks)),
        ["\n".join(style.wrapped(part, 10) for part in key.split(".")) for key in varied]
        + [NAMES[sweep.objective]],
    )
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    axes.set_ylim(-0.08, 1.08)
    axes.set_xlim(-0.15, len(ticks) - 0.55)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(
        ScalarMappable(Normalize(low, high), GREY_TO_BLUE if sign > 0 else GREY_TO_BLUE.reversed()),
        ax=axes, shrink=0.8, aspect=30, pad=0.01,
    )  # fmt: skip
    bar.outline.set_visible(False)
    bar.set_label(label(sweep))
    gaps = " Lines break at parameters that a trial does not have." if np.isnan(lines).any() else ""
    caption = f"The parameters of each trial and its {label(sweep)}; dark: good.{gaps} {drawn(sweep, done)}"
    return Drawing(figure, caption)


def importance(sweep: Sweep, ended: list[Point]) -> dict[str, float]:
    """Share of the variance of the objective by parameter, largest first; empty with too few trials.

    Parameters that some trials do not have are left out, as fANOVA needs all of each trial.
    """
    done = [point.trial for point in ended if point.state == "done"]
    keys = [key for key in sweep.space if all(key in trial.params for trial in done)]
    keys = [key for key in keys if len({trial.params[key] for trial in done}) > 1]
    if len(done) < 4 or not keys or len({trial.value for trial in done}) < 2:
        return {}
    # A study of its own, in the order of the points: the forest depends on the order.
    found = distributions(sweep.space)
    study = optuna.create_study(direction="maximize")
    for trial in done:
        study.add_trial(
            optuna.create_trial(
                params={key: trial.params[key] for key in keys},
                distributions={key: found[key] for key in keys},
                value=trial.value,
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def importances(sweep: Sweep, shares: dict[str, float], trials: int) -> Drawing:
    """Bars of the importance of each parameter."""
    figure = style.new_figure(style.COLUMN, 0.5 + 0.2 * len(shares))
    axes = figure.add_subplot()
    style.guides(axes)
    style.rows_axis(axes, list(shares))
    for row, share in enumerate(shares.values()):
        axes.barh(row, share, height=0.6, color=style.BLUE)
        axes.text(share, row, f" {100 * share:.0f}", va="center")
    style.percent_axis(axes.xaxis, f"share of the variance of {NAMES[sweep.objective]}")
    axes.set_xlim(0, max(shares.values()) * 1.12)
    left = [key for key in sweep.space if key not in shares]
    missing = f" Left out, as not all trials vary in them: {', '.join(left)}." if left else ""
    caption = (
        f"Importance of the parameters for {label(sweep)}: fANOVA (Hutter et al. 2014) over "
        f"{trials} finished trials, {TREES} trees.{missing} With few trials such shares are rough."
    )
    return Drawing(figure, caption)
