"""The recipe's parts by hand: loss, class weights, parameter groups, schedule, predictions."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from jobshift.errors import JobshiftError
from jobshift.models.lstm import Lstm
from jobshift.models.options import LossOptions, LstmOptions, OptimizerOptions, StudentOptions
from jobshift.models.training import Classifier, balanced, distillation, predict, weighted_mean
from jobshift.texts.batches import Tokens


def classifier(weights=(1.0, 1.0), smoothing=0.0, steps=100, **optimizer) -> Classifier:
    network = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2), nn.LayerNorm(2))
    return Classifier(
        network,
        LossOptions(label_smoothing=smoothing),
        OptimizerOptions(**optimizer),
        steps,
        torch.tensor(weights),
        seed=0,
        log_every=10,
    )


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
