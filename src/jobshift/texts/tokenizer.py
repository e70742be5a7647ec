"""The fast tokenizer of a model: from a folder, from the hub, or trained on the training texts.

A tokenizer that is trained sees the training part of the first purged fold and nothing else, so that no
held-out text decides what a token is. All kinds fold width (NFKC) and, if asked, case, and put [CLS] and
[SEP] around a text, so a text without a known letter still has tokens. The kinds:

- `char`: a token a character, white space too. Made for writing without spaces, such as Chinese.
- `bpe`: byte-pair encoding of letters (not bytes) between spaces and punctuation, words marked by the
  space before them. Chinese is not cut into characters first, so that common words become tokens.

The same texts give the same tokenizer. BERT's word pieces are not among the kinds: the trainer of
`tokenizers` breaks ties by chance, and with an unknown letter all between two spaces is unknown, which in
Chinese may be a whole clause.
"""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from jobshift.errors import JobshiftError
from jobshift.models.options import TokenizerOptions

TRAINED = Path("data/tokens")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
KINDS = ("bpe", "char")


def folder_of(options: TokenizerOptions) -> str:
    """Where the tokenizer lies: its path, or where the stage tokenize puts the one it trains."""
    if bool(options.path) == bool(options.kind):
        raise JobshiftError(
            f"conf/tokenizer/{options.name}.yaml: give either path, where a tokenizer lies, or kind "
            f"({', '.join(KINDS)}), to train one"
        )
    return options.path or (TRAINED / options.name).as_posix()


def load_tokenizer(options: TokenizerOptions) -> Tokenizer:
    """The tokenizer, set to truncate and not to pad; JobshiftError where there is none."""
    folder = folder_of(options)
    file = Path(folder) / "tokenizer.json"
    if options.kind and not file.is_file():
        raise JobshiftError(f"{file} is missing; run `jobshift tokenize tokenizer={options.name}`")
    try:
        tokenizer = (
            Tokenizer.from_file(str(file)) if file.is_file() else Tokenizer.from_pretrained(folder)
        )
    except Exception as error:  # the library raises bare Exception
        raise JobshiftError(
            f"tokenizer.path: no tokenizer.json in {folder} and none on the hub under that name "
            f"({str(error).splitlines()[0]}); fetch the model, or name another"
        ) from error
    tokenizer.enable_truncation(options.max_length)
    return tokenizer


def train_tokenizer(options: TokenizerOptions, texts: Sequence[str]) -> Tokenizer:
    """A tokenizer of `options.kind` trained on `texts`; JobshiftError where the options make no sense."""
    file = f"conf/tokenizer/{options.name}.yaml"
    if options.kind not in KINDS:
        raise JobshiftError(f"{file}: kind is '{options.kind}'; choose {', '.join(KINDS)}")
    if options.vocabulary <= len(SPECIAL) or options.min_count < 1:
        raise JobshiftError(
            f"{file}: vocabulary is {options.vocabulary} and min_count {options.min_count}; they must be "
            f"at least {len(SPECIAL) + 1} and 1"
        )
    asked = {
        "vocab_size": options.vocabulary,
        "min_frequency": options.min_count,
        "special_tokens": SPECIAL,
        "show_progress": False,
    }
    if options.kind == "char":
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        tokenizer.decoder = decoders.Fuse()
        trainer = trainers.WordLevelTrainer(**asked)
    else:
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
        )
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(**asked)
    steps = [normalizers.NFKC(), *([normalizers.Lowercase()] if options.lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def padding_id(tokenizer: Tokenizer) -> int:
    """The id that the tokenizer pads with, by its own setting or by the usual names."""
    if tokenizer.padding:
        return tokenizer.padding["pad_id"]
    for name in ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>"):
        if (number := tokenizer.token_to_id(name)) is not None:
            return number
    raise JobshiftError("tokenizer.path: the tokenizer has no padding token; choose another")
