"""Training on the tiny study: real runs, killed runs, broken configs, W&B."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import jobshift

from jobshift.errors import JobshiftError

KILL = """
import os, signal, sys
from jobshift import cli
from jobshift.models.training import Classifier
step = Classifier.training_step
def killed(self, batch, number):
    if self.current_epoch == 2 and number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, number)
Classifier.training_step = killed
cli.main()
"""


def hashes(folder: str) -> dict[str, str]:
    """Path → SHA-256 of every file below `folder`."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def predictions(run: str) -> pd.DataFrame:
    return pd.read_parquet(f"models/{run}/predictions.parquet")


@pytest.mark.parametrize(
    "model", ["majority", "dwa_lookup", "activity_lookup", "tfidf", "probe", "lstm", "minilm"]
)
def test_every_model_predicts_every_row_of_every_part(prepared: Path, model: str):
    jobshift("train", f"model={model}")
    rows = predictions(f"{model}/purged-0")
    for part in ("train", "near", "val", "test"):
        expected = pd.read_parquet(f"data/prepared/onet/purged/0/{part}.parquet")["id"]
        assert rows.loc[rows["part"] == part, "id"].tolist() == expected.tolist()
    shares = rows[["p_E0", "p_E2", "p_E1"]].to_numpy()
    assert np.allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    assert rows["predicted"].tolist() == list(np.array(["E0", "E2", "E1"])[shares.argmax(axis=1)])
    assert not Path(f"checkpoints/{model}/purged-0").exists()
    assert not list(Path(f"models/{model}").rglob("*.p*kl*"))


def labels_of(*parts: str) -> pd.DataFrame:
    return pd.concat(
        pd.read_parquet(f"data/prepared/onet/purged/0/{part}.parquet") for part in parts
    )


def test_a_model_that_needs_no_validation_may_train_on_it_and_on_what_is_near_it(prepared: Path):
    assert len(labels_of("near"))
    for fit_on, parts in (("train", ["train"]), ("all", ["train", "near", "val"])):
        jobshift("train", "model=majority", f"fit_on={fit_on}")
        prior = json.loads(Path("models/majority/purged-0/0/prior.json").read_text())
        labels = labels_of(*parts)["label"]
        assert prior == pytest.approx([(labels == name).mean() for name in ("E0", "E2", "E1")])


def test_a_network_that_trains_on_all_keeps_its_last_epoch(prepared: Path):
    jobshift("train", "model=lstm", "fit_on=all", "training.epochs=2", "training.patience=1")
    history = pd.read_csv("models/lstm/purged-0/history.csv")
    assert sorted(history["epoch"].unique()) == [0, 1]
    assert history[["val_loss", "val_accuracy", "val_cohen_kappa"]].isna().all().all()
    # The mean training loss of each epoch stands at its end.
    assert history.groupby("epoch")["train_loss"].last().notna().all()


def test_learning_from_another_rater_reads_his_labels_and_keeps_the_run_apart(prepared: Path):
    jobshift("train", "model=majority", "+data.raters.A=one of us", "learn_from=A")
    prior = json.loads(Path("models/majority/purged-0-A/0/prior.json").read_text())
    labels = labels_of("train")["label_A"]
    assert prior == pytest.approx([(labels == name).mean() for name in ("E0", "E2", "E1")])
    assert not Path("models/majority/purged-0").exists()
    test = predictions("majority/purged-0-A").query("part == 'test'")
    assert len(test) == len(labels_of("test"))


def test_tasks_that_the_rater_has_not_rated_teach_nothing(prepared: Path):
    file = Path("data/prepared/onet/purged/0/train.parquet")
    train = pd.read_parquet(file)
    train.loc[train.index[::2], "label_A"] = None
    train.to_parquet(file, index=False)
    jobshift("train", "model=majority", "+data.raters.A=one of us", "learn_from=A")
    prior = json.loads(Path("models/majority/purged-0-A/0/prior.json").read_text())
    assert prior[0] == pytest.approx((train["label_A"].dropna() == "E0").mean())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["learn_from=gpt4"], "learn_from is 'gpt4', but the data set onet was rated by rubric"),
        (["fit_on=test"], "fit_on is 'test'; choose train or all"),
        (["+data.raters.Z=nobody", "learn_from=Z"], "no column label_Z"),
    ],
)
def test_senseless_choices_of_what_to_learn_from_are_refused(prepared: Path, options, said: str):
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "model=majority", *options)


def test_with_pair_a_model_reads_the_activities_behind_the_text(prepared: Path):
    jobshift("tokenize", "tokenizer=minilm", "tokenizer.name=paired", "tokenizer.pair=true")
    from jobshift.texts.batches import read_tokens

    ids = pd.read_parquet("data/prepared/onet/tasks.parquet")["id"].tolist()
    alone, paired = (
        read_tokens(Path("data/tokens", name, "tokens.arrow"), ids) for name in ("minilm", "paired")
    )
    assert (paired.lengths > alone.lengths).all()
    first = alone.ids[: alone.lengths[0]].tolist()
    # [CLS] text [SEP] is what the pair starts with.
    assert paired.ids[: alone.lengths[0]].tolist() == first


def test_major_group_predicts_every_task_once(prepared: Path):
    jobshift("train", "model=activity_lookup", "split=major_group")
    rows = predictions("activity_lookup/major_group-0")
    tasks = pd.read_parquet("data/prepared/onet/tasks.parquet")
    assert sorted(rows.loc[rows["part"] == "test", "id"]) == sorted(tasks["id"])
    assert rows["fold"].nunique() == 6


def test_tfidf_learns_what_the_words_say(prepared: Path):
    # The verb decides the label and stands in the text: words must beat the training mean.
    jobshift("train", "model=tfidf")
    rows = predictions("tfidf/purged-0").set_index("id")
    test = pd.read_parquet("data/prepared/onet/purged/0/test.parquet").set_index("id")
    right = (rows.loc[test.index, "predicted"] == test["label"]).mean()
    assert right > test["label"].value_counts(normalize=True).max() + 0.2


def test_killed_training_resumes_and_ends_with_the_same_bytes(prepared: Path):
    arguments = ["model=minilm", "training.epochs=4", "optimizer.lr=3e-3", "training.log_every=2"]
    jobshift("train", *arguments)
    whole = hashes("models/minilm")
    command = [sys.executable, "-c", KILL, "train", *arguments]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert Path("checkpoints/minilm/purged-0/0/epochs/last.ckpt").is_file()
    assert hashes("models/minilm") == whole  # what was finished is not lost
    # An epoch trained again would show in its history; a fresh start would not say this.
    again = subprocess.run(
        [sys.executable, "-m", "jobshift", "train", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "going on from the last finished epoch" in again.stderr
    assert "epoch 1/4" not in again.stderr
    assert hashes("models/minilm") == whole


def test_a_changed_config_does_not_resume(prepared: Path):
    arguments = ["model=minilm", "training.epochs=4", "training.log_every=2"]
    command = [sys.executable, "-c", KILL, "train", *arguments]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -9
    command = [sys.executable, "-m", "jobshift", "train", *arguments, "optimizer.lr=1e-3"]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "going on" not in again.stderr


def test_early_stopping_restores_the_best_epoch(prepared: Path):
    jobshift(
        "train", "model=lstm", "training.epochs=12", "training.patience=2", "optimizer.lr=2e-2"
    )
    history = pd.read_csv("models/lstm/purged-0/history.csv").dropna(subset="val_cohen_kappa")
    best = history["val_cohen_kappa"].max()
    rows = predictions("lstm/purged-0").set_index("id")
    val = pd.read_parquet("data/prepared/onet/purged/0/val.parquet").set_index("id")
    guessed, label = rows.loc[val.index, "predicted"], val["label"]
    observed = (guessed == label).mean()
    by_chance = sum(
        (guessed == name).mean() * (label == name).mean() for name in ("E0", "E1", "E2")
    )
    assert (observed - by_chance) / (1 - by_chance) == pytest.approx(best, abs=1e-5)
    assert history["epoch"].max() <= history["val_cohen_kappa"].to_numpy().argmax() + 2


def test_multirun_trains_each_seed(prepared: Path):
    jobshift("train", "model=lstm", "training.epochs=1", "--multirun", "seed=0,1")
    first, second = (predictions(f"lstm/purged-{seed}") for seed in (0, 1))
    assert first["id"].equals(second["id"])
    assert not np.allclose(first["p_E0"], second["p_E0"])


def test_a_saved_encoder_is_a_transformers_model(prepared: Path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    jobshift("train", "model=minilm", "encoder.frozen_layers=1", "encoder.cache_frozen=true")
    rows = predictions("minilm/purged-0")
    test = pd.read_parquet("data/prepared/onet/purged/0/test.parquet").iloc[:5]
    folder = "models/minilm/purged-0/0"
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(
        test["text"].tolist(), padding=True, return_tensors="pt", return_token_type_ids=False
    )
    with torch.no_grad():
        shares = torch.softmax(model(**tokens).logits, dim=1).numpy()
    assert list(model.config.id2label.values()) == ["E0", "E2", "E1"]
    recorded = rows.set_index("id").loc[test["id"], ["p_E0", "p_E2", "p_E1"]]
    assert shares == pytest.approx(recorded.to_numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=minilm", "optimizer.lr=1e30"], r"training diverged.*lower optimizer\.lr"),
        (["model=minilm", "optimizer.lrr=1"], r"optimizer\.lrr"),
        (["model=minilm", "optimizer.lr=fast"], r"optimizer\.lr.*fast"),
        (["model=bert"], r"model/bert.*majority"),
        (["model=tfidf", "loss.targets=vague"], r"loss\.targets is 'vague'; choose soft or hard"),
        (["model=minilm", "encoder.path=nowhere"], r"encoder\.path: .*nowhere"),
        (["model=minilm", "encoder.frozen_layers=7"], r"frozen_layers is 7, but the model has 2"),
        (
            ["model=minilm", "encoder.cache_frozen=true"],
            r"cache_frozen needs encoder\.frozen_layers",
        ),
        (["model=lstm", "lstm.pooling=min"], r"lstm\.pooling is 'min'"),
        (["model=lstm", "training.monitor=test_accuracy"], r"a test measure must not choose"),
        (["model=tfidf", "split=stratified"], r"stratified is missing or empty"),
        (["model=activity_lookup", "lookup.levels=[soc]"], r"lookup\.levels has 'soc'"),
    ],
)
def test_bad_configs_are_one_clear_sentence(prepared: Path, arguments: list[str], said: str):
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", *arguments)
    assert not Path("models").exists()


def test_a_wrong_key_in_a_model_file_names_the_file(prepared: Path):
    file = Path("conf/model/minilm.yaml")
    file.write_text(file.read_text() + "optimiser: {lr: 1}\n")
    with pytest.raises(JobshiftError, match=r"minilm.*optimiser"):
        jobshift("train", "model=minilm")


def test_a_label_that_the_data_set_does_not_list_is_refused(prepared: Path):
    file = Path("data/prepared/onet/purged/0/train.parquet")
    rows = pd.read_parquet(file)
    rows.loc[3, "label"] = "E7"
    rows.to_parquet(file, index=False)
    with pytest.raises(
        JobshiftError, match=rf"train\.parquet.*id {rows['id'][3]} has the label 'E7'"
    ):
        jobshift("train", "model=majority")


def run_with_wandb(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Train in a process of its own with W&B on, its settings from `environment` alone."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "jobshift",
            "train",
            "model=lstm",
            "training.epochs=1",
            "training.log_every=2",
            *arguments,
        ],
        env={**kept, "HOME": str(Path.cwd()), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_a_key_wandb_logs_offline_and_says_so(prepared: Path):
    done = run_with_wandb()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("logged offline") == 1
    (log,) = Path("wandb").glob("offline-run-*/run-*.wandb")
    content = log.read_bytes()
    for expected in (
        b"lstm-purged-0",
        b"default",
        b"gradient_norm",
        b"val_cohen_kappa",
        b"texts_per_second",
    ):
        assert expected in content


def test_a_dead_wandb_server_stops_nothing_and_no_key_is_written(prepared: Path):
    key = "0123456789abcdef0123456789abcdef01234567"
    done = run_with_wandb(WANDB_API_KEY=key, WANDB_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert predictions("lstm/purged-0").shape[0] > 0
    assert key not in done.stdout + done.stderr
    for file in (path for path in Path().rglob("*") if path.is_file()):
        assert key.encode() not in file.read_bytes(), file


def test_disabled_wandb_writes_nothing(prepared: Path):
    done = run_with_wandb("wandb=disabled")
    assert done.returncode == 0, done.stderr
    assert "W&B" not in done.stderr
    assert not Path("wandb").exists()
