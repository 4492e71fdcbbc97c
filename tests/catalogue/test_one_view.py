"""A finding has the same words at a terminal, in JSON, in JUnit, in the log of ``zdemo serve``, and on its page."""

import json
import signal
from xml.etree import ElementTree

import pytest

from tests.page.test_events import texts
from tests.support.cli import Shell, settings
from tests.support.page_site import KEY, TracedApi
from tests.support.planting import Planter
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.settings import Settings
from zdemo.page import PageOptions

REFUSED = "ZITADEL refuses the API application's credentials"
COPY = "copy CLIENT_SECRET again from where it is kept (64 characters)"
OPEN = "one of these; they cannot be told apart from outside"
WORDS = (REFUSED, COPY, "shows the cause", OPEN, "CLIENT_SECRET is wrong, or was regenerated (rotated)")
COMMON = ("finding", "because", "certainty", "candidates")


@pytest.mark.thorough
def test_a_finding_has_the_same_words_in_every_view(bare: Shell, planter: Planter) -> None:
    values = settings(planter.url, CLIENT_SECRET="x" * 64)
    environment = Environment({COMMAND_LINE: values})
    with bare.serving("--json-logs", **values) as (process, url):
        env = values | {"ZDEMO_API_URL": url}
        words = {line: bare(*line.split(), **env).out for line in ("introspect", "doctor", "call scoped")}
        called, examined = (bare(*line.split(), "--json", **env).document for line in ("call scoped", "doctor"))
        report = ElementTree.fromstring(bare("doctor", "--junit", "-", **env).out)  # noqa: S314  # zdemo wrote it
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate()
    options = PageOptions(key=KEY, api_url=url, settings=Settings.from_env(environment), environment=environment)
    on_page = TracedApi(options).event("/api/private-scoped", values["PAT"])["why"]
    checked = next(check for check in examined["checks"] if check["outcome"] == "fail")
    words |= {"JUnit": report.findtext(".//failure") or "", "page": " ".join(texts(on_page))}
    words["log"] = " ".join(json.loads(line).get("message", "") for line in log.splitlines())
    plain = {name: " ".join(text.split()) for name, text in words.items()}
    assert [(name, text) for name, text in plain.items() if not all(part in text for part in WORDS)] == []
    assert "\\n" not in plain["log"], "a remark stands in the line of its step"
    assert [called["why"], checked["evidence"], on_page["sentence"]] == [REFUSED] * 3
    views = [{name: document[name] for name in COMMON} for document in (called, checked, on_page)]
    assert views == [views[0]] * 3
