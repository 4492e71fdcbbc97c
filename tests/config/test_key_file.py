"""Key files: valid ones, and what is said of each way to be wrong."""

import base64
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from zdemo.config.file_io import open_to_others
from zdemo.config.key_file import APPLICATION, LARGEST_BYTES, SERVICE_USER, KeyKind, parse_key_file, read_key_file
from zdemo.config.parsers import InvalidValue

CLIENT_ID, KEY_ID, USER_ID = "312909075212468231", "312909075212468555", "312909075212468111"
NOT_RSA = "not an RSA private key"


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem(key: PrivateKeyTypes, form: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def content(**changed: Any) -> bytes:
    """Return a key file as ZITADEL makes it, with other values; ``None`` omits one."""
    values = {"type": "application", "keyId": KEY_ID, "key": pem(rsa_key()), "appId": "1", "clientId": CLIENT_ID}
    return json.dumps({name: value for name, value in (values | changed).items() if value is not None}).encode()


def user_content(**changed: Any) -> bytes:
    user = {"type": "serviceaccount", "userId": USER_ID, "clientId": None, "appId": None}
    return content(**(user | {"expirationDate": "2030-01-02T03:04:05Z"} | changed))


def refusal(read: Callable[[], object]) -> InvalidValue:
    with pytest.raises(InvalidValue, match=r".") as wrong:
        read()
    return wrong.value


SAME: dict[str, Callable[[], bytes]] = {  # made when a test needs them: keys take time
    "as ZITADEL makes it": content,
    "byte-order mark": lambda: b"\xef\xbb\xbf" + content() + b"\r\n",
    "PKCS#8": lambda: content(key=pem(rsa_key(), PrivateFormat.PKCS8)),
}


@pytest.mark.parametrize("same", SAME.values(), ids=SAME)
def test_a_key_file_of_zitadel_and_what_does_no_harm(same: Callable[[], bytes]) -> None:
    key = parse_key_file(same())
    assert (key.subject, key.key_id) == (CLIENT_ID, KEY_ID)
    assert "PRIVATE" in key.private_key
    assert "PRIVATE" not in repr(key)


def public_key() -> str:
    return rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


WRONG: dict[str, tuple[Callable[[], bytes], KeyKind, str]] = {
    "not JSON": (lambda: b"CLIENT_ID=1", APPLICATION, "not a JSON object"),
    "cut off": (lambda: content()[:-20], APPLICATION, "not a JSON object, or cut off"),
    "a token": (lambda: b"a" * 71 + b"\n", SERVICE_USER, "holds a token or a secret, not a key"),
    "empty": (lambda: b"\n", APPLICATION, "empty"),
    "PEM": (lambda: public_key().encode(), APPLICATION, "a PEM, not ZITADEL's JSON"),
    "UTF-16": (lambda: content().decode().encode("utf-16"), APPLICATION, "is not UTF-8 text but UTF-16"),
    "nested": (lambda: b"[" * 50_000, APPLICATION, "not a JSON object"),
    "too large": (lambda: b" " * (LARGEST_BYTES + 1), APPLICATION, "64 KiB"),
    "service account": (user_content, APPLICATION, "the service account's key file, not the API application's"),
    "client ID as a number": (lambda: content(clientId=1), APPLICATION, "without clientId"),
    "nothing": (lambda: b"{}", APPLICATION, "without clientId, keyId, key"),
    "damaged key": (lambda: content(key=pem(rsa_key()).replace("M", "N")), APPLICATION, NOT_RSA),
    "public key": (lambda: content(key=public_key()), APPLICATION, NOT_RSA),
    "elliptic curve": (lambda: content(key=pem(ec.generate_private_key(ec.SECP256R1()))), APPLICATION, NOT_RSA),
    "short key": (lambda: content(key=pem(rsa_key(1024))), APPLICATION, "fewer than 2048"),
    "application": (content, SERVICE_USER, "the API application's key file, not the service account's"),
}


@pytest.mark.parametrize(("data", "kind", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(data: Callable[[], bytes], kind: KeyKind, words: str) -> None:
    error = refusal(lambda: parse_key_file(data(), kind))
    assert words in str(error)
    assert pem(rsa_key())[40:60] not in str(error)
    *others, last = str(error.fix).split(", or ")
    assert last in ("", kind.new_key, "save it as UTF-8")
    assert others in ([], ["copy the whole file again"], ["a token goes to PAT or --admin-pat"])


@pytest.mark.parametrize(("date", "expires"), [("2030-01-02T03:04:05Z", 1893553445.0), ("soon", None), (None, None)])
def test_the_key_file_of_a_service_account_may_expire(date: object, expires: float | None) -> None:
    key = parse_key_file(user_content(expirationDate=date), SERVICE_USER)
    assert (key.subject, key.key_id, key.expires_at) == (USER_ID, KEY_ID, expires)
    assert "PRIVATE" not in repr(key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "api.json").write_bytes(content())
    (tmp_path / "api.json").chmod(0o600)
    return tmp_path


def test_the_path_of_a_missing_file_is_shown_but_not_the_key_itself_in_its_place(folder: Path) -> None:
    missing = refusal(lambda: read_key_file("none.json", folder))
    assert (str(missing), missing.echo) == ("names a file that does not exist", str(folder / "none.json"))
    for text in (content().decode(), pem(rsa_key()), base64.b64encode(content()).decode()):
        wrong = refusal(functools.partial(read_key_file, text, folder))
        assert (str(wrong), wrong.echo) == ("contains a key itself, not a path", "")


@pytest.mark.parametrize(
    ("mode", "verb"), [(0o600, ""), (0o640, "read"), (0o604, "read"), (0o620, "change"), (0o602, "change")]
)
def test_a_file_that_others_can_read_is_a_warning_with_the_command_that_ends_it(
    mode: int, verb: str, folder: Path
) -> None:
    path = folder / "api.json"
    path.chmod(mode)
    warning = f"other users can {verb} the key file (mode {mode:04o})\nchmod 600 {path}"
    problem = read_key_file("api.json", folder)[1]
    assert (problem.in_full if problem else "") == (warning if verb else "")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a file whose mode nobody can change")
def test_a_file_on_which_chmod_has_no_effect_is_no_warning() -> None:
    assert open_to_others("it", Path("/proc/version")) is None, "of another user, or of a file system without modes"
