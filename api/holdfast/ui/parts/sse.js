// @ts-check
// Server-sent events of a response: unlike EventSource, `fetch` can say who asks.

// The server is heard of every 5 s, if only by a heartbeat.
const SILENCE_MS = 15000;

// Between tries to connect, each twice the one before.
export const FIRST_WAIT_MS = 400;
export const LONGEST_WAIT_MS = 3000;

/** @typedef {{type?: string, id?: string, data: any}} ServerEvent */

/**
 * Ends when the response does, or when nothing was heard for a while.
 * @param {Response} response
 * @param {AbortController} connection
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* serverEvents(response, connection) {
  if (!response.body) return;
  /** @type {ReadableWritablePair<string, any>} */
  const decoder = new TextDecoderStream();
  const reader = response.body.pipeThrough(decoder).getReader();
  let text = "";
  for (;;) {
    const timer = setTimeout(() => connection.abort(), SILENCE_MS);
    const read = await reader.read().catch(() => ({ done: true, value: undefined }));
    clearTimeout(timer);
    if (read.done || connection.signal.aborted) return connection.abort();
    const parts = (text + read.value).split(/\r?\n\r?\n/);
    text = parts.pop() ?? "";
    for (const part of parts) {
      /** @type {Record<string, string>} */
      const event = {};
      for (const [, name, value] of part.matchAll(/^(\w+): ?(.*)$/gm)) {
        event[name] = name in event ? `${event[name]}\n${value}` : value;
      }
      if (event.data) yield { type: event.event, id: event.id, data: JSON.parse(event.data) };
    }
  }
}
