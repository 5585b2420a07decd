// @ts-check
// The reference of the server's own routes, from its /openapi.json.
import { Api, Refused } from "../parts/api.js";
import { h } from "../parts/dom.js";
import { inLanguage, settle } from "../parts/page.js";
import { Routes } from "./routes.js";

const TOKEN = "holdfast-desk"; // the desk's: who signed in there is signed in here

const { language, asked } = settle();
const { words } = await (language === "zh" ? import("./words/zh.js") : import("./words/en.js"));
const base = new URL("../..", import.meta.url).href;
const api = new Api(base, () => sessionStorage.getItem(TOKEN));
const options = asked.size ? `?${asked}` : "";
const place = h("main", { "aria-label": words.title });

document.title = `${words.title} · Holdfast`;
document.body.append(top(), place);
void start();

function top() {
  const logo = h("img", { src: new URL("icon.svg", `${base}ui/`).href, alt: "", width: 28, height: 28 });
  const brand = h("a", { className: "brand", href: `${base}${options}`, title: words.home }, logo, "Holdfast");
  const other = h("a", { href: inLanguage(language === "zh" ? "en" : "zh") }, words.language);
  return h("header", { className: "top" }, brand, h("h1", {}, words.title), other);
}

/** A caller who cannot be known yet is asked for a token first: to try without would only be refused. */
async function start() {
  const info = await api.ask("/info").catch(() => null);
  const known = info?.sign_in === "dev" || sessionStorage.getItem(TOKEN) !== null;
  if (known) await show(info?.sign_in !== "dev");
  else place.replaceChildren(signIn());
}

/** @param {boolean} closed whether callers have to say who they are */
async function show(closed) {
  try {
    const routes = new Routes(await api.ask("/openapi.json"), { words, address: api.address, closed });
    place.replaceChildren(...routes.elements);
    routes.open(location.hash.slice(1));
    addEventListener("hashchange", () => routes.open(location.hash.slice(1)));
  } catch (error) {
    const refused = error instanceof Refused && error.status === 401;
    if (refused) sessionStorage.removeItem(TOKEN);
    place.replaceChildren(signIn(refused ? words.refused : error instanceof Refused ? error.message : words.unreachable));
  }
}

/** @param {string} [problem] */
function signIn(problem = "") {
  const token = h("input", { type: "password", autocomplete: "off", spellcheck: false });
  const field = h("label", { className: "field" }, words.token, token, h("span", { className: "hint" }, words.gateway));
  const button = h("button", { className: "primary" }, words.sign);
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, token.value.trim());
    void show(true);
  };
  return h("form", { className: "sign-in", onsubmit }, h("p", {}, words.signAbout), field, h("p", { className: "problem", role: "alert" }, problem), button);
}
