// @ts-check
// The server as a page calls it: its address, who calls, and what a refusal says.

/** @typedef {() => string | null | Promise<string | null>} TokenSource asked before each request */

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
  async fetch(path, { json, ...init } = {}) {
    const headers = new Headers(init.headers);
    const token = await this.token();
    if (token) headers.set("Authorization", `Bearer ${token}`);
    if (json === undefined) return fetch(this.address + path, { ...init, headers });
    headers.set("Content-Type", "application/json");
    return fetch(this.address + path, { method: "POST", ...init, headers, body: JSON.stringify(json) });
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
}

/** @param {Response} response */
export async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const { code = String(response.status), detail, message } = body;
  return new Refused(code, detail ?? message ?? response.statusText, response.status, body);
}
