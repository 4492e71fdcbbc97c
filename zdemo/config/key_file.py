"""Key files: an API application's, for private_key_jwt, and a service account's, for the JWT profile."""

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from zdemo.config.file_io import NotAFileError, open_to_others, read_file
from zdemo.config.parsers import InvalidValue
from zdemo.errors.problem import Problem
from zdemo.text.printable import utf8_text

LARGEST_BYTES = 64 * 1024  # ZITADEL's have 2 KB
LEAST_KEY_BITS = 2048  # RFC 7518 §3.3; ZITADEL makes keys of this size


@dataclass(frozen=True)
class KeyKind:
    """One of ZITADEL's two kinds of key files: whose keys they hold."""

    type: str
    owner: str
    id_name: str
    setting: str  # the variable that names such a file

    @property
    def new_key(self) -> str:
        """How to get such a file."""
        return f"create a key on the {self.owner}'s page in ZITADEL (Keys, New), save its JSON, and give that file"


APPLICATION = KeyKind("application", "API application", "clientId", "ZITADEL_KEY_FILE")
SERVICE_USER = KeyKind("serviceaccount", "service account", "userId", "ZDEMO_USER_KEY_FILE")


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key (PEM) and its ID. ``subject`` is whose it is: an application's client ID or a service account's ID.

    ``expires_at`` (epoch seconds) may be unknown.
    """

    subject: str
    key_id: str
    private_key: str = field(repr=False)
    expires_at: float | None = None


def read_key_file(text: str, folder: Path, kind: KeyKind = APPLICATION) -> tuple[SigningKey, Problem | None]:
    """Return the key behind a path, which may start in ``folder``, and a warning if others can read it.

    Raises InvalidValue if there is no file, or no key of this kind in it.
    """
    if text.startswith(("{", "-----BEGIN", "eyJ")):
        raise InvalidValue("contains a key itself, not a path", echo="", fix="save the key, and give the file's path")
    path = (folder / os.path.expanduser(text)).absolute()  # no shell expands ~ in a .env
    try:
        content, _ = read_file(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise InvalidValue("names a file that does not exist", echo=str(path)) from None
    except NotAFileError as error:
        raise InvalidValue(f"names {error.strerror}", echo=str(path), fix="give a key file") from None
    except OSError as error:
        raise InvalidValue(f"names a file that cannot be read ({error.strerror})", echo=str(path)) from None
    return parse_key_file(content, kind), open_to_others("the key file", path, kind.setting)


def parse_key_file(content: bytes, kind: KeyKind = APPLICATION) -> SigningKey:
    """Return the key in the content of a key file. Raises InvalidValue if it is not a key file of this kind."""
    if len(content) > LARGEST_BYTES:
        raise InvalidValue(f"names a file of more than {LARGEST_BYTES // 1024} KiB, which is not a key file")
    try:
        values = json.loads(utf8_text(content))
    except (json.JSONDecodeError, RecursionError):
        values = None
    except ValueError as error:
        raise InvalidValue(f"names a file that {error}", fix="save it as UTF-8") from None
    if not isinstance(values, dict):
        form = "a PEM, not ZITADEL's JSON" if content[:5] == b"-----" else "not a JSON object, or cut off"
        what, instead = f"names a file that is {form if content.strip() else 'empty'}", "copy the whole file again"
        if re.fullmatch(rb"[\w.-]{40,}\s*", content):
            what = "names a file that holds a token or a secret, not a key"
            secret = f"remove {kind.setting} and set CLIENT_SECRET to it"
            instead = "a token goes to PAT or --admin-pat" if kind is SERVICE_USER else secret
        raise InvalidValue(what, fix=f"{instead}, or {kind.new_key}")
    other = SERVICE_USER if kind is APPLICATION else APPLICATION
    by_id = other if other.id_name in values and kind.id_name not in values else kind
    named = values.get("type", by_id.type)
    if named == other.type:
        raise InvalidValue(f"names the {other.owner}'s key file, not the {kind.owner}'s", fix=kind.new_key)
    names, sendable = (kind.id_name, "keyId", "key"), "[!-~]+"
    texts = {name: value for name, value in values.items() if isinstance(value, str) and value}
    if missing := [n for n in names if n not in texts or (n != "key" and not re.fullmatch(sendable, texts[n]))]:
        raise InvalidValue(f"names a key file without {', '.join(missing)}", fix=kind.new_key)
    subject, key_id, private_key = (texts[name] for name in names)
    if problem := _problem_of(private_key):
        raise InvalidValue(f"names a key file {problem}", fix=kind.new_key)
    expires_at = _moment(values.get("expirationDate"))
    return SigningKey(subject=subject, key_id=key_id, private_key=private_key, expires_at=expires_at)


def _moment(text: object) -> float | None:
    """Return the epoch seconds of a key file's date (RFC 3339). The year 1 is how ZITADEL writes that it has none."""
    with suppress(ValueError, OverflowError):
        if isinstance(text, str) and (moment := datetime.fromisoformat(text).timestamp()) > 0:
            return moment
    return None


def _problem_of(pem: str) -> str:
    """Return what is wrong with a private key; empty for an RSA key (ZITADEL's are PKCS#1; PKCS#8 works too)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # damaged, encrypted, a public key
        key = None
    if not isinstance(key, RSAPrivateKey):
        return "whose key is not an RSA private key (PEM), or is damaged"
    return f"with an RSA key of fewer than {LEAST_KEY_BITS} bits" if key.key_size < LEAST_KEY_BITS else ""
