"""What ``--yes`` alone does not do: make a secret or a key anew while the one before it may be in use. Pure.

A module of its own because it is a rule and no step: where it holds, the whole plan waits for the person's word. A PAT
is none of these, since a new one stops no other.
"""

from __future__ import annotations

from dataclasses import dataclass

from zdemo.management.model import Auth
from zdemo.provisioning.current import Accepted, CurrentState
from zdemo.provisioning.names import CLIENT_ID
from zdemo.provisioning.options import SetupOptions


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """``what`` would be made anew, and ``why``; ``instead``: what to do when it shall not."""

    what: str
    why: str
    instead: str


def rotation(
    situation: CurrentState, wishes: SetupOptions, auth: Auth, notes: dict[str, str], file: str = ".env"
) -> Rotation | None:
    """What needs the person's word, or ``None``."""
    if situation.application is None or wishes.rotate_secret or situation.accepted is Accepted.GOOD:
        return None
    if auth is Auth.KEY:
        return _of_key(situation, file) if situation.key_elsewhere else None
    return None if never_written(situation, notes) else _of_secret(situation, file)


def _of_key(situation: CurrentState, file: str) -> Rotation:
    name = situation.wishes.app_name
    if situation.accepted is Accepted.REFUSED:
        why = f"ZITADEL refuses the key that {file} names for the application {name}"
    else:
        why = f"{file} names no usable key file of the application {name}, and ZITADEL shows a key only once"
    return Rotation(what="key", why=why, instead=f"put the key file back beside {file}, and its name into it")


def _of_secret(situation: CurrentState, file: str) -> Rotation:
    application, name = situation.application, situation.wishes.app_name
    if application and application.auth is Auth.KEY:
        why = f"--auth basic makes a new client secret for the application {name}, and its key stops working"
        return Rotation(what="client secret", why=why, instead="leave --auth basic away")
    if situation.accepted is Accepted.REFUSED:
        why = f"ZITADEL refuses the CLIENT_SECRET in {file} for the application {name}"
    else:
        why = f"{file} holds no client secret of the application {name}, and ZITADEL shows one only once"
    return Rotation(what="client secret", why=why, instead=f"put the old one into {file}")


def never_written(situation: CurrentState, notes: dict[str, str]) -> bool:
    """Whether setup made the application and never wrote its secret down: then nobody has it."""
    application = situation.application
    return bool(application and application.ours and not notes.get(CLIENT_ID))


def credentials_note(situation: CurrentState, wishes: SetupOptions, auth: Auth, notes: dict[str, str]) -> str:
    """Why there will be other credentials; empty when they stay."""
    application = situation.application
    if application is None or (situation.accepted is Accepted.GOOD and not wishes.rotate_secret):
        return ""
    if auth is Auth.KEY:
        return "a new one; the old one stops working" if situation.key_elsewhere else "a new one"
    if application.auth is Auth.KEY:
        return "a new one, in place of the key"
    if never_written(situation, notes):
        return "a new one: an interrupted run made the first, and nobody has seen it"
    return "a new one; the old one stops working"
