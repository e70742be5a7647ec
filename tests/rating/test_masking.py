import json
import socket

import pyarrow as pa
import pytest

pytest.importorskip("presidio_analyzer")

from jobshift.rating.masking import Masker, resident_number


@pytest.fixture(scope="module")
def masker() -> Masker:
    return Masker(models=[])


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a mask asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jane.doe@example.org today.", "Write to <EMAIL> today."),
        ("Mail bob@files.internal, too", "Mail <EMAIL>, too"),
        ("Call (212) 736-5000 or +86 138 1234 5678.", "Call <PHONE> or <PHONE>."),
        ("Transfer to DE89 3704 0044 0532 0130 00 now", "Transfer to <IBAN> now"),
        ("Charge 4111 1111 1111 1111.", "Charge <CREDIT_CARD>."),
        ("File for 536-22-1234", "File for <SSN>"),
        ("Restart 192.168.10.4 nightly", "Restart <IP> nightly"),
        ("See https://intranet/a?b=c, then go.", "See <URL>, then go."),
        ("Read www.example.com.", "Read <URL>."),
        ("Look up example.org/people/jane first", "Look up <URL> first"),
        ("身份证号11010519491231002X，请核对", "身份证号<CN_ID>，请核对"),
        ("请发邮件到zhang.san@example.cn，谢谢", "请发邮件到<EMAIL>，谢谢"),
        ("请拨打13812345678联系", "请拨打<PHONE>联系"),
        ("请拨打１３８１２３４５６７８联系", "请拨打<PHONE>联系"),
    ],
)
def test_personal_data_is_replaced_by_what_it_is(masker: Masker, text: str, masked: str):
    assert masker.text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Develop ASP.NET and node.js services.In short, write code.",
        "Review 12,500 records of 2024-05-01 with 3.5 % and/or more",
        "Apply ISO 9001:2015 to work such as 11-1011.00",
        "核对编号110105194912310021",  # a wrong check digit
        "Paint wooden boats",
        "",
    ],
)
def test_work_is_no_personal_data(masker: Masker, text: str):
    assert masker.text(text) == text


def test_check_digit_of_resident_numbers():
    assert resident_number("11010519491231002X") and resident_number("11010519491231002x")
    assert not resident_number("110105194912310020")


def test_names_are_masked_with_a_model():
    import spacy

    model = spacy.blank("en")
    model.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Jane Doe"}])
    found = Masker(models=[model]).text("Ask Jane Doe at jane@example.org.")
    assert found == "Ask <NAME> at <EMAIL>."


def test_columns_keep_type_and_rows(masker: Masker):
    address, hidden = "a@example.org", "<EMAIL>"
    texts = pa.array(["x", None, address], pa.large_string())
    assert masker.column(texts, "parquet").equals(pa.array(["x", None, hidden], pa.large_string()))
    lists = pa.array([[address], None, ["y", address]])
    assert masker.column(lists, "parquet").to_pylist() == [[hidden], None, ["y", hidden]]
    numbers = pa.array([4111111111111111])
    assert masker.column(numbers, "parquet") is numbers
    cells = pa.array([json.dumps({"a": [address, 5]}), None, "null", json.dumps(address)])
    found = masker.column(cells, "jsonl").to_pylist()
    assert found == [json.dumps({"a": [hidden, 5]}), None, "null", json.dumps(hidden)]
