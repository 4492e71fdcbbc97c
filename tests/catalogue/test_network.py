"""The catalogue of faults: the network to ZITADEL, the server that answers, its health, and what answers as the API.

The numbers are those of the catalogue. Each fault is real, and the command must name the cause and the fix.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.catalogue.named_causes import both, call, command, doctor, introspect
from tests.support.certificates import Certificates
from tests.support.cli import Shell, administered, settings
from tests.support.connection_faults import relay
from tests.support.files import update_dotenv
from tests.support.planting import Planter
from tests.support.upstream import Behaviour, answer, depending, hang, json_body, refusing_port, upstream
from zdemo.diagnosis.checks import CHECKS
from zdemo.diagnosis.checks.check import examine
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.finding import Outcome
from zdemo.emulator import CLIENT_ID, PROJECT_ID, READER, VISITOR, Emulator
from zdemo.http.api_call import LOCAL_SECONDS
from zdemo.http.example_api import PUBLIC_ANSWER

NOT_THE_TOKEN = ("token", "credential")
PLAIN, HTML = {"Content-Type": "text/plain"}, {"Content-Type": "text/html", "Server": "nginx/1.27"}
SAYS_HTTPS = answer(b"Client sent an HTTP request to an HTTPS server.", 400, headers=PLAIN)
WELCOME = answer(b"<h1>Welcome</h1>", headers=HTML)
READY, HEALTHY = answer(b'"ok"\n'), answer(b"ok", headers=PLAIN)
AWAY = answer(b"ID=API-F24h2 Message=DB CONNECTION ERROR Parent=(failed to connect)", 412, headers=PLAIN)
NO_DATABASE = (
    b"unable to set instance using origin &{localhost  http} (ExternalDomain is localhost): ID=QUERY-d3fas "
    b"Message=An internal error occurred Parent=(failed to connect to `user=zitadel`)"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def by_path(paths: dict[str, Any], other: Behaviour) -> Behaviour:
    return depending(lambda request: paths.get(request.target.partition("?")[0], other))


def relayed(url: str, instead: dict[str, Behaviour]) -> Behaviour:
    """Relay to ZITADEL, except for some paths."""
    return by_path(instead, relay(url))


def test_01_a_host_that_does_not_resolve(bare: Shell) -> None:
    output = doctor(bare, settings("https://nope.invalid"), "net.resolve")
    output.names("nope.invalid", "does not resolve|DNS", "fix .*ZITADEL_DOMAIN").never("refuse", *NOT_THE_TOKEN)


@pytest.mark.parametrize("says_so", [True, False])
def test_04_http_to_a_tls_port(bare: Shell, certificates: Certificates, says_so: bool) -> None:
    with upstream(SAYS_HTTPS if says_so else READY, tls=None if says_so else certificates.good()) as up:
        output = doctor(bare, settings(f"http://127.0.0.1:{up.port}"), "net.tls")
    output.names("expects https", f"fix .*https://127.0.0.1:{up.port}").never("not a ZITADEL")


@pytest.mark.parametrize(
    ("kind", "trusted", "named", "never"),
    [
        (
            "unknown_authority",
            False,
            ("not trusted", "self-signed|unknown", "fix .*REQUESTS_CA_BUNDLE"),
            ("unreachable", "expired", "verify=|insecure|switch.* off"),
        ),
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


def test_07_a_host_that_is_no_instance(bare: Shell, zitadel: Emulator) -> None:
    env = administered(zitadel.url.replace("localhost", "127.0.0.1"))
    for output in both(bare, env, "zitadel.host"):
        output.names(r"no instance for the host 127.0.0.1 .ZITADEL_DOMAIN.; its ExternalDomain is localhost")
        output.names(f"ZITADEL_DOMAIN={zitadel.url}").never("not a zitadel", *NOT_THE_TOKEN)
    url = zitadel.url.replace("localhost", "0.0.0.0")  # noqa: S104  # a name inside a cluster: it is not loopback
    for output in both(bare, settings(url, ZDEMO_ALLOW_HTTP="1"), "zitadel.host"):
        output.names(f"ZITADEL_DOMAIN={zitadel.url}", f"ZITADEL_INTERNAL_URL={url} also, if")


# --- ZITADEL_INTERNAL_URL

ISSUER = "https://localhost:9443"  # nothing listens there


def inside(url: str, issuer: str = ISSUER, **more: str) -> dict[str, str]:
    """Return the settings of a container that connects to ``url``."""
    return administered(issuer, ZITADEL_INTERNAL_URL=url, **more)


@pytest.mark.thorough
def test_an_internal_url_works_for_every_command(bare: Shell, planter: Planter) -> None:
    url = planter.url.replace("localhost", "127.0.0.1")
    shell = replace(bare, env=inside(url))
    assert shell("introspect", "--json").document["iss"] == ISSUER
    names = ("net.connect", "zitadel.issuer", "token.active", "admin.valid")
    ran = shell("doctor", "--json", *(word for name in names for word in ("--only", name)))
    assert (ran.code, "(ZITADEL_INTERNAL_URL)" in ran.out) == (0, True), ran.all
    assert shell("role", "list").code == 0
    secret = {"ZDEMO_USER_CLIENT_ID": READER.username, "ZDEMO_USER_CLIENT_SECRET": READER.secret}
    for user in (secret, {"ZDEMO_USER_KEY_FILE": planter.key_file(bare.folder).name}):
        ran = shell("token", ZITADEL_PROJECT_ID=PROJECT_ID, **user)
        assert (ran.code, ran.err) == (0, "")
    ran = shell("setup", "--yes", "--project-name", "own", "--app-name", "own-api")
    assert (ran.code, f"{ISSUER} as" in ran.out, ISSUER in (bare.folder / ".env").read_text()) == (0, True, True)
    assert shell("setup", "--teardown", "--yes").code == 0


def test_02_03_what_a_wrong_internal_url_does_is_named(bare: Shell, zitadel: Emulator) -> None:
    url = zitadel.url.replace("localhost", "127.0.0.1")
    with refusing_port() as port:
        closed = doctor(bare, inside(f"http://127.0.0.1:{port}"), "net.connect")
    closed.names(f"127.0.0.1 port {port} refuses", "correct host and port in ZITADEL_INTERNAL_URL")
    plain = doctor(bare, inside(url.replace("http:", "https:")), "net.tls")
    plain.names("speaks plain http", f"fix ZITADEL_INTERNAL_URL={url}")
    with upstream(WELCOME) as up:
        other = [*both(bare, inside(up.url), "zitadel.identity"), command(bare, inside(up.url), "role", "list")]
    for output in (closed, plain, *other):
        output.names("ZITADEL_INTERNAL_URL").never("ZITADEL_DOMAIN", "9443")


SINGLE_SIGN_ON = answer(b"", 302, headers={"Location": "https://sso.example.com/login?next=1"})
KEYCLOAK = answer(json_body({"issuer": "https://keycloak.example/realms/x", "introspection_endpoint": "https://k/i"}))
BLOCKED = answer(b"Your ZITADEL instance is blocked.", 429, headers=PLAIN)
LIMITED = by_path({"/debug/ready": READY, "/debug/healthz": HEALTHY}, BLOCKED)
STOPPED = by_path({"/debug/ready": AWAY, "/debug/healthz": HEALTHY}, answer(NO_DATABASE, 404, headers=PLAIN))
SERVERS: dict[str, tuple[Behaviour, str, tuple[str, ...]]] = {  # the check that fails, and what doctor names
    "a web server": (WELCOME, "identity", ("not a ZITADEL", "nginx|text/html", "fix correct ZITADEL_DOMAIN")),
    "Keycloak": (KEYCLOAK, "identity", ("not a ZITADEL", "another authorization server", "keycloak.example")),
    "a proxy alone": (answer(b"", 502, headers=HTML), "identity", ("proxy", "502", "start ZITADEL")),
    "single sign-on": (SINGLE_SIGN_ON, "identity", ("redirects .*to sso.example", "fix exempt /oauth.*well-known")),
    "a rate limit": (LIMITED, "ready", ("429", "limit|blocked", "wait", "operator")),
    "no database": (STOPPED, "ready", ("database", "(fix|next) start or repair", "try again")),
    "a silent database": (by_path({"/debug/healthz": HEALTHY}, hang), "ready", ("ZITADEL is alive", "database")),
}


@pytest.mark.parametrize("server", SERVERS)
def test_08_34_35_38_53_67_another_server_and_a_zitadel_that_is_ill(bare: Shell, server: str) -> None:
    behaviour, check, named = SERVERS[server]
    with upstream(behaviour) as up:
        seconds = "0.6" if server == "a silent database" else "5"
        report, introspection = both(bare, settings(up.url, ZDEMO_TIMEOUT=seconds), f"zitadel.{check}")
        assert {request.headers["host"] for request in up.requests} == {f"127.0.0.1:{up.port}"}
    report.names(*named)
    introspection.names("not a ZITADEL|another server|proxy|redirects" if check == "identity" else named[0])
    for output in (report, introspection):
        output.never(*NOT_THE_TOKEN, r"\bPAT\b", "user=zitadel", "ExternalDomain", "unreachable", "deleted")


def test_30_a_clock_that_is_off(bare: Shell, zitadel: Emulator) -> None:
    with upstream(relay(zitadel.url, date_shift_seconds=600)) as up:
        output = doctor(bare, settings(f"http://localhost:{up.port}"), warned=("clock.skew",))
    output.names("clock", "600 s|599 s|601 s", "behind", "fix synchronise")


def test_52_an_issuer_of_another_scheme(bare: Shell, zitadel: Emulator, certificates: Certificates) -> None:
    with upstream(relay(zitadel.url), tls=certificates.good("localhost")) as up:
        url = f"https://localhost:{up.port}"
        output = doctor(bare, settings(url, REQUESTS_CA_BUNDLE=str(certificates.bundle)), "zitadel.issuer")
    output.names(url, f"http://localhost:{up.port}", "fix set ExternalSecure .* X-Forwarded-Proto: https")


def test_55_a_server_that_stays_silent(bare: Shell) -> None:
    named = (r"no answer .*within 0\.\d s", "check whether that server hangs", "ZDEMO_TIMEOUT")
    with upstream(hang) as up:
        doctor(bare, settings(up.url, ZDEMO_TIMEOUT="0.6"), "zitadel.identity").names(*named).never("refuse")
        env = settings("http://localhost:1", ZDEMO_API_URL=up.url, ZDEMO_TIMEOUT="0.6")
        call(bare, env).names(*named).never("refuse")


def test_the_api_and_zitadel_in_each_others_place_are_named(bare: Shell, zitadel: Emulator, api: str) -> None:
    output = doctor(bare, settings(api), "zitadel.identity")
    output.names("not a ZITADEL", "zdemo API", "ZDEMO_API_URL")
    env = administered(zitadel.url, ZDEMO_API_URL=zitadel.url)
    doctor(bare, env, "api.identity").names("is ZITADEL itself", "correct ZDEMO_API_URL")


def test_whatever_hangs_the_doctor_is_done_when_its_time_is_over(zitadel: Emulator, tmp_path: Path) -> None:
    """Each of the servers would hang for a minute, if doctor let it."""
    passes = relay(zitadel.url, passes=lambda target: not target.startswith("/oauth/v2/introspect"))
    with upstream(passes) as up, upstream(hang) as api:
        variables = administered(f"http://localhost:{up.port}", ZDEMO_TIMEOUT="60", ZDEMO_API_URL=api.url)
        update_dotenv(tmp_path / ".env", variables)
        reports = list(examine(CHECKS, DoctorContext(tmp_path / ".env", most_seconds=0.5)))
    assert Outcome.FAIL in [report.result.outcome for report in reports]
    assert sum(report.seconds for report in reports) < 30


# --- proxies


def proxied(proxy: str, url: str = "http://zitadel.example", name: str = "HTTP_PROXY") -> dict[str, str]:
    return settings(url, ZDEMO_ALLOW_HTTP="1", HTTPS_PROXY=proxy) | {name: proxy}


def test_61_a_proxy_that_is_not_running_or_not_used(bare: Shell, zitadel: Emulator) -> None:
    with refusing_port() as port:
        for name, proxy in (("http_proxy", f"http://127.0.0.1:{port}"), ("ALL_PROXY", f"127.0.0.1:{port}")):
            for output in both(bare, proxied(proxy, name=name), "net.proxy"):
                output.names(f"nothing listens at the proxy 127.0.0.1 port {port}, which {name} names", "start the")
                output.names(f"unset {name} ").never("resolve", "HTTPS_PROXY", *NOT_THE_TOKEN)
        proxied_https = settings("https://localhost:1", HTTPS_PROXY=f"localhost:{port}")
        introspect(bare, proxied_https).names(f"nothing listens at the proxy localhost port {port}, which HTTPS_PROXY")
        doctor(bare, proxied(f"http://127.0.0.1:{port}", zitadel.url))  # loopback needs none


@pytest.mark.parametrize(
    ("variable", "proxy", "named"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", ("SOCKS", "no request was sent")),
        ("HTTPS_PROXY", "http://proxy:port", ("is not an address", "no request was sent")),
    ],
)
def test_61_a_proxy_that_cannot_be_used(bare: Shell, variable: str, proxy: str, named: tuple[str, ...]) -> None:
    for output in both(bare, settings("https://zitadel.example", **{variable: proxy}), "net.proxy"):
        output.names("proxy", "NO_PROXY", *named).never("not HTTP, or is cut off")


def test_introspection_alone_that_is_changed_does_not_make_it_another_server(bare: Shell, zitadel: Emulator) -> None:
    with upstream(relayed(zitadel.url, {"/oauth/v2/introspect": answer(json_body({"active": "true"}))})) as up:
        for output in both(bare, settings(f"http://localhost:{up.port}"), "client.accepted"):
            output.names("changes the request or the answer", "only this path").never("not a ZITADEL")


def test_discovery_alone_that_is_blocked_stops_nothing(bare: Shell, zitadel: Emulator) -> None:
    blocked = answer(b"<h1>no</h1>", 403, headers=HTML)
    with upstream(relayed(zitadel.url, {"/.well-known/openid-configuration": blocked})) as up:
        output = doctor(bare, settings(f"http://localhost:{up.port}"), warned=("zitadel.host",))
    output.names("something in front of it answers", "pass GET /.well-known/openid-configuration")
    assert "✓ credentials" in output.ran.out


# --- what answers in place of the API, or disagrees with ZITADEL


MOVED = depending(lambda r: answer(b"", 301, headers={"Location": f"https://api.example{r.target}"}))
WANTS_JWT = answer(json_body({"message": "Unauthorized"}), 401)


@pytest.mark.parametrize(
    ("behaviour", "doctors", "calls"),
    [
        (WANTS_JWT, ("refuses /api/public", "JWTs", "zdemo doctor --api"), ("gateway", "JWTs")),
        (MOVED, ("redirects requests to api.example", "ZDEMO_API_URL=https://api.example"), ()),
    ],
)
def test_what_is_in_front_of_the_api_or_in_its_place_is_named(
    bare: Shell, zitadel: Emulator, behaviour: Behaviour, doctors: tuple[str, ...], calls: tuple[str, ...]
) -> None:
    never = ("not a zdemo API|zdemo serve starts it", "web page", "has a fault", "tokens checked, though")
    with upstream(behaviour) as up:
        env = settings(zitadel.url, ZDEMO_API_URL=up.url)
        doctor(bare, env, "api.identity").names(*doctors).never(*never)
        call(bare, env, "scoped").names(*(calls or doctors)).never(*never)


def example_api(scoped: Behaviour, **identity: str | None) -> Behaviour:
    """Return an API like zdemo's, whose scoped route behaves as told, and which may tell its identity."""
    challenge = {"WWW-Authenticate": 'Bearer realm="zdemo"'}
    private = answer(json_body({"error": "unauthorized", "request_id": "1"}), 401, headers=challenge)
    others = {"/api/public": answer(json_body(PUBLIC_ANSWER)), "/api/private": private}
    if identity:
        others["/-/identity"] = answer(json_body(identity))
    return by_path(others, scoped)


UNKNOWN_THERE = (
    "disagree",
    "started before its settings",
    "asks another ZITADEL",
    "another CLIENT_ID or ZITADEL_PROJECT",
)


def test_an_api_that_disagrees_with_zitadel(bare: Shell, zitadel: Emulator) -> None:
    with upstream(example_api(answer(json_body({"message": "ok"})))) as api:
        env = settings(zitadel.url, ZDEMO_API_URL=api.url, PAT=VISITOR.pat)
        output = doctor(bare, env, "role.granted", "api.agrees")
    output.names(*UNKNOWN_THERE, "ZDEMO_CACHE_TTL", "restart zdemo serve", "compare .*ZITADEL_INTERNAL_URL")
    refusal = json_body({"error": "invalid_token", "request_id": "1"})
    refused = answer(refusal, 401, headers={"WWW-Authenticate": 'Bearer realm="zdemo", error="invalid_token"'})
    with upstream(example_api(refused)) as api:
        env = settings(zitadel.url, ZDEMO_API_URL=api.url)
        for output in (doctor(bare, env, "api.agrees"), call(bare, env, "scoped")):
            output.names(*UNKNOWN_THERE, "changes the Authorization header", "(fix|next) restart zdemo serve")
            output.never("reuses an")  # of an inactive token, the API keeps none
    with upstream(example_api(refused, issuer=zitadel.url, client_id="7", project_id=PROJECT_ID)) as api:
        env = settings(zitadel.url, ZDEMO_API_URL=api.url, ZITADEL_PROJECT_ID=PROJECT_ID)
        for output in (doctor(bare, env, "api.agrees"), call(bare, env, "scoped")):
            output.names(f"the API uses another application: client ID 7, not {CLIENT_ID}").never(*UNKNOWN_THERE[:2])
            output.names("(fix|next) restart zdemo serve", "correct ZDEMO_API_URL")


def test_28_an_api_on_this_machine_that_does_not_run_or_is_silent(bare: Shell, zitadel: Emulator) -> None:
    with refusing_port() as port:
        env = settings("http://localhost:1", ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        call(bare, env).names(f"{port} refuses", "zdemo serve", "ZDEMO_API_URL").never("ZITADEL refuses")
    with upstream(hang) as silent:
        env = settings(zitadel.url, ZDEMO_API_URL=silent.url)
        # which costs doctor no whole step
        doctor(bare, env, "api.reachable").names(rf"within {LOCAL_SECONDS:g} s")
