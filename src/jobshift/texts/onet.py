"""O*NET task statements with labels from the ratings of their detailed work activities (DWAs).

A task is linked to one or more DWAs; every rater rated every DWA. A task's label distribution is that of
all rater × DWA votes, its hard label the majority (ties: see `votes`). The first DWA is the first in the
order of the O*NET file.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.schema import LINKS, RATINGS, checked
from jobshift.texts.splits import normalise
from jobshift.texts.votes import majority, tied, vote_shares

AUTOMATION = ["T0", "T1", "T2", "T3", "T4"]


@dataclass
class Prepared:
    """The tasks of a data set and the counts that its data card reports."""

    tasks: pd.DataFrame
    counts: dict[str, int]
    dropped: dict[str, int]
    facts: dict[str, str]


def joined(names: pd.Series) -> str:
    """The distinct names in order, joined by spaces."""
    return " ".join(sorted(set(names)))


def prepare(raw: Path, exposure: list[str]) -> Prepared:
    """Join `onet_tasks` and `rubric_ratings` under `raw` into one row a task.

    `exposure` lists the classes in ordinal order. Returns the columns of `schema.TASKS` but `group`.
    Raises JobshiftError where a file is missing or a value does not fit, naming file, column and row.
    """
    links_file = raw / "onet_tasks" / "Task_DWA.csv"
    ratings_file = raw / "rubric_ratings" / "dwa_ratings.csv"
    links = checked(links_file, LINKS)
    ratings = checked(ratings_file, RATINGS)
    dropped: dict[str, int] = {}

    def keep(frame: pd.DataFrame, good: pd.Series, reason: str) -> pd.DataFrame:
        dropped[reason] = int((~good).sum())
        return frame[good]

    read = len(links)
    links = keep(links, ~links.duplicated(["Task ID", "DWA ID"]), "link stands twice")
    links = keep(
        links, links["Task"].map(normalise) != "", "task statement without a letter or digit"
    )
    links = keep(links, links["DWA ID"].isin(set(ratings["dwa_id"])), "activity without a rating")
    several = links.groupby("Task ID")[["Task", "O*NET-SOC Code"]].nunique().max(axis=1)
    if (several > 1).any():
        task = several.index[several > 1][0]
        raise JobshiftError(
            f"{links_file}: Task ID {task} has more than one statement or occupation; "
            "give each statement an id of its own"
        )

    votes = links[["Task ID", "DWA ID"]].merge(ratings, left_on="DWA ID", right_on="dwa_id")
    listed = links.groupby("Task ID")
    tasks = pd.DataFrame(
        {
            "text": listed["Task"].first(),
            "text_pair": pd.Series(dtype="str"),
            "occupation": listed["O*NET-SOC Code"].first(),
            "title": listed["Title"].first(),
            "dwa": listed["DWA ID"].first(),
            "dwas": listed["DWA ID"].agg(joined),
            "gwas": listed["GWA"].agg(joined),
            # This source does not tell core from supplemental tasks, so all weigh the same.
            "weight": 1.0,
        }
    )
    exposed = vote_shares(votes, "Task ID", "exposure", exposure)
    automated = vote_shares(votes, "Task ID", "automation", AUTOMATION)
    tasks["label"] = majority(exposed)
    tasks["automation"] = majority(automated)
    raters = sorted(ratings["rater"].unique())
    for rater in raters:
        own = votes[votes["rater"] == rater]
        tasks[f"label_{rater}"] = majority(vote_shares(own, "Task ID", "exposure", exposure))
    tasks = tasks.join(exposed).join(automated).rename_axis("id").reset_index()

    counts = {
        "links read": read,
        "tasks": len(tasks),
        "occupations": tasks["occupation"].nunique(),
        "activities": links["DWA ID"].nunique(),
        "raters": len(raters),
        "distinct texts": tasks["text"].map(normalise).nunique(),
        "exposure ties": int(tied(exposed).sum()),
        "automation ties": int(tied(automated).sum()),
    }
    facts = {
        "task weights": "equal (core and supplemental tasks are not told apart in this source)"
    }
    return Prepared(tasks, counts, dropped, facts)
