"""The manual, and the tool that looks into it."""

import json
import re
from dataclasses import dataclass

from agents import function_tool


@dataclass(frozen=True)
class Page:
    """`words` are what it is found by."""

    title: str
    words: tuple[str, ...]
    text: str


PAGES = (
    Page(
        "Pairing by Bluetooth",
        ("bluetooth", "pair", "connect"),
        "Hold the power button for seven seconds until the light blinks blue, then choose the device in your"
        " phone's Bluetooth settings. If it is not listed, forget it there first, and try again.",
    ),
    Page(
        "Charging",
        ("charge", "battery", "turn on", "power"),
        "Use the cable that came with it and a 5 V adapter. After a deep discharge it takes up to twenty"
        " minutes before the light comes on.",
    ),
    Page(
        "Factory reset and firmware",
        ("reset", "firmware", "update", "frozen"),
        "Hold both volume buttons for ten seconds until the light turns red: settings are erased. Firmware is"
        " updated from the app, with the battery above 50 %.",
    ),
    Page(
        "蓝牙配对",
        ("蓝牙", "配对", "连不上", "连接"),
        "长按电源键七秒，直到指示灯闪蓝光，然后在手机的蓝牙设置里选择该设备。如果列表里没有，请先在手机上忽略该设备，两分钟内重试。",
    ),
    Page(
        "充电",
        ("充电", "充不进电", "开不了机", "电池"),
        "请使用原装数据线和 5 V 充电器。电量耗尽后，最多需要二十分钟指示灯才会亮起。",
    ),
    Page(
        "恢复出厂设置与固件",
        ("重置", "出厂", "固件", "升级", "死机"),
        "同时按住两个音量键十秒，直到指示灯变红，设置会被清除。固件在手机应用里升级，电量需高于 50%。",
    ),
)


def find(query: str) -> Page | None:
    """The page with the most of its words in the query."""
    asked = re.sub(r"\s+", " ", query.casefold())
    counted = [(sum(word in asked for word in page.words), page) for page in PAGES]
    count, best = max(counted, key=lambda one: one[0])
    return best if count else None


@function_tool
def search_manual(query: str) -> str:
    """Find the page of the manual that a question is about.

    Args:
        query: What the customer wants to know, in their words.
    """
    page = find(query)
    text = {"title": page.title, "text": page.text} if page else {}
    return json.dumps({"data": {"found": page is not None}, "untrusted_text": text}, ensure_ascii=False)
