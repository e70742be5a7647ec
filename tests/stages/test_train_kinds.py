"""Training for the other kinds of tasks, on the tiny study: several classes a text, pairs, texts to write."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_study
import yaml
from conftest import jobshift

from jobshift.errors import JobshiftError
from jobshift.measures.generation import exact_match
from jobshift.measures.multilabel import (
    choose_thresholds,
    f1_columns,
    f1_micro,
    indicators,
)

PARTS = ("train", "near", "val", "test")
CLASSES = ["late", "write", "check"]


def data_set(name: str, task: str, labels: list[str], change) -> None:
    """Turn every file of the prepared tiny study by `change` into one of a data set of another kind."""
    own = {"name": name, "task": task, "title": "Made up", "labels": labels}
    Path(f"conf/data/{name}.yaml").write_text(yaml.safe_dump(own))
    for file in ("tasks", *(f"purged/0/{part}" for part in PARTS)):
        rows = pd.read_parquet(f"data/prepared/onet/{file}.parquet")
        place = Path(f"data/prepared/{name}/{file}.parquet")
        place.parent.mkdir(parents=True, exist_ok=True)
        change(rows.drop(columns=[each for each in rows if each.startswith("p_")])).to_parquet(
            place, index=False
        )


def with_several_classes(rows: pd.DataFrame) -> pd.DataFrame:
    """Work that is late and work of two kinds of verbs, as the words say; some tasks have no class."""

    def classes(text: str) -> str:
        found = {
            "late": "at night" in text or "before opening" in text,
            "write": tiny_study.usual(text)[0] == "E1",
            "check": tiny_study.usual(text)[0] == "E2",
        }
        return " ".join(name for name in CLASSES if found[name])

    label = rows["text"].map(classes)
    shares = indicators(label, CLASSES).astype(float)
    each = {f"p_{name}": shares[:, n] for n, name in enumerate(CLASSES)}
    return rows.assign(label=label, text_pair=pd.Series(None, rows.index, dtype="str"), **each)


def with_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Each text beside the next one; `same` if both begin with the same verb."""
    second = rows["text"].shift(-1, fill_value=rows["text"].iloc[0])
    # Every other text is put beside itself with another ending, so that half of the pairs are the same.
    second = second.where(rows.index % 2 == 1, rows["text"].str.replace(".", " at noon."))
    verb = [text.map(lambda each: each.split()[0]) for text in (rows["text"], second)]
    same = verb[0] == verb[1]
    return rows.assign(
        text_pair=second,
        label=same.map({True: "same", False: "other"}),
        p_other=(~same).astype(float),
        p_same=same.astype(float),
    )


def with_targets(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each activity of a task; the target names its thing, as not all verbs are in training."""
    thing = {
        dwa: next(each for each in tiny_study.THINGS if title.endswith(each))
        for dwa, title in tiny_study.activities().items()
    }
    links = rows.assign(dwa=rows["dwas"].str.split()).explode("dwa", ignore_index=True)
    links["target"] = "Carry " + links["dwa"].map(thing)
    links["all_targets"] = links.groupby("id")["target"].transform("\n".join)
    return links.assign(
        task=links["id"],
        id=links["id"] + "/" + links["dwa"],
        label=links["dwa"],
        seen=True,
        text_pair=pd.Series(None, index=links.index, dtype="str"),
    ).sort_values("id")


@pytest.fixture
def several(prepared: Path) -> None:
    """A data set of tasks to which several classes may apply, with its tokens."""
    data_set("several", "multilabel", CLASSES, with_several_classes)
    jobshift("tokenize", "data=several", "tokenizer=minilm")


@pytest.fixture
def pairs(prepared: Path) -> None:
    """A data set of pairs, with its tokens."""
    data_set("pairs", "pairs", ["other", "same"], with_pairs)
    jobshift("tokenize", "data=pairs", "tokenizer=minilm")


@pytest.fixture
def titles(prepared: Path) -> list[str]:
    """A data set of texts to write, its titles, and MiniLM's tokenizer as word pieces, as the real one is."""
    data_set("titles", "generation", [], with_targets)
    every = sorted(f"Carry {thing}" for thing in tiny_study.THINGS)
    Path("data/prepared/titles/titles.json").write_text(json.dumps(every))
    file = Path("data/raw/minilm/tokenizer.json")
    content = json.loads(file.read_text())
    pieces = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    content["model"] |= {"type": "WordPiece", **pieces}
    content["decoder"] = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content["added_tokens"] = [
        {"id": number, "content": name, "special": True, **plain}
        for name, number in content["model"]["vocab"].items()
        if name.startswith("[")
    ]
    file.write_text(json.dumps(content))
    return every


def prepared_rows(name: str, part: str) -> pd.DataFrame:
    return pd.read_parquet(f"data/prepared/{name}/purged/0/{part}.parquet")


def predictions(run: str, part: str | None = None) -> pd.DataFrame:
    rows = pd.read_parquet(f"models/{run}/predictions.parquet")
    return rows if part is None else rows[rows["part"] == part].reset_index(drop=True)


def hashes(folder: str) -> dict[str, str]:
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def shares(rows: pd.DataFrame) -> np.ndarray:
    return rows[[f"p_{name}" for name in CLASSES]].to_numpy()


def names(has: np.ndarray) -> list[str]:
    return [" ".join(name for name, each in zip(CLASSES, row, strict=True) if each) for row in has]


# Several classes a text

FEW = ["training.epochs=2", "optimizer.lr=1e-2"]
OPTIONS = {"lstm": FEW, "minilm": FEW, "minilm_frozen": [*FEW, "encoder.frozen_layers=1"]}


@pytest.mark.parametrize(
    "model", ["majority", "tfidf", "minilm_probe", "lstm", "minilm", "minilm_frozen"]
)
def test_every_model_gives_each_class_a_probability_and_a_threshold(several, model: str):
    jobshift("train", "data=several", f"model={model}", *OPTIONS.get(model, []))
    table = pd.read_csv(f"models/{model}/purged-0/thresholds.csv")
    assert table["class"].tolist() == CLASSES
    assert table["fold"].tolist() == [0, 0, 0]
    thresholds = table["threshold"].to_numpy()
    for part in PARTS:
        rows, prepared = predictions(f"{model}/purged-0", part), prepared_rows("several", part)
        assert rows["id"].tolist() == prepared["id"].tolist()
        found = shares(rows)
        assert ((found >= 0) & (found <= 1)).all()
        assert rows["predicted"].tolist() == names(found >= thresholds)
        if part == "val":
            reference = indicators(prepared["label"], CLASSES)
            assert thresholds == pytest.approx(choose_thresholds(reference, found), rel=1e-8)
    assert list(rows) == ["id", "fold", "part", "predicted", *(f"p_{name}" for name in CLASSES)]
    # A task may have none, one or two of the classes; so may what is predicted.
    assert {len(label.split()) for label in prepared["label"]} == {0, 1, 2}


def test_what_words_say_is_learnt_class_by_class(several):
    test = prepared_rows("several", "test")
    reference = indicators(test["label"], CLASSES)
    found = {}
    for model in ("majority", "tfidf"):
        jobshift("train", "data=several", f"model={model}")
        predicted = indicators(predictions(f"{model}/purged-0", "test")["predicted"], CLASSES)
        found[model] = f1_micro(f1_columns(reference, predicted).sum(axis=0))
    assert found["tfidf"] > found["majority"] + 0.2


def test_what_is_learnt_from_chooses_no_threshold(several):
    jobshift("train", "data=several", "model=tfidf", "fit_on=all")
    table = pd.read_csv("models/tfidf/purged-0/thresholds.csv")
    assert table["threshold"].tolist() == [0.5] * 3
    rows = predictions("tfidf/purged-0")
    assert rows["predicted"].tolist() == names(shares(rows) >= 0.5)


def test_an_ensemble_of_several_classes_is_a_mean_with_thresholds_of_its_own(several):
    for seed in (0, 1):
        jobshift("train", "data=several", "model=lstm", "training.epochs=1", f"seed={seed}")
    members = ["ensemble.model=lstm", "ensemble.seeds=[0,1]"]
    jobshift("train", "data=several", "model=ensemble", *members)
    first, second, mean = map(predictions, ("lstm/purged-0", "lstm/purged-1", "ensemble/purged-0"))
    assert shares(mean) == pytest.approx((shares(first) + shares(second)) / 2)
    thresholds = pd.read_csv("models/ensemble/purged-0/thresholds.csv")["threshold"].to_numpy()
    assert mean["predicted"].tolist() == names(shares(mean) >= thresholds)


def test_the_epoch_of_the_best_micro_f1_is_kept(several):
    jobshift(
        "train",
        *("data=several", "model=lstm", "training.epochs=8", "training.patience=2"),
        "optimizer.lr=2e-2",
    )
    history = pd.read_csv("models/lstm/purged-0/history.csv").dropna(subset="val_f1_micro")
    assert list(history)[5:8] == ["val_loss", "val_f1_micro", "val_label_ranking_average_precision"]
    val = predictions("lstm/purged-0", "val")
    reference = indicators(prepared_rows("several", "val")["label"], CLASSES)
    found = f1_micro(f1_columns(reference, shares(val) > 0.5).sum(axis=0))
    assert found == pytest.approx(history["val_f1_micro"].max(), abs=1e-5)
    ranked = history["val_label_ranking_average_precision"]
    assert ranked.between(0, 1).all() and ranked.iloc[-1] > ranked.iloc[0]


def test_a_saved_encoder_of_several_classes_says_so_to_transformers(several):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    jobshift("train", "data=several", "model=minilm", *FEW, "loss.logit_l2=1e-3")
    folder = "models/minilm/purged-0/0"
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert model.config.problem_type == "multi_label_classification"
    test = prepared_rows("several", "test").iloc[:5]
    tokens = AutoTokenizer.from_pretrained(folder)(
        test["text"].tolist(), padding=True, return_tensors="pt", return_token_type_ids=False
    )
    with torch.no_grad():
        found = torch.sigmoid(model(**tokens).logits).numpy()
    assert found == pytest.approx(shares(predictions("minilm/purged-0", "test"))[:5], abs=1e-5)


@pytest.mark.parametrize("model", ["tfidf", "minilm_probe", "lstm"])
def test_where_every_text_has_a_class_they_share_one_distribution(prepared: Path, model: str):
    def with_a_class(rows: pd.DataFrame) -> pd.DataFrame:
        rows = with_several_classes(rows)
        return rows[rows["label"] != ""]

    data_set("several", "multilabel", CLASSES, with_a_class)
    jobshift("tokenize", "data=several", "tokenizer=minilm")
    sums = {}
    for how in ("auto", "binary"):
        options = [*OPTIONS.get(model, []), f"loss.several={how}"]
        jobshift("train", "data=several", f"model={model}", *options)
        sums[how] = shares(predictions(f"{model}/purged-0", "test")).sum(axis=1)
    assert sums["auto"] == pytest.approx(np.ones(len(sums["auto"])))
    assert (np.abs(sums["binary"] - 1) > 1e-3).all()


def test_a_penalty_on_logits_keeps_probabilities_from_the_ends(several):
    spread = {}
    for factor in ("0.0", "1.0"):
        options = ["training.epochs=6", "optimizer.lr=2e-2", f"loss.logit_l2={factor}"]
        jobshift("train", "data=several", "model=lstm", *options)
        found = shares(predictions("lstm/purged-0", "train"))
        spread[factor] = np.abs(np.log(found / (1 - found))).mean()
    assert spread["1.0"] < 0.5 * spread["0.0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=svm"], "kind svm cannot learn .*several, whose task is multilabel; .* tfidf"),
        (["model=activity_lookup"], "kind lookup cannot learn .*choose one of the kinds majority"),
        (["model=minilm_student"], "several may apply; choose a model without `student`"),
        (["model=probe"], r"probe\.hierarchy reads the codes .*such as minilm_probe"),
        (["model=seq2seq_t5"], "kind seq2seq cannot learn the data set several"),
        (["model=siamese"], "reads a second text, which the texts of several do not have"),
        (["model=lstm", "training.monitor=val_cohen_kappa"], "the task multilabel has auto"),
        (["model=lstm", "loss.several=one"], r"loss\.several is 'one'; choose auto, softmax or bi"),
        (
            ["model=tfidf", "loss.several=softmax"],
            r"text with id \w+ has no class; set loss.several to",
        ),
        (
            ["model=lstm", *FEW, "loss.several=softmax"],
            "has no class; set loss.several to binary or",
        ),
        (["model=lstm", "loss.logit_l2=-1"], r"loss\.logit_l2 is -1; it must be at least 0"),
    ],
)
def test_models_that_do_not_fit_several_classes_are_refused(several, arguments, said: str):
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "data=several", *arguments)
    assert not Path("models").exists()


def test_a_class_that_the_data_set_does_not_list_is_refused(several):
    file = Path("data/prepared/several/purged/0/train.parquet")
    rows = pd.read_parquet(file)
    rows.loc[3, "label"] = "late idle"
    rows.to_parquet(file, index=False)
    with pytest.raises(JobshiftError, match=rf"id {rows['id'][3]} has the label 'late idle'"):
        jobshift("train", "data=several", "model=majority")


# Pairs

TWO_LAYERS = {
    "siamese": ["encoder.frozen_layers=1"],
    "probe_pair": ["encoder.frozen_layers=2"],
    "minilm_pair": ["encoder.frozen_layers=1"],
}


@pytest.mark.parametrize("model", ["majority", "siamese", "probe_pair", "minilm_pair"])
def test_pairs_have_one_class_each(pairs, model: str):
    if model == "minilm_pair":
        jobshift("tokenize", "data=pairs", "tokenizer=minilm_pair")
    options = [*TWO_LAYERS[model], "training.epochs=1"] if model in TWO_LAYERS else []
    jobshift("train", "data=pairs", f"model={model}", *options)
    rows = predictions(f"{model}/purged-0")
    found = rows[["p_other", "p_same"]].to_numpy()
    assert found.sum(axis=1) == pytest.approx(1)
    assert rows["predicted"].tolist() == list(np.array(["other", "same"])[found.argmax(axis=1)])
    for part in PARTS:
        assert (rows["part"] == part).sum() == len(prepared_rows("pairs", part))
    assert not Path(f"models/{model}/purged-0/thresholds.csv").exists()


def test_a_siamese_encoder_is_repeated_to_the_byte_and_kept_with_its_tokenizer(pairs):
    import torch
    from tokenizers import Tokenizer

    from jobshift.models.siamese import Siamese, text_pairs
    from jobshift.models.training import predict

    run = ["train", "data=pairs", "model=siamese", *TWO_LAYERS["siamese"], "training.epochs=1"]
    jobshift(*run)
    first = hashes("models/siamese")
    jobshift(*run)
    assert hashes("models/siamese") == first
    folder = Path("models/siamese/purged-0/0")
    test = prepared_rows("pairs", "test")
    inputs = text_pairs(Tokenizer.from_file(str(folder / "tokenizer.json")), test)
    with torch.no_grad():
        found = predict(Siamese.load(folder), inputs, np.arange(len(test)))
    recorded = predictions("siamese/purged-0", "test")[["p_other", "p_same"]]
    assert found == pytest.approx(recorded.to_numpy(), abs=1e-5)


# Texts to write

SMALL = {
    "seq2seq_t5": [
        *("seq2seq.layers=1", "seq2seq.decoder_layers=1", "seq2seq.d_model=32"),
        *("seq2seq.d_ff=64", "seq2seq.heads=2", "seq2seq.sample=8", "training.epochs=2"),
        "generation.max_length=8",
    ],
    "seq2seq_minilm": [
        *("seq2seq.frozen_layers=2", "seq2seq.sample=8", "training.epochs=1"),
        "generation.max_length=8",
    ],
}
FURTHER = ["beam", "sample", "constrained"]


@pytest.mark.parametrize("model", list(SMALL))
def test_a_network_writes_for_validation_and_test(titles, model: str):
    jobshift("train", "data=titles", f"model={model}", *SMALL[model])
    rows = predictions(f"{model}/purged-0")
    own = ["output", "log_probability", "cosine"]
    further = [f"{name}_{way}" for way in FURTHER for name in ("output", "cosine")]
    assert list(rows) == ["id", "fold", "part", *own, *further]
    for part in PARTS:
        found, prepared = rows[rows["part"] == part], prepared_rows("titles", part)
        assert found["id"].tolist() == prepared["id"].tolist()
        assert found[own].notna().all(axis=None) == (part in ("val", "test"))
        assert found[own].isna().all(axis=None) == (part not in ("val", "test"))
        assert found[further].notna().all(axis=None) == (part == "test")
        assert found[further].isna().all(axis=None) == (part != "test")
    test = predictions(f"{model}/purged-0", "test")
    assert (test["log_probability"] < 0).all()
    assert set(test["output_constrained"]) <= set(titles)
    # A task with two activities has two rows and one text, so one output; its targets differ.
    text = prepared_rows("titles", "test")["text"]
    assert text.duplicated().any()
    for name in ("output", *(f"output_{way}" for way in FURTHER)):
        assert (test.groupby(text)[name].nunique() == 1).all()
    history = pd.read_csv(f"models/{model}/purged-0/history.csv")
    assert history["val_token_accuracy"].notna().any()
    assert not Path(f"checkpoints/models/{model}/purged-0").exists()


def test_what_was_written_is_what_the_saved_model_writes(titles):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    run = ["train", "data=titles", "model=seq2seq_minilm", *SMALL["seq2seq_minilm"]]
    jobshift(*run, "generation.also=[]")
    folder = "models/seq2seq_minilm/purged-0/0"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    test = predictions("seq2seq_minilm/purged-0", "test")
    texts = prepared_rows("titles", "test")["text"].tolist()[:4]
    batch = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    written = tokenizer.batch_decode(
        model.generate(**batch, max_new_tokens=8), skip_special_tokens=True
    )
    assert exact_match(written, test["output"].tolist()[:4]).all()
    # Further ways are not asked for, so there is no column of them.
    assert list(test)[3:] == ["output", "log_probability", "cosine"]


def test_a_repeated_run_writes_the_same(titles):
    run = ["train", "data=titles", "model=seq2seq_t5", *SMALL["seq2seq_t5"]]
    jobshift(*run)
    first = hashes("models/seq2seq_t5")
    assert first
    jobshift(*run)
    assert hashes("models/seq2seq_t5") == first
    jobshift(*run, "seed=1")
    one, other = (predictions(f"seq2seq_t5/purged-{seed}", "test") for seed in (0, 1))
    assert (one["output_sample"] != other["output_sample"]).any()


@pytest.mark.parametrize("model", ["majority", "nearest", "nearest_minilm", "nearest_title"])
def test_models_that_write_nothing_anew(titles, model: str):
    jobshift("train", "data=titles", f"model={model}")
    train, test = prepared_rows("titles", "train"), prepared_rows("titles", "test")
    rows = predictions(f"{model}/purged-0", "test")
    assert list(rows) == ["id", "fold", "part", "output", "log_probability", "cosine"]
    assert rows["log_probability"].isna().all()
    assert set(rows["output"]) <= set(titles if model == "nearest_title" else train["target"])
    if model == "majority":
        often = train["target"].value_counts()
        assert often[rows["output"][0]] == often.max()
        assert rows["output"].nunique() == 1
    assert rows["cosine"].between(-1, 1).all()
    right = exact_match(rows["output"].tolist(), test["target"].tolist()) == 1
    assert rows.loc[right, "cosine"].to_numpy() == pytest.approx(1)
    assert (rows.loc[~right, "cosine"] < 1).all()
    assert predictions(f"{model}/purged-0", "train")["output"].isna().all()


def test_an_embedding_of_a_title_does_not_depend_on_what_is_written(titles):
    # Titles are embedded once for all runs; what a run writes besides gets a file of its own.
    for model in ("majority", "nearest"):
        jobshift("train", "data=titles", f"model={model}")
        assert len(list(Path("data/features").glob("*.npy"))) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=lstm"], "kind lstm cannot learn .*titles, whose task is generation; .*seq2seq"),
        (["model=tfidf"], "kinds majority, nearest, seq2seq"),
        (["model=seq2seq_t5", "generation.also=[best]"], r"\['best'\]; choose from beam, sample"),
        (["model=seq2seq_t5", "generation.also=[beam,beam]"], r"each once"),
        (["model=seq2seq_t5", "generation.how=best"], r"generation\.how is 'best'"),
        (["model=seq2seq_t5", "training.monitor=val_accuracy"], "the task generation has auto"),
        (
            ["model=seq2seq_t5", "loss.logit_l2=0.1"],
            r"loss\.logit_l2 is for networks that classify",
        ),
    ],
)
def test_what_cannot_write_is_refused(titles, arguments: list[str], said: str):
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "data=titles", *arguments)
    assert not Path("models").exists()


def test_a_missing_list_of_titles_or_encoder_is_one_sentence(titles):
    Path("data/raw/minilm").rename("data/raw/elsewhere")
    with pytest.raises(JobshiftError, match=r"data/raw/minilm is missing.*fetch source=minilm"):
        jobshift("train", "data=titles", "model=majority")
    Path("data/prepared/titles/titles.json").unlink()
    with pytest.raises(JobshiftError, match=r"titles\.json is missing; run the stage prepare"):
        jobshift("train", "data=titles", "model=majority")


@pytest.mark.parametrize("model", ["seq2seq_t5", "nearest"])
def test_models_that_write_do_not_classify(prepared: Path, model: str):
    said = "whose task is classification; choose one of the kinds majority, lookup"
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", f"model={model}")
