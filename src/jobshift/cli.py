"""The console command: `jobshift VERB …`, one verb a stage; a verb loads only its own stage.

A stage module has a dataclass `Config`, the schema of `conf/VERB.yaml`, and a function `run(config)`; its
arguments are Hydra's. A verb that is no stage of the study, as it works on files of yours or on the study
as a whole, has a function `main(arguments)` instead, which gives the exit code.
"""

import importlib
import logging
import os
import sys

from jobshift.errors import JobshiftError

VERBS = {
    "fetch": "bring a pinned source into data/raw/ (source=NAME)",
    "sources": "list what was fetched, with versions, licences and hashes",
    "prepare": "join, label and split a data set without leakage (data=NAME)",
    "tokenize": "turn all texts of a data set into token ids (model=NAME)",
    "train": "fit one model on one split with one seed (model=NAME split=NAME seed=N)",
    "sweep": "search a model's options by many training runs (sweep=NAME)",
    "evaluate": "measure agreement with the ratings and compare the models",
    "aggregate": "add task ratings up to occupations and the labour market",
    "transfer": "compare what models learn from one rater with the labels of all",
    "compare": "set the models' quality beside their cost, and draw up learning curves",
    "fairness": "measure error and calibration by occupation group, wage and skill",
    "validity": "correlate exposure with the real use of language models",
    "changes": "compare our ratings with the published labels, by activity and occupation",
    "growth": "set exposure against employment and wages, May 2021 to May 2025",
    "replicate": "recompute the published numbers, each by its rule",
    "bridge": "carry exposure over to Chinese occupations, and check whether that holds",
    "export": "make a folder of a run that others load, with its card and fast engines (name=MODEL)",
    "explain": "find which words raise and lower the exposure of held-out tasks",
    "figures": "draw every figure from the tables",
    "page": "write the comparison of the models as one web page that opens offline",
    "paper": "compile the paper with every number injected from the tables",
    "rate": "rate the texts of a file with an exported run (FILE --model RUN --out FILE)",
    "demo": "open a page and a JSON API over the finished study",
    "verify": "run the committed study again and certify that its numbers still follow",
}

USAGE = "usage: jobshift VERB [key=value …] [--multirun] [--cfg job]\n\n" + "\n".join(
    f"  {verb:<10} {what}" for verb, what in VERBS.items()
)


def main() -> None:
    """Run the verb that the command line names; a problem the user can mend is one line on stderr."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("-h", "--help", "help"):
        print(USAGE)
        return
    if verb not in VERBS:
        sys.exit(f"jobshift: there is no verb '{verb}'; choose one of {', '.join(VERBS)}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # Said outright, tokenizers does not warn when a later process forks.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    stage = importlib.import_module(f"jobshift.stages.{verb}")
    try:
        if hasattr(stage, "main"):
            sys.exit(stage.main(sys.argv[2:]))
        from jobshift.config import compose_and_run

        compose_and_run(verb, stage.Config, stage.run, sys.argv[2:])
    except JobshiftError as error:
        sys.exit(f"jobshift {verb}: {error}")
