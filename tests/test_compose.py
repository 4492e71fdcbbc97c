"""compose.yaml, as far as it can be checked without a Docker engine, and the guide that explains it.

The tests read it line by line, because a YAML parser would be a dependency for this alone.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
LINES = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
GUIDE = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
WITH_SECURITY_FIXES = (4, 15, 2)


def value(name: str) -> str:
    """Return the value of a key that occurs once, without quotes and comments."""
    values = [line.partition(":")[2] for line in LINES if line.strip().partition(":")[0] == name]
    assert len(values) == 1, f"{name} is there {len(values)} times"
    return re.sub(r"\s+#.*", "", values[0]).strip().strip('"')


def default(text: str) -> str:
    """Return the text with the default of each variable."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def images() -> list[str]:
    return [default(line.split("image:")[1].strip()) for line in LINES if "image:" in line]


def test_the_images_are_pinned_and_the_guide_names_the_version_that_is_started() -> None:
    zitadel, redis, postgres = sorted(images(), key=lambda image: image.startswith("postgres:"))
    assert redis.startswith("redis:7")
    version = re.fullmatch(r"ghcr\.io/zitadel/zitadel:v(\d+)\.(\d+)\.(\d+)", zitadel)
    assert version
    assert tuple(map(int, version.groups())) >= WITH_SECURITY_FIXES
    assert postgres.startswith("postgres:17")
    assert zitadel.rpartition(":")[2] in GUIDE


def test_the_port_is_published_on_loopback_and_is_the_one_that_zitadel_knows() -> None:
    published = [default(line.strip()) for line in LINES if line.strip().startswith('- "')]
    assert published == ['- "127.0.0.1:8080:8080"', '- "127.0.0.1:6379:6379"']
    assert default(value("ZITADEL_EXTERNALPORT")) == "8080"
    assert value("ZITADEL_EXTERNALDOMAIN") == "localhost"


def test_tls_is_off_where_the_health_check_looks_too() -> None:
    """``zitadel ready`` reads it from the configuration only, not from the command line."""
    assert value("ZITADEL_TLS_ENABLED") == value("ZITADEL_EXTERNALSECURE") == "false"
    assert 'test: ["CMD", "/app/zitadel", "ready"]' in TEXT


def test_the_master_key_is_32_bytes_and_says_what_it_is_for() -> None:
    key = value("ZITADEL_MASTERKEY")
    assert len(key.encode()) == 32
    assert "development-only" in key


def test_the_administrators_token_is_requested_in_full_and_read_where_it_is_written() -> None:
    """ZITADEL creates a service account only if it has a user name, and a token only if it has a date."""
    machine = "ZITADEL_FIRSTINSTANCE_ORG_MACHINE_"
    assert value(f"{machine}MACHINE_USERNAME")
    assert value(f"{machine}MACHINE_NAME")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value(f"{machine}PAT_EXPIRATIONDATE"))
    path = value("ZITADEL_FIRSTINSTANCE_PATPATH")
    assert f"docker compose cp zitadel:{path} - | tar" in GUIDE
    assert f"- pat:{Path(path).parent}" in TEXT


def test_zitadel_waits_for_a_healthy_database_with_the_same_administrator() -> None:
    assert value("POSTGRES_PASSWORD") == value("ZITADEL_DATABASE_POSTGRES_ADMIN_PASSWORD")
    assert value("POSTGRES_USER") == value("ZITADEL_DATABASE_POSTGRES_ADMIN_USERNAME")
    assert "condition: service_healthy" in TEXT
    assert TEXT.count("healthcheck:") == 3
