"""``ZDEMO_CACHE_URL``: what it may be, and that no message shows it."""

import pytest

from tests.config.test_settings import GOOD
from tests.support import processes
from zdemo.config.parsers import cache_url, shown_address
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError

PASSWORD = "Secret-of-the-store-5"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", "localhost:6379"),
        ("redis://cache.internal:6380/3", "cache.internal:6380"),
        ("rediss://me:secret@h/", "h:6379"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
        ("unix://:secret@/run/r%20s?db=2", "/run/r s"),
    ],
)
def test_the_address_is_shown_without_a_password(url: str, address: str) -> None:
    assert (cache_url(url), shown_address(url)) == (url, address)
    assert url not in repr(Settings.from_env({**GOOD, "ZDEMO_CACHE_URL": url}))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"http://:{PASSWORD}@h", "begins with redis://"),
        (f"redis://:{PASSWORD}@", "has no host"),
        (f"redis://:{PASSWORD}@h:port", "is not a valid URL"),
        (f"redis://:{PASSWORD}#5@h", "has a # in it"),
        (f"redis://:{PASSWORD}@h/one", "number of a database"),
        (f"redis://h?password={PASSWORD}", "not supported"),
        (f"rediss://:{PASSWORD}@h?ssl_ca_certs=/no/file", "does not exist"),
        (f"unix://{PASSWORD}/socket", "Unix socket"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, problem: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env({**GOOD, "ZDEMO_CACHE_URL": url})
    assert problem in wrong.value.message
    assert "redis://localhost:6379" in wrong.value.hint
    assert PASSWORD not in repr(wrong.value) + wrong.value.message + wrong.value.hint


WITHOUT_PACKAGE = """
import sys
sys.modules["redis"] = None  # as if it were not installed
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError
from zdemo.server import create_app
variables = {"ZITADEL_DOMAIN": "http://localhost:1", "CLIENT_ID": "1", "CLIENT_SECRET": "secret"}
create_app(Settings.from_env(variables))
settings = Settings(issuer="http://localhost:1", client_id="1", client_secret="s", cache_url="redis://localhost")
try:
    create_app(settings)
except SettingsError as error:
    print(error.message, "|", error.hint)
"""


def test_without_the_package_the_setting_is_refused_and_nothing_else_changes() -> None:
    error = "ZDEMO_CACHE_URL needs the package redis, which is not installed | pip install redis"
    assert processes.run_python(WITHOUT_PACKAGE).replace("uv pip", "pip").splitlines() == [error]
