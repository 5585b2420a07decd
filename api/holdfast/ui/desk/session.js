// @ts-check
// Who is signed in. The token is kept for as long as the tab is open, and nowhere else.
import { Api } from "../parts/api.js";

const KEY = "holdfast-desk";

/** @typedef {{subject: string, name: string, roles: string[], staff: boolean, may_hold: boolean}} Me */

export class Session extends Api {
  /** @type {Me} */
  me = { subject: "", name: "", roles: [], staff: false, may_hold: false };
  onrefused = () => {};
  onleft = () => {};
  #inside = false;

  /** @param {string} address */
  constructor(address) {
    super(address, () => sessionStorage.getItem(KEY));
  }

  /** Whoever the server takes the caller for: of the last visit, or by a gateway in front. */
  async resume() {
    const known = sessionStorage.getItem(KEY) !== null;
    if (!known && (await this.isDemo())) return false;
    return this.#enter().catch(() => false);
  }

  /** Whether the server lets everybody in, and makes tokens for whoever one wants to be. */
  async isDemo() {
    return (await this.ask("/info").catch(() => ({}))).sign_in === "dev";
  }

  /**
   * Raises `Refused` for a token that is none, and `TypeError` when the server cannot be reached.
   * @param {string} token
   */
  async signIn(token) {
    sessionStorage.setItem(KEY, token);
    try {
      await this.#enter();
    } catch (error) {
      sessionStorage.removeItem(KEY);
      throw error;
    }
  }

  signOut() {
    this.#forget();
    this.onleft();
  }

  /**
   * @param {string} path
   * @param {RequestInit & {json?: unknown}} [init]
   */
  async fetch(path, init) {
    const response = await super.fetch(path, init);
    if (response.status === 401 && this.#inside) {
      this.#forget();
      this.onrefused();
    }
    return response;
  }

  async #enter() {
    this.me = await this.ask("/me");
    return (this.#inside = true);
  }

  #forget() {
    this.#inside = false;
    sessionStorage.removeItem(KEY);
  }
}
