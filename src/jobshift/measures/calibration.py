"""Calibration: whether a model's probabilities mean what they say.

All measures are means over tasks (or ratios of sums over tasks), so a resample needs only sums.
Confidence is the probability that the model gives to the class that it predicts.

- Expected calibration error: bins of equal width (0, 1/B], …, (1 − 1/B, 1] over the confidence;
  Σ_b n_b/n |accuracy_b − confidence_b|. Naeini et al. (2015), AAAI; Guo et al. (2017), ICML.
- Brier score: squared distance to the one-hot label summed over the classes, from 0 to 2. Brier
  (1950). (scikit-learn's `scale_by_half=False`; half of it for two classes is its older form.)
- Log loss: −ln of the probability of the true class, clipped at 1e-15 so that one certain error
  does not make the mean infinite.
"""

import numpy as np

CLIP = 1e-15


def brier_score(probabilities: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Multi-class Brier score of each task, [n], of `probabilities` [n × classes]."""
    truth = np.eye(probabilities.shape[1])[reference]
    return ((probabilities - truth) ** 2).sum(axis=1)


def log_loss(probabilities: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Log loss of each task in nats, [n], of `probabilities` [n × classes]."""
    return -np.log(np.clip(probabilities[np.arange(len(reference)), reference], CLIP, 1.0))


def bin_of(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Number of the bin, from 0, of each confidence in [0, 1]; a bin includes its upper edge."""
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def bin_columns(confidence: np.ndarray, right: np.ndarray, bins: int) -> np.ndarray:
    """What each task adds to the sums of the bins, [n × 3·bins]: count, confidence and hits."""
    member = np.eye(bins)[bin_of(confidence, bins)]
    return np.hstack([member, member * confidence[:, None], member * right[:, None]])


def expected_calibration_error(bin_sums: np.ndarray) -> np.ndarray:
    """Expected calibration error from sums of `bin_columns`, [… × 3·bins]; NaN without tasks."""
    count, confidence, hits = np.split(bin_sums, 3, axis=-1)
    gaps, total = np.abs(hits - confidence).sum(axis=-1), count.sum(axis=-1)
    return np.divide(gaps, total, out=np.full(gaps.shape, np.nan), where=total != 0)


def reliability_diagram(bin_sums: np.ndarray) -> list[tuple[int, float, float, int]]:
    """(bin from 1, mean confidence, accuracy, tasks) of bins with tasks, from sums [3·bins]."""
    return [
        (number, confidence / count, hits / count, int(count))
        for number, (count, confidence, hits) in enumerate(
            zip(*np.split(bin_sums, 3), strict=True), start=1
        )
        if count > 0
    ]
