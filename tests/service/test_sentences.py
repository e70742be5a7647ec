"""An advertisement in sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobshift.service.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sort letters. Answer calls!", ["Sort letters.", "Answer calls!"]),
        ("Write reports, e.g. on costs. File them.", ["Write reports, e.g. on costs.", "File them."]),
        ("Report to Dr. Wu and J. R. Smith daily.", ["Report to Dr. Wu and J. R. Smith daily."]),
        ("Measure 2.5 metres of cloth", ["Measure 2.5 metres of cloth"]),
        ("Ask “Why?” and note it.", ["Ask “Why?” and note it."]),
        ("Your tasks:\n• Water ferns\n- Feed fish\n2) Cut grass", ["Water ferns", "Feed fish", "Cut grass"]),
        ("* **Bold** aims\n---\n\n   \n", ["Bold** aims"]),
        ("3.5 years at sea\n-5 degrees outside", ["3.5 years at sea", "-5 degrees outside"]),
        ("负责财务报表；审核发票。完成申报！", ["负责财务报表；", "审核发票。", "完成申报！"]),
        ("岗位职责：\n（一）接待客户\n2、回答问题\n①整理文件", ["接待客户", "回答问题", "整理文件"]),
        ("“欢迎光临。”他说。", ["“欢迎光临。”", "他说。"]),
        ("Draft letters… and send them", ["Draft letters… and send them"]),
        ("", []),
        ("!!! ... \n•", []),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]):
    assert split_sentences(text) == expected


@given(st.text(alphabet='aB1 .!?。；:\n-•"“”…中', max_size=60))
def test_nothing_is_invented_and_every_sentence_can_be_rated(text: str):
    found = split_sentences(text)
    assert all(any(map(str.isalnum, each)) and each == each.strip() for each in found)
    rest = "".join(text.split())
    for each in found:  # in the order of the text
        _, mark, rest = rest.partition("".join(each.split()))
        assert mark


@given(st.lists(st.sampled_from(["Mend nets", "Steer boats", "修补渔网"]), max_size=8))
def test_every_line_is_a_sentence(lines: list[str]):
    assert split_sentences("\r\n".join(f"• {line}" for line in lines)) == lines
