"""How the demo model speaks about what the tools gave it. A tool's result is data, whatever it says.

Results are JSON: figures under `data`, other people's words under `untrusted_text`, or
`{"error": {"code", "message"}}`. What is no JSON is passed on as it is.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graph.demo import phrases
from graph.demo.reading import Language
from graph.demo.replies import Call

Fields = Mapping[str, Any]
LISTED = 10

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REFUND_KINDS = {
    "settled": "settled",
    "submitted": "processing",
    "unknown": "processing",
    "failed": "failed",
    "rejected": "rejected",
    "refused": "refused",
    "superseded": "superseded",
    "waiting_for_review": "review",
}


def tell(results: Iterable[tuple[Call, str]], language: Language, *, refund_wanted: bool = False) -> str:
    """One answer about all results of a turn, in this language."""
    said = [_tell_one(call, text, language, refund_wanted) for call, text in results]
    return "\n".join(sentence for sentence in said if sentence) or phrases.CANNOT[language]


def read_result(text: str) -> Any:
    """The result as JSON, or the text itself when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tell_one(call: Call, text: str, language: Language, refund_wanted: bool) -> str:
    result = read_result(text)
    if not isinstance(result, dict):
        return text
    if call.name == "request_refund":
        return _tell_refund(call, result, language)
    if result.get("error"):
        return _failure(result)
    data, words = result.get("data", result), result.get("untrusted_text") or {}
    tellers: Mapping[str, Callable[[], str]] = {
        "query_order": lambda: _tell_order(data, words, language, refund_wanted),
        "query_logistics": lambda: _tell_logistics(data, words, language),
        "list_orders": lambda: _tell_list(data, words, language),
        "hand_off": lambda: phrases.ADVICE[language].format(answer=words.get("answer") or ""),
        "search_manual": lambda: str(words.get("text") or phrases.NO_MANUAL[language]),
        "search_knowledge": lambda: _tell_passage(words, language),
        "talk_to_person": lambda: phrases.PERSON[language],
    }
    return tellers[call.name]() if call.name in tellers else text


def _tell_passage(words: Fields, language: Language) -> str:
    """What the best passage says, with its source."""
    found = next(iter(words.get("passages") or ()), None)
    return phrases.FOUND[language].format(**found) if found else phrases.NOTHING_FOUND[language]


def _failure(result: Fields) -> str:
    """The tool's own sentence about its error; empty when there is none."""
    error = result.get("error") or ""
    return str(error.get("message") or error.get("code") or "") if isinstance(error, dict) else str(error)


def _tell_order(order: Fields, words: Fields, language: Language, refund_wanted: bool) -> str:
    said = _order_line(
        order, words.get("item_names") or (), language, "status", "paid", "refunded", "delivered_at"
    )
    if not refund_wanted:
        return said
    if not _is_positive(order.get("refundable")):
        return said + phrases.NOT_REFUNDABLE[language]
    return said + phrases.ASK_REFUND[language].format(refundable=_money(order, "refundable"))


def _tell_list(data: Fields, words: Fields, language: Language) -> str:
    orders, names = data.get("orders") or (), words.get("item_names") or {}
    if not orders:
        return phrases.NO_ORDERS[language]
    lines = [
        _order_line(order, names.get(order.get("order_id")) or (), language, "status", "paid", "placed_at")
        for order in orders[:LISTED]
    ]
    return "\n".join([phrases.ORDERS[language], *lines, phrases.WHICH_OF_THESE[language]])


def _order_line(order: Fields, names: Iterable[Any], language: Language, *keys: str) -> str:
    pause, comma = ("、", "，") if language == "zh" else (", ", ", ")
    items = pause.join(str(name) for name in names)
    return phrases.ORDER[language].format(
        id=order.get("order_id") or order.get("id"),
        items=phrases.ITEMS[language].format(items=items) if items else "",
        facts=comma.join(_fact(order, key, language) for key in keys if _worth_telling(order, key)),
    )


def _worth_telling(order: Fields, key: str) -> bool:
    return order.get(key) is not None and (key != "refunded" or _is_positive(order[key]))


def _fact(order: Fields, key: str, language: Language) -> str:
    if key == "status":
        said = _status(order[key], language)
    else:
        said = _day(order[key]) if key.endswith("_at") else _money(order, key)
    return phrases.FACTS[key][language].format(said)


def _tell_logistics(data: Fields, words: Fields, language: Language) -> str:
    order, shipments = data.get("order_id"), data.get("shipments") or ()
    if not shipments:
        return phrases.NO_SHIPMENT[language].format(order=order)
    newest: dict[str, Fields] = {}
    for event in words.get("tracking") or ():
        newest.setdefault(event.get("tracking_no"), event)
    return "\n".join(
        _tell_shipment(order, shipment, newest.get(shipment.get("tracking_no")), language)
        for shipment in shipments
    )


def _tell_shipment(order: Any, shipment: Fields, newest: Fields | None, language: Language) -> str:
    said = phrases.SHIPMENT[language].format(
        order=order,
        carrier=shipment.get("carrier"),
        tracking_no=shipment.get("tracking_no"),
        status=_status(shipment.get("status"), language),
    )
    if newest is None:
        return said
    parts = (_day(newest.get("at")), newest.get("place"), newest.get("text"))
    return said + phrases.LATEST_EVENT[language].format(event=" ".join(str(part) for part in parts if part))


def _tell_refund(call: Call, result: Fields, language: Language) -> str:
    """Only a status that says so makes it a refund; without one it waits for somebody."""
    data = result.get("data", result)
    kind = "refused" if result.get("error") else _REFUND_KINDS.get(str(data.get("status")), "waiting")
    order = data.get("order_id") or call.read().get("order_id")
    said = phrases.REFUNDS[kind][language].format(order=order, amount=_refund_amount(data, language))
    why = _failure(result) or str(data.get("message") or "")
    return f"{said} {why}" if why and kind in ("refused", "rejected", "failed") else said


def _refund_amount(data: Fields, language: Language) -> str:
    if data.get("amount") is None:
        return ""
    return f"{_money(data, 'amount')} " if language == "zh" else f"of {_money(data, 'amount')} "


def _money(fields: Fields, key: str) -> str:
    return f"{fields.get(key)} {fields.get('currency') or ''}".strip()


def _is_positive(amount: Any) -> bool:
    return bool(re.search(r"[1-9]", str(amount)))


def _status(value: Any, language: Language) -> str:
    phrase = phrases.STATUSES.get(str(value))
    return phrase[language] if phrase else str(value).replace("_", " ")


def _day(value: Any) -> str:
    found = _DATE.search(str(value))
    return found[0] if found else str(value or "")
