"""The checks as data, and the run: order, grounds, what is skipped; and what is odd about values."""

from __future__ import annotations

import base64
import secrets
import time
from pathlib import Path

import pytest

from zdemo.doctor import API_CHECKS, CHECKS, Check, Outcome, Result, examine, required
from zdemo.doctor.check import failed, nothing_to_check, passed, skipped, warned
from zdemo.doctor.context import in_time
from zdemo.doctor.value_oddities import oddities

STABLE = {
    "settings": ("readable", "complete", "shadowed", "wellformed"),
    "net": ("resolve", "proxy", "connect", "tls"),
    "zitadel": ("identity", "host", "issuer", "ready"),
    "clock": ("skew",),
    "client": ("accepted", "kind"),
    "token": ("form", "active", "audience"),
    "role": ("granted",),
    "admin": ("valid", "rights"),
    "api": ("reachable", "identity", "agrees"),
}
PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
PAT, SECRET = secrets.token_urlsafe(53), "x" * 64


def check(name: str, result: Result, *needs: str) -> Check[list[str]]:
    def examine_it(seen: list[str]) -> Result:
        seen.append(name)
        return result

    return Check(id=name, what=name, needs=needs, examine=examine_it)


def outcomes(*checks: Check[list[str]], wanted: tuple[str, ...] = ()) -> dict[str, tuple[Outcome, str]]:
    return {done.id: (done.result.outcome, done.result.evidence) for done in examine(checks, [], wanted)}


def test_the_ids_are_stable() -> None:
    assert sorted(check.id for check in CHECKS) == sorted(
        f"{group}.{name}" for group, names in STABLE.items() for name in names
    )


@pytest.mark.parametrize("checks", [CHECKS, API_CHECKS])
def test_what_a_check_builds_on_comes_before_it(checks: tuple[Check[object], ...]) -> None:
    before: set[str] = set()
    for one in checks:
        assert set(one.needs) <= before
        assert one.id not in before
        before.add(one.id)


@pytest.mark.parametrize("one", [*CHECKS, *API_CHECKS], ids=lambda one: one.id)
def test_each_check_has_its_place_in_the_documentation(one: Check[object]) -> None:
    page, _, anchor = one.anchor.partition("#")
    assert PAGE.name == Path(page).name
    assert f'<a id="{anchor}"></a>' in PAGE.read_text()


def test_what_builds_on_a_failure_is_skipped_and_says_on_what() -> None:
    came = outcomes(check("a", failed("no")), check("b", passed("yes"), "a"), check("c", passed("yes"), "b"))
    assert came == {"a": (Outcome.FAIL, "no"), "b": (Outcome.SKIP, "needs a"), "c": (Outcome.SKIP, "needs b")}


@pytest.mark.parametrize("ground", [passed("yes"), warned("hm", "do"), nothing_to_check("no proxy")])
def test_a_warning_and_a_question_that_does_not_arise_stop_nothing(ground: Result) -> None:
    assert outcomes(check("a", ground), check("b", passed("yes"), "a"))["b"] == (Outcome.PASS, "yes")


def test_what_could_not_be_done_stops_what_builds_on_it() -> None:
    assert outcomes(check("a", skipped("not set")), check("b", passed("yes"), "a"))["b"][0] is Outcome.SKIP


def test_only_what_is_wanted_and_its_grounds_are_examined() -> None:
    seen: list[str] = []
    checks = (check("a", passed("")), check("b", passed("")), check("c", passed(""), "a"))
    done = list(examine(checks, seen, ("c",)))
    assert seen == ["a", "c"]
    assert [one.id for one in done if one.worth_showing] == ["c"]
    assert required(checks, ("c",)) == {"a", "c"}


def test_a_ground_that_failed_is_shown_though_it_was_not_asked_for() -> None:
    checks = (check("a", failed("no")), check("c", passed(""), "a"))
    assert [one.id for one in examine(checks, [], ("c",)) if one.worth_showing] == ["a", "c"]


def test_what_does_not_come_back_is_not_waited_for() -> None:
    start = time.monotonic()
    assert isinstance(in_time(lambda: time.sleep(5), 0.05), TimeoutError)
    assert time.monotonic() - start < 2
    assert in_time(lambda: 7, 5) == 7


@pytest.mark.parametrize(
    ("values", "named", "fatal"),
    [
        ({"CLIENT_ID": SECRET, "CLIENT_SECRET": "312909075212468229"}, "swapped", True),
        ({"CLIENT_SECRET": PAT, "PAT": SECRET}, "and PAT a client secret: they are swapped", True),
        ({"CLIENT_SECRET": PAT, "PAT": PAT}, "CLIENT_SECRET and PAT", True),
        ({"CLIENT_SECRET": PAT}, "form of a personal access token", False),
        ({"CLIENT_ID": PAT}, "CLIENT_ID has the form of a personal", False),
        ({"CLIENT_ID": "my-bot"}, "login name", False),
        ({"CLIENT_ID": "123@project"}, "login name", False),
        ({"CLIENT_ID": "<312909075212468229>"}, 'CLIENT_ID was not pasted alone: "<"', False),
        ({"CLIENT_SECRET": "${SECRET}"}, "CLIENT_SECRET was not pasted alone: the name of a variable", False),
        ({"CLIENT_SECRET": "x\\n"}, "CLIENT_SECRET was not pasted alone: a line end", False),
        ({"CLIENT_SECRET": base64.b64encode(SECRET.encode()).decode()}, "alone: base64", False),
        ({"ZITADEL_PROJECT_ID": "my project"}, "project's name", False),
        ({"ZITADEL_ADMIN_PAT": SECRET}, "ZITADEL_ADMIN_PAT does not look like a token", False),
        ({"PAT": PAT, "ZITADEL_ADMIN_PAT": PAT}, "administrator's, not a caller's", False),
        ({"ZITADEL_KEY_FILE": "key.json", "CLIENT_SECRET": SECRET}, "key file wins", False),
    ],
)
def test_an_odd_value_is_named_without_the_value(values: dict[str, str], named: str, fatal: bool) -> None:
    (odd,) = [oddity for oddity in oddities(values) if named in oddity.what]
    assert odd.fatal is fatal
    assert odd.fix
    assert not any(value in odd.what + odd.fix for value in (PAT, SECRET))


@pytest.mark.parametrize("client_id", ["312909075212468229", "312909075212468229@project"])
def test_values_of_their_kind_are_not_odd(client_id: str) -> None:
    assert oddities({"CLIENT_ID": client_id, "CLIENT_SECRET": SECRET, "PAT": PAT, "ZITADEL_PROJECT_ID": "3" * 18}) == []
