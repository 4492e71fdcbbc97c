"""compose.yaml, as far as it can be checked without a Docker engine, and the guide that explains it."""

import re
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # it has no types

from tests.support.processes import ROOT

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", TEXT))["services"]  # with the defaults of variables
ZITADEL = SERVICES["zitadel"]["environment"]
GUIDE = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
WITH_SECURITY_FIXES = (4, 15, 2)


def test_the_images_are_pinned_and_the_guide_names_the_version_that_is_started() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    version = images["zitadel"].removeprefix("ghcr.io/zitadel/zitadel:v")
    assert tuple(map(int, version.split("."))) >= WITH_SECURITY_FIXES
    assert f"v{version}" in GUIDE
    assert (images["redis"][:7], images["db"][:11]) == ("redis:7", "postgres:17")


def test_the_port_is_published_on_loopback_and_is_the_one_that_zitadel_knows() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8080:8080", "127.0.0.1:6379:6379"]
    assert (ZITADEL["ZITADEL_EXTERNALDOMAIN"], ZITADEL["ZITADEL_EXTERNALPORT"]) == ("localhost", "8080")


def test_the_master_key_is_32_bytes_and_says_what_it_is_for() -> None:
    key = ZITADEL["ZITADEL_MASTERKEY"]
    assert (len(key.encode()), "development-only" in key) == (32, True)


def test_the_administrators_token_is_requested_in_full_and_read_where_it_is_written() -> None:
    """ZITADEL creates a service account only if it has a user name, and a token only if it has a date."""
    machine = "ZITADEL_FIRSTINSTANCE_ORG_MACHINE_"
    assert all(ZITADEL[f"{machine}{name}"] for name in ("MACHINE_USERNAME", "MACHINE_NAME", "PAT_EXPIRATIONDATE"))
    path = ZITADEL["ZITADEL_FIRSTINSTANCE_PATPATH"]
    assert f"docker compose cp zitadel:{path} - | tar" in GUIDE
    assert f"pat:{Path(path).parent}" in SERVICES["zitadel"]["volumes"]
