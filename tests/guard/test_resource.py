"""An API as a protected resource (RFC 9728): its metadata, its challenges, and whose tokens it admits."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.asgi.asgi_apis import on_uvicorn
from tests.support.apis import Endpoint, environment_of, running, settings_for
from tests.support.wire import Reply, bearer, request
from zdemo import asgi, server
from zdemo.config.settings import Settings
from zdemo.emulator import PROJECT_ID, Emulator, emulate
from zdemo.errors import GuardError, SettingsError
from zdemo.serving.embedded import serving
from zdemo.verify.emulated_issuer import EmulatedIssuer, emulated_issuer

RESOURCE = "https://api.example.com/mcp"
ROOT = "/.well-known/oauth-protected-resource"
ROLE = "tools:use"
FRAMEWORKS = ("Flask", "Starlette")
SCOPE = f"urn:zitadel:iam:org:project:id:{PROJECT_ID}:aud urn:zitadel:iam:org:projects:roles"
END = f'scope="{SCOPE}", resource_metadata="https://api.example.com{ROOT}/mcp"'
ROLE_END = END.replace(f'{SCOPE}"', f'{SCOPE} urn:zitadel:iam:org:project:role:{ROLE}"')


class Site(NamedTuple):
    zitadel: Emulator
    issuer: EmulatedIssuer

    @property
    def settings(self) -> Settings:
        return settings_for(self.zitadel.url)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with emulate() as zitadel, emulated_issuer(zitadel, PROJECT_ID) as issuer:
        yield Site(zitadel, issuer)


def flask_app() -> Flask:
    app = Flask("resource")
    app.add_url_rule("/<path:path>", "echo", lambda path: path)  # it matches the metadata's paths, too
    app.add_url_rule("/open", "open", server.open_route(lambda: "open"))
    return app


def starlette_app() -> Starlette:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["path"])

    cors = Middleware(CORSMiddleware, allow_origins=["https://a.example"], allow_credentials=True)
    return Starlette(routes=[Route("/{path:path}", echo)], middleware=[cors])


def serve(framework: str, given: Any, **more: Any) -> AbstractContextManager[Endpoint]:
    if framework == "Flask":
        return running(server.protect(flask_app(), given, **more))
    return on_uvicorn(asgi.protect(starlette_app(), given, **more))


@pytest.fixture(scope="module", params=FRAMEWORKS)
def api(request: pytest.FixtureRequest, site: Site) -> Iterator[Endpoint]:
    with serve(request.param, site.settings, resource=RESOURCE, role=ROLE) as running_api:
        yield running_api


def ask(api: Endpoint, path: str, *fields: str, method: str = "GET") -> Reply:
    return api.send(request(path, *fields, method=method))


def test_the_metadata_is_at_both_addresses_from_the_setting_alone(api: Endpoint, site: Site) -> None:
    document = {
        "resource": RESOURCE,
        "authorization_servers": [site.zitadel.url],
        "scopes_supported": SCOPE.split(),
        "bearer_methods_supported": ["header"],
    }
    for path in (ROOT, f"{ROOT}/mcp", f"{ROOT}/mcp?x=1"):
        forged = [request(path, bearer("x"), "X-Forwarded-Host: evil.example", host=host) for host in ("evil", "a:1")]
        for reply in (ask(api, path), *map(api.send, forged)):
            assert (reply.status, reply.json, reply.one("vary")) == (200, document, None)
    for path in (f"{ROOT}/", f"{ROOT}/mcp/", f"{ROOT}/other", "/x" + ROOT, "/mcp" + ROOT):
        assert ask(api, path).status == 401


def test_the_metadata_can_only_be_read_also_by_scripts_of_any_origin(api: Endpoint) -> None:
    get, head = (ask(api, ROOT, method=method) for method in ("GET", "HEAD"))
    assert (head.status, head.body, head.one("content-type")) == (200, b"", get.one("content-type"))
    origin = "Origin: https://a.example"  # which the app in Starlette knows, and allows more
    read = ask(api, ROOT, origin)
    assert (read.one("access-control-allow-origin"), read.one("access-control-allow-credentials")) == ("*", None)
    asked = ask(api, ROOT, origin, "Access-Control-Request-Method: GET", method="OPTIONS")
    assert (asked.status, asked.one("access-control-allow-origin")) == (204, "*")
    assert (asked.one("access-control-allow-methods"), asked.one("access-control-allow-headers")) == ("GET", "*")
    for method in ("POST", "DELETE"):
        refused = ask(api, ROOT, method=method)
        assert (refused.status, refused.one("allow")) == (405, "GET, HEAD, OPTIONS")


# what is sent: status, and the challenge behind the realm
CASES: dict[str, tuple[int, str]] = {
    "no token": (401, END),
    "a made-up token": (401, f'error="invalid_token", {END}'),
    "a malformed header": (400, f'error="invalid_request", {END}'),
    "a token of the project without the role": (403, f'error="insufficient_scope", {ROLE_END}'),
    "a PAT of a user with the role": (401, f'error="invalid_token", {END}'),
    "a token of another project, whose user has the role there": (401, f'error="invalid_token", {END}'),
    "a JWT of another project": (401, f'error="invalid_token", {END}'),
    "a token whose client_id is not a text": (401, f'error="invalid_token", {END}'),
    "a token for the API application, not the project": (401, f'error="invalid_token", {END}'),
    "a token of the project with the role": (200, ""),
    "a JWT of the project with the role": (200, ""),
}


def token_for(what: str, site: Site) -> str:
    odd: dict[str, dict[str, object]] = {
        "a token whose client_id is not a text": {"client_id": ["app"]},
        "a token for the API application, not the project": {"client_id": "app", "aud": [site.settings.client_id]},
    }
    if what in odd or what.startswith("a PAT"):
        return site.issuer.issue(ROLE, pat=True, claims=odd.get(what)).token
    role = "" if "without the role" in what else ROLE
    return site.issuer.issue(role, elsewhere="of another project" in what, as_jwt="JWT" in what, pat=False).token


@pytest.mark.parametrize("what", CASES)
def test_who_is_let_in_and_what_a_challenge_says(api: Endpoint, site: Site, what: str) -> None:
    status, challenge = CASES[what]
    given = {"no token": (), "a made-up token": (bearer("a" * 71),), "a malformed header": ("Authorization: Bearer",)}
    reply = ask(api, "/mcp", *(given[what] if what in given else (bearer(token_for(what, site)),)))
    assert (reply.status, reply.one("www-authenticate")) == (
        status,
        f'Bearer realm="zdemo", {challenge}' if challenge else None,
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_setting_does_the_same_and_a_role_stands_beside_that_of_a_route(
    framework: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {**environment_of(site.settings), "ZDEMO_RESOURCE": RESOURCE}
    caplog.set_level(logging.INFO)
    with serve(framework, variables, open_routes=["/open"]) as api:
        assert f"no token needed for: /open, {ROOT}, {ROOT}/mcp" in caplog.text
        assert ask(api, "/a", bearer(site.issuer.issue("", pat=False).token)).status == 200  # no role is required
        assert ask(api, "/a").one("www-authenticate") == f'Bearer realm="zdemo", {END}'
        assert ask(api, ROOT).json["resource"] == RESOURCE
    with serve(framework, variables, resource="https://b.example", role=ROLE) as api:  # what stands in the code counts
        assert (ask(api, ROOT).json["resource"], ask(api, f"{ROOT}/mcp").status) == ("https://b.example", 401)
        assert ask(api, "/a", bearer(site.issuer.issue("other", pat=False).token)).status == 403
    with serve(framework, site.settings, role=ROLE) as api:  # a role alone changes neither challenge nor status
        assert ask(api, ROOT).status == 401
        refused = ask(api, "/a", bearer(site.issuer.issue().token))
        assert (refused.status, "resource_metadata" in str(refused.fields)) == (401, False)
        assert ask(api, "/a", bearer(site.issuer.issue(ROLE).token)).status == 200


def test_below_a_prefix_the_full_path_counts_as_well_as_the_apps_own(site: Site) -> None:
    resource = "https://api.example.com/a/mcp"
    flask = server.protect(flask_app(), site.settings, resource=resource)
    prefixes: dict[str, Any] = {"/a": flask, ROOT: flask}
    with serving(DispatcherMiddleware(Flask("none"), prefixes)) as port:
        paths = (f"{ROOT}/a/mcp", f"/a{ROOT}/a/mcp", f"/a{ROOT}", ROOT, f"/b{ROOT}")
        assert [ask(Endpoint(port=port), path).status for path in paths] == [200, 200, 200, 200, 404]
    inner = asgi.protect(starlette_app(), site.settings, resource=resource)
    with on_uvicorn(Starlette(routes=[Mount(prefix, inner) for prefix in prefixes])) as api:
        assert [ask(api, path).status for path in paths[:3]] == [200, 200, 200]
        assert ask(api, f"/b{ROOT}").status == 404


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("resource", [None, "", " ", 7, b"https://a.example", f"{RESOURCE}#a", "http://a.example"])
def test_a_wrong_resource_in_the_code_is_an_error(framework: str, resource: Any) -> None:
    settings = settings_for("https://zitadel.example")
    for given in (settings, environment_of(settings)):
        with pytest.raises((GuardError, SettingsError), match=r"^resource "):
            serve(framework, given, resource=resource)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_settings_without_a_project_admit_nobody_to_a_resource(framework: str) -> None:
    settings = settings_for("https://zitadel.example", project_id=None)
    for given in (settings, environment_of(settings)):
        with pytest.raises((GuardError, SettingsError), match="ZITADEL_PROJECT_ID"):
            serve(framework, given, resource=RESOURCE)
    for role in (None, "", ["a"]):
        with pytest.raises(GuardError, match="role is"):
            serve(framework, settings, role=role)
