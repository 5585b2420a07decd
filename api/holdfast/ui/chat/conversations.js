// @ts-check
// All conversations of the caller: loaded when somebody asks for them.
import { h, styled } from "../parts/dom.js";

/**
 * @typedef {{id: string, title: string, at: number, state: string}} Entry
 * @typedef {{signedIn: boolean, current: string, begun: boolean, open: (id: string) => void, removed: (id: string) => void,
 *   fresh: () => void, end: () => void}} Wishes
 * @typedef {import("./conversation.js").Around} Around
 */

const MOST = 50;
const SHOWN = ["thread_id", "updated_at", "status", "metadata", "hold"];

/**
 * @param {Around} around
 * @param {Wishes} wishes
 */
export function conversationsPanel(around, wishes) {
  const { words } = around;
  const list = h("ul", { className: "entries" });
  const fresh = h("button", { type: "button", className: "primary", onclick: wishes.fresh }, words.fresh);
  const end = wishes.begun && h("button", { type: "button", onclick: wishes.end }, words.end);
  const title = h("h2", { tabIndex: -1 }, words.all);
  const panel = h("div", { className: "panel", role: "region", "aria-label": words.all }, title, list);
  panel.append(h("div", { className: "buttons" }, fresh, end));
  void entries(around, wishes).then((found) => {
    const items = found.map((entry) => item(entry, around, wishes));
    list.replaceChildren(...(items.length ? items : [h("li", { className: "none" }, words.none)]));
  });
  return { panel, shown: styled(panel, new URL("later.css", import.meta.url).href) };
}

/**
 * The server's list; where it cannot be had, what this browser remembers.
 * @param {Around} around
 * @param {Wishes} wishes
 * @returns {Promise<Entry[]>}
 */
async function entries({ api, memory, words }, { signedIn }) {
  const { threads } = memory.read();
  const remembered = Object.keys(threads);
  const state = (/** @type {any} */ { hold, status }) =>
    hold?.by ? words.here.replace("{}", hold.by) : hold ? words.asked : (words.states[/** @type {"idle"} */ (status)] ?? "");
  try {
    if (!signedIn && !remembered.length) return [];
    const whose = signedIn ? {} : { ids: remembered };
    const search = { ...whose, limit: MOST, sort_by: "updated_at", select: SHOWN };
    const found = await api.ask("/threads/search", { json: search });
    return found.map((/** @type {any} */ one) => ({
      id: one.thread_id,
      title: one.metadata.title ?? threads[one.thread_id]?.title ?? words.conversation,
      at: Date.parse(one.updated_at),
      state: state(one),
    }));
  } catch {
    return remembered.map((id) => ({ id, title: threads[id].title ?? words.conversation, at: threads[id].at ?? 0, state: "" }));
  }
}

/**
 * @param {Entry} entry
 * @param {Around} around
 * @param {Wishes} wishes
 */
function item({ id, title, at, state }, { api, words, times, memory }, wishes) {
  const when = at ? `${times.day(at)}, ${times.clock(at)}` : "";
  const about = h("small", {}, [when, state].filter(Boolean).join(" · "));
  const chosen = id === wishes.current;
  const open = h("button", { type: "button", className: "entry", onclick: () => wishes.open(id) }, h("span", { dir: "auto" }, title), about);
  if (chosen) open.ariaCurrent = "true";
  const remove = h("button", { type: "button", className: "link", onclick: () => ask() }, words.remove);
  remove.ariaLabel = `${words.remove}: ${title}`;
  const row = h("li", {}, open, remove);
  const ask = () => {
    const sure = h("button", { type: "button", className: "danger", onclick: () => void go() }, words.remove);
    const keep = h("button", { type: "button", onclick: () => (row.replaceChildren(open, remove), remove.focus()) }, words.keep);
    row.replaceChildren(open, h("div", { className: "sure", role: "alert" }, h("p", {}, words.sure), h("div", { className: "buttons" }, sure, keep)));
    keep.focus();
  };
  const go = async () => {
    const { status } = await api.fetch(`/threads/${id}`, { method: "DELETE" }).catch(() => ({ status: 0 }));
    if (status !== 204 && status !== 404) return row.append(h("p", { className: "problem", role: "alert" }, words.lost));
    memory.write((kept) => {
      delete kept.threads[id];
      if (kept.open === id) delete kept.open;
    });
    row.remove();
    wishes.removed(id);
  };
  return row;
}
