"""IDs as ZITADEL makes them."""

from zdemo.emulator.entities import IdGenerator


def test_ids_rise_while_the_clock_stands_still_and_two_generators_share_none() -> None:
    one, other = (IdGenerator(lambda: 1_800_000_000.0) for _ in range(2))
    first = [int(one.new_id()) for _ in range(600)]
    assert first == sorted(set(first))
    assert set(first).isdisjoint(int(other.new_id()) for _ in range(600))
