"""A small T5 that learns to write texts from nothing, as tutorials write it: one file and a plain loop.

Run it in a study's folder after the stages fetch and prepare. Its values: those of conf/model/seq2seq_t5.yaml.
"""

import argparse
import copy
import json
import time

import pandas as pd
import torch
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration
from transformers import get_linear_schedule_with_warmup as linear_schedule

OPTIONS = {"data": "onet_generalize", "tokenizer": "data/raw/minilm", "seed": 0, "epochs": 9}
OPTIONS |= {"max_length": 72, "target_length": 24, "batch_size": 32, "lr": 2e-3, "warmup": 0.05}
SIZES = {"num_layers": 2, "num_decoder_layers": 2, "d_model": 192, "d_kv": 48, "d_ff": 768}
SIZES |= {"num_heads": 4, "dropout_rate": 0.1}
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
for option, value in OPTIONS.items():
    parser.add_argument("--" + option.replace("_", "-"), type=type(value), default=value)
args = parser.parse_args()


def run(batches, train=False):
    """One pass over the texts, learning from them or not: share of right tokens, given those before."""
    model.train(train)
    right = tokens = 0
    for ids, mask, labels in batches:
        with torch.set_grad_enabled(train):
            found = model(input_ids=ids, attention_mask=mask, labels=labels)
        right += (found.logits.argmax(dim=2) == labels).sum().item()
        tokens += (labels != -100).sum().item()
        if train:
            optimizer.zero_grad()
            found.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return right / tokens


torch.manual_seed(args.seed)
device = "cuda" if torch.cuda.is_available() else "cpu"
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
how = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
batches = {}
for part in ("train", "val", "test"):
    rows = pd.read_parquet(f"data/prepared/{args.data}/purged/0/{part}.parquet")
    source = tokenizer([*rows["text"]], max_length=args.max_length, **how).to(device)
    target = tokenizer([*rows["target"]], max_length=args.target_length, **how).to(device)
    # Lengths that cut nothing; tutorials often take 512 and 128. Labels lack [CLS], with which decoding starts.
    labels = target["input_ids"].masked_fill(target["attention_mask"] == 0, -100)[:, 1:]
    data = TensorDataset(source["input_ids"], source["attention_mask"], labels)
    batches[part] = DataLoader(data, args.batch_size, shuffle=part == "train")
special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.sep_token_id}
special |= {"decoder_start_token_id": tokenizer.cls_token_id, "vocab_size": len(tokenizer)}
model = T5ForConditionalGeneration(T5Config(**special, **SIZES)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)  # its weight decay is 0.01
steps = args.epochs * len(batches["train"])
schedule = linear_schedule(optimizer, round(args.warmup * steps), steps)
best, start = -1.0, time.perf_counter()
for epoch in range(1, args.epochs + 1):
    train, val = run(batches["train"], train=True), run(batches["val"])
    print(f"epoch {epoch}: train accuracy {train:.4f}, validation accuracy {val:.4f} of tokens")
    if val > best:
        best, weights = val, copy.deepcopy(model.state_dict())
found = {"texts": len(batches["train"].dataset), "seconds": time.perf_counter() - start}
model.load_state_dict(weights)
written = []
for ids, mask, _ in batches["test"]:
    ids = model.generate(ids, attention_mask=mask, max_new_tokens=args.target_length)
    written += tokenizer.batch_decode(ids, skip_special_tokens=True)
wanted = tokenizer.batch_decode(tokenizer([*rows["target"]])["input_ids"], skip_special_tokens=True)
right = pd.Series(written) == pd.Series(wanted)
found |= {"test_exact_match": right.mean(), "test_exact_match_seen": right[rows["seen"]].mean()}
print(json.dumps(vars(args) | found))
