"""Values that do not fit their variables are named, and never shown."""

import base64
import secrets
from pathlib import Path

import pytest

from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment
from zdemo.config.settings import API_URL, Settings
from zdemo.diagnosis.ask.failed_command import name_cause
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.odd_values import changed_tokens, odd_credentials, odd_values
from zdemo.diagnosis.settings_first import with_settings_first
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.errors.problem import ProblemKind
from zdemo.errors.steps import in_words

PAT, SECRET = secrets.token_urlsafe(53), "x" * 64


@pytest.mark.parametrize(
    ("values", "named", "fatal"),
    [
        ({"CLIENT_ID": SECRET, "CLIENT_SECRET": "312909075212468231"}, "they are swapped", True),
        ({"CLIENT_SECRET": PAT, "PAT": SECRET}, "and PAT a client secret: they are swapped", True),
        ({"CLIENT_SECRET": PAT, "PAT": PAT}, "CLIENT_SECRET and PAT", True),
        ({"CLIENT_ID": PAT}, "CLIENT_ID has the form of a personal", True),
        ({"CLIENT_ID": "my-bot"}, "login name", False),
        ({"CLIENT_ID": "(312909075212468231)"}, 'CLIENT_ID has "("', False),
        ({"CLIENT_SECRET": "${SECRET}"}, "CLIENT_SECRET is the name of a variable", False),
        ({"CLIENT_SECRET": base64.b64encode(SECRET.encode()).decode()}, "CLIENT_SECRET is base64-encoded", True),
        ({"CLIENT_ID": base64.b64encode(b"312909075212468231").decode()}, "CLIENT_ID is base64-encoded", True),
        ({"ZDEMO_CACHE_TTL": "5000"}, "83 minutes", False),
        ({"ZITADEL_PROJECT_ID": "my project"}, "project's name", False),
        ({"ZITADEL_ADMIN_PAT": SECRET}, "ZITADEL_ADMIN_PAT has the form of a client secret", True),
        ({"PAT": PAT, "ZITADEL_ADMIN_PAT": PAT}, "the other an administrator's", False),
        ({"PAT": SECRET, "ZDEMO_USER_CLIENT_SECRET": SECRET}, "a client secret is not a token", True),
        ({"PAT": PAT, "ZDEMO_VISITOR_PAT": PAT}, "one user has the role", False),
        ({"ZDEMO_VISITOR_PAT": PAT, "ZITADEL_ADMIN_PAT": PAT}, "the other an administrator's", False),
        ({"ZITADEL_KEY_FILE": "key.json", "CLIENT_SECRET": SECRET}, "key file is used", False),
    ],
)
def test_an_odd_value_is_named_without_the_value(values: dict[str, str], named: str, fatal: bool) -> None:
    (odd,) = odd_values(values)
    (fix,) = map(in_words, odd.steps)
    assert odd.kind is ProblemKind.ODD
    assert named in f"{odd.text}: {fix}"
    assert odd.blocks == (odd.names if fatal else ())
    assert set(odd.names) <= {*values}
    assert not any(value in odd.text + fix for value in (PAT, SECRET))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"PAT": f"{PAT}x"}, "the token is nearly PAT of .env: it has 72 instead of 71 characters"),
        ({"PAT": PAT.swapcase()}, "the token is nearly PAT of .env: it has other letters"),
        ({"ZITADEL_ADMIN_PAT": "a"}, "ZITADEL_ADMIN_PAT is not a whole token: it has 1 character"),
    ],
)
def test_a_token_that_is_nearly_one_that_is_set_is_named_first(values: dict[str, str], named: str) -> None:
    (problem,) = changed_tokens(Environment({COMMAND_LINE: values, ".env": {"PAT": PAT}}))
    refused = Finding(id="token.dead" if "PAT" in values else "admin.refused", cause="?")
    assert (problem.text, with_settings_first(refused, [problem]).because) == (named, (problem,))
    assert with_settings_first(Finding(id="call.not_found", cause="?"), [problem]).because == ()


@pytest.mark.parametrize("client_id", ["312909075212468231", "312909075212468231@project"])
def test_values_that_fit_are_not_odd(client_id: str) -> None:
    values = {"CLIENT_ID": client_id, "CLIENT_SECRET": SECRET, "PAT": PAT, "ZITADEL_PROJECT_ID": "3" * 18}
    assert odd_values(values) == ()


def test_a_client_id_of_the_older_form_is_the_first_cause_of_a_refusal() -> None:
    (odd,) = odd_credentials(Settings(issuer="", client_id="312909075212468231@project", client_secret=SECRET))
    assert [*map(in_words, odd.steps)] == ["CLIENT_ID=312909075212468231"]


def test_a_client_id_that_zitadel_accepts_is_not_to_blame_for_its_form() -> None:
    (odd,) = odd_values({"CLIENT_ID": "shop-client"})
    names = ("client.rejected", "role.missing")
    because = {name: with_settings_first(Finding(id=name, cause="?", likely=True), [odd]).because for name in names}
    assert because == {"client.rejected": (odd,), "role.missing": ()}


def test_an_odd_value_is_named_by_the_option_that_gives_it() -> None:
    for value, words in ((PAT, "PAT and --admin-pat hold the same value"), (SECRET, "--admin-pat has the form of")):
        (odd,) = odd_values(Environment({".env": {"PAT": PAT}}).giving("ZITADEL_ADMIN_PAT", "--admin-pat", value))
        assert (odd.text.startswith(words), "ADMIN_PAT" in in_words(odd.steps[0])) == (True, False)


def test_a_dotenv_that_is_a_folder_is_the_first_cause_where_a_setting_is_not_required() -> None:
    for values, lines in (({}, (".env is a folder, so it is not read", "x")), ({API_URL: "http://[::1]"}, ("x",))):
        error = ConnectionFailed("x", hint="y", kind=FailureKind.REFUSED)
        name_cause(error, Environment({EXPORTED: values}, folder=Path(".env")), ())
        assert error.lines == lines
    error = ConnectionFailed("x", hint="y", kind=FailureKind.REFUSED)
    name_cause(error, Environment({}, nearby=Path("../.env")), ())
    assert error.steps[0] == "add --env-file ../.env"
