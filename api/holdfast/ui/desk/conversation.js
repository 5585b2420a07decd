// @ts-check
// A conversation as an operator reads it, live.
import { Messages } from "../chat/messages.js";
import { Transcript } from "../chat/transcript.js";
import { h } from "../parts/dom.js";
import { Thread } from "../parts/protocol.js";

const NEAR_PX = 80;

/** @typedef {{role: string, by: string | null, since: string, asked_by: string | null}} Hold */

export class Conversation {
  /** @type {Thread | null} */
  thread = null;
  transcript = new Transcript();
  /** @type {(hold: Hold | null, at?: string) => void} */
  onhold = () => {};
  #drawing = false;
  /** @type {import("../parts/protocol.js").Link} */
  #link = "connecting";
  #list = h("div", { className: "list" });
  #state = h("p", { className: "link-state", role: "status", hidden: true });
  #empty = h("p", { className: "soft nothing", hidden: true });
  #ending = h("p", { className: "ending", role: "status" });
  /** @type {Messages} */
  #messages;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   */
  constructor(session, words) {
    this.session = session;
    this.words = words;
    this.#messages = new Messages(this.#list, words, () => {});
    this.#empty.textContent = words.nothingSaid;
    const log = h("div", { className: "log", role: "log", "aria-label": words.conversation }, this.#list);
    this.scroller = h(
      "div",
      { className: "scroll", tabIndex: 0, role: "region", "aria-label": words.conversation },
      this.#empty,
      log,
      this.#ending,
    );
    this.element = h("div", { className: "conversation" }, this.#state, this.scroller);
  }

  get id() {
    return this.thread?.id ?? "";
  }

  /** @param {string} id of the thread */
  attach(id) {
    if (id === this.id) return;
    this.close();
    this.element.hidden = false;
    const thread = (this.thread = new Thread(this.session, id));
    void thread.follow(
      (frame) => thread === this.thread && this.#apply(frame),
      (link) => thread === this.thread && ((this.#link = link), this.draw()),
    );
    this.draw();
  }

  close() {
    this.thread?.close();
    this.thread = null;
    this.transcript = new Transcript();
    this.element.hidden = true;
    this.draw();
  }

  /** @param {import("../parts/protocol.js").Frame} frame */
  #apply(frame) {
    this.transcript.apply(frame);
    const { data } = frame.params ?? {};
    if (frame.method === "custom" && data?.name === "hold") this.#tellHold(data.payload);
    // What an operator said comes back under another id: what was typed has served.
    for (const one of this.transcript.said.values()) if (one.state === "done") this.transcript.said.delete(one.id);
    this.draw();
  }

  /** @param {{hold: Hold | null, released?: {at: string}}} told */
  #tellHold({ hold, released }) {
    this.onhold(hold, hold?.since ?? released?.at);
  }

  /** Draws once a frame, however many events come. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
    });
  }

  #drawNow() {
    const { scroller, words } = this;
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
    const items = this.transcript.items();
    this.#messages.show(items);
    this.#empty.hidden = items.length > 0 || this.#link !== "open";
    this.#state.textContent = { connecting: "", open: "", lost: words.lost, gone: words.notYours }[this.#link];
    this.#state.hidden = !this.#state.textContent;
    const { status, problem } = this.transcript;
    this.#ending.className = `ending ${status}`;
    this.#ending.textContent = status === "failed" ? `${words.runFailed} ${problem}` : "";
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  }
}
