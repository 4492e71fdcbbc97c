"""The unchanged client of zitadel-go, in the version from which the table of messages was written."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.processes import run_online
from zdemo.emulator import ADMIN, emulate
from zdemo.emulator.messages.table import TABLE

EXPECTED = """OK zdemo-admin []
OK Administrator []
NotFound User could not be found (QUERY-Dfbg2) [id:"QUERY-Dfbg2" message:"User could not be found"]
Unimplemented unknown method GetOIDCInformation for service zitadel.management.v1.ManagementService []
"""


@pytest.mark.thorough
@pytest.mark.usefixtures("emulator_only")
def test_the_client_of_zitadel_go_works(tmp_path: Path) -> None:
    if not shutil.which("go"):
        pytest.skip("Go is not installed")
    _, _, module, version, *_ = TABLE.read_text(encoding="utf-8").split()
    shutil.copy(Path(__file__).with_name("client.go"), tmp_path)
    (tmp_path / "go.mod").write_text(f"module client\n\ngo 1.25.0\n\nrequire {module} {version}\n")
    run_online("go", "mod", "tidy", folder=tmp_path)
    run_online("go", "build", "-o", "client", ".", folder=tmp_path)
    with emulate() as emulator:
        out = run_online(tmp_path / "client", str(emulator.port), ADMIN.pat)
    assert re.sub(" +", " ", out) == EXPECTED  # protobuf varies the number of spaces
