"""What frozen layers give, computed once and kept on disk for every run and trial that reads the same.

A file of `data/features/` is named by the hash of all that decides its bytes: the weights, the tokens and
the batches they go through, PyTorch's version and its number of threads. So nothing there is ever stale,
a run gets the same bytes whether they were kept or not, and the folder is safe to remove.
"""

import fcntl
import hashlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from jobshift.outputs import complete_file

FEATURES = Path("data/features")


def key(network: torch.nn.Module, config: str, arrays: Iterable[np.ndarray]) -> str:
    """Hash of the weights of `network` and its `config`, of `arrays`, and of what PyTorch computes with."""
    version = f"{torch.__version__} {torch.get_num_threads()} {config}"
    digest = hashlib.sha256(version.encode())
    for name, values in sorted(network.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.contiguous().numpy().data)
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def stored(name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array called `name`, computed only if no process has done so; memory-mapped, not to be changed.

    Processes that want it at once wait for the one that computes it.
    """
    file = FEATURES / f"{name}.npy"
    FEATURES.mkdir(parents=True, exist_ok=True)
    with (FEATURES / f"{name}.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if file.is_file():
            logging.info("reading the outputs of frozen layers from %s", file)
        else:
            values = compute()
            with complete_file(file) as partial, partial.open("wb") as sink:
                np.save(sink, values, allow_pickle=False)
    # Copy on write: PyTorch warns of arrays that nobody may write.
    return np.load(file, mmap_mode="c", allow_pickle=False)
