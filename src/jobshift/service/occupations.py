"""The occupations of a finished study: their tasks, exposure, wage and employment, from its own tables."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from jobshift.errors import JobshiftError
from jobshift.measures.exposure import MEASURES
from jobshift.measures.labour_market import SHARES

if TYPE_CHECKING:
    import pandas as pd

TABLES = Path("reports/tables")


class Occupations:
    """What is known of each O*NET occupation; `country` has the employment-weighted means of all."""

    def __init__(
        self,
        tasks: "pd.DataFrame",
        onet: "pd.DataFrame",
        oews: "pd.DataFrame",
        bridge: "pd.DataFrame",
        national: "pd.DataFrame",
        rater: str,
    ):
        """Join the prepared tasks with the tables that the stage aggregate wrote, of one `rater`."""
        onet, oews, bridge, national = (
            each[each["rater"] == rater] for each in (onet, oews, bridge, national)
        )
        values = national.set_index("measure")["value"]
        self.country = {name: float(values[name]) for name in (*MEASURES, *SHARES)}
        figures = oews.set_index("soc")[
            ["title", "employment_workers", "annual_wage_usd", "wage_basis"]
        ]
        wider = bridge.drop_duplicates("soc_code").set_index("soc_code")["oews_code"]
        # The OEWS row that has the figures of an occupation: its own, or a wider one.
        row = onet["soc"].where(onet["soc"].isin(figures.index), onet["soc"].map(wider))
        joined = onet.assign(
            row=row,
            shared_with=row.map(row.value_counts()).fillna(1).astype(int) - 1,
            exposure_rank=onet["beta"].map(lambda beta: (onet["beta"] < beta).mean()),
        ).join(figures.rename(columns={"title": "oews_title"}), on="row")
        joined = joined.sort_values("title")
        self.tasks = dict(tuple(tasks.sort_values("text").groupby("occupation")))
        self.rows = {row["occupation"]: row for row in joined.to_dict("records")}
        self.codes = {row["title"]: code for code, row in self.rows.items()}

    def choices(self) -> list[tuple[str, str]]:
        """Title and code of all, by title."""
        return list(self.codes.items())

    def search(self, words: str, limit: int = 20) -> list[dict]:
        """Code and title of those whose title or code has all `words`; the ones that begin with them first."""
        wanted = words.lower().split()
        found = []
        for title, code in self.codes.items():
            text = f"{title} {code}".lower()
            if all(word in text for word in wanted):
                begin = sum(bool(re.search(rf"\b{re.escape(word)}", text)) for word in wanted)
                found.append((not text.startswith(words.strip().lower()), -begin, title, code))
        return [{"code": code, "title": title} for *_, title, code in sorted(found)[:limit]]

    def occupation(self, code: str) -> dict:
        """One occupation with its tasks (docs/service.md names the keys); JobshiftError where there is none."""
        row = self.rows.get(code)
        if row is None:
            raise JobshiftError("there is no occupation with this code; search for its title")
        known = without_nan(row)
        wage = known["annual_wage_usd"]
        tasks = self.tasks[code].to_dict("records") if code in self.tasks else []
        return {
            "code": code,
            **{name: known[name] for name in ("title", "soc", *MEASURES, *SHARES)},
            **{name: known[name] for name in ("exposure_rank", "oews_title", "shared_with")},
            "employment_workers": known["employment_workers"] and int(known["employment_workers"]),
            "annual_wage_usd": wage and round(wage),
            "wage_at_least": known["wage_basis"] == "top-code",
            "wage_basis": known["wage_basis"],
            "tasks": [
                {"id": str(task["id"]), "text": task["text"]}
                | {name: task.get(name) for name in ("label", "automation")}
                for task in map(without_nan, tasks)
            ],
        }


def without_nan(row: dict) -> dict:
    """`row` with None where a value is missing."""
    return {name: None if value != value else value for name, value in row.items()}


def read_occupations(data: str, rater: str) -> Occupations | None:
    """The occupations of the study in this folder; None where its data set rates no occupations.

    JobshiftError where a table is missing.
    """
    import pandas as pd

    file = Path("data/prepared", data, "tasks.parquet")
    names = ["exposure_onet", "exposure_occupations", "oews_bridge", "exposure_national"]
    paths = [TABLES / f"{name}.csv" for name in names]
    for path in (file, *paths):
        if not path.is_file():
            raise JobshiftError(
                f"{path} is missing: the study has not been run here; run `make repro` first"
            )
    onet, *others = (pd.read_csv(path, dtype={"soc_code": str, "soc": str}) for path in paths)
    if onet.empty:
        return None
    columns = ["id", "text", "occupation", "label", "automation"]
    tasks = pd.read_parquet(file)
    return Occupations(tasks[[c for c in columns if c in tasks]], onet, *others, rater)
