"""Frames as LaTeX tables (booktabs) that a paper can \\input, with what they count as comments.

A table is a bare `tabular`: the paper gives the caption, the comment at its top says what the
caption must say. Needs `\\usepackage{booktabs}` and no other package. All text is escaped here and
only here, and Greek letters become math, so that cells can be written as plain text.
"""

import math
from collections.abc import Sequence

import pandas as pd

UNDEFINED = "–"

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "[": "{[}",  # After \\ a bracket would be read as a length.
    "]": "{]}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "≥": r"$\ge$",
    "½": r"$\frac{1}{2}$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "ζ": r"$\zeta$",
    "κ": r"$\kappa$",
    "ρ": r"$\rho$",
    "\n": " ",
}

# The measures of the main table and how a table heads them. A data set has those of its kind of task, which
# stand in this order.
MAIN = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "exact_match": "Exact match",
    "any_match": "Any match",
    "f1_micro": "Micro-F1",
    "cohen_kappa": "Cohen's κ",
    "f1_macro": "Macro-F1",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "cohen_kappa_quadratic": "Weighted κ",
    "expected_calibration_error": "ECE",
    "occupation_beta_pearson": "Occupation β, r",
    "occupation_beta_mae": "Occupation β, MAE",
    "hierarchical_f1": "Hierarchical F1",
    "label_ranking_average_precision": "Label-ranking AP",
    "subset_accuracy": "All classes right",
    "rouge_l": "ROUGE-L",
    "bleu": "BLEU",
    "chrf": "chrF",
    "cosine": "Cosine",
    "known_title": "Known title",
}

# What a model costs and how a table heads it.
COSTS = {
    "parameters_total": "Parameters",
    "parameters_trained": "trained",
    "training_seconds": "Training, s",
    "peak_memory_mb": "Memory, MB",
    "rating_texts_per_second": "Texts/s",
    "size_mb": "Size, MB",
}

SPLITS = ("purged", "major_group", "random")

RELIABILITY = {
    "agreement": "Agreement",
    "cohen_kappa": "Cohen's κ",
    "cohen_kappa_quadratic": "Weighted κ",
    "krippendorff_alpha_nominal": "Krippendorff's α, nominal",
    "krippendorff_alpha_ordinal": "Krippendorff's α, ordinal",
}


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(ESCAPES.get(character, character) for character in text)


def number(value: float, digits: int = 3) -> str:
    """A number with a fixed number of digits; an undefined one (NaN) is a dash, −0 is 0."""
    if math.isnan(value):
        return UNDEFINED
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def interval(low: float, high: float, digits: int = 3) -> str:
    """An interval as [low, high]; empty where it is undefined."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def spread(value: float, sd: float, digits: int = 3) -> str:
    """A mean ± the standard deviation over the seeds; the mean alone where there is none (NaN)."""
    return number(value, digits) + ("" if math.isnan(sd) else f" ± {number(sd, digits)}")


def amount(value: float) -> str:
    """A count or cost from 0 up: whole, or with about three digits; not measured (NaN) is a dash."""
    if math.isnan(value):
        return UNDEFINED
    if 0 < value < 0.01:
        return "<0.01"
    digits = 0 if value >= 100 or float(value).is_integer() else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def listed(items: Sequence[str]) -> str:
    """Items in words: a, b and c; none."""
    items = list(items)
    return " and ".join([", ".join(items[:-1])] * (len(items) > 1) + items[-1:]) or "none"


def booktabs(frame: pd.DataFrame, notes: list[str], blocks: str | None = None) -> str:
    """`frame` as a LaTeX table: the first column flush left, the others flush right.

    Cells are plain text or numbers (floats with three digits, NaN as a dash). `notes` become
    comments above the table. With `blocks`, the name of a column, that column is not printed: each
    run of equal values in it heads a block of rows.
    """
    columns = [column for column in frame if column != blocks]
    lines = ["% " + " ".join(note.split()) for note in notes]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\toprule", _row(columns)]
    block = None
    for position, record in enumerate(frame.to_dict("records")):
        if position == 0 or (blocks and record[blocks] != block):
            lines.append(r"\midrule")
            if blocks:
                block = record[blocks]
                lines.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{\emph{{{escape(block)}}}}} \\")
        lines.append(_row([record[column] for column in columns]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def metrics_table(metrics: pd.DataFrame, notes: list[str], units: str) -> str:
    """The main table of the paper: models by main measures, each value above its interval.

    `metrics` is long, one row a split, model and metric, in the order to print: columns split,
    model, metric, value, low, high, n_tasks, n_groups, n_occupations. Measures that it lacks are left out.
    `units` is what n_tasks counts.
    """
    rows = []
    measures = [metric for metric in MAIN if metric in set(metrics["metric"])]
    for (split, model), part in metrics.groupby(["split", "model"], sort=False):
        cells = part.set_index("metric").loc[measures]
        sizes = part.iloc[0]
        heading = (
            f"{split_title(split)}: {sizes.n_tasks:,} {units} in {sizes.n_groups:,} leak groups"
            + (f", {sizes.n_occupations:,} occupations" if sizes.n_occupations else "")
        )
        rows.append([heading, model, *map(number, cells["value"])])
        rows.append([heading, "", *map(interval, cells["low"], cells["high"])])
    columns = ["split", "Model", *(MAIN[metric] for metric in measures)]
    return booktabs(pd.DataFrame(rows, columns=columns), notes, "split")


def comparisons_table(comparisons: pd.DataFrame, notes: list[str]) -> str:
    """Differences between models, one block a metric.

    `comparisons` has columns split, metric, model_a, model_b, difference, low, high, p, p_holm.
    """
    table = pd.DataFrame(
        {
            "block": [
                f"{split_title(split)}: {MAIN.get(metric, metric)}"
                for split, metric in zip(comparisons["split"], comparisons["metric"], strict=True)
            ],
            "Models": comparisons["model_a"] + " − " + comparisons["model_b"],
            "Difference": map(number, comparisons["difference"]),
            "95 % interval": map(interval, comparisons["low"], comparisons["high"]),
            "p": map(number, comparisons["p"]),
            "p (Holm)": map(number, comparisons["p_holm"]),
        }
    )
    return booktabs(table, notes, "block")


def comparison_table(comparison: pd.DataFrame, metrics: list[str], notes: list[str]) -> str:
    """Models by measures, distance to the best and costs, each value above its interval.

    `comparison` has columns model, for each of `metrics` itself and _sd, _low and _high, behind_best
    with _low, _high and _p_holm, and those of `COSTS`, which are left out where nothing was measured.
    """
    costs = [column for column in COSTS if comparison[column].notna().any()]
    columns = ["Model", *(MAIN.get(metric, metric) for metric in metrics), "Behind", "p (Holm)"]
    rows = []
    for record in comparison.to_dict("records"):
        values = [spread(record[metric], record[f"{metric}_sd"]) for metric in metrics]
        ends = [
            interval(record[f"{m}_low"], record[f"{m}_high"]) for m in [*metrics, "behind_best"]
        ]
        behind = [number(record[column]) for column in ("behind_best", "behind_best_p_holm")]
        spent = [amount(float(record[column] or "nan")) for column in costs]
        rows.append([record["model"], *values, *behind, *spent])
        rows.append(["", *ends, "", *[""] * len(costs)])
    columns += [COSTS[column] for column in costs]
    return booktabs(pd.DataFrame(rows, columns=columns), notes)


def learning_curve_table(curve: pd.DataFrame, notes: list[str], first: str, units: str) -> str:
    """Percents of the training tasks by measures, one block a model, each value above its interval.

    `curve` is long, in the order to print: columns model, percent, n_tasks, metric, value, low, high,
    sd, and behind_full with _low and _high, of which that of the measure `first` is printed. `units` is
    what n_tasks counts.
    """
    metrics = list(dict.fromkeys(curve["metric"]))
    rows = []
    for (model, percent), part in curve.groupby(["model", "percent"], sort=False):
        of = part.set_index("metric").loc[metrics]
        behind = of.loc[first, ["behind_full", "behind_full_low", "behind_full_high"]]
        values = map(spread, of["value"], of["sd"])
        tasks = f"{part['n_tasks'].iloc[0]:,}"
        rows.append([model, f"{percent} %", tasks, *values, number(behind.iloc[0])])
        ends = map(interval, of["low"], of["high"])
        rows.append([model, "", "", *ends, interval(*behind.iloc[1:])])
    heads = [MAIN.get(metric, metric) for metric in metrics]
    columns = ["model", "Learnt from", units.capitalize(), *heads, "Behind"]
    return booktabs(pd.DataFrame(rows, columns=columns), notes, "model")


def reliability_table(reliability: pd.DataFrame) -> str:
    """Agreement between raters: columns level, variable, raters, measure, value, n."""
    notes = [
        "n: units that both raters (pairs) or at least two raters (alpha) rated; all count alike.",
        "Weighted kappa: squared difference of the ordinal scores. Alpha: Krippendorff (2011).",
    ]
    table = pd.DataFrame(
        {
            "block": reliability["variable"].str.capitalize() + " by " + reliability["level"],
            "Measure": reliability["measure"].map(RELIABILITY),
            "Raters": reliability["raters"].str.replace("-", "–"),
            "Value": map(number, reliability["value"]),
            "n": [f"{n:,}" for n in reliability["n"]],
        }
    )
    return booktabs(table, notes, "block")


def split_title(split: str) -> str:
    """The name of a split as a heading: major_group is "Major group split"; a second test set as it is."""
    return split.replace("_", " ").capitalize() + (" split" if split in SPLITS else "")


def _row(cells: list[object]) -> str:
    texts = [number(cell) if isinstance(cell, float) else str(cell) for cell in cells]
    return " & ".join(map(escape, texts)) + r" \\"
