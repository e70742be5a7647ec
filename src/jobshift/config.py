"""Typed configs, composed by Hydra from `conf/` and the command line.

Each verb has a primary config `conf/VERB.yaml` whose defaults list starts with `VERB_schema`, the
stage's dataclass; so an unknown key or a wrong type is an error. `params.yaml` selects the study: the
verbs that work on all of its runs find its values as defaults under `study`.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from jobshift.errors import JobshiftError
from jobshift.models.options import (
    EncoderOptions,
    EnsembleOptions,
    GenerationOptions,
    LookupOptions,
    LoraOptions,
    LossOptions,
    LstmOptions,
    ModelOptions,
    NearestOptions,
    OptimizerOptions,
    ProbeOptions,
    Seq2SeqOptions,
    SiameseOptions,
    StudentOptions,
    SvmOptions,
    TfidfOptions,
    TokenizerOptions,
    TrainingOptions,
)

CONF = Path("conf")
PARAMS = Path("params.yaml")
PREPARED = Path("data/prepared")
# What may be asked of a text: one class, one class of two texts, any number of classes, another text.
TASK_KINDS = ("classification", "pairs", "multilabel", "generation")

# A stage's outputs are those that dvc.yaml names: Hydra keeps no log folder of its own.
QUIET = [
    "hydra.run.dir=.",
    "hydra.sweep.dir=outputs",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
]


@dataclass
class DataConfig:
    """What a data set is called, who reads it and which labels it has; `conf/data/NAME.yaml`."""

    name: str = MISSING
    title: str = MISSING
    # onet, gpts_are_gpts, csco, onet_activity, onet_pairs, onet_generalize, csv; empty: the one of the data
    # set's own name.
    reader: str = ""
    task: str = "classification"  # one of TASK_KINDS; the reader must give this kind
    # The labels are degrees of exposure and the texts belong to O*NET occupations: so α, β and ζ and the
    # labour market make sense.
    exposure: bool = False
    # With exposure: class → score in [0, 1] on the ordinal scale, in ordinal order; β is the expected score.
    # Else a list of classes; empty, with the reader csv: those that `prepare` finds in the file. Texts to be
    # generated have none.
    labels: Any = None
    # Class → what figures call it, where that is not the class itself.
    names: dict[str, str] = field(default_factory=dict)
    # Second test sets, of which nothing is learnt; the reader must know them.
    extra: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    # Who rated the tasks: name → who that is. `params.yaml` selects one by `rater`. Empty: the labels are
    # those of the data themselves, and `rater` says nothing.
    raters: dict[str, str] = field(default_factory=dict)
    # Rater → the rater whose automation classes go with its exposure classes.
    automation: dict[str, str] = field(default_factory=dict)
    # Part (train, val, test) → how many pairs are drawn for it, where the task is pairs.
    pairs: dict[str, int] = field(default_factory=dict)
    # The file of the reader csv and its columns, see texts/own_file.py: null is none, auto that of the name.
    path: str = ""
    format: str | None = None
    text: str = "text"
    label: str | None = "label"
    pair: str | None = None
    group: str | None = "auto"
    weight: str | None = None
    language: str | None = "auto"
    id: str | None = "auto"

    def __post_init__(self) -> None:
        """Raise JobshiftError where the values do not fit together."""
        file = f"conf/data/{self.name}.yaml"
        if self.task not in TASK_KINDS:
            raise JobshiftError(f"{file}: task is '{self.task}'; choose {' or '.join(TASK_KINDS)}")
        if self.exposure and not isinstance(self.labels, dict):
            raise JobshiftError(
                f"{file}: exposure is true, so labels must give each class its score in [0, 1], as in "
                "{E0: 0.0, E1: 1.0}"
            )
        if not isinstance(self.labels, dict | list | None):
            raise JobshiftError(
                f"{file}: labels is {self.labels!r}; list the classes, as in [a, b]"
            )
        for name in self.labels or []:
            # Without quotation marks YAML reads yes, no, on and off as true and false.
            if isinstance(name, bool) or not isinstance(name, str | int | float):
                raise JobshiftError(
                    f"{file}: labels has {name!r}; write classes as words, if need be in quotation marks"
                )
        if isinstance(self.labels, dict):
            for name, score in self.labels.items():
                if isinstance(score, bool) or not isinstance(score, int | float):
                    raise JobshiftError(
                        f"{file}: labels: the score of {name} is {score!r}, which is no number; a data "
                        "set without exposure lists its classes, as in [a, b]"
                    )
            self.labels = {str(name): float(score) for name, score in self.labels.items()}
        elif self.labels:
            self.labels = [str(name) for name in self.labels]
            if len(set(self.labels)) < len(self.labels):
                raise JobshiftError(f"{file}: labels names a class twice: {self.labels}")
        self.check_task(file)

    def check_task(self, file: str) -> None:
        """Raise JobshiftError where a key does not go with the kind of task."""
        if self.exposure and self.task != "classification":
            raise JobshiftError(
                f"{file}: exposure is true, which goes with the task classification, not {self.task}"
            )
        if self.task == "generation" and self.labels:
            raise JobshiftError(
                f"{file}: the task is generation, whose targets are texts; leave labels empty"
            )
        # A label is the names of its classes, joined by blanks.
        parted = [name for name in self.labels or [] if len(name.split()) != 1]
        if self.task == "multilabel" and parted:
            raise JobshiftError(
                f"{file}: labels has {parted[0]!r}; where several classes may apply, a class is one word: "
                "write it without blanks, and what figures call it under names"
            )
        if self.task != "pairs" and self.pairs:
            raise JobshiftError(f"{file}: pairs is for the task pairs; this one is {self.task}")

    @property
    def classes(self) -> list[str]:
        """The classes in order: those of `labels`, else those that `prepare` found in the file.

        An empty list where texts are generated. Raises JobshiftError where neither is there.
        """
        if self.labels or self.task == "generation":
            return list(self.labels or [])
        card = PREPARED / self.name / "card.json"
        if not card.is_file():
            raise JobshiftError(
                f"conf/data/{self.name}.yaml lists no labels, and {card}, which has those that were found, "
                f"is missing; run `jobshift prepare data={self.name}` first"
            )
        return json.loads(card.read_text(encoding="utf-8"))["classes"]

    @property
    def scale(self) -> "dict[str, float] | list[str]":
        """The classes with their scores where the data set has exposure, else the classes alone."""
        return self.labels if self.exposure else self.classes

    def named(self, label: str) -> str:
        """A class with what it is called: `M2 Professionals`, or the class itself."""
        return f"{label} {self.names[label]}" if label in self.names else label

    @property
    def no_exposure(self) -> str:
        """Why stages that measure exposure leave this data set out; empty where they do not."""
        return "" if self.exposure else f"the labels of {self.name} are no degrees of exposure"

    def rated_by(self, rater: str) -> str:
        """Who `rater` is, or where the labels come from in a data set without raters."""
        return self.raters.get(rater, rater) if self.raters else "the data set itself"


@dataclass
class Contrast:
    """Which models are also trained on the easier splits, to show what the split does."""

    models: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)


@dataclass
class Transfer:
    """Which models learn from each of these raters, to be judged by the labels of all of them."""

    models: list[str] = field(default_factory=list)
    raters: list[str] = field(default_factory=list)


@dataclass
class Derived:
    """Which models are made of the runs of another one: ensembles and students."""

    base: str = "minilm"  # the other one
    models: list[str] = field(default_factory=list)


@dataclass
class LearningCurve:
    """Which models also learn from a part of the training tasks: how many labels does one need?"""

    models: list[str] = field(default_factory=list)
    percents: list[int] = field(default_factory=lambda: [10, 25, 50])


@dataclass
class Folds:
    """How many purged folds: 1 holds out one part; above 1, every task is held out once."""

    folds: int = 1


@dataclass
class Study:
    """The selection in `params.yaml`: which runs there are and what is reported of them."""

    name: str = MISSING
    data: str = MISSING
    models: list[str] = MISSING
    seeds: list[int] = MISSING
    rater: str = "rubric"  # whose labels train and judge
    sources: list[str] = field(default_factory=list)
    tokenizers: list[str] = field(default_factory=list)
    split: Folds = field(default_factory=Folds)
    contrast: Contrast = field(default_factory=Contrast)
    transfer: Transfer = field(default_factory=Transfer)
    derived: Derived = field(default_factory=Derived)
    learning_curve: LearningCurve = field(default_factory=LearningCurve)
    # The source of the pretrained encoder, which DVC watches; what reads it says a model's file.
    encoder: str = "minilm"
    # The model whose run on the primary split with the first seed is exported and explained; empty: none.
    export: str = ""
    own_data: str = ""  # folder of texts of one's own, which DVC watches; nothing else reads this

    def all_models(self) -> list[str]:
        """The models on the primary split, those made of others last."""
        return [*self.models, *self.derived.models]

    def runs(self) -> list[tuple[str, str, int]]:
        """Every run of the study as (model, split, seed), the primary split first."""
        primary = [(model, "purged", seed) for model in self.all_models() for seed in self.seeds]
        contrast = [
            (model, split, seed)
            for split in self.contrast.splits
            for model in self.contrast.models
            for seed in self.seeds
        ]
        return primary + contrast

    def check_sources(self, data: DataConfig) -> None:
        """Raise JobshiftError unless the study fetches every source of `data`."""
        fetched = {*self.sources, "rubric_ratings"}  # our ratings have a stage of their own
        for source in data.sources:
            if source not in fetched:
                raise JobshiftError(
                    f"the data set {data.name} needs the source {source}; add it to `sources` in "
                    "params.yaml, which says how"
                )


@dataclass
class WandbOptions:
    """Weights & Biases."""

    mode: str = "auto"  # auto: online where there is a key, else offline; offline; disabled
    project: str = "jobshift"


@dataclass
class RunConfig:
    """One run: a model's file (`conf/model/NAME.yaml`) on one data set and split with one seed."""

    data: DataConfig = MISSING
    split: str = "purged"
    seed: int = 0
    # A rater of the data set to learn from; empty: the one whose labels the study judges by.
    learn_from: str = ""
    # train, or all: also validation and what is kept out for its sake; then nothing is validated.
    fit_on: str = "train"
    # Share of the training tasks, by whole leak groups, that are learnt from; above 0, up to 1.
    train_share: float = 1.0
    # Where the run is written, as <output>/<model>/<split>-<seed>[-<learn_from>][-<percent learnt from>]/.
    output: str = "models"
    model: ModelOptions = MISSING
    tokenizer: TokenizerOptions | None = None
    lookup: LookupOptions | None = None
    tfidf: TfidfOptions | None = None
    svm: SvmOptions | None = None
    probe: ProbeOptions | None = None
    ensemble: EnsembleOptions | None = None
    nearest: NearestOptions | None = None
    lstm: LstmOptions | None = None
    encoder: EncoderOptions | None = None
    siamese: SiameseOptions | None = None  # with `encoder`
    seq2seq: Seq2SeqOptions | None = None
    generation: GenerationOptions | None = None  # with `seq2seq`
    # What an encoder may have besides: adapters in the place of its weights, a teacher.
    lora: LoraOptions | None = None
    student: StudentOptions | None = None
    loss: LossOptions = field(default_factory=LossOptions)
    optimizer: OptimizerOptions | None = None
    training: TrainingOptions | None = None
    wandb: WandbOptions = field(default_factory=WandbOptions)
    study: Study = MISSING


def compose_and_run(
    verb: str, schema: type, run: Callable[[Any], None], arguments: list[str]
) -> None:
    """Compose `conf/VERB.yaml` with `arguments` and call `run` with an instance of `schema`.

    With `--multirun` among the arguments, once for each combination. The data set is the one that
    `params.yaml` selects unless `data=NAME` is given. Raises JobshiftError where there is no `conf/`
    here, or where a file, key or value does not fit.
    """
    if not (CONF / f"{verb}.yaml").is_file():
        raise JobshiftError(
            f"there is no {CONF / verb}.yaml here; run jobshift in the top folder of a study, "
            "for example in a clone of the repository"
        )
    selected = load_params()
    store = ConfigStore.instance()
    store.store(name=f"{verb}_schema", node=schema)
    store.store(name="params", node={"study": selected})
    names = {entry.name for entry in fields(schema)}
    if "data" in names and not any(argument.startswith("data=") for argument in arguments):
        arguments = [f"data={selected.data}", *arguments]

    failed: list[JobshiftError] = []

    def task(composed: DictConfig) -> None:
        # One failed run of a --multirun does not take the others with it.
        try:
            run(OmegaConf.to_object(composed))
        except JobshiftError as error:
            failed.append(error)
        except OmegaConfBaseException as error:
            failed.append(JobshiftError(explain(error)))

    # Hydra would catch our errors and print its own; with this it hands them on.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    arguments = [in_quotes(argument) for argument in arguments]
    sys.argv = [f"jobshift {verb}", *overrides_first([*QUIET, *arguments])]
    decorate = hydra.main(version_base="1.3", config_path=str(CONF.absolute()), config_name=verb)
    try:
        decorate(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise JobshiftError(explain(error)) from error
    if failed:
        others = f" (and {len(failed) - 1} more runs failed)" if failed[1:] else ""
        raise JobshiftError(f"{failed[0]}{others}") from failed[0]


def in_quotes(argument: str) -> str:
    """KEY=VALUE with VALUE in quotation marks where it has letters that Hydra reads in no other way.

    These are all but those of ASCII. Lists, and what is in quotation marks already, stay as they are.
    """
    key, equals, value = argument.partition("=")
    if not equals or value.isascii() or value[0] in "[{'\"":
        return argument
    return f"{key}='{value.replace(chr(39), chr(92) + chr(39))}'"


def overrides_first(arguments: list[str]) -> list[str]:
    """Put Hydra's flags behind the overrides; its parser takes overrides in one row only."""
    with_value = ("--cfg", "-c", "--info", "-i", "--package", "-p")
    flags = [
        each
        for before, each in zip(["", *arguments], arguments, strict=False)
        if each.startswith("-") or before in with_value
    ]
    return [each for each in arguments if each not in flags] + flags


def load_params() -> Study:
    """Read `params.yaml` as a `Study`; JobshiftError where a key or value of it does not fit."""
    if not PARAMS.is_file():
        raise JobshiftError(f"there is no {PARAMS} here; it selects the study (see README.md)")
    try:
        study = OmegaConf.merge(OmegaConf.structured(Study), OmegaConf.load(PARAMS))
        return OmegaConf.to_object(study)
    except (OmegaConfBaseException, YAMLError) as error:
        raise JobshiftError(f"{PARAMS}: {explain(error)}") from error


def check_counts(file: str, config, keys: Sequence[str]) -> None:
    """Raise JobshiftError where one of the `keys` (`draws`, `sample.one_in`) of `file` is below 1."""
    for key in keys:
        if (value := attrgetter(key)(config)) < 1:
            raise JobshiftError(f"{file}: {key} is {value}; it must be at least 1")


def explain(error: Exception) -> str:
    """Put an error of Hydra, OmegaConf or YAML into one sentence without their internals."""
    lines = [
        line.strip() for each in (error, error.__cause__) for line in str(each or "").splitlines()
    ]
    key = getattr(error, "full_key", None) or getattr(error.__cause__, "full_key", None)
    noise = (
        "full_key:",
        "object_type=",
        "reference_type=",
        "Config search path",
        "provider=",
        "To append",
    )
    said = list(dict.fromkeys(line for line in lines if line and not line.startswith(noise)))
    sentence = re.sub(r" raised while composing config:", ":", " ".join(said))
    sentence = re.sub(r"In '([^']+)':", rf"{CONF}/\1.yaml:", sentence)
    if "LexerNoViableAlt" in sentence:
        sentence += (
            "; in a list, put words with other letters than a to z in quotation marks, as in "
            "'data.labels=[\"naïve\"]'"
        )
    if key and key not in sentence:
        sentence = f"{key}: {sentence}"
    return sentence
