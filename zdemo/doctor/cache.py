"""Checks of the store in which workers and machines share ZITADEL's answers; only where there is one."""

from dataclasses import replace

from zdemo.config.cache_address import CACHE_URL
from zdemo.doctor.check import Result, check, failed, nothing_to_check, passed, skipped, warned
from zdemo.doctor.context import NOT_USABLE, DoctorContext

TTL = "ZDEMO_CACHE_TTL"
NOT_SET = f"{CACHE_URL} is not set: each worker keeps its own answers"


@check("cache.reachable", f"the store of {CACHE_URL} answers, and accepts this API", "settings.readable")
def _reachable(context: DoctorContext) -> Result:
    if CACHE_URL not in context.environment:
        return replace(nothing_to_check(NOT_SET), satisfied=False)
    if (settings := context.settings) is None:
        return skipped(context.not_usable(CACHE_URL) or NOT_USABLE)
    if not settings.cache_ttl_seconds:
        what = f"the store is not used: {TTL} is 0, so no answer is reused"
        step = f"set {TTL} to the seconds for which answers may be reused"
        return replace(warned(what, step, brief="not used"), satisfied=False)
    if not (state := context.store).ok and not state.reads:
        return failed(f"{state.reason}; the API works without it, and asks ZITADEL more often", state.hint)
    return passed("the store answers, and accepts this API", brief="answers")


@check("cache.writable", "the store takes what this API writes", "cache.reachable")
def _writable(context: DoctorContext) -> Result:
    if not (state := context.store).ok:
        return failed(state.reason, state.hint)
    return passed("the store takes what this API writes", brief="takes answers")


CHECKS = (_reachable, _writable)
