"""The page of generated texts: who is drawn, and texts that look like Markdown."""

import pandas as pd

from jobshift.report import samples


def rows(n: int) -> pd.DataFrame:
    """`n` texts, all good and seen, each of which stands twice."""
    frame = pd.DataFrame({"text": [f"Sort pile {number // 2}." for number in range(2 * n)]})
    frame = frame.assign(seen=True, good=True, known=True, output="Sort piles")
    return frame.assign(right=[["Sort piles"]] * len(frame))


def drawn(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("| Sort pile ")]


def test_the_seed_draws_and_each_text_is_drawn_once():
    first = samples.page(rows(30), "net", 5, seed=0)
    assert len(drawn(first)) == len(set(drawn(first))) == 5
    assert "good: 5 of 30 texts" in first
    assert samples.page(rows(30), "net", 5, seed=0) == first
    assert drawn(samples.page(rows(30), "net", 5, seed=1)) != drawn(first)
    # Fewer than asked for: all of them, in their order.
    assert drawn(samples.page(rows(3), "net", 5, seed=0)) == [
        f"| Sort pile {number}. | Sort piles | Sort piles |" for number in range(3)
    ]


def test_a_text_stays_in_its_cell_and_as_it_is():
    assert samples.plain("a|b *c* _d_ <e>\n[f](g)") == r"a\|b \*c\* \_d\_ \<e\> \[f\](g)"
    assert samples.plain("") == ""
