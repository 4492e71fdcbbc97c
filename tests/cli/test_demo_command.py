"""``zdemo demo``: one screen, with nothing configured, over real HTTP."""

import re
from pathlib import Path

from tests.support.cli import Shell
from zdemo.demo.scenario import UNKNOWN_TOKEN
from zdemo.emulator import CLIENT_SECRET, READER, VISITOR

STATUSES = [200, 401, 200, 401, 200, 401, 200, 401, 401, 503, 200]
AROUND = {"ZITADEL_DOMAIN": "nonsense", "PAT": "nonsense", "ZDEMO_TIMEOUT": "nonsense", "HTTP_PROXY": "http://x:1"}


def test_the_demo_runs_as_expected_and_verbose_shows_each_exchange_and_no_token(tmp_path: Path) -> None:
    ran = Shell(folder=tmp_path, env=AROUND)("demo", "-v")
    out, count = ran.out, len(STATUSES)
    assert (ran.code, ran.err, list(tmp_path.iterdir())) == (0, "", [])
    assert f"{count} of {count} as expected" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^next  \S*zdemo serve --emulator\b", out, re.MULTILINE)
    assert len(re.findall(r"^      request    GET http://127\.0\.0\.1:\d+/api/", out, re.MULTILINE)) == count
    answers = re.findall(r"^      answer     (\d{3}), \d+ ms$", out, re.MULTILINE)
    assert [int(status) for status in answers] == STATUSES
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
