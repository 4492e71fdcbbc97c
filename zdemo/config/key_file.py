"""The key file of an API application that uses private_key_jwt, as ZITADEL hands it out once.

A module of its own because a file can be wrong in more ways than any other setting, and each is said in words here.
What is wrong comes as a ``ValueError`` that continues the name of the variable; it never repeats the path, since
something secret may stand there by mistake. ``application_key`` is pure; cryptography is loaded when a key is checked,
and so never where there is none.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zdemo.config.opening import read_in_time

LARGEST_BYTES = 64 * 1024  # ZITADEL's have 2 KB
LEAST_KEY_BITS = 2048  # RFC 7518 §3.3; ZITADEL makes keys of this size
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
WHERE_FROM = "create a key on the application's page in ZITADEL and save the JSON that it shows"


@dataclass(frozen=True, kw_only=True)
class ApplicationKey:
    """An application's private key (PEM), with ZITADEL's names for the two. ``path`` is where it came from."""

    client_id: str
    key_id: str
    private_key: str = field(repr=False)
    path: Path = field(default=Path(), compare=False)


def read_key_file(text: str, folder: Path) -> tuple[ApplicationKey, str]:
    """The key behind a path, and a warning, empty when there is none. A relative path starts in ``folder``.

    Raises:
        ValueError: in words, when there is no such file, or it is no application's key file.
    """
    if text.startswith(("{", "-----BEGIN", "eyJ")):
        raise ValueError("holds a key itself: save the key file, and give its path, e.g. key.json")
    path = folder / _at_home(Path(text))
    content, mode = _read(path)
    return application_key(content, path), _exposure(path, mode)


def _at_home(path: Path) -> Path:
    """``~`` is the home directory in a ``.env`` too, where no shell says so."""
    try:
        return path.expanduser()
    except RuntimeError:  # no such user, or one without a home
        return path


def _read(path: Path) -> tuple[bytes, int]:
    """The beginning of a file, enough for any key file, and its mode."""
    try:
        return read_in_time(path, LARGEST_BYTES + 1)
    except TimeoutError:  # a named pipe that nobody writes to
        return b"", 0
    except FileNotFoundError:
        raise ValueError(f"names a file that does not exist (looked in {_nearest(path)}): {WHERE_FROM}") from None
    except IsADirectoryError:
        raise ValueError("names a directory: give the key file in it, e.g. keys/api.json") from None
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.strerror}") from None


def _nearest(path: Path) -> Path:
    """The nearest directory above that does exist: all that may be shown of a path that leads nowhere."""
    return next((parent for parent in path.absolute().parents if parent.is_dir()), Path.cwd())


def _exposure(path: Path, mode: int) -> str:
    """Windows has other rights than those that ``mode`` tells of; what is no regular file is gone once it is read."""
    if os.name == "nt" or not stat.S_ISREG(mode) or not mode & OTHERS_MAY_READ:
        return ""
    name = shlex.quote(str(path))
    return f"the key file can be read by other users of this machine (mode {stat.S_IMODE(mode):04o}): chmod 600 {name}"


def application_key(content: bytes, path: Path = Path()) -> ApplicationKey:
    """The key in the content of a key file.

    Raises:
        ValueError: in words, when it is none, or not an application's.
    """
    values = _json_object(content)
    kind = values.get("type", "application")
    if kind == "serviceaccount" or ("userId" in values and "clientId" not in values):
        raise ValueError(
            "names the key file of a service user, and introspection takes an API application's "
            f'("type":"application", with a clientId): {WHERE_FROM}'
        )
    if kind != "application":
        raise ValueError(f"names a key file of another type than application: {WHERE_FROM}")
    texts = {name: _text(values, name) for name in ("clientId", "keyId", "key")}
    if missing := [name for name, value in texts.items() if not value]:
        raise ValueError(f"names a key file without {', '.join(missing)}: {WHERE_FROM}")
    _check_private_key(texts["key"])
    return ApplicationKey(client_id=texts["clientId"], key_id=texts["keyId"], private_key=texts["key"], path=path)


def _json_object(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"names a file of more than {LARGEST_BYTES // 1024} KiB, which is no key file")
    if not content.strip():
        raise ValueError(f"names an empty file: {WHERE_FROM}")
    if content.lstrip().startswith(b"-----BEGIN"):
        raise ValueError(f"names a bare key (PEM), without its ID and the client ID: {WHERE_FROM}")
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        if _is_base64_of_json(content):
            raise ValueError("names a key file that is still in base64, as ZITADEL's API gives it: decode it") from None
        raise ValueError(f"names a file that is no JSON: {WHERE_FROM}") from None
    if not isinstance(value, dict):
        raise ValueError(f"names a file with JSON that is no object: {WHERE_FROM}")
    return value


def _is_base64_of_json(content: bytes) -> bool:
    try:
        return base64.b64decode(content.strip().strip(b'"'), validate=True).lstrip().startswith(b"{")
    except ValueError:
        return False


def _text(values: dict[str, Any], name: str) -> str:
    """A value that can be sent as it is; empty when it is missing or none."""
    value = values.get(name)
    if not isinstance(value, str):
        return ""
    return value if name == "key" or (value.isascii() and value.isprintable() and " " not in value) else ""


def _check_private_key(pem: str) -> None:
    """ZITADEL hands out RSA keys in PKCS#1; PKCS#8 is as good."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # damaged, encrypted, a public key
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"names a key file whose key is no RSA private key (PEM), or a damaged one: {WHERE_FROM}")
    if key.key_size < LEAST_KEY_BITS:
        raise ValueError(f"names a key file with an RSA key of fewer than {LEAST_KEY_BITS} bits: {WHERE_FROM}")
