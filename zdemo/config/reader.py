"""The variables of settings, read with everything that is wrong with them."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from zdemo.config.environment import Environment, HiddenValue
from zdemo.config.names import NEAR_VARIABLE, VARIABLES, assignment, did_you_mean, rename_steps
from zdemo.config.parsers import REPLACE_EXAMPLE, InvalidValue, parsed
from zdemo.errors import SettingsError
from zdemo.text.masking import SECRET_SETTINGS, could_be_secret, holds_token

LONGEST_SHOWN = 100  # characters of a value
IDS = ("CLIENT_ID", "ZITADEL_PROJECT_ID")
BEFORE_NAME = r"(?i)^(\$env:|set\b|ZITADEL_)"  # PowerShell, cmd, and a prefix that only some names have
SHOWABLE_NAME = r"[A-Za-z0-9_]{1,64}"  # in a file that is not a .env, anything may stand before =
START_GUIDE = "how to get a ZITADEL: https://zitadel.com/docs/guides/start/quickstart"
NOT_FROM_SETUP = {  # what setup itself needs
    "ZITADEL_DOMAIN": f"put your own there; {START_GUIDE}",
    "ZITADEL_ADMIN_PAT": "put your own there",
}
T = TypeVar("T")


class Reader:
    """The variables of one kind of settings, and everything that is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.environment = variables if isinstance(variables, Environment) else Environment({"": variables})
        self._fixes: dict[str, str] = {}  # by problem
        self._missing: list[str] = []

    def optional(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return the variable's value, or ``default`` when it is not set or wrong."""
        text = self.environment.get(name, "").strip()
        if not text:
            return default
        try:
            return parsed(text, parse)
        except InvalidValue as error:
            self._add(name, text, error, self._hidden(name, parse))
            return default

    def _hidden(self, name: str, parse: Callable[[str], object]) -> HiddenValue | None:
        """Return the value that this one hides, if it is a good one."""
        hidden = self.environment.hidden.get(name)
        try:
            if hidden and hidden.value:
                parsed(hidden.value.strip(), parse)
        except InvalidValue:
            return None
        return hidden

    def required(self, name: str, parse: Callable[[str], str], what: str) -> str:
        """Return the variable's value, empty if it is missing or wrong; ``what`` says what it is, with an example."""
        if name not in self.environment:
            steps = rename_steps(self.environment, name)
            near = _similar_variable(name, self.environment)
            meant = (
                f" (is {near} misspelled?)" if near else f" ({steps[0].split(' ')[1]} is set instead)" if steps else ""
            )
            self._fixes[f"{name} is not set: {what}{meant}"] = "; ".join(steps)
            if not steps:
                self._missing.append(name)
            return ""
        return self.optional(name, parse, "")

    def refuse(self, problem: str, fix: str) -> None:
        """Note what is wrong with several variables together."""
        self._fixes[problem] = fix

    def finish(self) -> None:
        """Raise SettingsError with all problems, if there are any."""
        if not self._fixes:
            return
        steps = dict.fromkeys(filter(None, self._fixes.values()))
        if self._missing:
            by_name = len(self._missing) < len(self._fixes)
            steps[self.environment.completion(self._missing, by_name=by_name)] = None
        raise SettingsError(list(self._fixes), hint="; ".join(steps), fixes=self._fixes)

    def _add(self, name: str, text: str, error: InvalidValue, hidden: HiddenValue | None) -> None:
        shown = _shown(name, text if error.shown is None else error.shown)
        problem = f"{self.environment.setting(name)} {error}" + (f": {shown}" if shown else "")
        if hidden:
            self._fixes[f"{problem} (it hides {hidden.described})"] = hidden.step
            return
        may_be_shown = error.corrected and not holds_token(text) and _shown(name, error.corrected) == error.corrected
        steps = [assignment(self.environment.setting(name), error.corrected) if may_be_shown else ""]
        steps.append(NOT_FROM_SETUP.get(name, error.fix) if error.fix == REPLACE_EXAMPLE else error.fix)
        self._fixes[problem] = ", or ".join(filter(None, steps)) or self.environment.correction(name)


def _shown(name: str, text: str) -> str:
    """Return what a message may repeat of a value; empty when it could be a secret."""
    is_hidden = name in SECRET_SETTINGS or could_be_secret(text) or (name in IDS and re.search("[A-Za-z]", text))
    return "" if is_hidden else text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _similar_variable(name: str, variables: Iterable[str]) -> str:
    """Return the variable that may be meant by the one that is not set, as a message can show it."""
    others = [other for other in variables if other not in VARIABLES]
    written = {form: other for other in others for form in (other, re.sub(BEFORE_NAME, "", other))}
    near = written.get(did_you_mean(name, written, least=NEAR_VARIABLE), "")
    return near if not near or re.fullmatch(SHOWABLE_NAME, near) else f"a name that only looks like {name}"
