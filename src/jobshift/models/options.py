"""The options of models and their training, each documented where it is declared; `conf/model/*.yaml`.

A model's file names its kind and has the sections that this kind reads; it is the whole recipe.
"""

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class ModelOptions:
    """What the model is called and what it is."""

    name: str = MISSING
    kind: str = MISSING  # majority, lookup, tfidf, svm, probe, ensemble, lstm, encoder


@dataclass
class TokenizerOptions:
    """Which tokenizer, and where texts are cut; `conf/tokenizer/NAME.yaml`."""

    name: str = MISSING
    path: str = MISSING  # a folder with tokenizer.json, or the name of a model on the hub
    max_length: int = 96  # tokens, with the special ones
    pair: bool = False  # read `text_pair` behind the text, as a second segment


@dataclass
class LookupOptions:
    """The lookup of a task's activities."""

    # Levels to look at, the most specific first; an activity that training never saw at one level is
    # looked up at the next.
    levels: list[str] = field(default_factory=lambda: ["dwa", "iwa", "gwa"])


@dataclass
class TfidfOptions:
    """TF-IDF + logistic regression, named as in scikit-learn."""

    analyzer: str = "word"
    ngram_min: int = 1
    ngram_max: int = 2
    min_df: int = 2
    sublinear_tf: bool = True
    C: float = 4.0
    max_iter: int = 1000


@dataclass
class SvmOptions(TfidfOptions):
    """The same TF-IDF, then a linear SVM (squared hinge loss, one class against the rest)."""

    C: float = 1.0
    max_iter: int = 2000
    folds: int = 5  # of whole leak groups, on whose margins the probabilities are calibrated


@dataclass
class EnsembleOptions:
    """The mean of the probabilities of other runs, which must have been trained before."""

    model: str = MISSING
    seeds: list[int] = MISSING


@dataclass
class ProbeOptions:
    """Logistic regression on sentence embeddings of a frozen encoder."""

    path: str = MISSING  # a folder, or the name of a model on the hub
    pair: bool = False  # also the embedding of `text_pair`
    # How much an indicator of the task's activities weighs at each level of their hierarchy.
    hierarchy: dict[str, float] = field(default_factory=dict)
    C: float = 2.0
    max_iter: int = 1000
    max_length: int = 128  # tokens, with the special ones


@dataclass
class LstmOptions:
    """The bidirectional LSTM."""

    embedding: int = 128
    hidden: int = 128  # in each direction
    layers: int = 1
    dropout: float = 0.3
    pooling: str = "max"  # max or mean, over the tokens


@dataclass
class EncoderOptions:
    """The pretrained encoder."""

    path: str = MISSING  # a folder, or the name of a model on the hub
    freeze_embeddings: bool = False
    frozen_layers: int = 0  # lower layers that are not trained, the embeddings with them
    cache_frozen: bool = False  # run the frozen part once instead of in every epoch


@dataclass
class LoraOptions:
    """Low-rank adapters in an encoder whose own weights are not trained, named as in LoRA's paper."""

    r: int = 8  # rank
    alpha: float = 16.0  # the adapters' outputs are scaled by alpha / r
    dropout: float = 0.0  # on the adapters' inputs
    # Linear layers with an adapter, by the end of their names; BERT's attention has query, key, value.
    target_modules: list[str] = field(default_factory=lambda: ["query", "value"])


@dataclass
class StudentOptions:
    """An encoder cut to a few of its layers, which learns from another model's probabilities as well."""

    # Its run on the same split with the same seed must have been trained before.
    teacher: str = MISSING
    layers: list[int] = MISSING  # those that are kept, counted from 0
    weight: float = 0.5  # of the teacher in the loss; the rest is that of the labels
    temperature: float = 2.0  # divides the logits of both where they are compared


@dataclass
class LossOptions:
    """What the model is trained against."""

    targets: str = "hard"  # soft: the shares of the votes; hard: the majority label
    class_weight: str = "none"  # none, or balanced: n / (classes × n of the class)
    label_smoothing: float = 0.0  # networks only


@dataclass
class OptimizerOptions:
    """AdamW and its schedule."""

    lr: float = 1e-4
    weight_decay: float = 0.01  # on matrices; biases and normalisation have none
    warmup: float = 0.1  # share of all steps
    clip: float = 1.0  # norm to which gradients are clipped


@dataclass
class TrainingOptions:
    """How long and on what batches."""

    epochs: int = 3
    patience: int = 2  # epochs without a better validation value before stopping
    monitor: str = "val_cohen_kappa"  # or val_accuracy, val_loss
    batch_size: int = 32
    log_every: int = 20  # steps
