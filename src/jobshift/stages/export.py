"""export: a finished run as a folder that others can load, rate with and judge, without jobshift.

exports/<model>/<split>-<seed>/ is a transformers model with tokenizer, model card and licence. Besides, it
has what `jobshift rate` needs: the temperature that calibrates the confidence, the automation head, the
embeddings of the training texts, which say what is out of domain, and the model as ONNX and as OpenVINO in
8-bit integers. Each of these engines is compared with torch on the held-out texts.

Of a run with several folds the first is exported. Everything is fitted on training or validation texts;
held-out test texts only measure.
"""

import json
import logging
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import MISSING

from jobshift.config import DataConfig, Study, check_counts
from jobshift.errors import JobshiftError
from jobshift.measures import bootstrap
from jobshift.measures.exposure import AUTOMATION
from jobshift.outputs import complete_folder, write_csv, write_json, write_parquet
from jobshift.rating import engines
from jobshift.rating.exported import EXPORTS, FORMAT, Exported
from jobshift.rating.heads import Heads, softmax, whitening

PREPARED = Path("data/prepared")
MODELS = Path("models")
TABLES = Path("reports/tables")
PARTS = ("train", "val", "test")
BATCH = 64
BINS = 15  # of the calibration error, as in conf/evaluate.yaml
# The logarithm of a probability that is as good as none: of an automation class that was never seen.
NEVER = -100.0
ESTIMATES = ("accuracy", "cohen_kappa")
DOMAIN = ["model", "texts", "n_texts", "threshold", "chosen", "share_flagged"]
ENGINE = ["agreement_with_torch", *ESTIMATES, *(f"{name}_difference" for name in ESTIMATES)]
ENGINES = ["model", "engine", "texts", "groups", "largest_logit_difference"]
ENGINES += [name + end for name in ENGINE for end in ("", "_low", "_high")]


@dataclass
class Domain:
    """How far from the training texts is out of domain."""

    neighbours: int = 10
    held_out_share: float = 0.05


@dataclass
class Config:
    """Schema of `conf/export.yaml`, which documents the keys."""

    study: Study = MISSING
    data: DataConfig = MISSING
    name: str = MISSING
    split: str = "purged"
    seed: int = 0
    engines: list[str] = field(default_factory=lambda: list(engines.ENGINES))
    tolerance: float = 1e-4
    calibration_texts: int = 300
    automation_c: float = 1.0
    domain: Domain = field(default_factory=Domain)
    not_tasks: dict[str, str] = field(default_factory=dict)
    draws: int = 1000
    draws_seed: int = 0
    card: str = MISSING
    language: str = "en"
    base_models: dict[str, str] = field(default_factory=dict)
    licence_texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """The texts of one part and what an engine gives for them."""

    rows: pd.DataFrame
    logits: np.ndarray  # float32 [texts, classes]
    embedding: np.ndarray  # float32 [texts, width]


def run(config: Config) -> None:
    """Write exports/<model>/<split>-<seed>/, reports/tables/domain.csv and engines.csv.

    Raises JobshiftError where the run cannot be exported, where a library is missing, and where the
    exported model does not give what the original gave.
    """
    EXPORTS.mkdir(exist_ok=True)
    if not config.name:
        logging.info("left out: params.yaml names no model in `export`")
        write_csv(pd.DataFrame(columns=DOMAIN), TABLES / "domain.csv")
        write_csv(pd.DataFrame(columns=ENGINES), TABLES / "engines.csv")
        return
    check(config)
    source = MODELS / config.name / f"{config.split}-{config.seed}"
    recorded = read_run(source, config)
    rows = {part: read_part(config, part) for part in PARTS}
    others = {name: read_texts(Path(file)) for name, file in config.not_tasks.items()}
    from jobshift.rating import card

    described = card.gather(config, recorded)
    with complete_folder(EXPORTS / config.name / source.name) as folder:
        exported = write_model(config, recorded, source, folder)
        engine = engines.open_engine(exported, "torch")
        parts = {
            part: Part(each, *rated(exported, engine, each["text"])) for part, each in rows.items()
        }
        check_original(config, exported, parts["test"], source / "predictions.parquet")
        exported = replace(exported, temperature=temperature(parts["val"], exported.classes))
        heads, automation = fit_heads(config, exported, parts)
        exported = replace(exported, automation=list(AUTOMATION) if automation else [])
        distances = {"validation texts": heads.distance(parts["val"].embedding)}
        distances["held-out test texts"] = heads.distance(parts["test"].embedding)
        for name, texts in others.items():
            distances[name] = heads.distance(rated(exported, engine, texts)[1])
        exported = replace(exported, threshold=threshold(config, distances["validation texts"]))
        domain = domain_curve(config, exported, distances)
        convert(config, exported, rows["train"])
        compared = compare_engines(config, exported, parts["test"])
        write_heads(exported, heads, rows["train"])
        write_rating(config, exported, heads, compared)
        measured = {"domain": domain, "engines": compared, "automation": automation}
        measured["calibration"] = [
            calibration_error(config, parts["test"], exported.classes, each)
            for each in (1.0, exported.temperature)
        ]
        readme = card.card(config, exported, described, measured)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        (folder / "LICENSE").write_text(card.licence(config, described), encoding="utf-8")
    write_csv(domain, TABLES / "domain.csv")
    write_csv(compared, TABLES / "engines.csv")


def check(config: Config) -> None:
    """Refuse what makes no sense, and missing libraries, before anything is read."""
    keys = ["calibration_texts", "draws", "domain.neighbours"]
    check_counts("conf/export.yaml", config, keys)
    if not config.engines or config.engines != list(engines.ENGINES[: len(config.engines)]):
        raise JobshiftError(
            f"conf/export.yaml: engines is {config.engines}; name the first one, two or three of "
            f"{', '.join(engines.ENGINES)}, as each is made from the one before"
        )
    if not 0 < config.domain.held_out_share < 1:
        raise JobshiftError(
            f"conf/export.yaml: domain.held_out_share is {config.domain.held_out_share:g}; it must be above 0 "
            "and below 1"
        )
    for name in config.engines:
        engines.check_installed(name)


def read_run(folder: Path, config: Config) -> dict:
    """The recorded config of the run in `folder`; JobshiftError where it cannot be exported."""
    file = folder / "run.json"
    if not file.is_file():
        raise JobshiftError(
            f"{file} is missing; run `jobshift train model={config.name} split={config.split} "
            f"seed={config.seed}` first"
        )
    recorded = json.loads(file.read_text(encoding="utf-8"))
    data, kind = recorded["data"], recorded["model"]["kind"]
    if data["name"] != config.data.name:
        raise JobshiftError(
            f"{folder} was trained on the data set {data['name']}, not {config.data.name}; "
            f"choose data={data['name']}"
        )
    pair = (recorded.get("tokenizer") or {}).get("pair")
    if kind != "encoder" or data["task"] != "classification" or pair:
        what = "two texts" if pair else f"a {kind} for the task {data['task']}"
        raise JobshiftError(
            f"{folder} cannot be exported: it is {what}, and only encoders that give one text one class can; "
            "choose a run such as minilm on the data set onet"
        )
    if recorded["fit_on"] != "train":
        raise JobshiftError(
            f"{folder} also learnt from the validation texts, so nothing is left to calibrate it; "
            "train it with fit_on=train"
        )
    return recorded


def read_part(config: Config, part: str) -> pd.DataFrame:
    """The prepared rows of one part of the first fold."""
    file = PREPARED / config.data.name / config.split / "0" / f"{part}.parquet"
    if not file.is_file():
        raise JobshiftError(f"{file} is missing; run `jobshift prepare data={config.data.name}`")
    return pd.read_parquet(file)


def read_texts(file: Path) -> pd.Series:
    """The texts in `file`: lines of a .txt that are not empty and no comment, or the column `text`."""
    if not file.is_file():
        raise JobshiftError(f"conf/export.yaml: not_tasks names {file}, which does not exist")
    if file.suffix == ".csv":
        return pd.read_csv(file, dtype=str)["text"]
    lines = pd.Series(file.read_text(encoding="utf-8").splitlines(), dtype=str).str.strip()
    return lines[(lines != "") & ~lines.str.startswith("#")].reset_index(drop=True)


def write_model(config: Config, recorded: dict, source: Path, folder: Path) -> Exported:
    """Write weights, tokenizer and the run's config into `folder`; what is yet to be measured is 1 or 0."""
    fold = source / "0"
    network = load(fold, config.data.classes)
    network.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    shutil.copyfile(source / "run.json", folder / "run.json")
    longest = recorded["tokenizer"]["max_length"]
    padding = write_tokenizer(fold, folder, longest)
    return Exported(
        folder=folder,
        model=config.name,
        classes=config.data.classes,
        scores=config.data.labels if config.data.exposure else None,
        automation=[],
        temperature=1.0,
        max_length=longest,
        padding=padding,
        threshold=0.0,
        neighbours=config.domain.neighbours,
    )


def load(fold: Path, classes: list[str]):
    """transformers' model of a finished fold, adapters merged into its weights."""
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging as messages

    messages.set_verbosity_error()
    messages.disable_progress_bar()
    path, options = fold, {}
    adapters = fold / "adapter_config.json"
    if adapters.is_file():
        path = json.loads(adapters.read_text(encoding="utf-8"))["base_model_name_or_path"]
        options = {
            "num_labels": len(classes),
            "id2label": dict(enumerate(classes)),
            "label2id": {label: number for number, label in enumerate(classes)},
        }
    try:
        network = AutoModelForSequenceClassification.from_pretrained(
            path, trust_remote_code=False, use_safetensors=True, **options
        )
        if adapters.is_file():
            from peft import PeftModel

            network = PeftModel.from_pretrained(network, fold).merge_and_unload()
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobshiftError(f"{fold} has no model that loads ({reason}); train it again") from error
    # Where it was loaded from is no property of the model.
    network.config._name_or_path = ""
    return network.eval()


def write_tokenizer(fold: Path, folder: Path, longest: int) -> int:
    """Write tokenizer.json and tokenizer_config.json, and return the id that pads."""
    from tokenizers import Tokenizer

    from jobshift.texts.tokenizer import padding_id

    tokenizer = Tokenizer.from_file(str(fold / "tokenizer.json"))
    padding = padding_id(tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    file = fold / "tokenizer_config.json"
    if file.is_file():
        settings = json.loads(file.read_text(encoding="utf-8"))
        settings.pop("name_or_path", None)
    settings.setdefault("pad_token", tokenizer.id_to_token(padding))
    settings["model_max_length"] = longest
    write_json(settings, folder / "tokenizer_config.json")
    return padding


def rated(exported: Exported, engine, texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Logits [texts, classes] and embeddings [texts, width] that an engine gives for `texts`."""
    from jobshift.texts.batches import Tokens, sorted_batches

    ids = [each.ids for each in exported.tokenizer().encode_batch(texts.tolist())]
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in ids])])
    tokens = Tokens(np.concatenate(ids), offsets, 0, exported.padding)
    batches = sorted_batches(tokens.lengths, BATCH)
    found = [engine(*tokens.padded(rows)) for rows in batches]
    back = np.argsort(np.concatenate(batches))
    logits, embedding = (np.concatenate(each)[back] for each in zip(*found, strict=True))
    return logits, embedding


def check_original(config: Config, exported: Exported, test: Part, file: Path) -> None:
    """JobshiftError unless the exported model gives the probabilities that the run stored in `file`."""
    stored = pd.read_parquet(file)
    stored = stored[(stored["part"] == "test") & (stored["fold"] == 0)].set_index("id")
    if not test.rows["id"].isin(stored.index).all():
        raise JobshiftError(f"{file} is of other texts than those prepared; train the run again")
    wanted = stored.loc[test.rows["id"], [f"p_{name}" for name in exported.classes]]
    gap = float(np.abs(softmax(test.logits) - wanted.to_numpy()).max())
    logging.info("torch: probabilities differ from the run's by at most %.1e", gap)
    if gap > config.tolerance:
        raise JobshiftError(
            f"{file}: the exported model's probabilities differ by up to {gap:.2g}, more than `tolerance` "
            f"in conf/export.yaml ({config.tolerance:g}); train the run again with these library versions"
        )


def numbers(labels: pd.Series, classes: list[str]) -> np.ndarray:
    """Class numbers [texts] of labels."""
    return pd.Categorical(labels, categories=classes).codes.astype(int)


def temperature(val: Part, classes: list[str]) -> float:
    """The temperature that makes the validation labels likeliest (Guo et al. 2017), from 0.05 to 20."""
    from scipy.optimize import minimize_scalar

    truth = numbers(val.rows["label"], classes)

    def loss(log_temperature: float) -> float:
        p = softmax(val.logits, np.exp(log_temperature))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(p, 1e-15)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    value = round(float(np.exp(found.x)), 6)
    logging.info(
        "temperature %.3f: log loss on validation %.4f, before %.4f", value, found.fun, loss(0.0)
    )
    return value


def calibration_error(
    config: Config, test: Part, classes: list[str], degrees: float
) -> tuple[float, float, float]:
    """Expected calibration error of the confidence at a temperature on the test texts, with interval."""
    p = softmax(test.logits, degrees)
    found = bootstrap.measure(held_out(config, test.rows, classes), p.argmax(axis=1), p, bins=BINS)
    return estimate(found["expected_calibration_error"], "expected_calibration_error")


def fit_heads(config: Config, exported: Exported, parts: dict[str, Part]) -> tuple[Heads, dict]:
    """The training embeddings and, where the data set has automation, its head and what that reaches.

    The second is measure → (value, low, high) on the test texts; empty without automation.
    """
    train = parts["train"]
    mean, spread = whitening(train.embedding)
    near = Heads(train.embedding, 1, mean=mean, map=spread).mapped(train.embedding)
    near = near.astype(np.float16).astype(np.float32)  # as they are stored
    heads = Heads(near, min(config.domain.neighbours, len(near)), mean=mean, map=spread)
    columns = [f"p_{name}" for name in AUTOMATION]
    if not set(columns) <= set(train.rows):
        return heads, {}
    shares = train.rows[columns].to_numpy() * train.rows["weight"].to_numpy()[:, None]
    weight, bias = soft_regression(train.embedding, shares, config.automation_c)
    heads = replace(heads, weight=weight, bias=bias)
    test = parts["test"]
    found = heads.automation_probabilities(test.embedding).argmax(axis=1)
    labels = test.rows["automation"]
    tasks = held_out(config, test.rows.assign(label=labels), list(AUTOMATION))
    measured = bootstrap.measure_labels(tasks, found)
    estimates = {name: estimate(measured[name], name) for name in ESTIMATES}
    usual = numbers(labels, list(AUTOMATION))
    estimates["most_frequent"] = (float(np.bincount(usual).max() / len(usual)),) * 3
    logging.info("automation: accuracy %.3f, kappa %.3f", *(estimates[n][0] for n in ESTIMATES))
    return heads, estimates


def soft_regression(
    values: np.ndarray, shares: np.ndarray, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression on shares [texts, classes]: weight [classes, width], bias [classes].

    Each text counts once for every class that it has a share of, weighted by the share. A class of which
    no text has a share has no weights and practically no probability. `c` is the inverse penalty.
    """
    from sklearn.linear_model import LogisticRegression

    row, label = np.nonzero(shares)
    known = np.unique(label)
    weight = np.zeros((shares.shape[1], values.shape[1]), dtype=np.float32)
    bias = np.full(shares.shape[1], NEVER, dtype=np.float32)
    if len(known) == 1:
        bias[known] = 0
        return weight, bias
    model = LogisticRegression(C=c, max_iter=5000)
    model.fit(values[row].astype(np.float64), label, sample_weight=shares[row, label])
    coefficients, intercept = model.coef_, model.intercept_
    if len(known) == 2:  # scikit-learn keeps those of the second class alone
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercept = np.concatenate([[0.0], intercept])
    weight[known], bias[known] = coefficients, intercept
    return weight, bias


def held_out(config: Config, rows: pd.DataFrame, classes: list[str]) -> bootstrap.HeldOut:
    """`rows` with resamples of their leak groups, which are the same in all calls for these rows."""
    return bootstrap.HeldOut(rows.assign(fold=0), classes, config.draws, config.draws_seed, 1)


def estimate(draws: np.ndarray, name: str) -> tuple[float, float, float]:
    """Value and 95 % interval of a measure, or of a difference between two, from [1 + draws]."""
    bounds = (-1.0, 1.0) if "difference" in name else bootstrap.bounds(name)
    return bootstrap.summary(draws, bounds)[:3]


def threshold(config: Config, held_out: np.ndarray) -> float:
    """The distance that at most `held_out_share` of the distances `held_out` [texts] are above."""
    at = np.quantile(held_out, 1 - config.domain.held_out_share, method="higher")
    return float(np.ceil(at * 1e6) / 1e6)


def domain_curve(
    config: Config, exported: Exported, distances: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Share of each kind of texts that is flagged, by threshold; the chosen one is among them."""
    largest = max(float(each.max()) for each in distances.values())
    grid = sorted({*np.round(np.arange(0, largest + 0.01, 0.01), 6), exported.threshold})
    rows = [
        (
            config.name,
            name,
            len(each),
            at,
            at == exported.threshold,
            round(float((each > at).mean()), 6),
        )
        for name, each in distances.items()
        for at in grid
    ]
    curve = pd.DataFrame(rows, columns=DOMAIN)
    for row in curve[curve["chosen"]].itertuples():
        logging.info("out of domain: %.1f %% of %s", 100 * row.share_flagged, row.texts)
    return curve


def convert(config: Config, exported: Exported, train: pd.DataFrame) -> None:
    """Write the model for the engines besides torch."""
    if "onnx" not in config.engines:
        return
    from jobshift.rating.convert import write_onnx, write_openvino

    onnx = exported.folder / "onnx" / "model.onnx"
    write_onnx(load(exported.folder, exported.classes), onnx)
    if "openvino-int8" in config.engines:
        chosen = np.random.default_rng(config.seed).permutation(len(train))
        texts = train["text"].iloc[np.sort(chosen[: config.calibration_texts])]
        ids = [each.ids for each in exported.tokenizer().encode_batch(texts.tolist())]
        write_openvino(onnx, exported.folder / "openvino" / "model.xml", ids)


def compare_engines(config: Config, exported: Exported, test: Part) -> pd.DataFrame:
    """One row an engine: how often its labels are torch's, what it reaches, and what it costs.

    JobshiftError where onnx, in float32 as torch, gives other logits.
    """
    found = {"torch": test.logits}
    for name in config.engines[1:]:
        found[name], _ = rated(exported, engines.open_engine(exported, name), test.rows["text"])
    own = test.logits.argmax(axis=1)
    labelled = held_out(config, test.rows, exported.classes)
    as_torch = test.rows.assign(label=np.array(exported.classes)[own])
    as_torch = held_out(config, as_torch, exported.classes)
    base = bootstrap.measure_labels(labelled, own)
    rows = []
    for name, logits in found.items():
        gap = float(np.abs(logits - test.logits).max())
        if name == "onnx" and gap > config.tolerance:
            raise JobshiftError(
                f"the model as ONNX gives logits that differ from torch's by up to {gap:.2g}, more than "
                f"`tolerance` in conf/export.yaml ({config.tolerance:g}); use the pinned versions of the "
                "extra engines"
            )
        predicted = logits.argmax(axis=1)
        measured = bootstrap.measure_labels(labelled, predicted)
        agreed = bootstrap.measure_labels(as_torch, predicted)
        draws = {"agreement_with_torch": agreed["accuracy"]}
        for measure in ESTIMATES:
            draws[measure] = measured[measure]
            draws[f"{measure}_difference"] = measured[measure] - base[measure]
        estimates = [each for key in ENGINE for each in estimate(draws[key], key)]
        groups = test.rows["group"].nunique()
        rows.append((config.name, name, len(test.rows), groups, gap, *estimates))
        logging.info("%s: agreement %.4f, accuracy %.4f", name, estimates[0], estimates[3])
    return pd.DataFrame(rows, columns=ENGINES)


def write_heads(exported: Exported, heads: Heads, train: pd.DataFrame) -> None:
    """Write heads.safetensors, and evidence.parquet with the texts of the training embeddings."""
    from safetensors.numpy import save

    arrays = {"train_embeddings": heads.train.astype(np.float16)}
    arrays |= {"mean": heads.mean, "map": heads.map}
    if heads.weight is not None:
        arrays |= {"automation_weight": heads.weight, "automation_bias": heads.bias}
    (exported.folder / "heads.safetensors").write_bytes(save(arrays))
    occupation = train["title" if "title" in train else "occupation"]
    evidence = train[["id", "text", "label"]].assign(occupation=occupation)
    write_parquet(evidence, exported.folder / "evidence.parquet")


def write_rating(config: Config, exported: Exported, heads: Heads, compared: pd.DataFrame) -> None:
    """Write rating.json, which `rating.exported.read_export` reads."""
    kept = ["texts", *ENGINES[4:]]
    content = {
        "format": FORMAT,
        "model": config.name,
        "split": config.split,
        "seed": config.seed,
        "data": config.data.name,
        "classes": exported.classes,
        "scores": exported.scores,
        "automation": exported.automation,
        "temperature": exported.temperature,
        "max_length": exported.max_length,
        "padding": exported.padding,
        "domain": {"threshold": exported.threshold, **asdict(config.domain)},
        "training_texts": len(heads.train),
        "width": heads.train.shape[1],
        "engines": {
            row["engine"]: {key: float(f"{row[key]:.6g}") for key in kept}
            for row in compared.to_dict("records")
        },
    }
    content["domain"]["neighbours"] = heads.neighbours
    for each in content["engines"].values():
        each["texts"] = int(each["texts"])
    write_json(content, exported.folder / "rating.json")
