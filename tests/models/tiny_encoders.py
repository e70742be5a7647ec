"""Small random checkpoints of other families of encoders, as their makers publish them."""

from pathlib import Path

import tiny_study

# What a Chinese text of the tiny study says for each verb.
CHINESE = {
    "draft": "起草文件",
    "translate": "翻译资料",
    "summarise": "归纳内容",
    "look up": "查询记录",
    "analyse": "分析数据",
    "monitor": "监测状态",
    "repair": "修理设备",
    "carry": "搬运货物",
    "paint": "粉刷墙面",
    "console": "安慰家属",
}


def bert(folder: Path, chinese: bool) -> None:
    """A BERT of three narrow layers and its word pieces: English words, or single characters besides."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM

    words = " ".join([*tiny_study.VERBS, *tiny_study.THINGS, *tiny_study.PLACES, "."]).split()
    words += sorted("".join(CHINESE.values())) if chinese else []
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(numbers),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertForMaskedLM(config).save_pretrained(folder)  # as on the hub: no pooler, another head


def modernbert(folder: Path, vocabulary: int | None = None) -> None:
    """A ModernBERT of three narrow layers, the first global, and its tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    numbers = {name: number for number, name in enumerate([*alphabet, *special])}
    tokenizer = Tokenizer(models.BPE(numbers, []))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    places = [("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=places
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=vocabulary or len(numbers),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=128,
        local_attention=16,
        global_attn_every_n_layers=3,
        pad_token_id=0 if vocabulary else numbers["[PAD]"],
        cls_token_id=1,
        sep_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    ModernBertForMaskedLM(config).save_pretrained(folder)
