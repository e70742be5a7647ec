"""paper: reports/paper.typ with every number from reports/tables/, compiled to reports/paper.pdf.

Reads reports/ and conf/ alone, so that the paper can be built from a clone without the data. Of a data set
whose labels are no degrees of exposure there is a note of one page in its place.
"""

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
from omegaconf import MISSING, OmegaConf

from jobshift import __version__
from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.outputs import complete_file

log = logging.getLogger(__name__)

SOURCE = Path("reports/paper.typ")
PAPER = Path("reports/paper.pdf")
TABLES = Path("reports/tables")
FIGURES = Path("reports/figures")
NAMES = Path("conf/figures.yaml")


@dataclass
class Config:
    """Schema of `conf/paper.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    rater: str = MISSING
    optional_figures: list[str] = field(default_factory=list)
    literals: list[str] = field(default_factory=list)


def run(config: Config) -> None:
    """Write reports/paper.pdf; JobshiftError where a number, table or figure is not as it must be."""
    from jobshift.report.paper import check_figures, compile_paper

    check_figures(FIGURES, TABLES)
    if config.data.no_exposure:
        content = note(config)
    else:
        (content,) = compile_paper(SOURCE, facts(config))
    with complete_file(PAPER) as partial:
        partial.write_bytes(content)
    log.info("%s, %.0f kB", PAPER, len(content) / 1000)


def note(config: Config) -> bytes:
    """What stands for the paper where there is no exposure."""
    from jobshift.report.kinds import kind_of
    from jobshift.report.note import compile_note

    file = TABLES / "metrics_mean.csv"
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; make it with `jobshift evaluate`")
    metrics = pd.read_csv(file, dtype={"model": str}, keep_default_na=False, na_values=[""])
    log.info("left out: %s; the paper is a note", config.data.no_exposure)
    data = config.data
    kind = kind_of(data.task, data.exposure)
    return compile_note(data.title, data.name, data.no_exposure, metrics, names(), kind)


def names() -> dict[str, str]:
    """Model or rater → its name for people."""
    return OmegaConf.to_object(OmegaConf.load(NAMES)["names"])


def facts(config: Config) -> dict:
    """What the source may ask about the study besides the tables: its selection and its names."""
    return {
        **asdict(config.study),
        "data": asdict(config.data),
        "rater": config.rater,
        "version": __version__,
        "optional_figures": config.optional_figures,
        "literals": config.literals,
        "names": names(),
    }
