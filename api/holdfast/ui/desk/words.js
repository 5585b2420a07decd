// @ts-check
// Everything the desk says by itself, in one language.
import { CARD } from "../parts/words.js";

/** @typedef {import("./words/en.js").Words & import("../parts/words.js").Words & import("../chat/words/en.js").Words} Words */

/**
 * @param {import("../parts/words.js").Language} language
 * @returns {Promise<Words>}
 */
export async function wordsIn(language) {
  const [chat, desk] = await Promise.all(
    language === "zh"
      ? [import("../chat/words/zh.js"), import("./words/zh.js")]
      : [import("../chat/words/en.js"), import("./words/en.js")],
  );
  return { ...CARD[language], ...chat.words, ...desk.words };
}
