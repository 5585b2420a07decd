// @ts-check
// Which language a page is in.

/**
 * @param {string | null} [wanted] a language tag; else the browser's languages decide
 * @returns {"en" | "zh"}
 */
export function languageOf(wanted) {
  const tags = wanted ? [wanted] : navigator.languages;
  const known = tags.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag === "zh" || tag === "en");
  return known === "zh" ? "zh" : "en";
}
