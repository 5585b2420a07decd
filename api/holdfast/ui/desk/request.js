// @ts-check
// One approval with all that one has to know to decide it, and the form in which it is decided.
import { Refused, refusal } from "../parts/api.js";
import { DecisionForm } from "../parts/decision.js";
import { button, h } from "../parts/dom.js";
import { figuresOf, mainOf, titleOf } from "../parts/figures.js";
import { list, record } from "../parts/text.js";
import { Claim } from "./claims.js";
import { backLink, face, fill } from "./marks.js";
import { conflict, obstacle, outcome } from "./sentences.js";
import { time } from "./times.js";
import { editOf, trail } from "./trail.js";

/** @typedef {import("./feed.js").Approval} Approval */

const ALWAYS = "holdfast-desk:claim";

export class RequestView {
  /** @type {Approval | null} */
  #one = null;
  #id = "";
  /** @type {DecisionForm | null} */
  #form = null;
  #asked = ""; // what the form and the figures were made of
  #notice = h("p", { className: "told", role: "status" });
  #problem = h("p", { className: "problem", role: "alert" });
  #head = h("header", { className: "about" });
  #figures = h("div", { className: "card" });
  #rules = h("div", { className: "rules" });
  #deciding = h("div", { className: "deciding" });
  #trail = h("div");

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   * @param {(approval: Approval) => void} changed
   */
  constructor(session, words, changed) {
    this.session = session;
    this.words = words;
    this.changed = changed;
    this.claim = new Claim(session, (id, approval) => id === this.#id && this.#merge(approval));
    const scroll = h("div", { className: "scroll" }, this.#head, this.#figures, this.#rules, this.#trail);
    this.element = h(
      "section",
      { className: "pane detail", "aria-label": words.request, tabIndex: -1 },
      scroll,
      this.#deciding,
    );
    this.element.hidden = true;
  }

  get id() {
    return this.#id;
  }

  /** @param {string} id */
  async open(id) {
    if (id === this.#id) return;
    this.close();
    this.#id = id;
    await this.#load();
    if (this.#id !== id || !this.#one) return;
    if (localStorage.getItem(ALWAYS) && !obstacle(this.#one, this.session.me, this.words)) await this.take(true);
  }

  close() {
    void this.claim.release();
    this.#id = this.#asked = "";
    this.#one = this.#form = null;
    this.#say("", "");
    this.element.hidden = true;
  }

  /** @param {import("./feed.js").Happening} happening */
  async happen({ approval_id, approval }) {
    if (approval_id !== this.#id) return;
    if (approval) this.#merge(approval);
    await this.#load();
  }

  /** Reads it again: its history, and what may have been missed. */
  async refresh() {
    if (this.#id) await this.#load();
  }

  /** @param {import("../parts/decision.js").Kind} kind */
  begin(kind) {
    this.#form?.begin(kind);
  }

  /** Whether there was a step to go back from. */
  leaveStep() {
    return this.#form?.leave() ?? false;
  }

  /** @param {boolean} [wanted] else the other way round */
  async take(wanted = !this.claim.holds(this.#id)) {
    const id = this.#id;
    if (!id) return;
    this.#say("", "");
    try {
      if (wanted) await this.claim.hold(id);
      else await this.claim.release();
    } catch (error) {
      if (id === this.#id) this.#refuse(error);
    }
  }

  async #load() {
    const id = this.#id;
    try {
      const found = await this.session.ask(`/approvals/${id}`);
      if (id !== this.#id) return;
      this.#merge(found);
      this.changed(found);
    } catch (error) {
      if (id !== this.#id) return;
      if (!this.#one) this.#showMissing();
      this.#refuse(error);
    }
  }

  /** @param {Approval} known what is known by now; the feed knows neither question nor history */
  #merge(known) {
    this.#one = { question: this.#one?.question, history: this.#one?.history ?? [], ...known };
    if (this.#one.status !== "open") this.claim.forget();
    this.#draw();
  }

  #draw() {
    const one = this.#one;
    if (!one?.question) return;
    this.element.hidden = false;
    this.#head.replaceChildren(...this.#heading(one));
    this.#drawFigures(one);
    this.#rules.replaceChildren(...this.#terms(one));
    this.#trail.replaceChildren(trail(one.history, this.words));
    this.#drawDeciding(one);
  }

  /** @param {Approval} one */
  #drawFigures(one) {
    const asked = JSON.stringify([one.question, one.revision && editOf(one.history)]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    const edited = editOf(one.history);
    const main = mainOf(list(record(one.question.display).facts).map(record));
    this.#figures.replaceChildren(...figuresOf(one.question, this.words), ...(edited ? [this.#change(edited)] : []));
    const sure = edited
      ? fill(this.words.sureEdited, { who: edited.by })
      : fill(main ? this.words.sureMoney : this.words.sure, { amount: main?.value });
    this.#form = new DecisionForm(one.question, this.words, (response) => this.#decide(response), sure);
  }

  /** @param {{by: string, args: Record<string, any>}} edited */
  #change({ by, args }) {
    const [action] = list(this.#one?.question.action_requests).map(record);
    const changed = Object.entries(args).filter(
      ([name, value]) => String(value) !== String(record(action?.args)[name]),
    );
    const rows = changed.flatMap(([name, value]) => [
      h("dt", {}, name),
      h("dd", {}, h("del", {}, String(record(action?.args)[name] ?? "")), " ", h("ins", {}, String(value))),
    ]);
    return h(
      "div",
      { className: "change" },
      h("p", {}, fill(this.words.changedBy, { who: by })),
      h("dl", { className: "facts" }, ...rows),
    );
  }

  /** @param {Approval} one */
  #heading(one) {
    const { words } = this;
    const back = backLink(words, "#/approvals");
    const title = h("h2", {}, titleOf(one.question, words));
    const state = h("span", { className: `pill ${one.status}` }, words.status[one.status]);
    const due = one.status === "open" && one.expires_at && h("span", {}, words.due, " ", time(one.expires_at, "due"));
    const asked = h("span", {}, fill(words.askedBy, { who: one.requester }), " ", time(one.created_at));
    const place = h("code", {}, `${one.graph_id} · ${one.actions.join(", ")}`);
    return [
      h("div", { className: "line" }, back, title, state),
      h("p", { className: "line soft" }, asked, due, place),
      ...this.#claiming(one),
    ];
  }

  /** @param {Approval} one */
  #claiming(one) {
    const { words } = this;
    const mine = this.claim.holds(this.#id);
    if (one.status !== "open") return [];
    if (one.claim && one.claim.by !== this.session.me.subject) {
      return [h("p", { className: "hand" }, face(one.claim.by), fill(words.claimedBy, { who: one.claim.by }))];
    }
    if (obstacle(one, this.session.me, words)) return [];
    const always = h("input", { type: "checkbox", checked: Boolean(localStorage.getItem(ALWAYS)) });
    always.onchange = () => (always.checked ? localStorage.setItem(ALWAYS, "1") : localStorage.removeItem(ALWAYS));
    const label = h("label", { className: "check" }, always, words.alwaysClaim);
    const toggle = button(mine ? words.release : words.claim, "slim", () => void this.take());
    return [
      h(
        "p",
        { className: "hand" },
        mine && face(this.session.me.subject),
        mine && h("span", {}, words.yours),
        toggle,
        label,
      ),
    ];
  }

  /** @param {Approval} one */
  #terms(one) {
    const { words } = this;
    const escalate = record(one.on_expiry).escalate;
    const expiry = escalate ? fill(words.escalates, { roles: list(escalate).join(", ") }) : words.rejects;
    /** @type {[string, string | Node | null | false][]} */
    const rows = [
      [words.why, one.reason && h("code", {}, one.reason)],
      [words.rules, String(one.version)],
      [words.decides, one.roles.join(", ") + (one.exclude_requester ? ` (${words.notRequester})` : "")],
      [words.votes, one.deciders > 1 && this.#votes(one)],
      [words.onExpiry, one.expires_at && expiry],
    ];
    const shown = rows
      .filter(([, value]) => value)
      .flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]);
    return [h("dl", { className: "facts" }, ...shown)];
  }

  /** @param {Approval} one */
  #votes(one) {
    const cast = one.votes.map((/** @type {any} */ vote) => h("span", { className: "vote" }, face(vote.by), vote.by));
    const open = Array.from({ length: Math.max(one.deciders - cast.length, 0) }, () =>
      h("span", { className: "face none", "aria-hidden": "true" }),
    );
    return h(
      "span",
      { className: "cast" },
      `${one.votes.length}/${one.deciders}`,
      ...cast,
      ...(one.status === "open" ? open : []),
    );
  }

  /** @param {Approval} one */
  #drawDeciding(one) {
    const form = this.#form;
    const hindered = obstacle(one, this.session.me, this.words);
    const drawn = one.status !== "open" ? "over" : hindered || "form";
    if (drawn === "form" && this.#deciding.dataset.drawn === "form" && form && this.#deciding.contains(form.element))
      return;
    this.#deciding.dataset.drawn = drawn;
    const focused = this.#deciding.contains(document.activeElement);
    const shown =
      one.status !== "open"
        ? outcome(one, this.words)
        : hindered
          ? h("p", { className: "others" }, hindered)
          : form?.element;
    this.#deciding.replaceChildren(
      ...[this.#notice, shown, form?.problem, this.#problem].filter((part) => part !== undefined),
    );
    if (focused && drawn !== "form") this.element.focus();
  }

  /** @param {unknown} response */
  async #decide(response) {
    const one = this.#one;
    if (!one) return "";
    this.#say("", "");
    try {
      const body = { ...record(response), revision: one.revision };
      const answer = await this.session.fetch(`/approvals/${one.approval_id}/decisions`, { json: body });
      if (!answer.ok) throw await refusal(answer);
      this.#take(one.approval_id, await answer.json(), answer.status === 202);
    } catch (error) {
      if (!(error instanceof Refused)) return this.words.unsent;
      if (one.approval_id === this.#id) this.#refuse(error);
    }
    return "";
  }

  /**
   * @param {string} id
   * @param {Approval} approval
   * @param {boolean} unsure it is not on disk yet
   */
  #take(id, approval, unsure) {
    if (id !== this.#id) return;
    this.#form?.offer();
    this.#merge(approval);
    this.#say(unsure ? this.words.notOnDisk : approval.status === "open" ? this.words.voted : "", "");
    void this.#load();
    this.element.focus();
  }

  /** @param {unknown} error its sentence, with the request as it is by then */
  #refuse(error) {
    if (!(error instanceof Refused)) return this.#say("", this.words.unreachable);
    const { approval } = error.body;
    if (approval) this.#merge(approval);
    this.#say("", conflict(error, this.session.me, this.words));
    if (approval) this.changed(/** @type {Approval} */ (this.#one));
  }

  #showMissing() {
    this.element.hidden = false;
    const back = backLink(this.words, "#/approvals");
    this.#head.replaceChildren(h("div", { className: "line" }, back, h("h2", {}, this.words.request)));
    for (const part of [this.#figures, this.#rules, this.#trail]) part.replaceChildren();
    this.#deciding.dataset.drawn = "";
    this.#deciding.replaceChildren(this.#notice, this.#problem);
  }

  /**
   * @param {string} told
   * @param {string} problem
   */
  #say(told, problem) {
    this.#notice.textContent = told;
    this.#problem.textContent = problem;
  }
}
