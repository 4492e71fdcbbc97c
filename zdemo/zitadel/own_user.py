"""The user of the client's own token: who it is, and what it may do, by userinfo and ZITADEL's v1 API.

Every function raises what ``ManagementClient.call`` raises.
"""

from contextlib import suppress

from zdemo.zitadel.management import ManagementClient, answered, management_error
from zdemo.zitadel.records import Administrator, Membership, User, read

USERINFO = "/oidc/v1/userinfo"
WHOAMI = "/auth/v1/users/me"
MY_PERMISSIONS = "/auth/v1/permissions/zitadel/me/_search"
MY_MEMBERSHIPS = "/auth/v1/memberships/me/_search"


def user_id_of_token(client: ManagementClient, token: str | None = None) -> str | None:
    """Return the ID of a token's user, the administrator's without ``token``; ``None`` when the token is dead."""
    answer = client.request("GET", USERINFO, token=token)
    if answer.status == 401 and answer.json_object():
        return None
    user_id = answer.json_object().get("sub")
    if answer.status != 200 or not isinstance(user_id, str) or not user_id:
        raise management_error(answer)
    return user_id


def whoami(client: ManagementClient) -> str:
    """Return the name of the token's user."""
    user = _own_user(client)
    return user.login_name or user.username


def _own_user(client: ManagementClient) -> User:
    return answered(client.request("GET", WHOAMI), lambda fields: read(User, fields["user"]))


def administrator(client: ManagementClient) -> Administrator:
    """Return the user of an administrator's token."""
    user, memberships = _own_user(client), list_memberships(client)
    return Administrator(
        id=user.id,
        login_name=user.login_name or user.username or user.id,
        organization_id=user.organization_id,
        roles=tuple(dict.fromkeys(role for m in memberships for role in m.roles)),
        organizations=tuple(m.organization_id for m in memberships if m.organization_id),
    )


def list_memberships(client: ManagementClient) -> tuple[Membership, ...]:
    """Return what the token's user is an administrator of; empty when ZITADEL does not say (that API is v1's)."""
    answer = client.request("POST", MY_MEMBERSHIPS, {})
    with suppress(ValueError, TypeError, AttributeError):
        return tuple(read(Membership, row) for row in answer.json_object().get("result") or ())
    return ()


def manager_roles(client: ManagementClient) -> tuple[str, ...]:
    """Return the roles that make the token's user an administrator, each once."""
    return tuple(dict.fromkeys(role for membership in list_memberships(client) for role in membership.roles))


def list_permissions(client: ManagementClient) -> frozenset[str] | None:
    """Return the permissions in the user's organization; ``None`` when ZITADEL does not say (that API is v1's)."""
    answer = client.request("POST", MY_PERMISSIONS, {})
    held = answer.json_object().get("result")
    return frozenset(map(str, held)) if answer.status == 200 and isinstance(held, list) else None
