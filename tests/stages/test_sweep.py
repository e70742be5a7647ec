"""Sweeps on the tiny study: real trials, killed workers, shared work, pruning, launchers, W&B.

Where it does not matter what is trained, TF-IDF is: a trial takes a fraction of a second.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import struct
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
import optuna
import pandas as pd
import pytest
import yaml
from conftest import jobshift

from jobshift.errors import JobshiftError
from jobshift.stages import train
from jobshift.sweeps.configs import training_config

TFIDF = """
name: tiny
model: tfidf
sampler: random
objective: val_loss
trials: 4
hand_set: false
space:
  tfidf.C: {type: float, low: 0.01, high: 10.0, log: true}
  tfidf.ngram_max: {type: int, low: 1, high: 2}
  tfidf.min_df: {type: int, low: 1, high: 3, when: {tfidf.ngram_max: 2}}
"""
LSTM = """
name: tiny
model: lstm
sampler: random
trials: 2
fixed: {training.epochs: 2, training.log_every: 2}
space:
  optimizer.lr: {type: float, low: 1.0e-3, high: 2.0e-2, log: true}
  lstm.hidden: {type: int, low: 16, high: 128, step: 16}
"""
# Kills its own process when it has trained as many runs as the last argument says.
KILL = """
import os, signal, sys
from jobshift import cli
from jobshift.stages import train
left, run = [int(sys.argv.pop())], train.run
def killed(config, callbacks=()):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    run(config, callbacks)
train.run = killed
cli.main()
"""
# Dies while training, in the second epoch of the second trial.
KILL_IN_EPOCH = """
import os, signal, sys
from jobshift import cli
from jobshift.models.training import Classifier
step, epochs = Classifier.training_step, []
def killed(self, batch, number):
    if number == 0:
        epochs.append(self.current_epoch)
    if len(epochs) == 4 and number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, number)
Classifier.training_step = killed
cli.main()
"""
SWEEP = ["sweep", "sweep=tiny", "figures=false"]
REPORT = Path("reports/sweeps/tiny")


def write(sweep: str, **changed) -> None:
    """Write conf/sweep/tiny.yaml."""
    content = {**yaml.safe_load(sweep), **changed}
    Path("conf/sweep/tiny.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def start(*arguments: str, code: str = forked.JOBSHIFT) -> BaseProcess:
    """`jobshift sweep sweep=tiny …` as a process of its own, or the same through `code`."""
    return forked.start(*SWEEP, *arguments, code=code)


def ended(process: BaseProcess) -> str:
    """What a process said; it must end well."""
    said = forked.said_by(process)
    assert process.exitcode == 0, said
    return said


def study(storage: str | None = None) -> optuna.Study:
    if storage is None:
        backend = optuna.storages.journal.JournalFileBackend("sweeps/tiny/journal.log")
        return optuna.load_study(study_name="tiny", storage=optuna.storages.JournalStorage(backend))
    return optuna.load_study(study_name="tiny", storage=storage)


def completed() -> list[int]:
    """The points of all complete trials, sorted."""
    found = study().get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(trial.user_attrs["point"] for trial in found)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def undisturbed(prepared_once: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """trials.csv of the TF-IDF sweep that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "study"
    shutil.copytree(prepared_once, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(TFIDF)
        jobshift(*SWEEP)
        return (REPORT / "trials.csv").read_bytes()


@pytest.fixture
def never_killed(undisturbed: bytes, prepared: Path) -> bytes:
    """The same, with the sweep's file in a fresh study."""
    write(TFIDF)
    return undisturbed


def test_a_sweep_leaves_its_table_its_best_and_its_figures(prepared: Path):
    write(TFIDF)
    jobshift("sweep", "sweep=tiny")
    table = pd.read_csv(REPORT / "trials.csv")
    assert table["trial"].tolist() == [0, 1, 2, 3]
    assert set(table["state"]) == {"done"}
    assert table["tfidf.min_df"].isna().equals(table["tfidf.ngram_max"] == 1)
    best = yaml.safe_load((REPORT / "best.yaml").read_text())
    assert best["value"] == table["val_loss"].min()
    assert best["trial"] == table["val_loss"].idxmin()
    figures = ("history", "importance", "parallel_coordinates", "slices", "cost")
    captions = json.loads((REPORT / "captions.json").read_text())
    assert sorted(captions) == sorted(figures)
    for figure in figures:
        for ending in ("png", "pdf"):
            assert (REPORT / f"{figure}.{ending}").stat().st_size > 1000
    # The value is the cross-entropy on the validation part, by scikit-learn.
    from sklearn.metrics import log_loss

    rows = pd.read_parquet("sweeps/tiny/trials/3/tfidf/purged-0/predictions.parquet")
    val = pd.read_parquet("data/prepared/onet/purged/0/val.parquet").set_index("id")
    shares = rows.set_index("id").loc[val.index, ["p_E0", "p_E1", "p_E2"]]
    expected = log_loss(val["label"], shares, sample_weight=val["weight"])
    assert table["val_loss"][3] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("objective", ["val_accuracy", "val_cohen_kappa"])
def test_a_model_without_epochs_is_judged_by_its_predictions(prepared: Path, objective: str):
    from sklearn import metrics

    write(TFIDF, objective=objective, trials=1)
    jobshift(*SWEEP)
    rows = pd.read_parquet("sweeps/tiny/trials/0/tfidf/purged-0/predictions.parquet")
    val = pd.read_parquet("data/prepared/onet/purged/0/val.parquet").set_index("id")["label"]
    guessed = rows.set_index("id").loc[val.index, "predicted"]
    measure = metrics.accuracy_score if objective == "val_accuracy" else metrics.cohen_kappa_score
    found = pd.read_csv(REPORT / "trials.csv")[objective][0]
    assert found == pytest.approx(measure(val, guessed), abs=1e-6)


def test_the_tuned_model_is_a_whole_recipe_that_trains_to_the_value_of_the_sweep(prepared: Path):
    write(TFIDF, trials=2, fixed={"train_share": 0.9, "tfidf.max_iter": 500})
    jobshift(*SWEEP)
    best = yaml.safe_load((REPORT / "best.yaml").read_text())
    tuned = yaml.safe_load(Path("conf/model/tfidf_tuned.yaml").read_text())
    base = yaml.safe_load(Path("conf/model/tfidf.yaml").read_text())
    assert Path("conf/model/tfidf_tuned.yaml").read_text().startswith("# @package _global_\n")
    assert tuned["model"] == {"name": "tfidf_tuned", "kind": "tfidf"}
    assert tuned["tfidf"]["C"] == best["parameters"]["tfidf.C"]
    assert tuned["tfidf"]["max_iter"] == 500
    assert set(tuned) == set(base)  # train_share is the sweep's, not the recipe's
    jobshift("train", "model=tfidf_tuned", "train_share=0.9")
    again = pd.read_parquet("models/tfidf_tuned/purged-0-90/predictions.parquet")
    folder = Path(f"sweeps/tiny/trials/{best['trial']}/tfidf/purged-0-90")
    assert again.equals(pd.read_parquet(folder / "predictions.parquet"))


def test_finished_trials_never_run_twice_and_more_can_be_added(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
):
    trained = []
    run = train.run
    monkeypatch.setattr(
        train, "run", lambda config, callbacks=(): (trained.append(config), run(config, callbacks))
    )
    write(TFIDF, trials=2)
    jobshift(*SWEEP)
    first = (REPORT / "trials.csv").read_bytes()
    jobshift(*SWEEP)
    assert len(trained) == 2
    assert (REPORT / "trials.csv").read_bytes() == first
    jobshift(*SWEEP, "sweep.trials=3")
    assert len(trained) == 3
    assert (REPORT / "trials.csv").read_bytes().startswith(first)


def test_a_sweep_killed_five_times_ends_with_the_trials_of_one_that_never_was(
    never_killed: bytes, caplog: pytest.LogCaptureFixture
):
    for trials_before in (0, 1, 0, 1, 0):
        killed = start(str(trials_before), code=KILL)
        said = forked.said_by(killed)
        assert killed.exitcode == -signal.SIGKILL, said
        assert not REPORT.exists()
    with caplog.at_level("INFO"):
        jobshift(*SWEEP)
    assert "trial 2: its process died; it is tried again" in caplog.messages
    assert completed() == [0, 1, 2, 3]
    assert (REPORT / "trials.csv").read_bytes() == never_killed


def test_a_worker_killed_by_signal_9_is_replaced_and_its_trial_is_run_again(never_killed: bytes):
    process = start("workers=2", "threads=1")
    workers = set()
    while not workers and process.is_alive():
        time.sleep(0.05)
        try:
            running = study().get_trials(states=(optuna.trial.TrialState.RUNNING,))
            workers = {trial.user_attrs["worker"]["pid"] for trial in running}
        except (OSError, KeyError, ValueError):
            pass  # not written yet
    assert workers and process.pid not in workers, forked.said_by(process)
    os.kill(workers.pop(), signal.SIGKILL)
    assert "was killed by signal 9; another one takes its place" in ended(process)
    assert completed() == [0, 1, 2, 3]
    assert (REPORT / "trials.csv").read_bytes() == never_killed


def test_two_commands_at_once_share_one_storage(never_killed: bytes):
    processes = [start(), start()]
    said = [ended(each) for each in processes]
    assert completed() == [0, 1, 2, 3]
    workers = {
        trial.user_attrs["worker"]["pid"]
        for trial in study().get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    }
    assert workers == {each.pid for each in processes}
    assert (REPORT / "trials.csv").read_bytes() == never_killed
    # Plain lines: no escape codes where nobody watches.
    assert "4 of 4 done, 0 running, 0 pruned, 0 failed; best val_loss" in "".join(said)
    assert "\x1b" not in "".join(said)


def test_a_database_as_storage(never_killed: bytes):
    jobshift(*SWEEP, "storage=sqlite:///sweeps.db")
    assert len(study("sqlite:///sweeps.db").trials) == 4
    assert (REPORT / "trials.csv").read_bytes() == never_killed
    assert not Path("sweeps/tiny/journal.log").exists()


def test_ray_on_an_embedded_cluster(never_killed: bytes):
    pytest.importorskip("ray")
    said = ended(start("launcher=ray", "workers=2", "threads=1"))
    assert "(ray_worker pid=" in said and "\x1b" not in said
    assert completed() == [0, 1, 2, 3]
    assert (REPORT / "trials.csv").read_bytes() == never_killed


def test_submitit_as_local_jobs(never_killed: bytes):
    pytest.importorskip("submitit")
    jobshift(*SWEEP, "launcher=submitit", "submitit.cluster=local", "workers=2")
    assert completed() == [0, 1, 2, 3]
    assert (REPORT / "trials.csv").read_bytes() == never_killed
    assert list(Path("sweeps/tiny/jobs").glob("*_log.err"))


@pytest.fixture(scope="module")
def tracked(prepared_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a finished sweep of two LSTMs that W&B logged offline, and what it said."""
    folder = tmp_path_factory.mktemp("tracked") / "study"
    shutil.copytree(prepared_once, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for key in [key for key in os.environ if key.startswith("WANDB")]:
            patch.delenv(key)
        patch.setenv("WANDB_MODE", "offline")
        write(LSTM)
        said = ended(start("threads=1"))
    return folder, said


def test_a_trial_repeated_by_its_printed_command_has_the_same_bytes(
    tracked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
):
    import torch

    folder, said = tracked
    monkeypatch.chdir(folder)
    printed = next(line for line in said.splitlines() if line.startswith("trial 1: "))
    command = printed.removeprefix("trial 1: ")
    assert command == Path("sweeps/tiny/trials/1/command.txt").read_text().strip()
    setting, program, *arguments = shlex.split(command)
    assert (setting, program) == ("OMP_NUM_THREADS=1", "jobshift")
    assert arguments[0] == "train"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    jobshift(*arguments)  # in another process than the trial
    torch.set_num_threads(threads)
    once, again = (
        hashes(Path(f"sweeps/tiny/{name}/1/lstm/purged-0")) for name in ("trials", "repeats")
    )
    assert "0/model.safetensors" in once
    assert again == once
    # All options of the run are there, and the value is the best of its history.
    config = yaml.safe_load(Path("sweeps/tiny/trials/1/config.yaml").read_text())
    table = pd.read_csv(REPORT / "trials.csv")
    assert config["optimizer"]["lr"] == table["optimizer.lr"][1]
    assert config["optimizer"]["clip"] == 1.0
    history = pd.read_csv("sweeps/tiny/trials/1/lstm/purged-0/history.csv")
    assert table["val_cohen_kappa"][1] == history["val_cohen_kappa"].max()
    # Trial 0 is the model's file.
    assert table["optimizer.lr"][0] == 2e-3 and table["lstm.hidden"][0] == 128


def test_a_hopeless_trial_is_pruned_and_a_killed_one_resumes_in_its_epoch(
    prepared: Path, caplog: pytest.LogCaptureFixture
):
    write(
        LSTM,
        trials=3,
        fixed={"training.epochs": 3, "training.log_every": 2},
        pruner={"kind": "successive_halving", "min_epochs": 2, "reduction": 2},
        space={"optimizer.lr": {"type": "categorical", "choices": [2e-2, 1e-9]}},
        hand_set=False,
        seed=first_seed_with([2e-2, 1e-9, 2e-2]),
    )
    killed = start("threads=1", code=KILL_IN_EPOCH.replace("== 4", "== 8"))
    said = forked.said_by(killed)
    assert killed.exitcode == -signal.SIGKILL, said
    with caplog.at_level("INFO"):
        jobshift(*SWEEP, "threads=1")
    said = "\n".join(caplog.messages)
    assert "going on from the last finished epoch" in said
    assert "trial 0: " not in said and "trial 1: " not in said
    assert "2 of 3 done, 0 running, 1 pruned" in said
    table = pd.read_csv(REPORT / "trials.csv")
    assert table["state"].tolist() == ["done", "pruned", "done"]
    assert table["epochs_reported"].tolist() == [3, 2, 3]
    assert table["val_cohen_kappa"].isna().tolist() == [False, True, False]
    # Trials 0 and 2 have the same parameters, so the killed one came to the same.
    assert table["val_cohen_kappa"][0] == table["val_cohen_kappa"][2]
    assert not list(Path("checkpoints").rglob("*.ckpt"))


def first_seed_with(wanted: list[float]) -> int:
    """The first seed of a sweep whose random points have these learning rates."""
    from jobshift.sweeps.options import Parameter
    from jobshift.sweeps.samplers import PointSampler
    from jobshift.sweeps.space import suggest

    space = {"lr": Parameter("categorical", choices=[2e-2, 1e-9])}
    for seed in range(100):
        drawing = optuna.create_study(sampler=PointSampler("random", seed, ["lr"]))
        found = []
        for point in range(len(wanted)):
            drawing.enqueue_trial({}, user_attrs={"point": point})
            found.append(suggest(drawing.ask(), space)["lr"])
        if found == wanted:
            return seed
    raise AssertionError(wanted)


def test_with_several_seeds_the_objective_is_their_mean(prepared: Path):
    write(LSTM, trials=1, seeds=[3, 5], fixed={"training.epochs": 1})
    jobshift(*SWEEP, "threads=1")
    row = pd.read_csv(REPORT / "trials.csv").iloc[0]
    values = [
        pd.read_csv(f"sweeps/tiny/trials/0/lstm/purged-{seed}/history.csv")["val_cohen_kappa"].max()
        for seed in (3, 5)
    ]
    assert [row["seed_3"], row["seed_5"]] == values
    assert row["val_cohen_kappa"] == pytest.approx(sum(values) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": {"optimizer.lrr": {"type": "float", "low": 0, "high": 1}}}, r"optimizer\.lrr"),
        (
            {"space": {"encoder.frozen_layers": {"type": "int", "low": 0, "high": 2}}},
            "no section 'encoder'",
        ),
        (
            {"space": {"lstm.hidden": {"type": "float", "low": 8, "high": 9.5}}},
            r"lstm\.hidden.*8\.0",
        ),
        (
            {"space": {"lstm.pooling": {"type": "int", "low": 1, "high": 2}}},
            r"lstm\.pooling: the option is of the type str, which 1 is not",
        ),
        (
            {"space": {"lstm.hidden": {"type": "categorical", "choices": [8, "wide"]}}},
            r"lstm\.hidden.*wide",
        ),
        ({"space": {"seed": {"type": "int", "low": 0, "high": 9}}}, "seed is not for a sweep"),
        ({"fixed": {"training.epoch": 3}}, r"training\.epoch\b"),
        ({"fixed": {"optimizer.lr": 0.1}}, "both in 'space' and in 'fixed'"),
        ({"fixed": {"fit_on": "all"}}, "fitted on validation, too"),
        ({"objective": "test_accuracy"}, "a test measure must not choose the model"),
        ({"objective": "val_f1"}, "choose one of val_cohen_kappa, val_accuracy, val_loss"),
        ({"objective": "val_loss"}, r"training\.monitor: val_loss"),
        ({"trials": 0}, "one trial or more"),
        ({"seeds": [1, 1]}, "each once"),
        ({"model": "lstmm"}, r"lstmm"),
        ({"pruner": {"kind": "axe"}}, r"pruner\.kind is 'axe'"),
        ({"sampler": "luck"}, "sampler is 'luck'"),
        ({"name": "../tiny"}, "make a folder"),
        (
            {"space": {"optimizer.lr": {"type": "float", "low": 0.1, "high": 0.2}}},
            r"optimizer\.lr=0\.002 is not in the search space",
        ),
    ],
)
def test_a_sweep_that_cannot_run_is_refused_before_anything_trains(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, changed: dict, said: str
):
    monkeypatch.setattr(train, "run", lambda *_: pytest.fail("it trained"))
    write(LSTM, **changed)
    with pytest.raises(JobshiftError, match=said):
        jobshift(*SWEEP)
    assert not list(Path("sweeps").glob("*/trials"))


def test_unknown_launchers_and_unprepared_data_are_refused(prepared: Path):
    write(TFIDF)
    with pytest.raises(JobshiftError, match="launcher is 'rocket'; choose one of local, ray"):
        jobshift(*SWEEP, "launcher=rocket")
    with pytest.raises(JobshiftError, match=r"stratified is missing or empty; run the stage prep"):
        jobshift(*SWEEP, "+sweep.fixed.split=stratified")


def test_a_failing_trial_is_recorded_and_three_without_a_success_stop_the_sweep(prepared: Path):
    write(TFIDF, space={"tfidf.analyzer": {"type": "categorical", "choices": ["word", "none"]}})
    with pytest.raises(JobshiftError) as stopped:
        jobshift(*SWEEP, "sweep.trials=3", "+sweep.fixed.loss.class_weight=odd")
    assert "3 trials failed and none succeeded, the last with: InvalidParam" in str(stopped.value)
    assert not REPORT.exists()


def test_a_time_budget_starts_nothing_after_its_end(prepared: Path):
    write(TFIDF)
    jobshift(*SWEEP, "sweep.minutes=0.000001")
    assert not Path("sweeps/tiny/trials").exists()


def test_another_definition_under_the_same_name_is_refused(prepared: Path):
    write(TFIDF, trials=1)
    jobshift(*SWEEP)
    with pytest.raises(JobshiftError, match="started with another seed"):
        jobshift(*SWEEP, "sweep.seed=1")
    file = Path("conf/model/tfidf.yaml")
    file.write_text(file.read_text().replace("max_iter: 1000", "max_iter: 900"))
    with pytest.raises(JobshiftError, match="another training config or data"):
        jobshift(*SWEEP)


def wandb_records(file: Path):
    """The records of a W&B log: LevelDB's log format behind a header of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(content):
        room = 32768 - place % 32768
        if room < 7:
            place += room
            continue
        size, kind = struct.unpack_from("<HB", content, place + 4)
        whole += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def test_wandb_has_a_run_a_trial_in_the_group_of_the_sweep(
    tracked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tracked[0])
    table = pd.read_csv(REPORT / "trials.csv").set_index("trial")
    found = {}
    for file in Path("wandb").glob("offline-run-*/run-*.wandb"):
        config, logged = {}, []
        for record in wandb_records(file):
            if record.HasField("run"):
                name, group = record.run.display_name, record.run.run_group
                config.update({u.key: json.loads(u.value_json) for u in record.run.config.update})
            if record.HasField("history"):
                logged.append(
                    {
                        item.key or item.nested_key[0]: json.loads(item.value_json)
                        for item in record.history.item
                    }
                )
        assert group == "tiny"
        found[name] = config, logged
    assert sorted(found) == ["tiny-0-seed0", "tiny-1-seed0"]
    for trial in (0, 1):
        config, logged = found[f"tiny-{trial}-seed0"]
        assert config["optimizer"]["lr"] == table["optimizer.lr"][trial]
        assert config["lstm"]["hidden"] == table["lstm.hidden"][trial]
        history = pd.read_csv(f"sweeps/tiny/trials/{trial}/lstm/purged-0/history.csv")
        for column in ("train_loss", "val_loss", "val_cohen_kappa", "lr"):
            values = [row[column] for row in logged if column in row]
            assert values == pytest.approx(history[column].dropna().tolist(), abs=1e-6), column
            assert values
        best = max(row["val_cohen_kappa"] for row in logged if "val_cohen_kappa" in row)
        assert best == pytest.approx(table["val_cohen_kappa"][trial], abs=1e-6)


@pytest.mark.parametrize("name", ["lstm", "minilm"])
def test_the_command_of_a_wandb_agent_trains(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    file = yaml.safe_load(Path(f"conf/sweep/wandb/{name}.yaml").read_text())
    # What the server would choose: an end of a range, or the first value.
    chosen = {
        key: {"value": each["values"][0] if "values" in each else each["max"]}
        for key, each in file["parameters"].items()
    }
    filled = {
        "${env}": ["/usr/bin/env"],
        "${args_no_hyphens}": create_sweep_command_args({"args": chosen})["args_no_hyphens"],
    }
    command = [
        word for each in create_sweep_command(file["command"]) for word in filled.get(each, [each])
    ]
    assert command[:3] == ["/usr/bin/env", "jobshift", "train"]
    monkeypatch.setenv("WANDB_RUN_ID", "x1y2z3")
    arguments = [each for each in command[3:] if not each.startswith("training.epochs=")]
    config = training_config([*arguments, "training.epochs=1"])
    assert config.output == "sweeps/wandb/x1y2z3"
    assert config.optimizer.lr == chosen["optimizer.lr"]["value"]
    if name == "lstm":
        jobshift("train", *arguments, "training.epochs=1")
        assert Path("sweeps/wandb/x1y2z3/lstm/purged-0/run.json").is_file()
    # The file of `jobshift sweep` searches the same options, but for what W&B cannot express.
    ours = yaml.safe_load(Path(f"conf/sweep/{name}.yaml").read_text())["space"]
    assert set(file["parameters"]) == {key for key in ours if "when" not in ours[key]}
