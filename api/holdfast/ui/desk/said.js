// @ts-check
// What was said last in a conversation, from the values of its thread.
import { list, record } from "../parts/text.js";

/** @param {unknown} values of a thread */
export function lastSaid(values) {
  const message = list(record(values).messages)
    .map(record)
    .findLast((one) => ["human", "ai"].includes(one.type) && text(one.content));
  return message ? text(message.content).slice(0, 160) : "";
}

/**
 * @param {unknown} content
 * @returns {string}
 */
function text(content) {
  return typeof content === "string"
    ? content
    : list(content)
        .map((part) => String(record(part).text ?? ""))
        .join(" ");
}
