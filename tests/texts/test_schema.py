"""The prepared format is checked, and a violation names column and row."""

import pandas as pd
import pytest

from jobshift.errors import JobshiftError
from jobshift.texts.schema import TASKS, valid

ROW = {
    "id": "1",
    "text": "Write a letter.",
    "text_pair": None,
    "label": "E1",
    "group": "g1",
    "occupation": "11-1011.00",
    "weight": 1.0,
}


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame([ROW, {**ROW, "id": "2", **changes}])


def test_a_good_frame_passes():
    assert len(valid(frame(), TASKS, "made up")) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight": 0.0}, r"made up: column 'weight', row 1: 0\.0 violates greater_than"),
        ({"text": ""}, r"column 'text', row 1"),
        ({"label": None}, r"column 'label', row 1"),
        ({"id": "1"}, r"column 'id', row 0: '1' violates"),
    ],
)
def test_a_violation_names_column_and_row(changes: dict, said: str):
    with pytest.raises(JobshiftError, match=said):
        valid(frame(**changes), TASKS, "made up")


def test_a_missing_column_is_named():
    with pytest.raises(JobshiftError, match=r"column 'group' is missing"):
        valid(frame().drop(columns="group"), TASKS, "made up")
