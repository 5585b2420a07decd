// @ts-check
// Values as text.

/**
 * Text as it is, everything else as JSON that a person can read.
 * @param {unknown} value
 */
export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value ?? {}, null, 2);
}
