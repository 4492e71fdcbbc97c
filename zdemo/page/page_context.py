"""What the parts of the page share: how its API was started, what is known of the callers, and what is refused."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import PatIds
from zdemo.errors import ZdemoError
from zdemo.errors.steps import Step, in_line
from zdemo.http.api_call import Method
from zdemo.text.printable import printable

PAGE_THREADS = 216  # per worker, beside the API's; Granian starts them when they are needed
# whose token the page can send, and the variables that hold some of them
NOBODY, PASTED = "nobody", "pasted"
VARIABLES = {"reader": "PAT", "visitor": "ZDEMO_VISITOR_PAT"}
PERSON = "ada"  # of the emulator, whose token the page gets by a login
CALLERS = (NOBODY, PASTED, PERSON, *VARIABLES)

Why = dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """How the API was started; it can be sent to another process.

    ``key`` opens the page. ``environment`` has the tokens of callers and administrator. ``steps_file`` is the
    ``.env`` for commands that the page suggests, and ``file_step`` the command that writes it if it is missing.
    ``emulator`` is the name of an emulator beside the API; ``emulator_pats`` are the PATs of its users by caller.
    ``threads`` is how many of the server's threads the page may use.
    """

    key: str = field(repr=False)
    api_url: str
    settings: Settings
    environment: Environment
    steps_file: Path | None = None
    file_step: Step | None = None
    emulator: str = ""
    emulator_pats: Mapping[str, PatIds] = field(default_factory=dict)
    threads: int = PAGE_THREADS


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """What a part of the page is given to answer a request; ``app`` is the API in this worker.

    ``pats`` are the callers' as far as they were seen: ZITADEL does not say whose a dead token was. ``tell`` sends an
    event with this name to all open pages.
    ``explanations`` has why requests were refused, until a change. ``logins`` has the tokens of people.
    """

    options: PageOptions
    app: Flask
    pats: dict[str, PatIds] = field(default_factory=dict)
    tell: Callable[[str, Mapping[str, Any]], None] = lambda _name, _event: None
    explanations: dict[Hashable, Why] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict, repr=False)


class PageRefusal(Exception):
    """A request to the page that is refused. ``code`` is for programs, ``description`` for people."""

    def __init__(
        self, status: int, code: str, description: str, *, hint: Step = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(description)
        self.status, self.code, self.description, self.hint = status, code, description, in_line(hint)
        self.headers = headers or {}

    @property
    def document(self) -> dict[str, str]:
        """The refusal as JSON."""
        hint = {"hint": printable(self.hint)} if self.hint else {}
        return {"error": self.code, "error_description": printable(self.description), **hint}


def error_text(error: ZdemoError) -> str:
    """Return an error and its hint in one line, for an answer that is not a refusal."""
    return "; ".join(filter(None, (error.message, error.hint)))


@dataclass(frozen=True, kw_only=True)
class SendOrder:
    """The request that the page asks for: whose token it has, and whether ZITADEL is asked again why it was refused."""

    method: Method
    path: str
    caller: str
    token: str = ""
    explain: bool = True


@dataclass(frozen=True, kw_only=True)
class ChangeOrder:
    """The change that the page asks for; with ``forget``, all workers forget older answers at once."""

    change: str
    forget: bool = False
    user_id: str = ""
    role: str = ""
    seconds: float = 0.0
