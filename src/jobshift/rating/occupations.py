"""Ratings added up to occupations, with bootstrap intervals, in one pass over any number of rows.

The bootstrap draws rows with replacement within an occupation. Here each row is instead drawn a
Poisson(1) number of times in each of the draws (Hanley and MacGibbon 2006, Comput. Methods Programs Biomed.
83), which needs no second look at a row, so memory grows with the occupations and not with the rows. The
draws of a row depend on its table's number and its place there alone.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from jobshift.measures.bootstrap import summary

DRAWS = 1000


def occupation_table(
    tables: Iterable[tuple[Sequence[str | None], pa.Table]], measures: Sequence[str], seed: int = 0
) -> dict[str, list]:
    """Means of `measures`, all in [0, 1], over the rated rows of each occupation.

    `tables` are the occupation of each row (null: the row counts nowhere) and the ratings, null where a row
    could not be rated. Returns the columns occupation (sorted), n, and for each measure its mean, `_low` and
    `_high`, the ends of a 95 % interval (the percentiles of the draws, moved so that their mean is the plain
    one, see `measures/bootstrap.py`). An occupation with one row has an interval without width, which tells
    nothing.
    """
    sums: dict[str, np.ndarray] = {}
    for number, (occupations, table) in enumerate(tables):
        columns = [table[name].to_numpy(zero_copy_only=False).astype(float) for name in measures]
        values = np.column_stack([*columns, np.ones(table.num_rows)])
        rated = np.isfinite(values).all(axis=1)
        drawn = np.random.default_rng([seed, number]).poisson(1.0, (table.num_rows, DRAWS))
        weights = np.column_stack([np.ones(table.num_rows), drawn])
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(rated):
            if occupations[row] is not None:
                rows.setdefault(occupations[row], []).append(row)
        for name, own in rows.items():
            before = sums.setdefault(name, np.zeros((len(measures) + 1, 1 + DRAWS)))
            before += values[own].T @ weights[own]
    names = sorted(sums)
    result: dict[str, list] = {"occupation": names, "n": [int(sums[name][-1, 0]) for name in names]}
    for position, measure in enumerate(measures):
        found = [estimate(sums[name][position], sums[name][-1]) for name in names]
        for column, part in enumerate(("", "_low", "_high")):
            result[measure + part] = [each[column] for each in found]
    return result


def estimate(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
    """Mean, low and high of [plain value, draws …]; a draw without a row is left out."""
    means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return summary(means, (0.0, 1.0))[:3]
