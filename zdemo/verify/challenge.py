"""``WWW-Authenticate``, read strictly (RFC 9110 §11.6.1): its challenges, or what is wrong with it. Pure."""

import re
from dataclasses import dataclass, field

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110 §5.6.2
QUOTED = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*)"'
PARAMETER = re.compile(rf"({TOKEN})[ \t]*=[ \t]*(?:{QUOTED}|({TOKEN}))")
SCHEME = re.compile(rf"({TOKEN})(?:[ \t]+|(?=,|$))")
TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
BETWEEN = re.compile(r"[ \t]*(?:,[ \t]*)+")
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*")  # RFC 6750 §3, of error and error_description
SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*")
ONCE = ("realm", "scope", "error", "error_description", "error_uri")


@dataclass(frozen=True, kw_only=True)
class OneChallenge:
    """A challenge: its scheme in lower case, and its parameters, whose names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()


class MalformedChallenge(ValueError):
    """A header field that is not a list of challenges."""


def challenges(value: str) -> list[OneChallenge]:
    """Return the challenges of a header field. Raises MalformedChallenge if it does not follow the grammar."""
    found: list[OneChallenge] = []
    at = _skip_commas(value, 0)
    while at < len(value):
        scheme = SCHEME.match(value, at)
        if scheme is None:
            raise MalformedChallenge(f"no scheme at character {at + 1}")
        at = scheme.end()
        parameters, at = _parameters(value, at)
        names = [name for name, _ in parameters]
        repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
        found.append(OneChallenge(scheme=scheme[1].lower(), parameters=dict(parameters), repeated=repeated))
    return found


def _parameters(value: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """Return the parameters from a place on, and where the next challenge begins."""
    if (token68 := TOKEN68.match(value, at)) and "=" not in token68[0].rstrip("="):
        return [], _end(value, token68.end())
    parameters: list[tuple[str, str]] = []
    while at < len(value) and (found := PARAMETER.match(value, at)):
        text = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
        parameters.append((found[1].lower(), text))
        at = _end(value, found.end())
    return parameters, at if parameters else _end(value, at)


def _end(value: str, at: int) -> int:
    """Return where the next element begins: behind a comma, or at the end."""
    if not value[at:].strip(" \t"):
        return len(value)
    if (between := BETWEEN.match(value, at)) is None:
        raise MalformedChallenge(f"no comma at character {at + 1}")
    return between.end()


def _skip_commas(value: str, at: int) -> int:
    between = re.compile(r"[ \t,]*").match(value, at)
    return between.end() if between else at


def bearer_of(value: str | None) -> OneChallenge | None:
    """Return the bearer challenge of a header field; ``None`` without one, or when the field is malformed."""
    try:
        return next((one for one in challenges(value or "") if one.scheme == "bearer"), None)
    except MalformedChallenge:
        return None


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
