"""The judge: it sees what is wrong."""

from dataclasses import replace
from pathlib import Path

from tests.chaos.truth import Step, disorder, miscounted, overlaps, percentile, read_notes

FIRST = Step("t", "r", 0, 0, 1, 7, start=100, end=200, whole=True)
SECOND = replace(FIRST, at=1, start=250, end=300)


def test_steps_one_after_the_other_are_right() -> None:
    assert overlaps([FIRST, SECOND], {}) == disorder([FIRST, SECOND]) == []


def test_two_steps_of_a_thread_at_once_are_seen() -> None:
    assert len(overlaps([FIRST, replace(SECOND, start=199)], {})) == 1
    assert overlaps([FIRST, replace(SECOND, start=199, thread_id="other")], {}) == []
    inside = replace(FIRST, end=400)
    assert len(overlaps([inside, SECOND, replace(SECOND, start=350, end=360)], {})) == 2


def test_a_step_that_was_cut_off_lasts_until_its_process_died() -> None:
    cut = replace(FIRST, end=None, whole=False)
    assert len(overlaps([cut, replace(SECOND, pid=8)], {7: 260})) == 1
    assert overlaps([cut, replace(SECOND, pid=8)], {7: 240}) == []


def test_a_run_before_an_earlier_one_is_seen() -> None:
    later = replace(FIRST, number=1, start=50, end=60)
    assert len(disorder([later, FIRST])) == 1
    assert disorder([FIRST, replace(FIRST, attempt=2)]) == [], "a step may be run again"


def test_notes_are_read(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text(
        "start t r 0 0 1 7 100\nstart t r 0 1 1 7 250\nend t r 0 0 1 7 200\ncut t r 0 1 1 7 300\n"
    )
    assert read_notes(notes) == [FIRST, replace(SECOND, whole=False)]
    assert read_notes(tmp_path / "none") == []


def test_events_that_are_lost_doubled_or_out_of_order_are_seen() -> None:
    assert miscounted([0, 1, 2], 3) == []
    assert miscounted([0, 2], 3) == ["1 events lost: [1]"]
    assert miscounted([], 2) == ["2 events lost: [0, 1]"]
    assert miscounted([0, 1, 1, 2], 3) == ["1 events doubled: [1]"]
    assert miscounted([0, 2, 1], 3) == ["events out of order"]
    assert miscounted([0, 1, 2, 0], 3) == ["1 events doubled: [0]"]


def test_percentiles() -> None:
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([1] * 99 + [9], 99) == 9
