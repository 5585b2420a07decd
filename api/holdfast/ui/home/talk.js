// @ts-check
// A conversation to try: as one of the project's demo customers, where it has some.
import { Api, Refused } from "../parts/api.js";
import { h } from "../parts/dom.js";
import "../chat.js";

/**
 * @typedef {Record<"en" | "zh", string>} Text
 * @typedef {{number: string, state: string, state_text: Text, items: {name: string, quantity: number}[],
 *   amount: {value: string, currency: string}, say: Text}} Order
 * @typedef {{subject: string, name: string, orders: Order[]}} Customer
 * @typedef {{api: Api, info: any, words: import("./words/en.js").Words, language: "en" | "zh", asked: URLSearchParams,
 *   place: HTMLElement, follow: (api: Api, threadId: string) => void}} Stage
 * @typedef {HTMLElement & {token: import("../parts/api.js").TokenSource, say: (text: string) => void}} Chat
 */

/** @param {Stage} stage */
export async function talk(stage) {
  const { api, info, words, place } = stage;
  const customers = info.routes.includes("/demo/customers") ? await customersOf(api) : [];
  place.append(h("p", { className: "lead" }, customers === null ? words.busy : customers.length ? words.choose : words.plain));
  if (customers?.length) new Choice(stage, customers);
  else place.append(h("div", { className: "stage alone" }, chat(stage, api)));
}

/**
 * @param {Api} api
 * @returns {Promise<Customer[] | null>} none where the project keeps them for its demo, null while they cannot be had
 */
async function customersOf(api) {
  try {
    return await api.ask("/demo/customers");
  } catch (error) {
    return error instanceof Refused && error.status === 404 ? [] : null;
  }
}

class Choice {
  /** @type {Chat | null} */
  #chat = null;

  /**
   * @param {Stage} stage
   * @param {Customer[]} customers
   */
  constructor(stage, customers) {
    this.stage = stage;
    this.orders = h("ul", { className: "orders", tabIndex: 0, "aria-label": stage.words.orders });
    this.window = h("div", { className: "window" });
    const chosen = customers.find((one) => `#${encodeURIComponent(one.subject)}` === location.hash) ?? customers[0];
    const choices = customers.map((one) => this.#choice(one, one === chosen));
    const who = h("fieldset", { className: "who" }, h("legend", { className: "unseen" }, stage.words.customers), ...choices);
    stage.place.append(h("div", { className: "stage" }, h("div", { className: "people" }, who, this.orders), this.window));
    void this.#open(chosen);
  }

  /**
   * @param {Customer} customer
   * @param {boolean} checked
   */
  #choice(customer, checked) {
    const onchange = () => {
      history.replaceState(null, "", `#${encodeURIComponent(customer.subject)}`);
      void this.#open(customer);
    };
    const input = h("input", { type: "radio", name: "customer", checked, onchange, className: "unseen" });
    return h("label", {}, input, h("span", { className: "face", "aria-hidden": "true" }, initial(customer.name)), h("span", {}, customer.name));
  }

  /** @param {Customer} customer */
  async #open(customer) {
    const { stage } = this;
    const { token } = await stage.api.ask("/dev/token", { json: { subject: customer.subject, roles: [] } });
    const caller = new Api(stage.api.address, () => token);
    this.#chat = chat(stage, caller);
    this.window.replaceChildren(this.#chat);
    this.orders.replaceChildren(...customer.orders.map((order) => h("li", {}, this.#order(order))));
    this.orders.scrollTop = 0;
  }

  /** @param {Order} order */
  #order(order) {
    const { language, words } = this.stage;
    const items = order.items.map((item) => (item.quantity > 1 ? `${item.quantity} × ${item.name}` : item.name)).join(", ");
    const about = h("span", { className: "about" }, h("bdi", {}, order.number), h("span", { className: `chip ${order.state}` }, order.state_text[language]));
    const amount = h("span", { className: "amount" }, `${order.amount.value} ${order.amount.currency}`);
    const say = h("span", { className: "say" }, h("span", { className: "unseen" }, words.say), order.say[language]);
    const onclick = () => this.#chat?.say(order.say[language]);
    return h("button", { type: "button", onclick }, h("span", { className: "items" }, items), amount, about, say);
  }
}

/**
 * @param {Stage} stage
 * @param {Api} caller
 */
function chat({ language, asked, follow }, caller) {
  const element = /** @type {Chat} */ (document.createElement("holdfast-chat"));
  element.setAttribute("language", language);
  const theme = asked.get("theme");
  if (theme) element.setAttribute("theme", theme);
  element.token = caller.token;
  element.addEventListener("holdfast-thread", (event) => follow(caller, /** @type {CustomEvent} */ (event).detail.thread_id));
  return element;
}

/** @param {string} name */
function initial(name) {
  return [...name][0] ?? "";
}
