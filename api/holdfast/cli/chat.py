"""`holdfast chat`: a conversation in the terminal, with any server that the official SDK can talk to."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import orjson
from langgraph_sdk.client import SyncLangGraphClient
from langgraph_sdk.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)
from langgraph_sdk.schema import RunCreateMetadata, StreamPart

from holdfast.cli.chat_answers import Answers, Message
from holdfast.cli.chat_memory import recall, remember
from holdfast.cli.chat_questions import Question, Said, ask, waiting
from holdfast.cli.chat_screen import Screen, terminal
from holdfast.errors import StartError

# Of an older conversation, this many messages are shown.
HISTORY = 20

# As the SDK's own client, but a server that is not there is told at once and not after five tries.
TIMEOUT = httpx.Timeout(connect=5, read=300, write=300, pool=5)


def chat(url: str, assistant: str | None, thread: str | None, *, new: bool, token: str | None) -> None:
    """Talks until the input ends. Raises `StartError` when the conversation cannot begin."""
    if thread and new:
        raise StartError("--thread continues a conversation and --new begins one: choose one of them.")
    screen, person = terminal()
    converse(screen, url.rstrip("/"), assistant, thread, new=new, token=token, person=person)


def converse(
    screen: Screen,
    url: str,
    assistant: str | None = None,
    thread: str | None = None,
    *,
    new: bool = False,
    token: str | None = None,
    person: bool = False,
) -> None:
    with connected(url, token) as client:
        with explained(url):
            assistant_id, name = find_assistant(client, assistant)
            thread_id = None if new else find_thread(client, thread, recall(url))
        screen.hint(f"{name} at {url}" + (". Ctrl-C stops an answer, Ctrl-D leaves." if person else ""))
        conversation = Conversation(client, url, assistant_id, thread_id, screen, patient=person)
        with suppress(EOFError), explained(url):
            conversation.open()
            conversation.talk()


@contextmanager
def connected(url: str, token: str | None) -> Iterator[SyncLangGraphClient]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, transport=httpx.HTTPTransport())
    except (httpx.InvalidURL, UnicodeError) as error:
        raise StartError(f"{url!r} or the token cannot be used: {error}.") from error
    with SyncLangGraphClient(http) as client:
        yield client


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what goes wrong between us and the server into one sentence."""
    try:
        yield
    except httpx.UnsupportedProtocol as error:
        raise StartError(f"{url} is not an address: give one such as http://127.0.0.1:8123.") from error
    except httpx.TransportError as error:
        raise StartError(
            f"No server answers at {url}: start one with `holdfast dev`, or name another with --url."
        ) from error
    except (AuthenticationError, PermissionDeniedError) as error:
        raise StartError(
            f"{url} does not let you in ({error.message.rstrip('.')}): pass a valid token with --token or "
            "CHAT_TOKEN."
        ) from error
    except APIStatusError as error:
        raise StartError(f"{url} answers {error.status_code}: {error.message}") from error
    except orjson.JSONDecodeError as error:
        raise StartError(f"What answers at {url} is no agent server: name one with --url.") from error


def find_assistant(client: SyncLangGraphClient, wanted: str | None) -> tuple[str, str]:
    """The id and the name of an assistant, given by id, graph or name; the server's first when none is.

    Those that were there first are the graphs' own.
    """
    oldest = client.assistants.search(limit=1000, sort_by="created_at", sort_order="asc")
    found = [dict(one) for one in oldest]
    for key in ("assistant_id", "graph_id", "name"):
        for one in found:
            if wanted in (None, one.get(key)):
                return str(one["assistant_id"]), str(one.get("name") or one["graph_id"])
    names = ", ".join(sorted({str(one["graph_id"]) for one in found})) or "none"
    raise StartError(f"There is no assistant {wanted!r} on this server: it has {names}.")


def find_thread(client: SyncLangGraphClient, wanted: str | None, last: str | None) -> str | None:
    """The thread to go on with; the last one may be gone, or another caller's."""
    thread_id = wanted or last
    if thread_id is None:
        return None
    try:
        client.threads.get(thread_id)
    except (NotFoundError, UnprocessableEntityError) as error:
        if wanted:
            raise StartError(f"Thread {wanted} cannot be continued: {error.message}") from error
        return None
    return thread_id


class Conversation:
    """One thread, talked in from here. A `patient` one outlives a server that is away for a while."""

    def __init__(
        self,
        client: SyncLangGraphClient,
        url: str,
        assistant_id: str,
        thread_id: str | None,
        screen: Screen,
        *,
        patient: bool = False,
    ) -> None:
        self._client = client
        self._url = url
        self._assistant_id = assistant_id
        self._thread_id = thread_id
        self._screen = screen
        self._patient = patient
        self._answers = Answers(screen)
        self._questions: list[Question] = []
        self._run_id: str | None = None

    def open(self) -> None:
        """Shows what was said so far, follows a run that is going on, and asks what waits."""
        if self._thread_id is None:
            return
        self._remember(self._thread_id)
        self._screen.hint(f"thread {self._thread_id} goes on")
        messages = self._look(self._thread_id)
        earlier, last = messages[:-HISTORY], messages[-HISTORY:]
        if earlier:
            self._screen.hint(f"({len(earlier)} earlier messages)")
        self._answers.mark(earlier)
        self._answers.history(last)
        for run_id in self._active(self._thread_id):
            self._join(self._thread_id, run_id)
        self._ask_all()

    def talk(self) -> None:
        """Reads lines and answers them; ended by EOFError. An empty line asks again what waits."""
        while True:
            text = self._screen.ask("> ")
            with self._surviving():
                if text:
                    self._say(text)
                self._ask_all()

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Whatever a turn runs into, the conversation goes on after it."""
        try:
            yield
        except APIStatusError as error:
            self._screen.problem(error.message)
        except httpx.TransportError:
            if not self._patient:
                raise
            self._screen.problem(f"No server answers at {self._url}: try again when it is back.")

    # what waits

    def _ask_all(self) -> None:
        """Asks one question after the other, until each was answered or left."""
        left: set[str] = set()
        while question := next((one for one in self._questions if one.key not in left), None):
            outcome = ask(self._screen, question)
            if outcome is None:
                left.add(question.key)
            elif isinstance(outcome, Said):
                self._say(outcome.text)
            elif not self._answer(question, outcome.resume):
                left.add(question.key)

    def _answer(self, question: Question, resume: Any) -> bool:
        """False when this is not for the person here to answer. What is refused otherwise is asked again."""
        try:
            self._run(command={"resume": {question.interrupt_id: resume}})
        except (BadRequestError, ConflictError, PermissionDeniedError, UnprocessableEntityError) as error:
            self._screen.problem(error.message)
            self._look(self._thread())
            return not isinstance(error, PermissionDeniedError)
        return True

    # runs

    def _say(self, text: str) -> None:
        self._run(input={"messages": [{"role": "user", "content": text}]})

    def _run(self, **what: Any) -> None:
        thread_id = self._thread()
        self._run_id = None
        parts = self._client.runs.stream(
            thread_id,
            self._assistant_id,
            stream_mode=["messages-tuple"],
            stream_subgraphs=True,
            stream_resumable=True,
            on_run_created=self._created,
            **what,
        )
        self._follow(thread_id, parts)

    def _created(self, run: RunCreateMetadata) -> None:
        self._run_id = run["run_id"]

    def _join(self, thread_id: str, run_id: str) -> None:
        self._run_id = run_id
        parts = self._client.runs.join_stream(
            thread_id, run_id, stream_mode=["messages-tuple"], last_event_id="0"
        )
        self._follow(thread_id, parts)

    def _follow(self, thread_id: str, parts: Iterator[StreamPart]) -> None:
        try:
            for part in parts:
                self._answers.take(part.event, part.data)
        except KeyboardInterrupt:
            self._answers.end()
            self._cancel(thread_id)
        finally:
            self._answers.end()
        self._answers.catch_up(self._look(thread_id))

    def _cancel(self, thread_id: str) -> None:
        """Ctrl-C may come before the server has said which run it made."""
        for run_id in [self._run_id] if self._run_id else self._active(thread_id):
            with suppress(NotFoundError, ConflictError):  # it ended just now
                self._client.runs.cancel(thread_id, run_id, wait=True)
        self._screen.hint("(stopped)")

    # the thread

    def _thread(self) -> str:
        """The thread, made when there is something to say in it."""
        if self._thread_id is None:
            self._thread_id = self._client.threads.create()["thread_id"]
            self._remember(self._thread_id)
        return self._thread_id

    def _remember(self, thread_id: str) -> None:
        try:
            remember(self._url, thread_id)
        except OSError as error:
            self._screen.hint(f"(the thread {thread_id} is not remembered: {error.strerror})")

    def _look(self, thread_id: str) -> list[Message]:
        """Notes what waits, and gives the messages of the thread."""
        state = self._client.threads.get_state(thread_id)
        self._questions = waiting(state)
        messages = state["values"].get("messages") if isinstance(state["values"], dict) else None
        return messages if isinstance(messages, list) else []

    def _active(self, thread_id: str) -> list[str]:
        """The runs that are going on or queued, the oldest first."""
        runs = self._client.runs.list(thread_id)
        return [run["run_id"] for run in reversed(runs) if run["status"] in ("pending", "running")]
