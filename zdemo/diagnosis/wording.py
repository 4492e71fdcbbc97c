"""Phrases and numbers that several findings share; text from the network is made fit to print."""

import re
from urllib.parse import SplitResult, urlsplit

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import quoted
from zdemo.errors import FailureKind
from zdemo.errors.response import Response
from zdemo.errors.steps import Step
from zdemo.http.failure_messages import EXPECTS_HTTPS, address_steps, host_or_nothing
from zdemo.text.masking import could_be_secret
from zdemo.zitadel.introspection_answer import ROLES_SCOPE, audience_scope

Lines = tuple[tuple[str, str], ...]

LONGEST_PATH = 200
MOST_ITEMS = 5  # of a list that came over the network
SYNCHRONISE = "synchronise the clocks of this machine and of ZITADEL (NTP)"
CLOCK_COMPARED = ("clock", "compared with the Date of ZITADEL's answer")
LOOKED_UP = ("records", "looked up with the administrator's token")
SAYS_HTTPS = re.compile("HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS|plain HTTP to an SSL")
UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def described(answer: Response) -> str:
    """Return status, media type and server of an answer, which tell ZITADEL from other servers."""
    server = quoted(answer.headers.get("server", ""), 40)
    kind = quoted(answer.media_type, 40) or "no media type"
    return f"{answer.status}, {kind}" + (f", Server: {server}" if server else "")


def health_lines(evidence: Evidence) -> Lines:
    """Return what ZITADEL's own health checks said, one line of evidence each."""
    lines = []
    for probe, path in ((Probe.HEALTH, "/debug/healthz"), (Probe.READY, "/debug/ready")):
        failure, answer = evidence.failure(probe), evidence.answer(probe)
        if failure and failure.kind is FailureKind.TIMEOUT:
            lines.append((probe.value, f"{path} does not answer"))
        elif answer.status:
            lines.append((probe.value, f"{path} answers {described(answer)}"))
    return tuple(lines)


def url(answer: Response) -> SplitResult:
    """Return the URL that an answer came from, in its parts."""
    return urlsplit(answer.url)


def wait(answer: Response) -> str:
    """Return how long to wait after a 429, as far as the answer says it."""
    seconds = answer.headers.get("retry-after", "")
    return f"wait {seconds} s, then try again" if seconds.isascii() and seconds.isdigit() else "wait, then try again"


def usual_scopes(project_id: str | None) -> list[str]:
    """Return the scopes that put a user's name, the roles and the project into a token."""
    audience = [audience_scope(project_id)] if project_id else []
    return ["openid", "profile", ROLES_SCOPE, *audience]


def shown_list(values: object) -> str:
    """Return a claim that is a text or a list of texts as one text."""
    items = values if isinstance(values, list) else [values]
    return ", ".join(quoted(item, 60) for item in items[:MOST_ITEMS]) + (" …" if len(items) > MOST_ITEMS else "")


def span(seconds: float) -> str:
    """Return a length of time, rounded, in the largest unit of which it has at least two."""
    name, size = next(((name, size) for name, size in UNITS if seconds >= 2 * size), UNITS[-1])
    count = max(round(seconds / size), 0)
    return f"{count} {name}{'' if count == 1 else 's'}"


def clock_words(ahead_seconds: float) -> str:
    """Return by how much the clocks differ, and in which direction."""
    where = "ahead of" if ahead_seconds > 0 else "behind"
    return f"this machine's clock is {abs(ahead_seconds):.0f} s {where} ZITADEL's"


def expects_https(answer: Response) -> str:
    """Return the sentence that a server expects https, if its answer to plain http says so; else empty."""
    says_so = answer.status == 400 and SAYS_HTTPS.search(answer.text)
    return EXPECTS_HTTPS.format(netloc=url(answer).netloc) if says_so else ""


def redirected_to(answer: Response, setting: str, below: str = "") -> tuple[str, tuple[Step, ...]]:
    """Return where a redirect leads, and what to set when the whole server has moved there, or what is below a path.

    Of ``Location`` only another host is shown, or a path at this one: the rest may hold secrets.
    """
    try:
        target = urlsplit(answer.headers.get("location", ""))
        host, port, scheme = host_or_nothing(target.hostname), target.port, target.scheme or url(answer).scheme
    except ValueError:
        return "another address", ()
    is_here = not target.netloc or (scheme, target.netloc) == (url(answer).scheme, url(answer).netloc)
    if is_here and target.path.startswith("/") and not could_be_secret(target.path):
        return quoted(target.path, LONGEST_PATH), ()
    if is_here or not host or scheme not in ("http", "https"):
        return "another path" if is_here else "another address", ()
    moved = address_steps(setting, scheme, host, port, below) if target.path == url(answer).path else ()
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return f"{scheme}://{netloc}" if netloc == url(answer).netloc else netloc, moved
