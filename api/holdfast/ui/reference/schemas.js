// @ts-check
// JSON schemas as lists of fields. What is nested is drawn when it is opened, so that a schema may hold itself.
import { h } from "../parts/dom.js";

const DEPTH = 4; // of an example

export class Schemas {
  /**
   * @param {any} spec
   * @param {import("./words/en.js").Words} words
   */
  constructor(spec, words) {
    this.spec = spec;
    this.words = words;
  }

  /**
   * The schema that is meant: a reference is followed, and that a value may be null is left out.
   * @param {any} schema
   * @returns {any}
   */
  resolve(schema) {
    const name = schema?.$ref?.split("/").at(-1);
    if (name) return { ...this.resolve(this.spec.components.schemas[name]), ...without(schema, "$ref") };
    const choices = choicesOf(schema).filter((one) => one.type !== "null");
    if (choices.length === 1) return { ...this.resolve(choices[0]), ...without(schema, "anyOf", "oneOf", "allOf") };
    return schema ?? {};
  }

  /**
   * @param {any} given
   * @returns {HTMLElement}
   */
  draw(given) {
    const schema = this.resolve(given);
    if (schema.type === "array") return h("div", {}, h("p", { className: "type" }, this.type(schema)), this.draw(schema.items));
    const fields = Object.entries(schema.properties ?? {});
    const more = typeof schema.additionalProperties === "object" ? [[`… ${this.words.others}`, schema.additionalProperties]] : [];
    if (fields.length + more.length === 0) return this.#choices(schema);
    const required = new Set(schema.required);
    return h("ul", { className: "fields" }, ...[...fields, ...more].map(([name, one]) => this.field(name, one, required.has(name))));
  }

  /** @param {any} schema */
  #choices(schema) {
    const choices = choicesOf(schema).filter((one) => one.type !== "null");
    if (choices.length === 0) return h("p", { className: "type" }, this.type(schema));
    const list = h("ul", { className: "fields" }, ...choices.map((one) => this.field("", one)));
    return h("div", {}, h("p", { className: "type" }, this.words.oneOf), list);
  }

  /**
   * @param {string} name
   * @param {any} given
   * @param {boolean} [required]
   * @param {string} [place]
   */
  field(name, given, required, place) {
    const { words } = this;
    const schema = this.resolve(given);
    const head = [
      name && h("code", { className: "name" }, name),
      h("span", { className: "type" }, this.type(schema), limits(schema)),
      place && h("span", { className: "type" }, place),
      required && h("span", { className: "required" }, words.required),
      schema.default !== undefined && schema.default !== null && h("span", { className: "type" }, `${words.default} ${JSON.stringify(schema.default)}`),
      schema.description && h("span", { className: "about" }, ...quoted(schema.description)),
    ].filter((one) => one instanceof Node);
    return h("li", {}, this.#nested(schema) ? this.later(head, schema, "row") : h("p", { className: "row" }, ...head));
  }

  /**
   * What is drawn when it is opened.
   * @param {(Node | string)[]} summary
   * @param {any} schema
   * @param {string} className
   */
  later(summary, schema, className) {
    const element = h("details", {}, h("summary", { className }, ...summary));
    element.addEventListener("toggle", () => element.childElementCount > 1 || element.append(this.draw(schema)), { once: true });
    return element;
  }

  /**
   * @param {any} schema
   * @returns {boolean}
   */
  #nested(schema) {
    if (schema.properties || typeof schema.additionalProperties === "object") return true;
    if (schema.type === "array") return this.#nested(this.resolve(schema.items));
    return choicesOf(schema).some((one) => this.#nested(this.resolve(one)));
  }

  /**
   * @param {any} given
   * @returns {string} in a few words
   */
  type(given) {
    const schema = this.resolve(given);
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((/** @type {unknown} */ one) => JSON.stringify(one)).join(" | ");
    if (schema.type === "array") {
      const of = this.type(schema.items ?? {});
      return of.includes(" ") ? `(${of})[]` : `${of}[]`;
    }
    const choices = choicesOf(schema).filter((one) => one.type !== "null");
    if (choices.length) return [...new Set(choices.map((one) => this.type(one)))].join(" | ");
    if (!schema.type) return this.words.anything;
    return [schema.properties ? schema.title : schema.type, schema.format && `(${schema.format})`].filter(Boolean).join(" ");
  }

  /**
   * A value that fits, as small as it can be.
   * @param {any} given
   * @param {number} [depth]
   * @returns {unknown}
   */
  example(given, depth = 0) {
    const schema = this.resolve(given);
    if (schema.examples?.length) return schema.examples[0];
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    const [choice] = choicesOf(schema);
    if (choice) return this.example(choice, depth + 1);
    if (schema.type === "array") return depth < DEPTH && schema.minItems ? [this.example(schema.items, depth + 1)] : [];
    if (schema.type === "object") {
      const fields = depth < DEPTH ? (schema.required ?? []) : [];
      return Object.fromEntries(fields.map((/** @type {string} */ name) => [name, this.example(schema.properties?.[name], depth + 1)]));
    }
    return { string: schema.format === "uuid" ? "00000000-0000-4000-8000-000000000000" : "…", integer: schema.minimum ?? 1, number: schema.minimum ?? 1, boolean: true }[/** @type {string} */ (schema.type)] ?? {};
  }
}

/**
 * @param {any} schema
 * @returns {any[]}
 */
function choicesOf(schema) {
  return schema?.anyOf ?? schema?.oneOf ?? schema?.allOf ?? [];
}

/**
 * How large a number, how long a text or how many items.
 * @param {any} schema
 */
function limits(schema) {
  const low = schema.minimum ?? schema.minLength ?? schema.minItems;
  const high = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  if (high === undefined) return low ? `, ≥ ${low}` : "";
  return low ? `, ${low}–${high}` : `, ≤ ${high}`;
}

/**
 * A text with the code in it.
 * @param {string} text
 */
function quoted(text) {
  return text.split("\x60").map((part, place) => (place % 2 ? h("code", {}, part) : part));
}

/**
 * @param {any} schema
 * @param {...string} names
 */
function without(schema, ...names) {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)));
}
