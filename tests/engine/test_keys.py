import uuid

import pytest

from holdfast.redis.keys import SLOTS, Keys, hash_slot, lane_tags
from holdfast.redis.thread_index import index_keys


def test_the_slot_of_a_tag_is_redis_own() -> None:
    assert hash_slot("123456789") == 12739  # the example of the Redis Cluster specification


@pytest.mark.parametrize("lanes", [1, 2, 3, 16, 64])
def test_lanes_spread_evenly_over_the_slots(lanes: int) -> None:
    shares = [hash_slot(tag) * lanes // SLOTS for tag in lane_tags(lanes)]
    assert shares == list(range(lanes))


def test_all_keys_of_a_thread_are_in_one_slot() -> None:
    keys = Keys("p", 16)
    thread_id = str(uuid.uuid4())
    built = [
        keys.thread(thread_id),
        keys.runs(thread_id),
        keys.run_order(thread_id),
        keys.queue(thread_id),
        keys.events(thread_id),
        keys.checkpoints(thread_id),
        keys.checkpoint_index(thread_id),
        keys.ready(keys.lane(thread_id)),
        *index_keys(keys, thread_id, "tenant"),
        keys.registry(keys.lane(thread_id)),
        keys.cancels(keys.lane(thread_id)),
    ]
    assert len({key[key.index("{") : key.index("}")] for key in built}) == 1
    assert len(set(built)) == len(built)


def test_names_of_people_cannot_leave_their_place_in_a_key() -> None:
    keys = Keys("p")
    assert keys.crons(0, "a", "b:c") != keys.crons(0, "a:b", "c")
    assert "}" not in keys.crons(0, "x}", "{y").split("}", 1)[1]
