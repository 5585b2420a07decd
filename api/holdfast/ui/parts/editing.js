// @ts-check
// The fields of a change, from the schema that says what may be changed and how far.
import { h } from "./dom.js";
import { parsed } from "./text.js";

/**
 * @typedef {Record<string, any>} Json
 * @typedef {{name: string, was: unknown, rule: Json, element: HTMLElement, input: HTMLInputElement, problem: HTMLElement}} Field
 */

/**
 * A field for each argument that is not fixed.
 * @param {Json} args
 * @param {Json} properties of the JSON schema; empty: every argument may be changed
 * @param {import("./words.js").Words} words
 * @returns {Field[]}
 */
export function decisionFields(args, properties, words) {
  const names = Object.keys(properties).length ? Object.keys(properties) : Object.keys(args);
  return names
    .filter((name) => !("const" in (properties[name] ?? {})))
    .map((name) => field(name, args[name], properties[name] ?? {}, words));
}

/**
 * @param {string} name
 * @param {unknown} was
 * @param {Json} rule
 * @param {import("./words.js").Words} words
 * @returns {Field}
 */
function field(name, was, rule, words) {
  const value = typeof was === "object" && was !== null ? JSON.stringify(was) : String(was ?? "");
  const input = h("input", { type: "text", value, autocomplete: "off", inputMode: bounded(rule) ? "decimal" : "text" });
  const bounds = [
    rule.minimum !== undefined && `${words.lowest} ${number(rule.minimum)}`,
    rule.maximum !== undefined && `${words.highest} ${number(rule.maximum)}`,
  ].filter(Boolean);
  const problem = h("span", { className: "problem", role: "alert" });
  const label = h("label", { className: "field" }, String(rule.title ?? name), input);
  const hint = bounds.length > 0 && h("span", { className: "hint" }, bounds.join(", "));
  return { name, was, rule, input, problem, element: h("div", { className: "editing" }, label, hint, problem) };
}

/**
 * The values as they were typed, each of its old kind: text stays text, so that no amount is rounded.
 * @param {Field[]} fields
 * @param {import("./words.js").Words} words
 * @returns {Json | null} null when one does not fit, which its field then says
 */
export function readFields(fields, words) {
  /** @type {Json} */
  const read = {};
  let fits = true;
  for (const { name, was, rule, input, problem } of fields) {
    const text = input.value.trim();
    const good = fitting(text, rule);
    input.setAttribute("aria-invalid", String(!good));
    problem.textContent = good ? "" : words.unfit;
    if (!good && fits) input.focus();
    fits &&= good;
    read[name] = typeof was === "string" ? text : parsed(text);
  }
  return fits ? read : null;
}

/**
 * @param {string} text
 * @param {Json} rule
 */
function fitting(text, rule) {
  if (!text) return false;
  if (bounded(rule) && !within(Number(text), rule)) return false;
  if (Array.isArray(rule.enum) && !rule.enum.map(String).includes(text)) return false;
  return typeof rule.pattern !== "string" || matches(rule.pattern, text);
}

/**
 * @param {string} pattern
 * @param {string} text
 */
function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    // A pattern of another language: the server will tell.
    return true;
  }
}

/** @param {Json} rule */
function bounded(rule) {
  return ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"].some((bound) => rule[bound] !== undefined);
}

/**
 * @param {number} typed
 * @param {Json} rule
 */
function within(typed, rule) {
  const { minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity, exclusiveMaximum = Infinity } = rule;
  return Number.isFinite(typed) && typed >= minimum && typed > exclusiveMinimum && typed <= maximum && typed < exclusiveMaximum;
}

/** @param {number} bound */
function number(bound) {
  return bound.toLocaleString(undefined, { maximumFractionDigits: 6 });
}
