"""The order of the questions, and what is not asked: against an API that answers nothing but 401."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from flask import Flask, Response, request

from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, Emulator
from zdemo.errors.response import Response as Reply
from zdemo.http.transport import Transport
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.verify.api_client import ApiClient
from zdemo.verify.case import Case, Mark
from zdemo.verify.emulated_issuer import EmulatedIssuer, emulated_issuer
from zdemo.verify.examine import examine, grade, in_groups
from zdemo.verify.run import VerifyRun
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH
from zdemo.zitadel.introspection_client import basic_credentials


@pytest.fixture(scope="module")
def client() -> Iterator[ApiClient]:
    app = Flask("closed")
    app.register_error_handler(404, lambda _: Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="x"'}))
    with serving(app) as port, closing(ApiClient(f"http://{LOOPBACK}:{port}", "/messages", 60)) as client:
        yield client


def introspected(emulator: Emulator) -> Reply:
    headers = {"Authorization": basic_credentials(CLIENT_ID, CLIENT_SECRET)}
    with closing(Transport(emulator.url, setting="")) as transport:
        return transport.send("POST", INTROSPECTION_PATH, timeout_seconds=5, headers=headers, form={"token": "a"})


@pytest.fixture(scope="module")
def jwt_api(emulator: Emulator) -> Iterator[ApiClient]:
    """An API that lets in whatever looks like a JWT, and refuses other tokens with the status in its path."""
    app = Flask("jwt")

    @app.get("/<int:status>")
    @app.get("/<int:status>/asks", defaults={"asks": True})
    def messages(status: int, *, asks: bool = False) -> tuple[str, int]:
        token = request.headers.get("Authorization", "")
        is_jwt = token.count(".") == 2
        if is_jwt and asks:
            introspected(emulator)
        return "", 200 if is_jwt else status if token else 401

    with serving(app) as port, closing(ApiClient(f"http://{LOOPBACK}:{port}", "/401", 60)) as client:
        yield client


@pytest.fixture(scope="module")
def issuer(emulator: Emulator) -> Iterator[EmulatedIssuer]:
    with emulated_issuer(emulator, PROJECT_ID) as running:
        yield running


def a_run(client: ApiClient, issuer: EmulatedIssuer | None, *, gone: str = "") -> VerifyRun:
    return VerifyRun(api=client, issuer=issuer, role="reader", gone=lambda: gone)


def test_what_builds_on_a_failed_case_is_not_asked(client: ApiClient, issuer: EmulatedIssuer) -> None:
    told: list[Case] = []
    reports = list(examine(a_run(client, issuer), tell=lambda _at, _of, case: told.append(case)))
    assert all(before.stage <= after.stage for before, after in pairwise(told))
    marks = {report.case.id: report for report in reports}
    assert marks["safe.no_token"].mark is Mark.PASS
    assert marks["correct.accepts"].mark is Mark.FAIL
    assert marks["safe.shared_cache"].verdict.seen == "needs correct.accepts"
    assert all(report.mark is Mark.SKIP for report in reports if "correct.accepts" in report.case.builds_on)
    passed, counted = grade(in_groups(reports)["safe"])  # type: ignore[index]  # a group is its text
    assert 0 < passed <= counted < len(in_groups(reports)["safe"])  # type: ignore[index]  # as above


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/401", "(although a JWT is let in: the API verifies JWTs itself, without ZITADEL) 401"),
        ("/401/asks", "401"),
        ("/503", "(ZITADEL was not asked: the API may have another address of it) 503"),
    ],
)
def test_an_api_that_verifies_jwts_is_named(jwt_api: ApiClient, issuer: EmulatedIssuer, path: str, seen: str) -> None:
    jwt_api.path = path
    (report,) = examine(a_run(jwt_api, issuer), ["correct.accepts"])
    assert report.verdict.seen == f"GET {path} {seen}"


def test_a_case_that_was_not_requested_shows_only_if_it_failed(client: ApiClient, issuer: EmulatedIssuer) -> None:
    reports = list(examine(a_run(client, issuer), ["polite.cache"]))
    assert [(report.case.id, report.mark) for report in reports] == [
        ("correct.accepts", Mark.FAIL),
        ("polite.cache", Mark.SKIP),
    ]


@pytest.mark.parametrize(
    ("seconds", "gone", "why"),
    [(-1.0, "", "not asked: -1 s were over"), (60.0, "api ended (exit code 3)", "not asked: api ended (exit code 3)")],
)
def test_what_was_not_asked_says_why(seconds: float, gone: str, why: str) -> None:
    with closing(ApiClient(f"http://{LOOPBACK}", "/messages", seconds)) as client:
        reports = list(examine(a_run(client, None, gone=gone)))
    first = next(report for report in reports if report.case.id == "safe.no_token")
    assert (first.mark, first.verdict.seen) == (Mark.UNASKED, why)
    assert {report.mark for report in reports} == {Mark.UNASKED, Mark.SKIP}


def test_a_redirect_keeps_method_and_body(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    started = time.time()
    with issuer.fault("redirect"):
        answer = introspected(emulator)
        assert issuer.introspections(started) == 1
    assert answer.status == 307
    with closing(Transport(answer.headers["location"], setting="")) as transport:
        transport.send("POST", "/", timeout_seconds=5, headers={"Authorization": "Basic abc"}, form={"token": "t"})
    assert [b"Basic abc" in request and b"token=t" in request for request in issuer.collected] == [True]
    assert introspected(emulator).status == 200
