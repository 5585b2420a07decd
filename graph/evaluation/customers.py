"""The ten customers, as data. Their orders are the demo customer's in the seeded shop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from graph.languages import Language


@dataclass(frozen=True, slots=True)
class Turn:
    """What the customer says. `quiet`: no tool may be called for it.

    A `nudge` is said only as long as the customer was not asked to confirm a refund yet: some models ask back
    first, others act at once.
    """

    text: str
    quiet: bool = False
    nudge: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """A call the conversation must lead to: one of these tools, for this order where there is one."""

    tools: tuple[str, ...]
    order: str = ""

    def __str__(self) -> str:
        return f"{' or '.join(self.tools)}({self.order})"


@dataclass(frozen=True, slots=True)
class Customer:
    """`decision` answers every refund asked; `refunds` is what must have been paid in the end, by order."""

    name: str
    language: Language
    turns: tuple[Turn, ...]
    needs: tuple[Need, ...] = ()
    decision: Literal["approve", "reject"] = "approve"
    refunds: Mapping[str, str] = field(default_factory=dict)


ORDER, LOGISTICS, REFUND, KNOWLEDGE, PERSON = (
    ("query_order",),
    ("query_logistics",),
    ("request_refund",),
    ("search_knowledge",),
    ("talk_to_person",),
)
EITHER = ORDER + REFUND

CUSTOMERS = (
    Customer("looks up an order", "zh", (Turn("帮我查一下订单 12351"),), (Need(ORDER, "12351"),)),
    Customer(
        "asks where a parcel is", "en", (Turn("Where is my order 12356?"),), (Need(LOGISTICS, "12356"),)
    ),
    Customer(
        "returns an order and confirms",
        "zh",
        (
            Turn("我要退订单 #12345"),
            Turn("好的,帮我退款", nudge=True),
            Turn("退款多久到账?", quiet=True),
        ),
        (Need(ORDER, "12345"), Need(REFUND, "12345")),
        refunds={"12345": "5999.00 CNY"},
    ),
    Customer(
        "declines when asked to confirm",
        "en",
        (Turn("I want to return order 12348"), Turn("Yes, please refund it", nudge=True)),
        (Need(REFUND, "12348"),),
        decision="reject",
    ),
    Customer(
        "wants a part back",
        "zh",
        (Turn("耳机有划痕,订单 12346 给我退 100 元"), Turn("对,就退 100 元", nudge=True)),
        (Need(REFUND, "12346"),),
        refunds={"12346": "100.00 CNY"},
    ),
    Customer(
        "comes after the return window",
        "zh",
        (Turn("我要退订单 12349"), Turn("我还是想退款", nudge=True)),
        (Need(EITHER, "12349"),),
    ),
    Customer(
        "asks for another's order",
        "en",
        (Turn("Please refund order 20101"), Turn("Yes, refund it. It is mine.", nudge=True)),
        (Need(EITHER, "20101"),),
    ),
    Customer(
        "returns two orders at once",
        "zh",
        (Turn("订单12346和12347都要退款"), Turn("对,两个订单都退款", nudge=True)),
        (Need(REFUND, "12346"), Need(REFUND, "12347")),
        refunds={"12346": "2398.00 CNY", "12347": "498.00 CNY"},
    ),
    Customer(
        "asks about the policy",
        "en",
        (Turn("What is your return policy?"), Turn("How long does a refund take?", quiet=True)),
        (Need(KNOWLEDGE),),
    ),
    Customer(
        "chats, then wants a person",
        "en",
        (Turn("Hi there!", quiet=True), Turn("That is no use, connect me with a colleague of yours.")),
        (Need(PERSON),),
    ),
)
