"""Attributions by hand for linear networks, completeness, words from pieces, neighbours, errors."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn

from jobshift.errors import JobshiftError
from jobshift.rating import explain
from jobshift.rating.explain import Explainer, summed
from jobshift.rating.exported import Exported

# Token → its embedding. The first number is what it adds to the value; padding adds something, too.
WORDS = {
    "[PAD]": (0.01, 0.0),
    "[UNK]": (0.03, 0.0),
    "[CLS]": (0.05, 0.0),
    "[SEP]": (-0.05, 0.0),
    "draft": (0.21, 0.0),
    "repair": (-0.09, 0.3),
    "##s": (-0.03, 0.1),
    "letters": (0.04, 0.04),
    "文": (0.02, 0.0),
    "件": (-0.01, 0.0),
    ".": (0.01, 0.0),
}


class Sum(nn.Module):
    """Two classes; the logits are such that p(yes) = shape(sum of the tokens' first numbers)."""

    def __init__(self, shape=lambda total: 0.4 + total):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(torch.tensor(list(WORDS.values())))
        self.shape, self.rows = shape, []

    def get_input_embeddings(self):
        return self.words

    def forward(self, input_ids, attention_mask, output_hidden_states=False):
        self.rows.append(len(input_ids))
        hidden = self.words(input_ids)
        p = self.shape((hidden[..., 0] * attention_mask).sum(dim=1))
        logits = torch.stack([1 - p, p], dim=1).log()
        return SimpleNamespace(logits=logits, hidden_states=[None, hidden])


def tokenizer() -> Tokenizer:
    """Word pieces as BERT's, each Chinese character by itself."""
    names = {name: number for number, name in enumerate(WORDS)}
    made = Tokenizer(models.WordPiece(names, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


@pytest.fixture
def explainer(tmp_path, monkeypatch):
    """Call it with a network and what rating.json would say; it has three training texts."""
    tokenizer().save(str(tmp_path / "tokenizer.json"))
    train = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32)
    save_file({"train_embeddings": train}, tmp_path / "heads.safetensors")
    pd.DataFrame(
        {"id": ["a", "b", "c"], "text": ["A", "B", "C"], "label": ["yes", "no", "no"],
         "occupation": ["Clerks", None, "Painters"]}
    ).to_parquet(tmp_path / "evidence.parquet")  # fmt: skip

    def make(network, **changes):
        said = {"scores": {"no": 0.0, "yes": 1.0}, "temperature": 1.0, "max_length": 16, **changes}
        exported = Exported(
            folder=tmp_path, model="sum", classes=["no", "yes"], automation=[], padding=0,
            threshold=0.5, neighbours=1, **said,
        )  # fmt: skip
        monkeypatch.setattr(
            "transformers.AutoModelForSequenceClassification.from_pretrained",
            lambda folder, **options: network,
        )
        return Explainer(exported)

    return make


def test_a_linear_network_by_hand(explainer):
    found = explainer(Sum()).attributions(["Draft letters.", "Repairs!", "draft 文件"])
    # A word: its number less that of padding; the pieces of one word are summed.
    assert [each.words for each in found] == [
        ["Draft", "letters", "."],
        ["Repairs", "!"],
        ["draft", "文", "件"],
    ]
    by_hand = [[0.20, 0.03, 0.0], [-0.14, 0.02], [0.20, 0.01, -0.02]]
    for each, values in zip(found, by_hand, strict=True):
        assert each.values == pytest.approx(values, abs=1e-6)
        assert each.completeness_gap < 1e-6
    # The value: .4, the special tokens 0 and the words .21 + .04 + .01; three of padding instead.
    assert found[0].value == pytest.approx(0.66) and found[0].baseline == pytest.approx(0.43)


def test_scores_and_temperature_count(explainer):
    scores, texts = {"no": 0.5, "yes": 1.0}, ["draft"]
    one = explainer(Sum(), scores=scores).attributions(texts)[0]
    # β = .5 (1 − p) + p = .5 + .5 p
    assert one.value == pytest.approx(0.5 + 0.5 * 0.61)
    assert one.values == pytest.approx([0.10], abs=1e-6)
    warm = explainer(Sum(), temperature=2.0).attributions(texts)[0]
    yes, no = 0.61**0.5, 0.39**0.5
    assert warm.value == pytest.approx(yes / (yes + no))


def test_without_scores_the_predicted_class_is_explained(explainer):
    made = explainer(Sum(), scores=None)
    raised, lowered = made.attributions(["draft", "repair"])
    assert raised.value == pytest.approx(0.61) and raised.values == pytest.approx([0.20], abs=1e-6)
    # p(yes) is .31: of the class no, which the word raises.
    assert lowered.value == pytest.approx(0.69)
    assert lowered.values == pytest.approx([0.10], abs=1e-6)
    asked = made.attributions(["repair"], target="yes")[0]
    assert asked.value == pytest.approx(0.31) and asked.values == pytest.approx([-0.10], abs=1e-6)
    with pytest.raises(JobshiftError, match="no class 'maybe'; choose from no, yes"):
        made.attributions(["repair"], target="maybe")


def steep(total):
    return torch.sigmoid(60 * (total - 0.1))


def test_steps_are_doubled_until_the_parts_sum_to_the_whole(explainer, monkeypatch):
    monkeypatch.setattr(explain, "STEPS", (1, 2, 4, 64))
    network = Sum(steep)
    easy, hard = explainer(network).attributions(["letters", "draft"])
    assert easy.completeness_gap <= explain.TOLERANCE >= hard.completeness_gap
    assert sum(hard.values) == pytest.approx(hard.value - hard.baseline, abs=explain.TOLERANCE)
    # The last pass was for the hard one alone: 64 points of one text.
    assert max(network.rows) == 64 and network.rows[-1] == 64


def test_a_gap_that_is_left_is_reported(explainer, monkeypatch):
    monkeypatch.setattr(explain, "STEPS", (1,))
    hard = explainer(Sum(steep)).attributions(["draft"])[0]
    # One point, half way: the slope there times the way.
    middle = steep(torch.tensor(0.5 * (0.21 + 0.01))).item()
    value = 60 * middle * (1 - middle) * 0.20
    assert hard.values == pytest.approx([value], rel=1e-4)
    gap = abs(value - (hard.value - hard.baseline))
    assert hard.completeness_gap == pytest.approx(gap, rel=1e-4) and gap > explain.TOLERANCE


def test_long_and_empty_texts(explainer):
    long, empty = explainer(Sum(), max_length=4).attributions(["letters draft draft draft", ""])
    assert long.words == ["letters", "draft"] and len(long.values) == 2
    assert empty.words == [] and empty.values == [] and empty.completeness_gap == 0
    assert explainer(Sum()).attributions([]) == []


def test_nearest_training_texts(explainer):
    # [CLS] draft [SEP] has the mean (.07, 0); repair (−.03, .1), nearest to (0, 1).
    draft, repair = explainer(Sum()).nearest(["draft", "repair"], 2)
    assert list(draft) == ["cosine", "id", "text", "label", "occupation"]
    assert draft["id"].tolist() == ["a", "c"]
    assert draft["cosine"].tolist() == pytest.approx([1.0, 0.6])
    assert repair["id"].tolist() == ["b", "c"]
    assert repair["cosine"][0] == pytest.approx(0.1 / np.hypot(0.03, 0.1))
    assert len(explainer(Sum()).nearest(["draft"], 9)[0]) == 3


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A BERT of two narrow layers with random weights, large enough to matter, as an export."""
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("bert")
    tokenizer().save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, num_labels=3, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return Exported(
        folder=folder, model="bert", classes=["E0", "E2", "E1"], automation=[], padding=0,
        scores={"E0": 0.0, "E2": 0.5, "E1": 1.0}, temperature=1.3, max_length=32, threshold=0.5,
        neighbours=1,
    )  # fmt: skip


def test_the_parts_of_a_bert_sum_to_the_whole(bert):
    rng = np.random.default_rng(0)
    known = [name for name in WORDS if name.isalpha()]
    texts = [" ".join(rng.choice(known, size=n)) for n in (1, 2, 3, 5, 8, 13)]
    made = Explainer(bert)
    found = made.attributions(texts)
    for text, each in zip(texts, found, strict=True):
        assert "".join(each.words) == text.replace(" ", "")
        difference = each.value - each.baseline
        assert sum(each.values) == pytest.approx(difference, abs=explain.TOLERANCE)
        assert 0 <= each.value <= 1
    assert max(abs(each.value - each.baseline) for each in found) > 0.05
    # The same again, and the same by itself as among others, but for the last digits.
    assert made.attributions(texts) == found
    alone = made.attributions(texts[2:3])[0]
    assert alone.values == pytest.approx(found[2].values, abs=1e-4)
    with torch.no_grad():
        encoding = made.tokenizer.encode(texts[0])
        logits = made.network(input_ids=torch.tensor([encoding.ids])).logits
    beta = (logits / 1.3).softmax(1) @ torch.tensor([0.0, 0.5, 1.0])
    assert found[0].value == pytest.approx(beta.item(), abs=1e-6)


def test_chinese_without_spaces():
    """To a tokenizer that marks spaces a clause is one word; its pieces are words to us."""
    pieces = ["<unk>", "▁", "▁整理", "文件", "draft", "▁letter", "s"]
    made = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    text = "整理文件 letters"
    encoding = made.encode(text)
    assert encoding.tokens == ["▁整理", "文件", "▁letter", "s"]
    words, values = summed(text, encoding, np.array([1.0, 2.0, 4.0, 8.0]))
    assert words == ["整理", "文件", "letters"] and values == [1.0, 2.0, 12.0]


def test_what_is_missing_is_named(explainer, bert, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "captum.attr", None)
        with pytest.raises(JobshiftError, match=r"pip install 'jobshift\[explain\]'"):
            Explainer(bert)
    (bert.folder / "model.safetensors").rename(bert.folder / "away")
    with pytest.raises(JobshiftError, match=r"model.safetensors is damaged; run `jobshift export`"):
        Explainer(bert)
    (bert.folder / "away").rename(bert.folder / "model.safetensors")
