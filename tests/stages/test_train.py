"""Training on the tiny study: real runs, killed runs, broken configs, W&B."""

import hashlib
import json
import os
import signal
from pathlib import Path

import forked
import numpy as np
import pandas as pd
import pytest
from conftest import jobshift

from jobshift.errors import JobshiftError
from jobshift.stages.train import in_share

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


# The tiny encoder has two layers, so it cannot be cut as MiniLM can.
TINY = {
    "minilm_frozen": ["encoder.frozen_layers=1"],
    "minilm_lora": ["lora.target_modules=[query,value]"],
    "minilm_student": ["student.layers=[1]", "student.teacher=tfidf"],
    "ensemble": ["ensemble.model=tfidf", "ensemble.seeds=[0,1]"],
}


@pytest.mark.parametrize(
    "model",
    [
        "majority",
        "dwa_lookup",
        "activity_lookup",
        "tfidf",
        "svm",
        "probe",
        "lstm",
        "minilm",
        "minilm_probe",
        "minilm_frozen",
        "minilm_lora",
    ],
)
def test_every_model_predicts_every_row_of_every_part(prepared: Path, model: str):
    jobshift("train", f"model={model}", *TINY.get(model, []))
    rows = predictions(f"{model}/purged-0")
    for part in ("train", "near", "val", "test"):
        expected = pd.read_parquet(f"data/prepared/onet/purged/0/{part}.parquet")["id"]
        assert rows.loc[rows["part"] == part, "id"].tolist() == expected.tolist()
    shares = rows[["p_E0", "p_E2", "p_E1"]].to_numpy()
    assert np.allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    assert rows["predicted"].tolist() == list(np.array(["E0", "E2", "E1"])[shares.argmax(axis=1)])
    assert not Path(f"checkpoints/models/{model}/purged-0").exists()
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


@pytest.mark.parametrize("monitor", ["auto", "val_loss"])
def test_a_network_that_trains_on_all_keeps_its_last_epoch(prepared: Path, monitor: str):
    options = ["training.epochs=2", "training.patience=1", f"training.monitor={monitor}"]
    jobshift("train", "model=lstm", "fit_on=all", *options)
    history = pd.read_csv("models/lstm/purged-0/history.csv")
    assert sorted(history["epoch"].unique()) == [0, 1]
    assert history[["val_loss", "val_accuracy", "val_cohen_kappa"]].isna().all().all()
    # The mean training loss of each epoch stands at its end.
    assert history.groupby("epoch")["train_loss"].last().notna().all()


@pytest.mark.parametrize(
    "model", ["activity_lookup", "svm", "minilm_lora", "minilm_student", "ensemble"]
)
def test_a_repeated_run_has_the_same_bytes(prepared: Path, model: str):
    if "tfidf" in " ".join(TINY.get(model, [])):
        for seed in (0, 1):
            jobshift("train", "model=tfidf", f"seed={seed}")
    jobshift("train", f"model={model}", *TINY.get(model, []))
    first = hashes(f"models/{model}")
    jobshift("train", f"model={model}", *TINY.get(model, []))
    assert hashes(f"models/{model}") == first
    assert not any(name.endswith((".bin", ".pt", ".ckpt", ".pkl")) for name in first)


def test_a_saved_adapter_gives_the_recorded_predictions_on_the_base(prepared: Path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    jobshift("train", "model=minilm_lora", "optimizer.lr=1e-2", *TINY["minilm_lora"])
    folder = "models/minilm_lora/purged-0/0"
    base = AutoModelForSequenceClassification.from_pretrained("data/raw/minilm", num_labels=3)
    model = PeftModel.from_pretrained(base, folder).eval()
    test = pd.read_parquet("data/prepared/onet/purged/0/test.parquet").iloc[:5]
    tokens = AutoTokenizer.from_pretrained(folder)(
        test["text"].tolist(), padding=True, return_tensors="pt", return_token_type_ids=False
    )
    with torch.no_grad():
        shares = torch.softmax(model(**tokens).logits, dim=1).numpy()
    rows = predictions("minilm_lora/purged-0").set_index("id")
    recorded = rows.loc[test["id"], ["p_E0", "p_E2", "p_E1"]].to_numpy()
    assert shares == pytest.approx(recorded, abs=1e-5)
    # The encoder's own weights are not there a second time.
    assert not list(Path(folder).glob("model*.safetensors"))


def test_an_ensemble_is_the_mean_of_its_members(prepared: Path):
    for seed in (0, 1):
        jobshift("train", "model=lstm", "training.epochs=1", f"seed={seed}")
    jobshift("train", "model=ensemble", "ensemble.model=lstm", "ensemble.seeds=[0,1]")
    first, second, mean = map(predictions, ("lstm/purged-0", "lstm/purged-1", "ensemble/purged-0"))
    for name in ("id", "fold", "part"):
        assert mean[name].tolist() == first[name].tolist()
    shares = ["p_E0", "p_E2", "p_E1"]
    expected = (first[shares] + second[shares]) / 2
    assert mean[shares].to_numpy() == pytest.approx(expected.to_numpy())
    members = json.loads(Path("models/ensemble/purged-0/0/members.json").read_text())
    assert members == ["models/lstm/purged-0", "models/lstm/purged-1"]


def test_an_ensemble_and_a_student_name_the_run_that_they_lack(prepared: Path):
    jobshift("train", "model=tfidf")
    said = (
        r"ensemble is made from models/tfidf/purged-1, which is missing; run "
        r"`jobshift train model=tfidf split=purged seed=1` first"
    )
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "model=ensemble", *TINY["ensemble"])
    said = (
        r"minilm_student is made from models/minilm/purged-0, .*model=minilm split=purged seed=0`"
    )
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "model=minilm_student", "student.layers=[1]")
    # What learns from less is made from runs that have learned from the same.
    said = r"models/tfidf/purged-0-A-25, .*seed=0 learn_from=A train_share=0\.25`"
    less = ["+data.raters.A=one of us", "learn_from=A", "train_share=0.25"]
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "model=ensemble", *TINY["ensemble"], *less)
    assert [path.name for path in Path("models").iterdir()] == ["tfidf"]


def test_a_member_that_knew_another_split_is_refused(prepared: Path):
    # A task that is a test task now may have been learned from then.
    jobshift("train", "model=tfidf")
    file = Path("models/tfidf/purged-0/predictions.parquet")
    rows = pd.read_parquet(file)
    moved = rows.index[rows["part"] == "test"][0]
    rows.assign(part=rows["part"].where(rows.index != moved, "train")).to_parquet(file, index=False)
    said = (
        rf"does not have the task {rows['id'][moved]} in the part test of fold 0: it is of another"
    )
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "model=ensemble", "ensemble.model=tfidf", "ensemble.seeds=[0]")


def test_a_student_of_the_teacher_alone_learns_what_he_says_and_not_the_labels(prepared: Path):
    # A teacher who calls everything E2: so does a student with all the weight on him, whatever the labels.
    jobshift("train", "model=majority")
    file = Path("models/majority/purged-0/predictions.parquet")
    rows = pd.read_parquet(file)
    rows.assign(p_E0=0.02, p_E2=0.96, p_E1=0.02).to_parquet(file, index=False)
    options = ["student.layers=[1]", "student.teacher=majority", "optimizer.lr=1e-2"]
    jobshift("train", "model=minilm_student", *options, "student.weight=1")
    found = predictions("minilm_student/purged-0")
    assert (found["predicted"] == "E2").all()
    config = json.loads(Path("models/minilm_student/purged-0/0/config.json").read_text())
    assert config["num_hidden_layers"] == 1
    # Without weight he is not heard.
    jobshift("train", "model=minilm_student", *options, "student.weight=0")
    found = predictions("minilm_student/purged-0")
    assert not (found["p_E2"] > 0.9).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_share_is_nested_and_of_whole_groups(seed: int):
    # Ten groups of 1 to 10 tasks, 55 in all.
    group = np.repeat([f"g{number}" for number in range(10)], range(1, 11))
    before = np.zeros(55, dtype=bool)
    for share in (0.01, 0.1, 0.25, 0.5, 0.75, 1.0):
        kept = in_share(group, share, seed)
        assert kept[before].all() and kept.any()
        # None of the groups has more than 10 tasks, so half of that is the most by which a share is missed.
        assert share == 0.01 or abs(kept.sum() - 55 * share) <= 5
        assert set(group[kept]).isdisjoint(group[~kept])
        before = kept
    assert before.all()


def test_a_share_depends_on_the_seed_and_not_on_the_order_of_the_tasks():
    group = np.repeat([f"g{number}" for number in range(20)], 3)
    kept = set(group[in_share(group, 0.5, 0)])
    assert len(kept) == 10
    assert set(group[::-1][in_share(group[::-1], 0.5, 0)]) == kept
    assert set(group[in_share(group, 0.5, 1)]) != kept


def test_the_share_as_near_as_whole_groups_come():
    # One group of 6 and one of 4: a third is nearer to 4 or to 6 than to all, whichever comes first.
    group = np.array(["a"] * 6 + ["b"] * 4)
    kept = group[in_share(group, 1 / 3, 0)]
    assert len(set(kept)) == 1
    assert in_share(group, 0.95, 0).all()


def test_a_share_of_the_tasks_teaches_and_the_run_is_kept_apart(prepared: Path):
    train = labels_of("train")
    for model in ("majority", "lstm"):
        arguments = ["training.epochs=1"] if model == "lstm" else []
        jobshift("train", f"model={model}", "train_share=0.25", *arguments)
        rows = predictions(f"{model}/purged-0-25")
        assert (rows["part"] == "train").sum() == len(train)  # predicted all the same
        assert (rows["part"] == "test").sum() == len(labels_of("test"))
        assert not Path(f"models/{model}/purged-0").exists()
    learned = train[in_share(train["group"].to_numpy(), 0.25, 0)]
    assert 0 < len(learned) < len(train) / 2
    prior = json.loads(Path("models/majority/purged-0-25/0/prior.json").read_text())
    assert prior == pytest.approx([(learned["label"] == c).mean() for c in ("E0", "E2", "E1")])
    # As many steps as batches of 32 from what is learned.
    history = pd.read_csv("models/lstm/purged-0-25/history.csv")
    assert history["step"].max() == -(-len(learned) // 32)


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
        (["output=/tmp/runs"], "output is '/tmp/runs'; name a folder within the study"),
        (["output=../runs"], "output is '../runs'; name a folder within the study"),
        (["output=''"], "output is ''; name a folder within the study"),
        (["train_share=0"], "train_share is 0; it must be above 0 and at most 1"),
        (["train_share=25"], "train_share is 25; it must be above 0"),
        (["+data.raters.Z=nobody", "learn_from=Z"], "no column label_Z"),
    ],
)
def test_senseless_choices_of_what_to_learn_from_are_refused(prepared: Path, options, said: str):
    with pytest.raises(JobshiftError, match=said):
        jobshift("train", "model=majority", *options)


def test_a_part_that_prepare_did_not_write_is_one_sentence(prepared: Path):
    Path("data/prepared/onet/purged/0/near.parquet").unlink()
    with pytest.raises(JobshiftError, match=r"near\.parquet is missing; run the stage prepare"):
        jobshift("train", "model=majority")


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


@pytest.mark.parametrize("model", ["minilm", "lstm"])
def test_killed_training_resumes_and_ends_with_the_same_bytes(
    prepared: Path, model: str, caplog: pytest.LogCaptureFixture
):
    # All networks have dropout, so the generator must be in the same state, too.
    arguments = [f"model={model}", "training.epochs=4", "training.log_every=2"]
    arguments.append("optimizer.lr=3e-3")
    jobshift("train", *arguments)
    whole = hashes(f"models/{model}")
    killed = forked.start("train", *arguments, code=KILL)
    said = forked.said_by(killed)
    assert killed.exitcode == -signal.SIGKILL, said
    assert Path(f"checkpoints/models/{model}/purged-0/0/epochs/last.ckpt").is_file()
    assert hashes(f"models/{model}") == whole  # what was finished is not lost
    # An epoch trained again would show in its history; a fresh start would not say this.
    caplog.clear()
    with caplog.at_level("INFO"):
        jobshift("train", *arguments)
    assert "going on from the last finished epoch" in caplog.text
    assert "epoch 3/4" in caplog.text and "epoch 1/4" not in caplog.text
    assert hashes(f"models/{model}") == whole


@pytest.mark.parametrize("model", ["minilm", "minilm_lora", "minilm_frozen", "lstm"])
def test_dropout_is_on_in_training_and_off_elsewhere(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, model: str
):
    from torch.nn import Dropout

    from jobshift.models.training import Classifier

    seen = {}

    def record(name: str) -> None:
        step = getattr(Classifier, name)

        def recorded(self, *arguments):
            found = [
                each for each in self.network.modules() if isinstance(each, Dropout) and each.p
            ]
            seen[name] = {each.training for each in found}
            return step(self, *arguments)

        monkeypatch.setattr(Classifier, name, recorded)

    record("training_step")
    record("validation_step")
    options = ["training.epochs=1", "training.log_every=2", *TINY.get(model, [])]
    jobshift("train", f"model={model}", *options)
    assert seen == {"training_step": {True}, "validation_step": {False}}


def test_a_run_that_a_scheduler_stops_says_so_and_does_not_end_with_0(prepared: Path):
    code = KILL.replace("SIGKILL", "SIGTERM")
    stopped = forked.start("train", "model=lstm", "training.log_every=2", code=code)
    said = forked.said_by(stopped)
    assert stopped.exitcode == 143  # 128 + 15, as a shell says it
    assert "stopped by SIGTERM; the same command goes on" in said
    assert "Traceback" not in said
    assert not Path("models/lstm").exists()
    assert Path("checkpoints/models/lstm/purged-0/0/epochs/last.ckpt").is_file()


def test_a_changed_config_does_not_resume(prepared: Path, caplog: pytest.LogCaptureFixture):
    arguments = ["model=minilm", "training.epochs=4", "training.log_every=2"]
    killed = forked.start("train", *arguments, code=KILL)
    said = forked.said_by(killed)
    assert killed.exitcode == -signal.SIGKILL, said
    with caplog.at_level("INFO"):
        jobshift("train", *arguments, "optimizer.lr=1e-3")
    assert "epoch 1/4" in caplog.text and "going on" not in caplog.text


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
        (["model=ensemble", "ensemble.seeds=[]"], r"ensemble\.seeds is \[\]; name at least one"),
        (["model=ensemble", "ensemble.seeds=[1,1]"], r"ensemble\.seeds is \[1, 1\]; .*each once"),
        (["model=minilm_student", "student.weight=2"], r"student\.weight is 2 .*from 0 to 1"),
        (["model=minilm_student", "student.temperature=0"], r"temperature 0; .*above 0"),
        (["model=svm", "svm.folds=9999"], r"svm\.folds is 9999, but training has \d+ leak groups"),
        (["model=tfidf", "model.kind=svm"], r"kind svm needs the section 'svm'"),
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


def run_with_wandb(*arguments: str, **environment: str) -> str:
    """Train in a process of its own with W&B on, its settings from `environment` alone; what it said."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    process = forked.start(
        *("train", "model=lstm", "training.epochs=1", "training.log_every=2"),
        *arguments,
        environment={**kept, "HOME": str(Path.cwd()), **environment},
    )
    said = forked.said_by(process)
    assert process.exitcode == 0, said
    return said


def test_without_a_key_wandb_logs_offline_and_says_so(prepared: Path):
    assert run_with_wandb().count("logged offline") == 1
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
    said = run_with_wandb(WANDB_API_KEY=key, WANDB_BASE_URL="http://127.0.0.1:9")
    assert predictions("lstm/purged-0").shape[0] > 0
    assert key not in said
    for file in (path for path in Path().rglob("*") if path.is_file()):
        assert key.encode() not in file.read_bytes(), file


def test_disabled_wandb_writes_nothing(prepared: Path):
    assert "W&B" not in run_with_wandb("wandb=disabled")
    assert not Path("wandb").exists()
