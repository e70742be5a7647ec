"""Models without a network: the majority, a lookup of its activities' label, and bag of words.

They stand in every table: what they reach needs no language model. Each is fitted on texts (and their
activities) with a label distribution a text, and is kept as safetensors and JSON, never as a pickle. The
ensemble, which is fitted on nothing, is the mean of other runs.
"""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.models.options import LookupOptions, SvmOptions, TfidfOptions


def save_weights(weights: dict[str, np.ndarray], folder: Path) -> None:
    """Write `weights.safetensors` into `folder`."""
    from safetensors.numpy import save_file

    # save_file writes memory as it lies, and scikit-learn's coefficients lie column by column.
    rows_first = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    save_file(rows_first, folder / "weights.safetensors")


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

        options = self.options
        self.vectorizer = TfidfVectorizer(
            analyzer=options.analyzer,
            ngram_range=(options.ngram_min, options.ngram_max),
            min_df=options.min_df,
            sublinear_tf=options.sublinear_tf,
        )
        words = self.vectorizer.fit_transform(rows["text"])
        row, label = np.nonzero(targets)
        shares = weights[row] * targets[row, label]
        self.classifier = self.fitted(words[row], label, shares, rows.iloc[row])
        self.classes = targets.shape[1]

    def fitted(self, words, label: np.ndarray, weights: np.ndarray, rows: pd.DataFrame):
        """A scikit-learn classifier, fitted on the words of `rows`."""
        from sklearn.linear_model import LogisticRegression

        options = self.options
        regression = LogisticRegression(
            C=options.C, max_iter=options.max_iter, class_weight=self.class_weight
        )
        return regression.fit(words, label, sample_weight=weights)

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes]; a class that training never saw gets 0."""
        found = self.classifier.predict_proba(self.vectorizer.transform(rows["text"]))
        result = np.zeros((len(rows), self.classes))
        result[:, self.classifier.classes_] = found
        return result

    def weights(self) -> dict[str, np.ndarray]:
        """What the classifier has learned."""
        return {
            "coef": self.classifier.coef_,
            "intercept": self.classifier.intercept_,
            "classes": self.classifier.classes_,
        }

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` and `weights.safetensors` (idf and `weights()`) into `folder`."""
        terms = self.vectorizer.get_feature_names_out().tolist()
        (folder / "vocabulary.json").write_text(json.dumps(terms, ensure_ascii=False) + "\n")
        save_weights({"idf": self.vectorizer.idf_, **self.weights()}, folder)


class Svm(Tfidf):
    """The same TF-IDF, then a linear SVM; its probabilities are the softmax of its scaled margins.

    A margin has no scale of a probability, so one factor for all classes (temperature scaling, Guo et
    al. 2017) is fitted to margins of tasks that the SVM has not seen: it is fitted once without each fold
    of leak groups, as folds that share activities would make it too sure of itself. One factor leaves
    the SVM's decision as it is, which Platt's scaling of each class by itself does not. The SVM kept is
    fitted on all rows.
    """

    def __init__(self, options: SvmOptions, class_weight: str):
        if options.folds < 2:
            raise JobshiftError(f"svm.folds is {options.folds}; it must be at least 2")
        super().__init__(options, class_weight)

    def fitted(self, words, label: np.ndarray, weights: np.ndarray, rows: pd.DataFrame):
        """The calibrated SVM; JobshiftError where `rows` have fewer leak groups than there are folds."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import GroupKFold
        from sklearn.svm import LinearSVC

        options, groups = self.options, rows["group"]
        if groups.nunique() < options.folds:
            raise JobshiftError(
                f"svm.folds is {options.folds}, but training has {groups.nunique()} leak groups; lower it"
            )
        svm = LinearSVC(
            C=options.C, max_iter=options.max_iter, class_weight=self.class_weight, random_state=0
        )
        folds = list(GroupKFold(options.folds).split(words, label, groups))
        calibrated = CalibratedClassifierCV(svm, method="temperature", cv=folds, ensemble=False)
        return calibrated.fit(words, label, sample_weight=weights)

    def weights(self) -> dict[str, np.ndarray]:
        """The SVM kept, and the factor of its margins m; those of two classes are −m and m."""
        (fitted,) = self.classifier.calibrated_classifiers_
        return {
            "coef": fitted.estimator.coef_,
            "intercept": fitted.estimator.intercept_,
            "classes": self.classifier.classes_,
            "factor": np.array([fitted.calibrators[0].beta_]),
        }


class Ensemble:
    """The mean of the probabilities of several runs, each counted once."""

    def __init__(self, members: list[str]):
        """`members` name the runs."""
        self.members = members

    def mean(self, probabilities: list[np.ndarray]) -> np.ndarray:
        """Mean [rows, classes] of the members' probabilities [rows, classes]."""
        return np.mean(probabilities, axis=0)

    def save(self, folder: Path) -> None:
        """Write `members.json` into `folder`; the weights are those of the members."""
        (folder / "members.json").write_text(json.dumps(self.members) + "\n")
