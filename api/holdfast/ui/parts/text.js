// @ts-check
// Values as text.

/**
 * Text as it is, everything else as JSON that a person can read.
 * @param {unknown} value
 */
export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value ?? {}, null, 2);
}

/**
 * The first sentence, or what a line of a list holds of it.
 * @param {string} text
 */
export function firstSentence(text) {
  return [...text.trim().split(/(?<=[.!?])\s|(?<=[。！？])|\n/)[0]].slice(0, 80).join("");
}
