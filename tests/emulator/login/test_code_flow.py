"""The code flow as an application sees it: authorize, code, tokens, refresh, userinfo, the end of a session."""

import hashlib
import json
from typing import Any

from tests.support.emulator_target import REVOKE, USERINFO, Server, answer, basic, bearer, oauth_refusal
from tests.support.introspector_doubles import Clock
from tests.support.logins import BYE, CALLBACK, VERIFIER, Client, add_client, claims, told
from tests.support.oauth import ASSERTION_TYPE, assertion, key_pair, verified
from zdemo.emulator import CLIENT_ID, NEVER, ORGANIZATION_ID, PROJECT_ID, Emulator
from zdemo.emulator.oidc.issuing import SCOPE_MISSING
from zdemo.emulator.seed import APP_CLIENT_ID, APP_ID, PERSON_ID
from zdemo.emulator.token_texts import encoded, key_file

OFFLINE = "openid profile email offline_access"
ROLE = "urn:zitadel:iam:org:project:role:read:messages"
ROLES = "urn:zitadel:iam:org:project:roles"
GRANTED = {"read:messages": {ORGANIZATION_ID: "zitadel.localhost"}}
ASK = "If you have any questions, you may contact the administrator of the application."
NO_REDIRECT = f"The requested redirect_uri is missing in the client configuration. {ASK}"
HTTP = f"This client's redirect_uri is http and is not allowed. {ASK}"
CUSTOM_SCHEME = f"This client's redirect_uri is using a custom schema and is not allowed. {ASK}"


def userinfo(client: Client, token: str) -> Any:
    return client.send("GET", USERINFO, headers=bearer(token)).json()


def test_a_login_gives_tokens_that_say_who_it_was(public: Client, clock: Clock) -> None:
    sent = told(public.choose(public.login_page(scope=OFFLINE)))
    assert (list(sent), sent["state"]) == (["code", "state"], "a state")
    tokens = public.exchange(sent["code"]).json()
    assert list(tokens) == ["access_token", "token_type", "refresh_token", "expires_in", "id_token"]
    assert (len(tokens["access_token"]), len(tokens["refresh_token"])) == (288, 310)

    _, decoded = verified(Server(public.emulator.url), tokens["id_token"], expired=True)
    audience = [CLIENT_ID, APP_CLIENT_ID, public.client_id, PROJECT_ID]
    (session,) = public.emulator.world.login_sessions.values()
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert decoded == {
        "iss": public.emulator.url,
        "sub": PERSON_ID,
        "aud": audience,
        "exp": int(clock.now) + 43200,
        "iat": int(clock.now),
        "auth_time": int(clock.now),
        "nonce": "a nonce",
        "amr": ["pwd"],
        "sid": session.id,
        "azp": public.client_id,
        "client_id": public.client_id,
        "at_hash": encoded(half),
    }
    asked = public.introspect(tokens["access_token"])
    assert (asked["client_id"], asked["aud"], asked["amr"]) == (public.client_id, audience, ["pwd"])
    assert (asked["auth_time"], asked["username"], asked[ROLES]) == (int(clock.now), "ada", GRANTED)
    info = userinfo(public, tokens["access_token"])
    person = (PERSON_ID, "Ada Lovelace", "ada@example.com")
    assert (info["sub"], info["name"], info["email"], ROLES in info) == (*person, False)


def test_only_what_the_scopes_ask_for_comes(public: Client) -> None:
    tokens = public.log_in(scope="profile")
    assert tokens.keys() == {"access_token", "token_type", "expires_in"}
    role = public.log_in(scope=f"openid {ROLE}")
    assert userinfo(public, role["access_token"])[ROLES] == GRANTED
    assert ROLES not in claims(role["id_token"])
    all_roles = public.log_in(scope="openid urn:zitadel:iam:org:projects:roles")
    assert userinfo(public, all_roles["access_token"]) == {"sub": PERSON_ID}


def test_the_answer_can_be_in_the_fragment(shared: Client) -> None:
    client = add_client(shared.emulator, redirectUris=[f"{CALLBACK}?from=a"])
    for mode, mark in ((None, "&"), ("fragment", "#")):
        page = client.login_page(redirect_uri=f"{CALLBACK}?from=a", response_mode=mode)
        assert client.choose(page).headers["Location"].startswith(f"{CALLBACK}?from=a{mark}code=")


def test_an_application_can_ask_for_more_in_its_tokens(shared: Client) -> None:
    words = ("idTokenRoleAssertion", "idTokenUserinfoAssertion", "accessTokenRoleAssertion")
    telling = add_client(shared.emulator, **dict.fromkeys(words, True), accessTokenType="OIDC_TOKEN_TYPE_JWT")
    tokens = telling.log_in(scope=f"openid email {ROLE}")
    own = f"urn:zitadel:iam:org:project:{PROJECT_ID}:roles"
    told_in_id_token, told_in_access_token = claims(tokens["id_token"]), claims(tokens["access_token"])
    assert (told_in_id_token["email"], told_in_id_token[own]) == ("ada@example.com", GRANTED)
    assert (told_in_access_token[ROLES], "email" in told_in_access_token) == (GRANTED, False)
    assert telling.introspect(tokens["access_token"])["sub"] == PERSON_ID


def test_a_project_that_asserts_roles_adds_the_scopes(public: Client) -> None:
    public.emulator.world.projects[PROJECT_ID].project_role_assertion = True
    tokens = public.log_in()
    assert userinfo(public, tokens["access_token"])[ROLES] == GRANTED
    scope = f"openid {ROLE} {ROLE.replace('read:messages', 'admin')}"
    assert public.introspect(tokens["access_token"])["scope"] == scope


def test_authorize_takes_a_form_and_redirects_as_go_does(shared: Client) -> None:
    posted, got = shared.authorize("POST"), shared.authorize()
    assert (posted.headers["Location"].partition("=")[0], posted.text) == ("/ui/v2/login/login?authRequest", "")
    assert got.text == f'<a href="{got.headers["Location"]}">Found</a>.\n\n'


def test_an_application_chooses_the_login_page(shared: Client) -> None:
    own = {"loginV2": {"baseUri": "http://login.example/base/"}}
    for version, start in (
        ({"loginV1": {}}, "/ui/login/login?authRequestID="),
        ({"loginV2": {}}, "/ui/v2/login/login?authRequest=V2_"),
        (own, "http://login.example/base/login?authRequest=V2_"),
    ):
        assert add_client(shared.emulator, loginVersion=version).login_page().startswith(start), version


NO_TYPE = f"The requested response type is missing in the client configuration. {ASK}"
NO_ADDRESS = "auth request is missing redirect_uri"


def test_a_bad_request_is_refused_without_a_redirect(shared: Client) -> None:
    others = {NO_TYPE: (400, "unauthorized_client"), NO_ADDRESS: (500, "server_error")}
    for name, value, description in (
        ("client_id", None, "auth request is missing client_id"),
        ("client_id", "x", "Errors.App.NotFound"),
        ("client_id", CLIENT_ID, "Errors.App.NotFound"),
        ("redirect_uri", None, NO_ADDRESS),
        ("redirect_uri", f"{CALLBACK}/", NO_REDIRECT),
        ("redirect_uri", CALLBACK.replace("3000", "3001"), NO_REDIRECT),
        ("prompt", "none login", "The prompt parameter `none` must only be used as a single value"),
        ("response_type", None, f"The response type is missing in your request. {ASK}"),
        ("response_type", "token", NO_TYPE),
        ("max_age", "-1", "error decoding form"),
        ("max_age", "0" * 20 + "9" * 400, "error decoding form"),
        ("max_age", str(2**32), "error decoding form"),
        ("request", "x", "parsing of request failed: token contains an invalid number of segments"),
        ("scope", None, SCOPE_MISSING),
        ("scope", "", SCOPE_MISSING),
    ):
        refused = shared.authorize("GET", None, **{name: value})
        status, error = others.get(description, (400, "invalid_request"))
        assert answer(refused) == (status, {"error": error, "error_description": description}), (name, value)
        assert "Location" not in refused.headers


def test_an_unknown_organization_is_told_to_the_application(public: Client) -> None:
    for scope in ("urn:zitadel:iam:org:id:1", "urn:zitadel:iam:org:domain:primary:x.localhost"):
        sent = told(public.authorize(scope=f"openid {scope}"))
        assert sent == {"error": "invalid_request", "error_description": "Errors.Org.NotFound", "state": "a state"}
    for scope in (f"urn:zitadel:iam:org:id:{ORGANIZATION_ID}", "urn:zitadel:iam:org:domain:primary:zitadel.localhost"):
        assert public.log_in(scope=f"openid {scope}")["id_token"]


REGISTERED = ["http://localhost/callback", "com.example.app:/callback", "http://app.example/x", "https://app.example/x"]


def test_the_record_lists_what_is_registered(own: Emulator) -> None:
    client = add_client(own, redirectUris=[f"{CALLBACK}", f"{CALLBACK}/a", "https://app.example/x"])
    client.authorize(redirect_uri="http://localhost/wrong")
    listed = f"redirectUris: {CALLBACK} /a https://app.example/x"
    assert own.requests[-1].reason == f"http://localhost/wrong is not among its {listed}"
    client.authorize(client_id="1" * 18)
    others = f"{APP_CLIENT_ID} (emulator-app), {client.client_id} ({client.application.name})"
    assert own.requests[-1].reason == f"unknown client; the client IDs here are {others}"


def test_a_native_application_may_use_any_loopback_port(shared: Client) -> None:
    """Without development mode, other applications can hardly use http."""
    settings = {"redirectUris": REGISTERED, "developmentMode": False}
    for kind, uri, refusal in (
        ("NATIVE", "http://localhost:49152/callback", ""),
        ("NATIVE", "http://127.0.0.1:1/callback", ""),
        ("NATIVE", "http://[::1]:8080/callback", ""),
        ("NATIVE", "com.example.app:/callback", ""),
        ("NATIVE", "http://localhost:49152/other", NO_REDIRECT),
        ("NATIVE", "http://localhost:49152/callback?more", NO_REDIRECT),
        ("NATIVE", "http://localhost@evil.example/callback", NO_REDIRECT),
        ("NATIVE", "http://evil.example\\@localhost/callback", NO_REDIRECT),
        ("NATIVE", "http://localhost.evil.example/callback", NO_REDIRECT),
        ("NATIVE", "http://localhost:99999/callback", NO_REDIRECT),
        ("NATIVE", "http://[::1/callback", NO_REDIRECT),
        ("NATIVE", " http://localhost:49152/callback", NO_REDIRECT),
        ("NATIVE", "com.example.app:/other", NO_REDIRECT),
        ("NATIVE", "http://app.example/x", HTTP),
        ("USER_AGENT", "http://app.example/x", HTTP),
        ("USER_AGENT", "http://localhost/callback", HTTP),
        ("USER_AGENT", "http://localhost:3000/callback", NO_REDIRECT),
        ("USER_AGENT", "https://app.example/x", ""),
        ("WEB", "http://app.example/x", ""),
        ("WEB", "com.example.app:/callback", CUSTOM_SCHEME),
    ):
        client = add_client(shared.emulator, **settings, applicationType=f"OIDC_APP_TYPE_{kind}")
        asked = client.authorize(redirect_uri=uri)
        refused = "" if asked.status_code == 302 else asked.json()["error_description"]
        assert (refused, "Location" in asked.headers) == (refusal, not refusal), (kind, uri)


def test_the_known_application_takes_any_loopback_port_and_no_other_host(shared: Client) -> None:
    known = Client(shared.emulator, shared.emulator.world.applications[APP_ID])
    usual = ["http://localhost:5173", "http://127.0.0.1:1/callback", "http://[::1]:65535/auth/callback"]
    usual += ["http://localhost:8000/oidc/callback/", "http://localhost:8000/complete/oidc/"]  # Django
    others = ["http://localhost.example/callback", "http://192.0.2.1:3000/callback", "http://localhost:3000/any"]
    assert [known.authorize(redirect_uri=uri).status_code for uri in (*usual, *others)] == [302] * 5 + [400] * 3
    code = told(known.choose(known.login_page(redirect_uri=usual[0])), usual[0])["code"]
    assert known.exchange(code, redirect_uri=usual[0]).status_code == 200


def test_a_code_is_for_one_client_one_address_one_verifier_and_one_use(public: Client) -> None:
    other, code = add_client(public.emulator), public.code()
    where = "client_id does not correspond to the client_id in the authorization request"
    for client, change, refusal in (
        (other, {}, ("invalid_client", where)),
        (public, {"redirect_uri": BYE}, ("invalid_grant", "redirect_uri does not correspond")),
        (public, {"code_verifier": "x"}, ("invalid_grant", "invalid code_verifier")),
        (public, {"code_verifier": ""}, ("invalid_request", "code_verifier required")),
        (public, {"redirect_uri": ""}, ("invalid_request", "redirect_uri missing")),
        (public, {"code": ""}, ("invalid_request", "code missing")),
        (public, {"code": code[:-2]}, ("invalid_request", "Errors.User.Code.Invalid")),
    ):
        assert answer(client.exchange(code, **change)) == oauth_refusal(*refusal), change
    assert public.exchange(code).status_code == 200
    assert answer(public.exchange(code)) == oauth_refusal("invalid_request", "Errors.AuthRequest.NoCode")


def test_a_code_ends_with_time_and_with_the_login(public: Client, clock: Clock) -> None:
    late = public.code()
    clock.now += 600
    assert answer(public.exchange(late)) == oauth_refusal("invalid_request", "Errors.User.Code.Invalid")
    code = public.code()
    public.emulator.world.login_sessions.clear()
    assert answer(public.exchange(code)) == oauth_refusal("invalid_request", "Errors.Session.Terminated")


def test_a_public_client_without_a_challenge_gets_a_code_but_no_tokens(public: Client) -> None:
    code = public.code(code_challenge=None, code_challenge_method=None)
    assert answer(public.exchange(code)) == oauth_refusal("invalid_grant", "invalid code_verifier")
    plain = public.code(code_challenge=VERIFIER, code_challenge_method="plain")
    assert public.exchange(plain).status_code == 200


def test_confidential_clients_prove_who_they_are(own: Emulator, clock: Clock) -> None:
    client = add_client(own, "BASIC")
    no_pkce = {"code_challenge": None, "code_challenge_method": None}
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    by_header = form | {"code": client.code(**no_pkce)}
    secret = client.application.secret or ""
    assert client.send("POST", "/oauth/v2/token", data=by_header, headers=basic(client.client_id, secret)).ok
    code = client.code(**no_pkce)
    for given, what in (({}, "empty client secret"), ({"client_secret": "x"}, "invalid secret")):
        refused = client.token("authorization_code", client=False, client_id=client.client_id, code=code, **given)
        assert answer(refused) == oauth_refusal("invalid_client", what)
    signing = add_client(own, "PRIVATE_KEY_JWT")
    asked = signing.exchange("x")
    assert answer(asked) == oauth_refusal("invalid_client", "empty client assertion")
    asked = signing.exchange("x", client_assertion="x", client_assertion_type=ASSERTION_TYPE)
    assert answer(asked) == oauth_refusal("invalid_client")
    private, public_half = key_pair()
    key = own.world.add_key(signing.application, public_half, NEVER)
    content = json.loads(key_file(signing.application, key, private))
    signed = assertion(content, own.url, iat=int(clock.now), exp=int(clock.now) + 60)
    assert signing.exchange(signing.code(), client_assertion=signed, client_assertion_type=ASSERTION_TYPE).ok


def test_a_refresh_replaces_both_tokens(public: Client, clock: Clock) -> None:
    other, first = add_client(public.emulator), public.log_in(scope=OFFLINE)
    logged_in, public.application.oidc["accessTokenType"] = int(clock.now), "OIDC_TOKEN_TYPE_JWT"
    clock.now += 60
    where = "client_id does not correspond to the client_id in the refresh token"
    assert answer(other.refresh(first)) == oauth_refusal("invalid_client", where)
    assert answer(public.refresh(first, scope="openid phone")) == oauth_refusal("invalid_scope")
    fewer = public.refresh(first, scope="openid").json()
    assert public.introspect(fewer["access_token"])["scope"] == "openid"
    again = claims(fewer["id_token"])
    assert (again["auth_time"], again["iat"], again["nonce"]) == (logged_in, logged_in + 60, "a nonce")
    assert public.introspect(first["access_token"]) == {"active": False}
    old = oauth_refusal("invalid_request", "Errors.OIDCSession.RefreshTokenInvalid")
    assert answer(public.refresh(first)) == old
    full = public.refresh(fewer).json()
    assert public.introspect(fewer["access_token"]) == {"active": False}, "a JWT ends too"
    assert public.introspect(full["access_token"])["scope"] == OFFLINE
    unknown = oauth_refusal("invalid_request", "Errors.User.RefreshToken.Invalid")
    assert answer(public.refresh({"refresh_token": full["access_token"]})) == unknown
    assert public.introspect(full["refresh_token"]) == {"active": False}
    clock.now += 31 * 86400
    assert answer(public.refresh(full)) == old


def test_the_applications_that_the_project_had_at_the_login_revoke_either_token(public: Client) -> None:
    sibling, signing = add_client(public.emulator), add_client(public.emulator, accessTokenType="OIDC_TOKEN_TYPE_JWT")
    foreign = (401, {"error": "invalid_client", "error_description": "token was not issued for this client"})
    for client, name in ((public, "access_token"), (signing, "access_token"), (public, "refresh_token")):
        tokens, later = client.log_in(scope=OFFLINE), add_client(public.emulator)
        refused, done = (
            asking.send("POST", REVOKE, data={"token": tokens[name], "client_id": asking.client_id})
            for asking in (later, sibling)
        )
        assert (answer(refused), done.status_code, done.text) == (foreign, 200, "")
        assert public.introspect(tokens["access_token"]) == {"active": False}
        assert client.refresh(tokens).ok == (name == "access_token"), "only the access token was revoked"


def logout(client: Client, **query: str) -> Any:
    return client.send("GET", "/oidc/v1/end_session", params=query)


def test_end_session_ends_the_login_and_goes_to_registered_addresses_only(public: Client) -> None:
    tokens = public.log_in(scope=OFFLINE)
    hint = {"id_token_hint": tokens["id_token"]}
    for query, what in (
        (hint | {"post_logout_redirect_uri": "http://evil.example"}, "post_logout_redirect_uri invalid"),
        (hint | {"client_id": "x"}, "client_id does not match azp of id_token_hint"),
        ({"id_token_hint": "x"}, "id_token_hint invalid"),
        ({"id_token_hint": tokens["id_token"][:-9] + "AAAAAAAAA"}, "id_token_hint invalid"),
        ({"client_id": "x"}, "Errors.App.NotFound"),
    ):
        assert answer(logout(public, **query)) == oauth_refusal("invalid_request", what)
    assert public.introspect(tokens["access_token"])["active"]
    done = logout(public, **hint, post_logout_redirect_uri=BYE, state="s t")
    assert (done.status_code, done.headers["Location"]) == (302, f"{BYE}?state=s+t")
    assert public.introspect(tokens["access_token"]) == {"active": False}
    assert public.refresh(tokens).status_code == 400
    assert told(public.send("GET", public.login_page(prompt="none")))["error"] == "login_required"
    assert logout(public, **hint).headers["Location"] == "/logout/done", "an ended login ends again"


def test_end_session_without_a_hint_ends_the_logins_of_the_browser(public: Client) -> None:
    elsewhere = add_client(public.emulator).log_in()
    tokens = public.log_in()
    done = logout(public, post_logout_redirect_uri="http://evil.example")
    assert done.headers["Location"] == "/ui/login/logout/done"
    assert [public.introspect(t["access_token"])["active"] for t in (tokens, elsewhere)] == [False, True]
    page = public.send("GET", done.headers["Location"])
    assert (page.status_code, "You are logged out" in page.text) == (200, True)
    assert logout(public, client_id=public.client_id, post_logout_redirect_uri=BYE).headers["Location"] == BYE
