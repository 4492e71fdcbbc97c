"""The catalogue of faults, first part: the network to ZITADEL, the server that answers, and its health.

The numbers are those of the catalogue. Each fault is real, and the command must name the cause and the fix.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.cli import Shell
from tests.support.dotenv import update_dotenv
from tests.support.named_causes import administered, call, command, doctor, introspect, settings
from tests.support.planting import Planter
from tests.support.ports import free_port
from tests.support.relay import relay
from tests.support.upstream import (
    Behaviour,
    Connection,
    answer,
    depending,
    hang,
    hang_up,
    json_body,
    refusing_port,
    upstream,
)
from zdemo.config.settings import Settings
from zdemo.doctor import CHECKS, DoctorContext, Outcome, examine
from zdemo.doctor.context import LONGEST_STEP_SECONDS
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, VISITOR, Emulator, emulate, random_start
from zdemo.server import create_app
from zdemo.serving.embedded import serving

NOT_THE_TOKEN = ("token", "credential")
PLAIN, HTML = {"Content-Type": "text/plain"}, {"Content-Type": "text/html", "Server": "nginx/1.27"}
SAYS_HTTPS = answer(b"Client sent an HTTP request to an HTTPS server.", 400, headers=PLAIN)
READY, HEALTHY = answer(b'"ok"\n'), answer(b"ok", headers=PLAIN)
AWAY = answer(b"ID=API-F24h2 Message=DB CONNECTION ERROR Parent=(failed to connect)", 412, headers=PLAIN)
NO_DATABASE = (
    b"unable to set instance using origin &{localhost  http} (ExternalDomain is localhost): ID=QUERY-d3fas "
    b"Message=An internal error occurred Parent=(failed to connect to `user=zitadel`)"
)
INACTIVE, FAILS = answer(json_body({"active": False})), answer(json_body({"error": "server_error"}), 500)
UNAUTHORIZED = answer(json_body({"error": "access_denied", "error_description": "access token invalid"}), 401)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def by_path(paths: dict[str, Any], other: Behaviour) -> Behaviour:
    return depending(lambda request: paths.get(request.target.partition("?")[0], other))


def test_01_a_host_that_does_not_resolve(bare: Shell) -> None:
    output = doctor(bare, settings("https://nope.invalid"), "net.resolve")
    output.names("nope.invalid", "does not resolve|DNS", "fix .*ZITADEL_DOMAIN").never("refuse", *NOT_THE_TOKEN)


def test_02_a_closed_port(bare: Shell) -> None:
    with refusing_port() as port:
        output = doctor(bare, settings(f"http://127.0.0.1:{port}"), "net.connect")
        output.names(f"127.0.0.1 port {port}", "refuses|nothing listens", "fix start ZITADEL.*port").never("resolve")
        other = introspect(bare, settings(f"http://127.0.0.1:{port}"))
        other.names("hint: start ZITADEL .zdemo emulator runs an emulated one., or correct host and port")


def test_03_https_to_an_http_port(bare: Shell, zitadel: Emulator) -> None:
    output = doctor(bare, settings(zitadel.url.replace("http:", "https:")), "net.tls")
    output.names("plain http", f"fix .*{zitadel.url}").never("certificate")


def test_04_http_to_a_tls_port_that_says_so(bare: Shell) -> None:
    with upstream(SAYS_HTTPS) as up:
        output = doctor(bare, settings(up.url), "net.tls")
    output.names("expects https", f"fix ZITADEL_DOMAIN=https://127.0.0.1:{up.port}").never("not a ZITADEL")


def test_04_http_to_a_tls_port_that_hangs_up(bare: Shell, certificates: Certificates) -> None:
    with upstream(READY, tls=certificates.good()) as up:
        output = doctor(bare, settings(f"http://127.0.0.1:{up.port}"), "net.tls")
    output.names("expects https", f"https://127.0.0.1:{up.port}")


UNTRUSTED = ("not trusted", "self-signed|unknown", "fix .*REQUESTS_CA_BUNDLE")
NO_WAY_OUT = ("unreachable", "expired", "verify=|insecure|switch.* off")


@pytest.mark.parametrize(
    ("kind", "trusted", "named", "never"),
    [
        ("unknown_authority", False, UNTRUSTED, NO_WAY_OUT),
        ("self_signed", False, UNTRUSTED, NO_WAY_OUT),
        ("wrong_name", True, ("another name",), ("expired", "not trusted")),
        ("expired", True, ("has expired", "fix renew", "clock"), ("not trusted", "another name")),
    ],
)
def test_05_06_54_a_bad_certificate(
    bare: Shell, certificates: Certificates, kind: str, trusted: bool, named: tuple[str, ...], never: tuple[str, ...]
) -> None:
    bundle = {"REQUESTS_CA_BUNDLE": str(certificates.bundle)} if trusted else {}
    with upstream(READY, tls=getattr(certificates, kind)()) as up:
        doctor(bare, settings(up.url, **bundle), "net.tls").names(*named).never(*never)


def test_a_ca_bundle_that_is_not_there_is_named(bare: Shell, certificates: Certificates) -> None:
    with upstream(READY, tls=certificates.good()) as up:
        output = doctor(bare, settings(up.url, REQUESTS_CA_BUNDLE="/nowhere/ca.pem"), "net.tls")
    output.names("REQUESTS_CA_BUNDLE names a file that cannot be read", ": /nowhere/ca.pem")


def test_07_a_host_that_is_no_instance(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url.replace("localhost", "127.0.0.1"))
    for output in (doctor(bare, env, "zitadel.host"), introspect(bare, env)):
        output.names("127.0.0.1", "ExternalDomain is localhost", f"ZITADEL_DOMAIN={zitadel.url}")
        output.never("not a zitadel", *NOT_THE_TOKEN)


def test_07_a_name_inside_a_cluster_is_where_to_connect(bare: Shell, zitadel: Emulator) -> None:
    url = zitadel.url.replace("localhost", "0.0.0.0")  # noqa: S104  # leads here, and is not loopback
    env = settings(url, ZDEMO_ALLOW_HTTP="1")
    for output in (doctor(bare, env, "zitadel.host"), introspect(bare, env)):
        output.names(f"ZITADEL_DOMAIN={zitadel.url}", f"also: ZITADEL_INTERNAL_URL={url}(?!/)")
    fixed = settings(zitadel.url, ZITADEL_INTERNAL_URL=url, ZDEMO_ALLOW_HTTP="1")
    assert replace(bare, env=fixed)("introspect").code == 0


@pytest.mark.parametrize("arguments", [("introspect",), ("introspect", "--json"), ("role", "list"), ("setup", "--yes")])
def test_07_every_command_says_it_in_one_sentence(bare: Shell, zitadel: Emulator, arguments: tuple[str, ...]) -> None:
    url = zitadel.url.replace("localhost", "127.0.0.1")
    output = command(bare, administered(url), *arguments)
    output.names(r"ZITADEL has no instance for the host 127.0.0.1 .ZITADEL_DOMAIN.; its ExternalDomain is localhost")
    output.names(f"ZITADEL_DOMAIN={zitadel.url}")


# --- ZITADEL_INTERNAL_URL

ISSUER = "https://localhost:9443"  # nothing listens there


def inside(url: str, issuer: str = ISSUER, **more: str) -> dict[str, str]:
    """Return the settings of a container that connects to ``url``."""
    return administered(issuer, ZITADEL_INTERNAL_URL=url, **more)


def test_an_internal_url_works_for_every_command(bare: Shell, zitadel: Emulator) -> None:
    url = zitadel.url.replace("localhost", "127.0.0.1")
    shell = replace(bare, env=inside(url))
    assert shell("introspect", "--json").document["iss"] == ISSUER
    names = ("net.connect", "zitadel.issuer", "token.active", "admin.valid")
    ran = shell("doctor", "--json", *(word for name in names for word in ("--only", name)))
    assert (ran.code, "(ZITADEL_INTERNAL_URL)" in ran.out) == (0, True), ran.all
    assert shell("role", "list").code == 0
    ran = shell("setup", "--yes", "--project-name", "own", "--app-name", "own-api")
    assert (ran.code, f"{ISSUER} as" in ran.out, ISSUER in (bare.folder / ".env").read_text()) == (0, True, True), (
        ran.all
    )
    assert shell("setup", "--teardown", "--yes").code == 0
    assert shell("demo", "--live").code == 0
    with shell.running("serve", "--port", str(free_port())) as process:
        assert process.stderr
        start = process.stderr.readline() + process.stderr.readline()
    assert f"ZITADEL {ISSUER} at {url} " in " ".join(start.split())


def test_what_a_wrong_internal_url_does_is_named(bare: Shell, zitadel: Emulator) -> None:
    with refusing_port() as port:
        output = doctor(bare, inside(f"http://127.0.0.1:{port}"), "net.connect")
        output.names(f"127.0.0.1 port {port} refuses", "correct host and port in ZITADEL_INTERNAL_URL")
        output.never("ZITADEL_DOMAIN", "9443")
    output = doctor(bare, inside("https://zitadel.invalid"), "net.resolve")
    output.names("zitadel.invalid does not resolve", "fix .*ZITADEL_INTERNAL_URL").never("ZITADEL_DOMAIN")
    url = zitadel.url.replace("localhost", "127.0.0.1")
    output = doctor(bare, inside(url.replace("http:", "https:")), "net.tls")
    output.names("speaks plain http", f"fix ZITADEL_INTERNAL_URL={url}").never("ZITADEL_DOMAIN")
    output = doctor(bare, inside(f"{url}/oauth"), "settings.wellformed")
    output.names("ZITADEL_INTERNAL_URL has a path", f"ZITADEL_INTERNAL_URL={url}")


def test_an_internal_url_of_a_server_that_expects_https(bare: Shell) -> None:
    with upstream(SAYS_HTTPS) as up:
        output = doctor(bare, inside(up.url), "net.tls")
    output.names(f"fix ZITADEL_INTERNAL_URL=https://127.0.0.1:{up.port}").never("ZITADEL_DOMAIN")


def test_an_internal_url_of_another_server(bare: Shell) -> None:
    with upstream(answer(b"<h1>Welcome</h1>", headers=HTML)) as up:
        outputs = [doctor(bare, inside(up.url), "zitadel.identity"), introspect(bare, inside(up.url))]
        outputs.append(command(bare, inside(up.url), "role", "list"))
    for output in outputs:
        output.names("ZITADEL_INTERNAL_URL").never("ZITADEL_DOMAIN", *NOT_THE_TOKEN)


def test_an_internal_url_of_a_zitadel_that_does_not_know_the_issuer(bare: Shell, zitadel: Emulator) -> None:
    env = inside(zitadel.url, issuer="https://auth.example:8443")
    for output in (doctor(bare, env, "zitadel.host"), introspect(bare, env), command(bare, env, "role", "list")):
        output.names(r"no instance for the host auth.example .ZITADEL_DOMAIN.; its ExternalDomain is localhost")
        output.names("ZITADEL_DOMAIN=https://localhost:8443").never("proxy in front", *NOT_THE_TOKEN)


def test_the_certificate_of_an_internal_url_is_for_its_own_name(bare: Shell, certificates: Certificates) -> None:
    env = inside("https://127.0.0.1:{port}", issuer="https://auth.example", REQUESTS_CA_BUNDLE=str(certificates.bundle))
    with upstream(READY, tls=certificates.wrong_name()) as up:
        env["ZITADEL_INTERNAL_URL"] = up.url
        output = doctor(bare, env, "net.tls")
    output.names("for another name than (127.0.0.1|localhost)", "ZITADEL_INTERNAL_URL").never("auth.example")


OTHER_SERVER = ("not a ZITADEL|another server", "nginx|text/html", "fix correct ZITADEL_DOMAIN")
SINGLE_SIGN_ON = answer(b"", 302, headers={"Location": "https://sso.example.com/login?next=1"})
KEYCLOAK = answer(json_body({"issuer": "https://keycloak.example/realms/x", "introspection_endpoint": "https://k/i"}))


@pytest.mark.parametrize(
    ("server", "named"),
    [
        (answer(b"<h1>404</h1>", 404, headers=HTML), OTHER_SERVER),
        (answer(b"<h1>Welcome</h1>", headers=HTML), OTHER_SERVER),
        (KEYCLOAK, ("not a ZITADEL", "another authorization server", "keycloak.example")),
        (answer(b"<h1>Bad Gateway</h1>", 502, headers=HTML), ("proxy", "502", "start ZITADEL")),
        (SINGLE_SIGN_ON, ("redirects .*to sso.example.com", "fix exempt /oauth.*well-known", "not followed")),
    ],
)
def test_08_53_67_another_server(bare: Shell, server: Behaviour, named: tuple[str, ...]) -> None:
    with upstream(server) as up:
        doctor(bare, settings(up.url), "zitadel.identity").names(*named).never(*NOT_THE_TOKEN)
        assert {request.headers["host"] for request in up.requests} == {f"127.0.0.1:{up.port}"}
        introspect(bare, settings(up.url)).names("not a ZITADEL|another server|proxy|redirects").never(*NOT_THE_TOKEN)


def test_61_a_proxy_that_is_not_running(bare: Shell) -> None:
    with refusing_port() as port:
        env = settings("http://zitadel.example", ZDEMO_ALLOW_HTTP="1", HTTP_PROXY=f"http://127.0.0.1:{port}")
        for output in (doctor(bare, env, "net.proxy"), introspect(bare, env)):
            output.names(f"nothing listens at the proxy 127.0.0.1 port {port}", "start the proxy, or unset HTTP_PROXY")
            output.never("resolve", *NOT_THE_TOKEN)


@pytest.mark.parametrize("shift", [600, -600])
def test_30_a_clock_that_is_off(bare: Shell, zitadel: Emulator, shift: int) -> None:
    with upstream(relay(zitadel.url, date_shift_seconds=shift)) as up:
        output = doctor(bare, settings(f"http://localhost:{up.port}"), warned=("clock.skew",))
    output.names("clock", "600 s|599 s|601 s", "behind" if shift > 0 else "ahead", "fix synchronise")


@pytest.mark.parametrize("headers", [PLAIN, {**PLAIN, "Retry-After": "7"}])
def test_34_a_rate_limit(bare: Shell, headers: dict[str, str]) -> None:
    blocked = answer(b"Your ZITADEL instance is blocked.", 429, headers=headers)
    with upstream(by_path({"/debug/ready": READY, "/debug/healthz": HEALTHY}, blocked)) as up:
        for_api = Settings(issuer=up.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        with serving(create_app(for_api)) as port:
            env = settings(up.url, ZDEMO_API_URL=f"http://127.0.0.1:{port}")
            outputs = (doctor(bare, env, "zitadel.ready"), introspect(bare, env), call(bare, env))
    for output in outputs:
        output.names("429", "limit|blocked", "wait", "operator")
    for output in outputs[:2]:
        output.never(r"\btoken\b", "credential")


@pytest.mark.parametrize("status", [500, 404])
def test_35a_a_database_that_is_away(bare: Shell, status: int) -> None:
    away = answer(NO_DATABASE, status, headers=PLAIN)
    with upstream(by_path({"/debug/ready": AWAY, "/debug/healthz": HEALTHY}, away)) as up:
        env = settings(up.url)
        for output in (doctor(bare, env, "zitadel.ready"), introspect(bare, env)):
            output.names("database is down|database", "fix start or repair|next start or repair", "try again")
            output.never("ExternalDomain", "user=zitadel", "host name", *NOT_THE_TOKEN)


def test_35b_a_database_that_is_away_behind_a_cache(bare: Shell) -> None:
    paths = {
        "/debug/ready": AWAY,
        "/debug/healthz": HEALTHY,
        "/oauth/v2/introspect": INACTIVE,
        "/oidc/v1/userinfo": UNAUTHORIZED,
    }
    with upstream(by_path(paths, FAILS)) as up:
        env = settings(up.url)
        for output in (doctor(bare, env, "zitadel.ready"), introspect(bare, env)):
            output.names("database", "try again").never(r"\btoken\b|\bPAT\b", "credential")


def test_35b_a_table_that_cannot_be_read(bare: Shell) -> None:
    paths = {
        "/debug/ready": READY,
        "/debug/healthz": HEALTHY,
        "/oauth/v2/introspect": INACTIVE,
        "/.well-known/openid-configuration": answer(
            json_body({"issuer": "http://127.0.0.1", "introspection_endpoint": "http://x/oauth/v2/introspect"})
        ),
    }
    with upstream(by_path(paths, UNAUTHORIZED)) as up:
        output = doctor(bare, settings(up.url), "zitadel.ready")
    output.names("database", "made-up client", "fix check ZITADEL's database").never("PAT", "deleted")


def test_38_a_database_that_hangs(bare: Shell, zitadel: Emulator) -> None:
    with upstream(relay(zitadel.url, passes=lambda target: target == "/debug/healthz")) as up:
        env = settings(f"http://localhost:{up.port}", ZDEMO_TIMEOUT="1")
        for output in (doctor(bare, env, "zitadel.ready"), introspect(bare, env)):
            output.names("ZITADEL is alive", "database", "hangs|does not answer", "fix|next")
            output.never("unreachable", "credential", r"\btoken\b")


def test_52_an_issuer_of_another_scheme(bare: Shell, zitadel: Emulator, certificates: Certificates) -> None:
    with upstream(relay(zitadel.url), tls=certificates.good("localhost")) as up:
        url = f"https://localhost:{up.port}"
        output = doctor(bare, settings(url, REQUESTS_CA_BUNDLE=str(certificates.bundle)), "zitadel.issuer")
    output.names(url, f"http://localhost:{up.port}", "fix .*(ExternalSecure|X-Forwarded-Proto)")


def test_55_a_server_that_stays_silent(bare: Shell) -> None:
    silent = r"no answer .*within (1|0\.9) s"  # the latter where a busy machine has used up a part of the time
    with upstream(hang) as up:
        output = doctor(bare, settings(up.url, ZDEMO_TIMEOUT="1"), "zitadel.identity")
        output.names(silent, "fix check whether that server hangs", "ZDEMO_TIMEOUT").never("refuse")
        output = call(bare, settings("http://localhost:1", ZDEMO_API_URL=up.url, ZDEMO_TIMEOUT="1"))
        output.names(silent, "check whether that server hangs", "ZDEMO_TIMEOUT").never("refuse")


def test_51_a_proxy_that_changes_the_host(bare: Shell, zitadel: Emulator) -> None:
    with upstream(relay(zitadel.url, host="internal:9000")) as up:
        output = doctor(bare, settings(f"http://localhost:{up.port}"), "zitadel.host")
    output.names("proxy .*changes the host", "internal:9000", "fix .*Host")


def test_61_a_proxy_that_is_not_there(bare: Shell) -> None:
    with refusing_port() as port:
        env = settings("http://zitadel.example", ZDEMO_ALLOW_HTTP="1", HTTP_PROXY=f"http://127.0.0.1:{port}")
        output = doctor(bare, env, "net.proxy")
    output.names("proxy", str(port), "HTTP_PROXY").never("resolve")


def test_the_api_in_the_place_of_zitadel_is_named(bare: Shell, zitadel: Emulator) -> None:
    for_api = Settings(issuer=zitadel.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    with serving(create_app(for_api)) as port:
        output = doctor(bare, settings(f"http://127.0.0.1:{port}"), "zitadel.identity")
    output.names("not a ZITADEL", "zdemo API", "ZDEMO_API_URL")


def test_zitadel_in_the_place_of_the_api_is_named(bare: Shell, zitadel: Emulator) -> None:
    env = administered(zitadel.url, ZDEMO_API_URL=zitadel.url)
    doctor(bare, env, "settings.wellformed", "api.identity").names("same address", "zdemo serve")


@pytest.mark.parametrize("hangs", ["everything", "introspection"])
def test_whatever_hangs_the_doctor_is_done_in_time(zitadel: Emulator, hangs: str, tmp_path: Path) -> None:
    """Half a second is left instead of 14: even a machine under load is then far from the 8 s of two whole requests."""

    def passes(target: str) -> bool:
        stuck = {"everything": "/", "introspection": "/oauth/v2/introspect"}[hangs]
        return not target.startswith(stuck)

    with upstream(relay(zitadel.url, passes=passes)) as up, upstream(hang) as api:
        variables = administered(f"http://localhost:{up.port}", ZDEMO_TIMEOUT="60", ZDEMO_API_URL=api.url)
        update_dotenv(tmp_path / ".env", variables)
        start = time.monotonic()
        reports = list(examine(CHECKS, DoctorContext(tmp_path / ".env", most_seconds=0.5)))
        seconds = time.monotonic() - start
    assert Outcome.FAIL in [report.result.outcome for report in reports]
    assert seconds < 2 * LONGEST_STEP_SECONDS


def test_a_proxy_variable_does_not_swallow_loopback(bare: Shell, zitadel: Emulator) -> None:
    with refusing_port() as port:
        env = settings(zitadel.url, HTTP_PROXY=f"http://127.0.0.1:{port}", http_proxy=f"http://127.0.0.1:{port}")
        doctor(bare, env)
        ran = replace(bare, env=env)("doctor", "--only", "net.proxy")
    assert "not used for this host" in ran.out


def test_a_ca_bundle_that_only_the_api_needs_is_named(
    bare: Shell, zitadel: Emulator, certificates: Certificates
) -> None:
    with upstream(READY, tls=certificates.good()) as up:
        env = settings(zitadel.url, ZDEMO_API_URL=up.url, REQUESTS_CA_BUNDLE="/nowhere/ca.pem")
        doctor(bare, env, "api.reachable").names("REQUESTS_CA_BUNDLE", "cannot be read", "/nowhere/ca.pem")


@pytest.mark.parametrize(
    ("variable", "proxy", "named"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", ("SOCKS", "no request was sent")),
        ("HTTPS_PROXY", "http://proxy:port", ("is not an address", "no request was sent")),
        ("HTTPS_PROXY", "not a proxy", ("is not an address", "no request was sent")),
        ("HTTPS_PROXY", "http://:x", ("is not an address", "no request was sent")),
        ("HTTPS_PROXY", "127.0.0.1:1", ("proxy 127.0.0.1",)),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_every_command(
    bare: Shell, variable: str, proxy: str, named: tuple[str, ...]
) -> None:
    env = settings("https://zitadel.example", **{variable: proxy})
    for output in (doctor(bare, env, "net.proxy"), introspect(bare, env)):
        output.names("proxy", "NO_PROXY", *named).never("not HTTP, or is cut off")


def proxied(proxy: str, url: str = "http://zitadel.example") -> dict[str, str]:
    return settings(url, ZDEMO_ALLOW_HTTP="1", HTTP_PROXY=proxy, HTTPS_PROXY=proxy)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_named(bare: Shell, scheme: str) -> None:
    with upstream(answer(b"<h1>407</h1>", 407, headers={**HTML, "Proxy-Authenticate": "Basic"})) as proxy:
        env = proxied(proxy.url, f"{scheme}://zitadel.example")
        for output in (doctor(bare, env, "net.proxy"), introspect(bare, env)):
            output.names("proxy 127.0.0.1 requires a user name and password", "USER:PASSWORD@").never("ZITADEL_DOMAIN")


def test_a_proxy_that_finds_no_server_does_not_take_the_blame_alone(bare: Shell) -> None:
    with upstream(answer(b"<h1>ERR_DNS_FAIL</h1>", 503, headers=HTML)) as proxy:
        env = proxied(proxy.url, "https://zitadel.example")
        for output in (doctor(bare, env, "net.proxy"), introspect(bare, env)):
            output.names("cannot connect to zitadel.example port 443", "503", "ZITADEL_DOMAIN", "NO_PROXY")
        env = proxied(proxy.url)
        for output in (doctor(bare, env, "zitadel.identity"), introspect(bare, env)):
            output.names("through the proxy 127.0.0.1", "cannot connect to zitadel.example").offers("NO_PROXY")
            output.never("fix start ZITADEL")


def test_an_ssh_port_is_not_sent_to_http(bare: Shell) -> None:
    def ssh(connection: Connection) -> bool:
        connection.send(b"SSH-2.0-OpenSSH_9.6\r\n")
        return False

    with upstream(on_connect=ssh) as up:
        env = settings(f"https://127.0.0.1:{up.port}")
        for output in (doctor(bare, env, "net.tls"), introspect(bare, env)):
            output.names(f"127.0.0.1 port {up.port} does not speak TLS", "check scheme, host and port").never("http://")


def test_https_is_not_advised_where_it_is_spoken_or_introspection_alone_breaks(bare: Shell, zitadel: Emulator) -> None:
    with upstream(hang_up) as up:
        introspect(bare, settings(f"https://127.0.0.1:{up.port}")).never("https:// instead", "try https")
    with upstream(relayed(zitadel.url, {"/oauth/v2/introspect": hang_up})) as up:
        env = settings(f"http://localhost:{up.port}")
        for output in (doctor(bare, env, "client.accepted"), introspect(bare, env)):
            output.names("closed the connection without an answer", "server's log").never("https")


def relayed(url: str, instead: dict[str, Behaviour]) -> Behaviour:
    """Relay to ZITADEL, except for some paths."""
    return by_path(instead, relay(url))


def test_discovery_alone_that_is_blocked_stops_nothing(bare: Shell, zitadel: Emulator) -> None:
    blocked = {"/.well-known/openid-configuration": answer(b"<h1>403</h1>", 403, headers=HTML)}
    with upstream(relayed(zitadel.url, blocked)) as up:
        output = doctor(bare, settings(f"http://localhost:{up.port}"), warned=("zitadel.host",))
    output.names("something in front of it answers", "pass GET /.well-known/openid-configuration")
    assert "✓ credentials" in output.ran.out


def test_introspection_alone_that_is_in_maintenance_does_not_call_zitadel_down(bare: Shell, zitadel: Emulator) -> None:
    broken = {"/oauth/v2/introspect": answer(b"<h1>maintenance</h1>", 503, headers=HTML)}
    with upstream(relayed(zitadel.url, broken)) as up:
        env = settings(f"http://localhost:{up.port}")
        for output in (doctor(bare, env, "client.accepted"), introspect(bare, env)):
            output.names("ready, but a proxy in front of it answers /oauth/v2/introspect", "503", "maintenance")
            output.never("start ZITADEL")


@pytest.mark.parametrize("passes", ["everything", "readiness is blocked"])
def test_an_answer_of_zitadel_that_is_changed_does_not_make_it_another_server(
    bare: Shell, zitadel: Emulator, passes: str
) -> None:
    changed = {"/oauth/v2/introspect": answer(json_body({"active": "true"}))}
    blocked = {path: answer(b"", 403) for path in ("/debug/ready", "/debug/healthz")}
    with upstream(relayed(zitadel.url, changed if passes == "everything" else changed | blocked)) as up:
        env = settings(f"http://localhost:{up.port}")
        for output in (doctor(bare, env, "client.accepted"), introspect(bare, env)):
            output.names("changes the request or the answer", "only introspection").never("not a ZITADEL")


def test_the_banner_of_serve_says_no_more_than_the_warning_below(bare: Shell, zitadel: Emulator) -> None:
    blocked = {"/oauth/v2/introspect": answer(b"<h1>403</h1>", 403, headers=HTML)}
    with (
        upstream(relayed(zitadel.url, blocked)) as up,
        bare.serving(**settings(f"http://localhost:{up.port}")) as (process, _),
    ):
        process.terminate()
        _, said = process.communicate()
    assert "unusable answer" in said
    assert "something in front of it answers introspection" in " ".join(said.split())
    assert "not ZITADEL" not in said


WANTS_JWT = answer(json_body({"message": "Unauthorized"}), 401)
BASIC = answer(b"<h1>401</h1>", 401, headers={**HTML, "WWW-Authenticate": 'Basic realm="ops"'})
GUARDED = answer(
    json_body({"error": "unauthorized", "request_id": "1"}), 401, headers={"WWW-Authenticate": 'Bearer realm="zdemo"'}
)


@pytest.mark.parametrize(
    ("behaviour", "doctors", "calls"),
    [
        (BASIC, ("asks for a user name and password", 'realm="ops"', "without that login"), ()),
        (WANTS_JWT, ("requires authentication for /api/public", "JWTs", "zdemo doctor --api"), ("gateway", "JWTs")),
        (GUARDED, ("an app with zdemo's guard", "zdemo doctor --api http.*/api/private"), ("Authorization",)),
        (answer(b"<h1>404</h1>", 404, headers=HTML), ("has no /api/p", "API of your own"), ()),
    ],
)
def test_what_is_in_front_of_the_api_or_in_its_place_is_named(
    bare: Shell, zitadel: Emulator, behaviour: Behaviour, doctors: tuple[str, ...], calls: tuple[str, ...]
) -> None:
    with upstream(behaviour) as up:
        env = settings(zitadel.url, ZDEMO_API_URL=up.url)
        output = doctor(bare, env, "api.identity").names(*doctors)
        assert not re.search("not a zdemo API|start it with zdemo serve", output.ran.out)
        call(bare, env, "scoped").names(*(calls or doctors)).never("not a zdemo API")


def test_a_proxy_that_changes_the_path_is_named(bare: Shell, zitadel: Emulator) -> None:
    with (
        serving(create_app(Settings.from_env(settings(zitadel.url)))) as port,
        upstream(relay(f"http://127.0.0.1:{port}", prefix="/shop")) as proxy,
    ):
        env = settings(zitadel.url, ZDEMO_API_URL=f"http://127.0.0.1:{proxy.port}")
        for output in (doctor(bare, env, "api.identity"), call(bare, env, "scoped")):
            output.names("a zdemo API answers at", "no such path as /api/p", "pass the path unchanged", "/PREFIX/api/p")
            output.never("not a zdemo API", "start it with zdemo serve")


def test_a_proxy_that_drops_the_challenge_does_not_hide_the_cause(bare: Shell, zitadel: Emulator) -> None:
    with (
        serving(create_app(Settings.from_env(settings(zitadel.url)))) as port,
        upstream(relay(f"http://127.0.0.1:{port}", drops=("www-authenticate",))) as proxy,
    ):
        env = settings(zitadel.url, ZDEMO_API_URL=f"http://127.0.0.1:{proxy.port}", PAT=VISITOR.pat)
        output = call(bare, env, "scoped")
        output.names("insufficient_scope", "why the token is valid, but the role", "something in between removes WWW-")
        output.never("did not receive one")
        doctor(bare, env, "role.granted", "api.identity").names("is not granted", "removes WWW-Authenticate", "fix let")


def test_a_proxy_that_replaces_error_pages_does_not_hide_the_cause(bare: Shell, zitadel: Emulator) -> None:
    page = answer(b"<h1>Sorry</h1>", 401, headers=HTML)
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        passed = relay(f"http://127.0.0.1:{port}")
        with upstream(depending(lambda r: passed if r.target == "/api/public" else page)) as proxy:
            env = settings(zitadel.url, ZDEMO_API_URL=f"http://127.0.0.1:{proxy.port}", PAT=VISITOR.pat)
            output = call(bare, env, "scoped")
            output.names("most likely, the token is valid, but the role", "is a web page", "role grant visitor")
            found = doctor(bare, env, "role.granted", "api.identity")
            found.names("is not granted", "replaces its refusals", "web page", "fix let the proxy .* unchanged")
            call(bare, env | {"PAT": READER.pat}, "scoped").names("is a web page", "ZITADEL accepts this token")


# --- an API that disagrees with ZITADEL


@pytest.fixture
def other() -> Iterator[Emulator]:
    """Another ZITADEL."""
    with emulate(random_start().world) as emulator:
        yield emulator


UNKNOWN_THERE = ("started before its settings", "asks another ZITADEL", "another CLIENT_ID or ZITADEL_PROJECT_ID")


@pytest.mark.parametrize(
    ("ttl", "cache"), [("3600", "up to 3600 s .ZDEMO_CACHE_TTL here"), ("0", "if its ZDEMO_CACHE_TTL is not 0")]
)
def test_an_api_that_accepts_what_is_refused_here(bare: Shell, zitadel: Emulator, ttl: str, cache: str) -> None:
    with upstream(example_api(answer(json_body({"message": "ok"})))) as api:
        env = settings(zitadel.url, ZDEMO_API_URL=api.url, PAT=VISITOR.pat, ZDEMO_CACHE_TTL=ttl)
        output = doctor(bare, env, "role.granted", "api.agrees")
    output.names("disagree", *UNKNOWN_THERE, cache, "several instances", "fix restart zdemo serve")
    output.offers("compare .*ZITADEL_INTERNAL_URL").never("few seconds")


def test_an_api_that_refuses_what_is_accepted_here(bare: Shell, zitadel: Emulator) -> None:
    refusal = json_body({"error": "invalid_token", "request_id": "1"})
    refused = answer(refusal, 401, headers={"WWW-Authenticate": 'Bearer realm="zdemo", error="invalid_token"'})
    with upstream(example_api(refused)) as api:
        env = settings(zitadel.url, ZDEMO_API_URL=api.url)
        for output in (doctor(bare, env, "api.agrees"), call(bare, env, "scoped")):
            output.names(
                "disagree", *UNKNOWN_THERE, "changes the Authorization header", "(fix|next) restart zdemo serve"
            )
            output.never("few seconds", "reuses an answer")  # of an inactive token, the API keeps none


@pytest.mark.parametrize("headers", [{"X-Request-ID": "4711"}, {"Age": "3"}])
def test_an_answer_that_is_replayed_is_certain(bare: Shell, zitadel: Emulator, headers: dict[str, str]) -> None:
    with upstream(example_api(answer(json_body({"message": "ok"}), headers=headers))) as api:
        output = doctor(bare, settings(zitadel.url, ZDEMO_API_URL=api.url), "api.agrees")
    output.names("caches its answers", next(iter(headers)), "fix let the proxy .* cache no answers").never("it can be")


def test_instances_that_take_turns_are_told_from_their_answers(bare: Shell, zitadel: Emulator, other: Emulator) -> None:
    good, stale = (create_app(Settings.from_env(settings(url))) for url in (zitadel.url, other.url))
    with serving(good) as one, serving(stale) as two, upstream(example_api(taking_turns(one, two))) as proxy:
        output = doctor(bare, settings(zitadel.url, ZDEMO_API_URL=proxy.url), "api.agrees")
    output.names("not steady", "200 and 502|502 and 200", "one instance", "fix restart all instances", "API's log")
    refused = answer(json_body({"error": "invalid_token", "request_id": "1"}), 401)
    accepted = answer(json_body({"message": "ok"}))
    turns = cycle([accepted, refused])
    with upstream(example_api(depending(lambda _: next(turns)))) as api:
        output = doctor(bare, settings(zitadel.url, ZDEMO_API_URL=api.url), "api.agrees")
    output.names("several instances or workers", "200 and 401", "fix restart all instances").never("not steady")


def test_an_answer_that_the_api_reuses_is_waited_for(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, ZDEMO_CACHE_TTL="2")
    with serving(create_app(Settings.from_env(env))) as port:
        env |= {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"}
        assert replace(bare, env=env)("call", "scoped").code == 0
        planter.user("DeactivateUser")
        output = doctor(bare, env, "token.active")
        verbose = replace(bare, env=env)("doctor", "-v")
    output.never("disagree")
    assert "agree" in verbose.out


def example_api(scoped: Behaviour) -> Behaviour:
    """Return an API like zdemo's, whose scoped route behaves as told."""
    challenge = {"WWW-Authenticate": 'Bearer realm="zdemo"'}
    private = answer(json_body({"error": "unauthorized", "request_id": "1"}), 401, headers=challenge)
    others = {"/api/public": answer(json_body({"message": "Public route"})), "/api/private": private}
    return by_path(others, scoped)


def taking_turns(*ports: int) -> Behaviour:
    """Return a load balancer in front of ports of this machine."""
    turns = cycle([relay(f"http://127.0.0.1:{port}") for port in ports])
    return depending(lambda _: next(turns))


MOVED = depending(lambda r: answer(b"", 301, headers={"Location": f"https://api.example{r.target}"}))


@pytest.mark.parametrize(
    ("behaviour", "cause", "fix"),
    [
        (answer(b"", 403, headers={"Server": "AirTunes/775.3.1"}), "AirPlay of macOS", "zdemo serve --port 5001"),
        (answer(b"no upstream", 503, headers={**PLAIN, "Server": "envoy"}), "gateway", "zdemo serve"),
        (answer(b"slow down", 429, headers={**PLAIN, "Retry-After": "7"}), "limited .429.", "wait 7 s"),
        (SAYS_HTTPS, "expects https", "ZDEMO_API_URL=https"),
        (MOVED, "redirects requests to api.example", "ZDEMO_API_URL=https://api.example"),
    ],
)
def test_what_answers_before_the_api_is_not_taken_for_it(
    bare: Shell, zitadel: Emulator, behaviour: Behaviour, cause: str, fix: str
) -> None:
    with upstream(behaviour) as up:
        env = settings(zitadel.url, ZDEMO_API_URL=up.url)
        for output in (doctor(bare, env, "api.identity"), call(bare, env, "scoped")):
            output.names(cause, fix).never("web page", "has a fault", "tokens checked, though")
