"""The default password complexity policy, which the creation of humans asks."""

import re

from zdemo.emulator.errors import InvalidArgument

_RULES = (
    (r".{8,}", "Password is too short", "COMMA-HuJf6"),
    (r"[a-z]", "Password must contain lower letter", "COMMA-co3Xw"),
    (r"[A-Z]", "Password must contain upper letter", "COMMA-VoaRj"),
    (r"[0-9]", "Password must contain number", "COMMA-ZBv4H"),
    (r"[^0-9a-zA-Z]", "Password must contain symbol", "COMMA-ZDLwA"),
)


def check_password(password: str) -> None:
    """Raises ``InvalidArgument`` for the first rule that a password breaks."""
    for pattern, complaint, id in _RULES:
        if not re.search(pattern, password):
            raise InvalidArgument(complaint, id)
