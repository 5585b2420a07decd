// @ts-check
// Moments as people say them, kept up to date while they are looked at.
import { h } from "../parts/dom.js";

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const SOON_S = 3600;

let format = new Intl.RelativeTimeFormat("en");
let exact = new Intl.DateTimeFormat("en");

/** @param {string} language */
export function startTicking(language) {
  format = new Intl.RelativeTimeFormat(language, { style: "narrow", numeric: "auto" });
  exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  setInterval(() => {
    const shown = document.hidden ? [] : document.querySelectorAll("time.moment");
    for (const one of shown) tick(/** @type {HTMLTimeElement} */ (one));
  }, 1000);
}

/** @param {string | number} moment */
export function relative(moment) {
  const seconds = (new Date(moment).getTime() - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  return format.format(Math.trunc(seconds / size), unit);
}

/** @param {string} moment */
export function clock(moment) {
  return exact.format(new Date(moment));
}

/**
 * @param {string} moment
 * @param {string} [className] `due`: until when something has to be done
 */
export function time(moment, className = "") {
  const element = h("time", { dateTime: moment, title: clock(moment), className: `moment ${className}` });
  tick(element);
  return element;
}

/** @param {HTMLTimeElement} element */
function tick(element) {
  const text = relative(element.dateTime);
  if (element.textContent !== text) element.textContent = text;
  if (!element.classList.contains("due")) return;
  const left = (new Date(element.dateTime).getTime() - Date.now()) / 1000;
  element.classList.toggle("over", left <= 0);
  element.classList.toggle("soon", left > 0 && left < SOON_S);
}
