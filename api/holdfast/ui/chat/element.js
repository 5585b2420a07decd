// @ts-check
// <holdfast-chat api assistant language theme>: a conversation with an assistant, in any page.
import { Api, Refused } from "../parts/api.js";
import { h, icon, loaded, stylesheet } from "../parts/dom.js";
import { Messages } from "./messages.js";
import { Thread, firstAssistant } from "../parts/protocol.js";
import { QuestionCard } from "../parts/questions.js";
import { Transcript } from "./transcript.js";
import { languageOf } from "../parts/words.js";
import { wordsOf } from "./words.js";

const ICONS = {
  fresh: "M4 16h12M12.5 4l3.5 3.5L8.5 15H5v-3.5z",
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  down: "M10 4v12M5 11l5 5 5-5",
};
const NEAR_PX = 80;
const TALL_PX = 168;

class HoldfastChat extends HTMLElement {
  #api = new Api("");
  #assistant = "";
  #words = wordsOf("en");
  #transcript = new Transcript();
  /** @type {Thread | null} */
  #thread = null;
  /** @type {import("../parts/protocol.js").Link} */
  #link = "connecting";
  /** @type {Map<string, QuestionCard>} */
  #cards = new Map();
  #drawing = false;
  #seen = ""; // the newest item that was scrolled to
  /** @type {ReturnType<typeof parts>} */
  #parts = parts(this.#words);
  #messages = new Messages(this.#parts.list, this.#words, () => {});

  connectedCallback() {
    const language = languageOf(this.getAttribute("language"));
    this.#words = wordsOf(language);
    this.lang = language === "zh" ? "zh-CN" : "en";
    this.#api = new Api(this.getAttribute("api") ?? new URL("../..", import.meta.url).href);
    this.#build();
    this.#attach(remembered(this.#key) ?? this.#remember(newId()));
    addEventListener("online", this.#online);
    addEventListener("offline", this.#draw);
  }

  disconnectedCallback() {
    this.#thread?.close();
    removeEventListener("online", this.#online);
    removeEventListener("offline", this.#draw);
  }

  get #key() {
    return `holdfast-chat:${this.#api.address}:${this.getAttribute("assistant") ?? ""}`;
  }

  /** @param {string} id */
  #remember(id) {
    localStorage.setItem(this.#key, id);
    return id;
  }

  #build() {
    this.#parts = parts(this.#words);
    this.#messages = new Messages(this.#parts.list, this.#words, (id) => void this.#sendAgain(id));
    const { form, text, stop, fresh, scroller, down, styles, frame } = this.#parts;
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    void Promise.all(styles.map(loaded)).then(() => (frame.hidden = false));
    root.replaceChildren(...styles, frame);
    form.onsubmit = (event) => (event.preventDefault(), void this.#say());
    text.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    };
    text.oninput = () => this.#fit();
    stop.onclick = () => void this.#stop();
    fresh.onclick = () => this.#startAnew();
    down.onclick = () => scroller.scrollTo({ top: scroller.scrollHeight, behavior: "smooth" });
    scroller.onscroll = () => (down.hidden = this.#atEnd());
  }

  /** @param {string} id */
  #attach(id) {
    this.#thread?.close();
    this.#transcript = new Transcript();
    this.#cards.forEach((card) => card.element.remove());
    this.#cards.clear();
    this.#problem("");
    const thread = (this.#thread = new Thread(this.#api, id));
    void thread.follow(
      (frame) => thread === this.#thread && (this.#transcript.apply(frame), this.#draw()),
      (link) => thread === this.#thread && ((this.#link = link), this.#draw()),
    );
    this.#draw();
  }

  #startAnew() {
    this.#attach(this.#remember(newId()));
    this.#focus();
  }

  async #say() {
    const { text } = this.#parts;
    const said = text.value.trim();
    if (!said) return;
    text.value = "";
    this.#fit();
    const id = newId();
    this.#transcript.said.set(id, { id, text: said, state: "sending" });
    this.#seen = "";
    await this.#send(id);
  }

  /** @param {string} id */
  async #sendAgain(id) {
    this.#focus();
    await this.#send(id);
  }

  /** @param {string} id of what was said; it is the message's id everywhere, so it is never there twice */
  async #send(id) {
    const { said } = this.#transcript;
    const one = said.get(id);
    if (!one || !this.#thread) return;
    this.#problem("");
    one.state = "sending";
    this.#draw();
    try {
      this.#assistant ||= this.getAttribute("assistant") ?? (await firstAssistant(this.#api));
      const input = { messages: [{ type: "human", content: one.text, id }] };
      await this.#thread.command("run.start", { assistant_id: this.#assistant, input }, id);
      if (one.state === "sending") one.state = "sent"; // or it is answered by now
    } catch (error) {
      one.state = "failed";
      if (error instanceof Refused) this.#problem(`${this.#words.refused} ${error.message}`);
    }
    this.#draw();
  }

  /** @type {import("../parts/questions.js").Answer} */
  #answer = async (question, response) => {
    const { id: interrupt_id, namespace } = question;
    try {
      await this.#thread?.command("input.respond", { namespace, interrupt_id, response }, `${interrupt_id}:${newId()}`);
    } catch (error) {
      if (!(error instanceof Refused)) return this.#words.unsent;
      if (!["no_such_interrupt", "nothing_pending"].includes(error.code)) return error.message;
      this.#problem(this.#words.elsewhere);
    }
    this.#transcript.questions.delete(question.key);
    this.#draw();
    return "";
  };

  async #stop() {
    try {
      await this.#thread?.cancel();
      for (const one of this.#transcript.said.values()) one.state = "failed"; // it never had its turn
      this.#draw();
    } catch (error) {
      this.#problem(error instanceof Refused ? `${this.#words.refused} ${error.message}` : this.#words.lost);
    }
  }

  #online = () => this.#thread?.retry();

  /** Draws once a frame, however many events come. */
  #draw = () => {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
    });
  };

  #drawNow() {
    const { log, empty, thinking, stop, send, scroller, down } = this.#parts;
    const atEnd = this.#atEnd();
    const items = this.#transcript.items();
    const newest = items.at(-1);
    const busy = this.#transcript.busy;
    log.setAttribute("aria-busy", String(busy));
    this.#messages.show(items);
    this.#drawQuestions();
    this.#drawState();
    empty.hidden = items.length > 0 || this.#link === "connecting";
    thinking.hidden = !busy || (newest?.kind === "ai" && newest.streaming);
    stop.hidden = !busy;
    send.hidden = busy && !this.#parts.text.value.trim();
    if (atEnd || newest?.key !== this.#seen && newest?.kind === "human") scroller.scrollTop = scroller.scrollHeight;
    this.#seen = newest?.key ?? "";
    down.hidden = this.#atEnd();
  }

  #drawQuestions() {
    const { questions } = this.#transcript;
    for (const [key, card] of this.#cards) {
      const question = questions.get(key);
      if (question?.id === card.question.id) card.held = question.held;
      else this.#takeAway(key, card);
    }
    for (const question of questions.values()) {
      if (this.#cards.has(question.key)) continue;
      const card = new QuestionCard(question, this.#words, this.#answer);
      this.#cards.set(question.key, card);
      this.#parts.questions.append(card.element);
    }
  }

  /**
   * @param {string} key
   * @param {QuestionCard} card
   */
  #takeAway(key, card) {
    const focused = card.used || card.element.contains(this.shadowRoot?.activeElement ?? null);
    card.element.remove();
    this.#cards.delete(key);
    if (focused) this.#focus();
  }

  /** Where to go on, without a keyboard that jumps up on a phone. */
  #focus() {
    const { text, scroller } = this.#parts;
    (matchMedia("(pointer: coarse)").matches ? scroller : text).focus();
  }

  #drawState() {
    const words = this.#words;
    const { link, ending } = this.#parts;
    const { status, problem, questions } = this.#transcript;
    const lost = navigator.onLine ? words.lost : words.offline;
    link.textContent = { connecting: "", open: "", lost, gone: words.gone }[this.#link];
    link.hidden = !link.textContent;
    const stopped = status === "interrupted" && questions.size === 0;
    const text = status === "failed" ? words.failed : stopped ? words.stopped : "";
    const drawn = `${text}\n${problem}`;
    if (ending.dataset.drawn === drawn) return;
    ending.dataset.drawn = drawn;
    ending.className = `ending ${status}`;
    const detail = problem && h("p", { className: "detail" }, problem);
    ending.replaceChildren(...(text ? [h("p", {}, text), detail] : []));
  }

  /** @param {string} text */
  #problem(text) {
    this.#parts.problem.textContent = text;
  }

  #atEnd() {
    const { scroller } = this.#parts;
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
  }

  /** The box grows with what is typed. */
  #fit() {
    const { text } = this.#parts;
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, TALL_PX)}px`;
    this.#draw();
  }
}

/**
 * What the chat is made of.
 * @param {import("./words.js").Words} words
 */
function parts(words) {
  const styles = ["../parts/base.css", "chat.css"].map((name) => stylesheet(new URL(name, import.meta.url).href));
  const fresh = button(words.fresh, "quiet", ICONS.fresh);
  const logo = h("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 28, height: 28 });
  const header = h("header", {}, logo, h("h1", {}, words.title), fresh);
  const link = h("p", { className: "link-state", role: "status", hidden: true });
  const list = h("div", { className: "list" });
  const dots = h("span", { className: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  const thinking = h("div", { className: "thinking", hidden: true }, dots, h("span", { className: "unseen" }, words.thinking));
  const greeting = h("p", { className: "greeting" }, words.greeting);
  const empty = h("div", { className: "empty", hidden: true }, greeting, h("p", {}, words.hint));
  const questions = h("div", { className: "questions", "aria-live": "polite" });
  const ending = h("div", { className: "ending", role: "status" });
  const live = { className: "log", role: "log", "aria-live": "polite", "aria-label": words.conversation };
  const log = h("div", live, list);
  const scroller = h("main", { tabIndex: -1 }, empty, log, thinking, ending, questions);
  const down = button(words.newest, "down", ICONS.down, { hidden: true });
  const problem = h("p", { className: "problem", role: "alert" });
  const box = { rows: 1, placeholder: words.placeholder, "aria-label": words.message };
  const text = h("textarea", { ...box, maxLength: 8000, enterKeyHint: "send" });
  const send = button(words.send, "round primary", ICONS.send, { type: "submit" });
  const stop = button(words.stop, "round stop", ICONS.stop, { hidden: true });
  const form = h("form", { className: "composer" }, text, stop, send);
  const foot = h("footer", {}, down, problem, form);
  const frame = h("div", { className: "frame", hidden: true }, header, link, scroller, foot);
  const shown = { list, thinking, empty, questions, ending, log, scroller };
  return { styles, frame, fresh, link, ...shown, down, problem, text, send, stop, form };
}

/**
 * A button that is a drawing.
 * @param {string} label
 * @param {string} className
 * @param {string} path
 * @param {Record<string, unknown>} [more]
 */
function button(label, className, path, more = {}) {
  return h("button", { type: "button", className, title: label, "aria-label": label, ...more }, icon(path));
}

/**
 * The thread of the last visit.
 * @param {string} key
 */
function remembered(key) {
  const id = localStorage.getItem(key);
  return id && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? id : null;
}

/** A UUID, also on a page that was not loaded over TLS. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

customElements.define("holdfast-chat", HoldfastChat);
