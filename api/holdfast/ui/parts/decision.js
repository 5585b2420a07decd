// @ts-check
// The form in which a question is answered: what may be decided, and each step on the way.
import { button, h } from "./dom.js";
import { decisionFields, readFields } from "./editing.js";
import { actionsOf } from "./figures.js";
import { list, parsed, record } from "./text.js";

/**
 * @typedef {import("./words.js").Words} Words
 * @typedef {(response: unknown) => Promise<string>} Send gives a sentence when it was refused
 * @typedef {"approve" | "edit" | "respond" | "reject"} Kind
 */

export class DecisionForm {
  element = h("div", { className: "answers" });
  problem = h("p", { className: "problem", role: "alert" });
  // An answer was given here.
  used = false;
  // An answer is on its way.
  busy = false;
  // A step was begun.
  open = false;

  /**
   * @param {unknown} payload of the interrupt
   * @param {Words} words
   * @param {Send} send
   * @param {string} [sure] what is asked once more before a plain yes goes out; without it, it goes at once
   */
  constructor(payload, words, send, sure = "") {
    this.payload = payload;
    this.actions = actionsOf(payload);
    this.words = words;
    this.send = send;
    this.sure = sure;
    this.offer();
  }

  /** The decisions that every action allows. */
  get kinds() {
    const configs = list(record(this.payload).review_configs).map(record);
    const allowed = this.actions.map(({ name }) => {
      const config = configs.find(({ action_name }) => action_name === name);
      return config ? list(config.allowed_decisions) : ["approve", "reject"];
    });
    /** @type {Kind[]} */
    const known = allowed.length > 1 ? ["approve", "reject"] : ["approve", "edit", "respond", "reject"];
    return allowed.length ? known.filter((kind) => allowed.every((kinds) => kinds.includes(kind))) : [];
  }

  /** Shows the choice. */
  offer() {
    this.open = false;
    this.say("");
    if (!this.actions.length) return this.#askFreely();
    const buttons = this.kinds.map((kind) => {
      return button(this.words[kind], kind === "approve" ? "primary" : "", () => this.begin(kind));
    });
    this.element.replaceChildren(h("div", { className: "buttons" }, ...buttons));
  }

  /**
   * Takes the first step of a decision, where it is allowed.
   * @param {Kind} kind
   */
  begin(kind) {
    if (this.busy || !this.kinds.includes(kind)) return;
    if (kind === "edit") this.#askEdit();
    else if (kind !== "approve") this.#askText(kind);
    else if (this.sure) this.#askAgain();
    else void this.#decide({ type: "approve" });
  }

  /** Goes back to the choice. Returns whether there was a step to leave. */
  leave() {
    if (!this.open || this.busy) return false;
    this.offer();
    this.#focus("button");
    return true;
  }

  #askAgain() {
    const send = () => void this.#decide({ type: "approve" });
    this.#step(this.words.approve, "primary", send, h("p", { className: "sure" }, this.sure));
    this.#focus("button");
  }

  #askEdit() {
    const { words } = this;
    const [action] = this.actions;
    const schema = record(record(record(this.payload).policy).edit_schema);
    const fields = decisionFields(record(action.args), record(schema.properties), words);
    const send = () => {
      const read = readFields(fields, words);
      if (!read) return;
      const args = { ...record(action.args), ...read };
      const changed = fields.some(({ name }) => String(args[name]) !== String(record(action.args)[name]));
      if (!changed) return this.say(words.unchanged);
      void this.#decide({ type: "edit", edited_action: { name: action.name, args } });
    };
    this.#step(words.approveEdited, "primary", send, ...fields.map((field) => field.element));
  }

  /** @param {"reject" | "respond"} type */
  #askText(type) {
    const { words } = this;
    const [label, done, look] =
      type === "reject" ? [words.reason, words.reject, "danger"] : [words.answer, words.reply, "primary"];
    const text = h("textarea", { rows: 2, maxLength: 2000 });
    const send = () => {
      const message = text.value.trim();
      if (type === "reject" || message) void this.#decide(message ? { type, message } : { type });
    };
    this.#step(done, look, send, h("label", { className: "field" }, label, text));
  }

  #askFreely() {
    const text = h("input", { type: "text", autocomplete: "off" });
    const send = () => text.value.trim() && void this.#answer(parsed(text.value.trim()));
    const label = h("label", { className: "field" }, this.words.answer, text);
    const form = h("form", {}, label, h("div", { className: "buttons" }, button(this.words.reply, "primary")));
    form.onsubmit = (event) => (event.preventDefault(), send());
    this.element.replaceChildren(form);
  }

  /**
   * A second step before the decision goes out; "back" offers the choice again.
   * @param {string} done
   * @param {string} look
   * @param {() => void} send
   * @param {...HTMLElement} fields
   */
  #step(done, look, send, ...fields) {
    this.open = true;
    const back = button(this.words.back, "", () => this.leave());
    const form = h(
      "form",
      { noValidate: true },
      ...fields,
      h("div", { className: "buttons" }, button(done, look), back),
    );
    form.onsubmit = (event) => (event.preventDefault(), send());
    this.element.replaceChildren(form);
    this.say("");
    this.#focus("input, textarea");
    form.scrollIntoView({ block: "nearest" });
  }

  /** @param {Record<string, unknown>} decision */
  #decide(decision) {
    return this.#answer({ decisions: this.actions.map(() => decision) });
  }

  /** @param {unknown} response */
  async #answer(response) {
    if (this.busy) return;
    this.say("");
    this.used = this.busy = this.element.inert = true;
    const problem = await this.send(response);
    this.busy = this.element.inert = false;
    this.say(problem);
  }

  /** @param {string} problem */
  say(problem) {
    this.problem.textContent = problem;
  }

  /** @param {string} which */
  #focus(which) {
    /** @type {HTMLElement | null} */ (this.element.querySelector(which))?.focus();
  }
}
