"""Token exchange (RFC 8693): what becomes of a token, and who acts for whom."""

from typing import Any

import pytest
import requests

from tests.support.emulator_target import USERINFO, Server, answer, bearer, oauth_refusal
from tests.support.introspector_doubles import Clock
from tests.support.logins import Client, add_administrator, add_client, claims
from tests.support.oauth import assertion, key_pair
from tests.support.zitadel_api import Api
from zdemo.emulator import ADMIN, ORGANIZATION_ID, PROJECT_ID, Emulator
from zdemo.emulator.entities import INSTANCE, NEVER
from zdemo.emulator.oidc.token_exchange import ACCESS, ID, JWT, REFRESH, USER_ID
from zdemo.emulator.seed import PERSON_ID, READER, VISITOR

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS = [f"OIDC_GRANT_TYPE_{grant}" for grant in ("AUTHORIZATION_CODE", "REFRESH_TOKEN", "TOKEN_EXCHANGE")]
OWNER = "urn:zitadel:iam:user:resourceowner"
NO_SUBJECT = oauth_refusal("invalid_request", "subject_token invalid")
NO_ACTOR = oauth_refusal("invalid_request", "actor_token invalid")


@pytest.fixture(scope="module")
def app(emulator: Emulator) -> Client:
    """An application of an emulator that allows impersonation, and to which tests only add."""
    emulator.world.security["enableImpersonation"] = True
    return add_client(emulator, "BASIC", grantTypes=GRANTS)


@pytest.fixture(scope="module")
def tokens(app: Client) -> dict[str, Any]:
    return app.log_in("ada", scope="openid profile email offline_access")


def exchange(app: Client, subject: str = "", kind: str = ACCESS, **form: Any) -> requests.Response:
    return app.token(GRANT, subject_token=subject, subject_token_type=kind, **form)


def as_ada(app: Client, actor: str, **form: Any) -> requests.Response:
    return exchange(app, PERSON_ID, USER_ID, actor_token=actor, actor_token_type=ACCESS, **form)


def test_the_new_token_has_fewer_scopes_and_no_time_of_login(app: Client, tokens: dict[str, Any]) -> None:
    exchanged = exchange(app, tokens["access_token"], scope="openid").json()
    assert (exchanged["issued_token_type"], exchanged["token_type"], exchanged["scope"]) == (ACCESS, "Bearer", "openid")
    assert "refresh_token" not in exchanged
    old, new = (app.introspect(t["access_token"]) for t in (tokens, exchanged))
    assert (old["active"], new["active"], new["scope"], new["client_id"]) == (True, True, "openid", app.client_id)
    assert (new["sub"], new["aud"], new["amr"]) == (old["sub"], old["aud"], ["pwd"])
    id_token = claims(exchanged["id_token"])
    assert ("auth_time" in old, "auth_time" in new, id_token["azp"]) == (True, False, app.client_id)
    assert {"at_hash", "sid", "auth_time", "nonce", "act"} & id_token.keys() == {"at_hash"}


def test_other_kinds_of_tokens_are_issued(app: Client, tokens: dict[str, Any]) -> None:
    access = exchange(app, tokens["access_token"], scope="openid", requested_token_type=JWT).json()
    assert (access["issued_token_type"], app.introspect(access["access_token"])["sub"]) == (JWT, PERSON_ID)
    id_token = exchange(app, tokens["access_token"], scope="openid", requested_token_type=ID).json()
    assert (id_token["issued_token_type"], id_token["token_type"], "id_token" in id_token) == (ID, "N_A", False)
    assert {"sub", "jti", "at_hash"} & claims(id_token["access_token"]).keys() == {"sub"}


def test_a_pat_is_for_every_application(app: Client) -> None:
    exchanged = exchange(app, READER.pat, scope="openid").json()
    token = app.introspect(exchanged["access_token"])
    assert (token["sub"], token["aud"], "amr" in token) == (READER.id, [app.client_id, PROJECT_ID], False)
    assert "read:messages" in token["urn:zitadel:iam:org:project:roles"]


def test_a_request_is_refused(app: Client, tokens: dict[str, Any]) -> None:
    sent = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS}
    for form, error, description in (
        ({"subject_token": ""}, "invalid_request", "subject_token missing"),
        ({"subject_token_type": ""}, "invalid_request", "subject_token_type missing"),
        ({"subject_token_type": "x"}, "invalid_request", "subject_token_type is not supported"),
        ({"requested_token_type": "x"}, "invalid_request", "requested_token_type is not supported"),
        ({"actor_token_type": "x"}, "invalid_request", "actor_token_type is not supported"),
        ({"requested_token_type": REFRESH}, "invalid_request", "Errors.TokenExchange.Token.TypeNotSupported"),
        ({"subject_token": "garbage"}, "invalid_request", "subject_token invalid"),
        ({"subject_token_type": REFRESH}, "invalid_request", "subject_token invalid"),
        ({"resource": "https://api.example"}, "invalid_target", "resource parameter not supported"),
        ({"audience": "7"}, "invalid_target", 'audience "7" not found in subject or actor token'),
        ({"scope": "openid phone"}, "invalid_scope", 'scope "phone" not found in subject or actor token'),
    ):
        assert answer(app.token(GRANT, **(sent | form))) == oauth_refusal(error, description)


def test_a_token_for_another_client_is_refused_as_a_subject(app: Client) -> None:
    credentials = {"client_id": READER.username, "client_secret": READER.secret, "scope": "openid"}
    tokens = app.token("client_credentials", client=False, **credentials).json()
    assert answer(exchange(app, tokens["access_token"])) == NO_SUBJECT


def test_an_id_token_has_no_scopes_and_needs_an_organization(app: Client, tokens: dict[str, Any]) -> None:
    assert answer(exchange(app, tokens["id_token"], ID)) == NO_SUBJECT
    full = app.log_in("ada", scope=f"openid {OWNER}")["id_token"]
    status, body = answer(exchange(app, full, ID))
    assert (status, body["error"], body["error_description"][:9]) == (400, "invalid_request", "The scope")
    refusal = oauth_refusal("invalid_scope", 'scope "openid" not found in subject or actor token')
    assert answer(exchange(app, full, ID, scope="openid")) == refusal


def test_it_is_off_by_default(own: Emulator) -> None:
    app = add_client(own, "BASIC", grantTypes=GRANTS)
    status, body = answer(as_ada(app, add_administrator(own, "IAM_END_USER_IMPERSONATOR")[1]))
    assert (status, body["error_description"]) == (403, "Errors.TokenExchange.Impersonation.PolicyDisabled")


@pytest.mark.parametrize("role", ["IAM_END_USER_IMPERSONATOR", "IAM_ADMIN_IMPERSONATOR", "ORG_END_USER_IMPERSONATOR"])
def test_the_token_is_of_the_user_and_says_who_acts(emulator: Emulator, app: Client, role: str) -> None:
    actor, pat = add_administrator(emulator, role)
    exchanged = as_ada(app, pat, scope="openid profile email").json()
    act = {"iss": emulator.url, "sub": actor.id}
    token, id_token = app.introspect(exchanged["access_token"]), claims(exchanged["id_token"])
    assert (token["sub"], token["username"], token["act"], id_token["act"]) == (PERSON_ID, "ada", act, act)
    assert list(token["urn:zitadel:iam:org:project:roles"]) == ["read:messages"]
    userinfo = app.send("GET", USERINFO, headers=bearer(exchanged["access_token"])).json()
    assert (userinfo["email"], "act" in userinfo) == ("ada@example.com", False)
    again = exchange(app, exchanged["access_token"], scope="openid", requested_token_type=JWT, resource="").json()
    assert claims(again["access_token"])["act"] == act
    for api in (Api(Server(emulator.url), token["access_token"]) for token in (exchanged, again)):
        api.users.GetUserByID(userId=PERSON_ID).refused(403, "Errors.TokenExchange.Token.NotForAPI", id="APP-Shi0J")


def test_a_refreshed_token_still_says_who_acts(emulator: Emulator, app: Client, tokens: dict[str, Any]) -> None:
    actor, pat = add_administrator(emulator, "IAM_END_USER_IMPERSONATOR")
    form = {"actor_token": pat, "actor_token_type": ACCESS}
    refreshed = app.refresh(exchange(app, tokens["access_token"], **form).json()).json()
    act = {"iss": emulator.url, "sub": actor.id}
    assert (app.introspect(refreshed["access_token"])["act"], claims(refreshed["id_token"])["act"]) == (act, act)


def test_an_actors_id_token_counts_until_it_expires(own: Emulator) -> None:
    own.world.now = clock = Clock()
    own.world.security["enableImpersonation"] = True
    own.world.add_administrator(PERSON_ID, INSTANCE, ["IAM_END_USER_IMPERSONATOR"])
    app = add_client(own, "BASIC", grantTypes=GRANTS)
    id_token = app.log_in("ada", scope=f"openid {OWNER}")["id_token"]
    form = {"actor_token": id_token, "actor_token_type": ID, "scope": "openid"}
    assert exchange(app, READER.id, USER_ID, **form).status_code == 200
    clock.now = claims(id_token)["exp"]
    assert answer(exchange(app, READER.id, USER_ID, **form)) == NO_ACTOR


def test_an_actor_who_is_impersonated_is_named_with_who_acts_for_them(emulator: Emulator, app: Client) -> None:
    world, (actor, pat) = emulator.world, add_administrator(emulator, "IAM_END_USER_IMPERSONATOR")
    with world.lock:
        world.add_administrator(PERSON_ID, INSTANCE, ["IAM_END_USER_IMPERSONATOR"])
    first = as_ada(app, pat, scope="openid").json()["access_token"]
    form = {"actor_token": first, "actor_token_type": ACCESS, "scope": "openid"}
    second = exchange(app, READER.id, USER_ID, **form).json()
    inner = {"iss": emulator.url, "sub": actor.id}
    assert claims(second["id_token"])["act"] == {"iss": emulator.url, "sub": PERSON_ID, "act": inner}


def test_an_application_names_the_user_in_an_assertion_of_its_own(emulator: Emulator, app: Client) -> None:
    private, public = key_pair()
    world, (_, pat) = emulator.world, add_administrator(emulator, "IAM_END_USER_IMPERSONATOR")
    with world.lock:
        key = {"key": private, "keyId": world.add_key(app.application, public, NEVER).id, "userId": PERSON_ID}

    def ask(**change: Any) -> requests.Response:
        signed = assertion(key, emulator.url, **({"iss": "the application"} | change))
        return exchange(app, signed, JWT, actor_token=pat, actor_token_type=ACCESS, scope="openid")

    assert claims(ask().json()["id_token"])["sub"] == PERSON_ID
    for refused in (ask(kid="7"), ask(sub="7"), ask(exp=int(world.now()) - 60)):
        assert answer(refused) == NO_SUBJECT


def test_a_caller_who_may_not_impersonate_is_refused(app: Client) -> None:
    for actor, status, description in (
        (VISITOR.pat, 404, "membership not found"),
        (ADMIN.pat, 403, "No matching permissions found"),
        ("garbage", 400, "actor_token invalid"),
        ("", 400, "actor_token invalid"),
    ):
        refused = as_ada(app, actor)
        assert answer(refused) == (status, {"error": "invalid_request", "error_description": description})


def test_what_the_actors_token_lacks_is_not_given(emulator: Emulator, app: Client) -> None:
    _, pat = add_administrator(emulator, "IAM_END_USER_IMPERSONATOR")
    for scope in ("offline_access", f"urn:zitadel:iam:org:project:id:{PROJECT_ID}:aud"):
        refusal = oauth_refusal("invalid_scope", f'scope "{scope}" not found in subject or actor token')
        assert answer(as_ada(app, pat, scope=f"openid {scope}")) == refusal
    with emulator.world.lock:
        locked = emulator.world.add_user(ORGANIZATION_ID, "locked", "Locked")
        emulator.world.set_user_state(locked, "LOCKED", "user.locked")
    not_active = oauth_refusal("invalid_request", "Errors.User.NotActive")
    for user_id, refusal in (("7", NO_SUBJECT), (locked.id, not_active)):
        assert answer(exchange(app, user_id, USER_ID, actor_token=pat, actor_token_type=ACCESS)) == refusal
    assert answer(exchange(app, PERSON_ID, USER_ID, actor_token=pat, actor_token_type=USER_ID)) == NO_ACTOR
