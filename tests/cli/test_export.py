"""``zdemo emulator --export``: what it says, what it asks, and that it leaves a whole new file or none."""

import signal
import stat

from tests.support.cli import Shell, Stack, at_terminal, is_two_lines
from tests.support.upstream import hang, upstream
from tests.support.waiting import eventually
from zdemo.emulator import ADMIN, CLIENT_SECRET, PROJECT_ID, READER
from zdemo.emulator.seed_file import seeded_start

TOO_LONG = f"{'w' * 300}.toml"
EXPORT = ("emulator", "--export", "world.toml")


def test_the_export_is_a_seed_for_its_owner_alone_and_shows_no_secret(shell: Shell) -> None:
    ran = shell(*EXPORT)
    path = shell.folder / "world.toml"
    text = path.read_text()
    assert (ran.code, ran.err, stat.S_IMODE(path.stat().st_mode)) == (0, "", 0o600)
    assert ran.out.startswith(
        "wrote world.toml: organizations 1, projects 1, applications 2, users 3,\nassignments 1\n"
    )
    assert "left out      people (--people includes them): 1\n" in ran.out
    assert "next          zdemo emulator --seed world.toml\n" in ran.out
    assert "              zdemo emulator --json --seed world.toml\n" in ran.out
    start = seeded_start(text, "world.toml")
    for secret in (ADMIN.pat, READER.pat, CLIENT_SECRET):
        assert secret not in text
    for secret in (start.admin_pat, start.client_secret, start.pat):
        assert secret not in ran.out
    assert start.project_id == PROJECT_ID
    assert [p.name for p in shell.folder.iterdir()] == ["world.toml"]
    path.unlink()
    document = shell(*EXPORT, "--people", "--json").document
    assert (document["file"], document["people"], document["applications"]) == ("world.toml", 1, 2)
    assert document["left_out"] == {"administrator roles (of what is left out, or a further one of a user)": 1}


def test_what_is_in_the_way_is_named_before_anything_is_asked(bare: Shell) -> None:
    (bare.folder / "old.toml").write_text("mine")
    (bare.folder / "folder.toml").mkdir()
    (bare.folder / "link.toml").symlink_to("nowhere")
    for name in ("old.toml", "folder.toml", "link.toml"):
        ran = bare("emulator", "--export", name)
        assert (ran.code, is_two_lines(ran), ran.lines[0]) == (2, True, f"error: {name} exists already")
    for arguments, code, message in (
        (("--export", "none/world.toml"), 3, "none/world.toml cannot be written: No such file or directory"),
        (("--export", TOO_LONG), 3, f"{TOO_LONG} cannot be written: File name too long"),
        (("--export", "world.txt"), 2, "invalid value for --export: world.txt (a .toml file)"),
        (("--people",), 2, "--people needs --export"),
        (("--export", "world.toml", "--seed", "old.toml"), 2, "--seed cannot be combined with --export"),
        (("--export", "world.toml", "--", "true"), 2, "--export cannot be combined with COMMAND"),
    ):
        ran = bare("emulator", *arguments)
        assert (ran.code, is_two_lines(ran), ran.lines[0]) == (code, True, f"error: {message}")
    assert (bare.folder / "old.toml").read_text() == "mine"
    assert len(list(bare.folder.iterdir())) == 3


def test_without_a_pat_it_asks_at_a_terminal_only(shared_stack: Stack, bare: Shell) -> None:
    url = shared_stack.emulator.url
    ran = bare(*EXPORT, ZITADEL_DOMAIN=url)
    assert (ran.code, is_two_lines(ran), "ZITADEL_ADMIN_PAT is not set" in ran.err) == (3, True, True)
    assert "--admin-pat" not in ran.err
    question = f"ZITADEL_ADMIN_PAT for {url}"
    for typed, message in (("", "the administrator's PAT is empty"), ("a b", "ZITADEL_ADMIN_PAT has a space inside")):
        code, screen = at_terminal(bare, *EXPORT, when=question, typed=f"{typed}\n", ZITADEL_DOMAIN=url)
        assert (code, message in screen, "--admin-pat" in screen) == (3, True, False)
    code, screen = at_terminal(bare, *EXPORT, when=question, typed=f"{ADMIN.pat}\n", ZITADEL_DOMAIN=url)
    assert (code, "wrote world.toml" in screen, ADMIN.pat in screen) == (0, True, False)


def test_a_dead_pat_and_a_zitadel_that_hangs_leave_no_file(shell: Shell) -> None:
    dead = shell(*EXPORT, ZITADEL_ADMIN_PAT="x" * 71)
    assert (dead.code, is_two_lines(dead)) == (1, True)
    assert "the administrator's token is not valid at this ZITADEL" in dead.err
    with upstream(hang) as zitadel:
        ran = shell(*EXPORT, ZITADEL_DOMAIN=zitadel.url, ZDEMO_TIMEOUT="0.2")
        assert (ran.code, is_two_lines(ran)) == (4, True)
        with shell.running(*EXPORT, ZITADEL_DOMAIN=zitadel.url) as process:
            eventually("it asks ZITADEL", lambda: len(zitadel.requests) > 1)
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130
    assert list(shell.folder.iterdir()) == []
