// @ts-check
// Elements as function calls. Text is always a text node: nothing here reads markup.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element with properties (`className`, `onclick`...) and attributes (names with a dash, and `role`).
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [given]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else Reflect.set(element, name, value);
  }
  element.append(...children.filter(isNode));
  return element;
}

/**
 * @param {Child} child
 * @returns {child is Node | string}
 */
function isNode(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

/** @param {string} href */
export function stylesheet(href) {
  return h("link", { rel: "stylesheet", href });
}

/**
 * Resolves when a style sheet counts, or cannot be had.
 * @param {HTMLLinkElement} style
 */
export function loaded(style) {
  return new Promise((resolve) => (style.onload = style.onerror = resolve));
}

/**
 * An element with a style sheet that is loaded with it; it is hidden until then.
 * @param {HTMLElement} element
 * @param {string} href
 */
export function styled(element, href) {
  const style = stylesheet(href);
  element.hidden = true;
  element.append(style);
  return loaded(style).then(() => (element.hidden = false));
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * A drawing of 20 by 20 units in the color of the text around it.
 * @param {string} path
 */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}

/**
 * A button that is a drawing.
 * @param {string} label
 * @param {string} className
 * @param {string} path
 * @param {Record<string, unknown>} [more]
 */
export function iconButton(label, className, path, more = {}) {
  return h("button", { type: "button", className, title: label, "aria-label": label, ...more }, icon(path));
}

/**
 * A button with its name on it.
 * @param {string} label
 * @param {string} className
 * @param {() => void} [onclick] none: it submits its form
 */
export function button(label, className, onclick) {
  return h("button", { type: onclick ? "button" : "submit", className, onclick }, label);
}
