"""Models without a network: the majority, a lookup of its activities' label, and bag of words.

They stand in every table: what they reach needs no language model. Each is fitted on texts (and their
activities) with a label distribution a text, and is kept as safetensors and JSON, never as a pickle.
"""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.models.options import LookupOptions, TfidfOptions


class Majority:
    """Gives every text the label distribution of the training set."""

    def fit(self, rows: pd.DataFrame, targets: np.ndarray, weights: np.ndarray) -> None:
        """`targets` [rows, classes] sum to 1 a row; `weights` [rows] weigh them."""
        self.prior = np.average(targets, axis=0, weights=weights)

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes]."""
        return np.tile(self.prior, (len(rows), 1))

    def save(self, folder: Path) -> None:
        """Write `prior.json` into `folder`."""
        (folder / "prior.json").write_text(json.dumps(self.prior.tolist()) + "\n")


class ActivityLookup:
    """Gives a text the mean training label of its activities, without reading it.

    An activity that training never saw is replaced by its intermediate (IWA) or generalized work
    activity (GWA), which are prefixes of its id, and in the end by the training mean, as is the text
    without an activity. Only the column `dwas` is read.
    """

    # Number of parts of 4.A.2.a.4.I09.D03 that name the activity at each level.
    PARTS: ClassVar = {"dwa": 7, "iwa": 6, "gwa": 5}

    def __init__(self, options: LookupOptions):
        unknown = [level for level in options.levels if level not in self.PARTS]
        if unknown:
            raise JobshiftError(
                f"lookup.levels has {unknown[0]!r}; choose from {', '.join(self.PARTS)}"
            )
        self.depths = [self.PARTS[level] for level in options.levels]

    @staticmethod
    def prefix(activity: str, depth: int) -> str:
        """The first `depth` parts of an id: 4.A.2.a.4.I09.D03 → 4.A.2.a.4.I09 for an IWA."""
        return ".".join(activity.split(".")[:depth])

    def fit(self, rows: pd.DataFrame, targets: np.ndarray, weights: np.ndarray) -> None:
        """`targets` [rows, classes] sum to 1 a row; `weights` [rows] weigh them."""
        self.prior = np.average(targets, axis=0, weights=weights)
        sums: dict[str, np.ndarray] = {}
        for activities, target, weight in zip(rows["dwas"], targets, weights, strict=True):
            for activity in activities.split():
                for depth in self.depths:
                    key = self.prefix(activity, depth)
                    sums[key] = sums.get(key, 0.0) + weight * target
        self.table = {key: sums[key] / sums[key].sum() for key in sorted(sums)}

    def look_up(self, activity: str) -> np.ndarray:
        """The label distribution of one activity [classes]."""
        for depth in self.depths:
            if (key := self.prefix(activity, depth)) in self.table:
                return self.table[key]
        return self.prior

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes], the mean over each row's activities."""
        return np.array(
            [
                np.mean([self.look_up(each) for each in joined.split()] or [self.prior], axis=0)
                for joined in rows["dwas"]
            ]
        )

    def save(self, folder: Path) -> None:
        """Write `table.json` into `folder`."""
        table = {key: value.tolist() for key, value in self.table.items()}
        content = {"prior": self.prior.tolist(), "table": table}
        (folder / "table.json").write_text(json.dumps(content) + "\n")


class Tfidf:
    """TF-IDF of words and word pairs, then multinomial logistic regression.

    Soft labels train it as weighted hard labels: a text stands once for each class with a share.
    """

    def __init__(self, options: TfidfOptions, class_weight: str):
        self.options = options
        self.class_weight = None if class_weight == "none" else class_weight

    def fit(self, rows: pd.DataFrame, targets: np.ndarray, weights: np.ndarray) -> None:
        """`targets` [rows, classes] sum to 1 a row; `weights` [rows] weigh them."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        options = self.options
        self.vectorizer = TfidfVectorizer(
            analyzer=options.analyzer,
            ngram_range=(options.ngram_min, options.ngram_max),
            min_df=options.min_df,
            sublinear_tf=options.sublinear_tf,
        )
        words = self.vectorizer.fit_transform(rows["text"])
        row, label = np.nonzero(targets)
        self.regression = LogisticRegression(
            C=options.C, max_iter=options.max_iter, class_weight=self.class_weight
        )
        self.regression.fit(words[row], label, sample_weight=weights[row] * targets[row, label])
        self.classes = targets.shape[1]

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes]; a class that training never saw gets 0."""
        fitted = self.regression.predict_proba(self.vectorizer.transform(rows["text"]))
        result = np.zeros((len(rows), self.classes))
        result[:, self.regression.classes_] = fitted
        return result

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` and `weights.safetensors` (idf, coef, intercept) into `folder`."""
        from safetensors.numpy import save_file

        terms = self.vectorizer.get_feature_names_out().tolist()
        (folder / "vocabulary.json").write_text(json.dumps(terms, ensure_ascii=False) + "\n")
        save_file(
            {
                "idf": self.vectorizer.idf_,
                "coef": self.regression.coef_,
                "intercept": self.regression.intercept_,
                "classes": self.regression.classes_,
            },
            folder / "weights.safetensors",
        )
