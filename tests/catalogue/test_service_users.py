"""The catalogue of faults, sixth part: a service account's credentials, with which ``zdemo token`` gets a token."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.support.cli import Shell
from tests.support.key_site import key_site
from tests.support.named_causes import Output, command, introspect, settings, write
from tests.support.planting import Planter
from tests.support.relay import relay
from tests.support.upstream import answer, depending, json_body, raw, refusing_port, upstream
from tests.support.upstream import http as whole
from tests.support.waiting import eventually
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR

USER_ID, USER_SECRET, KEY_FILE = "ZDEMO_USER_CLIENT_ID", "ZDEMO_USER_CLIENT_SECRET", "ZDEMO_USER_KEY_FILE"
ALL_BLAMED = ("perhaps", "key .*deleted", "not the client secret", "no service account")
BAD_ASSERTION = json_body({"error": "invalid_grant", "error_description": "invalid assertion"})


def as_user(url: str, **more: str) -> dict[str, str]:
    """The settings, with the credentials of the reader."""
    user = {USER_ID: READER.username, USER_SECRET: READER.secret, "ZITADEL_PROJECT_ID": PROJECT_ID}
    return settings(url, **{**user, **more})


def with_key(url: str, file: Path, **more: str) -> dict[str, str]:
    return settings(url, ZITADEL_PROJECT_ID=PROJECT_ID, **{KEY_FILE: file.name, **more})


def refused(shell: Shell, env: dict[str, str]) -> Output:
    """Run ``zdemo token``, which must print nothing on standard output."""
    output = command(shell, env, "token")
    assert output.ran.out == ""
    assert READER.secret not in output.ran.all
    return output


def nothing_else(output: Output, *named: str) -> None:
    """Expect these words, and none that blames anything else."""
    output.names(*named).never(*(words for words in ALL_BLAMED if words not in named))


def test_the_client_id_of_the_api_application(bare: Shell, planter: Planter) -> None:
    env = as_user(planter.url, **{USER_ID: CLIENT_ID, USER_SECRET: CLIENT_SECRET})
    nothing_else(refused(bare, env), f"{USER_ID} is the client ID of the API application", "login name")


def test_the_client_secret_of_the_api_application(bare: Shell, planter: Planter) -> None:
    output = refused(bare, as_user(planter.url, **{USER_SECRET: CLIENT_SECRET}))
    output.names(f"{USER_SECRET} is the client secret of the API application, not that of the user reader")
    output.never("perhaps")


@pytest.mark.parametrize("some_id", [READER.id, "353545601679624999", "353545601679624999@zdemo"])
def test_an_id_instead_of_the_login_name(bare: Shell, planter: Planter, some_id: str) -> None:
    output = refused(bare, as_user(planter.url, **{USER_ID: some_id}))
    nothing_else(output, "most likely, .*is the ID of a user or an application", "set .*login name")


def test_a_login_name_that_nobody_has(bare: Shell, planter: Planter) -> None:
    output = refused(bare, as_user(planter.url, **{USER_ID: "readr"}))
    output.names("no service account with the login name readr", "misspelled", "another ZITADEL", "client not found")


@pytest.mark.parametrize(("secret", "whole"), [("A" * 64, True), (READER.secret[:-9], False)])
def test_a_wrong_secret(bare: Shell, planter: Planter, secret: str, whole: bool) -> None:
    output = refused(bare, as_user(planter.url, **{USER_SECRET: secret}))
    output.names("not the client secret of the user reader", "new one was generated", "copy the secret again")
    output.names("only if it is lost: .*Generate Client Secret.*breaks")
    output.never("not copied whole") if whole else output.names("not copied whole: it has 55 characters")


def test_a_secret_that_was_replaced(bare: Shell, planter: Planter) -> None:
    planter.user("AddSecret")
    refused(bare, as_user(planter.url)).names("not the client secret of the user reader", "new one was generated")


def test_a_user_without_a_secret(bare: Shell, planter: Planter) -> None:
    output = refused(bare, as_user(planter.url, **{USER_ID: VISITOR.username}))
    nothing_else(output, "the user visitor has no client secret", "generate one on the user's page", USER_SECRET)


@pytest.mark.parametrize("method", ["DeactivateUser", "LockUser"])
@pytest.mark.parametrize("by_key", [False, True])
def test_a_user_who_is_not_active(bare: Shell, planter: Planter, method: str, by_key: bool) -> None:
    file = planter.key_file(bare.folder)
    planter.user(method)
    output = refused(bare, with_key(planter.url, file) if by_key else as_user(planter.url))
    nothing_else(output, "is deactivated or locked", "reactivate or unlock")


def test_a_user_who_was_reactivated_a_moment_ago(bare: Shell, planter: Planter) -> None:
    body = {"error": "invalid_request", "error_description": "Errors.User.NotFound"}
    other = relay(planter.url)
    with upstream(depending(lambda r: answer(json_body(body), 404) if "token" in r.target else other)) as zitadel:
        refused(bare, as_user(f"http://localhost:{zitadel.port}")).names("reactivated a moment ago", "try again")


def test_the_key_file_of_an_application(bare: Shell) -> None:
    with key_site(bare.folder / "app.json") as site:
        output = refused(bare, with_key(site.url, site.file))
    output.names(
        f"{KEY_FILE} names the key file of an API application, not of a service account", "service account's page"
    )


@pytest.mark.parametrize("content", ["", "[]", "{", '{"type":"serviceaccount"}', "-----BEGIN RSA PRIVATE KEY-----"])
def test_a_key_file_that_is_none(bare: Shell, planter: Planter, content: str) -> None:
    path = write(bare.folder, "key.json", content)
    refused(bare, with_key(planter.url, Path(path))).names(KEY_FILE, "create a key on the service account's page")


def test_a_key_that_was_deleted(bare: Shell, planter: Planter) -> None:
    file = planter.key_file(bare.folder)
    planter.user("RemoveKey", keyId=file.stem)
    output = refused(bare, with_key(planter.url, file))
    output.names(f"refuses the key of the user {READER.id}", f"key {file.stem} was deleted", "user was removed")
    output.names("create a key on the service account's page")


def test_a_key_that_has_expired_by_its_file(bare: Shell, planter: Planter) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    file = planter.key_file(bare.folder, expires=soon.isoformat().replace("+00:00", "Z"))
    # a Date tells ZITADEL's time to the second
    eventually("the key has expired", lambda: datetime.now(UTC) > soon + timedelta(seconds=1.5))
    nothing_else(refused(bare, with_key(planter.url, file)), "the key expired . seconds? ago", "create a key")


def test_a_key_of_another_zitadel(bare: Shell, planter: Planter) -> None:
    values = json.loads(planter.key_file(bare.folder).read_text()) | {"userId": "1" * 18}
    path = write(bare.folder, "other.json", json.dumps(values))
    refused(bare, with_key(planter.url, Path(path))).names("refuses the key", "another ZITADEL", "recreated")


@pytest.mark.parametrize(("seconds", "where"), [(900, "behind"), (-900, "ahead of")])
def test_a_clock_that_is_off_with_a_key(bare: Shell, planter: Planter, seconds: int, where: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    off, other = answer(BAD_ASSERTION, 400, headers={"Date": date}), relay(planter.url)
    file = planter.key_file(bare.folder)
    with upstream(depending(lambda r: off if r.target == "/oauth/v2/token" else other)) as zitadel:
        output = refused(bare, with_key(f"http://localhost:{zitadel.port}", file))
    nothing_else(output, rf"\d\d\d s {where} ZITADEL's", "synchronise")


def test_an_issuer_that_differs_with_a_key(bare: Shell, planter: Planter) -> None:
    file = planter.key_file(bare.folder)
    with upstream(relay(planter.url, host=planter.url.removeprefix("http://"))) as proxy:
        output = refused(bare, with_key(f"http://localhost:{proxy.port}", file))
    nothing_else(output, f"issuer is {planter.url}, but .* for http://localhost:{proxy.port}", "ZITADEL_DOMAIN=")


@pytest.mark.parametrize("by_key", [False, True])
def test_a_database_that_is_away(bare: Shell, planter: Planter, by_key: bool) -> None:
    """With its instance cached, ZITADEL answers everybody like somebody whom it does not know."""
    unknown = answer(json_body({"error": "invalid_client", "error_description": "client not found"}), 400)
    away = raw(whole(b"ID=API-F24h2 Message=DB CONNECTION ERROR", 412, {"Content-Type": "text/plain"}))
    file = planter.key_file(bare.folder)
    refusal = answer(BAD_ASSERTION, 400) if by_key else unknown
    with upstream(depending(lambda r: refusal if r.target == "/oauth/v2/token" else away)) as zitadel:
        url = f"http://localhost:{zitadel.port}"
        output = refused(bare, with_key(url, file) if by_key else as_user(url))
    nothing_else(output, "database is down", "PostgreSQL")


def test_a_zitadel_that_is_not_there(bare: Shell) -> None:
    with refusing_port() as port:
        output = refused(bare, as_user(f"http://127.0.0.1:{port}"))
    assert output.ran.code == 4
    nothing_else(output, "ZITADEL_DOMAIN", f"127.0.0.1 port {port}")


def test_a_host_that_zitadel_does_not_know(bare: Shell, planter: Planter) -> None:
    output = refused(bare, as_user(planter.url.replace("localhost", "127.0.0.1")))
    assert output.ran.code == 4
    nothing_else(output, "no instance for the host 127.0.0.1", "ZITADEL_DOMAIN=http://localhost")


def test_an_internal_url_is_where_the_credentials_go(bare: Shell, planter: Planter) -> None:
    """The issuer is another address, at which nothing listens; the internal one knows a ZITADEL of that name."""
    file = planter.key_file(bare.folder)
    with refusing_port() as port:
        env = {"ZITADEL_DOMAIN": f"http://localhost:{port}", "ZITADEL_INTERNAL_URL": planter.url}
        for credentials in (as_user(planter.url), with_key(planter.url, file)):
            ran = Shell(folder=bare.folder, env={**credentials, **env})("token")
            assert (ran.code, ran.err) == (0, "")
        internal = refused(bare, as_user(planter.url) | {**env, "ZITADEL_INTERNAL_URL": f"http://127.0.0.1:{port}"})
    assert internal.ran.code == 4
    nothing_else(internal, "ZITADEL_INTERNAL_URL")


def test_a_web_server_instead_of_zitadel(bare: Shell) -> None:
    page = raw(whole(b"<html>", 200, {"Content-Type": "text/html"}))
    with upstream(page) as other:
        output = refused(bare, as_user(other.url))
    assert output.ran.code == 4
    output.names("ZITADEL_DOMAIN", "not a ZITADEL|not ZITADEL's").never("introspection", "API application")


def test_a_proxy_that_removes_the_credentials(bare: Shell) -> None:
    body = {"error": "invalid_request", "error_description": "client_id or client_assertion must be provided"}
    with upstream(answer(json_body(body), 400)) as proxy:
        output = refused(bare, as_user(proxy.url))
    output.names("service account's authentication .* did not reach ZITADEL", "proxies")


@pytest.mark.parametrize("wrong", ["353545601679493999", ORGANIZATION_ID])
def test_a_project_that_is_not_the_apis(bare: Shell, planter: Planter, wrong: str) -> None:
    """ZITADEL issues the token, whatever project its scope names; introspection calls it inactive."""
    env = as_user(planter.url, ZITADEL_PROJECT_ID=wrong)
    token = Shell(folder=bare.folder, env=env)("token")
    assert (token.code, token.err) == (0, "")
    introspect(bare, {**env, "PAT": token.out.strip()}).names("ZITADEL_PROJECT_ID .* is wrong", "fix compare")
    jwt = planter.tokens(f"urn:zitadel:iam:org:project:id:{wrong}:aud", jwt=True)["access_token"]
    output = introspect(bare, {**env, "PAT": jwt})
    output.names(f"meant for the project {wrong} .*API application belongs to another", "set ZITADEL_PROJECT_ID")
    output.never("with the scope")


def test_the_name_of_a_project_instead_of_its_id(bare: Shell, planter: Planter) -> None:
    ran = Shell(folder=bare.folder, env=as_user(planter.url, ZITADEL_PROJECT_ID="zdemo"))("token")
    assert (
        ran.code,
        "ZITADEL_PROJECT_ID is not a number" in ran.err,
        "perhaps it is the project's name" in ran.err,
    ) == (
        0,
        True,
        True,
    )
