"""A linear probe: logistic regression on the sentence embeddings of a frozen encoder.

The encoder is not trained, so it runs once over the data set and every fold takes seconds. Beside the
embedding of a text the regression may read that of its `text_pair` and indicators of the task's
activities at each level of their hierarchy (all ids of O*NET are prefixes of one another). Under a purged
split no DWA of a test task was seen in training, but its IWA or GWA may have been.
"""

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.models.baselines import ActivityLookup, EachClass, save_weights
from jobshift.models.options import ProbeOptions, TokenizerOptions


class Probe:
    """Logistic regression on embeddings and indicators of activities."""

    def __init__(
        self,
        options: ProbeOptions,
        embedded: dict[str, np.ndarray],
        class_weight: str,
        several: bool = False,
    ):
        """`embedded` has the embedding [width] of every text that will be seen.

        The regression is multinomial, or one for each class where `several` may apply to a text. Raises
        JobshiftError where `options.hierarchy` names a level that does not exist.
        """
        unknown = [level for level in options.hierarchy if level not in ActivityLookup.PARTS]
        if unknown:
            raise JobshiftError(
                f"probe.hierarchy has {unknown[0]!r}; choose from {', '.join(ActivityLookup.PARTS)}"
            )
        self.options, self.embedded, self.several = options, embedded, several
        self.class_weight = None if class_weight == "none" else class_weight
        self.columns: dict[str, int] = {}

    def ancestors(self, activities: str) -> dict[str, float]:
        """The ancestors of a task's activities (ids joined by spaces) → the weight of their indicator."""
        return {
            ActivityLookup.prefix(activity, ActivityLookup.PARTS[level]): weight
            for level, weight in sorted(self.options.hierarchy.items())
            for activity in activities.split()
        }

    def features(self, rows: pd.DataFrame) -> np.ndarray:
        """What the regression reads, [rows × features]; an activity that training lacks counts nothing."""
        texts = [rows["text"], rows["text_pair"]] if self.options.pair else [rows["text"]]
        width = len(next(iter(self.embedded.values())))
        nothing = np.zeros(width)  # a text without a second one
        blocks = [
            np.array([nothing if pd.isna(text) else self.embedded[text] for text in column])
            for column in texts
        ]
        indicators = np.zeros((len(rows), len(self.columns)))
        for row, activities in enumerate(rows["dwas"] if self.columns else ()):
            for ancestor, weight in self.ancestors(activities).items():
                if ancestor in self.columns:
                    indicators[row, self.columns[ancestor]] = weight
        return np.hstack([*(block.reshape(-1, width) for block in blocks), indicators])

    def fit(self, rows: pd.DataFrame, targets: np.ndarray, weights: np.ndarray) -> None:
        """`targets` [rows, classes] sum to 1 a row, but not of several classes; `weights` [rows]."""
        from sklearn.linear_model import LogisticRegression

        hierarchy = rows["dwas"] if self.options.hierarchy else ()
        seen = {ancestor for joined in hierarchy for ancestor in self.ancestors(joined)}
        self.columns = {ancestor: number for number, ancestor in enumerate(sorted(seen))}
        features = self.features(rows)
        self.regression = LogisticRegression(
            C=self.options.C, max_iter=self.options.max_iter, class_weight=self.class_weight
        )
        self.classes = targets.shape[1]
        if self.several:
            self.regression = EachClass(self.regression).fit(features, targets, weights)
            return
        # Soft labels as weighted hard ones: a text stands once for each class with a share.
        row, label = np.nonzero(targets)
        self.regression.fit(features[row], label, sample_weight=weights[row] * targets[row, label])

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities [rows, classes]; a class that training never saw gets 0.

        Of several classes, one that every training text has gets 1.
        """
        result = np.zeros((len(rows), self.classes))
        if len(rows):
            result[:, self.regression.classes_] = self.regression.predict_proba(self.features(rows))
        return result

    def save(self, folder: Path) -> None:
        """Write `activities.json` and `weights.safetensors` (coef, intercept, classes) into `folder`."""
        (folder / "activities.json").write_text(json.dumps(list(self.columns)) + "\n")
        save_weights(
            {
                "coef": self.regression.coef_,
                "intercept": self.regression.intercept_,
                "classes": self.regression.classes_,
            },
            folder,
        )


@functools.cache
def sentences(path: str, max_length: int, file: Path, pair: bool) -> dict[str, np.ndarray]:
    """Embedding [width] of every distinct text of the Parquet `file`, and of its `text_pair`.

    The mean of the last layer over the tokens, scaled to length 1 (Reimers and Gurevych 2019). All texts
    are embedded in one go, in an order that depends on the file alone: so a run that was interrupted
    between two folds goes on with the same numbers.
    """
    columns = ["text", "text_pair"] if pair else ["text"]
    frame = pd.read_parquet(file, columns=columns)
    return vectors(
        path, max_length, sorted({text for column in columns for text in frame[column].dropna()})
    )


def vectors(path: str, max_length: int, texts: list[str]) -> dict[str, np.ndarray]:
    """Embedding [width] of each of `texts`, of which none stands there twice, as in `sentences`."""
    from jobshift.texts.batches import sorted_batches
    from jobshift.texts.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(TokenizerOptions(path, path, max_length))
    tokenizer.no_padding()
    encoded = [each.ids for each in tokenizer.encode_batch(texts)]
    lengths = np.array([len(ids) for ids in encoded])
    found = embed(path, encoded, sorted_batches(lengths, 64))
    return dict(zip(texts, found, strict=True))


def embed(path: str, encoded: list[list[int]], batches: list[np.ndarray]) -> np.ndarray:
    """Embeddings [texts × width] (float64, rounded to 6 digits) of lists of token ids, batch by batch.

    Kept in `data/features/` for the next run.
    """
    import torch
    from tqdm import tqdm
    from transformers import AutoModel
    from transformers.utils import logging

    from jobshift.models.features import key, stored

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    try:
        network = AutoModel.from_pretrained(path, trust_remote_code=False, use_safetensors=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobshiftError(
            f"there is no model with safetensors weights at {path} ({reason}); "
            "fetch it, or name a folder or a model of the hub"
        ) from error
    network.eval()

    @torch.inference_mode()
    def compute() -> np.ndarray:
        result = np.empty((len(encoded), network.config.hidden_size))
        for rows in tqdm(batches, desc="embedding", unit="batch", disable=None):
            texts = [torch.tensor(encoded[row]) for row in rows]
            ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
            mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(t) for t in texts], True)
            hidden = network(input_ids=ids, attention_mask=mask).last_hidden_state
            mean = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
            result[rows] = torch.nn.functional.normalize(mean, dim=1).double().numpy()
        return result.round(6)

    lengths = np.array([len(ids) for ids in encoded])
    config = network.config.to_json_string()
    return stored(key(network, config, [lengths, np.concatenate(encoded), *batches]), compute)
