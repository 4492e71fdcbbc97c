"""The steps about what ZITADEL shows once: client secrets, keys, and personal access tokens.

Each goes to ``.env`` before anything else is done. A key or a token gets a time of expiry that no other has, written
down before it is made: so it is found again when its text was lost.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path

from zdemo.config.dotenv_file import replace_file
from zdemo.errors import ZdemoError
from zdemo.management import resources as calls
from zdemo.provisioning.context import Bench
from zdemo.provisioning.names import APPLICATION_ID, CLIENT_ID, KEY_EXPIRES, KEY_ID, PROJECT_ID
from zdemo.provisioning.plan import Step

DAY_MILLISECONDS = 86_400_000
SAME_WISH_MILLISECONDS = 3_600_000  # an interrupted run's time of expiry serves again when it is as near as this
KEY_YEAR = calls.milliseconds("9999-01-01T00:00:00+00:00") or 0  # as ZITADEL's own default: keys do not expire
DAYS_OF_KEY_YEAR = 364
KEY_FILES = "*.key.json"  # which .gitignore covers


def rotate_secret(bench: Bench, step: Step) -> None:
    """A new client secret; the old one stops working at once."""
    application = bench.plan.situation.application
    if application and application.ours:
        bench.env.write({CLIENT_ID: None})  # from here on nobody has its secret, should this run be killed
    keep_secret(bench, new_secret(bench))
    bench.story.tell(f"client secret of {step.name}: {step.note}")


def new_secret(bench: Bench) -> str:
    """Of the application."""
    return calls.shown(bench.ask("ApplicationService/GenerateClientSecret", **bench.application), "clientSecret")


def keep_secret(bench: Bench, secret: str) -> None:
    """Write it down, with whose it is; a key file would win over it."""
    bench.story.hide(secret)
    bench.env.write(
        {
            "ZITADEL_PROJECT_ID": bench.ids[PROJECT_ID],
            "CLIENT_ID": bench.client_id,
            "CLIENT_SECRET": secret,
            "ZITADEL_KEY_FILE": None,
            CLIENT_ID: bench.client_id,
        }
    )


def make_key(bench: Bench, step: Step) -> None:
    """A new key of the application, in a file of its own beside ``.env``."""
    file = _key_file(bench, step.name)
    expires = calls.milliseconds(bench.env.get(KEY_EXPIRES))
    if expires is None:
        expires = KEY_YEAR + secrets.randbelow(DAYS_OF_KEY_YEAR * DAY_MILLISECONDS)
    moment = calls.moment_of(expires)
    bench.env.write({KEY_EXPIRES: moment, KEY_ID: None, CLIENT_ID: None})  # the new one is to come
    made = bench.ask("ApplicationService/CreateApplicationKey", **bench.application, expirationDate=moment)
    details = calls.shown(made, "keyDetails")
    bench.story.hide(details)
    replace_file(file, base64.b64decode(details).decode())
    bench.env.write(
        {
            "ZITADEL_PROJECT_ID": bench.ids[PROJECT_ID],
            "CLIENT_ID": bench.client_id,
            "ZITADEL_KEY_FILE": file.name,
            CLIENT_ID: bench.client_id,
            KEY_ID: calls.shown(made, "keyId"),
            **({"CLIENT_SECRET": None} if "CLIENT_SECRET" in bench.env.written else {}),
        }
    )
    bench.story.tell(f"key file {file}: written")


def _key_file(bench: Bench, name: str) -> Path:
    """Where the key goes. Raises ZdemoError when what is there is not this application's."""
    file = bench.env.path.parent / key_file_name(name)
    if file.exists() and owner_of(file) != bench.ids[APPLICATION_ID]:
        raise ZdemoError(
            f"{file} exists and is not a key of this application",
            hint="move it away, or choose another --app-name, and run setup again",
        )
    return file


def owner_of(file: Path) -> str:
    """The ID of the application whose key is in a file; empty when it is no key file."""
    return _field(file, "appId")


def key_in(file: Path) -> str:
    """The ID of the key in a file; empty when it is no key file."""
    return _field(file, "keyId")


def _field(file: Path, name: str) -> str:
    try:
        return str(json.loads(file.read_bytes()).get(name, ""))
    except (OSError, ValueError, AttributeError):
        return ""


def key_file_name(name: str) -> str:
    """An application's name as a file's: what might lead elsewhere, or hide, is replaced."""
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).lstrip(".")
    return KEY_FILES.replace("*", safe or "application")


def remove_keys(bench: Bench, step: Step) -> None:
    """Those that setup made and that nothing uses; a file that holds one of them goes too."""
    useless = bench.plan.situation.useless_keys
    for key_id in useless:
        bench.remove("ApplicationService/DeleteApplicationKey", **bench.application, keyId=key_id)
    bench.story.tell(f"keys of {step.name}: {len(useless)} removed")
    file = bench.env.path.parent / key_file_name(step.name)
    if key_in(file) in useless:
        file.unlink()
        bench.story.tell(f"key file {file}: removed")


def make_pat(bench: Bench, step: Step) -> None:
    """A new token of a service user, written down with the IDs by which it can be found again."""
    variables, user_id = bench.person(step).variables, bench.user_id(step)
    moment = calls.moment_of(_expiry(bench, variables.pat_expires))
    bench.env.write({variables.pat_expires: moment})
    made = bench.ask("UserService/AddPersonalAccessToken", userId=user_id, expirationDate=moment)
    token, token_id = calls.shown(made, "token"), calls.shown(made, "tokenId")
    bench.story.hide(token)
    bench.env.write(
        {
            variables.pat: token,
            variables.pat_user_id: user_id,
            variables.pat_id: token_id,
            variables.pats_made: ",".join([*bench.person(step).elsewhere, token_id]),
        }
    )
    bench.story.tell(f"PAT of {step.name}: made, valid for {bench.plan.wishes.pat_days} days")


def _expiry(bench: Bench, variable: str) -> int:
    """Milliseconds since 1970. An interrupted run's serves again: its token may not be listed yet."""
    wanted = round(time.time() * 1000) + bench.plan.wishes.pat_days * DAY_MILLISECONDS
    before = calls.milliseconds(bench.env.get(variable))
    return before if before is not None and abs(before - wanted) < SAME_WISH_MILLISECONDS else wanted


def remove_pats(bench: Bench, step: Step) -> None:
    """Those that setup made, and that are dead or whose text is lost."""
    useless = bench.person(step).useless
    for token_id in useless:
        bench.remove("UserService/RemovePersonalAccessToken", userId=bench.user_id(step), tokenId=token_id)
    bench.story.tell(f"PATs of {step.name}: {len(useless)} removed")
