"""What is said of the service's speed is what was measured."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_documents_say_what_was_measured():
    measured = json.loads((ROOT / "benchmarks/service_load.json").read_text())
    said = (ROOT / "docs/service.md").read_text()
    for engine, sides in measured["load"].items():
        batched, single = sides["batched"], sides["one_at_a_time"]
        row = [engine, batched["requests_per_second"], f"{batched['p99_ms']} ms"]
        row += [single["requests_per_second"], sides["batches_of_one"]["requests_per_second"]]
        row += [single["batched_gives_times_as_many"]]
        assert f"| {' | '.join(map(str, row))} |" in said
    for name in ("first_answer_seconds", "advertisement_seconds"):
        assert f"{measured[name]} s" in said
    hostile = measured["hostile"]
    assert f"server error ({hostile['server_errors']})" in said
    assert f"{hostile['memory_after_mib']} MiB, before them {hostile['memory_before_mib']}" in said
    readme = (ROOT / "README.md").read_text()
    onnx, torch = (measured["load"][engine] for engine in ("onnx", "torch"))
    assert f"{onnx['batched']['requests_per_second']:.0f} texts a second for 32 clients" in readme
    assert f"{onnx['one_at_a_time']['batched_gives_times_as_many']} times what it would" in readme
    assert f"{torch['one_at_a_time']['batched_gives_times_as_many']} times with torch" in readme
