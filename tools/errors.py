"""Everything the shop may answer instead of a result.

ShopError
├── OrderNotFound
├── RequestNotFound
├── TechnicalSupportAway
├── ShopUnavailable
│   └── LookupFailed
└── RefundRefused
    ├── NotPaid
    ├── OrderCancelled
    ├── AlreadyRefunded
    ├── OutsideReturnWindow
    ├── ReasonNotAllowed
    ├── AmountInvalid
    ├── AmountTooHigh
    ├── ItemsInvalid
    ├── CurrencyMismatch
    ├── CurrencyNotRefunded
    ├── DailyLimitReached
    ├── OrderChanged
    ├── RequestDecided
    ├── RequestSuperseded
    ├── RequestExpired
    └── DecidersMissing
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tools.money import Money


class ShopError(Exception):
    """Base of all expected answers of the shop; catch it to turn any of them into a sentence.

    `code` is stable and meant for programs. `fields` names the constructor's arguments in order: they are
    attributes of the error and the placeholders of its sentences.
    """

    code: ClassVar[str] = "shop_error"
    fields: ClassVar[tuple[str, ...]] = ()
    english: ClassVar[str] = "Something went wrong in the shop's system. Please try again."
    chinese: ClassVar[str] = "商店系统出了点问题，请稍后再试。"

    def sentence(self, language: str = "en") -> str:
        """A sentence for the customer: Chinese for "zh", English for anything else."""
        text = self.chinese if language == "zh" else self.english
        return text.format(**dict(zip(self.fields, self.args, strict=True)))

    def __str__(self) -> str:
        return self.sentence()


class OrderNotFound(ShopError):
    """No such order on this customer's account. Another customer's order reads exactly the same."""

    code = "order_not_found"
    fields = ("order_id",)
    english = "There is no order {order_id} on your account. Please check the number."
    chinese = "您的账户下没有订单 {order_id}，请核对订单号。"

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class RequestNotFound(ShopError):
    """Nobody was asked under this id, or another customer was, which reads exactly the same."""

    code = "request_not_found"
    english = "The shop has no such refund request on record. Please ask for the refund again."
    chinese = "商店没有这笔退款申请的记录，请重新申请退款。"


class TechnicalSupportAway(ShopError):
    """The other agent gave no answer in time."""

    code = "technical_support_away"
    english = "Technical support cannot be reached at the moment. Please ask again in a little while."
    chinese = "技术支持暂时联系不上，请过一会儿再问一次。"


class ShopUnavailable(ShopError):
    """The database could not be reached, or is out of room; nothing is ever written by halves."""

    code = "shop_unavailable"
    english = "The shop's system cannot be reached at the moment. Please try again in a few minutes."
    chinese = "暂时无法连接商店系统，请过几分钟再试。"


class LookupFailed(ShopUnavailable):
    """A look-up could not be made; it says nothing about whether the thing exists."""

    code = "lookup_failed"
    english = "I could not look that up just now. Please try again in a few minutes."
    chinese = "暂时查询不到，请过几分钟再试。"


class RefundRefused(ShopError):
    """Base of the reasons for which a refund is not made."""

    code = "refund_refused"
    english = "This refund cannot be made."
    chinese = "无法办理这笔退款。"


class NotPaid(RefundRefused):
    """There is no money to give back."""

    code = "not_paid"
    english = "This order has not been paid, so there is nothing to refund."
    chinese = "该订单尚未付款，无需退款。"


class OrderCancelled(RefundRefused):
    """A cancelled order is settled by the cancellation, not by a refund request."""

    code = "order_cancelled"
    english = "This order was cancelled; anything paid for it goes back by itself."
    chinese = "该订单已取消，已付款项会自动原路退回。"


class AlreadyRefunded(RefundRefused):
    """All that was paid has been refunded, or is on its way."""

    code = "already_refunded"
    english = "This order has already been refunded in full."
    chinese = "该订单已全额退款。"


class OutsideReturnWindow(RefundRefused):
    """The order was delivered longer ago than `days`."""

    code = "outside_return_window"
    fields = ("days",)
    english = "Refunds are possible within {days} days of delivery; this order was delivered longer ago."
    chinese = "签收后 {days} 天内可以退款，该订单已超过退款期限。"

    def __init__(self, days: int) -> None:
        self.days = days
        super().__init__(days)


class ReasonNotAllowed(RefundRefused):
    """The policy knows no such reason; `reasons` are the codes of those it does."""

    code = "reason_not_allowed"
    fields = ("reasons",)
    english = "Refunds are made for these reasons only: {reasons}."
    chinese = "只能因以下原因退款：{reasons}。"

    def __init__(self, reasons: str) -> None:
        self.reasons = reasons
        super().__init__(reasons)


class AmountInvalid(RefundRefused):
    """The amount is not a positive decimal number of the currency's precision."""

    code = "amount_invalid"
    english = "That is not a valid amount. Please give a positive number such as 79.99."
    chinese = "金额无效，请输入正数金额，例如 79.99。"


class AmountTooHigh(RefundRefused):
    """More than is left to refund; `refundable` (a Money) is what is."""

    code = "amount_too_high"
    fields = ("refundable",)
    english = "At most {refundable} can be refunded on this order."
    chinese = "该订单最多可退 {refundable}。"

    def __init__(self, refundable: "Money") -> None:
        self.refundable = refundable
        super().__init__(refundable)


class ItemsInvalid(RefundRefused):
    """The items are not the order's, are more than it has left, or come with an amount as well."""

    code = "items_invalid"
    english = (
        "These items cannot be refunded like this: please name items of this order by their numbers (sku), no"
        " more of each than were bought and not refunded yet, and no amount besides."
    )
    chinese = (
        "无法按这些商品退款：请用商品编号（sku）指定该订单中的商品，"
        "数量不超过已购买且未退款的件数，且不要同时指定金额。"
    )


class CurrencyMismatch(RefundRefused):
    """The amount names another currency than the order's, which is `currency`."""

    code = "currency_mismatch"
    fields = ("currency",)
    english = "This order was paid in {currency} and can only be refunded in {currency}."
    chinese = "该订单以 {currency} 支付，只能以 {currency} 退款。"

    def __init__(self, currency: str) -> None:
        self.currency = currency
        super().__init__(currency)


class CurrencyNotRefunded(RefundRefused):
    """The policy has no figures for this currency."""

    code = "currency_not_refunded"
    fields = ("currency",)
    english = "Refunds in {currency} cannot be made here. Please ask for a person, who will arrange it."
    chinese = "这里不能办理 {currency} 退款，请转人工客服处理。"

    def __init__(self, currency: str) -> None:
        self.currency = currency
        super().__init__(currency)


class DailyLimitReached(RefundRefused):
    """More than the `limit` of 24 hours for one customer; `left` (both a Money) is what is still free."""

    code = "daily_limit_reached"
    fields = ("limit", "left")
    english = "At most {limit} can be refunded to one customer within 24 hours; {left} of it is left now."
    chinese = "同一位顾客 24 小时内最多可退 {limit}，目前还可退 {left}。"

    def __init__(self, limit: "Money", left: "Money") -> None:
        self.limit, self.left = limit, left
        super().__init__(limit, left)


class OrderChanged(RefundRefused):
    """The order's figures moved between the quote and its application; nothing was refunded: quote again."""

    code = "order_changed"
    english = (
        "The order has changed since this refund was prepared, so nothing was refunded. Please ask again."
    )
    chinese = "订单在确认期间发生了变化，本次未退款，请重新申请。"


class RequestDecided(RefundRefused):
    """The request was decided already, so no other can take its place."""

    code = "request_decided"
    english = "This refund request has been decided already."
    chinese = "这笔退款申请已经有了结果。"


class RequestSuperseded(RefundRefused):
    """Another request has taken this one's place, so a decision on it counts for nothing."""

    code = "request_superseded"
    english = "This refund was asked for anew in the meantime; nothing was refunded on the earlier request."
    chinese = "这笔退款之后又重新提出了申请，原来的申请没有退款。"


class RequestExpired(RefundRefused):
    """It was not decided in time; it may be asked for anew."""

    code = "request_expired"
    english = "This refund request was not confirmed in time, so nothing was refunded. Please ask again."
    chinese = "这笔退款申请没有在规定时间内确认，没有退款。如仍需退款，请重新申请。"


class DecidersMissing(RefundRefused):
    """By the policy as it is now, others or more people have to decide: as many as `deciders`, in `tier`."""

    code = "deciders_missing"
    fields = ("deciders",)
    english = "Nothing was refunded yet: {deciders} different people who may decide this have to agree."
    chinese = "尚未退款：需要 {deciders} 位有权限的不同人员同意。"

    def __init__(self, deciders: int, tier: str = "", reason: str = "") -> None:
        self.deciders, self.tier, self.reason = deciders, tier, reason
        super().__init__(deciders)
