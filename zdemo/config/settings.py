"""Settings: read once, checked once, frozen.

``Settings`` and ``AdminSettings`` are what the API and the management commands make of the variables. Each checks all
of its own before it complains, and no complaint repeats a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zdemo.config.environment import Environment, where_to_mend
from zdemo.config.key_file import ApplicationKey, read_key_file
from zdemo.config.parsers import (
    DEFAULT_TIMEOUT_SECONDS,
    Reader,
    credential,
    denied_status,
    flag,
    number,
    origin,
    positive_integer,
    timeout,
)
from zdemo.errors import MissingTokenError

DEFAULT_CACHE_TTL_SECONDS = 5.0
DEFAULT_CACHE_SIZE = 10_000
LONGEST_CACHE_TTL_SECONDS = 86_400.0
EXAMPLE_DOMAIN = "https://my-instance-abc123.zitadel.cloud"


def _issuer(reader: Reader) -> str:
    allow_http = reader.optional("ZDEMO_ALLOW_HTTP", flag, False)
    return reader.required(
        "ZITADEL_DOMAIN",
        lambda text: origin(text, allow_http=allow_http, example=EXAMPLE_DOMAIN),
        "",
        f"the address of your ZITADEL, e.g. {EXAMPLE_DOMAIN}",
    )


SECRET_VARIABLES = "CLIENT_ID and CLIENT_SECRET"  # noqa: S105  # their names, no secret
KeyReader = Callable[[str, Path], tuple[ApplicationKey, str]]


@dataclass(frozen=True, kw_only=True)
class _Credentials:
    client_id: str
    client_secret: str = ""
    key: ApplicationKey | None = None
    warnings: tuple[str, ...] = ()


def _credentials(reader: Reader, variables: Mapping[str, str], read_key: KeyReader) -> _Credentials:
    """The key file's, when there is one: then the other two need not be set, and are not looked at."""
    name = "ZITADEL_KEY_FILE"
    if variables.get(name, "").strip():
        folder = variables.folder(name) if isinstance(variables, Environment) else Path()
        found = reader.optional(name, lambda text: _with_key(*read_key(text, folder)), None)
        return found or _Credentials(client_id="")
    return _Credentials(
        client_id=reader.required(
            "CLIENT_ID",
            credential,
            "",
            "the API application's client ID, e.g. 312909075212468229; or set ZITADEL_KEY_FILE, if it uses a key",
        ),
        client_secret=reader.required(
            "CLIENT_SECRET", credential, "", "the API application's client secret, 64 letters and digits"
        ),
    )


def _with_key(key: ApplicationKey, warning: str) -> _Credentials | None:
    return _Credentials(client_id=key.client_id, key=key, warnings=(warning,) if warning else ())


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the resource server needs: whom it asks, as whom, and how it decides.

    ``issuer`` is an origin without a slash at the end; times are seconds. With a ``key``, ``client_id`` is the key
    file's and there is no secret. ``warnings`` are for whoever starts something with these settings.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    key: ApplicationKey | None = None
    project_id: str | None = None
    cache_ttl_seconds: float = DEFAULT_CACHE_TTL_SECONDS
    cache_size: int = DEFAULT_CACHE_SIZE
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    role_denied_status: int = 401
    warnings: tuple[str, ...] = ()

    @property
    def credential_variables(self) -> str:
        """Where our own credentials at ZITADEL come from, as messages name it."""
        return "ZITADEL_KEY_FILE" if self.key else SECRET_VARIABLES

    @classmethod
    def from_env(cls, variables: Mapping[str, str], *, read_key: KeyReader = read_key_file) -> Settings:
        """Pure but for the file that ``ZITADEL_KEY_FILE`` names, which ``read_key`` reads.

        Raises:
            SettingsError: with every problem there is.
        """
        reader = Reader(variables)
        issuer, credentials = _issuer(reader), _credentials(reader, variables, read_key)
        settings = cls(
            issuer=issuer,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            key=credentials.key,
            warnings=credentials.warnings,
            project_id=reader.optional("ZITADEL_PROJECT_ID", credential, "") or None,
            cache_ttl_seconds=reader.optional(
                "ZDEMO_CACHE_TTL", number(0, LONGEST_CACHE_TTL_SECONDS), DEFAULT_CACHE_TTL_SECONDS
            ),
            cache_size=reader.optional("ZDEMO_CACHE_SIZE", positive_integer, DEFAULT_CACHE_SIZE),
            timeout_seconds=timeout(reader),
            role_denied_status=reader.optional("ZDEMO_ROLE_DENIED_STATUS", denied_status, 401),
        )
        reader.finish(where_to_mend(variables, reader.missing, reader.wrong))
        return settings


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """What the commands that change ZITADEL need: where it is, and an administrator's token."""

    issuer: str
    admin_pat: str = field(repr=False)
    project_id: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> AdminSettings:
        """Pure. Raises SettingsError with every problem there is."""
        reader = Reader(variables)
        settings = cls(
            issuer=_issuer(reader),
            admin_pat=reader.required(
                "ZITADEL_ADMIN_PAT", credential, "", "the personal access token of an administrator (ORG_OWNER)"
            ),
            project_id=reader.optional("ZITADEL_PROJECT_ID", credential, "") or None,
            timeout_seconds=timeout(reader),
        )
        reader.finish(where_to_mend(variables, reader.missing, reader.wrong))
        return settings


def required_token(variables: Mapping[str, str]) -> str:
    """The token to ask about: ``PAT``, as it stands, without line ends and blanks around it.

    Raises:
        MissingTokenError: there is none.
    """
    token = variables.get("PAT", "").strip()
    if not token:
        raise MissingTokenError("no token to ask about", hint="give one with --pat, or set PAT in .env")
    return token
