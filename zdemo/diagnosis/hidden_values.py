"""Settings that hide other values: exported ones hide those in ``.env``, and a later line hides an earlier one."""

from collections.abc import Sequence
from dataclasses import replace

from zdemo.config.environment import BASIC, EXPORTED, HiddenValue
from zdemo.config.masking import LEAST_MASKED, SECRET_SETTINGS, could_be_secret, masked
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.token_form import ID_DIGITS

LONGEST_SHOWN = 60  # characters of an address


def finding_for_hidden(group: str, hidden: Sequence[HiddenValue], works: str) -> Finding:
    """Return the finding that values which do not count would work; ``works`` says what they do."""
    return Finding(
        id=f"{group}.hidden",
        cause="; ".join(hiding_words(hidden, with_values=True)),
        seen=(("certain", works),),
        fix=unhiding(hidden),
    )


def finding_for_known_value(finding: Finding, hidden: Sequence[HiddenValue], group: str) -> Finding | None:
    """Return the finding that the first step of a fix sets a variable to what is hidden; ``None`` when none does."""
    value = next((v for v in hidden if finding.fix[:1] == (f"{v.name}={v.value.strip()}",)), None)
    if value is None:
        return None
    found = finding_for_hidden(group, [value], finding.cause)
    return replace(found, fix=(*found.fix, *finding.fix[1:]), otherwise=finding.otherwise).and_seen(finding.seen)


def also_hidden(finding: Finding, hidden: Sequence[HiddenValue], what: str) -> Finding:
    """Add to a finding that there are hidden values, which are not known to work, and how to make them count."""
    whole = [value for value in hidden if not value.joined]
    lines = (("hidden", f"{words}, {what}") for words in hiding_words(whole))
    steps = (f"{step}  (otherwise the hidden value does not count)" for step in unhiding(whole))
    return replace(finding.and_seen(lines), fix=(*finding.fix, *steps))


def hiding_words(hidden: Sequence[HiddenValue], *, with_values: bool = False) -> list[str]:
    """Return a sentence for each way in which values are hidden: exported, set twice, or broken in two."""
    sentences = []
    if exported := [value for value in hidden if value.counting_place == EXPORTED]:
        sentences.append(_exported(exported, with_values=with_values))
    for value in hidden:
        if value.wins:
            sentences.append(f"{value.name} in {value.counting_place} wins over {' and '.join(BASIC)} in {value.place}")
        elif value.lines and value.joined:
            sentences.append(f"{value.name} is broken in two in {value.place}: its rest is on line {value.lines[1]}")
        elif value.lines:
            sentences.append(_twice(value, value.lines, with_values=with_values))
    return sentences


def unhiding(hidden: Sequence[HiddenValue]) -> tuple[str, ...]:
    """Return the steps that make hidden values count."""
    exported = [value.name for value in hidden if value.counting_place == EXPORTED]
    return (
        *([f"unset {' '.join(exported)}"] if exported else []),
        *(value.step for value in hidden if value.lines or value.wins),
    )


def _exported(values: Sequence[HiddenValue], *, with_values: bool) -> str:
    names, place = _listed([value.name for value in values]), values[0].place
    if len(values) > 1:
        return f"{names} are exported in this shell and hide those in {place}"
    if not values[0].value:
        return f"{names} is exported in this shell and hides {values[0].described}"
    here, there = (_shown(values[0].name, text) if with_values else "" for text in _texts(values[0]))
    return f"{names} is exported in this shell{here} and hides the one in {place}{there}"


def _twice(value: HiddenValue, lines: tuple[int, int], *, with_values: bool) -> str:
    here, there = (_shown(value.name, text) if with_values else "" for text in _texts(value))
    return f"{value.name} is set twice in {value.place}: line {lines[1]}{here} counts, and hides line {lines[0]}{there}"


def _texts(value: HiddenValue) -> tuple[str, str]:
    return value.counting.strip(), value.value.strip()


def _shown(name: str, text: str) -> str:
    """Return in parentheses what may be shown of a value to tell it apart; empty when nothing may."""
    if not text:
        return " (empty)"
    if name in SECRET_SETTINGS:
        return f" ({masked(text)})" if len(text) >= LEAST_MASKED else ""
    if name == "CLIENT_ID" and not ID_DIGITS.fullmatch(text):
        return ""
    return "" if could_be_secret(text) else f" ({quoted(text, LONGEST_SHOWN)})"


def _listed(names: Sequence[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last
