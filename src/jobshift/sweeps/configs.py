"""From a sweep's parameters to the config of a training run, and to the command that repeats it."""

import math
import re
import shlex
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from jobshift.config import CONF, RunConfig, explain, load_params
from jobshift.errors import JobshiftError
from jobshift.models.options import VALIDATION, monitored
from jobshift.stages import train
from jobshift.sweeps.options import Sweep
from jobshift.sweeps.space import active, contains, distributions, samples

# What a sweep decides by options of its own, or may not decide at all.
RESERVED = ("data", "model", "output", "seed", "study", "tokenizer", "wandb")


def flat(nested: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Nested options as paths: {a: {b: 1}} is {a.b: 1}."""
    paths = {}
    for key, value in nested.items():
        found = flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
        paths.update(found)
    return paths


def override(key: str, value: Any) -> str:
    """KEY=VALUE in Hydra's grammar, with all digits of a float."""
    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value)
        text = value if plain and not re.fullmatch("(?i)true|false|null|nan|inf", value) else None
        if text is None:
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            text = f"'{escaped}'"
    elif isinstance(value, list | tuple):
        text = f"[{','.join(override('', each)[1:] for each in value)}]"
    else:
        text = repr(value)
    return f"{key}={text}"


def overrides(sweep: Sweep, chosen: dict[str, Any], seed: int, output: str) -> list[str]:
    """What a training command says to be one run of a trial with the parameters `chosen`."""
    given = {**flat(sweep.fixed), **chosen}
    return [
        f"data={data_of(sweep)}",
        f"model={sweep.model}",
        *(override(key, value) for key, value in given.items()),
        f"seed={seed}",
        override("output", output),
    ]


def data_of(sweep: Sweep) -> str:
    """The data set of the sweep, or that of params.yaml."""
    return sweep.data or load_params().data


def command(given: Sequence[str], threads: int) -> str:
    """The shell command that trains with the overrides `given`, on as many threads."""
    return f"OMP_NUM_THREADS={threads} jobshift train {shlex.join(given)}"


@contextmanager
def hydra_in(folder: Path):
    """Hydra's compose for `folder`, also where a command of Hydra is under way."""
    kept = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folder.absolute()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = kept


def composed(given: Sequence[str]):
    """The training config that `given` overrides give, still open to change; errors are Hydra's."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=RunConfig)
    store.store(name="params", node={"study": load_params()})
    with hydra_in(CONF):
        return compose("train", overrides=list(given))


def training_config(given: Sequence[str]) -> RunConfig:
    """The config of one training run; JobshiftError where an override does not fit."""
    try:
        return OmegaConf.to_object(composed(given))
    except (HydraException, OmegaConfBaseException) as error:
        raise JobshiftError(explain(error)) from error


def checked(sweep: Sweep) -> RunConfig:
    """The training config of the model as its file has it, after trying what the sweep will change.

    Raises JobshiftError where the sweep cannot run: an objective that is not a validation measure, a
    parameter that training does not have, a value of the wrong type.
    """
    file = f"{CONF}/sweep/{sweep.name}.yaml"
    try:
        return check(sweep)
    except JobshiftError as error:
        raise JobshiftError(f"{file}: {error}") from error


def check(sweep: Sweep) -> RunConfig:
    """As `checked`, without the name of the file in errors."""
    if not re.fullmatch(r"[\w-]+", sweep.name):
        raise JobshiftError(f"name is '{sweep.name}'; letters, digits, '-' and '_' make a folder")
    if sweep.trials < 1 or not sweep.seeds or len(set(sweep.seeds)) < len(sweep.seeds):
        raise JobshiftError("it needs one trial or more, and one seed or more, each once")
    found = distributions(sweep.space)
    fixed = flat(sweep.fixed)
    for key in (*found, *fixed):
        if key.split(".")[0] in RESERVED:
            raise JobshiftError(f"{key} is not for a sweep to set")
        if key in found and key in fixed:
            raise JobshiftError(f"{key} is both in 'space' and in 'fixed'")
    try:
        tried = composed(overrides(sweep, {}, sweep.seeds[0], "models"))
        base: RunConfig = OmegaConf.to_object(tried)
    except (HydraException, OmegaConfBaseException) as error:
        raise JobshiftError(explain(error)) from error
    objectives = (*VALIDATION[base.data.task], "val_loss")
    if sweep.objective not in objectives:
        reason = ": a test measure must not choose the model" if "test" in sweep.objective else ""
        raise JobshiftError(
            f"objective is '{sweep.objective}'{reason}; choose one of {', '.join(objectives)}"
        )
    train.check(base)
    for key, values in samples(sweep.space).items():
        for value in values:
            accepts(tried, key, value)
    if sweep.hand_set:
        for key, value in own(sweep, base).items():
            if not contains(found[key], value):
                raise JobshiftError(
                    f"trial 0 is the model's file as it is, but its {key}={value} is not in the search "
                    "space; widen the space, or set hand_set: false"
                )
    if base.fit_on != "train":
        raise JobshiftError(
            f"{sweep.model} is fitted on validation, too (fit_on: {base.fit_on}), which then judges "
            "nothing; set fixed: {fit_on: train}"
        )
    if base.model.kind in train.NETWORKS:
        if base.training is None or base.optimizer is None:
            raise JobshiftError(f"{CONF}/model/{sweep.model}.yaml lacks 'training' or 'optimizer'")
        watched = monitored(base.training.monitor, base.data.task)
        if watched != sweep.objective and "training.monitor" not in found:
            raise JobshiftError(
                f"training keeps the epoch with the best {watched}, but the objective is "
                f"{sweep.objective}; set fixed: {{training.monitor: {sweep.objective}}}"
            )
    elif sweep.pruner.kind != "none":
        raise JobshiftError(f"{sweep.model} has no epochs to prune by; set pruner.kind: none")
    return base


def accepts(tried, key: str, value: Any) -> None:
    """Whether the training config has the option `key` and takes `value` for it as it is."""
    section, _, _ = key.rpartition(".")
    parent = OmegaConf.select(tried, section) if section else tried
    if parent is None:
        raise JobshiftError(f"space.{key}: this model has no section '{section}'")
    try:
        OmegaConf.update(tried, key, value)
        taken = OmegaConf.select(tried, key)
    except OmegaConfBaseException as error:
        raise JobshiftError(f"space.{key}: {explain(error)}") from error
    if taken != value or isinstance(taken, str) != isinstance(value, str):
        raise JobshiftError(
            f"space.{key}: the option is of the type {type(taken).__name__}, which {value!r} is not"
        )


def own(sweep: Sweep, base: RunConfig) -> dict[str, Any]:
    """The values that the model's file has for the parameters of the search space."""
    values: dict[str, Any] = {}
    for key, parameter in sweep.space.items():
        value = base
        for name in key.split("."):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        if active(parameter, values):
            values[key] = value
    return values


def most_epochs(sweep: Sweep, base: RunConfig) -> int:
    """The most epochs that a trial can have; 1 for a model without."""
    key = "training.epochs"
    if key in sweep.space:
        return math.ceil(max(samples(sweep.space)[key]))
    return base.training.epochs if base.training else 1


def folds(config: RunConfig) -> list[Path]:
    """The folds that a run trains on; JobshiftError where they are not prepared."""
    split = train.PREPARED / config.data.name / config.split
    found = sorted(path for path in split.glob("*") if path.name.isdigit())
    if not found:
        raise JobshiftError(f"{split} is missing or empty; run the stage prepare first")
    if train.reads_tokens(config):
        tokens = train.TOKENS / config.tokenizer.name
        if not (tokens / "report.json").is_file():
            raise JobshiftError(f"{tokens} is missing; run the stage tokenize first")
    return found


def definition(sweep: Sweep, base: RunConfig) -> dict[str, Any]:
    """All that decides what the trials of a sweep are, to notice a change when it is continued."""
    said = asdict(sweep)
    for key in ("name", "trials", "minutes"):
        del said[key]
    return {
        **said,
        "data": data_of(sweep),
        "training config or data": train.fingerprint(base, folds(base)),
    }
