"""Sequence to sequence models: small random ones, on pairs made up here."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import tiny_encoders
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from jobshift.errors import JobshiftError
from jobshift.models import seq2seq
from jobshift.models.encoder import FrozenOutputs
from jobshift.models.options import (
    GenerationOptions,
    LossOptions,
    OptimizerOptions,
    Seq2SeqOptions,
    TrainingOptions,
)
from jobshift.models.seq2seq import Pairs, Seq2Seq, Vocabulary, crop, generate, rank_titles
from jobshift.texts.batches import sorted_batches

SOURCES = [
    "draft letters",
    "draft a report for the council at noon",
    "repair a pump",
    "repair the gate in the yard",
    "paint a fence",
    "paint the walls of the long corridor",
    "carry crates",
    "carry the boxes up the stairs before lunch",
]
TITLES = ["Write documents.", "Mend equipment.", "Coat surfaces by hand.", "Move goods."]
TARGETS = np.repeat(np.arange(4), 2)
UNREAD = "zebra quay xylophone"


@pytest.fixture(autouse=True)
def quiet():
    torch.use_deterministic_algorithms(True)


def pieces() -> Tokenizer:
    """Whole words, letters and signs as word pieces; more than the texts use."""
    words = " ".join([*SOURCES, *TITLES, UNREAD]).lower().replace(".", " .").split()
    letters = [chr(n) for n in range(97, 123)]
    names = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *words,
        *letters,
        *(f"##{each}" for each in letters),
    ]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return tokenizer


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random BERT of two narrow layers for these word pieces."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=pieces().get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,  # so that it learns in a few steps
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


def network(base: str, bert: str, cropped: bool = True, seed: int = 0, **options) -> Seq2Seq:
    torch.manual_seed(seed)
    vocabulary = crop(pieces(), [*SOURCES, *TITLES]) if cropped else Vocabulary(pieces())
    sizes = {"layers": 1, "decoder_layers": 1, "d_model": 32, "d_ff": 64, "heads": 2}
    path = bert if base == "encoder" else ""
    return Seq2Seq(
        Seq2SeqOptions(base=base, path=path, **{**sizes, "dropout": 0.0, **options}), vocabulary
    )


def pairs(model: Seq2Seq, chosen=slice(None)) -> Pairs:
    rows = np.arange(len(SOURCES))[chosen]
    return Pairs(
        model.vocabulary.sources(SOURCES),
        rows,
        model.vocabulary.targets(TITLES),
        TARGETS[chosen],
        np.ones(len(rows), dtype=np.float32),
    )


def fit(model: Seq2Seq, folder: Path, epochs: int, callbacks=(), **training):
    everything = pairs(model)
    options = TrainingOptions(
        epochs=epochs, patience=epochs, monitor="val_loss", batch_size=3, log_every=1
    )
    for key, value in training.items():
        setattr(options, key, value)
    return seq2seq.fit(
        model,
        everything,
        everything,
        LossOptions(),
        OptimizerOptions(lr=1e-2, weight_decay=0.0),
        options,
        0,
        folder,
        None,
        callbacks,
    )


def ids(tokens, row: int) -> list[int]:
    return tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].tolist()


BOTH = pytest.mark.parametrize("base", ["t5", "encoder"])
ROWS = np.arange(len(SOURCES))


# Vocabulary


def test_targets_end_and_do_not_begin():
    vocabulary = Vocabulary(pieces())
    assert (vocabulary.padding, vocabulary.start, vocabulary.end) == (0, 2, 3)
    (source,) = [ids(vocabulary.sources(["draft letters"]), 0)]
    assert source[0] == 2 and source[-1] == 3 and len(source) == 4
    assert ids(vocabulary.targets(["draft letters"]), 0) == source[1:]


def test_a_tokenizer_without_a_beginning_begins_with_padding():
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "a": 2}, unk_token="<pad>"))
    with pytest.raises(JobshiftError, match="no token at the end"):
        Vocabulary(tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    vocabulary = Vocabulary(tokenizer)
    assert (vocabulary.start, vocabulary.end) == (0, 1)
    assert ids(vocabulary.targets(["a"]), 0) == ids(vocabulary.sources(["a"]), 0) == [2, 1]


def test_a_cropped_tokenizer_divides_its_texts_as_before():
    texts = [*SOURCES, *TITLES]
    whole, cropped = Vocabulary(pieces()), crop(pieces(), texts)
    assert cropped.size == len(cropped.kept) == whole.size - len(UNREAD.split())
    before, after = whole.sources(texts), cropped.sources(texts)
    np.testing.assert_array_equal(cropped.kept[after.ids], before.ids)
    assert [cropped.text(ids(after, n)) for n in range(12)] == [
        whole.text(ids(before, n)) for n in range(12)
    ]
    # A word that went is read in smaller pieces: [CLS], z, ##e, ##b, ##r, ##a, [SEP].
    zebra = ids(cropped.sources(["zebra"]), 0)
    assert [cropped.tokenizer.id_to_token(n) for n in zebra[1:-1]] == [
        "z",
        "##e",
        "##b",
        "##r",
        "##a",
    ]


def test_only_word_pieces_are_cropped(tmp_path: Path):
    tiny_encoders.modernbert(tmp_path)
    with pytest.raises(JobshiftError, match=r"seq2seq\.crop works for word pieces, not for a BPE"):
        crop(Tokenizer.from_file(str(tmp_path / "tokenizer.json")), ["a"])


# Model


def test_the_decoder_shares_the_cropped_embeddings_of_the_encoder(bert: str):
    from transformers import BertModel

    model = network("encoder", bert)
    theirs = BertModel.from_pretrained(bert)
    words = model.model.encoder.embeddings.word_embeddings.weight
    np.testing.assert_array_equal(
        words.detach(), theirs.embeddings.word_embeddings.weight.detach()[model.vocabulary.kept]
    )
    decoder = model.model.decoder
    assert decoder.bert.embeddings.word_embeddings.weight is words
    assert decoder.cls.predictions.decoder.weight is words
    query = "encoder.layer.0.attention.self.query.weight"
    for each in (model.model.encoder, decoder.bert):
        assert torch.equal(each.get_parameter(query), theirs.get_parameter(query))
    fresh = network("encoder", bert, copy_layers=False).model
    assert torch.equal(fresh.encoder.get_parameter(query), theirs.get_parameter(query))
    assert not torch.equal(fresh.decoder.bert.get_parameter(query), theirs.get_parameter(query))


def test_frozen_parts_get_no_gradient(bert: str):
    model = network("encoder", bert, frozen_layers=1)
    batch = seq2seq.PairBatches(pairs(model), [ROWS])[0]
    model(*batch[:4]).sum().backward()
    moved = {name for name, each in model.named_parameters() if each.grad is not None}
    assert not any("word_embeddings" in name for name in moved)
    assert not any(name.startswith("model.encoder.encoder.layer.0.") for name in moved)
    assert any(name.startswith("model.encoder.encoder.layer.1.") for name in moved)
    assert any("crossattention" in name for name in moved)


@pytest.mark.parametrize("count", [1, 2])
def test_cached_outputs_of_frozen_layers_are_the_encoder(count: int, bert: str, tmp_path: Path):
    from transformers import EncoderDecoderModel

    whole, cut = (
        network("encoder", bert, frozen_layers=count, cache_frozen=cached)
        for cached in (False, True)
    )
    tokens = cut.vocabulary.sources(SOURCES)
    cached = FrozenOutputs(cut.reader, tokens, sorted_batches(tokens.lengths, 3))
    found = rank_titles(cut, cached, ROWS, TITLES)
    assert found == pytest.approx(rank_titles(whole, tokens, ROWS, TITLES), abs=1e-5)
    everything = pairs(cut)
    everything.inputs = cached
    batch = seq2seq.PairBatches(everything, [ROWS])[0]
    cut(*batch[:4]).sum().backward()
    assert any(each.grad is not None for each in cut.model.decoder.parameters())
    # It is saved whole.
    cut.save(tmp_path)
    saved = EncoderDecoderModel.from_pretrained(tmp_path).state_dict()
    (tmp_path / "whole").mkdir()
    whole.save(tmp_path / "whole")
    theirs = EncoderDecoderModel.from_pretrained(tmp_path / "whole").state_dict()
    assert saved.keys() == theirs.keys()
    assert all(torch.equal(saved[name], theirs[name]) for name in saved)


@BOTH
def test_loss_by_hand(base: str, bert: str):
    # Pair weights 1 and 3 weigh each token: Σ w × −log p / Σ w over the targets' tokens. Their logits from
    # transformers' own forward pass, one text after the other and so without any padding.
    model = network(base, bert).eval()
    some = pairs(model, np.array([1, 4]))
    some.weights[:] = [1.0, 3.0]
    total, weight, right = 0.0, 0.0, 0.0
    for n, w in enumerate(some.weights):
        source, target = ids(some.inputs, some.rows[n]), ids(some.outputs, some.targets[n])
        logits = model.model(
            input_ids=torch.tensor([source]),
            attention_mask=torch.ones(1, len(source)),
            decoder_input_ids=torch.tensor([[model.vocabulary.start, *target[:-1]]]),
        ).logits[0]
        logs = torch.log_softmax(logits, dim=1)
        total -= w * sum(logs[place, token].item() for place, token in enumerate(target))
        right += w * sum(int(logs[place].argmax()) == token for place, token in enumerate(target))
        weight += w * len(target)
    module = seq2seq.Generator(model, LossOptions(), OptimizerOptions(), 1, 0, 1)
    batch = seq2seq.PairBatches(some, [np.array([0, 1])])[0]
    written = module.written(batch)
    loss = module.cross_entropy(*written)
    assert loss.item() == pytest.approx(total / weight, abs=1e-5)
    module.validation_step(batch, 0)
    assert module.val_right == [(pytest.approx(right / weight), weight)]
    assert module.val_loss == [(pytest.approx(total / weight, abs=1e-5), weight)]
    # "write documents . [SEP]" has 4 tokens and "coat surfaces by hand . [SEP]" 6.
    assert weight == 4 * 1 + 6 * 3
    # Smoothing by s mixes in the mean over the vocabulary: (1 − s) × loss + s × mean of all −log p.
    module.loss = LossOptions(label_smoothing=0.5)
    logs = torch.log_softmax(written[0].detach(), dim=1).mean(dim=1)
    uniform = -float((logs[:4].sum() + 3 * logs[4:].sum()) / weight)
    smoothed = module.cross_entropy(*written).item()
    assert smoothed == pytest.approx(0.5 * total / weight + 0.5 * uniform, abs=1e-5)


def test_a_pretrained_t5_comes_with_its_own_tokenizer(bert: str, tmp_path: Path):
    first = network("t5", bert, seed=2)
    first.save(tmp_path)
    theirs = Vocabulary(Tokenizer.from_file(str(tmp_path / "tokenizer.json")))
    again = Seq2Seq(Seq2SeqOptions(path=str(tmp_path)), theirs)
    sources = first.vocabulary.sources(SOURCES)
    written = [
        seq2seq.sequences(each, sources, ROWS, GenerationOptions()) for each in (first, again)
    ]
    assert written[0][0] == written[1][0]
    np.testing.assert_array_equal(written[0][1], written[1][1])
    for wrong in (first.vocabulary, Vocabulary(pieces())):  # cropped; larger
        with pytest.raises(JobshiftError, match=r"name its own tokenizer and set seq2seq\.crop"):
            Seq2Seq(Seq2SeqOptions(path=str(tmp_path)), wrong)


def test_unknown_options_are_refused(bert: str, tmp_path: Path):
    for options, message in [
        ({"base": "rnn"}, r"seq2seq\.base is 'rnn'; choose t5 or encoder"),
        ({"base": "t5", "heads": 5}, r"d_model is 32, which 5 heads"),
        ({"base": "t5", "frozen_layers": 1}, r"work with seq2seq\.base=encoder"),
        ({"base": "encoder", "cache_frozen": True}, r"cache_frozen needs seq2seq\.frozen_layers"),
        ({"base": "encoder", "decoder_layers": 3}, "has 2 layers to freeze or to copy"),
    ]:
        with pytest.raises(JobshiftError, match=message):
            network(bert=bert, **options)
    with pytest.raises(JobshiftError, match="is a bert, but seq2seq.base needs a t5"):
        Seq2Seq(Seq2SeqOptions(path=bert), Vocabulary(pieces()))
    with pytest.raises(JobshiftError, match=r"seq2seq\.path: no model with safetensors weights"):
        Seq2Seq(Seq2SeqOptions(base="encoder", path=str(tmp_path)), Vocabulary(pieces()))


# Training


@BOTH
def test_eight_pairs_are_learnt_by_heart_and_survive_saving(base: str, bert: str, tmp_path: Path):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = network(base, bert)
    history = fit(model, tmp_path / "epochs", epochs=25)
    assert history["val_exact_match"].max() == 1.0
    sources = model.vocabulary.sources(SOURCES)
    texts, scores = generate(model, sources, ROWS, GenerationOptions(), TITLES)
    assert texts == [TITLES[n] for n in TARGETS]
    assert (scores < 0).all() and (scores > math.log(0.5)).all()
    # Without the list of titles there is no case, and no spacing but the tokenizer's.
    assert generate(model, sources, ROWS[:1], GenerationOptions(), [])[0] == ["write documents ."]
    # Nothing of jobshift is needed for the saved model.
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    theirs, loading = AutoModelForSeq2SeqLM.from_pretrained(
        tmp_path / "saved", output_loading_info=True
    )
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    batch = tokenizer(SOURCES, padding=True, return_tensors="pt", return_token_type_ids=False)
    written = theirs.generate(**batch, max_new_tokens=12)
    found = tokenizer.batch_decode(written, skip_special_tokens=True)
    assert [each.replace(" .", ".") for each in found] == [TITLES[n].lower() for n in TARGETS]
    with torch.inference_mode():
        labels = seq2seq.PairBatches(pairs(model), [ROWS])[0]
        start = torch.full((len(ROWS), 1), model.vocabulary.start)
        before = torch.cat([start, labels[2][:, :-1]], dim=1)
        logits = theirs(
            input_ids=labels[0], attention_mask=labels[1], decoder_input_ids=before
        ).logits
        ours = model(*labels[:4])
    assert torch.allclose(logits[labels[3].bool()], ours, atol=1e-4)
    assert sorted(each.name for each in (tmp_path / "saved").iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


@BOTH
def test_interrupted_training_ends_with_the_same_bytes(base: str, bert: str, tmp_path: Path):
    import pytorch_lightning as pl

    class Power(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, number):
            assert all(each.training for each in module.modules())  # dropout is on
            if trainer.current_epoch == 2 and number == 1:
                raise KeyboardInterrupt

    def saved(model: Seq2Seq, name: str) -> dict[str, bytes]:
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
        return {each.name: each.read_bytes() for each in sorted((tmp_path / name).iterdir())}

    whole = network(base, bert, dropout=0.2)
    history = fit(whole, tmp_path / "one", epochs=4)
    cut = network(base, bert, dropout=0.2)
    with pytest.raises(SystemExit):
        fit(cut, tmp_path / "two", epochs=4, callbacks=[Power()])
    assert (tmp_path / "two/last.ckpt").is_file()
    again = network(base, bert, dropout=0.2)
    resumed = fit(again, tmp_path / "two", epochs=4)
    assert resumed.equals(history) and history["epoch"].max() == 3
    assert saved(again, "again") == saved(whole, "whole")


def test_training_without_validation_and_a_wrong_monitor(bert: str, tmp_path: Path):
    model = network("t5", bert)
    options = TrainingOptions(epochs=1, monitor="val_exact_match", batch_size=4)
    recipe = (LossOptions(), OptimizerOptions(), options, 0, tmp_path, None)
    history = seq2seq.fit(model, pairs(model), None, *recipe)
    assert list(history["epoch"]) == [0] and history["val_loss"].isna().all()
    options.monitor = "val_cohen_kappa"
    with pytest.raises(JobshiftError, match=r"training\.monitor is 'val_cohen_kappa'"):
        seq2seq.fit(model, pairs(model), None, *recipe)


def test_divergence_is_an_error(bert: str, tmp_path: Path):
    model = network("t5", bert)
    with torch.no_grad():
        model.model.lm_head.weight.fill_(math.nan)
    with pytest.raises(JobshiftError, match=r"the loss is nan in epoch 0, step 0"):
        fit(model, tmp_path, epochs=1)


# Generation


@BOTH
def test_greedy_is_what_one_gets_token_by_token(base: str, bert: str):
    model = network(base, bert, seed=3)
    sources = model.vocabulary.sources(SOURCES)
    options = GenerationOptions(max_length=7)
    found, scores = seq2seq.sequences(model, sources, ROWS, options)
    for row in ROWS:
        source = torch.tensor([ids(sources, row)])
        written, total = [], 0.0
        while len(written) < 7 and model.vocabulary.end not in written:
            logits = model.model(
                input_ids=source,
                attention_mask=torch.ones_like(source),
                decoder_input_ids=torch.tensor([[model.vocabulary.start, *written]]),
            ).logits[0, -1]
            best = int(logits.argmax())
            total += torch.log_softmax(logits.double(), dim=0)[best].item()
            written.append(best)
        assert found[row] == written
        assert scores[row] == pytest.approx(total, abs=1e-4)
    one = GenerationOptions(how="beam", beams=1, max_length=7)
    assert seq2seq.sequences(model, sources, ROWS, one)[0] == found


@BOTH
@pytest.mark.parametrize("how", ["greedy", "beam"])
def test_neither_batches_nor_order_change_the_outputs(base: str, how: str, bert: str):
    model = network(base, bert, seed=3)
    sources = model.vocabulary.sources(SOURCES)
    together, alone = (
        GenerationOptions(how=how, beams=3, max_length=8, batch_size=size) for size in (5, 1)
    )
    order = np.array([6, 1, 7, 0, 3, 5, 2, 4])
    texts, scores = generate(model, sources, ROWS, together, TITLES)
    other_texts, other_scores = generate(model, sources, order, alone, TITLES)
    assert [texts[row] for row in order] == other_texts
    # Padding changes sums by the order of their terms alone.
    np.testing.assert_allclose(scores[order], other_scores, atol=1e-5)
    assert generate(model, sources, ROWS[:0], together, TITLES)[0] == []


@BOTH
@pytest.mark.parametrize("how", ["greedy", "beam", "sample"])
def test_constrained_outputs_are_always_titles(base: str, how: str, bert: str):
    # Titles of which one begins another, or one word is the whole.
    titles = [*TITLES, "Move goods. By hand.", "Mend", "Write"]
    for seed in range(4):
        model = network(base, bert, seed=seed)
        sources = model.vocabulary.sources(SOURCES)
        # The length is that of the longest title even if less is asked for.
        options = GenerationOptions(how=how, constrained=True, beams=9, max_length=2, batch_size=3)
        texts, scores = generate(model, sources, ROWS, options, titles, seed)
        assert set(texts) <= set(titles)
        assert np.isfinite(scores).all()


@BOTH
def test_wide_constrained_beams_find_the_likeliest_title(base: str, bert: str):
    titles = [*TITLES, "Move goods. By hand.", "Mend", "Write"]
    model = network(base, bert, seed=1)
    sources = model.vocabulary.sources(SOURCES)
    lengths = model.vocabulary.targets(titles).lengths
    means = rank_titles(model, sources, ROWS, titles, size=3)
    sums = means * lengths
    for penalty, wanted in ((0.0, sums), (1.0, means)):
        options = GenerationOptions(how="beam", constrained=True, beams=12, length_penalty=penalty)
        texts, scores = generate(model, sources, ROWS, options, titles)
        assert texts == [titles[n] for n in wanted.argmax(axis=1)]
        np.testing.assert_allclose(scores, sums[ROWS, wanted.argmax(axis=1)], atol=1e-4)


def test_probabilities_of_all_sequences_add_up_to_one():
    # Everything that a model of 5 tokens can write with at most one token before the end, and what is
    # cut behind two.
    numbers = {"[PAD]": 0, "end": 1, "a": 2, "b": 3, "start": 4}
    tokenizer = Tokenizer(models.WordLevel(numbers, "[PAD]"))
    tokenizer.post_processor = processors.BertProcessing(("end", 1), ("start", 4))
    torch.manual_seed(0)
    options = Seq2SeqOptions(d_model=16, layers=1, decoder_layers=1)
    model = Seq2Seq(options, Vocabulary(tokenizer)).eval()
    every = [[1], *([n, 1] for n in (0, 2, 3, 4))]
    every += [list(each) for each in itertools.product((0, 2, 3, 4), repeat=2)]
    source = torch.tensor([[4, 2, 3, 1]]).expand(len(every), -1)
    mask = torch.ones_like(source)
    encoded = model.encode(source, mask)
    logs = seq2seq.log_probabilities(model, encoded, mask, model.vocabulary.tokens(every))
    assert logs.exp().sum().item() == pytest.approx(1.0, abs=1e-6)


def test_sampling_depends_on_its_seed_alone(bert: str):
    model = network("t5", bert, seed=3)
    sources = model.vocabulary.sources(SOURCES)

    def written(seed: int, **options) -> list[str]:
        chosen = GenerationOptions(how="sample", max_length=8, **options)
        return generate(model, sources, ROWS, chosen, TITLES, seed)[0]

    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = written(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert written(0) == first != written(1)
    greedy = generate(model, sources, ROWS, GenerationOptions(max_length=8), TITLES)[0]
    assert written(0, top_k=1) == written(1, temperature=1e-4) == written(2, top_p=1e-6) == greedy
    # transformers would look among the 50 likeliest tokens: here all of them can be drawn.
    assert seq2seq.generation_config(GenerationOptions(how="sample")).top_k == 0


def test_generation_refuses_what_makes_no_sense(bert: str):
    model = network("t5", bert)
    sources = model.vocabulary.sources(SOURCES)
    for options, message in [
        ({"how": "best"}, "generation.how is 'best'"),
        ({"beams": 0}, "generation.beams is 0"),
        ({"temperature": 0.0}, "generation.temperature is 0"),
        ({"constrained": True}, "needs titles"),
    ]:
        with pytest.raises(JobshiftError, match=message):
            generate(model, sources, ROWS, GenerationOptions(**options), [])
    with pytest.raises(JobshiftError, match=r"'Move goods\.' and 'move goods\.' have the same"):
        generate(model, sources, ROWS, GenerationOptions(), ["Move goods.", "move goods."])
