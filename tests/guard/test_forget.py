"""Orders to forget: what they are, and what the cache drops."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.guard.test_cache import TOKEN, Setup, check_overtaken
from tests.support.introspector_doubles import ACTIVE, INACTIVE, PATIENCE_SECONDS, Hanging, Scripted
from tests.support.secret_forms import PAT, leak
from zdemo.guard.forget import Forget, hash_of
from zdemo.zitadel.introspection_answer import Introspection

EVERYTHING = Forget(everything=True)
ADA, BOB = Forget(user_id="1"), Forget(user_id="2")  # Ada is the subject of ACTIVE
OF_TOKEN, OF_ANOTHER = (Forget(token_hash=hash_of(text)) for text in (TOKEN, "another token"))


NO_ORDERS: list[dict[str, Any]] = [
    *({}, {"user_id": 1}, {"everything": False}, {"everything": True, "more": 1}),
    *({"token_hash": "not hexadecimal"}, {"token": TOKEN}),
]


class TestOrder:
    def test_a_token_in_the_place_of_a_user_id_is_not_in_the_words_for_the_log(self) -> None:
        assert not leak(Forget(user_id=PAT).outcome(0), PAT)
        assert Forget(user_id="353545601679690241").outcome(1) == "forgot 1 answer about user 353545601679690241"

    @pytest.mark.parametrize("order", [ADA, EVERYTHING, OF_TOKEN, Forget(token_hash=hash_of("\ud800"))])
    def test_an_order_survives_the_way_to_another_process_and_does_not_hold_the_token(self, order: Forget) -> None:
        sent = json.dumps(order.to_message())
        assert Forget.from_message(json.loads(sent)) == order
        assert TOKEN not in repr(order) + sent

    @pytest.mark.parametrize(
        "arguments", [{}, {"user_id": "1" * 201}, {"token_hash": b"short"}, {"user_id": "1", "everything": True}]
    )
    def test_an_order_names_exactly_one_thing(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"."):
            Forget(**arguments)

    @pytest.mark.parametrize("message", NO_ORDERS)
    def test_other_messages_are_not_orders(self, message: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"."):
            Forget.from_message(message)


class TestCache:
    @pytest.mark.parametrize(
        ("answer", "order", "dropped"),
        [
            *((ACTIVE, order, 1) for order in (ADA, EVERYTHING, OF_TOKEN)),
            (Introspection(active=True, claims={"username": "ada"}), Forget(user_id="ada"), 1),
            *((ACTIVE, order, 0) for order in (BOB, OF_ANOTHER)),
            # an inactive answer does not name a user
            *((INACTIVE, order, 1) for order in (ADA, BOB, EVERYTHING, OF_TOKEN)),
        ],
    )
    def test_an_order_drops_the_answers_that_it_names(self, answer: Introspection, order: Forget, dropped: int) -> None:
        setup = Setup(Scripted(answer))
        setup.cache.introspect(TOKEN)
        setup.zitadel.outcome = INACTIVE if answer is ACTIVE else ACTIVE
        assert setup.cache.forget(order) == dropped
        assert setup.cache.introspect(TOKEN) == (setup.zitadel.outcome if dropped else answer)

    @pytest.mark.parametrize("order", [ADA, BOB, EVERYTHING, OF_TOKEN])
    def test_an_answer_on_its_way_is_not_kept_and_not_joined(self, order: Forget) -> None:
        setup = Setup(Hanging())
        check_overtaken(setup, lambda: setup.cache.forget(order))

    def test_an_order_about_one_token_leaves_the_answers_about_others_on_their_way(self) -> None:
        setup = Setup(Hanging())
        with ThreadPoolExecutor(1) as crowd:
            asked = crowd.submit(setup.cache.introspect, TOKEN)
            call = setup.zitadel.call(0)
            setup.cache.forget(OF_ANOTHER)
            call.set_result(ACTIVE)
            asked.result(PATIENCE_SECONDS)
        assert setup.cache.remembered(TOKEN) == ACTIVE
