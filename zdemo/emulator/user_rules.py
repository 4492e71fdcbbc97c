"""The rules for users: their states and tokens, and what ends with them."""

from __future__ import annotations

from collections.abc import Iterable

from zdemo.emulator.credentials import new_pat_text
from zdemo.emulator.entities import PersonalAccessToken, User
from zdemo.emulator.errors import FailedPrecondition, taken
from zdemo.emulator.project_rules import ProjectRules
from zdemo.emulator.state import named

PAT_SCOPES = (
    "openid",
    "profile",
    "urn:zitadel:iam:user:metadata",
    "urn:zitadel:iam:user:resourceowner",
)  # what every PAT made through the API has


class UserRules(ProjectRules):
    """What may be done to users."""

    def add_user(
        self,
        organization_id: str,
        username: str | None,
        name: str,
        *,
        machine: bool = True,
        id: str | None = None,
        by: str = "",
    ) -> User:
        """Usernames are unique in the instance, without regard to case; without one the ID serves."""
        if id in self.users:
            raise FailedPrecondition("Errors.User.AlreadyExisting", "COMMAND-k2una")
        user_id = id or self.new_id()
        username = username or user_id
        self.check_username(username)
        now = self.now()
        made = User(
            id=user_id,
            created=now,
            changed=now,
            organization_id=organization_id,
            username=username,
            machine=machine,
            name=name,
        )
        self.users[made.id] = made
        self.log(made, "user.machine.added" if machine else "user.human.added", by, userName=username)
        return made

    def check_username(self, username: str) -> None:
        """Refuse a username that somebody has."""
        if named(self.users.values(), "username", username):
            raise taken("User already exists")

    def set_user_state(self, user: User, state: str, event: str, by: str = "") -> float:
        """Any state but ``ACTIVE`` ends his tokens for good: going back to ``ACTIVE`` does not revive them."""
        user.state = state
        if state != "ACTIVE":
            for pat in user.pats.values():
                pat.dead = True
            self.end_sessions(user.id)
        self.log(user, event, by)
        return self.touch(user)

    def end_sessions(self, user_id: str) -> None:
        """Forget a user's tokens of the token endpoint."""
        for token in [t for t in self.session_tokens.values() if t.user_id == user_id]:
            del self.session_tokens[token.id]

    def remove_user(self, user: User, by: str = "") -> float:
        """With his tokens, keys, authorizations and administrator roles."""
        self.end_sessions(user.id)
        self.remove_authorizations(lambda a: a.user_id == user.id)
        self.remove_administrators(lambda a: a.user_id == user.id)
        del self.users[user.id]
        self.log(user, "user.removed", by)
        return self.touch(user)

    def add_pat(
        self,
        user: User,
        expires: float,
        *,
        id: str | None = None,
        token: str | None = None,
        scopes: Iterable[str] = PAT_SCOPES,
        by: str = "",
    ) -> PersonalAccessToken:
        """``token`` is a text to use instead of a new one."""
        now = self.now()
        pat_id = id or self.new_id()
        made = PersonalAccessToken(
            id=pat_id,
            created=now,
            changed=now,
            user_id=user.id,
            token=token or new_pat_text(pat_id, user.id),
            expires=expires,
            scopes=list(scopes),
            dead=":" in user.id,  # the text inside is split at the first one, so such a token names nobody
        )
        user.pats[made.id] = made
        self.log(user, "user.pat.added", by, tokenId=made.id, expiration=expires, scopes=made.scopes)
        return made

    def remove_pat(self, user: User, pat_id: str, by: str = "") -> None:
        """The token dies at once and leaves the lists."""
        del user.pats[pat_id]
        self.log(user, "user.pat.removed", by, tokenId=pat_id)
