"""Key files: an API application's, for private_key_jwt, and a service account's, for the JWT profile."""

from __future__ import annotations

import json
import os
import shlex
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zdemo.config.file_io import NotAFileError, read_file
from zdemo.config.parsers import InvalidValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LARGEST_BYTES = 64 * 1024  # ZITADEL's have 2 KB
LEAST_KEY_BITS = 2048  # RFC 7518 §3.3; ZITADEL makes keys of this size
MOST_KEY_BITS = 8192  # one of 32768 takes 40 s to sign with, and cannot be interrupted
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One of ZITADEL's two kinds of key files: whose keys they hold, and the setting that names the file."""

    type: str
    owner: str
    article: str
    id_name: str
    setting: str

    @property
    def new_key(self) -> str:
        """How to get such a file."""
        return (
            f"create a key on the {self.owner}'s page in ZITADEL (Keys, New), save the JSON that it shows, and set "
            f"{self.setting} to that file"
        )


APPLICATION = _Kind(
    type="application", owner="API application", article="an", id_name="clientId", setting="ZITADEL_KEY_FILE"
)
SERVICE_USER = _Kind(
    type="serviceaccount", owner="service account", article="a", id_name="userId", setting="ZDEMO_USER_KEY_FILE"
)
KINDS = (APPLICATION, SERVICE_USER)
NEW_KEY = APPLICATION.new_key


@dataclass(frozen=True, kw_only=True)
class ApplicationKey:
    """An application's private key (PEM), its ID, and the client ID. ``path`` is where it came from."""

    client_id: str
    key_id: str
    private_key: str = field(repr=False)
    path: Path = field(default=Path(), compare=False)

    @property
    def subject(self) -> str:
        """Whom an assertion that the key signs is about."""
        return self.client_id


@dataclass(frozen=True, kw_only=True)
class UserKey:
    """A service account's private key (PEM), its ID, and the user's. ``expires_at`` (epoch seconds) may be unknown."""

    user_id: str
    key_id: str
    private_key: str = field(repr=False)
    expires_at: float | None = None
    path: Path = field(default=Path(), compare=False)

    @property
    def subject(self) -> str:
        """Whom an assertion that the key signs is about."""
        return self.user_id


def read_key_file(text: str, folder: Path) -> tuple[ApplicationKey, str]:
    """Return the application's key behind a path, and a warning or an empty string.

    A relative path starts in ``folder``. Raises InvalidValue if there is no file, or no application's key in it.
    """
    content, path, warning = _found(text, folder, APPLICATION)
    return application_key(content, path), warning


def read_user_key_file(text: str, folder: Path) -> tuple[UserKey, str]:
    """Return the service account's key behind a path, and a warning or an empty string, as ``read_key_file`` does."""
    content, path, warning = _found(text, folder, SERVICE_USER)
    return user_key(content, path), warning


def _found(text: str, folder: Path, kind: _Kind) -> tuple[bytes, Path, str]:
    if text.startswith(("{", "-----BEGIN", "eyJ")):
        raise InvalidValue("contains a key itself, not a path", shown="", fix="save the key, and give the file's path")
    path = (folder / os.path.expanduser(text)).absolute()  # as no shell does in a .env
    try:
        content, status = read_file(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise InvalidValue("names a file that does not exist", shown=str(path), fix=kind.new_key) from None
    except NotAFileError as error:
        raise InvalidValue(f"names {error.strerror}", shown=str(path), fix="give a key file") from None
    except OSError as error:
        raise InvalidValue(f"names a file that cannot be read ({error.strerror})", shown=str(path)) from None
    if os.name == "nt" or not status.st_mode & OTHERS_MAY_READ:  # Windows has no such modes
        return content, path, ""
    mode, name = stat.S_IMODE(status.st_mode), shlex.quote(str(path))
    return content, path, f"other users can read the key file (mode {mode:04o}): chmod 600 {name}"


def application_key(content: bytes, path: Path = Path()) -> ApplicationKey:
    """Return the key in the content of a key file. Raises InvalidValue if it is not an application's key file."""
    values = _values(content, APPLICATION)
    return ApplicationKey(client_id=values["clientId"], key_id=values["keyId"], private_key=values["key"], path=path)


def user_key(content: bytes, path: Path = Path()) -> UserKey:
    """Return the key in the content of a key file. Raises InvalidValue if it is not a service account's key file."""
    values = _values(content, SERVICE_USER)
    return UserKey(
        user_id=values["userId"],
        key_id=values["keyId"],
        private_key=values["key"],
        expires_at=_moment(values.get("expirationDate")),
        path=path,
    )


def _values(content: bytes, kind: _Kind) -> dict[str, Any]:
    """Return what a key file of this kind holds, with its ID, its owner's and the key."""
    values = _json_object(content, kind)
    by_id = next((k for k in KINDS if k.id_name in values and kind.id_name not in values), kind)
    is_of = next((k for k in KINDS if k.type == values.get("type", by_id.type)), None)
    if is_of is None:
        raise InvalidValue(f'names a key file with a "type" other than {kind.type}', fix=kind.new_key)
    if is_of is not kind:
        what = f"names the key file of {is_of.article} {is_of.owner}, not of {kind.article} {kind.owner}"
        raise InvalidValue(what, fix=kind.new_key)
    texts = {name: _text(values, name) for name in (kind.id_name, "keyId", "key")}
    if missing := [name for name, value in texts.items() if not value]:
        raise InvalidValue(f"names a key file without {', '.join(missing)}", fix=kind.new_key)
    _check_private_key(texts["key"], kind)
    return values


def _moment(text: object) -> float | None:
    """Return the epoch seconds of a date in a key file (RFC 3339); ``None`` if there is none that can be read.

    The year 1 is how ZITADEL writes that there is none.
    """
    try:
        moment = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0
    except (ValueError, OverflowError):
        return None
    return moment if moment > 0 else None


def _json_object(content: bytes, kind: _Kind) -> dict[str, Any]:
    if len(content) > LARGEST_BYTES:
        raise InvalidValue(f"names a file of more than {LARGEST_BYTES // 1024} KiB, which is not a key file")
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidValue("names a file that is not JSON", fix=kind.new_key) from None
    if not isinstance(value, dict):
        raise InvalidValue("names a file with JSON that is not an object", fix=kind.new_key)
    return value


def _text(values: dict[str, Any], name: str) -> str:
    """Return a value that can be sent unchanged; empty when it is missing or cannot."""
    value = values.get(name)
    if not isinstance(value, str):
        return ""
    return value if name == "key" or (value.isascii() and value.isprintable() and " " not in value) else ""


def _check_private_key(pem: str, kind: _Kind) -> None:
    """Raise InvalidValue unless the text is an RSA private key (ZITADEL's are PKCS#1; PKCS#8 works too)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # damaged, encrypted, a public key
        key = None
    if isinstance(key, RSAPrivateKey) and key.key_size > MOST_KEY_BITS:
        raise InvalidValue(f"names a key file with an RSA key of more than {MOST_KEY_BITS} bits", fix=kind.new_key)
    if not isinstance(key, RSAPrivateKey) or not _fits_together(key):
        raise InvalidValue(
            "names a key file whose key is not an RSA private key (PEM), or is damaged", fix=kind.new_key
        )
    if key.key_size < LEAST_KEY_BITS:
        raise InvalidValue(f"names a key file with an RSA key of fewer than {LEAST_KEY_BITS} bits", fix=kind.new_key)


def _fits_together(key: RSAPrivateKey) -> bool:
    """Return whether the numbers of a key belong together; whether they are primes, which takes 40 ms, is skipped."""
    private = key.private_numbers()
    p, q, inverse = private.p, private.q, private.d * private.public_numbers.e
    return p * q == private.public_numbers.n and inverse % (p - 1) == 1 == inverse % (q - 1)
