// @ts-check
// What the chat is made of, before anything happens in it.
import { h, iconButton } from "../parts/dom.js";

/** @typedef {import("./words/en.js").Words} Words */

const ICONS = {
  all: "M4 5.5h12M4 10h12M4 14.5h8",
  chat: "M4 4.5h12v9H9l-3.5 3v-3H4z",
  close: "M5 5l10 10M15 5L5 15",
  down: "M10 4v12M5 11l5 5 5-5",
  fresh: "M4 16h12M12.5 4l3.5 3.5L8.5 15H5v-3.5z",
  person: "M10 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4.5 16.5c.6-3 2.8-4.5 5.5-4.5s4.9 1.5 5.5 4.5",
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
};

/**
 * What stands around a conversation.
 * @param {Words} words
 * @param {boolean} launched whether it is opened by a button in a corner
 */
export function shell(words, launched) {
  const logo = h("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 32, height: 32 });
  const state = h("span", { role: "status" });
  const withdraw = h("button", { type: "button", className: "link" }, words.withdraw);
  const attending = h("div", { className: "attending", hidden: true }, state, withdraw);
  const person = iconButton(words.person, "quiet person", ICONS.person);
  person.append(h("span", {}, words.person));
  const all = iconButton(words.all, "quiet", ICONS.all, { "aria-expanded": "false" });
  const fresh = iconButton(words.fresh, "quiet", ICONS.fresh);
  const close = iconButton(words.close, "quiet", ICONS.close, { hidden: !launched });
  const named = h("div", { className: "named" }, h("h1", {}, words.title), attending);
  const header = h("header", {}, logo, named, person, all, fresh, close);
  const body = h("div", { className: "main" });
  const frame = h("section", { className: "frame", "aria-label": words.title, hidden: launched }, header, body);
  const launch = iconButton(words.open, "launch primary", ICONS.chat, { hidden: !launched, "aria-expanded": "false" });
  return { frame, launch, header, body, state, withdraw, attending, person, all, fresh, close };
}

/**
 * What a conversation is made of.
 * @param {{words: Words, greeting: string | null}} around
 */
export function parts({ words, greeting }) {
  const link = h("p", { className: "link-state", role: "status" });
  const list = h("div", { className: "list" });
  const dots = h("span", { className: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  const thinking = h("div", { className: "thinking", hidden: true }, dots, h("span", { className: "unseen" }, words.thinking));
  const hello = h("p", { className: "greeting", dir: "auto" }, greeting ?? words.greeting);
  const empty = h("div", { className: "empty", hidden: true }, hello, !greeting && h("p", {}, words.hint));
  const questions = h("div", { className: "questions", "aria-live": "polite" });
  const ending = h("div", { className: "ending", role: "status" });
  const rating = h("div");
  const rest = h("div", {}, thinking, ending, questions, rating);
  // Pieces of an answer would be read one by one: `spoken` has it once it is whole.
  const log = h("div", { className: "log", role: "log", "aria-live": "off", "aria-label": words.conversation }, list);
  const spoken = h("div", { className: "unseen", role: "status" });
  const scroller = h("div", { className: "scroller", tabIndex: 0, role: "group", "aria-label": words.conversation }, empty, log, rest);
  const down = iconButton(words.newest, "down", ICONS.down, { hidden: true });
  const problem = h("p", { className: "problem", role: "alert" });
  const box = { rows: 1, placeholder: words.placeholder, "aria-label": words.placeholder, dir: "auto" };
  const text = h("textarea", { ...box, maxLength: 8000, enterKeyHint: "send" });
  const send = iconButton(words.send, "round primary", ICONS.send, { type: "submit" });
  const stop = iconButton(words.stop, "round stop", ICONS.stop, { hidden: true });
  const form = h("form", { className: "composer" }, text, stop, send);
  const foot = h("footer", {}, down, problem, form);
  const element = h("div", { className: "conversation" }, link, scroller, spoken, foot);
  const shown = { link, list, thinking, empty, questions, ending, rating, rest, log, spoken, scroller };
  return { element, ...shown, down, problem, text, send, stop, form };
}

