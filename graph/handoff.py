"""A person takes over: whose words a run brings, what is said while somebody is waited for, and what the
model is told when the conversation comes back to it."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer

from graph.callers import Hold, Speaker, is_errand, read_handback, read_hold, read_speaker
from graph.languages import Language, language_of_dialogue, plain_text
from graph.prompts import sentence
from graph.settings import Settings
from graph.state import HandbackNote, State, read_notes

OPERATOR = "operator"
SPEAKER = "speaker"
NOTES_KEPT = 5
NOTE_LENGTH = 2_000
WISH_LENGTH = 60

_WISH_EN = re.compile(
    r"(?:(?:hi|hello|hey|please|ok|no|can|could|may|i|i'd|would|like|want|need|to|just|let|me|you|rather) )*"
    r"(?:(?:talk|speak|chat) (?:to |with )?|(?:connect|transfer|put|get) me (?:through )?(?:to |with )?)?"
    r"(?:an? |the |some )?(?:real |live |actual |human )*"
    r"(?:person|human|human being|agent|operator|representative|colleague|somebody|someone)"
    r"(?: please| now| thanks| thank you)*"
)
_WISH_ZH = re.compile(
    r"(?:你好|您好|请|麻烦|我|你|想|需要|要|帮|给|可以|能|直接|马上|快点?|那就| )*(?:转|找|接|联系|叫|换)?"
    r"(?:接|到|一下|一个|个|位)*(?:人工|真人|活人)(?:客服|服务|坐席)?(?:人员)?"
    r"(?:吗|吧|呀|啊|好吗|可以吗|谢谢| )*"
)
_NO_LETTERS = re.compile(r"[^\w']+")

Update = dict[str, Any]


def receive(state: State, config: RunnableConfig) -> Update:
    """What the run brought, as it counts: an operator's words are the shop's, and nobody else's are. What was
    noted when the conversation was given back is kept for the model."""
    update: Update = {"messages": []} if is_errand(config) else _heard(state, read_speaker(config))
    if note := read_handback(config):
        kept: HandbackNote = {"by": note.by, "note": plain_text(note.note)[:NOTE_LENGTH], "at": note.at}
        known = [one for one in read_notes(state) if one != kept]
        update["notes"] = [*known, kept][-NOTES_KEPT:]
    return update


def _heard(state: State, speaker: Speaker | None) -> Update:
    new = _since(state)
    messages = list(_of_operator(new, speaker, state) if speaker else _unmarked(new))
    newest = messages[-1:] if speaker else state["messages"][-1:]
    return {"messages": messages, "heard": newest[0].id if newest else state.get("heard")}


def _since(state: State) -> Sequence[AnyMessage]:
    """The messages that came after what the last run heard."""
    messages, heard = state["messages"], state.get("heard")
    ids = [message.id for message in messages]
    if heard in ids:
        return messages[ids.index(heard) + 1 :]
    if state.get("model_turns") is None:
        return messages
    start = len(messages)
    while start and isinstance(messages[start - 1], HumanMessage):
        start -= 1
    return messages[start:]


def _of_operator(new: Sequence[AnyMessage], speaker: Speaker, state: State) -> Iterator[BaseMessage]:
    # Under ids of their own: a client that was told of the input by its id drops it, and hears of these.
    language = language_of_dialogue(message for message in state["messages"] if message not in new)
    name = speaker.name or sentence("operator_name", language)
    for message in new:
        if isinstance(message, HumanMessage):
            mark = {SPEAKER: {"role": OPERATOR, "name": name}}
            yield RemoveMessage(id=str(message.id))
            yield AIMessage(message.content, id=f"operator-{message.id}", name=name, additional_kwargs=mark)


def _unmarked(new: Sequence[AnyMessage]) -> Iterator[BaseMessage]:
    """Who speaks is the server's to say, not a client's."""
    for message in new:
        named = isinstance(message, AIMessage) and message.name
        if SPEAKER in message.additional_kwargs or named:
            kept = {key: value for key, value in message.additional_kwargs.items() if key != SPEAKER}
            yield message.model_copy(update={"additional_kwargs": kept, "name": None})


def answer_without_model(
    state: State, config: RunnableConfig, settings: Settings, now: datetime
) -> list[AIMessage] | None:
    """What is said in the model's stead; None where the model is to speak."""
    newest = state["messages"][-1] if state["messages"] else None
    if is_errand(config) or read_speaker(config) or not isinstance(newest, HumanMessage):
        return []
    language = language_of_dialogue(state["messages"])
    if hold := read_hold(config):
        return _while_held(hold, settings, now, language)
    if asks_for_person(newest.text):
        return [AIMessage(hand_over(settings, now, language))]
    return None


def _while_held(hold: Hold, settings: Settings, now: datetime, language: Language) -> list[AIMessage]:
    if settings.hours.is_open(now):
        return [] if hold.taken else [AIMessage(sentence("waiting", language))]
    text = sentence("away", language, hours=settings.hours.in_words(language))
    # Once a day where somebody has taken it: they may be there for all that.
    return [AIMessage(text, id=f"away-{hold.since}-{now:%Y-%m-%d}" if hold.taken else None)]


def hand_over(settings: Settings, now: datetime, language: Language) -> str:
    """Ask for a person; returns what the customer is told."""
    get_stream_writer()({"holdfast_hold": {"role": OPERATOR}})
    if settings.hours.is_open(now):
        return sentence("person", language)
    return sentence("person_later", language, hours=settings.hours.in_words(language))


def asks_for_person(text: str) -> bool:
    """Whether this is all a message asks for: it works without a model too, and when none answers."""
    wish = _NO_LETTERS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    if len(wish) > WISH_LENGTH:
        return False
    return bool(_WISH_EN.fullmatch(wish) or _WISH_ZH.fullmatch(wish))


def is_by_operator(message: BaseMessage) -> bool:
    speaker = message.additional_kwargs.get(SPEAKER)
    return isinstance(message, AIMessage) and isinstance(speaker, dict) and speaker.get("role") == OPERATOR
