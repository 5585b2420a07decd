// @ts-check
// The list of approvals, kept as the server's is while it is looked at.
import { h } from "../parts/dom.js";
import { mainOf } from "../parts/figures.js";
import { list, record } from "../parts/text.js";
import { Filters, urgency } from "./filters.js";
import { face, fill } from "./marks.js";
import { time } from "./times.js";

/** @typedef {import("./feed.js").Approval} Approval */

const PART = 50;

export class Queue {
  /** @type {Map<string, {approval: Approval, row: HTMLElement, drawn: string}>} */
  #rows = new Map();
  #shown = 0; // how many of the server's list were asked for
  #total = 0;
  #asked = 0;
  #current = "";
  #list = h("ul", { className: "rows" });
  #status = h("p", { className: "soft count", role: "status" });
  #empty = h("div", { className: "nothing", hidden: true });
  #more = h("button", { type: "button", className: "slim", hidden: true, onclick: () => void this.more() });
  #scroller;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   * @param {(waiting: number) => void} counted
   */
  constructor(session, words, counted) {
    this.session = session;
    this.words = words;
    this.counted = counted;
    this.filters = new Filters(session.me, words, () => void this.load());
    this.#more.textContent = words.more;
    this.#empty.append(h("p", { className: "big" }, words.allDone), h("p", { className: "soft" }, words.allDoneMore));
    this.#scroller = h("div", { className: "scroll", tabIndex: -1 }, this.#list, this.#empty, this.#more);
    const heading = h("div", { className: "heading" }, h("h1", {}, words.approvals), this.#status);
    this.element = h(
      "section",
      { className: "pane side", "aria-label": words.approvals },
      heading,
      this.filters.element,
      this.#scroller,
    );
  }

  /** Lists anew, as much as was shown. */
  async load() {
    await this.#fetch(0, Math.max(PART, this.#shown));
  }

  async more() {
    await this.#fetch(this.#shown, PART);
  }

  /**
   * @param {number} offset
   * @param {number} limit
   */
  async #fetch(offset, limit) {
    const turn = (this.#asked += 1);
    const query = this.filters.query();
    query.set("limit", String(Math.min(limit, 1000)));
    query.set("offset", String(offset));
    const response = await this.session.fetch(`/approvals?${query}`).catch(() => null);
    if (!response?.ok || turn !== this.#asked) return;
    /** @type {Approval[]} */
    const found = await response.json();
    if (turn !== this.#asked) return;
    if (offset === 0) this.#keep(new Set(found.map((one) => one.approval_id)));
    this.#shown = offset + found.length;
    this.#total = Number(response.headers.get("X-Pagination-Total") ?? this.#shown);
    found.forEach((one) => this.#put(one, false));
    this.#draw();
  }

  /** @param {import("./feed.js").Happening} happening */
  take({ approval_id, approval }) {
    const known = this.#rows.has(approval_id);
    if (approval && this.filters.fit(approval)) {
      this.#put(approval, !known);
      if (!known) this.#total += 1;
    } else if (known) {
      this.#drop(approval_id);
      this.#total -= 1;
    } else return;
    this.#shown = Math.max(this.#rows.size, this.#shown);
    this.#draw();
  }

  /** @param {string} id of the one that is open; "" for none */
  select(id) {
    this.#current = id;
    for (const [key, { row }] of this.#rows) mark(row, key === id);
  }

  /**
   * To the next one or the one before, from where the operator is.
   * @param {number} by
   */
  step(by) {
    const links = /** @type {HTMLAnchorElement[]} */ ([...this.#list.querySelectorAll("a")]);
    const open = this.#rows.get(this.#current)?.row.firstChild;
    const focused = links.findIndex((link) => link === document.activeElement);
    const at = focused >= 0 ? focused : links.findIndex((link) => link === open);
    const next = links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)];
    next?.focus();
  }

  focus() {
    const link = this.#rows.get(this.#current)?.row.firstElementChild ?? this.#list.querySelector("a");
    /** @type {HTMLElement | null} */ (link)?.focus();
  }

  /** @param {Set<string>} ids */
  #keep(ids) {
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#drop(id);
  }

  /** @param {string} id */
  #drop(id) {
    const row = this.#rows.get(id)?.row;
    if (row?.contains(document.activeElement)) {
      const near = row.nextElementSibling ?? row.previousElementSibling;
      /** @type {HTMLElement | null} */ (near?.firstElementChild ?? this.#scroller)?.focus();
    }
    row?.remove();
    this.#rows.delete(id);
  }

  /**
   * @param {Approval} approval
   * @param {boolean} fresh it came while the list was looked at
   */
  #put(approval, fresh) {
    const id = approval.approval_id;
    this.filters.learn(approval);
    const drawn = JSON.stringify(approval);
    const known = this.#rows.get(id);
    if (known?.drawn === drawn) return;
    const row = known?.row ?? h("li", { className: fresh ? "fresh" : "" }, h("a", { href: `#/approvals/${id}` }));
    /** @type {HTMLElement} */ (row.firstElementChild).replaceChildren(...this.#summary(approval));
    mark(row, id === this.#current);
    this.#rows.set(id, { approval, row, drawn });
  }

  /** Puts the rows in order; what the operator is at stays where it is on the screen. */
  #draw() {
    const anchor = this.#anchor();
    const was = anchor?.getBoundingClientRect().top ?? 0;
    const sort = this.filters.sort;
    const sorted = [...this.#rows.values()].sort((one, other) =>
      compare(urgency(one.approval, sort), urgency(other.approval, sort)),
    );
    sorted.forEach(({ row }, at) => {
      if (this.#list.children[at] !== row) this.#list.insertBefore(row, this.#list.children[at] ?? null);
    });
    if (anchor?.isConnected) this.#scroller.scrollTop += anchor.getBoundingClientRect().top - was;
    const total = Math.max(this.#total, this.#rows.size);
    this.#status.textContent = fill(this.words.listed, { count: total });
    this.#empty.hidden = this.#rows.size > 0;
    this.#more.hidden = this.#rows.size >= total;
    if (this.filters.query().get("status") === "open") this.counted(total);
  }

  /** @returns {HTMLElement | undefined} the row with the focus, else the open one, where it is in view */
  #anchor() {
    const focused = [...this.#rows.values()].find(({ row }) => row.contains(document.activeElement));
    const row = (focused ?? this.#rows.get(this.#current))?.row;
    if (!row?.isConnected || this.#scroller.scrollTop === 0) return undefined;
    const [view, place] = [this.#scroller.getBoundingClientRect(), row.getBoundingClientRect()];
    return place.bottom > view.top && place.top < view.bottom ? row : undefined;
  }

  /** @param {Approval} one */
  #summary(one) {
    const { words } = this;
    const main = mainOf(list(one.facts).map(record));
    const title = h("span", { className: "title" }, one.title || one.actions.join(", ") || words.untitled);
    const amount = main && h("span", { className: "amount" }, String(main.value));
    const due =
      one.status !== "open"
        ? h("span", { className: `pill ${one.status}` }, words.status[one.status])
        : one.expires_at
          ? h("span", { className: "until" }, words.due, " ", time(one.expires_at, "due"))
          : h("span", { className: "until" }, words.noDue);
    const about = h("span", { className: "about" }, [one.graph_id, one.owner].filter(Boolean).join(" · "));
    const claimed =
      one.claim &&
      h(
        "span",
        { className: "claimed", title: fill(words.claimedBy, { who: one.claim.by }) },
        face(one.claim.by),
        one.claim.by,
      );
    return [
      h("span", { className: "line" }, title, amount),
      h("span", { className: "line soft" }, about, claimed, one.status === "open" && votes(one, words), due),
    ];
  }
}

/**
 * How many have agreed, where it takes several.
 * @param {Approval} one
 * @param {import("./words.js").Words} words
 */
function votes(one, words) {
  if (one.deciders < 2) return null;
  const text = `${one.votes.length}/${one.deciders}`;
  return h(
    "span",
    { className: "votes", title: words.votes },
    h("span", { className: "unseen" }, `${words.votes} `),
    text,
  );
}

/**
 * @param {HTMLElement} row
 * @param {boolean} current
 */
function mark(row, current) {
  if (current) row.firstElementChild?.setAttribute("aria-current", "true");
  else row.firstElementChild?.removeAttribute("aria-current");
}

/**
 * @param {(number | string)[]} one
 * @param {(number | string)[]} other
 */
function compare(one, other) {
  const at = one.findIndex((part, at) => part !== other[at]);
  return at < 0 ? 0 : one[at] < other[at] ? -1 : 1;
}
