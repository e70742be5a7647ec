"""The note that stands for the paper where a data set has no exposure: what was measured, on one page.

The paper is about the exposure of occupations. Labels that are no degrees of it leave nothing to say
there; the report of such a study is the page. Only fonts from packages are used, as in the figures.
"""

import json

import pandas as pd

from jobshift.report.tables import MAIN, interval, number

PRIMARY = "purged"
SHOWN = ("accuracy", "f1_macro", "cohen_kappa")
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
    title: str, data: str, reason: str, metrics: pd.DataFrame, names: dict[str, str]
) -> bytes:
    """The note as PDF.

    `title` is that of the data set called `data`, `reason` why it has no exposure; `metrics` are the rows
    of metrics_mean.csv, `names` model → name for people.
    """
    import typst

    from jobshift.report.style import chinese_font

    measures = [metric for metric in SHOWN if metric in set(metrics["metric"])]
    rows = []
    for (split, model), part in metrics.groupby(["split", "model"], sort=False):
        of = part.set_index("metric").loc[measures]
        cells = [
            f"{number(row.value)} {interval(row.low, row.high)}".strip() for row in of.itertuples()
        ]
        rows.append([names.get(model, model), split.replace("_", " "), *cells])
    primary = metrics[metrics["split"] == PRIMARY].iloc[0]
    note = {
        "title": title,
        "paragraphs": [
            f"There is no paper of the data set {data}: {reason}, so there is no exposure of tasks, "
            "occupations and workers to report. The report of this study is the page "
            "reports/comparison.html; its tables are in reports/tables, its figures in reports/figures.",
            f"How well each model agrees with the labels, with 95 % intervals, mean over the seeds; on the "
            f"{PRIMARY} split {primary['n_tasks']:,} held-out texts in {primary['n_groups']:,} leak groups.",
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
