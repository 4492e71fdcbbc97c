"""A person's ``.env`` under any sequence of what setup writes and what the person writes."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dotenv import update_dotenv
from zdemo.config.dotenv_file import Dotenv, read_dotenv
from zdemo.errors import SettingsError
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.setting_groups import GROUPS, SETTINGS
from zdemo.provisioning.state import IssuedCredential, digest

NAMES = ("PAT", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
OWN = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("", "own-1", "own-2")))
SETUPS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((None, "setup-1", "setup-2")))
ALL = {name: f"setup-{name}" for name in SETTINGS}


@settings(deadline=None, max_examples=50)  # it writes files, and waits for the disk
@given(OWN, st.lists(SETUPS, max_size=4))
def test_whatever_setup_writes_the_persons_values_come_back(
    own: dict[str, str], runs: list[dict[str, str | None]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".env"
        update_dotenv(path, own)
        text = path.read_text()
        for changes in runs:
            files = SetupFiles(path)
            files.write(changes)
            assert {n for n in files.values if files.wrote(n)} <= {
                n for n, value in files.values.items() if value.startswith("setup")
            }
            kept = {*files.values.values(), *(Dotenv(line).values[n] for n, line in files.state.previous.items())}
            assert {value for value in own.values() if value} <= kept
        SetupFiles(path).restore()
        assert path.read_text() == text


TEXTS: list[tuple[str, str]] = [
    ("empty", ""),
    ("comments and a setting", "# mine\n\nA=1  # one\n"),
    ("all in other words", "export PAT='my own' # mine\n\nCLIENT_ID=1\r\nCLIENT_SECRET=\n"),
    ("CRLF", "# mine\r\nA=1\r\n"),
    ("a blank line at the end", "A=1\n\n"),
    ("no line end at the end", "A=1"),
    ("no line end after a setting", "A=1\nPAT=own"),
    ("no line end after CRLF", "A=1\r\nPAT=own"),
    ("spaces at the end", "A=1\n  "),
    ("a byte-order mark", "\ufeffPAT=own\nA=1\n"),
    ("a byte-order mark alone", "\ufeff"),
    ("set twice", "PAT=1\n# two\nPAT=2\nA=1\n"),
    ("set twice, once empty", "PAT=1\nPAT=\n"),
    ("values in every form", "PAT = \"o\\tn\"  # a\n'CLIENT_ID'=x\t \nCLIENT_SECRET\nZITADEL_DOMAIN='a\nb'# c\n"),
    ("an empty value and a comment", "PAT= # mine\nCLIENT_ID=# not a comment\n"),
    *((f"setup's own comment: {line}", f"A=1\n{line}\n\nPAT=own\n") for line in GROUPS),
    *((f"setup's own comment at the end: {line}", f"A=1\n\n{line}") for line in GROUPS),
    ("a file of an earlier setup", f"{next(iter(GROUPS))}\nZITADEL_DOMAIN=own\n\n# the end\n"),
]


@pytest.mark.parametrize("text", [row[1] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_the_file_is_as_before_when_setup_is_torn_down(text: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    SetupFiles(path).write(ALL)
    assert read_dotenv(path) == read_dotenv(path) | ALL
    SetupFiles(path).restore()
    assert path.read_bytes() == text.encode()


FORMS = ("PAT=own", "PAT='o w n' # c", ' export  PAT = "own"\t', "PAT", "PAT=''#c", "CLIENT_SECRET=own#")
OTHERS = ("ZITADEL_KEY_FILE = k", "ZITADEL_DOMAIN=\\", "A='\n'", "# c", "", "  ", *GROUPS)
LINES = st.lists(st.sampled_from((*FORMS, *OTHERS)), max_size=6)


@settings(deadline=None, max_examples=50)  # as above
@given(st.sampled_from(("\n", "\r\n", "\r")), st.booleans(), st.booleans(), LINES, st.lists(SETUPS, max_size=3))
def test_any_file_is_as_before_byte_for_byte(
    end: str, is_ended: bool, is_marked: bool, lines: list[str], runs: list[dict[str, str | None]]
) -> None:
    text = "\ufeff" * is_marked + end.join(lines) + end * is_ended
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".env"
        path.write_bytes(text.encode())
        for changes in runs:
            SetupFiles(path).write(changes)
        SetupFiles(path).restore()
        assert path.read_bytes().decode() == text


def test_a_new_file_has_its_settings_in_groups_under_comments_and_goes_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    SetupFiles(path).write({"ZITADEL_DOMAIN": "a", "CLIENT_ID": "b", "PAT": "c"})
    SetupFiles(path).write({"CLIENT_SECRET": "d", "ZITADEL_PROJECT_ID": "e", "ZDEMO_VISITOR_PAT": "f"})
    first, second, third, fourth = GROUPS
    assert path.read_text() == (
        f"{first}\nZITADEL_DOMAIN=a\nZITADEL_PROJECT_ID=e\n\n{second}\nCLIENT_ID=b\nCLIENT_SECRET=d\n\n"
        f"{third}\nPAT=c\n\n{fourth}\nZDEMO_VISITOR_PAT=f\n"
    )
    SetupFiles(path).restore()
    assert list(tmp_path.iterdir()) == []


LONG = "\u6d88" * 200  # as long as ZITADEL allows, and 600 bytes
KEY_NAMES = [
    ("zdemo-api", "zdemo-api"),
    ("Meine API/2", "Meine-API-2"),
    ("../.x", "-.x"),
    ("...", "application"),
    ("a" * 200, "a" * 200),
    ("\u6d88" * 82, "\u6d88" * 82),
]


@pytest.mark.parametrize(("application", "name"), KEY_NAMES)
def test_a_key_file_is_named_like_its_application(application: str, name: str, tmp_path: Path) -> None:
    assert SetupFiles(tmp_path / ".env").key_file(application) == tmp_path / f"{name}.key.json"


def test_a_long_name_is_cut_in_one_way_that_no_other_name_has(tmp_path: Path) -> None:
    names = [LONG, LONG[:-1] + "x", LONG[:-1], LONG[:83], LONG[:82] + "/"]
    files = [SetupFiles(tmp_path / ".env").key_file(name) for name in names]
    assert len(set(files)) == len(names)
    assert files == [SetupFiles(tmp_path / ".env").key_file(name) for name in names]
    for file in files:
        assert len(file.name.encode()) <= 255
        file.touch()


def test_the_latest_value_of_a_person_comes_back(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    for value in ("own-1", "own-2"):
        update_dotenv(path, {"PAT": value})
        SetupFiles(path).write({"PAT": "setup"})
    SetupFiles(path).restore()
    assert read_dotenv(path) == {"PAT": "own-2"}


def test_a_value_that_a_person_puts_there_afterwards_stays_with_its_comment(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    SetupFiles(path).write(ALL)
    update_dotenv(path, {"PAT": "own"})
    SetupFiles(path).restore()
    assert path.read_text().strip() == f"{list(GROUPS)[2]}\nPAT=own"


def test_a_run_that_was_killed_between_the_two_files_has_lost_nothing(tmp_path: Path) -> None:
    """The state is written first: then the file still holds the person's value."""
    path = tmp_path / ".env"
    path.write_text("PAT=own\n")
    SetupFiles(path).write({"PAT": "setup-1"})
    path.write_text("PAT=own\n")
    assert not SetupFiles(path).wrote("PAT")
    SetupFiles(path).write({"PAT": "setup-2"})
    SetupFiles(path).restore()
    assert path.read_text() == "PAT=own\n"


def test_what_is_not_a_key_file_beside_it_does_not_matter(tmp_path: Path) -> None:
    """Nothing waits for a pipe, and nothing is read without end."""
    os.mkfifo(tmp_path / "pipe.key.json")
    (tmp_path / "device.key.json").symlink_to("/dev/zero")
    (tmp_path / "deep.key.json").write_text("[" * 60_000)
    (tmp_path / "list.key.json").write_text("[]")
    (tmp_path / "mine.key.json").write_text('{"keyId": "1"}')
    files = SetupFiles(tmp_path / ".env")
    files.record(keys=(IssuedCredential(owner_id="2", expires=3, digest=digest("1")),))
    assert files.key_files() == [tmp_path / "mine.key.json"]


@pytest.mark.parametrize(("mode", "is_said"), [(0o600, False), (0o640, True), (0o660, True)])
def test_a_group_that_can_read_the_secrets_is_said(mode: int, is_said: bool, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch(mode)
    path.chmod(mode)
    SetupFiles(path).write(ALL)
    said = f"{path} holds secrets, and its group can read it (mode {mode:04o}): chmod 600 {path}"
    assert SetupFiles(path).warning == (said if is_said else "")


def test_a_link_to_nothing_is_not_followed(tmp_path: Path) -> None:
    """A cloned repository can hold one that leads anywhere."""
    path = tmp_path / ".env"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="is a link to a file that does not exist"):
        SetupFiles(path)


@pytest.mark.parametrize("name", ["a\tb.env", "a\u00a0b.env", os.fsdecode(b"a\xffb.env")])
def test_a_file_whose_name_cannot_be_recorded_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be shown"):
        SetupFiles(tmp_path / name)


def test_a_key_id_that_is_no_text_is_not_setups(tmp_path: Path) -> None:
    (tmp_path / "x.key.json").write_text('{"keyId": "\\ud800"}')
    assert SetupFiles(tmp_path / ".env").key_files() == []
