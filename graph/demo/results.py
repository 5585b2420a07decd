"""How the demo model speaks about what the tools gave it. A tool's result is data, whatever it says."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graph.demo import phrases
from graph.demo.reading import Language
from graph.demo.replies import Call

Fields = Mapping[str, Any]
LISTED = 10

_NO_MINOR_UNIT = {"JPY", "KRW", "VND"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REFUND_STATUS = {
    "settled": "settled",
    "approved": "processing",
    "submitted": "processing",
    "unknown": "processing",
    "failed": "failed",
    "rejected": "rejected",
    "requested": "waiting",
    "pending": "waiting",
    "waiting": "waiting",
    "waiting_for_approval": "waiting",
    "waiting_for_confirmation": "waiting",
    "refused": "refused",
    "error": "refused",
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
    if call.name == "request_person":
        return phrases.PERSON[language]
    if call.name == "list_orders":
        return _tell_list(_rows(result), language) if not _failure(result) else _failure(result)
    if not isinstance(result, dict):
        return str(result)
    if call.name == "request_refund":
        return _tell_refund(call, result, language)
    if failure := _failure(result):
        return failure
    tellers: Mapping[str, Callable[[], str]] = {
        "query_order": lambda: _tell_order(result, language, refund_wanted),
        "query_logistics": lambda: _tell_logistics(call, result, language),
    }
    return tellers[call.name]() if call.name in tellers else text


def _failure(result: Any) -> str:
    """The tool's own sentence when it reports an error."""
    if not isinstance(result, dict) or not result.get("error"):
        return ""
    error = result["error"]
    if isinstance(error, dict):
        return str(error.get("message") or error.get("code"))
    return str(result.get("message") or error)


def _tell_order(order: Fields, language: Language, refund_wanted: bool) -> str:
    said = _order_line(order, language, ("status", "paid", "refunded", "delivered_at"))
    if not refund_wanted:
        return said
    refundable = _money(order.get("refundable"))
    if not _is_positive(refundable):
        return said + phrases.NOT_REFUNDABLE[language]
    return said + phrases.ASK_REFUND[language].format(refundable=refundable)


def _order_line(order: Fields, language: Language, keys: Iterable[str]) -> str:
    names = [str(item.get("name")) for item in order.get("items") or () if isinstance(item, dict)]
    names = names or [str(item) for item in order.get("items") or () if isinstance(item, str)]
    comma = "、" if language == "zh" else ", "
    items = phrases.ITEMS[language].format(items=comma.join(names)) if names else ""
    facts = [_fact(key, order[key], language) for key in keys if _worth_telling(key, order.get(key))]
    joined = (",", ", ")[language == "en"].join(facts)
    return phrases.ORDER[language].format(id=_order_id(order), items=items, facts=joined)


def _worth_telling(key: str, value: Any) -> bool:
    return value is not None and (key != "refunded" or _is_positive(_money(value)))


def _fact(key: str, value: Any, language: Language) -> str:
    if key == "status":
        said = _status(value, language)
    elif key.endswith("_at"):
        said = _day(value)
    else:
        said = _money(value)
    return phrases.FACTS[key][language].format(said)


def _tell_list(orders: list[Any], language: Language) -> str:
    known = [order for order in orders if isinstance(order, dict)]
    if not known:
        return phrases.NO_ORDERS[language]
    lines = [_order_line(order, language, ("status", "paid", "placed_at")) for order in known[:LISTED]]
    return "\n".join([phrases.ORDERS[language], *lines, phrases.WHICH_OF_THESE[language]])


def _rows(result: Any) -> list[Any]:
    rows = result.get("orders") if isinstance(result, dict) else result
    return rows if isinstance(rows, list) else []


def _tell_logistics(call: Call, logistics: Fields, language: Language) -> str:
    order = str(logistics.get("order_id") or call.read().get("order_id") or "")
    shipments = [shipment for shipment in logistics.get("shipments") or () if isinstance(shipment, dict)]
    if not shipments:
        return phrases.NO_SHIPMENT[language].format(order=order)
    return "\n".join(_tell_shipment(order, shipment, language) for shipment in shipments)


def _tell_shipment(order: str, shipment: Fields, language: Language) -> str:
    said = phrases.SHIPMENT[language].format(
        order=order,
        carrier=shipment.get("carrier") or "",
        tracking_no=shipment.get("tracking_no") or "",
        status=_status(shipment.get("status"), language),
    )
    events = shipment.get("events") or ()
    if not events or not isinstance(events[0], dict):
        return said
    newest = (_day(events[0].get("at")), events[0].get("place"), events[0].get("text"))
    return said + phrases.LATEST_EVENT[language].format(event=" ".join(str(part) for part in newest if part))


def _tell_refund(call: Call, result: Fields, language: Language) -> str:
    status = str(
        result.get("status") or result.get("outcome") or ("error" if result.get("error") else "waiting")
    )
    kind = _REFUND_STATUS.get(status.lower(), "processing")
    order = str(result.get("order_id") or call.read().get("order_id") or "")
    amount = _money(result.get("amount"))
    space = amount and f"{amount} " if language == "zh" else amount and f"of {amount} "
    said = phrases.REFUNDS[kind][language].format(order=order, amount=space)
    why = _failure(result) or str(result.get("message") or "")
    return f"{said} {why}" if why and kind in ("refused", "rejected", "failed") else said


def _order_id(order: Fields) -> str:
    return str(order.get("id") or order.get("order_id") or "")


def _status(value: Any, language: Language) -> str:
    text = str(value)
    return STATUS[language] if (STATUS := phrases.STATUSES.get(text)) else text.replace("_", " ")


def _day(value: Any) -> str:
    found = _DATE.search(str(value))
    return found[0] if found else str(value or "")


def _money(value: Any) -> str:
    """Money as the tools may write it: text, or an object of minor units and currency."""
    if not isinstance(value, dict):
        return str(value or "")
    amount, currency = value.get("amount"), str(value.get("currency") or "")
    if not isinstance(amount, int):
        return f"{amount} {currency}".strip()
    return f"{amount if currency in _NO_MINOR_UNIT else f'{amount / 100:.2f}'} {currency}".strip()


def _is_positive(money: str) -> bool:
    return bool(re.search(r"[1-9]", money))
