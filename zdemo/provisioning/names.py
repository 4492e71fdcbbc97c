"""The names under which ``zdemo setup`` writes down what it made, and finds it again.

A module of its own because others read them too: with the IDs of a PAT's user and token it can be found out why the
PAT died, which its text does not tell. All of them are lines of ``.env``, and none of them is a setting to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

PROJECT_ID = "ZDEMO_SETUP_PROJECT_ID"
APPLICATION_ID = "ZDEMO_SETUP_APPLICATION_ID"
READER_ID = "ZDEMO_SETUP_READER_ID"
VISITOR_ID = "ZDEMO_SETUP_VISITOR_ID"
"""IDs that setup chose, written before the object was made: what has one of them is setup's."""

CLIENT_ID = "ZDEMO_SETUP_CLIENT_ID"
"""The client whose secret or key setup has written down; absent while that is still to come."""

ROLE = "ZDEMO_SETUP_ROLE"
"""The role that setup made in a project that is not its own."""

ASSIGNMENT_ID = "ZDEMO_SETUP_ASSIGNMENT_ID"
"""The role assignment that setup made where neither project nor user are its own; ``pending`` before it has an ID."""

KEY_EXPIRES = "ZDEMO_SETUP_KEY_EXPIRES"

KEY_ID = "ZDEMO_SETUP_KEY_ID"
"""The key that setup wrote to a file last; absent while one is to come. Any other of its time of expiry was lost."""

ZITADEL = "ZDEMO_SETUP_ZITADEL"
"""The issuer where all this is: elsewhere the IDs mean nothing."""

WROTE = "ZDEMO_SETUP_WROTE"
"""The settings that have their values from setup, separated by commas, each with how its value's digest begins."""

BEFORE = "ZDEMO_SETUP_BEFORE_"
"""Before a setting's name: the value that a person had there, which teardown puts back."""

PENDING = "pending"


@dataclass(frozen=True, kw_only=True)
class PersonVariables:
    """The variables that concern one of the two service users.

    ``user_id`` is the ID that setup chose. ``pat`` is the token; ``pat_user_id`` and ``pat_id`` are its user's and its
    own ID. ``pat_expires`` is its time of expiry, written before the token is made: no other token has the same to the
    millisecond, so one whose text was lost is found by it. ``pats_made``: the IDs of those that setup made and whose
    texts it wrote down, the last one last; they may be in use elsewhere, too.
    """

    user_id: str
    pat: str
    pat_user_id: str
    pat_id: str
    pat_expires: str
    pats_made: str


READER = PersonVariables(
    user_id=READER_ID,
    pat="PAT",
    pat_user_id="ZDEMO_PAT_USER_ID",
    pat_id="ZDEMO_PAT_ID",
    pat_expires="ZDEMO_SETUP_PAT_EXPIRES",
    pats_made="ZDEMO_SETUP_PATS",
)
VISITOR = PersonVariables(
    user_id=VISITOR_ID,
    pat="ZDEMO_VISITOR_PAT",
    pat_user_id="ZDEMO_VISITOR_PAT_USER_ID",
    pat_id="ZDEMO_VISITOR_PAT_ID",
    pat_expires="ZDEMO_SETUP_VISITOR_PAT_EXPIRES",
    pats_made="ZDEMO_SETUP_VISITOR_PATS",
)

SETTINGS = (
    "ZITADEL_DOMAIN",
    "ZITADEL_PROJECT_ID",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ZITADEL_KEY_FILE",
    READER.pat,
    VISITOR.pat,
)
"""What other commands read, and setup writes."""

NOTES = (
    PROJECT_ID,
    APPLICATION_ID,
    READER_ID,
    VISITOR_ID,
    CLIENT_ID,
    ROLE,
    ASSIGNMENT_ID,
    KEY_EXPIRES,
    KEY_ID,
    ZITADEL,
    WROTE,
    *(v for p in (READER, VISITOR) for v in (p.pat_user_id, p.pat_id, p.pat_expires, p.pats_made)),
)
"""What setup writes for itself and for doctor; teardown removes every one of them."""
