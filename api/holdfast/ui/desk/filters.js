// @ts-check
// Which approvals are listed, and in what order: for the server's list, and for what its feed tells.
import { h } from "../parts/dom.js";

/**
 * @typedef {import("./feed.js").Approval} Approval
 * @typedef {[value: string, label: string][]} Options
 */

const NAMES = ["status", "sort_by", "assignee", "role", "graph_id", "action", "min_age_s"];
const AGES = ["300", "3600", "14400", "86400"];

export class Filters {
  /** @type {Record<string, HTMLSelectElement>} */
  #selects = {};
  #more = h("div", { className: "more", id: "more-filters", hidden: true });
  #toggle = h("button", {
    type: "button",
    className: "slim",
    "aria-expanded": "false",
    "aria-controls": "more-filters",
  });

  /**
   * @param {import("./session.js").Me} me
   * @param {import("./words.js").Words} words
   * @param {() => void} changed
   */
  constructor(me, words, changed) {
    this.me = me;
    this.words = words;
    /** @type {Record<string, Options>} */
    const options = {
      status: ["open", "decided", "expired", "superseded", "withdrawn", "all"].map((one) => [one, words.status[one]]),
      sort_by: [
        ["due", words.byDue],
        ["created_at", words.byCreated],
      ],
      assignee: [
        ["", words.anybody],
        ["me", words.me],
        ["nobody", words.nobody],
      ],
      role: [["", words.any], ...me.roles.map((role) => /** @type {[string, string]} */ ([role, role]))],
      graph_id: [["", words.any]],
      action: [["", words.any]],
      min_age_s: [["", words.any], ...AGES.map((age, at) => /** @type {[string, string]} */ ([age, words.ages[at]]))],
    };
    for (const name of NAMES) this.#selects[name] = select(options[name], () => (this.#count(), changed()));
    const named = (/** @type {string} */ name) =>
      h("label", {}, h("span", {}, words.filters[name]), this.#selects[name]);
    this.#more.append(...NAMES.slice(2).map(named));
    const unseen = (/** @type {string} */ name) => (
      this.#selects[name].setAttribute("aria-label", words.filters[name]),
      this.#selects[name]
    );
    this.#toggle.onclick = () => this.#show(this.#more.hidden);
    this.#count();
    const first = h("div", { className: "row" }, unseen("status"), unseen("sort_by"), this.#toggle);
    this.element = h("div", { className: "filters", role: "search", "aria-label": words.filter }, first, this.#more);
  }

  get sort() {
    return this.#selects.sort_by.value;
  }

  focus() {
    this.#show(true);
    this.#selects.assignee.focus();
  }

  /** What the server is asked for. */
  query() {
    const query = new URLSearchParams();
    for (const name of NAMES) {
      const { value } = this.#selects[name];
      if (name !== "assignee" && value) query.set(name, value);
    }
    const who = this.#selects.assignee.value;
    if (who) query.set("assignee", who === "me" ? this.me.subject : "");
    return query;
  }

  /**
   * Whether something that the feed tells of is among what is listed.
   * @param {Approval} one
   */
  fit(one) {
    const wanted = (/** @type {string} */ name) => this.#selects[name].value;
    const claimer = one.claim?.by ?? "";
    const age = (Date.now() - Date.parse(one.created_at)) / 1000;
    return (
      ["all", one.status].includes(wanted("status")) &&
      (!wanted("role") || one.roles.includes(wanted("role"))) &&
      (!wanted("graph_id") || one.graph_id === wanted("graph_id")) &&
      (!wanted("action") || one.actions.includes(wanted("action"))) &&
      (!wanted("assignee") || claimer === (wanted("assignee") === "me" ? this.me.subject : "")) &&
      age >= Number(wanted("min_age_s"))
    );
  }

  /**
   * Words of projects become choices when they are seen.
   * @param {Approval} one
   */
  learn({ roles, graph_id, actions }) {
    roles.forEach((/** @type {string} */ role) => learn(this.#selects.role, role));
    actions.forEach((/** @type {string} */ action) => learn(this.#selects.action, action));
    learn(this.#selects.graph_id, graph_id);
  }

  /** @param {boolean} shown */
  #show(shown) {
    this.#more.hidden = !shown;
    this.#toggle.setAttribute("aria-expanded", String(shown));
  }

  #count() {
    const used = NAMES.slice(2).filter((name) => this.#selects[name].value).length;
    this.#toggle.textContent = used ? `${this.words.filter} · ${used}` : this.words.filter;
    this.#toggle.classList.toggle("used", used > 0);
  }
}

/**
 * The order of the server's list.
 * @param {Approval} one
 * @param {string} sort
 * @returns {[number, number, string]}
 */
export function urgency(one, sort) {
  const created = Date.parse(one.created_at);
  if (sort === "created_at") return [0, created, one.request_id];
  if (one.status !== "open") return [1, -created, one.request_id];
  return [0, one.expires_at ? Date.parse(one.expires_at) : Infinity, one.request_id];
}

/**
 * @param {Options} options
 * @param {() => void} onchange
 */
function select(options, onchange) {
  return h("select", { onchange }, ...options.map(([value, label]) => h("option", { value }, label)));
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} value
 */
function learn(select, value) {
  if (![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, value));
}
