"""Parts of tokens are found in texts, and what only resembles them is not."""

import pytest

from zdemo.verify.judgments.secrecy import leaks_in

TOKEN = "Zk3vQ9xT0bLw7RyHc2Nd5MfJs8GpUa1E"
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.{TOKEN}.{TOKEN[::-1]}"


@pytest.mark.parametrize(
    "text", [f"a {TOKEN} b", f"introspecting {TOKEN[:-4]}", f"x{TOKEN[6:26]}y", f"{JWT.partition('.')[2]}"]
)
def test_any_part_of_a_token_is_found(text: str) -> None:
    assert leaks_in(text, ["short", JWT], {}) == leaks_in(text, [TOKEN], {}) == ("a token",)


@pytest.mark.parametrize("text", ["", TOKEN[:19], f"{TOKEN[:12]} {TOKEN[13:]}", "=" * 60, f"{JWT.partition('.')[0]}"])
def test_what_only_resembles_a_token_is_none(text: str) -> None:
    assert leaks_in(text, [TOKEN, JWT, "=" * 40, "A" * 16_385], {}) == ()


def test_secrets_are_named() -> None:
    secret = {"the client secret": TOKEN[::-1]}
    assert leaks_in(f"basic {TOKEN[::-1]}", [TOKEN], secret) == ("the client secret",)
