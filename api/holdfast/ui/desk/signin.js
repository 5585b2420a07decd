// @ts-check
// Signing in: a token or a key; where the server makes tokens for trying things out, one of its operators.
import { Refused } from "../parts/api.js";
import { h } from "../parts/dom.js";

const DEMO = [
  { subject: "olga", roles: ["operator"] },
  { subject: "otto", roles: ["operator"] },
  { subject: "carl", roles: ["operator", "supervisor"] },
];

export class SignIn {
  #body = h("div", { className: "ways" });
  #problem = h("p", { className: "problem", role: "alert" });

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   * @param {() => void} enter
   * @param {string} problem why one has to sign in again
   */
  constructor(session, words, enter, problem) {
    this.session = session;
    this.words = words;
    this.enter = enter;
    this.#problem.textContent = problem;
    const logo = h("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 40, height: 40 });
    const heading = h("h1", {}, words.welcome);
    const box = h("div", { className: "signin" }, logo, heading, this.#problem, this.#body);
    this.element = h("main", { className: "door" }, box);
    void this.#offer();
  }

  async #offer() {
    const demo = await this.session.isDemo();
    this.#body.replaceChildren(...(demo ? this.#demo() : [this.#token()]));
    /** @type {HTMLElement | null} */ (this.#body.querySelector("button, input"))?.focus();
  }

  #demo() {
    const { words } = this;
    const people = DEMO.map(({ subject, roles }) => {
      const name = h("span", { className: "name" }, subject[0].toUpperCase() + subject.slice(1));
      const about = h("span", { className: "soft" }, roles.join(", "));
      const face = h("span", { className: "face", "aria-hidden": "true" }, subject[0].toUpperCase());
      return h("button", { type: "button", onclick: () => this.#be(subject, roles) }, face, h("span", {}, name, about));
    });
    const [subject, roles] = [entry(words.subject), entry(words.roles, "operator")];
    const form = h("form", {}, subject.label, roles.label, submit(words.signIn));
    form.onsubmit = (event) => {
      event.preventDefault();
      const named = roles.input.value.split(/[\s,，]+/).filter(Boolean);
      if (subject.input.value.trim()) void this.#be(subject.input.value.trim(), named);
    };
    const other = h("details", {}, h("summary", {}, words.somebodyElse), form);
    return [h("p", { className: "soft" }, words.demo), h("div", { className: "people" }, ...people), other];
  }

  #token() {
    const { label, input } = entry(this.words.token);
    input.type = "password";
    const form = h("form", {}, label, h("p", { className: "hint" }, this.words.tokenKept), submit(this.words.signIn));
    form.onsubmit = (event) => {
      event.preventDefault();
      if (input.value.trim()) void this.#try(async () => input.value.trim());
    };
    return form;
  }

  /**
   * @param {string} subject
   * @param {string[]} roles
   */
  #be(subject, roles) {
    return this.#try(async () => (await this.session.ask("/dev/token", { json: { subject, roles } })).token);
  }

  /** @param {() => Promise<string>} get the token */
  async #try(get) {
    this.#problem.textContent = "";
    this.#body.inert = true;
    try {
      await this.session.signIn(await get());
      this.enter();
    } catch (error) {
      const known = error instanceof Refused && error.status === 401;
      this.#problem.textContent = known
        ? this.words.badToken
        : error instanceof Refused
          ? error.message
          : this.words.unreachable;
    } finally {
      this.#body.inert = false;
    }
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function entry(name, value = "") {
  const input = h("input", { type: "text", value, autocomplete: "off", spellcheck: false });
  return { input, label: h("label", { className: "field" }, name, input) };
}

/** @param {string} label */
function submit(label) {
  return h("button", { type: "submit", className: "primary" }, label);
}
