// @ts-check
// The server as a page calls it: its address, who calls, and what a refusal says.

/** @typedef {() => string | null | Promise<string | null>} TokenSource asked before each request, and again after a 401 */

/** The server's answer was no; `code` says which. */
export class Refused extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} status 0 where the refusal came with a 200, as protocol v3 has it
   * @param {any} body
   */
  constructor(code, message, status = 0, body = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.body = body;
  }
}

export class Api {
  /**
   * @param {string} address of the server, with or without a slash at its end
   * @param {TokenSource} [token]
   */
  constructor(address, token = () => null) {
    this.address = address.replace(/\/+$/, "");
    this.token = token;
  }

  /**
   * The answer, whatever its status. Raises `TypeError` when the server cannot be reached.
   * @param {string} path
   * @param {RequestInit & {json?: unknown}} [init] `json` is sent as the body, with POST unless it says otherwise
   */
  async fetch(path, init = {}) {
    const token = await this.token();
    const response = await this.#send(path, init, token);
    // A token may have run out on its way; where there is none, none will come.
    return token && response.status === 401 ? this.#send(path, init, await this.token()) : response;
  }

  /**
   * What the server answers. Raises `Refused`, and `TypeError` when it cannot be reached.
   * @param {string} path
   * @param {RequestInit & {json?: unknown}} [init]
   * @returns {Promise<any>}
   */
  async ask(path, init) {
    const response = await this.fetch(path, init);
    if (!response.ok) throw await refusal(response);
    return response.status === 204 ? null : response.json();
  }

  /**
   * @param {string} path
   * @param {RequestInit & {json?: unknown}} init
   * @param {string | null} token
   */
  #send(path, { json, ...init }, token) {
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    if (json === undefined) return fetch(this.address + path, { ...init, headers });
    headers.set("Content-Type", "application/json");
    return fetch(this.address + path, { method: "POST", ...init, headers, body: JSON.stringify(json) });
  }
}

/** @param {Response} response */
export async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const { code = String(response.status), detail, message } = body;
  return new Refused(code, detail ?? message ?? response.statusText, response.status, body);
}
