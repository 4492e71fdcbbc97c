"""Cases of the group safe about what must not be seen: tokens and secrets, and answers that are for one caller."""

from zdemo.verify.asker import Asked
from zdemo.verify.bench import Bench
from zdemo.verify.case import Case, Needs, Stage
from zdemo.verify.cases.safe import FOREIGN_ORIGIN
from zdemo.verify.judgments.secrecy import (
    Leaks,
    kept_private,
    leaks_in,
    no_borrowed_rights,
    nothing_leaked,
    stayed_here,
)


def _redirect(bench: Bench) -> tuple[str, ...]:
    bench.outage("redirect")
    arrived = b"".join(bench.zitadel.collected()).decode("latin-1")
    return leaks_in(arrived, bench.api.told, bench.secrets)


def _output(bench: Bench) -> Leaks:
    printed = bench.printed()
    found = leaks_in(printed.decode("utf-8", "replace"), bench.api.told - bench.api.shown, bench.secrets)
    return Leaks(where="the API's output", found=found, looked_at=f"{len(printed):,} bytes of the API's output")


def _answers(bench: Bench) -> Leaks:
    texts = [one.text for one in bench.api.asked]
    found = leaks_in("\n".join(texts), bench.api.told - bench.api.shown, bench.secrets)
    return Leaks(where="an answer", found=found, looked_at=f"{len(texts)} answers")


def _cors(bench: Bench) -> list[Asked]:
    origin = {"Origin": FOREIGN_ORIGIN}
    preflight = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    return [bench.api.send(headers=origin), bench.api.send(method="OPTIONS", headers=preflight)]


CASES: tuple[Case, ...] = (
    Case(
        id="safe.redirect",
        asked="an introspection that is redirected to another origin",
        must="neither token nor client credentials arrive there",
        wrong="sent a token or its client credentials to another origin",
        source="RFC 6750 section 5.3; RFC 9110 section 15.4",
        fix="follow no redirects when asking ZITADEL",
        ask=_redirect,
        judge=stayed_here,
        stage=Stage.OUTAGE,
    ),
    Case(
        id="safe.shared_cache",
        asked="the Cache-Control of an answer that needs a token",
        must="shared caches may not keep it",
        wrong="lets shared caches keep what a token is needed for",
        source="RFC 9111 section 3.5",
        fix="send Cache-Control: no-store on every route that requires a token",
        ask=lambda bench: bench.answer,
        judge=kept_private,
    ),
    Case(
        id="safe.cors",
        asked="requests of a foreign web page (Origin)",
        must="no Access-Control-Allow-Origin together with Allow-Credentials",
        wrong="gives a foreign web page a browser's credentials",
        source="Fetch standard, CORS protocol and credentials",
        fix="list the allowed origins, and allow no credentials",
        ask=_cors,
        judge=no_borrowed_rights,
        needs=Needs.NOTHING,
    ),
    Case(
        id="safe.output",
        asked="what the API printed during the run",
        must="no token and no secret",
        wrong="prints tokens or secrets",
        source="RFC 6750 section 5.3; CWE-532",
        fix="log neither the Authorization header nor the requests to ZITADEL",
        ask=_output,
        judge=nothing_leaked,
        stage=Stage.LAST,
    ),
    Case(
        id="safe.answers",
        asked="all answers of the API",
        must="no token and no secret",
        wrong="shows tokens or secrets in its answers",
        source="RFC 6750 section 5.3",
        fix="repeat no token in answers and error messages",
        ask=_answers,
        judge=nothing_leaked,
        stage=Stage.LAST,
        needs=Needs.NOTHING,
    ),
)
