"""Numbers as text, label placing, and files that embed their fonts and tell no dates."""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import findfont
from matplotlib.transforms import Bbox

from jobshift.report import style


@pytest.mark.parametrize(
    ("n", "text"),
    [(435_200, "435 k"), (999_499, "999 k"), (999_500, "1.0 M"), (155_495_730, "155.5 M")],
)
def test_people(n, text):
    assert style.people(n) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_percent():
    assert style.percent(0.3774) == "37.7 %"
    assert style.percent(-0.05, 0) == "−5 %"


def test_wrapped_keeps_every_character_and_number_and_unit_together():
    assert style.wrapped("Wholesale Trade (6.0\N{NO-BREAK SPACE}M)", 18) == (
        "Wholesale Trade\n(6.0\N{NO-BREAK SPACE}M)"
    )
    assert style.wrapped("a_model_of_a_user_v2", 13) == "a_model_of_\na_user_v2"
    assert style.wrapped("TF-IDF", 4) == "TF-I\nDF"


def test_balanced():
    assert style.balanced("Fast Food and Counter Workers", 26) == "Fast Food and\nCounter Workers"
    assert style.balanced("Cashiers", 26) == "Cashiers"


def test_spread_by_hand():
    # 0 and 0.1 must be 0.4 apart: each moves 0.15 from its place, so −0.15 and 0.25; 1 stays.
    np.testing.assert_allclose(style.spread([0.1, 1, 0], 0.4), [0.25, 1, -0.15])
    assert len(style.spread([], 0.4)) == 0


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=8),
    st.floats(0.01, 2),
)
def test_spread_keeps_order_gap_and_middle(positions, gap):
    moved = style.spread(positions, gap)
    order = np.argsort(positions, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(np.mean(positions), abs=1e-9)
    if (np.diff(np.array(positions)[order]) >= gap).all():
        np.testing.assert_allclose(moved, positions, atol=1e-9)


def overlap(a: Bbox, b: Bbox) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_overlap_neither_each_other_nor_obstacles_and_stay_inside(seed):
    rng = np.random.default_rng(seed)
    points, radii = rng.uniform(size=(60, 2)), rng.uniform(1, 8, size=60)
    with style.print_style():
        figure = style.new_figure(3.5, 3)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.1, 0.1, 0.85, 0.85))
        box = axes.get_window_extent()
        obstacle = Bbox.from_bounds(box.x0, box.y0, box.width / 3, box.height / 3)
        labels = {number: f"Point\nnumber {number}" for number in range(30)}
        done = style.label_points(axes, points, radii, labels, [obstacle])
        boxes = [text.get_window_extent() for text in axes.texts]
    assert 5 < len(done) < 30  # There is room for some, and not for all.
    assert [text.get_text() for text in axes.texts] == [labels[number] for number in done]
    for number, one in enumerate(boxes):
        assert box.x0 <= one.x0 and one.x1 <= box.x1 and box.y0 <= one.y0 and one.y1 <= box.y1
        assert not overlap(one, obstacle)
        assert not any(overlap(one, other) for other in boxes[:number])


def test_a_lone_label_stands_right_beside_its_point():
    with style.print_style():
        figure = style.new_figure(3.5, 3)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.1, 0.1, 0.85, 0.85))
        assert style.label_points(axes, np.array([[0.4, 0.5]]), np.array([3.0]), {0: "Here"}) == [0]
        box = axes.texts[0].get_window_extent()
    pixel = figure.dpi / 72
    x, y = axes.transData.transform((0.4, 0.5))
    assert box.x0 == pytest.approx(x + (3.0 + 1.5) * pixel)
    assert (box.y0 + box.y1) / 2 == pytest.approx(y)
    assert not axes.lines


def test_panels_are_filled_evenly_and_every_column_has_numbers():
    with style.print_style():
        figure, grid = style.panels(7, 6)
        assert figure.get_figwidth() == style.FULL
        assert len(figure.axes) == len(grid) == 7
        numbered = [axes for axes in grid if axes.xaxis.get_tick_params()["labelbottom"]]
        assert numbered == grid[3:]  # Columns of 2, 2, 2 and 1.
        assert style.panels(2, 6)[0].get_figwidth() == style.COLUMN


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for folder in folders:
        # A user's own settings do not count.
        with mpl.rc_context({"axes.facecolor": "red", "pdf.fonttype": 3}), style.print_style():
            figure = style.new_figure(style.COLUMN, 2)
            axes = figure.add_subplot()
            axes.plot([0, 1], [0, 1])
            axes.set_title("β of offices, ½")
            style.percent_axis(axes.xaxis, "Share")
            style.save(figure, folder, "plot")
        mpl.rcParams["savefig.dpi"] = mpl.rcParamsDefault["savefig.dpi"]
    return folders


@pytest.mark.parametrize("ending", ["pdf", "png"])
def test_the_same_bytes_without_dates(saved, ending):
    first, second = ((folder / f"plot.{ending}").read_bytes() for folder in saved)
    assert first == second
    for word in (b"CreationDate", b"ModDate", b"Producer", b"Software", b"tEXt", b"tIME"):
        assert word not in first


def test_fonts_are_embedded_as_truetype(saved):
    content = (saved[0] / "plot.pdf").read_bytes()
    assert b"/Type3" not in content
    fonts = re.findall(rb"/BaseFont\s*/([A-Z]{6}\+[\w-]+)", content)
    assert fonts
    assert {font.split(b"+")[1] for font in fonts} == {b"DejaVuSans"}
    assert content.count(b"/FontFile2") >= len(set(fonts)) / 2


def test_png_is_300_dots_an_inch(saved):
    header = (saved[0] / "plot.png").read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (1050, 600)


def test_the_font_is_the_one_that_matplotlib_brings():
    assert Path(findfont("DejaVu Sans")).is_relative_to(mpl.get_data_path())


def test_percent_axis():
    with style.print_style():
        axes = style.new_figure(3, 3).add_subplot()
        axes.set_xlim(0.19, 0.31)
        style.percent_axis(axes.xaxis, "β")
        labels = [axes.xaxis.get_major_formatter()(tick, 0) for tick in axes.get_xticks()]
    assert axes.get_xlabel() == "β (%)"
    assert {"20", "22", "30"} <= set(labels)


def test_chinese_is_drawn_and_its_pdf_says_what_font_it_has(tmp_path):
    assert style.chinese_font() is not None
    with style.print_style():
        figures = {}
        for name, title in (
            ("latin", "Prozess κ"),
            ("chinese", "专业技术人员 κ"),
            ("boxes", "\ue000" * 6),
        ):
            figure = style.new_figure(2, 1)
            figure.add_subplot().set_title(title)
            assert style.chinese(figure) == (name != "latin")
            if name != "boxes":  # a letter that no font has
                style.save(figure, tmp_path, name)
            figures[name] = figure
    plain, letters = ((tmp_path / f"{name}.pdf").read_bytes() for name in ("latin", "chinese"))
    assert b"NotoSansSC" in letters and b"NotoSansSC" not in plain
    assert b"/Type3" in letters and b"/Type3" not in plain and b"CIDFontType2" not in letters


def test_without_the_font_figures_are_drawn_all_the_same(monkeypatch, caplog):
    monkeypatch.setattr(style, "CHINESE_FILE", ("no_such_package", "font.otf"))
    style.chinese_font.cache_clear()
    try:
        with style.print_style():
            assert mpl.rcParams["font.family"] == ["DejaVu Sans"]
        assert "the package no_such_package is not there" in caplog.text
    finally:
        style.chinese_font.cache_clear()
