"""Inactive tokens: which causes are certain, which stay open, and which must not be named."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.diagnosis.asker import Asker
from tests.diagnosis.test_unusable_response import answer
from tests.support.secret_forms import jwe
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence, PatRecords, Probe, TokenCase
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.inactive_token import INACTIVE
from zdemo.diagnosis.rules.rule import decide, diagnose
from zdemo.diagnosis.token_form import token_form
from zdemo.emulator import READER
from zdemo.errors.response import Response
from zdemo.errors.steps import in_words
from zdemo.zitadel.introspection_answer import Introspection

CERTAIN, LIKELY, OPEN, _ = Certainty

ISSUER = "http://localhost:8080"
PROJECT = "312909075212468225"
CLIENT_ID = "312909075212468231"
SETTINGS = Settings(issuer=ISSUER, client_id=CLIENT_ID, client_secret="s3cr" * 16)
WITH_PROJECT = Settings(issuer=ISSUER, client_id=CLIENT_ID, client_secret="s3cr" * 16, project_id=PROJECT)
PAT = "aB3-" * 17 + "xyZ"
ACCESS_TOKEN = "aB3_" * 26
NOW = 1_800_000_000.0


UNAUTHORIZED = answer(400, {"error": "unauthorized_client"})
DEAD = answer(401, {"error": "access_denied", "error_description": "access token invalid"})
ALIVE = answer(200, {"sub": "1"})
SOUND = {Probe.MADE_UP_CLIENT: UNAUTHORIZED, Probe.READY: answer(200, '"ok"')}
ASKED = Evidence(replies={Probe.TOKEN: answer(200, {"active": False})})
DEAD_HERE = SOUND | {Probe.USERINFO: DEAD}
ALIVE_HERE = SOUND | {Probe.USERINFO: ALIVE}
DISCOVERY = {Probe.DISCOVERY: answer(200, {"issuer": ISSUER}), Probe.KEYS: answer(200, {"keys": [{"kid": "k"}]})}


def find(
    token: str, replies: Mapping[Probe, Response], settings: Settings = SETTINGS, fits: bool | None = None
) -> Finding:
    return judge(token, Evidence(replies={**ASKED.replies, **replies}, signature_fits=fits), settings)


def judge(token: str, evidence: Evidence, settings: Settings = SETTINGS) -> Finding:
    return diagnose(INACTIVE, case_of(token, evidence, settings))


def case_of(token: str, evidence: Evidence = NOTHING, settings: Settings = SETTINGS) -> TokenCase:
    introspection = Introspection(active=False)
    form = token_form(token)
    return TokenCase(settings=settings, token=token, form=form, introspection=introspection, evidence=evidence, now=NOW)


def jwt_of(kid: str = "k", alg: str = "RS256", **claims: Any) -> str:
    claims = {"iss": ISSUER, "aud": [PROJECT], "exp": int(NOW) + 60, "jti": "V2_1-at_1", "nbf": 1} | claims
    parts = ({"alg": alg, "kid": kid}, {name: value for name, value in claims.items() if value is not None})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join([*encoded, "c2" * 171])


@pytest.mark.parametrize(
    ("token", "name", "certainty"),
    [
        (f"Bearer {PAT}", "token.pasted", CERTAIN),
        (PAT[:-1], "token.cut", LIKELY),
        (f"{PAT}x", "token.cut", OPEN),
        (jwt_of()[:-1], "token.cut", CERTAIN),
        (READER.pat, "token.emulators", CERTAIN),
        (PAT + PAT, "token.doubled", CERTAIN),
        ("garbage", "token.too_short", CERTAIN),
        ("a.b.c", "token.damaged", CERTAIN),
        (jwe("PAT", alg="RSA-OAEP-256"), "token.damaged", CERTAIN),
        (PAT, "token.dead", OPEN),
        (ACCESS_TOKEN, "token.ended", OPEN),
        ("aB3_" * 19 + "xy", "token.session_api", LIKELY),
        ("aB34" * 16, "token.client_secret", LIKELY),
        (CLIENT_ID, "token.another_value", CERTAIN),
        (PROJECT, "token.another_value", CERTAIN),
        (jwe("PAT"), "token.dead", OPEN),
        (jwe("access token"), "token.ended", OPEN),
        (jwe("refresh token"), "token.another_value", CERTAIN),
        (jwe("session"), "token.session_api", LIKELY),
        (jwe("PAT")[:20], "token.cut", CERTAIN),
        (f"f{jwe('PAT')[1:]}", "token.damaged", CERTAIN),
        (jwe("PAT").replace(".", "x", 1), "token.damaged", CERTAIN),
        (jwe("PAT", id_length=5), "token.cut", OPEN),
    ],
)
def test_a_dead_opaque_token_is_judged_by_its_form(token: str, name: str, certainty: Certainty) -> None:
    finding = find(token, DEAD_HERE)
    assert (finding.id, finding.certainty) == (name, certainty)
    assert finding.fix
    assert finding.candidates or certainty is not OPEN
    assert token not in str(finding)


@pytest.mark.parametrize(
    ("token", "user_id", "name"),
    [
        (PAT, CLIENT_ID, "token.user_locked"),
        (jwe("PAT"), CLIENT_ID, "token.user_locked"),
        (jwe("PAT", id_length=5), "12345", "token.user_locked"),
        (jwe("PAT", id_length=5), CLIENT_ID, "token.cut"),
        (jwe("PAT", id_length=5), "", "token.cut"),
        (jwe("PAT"), "12345", "token.dead"),
    ],
)
def test_records_count_only_for_a_pat_of_their_length(token: str, user_id: str, name: str) -> None:
    records = PatRecords(user="ada", user_id=user_id, state="LOCKED", pat_id=PROJECT, pats=None, events=None)
    evidence = Evidence(replies=DEAD_HERE, pat_records=records)
    assert judge(token, evidence).id == name


@pytest.mark.parametrize("token", [PAT, jwt_of(), "garbage"])
def test_a_sick_database_is_named_before_anything_about_the_token(token: str) -> None:
    sick: Mapping[Probe, Response] = {Probe.MADE_UP_CLIENT: answer(200, {"active": False}), Probe.USERINFO: DEAD}
    away = {Probe.READY: answer(412, "")}
    for replies, name in ((sick, "zitadel.database_sick"), ({**sick, **away}, "zitadel.database_away")):
        finding = find(token, replies)
        assert finding.id == name
        assert "database" in finding.cause
        assert "token" not in str(finding).lower()
        assert "credential" not in str(finding).lower()


@pytest.mark.parametrize(
    ("token", "name", "certainty", "named"),
    [  # only a JWT shows its audience; any other token may have been requested for a wrong ZITADEL_PROJECT_ID
        (ACCESS_TOKEN, "token.other_audience", OPEN, f"urn:zitadel:iam:org:project:id:{PROJECT}:aud"),
        ("aB3_" * 17 + "x", "token.other_audience", OPEN, f"urn:zitadel:iam:org:project:id:{PROJECT}:aud"),
        (jwt_of(aud=["1"]), "token.other_audience", CERTAIN, f"urn:zitadel:iam:org:project:id:{PROJECT}:aud"),
        (jwt_of(), "token.wrong_project", CERTAIN, "set ZITADEL_PROJECT_ID"),
        (PAT, "token.contradiction", OPEN, "database"),
    ],
)
def test_a_token_that_lives_lacks_this_audience(token: str, name: str, certainty: Certainty, named: str) -> None:
    finding = find(token, ALIVE_HERE, WITH_PROJECT)
    assert (finding.id, finding.certainty) == (name, certainty)
    assert named in " ".join((*map(in_words, finding.fix), *finding.candidates))


@pytest.mark.parametrize("token", [ACCESS_TOKEN, jwe("access token"), jwt_of(aud=["reader"])])
def test_a_missing_scope_is_the_first_cause_of_a_missing_audience(token: str) -> None:
    finding = find(token, ALIVE_HERE, WITH_PROJECT)
    first = finding.candidates[0] if finding.candidates else finding.cause
    assert f"it was requested without the scope urn:zitadel:iam:org:project:id:{PROJECT}:aud" in first


@pytest.mark.parametrize(
    ("token", "refreshed"),
    [
        (ACCESS_TOKEN, True),
        (jwe("access token"), True),
        (jwt_of(client_id=CLIENT_ID), True),
        (jwt_of(client_id="reader"), False),  # a service account: there is nothing to refresh
    ],
)
def test_only_a_token_that_may_be_a_persons_was_ended_by_a_refresh(token: str, refreshed: bool) -> None:
    finding = find(token, DEAD_HERE | DISCOVERY, fits=True)
    assert ("a refresh token was used since" in " ".join(finding.candidates)) is refreshed
    assert ("refresh" in " ".join(map(in_words, finding.fix))) is refreshed
    assert ("it is a refresh token" in " ".join(finding.candidates)) is (token == ACCESS_TOKEN)


@pytest.mark.parametrize("status", [200, 401])
def test_what_is_not_zitadels_userinfo_says_nothing_of_the_token(status: int) -> None:
    finding = find(ACCESS_TOKEN, SOUND | {Probe.USERINFO: answer(status, "<html>log in</html>")})
    assert (finding.id, finding.certainty) == ("token.ended", OPEN)
    assert "not meant for this API" in " ".join(finding.candidates)
    assert "says nothing" in dict(finding.seen)["userinfo"]


def test_what_was_not_answered_is_said_and_kept_among_the_candidates() -> None:
    evidence = Evidence(late=frozenset({Probe.MADE_UP_CLIENT, Probe.USERINFO}))
    finding = judge(ACCESS_TOKEN, evidence)
    assert "not meant for this API" in " ".join(finding.candidates)
    assert "database" in " ".join(finding.candidates)
    assert ("not known", "no answer in time: made-up client, userinfo") in finding.seen


@pytest.mark.parametrize(
    ("token", "more", "fits", "name"),
    [
        (jwt_of(iss="http://localhost:59999"), DISCOVERY, True, "token.other_issuer"),
        (jwt_of(azp="reader", at_hash="x", jti=None, exp=1), DISCOVERY, True, "token.is_id_token"),
        (jwt_of(iss="http://localhost:59999"), DISCOVERY, False, "token.damaged"),
        (jwt_of(iss="7", sub="7", jti=None), DISCOVERY, None, "token.is_assertion"),
        (jwt_of(iss="7", sub="7", exp=1), DISCOVERY, False, "token.is_assertion"),
        (jwt_of(sub=ISSUER, exp=1), DISCOVERY, True, "token.expired"),
        (jwt_of(alg="none"), DISCOVERY, None, "token.damaged"),
        (jwt_of(alg="HS256", exp=1), DISCOVERY, None, "token.damaged"),
        (jwt_of(exp=1), DISCOVERY, True, "token.expired"),
        (jwt_of(aud=["1"]), DISCOVERY, True, "token.other_audience"),
        (jwt_of(kid="x"), DISCOVERY, None, "token.unknown_key"),
        (jwt_of(aud=None), DISCOVERY, True, "token.incomplete"),
        (jwt_of(), DISCOVERY, True, "token.ended"),
    ],
)
def test_a_dead_jwt_tells_why_itself(token: str, more: Mapping[Probe, Response], fits: bool | None, name: str) -> None:
    finding = find(token, {**DEAD_HERE, **more}, WITH_PROJECT, fits=fits)
    assert (finding.id, bool(finding.fix)) == (name, True)


@pytest.mark.parametrize(("name", "is_same"), [("", True), ("bold-eagle-31", False)])
def test_a_known_key_shows_the_same_zitadel_but_emulators_of_a_process_share_theirs(name: str, is_same: bool) -> None:
    keys = answer(200, {"keys": [{"kid": "k"}]}, headers={"x-zdemo-emulator": name})
    token = jwt_of(iss="http://localhost:59999")
    finding = find(token, {**DEAD_HERE, **DISCOVERY, Probe.KEYS: keys}, WITH_PROJECT, fits=True)
    assert ("that is the same ZITADEL" in finding.cause) is is_same
    realm = find(jwt_of(iss="https://kc.example.com/realms/x"), {**DEAD_HERE, **DISCOVERY}, WITH_PROJECT, fits=True)
    assert (realm.id, realm.otherwise, bool(finding.otherwise)) == ("token.other_issuer", (), True)  # it has a path


@pytest.mark.parametrize(("ahead", "name"), [(46_800, "token.ended"), (0, "token.expired"), (-46_800, "token.expired")])
def test_a_jwt_has_expired_by_zitadels_clock_and_not_by_ours(ahead: float, name: str) -> None:
    evidence = Evidence(replies=DEAD_HERE | DISCOVERY, signature_fits=True, clock_ahead_seconds=ahead)
    token = jwt_of(exp=int(NOW) - 3600 if ahead >= 0 else int(NOW) + 3600)
    finding = judge(token, evidence)
    assert finding.id == name
    assert (finding.certainty is CERTAIN) is (ahead == 0)
    if ahead:
        assert "46800 s" in dict(finding.seen)["clock"]


@pytest.mark.parametrize("value", [None, 5, [], {}, "\x1b[31m", "x" * 5000, [1, None]])
def test_odd_claims_of_a_jwt_do_no_harm(value: Any) -> None:
    for name in ("iss", "aud", "exp", "jti"):
        text = str(find(jwt_of(**{name: value}), DEAD_HERE | DISCOVERY, WITH_PROJECT))
        assert "\\x1b" not in text
        assert len(text) < 3000


EACH = {probe: DEAD for probe in Probe if probe not in (Probe.TOKEN, Probe.ADMINISTRATOR, Probe.PAT_RECORDS)}
WITHOUT_ADMINISTRATOR = EACH | DEAD_HERE | DISCOVERY
WITH_ADMINISTRATOR = WITHOUT_ADMINISTRATOR | {Probe.ADMINISTRATOR: answer(200, {"active": True})}
del WITH_ADMINISTRATOR[Probe.MADE_UP_CLIENT]  # it is known then that ZITADEL works
SICK_HERE = WITHOUT_ADMINISTRATOR | {Probe.MADE_UP_CLIENT: answer(200, {"active": False})}
FIRST = {Probe.MADE_UP_CLIENT, Probe.USERINFO}
LOCKED = PatRecords(user="ada", user_id=CLIENT_ID, state="LOCKED")
UNDECIDED = PatRecords(user="ada", user_id=CLIENT_ID, state="ACTIVE")


@pytest.mark.parametrize(
    ("token", "replies", "records", "rounds"),
    [
        (PAT, WITHOUT_ADMINISTRATOR, None, [FIRST]),
        (PAT, WITH_ADMINISTRATOR, None, [{Probe.ADMINISTRATOR}, {Probe.USERINFO}]),
        (PAT, WITH_ADMINISTRATOR, LOCKED, [{Probe.ADMINISTRATOR}, {Probe.PAT_RECORDS}]),
        (PAT, WITH_ADMINISTRATOR, UNDECIDED, [{Probe.ADMINISTRATOR}, {Probe.PAT_RECORDS}, {Probe.USERINFO}]),
        (PAT, WITHOUT_ADMINISTRATOR | {Probe.USERINFO: ALIVE}, LOCKED, [FIRST]),
        (PAT, SICK_HERE, LOCKED, [FIRST, {Probe.READY}]),
        (ACCESS_TOKEN, WITH_ADMINISTRATOR, LOCKED, [{Probe.ADMINISTRATOR}, {Probe.USERINFO}]),
        (READER.pat, WITH_ADMINISTRATOR, LOCKED, [{Probe.ADMINISTRATOR}]),
        (PAT[:-1], WITHOUT_ADMINISTRATOR, None, [FIRST, {Probe.WHOAMI}]),
        (jwt_of(), WITHOUT_ADMINISTRATOR, None, [FIRST, {Probe.KEYS}, {Probe.DISCOVERY}]),
        (jwt_of(), WITH_ADMINISTRATOR | {Probe.USERINFO: ALIVE}, None, [{Probe.ADMINISTRATOR}, {Probe.USERINFO}]),
        (jwt_of(iss="7", sub="7"), WITHOUT_ADMINISTRATOR, None, [FIRST]),
        ("", WITHOUT_ADMINISTRATOR, None, [{Probe.MADE_UP_CLIENT}]),
        ("", SICK_HERE, None, [{Probe.MADE_UP_CLIENT}, {Probe.READY}]),
    ],
)
def test_no_more_is_asked_than_the_answers_so_far_call_for(
    token: str, replies: Mapping[Probe, Response], records: PatRecords | None, rounds: list[set[Probe]]
) -> None:
    asker = Asker({**replies, **({Probe.PAT_RECORDS: {"pat_records": records}} if records else {})}, ASKED)
    finding = decide(INACTIVE, case_of(token, ASKED), asker)
    assert asker.rounds == rounds
    assert finding is not None or (not token and replies is not SICK_HERE)
