// @ts-check
// What was done to a request, by whom and when.
import { h } from "../parts/dom.js";
import { list, record } from "../parts/text.js";
import { face, fill } from "./marks.js";
import { time } from "./times.js";

/** @typedef {{at: string, kind: string, by: string, said: any}} Line */

/**
 * @param {Line[]} history
 * @param {import("./words.js").Words} words
 */
export function trail(history, words) {
  const lines = history.map((line) => {
    const said = saying(line.said, words);
    const what = fill(words.kinds[line.kind] ?? line.kind, { who: line.by || words.clock });
    const about = h("span", { className: "what" }, what, said && h("span", { className: "said", dir: "auto" }, said));
    return h(
      "li",
      { className: `was-${line.kind}` },
      line.by ? face(line.by) : h("span", { className: "face none", "aria-hidden": "true" }),
      about,
      time(line.at),
    );
  });
  return h("details", { className: "trail", open: true }, h("summary", {}, words.trail), h("ol", {}, ...lines));
}

/**
 * The arguments that somebody's vote has changed, until an answer of another kind comes: later votes are on these.
 * @param {Line[]} history
 * @returns {{by: string, args: Record<string, any>} | null}
 */
export function editOf(history) {
  const voted = history
    .filter((line) => ["voted", "decided"].includes(line.kind))
    .map((line) => ({ by: line.by, edited: editedArgs(line.said) }));
  const last = voted.findLast((one) => one.edited);
  return last?.edited ? { by: last.by, args: last.edited } : null;
}

/**
 * @param {any} said
 * @returns {Record<string, any> | null}
 */
function editedArgs(said) {
  const edit = list(record(said).decisions)
    .map(record)
    .find((one) => one.type === "edit");
  return edit ? record(record(edit.edited_action).args) : null;
}

/**
 * @param {any} said
 * @param {import("./words.js").Words} words
 */
function saying(said, words) {
  const decisions = list(record(said).decisions).map(record);
  const parts = decisions.map((one) => {
    const args = one.type === "edit" ? Object.entries(record(record(one.edited_action).args)) : [];
    const more = args
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
      .join(", ");
    return [words.types[one.type] ?? one.type, more || one.message].filter(Boolean).join(": ");
  });
  const roles = list(record(said).roles);
  return [...new Set(parts), ...(roles.length ? [roles.join(", ")] : [])].join("; ");
}
