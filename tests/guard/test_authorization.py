"""The bearer token out of a header, and the decision about it (RFC 6750)."""

import re
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.any_text import texts
from zdemo.config.settings import Settings
from zdemo.errors import ExitCode, GuardError, InsufficientScope, InvalidRequest, InvalidToken, NoToken, Refused
from zdemo.guard.authorization import (
    LONGEST_TOKEN,
    NO_ROLE,
    NOT_BEFORE_LEEWAY_SECONDS,
    Policy,
    RequiredRoles,
    authorize,
    bearer_token,
    refuse_second_token,
    required_roles,
)
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, Introspection, roles_claim_of

NOW = 1_766_500_000.0
YEAR_9999 = 253402300799
ROLE = "read:messages"
GRANT = {"300000000000000001": "acme.localhost"}
PROJECT, CLIENT = "300000000000000010", "300000000000000021"
TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 §2.1, once more: a test shares no pattern with what it tests


TOKENS = {
    **dict.fromkeys(("Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc", "Bearer abc  "), "abc"),
    **{f"Bearer {token}": token for token in ("-abc", "a=", "AZaz09-._~+/==", "Bearer", "a" * LONGEST_TOKEN)},
}
NO_TOKENS = (None, "Basic YTpi", "Bearerabc", "Bearer-x abc", "Bearer_ abc", "DPoP abc", "abc", '"Bearer" x')
MALFORMED = (
    *("", " ", ",Basic YTpi", "Basic YTpi,", "\u00ff\u00fe", "Basic \u00e9", "B\u00e9arer abc"),  # joined by a server
    *("Bearer", "Bearer ", "bearer  ", "Bearer\tabc", "Bearer a b", "Bearer a,b", "Bearer a=b", "Bearer ==="),
    *("Bearer =", "Bearer \u00e9", "Bearer \u017f\u212a", "Bearer \u0661", "Bearer\u00a0abc"),  # like s, K and 1
    *("Bearer abc\n", "Bearer abc\r\nX: y", "Bearer abc\x00", "Bearer abc\u2028", 'Bearer "abc"', "Bearer:abc"),
    *("Bearer=abc", "Bearer,abc", "Bearer token=abc", "Bearer abc, Bearer def", "Bearer abc, Basic YTpi"),
    *("Basic YTpi, Bearer abc", "Basic YTpi,\t bearer", "Bearer " + "a" * (LONGEST_TOKEN + 1)),
)


@pytest.mark.parametrize(("header", "token"), TOKENS.items(), ids=lambda value: value[:24])
def test_a_token_is_taken_out_of_its_header(header: str, token: str) -> None:
    assert bearer_token(header) == token


@pytest.mark.parametrize("header", [*NO_TOKENS, *MALFORMED], ids=lambda value: repr(value)[:28])
def test_another_scheme_is_no_token_and_a_malformed_header_an_invalid_request(header: str | None) -> None:
    with pytest.raises((NoToken, InvalidRequest)) as refused:
        bearer_token(header)
    challenge = refused.value.status, refused.value.code, refused.value.scope
    assert challenge == ((401, None, None) if header in NO_TOKENS else (400, "invalid_request", None))


PIECES = st.sampled_from(
    ["Bearer", "bearer", " ", "  ", ",", ", ", "=", "abc", "a.b-c", "\t", "\n", "Basic ", "\u00e9", '"']
)


@given(header=st.none() | texts() | st.lists(PIECES, max_size=7).map("".join))
@example(header="Bearer " + "a" * 100_000)
def test_a_header_is_a_token_or_one_of_two_refusals(header: str | None) -> None:
    try:
        token = bearer_token(header)
    except (NoToken, InvalidRequest) as refused:
        message = f"{refused} {refused.hint}"
    else:
        message = ""
        assert header is not None
        assert TOKEN.fullmatch(token)
        assert re.fullmatch(f"bearer +{re.escape(token)} *", header, re.IGNORECASE)
    assert "abc" not in message, "the header is repeated"


@given(form=st.lists(st.sampled_from(["access", "_", "%5f", "token", "&", "=", "%", "%61", "ccess", "a"])).map("".join))
@example(form="a=1&access_token=b&c")
@example(form="%61ccess%5ftoke%6E=a")
@example(form="Access_Token=a")
@example(form="a%26access_token")
def test_two_ways_at_once_are_an_invalid_request_in_any_form_as_it_would_be_parsed(form: str) -> None:
    with pytest.raises(InvalidRequest) if "access_token" in parse_qs(form, keep_blank_values=True) else nullcontext():
        refuse_second_token(form.encode())


def introspection(**changed: Any) -> Introspection:
    fields: dict[str, Any] = {
        "active": True,
        "claims": {ROLES_CLAIM: {ROLE: GRANT}, roles_claim_of(PROJECT): {ROLE: GRANT}},
        "expires_at": YEAR_9999,
        "not_before": int(NOW),
        "audience": (CLIENT, PROJECT),
    }
    return Introspection(**{**fields, **changed})


def refusal(
    answer: Introspection, policy: Policy | None = None, *, now: float = NOW, role: str | None = None
) -> Refused | None:
    try:
        authorize(answer, policy or Policy(), now=now, roles=NO_ROLE if role is None else required_roles(role=role))
    except Refused as refused:
        return refused
    return None


OURS = Policy(project_id=PROJECT, audience=frozenset({PROJECT, CLIENT}))
RESOURCE = Policy(project_id=PROJECT, audience=frozenset({PROJECT}), admits_pats=False)
ISSUED = {"client_id": "app", roles_claim_of(PROJECT): {ROLE: GRANT, "b": GRANT}}
DECISIONS: list[tuple[dict[str, Any], Policy, str | None, type[Refused] | None]] = [
    *(({}, policy, role, None) for policy in (Policy(), OURS) for role in (None, ROLE)),
    *(({"active": False}, Policy(), role, InvalidToken) for role in (None, ROLE)),
    ({"claims": {}, "expires_at": 1}, Policy(), ROLE, InvalidToken),
    ({"claims": {"scope": f"urn:zitadel:iam:org:project:role:{ROLE} {ROLE}"}}, Policy(), ROLE, InsufficientScope),
    ({"claims": {ROLES_CLAIM: {ROLE: GRANT}, roles_claim_of("1"): {ROLE: GRANT}}}, OURS, ROLE, InsufficientScope),
    *(({}, RESOURCE, role, InvalidToken) for role in (None, ROLE, "c")),
    *(({"claims": ISSUED | {"client_id": value}}, RESOURCE, None, InvalidToken) for value in (None, "", 7, ["app"])),
    ({"claims": ISSUED, "audience": (CLIENT,)}, RESOURCE, None, InvalidToken),
    ({"claims": ISSUED}, RESOURCE, ROLE, None),
    *(({"claims": ISSUED}, replace(RESOURCE, roles=("b",)), role, None) for role in (None, ROLE, "b")),
    ({"claims": ISSUED}, replace(RESOURCE, roles=("b",)), "c", InsufficientScope),
    *(({"claims": ISSUED}, replace(RESOURCE, roles=("c",)), role, InsufficientScope) for role in (None, ROLE)),
]


@pytest.mark.parametrize(("changed", "policy", "role", "kind"), DECISIONS)
def test_a_token_is_refused_before_its_role_which_a_scope_or_another_projects_claim_does_not_give(
    changed: dict[str, Any], policy: Policy, role: str | None, kind: type[Refused] | None
) -> None:
    came = refusal(introspection(**changed), policy, role=role)
    assert came is None if kind is None else isinstance(came, kind)


LEEWAY = NOT_BEFORE_LEEWAY_SECONDS
TIMES: list[tuple[dict[str, int], float, bool]] = [
    *(({}, NOW, True), ({"expires_at": YEAR_9999}, NOW, True), ({"expires_at": YEAR_9999}, YEAR_9999, False)),
    *(({"expires_at": 100}, 99.999, True), ({"expires_at": 100}, 100, False), ({"expires_at": 100}, 100.001, False)),
    *(({"expires_at": 10**30}, NOW, True), ({"expires_at": 0}, NOW, False), ({"expires_at": -5}, NOW, False)),
    *(({"not_before": 100}, 100 - LEEWAY, True), ({"not_before": 100}, 100 - LEEWAY - 0.001, False)),
    *(({"not_before": 10**30}, NOW, False), ({"not_before": -1}, NOW, True)),
]
AUDIENCES: list[tuple[tuple[str, ...], frozenset[str], bool]] = [
    *(((CLIENT, PROJECT), frozenset({PROJECT}), True), ((CLIENT,), frozenset({PROJECT, CLIENT}), True)),
    *(((), frozenset({PROJECT}), False), (("other",), frozenset({PROJECT, CLIENT}), False)),
    *((("other",), frozenset(), True), ((PROJECT + "0",), frozenset({PROJECT}), False)),
]
JUDGED = [({"expires_at": None, "not_before": None} | times, Policy(), now, passes) for times, now, passes in TIMES] + [
    ({"audience": audience}, Policy(audience=demanded), NOW, passes) for audience, demanded, passes in AUDIENCES
]


@pytest.mark.parametrize(("changed", "policy", "now", "passes"), JUDGED)
def test_a_token_may_pass_between_its_times_and_for_its_audience(
    changed: dict[str, Any], policy: Policy, now: float, passes: bool
) -> None:
    came = refusal(introspection(**changed), policy, now=now)
    assert (came is None) is passes
    assert came is None or (came.status, came.code) == (401, "invalid_token")


NO_GRANTS: list[object] = [None, {}, [], True, "1", ["300000000000000001"], {"1": None}, {"": "a.localhost"}, {"1": {}}]
ROLE_CLAIMS: list[object] = [
    *(None, {}, [], [ROLE], ROLE, True, [{ROLE: GRANT}]),
    *({ROLE: grant} for grant in NO_GRANTS),
    *({key: GRANT} for key in ("admin", "Read:messages", "read:messages ", "read:messages:all", "read")),
]


@pytest.mark.parametrize("status", [401, 403])
def test_without_the_role_the_scope_is_insufficient(status: int) -> None:
    for claim in ROLE_CLAIMS:
        came = refusal(introspection(claims={ROLES_CLAIM: claim}), Policy(role_denied_status=status), role=ROLE)
        assert isinstance(came, InsufficientScope), claim
        assert (came.status, came.code, came.role) == (status, "insufficient_scope", ROLE)
        assert (came.scope, came.exit_code) == (f"urn:zitadel:iam:org:project:role:{ROLE}", ExitCode.NO)
        assert ROLE in came.message


SCOPE = "urn:zitadel:iam:org:project:role:"
SEVERAL: list[tuple[dict[str, list[str]], str | None, str | None]] = [  # a and b are granted
    *(({"any_of": ["c", "b"]}, None, None), ({"all_of": ["b", "a"]}, None, None)),
    ({"any_of": ["c", "d"]}, "one of the roles c, d is required", f"{SCOPE}c {SCOPE}d"),
    ({"any_of": ["c"]}, "the role c is missing", f"{SCOPE}c"),
    ({"all_of": ["a", "c"]}, "the role c is missing", f"{SCOPE}a {SCOPE}c"),
    ({"all_of": ["c", "a", "d"]}, "the roles c, d are missing", f"{SCOPE}c {SCOPE}a {SCOPE}d"),
    ({"all_of": ["c", "two words"]}, "the roles c, two words are missing", f"{SCOPE}c"),
    ({"any_of": ['"']}, 'the role " is missing', None),
]


@pytest.mark.parametrize(("arguments", "message", "scope"), SEVERAL)
def test_several_roles_may_be_required(arguments: dict[str, list[str]], message: str | None, scope: str | None) -> None:
    answer = introspection(claims={ROLES_CLAIM: dict.fromkeys("ab", GRANT)})
    with pytest.raises(InsufficientScope) if message else nullcontext() as refused:
        authorize(answer, Policy(), now=NOW, roles=required_roles(**arguments))
    if message:
        assert refused
        assert (refused.value.message, refused.value.scope) == (message, scope)


def test_roles_of_guard_and_route_are_named_together_and_once() -> None:
    answer = introspection(claims={ROLES_CLAIM: {"a": GRANT}})
    with pytest.raises(InsufficientScope) as refused:
        authorize(answer, Policy(roles=("c", "d")), now=NOW, roles=required_roles(all_of=["a", "b", "c"]))
    assert refused.value.message == "the roles b, c, d are missing"


NO_LISTS: list[Any] = ["a", "", b"a", [], (), set(), None, {"a": 1}, 7]
NO_ROLES: list[Any] = ["", " ", "a ", None, 7, b"a", ["a"], True]
WRONG_ROLES: list[dict[str, Any]] = [
    *({"role": value} for value in NO_ROLES),
    *({name: value} for name in ("any_of", "all_of") for value in NO_LISTS),
    *({name: ["a", value]} for name in ("any_of", "all_of") for value in NO_ROLES),
    *({"role": "a", "any_of": ["b"]}, {"any_of": ["a"], "all_of": ["a"]}),
    {"roles": ["a"]},
    *({"actor": value} for value in (None, 0, "no", [False])),
]


@pytest.mark.parametrize("arguments", WRONG_ROLES, ids=str)
def test_roles_that_cannot_be_meant_are_an_error_that_says_what_to_write(arguments: dict[str, Any]) -> None:
    with pytest.raises(GuardError, match=next(iter(arguments))) as wrong:
        required_roles(**arguments)
    assert isinstance(wrong.value, TypeError)
    assert re.match("write |give ", wrong.value.hint)


def test_roles_are_kept_in_their_order_and_once() -> None:
    assert required_roles() == NO_ROLE
    assert required_roles(role="a") == RequiredRoles(all_of=("a",))
    assert required_roles(any_of=["b", "a", "b"]) == RequiredRoles(any_of=("b", "a"))
    assert required_roles(all_of={"b", "a"}) == RequiredRoles(all_of=("a", "b"))
    assert required_roles(role="a", actor=False) == RequiredRoles(all_of=("a",), actor=False)


@pytest.mark.parametrize("act", [{"sub": "31"}, {}, "31", False])
def test_an_actor_is_refused_before_the_role_even_one_that_nobody_knows(act: object) -> None:
    answer = introspection(claims={"act": act})
    authorize(answer, Policy(), now=NOW)
    with pytest.raises(InvalidToken):
        authorize(answer, Policy(), now=NOW, roles=required_roles(role=ROLE, actor=False))


@pytest.mark.parametrize(("project", "audience"), [(None, frozenset()), (PROJECT, frozenset({PROJECT, CLIENT}))])
def test_the_policy_demands_an_audience_if_the_project_is_known(project: str | None, audience: frozenset[str]) -> None:
    known: Any = {"client_id": CLIENT, "client_secret": "secret", "project_id": project}
    settings = Settings(issuer="https://zitadel.example", role_denied_status=403, **known)
    assert Policy.from_settings(settings) == Policy(project_id=project, audience=audience, role_denied_status=403)
    of_resource = Policy.from_settings(replace(settings, resource="https://a.example", role_denied_status=401))
    named = audience - {CLIENT}
    assert of_resource == Policy(project_id=project, audience=named, role_denied_status=403, admits_pats=False)
