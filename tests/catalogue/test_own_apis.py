"""The catalogue of faults: what an API of one's own refuses, and what is in front of it."""

import pytest

from tests.catalogue.named_causes import call, doctor
from tests.support.cli import Shell, settings
from tests.support.connection_faults import relay
from tests.support.upstream import answer, json_body, upstream
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR, Emulator
from zdemo.server import create_app
from zdemo.serving.embedded import serving

NO_JWT = "An error occurred while attempting to decode the Jwt: Malformed token"  # Spring Security
INVALID = 'Bearer error="invalid_token"'
ORDERS = 'Bearer error="insufficient_scope", scope="orders:read"'


@pytest.mark.parametrize(
    ("pat", "status", "challenge", "named", "never"),
    [
        (
            READER.pat,
            401,
            f'{INVALID}, error_description="{NO_JWT}"',
            (NO_JWT, "fix let the API ask ZITADEL"),
            "Console",
        ),
        (VISITOR.pat, 403, ORDERS, ("no role for this one", "--create-role visitor orders:read"), "log"),
        (READER.pat, 403, ORDERS, ("only read:messages", "--create-role reader orders:read"), "log"),
    ],
)
def test_an_api_that_refuses_for_a_reason_of_its_own(
    bare: Shell, zitadel: Emulator, pat: str, status: int, challenge: str, named: tuple[str, ...], never: str
) -> None:
    with upstream(answer(b"", status, headers={"WWW-Authenticate": challenge})) as api:
        output = call(bare, settings(zitadel.url, PAT=pat), f"{api.url}/messages")
    output.names(*named).never("restart zdemo serve", *filter(None, [never]))


@pytest.mark.parametrize(("value", "named"), [("Basic YTpi", "did not receive it"), ("Bearer a b", "malformed")])
def test_a_proxy_that_changes_it(bare: Shell, zitadel: Emulator, api: str, value: str, named: str) -> None:
    with upstream(relay(api, authorization=value)) as proxy:
        for route in ("private", f"{proxy.url}/api/private"):
            output = call(bare, settings(zitadel.url, ZDEMO_API_URL=proxy.url), route)
            output.names(named, "nginx: proxy_set_header Authorization", "Apache", "Traefik").never("call .*-v")


def test_a_path_that_is_nearly_one_of_the_api(bare: Shell, zitadel: Emulator, api: str) -> None:
    output = call(bare, settings(zitadel.url, ZDEMO_API_URL=api), "/api/scoped")
    output.names("did you mean /api/private-scoped.* fix zdemo call /api/private-scoped")
    with upstream(answer(json_body({"detail": "Not Found"}), 404)) as other:
        output = call(bare, settings(zitadel.url), f"{other.url}/messages/", "-X", "POST")
    output.names(f"did you mean /messages.* fix zdemo call {other.url}/messages -X POST")


def test_an_api_for_proxies_alone(bare: Shell, zitadel: Emulator) -> None:
    with serving(create_app(Settings.from_env(settings(zitadel.url)), denied_as=400)) as port:
        env = settings(zitadel.url, ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        output = call(bare, env, "private").names("--forward-auth", "fix zdemo call http://[^ ]*/auth/-")
        assert (output.never("most likely"), bare("call", "/auth/-", **env).code) == (output, 0)


def test_an_api_below_a_path(bare: Shell, zitadel: Emulator, api: str) -> None:
    with upstream(relay(api, prefix="/v1")) as proxy:
        doctor(bare, settings(zitadel.url, ZDEMO_API_URL=f"{proxy.url}/v1"))
    env = settings(zitadel.url, ZDEMO_API_URL=f"{api}/v1")
    for output in (doctor(bare, env, "api.identity"), call(bare, env)):
        output.names("has no /v1/api/p", f"fix ZDEMO_API_URL={api} ")
