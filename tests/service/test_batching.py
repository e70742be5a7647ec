"""Requests that arrive together, and what is kept of them."""

import asyncio
import threading

import pytest

from jobshift.service.batching import Batcher, Overloaded


class Work:
    """Doubles each text; waits until it is let go, and notes what came together."""

    def __init__(self):
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, texts: list[str]) -> list[str]:
        self.batches.append(texts)
        assert self.go.wait(10)
        if "fail" in texts:
            raise ValueError("no")
        return [2 * text for text in texts]


async def started(work: Work, count: int = 1) -> None:
    while len(work.batches) < count:
        await asyncio.sleep(0.001)


def run(scenario, **options):
    work = Work()

    async def main():
        batcher = Batcher(work, **options)
        try:
            return await asyncio.wait_for(scenario(batcher, work), 10)
        finally:
            work.go.set()
            batcher.close()

    return asyncio.run(main()), work.batches


def test_what_arrives_while_a_batch_runs_goes_together_and_keeps_its_order():
    async def scenario(batcher, work):
        work.go.clear()
        first = asyncio.create_task(batcher.submit(["a"]))
        await started(work)
        others = [
            asyncio.create_task(batcher.submit(texts)) for texts in (["b", "c"], ["d"], ["c"])
        ]
        await asyncio.sleep(0.01)
        work.go.set()
        return [await each for each in (first, *others)]

    found, batches = run(scenario)
    assert found == [["aa"], ["bb", "cc"], ["dd"], ["cc"]]
    assert batches == [["a"], ["b", "c", "d"]]


def test_equal_texts_are_computed_once_and_the_last_ones_asked_for_are_kept():
    async def scenario(batcher, work):
        await batcher.submit(["a", "b", "a"])
        await batcher.submit(["a"])  # asked for again, so that b goes first
        await batcher.submit(["c"])
        return await batcher.submit(["a", "b"])

    found, batches = run(scenario, kept=2)
    assert found == ["aa", "bb"]
    assert batches == [["a", "b"], ["c"], ["b"]]


def test_a_batch_is_no_larger_than_asked_for():
    found, batches = run(lambda batcher, _: batcher.submit(list("abcde")), batch=2)
    assert found == ["aa", "bb", "cc", "dd", "ee"]
    assert batches == [["a", "b"], ["c", "d"], ["e"]]


def test_too_much_is_refused_whole_and_what_waits_is_still_answered():
    async def scenario(batcher, work):
        work.go.clear()
        first = asyncio.create_task(batcher.submit(["a"]))
        await started(work)
        second = asyncio.create_task(batcher.submit(["b", "c"]))
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="2 texts are waiting already; try again in 1 second"):
            await batcher.submit(["d", "e"])
        third = asyncio.create_task(batcher.submit(["c", "d"]))  # only d is new
        await asyncio.sleep(0.01)
        work.go.set()
        return [await each for each in (first, second, third)]

    found, batches = run(scenario, waiting=3)
    assert found == [["aa"], ["bb", "cc"], ["cc", "dd"]]
    assert batches == [["a"], ["b", "c", "d"]]


def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits():
    found, _ = run(lambda batcher, _: batcher.submit(list("abcd")), waiting=2)
    assert found == ["aa", "bb", "cc", "dd"]


def test_who_goes_away_takes_nothing_from_who_stays():
    async def scenario(batcher, work):
        work.go.clear()
        gone = asyncio.create_task(batcher.submit(["a"]))
        await started(work)
        stays = asyncio.create_task(batcher.submit(["a"]))
        await asyncio.sleep(0.01)
        gone.cancel()
        work.go.set()
        return await stays

    found, batches = run(scenario)
    assert found == ["aa"]
    assert batches == [["a"]]


def test_a_failure_reaches_those_of_its_batch_alone_and_is_not_kept():
    async def scenario(batcher, work):
        failures = 0
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await batcher.submit(["fail"])
            failures += 1
        return failures, await batcher.submit(["a"])

    found, batches = run(scenario)
    assert found == (2, ["aa"])
    assert batches == [["fail"], ["fail"], ["a"]]
