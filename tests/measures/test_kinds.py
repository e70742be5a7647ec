"""What every kind of task must have; the measures themselves are tested where they are made."""

import numpy as np
import pandas as pd
import pytest

from jobshift import config
from jobshift.measures import bootstrap, kinds

SCALE = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
EACH = {
    "exposure": kinds.Classification(SCALE),
    "classification": kinds.Classification(["a", "b", "c"]),
    "pairs": kinds.Pairs(["other", "same"]),
    "multilabel": kinds.Multilabel(["4.A.1.a.1", "4.A.1.a.2", "4.A.2.b.1"]),
    "generation": kinds.Generation(["Sort piles"]),
}


def test_there_is_a_kind_for_every_task():
    assert tuple(kinds.KINDS) == config.TASK_KINDS


@pytest.mark.parametrize("name", EACH)
def test_the_first_measure_and_the_main_ones_exist(name):
    kind = EACH[name]
    measures = kind.measures()
    assert len(set(measures)) == len(measures)
    assert kind.main[0] == kind.first
    assert [m for m in kind.main if m not in measures] == (
        ["occupation_beta_pearson"] if name == "classification" else []
    )


def test_every_measure_stands_in_the_order_that_is_told_and_within_its_bounds():
    rng = np.random.default_rng(0)
    n = 30
    rows = pd.DataFrame({"group": rng.integers(6, size=n), "fold": 0, "occupation": "o"})
    rows["weight"] = 1.0
    for name, kind in EACH.items():
        own = rows.assign(target="Sort piles", all_targets="Sort piles\nSort heaps")
        if name == "generation":
            said = rng.choice(["Sort piles", "Sort heaps", "Sort"], size=n)
            said = pd.DataFrame({"output": said, "cosine": rng.uniform(-1, 1, size=n)})
        else:
            size = len(kind.classes)
            p = rng.dirichlet(np.ones(size), size=n)
            own["label"] = np.array(kind.classes)[rng.integers(size, size=n)]
            said = pd.DataFrame(p, columns=kinds.shares(kind.classes))
            said["predicted"] = np.array(kind.classes)[p.argmax(axis=1)]
        assert not any(np.any(bad) for bad, _ in kind.wrong_predictions(said))
        held_out = kind.held_out(own, draws=8, seed=0, min_tasks=1)
        answers = kind.answers(said, own)
        assert {len(column) for column in answers} == {n}
        measured = kind.measure(held_out, answers, bins=5)
        assert list(measured) == kind.measures()
        for metric, draws in measured.items():
            low, high = bootstrap.bounds(metric)
            defined = draws[np.isfinite(draws)]
            assert draws.shape == (9,), metric
            assert ((defined >= low) & (defined <= high + 1e-9)).all(), metric
        # All that was said of the first ten rows is as if there were no others.
        few = tuple(column[:10] for column in answers)
        alone = kind.answers(said[:10], own[:10])
        assert all(np.array_equal(a, b) for a, b in zip(few, alone, strict=True))


def test_a_rater_of_pairs_ranks_nothing():
    kind = EACH["pairs"]
    rows = pd.DataFrame({"label": ["same", "other"], "group": ["a", "b"], "fold": 0})
    held_out = kind.held_out(rows.assign(weight=1.0), draws=3, seed=0, min_tasks=1)
    measured = kind.measure_labels(held_out, np.array([1, 0]))
    assert list(measured) == kind.measures()
    assert np.isnan(measured["roc_auc"]).all() and (measured["accuracy"] == 1).all()
