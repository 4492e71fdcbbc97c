"""``zdemo verify --mcp`` of MCP servers with one fault each; protected resources are graded too."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.asgi.asgi_apis import on_uvicorn
from tests.support.apis import settings_for
from zdemo.asgi import protect
from zdemo.emulator import PROJECT_ID, Emulator
from zdemo.guard.guard import Guard
from zdemo.serving.embedded import LOOPBACK
from zdemo.verify.api_client import ApiClient
from zdemo.verify.case import Mark
from zdemo.verify.cases.mcp import MESSAGE
from zdemo.verify.emulated_issuer import emulated_issuer
from zdemo.verify.examine import examine
from zdemo.verify.run import VerifyRun
from zdemo.zitadel.introspection_answer import Introspection, Introspector, roles_claim_of
from zdemo.zitadel.introspection_client import IntrospectionClient

ROLE = "tools:use"
RESOURCE = "https://api.example.com/mcp"
Change = Callable[[Guard], Guard]


@dataclass
class LocalJwts:
    """An introspector that takes any JWT for a valid one, as a server that looks at no audience does."""

    inner: Introspector

    def introspect(self, token: str) -> Introspection:
        if token.count(".") != 2:
            return self.inner.introspect(token)
        claims = {"client_id": "app", roles_claim_of(PROJECT_ID): {ROLE: {"1": "x"}}}
        return Introspection(active=True, claims=claims, audience=(PROJECT_ID,))


def policy(**changed: Any) -> Change:
    return lambda guard: replace(guard, policy=replace(guard.policy, **changed))


def challenge(**changed: Any) -> Change:
    return lambda guard: replace(guard, resource=replace(guard.resource, **changed))  # type: ignore[type-var]  # it has one


FAULTS: dict[str, tuple[Change, set[str]]] = {
    "none": (lambda guard: guard, set()),
    "no metadata in the challenge": (challenge(metadata_url=""), set()),  # the well-known address is enough
    "no metadata": (challenge(paths=frozenset(), metadata_url=""), {"mcp.metadata"}),
    "PATs": (policy(admits_pats=True), {"mcp.pat"}),
    "JWTs of other projects": (lambda guard: guard, {"mcp.other_project"}),
    "no role": (policy(roles=()), {"mcp.role_missing"}),
    "nobody": (policy(audience=frozenset({"x"})), {"mcp.accepts"}),
}


def mcp_server(emulator: Emulator, introspector: Introspector, change: Change) -> Starlette:
    async def answer(request: Request) -> Response:
        assert (await request.json())["method"] == "initialize"
        return JSONResponse({}, status_code=406 if "event-stream" not in request.headers["accept"] else 200)

    app = Starlette(routes=[Route("/mcp", answer, methods=["POST"])])
    protect(app, settings_for(emulator.url), introspector, resource=RESOURCE, role=ROLE)
    app.state.zdemo = change(app.state.zdemo)
    return app


def failed(emulator: Emulator, app: ASGIApp) -> dict[str, str]:
    with ExitStack() as stack:
        port = stack.enter_context(on_uvicorn(app)).port
        client = ApiClient(f"http://{LOOPBACK}:{port}", "/mcp", 60, message=MESSAGE)
        issuer = stack.enter_context(emulated_issuer(emulator, PROJECT_ID))
        issuer.gives_pats = False
        api = stack.enter_context(closing(client))
        run = VerifyRun(api=api, issuer=issuer, role=ROLE, mcp=True, issuer_url=emulator.url)
        return {report.case.id: report.verdict.seen for report in examine(run) if report.mark is Mark.FAIL}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_an_mcp_server_fails_its_own_case_and_no_other(fault: str, emulator: Emulator) -> None:
    change, expected = FAULTS[fault]
    with closing(IntrospectionClient(settings_for(emulator.url), connections=4)) as client:
        introspector = LocalJwts(client) if fault.startswith("JWTs") else client
        assert failed(emulator, mcp_server(emulator, introspector, change)).keys() == expected
