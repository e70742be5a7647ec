"""The certificate: what was looked at and what came of it, as JSON and as a page to read.

The one report that another run does not repeat to the byte: it tells the machine and how long the run took.
"""

import os
import platform
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from jobshift.verification.checks import CHECKS, named
from jobshift.verification.compare import GOOD, VERDICTS, Compared

FORMAT = 1
CPUINFO = Path("/proc/cpuinfo")
# Flags of the processor that decide which instructions numerical libraries choose.
NUMERICAL = re.compile("s?sse|avx|fma|f16c|amx|asimd|neon|sve|bf16|i8mm")
SHOWN = 12  # characters of a hash on the page


@dataclass
class Found:
    """What a verification has found: sentences by check, installed versions, comparisons by stage.

    `rerun` says whether the study was run again: finished, not started, or why it ended before. `left_over`
    are stages that dvc.lock has and the study has not.
    """

    findings: dict[str, list[str]]
    libraries: dict[str, str]
    rerun: str = "not started"
    outputs: dict[str, list[Compared]] = field(default_factory=dict)
    left_over: list[str] = field(default_factory=list)


def certificate(
    found: Found, study: str, commit: str, stages: list[str], tolerance: float, seconds: float
) -> dict:
    """Everything as plain data, in a fixed order; `holds` is the conclusion.

    `stages` are those that were asked for, empty for all.
    """
    checks = {
        name: {"holds": not found.findings[name], "found": found.findings[name]}
        for name in CHECKS
        if name in found.findings
    }
    outputs = [{"stage": stage} | plain(each) for stage, of in found.outputs.items() for each in of]
    finished = found.rerun == "finished" and not any(found.findings.values())
    return {
        "format": FORMAT,
        "holds": finished and all(each["verdict"] in GOOD for each in outputs),
        "study": study,
        "stages": stages,
        "commit": commit,
        "tolerance": tolerance,
        "checks": checks,
        "rerun": found.rerun,
        "outputs": outputs,
        "left_over": found.left_over,
        "machine": machine(),
        "libraries": found.libraries,
        "seconds": round(seconds, 1),
    }


def plain(compared: Compared) -> dict:
    """A comparison as plain data, without what does not apply."""
    content = {
        name: value
        for name, value in vars(compared).items()
        if name in ("recorded", "obtained") or value not in (None, "", ())
    }
    return (
        content | {"files": [plain(each) for each in compared.files]} if compared.files else content
    )


def machine() -> dict:
    """What of the machine decides the last digits; names neither host nor user."""
    fields = {}
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", "")).split()
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": fields.get("model name") or platform.processor() or "not known",
        "cpu_flags": sorted(flag for flag in flags if NUMERICAL.match(flag)),
        "cores": cores,
        "threads": int(threads) if threads.isdigit() else cores,
        "python": platform.python_version(),
    }


def summary(content: dict) -> list[str]:
    """The conclusion and everything that speaks against it, as lines of Markdown."""
    stages = f", stages {', '.join(content['stages'])} and what they need" * bool(content["stages"])
    counts = Counter(each["verdict"] for each in content["outputs"])
    counted = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])
    lines = [
        f"# Verification: it {'holds' if content['holds'] else 'does not hold'}",
        "",
        f"Study {content['study']}{stages}, at commit {content['commit'][:SHOWN]}. Re-run: "
        f"{content['rerun']}. Outputs: {counted or 'none'}; tolerance {content['tolerance']:g}.",
        "",
    ]
    for name, check in content["checks"].items():
        lines.append(f"- {'holds' if check['holds'] else '**does not hold**'}: {CHECKS[name]}")
        lines += [f"  - {sentence}" for sentence in check["found"]]
    lines.append("")
    for output in content["outputs"]:
        if output["verdict"] != "identical":
            lines.append(f"- {told(output)}")
            files = [each for each in output.get("files", []) if each["verdict"] != "identical"]
            lines += [f"  - {told(each)}" for each in files if each["verdict"] != "unknown"]
    return lines


def told(compared: dict) -> str:
    """One comparison that is not identical as a clause."""
    text = f"`{compared['path']}`: {compared['verdict']}, by {compared['by']}"
    if "difference" in compared:
        text += f", at most {compared['difference']:.3g}"
    return text + (f" ({compared['where']})" if "where" in compared else "")


def page(content: dict) -> str:
    """The certificate as Markdown: the summary, every output with the beginnings of its hashes, the machine."""
    about = content["machine"]
    lines = [
        *summary(content),
        "",
        "| output | stage | recorded | obtained | |",
        "| --- " * 5 + "|",
    ]
    for each in content["outputs"]:
        recorded, obtained = ((each[key] or "none")[:SHOWN] for key in ("recorded", "obtained"))
        lines.append(
            f"| `{each['path']}` | {each['stage']} | {recorded} | {obtained} | {each['verdict']} |"
        )
    lines += [
        "",
        f"- {about['system']} on {about['architecture']}, {about['processor']}, {about['cores']} cores, "
        f"{about['threads']} threads; Python {about['python']}",
        f"- processor features: {', '.join(about['cpu_flags']) or 'not known'}",
        f"- {len(content['libraries'])} libraries; their versions are in the JSON file",
        f"- {content['seconds']:.0f} seconds",
    ]
    if content["left_over"]:
        left_over = named(content["left_over"])
        lines.append(f"- in dvc.lock but not in the study, so not looked at: {left_over}")
    return "\n".join(lines) + "\n"
