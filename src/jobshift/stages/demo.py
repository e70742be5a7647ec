"""`jobshift demo`: a local page over the finished study, and a JSON API, in one process (docs/service.md)."""

import argparse
import importlib.util
import logging
import os
import signal
import socket
from pathlib import Path

from jobshift.config import Study, load_params
from jobshift.errors import JobshiftError
from jobshift.rating.engines import ENGINES, open_engine
from jobshift.rating.exported import EXPORTS, Exported, read_export

LOCAL = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_SECONDS = 5  # for the requests that are being answered


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; 0."""
    chosen = parser().parse_args(arguments)
    if chosen.rate < 0:
        raise JobshiftError(f"--rate is {chosen.rate}; it must be 0 (any number) or more")
    if chosen.threads is not None and chosen.threads < 1:
        raise JobshiftError(f"--threads is {chosen.threads}; it must be at least 1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        study = load_params()
        exported = trained(study, chosen.model)
        with listen(chosen.host, chosen.port) as listening:
            serve(study, exported, chosen, listening)
    except KeyboardInterrupt:
        pass
    logging.info("stopped")
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    found = argparse.ArgumentParser(
        "jobshift demo", description="A page and an API over the study."
    )
    add = found.add_argument
    add("--model", type=Path, help="an exported run; else the one that params.yaml exports")
    add("--engine", choices=ENGINES, help="what runs the model (onnx where it can be, else torch)")
    add("--threads", type=int, help="of the model; else as many as its library chooses")
    add("--host", default=LOCAL[0], help="0.0.0.0 opens the page to other machines (127.0.0.1)")
    add("--port", type=int, default=7860, help="0 chooses a free one (7860)")
    add(
        "--rate",
        type=int,
        default=600,
        help="requests a minute from an address; 0: any number (600)",
    )
    add("--no-page", action="store_true", help="the API alone, which needs no gradio to start")
    return found


def trained(study: Study, model: Path | None) -> Exported:
    """The exported model to ask; JobshiftError that says how to make one where there is none."""
    if model is not None:
        return read_export(model)
    if not study.export:
        raise JobshiftError("params.yaml names no model in `export`; name a run with --model")
    folder = EXPORTS / study.export / f"purged-{study.seeds[0]}"
    if not (folder / "rating.json").is_file():
        raise JobshiftError(
            f"{folder} is missing: there is no trained run yet; `make repro` makes one "
            "(docs/configuration.md says how long that takes), or name an exported run with --model"
        )
    return read_export(folder)


def fastest(exported: Exported) -> str:
    """ONNX Runtime where it is installed and was exported for: it starts two seconds before torch."""
    exists = (exported.folder / "onnx/model.onnx").is_file()
    return "onnx" if exists and importlib.util.find_spec("onnxruntime") else "torch"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a port in use is known before anything is loaded."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        known = isinstance(error, OSError) and (error.errno or 0) > 0
        reason = os.strerror(error.errno) if known else getattr(error, "strerror", None) or error
        raise JobshiftError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port"
        ) from error


def serve(
    study: Study, exported: Exported, chosen: argparse.Namespace, listening: socket.socket
) -> None:
    """Load the model and answer requests until a signal comes."""
    try:
        import uvicorn

        from jobshift.service.api import create
        from jobshift.service.limits import Guard
        from jobshift.service.occupations import read_occupations
        from jobshift.service.service import Service

        if not chosen.no_page:
            from jobshift.service.page import mount
    except ImportError as error:
        raise JobshiftError(
            f"the page needs {error.name}, which is not installed; run `pip install 'jobshift[demo]'`"
        ) from error
    engine = open_engine(exported, chosen.engine or fastest(exported), chosen.threads)
    service = Service(exported, engine, read_occupations(study.data, study.rater))
    app = create(service)
    if not chosen.no_page:
        mount(app, service)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    hosts = (*LOCAL, "[::1]", chosen.host) if host in LOCAL else ()
    server = uvicorn.Server(
        uvicorn.Config(
            Guard(app, chosen.rate, hosts),
            log_level="critical",  # faults are one line of our own, requests are nobody's business
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    logging.info("jobshift: http://%s:%d/ with %s (Ctrl-C ends it)", shown, port, exported.model)
    try:
        server.run(sockets=[listening])
    finally:
        service.close()
