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


def read_links(file: Path, rated: set[str], dropped: dict[str, int]) -> pd.DataFrame:
    """The links of tasks and activities in `Task_DWA.csv`, one row a link, those in doubt dropped.

    Kept are links to the activities `rated`; `dropped` gets the count of each reason. Raises
    JobshiftError where the file is missing or a task has two statements or occupations.
    """
    links = checked(file, LINKS)

    def keep(frame: pd.DataFrame, good: pd.Series, reason: str) -> pd.DataFrame:
        dropped[reason] = int((~good).sum())
        return frame[good]

    links = keep(links, ~links.duplicated(["Task ID", "DWA ID"]), "link stands twice")
    links = keep(
        links, links["Task"].map(normalise) != "", "task statement without a letter or digit"
    )
    links = keep(links, links["DWA ID"].isin(rated), "activity without a rating")
    several = links.groupby("Task ID")[["Task", "O*NET-SOC Code"]].nunique().max(axis=1)
    if (several > 1).any():
        task = several.index[several > 1][0]
        raise JobshiftError(
            f"{file}: Task ID {task} has more than one statement or occupation; "
            "give each statement an id of its own"
        )
    return links


def activities(links: pd.DataFrame) -> pd.DataFrame:
    """What the links say of each task, by task id: text_pair, dwa, dwas, gwas.

    `text_pair` holds the titles of its activities in the order of the file.
    """
    titles = links["DWA Title"].str.removesuffix(".")
    return pd.DataFrame(
        {
            "text_pair": titles.groupby(links["Task ID"]).agg("; ".join),
            "dwa": links.groupby("Task ID")["DWA ID"].first(),
            "dwas": links.groupby("Task ID")["DWA ID"].agg(joined),
            "gwas": links.groupby("Task ID")["GWA"].agg(joined),
        }
    )


def prepare(raw: Path, exposure: list[str], rater: str) -> Prepared:
    """Join `onet_tasks` and `rubric_ratings` under `raw` into one row a task.

    `exposure` lists the classes in ordinal order; `rater` is `rubric`, the only one of this data set.
    Returns the columns of `schema.TASKS` but `group`. Raises JobshiftError where a file is missing or
    a value does not fit, naming file, column and row.
    """
    ratings = checked(raw / "rubric_ratings" / "dwa_ratings.csv", RATINGS)
    links_file = raw / "onet_tasks" / "Task_DWA.csv"
    dropped: dict[str, int] = {}
    links = read_links(links_file, set(ratings["dwa_id"]), dropped)

    votes = links[["Task ID", "DWA ID"]].merge(ratings, left_on="DWA ID", right_on="dwa_id")
    listed = links.groupby("Task ID")
    tasks = pd.DataFrame(
        {
            "text": listed["Task"].first(),
            "occupation": listed["O*NET-SOC Code"].first(),
            "title": listed["Title"].first(),
            # This source does not tell core from supplemental tasks, so all weigh the same.
            "weight": 1.0,
        }
    ).join(activities(links))
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
        "links read": len(links) + sum(dropped.values()),
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
