"""The fast tokenizer of a model: its own `tokenizer.json`, from a folder or from the hub."""

from pathlib import Path

from tokenizers import Tokenizer

from jobshift.errors import JobshiftError
from jobshift.models.options import TokenizerOptions


def load_tokenizer(options: TokenizerOptions) -> Tokenizer:
    """The tokenizer, set to truncate and not to pad; JobshiftError where there is none."""
    file = Path(options.path) / "tokenizer.json"
    try:
        tokenizer = (
            Tokenizer.from_file(str(file))
            if file.is_file()
            else Tokenizer.from_pretrained(options.path)
        )
    except Exception as error:  # the library raises bare Exception
        raise JobshiftError(
            f"tokenizer.path: no tokenizer.json in {options.path} and none on the hub under that name "
            f"({str(error).splitlines()[0]}); fetch the model, or name another"
        ) from error
    tokenizer.enable_truncation(options.max_length)
    return tokenizer


def padding_id(tokenizer: Tokenizer) -> int:
    """The id that the tokenizer pads with, by its own setting or by the usual names."""
    if tokenizer.padding:
        return tokenizer.padding["pad_id"]
    for name in ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>"):
        if (number := tokenizer.token_to_id(name)) is not None:
            return number
    raise JobshiftError("tokenizer.path: the tokenizer has no padding token; choose another")
