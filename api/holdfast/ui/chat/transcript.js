// @ts-check
// What a conversation has come to, from the events of its thread. Applied again from the beginning, the same
// events come to the same: that is what makes a reload harmless.
import { stands, timeOf } from "../parts/protocol.js";

/**
 * @typedef {{id: string, name: string, args: unknown}} Call
 * @typedef {{id: string, after: string | null, blocks: Map<number, {text: string, call: Call | null}>, shown: boolean,
 *   done: boolean, kept: boolean, note?: Note}} Spoken a message as it is spoken, or a note: not part of the values
 * @typedef {{what: "joined" | "left", who: string}} Note
 * @typedef {{id: string, text: string, state: "sending" | "sent" | "done" | "failed"}} Said
 * @typedef {{key: string, id: string, namespace: string[], payload: any, held: boolean, told: boolean}} Question
 * @typedef {{role: string, by: string | null, asked_by: string | null}} Hold
 * @typedef {{key: string, time?: number}} Any
 * @typedef {Any & {text: string, speaker: string, sources?: string, streaming?: boolean, state?: Said["state"], labeled?: boolean,
 *   timed?: boolean}} Speech
 * @typedef {(Speech & {kind: "human"}) | (Speech & {kind: "ai"})} Words
 * @typedef {Any & {kind: "call", name: string, args: unknown, result: string | null, failed: boolean, running: boolean}} Card
 * @typedef {Any & {kind: "note"} & Note} Notice
 * @typedef {(Any & {kind: "day"}) | (Any & {kind: "new"})} Line
 * @typedef {Words | Card | Notice | Line} Item
 */

const TOGETHER_MS = 300_000; // what one says within this time bears one time

export class Transcript {
  /** @type {any[]} messages of the last values, as the server sent them */
  #settled = [];
  /** @type {Map<string, any>} the answers of tools among them, by call */
  #results = new Map();
  /** @type {Map<string, number | undefined>} when a message was first heard of */
  #times = new Map();
  /** @type {Map<string, Spoken>} */
  #spoken = new Map();
  /** @type {Map<string, Spoken>} by namespace: whose pieces come, where they do not say so */
  #current = new Map();
  /** @type {Map<string, Said>} what was typed here and is not part of the values yet */
  said = new Map();
  /** @type {Map<string, Question>} */
  questions = new Map();
  /** @type {Hold | null} */
  hold = null;
  /** @type {any} what a person had said last when the present one came */
  #before;
  /** @type {"idle" | "running" | "interrupted" | "failed"} */
  status = "idle";
  problem = "";
  left = false; // by a person who had it
  changed = true; // more than the text of messages that are spoken
  /** @type {Set<string>} messages whose text has grown */
  grown = new Set();

  /** Whether an answer is on its way. */
  get busy() {
    return this.status === "running" || this.#expected !== undefined;
  }

  /** What was said first of all that has no answer yet. */
  get #expected() {
    return [...this.said.values()].find((one) => one.state === "sending" || one.state === "sent");
  }

  /** @param {import("../parts/protocol.js").Frame} frame */
  apply(frame) {
    const { method, params } = frame;
    const { namespace, data } = params;
    const time = stands(frame) ? undefined : params.timestamp;
    if (method === "messages") return this.#speak(namespace.join("|"), data, time);
    this.changed = true;
    if (method === "gap") this.#forget();
    else if (method === "input.requested") this.#ask(namespace, data);
    else if (method === "custom") this.#hear(data.name, data.payload ?? data, `${frame.seq}`, !stands(frame));
    else if (namespace.length === 0 && method === "values") this.#settle(data.messages ?? [], time);
    else if (namespace.length === 0 && method === "lifecycle") this.#turn(data);
  }

  /**
   * @param {string} [unread] the first one that was not seen, which a line stands before
   * @returns {Item[]} everything to be shown, in order
   */
  items(unread) {
    const spoken = Map.groupBy(this.#spoken.values(), (message) => message.after);
    const following = (/** @type {string | null} */ id) => (spoken.get(id) ?? []).flatMap((one) => this.#speaking(one));
    const settled = this.#settled.flatMap((message) => [...this.#shown(message), ...following(message.id)]);
    /** @type {Item[]} */
    const said = [...this.said.values()].map(({ id, text, state }) => ({ key: id, kind: "human", text, speaker: "", state }));
    return arranged([...following(null), ...settled, ...said], unread);
  }

  /** @param {string} id */
  textOf(id) {
    return [...(this.#spoken.get(id)?.blocks.values() ?? [])].map((block) => block.text).join("");
  }

  /** Whether the server has anything that was said. */
  get heard() {
    return this.#settled.some((message) => message.type === "human");
  }

  /** By what name the person who has the thread speaks; until then by which one the server knows them. */
  get attendant() {
    const by = this.hold?.by;
    if (!by) return "";
    const newest = this.#newestSpeech;
    return (newest !== this.#before && newest && speakerOf(newest)) || by;
  }

  get #newestSpeech() {
    return this.#settled.findLast(speakerOf);
  }

  /** What follows stands for everything so far. */
  #forget() {
    this.#settled = [];
    this.#spoken.clear();
    this.#current.clear();
    this.questions.clear();
    this.hold = null;
    this.status = "idle";
    this.problem = "";
  }

  /**
   * @param {any[]} messages
   * @param {number | undefined} time
   */
  #settle(messages, time) {
    this.#settled = messages;
    const tools = messages.filter((message) => message.type === "tool");
    this.#results = new Map(tools.map((message) => [message.tool_call_id, message]));
    const known = new Set(messages.map((message) => message.id));
    for (const id of known) this.#date(id, time);
    for (const message of this.#spoken.values()) {
      // What is whole and yet not part of the values was never said: its step died, or it was a note.
      if (known.has(message.id) || (message.done && !message.kept)) this.#spoken.delete(message.id);
      else if (message.after && !known.has(message.after)) message.after = messages.at(-1)?.id ?? null;
    }
    for (const id of known) this.said.delete(id);
  }

  /**
   * @param {string} id
   * @param {number | undefined} time
   */
  #date(id, time) {
    if (!this.#times.has(id)) this.#times.set(id, time ?? timeOf(id ?? ""));
  }

  /** @param {{event: string, error?: string}} data */
  #turn(data) {
    if (data.event === "running") {
      // A worker was lost in mid-message, and another one says it again.
      for (const message of this.#spoken.values()) if (!message.kept) this.#spoken.delete(message.id);
      for (const question of this.questions.values()) this.#keepBack(question);
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
  #keepBack(question) {
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
   * Who has the thread; or a graph tells that what it began to say does not count.
   * @param {string | undefined} name
   * @param {any} data
   * @param {string} key
   * @param {boolean} live
   */
  #hear(name, data, key, live) {
    if (name === "hold") this.#hand(data.hold ?? null, key, live);
    else if (typeof data?.discard === "string") this.#spoken.delete(data.discard);
  }

  /**
   * @param {Hold | null} hold
   * @param {string} id
   * @param {boolean} live and not as it stands now, since whenever that may be
   */
  #hand(hold, id, live) {
    const was = this.hold?.by ?? null;
    const by = hold?.by ?? null;
    this.hold = hold;
    if (by === was) return;
    this.#before = this.#newestSpeech;
    if (!live) return;
    this.left = !by;
    /** @type {Note} */
    const note = by ? { what: "joined", who: by } : { what: "left", who: "" };
    const after = this.#settled.at(-1)?.id ?? null;
    this.#spoken.set(id, { id, after, blocks: new Map(), shown: true, done: true, kept: true, note });
  }

  /**
   * @param {string} place
   * @param {any} data
   * @param {number | undefined} time
   */
  #speak(place, data, time) {
    if (data.event === "message-start") return this.#begin(place, data, time);
    const message = data.id ? this.#spoken.get(data.id) : this.#current.get(place);
    if (!message) return;
    if (message.shown && data.delta?.type === "text-delta") this.grown.add(message.id);
    else this.changed = true;
    if (data.event === "message-finish" || data.event === "error") message.done = true;
    else if (data.content ?? data.delta) piece(message, data);
  }

  /**
   * @param {string} place
   * @param {{role?: string, id: string}} data
   * @param {number | undefined} time
   */
  #begin(place, { role, id }, time) {
    this.#current.delete(place);
    this.changed = true;
    const settled = this.#settled.some((message) => message.id === id);
    if (settled || (role && role !== "ai" && role !== "assistant")) return;
    const after = this.#settled.at(-1)?.id ?? null;
    const message = { id, after, blocks: new Map(), shown: false, done: false, kept: false };
    this.#date(id, time);
    this.#spoken.set(id, message);
    this.#current.set(place, message);
    this.status = "running"; // its beginning may be older than what the server still knows
  }

  /**
   * @param {any} message
   * @returns {Item[]}
   */
  #shown(message) {
    const { id, type, content, tool_calls: calls = [], additional_kwargs: more } = message;
    const text = textOf(content);
    if (type === "human") return [{ key: id, kind: "human", text, speaker: "", time: this.#times.get(id) }];
    if (type !== "ai") return [];
    const sources = more?.sources?.length ? JSON.stringify(more.sources) : "";
    return this.#answer(id, text, calls, false, speakerOf(message), sources);
  }

  /**
   * @param {Spoken} spoken
   * @returns {Item[]}
   */
  #speaking({ id, blocks, done, note }) {
    if (note) return [{ key: `note:${id}`, kind: "note", ...note }];
    const calls = [...blocks.values()].flatMap((block) => block.call ?? []);
    return this.#answer(id, this.textOf(id), calls, !done, "");
  }

  /**
   * @param {string} id
   * @param {string} text
   * @param {{id?: string, name: string, args: unknown}[]} calls
   * @param {boolean} streaming
   * @param {string} speaker
   * @param {string} [sources]
   * @returns {Item[]}
   */
  #answer(id, text, calls, streaming, speaker, sources) {
    const time = this.#times.get(id);
    /** @type {Item[]} */
    const items = text.trim() ? [{ key: id, kind: "ai", text, streaming, speaker, sources, time }] : [];
    calls.forEach(({ id: callId = `${id}:${items.length}`, name, args }) => {
      const result = this.#results.get(callId);
      items.push({
        key: `call:${callId}`,
        kind: "call",
        name,
        args,
        result: result ? textOf(result.content) : null,
        failed: result?.status === "error",
        running: !result && this.status === "running",
      });
    });
    return items;
  }
}

/**
 * @param {Spoken} message
 * @param {{event: string, index: number, content?: any, delta?: any}} data
 */
function piece(message, { event, index, content, delta }) {
  const block = message.blocks.get(index) ?? { text: "", call: null };
  message.blocks.set(index, block);
  if (content?.type === "text") block.text = content.text ?? "";
  else if (content?.name && ["tool_call", "tool_call_chunk"].includes(content.type)) {
    const args = event === "content-block-finish" ? content.args : null;
    block.call = { id: content.id ?? `${message.id}:${index}`, name: content.name, args };
  } else if (delta?.type === "text-delta") block.text += delta.text;
  message.shown ||= Boolean(block.text.trim());
}

/**
 * The items with what is told by their neighbors: days, where the unread begins, who speaks, which times are shown.
 * @param {Item[]} items
 * @param {string | undefined} unread
 */
function arranged(items, unread) {
  /** @type {Item[]} */
  const all = [];
  let day = new Date().toDateString();
  let voice = "";
  let handed = false;
  /** @type {Words | undefined} */
  let last;
  for (const item of items) {
    if (item.time && new Date(item.time).toDateString() !== day) {
      day = new Date(item.time).toDateString();
      all.push({ key: `day:${item.key}`, kind: "day", time: item.time });
    }
    if (item.key === unread) all.push({ key: "new", kind: "new" });
    all.push(item);
    if (item.kind !== "human" && item.kind !== "ai") continue;
    handed ||= item.speaker !== "";
    if (item.kind === "ai") item.labeled = item.speaker !== voice;
    voice = item.kind === "human" && handed ? "\n" : item.speaker;
    item.timed = Boolean(item.time) && !item.streaming;
    const together = last && last.kind === item.kind && last.speaker === item.speaker;
    if (last && together && (item.time ?? 0) - (last.time ?? 0) < TOGETHER_MS && item.timed) last.timed = false;
    last = item;
  }
  return all;
}

/**
 * The name of the person who wrote a message on the assistant's side; empty for a model's.
 * @param {any} message
 * @returns {string}
 */
function speakerOf({ name, additional_kwargs: more }) {
  return more?.speaker ? String(more.speaker.name ?? name ?? "") : "";
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
