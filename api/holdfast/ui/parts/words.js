// @ts-check
// What stands on a card that waits for an answer, on every page.

/** @typedef {"en" | "zh"} Language */

const EN = {
  question: "A question for you",
  confirm: "Please confirm",
  quoted: "quoted",
  approve: "Approve",
  edit: "Change",
  reject: "Decline",
  approveEdited: "Approve with changes",
  back: "Back",
  reason: "Why? (may be left empty)",
  highest: "At most",
  lowest: "At least",
  unfit: "This value is not possible here.",
  unchanged: "Nothing was changed.",
  answer: "Your answer",
  reply: "Answer",
  respond: "Reply",
  others: "Waiting for somebody else to decide:",
  assistant: "Assistant",
};

/** @typedef {typeof EN} Words */

/** @type {Words} */
const ZH = {
  question: "有一个问题需要您回答",
  confirm: "请确认",
  quoted: "引用",
  approve: "同意",
  edit: "修改",
  reject: "拒绝",
  approveEdited: "按修改后的内容同意",
  back: "返回",
  reason: "原因（可不填）",
  highest: "最多",
  lowest: "至少",
  unfit: "这里不能填这个值。",
  unchanged: "内容没有变化。",
  answer: "您的回答",
  reply: "回答",
  respond: "回复",
  others: "等待其他人处理：",
  assistant: "助手",
};

/** @type {Record<Language, Words>} */
export const CARD = { en: EN, zh: ZH };
