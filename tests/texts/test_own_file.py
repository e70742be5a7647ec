"""Your own data: every problem that a file may have, alone and all together; and the example."""

import json
import logging
import re
import string
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobshift.errors import JobshiftError
from jobshift.texts.own_file import Columns, as_text, comparable, fold, read
from jobshift.texts.schema import TASKS, valid

EXAMPLE = Path(__file__).parents[2] / "examples" / "sentiment"
GOOD = [
    ("id", "text", "label"),
    ("1", "The scanner is quick.", "good"),
    ("2", "The scanner is slow.", "bad"),
    ("3", "I like the new app.", "good"),
    ("4", "I hate the new app.", "bad"),
]


def csv_file(folder: Path, *rows: tuple, divider: str = ",", name: str = "own.csv") -> Path:
    path = folder / name
    path.write_text("".join(divider.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def good(*more: tuple) -> list[tuple]:
    return [*GOOD, *more]


def problems(path: Path, *args, **kwargs) -> list[str]:
    """The problems that are reported of a bad file, and that their number is said."""
    with pytest.raises(JobshiftError) as caught:
        read(path, *args, **kwargs)
    head, *listed = str(caught.value).split("\n- ")
    assert re.search(r": (\d+) problems?;", head)[1] == str(len(listed))
    return listed


# Good files


def test_a_good_file_becomes_the_prepared_format(tmp_path: Path):
    prepared = read(csv_file(tmp_path, *GOOD))
    tasks = valid(prepared.tasks, TASKS, "own.csv")
    assert tasks["id"].tolist() == ["1", "2", "3", "4"]
    assert tasks["label"].tolist() == ["good", "bad", "good", "bad"]
    assert tasks["p_bad"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert list(tasks.columns[-2:]) == ["p_bad", "p_good"]  # sorted
    assert tasks["text_pair"].isna().all() and tasks["occupation"].isna().all()
    assert tasks["weight"].tolist() == [1.0] * 4
    assert tasks["group"].nunique() == 4
    assert prepared.counts["texts"] == 4 and prepared.counts["near-duplicate texts"] == 0
    assert prepared.dropped == {"blank line": 0}


def test_the_config_may_order_the_classes(tmp_path: Path):
    prepared = read(csv_file(tmp_path, *GOOD), labels=["good", "bad"])
    assert list(prepared.tasks.columns[-2:]) == ["p_good", "p_bad"]
    assert prepared.facts["classes"] == "good, bad"


def test_texts_without_labels_are_only_rated(tmp_path: Path):
    path = csv_file(tmp_path, ("text",), ("One thing.",), ("Another one.",))
    prepared = read(path, Columns(label=None))
    assert prepared.tasks["label"].isna().all()
    assert not [column for column in prepared.tasks if column.startswith("p_")]
    assert prepared.tasks["id"].tolist() == ["00001", "00002"]


def test_all_columns_are_taken_by_their_names(tmp_path: Path):
    path = csv_file(
        tmp_path,
        ("n", "one", "two", "same", "where", "times", "tongue"),
        ("a", "It rains.", "It is wet.", "yes", "north", "2", "en"),
        ("b", "It snows.", "It is hot.", "no", "north", "0.5", "en"),
        ("c", "天晴了。", "地干了。", "yes", "", "1e0", "zh"),
        ("d", "下雨了。", "地干了。", "no", "south", "3", "zh"),
    )
    prepared = read(path, Columns("one", "same", "two", "where", "times", "tongue", "n"))
    tasks = prepared.tasks
    assert tasks["text_pair"].tolist() == ["It is wet.", "It is hot.", "地干了。", "地干了。"]
    assert tasks["weight"].tolist() == [2.0, 0.5, 1.0, 3.0]
    assert tasks["language"].tolist() == ["en", "en", "zh", "zh"]
    assert tasks["id"].tolist() == list("abcd")
    # a and b share the group north; c and d share their second text.
    assert tasks["group"].tolist() == ["g00000", "g00000", "g00002", "g00002"]
    assert prepared.facts["languages"] == "en 2, zh 2"
    assert prepared.counts["groups of the file"] == 2
    assert prepared.counts["texts without a group"] == 1


def test_columns_of_the_usual_names_are_found_by_themselves(tmp_path: Path):
    rows = [(*row, "g" + str(n % 2)) for n, row in enumerate(GOOD[1:])]
    path = csv_file(tmp_path, (*GOOD[0], "group"), *rows)
    assert read(path).tasks["group"].tolist() == ["g00000", "g00001", "g00000", "g00001"]
    assert read(path, Columns(group=None)).tasks["group"].nunique() == 4
    assert "data.group: there is no column 'team'" in problems(path, Columns(group="team"))[0]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path):
    path = csv_file(tmp_path, *GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path).tasks["id"].tolist() == ["1", "2", "3", "4"]


def test_blank_lines_are_counted(tmp_path: Path):
    path = csv_file(tmp_path, *GOOD)
    path.write_text(path.read_text().replace("\n", "\n\n"))
    assert read(path).dropped == {"blank line": 5}


def test_words_that_others_take_for_missing_are_words(tmp_path: Path):
    rows = [("1", "NA", "null"), ("2", "None", "null"), ("3", "nan", "NA"), ("4", "N/A", "NA")]
    prepared = read(csv_file(tmp_path, GOOD[0], *rows))
    assert prepared.tasks["text"].tolist() == ["NA", "None", "nan", "N/A"]
    assert prepared.tasks["label"].tolist() == ["null", "null", "NA", "NA"]


def test_numbers_may_be_labels(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    rows = [{"text": f"word {chr(97 + n)}", "label": n % 2} for n in range(4)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert read(path).tasks["label"].tolist() == ["0", "1", "0", "1"]


def test_the_format_may_be_given(tmp_path: Path):
    path = csv_file(tmp_path, *GOOD, divider="\t", name="own.txt")
    assert len(read(path, format="tsv").tasks) == 4
    with pytest.raises(JobshiftError, match=r"ending '.txt' is none of .csv"):
        read(path)
    with pytest.raises(JobshiftError, match="data.format is 'xlsx'; choose csv"):
        read(path, format="xlsx")


# One problem at a time


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(JobshiftError, match=r"gone.csv \(data.path\) is missing"):
        read(tmp_path / "gone.csv")


@pytest.mark.parametrize("name", ["own.csv", "own.tsv", "own.jsonl"])
def test_an_empty_file(tmp_path: Path, name: str):
    assert problems(csv_file(tmp_path, name=name)) == ["it is empty"]


def test_a_header_alone(tmp_path: Path):
    assert problems(csv_file(tmp_path, GOOD[0])) == ["there is no row below the header"]


def test_bytes_that_are_not_utf_8_are_located(tmp_path: Path):
    path = tmp_path / "own.csv"
    rows = good(("5", "The café scans.", "good"), ("6", "A naïve robot.", "bad"))
    path.write_bytes("\n".join(",".join(row) for row in rows).encode("cp1252"))
    (said,) = problems(path)
    # "5,The caf" are 9 bytes, "6,A na" are 6.
    assert "line 6 byte 10 is 0xE9; line 7 byte 7 is 0xEF; it may be WINDOWS-1252" in said


def test_chinese_of_another_encoding_is_recognised(tmp_path: Path):
    path = tmp_path / "own.csv"
    text = "\n".join(",".join(row) for row in good(("5", "新的扫描枪很快", "好")))
    path.write_bytes(text.encode("gb18030"))
    said, alone = problems(path)
    assert said.startswith("it is not UTF-8: line 6 byte 3 is 0xD0")
    assert "iconv -f GB18030 -t UTF-8" in said
    assert "of class '好'" in alone  # the rest is checked as if it were read right


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_recognised(tmp_path: Path, encoding: str):
    path = tmp_path / "own.csv"
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path.write_bytes(mark + "\n".join(",".join(row) for row in GOOD).encode(encoding))
    (said,) = problems(path)
    assert said.startswith("it is UTF-16, not UTF-8")


@pytest.mark.parametrize(
    ("divider", "name", "said"),
    [
        (";", "own.csv", "divided by semicolons, not commas; save it with commas"),
        ("\t", "own.csv", "divided by tabs, not commas; set data.format=tsv"),
        (",", "own.tsv", "divided by commas, not tabs; set data.format=csv"),
    ],
)
def test_another_delimiter(tmp_path: Path, divider: str, name: str, said: str):
    path = csv_file(tmp_path, *GOOD, divider=divider, name=name)
    (problem,) = problems(path)
    assert problem.startswith("line 1: one column only") and said in problem


def test_rows_with_another_number_of_fields(tmp_path: Path):
    path = csv_file(tmp_path, *good(("5", "Fast, cheap", " and bad", "good"), ("6",)))
    (said,) = problems(path)
    assert said.startswith("lines 6 (5), 7 (1): not 3 fields as in the header")


def test_places_are_lines_where_a_text_has_line_ends(tmp_path: Path):
    rows = good(("5", '"One\nof\nthree lines"', "good"), ("6", "", "bad"))
    # Lines 6 to 8 are the text with line ends.
    assert problems(csv_file(tmp_path, *rows)) == ["line 9: the text is missing; fill it in"]


def test_quotation_marks_that_do_not_match(tmp_path: Path):
    rows = good(("5", '"never ends', "good"), ("6", "And so on.", "bad"))
    (said,) = problems(csv_file(tmp_path, *rows))
    assert said.startswith("line 6: quotation marks that do not match")
    rows = good(("5", '"Smart" they say', "good"), ("6", "And so on.", ""))
    marks, missing = problems(csv_file(tmp_path, *rows))
    assert marks.startswith("line 6: quotation marks")
    assert missing.startswith("line 7: the label")  # what follows is checked, too


def test_lines_that_are_no_json_objects(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    lines = [json.dumps(dict(zip(GOOD[0], row, strict=True))) for row in GOOD[1:]]
    path.write_text("\n".join([*lines, '{"text": ', "[1]", "", '{"text": "\\ud800"}', "{'a': 1}"]))
    assert problems(path) == [
        "line 5: not JSON (expecting value); one whole object a line",
        'line 6: not an object such as {"text": …, "label": …}',
        "line 8: half of a surrogate pair; write the character out",
        "line 9: not JSON (expecting property name enclosed in double quotes); one whole object a line",
    ]


def test_nested_cells(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    rows = [{"text": {"en": "word"}, "label": "a"}, {"text": ["x"], "label": "a"}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert problems(path)[0].startswith("lines 1, 2: the column 'text' holds lists")


def test_a_file_that_is_no_parquet(tmp_path: Path):
    path = csv_file(tmp_path, *GOOD, name="own.parquet")
    (said,) = problems(path)
    assert said.startswith("it cannot be read as Parquet")


def test_rows_of_parquet_are_numbered_from_1(tmp_path: Path):
    path = tmp_path / "own.parquet"
    texts = ["one", None, "three", "four"]
    pd.DataFrame({"text": texts, "label": list("aabb")}).to_parquet(path)
    assert problems(path) == ["row 2: the text is missing; fill it in"]


def test_unknown_columns_with_what_is_meant(tmp_path: Path):
    path = csv_file(tmp_path, ("ID", "Texts", "label "), *GOOD[1:])
    text, label, name = problems(path, Columns(id="id"))
    assert text == (
        "data.text: there is no column 'text' among 'ID', 'Texts', 'label '; did you mean 'Texts'?"
    )
    assert label.endswith("did you mean 'label '?")
    assert name.endswith("did you mean 'ID'?")


def test_columns_that_stand_twice_or_for_two_parts(tmp_path: Path):
    path = csv_file(tmp_path, ("text", "text", "label"), *GOOD[1:])
    assert "'text' is there 2 times" in problems(path)[0]
    path = csv_file(tmp_path, *GOOD)
    assert problems(path, Columns(label="text")) == [
        "data.label: the column 'text' is that of data.text; name another"
    ]


def test_ids_that_are_missing_or_not_unique(tmp_path: Path):
    rows = good(("2", "Once more.", "good"), ("", "And again.", "bad"), ("4", "Last one.", "bad"))
    missing, twice = problems(csv_file(tmp_path, *rows))
    assert missing == "line 7: the id is missing; fill it in"
    assert twice == "ids that are not unique: '2' lines 3, 6; '4' lines 5, 8; give each row its own"


@pytest.mark.parametrize("empty", ["", "  ", "\u200b", "\u3000", "\ufeff", "\u00a0"])
def test_texts_and_labels_that_show_nothing(tmp_path: Path, empty: str):
    rows = good(("5", empty, "good"), ("6", "A text.", empty))
    assert problems(csv_file(tmp_path, *rows)) == [
        "line 6: the text is missing; fill it in",
        "line 7: the label is missing; fill it in",
    ]


def test_classes_with_one_example(tmp_path: Path):
    rows = good(("5", "Neither nor.", "mixed"))
    (said,) = problems(csv_file(tmp_path, *rows))
    assert said.startswith("line 6: the only example of class 'mixed'")


def test_a_column_of_free_text_as_labels_does_not_flood_the_report(tmp_path: Path):
    rows = [("text", "label")] + [(f"text {n}", f"word {n}") for n in range(30)]
    said = problems(csv_file(tmp_path, *rows), labels=["a", "b"])
    # One line for the classes with one example, ten labels by name and one for the rest, two unused.
    assert len(said) == 1 + 10 + 1 + 2
    assert said[0].startswith(
        "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 (and 20 more): the only examples"
    )
    assert "20 more labels are none of data.labels" in said


def test_many_labels_in_two_forms_do_not_flood_the_report(tmp_path: Path):
    rows = [("text", "label")]
    rows += [(f"text {n}", f"{form} {n}") for n in range(12) for form in ("Word", "word")]
    said = problems(csv_file(tmp_path, *rows))
    assert len(said) == 10 + 1
    assert said[-1] == "2 more labels are written in several ways, too"


def test_one_class_only(tmp_path: Path):
    rows = [row for row in GOOD if row[2] != "bad"]
    (said,) = problems(csv_file(tmp_path, *rows))
    assert said == "all labels are 'good'; a classifier needs at least two classes"


@pytest.mark.parametrize("twin", ["Good", " good", "ｇｏｏｄ", "good\u200b"])
def test_labels_in_two_forms(tmp_path: Path, twin: str):
    (said,) = problems(csv_file(tmp_path, *good(("5", "A fine tool.", twin))))
    assert said.startswith("labels that differ only in case, white space or width: 'good'")
    assert "(lines 2, 4)" in said and "(line 6)" in said


def test_labels_that_the_config_does_not_have(tmp_path: Path):
    path = csv_file(tmp_path, *good(("5", "So so.", "mixd"), ("6", "Yes and no.", "mixd")))
    assert problems(path, labels=["bad", "mixed", "good"]) == [
        "lines 6, 7: the label 'mixd' is none of data.labels; did you mean 'mixed'?",
        "data.labels has 'mixed', but no row has it; take it out",
    ]


def test_weights_that_are_not_positive_numbers(tmp_path: Path):
    values = ["1", "0", "-2", "much", "inf", "nan", "1,5", ""]
    path = tmp_path / "own.tsv"
    rows = [("text", "label", "w")]
    rows += [(f"text {chr(97 + n)}", "ab"[n % 2], value) for n, value in enumerate(values)]
    csv_file(tmp_path, *rows, divider="\t", name="own.tsv")
    missing, bad = problems(path, Columns(weight="w"))
    assert missing == "line 9: the weight is missing; fill it in"
    assert bad == (
        "lines 3, 4, 5, 6, 7, 8: weights that are not positive numbers: "
        "'0', '-2', 'much', 'inf', 'nan', '1,5'"
    )


def test_only_ten_lines_are_named(tmp_path: Path):
    rows = good(*[(str(n), "", "good") for n in range(5, 18)])  # lines 6 to 18: 13 of them
    (said,) = problems(csv_file(tmp_path, *rows))
    assert (
        said
        == "lines 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 (and 3 more): the text is missing; fill it in"
    )


# Near-duplicates


def test_near_duplicates_share_a_leak_group(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    rows = good(("5", "the SCANNER… is slow", "bad"), ("6", "Ｉ like  the new app", "bad"))
    with caplog.at_level(logging.WARNING):
        prepared = read(csv_file(tmp_path, *rows))
    # Lines 3 and 6 are one cluster, lines 4 and 7 another, whose labels are good and bad.
    groups = prepared.tasks["group"].tolist()
    assert groups == ["g00000", "g00001", "g00002", "g00003", "g00001", "g00002"]
    assert prepared.counts["distinct texts"] == 4
    assert prepared.counts["near-duplicate texts"] == 4
    assert prepared.counts["near-duplicate clusters"] == 2
    assert prepared.counts["near-duplicate clusters with different labels"] == 1
    assert (
        "lines 3, 4, 6, 7: 4 of 6 texts are near-duplicates of others, in 2 clusters" in caplog.text
    )
    assert "lines 4, 7: near-duplicates with different labels" in caplog.text


def test_groups_grow_together_over_near_duplicates(tmp_path: Path):
    path = csv_file(
        tmp_path,
        ("text", "label", "group"),
        ("Alpha", "a", "x"),
        ("Beta", "b", "y"),
        ("beta!", "a", "z"),
        ("Gamma", "b", "z"),
        ("Delta", "a", ""),
        ("Epsilon", "b", ""),
    )
    # y and z share beta; rows without a group stand alone.
    groups = read(path).tasks["group"].tolist()
    assert groups == ["g00000", "g00001", "g00001", "g00001", "g00004", "g00005"]


def test_a_text_may_be_signs_only(tmp_path: Path):
    rows = good(("5", "👍", "good"), ("6", "👎", "bad"), ("7", " 👍 ", "good"))
    groups = read(csv_file(tmp_path, *rows)).tasks["group"].tolist()
    assert groups[4] == groups[6] != groups[5]


def test_pairs_share_a_leak_group_over_either_side(tmp_path: Path):
    path = csv_file(
        tmp_path,
        ("text", "pair", "label"),
        ("Alpha", "Beta", "yes"),
        ("Gamma", "alpha.", "no"),
        ("Delta", "Epsilon", "yes"),
        ("Zeta", "Eta", "no"),
        ("DELTA", "epsilon", "no"),
    )
    prepared = read(path, Columns(pair="pair"))
    # Alpha is the first text of row 1 and the second of row 2; rows 3 and 5 are the same pair.
    groups = prepared.tasks["group"].tolist()
    assert groups == ["g00000", "g00000", "g00002", "g00003", "g00002"]
    assert prepared.counts["near-duplicate texts"] == 2
    assert prepared.counts["near-duplicate clusters with different labels"] == 1


def test_damaged_letters_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    read(csv_file(tmp_path, *good(("5", "The caf� scans.", "good"))))
    assert "line 6: texts with the replacement character" in caplog.text


# Everything at once


def test_all_problems_are_reported_together(tmp_path: Path):
    rows = [
        ("no", "text", "label", "weight"),  # 1: no column id
        ("1", "caf\xe9 robots", "Good", "1"),  # 2: not UTF-8
        ("1", "", "good", "1"),  # 3: id again, no text, label in another form
        ("3", "A robot", "", "0"),  # 4: no label, weight 0
        ("4", "one", "two", "three", "four"),  # 5: five fields
        ("5", '"Smart" they say', "bad", "1"),  # 6: quotation marks
        ("6", "An app", "bad", "1"),  # 7: alone in its class
        ("7", "Another app", "fine", "1"),  # 8: not in the config, alone in its class
    ]
    path = tmp_path / "own.csv"
    path.write_bytes("\n".join(",".join(row) for row in rows).encode("latin-1"))
    said = problems(
        path, Columns(id="no", weight="weight", language="tongue"), labels=["good", "bad", "mixed"]
    )
    expected = [
        "it is not UTF-8: line 2 byte 6 is 0xE9",
        "line 6: quotation marks",
        "line 5 (5): not 4 fields",
        "data.language: there is no column 'tongue'",
        "line 3: the text is missing",
        "line 4: the label is missing",
        "ids that are not unique: '1' lines 2, 3",
        "line 4: weights that are not positive numbers: '0'",
        "labels that differ only in case, white space or width: 'Good' (line 2), 'good' (line 3)",
        "lines 7, 8: the only examples of classes 'bad', 'fine'",
        "line 8: the label 'fine' is none of data.labels",
        "data.labels has 'mixed'",
    ]
    assert len(said) == len(expected)
    for problem, start in zip(said, expected, strict=True):
        assert problem.startswith(start)


# What is written is read

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(as_text)
frames = st.lists(
    st.tuples(words, st.sampled_from(["yes", "no", "不 知道, \"or\"\nso"]), st.none() | words,
              st.floats(0.001, 1000)),
    min_size=1, max_size=6,
)  # fmt: skip


@given(frames, st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_written_frame_is_read_back(tmp_path: Path, rows: list[tuple], form: str):
    columns = ["text", "label", "group", "weight"]
    # Each row twice, and two labels at least, so that no class is alone.
    frame = pd.DataFrame(
        [*rows, *rows, ("a", "A b", None, 1.0), ("b", "A b", None, 1.0)], columns=columns
    )
    frame.loc[len(frame)] = ["c", "C d", None, 2.0]
    frame.loc[len(frame)] = ["d", "C d", None, 2.0]
    path = tmp_path / f"own.{form}"
    if form == "parquet":
        frame.to_parquet(path)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False, double_precision=15)
    else:
        divider = {"csv": ",", "tsv": "\t"}[form]
        frame.to_csv(path, sep=divider, index=False, quoting=1)
    tasks = read(path, Columns(weight="weight")).tasks
    assert tasks["text"].tolist() == frame["text"].tolist()
    assert tasks["label"].tolist() == frame["label"].tolist()
    assert tasks["weight"].tolist() == pytest.approx(frame["weight"].tolist(), rel=1e-12)
    # Two rows of one text or group are in one leak group.
    for key in (frame["text"].map(comparable), frame["group"].dropna()):
        assert tasks["group"].groupby(key).nunique().eq(1).all()


@given(words)
def test_folding_is_settled_after_once(word: str):
    assert fold(fold(word)) == fold(word)
    assert comparable(word)


# The example


def card_table(lines: list[str], first: str) -> dict[str, list[str]]:
    """The rows of the table of the card whose first column is headed `first`, by their first cell."""
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[name] = cells
    return rows


@pytest.fixture(scope="module")
def example() -> pd.DataFrame:
    return pd.read_csv(EXAMPLE / "sentiment.csv", dtype=str, keep_default_na=False)


def test_the_example_has_no_problem_and_no_near_duplicate(caplog: pytest.LogCaptureFixture):
    prepared = read(EXAMPLE / "sentiment.csv")
    assert not caplog.records
    assert prepared.counts["near-duplicate texts"] == 0
    assert prepared.counts["texts"] >= 420
    assert prepared.facts["classes"] == "negative, neutral, positive"
    # The stories are the leak groups.
    assert prepared.counts["leak groups"] == prepared.counts["groups of the file"]
    valid(prepared.tasks, TASKS, "sentiment.csv")


def test_the_example_is_balanced_and_its_stories_are_small_and_mixed(example: pd.DataFrame):
    cells = pd.crosstab(example["label"], example["language"])
    for counts in (cells.sum(axis=0), cells.sum(axis=1), *(cells[name] for name in cells)):
        assert counts.min() >= 0.9 * counts.max()
    stories = example.groupby("group")
    assert stories.size().between(3, 8).all()
    assert stories["label"].nunique().ge(2).all()
    assert stories["language"].nunique().eq(1).all()


def test_the_example_has_no_pattern(example: pd.DataFrame):
    # No opening of three words (Chinese: four characters) is frequent.
    english = example.loc[example["language"] == "en", "text"]
    opening = english.str.translate(str.maketrans("", "", string.punctuation)).str.split().str[:3]
    assert opening.str.join(" ").str.lower().value_counts().max() <= 3
    chinese = example.loc[example["language"] == "zh", "text"]
    assert chinese.str[:4].value_counts().max() <= 3


def test_the_counts_of_the_card_are_those_of_the_file(example: pd.DataFrame):
    lines = (EXAMPLE / "README.md").read_text(encoding="utf-8").splitlines()
    cells = pd.crosstab(example["label"], example["language"], margins=True)
    classes = card_table(lines, "class")
    names = {"positive": "positive", "neutral": "neutral", "negative": "negative", "all": "All"}
    assert {name: [int(n) for n in row] for name, row in classes.items()} == {
        said: [int(cells.loc[name, column]) for column in ("en", "zh", "All")]
        for said, name in names.items()
    }
    languages = example.groupby("language")
    length = {
        "en": example["text"].str.split().str.len(),
        "zh": example["text"].str.len(),
    }
    measured = {
        name: [
            str(rows["group"].nunique()),
            str(int(length[name][rows.index].min())),
            f"{length[name][rows.index].median():g}",
            str(int(length[name][rows.index].max())),
        ]
        for name, rows in languages
    }
    assert card_table(lines, "language") == measured


def test_a_text_may_have_several_classes(tmp_path: Path):
    rows = [
        ("text", "label"),
        ("First note.", "pay; tools"),
        ("Second note.", "tools"),
        ("Third note.", "tools pay tools;"),
        ("Fourth note.", "safety；pay"),
        ("Fifth note.", "safety"),
    ]
    path = csv_file(tmp_path, *rows)
    prepared = read(path, several=True)
    valid(prepared.tasks, TASKS, "made up")
    assert prepared.tasks["label"].tolist() == [
        "pay tools",
        "tools",
        "pay tools",
        "pay safety",
        "safety",
    ]
    assert prepared.tasks["p_pay"].tolist() == [1.0, 0.0, 1.0, 1.0, 0.0]
    other = read(path, labels=["tools", "safety", "pay"], several=True).tasks
    assert other["label"].tolist()[0] == "tools pay"
    assert list(other)[-3:] == ["p_tools", "p_safety", "p_pay"]


def test_what_is_wrong_with_several_classes(tmp_path: Path):
    rows = [("text", "label"), ("One note.", "pay tools"), ("Two notes.", "pay;Tools")]
    rows += [("Three notes.", " ; "), ("Four notes.", "safety tools")]
    with pytest.raises(JobshiftError) as raised:
        read(csv_file(tmp_path, *rows), several=True)
    missing, twins, alone = str(raised.value).splitlines()[1:]
    assert missing == "- line 4: the label is missing; fill it in"
    assert "'tools' (lines 2, 5), 'Tools' (line 3)" in twins or "'Tools' (line 3)" in twins
    assert alone.startswith("- line 5: the only example of class 'safety'")
