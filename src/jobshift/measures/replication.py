"""Published numbers of Eloundou et al. (2023, 2024), "GPTs are GPTs", each recomputed by a rule.

A `Rule` says all that such a number leaves open: whose ratings, how tasks weigh in an occupation, what
is counted, from which threshold on and whether the threshold itself counts, how employment is joined.
`evaluate` computes it, `words` says it in a sentence, `compare` sets the result beside what was printed.

Choices: an exposure within 1e-9 of a threshold is on it, so that rounding in the 16th digit decides
nothing; only `values: occ_level` compares the numbers of the published file as they are stored, where
it does. A printed digit is rounded half away from zero. `exact`: the same printed digits. `within
rounding`: the same digits come out if the number is not rounded once but cut off, or rounded twice, first
to one digit more; it is then less than one unit of the last digit away. `differs`: everything else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.measures.agreement import TOLERANCE, pearson
from jobshift.measures.exposure import EXPOSURE, MEASURES, class_weights

RATERS = {
    "human": "human annotators",
    "gpt4": "GPT-4",
    "gpt4_alt": "GPT-4 with the alternative rubric",
}
SYMBOLS = dict(zip(MEASURES, "αβζ", strict=True))
WEIGHTINGS = {"equal": "tasks alike", "core": "core tasks double"}
UNITS = {"tasks": "tasks", "occupations": "O*NET occupations", "jobs": "jobs (OEWS May 2021)"}
SHARINGS = {
    "mean": "occupations averaged by OEWS code",
    "divided": "employment of a code divided among its occupations",
    "repeated": "employment of a code counted for each of its occupations",
}
# Which SOC codes are joined through the OEWS code that stands for them: reasons of the bridge.
BRIDGES = {"none": (), "broad": ("broad",), "full": ("broad", "hybrid")}
BRIDGED = {
    "none": "same codes only",
    "broad": "broad codes bridged",
    "full": "broad and hybrid codes bridged",
}
ERRORS = {
    "classical": "classical",
    "robust": "robust (HC1)",
    "clustered": "clustered by occupation",
}
CONSTANT = "Constant"

EXACT, WITHIN, DIFFERS = "exact", "within rounding", "differs"


@dataclass
class Rule:
    """What a number leaves open. Which keys a measure takes: `USES`; each of them must be given."""

    measure: str | None = None
    rater: str | None = None
    against: str | None = None  # the second rater of an agreement
    exposure: str | None = None  # alpha, beta, zeta
    weighting: str | None = None  # equal; core: core tasks count twice
    unit: str | None = None  # tasks, occupations, jobs
    values: str | None = None  # tasks: from the labels; occ_level: the published file as stored
    threshold: float | None = None
    at_least: bool | None = None  # true: ≥, the threshold itself counts; false: >
    job_zone: int | None = None
    sharing: str | None = None  # how the employment of an OEWS code meets its O*NET occupations
    bridge: str | None = None  # none, broad, full: OEWS codes that stand for other SOC codes
    ddof: int | None = None  # 0: divide by n; 1: by n − 1
    occupation: str | None = None  # by its title
    top: int | None = None  # among how many highest it must be; ties with the last are in
    term: str | None = None  # a skill, or Constant
    errors: str | None = None  # classical, robust, clustered


# Measure → the keys it takes. `jobs` and `job_zone` are special: see `check`.
USES = {
    "agreement": ("rater", "against", "exposure"),
    "pearson": ("rater", "against", "exposure"),
    "mean": ("rater", "exposure", "unit", "weighting"),
    "mean_percent": ("rater", "exposure", "unit", "weighting"),
    "sd": ("rater", "exposure", "unit", "weighting", "ddof"),
    "share_over": ("rater", "exposure", "unit", "weighting", "values", "threshold", "at_least"),
    "top_occupation": ("rater", "exposure", "weighting", "occupation", "top"),
    "fully_exposed": ("rater", "exposure", "weighting"),
    "coefficient": ("rater", "exposure", "unit", "weighting", "term"),
    "standard_error": ("rater", "exposure", "unit", "weighting", "term", "errors"),
}
CHOICES = {
    "measure": tuple(USES),
    "rater": tuple(RATERS),
    "against": tuple(RATERS),
    "exposure": MEASURES,
    "weighting": tuple(WEIGHTINGS),
    "unit": tuple(UNITS),
    "values": ("tasks", "occ_level"),
    "sharing": tuple(SHARINGS),
    "bridge": tuple(BRIDGES),
    "ddof": (0, 1),
    "errors": tuple(ERRORS),
}


@dataclass
class Data:
    """What the numbers are computed from.

    - tasks: occupation (O*NET-SOC), title, core (bool) and one column of classes a rater
    - stored: by occupation, columns (rater, exposure) as the published `occ_level.csv` has them
    - jobs: employment by OEWS code, May 2021; NaN where it is not published
    - bridge: oews_code, soc_code, reason
    - skills: by title, job_zone and one column of importance (0 to 100) a skill
    """

    tasks: pd.DataFrame
    stored: pd.DataFrame
    jobs: pd.Series
    bridge: pd.DataFrame
    skills: pd.DataFrame
    # What was computed once, as many rows ask for the same.
    kept: dict[tuple, Any] = field(default_factory=dict, repr=False)

    def once(self, key: tuple, make: Callable[[], Any]) -> Any:
        """What `make` returns, made at the first call with `key`; not to be changed."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def task_values(self, rater: str, exposure: str) -> pd.Series:
        """α, β or ζ of every task, by the index of `tasks`."""
        weights = class_weights()[:, MEASURES.index(exposure)]
        return self.tasks[rater].map(dict(zip(EXPOSURE, weights, strict=True))).astype(float)

    def task_weights(self, weighting: str) -> pd.Series:
        """What each task counts: 2 if it is core and 1 otherwise (`core`), or 1 (`equal`)."""
        core = self.tasks["core"] if weighting == "core" else False
        return pd.Series(np.where(core, 2.0, 1.0), self.tasks.index)

    def occupation_values(self, rater: str, exposure: str, weighting: str) -> pd.Series:
        """Weighted mean over the tasks of each occupation, by its code."""

        def means() -> pd.Series:
            weights, code = self.task_weights(weighting), self.tasks["occupation"]
            sums = (self.task_values(rater, exposure) * weights).groupby(code).sum()
            return sums / weights.groupby(code).sum()

        return self.once(("occupation", rater, exposure, weighting), means)

    def titles(self) -> pd.Series:
        """The title of each occupation, by its code."""
        return self.once(("titles",), self.tasks.groupby("occupation")["title"].first)


@dataclass(frozen=True)
class Result:
    """A number, how many units it counts, and what else there is to say of it."""

    value: float
    n: int
    inside: bool = True  # False: the occupation is not among the highest, whatever its value
    remark: str = ""


def check(rule: Rule) -> None:
    """JobshiftError, beginning with the key, where a key is unknown, missing or of no use."""
    for key, choices in CHOICES.items():
        value = getattr(rule, key)
        if value not in choices and (value is not None or key == "measure"):
            raise JobshiftError(
                f"{key} {'is missing' if value is None else f'{value!r} is unknown'}; "
                f"choose one of {', '.join(map(str, choices))}"
            )
    needed = set(USES[rule.measure])
    given = {each.name for each in fields(rule) if getattr(rule, each.name) is not None}
    if rule.measure == "share_over":
        needed |= {"job_zone"} & given
        needed |= {"sharing", "bridge"} if rule.unit == "jobs" else set()
    for key in [each.name for each in fields(rule) if each.name in needed - given]:
        raise JobshiftError(f"{key} is missing; the measure {rule.measure} needs it")
    for key in [each.name for each in fields(rule) if each.name in given - needed - {"measure"}]:
        raise JobshiftError(f"{key} is of no use to the measure {rule.measure}; remove it")
    if rule.unit == "jobs" and rule.measure != "share_over":
        raise JobshiftError(f"unit 'jobs' is of no use to the measure {rule.measure}; change it")
    if rule.values == "occ_level" and (
        rule.weighting != "core" or rule.rater == "gpt4_alt" or rule.unit == "tasks"
    ):
        raise JobshiftError(
            "values 'occ_level' are of occupations, with weighting 'core', by human or gpt4; "
            "change one of them"
        )
    if rule.job_zone is not None and rule.unit != "occupations":
        raise JobshiftError("job_zone needs unit 'occupations'; change one of them")


def evaluate(rule: Rule, data: Data) -> Result:
    """The number that `rule`, once checked, describes; JobshiftError where the data have no such."""
    if rule.measure in ("agreement", "pearson"):
        x = data.task_values(rule.rater, rule.exposure).to_numpy()
        y = data.task_values(rule.against, rule.exposure).to_numpy()
        value = 100 * np.mean(x == y) if rule.measure == "agreement" else pearson(x, y)
        return Result(float(value), len(x))
    if rule.measure in ("coefficient", "standard_error"):
        return _regression(rule, data)
    if rule.measure == "share_over":
        return _share(rule, data)
    if rule.unit == "tasks":
        values = data.task_values(rule.rater, rule.exposure)
        weights = data.task_weights(rule.weighting)
    else:
        values = data.occupation_values(rule.rater, rule.exposure, rule.weighting)
        weights = pd.Series(1.0, values.index)
    if rule.measure == "top_occupation":
        return _top(100 * values, rule, data)
    if rule.measure == "fully_exposed":
        return Result(float(over(values, 1.0, True).sum()), len(values))
    if rule.measure == "sd":
        return Result(standard_deviation(values, weights, rule.ddof), len(values))
    mean = float(np.average(values, weights=weights))
    return Result(100 * mean if rule.measure == "mean_percent" else mean, len(values))


def over(values: pd.Series, threshold: float, at_least: bool) -> pd.Series:
    """Whether each value is over `threshold`; one that is on it counts if `at_least`."""
    if at_least:
        return values >= threshold - TOLERANCE
    return values > threshold + TOLERANCE


def standard_deviation(values: pd.Series, weights: pd.Series, ddof: int) -> float:
    """Standard deviation with frequency weights: the divisor is their sum less `ddof`."""
    mean = np.average(values, weights=weights)
    return float(np.sqrt((weights * (values - mean) ** 2).sum() / (weights.sum() - ddof)))


def job_values(
    values: pd.Series, jobs: pd.Series, bridge: pd.DataFrame, reasons: Sequence[str], sharing: str
) -> pd.DataFrame:
    """Exposure and employment: columns value, jobs; what has no employment is left out.

    `values` by O*NET-SOC code, `jobs` by OEWS code. An occupation belongs to the OEWS code that is its
    SOC code or, where there is none, to the one that `bridge` names for one of `reasons`. sharing:
    `mean` averages the occupations of a code, `divided` shares its employment out equally among them,
    `repeated` counts the whole of it for each.
    """
    soc = values.index.str[:7]
    through = bridge[bridge["reason"].isin(reasons)].set_index("soc_code")["oews_code"]
    code = pd.Series(soc, values.index).where(soc.isin(jobs.index), soc.map(through.to_dict()))
    frame = pd.DataFrame({"value": values, "code": code}).dropna(subset="code")
    if sharing == "mean":
        frame = frame.groupby("code", as_index=False)["value"].mean()
    frame["jobs"] = frame["code"].map(jobs)
    if sharing == "divided":
        frame["jobs"] /= frame.groupby("code")["code"].transform("size")
    return frame[["value", "jobs"]].dropna()


def _share(rule: Rule, data: Data) -> Result:
    tolerance = 0.0 if rule.values == "occ_level" else TOLERANCE
    if rule.values == "occ_level":
        values = data.stored[rule.rater, rule.exposure]
    elif rule.unit == "tasks":
        values = data.task_values(rule.rater, rule.exposure)
    else:
        values = data.occupation_values(rule.rater, rule.exposure, rule.weighting)
    weights = pd.Series(1.0, values.index)
    remark = ""
    if rule.unit == "tasks":
        weights = data.task_weights(rule.weighting)
    if rule.job_zone is not None:
        zone = values.index.map(data.titles()).map(data.skills["job_zone"])
        values = values[zone == rule.job_zone]
        weights = weights[values.index]
    if rule.unit == "jobs":
        joined = job_values(values, data.jobs, data.bridge, BRIDGES[rule.bridge], rule.sharing)
        values, weights = joined["value"], joined["jobs"]
        if rule.sharing != "repeated":
            covered = weights.sum() / data.jobs.sum()
            remark = f"{covered:.1%} of employment is joined".replace("%", " %")
    if not weights.sum() > 0:
        raise JobshiftError("nothing is left to count; change job_zone or bridge")
    chosen = (
        over(values, rule.threshold, rule.at_least)
        if tolerance
        else (values >= rule.threshold if rule.at_least else values > rule.threshold)
    )
    return Result(float(100 * weights[chosen].sum() / weights.sum()), len(values), remark=remark)


def _top(values: pd.Series, rule: Rule, data: Data) -> Result:
    code = data.titles()
    code = code.index[code == rule.occupation]
    if len(code) != 1:
        raise JobshiftError(
            f"occupation {rule.occupation!r} is the title of {len(code)} occupations with tasks; "
            "correct it"
        )
    value = values[code[0]]
    rank = 1 + int((values > value + TOLERANCE).sum())
    ties = int((abs(values - value) <= TOLERANCE).sum())
    remark = f"rank {rank}" + (f", which {ties} share" if ties > 1 else "")
    return Result(float(value), len(values), inside=rank <= rule.top, remark=remark)


def _regression(rule: Rule, data: Data) -> Result:
    table = skills_regression(data, rule.rater, rule.exposure, rule.unit, rule.weighting)
    if rule.term not in table.index:
        raise JobshiftError(
            f"term {rule.term!r} is unknown; choose one of {', '.join(table.index)}"
        )
    row = table.loc[rule.term]
    column = rule.measure if rule.measure == "coefficient" else rule.errors
    return Result(float(row[column]), int(row["n"]))


def skills_regression(
    data: Data, rater: str, exposure: str, unit: str, weighting: str
) -> pd.DataFrame:
    """Least squares of exposure on the importance of skills, by term: the constant and each skill.

    Each skill is rescaled to reach from 0 to 1 over the occupations of `skills`. The rows are the
    occupations, or all of their tasks (`unit`). Columns: coefficient, its standard error under equal
    variances (classical), under unequal ones (robust; HC1 of MacKinnon and White 1985,
    doi:10.1016/0304-4076(85)90158-7) and with tasks of one occupation dependent (clustered), n rows and
    n_occupations. All but the sizes are NaN where the skills do not tell enough occupations apart.
    """
    key = rater, exposure, unit, weighting
    return data.once(("fit", *key), lambda: _fit(data, *key))


def _fit(data: Data, rater: str, exposure: str, unit: str, weighting: str) -> pd.DataFrame:
    from statsmodels.regression.linear_model import WLS  # 1.5 s

    titles = data.titles()
    if unit == "tasks":
        y, title = data.task_values(rater, exposure), data.tasks["title"]
        weights = data.task_weights(weighting)
    else:
        y = data.occupation_values(rater, exposure, weighting)
        title, weights = titles[y.index], pd.Series(1.0, y.index)
    skills = data.skills.drop(columns="job_zone")
    known = title.isin(skills.index)
    x = ((skills - skills.min()) / (skills.max() - skills.min())).loc[title[known]]
    x.insert(0, CONSTANT, 1.0)
    groups = pd.factorize(title[known])[0]
    sizes = {"n": len(x), "n_occupations": len(set(groups))}
    rows, terms = x.shape
    if rows <= terms or x.isna().any(axis=None) or np.linalg.matrix_rank(x) < terms:
        return pd.DataFrame(
            {"coefficient": np.nan, **dict.fromkeys(ERRORS, np.nan), **sizes}, x.columns
        )
    fit = WLS(y[known].to_numpy(), x.to_numpy(), weights=weights[known].to_numpy()).fit()
    return pd.DataFrame(
        {
            "coefficient": fit.params,
            "classical": fit.bse,
            "robust": fit.get_robustcov_results("HC1").bse,
            "clustered": fit.get_robustcov_results("cluster", groups=groups).bse,
            **sizes,
        },
        x.columns,
    )


def words(rule: Rule) -> str:
    """The rule in words, but for the exposure (α, β or ζ), the occupation and the term."""
    who = RATERS.get(rule.rater, "")
    how = WEIGHTINGS.get(rule.weighting, "")
    unit = UNITS.get(rule.unit, "O*NET occupations")
    if rule.unit == "tasks" or rule.measure in ("agreement", "pearson"):
        unit, inside = "tasks", how
    else:
        inside = f"{how} in an occupation"
    pair = f"{who} and {RATERS.get(rule.against, '')}"
    if rule.measure == "share_over":
        sign = "≥" if rule.at_least else ">"
        parts = [f"share of {unit} at {sign} {rule.threshold:g}", who, inside]
        if rule.job_zone is not None:
            parts.insert(1, f"of job zone {rule.job_zone}")
        if rule.values == "occ_level":
            parts.append("occ_level.csv as stored")
        if rule.unit == "jobs":
            parts += [SHARINGS[rule.sharing], BRIDGED[rule.bridge]]
        return "; ".join(parts)
    by_n = "n" if rule.ddof == 0 else "n − 1"
    start = {
        "agreement": f"share of tasks with equal values; {pair}; tasks alike",
        "pearson": f"Pearson's r of task values; {pair}; tasks alike",
        "mean": f"mean over {unit}; {who}; {inside}",
        "mean_percent": f"mean over {unit}; {who}; {inside}",
        "sd": f"standard deviation ({by_n}) over {unit}; {who}; {inside}",
        "top_occupation": f"among the {rule.top} highest {unit}; {who}; {inside}",
        "fully_exposed": f"number of {unit} at 1; {who}; {inside}",
        "coefficient": f"least squares over {unit} on skills rescaled to 0–1; {who}; {inside}",
        "standard_error": (
            f"{ERRORS.get(rule.errors, '')} standard error, least squares over {unit} on skills rescaled "
            f"to 0–1; {who}; {inside}"
        ),
    }
    return start[rule.measure]


def changes(rule: Rule, other: Rule) -> str:
    """What `other` says that `rule` does not, in words; both are of the same measure."""
    said = {
        "rater": RATERS,
        "against": {name: f"against {who}" for name, who in RATERS.items()},
        "exposure": SYMBOLS,
        "weighting": WEIGHTINGS,
        "unit": UNITS,
        "values": {"tasks": "ties counted exactly", "occ_level": "occ_level.csv as stored"},
        "threshold": {other.threshold: f"at {other.threshold:g}" if other.threshold else ""},
        "at_least": {True: "≥", False: ">"},
        "job_zone": {other.job_zone: f"job zone {other.job_zone}"},
        "sharing": SHARINGS,
        "bridge": BRIDGED,
        "ddof": {0: "divided by n", 1: "divided by n − 1"},
        "errors": {name: f"errors {what}" for name, what in ERRORS.items()},
    }
    parts = []
    for each in fields(rule):
        value = getattr(other, each.name)
        if value is not None and value != getattr(rule, each.name):
            parts.append(str(said.get(each.name, {}).get(value, value)))
    return ", ".join(parts)


def parse(text: str) -> Decimal:
    """A printed number, with a hyphen or a minus and with or without commas; ValueError if none."""
    plain = text.strip().replace("−", "-").replace(",", "")
    if not plain or plain.strip("-0123456789.") or plain.count(".") > 1:
        raise ValueError(text)
    try:
        return Decimal(plain)
    except ArithmeticError as error:
        raise ValueError(text) from error


def digits(text: str) -> int:
    """How many digits of a printed number are behind the point."""
    return max(0, -parse(text).as_tuple().exponent)


def printed(value: float, places: int, rounding: str = ROUND_HALF_UP) -> str:
    """`value` with `places` digits behind the point, half away from zero; −0 is 0."""
    # Twelve digits first, so that 0.285 × 100 is 28.5 and not a little less.
    exact = Decimal(repr(round(float(value), 12)))
    shown = exact.quantize(Decimal(1).scaleb(-places), rounding)
    return f"{abs(shown) if shown == 0 else shown:f}"


def compare(text: str, result: Result) -> tuple[str, str]:
    """The verdict on `result` beside the published `text`, and what to say of it."""
    published, places = parse(text), digits(text)
    if not np.isfinite(result.value):
        return DIFFERS, "not defined"
    if not result.inside:
        return DIFFERS, "not among the highest"
    if Decimal(printed(result.value, places)) == published:
        return EXACT, ""
    if Decimal(printed(result.value, places, ROUND_DOWN)) == published:
        return WITHIN, "cut off, not rounded"
    if Decimal(printed(float(printed(result.value, places + 1)), places)) == published:
        return WITHIN, "rounded twice, first to one digit more"
    return DIFFERS, ""
