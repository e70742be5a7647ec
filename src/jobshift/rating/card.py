"""The model card and the licence that go with an exported model.

The text is conf/export/card.md; what is filled in is read: measures from the tables of the study, sources from
what was fetched, the config from the run. No task is quoted.
"""

from pathlib import Path
from string import Template

import pandas as pd
import yaml

from jobshift.errors import JobshiftError
from jobshift.measures.fairness import in_words
from jobshift.rating.exported import Exported

RAW = Path("data/raw")
TABLES = Path("reports/tables")
# How the licence of a source begins → its name on the Hugging Face hub.
LICENCES = {"Apache 2.0": "apache-2.0", "MIT": "mit", "CC BY 4.0": "cc-by-4.0"}
WHY = {
    "purged": "They are whole groups of tasks that share a work activity or text, and every training task that "
    "shares one with them is left out; else similar tasks on both sides would make the measures too good.",
    "major_group": "They are one major group of occupations.",
    "random": "They were drawn at random, so that similar tasks are on both sides and the measures too good.",
}
SNIPPET = """\
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "."  # where this file lies
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
inputs = tokenizer(["Write replies."], truncation=True, padding=True, return_tensors="pt")
with torch.inference_mode():
    p = torch.softmax(model(**inputs).logits / {temperature:g}, dim=1)
confidence, number = p.max(dim=1)
print([model.config.id2label[n] for n in number.tolist()], confidence.tolist())"""


def gather(config, recorded: dict) -> dict:
    """What a card needs of the study: metrics, sources, base (the encoder's source or None), unreliable.

    `config` is that of the stage export, `recorded` the run's. Raises JobshiftError where the run has not
    been measured or a file is missing. `unreliable` is None where fairness was not measured.
    """
    for file in (config.card, *config.licence_texts.values()):
        if not Path(file).is_file():
            raise JobshiftError(f"conf/export.yaml names {file}, which does not exist")
    metrics = read(TABLES / "metrics.csv", "evaluate")
    model = recorded["model"]["name"]
    ours = (metrics["model"] == model) & (metrics["split"] == config.split)
    metrics = metrics[ours & (metrics["seed"].astype(str) == str(config.seed))]
    if metrics.empty:
        raise JobshiftError(
            f"{TABLES / 'metrics.csv'} has no measures of {model} on the split {config.split}, seed "
            f"{config.seed}; add the run to params.yaml and run `jobshift evaluate`"
        )
    path = Path((recorded["encoder"] or {}).get("path") or "")
    names = [*([path.name] if path.parent == RAW else []), *recorded["data"]["sources"]]
    sources = read(TABLES / "sources.csv", "sources")
    if missing := [name for name in names if name not in set(sources["name"])]:
        raise JobshiftError(
            f"{TABLES / 'sources.csv'} does not list {missing[0]}; run `jobshift sources`"
        )
    sources = sources[sources["name"].isin(names)]
    base = sources[sources["name"] == path.name].to_dict("records")
    return {
        "metrics": metrics,
        "sources": sources,
        "base": base[0] if path.parent == RAW else None,
        "path": "" if path == Path() else path.as_posix(),
        "unreliable": unreliable(model),
        "recorded": recorded,
    }


def read(file: Path, verb: str) -> pd.DataFrame:
    """A table of the study; JobshiftError where it is missing."""
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; run `jobshift {verb}` first")
    return pd.read_csv(file)


def unreliable(model: str) -> pd.DataFrame | None:
    """The rows of reports/tables/fairness.csv that call groups unreliable for `model`; None without it."""
    file = TABLES / "fairness.csv"
    if not file.is_file():
        return None
    table = pd.read_csv(file)
    return table[(table["model"] == model) & (table["unreliable"].astype(str) == "True")]


def licence_of(described: dict) -> str:
    """The licence of the weights in the hub's words: that of the encoder they were made from, or `other`."""
    stated = described["base"]["licence"] if described["base"] else ""
    return next((name for start, name in LICENCES.items() if stated.startswith(start)), "other")


def licence(config, described: dict) -> str:
    """LICENSE, with the text of the licence where conf/export.yaml has it; `described` as of `gather`."""
    base, path = described["base"], described["path"]
    lines = ["The files in this folder were made by jobshift (MIT licence).", ""]
    if base:
        lines += [f"The weights were changed by training from: {base['title']} ({base['origin']})."]
        lines += [f"They have its licence: {base['licence']}."]
    elif path:
        lines += [f"The weights were changed by training from {path}; see its licence."]
    lines += ["", "Training texts and labels, which evidence.parquet contains:", ""]
    of_data = described["sources"].drop_duplicates("name")
    of_data = of_data[of_data["name"].isin(described["recorded"]["data"]["sources"])]
    lines += [f"- {row.title}: {row.licence}" for row in of_data.itertuples()]
    if file := config.licence_texts.get(licence_of(described)):
        lines += ["", "-" * 80, "", Path(file).read_text(encoding="utf-8").rstrip("\n")]
    return "\n".join(lines) + "\n"


def card(config, exported: Exported, described: dict, measured: dict) -> str:
    """README.md: Hugging Face's front matter, then the card in Markdown.

    `described` is what `gather` gave, `measured` what the stage found: domain, engines, automation, and
    the calibration error before and after the temperature.
    """
    recorded = described["recorded"]
    data, base = recorded["data"], described["base"]
    engines, domain = measured["engines"], measured["domain"]
    hub = config.base_models.get(base["name"]) if base else described["path"]
    front = {
        "language": config.language,
        "license": licence_of(described),
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        **({"base_model": hub} if hub else {}),
        "tags": ["jobshift", "work", "tasks", *(["exposure"] if exported.scores else [])],
    }
    scores, snippet = "", SNIPPET.format(temperature=exported.temperature)
    if exported.scores:
        each = ", ".join(f"{name} {score:g}" for name, score in exported.scores.items())
        scores = f"Scores: {each}; the expected score is the exposure β (Eloundou et al. 2023)."
        values = [exported.scores[name] for name in exported.classes]
        snippet += f"\nprint((p @ torch.tensor({values})).tolist())  # β"
    chosen = domain[domain["chosen"]]
    names = ["name", "version", "licence", "file", "sha256"]
    text = Template(Path(config.card).read_text(encoding="utf-8")).substitute(
        model=exported.model,
        title=data["title"],
        data=data["name"],
        classes=", ".join(exported.classes),
        max_length=exported.max_length,
        scores=scores,
        snippet=snippet,
        raters=" ".join(f"Labels `{name}`: {who}." for name, who in data["raters"].items()),
        split=config.split,
        seed=config.seed,
        texts=engines["texts"].iloc[0],
        groups=engines["groups"].iloc[0],
        why=WHY.get(config.split, ""),
        sources=markdown(described["sources"], names),
        measures=markdown(with_intervals(described["metrics"], ["value"]), ["metric", "value"]),
        temperature=f"{exported.temperature:g}",
        before="{:.3f} [{:.3f}, {:.3f}]".format(*measured["calibration"][0]),
        after="{:.3f} [{:.3f}, {:.3f}]".format(*measured["calibration"][1]),
        automation=automation(measured["automation"]),
        engines=engine_table(engines),
        neighbours=exported.neighbours,
        threshold=f"{exported.threshold:g}",
        domain="\n".join(
            f"- {100 * r.share_flagged:.1f} % of {r.texts}" for r in chosen.itertuples()
        ),
        unreliable=groups(described["unreliable"]),
        config=yaml.safe_dump(recorded, sort_keys=False).rstrip("\n"),
    )
    return "---\n" + yaml.safe_dump(front, sort_keys=False) + "---\n\n" + text


def markdown(frame: pd.DataFrame, columns: list[str]) -> str:
    """`columns` of a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *frame[columns].astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_intervals(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """`frame` with `names` as text: 0.81 [0.79, 0.83]; the ends are NAME_low and NAME_high, or low and high."""

    def text(row: pd.Series, name: str) -> str:
        low, high = (f"{name}_{end}" if f"{name}_{end}" in row else end for end in ("low", "high"))
        if pd.isna(row[name]):
            return "not defined"
        return f"{row[name]:.3f} [{row[low]:.3f}, {row[high]:.3f}]"

    return frame.assign(
        **{name: [text(row, name) for _, row in frame.iterrows()] for name in names}
    )


def engine_table(engines: pd.DataFrame) -> str:
    """How the engines compare with torch."""
    names = {"agreement_with_torch": "labels as torch's", "accuracy": "accuracy"}
    names |= {"accuracy_difference": "less torch's", "cohen_kappa": "kappa"}
    names |= {"cohen_kappa_difference": "kappa less torch's"}
    shown = with_intervals(engines, list(names)).rename(columns=names)
    return markdown(shown, ["engine", *names.values()])


def automation(found: dict) -> str:
    """What the automation head reaches on the test texts: measure → (value, low, high)."""
    if not found:
        return "The data set has no automation classes, so there is no such head."
    accuracy, kappa = (
        "{:.3f} [{:.3f}, {:.3f}]".format(*found[name]) for name in ("accuracy", "cohen_kappa")
    )
    return (
        "`heads.safetensors` has a logistic regression on the mean of the last layer over a text's tokens, "
        f"fitted on the training tasks' shares of T0 to T4. On the held-out texts: accuracy {accuracy}, "
        f"Cohen's kappa {kappa}; the most frequent class is right in {found['most_frequent'][0]:.3f}."
    )


def groups(found: pd.DataFrame | None) -> str:
    """The groups of tasks in which the model errs most, from rows of fairness.csv."""
    if found is None:
        return "Errors by group of tasks were not measured."
    if found.empty:
        return "Errors were measured by group of tasks; no group was called unreliable."
    return "\n".join(f"- {in_words(row)}" for row in found.to_dict("records"))
