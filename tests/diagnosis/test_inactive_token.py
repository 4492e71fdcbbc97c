"""Inactive tokens: which causes are certain, which stay open, and which must not be named."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.jwe import jwe
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty, Evidence, Finding, PatRecords, Probe, finding_for_inactive
from zdemo.http.response import Response

ISSUER = "http://localhost:8080"
PROJECT = "312909075212468225"
CLIENT_ID = "312909075212468231"
SETTINGS = Settings(issuer=ISSUER, client_id=CLIENT_ID, client_secret="s3cr" * 16)
WITH_PROJECT = Settings(issuer=ISSUER, client_id=CLIENT_ID, client_secret="s3cr" * 16, project_id=PROJECT)
PAT = "aB3-" * 17 + "xyZ"
ACCESS_TOKEN = "aB3_" * 26
NOW = 1_800_000_000.0


def answer(status: int, body: Any) -> Response:
    text = body if isinstance(body, str) else json.dumps(body)
    return Response(status=status, headers={}, body=text.encode(), seconds=0.01, url=ISSUER)


UNAUTHORIZED = answer(400, {"error": "unauthorized_client"})
DEAD = answer(401, {"error": "access_denied", "error_description": "access token invalid"})
ALIVE = answer(200, {"sub": "1"})
SOUND = {Probe.MADE_UP_CLIENT: UNAUTHORIZED, Probe.READY: answer(200, '"ok"')}
DEAD_HERE = SOUND | {Probe.USERINFO: DEAD}
ALIVE_HERE = SOUND | {Probe.USERINFO: ALIVE}
DISCOVERY = {Probe.DISCOVERY: answer(200, {"issuer": ISSUER}), Probe.KEYS: answer(200, {"keys": [{"kid": "k"}]})}


def find(
    token: str, replies: Mapping[Probe, Response], settings: Settings = SETTINGS, fits: bool | None = None
) -> Finding:
    return finding_for_inactive(token, settings, Evidence(replies=replies, signature_fits=fits), now=NOW)


def jwt_of(kid: str = "k", **claims: Any) -> str:
    claims = {"iss": ISSUER, "aud": [PROJECT], "exp": int(NOW) + 60, "jti": "V2_1-at_1", "nbf": 1} | claims
    parts = ({"alg": "RS256", "kid": kid}, {name: value for name, value in claims.items() if value is not None})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("token", "name", "certainty"),
    [
        (f"Bearer {PAT}", "token.pasted", Certainty.CERTAIN),
        (PAT[:-1], "token.cut", Certainty.OPEN),
        (PAT[:-2], "token.cut", Certainty.CERTAIN),
        (PAT[:-3], "token.cut", Certainty.OPEN),
        (PAT[:-4], "token.cut", Certainty.OPEN),
        (PAT[:-20], "token.cut", Certainty.OPEN),
        (PAT[:54], "token.cut", Certainty.OPEN),
        (ACCESS_TOKEN[:-1], "token.cut", Certainty.OPEN),
        (PAT + "xy", "token.cut", Certainty.CERTAIN),
        (PAT + PAT, "token.doubled", Certainty.CERTAIN),
        ("garbage", "token.too_short", Certainty.CERTAIN),
        ("a.b.c", "token.damaged", Certainty.CERTAIN),
        (PAT, "token.dead", Certainty.OPEN),
        (ACCESS_TOKEN, "token.ended", Certainty.OPEN),
        ("aB3_" * 19 + "xy", "token.session_api", Certainty.LIKELY),
        ("aB34" * 16, "token.client_secret", Certainty.LIKELY),
        ("s3cr" * 16, "token.another_value", Certainty.CERTAIN),
        (CLIENT_ID, "token.another_value", Certainty.CERTAIN),
        (PROJECT, "token.another_value", Certainty.CERTAIN),
        ("aB3_" * 20, "token.cut", Certainty.OPEN),
        (jwe("PAT"), "token.dead", Certainty.OPEN),
        (jwe("access token"), "token.ended", Certainty.OPEN),
        (jwe("refresh token"), "token.another_value", Certainty.CERTAIN),
        (jwe("code"), "token.another_value", Certainty.CERTAIN),
        (jwe("session"), "token.session_api", Certainty.LIKELY),
        (jwe("PAT")[:-1], "token.cut", Certainty.CERTAIN),
        (jwe("PAT").split(".")[0], "token.cut", Certainty.CERTAIN),
        (jwe("PAT")[:20], "token.cut", Certainty.CERTAIN),
        (jwe("PAT")[1:], "token.cut", Certainty.LIKELY),
        (jwe("PAT", id_length=5), "token.cut", Certainty.OPEN),
        (jwe("PAT") * 2, "token.doubled", Certainty.CERTAIN),
    ],
)
def test_a_dead_opaque_token_is_judged_by_its_form(token: str, name: str, certainty: Certainty) -> None:
    finding = find(token, DEAD_HERE)
    assert (finding.id, finding.certainty) == (name, certainty)
    assert finding.fix
    assert bool(finding.candidates) == (certainty is Certainty.OPEN)
    assert token not in str(finding)


@pytest.mark.parametrize(
    ("token", "user_id", "name"),
    [
        (PAT, CLIENT_ID, "token.user_locked"),
        (jwe("PAT"), CLIENT_ID, "token.user_locked"),
        (PAT[:54], "12345", "token.user_locked"),
        (jwe("PAT", id_length=5), "12345", "token.user_locked"),
        (jwe("PAT", id_length=36), "3e4f" * 9, "token.user_locked"),
        (jwe("PAT", id_length=5), CLIENT_ID, "token.cut"),
        (jwe("PAT"), "12345", "token.dead"),
        (jwe("access token"), CLIENT_ID, "token.ended"),
    ],
)
def test_records_count_only_for_a_pat_of_their_length(token: str, user_id: str, name: str) -> None:
    records = PatRecords(user="ada", user_id=user_id, state="LOCKED", pat_id=PROJECT, pats=None, events=None)
    evidence = Evidence(replies=DEAD_HERE, pat_records=records)
    assert finding_for_inactive(token, SETTINGS, evidence, now=NOW).id == name


@pytest.mark.parametrize("pat", [PAT, jwe("PAT")])
def test_a_dead_pat_stays_open_with_all_that_it_can_be(pat: str) -> None:
    finding = find(pat, DEAD_HERE)
    said = " ".join(finding.candidates)
    for word in ("deleted", "expired", "deactivated", "locked", "reactivated", "another ZITADEL"):
        assert word in said
    assert ("older than v4.14" in said) is ("." in pat)
    assert "new PAT" in finding.fix[0]


@pytest.mark.parametrize("token", [ACCESS_TOKEN, jwe("access token")])
def test_a_dead_opaque_token_is_no_pat_and_of_the_old_form_may_be_a_refresh_token(token: str) -> None:
    finding = find(token, DEAD_HERE)
    assert "PAT" not in str(finding)
    assert "expired" in finding.candidates[0]
    assert ("refresh token" in " ".join(finding.candidates)) is (token is ACCESS_TOKEN)


@pytest.mark.parametrize("token", [PAT, PAT[:-1], ACCESS_TOKEN, jwt_of(), "garbage"])
def test_a_sick_database_is_named_before_anything_about_the_token(token: str) -> None:
    sick: Mapping[Probe, Response] = {Probe.MADE_UP_CLIENT: answer(200, {"active": False}), Probe.USERINFO: DEAD}
    away = {Probe.READY: answer(412, "")}
    for replies, name in ((sick, "zitadel.database_sick"), ({**sick, **away}, "zitadel.database_away")):
        finding = find(token, replies)
        assert finding.id == name
        assert "database" in finding.cause
        assert "token" not in str(finding).lower()
        assert "credential" not in str(finding).lower()


@pytest.mark.parametrize("token", [ACCESS_TOKEN, jwt_of(aud=["1"]), "aB3_" * 17 + "x"])
def test_a_token_that_lives_elsewhere_lacks_this_audience(token: str) -> None:
    """Only a JWT shows its audience; any other token may have been requested for a wrong ZITADEL_PROJECT_ID."""
    finding = find(token, ALIVE_HERE, WITH_PROJECT)
    certainty = Certainty.CERTAIN if token.count(".") == 2 else Certainty.OPEN
    assert (finding.id, finding.certainty) == ("token.other_audience", certainty)
    assert f"urn:zitadel:iam:org:project:id:{PROJECT}:aud" in " ".join((*finding.fix, *finding.candidates))


def test_a_token_that_lives_and_is_for_the_configured_project_shows_that_this_is_the_wrong_one() -> None:
    finding = find(jwt_of(), ALIVE_HERE, WITH_PROJECT)
    assert (finding.id, finding.certainty) == ("token.wrong_project", Certainty.CERTAIN)
    assert "set ZITADEL_PROJECT_ID" in finding.fix[0]


@pytest.mark.parametrize("status", [200, 401])
def test_what_is_not_zitadels_userinfo_says_nothing_of_the_token(status: int) -> None:
    finding = find(ACCESS_TOKEN, SOUND | {Probe.USERINFO: answer(status, "<html>log in</html>")})
    assert (finding.id, finding.certainty) == ("token.ended", Certainty.OPEN)
    assert "not meant for this API" in " ".join(finding.candidates)
    assert "says nothing" in dict(finding.seen)["userinfo"]


def test_the_administrators_pat_tells_the_project_for_the_audience() -> None:
    shown = answer(200, {"active": True, "aud": ["1", CLIENT_ID, PROJECT]})
    finding = find(ACCESS_TOKEN, ALIVE_HERE | {Probe.ADMINISTRATOR: shown})
    assert f"urn:zitadel:iam:org:project:id:{PROJECT}:aud" in finding.fix[0]


def test_a_pat_that_userinfo_takes_is_a_contradiction_and_no_audience() -> None:
    assert find(PAT, ALIVE_HERE).id == "token.contradiction"


def test_a_session_api_token_is_proven_by_zitadels_own_api() -> None:
    whoami = answer(403, {"code": 7, "message": "authentication required (AUTHZ-Kl3p0)"})
    finding = find("aB3_" * 20, DEAD_HERE | {Probe.WHOAMI: whoami})
    assert (finding.id, finding.certainty) == ("token.session_api", Certainty.CERTAIN)


def test_what_was_not_answered_is_said_and_kept_among_the_candidates() -> None:
    finding = find(ACCESS_TOKEN, {})
    assert "not meant for this API" in " ".join(finding.candidates)
    assert "database" in " ".join(finding.candidates)
    assert ("not known", "no answer in time: made-up client, userinfo") in finding.seen


def test_an_administrators_pat_that_is_dead_too_is_a_hint() -> None:
    finding = find(PAT, DEAD_HERE | {Probe.ADMINISTRATOR: answer(200, {"active": False})})
    assert "recreated" in " ".join(finding.candidates)


@pytest.mark.parametrize(
    ("token", "more", "name"),
    [
        (jwt_of(iss="http://localhost:59999"), DISCOVERY, "token.other_issuer"),
        (jwt_of(iss="https://other.example.com", kid="x", exp=1), DISCOVERY, "token.other_issuer"),
        (jwt_of(azp="reader", at_hash="x", jti=None), DISCOVERY, "token.is_id_token"),
        (jwt_of(azp="reader", jti=None, exp=1), DISCOVERY, "token.is_id_token"),
        (jwt_of(exp=1), DISCOVERY, "token.expired"),
        (jwt_of(aud=["1"]), DISCOVERY, "token.other_audience"),
        (jwt_of(kid="x"), DISCOVERY, "token.unknown_key"),
        (jwt_of(), DISCOVERY, "token.ended"),
        (jwt_of(), {}, "token.ended"),
    ],
)
def test_a_dead_jwt_tells_why_itself(token: str, more: Mapping[Probe, Response], name: str) -> None:
    finding = find(token, {**DEAD_HERE, **more}, WITH_PROJECT, fits=True)
    assert finding.id == name
    assert finding.fix


def test_both_issuers_are_named_and_the_keys_tell_which_kind_of_other_it_is() -> None:
    same = find(jwt_of(iss="http://localhost:59999"), DEAD_HERE | DISCOVERY)
    other = find(jwt_of(iss="http://localhost:59999", kid="x"), DEAD_HERE | DISCOVERY)
    for finding in (same, other):
        assert "http://localhost:59999" in finding.cause
        assert ISSUER in finding.cause
    assert "same ZITADEL" in same.cause
    assert "another ZITADEL" in other.cause


@pytest.mark.parametrize(
    "token",
    [
        "ya29." + "aB3-" * 40,
        ".".join(["aB3-" * 20] * 5),
        "aB3+/" * 20,
        f"{ACCESS_TOKEN}.{ACCESS_TOKEN}",
        f"{jwe('PAT')}.{ACCESS_TOKEN}",
    ],
)
def test_a_token_that_is_none_of_zitadels_is_another_issuers_or_damaged(token: str) -> None:
    finding = find(token, DEAD_HERE)
    assert finding.id == "token.damaged"
    for word in ("not a token of ZITADEL", "another issuer's", "damaged"):
        assert word in finding.cause
    assert "JWE" not in finding.cause


def test_a_jwe_with_other_algorithms_is_another_issuers() -> None:
    for alg, enc in (("RSA-OAEP-256", "A256GCM"), ("A256GCMKW", "A128CBC-HS256")):
        finding = find(jwe("PAT", alg=alg, enc=enc), DEAD_HERE)
        assert (finding.id, finding.certainty) == ("token.damaged", Certainty.CERTAIN)
        assert f"another issuer's JWE, encrypted with {alg} and {enc};" in finding.cause


@pytest.mark.parametrize(
    "issuer", ["https://kc.example/realms/main", "https://sts.windows.net/1234/", "https://x.auth0.com/", "example"]
)
def test_an_issuer_that_no_zitadel_can_have_is_no_zitadel(issuer: str) -> None:
    for more in ({}, DISCOVERY):
        finding = find(jwt_of(iss=issuer, kid="x"), DEAD_HERE | more)
        assert finding.id == "token.other_issuer"
        assert "nor any other" in finding.cause
        assert "ZITADEL_DOMAIN" not in str(finding)


def test_another_issuer_need_not_be_a_zitadel() -> None:
    finding = find(jwt_of(iss="https://accounts.google.com", kid="x"), DEAD_HERE | DISCOVERY)
    assert "another product" in finding.cause


@pytest.mark.parametrize(("ahead", "name"), [(46_800, "token.ended"), (0, "token.expired"), (-46_800, "token.expired")])
def test_a_jwt_has_expired_by_zitadels_clock_and_not_by_ours(ahead: float, name: str) -> None:
    evidence = Evidence(replies=DEAD_HERE | DISCOVERY, signature_fits=True, clock_ahead_seconds=ahead)
    token = jwt_of(exp=int(NOW) - 3600 if ahead >= 0 else int(NOW) + 3600)
    finding = finding_for_inactive(token, SETTINGS, evidence, now=NOW)
    assert finding.id == name
    assert (finding.certainty is Certainty.CERTAIN) is (ahead == 0)
    if ahead:
        assert "46800 s" in dict(finding.seen)["clock"]


def test_without_the_project_an_audience_is_not_blamed() -> None:
    assert find(jwt_of(aud=["1"]), DEAD_HERE | DISCOVERY, fits=True).id == "token.ended"


def test_a_wrong_signature_is_a_damaged_token() -> None:
    assert find(jwt_of(), DEAD_HERE | DISCOVERY, fits=False).id == "token.damaged"


@pytest.mark.parametrize("value", [None, 5, [], {}, "\x1b[31m", "x" * 5000, [1, None]])
def test_odd_claims_of_a_jwt_do_no_harm(value: Any) -> None:
    for name in ("iss", "aud", "exp", "jti"):
        said = str(find(jwt_of(**{name: value}), DEAD_HERE | DISCOVERY, WITH_PROJECT))
        assert "\\x1b" not in said
        assert len(said) < 3000


def test_an_echoed_token_is_taken_out() -> None:
    finding = Finding(id="x", cause=f"a {PAT}", candidates=(PAT,), seen=(("x", PAT),), fix=(PAT,)).without([PAT, ""])
    assert PAT not in str(finding)
    assert finding.cause == "a …"


@pytest.mark.parametrize(
    "token", ["eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.abc", jwt_of(iss=None), jwt_of(aud=None), jwt_of(exp=None)]
)
def test_a_jwt_without_what_zitadel_always_writes_may_be_no_token_of_this_zitadel(token: str) -> None:
    finding = find(token, DEAD_HERE | DISCOVERY, WITH_PROJECT)
    assert (finding.id, finding.certainty) == ("token.incomplete", Certainty.OPEN)
    assert "it is not a token of this ZITADEL" in finding.candidates[0]
