"""How far a sweep is, in one line."""

from datetime import datetime

import optuna

from jobshift.sweeps.options import Config
from jobshift.sweeps.storage import Point, finished

STATES = ("done", "running", "pruned", "failed")


def best(points: list[Point], objective: str) -> Point | None:
    """The finished point with the best value, the first of equals; None while there is none."""
    done = [point for point in points if point.state == "done"]
    sign = 1 if objective == "val_loss" else -1
    return min(done, key=lambda point: (sign * point.trial.value, point.number), default=None)


def line(config: Config, points: list[Point]) -> str:
    """Done, running, pruned, failed, best so far, time left."""
    count = {state: sum(point.state == state for point in points) for state in STATES}
    parts = [f"{count['done']} of {len(points)} done"]
    parts += [f"{count[state]} {state}" for state in STATES[1:]]
    said = [", ".join(parts)]
    if leader := best(points, config.sweep.objective):
        value = f"{config.sweep.objective} {leader.trial.value:.4f}"
        said.append(f"best {value} (trial {leader.number})")
    left = seconds_left(points)
    if left is not None:
        said.append(f"about {duration(left)} left")
    return f"sweep {config.sweep.name}: {'; '.join(said)}"


def seconds_left(points: list[Point]) -> float | None:
    """From the mean time of the finished trials and those that run at once; None without either."""
    ended = [point.trial for point in points if finished(point)]
    seconds = [trial.user_attrs["seconds"] for trial in ended if "seconds" in trial.user_attrs]
    left = [point for point in points if not finished(point)]
    if not seconds or not left:
        return None
    mean = sum(seconds) / len(seconds)
    running = [elapsed(point.trial) for point in left if point.state == "running"]
    # Of a trial that takes longer than the others nobody knows how much is left.
    still = sum(max(mean - already, mean / 4) for already in running)
    return (still + mean * (len(left) - len(running))) / max(1, len(running))


def elapsed(trial: optuna.trial.FrozenTrial) -> float:
    """Seconds since a trial started."""
    return max(0.0, (datetime.now() - trial.datetime_start).total_seconds())


def duration(seconds: float) -> str:
    """Seconds in words: 45 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
