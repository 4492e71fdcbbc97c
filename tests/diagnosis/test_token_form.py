"""What the text of a token shows, and what may be pasted along with it."""

import base64

import pytest

from tests.diagnosis.test_inactive_token import ACCESS_TOKEN, PAT, jwt_of
from tests.support.secret_forms import jwe
from zdemo.diagnosis.token_form import TokenKind, paste_problem, token_form
from zdemo.errors.steps import in_words

INCOMPLETE = TokenKind.CUT, TokenKind.UNUSUAL  # the second may also be whole


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (jwt_of(), TokenKind.JWT),
        (PAT.replace("-", "~"), TokenKind.DAMAGED),
        (f"eyJ{PAT[3:]}", TokenKind.PAT),
        (jwe("code"), TokenKind.CODE),
        (jwe("PAT") * 2, TokenKind.DOUBLED),
        (jwe("PAT") + jwe("access token"), TokenKind.DOUBLED),
        (PAT + ACCESS_TOKEN, TokenKind.DOUBLED),
        (jwe("PAT").replace(".", "+.", 1), TokenKind.DAMAGED),
    ],
)
def test_the_form_tells_the_kind(token: str, kind: TokenKind) -> None:
    """Other kinds are in ``test_inactive_token.py``, with their findings."""
    form = token_form(token)
    assert (form.kind, form.problem, form.sendable) == (kind, None, True)
    assert paste_problem(token) is None


@pytest.mark.parametrize("token", [jwe("PAT"), jwe("access token"), PAT, ACCESS_TOKEN])
def test_what_is_cut_at_either_end_is_incomplete(token: str) -> None:
    """Not seen: a piece without a dot that is as long as another kind of token, or too short to tell anything."""
    for size in range(24, len(token)):
        for piece in {token[:size], token[-size:]}:
            form = token_form(piece)
            plain = "." not in piece and not piece.startswith("eyJ")
            hidden = plain and (size in (64, 71, 78) or not 48 <= size < 71)
            assert hidden or form.kind in INCOMPLETE, piece
            assert hidden or "cut off" in form.described


@pytest.mark.parametrize("token", [jwe("PAT"), jwe("access token"), PAT, ACCESS_TOKEN])
def test_a_changed_character_makes_no_piece_of_a_token(token: str) -> None:
    whole = token_form(token).kind
    for at in range(len(token)):
        for character in "x" + "." * token.count("."):
            changed = token[:at] + character + token[at + 1 :]
            assert token_form(changed).kind in (whole, TokenKind.CHANGED, TokenKind.ACCESS), (at, character)


@pytest.mark.parametrize("kind", ["PAT", "access token"])
@pytest.mark.parametrize("missing", [1, 2, 3, 20])
def test_a_jwe_that_lost_a_piece_inside_is_incomplete(kind: str, missing: int) -> None:
    token = jwe(kind)
    for at in range(3, len(token) - missing):
        assert token_form(token[:at] + token[at + missing :]).kind in INCOMPLETE, at


@pytest.mark.parametrize(
    ("token", "described"),
    [
        (jwe("PAT")[:-1], "276 characters: a token that was cut off; a PAT usually has 277"),
        (jwe("PAT", id_length=5), "a user whose ID was chosen by hand"),
        (".".join(jwt_of().split(".")[:2]), "a token that was cut off"),
        (jwt_of()[3:], "not a token of ZITADEL"),
        (jwt_of()[:-1], "its signature has 341 of 342 characters"),
        (jwt_of() + "c2" * 80, "its signature has 502 of 512"),
    ],
)
def test_what_is_missing_is_said(token: str, described: str) -> None:
    assert described in token_form(token).described


@pytest.mark.parametrize(
    ("token", "named"),
    [
        (f"Authorization: Bearer {PAT}", 'has "Bearer" in front of it'),
        (f"bearer{PAT}", 'has "bearer" in front of it'),
        (f"export PAT={PAT}", "its variable's name"),
        (f"{PAT}\\n", "a backslash inside"),
        (f'"{PAT}"', "quotes"),
        (f"\u201c{PAT}\u201d", "curly quotes"),
        (f"%2B{PAT}", "encoded for a URL"),
        (f" {PAT}", "a space in front"),
        (f"{PAT} ", "a space at the end"),
        (f"{PAT[:30]} {PAT[30:]}", "a space inside"),
        (f"{PAT[:30]}\n{PAT[30:]}", "a line end inside"),
        (f"{PAT}=", '"=" at the end'),
        (f"<{PAT}>", 'has "<" in front of it'),
        (f"312909075212468231:{PAT}", 'has an ID and ":" in front of it'),
        (f"{PAT}\u200b", "U+200B"),
        (f"{PAT}\xe9", "U+00E9"),
        (f"{PAT[:4]}\u2026{PAT[-4:]}", "shortened"),
        (f'{{"error":"x","id":"{PAT}"}}', "JSON instead of the value alone"),
        (f"%2B{PAT}%", "encoded for a URL"),
        (f"-----BEGIN RSA PRIVATE KEY-----\n{PAT}", "a key or a certificate"),
        (f"http://localhost/#access_token={PAT}", "is an address"),
        ("op://vault/item/token", "is an address, such as that of a secret store"),
    ],
)
def test_what_a_paste_left_is_named(token: str, named: str) -> None:
    finding = paste_problem(token)
    assert finding is not None
    assert finding.id == "token.pasted"
    assert named in finding.cause
    assert "token alone" in " ".join(map(in_words, finding.fix))
    assert PAT not in str(finding)


@pytest.mark.parametrize(
    ("token", "cause", "fix"),
    [
        (f"{PAT}%", 'has "%" at the end', "leave out the %"),
        (f"# mine\nPAT={PAT}\n", "is a whole .env", "leave out --pat"),
        ("$PAT", "is the name of a variable", "put the value itself there"),
        *((path, "is the path of a file", "end the line with --pat - < FILE") for path in ("./a", "@a", "a.txt")),
        (f'{{"access_token":"{PAT}"}}', "is a whole JSON answer instead of its access_token", "jq -r .access_token"),
        (
            f'{{\n  "id_token": "x.y.z", "access_token" : "{PAT}"}}',
            "instead of its access_token",
            "jq -r .access_token",
        ),
        (f'{{"tokenId":"1","token":"{PAT}"}}', "instead of its token", "jq -r .token"),
    ],
)
def test_what_surrounds_a_token_has_a_fix_of_its_own(token: str, cause: str, fix: str) -> None:
    finding = paste_problem(token)
    assert finding is not None
    assert cause in finding.cause
    assert in_words(finding.fix[0]).startswith(fix) or in_words(finding.fix[0]).endswith(fix)
    assert PAT not in str(finding)


@pytest.mark.parametrize("token", [PAT, ACCESS_TOKEN, PAT + "\n", jwt_of()])
@pytest.mark.parametrize("padded", [True, False])
def test_base64_of_a_token_is_to_be_decoded(token: str, padded: bool) -> None:
    text = base64.b64encode(token.encode()).decode()
    finding = paste_problem(text if padded else text.rstrip("="))
    assert finding is not None
    assert "base64" in finding.cause
    assert in_words(finding.fix[0]).endswith("base64 -d")
    pair = paste_problem(base64.b64encode(b"312909075212468231:" + text.encode()).decode())  # as in Basic
    assert pair is not None
    assert "or a PAT" in str(pair.fix), "what follows the colon is no token"


@pytest.mark.parametrize(
    ("token", "blanks", "kind"),
    [
        (PAT, "\r\n", TokenKind.PAT),
        (PAT, " ", TokenKind.DAMAGED),
        (jwe("PAT"), "\r\n", TokenKind.PAT),
        (jwe("access token"), "\n    ", TokenKind.ACCESS),
        (jwe("PAT"), "\u00a0", TokenKind.PAT),
    ],
)
def test_what_zitadel_ignores_does_not_change_the_kind(token: str, blanks: str, kind: TokenKind) -> None:
    form = token_form(f"{token[:30]}{blanks}{token[30:60]}{blanks}{token[60:]}")
    assert (form.kind, form.sendable) == (kind, False)
    assert "inside" in str(form.problem)
