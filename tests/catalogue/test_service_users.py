"""The catalogue of faults: a service account's credentials, with which ``zdemo token`` gets a token.

Which refusal means what is in ``tests/diagnosis/test_refused_user.py``.
"""

import json
from pathlib import Path

import pytest

from tests.catalogue.named_causes import command, flat, write
from tests.support.cli import Ran, Shell, settings
from tests.support.planting import Planter
from tests.support.upstream import refusing_port
from zdemo.emulator import ADMIN, PROJECT_ID, READER, VISITOR


def with_key(url: str, file: Path) -> dict[str, str]:
    return settings(url, ZITADEL_PROJECT_ID=PROJECT_ID, ZDEMO_USER_KEY_FILE=file.name)


@pytest.mark.thorough
def test_an_administrators_key_file_is_as_good_as_a_pat(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, ZITADEL_PROJECT_ID=PROJECT_ID)

    def ran(user: str, line: str, **more: str) -> Ran:
        return bare(*line.split(), "--admin-key", keys[user], **env | more)

    keys = {user.username: planter.key_file(bare.folder, user.id).name for user in (ADMIN, READER)}
    lines = ("role list", "doctor --only admin.rights", "setup --dry-run --project-name own")
    for line in lines:
        assert ran(ADMIN.username, line).code == 0
        refused = ran(READER.username, line)
        assert (refused.code, "membership" in refused.all) == (1, True), refused.all
        assert "ZITADEL_ADMIN_PAT" not in refused.all
    assert "membership" in ran(READER.username, "demo --live").err
    planter.user("DeactivateUser", READER.id)
    assert "is deactivated or locked" in ran(READER.username, "role list").err
    with refusing_port() as port:
        away = ran(ADMIN.username, "role list", ZITADEL_DOMAIN=f"http://localhost:{port}")
    assert (away.code, "nothing listens" in away.all) == (4, True)


def test_a_fix_names_the_key_file_that_was_given(bare: Shell, planter: Planter) -> None:
    key = f"--admin-key {planter.key_file(bare.folder, READER.id).name}"  # which is not an administrator's
    swapped = bare("introspect", *key.split(), **settings(planter.url, PAT=ADMIN.pat))
    assert "administrator's token should not be sent" in flat(swapped.out)
    assert "ADMIN_PAT" not in swapped.all
    env, key = settings(planter.url, PAT=VISITOR.pat), f"--admin-key {planter.key_file(bare.folder, ADMIN.id).name}"
    assert f"zdemo role grant visitor read:messages {key}\n" in bare("introspect", *key.split(), **env).out
    assert f"  zdemo doctor --fix {key}\n" in bare("doctor", *key.split(), **env).out
    assert "leave out --pat: then PAT in the environment" in flat(bare("introspect", "--pat", ADMIN.pat, **env).out)
    assert "hint:  set ZITADEL_PROJECT_ID, or use" in bare("role", "list", *key.split(), **env).err


def test_a_key_that_was_deleted_or_belongs_to_another_zitadel(bare: Shell, planter: Planter) -> None:
    file = planter.key_file(bare.folder)
    other = write(bare.folder, "other.json", json.dumps(json.loads(file.read_text()) | {"userId": "1" * 18}))
    planter.user("RemoveKey", keyId=file.stem)
    output = command(bare, with_key(planter.url, file), "token")
    output.names(f"refuses the key of the user {READER.id}", f"key {file.stem} was deleted", "user was removed")
    output.names("create a key on the service account's page")
    command(bare, with_key(planter.url, Path(other)), "token").names("refuses the key", "another ZITADEL", "recreated")
