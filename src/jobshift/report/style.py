"""How every figure looks, and how it is saved so that the same tables give the same bytes.

Sizes are print sizes: a figure is 3.5 or 7.2 inches wide and its text 7 points at that size, so it
goes into a column or a page unscaled. Colours are those of Okabe and Ito (2008), which colour-blind
readers tell apart; where two of them meet they also differ in lightness, for grey prints. The font
is DejaVu Sans, which matplotlib brings along, so that every machine draws the same letters; Chinese,
which it lacks, is drawn in Noto Sans SC from the package pylopdf-fonts-zh-cn. A user's own matplotlibrc
does not count.

Nothing here uses pyplot: a `Figure` belongs to whoever draws it and needs no closing.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import product
from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib import font_manager, rc_context, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from jobshift.report.tables import listed

COLUMN, FULL = 3.5, 7.2  # width in inches
FONT = 7.0  # points

BLUE, SKY = "#0072B2", "#56B4E9"
ORANGE, VERMILLION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
BLACK, GREY, LIGHT, PALE = "#000000", "#6E6E6E", "#C0C0C0", "#E8E8E8"

# What draws a letter that the first font lacks; the package, and the font's file in it.
CHINESE = "Noto Sans SC"
CHINESE_FILE = ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf")

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "axes.titlesize": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "legend.frameon": False,
    "legend.handlelength": 1.0,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.4,
    "legend.borderaxespad": 0.2,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 3.0,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.0,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}

# How much of other points a label may cost, about in points of covered depth, or it is left out.
TOLERABLE = 45.0
# Where a label may stand seen from its point, best first.
AROUND = np.radians([0, 180, 90, 270, 30, -30, 150, -150, 60, -60, 120, -120])

# What a file would otherwise say about when and with what it was made.
METADATA = {
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None, "ModDate": None},
    "png": {"Software": None},
}

# The subsetting of fonts reports every glyph, and the search for one that the Chinese font is never bold.
logging.getLogger("fontTools").setLevel(logging.WARNING)
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Drawing:
    """A figure with the caption that belongs under it."""

    figure: Figure
    caption: str


@contextmanager
def print_style() -> Iterator[None]:
    """Draw and save inside this: matplotlib's own defaults and then `SETTINGS`."""
    fonts = [SETTINGS["font.family"], *([CHINESE] if chinese_font() else [])]
    with style.context(["default", SETTINGS, {"font.family": fonts}]):
        yield


@cache
def chinese_font() -> Path | None:
    """The file of the Chinese font, known to matplotlib from now on; None where it is not installed."""
    package, file = CHINESE_FILE
    found = find_spec(package)
    if found is None or found.origin is None:
        logging.warning("Chinese letters are drawn as boxes: the package %s is not there", package)
        return None
    path = Path(found.origin).parent / file
    font_manager.fontManager.addfont(path)
    return path


def chinese(figure: Figure) -> bool:
    """Whether the figure has letters that are drawn in the Chinese font."""
    texts = "".join(text.get_text() for text in figure.findobj(Text))
    return any(letter >= "\u2e80" for letter in texts)


def new_figure(width: float, height: float) -> Figure:
    """A figure of this size in inches whose parts are laid out so that nothing is cut off.

    It is at least one inch high, or there is no room for axes between their numbers.
    """
    figure = Figure(figsize=(width, max(height, 1.0)), layout="constrained")
    FigureCanvasAgg(figure)  # measures texts before anything is saved
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.03, hspace=0.03)
    return figure


def panels(n: int, columns: int, side: float = 2.0) -> tuple[Figure, list[Axes]]:
    """A figure and the axes of `n` square panels in rows of at most `columns`, evenly filled.

    As wide as a page, or as a column where there are no more than two panels; a panel is at most
    `side` inches wide.
    """
    width = COLUMN if n <= 2 else FULL
    rows = ceil(n / columns)
    columns = ceil(n / rows)
    figure = new_figure(width, rows * (min(width / columns, side) + 0.2) + 0.32)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[n:]:
        axes.remove()
    for column in range(columns):  # The last panel of a column has the numbers of its axis.
        grid[(n - 1 - column) // columns, column].xaxis.set_tick_params(labelbottom=True)
    return figure, list(grid.flat[:n])


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `figure` as NAME.pdf (text as text, TrueType) and NAME.png (300 dpi) without dates."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # once is enough
    # The Chinese font is not TrueType, and a PDF that says it is would be wrong: then as Type 3.
    kind = {"pdf.fonttype": 3} if chinese(figure) else {}
    with rc_context(kind):
        for ending, metadata in METADATA.items():
            figure.savefig(folder / f"{name}.{ending}", metadata=metadata)


def percent_axis(axis, label: str, ticks: int = 7) -> None:
    """Let an axis of shares count in percent, at round numbers, at most `ticks` + 1 of them."""
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g}")
    axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    axis.set_label_text(f"{label} (%)")


def rows_axis(axes: Axes, labels: Sequence[str]) -> None:
    """One row a label, the first on top, without ticks."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def guides(axes: Axes, axis: str = "x") -> None:
    """Thin light lines behind the data, to carry the eye to the axis."""
    axes.grid(axis=axis, color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def people(n: float) -> str:
    """A number of workers, short, with a space that does not break: 5.3 M, 281 k."""
    number = f"{n / 1e6:.1f} M" if n >= 999_500 else f"{n / 1e3:.0f} k"
    return number.replace(" ", "\N{NO-BREAK SPACE}")


def percent(share: float, digits: int = 1) -> str:
    """A share in words: 0.377 is 37.7 %."""
    return f"{100 * share:.{digits}f} %".replace("-", "−")


def million(n: float) -> str:
    """A large number of workers in words: 153.5 million."""
    return f"{n / 1e6:.1f} million"


def source(stage: str, *tables: str) -> str:
    """Which tables a figure draws and which stage makes them, for its caption."""
    return f"Drawn from {listed([f'{name}.csv' for name in tables])} (stage {stage})."


def wrapped(text: str, characters: int) -> str:
    """`text` on lines of at most so many characters, broken between words and after underscores."""
    return fill(text.replace("_", "_ "), characters, break_on_hyphens=False).replace("_ ", "_")


def balanced(text: str, characters: int) -> str:
    """`text` on as few lines as `characters` allow, all about as long."""
    lines = wrapped(text, characters).count("\n")
    while wrapped(text, characters - 1).count("\n") == lines and characters > 2:
        characters -= 1
    return wrapped(text, characters)


def spread(positions: Sequence[float], gap: float) -> np.ndarray:
    """Positions at least `gap` apart, in the same order, moved as little as possible.

    The least sum of squared moves: isotonic regression of the positions less their places in line.
    """
    positions = np.asarray(positions, dtype=float)
    order = np.argsort(positions, kind="stable")
    line = np.arange(len(positions)) * gap
    blocks: list[list[float]] = []  # sum and length of runs that share their mean
    for value in positions[order] - line:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, n = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += n
    fitted = np.concatenate([np.full(n, total / n) for total, n in blocks] or [np.empty(0)])
    result = np.empty(len(positions))
    result[order] = fitted + line
    return result


def label_points(
    axes: Axes,
    points: np.ndarray,
    radii: np.ndarray,
    labels: dict[int, str],
    obstacles: Sequence[Bbox] = (),
) -> list[int]:
    """Write `labels` (number of a point → text) beside points, none over another, none cut off.

    Points [n × 2] in data coordinates have `radii` in points; labels come in the order of
    importance, and one for which there is no good place is left out. Of the places around a point,
    that which covers least of other points is taken; a thin line leads to it where it is away from
    its point. `obstacles`, in pixels, are kept free. The axes must have their final place and
    limits. Returns the numbers of the labelled points.
    """
    pixel = axes.figure.dpi / 72  # pixels a point
    centres, reach = axes.transData.transform(points), np.asarray(radii) * pixel
    inside, done = axes.get_window_extent(), []
    weight = np.ones(len(centres))
    weight[list(labels)] = 5  # What has a label of its own should be seen.
    taken = np.array([box.extents for box in obstacles]).reshape(-1, 4)
    for number, text in labels.items():
        artist = axes.text(
            0, 0, text, transform=None, va="bottom", linespacing=0.95, zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.6, "pad": 0.3},
        )  # fmt: skip
        size = artist.get_window_extent()
        best, choice = TOLERABLE, None
        for distance, angle in product((1.5, 8, 16, 26, 38, 52), AROUND):
            direction = np.round([np.cos(angle), np.sin(angle)], 6)
            rim = centres[number] + direction * reach[number]
            anchor = rim + direction * distance * pixel
            # The box touches the anchor with the side or corner that looks at the point.
            low = anchor + (np.sign(direction) - 1) / 2 * (size.width, size.height)
            box = Bbox.from_bounds(*low, size.width, size.height)
            line = np.linspace(rim, anchor, 12) if distance > 2 else np.empty((0, 2))
            if not (inside.contains(*box.min) and inside.contains(*box.max)):
                continue
            grown = box.padded(1.2 * pixel)
            if _meets(grown.extents, taken) or any(_meets(np.tile(at, 2), taken) for at in line):
                continue
            nearest = np.clip(centres, box.min, box.max)
            covered = (reach - np.hypot(*(centres - nearest).T)).clip(min=0) / pixel
            gaps = np.hypot(*(centres[:, None] - line).transpose(2, 0, 1))
            crossed = (gaps < reach[:, None]).sum(axis=1)
            harm = (covered + 1.5 * (covered > 0) + crossed) * weight
            cost = harm.sum() - harm[number] + 0.5 * distance
            if cost < best:
                best, choice = cost, (box, line, direction)
        if choice is None:
            artist.remove()
            continue
        box, line, direction = choice
        to_data = axes.transData.inverted().transform
        artist.set_transform(axes.transData)
        artist.set_position(to_data(box.min))
        artist.set_multialignment({-1: "right", 0: "center", 1: "left"}[int(np.sign(direction[0]))])
        if len(line):
            axes.plot(*to_data(line[[0, -1]]).T, color=GREY, linewidth=0.5, zorder=5)
        taken = np.vstack([taken, box.extents, *(np.append(at - 1, at + 1) for at in line)])
        done.append(number)
    return done


def _meets(box: np.ndarray, others: np.ndarray) -> bool:
    """Whether a box (x0, y0, x1, y1) overlaps one of `others` [n × 4]."""
    return bool(((box[:2] < others[:, 2:]) & (box[2:] > others[:, :2])).all(axis=1).any())
