"""``.env`` files as people write them, and changes that keep everything else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import processes
from zdemo.config.dotenv_file import read_dotenv, update_dotenv
from zdemo.errors import SettingsError


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / ".env"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


CONTENTS: list[tuple[str, str | bytes, dict[str, str]]] = [
    ("nothing", "", {}),
    ("one line", "A=1\n", {"A": "1"}),
    ("no line end", "A=1", {"A": "1"}),
    ("quotes", "A=\"one two\"\nB='three'\n", {"A": "one two", "B": "three"}),
    ("blanks", "  A = 1  \nB=\t2\n", {"A": "1", "B": "2"}),
    ("byte-order mark", b"\xef\xbb\xbfA=1\n", {"A": "1"}),
    ("CRLF", 'A=1\r\nB="2"\r\n', {"A": "1", "B": "2"}),
    ("CR", "A=1\rB=2\r", {"A": "1", "B": "2"}),
    ("export", "export A=1\n", {"A": "1"}),
    ("comments", "# A=0\nA=1 # one\nB=2#two\n\n#\n", {"A": "1", "B": "2#two"}),
    ("a comment and no value", "A= # one\n", {"A": ""}),
    ("given twice", "A=1\nA=2\n", {"A": "2"}),
    ("empty", "A=\nB=''\nC\n", {"A": "", "B": "", "C": ""}),
    ("nothing interpolated", "A=$HOME\nB=${A}\n", {"A": "$HOME", "B": "${A}"}),
    ("a value with equals signs", "A=b=c==\n", {"A": "b=c=="}),
    ("not ASCII", "A=\u00e9\n", {"A": "\u00e9"}),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS])
def test_a_file_is_read(content: str | bytes, expected: dict[str, str], tmp_path: Path) -> None:
    assert read_dotenv(written(tmp_path, content)) == expected


@pytest.mark.parametrize("content", [b"A=\xff\n", "A=1\n".encode("utf-16")])
def test_what_is_not_utf_8_is_said(content: bytes, tmp_path: Path) -> None:
    file = written(tmp_path, content)
    with pytest.raises(SettingsError) as wrong:
        read_dotenv(file)
    assert wrong.value.problems == (f"{file} is not UTF-8 text",)


def test_lines_that_are_not_assignments_are_named_by_number_and_not_by_text(tmp_path: Path) -> None:
    file = written(tmp_path, "# comment\n\nA=1\n\n\nsecret words here\r\nB=2\n=secret\nC='secret\n")
    with pytest.raises(SettingsError) as wrong:
        read_dotenv(file)
    assert wrong.value.problems == tuple(f"{file} line {number} is not an assignment" for number in (6, 8, 9))
    assert "secret" not in f"{wrong.value} {wrong.value.hint}"


# --- changed

CHANGES: list[tuple[str, str, str]] = [
    ("a new file", "", "PAT=new\n"),
    ("another variable before it", "A=1\n", "A=1\nPAT=new\n"),
    ("no line end before it", "A=1", "A=1\nPAT=new\n"),
    ("no line end after it", "PAT=old", "PAT=new\n"),
    ("at its place", "A=1\nPAT=old\nB=2\n", "A=1\nPAT=new\nB=2\n"),
    ("comments and blank lines", "# one\n\n\nPAT=old\n\n# two\n  \nB=2", "# one\n\n\nPAT=new\n\n# two\n  \nB=2"),
    ("its own comment", "PAT=old  # the reader's\n", "PAT=new  # the reader's\n"),
    ("its own comment behind quotes", "PAT='o # l\\'d'# mine\n", "PAT=new # mine\n"),
    ("its own comment behind double quotes", 'PAT="o # l\\"d" # mine\n', "PAT=new # mine\n"),
    ("a sign that begins no comment", "PAT=old#er\n", "PAT=new\n"),
    ("export", "  export  PAT=old\nA=1\n", "  export  PAT=new\nA=1\n"),
    ("blanks around the sign", "PAT = old\n", "PAT=new\n"),
    ("a quoted name", "'PAT'=old\n", "PAT=new\n"),
    ("a name without a value", "PAT\nA=1\n", "PAT=new\nA=1\n"),
    ("several lines in one value", "PAT='o\nl\nd'\nA=1\n", "PAT=new\nA=1\n"),
    ("given twice", "PAT=1\nA=1\nPAT=2\nB=2\n", "PAT=new\nA=1\nB=2\n"),
    ("a commented-out one", "#PAT=old\n", "#PAT=old\nPAT=new\n"),
    ("a longer name", "PAT_ID=1\nMY_PAT=2\n", "PAT_ID=1\nMY_PAT=2\nPAT=new\n"),
    ("CRLF", "A=1\r\nPAT=old\r\nB=2\r\n", "A=1\r\nPAT=new\r\nB=2\r\n"),
    ("lines that are not assignments", "what is this\nPAT=old\n", "what is this\nPAT=new\n"),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_one_variable_changes_and_all_else_stays(before: str, after: str, tmp_path: Path) -> None:
    file = written(tmp_path, before)
    update_dotenv(file, {"PAT": "new"})
    assert file.read_bytes() == after.encode()


def test_a_variable_is_removed_wherever_it_stands_and_the_other_lines_stay(tmp_path: Path) -> None:
    file = written(tmp_path, "# one\n\nPAT=1\n# two\nA=1\nexport PAT=2 # mine\nB=2\n")
    update_dotenv(file, {"PAT": None, "C": "3", "D": None})
    assert file.read_bytes() == b"# one\n\n# two\nA=1\nB=2\nC=3\n"


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    update_dotenv(tmp_path / ".env", {"A": "1", "B": "two words", "C": ""})
    assert (tmp_path / ".env").read_bytes() == b"A=1\nB='two words'\nC=\n"


def test_the_file_is_the_owners_alone_whatever_it_was(tmp_path: Path) -> None:
    file = written(tmp_path, "A=1\n")
    file.chmod(0o644)
    for path in (file, tmp_path / "new.env"):
        update_dotenv(path, {"PAT": "new"})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = written(tmp_path / "elsewhere", "A=1\n")
    link = tmp_path / ".env"
    link.symlink_to(target)
    update_dotenv(link, {"PAT": "new"})
    assert link.is_symlink()
    assert target.read_text() == "A=1\nPAT=new\n"


def test_the_file_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    """A program that has the old file open continues to read the old content."""
    file = written(tmp_path, "A=1\n")
    with file.open() as reader:
        update_dotenv(file, {"A": "2"})
        assert reader.read() == "A=1\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


_FULL_DISK = """
import resource, sys
from pathlib import Path
from zdemo.config.dotenv_file import update_dotenv
from zdemo.errors import SettingsError
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    update_dotenv(Path(sys.argv[1]), {"PAT": "secret" * 1000})
except SettingsError as error:
    print(*error.problems)
"""


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The process may write ten bytes and no more."""
    file = written(tmp_path, "A=1\n")
    said = processes.run_python(_FULL_DISK, str(file))
    assert said == f"{file} cannot be written: File too large\n"
    assert file.read_text() == "A=1\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory"):
        update_dotenv(tmp_path / "missing" / ".env", {"A": "1"})
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        update_dotenv(tmp_path, {"A": "1"})


NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8"), max_size=20) | st.text("'\"\\# =$\r\n\tx", max_size=8)


@settings(deadline=None)  # each example waits for the disk
@given(before=st.dictionaries(NAMES, VALUES, max_size=4), change=st.dictionaries(NAMES, VALUES, max_size=4))
@example(before={}, change={"A": "\\", "B": "#"})
def test_what_is_written_is_read_again(
    before: dict[str, str], change: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("round") / ".env"
    update_dotenv(file, before)
    update_dotenv(file, change)
    assert read_dotenv(file) == {**before, **change}


LINES = st.lists(
    st.text("AB='\"\\# \r\tx", max_size=12) | st.sampled_from(["# note", "", "B=1 # b", "export C='x'"]), max_size=6
)


@settings(deadline=None)  # as above
@given(lines=LINES, value=VALUES)
def test_whatever_stands_in_the_file_the_variable_is_set_and_the_other_lines_stay(
    lines: list[str], value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = "".join(f"{line}\n" for line in lines)
    file = written(tmp_path_factory.mktemp("lines"), before)
    update_dotenv(file, {"PAT": value})
    after = file.read_bytes().decode()
    assert after.startswith(before)
    file.write_bytes(after.removeprefix(before).encode())
    assert read_dotenv(file) == {"PAT": value}
