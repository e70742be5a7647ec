"""train: fit one model on one split with one seed, and predict every text of every part.

A second test set of the data set is one more part, predicted on the primary split by the models that read
nothing but texts. Which kinds of models there are, and for which tasks, KINDS says; a further kind of
network is built in `network_of`. Models that write texts are in `train_generation.py`.

Folds are fitted one after another. Finished folds, and the last finished epoch of an unfinished one,
wait in checkpoints/ until the whole run is written; an interrupted run goes on from there if its config
and data are still the same. An ensemble and a student read the predictions of runs in models/.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.config import DataConfig, RunConfig
from jobshift.errors import JobshiftError
from jobshift.models.options import monitored
from jobshift.outputs import complete_folder, write_csv, write_json, write_parquet

PREPARED = Path("data/prepared")
TOKENS = Path("data/tokens")
MODELS = Path("models")
CHECKPOINTS = Path("checkpoints")
PARTS = ("train", "near", "val", "test")
NETWORKS = ("lstm", "encoder", "siamese", "seq2seq")
BASELINES = ["majority", "lookup", "tfidf", "svm", "probe", "ensemble"]
CLASSIFIERS = [*BASELINES, "lstm", "encoder", "siamese"]
# Task of a data set → the kinds of models that learn it. Where several classes may apply to a text, its
# classes have no shares that sum to 1, which `lookup` and `svm` are made for.
KINDS = {
    "classification": CLASSIFIERS,
    "pairs": CLASSIFIERS,
    "multilabel": [kind for kind in CLASSIFIERS if kind not in ("lookup", "svm")],
    "generation": ["majority", "nearest", "seq2seq"],
}
# What changes nothing in a run: where it is logged, the other runs, where it is written.
NOT_THE_RUN = ("wandb", "study", "output")
# What a model trains on: `all` adds validation and the part kept out for its sake.
FIT_ON = {"train": ["train"], "all": ["train", "near", "val"]}
PRIMARY = "purged"
DIGITS = "%.9g"  # of thresholds
Config = RunConfig


def run(config: RunConfig, callbacks: Sequence = ()) -> None:
    """Write <output>/<model>/<run_name>/: predictions, history, each fold's model, the run's config.

    `callbacks` are Lightning callbacks that a network's training calls as well.
    """
    check(config)
    split = PREPARED / config.data.name / config.split
    folds = sorted(
        (path for path in split.glob("*") if path.name.isdigit()), key=lambda p: int(p.name)
    )
    if not folds:
        raise JobshiftError(
            f"{split} is missing or empty; run the stage prepare, or choose another split"
        )
    for file in prepared_files(config, folds):
        if not file.is_file():
            raise JobshiftError(f"{file} is missing; run the stage prepare again")
    if reads_tokens(config):
        check_tokens(config)
    name = f"{config.model.name}/{run_name(config, config.seed)}"
    scratch = CHECKPOINTS / config.output / name
    claim(scratch, fingerprint(config, folds))
    logger = tracker(config)
    try:
        for fold in folds:
            if not (scratch / fold.name / "finished").is_dir():
                if len(folds) > 1 and config.model.kind in NETWORKS:
                    logging.info("%s: fold %s of %d", name, fold.name, len(folds))
                fit_fold(config, fold, scratch / fold.name, logger, callbacks)
    finally:
        if logger:
            from jobshift.tracking import finish

            finish()
    with complete_folder(Path(config.output, name)) as folder:
        gather(config, [scratch / fold.name / "finished" for fold in folds], folder)
    shutil.rmtree(scratch)


def check(config: RunConfig) -> None:
    """Refuse what makes no sense, before anything is read."""
    check_kind(config)
    if not config.output or Path(config.output).is_absolute() or ".." in Path(config.output).parts:
        raise JobshiftError(
            f"output is '{config.output}'; name a folder within the study, such as runs/first, as its "
            "name is also that of the run's checkpoints"
        )
    if config.fit_on not in FIT_ON:
        raise JobshiftError(f"fit_on is '{config.fit_on}'; choose train or all")
    raters = config.data.raters
    if config.learn_from and config.learn_from not in raters:
        raise JobshiftError(
            f"learn_from is '{config.learn_from}', but the data set {config.data.name} was rated by "
            f"{', '.join(raters)}"
        )
    if config.loss.targets not in ("soft", "hard"):
        raise JobshiftError(f"loss.targets is '{config.loss.targets}'; choose soft or hard")
    if config.loss.several not in ("auto", "softmax", "binary"):
        raise JobshiftError(
            f"loss.several is '{config.loss.several}'; choose auto, softmax or binary"
        )
    if config.loss.logit_l2 < 0:
        raise JobshiftError(f"loss.logit_l2 is {config.loss.logit_l2:g}; it must be at least 0")
    if config.training:
        monitored(config.training.monitor, config.data.task)
    if not 0 < config.train_share <= 1:
        raise JobshiftError(
            f"train_share is {config.train_share:g}; it must be above 0 and at most 1"
        )
    if config.model.kind == "ensemble":
        seeds = section(config, "ensemble").seeds
        if not seeds or len(set(seeds)) < len(seeds):
            raise JobshiftError(f"ensemble.seeds is {seeds}; name at least one seed, each once")
    if (student := config.student) and not (0 <= student.weight <= 1 and student.temperature > 0):
        raise JobshiftError(
            f"student.weight is {student.weight:g} and student.temperature {student.temperature:g}; "
            "the weight must be from 0 to 1, the temperature above 0"
        )


def check_kind(config: RunConfig) -> None:
    """Refuse a kind of model that there is not, or that cannot learn the data set's task."""
    model, data = config.model, config.data
    file = f"conf/model/{model.name}.yaml"
    every = list(dict.fromkeys(kind for kinds in KINDS.values() for kind in kinds))
    if model.kind not in every:
        raise JobshiftError(
            f"{file}: model.kind is '{model.kind}'; choose one of {', '.join(every)}"
        )
    if model.kind not in KINDS[data.task]:
        raise JobshiftError(
            f"{file}: a model of the kind {model.kind} cannot learn the data set {data.name}, whose task is "
            f"{data.task}; choose one of the kinds {', '.join(KINDS[data.task])}"
        )
    if several(config) and config.student:
        raise JobshiftError(
            f"{file}: a student learns the probabilities of the one class of a text, but in {data.name} "
            "several may apply; choose a model without `student`, such as minilm_frozen"
        )
    if several(config) and needs_activities(config):
        raise JobshiftError(
            f"{file}: probe.hierarchy reads the codes of a text's activities, of which the classes of "
            f"{data.name} are made; choose a model that reads the text alone, such as minilm_probe"
        )
    if model.kind == "seq2seq" and config.loss.logit_l2:
        raise JobshiftError(
            f"{file}: loss.logit_l2 is for networks that classify; leave it at 0 for one that writes"
        )


def several(config: RunConfig) -> bool:
    """Whether any number of classes may apply to a text of the data set."""
    return config.data.task == "multilabel"


def each_by_itself(config: RunConfig, rows: pd.DataFrame) -> bool:
    """Whether each of several classes is a yes or no of its own, and not a share of one distribution.

    Decided by the `rows` of all parts but the test.
    """
    how = config.loss.several
    if how == "auto":
        read = rows["part"].isin(FIT_ON["all"])
        how = "binary" if (rows["label"][read] == "").any() else "softmax"
    return several(config) and how == "binary"


def reads_tokens(config: RunConfig) -> bool:
    """Whether the model reads what the stage tokenize wrote; other networks only use its tokenizer."""
    if not config.tokenizer:
        return False
    return config.model.kind in ("lstm", "encoder") or bool(config.tokenizer.kind)


def prepared_files(config: RunConfig, folds: list[Path]) -> list[Path]:
    """The prepared files that a run reads."""
    files = [fold / f"{part}.parquet" for fold in folds for part in PARTS]
    if config.data.task == "generation":
        files.append(PREPARED / config.data.name / "titles.json")
    return [*files, *extra_files(config).values()]


def check_tokens(config: RunConfig) -> None:
    """JobshiftError where the tokens are missing or of other texts than those that are prepared."""
    from jobshift.stages.tokenize import prepared_hash

    file = TOKENS / config.tokenizer.name / "report.json"
    command = f"`jobshift tokenize data={config.data.name} tokenizer={config.tokenizer.name}`"
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; run the stage tokenize first: {command}")
    if json.loads(file.read_text(encoding="utf-8")).get("prepared") != prepared_hash(config.data):
        raise JobshiftError(f"{file.parent} has the tokens of other texts; run {command} again")


def run_name(config: RunConfig, seed: int) -> str:
    """<split>-<seed>, and what a run learns from: -<another rater>, -<percent of the training tasks>."""
    name = f"{config.split}-{seed}"
    if config.learn_from:
        name += f"-{config.learn_from}"
    if config.train_share < 1:
        name += f"-{100 * config.train_share:g}"
    return name


def other_runs(config: RunConfig) -> list[Path]:
    """Predictions that this run is made from: of an ensemble's members, or of a student's teacher.

    Runs with the same split that learn from the same tasks; JobshiftError where one is missing.
    """
    if config.model.kind == "ensemble":
        wanted = [(config.ensemble.model, seed) for seed in config.ensemble.seeds]
    elif config.student:
        wanted = [(config.student.teacher, config.seed)]
    else:
        return []
    files = []
    for model, seed in wanted:
        file = MODELS / model / run_name(config, seed) / "predictions.parquet"
        if not file.is_file():
            same = [f"split={config.split}", f"seed={seed}"]
            if config.learn_from:
                same.append(f"learn_from={config.learn_from}")
            if config.train_share < 1:
                same.append(f"train_share={config.train_share:g}")
            raise JobshiftError(
                f"{config.model.name} is made from {file.parent}, which is missing; run "
                f"`jobshift train model={model} {' '.join(same)}` first"
            )
        files.append(file)
    return files


def other_probabilities(
    file: Path, fold: Path, rows: pd.DataFrame, classes: list[str]
) -> np.ndarray:
    """Probabilities [rows, classes] of another run on a fold for `rows`, which have id and part.

    Raises JobshiftError where it did not have one of them in that part: it was made on other data.
    """
    found = pd.read_parquet(file)
    found = found[found["fold"] == int(fold.name)].set_index(["part", "id"])
    wanted = pd.MultiIndex.from_frame(rows[["part", "id"]])
    missing = wanted[~wanted.isin(found.index)]
    if len(missing):
        part, name = missing[0]
        raise JobshiftError(
            f"{file} does not have the task {name} in the part {part} of fold {fold.name}: it is of "
            "another data set or split; train that run again"
        )
    return found.loc[wanted, [f"p_{name}" for name in classes]].to_numpy()


def fingerprint(config: RunConfig, folds: list[Path]) -> str:
    """Hash of all that decides a run's result: its options, its data, its tokens, other runs."""
    options = {key: value for key, value in asdict(config).items() if key not in NOT_THE_RUN}
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    files = prepared_files(config, folds)
    if reads_tokens(config):
        files.append(TOKENS / config.tokenizer.name / "report.json")
    files += other_runs(config)
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def claim(scratch: Path, mark: str) -> None:
    """Keep what an interrupted run of the same fingerprint left in `scratch`; else start empty."""
    file = scratch / "fingerprint"
    if file.is_file() and file.read_text() == mark:
        return
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    file.write_text(mark)


def tracker(config: RunConfig):
    """The W&B logger of a network's run, or None; baselines have no curves to log."""
    if config.model.kind not in NETWORKS:
        return None
    from jobshift.tracking import wandb_logger

    options = {key: value for key, value in asdict(config).items() if value is not None}
    name = f"{config.model.name}-{run_name(config, config.seed)}"
    return wandb_logger(config.wandb, config.study.name, name, options)


def extra_files(config: RunConfig) -> dict[str, Path]:
    """The second test sets that the run predicts, by name; only on the primary split."""
    if config.split != PRIMARY or needs_activities(config):
        return {}
    folder = PREPARED / config.data.name / "extra"
    return {name: folder / f"{name}.parquet" for name in config.data.extra}


def needs_activities(config: RunConfig) -> bool:
    """Whether the model reads the activities of a task."""
    kind = config.model.kind
    return kind == "lookup" or (kind == "probe" and bool(config.probe and config.probe.hierarchy))


def read_part(config: RunConfig, fold: Path, part: str) -> pd.DataFrame:
    """One part of a fold, or a second test set by its name.

    JobshiftError where a row has a label that the data set does not list. With `learn_from`, what a
    model learns from has the labels of that rater, without the rows that he has not rated; the test
    parts are as they are.
    """
    file = extra_files(config).get(part, fold / f"{part}.parquet")
    rows = pd.read_parquet(file)
    if config.learn_from and part in ("train", "near", "val"):
        rows = relabelled(rows, config.learn_from, config.data, file)
    if config.data.task == "generation":
        return rows
    known = set(config.data.classes)
    for name, label in zip(rows["id"], rows["label"], strict=True):
        if not known.issuperset(label.split() if several(config) else [label]):
            raise JobshiftError(
                f"{file}: the row with id {name} has the label {label!r}, which "
                f"conf/data/{config.data.name}.yaml does not list"
            )
    return rows


def relabelled(rows: pd.DataFrame, rater: str, data: DataConfig, file: Path) -> pd.DataFrame:
    """`rows` with the label of `rater` and all of its share, the rows without one left out."""
    if f"label_{rater}" not in rows:
        raise JobshiftError(
            f"{file} has no column label_{rater}: its data set has the labels of one rater alone; "
            "leave learn_from empty"
        )
    rated = rows[rows[f"label_{rater}"].notna()].reset_index(drop=True)
    if len(rated) < len(rows):
        logging.info("%s: %d tasks without a label of %s", file, len(rows) - len(rated), rater)
    rated = rated.assign(label=rated[f"label_{rater}"])
    shares = targets(rated, data, "hard")
    return rated.assign(**{f"p_{c}": shares[:, n] for n, c in enumerate(data.classes)})


def targets(rows: pd.DataFrame, data: DataConfig, how: str) -> np.ndarray:
    """Label shares [rows, classes]: of the votes (soft) or of the majority label alone (hard).

    Where several classes may apply, 1 for each of a text's classes, else 0.
    """
    classes = data.classes
    if how == "soft":
        return rows[[f"p_{name}" for name in classes]].to_numpy()
    if data.task == "multilabel":
        from jobshift.measures.multilabel import indicators

        return indicators(rows["label"], classes).astype(float)
    return (rows["label"].to_numpy()[:, None] == np.array(classes, dtype=object)).astype(float)


def learnt(config: RunConfig, rows: pd.DataFrame, each: bool) -> np.ndarray:
    """What a model learns of `rows`, [rows, classes]: their `targets`, as shares of several classes.

    Not as shares where `each` class is by itself. Raises JobshiftError where a row has none of several
    classes and so no shares.
    """
    found = targets(rows, config.data, config.loss.targets)
    if not several(config) or each:
        return found
    count = found.sum(axis=1, keepdims=True)
    if (count == 0).any():
        without = rows["id"].iloc[int(count.argmin())]
        raise JobshiftError(
            f"the text with id {without} has no class; set loss.several to binary or auto in "
            f"conf/model/{config.model.name}.yaml, so that each class is learnt by itself"
        )
    return found / count


def fit_fold(config: RunConfig, fold: Path, scratch: Path, logger, callbacks: Sequence) -> None:
    """Fit on one fold and leave model, predictions and history in `scratch`/finished."""
    read = {part: read_part(config, fold, part) for part in (*PARTS, *extra_files(config))}
    # Only the part `near` may rightly be empty.
    parts = {part: rows for part, rows in read.items() if len(rows)}
    if "train" not in parts or "val" not in parts:
        raise JobshiftError(
            f"{fold}: no task has a label of {config.learn_from or 'the rater'} in training or "
            "validation; choose another rater"
        )
    check_columns(config, parts["train"])
    thresholds = None
    if config.data.task == "generation":
        from jobshift.stages.train_generation import fit_generation

        model, found, history = fit_generation(config, parts, scratch, logger, callbacks)
    else:
        if config.model.kind in NETWORKS:
            fitted = fit_network(config, fold, parts, scratch, logger, callbacks)
        elif config.model.kind == "ensemble":
            fitted = mean_of_members(config, fold, parts)
        else:
            fitted = fit_baseline(config, parts)
        model, probabilities, history = fitted
        if several(config):
            thresholds = chosen_thresholds(config, parts["val"], probabilities["val"])
        found = {
            part: decided(shares, config.data.classes, thresholds)
            for part, shares in probabilities.items()
        }
    if logger and "test" in parts:
        log_results(logger, config.data.task, parts["test"], found["test"])
    with complete_folder(scratch / "finished") as folder:
        frames = [
            predictions(rows, found[part], int(fold.name), part) for part, rows in parts.items()
        ]
        write_parquet(pd.concat(frames), folder / "predictions.parquet")
        if history is not None:
            write_csv(history, folder / "history.csv")
        if thresholds is not None:
            table = {"fold": int(fold.name), "class": config.data.classes, "threshold": thresholds}
            write_csv(pd.DataFrame(table), folder / "thresholds.csv", float_format=DIGITS)
        (folder / "model").mkdir()
        model.save(folder / "model")
        if config.model.kind in ("encoder", "siamese"):
            tokenizer_files(config, folder / "model")
    shutil.rmtree(scratch / "epochs", ignore_errors=True)


def check_columns(config: RunConfig, rows: pd.DataFrame) -> None:
    """JobshiftError where the model reads what the texts of the data set do not have."""
    where = f"conf/model/{config.model.name}.yaml"
    if needs_activities(config) and "dwas" not in rows:
        raise JobshiftError(
            f"{where}: the model reads the activities of O*NET tasks, which the texts of {config.data.name} "
            "do not have; choose another model"
        )
    pair = (config.probe and config.probe.pair) or (config.tokenizer and config.tokenizer.pair)
    if (pair or config.model.kind == "siamese") and rows["text_pair"].isna().all():
        raise JobshiftError(
            f"{where}: the model reads a second text, which the texts of {config.data.name} do not have; "
            "choose another model, or name its column (data.pair) and prepare again"
        )


def chosen_thresholds(
    config: RunConfig, rows: pd.DataFrame, probabilities: np.ndarray
) -> np.ndarray:
    """The threshold of each class, chosen on the validation `rows`, or 0.5 where these were learnt from.

    Rounded as they are written, so that `predicted` follows from thresholds.csv.
    """
    from jobshift.measures.multilabel import choose_thresholds

    if config.fit_on != "train":
        return np.full(len(config.data.classes), 0.5)
    reference = targets(rows, config.data, "hard") == 1
    return np.array([float(DIGITS % each) for each in choose_thresholds(reference, probabilities)])


def decided(
    probabilities: np.ndarray, classes: list[str], thresholds: np.ndarray | None
) -> pd.DataFrame:
    """The column `predicted`, and one of probabilities for each class.

    Predicted is the likeliest class; with `thresholds` all that reach theirs, joined by blanks.
    """
    if thresholds is None:
        predicted = np.array(classes)[probabilities.argmax(axis=1)]
    else:
        predicted = [
            " ".join(name for name, has in zip(classes, row, strict=True) if has)
            for row in probabilities >= thresholds
        ]
    frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    frame.insert(0, "predicted", predicted)
    return frame


def predictions(rows: pd.DataFrame, found: pd.DataFrame, fold: int, part: str) -> pd.DataFrame:
    """One row a text: id, fold, part, and what the model has `found` in the texts of `rows`."""
    frame = found.copy()
    frame.insert(0, "id", rows["id"].to_numpy())
    frame.insert(1, "fold", fold)
    frame.insert(2, "part", part)
    return frame


def fit_baseline(config: RunConfig, parts: dict[str, pd.DataFrame]):
    """Fit a baseline; validation chooses nothing here."""
    from jobshift.models.baselines import ActivityLookup, Majority, Svm, Tfidf

    everything = together(parts)
    train = everything.iloc[taught(config, everything)]
    each = each_by_itself(config, everything)
    if config.model.kind == "majority":
        model = Majority()
    elif config.model.kind == "lookup":
        model = ActivityLookup(section(config, "lookup"))
    elif config.model.kind == "tfidf":
        model = Tfidf(section(config, "tfidf"), config.loss.class_weight, each)
    elif config.model.kind == "svm":
        model = Svm(section(config, "svm"), config.loss.class_weight)
    else:
        from jobshift.models.probe import Probe, sentences

        options = section(config, "probe")
        embedded: dict[str, np.ndarray] = {}
        for file in (PREPARED / config.data.name / "tasks.parquet", *extra_files(config).values()):
            embedded |= sentences(options.path, options.max_length, file, options.pair)
        model = Probe(options, embedded, config.loss.class_weight, each)
    model.fit(train, learnt(config, train, each), train["weight"].to_numpy())
    return model, {part: model.probabilities(rows) for part, rows in parts.items()}, None


def mean_of_members(config: RunConfig, fold: Path, parts: dict[str, pd.DataFrame]):
    """The ensemble of other runs' predictions."""
    from jobshift.models.baselines import Ensemble

    files, classes = other_runs(config), config.data.classes
    model = Ensemble([file.parent.as_posix() for file in files])

    def mean(rows: pd.DataFrame) -> np.ndarray:
        return model.mean([other_probabilities(file, fold, rows, classes) for file in files])

    return model, {part: mean(rows.assign(part=part)) for part, rows in parts.items()}, None


def together(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of all parts, one behind the other, with the column `part`."""
    return pd.concat([rows.assign(part=part) for part, rows in parts.items()], ignore_index=True)


def taught(config: RunConfig, everything: pd.DataFrame) -> np.ndarray:
    """The positions in `everything`, in order, of the rows that are learnt from."""
    rows = np.flatnonzero(everything["part"].isin(FIT_ON[config.fit_on]))
    if config.train_share == 1:
        return rows
    group = everything["group"].to_numpy()[rows]
    kept = rows[in_share(group, config.train_share, config.seed)]
    logging.info("learning from %d of %d tasks", len(kept), len(rows))
    return kept


def in_share(group: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which tasks, by their leak groups [tasks], are in a share of them; at least one group is.

    The groups come in an order that depends on the seed and their names alone, so a smaller share lies
    within a larger one. As many are taken as come nearest to the share.
    """
    names, number, sizes = np.unique(group, return_inverse=True, return_counts=True)
    digests = [hashlib.sha256(f"{seed} {name}".encode()).digest() for name in names]
    order = np.array(sorted(range(len(names)), key=lambda each: digests[each]))
    nearest = np.abs(np.cumsum(sizes[order]) - share * len(group)).argmin()
    return np.isin(number, order[: nearest + 1])


def section(config: RunConfig, name: str):
    """A section of the model's file that its kind needs; JobshiftError where it is missing."""
    found = getattr(config, name)
    if found is None:
        raise JobshiftError(
            f"conf/model/{config.model.name}.yaml: a model of the kind {config.model.kind} needs the "
            f"section '{name}'"
        )
    return found


def fit_network(
    config: RunConfig,
    fold: Path,
    parts: dict[str, pd.DataFrame],
    scratch: Path,
    logger,
    callbacks: Sequence = (),
):
    """Train a network, early stopping on validation where it is not trained on."""
    import torch

    from jobshift.models.training import (
        Classifier,
        EachClass,
        Labelled,
        SeveralClasses,
        fit,
        predict,
    )

    section(config, "tokenizer")
    everything = together(parts)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(config.seed)
    each = each_by_itself(config, everything)
    network, inputs = network_of(config, everything, each)
    classes = config.data.classes
    kind = Classifier
    if several(config):
        kind = EachClass if each else SeveralClasses
    rows = {part: np.flatnonzero(everything["part"] == part) for part in parts}

    def labelled(chosen: np.ndarray) -> Labelled:
        frame = everything.iloc[chosen]
        hard = targets(frame, config.data, "hard").astype(np.int64)
        return Labelled(
            inputs,
            chosen,
            learnt(config, frame, each).astype(np.float32),
            hard if several(config) else hard.argmax(axis=1),
            frame["weight"].to_numpy(np.float32),
        )

    train = labelled(taught(config, everything))
    if config.student:
        (file,) = other_runs(config)
        teacher = other_probabilities(file, fold, everything.iloc[train.rows], classes)
        train.teacher = teacher.astype(np.float32)
    history, confusion = fit(
        network,
        train,
        labelled(rows["val"]) if config.fit_on == "train" else None,
        config.loss,
        section(config, "optimizer"),
        section(config, "training"),
        config.seed,
        scratch / "epochs",
        logger,
        callbacks,
        config.student,
        kind,
    )
    if logger and confusion:
        matrix = [
            [label, predicted, confusion[i][j]]
            for i, label in enumerate(classes)
            for j, predicted in enumerate(classes)
        ]
        logger.log_table("val_confusion", columns=["label", "predicted", "tasks"], data=matrix)
    probabilities = {part: predict(network, inputs, rows[part], kind=kind) for part in parts}
    return network, probabilities, history


def network_of(config: RunConfig, rows: pd.DataFrame, each: bool):
    """A network that is to be trained, and its inputs (`training.Inputs`) for each of `rows`.

    `each` says whether each class is a yes or no of its own.
    """
    from jobshift.models.encoder import Encoder, FrozenOutputs
    from jobshift.texts.batches import read_tokens, sorted_batches

    classes, kind = config.data.classes, config.model.kind
    if kind == "siamese":
        from jobshift.models.siamese import Siamese, TextPairs, text_pairs
        from jobshift.texts.tokenizer import load_tokenizer

        options, encoder = section(config, "siamese"), section(config, "encoder")
        inputs = text_pairs(load_tokenizer(config.tokenizer), rows)
        tokens = inputs.texts
        network = Siamese(options, encoder, classes, config.lora, tokens.vocabulary, tokens.padding)
        if encoder.cache_frozen:
            batches = sorted_batches(tokens.lengths, 64)
            outputs = FrozenOutputs(network.encoder, tokens, batches, keep=True)
            inputs = TextPairs(outputs, inputs.first, inputs.second)
        return network, inputs
    tokens = read_tokens(TOKENS / config.tokenizer.name / "tokens.arrow", rows["id"].tolist())
    if kind == "lstm":
        from jobshift.models.lstm import Lstm

        options = section(config, "lstm")
        return Lstm(options, tokens.vocabulary, tokens.padding, len(classes)), tokens
    network = Encoder(
        section(config, "encoder"),
        classes,
        config.lora,
        config.student.layers if config.student else None,
        tokens.vocabulary,
        tokens.padding,
        each,
    )
    if not config.encoder.cache_frozen:
        return network, tokens
    return network, FrozenOutputs(network, tokens, sorted_batches(tokens.lengths, 64), keep=True)


def log_results(logger, task: str, rows: pd.DataFrame, found: pd.DataFrame) -> None:
    """Hand W&B the table of test predictions, and accuracy where a text has one class."""
    table = pd.concat([rows[["id", "label"]].reset_index(drop=True), found], axis=1)
    logger.log_table("test_predictions", columns=list(table), data=table.to_numpy().tolist())
    if task in ("classification", "pairs"):
        right = table["predicted"] == table["label"]
        logger.log_metrics({"test_accuracy": float(right.mean())})


def tokenizer_files(config: RunConfig, folder: Path) -> None:
    """Put the tokenizer beside an encoder, so that the folder is a whole transformers model."""
    from jobshift.texts.tokenizer import folder_of, load_tokenizer

    load_tokenizer(config.tokenizer).save(str(folder / "tokenizer.json"))
    settings = Path(folder_of(config.tokenizer)) / "tokenizer_config.json"
    if settings.is_file():
        shutil.copyfile(settings, folder / "tokenizer_config.json")


def recorded(config: RunConfig) -> dict:
    """What run.json says of a run: all its options, less those that do not change what it gives."""
    return {
        key: value
        for key, value in asdict(config).items()
        if value is not None and key not in NOT_THE_RUN
    }


def gather(config: RunConfig, finished: list[Path], folder: Path) -> None:
    """Put the finished folds together as one run."""
    rows = pd.concat([pd.read_parquet(fold / "predictions.parquet") for fold in finished])
    order = pd.Categorical(rows["part"], [*PARTS, *config.data.extra], ordered=True)
    rows = rows.assign(order=order).sort_values(["fold", "order", "id"]).drop(columns="order")
    write_parquet(rows, folder / "predictions.parquet")
    histories = [
        pd.read_csv(fold / "history.csv").assign(fold=number)
        for number, fold in enumerate(finished)
        if (fold / "history.csv").is_file()
    ]
    if histories:
        write_csv(pd.concat(histories), folder / "history.csv")
    if several(config):
        # As text: a class may be called NA, or 01.
        tables = [
            pd.read_csv(fold / "thresholds.csv", dtype=str, na_filter=False) for fold in finished
        ]
        write_csv(pd.concat(tables), folder / "thresholds.csv")
    for number, fold in enumerate(finished):
        shutil.copytree(fold / "model", folder / str(number))
    write_json(recorded(config), folder / "run.json")
    test = rows[rows["part"] == "test"]
    logging.info(
        "%s on %s, seed %d: %d test texts predicted",
        config.model.name,
        config.split,
        config.seed,
        len(test),
    )
