// @ts-check
// Small things that stand for people, and sentences with places to fill.
import { h, icon } from "../parts/dom.js";

const BACK = "M12.5 4.5L7 10l5.5 5.5";

/**
 * A sentence with what belongs in its `{places}`.
 * @param {string} sentence
 * @param {Record<string, unknown>} given
 */
export function fill(sentence, given) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(given[name] ?? whole));
}

/**
 * A person's first letter in a color that is always the same.
 * @param {string} name
 */
export function face(name) {
  const sum = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 997, 7);
  return h("span", { className: `face f${sum % 6}`, "aria-hidden": "true" }, ([...name][0] ?? "?").toUpperCase());
}

/**
 * To the list, where the screen has room for one thing.
 * @param {import("./words.js").Words} words
 * @param {string} href
 */
export function backLink(words, href) {
  return h("a", { href, className: "back", "aria-label": words.backToList }, icon(BACK));
}
