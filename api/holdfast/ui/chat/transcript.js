// @ts-check
// What a conversation has come to, from the events of its thread. Applied again from the beginning, the same
// events come to the same: that is what makes a reload harmless.

/**
 * @typedef {{id: string, name: string, args: unknown, result: string | null, failed: boolean}} Call
 * @typedef {{id: string, text: string, calls: {id: string, name: string, args: unknown}[], after: string | null,
 *   blocks: Map<number, {text: string, call: {id: string, name: string, args: unknown} | null}>,
 *   done: boolean, kept: boolean}} Spoken a message as it is spoken, not yet part of the values
 * @typedef {{id: string, text: string, state: "sending" | "sent" | "done" | "failed"}} Said
 * @typedef {{key: string, id: string, namespace: string[], payload: any, held: boolean, told: boolean}} Question
 * @typedef {{key: string, kind: "human" | "ai", text: string, streaming: boolean, state?: Said["state"]}} Words
 * @typedef {{key: string, kind: "call", call: Call, running: boolean}} Card
 * @typedef {Words | Card} Item
 */

export class Transcript {
  /** @type {any[]} messages of the last values, as the server sent them */
  #settled = [];
  /** @type {Map<string, Spoken>} */
  #spoken = new Map();
  /** @type {Map<string, Spoken>} by namespace: whose pieces come, where they do not say so */
  #current = new Map();
  /** @type {Map<string, Said>} what was typed here and is not part of the values yet */
  said = new Map();
  /** @type {Map<string, Question>} */
  questions = new Map();
  /** @type {"idle" | "running" | "interrupted" | "failed"} */
  status = "idle";
  problem = "";

  /** Whether an answer is on its way. */
  get busy() {
    return this.status === "running" || this.#expected !== undefined;
  }

  /** What was said first of all that has no answer yet. */
  get #expected() {
    return [...this.said.values()].find((one) => one.state === "sending" || one.state === "sent");
  }

  /** @param {import("../parts/protocol.js").Frame} frame */
  apply({ method, params: { namespace, data } }) {
    if (method === "gap") this.#forget();
    else if (method === "messages") this.#speak(namespace.join("|"), data);
    else if (method === "input.requested") this.#ask(namespace, data);
    else if (method === "custom") this.#discard(data.payload ?? data);
    else if (namespace.length === 0 && method === "values") this.#settle(data.messages ?? []);
    else if (namespace.length === 0 && method === "lifecycle") this.#turn(data);
  }

  /** @returns {Item[]} everything to be shown, in order */
  items() {
    const results = this.#results();
    /** @type {Item[]} */
    const items = [...this.#spokenAfter(null, results)];
    for (const message of this.#settled) {
      items.push(...this.#shown(message, results), ...this.#spokenAfter(message.id, results));
    }
    for (const one of this.said.values()) {
      items.push({ key: one.id, kind: "human", text: one.text, streaming: false, state: one.state });
    }
    return items;
  }

  /** What follows stands for everything so far. */
  #forget() {
    this.#settled = [];
    this.#spoken.clear();
    this.#current.clear();
    this.questions.clear();
    this.status = "idle";
    this.problem = "";
  }

  /** @param {any[]} messages */
  #settle(messages) {
    this.#settled = messages;
    const known = new Set(messages.map((message) => message.id));
    for (const message of this.#spoken.values()) {
      // What is whole and yet not part of the values was never said: its step died, or it was a note.
      if (known.has(message.id) || (message.done && !message.kept)) this.#spoken.delete(message.id);
      else if (message.after && !known.has(message.after)) message.after = messages.at(-1)?.id ?? null;
    }
    for (const id of known) this.said.delete(id);
  }

  /** @param {{event: string, error?: string}} data */
  #turn(data) {
    if (data.event === "running") {
      // A worker was lost in mid-message, and another one says it again.
      for (const message of this.#spoken.values()) if (!message.kept) this.#spoken.delete(message.id);
      for (const question of this.questions.values()) this.#hold(question);
      this.status = "running";
      this.problem = "";
    } else if (["completed", "failed", "interrupted"].includes(data.event)) {
      this.status = data.event === "completed" ? "idle" : data.event === "failed" ? "failed" : "interrupted";
      this.problem = data.error ?? "";
      if (this.#expected) this.#expected.state = "done"; // also where a graph does not keep what is said
      this.#keepAsked();
      const cut = this.status !== "idle" && this.questions.size === 0;
      for (const message of this.#spoken.values()) Object.assign(message, { done: true, kept: message.kept || cut });
    }
  }

  /** Whatever waits is told anew each time that the thread comes to rest. */
  #keepAsked() {
    for (const question of this.questions.values()) {
      if (question.told) this.questions.delete(question.key);
      question.told = true;
    }
  }

  /**
   * A run began: it answers the question, or somebody talks on and it will be asked again.
   * @param {Question} question
   */
  #hold(question) {
    if (this.#expected) question.held = true;
    else this.questions.delete(question.key);
  }

  /**
   * @param {string[]} namespace
   * @param {any} data
   */
  #ask(namespace, data) {
    const payload = data.payload ?? data.value;
    const key = String(payload?.policy?.request_id ?? data.interrupt_id);
    this.questions.set(key, { key, id: data.interrupt_id, namespace, payload, held: false, told: false });
  }

  /**
   * A graph tells that what it began to say does not count.
   * @param {any} data
   */
  #discard(data) {
    if (data && typeof data === "object" && typeof data.discard === "string") this.#spoken.delete(data.discard);
  }

  /**
   * @param {string} place
   * @param {any} data
   */
  #speak(place, data) {
    if (data.event === "message-start") return this.#begin(place, data);
    const message = data.id ? this.#spoken.get(data.id) : this.#current.get(place);
    if (!message) return;
    if (data.event === "message-finish" || data.event === "error") message.done = true;
    else if (data.content ?? data.delta) this.#piece(message, data);
    message.text = [...message.blocks.values()].map((block) => block.text).join("");
    message.calls = [...message.blocks.values()].flatMap((block) => block.call ?? []);
  }

  /**
   * @param {string} place
   * @param {{role?: string, id: string}} data
   */
  #begin(place, { role, id }) {
    this.#current.delete(place);
    const settled = this.#settled.some((message) => message.id === id);
    if (settled || (role && role !== "ai" && role !== "assistant")) return;
    const after = this.#settled.at(-1)?.id ?? null;
    const message = { id, text: "", calls: [], after, blocks: new Map(), done: false, kept: false };
    this.#spoken.set(id, message);
    this.#current.set(place, message);
    this.status = "running"; // its beginning may be older than what the server still knows
  }

  /**
   * @param {Spoken} message
   * @param {{event: string, index: number, content?: any, delta?: any}} data
   */
  #piece(message, { event, index, content, delta }) {
    const block = message.blocks.get(index) ?? { text: "", call: null };
    message.blocks.set(index, block);
    if (content?.type === "text") block.text = content.text ?? "";
    else if (content?.name && ["tool_call", "tool_call_chunk"].includes(content.type)) {
      const args = event === "content-block-finish" ? content.args : null;
      block.call = { id: content.id ?? `${message.id}:${index}`, name: content.name, args };
    } else if (delta?.type === "text-delta") block.text += delta.text;
  }

  #results() {
    const tools = this.#settled.filter((message) => message.type === "tool");
    return new Map(tools.map((message) => [message.tool_call_id, message]));
  }

  /**
   * @param {any} message
   * @param {Map<string, any>} results
   * @returns {Item[]}
   */
  #shown(message, results) {
    const text = textOf(message.content);
    if (message.type === "human") return [{ key: message.id, kind: "human", text, streaming: false }];
    if (message.type !== "ai") return [];
    return this.#answer(message.id, text, message.tool_calls ?? [], results, false);
  }

  /**
   * @param {string | null} id
   * @param {Map<string, any>} results
   */
  #spokenAfter(id, results) {
    const found = [...this.#spoken.values()].filter((message) => message.after === id);
    return found.flatMap((one) => this.#answer(one.id, one.text, one.calls, results, !one.done));
  }

  /**
   * @param {string} id
   * @param {string} text
   * @param {{id?: string, name: string, args: unknown}[]} calls
   * @param {Map<string, any>} results
   * @param {boolean} streaming
   * @returns {Item[]}
   */
  #answer(id, text, calls, results, streaming) {
    /** @type {Item[]} */
    const items = text.trim() ? [{ key: id, kind: "ai", text, streaming }] : [];
    calls.forEach(({ id: callId, name, args }, number) => {
      const result = results.get(callId ?? "");
      const call = {
        id: callId ?? `${id}:${number}`,
        name,
        args,
        result: result ? textOf(result.content) : null,
        failed: result?.status === "error",
      };
      items.push({ key: `call:${call.id}`, kind: "call", call, running: !result && this.status === "running" });
    });
    return items;
  }
}

/**
 * The text of a message, whose content is a string or a list of blocks.
 * @param {any} content
 * @returns {string}
 */
function textOf(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((block) => (typeof block === "string" ? block : block.type === "text" ? block.text : "")).join("");
}
