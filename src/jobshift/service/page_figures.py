"""The figures that can be saved: rows of stacked shares with β as a dot, in the look of the paper."""

import threading
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from jobshift.report import style

# What page.css has too: exposure in blues, the fate of tasks as in the figures of the study.
COLOURS = {
    **{"E1": style.BLUE, "E2": "#9CD0F0", "E0": style.PALE},
    **{"substituted_share": style.VERMILLION, "complemented_share": "#9CD0F0"},
    "untouched_share": style.PALE,
}
OTHERS = (style.BLUE, style.ORANGE, style.SKY, style.PURPLE, style.VERMILLION, style.GREY)
CHARACTERS = 46  # of a label on one line
LINES = 2
DRAWING = threading.Lock()  # matplotlib's settings belong to the whole process


class Row(NamedTuple):
    """A row of a figure: shares in the order of the series, and β where there is one."""

    label: str
    shares: Sequence[float]
    beta: float | None


def png(rows: Sequence[Row], series: Sequence[tuple[str, str]], axis: str, beta: str) -> bytes:
    """A PNG of `rows`, the first on top. `series` are key and name of each share, `beta` what the dot is.

    Letters that no font has are drawn as boxes. One figure is drawn at a time, from whatever thread.
    """
    with (
        DRAWING,
        style.print_style(),
        rc_context({"text.parse_math": False}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")
        return drawn(rows, series, axis, beta)


def drawn(rows: Sequence[Row], series: Sequence[tuple[str, str]], axis: str, beta: str) -> bytes:
    """The bytes of `png`, in the settings of now."""
    labels = [shortened(row.label) for row in rows]
    tall = max(label.count("\n") for label in labels)
    figure = style.new_figure(style.FULL, 0.6 + (0.2 + 0.13 * tall) * len(rows))
    axes = figure.add_subplot()
    style.rows_axis(axes, labels)
    axes.set_xlim(0, 1)
    y, left = np.arange(len(rows)), np.zeros(len(rows))
    handles = []
    for place, (key, name) in enumerate(series):
        colour = COLOURS.get(key, OTHERS[place % len(OTHERS)])
        width = np.array([row.shares[place] for row in rows], dtype=float)
        axes.barh(y, width, left=left, height=0.7, color=colour)
        handles.append(Patch(color=colour, label=name))
        left += width
    dots = [(row.beta, place) for place, row in enumerate(rows) if row.beta is not None]
    if dots:
        dot = {"marker": "o", "linestyle": "none", "color": style.BLACK, "markersize": 4.4}
        axes.plot(*zip(*dots, strict=True), markeredgecolor="white", clip_on=False, **dot)
        handles.append(Line2D([], [], label=beta, **dot))
    style.percent_axis(axes.xaxis, axis)
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles))
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata=style.METADATA["png"])
    return stream.getvalue()


def shortened(text: str) -> str:
    """`text` on at most two lines; Chinese letters count as two."""
    lines, line, width = [], "", 0
    for letter in text:
        size = 2 if letter >= "\u2e80" else 1
        if width + size > CHARACTERS:
            head, _, tail = line.rpartition(" ")
            if not head or len(tail) > CHARACTERS / 2:
                head, tail = line, ""
            lines.append(head)
            line, width = tail, sum(2 if each >= "\u2e80" else 1 for each in tail)
            if len(lines) == LINES:
                return "\n".join(lines)[:-1].rstrip() + "…"
        line, width = line + letter, width + size
    return "\n".join([*lines, line.lstrip()] if line else lines)
