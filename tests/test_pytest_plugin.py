"""The fixture ``zitadel_emulator`` as the tests of another project use it, without an import."""

import subprocess
import sys
from pathlib import Path

import pytest

from zdemo.config.settings import Settings
from zdemo.pytest_plugin import ZitadelEmulator
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import IntrospectionClient

ROLE = "read:messages"
OTHER_PROJECT = """
from flask import Flask
from zdemo.config import Settings
from zdemo.server import protect, requires_token


def test_messages(zitadel_emulator):
    app = protect(Flask(__name__), Settings.from_env(zitadel_emulator.env))

    @app.get("/messages")
    @requires_token(role="read:messages")
    def messages():
        return {}

    def status(token):
        return app.test_client().get("/messages", headers={"Authorization": f"Bearer {token}"}).status_code

    assert status(zitadel_emulator.user("ada", "read:messages")) == 200
    assert status(zitadel_emulator.user("bob")) == 401
"""

FORGOTTEN = """
from http.client import HTTPConnection
from zdemo.testing import ZitadelEmulator

emulator = ZitadelEmulator().__enter__()
connection = HTTPConnection(emulator.url.removeprefix("http://"))
"""


def introspect(zitadel: ZitadelEmulator, token: str) -> Introspection:
    client = IntrospectionClient(Settings.from_env(zitadel.env))
    try:
        return client.introspect(token)
    finally:
        client.close()


def test_another_project_needs_the_name_of_the_fixture_alone(tmp_path: Path) -> None:
    (tmp_path / "test_other_project.py").write_text(OTHER_PROJECT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - a fixed command
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


@pytest.mark.parametrize("rest", ["", "; del emulator", "; emulator.fault('hang')", "; raise SystemExit(7)"])
def test_a_forgotten_exit_holds_no_program_at_its_end(rest: str) -> None:
    script = FORGOTTEN + f"connection.request('GET', '/debug/healthz'); connection.getresponse().read(){rest}"
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, env={}, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - a fixed command
    assert (ran.returncode, ran.stderr) == (7 if "7" in rest else 0, "")


def test_users_have_the_given_roles_which_come_and_go(zitadel_emulator: ZitadelEmulator) -> None:
    pat = zitadel_emulator.user("ada", ROLE, "write:messages")
    assert set(introspect(zitadel_emulator, pat).roles(zitadel_emulator.project_id)) == {ROLE, "write:messages"}
    assert not introspect(zitadel_emulator, zitadel_emulator.user("bob")).roles()
    for change, has_role in ((zitadel_emulator.revoke, False), (zitadel_emulator.grant, True)):
        change("ada", ROLE)
        change("ada", ROLE)
        assert introspect(zitadel_emulator, pat).has_role(ROLE) is has_role
    zitadel_emulator.remove("ada")
    assert not introspect(zitadel_emulator, pat).active


def test_each_test_has_its_own_with_the_known_users(zitadel_emulator: ZitadelEmulator) -> None:
    """Whatever the other test did, ada is free."""
    assert zitadel_emulator.user("ada")
    assert introspect(zitadel_emulator, zitadel_emulator.admin_pat).active
    with pytest.raises(ValueError, match="the username is taken: Reader"):
        zitadel_emulator.user("Reader")
    with pytest.raises(ValueError, match="unknown user: eve"):
        zitadel_emulator.grant("eve", ROLE)
