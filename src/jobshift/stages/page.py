"""page: the comparison of the models as reports/comparison.html, which opens offline.

Made from the tables of evaluate and compare and from the figures, all of which lie inside the page.
Figures that were drawn from other tables than those that lie there now are refused.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING, OmegaConf

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file
from jobshift.report.kinds import Kind, kind_of
from jobshift.report.page import TABLES as SHOWN
from jobshift.report.page import Facts, Image, page
from jobshift.report.paper import CAPTIONS, check_figures, read_json, sha256
from jobshift.stages.figures import FIGURES, RUN, TABLES, read_table

log = logging.getLogger(__name__)

PAGE = Path("reports/comparison.html")
NAMES = Path("conf/figures.yaml")
ESTIMATE = ["value", "low", "high"]
# Table → the stage that makes it and the columns that the page cannot do without; `needed` adds those of
# the kind of task.
NEEDED = {
    "comparison": (
        "compare",
        [
            *("model", "seeds", "behind_best", "behind_best_low", "behind_best_high"),
            *("behind_best_p_holm", "parameters_total", "parameters_trained", "training_seconds"),
            *("training_texts_per_second", "peak_memory_mb", "rating_texts_per_second"),
            *("size_mb", "threads"),
        ],
    ),
    "comparisons": (
        "evaluate",
        ["split", "metric", "model_a", "model_b", "difference", "low", "high", "p_holm"],
    ),
    "learning_curve": (
        "compare",
        [
            *("model", "percent", "seeds", "n_tasks", "metric", *ESTIMATE, "sd"),
            *("behind_full", "behind_full_low", "behind_full_high"),
        ],
    ),
    "metrics": (
        "evaluate",
        [*RUN, "metric", *ESTIMATE, "draws", "n_tasks", "n_groups", "n_occupations"],
    ),
    "metrics_mean": ("evaluate", ["model", "split", "metric", *ESTIMATE, "sd", "n_tasks"]),
    # Those that another kind of task has are empty.
    "classes": (
        "evaluate",
        [*RUN, "class", "n_test", "threshold", "precision", "recall", "f1", "low", "high"],
    ),
    "decodings": ("evaluate", [*RUN, "decoding", "metric", *ESTIMATE]),
}


@dataclass
class Config:
    """Schema of `conf/page.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    figures: list[str] = field(default_factory=list)


def run(config: Config) -> None:
    """Write reports/comparison.html; JobshiftError where a table is missing or a figure is stale."""
    kind = kind_of(config.data.task, config.data.exposure)
    tables = {name: read_table(name, needed(kind)) for name in SHOWN}
    if tables["comparison"].empty:
        raise JobshiftError(
            f"{TABLES / 'comparison.csv'} has no model; make it again with `jobshift compare`"
        )
    check_figures(FIGURES, TABLES)
    study, raters = config.study, config.data.raters
    facts = Facts(
        study=study.name,
        data=config.data.title,
        rater=config.data.rated_by(study.rater),
        seeds=study.seeds,
        names=OmegaConf.to_object(OmegaConf.load(NAMES)["names"]),
        others=[rater for rater in raters if rater != study.rater],
        hashes={name: sha256(TABLES / f"{name}.csv") for name in SHOWN},
        kind=kind,
        extra=config.data.extra,
        classes=config.data.names,
    )
    shown = list(config.figures)
    if not config.data.exposure:  # the page is all of the report, as there is no paper
        first = shown.index("model_comparison") + 1 if "model_comparison" in shown else 0
        shown[first:first] = [f"model_comparison_{name}" for name in config.data.extra]
        shown += ["confusion_matrices", "split_effect", "learning_curves"]
    text = page(facts, tables, images(shown))
    with complete_file(PAGE) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    log.info("%s, %.0f kB", PAGE, len(text.encode()) / 1000)


def needed(kind: Kind) -> dict[str, tuple[str, list[str]]]:
    """`NEEDED` with the columns of the kind's first measure."""
    stage, columns = NEEDED["comparison"]
    first = [f"{kind.first}{what}" for what in ("", "_sd", "_low", "_high")]
    return NEEDED | {"comparison": (stage, [*first, *columns])}


def images(names: list[str]) -> list[Image]:
    """Those of the figures that the study has drawn."""
    captions = read_json(FIGURES / CAPTIONS)
    found = []
    for name in names:
        path = FIGURES / f"{name}.png"
        if name not in captions:
            log.info("left out %s: the study has no such figure", name)
            continue
        if not path.is_file():
            raise JobshiftError(f"{path} is missing; draw the figures with `jobshift figures`")
        found.append(Image(name, captions[name], path.read_bytes()))
    return found
