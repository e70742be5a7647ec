"""Texts of requests that arrive together go through the model together, and no text twice.

There is no waiting for company: while one batch is computed the next collects. What the model gave is kept
for the texts asked for last; a text that is being computed is not queued again.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from jobshift.errors import JobshiftError


class Overloaded(JobshiftError):
    """More texts wait than the service takes; `retry_after` is in seconds."""

    def __init__(self, waiting: int, retry_after: int):
        super().__init__(
            f"{waiting} texts are waiting already; try again in {retry_after} "
            f"{'second' if retry_after == 1 else 'seconds'}"
        )
        self.retry_after = retry_after


class Batcher:
    """`work` on lists of texts in one thread, behind a queue; to be used from one asyncio loop.

    `work` gives one result a text. At most `batch` texts go to it at once, at most `waiting` wait, and the
    results of the `kept` texts asked for last are kept.
    """

    def __init__(
        self,
        work: Callable[[list[str]], Sequence],
        batch: int = 64,
        waiting: int = 2048,
        kept: int = 10_000,
    ):
        self.work, self.batch, self.limit, self.size = work, batch, waiting, kept
        self.queue: deque[str] = deque()
        self.pending: dict[str, asyncio.Future] = {}  # queued, or being computed
        self.kept: dict[str, object] = {}  # the one asked for last at the end
        self.thread = ThreadPoolExecutor(1)
        self.pump: asyncio.Task | None = None
        self.seconds = 0.01  # that a text takes, as the last batches did

    async def submit(self, texts: Sequence[str]) -> list:
        """The result of each text, in their order; Overloaded where too many wait, then none is queued."""
        distinct = dict.fromkeys(texts)
        new = [text for text in distinct if text not in self.kept and text not in self.pending]
        if new and len(self.queue) + len(new) > max(self.limit, len(new) * (not self.queue)):
            retry = max(1, math.ceil(len(self.queue) * self.seconds))
            raise Overloaded(len(self.queue), retry)
        loop = asyncio.get_running_loop()
        for text in new:
            self.pending[text] = loop.create_future()
            self.queue.append(text)
        if self.queue and (self.pump is None or self.pump.done()):
            self.pump = loop.create_task(self.run())
        found = {}
        for text in distinct:
            if text in self.kept:
                found[text] = self.kept[text] = self.kept.pop(text)
            else:
                # Whoever goes away must not take the result from the others who wait for it.
                found[text] = asyncio.shield(self.pending[text])
        for text, result in found.items():
            if isinstance(result, asyncio.Future):
                found[text] = await result
        return [found[text] for text in texts]

    async def run(self) -> None:
        """Work until nothing is queued."""
        loop = asyncio.get_running_loop()
        while self.queue:
            texts = [self.queue.popleft() for _ in range(min(self.batch, len(self.queue)))]
            start = time.perf_counter()
            try:
                results = await loop.run_in_executor(self.thread, self.work, texts)
            except Exception as error:
                for text in texts:
                    future = self.pending.pop(text)
                    future.set_exception(error)
                    future.exception()  # it is no fault if nobody waits any more
                continue
            self.seconds = 0.7 * self.seconds + 0.3 * (time.perf_counter() - start) / len(texts)
            for text, result in zip(texts, results, strict=True):
                self.pending.pop(text).set_result(result)
                self.kept[text] = result
            while len(self.kept) > self.size:
                del self.kept[next(iter(self.kept))]

    def close(self) -> None:
        """End the thread, once it has done what it is doing."""
        self.thread.shutdown(cancel_futures=True)
