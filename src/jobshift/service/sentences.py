"""A job advertisement in sentences, so that each can be rated as a task; English and Chinese, by punctuation.

A line ends a sentence. Within a line a sentence ends at 。！？；, and at . ! ? … before a space and what may
begin a sentence. Bullets and numbers of lists are taken off. A line that ends with a colon is a heading and
is left out, as is what has no letter or digit.
"""

import re

BULLET = re.compile(
    r"""^(?:
        (?:[*•·▪▸‣◦●○■□◆◇►➢✓✔☑>#]|[-+–—](?!\d))+ \s*
      | [(（]?\d{1,2}[.)）、．](?!\d) \s*
      | [(（]?[a-zA-Z][)）] \s*
      | [(（]?[一二三四五六七八九十]{1,3}[)）、．] \s*
      | [①-⑳] \s*
    )+""",
    re.VERBOSE,
)
# After these a full stop does not end a sentence; nor does it after a single capital, as in a name.
ABBREVIATIONS = {
    "approx", "cf", "co", "corp", "dept", "dr", "e.g", "est", "fig", "i.e", "inc", "incl", "jr", "ltd",
    "max", "min", "mr", "mrs", "ms", "no", "prof", "sr", "st", "vs",
}  # fmt: skip
END = re.compile(
    r"""[。！？；]+[”’」』）]*\s*"""
    r"""|[.!?…]+["'”’»)\]]*(?:\s+|$)"""
)


def split_sentences(text: str) -> list[str]:
    """The sentences of `text` in their order, without bullets; empty where it has none."""
    found = []
    for line in text.splitlines():
        line = BULLET.sub("", " ".join(line.split()))
        start = 0
        for end in END.finditer(line):
            if goes_on(line[start : end.start()], end.group(), line[end.end() :]):
                continue
            found.append(line[start : end.end()].strip())
            start = end.end()
        found.append(line[start:].strip())
    return [
        each for each in found if any(map(str.isalnum, each)) and not each.endswith((":", "："))
    ]


def goes_on(before: str, mark: str, after: str) -> bool:
    """Whether the sentence goes on after `mark`: an abbreviation, an initial, or a small letter follows."""
    if not after or mark.startswith(("。", "！", "？", "；")):
        return False
    word = before.split()[-1].lstrip("(\"'“‘[") if before.split() else ""
    abbreviated = word.lower() in ABBREVIATIONS or re.fullmatch(r"(?:[A-Z]\.)*[A-Z]", word)
    return after[0].islower() or (mark.startswith(".") and bool(abbreviated))
