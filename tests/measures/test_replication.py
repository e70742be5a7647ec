"""Every measure by hand on four occupations of two tasks each, with ties exactly on a threshold."""

import math

import pandas as pd
import pytest

from jobshift.errors import JobshiftError
from jobshift.measures import replication
from jobshift.measures.replication import Data, Result, Rule

# Occupation, title, core, human, GPT-4, GPT-4 with the alternative rubric.
TASKS = [
    ("11-1011.00", "Bee keepers", True, "E1", "E1", "E2"),
    ("11-1011.00", "Bee keepers", False, "E1", "E0", "E2"),
    ("13-1021.00", "Glove sewers", True, "E0", "E0", "E0"),
    ("13-1021.00", "Glove sewers", False, "E0", "E2", "E2"),
    ("13-1022.00", "Hat sewers", True, "E1", "E2", "E2"),
    ("13-1022.00", "Hat sewers", False, "E1", "E2", "E2"),
    ("15-1011.00", "Map drawers", True, "E1", "E1", "E1"),
    ("15-1011.00", "Map drawers", False, "E0", "E1", "E1"),
]
BRIDGE = [
    ("13-1020", "13-1021", "broad"),
    ("13-1020", "13-1022", "broad"),
    ("15-1018", "15-1011", "hybrid"),
]
# Human α by occupation: 1, 0, 1, ½ with tasks alike; 1, 0, 1, 2/3 with core tasks double.
ALPHA = {"rater": "human", "exposure": "alpha", "weighting": "equal"}
OVER = {"measure": "share_over", **ALPHA, "values": "tasks", "threshold": 0.5}


@pytest.fixture
def data():
    columns = ["occupation", "title", "core", *replication.RATERS]
    tasks = pd.DataFrame(TASKS, columns=columns)
    codes = tasks["occupation"].unique()
    stored = pd.DataFrame(
        {("human", "alpha"): [1.0, 0.0, 1.0, 0.49999999999999994]}, index=codes, dtype=float
    )
    return Data(
        tasks,
        stored,
        # Nothing is published for 11-2011.
        jobs=pd.Series({"11-1011": 100.0, "11-2011": math.nan, "13-1020": 300.0, "15-1018": 600.0}),
        bridge=pd.DataFrame(BRIDGE, columns=["oews_code", "soc_code", "reason"]),
        skills=pd.DataFrame(
            {"job_zone": [1.0, 1.0, 2.0, 2.0], "Writing": [20.0, 20.0, 60.0, 60.0]},
            index=["Bee keepers", "Glove sewers", "Hat sewers", "Map drawers"],
        ),
    )


def value(data, **keys):
    rule = Rule(**keys)
    replication.check(rule)
    return replication.evaluate(rule, data).value


def test_agreement_is_of_values_not_of_labels(data):
    pair = {"measure": "agreement", "rater": "gpt4", "against": "human"}
    # α of GPT-4 is 1 0 0 0 0 0 1 1, of people 1 1 0 0 1 1 1 0: four of eight agree.
    assert value(data, **pair, exposure="alpha") == 50
    # β of GPT-4 is 1 0 0 ½ ½ ½ 1 1: the first, third and seventh agree.
    assert value(data, **pair, exposure="beta") == 37.5
    # ζ of GPT-4 is 1 0 0 1 1 1 1 1: also the fifth and sixth.
    assert value(data, **pair, exposure="zeta") == 62.5


def test_pearson(data):
    # Means 3/8 and 5/8, both variances 15/64; both are 1 twice: 2/8 − 15/64 = 1/64.
    keys = {"measure": "pearson", "rater": "gpt4", "against": "human", "exposure": "alpha"}
    assert value(data, **keys) == pytest.approx(1 / 15)


def test_means_of_tasks_and_occupations(data):
    mean = {"measure": "mean", **ALPHA}
    assert value(data, **mean, unit="tasks") == pytest.approx(5 / 8)
    # The core tasks with α 1 weigh 2 + 2 + 2, the others 1 + 1, of 12.
    assert value(data, **{**mean, "weighting": "core"}, unit="tasks") == pytest.approx(8 / 12)
    assert value(data, **mean, unit="occupations") == pytest.approx(2.5 / 4)
    core = {**mean, "weighting": "core", "measure": "mean_percent"}
    assert value(data, **core, unit="occupations") == pytest.approx(100 * (2 + 2 / 3) / 4)


def test_standard_deviation_of_sample_and_population(data):
    # Deviations from .625: .375, −.625, .375, −.125; their squares sum to .6875.
    sd = {"measure": "sd", **ALPHA, "unit": "occupations"}
    assert value(data, **sd, ddof=1) == pytest.approx(math.sqrt(0.6875 / 3))
    assert value(data, **sd, ddof=0) == pytest.approx(math.sqrt(0.6875 / 4))
    # Tasks that weigh 2 are there twice: eight values of 1 and four of 0.
    tasks = {**sd, "unit": "tasks", "weighting": "core"}
    assert value(data, **tasks, ddof=1) == pytest.approx(math.sqrt((8 * 4 / 12) / 11))


def test_an_occupation_on_the_threshold_counts_with_at_least_alone(data):
    # Map drawers have exactly ½ of their tasks at α 1.
    assert value(data, **OVER, unit="occupations", at_least=True) == 75
    assert value(data, **OVER, unit="occupations", at_least=False) == 50
    # Core tasks double, they have 2/3.
    core = {**OVER, "weighting": "core"}
    assert value(data, **core, unit="occupations", at_least=False) == 75


def test_a_sum_of_decimals_is_on_its_threshold():
    # 0.1 + 0.2 is stored as a little more than 0.3, and 0.7 + 0.1 as a little less than 0.8.
    values = pd.Series([0.1 + 0.2, 0.7 + 0.1])
    assert replication.over(values, 0.3, False).tolist() == [False, True]
    assert replication.over(values, 0.8, True).tolist() == [False, True]


def test_the_published_file_counts_as_it_is_stored(data):
    stored = {**OVER, "weighting": "core", "values": "occ_level", "unit": "occupations"}
    # The ½ of Map drawers is stored as 0.49999999999999994.
    assert value(data, **stored, at_least=True) == 50
    data.stored.loc["15-1011.00"] = 0.5
    assert value(data, **stored, at_least=True) == 75
    assert value(data, **stored, at_least=False) == 50


def test_tasks_over_a_threshold(data):
    half = {**OVER, "exposure": "beta", "rater": "gpt4", "unit": "tasks"}
    # β of GPT-4: 1 0 0 ½ ½ ½ 1 1.
    assert value(data, **half, at_least=True) == 75
    assert value(data, **half, at_least=False) == 37.5


@pytest.mark.parametrize(
    ("sharing", "bridge", "at_least", "expected"),
    [
        # Codes: 11-1011 α 1, 100 jobs; 13-1020 the mean of 0 and 1, 300; 15-1018 ½, 600.
        ("mean", "full", True, 100),
        ("mean", "full", False, 10),
        ("mean", "broad", False, 25),  # 15-1018 is left out: 100 of 400
        ("mean", "none", False, 100),
        # 150 jobs each with α 0 and 1 in 13-1020.
        ("divided", "full", True, 85),
        ("divided", "full", False, 25),
        ("repeated", "full", True, 100 * 1000 / 1300),
        ("repeated", "full", False, 100 * 400 / 1300),
    ],
)
def test_jobs(data, sharing, bridge, at_least, expected):
    keys = {"sharing": sharing, "bridge": bridge, "at_least": at_least}
    assert value(data, **OVER, unit="jobs", **keys) == pytest.approx(expected)


def test_jobs_tell_how_many_are_joined(data):
    rule = Rule(**OVER, unit="jobs", sharing="mean", bridge="broad", at_least=True)
    assert replication.evaluate(rule, data).remark == "40.0 % of employment is joined"


def test_a_code_of_its_own_is_not_bridged(data):
    values = pd.Series({"13-1021.00": 0.25})
    jobs = pd.Series({"13-1021": 7.0, "13-1020": 300.0})
    joined = replication.job_values(values, jobs, data.bridge, ("broad",), "mean")
    assert joined.to_numpy().tolist() == [[0.25, 7.0]]


def test_employment_that_is_not_published_is_left_out(data):
    values = pd.Series({"11-1011.00": 0.25, "11-2011.00": 0.5})
    joined = replication.job_values(values, data.jobs, data.bridge, (), "mean")
    assert joined.to_numpy().tolist() == [[0.25, 100.0]]


def test_job_zones(data):
    over = {**OVER, "unit": "occupations"}
    assert value(data, **over, job_zone=1, at_least=True) == 50
    assert value(data, **over, job_zone=2, at_least=True) == 100
    assert value(data, **over, job_zone=2, at_least=False) == 50
    with pytest.raises(JobshiftError, match="nothing is left to count; change job_zone"):
        value(data, **over, job_zone=5, at_least=True)


def test_an_occupation_without_a_job_zone_is_in_none(data):
    data.skills = data.skills.drop(index="Map drawers")
    over = {**OVER, "unit": "occupations"}
    rule = Rule(**over, job_zone=2, at_least=False)
    assert replication.evaluate(rule, data) == Result(100.0, 1)


def test_the_highest_include_ties_with_the_last(data):
    top = {"measure": "top_occupation", **ALPHA}
    first = replication.evaluate(Rule(**top, occupation="Hat sewers", top=1), data)
    assert first == Result(100.0, 4, inside=True, remark="rank 1, which 2 share")
    third = replication.evaluate(Rule(**top, occupation="Map drawers", top=2), data)
    assert third == Result(50.0, 4, inside=False, remark="rank 3")
    assert replication.compare("50.0", third) == ("differs", "not among the highest")
    with pytest.raises(JobshiftError, match="'Map readers' is the title of 0 occupations"):
        replication.evaluate(Rule(**top, occupation="Map readers", top=1), data)


def test_fully_exposed(data):
    full = {"measure": "fully_exposed", "exposure": "zeta", "weighting": "equal"}
    assert value(data, **full, rater="human") == 2
    # GPT-4: Hat sewers by E2 alone, Map drawers by E1.
    assert value(data, **full, rater="gpt4") == 2
    assert value(data, **{**full, "exposure": "alpha"}, rater="gpt4") == 1


def test_regression_by_hand(data):
    # Writing is rescaled to 0 for the first two occupations and 1 for the others. The constant is
    # the mean of α where it is 0: (1 1 0 0) → ½; the slope leads to that where it is 1: (1 1 1 0) → ¾.
    fit = replication.skills_regression(data, "human", "alpha", "tasks", "equal")
    assert fit["coefficient"].tolist() == pytest.approx([0.5, 0.25])
    # Residuals ½ ½ −½ −½ and ¼ ¼ ¼ −¾: squares sum to 1 and ¾, so s² = 1.75 / (8 − 2).
    variance = 1.75 / 6
    assert fit["classical"].tolist() == pytest.approx(
        [math.sqrt(variance / 4), math.sqrt(variance / 2)]
    )
    # HC1: n / (n − k) = 8/6 times the squared residuals over the squared sizes of the groups.
    robust = [8 / 6 * 1 / 16, 8 / 6 * (1 + 0.75) / 16]
    assert fit["robust"].tolist() == pytest.approx([math.sqrt(each) for each in robust])
    # Sums of residuals by occupation are 1, −1 and ½, −½; the factor is 4/3 × 7/6.
    factor = 4 / 3 * 7 / 6
    clustered = [factor * 2 / 16, factor * (2 + 0.5) / 16]
    assert fit["clustered"].tolist() == pytest.approx([math.sqrt(each) for each in clustered])
    assert fit["n"].tolist() == [8, 8] and fit["n_occupations"].tolist() == [4, 4]


def test_regression_over_occupations(data):
    # α 1, 0 → ½ and 1, ½ → ¾; core tasks double: 1, 2/3 → 5/6.
    keys = {"measure": "coefficient", **ALPHA, "unit": "occupations"}
    assert value(data, **keys, term="Constant") == pytest.approx(0.5)
    assert value(data, **keys, term="Writing") == pytest.approx(0.25)
    keys["weighting"] = "core"
    assert value(data, **keys, term="Writing") == pytest.approx(5 / 6 - 0.5)
    with pytest.raises(JobshiftError, match="term 'Reading' is unknown; .* Constant, Writing"):
        value(data, **keys, term="Reading")


def test_a_task_of_an_occupation_without_skills_is_no_row(data):
    data.skills = data.skills.drop(index="Map drawers")
    keys = {"measure": "standard_error", **ALPHA, "unit": "tasks", "errors": "robust"}
    result = replication.evaluate(Rule(**keys, term="Writing"), data)
    assert result.n == 6
    # No residual where writing is 1: what is left is the variance of the constant.
    assert result.value == pytest.approx(math.sqrt(6 / 4 * 1 / 16))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("other", [[50, 50, 50, 50], [30, 30, 70, 70]])
def test_skills_that_cannot_be_told_apart_have_no_effect(data, other):
    data.skills["Reading"] = other
    fit = replication.skills_regression(data, "human", "alpha", "tasks", "equal")
    assert fit.drop(columns=["n", "n_occupations"]).isna().all(axis=None)
    keys = {"measure": "coefficient", **ALPHA, "unit": "tasks", "term": "Writing"}
    result = replication.evaluate(Rule(**keys), data)
    assert result.n == 8
    assert replication.compare("0.250", result) == ("differs", "not defined")


@pytest.mark.parametrize(
    ("published", "ours", "verdict"),
    [
        ("0.14", 0.1449, "exact"),
        ("0.15", 0.145, "exact"),  # half away from zero
        ("-0.15", -0.145, "exact"),
        ("28.5", 0.285 * 100, "exact"),  # stored as 28.499999999999996
        ("0.00", -0.001, "exact"),  # no minus zero
        ("−0.127", -0.1271, "exact"),  # a minus as printed
        ("1,234", 1234.4, "exact"),
        ("6.11", 6.1151, "within rounding"),  # cut off
        ("-6.11", -6.1151, "within rounding"),
        ("0.128", 0.12746, "within rounding"),  # 0.1275, then 0.128
        ("0.128", 0.12744, "differs"),
        ("80", 80.93, "within rounding"),
        ("81", 80.4, "differs"),
        ("15", 14.0, "differs"),
        ("0.3", float("nan"), "differs"),
    ],
)
def test_verdicts(published, ours, verdict):
    assert replication.compare(published, Result(ours, 1))[0] == verdict


def test_printed_numbers():
    assert replication.printed(0.12345, 2) == "0.12"
    assert replication.printed(-0.0001, 2) == "0.00"
    assert replication.printed(14.5, 0) == "15"
    assert replication.printed(1e-7, 3) == "0.000"
    assert [replication.digits(text) for text in ("15", "0.30", "−.127", "1,000")] == [0, 2, 3, 0]
    for text in ("", "-", "1.2.3", "12 %", "1e3", "nan", "--1"):
        with pytest.raises(ValueError):
            replication.parse(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "measure is missing; choose one of agreement, "),
        ({"measure": "median"}, "measure 'median' is unknown; choose one of agreement, "),
        ({"measure": "mean", "rater": "gpt5"}, "rater 'gpt5' is unknown; choose one of human, "),
        ({"measure": "agreement", "rater": "human"}, "against is missing; the measure agreement"),
        ({**OVER, "unit": "jobs", "at_least": True}, "sharing is missing; the measure share_over"),
        (
            {"measure": "mean", **ALPHA, "unit": "tasks", "threshold": 0.5},
            "threshold is of no use to the measure mean; remove it",
        ),
        (
            {**OVER, "unit": "occupations", "at_least": True, "bridge": "full"},
            "bridge is of no use to the measure share_over; remove it",
        ),
        ({"measure": "mean", **ALPHA, "unit": "jobs"}, "unit 'jobs' is of no use"),
        (
            {**OVER, "unit": "occupations", "at_least": True, "values": "occ_level"},
            "values 'occ_level' are of occupations, with weighting 'core'",
        ),
        ({**OVER, "unit": "tasks", "at_least": True, "job_zone": 1}, "job_zone needs unit"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(keys, message):
    with pytest.raises(JobshiftError) as refused:
        replication.check(Rule(**keys))
    assert str(refused.value).startswith(message)


def test_a_rule_in_words():
    rule = Rule(**OVER, unit="jobs", at_least=True, sharing="mean", bridge="full")
    assert replication.words(rule) == (
        "share of jobs (OEWS May 2021) at ≥ 0.5; human annotators; tasks alike in an occupation; "
        "occupations averaged by OEWS code; broad and hybrid codes bridged"
    )
    other = Rule(**{**OVER, "weighting": "core"}, unit="jobs", at_least=False, bridge="none")
    assert replication.changes(rule, other) == "core tasks double, >, same codes only"


def test_every_measure_has_words():
    for measure in replication.USES:
        assert replication.words(Rule(measure=measure, unit="tasks", threshold=0.5))
