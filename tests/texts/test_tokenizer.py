"""Tokenizers that are trained: what a token is, odd texts, and the same tokens every time."""

import pytest

from jobshift.errors import JobshiftError
from jobshift.models.options import TokenizerOptions
from jobshift.texts.tokenizer import KINDS, load_tokenizer, padding_id, train_tokenizer

TEXTS = [
    "擦洗机床，并填写记录。",
    "擦洗车间的机床。",
    "检查机床，填写记录。",
    "Sharpen the saws and the shears.",
    "Sharpen the knives of the saw.",
] * 2
ODD = ["", " ", "\n\t", "🙂🙂", "Ａ１", "\u200b", "机" * 300, "mixed 机床 and saws"]


def options(kind: str, **changes) -> TokenizerOptions:
    return TokenizerOptions(name="t", kind=kind, max_length=20, **{"vocabulary": 60, **changes})


def test_a_character_is_a_token():
    tokenizer = train_tokenizer(options("char"), TEXTS)
    found = tokenizer.encode("机床 Saw！龙")
    # Full width becomes ordinary, case is folded, what training never saw is unknown.
    expected = ["机", "床", " ", "s", "a", "w", "[UNK]", "[UNK]"]
    assert found.tokens == ["[CLS]", *expected, "[SEP]"]
    assert tokenizer.encode("Ａ").tokens == tokenizer.encode("a").tokens


def test_common_pieces_become_tokens():
    tokens = train_tokenizer(options("bpe", vocabulary=120), TEXTS).encode("擦洗机床，saws").tokens
    assert any("擦洗" in token for token in tokens)
    assert len(tokens) < 2 + len("擦洗机床，saws")
    # One unknown character leaves the others known.
    known = train_tokenizer(options("bpe"), TEXTS).encode("擦洗龙床").tokens
    assert known.count("[UNK]") == 1 and known[-2] == "床"


def test_rare_characters_and_case():
    few = train_tokenizer(options("char", min_count=7), TEXTS)
    assert few.token_to_id("擦") is None  # 4 times, "e" far more often
    assert few.token_to_id("e") is not None
    assert train_tokenizer(options("char", lowercase=False), TEXTS).token_to_id("S") is not None


@pytest.mark.parametrize("kind", KINDS)
def test_odd_texts_have_tokens_and_the_same_texts_give_the_same_tokenizer(kind: str):
    tokenizer = train_tokenizer(options(kind), TEXTS)
    assert padding_id(tokenizer) == 0 and tokenizer.get_vocab_size() <= 60
    for text in ODD:
        ids = tokenizer.encode(text).ids
        assert len(ids) >= 2 and ids[0] == tokenizer.token_to_id("[CLS]")
    again = [train_tokenizer(options(kind), TEXTS).to_str() for _ in range(3)]
    assert set(again) == {tokenizer.to_str()}


def test_options_that_make_no_sense():
    with pytest.raises(JobshiftError, match=r"t\.yaml: kind is 'words'; choose bpe, char"):
        train_tokenizer(options("words"), TEXTS)
    with pytest.raises(JobshiftError, match=r"vocabulary is 5"):
        train_tokenizer(options("char", vocabulary=5), TEXTS)
    for both in ({"path": "somewhere"}, {"kind": ""}):
        with pytest.raises(JobshiftError, match=r"t\.yaml: give either path"):
            load_tokenizer(TokenizerOptions(**{"name": "t", "kind": "char", **both}))


def test_a_tokenizer_that_was_not_trained_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobshiftError, match=r"run `jobshift tokenize tokenizer=t`"):
        load_tokenizer(options("char"))
