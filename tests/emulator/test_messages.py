"""The table of ZITADEL's messages: what it has, the rules that come from it, and how answers are held against it."""

import ast
import re
import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.emulator_target import NOBODY, Server
from tests.support.processes import run_online
from tests.support.strict import deviation, hold
from tests.support.workshop import Project, Workshop
from tests.support.zitadel_api import Api, only
from zdemo.emulator import ADMIN, User
from zdemo.emulator.api import SERVICES, authorizations
from zdemo.emulator.api.fields import InvalidError, Message, attributes, camel, message_of
from zdemo.emulator.api.lists import Listing
from zdemo.emulator.messages.table import TABLE, field_rows, method_row, words_of

NAMES = [line.partition(" ")[0] for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
HANDLERS, PLUMBING = Path(authorizations.__file__).parent, ("fields", "lists", "protocols")
METHODS = {method.name: method for service in SERVICES.values() for method in service.methods.values()}
LISTS = {
    name: listing for name, m in METHODS.items() if isinstance(listing := getattr(m.answer, "__self__", 0), Listing)
}
USER, MANAGEMENT, EVENTS = "zitadel.user.v2", "zitadel.management.v1", "zitadel.admin.v1.ListEvents"
CREATE, ADD = f"{USER}.CreateUser", "zitadel.internal_permission.v2.CreateAdministrator"
LENGTH, DEFINED = "value length must be", "value must be one of the defined enum values"
RANGE = "value must be inside range [0s, 5s]"
HALF, CLOCK = "1970-01-01T00:00:01.500Z", "zitadel.application.v2.OIDCConfiguration"
BYTES, JWT = {"value": "//4=", "changeDate": HALF}, {"accessTokenType": "ACCESS_TOKEN_TYPE_JWT"}


def test_the_table_has_all_that_its_methods_need_and_nothing_else() -> None:
    methods = [name for name in NAMES if "/" in name]
    assert METHODS.keys() <= {*methods}
    new = {message for name in methods for message in method_row(name)[:2]}
    known = {*methods}
    while new:
        known |= new
        new = {row.type for name in new if not words_of(name) for row in field_rows(name)} - known
        new = {name for name in new if name.startswith("zitadel.")}
    assert known == {*NAMES}


def test_each_name_in_an_answer_is_that_of_a_field() -> None:
    """A name that no message has would be left out of the answer without a word."""
    known = {camel(row.name) for name in NAMES if "/" not in name and not words_of(name) for row in field_rows(name)}
    texts = [path.read_text("utf-8") for path in HANDLERS.rglob("*.py") if path.stem not in PLUMBING]
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        match node:
            case ast.Dict():
                names = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            case ast.Call(func=ast.Name("row_of") | ast.Attribute(attr="row_of")):
                names = {keyword.arg for keyword in node.keywords}
            case _:
                continue
        wrong = {str(name) for name in names - known if re.fullmatch("[a-z]+([A-Z][a-z]+)*", str(name))}
        assert wrong <= {"unspecified", "expiration"}, f"{wrong} in {ast.unparse(node)}"  # of OAuth, and of events


INSTANCE = {"userId": "1", "roles": ["A"], "resource": {"instance": True}}
HOME, APP = {"organizationId": "1"}, {"projectId": "1", "appId": "2"}
LARGE = {"userId": "1", "metadata": [{"key": "k", "value": "AAAA" * 166667}]}
SAML = {"metadataUrl": "https://saml.example"}
EMBEDDED = "embedded message failed validation | caused by: invalid"


@pytest.mark.parametrize(
    ("message", "body", "refusal"),
    [
        ("zitadel.oidc.v2.GetDeviceAuthorizationRequest", {"userCode": "ABCD"}, f".UserCode: {LENGTH} 9 runes"),
        (EVENTS, {"editorUserId": "x" * 201}, f".EditorUserId: {LENGTH} between 0 and 200 runes, inclusive"),
        (EVENTS, {"eventTypes": ["x"] * 31}, ".EventTypes: value must contain no more than 30 item(s)"),
        (f"{MANAGEMENT}.GenerateMachineSecret", {}, f".UserId: {LENGTH} at least 1 runes"),
        (f"{MANAGEMENT}.AddAppKey", APP, ".Type: value must not be in list [KEY_TYPE_UNSPECIFIED]"),
        (f"{USER}.SetUserMetadata", LARGE, f".Metadata[0]: {EMBEDDED} Metadata.Value: {LENGTH} at most 500000 bytes"),
        (CREATE, HOME | {"username": ""}, f".Username: {LENGTH} between 1 and 200 runes, inclusive"),
        (CREATE, HOME | {"human": {}}, f".Human: {EMBEDDED} CreateUserRequest_Human.Profile: value is required"),
        (CREATE, HOME, ".UserType: value is required"),
        (
            CREATE,
            HOME | {"machine": {"name": "M", "accessTokenType": 7}},
            f".Machine: {EMBEDDED} CreateUserRequest_Machine.AccessTokenType: {DEFINED}",
        ),
        (ADD, INSTANCE | {"roles": ["A", "B", "A"]}, ".Roles[2]: repeated value must contain unique items"),
        (
            ADD,
            INSTANCE | {"resource": {"instance": False}},
            f".Resource: {EMBEDDED} ResourceType.Instance: value must equal true",
        ),
        (
            "zitadel.application.v2.CreateApplication",
            {"projectId": "1", "name": "x", "oidcConfiguration": {"clockSkew": "6s"}},
            f".OidcConfiguration: {EMBEDDED} CreateOIDCApplicationRequest.ClockSkew: {RANGE}",
        ),
        (ADD, INSTANCE, ""),
        (CREATE, HOME | {"machine": {"name": "M", "accessTokenType": 1}}, ""),
    ],
)
def test_a_request_is_held_against_the_rules_of_its_fields(message: str, body: dict[str, Any], refusal: str) -> None:
    request, answer = Message(f"{message}Request"), ""
    try:
        request.check(request.read(body))
    except InvalidError as error:
        answer = str(error)
    assert answer == (refusal and f"invalid {message.rpartition('.')[2]}Request{refusal}")


@pytest.mark.parametrize("name", LISTS)
def test_each_filter_of_a_list_is_one_of_zitadels(name: str) -> None:
    fields = message_of(METHODS[name].row.request).fields
    kind = fields["queries" if "queries" in fields else "filters"].row.type
    assert LISTS[name].filters.keys() <= Message(kind).fields.keys()


@pytest.mark.parametrize(
    ("message", "values", "answer"),
    [
        ("zitadel.object.v2.Details", {"sequence": 5, "changeDate": 1.5}, {"sequence": "5", "changeDate": HALF}),
        ("zitadel.metadata.v2.Metadata", {"key": "", "value": b"\xff\xfe", "changeDate": HALF}, BYTES),
        (f"{USER}.MachineUser", {"hasSecret": False, "accessTokenType": "ACCESS_TOKEN_TYPE_BEARER"}, {}),
        (f"{USER}.MachineUser", {"name": None, "isPhoneVerified": True, "accessTokenType": "JWT"}, JWT),
        (f"{USER}.HumanProfile", {"givenName": "", "nickName": ""}, {"nickName": ""}),  # which can be absent
        ("zitadel.session.v2.Session", {"metadata": {"k": b""}, "id": "1"}, {"metadata": {"k": ""}, "id": "1"}),
        (CLOCK, {"clockSkew": 0.5, "redirectUris": []}, {"clockSkew": "0.500s"}),
    ],
)
def test_the_values_of_an_answer_get_the_forms_of_json(
    message: str, values: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert Message(message).show(values) == answer
    assert not deviation(message, answer)


def test_rows_show_no_secret_attributes() -> None:
    user = User(
        id="1", created=0.0, organization_id="2", username="u", machine=True, name="U", secret="S", password="P"
    )
    row = attributes(user)
    assert (row["organizationId"], row["creationDate"]) == ("2", 0.0)
    assert "S" not in row.values()


@pytest.mark.usefixtures("emulator_only")
def test_what_only_zitadel_can_do_is_unimplemented_and_named(admin: Api, project: Project) -> None:
    grant = {"projectId": project.id, "organizationId": NOBODY}
    for what, answer in {
        "the filter projectGrantId": admin.authorizations.ListAuthorizations(filters=[{"projectGrantId": {"id": "1"}}]),
        "the filter nickNameQuery": admin.users.ListUsers(queries=[{"nickNameQuery": {"nickName": "N"}}]),
        "SAML applications": admin.apps.CreateApplication(projectId=project.id, name="S", samlConfiguration=SAML),
        "administrators of project grants": admin.administrators.CreateAdministrator(
            resource={"projectGrant": grant}, userId=NOBODY
        ),
    }.items():
        answer.refused(501, f"the zdemo emulator does not support {what}")


@pytest.mark.parametrize(
    ("path", "user", "text"),
    [
        ("/zitadel.user.v2.UserService/GetUserByID", '{"userName": "u"}', 'no field named "userName"'),
        ("/v2/users/5", '{"human": {}, "machine": {}}', "should not have multiple"),
        ("/v2/users/5?x=y", '{"details": {"sequence": 1}}', "{'sequence': 1}}} instead of"),
    ],
)
def test_an_answer_that_protobuf_does_not_write_fails_the_test_that_asked(path: str, user: str, text: str) -> None:
    response = requests.Response()
    response.request = requests.Request("GET" if "v2/" in path else "POST", f"http://localhost{path}").prepare()
    response.status_code, response.raw = 200, BytesIO(f'{{"user": {user}}}'.encode())
    with pytest.raises(AssertionError, match=text):
        hold(response)


def test_answers_that_no_other_test_sees_are_held_against_the_table_too(admin: Api, workshop: Workshop) -> None:
    project, organization = workshop.project("read"), workshop.organization()
    grant = {"projectId": project.id, "grantedOrganizationId": organization.id}
    admin.projects.UpdateProjectRole(projectId=project.id, roleKey="read", displayName="R").only("changeDate")
    admin.projects.CreateProjectGrant(**grant).only("creationDate")
    admin.projects.UpdateProjectGrant(**grant, roleKeys=["read"]).only("changeDate")
    for verb in ("Deactivate", "Activate"):
        admin.ask(f"ProjectService/{verb}ProjectGrant", **grant).only("changeDate")
    filters = [{"inProjectIdsFilter": {"ids": [project.id]}}]
    admin.projects.ListProjectGrants(filters=filters).has(projectGrants=[{"grantedRoleKeys": ["read"]}])
    admin.rest("GET", "/v2/settings").has("defaultOrgId")


def test_features_that_are_not_switches_are_ignored(near: Server) -> None:
    features = Api(near, ADMIN.pat).features
    features.SetInstanceFeatures(userSchema=True, loginV2={"required": True}).only("details")
    features.GetInstanceFeatures().has(userSchema={"enabled": True, "source": "SOURCE_INSTANCE"}, loginV2=only())


@pytest.mark.thorough
def test_the_script_writes_the_same_table_from_the_go_module(tmp_path: Path) -> None:
    if not shutil.which("go"):
        pytest.skip("there is no Go")
    version = TABLE.read_text(encoding="utf-8").split()[3]
    run_online(sys.executable, "-m", "tools.zitadel_messages", version, str(tmp_path / "table.txt"))
    assert (tmp_path / "table.txt").read_bytes() == TABLE.read_bytes()
