"""The keys that sign JWTs: created, used and removed by the API and by the control interface."""

from typing import Any

import pytest

from tests.support.emulator_target import KEYS, NOBODY, Server
from tests.support.logins import Client, add_client, claims
from tests.support.oauth import verified
from tests.support.zitadel_api import NO_MEMBERSHIP, Api
from zdemo.emulator import ADMIN, READER, Emulator

CONTROL = {"X-Zdemo-Control": "1"}


@pytest.fixture
def keys(near: Server) -> Api:
    return Api(near, ADMIN.pat)


@pytest.fixture
def app(own: Emulator) -> Client:
    return add_client(own, accessTokenType="OIDC_TOKEN_TYPE_JWT")


def published(server: Server) -> list[str]:
    return [key["kid"] for key in server.get(KEYS).json()["keys"]]


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("rsa", "RS256"), ("ecdsa", "ES256"), ("ed25519", "EdDSA")], ids=lambda value: value
)
def test_a_key_is_published_before_it_signs_and_the_former_one_stays_good(
    near: Server, keys: Api, app: Client, kind: str, algorithm: str
) -> None:
    former = app.log_in()
    body: dict[str, Any] = {"rsa": {}, "ecdsa": {"ecdsa": {"curve": "ECDSA_CURVE_P256"}}}.get(kind, {kind: {}})
    id = keys.web_keys.CreateWebKey(**body).only("creationDate", "id")["id"]
    before = verified(near, app.log_in()["id_token"])[0]["kid"]
    assert (len(published(near)), published(near)[-1], before != id) == (3, id, True)
    keys.web_keys.ActivateWebKey(id=id).only("changeDate")
    tokens = app.log_in()
    for name in ("access_token", "id_token"):
        header = verified(near, tokens[name])[0]
        assert (header["kid"], header["alg"]) == (id, algorithm)
    assert len(claims(tokens["id_token"])["at_hash"]) == (43 if algorithm == "EdDSA" else 22), "half of the hash"
    assert [app.introspect(t["access_token"])["active"] for t in (former, tokens)] == [True, True]
    others: list[Any] = [{"id": before, "state": "STATE_INACTIVE"}, {"state": "STATE_INITIAL"}]
    keys.web_keys.ListWebKeys().only(webKeys=[{"id": id, "state": "STATE_ACTIVE", kind: ...}, *others])
    keys.web_keys.ActivateWebKey(id=before).only("changeDate")
    assert verified(near, app.log_in()["id_token"])[0]["kid"] == before


def test_a_key_that_does_not_sign_is_removed_with_its_jwts(near: Server, keys: Api, app: Client) -> None:
    token, (first, second) = app.log_in()["access_token"], published(near)
    keys.web_keys.DeleteWebKey(id=first).refused(400, "Cannot delete active web key", id="COMMAND-Chai1")
    keys.web_keys.ActivateWebKey(id=second).has()
    assert app.introspect(token)["active"]
    removed = keys.web_keys.DeleteWebKey(id=first).only("deletionDate")["deletionDate"]
    assert (app.introspect(token), published(near)) == ({"active": False}, [second])
    keys.web_keys.DeleteWebKey(id=first).only(deletionDate=removed)
    keys.web_keys.DeleteWebKey(id=NOBODY).only()
    keys.web_keys.ActivateWebKey(id=NOBODY).refused(404, id="COMMAND-teiG3")
    Api(near, READER.pat).web_keys.ListWebKeys().refused(*NO_MEMBERSHIP)


def test_the_control_interface_rotates_keys_and_a_reset_brings_the_first_back(near: Server, app: Client) -> None:
    first, token = published(near), app.log_in()["access_token"]

    def control(method: str, name: str) -> list[str]:
        assert near.send(method, f"/_zdemo/{name}", json={}, headers=CONTROL).status_code == 200
        return published(near)

    new, *former = control("POST", "keys")
    assert (former, app.introspect(token)["active"]) == (first, True)
    assert verified(near, app.log_in()["id_token"])[0]["kid"] == new
    (newest,) = control("DELETE", "keys")
    assert (newest != new, app.introspect(token)) == (True, {"active": False})
    assert control("POST", "reset") == first
