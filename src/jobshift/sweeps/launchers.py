"""Where the workers of a sweep run: here, on a Ray cluster, or as jobs of Slurm."""

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait

from jobshift.errors import JobshiftError
from jobshift.sweeps import progress
from jobshift.sweeps.options import Config
from jobshift.sweeps.storage import folder_of, points
from jobshift.sweeps.worker import Plan, plan_of, process, study_of, work

INSTALL = "is not installed; pip install"


def launch(config: Config) -> None:
    """Start the workers and wait until they have finished the sweep."""
    launchers: dict[str, Callable[[Config], None]] = {
        "local": local,
        "ray": ray_cluster,
        "submitit": slurm,
    }
    if config.launcher not in launchers:
        raise JobshiftError(
            f"launcher is '{config.launcher}'; choose one of {', '.join(launchers)}"
        )
    if config.workers < 1 or config.threads < 0:
        raise JobshiftError("workers is 1 or more, threads 0 or more")
    launchers[config.launcher](config)


def cores() -> int:
    """The threads that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


class Progress:
    """Says now and then how far the sweep is; never the same line twice."""

    def __init__(self, config: Config):
        self.config, self.study = config, study_of(config)
        self.said, self.next = "", 0.0

    def tell(self, now: bool = False) -> None:
        """Log the line of progress if it is time, or `now`."""
        if time.monotonic() < self.next and not now:
            return
        self.next = time.monotonic() + self.config.progress_seconds
        state = points(self.study, self.config.sweep.trials, self.config.retries)
        said = progress.line(self.config, state)
        if said != self.said:
            logging.info(said)
        self.said = said


def local(config: Config) -> None:
    """Workers on this machine: one in this process, more in processes of their own."""
    threads = config.threads or max(1, cores() // config.workers)
    plan = plan_of(config, threads)
    if config.workers == 1:
        work(replace(plan, tell_progress=True))
        return
    told = Progress(config)
    spawn = multiprocessing.get_context("spawn")
    # Read by the libraries when a worker loads them.
    kept = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    started = config.workers
    workers = [start(spawn, plan) for _ in range(config.workers)]
    try:
        while workers:
            wait([each.sentinel for each in workers], timeout=1.0)
            told.tell()
            for each in [each for each in workers if not each.is_alive()]:
                workers.remove(each)
                if each.exitcode == 0:
                    continue
                # A shell, and training that was stopped, say 128 + the signal.
                killed_by = each.exitcode - 128 if each.exitcode > 128 else -each.exitcode
                if killed_by < 0 or started >= config.workers + config.retries:
                    raise JobshiftError(
                        f"a worker ended with the code {each.exitcode}; what it said stands above"
                    )
                logging.warning(
                    "worker %d was killed by signal %d; another one takes its place",
                    each.pid,
                    killed_by,
                )
                workers.append(start(spawn, plan))
                started += 1
    finally:
        for each in workers:
            each.terminate()
        for each in workers:
            each.join()
        os.environ.pop("OMP_NUM_THREADS")
        if kept is not None:
            os.environ["OMP_NUM_THREADS"] = kept
    told.tell(now=True)


def start(spawn, plan: Plan):
    """A worker's process; daemonic, so that it does not outlive a command that ends by itself."""
    started = spawn.Process(target=process, args=(plan,), daemon=True)
    started.start()
    return started


def ray_cluster(config: Config) -> None:
    """Workers as tasks of Ray; machines of a cluster see the same folder, or a database keeps the trials."""
    # Ray reads both when it is loaded. It would hide lines that look like others, such as those of trials.
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    if not sys.stderr.isatty():
        os.environ.setdefault("RAY_COLOR_PREFIX", "0")  # no escape codes
    try:
        import ray
    except ImportError as error:
        raise JobshiftError(f"launcher is 'ray', but Ray {INSTALL} 'jobshift[cluster]'") from error
    told = Progress(config)
    embedded = config.ray.address in ("none", "")
    threads = config.threads or (max(1, cores() // config.workers) if embedded else 1)
    options = {"include_dashboard": False, "num_cpus": threads * config.workers} if embedded else {}
    try:
        ray.init(
            address=None if embedded else config.ray.address,
            log_to_driver=True,
            logging_level=logging.WARNING,
            **options,
        )
    except (ConnectionError, ValueError) as error:
        raise JobshiftError(
            f"there is no Ray cluster at ray.address={config.ray.address}; start one with `ray start "
            "--head`, or use address none"
        ) from error
    try:
        # A task whose process dies is started again; the trial it ran is noticed by the next worker.
        task = ray.remote(num_cpus=threads, max_retries=config.retries)(ray_worker)
        plan = plan_of(config, threads)
        waiting = [task.remote(plan) for _ in range(config.workers)]
        while waiting:
            done, waiting = ray.wait(waiting, timeout=1.0)
            told.tell()
            for each in done:
                failed = ray.get(each)
                if failed:
                    raise JobshiftError(failed)
    finally:
        ray.shutdown()
    told.tell(now=True)


def ray_worker(plan: Plan) -> str | None:
    """`work` in a process of Ray; what the user can mend is returned, as Ray would wrap it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        work(plan)
    except JobshiftError as error:
        return str(error)
    return None


def slurm(config: Config) -> None:
    """Workers as jobs of Slurm, each of one task; this command waits for them and tells the progress."""
    try:
        import submitit
    except ImportError as error:
        raise JobshiftError(
            f"launcher is 'submitit', but submitit {INSTALL} 'jobshift[cluster]'"
        ) from error
    told = Progress(config)
    threads = config.threads or 1
    options = config.submitit
    executor = submitit.AutoExecutor(
        folder=folder_of(config.sweep.name) / "jobs", cluster=options.cluster
    )
    executor.update_parameters(
        name=f"sweep-{config.sweep.name}",
        timeout_min=options.minutes,
        cpus_per_task=threads,
        mem_gb=options.memory_gb,
    )
    if options.cluster == "slurm":
        setup = [*options.setup, f"export OMP_NUM_THREADS={threads}"]
        executor.update_parameters(slurm_setup=setup)
        if options.partition:
            executor.update_parameters(slurm_partition=options.partition)
    jobs = [executor.submit(ray_worker, plan_of(config, threads)) for _ in range(config.workers)]
    logging.info(
        "jobs %s; their logs are in %s", ", ".join(job.job_id for job in jobs), executor.folder
    )
    lost = []
    for job in jobs:
        while not job.done():
            told.tell()
            time.sleep(1.0)
        try:
            failed = job.result()
        except Exception as error:  # submitit's own, of a job that was cancelled or killed
            lost.append(f"{job.job_id} ({type(error).__name__})")
            continue
        if failed:
            raise JobshiftError(failed)
    told.tell(now=True)
    if lost:
        raise JobshiftError(f"jobs were lost: {', '.join(lost)}; the same command goes on")
