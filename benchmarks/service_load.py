"""How `jobshift demo` does under load: requests a second, hostile requests, and the first answer.

    python benchmarks/service_load.py [--engines onnx torch] [--seconds 15] [--export exports/minilm/purged-0]

After `make repro`. Writes benchmarks/service_load.json:

- **load**: 32 clients, each with one text a request and its next request when it has the answer, for
  `--seconds`. Sides, in turn, `--rounds` times, of which the median counts: the service as it is; the same
  with batches of one text; and the same where each request is handled from its first byte to its last
  before the next one is looked at, as a handler does that calls the model itself. No text comes twice and
  nothing is kept, so that nothing is won by what the service remembers.
- **hostile**: a thousand requests that are malformed, huge, binary or meant to do harm, drawn with a seed
  and sent to the page and the API by eight clients; their statuses, and the memory before and after, each
  measured after the same thousand ordinary requests.
- **first answer**: seconds from starting the command to the first rated text, and to the page.
- **advertisement**: seconds for one of 40 sentences that the service has not seen.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

CLIENTS = 32
SIDES = ("batched", "batches_of_one", "one_at_a_time")
TEXTS = Path("data/prepared/onet/purged/0/test.parquet")
TARGETS = [
    *("/api/rate", "/api/advertisement", "/api/explain", "/api/occupations", "/api/health"),
    *("/", "/en/", "/en/gradio_api/queue/join", "/en/gradio_api/upload", "/zh/gradio_api/call/x"),
    *("/en/gradio_api/file=/etc/passwd", "/api/occupations/..%2f..%2f..%2fetc%2fpasswd"),
    *("/en/gradio_api/proxy=http://localhost:22/", "/api/occupations?search=%ff%00&limit=1e9"),
    *("/en/../../../etc/passwd", "/api/occupations/' OR 1=1 --".replace(" ", "%20")),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=["onnx", "torch"])
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--export", type=Path, default=Path("exports/minilm/purged-0"))
    parser.add_argument("--serve", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve is not None:
        serve(chosen)
        return
    texts = pd.read_parquet(TEXTS)["text"].drop_duplicates().tolist()
    report = {"cores": os.cpu_count(), "clients": CLIENTS}
    report["load"] = {engine: load(chosen, engine, texts) for engine in chosen.engines}
    starts = [first_answer(chosen) for _ in range(3)]
    for name in ("first_answer_seconds", "page_seconds"):
        report[name] = round(float(np.median([start[name] for start in starts])), 2)
    with running(demo(chosen)) as (port, process):
        report["advertisement_seconds"] = advertisement(port, texts)
        report["hostile"] = hostile(port, process, texts)
    print(json.dumps(report, indent=2))
    Path("benchmarks/service_load.json").write_text(json.dumps(report, indent=2) + "\n")


def demo(chosen: argparse.Namespace) -> list[str]:
    """The command that is measured."""
    words = ["-m", "jobshift", "demo", "--port", "0", "--rate", "0"]
    return [*words, "--model", str(chosen.export)]


def serve(chosen: argparse.Namespace) -> None:
    """The API as the side `--serve` has it, and nothing kept."""
    import uvicorn

    from jobshift.rating.engines import open_engine
    from jobshift.rating.exported import read_export
    from jobshift.service.api import create
    from jobshift.service.batching import Batcher
    from jobshift.service.limits import Guard
    from jobshift.service.service import Service, rater
    from jobshift.stages.demo import listen

    exported = read_export(chosen.export)
    engine = open_engine(exported, chosen.engine)
    service = Service(exported, engine, None)
    work = rater(exported, engine, {})
    service.rating = Batcher(
        work, **({"batch": 1} if chosen.serve == "batches_of_one" else {}), kept=0
    )
    if chosen.serve == "one_at_a_time":

        async def submit(texts: list[str]) -> list[dict]:
            return work(texts)

        service.rating.submit = submit
    with listen("127.0.0.1", 0) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/", file=sys.stderr, flush=True)
        config = uvicorn.Config(Guard(create(service), 0), log_level="critical", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def running(command: list[str]) -> Iterator[tuple[int, int]]:
    """The port and the number of a process, which is ended by SIGTERM."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True)
    try:
        found = re.search(r":(\d+)/", process.stderr.readline())
        yield int(found.group(1)), process.pid
        assert process.poll() is None, "the service has ended"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


class Client:
    """One connection that is kept, with as little work as can be: client and server share the cores."""

    def __init__(self, port: int):
        self.port, self.reader, self.writer = port, None, None

    async def send(
        self, method: str, path: str, body: bytes = b"", head: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of an answer; status 0 where the connection was closed without one."""
        try:
            if self.writer is None:
                connection = asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
                self.reader, self.writer = await connection
            head = head or f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            line = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n"
            self.writer.write(line.encode("latin-1", "replace") + body)
            await self.writer.drain()
            answer = await self.reader.readuntil(b"\r\n\r\n")
            status = int(answer.split(b" ", 2)[1])
            length = re.search(rb"(?i)content-length: (\d+)", answer)
            found = await self.reader.readexactly(int(length.group(1))) if length else b""
            if length is None or b"connection: close" in answer.lower():
                self.close()
            return status, found
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self.writer is not None:
            self.writer.close()
        self.writer = None


async def rate(client: Client, texts: list[str]) -> int:
    """Have texts rated; the status."""
    status, _ = await client.send("POST", "/api/rate", json.dumps({"texts": texts}).encode())
    return status


def load(chosen: argparse.Namespace, engine: str, texts: list[str]) -> dict:
    """Requests a second and latencies of all sides with an engine."""
    rounds: dict[str, list[list[float]]] = {name: [] for name in SIDES}
    for _ in range(chosen.rounds):
        for name in SIDES:
            command = [__file__, "--serve", name, "--engine", engine]
            with running([*command, "--export", str(chosen.export)]) as (port, _):
                asyncio.run(clients(port, texts, 2))
                rounds[name].append(asyncio.run(clients(port, texts, chosen.seconds)))
            print(engine, name, len(rounds[name][-1]) / chosen.seconds, "requests/s", flush=True)
    found = {}
    for name, times in rounds.items():
        middle = sorted(times, key=len)[len(times) // 2]
        low, half, high = np.percentile(middle, [1, 50, 99])
        found[name] = {
            "requests_per_second": round(len(middle) / chosen.seconds, 1),
            "p1_ms": round(1000 * low),
            "p50_ms": round(1000 * half),
            "p99_ms": round(1000 * high),
        }
    batched, *others = (found[name]["requests_per_second"] for name in SIDES)
    for name, other in zip(SIDES[1:], others, strict=True):
        found[name]["batched_gives_times_as_many"] = round(batched / other, 2)
    return found


async def clients(port: int, texts: list[str], seconds: float) -> list[float]:
    """Seconds of every request that `CLIENTS` clients had answered in `seconds`."""
    end, times = time.perf_counter() + seconds, []
    numbers = iter(range(10**9))

    async def one() -> None:
        client = Client(port)
        while (start := time.perf_counter()) < end:
            number = next(numbers)
            # A text of its own, as long as a task is.
            status = await rate(client, [f"{texts[number % len(texts)]} {number}"])
            assert status == 200, status
            times.append(time.perf_counter() - start)
        client.close()

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return times


def first_answer(chosen: argparse.Namespace) -> dict[str, float]:
    """Seconds from the start of the command to the first rated text, and to the page."""
    start = time.perf_counter()
    with running(demo(chosen)) as (port, _):
        client = Client(port)

        async def both() -> dict[str, float]:
            assert await rate(client, ["Mend nets."]) == 200
            rated = time.perf_counter() - start
            assert (await client.send("GET", "/en/"))[0] == 200
            client.close()
            return {
                "first_answer_seconds": rated,
                "page_seconds": time.perf_counter() - start,
            }

        return asyncio.run(both())


def advertisement(port: int, texts: list[str]) -> float:
    """Seconds for an advertisement of 40 sentences; the median of five, each of new sentences."""
    times = []
    for turn in range(5):
        text = "\n".join(f"- {each}" for each in texts[40 * turn : 40 * turn + 40])
        start = time.perf_counter()
        body = json.dumps({"text": text}).encode()
        status, found = asyncio.run(Client(port).send("POST", "/api/advertisement", body))
        times.append(time.perf_counter() - start)
        assert status == 200, status
        assert len(json.loads(found)["ratings"]) >= 40
    return round(float(np.median(times)), 3)


# Hostile requests


def hostile(port: int, process: int, texts: list[str]) -> dict:
    """Statuses of a thousand hostile requests, and memory before and after."""
    ordinary = [texts[row : row + 1] for row in range(1000)]
    asyncio.run(attack(port, [("ordinary", each) for each in ordinary]))
    # What is loaded late, as for explanations, and what is kept must not count as lost.
    body = json.dumps({"texts": ["Mend nets."]}).encode()
    assert asyncio.run(Client(port).send("POST", "/api/explain", body))[0] == 200
    chance = random.Random(0)
    asyncio.run(attack(port, [("hostile", drawn(chance)) for _ in range(200)]))
    before = memory(process)
    statuses = asyncio.run(attack(port, [("hostile", drawn(chance)) for _ in range(1000)]))
    asyncio.run(attack(port, [("ordinary", each) for each in ordinary]))
    after = memory(process)
    assert asyncio.run(rate(Client(port), ["Mend nets."])) == 200
    return {
        "requests": 1000,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "server_errors": sum(count for status, count in statuses.items() if status >= 500),
        "memory_before_mib": before,
        "memory_after_mib": after,
    }


async def attack(port: int, requests: list[tuple]) -> Counter:
    """Send the requests by eight clients; how many had which status, 0 being no answer at all."""
    left, statuses = iter(requests), Counter()

    async def one() -> None:
        client = Client(port)
        for kind, content in left:
            if kind == "ordinary":
                statuses[await rate(client, content)] += 1
                continue
            try:
                sent = client.send(*content)
                statuses[(await asyncio.wait_for(sent, 3))[0]] += 1
            except (TimeoutError, asyncio.LimitOverrunError):
                # An answer that does not end (events), or that waits for the rest of a body.
                statuses[0] += 1
                client.close()
        client.close()

    await asyncio.gather(*(one() for _ in range(8)))
    return statuses


def drawn(chance: random.Random) -> tuple[str, str, bytes, str]:
    """A hostile request: method, path, body, and the lines of its head."""
    method = chance.choice([*["POST"] * 6, "GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
    path = chance.choice(TARGETS)
    noise = chance.randbytes(chance.choice([0, 1, 50, 5_000, 200_000]))
    text = chance.choice(
        [
            *("\u202e" * 300, "\x00" * 50, "Z\u0351\u0352" * 900, "<script>alert(1)</script>"),
            *("😀" * 2_000, "a" * 100_000, "' OR 1=1 --", "{{7*7}}", "${jndi:ldap://localhost}"),
            *("../" * 500, "\ud800"),
        ]
    )
    contents = [
        *({"texts": [text]}, {"texts": [text] * 300}, {"text": text}, [text], text),
        {"data": [text], "fn_index": 10**9, "session_hash": text},
    ]
    body = chance.choice(
        [
            *(json.dumps(content).encode() for content in contents),
            *(noise, b"", b"[" * 50_000, b"{" * 10, b'{"texts": [NaN]}', b" " * 2_000_000),
            *(
                b'{"texts": [' + b"9" * 9_000 + b"]}",
                b'{"texts": ["' + noise + b'"]}',
                b"\x1f\x8b" + noise,
            ),
        ]
    )
    kind = chance.choice(
        [
            *["application/json"] * 5,
            "text/plain",
            "multipart/form-data; boundary=x",
            "\x01",
            "a" * 9_000,
        ]
    )
    length = chance.choice([*[len(body)] * 8, 0, len(body) + 10, 10**12, -1, "x"])
    head = f"Content-Type: {kind}\r\nContent-Length: {length}\r\n"
    head += chance.choice(
        [""] * 5 + ["X-Long: " + "b" * 40_000 + "\r\n", "Cookie: ;;;=\r\n", ":\r\n"]
    )
    return method, path, body, head


def memory(process: int) -> int:
    """MiB that a process holds, a second after what it did last."""
    time.sleep(1)
    status = Path(f"/proc/{process}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024)


if __name__ == "__main__":
    main()
