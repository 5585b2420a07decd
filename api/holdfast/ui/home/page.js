// @ts-check
// The page at `/`: what runs here, a conversation to try, and what its last run did.
import { Api } from "../parts/api.js";
import { h } from "../parts/dom.js";
import { inLanguage, settle } from "../parts/page.js";
import { factsOf, showState } from "./server.js";
import { Timeline } from "./timeline.js";
import { talk } from "./talk.js";

const { language, asked } = settle();
const { words } = await (language === "zh" ? import("./words/zh.js") : import("./words/en.js"));
const api = new Api(new URL("../..", import.meta.url).href);
const options = asked.size ? `?${asked}` : "";
const state = h("p", { className: "state", role: "status" }, words.asking);
const facts = h("dl", { className: "runs" });
const place = h("section", { className: "talk", "aria-labelledby": "talk" });
const timeline = new Timeline(words);
const cards = h("div", { className: "cards" }, card(link("ui/desk", words.desk), words.deskAbout), card(link("ui/reference", words.reference), words.referenceAbout));

document.body.append(
  h("header", { className: "top" }, brand(), pages(), h("a", { className: "language", href: inLanguage(language === "zh" ? "en" : "zh") }, words.language)),
  h("main", {}, hero(), place, timeline.element, further()),
);
void start();

async function start() {
  showState(api, words, state);
  const info = await api.ask("/info").catch(() => null);
  const open = info?.sign_in === "dev";
  facts.append(...(await factsOf(api, info, words, language)));
  place.append(h("h2", { id: "talk" }, words.talk));
  if (open) await talk({ api, info, words, language, asked, place, follow: (caller, id) => timeline.follow(caller, id) });
  else place.append(h("p", { className: "closed" }, words.closed));
  timeline.element.hidden = !open;
  if (open) cards.append(...local());
}

function brand() {
  const logo = h("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 28, height: 28 });
  return h("a", { className: "brand", href: `./${options}` }, logo, "Holdfast");
}

function pages() {
  return h("nav", { "aria-label": words.pages }, link("ui", words.chat), link("ui/desk", words.desk), link("ui/reference", words.reference));
}

function hero() {
  const actions = h("p", { className: "actions" }, link("ui/desk", words.desk, "button primary"), link("ui/reference", words.reference, "button"));
  const said = h("div", {}, h("h1", {}, words.running), h("p", { className: "lead" }, words.lead), actions);
  return h("section", { className: "hero" }, said, h("aside", { "aria-label": words.facts }, state, facts));
}

function further() {
  return h("section", { "aria-labelledby": "further" }, h("h2", { id: "further" }, words.further), cards);
}

/** For who has the source at hand. */
function local() {
  const command = h("pre", { tabIndex: 0 }, ".venv/bin/holdfast chat");
  return [card(words.terminal, words.terminalAbout, command), card(words.docs, words.docsAbout)];
}

/**
 * @param {Node | string} title
 * @param {string} about
 * @param {...Node} more
 */
function card(title, about, ...more) {
  return h("article", { className: "tile" }, h("h3", {}, title), h("p", {}, about), ...more);
}

/**
 * @param {string} page
 * @param {string} text
 * @param {string} [className]
 */
function link(page, text, className) {
  return h("a", { href: `${page}${options}`, className }, text);
}
