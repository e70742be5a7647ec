"""The linear probe: what it reads, what it cannot read, and that it learns."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from jobshift.errors import JobshiftError
from jobshift.models.options import ProbeOptions
from jobshift.models.probe import Probe, sentences, vectors

EMBEDDED = {
    "write": np.array([1.0, 0.0]),
    "carry": np.array([0.0, 1.0]),
    "letters": np.array([0.6, 0.8]),
}


def rows(*tasks: tuple[str, str | None, str]) -> pd.DataFrame:
    return pd.DataFrame(tasks, columns=["text", "text_pair", "dwas"])


TRAIN = rows(
    ("write", "letters", "4.A.1.a.1.I01.D01"),
    ("carry", None, "4.A.3.a.1.I02.D01 4.A.3.a.2.I01.D01"),
)


def fitted(**options) -> Probe:
    probe = Probe(ProbeOptions(path="", **options), EMBEDDED, "none")
    probe.fit(TRAIN, np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.ones(2))
    return probe


def test_features_are_embeddings_and_weighted_indicators_of_the_hierarchy():
    probe = fitted(pair=True, hierarchy={"iwa": 0.5, "gwa": 0.25})
    # GWAs before the IWAs below them: 1.a.1, 1.a.1.I01, 3.a.1, 3.a.1.I02, 3.a.2, 3.a.2.I01.
    assert probe.features(TRAIN).tolist() == [
        [1, 0, 0.6, 0.8, 0.25, 0.5, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0.25, 0.5, 0.25, 0.5],
    ]
    unseen = rows(("write", None, "4.A.1.a.1.I09.D01"), ("write", None, ""))
    assert probe.features(unseen).tolist() == [
        [1, 0, 0, 0, 0.25, 0, 0, 0, 0, 0],  # its GWA was seen, its IWA was not
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_without_pair_and_hierarchy_it_reads_the_text_alone():
    assert fitted().features(TRAIN).tolist() == [[1, 0], [0, 1]]


def test_a_class_that_training_lacks_has_no_probability():
    probabilities = fitted().probabilities(TRAIN)
    assert probabilities[:, 1].tolist() == [0, 0]
    assert probabilities.argmax(axis=1).tolist() == [0, 2]
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_soft_targets_weigh_each_class_by_its_share():
    # One text, three parts of the first class and one of the second: with almost no penalty and an
    # intercept, the fitted probability is the share.
    probe = Probe(ProbeOptions(path="", C=1e6), EMBEDDED, "none")
    probe.fit(rows(("write", None, "")), np.array([[0.75, 0.25]]), np.ones(1))
    assert probe.probabilities(rows(("write", None, ""))) == pytest.approx(
        np.array([[0.75, 0.25]]), abs=1e-3
    )


def test_of_several_classes_each_is_by_itself():
    # The second class is that of carrying, the third of every text and the fourth of none.
    probe = Probe(ProbeOptions(path="", C=1e6), EMBEDDED, "none", several=True)
    probe.fit(TRAIN, np.array([[1.0, 0, 1, 0], [1, 1, 1, 0]]), np.ones(2))
    assert probe.probabilities(TRAIN) == pytest.approx(
        np.array([[1, 0, 1, 0], [1, 1, 1, 0]]), abs=1e-2
    )
    assert probe.probabilities(TRAIN)[0, 0] == 1 and probe.probabilities(TRAIN)[0, 1] > 0


def test_texts_are_embedded_as_in_a_file(built, tmp_path):
    encoder = str(built[0].parent / "encoder")
    texts = ["carry pipes at night", "draft letters"]
    file = tmp_path / "tasks.parquet"
    rows(*((text, None, "") for text in texts)).to_parquet(file)
    found = vectors(encoder, 32, texts)
    assert list(found) == texts
    expected = sentences(encoder, 32, file, False)
    assert all((found[text] == expected[text]).all() for text in texts)


def test_it_is_kept_without_pickle(tmp_path):
    probe = fitted(hierarchy={"gwa": 1.0})
    probe.save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    assert weights["coef"].shape[1] == 2 + 3  # the embedding and three GWAs
    assert weights["coef"] == pytest.approx(probe.regression.coef_)
    assert (tmp_path / "activities.json").read_text().count("4.A.") == 3


def test_an_unknown_level_is_refused():
    with pytest.raises(JobshiftError, match=r"probe\.hierarchy has 'soc'"):
        Probe(ProbeOptions(path="", hierarchy={"soc": 1.0}), EMBEDDED, "none")


def test_embeddings_have_length_one_and_do_not_depend_on_other_texts(built, tmp_path):
    encoder = str(built[0].parent / "encoder")
    file = tmp_path / "tasks.parquet"
    rows(("draft letters", "paint maps", ""), ("carry pipes at night", None, "")).to_parquet(file)
    found = sentences(encoder, 32, file, True)
    assert sorted(found) == ["carry pipes at night", "draft letters", "paint maps"]
    assert [np.linalg.norm(vector) for vector in found.values()] == pytest.approx([1] * 3, abs=1e-5)
    alone = tmp_path / "alone.parquet"
    rows(("draft letters", None, "")).to_parquet(alone)
    assert sentences(encoder, 32, alone, False)["draft letters"] == pytest.approx(
        found["draft letters"], abs=1e-5
    )


def test_a_missing_encoder_is_named(tmp_path):
    file = tmp_path / "tasks.parquet"
    rows(("draft letters", None, "")).to_parquet(file)
    with pytest.raises(JobshiftError, match=r"tokenizer\.path|probe\.path"):
        sentences(str(tmp_path / "nowhere"), 32, file, False)
