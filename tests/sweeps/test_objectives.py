"""What a sweep may aim at depends on the task, and a model without epochs is judged by what it predicts."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from jobshift.errors import JobshiftError
from jobshift.sweeps.trials import measured


def config(task: str, classes: list[str]) -> SimpleNamespace:
    return SimpleNamespace(
        data=SimpleNamespace(name="d", task=task, classes=classes),
        loss=SimpleNamespace(targets="soft"),
        model=SimpleNamespace(name="m"),
    )


SEVERAL = config("multilabel", ["a", "b"])
SHARES = pd.DataFrame({"p_a": [0.75, 0.5, 0.25], "p_b": [0.25, 0.75, 0.5], "predicted": ""})
LABELLED = pd.DataFrame(
    {
        "label": ["a", "a", ""],
        "p_a": [1.0, 1.0, 0.0],
        "p_b": 0.0,
        "weight": [1.0, 1.0, 2.0],
    }
)


def test_several_classes_by_hand():
    # 0.5 is not above 0.5: predicted are a, b and nothing. 1 hit, 2 predictions, 2 cases: 2 / 4.
    assert measured(SEVERAL, "val_f1_micro", SHARES, LABELLED) == pytest.approx(0.5)
    # The second text's class is ranked second, and the third has nothing to rank.
    ranked = measured(SEVERAL, "val_label_ranking_average_precision", SHARES, LABELLED)
    assert ranked == pytest.approx((1 + 1 / 2 + 1) / 3)
    # −(ln ¾ + ln ¾) / 2, −(ln ½ + ln ¼) / 2 and twice −(ln ¾ + ln ½) / 2, over a weight of 4.
    logs = [2 * math.log(0.75), math.log(0.5) + math.log(0.25), math.log(0.75) + math.log(0.5)]
    by_hand = -(logs[0] + logs[1] + 2 * logs[2]) / 2 / 4
    assert measured(SEVERAL, "val_loss", SHARES, LABELLED) == pytest.approx(by_hand)


def test_one_class_by_hand():
    one = config("pairs", ["a", "b"])
    rows = pd.DataFrame({"p_a": [0.75, 0.25], "p_b": [0.25, 0.75], "predicted": ["a", "b"]})
    labelled = LABELLED.iloc[:2]
    assert measured(one, "val_accuracy", rows, labelled) == 0.5
    expected = -(math.log(0.75) + math.log(0.25)) / 2
    assert measured(one, "val_loss", rows, labelled) == pytest.approx(expected)


def test_written_texts_have_no_loss():
    rows = pd.DataFrame({"output": ["Mend pumps", "Read"]})
    labelled = pd.DataFrame({"target": ["Mend pumps", "Write"]})
    writes = config("generation", [])
    assert measured(writes, "val_exact_match", rows, labelled) == np.float64(0.5)
    with pytest.raises(JobshiftError, match=r"m has no val_loss.*val_exact_match"):
        measured(writes, "val_loss", rows, labelled)
