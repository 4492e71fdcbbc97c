"""``zdemo doctor --explain``: the section of the troubleshooting page about a check."""

import re
from typing import Any

from zdemo.cli.screen import Screen
from zdemo.config.packaged import TROUBLESHOOTING, packaged_text
from zdemo.doctor import CHECKS, Check

LINK = r"\[([^\]]+)\]\(([^)]+)\)"
INDENT = " " * 4
LABEL_WIDTH = 8


def explain(screen: Screen, check: Check[Any], *, as_json: bool) -> None:
    """Print what a check means and how to fix what it finds."""
    text = _section(packaged_text(TROUBLESHOOTING), check.id)
    if as_json:
        screen.document({"id": check.id, "what": check.what, "text": text})
        return
    screen.behind(f"{check.id}  ", check.what)
    screen.say()
    for block in re.split(r"\n{2,}", text):
        _show(screen, block)
        screen.say()
    related = dict.fromkeys(target[1:] for _, target in re.findall(LINK, text) if target.startswith("#"))
    commands = [("see also", f"zdemo doctor --explain {name}") for name in related]
    api = "" if check.id in {own.id for own in CHECKS} else "--api URL "
    screen.pairs([*commands, ("check it", f"zdemo doctor {api}--only {check.id}")], label_width=LABEL_WIDTH)


def _section(page: str, name: str) -> str:
    """Return what stands below the heading of a check, in Markdown."""
    _, _, rest = page.partition(f'<a id="{name}"></a>\n### {name}\n')
    return re.split(r"^(?:<a id=|#{1,3} )", rest, maxsplit=1, flags=re.MULTILINE)[0].strip("\n")


def _show(screen: Screen, block: str) -> None:
    """Print a paragraph, a heading, a command or a table: the parts of Markdown that the page has."""
    if block.startswith(INDENT):
        for line in block.splitlines():
            screen.say(line, whole=True)
    elif block.startswith("|"):
        for row in block.splitlines()[2:]:  # below the head
            cells = re.split(r" *(?<!\\)\| *", row.strip("| "))
            screen.behind("", _plain(cells[0]))
            screen.behind(INDENT, _plain("; ".join(cells[1:])))
    else:
        screen.behind("", _plain(" ".join(block.lstrip("# ").split())))


def _plain(text: str) -> str:
    """Return the text without Markdown's marks."""
    return re.sub(r"`|\*\*|\\(?=\|)", "", re.sub(LINK, r"\1", text))
