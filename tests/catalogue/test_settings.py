"""The catalogue of faults: the settings."""

from __future__ import annotations

import pytest

from tests.support.cli import Shell
from tests.support.named_causes import administered, command, doctor, introspect, settings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, Emulator

REFUSED = ("client.accepted",)


def test_33_a_variable_that_hides_the_one_in_the_file(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url, CLIENT_ID="353545601679624999"))
    output = doctor(bare, {"CLIENT_ID": CLIENT_ID}, warned=("settings.shadowed",))
    output.names("CLIENT_ID", "the environment", r"\.env", "wins", "fix: unset CLIENT_ID").never("CLIENT_SECRET")


def test_two_places_with_one_value_are_no_fault(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    assert "hides" not in doctor(bare, {"CLIENT_ID": CLIENT_ID}).ran.out


def test_a_variable_that_stands_twice_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    with (bare.folder / ".env").open("a") as stream:
        stream.write(f"CLIENT_ID={CLIENT_ID}\n")
    doctor(bare, {}, warned=("settings.shadowed",)).names(
        "CLIENT_ID is set twice", r"last line counts, line \d+", r"remove the other assignment of CLIENT_ID: line \d+"
    )


@pytest.mark.parametrize("more", ["/", "//"])
def test_63_a_slash_at_the_end_is_no_fault(bare: Shell, zitadel: Emulator, more: str) -> None:
    doctor(bare, settings(zitadel.url + more))


def test_lines_that_are_no_assignment_are_named_by_number(bare: Shell) -> None:
    (bare.folder / ".env").write_text("# fine\nZITADEL_DOMAIN=http://localhost:1\nthis is none\n")
    output = doctor(bare, {}, "settings.readable")
    output.names(r"\.env line 3 is not an assignment", "NAME=value").never("this is none")


def test_a_file_that_is_not_there_is_named(bare: Shell) -> None:
    output = command(bare, {}, "doctor", "--env-file", "nowhere.env")
    output.names("nowhere.env does not exist", "FAIL settings.readable")


def test_a_file_in_the_folder_above_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    below = bare.folder / "below"
    below.mkdir()
    output = doctor(Shell(folder=below, env={}), {}, "settings.complete", warned=("settings.readable",))
    output.names(f"one in {bare.folder}".replace("/", "."), "cd ")


def test_everything_that_is_missing_is_said_at_once(bare: Shell) -> None:
    output = doctor(bare, {}, "settings.complete")
    output.names("ZITADEL_DOMAIN is not set", "CLIENT_ID is not set", "CLIENT_SECRET is not set", "zdemo setup")


# {url} is ZITADEL's address, and {host} is without its scheme
@pytest.mark.parametrize(
    ("values", "also_failing", "named"),
    [
        ({"ZITADEL_DOMAIN": "{host}"}, (), ("ZITADEL_DOMAIN has no scheme", "fix: ZITADEL_DOMAIN={url}")),
        ({"ZITADEL_DOMAIN": "http:/{host}"}, (), ("has a damaged scheme: http:/{host}", "fix: ZITADEL_DOMAIN={url}")),
        ({"ZITADEL_DOMAIN": "{url}/ui"}, (), ("ZITADEL_DOMAIN has a path: {url}/ui", "fix: ZITADEL_DOMAIN={url}")),
        ({"CLIENT_ID": f'"{CLIENT_ID}"'}, (), ("CLIENT_ID has quotes around it", f"fix: CLIENT_ID={CLIENT_ID}")),
        ({"ZITADEL_ADMIN_PAT": f"Bearer {ADMIN.pat}"}, ("admin.valid",), ("ADMIN_PAT has Bearer in front of it",)),
        ({"CLIENT_ID": CLIENT_SECRET, "CLIENT_SECRET": CLIENT_ID}, REFUSED, ("swapped", "exchange")),
        ({"CLIENT_SECRET": READER.pat}, REFUSED, ("CLIENT_SECRET and PAT hold the same",)),
        ({"CLIENT_ID": PROJECT_ID, "ZITADEL_PROJECT_ID": PROJECT_ID}, REFUSED, ("ZITADEL_PROJECT_ID hold the same",)),
    ],
)
def test_63_a_wrong_value_is_named(
    bare: Shell, zitadel: Emulator, values: dict[str, str], also_failing: tuple[str, ...], named: tuple[str, ...]
) -> None:
    places = {"url": zitadel.url, "host": zitadel.url.removeprefix("http://")}
    env = settings(zitadel.url) | {name: value.format(**places) for name, value in values.items()}
    doctor(bare, env, "settings.wellformed", *also_failing).names(*(text.format(**places) for text in named))


def test_a_secret_and_a_token_that_are_swapped_are_named_by_every_command(bare: Shell, zitadel: Emulator) -> None:
    swapped = {"PAT": CLIENT_SECRET, "CLIENT_SECRET": READER.pat}
    for env in (settings(zitadel.url, **swapped), administered(zitadel.url, **swapped)):
        output = doctor(bare, env, "settings.wellformed", "client.accepted", warned=("token.form",))
        for words in (output, introspect(bare, env)):
            words.names("swapped", "exchange the values of CLIENT_SECRET and PAT").never("generate", "rotated")


def test_an_administrators_pat_as_pat_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, PAT=ADMIN.pat, ZITADEL_ADMIN_PAT=ADMIN.pat)
    output = doctor(bare, env, "role.granted", warned=("settings.wellformed",))
    output.names("PAT and ZITADEL_ADMIN_PAT hold the same", "administrator")


INIT = "zdemo init"


def test_init_is_offered_only_where_it_writes_a_file(bare: Shell, zitadel: Emulator) -> None:
    for arguments in (("introspect",), ("doctor",)):
        command(bare, {}, *arguments).names(f"{INIT} --emulator writes one with the emulator's settings")
        output = command(bare, {"ZITADEL_DOMAIN": zitadel.url}, *arguments)
        output.names(f"{INIT} writes one to fill in").never("--emulator")
    (bare.folder / ".env").mkdir()
    for arguments in (("introspect",), ("doctor",)):
        command(bare, {}, *arguments).never(INIT)
    (bare.folder / ".env").rmdir()
    bare.dotenv(**settings(zitadel.url, CLIENT_ID=f"\u201c{CLIENT_ID}\u201d"))
    for arguments in (("introspect",), ("doctor",)):
        output = command(bare, {}, *arguments).never(INIT, "grep")
        output.names("CLIENT_ID has quotes around it", f"CLIENT_ID={CLIENT_ID}")
    bare.dotenv(ZITADEL_DOMAIN=zitadel.url)
    for arguments in (("introspect",), ("doctor",)):
        output = command(bare, {}, *arguments).never(INIT)
        output.names("CLIENT_ID is not set", r"set them in the environment or in \.env")


def test_an_option_that_is_wrong_is_to_be_corrected_itself(bare: Shell) -> None:
    value = "https://127.0.0.1:5000/api"
    output = command(bare, {"ZDEMO_API_URL": "http://127.0.0.1:9"}, "call", "public", "--url", value)
    output.names(f"--url has a path: {value}", "hint: .*--url=https://127.0.0.1:5000").never("unset", "ZDEMO_API_URL")


def test_a_scheme_that_does_not_fit_is_corrected_where_it_was_given(bare: Shell, zitadel: Emulator) -> None:
    output = command(bare, {}, "call", "public", "--url", zitadel.url.replace("http:", "https:"))
    output.names("speaks plain http", f"--url={zitadel.url}").never("ZDEMO_API_URL")


def test_a_host_may_be_called_http(bare: Shell) -> None:
    assert "scheme" not in command(bare, settings("http:8080", ZDEMO_TIMEOUT="1"), "introspect").ran.all


def test_a_name_that_is_nearly_right_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    values = settings(zitadel.url)
    bare.dotenv(**{"CLEINT_ID" if name == "CLIENT_ID" else name: value for name, value in values.items()})
    for output in (doctor(bare, {}, "settings.complete"), introspect(bare, {})):
        output.names("CLIENT_ID is not set", r"is CLEINT_ID misspelled\?")


def test_a_folder_in_the_place_of_the_file_is_named(bare: Shell) -> None:
    (bare.folder / ".env").mkdir()
    output = doctor(bare, {}, "settings.complete", warned=("settings.readable",))
    output.names(r"\.env is a folder", "not read", "--env-file")


def test_a_link_to_nothing_is_named(bare: Shell) -> None:
    (bare.folder / ".env").symlink_to(bare.folder / "nowhere")
    for output in (doctor(bare, {}, "settings.readable"), introspect(bare, {})):
        output.names(r"\.env is a link to a file that does not exist", "correct the link")


def test_utf16_without_a_mark_is_named(bare: Shell, zitadel: Emulator) -> None:
    text = "".join(f"{name}={value}\n" for name, value in settings(zitadel.url).items())
    (bare.folder / ".env").write_bytes(text.encode("utf-16-le"))
    doctor(bare, {}, "settings.readable").names("UTF-16", "fix: save it as UTF-8")


def test_a_line_that_was_broken_in_two_is_named_by_number(bare: Shell, zitadel: Emulator) -> None:
    broken = f"{READER.pat[:30]}\n{READER.pat[30:]}"
    bare.dotenv(**settings(zitadel.url, PAT=broken))
    output = doctor(bare, {}, "token.active", warned=("settings.readable",))
    output.names("line 5: a word without =", "broken in two", "fix: write NAME=value on one line").never(
        READER.pat[30:]
    )


def test_what_a_shell_exports_is_no_broken_line(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    with (bare.folder / ".env").open("a") as stream:
        stream.write("export OTHER\n")
    assert "a word without =" not in doctor(bare, {}).ran.out
