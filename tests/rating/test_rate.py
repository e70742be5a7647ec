from collections import namedtuple
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiny_export
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.rating.engines import open_engine
from jobshift.rating.exported import Exported, read_export
from jobshift.rating.rate import batches, explanations, rate_texts, rating_columns


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return read_export(tiny_export.export(tmp_path_factory.mktemp("export") / "tiny"))


@pytest.fixture(scope="module")
def engine(exported: Exported):
    return open_engine(exported, "torch", 1)


def test_a_rating_by_hand(exported: Exported):
    asked = []

    def engine(ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(mask.sum(axis=1).tolist())
        # E0, E2, E1 as 1 : 2 : 5 after the temperature of 1.5, and the first training text's embedding.
        logits = 1.5 * np.log([[1, 2, 5]] * len(ids))
        return logits.astype(np.float32), exported.heads().train[:1].repeat(len(ids), axis=0)

    found = rate_texts(["ab c", "d", "ab c"], exported, engine)
    assert list(found) == list(rating_columns(exported))
    row = found.iloc[0]
    assert row[["p_E0", "p_E2", "p_E1"]].tolist() == pytest.approx([0.125, 0.25, 0.625], abs=1e-6)
    assert row[["alpha", "beta", "zeta"]].tolist() == pytest.approx([0.625, 0.75, 0.875], abs=1e-6)
    assert row["predicted"] == "E1" and row["confidence"] == row["p_E1"]
    levels = row[[f"t_T{n}" for n in range(5)]].to_numpy(float)
    assert row["automation"] == pytest.approx(levels @ [0, 0.25, 0.5, 0.75, 1], abs=2e-6)
    cosines = np.sort(exported.heads().train @ exported.heads().train[0])[-3:]
    assert row["distance"] == pytest.approx(1 - cosines.mean(), abs=1e-6)
    assert row["out_of_domain"] == (row["distance"] > 0.7)
    # Longest first; the text that is there twice went through once.
    assert asked == [[5, 3]]
    assert found.iloc[0].equals(found.iloc[2])


def test_a_cut_text_says_so(exported: Exported, engine):
    found = rate_texts(["a b", "a " * 40], exported, engine)
    assert found["note"].isna().tolist() == [True, False] and found["note"][1] == "cut to 12 tokens"


def test_no_texts_give_the_columns(exported: Exported, engine):
    found = rate_texts([], exported, engine)
    assert list(found) == list(rating_columns(exported)) and found.empty


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text("abc 字-", min_size=1, max_size=9), min_size=1, max_size=30))
def test_a_text_has_its_rating_wherever_it_stands(exported: Exported, engine, texts: list[str]):
    found = rate_texts(texts, exported, engine)
    again = rate_texts(texts[::-1], exported, engine)[::-1].reset_index(drop=True)
    alone = rate_texts(texts[:1], exported, engine)
    numbers = found.select_dtypes("number").columns
    np.testing.assert_allclose(found[numbers], again[numbers], atol=2e-5)
    np.testing.assert_allclose(found[numbers][:1], alone[numbers], atol=2e-5)
    np.testing.assert_allclose(found.filter(like="p_").sum(axis=1), 1, atol=3e-6)
    assert found.equals(rate_texts(texts, exported, engine))


@given(lengths=st.lists(st.integers(1, 60), max_size=80), tokens=st.integers(1, 300))
def test_batches_hold_every_row_once_and_no_more_than_they_may(lengths: list[int], tokens: int):
    lengths = np.array(lengths, int)
    found = batches(lengths, tokens)
    assert sorted(row for each in found for row in each) == list(range(len(lengths)))
    for rows in found:
        assert len(rows) * lengths[rows[0]] <= tokens or len(rows) == 1
        assert lengths[rows[0]] == lengths[rows].max()


def test_classes_without_scores_have_no_exposure(exported: Exported, engine, tmp_path: Path):
    import json

    folder = tiny_export.export(tmp_path / "other")
    content = json.loads((folder / "rating.json").read_text()) | {"scores": None, "automation": []}
    (folder / "rating.json").write_text(json.dumps(content))
    found = rate_texts(["a"], read_export(folder), engine)
    assert "beta" not in found and "automation" not in found and "p_E1" in found


def test_explanations_name_words_and_tasks():
    Attribution = namedtuple("Attribution", "words values")
    evidence = pa.table(
        {"cosine": [0.9, 0.5], "label": ["E1", "E0"], "text": ["sort maps", "paint"]}
    )

    class Explainer:
        def attributions(self, texts: list[str]) -> list:
            return [Attribution(["sort", "old", "maps"], [0.25, -0.125, 0.5])] * len(texts)

        def nearest(self, texts: list[str], count: int) -> list:
            return [evidence.to_pandas()] * len(texts)

    found = explanations(Explainer(), ["sort old maps", "sort old maps"])
    assert found["raises"] == ["maps +0.500, sort +0.250"] * 2
    assert found["lowers"] == ["old -0.125"] * 2
    assert found["nearest"] == ["0.90 E1 sort maps | 0.50 E0 paint"] * 2
    assert explanations(Explainer(), []) == {"raises": [], "lowers": [], "nearest": []}
