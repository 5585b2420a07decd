// @ts-check
// Single keys for what is done all the time, the list of them, and a switch to have none.
import { button, h } from "../parts/dom.js";

const OFF = "holdfast-desk:no-keys";
const KEYS = {
  j: "next",
  k: "previous",
  Enter: "open",
  a: "approve",
  e: "edit",
  r: "reject",
  c: "claim",
  "/": "filter",
  "?": "help",
  Escape: "back",
};

export class Keys {
  /**
   * @param {import("./words.js").Words} words
   * @param {(action: string) => void} act
   */
  constructor(words, act) {
    this.act = act;
    const rows = Object.entries(KEYS).flatMap(([key, action]) => [
      h("dt", {}, h("kbd", {}, key === "Escape" ? "Esc" : key)),
      h("dd", {}, words.keys[action]),
    ]);
    const off = h("input", { type: "checkbox", checked: !localStorage.getItem(OFF) });
    off.onchange = () => (off.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
    const close = button(words.close, "primary", () => this.dialog.close());
    const list = h("dl", { className: "keys" }, ...rows);
    const label = h("label", { className: "check" }, off, words.keysOn);
    this.dialog = h(
      "dialog",
      { "aria-labelledby": "keys-title" },
      h("h2", { id: "keys-title" }, words.shortcuts),
      list,
      label,
      close,
    );
    addEventListener("keydown", this.#take);
  }

  show() {
    this.dialog.showModal();
  }

  close() {
    removeEventListener("keydown", this.#take);
  }

  /** @param {KeyboardEvent} event */
  #take = (event) => {
    const { key, target } = event;
    const action = Object.hasOwn(KEYS, key) ? KEYS[/** @type {keyof typeof KEYS} */ (key)] : "";
    if (
      !action ||
      action === "open" ||
      event.defaultPrevented ||
      event.isComposing ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      this.dialog.open
    )
      return;
    const typing = target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select");
    if (action !== "back" && (typing || localStorage.getItem(OFF))) return;
    event.preventDefault();
    if (action === "help") this.show();
    else this.act(action);
  };
}
