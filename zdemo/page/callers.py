"""Whose token the page sends: nobody's, those of the environment, or one that a person pasted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zdemo.authorization import LONGEST_TOKEN
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.masking import masked
from zdemo.diagnosis import TokenKind, paste_problem, token_form
from zdemo.page.answers import PageRefusal
from zdemo.page.fields import text_of

NOBODY, PASTED = "nobody", "pasted"
VARIABLES = {"reader": "PAT", "visitor": "ZDEMO_VISITOR_PAT"}
CALLERS = (NOBODY, PASTED, *VARIABLES)


@dataclass(frozen=True, kw_only=True)
class PageCaller:
    """One whose token the page can send; ``place`` is where the token comes from, or empty."""

    id: str
    token: str | None = field(default=None, repr=False)
    place: str = ""

    @property
    def about(self) -> str:
        """What may be shown of the token, and where it comes from."""
        if self.token is None:
            return "sends no token"
        kind = token_form(self.token).name.replace(TokenKind.PAT, "PAT")
        return f"{kind} {masked(self.token)}" + (f" from {self.place}" if self.place else "")


def callers_with_token(environment: Environment) -> list[PageCaller]:
    """Return those whose token the environment has, apart from tokens that cannot be sent."""
    found = []
    for caller, variable in VARIABLES.items():
        token, place = environment.get(variable, "").strip(), environment.source(variable)
        if token and len(token) <= LONGEST_TOKEN and not paste_problem(token):
            found.append(PageCaller(id=caller, token=token, place="" if place == COMMAND_LINE else place))
    return found


def caller_in(body: Mapping[str, Any], environment: Environment) -> PageCaller:
    """Return the caller that a request names. Raises PageRefusal for an unknown one, or a token that cannot be sent."""
    name = text_of(body, "caller")
    if name == PASTED:
        return PageCaller(id=PASTED, token=_checked(text_of(body, "token").strip()))
    if name == NOBODY:
        return PageCaller(id=NOBODY)
    for caller in callers_with_token(environment):
        if caller.id == name:
            return caller
    if name in VARIABLES:
        hint = environment.completion([VARIABLES[name]], by_name=True)
        raise PageRefusal(400, "no_token", f"no usable token for the {name}", hint=f"{hint}; then restart")
    raise PageRefusal(400, "unknown_caller", f"caller must be {NOBODY}, {', '.join(VARIABLES)} or {PASTED}")


def _checked(token: str) -> str:
    if not token:
        raise PageRefusal(400, "no_token", "the token is empty", hint="paste a token, or choose another caller")
    if len(token) > LONGEST_TOKEN:
        raise PageRefusal(400, "invalid_token", f"the token is longer than {LONGEST_TOKEN // 1024} KiB")
    if problem := paste_problem(token):
        raise PageRefusal(400, "invalid_token", problem.cause, hint=problem.fix[0])
    return token
