// @ts-check
// The desk around its views: where one is, what is counted, which keys do what.
import { button, h, icon } from "../parts/dom.js";
import { Conversation } from "./conversation.js";
import { Feed } from "./feed.js";
import { Keys } from "./keys.js";
import { face } from "./marks.js";
import { Queue } from "./queue.js";
import { RequestView } from "./request.js";
import { Threads } from "./threads.js";

const KEYBOARD = "M2.5 5.5h15v9h-15zM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6.5 11.5h7";
const LEAVE = "M8 3.5H4v13h4M8 10h8.5M13 6.5l3.5 3.5-3.5 3.5";
const VIEWS = ["approvals", "conversations", "figures"];

export class Workplace {
  #counts = { approvals: 0, conversations: 0 };
  #view = "";
  /** @type {import("./dashboard.js").Dashboard | null} */
  #dashboard = null;
  /** @type {Record<string, HTMLAnchorElement>} */
  #links = {};
  #live = h("span", { className: "live", role: "status" });
  #main = h("main", {});

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   * @param {import("../parts/words.js").Language} language
   */
  constructor(session, words, language) {
    this.session = session;
    this.words = words;
    this.feed = new Feed(session);
    this.queue = new Queue(session, words, (count) => this.#count("approvals", count));
    this.threads = new Threads(session, words, (count) => this.#count("conversations", count));
    this.language = language;
    this.beside = new Conversation(session, words);
    this.request = new RequestView(
      session,
      words,
      (one) => one.approval_id === this.request.id && this.beside.attach(one.thread_id),
    );
    this.keys = new Keys(words, (action) => this.#act(action));
    const beside = h(
      "section",
      { className: "pane beside", "aria-label": words.conversation },
      h("h2", {}, words.conversation),
      this.beside.element,
    );
    const hint = h("p", { className: "soft hint" }, words.pickOne);
    /** @type {Record<string, HTMLElement>} */
    this.panes = {
      approvals: h(
        "div",
        { className: "view three" },
        this.queue.element,
        h("div", { className: "pick" }, hint),
        this.request.element,
        beside,
      ),
      conversations: h(
        "div",
        { className: "view two" },
        this.threads.element,
        h("div", { className: "pick" }, hint.cloneNode(true)),
        this.threads.detail,
      ),
      figures: h("div", { className: "view one" }),
    };
    this.elements = [this.#bar(), this.#main, this.keys.dialog];
  }

  start() {
    addEventListener("hashchange", this.#go);
    addEventListener("pagehide", this.#leave);
    this.threads.start();
    void this.feed.follow({
      take: (happening) => {
        this.queue.take(happening);
        void this.request.happen(happening);
      },
      anew: () => void Promise.all([this.queue.load(), this.request.refresh()]),
      tell: (open) => this.#tell(open),
    });
    this.#go();
  }

  close() {
    removeEventListener("hashchange", this.#go);
    removeEventListener("pagehide", this.#leave);
    this.feed.close();
    this.threads.stop();
    this.#dashboard?.stop();
    this.request.close();
    this.beside.close();
    this.keys.close();
  }

  #bar() {
    const { words, session } = this;
    const logo = h("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 24, height: 24 });
    const views = VIEWS.filter((view) => view !== "figures" || session.me.staff);
    for (const view of views)
      this.#links[view] = h("a", { href: `#/${view}` }, words[/** @type {"approvals"} */ (view)]);
    const roles = session.me.roles.join(", ");
    const person = h(
      "span",
      { className: "person", title: roles },
      face(session.me.name),
      h("span", { className: "name" }, session.me.name),
      h("span", { className: "soft" }, roles),
    );
    const help = quiet(words.shortcuts, KEYBOARD, () => this.keys.show());
    const out = quiet(words.signOut, LEAVE, () => void this.request.claim.release().then(() => session.signOut()));
    return h(
      "header",
      { className: "bar" },
      logo,
      h("nav", { "aria-label": words.title }, ...Object.values(this.#links)),
      this.#live,
      person,
      help,
      out,
    );
  }

  #leave = () => void this.request.claim.release();

  /** Shows what the address names. */
  #go = () => {
    const [, view, ...rest] = location.hash.split("/");
    const id = decodeURIComponent(rest.join("/"));
    const known = this.#links[view] ? view : "approvals";
    if (known !== this.#view) this.#show(known);
    const { request, queue, threads, beside } = this;
    this.panes[known].classList.toggle("open", id !== "");
    if (known === "approvals") {
      queue.select(id);
      if (id) void request.open(id).then(() => request.id === id && this.#focus(request.element));
      else (request.close(), beside.close());
    } else (request.close(), beside.close());
    if (known === "conversations" && id) void threads.open(id).then(() => this.#focus(threads.detail));
    else threads.close();
  };

  /** @param {string} view */
  #show(view) {
    this.#view = view;
    for (const [name, link] of Object.entries(this.#links)) {
      if (name === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.#main.replaceChildren(this.panes[view]);
    this.#dashboard?.stop();
    if (view === "figures") void this.#showFigures();
  }

  /** What draws them is loaded when they are looked at first. */
  async #showFigures() {
    const { Dashboard } = await import("./dashboard.js");
    this.#dashboard ??= new Dashboard(this.session, this.words, this.language);
    this.panes.figures.replaceChildren(this.#dashboard.element);
    if (this.#view === "figures") this.#dashboard.start();
  }

  /** @param {HTMLElement} pane that was opened: what is read next begins there, unless somebody is at work elsewhere */
  #focus(pane) {
    if (document.activeElement === document.body || document.activeElement?.matches(".rows a"))
      pane.focus({ preventScroll: true });
  }

  /** @param {string} action */
  #act(action) {
    const list = this.#view === "conversations" ? this.threads : this.queue;
    const approvals = this.#view === "approvals";
    if (action === "back") this.#back();
    else if (this.#view === "figures") return;
    else if (action === "next") list.step(1);
    else if (action === "previous") list.step(-1);
    else if (action === "filter") approvals ? this.queue.filters.focus() : this.threads.focusFilter();
    else if (action === "claim") approvals ? void this.request.take() : this.threads.take();
    else if (approvals) this.request.begin(/** @type {import("../parts/decision.js").Kind} */ (action));
  }

  #back() {
    if (this.#view === "approvals" && this.request.leaveStep()) return;
    const pane = this.panes[this.#view].querySelector(".detail");
    if (document.activeElement?.closest(".filters")) {
      if (pane instanceof HTMLElement && !pane.hidden) return pane.focus();
      return (this.#view === "conversations" ? this.threads : this.queue).focus();
    }
    if (!location.hash.split("/")[2]) return /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    location.hash = `#/${this.#view}`;
    (this.#view === "conversations" ? this.threads : this.queue).focus();
  }

  /**
   * @param {"approvals" | "conversations"} view
   * @param {number} count
   */
  #count(view, count) {
    this.#counts[view] = count;
    const badge = count > 0 && h("span", { className: "badge" }, String(count));
    this.#links[view].replaceChildren(...[this.words[view], badge].filter((part) => part !== false));
    const all = this.#counts.approvals + this.#counts.conversations;
    document.title = (all ? `(${all}) ` : "") + this.words.title;
  }

  /** @param {boolean} open */
  #tell(open) {
    this.#live.className = open ? "live on" : "live";
    this.#live.textContent = open ? this.words.live : this.words.lost;
  }
}

/**
 * @param {string} label
 * @param {string} path
 * @param {() => void} onclick
 */
function quiet(label, path, onclick) {
  const made = button("", "quiet", onclick);
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(icon(path));
  return made;
}
