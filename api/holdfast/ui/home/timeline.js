// @ts-check
// The last run of a thread as bars over its time, also while it runs.
import { h } from "../parts/dom.js";
import { Thread } from "../parts/protocol.js";

const PAUSE_MS = 400;

/**
 * @typedef {import("./words/en.js").Words} Words
 * @typedef {{kind: string, name: string, namespace: string[], at_ms: number, ms: number | null, error?: boolean,
 *   chunks?: number, input_tokens?: number | null, output_tokens?: number | null}} Entry
 * @typedef {{run_id: string, status: string, graph_id: string, ms: number | null, first_token_ms: number | null,
 *   entries: Entry[]}} Told
 */

export class Timeline {
  /** @type {Thread | null} */
  #thread = null;
  #runId = "";
  #asking = false;
  #again = false;
  #drawn = "";

  /** @param {Words} words */
  constructor(words) {
    this.words = words;
    this.status = h("span", { className: "status", role: "status" });
    this.figures = h("dl", { className: "sums" });
    this.body = h("div", { className: "run" });
    const title = h("h2", { id: "happened" }, words.happened);
    this.element = h("section", { className: "happened", "aria-labelledby": "happened" }, title, this.body);
    this.#clear();
  }

  /**
   * @param {import("../parts/api.js").Api} api
   * @param {string} threadId
   */
  follow(api, threadId) {
    this.#thread?.close();
    this.#clear();
    const thread = (this.#thread = new Thread(api, threadId));
    const take = (/** @type {import("../parts/protocol.js").Frame} */ frame) => {
      if (thread !== this.#thread) return;
      if (frame.method === "lifecycle" && frame.params.namespace.length === 0 && frame.params.data.event === "running") this.#runId = "";
      void this.#ask(thread);
    };
    void thread.follow(take, () => {});
  }

  #clear() {
    this.#runId = this.#drawn = "";
    this.body.replaceChildren(h("p", { className: "nothing" }, this.words.quiet));
  }

  /**
   * One question at a time, and one more when something has happened since.
   * @param {Thread} thread
   */
  async #ask(thread) {
    if (this.#asking) return (this.#again = true);
    this.#asking = true;
    do {
      this.#again = false;
      const told = await this.#read(thread).catch(() => null);
      if (told && thread === this.#thread) this.#draw(told);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    } while (this.#again && this.#thread);
    this.#asking = false;
  }

  /**
   * @param {Thread} thread
   * @returns {Promise<Told | null>}
   */
  async #read({ api, id }) {
    const runs = `/threads/${id}/runs`;
    if (!this.#runId) {
      const [newest] = await api.ask(`${runs}?limit=1`);
      if (!newest) return null;
      this.#runId = newest.run_id;
    }
    return api.ask(`${runs}/${this.#runId}/timeline`);
  }

  /** @param {Told} told */
  #draw(told) {
    const drawn = JSON.stringify(told);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const end = Math.max(told.ms ?? 0, ...told.entries.map((one) => one.at_ms + (one.ms ?? 0)), 1);
    const bars = told.entries.filter((one) => one.kind !== "attempt" || one.name !== "1");
    const { kind, text } = this.#status(told);
    const about = h("p", { className: `status ${kind}`, role: "status" }, text);
    const rows = bars.map((one) => h("li", { className: one.error ? "error" : one.kind }, ...this.#row(one, end)));
    const axis = h("div", { className: "axis", "aria-hidden": "true" }, ...[0, 1, 2, 3, 4].map((part) => h("span", {}, time((end * part) / 4))));
    this.body.replaceChildren(h("div", { className: "head" }, about, this.#sums(told)), h("ol", { className: "bars" }, ...rows), axis);
  }

  /** @param {Told} told */
  #status({ status, entries }) {
    const { words } = this;
    const waits = entries.some((one) => one.kind === "interrupt");
    if (status === "pending") return { kind: "active", text: words.pending };
    if (status === "running") return { kind: "active", text: words.active };
    if (status === "interrupted" || waits) return waits ? { kind: "waiting", text: words.waiting } : { kind: "failed", text: words.interrupted };
    if (status === "success") return { kind: "success", text: words.success };
    return { kind: "failed", text: status === "timeout" ? words.timeout : words.failed };
  }

  /** @param {Told} told */
  #sums({ graph_id, ms, first_token_ms, entries }) {
    const { words } = this;
    const sum = (/** @type {"input_tokens" | "output_tokens"} */ name) => entries.reduce((all, one) => all + (one[name] ?? 0), 0);
    const told = [
      [words.graph, graph_id],
      [words.whole, ms === null ? "…" : time(ms)],
      [words.first, first_token_ms === null ? "–" : time(first_token_ms)],
      [words.input, sum("input_tokens") || "–"],
      [words.output, sum("output_tokens") || "–"],
    ];
    return h("dl", { className: "sums" }, ...told.map(([label, value]) => h("div", {}, h("dt", {}, String(label)), h("dd", {}, String(value)))));
  }

  /**
   * @param {Entry} entry
   * @param {number} end
   */
  #row({ kind, name, namespace, at_ms, ms, error, output_tokens }, end) {
    const { words } = this;
    const label = /** @type {Record<string, string>} */ (/** @type {unknown} */ (words))[kind] ?? kind;
    const bar = h("i", { className: ms === null ? "bar open" : "bar" });
    bar.style.insetInlineStart = `${(at_ms / end) * 100}%`;
    bar.style.inlineSize = `${((ms ?? end - at_ms) / end) * 100}%`;
    const what = h("span", { className: "what" }, h("span", { className: "kind" }, label), h("span", { className: "name", dir: "auto" }, name));
    what.style.paddingInlineStart = `${Math.min(namespace.length, 3) * 0.75}rem`;
    const tokens = output_tokens ? ` · ${output_tokens} ${words.output}` : "";
    const took = ms === null ? "…" : ms === 0 ? "" : time(ms);
    const failure = error ? `, ${words.failure}` : "";
    const unseen = h("span", { className: "unseen" }, `, ${words.at} ${time(at_ms)}${tokens}${failure}`);
    return [what, h("span", { className: "track", "aria-hidden": "true" }, bar), h("span", { className: "took" }, took, unseen)];
  }
}

/** @param {number} ms */
function time(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}
