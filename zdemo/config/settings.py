"""Settings: read once, checked once, frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zdemo.config.address import INTERNAL_URL, ISSUER, ZitadelAddress, unused_internal_url, why_withheld
from zdemo.config.cache_address import CACHE_URL, cache_url
from zdemo.config.environment import KEY_FILE
from zdemo.config.key_file import ApplicationKey, UserKey, read_key_file, read_user_key_file
from zdemo.config.names import rename_steps
from zdemo.config.origins import origin
from zdemo.config.parsers import (
    DEFAULT_TIMEOUT_SECONDS,
    EXAMPLE_CLIENT_ID,
    EXAMPLE_HOST,
    credential,
    denied_status,
    flag,
    number,
    own_key,
    positive_integer,
    timeout,
)
from zdemo.config.reader import Reader

API_URL = "ZDEMO_API_URL"
FORGET_KEY = "ZDEMO_FORGET_KEY"
EVENTS_KEY = "ZDEMO_EVENTS_KEY"
DEFAULT_API_URL = "http://127.0.0.1:5000"
DEFAULT_CACHE_TTL_SECONDS = 5.0
DEFAULT_CACHE_SIZE = 10_000
LONGEST_CACHE_TTL_SECONDS = 86_400.0
EXAMPLE_DOMAIN = f"https://{EXAMPLE_HOST}"
EXAMPLE_INTERNAL_URL = "http://zitadel:8080"
USER_ID, USER_SECRET, USER_KEY_FILE = "ZDEMO_USER_CLIENT_ID", "ZDEMO_USER_CLIENT_SECRET", "ZDEMO_USER_KEY_FILE"
FROM_INPUT = "zdemo token --client-secret - reads it from standard input"
KeyReader = Callable[[str, Path], tuple[ApplicationKey, str]]


def _address(reader: Reader, example: str) -> Callable[[str], str]:
    """Return a parser for addresses that knows whether plain http is allowed."""
    allow_http = reader.optional("ZDEMO_ALLOW_HTTP", flag, False)
    return lambda text: origin(text, allow_http=allow_http, example=example)


def _timeout(reader: Reader) -> float:
    return reader.optional("ZDEMO_TIMEOUT", timeout, DEFAULT_TIMEOUT_SECONDS)


def _zitadel(reader: Reader) -> ZitadelAddress:
    """Return the issuer, and where to connect in its place if that is another address."""
    what = f"the address of your ZITADEL, e.g. {EXAMPLE_DOMAIN}"
    issuer = reader.required(ISSUER, _address(reader, EXAMPLE_DOMAIN), what)
    internal_url = ""
    if not unused_internal_url(reader.environment):
        internal_url = reader.optional(INTERNAL_URL, _address(reader, EXAMPLE_INTERNAL_URL), "")
    return ZitadelAddress(issuer, internal_url if internal_url not in ("", issuer) else None)


def _key(reader: Reader, read_key: KeyReader) -> tuple[ApplicationKey | None, str]:
    """Return the key, if a key file is set and right, and a warning or an empty string."""
    folder = reader.environment.folder(KEY_FILE)
    nothing: tuple[ApplicationKey | None, str] = (None, "")
    return reader.optional(KEY_FILE, lambda text: read_key(text, folder), nothing)


def _client(reader: Reader) -> tuple[str, str]:
    """Return client ID and secret; they are not read if a key file is set, even a wrong one."""
    if KEY_FILE in reader.environment:
        return "", ""
    client_id = f"the API application's client ID, e.g. {EXAMPLE_CLIENT_ID}; or set ZITADEL_KEY_FILE, if it uses a key"
    client_secret = "the API application's client secret, 64 letters and digits"  # noqa: S105  # not a secret
    return (
        reader.required("CLIENT_ID", credential, client_id),
        reader.required("CLIENT_SECRET", credential, client_secret),
    )


def _misnamed(reader: Reader) -> tuple[str, ...]:
    """Return a warning for each variable that is not used because of its name."""
    steps = rename_steps(reader.environment)
    return tuple(f"{step.split(' ')[1]} is not a setting of zdemo: {step}" for step in steps)


@dataclass(frozen=True, kw_only=True)
class ZitadelSettings:
    """The settings of whoever asks ZITADEL.

    ``issuer`` is an origin without a slash at the end, and so is ``internal_url``. ``warnings`` are to be shown when
    something is started with these settings.
    """

    issuer: str
    internal_url: str | None = None
    project_id: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    warnings: tuple[str, ...] = ()

    @property
    def zitadel(self) -> ZitadelAddress:
        """Where ZITADEL is, and where to connect."""
        return ZitadelAddress(self.issuer, self.internal_url)


@dataclass(frozen=True, kw_only=True)
class Settings(ZitadelSettings):
    """The settings of the resource server.

    With a ``key``, ``client_id`` is the key file's and there is no secret.
    """

    client_id: str
    client_secret: str = field(repr=False)
    key: ApplicationKey | None = None
    cache_ttl_seconds: float = DEFAULT_CACHE_TTL_SECONDS
    cache_size: int = DEFAULT_CACHE_SIZE
    cache_url: str | None = field(default=None, repr=False)  # it may hold a password
    forget_key: str | None = field(default=None, repr=False)
    events_key: str | None = field(default=None, repr=False)
    role_denied_status: int = 401

    @property
    def credential_variables(self) -> str:
        """The variables that hold the API application's credentials, as messages name them."""
        return KEY_FILE if self.key else "CLIENT_ID and CLIENT_SECRET"

    @classmethod
    def from_env(cls, variables: Mapping[str, str], *, read_key: KeyReader = read_key_file) -> Settings:
        """Make settings of variables. Raises SettingsError with all problems at once.

        ``read_key`` reads the file that ``ZITADEL_KEY_FILE`` names.
        """
        reader = Reader(variables)
        zitadel = _zitadel(reader)
        key, warning = _key(reader, read_key)
        client_id, client_secret = (key.client_id, "") if key else _client(reader)
        settings = cls(
            issuer=zitadel.issuer,
            internal_url=zitadel.internal_url,
            client_id=client_id,
            client_secret=client_secret,
            key=key,
            warnings=tuple(filter(None, (warning, unused_internal_url(reader.environment)))) + _misnamed(reader),
            project_id=reader.optional("ZITADEL_PROJECT_ID", credential, "") or None,
            cache_ttl_seconds=reader.optional(
                "ZDEMO_CACHE_TTL", number(0, LONGEST_CACHE_TTL_SECONDS), DEFAULT_CACHE_TTL_SECONDS
            ),
            cache_size=reader.optional("ZDEMO_CACHE_SIZE", positive_integer, DEFAULT_CACHE_SIZE),
            cache_url=reader.optional(CACHE_URL, cache_url, "") or None,
            forget_key=reader.optional(FORGET_KEY, own_key, "") or None,
            events_key=reader.optional(EVENTS_KEY, credential, "") or None,
            timeout_seconds=_timeout(reader),
            role_denied_status=reader.optional("ZDEMO_ROLE_DENIED_STATUS", denied_status, 401),
        )
        reader.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class UserSettings(ZitadelSettings):
    """The credentials of a service account, and where they get a token.

    With a ``key`` there are no client ID and secret. ``application`` are the client ID and secret of the API
    application, as far as they are set: they are easily mistaken for the user's. ``variables`` are the settings or
    options that gave the credentials, as messages name them: client ID, secret, key file.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    key: UserKey | None = None
    application: tuple[str, str] = field(default=("", ""), repr=False)
    variables: tuple[str, str, str] = (USER_ID, USER_SECRET, USER_KEY_FILE)

    @classmethod
    def from_env(cls, variables: Mapping[str, str], *, with_secret: bool = True) -> UserSettings:
        """Make settings of variables. Raises SettingsError with all problems at once.

        ``with_secret``: the secret is among them; otherwise it is yet to be asked for.
        """
        reader = Reader(variables)
        environment = reader.environment
        zitadel = _zitadel(reader)
        folder = environment.folder(USER_KEY_FILE)
        nothing: tuple[UserKey | None, str] = (None, "")
        key, warning = reader.optional(USER_KEY_FILE, lambda text: read_user_key_file(text, folder), nothing)
        client_id = client_secret = ""
        if USER_KEY_FILE not in environment:
            what = f"the client ID of a service account, which is its login name; or set {USER_KEY_FILE}"
            client_id = reader.required(USER_ID, credential, what)
            if with_secret:
                client_secret = reader.required(
                    USER_SECRET, credential, f"the client secret of the service account; {FROM_INPUT}"
                )
        settings = cls(
            issuer=zitadel.issuer,
            internal_url=zitadel.internal_url,
            client_id=client_id,
            client_secret=client_secret,
            key=key,
            project_id=reader.optional("ZITADEL_PROJECT_ID", credential, "") or None,
            timeout_seconds=_timeout(reader),
            warnings=tuple(filter(None, (warning, unused_internal_url(environment)))) + _misnamed(reader),
            application=(environment.get("CLIENT_ID", "").strip(), environment.get("CLIENT_SECRET", "").strip()),
            variables=(
                environment.setting(USER_ID),
                environment.setting(USER_SECRET),
                environment.setting(USER_KEY_FILE),
            ),
        )
        reader.finish()
        return settings


@dataclass(frozen=True, kw_only=True)
class AdminSettings(ZitadelSettings):
    """The settings of the commands that read and change ZITADEL as an administrator.

    ``setting`` is what gives ZITADEL's address, as messages name it.
    """

    admin_pat: str = field(repr=False)
    setting: str = ISSUER

    @property
    def zitadel(self) -> ZitadelAddress:
        """Where ZITADEL is, and where to connect."""
        return ZitadelAddress(self.issuer, self.internal_url, self.setting)

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> AdminSettings:
        """Make settings of variables. Raises SettingsError with all problems at once.

        An exported PAT is refused where a ``.env`` says where it would go, see ``zdemo.config.address``.
        """
        reader = Reader(variables)
        zitadel = _zitadel(reader)
        if withheld := why_withheld(reader.environment, zitadel):
            reader.refuse(*withheld)
        settings = cls(
            issuer=zitadel.issuer,
            internal_url=zitadel.internal_url,
            setting=reader.environment.setting(ISSUER),
            admin_pat=reader.required(
                "ZITADEL_ADMIN_PAT", credential, "the personal access token of an administrator (ORG_OWNER)"
            ),
            project_id=reader.optional("ZITADEL_PROJECT_ID", credential, "") or None,
            timeout_seconds=_timeout(reader),
            warnings=tuple(filter(None, [unused_internal_url(reader.environment)])),
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
            timeout_seconds=_timeout(reader),
        )
        reader.finish()
        return settings
