// @ts-check
// Everything the desk says by itself, in one language.
import { wordsOf } from "../chat/words.js";

/** @typedef {import("./words/en.js").Words & import("../chat/words.js").Words} Words */

/**
 * @param {import("../parts/words.js").Language} language
 * @returns {Promise<Words>}
 */
export async function wordsIn(language) {
  const { words } = await (language === "zh" ? import("./words/zh.js") : import("./words/en.js"));
  return { ...wordsOf(language), ...words };
}
