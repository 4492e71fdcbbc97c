"""Key files: valid ones, and what is said of each way to be wrong."""

import base64
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.other_kinds import other_than_a_file
from zdemo.config.key_file import (
    LARGEST_BYTES,
    ApplicationKey,
    application_key,
    read_key_file,
    read_user_key_file,
    user_key,
)
from zdemo.config.parsers import InvalidValue

CLIENT_ID, KEY_ID = "312909075212468231", "312909075212468555"


def long_rsa_key(bits: int = 40_000) -> rsa.RSAPrivateKey:
    """Return numbers in the form of a key of many bits; making a real one takes hours."""
    p, q, e = (1 << bits // 2) + 1, (1 << bits // 2 - 1) + 1, 65537
    numbers = rsa.RSAPrivateNumbers(
        p=p, q=q, d=e, dmp1=e, dmq1=e, iqmp=e, public_numbers=rsa.RSAPublicNumbers(e=e, n=p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem(
    key: PrivateKeyTypes,
    form: PrivateFormat = PrivateFormat.TraditionalOpenSSL,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def key_file(**changed: Any) -> dict[str, Any]:
    """Return the values in ZITADEL's order; ``None`` omits one."""
    values = {
        "type": "application",
        "keyId": KEY_ID,
        "key": pem(rsa_key()),
        "appId": "312909075212402693",
        "clientId": CLIENT_ID,
        **changed,
    }
    return {name: value for name, value in values.items() if value is not None}


def content(**changed: Any) -> bytes:
    return json.dumps(key_file(**changed)).encode()


def refusal(read: Callable[[], object]) -> InvalidValue:
    with pytest.raises(InvalidValue, match=r".") as wrong:
        read()
    return wrong.value


def test_a_key_file_of_zitadel() -> None:
    key = application_key(content())
    assert "PRIVATE" not in repr(key)
    assert (key.client_id, key.key_id, key.private_key) == (CLIENT_ID, KEY_ID, pem(rsa_key()))


@pytest.mark.parametrize(
    "same",
    [
        b"\xef\xbb\xbf" + content(),
        content() + b"\r\n",
        content(key=pem(rsa_key(), PrivateFormat.PKCS8)),
        content(key=pem(rsa_key()).replace("\n", "\r\n")),
        content(appId=None),
        content(type=None),
        content(newer="field"),
    ],
    ids=["byte-order mark", "line end", "PKCS#8", "CRLF", "no appId", "no type", "more fields"],
)
def test_what_does_no_harm(same: bytes) -> None:
    assert application_key(same).client_id == CLIENT_ID


SERVICE_USER = {"type": "serviceaccount", "keyId": KEY_ID, "key": "x", "expirationDate": "x", "userId": "1"}

WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty file"),
    "blank": (b" \n", "empty file"),
    "not JSON": (b"CLIENT_ID=1", "not JSON"),
    "half": (content()[:-20], "not JSON"),
    "UTF-16": (content().decode().encode("utf-16"), "not JSON"),
    "bytes": (bytes(range(256)), "not JSON"),
    "nested": (b"[" * 50_000, "not JSON"),
    "a list": (b"[1]", "not an object"),
    "too large": (b" " * (LARGEST_BYTES + 1), "64 KiB"),
    "a bare key": (pem(rsa_key()).encode(), "bare key"),
    "base64": (base64.b64encode(content()), "base64"),
    "base64 in quotes": (b'"' + base64.b64encode(content())[:-1] + b"!", "not JSON"),
    "service account": (json.dumps(SERVICE_USER).encode(), "service account"),
    "service account without a type": (content(type=None, clientId=None, userId="1"), "service account"),
    "another type": (content(type="service_account"), 'a "type" other than application'),
    "type null": (content(type=7), 'a "type" other than application'),
    "no client ID": (content(clientId=None), "without clientId"),
    "empty key ID": (content(keyId=""), "without keyId"),
    "client ID as a number": (content(clientId=1), "without clientId"),
    "client ID with a line end": (content(clientId="1\n"), "without clientId"),
    "nothing": (b"{}", "without clientId, keyId, key"),
    "no key": (content(key=None), "without key"),
    "damaged key": (content(key=pem(rsa_key()).replace("M", "N")), "not an RSA private key"),
    "encrypted key": (
        content(key=pem(rsa_key(), encryption=BestAvailableEncryption(b"secret"))),
        "not an RSA private key",
    ),
    "public key": (
        content(key=rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()),
        "not an RSA private key",
    ),
    "elliptic curve": (content(key=pem(ec.generate_private_key(ec.SECP256R1()))), "not an RSA private key"),
    "short key": (content(key=pem(rsa_key(1024))), "2048 bits"),
    "long key": (content(key=pem(long_rsa_key())), "more than 8192 bits"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    data, words = WRONG[name]
    said = refusal(lambda: application_key(data))
    assert words in str(said)
    assert ("service account" in str(said)) == name.startswith("service account")
    assert pem(rsa_key())[40:60] not in str(said)


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_whatever_is_in_a_file_is_refused_in_words(data: bytes) -> None:
    assert refusal(lambda: application_key(data))


# --- the file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    for name in ("api.json", "keys/api.json"):
        (tmp_path / name).write_bytes(content())
        (tmp_path / name).chmod(0o600)
    return tmp_path


def read(text: str, folder: Path) -> ApplicationKey:
    key, warning = read_key_file(text, folder)
    assert warning == ""
    return key


def test_a_relative_path_starts_in_the_folder_and_an_absolute_one_does_not(folder: Path) -> None:
    assert read("api.json", folder).path == folder / "api.json"
    assert read("keys/api.json", folder).path == folder / "keys/api.json"
    assert read("../api.json", folder / "keys").client_id == CLIENT_ID
    assert read(str(folder / "api.json"), Path("/nowhere")).client_id == CLIENT_ID


@pytest.mark.parametrize("text", ["~no-user-has-this-name/key.json", "keys/deeper/none.json", "none.json"])
def test_the_path_of_a_file_that_does_not_exist_is_shown(text: str, folder: Path) -> None:
    missing = refusal(lambda: read_key_file(text, folder))
    assert (str(missing), missing.shown) == ("names a file that does not exist", str(folder / text))


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a folder", "a device"])
def test_what_is_not_a_file_is_named_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = other_than_a_file(kind, tmp_path)
    assert str(refusal(lambda: read_key_file(str(path), tmp_path))) == f"names {kind}, not a file"


def test_a_name_that_is_too_long(folder: Path) -> None:
    assert "cannot be read" in str(refusal(lambda: read_key_file("a" * 5000, folder)))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(folder: Path) -> None:
    (folder / "api.json").chmod(0)
    assert "cannot be read (Permission denied)" in str(refusal(lambda: read_key_file("api.json", folder)))


@pytest.mark.parametrize(
    "text",
    [content().decode(), pem(rsa_key()), base64.b64encode(content()).decode()],
    ids=["the file's content", "a PEM", "the content in Base64"],  # not the text: the key is another in each process
)
def test_the_key_itself_in_place_of_the_path_is_not_repeated(text: str, folder: Path) -> None:
    wrong = refusal(lambda: read_key_file(text, folder))
    assert (str(wrong), wrong.shown) == ("contains a key itself, not a path", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)])
def test_a_file_that_others_can_read_is_a_warning_with_the_command_that_ends_it(
    mode: int, warned: bool, folder: Path
) -> None:
    path = folder / "api.json"
    path.chmod(mode)
    key, warning = read_key_file("api.json", folder)
    assert key.client_id == CLIENT_ID
    assert (f"chmod 600 {path}" in warning and f"{mode:04o}" in warning) is warned
    assert bool(warning) is warned


# --- a service account's


def user_content(**changed: Any) -> bytes:
    values = {"userId": "312909075212468111", "clientId": None, "appId": None, **changed}
    return content(**{"type": "serviceaccount", "expirationDate": "2030-01-02T03:04:05Z", **values})


@pytest.mark.parametrize(
    ("date", "expires_at"),
    [
        ("2030-01-02T03:04:05Z", 1893553445.0),
        ("9999-12-31T23:59:59Z", 253402300799.0),
        ("0001-01-01T00:00:00+14:00", None),
        ("soon", None),
        (7, None),
        (None, None),
    ],
)
def test_the_key_file_of_a_service_user(date: object, expires_at: float | None) -> None:
    key = user_key(user_content(expirationDate=date))
    assert (key.user_id, key.key_id, key.expires_at) == ("312909075212468111", KEY_ID, expires_at)
    assert "PRIVATE" not in repr(key)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"type": "application", "clientId": CLIENT_ID, "userId": None},
            "of an API application, not of a service account",
        ),
        ({"type": None, "clientId": CLIENT_ID, "userId": None}, "of an API application, not of a service account"),
        ({"type": "human"}, "other than serviceaccount"),
        ({"userId": None}, "without userId"),
        ({"key": "x"}, "not an RSA private key"),
    ],
)
def test_what_is_wrong_with_the_key_file_of_a_service_user(changed: dict[str, Any], words: str) -> None:
    wrong = refusal(lambda: user_key(user_content(**changed)))
    assert words in str(wrong)
    assert "service account's page" in wrong.fix
    assert "ZDEMO_USER_KEY_FILE" in wrong.fix


def test_a_missing_key_file_of_a_service_user_names_its_setting(tmp_path: Path) -> None:
    wrong = refusal(lambda: read_user_key_file("no.json", tmp_path))
    assert (str(wrong), "ZDEMO_USER_KEY_FILE" in wrong.fix) == ("names a file that does not exist", True)
