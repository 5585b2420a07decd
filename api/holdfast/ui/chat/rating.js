// @ts-check
// How it was: one to five stars and, who wants to, words.
import { h, icon, styled } from "../parts/dom.js";

const STAR = "M10 2.8l2.2 4.6 5 .7-3.6 3.5.9 5-4.5-2.4-4.5 2.4.9-5L2.8 8.1l5-.7z";

/**
 * @param {import("./layout.js").Words} words
 * @param {(rating: {score: number, comment: string | null}) => Promise<unknown>} send
 * @param {() => void} done
 */
export function ratingForm(words, send, done) {
  const comment = h("textarea", { rows: 2, maxLength: 2000, dir: "auto" });
  const later = h("button", { type: "button", onclick: () => (form.remove(), done()) }, words.later);
  const submit = h("button", { type: "submit", className: "primary" }, words.send);
  const more = h("label", { className: "field", hidden: true }, words.comment, comment);
  const problem = h("p", { className: "problem", role: "alert" });
  const stars = words.stars.map((name, place) => star(name, place + 1, () => (more.hidden = submit.hidden = false)));
  submit.hidden = true;
  const choice = h("fieldset", {}, h("legend", {}, words.rate), h("div", { className: "stars" }, ...stars));
  const form = h("form", { className: "card rating" }, choice, more, problem, h("div", { className: "buttons" }, submit, later));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const score = Number(new FormData(form).get("score"));
    form.inert = true;
    try {
      await send({ score, comment: comment.value.trim() || null });
      form.replaceChildren(h("p", { role: "status" }, words.thanks));
      done();
    } catch (error) {
      problem.textContent = error instanceof TypeError ? words.lost : `${words.refused} ${/** @type {Error} */ (error).message}`;
    }
    form.inert = false;
  };
  return { form, shown: styled(form, new URL("later.css", import.meta.url).href) };
}

/**
 * @param {string} name
 * @param {number} score
 * @param {() => void} onchange
 */
function star(name, score, onchange) {
  const input = h("input", { type: "radio", name: "score", value: String(score), required: true, "aria-label": name, onchange });
  return h("label", { title: name }, input, icon(STAR));
}
