// @ts-check
// <holdfast-chat api assistant language theme greeting token launcher>: conversations with an assistant, in any page.
import { Api } from "../parts/api.js";
import { h, loaded, stylesheet } from "../parts/dom.js";
import { languageOf } from "../parts/language.js";
import { newId } from "../parts/protocol.js";
import { Conversation } from "./conversation.js";
import { shell } from "./layout.js";
import { Memory, markOf } from "./memory.js";
import { timesIn } from "./times.js";

/** @typedef {import("../parts/api.js").TokenSource} TokenSource */

const PATIENCE_MS = 3000;

class HoldfastChat extends HTMLElement {
  static observedAttributes = ["api", "assistant", "language", "theme", "greeting", "token", "launcher"];

  #root = this.attachShadow({ mode: "open" });
  #base = h("div", { className: "base" });
  /** @type {TokenSource | string | null} */
  #token = null;
  #who = "";
  #starts = 0;
  /** @type {import("./conversation.js").Around | null} */
  #around = null;
  /** @type {Conversation | null} */
  #conversation = null;
  #parts = shell(/** @type {any} */ ({}), false);
  /** @type {HTMLElement | null} */
  #panel = null;

  constructor() {
    super();
    const styles = ["../parts/base.css", "chat.css"].map((path) => stylesheet(new URL(path, import.meta.url).href));
    this.#base.hidden = true;
    this.#root.append(...styles, this.#base);
    void Promise.all(styles.map(loaded)).then(() => (this.#base.hidden = false));
  }

  connectedCallback() {
    if (Object.hasOwn(this, "token")) this.#adopt();
    for (const name of ["online", "offline"]) addEventListener(name, this.#online);
    document.addEventListener("visibilitychange", this.#look);
    this.#restart();
  }

  disconnectedCallback() {
    this.#starts += 1;
    this.#conversation?.close();
    for (const name of ["online", "offline"]) removeEventListener(name, this.#online);
    document.removeEventListener("visibilitychange", this.#look);
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (name === "theme") this.#base.dataset.theme = this.getAttribute("theme") ?? "";
    else if (this.isConnected) this.#restart();
  }

  /** Who calls: a token or what gives one; without it the attribute names a function of the page. */
  get token() {
    return this.#token;
  }

  set token(/** @type {TokenSource | string | null} */ token) {
    this.#token = token;
    if (this.isConnected) this.#restart();
  }

  /** It was set before this class was there. */
  #adopt() {
    const { token } = this;
    Reflect.deleteProperty(this, "token");
    this.#token = token;
  }

  async #askToken() {
    const source = this.#token ?? Reflect.get(window, this.getAttribute("token") ?? "");
    return (typeof source === "function" ? await source() : source) ?? null;
  }

  /** The token for a request. When it is somebody else's all of a sudden, all that is shown is the other's. */
  #identify = async () => {
    const token = await this.#askToken();
    if (markOf(token) === this.#who) return token;
    this.#restart();
    throw new TypeError("Somebody else calls from now on.");
  };

  /**
   * Says something as if it was typed.
   * @param {string} text
   */
  say(text) {
    return this.#conversation?.say(text);
  }

  /**
   * Tells the page.
   * @param {string} what
   * @param {object} [detail]
   */
  #announce(what, detail) {
    this.dispatchEvent(new CustomEvent(`holdfast-${what}`, { bubbles: true, composed: true, detail }));
  }

  /** Builds everything anew, once for all that changed by now. */
  #restart() {
    const start = (this.#starts += 1);
    queueMicrotask(() => start === this.#starts && this.#start(start));
  }

  /** @param {number} start */
  async #start(start) {
    const language = languageOf(this.getAttribute("language"));
    try {
      const loading = language === "zh" ? import("./words/zh.js") : import("./words/en.js");
      const [{ words }, token] = await Promise.all([loading, this.#askToken()]);
      if (start === this.#starts) this.#build(language, words, markOf(token));
    } catch (error) {
      console.warn("holdfast-chat:", error);
      setTimeout(() => start === this.#starts && this.#restart(), PATIENCE_MS);
    }
  }

  /**
   * @param {"en" | "zh"} language
   * @param {import("./layout.js").Words} words
   * @param {string} who
   */
  #build(language, words, who) {
    this.lang = language === "zh" ? "zh-CN" : "en";
    this.#who = who;
    const api = new Api(this.getAttribute("api") ?? new URL("../..", import.meta.url).href, this.#identify);
    const assistant = this.getAttribute("assistant");
    const memory = new Memory(`holdfast-chat:${api.address}:${assistant ?? ""}:${who}`);
    this.#around = {
      ...{ api, language, words, assistant, memory, times: timesIn(this.lang), greeting: this.getAttribute("greeting") },
      watched: () => !document.hidden && !this.#parts.frame.hidden,
      changed: () => this.#tell(),
      began: (id) => memory.write((kept) => (kept.open = id)),
      lost: (said) => (this.#startAnew(), void this.#conversation?.say(said)),
    };
    this.#parts = shell(words, this.hasAttribute("launcher"));
    this.#listen();
    this.#base.replaceChildren(this.#parts.frame, this.#parts.launch);
    const { open } = memory.read();
    this.#open(open ?? newId(), Boolean(open));
    this.#announce("ready");
  }

  #listen() {
    const { person, withdraw, all, fresh, close, launch, frame } = this.#parts;
    person.onclick = () => void this.#conversation?.askPerson();
    withdraw.onclick = () => void this.#conversation?.askPerson(false);
    all.onclick = () => (this.#panel ? this.#closePanel() : void this.#openPanel());
    fresh.onclick = () => this.#startAnew();
    close.onclick = () => this.#launch(false);
    launch.onclick = () => this.#launch(frame.hidden);
    frame.onkeydown = (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      if (this.#panel) this.#closePanel();
      else if (!close.hidden) this.#launch(false);
    };
  }

  /** @param {boolean} shown */
  #launch(shown) {
    const { frame, launch } = this.#parts;
    frame.hidden = !shown;
    launch.ariaExpanded = String(shown);
    this.#conversation?.refresh();
    if (shown) this.#conversation?.focus();
    else launch.focus();
  }

  /**
   * @param {string} id
   * @param {boolean} begun
   */
  #open(id, begun) {
    if (!this.#around) return;
    this.#conversation?.close();
    this.#conversation = new Conversation(this.#around, id);
    this.#parts.body.prepend(this.#conversation.element);
    if (begun) this.#conversation.follow();
    this.#conversation.fit();
    this.#announce("thread", { thread_id: id });
  }

  #startAnew() {
    this.#closePanel();
    this.#around?.memory.write((kept) => delete kept.open);
    this.#open(newId(), false);
    this.#conversation?.focus();
  }

  /** @param {string} id */
  #switch(id) {
    this.#closePanel();
    this.#around?.began(id);
    if (id !== this.#conversation?.id) this.#open(id, true);
    this.#conversation?.focus();
  }

  async #openPanel() {
    const { conversationsPanel } = await import("./conversations.js");
    const conversation = this.#conversation;
    if (!conversation || !this.#around || this.#panel) return;
    const { panel, shown } = conversationsPanel(this.#around, {
      signedIn: Boolean(this.#who),
      current: conversation.id,
      begun: conversation.begun,
      open: (id) => this.#switch(id),
      removed: (id) => {
        if (id === this.#conversation?.id) this.#open(newId(), false);
        this.#panel?.querySelector("h2")?.focus();
      },
      fresh: () => this.#startAnew(),
      end: () => (this.#closePanel(), void conversation.rate()),
    });
    conversation.element.inert = true;
    this.#panel = panel;
    this.#parts.body.append(panel);
    this.#parts.all.ariaExpanded = "true";
    void shown.then(() => panel.querySelector("h2")?.focus());
  }

  #closePanel() {
    if (!this.#panel) return;
    this.#panel.remove();
    this.#panel = null;
    this.#parts.all.ariaExpanded = "false";
    this.#parts.all.focus();
    if (this.#conversation) this.#conversation.element.inert = false;
  }

  /** What the frame says of the conversation. */
  #tell() {
    const { state, withdraw, attending, person, launch } = this.#parts;
    const { words } = /** @type {import("./conversation.js").Around} */ (this.#around);
    const { hold, attendant, unread } = /** @type {Conversation} */ (this.#conversation);
    const sentence = !hold ? "" : hold.by ? words.here.replace("{}", attendant) : words.asked;
    if (state.textContent !== sentence) state.textContent = sentence;
    attending.hidden = !hold;
    person.hidden = Boolean(hold);
    withdraw.hidden = Boolean(hold?.by);
    if (launch.dataset.unread === String(unread)) return;
    launch.dataset.unread = String(unread);
    launch.ariaLabel = unread ? `${words.open} (${unread} ${words.news})` : words.open;
    this.#announce("unread", { count: unread });
  }

  #online = () => {
    this.#conversation?.thread.retry();
    this.#conversation?.draw();
  };

  #look = () => this.#conversation?.refresh();
}

customElements.define("holdfast-chat", HoldfastChat);
