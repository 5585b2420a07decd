// @ts-check
// What the address of a page asks for: `?language=zh&theme=dark`.
import { languageOf } from "./language.js";

/** Gives the document its language and theme. */
export function settle() {
  const asked = new URLSearchParams(location.search);
  const language = languageOf(asked.get("language"));
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = asked.get("theme") ?? "";
  return { asked, language };
}

/**
 * The address of this page in another language.
 * @param {"en" | "zh"} language
 */
export function inLanguage(language) {
  const address = new URL(location.href);
  address.searchParams.set("language", language);
  return address.href;
}
