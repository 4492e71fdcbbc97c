"""Values that an example has in the place of a real one, and that somebody forgot to replace."""

import re

EXAMPLE_HOST = "my-instance-abc123.zitadel.cloud"
EXAMPLE_CLIENT_ID = "312909075212468229"  # ZITADEL makes no ID twice: it holds the time and the machine
WORDS = re.compile(
    r"(?i)<[^<>\d][^<>]{0,30}>|…|\.{2,}|-+|x{3,8}"
    r"|change[-_ ]?(me|it|this)|replace[-_ ]?(me|it|this)|insert[-_ ]?here|to[-_ ]?do|tbd|placeholder"
    r"|your[-_ ]?(own[-_ ])?(pat|token|access[-_ ]token|secret|client[-_ ]?(id|secret)|project[-_ ]?id"
    r"|(personal[-_ ]access|admin)[-_ ]?(token|pat)|domain|issuer|instance)([-_ ]?here)?"
)
HOST = re.compile(r"(?i)https?:/*([^/]*[<>…{}][^/]*|your[-_]?(instance|domain|zitadel|issuer|org)\.zitadel\.cloud)/?")


MASKED = "is what CI systems show instead of a secret"


def is_masked(text: str) -> bool:
    """Return whether a text consists of asterisks, as a log has them in the place of a secret."""
    return re.fullmatch(r"\*{3,}", text) is not None


def is_placeholder(text: str) -> bool:
    """Return whether a value is an example's: a known one, or words for what belongs there."""
    is_example = text == EXAMPLE_CLIENT_ID or text.lower().rstrip("/").endswith(EXAMPLE_HOST)
    return is_example or bool(WORDS.fullmatch(text) or HOST.fullmatch(text))
