"""The table of sources says what was fetched."""

from pathlib import Path

import pandas as pd
import pytest
from conftest import jobshift

from jobshift.errors import JobshiftError


def test_every_file_is_listed_with_its_hash(study: Path):
    for source in ("onet_tasks", "minilm", "oews_2025", "rubric_ratings"):
        jobshift("fetch", f"source={source}")
    jobshift("sources")
    rows = pd.read_csv("reports/tables/sources.csv").set_index(["name", "file"])
    ratings = rows.loc[("rubric_ratings", "dwa_ratings.csv")]
    assert ratings["licence"].startswith("CC BY 4.0")
    assert len(ratings["sha256"]) == 64
    assert set(rows.index.get_level_values("name")) == {
        "onet_tasks",
        "minilm",
        "oews_2025",
        "rubric_ratings",
    }
    assert ratings["sha256"] in Path("reports/sources.md").read_text()


def test_a_source_that_was_not_fetched_is_named(study: Path):
    with pytest.raises(
        JobshiftError, match=r"source\.json is missing; bring it with `jobshift fetch source="
    ):
        jobshift("sources")
