"""Settings: read once, checked once, frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

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

API_URL = "ZDEMO_API_URL"
DEFAULT_API_URL = "http://127.0.0.1:5000"
DEFAULT_CACHE_TTL_SECONDS = 5.0
DEFAULT_CACHE_SIZE = 10_000
LONGEST_CACHE_TTL_SECONDS = 86_400.0
EXAMPLE_DOMAIN = "https://my-instance-abc123.zitadel.cloud"
KEY_FILE = "ZITADEL_KEY_FILE"
SECRET_VARIABLES = "CLIENT_ID and CLIENT_SECRET"  # noqa: S105  # their names, not a secret
KeyReader = Callable[[str, Path], tuple[ApplicationKey, str]]


def _address(reader: Reader, example: str) -> Callable[[str], str]:
    """Return a parser for addresses that knows whether plain http is allowed."""
    allow_http = reader.optional("ZDEMO_ALLOW_HTTP", flag, False)
    return lambda text: origin(text, allow_http=allow_http, example=example)


def _issuer(reader: Reader) -> str:
    what = f"the address of your ZITADEL, e.g. {EXAMPLE_DOMAIN}"
    return reader.required("ZITADEL_DOMAIN", _address(reader, EXAMPLE_DOMAIN), "", what)


@dataclass(frozen=True, kw_only=True)
class _Credentials:
    client_id: str
    client_secret: str = ""
    key: ApplicationKey | None = None
    warnings: tuple[str, ...] = ()


def _credentials(reader: Reader, read_key: KeyReader) -> _Credentials:
    """Return the key file's credentials if there is one, without a look at the other two variables."""
    folder = reader.environment.folder(KEY_FILE)
    if KEY_FILE in reader.environment:
        found = reader.optional(KEY_FILE, lambda text: _with_key(*read_key(text, folder)), None)
        return found or _Credentials(client_id="")
    client_id = "the API application's client ID, e.g. 312909075212468229; or set ZITADEL_KEY_FILE, if it uses a key"
    client_secret = "the API application's client secret, 64 letters and digits"  # noqa: S105  # not a secret
    return _Credentials(
        client_id=reader.required("CLIENT_ID", credential, "", client_id),
        client_secret=reader.required("CLIENT_SECRET", credential, "", client_secret),
    )


def _with_key(key: ApplicationKey, warning: str) -> _Credentials | None:
    return _Credentials(client_id=key.client_id, key=key, warnings=(warning,) if warning else ())


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the resource server.

    ``issuer`` is an origin without a slash at the end. With a ``key``, ``client_id`` is the key file's and there is no
    secret. ``warnings`` are to be shown when something is started with these settings.
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
        """The variables that hold the API application's credentials, as messages name them."""
        return KEY_FILE if self.key else SECRET_VARIABLES

    @classmethod
    def from_env(cls, variables: Mapping[str, str], *, read_key: KeyReader = read_key_file) -> Settings:
        """Make settings of variables; ``read_key`` reads the file that ``ZITADEL_KEY_FILE`` names.

        Raises:
            SettingsError: with all problems at once.
        """
        reader = Reader(variables)
        issuer, credentials = _issuer(reader), _credentials(reader, read_key)
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
        reader.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The settings of the commands that read and change ZITADEL as an administrator."""

    issuer: str
    admin_pat: str = field(repr=False)
    project_id: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> AdminSettings:
        """Make settings of variables. Raises SettingsError with all problems at once."""
        reader = Reader(variables)
        settings = cls(
            issuer=_issuer(reader),
            admin_pat=reader.required(
                "ZITADEL_ADMIN_PAT", credential, "", "the personal access token of an administrator (ORG_OWNER)"
            ),
            project_id=reader.optional("ZITADEL_PROJECT_ID", credential, "") or None,
            timeout_seconds=timeout(reader),
        )
        reader.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """The settings of the test client. ``setting`` is what gives the API's address, as messages name it."""

    api_url: str
    setting: str = API_URL
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> ClientSettings:
        """Make settings of variables. Raises SettingsError with all problems at once."""
        reader = Reader(variables)
        settings = cls(
            api_url=reader.optional(API_URL, _address(reader, DEFAULT_API_URL), DEFAULT_API_URL),
            setting=reader.environment.setting(API_URL),
            timeout_seconds=timeout(reader),
        )
        reader.finish()
        return settings
