// @ts-check
// What happens to approvals, as it happens, over as many connections as it takes.
import { FIRST_WAIT_MS, LONGEST_WAIT_MS, serverEvents } from "../parts/sse.js";


/**
 * @typedef {Record<string, any>} Approval
 * @typedef {{type: string, approval_id: string, approval?: Approval}} Happening
 */

export class Feed {
  #last = "";
  #closed = false;
  #connection = new AbortController();
  #wake = () => {};

  /** @param {import("../parts/api.js").Api} api */
  constructor(api) {
    this.api = api;
  }

  /**
   * Until `close`. Where something may have been missed, `anew` says that all is to be listed again.
   * @param {{take: (happening: Happening) => void, anew: () => void, tell: (open: boolean) => void}} reader
   */
  async follow({ take, anew, tell }) {
    for (let wait = FIRST_WAIT_MS; !this.#closed; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const response = await this.#open();
      if (this.#closed) return;
      if (response?.ok) {
        tell(true);
        wait = FIRST_WAIT_MS / 2;
        if (!this.#last) anew();
        for await (const { type, id, data } of serverEvents(response, this.#connection)) {
          this.#last = id || this.#last;
          if (type === "gap") anew();
          else take(data);
        }
      } else if (response?.status === 400) this.#last = "";
      if (this.#closed) return;
      tell(false);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, wait);
        this.#wake = () => (clearTimeout(timer), resolve(undefined));
      });
    }
  }

  close() {
    this.#closed = true;
    this.#connection.abort();
    this.#wake();
  }

  async #open() {
    this.#connection = new AbortController();
    /** @type {Record<string, string>} */
    const headers = this.#last ? { "Last-Event-ID": this.#last } : {};
    return this.api.fetch("/approvals/stream", { headers, signal: this.#connection.signal }).catch(() => null);
  }
}
