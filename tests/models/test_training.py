"""The recipe's parts by hand: loss, class weights, parameter groups, schedule, predictions."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from jobshift.errors import JobshiftError
from jobshift.models.lstm import Lstm
from jobshift.models.options import (
    VALIDATION,
    LossOptions,
    LstmOptions,
    OptimizerOptions,
    StudentOptions,
    TrainingOptions,
    monitored,
)
from jobshift.models.training import (
    Classifier,
    EachClass,
    Labelled,
    SeveralClasses,
    balanced,
    balanced_each,
    distillation,
    fit,
    predict,
    weighted_mean,
)
from jobshift.texts.batches import Tokens

BOTH = pytest.mark.parametrize("kind", [Classifier, SeveralClasses, EachClass])


def classifier(
    weights=(1.0, 1.0), smoothing=0.0, steps=100, kind=Classifier, **optimizer
) -> Classifier:
    network = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2), nn.LayerNorm(2))
    return kind(
        network,
        LossOptions(label_smoothing=smoothing),
        OptimizerOptions(**optimizer),
        steps,
        torch.tensor(weights),
        seed=0,
        log_every=10,
    )


class Fixed(nn.Module):
    """A network that gives its inputs as logits."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, inputs, mask):
        return self.scale * inputs


def test_soft_cross_entropy_by_hand():
    # p = (1/4, 3/4) from logits (0, ln 3); target (1/2, 1/2): −½ ln ¼ − ½ ln ¾ = .8370
    logits = torch.tensor([[0.0, math.log(3)]])
    loss = classifier().cross_entropy(logits, torch.tensor([[0.5, 0.5]]), torch.ones(1))
    assert float(loss) == pytest.approx(-0.5 * math.log(0.25) - 0.5 * math.log(0.75))


def test_text_and_class_weights_by_hand():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # Class weights 2 and 1, text weights 1 and 3: (1 × 2 ln 4 + 3 × 1 ln 2) / 4
    loss = classifier(weights=(2.0, 1.0)).cross_entropy(logits, targets, torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx((2 * math.log(4) + 3 * math.log(2)) / 4)


def test_label_smoothing_by_hand():
    # Smoothing .2 on two classes turns (1, 0) into (.9, .1).
    logits = torch.tensor([[0.0, math.log(3)]])
    loss = classifier(smoothing=0.2).cross_entropy(
        logits, torch.tensor([[1.0, 0.0]]), torch.ones(1)
    )
    assert float(loss) == pytest.approx(-0.9 * math.log(0.25) - 0.1 * math.log(0.75))


def test_balanced_class_weights_by_hand():
    targets = np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    # n / (classes × n of the class): 4 / (2 × 3) and 4 / (2 × 1)
    assert balanced(targets, "balanced").tolist() == pytest.approx([2 / 3, 2.0])
    assert balanced(targets, "none").tolist() == [1.0, 1.0]
    with pytest.raises(JobshiftError, match=r"loss\.class_weight is 'even'"):
        balanced(targets, "even")


def test_only_matrices_decay_and_frozen_ones_are_left_out():
    model = classifier(weight_decay=0.3)
    model.network[0].requires_grad_(False)
    decayed, free = model.configure_optimizers()["optimizer"].param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 4)]
    assert [tuple(p.shape) for p in free["params"]] == [(2,), (2,), (2,)]  # bias, norm's two
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)


def test_warm_up_then_linear_decay():
    schedule = classifier(steps=20, lr=1.0, warmup=0.2).configure_optimizers()["lr_scheduler"][
        "scheduler"
    ]
    factor = schedule.lr_lambdas[0]
    # Four steps of warm-up: ¼, ½, ¾, 1; then down to 0 at step 20 over 16 steps.
    assert [factor(step) for step in (0, 1, 2, 3, 4, 12, 20)] == pytest.approx(
        [0.25, 0.5, 0.75, 1, 1, 0.5, 0]
    )


def test_weighted_mean():
    assert weighted_mean([(1.0, 1), (4.0, 3)]) == pytest.approx(13 / 4)
    assert math.isnan(weighted_mean([]))


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_lstm_does_not_see_the_padding(pooling: str):
    torch.manual_seed(0)
    network = Lstm(LstmOptions(8, 6, pooling=pooling), vocabulary=20, padding=0, classes=3).eval()
    alone = network(torch.tensor([[3, 4]]), torch.tensor([[1, 1]]))
    padded = network(
        torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8]]), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    )
    assert torch.allclose(alone[0], padded[0], atol=1e-6)


def test_predictions_come_in_the_order_of_the_rows():
    torch.manual_seed(0)
    network = Lstm(LstmOptions(8, 6), vocabulary=20, padding=0, classes=3)
    tokens = Tokens(np.arange(1, 11, dtype=np.int32), np.array([0, 1, 4, 10]), 20, 0)
    one_by_one = np.concatenate([predict(network, tokens, np.array([row])) for row in (2, 0, 1)])
    together = predict(network, tokens, np.array([2, 0, 1]), size=2)
    assert together == pytest.approx(one_by_one, abs=1e-6)
    assert together.sum(axis=1) == pytest.approx(np.ones(3))


def test_distillation_by_hand():
    # Teacher 0.9 and 0.1, logits 0 and 0, temperature 2: the teacher's logits ln 9 and 0 become ln 3 and 0,
    # so 3/4 and 1/4 against 1/2 and 1/2, times 2² for the temperature.
    teacher, logits = torch.tensor([[0.9, 0.1], [0.5, 0.5]]), torch.zeros(2, 2)
    first = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    found = distillation(logits, teacher, torch.tensor([3.0, 1.0]), temperature=2.0)
    assert float(found) == pytest.approx((3 * first + 0) / 4, abs=1e-6)
    # One who says what the teacher says has nothing to learn, and a teacher's 0 is no infinity.
    equal = distillation(teacher.log(), teacher, torch.ones(2), temperature=3.0)
    assert float(equal) == pytest.approx(0, abs=1e-6)
    sure = distillation(logits, torch.tensor([[1.0, 0.0]] * 2), torch.ones(2), temperature=1.0)
    assert float(sure) == pytest.approx(math.log(2), abs=1e-4)


def test_a_student_mixes_labels_and_teacher_by_the_weight():
    class Undecided(nn.Linear):
        def forward(self, ids, mask):
            return super().forward(ids) * 0

    options = StudentOptions(teacher="t", layers=[0], weight=0.25, temperature=1.0)
    model = Classifier(
        Undecided(1, 2), LossOptions(), OptimizerOptions(), 1, torch.ones(2), 0, 10, options
    )
    label, teacher = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])
    batch = (torch.ones(1, 1), torch.ones(1, 1), label, torch.tensor([0]), torch.ones(1))
    # Logits of 0: ln 2 from the label, nothing from the teacher, who is as undecided.
    assert model.training_step((*batch, teacher), 0).item() == pytest.approx(0.75 * math.log(2))
    assert model.training_step(batch, 0).item() == pytest.approx(math.log(2))


# Several classes a text


def several(weights=((1.0, 1.0), (1.0, 1.0)), smoothing=0.0) -> EachClass:
    return classifier(weights, smoothing, kind=EachClass)


def test_binary_cross_entropy_by_hand():
    # σ(ln 3) = 3/4 and σ(0) = 1/2. The first text has the first class of two, the second has none:
    # (−ln ¾ − ln ½) / 2 and (−ln ¼ − ln ½) / 2, with text weights 1 and 3.
    logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    first = (-math.log(0.75) - math.log(0.5)) / 2
    second = (-math.log(0.25) - math.log(0.5)) / 2
    loss = several().cross_entropy(logits, targets, torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx((first + 3 * second) / 4)


def test_several_classes_share_one_distribution():
    # Shares ½, ½, 0 against 3/5, 1/5, 1/5; nothing is asked of the order of the two.
    logits = torch.tensor([[math.log(3), 0.0, 0.0]])
    shares = torch.tensor([[0.5, 0.5, 0.0]])
    model = classifier((1.0, 1.0, 1.0), kind=SeveralClasses)
    loss = model.cross_entropy(logits, shares, torch.ones(1))
    assert float(loss) == pytest.approx(-(math.log(3 / 5) + math.log(1 / 5)) / 2)
    assert model.guessing() == pytest.approx(math.log(3))
    assert SeveralClasses.probabilities(logits).tolist()[0] == pytest.approx([0.6, 0.2, 0.2])


def test_smoothed_and_weighted_binary_cross_entropy_by_hand():
    # Smoothing .2 turns 1 into .9; weights 2 without and 5 with the first class. σ(0) is wrong by ln 2 on
    # either side, which weigh 1 each.
    logits, targets = torch.tensor([[math.log(3), 0.0]]), torch.tensor([[1.0, 0.0]])
    loss = several(((2.0, 1.0), (5.0, 1.0)), 0.2).cross_entropy(logits, targets, torch.ones(1))
    first = -5 * 0.9 * math.log(0.75) - 2 * 0.1 * math.log(0.25)
    assert float(loss) == pytest.approx((first + math.log(2)) / 2)
    # Certain and wrong: no infinity, but the logit itself.
    sure = several().cross_entropy(torch.tensor([[500.0] * 2]), torch.zeros(1, 2), torch.ones(1))
    assert float(sure) == pytest.approx(500.0)


def test_balanced_weights_of_each_class_by_hand():
    targets = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 1], [0, 0, 1]], dtype=np.float32)
    # n / (2 × n of these): with the first class 4 / (2 × 3), without 4 / (2 × 1). No text has the second:
    # without it 4 / (2 × 4), and with it as if one had, 4 / (2 × 1).
    found = balanced_each(targets, "balanced")
    assert found.tolist() == [
        pytest.approx([2.0, 0.5, 2.0]),
        pytest.approx([2 / 3, 2.0, 2 / 3]),
    ]
    assert found.dtype == np.float32
    assert balanced_each(targets, "none").tolist() == [[1.0] * 3] * 2
    with pytest.raises(JobshiftError, match=r"loss\.class_weight is 'even'"):
        balanced_each(targets, "even")


def test_validation_of_several_classes_by_hand():
    # All logits lie between 0 and 1, so that all probabilities are above ½: taken for probabilities
    # themselves, half of them would be below.
    logits = torch.tensor([[0.9, 0.1, 0.2], [0.1, 0.2, 0.9]])
    labels = torch.tensor([[1, 0, 1], [1, 0, 0]])
    model = EachClass(
        Fixed(), LossOptions(), OptimizerOptions(), 1, torch.ones(2, 3), seed=0, log_every=1
    )
    with torch.no_grad():
        model.validation_step((logits, logits, labels.float(), labels, torch.ones(2)), 0)
    found = {name: float(metric.compute()) for name, metric in model.measures.items()}
    # 3 hits, 6 predictions, 3 cases: F1 = 2 × 3 / (6 + 3). Ranks of the first text's classes 1 and 2: its
    # precision is 1 at both; the second's class is the last of three: (1 + 1/3) / 2.
    assert found == {
        "val_f1_micro": pytest.approx(2 / 3),
        "val_label_ranking_average_precision": pytest.approx(2 / 3),
    }
    assert set(found) == set(VALIDATION["multilabel"])


@BOTH
def test_what_is_measured_is_what_may_be_monitored(kind: type[Classifier]):
    measured = set(kind.validation_measures(3)) - {"confusion"}
    assert measured == set(VALIDATION[kind.task])


def test_auto_is_the_first_measure_of_the_task_and_others_must_be_its_own():
    firsts = {task: monitored("auto", task) for task in VALIDATION}
    assert firsts == {
        "classification": "val_cohen_kappa",
        "pairs": "val_cohen_kappa",
        "multilabel": "val_f1_micro",
        "generation": "val_token_accuracy",
    }
    assert {monitored("val_loss", task) for task in VALIDATION} == {"val_loss"}
    said = (
        r"'val_cohen_kappa'; the task multilabel has auto, val_loss, val_f1_micro, .*test measure"
    )
    with pytest.raises(JobshiftError, match=said):
        monitored("val_cohen_kappa", "multilabel")


@pytest.mark.parametrize(
    ("kind", "weights", "guessing"),
    [
        # One of four classes; the weights are at most 3.
        (Classifier, [1.0, 1.0, 3.0, 1.0], 3 * math.log(4)),
        # Yes or no.
        (EachClass, [[1.0, 1.0], [1.0, 3.0]], 3 * math.log(2)),
    ],
)
def test_guessing_by_hand(kind: type[Classifier], weights: list, guessing: float):
    assert classifier(weights, kind=kind).guessing() == pytest.approx(guessing)


def test_probabilities_of_several_classes_are_each_by_itself():
    values = torch.tensor([[math.log(3), 0.0], [0.0, -math.log(3)]])

    class Logits:
        lengths = np.array([1, 1])

        def padded(self, rows):
            return values[rows], torch.ones(len(rows), 1)

    found = predict(Fixed(), Logits(), np.array([1, 0]), kind=EachClass)
    assert found == pytest.approx(np.array([[0.5, 0.25], [0.75, 0.5]]))


# The penalty on logits


@BOTH
def test_the_penalty_on_logits_by_hand_and_in_training_alone(kind: type[Classifier]):
    logits = torch.tensor([[1.0, -3.0], [2.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 1]) if kind is Classifier else targets.long()
    batch = (logits, logits, targets, labels, torch.tensor([1.0, 3.0]))
    losses, validated = [], []
    for factor in (0.0, 0.1):
        weights = kind.weigh(targets.numpy(), "none")
        model = kind(
            Fixed(),
            LossOptions(logit_l2=factor),
            OptimizerOptions(),
            1,
            torch.from_numpy(weights),
            seed=0,
            log_every=1,
        )
        losses.append(model.training_step(batch, 0).item())
        with torch.no_grad():
            model.validation_step(batch, 0)
        validated.append(model.val_loss[0][0])
    # Mean squared logits (1 + 9) / 2 = 5 and (4 + 0) / 2 = 2, with text weights 1 and 3: 11 / 4.
    assert losses[1] - losses[0] == pytest.approx(0.1 * 11 / 4, abs=1e-6)
    assert validated[1] == validated[0] == pytest.approx(losses[0])


# A whole training


def labelled(kind: type[Classifier]) -> tuple[Lstm, Labelled]:
    """Texts of one or two tokens; token 1 means the first class and token 2 the second."""
    torch.manual_seed(0)
    network = Lstm(LstmOptions(8, 6, dropout=0.1), vocabulary=4, padding=0, classes=2)
    texts = [[1], [2], [1, 2], [2, 1], [1, 1], [2, 2], [3], [3, 3]]
    fitting = {Classifier: [1], SeveralClasses: [1, 2], EachClass: [0, 1, 2]}[kind]
    texts = [text for text in texts if len({*text} & {1, 2}) in fitting]
    offsets = np.cumsum([0, *map(len, texts)])
    tokens = Tokens(np.concatenate(texts).astype(np.int32), offsets, 4, 0)
    has = np.array([[token in text for token in (1, 2)] for text in texts])
    labels = has.argmax(axis=1) if kind is Classifier else has.astype(np.int64)
    targets = has.astype(np.float32)
    if kind is SeveralClasses:
        targets /= targets.sum(axis=1, keepdims=True)
    weights = np.ones(len(texts), dtype=np.float32)
    return network, Labelled(tokens, np.arange(len(texts)), targets, labels, weights)


@BOTH
def test_a_network_learns_which_classes_apply(kind: type[Classifier], tmp_path: Path):
    network, part = labelled(kind)
    # Of two classes with a half each, no more than one is above 0.5, so micro-F1 at 0.5 is not for choosing.
    monitor = "val_loss" if kind is SeveralClasses else "auto"
    training = TrainingOptions(epochs=40, patience=40, batch_size=4, log_every=1, monitor=monitor)
    history, confusion = fit(
        network,
        part,
        part,
        LossOptions(),
        OptimizerOptions(lr=3e-2, weight_decay=0.0),
        training,
        0,
        tmp_path,
        None,
        kind=kind,
    )
    own = {
        Classifier: ["val_accuracy", "val_cohen_kappa"],
    }.get(kind, ["val_f1_micro", "val_label_ranking_average_precision"])
    before = ["epoch", "step", "lr", "train_loss", "gradient_norm", "val_loss"]
    assert list(history) == [*before, *own]
    assert history[own[-1] if kind is SeveralClasses else own[0]].max() == 1.0
    found = predict(network, part.inputs, part.rows, kind=kind)
    border = 0.25 if kind is SeveralClasses else 0.5
    assert ((found > border) == (part.targets > 0)).all()
    # Two texts of token 1 alone and two of token 2; none is taken for the other.
    assert confusion == ([[2, 0], [0, 2]] if kind is Classifier else [])


def test_a_measure_of_another_task_is_refused(tmp_path: Path):
    network, part = labelled(EachClass)
    training = TrainingOptions(monitor="val_accuracy")
    recipe = (LossOptions(), OptimizerOptions(), training, 0, tmp_path, None)
    with pytest.raises(JobshiftError, match=r"training\.monitor is 'val_accuracy'"):
        fit(network, part, part, *recipe, kind=EachClass)
