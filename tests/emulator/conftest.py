"""What the contract tests are handed: the server, its administrator, and the objects that many tests only look at.

Objects of session scope are shared and never changed; a test that changes one makes its own.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from tests.support.emulator_target import DISCOVERY, Server, given_or_emulated
from tests.support.logins import add_administrator
from tests.support.oauth import GetToken, OAuth
from tests.support.workshop import KEY_APP, App, Fresh, Pat, Project, User, Workshop
from tests.support.zitadel_api import Api
from zdemo.emulator import Emulator


@pytest.fixture(scope="session")
def target(given_target: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
    with given_or_emulated(given_target) as target:
        yield target


@pytest.fixture(scope="session")
def emulator_only(given_target: tuple[str, str] | None) -> None:
    """Skips tests of what has not been seen on a real ZITADEL, or is the emulator's own."""
    if given_target is not None:
        pytest.skip("this is about the emulator")


@pytest.fixture(scope="session")
def server(target: tuple[str, str]) -> Iterator[Server]:
    with closing(Server(target[0])) as server:
        yield server


@pytest.fixture(scope="session")
def admin(server: Server, target: tuple[str, str]) -> Api:
    """The API as an IAM_OWNER calls it."""
    return Api(server, target[1])


@pytest.fixture(scope="session")
def oauth(server: Server, admin: Api) -> OAuth:
    return OAuth(server, admin)


@pytest.fixture(scope="session")
def issuer(server: Server) -> str:
    issuer: str = server.get(DISCOVERY).json()["issuer"]
    return issuer


@pytest.fixture(scope="session")
def workshop(admin: Api) -> Iterator[Workshop]:
    workshop = Workshop(admin)
    yield workshop
    assert workshop.remove_everything() == []


@pytest.fixture(scope="session")
def stranger(server: Server, visitor: User) -> Api:
    """The API as a user without any administrator role calls it."""
    return Api(server, visitor.pat)


@pytest.fixture(scope="session")
def owner(server: Server, workshop: Workshop) -> Api:
    """The API as an owner of the organization calls it."""
    return Api(server, workshop.administrator("ORG_OWNER").pat)


@pytest.fixture
def fresh(workshop: Workshop) -> Fresh:
    return Fresh(workshop)


@pytest.fixture(scope="session")
def project(workshop: Workshop) -> Project:
    """Defines the roles ``read:messages`` and ``admin``."""
    return workshop.project("read:messages", "admin")


@pytest.fixture(scope="session")
def app(workshop: Workshop, oauth: OAuth, project: Project, visitor: User) -> App:
    """API application of ``project`` with a secret."""
    return oauth.served(workshop.app(project), visitor.pat)


@pytest.fixture(scope="session")
def other_app(workshop: Workshop, oauth: OAuth, visitor: User) -> App:
    """API application of another project, which defines ``read:messages`` too."""
    return oauth.served(workshop.app(workshop.project("read:messages")), visitor.pat)


@pytest.fixture(scope="session")
def key_app(workshop: Workshop, project: Project) -> App:
    """API application of ``project`` that authenticates by private_key_jwt."""
    return workshop.app(project, apiConfiguration=KEY_APP)


@pytest.fixture(scope="session")
def visitor(workshop: Workshop, oauth: OAuth) -> User:
    """A service account without any role, in the administrator's organization."""
    user = workshop.user()
    oauth.login_name(user)
    return user


@pytest.fixture(scope="session")
def reader(workshop: Workshop, oauth: OAuth, app: App) -> User:
    """A service account with ``read:messages`` in ``project``."""
    user = workshop.user()
    workshop.grant(user, app.project, "read:messages")
    oauth.login_name(user)
    oauth.expect_roles(app, user.pat, "read:messages")
    return user


@pytest.fixture(scope="session")
def reader_secret(workshop: Workshop, reader: User) -> str:
    return workshop.secret(reader)


@pytest.fixture(scope="session")
def reader_token(oauth: OAuth, reader: User, reader_secret: str) -> GetToken:
    return partial(oauth.access_token, reader, reader_secret)


@pytest.fixture(scope="session")
def reader_login(oauth: OAuth, reader: User) -> str:
    return oauth.login_name(reader)


@pytest.fixture(scope="session")
def deleted_pat(workshop: Workshop, admin: Api, visitor: User) -> Pat:
    pat = workshop.pat(visitor.id)
    admin.users.RemovePersonalAccessToken(userId=visitor.id, tokenId=pat.id).has()
    return pat


@pytest.fixture
def near(own: Emulator) -> Iterator[Server]:
    """Requests to the test's own emulator."""
    with closing(Server(own.url)) as server:
        yield server


@pytest.fixture
def login(own: Emulator, near: Server) -> Api:
    """Its API as a login page calls it."""
    return Api(near, add_administrator(own, "IAM_LOGIN_CLIENT")[1])
