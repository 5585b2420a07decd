// @ts-check
// What is asked, as figures: facts and tables are the server's, quotes somebody's words.
import { h, icon } from "./dom.js";
import { list, pretty, record } from "./text.js";

/** @typedef {import("./words.js").Words} Words */

const ALERT = "M10 3.5l7.5 13h-15zM10 8.5v3.5M10 14.2v.3";

/** @param {unknown} payload of the interrupt */
export function actionsOf(payload) {
  return list(record(payload).action_requests).map(record);
}

/**
 * @param {unknown} payload
 * @param {Words} words
 */
export function titleOf(payload, words) {
  const title = record(record(payload).display).title;
  return String(title ?? (actionsOf(payload).length ? words.confirm : words.question));
}

/**
 * @param {unknown} payload
 * @param {Words} words
 * @returns {HTMLElement[]}
 */
export function figuresOf(payload, words) {
  const display = record(record(payload).display);
  const facts = list(display.facts).map(record);
  const main = mainOf(facts);
  const others = facts.filter((one) => one !== main && one.kind !== "notice");
  const notices = facts.filter((one) => one.kind === "notice");
  const figures = [
    main && h("p", { className: "figure" }, h("span", {}, String(main.label)), h("strong", {}, String(main.value))),
    others.length > 0 && h("dl", { className: "facts" }, ...others.flatMap(fact)),
    ...list(display.tables).map((one) => table(record(one))),
    ...list(display.quotes)
      .map(record)
      .map(({ source = "", text = "" }) => quote(source, text, words)),
    ...notices.map((one) => h("p", { className: "notice" }, icon(ALERT), String(one.value))),
  ].filter((one) => one instanceof Node);
  return figures.length ? figures : wordsOf(payload, words);
}

/**
 * The fact that matters most: the first sum of money.
 * @param {Record<string, any>[]} facts
 */
export function mainOf(facts) {
  return facts.find((fact) => fact.kind === "money");
}

/**
 * A question without figures of its own: all of it is somebody's words.
 * @param {unknown} payload
 * @param {Words} words
 */
function wordsOf(payload, words) {
  const actions = actionsOf(payload);
  if (actions.length === 0) return [quote(words.assistant, pretty(record(payload).question ?? payload), words)];
  return actions.map((one) => quote(one.name, one.description ?? pretty(one.args), words));
}

/**
 * @param {unknown} source
 * @param {unknown} text
 * @param {Words} words
 */
function quote(source, text, words) {
  const caption = h("figcaption", {}, String(source), h("span", { className: "tag" }, words.quoted));
  return h("figure", { className: "quote" }, caption, h("blockquote", { dir: "auto" }, String(text)));
}

/** @param {Record<string, any>} one */
function fact(one) {
  const about = { className: String(one.kind ?? ""), dir: "auto" };
  return [h("dt", {}, String(one.label ?? "")), h("dd", about, String(one.value ?? ""))];
}

/** @param {Record<string, any>} given */
function table({ title, columns, rows }) {
  const labels = list(columns).map((column) => String(record(column).label ?? column));
  const head = h("thead", {}, h("tr", {}, ...labels.map((label) => h("th", { scope: "col" }, label))));
  const lines = list(rows).map((row) => list(row).map((cell) => h("td", { dir: "auto" }, String(cell))));
  const body = h("tbody", {}, ...lines.map((cells) => h("tr", {}, ...cells)));
  const caption = title && h("caption", {}, String(title));
  return h("div", { className: "table", tabIndex: 0 }, h("table", {}, caption, head, body));
}
