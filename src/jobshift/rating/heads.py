"""What is read off an exported model's outputs: probabilities, automation, distance and nearest tasks.

Arithmetic on arrays alone, so that whoever has the folder of an export needs numpy and nothing else.
"""

from dataclasses import dataclass

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities [texts, classes], float64, of `logits` [texts, classes] / `temperature`.

    Guo et al. (2017), ICML: one temperature for all classes, which changes no prediction.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def normalised(embedding: np.ndarray) -> np.ndarray:
    """`embedding` [texts, width] as float32 with rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(embedding, axis=1, keepdims=True)
    return (embedding / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def whitening(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [width] and map [width, width], float32, that spread `embedding` [texts, width] in all directions.

    A classifier's embeddings lie along the few directions that part its classes, so that all texts of a
    class look alike. The map is (covariance + its mean eigenvalue)^-½: directions in which texts vary more
    than on average count alike, the others less. Used as Lee et al. (2018), NeurIPS, use the covariance.
    """
    values = np.asarray(embedding, dtype=np.float64)
    mean = values.mean(axis=0)
    variance, directions = np.linalg.eigh((values - mean).T @ (values - mean) / len(values))
    scale = 1 / np.sqrt(np.maximum(variance, 0) + max(variance.mean(), 1e-12))
    return mean.astype(np.float32), ((directions * scale) @ directions.T).astype(np.float32)


@dataclass(frozen=True)
class Heads:
    """The automation head, and the training texts as embeddings."""

    train: np.ndarray  # float32 [training texts, width], mapped, rows of length 1
    neighbours: int  # how many of them the distance is the mean over
    weight: np.ndarray | None = None  # float32 [automation classes, width]
    bias: np.ndarray | None = None  # float32 [automation classes]
    mean: np.ndarray | float = (
        0.0  # as `whitening` gives it, with `map`; without both, nothing is mapped
    )
    map: np.ndarray | None = None

    def mapped(self, embedding: np.ndarray) -> np.ndarray:
        """`embedding` [texts, width] as the rows of `train` are."""
        centred = embedding - self.mean
        return normalised(centred if self.map is None else centred @ self.map)

    def automation_probabilities(self, embedding: np.ndarray) -> np.ndarray:
        """Probabilities [texts, T0 … T4] of `embedding` [texts, width]; no columns without such a head."""
        if self.weight is None:
            return np.empty((len(embedding), 0))
        return softmax(embedding @ self.weight.T + self.bias)

    def distance(self, embedding: np.ndarray) -> np.ndarray:
        """1 − mean cosine to the nearest training texts, [texts], float32, of `embedding` [texts, width]."""
        cosine = self.mapped(embedding) @ self.train.T
        nearest = np.partition(cosine, -self.neighbours, axis=1)[:, -self.neighbours :]
        # Sorted, so that the sum does not depend on how the partition left them.
        return 1 - np.sort(nearest, axis=1).mean(axis=1)

    def nearest(self, embedding: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `train` [texts, count], nearest first, and their cosine; equal ones in their order.

        `count` is cut to the number of training texts.
        """
        cosine = self.mapped(embedding) @ self.train.T
        rows = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
        return rows, np.take_along_axis(cosine, rows, axis=1)
