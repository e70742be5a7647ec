"""What the page and the API ask: ratings, explanations and occupations, as plain dictionaries.

The model rates as `jobshift rate` does and explains as `jobshift explain` does; here are only the queues,
what is kept of the texts asked for last, and the occupation that a text resembles.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from jobshift.measures.exposure import MEASURES
from jobshift.rating.engines import Engine
from jobshift.rating.exported import Exported
from jobshift.rating.rate import DECIMALS, opened, rate_distinct, why_not
from jobshift.service.batching import Batcher
from jobshift.service.occupations import Occupations

NEAREST = 10  # training texts that say which occupation a text resembles
SHOWN = 3  # of them with an explanation


class Service:
    """One exported model and the occupations of its study; to be used from one asyncio loop."""

    def __init__(self, exported: Exported, engine: Engine, occupations: Occupations | None):
        self.model, self.classes = exported.model, exported.classes
        self.occupations = occupations
        codes = occupations.codes if occupations else {}
        self.rating = Batcher(rater(exported, engine, codes))
        self.explaining = Batcher(explainer(exported), batch=8, waiting=256, kept=2_000)
        self.warmed = False

    async def rate(self, texts: Sequence[str]) -> list[dict]:
        """The rating of each text; one that cannot be rated has its reason in `problem` and nothing else.

        Raises Overloaded where too many texts wait.
        """
        return await answers(self.rating, texts, RATING)

    async def explain(self, texts: Sequence[str]) -> list[dict]:
        """The explanation of each text; as in `rate`, `problem` says why there is none.

        Raises Overloaded where too many texts wait, and JobshiftError where captum is not installed.
        """
        return await answers(self.explaining, texts, EXPLANATION)

    def warm(self) -> None:
        """Load what explains, unless that has begun; where it cannot be loaded, `explain` says so."""
        if not self.warmed:
            self.warmed = True
            self.explaining.thread.submit(self.explaining.work, [])

    def waiting(self) -> int:
        """How many texts wait to be rated or explained."""
        return len(self.rating.queue) + len(self.explaining.queue)

    def close(self) -> None:
        """End the threads."""
        self.rating.close()
        self.explaining.close()


RATING = (
    *("predicted", "probabilities", *MEASURES, "automation", "automation_probabilities"),
    *("confidence", "distance", "out_of_domain", "note", "resembles"),
)
EXPLANATION = ("value", "baseline", "completeness_gap", "words", "nearest")


async def answers(batcher: Batcher, texts: Sequence[str], keys: Sequence[str]) -> list[dict]:
    """What `batcher` gives for each text, between the text and, where there is nothing, the `problem`."""
    problems = [why_not(text) for text in texts]
    good = [text for text, problem in zip(texts, problems, strict=True) if not problem]
    found = iter(await batcher.submit(good) if good else [])
    empty = dict.fromkeys(keys)
    return [
        {"text": shown(text), **(empty if problem else next(found)), "problem": problem or None}
        for text, problem in zip(texts, problems, strict=True)
    ]


def shown(text: str) -> str:
    """`text` as it can be written in UTF-8: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def rater(
    exported: Exported, engine: Engine, codes: dict[str, str]
) -> Callable[[list[str]], list[dict]]:
    """A function of distinct texts that gives their ratings; `codes` are those of occupations by title."""
    _, heads = opened(exported.folder)
    titles = exported.evidence()["occupation"].to_numpy(object)

    def rate(texts: list[str]) -> list[dict]:
        found, embedding = rate_distinct(texts, exported, engine)
        columns = {name: values.tolist() for name, values in found.items()}
        similar = resembling(heads.mapped(embedding) @ heads.train.T, titles)
        ratings = []
        for row, resembles in enumerate(similar):
            rating = dict.fromkeys(RATING)
            rating |= {name: columns[name][row] for name in RATING if name in columns}
            rating["probabilities"] = {name: columns[f"p_{name}"][row] for name in exported.classes}
            rating["automation_probabilities"] = {
                name: columns[f"t_{name}"][row] for name in exported.automation
            }
            if resembles:
                title, similarity = resembles
                rating["resembles"] = {
                    "code": codes.get(title),
                    "title": title,
                    "similarity": similarity,
                }
            ratings.append(rating)
        return ratings

    return rate


def resembling(cosine: np.ndarray, titles: np.ndarray) -> list[tuple[str, float] | None]:
    """The occupation that each text resembles, and the cosine to its nearest task.

    `cosine` is [texts, training texts], `titles` their occupations. The nearest training texts vote by
    their cosine (a distance-weighted k-nearest-neighbour rule, Dudani 1976, IEEE Trans. SMC 6); None where
    none of them has an occupation.
    """
    count = min(NEAREST, cosine.shape[1])
    nearest = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
    found = []
    for row, rows in enumerate(nearest):
        votes: dict[str, list[float]] = {}
        for place in sorted(rows, key=lambda place: (-cosine[row, place], place)):
            if isinstance(titles[place], str):
                votes.setdefault(titles[place], []).append(max(float(cosine[row, place]), 0.0))
        best = max(votes, key=lambda title: sum(votes[title]), default=None)
        found.append(None if best is None else (best, round(votes[best][0], DECIMALS)))
    return found


def explainer(exported: Exported) -> Callable[[list[str]], list[dict]]:
    """A function of distinct texts that gives their explanations; the first call loads the network."""

    @cache
    def network():
        from jobshift.rating.explain import Explainer

        return Explainer(exported)

    def explain(texts: list[str]) -> list[dict]:
        own = network()
        found = zip(own.attributions(texts), own.nearest(texts, SHOWN), strict=True)
        return [
            {
                "value": round(words.value, DECIMALS),
                "baseline": round(words.baseline, DECIMALS),
                "completeness_gap": round(words.completeness_gap, DECIMALS),
                "words": [
                    {"word": word, "value": round(value, DECIMALS)}
                    for word, value in zip(words.words, words.values, strict=True)
                ],
                "nearest": [
                    {
                        "cosine": round(float(task["cosine"]), DECIMALS),
                        "label": task["label"],
                        "occupation": task["occupation"],
                        "text": task["text"],
                    }
                    for task in tasks.astype(object).where(tasks.notna(), None).to_dict("records")
                ],
            }
            for words, tasks in found
        ]

    return explain
