// @ts-check
// All routes by their tags, what is searched among them, and one of them by its address.
import { h } from "../parts/dom.js";
import { fill } from "./route.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

/**
 * @typedef {{words: import("./words/en.js").Words, address: string, closed: boolean}} Setting
 * @typedef {{id: string, method: string, path: string, tag: string, told: any}} Route
 * @typedef {{route: Route, element: HTMLDetailsElement, entry: HTMLElement, text: string}} Shown
 */

export class Routes {
  /** @type {Shown[]} */
  #shown;

  /**
   * @param {any} spec
   * @param {Setting} setting
   */
  constructor(spec, setting) {
    const { words } = setting;
    this.#shown = routesOf(spec).map((route) => shown(route, spec, setting));
    this.search = h("input", { type: "search", placeholder: words.hint, oninput: () => this.#find() });
    this.count = h("p", { className: "count", role: "status" });
    this.words = words;
    this.groups = groups(this.#shown);
    const search = h("label", { className: "field" }, h("span", { className: "unseen" }, words.search), this.search);
    const nav = h("nav", { "aria-label": words.title, tabIndex: 0 }, ...this.groups.map(({ list }) => list));
    const body = h("div", { className: "routes" }, ...this.groups.map(({ section }) => section));
    this.elements = [h("div", { className: "side" }, search, this.count, nav), body];
    this.#find();
  }

  /** @param {string} id */
  open(id) {
    const found = this.#shown.find(({ route }) => route.id === id);
    if (!found) return;
    if (found.element.hidden) (this.search.value = ""), this.#find();
    found.element.open = true;
    found.element.scrollIntoView();
    found.element.querySelector("summary")?.focus({ preventScroll: true });
  }

  /** Shows what has every word that is searched for. */
  #find() {
    const wanted = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { element, entry, text } of this.#shown) {
      const fits = wanted.every((word) => text.includes(word));
      element.hidden = entry.hidden = !fits;
      count += Number(fits);
    }
    for (const { members, list, section } of this.groups) {
      list.hidden = section.hidden = members.every(({ element }) => element.hidden);
    }
    this.count.textContent = count ? `${count} ${this.words.found}` : this.words.none;
  }
}

/**
 * @param {any} spec
 * @returns {Route[]}
 */
function routesOf(spec) {
  return Object.entries(spec.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => method in methods).map((method) => {
      const told = methods[method];
      return { id: told.operationId, method, path, tag: told.tags?.[0] ?? "", told };
    }),
  );
}

/**
 * @param {Route} route
 * @param {any} spec
 * @param {Setting} setting
 * @returns {Shown}
 */
function shown(route, spec, setting) {
  const { id, method, path, tag, told } = route;
  const about = String(told.description ?? told.summary ?? "");
  const [first] = about.split("\n");
  const summary = h("summary", {}, verb(method), h("code", {}, ...breakable(path)), h("span", { className: "brief" }, first.replaceAll("\x60", "")));
  const inside = h("div", { className: "inside" });
  const element = h("details", { className: "route", id }, summary, inside);
  element.addEventListener("toggle", () => {
    if (!element.open) return;
    if (!inside.hasChildNodes()) fill(inside, route, spec, setting);
    history.replaceState(null, "", `#${id}`);
  });
  const entry = h("li", {}, h("a", { href: `#${id}` }, verb(method), h("span", {}, ...breakable(path))));
  return { route, element, entry, text: `${method} ${path} ${tag} ${about}`.toLowerCase() };
}

/** @param {Shown[]} all */
function groups(all) {
  return [...new Set(all.map(({ route }) => route.tag))].map((tag) => {
    const members = all.filter(({ route }) => route.tag === tag);
    const list = h("div", {}, h("p", { className: "tag-name" }, tag), h("ul", {}, ...members.map(({ entry }) => entry)));
    const section = h("section", { "aria-label": tag }, h("h2", {}, tag), ...members.map(({ element }) => element));
    return { members, list, section };
  });
}

/** @param {string} method */
function verb(method) {
  return h("b", { className: `verb ${method}` }, method.toUpperCase());
}

/**
 * A path that may be broken before its slashes.
 * @param {string} path
 */
function breakable(path) {
  return path.split(/(?=\/)/).flatMap((part) => [document.createElement("wbr"), part]);
}
