// @ts-check
// Small things that stand for people, and sentences with places to fill.
import { h } from "../parts/dom.js";

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
 * @param {string} label
 * @param {string} className
 * @param {() => void} onclick
 */
export function button(label, className, onclick) {
  return h("button", { type: "button", className, onclick }, label);
}
