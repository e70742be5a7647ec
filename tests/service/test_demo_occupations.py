"""Occupations of a study, joined by hand in tiny_service.py."""

from pathlib import Path

import pytest
import tiny_service

from jobshift.errors import JobshiftError
from jobshift.service.occupations import Occupations, read_occupations


@pytest.fixture
def occupations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Occupations:
    monkeypatch.chdir(tiny_service.write(tmp_path / "study"))
    return read_occupations("onet", "rubric")


def test_an_occupation_with_the_figures_of_a_wider_one(occupations: Occupations):
    found = occupations.occupation("11-1112.00")
    tasks = found.pop("tasks")
    assert found == {
        "code": "11-1112.00",
        "title": "Fishery Clerks",
        "soc": "11-1112",
        "alpha": 0.5,
        "beta": 0.6,
        "zeta": 0.7,
        "substituted_share": 0.3,
        "complemented_share": 0.4,
        "untouched_share": 0.3,
        "exposure_rank": pytest.approx(2 / 3),
        "oews_title": "Fishery Workers",
        "shared_with": 1,
        "employment_workers": 1200,
        "annual_wage_usd": 30500,
        "wage_at_least": False,
        "wage_basis": "annual median",
    }
    assert [task["text"] for task in tasks] == [
        "Answer calls.",
        "Sort the catch by size.",
        "Write letters to anglers.",
    ]
    assert tasks[0] == {
        "id": "11-1112.00-2",
        "text": "Answer calls.",
        "label": "E1",
        "automation": None,
    }


def test_a_wage_that_is_only_known_to_be_at_least_so_much(occupations: Occupations):
    found = occupations.occupation("22-2222.01")
    assert (found["annual_wage_usd"], found["wage_at_least"]) == (239_200, True)
    assert (found["employment_workers"], found["shared_with"]) == (None, 0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("f", ["Fern Keepers", "Fishery Clerks"]),
        ("KEEPERS fern", ["Fern Keepers"]),
        ("22-22", ["Fern Keepers"]),
        ("er", ["Fern Keepers", "Fishery Clerks"]),
        ("keep", ["Fern Keepers"]),
        ("(", []),
        ("", ["Boat Hands", "Fern Keepers", "Fishery Clerks"]),
    ],
)
def test_search(occupations: Occupations, words: str, expected: list[str]):
    assert [each["title"] for each in occupations.search(words)] == expected
    assert [each["title"] for each in occupations.search(words, 1)] == expected[:1]


def test_the_country_and_the_list_of_all(occupations: Occupations):
    assert occupations.country["beta"] == 0.2
    assert occupations.choices()[0] == ("Boat Hands", "11-1111.00")
    assert len(occupations.choices()) == 3


def test_what_is_said_of_what_is_missing(occupations: Occupations):
    with pytest.raises(JobshiftError, match="there is no occupation with this code"):
        occupations.occupation("99-9999.99")
    Path("reports/tables/oews_bridge.csv").unlink()
    with pytest.raises(JobshiftError, match=r"oews_bridge\.csv is missing.*make repro"):
        read_occupations("onet", "rubric")
