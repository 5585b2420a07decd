"""Everything the demo model says, in both languages."""

from collections.abc import Mapping

from graph.demo.reading import Language

Phrase = Mapping[Language, str]

GREETING: Phrase = {
    "zh": "您好！我可以帮您查订单、查物流、办理退款。请告诉我订单号，例如 #12345。",
    "en": "Hello! I can look up orders, track deliveries and arrange refunds. "
    "Which order is it about, for example #12345?",
}
THANKS: Phrase = {
    "zh": "不客气！还有其他需要随时告诉我。",
    "en": "You're welcome! Let me know if there is anything else.",
}
ANYTHING_ELSE: Phrase = {
    "zh": "还有什么可以帮您？",
    "en": "Is there anything else I can do for you?",
}
FAREWELL: Phrase = {"zh": "再见，祝您生活愉快！", "en": "Goodbye, and have a nice day!"}
ADVICE: Phrase = {
    "zh": "技术支持的答复：{answer}",
    "en": "Technical support says: {answer}",
}
NO_MANUAL: Phrase = {
    "zh": "说明书里没有找到这个问题，请提供设备型号。",
    "en": "The manual says nothing about that. Which device is it?",
}
DEMO: Phrase = {
    "zh": "我是演示模型，只听得懂订单、物流和退款方面的问题。配置真实的模型后我会懂得更多。",
    "en": "I am the demo model: I only understand questions about orders, deliveries and refunds. "
    "With a real model configured I would understand more.",
}
WHICH_ORDER: Phrase = {
    "zh": "请问是哪一笔订单？请告诉我订单号，例如 #12345。",
    "en": "Which order is it? Please tell me its number, for example #12345.",
}
WHICH_OF_THESE: Phrase = {
    "zh": "请问您问的是哪一笔？请告诉我订单号。",
    "en": "Which one do you mean? Please tell me its number.",
}
REFUND_TIME: Phrase = {
    "zh": "退款确认后会原路退回您的付款账户，一般 1 到 3 个工作日到账，银行卡最长 7 个工作日。",
    "en": "Once a refund is confirmed it goes back to the account you paid from, usually within 1 to 3 "
    "business days; bank cards can take up to 7 business days.",
}
REFUND_TIME_OF: Phrase = {
    "zh": "订单 #{order} 的退款会原路退回您的付款账户，确认后一般 1 到 3 个工作日到账，"
    "银行卡最长 7 个工作日。",
    "en": "The refund for order #{order} goes back to the account you paid from, usually within 1 to 3 "
    "business days of its confirmation; bank cards can take up to 7 business days.",
}
POLICY: Phrase = {
    "zh": "退款政策：签收后 7 天内可以申请退款，可退全部或部分金额，不超过实付金额；"
    "退款经您确认后原路退回，金额较大的要先由客服人员审核。",
    "en": "Our refund policy: within 7 days of delivery you can ask for all or part of what you paid back. "
    "A refund is confirmed by you, a larger one looked at by a colleague first; it goes back to the account "
    "you paid from.",
}
FOUND: Phrase = {"zh": "{text}\n\n（来源：{source}）", "en": "{text}\n\n(Source: {source})"}
NOTHING_FOUND: Phrase = {
    "zh": "抱歉，我没有找到相关说明。",
    "en": "I am sorry, I found nothing about that.",
}
KEPT: Phrase = {
    "zh": "好的，不办理退款，订单保持原样。",
    "en": "All right, there will be no refund; the order stays as it is.",
}
NO_PERSON: Phrase = {
    "zh": "抱歉，我现在无法转接人工客服，请稍后再试。",
    "en": "I am sorry, I cannot put you through to a person right now. Please try again later.",
}
PERSON: Phrase = {
    "zh": "已为您转接人工客服，请稍候。",
    "en": "I have asked a colleague to take over; please hold on.",
}
CANNOT: Phrase = {
    "zh": "抱歉，我现在查不到，请稍后再试。",
    "en": "I am sorry, I cannot look that up right now. Please try again later.",
}

ORDER: Phrase = {"zh": "订单 #{id}{items}：{facts}。", "en": "Order #{id}{items}: {facts}."}
ITEMS: Phrase = {"zh": "（{items}）", "en": " ({items})"}
ASK_REFUND: Phrase = {
    "zh": "可退 {refundable}。需要我为您办理退款吗？",
    "en": " {refundable} can be refunded. Shall I arrange the refund?",
}
NOT_REFUNDABLE: Phrase = {
    "zh": "这笔订单没有可退的金额。",
    "en": " Nothing of it can be refunded.",
}
FACTS: Mapping[str, Phrase] = {
    "status": {"zh": "状态{}", "en": "status {}"},
    "paid": {"zh": "实付 {}", "en": "paid {}"},
    "refunded": {"zh": "已退 {}", "en": "refunded {}"},
    "delivered_at": {"zh": "签收于 {}", "en": "delivered on {}"},
    "placed_at": {"zh": "下单于 {}", "en": "placed on {}"},
}
STATUSES: Mapping[str, Phrase] = {
    "unpaid": {"zh": "待付款", "en": "unpaid"},
    "paid": {"zh": "已付款", "en": "paid"},
    "shipped": {"zh": "已发货", "en": "shipped"},
    "in_transit": {"zh": "运输中", "en": "in transit"},
    "out_for_delivery": {"zh": "派送中", "en": "out for delivery"},
    "delivered": {"zh": "已签收", "en": "delivered"},
    "partly_refunded": {"zh": "部分退款", "en": "partly refunded"},
    "refunded": {"zh": "已退款", "en": "refunded"},
    "cancelled": {"zh": "已取消", "en": "cancelled"},
    "returned": {"zh": "已退回", "en": "returned"},
}
ORDERS: Phrase = {"zh": "您的订单：", "en": "Your orders:"}
NO_ORDERS: Phrase = {"zh": "没有查到您的订单。", "en": "I found no orders of yours."}
NO_SHIPMENT: Phrase = {
    "zh": "订单 #{order} 还没有物流信息。",
    "en": "There is no shipment for order #{order} yet.",
}
SHIPMENT: Phrase = {
    "zh": "订单 #{order}：{carrier} {tracking_no}，{status}。",
    "en": "Order #{order}: {carrier} {tracking_no}, {status}.",
}
LATEST_EVENT: Phrase = {"zh": "最新动态：{event}。", "en": " Latest: {event}."}

REFUNDS: Mapping[str, Phrase] = {
    "settled": {
        "zh": "订单 #{order} 的退款 {amount}已完成，将原路退回您的付款账户，一般 1 到 3 个工作日到账。",
        "en": "The refund {amount}for order #{order} is done. It goes back to the account you paid from, "
        "usually within 1 to 3 business days.",
    },
    "processing": {
        "zh": "订单 #{order} 的退款 {amount}正在处理，结果尚未确定，确认后会告诉您。",
        "en": "The refund {amount}for order #{order} is being processed. Its outcome is not known yet; "
        "you will hear from us.",
    },
    "failed": {
        "zh": "订单 #{order} 的退款 {amount}没有成功，款项没有退出。",
        "en": "The refund {amount}for order #{order} failed; no money has been moved.",
    },
    "rejected": {
        "zh": "订单 #{order} 的退款 {amount}未获批准，没有退款。",
        "en": "The refund {amount}for order #{order} was declined; no money has been moved.",
    },
    "waiting": {
        "zh": "订单 #{order} 的退款 {amount}正在等待确认，确认之前不会退款。",
        "en": "The refund {amount}for order #{order} is waiting for confirmation; "
        "nothing is paid before that.",
    },
    "review": {
        "zh": "订单 #{order} 的退款 {amount}正在等待客服人员审核，通过之前不会退款。",
        "en": "The refund {amount}for order #{order} is waiting for a colleague to look at it; "
        "nothing is paid before that.",
    },
    "superseded": {
        "zh": "订单 #{order} 有变化，之前的退款申请 {amount}已作废，没有退款。",
        "en": "Order #{order} has changed: the earlier request for a refund {amount}is void, "
        "no money has been moved.",
    },
    "refused": {
        "zh": "订单 #{order} 无法退款。",
        "en": "Order #{order} cannot be refunded.",
    },
}
