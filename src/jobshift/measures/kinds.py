"""What differs between the kinds of tasks: what is held out, what a run predicts, how that is measured.

Everything else is the same for all of them: reading, resamples of the leak groups, means over seeds, paired
differences, tables. A kind says which measures it has and in what order, and how a run's predictions become
`answers`: arrays with one row for each held-out row, of which a part of the rows can be taken. The bounds of
all measures are in `bootstrap.bounds`.

- classification: one class a text; also degrees of exposure, which have scores.
- pairs: one of two classes a pair of texts, the last of which is the one to be found. As classification,
  and how well its probability ranks the pairs.
- multilabel: any number of classes a text.
- generation: a text from a text.
"""

# What a method of a kind does is told once, in `Kind`.
# ruff: noqa: D102

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from jobshift.measures import bootstrap, calibration, generation, multilabel, ranking
from jobshift.measures.agreement import confusion_table

Answers = tuple[np.ndarray, ...]
Measures = dict[str, np.ndarray]
# Rows that are wrong, and what is wrong with them, to be said after "row 3 (id a) ".
Problem = tuple[np.ndarray | pd.Series, str]

# Further tables → their columns behind model, seed and split. Of a kind that has none there is the header.
FURTHER = {
    "confusion": ["label", "predicted", "n"],
    "calibration": ["bin", "confidence", "accuracy", "n"],
    "curves": ["curve", "x", "y"],
    "classes": ["class", "n_test", "threshold", "precision", "recall", "f1", "low", "high"],
    "decodings": ["decoding", "metric", "value", "low", "high"],
}
POINTS = 200  # of each curve, at most


class Kind:
    """One kind of task; what all have in common."""

    # The measure that says in one number how good a model is: models stand in its order.
    first: str
    # The measures to compare models in, and experiments by, unless a config names others.
    main: Sequence[str]
    # What a row is called in tables.
    units = "texts"
    # Columns of the prepared rows besides those that all kinds have.
    columns: Sequence[str] = ()
    # Part of the primary split that is measured again → the column that parts it, and its value there.
    parts: Mapping[str, tuple[str, bool]] = {}
    # Columns of history.csv that every network writes besides those that all kinds have.
    validated: Sequence[str] = ()
    # How the names of columns of the predictions begin that are read where there are any.
    further: tuple[str, ...] = ()
    # What a caption must say of the reference.
    reference = "Reference: held-out label. Every held-out text counts once."

    def measures(self) -> list[str]:
        """The measures of a run in the order in which they are reported."""
        raise NotImplementedError

    def explained(self, bins: int) -> list[str]:
        """What a caption must say of the measures; `bins` of the expected calibration error."""
        raise NotImplementedError

    def wrong_rows(self, rows: pd.DataFrame) -> Iterator[Problem]:
        """What is wrong with prepared `rows`, as far as the kind can tell."""
        for column in dict.fromkeys(column for column, _ in self.parts.values()):
            yield ~rows[column].isin([True, False]), f"has neither true nor false as {column}"

    def held_out(
        self, rows: pd.DataFrame, draws: int, seed: int, min_tasks: int
    ) -> bootstrap.Resamples:
        """Prepared `rows` with the resamples of their leak groups; `min_tasks` as in `HeldOut`."""
        return bootstrap.Resamples(rows, draws, seed)

    def predictions(self) -> list[str]:
        """The columns of a run's predictions that are read besides id, fold and part."""
        raise NotImplementedError

    def wrong_predictions(self, frame: pd.DataFrame) -> Iterator[Problem]:
        """What is wrong with the predictions in `frame`, which has the columns of `predictions`."""
        raise NotImplementedError

    def answers(self, frame: pd.DataFrame, rows: pd.DataFrame) -> Answers:
        """The predictions in `frame` for prepared `rows`, in the same order, as `measure` takes them."""
        raise NotImplementedError

    def measure(self, held_out: bootstrap.Resamples, answers: Answers, bins: int) -> Measures:
        """Every measure of a run, each [1 + draws]: the plain value, then the value in each draw."""
        raise NotImplementedError

    def tables(
        self, held_out: bootstrap.Resamples, answers: Answers, measured: Measures, bins: int
    ) -> dict[str, pd.DataFrame]:
        """Further tables of a run by name, of those in `FURTHER`; `measured` is what `measure` gave."""
        return {}


class Classification(Kind):
    """One class a text. Answers: class numbers [rows] and probabilities [rows × classes]."""

    first = "cohen_kappa"
    main = ("cohen_kappa", "f1_macro", "accuracy", "occupation_beta_pearson")
    validated = ("val_accuracy", "val_cohen_kappa")

    def __init__(self, scale: Mapping[str, float] | Sequence[str] = ()):
        """`scale` maps class to score where the classes are degrees of exposure, else lists them."""
        self.scale, self.classes = scale, list(scale)
        self.exposure = isinstance(scale, Mapping)
        if self.exposure:
            self.units = "tasks"
            self.reference = (
                "Reference: held-out majority label. "
                "Measures of tasks count every held-out task once."
            )

    def measures(self) -> list[str]:
        return bootstrap.metric_names(self.classes, self.exposure)

    def explained(self, bins: int) -> list[str]:
        said = [f"ECE: expected calibration error, {bins} bins."]
        if self.exposure:
            said.append("Weighted kappa: squared difference of the ordinal scores.")
        return said

    def wrong_rows(self, rows: pd.DataFrame) -> Iterator[Problem]:
        yield ~rows["label"].isin(self.classes), f"has a label that is none of {self.classes}"
        yield from super().wrong_rows(rows)

    def held_out(
        self, rows: pd.DataFrame, draws: int, seed: int, min_tasks: int
    ) -> bootstrap.HeldOut:
        return bootstrap.HeldOut(rows, self.scale, draws, seed, min_tasks)

    def predictions(self) -> list[str]:
        return ["predicted", *shares(self.classes)]

    def wrong_predictions(self, frame: pd.DataFrame) -> Iterator[Problem]:
        unknown = ~frame["predicted"].isin(self.classes)
        yield unknown, f"predicts a class that is none of {self.classes}"
        yield from wrong_probabilities(frame, self.classes)
        p = frame[shares(self.classes)].to_numpy(dtype=float)
        yield abs(p.sum(axis=1) - 1) > 1e-6, "has probabilities that do not sum to 1"

    def answers(self, frame: pd.DataFrame, rows: pd.DataFrame) -> Answers:
        predicted = pd.Categorical(frame["predicted"], categories=self.classes).codes.astype(int)
        return predicted, frame[shares(self.classes)].to_numpy(dtype=float)

    def measure(self, held_out: bootstrap.HeldOut, answers: Answers, bins: int) -> Measures:
        return bootstrap.measure(held_out, *answers, bins)

    def measure_labels(self, held_out: bootstrap.HeldOut, numbers: np.ndarray) -> Measures:
        """As `measure`, of a rater, who gives class numbers [rows] and no probabilities."""
        return bootstrap.measure_labels(held_out, numbers)

    def tables(
        self, held_out: bootstrap.HeldOut, answers: Answers, measured: Measures, bins: int
    ) -> dict[str, pd.DataFrame]:
        predicted, p = answers
        return {
            "confusion": self.confusion(held_out, predicted),
            "calibration": diagram(held_out, predicted, p, bins),
        }

    def confusion(self, held_out: bootstrap.HeldOut, predicted: np.ndarray) -> pd.DataFrame:
        """One row a cell of the confusion table of class numbers [rows]."""
        counts = confusion_table(held_out.reference, predicted, len(self.classes))
        cells = product(self.classes, self.classes)
        return pd.DataFrame(cells, columns=["label", "predicted"]).assign(n=counts.ravel())


class Pairs(Classification):
    """One of two classes a pair of texts; the last class is the one that is looked for."""

    first = "roc_auc"
    main = ("roc_auc", "average_precision", "accuracy")
    units = "pairs"
    columns = ("hard",)
    parts: Mapping[str, tuple[str, bool]] = {"hard": ("hard", True)}
    reference = "Reference: held-out label. Every held-out pair counts once."
    ranked = ("roc_auc", "average_precision")

    def measures(self) -> list[str]:
        return [*self.ranked, *super().measures()]

    def explained(self, bins: int) -> list[str]:
        looked_for = f"ROC AUC, average precision: of the class {self.classes[-1]}."
        return [looked_for, *super().explained(bins)]

    def measure(self, held_out: bootstrap.HeldOut, answers: Answers, bins: int) -> Measures:
        rows = self.found(held_out, answers)
        functions = (ranking.roc_auc, ranking.average_precision)
        result = {
            name: function(*rows, held_out.weights.T, held_out.group)
            for name, function in zip(self.ranked, functions, strict=True)
        }
        return result | super().measure(held_out, answers, bins)

    def measure_labels(self, held_out: bootstrap.HeldOut, numbers: np.ndarray) -> Measures:
        """As `Classification.measure_labels`; labels alone rank nothing."""
        undefined = np.full(held_out.weights.shape[1], np.nan)
        return dict.fromkeys(self.ranked, undefined) | super().measure_labels(held_out, numbers)

    def tables(
        self, held_out: bootstrap.HeldOut, answers: Answers, measured: Measures, bins: int
    ) -> dict[str, pd.DataFrame]:
        drawn = ranking.curves(*self.found(held_out, answers), POINTS)
        curves = [pd.DataFrame({"curve": name, "x": x, "y": y}) for name, (x, y) in drawn.items()]
        return {
            **super().tables(held_out, answers, measured, bins),
            "curves": pd.concat(curves, ignore_index=True),
        }

    def found(self, held_out: bootstrap.HeldOut, answers: Answers) -> tuple[np.ndarray, np.ndarray]:
        """Whether each row is of the class that is looked for, and its probability, both [rows]."""
        return held_out.reference == len(self.classes) - 1, answers[1][:, -1]


class Multilabel(Kind):
    """Any number of classes a text. Answers: what each row adds to the sums of `multilabel.measures`."""

    first = "f1_micro"
    main = ("f1_micro", "f1_macro", "hierarchical_f1", "label_ranking_average_precision")
    reference = "Reference: held-out classes. Every held-out text counts once."

    def __init__(self, classes: Sequence[str] = ()):
        """`classes` are in order; names with dots are a hierarchy, as in `multilabel.hierarchy`."""
        self.classes = list(classes)
        self.implies = multilabel.hierarchy(self.classes)[1]

    def measures(self) -> list[str]:
        return list(multilabel.measures(np.zeros(3 * len(self.classes) + 6), self.classes))

    def explained(self, bins: int) -> list[str]:
        return [
            "A class is predicted from its threshold on, chosen on validation where there was one.",
            "Micro: over all texts and classes; macro: mean over the classes that occur.",
            "Hierarchical F1: with all codes above each class (Kiritchenko et al. 2005).",
        ]

    def wrong_rows(self, rows: pd.DataFrame) -> Iterator[Problem]:
        yield (
            self.unknown(rows["label"]),
            f"has a label with a class that is none of {self.classes}",
        )
        yield from super().wrong_rows(rows)

    def predictions(self) -> list[str]:
        return ["predicted", *shares(self.classes)]

    def wrong_predictions(self, frame: pd.DataFrame) -> Iterator[Problem]:
        yield self.unknown(frame["predicted"]), f"predicts a class that is none of {self.classes}"
        yield from wrong_probabilities(frame, self.classes)

    def answers(self, frame: pd.DataFrame, rows: pd.DataFrame) -> Answers:
        reference, predicted = (
            multilabel.indicators(names, self.classes)
            for names in (rows["label"], frame["predicted"])
        )
        p = frame[shares(self.classes)].to_numpy(dtype=float)
        return (multilabel.columns(reference, predicted, p, self.implies),)

    def measure(self, held_out: bootstrap.Resamples, answers: Answers, bins: int) -> Measures:
        return multilabel.measures(held_out.sums(answers[0]), self.classes)

    def tables(
        self, held_out: bootstrap.Resamples, answers: Answers, measured: Measures, bins: int
    ) -> dict[str, pd.DataFrame]:
        """As `Kind.tables`; without the thresholds, which stand in the run's folder."""
        table = multilabel.class_table(answers[0].sum(axis=0), self.classes)
        ends = [
            bootstrap.summary(measured[f"f1_{name}"], bootstrap.bounds("f1"))[1:3]
            for name in self.classes
        ]
        table[["low", "high"]] = np.array(ends)
        return {"classes": table}

    def unknown(self, names: pd.Series) -> np.ndarray:
        """Whether a text has a name, parted by blanks, that is no class, or is missing, [rows]."""
        known = set(self.classes)
        return np.array([not (isinstance(n, str) and known.issuperset(n.split())) for n in names])


class Generation(Kind):
    """A text from a text. Answers: what each row adds to the sums of `generation.measures`."""

    first = "exact_match"
    main = ("exact_match", "any_match", "rouge_l", "chrf")
    units = "rows"
    columns = ("text", "target", "all_targets", "seen")
    parts: Mapping[str, tuple[str, bool]] = {"seen": ("seen", True), "unseen": ("seen", False)}
    further = ("output_", "cosine_")
    reference = "Reference: the target of each held-out row, all of which count once."

    def __init__(self, titles: Collection[str] = ()):
        """`titles` are all texts that would be known as an output."""
        self.titles = titles

    def measures(self) -> list[str]:
        return list(generation.NAMES)

    def explained(self, bins: int) -> list[str]:
        signatures = generation.signatures()
        return [
            "Matches: but for case, width, white space and a full stop. Any match: with any target of "
            "the row's task. Known title: with any title that there is.",
            "Cosine: of the embeddings of output and target.",
            "Seen and unseen: rows whose target is, or is not, one of training.",
            f"BLEU and chrF are from 0 to 100; sacrebleu: {signatures['bleu']}, {signatures['chrf']}.",
        ]

    def wrong_rows(self, rows: pd.DataFrame) -> Iterator[Problem]:
        right = zip(rows["target"], rows["all_targets"], strict=True)
        missing = [not (isinstance(a, str) and a in str(b).split("\n")) for a, b in right]
        yield np.array(missing), "has no target, or one that is none of all_targets"
        yield from super().wrong_rows(rows)

    def predictions(self) -> list[str]:
        return ["output", "cosine"]

    def wrong_predictions(self, frame: pd.DataFrame) -> Iterator[Problem]:
        yield frame["output"].isna(), "has no output"
        cosine = frame["cosine"].to_numpy(dtype=float)
        # Of a text with itself it may be 1 and a little.
        yield ~(abs(cosine) <= 1 + 1e-6), "has a cosine that is not from −1 to 1"

    def answers(self, frame: pd.DataFrame, rows: pd.DataFrame) -> Answers:
        columns = generation.columns(
            frame["output"].tolist(),
            rows["target"].tolist(),
            rows["all_targets"].str.split("\n").tolist(),
            self.titles,
            frame["cosine"].to_numpy(dtype=float),
        )
        return (columns,)

    def measure(self, held_out: bootstrap.Resamples, answers: Answers, bins: int) -> Measures:
        return generation.measures(held_out.sums(answers[0]))


# As `task` in conf/data/NAME.yaml.
KINDS: Mapping[str, type[Kind]] = {
    "classification": Classification,
    "pairs": Pairs,
    "multilabel": Multilabel,
    "generation": Generation,
}


def shares(classes: Sequence[str]) -> list[str]:
    """The columns of the classes' probabilities."""
    return [f"p_{name}" for name in classes]


def wrong_probabilities(frame: pd.DataFrame, classes: Sequence[str]) -> Iterator[Problem]:
    """Rows of predictions whose probabilities are none."""
    p = frame[shares(classes)].to_numpy(dtype=float)
    yield np.isnan(p).any(axis=1), "has a probability that is not a number"
    yield ((p < 0) | (p > 1)).any(axis=1), "has a probability outside 0 to 1"


def diagram(
    held_out: bootstrap.HeldOut, predicted: np.ndarray, p: np.ndarray, bins: int
) -> pd.DataFrame:
    """The points of the reliability diagram, bins that hold rows: bin, confidence, accuracy, n."""
    confidence = p[np.arange(len(predicted)), predicted]
    columns = calibration.bin_columns(confidence, predicted == held_out.reference, bins)
    rows = calibration.reliability_diagram(columns.sum(axis=0))
    return pd.DataFrame(rows, columns=["bin", "confidence", "accuracy", "n"])
