// @ts-check
// The conversation as elements, one for each item, kept as long as the item is and touched only where it changes:
// what a frame costs does not grow with the conversation.
import { h, icon } from "../parts/dom.js";
import { anchor, parse } from "../parts/markup.js";
import { parsed, pretty } from "../parts/text.js";
import { timesIn } from "./times.js";

/**
 * @typedef {import("./transcript.js").Item} Item
 * @typedef {import("./transcript.js").Words} Said
 * @typedef {import("./transcript.js").Card} Card
 * @typedef {{element: HTMLElement, item: Item, body: HTMLElement, sources: string[]}} Shown
 */

const BATCH = 25; // items that the browser lays out together, and leaves alone while they are out of sight
const CHEVRON = "M7 5l5 5-5 5";
const MARKS = {
  running: "M10 3a7 7 0 1 1-7 7",
  done: "M4 10.5l4 4 8-9",
  failed: "M10 4.5v7M10 15v.5",
  stopped: "M5 10h10",
};

export class Messages {
  /** @type {Map<string, Shown>} */
  #shown = new Map();

  /**
   * @param {HTMLElement} root
   * @param {import("./layout.js").Words} words
   * @param {(id: string) => void} again sends what could not be sent
   * @param {import("./times.js").Times} [times]
   */
  constructor(root, words, again, times = timesIn(navigator.language)) {
    this.root = root;
    this.words = words;
    this.times = times;
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
    for (let page = 0; page * BATCH < items.length; page += 1) {
      const root = this.root.children[page] ?? this.root.appendChild(h("div", { className: "page" }));
      this.#fill(root, items.slice(page * BATCH, (page + 1) * BATCH));
    }
    while (this.root.children.length * BATCH >= items.length + BATCH) this.root.lastChild?.remove();
  }

  /**
   * @param {Element} root
   * @param {Item[]} items
   */
  #fill(root, items) {
    let at = root.firstChild;
    for (const item of items) {
      const element = this.#draw(item);
      if (element === at) at = at.nextSibling;
      else root.insertBefore(element, at);
    }
  }

  /**
   * @param {string} key
   * @param {string} text
   */
  grow(key, text) {
    const shown = this.#shown.get(key);
    if (shown) say(shown, text);
  }

  /**
   * @param {Item} item
   * @returns {HTMLElement} the one it has already, when there is one
   */
  #draw(item) {
    const known = this.#shown.get(item.key);
    if (known && alike(known.item, item)) return known.element;
    const element = known?.element ?? h(item.kind === "call" ? "details" : "article");
    const shown = known ?? { element, item, body: h("div", { className: "body" }), sources: [] };
    shown.item = item;
    this.#shown.set(item.key, shown);
    if (item.kind === "call") this.#drawCall(element, item);
    else if (item.kind === "human" || item.kind === "ai") this.#drawWords(shown, item);
    else {
      element.className = `line ${item.kind}`;
      element.textContent = this.#line(item);
    }
    return element;
  }

  /** @param {Exclude<Item, Said | Card>} item */
  #line(item) {
    if (item.kind === "day") return this.times.day(item.time ?? 0);
    if (item.kind === "new") return this.words.unread;
    return this.words[item.what].replace("{}", item.who);
  }

  /**
   * @param {Shown} shown
   * @param {Said} item
   */
  #drawWords(shown, item) {
    const { words } = this;
    const { element, body } = shown;
    const { kind, state, streaming, speaker, labeled, text, sources, time, timed } = item;
    element.className = ["message", kind, state, streaming && "streaming", speaker && "person"].filter(Boolean).join(" ");
    const name = kind === "human" ? words.you : speaker || words.assistant;
    const by = h("span", { className: labeled ? "by" : "unseen" }, labeled ? name : `${name}: `);
    if (kind === "ai") say(shown, text);
    else body.replaceChildren(h("p", { dir: "auto", className: "plain" }, text));
    const again = h("button", { type: "button", className: "link", onclick: () => this.again(item.key) }, words.again);
    const unsent = state === "failed" && h("p", { className: "unsent" }, `${words.unsent} `, again);
    const at = timed && time && h("time", { dateTime: new Date(time).toISOString() }, h("bdi", {}, this.times.clock(time)));
    const from = sources && h("small", { dir: "auto" }, `${words.sources}: `, ...JSON.parse(sources).flatMap(cite));
    element.replaceChildren(...[by, body, from, at, unsent].filter((one) => one instanceof Node));
  }

  /**
   * A card that says little until it is opened; it stays open when it is drawn again.
   * @param {HTMLElement} element
   * @param {Card} item
   */
  #drawCall(element, { name, args, result, failed, running }) {
    const { words } = this;
    const state = failed ? "failed" : result !== null ? "done" : running ? "running" : "stopped";
    element.className = `call ${state}`;
    const unseen = (/** @type {string} */ text) => h("span", { className: "unseen" }, text);
    const brief = h("span", { className: "brief", dir: "auto" }, briefly(args));
    const mark = h("span", { className: "mark" }, icon(MARKS[state]));
    const label = [unseen(`${words.tool}: `), h("code", { className: "name" }, name), brief, unseen(` ${words.tools[state]}`)];
    const summary = h("summary", {}, mark, ...label, h("span", { className: "chevron" }, icon(CHEVRON)));
    const found = result !== null && part(words.result, parsed(result));
    element.replaceChildren(summary, h("div", { className: "inside" }, part(words.input, args), found));
  }
}

/**
 * Makes the blocks anew from the first that changed: of a text that grows, the last.
 * @param {Shown} shown
 * @param {string} text
 */
function say(shown, text) {
  const { body, sources } = shown;
  const found = parse(text);
  let same = 0;
  while (same < found.length && found[same].source === sources[same]) same += 1;
  while (body.children.length > same) body.lastChild?.remove();
  body.append(...found.slice(same).map(({ make }) => make()));
  shown.sources = found.map(({ source }) => source);
}

/**
 * @param {{title: string, url?: string}} source
 * @param {number} at
 */
function cite({ title, url = "" }, at) {
  return [at ? " · " : "", anchor(title, url) ?? title];
}

/**
 * Arguments come whole or not yet: what they hold does not change.
 * @param {Record<string, any>} one
 * @param {Record<string, any>} other
 */
function alike(one, other) {
  return Object.keys({ ...one, ...other }).every((name) =>
    name === "args" ? !one.args === !other.args : one[name] === other[name],
  );
}

/**
 * @param {string} label
 * @param {unknown} value
 */
function part(label, value) {
  return h("div", {}, h("span", { className: "label" }, label), h("pre", { tabIndex: 0 }, pretty(value)));
}

/** @param {unknown} args */
function briefly(args) {
  if (!args || typeof args !== "object") return "";
  const values = Object.values(args).filter((value) => value !== null && value !== "");
  return values.map((value) => (typeof value === "object" ? "…" : String(value))).join(" · ");
}
