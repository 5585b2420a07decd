// @ts-check
// A conversation's thread on the server: commands go there, events come from there.
import { Refused } from "./api.js";
import { FIRST_WAIT_MS, LONGEST_WAIT_MS, serverEvents } from "./sse.js";

const CHANNELS = ["values", "messages", "lifecycle", "input", "custom"];

/**
 * @typedef {{namespace: string[], timestamp?: number, data: any}} Params
 * @typedef {{method: string, seq?: number, event_id?: string, params: Params}} Frame
 * @typedef {"connecting" | "open" | "lost" | "gone"} Link
 */

export class Thread {
  #seq = 0;
  #commands = 0;
  #closed = false;
  #connection = new AbortController();
  #wake = () => {};

  /**
   * @param {import("./api.js").Api} api
   * @param {string} id
   */
  constructor(api, id) {
    this.api = api;
    this.id = id;
  }

  get #path() {
    return `/threads/${this.id}`;
  }

  /**
   * Raises `Refused`, and `TypeError` when the server cannot be reached.
   * @param {string} method
   * @param {Record<string, unknown>} params
   * @param {string} key the same for the same wish, however often it is sent
   * @returns {Promise<any>}
   */
  async command(method, params, key) {
    this.#commands += 1;
    const body = { id: this.#commands, method, params };
    // Sent to its end even when the page is left at this moment.
    const headers = { "Idempotency-Key": key };
    const reply = await this.api.ask(`${this.#path}/commands`, { json: body, headers, keepalive: true });
    if (reply.type === "error") throw new Refused(reply.error, reply.message ?? reply.error);
    return reply.result;
  }

  /**
   * Changes the thread itself. Raises as `command` does.
   * @param {RequestInit & {json?: unknown}} init
   * @param {string} [part] of the thread, as `/hold`
   */
  change(init, part = "") {
    return this.api.ask(this.#path + part, init);
  }

  /** Stops what runs on this thread, and what waits for its turn. */
  async cancel() {
    const runs = await this.api.ask(`${this.#path}/runs?limit=100`);
    const active = runs.filter((/** @type {any} */ run) => ["pending", "running"].includes(run.status));
    const cancels = active.map((/** @type {any} */ run) => `${this.#path}/runs/${run.run_id}/cancel`);
    await Promise.all(cancels.map((/** @type {string} */ path) => this.api.fetch(path, { json: {} })));
  }

  /**
   * Gives every event from the thread's beginning, over as many connections as it takes, until `close`.
   * @param {(frame: Frame) => void} take
   * @param {(link: Link) => void} tell
   */
  async follow(take, tell) {
    tell("connecting");
    for (let wait = FIRST_WAIT_MS; !this.#closed; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const response = await this.#open();
      if (this.#closed) return;
      if (response && response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status)) {
        return tell("gone");
      }
      if (response?.ok) {
        tell("open");
        wait = FIRST_WAIT_MS / 2;
        for await (const { data } of serverEvents(response, this.#connection)) this.#hand(data, take);
      } else tell("lost");
      await this.#pause(wait * (0.75 + Math.random() / 2));
    }
  }

  /** Tries at once, when a new connection is waited for. */
  retry() {
    this.#wake();
  }

  close() {
    this.#closed = true;
    this.#connection.abort();
    this.#wake();
  }

  /**
   * @param {Frame} frame
   * @param {(frame: Frame) => void} take
   */
  #hand(frame, take) {
    // A gap means that what was seen is no longer known there; frames of a snapshot share one number, so
    // only what comes after them may move the cursor.
    if (frame.method === "gap") this.#seq = 0;
    else if (frame.seq && !stands(frame)) this.#seq = frame.seq;
    take(frame);
  }

  /** @returns {Promise<Response | null>} null when the server cannot be reached */
  async #open() {
    this.#connection = new AbortController();
    const body = { channels: CHANNELS, since: this.#seq };
    try {
      return await this.api.fetch(`${this.#path}/stream/events`, { json: body, signal: this.#connection.signal });
    } catch {
      return null;
    }
  }

  /** @param {number} ms */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
}

/**
 * Whether a frame is of the state as it is now, and says nothing of when it came to be so.
 * @param {Frame} frame
 */
export function stands(frame) {
  return Boolean(frame.event_id?.startsWith(`${frame.seq}.`));
}

/** A UUID of version 7, with the time in it; also on a page that was not loaded over TLS. */
export function newId() {
  const random = crypto.getRandomValues(new Uint8Array(10));
  const digits = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const at = Date.now().toString(16).padStart(12, "0");
  const variant = "89ab"[random[1] & 3];
  return `${at.slice(0, 8)}-${at.slice(8)}-7${digits.slice(0, 3)}-${variant}${digits.slice(5, 8)}-${digits.slice(8)}`;
}

/**
 * When what bears this id came to be, where that is part of it.
 * @param {string} id
 */
export function timeOf(id) {
  const found = /([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab]/.exec(id);
  return found ? Number.parseInt(found[1] + found[2], 16) : undefined;
}

/**
 * The assistant that was there first: a graph's own, if there is one.
 * @param {import("./api.js").Api} api
 * @returns {Promise<string>}
 */
export async function firstAssistant(api) {
  const [found] = await api.ask("/assistants/search", { json: { limit: 1, sort_order: "asc" } });
  if (!found) throw new Refused("no_assistant", "There is no assistant here.");
  return found.assistant_id;
}
