"""Random requests: never a 5xx, and none admitted but by the rules, which are written down here once more.

The oracle shares nothing with the code under test: RFC 6750 §2.1 and RFC 9110 §11.1 as one regular expression.
"""

import re

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.apis import PRIVATE, Api
from tests.support.wire import request
from zdemo.emulator import READER, VISITOR

GOOD = b"Bearer " + READER.pat.encode()
PASSES = re.compile(rb"(?i:bearer) +(?:%s|%s)" % (READER.pat.encode(), VISITOR.pat.encode()))
FIELD_BYTES = st.integers(0, 255).filter(lambda byte: byte not in b"\r\n\0").map(lambda byte: bytes([byte]))
WORDS = st.sampled_from([b"Bearer", b"bearer", b"Basic", b" ", b"\t", b",", b"=", b'"', READER.pat.encode(), b"\xff"])
# the API is a fixture of the session: all examples share it on purpose
chance = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _mutated(text: bytes, parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return the text with up to three small changes."""

    def mutate(edits: list[tuple[int, int, bytes]]) -> bytes:
        out = text
        for at, lost, gained in edits:
            cut = at % (len(out) + 1)
            out = out[:cut] + gained + out[cut + lost :]
        return out

    edit = st.tuples(st.integers(0, 200), st.integers(0, 3), st.lists(parts, max_size=3).map(b"".join))
    return st.lists(edit, max_size=3).map(mutate)


VALUES = st.one_of(
    _mutated(GOOD, FIELD_BYTES), *(st.lists(parts, max_size=40).map(b"".join) for parts in (WORDS, FIELD_BYTES))
)


@chance
@given(values=st.lists(VALUES, max_size=2))
def test_any_authorization(values: list[bytes], api: Api) -> None:
    reply = api.send(request(PRIVATE, *[b"Authorization: " + value for value in values]))
    passes = len(values) == 1 and bool(PASSES.fullmatch(values[0].strip(b" \t")))  # blanks around (RFC 9110 §5.5)
    assert (reply.status == 200) == passes
    assert reply.status in {200, 400, 401}
