"""The catalogue of faults: a PAT at a protected resource, which admits only tokens that were issued for its project."""

from tests.catalogue.named_causes import both, call, introspect
from tests.support.cli import Shell, settings
from tests.support.planting import Planter
from zdemo.config.settings import Settings
from zdemo.emulator import PROJECT_ID, READER, VISITOR
from zdemo.server import create_app
from zdemo.serving.embedded import serving

OTHER = "312909075212468777"


def test_a_pat_is_named_by_all_commands_and_call_sends_an_issued_token(bare: Shell, planter: Planter) -> None:
    resource = {"ZITADEL_PROJECT_ID": PROJECT_ID, "ZDEMO_RESOURCE": "https://api.example.com"}
    env = settings(planter.url, **resource)
    for output in both(bare, env, "token.active"):
        output.names("is a PAT", "protected resource", "zdemo token").never("most likely")
    introspect(bare, env | {"ZITADEL_PROJECT_ID": OTHER}).names("ZITADEL_PROJECT_ID is another").never("is a PAT")
    with serving(create_app(Settings.from_env(env))) as port:
        env["ZDEMO_API_URL"] = f"http://127.0.0.1:{port}"
        account = {"ZDEMO_USER_CLIENT_ID": READER.username, "ZDEMO_USER_CLIENT_SECRET": READER.secret}
        sent = bare("call", "scoped", **env, **account)
        assert (sent.code, "from the service account" in sent.out) == (0, True), sent.all
        for more in ({}, {"ZDEMO_RESOURCE": ""}):  # also if only the API is known to be one
            output = call(bare, env | more, "scoped").names("401", "is a PAT", "zdemo token")
            assert ("most likely" in output.blamed) is bool(more)
            examined = bare("doctor", "--api", f"{env['ZDEMO_API_URL']}/api/private", "--json", **env | more)
            assert [check["finding"] for check in examined.document["checks"] if check["finding"]] == ["token.is_pat"]
        url, wrong = f"{env['ZDEMO_API_URL']}/api/private", {"ZDEMO_USER_CLIENT_SECRET": "x"}
        assert [bare("doctor", "--api", url, **env, **account | more).code for more in ({}, wrong)] == [0, 1]
        visitor = {"ZDEMO_VISITOR_PAT": VISITOR.pat}
        call(bare, env | account | visitor, "scoped", "--as", "visitor").names("ZDEMO_VISITOR_PAT", "is a PAT")
