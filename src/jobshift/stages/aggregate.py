"""aggregate: task ratings → occupations → labour market (May 2025), as tidy tables.

Every table has the columns `rater`, `task_weighting` (the rule really applied) and `exposure_from`;
only `oews_unmatched.csv` and `oews_cells.csv`, which no rating enters, have none of them. Raters are
those of the data set and, when the study is cross-fitted with `split.folds` above 1, the models, whose
test predictions then cover every task. A task that a rater has not rated does not count for him.

`exposure: labels` is the default because the reported question is which share of an occupation's
tasks is exposed: a task counts or it does not. With `shares`, a single dissenting vote, or the
small probability that any model gives to every class, makes every task a little exposed; ζ is then
nowhere 0 and the share of workers over a threshold measures calibration as much as exposure.
`shares` is there to test how much the hard majority matters. Substituted, complemented and
untouched always use hard labels, since the joint votes on exposure and automation are not kept;
they are empty for models, which do not predict automation. Which automation classes go with whose
exposure is the data set's `automation`.

Rates are shares between 0 and 1; employment is in workers, wages in US dollars a year. Where the labels of
the data set are no degrees of exposure, all tables are empty and the log says so.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from omegaconf import MISSING
from pandas.api.types import is_numeric_dtype

from jobshift.config import DataConfig, Study
from jobshift.errors import JobshiftError
from jobshift.measures import labour_market as lm
from jobshift.measures.exposure import AUTOMATION
from jobshift.outputs import write_csv, write_parquet
from jobshift.texts.oews import ALL_OCCUPATIONS, DETAILED, MAJOR, Oews, read_bridge, read_oews

OEWS = Path("data/raw/oews_2025/oews.sqlite")
PREPARED = Path("data/prepared")
MODELS = Path("models")
TABLES = Path("reports/tables")
RESULTS = Path("data/results/occupations.parquet")
ONET_SOC = r"\d\d-\d{4}\.\d\d"
# The two long tables are committed with four digits, a hundredth of a percent: 0.1 MB a rater.
DIGITS = {"exposure_industries_detailed": "%.4f", "exposure_areas": "%.4f"}
BY_RATER = ["rater", "task_weighting", "exposure_from"]
PLACE = [
    *("n_occupations", "n_unmatched", "n_not_released", "employment_workers", "matched_workers"),
    *("unmatched_workers", "not_shown_workers", "matched_share", *lm.RATES),
]
WAGES = ["median_annual_wage_usd", "annual_wage_usd", "wage_basis"]
ONET = ["occupation", "title", "soc", "n_tasks", *lm.RATES]
# The columns of every table, for a data set that has none of them.
COLUMNS = {
    "exposure_areas": [
        *(*BY_RATER, "area_code", "area", "state_fips", "metropolitan", "in_national", *PLACE),
    ],
    "exposure_industries": [*BY_RATER, "naics", "industry", *PLACE],
    "exposure_industries_detailed": [
        *(*BY_RATER, "naics", "naics_level", "industry", "ownership", *PLACE),
    ],
    "exposure_major_groups": [*BY_RATER, "major_group", "title", *PLACE],
    "exposure_national": [*BY_RATER, "measure", "value", "unit", "n_workers"],
    "exposure_occupations": [
        *(*BY_RATER, "soc", "title", "match", "n_onet", "n_tasks", "employment_workers"),
        *(*WAGES, *lm.RATES),
    ],
    "exposure_onet": [*BY_RATER, *ONET],
    "exposure_states": [*BY_RATER, "state_fips", "state", "in_national", *PLACE],
    "exposure_thresholds": [*BY_RATER, "measure", "threshold", "n_workers", "workers_share"],
    "exposure_wage_deciles": [
        *(*BY_RATER, "decile", "wage_from_usd", "wage_to_usd", "wage_mean_usd", "n_occupations"),
        *("employment_workers", "matched_workers", "unmatched_workers", "matched_share", *lm.RATES),
    ],
    "oews_bridge": [
        *(*BY_RATER, "oews_code", "oews_title", "employment_workers", "soc_code", "soc_title"),
        *("reason", "used", "n_onet", "n_tasks", *lm.RATES),
    ],
    "oews_cells": ["block", "quantity", "status", "n_cells"],
    "oews_unmatched": [
        *("side", "code", "title", "employment_workers", "share_of_detailed", "n_tasks", "reason"),
    ],
}


@dataclass
class Config:
    """Schema of conf/aggregate.yaml."""

    study: Study = MISSING
    data: DataConfig = MISSING
    weighting: str = "core"
    exposure: str = "labels"
    impute_residual: bool = False
    automated_from: str = "T3"
    bridge: str = "conf/bridge/oews_2025.csv"


def run(config: Config) -> None:
    """Write every table of exposure to reports/tables/ and data/results/occupations.parquet."""
    for key, known in (
        ("weighting", ("core", "equal")),
        ("exposure", ("labels", "shares")),
        ("automated_from", AUTOMATION),
    ):
        value = getattr(config, key)
        if value not in known:
            raise JobshiftError(
                f"conf/aggregate.yaml: {key} is {value!r}; choose one of {', '.join(known)}"
            )
    if reason := config.data.no_exposure:
        logging.info("left out: %s", reason)
        for name, columns in COLUMNS.items():
            write_csv(pd.DataFrame(columns=columns), TABLES / f"{name}.csv")
        write_parquet(pd.DataFrame(columns=[*BY_RATER, *ONET], dtype=str), RESULTS)
        return
    oews = read_oews(OEWS)
    tasks = read_tasks(config)
    bridge = read_bridge(Path(config.bridge))
    with_tasks = set(tasks["occupation"].str[:7])
    pairs = lm.links(detailed(oews), with_tasks, bridge, config.impute_residual, config.bridge)
    rule, weights = lm.task_weights(tasks, config.weighting)
    parts: dict[str, list[pd.DataFrame]] = {}
    for rater, rated, shares, automation in ratings(config, tasks):
        rates = lm.task_exposure(shares, config.data.labels)
        if automation is not None:
            rates = rates.join(
                lm.task_shares(
                    rated["label"], automation, config.data.labels, config.automated_from
                )
            )
        onet = lm.occupation_rates(rated, rates.reindex(columns=lm.RATES), weights[rated.index])
        for name, table in rater_tables(oews, onet, pairs, bridge).items():
            named = table.copy()
            named.insert(0, "rater", rater)
            named.insert(1, "task_weighting", rule)
            named.insert(2, "exposure_from", config.exposure)
            parts.setdefault(name, []).append(named)
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    tables["oews_unmatched"] = unmatched(oews, onet, pairs, bridge)
    tables["oews_cells"] = oews.cells
    write_parquet(tables.pop("occupations"), RESULTS)
    for name, table in tables.items():
        write_csv(whole_numbers(table), TABLES / f"{name}.csv", DIGITS.get(name, "%.6f"))
    headline = tables["exposure_national"]
    headline = headline[headline["rater"] == config.study.rater].set_index("measure")["value"]
    logging.info(
        "aggregate: β = %.3f over %d occupations with %.1f %% of employment; task weighting: %s",
        headline["beta"],
        headline["n_occupations_matched"],
        100 * headline["matched_share_of_total"],
        rule,
    )


def read_tasks(config: Config) -> pd.DataFrame:
    """The tasks of the study's data set, sorted by id, with every column that is needed checked."""
    file = PREPARED / config.data.name / "tasks.parquet"
    if not file.is_file():
        raise JobshiftError(
            f"{file} is missing; make it with `jobshift prepare data={config.data.name}`"
        )
    tasks = pd.read_parquet(file)
    shares = [f"p_{name}" for name in config.data.labels]
    needed = ["id", "label", *shares, "automation", "occupation", "title", "weight"]
    needed += [f"label_{rater}" for rater in config.data.raters if rater != config.study.rater]
    # Raters may share the automation classes of one of them.
    needed = list(dict.fromkeys([*needed, *automation_columns(config).values()]))
    missing = [name for name in needed if name not in tasks.columns]
    if missing:
        raise JobshiftError(
            f"{file} has no column {missing[0]}, which aggregation needs; "
            f"run `jobshift prepare data={config.data.name}` again or choose a data set that has it"
        )
    tasks = tasks[needed].sort_values("id", ignore_index=True)
    for column, good in (
        ("occupation", tasks["occupation"].str.fullmatch(ONET_SOC, na=False)),
        ("label", tasks["label"].isin(list(config.data.labels))),
        ("automation", tasks["automation"].isin(AUTOMATION)),
        ("weight", tasks["weight"] > 0),
    ):
        if not good.all():
            row = tasks[~good].iloc[0]
            raise JobshiftError(
                f"{file}: task {row['id']} has {column} {row[column]!r}, which does not fit; "
                f"run `jobshift prepare data={config.data.name}` again"
            )
    return tasks


def automation_columns(config: Config) -> dict[str, str]:
    """Rater → the column of the automation classes that go with his exposure classes."""
    own = config.study.rater
    return {
        rater: "automation" if rater == own else f"automation_{other}"
        for rater, other in config.data.automation.items()
    }


def ratings(
    config: Config, tasks: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, pd.Series | None]]:
    """Each rater's name, the tasks rated with their `label`, label shares `p_<class>` and automation.

    The tasks are those of `tasks`, in that order; automation is None for models.
    """
    automation = automation_columns(config)
    for rater in config.data.raters:
        rated = tasks
        if rater != config.study.rater:
            rated = tasks.assign(label=tasks[f"label_{rater}"]).dropna(subset="label")
            rated = rated.assign(**indicators(rated["label"], config))
        classes = rated[automation[rater]] if rater in automation else None
        yield rater, rated, chosen_shares(rated, config), classes
    if config.study.split.folds == 1:
        return
    for model in config.study.all_models():
        file = MODELS / model / f"purged-{config.study.seeds[0]}" / "predictions.parquet"
        if not file.is_file():
            raise JobshiftError(
                f"{file} is missing; make it with "
                f"`jobshift train model={model} split=purged seed={config.study.seeds[0]}`"
            )
        predictions = pd.read_parquet(file)
        held_out = predictions[predictions["part"] == "test"].sort_values("id", ignore_index=True)
        if held_out["id"].tolist() != tasks["id"].tolist():
            raise JobshiftError(
                f"{file}: the test parts of all folds have {len(held_out)} rows and "
                f"{held_out['id'].nunique()} tasks, but must have each of the {len(tasks)} tasks "
                "once; run prepare and train again"
            )
        unknown = held_out[~held_out["predicted"].isin(list(config.data.labels))]
        if len(unknown):
            row = unknown.iloc[0]
            raise JobshiftError(
                f"{file}: task {row['id']} is predicted {row['predicted']!r}, which is none of "
                f"{', '.join(config.data.labels)}; train the model again"
            )
        shares = {name: held_out[name] for name in held_out if name.startswith("p_")}
        rated = tasks.assign(label=held_out["predicted"], **shares)
        yield model, rated, chosen_shares(rated, config), None


def indicators(labels: pd.Series, config: Config) -> dict[str, pd.Series]:
    """`p_<class>`, 1.0 for the class given, else 0.0."""
    return {f"p_{name}": (labels == name).astype(float) for name in config.data.labels}


def chosen_shares(rated: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The shares of `rated`, or 1.0 for its hard label, as the config says."""
    if config.exposure == "shares":
        return rated[[f"p_{name}" for name in config.data.labels]]
    return pd.DataFrame(indicators(rated["label"], config))


def detailed(oews: Oews) -> pd.DataFrame:
    """The detailed occupations with the columns of `occupations` and `national`."""
    codes = oews.occupations[oews.occupations["level"] == DETAILED]
    return codes.merge(oews.national, on="code", validate="one_to_one")


def rater_tables(
    oews: Oews, onet: pd.DataFrame, pairs: pd.DataFrame, bridge: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Every table of one rater by name, sorted, from its O*NET occupations and the OEWS links."""
    soc = lm.soc_rates(onet)
    rates = lm.oews_rates(pairs, soc)
    market = detailed(oews).join(rates, on="code")
    market = market.fillna({"match": "none", "n_onet": 0, "n_tasks": 0})
    matched = market[market["beta"].notna() & market["employment_workers"].notna()]
    curve = lm.thresholds(matched["employment_workers"], matched)
    # Of the whole OEWS occupation, which several O*NET occupations may share.
    employers = oews.national.set_index("code")[["employment_workers", "annual_wage_usd"]]
    employers = employers.add_prefix("oews_")
    return {
        "exposure_onet": onet,
        "exposure_occupations": occupation_table(market, onet, soc, pairs),
        "exposure_major_groups": major_groups(oews, market, rates),
        "exposure_wage_deciles": lm.wage_deciles(market),
        "exposure_industries": places(oews.sectors, market, rates, "naics", "industry"),
        "exposure_industries_detailed": places(oews.industries, market, rates, "naics", "industry"),
        "exposure_states": places(oews.states, market, rates, "state_fips", "state"),
        "exposure_areas": places(oews.areas, market, rates, "area_code", "area"),
        "exposure_thresholds": curve,
        "exposure_national": national(oews, market, rates, curve),
        "oews_bridge": bridge_table(oews, onet, soc, pairs, bridge),
        "occupations": onet.join(own_links(pairs), on="soc").join(employers, on="oews_code"),
    }


def own_links(pairs: pd.DataFrame) -> pd.DataFrame:
    """The one OEWS code to which each SOC code itself belongs: oews_code, match by soc_code."""
    return pairs[pairs["match"] != "imputed"].set_index("soc_code")


def without_employment(onet: pd.DataFrame, soc: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """SOC codes with tasks but no OEWS employment, titled as their first O*NET occupation."""
    rest = soc[~soc.index.isin(own_links(pairs).index)].rename_axis("code").reset_index()
    rest.insert(1, "title", rest["code"].map(onet.groupby("soc")["title"].first()))
    return rest


def occupation_table(
    market: pd.DataFrame, onet: pd.DataFrame, soc: pd.DataFrame, pairs: pd.DataFrame
) -> pd.DataFrame:
    """Every OEWS occupation, matched or not, and every SOC code with tasks that OEWS lacks."""
    rest = without_employment(onet, soc, pairs).assign(match="no employment")
    table = pd.concat([market, rest.reindex(columns=market.columns)], ignore_index=True)
    counts = ["n_onet", "n_tasks", "employment_workers"]
    wages = ["median_annual_wage_usd", "annual_wage_usd", "wage_basis"]
    columns = ["code", "title", "match", *counts, *wages, *lm.RATES]
    return table[columns].rename(columns={"code": "soc"}).sort_values("soc", ignore_index=True)


def major_groups(oews: Oews, market: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """The SOC major groups (first two digits), against the totals that OEWS publishes for them."""
    level, code = oews.occupations["level"], oews.occupations["code"]
    groups = oews.occupations[(level == MAJOR) & (code != ALL_OCCUPATIONS)]
    groups = groups.merge(oews.national, on="code", validate="one_to_one")
    totals = groups.assign(major_group=groups["code"].str[:2]).set_index("major_group")
    frame = lm.by_place(
        market.assign(place=market["code"].str[:2]), totals["employment_workers"], rates
    )
    return with_titles(frame, totals[["title"]])


def places(
    block: pd.DataFrame, market: pd.DataFrame, rates: pd.DataFrame, key: str, title: str
) -> pd.DataFrame:
    """The places of an OEWS `block`, against the totals that OEWS publishes for them."""
    totals = block[block["code"] == ALL_OCCUPATIONS].set_index("place").rename_axis(key)
    cells = block[block["code"].isin(market["code"])]
    frame = lm.by_place(cells, totals["employment_workers"], rates)
    titles = totals.drop(columns=["code", "employment_workers"])
    return with_titles(frame, titles.rename(columns={"place_title": title}))


def with_titles(frame: pd.DataFrame, titles: pd.DataFrame) -> pd.DataFrame:
    """`titles` beside the rows of `frame`, the key in front as a column."""
    return titles.join(frame).sort_index().reset_index()


def national(
    oews: Oews, market: pd.DataFrame, rates: pd.DataFrame, curve: pd.DataFrame
) -> pd.DataFrame:
    """One row a measure: value, unit, and n_workers, the workers whom it describes."""
    total = oews.national[oews.national["code"] == ALL_OCCUPATIONS].assign(place="US")
    nation = lm.by_place(
        market.assign(place="US"), total.set_index("place")["employment_workers"], rates
    ).loc["US"]
    everyone, of_matched = nation["employment_workers"], nation["matched_workers"]
    shown = of_matched + nation["unmatched_workers"]
    rows = [(rate, nation[rate], "share", of_matched) for rate in lm.RATES]
    for row in curve[curve["threshold"].isin([0.1, 0.5])].itertuples():
        name = f"workers_{row.measure}_at_least_{row.threshold:.0%}".replace("%", "_percent")
        rows.append((name, row.workers_share, "share", of_matched))
    rows += [
        ("matched_share_of_detailed", of_matched / shown, "share", shown),
        ("matched_share_of_total", nation["matched_share"], "share", everyone),
    ]
    workers = [name for name in nation.index if name.endswith("_workers")]
    rows += [(name, nation[name], "workers", everyone) for name in workers]
    rows += [
        ("n_occupations_matched", nation["n_occupations"], "occupations", of_matched),
        ("n_occupations_unmatched", nation["n_unmatched"], "occupations", shown - of_matched),
    ]
    return pd.DataFrame(rows, columns=["measure", "value", "unit", "n_workers"])


def bridge_table(
    oews: Oews, onet: pd.DataFrame, soc: pd.DataFrame, pairs: pd.DataFrame, bridge: pd.DataFrame
) -> pd.DataFrame:
    """The bridge as applied: titles, employment, which lines were used and what rates they gave."""
    titles = onet.groupby("soc")["title"].first().to_dict()
    titles |= oews.occupations.set_index("code")["title"].to_dict()
    employment = oews.national.set_index("code")["employment_workers"]
    imputed = pairs[pairs["match"] == "imputed"].join(soc, on="soc_code").groupby("oews_code")
    group_rates = imputed[["n_onet", "n_tasks"]].sum().join(imputed[lm.RATES].mean())
    residual = bridge["reason"] == "residual"
    member = bridge.join(soc, on="soc_code")
    group = bridge.join(group_rates, on="oews_code")
    brought = member.where(~residual, group)
    table = bridge[["oews_code"]].assign(
        oews_title=bridge["oews_code"].map(titles),
        employment_workers=bridge["oews_code"].map(employment),
        soc_code=bridge["soc_code"],
        soc_title=bridge["soc_code"].map(titles),
        reason=bridge["reason"],
        used=brought["beta"].notna(),
    )
    table = table.join(brought[["n_onet", "n_tasks", *lm.RATES]])
    return table.sort_values(["oews_code", "soc_code"], ignore_index=True)


def unmatched(
    oews: Oews, onet: pd.DataFrame, pairs: pd.DataFrame, bridge: pd.DataFrame
) -> pd.DataFrame:
    """Detailed OEWS codes without rates and SOC codes without employment, largest first."""
    market = detailed(oews)
    residual = set(bridge.loc[bridge["reason"] == "residual", "oews_code"])
    left = market[~market["code"].isin(pairs["oews_code"]) | market["employment_workers"].isna()]
    left = left.assign(side="oews", reason="no tasks and no line in the bridge")
    left.loc[left["code"].isin(residual), "reason"] = "all other occupations: no tasks, not imputed"
    left.loc[left["employment_workers"].isna(), "reason"] = "employment not released"
    rest = without_employment(onet, lm.soc_rates(onet), pairs)
    rest = rest.assign(side="onet", reason="no detailed employment in OEWS")
    table = pd.concat([left, rest], ignore_index=True)
    table["share_of_detailed"] = table["employment_workers"] / market["employment_workers"].sum()
    table["n_tasks"] = table["n_tasks"].fillna(0)
    table = table.sort_values(
        ["side", "employment_workers", "code"], ascending=[True, False, True], ignore_index=True
    )
    numbers = ["employment_workers", "share_of_detailed", "n_tasks"]
    return table[["side", "code", "title", *numbers, "reason"]]


def whole_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Counts, workers and dollars without decimals where all of a column are whole, for reading."""
    table = table.copy()
    for name in table.columns:
        counts = name.startswith("n_") or name.endswith(("_workers", "_usd"))
        if counts and is_numeric_dtype(table[name]) and (table[name].dropna() % 1 == 0).all():
            table[name] = table[name].astype("Int64")
    return table
