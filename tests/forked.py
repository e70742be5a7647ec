"""Commands as processes of their own that need not import first.

They are forked from a server that does nothing but import (`multiprocessing`'s own): where a test kills a
process, or starts several, importing torch and transformers in each takes longer than all that is tested.
"""

import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Listener
from multiprocessing.process import BaseProcess
from pathlib import Path

JOBSHIFT = "from jobshift import cli; cli.main()"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("jobshift.stages.sweep", "jobshift.stages.train", "jobshift.models.training"),
        *("transformers.models.bert.modeling_bert", "sklearn.feature_extraction.text"),
        *("sklearn.linear_model", "captum.attr", "matplotlib.backends.backend_pdf"),
    ]
)
# What stands for python in a command line: asks the test for a fork, says what that says and ends as it does.
CLIENT = """
import os, sys
from multiprocessing.connection import Client
with Client(sys.argv[1]) as test:
    test.send((sys.argv[2:], dict(os.environ)))
    code, said = test.recv()
sys.stdout.write(said)
sys.exit(code)
"""


def start(
    *arguments: str, code: str = JOBSHIFT, environment: dict[str, str] | None = None
) -> BaseProcess:
    """Start what `python -c code arguments` would in this folder, in this environment or the one given.

    `said_by` waits for its end.
    """
    said = tempfile.NamedTemporaryFile("r")  # noqa: SIM115 - until said_by has read it
    given = dict(environment or os.environ)
    process = FORKS.Process(target=run, args=(code, arguments, given, said.name))
    process.start()
    process.said = said
    return process


def run(code: str, arguments: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    """The process itself: what it says goes to the file `said`."""
    os.environ.clear()
    os.environ.update(environment)
    file = os.open(said, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})


def said_by(process: BaseProcess, timeout: float = 240) -> str:
    """Wait for the end of a process, which has its `exitcode` then; what it said."""
    process.join(timeout)
    with process.said as said:
        text = said.read()
    assert process.exitcode is not None, f"still running after {timeout} s: {text}"
    return text


@contextmanager
def python() -> Iterator[Path]:
    """A folder with a `python` whose `python -m jobshift …` is a fork, in the folder in which the test is."""
    with tempfile.TemporaryDirectory() as name, Listener(family="AF_UNIX") as listener:
        folder = Path(name)
        (folder / "client.py").write_text(CLIENT)
        program = folder / "python"
        words = f'"{sys.executable}" -IS "{folder}/client.py" "{listener.address}"'
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        serving = threading.Thread(target=serve, args=(listener,), daemon=True)
        serving.start()
        yield folder
        with Client(listener.address) as last:
            last.send(None)
        serving.join()


def serve(listener: Listener) -> None:
    """Answer the clients, one after another, until one sends None."""
    while True:
        with listener.accept() as client:
            asked = client.recv()
            if asked is None:
                return
            (dash_m, module, *arguments), environment = asked
            assert (dash_m, module) == ("-m", "jobshift")
            process = start(*arguments, environment=environment)
            said = said_by(process)
            client.send((process.exitcode, said))
