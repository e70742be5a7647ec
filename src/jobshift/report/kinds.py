"""The words that figures, page and note have for each kind of task of `measures/kinds.py`.

The tables of all kinds have the same form, and so one code draws them all. A data set whose labels are
degrees of exposure is a kind of its own here, as its texts are tasks and occupations are measured, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobshift.measures.kinds import Classification, Generation, Multilabel, Pairs


@dataclass(frozen=True)
class Kind:
    """The measures of a kind of task and how sentences speak of them."""

    first: str  # the measure in whose order models stand
    name: str  # what a sentence calls it
    symbol: str  # and what, where there is little room
    compared: tuple[str, ...]  # the panels of model_comparison
    validation: str  # the column of history.csv that is drawn below the loss
    validated: str  # and what that is called
    loss: str = "Cross-entropy"
    units: str = "texts"  # what is held out and learnt from; without its last letter, one of them
    truth: str = "labels"  # what is to be found
    chance: float = 0.0  # where a model that knows nothing stands in all of `compared`
    # Split → what it holds out; all that are not here are as conf/ defines them.
    splits: Mapping[str, str] = field(default_factory=dict)
    # Parts of the test set of the primary split that are measured by themselves → which they are.
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """One of the units."""
        return self.units[:-1]


KINDS = {
    "exposure": Kind(
        first=Classification.first,
        name="Cohen's κ",
        symbol="κ",
        compared=("cohen_kappa", "f1_macro", "occupation_beta_pearson"),
        validation="val_cohen_kappa",
        validated="κ",
        units="tasks",
        splits={
            "random": "test tasks share activities and texts with training tasks",
            "major_group": "whole groups of occupations are held out",
            "purged": "no training task shares an activity or a text with a test task",
        },
    ),
    "classification": Kind(
        first=Classification.first,
        name="Cohen's κ",
        symbol="κ",
        compared=("cohen_kappa", "f1_macro", "accuracy"),
        validation="val_cohen_kappa",
        validated="κ",
        splits={
            "random": "single texts are held out",
            "major_group": "whole groups of occupations are held out",
            "purged": "no training text shares a leak group or its wording with a test text",
        },
    ),
    "pairs": Kind(
        first=Pairs.first,
        name="ROC AUC",
        symbol="ROC AUC",
        compared=("roc_auc", "average_precision", "accuracy"),
        validation="val_accuracy",
        validated="accuracy",
        units=Pairs.units,
        chance=0.5,
        splits={"purged": "no training pair shares an occupation or a text with a test pair"},
        parts={"hard": "those drawn from two occupations of one major group"},
    ),
    "multilabel": Kind(
        first=Multilabel.first,
        name="micro-F1",
        symbol="micro-F1",
        compared=("f1_micro", "f1_macro", "hierarchical_f1"),
        validation="val_f1_micro",
        validated="micro-F1 at 0.5",
        splits={
            "random": "single texts are held out",
            "major_group": "whole groups of occupations are held out",
            "purged": "no training text shares a leak group or its wording with a test text",
        },
    ),
    "generation": Kind(
        first=Generation.first,
        name="exact match",
        symbol="exact match",
        compared=("exact_match", "any_match", "rouge_l"),
        validation="val_exact_match",
        validated="exact match (sample)",
        loss="Cross-entropy of a token",
        units=Generation.units,
        truth="targets",
        splits={"purged": "no training row shares its text with a test row"},
        parts={
            "seen": "the target is one of training",
            "unseen": "the target is none of training",
        },
    ),
}


def kind_of(task: str, exposure: bool) -> Kind:
    """The kind of a data set's tasks, `task` as in its config."""
    return KINDS["exposure" if exposure else task]
