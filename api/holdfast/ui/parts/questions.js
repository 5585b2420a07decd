// @ts-check
// What a run waits for, as a card: the figures, the quotes, and what may be answered.
import { decisionFields, readFields } from "./editing.js";
import { h, icon } from "./dom.js";
import { pretty } from "./text.js";

/**
 * @typedef {import("../chat/transcript.js").Question} Question
 * @typedef {import("./words.js").Words} Words
 * @typedef {(question: Question, response: unknown) => Promise<string>} Answer gives a sentence when it was refused
 */

const ALERT = "M10 3.5l7.5 13h-15zM10 8.5v3.5M10 14.2v.3";

/** One card; `element` is in the page as long as the question waits. */
export class QuestionCard {
  #form = h("div", { className: "answers" });
  #problem = h("p", { className: "problem", role: "alert" });
  used = false; // an answer was given here

  /**
   * @param {Question} question
   * @param {Words} words
   * @param {Answer} answer
   */
  constructor(question, words, answer) {
    this.question = question;
    this.words = words;
    this.answer = answer;
    const title = h("h2", { id: `title-${question.key}` }, this.#title());
    const about = { className: "card", role: "group", "aria-labelledby": title.id, tabIndex: -1 };
    this.element = h("section", about, title, ...this.#figures(), this.#form, this.#problem);
    this.#offer();
  }

  /** While a run is at work nothing can be answered; afterwards it is asked again. */
  set held(/** @type {boolean} */ held) {
    this.element.classList.toggle("held", held);
    this.element.inert = held;
  }

  get #payload() {
    return record(this.question.payload);
  }

  get #actions() {
    return list(this.#payload.action_requests).map(record);
  }

  #title() {
    const title = record(this.#payload.display).title;
    return String(title ?? (this.#actions.length ? this.words.confirm : this.words.question));
  }

  /** What is known: facts and tables are the server's, quotes somebody's words. */
  #figures() {
    const display = record(this.#payload.display);
    const facts = list(display.facts).map(record);
    const main = facts.find((fact) => fact.kind === "money");
    const others = facts.filter((fact) => fact !== main && fact.kind !== "notice");
    const figures = [
      main && h("p", { className: "figure" }, h("span", {}, String(main.label)), h("strong", {}, String(main.value))),
      others.length > 0 && h("dl", { className: "facts" }, ...others.flatMap(fact)),
      ...list(display.tables).map((one) => table(record(one))),
      ...list(display.quotes).map(record).map((one) => this.#quote(String(one.source ?? ""), String(one.text ?? ""))),
      ...facts.filter((one) => one.kind === "notice").map((one) => h("p", { className: "notice" }, icon(ALERT), String(one.value))),
    ];
    const known = figures.filter((one) => one !== undefined && one !== false);
    return known.length ? known : this.#words();
  }

  /** A question without figures of its own: all of it is somebody's words. */
  #words() {
    if (!this.#actions.length) {
      const asked = this.#payload.question ?? this.question.payload;
      return [this.#quote(this.words.assistant, pretty(asked))];
    }
    return this.#actions.map((one) => this.#quote(String(one.name), String(one.description ?? pretty(one.args))));
  }

  /**
   * @param {string} source
   * @param {string} text
   */
  #quote(source, text) {
    const caption = h("figcaption", {}, source, h("span", { className: "tag" }, this.words.quoted));
    return h("figure", { className: "quote" }, caption, h("blockquote", { dir: "auto" }, text));
  }

  #offer() {
    const { words } = this;
    const roles = list(record(this.#payload.policy).roles).map(String);
    if (roles.length && !roles.includes("owner")) {
      this.#form.replaceChildren(h("p", { className: "others" }, `${words.others} ${roles.join(", ")}`));
    } else if (!this.#actions.length) this.#askFreely();
    else this.#askDecision();
  }

  #askDecision() {
    const { words } = this;
    const kinds = this.#kinds();
    const one = this.#actions.length === 1;
    const buttons = [
      kinds.includes("approve") && button(words.approve, "primary", () => this.#decide({ type: "approve" })),
      kinds.includes("edit") && one && button(words.edit, "", () => this.#askEdit()),
      kinds.includes("respond") && one && button(words.respond, "", () => this.#askText("respond")),
      kinds.includes("reject") && button(words.reject, "", () => this.#askText("reject")),
    ];
    this.#form.replaceChildren(h("div", { className: "buttons" }, ...buttons));
  }

  /** The decisions that every action allows. */
  #kinds() {
    const configs = list(this.#payload.review_configs).map(record);
    const allowed = this.#actions.map((action) => {
      const config = configs.find((one) => one.action_name === action.name);
      return config ? list(config.allowed_decisions) : ["approve", "reject"];
    });
    return ["approve", "edit", "respond", "reject"].filter((kind) => allowed.every((kinds) => kinds.includes(kind)));
  }

  #askEdit() {
    const { words } = this;
    const [action] = this.#actions;
    const schema = record(record(this.#payload.policy).edit_schema);
    const fields = decisionFields(record(action.args), record(schema.properties), words);
    const send = () => {
      const read = readFields(fields, words);
      if (!read) return;
      const args = { ...record(action.args), ...read };
      const changed = fields.some(({ name }) => String(args[name]) !== String(record(action.args)[name]));
      if (!changed) return this.#say(words.unchanged);
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
    const send = () => text.value.trim() && void this.#send(freely(text.value.trim()));
    const label = h("label", { className: "field" }, this.words.answer, text);
    const form = h("form", {}, label, h("div", { className: "buttons" }, button(this.words.reply, "primary")));
    form.onsubmit = (event) => (event.preventDefault(), send());
    this.#form.replaceChildren(form);
  }

  /**
   * A second step before the decision goes out; "back" offers the choice again.
   * @param {string} done
   * @param {string} look
   * @param {() => void} send
   * @param {...HTMLElement} fields
   */
  #step(done, look, send, ...fields) {
    const back = button(this.words.back, "", () => (this.#say(""), this.#offer(), this.#focus()));
    const form = h("form", { noValidate: true }, ...fields, h("div", { className: "buttons" }, button(done, look), back));
    form.onsubmit = (event) => (event.preventDefault(), send());
    this.#form.replaceChildren(form);
    this.#say("");
    /** @type {HTMLElement | null} */ (form.querySelector("input, textarea"))?.focus();
    form.scrollIntoView({ block: "nearest" });
  }

  /** @param {Record<string, unknown>} decision */
  #decide(decision) {
    return this.#send({ decisions: this.#actions.map(() => decision) });
  }

  /** @param {unknown} response */
  async #send(response) {
    this.#say("");
    this.used = true;
    this.element.classList.add("sending");
    this.#form.inert = true;
    const problem = await this.answer(this.question, response);
    this.element.classList.remove("sending");
    this.#form.inert = false;
    this.#say(problem);
  }

  /** @param {string} problem */
  #say(problem) {
    this.#problem.textContent = problem;
  }

  #focus() {
    /** @type {HTMLElement | null} */ (this.#form.querySelector("button"))?.focus();
  }
}

/**
 * @param {string} label
 * @param {string} look
 * @param {() => void} [onclick] none: it submits its form
 */
function button(label, look, onclick) {
  return h("button", { type: onclick ? "button" : "submit", className: look, onclick }, label);
}

/** @param {Record<string, any>} one */
function fact(one) {
  const about = { className: String(one.kind ?? ""), dir: "auto" };
  return [h("dt", {}, String(one.label ?? "")), h("dd", about, String(one.value ?? ""))];
}

/** @param {Record<string, any>} given */
function table({ title, columns, rows }) {
  const labels = list(columns).map((column) => String(record(column).label ?? column));
  const head = h("thead", {}, h("tr", {}, ...labels.map((label) => h("th", { scope: "col" }, label))));
  const cells = (/** @type {unknown} */ row) => list(row).map((cell) => h("td", { dir: "auto" }, String(cell)));
  const body = h("tbody", {}, ...list(rows).map((row) => h("tr", {}, ...cells(row))));
  const caption = title && h("caption", {}, String(title));
  return h("div", { className: "table", tabIndex: 0 }, h("table", {}, caption, head, body));
}

/**
 * An answer to a plain question: JSON where it is JSON, else the text.
 * @param {string} text
 */
function freely(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * @param {unknown} value
 * @returns {Record<string, any>}
 */
function record(value) {
  return value && typeof value === "object" && !Array.isArray(value) ? /** @type {Record<string, any>} */ (value) : {};
}

/**
 * @param {unknown} value
 * @returns {any[]}
 */
function list(value) {
  return Array.isArray(value) ? value : [];
}
