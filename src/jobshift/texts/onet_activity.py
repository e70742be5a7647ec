"""O*NET task statements with their generalized work activities (GWAs): several classes may apply to a task.

A task's label is the set of GWAs of its detailed work activities (DWAs), joined by spaces. No rating enters
it. Choices made here:

- **No second text.** `text_pair` is null: the titles of a task's DWAs would nearly tell its GWAs. `dwas`
  is there for the split alone; a model that reads it reads the answer, because a DWA's code begins with
  its GWA.
- **The split is purged as for `onet`** (see `texts/splits.py`): no DWA and no text of a test or validation
  task is in training. But the rarest classes have a few dozen tasks in a few leak groups, and groups drawn
  regardless of class leave some parts without them: no threshold could be chosen and no F1 measured. So
  groups are dealt by class, and where one is still missing the stage refuses the split.
"""

from pathlib import Path

import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.onet import Prepared, activities, read_links
from jobshift.texts.schema import LINKS, checked
from jobshift.texts.splits import indicators, labels_of, normalise


def read_tasks(raw: Path, dropped: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All links in `onet_tasks` under `raw`, and one row a task, sorted by task id.

    The tasks have `id`, `text`, `occupation`, `title`, `weight` (1.0: this source does not tell core from
    supplemental tasks), `same` (the normalised text), `dwa`, `dwas`, `gwas`. `dropped` gets the count of
    each reason for which a link is left out. Raises JobshiftError where the file is missing or does not
    fit, or a GWA is not the beginning of its DWA's code.
    """
    file = raw / "onet_tasks" / "Task_DWA.csv"
    rated = set(
        checked(file, LINKS)["DWA ID"]
    )  # no rating is needed here, so all activities will do
    reasons: dict[str, int] = {}
    links = read_links(file, rated, reasons)
    reasons.pop("activity without a rating")
    dropped.update(reasons)
    astray = links["DWA ID"].str.rsplit(".", n=2).str[0] != links["GWA"]
    if astray.any():
        first = links[astray].iloc[0]
        raise JobshiftError(
            f"{file}: the activity {first['DWA ID']} is not of the generalized activity {first['GWA']} "
            "that stands beside it; mend the file"
        )
    listed = links.groupby("Task ID")
    tasks = pd.DataFrame(
        {
            "text": listed["Task"].first(),
            "occupation": listed["O*NET-SOC Code"].first(),
            "title": listed["Title"].first(),
            "weight": 1.0,
        }
    )
    tasks["same"] = tasks["text"].map(normalise)
    tasks = tasks.join(activities(links).drop(columns="text_pair"))
    return links, tasks.rename_axis("id").reset_index()


def prepare(raw: Path, classes: list[str], rater: str) -> Prepared:
    """The tasks in `onet_tasks` under `raw` with their generalized activities as labels.

    `classes` are the codes of the GWAs, in the order in which `label` has them; `rater` says nothing, as no
    one rated. Returns the columns of `schema.TASKS` but `group`, `title` (the occupation's name), `dwa`,
    `dwas`, and `p_<class>`, 1.0 for each class of the task, else 0.0. Raises JobshiftError as
    `read_tasks`, ValueError where `classes` lacks a GWA that has tasks or has one that has none.
    """
    dropped: dict[str, int] = {}
    links, tasks = read_tasks(raw, dropped)
    odd = set(links["GWA"]) ^ set(classes)
    if odd:
        known = min(odd) in classes
        raise ValueError(f"{min(odd)} {'has no task' if known else 'is missing, which has tasks'}")
    same, has = tasks.pop("same"), indicators(tasks.pop("gwas"))[classes]
    tasks["label"] = labels_of(has)
    tasks.insert(2, "text_pair", pd.Series(None, index=tasks.index, dtype="str"))
    number = has.sum(axis=1)
    counts = {
        "links read": len(links) + sum(dropped.values()),
        "tasks": len(tasks),
        "occupations": tasks["occupation"].nunique(),
        "activities": links["DWA ID"].nunique(),
        "classes": len(classes),
        "distinct texts": same.nunique(),
        "distinct sets of classes": tasks["label"].nunique(),
        **{
            f"tasks of {n} {'class' if n == 1 else 'classes'}": int((number == n).sum())
            for n in sorted(set(number))
        },
        "tasks of the rarest class": int(has.sum().min()),
        "tasks of the most common class": int(has.sum().max()),
    }
    facts = {"task weights": "equal", "classes a task": f"{number.mean():.3f} on average"}
    return Prepared(tasks.join(has.astype(float).add_prefix("p_")), counts, dropped, facts)
