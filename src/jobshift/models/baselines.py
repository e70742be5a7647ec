"""Models without a network: the majority, a lookup of its activities' label, and bag of words.

They stand in every table: what they reach needs no language model. Each is fitted on texts (and their
activities) with a label distribution a text, and is kept as safetensors and JSON, never as a pickle. The
ensemble, which is fitted on nothing, is the mean of other runs. Where several classes may apply to a text, its
targets are 1 or 0 for each, and regressions are fitted class by class (`EachClass`).
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


class EachClass:
    """A logistic regression for each class by itself, with the attributes of scikit-learn's own."""

    def __init__(self, regression):
        """`regression` is scikit-learn's, with its options and not yet fitted."""
        self.regression = regression

    def fit(self, features, targets: np.ndarray, weights: np.ndarray) -> "EachClass":
        """`features` [rows, features] dense or sparse; `targets` [rows, classes] of 1 and 0."""
        count = targets.shape[1]
        self.classes_ = np.arange(count)
        self.coef_ = np.zeros((count, features.shape[1]))
        self.intercept_ = np.zeros(count)
        for number, has in enumerate(targets.T == 1):
            if has.all() or not has.any():
                # Nothing to tell apart: a probability of 1 or of 0 for every text.
                self.intercept_[number] = np.inf if has.all() else -np.inf
                continue
            fitted = self.regression.fit(features, has, sample_weight=weights)
            self.coef_[number], self.intercept_[number] = fitted.coef_[0], fitted.intercept_[0]
        return self

    def predict_proba(self, features) -> np.ndarray:
        """Probabilities [rows, classes], which do not sum to 1."""
        from scipy.special import expit

        return expit(features @ self.coef_.T + self.intercept_)


class Majority:
    """Gives every text the label distribution of the training set: of several classes, how often each is."""

    def fit(self, rows: pd.DataFrame, targets: np.ndarray, weights: np.ndarray) -> None:
        """`targets` [rows, classes]; `weights` [rows] weigh them."""
        self.prior = np.average(targets, axis=0, weights=weights)

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes]."""
        return np.tile(self.prior, (len(rows), 1))

    def save(self, folder: Path) -> None:
        """Write `prior.json` into `folder`."""
        (folder / "prior.json").write_text(json.dumps(self.prior.tolist()) + "\n")


class MajorityTarget:
    """Writes the same for every text: the most frequent target of the training set."""

    def fit(self, rows: pd.DataFrame) -> None:
        """Learn from the column `target`; among equally frequent ones the first by the alphabet."""
        self.target = rows["target"].value_counts().sort_index().idxmax()

    def outputs(self, rows: pd.DataFrame) -> list[str]:
        """The output for each of `rows`."""
        return [self.target] * len(rows)

    def save(self, folder: Path) -> None:
        """Write `target.json` into `folder`."""
        (folder / "target.json").write_text(json.dumps(self.target, ensure_ascii=False) + "\n")


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
    """TF-IDF of words and word pairs, then logistic regression: multinomial, or of `several` classes each.

    Soft labels train it as weighted hard labels: a text stands once for each class with a share.
    """

    def __init__(self, options: TfidfOptions, class_weight: str, several: bool = False):
        self.options, self.several = options, several
        self.class_weight = None if class_weight == "none" else class_weight

    def fit(self, rows: pd.DataFrame, targets: np.ndarray, weights: np.ndarray) -> None:
        """`targets` [rows, classes] sum to 1 a row, but not of several classes; `weights` [rows]."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        options = self.options
        self.vectorizer = TfidfVectorizer(
            analyzer=options.analyzer,
            ngram_range=(options.ngram_min, options.ngram_max),
            min_df=options.min_df,
            sublinear_tf=options.sublinear_tf,
        )
        words = self.vectorizer.fit_transform(rows["text"])
        self.classes = targets.shape[1]
        if self.several:
            self.classifier = EachClass(self.regression()).fit(words, targets, weights)
            return
        row, label = np.nonzero(targets)
        shares = weights[row] * targets[row, label]
        self.classifier = self.fitted(words[row], label, shares, rows.iloc[row])

    def regression(self):
        """scikit-learn's logistic regression with its options, not yet fitted."""
        from sklearn.linear_model import LogisticRegression

        options = self.options
        return LogisticRegression(
            C=options.C, max_iter=options.max_iter, class_weight=self.class_weight
        )

    def fitted(self, words, label: np.ndarray, weights: np.ndarray, rows: pd.DataFrame):
        """A scikit-learn classifier, fitted on the words of `rows`."""
        return self.regression().fit(words, label, sample_weight=weights)

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes]; a class that training never saw gets 0.

        Of several classes, one that every training text has gets 1.
        """
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
