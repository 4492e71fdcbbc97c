"""What is hidden of a secret, form by form, and what is left alone."""

import json

import pytest

from tests.support.secret_forms import FORMS, ODD, PAT, SECRET, basic, jwe, leak
from zdemo.emulator import CLIENT_SECRET
from zdemo.text.masking import masked
from zdemo.text.redaction import Redaction, in_texts

WORDS = "correct horse/7"
HEX = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.mark.parametrize("secret", [PAT, jwe("PAT"), SECRET, ODD], ids=["PAT", "JWE", "secret", "odd"])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_secret_is_hidden(form: str, secret: str) -> None:
    redaction, text = Redaction(), f"it is {FORMS[form](secret)}, is it not"
    assert leak(text, secret), "this test would not notice"
    redaction.hide(secret)
    redacted = redaction(text)
    assert not leak(redacted, secret)
    assert (redacted.startswith("it is "), redacted.endswith(", is it not")) == (True, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a {PAT} b", f"a {masked(PAT)} b"),
        (f"HTTP://{PAT.lower()}/", f"HTTP://{masked(PAT)}/"),
        ("a shortsecret in-quotes-1 tiny", "a … … tiny"),
        ("a-password-of-26-characters", "…"),
        (f"{HEX[5:17]} of a key", "… of a key"),
        ("a correct%20horse%2F7 or correct+horse%2F7 b", "a … or … b"),
        (f"Basic {basic('a')(WORDS)}", "Basic YTp…w=="),
        (f"Basic {basic('ab')(WORDS)}", "Basic YWI6…c="),
        (f"Basic {basic('abc')(WORDS)}", "Basic YWJjOm…"),
        ('the "clientSecret" of the emulator, 353545601679493633', None),
        ("\u0130 promise", None),  # longer in small letters
        ("\\u0041" * 1000, None),
    ],
)
def test_the_ends_of_a_long_secret_words_and_ids_are_shown(text: str, expected: str | None) -> None:
    redaction = Redaction()
    redaction.hide(PAT, "shortsecret", " 'in-quotes-1' ", "tiny", "", "a-password-of-26-characters", HEX, CLIENT_SECRET)
    redaction.hide("353545601679624705", WORDS)
    assert redaction(text) == (text if expected is None else expected)


def test_only_the_secret_fields_of_a_key_file_are_hidden() -> None:
    redaction, key = Redaction(), SECRET * 3
    redaction.hide(
        f'{{"type":"application","key": "-----BEGIN RSA PRIVATE KEY-----\\n{key}","clientId":"3535456016796"}}'
    )
    assert redaction("application 3535456016796: created") == "application 3535456016796: created"
    assert not leak(redaction(f"the key {key[:64]} and {key[90:99]}"), SECRET)


@pytest.mark.parametrize(
    "text", ['{{"clientSecret":"12345678","accessToken":"{}"}}', '{{"key":"12345678\\"{}"}}', 'x"token":"12345678"{}']
)
def test_no_secret_beside_another_is_left_out(text: str) -> None:
    redaction = Redaction()
    redaction.hide(text.format(PAT))
    assert not leak(redaction(f"the token {PAT}"), PAT)


def test_a_document_stays_json_also_if_a_secret_looks_like_it() -> None:
    redaction = Redaction()
    redaction.hide('", "name": "', PAT)
    document = json.loads(f'{{"name": "x\\", \\"name\\": \\"y", "{PAT}": ["\\u0051{PAT[1:]}", 1, null]}}')
    assert in_texts(redaction, document) == {"name": 'x"… "y', masked(PAT): [masked(PAT), 1, None]}
    assert in_texts(str.upper, ("a", ["b", "c"]), most=1) == ["A"]
