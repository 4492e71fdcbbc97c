"""The catalogue of faults: the settings."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cli import API_UNSET, Shell
from tests.support.key_site import key_site
from tests.support.named_causes import administered, call, command, doctor, introspect, settings
from tests.support.upstream import answer, json_body, refusing_port, upstream
from zdemo.config.names import NAMES
from zdemo.config.parsers import EXAMPLE_CLIENT_ID
from zdemo.config.settings import EXAMPLE_DOMAIN, Settings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, Emulator
from zdemo.server import create_app
from zdemo.serving.embedded import serving


def test_33_a_variable_that_hides_the_one_in_the_file(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url, CLIENT_ID="353545601679624999"))
    output = doctor(bare, {"CLIENT_ID": CLIENT_ID}, warned=("settings.shadowed",))
    output.names("CLIENT_ID is exported in this shell and hides the one in", r"\.env", "fix unset CLIENT_ID").never(
        "CLIENT_SECRET"
    )


def test_what_hides_a_value_and_its_fix_are_said_once(bare: Shell) -> None:
    bare.dotenv(ZDEMO_CACHE_TTL="60")
    out = " ".join(bare("doctor", "--only", "settings.shadowed", ZDEMO_CACHE_TTL="5").out.split())
    assert "fix unset ZDEMO_CACHE_TTL (if you want the value in .env)" in out
    assert (out.count("is exported in this shell"), out.count("unset ZDEMO_CACHE_TTL")) == (1, 1)


def test_two_places_with_one_value_are_no_fault(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    assert "hides" not in doctor(bare, {"CLIENT_ID": CLIENT_ID}).ran.out


def test_a_variable_that_stands_twice_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    with (bare.folder / ".env").open("a") as stream:
        stream.write(f"CLIENT_ID={CLIENT_ID}\n")
    doctor(bare, {}, warned=("settings.shadowed",)).names(
        r"CLIENT_ID is set twice .*line 5 counts, not line 2", "keep the right one of lines 2, 5"
    )


HARMFUL = ("create a new", "generate client secret", "role grant", "cannot be told apart")
STALE: dict[str, tuple[dict[str, str], str]] = {  # what is exported, and the check that fails
    "a dead PAT": ({"PAT": "A" * 71}, "token.active"),
    "a PAT without the role": ({"PAT": VISITOR.pat}, "role.granted"),
    "a secret": ({"CLIENT_SECRET": "A" * 64}, "client.accepted"),
    "a client ID": ({"CLIENT_ID": "353545601679624999"}, "client.accepted"),
    "an address": ({"ZITADEL_DOMAIN": "http://localhost:9"}, "net.connect"),
    "a project": ({"ZITADEL_PROJECT_ID": "353545601679499999"}, "role.granted"),
    "an application and a PAT": (
        {"CLIENT_ID": "353545601679624999", "CLIENT_SECRET": "A" * 64, "PAT": "A" * 71},
        "client.accepted",
    ),
}


@pytest.mark.parametrize("name", STALE)
def test_33_what_is_exported_and_hides_a_good_value_is_the_cause(bare: Shell, zitadel: Emulator, name: str) -> None:
    exported, check = STALE[name]
    bare.dotenv(**settings(zitadel.url, ZITADEL_PROJECT_ID=PROJECT_ID))
    hides = "hides the one in .env" if len(exported) == 1 else "hide those in .env"
    unset = f"(fix|next):? unset {' '.join(sorted(exported))}"
    for output in (doctor(bare, exported, check, warned=("settings.shadowed",)), introspect(bare, exported)):
        output.names("exported in this shell", hides, unset, "certain").never(*HARMFUL)


@pytest.mark.parametrize("stale", ["A" * 71, VISITOR.pat])
def test_33_an_exported_pat_is_the_cause_for_call_too(bare: Shell, zitadel: Emulator, stale: str) -> None:
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        bare.dotenv(**settings(zitadel.url, ZDEMO_API_URL=f"http://127.0.0.1:{port}"))
        output = call(bare, {"PAT": stale, **API_UNSET}, "scoped")
        said = replace(bare, env={"PAT": VISITOR.pat, **API_UNSET})("call", "private")
    output.names("PAT is exported in this shell", "certain the PAT in .env is active", "fix unset PAT *$").never(
        *HARMFUL
    )
    assert (said.code, said.lines) == (0, ["note: PAT is exported in this shell and hides the one in .env"])


def test_33_hidden_values_that_are_no_better_are_mentioned(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url, PAT="B" * 71))
    output = introspect(bare, {"PAT": "A" * 71})
    output.names("never says why", "hides the one in .env, which does not work either", "unset PAT").never("certain")


def test_33_a_hidden_address_gets_nothing_that_is_exported(bare: Shell, zitadel: Emulator) -> None:
    """A copied folder must not collect secrets of this shell."""
    with upstream(answer(json_body({"active": True}))) as up:
        bare.dotenv(ZITADEL_DOMAIN=up.url, PAT=READER.pat)
        output = introspect(bare, settings(zitadel.url, PAT="A" * 71))
        assert up.requests == []
    output.names("hide those in .env, which was not tried", "unset ZITADEL_DOMAIN PAT").never("certain")


def test_an_option_hides_nothing_by_mistake(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    introspect(bare, {}, "--pat", "A" * 71).names("never says why").never("hides", "unset")


def test_a_value_that_a_later_line_hides_is_the_cause(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    with (bare.folder / ".env").open("a") as stream:
        stream.write(f"PAT={'A' * 71}\n")
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        env = {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"}
        called = call(bare, env)
    for output in (doctor(bare, {}, "token.active", warned=("settings.shadowed",)), introspect(bare, {}), called):
        output.names(
            r"PAT is set twice in .env: line 5 \(AAAA…AAAA\) counts, and hides line 4", "certain:? the PAT in line 4"
        )
        output.names(r"remove line 5 of .env \(PAT\)").never(*HARMFUL)


def test_an_empty_later_line_is_the_cause(bare: Shell, zitadel: Emulator) -> None:
    """What is set to nothing looks as if it had never been set."""
    bare.dotenv(**settings(zitadel.url))
    text = (bare.folder / ".env").read_text()
    (bare.folder / ".env").write_text(f"{text}PAT=\n")
    remove = "remove line 5 of .env: it is empty, and hides PAT in line 4"
    command(bare, {}, "introspect").names("no token", remove)
    doctor(bare, {}, warned=("token.form", "settings.shadowed")).names(f"PAT is not set.*{remove}")
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        called = call(bare, {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"})
    called.names("PAT is set twice in .env: line 5 counts, and hides line 4")
    (bare.folder / ".env").write_text(f"{text}CLIENT_SECRET=\n")
    output = command(bare, {}, "introspect")
    output.names(
        "CLIENT_SECRET is not set", "hint: remove line 5 of .env: it is empty, and hides CLIENT_SECRET in line 3"
    )


MALFORMED = {"CLIENT_SECRET": "has a space", "ZITADEL_DOMAIN": "ftp://x.example", "ZITADEL_KEY_FILE": "nowhere.json"}


@pytest.mark.parametrize("name", MALFORMED)
def test_an_exported_malformed_value_that_hides_a_good_one_is_unset(bare: Shell, zitadel: Emulator, name: str) -> None:
    bare.dotenv(**settings(zitadel.url))
    exported = {name: MALFORMED[name]}
    for output in (command(bare, exported, "introspect"), command(bare, exported, "doctor")):
        output.names(f"{name} .*it hides .* in .env", f"(hint|fix):? +unset {name}").never(f"correct {name}", *HARMFUL)


def test_an_exported_key_file_hides_client_id_and_secret(bare: Shell, zitadel: Emulator, tmp_path: Path) -> None:
    with key_site(tmp_path / "key.json") as site:  # of another ZITADEL
        exported = {"ZITADEL_KEY_FILE": str(site.file)}
    bare.dotenv(**settings(zitadel.url))
    outputs = (
        doctor(bare, exported, "client.accepted", warned=("settings.shadowed",)),
        introspect(bare, exported),
    )
    for output in outputs:
        output.names("ZITADEL_KEY_FILE is exported in this shell and hides CLIENT_ID and CLIENT_SECRET in .env")
        output.names("unset ZITADEL_KEY_FILE", "certain").never(*HARMFUL)


def test_a_key_file_in_the_file_wins_over_what_is_exported(bare: Shell, zitadel: Emulator, tmp_path: Path) -> None:
    with key_site(tmp_path / "key.json") as site:  # of another ZITADEL
        bare.dotenv(ZITADEL_DOMAIN=zitadel.url, ZITADEL_KEY_FILE=str(site.file), PAT=READER.pat)
    exported = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
    outputs = (
        doctor(bare, exported, "client.accepted", warned=("settings.shadowed",)),
        introspect(bare, exported),
    )
    for output in outputs:
        output.names("ZITADEL_KEY_FILE in .env wins over CLIENT_ID and CLIENT_SECRET in the environment", "certain")
        output.names("(fix|next) remove ZITADEL_KEY_FILE from .env").never(*HARMFUL, "unset")


def test_an_exported_client_id_that_is_right_is_kept(bare: Shell, zitadel: Emulator) -> None:
    wrong = {"CLIENT_ID": "353545601679624999", "CLIENT_SECRET": "A" * 64}
    bare.dotenv(**administered(zitadel.url, **wrong))
    output = introspect(bare, {"CLIENT_ID": CLIENT_ID})
    output.names("CLIENT_ID is right", "copy CLIENT_SECRET again").never("unset")


@pytest.mark.parametrize("more", ["/", "//"])
def test_63_a_slash_at_the_end_is_no_fault(bare: Shell, zitadel: Emulator, more: str) -> None:
    doctor(bare, settings(zitadel.url + more))


def test_lines_that_are_no_assignment_are_named_by_number(bare: Shell) -> None:
    (bare.folder / ".env").write_text("# fine\nZITADEL_DOMAIN=http://localhost:1\nthis is none\n")
    output = doctor(bare, {}, "settings.readable")
    output.names(r"\.env line 3 is not an assignment", "NAME=value").never("this is none")


def test_a_file_that_is_not_there_is_named(bare: Shell) -> None:
    output = command(bare, {}, "doctor", "--env-file", "nowhere.env")
    output.names("nowhere.env does not exist", "✗ settings", "settings.readable nowhere.env")


def test_a_file_in_the_folder_above_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    below = bare.folder / "below"
    below.mkdir()
    output = doctor(Shell(folder=below, env={}), {}, "settings.complete", warned=("settings.readable",))
    output.names(f"one in {bare.folder}".replace("/", "."), "fix cd ")


def test_7_a_file_that_is_elsewhere_is_pointed_out_by_every_command(bare: Shell, zitadel: Emulator) -> None:
    below = bare.folder / "below"
    below.mkdir()
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        env = {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"}
        bare.dotenv(**settings(zitadel.url))
        shell = Shell(folder=below, env={})
        step = f"cd {bare.folder}"
        for output in (call(shell, env), introspect(shell, env), doctor(shell, env, "settings.complete")):
            output.names(re.escape(step))
        for name in (".env.txt", "env"):
            (bare.folder / ".env").rename(bare.folder / name)
            for output in (call(bare, env), introspect(bare, env), doctor(bare, env, "settings.complete")):
                output.names(f"rename {name} to .env").never("zdemo init")
            (bare.folder / name).rename(bare.folder / ".env")


def test_5_two_warnings_about_a_key_file_are_kept_apart(bare: Shell, zitadel: Emulator, tmp_path: Path) -> None:
    with key_site(tmp_path / "key.json") as site:  # of another ZITADEL
        site.file.chmod(0o644)
    env = settings(zitadel.url, ZITADEL_KEY_FILE=str(site.file))
    output = doctor(bare, env, "client.accepted", warned=("settings.wellformed",))
    output.never(r"key.json: remove").names("mode 0644.: zdemo doctor --explain settings.wellformed")


def test_3_the_secret_of_a_service_user_as_the_applications(bare: Shell, zitadel: Emulator) -> None:
    secret = "A" * 64
    for env in (settings(zitadel.url), administered(zitadel.url)):
        env |= {"CLIENT_SECRET": secret, "ZDEMO_USER_CLIENT_SECRET": secret}
        for output in (doctor(bare, env, "client.accepted"), introspect(bare, env)):
            output.names("CLIENT_SECRET and ZDEMO_USER_CLIENT_SECRET hold the same value", "set CLIENT_SECRET to the")
            output.never("cut off", "rotated", "generate")


def test_everything_that_is_missing_is_said_at_once(bare: Shell) -> None:
    output = doctor(bare, {}, "settings.complete")
    output.names("ZITADEL_DOMAIN is not set", "CLIENT_ID is not set", "CLIENT_SECRET is not set", "zdemo setup")


# {url} is ZITADEL's address, and {host} is without its scheme
@pytest.mark.parametrize(
    ("values", "also_failing", "named"),
    [
        ({"ZITADEL_DOMAIN": "{host}"}, (), ("ZITADEL_DOMAIN has no scheme", "fix ZITADEL_DOMAIN={url}")),
        ({"ZITADEL_DOMAIN": "http:/{host}"}, (), ("has a damaged scheme: http:/{host}", "fix ZITADEL_DOMAIN={url}")),
        ({"ZITADEL_DOMAIN": "http//{host}"}, (), ("has a damaged scheme", "fix ZITADEL_DOMAIN={url}")),
        ({"ZITADEL_DOMAIN": "htp://{host}"}, (), ("has a scheme other than http", "fix ZITADEL_DOMAIN={url}")),
        ({"ZDEMO_API_URL": "{url}/api"}, (), ("ZDEMO_API_URL has a path: {url}/api", "fix ZDEMO_API_URL={url}")),
        ({"ZITADEL_DOMAIN": "{url}/ui"}, (), ("ZITADEL_DOMAIN has a path: {url}/ui", "fix ZITADEL_DOMAIN={url}")),
        ({"CLIENT_ID": f'"{CLIENT_ID}"'}, (), ("CLIENT_ID has quotes around it", f"fix CLIENT_ID={CLIENT_ID}")),
        ({"ZITADEL_ADMIN_PAT": f"Bearer {ADMIN.pat}"}, (), ("ADMIN_PAT has Bearer in front of it",)),
        ({"CLIENT_ID": CLIENT_SECRET, "CLIENT_SECRET": CLIENT_ID}, (), ("swapped", "exchange")),
        ({"CLIENT_SECRET": READER.pat}, (), ("CLIENT_SECRET and PAT hold the same", "fix set CLIENT_SECRET to")),
        ({"PAT": CLIENT_SECRET}, (), ("CLIENT_SECRET and PAT hold the same", "fix set PAT to")),
        ({"PAT": CLIENT_ID}, (), ("CLIENT_ID and PAT hold the same", "fix set PAT to")),
        ({"CLIENT_ID": CLIENT_SECRET}, (), ("CLIENT_ID and CLIENT_SECRET hold the same", "fix set CLIENT_ID to")),
        ({"ZITADEL_ADMIN_PAT": CLIENT_SECRET}, (), ("hold the same", "fix set ZITADEL_ADMIN_PAT to")),
        ({"CLIENT_ID": PROJECT_ID, "ZITADEL_PROJECT_ID": PROJECT_ID}, (), ("ZITADEL_PROJECT_ID hold the same",)),
        ({"ZITADEL_DOMAIN": EXAMPLE_DOMAIN}, (), ("ZITADEL_DOMAIN is the example's value", "how to get a ZITADEL")),
        ({"CLIENT_ID": EXAMPLE_CLIENT_ID}, (), ("CLIENT_ID is the example's value",)),
        (
            {"CLIENT_SECRET": base64.b64encode(CLIENT_SECRET.encode()).decode()},
            (),
            ("CLIENT_SECRET is base64-encoded", "fix decode CLIENT_SECRET first: base64 -d"),
        ),
        ({"ZDEMO_TIMEOUT": "5000"}, (), ("5000 looks like milliseconds", "fix ZDEMO_TIMEOUT=5$|fix ZDEMO_TIMEOUT=5 ")),
        ({"ZDEMO_TIMEOUT": "2500ms"}, (), ("looks like milliseconds", "fix ZDEMO_TIMEOUT=2.5")),
        ({"ZITADEL_DOMAIN": "http://0.0.0.0:8080"}, (), ("all addresses", "fix ZITADEL_DOMAIN=http://localhost:8080")),
        ({"CLIENT_SECRET": "***"}, (), ("CLIENT_SECRET is .*instead of a secret",)),
        ({"CLIENT_SECRET": "changeme"}, (), ("CLIENT_SECRET is the example's value", "zdemo setup creates")),
        ({"CLIENT_ID": "<your client ID>"}, (), ("CLIENT_ID is the example's value",)),
        ({"ZITADEL_DOMAIN": "https://<your-domain>.zitadel.cloud"}, (), ("DOMAIN is the example's value",)),
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
        output = doctor(bare, env, "settings.wellformed")
        for words in (output, introspect(bare, env)):
            words.names("swapped", "exchange the values of CLIENT_SECRET and PAT").never("generate", "rotated")


def test_an_administrators_pat_as_pat_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, PAT=ADMIN.pat, ZITADEL_ADMIN_PAT=ADMIN.pat)
    output = doctor(bare, env, "role.granted", warned=("settings.wellformed",))
    output.names("PAT and ZITADEL_ADMIN_PAT hold the same", "should not be sent to APIs").never("zdemo role grant")


@pytest.mark.parametrize("pat", ["…", "<your PAT>", "changeme", "your-token"])
def test_a_token_that_is_the_examples_is_named(bare: Shell, zitadel: Emulator, pat: str) -> None:
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        env = settings(zitadel.url, PAT=pat, ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        outputs = (doctor(bare, env, "token.form"), introspect(bare, env), call(bare, env))
    for output in outputs:
        output.names("the token is the example's value", "zdemo setup creates one").never("deleted", "expired")


def test_an_administrators_token_is_never_given_the_role(bare: Shell, zitadel: Emulator) -> None:
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        env = settings(zitadel.url, PAT=ADMIN.pat, ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        for output in (doctor(bare, env, "role.granted"), introspect(bare, env), call(bare, env, "scoped")):
            output.names("an administrator's .IAM_OWNER", "should not be sent to APIs").never("role grant", "new PAT")


def test_an_administrators_token_in_the_place_of_the_callers_is_swapped(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, PAT=ADMIN.pat, ZITADEL_ADMIN_PAT=READER.pat)
    for output in (doctor(bare, env, "role.granted"), introspect(bare, env)):
        output.names("they are swapped", "exchange the values of PAT and ZITADEL_ADMIN_PAT").never("role grant")


def test_a_wrong_project_is_one_failure(bare: Shell, zitadel: Emulator) -> None:
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        api = f"http://127.0.0.1:{port}"
        env = settings(zitadel.url, ZITADEL_PROJECT_ID="353545601679499999", ZDEMO_API_URL=api)
        doctor(bare, env, "role.granted").names(f"fix ZITADEL_PROJECT_ID={PROJECT_ID}").never("cache")


INIT = "zdemo init"


def test_init_is_offered_only_where_it_writes_a_file(bare: Shell, zitadel: Emulator) -> None:
    for arguments in (("introspect",), ("doctor", "--only", "settings")):
        command(bare, API_UNSET, *arguments).names(f"{INIT} --emulator writes one with the emulator's settings")
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


@pytest.mark.parametrize("name", ["pat", "ZITADEL_PAT", "TOKEN", "ACCESS_TOKEN"])
def test_another_name_for_the_token_is_pointed_out_in_the_file_alone(bare: Shell, zitadel: Emulator, name: str) -> None:
    values = {name: READER.pat} | settings(zitadel.url, PAT="")
    bare.dotenv(**values)
    rename = f"rename {name} to PAT in .env"
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        called = call(bare, {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"})
    for output in (doctor(bare, {}, warned=("settings.wellformed", "token.form")), introspect(bare, {}), called):
        output.names(rename)
    (bare.folder / ".env").unlink()
    if not name.startswith("ZITADEL"):
        introspect(bare, values).names("no token to ask about").never("rename")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("ZITADEL_PROJETC_ID", "ZITADEL_PROJECT_ID"),
        ("ZDEMO_CACHETTL", "ZDEMO_CACHE_TTL"),
        ("ZITADEL_ISSUER", "ZITADEL_DOMAIN"),
        ("ZITADEL_CLIENT_ID", "CLIENT_ID"),
    ],
)
def test_a_name_that_is_not_a_setting_is_pointed_out(bare: Shell, zitadel: Emulator, name: str, right: str) -> None:
    values = settings(zitadel.url)
    env = {**values, right: "", name: values.get(right, "5")}
    failing, warned = (
        ((), ("settings.wellformed",)) if right.endswith(("TTL", "PROJECT_ID")) else (("settings.complete",), ())
    )
    for output in (doctor(bare, env, *failing, warned=warned), introspect(bare, env)):
        output.names(f"rename {name} to {right} in the environment")


def test_every_setting_of_the_documentation_is_known() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "settings.md").read_text()
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", page, re.MULTILINE)
    assert {name for row in rows for name in re.findall("[A-Z_]+", row)} == NAMES


def test_doctor_warns_without_a_token(bare: Shell, zitadel: Emulator) -> None:
    output = doctor(bare, settings(zitadel.url, PAT=""), warned=("token.form",))
    output.names("PAT is not set", "zdemo setup creates one")


def test_setup_names_the_option_that_gave_the_address(bare: Shell) -> None:
    with refusing_port() as port:
        domain = f"http://localhost:{port}"
        output = command(bare, {"ZITADEL_ADMIN_PAT": ADMIN.pat}, "setup", "--yes", "--domain", domain)
    output.names("correct host and port in --domain").never("ZITADEL_DOMAIN")


def test_setup_names_the_option_that_gave_a_host_unknown_to_zitadel(bare: Shell, zitadel: Emulator) -> None:
    domain = f"http://127.0.0.1:{zitadel.port}"
    output = command(bare, {"ZITADEL_ADMIN_PAT": ADMIN.pat}, "setup", "--yes", "--domain", domain)
    output.names(r"no instance for the host 127\.0\.0\.1 \(--domain\)", f"--domain={zitadel.url}").never(
        "ZITADEL_DOMAIN"
    )


def test_setup_leaves_no_address_of_another_zitadel(bare: Shell, zitadel: Emulator) -> None:
    """Later runs would connect to the other one."""
    values = {"ZITADEL_DOMAIN": "https://a.example", "ZITADEL_INTERNAL_URL": "https://inside.example"}
    bare.dotenv(**values)
    before = (bare.folder / ".env").read_text()
    output = command(bare, {"ZITADEL_ADMIN_PAT": ADMIN.pat}, "setup", "--yes", "--domain", zitadel.url)
    output.names("ZITADEL_INTERNAL_URL in .env is for another ZITADEL", "remove ZITADEL_INTERNAL_URL from .env")
    assert (bare.folder / ".env").read_text() == before


def test_setup_asks_which_zitadel_is_meant_at_any_port(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url), ZITADEL_ADMIN_PAT=ADMIN.pat)
    command(bare, {}, "setup", "--yes").names("not clear which ZITADEL to set up", f"--domain {zitadel.url}")


def test_role_names_no_removal_window_since_another_process_has_it(bare: Shell, zitadel: Emulator) -> None:
    env = administered(zitadel.url, ZDEMO_CACHE_TTL="0")
    ran = replace(bare, env=env)("role", "grant", "visitor", "read:messages")
    assert ran.out.endswith("running APIs follow within their ZDEMO_CACHE_TTL\n")


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
    doctor(bare, {}, "settings.readable").names("UTF-16", "fix save it as UTF-8")


def test_a_line_that_was_broken_in_two_is_named_by_number(bare: Shell, zitadel: Emulator) -> None:
    broken = f"{READER.pat[:30]}\n{READER.pat[30:]}"
    bare.dotenv(**settings(zitadel.url, PAT=broken))
    output = doctor(bare, {}, "token.active", warned=("settings.readable",))
    output.names("line 5: a word without =", "broken in two", "write NAME=value on one line").never(READER.pat[30:])
    output.names("PAT is broken in two", "certain the PAT in one piece is active", "write lines 4 and 5 of .env as one")


def test_a_secret_that_was_broken_in_two_is_the_cause(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url, CLIENT_SECRET=f"{CLIENT_SECRET[:30]}\n{CLIENT_SECRET[30:]}"))
    for output in (doctor(bare, {}, "client.accepted", warned=("settings.readable",)), introspect(bare, {})):
        output.names("CLIENT_SECRET is broken in two in .env", "write lines 3 and 4 of .env as one line").never(
            "generate"
        )


def test_what_a_shell_exports_is_no_broken_line(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    with (bare.folder / ".env").open("a") as stream:
        stream.write("export OTHER\n")
    assert "a word without =" not in doctor(bare, {}).ran.out


def test_what_can_be_wrong_about_the_path_or_the_url_of_a_call(bare: Shell, zitadel: Emulator) -> None:
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        url = f"http://127.0.0.1:{port}"
        env = settings(zitadel.url, ZDEMO_API_URL=url)
        twice = call(bare, {**env, "ZDEMO_API_URL": f"{url}/api"}, "/api/private")
        wrong = call(bare, env, "scoped", "-X", "DELETE")
        missing = call(bare, env, "/api/privat")
        itself = call(bare, env, f"{zitadel.url}/messages")
        plain = call(bare, env, "http://api.example/messages")
        dead = call(bare, env | {"PAT": "A" * 71}, f"{url}/api/private")
    twice.names("ZDEMO_API_URL has a path", f"ZDEMO_API_URL={url}")
    wrong.names("does not take DELETE .405.; it takes", "zdemo call scoped$|zdemo call scoped ").never("inactive")
    missing.names("nothing there for GET .404.", "correct the path").never("zdemo serve")
    itself.names("is ZITADEL itself", "correct the URL")
    plain.names("the URL would send tokens and secrets over plain http", "use https://api.example in the URL")
    dead.names("token is not active|inactive").never("role grant")
