"""What is taken for a secret without being known: in what people type, and in what a log shows."""

import pytest

from tests.support.secret_forms import PAT, SECRET, jwe
from zdemo.text.masking import could_be_secret, masked, masked_unknown, without_secret_query, without_tokens

JWT = "eyJhbGciOiJub25lIn0.eyJhIjoxfQ."
HEX = "9f86d081884c7d659a2feaa0c55ad015"
OF_OTHER_SERVERS = (
    "Cn9aRy7kQ2mZx8/Lp4Wd6TbVeHs5Gf3J/kQ2mZx8Lp4Wd6/TbVeHs5Gf3JCn9aRy7=",
    "abc.Cn9aRy7kQ2mZx8.Lp4Wd6TbVeHs5Gf3J.kQ2mZx8Lp4Wd6TbVeH",
    "Cn9aRy7kQ2mZx8Lp4Wd6TbVe",
)


@pytest.mark.parametrize(
    "text",
    [
        *(PAT, f'"{SECRET}"', JWT, jwe("PAT"), HEX, *OF_OTHER_SERVERS),
        *("p@ss#w0rd!?&=x", "MIIEowIBAAKCAQEAx7Kd2", "me@example.com:x", "p@ss", "/a?code=1", "two\nlines"),
        *(f"<{'abcdefgh' * 5}>", f"http://x.example/{PAT}", f"https://{OF_OTHER_SERVERS[1]}.example"),
    ],
)
def test_what_could_be_a_secret_is_not_repeated(text: str) -> None:
    assert could_be_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        *("scoped", "read:messages", "net.tls", "353545601679624705", "urn:zitadel:iam:org:projects:roles"),
        *("me@example.com", "root@localhost", "ada.l+1@zdemo.my-zitadel.example", "CamelCaseWords2"),
        *("http://localhost:8080", "https://my-instance-abc123.zitadel.cloud"),
        *("./a-long/folder-name/of-some/project-that-is-rather-old-by-now/.env", f"/srv/{HEX}/key.json"),
        "/users/550e8400-e29b-41d4-a716-446655440000/RoleAssignments",
    ],
)
def test_names_addresses_and_files_are_repeated(text: str) -> None:
    assert not could_be_secret(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"/a/{PAT}/b", f"/a/{masked(PAT)}/b"),
        (f"/{jwe('PAT')}/b", f"/{masked(jwe('PAT'))}/b"),
        (f"/srv/{HEX}/x", f"/srv/{masked(HEX)}/x"),
        (f"/a;token={SECRET};a=1", f"/a;token={masked(SECRET)};a=1"),
        ("/users/123456789012345678901234567890123456", None),
        ("/users/550e8400-e29b-41d4-a716-446655440000/RoleAssignments", None),
    ],
)
def test_a_log_shows_the_ends_of_what_could_be_a_token(text: str, expected: str | None) -> None:
    assert without_tokens(text) == (expected or text)


def test_of_a_long_text_only_what_is_shown_is_looked_at() -> None:
    """Else the time would grow with the square of the length."""
    assert without_tokens(f"/{'a1B2' * 10_000}WXYZ", 200) == "/a1B2…", "the end of the token was not read"
    assert (without_tokens("word " * 10_000, 8), len(without_tokens("word " * 10_000))) == ("word wor", 10_000)


@pytest.mark.parametrize("secret", [PAT, SECRET, jwe("PAT"), HEX, *OF_OTHER_SERVERS[1:]])
def test_no_start_of_a_token_is_left_where_a_text_is_cut(secret: str) -> None:
    for before in range(120):
        excerpt = without_tokens(f"/{HEX}/{'-' * before} {secret} {'words ' * 20}", 60)
        assert secret[:5] not in excerpt.replace("…", " "), excerpt


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/a?access_token=short&x=words", "/a?access_token=…&x=words"),
        ("http://x/?day=2026-01-02&n=7&q=W0rds", "http://x/?day=2026-01-02&n=7&q=…"),
        ("/a?token=aGVsbG8/d29ybGQr==&n=7", "/a?token=…&n=7"),
        ("/a", "/a"),
    ],
)
def test_of_a_query_words_numbers_and_dates_are_shown(address: str, expected: str) -> None:
    assert without_secret_query(address) == expected


def test_of_a_long_token_eight_characters_are_shown_at_most() -> None:
    assert masked("a" * 19) == "(too short to show a part of it)"
    assert masked("abcd" + "x" * 12 + "wxyz") == "abcd…wxyz"
    assert masked_unknown("abcd" + "x" * 23 + "wxyz") == masked("")
    assert masked_unknown("abcd" + "x" * 24 + "wxyz") == "abcd…wxyz"
