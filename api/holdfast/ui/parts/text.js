// @ts-check
// Values of anybody's making: as text, and as what is hoped for.

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

/**
 * @param {unknown} value
 * @returns {Record<string, any>} an empty one for anything else
 */
export function record(value) {
  return value && typeof value === "object" && !Array.isArray(value) ? /** @type {Record<string, any>} */ (value) : {};
}

/**
 * @param {unknown} value
 * @returns {any[]} an empty one for anything else
 */
export function list(value) {
  return Array.isArray(value) ? value : [];
}

/**
 * JSON where it is JSON, else the text.
 * @param {string} text
 */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
