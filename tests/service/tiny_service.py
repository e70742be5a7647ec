"""A study of three occupations with sentences of our own and an exported random model, to be served."""

from pathlib import Path

import pandas as pd
import tiny_export

TASKS = {
    "11-1111.00": ["Steer boats.", "Mend nets."],
    "11-1112.00": ["Write letters to anglers.", "Sort the catch by size.", "Answer calls."],
    "22-2222.01": ["Water ferns."],
}
TITLES = {"11-1111.00": "Boat Hands", "11-1112.00": "Fishery Clerks", "22-2222.01": "Fern Keepers"}
RATED = {"rater": "rubric", "task_weighting": "equal", "exposure_from": "labels"}
ONET = {  # alpha, beta, zeta; substituted, complemented, untouched
    "11-1111.00": (0.0, 0.25, 0.5, 0.0, 0.5, 0.5),
    "11-1112.00": (0.5, 0.6, 0.7, 0.3, 0.4, 0.3),
    "22-2222.01": (0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
}
MEASURES = ("alpha", "beta", "zeta", "substituted_share", "complemented_share", "untouched_share")


def write(folder: Path) -> Path:
    """Write the study into `folder`."""
    tables, prepared = folder / "reports/tables", folder / "data/prepared/onet"
    for path in (tables, prepared):
        path.mkdir(parents=True)
    (folder / "params.yaml").write_text(
        (Path(__file__).parents[2] / "params.yaml")
        .read_text()
        .replace("export: minilm", "export: tiny")
    )
    tasks = pd.DataFrame(
        [
            {"id": f"{code}-{number}", "text": text, "occupation": code}
            for code, texts in TASKS.items()
            for number, text in enumerate(texts)
        ]
    ).assign(label="E1", automation=None)
    tasks.to_parquet(prepared / "tasks.parquet")
    onet = [
        RATED
        | {"occupation": code, "title": TITLES[code], "soc": code[:7], "n_tasks": len(TASKS[code])}
        | dict(zip(MEASURES, values, strict=True))
        for code, values in ONET.items()
    ]
    pd.DataFrame(onet).to_csv(tables / "exposure_onet.csv", index=False)
    figures = ["employment_workers", "annual_wage_usd", "wage_basis"]
    oews = [
        ("11-1110", "Fishery Workers", 1200.0, 30_500.4, "annual median"),
        ("22-2222", "Fern Keepers", None, 239_200.0, "top-code"),
    ]
    columns = ["soc", "title", *figures]
    oews = pd.DataFrame(oews, columns=columns).assign(**RATED)
    oews.to_csv(tables / "exposure_occupations.csv", index=False)
    bridge = pd.DataFrame({"oews_code": "11-1110", "soc_code": ["11-1111", "11-1112"]})
    bridge.assign(**RATED).to_csv(tables / "oews_bridge.csv", index=False)
    national = pd.DataFrame({"measure": MEASURES, "value": (0.1, 0.2, 0.3, 0.05, 0.25, 0.7)})
    national.assign(**RATED).to_csv(tables / "exposure_national.csv", index=False)
    export = tiny_export.export(folder / "exports/tiny/purged-0")
    evidence = [(code, text) for code, texts in TASKS.items() for text in texts]
    evidence += [
        (None, "Lock the shed."),
        ("11-1111.00", "Paint boats."),
        ("22-2222.01", "Cut ferns."),
    ]
    pd.DataFrame(
        {
            "id": [str(row) for row in range(len(evidence))],
            "text": [text for _, text in evidence],
            "label": "E0",
            "occupation": [TITLES.get(code) for code, _ in evidence],
        }
    ).to_parquet(export / "evidence.parquet")
    return folder
