"""The same fault has the same first cause in every command that can see it, and the same words in every view."""

import io
import json
import re
import signal
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from tests.catalogue.named_causes import HEIGHT
from tests.page.test_events import texts
from tests.support.cli import Ran, Shell, administered, settings
from tests.support.logins import add_client
from tests.support.page_site import KEY, TracedApi
from tests.support.planting import Planter
from tests.support.secret_forms import jwe
from tests.support.waiting import eventually
from tests.support.workshop import FOREVER
from zdemo.cli.commands.serve import ServeAddress, tell_start
from zdemo.cli.screen import Screen
from zdemo.config.environment import COMMAND_LINE, Environment, read_environment
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, new_fault
from zdemo.page import PageOptions

WRONG = "x" * 64
USER = {"ZDEMO_USER_CLIENT_ID": "reader", "ZDEMO_USER_CLIENT_SECRET": WRONG}


class Cause(NamedTuple):
    """The ID of a finding, and what is wrong with the settings, which comes first."""

    finding: str
    because: str = ""


def told(ran: Ran, name: str) -> Cause:
    """Return the cause that a command tells."""
    if name == "introspect":
        verdict, _, rest = ran.out.partition("\nfix ")
        notes = re.findall("^note +(.*)", verdict, re.MULTILINE)
        return Cause(*re.findall("^finding +(.*)", rest, re.MULTILINE), *notes)
    document = json.loads(ran.out)
    if name == "doctor":
        document = failing_check(ran)
    return Cause(document["finding"], *document["because"])


COMMANDS = {
    "introspect": ("introspect", "-v"),
    "doctor": ("doctor", "--json"),
    "call": ("call", "scoped", "--json"),
    "token": ("token", "--json"),
    "role": ("role", "list", "--json"),
    "setup": ("setup", "--dry-run", "--json"),
}
# ``call`` sees what its API answers, not ZITADEL; serve's warning sees no token; the page's event does not see where a
# token comes from, nor why a role is missing: it asks ZITADEL nothing about tokens that other programs send
THE_CLIENT = ("introspect", "doctor", "serve", "page")
ZITADELS = (*THE_CLIENT, "token", "role", "setup")
ABOUT_THE_TOKEN = ("introspect", "doctor", "call")
TOKEN_AND_PAGE = (*ABOUT_THE_TOKEN, "page")
UNKNOWN = f"{READER.pat[:-3]}999"


def failing_check(doctor: Ran) -> dict[str, Any]:
    return next(check for check in json.loads(doctor.out)["checks"] if check["outcome"] == "fail")


def served(names: Collection[str], ran: Mapping[str, Ran]) -> dict[str, Cause]:
    """Return what serve's warning and its page tell, with the settings of this process; serve shows doctor's words."""
    environment, causes = read_environment(), {}
    if "serve" in names:
        screen, known = Screen(), failing_check(ran["doctor"])
        screen.stderr = stream = io.StringIO()
        tell_start(screen, environment, Settings.from_env(environment), ServeAddress("127.0.0.1", 5000))
        text = eventually("it warns", stream.getvalue, lambda text: "\nfix " in text)
        is_same = " ".join(text.partition("\nwarning: ")[2].split()).startswith(known["evidence"].partition("; ")[0])
        causes["serve"] = Cause(known["finding"] if is_same else text, *re.findall("^note +(.*)", text, re.MULTILINE))
    if "page" in names:
        options = PageOptions(
            key=KEY, api_url="http://127.0.0.1:1", settings=Settings.from_env(environment), environment=environment
        )
        why = TracedApi(options).event("/api/private-scoped", environment["PAT"])["why"]
        causes["page"] = Cause(why["finding"], *why["because"])
    return causes


class Fault(NamedTuple):
    """What is exported, what each command tells (one that is missing cannot see the fault), and what is in .env."""

    exported: Callable[[Planter], Mapping[str, str]]
    causes: dict[str, Cause]
    in_file: Mapping[str, str] = {}


def everywhere(commands: tuple[str, ...], *cause: str) -> dict[str, Cause]:
    return dict.fromkeys(commands, Cause(*cause))


def hides(name: str) -> str:
    return f"{name} in the environment hides the one in .env"


def having(**values: str) -> Callable[[Planter], Mapping[str, str]]:
    return lambda planter: settings(planter.url, **values)


def other_host(planter: Planter) -> dict[str, str]:
    return administered(planter.url.replace("localhost", "127.0.0.1"), **USER)


def changed(planter: Planter) -> dict[str, str]:
    pat = str(planter.user("AddPersonalAccessToken", expirationDate=FOREVER)["token"])
    return settings(planter.url, PAT=f"{pat[:20]}{'B' if pat[20] == 'A' else 'A'}{pat[21:]}")


def failing(planter: Planter) -> dict[str, str]:
    planter.emulator.faults.add(new_fault("internal-error"))
    return administered(planter.url, **USER)


def deactivated(planter: Planter) -> dict[str, str]:
    planter.user("DeactivateUser")
    return administered(planter.url, ZDEMO_PAT_USER_ID="reader")


def refreshed(planter: Planter) -> dict[str, str]:
    app = add_client(planter.emulator)
    tokens = app.log_in(scope="openid offline_access")
    assert app.refresh(tokens).status_code == 200
    return settings(planter.url, PAT=tokens["access_token"])


ELSEWHERE = {"ZITADEL_PROJECT_ID": "9" * 18}
OTHER_PROJECT = everywhere(("introspect", "doctor", "page"), "role.other_project_configured")
FAULTS = {
    "nothing listens": Fault(lambda _: administered("http://localhost:1", **USER), everywhere(ZITADELS, "net.refused")),
    "a ZITADEL that fails": Fault(failing, everywhere((*ZITADELS, "call"), "zitadel.fails")),
    "a host without an instance": Fault(other_host, everywhere(ZITADELS, "zitadel.host_unknown")),
    "an exported secret hides that of .env": Fault(
        having(CLIENT_SECRET=WRONG),
        everywhere(THE_CLIENT, "client.refused", hides("CLIENT_SECRET")),
        {"CLIENT_SECRET": CLIENT_SECRET},
    ),
    "a PAT that is set twice": Fault(
        having(PAT=""),
        everywhere(ABOUT_THE_TOKEN, "token.dead", "PAT is set twice in .env: line 2 counts, not line 1")
        | {"page": Cause("token.dead")},
        {"PAT": READER.pat, " PAT": UNKNOWN},
    ),
    "an unknown token": Fault(having(PAT=UNKNOWN), everywhere(TOKEN_AND_PAGE, "token.dead")),
    "no role": Fault(
        having(PAT=VISITOR.pat), everywhere(ABOUT_THE_TOKEN, "role.not_granted") | {"page": Cause("role.missing")}
    ),
    "a user who was deactivated": Fault(
        deactivated, everywhere(ABOUT_THE_TOKEN, "token.user_deactivated") | {"page": Cause("token.dead")}
    ),
    "a project ID of another project": Fault(having(**ELSEWHERE), OTHER_PROJECT),
    "the same, and no role": Fault(
        having(PAT=VISITOR.pat, **ELSEWHERE), OTHER_PROJECT | {"call": Cause("role.not_granted")}
    ),
    "Bearer in front of a PAT": Fault(having(PAT=f"Bearer {READER.pat}"), everywhere(ABOUT_THE_TOKEN, "token.pasted")),
    "a PAT that is cut off": Fault(having(PAT=READER.pat[:-8]), everywhere(TOKEN_AND_PAGE, "token.cut")),
    "a PAT with a changed header": Fault(changed, everywhere(TOKEN_AND_PAGE, "token.damaged")),
    "a token that a refresh ended": Fault(refreshed, everywhere(TOKEN_AND_PAGE, "token.ended")),
    "a token without an audience": Fault(
        lambda planter: settings(planter.url, PAT=str(planter.tokens()["access_token"])),
        everywhere(ABOUT_THE_TOKEN, "token.other_audience") | {"page": Cause("token.ended")},
    ),
    "an exported administrator's PAT hides that of .env": Fault(
        having(ZITADEL_ADMIN_PAT=jwe("PAT"), ZITADEL_PROJECT_ID=PROJECT_ID),
        everywhere(("doctor", "role", "setup"), "admin.refused", hides("ZITADEL_ADMIN_PAT")),
        {"ZITADEL_ADMIN_PAT": ADMIN.pat},
    ),
    "an exported user secret hides that of .env": Fault(
        having(**USER),
        everywhere(("token",), "user.wrong_secret", hides("ZDEMO_USER_CLIENT_SECRET")),
        {"ZDEMO_USER_CLIENT_SECRET": CLIENT_SECRET},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_02_07_17_21_31_49_each_command_tells_the_same_first_cause(
    fault: str, bare: Shell, planter: Planter, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, causes, in_file = FAULTS[fault]
    bare.dotenv(**in_file)
    env = {**exported(planter), "ZDEMO_API_URL": api}
    ran = {name: bare(*COMMANDS[name], **env) for name in COMMANDS if name in causes}
    assert len(bare("introspect", **env).all.splitlines()) <= HEIGHT
    tells = {name: told(ran[name], name) for name in ran}
    monkeypatch.chdir(bare.folder)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert tells | served(causes, ran) == causes, {name: ran[name].all for name in ran}


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
