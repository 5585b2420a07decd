// @ts-check
// What a run waits for, as a card: the figures, the quotes, and what may be answered.
import { DecisionForm } from "./decision.js";
import { h } from "./dom.js";
import { figuresOf, titleOf } from "./figures.js";
import { list, record } from "./text.js";
import { CARD } from "./words.js";

/**
 * @typedef {import("../chat/transcript.js").Question} Question
 * @typedef {import("./words.js").Language} Language
 * @typedef {import("./words.js").Words} Words
 * @typedef {(question: Question, response: unknown) => Promise<string>} Answer gives a sentence when it was refused
 */

/** One card; `element` is in the page as long as the question waits. */
export class QuestionCard {
  #form;

  /**
   * @param {Question} question
   * @param {Language} language
   * @param {Answer} answer
   */
  constructor(question, language, answer) {
    const words = CARD[language];
    this.question = question;
    this.#form = new DecisionForm(question.payload, words, async (response) => {
      this.element.classList.add("sending");
      const problem = await answer(question, response);
      this.element.classList.remove("sending");
      return problem;
    });
    const title = h("h2", { id: `title-${question.key}` }, titleOf(question.payload, words));
    const about = { className: "card", role: "group", "aria-labelledby": title.id, tabIndex: -1 };
    const figures = figuresOf(question.payload, words);
    this.element = h("section", about, title, ...figures, this.#form.element, this.#form.problem);
    this.#waitForOthers(words);
  }

  /** An answer was given here. */
  get used() {
    return this.#form.used;
  }

  /** While a run is at work nothing can be answered; afterwards it is asked again. */
  set held(/** @type {boolean} */ held) {
    this.element.classList.toggle("held", held);
    this.element.inert = held;
  }

  /** @param {Words} words */
  #waitForOthers(words) {
    const roles = list(record(record(this.question.payload).policy).roles).map(String);
    if (roles.length === 0 || roles.includes("owner")) return;
    this.#form.element.replaceChildren(h("p", { className: "others" }, `${words.others} ${roles.join(", ")}`));
  }
}
