"""BERT fine-tuned to classify texts, as tutorials write it: one file and a plain PyTorch loop.

Run it in a study's folder after the stages fetch and prepare. Its values are those of conf/model/minilm.yaml.
"""

import argparse
import copy
import json
import time

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers import get_linear_schedule_with_warmup as linear_schedule

OPTIONS = {"data": "onet", "model": "data/raw/minilm", "max_length": 72, "seed": 0}
OPTIONS |= {"epochs": 2, "batch_size": 32, "lr": 1e-4, "weight_decay": 0.01, "warmup": 0.1}
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
for option, value in OPTIONS.items():
    parser.add_argument("--" + option.replace("_", "-"), type=type(value), default=value)
args = parser.parse_args()


def run(batches, train=False):
    """One pass over the texts, learning from them or not: the share that got their own class."""
    model.train(train)
    right = 0
    for batch in batches:
        ids, mask, labels = (each.to(device) for each in batch)
        with torch.set_grad_enabled(train):
            found = model(input_ids=ids, attention_mask=mask, labels=labels)
        right += (found.logits.argmax(dim=1) == labels).sum().item()
        if train:
            optimizer.zero_grad()
            found.loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return right / len(batches.dataset)


torch.manual_seed(args.seed)
device = "cuda" if torch.cuda.is_available() else "cpu"
tokenizer = AutoTokenizer.from_pretrained(args.model, model_max_length=args.max_length)
batches, classes = {}, None
for part in ("train", "val", "test"):
    rows = pd.read_parquet(f"data/prepared/{args.data}/purged/0/{part}.parquet")
    classes = classes or sorted(set(rows["label"]))
    # All to one length, which cuts no task of O*NET; tutorials often take 128 or 512. Others pad each
    # batch to its longest text, with a collator, which is faster.
    ids = tokenizer([*rows["text"]], padding="max_length", truncation=True, return_tensors="pt")
    labels = torch.tensor([*rows["label"].map(classes.index)])
    data = TensorDataset(ids["input_ids"], ids["attention_mask"], labels)
    batches[part] = DataLoader(data, args.batch_size, shuffle=part == "train")

model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=len(classes))
model.to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
steps = args.epochs * len(batches["train"])
# Tutorials often go without warm-up, and keep the last epoch instead of the best on validation.
schedule = linear_schedule(optimizer, round(args.warmup * steps), steps)
best, start = -1.0, time.perf_counter()
for epoch in range(1, args.epochs + 1):
    train, val = run(batches["train"], train=True), run(batches["val"])
    print(f"epoch {epoch}: train accuracy {train:.4f}, validation accuracy {val:.4f}")
    if val > best:
        best, weights = val, copy.deepcopy(model.state_dict())
found = {"texts": len(batches["train"].dataset), "seconds": time.perf_counter() - start}
model.load_state_dict(weights)
print(json.dumps(vars(args) | found | {"test_accuracy": run(batches["test"])}))
