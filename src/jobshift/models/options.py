"""The options of models and their training, each documented where it is declared; `conf/model/*.yaml`.

A model's file names its kind and has the sections that this kind reads; it is the whole recipe.
"""

from dataclasses import dataclass, field

from omegaconf import MISSING

from jobshift.errors import JobshiftError


@dataclass
class ModelOptions:
    """What the model is called and what it is."""

    name: str = MISSING
    # majority, lookup, tfidf, svm, probe, ensemble, nearest, lstm, encoder, siamese, seq2seq; which of them
    # fit a data set depends on its task
    kind: str = MISSING


@dataclass
class TokenizerOptions:
    """Which tokenizer, and where texts are cut; `conf/tokenizer/NAME.yaml`."""

    name: str = MISSING
    # A folder with tokenizer.json, or the name of a model on the hub; empty: trained on the training texts.
    path: str = ""
    max_length: int = 96  # tokens, with the special ones
    pair: bool = False  # read `text_pair` behind the text, as a second segment
    # What is trained: bpe or char (a token a character); see texts/tokenizer.py.
    kind: str = ""
    vocabulary: int = 8000  # tokens at most, with the special ones
    min_count: int = 2  # what is rarer in the training texts is no token
    lowercase: bool = True


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
class ScratchOptions:
    """A BERT with random weights, which learns from the training texts alone."""

    layers: int = 4
    width: int = 256
    heads: int = 4
    dropout: float = 0.1


@dataclass
class EncoderOptions:
    """The encoder, pretrained or new."""

    path: str = ""  # a folder, or the name of a model on the hub; empty: a new one, see `scratch`
    freeze_embeddings: bool = False
    frozen_layers: int = 0  # lower layers that are not trained, the embeddings with them
    cache_frozen: bool = False  # run the frozen part once instead of in every epoch
    scratch: ScratchOptions | None = None  # without a path: the sizes of a new one


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
class Seq2SeqOptions:
    """The encoder-decoder: one text in, another out."""

    # t5: the pretrained T5 of `path`, or without one a new T5 of the sizes below; encoder: the pretrained
    # BERT of `path` and behind it a new decoder of the same width, which shares its word embeddings.
    base: str = "t5"
    path: str = ""  # a folder, or the name of a model on the hub
    # Drop the word pieces that the training texts do not use; not for a pretrained T5.
    crop: bool = True
    layers: int = 3  # of a new T5's encoder
    decoder_layers: int = 3  # of a new T5 or of the decoder behind an encoder
    d_model: int = 256  # width of a new T5
    d_ff: int = 1024  # width of its feed-forward layers
    heads: int = 4
    feed_forward: str = "relu"  # or gated-gelu, as in T5 1.1
    dropout: float = 0.1
    # With base: encoder.
    copy_layers: bool = True  # the decoder's layers start as the encoder's lowest
    freeze_embeddings: bool = False
    frozen_layers: int = 0  # lower layers of the encoder that are not trained, embeddings too
    cache_frozen: bool = False  # run the frozen part once instead of in every epoch
    sample: int = 200  # validation texts that are written in every epoch, for val_exact_match


@dataclass
class GenerationOptions:
    """How a sequence to sequence model's outputs are found."""

    how: str = "greedy"  # greedy, beam, sample
    constrained: bool = False  # only outputs that are one of the known titles
    beams: int = 4
    length_penalty: float = 1.0  # beams: log probabilities are divided by the length to this power
    temperature: float = 1.0  # sample: divides the logits
    top_k: int = 0  # sample: only among so many likeliest tokens; 0: among all
    top_p: float = 1.0  # sample: only among the likeliest tokens of this probability together
    max_length: int = 32  # tokens, with the end
    batch_size: int = 64
    # Further ways in which the test texts are written, to be compared: beam and sample without a constraint,
    # constrained (as `how` says).
    also: list[str] = field(default_factory=list)


@dataclass
class LossOptions:
    """What the model is trained against."""

    targets: str = "hard"  # soft: the shares of the votes; hard: the majority label
    # none, or balanced: n / (classes × n of the class); with `several: binary`, where each class is a
    # classification of its own into the texts with it and those without, n / (2 × n of these).
    class_weight: str = "none"
    # Where several classes may apply to a text. softmax: all classes share one distribution, and the k of a
    # text are its targets with 1 / k each (Mahajan et al. 2018, "Exploring the limits of weakly supervised
    # pretraining", ECCV; there, too, better than the other where classes are many and rare). binary: a yes or
    # no of its own for each class, whose probabilities do not sum to 1; for texts of which some have no class.
    # auto: softmax where every text outside the test has a class, else binary.
    several: str = "auto"
    label_smoothing: float = 0.0  # networks only
    # Networks that classify: in training, a text's loss grows by this times its mean squared logit ("logit
    # squeezing", Kannan, Kurakin and Goodfellow 2018, arXiv:1803.06373; Kornblith et al. 2021,
    # arXiv:2010.16402, compare it with label smoothing).
    logit_l2: float = 0.0


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
    # The validation measure that chooses the epoch; auto: the first of VALIDATION for the data set's task.
    monitor: str = "auto"
    batch_size: int = 32
    log_every: int = 20  # steps


# What is measured on validation after each epoch, beside val_loss, by the kind of task.
VALIDATION = {
    "classification": ("val_cohen_kappa", "val_accuracy"),
    "pairs": ("val_cohen_kappa", "val_accuracy"),
    "multilabel": ("val_f1_micro", "val_label_ranking_average_precision"),
    "generation": ("val_token_accuracy", "val_exact_match"),
}


def monitored(monitor: str, task: str) -> str:
    """The validation measure that `training.monitor` means for a kind of task.

    Raises JobshiftError where that kind does not have it.
    """
    if monitor == "auto":
        return VALIDATION[task][0]
    if monitor not in ("val_loss", *VALIDATION[task]):
        raise JobshiftError(
            f"training.monitor is '{monitor}'; the task {task} has auto, val_loss, "
            f"{', '.join(VALIDATION[task])} (a test measure must not choose the model)"
        )
    return monitor


@dataclass
class SiameseOptions:
    """The head of a siamese encoder, which compares the embeddings u and v of a pair's texts."""

    # It reads u + v, |u - v| and u * v, so that the order of the texts does not matter; else u and v in the
    # place of u + v.
    symmetric: bool = True
    hidden: int = 256  # units of its hidden layer; 0: none, it is linear
    dropout: float = 0.1  # on what it reads, and on its hidden layer


@dataclass
class NearestOptions:
    """The most similar training text, by TF-IDF named as in scikit-learn or by a frozen encoder."""

    titles: bool = False  # the most similar of the known titles in its place
    path: str = ""  # of the encoder: a folder, or the name of a model on the hub; empty: TF-IDF
    max_length: int = 96  # tokens that the encoder reads, with the special ones
    analyzer: str = "word"  # or char, char_wb
    ngram_min: int = 1
    ngram_max: int = 1
    min_df: int = 1
    sublinear_tf: bool = True
