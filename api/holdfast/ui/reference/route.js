// @ts-check
// What there is to know of one route, made when it is opened.
import { h } from "../parts/dom.js";
import { blocks } from "../parts/markup.js";
import { curl } from "./curl.js";
import { Schemas } from "./schemas.js";

/**
 * @param {HTMLElement} inside
 * @param {import("./routes.js").Route} route
 * @param {any} spec
 * @param {import("./routes.js").Setting} setting
 */
export function fill(inside, route, spec, setting) {
  const { words } = setting;
  const { told } = route;
  const schemas = new Schemas(spec, words);
  const [, body] = contentOf(told.requestBody);
  inside.append(
    ...blocks(String(told.description ?? told.summary ?? "")),
    ...(told.parameters?.length ? part(words.parameters, h("ul", { className: "fields" }, ...told.parameters.map((/** @type {any} */ one) => parameter(one, schemas, words)))) : []),
    ...(body ? part(words.body, schemas.draw(body.schema)) : []),
    ...part(words.responses, ...Object.entries(told.responses).map(([status, response]) => answer(status, response, schemas))),
    ...part(words.example, example(curl(route, schemas, setting), words)),
  );
}

/**
 * @param {any} given a body or a response
 * @returns {[string, any] | []}
 */
function contentOf(given) {
  const [found] = Object.entries(given?.content ?? {});
  return found ?? [];
}

/**
 * @param {string} title
 * @param {...Node} children
 */
function part(title, ...children) {
  return [h("h3", {}, title), ...children];
}

/**
 * @param {any} told
 * @param {Schemas} schemas
 * @param {import("./words/en.js").Words} words
 */
function parameter(told, schemas, words) {
  const place = /** @type {Record<string, string>} */ (/** @type {unknown} */ (words))[told.in] ?? told.in;
  return schemas.field(told.name, { description: told.description, ...told.schema }, told.required, place);
}

/**
 * @param {string} status
 * @param {any} response
 * @param {Schemas} schemas
 */
function answer(status, response, schemas) {
  const [type, content] = contentOf(response);
  const good = status.startsWith("2") ? "good" : "refusal";
  const summary = [h("b", { className: `code ${good}` }, status), h("span", {}, response.description), type ? h("code", {}, type) : ""];
  const drawable = content?.schema && Object.keys(content.schema).some((key) => !["title", "type"].includes(key));
  if (!drawable) return h("p", { className: "answer" }, ...summary);
  return schemas.later(summary, content.schema, "answer");
}

/**
 * @param {string} text
 * @param {import("./words/en.js").Words} words
 */
function example(text, words) {
  const said = h("span", { role: "status", className: "unseen" });
  const button = h("button", { type: "button", className: "copy" }, words.copy);
  button.onclick = async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = said.textContent = words.copied;
    setTimeout(() => (button.textContent = words.copy), 2000);
  };
  return h("div", { className: "example" }, h("pre", { tabIndex: 0 }, text), button, said);
}
