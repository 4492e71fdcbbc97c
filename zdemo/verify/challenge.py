"""``WWW-Authenticate``, read strictly (RFC 9110 §11.6.1): its challenges, or what is wrong with it. Pure."""

import re
from dataclasses import dataclass, field

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110 §5.6.2
QUOTED = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*)"'
ELEMENT = re.compile(  # of the list: a scheme, a parameter or a token68, or a scheme with one of those two
    rf"[ \t]*(?:({TOKEN})(?:[ \t]+|(?=,|\Z)))?"
    rf"(?:({TOKEN})[ \t]*=[ \t]*(?:{QUOTED}|({TOKEN}))|([A-Za-z0-9._~+/-]+=*))?[ \t]*(?:,|\Z)"
)
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*")  # RFC 6750 §3, of error and error_description
SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*")
ONCE = ("realm", "scope", "error", "error_description", "error_uri")


@dataclass(frozen=True, kw_only=True)
class OneChallenge:
    """A challenge: its scheme in lower case, and its parameters, whose names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)


class MalformedChallenge(ValueError):
    """A header field that is not a list of challenges."""


def challenges(value: str) -> list[OneChallenge]:
    """Return the challenges of a header field. Raises MalformedChallenge if it does not follow the grammar."""
    found: list[OneChallenge] = []
    at = 0
    while at < len(value):
        element = ELEMENT.match(value, at)
        scheme, name, quoted, plain, token68 = element.groups() if element else ("",) * 5
        if element is None or (not scheme and (token68 or (name and not found))):
            raise MalformedChallenge(f"unexpected text at character {at + 1}")
        if scheme:
            found.append(OneChallenge(scheme=scheme.lower()))
        if name:
            name = name.lower()
            found[-1].repeated.extend([name] if name in found[-1].parameters else [])
            found[-1].parameters[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = element.end()
    return found


def problem_of(value: str) -> str:
    """Return what is wrong with a header field, or an empty text."""
    try:
        found = challenges(value)
    except MalformedChallenge as error:
        return f"not a list of challenges: {error}"
    for one in found:
        if one.scheme != "bearer":
            continue
        for name in one.repeated:
            if name in ONCE:
                return f"{name} occurs more than once"
        for name in ("error", "error_description"):
            if not DESCRIPTION.fullmatch(one.parameters.get(name, "")):
                return f"{name} has characters that are not allowed"
        if "scope" in one.parameters and not SCOPE.fullmatch(one.parameters["scope"]):
            return "scope has characters that are not allowed"
    return ""
