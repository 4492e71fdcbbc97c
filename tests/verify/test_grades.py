"""``zdemo verify`` as a whole: good APIs pass, and an API with a planted mistake fails in that alone."""

from tests.support.wrong_apis import (
    api_for_all_audiences,
    api_that_is_careless,
    api_that_muddles_outages,
    api_that_remembers_too_long,
    failures,
    graded,
)
from zdemo.verify.cases import CASES
from zdemo.verify.judgments.endurance import outage

OUTAGES = {case.id for case in CASES if case.judge is outage}

HOLES = {
    "safe.head",
    "safe.forwarded",
    "safe.expired",
    "safe.audience_claim",
    "safe.near_miss",
    "safe.other_project",
    "safe.roles_claim",
    "safe.changed_token",
    "safe.mixed_up",
    "safe.stale",
}


def test_an_api_that_accepts_other_audiences_fails_in_that_alone() -> None:
    assert failures(graded(api_for_all_audiences)).keys() == {"safe.audience", "safe.audience_claim"}


def test_an_api_that_muddles_outages_fails_in_them_alone() -> None:
    found = failures(graded(api_that_muddles_outages))
    # On a busy machine some of these calls are refused for the moment, which it muddles as well
    assert "401" in found.pop("robust.single_flight", "401")
    assert found.keys() == {*OUTAGES, "robust.errors"}, "an odd answer is as unexpected to it as an outage"
    assert "500" in found["robust.not_json"]
    assert all("401" in found[name] for name in ("robust.hang", "robust.reset", "robust.internal_error"))


def test_an_api_that_remembers_too_long_fails_in_that_alone() -> None:
    assert failures(graded(api_that_remembers_too_long)).keys() == {"safe.window_token", "safe.window_role"}


def test_an_api_with_small_holes_fails_in_each_of_them_alone() -> None:
    found = failures(graded(api_that_is_careless))
    assert found.keys() == HOLES
    assert found["safe.head"].endswith("DELETE /api/private-scoped 200")
    assert "X-Forwarded-For" in found["safe.forwarded"]
    for name, seen in {
        "safe.near_miss": ("another case", "a blank behind"),
        "safe.roles_claim": ("a role of no organization", "a role with null"),
        "safe.changed_token": ("a PAT",),
        "safe.audience_claim": ("no aud",),
    }.items():
        assert all(f"({one}) 200" in found[name] for one in seen), found[name]
