"""``zdemo demo``: one screen, with nothing configured, over real HTTP."""

import re
from pathlib import Path

import pytest

from tests.support.cli import Ran, Shell
from zdemo.demo.scenario import UNKNOWN_TOKEN
from zdemo.emulator import CLIENT_SECRET, READER, VISITOR

STEPS = (
    (200, "public"),
    (401, "no token, private"),
    (200, "private"),
    (401, "visitor"),
    (200, "scoped"),
    (401, "role revoked"),
    (200, "granted again"),
    (401, "deleted"),
    (401, "unknown token"),
    (503, "out of reach"),
    (200, "in reach again"),
)
AROUND = {"ZITADEL_DOMAIN": "nonsense", "PAT": "nonsense", "ZDEMO_TIMEOUT": "nonsense", "HTTP_PROXY": "http://x:1"}


def demo(folder: Path, option: str) -> Ran:
    ran = Shell(folder=folder, env=AROUND)("demo", option)
    assert (ran.code, ran.err, list(folder.iterdir())) == (0, "", [])
    return ran


def test_the_demo_runs_as_expected_and_verbose_shows_each_exchange_and_no_token(tmp_path: Path) -> None:
    out = demo(tmp_path, "-v").out
    assert f"{len(STEPS)} of {len(STEPS)} as expected" in out
    assert (out.count("GET /api/"), out.count("as expected"), "\x1b" in out) == (len(STEPS), len(STEPS) + 1, False)
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^next  \S*zdemo serve --emulator\b", out, re.MULTILINE)
    assert len(re.findall(r"^      request    GET http://127\.0\.0\.1:\d+/api/", out, re.MULTILINE)) == len(STEPS)
    answers = re.findall(r"^      answer     (\d{3}), \d+ ms$", out, re.MULTILINE)
    assert [int(status) for status in answers] == [status for status, _ in STEPS]
    text = " ".join(out.split())
    for words in (
        'Authorization: Bearer zdem…-000 ZITADEL POST /oauth/v2/introspect, token=zdem…-000 {"active": true,',
        "ZITADEL not asked: a fresh answer is in the cache answer 200",
        'WWW-Authenticate: Bearer realm="zdemo", error="insufficient_scope",',
        '{"active": false} only the emulator says why: the PAT was deleted answer 401',
        "no answer: ",
    ):
        assert words in text
    assert not [token for token in (READER.pat, VISITOR.pat, CLIENT_SECRET, UNKNOWN_TOKEN) if token in out]


@pytest.mark.thorough
def test_json_is_the_same_as_one_document(tmp_path: Path) -> None:
    document = demo(tmp_path, "--json").document
    assert document["passed"] is True
    assert [(step["expected"], step["actual"]) for step in document["steps"]] == [(code, code) for code, _ in STEPS]
    assert all(words in step["name"] and step["why"] for step, (_, words) in zip(document["steps"], STEPS, strict=True))
    (taken,) = [step for step in document["steps"] if "role revoked" in step["name"]]
    assert taken["seconds"] >= 0
