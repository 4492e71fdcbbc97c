"""``.env`` files as people write them, changes that keep everything else, and the emulator's public values in them."""

import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import processes
from tests.support.any_text import ENCODABLE, texts
from tests.support.files import update_dotenv
from zdemo.config.dotenv_file import Dotenv, load_dotenv, valid_dotenv
from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.file_io import check_writable
from zdemo.config.new_dotenv import emulator_in, emulator_text, usable_at, with_env_file
from zdemo.config.variables import SECRETS, is_public
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER, VISITOR
from zdemo.errors import SettingsError
from zdemo.errors.steps import Command, in_words


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / ".env"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


CONTENTS: list[tuple[str, str | bytes, dict[str, str]]] = [
    ("byte-order mark", b"\xef\xbb\xbfA=1\n", {"A": "1"}),
    ("CRLF", 'A=1\r\nB="2"\r\n', {"A": "1", "B": "2"}),
    ("comments", "# A=0\nA=1 # one\nB=2#two\nC= # three\n\n#\n", {"A": "1", "B": "2#two", "C": ""}),
    ("empty", "A=\nB=''\n", {"A": "", "B": ""}),
    ("nothing interpolated", "A=$HOME\nB=${A}\n", {"A": "$HOME", "B": "${A}"}),
    ("a key in many lines", 'A="-----BEGIN\nx\n-----END\n" # mine\n', {"A": "-----BEGIN\nx\n-----END\n"}),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS])
def test_a_file_is_read(content: str | bytes, expected: dict[str, str], tmp_path: Path) -> None:
    assert valid_dotenv(written(tmp_path, content)).values == expected


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as wrong:
        valid_dotenv(path)
    assert wrong.value.hint
    assert "secret" not in f"{wrong.value} {wrong.value.hint}"
    return tuple(map(str, wrong.value.problems))


REFUSED: list[tuple[str, str | bytes, tuple[str, ...]]] = [
    ("bytes", b"A=\xff\n", ("is not UTF-8 text",)),
    ("UTF-16 without a mark", "A=1\n".encode("utf-16-le"), ("is not UTF-8 text but UTF-16, or not text",)),
    ("too large", "A=1\n#" + "x" * (64 << 10), ("is larger than 64 KiB",)),
    ("JSON", '{\n  "PAT": "secret"\n}\n', ("is JSON",)),
    ("RTF", "{\\rtf1\\ansi\n\\f0 PAT=secret\\\n}\n", ("is RTF",)),
    ("no =", "PAT:secret\nA=1\nexport A\n", ("line 1 is not an assignment", "line 3 is not an assignment")),
    (
        "wrong lines",
        '# comment\n\nA=1\n\n\nsecret words here\r\nB=2\n=secret\nD="secret" x\nC=\'secret\n',
        (*(f"line {number} is not an assignment" for number in (6, 8, 9)), "line 10 never closes a quote"),
    ),
]


@pytest.mark.parametrize(("content", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_parsed_is_not_repeated(content: str | bytes, words: tuple[str, ...], tmp_path: Path) -> None:
    file = written(tmp_path, content)
    assert problems(file) == tuple(f"{file} {problem}" for problem in words)


@pytest.mark.parametrize(
    "create", [os.mkfifo, os.mkdir, partial(os.symlink, "/dev/zero")], ids=["pipe", "folder", "device"]
)
def test_what_is_not_a_file_is_named_and_not_waited_for(create: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "other"
    create(path)
    assert problems(path) == (f"{path} is {'a folder, not' if path.is_dir() else 'something other than'} a file",)


def test_repeated_variables_are_found_with_their_lines(tmp_path: Path) -> None:
    file = written(tmp_path, "A=1\n\n# A=0\nB='\nA=2\n'\r\nexport A = 3\n'B'\nC=1\nA=4\n\nexport D")
    assert load_dotenv(file).repeated == {"A": (1, 7, 10), "B": (4, 8)}


CHANGES: list[tuple[str, str, str]] = [
    ("a new file", "", "PAT=new\n"),
    ("comments and blank lines", "# one\n\n\nPAT=old\n\n# two\n  \nB=2", "# one\n\n\nPAT=new\n\n# two\n  \nB=2"),
    ("several lines in one value", "PAT='o\nl\nd'\nA=1\n", "PAT=new\nA=1\n"),
    ("given twice", "PAT=1\nA=1\nPAT=2\nB=2\n", "PAT=1\nA=1\nPAT=new\nB=2\n"),
    ("lines that are not assignments", "what is this\nPAT=old\n", "what is this\nPAT=new\n"),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_one_variable_changes_and_all_else_stays(before: str, after: str, tmp_path: Path) -> None:
    file = written(tmp_path, before)
    update_dotenv(file, {"PAT": "new"})
    assert file.read_bytes() == after.encode()


def test_the_assignment_that_counts_is_removed_and_the_other_lines_stay(tmp_path: Path) -> None:
    file = written(tmp_path, "# one\n\nPAT=1\n# two\nA=1\nexport PAT=2 # mine\nB=2\n")
    update_dotenv(file, {"PAT": None, "C": "two words", "D": None})
    assert file.read_bytes() == b"# one\n\nPAT=1\n# two\nA=1\nB=2\nC='two words'\n"


NAMES = st.tuples(st.sampled_from("AZ_"), texts("AZ_09", most=8)).map("".join)
VALUES = texts(ENCODABLE) | texts("'\"\\# =$\r\n\tx", most=8)
ODD = {  # by the names that get them
    "QUOTES": 'it\'s "so"',
    "DOLLAR": "${A} $A $$",
    "SPACES": "  two  words ",
    "AT_THE_END": "x\\\\\\",
    "UNICODE": "\u6d88\u00e9\U0001f600",
    "LINES": "-----BEGIN\nx\r\n-----END\n",
}
LINES = st.lists(
    texts("AB='\"\\# \r\tx", most=12) | st.sampled_from(["# note", "", "B=1 # b", "export C='x'"]), max_size=6
)


@given(
    lines=LINES, before=st.dictionaries(NAMES, VALUES, max_size=4), change=st.dictionaries(NAMES, VALUES, max_size=4)
)
@example(lines=[], before={}, change=ODD)
@example(lines=[], before=ODD, change=dict(zip(ODD, reversed(ODD.values()), strict=True)))
def test_what_is_written_is_read_again_and_the_other_lines_stay(
    lines: list[str], before: dict[str, str], change: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("round") / ".env"
    update_dotenv(file, before)
    update_dotenv(file, change)
    assert valid_dotenv(file).values == {**before, **change}
    text = "".join(f"{line}\n" for line in lines)
    file.write_bytes(text.encode())
    update_dotenv(file, {"PAT": "a 'value'"})
    assert file.read_bytes().decode().removeprefix(text).split() == ["PAT='a", "\\'value\\''"]


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o640, 0o640), (0o700, 0o600), (0o644, 0o600)], ids=oct)
def test_a_file_keeps_its_mode_unless_it_is_open_to_all_and_links_stay(before: int, after: int, tmp_path: Path) -> None:
    """Mode 0644 is what a file gets when nobody thinks of it, 0640 what somebody gave it."""
    file = written(tmp_path, "A=1\n")
    file.chmod(before)
    (tmp_path / "link").symlink_to(file)
    with file.open() as reader:
        update_dotenv(tmp_path / "link", {"PAT": "new"})
        assert reader.read() == "A=1\n", "the file is replaced and not written over"
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text()) == (after, "A=1\nPAT=new\n")
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "link"]


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    update_dotenv(tmp_path / "new.env", {"PAT": "new"})
    assert stat.S_IMODE((tmp_path / "new.env").stat().st_mode) == 0o600


def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    """Its owner has said so, and could still replace it."""
    file = written(tmp_path, "A=1\n")
    file.chmod(0o440)
    for use in (check_writable, lambda path: update_dotenv(path, {"PAT": "new"})):
        with pytest.raises(SettingsError, match=r"is read-only \(mode 0440\)"):
            use(file)
    assert file.read_text() == "A=1\n"


_FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.support.files import update_dotenv
from zdemo.config.file_io import create_file
from zdemo.errors import SettingsError
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
for write, path in (update_dotenv, sys.argv[1]), (create_file, sys.argv[1] + ".new"):
    try:
        write(Path(path), {"PAT": "secret" * 1000} if write is update_dotenv else "x" * 1000)
    except SettingsError as error:
        problem = error.problems[0]
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(problem)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
"""


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The process may write ten bytes and no more."""
    file = written(tmp_path, "A=1\n")
    problems = [f"{path} cannot be written: File too large" for path in (file, f"{file}.new")]
    assert processes.run_python(_FULL_DISK, str(file)).splitlines() == problems
    assert file.read_text() == "A=1\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


SETTINGS = Dotenv(emulator_text()).values
OWN = dict.fromkeys(SECRETS, "own")


def test_the_emulators_secrets_are_public_and_others_are_not() -> None:
    assert all(map(is_public, (ADMIN.pat, READER.pat, VISITOR.pat, READER.secret, CLIENT_SECRET, f" {ADMIN.pat}\n")))
    assert not any(map(is_public, ("", CLIENT_ID, "x" * 71, f"Bearer {ADMIN.pat}", "a-zdemo-token")))


@pytest.mark.parametrize("address", ["http://localhost:8484", "http://[::1]:9000", "https://zitadel.localhost"])
def test_public_values_are_for_this_machine(address: str) -> None:
    assert usable_at(address, ADMIN.pat) == ADMIN.pat
    for other in (address.replace("local", "other").replace("::1", "::2"), "zitadel.example.com", "http://[x", ""):
        assert usable_at(other, ADMIN.pat) == ""
        assert usable_at(other, "a person's own") == "a person's own"


def test_address_and_a_secret_in_the_file_identify_an_emulator() -> None:
    def address(changes: dict[str, str], exported: dict[str, str] | None = None) -> str:
        path = Path(".env")
        return emulator_in(Environment({EXPORTED: exported or {}, str(path): SETTINGS | changes}, file=path))

    for changes in ({}, {"ZITADEL_DOMAIN": "http://LOCALHOST:8485/"}, {"PAT": "own", "CLIENT_SECRET": "own"}):
        assert address(changes) == (SETTINGS | changes)["ZITADEL_DOMAIN"]
    for changes in ({"ZITADEL_DOMAIN": "http://localhost:8080"}, {"ZITADEL_DOMAIN": "https://x.example"}, OWN):
        assert address(changes) == ""
    assert address({}, {"ZITADEL_DOMAIN": "http://localhost:8485"}) == ""


def test_a_proposed_setup_has_the_emulators_address(tmp_path: Path) -> None:
    path = tmp_path / "my.env"
    path.write_text(emulator_text())
    for text in ("setup", "setup --app"):
        step = in_words(with_env_file(Command(text), path))
        assert step == f"zdemo {text} --domain http://localhost:8484 --env-file {path}"
