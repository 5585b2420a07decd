"""How a command is loaded."""

import gc

from holdfast.cli.loading import SEARCH_AFTER, loading


def test_nothing_is_searched_for_garbage_while_it_is_loaded_and_afterward() -> None:
    before = gc.get_threshold()
    try:
        with loading():
            kept: list[list[int]] = [[] for _ in range(10_000)]
            assert gc.get_count()[0] > len(kept), "none of it was looked at"
        assert gc.isenabled()
        assert gc.get_freeze_count() > len(kept)
        assert gc.get_threshold() == SEARCH_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
