// @ts-check
// A claim on the request that is open: renewed while it is looked at, let go of when it is left.

const SECONDS = 300;
const RENEW_MS = 240_000; // seldom: each is an entry of the audit trail, for ever

export class Claim {
  #id = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {import("./session.js").Session} session
   * @param {(id: string, approval: import("./feed.js").Approval) => void} take what it is by now
   */
  constructor(session, take) {
    this.session = session;
    this.take = take;
  }

  /** @param {string} id */
  holds(id) {
    return this.#id === id;
  }

  /**
   * Raises `Refused`, and `TypeError` when the server cannot be reached.
   * @param {string} id
   */
  async hold(id) {
    const approval = await this.session.ask(`/approvals/${id}/claim`, { json: { seconds: SECONDS } });
    this.#id = id;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.hold(id).catch(() => this.forget()), RENEW_MS);
    this.take(id, approval);
  }

  /** Also while the page is left. */
  async release() {
    const id = this.#id;
    this.forget();
    if (!id) return;
    const approval = await this.session
      .ask(`/approvals/${id}/release`, { json: {}, keepalive: true })
      .catch(() => null);
    if (approval) this.take(id, approval);
  }

  /** It has gone by itself, with a decision. */
  forget() {
    clearInterval(this.#timer);
    this.#id = "";
  }
}
