// @ts-check
// Everything the chat says by itself.
import { CARD } from "../parts/words.js";

const EN = {
  ...CARD.en,
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
  elsewhere: "This was already decided elsewhere.",
};

/** @typedef {typeof EN} Words */

/** @type {Words} */
const ZH = {
  ...CARD.zh,
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
  elsewhere: "这件事已在别处处理。",
};

/**
 * @param {"en" | "zh"} language
 * @returns {Words}
 */
export function wordsOf(language) {
  return language === "zh" ? ZH : EN;
}
