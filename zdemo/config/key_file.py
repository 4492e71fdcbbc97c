"""The key file of an API application that uses private_key_jwt, as ZITADEL shows it once."""

from __future__ import annotations

import base64
import json
import os
import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zdemo.config.files import NotAFileError, read_file
from zdemo.config.parsers import InvalidValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LARGEST_BYTES = 64 * 1024  # ZITADEL's have 2 KB
LEAST_KEY_BITS = 2048  # RFC 7518 §3.3; ZITADEL makes keys of this size
MOST_KEY_BITS = 8192  # one of 32768 takes 40 s to sign with, and cannot be interrupted
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
NEW_KEY = (
    "create a key on the API application's page in ZITADEL, save the JSON that it shows, and set ZITADEL_KEY_FILE to "
    "that file"
)


@dataclass(frozen=True, kw_only=True)
class ApplicationKey:
    """An application's private key (PEM), its ID, and the client ID. ``path`` is where it came from."""

    client_id: str
    key_id: str
    private_key: str = field(repr=False)
    path: Path = field(default=Path(), compare=False)


def read_key_file(text: str, folder: Path) -> tuple[ApplicationKey, str]:
    """Return the key behind a path, and a warning or an empty string. A relative path starts in ``folder``.

    Raises InvalidValue if the file does not exist, or is not an application's key file.
    """
    if text.startswith(("{", "-----BEGIN", "eyJ")):
        raise InvalidValue("contains a key itself, not a path", shown="", fix="save the key, and give the file's path")
    path = (folder / _at_home(Path(text))).absolute()
    content, mode = _read(path)
    return application_key(content, path), _exposure(path, mode)


def _at_home(path: Path) -> Path:
    """Expand ``~``, as no shell does in a ``.env``."""
    try:
        return path.expanduser()
    except RuntimeError:  # no such user, or a user without a home
        return path


def _read(path: Path) -> tuple[bytes, int]:
    """Return the beginning of a file, long enough for any key file, and its mode."""
    try:
        content, status = read_file(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise InvalidValue("names a file that does not exist", shown=str(path), fix=NEW_KEY) from None
    except NotAFileError as error:
        raise InvalidValue(f"names {error.strerror}", shown=str(path), fix="give a key file") from None
    except OSError as error:
        raise InvalidValue(f"names a file that cannot be read ({error.strerror})", shown=str(path)) from None
    return content, status.st_mode


def _exposure(path: Path, mode: int) -> str:
    """Return a warning when other users may read the file; Windows has no such modes."""
    if os.name == "nt" or not mode & OTHERS_MAY_READ:
        return ""
    name = shlex.quote(str(path))
    return f"the key file can be read by other users of this machine (mode {stat.S_IMODE(mode):04o}): chmod 600 {name}"


def application_key(content: bytes, path: Path = Path()) -> ApplicationKey:
    """Return the key in the content of a key file. Raises InvalidValue if it is not an application's key file."""
    values = _json_object(content)
    kind = values.get("type", "application")
    if kind == "serviceaccount" or ("userId" in values and "clientId" not in values):
        raise InvalidValue("names the key file of a service user, not of an API application", fix=NEW_KEY)
    if kind != "application":
        raise InvalidValue('names a key file with a "type" other than application', fix=NEW_KEY)
    texts = {name: _text(values, name) for name in ("clientId", "keyId", "key")}
    if missing := [name for name, value in texts.items() if not value]:
        raise InvalidValue(f"names a key file without {', '.join(missing)}", fix=NEW_KEY)
    _check_private_key(texts["key"])
    return ApplicationKey(client_id=texts["clientId"], key_id=texts["keyId"], private_key=texts["key"], path=path)


def _json_object(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST_BYTES:
        raise InvalidValue(f"names a file of more than {LARGEST_BYTES // 1024} KiB, which is not a key file")
    if not content.strip():
        raise InvalidValue("names an empty file", fix=NEW_KEY)
    if content.lstrip().startswith(b"-----BEGIN"):
        raise InvalidValue("names a bare key (PEM), without its ID and the client ID", fix=NEW_KEY)
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        if _is_base64_of_json(content):
            raise InvalidValue("names a key file in base64, as ZITADEL's API gives it", fix="decode it") from None
        raise InvalidValue("names a file that is not JSON", fix=NEW_KEY) from None
    if not isinstance(value, dict):
        raise InvalidValue("names a file with JSON that is not an object", fix=NEW_KEY)
    return value


def _is_base64_of_json(content: bytes) -> bool:
    try:
        return base64.b64decode(content.strip().strip(b'"'), validate=True).lstrip().startswith(b"{")
    except ValueError:
        return False


def _text(values: dict[str, Any], name: str) -> str:
    """Return a value that can be sent unchanged; empty when it is missing or cannot."""
    value = values.get(name)
    if not isinstance(value, str):
        return ""
    return value if name == "key" or (value.isascii() and value.isprintable() and " " not in value) else ""


def _check_private_key(pem: str) -> None:
    """Raise InvalidValue unless the text is an RSA private key (ZITADEL's are PKCS#1; PKCS#8 works too)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # damaged, encrypted, a public key
        key = None
    if isinstance(key, RSAPrivateKey) and key.key_size > MOST_KEY_BITS:
        raise InvalidValue(f"names a key file with an RSA key of more than {MOST_KEY_BITS} bits", fix=NEW_KEY)
    if not isinstance(key, RSAPrivateKey) or not _fits_together(key):
        raise InvalidValue("names a key file whose key is not an RSA private key (PEM), or is damaged", fix=NEW_KEY)
    if key.key_size < LEAST_KEY_BITS:
        raise InvalidValue(f"names a key file with an RSA key of fewer than {LEAST_KEY_BITS} bits", fix=NEW_KEY)


def _fits_together(key: RSAPrivateKey) -> bool:
    """Return whether the numbers of a key belong together; whether they are primes, which takes 40 ms, is skipped."""
    private = key.private_numbers()
    p, q, inverse = private.p, private.q, private.d * private.public_numbers.e
    return p * q == private.public_numbers.n and inverse % (p - 1) == 1 == inverse % (q - 1)
