"""A page of generated texts, good and bad, in Markdown, to be read and not to be counted.

It quotes the texts that were given to the model, which are not ours, and so is no part of the repository.
"""

import re

import numpy as np
import pandas as pd

SEEN = {True: "Targets seen in training", False: "Targets not seen in training"}
GOOD = {True: "good", False: "bad"}


def page(rows: pd.DataFrame, model: str, n: int, seed: int) -> str:
    """`n` good and `n` bad outputs for seen and for unseen targets each, drawn by `seed`.

    `rows` has the columns text, seen, output, right (a list of texts), good and known (booleans); a text
    that stands in several rows is drawn from once. `model` says whose outputs they are.
    """
    lines = [
        "# Samples",
        "",
        f"Outputs of {model}, for test tasks drawn by the seed {seed}. Good: the output is one of the "
        "titles that are right for the task. Bad: it is none of them.",
    ]
    for seen, targets in SEEN.items():
        for good, verdict in GOOD.items():
            of = rows[(rows["seen"] == seen) & (rows["good"] == good)].drop_duplicates("text")
            drawn = np.random.default_rng(seed).permutation(len(of))[:n]
            lines += ["", f"## {targets}, {verdict}: {len(drawn)} of {len(of):,} texts", ""]
            if not len(of):
                lines.append("None.")
                continue
            lines += ["| task | output | right |", "| --- | --- | --- |"]
            for row in of.iloc[np.sort(drawn)].itertuples():
                output = plain(row.output) + ("" if row.known else " *(no known title)*")
                right = "<br>".join(map(plain, row.right))
                lines.append(f"| {plain(row.text)} | {output} | {right} |")
    return "\n".join(lines) + "\n"


def nothing(data: str) -> str:
    """The page of a data set whose models generate no texts."""
    return f"The models of {data} generate no texts, so there are no samples.\n"


def plain(text: str) -> str:
    """A text as it is, in a cell of a Markdown table."""
    return re.sub(r"([\\`*_{}\[\]<>|#&])", r"\\\1", " ".join(text.split()))
