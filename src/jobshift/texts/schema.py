"""What a data file must hold; a violation names the file, the column and the row.

Checked with pandera, all text read as text: codes such as 0401 keep their zeros.
"""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from jobshift.errors import JobshiftError

ACTIVITY = r"^4\.A\.\d\.[a-z]\.\d+\.I\d\d\.D\d\d$"
OCCUPATION = r"^\d\d-\d{4}\.\d\d$"

LINKS = pa.DataFrameSchema(
    {
        "O*NET-SOC Code": pa.Column(str, pa.Check.str_matches(OCCUPATION)),
        "Title": pa.Column(str),
        "Task ID": pa.Column(str, pa.Check.str_matches(r"^\d+$")),
        "Task": pa.Column(str),
        "DWA ID": pa.Column(str, pa.Check.str_matches(ACTIVITY)),
        "DWA Title": pa.Column(str),
        "GWA": pa.Column(str, pa.Check.str_matches(r"^4\.A\.\d\.[a-z]\.\d+$")),
    }
)

RATINGS = pa.DataFrameSchema(
    {
        "dwa_id": pa.Column(str, pa.Check.str_matches(ACTIVITY)),
        "rater": pa.Column(str, pa.Check.str_matches(r"^\w+$")),
        "exposure": pa.Column(str, pa.Check.isin(["E0", "E1", "E2"])),
        "automation": pa.Column(str, pa.Check.isin(["T0", "T1", "T2", "T3", "T4"])),
    },
    unique=["dwa_id", "rater"],
)

PUBLISHED = pa.DataFrameSchema(
    {
        "O*NET-SOC Code": pa.Column(str, pa.Check.str_matches(OCCUPATION)),
        "Task ID": pa.Column(str, pa.Check.str_matches(r"^\d+(\.0)?$")),
        "Task": pa.Column(str),
        "Task Type": pa.Column(str, pa.Check.isin(["Core", "Supplemental"]), nullable=True),
        "Title": pa.Column(str),
        "human_exposure_agg": pa.Column(str, pa.Check.isin(["E0", "E1", "E2"])),
        "human_labels": pa.Column(str, pa.Check.isin(["E0", "E1", "E2"])),
        "gpt4_exposure": pa.Column(str, pa.Check.isin(["E0", "E1", "E2"])),
        "gpt4_exposure_alt_rubric": pa.Column(str, pa.Check.isin(["E0", "E1", "E2"])),
        "gpt4_automation": pa.Column(str, pa.Check.isin(["T0", "T1", "T2", "T3", "T4"])),
    },
    unique=["Task ID"],
)

PUBLISHED_AUTOMATION = pa.DataFrameSchema(
    {
        "Task ID": pa.Column(str, pa.Check.str_matches(r"^\d+(\.0)?$")),
        "gpt4_automation": pa.Column(str, pa.Check.isin(["T0", "T1", "T2", "T3", "T4"])),
        "human_automation": pa.Column(
            str, pa.Check.isin(["T0", "T1", "T2", "T3", "T4"]), nullable=True
        ),
    },
    unique=["Task ID"],
)

# The prepared format: what every model and measure reads. Further label_<rater>, p_<class> and
# data-set columns may follow.
TASKS = pa.DataFrameSchema(
    {
        "id": pa.Column(str, unique=True),
        "text": pa.Column(str, pa.Check.str_length(min_value=1)),
        "text_pair": pa.Column(str, nullable=True),
        "label": pa.Column(str),
        "group": pa.Column(str),
        "occupation": pa.Column(str, nullable=True),
        "weight": pa.Column(float, pa.Check.gt(0)),
    }
)

# What the kinds of tasks have besides; for the others `TASKS` says it all.
PREPARED = {
    "pairs": TASKS.update_column("text_pair", nullable=False).add_columns(
        {"hard": pa.Column(bool), "occupation_pair": pa.Column(str)}
    ),
    "generation": TASKS.add_columns(
        {
            "target": pa.Column(str, pa.Check.str_length(min_value=1)),
            "all_targets": pa.Column(str, pa.Check.str_length(min_value=1)),
            "seen": pa.Column(bool),
        }
    ),
}


def checked(file: Path, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a CSV or TSV file as text and check it; the columns of `schema` are those returned.

    Raises JobshiftError where the file is missing, cannot be read, lacks a column or violates `schema`.
    """
    if not file.is_file():
        raise JobshiftError(
            f"{file} is missing; bring it with `jobshift fetch source={file.parent.name}`"
        )
    try:
        frame = pd.read_csv(
            file,
            sep="\t" if file.suffix == ".tsv" else ",",
            dtype=str,
            keep_default_na=False,
            na_values=[""],
            encoding="utf-8",
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise JobshiftError(f"{file} cannot be read as CSV in UTF-8: {error}") from error
    return valid(frame, schema, str(file), header=True)[list(schema.columns)]


def valid(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, file: str, header: bool = False
) -> pd.DataFrame:
    """Return `frame` if it fits `schema`, else raise JobshiftError about the first violation.

    `header` says that rows are lines of a file below a header line, and are named by their line.
    """
    try:
        return schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        case = error.failure_cases.sort_values("index", na_position="first", kind="stable").iloc[0]
        count = len(error.failure_cases)
    if case["check"] == "column_in_dataframe":
        raise JobshiftError(
            f"{file}: column '{case['failure_case']}' is missing; it has {', '.join(map(str, frame.columns))}"
        )
    where = (
        ""
        if pd.isna(case["index"])
        else f", {'line' if header else 'row'} {int(case['index']) + 2 * header}"
    )
    column = (
        case["column"] if case["schema_context"] == "Column" else ", ".join(schema.unique or [])
    )
    value = case["failure_case"]
    value = repr(value) if isinstance(value, str) else str(value)
    more = "" if count == 1 else f" (and {count - 1} more)"
    raise JobshiftError(
        f"{file}: column '{column}'{where}: {value} violates {case['check']}{more}; mend the file"
    )
