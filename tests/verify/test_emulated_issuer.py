"""The emulator as the ZITADEL of a run: where redirects lead; ``test_grades`` uses the rest."""

import time
from contextlib import closing

from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, Emulator, emulate
from zdemo.errors.response import Response
from zdemo.http.transport import Transport
from zdemo.verify.emulated_issuer import emulated_issuer
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH
from zdemo.zitadel.introspection_client import basic_credentials


def introspected(emulator: Emulator) -> Response:
    headers = {"Authorization": basic_credentials(CLIENT_ID, CLIENT_SECRET)}
    with closing(Transport(emulator.url, setting="")) as transport:
        return transport.send("POST", INTROSPECTION_PATH, timeout_seconds=5, headers=headers, form={"token": "a-token"})


def test_a_redirect_leads_elsewhere_with_method_and_body() -> None:
    with emulate() as emulator, emulated_issuer(emulator, PROJECT_ID) as issuer:
        started = time.time()
        with issuer.fault("redirect") as met:
            found = introspected(emulator)
            assert met() == issuer.introspections(started) == 1
        assert found.status == 307
        with closing(Transport(found.headers["location"], setting="")) as transport:
            transport.send("POST", "/", timeout_seconds=5, headers={"Authorization": "Basic abc"}, form={"token": "t"})
        assert [b"Basic abc" in request and b"token=t" in request for request in issuer.collected] == [True]
        assert introspected(emulator).status == 200
