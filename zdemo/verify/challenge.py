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
FORMS = {"error": DESCRIPTION, "error_description": DESCRIPTION, "scope": SCOPE}
ONCE = ("realm", "scope", "error", "error_description", "error_uri")


@dataclass(frozen=True, kw_only=True)
class ParsedChallenge:
    """A challenge: its scheme in lower case, and its parameters, whose names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)


class MalformedChallenge(ValueError):
    """A header field that is not a list of challenges."""


def challenges(value: str) -> list[ParsedChallenge]:
    """Return the challenges of a header field. Raises MalformedChallenge if it does not follow the grammar."""
    listed: list[ParsedChallenge] = []
    at = 0
    while at < len(value):
        element = ELEMENT.match(value, at)
        scheme, name, quoted, plain, token68 = element.groups() if element else ("",) * 5
        if element is None or (not scheme and (token68 or (name and not listed))):
            raise MalformedChallenge(f"unexpected text at character {at + 1}")
        if scheme:
            listed.append(ParsedChallenge(scheme=scheme.lower()))
        if name:
            name = name.lower()
            listed[-1].repeated.extend([name] if name in listed[-1].parameters else [])
            listed[-1].parameters[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = element.end()
    return listed


def problem_of(value: str) -> str:
    """Return what is wrong with a header field, or an empty text."""
    try:
        listed = challenges(value)
    except MalformedChallenge as error:
        return f"not a list of challenges: {error}"
    for challenge in (challenge for challenge in listed if challenge.scheme == "bearer"):
        for name in challenge.repeated:
            if name in ONCE:
                return f"{name} occurs more than once"
        for name, form in FORMS.items():
            if name in challenge.parameters and not form.fullmatch(challenge.parameters[name]):
                return f"{name} has characters that are not allowed"
    return ""
