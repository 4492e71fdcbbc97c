"""Text in the width of a terminal: what may be broken, what hangs below what, and how many cells it takes.

Texts may have colours. Those from elsewhere must have gone through ``printable``.
"""

import re

from zdemo.text.columns import cells

LEAST_ROOM = 24  # cells for a text beside its label; with less, it begins below the label
NARROW_INDENT = 4  # blanks before a label where there is not enough room otherwise
BELOW = 2  # blanks more for what stands below its label
GLUE = "\u00a0"  # stands for a blank inside a command, where no line may end


def pad(text: str, width: int) -> str:
    """Return the text with as many blanks as it lacks to a width."""
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most ``width``; a word, an address, an ID or what is glued is never cut."""
    return [line.replace(GLUE, " ") for paragraph in text.split("\n") for line in filled(paragraph, width)]


def filled(paragraph: str, width: int) -> list[str]:
    """Return one paragraph in lines, indented as it is; what is longer than a line stands alone, at the left."""
    if cells(paragraph) <= width:
        return [paragraph]
    indent = re.match(" *", paragraph)[0]  # type: ignore[index]  # it matches everywhere
    lines: list[str] = []
    line, gap = "", indent
    for word, blanks in re.findall(r"([^ ]+)( *)", paragraph):
        if line and cells(f"{line}{gap}{word}") > width:
            lines.append(line)
            line, gap = "", indent
        line, gap = f"{line}{gap}{word}", blanks
    return [*lines, line]


def behind(lead: str, text: str, width: int, *, hang: int = 0) -> list[str]:
    """Return a text behind a lead in lines; those after the first begin below it, ``hang`` to the right.

    Where that leaves little room, the text begins below the lead.
    """
    indent = cells(lead)
    if max(map(cells, text.split("\n"))) + hang > max(width - indent, 0) and width - indent - hang < LEAST_ROOM:
        label = lead.lstrip(" ")
        blanks = min(len(lead) - len(label), NARROW_INDENT)
        lines = _hanging(text, blanks + BELOW, width, hang=hang)
        return [f"{' ' * blanks}{label.rstrip()}", *lines] if label else lines
    first, *rest = _hanging(text, indent, width, hang=hang)
    begins_behind = first.startswith(" " * indent) or not first
    return [lead + first[indent:], *rest] if begins_behind else [*filter(None, [lead.rstrip()]), first, *rest]


def _hanging(text: str, indent: int, width: int, *, hang: int) -> list[str]:
    """Return the text with an indent; a line that is too long for it begins further to the left."""
    lines = wrapped(text, max(width - indent - hang, 1))
    indents = (indent if number == 0 else indent + hang for number in range(len(lines)))
    return [
        " " * (blanks if blanks + cells(line) <= width else BELOW if BELOW + cells(line) <= width else 0) + line
        for blanks, line in zip(indents, lines, strict=True)
    ]
