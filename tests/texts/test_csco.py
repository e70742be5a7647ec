"""The Chinese classification and its job titles, on a made-up classification in words of our own."""

import re
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from jobshift.errors import JobshiftError
from jobshift.texts import csco, schema
from jobshift.texts.splits import leakage, purge

CLASSES = ["M1", "M2", "M6"]
COLUMNS = ["level", "code", "name", "definition", "tasks"]
ROWS = [
    ("1", "1-00-00-00", "当家人", None, None),
    ("2", "1-01-00-00", "院长们", None, None),
    # A medium group without small groups: 1-01-00 is one all the same.
    ("4", "1-01-00-01", "小院院长", "管小院的人。", "1.定下每周的菜单 2.写记录。"),
    ("4", "1-01-00-02", "大院院长", "管大院的人。", None),
    ("1", "2-00-00-00", "懂行的人", None, None),
    ("2", "2-02-00-00", "画图的人", None, None),
    ("3", "2-02-01-00", "画桥的人", None, None),
    (
        "4",
        "2-02-01-01",
        "画桥师S",
        "画桥的人。",
        "1.量河宽，按1:3画图 2.写记录 3.把图交给2号桥队。",
    ),
    (
        "4",
        "2-02-01-02",
        "看桥师L",
        "看桥的人。",
        "1.数　桥上的螺丝（ＡＢ型） 2.数桥上的螺丝(ab型)。",
    ),
    (
        "4",
        "2-02-01-02",
        "看桥师L",
        "看桥的人。",
        "1.数　桥上的螺丝（ＡＢ型） 2.数桥上的螺丝(ab型)。",
    ),
    # The list of the only occupation without one stands in the row of its group.
    ("3", "2-02-02-00", "修画的人", None, "1.洗画 2.补画。"),
    ("4", "2-02-02-01", "洗画师", "洗画的人。", "1.晾画。"),
    ("4", "2-02-02-02", "补画师L/S", "补画的人。", " "),
    ("1", "6-00-00-00", "做工的人", None, None),
    ("4", "6-01-01-00", "磨刀工", "磨刀的人。", "磨刀；擦刀。收刀"),
    # A group that the file calls an occupation.
    ("4", "6-01-02-00", "做伞的人", None, None),
    ("4", "6-01-02-01", "糊伞工", "糊伞的人。", "1.糊伞 2.—— 3.晒伞"),
    ("1", "8-00-00-00", "其他人", None, None),
]
TITLES = [
    ("画桥师", "2-02-01-01", "画桥师"),
    ("🔥ＵＩ画桥\u200b师（北京）✨", "２-02-01-01", "画桥师s"),
    ("懂行的都来", "2-00-00-00", "懂行的人"),
    ("画图 普工", "2-02-00-00", None),
    ("糊伞 curator № 5", "6-01-02-00", "做伞的人"),
    ("补画 / 高薪", "2–02–02–02", "补画师 L/S"),
    ("随便干干", "8-00-00-00", "其他人"),
    (None, "2-02-01-01", "画桥师"),
    ("🔥\u200b🎈", "2-02-01-01", "画桥师"),
    ("！！！", "2-02-01-01", "画桥师"),
    ("卖桥", None, "卖桥的人"),
    ("等桥", "不知道", None),
    ("又画又磨", "2-02-01-01、6-01-01-00", "画桥师"),
    ("画月亮", "2-02-09-09", "画月师"),
    ("磨刀", "6-01-01-00", "画桥师"),
    ("看桥 夜班", "2-02-01-02", "看桥师L"),
    ("看桥（夜班）", "2-02-01-02", "看桥师L"),
    ("什么都干", "2-02-01-02", None),
    ("什么都干！", "6-01-01-00", None),
]


def write(raw: Path, rows: list[tuple] = ROWS, titles: list[tuple] = TITLES) -> Path:
    folder = raw / "csco_2022"
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "csco22.csv", index=False)
    columns = ["job_name", "expected_code", "expected_name"]
    pd.DataFrame(titles, columns=columns).to_csv(folder / "testcases.csv", index=False)
    return raw


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write(tmp_path)


@pytest.fixture
def prepared(raw: Path) -> csco.Prepared:
    return csco.prepare(raw, CLASSES, "csco")


@pytest.fixture
def titles(raw: Path) -> csco.Prepared:
    return csco.job_titles(raw, CLASSES)


# Lists


@pytest.mark.parametrize(
    "written",
    [
        "1.洗碗 2.扫地 3.开门。",
        "1、洗碗；2、扫地；3、开门。",
        "１．洗碗　２．扫地　３．开门",
        "1)洗碗 2)扫地 3)开门",
        "1）洗碗；2）扫地；3）开门；。",
        "(1)洗碗\n(2)扫地\n(3)开门",
        "（１）洗碗。（２）扫地。（３）开门。",
        "一、洗碗。二、扫地。三、开门。",
        "（一）洗碗；（二）扫地；（三）开门",
        "①洗碗；②扫地 ③开门。",
        "洗碗；扫地;开门。",
        "洗碗\r\n扫地\r\n\r\n开门",
        "洗碗。扫地。开门。",
        "  1. 洗碗  2. 扫地 3. 开门 。",
        "01.洗碗 02.扫地 03.开门",
    ],
)
def test_every_style_of_list_gives_the_same_statements(written: str):
    assert csco.split_list(written) == ["洗碗", "扫地", "开门"]
    assert not csco.in_doubt(written)


def test_a_number_in_a_statement_cuts_nothing():
    written = "1.按1:3配料 2.升到2.5米，看第3、4层 3.照管0～3岁孩子 4.交给3.号 5.用C4.5。"
    assert csco.split_list(written) == [
        "按1:3配料",
        "升到2.5米，看第3、4层",
        "照管0～3岁孩子",
        "交给3.号",
        "用C4.5",
    ]


def test_semicolons_and_full_stops_in_a_numbered_list_belong_to_the_statement():
    assert csco.split_list("1.洗碗；擦桌。 2.扫地。") == ["洗碗；擦桌", "扫地"]


def test_a_list_in_a_list_stays_with_its_statement():
    assert csco.split_list("一、洗 1.碗 2.盆 二、扫地") == ["洗 1.碗 2.盆", "扫地"]


def test_words_before_the_list_are_kept():
    assert csco.split_list("每天。 1.洗碗 2.扫地") == ["每天", "洗碗", "扫地"]


def test_one_chinese_numeral_is_no_list():
    assert csco.split_list("一、二层的窗子") == ["一、二层的窗子"]
    assert csco.split_list("1.擦窗子") == ["擦窗子"]


@pytest.mark.parametrize("cell", ["", " ", "。", "；；\n"])
def test_nothing_gives_no_statement(cell: str):
    assert csco.split_list(cell) == []


def test_chinese_numerals_count_to_99():
    says = {"一": 1, "九": 9, "十": 10, "十一": 11, "二十": 20, "九十九": 99, "１２": 12}
    for numeral, number in says.items():
        assert csco.value(csco.MARK.match(f"{numeral}、擦窗")) == number
    assert csco.value(csco.MARK.match("⑳擦窗")) == 20


def test_long_lists_with_chinese_numerals():
    numerals = [*"一二三四五六七八九十", "十一", "十二"]
    assert csco.split_list("".join(f"{each}、擦第窗。" for each in numerals)) == ["擦第窗"] * 12


@pytest.mark.parametrize(
    "written", ["1.洗碗 2.扫地 4.开门", "1.洗碗 2.扫地 1.开门", "2.洗碗 3.扫地"]
)
def test_numbers_that_do_not_fit_are_noticed(written: str):
    assert csco.in_doubt(written)


WORDS = st.text("洗碗扫地开门，（）Ｘx1:～3", min_size=1, max_size=8).filter(
    lambda word: word == word.strip(csco.ENDS) and not re.match(r"[\d:]|[（)]\d", word)
)
STYLES = ["{}.", "{}、", "{})", "（{}）", "({})"]


@given(
    st.lists(WORDS, min_size=1, max_size=30), st.sampled_from(STYLES), st.sampled_from("; 。\n　")
)
def test_what_was_joined_to_a_list_comes_back(words: list[str], style: str, between: str):
    written = between.join(style.format(n) + word for n, word in enumerate(words, start=1))
    assert csco.split_list(written) == words
    assert not csco.in_doubt(written)


@given(st.text("12３一二十①②.、．)（ 　\n。；;,，洗碗a", max_size=40))
@example("1.洗 2.")
@example("1、 1")
@example("①1.洗；②2.碗")
def test_splitting_loses_only_numbering_and_separators(text: str):
    gap = f"[{re.escape(csco.ENDS)}]"
    if csco.numbering(text):
        gap += r"|[(（]?\s*([\d]{1,2}|[一二十]{1,3})\s*[.．、)）]|[①②]"
    lost = f"({gap})*"
    statements = [re.escape(each) for each in csco.split_list(text)]
    assert re.fullmatch(lost + "".join(each + lost for each in statements), text)


# The form of a text


def test_a_text_gets_its_plain_form():
    assert csco.plain("ＡＢ（１２）　Ｃ＋＋，ｶﾞ") == "AB(12) C++,ガ"
    assert csco.plain("\u200b洗\ufeff碗\u00a0 \t\n工\x07\ue000") == "洗碗 工"
    assert csco.plain("🔥急招👩\u200d🔧★司机➕包住☎️1️⃣") == "急招 司机 包住 1"
    assert csco.plain("🔥🎈\u200d") == ""
    assert csco.plain("Java后端 C# № ℃ Ⅳ α") == "Java后端 C# No °C IV α"


@given(st.text(max_size=30))
def test_the_plain_form_is_final(text: str):
    once = csco.plain(text)
    assert csco.plain(once) == once == unicodedata.normalize("NFKC", once)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF) | st.sampled_from("aZ09")))
def test_ideographs_letters_and_digits_stay(text: str):
    assert csco.plain(text) == text


# Tasks


def test_one_row_a_statement(prepared: csco.Prepared):
    tasks = prepared.tasks.set_index("id")
    assert dict(tasks["text"]) == {
        "1-01-00-01.01": "定下每周的菜单",
        "1-01-00-01.02": "写记录",
        "2-02-01-01.01": "量河宽,按1:3画图",
        "2-02-01-01.02": "写记录",
        "2-02-01-01.03": "把图交给2号桥队",
        "2-02-01-02.01": "数 桥上的螺丝(AB型)",
        "2-02-01-02.02": "数桥上的螺丝(ab型)",
        "2-02-02-01.01": "晾画",
        "2-02-02-02.01": "洗画",
        "2-02-02-02.02": "补画",
        "6-01-01-00.01": "磨刀",
        "6-01-01-00.02": "擦刀",
        "6-01-01-00.03": "收刀",
        "6-01-02-01.01": "糊伞",
        "6-01-02-01.03": "晒伞",
    }
    assert tasks.loc["2-02-01-02.01", "original"] == "数　桥上的螺丝（ＡＢ型）"
    assert tasks.loc["2-02-02-02.02", "title"] == "补画师L/S"


def test_label_and_leak_group_come_from_the_code(prepared: csco.Prepared):
    tasks = prepared.tasks
    assert (tasks["occupation"] == tasks["id"].str[:10]).all()
    groups = tasks.groupby("group")["label"].agg(["first", "nunique", "size"]).T.to_dict("list")
    assert groups == {
        "1-01-00": ["M1", 1, 2],
        "2-02-01": ["M2", 1, 5],
        "2-02-02": ["M2", 1, 3],
        "6-01-01": ["M6", 1, 3],
        "6-01-02": ["M6", 1, 2],
    }
    first = tasks.iloc[0]
    assert [first["p_M1"], first["p_M2"], first["p_M6"], first["weight"]] == [1, 0, 0, 1]


def test_the_tasks_are_in_the_prepared_format(prepared: csco.Prepared, titles: csco.Prepared):
    for frame in (prepared.tasks, titles.tasks):
        schema.valid(frame, schema.TASKS, "csco")
        assert frame["id"].is_monotonic_increasing


def test_everything_read_and_left_out_is_counted(prepared: csco.Prepared):
    assert prepared.dropped == {
        "occupation that stands twice": 1,  # 看桥师
        "occupation without definition and tasks": 1,  # 做伞的人
        "task list of a group, not of an occupation": 0,
        "occupation without tasks": 1,  # 大院院长
        "statement without a letter or digit": 1,  # ——
        "statement that stands twice in its occupation": 0,  # AB with a space is another one
    }
    assert prepared.counts == {
        "occupations": 7,
        "small groups": 5,
        "tasks": 15,
        "distinct texts": 14,
        "texts in several small groups": 1,  # 写记录, of 1-01-00 and 2-02-01
        "tasks whose text is in several small groups": 2,
        "texts in several major groups": 1,
        "tasks whose text is in several major groups": 2,
        "characters of the shortest text": 2,
        "characters of the longest text": 12,  # 数 桥上的螺丝(AB型)
    }
    assert prepared.facts["task lists"] == (
        "6 numbered, 1 without numbers; 0 with numbers that do not fit; 1 of one statement"
    )


def test_a_statement_twice_in_one_occupation_counts_once(tmp_path: Path):
    rows = [("4", "2-02-01-01", "画桥师", "画桥的人。", "1.画ＡＢ桥 2.看桥 3.画ab桥。 4.量桥")]
    prepared = csco.prepare(write(tmp_path, rows), CLASSES, "csco")
    assert list(prepared.tasks["id"].str[-2:]) == ["01", "02", "04"]
    assert prepared.dropped["statement that stands twice in its occupation"] == 1


def test_the_list_of_a_group_is_given_to_nobody_where_two_could_have_it(tmp_path: Path):
    # Now neither 洗画师 nor 补画师 has one.
    rows = [(*row[:4], None) if row[1] == "2-02-02-01" else row for row in ROWS]
    prepared = csco.prepare(write(tmp_path, rows), CLASSES, "csco")
    assert not prepared.tasks["group"].eq("2-02-02").any()
    assert prepared.dropped["task list of a group, not of an occupation"] == 1
    assert prepared.dropped["occupation without tasks"] == 3


def test_a_text_of_two_groups_does_not_straddle_a_purged_split(prepared: csco.Prepared):
    tasks = prepared.tasks
    texts = tasks["text"]
    held = tasks["group"] == "1-01-00"
    part = purge(tasks["group"], texts, tasks["group"], held, 0.5, seed=0)
    assert tasks["id"][part == "purged"].tolist() == ["2-02-01-01.02"]  # 写记录
    # By whole groups alone it would.
    part = held.map({True: "test", False: "train"})
    assert leakage(tasks["group"], texts, part, "test", "train") == {"dwa": 0, "text": 0.5}


def test_two_contents_of_one_code_are_an_error(tmp_path: Path):
    rows = [*ROWS, ("4", "6-01-01-00", "磨刀工", "磨刀的人。", "1.磨剪子。")]
    with pytest.raises(JobshiftError, match=r"csco22.csv.*6-01-01-00.*two contents"):
        csco.prepare(write(tmp_path, rows), CLASSES, "csco")


def test_a_class_that_is_missing_is_an_error(raw: Path):
    with pytest.raises(ValueError, match="M6 is missing"):
        csco.prepare(raw, ["M1", "M2"], "csco")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("4", "2-02-1-01", "画桥师", "画", "1.画"), r"column 'code', line 20: '2-02-1-01'"),
        (("5", "2-02-01-09", "画桥师", "画", "1.画"), r"column 'level', line 20: '5'"),
        (("4", "2-02-01-09", None, "画", "1.画"), r"column 'name', line 20"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, row: tuple, says: str):
    with pytest.raises(JobshiftError, match=says):
        csco.prepare(write(tmp_path, [*ROWS, row]), CLASSES, "csco")


def test_a_missing_file_says_how_to_get_it(tmp_path: Path):
    for read in (
        lambda: csco.prepare(tmp_path, CLASSES, "csco"),
        lambda: csco.job_titles(tmp_path, CLASSES),
    ):
        with pytest.raises(JobshiftError, match="jobshift fetch source=csco_2022"):
            read()


@pytest.mark.parametrize("unusable", [[], [(None, None, None)], TITLES[10:11], TITLES[-2:]])
def test_a_file_without_tasks_or_titles_is_an_error(tmp_path: Path, unusable: list[tuple]):
    raw = write(tmp_path, [row for row in ROWS if not row[4]], unusable)
    with pytest.raises(JobshiftError, match="no occupation with tasks"):
        csco.prepare(raw, CLASSES, "csco")
    with pytest.raises(JobshiftError, match="no title with a usable code"):
        csco.job_titles(raw, CLASSES)


# Job titles


def test_titles_with_a_usable_code(titles: csco.Prepared):
    columns = ["id", "text", "label", "group", "occupation"]
    rows = titles.tasks[columns].fillna("none").to_numpy().tolist()
    assert rows == [
        ["t00001", "画桥师", "M2", "2-02-01", "2-02-01-01"],
        ["t00002", "UI画桥师(北京)", "M2", "2-02-01", "2-02-01-01"],
        ["t00003", "懂行的都来", "M2", "2", "none"],
        ["t00004", "画图 普工", "M2", "2-02", "none"],
        ["t00005", "糊伞 curator No 5", "M6", "6-01-02", "none"],
        ["t00006", "补画 / 高薪", "M2", "2-02-02", "2-02-02-02"],
        ["t00016", "看桥 夜班", "M2", "2-02-01", "2-02-01-02"],
    ]
    assert titles.tasks["original"][1] == TITLES[1][0]


def test_a_note_says_what_is_special(titles: csco.Prepared):
    assert titles.tasks["note"].tolist() == [
        "",
        "pictures or invisible characters taken out",
        "code of a major group",
        "code of a medium group",
        "code of a small group",
        "",
        "",
    ]


def test_every_title_left_out_is_counted(titles: csco.Prepared):
    assert titles.dropped == {
        "empty title": 2,  # null, pictures only
        "title without a letter or digit": 1,
        "no code": 1,
        "not a code": 1,
        "several codes": 1,
        "code that the classification does not have": 1,
        "major group without tasks": 1,
        "name that is not that of the code": 1,
        "title with several codes": 2,
        "title that stands twice": 1,
    }
    assert titles.counts["titles read"] == len(TITLES) == 7 + sum(titles.dropped.values())
    assert titles.counts["titles"] == 7
    assert titles.counts["titles with the code of a small group"] == 1
    assert titles.counts["titles with pictures or invisible characters"] == 1
    assert (
        titles.counts["titles that are the name of their code"] == 1
    )  # 画桥师, written 画桥师S there
    assert titles.counts["characters of the longest title"] == len("糊伞 curator No 5")


# The data set's file


def test_every_class_has_its_names():
    data = OmegaConf.load(Path(__file__).parents[2] / "conf" / "data" / "csco.yaml")
    classes = [f"M{digit}" for digit in range(1, 7)]
    assert list(data.labels) == classes
    assert list(data.names) == classes and len(set(data.names.values())) == 6
    for name in data.names.values():  # in Chinese, then in English
        chinese, _, english = name.partition(" ")
        assert not chinese.isascii() and english.isascii() and english
