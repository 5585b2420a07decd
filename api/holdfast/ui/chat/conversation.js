// @ts-check
// One conversation as it is shown: what was said, what is waited for, and where one writes.
import { Refused } from "../parts/api.js";
import { h } from "../parts/dom.js";
import { parts } from "./layout.js";
import { Thread, firstAssistant, newId } from "../parts/protocol.js";
import { firstSentence } from "../parts/text.js";
import { Messages } from "./messages.js";
import { Transcript } from "./transcript.js";

/**
 * @typedef {import("../parts/questions.js").QuestionCard} QuestionCard
 * @typedef {{api: import("../parts/api.js").Api, language: "en" | "zh", words: import("./layout.js").Words, assistant: string | null,
 *   greeting: string | null, times: import("./times.js").Times, memory: import("./memory.js").Memory,
 *   watched: () => boolean, changed: () => void, began: (id: string) => void, lost: (said: string) => void}} Around
 *   what a conversation stands in: `watched` is whether somebody can see it
 */

const NEAR_PX = 80;
const TALL_PX = 168;
const NOTHING = "-"; // was seen yet, of a conversation that began here
const REPLAY_MS = 2000;

export class Conversation {
  #transcript = new Transcript();
  /** @type {import("../parts/protocol.js").Link} */
  #link = "open";
  /** @type {Map<string, QuestionCard>} */
  #cards = new Map();
  #following = false;
  #drawing = false;
  #pinned = true; // to the end
  #top = 0;
  /** @type {string | undefined} the first message that came unseen */
  #unread;
  #seen = "";
  #replayed = 0; // by when what had been said before is there again
  #sizes = new ResizeObserver(() => this.#stick());
  unread = 0;

  /**
   * @param {Around} around
   * @param {string} id
   */
  constructor(around, id) {
    this.around = around;
    this.id = id;
    this.thread = new Thread(around.api, id);
    this.parts = parts(around);
    this.element = this.parts.element;
    this.messages = new Messages(this.parts.list, around.words, (said) => void this.#sendAgain(said), around.times);
    this.#seen = around.memory.read().threads[id]?.seen ?? "";
    this.#listen();
  }

  get hold() {
    return this.#transcript.hold;
  }

  get attendant() {
    return this.#transcript.attendant;
  }

  /** Whether the server knows of it. */
  get begun() {
    return this.#following;
  }

  #listen() {
    const { form, text, stop, scroller, down, list } = this.parts;
    form.onsubmit = (event) => (event.preventDefault(), this.#sayTyped());
    text.value = this.around.memory.draft(this.id);
    text.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    };
    text.oninput = () => (this.around.memory.keepDraft(this.id, text.value), this.fit());
    stop.onclick = () => void this.#stop();
    down.onclick = () => scroller.scrollTo({ top: scroller.scrollHeight, behavior: "smooth" });
    scroller.onscroll = () => {
      // Only who scrolls up leaves the end: it also moves away when something above turns out taller.
      this.#pinned = this.#atEnd() || (this.#pinned && scroller.scrollTop >= this.#top);
      this.#top = scroller.scrollTop;
      down.hidden = this.#atEnd();
    };
    for (const one of [scroller, list, this.parts.rest]) this.#sizes.observe(one);
  }

  follow() {
    if (this.#following) return;
    this.#following = true;
    this.#replayed = performance.now() + REPLAY_MS;
    void this.thread.follow(
      (frame) => (this.#transcript.apply(frame), this.draw()),
      (link) => ((this.#link = link), this.draw()),
    );
  }

  close() {
    this.#drawing = true; // for good: nothing is drawn any more
    this.#sizes.disconnect();
    this.thread.close();
    this.element.remove();
  }

  #sayTyped() {
    const { text } = this.parts;
    const said = text.value.trim();
    if (!said) return;
    text.value = "";
    this.around.memory.keepDraft(this.id, "");
    void this.say(said);
  }

  /** @param {string} said */
  async say(said) {
    const id = newId();
    this.#transcript.said.set(id, { id, text: said, state: "sending" });
    this.#unread = undefined;
    this.#pinned = true;
    this.fit();
    if (!this.begun) this.#begin(said);
    await this.#send(id);
  }

  /** @param {string} said */
  #begin(said) {
    const title = firstSentence(said);
    this.#seen = NOTHING;
    this.around.memory.note(this.id, { at: Date.now(), title, seen: NOTHING });
    this.around.began(this.id);
    this.follow();
  }

  /** @param {string} id */
  async #sendAgain(id) {
    this.focus();
    await this.#send(id);
  }

  /** @param {string} id of what was said; it is the message's id everywhere, so it is never there twice */
  async #send(id) {
    const one = this.#transcript.said.get(id);
    if (!one) return;
    one.state = "sending";
    const first = !this.#transcript.heard;
    const sent = await this.#run({ messages: [{ type: "human", content: one.text, id }] }, id);
    if (!sent) one.state = "failed";
    else if (one.state === "sending") one.state = "sent"; // or it is answered by now
    this.refresh();
    if (sent && first) void this.#name(firstSentence(one.text));
  }

  /** @param {string} title by which the conversation is listed, wherever the caller signs in */
  #name(title) {
    return this.thread.change({ method: "PATCH", keepalive: true, json: { metadata: { title } } }).catch(() => {});
  }

  /**
   * @param {unknown} input
   * @param {string} key
   * @returns {Promise<boolean>} whether the server has taken it
   */
  async #run(input, key) {
    this.#problem("");
    this.refresh();
    try {
      const assistant_id = this.around.assistant ?? (await firstAssistant(this.around.api));
      await this.thread.command("run.start", { assistant_id, input }, key);
      return true;
    } catch (error) {
      if (error instanceof Refused) this.#refuse(error);
      // Whoever was here before began it: it is not this caller's.
      const [said] = this.#transcript.said.values();
      if (error instanceof Refused && error.code === "thread_not_found" && said) this.around.lost(said.text);
      return false;
    }
  }

  /** @type {import("../parts/questions.js").Answer} */
  #answer = async (question, response) => {
    const { id: interrupt_id, namespace } = question;
    const { words } = this.around;
    try {
      await this.thread.command("input.respond", { namespace, interrupt_id, response }, `${interrupt_id}:${newId()}`);
    } catch (error) {
      if (!(error instanceof Refused)) return words.unsent;
      if (!["no_such_interrupt", "nothing_pending"].includes(error.code)) return error.message;
      this.#problem(words.elsewhere);
    }
    this.#transcript.questions.delete(question.key);
    this.refresh();
    return "";
  };

  async #stop() {
    await this.#attempt(async () => {
      await this.thread.cancel();
      for (const one of this.#transcript.said.values()) one.state = "failed"; // it never had its turn
    });
  }

  /** Asks for a person, or takes the wish back. */
  async askPerson(wanted = true) {
    await this.#attempt(async () => {
      if (!this.begun) {
        await this.around.api.ask("/threads", { json: { thread_id: this.id, if_exists: "do_nothing" } });
        this.#begin(this.around.words.person);
      }
      await this.thread.change(wanted ? { method: "PUT", json: { ask: true } } : { method: "DELETE" }, "/hold");
    });
  }

  /** @param {() => Promise<void>} act */
  async #attempt(act) {
    this.#problem("");
    try {
      await act();
    } catch (error) {
      if (error instanceof Refused) this.#refuse(error);
      else this.#problem(this.around.words.lost);
    }
    this.refresh();
  }

  /** Asks how it was, once a person has left; not again who has said so. */
  async #offerRating() {
    this.#transcript.left = false;
    const { metadata } = await this.thread.change({}).catch(() => ({ metadata: { rating: true } }));
    if (!metadata.rating) await this.rate(false);
  }

  /** @param {boolean} [wanted] by somebody who waits for it */
  async rate(wanted = true) {
    const { ratingForm } = await import("./rating.js");
    const { words } = this.around;
    const send = (/** @type {unknown} */ json) => this.thread.change({ method: "PUT", json }, "/rating");
    const { form, shown } = ratingForm(words, send, () => this.focus());
    this.parts.rating.replaceChildren(form);
    this.#pinned = true;
    await shown;
    if (wanted) form.querySelector("input")?.focus();
  }

  /** Draws all of it, also what no event has changed. */
  refresh() {
    this.#transcript.changed = true;
    this.draw();
  }

  /** Draws once a frame, however many events come. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    const now = () => {
      this.#drawing = false;
      this.#drawNow();
    };
    if (document.hidden) setTimeout(now); // there are no frames then
    else requestAnimationFrame(now);
  }

  #drawNow() {
    const transcript = this.#transcript;
    if (transcript.changed) this.#drawAll();
    else for (const id of transcript.grown) this.messages.grow(id, transcript.textOf(id));
    transcript.grown.clear();
    transcript.changed = false;
    this.#drawState();
    this.#stick();
    this.around.changed();
  }

  #drawAll() {
    const transcript = this.#transcript;
    let items = transcript.items(this.#unread);
    if (this.#read(items)) items = transcript.items(this.#unread);
    this.messages.show(items);
    void this.#drawQuestions();
    if (transcript.left) void this.#offerRating();
    const { log, empty, thinking } = this.parts;
    const newest = items.at(-1);
    log.ariaBusy = String(transcript.busy);
    empty.hidden = items.length > 0 || this.#link === "connecting";
    thinking.hidden = !transcript.busy || Boolean(transcript.hold) || (newest?.kind === "ai" && newest.streaming === true);
  }

  /**
   * What came is read aloud once, when it is whole; or counted as unread while nobody looks.
   * @param {import("./transcript.js").Item[]} items
   * @returns {boolean} whether the unread begins elsewhere now
   */
  #read(items) {
    const heard = items.flatMap((item) => (item.kind === "ai" && !item.streaming ? [item] : []));
    const newest = heard.at(-1);
    const before = this.#unread;
    const place = heard.findLastIndex((item) => item.key === this.#seen);
    const known = place >= 0 || this.#seen === NOTHING;
    if (!newest || (this.#seen && !known && performance.now() < this.#replayed)) return false;
    const fresh = known ? heard.slice(place + 1) : [];
    this.unread = this.around.watched() ? 0 : fresh.length;
    if (this.unread) this.#unread = before ?? fresh[0].key;
    else if (newest.key !== this.#seen) {
      this.parts.spoken.textContent = fresh.map(({ speaker, text }) => `${speaker || this.around.words.assistant}: ${text}`).join("\n");
      this.#seen = newest.key;
      this.around.memory.note(this.id, { seen: newest.key });
    }
    return this.#unread !== before;
  }

  async #drawQuestions() {
    const { questions } = this.#transcript;
    if (!questions.size && !this.#cards.size) return;
    const { QuestionCard } = await import("../parts/questions.js");
    for (const [key, card] of this.#cards) {
      const question = questions.get(key);
      if (question?.id === card.question.id) card.held = question.held;
      else this.#takeAway(key, card);
    }
    for (const question of questions.values()) {
      if (this.#cards.has(question.key)) continue;
      const card = new QuestionCard(question, this.around.language, this.#answer);
      this.#cards.set(question.key, card);
      this.parts.questions.append(card.element);
    }
  }

  /**
   * @param {string} key
   * @param {QuestionCard} card
   */
  #takeAway(key, card) {
    const root = /** @type {ShadowRoot} */ (this.element.getRootNode());
    const focused = card.used || card.element.contains(root.activeElement);
    card.element.remove();
    this.#cards.delete(key);
    if (focused) this.focus();
  }

  /** Where to go on, without a keyboard that jumps up on a phone. */
  focus() {
    const { text, scroller } = this.parts;
    (matchMedia("(pointer: coarse)").matches ? scroller : text).focus();
  }

  #drawState() {
    const { words } = this.around;
    const { link, ending, stop, send, text } = this.parts;
    const { status, problem, questions, busy } = this.#transcript;
    const { lost, gone, offline } = words;
    const state = { connecting: "", open: "", lost, gone }[this.#link];
    link.textContent = navigator.onLine ? state : offline;
    stop.hidden = !busy;
    send.hidden = busy && !text.value.trim();
    const stopped = status === "interrupted" && questions.size === 0;
    const sentence = status === "failed" ? words.failed : stopped ? words.stopped : "";
    const drawn = `${sentence}\n${problem}`;
    if (ending.dataset.drawn === drawn) return;
    ending.dataset.drawn = drawn;
    ending.className = `ending ${status}`;
    const retry = () => void this.#run(null, newId()); // goes on with the step that failed
    const again = h("button", { type: "button", className: "link", onclick: retry }, words.again);
    const detail = problem && h("p", { className: "detail", dir: "auto" }, problem);
    ending.replaceChildren(...(sentence ? [h("p", {}, sentence, " ", again), detail] : []));
  }

  /** @param {Refused} refused */
  #refuse({ message }) {
    this.#problem(`${this.around.words.refused} ${message}`);
  }

  /** @param {string} text */
  #problem(text) {
    this.parts.problem.textContent = text;
  }

  #atEnd() {
    const { scroller } = this.parts;
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
  }

  #stick() {
    const { scroller, down } = this.parts;
    if (this.#pinned) scroller.scrollTop = scroller.scrollHeight;
    down.hidden = this.#pinned;
  }

  /** The box grows with what is typed. */
  fit() {
    const { text } = this.parts;
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, TALL_PX)}px`;
    this.draw();
  }
}
