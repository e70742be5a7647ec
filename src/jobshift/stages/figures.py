"""figures: every figure of the report as PDF and PNG, from reports/tables/ alone.

Also writes captions.json (figure → caption), whose numbers come from the same tables, and
drawn_from.json (figure → SHA-256 of each table that its caption names), by which the paper tells a
stale figure. A figure for which the study has nothing to show is left out, and the log says so: learning
curves without networks, the effect of the split without a contrast, agreement of raters without a second
rater, the top occupations where fewer than two are large, accuracy against cost where nobody measured the
costs, the need of labelled texts where no model learned from a part of them, what another kind of task has
(report/kinds.py), and all of exposure where the labels are no degrees of it. Each second test set has a
figure of its own; parts of the test set stand beside the whole.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.outputs import complete_folder, write_json
from jobshift.report.kinds import Kind, kind_of
from jobshift.report.paper import sha256

if TYPE_CHECKING:
    from jobshift.report import style

log = logging.getLogger(__name__)

TABLES = Path("reports/tables")
FIGURES = Path("reports/figures")

RUN = ["model", "seed", "split"]
RATES = ["alpha", "beta", "zeta", "substituted_share", "complemented_share", "untouched_share"]
PLACES = ["rater", "task_weighting", "exposure_from", "employment_workers", "matched_share", *RATES]
CLASSES = {"E0": "not exposed", "E1": "exposed directly", "E2": "exposed through software"}
# Table → the stage that makes it and the columns that are drawn; `needed` adds those of the kind of task.
NEEDED = {
    "exposure_major_groups": ("aggregate", ["title", *PLACES]),
    "exposure_industries": ("aggregate", ["industry", *PLACES]),
    "exposure_states": ("aggregate", ["state", "in_national", *PLACES]),
    "exposure_national": ("aggregate", ["rater", "measure", "value"]),
    "exposure_thresholds": (
        "aggregate",
        ["rater", "measure", "threshold", "n_workers", "workers_share"],
    ),
    "exposure_occupations": (
        "aggregate",
        ["rater", "soc", "title", "employment_workers", "annual_wage_usd", "wage_basis", *RATES],
    ),
    "exposure_wage_deciles": ("aggregate", ["rater", "decile", "wage_mean_usd", "beta"]),
    "metrics": (
        "evaluate",
        [*RUN, "metric", "value", "low", "high", "draws", "n_tasks", "n_groups", "n_occupations"],
    ),
    "calibration": ("evaluate", [*RUN, "bin", "confidence", "accuracy", "n"]),
    "confusion": ("evaluate", [*RUN, "label", "predicted", "n"]),
    "history": ("evaluate", [*RUN, "fold", "epoch", "step", "train_loss", "val_loss"]),
    # Those that another kind of task has are empty.
    "curves": ("evaluate", [*RUN, "curve", "x", "y"]),
    "classes": ("evaluate", [*RUN, "class", "n_test", "f1", "low", "high"]),
    "decodings": ("evaluate", [*RUN, "decoding", "metric", "value", "low", "high"]),
    # Without measured costs their columns are empty, without a learning curve its table is.
    "comparison": (
        "compare",
        ["model", "seeds", "training_seconds", "rating_texts_per_second", "threads"],
    ),
    "learning_curve": (
        "compare",
        [
            *("model", "percent", "seeds", "n_tasks", "metric", "value", "low", "high", "sd"),
            "behind_full",
        ],
    ),
    "reliability": ("evaluate", ["level", "variable", "raters", "measure", "value", "n"]),
    # Empty where the labels are no degrees of exposure; the second and third also where nothing is exported.
    "fairness": (
        "fairness",
        [
            *("model", "shown", "grouping", "group", "title", "n_tasks", "n_groups", "unreliable"),
            *("error", "error_low", "error_high", "signed_error", "signed_error_low"),
            *("signed_error_high", "expected_calibration_error", "calibration_by_chance", "draws"),
            *("expected_calibration_error_low", "expected_calibration_error_high", "p_holm"),
        ],
    ),
    "words": (
        "explain",
        [
            *("model", "word", "attribution", "low", "high", "n_tasks", "explained_tasks"),
            "complete_share",
        ],
    ),
    # These are empty where the study has not fetched what they compare with.
    "validity": (
        "validity",
        [
            *("level", "rater", "rated", "measure", "target", "method", "value", "low", "high"),
            *("n_units", "n_bridged", "n_unmatched"),
        ],
    ),
    "changes_summary": ("changes", ["kind", "reference", "rater", "n_tasks", "n_left_out"]),
    "changes_major_groups": (
        "changes",
        ["weighting", "major_group", "title", "employment_workers", "shift_beta", "beyond_beta"],
    ),
    "changes_activities": (
        "changes",
        ["level", "title", "n_tasks", "n_groups", "enough", "direction", "rank", "shift_beta"],
    ),
    "growth_quintiles": (
        "growth",
        [
            *("rater", "measure", "fifths_of", "outcome", "fifth", "value", "relative"),
            *("relative_low", "relative_high"),
        ],
    ),
    "growth_coverage": ("growth", ["rater", "release", "n_occupations", "n_rated", "rated_share"]),
    "growth_correlations": (
        "growth",
        [
            *("rater", "measure", "outcome", "weighting", "statistic", "controls", "value", "low"),
            *("high", "clustered_low", "clustered_high", "n_occupations", "n_clusters"),
        ],
    ),
    "growth_occupations": (
        "growth",
        [
            *("code", "title", "employment_2021_workers", "employment_log_change"),
            "median_wage_log_change",
        ],
    ),
}
# How the names of the figures begin that only labels with degrees of exposure have.
OF_EXPOSURE = ("exposure_", "workers_", "top_occupations", "validity", "changes_", "growth_")
# Read as text: names, codes, and ordinal numbers.
TEXT = (
    "model",
    "model_a",
    "model_b",
    "rater",
    "label",
    "predicted",
    "soc",
    "code",
    "major_group",
    "fifth",
    "release",
    "class",
    "decoding",
    "grouping",
    "group",
    "word",
)


@dataclass
class Config:
    """Schema of `conf/figures.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    rater: str = MISSING
    large_occupation_workers: int = 100000
    top: int = 25
    top_changes: int = 12
    top_words: int = 20
    coded: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def run(config: Config) -> None:
    """Draw every figure; JobshiftError where a table is missing or is not of this study."""
    kind = kind_of(config.data.task, config.data.exposure)
    tables = {name: read_table(name, needed(kind)) for name in NEEDED}
    check(config, tables, kind)
    # Matplotlib takes a second to load; a missing table is told before.
    from jobshift.report import style

    with complete_folder(FIGURES) as folder, style.print_style():
        captions, drawn_from = {}, {}
        for name, draw in drawings(config, tables, kind).items():
            drawing = draw()
            style.save(drawing.figure, folder, name)
            captions[name] = drawing.caption
            drawn_from[name] = {
                table: sha256(TABLES / f"{table}.csv")
                for table in re.findall(r"(\w+)\.csv", drawing.caption)
            }
        write_json(captions, folder / "captions.json")
        write_json(drawn_from, folder / "drawn_from.json")
    log.info("%d figures in %s, each as PDF and PNG", len(captions), FIGURES)


def needed(kind: Kind) -> dict[str, tuple[str, list[str]]]:
    """`NEEDED` with the columns of the kind's first measure."""
    stage, columns = NEEDED["comparison"]
    first = [f"{kind.first}{what}" for what in ("", "_low", "_high")]
    return NEEDED | {"comparison": (stage, [*columns, *first])}


def drawings(
    config: Config, tables: dict[str, pd.DataFrame], kind: Kind
) -> "dict[str, Callable[[], style.Drawing]]":
    """Name of each figure that this study has → what draws it."""
    from jobshift.report import (
        comparison_figures,
        exposure_figures,
        fairness_figures,
        growth_figures,
        model_figures,
        task_figures,
        validity_figures,
    )

    own = {
        name: table[table["rater"] == config.rater].drop(columns="rater").reset_index(drop=True)
        for name, table in tables.items()
        if "rater" in table and name.startswith(("exposure_", "growth_"))
    }
    whole, changes = with_values(tables["validity"]), tables["changes_summary"]
    activities = tables["changes_activities"]
    nation = own["exposure_national"].set_index("measure")["value"]
    history, raters, data = tables["history"], tables["reliability"], config.data
    measured = tables["metrics"]
    on_extra, on_parts = measured["split"].isin(data.extra), measured["split"].isin(kind.parts)
    metrics, second = measured[~on_extra & ~on_parts], measured[on_extra]
    parts = [part for part in kind.parts if part in set(measured["split"])]
    models = model_figures.best_first(metrics, config.names, kind)
    # A study may train a model on the easier splits alone.
    trained = models | {
        model: config.names.get(model, model)
        for model in metrics["model"].unique()
        if model not in models
    }
    # Raters stand beside the models, but give no probabilities.
    with_probabilities = {
        model: name for model, name in models.items() if model in config.study.all_models()
    }
    how = basis(config, tables["exposure_major_groups"]) if data.exposure else ""
    exposure, agreement = exposure_figures, model_figures
    occupations, deciles = own["exposure_occupations"], own["exposure_wage_deciles"]
    figures = {
        "exposure_by_major_group": lambda: exposure.by_major_group(
            own["exposure_major_groups"], nation, how
        ),
        "workers_over_threshold": lambda: exposure.workers_over_threshold(
            own["exposure_thresholds"], config.data.labels, how
        ),
        "exposure_by_wage": lambda: exposure.by_wage(occupations, deciles, how),
        "top_occupations": lambda: exposure.top_occupations(
            occupations, nation, how, config.large_occupation_workers, config.top
        ),
        "exposure_by_industry": lambda: exposure.by_industry(
            own["exposure_industries"], nation, how
        ),
        "exposure_by_state": lambda: exposure.by_state(own["exposure_states"], nation, how),
        "model_comparison": lambda: agreement.model_comparison(
            measured, models, kind, [model_figures.PRIMARY, *parts]
        ),
        "reliability_diagram": lambda: agreement.reliability_diagram(
            tables["calibration"], metrics, with_probabilities, kind
        ),
        "confusion_matrices": lambda: agreement.confusion_matrices(
            tables["confusion"], models, data.classes, kind, data.names
        ),
        "ranking_curves": lambda: task_figures.ranking_curves(
            tables["curves"], measured, tables["confusion"], models, kind, data.classes[-1]
        ),
        "classes": lambda: task_figures.classes(tables["classes"], models, data.names),
        "decodings": lambda: task_figures.decodings(tables["decodings"], models, kind),
        "learning_curves": lambda: agreement.learning_curves(history, models, kind),
        "split_effect": lambda: agreement.split_effect(metrics, trained, kind),
        "accuracy_cost": lambda: comparison_figures.accuracy_cost(
            tables["comparison"], config.names, kind, config.coded
        ),
        "learning_curve": lambda: comparison_figures.learning_curve(
            tables["learning_curve"], config.names, kind
        ),
        "fairness": lambda: fairness_figures.fairness(tables["fairness"], config.names),
        "words": lambda: fairness_figures.words(tables["words"], config.names, config.top_words),
        "rater_agreement": lambda: agreement.rater_agreement(raters),
        "validity": lambda: validity_figures.heat_map(whole, config.names),
        "changes_by_major_group": lambda: validity_figures.by_major_group(
            tables["changes_major_groups"], changes, config.names
        ),
        "changes_activities": lambda: validity_figures.moved_activities(
            activities, changes, config.names, config.top_changes
        ),
        "growth_by_quintile": lambda: growth_figures.by_quintile(
            own["growth_quintiles"], own["growth_coverage"], how
        ),
        "growth_scatter": lambda: growth_figures.scatter(
            tables["growth_occupations"],
            own["growth_correlations"],
            own["growth_coverage"],
            config.rater,
            how,
        ),
        "growth_slopes": lambda: growth_figures.slopes(
            with_values(tables["growth_correlations"]), config.names
        ),
    }
    for name in second["split"].unique():
        found = second[second["split"] == name]
        figures[f"model_comparison_{name}"] = lambda name=name, found=found: (
            agreement.model_comparison(
                found,
                {model: shown for model, shown in models.items() if model in set(found["model"])},
                kind,
                [name],
                name.replace("_", " "),
            )
        )
    for name in parts:
        if tables["curves"]["split"].eq(name).any():
            figures[f"ranking_curves_{name}"] = lambda name=name: task_figures.ranking_curves(
                tables["curves"],
                measured,
                tables["confusion"],
                models,
                kind,
                data.classes[-1],
                name,
            )
    if not data.exposure:
        log.info("left out the figures of exposure: %s", data.no_exposure)
        for name in [name for name in figures if name.startswith(OF_EXPOSURE)]:
            del figures[name]
    workers = occupations.loc[occupations["beta"].notna(), "employment_workers"]
    large = int((workers >= config.large_occupation_workers).sum())
    for name, nothing, why in (
        (
            "top_occupations",
            large < 2,
            f"occupations with at least {config.large_occupation_workers:,} workers: {large}",
        ),
        *(
            (name, tables[table].empty, f"{table}.csv is empty, as it is for this kind of task")
            for name, table in (
                ("reliability_diagram", "calibration"),
                ("confusion_matrices", "confusion"),
                ("ranking_curves", "curves"),
                ("classes", "classes"),
                ("decodings", "decodings"),
            )
        ),
        (
            "learning_curves",
            not history["split"].eq(model_figures.PRIMARY).any(),
            f"history.csv has no network on the {model_figures.PRIMARY} split",
        ),
        ("split_effect", metrics["split"].nunique() < 2, "the study has one split"),
        (
            "accuracy_cost",
            comparison_figures.with_costs(tables["comparison"], kind).empty,
            "comparison.csv has no costs; benchmarks/model_costs.py measures them",
        ),
        (
            "learning_curve",
            comparison_figures.of_first(tables["learning_curve"], kind).empty,
            "learning_curve.csv has no model that learned from a part of the labels",
        ),
        ("fairness", tables["fairness"].empty, "fairness.csv is empty"),
        ("words", tables["words"].empty, "words.csv is empty, nothing was exported"),
        ("rater_agreement", raters.empty, "reliability.csv is empty, there is one rater"),
        ("validity", whole.empty, "validity.csv is empty"),
        ("changes_by_major_group", changes.empty, "changes_summary.csv is empty"),
        (
            "changes_activities",
            activities.loc[activities["level"] == "iwa", "rank"].isna().all(),
            "no activity of changes_activities.csv has a rank",
        ),
        *(
            (name, own["growth_quintiles"].empty, "growth_quintiles.csv is empty")
            for name in ("growth_by_quintile", "growth_scatter", "growth_slopes")
        ),
    ):
        if nothing and name in figures:
            log.info("left out %s: %s", name, why)
            del figures[name]
    return figures


def with_values(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of raters with any value: who says the same of all occupations has no correlation."""
    return table[table["rater"].isin(table.loc[table["value"].notna(), "rater"])]


def read_table(name: str, needed: dict[str, tuple[str, list[str]]]) -> pd.DataFrame:
    """A table of reports/tables/; JobshiftError with the stage that makes it where it lacks."""
    stage, columns = needed[name]
    path = TABLES / f"{name}.csv"
    if not path.is_file():
        raise JobshiftError(f"{path}: there is no such table; make it with `jobshift {stage}`")
    # Only an empty field is missing: a model may be called "none" or "NA".
    text = dict.fromkeys([*TEXT, "controls"], str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    for column in columns:
        if column not in table:
            raise JobshiftError(
                f"{path}: there is no column '{column}'; make it again with `jobshift {stage}`"
            )
    return table


def check(config: Config, tables: dict[str, pd.DataFrame], kind: Kind) -> None:
    """Refuse runs of another study, a rater or a label that is not there, and values without sense."""
    runs = set(config.study.runs())
    metrics = tables["metrics"]
    second = metrics["split"].isin([*config.data.extra, *kind.parts])
    metrics = metrics[~metrics["model"].isin(config.data.raters) & ~second]
    found = set(metrics[["model", "split", "seed"]].itertuples(index=False, name=None))
    for model, split, seed in sorted(runs ^ found):
        problem = "lacks" if (model, split, seed) in runs else "has"
        raise JobshiftError(
            f"{TABLES / 'metrics.csv'} {problem} the run {model}, {split} split, seed {seed}, "
            f"{'which' if problem == 'lacks' else 'which no longer'} belongs to the study of "
            "params.yaml; make it again with `jobshift evaluate`"
        )
    raters = list(dict.fromkeys(tables["exposure_national"]["rater"]))
    if config.data.exposure and config.rater not in raters:
        raise JobshiftError(
            f"conf/figures.yaml: rater is '{config.rater}', but the tables of exposure have "
            f"{', '.join(raters)}; choose one of them"
        )
    # Without a network, nobody says by what it would be validated.
    if kind.validation not in tables["history"] and not tables["history"].empty:
        raise JobshiftError(
            f"{TABLES / 'history.csv'}: there is no column '{kind.validation}'; make it again with "
            "`jobshift evaluate`"
        )
    check_counts("conf/figures.yaml", config, ["top", "top_words"])
    unknown = sorted(set(tables["confusion"]["label"]) - set(config.data.classes))
    if unknown:
        raise JobshiftError(
            f"{TABLES / 'confusion.csv'} has the label {unknown[0]}, which is none of "
            f"{', '.join(config.data.classes)}; make it again with `jobshift evaluate`"
        )


def basis(config: Config, table: pd.DataFrame) -> str:
    """What is measured, whose ratings and how tasks count, for the captions of exposure."""
    from jobshift.report import exposure_figures

    of_rater = table[table["rater"] == config.rater].iloc[0]
    parts = [", ".join(exposure_figures.definitions(config.data.labels).values())]
    if set(config.data.labels) == set(CLASSES):
        parts[0] += f" ({', '.join(f'{name} {what}' for name, what in CLASSES.items())})"
    if config.rater in config.data.raters:
        who = f"rated by {config.data.raters[config.rater]}"
    else:
        who = f"predicted by {config.names.get(config.rater, config.rater)}"
    parts.append(f"labels: {config.data.title}, {who}")
    parts.append(
        "core tasks count twice"
        if of_rater["task_weighting"] == "core"
        else "all tasks of an occupation count the same"
    )
    if of_rater["exposure_from"] == "shares":
        parts.append("a task counts by its shares of the classes")
    return "; ".join(parts)
