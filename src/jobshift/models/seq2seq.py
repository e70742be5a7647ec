"""Sequence to sequence models: a text is read by an encoder, and a decoder writes another one.

The network is transformers' own: a `T5ForConditionalGeneration`, pretrained or new, or an
`EncoderDecoderModel` of a pretrained BERT and a new decoder that shares its word embeddings. A finished
run is a folder that `from_pretrained` loads. Choices:

- One vocabulary for both sides, by default only the word pieces that the training texts use: the
  largest product of a small model is the one with all pieces of the vocabulary, and MiniLM has 30,522.
- Training is teacher forcing in length buckets of the source; the loss is the mean cross-entropy of the
  target's tokens. Logits are computed for these alone, not for padding.
- All outputs have the log probability of the whole sequence, its end included, which the model gives
  without the constraint, the temperature or the length penalty of how the output was found.
- Word pieces do not keep case and spacing, so an output that is piece for piece one of the known titles is
  given as that title is written, and any other as the tokenizer decodes it.
"""

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from tokenizers import Tokenizer, processors
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from jobshift.errors import JobshiftError
from jobshift.models.encoder import Encoder
from jobshift.models.options import (
    GenerationOptions,
    LossOptions,
    OptimizerOptions,
    Seq2SeqOptions,
    TrainingOptions,
)
from jobshift.models.training import (
    Classifier,
    Inputs,
    ended_by_sigterm,
    lengths,
    weighted_mean,
)
from jobshift.outputs import write_json
from jobshift.texts.batches import Tokens, length_batches, sorted_batches
from jobshift.texts.tokenizer import padding_id

MONITORS = {"val_loss": "min", "val_token_accuracy": "max", "val_exact_match": "max"}


class Vocabulary:
    """A tokenizer that both sides share, and the ids that begin, end and fill up a sequence."""

    def __init__(self, tokenizer: Tokenizer, kept: np.ndarray | None = None):
        """`kept` [pieces] are the ids that the pieces of a cropped tokenizer had before.

        Raises JobshiftError where the tokenizer does not mark the end of a text.
        """
        self.tokenizer, self.kept = tokenizer, kept
        self.padding = padding_id(tokenizer)
        tokenizer.no_padding()
        frame = tokenizer.encode("").ids
        if not frame:
            raise JobshiftError(
                "tokenizer.path: the tokenizer puts no token at the end of a text, and a model could "
                "not tell where to stop; choose another"
            )
        self.end = frame[-1]
        # As T5 does, a tokenizer without a token for the beginning begins with padding.
        self.start = frame[0] if len(frame) > 1 else self.padding
        self.size = tokenizer.get_vocab_size(with_added_tokens=True)

    def sources(self, texts: Sequence[str]) -> Tokens:
        """What the encoder reads: all tokens of each text."""
        return self.tokens([each.ids for each in self.tokenizer.encode_batch(list(texts))])

    def targets(self, texts: Sequence[str]) -> Tokens:
        """What the decoder writes: the tokens of each text and the end, without the beginning."""
        skip = len(self.tokenizer.encode("").ids) - 1
        return self.tokens([each.ids[skip:] for each in self.tokenizer.encode_batch(list(texts))])

    def tokens(self, ids: list[list[int]]) -> Tokens:
        """Lists of ids, none empty, as `Tokens`."""
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in ids])]).astype(np.int64)
        flat = np.array([number for each in ids for number in each], dtype=np.int32)
        return Tokens(flat, offsets, self.size, self.padding)

    def text(self, ids: Sequence[int]) -> str:
        """The text of `ids` without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def save(self, folder: Path) -> None:
        """Write the tokenizer into `folder`, as `AutoTokenizer` reads it."""
        self.tokenizer.save(str(folder / "tokenizer.json"))
        pad, end = map(self.tokenizer.id_to_token, (self.padding, self.end))
        write_json(
            {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad, "eos_token": end},
            folder / "tokenizer_config.json",
        )


def crop(tokenizer: Tokenizer, texts: Sequence[str]) -> Vocabulary:
    """The vocabulary of a word-piece tokenizer without the pieces that `texts` do not use.

    These texts are divided as before; letters, digits and signs of ASCII stay, so that an unknown word
    falls into smaller pieces. Raises JobshiftError for a tokenizer of another kind.
    """
    content = json.loads(tokenizer.to_str())
    if content["model"]["type"] != "WordPiece":
        raise JobshiftError(
            f"seq2seq.crop works for word pieces, not for a {content['model']['type']} tokenizer; set it "
            "to false"
        )
    tokenizer.no_padding()
    frame = [tokenizer.id_to_token(number) for number in tokenizer.encode("").ids]
    special = {each["content"] for each in content["added_tokens"]} | set(frame)
    special |= {content["model"]["unk_token"], tokenizer.id_to_token(padding_id(tokenizer))}
    used = {number for each in tokenizer.encode_batch(list(texts)) for number in each.ids}
    pieces = sorted(content["model"]["vocab"].items(), key=lambda item: item[1])
    kept = [
        (piece, number)
        for piece, number in pieces
        if number in used
        or piece in special
        or (len(bare := piece.removeprefix("##")) == 1 and bare.isascii())
    ]
    numbers = {piece: new for new, (piece, _) in enumerate(kept)}
    content["model"]["vocab"] = numbers
    for each in content["added_tokens"]:
        each["id"] = numbers[each["content"]]
    content |= {"padding": None, "post_processor": None}
    cropped = Tokenizer.from_str(json.dumps(content))
    cropped.post_processor = processors.TemplateProcessing(
        single=" ".join([*frame[:-1], "$A", frame[-1]]),
        special_tokens=[(piece, numbers[piece]) for piece in dict.fromkeys(frame)],
    )
    return Vocabulary(cropped, np.array([number for _, number in kept]))


class Seq2Seq(nn.Module):
    """Logits of the tokens of target texts, given source texts and the tokens before."""

    def __init__(self, options: Seq2SeqOptions, vocabulary: Vocabulary):
        """A new model, or one from `options.path`; JobshiftError where that cannot be."""
        super().__init__()
        from transformers import GenerationConfig
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        kinds = {"t5": t5, "encoder": on_encoder}
        if options.base not in kinds:
            raise JobshiftError(f"seq2seq.base is '{options.base}'; choose t5 or encoder")
        self.vocabulary = vocabulary
        self.model = kinds[options.base](options, vocabulary)
        ids = {
            "pad_token_id": vocabulary.padding,
            "eos_token_id": vocabulary.end,
            "decoder_start_token_id": vocabulary.start,
        }
        for name, number in ids.items():
            setattr(self.model.config, name, number)
        self.model.generation_config = GenerationConfig(**ids)
        # What `FrozenOutputs` takes, where a frozen part of the encoder is to run once for all texts.
        self.reader = Reader(self.model.encoder)
        if options.cache_frozen:
            if not options.frozen_layers:
                raise JobshiftError("seq2seq.cache_frozen needs seq2seq.frozen_layers of 1 or more")
            self.reader.cut(options.frozen_layers)

    def encode(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """The encoder's outputs [texts, tokens, width] for token ids or its frozen part's cached outputs."""
        name = "inputs_embeds" if inputs.is_floating_point() else "input_ids"
        return self.model.encoder(**{name: inputs}, attention_mask=mask).last_hidden_state

    def decode(self, encoded: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        """The decoder's outputs [texts, target tokens, width]: at each token, given those before it."""
        start = torch.full_like(targets[:, :1], self.vocabulary.start)
        decoder = self.model.decoder
        return getattr(decoder, "bert", decoder)(
            input_ids=torch.cat([start, targets[:, :-1]], dim=1),
            encoder_hidden_states=encoded,
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits [tokens, vocabulary] of the decoder's outputs [tokens, width]."""
        if hasattr(self.model.decoder, "cls"):
            return self.model.decoder.cls(outputs)
        if self.model.config.scale_decoder_outputs:
            outputs = outputs * self.model.config.d_model**-0.5
        return self.model.lm_head(outputs)

    def forward(self, inputs: Tensor, mask: Tensor, targets: Tensor, target_mask: Tensor) -> Tensor:
        """Logits [all target tokens, vocabulary], text by text without padding."""
        outputs = self.decode(self.encode(inputs, mask), mask, targets)
        return self.logits(outputs[target_mask.bool()])

    def save(self, folder: Path) -> None:
        """Write model and tokenizer into `folder`, as transformers' `from_pretrained` reads them."""
        model = self.model
        self.reader.join()
        for config in (model.config, model.encoder.config, model.decoder.config):
            config._name_or_path = ""
        state = model.state_dict()
        if model.config.model_type == "encoder-decoder":
            # transformers knows no sharing between two models: the decoder gets a copy of its own.
            name = "embeddings.word_embeddings.weight"
            state[f"decoder.bert.{name}"] = state[f"encoder.{name}"].clone()
            state["decoder.cls.predictions.decoder.weight"] = state[f"decoder.bert.{name}"]
        model.save_pretrained(folder, state_dict=state)
        self.vocabulary.save(folder)


class Reader(nn.Module):
    """A BERT as the encoder of a sequence to sequence model, which is cut as one that classifies is."""

    layers = Encoder.layers
    only_like_bert = Encoder.only_like_bert
    cut = Encoder.cut
    frozen_outputs = Encoder.frozen_outputs

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.lower = model, None

    def join(self) -> None:
        """Put the model together again, where it is cut."""
        if self.lower is not None:
            self.model.embeddings = self.lower["embeddings"]
            layers = [*self.lower["layers"], *self.model.encoder.layer]
            self.model.encoder.layer = nn.ModuleList(layers)
            self.lower = None


def t5(options: Seq2SeqOptions, vocabulary: Vocabulary) -> nn.Module:
    """The T5 of `options.path`, or a new one of the sizes in `options`."""
    from transformers import T5Config, T5ForConditionalGeneration

    if options.frozen_layers or options.freeze_embeddings:
        raise JobshiftError(
            "seq2seq.frozen_layers and seq2seq.freeze_embeddings work with seq2seq.base=encoder; set them "
            "to 0 and false"
        )
    if options.path:
        model = pretrained(
            T5ForConditionalGeneration, "t5", options.path, dropout_rate=options.dropout
        )
        if vocabulary.kept is not None or vocabulary.size > model.config.vocab_size:
            raise JobshiftError(
                f"{options.path} has {model.config.vocab_size} tokens of its own and the tokenizer "
                f"{vocabulary.size}; name its own tokenizer and set seq2seq.crop to false"
            )
        return model
    if options.d_model % options.heads:
        raise JobshiftError(
            f"seq2seq.d_model is {options.d_model}, which {options.heads} heads (seq2seq.heads) do not "
            "divide"
        )
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary.size,
            d_model=options.d_model,
            d_kv=options.d_model // options.heads,
            d_ff=options.d_ff,
            num_heads=options.heads,
            num_layers=options.layers,
            num_decoder_layers=options.decoder_layers,
            feed_forward_proj=options.feed_forward,
            dropout_rate=options.dropout,
        )
    )


def on_encoder(options: Seq2SeqOptions, vocabulary: Vocabulary) -> nn.Module:
    """The BERT of `options.path` and a new decoder of the same width, which shares its embeddings."""
    from transformers import BertConfig, BertLMHeadModel, BertModel, EncoderDecoderModel

    dropout = {
        "hidden_dropout_prob": options.dropout,
        "attention_probs_dropout_prob": options.dropout,
    }
    encoder = pretrained(BertModel, "bert", options.path, **dropout)
    words = encoder.embeddings.word_embeddings
    if vocabulary.kept is not None:
        weight = words.weight.detach()[torch.from_numpy(vocabulary.kept)]
        words = nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=vocabulary.padding)
        encoder.set_input_embeddings(words)
        encoder.config.vocab_size = vocabulary.size
    elif vocabulary.size > encoder.config.vocab_size:
        raise JobshiftError(
            f"{options.path} has {encoder.config.vocab_size} tokens and the tokenizer {vocabulary.size}; "
            "name its own tokenizer"
        )
    there = len(encoder.encoder.layer)
    if options.frozen_layers > there or (options.copy_layers and options.decoder_layers > there):
        raise JobshiftError(
            f"seq2seq.frozen_layers is {options.frozen_layers} and seq2seq.decoder_layers "
            f"{options.decoder_layers}, but {options.path} has {there} layers to freeze or to copy"
        )
    sizes = encoder.config.to_dict() | {
        "num_hidden_layers": options.decoder_layers,
        "is_decoder": True,
        "add_cross_attention": True,
    }
    # The constructor gives new weights to all that from_pretrained did not load itself.
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    model = EncoderDecoderModel(
        encoder=encoder, decoder=BertLMHeadModel(BertConfig.from_dict(sizes))
    )
    encoder.load_state_dict(state)
    decoder = model.decoder.bert
    decoder.embeddings.load_state_dict(encoder.embeddings.state_dict())
    if options.copy_layers:
        for new, old in zip(decoder.encoder.layer, encoder.encoder.layer, strict=False):
            new.load_state_dict(old.state_dict(), strict=False)  # no cross-attention in `old`
    decoder.embeddings.word_embeddings = words
    model.decoder.cls.predictions.decoder.weight = words.weight
    if options.freeze_embeddings or options.frozen_layers:
        for module in (encoder.embeddings, *encoder.encoder.layer[: options.frozen_layers]):
            module.requires_grad_(False)
    return model


def pretrained(kind: type, family: str, path: str, **options: float) -> nn.Module:
    """The model of `path` as a `kind`; JobshiftError where it is not there or not of the `family`."""
    from transformers import AutoConfig

    try:
        found = AutoConfig.from_pretrained(path, trust_remote_code=False).model_type
        if found != family:
            raise JobshiftError(
                f"seq2seq.path: {path} is a {found}, but seq2seq.base needs a {family}"
            )
        return kind.from_pretrained(path, use_safetensors=True, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobshiftError(
            f"seq2seq.path: no model with safetensors weights at '{path}' ({reason}); fetch it, or name "
            "a folder or a model of the hub"
        ) from error


@dataclass
class Pairs:
    """Source texts of one part, each with its target; a text may be in several pairs."""

    inputs: Inputs  # the sources of all parts: tokens, or the frozen part's cached outputs
    rows: np.ndarray  # which of `inputs` is the source of each pair
    outputs: Tokens  # all targets, as of `Vocabulary.targets`
    targets: np.ndarray  # which of `outputs` is the target of each pair
    weights: np.ndarray  # float32 [pairs]


class PairBatches(Dataset):
    """Batches of pairs as tensors, in the given order."""

    def __init__(self, pairs: Pairs, batches: list[np.ndarray]):
        self.pairs, self.batches = pairs, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        pairs, chosen = self.pairs, self.batches[number]
        arrays = (
            *pairs.inputs.padded(pairs.rows[chosen]),
            *pairs.outputs.padded(pairs.targets[chosen]),
            pairs.weights[chosen],
        )
        return tuple(map(torch.as_tensor, arrays))


class PairData(pl.LightningDataModule):
    """Length-bucketed batches of the training pairs, sorted ones of the validation pairs, if any."""

    def __init__(self, train: Pairs, val: Pairs | None, size: int, seed: int):
        super().__init__()
        self.train, self.val, self.size, self.seed = train, val, size, seed

    def train_dataloader(self) -> DataLoader:
        """The current epoch's batches."""
        epoch = self.trainer.current_epoch
        batches = length_batches(lengths(self.train), self.size, self.seed, epoch)
        # Every iterator draws a number, and a resumed run makes one less: so not from the generator that
        # dropout draws from.
        return DataLoader(
            PairBatches(self.train, batches), batch_size=None, generator=torch.Generator()
        )

    def val_dataloader(self) -> DataLoader | list:
        """All of validation."""
        if self.val is None:
            return []
        batches = sorted_batches(lengths(self.val), 2 * self.size)
        return DataLoader(PairBatches(self.val, batches), batch_size=None)


class Generator(pl.LightningModule):
    """A sequence to sequence network, its loss, its optimizer and what is logged of them."""

    # The parts of the recipe that know nothing of classes; the cross-entropy is that of a token here.
    class_weights = None
    cross_entropy = Classifier.cross_entropy
    on_train_epoch_start = Classifier.on_train_epoch_start
    configure_gradient_clipping = Classifier.configure_gradient_clipping
    configure_optimizers = Classifier.configure_optimizers
    record = Classifier.record
    on_save_checkpoint = Classifier.on_save_checkpoint
    on_load_checkpoint = Classifier.on_load_checkpoint

    def __init__(
        self,
        network: Seq2Seq,
        loss: LossOptions,
        optimizer: OptimizerOptions,
        steps: int,
        seed: int,
        log_every: int,
        sample: Pairs | None = None,
    ):
        """`sample` are the validation pairs whose targets are written in every epoch."""
        super().__init__()
        self.network, self.loss, self.optimizer, self.steps = network, loss, optimizer, steps
        self.seed, self.log_every, self.sample = seed, log_every, sample
        # One row every few steps and one at the end of each epoch; part of the checkpoint.
        self.history: list[dict[str, float]] = []
        self.recent: list[tuple[float, int]] = []
        self.whole_epoch: list[tuple[float, int]] = []
        self.val_loss: list[tuple[float, float]] = []
        self.val_right: list[tuple[float, float]] = []
        self.started = 0.0

    def written(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [tokens, vocabulary], ids and weights [tokens] of all target tokens but padding.

        A token weighs what its pair does.
        """
        inputs, mask, targets, target_mask, weights = batch
        real = target_mask.bool()
        logits = self.network(inputs, mask, targets, target_mask)
        return logits, targets[real], weights[:, None].expand(real.shape)[real]

    def training_step(self, batch: tuple[Tensor, ...], number: int) -> Tensor:
        """The loss of one batch; stops the run where it is not a finite number."""
        loss = self.cross_entropy(*self.written(batch))
        value = loss.item()
        if not math.isfinite(value):
            raise JobshiftError(
                f"training diverged: the loss is {value} in epoch {self.current_epoch}, step "
                f"{self.global_step}; lower optimizer.lr (now {self.optimizer.lr:g}) or optimizer.clip"
            )
        self.recent.append((value, len(batch[0])))
        self.whole_epoch.append((value, len(batch[0])))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], number: int) -> None:
        """Add one batch to the validation measures."""
        logits, wanted, weights = self.written(batch)
        total = float(weights.sum())
        right = float(weights[logits.argmax(dim=1) == wanted].sum()) / total
        self.val_loss.append((self.cross_entropy(logits, wanted, weights).item(), total))
        self.val_right.append((right, total))

    def on_validation_epoch_end(self) -> None:
        """Compute the validation measures of the epoch; write the targets of the sample."""
        row = {
            "val_loss": weighted_mean(self.val_loss),
            "val_token_accuracy": weighted_mean(self.val_right),
            "val_exact_match": exact_match(self.network, self.sample),
        }
        self.log_dict(row, logger=False)
        self.record(row, self.global_step)
        self.val_loss, self.val_right = [], []

    def on_train_epoch_end(self) -> None:
        """Say how the epoch went; stop a run that does worse than guessing."""
        mean = weighted_mean(self.whole_epoch)
        pairs = sum(size for _, size in self.whole_epoch)
        speed = pairs / (time.monotonic() - self.started)
        last = {key: row[key] for row in self.history for key in row}
        logging.info(
            "epoch %d/%d: train loss %.4f, val loss %.4f, val exact match %.4f, %.0f pairs/s with "
            "validation",
            self.current_epoch + 1,
            self.trainer.max_epochs,
            mean,
            last.get("val_loss", math.nan),
            last.get("val_exact_match", math.nan),
            speed,
        )
        if not self.trainer.val_dataloaders:
            self.record({"train_loss": mean}, self.global_step)
        if self.logger:
            self.logger.log_metrics({"texts_per_second": speed}, step=self.global_step)
        if mean > 2 * math.log(self.network.vocabulary.size):
            raise JobshiftError(
                f"training diverged: the mean loss of epoch {self.current_epoch} is {mean:.3g}, more "
                f"than twice that of guessing; lower optimizer.lr (now {self.optimizer.lr:g})"
            )


def fit(
    network: Seq2Seq,
    train: Pairs,
    val: Pairs | None,
    loss: LossOptions,
    optimizer: OptimizerOptions,
    training: TrainingOptions,
    seed: int,
    checkpoints: Path,
    logger,
    callbacks: Sequence = (),
    sample: int = 200,
) -> pd.DataFrame:
    """Train `network` in place; it ends with the weights of the best epoch, without `val` of the last.

    `checkpoints` is a folder of this run alone: where it holds a finished epoch, training goes on from
    there. `sample` validation pairs, evenly spaced, are written in every epoch for val_exact_match.
    Returns the history (one row every few steps and one at the end of each epoch: epoch, step, lr,
    train_loss, gradient_norm, val_loss, val_token_accuracy, val_exact_match). Raises JobshiftError where
    training diverges.
    """
    if training.monitor not in MONITORS:
        raise JobshiftError(
            f"training.monitor is '{training.monitor}'; choose one of {', '.join(MONITORS)} (a test "
            "measure must not choose the model)"
        )
    chosen = None
    if val is not None:
        spaced = np.linspace(0, len(val.rows), min(sample, len(val.rows)), endpoint=False)
        some = spaced.astype(np.int64)
        chosen = Pairs(
            val.inputs, val.rows[some], val.outputs, val.targets[some], val.weights[some]
        )
    data = PairData(train, val, training.batch_size, seed)
    steps = training.epochs * math.ceil(len(train.rows) / training.batch_size)
    # from_pretrained leaves dropout off, and Lightning leaves it as it finds it.
    network.train()
    model = Generator(network, loss, optimizer, steps, seed, training.log_every, chosen)
    mode = MONITORS[training.monitor]
    keep = {
        "dirpath": checkpoints,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
    }
    monitor = None if val is None else training.monitor
    best = ModelCheckpoint(
        filename="best", monitor=monitor, mode=mode, save_weights_only=True, **keep
    )
    last = ModelCheckpoint(filename="last", **keep)
    stopping = EarlyStopping(
        training.monitor, mode=mode, patience=training.patience, check_finite=False
    )
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
    state = torch.load(checkpoints / "best.ckpt", weights_only=True, map_location="cpu")
    model.load_state_dict(state["state_dict"])
    columns = ["epoch", "step", "lr", "train_loss", "gradient_norm", *MONITORS]
    return pd.DataFrame(model.history).reindex(columns=columns)


def exact_match(network: Seq2Seq, pairs: Pairs) -> float:
    """Share of `pairs` whose target, token for token, is the greedy output."""
    options = GenerationOptions(max_length=int(pairs.outputs.lengths[pairs.targets].max()))
    found, _ = sequences(network, pairs.inputs, pairs.rows, options)
    starts = pairs.outputs.offsets
    wanted = [pairs.outputs.ids[starts[n] : starts[n + 1]].tolist() for n in pairs.targets]
    return float(np.mean([a == b for a, b in zip(found, wanted, strict=True)]))


def generate(
    network: Seq2Seq,
    inputs: Inputs,
    rows: np.ndarray,
    options: GenerationOptions,
    titles: Sequence[str],
    seed: int = 0,
) -> tuple[list[str], np.ndarray]:
    """What the network writes for the texts `rows` of `inputs`, in their order, without dropout.

    `titles` are the known targets: an output that is one of them is given as it is written there, and
    with `options.constrained` every output is. Returns the texts and the natural logarithms of the
    probabilities of the whole sequences (float64 [rows]). Raises JobshiftError where there are no
    titles to constrain to, or two of them are the same to the tokenizer.
    """
    known: dict[tuple[int, ...], str] = {}
    targets = network.vocabulary.targets(titles) if len(titles) else None
    for number, title in enumerate(titles):
        key = tuple(targets.ids[targets.offsets[number] : targets.offsets[number + 1]].tolist())
        if known.setdefault(key, title) != title:
            raise JobshiftError(
                f"the titles '{known[key]}' and '{title}' have the same tokens; leave one out"
            )
    found, scores = sequences(network, inputs, rows, options, list(known), seed)
    texts = [known.get(tuple(ids)) or network.vocabulary.text(ids) for ids in found]
    return texts, scores


@torch.inference_mode()
def sequences(
    network: Seq2Seq,
    inputs: Inputs,
    rows: np.ndarray,
    options: GenerationOptions,
    titles: Sequence[tuple[int, ...]] = (),
    seed: int = 0,
) -> tuple[list[list[int]], np.ndarray]:
    """As `generate`, but token ids: up to the end, which they include unless they were cut."""
    check(options)
    if options.constrained and not titles:
        raise JobshiftError("generation.constrained needs titles to choose from; give at least one")
    network.eval()
    vocabulary, device = network.vocabulary, next(network.parameters()).device
    config, allowed = generation_config(options), None
    if options.constrained:
        # As long as the longest title, so that each can be written to its end.
        config.max_new_tokens = max(map(len, titles))
        allowed = only(titles, vocabulary.end)
    batches = sorted_batches(inputs.lengths[rows], options.batch_size)
    found: list[list[int]] = [[] for _ in rows]
    scores = np.zeros(len(rows))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for batch in batches:
            ids, mask = (torch.as_tensor(each).to(device) for each in inputs.padded(rows[batch]))
            encoded = network.encode(ids, mask)
            written = [
                ended(each[1:], vocabulary.end)
                for each in written_by(network, encoded, mask, config, allowed)
            ]
            for place, each in zip(batch, written, strict=True):
                found[place] = each
            tokens = vocabulary.tokens(written)
            scores[batch] = log_probabilities(network, encoded, mask, tokens).cpu().numpy()
    return found, scores


def written_by(
    network: Seq2Seq, encoded: Tensor, mask: Tensor, config, allowed: Callable | None
) -> list[list[int]]:
    """The sequences that transformers finds for a batch of encoder outputs, beginning and padding included."""
    from transformers.modeling_outputs import BaseModelOutput

    return network.model.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
        attention_mask=mask,
        generation_config=config,
        prefix_allowed_tokens_fn=allowed,
    ).tolist()


def check(options: GenerationOptions) -> None:
    """Refuse options of the generation that make no sense."""
    if options.how not in ("greedy", "beam", "sample"):
        raise JobshiftError(f"generation.how is '{options.how}'; choose greedy, beam or sample")
    if min(options.beams, options.max_length, options.batch_size) < 1 or options.top_k < 0:
        raise JobshiftError(
            f"generation.beams is {options.beams}, max_length {options.max_length}, batch_size "
            f"{options.batch_size} and top_k {options.top_k}; the first three must be at least 1, the "
            "last at least 0"
        )
    if not (options.temperature > 0 and 0 < options.top_p <= 1):
        raise JobshiftError(
            f"generation.temperature is {options.temperature:g} and generation.top_p {options.top_p:g}; "
            "they must be above 0, the latter at most 1"
        )


def generation_config(options: GenerationOptions):
    """The options by transformers' names; none is left to its defaults."""
    from transformers import GenerationConfig

    chosen = {}
    if options.how == "sample":
        chosen = {
            "temperature": options.temperature,
            "top_k": options.top_k,
            "top_p": options.top_p,
        }
    if options.how == "beam" and options.beams > 1:
        chosen = {"num_beams": options.beams, "length_penalty": options.length_penalty}
    return GenerationConfig(
        do_sample=options.how == "sample", max_new_tokens=options.max_length, **chosen
    )


def ended(ids: list[int], end: int) -> list[int]:
    """`ids` up to the first `end`, which belongs to them; all where there is none."""
    return ids[: ids.index(end) + 1] if end in ids else ids


def only(titles: Sequence[tuple[int, ...]], end: int) -> Callable[[int, Tensor], list[int]]:
    """Which tokens may follow a sequence so that it becomes one of `titles`, as transformers asks it.

    The titles are in a tree of tokens; the sequence has a beginning of one token.
    """
    tree: dict = {}
    for title in titles:
        node = tree
        for token in title:
            node = node.setdefault(token, {})

    def allowed(_: int, sequence: Tensor) -> list[int]:
        node = tree
        for token in sequence.tolist()[1:]:
            node = node.get(token, {})
        # Behind a title's end, and in beams that fill up the number and have no probability.
        return list(node) or [end]

    return allowed


def log_probabilities(network: Seq2Seq, encoded: Tensor, mask: Tensor, targets: Tokens) -> Tensor:
    """Logarithms of the probabilities (float64 [texts]) of one target for each of the encoded texts."""
    ids, real = (
        torch.from_numpy(each).to(encoded.device)
        for each in targets.padded(np.arange(len(encoded)))
    )
    real = real.bool()
    outputs = network.decode(encoded, mask, ids)
    each = torch.log_softmax(network.logits(outputs[real]).double(), dim=1)
    each = each.gather(1, ids[real][:, None])[:, 0]
    row = torch.arange(len(encoded), device=encoded.device)[:, None].expand(real.shape)[real]
    return each.new_zeros(len(encoded)).index_add(0, row, each)


@torch.inference_mode()
def rank_titles(
    network: Seq2Seq, inputs: Inputs, rows: np.ndarray, titles: Sequence[str], size: int = 64
) -> np.ndarray:
    """Mean log probability of a token of each title (float64 [rows, titles]) for the texts `rows`.

    The encoder runs once for a text and the decoder for every title: for short lists of titles.
    """
    network.eval()
    device = next(network.parameters()).device
    targets = network.vocabulary.targets(titles)
    scores = np.empty((len(rows), len(titles)))
    pieces = sorted_batches(targets.lengths, size)
    for batch in sorted_batches(inputs.lengths[rows], size):
        ids, mask = (torch.as_tensor(each).to(device) for each in inputs.padded(rows[batch]))
        for place, encoded, shown in zip(batch, network.encode(ids, mask), mask, strict=True):
            for piece in pieces:
                many = (len(piece), -1, -1)
                found = log_probabilities(
                    network, encoded.expand(many), shown.expand(many[:2]), targets.take(piece)
                )
                scores[place, piece] = found.cpu().numpy() / targets.lengths[piece]
    return scores
