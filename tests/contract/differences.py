"""Cases on which `langgraph dev` answers otherwise, by the row of docs/compatibility.md with who is right."""

ROWS: dict[str, tuple[str, ...]] = {
    "an id that is no UUID": (
        "test_errors.py::test_an_id_that_is_none[POST-/threads/{}/runs/wait]",
        "test_errors.py::test_an_id_that_is_none[POST-/threads/{}/runs/stream]",
        "test_errors.py::test_an_id_that_is_none[POST-/threads/{}/copy]",
        "test_errors.py::test_a_search_that_cannot_be[{'ids': ['not-a-uuid']}]",
    ),
    "an `on_disconnect` that does not exist": (
        "test_errors.py::test_a_run_that_cannot_be[runs-an on_disconnect that is none]",
    ),
    "a cron without a schedule, or without an assistant": (
        "test_errors.py::test_a_cron_that_cannot_be[{'assistant_id': 'echo'}]",
        "test_errors.py::test_a_cron_that_cannot_be[{'schedule': '* * * * *'}]",
    ),
    "an answer to what was not asked": ("test_runs.py::test_an_answer_to_what_was_not_asked",),
    "an answer whose run is canceled": (
        "test_runs.py::test_an_answer_goes_with_the_run_that_is_canceled[interrupt]",
        "test_runs.py::test_an_answer_goes_with_the_run_that_is_canceled[rollback]",
    ),
    "ids of a stream's events": ("test_streams.py::test_each_event_has_an_id",),
    "`Last-Event-ID: 1-2-3`": ("test_streams.py::test_nothing_of_it[1-2-3]",),
    "following a thread that is not there": (
        "test_streams.py::test_a_thread_that_is_not_there_cannot_be_followed",
    ),
    "dates, times, durations, paths and patterns in a state": (
        "test_values.py::test_a_state_shows_it_as_a_stream_does",
    ),
    "a `Decimal` in a stream": ("test_values.py::test_a_price_keeps_its_places",),
    "PATCH or DELETE of the assistant that a graph has": (
        "test_assistants.py::test_the_assistant_of_a_graph_stays_as_it_is",
    ),
    "a search of threads without `sort_by`": (
        "test_threads.py::test_threads_are_found_by_the_time_of_their_making",
    ),
    "a search of threads with `ids: []`": ("test_threads.py::test_of_no_ids_no_thread_is_found",),
    "`before` of a history": ("test_threads.py::test_the_history_before_a_state",),
}
DIFFERENCES = {case: row for row, cases in ROWS.items() for case in cases}
