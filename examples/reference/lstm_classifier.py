"""An LSTM that classifies texts, as tutorials write it: one file and a plain PyTorch loop.

Run it in a study's folder after the stages fetch and prepare. Its values are those of conf/model/lstm.yaml.
"""

import argparse
import copy
import json
import time

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoTokenizer

OPTIONS = {"data": "onet", "tokenizer": "data/raw/minilm", "max_length": 72, "seed": 0, "epochs": 5}
OPTIONS |= {"batch_size": 32, "lr": 2e-3, "embedding": 128, "hidden": 128, "dropout": 0.3}
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
for option, value in OPTIONS.items():
    parser.add_argument("--" + option.replace("_", "-"), type=type(value), default=value)
args = parser.parse_args()


class Lstm(nn.Module):
    """Embedding, bidirectional LSTM, maximum over the tokens, linear layer."""

    def __init__(self, vocabulary, padding, classes):
        super().__init__()
        self.dropout = nn.Dropout(args.dropout)
        self.embedding = nn.Embedding(vocabulary, args.embedding, padding_idx=padding)
        self.lstm = nn.LSTM(args.embedding, args.hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * args.hidden, classes)

    def forward(self, ids):
        """Logits of token ids; of the states, those of padding are left out (tutorials often take the last)."""
        states, _ = self.lstm(self.dropout(self.embedding(ids)))
        states = states.masked_fill((ids == self.embedding.padding_idx).unsqueeze(-1), -torch.inf)
        return self.linear(self.dropout(states.amax(dim=1)))


def run(batches, train=False):
    """One pass over the texts, learning from them or not: the share that got their own class."""
    model.train(train)
    right = 0
    for ids, labels in batches:
        with torch.set_grad_enabled(train):
            logits = model(ids.to(device))
        right += (logits.argmax(dim=1).cpu() == labels).sum().item()
        if train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels.to(device)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return right / len(batches.dataset)


torch.manual_seed(args.seed)
device = "cuda" if torch.cuda.is_available() else "cpu"
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer, model_max_length=args.max_length)
batches, classes = {}, None
for part in ("train", "val", "test"):
    rows = pd.read_parquet(f"data/prepared/{args.data}/purged/0/{part}.parquet")
    classes = classes or sorted(set(rows["label"]))
    # All to one length, which cuts no task of O*NET; tutorials often take 128 or 512. Some pack sequences.
    ids = tokenizer([*rows["text"]], padding="max_length", truncation=True, return_tensors="pt")
    data = TensorDataset(ids["input_ids"], torch.tensor([*rows["label"].map(classes.index)]))
    batches[part] = DataLoader(data, args.batch_size, shuffle=part == "train")
model = Lstm(len(tokenizer), tokenizer.pad_token_id, len(classes)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)  # weight decay: 0.01
best, start = -1.0, time.perf_counter()
for epoch in range(1, args.epochs + 1):
    train, val = run(batches["train"], train=True), run(batches["val"])
    print(f"epoch {epoch}: train accuracy {train:.4f}, validation accuracy {val:.4f}")
    if val > best:
        best, weights = val, copy.deepcopy(model.state_dict())
found = {"texts": len(batches["train"].dataset), "seconds": time.perf_counter() - start}
model.load_state_dict(weights)
print(json.dumps(vars(args) | found | {"test_accuracy": run(batches["test"])}))
