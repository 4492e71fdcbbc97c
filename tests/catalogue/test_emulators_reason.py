"""The catalogue of faults at zdemo's own emulator, whose record has the reason: one row per kind of fault.

The other files of the catalogue run at an emulator that tells nobody, as a real ZITADEL.
"""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.catalogue.named_causes import call, doctor, flat, introspect
from tests.catalogue.test_credentials import APP, does
from tests.catalogue.test_one_brain import refreshed
from tests.support.cli import Shell, settings
from tests.support.connection_faults import relay
from tests.support.planting import Planter
from tests.support.secret_forms import jwe
from tests.support.upstream import Received, answer, depending, json_body, upstream
from zdemo.diagnosis.ask.emulators_record import apis_questions, emulators_reason
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, emulate
from zdemo.http.api_call import Call, other_route
from zdemo.http.transport import Transport
from zdemo.server import create_app
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH
from zdemo.zitadel.introspection_client import basic_credentials

MOST_LINES_OF_INTROSPECT, MOST_REQUESTS_OF_DOCTOR, MOST_REQUESTS_OF_A_REFUSED_CALL = 20, 8, 3
MARK = "only the emulator tells: a real ZITADEL would not"


@pytest.fixture
def planter() -> Iterator[Planter]:
    with emulate() as emulator:
        yield Planter(emulator)


def expired(planter: Planter) -> dict[str, str]:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    pat = str(planter.user("AddPersonalAccessToken", expirationDate=tomorrow)["token"])
    planter.emulator.advance(timedelta(days=10, minutes=1))
    return {"PAT": pat}


def user(method: str, **ids: str) -> Callable[[Planter], dict[str, str]]:
    return does(f"UserService/{method}", userId=READER.id, **ids)


FAULTS: dict[str, tuple[Callable[[Planter], dict[str, str]], str, str]] = {
    "an expired PAT": (expired, "token.expired", "the PAT expired 9 days ago"),
    "a deleted PAT": (
        user("RemovePersonalAccessToken", tokenId=READER.token_id),
        "token.deleted",
        "the PAT of the user reader was deleted",
    ),
    "a user who was deactivated": (user("DeactivateUser"), "token.user_deactivated", "the user reader was deactivated"),
    "a user who is active again": (
        lambda planter: user("DeactivateUser")(planter) | user("ReactivateUser")(planter),
        "token.user_was_off",
        "the user reader was deactivated or locked: their older PATs stay inactive",
    ),
    "a user who was locked": (user("LockUser"), "token.user_locked", "the user reader was locked"),
    "a user who was removed": (user("DeleteUser"), "token.user_removed", "the token's user reader was removed"),
    "a token that a refresh ended": (refreshed, "token.refreshed", "a refresh replaced the token"),
    "an unknown token": (lambda _: {"PAT": jwe("PAT")}, "token.token_unknown", "know this token.* create or request"),
    "an unknown client": (lambda _: {"CLIENT_ID": "1" * 18}, "client.client_unknown", "does not know CLIENT_ID"),
    "a wrong secret": (lambda _: {"CLIENT_SECRET": "x" * 64}, "client.wrong_secret", "CLIENT_ID is right"),
    "another's secret": (
        lambda planter: {"CLIENT_ID": planter.app(planter.project()).client_id, "CLIENT_SECRET": CLIENT_SECRET},
        "client.anothers_secret",
        "belongs to another application, emulator-api",
    ),
    "a deleted application": (
        does("ApplicationService/DeleteApplication", **APP),
        "client.application_deleted",
        "the application of CLIENT_ID was deleted",
    ),
    "an inactive application": (
        does("ApplicationService/DeactivateApplication", **APP),
        "client.inactive",
        "the application of CLIENT_ID is deactivated",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_emulators_reason_is_the_cause_and_marked_as_such(bare: Shell, planter: Planter, fault: str) -> None:
    plant, finding, words = FAULTS[fault]
    env = settings(planter.url) | plant(planter)
    planter.emulator.requests.clear()
    failing = "client.accepted" if finding.startswith("client") else "token.active"
    outputs = (doctor(bare, env, failing), introspect(bare, env))
    for output in outputs:
        output.names(words, MARK).never("cannot be told apart", "it can also be")
    assert len(planter.emulator.requests) + 2 <= MOST_REQUESTS_OF_DOCTOR  # with those for the record
    assert f"\nfinding       {finding}\n" in outputs[1].ran.out
    assert len(outputs[1].ran.out.splitlines()) <= MOST_LINES_OF_INTROSPECT


def test_a_request_that_was_changed_on_its_way_names_what_arrived(bare: Shell, planter: Planter) -> None:
    with upstream(relay(planter.url, authorization="Basic cHJveHk6cHJveHk=")) as proxy:
        introspect(bare, settings(planter.url, ZITADEL_INTERNAL_URL=proxy.url)).names("received 'proxy'")


def test_what_an_administrator_sees_of_an_unknown_client_comes_first(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, CLIENT_ID=APP["applicationId"], ZITADEL_ADMIN_PAT=ADMIN.pat)
    introspect(bare, env).names("CLIENT_ID is the resource ID of the application")


def test_a_refused_call_asks_little_and_marks_the_cause_in_its_document(bare: Shell, planter: Planter) -> None:
    with serving(create_app(planter.settings)) as port:
        env = settings(planter.url, ZDEMO_API_URL=f"http://127.0.0.1:{port}") | expired(planter)
        planter.emulator.requests.clear()
        call(bare, env, "scoped").names("the PAT expired 9 days ago", MARK)
        by_the_api, for_the_record = 1, 1
        assert len(planter.emulator.requests) - by_the_api + for_the_record <= MOST_REQUESTS_OF_A_REFUSED_CALL
        assert json.loads(bare("call", "scoped", "--json", **env).out)["certainty"] == "emulator"


def asked(path: str = INTROSPECTION_PATH, token: str = READER.pat, **parts: Any) -> dict[str, Any]:
    return {"path": path, "data": {"token": token}, "auth": (CLIENT_ID, CLIENT_SECRET)} | parts


GRANTS = "/management/v1/users/grants/_search"
AS_USER: dict[str, Any] = {"headers": {"Authorization": f"Bearer {READER.pat}"}, "auth": None}
INVALID = 401, 'Bearer error="invalid_token"', "no"
EXPIRED = 401, 'Bearer error="invalid_token", error_description="token expired"', "no"
NO_ROLE = 403, 'Bearer error="insufficient_scope", scope="read:messages"', "no"
UNCLEAR = 403, 'Bearer error="insufficient_scope"', "no"
STEP_UP, FAILS = (401, 'Bearer error="insufficient_user_authentication", acr_values="mfa"', "no"), (500, "", "no")
OF_ROLE, OF_EMAIL, OF_AUDIENCE = ((403, "", words) for words in ("role missing", "verify your email", "bad aud"))
ELSEWHERE = "in the API, send a form with the token to http[^ ]*/oauth/v2/introspect,"
OWN_APIS: dict[str, tuple[dict[str, Any] | None, tuple[int, str, str], str]] = {  # what it asks, its answer, our words
    "asks with JSON": (asked(data=None, json={"token": READER.pat}), INVALID, f"question .* fix {ELSEWHERE}"),
    "passes on the scheme": (asked(token=f"Bearer {READER.pat}"), INVALID, "likely, .* about another text than"),
    "passes on another token": (asked(token=VISITOR.pat), INVALID, "about another text than .* which is active"),
    "swaps its credentials": (asked(auth=(CLIENT_SECRET, CLIENT_ID)), INVALID, "client .* fix compare"),
    "asks at another host": (asked(host="127.0.0.1"), INVALID, "no instance .* fix in the API, ask http://localhost"),
    "asks at another path": (asked("/oauth/introspect"), INVALID, f"likely, .*/oauth/introspect, which .* {ELSEWHERE}"),
    "asks userinfo": (asked("/oidc/v1/userinfo", **AS_USER), NO_ROLE, f"userinfo, which .* {ELSEWHERE}"),
    "asks about another user": (asked("/oidc/v1/userinfo", data={"access_token": VISITOR.pat}), INVALID, "did not ask"),
    "asks for a token": (asked("/oauth/v2/token"), INVALID, f"/oauth/v2/token, which does not say .* {ELSEWHERE}"),
    "asks for a list": (asked("/.well-known/openid-configuration"), INVALID, f"configuration, which .* {ELSEWHERE}"),
    "asks as the user": (asked(GRANTS, data=None, json={}, **AS_USER), INVALID, f"_search, which .* {ELSEWHERE}"),
    "asks for keys": (asked("/oauth/v2/keys"), INVALID, f"/oauth/v2/keys, which does not say .* {ELSEWHERE}"),
    "reads the answer wrongly": (asked(), INVALID, "active: .* reads that"),
    "misreads the time": (asked(), EXPIRED, "active: .* exp in seconds"),
    "misreads the audience": (asked(), OF_AUDIENCE, "refuses the token's audience"),
    "looks elsewhere": (asked(), NO_ROLE, "why the API looks for .*only the emulator .* the role among the keys"),
    "says no scope": (asked(), UNCLEAR, "why the API looks for .* the role among the keys"),
    "looks elsewhere, it seems": (asked(), OF_ROLE, "most likely, the API looks for .* fix .* the role among the keys"),
    "asks as another": (asked(is_another=True), NO_ROLE, "asks as the application another, and sees the roles in that"),
    "requires more": (asked(), OF_EMAIL, "for a reason of its own"),
    "wants a better login": (asked("/oidc/v1/userinfo", **AS_USER), STEP_UP, "names fix use a token"),
    "fails when refused": (asked(auth=(CLIENT_ID, "x")), FAILS, "question about the token: wrong client secret"),
    "fails later": (asked(), FAILS, "the API itself fails"),
    "fails before": (asked("/oidc/v1/userinfo", **AS_USER), FAILS, "the API itself fails"),
    "does not ask": (None, INVALID, "did not ask (?!.*CLIENT_ID)(?!.*Console).* fix in the API, ask http://localhost"),
    "sees no token": (None, (401, "Bearer", "no"), "did not ask .* fix in the API, take the token from the header"),
    "says so": (None, (403, "", "Not authenticated"), "did not ask .* fix in the API, take the token from the header"),
    "filters": (None, (403, "", "origin not allowed"), "did not ask .* fix check the API's log"),
    "reaches no ZITADEL": (None, (503, "", "away"), "why the API did not ask .* asks another ZITADEL, or none"),
    "remembers": (None, NO_ROLE, "why the API did not ask .* fix try again when that time is over"),
}


@pytest.mark.parametrize("api", OWN_APIS)
def test_what_an_api_of_ones_own_asked_shows_its_fault(bare: Shell, planter: Planter, api: str) -> None:
    question, (status, challenge, words), named = OWN_APIS[api]

    def refuse(_: Received) -> Any:
        if question:
            parts = dict(question)
            if parts.pop("is_another", False):
                app = planter.app(planter.project())
                parts["auth"] = app.client_id, app.client_secret
            url = planter.url.replace("localhost", parts.pop("host", "localhost")) + parts.pop("path")
            requests.post(url, timeout=5, **parts)
        return answer(json_body({"error": words}), status, headers={"WWW-Authenticate": challenge})

    with upstream(depending(refuse)) as own:
        ran = bare("call", f"{own.url}/messages", **settings(planter.url))
        assert re.search(named, flat(ran.out)), ran.all


def test_an_api_that_asks_nothing_is_told_so_by_each_command(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url)
    with upstream(answer(b"", 401, headers={"WWW-Authenticate": INVALID[1]})) as own:
        commands = (("call", f"{own.url}/m"), ("doctor", "--api", f"{own.url}/m", "--only", "api.accepts"))
        bare("introspect", **env)
        for command in commands * 2:
            assert "the API did not ask the emulator" in flat((ran := bare(*command, **env)).out), ran.all


def test_what_others_ask_is_not_taken_for_a_question_of_the_api_or_of_zdemo(planter: Planter) -> None:
    headers, form = {"Authorization": basic_credentials(CLIENT_ID, CLIENT_SECRET)}, {"token": READER.pat}
    parts: dict[str, Any] = {"timeout_seconds": 5, "headers": headers, "form": form}
    with closing(Transport(planter.url, setting="")) as transport:
        *_, own = [transport.send("POST", INTROSPECTION_PATH, **parts) for _ in range(4)]
        first, second, third, _ = (record.at for record in planter.emulator.requests)

        def questions(since: float, until: float) -> int | None:
            response = dataclasses.replace(own, received_at=until, seconds=until - since)
            call = Call(route=other_route("/m", typed="/m"), url="", answer=response)
            known = apis_questions(transport, own, call, 5)
            return known if known is None else len(known)

        at_once_after = math.nextafter(first, math.inf)
        assert (questions(first - 1, third + 1), questions(third + 1, third + 2)) == (3, 0)
        assert questions(at_once_after, third + 1) is None
        assert questions(first, second) is None
        unknown = jwe("PAT")
        refusal = transport.send("POST", INTROSPECTION_PATH, **parts | {"form": {"token": unknown}})
        reasons = [emulators_reason(transport, refusal, 5, token=token) for token in (unknown, READER.pat)]
        assert [reason and reason.id for reason in reasons] == ["token_unknown", "changed"]


def test_a_deleted_key_of_a_service_account_is_named(bare: Shell, planter: Planter) -> None:
    file = planter.key_file(bare.folder)
    planter.user("RemoveKey", keyId=file.stem)
    ran = bare("token", **settings(planter.url, ZITADEL_PROJECT_ID=PROJECT_ID, ZDEMO_USER_KEY_FILE=file.name))
    assert f"the key was deleted, or keyId in its file was changed ({MARK})" in flat(ran.err), ran.all


def test_setup_repairs_what_a_restart_of_the_emulator_lost(bare: Shell, planter: Planter) -> None:
    administrator = {"ZITADEL_ADMIN_PAT": ADMIN.pat}
    assert bare("setup", "--yes", ZITADEL_DOMAIN=planter.url, **administrator).code == 0
    planter.emulator.reset()  # which forgets as much
    introspect(bare, {}).names("the emulator was restarted .* lost what zdemo setup created", "fix zdemo setup --admin")
    introspect(bare, administrator).names("fix zdemo setup creates what is missing")
    assert bare("setup", "--yes", **administrator).code == 0
    assert bare("introspect").code == 0


def test_settings_of_an_emulator_that_is_gone_are_repaired_with_the_pat_of_the_new(
    bare: Shell, planter: Planter
) -> None:
    gone = settings(
        planter.url, CLIENT_ID="1" * 18, CLIENT_SECRET="x" * 64, PAT=jwe("PAT"), ZITADEL_ADMIN_PAT=jwe("PAT")
    )
    introspect(bare, gone).names("does not know CLIENT_ID", "fix zdemo setup --admin-pat asks for")
    (bare.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in gone.items()))
    assert bare("setup", "--yes", "--admin-pat", "-", stdin=ADMIN.pat).code == 0
    assert bare("introspect").code == 0


CONTROL = "/_zdemo/requests"
NAMED = {"Content-Type": "application/json", "X-Zdemo-Emulator": "amber-otter-27", "X-Zdemo-Request": "7"}
RECORDS: dict[str, Any] = {
    "no list": {"requests": 7},
    "no records": {"requests": ["7", None]},
    "no details": {"requests": [{"number": 7, "why": "DELETED", "details": None}]},
    "no number": {"requests": [{"number": 7, "why": "DELETED", "details": ["nan", "x"]}]},
    "no reason": {"requests": [{"number": 7, "why": "{name}", "details": [1, "x"]}]},
    "too many seconds": {"requests": [{"number": 7, "why": "EXPIRED", "details": [10**400, "x"]}]},
    "more than its age": {"requests": [{"number": 7, "why": "EXPIRED", "details": [1e308, "x"]}]},
}


@pytest.mark.parametrize("records", [*RECORDS, "elsewhere"])
def test_a_stranger_that_calls_itself_an_emulator_breaks_nothing(bare: Shell, records: str) -> None:
    def replies(request: Received) -> Any:
        if request.target != CONTROL:
            return answer(json_body({"active": False}), headers=NAMED)
        if records == "elsewhere":
            return answer(b"", 302, headers=NAMED | {"Location": "/other"})
        return answer(json_body(RECORDS[records]), headers=NAMED)

    with upstream(depending(replies)) as stranger:
        ran = bare("introspect", **settings(stranger.url))
        assert "active        no" in ran.out
        assert not re.search(r"\d{20}", ran.out)
        asked = [request for request in stranger.requests if request.target == CONTROL]
        assert len(asked) == 1
        assert not {"authorization", "cookie"} & {name.lower() for name in asked[0].headers}
        assert "/other" not in [request.target for request in stranger.requests]


def test_what_does_not_call_itself_an_emulator_is_not_asked(bare: Shell) -> None:
    headers = {name: value for name, value in NAMED.items() if name != "X-Zdemo-Emulator"}
    with upstream(answer(json_body({"active": False}), headers=headers)) as stranger:
        bare("introspect", **settings(stranger.url))
        assert CONTROL not in [request.target for request in stranger.requests]
