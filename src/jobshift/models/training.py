"""How a network is trained: one LightningModule, one LightningDataModule, one recipe.

Cross-entropy against soft or hard labels; AdamW with weight decay on matrices only; warm-up and linear
decay; gradients clipped; early stopping on validation, and the best epoch's weights restored. All
randomness of an epoch depends on seed and epoch, so a run that was interrupted goes on from its last
finished epoch and ends with the same bytes as one that was not.

A text has one class (`Classifier`), or any number of them (`SeveralClasses`, which says what differs).
"""

import logging
import math
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCohenKappa,
    MulticlassConfusionMatrix,
    MultilabelF1Score,
    MultilabelRankingAveragePrecision,
)

from jobshift.errors import JobshiftError
from jobshift.models.options import (
    VALIDATION,
    LossOptions,
    OptimizerOptions,
    StudentOptions,
    TrainingOptions,
    monitored,
)
from jobshift.texts.batches import length_batches, sorted_batches


class Inputs(Protocol):
    """What batches are made of: token ids, or the frozen part's cached outputs."""

    lengths: np.ndarray  # tokens of each text

    def padded(self, rows: np.ndarray) -> tuple:
        """Padded inputs of `rows` and their mask [rows, tokens]."""


@dataclass
class Labelled:
    """Texts of one part with their labels."""

    inputs: Inputs  # of all parts
    rows: np.ndarray  # which of `inputs` are this part's texts
    targets: np.ndarray  # float32 [texts, classes]; rows sum to 1, but not where several may apply
    # int64: [texts] the majority label; where several classes may apply, [texts, classes] 1 or 0 for each
    labels: np.ndarray
    weights: np.ndarray  # float32 [texts]
    teacher: np.ndarray | None = None  # float32 [texts, classes], another model's probabilities


def lengths(part: Labelled) -> np.ndarray:
    """Number of tokens of each text of `part`."""
    return part.inputs.lengths[part.rows]


class Batches(Dataset):
    """Batches of one part as tensors, in the given order."""

    def __init__(self, part: Labelled, batches: list[np.ndarray]):
        self.part, self.batches = part, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        rows = self.batches[number]
        columns = [self.part.targets, self.part.labels, self.part.weights]
        if self.part.teacher is not None:
            columns.append(self.part.teacher)
        inputs, mask = self.part.inputs.padded(self.part.rows[rows])
        return (
            torch.as_tensor(inputs),
            torch.as_tensor(mask),
            *(torch.from_numpy(column[rows]) for column in columns),
        )


class TextBatches(pl.LightningDataModule):
    """Length-bucketed batches of the training part, sorted ones of the validation part, if any."""

    def __init__(self, train: Labelled, val: Labelled | None, size: int, seed: int):
        super().__init__()
        self.train, self.val, self.size, self.seed = train, val, size, seed

    def train_dataloader(self) -> DataLoader:
        """The current epoch's batches."""
        epoch = self.trainer.current_epoch
        batches = length_batches(lengths(self.train), self.size, self.seed, epoch)
        # Of its own, or it would draw from the one that dropout draws from: after the epoch's seed, but
        # before it in the first epoch of a resumed run.
        own = torch.Generator()
        return DataLoader(Batches(self.train, batches), batch_size=None, generator=own)

    def val_dataloader(self) -> DataLoader | list:
        """All of validation."""
        if self.val is None:
            return []
        return DataLoader(
            Batches(self.val, sorted_batches(lengths(self.val), 2 * self.size)), batch_size=None
        )


def balanced(targets: np.ndarray, how: str) -> np.ndarray:
    """Class weights [classes]: ones, or n / (classes × n of the class) as in scikit-learn's `balanced`."""
    if how == "none":
        return np.ones(targets.shape[1], dtype=np.float32)
    if how == "balanced":
        share = np.maximum(targets.mean(axis=0), 1e-12)
        return (1 / (targets.shape[1] * share)).astype(np.float32)
    raise JobshiftError(f"loss.class_weight is '{how}'; choose none or balanced")


def balanced_each(targets: np.ndarray, how: str) -> np.ndarray:
    """Weights [2, classes] of the texts without and with each class: as `balanced`, each class by itself.

    Where no text or all have a class, as if one were otherwise.
    """
    found = [balanced(np.stack([1 - has, has], axis=1), how) for has in targets.T]
    return np.minimum(np.stack(found, axis=1), max(1, len(targets) / 2)).astype(np.float32)


class Classifier(pl.LightningModule):
    """A network of logits, its loss, its optimizer and what is logged of them; one class a text."""

    task = "classification"
    weigh = staticmethod(balanced)

    def __init__(
        self,
        network: nn.Module,
        loss: LossOptions,
        optimizer: OptimizerOptions,
        steps: int,
        class_weights: Tensor,
        seed: int,
        log_every: int,
        student: StudentOptions | None = None,
    ):
        super().__init__()
        self.network, self.student = network, student
        self.loss, self.optimizer, self.steps = loss, optimizer, steps
        self.seed, self.log_every = seed, log_every
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.val_loss: list[tuple[float, int]] = []
        self.measures = nn.ModuleDict(self.validation_measures(class_weights.shape[-1]))
        self.confusion: list[list[int]] = []
        # One row every few steps and one at the end of each epoch; part of the checkpoint.
        self.history: list[dict[str, float]] = []
        self.recent: list[tuple[float, int]] = []
        self.whole_epoch: list[tuple[float, int]] = []
        self.started = 0.0

    @staticmethod
    def validation_measures(classes: int) -> dict[str, nn.Module]:
        """What is measured on validation by name, in the order of the history; `confusion` is no part of it."""
        return {
            "val_accuracy": MulticlassAccuracy(classes, average="micro"),
            "val_cohen_kappa": MulticlassCohenKappa(classes),
            "confusion": MulticlassConfusionMatrix(classes),
        }

    @staticmethod
    def scores(logits: Tensor) -> Tensor:
        """What the validation measures read of `logits` [texts, classes]."""
        return logits

    @staticmethod
    def probabilities(logits: Tensor) -> Tensor:
        """The probabilities that `logits` mean, both [texts, classes]."""
        return torch.softmax(logits, dim=1)

    def guessing(self) -> float:
        """An upper bound of the loss of a model that gives all classes the same probability."""
        return math.log(len(self.class_weights)) * float(self.class_weights.max())

    def cross_entropy(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean cross-entropy of `logits` [texts, classes] against label shares `targets`."""
        each = nn.functional.cross_entropy(
            logits,
            targets,
            weight=self.class_weights,
            label_smoothing=self.loss.label_smoothing,
            reduction="none",
        )
        return (each * weights).sum() / weights.sum()

    def penalty(self, logits: Tensor, weights: Tensor) -> Tensor:
        """`loss.logit_l2` times the weighted mean over texts of the mean squared logit."""
        each = logits.square().mean(dim=1)
        return self.loss.logit_l2 * (each * weights).sum() / weights.sum()

    def on_train_epoch_start(self) -> None:
        """Make the epoch's dropout depend on seed and epoch alone."""
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch)
        if self.current_epoch:
            # As the DataLoader did until it had a generator of its own: results stay as they were.
            torch.empty((), dtype=torch.int64).random_()
        self.recent, self.whole_epoch, self.started = [], [], time.monotonic()

    def training_step(self, batch: tuple[Tensor, ...], number: int) -> Tensor:
        """The loss of one batch; stops the run where it is not a finite number."""
        inputs, mask, targets, _, weights, *teacher = batch
        logits = self.network(inputs, mask)
        loss = self.cross_entropy(logits, targets, weights)
        if teacher:
            share, temperature = self.student.weight, self.student.temperature
            from_teacher = distillation(logits, teacher[0], weights, temperature)
            loss = (1 - share) * loss + share * from_teacher
        if self.loss.logit_l2:
            loss = loss + self.penalty(logits, weights)
        value = loss.item()
        if not math.isfinite(value):
            raise JobshiftError(
                f"training diverged: the loss is {value} in epoch {self.current_epoch}, step "
                f"{self.global_step}; lower optimizer.lr (now {self.optimizer.lr:g}) or optimizer.clip"
            )
        self.recent.append((value, len(weights)))
        self.whole_epoch.append((value, len(weights)))
        return loss

    def configure_gradient_clipping(
        self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None
    ):
        """Clip by the norm over all gradients, and log that norm."""
        trained = [parameter for parameter in self.parameters() if parameter.grad is not None]
        norm = nn.utils.clip_grad_norm_(trained, self.optimizer.clip)
        if (self.global_step + 1) % self.log_every == 0:
            row = {
                "lr": optimizer.param_groups[0]["lr"],
                "train_loss": weighted_mean(self.recent),
                "gradient_norm": float(norm),
            }
            self.recent = []
            self.record(row, self.global_step + 1)  # the step under way is not counted yet

    def validation_step(self, batch: tuple[Tensor, ...], number: int) -> None:
        """Add one batch to the validation measures."""
        inputs, mask, targets, labels, weights = batch
        logits = self.network(inputs, mask)
        loss = self.cross_entropy(logits, targets, weights)
        self.val_loss.append((float(loss), len(weights)))
        for metric in self.measures.values():
            metric.update(self.scores(logits), labels)

    def on_validation_epoch_end(self) -> None:
        """Compute the validation measures of the epoch."""
        found = {name: metric.compute() for name, metric in self.measures.items()}
        if "confusion" in found:
            self.confusion = found.pop("confusion").tolist()
        row = {"val_loss": weighted_mean(self.val_loss)}
        row |= {name: float(value) for name, value in found.items()}
        self.log_dict(row, logger=False)
        self.record(row, self.global_step)
        for metric in self.measures.values():
            metric.reset()
        self.val_loss = []

    def on_train_epoch_end(self) -> None:
        """Say how the epoch went; stop a run that does worse than guessing."""
        texts = sum(size for _, size in self.whole_epoch)
        mean = weighted_mean(self.whole_epoch)
        speed = texts / (time.monotonic() - self.started)
        last = {key: row[key] for row in self.history for key in row}
        first = VALIDATION[self.task][0]
        logging.info(
            "epoch %d/%d: train loss %.4f, val loss %.4f, %s %.4f, %.0f texts/s with validation",
            self.current_epoch + 1,
            self.trainer.max_epochs,
            mean,
            last.get("val_loss", math.nan),
            first.replace("_", " "),
            last.get(first, math.nan),
            speed,
        )
        if not self.trainer.val_dataloaders:
            self.record({"train_loss": mean}, self.global_step)
        if self.logger:
            self.logger.log_metrics({"texts_per_second": speed}, step=self.global_step)
        guessing = self.guessing()
        if self.student:
            guessing *= max(1.0, self.student.temperature**2)
        if mean > 2 * guessing:
            raise JobshiftError(
                f"training diverged: the mean loss of epoch {self.current_epoch} is {mean:.3g}, more "
                f"than twice that of guessing; lower optimizer.lr (now {self.optimizer.lr:g})"
            )

    def record(self, row: dict[str, float], step: int) -> None:
        """Append a row to the history and hand it to the logger."""
        self.history.append({"epoch": self.current_epoch, "step": step, **row})
        if self.logger:
            self.logger.log_metrics(row, step=step)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep the history, so that a resumed run has all of it."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Take the history up again."""
        self.history = checkpoint["history"]

    def configure_optimizers(self) -> dict:
        """AdamW with warm-up and linear decay to zero."""
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": [p for p in trained if p.ndim >= 2],
                    "weight_decay": self.optimizer.weight_decay,
                },
                {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=self.optimizer.lr,
            # Unfused, the step over the word embeddings takes a third of the training time.
            fused=True,
        )
        warmup = max(1, round(self.optimizer.warmup * self.steps))

        def factor(step: int) -> float:
            left = (self.steps - step) / max(1, self.steps - warmup)
            return min((step + 1) / warmup, max(0.0, left))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class SeveralClasses(Classifier):
    """The same where several classes may apply to a text, which share one distribution."""

    task = "multilabel"

    @staticmethod
    def validation_measures(classes: int) -> dict[str, nn.Module]:
        """As above; micro-F1 with 0.5 as the threshold of every class."""
        return {
            "val_f1_micro": MultilabelF1Score(classes, average="micro", threshold=0.5),
            "val_label_ranking_average_precision": MultilabelRankingAveragePrecision(classes),
        }

    # torchmetrics takes logits for probabilities where all of a batch are between 0 and 1.
    scores = staticmethod(Classifier.probabilities)


class EachClass(SeveralClasses):
    """The same where each class is a yes or no of its own."""

    weigh = staticmethod(balanced_each)

    @staticmethod
    def probabilities(logits: Tensor) -> Tensor:
        """The probability of each class by itself, [texts, classes]."""
        return torch.sigmoid(logits)

    scores = probabilities

    def guessing(self) -> float:
        """As above, with the probability ½ for each class."""
        return math.log(2) * float(self.class_weights.max())

    def cross_entropy(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean over texts of the mean binary cross-entropy over classes.

        Label smoothing by s makes a target t (1 − s) t + s / 2, as with one class of two.
        """
        smoothing = self.loss.label_smoothing
        targets = (1 - smoothing) * targets + smoothing / 2
        without, having = self.class_weights
        log = nn.functional.logsigmoid
        each = -(having * targets * log(logits) + without * (1 - targets) * log(-logits))
        return (each.mean(dim=1) * weights).sum() / weights.sum()


def distillation(logits: Tensor, teacher: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Weighted mean divergence of `logits` from a teacher's probabilities, both [texts, classes].

    The Kullback-Leibler divergence with both sides' logits divided by the temperature, times its square,
    which keeps the size of the gradients (Hinton et al. 2015). A probability of 0 counts as 1e-6.
    """
    softened = torch.log_softmax(teacher.clamp(min=1e-6).log() / temperature, dim=1)
    own = torch.log_softmax(logits / temperature, dim=1)
    each = nn.functional.kl_div(own, softened, reduction="none", log_target=True).sum(dim=1)
    return temperature**2 * (each * weights).sum() / weights.sum()


def weighted_mean(values: list[tuple[float, int]]) -> float:
    """Mean of (value, weight) pairs; NaN of none."""
    total = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / total if total else math.nan


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let a training that SIGTERM stops end with 143."""
    try:
        yield
    except SIGTERMException:
        # Lightning would end with 0, and a scheduler that stops a job would take it for finished.
        logging.warning("stopped by SIGTERM; the same command goes on")
        raise SystemExit(128 + signal.SIGTERM) from None


def fit(
    network: nn.Module,
    train: Labelled,
    val: Labelled | None,
    loss: LossOptions,
    optimizer: OptimizerOptions,
    training: TrainingOptions,
    seed: int,
    checkpoints: Path,
    logger,
    callbacks: Sequence = (),
    student: StudentOptions | None = None,
    kind: type[Classifier] = Classifier,
) -> tuple[pd.DataFrame, list[list[int]]]:
    """Train `network` in place; it ends with the weights of the best epoch, without `val` of the last.

    `checkpoints` is a folder of this run alone: where it holds a finished epoch, training goes on from
    there. `logger` is a Lightning logger or None, `callbacks` are called beside our own; with `student`,
    `train` has a teacher. Returns the history (one row every few steps and one at the end of each epoch:
    epoch, step, lr, train_loss, gradient_norm, val_loss and the measures of `kind`) and the last epoch's
    confusion matrix on validation [label][predicted], empty without `val` or where several classes may
    apply. Raises JobshiftError where training diverges, or `training.monitor` is not measured.
    """
    watched = monitored(training.monitor, kind.task)
    data = TextBatches(train, val, training.batch_size, seed)
    steps = training.epochs * math.ceil(len(train.labels) / training.batch_size)
    weights = torch.from_numpy(kind.weigh(train.targets, loss.class_weight))
    # Lightning leaves modes as they are, and a model from a file comes in that of evaluation: no dropout.
    network.train()
    model = kind(network, loss, optimizer, steps, weights, seed, training.log_every, student)
    # Without validation nothing is watched, and two callbacks that keep the lowest would be one to Lightning.
    mode = "min" if watched == "val_loss" and val is not None else "max"
    keep = {
        "dirpath": checkpoints,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
    }
    monitor = None if val is None else watched
    best = ModelCheckpoint(
        filename="best", monitor=monitor, mode=mode, save_weights_only=True, **keep
    )
    last = ModelCheckpoint(filename="last", **keep)
    stopping = EarlyStopping(watched, mode=mode, patience=training.patience, check_finite=False)
    with warnings.catch_warnings():
        # One worker is right for batches that are ready in memory; the rest is Lightning's advice.
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        trainer = pl.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=training.epochs,
            logger=logger or False,
            callbacks=[*([] if val is None else [stopping]), best, last, *callbacks],
            deterministic=True,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
        )
        resume = checkpoints / "last.ckpt"
        if resume.is_file():
            logging.info("going on from the last finished epoch")
        with ended_by_sigterm():
            trainer.fit(
                model, data, ckpt_path=str(resume) if resume.is_file() else None, weights_only=True
            )
    state = torch.load(checkpoints / "best.ckpt", weights_only=True, map_location="cpu")[
        "state_dict"
    ]
    model.load_state_dict(state)
    measured = [name for name in model.measures if name != "confusion"]
    columns = ["epoch", "step", "lr", "train_loss", "gradient_norm", "val_loss", *measured]
    return pd.DataFrame(model.history).reindex(columns=columns), model.confusion


@torch.inference_mode()
def predict(
    network: nn.Module,
    inputs: Inputs,
    rows: np.ndarray,
    size: int = 64,
    kind: type[Classifier] = Classifier,
) -> np.ndarray:
    """Probabilities [rows, classes] (float64) of the texts `rows` of `inputs`, without dropout."""
    network.eval()
    device = next(network.parameters()).device
    batches = sorted_batches(inputs.lengths[rows], size)
    pieces = []
    for batch in batches:
        values, mask = (torch.as_tensor(each).to(device) for each in inputs.padded(rows[batch]))
        pieces.append(kind.probabilities(network(values, mask).double()).cpu().numpy())
    result = np.empty((len(rows), pieces[0].shape[1]))
    result[np.concatenate(batches)] = np.concatenate(pieces)
    return result
