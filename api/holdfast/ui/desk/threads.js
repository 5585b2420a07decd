// @ts-check
// Conversations: who waits for a person first; taken over, answered and handed back here.
import { Refused } from "../parts/api.js";
import { button, h, icon } from "../parts/dom.js";
import { Conversation } from "./conversation.js";
import { backLink, face, fill } from "./marks.js";
import { lastSaid } from "./said.js";
import { clock, time } from "./times.js";

/**
 * @typedef {import("./conversation.js").Hold} Hold
 * @typedef {{thread_id: string, status: string, updated_at: string, metadata: any, values: any, hold?: Hold}} Row
 */

const SEND = "M10 16V4M5 9l5-5 5 5";
const STEP = 30;
const LOOK_MS = 5000;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class Threads {
  #shown = STEP;
  #asked = 0;
  #current = "";
  /** @type {Hold | null} */
  #hold = null;
  #heldAt = 0; // when that came about
  #assistant = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #drawn = "";
  #list = h("ul", { className: "rows" });
  #status = h("p", { className: "soft count", role: "status" });
  #more;
  #bar = h("header", { className: "about" });
  #foot = h("footer", { className: "foot" });
  #problem = h("p", { className: "problem", role: "alert" });

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   * @param {(asked: number) => void} counted how many wait for a person
   */
  constructor(session, words, counted) {
    this.session = session;
    this.words = words;
    this.counted = counted;
    this.conversation = new Conversation(session, words);
    this.conversation.onhold = (hold, at) => this.#hear(hold, at);
    this.#more = button(words.more, "slim", () => ((this.#shown += STEP), void this.load()));
    this.hold = choice(words.filters.hold, [
      ["", `${words.filters.hold}: ${words.any}`],
      ["asked", words.holds.asked],
      ["taken", words.holds.taken],
      ["any", words.holds.any],
    ]);
    this.state = choice(words.filters.state, [
      ["", `${words.filters.state}: ${words.any}`],
      ...["idle", "busy", "interrupted", "error"].map(
        (one) => /** @type {[string, string]} */ ([one, words.threadStates[one]]),
      ),
    ]);
    this.search = h("input", {
      type: "search",
      placeholder: words.threadId,
      "aria-label": words.threadId,
      autocomplete: "off",
      spellcheck: false,
    });
    for (const input of [this.hold, this.state, this.search]) input.onchange = () => void this.load();
    const filters = h(
      "div",
      { className: "filters", role: "search", "aria-label": words.filter },
      h("div", { className: "row" }, this.hold, this.state),
      this.search,
    );
    const heading = h("div", { className: "heading" }, h("h1", {}, words.conversations), this.#status);
    this.element = h(
      "section",
      { className: "pane side", "aria-label": words.conversations },
      heading,
      filters,
      h("div", { className: "scroll" }, this.#list, this.#more),
    );
    this.detail = h(
      "section",
      { className: "pane detail talk", "aria-label": words.conversation, tabIndex: -1, hidden: true },
      this.#bar,
      this.conversation.element,
      this.#foot,
    );
  }

  start() {
    void this.load();
    this.#timer = setInterval(() => document.hidden || void this.load(), LOOK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.close();
  }

  async load() {
    const turn = (this.#asked += 1);
    const id = this.search.value.trim();
    const wanted = {
      ...(this.state.value && { status: this.state.value }),
      ...(ID.test(id) && { ids: [id.toLowerCase()] }),
    };
    const find = (/** @type {Record<string, unknown>} */ more) =>
      this.session.ask("/threads/search", {
        json: { limit: this.#shown, sort_by: "updated_at", select: FIELDS, ...wanted, ...more },
      });
    try {
      const held = this.hold.value || "any";
      /** @type {Row[][]} */
      const [some, others] = await Promise.all([find({ hold: held }), this.hold.value ? [] : find({})]);
      if (turn === this.#asked) this.#show(some, others);
    } catch {
      // the next look comes soon
    }
  }

  /** @param {string} id */
  async open(id) {
    if (id === this.#current) return;
    this.close();
    this.#current = id;
    this.#drawn = "";
    this.detail.hidden = false;
    void this.load();
    try {
      const found = await this.session.ask(`/threads/${id}`);
      if (id !== this.#current) return;
      this.#keep(found.hold ?? null, found.hold?.since ?? found.updated_at);
      this.#assistant = found.metadata?.assistant_id ?? found.metadata?.graph_id ?? "";
      this.#drawHold();
      this.conversation.attach(id);
    } catch (error) {
      if (id === this.#current) this.#refuse(error);
    }
  }

  close() {
    this.#current = "";
    this.conversation.close();
    this.#problem.textContent = "";
    this.#foot.replaceChildren();
    this.#foot.dataset.drawn = "";
    this.detail.hidden = true;
  }

  /** @param {number} by */
  step(by) {
    const links = /** @type {HTMLAnchorElement[]} */ ([...this.#list.querySelectorAll("a")]);
    const focused = links.findIndex((link) => link === document.activeElement);
    const at = focused >= 0 ? focused : links.findIndex((link) => link.getAttribute("aria-current"));
    links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  }

  focus() {
    /** @type {HTMLElement | null} */ (
      this.#list.querySelector("[aria-current]") ?? this.#list.querySelector("a")
    )?.focus();
  }

  focusFilter() {
    this.search.focus();
  }

  /** Takes the conversation over, or hands it back. */
  take() {
    if (!this.#current || !this.session.me.may_hold) return;
    if (this.#hold?.by === this.session.me.subject) this.#askNote();
    else void this.#put();
  }

  /**
   * @param {Row[]} held
   * @param {Row[]} others
   */
  #show(held, others) {
    const ids = new Set(held.map((row) => row.thread_id));
    const since = (/** @type {Row} */ row) => Date.parse(row.hold?.since ?? "");
    const waiting = held.filter((row) => !row.hold?.by).sort((one, other) => since(one) - since(other));
    const taken = held.filter((row) => row.hold?.by);
    const rows = [...waiting, ...taken, ...others.filter((row) => !ids.has(row.thread_id))];
    this.#status.textContent = fill(this.words.waitForPerson, { count: waiting.length });
    this.counted(waiting.length);
    this.#more.hidden = Math.max(held.length, others.length) < this.#shown;
    const drawn = JSON.stringify([rows, this.#current]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const at = this.#list.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
    this.#list.replaceChildren(...rows.map((row) => h("li", {}, this.#row(row))));
    if (at) /** @type {HTMLElement | null} */ (this.#list.querySelector(`a[href="${at}"]`))?.focus();
  }

  /** @param {Row} row */
  #row(row) {
    const { words } = this;
    const link = h("a", { href: `#/conversations/${row.thread_id}` });
    if (row.thread_id === this.#current) link.setAttribute("aria-current", "true");
    const { hold } = row;
    const held =
      hold &&
      (hold.by
        ? h("span", { className: "claimed" }, face(hold.by), hold.by)
        : h("span", { className: "pill asked" }, words.asksForPerson, " ", time(hold.since)));
    const busy =
      row.status !== "idle" && h("span", { className: `pill ${row.status}` }, words.threadStates[row.status]);
    const said = h("span", { className: "title" }, lastSaid(row.values) || words.nothingSaid);
    const about = h("span", { className: "about" }, `${row.metadata?.graph_id ?? ""} · ${row.thread_id.slice(-8)}`);
    link.append(
      h("span", { className: "line" }, said),
      h("span", { className: "line soft" }, about, held, busy, !held && time(row.updated_at)),
    );
    return link;
  }

  /**
   * What the log tells of its past is not how it is now.
   * @param {Hold | null} hold
   * @param {string} [at] when that came about
   */
  #hear(hold, at) {
    if (at && Date.parse(at) < this.#heldAt) return;
    this.#keep(hold, at);
    this.#drawHold();
    void this.load();
  }

  /**
   * @param {Hold | null} hold
   * @param {string} [at]
   */
  #keep(hold, at) {
    this.#hold = hold;
    this.#heldAt = at ? Date.parse(at) : 0;
  }

  #drawHold() {
    const { words, session } = this;
    const hold = this.#hold;
    const mine = hold?.by === session.me.subject;
    const back = backLink(words, "#/conversations");
    const title = h("h2", {}, words.conversation, " ", h("code", {}, this.#current.slice(-8)));
    const state = !hold
      ? words.withModel
      : hold.by
        ? fill(mine ? words.youHave : words.hasIt, { who: hold.by })
        : words.asksForPerson;
    const said = h(
      "span",
      { className: hold && !hold.by ? "pill asked" : "soft" },
      state,
      hold && " · ",
      hold && time(hold.since),
    );
    const act =
      session.me.may_hold &&
      (!hold?.by || mine) &&
      button(mine ? words.handBack : words.takeOver, mine ? "slim" : "slim primary", () => this.take());
    this.#bar.replaceChildren(h("div", { className: "line" }, back, title, said, act || ""));
    const drawn = mine ? "mine" : "";
    if (this.#foot.dataset.drawn === drawn && this.#foot.firstChild) return;
    this.#foot.dataset.drawn = drawn;
    this.#foot.replaceChildren(this.#problem, ...(mine ? [this.#composer()] : []));
  }

  #composer() {
    const { words } = this;
    const text = h("textarea", { rows: 2, maxLength: 8000, placeholder: words.writeAs, "aria-label": words.message });
    const send = h(
      "button",
      { type: "submit", className: "round primary", title: words.send, "aria-label": words.send },
      icon(SEND),
    );
    const form = h("form", { className: "composer" }, text, send);
    text.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      const said = text.value.trim();
      if (said) ((text.value = ""), void this.#say(said));
    };
    return form;
  }

  /** @param {string} text */
  async #say(text) {
    const { thread, transcript } = this.conversation;
    const id = crypto.randomUUID();
    this.#problem.textContent = "";
    transcript.said.set(id, { id, text, state: "sending" });
    this.conversation.draw();
    try {
      const input = { messages: [{ type: "human", content: text, id }] };
      await thread?.command("run.start", { assistant_id: this.#assistant, input }, id);
      const one = transcript.said.get(id);
      if (one?.state === "sending") one.state = "sent";
    } catch (error) {
      transcript.said.delete(id);
      const box = this.#foot.querySelector("textarea");
      if (box && !box.value) box.value = text;
      this.#refuse(error);
    }
    this.conversation.draw();
  }

  #askNote() {
    const { words } = this;
    const note = h("textarea", { rows: 2, maxLength: 2000 });
    const form = h(
      "form",
      { className: "note" },
      h("label", { className: "field" }, words.note, note),
      h("p", { className: "hint" }, words.noteSeen),
    );
    const leave = () => ((this.#foot.dataset.drawn = "again"), this.#drawHold());
    form.append(
      h(
        "div",
        { className: "buttons" },
        h("button", { type: "submit", className: "primary" }, words.handBack),
        button(words.back, "", leave),
      ),
    );
    form.onkeydown = (event) => event.key === "Escape" && (event.stopPropagation(), leave());
    form.onsubmit = (event) => (event.preventDefault(), void this.#release(note.value.trim()));
    this.#foot.replaceChildren(this.#problem, form);
    note.focus();
  }

  async #put() {
    await this.#change(async (path) => {
      const hold = await this.session.ask(path, { method: "PUT", json: {} });
      this.#keep(hold, hold.since);
    });
    /** @type {HTMLElement | null} */ (this.#foot.querySelector("textarea"))?.focus();
  }

  /** @param {string} note */
  async #release(note) {
    await this.#change(async (path) => {
      await this.session.ask(path, { method: "DELETE", json: note ? { note } : {} });
      this.#hold = null;
    });
  }

  /** @param {(path: string) => Promise<void>} change */
  async #change(change) {
    this.#problem.textContent = "";
    try {
      await change(`/threads/${this.#current}/hold`);
      this.#drawHold();
      void this.load();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @param {unknown} error */
  #refuse(error) {
    const { words } = this;
    const body = error instanceof Refused ? error.body : {};
    if (body.hold) {
      this.#keep(body.hold, body.hold.since);
      this.#drawHold();
      this.#problem.textContent = fill(words.heldBy, { who: body.hold.by, at: clock(body.hold.since) });
    } else
      this.#problem.textContent =
        error instanceof Refused ? (error.status === 404 ? words.notYours : error.message) : words.unreachable;
    if (!this.#problem.isConnected) this.#foot.prepend(this.#problem);
  }
}

const FIELDS = ["thread_id", "status", "updated_at", "metadata", "values", "hold"];

/**
 * @param {string} label
 * @param {[string, string][]} options
 */
function choice(label, options) {
  return h("select", { "aria-label": label }, ...options.map(([value, name]) => h("option", { value }, name)));
}
