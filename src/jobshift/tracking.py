"""Weights & Biases: offline where there is no key or no answer, and never in the way of training."""

import logging
import netrc
import os
import sys
from urllib.parse import urlparse

from jobshift.config import WandbOptions
from jobshift.errors import JobshiftError

MODES = ("auto", "online", "offline", "disabled")


def has_key() -> bool:
    """Whether W&B finds a key: in WANDB_API_KEY, or in the user's netrc for the W&B host."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def wandb_logger(options: WandbOptions, group: str, name: str, config: dict):
    """Start a W&B run in `group` and return its Lightning logger; None where W&B is disabled.

    W&B's own variables WANDB_RUN_GROUP and WANDB_NAME come before `group` and `name`; so a sweep groups
    and names the runs of its trials. A server that does not answer within 20 seconds makes the run an
    offline one. Raises JobshiftError for an unknown mode.
    """
    group = os.environ.get("WANDB_RUN_GROUP", group)
    name = os.environ.get("WANDB_NAME", name)
    mode = os.environ.get("WANDB_MODE", options.mode)
    if mode not in MODES:
        raise JobshiftError(f"wandb.mode is '{mode}'; choose one of {', '.join(MODES)}")
    if mode == "disabled":
        return None
    if mode == "auto":
        mode = "online" if has_key() else "offline"
        if mode == "offline":
            logging.info(
                "W&B: no key, so this run is logged offline; `wandb sync wandb/offline-run-*` sends it"
            )
    try:
        return start(options.project, group, name, config, mode)
    except Exception as error:  # W&B raises many kinds, and none may stop a training run
        if mode == "offline":
            logging.warning(
                "W&B could not start (%s); this run is not logged", type(error).__name__
            )
            return None
        logging.warning(
            "W&B does not answer (%s), so this run is logged offline", type(error).__name__
        )
        return start(options.project, group, name, config, "offline")


def start(project: str, group: str, name: str, config: dict, mode: str):
    """One W&B run, started now rather than at its first value."""
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    settings = wandb.Settings(
        init_timeout=20,
        finish_timeout=30,
        console="off",
        silent=True,
        disable_git=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
    )
    run = wandb.init(
        project=project, group=group, name=name, config=config, mode=mode, settings=settings
    )
    run.define_metric("*", step_metric="trainer/global_step")
    return WandbLogger(experiment=run)


def finish() -> None:
    """End the W&B run, if there is one; waits 30 seconds at most for a slow server."""
    if "wandb" in sys.modules:
        import wandb

        try:
            wandb.finish()
        except Exception as error:  # as above
            logging.warning("W&B could not finish the run (%s)", type(error).__name__)
