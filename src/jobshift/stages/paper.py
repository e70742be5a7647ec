"""paper: reports/paper.typ with every number from reports/tables/, compiled to reports/paper.pdf.

Reads reports/ and conf/ alone, so that the paper can be built from a clone without the data.
"""

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

from omegaconf import MISSING, OmegaConf

from jobshift import __version__
from jobshift.config import DataConfig, Study
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
    (content,) = compile_paper(SOURCE, facts(config))
    with complete_file(PAPER) as partial:
        partial.write_bytes(content)
    log.info("%s, %.0f kB", PAPER, len(content) / 1000)


def facts(config: Config) -> dict:
    """What the source may ask about the study besides the tables: its selection and its names."""
    return {
        **asdict(config.study),
        "data": asdict(config.data),
        "rater": config.rater,
        "version": __version__,
        "optional_figures": config.optional_figures,
        "literals": config.literals,
        "names": OmegaConf.to_object(OmegaConf.load(NAMES)["names"]),
    }
