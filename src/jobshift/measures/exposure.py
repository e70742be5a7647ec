"""Exposure of tasks and occupations: α, β and ζ of shares, probabilities or hard labels.

With E0 no exposure, E1 direct exposure and E2 exposure through software (Eloundou et al. 2023,
"GPTs are GPTs", section 3.3): α = P(E1), β = P(E1) + ½ P(E2), ζ = P(E1) + P(E2). All three are
linear in the probabilities, so that the same functions serve vote shares, model probabilities and
weighted means of either, and the exposure of an occupation is the weighted mean over its tasks.

A data set with other classes gives each a score in [0, 1]; then α is the probability of a score of
1, β the expected score and ζ the probability of a score above 0.
"""

from collections.abc import Mapping

import numpy as np

# Class → score, in ordinal order; the classes of automation, none to full.
EXPOSURE = {"E0": 0.0, "E2": 0.5, "E1": 1.0}
AUTOMATION = ("T0", "T1", "T2", "T3", "T4")
MEASURES = ("alpha", "beta", "zeta")


def class_weights(labels: Mapping[str, float] = EXPOSURE) -> np.ndarray:
    """How much each class counts in each measure, [classes × 3]: columns α, β, ζ.

    `labels` maps class to score in [0, 1]. For probabilities p [tasks × classes] in the same order
    of classes, `p @ class_weights(labels)` is [tasks × 3].
    """
    scores = np.array(list(labels.values()), dtype=float)
    return np.column_stack([scores == 1.0, scores, scores > 0.0]).astype(float)
