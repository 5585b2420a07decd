"""Requests made from our own reference, well formed and not, and what is wrong with the answers.

A program of its own (`python -m tests.fuzz URL CASES`): it wants nobody beside it who draws random numbers.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.modes import GenerationMode

from tests.fuzz.things import GRAPHS, Things
from tests.tenancy.belongings import YEARLY

SEED = 20_261_125
ANSWER_S = 15.0  # the longest that an answer may take
SHOWN = 300
LATEST_S = 0.01  # a run that begins later would be waited for
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]

Json = Any


@dataclass
class Fuzzing:
    """A server under fire. `problems` say what was asked, as a command, and what is wrong with the answer."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    cases: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def run(self, cases: int) -> None:
        things = Things(self.session, self.url)
        schema = schemathesis.openapi.from_dict(self.session.get(f"{self.url}/openapi.json").json())
        schema.config.update(base_url=self.url)
        kinds = list(strategies(schema))
        for number, (operation, mode, strategy) in enumerate(kinds):
            share = -(-cases * (number + 1) // len(kinds)) - -(-cases * number // len(kinds))
            if share:
                self.attack(operation, mode, strategy, things, share, number)

    def attack(
        self, operation: Any, mode: GenerationMode, strategy: Any, things: Things, cases: int, number: int
    ) -> None:
        @seed(SEED + number)
        @settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.data())
        def ask_each(data: st.DataObject) -> None:
            case = data.draw(strategy)
            fill(case, things, data)
            self.ask(case, mode, things)

        try:
            ask_each()
        except Unsatisfiable:
            if mode is GenerationMode.POSITIVE:
                raise
            self.answered[f"no wrong data for {operation.label}"] += 1

    def ask(self, case: Any, mode: GenerationMode, things: Things) -> None:
        asked = case.as_transport_kwargs(base_url=self.url)
        try:
            response = self.send(asked)
        except requests.RequestException as error:
            self.problems.append(f"{case.as_curl_command()}\n    no answer: {error!r}")
            return
        self.cases += 1
        self.answered[f"{mode.value} {response.status_code}"] += 1
        if response.status_code < 300 and (case.method == "DELETE" or case.path.endswith("/decisions")):
            things.forget(case.path_parameters)
        try:
            refused = [checks.negative_data_rejection] if is_wrong_inside(case) else []
            case.validate_response(response, checks=[*CHECKS, *refused])
        except FailureGroup as group:
            wrong = "; ".join(f"{one.title}: {one.message}"[:SHOWN] for one in group.exceptions)
            told = f"{response.status_code} {response.text[:SHOWN]}"
            self.problems.append(f"{case.as_curl_command()}\n    {wrong}: {told}")

    def send(self, asked: dict[str, Any]) -> Response:
        """The answer; of a stream, which may go on for ever, only how it begins."""
        with self.session.request(**asked, stream=True, timeout=(5, ANSWER_S)) as response:
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                response.raw.close()
                response._content = b""
            return Response.from_requests(response, verify=False)


def is_wrong_inside(case: Any) -> bool:
    """Whether the body is not as it should be. Parameters are looser: those that nobody knows are ignored."""
    body = case.meta.components.get(ParameterLocation.BODY)
    return body is not None and body.mode.is_negative


def strategies(schema: Any) -> Iterator[tuple[Any, GenerationMode, Any]]:
    """Every operation with data as it should be and, if it takes any, as it should not."""
    for result in schema.get_all_operations():
        operation = result.ok()
        takes = operation.body or operation.path_parameters or operation.query or operation.headers
        for mode in GenerationMode if takes else [GenerationMode.POSITIVE]:
            yield operation, mode, operation.as_strategy(generation_mode=mode)


def fill(case: Any, things: Things, data: st.DataObject) -> None:
    """Names things that are there, more often than not."""
    one = things.pick(data.draw(st.integers(0, 100)), case.path_parameters or ())
    for name in case.path_parameters or {}:
        if name in one and data.draw(st.integers(0, 7)):
            case.path_parameters[name] = one[name]
    if not isinstance(case.body, dict):
        return
    if "assistant_id" in case.body and data.draw(st.integers(0, 7)):
        case.body["assistant_id"] = data.draw(st.sampled_from(things.assistants))
    if not is_wrong_inside(case) and data.draw(st.integers(0, 7)):
        make_sense(case)
    if isinstance(late := case.body.get("after_seconds"), int | float) and not isinstance(late, bool):
        case.body["after_seconds"] = min(late, LATEST_S)


def make_sense(case: Any) -> None:
    """What no drawn text would ever be: a schedule, the name of a graph, an answer."""
    if "schedule" in case.body:
        case.body["schedule"] = YEARLY["schedule"]
    if case.path.startswith("/assistants") and "graph_id" in case.body:
        case.body["graph_id"] = GRAPHS[0]
    if case.path.endswith("/decisions"):
        case.body["type"] = "approve"


def main() -> None:
    url, cases = sys.argv[1:]
    fuzzing = Fuzzing(url)
    fuzzing.run(int(cases))
    found = {"cases": fuzzing.cases, **dict(sorted(fuzzing.answered.items()))}
    sys.stdout.buffer.write(orjson.dumps({"figures": found, "problems": fuzzing.problems}))


if __name__ == "__main__":
    main()
