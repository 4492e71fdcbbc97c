"""Phrases about answers and addresses that several findings share; what came over the network is made fit to print."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import quoted
from zdemo.http.response import Response

MOST_ITEMS = 5  # of a list that came over the network
CHECKS = ((Probe.HEALTH, "/debug/healthz"), (Probe.READY, "/debug/ready"))


def described(answer: Response) -> str:
    """Status, media type and server of an answer: what tells a ZITADEL from another server."""
    server = quoted(answer.headers.get("server", ""), 40)
    kind = quoted(answer.media_type, 40) or "no media type"
    return f"{answer.status}, {kind}" + (f", Server: {server}" if server else "")


def seen(answer: Response) -> tuple[str, str]:
    """An answer as a line of evidence."""
    return "answer", f"{described(answer)} at {url(answer).path}"


def health(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """What ZITADEL's own checks said, one line each."""
    lines = []
    for question, path in CHECKS:
        if evidence.timed_out(question):
            lines.append((question.value, f"{path} does not answer"))
        elif answer := evidence.answer(question):
            lines.append((question.value, f"{path} answers {described(answer)}"))
    return tuple(lines)


def url(answer: Response) -> SplitResult:
    """Where the answer came from."""
    return urlsplit(answer.url)


def origin(answer: Response) -> str:
    """Scheme, host and port that were asked."""
    return f"{url(answer).scheme}://{url(answer).netloc}"


def wait(answer: Response) -> str:
    """How long to wait after a 429, as far as the answer tells."""
    seconds = answer.headers.get("retry-after", "")
    return f"wait {seconds} s, then try again" if seconds.isascii() and seconds.isdigit() else "wait, then try again"


def audience_scope(project_id: str | None) -> str:
    """The scope that puts a project into a token's audience (ZITADEL)."""
    return f"urn:zitadel:iam:org:project:id:{project_id or 'PROJECT_ID'}:aud"


def shown_list(values: object) -> str:
    """A claim that is a text or a list of texts, as text."""
    items = values if isinstance(values, list) else [values]
    return ", ".join(quoted(item, 60) for item in items[:MOST_ITEMS]) + (" …" if len(items) > MOST_ITEMS else "")


def not_told(evidence: Evidence, sendable: bool) -> tuple[tuple[str, str], ...]:
    """The questions that matter for an inactive token and got no answer, so that nobody thinks they were answered."""
    wanted = [Probe.MADE_UP_CLIENT, *([Probe.USERINFO] if sendable else [])]
    silent = [question.value for question in wanted if evidence.answer(question) is None]
    return (("not known", f"no answer in time: {', '.join(silent)}"),) if silent else ()
