"""What a transport takes from the environment: proxies, trusted certificates, and never credentials."""

import os
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.connection_faults import ACTIVE
from tests.support.upstream import LOOPBACK, answer, upstream
from zdemo.config.address import ZitadelAddress
from zdemo.errors import ConnectionFailed, FailureKind, SettingsError
from zdemo.http.transport import Transport

OK = answer(b'{"ok":true}')
ELSEWHERE = "http://zitadel.example"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def send(environment: dict[str, str], open_transport: Callable[[], Transport]) -> int:
    """Send a request with this environment alone, and return the status."""
    with pytest.MonkeyPatch.context() as process:
        for name in [*os.environ]:
            process.delenv(name)
        for name, value in environment.items():
            process.setenv(name, value)
        with closing(open_transport()) as transport:
            return transport.send("POST", "/path", timeout_seconds=5, form={"token": "t"}).status


def to(url: str) -> Callable[[], Transport]:
    return lambda: Transport(url, setting="ZITADEL_DOMAIN")


def test_netrc_is_not_read(tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {LOOPBACK} login somebody password something\n")
    netrc.chmod(0o600)
    with upstream(OK) as up:
        assert send({"HOME": str(tmp_path), "NETRC": str(netrc)}, to(up.url)) == 200
    assert "authorization" not in up.requests[0].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(name: str) -> None:
    with upstream(OK) as proxy:
        assert send({name: proxy.url}, to(ELSEWHERE)) == 200
    assert proxy.requests[0].target == f"{ELSEWHERE}/path"


@pytest.mark.parametrize("no_proxy", ["*", "other.example,.invalid"])
def test_no_proxy_is_honoured(no_proxy: str) -> None:
    """Without the proxy, this name resolves nowhere (RFC 6761 §6.4)."""
    with upstream(OK) as proxy, pytest.raises(ConnectionFailed) as failed:
        send({"HTTP_PROXY": proxy.url, "NO_PROXY": no_proxy}, to("http://zitadel.invalid"))
    assert failed.value.kind in (FailureKind.NAME_NOT_RESOLVED, FailureKind.TIMEOUT)
    assert proxy.requests == []


def test_an_internal_url_is_connected_to_without_a_proxy() -> None:
    """A proxy would replace the Host field of the issuer with that of the URL (RFC 9112 §3.2.2)."""
    address = ZitadelAddress("https://zitadel.example", "http://zitadel.invalid:8080")
    with upstream(OK) as proxy, pytest.raises(ConnectionFailed) as failed:
        send({"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}, lambda: Transport.to_zitadel(address))
    assert (failed.value.kind, proxy.requests) == (FailureKind.NAME_NOT_RESOLVED, [])


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_trusted(name: str, certificates: Certificates) -> None:
    with upstream(ACTIVE, tls=certificates.good()) as up:
        assert send({name: str(certificates.bundle)}, to(up.url)) == 200


@pytest.mark.parametrize("content", [b"", b"\x30\x82\x01\x0a\xff", None])
def test_an_unusable_ca_bundle_is_named(content: bytes | None, certificates: Certificates, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    with upstream(ACTIVE, tls=certificates.good()) as up, pytest.raises(SettingsError) as failed:
        send({"REQUESTS_CA_BUNDLE": str(bundle)}, to(up.url))
    assert failed.value.message.startswith("REQUESTS_CA_BUNDLE names a file")
    assert ("does not exist" in failed.value.message) == (content is None)
    assert failed.value.message.endswith(f": {bundle}")


@pytest.mark.parametrize(
    ("make", "kind", "hint"),
    [
        (Certificates.not_yet_valid, FailureKind.CERTIFICATE_NOT_YET_VALID, "clock"),
        (Certificates.wrong_name, FailureKind.CERTIFICATE_WRONG_NAME, "ZITADEL_DOMAIN"),
    ],
)
def test_a_bad_certificate_is_named_and_nothing_is_sent(
    make: Callable[[Certificates], ssl.SSLContext], kind: FailureKind, hint: str, certificates: Certificates
) -> None:
    with upstream(ACTIVE, tls=make(certificates)) as up, pytest.raises(ConnectionFailed) as failed:
        send({"REQUESTS_CA_BUNDLE": str(certificates.bundle)}, to(up.url))
    assert (failed.value.kind, hint in (failed.value.hint or ""), up.requests) == (kind, True, [])
