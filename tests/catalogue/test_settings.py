"""The catalogue of faults: the settings, and the store in which workers and machines share answers."""

import re
from dataclasses import replace

import pytest

from tests.catalogue.named_causes import Output, both, call, command, doctor, introspect
from tests.support.cli import Shell, settings
from tests.support.planting import key_site
from tests.support.redis_server import shared_server
from tests.support.upstream import LOOPBACK, refusing_port
from zdemo.config.parsers import EXAMPLE_DOMAIN
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, Emulator

HIDES = "CLIENT_ID in the environment hides the one in .env"
KEY = "ZITADEL_KEY_FILE"
SHADOWED, WELLFORMED, READABLE = "settings.shadowed", "settings.wellformed", "settings.readable"


def test_33_a_value_that_hides_another_is_said_with_its_fix(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    wrong = {"CLIENT_ID": "353545601679624999"}
    output = doctor(bare, wrong, "client.accepted", warned=(SHADOWED,))
    output.names(HIDES, r"unset CLIENT_ID")
    assert re.findall(" fix (.*)", output.screen) == ["unset CLIENT_ID if you want the value in .env"]
    bare.dotenv(**settings(zitadel.url, PAT=VISITOR.pat))
    output = doctor(bare, settings(zitadel.url, **wrong), "client.accepted", warned=(SHADOWED,))
    assert re.findall(" fix (.*)", output.screen) == ["unset CLIENT_ID if you want the value in .env"]
    assert "! settings      CLIENT_ID in the environment hides the one in .env (and 1 more)\n" in output.ran.out
    introspect(bare, wrong).names(HIDES)


KEEP = "keep the right one, remove the other"


def test_33_a_variable_set_twice_and_a_key_file_beside_a_secret_are_said(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url), **{" PAT": "A" * 71})
    with key_site(bare.folder / "key.json") as site:  # of another ZITADEL
        output = doctor(bare, {KEY: str(site.file)}, "client.accepted", warned=(SHADOWED, WELLFORMED))
    output.names(f"{KEY} and CLIENT_SECRET are both set: the key file is used", "remove the one")
    assert ("fix remove the one" in output.screen, "PAT" in output.screen) == (True, False), "it explains nothing"
    assert "! settings      PAT is set twice in .env" in output.ran.out
    bare.dotenv(**settings(zitadel.url), **{" PAT": "", " CLIENT_SECRET": ""})
    introspect(bare, {"CLIENT_SECRET": CLIENT_SECRET}).names("PAT is set twice in .env: .* no token to ask about", KEEP)
    for output in (introspect(bare, {}), doctor(bare, {}, "settings.complete", warned=(SHADOWED,))):
        output.names("CLIENT_SECRET is set twice in .env: line .* counts, which is empty, not line", KEEP)


PLACES: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {  # content of .env, and what doctor says
    "no assignment": ("PAT=x\nthis is not one\n", READABLE, (), (r"\.env line 2 is not an assignment",)),
    "nothing": ("", "settings.complete", (), ("ZITADEL_DOMAIN is not set", "CLIENT_SECRET is not set", "zdemo setup")),
    "a folder": ("", "settings.complete", (READABLE,), (r"\.env is a folder", "not read", "--env-file")),
    "a link": ("", READABLE, (), (r"\.env is a link to a file that does not exist", "correct the link")),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_wrong_with_the_file_is_named(bare: Shell, place: str) -> None:
    content, failing, warned, named = PLACES[place]
    path = bare.folder / ".env"
    if place == "a folder":
        path.mkdir()
    elif place == "a link":
        path.symlink_to(bare.folder / "nowhere")
    else:
        path.write_text(content)
    doctor(bare, {}, failing, warned=warned).names(*named).never("this is not one")


def test_a_file_of_another_name_or_folder_is_pointed_out_and_a_missing_one_an_error(bare: Shell) -> None:
    inside = replace(bare, folder=bare.folder / "src")
    inside.folder.mkdir()
    bare.dotenv(PAT="x")
    output = doctor(inside, {"CLIENTID": "7"}, "settings.complete", warned=("token.form",))
    output.names("fix add --env-file ../.env, or set them in the environment").never("init")
    named = {**settings("http://localhost:1"), "ZITADEL_DOMAIN": "", "CLIENT_SECRET": "", "CLIENTSECRET": "x"}
    bare.dotenv(**named)
    doctor(bare, {}, "settings.complete").names("rename CLIENTSECRET to CLIENT_SECRET", "fix set ZITADEL_DOMAIN in")
    command(bare, {}, "doctor", "--env-file", "nowhere.env").names("nowhere.env does not exist", "✗ settings")


SWAPPED = {"PAT": CLIENT_SECRET, "CLIENT_SECRET": READER.pat}
SAME_PATS = dict.fromkeys(("PAT", "ZDEMO_VISITOR_PAT"), VISITOR.pat)
PATS_SWAPPED = {"PAT": ADMIN.pat, "ZITADEL_ADMIN_PAT": READER.pat}
RIGHT_PROJECT = f"fix ZITADEL_PROJECT_ID={PROJECT_ID}"
OTHER_PROJECT = {"ZITADEL_PROJECT_ID": "353545601679499999"}


# {url} is ZITADEL's address
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ZDEMO_API_URL": "{url}/api/private"}, ("has the path of a route: {url}/api/", "fix ZDEMO_API_URL={url} ")),
        (SWAPPED, ("swapped", "exchange the values of CLIENT_SECRET and PAT")),
        ({"ZITADEL_DOMAIN": EXAMPLE_DOMAIN}, ("ZITADEL_DOMAIN is the example's value", "how to get a ZITADEL")),
        ({"CLIENT_SECRET": "changeme"}, ("CLIENT_SECRET is the example's value", "zdemo setup creates")),
    ],
)
def test_63_a_wrong_value_is_named(
    bare: Shell, zitadel: Emulator, values: dict[str, str], named: tuple[str, ...]
) -> None:
    env = settings(zitadel.url) | {name: value.format(url=zitadel.url) for name, value in values.items()}
    doctor(bare, env, WELLFORMED).names(*(text.format(url=zitadel.url) for text in named)).never("generate", "rotated")


@pytest.mark.parametrize(
    ("values", "failing", "named", "never"),
    [
        ({"PAT": ADMIN.pat}, "role.granted", ("an administrator's .IAM_OWNER", "not be sent to APIs"), "role grant"),
        (PATS_SWAPPED, "role.granted", ("swapped", "exchange the values of PAT and ZITADEL_ADMIN_PAT"), "role grant"),
        (SAME_PATS, "role.granted", ("fix correct PAT or ZDEMO_VISITOR_PAT",), "swapped"),
        ({"PAT": "<your PAT>"}, "token.form", ("token is the example's value", "zdemo setup creates"), "expired"),
        ({"ZITADEL_PROJECT_ID": CLIENT_ID}, "role.granted", (RIGHT_PROJECT,), "fix correct"),
        (SAME_PATS | {"ZITADEL_PROJECT_ID": CLIENT_ID}, "role.granted", (RIGHT_PROJECT,), "fix correct"),
        (OTHER_PROJECT, "role.granted", (RIGHT_PROJECT, "if the project is the right one"), "cache|role grant"),
    ],
)
def test_what_is_in_the_wrong_variable_is_named_by_both(
    bare: Shell, zitadel: Emulator, values: dict[str, str], failing: str, named: tuple[str, ...], never: str
) -> None:
    for output in both(bare, settings(zitadel.url, **values), failing):
        output.names(*named).never(never)


def test_another_name_for_the_token_is_pointed_out(bare: Shell, zitadel: Emulator, api: str) -> None:
    values = {"pat": READER.pat} | settings(zitadel.url, PAT="")
    bare.dotenv(**values)
    for output in (*both(bare, {}, warned=(WELLFORMED, "token.form")), call(bare, {"ZDEMO_API_URL": api})):
        output.names("rename pat to PAT in .env")
    (bare.folder / ".env").unlink()
    introspect(bare, values).names("no token to ask about").never("rename pat")
    introspect(bare, settings(zitadel.url, PAT="") | {"TOKEN": READER.pat}).names("rename TOKEN to PAT in the environ")


def test_an_option_that_is_wrong_is_to_be_corrected_itself(bare: Shell, zitadel: Emulator) -> None:
    value = "https://127.0.0.1:5000/api/private"
    output = command(bare, {"ZDEMO_API_URL": "http://127.0.0.1:9"}, "call", "public", "--url", value)
    output.names(f"--url has the path of a route: {value}", "hint: .*--url=https://127.0.0.1:5000").never(
        "unset", "ZDEMO_API_URL"
    )
    output = command(bare, {}, "call", "public", "--url", zitadel.url.replace("http:", "https:"))
    output.names("speaks plain http", f"--url={zitadel.url}").never("ZDEMO_API_URL")
    admin = {"ZITADEL_ADMIN_PAT": ADMIN.pat}
    with refusing_port() as port:
        output = command(bare, admin, "setup", "--yes", "--domain", f"http://localhost:{port}")
    output.names("correct host and port in --domain").never("ZITADEL_DOMAIN")


def test_setup_leaves_no_address_of_another_zitadel(bare: Shell, zitadel: Emulator) -> None:
    """Later runs would connect to the other one."""
    bare.dotenv(ZITADEL_DOMAIN="https://a.example", ZITADEL_INTERNAL_URL="https://inside.example")
    before = (bare.folder / ".env").read_text()
    output = command(bare, {"ZITADEL_ADMIN_PAT": ADMIN.pat}, "setup", "--yes", "--domain", zitadel.url)
    output.names("ZITADEL_INTERNAL_URL in .env is for another ZITADEL", "remove ZITADEL_INTERNAL_URL from .env")
    assert (bare.folder / ".env").read_text() == before


PASSWORD = "a-password-of-the-store"


def shared(
    shell: Shell, zitadel: Emulator, url: str, *failing: str, warned: tuple[str, ...] = (), **more: str
) -> Output:
    """Run doctor with a store."""
    output = doctor(shell, {**settings(zitadel.url), "ZDEMO_CACHE_URL": url, **more}, *failing, warned=warned)
    assert PASSWORD not in output.ran.all
    assert output.ran.err == ""
    return output


def test_a_store_that_works_is_not_used_or_is_not_there(bare: Shell, zitadel: Emulator) -> None:
    store = shared_server()
    with store.asking(PASSWORD):
        assert "✓ cache         answers, takes answers\n" in shared(bare, zitadel, store.url).ran.out
        unused = shared(bare, zitadel, store.url, warned=("cache.reachable",), ZDEMO_CACHE_TTL="0")
    unused.names("the store is not used: ZDEMO_CACHE_TTL is 0", "fix set ZDEMO_CACHE_TTL")
    assert "! cache         not used\n" in unused.ran.out
    assert "cache" not in doctor(bare, settings(zitadel.url)).ran.out
    asked = bare("doctor", "--only", "cache.reachable", **settings(zitadel.url))
    assert (asked.code, "ZDEMO_CACHE_URL is not set" in asked.out) == (1, True)
    with refusing_port() as port:
        output = shared(bare, zitadel, f"redis://{LOOPBACK}:{port}", "cache.reachable")
    output.names(f"the store at {LOOPBACK}:{port} refuses connections", "fix start it, or correct ZDEMO_CACHE_URL")
    assert "✗ cache         the store cannot be used\n" in output.ran.out


def test_a_store_that_does_not_take_the_password_or_answers(bare: Shell, zitadel: Emulator) -> None:
    """What else a store may do is in ``tests/guard/shared/test_store_faults.py``."""
    store = shared_server()
    url = f"redis://:wrong@{LOOPBACK}:{store.port}"
    with store.asking(PASSWORD):
        output = shared(bare, zitadel, url, "cache.reachable")
    output.names("refuses the user name or the password", "fix correct them in")
    store.run("REPLICAOF", LOOPBACK, "1")
    output = shared(bare, zitadel, store.url, "cache.writable")
    output.names("a read-only replica", "fix .*name the primary in")
