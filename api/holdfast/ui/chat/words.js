// @ts-check
// The chat's words in both languages at once, for a page that has them all; the chat itself loads those of one.
import { CARD } from "../parts/words.js";
import { words as en } from "./words/en.js";
import { words as zh } from "./words/zh.js";

/** @typedef {typeof CARD.en & typeof en} Words */

/**
 * @param {"en" | "zh"} language
 * @returns {Words}
 */
export function wordsOf(language) {
  return { ...CARD[language], ...(language === "zh" ? zh : en) };
}
