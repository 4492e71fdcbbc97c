"""The table of zdemo's settings. Whatever reads, lists, describes or hides settings uses its rows."""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zdemo.config import parsers
from zdemo.config.address import origin, resource

DEFAULT_API_URL = "http://127.0.0.1:5000"
DEFAULT_CACHE_TTL_SECONDS = 5.0
DEFAULT_CACHE_SIZE = 10_000
EMULATOR_PORT = 8484  # not 8080, where a real ZITADEL listens
EXAMPLE_INTERNAL_URL = "http://zitadel:8080"
EXAMPLE_RESOURCE = "https://api.example.com/mcp"
PUBLIC = r"(?i)zdemo-?emulator.*known-?to-?everybody.*"
COMMENT_COLUMNS = 118  # the width of a comment in a .env, without "# "


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A setting: its name, what its text must be, and everything that is said about it.

    ``sentence`` describes it in a ``.env`` and in docs/settings.md, ``missing`` in the error when it is not set. A new
    ``group`` begins with the row that names it. A new ``.env`` proposes ``example`` or the default behind a ``#``,
    unless the setting is ``to_fill_in``; the emulator's has ``emulator``. The help of ``commands`` lists it.
    """

    name: str
    sentence: str
    group: str = ""
    parse: Callable[..., Any] = parsers.credential
    default: Any = None
    missing: str = ""
    example: str = ""
    emulator: str = ""
    to_fill_in: bool = False
    in_dotenv: bool = True
    secret: bool = False
    commands: str

    @property
    def shown_default(self) -> str:
        """The text that means the default; empty if there is none."""
        return "" if self.default is None else self.default if isinstance(self.default, str) else f"{self.default:g}"


VARIABLES = (
    Variable(
        name="ZITADEL_DOMAIN",
        group="ZITADEL",
        sentence="The address of your ZITADEL, exactly as in its issuer: scheme, host and port.",
        parse=origin,
        missing=f"the address of your ZITADEL, e.g. {parsers.EXAMPLE_DOMAIN}",
        example=parsers.EXAMPLE_DOMAIN,
        emulator=f"http://localhost:{EMULATOR_PORT}",
        to_fill_in=True,
        commands="call demo emulator introspect role serve setup token",
    ),
    Variable(
        name="ZITADEL_INTERNAL_URL",
        sentence="Where to connect instead, in a container or a cluster. Requests still name the host of "
        "`ZITADEL_DOMAIN`.",
        parse=origin,
        example=EXAMPLE_INTERNAL_URL,
        commands="call demo emulator introspect role serve setup token",
    ),
    Variable(
        name="ZITADEL_PROJECT_ID",
        sentence="The project's ID. If it is set, the token's audience must name the project or the client ID, and the "
        "roles are read from the claim of this project.",
        emulator="353545601679493633",
        to_fill_in=True,
        commands="call introspect role serve token",
    ),
    Variable(
        name="CLIENT_ID",
        group="The API application",
        sentence="The client ID of the API application, if its authentication method is Basic.",
        missing=f"the API application's client ID, e.g. {parsers.EXAMPLE_CLIENT_ID}; or set "
        "ZITADEL_KEY_FILE, if it uses a key",
        emulator="353545601679624705",
        to_fill_in=True,
        commands="call introspect role serve",
    ),
    Variable(
        name="CLIENT_SECRET",
        sentence="Its client secret.",
        missing="the API application's client secret, 64 letters and digits",
        emulator="zdemoEmulatorClientSecretKnownToEverybodyForDevelopmentOnly00000",
        to_fill_in=True,
        secret=True,
        commands="call introspect role serve",
    ),
    Variable(
        name="ZITADEL_KEY_FILE",
        sentence="The key file of an API application with the authentication method `private_key_jwt`. It wins over "
        "`CLIENT_ID` and `CLIENT_SECRET`. A relative path starts at the `.env` that holds it, or at the working "
        "directory.",
        example="key.json",
        commands="call introspect serve",
    ),
    Variable(
        name="PAT",
        group="Tokens",
        sentence="The token of a user who has the role: `zdemo call` and `zdemo introspect` send it without "
        "`--pat`, and the page of `zdemo serve` as the reader.",
        emulator="zdemo-emulator-reader-token-known-to-everybody-for-development-only-000",
        to_fill_in=True,
        secret=True,
        commands="call introspect serve",
    ),
    Variable(
        name="ZDEMO_VISITOR_PAT",
        sentence="The token of a user who does not have the role, for `zdemo call --as visitor` and the page.",
        emulator="zdemo-emulator-visitor-token-known-to-everybody-for-development-only-00",
        to_fill_in=True,
        secret=True,
        commands="call serve",
    ),
    Variable(
        name="ZITADEL_ADMIN_PAT",
        sentence="An administrator's token, for `role`, `setup`, `demo --live`, `emulator --export`, the switches on "
        "the page of `zdemo serve`, and for causes that only an administrator can see. The API does not need it.",
        parse=parsers.token,
        missing="the personal access token of an administrator (ORG_OWNER)",
        emulator="zdemo-emulator-admin-token-known-to-everybody-for-development-only-0000",
        secret=True,
        commands="call demo emulator introspect role serve setup",
    ),
    Variable(
        name="ZDEMO_PAT_USER_ID",
        sentence="The user of `PAT` (user ID or login name). With it and `ZITADEL_ADMIN_PAT`, `zdemo doctor` "
        "finds out why a `PAT` that you created by hand is inactive.",
        commands="call introspect",
    ),
    Variable(
        name="ZDEMO_PAT_ID",
        sentence="The token ID of `PAT`.",
        commands="call introspect",
    ),
    Variable(
        name="ZDEMO_USER_CLIENT_ID",
        group="A service account, for `zdemo token`",
        sentence="The client ID, which is the login name.",
        missing="the client ID of a service account, which is its login name; or set ZDEMO_USER_KEY_FILE",
        emulator="reader",
        commands="token",
    ),
    Variable(
        name="ZDEMO_USER_CLIENT_SECRET",
        sentence="The client secret.",
        missing="the client secret of the service account; zdemo token --client-secret - reads it from standard input",
        emulator="zdemoEmulatorReaderSecretKnownToEverybodyForDevelopmentOnly00000",
        secret=True,
        commands="token",
    ),
    Variable(
        name="ZDEMO_USER_KEY_FILE",
        sentence="A key file. It wins over the client ID and the client secret. A relative path starts at the same "
        "place as for `ZITADEL_KEY_FILE`.",
        example="user-key.json",
        commands="token",
    ),
    Variable(
        name="ZDEMO_APP_CLIENT_ID",
        group="People who log in, for `zdemo token --login`",
        sentence="The client ID of an OIDC application for people: public, with PKCE and a loopback redirect URI.",
        missing="the client ID of an OIDC application for people; zdemo setup --app creates one",
        emulator="353545601680345601",
        commands="token",
    ),
    Variable(
        name="ZDEMO_API_URL",
        group="The API",
        sentence="Where `zdemo call` and `zdemo role` find the API; it may be below a path.",
        parse=origin,
        default=DEFAULT_API_URL,
        commands="call role",
    ),
    Variable(
        name="ZDEMO_CACHE_TTL",
        sentence="How many seconds the API may reuse an active answer of ZITADEL. This is the removal window: the "
        "longest time a removed role or a deleted token can still pass. 0 turns the cache off.",
        parse=parsers.number(86_400.0),
        default=DEFAULT_CACHE_TTL_SECONDS,
        emulator="0",
        commands="serve",
    ),
    Variable(
        name="ZDEMO_CACHE_SIZE",
        sentence="How many active tokens each worker keeps, in at most 8 KiB of memory per token on average.",
        parse=parsers.positive_integer,
        default=DEFAULT_CACHE_SIZE,
        commands="serve",
    ),
    Variable(
        name="ZDEMO_CACHE_URL",
        sentence="A Redis or Valkey in which workers and machines share ZITADEL's answers: `redis://`, `rediss://` "
        "(TLS) or `unix://`. It needs the package redis.",
        parse=parsers.cache_url,
        example=parsers.EXAMPLE_STORE,
        commands="role serve",
    ),
    Variable(
        name="ZDEMO_EVENTS_KEY",
        sentence="The signing key of a target of ZITADEL's Actions v2, so that ZITADEL makes the API forget when "
        "something changes. Without it, the route for these calls answers 404.",
        secret=True,
        commands="serve",
    ),
    Variable(
        name="ZDEMO_FORGET_KEY",
        sentence="A key of at least 16 characters that you make up, which an order to forget must then have. "
        "Without it, the order must come from a program on the same machine.",
        parse=parsers.own_key,
        secret=True,
        commands="role serve",
    ),
    Variable(
        name="ZDEMO_ROLE_DENIED_STATUS",
        sentence="The status for a valid token without the role: 401, as ZITADEL's example documents, or 403, as "
        "RFC 6750 recommends.",
        parse=parsers.denied_status,
        default=401,
        commands="serve",
    ),
    Variable(
        name="ZDEMO_RESOURCE",
        sentence="The public address of the API or MCP server as a protected resource (RFC 9728). With it, the API "
        "serves its metadata, answers 403 to a missing role, and admits only tokens that were issued for "
        "`ZITADEL_PROJECT_ID`: no PATs. `zdemo call` then sends a token of the service account.",
        parse=resource,
        example=EXAMPLE_RESOURCE,
        commands="call introspect serve",
    ),
    Variable(
        name="ZDEMO_TIMEOUT",
        group="Requests",
        sentence="How many seconds one introspection may take in all, including a retry.",
        parse=parsers.number(300.0, above_zero=True),
        default=parsers.DEFAULT_TIMEOUT_SECONDS,
        commands="call emulator introspect role serve setup token",
    ),
    Variable(
        name="ZDEMO_ALLOW_HTTP",
        sentence="1 lets tokens and secrets travel over plain http to hosts other than this machine.",
        parse=parsers.flag,
        default=False,
        commands="call emulator introspect role serve setup token",
    ),
    Variable(
        name="ZDEMO_EXTERNAL_DOMAIN",
        group="The emulator",
        sentence="For `zdemo emulator`: more host names for which it answers, separated by spaces, as "
        "`--external-domain` gives them. It is read from the environment alone.",
        in_dotenv=False,
        commands="emulator",
    ),
)
BY_NAME = {variable.name: variable for variable in VARIABLES}
OTHER_NAMES = {  # names that other programs have for settings
    **dict.fromkeys(("DOMAIN", "ISSUER", "ZITADEL_ISSUER", "ZITADEL_URL", "ZITADEL_HOST"), "ZITADEL_DOMAIN"),
    **dict.fromkeys(("TOKEN", "ACCESS_TOKEN", "ZITADEL_TOKEN", "ZDEMO_TOKEN"), "PAT"),
    **dict.fromkeys(("ADMIN_PAT", "ZITADEL_ADMIN_TOKEN"), "ZITADEL_ADMIN_PAT"),
    "PROJECT_ID": "ZITADEL_PROJECT_ID",
}
SECRETS = tuple(variable.name for variable in VARIABLES if variable.secret)


def is_public(value: str) -> bool:
    """Return whether a value is a secret or a token of the emulator, which everybody knows."""
    return re.fullmatch(PUBLIC, value.strip()) is not None


def variables_of(command: str) -> list[str]:
    """Return the names of the settings that a command reads."""
    return [variable.name for variable in VARIABLES if command in variable.commands.split()]


def dotenv_text(title: str, line: Callable[[Variable], str]) -> str:
    """Return the text of a ``.env`` with a comment above each setting; ``line`` writes a setting itself."""
    lines = _comment(title)
    for variable in VARIABLES:
        if variable.in_dotenv:
            lines += ["", f"# --- {variable.group}"] if variable.group else []
            lines += [*_comment(variable.sentence), line(variable)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for part in text.splitlines() for line in textwrap.wrap(part, COMMENT_COLUMNS)]
