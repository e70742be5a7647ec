"""A random BERT of two narrow layers, exported as the stage export does, for tests that need one that runs.

Written without transformers, whose import takes longer than these tests.
"""

import json
import string
from pathlib import Path

import numpy as np

CLASSES = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
WIDTH, INNER, LAYERS, LENGTH = 16, 24, 2, 12


def export(folder: Path, seed: int = 0) -> Path:
    """Write the export into `folder`; words are cut into letters, and a text of over 12 tokens is cut."""
    from safetensors.numpy import save_file

    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = tokenizer(folder / "tokenizer.json")

    def normal(*shape: int) -> np.ndarray:
        return random.normal(0, 0.4, shape).astype(np.float32)

    weights = {
        "bert.embeddings.word_embeddings.weight": normal(vocabulary, WIDTH),
        "bert.embeddings.position_embeddings.weight": normal(LENGTH, WIDTH),
        "bert.embeddings.token_type_embeddings.weight": normal(2, WIDTH),
    }

    def dense(name: str, inputs: int, outputs: int) -> None:
        weights[f"{name}.weight"] = normal(outputs, inputs)
        weights[f"{name}.bias"] = normal(outputs)

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = 1 + normal(WIDTH)
        weights[f"{name}.bias"] = normal(WIDTH)

    norm("bert.embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"bert.encoder.layer.{number}"
        for part in ("query", "key", "value"):
            dense(f"{layer}.attention.self.{part}", WIDTH, WIDTH)
        dense(f"{layer}.attention.output.dense", WIDTH, WIDTH)
        norm(f"{layer}.attention.output.LayerNorm")
        dense(f"{layer}.intermediate.dense", WIDTH, INNER)
        dense(f"{layer}.output.dense", INNER, WIDTH)
        norm(f"{layer}.output.LayerNorm")
    dense("bert.pooler.dense", WIDTH, WIDTH)
    dense("classifier", WIDTH, len(CLASSES))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_attention_heads": 2,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": LENGTH,
        "type_vocab_size": 2,
        "vocab_size": vocabulary,
        "layer_norm_eps": 1e-12,
        "id2label": dict(enumerate(CLASSES)),
    }
    (folder / "config.json").write_text(json.dumps(config))

    train = normal(9, WIDTH)
    train /= np.linalg.norm(train, axis=1, keepdims=True)
    heads = {
        "train_embeddings": train,
        "automation_weight": normal(5, WIDTH),
        "automation_bias": normal(5),
    }
    save_file(heads, folder / "heads.safetensors")
    rating = {
        "format": 1,
        "model": "tiny",
        "classes": list(CLASSES),
        "scores": CLASSES,
        "automation": ["T0", "T1", "T2", "T3", "T4"],
        "temperature": 1.5,
        "max_length": LENGTH,
        "padding": 0,
        "domain": {"threshold": 0.7, "neighbours": 3},
    }
    (folder / "rating.json").write_text(json.dumps(rating))
    return folder


def tokenizer(file: Path) -> int:
    """Write a tokenizer that cuts ASCII words into letters; returns how many tokens it knows."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    signs = string.ascii_lowercase + string.digits + string.punctuation
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *signs, *(f"##{sign}" for sign in signs)]
    built = Tokenizer(
        models.WordPiece({name: n for n, name in enumerate(names)}, unk_token="[UNK]")
    )
    built.normalizer = normalizers.BertNormalizer(lowercase=True)
    built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    built.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    built.save(str(file))
    return len(names)
