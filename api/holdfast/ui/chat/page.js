// @ts-check
// The page around the chat: what its address asks for becomes the element's attributes.
import { languageOf } from "../parts/words.js";
import "./element.js";

const chat = /** @type {HTMLElement} */ (document.querySelector("holdfast-chat"));
const asked = new URLSearchParams(location.search);
for (const name of ["assistant", "language", "theme"]) {
  const value = asked.get(name);
  if (value) chat.setAttribute(name, value);
}
document.documentElement.lang = languageOf(asked.get("language")) === "zh" ? "zh-CN" : "en";
document.documentElement.dataset.theme = asked.get("theme") ?? "";
