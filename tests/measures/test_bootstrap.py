"""The cluster bootstrap: draws of groups, and each measure against that of the drawn rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from jobshift.measures import bootstrap
from jobshift.measures.exposure import EXPOSURE

CLASSES = list(EXPOSURE)


def sample(n: int, groups: int, occupations: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Made-up held-out tasks and probabilities that know a little about the labels."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(3, size=n)
    tasks = pd.DataFrame(
        {
            "label": [CLASSES[number] for number in numbers],
            "group": [f"g{number}" for number in rng.integers(groups, size=n)],
            "occupation": [f"o{number}" for number in rng.integers(occupations, size=n)],
            "weight": rng.choice([1.0, 2.0], size=n),
            "fold": 0,
        }
    )
    p = rng.dirichlet([0.5, 0.5, 0.5], size=n) * 0.7 + 0.3 * np.eye(3)[numbers]
    return tasks, p


def measures_of_rows(tasks: pd.DataFrame, p: np.ndarray, kept: list[str]) -> dict[str, float]:
    """The measures of plain rows by scikit-learn, SciPy and pandas; a second opinion."""
    truth, guess = tasks["label"].map(CLASSES.index).to_numpy(), p.argmax(axis=1)
    values = {
        "accuracy": sklearn.metrics.accuracy_score(truth, guess),
        "f1_macro": sklearn.metrics.f1_score(truth, guess, average="macro"),
        "cohen_kappa": sklearn.metrics.cohen_kappa_score(truth, guess, labels=[0, 1, 2]),
        "cohen_kappa_quadratic": sklearn.metrics.cohen_kappa_score(
            truth, guess, labels=[0, 1, 2], weights="quadratic"
        ),
        "brier_score": ((p - np.eye(3)[truth]) ** 2).sum(axis=1).mean(),
        "log_loss": sklearn.metrics.log_loss(truth, p, labels=[0, 1, 2]),
        "task_beta_pearson": scipy.stats.pearsonr(truth / 2, p @ [0, 0.5, 1]).statistic,
    }
    each = sklearn.metrics.precision_recall_fscore_support(
        truth, guess, labels=[0, 1, 2], zero_division=np.nan
    )
    for name, numbers in zip(("precision", "recall", "f1"), each[:3], strict=True):
        values |= {
            f"{name}_{label}": number for label, number in zip(CLASSES, numbers, strict=True)
        }
    confidence, right = p.max(axis=1), guess == truth
    bins = pd.cut(confidence, np.linspace(0, 1, 16))
    gaps = pd.DataFrame({"gap": right - confidence}).groupby(bins, observed=True)["gap"]
    values["expected_calibration_error"] = gaps.sum().abs().sum() / len(p)
    exposure = {
        "alpha": (truth == 2, p[:, 2]),
        "beta": (truth / 2, p @ [0, 0.5, 1]),
        "zeta": (truth > 0, p[:, 1] + p[:, 2]),
    }
    for name, columns in exposure.items():
        frame = pd.DataFrame(dict(zip("xy", columns, strict=True))).mul(
            tasks["weight"].to_numpy(), axis=0
        )
        frame["weight"] = tasks["weight"].to_numpy()
        sums = frame.groupby(tasks["occupation"].to_numpy()).sum()
        sums = sums[sums.index.isin(kept)]
        x, y = sums["x"] / sums["weight"], sums["y"] / sums["weight"]
        values[f"occupation_{name}_pearson"] = scipy.stats.pearsonr(x, y).statistic
        # Ties of weighted means must not depend on the order of summing.
        values[f"occupation_{name}_spearman"] = scipy.stats.spearmanr(x.round(9), y).statistic
        if name == "beta":
            values["occupation_beta_mae"] = (x - y).abs().mean()
    return values


@pytest.mark.parametrize("seed", range(3))
def test_every_draw_is_the_measure_of_the_drawn_rows(seed):
    tasks, p = sample(n=150, groups=40, occupations=12, seed=seed)
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=4, seed=seed, min_tasks=5)
    sizes = tasks["occupation"].value_counts()
    kept = sorted(sizes.index[sizes >= 5])
    assert list(held_out.occupations) == kept
    measured = bootstrap.measure(held_out, p.argmax(axis=1), p, bins=15)
    assert list(measured) == bootstrap.metric_names(CLASSES)
    for draw in range(5):
        times = held_out.weights[held_out.group, draw].astype(int)
        rows = np.repeat(np.arange(len(tasks)), times)
        expected = measures_of_rows(tasks.iloc[rows], p[rows], kept)
        assert set(expected) == set(measured)
        for metric, values in measured.items():
            assert values[draw] == pytest.approx(expected[metric], abs=1e-9), (metric, draw)


def test_by_hand():
    # Two occupations of two tasks, each task its own group. β of the labels: 1, 0 | ½, 0.
    tasks = pd.DataFrame(
        {
            "label": ["E1", "E0", "E2", "E0"],
            "group": ["a", "b", "c", "d"],
            "occupation": ["x", "x", "y", "y"],
            "weight": [2.0, 1.0, 1.0, 1.0],
            "fold": 0,
        }
    )
    p = np.array([[0.0, 0.2, 0.8], [1.0, 0.0, 0.0], [0.6, 0.4, 0.0], [0.7, 0.0, 0.3]])
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=1, seed=0, min_tasks=2)
    measured = bootstrap.measure(held_out, p.argmax(axis=1), p, bins=15)
    plain = {metric: values[0] for metric, values in measured.items()}
    # E2 is taken for E0: 3 of 4 right; chance (2·3 + 1·0 + 1·1)/16 = 7/16; κ = (12 − 7) / (16 − 7).
    assert plain["accuracy"] == pytest.approx(3 / 4)
    assert plain["cohen_kappa"] == pytest.approx(5 / 9)
    assert np.isnan(plain["precision_E2"])
    assert plain["f1_E2"] == 0
    # Model's β: .9, 0, .2, .3. Occupation x, weights 2 and 1: reference 2/3, model .6.
    # Occupation y: reference .25, model .25. Mean error (.0667 + 0) / 2; two points always
    # correlate perfectly.
    assert plain["occupation_beta_mae"] == pytest.approx((2 / 3 - 0.6) / 2)
    assert plain["occupation_beta_pearson"] == pytest.approx(1)
    # Squares: .04 + .04; 0; .36 + .36; .09 + .09; over 4.
    assert plain["brier_score"] == pytest.approx((0.08 + 0.72 + 0.18) / 4)
    # Each of the four confidences has a bin of its own; only the third prediction is wrong:
    # |1 − .8| + |1 − 1| + |0 − .6| + |1 − .7| = 1.1, over 4.
    assert plain["expected_calibration_error"] == pytest.approx(1.1 / 4)


def test_majority_baseline_has_no_correlation():
    tasks, _ = sample(n=60, groups=20, occupations=6, seed=0)
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=20, seed=0, min_tasks=1)
    p = np.tile([0.55, 0.3, 0.15], (60, 1))
    measured = bootstrap.measure(held_out, p.argmax(axis=1), p, bins=15)
    for metric, values in measured.items():
        undefined = metric.endswith(("pearson", "spearman")) or metric.startswith("precision_E")
        if undefined and metric != "precision_E0":
            assert np.isnan(values).all(), metric
        else:
            assert np.isfinite(values).all(), metric
    np.testing.assert_allclose(measured["cohen_kappa"], 0, atol=1e-12)


def test_a_constant_of_each_fold_has_no_correlation():
    # Leaving out a fold with many exposed tasks leaves a smaller share of them to learn from.
    tasks, _ = sample(n=60, groups=20, occupations=6, seed=0)
    tasks["fold"] = np.arange(60) // 30
    p = np.where(tasks[["fold"]] == 0, [0.5, 0.3, 0.2], [0.6, 0.3, 0.1])
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=5, seed=0, min_tasks=1)
    measured = bootstrap.measure(held_out, p.argmax(axis=1), p, bins=15)
    for metric in ("task_beta_pearson", "occupation_alpha_pearson", "occupation_beta_spearman"):
        assert np.isnan(measured[metric]).all()
    assert np.isfinite(measured["occupation_beta_mae"]).all()
    # One task of one fold differs in β, but not in α.
    p[7] = [0.4, 0.4, 0.2]
    measured = bootstrap.measure(held_out, p.argmax(axis=1), p, bins=15)
    assert np.isfinite(measured["occupation_beta_pearson"][0])
    assert np.isnan(measured["occupation_alpha_pearson"][0])


def test_occupations_are_few_or_missing():
    tasks, p = sample(n=40, groups=10, occupations=4, seed=1)
    for change in ({"occupation": None}, {"occupation": [f"o{row}" for row in range(40)]}):
        held_out = bootstrap.HeldOut(tasks.assign(**change), EXPOSURE, 5, 0, min_tasks=2)
        measured = bootstrap.measure(held_out, p.argmax(axis=1), p, bins=15)
        assert np.isnan(measured["occupation_beta_pearson"]).all()
        assert np.isnan(measured["occupation_beta_mae"]).all()
        assert np.isfinite(measured["task_beta_pearson"]).all()


def test_groups_are_drawn_and_not_rows():
    # 50 tasks all right in one group, 50 all wrong in the other: a draw of two groups has an
    # accuracy of 0, ½ or 1, with probabilities ¼, ½, ¼. Drawn rows would stay near 0.4 to 0.6.
    tasks = pd.DataFrame(
        {"label": ["E0"] * 50 + ["E1"] * 50, "group": ["a"] * 50 + ["b"] * 50, "weight": 1.0}
    ).assign(occupation=None, fold=0)
    p = np.tile([1.0, 0.0, 0.0], (100, 1))
    by_group = bootstrap.HeldOut(tasks, EXPOSURE, draws=400, seed=0, min_tasks=5)
    accuracy = bootstrap.measure(by_group, p.argmax(axis=1), p, 15)["accuracy"]
    assert set(accuracy) == {0.0, 0.5, 1.0}
    assert bootstrap.summary(accuracy, (0, 1))[1:3] == pytest.approx((0, 1), abs=0.05)
    rows = tasks.assign(group=[f"{row:03}" for row in range(100)])
    by_row = bootstrap.HeldOut(rows, EXPOSURE, draws=400, seed=0, min_tasks=5)
    low, high = bootstrap.summary(bootstrap.measure(by_row, p.argmax(axis=1), p, 15)["accuracy"])[
        1:3
    ]
    assert 0.35 < low < 0.45
    assert 0.55 < high < 0.65


def test_the_same_in_every_group_has_no_interval():
    # Each group has one task right and one wrong.
    tasks = pd.DataFrame({"label": ["E0", "E1"] * 10, "group": np.repeat(list("abcdefghij"), 2)})
    tasks = tasks.assign(occupation=None, weight=1.0, fold=0)
    p = np.tile([1.0, 0.0, 0.0], (20, 1))
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=50, seed=0, min_tasks=5)
    accuracy = bootstrap.measure(held_out, p.argmax(axis=1), p, 15)["accuracy"]
    assert bootstrap.summary(accuracy) == (0.5, 0.5, 0.5, 50)


@given(st.integers(1, 50), st.integers(0, 20), st.integers(0, 2**31))
@settings(max_examples=30)
def test_draws(groups, draws, seed):
    weights = bootstrap.resample(groups, draws, seed)
    assert weights.shape == (groups, 1 + draws)
    assert (weights[:, 0] == 1).all()
    assert (weights >= 0).all()
    assert (weights.sum(axis=0) == groups).all()
    np.testing.assert_array_equal(weights, bootstrap.resample(groups, draws, seed))


def test_draws_do_not_depend_on_the_order_of_tasks():
    tasks, p = sample(n=80, groups=25, occupations=5, seed=2)
    order = np.random.default_rng(3).permutation(80)
    results = []
    for rows in (np.arange(80), order):
        held_out = bootstrap.HeldOut(tasks.iloc[rows], EXPOSURE, draws=6, seed=0, min_tasks=5)
        results.append(bootstrap.measure(held_out, p[rows].argmax(axis=1), p[rows], 15))
    for metric, values in results[0].items():
        np.testing.assert_allclose(results[1][metric], values, atol=1e-12, err_msg=metric)


def test_summary_by_hand():
    # The draws 0 … 40 have the mean 20; the plain value is 21: moved by 1. The quantiles at
    # 0.025 · 40 = 1 and 39 are 2 and 40. One draw is not defined.
    draws = np.array([21.0, *range(41), np.nan])
    assert bootstrap.summary(draws) == (21.0, 2.0, 40.0, 41)
    assert bootstrap.summary(draws, (5, 30)) == (21.0, 5.0, 30.0, 41)


def test_summary_of_the_undefined():
    undefined = np.array([np.nan, 0.3, 0.4])
    assert np.isnan(bootstrap.summary(undefined)[:3]).all()
    assert bootstrap.summary(undefined)[3] == 2
    never = np.array([0.3, np.nan, np.nan])
    assert bootstrap.summary(never)[0] == 0.3
    assert np.isnan(bootstrap.summary(never)[1])
    assert str(bootstrap.summary(np.array([-1e-17, -1e-17, -1e-17]))[0]) == "0.0"


def test_interval_of_a_noisy_occupation_measure_holds_its_value():
    # Occupations of five tasks, each its own group: unmoved, the error in draws is larger than in
    # the sample in nearly every draw.
    tasks, p = sample(n=300, groups=300, occupations=60, seed=4)
    tasks["group"] = [f"{row:03}" for row in range(300)]
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=200, seed=0, min_tasks=1)
    draws = bootstrap.measure(held_out, p.argmax(axis=1), p, 15)["occupation_beta_mae"]
    assert np.quantile(draws[1:], 0.025) > draws[0]
    value, low, high, _ = bootstrap.summary(draws)
    assert low < value < high


def test_bounds_hold_every_measure():
    tasks, p = sample(n=60, groups=20, occupations=6, seed=5)
    held_out = bootstrap.HeldOut(tasks, EXPOSURE, draws=50, seed=0, min_tasks=2)
    for guess in (p, 1 - p):  # Good and bad guesses; the second need no sum of 1 here.
        for metric, draws in bootstrap.measure(held_out, guess.argmax(axis=1), guess, 15).items():
            low, high = bootstrap.bounds(metric)
            defined = draws[np.isfinite(draws)]
            assert ((defined >= low) & (defined <= high)).all(), metric


def test_bounds_of_other_kinds_of_tasks():
    assert bootstrap.bounds("bleu") == bootstrap.bounds("chrf") == (0, 100)
    assert bootstrap.bounds("cosine") == (-1, 1)
    assert bootstrap.bounds("roc_auc") == bootstrap.bounds("f1_4.A.1.a.1") == (0, 1)


def test_p_value_by_hand():
    # Plain 1, draws with the mean 1: 1 of 4 is ≤ 0 and all are ≥ 0. 2 (1 + 1) / (4 + 1).
    assert bootstrap.p_value(np.array([1.0, 2.0, 1.0, 1.0, 0.0])) == pytest.approx(0.8)
    # The draws have the mean 3 and are moved by −2 to −1, 1, 3: 1 of 3 is below. 2 · 2 / 4.
    assert bootstrap.p_value(np.array([1.0, 1.0, 3.0, 5.0])) == pytest.approx(1.0)
    # None is on the other side: 2 / (draws + 1), never 0; the same for the opposite sign.
    clear = np.array([5.0] + [4.0, 6.0] * 20)
    assert bootstrap.p_value(clear) == bootstrap.p_value(-clear) == pytest.approx(2 / 41)
    # Equal models: all differences are 0 and p is 1.
    assert bootstrap.p_value(np.zeros(11)) == 1
    assert np.isnan(bootstrap.p_value(np.full(5, np.nan)))


@given(st.integers(0, 10_000), st.floats(-3, 3))
@settings(max_examples=50)
def test_p_value_goes_with_the_interval(seed, shift):
    draws = np.concatenate([[shift], np.random.default_rng(seed).normal(size=999)])
    _, low, high, _ = bootstrap.summary(draws)
    p = bootstrap.p_value(draws)
    if p < 0.045:
        assert low > 0 or high < 0
    if p > 0.055:
        assert low <= 0 <= high


def test_holm_by_hand():
    # Sorted .01, .03, .04: .01 · 3 = .03; .03 · 2 = .06; .04 · 1 = .04, raised to the one before.
    corrected = bootstrap.holm(np.array([0.04, 0.01, np.nan, 0.03]))
    np.testing.assert_allclose(corrected, [0.06, 0.03, np.nan, 0.06])
    np.testing.assert_allclose(bootstrap.holm(np.array([0.5, 0.9])), [1.0, 1.0])


def test_compare():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=201) * 0.1
    noise[0] = noise[1:].mean()
    undefined = np.full(201, np.nan)
    models = {"a": 0.5 + noise, "b": 0.3 + noise, "c": undefined, "d": 0.5 + noise[::-1]}
    table = bootstrap.compare(models).set_index(["model_a", "model_b"])
    assert list(table.index) == [*[("a", b) for b in "bcd"], ("b", "c"), ("b", "d"), ("c", "d")]
    # Paired: the noise that a and b share cancels.
    first = table.loc[("a", "b")]
    assert first[["difference", "low", "high"]].tolist() == pytest.approx([0.2, 0.2, 0.2])
    assert first["p"] == pytest.approx(2 / 201)
    # Three of the six pairs are tests: a–b, a–d and b–d.
    assert first["p_holm"] == pytest.approx(3 * 2 / 201)
    assert table["p_holm"].notna().sum() == 3
    assert table.loc[("a", "c"), ["difference", "low", "p", "p_holm"]].isna().all()


def test_compare_one_model():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bootstrap.compare({"a": np.zeros(5)}).empty


def test_labels_without_scores_have_the_same_nominal_measures_and_no_others():
    tasks, p = sample(120, 15, 6, seed=3)
    scored = bootstrap.HeldOut(tasks, EXPOSURE, draws=20, seed=0, min_tasks=2)
    plain = bootstrap.HeldOut(tasks, CLASSES, draws=20, seed=0, min_tasks=2)
    assert scored.occupations and not plain.occupations
    said = p.argmax(axis=1), p, 15
    of_scored, of_plain = (bootstrap.measure(each, *said) for each in (scored, plain))
    assert list(of_scored) == bootstrap.metric_names(CLASSES)
    assert list(of_plain) == bootstrap.metric_names(CLASSES, exposure=False)
    assert set(of_plain) - set(of_scored) == {"balanced_accuracy"}
    for metric in set(of_plain) & set(of_scored):
        assert np.array_equal(of_plain[metric], of_scored[metric], equal_nan=True)
    truth = tasks["label"].map(CLASSES.index)
    expected = sklearn.metrics.balanced_accuracy_score(truth, p.argmax(axis=1))
    assert of_plain["balanced_accuracy"][0] == pytest.approx(expected)
    labels = bootstrap.measure_labels(plain, p.argmax(axis=1))
    assert np.isnan(labels["log_loss"]).all()
    assert np.array_equal(labels["accuracy"], of_plain["accuracy"])
