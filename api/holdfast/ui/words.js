// @ts-check
// Everything the chat says by itself.

const EN = {
  title: "Chat",
  greeting: "How can I help?",
  hint: "Ask a question to begin.",
  placeholder: "Write a message",
  message: "Message",
  conversation: "Conversation",
  newest: "To the newest message",
  send: "Send",
  stop: "Stop",
  fresh: "New conversation",
  you: "You",
  assistant: "Assistant",
  thinking: "Thinking",
  lost: "Connection lost. Trying again…",
  offline: "You are offline. The conversation goes on when you are back.",
  unsent: "Not sent.",
  again: "Try again",
  stopped: "Stopped.",
  failed: "Something went wrong, and this could not be finished.",
  refused: "That was not possible:",
  gone: "This conversation is not available any more.",
  tool: "Tool",
  toolRunning: "working",
  toolFailed: "failed",
  toolDone: "done",
  toolStopped: "not finished",
  input: "Input",
  result: "Result",
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
  elsewhere: "This was already decided elsewhere.",
  others: "Waiting for somebody else to decide:",
};

/** @typedef {typeof EN} Words */

/** @type {Words} */
const ZH = {
  title: "对话",
  greeting: "您好，有什么可以帮您？",
  hint: "输入问题，开始对话。",
  placeholder: "输入消息",
  message: "消息",
  conversation: "对话内容",
  newest: "回到最新消息",
  send: "发送",
  stop: "停止",
  fresh: "新对话",
  you: "您",
  assistant: "助手",
  thinking: "正在思考",
  lost: "连接已断开，正在重试…",
  offline: "您已离线，恢复网络后对话会继续。",
  unsent: "未发送。",
  again: "重试",
  stopped: "已停止。",
  failed: "出了点问题，没能完成。",
  refused: "无法完成：",
  gone: "此对话已不可用。",
  tool: "工具",
  toolRunning: "进行中",
  toolFailed: "失败",
  toolDone: "完成",
  toolStopped: "未完成",
  input: "输入",
  result: "结果",
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
  elsewhere: "这件事已在别处处理。",
  others: "等待其他人处理：",
};

/**
 * @param {string | null} [wanted] a language tag; else the browser's languages decide
 * @returns {"en" | "zh"}
 */
export function languageOf(wanted) {
  const tags = wanted ? [wanted] : navigator.languages;
  const known = tags.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag === "zh" || tag === "en");
  return known === "zh" ? "zh" : "en";
}

/**
 * @param {"en" | "zh"} language
 * @returns {Words}
 */
export function wordsOf(language) {
  return language === "zh" ? ZH : EN;
}
