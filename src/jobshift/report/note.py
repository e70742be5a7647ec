"""The note that stands for the paper where a data set has no exposure: what was measured, on one page.

The paper is about the exposure of occupations. Labels that are no degrees of it leave nothing to say
there; the report of such a study is the page. Only fonts from packages are used, as in the figures.
"""

import json

import pandas as pd

from jobshift.report.kinds import Kind
from jobshift.report.tables import MAIN, interval, number

PRIMARY = "purged"
SOURCE = """\
#let note = json(bytes(sys.inputs.note))
#set document(title: note.title, author: "The jobshift authors", date: none)
#set page(paper: "a4", margin: 24mm)
#set text(font: ("Libertinus Serif", "Noto Sans SC"), size: 10.5pt, lang: "en", region: "GB")
#align(center, text(size: 17pt, weight: "bold", note.title))
#v(1em)
#for paragraph in note.paragraphs { par(paragraph) }
#v(0.5em)
#table(
  columns: note.head.len(), stroke: none, align: (left,) + (center,) * (note.head.len() - 1),
  table.hline(), table.header(..note.head.map(strong)), table.hline(stroke: 0.5pt),
  ..note.rows.flatten(), table.hline(),
)
"""


def compile_note(
    title: str, data: str, reason: str, metrics: pd.DataFrame, names: dict[str, str], kind: Kind
) -> bytes:
    """The note as PDF.

    `title` is that of the data set called `data`, `reason` why it has no exposure; `metrics` are the rows
    of metrics_mean.csv, `names` model → name for people, `kind` has the measures to show.
    """
    import typst

    from jobshift.report.style import chinese_font

    measures = [metric for metric in kind.compared if metric in set(metrics["metric"])]
    first = metrics[metrics["metric"] == kind.first]
    primary = first[first["split"] == PRIMARY].sort_values(
        "value", ascending=False, kind="stable", na_position="last"
    )
    # The best model first, each with its test sets in the order of the table.
    place = {model: n for n, model in enumerate(primary["model"])}
    ordered = metrics.sort_values("model", key=lambda m: m.map(place), kind="stable")
    rows, last = [], None
    for (model, split), part in ordered.groupby(["model", "split"], sort=False):
        of = part.set_index("metric").loc[measures]
        cells = [
            f"{number(row.value)} {interval(row.low, row.high)}".strip() for row in of.itertuples()
        ]
        name = "" if model == last else names.get(model, model)
        rows.append([name, split.replace("_", " "), *cells])
        last = model
    best = primary.iloc[0]
    elsewhere = [
        f"{split.replace('_', ' ')}: {kind.parts[split]}"
        for split in dict.fromkeys(metrics["split"])
        if split in kind.parts
    ]
    note = {
        "title": title,
        "paragraphs": [
            f"There is no paper of the data set {data}: {reason}, so there is no exposure of tasks, "
            "occupations and workers to report. The report of this study is the page "
            "reports/comparison.html; its tables are in reports/tables, its figures in reports/figures.",
            f"How well each model finds the {kind.truth}, with 95 % intervals, mean over the seeds; on the "
            f"{PRIMARY} split {best['n_tasks']:,} held-out {kind.units} in {best['n_groups']:,} leak groups. "
            f"The highest {kind.name} there is that of {names.get(best['model'], best['model'])}, "
            f"{number(best['value'])} {interval(best['low'], best['high'])}.",
            *([f"Parts of the test set: {'; '.join(elsewhere)}."] if elsewhere else []),
        ],
        "head": ["Model", "Test set", *(MAIN[metric] for metric in measures)],
        "rows": rows,
    }
    font = chinese_font()
    return typst.compile(
        SOURCE.encode(),
        format="pdf",
        sys_inputs={"note": json.dumps(note)},
        ignore_system_fonts=True,
        font_paths=[str(font.parent)] if font else [],
    )
