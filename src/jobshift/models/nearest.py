"""The nearest training text: what it was turned into is the output, word for word. Or the nearest title.

The least that a generator must beat, as it writes nothing of its own: on targets that training lacks, the
nearest training text is always wrong. The nearest of the known titles (`nearest.titles`) learns nothing of
what texts are turned into, and so is no worse there. How near two texts are is the cosine of their TF-IDF
vectors (words or characters) or of their embeddings by a frozen encoder (`probe.sentences`). Choices:

- A training text with several targets gives the one that most training rows have; among equals the
  one of the first id.
- Among training texts that are equally near (to nine digits), the one of the first id.
- A text that has nothing in common with any training text gets the target that most training rows have.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from jobshift.errors import JobshiftError
from jobshift.models.baselines import save_weights
from jobshift.models.options import NearestOptions

CHUNK = 512  # texts that are compared with all of training at once


class Nearest:
    """The target of the most similar training text, or the most similar title."""

    def __init__(
        self,
        options: NearestOptions,
        embedded: dict[str, np.ndarray] | None = None,
        titles: list[str] | None = None,
    ):
        """`embedded` has the embedding [width], of length 1, of every text and title that will be seen.

        It is needed with `options.path` and without use otherwise; so are `titles` with `options.titles`.
        """
        self.options, self.embedded, self.titles = options, embedded, titles

    def vectors(self, texts: list[str]):
        """Vectors of length 1 of `texts`, [texts × terms] (sparse) or [texts × width]; 0 of no known term."""
        if self.options.path:
            return np.array([self.embedded[text] for text in texts])
        return self.vectorizer.transform(texts)

    def fit(self, rows: pd.DataFrame) -> None:
        """Learn the training rows, which have id, text and target.

        Raises JobshiftError where no text has a term or scikit-learn refuses an option.
        """
        often = rows["target"].map(rows["target"].value_counts())
        ordered = rows.assign(often=often).sort_values(["often", "id"], ascending=[False, True])
        self.usual = ordered["target"].iloc[0]
        if self.options.titles:
            self.ids, texts = [], self.titles
            self.targets = np.array(texts, dtype=object)
        else:
            # Distinct texts in the order of their first ids.
            ids = rows.groupby("text")["id"].min().sort_values()
            self.ids, texts = ids.tolist(), ids.index.tolist()
            targets = ordered.drop_duplicates("text").set_index("text")["target"]
            self.targets = targets[texts].to_numpy()
        if not self.options.path:
            self.vectorizer = self.fitted(texts)
        self.known = self.vectors(texts)

    def fitted(self, texts: list[str]):
        """scikit-learn's TF-IDF of `texts`."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        options = self.options
        vectorizer = TfidfVectorizer(
            analyzer=options.analyzer,
            ngram_range=(options.ngram_min, options.ngram_max),
            min_df=options.min_df,
            sublinear_tf=options.sublinear_tf,
        )
        try:
            return vectorizer.fit(texts)
        except ValueError as error:
            reason = str(error).strip().splitlines()[0]
            raise JobshiftError(f"nearest: scikit-learn's TF-IDF says: {reason}") from error

    def outputs(self, rows: pd.DataFrame) -> list[str]:
        """The output for each of `rows`, which have text."""
        texts = sorted(set(rows["text"]))
        found: dict[str, str] = {}
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            similarity = self.vectors(chunk) @ self.known.T
            if not self.options.path:
                similarity = similarity.toarray()
            similarity = similarity.round(9)
            nearest = similarity.argmax(axis=1)  # the first of equals
            targets = np.where(similarity.max(axis=1) > 0, self.targets[nearest], self.usual)
            found.update(zip(chunk, targets, strict=True))
        return [found[text] for text in rows["text"]]

    def save(self, folder: Path) -> None:
        """Write what was learnt of the training texts into `folder`, without the texts.

        `targets.json`: ids (none with `options.titles`), targets and the usual target.
        `weights.safetensors`: embeddings [texts × width]; or idf [terms] and the texts' vectors as a sparse
        matrix by rows (indptr, indices, data), its columns the terms of `vocabulary.json`.
        """
        content = {"ids": self.ids, "targets": self.targets.tolist(), "usual": self.usual}
        (folder / "targets.json").write_text(json.dumps(content, ensure_ascii=False) + "\n")
        if self.options.path:
            save_weights({"embeddings": self.known}, folder)
            return
        terms = self.vectorizer.get_feature_names_out().tolist()
        (folder / "vocabulary.json").write_text(json.dumps(terms, ensure_ascii=False) + "\n")
        parts = {name: getattr(self.known, name) for name in ("indptr", "indices", "data")}
        save_weights({"idf": self.vectorizer.idf_, **parts}, folder)
