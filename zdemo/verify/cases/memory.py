"""Cases of the group safe about what an API remembers: for how long, for which token, and for whom."""

from zdemo.verify.asked import Asked
from zdemo.verify.bench import Bench
from zdemo.verify.case import Case, Stage
from zdemo.verify.judgments.access import none_let_in
from zdemo.verify.judgments.endurance import ended_in_time, refused_while_away

NO_REUSE = "keep ZITADEL's answers no longer than your removal window, and count their age from the question"
CALLERS, ROUNDS = 12, 4  # at the same time, half of them without the role; and how often


def _changed(bench: Bench) -> list[Asked]:
    """Ask with tokens that were let in just before, with one letter near their end in another case."""
    asked = []
    for what, token in {"a PAT": bench.reader().token, "a JWT": bench.zitadel.jwt(bench.role)}.items():
        bench.api.bearer(token)
        asked.append(bench.api.bearer(changed(token)).about(what))
    return asked


def changed(token: str) -> str:
    """Return a token with its last letter but one in another case; the last one may have bits that do not count."""
    at = max(at for at, character in enumerate(token[:-1]) if character.isalpha())
    return f"{token[:at]}{token[at].swapcase()}{token[at + 1 :]}"


def _mixed(bench: Bench) -> list[Asked]:
    """Return the answers to those without the role, while others with it ask at the same time: who is last varies."""
    visitor = bench.zitadel.person().token
    tokens = [bench.known.token, visitor] * (CALLERS // 2)
    rounds = [tokens[turn % 2 :] + tokens[: turn % 2] for turn in range(ROUNDS)]
    pairs = [pair for each in rounds for pair in zip(each, bench.api.at_once(each), strict=True)]
    return [asked for token, asked in pairs if token == visitor]


CASES: tuple[Case, ...] = (
    Case(
        id="safe.window_token",
        asked="a token that the API has let in before, after it was deleted",
        must="refused within --window seconds",
        wrong="kept letting in a deleted token",
        source="RFC 7662 section 4: the age of cached answers",
        fix=NO_REUSE,
        ask=lambda bench: bench.windows["delete"],
        judge=ended_in_time,
        stage=Stage.TIME,
    ),
    Case(
        id="safe.window_role",
        asked="a token that the API has let in before, after its role was removed",
        must="refused within --window seconds",
        wrong="kept letting in a token whose role was removed",
        source="RFC 7662 section 4: the age of cached answers",
        fix=NO_REUSE,
        ask=lambda bench: bench.windows["revoke"],
        judge=ended_in_time,
        stage=Stage.TIME,
    ),
    Case(
        id="safe.expiry_in_cache",
        asked="a token that the API has let in before, after its exp",
        must="refused within 2 s",
        wrong="kept letting in a token that had expired",
        source="RFC 7662 section 4: an answer must not be cached beyond exp",
        fix="compare exp with the clock at each request, also for cached answers",
        ask=lambda bench: bench.windows["expiry"],
        judge=ended_in_time,
        stage=Stage.TIME,
    ),
    Case(
        id="safe.changed_token",
        asked="valid tokens that the API has just let in, with one letter near the end in another case",
        must="not let in: 401",
        wrong="took a changed token for one that it knew",
        source="RFC 6750 section 3.1; ZITADEL: every character of a token counts",
        fix="use the whole token, or its SHA-256, as the key of the cache; verify the signature of each JWT",
        ask=_changed,
        judge=none_let_in,
        stage=Stage.TIME,
    ),
    Case(
        id="safe.mixed_up",
        asked=f"{ROUNDS} times {CALLERS} requests at the same time, half of them with a token without the role",
        must="none of that half is let in",
        wrong="let in a caller with the rights of another one",
        source="RFC 6750 section 3.1; CWE-362",
        fix="keep claims with the request, for example in flask.g, never in a variable of the module",
        ask=_mixed,
        judge=none_let_in,
        stage=Stage.TIME,
    ),
    Case(
        id="safe.stale",
        asked="a token that the API has let in before, deleted for --window seconds, while ZITADEL does not answer",
        must="refused, for example with 503",
        wrong="let in a deleted token because ZITADEL did not answer",
        source="RFC 7662 section 4: the age of cached answers",
        fix="never use an answer of ZITADEL that is too old, also when no new one comes",
        ask=lambda bench: bench.stale,
        judge=refused_while_away,
        stage=Stage.AFTER_OUTAGES,
    ),
)
