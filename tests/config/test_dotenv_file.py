"""``.env`` files as people write them, and changes that keep everything else."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import processes
from tests.support.dotenv import update_dotenv
from tests.support.other_kinds import other_than_a_file
from zdemo.config.dotenv_file import check_writable, read_dotenv, repeated_names
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


def test_variables_that_are_set_more_than_once_are_named_with_their_lines(tmp_path: Path) -> None:
    file = written(tmp_path, "A=1\n\n# A=0\nB='\nA=2\n'\r\nexport A = 3\n'B'\nC=1\nA=4")
    assert repeated_names(file) == {"A": (1, 7, 10), "B": (4, 8)}


def test_of_many_wrong_lines_ten_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, "one two\r\n" * 8000)
    with pytest.raises(SettingsError) as wrong:
        read_dotenv(file)
    named = [f"{file} line {number} is not an assignment" for number in range(1, 11)]
    assert list(wrong.value.problems) == [*named, "and 7990 more lines of it"]


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "A=1\n#" + "x" * ((256 << 10) - 6) + "\n")
    assert read_dotenv(file) == {"A": "1"}
    with file.open("a") as stream:
        stream.write("B=2\n")
    with pytest.raises(SettingsError, match="is larger than 256 KiB"):
        read_dotenv(file)


TOO_MUCH = [
    ("A=1\n\nB=x" + " " * 200_000 + "y\n", "line 3 has more than 200 spaces in a row"),
    ("\n" * 10_001, "has more than 10000 lines"),
]


@pytest.mark.parametrize(("text", "problem"), TOO_MUCH)
def test_a_file_that_would_take_long_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        read_dotenv(file)
    assert refused.value.problems == (f"{file} {problem}",)


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a folder", "a device"])
def test_what_is_not_a_file_is_named_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    """Nor is it replaced."""
    path = other_than_a_file(kind, tmp_path)
    for use in (read_dotenv, lambda path: update_dotenv(path, {"A": "1"})):
        with pytest.raises(SettingsError) as refused:
            use(path)
        assert refused.value.problems == (f"{path} is {kind}, not a file",)


# --- changed

CHANGES: list[tuple[str, str, str]] = [
    ("a new file", "", "PAT=new\n"),
    ("another variable before it", "A=1\n", "A=1\nPAT=new\n"),
    ("no line end at the end", "A=1", "A=1\nPAT=new"),
    ("no line end after it", "PAT=old", "PAT=new"),
    ("at its place", "A=1\nPAT=old\nB=2\n", "A=1\nPAT=new\nB=2\n"),
    ("comments and blank lines", "# one\n\n\nPAT=old\n\n# two\n  \nB=2", "# one\n\n\nPAT=new\n\n# two\n  \nB=2"),
    ("its own comment", "PAT=old  # the reader's\n", "PAT=new  # the reader's\n"),
    ("its own comment behind quotes", "PAT='o # l\\'d'# mine\n", "PAT='new'# mine\n"),
    ("its own comment behind double quotes", 'PAT="o # l\\"d" # mine\n', "PAT=new # mine\n"),
    ("a sign that begins no comment", "PAT=old#er\n", "PAT=new\n"),
    ("export", "  export  PAT=old\nA=1\n", "  export  PAT=new\nA=1\n"),
    ("blanks around the sign", "PAT = old\n", "PAT=new\n"),
    ("a quoted name", "'PAT'=old\n", "PAT=new\n"),
    ("a name without a value", "PAT\nA=1\n", "PAT=new\nA=1\n"),
    ("several lines in one value", "PAT='o\nl\nd'\nA=1\n", "PAT=new\nA=1\n"),
    ("given twice", "PAT=1\nA=1\nPAT=2\nB=2\n", "PAT=1\nA=1\nPAT=new\nB=2\n"),
    ("a commented-out one", "#PAT=old\n", "#PAT=old\nPAT=new\n"),
    ("a longer name", "PAT_ID=1\nMY_PAT=2\n", "PAT_ID=1\nMY_PAT=2\nPAT=new\n"),
    ("CRLF", "A=1\r\nPAT=old\r\nB=2\r\n", "A=1\r\nPAT=new\r\nB=2\r\n"),
    ("spaces after it", "PAT=old \t\nA=1\n", "PAT=new \t\nA=1\n"),
    ("a byte-order mark", "\ufeffPAT=old\n", "\ufeffPAT=new\n"),
    ("CRLF and no line end at the end", "A=1\r\nB=2", "A=1\r\nB=2\r\nPAT=new"),
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


RIGHTS: list[tuple[int, int]] = [  # octal: what the file has, and what it has afterwards
    (0o600, 0o600),
    (0o640, 0o640),
    (0o660, 0o660),
    (0o700, 0o600),
    (0o644, 0o600),
    (0o666, 0o600),
    (0o604, 0o600),
]


@pytest.mark.parametrize(("before", "after"), RIGHTS, ids=[f"{row[0]:o}" for row in RIGHTS])
def test_a_file_keeps_its_rights_unless_everybody_has_some(before: int, after: int, tmp_path: Path) -> None:
    """Mode 0644 is what a file gets when nobody thinks of it, 0640 what somebody gave it. A link's target counts."""
    file = written(tmp_path, "A=1\n")
    file.chmod(before)
    (tmp_path / "link").symlink_to(file)
    for path in (file, tmp_path / "link"):
        update_dotenv(path, {"PAT": "new"})
        assert stat.S_IMODE(file.stat().st_mode) == after


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    update_dotenv(tmp_path / "new.env", {"PAT": "new"})
    assert stat.S_IMODE((tmp_path / "new.env").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to others")
def test_owner_and_group_stay(tmp_path: Path) -> None:
    file = written(tmp_path, "A=1\n")
    os.chown(file, 12345, 54321)
    update_dotenv(file, {"PAT": "new"})
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


@pytest.mark.parametrize("mode", [0o400, 0o444, 0o440])
def test_a_read_only_file_is_not_replaced(mode: int, tmp_path: Path) -> None:
    """Its owner has said so, and could still replace it."""
    file = written(tmp_path, "A=1\n")
    file.chmod(mode)
    for use in (check_writable, lambda path: update_dotenv(path, {"PAT": "new"})):
        with pytest.raises(SettingsError) as refused:
            use(file)
        assert refused.value.problems == (f"{file} is read-only (mode {mode:04o})",)
        assert refused.value.hint == f"if it may be changed: chmod u+w {file}"
    assert file.read_text() == "A=1\n"


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
from tests.support.dotenv import update_dotenv
from zdemo.config.dotenv_file import check_writable
from zdemo.errors import SettingsError
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
for use in (check_writable, lambda path: update_dotenv(path, {"PAT": "secret" * 1000})):
    try:
        use(Path(sys.argv[1]))
    except SettingsError as error:
        print(*error.problems)
        print(error.hint)
"""


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The process may write ten bytes and no more."""
    file = written(tmp_path, "A=1\n")
    said = processes.run_python(_FULL_DISK, str(file))
    assert said == f"{file} cannot be written: File too large\nallow larger files: ulimit -f unlimited\n" * 2
    assert file.read_text() == "A=1\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory"):
        update_dotenv(tmp_path / "missing" / ".env", {"A": "1"})
    with pytest.raises(SettingsError, match="is a folder, not a file"):
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
