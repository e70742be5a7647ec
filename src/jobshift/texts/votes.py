"""Labels from votes: several raters rate several activities of one task; the task gets their shares.

The majority class is the hard label. Tie rule: the least exposed (least automated) of the tied
classes, so that a tie never makes a task count as exposed.
"""

import numpy as np
import pandas as pd


def vote_shares(votes: pd.DataFrame, item: str, column: str, classes: list[str]) -> pd.DataFrame:
    """Share of the votes for each class.

    `votes` has one row a vote with the columns `item` and `column`; `classes` are the possible votes in
    ordinal order, least first. Returns one row an item (index `item`, sorted), one column `p_<class>` a
    class; rows sum to 1. Raises ValueError for a vote that is not among the classes.
    """
    unknown = sorted(set(votes[column]) - set(classes))
    if unknown:
        raise ValueError(f"{column} has the value {unknown[0]!r}; the classes are {classes}")
    counts = pd.crosstab(votes[item], votes[column]).reindex(columns=classes, fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0)
    return shares.set_axis([f"p_{name}" for name in classes], axis=1)


def majority(shares: pd.DataFrame) -> pd.Series:
    """The class with the largest share, the first (least) of the columns on a tie.

    `shares` as `vote_shares` returns them; shares within 1e-9 of the largest are tied.
    """
    values = shares.to_numpy()
    first = np.argmax(values >= values.max(axis=1, keepdims=True) - 1e-9, axis=1)
    classes = [name.removeprefix("p_") for name in shares.columns]
    return pd.Series(np.array(classes, dtype=object)[first], index=shares.index, dtype="str")


def tied(shares: pd.DataFrame) -> pd.Series:
    """True where two or more classes have the largest share."""
    values = shares.to_numpy()
    best = values >= values.max(axis=1, keepdims=True) - 1e-9
    return pd.Series(best.sum(axis=1) > 1, index=shares.index)
