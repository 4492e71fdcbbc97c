"""Which tokens introspection calls active: whatever is wrong with one, the answer is the same (RFC 7662 §2.2)."""

from __future__ import annotations

import secrets
import string
from math import ceil

import pytest

from tests.support.emulator_target import Api, answer
from tests.support.oauth import INACTIVE, GetToken, OAuth, audience
from tests.support.waiting import eventually
from tests.support.workshop import App, Pat, Project, User, Workshop

BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
ID_LENGTH = 18


def test_the_inactive_answer_is_this_and_nothing_more(oauth: OAuth, app: App) -> None:
    response = oauth.introspection(app, "garbage")
    assert (response.status_code, response.text) == (200, '{"active":false}\n')


@pytest.mark.parametrize(
    "token",
    ["garbage", "A", "A" * 71, "A" * 104, "=", " ", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ä", "A" * 65536],
    ids=lambda token: f"{token[:12]} of {len(token)}",
)
def test_garbage_is_inactive(oauth: OAuth, app: App, token: str) -> None:
    assert answer(oauth.introspection(app, token)) == INACTIVE


@pytest.mark.parametrize(
    "altered", ["Bearer {}", "{} ", " {}", '"{}"', "{}=", "{}\u200b", "{}A", "{}AA", "\t{}", "{:.70}"]
)
def test_a_pat_that_is_longer_or_shorter_is_inactive(oauth: OAuth, app: App, reader: User, altered: str) -> None:
    assert answer(oauth.introspection(app, altered.format(reader.pat))) == INACTIVE


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"], ids=repr)
def test_line_ends_anywhere_in_a_pat_are_ignored(oauth: OAuth, app: App, reader: User, line_end: str) -> None:
    pat = reader.pat
    spellings = [pat + line_end, line_end + pat, pat[:30] + line_end + pat[30:]]
    assert [oauth.active(app, spelling) for spelling in spellings] == [True] * 3


def test_four_spellings_of_the_last_character_are_the_same_pat(oauth: OAuth, app: App, reader: User) -> None:
    group = (
        BASE64URL.index(reader.pat[-1]) // 4 * 4
    )  # 71 characters: the last holds 4 bits of the token and 2 of nothing
    spellings = [reader.pat[:-1] + BASE64URL[index] for index in range(group, group + 4)]
    assert {oauth.claims(app, spelling)["jti"] for spelling in spellings} == {oauth.claims(app, reader.pat)["jti"]}


def test_a_user_id_of_ones_own_choice_changes_the_length_of_the_pat(workshop: Workshop, oauth: OAuth, app: App) -> None:
    chosen = secrets.token_hex(6)
    user = workshop.user(userId=chosen)
    assert user.id == chosen
    assert len(user.pat) == ceil((16 + ID_LENGTH + 1 + len(chosen)) * 4 / 3)
    assert oauth.claims(app, user.pat)["sub"] == chosen


def test_a_colon_in_the_user_id_makes_pats_that_never_work(workshop: Workshop, oauth: OAuth, app: App) -> None:
    user = workshop.user(userId=f"bot:{secrets.token_hex(6)}")
    assert answer(oauth.introspection(app, user.pat)) == INACTIVE


def test_an_expired_pat_is_inactive(oauth: OAuth, app: App, brief_pat: Pat) -> None:
    eventually("the PAT has expired", lambda: answer(oauth.introspection(app, brief_pat.token)), INACTIVE.__eq__)


def test_the_other_pats_of_a_user_outlive_a_deleted_one(workshop: Workshop, admin: Api, oauth: OAuth, app: App) -> None:
    user = workshop.user()
    second = workshop.pat(user.id)
    admin.do("UserService/RemovePersonalAccessToken", userId=user.id, tokenId=second.id)
    assert answer(oauth.introspection(app, second.token)) == INACTIVE
    assert oauth.active(app, user.pat)


def test_what_is_no_token_is_inactive(oauth: OAuth, app: App, reader: User, reader_secret: str) -> None:
    for mistaken in (app.secret, reader_secret, reader.id):
        assert answer(oauth.introspection(app, mistaken)) == INACTIVE


def test_an_id_token_is_inactive(oauth: OAuth, app: App, project: Project, reader: User, reader_secret: str) -> None:
    id_token = oauth.tokens(reader, reader_secret, "openid", audience(project))["id_token"]
    assert answer(oauth.introspection(app, id_token)) == INACTIVE


def test_an_access_token_without_an_audience_is_inactive(oauth: OAuth, app: App, reader_token: GetToken) -> None:
    token = reader_token("openid", "profile")
    assert answer(oauth.introspection(app, token)) == INACTIVE


def test_an_access_token_for_another_project_is_inactive_here_and_active_there(
    oauth: OAuth, app: App, other_app: App, project: Project, reader_token: GetToken
) -> None:
    token = reader_token(audience(project))
    assert answer(oauth.introspection(other_app, token)) == INACTIVE
    assert oauth.active(app, token)


def test_an_access_token_may_be_for_two_projects(
    oauth: OAuth, app: App, other_app: App, project: Project, other_project: Project, reader_token: GetToken
) -> None:
    token = reader_token(audience(project), audience(other_project))
    assert oauth.active(app, token)
    assert oauth.active(other_app, token)


def test_a_pat_is_active_at_the_application_of_any_project(oauth: OAuth, other_app: App, reader: User) -> None:
    assert oauth.active(other_app, reader.pat)


def test_a_pat_is_not_bound_to_the_issuer(oauth: OAuth, app: App, reader: User) -> None:
    host = f"{oauth.server.hostname}:59999"
    claims = oauth.introspection(app, reader.pat, host).json()
    assert (claims["active"], claims["iss"]) == (True, f"{oauth.server.scheme}://{host}")
