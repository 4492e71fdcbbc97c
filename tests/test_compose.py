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


def test_the_images_are_pinned_and_the_guide_names_the_version_that_is_started() -> None:
    images = "\n".join(default(line) for line in LINES if "image:" in line)
    (version,) = re.findall(r"ghcr\.io/zitadel/zitadel:v(\d+)\.(\d+)\.(\d+)$", images, re.MULTILINE)
    assert tuple(map(int, version)) >= WITH_SECURITY_FIXES
    assert f"v{'.'.join(version)}" in GUIDE
    assert len(re.findall(r"image: (?:redis:7|postgres:17)", images)) == 2


def test_the_port_is_published_on_loopback_and_is_the_one_that_zitadel_knows() -> None:
    published = [default(line.strip()) for line in LINES if line.strip().startswith('- "')]
    assert published == ['- "127.0.0.1:8080:8080"', '- "127.0.0.1:6379:6379"']
    assert default(value("ZITADEL_EXTERNALPORT")) == "8080"
    assert value("ZITADEL_EXTERNALDOMAIN") == "localhost"


def test_the_master_key_is_32_bytes_and_says_what_it_is_for() -> None:
    key = value("ZITADEL_MASTERKEY")
    assert len(key.encode()) == 32
    assert "development-only" in key


def test_the_administrators_token_is_requested_in_full_and_read_where_it_is_written() -> None:
    """ZITADEL creates a service account only if it has a user name, and a token only if it has a date."""
    machine = "ZITADEL_FIRSTINSTANCE_ORG_MACHINE_"
    assert all(value(f"{machine}{name}") for name in ("MACHINE_USERNAME", "MACHINE_NAME", "PAT_EXPIRATIONDATE"))
    path = value("ZITADEL_FIRSTINSTANCE_PATPATH")
    assert f"docker compose cp zitadel:{path} - | tar" in GUIDE
    assert f"- pat:{Path(path).parent}" in TEXT
