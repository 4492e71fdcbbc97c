"""``zdemo doctor --fix``: what it changes, asks and keeps, and what it leaves alone."""

import re
from pathlib import Path

import pytest

from tests.support.cli import Shell, Stack, administered, at_terminal, is_two_lines
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR

ASKED, FIX = "Make this change? [y/N]", ("doctor", "--fix")
QUOTED = f"CLIENT_ID=“{CLIENT_ID}” # mine"


def dotenv(folder: Path, url: str, *lines: str) -> Path:
    """Write settings that work, with these lines in place of those that set the same variable or are misspelled."""
    values = administered(url)
    names = {line.partition("=")[0].removeprefix("export ") for line in lines}
    others = [f"{name}={value}" for name, value in values.items() if name not in names]
    file = folder / ".env"
    file.touch(0o600)
    file.write_text("\n".join(["# mine", *others, *lines, ""]))
    return file


RIGHT = f"export CLIENT_ID='{CLIENT_ID}' # mine"
REPAIRED = [  # lines of .env, and what they become; {at} is where ZITADEL listens
    ((QUOTED,), (f"CLIENT_ID={CLIENT_ID} # mine",)),
    (("CLIENT_ID=", RIGHT.replace("CLIENT", "CLEINT")), (RIGHT,)),
    ((RIGHT.replace("CLIENT", "CLEINT"), "CLIENT_ID= # yours"), (RIGHT,)),
    (
        ("CLIENT_ID=", f"CLEINT_SECRET='\"{CLIENT_SECRET}'", f"CLIENT_IDD={CLIENT_ID}", "CLIENT_SECRET="),
        (f"CLIENT_SECRET='{CLIENT_SECRET}'", f"CLIENT_ID={CLIENT_ID}"),
    ),
    (
        (f'ZITADEL_ADMIN_PAT="Bearer {ADMIN.pat}"', f"PAT=\u2018\u200b{READER.pat}\u2019"),
        (f'ZITADEL_ADMIN_PAT="{ADMIN.pat}"', f"PAT={READER.pat}"),
    ),
    (("ZITADEL_DOMAIN=http://localhost:{at}/ui/console?x=1",), ("ZITADEL_DOMAIN=http://localhost:{at}",)),
    (("ZITADEL_DOMAIN=https://localhost:{at}",), ("ZITADEL_DOMAIN=http://localhost:{at}",)),
    (("ZITADEL_PROJECT_ID=353545601679493699",), (f"ZITADEL_PROJECT_ID={PROJECT_ID}",)),
    (("ZITADEL_DOMAIN=127.0.0.1:{at}",), ("ZITADEL_DOMAIN=http://localhost:{at}",)),
]


@pytest.mark.parametrize(("wrong", "right"), REPAIRED)
def test_what_is_certain_is_repaired_and_the_rest_of_the_file_stays(
    bare: Shell, shared_stack: Stack, wrong: tuple[str, ...], right: tuple[str, ...]
) -> None:
    at = shared_stack.emulator.url.rpartition(":")[2]
    file = dotenv(bare.folder, shared_stack.emulator.url, *(line.format(at=at) for line in wrong))
    before, first = file.read_text(), bare.folder / ".zdemo" / ".env.1"
    ran = bare(*FIX, "--yes")
    expected = [line for line in before.splitlines() if line not in (text.format(at=at) for text in wrong)]
    expected += [line.format(at=at) for line in right]
    assert file.read_text().splitlines() == expected, ran.all
    assert (first.read_text(), first.stat().st_mode & 0o777) == (before, 0o600)
    assert (file.stat().st_mode & 0o777, (first.parent / ".gitignore").read_text()) == (0o600, "*\n")
    assert not [secret for secret in (CLIENT_SECRET, ADMIN.pat, READER.pat) if secret in ran.all]
    after = ran.out.rpartition("changed .env")[2]
    assert ("\napi.reachable " in after, re.findall("^✗ (.*?)  ", after, re.MULTILINE)) == (True, ["API"])


LEFT = [
    f"ZITADEL_CLIENT_ID={CLIENT_ID}",
    f"CLEINT_ID={CLIENT_ID}\nCLIENT_IDD={CLIENT_ID}1",
    "ZITADEL_DOMAIN=http://zitadel.invalid:{at}",
    "ZITADEL_DOMAIN=http://me:hunter22@localhost:{at}",
    f"CLIENT_ID={CLIENT_ID[:-1]}",
    f"CLIENT_ID={CLIENT_ID}\nCLEINT_ID={CLIENT_ID}1\nCLIENT_ID=",
    f"PAT={VISITOR.pat}\nZITADEL_ADMIN_PAT=\nZITADEL_PROJECT_ID=353545601679493699\nZITADEL_DOMAIN=http://localhost:{{at}}",
]


@pytest.mark.parametrize("line", LEFT)
def test_what_would_be_a_guess_is_left_alone(bare: Shell, shared_stack: Stack, line: str) -> None:
    wrong = line.format(at=shared_stack.emulator.url.rpartition(":")[2]).splitlines()
    file = dotenv(bare.folder, shared_stack.emulator.url, *(wrong if "DOMAIN" in line else ("CLIENT_ID=", *wrong)))
    before = file.read_text()
    ran = bare(*FIX, "--yes")
    assert (ran.code, file.read_text(), [*bare.folder.iterdir()]) == (1, before, [file]), ran.all
    assert not [word for word in ("hunter22", "--fix") if word in bare("doctor").out]


def test_without_an_answer_nothing_changes(bare: Shell, shared_stack: Stack) -> None:
    file = dotenv(bare.folder, shared_stack.emulator.url, QUOTED)
    before = file.read_text()
    ran = bare(*FIX)
    assert f"- {QUOTED}\n+ CLIENT_ID={CLIENT_ID} # mine\n" in ran.out
    assert (ran.code, "no terminal to ask on; --yes makes this change" in ran.err) == (1, True)
    assert bare("doctor").out.endswith("\nfix it          zdemo doctor --fix\n")
    assert at_terminal(bare, *FIX, when=ASKED, typed="n\n")[0] == 1
    exported = bare(*FIX, "--yes", CLIENT_ID=f'"{CLIENT_ID}"')
    assert "--fix cannot do the rest" in exported.err, "what is exported is to be unset"
    assert (file.read_text(), [*bare.folder.iterdir()]) == (before, [file])
    assert "changed .env" in at_terminal(bare, *FIX, when=ASKED, typed="y\n")[1]
    refused = bare(*FIX, "--json")  # --yes alone is in ``test_command_line.py``
    assert (refused.code, is_two_lines(refused)) == (2, True)


def test_a_file_that_others_changed_or_that_must_not_be_changed_stays(bare: Shell, shared_stack: Stack) -> None:
    file = dotenv(bare.folder, shared_stack.emulator.url, QUOTED)

    def meanwhile() -> str:
        file.write_text(f"{QUOTED}\n# theirs\n")
        return "y\n"

    code, screen = at_terminal(bare, *FIX, when=ASKED, typed=meanwhile)
    assert (code, "has changed meanwhile" in screen, file.read_text()) == (3, True, f"{QUOTED}\n# theirs\n")
    file.chmod(0o400)
    assert "hint:  chmod u+w .env\n         if it may be changed" in bare(*FIX, "--yes").err
    elsewhere = bare.folder / "elsewhere.env"
    file.rename(elsewhere).chmod(0o600)
    (bare.folder / "here").mkdir()
    (bare.folder / "here" / ".env").symlink_to(elsewhere)
    assert f"--env-file {elsewhere}" in bare(*FIX, "--yes", "--env-file", "here/.env").err
    assert elsewhere.read_text() == f"{QUOTED}\n# theirs\n"


def test_a_pasted_secret_is_taken_without_being_shown(bare: Shell, shared_stack: Stack) -> None:
    file = dotenv(bare.folder, shared_stack.emulator.url, f"CLIENT_SECRET={CLIENT_SECRET[:-1]}1 # mine")
    before = file.read_text()
    assert "client.accepted: it asks for CLIENT_SECRET at a terminal" in bare(*FIX, "--yes").err
    for pasted, end in (("", "0001 #"), (CLIENT_SECRET, "0000 #")):
        _, screen = at_terminal(bare, *FIX, "--yes", when="CLIENT_SECRET, not shown", typed=f"{pasted}\n")
        assert file.read_text() == before.replace("0001 #", end), screen
        assert CLIENT_SECRET not in screen


@pytest.mark.parametrize("value", ["zag12", r"'zag\'zig zug'", '"ZAG=\nzig zug=" # zog', "'\"zag\\'zig zug\"'"])
def test_no_form_of_a_secret_is_in_a_diff(bare: Shell, shared_stack: Stack, value: str) -> None:
    dotenv(bare.folder, shared_stack.emulator.url, "CLIENT_SECRET=", f"export CLEINT_SECRET={value}")
    ran = bare(*FIX, "--yes", COLUMNS="40")
    assert ("+ CLIENT_SECRET=…" in ran.out, re.findall("(?i)z[aiou]g", ran.all)) == (True, [])


def test_an_open_dotenv_with_secrets_is_kept_from_others(bare: Shell, shared_stack: Stack) -> None:
    file = dotenv(bare.folder, shared_stack.emulator.url, f"ZDEMO_FORGET_KEY={'a1B2' * 10}")
    file.chmod(0o644)

    def gone() -> str:
        file.rename(bare.folder / "gone")
        return "y\n"

    code, text = at_terminal(bare, *FIX, when=ASKED, typed=gone)
    assert (code, "cannot be written: No such file" in " ".join(text.split())) == (3, True)
    (bare.folder / "gone").rename(file)
    ran = bare(*FIX, "--yes")
    assert "other users can read .env (mode 0644)" in ran.out
    assert "- 0644 .env\n+ 0600 .env\n" in ran.out
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.thorough
def test_a_missing_role_is_granted(bare: Shell, own_stack: Stack) -> None:
    dotenv(bare.folder, own_stack.emulator.url, f"PAT={VISITOR.pat}", "ZITADEL_ADMIN_PAT=")
    assert "role.granted: it needs ZITADEL_ADMIN_PAT" in bare(*FIX, "--yes").err
    ran = bare(*FIX, "--yes", "--admin-pat", "-", stdin=ADMIN.pat)
    assert re.search("\\+ visitor  read:messages\ngranted read:messages to visitor(?s:.*)✓ role", ran.out)
