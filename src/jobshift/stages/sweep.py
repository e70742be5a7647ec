"""sweep: search a model's options by training it many times, judged by validation alone.

The same command continues a sweep that was stopped; several processes or machines that start it share the
work. What is searched and how is in `conf/sweep/NAME.yaml`.
"""

import logging

from jobshift.sweeps.configs import checked
from jobshift.sweeps.launchers import launch
from jobshift.sweeps.options import Config as Config
from jobshift.sweeps.worker import study_of


def run(config: Config) -> None:
    """Run the trials that are missing, then write reports/sweeps/<name>/ and the tuned model's file."""
    base = checked(config.sweep)
    study = study_of(config, base)
    launch(config)
    from jobshift.sweeps.report import write_report

    write_report(config, study)
    logging.info("sweep %s: see reports/sweeps/%s/", config.sweep.name, config.sweep.name)
