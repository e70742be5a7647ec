"""The nearest training text by hand, and what holds of any training texts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from jobshift.errors import JobshiftError
from jobshift.models import nearest
from jobshift.models.nearest import Nearest
from jobshift.models.options import NearestOptions


def rows(*links: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(links, columns=["id", "text", "target"])


def asked(*texts: str) -> pd.DataFrame:
    return pd.DataFrame({"text": texts})


def fitted(train: pd.DataFrame, embedded=None, **options) -> Nearest:
    model = Nearest(NearestOptions(**options), embedded)
    model.fit(train)
    return model


WORK = rows(
    ("3", "mend gates", "Repair things"),
    ("1", "paint walls", "Coat surfaces"),
    ("2", "mend pumps", "Service machines"),
)


def test_rare_words_weigh_more_by_hand():
    # Of three texts `mend` is in two, `walls` in one: idf ln(4 / 3) + 1 = 1.288 and ln(4 / 2) + 1 = 1.693.
    # The text has length √(1.288² + 1.693²) = 2.127, as both with `mend`; `paint walls` has √2 × 1.693.
    # Cosines: 1.288² / 2.127² = .37 with those, 1.693² / (2.127 × 2.394) = .56 with this.
    assert fitted(WORK).outputs(asked("Mend the walls")) == ["Coat surfaces"]


def test_of_equals_the_first_id_decides():
    # Both texts with `mend` are as near; 2 comes before 3, though its row does not.
    assert fitted(WORK).outputs(asked("mend", "mend gates")) == [
        "Service machines",
        "Repair things",
    ]


def test_what_shares_nothing_gets_the_usual_target():
    more = pd.concat([WORK, rows(("4", "fix doors", "Repair things"))])
    assert fitted(more).outputs(asked("sing", "")) == ["Repair things"] * 2
    # All are as frequent: that of the first id.
    assert fitted(WORK).outputs(asked("sing")) == ["Coat surfaces"]


def test_of_several_targets_of_a_text_the_most_frequent_in_training():
    train = rows(
        ("1", "mend gates", "Inspect things"),
        ("2", "mend gates", "Repair things"),
        ("3", "fix doors", "Repair things"),
        ("4", "weld rails", "Join metals"),
        ("5", "weld rails", "Cut metals"),
    )
    # Repair things stands twice; of the two of `weld rails`, both once, the first id's.
    assert fitted(train).outputs(asked("mend gates", "weld rails")) == [
        "Repair things",
        "Join metals",
    ]


def test_parts_of_words_count_where_asked():
    train = rows(("1", "sweep floors", "Clean"), ("2", "typewriters", "Write"))
    text = asked("writer")
    assert fitted(train).outputs(text) == ["Clean"]  # nothing in common, and the first id
    assert fitted(train, analyzer="char", ngram_min=3, ngram_max=4).outputs(text) == ["Write"]


def test_rare_terms_can_be_left_out():
    # With min_df 2 only `mend` is a term: `walls` is unknown, and 2 is the first id with `mend`.
    assert fitted(WORK, min_df=2).outputs(asked("mend walls")) == ["Service machines"]


EMBEDDED = {
    "mend gates": np.array([1.0, 0.0]),
    "paint walls": np.array([0.0, 1.0]),
    "mend pumps": np.array([0.8, 0.6]),
    "service an engine": np.array([0.6, 0.8]),
}


def test_the_nearest_title_by_hand():
    titles = ["Mend gates and pumps", "Paint outer walls", "Sing songs"]
    model = Nearest(NearestOptions(titles=True), titles=titles)
    model.fit(WORK)
    # Two words of the first title, one of the second, none: then the usual target, the first id's.
    found = model.outputs(asked("mend pumps", "walls of sheds", "cook"))
    assert found == ["Mend gates and pumps", "Paint outer walls", "Coat surfaces"]
    # Cosines .8 and .6 with the gates' and the walls' vector.
    vectors = {"a": EMBEDDED["mend gates"], "b": EMBEDDED["paint walls"]} | EMBEDDED
    model = Nearest(NearestOptions(titles=True, path="encoder"), vectors, ["a", "b"])
    model.fit(WORK)
    assert model.outputs(asked("mend pumps", "service an engine")) == ["a", "b"]


def test_embeddings_by_hand():
    # Cosines of the last with the others: .6, .8 and .48 + .48 = .96.
    model = fitted(WORK, EMBEDDED, path="encoder")
    assert model.outputs(asked("service an engine", "mend gates")) == [
        "Service machines",
        "Repair things",
    ]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    texts = asked("mend", "paint", "mend", "", "walls and gates", "pumps", "gates")
    whole = fitted(WORK).outputs(texts)
    monkeypatch.setattr(nearest, "CHUNK", 2)
    assert fitted(WORK).outputs(texts) == whole
    assert fitted(WORK).outputs(texts[:0]) == []


WORDS = ["mend", "paint", "carry", "pumps", "walls", "crates"]
# No word twice, so two texts have one vector only if they have the same words.
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True).map(" ".join)
pairs = st.lists(
    st.tuples(sentences, st.sampled_from(["Repair", "Coat", "Move"])), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=30)
@given(pairs, st.randoms(use_true_random=False))
def test_any_training_rows(links: list[tuple[str, str]], chance):
    train = rows(*((str(number), text, target) for number, (text, target) in enumerate(links)))
    own = fitted(train).outputs(train)
    # A training text is nearest to itself, or to one with the same words.
    words = train["text"].map(lambda text: frozenset(text.split()))
    for mine, output in zip(words, own, strict=True):
        assert output in set(train["target"][words == mine])
    # The order of the rows is nothing to it.
    order = list(range(len(train)))
    chance.shuffle(order)
    assert fitted(train.iloc[order]).outputs(train) == own


def test_it_is_kept_without_pickle_and_without_the_texts(tmp_path: Path):
    model = fitted(WORK)
    model.save(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "targets.json",
        "vocabulary.json",
        "weights.safetensors",
    ]
    kept = json.loads((tmp_path / "targets.json").read_text())
    assert kept == {
        "ids": ["1", "2", "3"],
        "targets": ["Coat surfaces", "Service machines", "Repair things"],
        "usual": "Coat surfaces",
    }
    terms = json.loads((tmp_path / "vocabulary.json").read_text())
    assert terms == ["gates", "mend", "paint", "pumps", "walls"]
    weights = load_file(tmp_path / "weights.safetensors")
    # Row 1 is `mend pumps`: 1.288 / 2.127 and 1.693 / 2.127.
    start, end = weights["indptr"][1:3]
    found = dict(
        zip(weights["indices"][start:end].tolist(), weights["data"][start:end], strict=True)
    )
    assert found == {1: pytest.approx(0.6053, abs=1e-4), 3: pytest.approx(0.7960, abs=1e-4)}
    assert weights["idf"].tolist() == pytest.approx(
        [1.6931, 1.2877, 1.6931, 1.6931, 1.6931], abs=1e-4
    )


def test_embeddings_are_kept_in_the_order_of_ids(tmp_path: Path):
    fitted(WORK, EMBEDDED, path="encoder").save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    assert weights["embeddings"].tolist() == [[0, 1], [0.8, 0.6], [1, 0]]
    assert not (tmp_path / "vocabulary.json").exists()


@pytest.mark.parametrize("options", [{"analyzer": "letter"}, {"min_df": 3}])
def test_what_scikit_learn_refuses_is_one_sentence(options: dict):
    with pytest.raises(JobshiftError, match="nearest: scikit-learn's TF-IDF says: "):
        fitted(WORK, **options)
