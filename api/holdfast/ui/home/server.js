// @ts-check
// What runs here, and whether it can work.
import { h } from "../parts/dom.js";

const LOOK_MS = 15000;

/**
 * Says whether the server takes new work, now and as long as the page is looked at.
 * @param {import("../parts/api.js").Api} api
 * @param {import("./words/en.js").Words} words
 * @param {HTMLElement} element
 */
export function showState(api, words, element) {
  const look = async () => {
    const found = await stateOf(api, words);
    element.className = `state ${found.kind}`;
    element.replaceChildren(h("strong", {}, found.text), ...(found.detail ? [h("span", {}, found.detail)] : []));
  };
  void look();
  setInterval(() => document.visibilityState === "visible" && void look(), LOOK_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void look());
}

/**
 * @param {import("../parts/api.js").Api} api
 * @param {import("./words/en.js").Words} words
 */
async function stateOf(api, words) {
  try {
    const { ok, warning, detail } = await (await api.fetch("/readyz")).json();
    if (ok) return { kind: warning ? "warned" : "ready", text: words.ready, detail: warning };
    return { kind: "unready", text: words.unready, detail };
  } catch {
    return { kind: "unready", text: words.unreachable, detail: "" };
  }
}

/**
 * Only what the open `/info` tells, unless the page's visitor may call the server.
 * @param {import("../parts/api.js").Api} api
 * @param {any} info
 * @param {import("./words/en.js").Words} words
 * @param {"en" | "zh"} language
 * @returns {Promise<HTMLElement[]>}
 */
export async function factsOf(api, info, words, language) {
  if (!info) return [];
  const graphs = info.sign_in === "dev" ? await graphsOf(api) : [];
  const own = await ownFacts(api, info);
  return [
    ...(graphs.length ? fact(words.graphs, ...graphs.map((name) => h("a", { className: "graph", href: `ui?assistant=${encodeURIComponent(name)}` }, name))) : []),
    ...own.flatMap((one) => fact(one.label[language], one.value[language])),
    ...(info.redis ? fact(words.redis, info.redis) : []),
    ...fact(words.server, info.host.version),
    ...fact(words.langgraph, info.langgraph_py_version),
    ...fact(words.wire, `${words.official} ${info.version}`),
  ];
}

/**
 * @param {import("../parts/api.js").Api} api
 * @returns {Promise<string[]>}
 */
async function graphsOf(api) {
  const json = { metadata: { created_by: "system" }, limit: 12, select: ["name"] };
  const found = await api.ask("/assistants/search", { json }).catch(() => []);
  return found.map((/** @type {any} */ one) => one.name);
}

/**
 * What the project says of itself.
 * @param {import("../parts/api.js").Api} api
 * @param {any} info
 * @returns {Promise<{label: Record<string, string>, value: Record<string, string>}[]>}
 */
async function ownFacts(api, info) {
  return info.routes?.includes("/demo/facts") ? api.ask("/demo/facts").catch(() => []) : [];
}

/**
 * @param {string} label
 * @param {...(Node | string)} values
 */
function fact(label, ...values) {
  return [h("dt", {}, label), h("dd", {}, ...values)];
}
