// @ts-check
// A model's text as DOM nodes: paragraphs, lists, emphasis, code and links. Everything else stays the text it is.
import { h } from "./dom.js";

/** @typedef {{source: string, make: () => HTMLElement}} Block */

const INLINE =
  /`([^`\n]+)`|\*\*([^\n]+?)\*\*|\*(?![\s*])([^*\n]*[^\s*])\*|(?<!\w)_(?![\s_])([^_\n]*[^\s_])_(?!\w)|\[([^\]\n]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>"'`)\]，。；！？、）】]+)/g;
const ITEM = /^(\s*)(?:([-*•])|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
const FENCE = /^\s*```/;

/**
 * @param {string} text
 * @returns {HTMLElement[]} the blocks, in order
 */
export function blocks(text) {
  return parse(text).map(({ make }) => make());
}

/**
 * The blocks with what they are made from: whoever shows a growing text again makes only those that changed.
 * @param {string} text
 * @returns {Block[]}
 */
export function parse(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  /** @type {Block[]} */
  const found = [];
  for (let at = 0; at < lines.length; ) {
    const [make, end] = !lines[at].trim() ? [null, at + 1] : FENCE.test(lines[at]) ? fence(lines, at) : block(lines, at);
    const own = lines.slice(at, end);
    if (make) found.push({ source: own.join("\n"), make: () => make(own) });
    at = end;
  }
  return found;
}

/**
 * @param {string[]} lines
 * @param {number} start
 * @returns {[(own: string[]) => HTMLElement, number]} what makes the block, and the line after it
 */
function fence(lines, start) {
  let end = start + 1;
  while (end < lines.length && !FENCE.test(lines[end])) end += 1;
  return [code, Math.min(end + 1, lines.length)];
}

/**
 * @param {string[]} lines
 * @param {number} start
 * @returns {[(own: string[]) => HTMLElement, number]}
 */
function block(lines, start) {
  if (HEADING.test(lines[start])) return [heading, start + 1];
  const listed = ITEM.test(lines[start]);
  let end = start;
  while (end < lines.length && lines[end].trim() && ITEM.test(lines[end]) === listed && !FENCE.test(lines[end])) end += 1;
  return [listed ? listOf : (own) => h("p", { dir: "auto" }, ...inline(own.join("\n"))), end];
}

/** @param {string[]} own */
function code([, ...lines]) {
  if (FENCE.test(lines.at(-1) ?? "")) lines.pop();
  return h("pre", { tabIndex: 0 }, h("code", {}, lines.join("\n")));
}

/** @param {string[]} own */
function heading([line]) {
  return h("p", { dir: "auto" }, h("strong", {}, ...inline(line.replace(HEADING, "$1"))));
}

/**
 * A list, in which what is indented further is a list in the item before it.
 * @param {string[]} own
 */
function listOf(own) {
  const root = h("div");
  /** @type {{depth: number, list: HTMLElement}[]} from the outermost to the innermost that is still open */
  let open = [];
  for (const line of own) {
    const [, { length: depth }, bullet, number, text] = /** @type {RegExpExecArray} */ (ITEM.exec(line));
    const tag = bullet ? "UL" : "OL";
    open = open.filter((one) => one.depth < depth || (one.depth === depth && one.list.tagName === tag));
    if (open.at(-1)?.depth !== depth) {
      const inner = bullet ? h("ul") : h("ol", { start: Number(number) });
      (open.at(-1)?.list.lastElementChild ?? root).append(inner);
      open.push({ depth, list: inner });
    }
    open.at(-1)?.list.append(h("li", { dir: "auto" }, ...inline(text)));
  }
  return root;
}

/**
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function inline(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(text.slice(at, match.index), styledText(match));
    at = match.index + match[0].length;
  }
  found.push(text.slice(at));
  return found;
}

/** @param {RegExpMatchArray} match */
function styledText([whole, quoted, bold, starred, underlined, label, address, bare]) {
  if (quoted) return h("code", {}, quoted);
  if (bold) return h("strong", {}, ...inline(bold));
  if (starred ?? underlined) return h("em", {}, ...inline(starred ?? underlined));
  return anchor(label ?? bare, address ?? bare) ?? whole;
}

/**
 * @param {string} label
 * @param {string} address
 * @returns {HTMLElement | null} null for an address that is not of the web
 */
export function anchor(label, address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !["http:", "https:"].includes(url.protocol)) return null;
  return h("a", { href: url.href, title: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}
