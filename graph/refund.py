"""A refund request's way through the graph: put right, looked up, asked, applied."""

from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy, Send, interrupt

from graph.approvals import RESPONSE_SCHEMA, Answer, AnswerRefused, payload, read_answer, shown
from graph.callers import caller, deciders
from graph.languages import language_of_dialogue
from graph.outcomes import GONE, Update, ask_again, carry_out, dropped, put_right, stand
from graph.prompts import sentence
from graph.state import UNDECIDED, Asking, Outcome, Request, State, read_request, undecided
from graph.workplace import Doors, Workplace
from tools.errors import ShopUnavailable
from tools.requests import is_request_id
from tools.standings import Standing, find_standings

# A decision that was taken waits for the shop's database, about fifty minutes: nobody would drive a run again
# that has failed, and the server ends one after an hour.
PATIENCE = RetryPolicy(
    initial_interval=0.2,
    backoff_factor=2.0,
    max_interval=5.0,
    max_attempts=600,
    jitter=False,
    retry_on=ShopUnavailable,
)


class Refunds:
    """The nodes of a request. The state's word for it counts for nothing: what was asked, and what became of
    it, is read from the shop's books."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def subgraph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """One request, from question to outcome: of its own, so that no request waits for another."""
        builder = StateGraph(Asking, output_schema=Outcome)
        builder.add_node("look", self.look)
        builder.add_node("ask", self.ask)
        builder.add_node("apply", self.apply, retry_policy=PATIENCE)
        builder.add_edge(START, "look")
        builder.add_conditional_edges("look", ask_unless_over, ["ask", END])
        builder.add_edge("ask", "apply")
        builder.add_conditional_edges("apply", look_unless_over, ["look", END])
        return builder.compile()

    async def settle(self, state: State, config: RunnableConfig) -> Update:
        """Before anything is asked: what was decided is put back with its message, moved figures are asked
        anew, and what the shop knows nothing of is dropped. (LangGraph drops what a finished request wrote
        when input comes while a sibling waits.)"""
        if not state.get("requests"):
            return {}
        try:
            workplace = await self._doors.enter()
            subject = caller(config, workplace.settings)
            if subject is None:
                return {}
            return await put_right(workplace, subject, state, language_of_dialogue(state["messages"]))
        except ShopUnavailable:
            # Asked as it stands: whoever answers, it is compared with the shop's books before money moves.
            return {}

    async def look(self, state: Asking, config: RunnableConfig) -> Update:
        """What is about to be asked, as the shop's books have it now."""
        try:
            workplace, subject, standing = await self._find(state, config)
            if standing is None or subject is None:
                return _dropped(state)
            return await stand(workplace, subject, standing, UNDECIDED)
        except ShopUnavailable:
            if read_request(state.get("request")) is None:
                return {"request": GONE}
            return {"problem": state.get("problem") or sentence("unseen", _language(state))}

    async def ask(self, state: Asking, config: RunnableConfig) -> Update:
        """Nothing but the question: the node runs again from its start when the answer comes."""
        request = read_request(state.get("request"))
        if request is None or not await self._is_known(state, config):
            return {"answer": None}
        question = payload(request, state.get("problem", ""))
        return {"answer": interrupt(question, response_schema=RESPONSE_SCHEMA)}

    async def apply(self, state: Asking, config: RunnableConfig) -> Update:
        """Act on the answer, once for ever a request: the ledger's key is the request_id."""
        workplace, subject, standing = await self._find(state, config)
        if subject is None:
            return {"problem": sentence("nobody", _language(state))}
        if standing is None:
            return _dropped(state)
        asked = standing.asked
        if standing.entry is not None or standing.current != asked:
            return await stand(workplace, subject, standing, UNDECIDED)
        who = deciders(config, asked.request_id, subject)
        if who is None:
            return {"request": shown(workplace.shop.policy, asked), "problem": ""}
        try:
            answer = _answer(state, shown(workplace.shop.policy, asked))
        except AnswerRefused as refusal:
            return await ask_again(workplace, subject, asked, refusal.sentence, who)
        return await carry_out(workplace, subject, asked, answer, who)

    async def _find(
        self, state: Asking, config: RunnableConfig
    ) -> tuple[Workplace, str | None, Standing | None]:
        """The workplace, the customer, and how the request stands: None when the shop knows nothing of it."""
        workplace = await self._doors.enter()
        subject, request_id = caller(config, workplace.settings), _id_in(state)
        if subject is None or request_id is None:
            return workplace, subject, None
        standings = await find_standings(workplace.shop, subject, [request_id])
        return workplace, subject, standings.get(request_id)

    async def _is_known(self, state: Asking, config: RunnableConfig) -> bool:
        try:
            return (await self._find(state, config))[2] is not None
        except ShopUnavailable:
            return True


def _answer(state: Asking, request: Request) -> Answer:
    """The answer to this request. One to something else that was shown in its place is none."""
    if state["request"] != request:
        raise AnswerRefused("shown_otherwise", request["language"])
    return read_answer(state.get("answer"), request)


def _id_in(state: Asking) -> str | None:
    request: Any = state.get("request")
    request_id = request.get("request_id") if isinstance(request, dict) else None
    return request_id if is_request_id(request_id) else None


def _language(state: Asking) -> str:
    request = read_request(state.get("request"))
    return request["language"] if request else "en"


def _dropped(state: Asking) -> Update:
    request_id = _id_in(state)
    return dropped([request_id] if request_id else [], _language(state))


def _is_over(state: Asking) -> bool:
    request: Any = state.get("request")
    return not isinstance(request, dict) or request.get("status") != UNDECIDED


def ask_unless_over(state: Asking) -> Literal["ask", "__end__"]:
    return "__end__" if _is_over(state) else "ask"


def look_unless_over(state: Asking) -> Literal["look", "__end__"]:
    return "__end__" if _is_over(state) else "look"


def ask_each(state: State) -> list[Send] | Literal["__end__"]:
    """The way out of every run: each request that waits, asked in a subgraph of its own."""
    return [Send("request", {"request": request}) for request in undecided(state)] or "__end__"
