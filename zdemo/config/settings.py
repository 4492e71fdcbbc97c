"""Settings: read once, checked once, frozen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from zdemo.config import address
from zdemo.config.environment import GIVEN, KEY_FILE, Environment
from zdemo.config.file_io import open_to_others
from zdemo.config.key_file import APPLICATION, SERVICE_USER, KeyKind, SigningKey, read_key_file
from zdemo.config.names import assignment, folder_problem, hiding_problems, misnamed_problems, rename_steps
from zdemo.config.new_dotenv import completion
from zdemo.config.parsers import DEFAULT_TIMEOUT_SECONDS, REPLACE_EXAMPLE, InvalidValue, parsed
from zdemo.config.variables import BY_NAME, DEFAULT_CACHE_SIZE, DEFAULT_CACHE_TTL_SECONDS, SECRETS, is_public
from zdemo.errors import SettingsError
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import Repair, Step, UnsetVariable, repair_in
from zdemo.text.masking import could_be_secret, holds_token

API_URL = "ZDEMO_API_URL"
FORGET_KEY = "ZDEMO_FORGET_KEY"
EVENTS_KEY = "ZDEMO_EVENTS_KEY"
RESOURCE, DENIED_STATUS = "ZDEMO_RESOURCE", "ZDEMO_ROLE_DENIED_STATUS"
USER_ID, USER_SECRET, USER_KEY_FILE = "ZDEMO_USER_CLIENT_ID", "ZDEMO_USER_CLIENT_SECRET", "ZDEMO_USER_KEY_FILE"
APP_CLIENT_ID = "ZDEMO_APP_CLIENT_ID"
LONGEST_SHOWN = 100  # characters of a value
PROJECT = "ZITADEL_PROJECT_ID"
IDS = ("CLIENT_ID", PROJECT)
START_GUIDE = "how to get a ZITADEL: https://zitadel.com/docs/guides/start/quickstart"
NOT_FROM_SETUP = {  # what setup itself needs
    address.ISSUER: f"set {address.ISSUER} to the address of your ZITADEL; {START_GUIDE}",
    "ZITADEL_ADMIN_PAT": "set ZITADEL_ADMIN_PAT to the PAT of an administrator",
}


class _Reader:
    """The variables that are set, read as their table says, and everything that is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.environment = variables if isinstance(variables, Environment) else Environment({GIVEN: variables})
        self.problems: list[Problem] = []

    def value(self, name: str) -> Any:
        """Return the variable's parsed value, or its default when it is not set or wrong."""
        variable, parse = BY_NAME[name], BY_NAME[name].parse
        if parse in (address.origin, address.resource):
            allow_http, example = self.value("ZDEMO_ALLOW_HTTP"), variable.example or variable.default
            parse = partial(parse, allow_http=allow_http, example=example)
            parse = partial(parse, with_path=True) if name == API_URL else parse
        return self._parsed(name, parse, variable.default)

    def required(self, name: str) -> Any:
        """Return the variable's value, empty if it is missing or wrong."""
        if name in self.environment:
            return self.value(name) or ""
        if twice := next((p for p in hiding_problems(self.environment) if name in p.names), None):
            self.problems.append(replace(twice, kind=ProblemKind.MISSING))
            return ""
        renames = rename_steps(self.environment, name)
        steps, instead = tuple[Step, ...](renames), f" ({renames[0].name} is set instead)" if renames else ""
        if (file := f"{name}_FILE") in self.environment:
            steps, instead = (f"put the content of that file in {name}",), f" (zdemo does not read {file})"
        text = f"{name} is not set: {BY_NAME[name].missing}{instead}"
        self.problems.append(Problem(text=text, kind=ProblemKind.MISSING, names=(name,), steps=steps))
        return ""

    def key(self, kind: KeyKind) -> tuple[SigningKey | None, Problem | None]:
        """Return the key, if a key file is set and right, and a warning or ``None``."""
        folder = Path(self.environment.source(kind.setting)).parent  # of the .env that names it, or the working one
        key, warning = self._parsed(kind.setting, partial(read_key_file, folder=folder, kind=kind), (None, None))
        return key, warning

    def dotenv_warning(self) -> Problem | None:
        """Return a warning if others can read or change a ``.env`` with secrets."""
        file = self.environment.file
        secrets = (self.environment.layers.get(str(file), {}).get(name, "").strip() for name in SECRETS)
        holds_secret = any(text and not is_public(text) for text in secrets)  # the emulator's need not be kept
        return open_to_others(str(file), file) if file and holds_secret else None

    def fields_of(self, kind: type[ZitadelSettings | ClientSettings]) -> dict[str, Any]:
        """Return the values of the fields that are named after variables, as ``timeout_seconds`` is."""
        names = {known.name: f"ZDEMO_{known.name.removesuffix('_seconds')}".upper() for known in fields(kind)}
        return {field: self.value(name) for field, name in names.items() if name in BY_NAME}

    def finish(self) -> None:
        if not self.problems:
            return
        if any(problem.kind is ProblemKind.MISSING for problem in self.problems):
            self.problems = [*folder_problem(self.environment), *self.problems]
        steps = dict.fromkeys(step for problem in self.problems for step in problem.steps)
        unset = [problem.names[0] for problem in self.problems if not problem.steps]
        if unset:
            steps |= dict.fromkeys(completion(self.environment, unset, by_name=len(unset) < len(self.problems)))
        raise SettingsError(self.problems, hint=tuple(steps))

    def _parsed(self, name: str, parse: Callable[[str], Any], default: Any) -> Any:
        text = self.environment.get(name, "").strip()
        try:
            return parsed(text, parse) if text else default
        except InvalidValue as error:
            self._add(name, text, error)
            return default

    def _add(self, name: str, text: str, error: InvalidValue) -> None:
        value = _shown(name, text if error.echo is None else error.echo)
        problem = f"{self.environment.setting(name)} {error}" + (f": {value}" if value else "")
        steps: list[Step] = []
        if name in self.environment.hidden:
            problem += f" (it hides the one in {self.environment.shadowed[name]})"
            steps.append(UnsetVariable(name))
        else:
            if right := error.corrected:  # certain if no other value is as likely
                step = assignment(self.environment.setting(name), right)
                is_hidden = holds_token(text) or _shown(name, right) != right
                advice = self.environment.correction(name) if is_hidden else step.advice
                steps.append(replace(step, certain=not error.fix and "@" not in text, advice=advice))
            if fix := NOT_FROM_SETUP.get(name, error.fix) if error.fix is REPLACE_EXAMPLE else error.fix:
                steps.append(fix)
        steps = steps or [self.environment.correction(name)]
        malformed = Problem(text=problem, kind=ProblemKind.MALFORMED, names=(name,), steps=tuple(steps), blocks=(name,))
        if malformed not in self.problems:  # a value that others depend on is read more than once
            self.problems.append(malformed)


def correction_of(environment: Environment, name: str) -> Repair | None:
    """Return the step that zdemo can take to correct the value of a variable, if it is wrong and there is one."""
    reader = _Reader(environment)
    reader.value(name)
    return repair_in(step for problem in reader.problems for step in problem.steps)


def _shown(name: str, text: str) -> str:
    """Return what a message may repeat of a value; empty when it could be a secret."""
    is_hidden = name in SECRETS or could_be_secret(text) or (name in IDS and re.search("[A-Za-z]", text))
    return "" if is_hidden else text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


@dataclass(frozen=True, kw_only=True)
class ZitadelSettings:
    """The settings of a program that asks ZITADEL.

    ``issuer`` is an origin without a slash at the end, and so is ``internal_url``. ``setting`` is what gave the
    issuer, as messages name it. ``warnings`` are to be shown when something is started with these settings.
    """

    issuer: str
    setting: str = address.ISSUER
    internal_url: str | None = None
    project_id: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    warnings: tuple[Problem, ...] = ()

    @property
    def zitadel(self) -> address.ZitadelAddress:
        """Where ZITADEL is, and where to connect."""
        return address.ZitadelAddress(self.issuer, self.internal_url, self.setting)

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> Self:
        """Make settings of variables. Raises SettingsError with all problems at once."""
        reader = _Reader(variables)
        values = cls._read(reader)
        reader.problems += _resource_problems(reader.environment) if values.get("resource") else []
        reader.finish()
        return cls(**values)

    @classmethod
    def _read(cls, reader: _Reader, *warnings: Problem | None) -> dict[str, Any]:
        """Return the values that need no rule of their own, and where to connect if that is another address."""
        environment = reader.environment
        issuer, unused = reader.required(address.ISSUER), address.unused_internal_url(environment)
        internal_url = None if unused else reader.value(address.INTERNAL_URL)
        return {
            "issuer": issuer,
            "setting": environment.setting(address.ISSUER),
            "internal_url": internal_url if internal_url != issuer else None,
            "project_id": reader.value(PROJECT),
            "warnings": (*filter(None, (*warnings, unused)), *misnamed_problems(environment)),
            **reader.fields_of(cls),
        }


@dataclass(frozen=True, kw_only=True)
class Settings(ZitadelSettings):
    """The settings of the resource server. With a ``key``, ``client_id`` is the key file's and there is no secret."""

    client_id: str
    client_secret: str = field(repr=False)
    key: SigningKey | None = None
    cache_ttl_seconds: float = DEFAULT_CACHE_TTL_SECONDS
    cache_size: int = DEFAULT_CACHE_SIZE
    cache_url: str | None = field(default=None, repr=False)  # it may hold a password
    forget_key: str | None = field(default=None, repr=False)
    events_key: str | None = field(default=None, repr=False)
    role_denied_status: int = 401  # not of a ``resource``, which always answers 403
    resource: str | None = None

    @property
    def credential_variables(self) -> str:
        """The variables that hold the API application's credentials, as messages name them."""
        return KEY_FILE if self.key else "CLIENT_ID and CLIENT_SECRET"

    @classmethod
    def _read(cls, reader: _Reader, *warnings: Problem | None) -> dict[str, Any]:
        """Read client ID and secret only without ``ZITADEL_KEY_FILE``, even if that file is wrong."""
        key, warning = reader.key(APPLICATION)
        values = super()._read(reader, *warnings, warning, reader.dotenv_warning())
        client_id, client_secret = key.subject if key else "", ""
        if KEY_FILE not in reader.environment:
            client_id, client_secret = reader.required("CLIENT_ID"), reader.required("CLIENT_SECRET")
        return {**values, "client_id": client_id, "client_secret": client_secret, "key": key}


def _resource_problems(environment: Environment) -> list[Problem]:
    """Return what a protected resource lacks, and what it cannot have."""
    problems, of = [], f"a protected resource ({RESOURCE})"
    if PROJECT not in environment:
        text = f"{PROJECT} is not set: {of} admits only tokens of its project"
        problems.append(Problem(text=text, kind=ProblemKind.MISSING, names=(PROJECT, RESOURCE)))
    if environment.get(DENIED_STATUS, "").strip() == "401":
        text, step = f"{DENIED_STATUS} is 401, but {of} answers 403 to a missing role", f"remove {DENIED_STATUS}"
        problems.append(Problem(text=text, kind=ProblemKind.MALFORMED, names=(DENIED_STATUS,), steps=(step,)))
    return problems


@dataclass(frozen=True, kw_only=True)
class UserSettings(ZitadelSettings):
    """The credentials of a service account, and where they get a token. With a ``key``, ID and secret are empty."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    key: SigningKey | None = None
    resource: str | None = None
    environment: Environment = field(default_factory=lambda: Environment({}), repr=False)  # the source of all values

    @classmethod
    def _read(cls, reader: _Reader, *warnings: Problem | None) -> dict[str, Any]:
        key, warning = reader.key(SERVICE_USER)
        values = super()._read(reader, *warnings, warning) | {"key": key, "environment": reader.environment}
        if USER_KEY_FILE not in reader.environment:
            values |= {"client_id": reader.required(USER_ID), "client_secret": reader.required(USER_SECRET)}
        return values


@dataclass(frozen=True, kw_only=True)
class LoginSettings(ZitadelSettings):
    """Where people log in, and the client ID of the application that they log in to."""

    client_id: str

    @classmethod
    def _read(cls, reader: _Reader, *warnings: Problem | None) -> dict[str, Any]:
        return super()._read(reader, *warnings) | {"client_id": reader.required(APP_CLIENT_ID)}


@dataclass(frozen=True, kw_only=True)
class AdminSettings(ZitadelSettings):
    """The settings of the commands that read and change ZITADEL as an administrator."""

    admin_pat: str = field(repr=False)

    @classmethod
    def _read(cls, reader: _Reader, *warnings: Problem | None) -> dict[str, Any]:
        values = super()._read(reader, *warnings)
        zitadel = address.ZitadelAddress(values["issuer"], values["internal_url"])
        if withheld := address.why_withheld(reader.environment, zitadel):
            reader.problems.append(withheld)
        return values | {"admin_pat": reader.required("ZITADEL_ADMIN_PAT")}


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """The settings of the test client. ``setting`` is what gives the API's address, as messages name it."""

    api_url: str
    setting: str = API_URL
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> ClientSettings:
        """Make settings of variables. Raises SettingsError with all problems at once."""
        reader = _Reader(variables)
        values = reader.fields_of(cls)
        reader.finish()
        return cls(setting=reader.environment.setting(API_URL), **values)
