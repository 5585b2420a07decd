"""What the parts of a process tell of their work. They are given a recorder and know nothing of metrics."""

from collections.abc import Callable


class Recorder:
    """Keeps nothing of what it is told: for who has not asked for metrics."""

    # runs
    def claimed(self, graph_id: str, waited_s: float | None) -> None:
        """A run was claimed; `waited_s` after it could have been, None when it was begun before."""

    def attempt_over(self, graph_id: str, ending: str) -> None:
        """An attempt is over: "ended", "released" or "lost"."""

    def run_ended(self, graph_id: str, status: str, took_s: float, first_token_s: float | None) -> None:
        """A run has its outcome; `took_s` since it was claimed, `first_token_s` since it was asked for."""

    def run_given_up(self, graph_id: str) -> None:
        """A run that has ended its workers is not tried again."""

    def lease_lost(self) -> None:
        """A claim ended before its run did."""

    def write_refused(self, script: str) -> None:
        """Redis refused a write whose writer had lost the thread."""

    def watch_worker(self, running: Callable[[], int], slots: int) -> None:
        """How many runs a worker has, and may have at once."""

    # people
    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered, `seconds` until the answer began."""

    def stream_began(self, seconds: float) -> None:
        """The first event of a new run's stream was sent, `seconds` after the request came."""

    def watch_streams(self, kind: str, count: Callable[[], int]) -> None:
        """How many streams of a kind are open."""

    def decided(self, outcome: str) -> None:
        """A request for approval has its decision."""

    def letter_tried(self, outcome: str) -> None:
        """A webhook was told, or not: "delivered", "retried" or "given_up"."""

    # Redis
    def redis_answered(self, seconds: float, commands: int) -> None:
        """Commands that went out together were answered."""

    def redis_failed(self, reason: str) -> None:
        """Redis could not carry out a command."""


SILENT = Recorder()
