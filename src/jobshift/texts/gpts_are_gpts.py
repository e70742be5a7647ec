"""The published labels of Eloundou et al. (2023), "GPTs are GPTs", joined with activities and our ratings.

Which file a column comes from:

| column | file | column there |
| --- | --- | --- |
| `label_human` | `full_labelset.tsv` | `human_exposure_agg` (`human_labels` there must be the same) |
| `label_gpt4`, `label_gpt4_alt` | `full_labelset.tsv` | `gpt4_exposure`, `gpt4_exposure_alt_rubric` |
| `automation_gpt4` | `full_labelset.tsv` | `gpt4_automation`, on which its numeric `automation` rests |
| `automation_gpt4_other` | `automation_gpt4_human_labels.tsv` | `gpt4_automation` there, other labels |
| `automation_human` | `automation_gpt4_human_labels.tsv` | `human_automation`, on few tasks |
| `label_rubric`, `automation_rubric` | `dwa_ratings.csv` | majority over rater × activity votes |
| `text_pair`, `dwa`, `dwas`, `gwas` | `Task_DWA.csv` | the task's activities, joined by Task ID |

Core tasks weigh 2 and all others 1, which is the weighting of the published `occ_level.csv`. Tasks whose
activities are unknown stay: they have no rating of ours, and share an activity with no other task.
"""

from pathlib import Path

import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.texts.onet import AUTOMATION, Prepared, activities, read_links
from jobshift.texts.schema import PUBLISHED, PUBLISHED_AUTOMATION, RATINGS, checked
from jobshift.texts.splits import normalise
from jobshift.texts.votes import majority, vote_shares

EXPOSURE = {
    "human": "human_exposure_agg",
    "gpt4": "gpt4_exposure",
    "gpt4_alt": "gpt4_exposure_alt_rubric",
}


def prepare(raw: Path, exposure: list[str], rater: str) -> Prepared:
    """Join labels, activities and ratings under `raw` into one row a task, with the labels of `rater`.

    `exposure` lists the classes in ordinal order; `rater` is human, gpt4, gpt4_alt or rubric. Returns
    the columns of `schema.TASKS` but `group`, and those of the table above; a label or an automation
    class that a rater has not given is null. Raises JobshiftError where a file is missing or a value
    does not fit.
    """
    file = raw / "gpts_are_gpts" / "full_labelset.tsv"
    published = checked(file, PUBLISHED)
    published.index = pd.Index(published["Task ID"].str.removesuffix(".0"), name="id")
    differs = published["human_exposure_agg"] != published["human_labels"]
    if differs.any():
        raise JobshiftError(
            f"{file}: human_exposure_agg and human_labels differ for Task ID "
            f"{published.index[differs][0]}; fetch the pinned file again"
        )
    tasks = pd.DataFrame(
        {
            "text": published["Task"],
            "occupation": published["O*NET-SOC Code"],
            "title": published["Title"],
            "weight": (published["Task Type"] == "Core") + 1.0,
        }
    )
    dropped: dict[str, int] = {}
    ratings = checked(raw / "rubric_ratings" / "dwa_ratings.csv", RATINGS)
    links_file = raw / "onet_tasks" / "Task_DWA.csv"
    links = read_links(links_file, set(ratings["dwa_id"]), dropped)
    unknown = ~links["Task ID"].isin(set(tasks.index))
    dropped["link of a task without a published label"] = int(unknown.sum())
    links = links[~unknown]
    check_statements(links, tasks["text"], links_file, file)
    tasks = tasks.join(activities(links))
    tasks = tasks.fillna(dict.fromkeys(("dwa", "dwas", "gwas"), ""))

    for name, column in EXPOSURE.items():
        tasks[f"label_{name}"] = published[column]
    tasks["automation_gpt4"] = published["gpt4_automation"]
    votes = links[["Task ID", "DWA ID"]].merge(ratings, left_on="DWA ID", right_on="dwa_id")
    rubric = vote_shares(votes, "Task ID", "exposure", exposure)
    automated = vote_shares(votes, "Task ID", "automation", list(AUTOMATION))
    tasks["label_rubric"] = majority(rubric)
    tasks["automation_rubric"] = majority(automated)
    second = checked(
        raw / "gpts_are_gpts" / "automation_gpt4_human_labels.tsv", PUBLISHED_AUTOMATION
    )
    second.index = second["Task ID"].str.removesuffix(".0")
    tasks["automation_gpt4_other"] = second["gpt4_automation"]
    tasks["automation_human"] = second["human_automation"]

    facts = {
        "task weights": "core tasks 2, supplemental tasks and those of unknown type 1",
        "tasks without an activity": f"{(tasks['dwa'] == '').sum():,}, which have no rating of ours",
        **automation_facts(tasks),
    }
    if rater == "rubric":
        rated = tasks["label_rubric"].notna()
        dropped["task without a rated activity"] = int((~rated).sum())
        tasks = tasks[rated].join(rubric).join(automated)
    else:
        tasks = tasks.join(indicators(tasks[f"label_{rater}"], exposure))
        tasks = tasks.join(indicators(tasks["automation_gpt4"], list(AUTOMATION)))
    tasks["label"] = tasks[f"label_{rater}"]
    tasks["automation"] = tasks["automation_rubric" if rater == "rubric" else "automation_gpt4"]
    empty = tasks["text"].map(normalise) == ""
    dropped["task statement without a letter or digit"] += int(empty.sum())
    tasks = tasks[~empty].rename_axis("id").reset_index()
    counts = {
        "published tasks": len(published),
        "tasks": len(tasks),
        "core tasks": int((tasks["weight"] == 2.0).sum()),
        "occupations": tasks["occupation"].nunique(),
        "links to activities": len(links),
        "activities": links["DWA ID"].nunique(),
        "distinct texts": tasks["text"].map(normalise).nunique(),
    }
    return Prepared(tasks, counts, dropped, facts)


def check_statements(links: pd.DataFrame, texts: pd.Series, links_file: Path, file: Path) -> None:
    """JobshiftError where the two sources give one task two statements: their ids cannot be joined."""
    statements = links.drop_duplicates("Task ID").set_index("Task ID")["Task"]
    other = statements.map(normalise) != texts[statements.index].map(normalise)
    if other.any():
        raise JobshiftError(
            f"{links_file} and {file} have different statements of Task ID {statements.index[other][0]}; "
            "they are not of the same O*NET release, fetch both pinned sources again"
        )


def indicators(labels: pd.Series, classes: list[str]) -> pd.DataFrame:
    """Shares `p_<class>` of one rater: 1.0 for the class given, else 0.0."""
    return pd.DataFrame({f"p_{name}": (labels == name).astype(float) for name in classes})


def automation_facts(tasks: pd.DataFrame) -> dict[str, str]:
    """How far the two files of automation labels agree, and with people, where people labelled."""
    main, other, human = (tasks[f"automation_{name}"] for name in ("gpt4", "gpt4_other", "human"))
    labelled = human.notna()
    return {
        "GPT-4 automation, full_labelset.tsv and automation_gpt4_human_labels.tsv": (
            f"the same class on {(main == other).mean():.1%} of the tasks; the first is used"
        ),
        "human automation labels": (
            f"{labelled.sum():,} tasks; the same class as GPT-4 in full_labelset.tsv on "
            f"{(main == human)[labelled].mean():.0%}, as in the other file on "
            f"{(other == human)[labelled].mean():.0%}"
        ),
    }
