// @ts-check
// A model's text as DOM nodes: paragraphs, lists, bold, code and links. Everything else stays the text it is.
import { h } from "./dom.js";

const INLINE = /`([^`\n]+)`|\*\*([^\n]+?)\*\*|\[([^\]\n]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>"'`)\]，。；！？、）】]+)/g;
const ITEM = /^\s*(?:([-*•])|\d{1,9}[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
const FENCE = /^\s*```/;

/**
 * @param {string} text
 * @returns {HTMLElement[]} the blocks, in order
 */
export function blocks(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  /** @type {HTMLElement[]} */
  const found = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) at += 1;
    else {
      const read = FENCE.test(lines[at]) ? code : ITEM.test(lines[at]) ? list : paragraph;
      const [block, next] = read(lines, at);
      found.push(block);
      at = next;
    }
  }
  return found;
}

/**
 * @param {string[]} lines
 * @param {number} start
 * @returns {[HTMLElement, number]} the block, and the line after it
 */
function code(lines, start) {
  let end = start + 1;
  while (end < lines.length && !FENCE.test(lines[end])) end += 1;
  const text = lines.slice(start + 1, end).join("\n");
  return [h("pre", { tabIndex: 0 }, h("code", {}, text)), end + 1];
}

/**
 * @param {string[]} lines
 * @param {number} start
 * @returns {[HTMLElement, number]}
 */
function list(lines, start) {
  const bullets = Boolean(ITEM.exec(lines[start])?.[1]);
  const items = [];
  let end = start;
  for (; end < lines.length; end += 1) {
    const item = ITEM.exec(lines[end]);
    if (!item || Boolean(item[1]) !== bullets) break;
    items.push(h("li", { dir: "auto" }, ...inline(item[2])));
  }
  const first = Number.parseInt(lines[start].trim(), 10);
  return [bullets ? h("ul", {}, ...items) : h("ol", { start: first }, ...items), end];
}

/**
 * @param {string[]} lines
 * @param {number} start
 * @returns {[HTMLElement, number]}
 */
function paragraph(lines, start) {
  const heading = HEADING.exec(lines[start]);
  if (heading) return [h("p", { dir: "auto" }, h("strong", {}, ...inline(heading[1]))), start + 1];
  let end = start;
  while (end < lines.length && lines[end].trim() && !ITEM.test(lines[end]) && !FENCE.test(lines[end])) end += 1;
  return [h("p", { dir: "auto" }, ...inline(lines.slice(start, end).join("\n"))), end];
}

/**
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function inline(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(text.slice(at, match.index), piece(match));
    at = match.index + match[0].length;
  }
  found.push(text.slice(at));
  return found;
}

/** @param {RegExpMatchArray} match */
function piece([whole, quoted, bold, label, address, bare]) {
  if (quoted) return h("code", {}, quoted);
  if (bold) return h("strong", {}, ...inline(bold));
  return link(label ?? bare, address ?? bare) ?? whole;
}

/**
 * @param {string} label
 * @param {string} address
 * @returns {HTMLElement | null} null for an address that is not of the web
 */
function link(label, address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !["http:", "https:"].includes(url.protocol)) return null;
  return h("a", { href: url.href, title: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}
