// @ts-check
// The conversation as elements, one for each item, kept as long as the item is.
import { h, icon } from "../parts/dom.js";
import { blocks } from "../parts/markup.js";
import { pretty } from "../parts/text.js";

/**
 * @typedef {import("./transcript.js").Item} Item
 * @typedef {import("./transcript.js").Words} Said
 * @typedef {import("./transcript.js").Card} Card
 */

const CHEVRON = "M7 5l5 5-5 5";
const MARKS = {
  running: "M10 3a7 7 0 1 1-7 7",
  done: "M4 10.5l4 4 8-9",
  failed: "M10 4.5v7M10 15v.5",
  stopped: "M5 10h10",
};

export class Messages {
  /** @type {Map<string, {element: HTMLElement, drawn: string}>} */
  #shown = new Map();

  /**
   * @param {HTMLElement} root
   * @param {import("./words.js").Words} words
   * @param {(id: string) => void} again sends what could not be sent
   */
  constructor(root, words, again) {
    this.root = root;
    this.words = words;
    this.again = again;
  }

  /** @param {Item[]} items */
  show(items) {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    items.forEach((item, place) => {
      const element = this.#draw(item);
      if (this.root.children[place] !== element) this.root.insertBefore(element, this.root.children[place] ?? null);
    });
  }

  /**
   * @param {Item} item
   * @returns {HTMLElement} the one it has already, when there is one
   */
  #draw(item) {
    const drawn = JSON.stringify(item);
    const known = this.#shown.get(item.key);
    if (known?.drawn === drawn) return known.element;
    const element = known?.element ?? h(item.kind === "call" ? "details" : "article");
    this.#shown.set(item.key, { element, drawn });
    if (item.kind === "call") this.#drawCall(element, item);
    else this.#drawWords(element, item);
    return element;
  }

  /**
   * @param {HTMLElement} element
   * @param {Said} item
   */
  #drawWords(element, item) {
    const { words } = this;
    element.className = ["message", item.kind, item.state ?? "", item.streaming ? "streaming" : ""].join(" ").trim();
    const speaker = h("span", { className: "unseen" }, `${item.kind === "human" ? words.you : words.assistant}: `);
    const said = item.kind === "ai" ? blocks(item.text) : [h("p", { dir: "auto", className: "plain" }, item.text)];
    const again = h("button", { type: "button", className: "link", onclick: () => this.again(item.key) }, words.again);
    const unsent = item.state === "failed" && h("p", { className: "unsent" }, `${words.unsent} `, again);
    element.replaceChildren(speaker, ...said, ...(unsent ? [unsent] : []));
  }

  /**
   * A card that says little until it is opened; it stays open when it is drawn again.
   * @param {HTMLElement} element
   * @param {Card} item
   */
  #drawCall(element, { call, running }) {
    const { words } = this;
    const state = call.failed ? "failed" : call.result !== null ? "done" : running ? "running" : "stopped";
    const { toolFailed: failed, toolDone: done, toolRunning, toolStopped: stopped } = words;
    const said = { failed, done, running: toolRunning, stopped };
    element.className = `call ${state}`;
    const name = h("code", { className: "name" }, call.name);
    const brief = h("span", { className: "brief", dir: "auto" }, briefly(call.args));
    const mark = h("span", { className: "mark" }, icon(MARKS[state]));
    const unseen = h("span", { className: "unseen" }, `${words.tool}: `);
    const status = h("span", { className: "unseen" }, ` ${said[state]}`);
    const chevron = h("span", { className: "chevron" }, icon(CHEVRON));
    const summary = h("summary", {}, mark, unseen, name, brief, status, chevron);
    const input = part(words.input, call.args);
    const result = call.result !== null && part(words.result, parsed(call.result));
    element.replaceChildren(summary, h("div", { className: "inside" }, input, result));
  }
}

/**
 * @param {string} label
 * @param {unknown} value
 */
function part(label, value) {
  return h("div", {}, h("span", { className: "label" }, label), h("pre", {}, pretty(value)));
}

/** @param {unknown} args */
function briefly(args) {
  if (!args || typeof args !== "object") return "";
  const values = Object.values(args).filter((value) => value !== null && value !== "");
  return values.map((value) => (typeof value === "object" ? "…" : String(value))).join(" · ");
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
