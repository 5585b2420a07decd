// @ts-check
// Figures of the platform, and those of the project where it has some.
import { h } from "../parts/dom.js";
import { chart, panelsOf } from "./charts.js";

const DAYS = ["7", "14", "31"];
const LOOK_MS = 15000;

/** @typedef {import("./charts.js").Panel} Panel */

export class Dashboard {
  #own = h("div", { className: "charts" });
  #project = h("section", { className: "project", hidden: true });
  #problem = h("p", { className: "problem", role: "alert" });
  #drawn = "";
  #panels = true; // whether the project has figures
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./words.js").Words} words
   * @param {import("../parts/words.js").Language} language
   */
  constructor(session, words, language) {
    this.session = session;
    this.words = words;
    this.setting = { words, language };
    this.days = h(
      "select",
      { "aria-label": words.days },
      ...DAYS.map((days) => h("option", { value: days }, words.lastDays.replace("{days}", days))),
    );
    this.days.value = "14";
    this.days.onchange = () => void this.load();
    const head = h("div", { className: "heading" }, h("h1", {}, words.figures), this.days);
    const inside = h(
      "div",
      { className: "scroll", tabIndex: 0, role: "region", "aria-label": words.figures },
      this.#problem,
      this.#own,
      this.#project,
    );
    this.element = h("section", { className: "pane dashboard" }, head, inside);
  }

  start() {
    void this.load();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => document.hidden || void this.load(), LOOK_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }

  async load() {
    try {
      const [stats, panels] = await Promise.all([
        this.session.ask(`/stats?days=${this.days.value}`),
        this.#ofProject(),
      ]);
      const { at, ...same } = stats;
      const drawn = JSON.stringify([same, panels]);
      if (drawn === this.#drawn) return;
      this.#drawn = drawn;
      this.#problem.textContent = "";
      const own = platform(stats, this.words).map((panel) => chart(panel, this.setting));
      this.#own.replaceChildren(...own);
      const heading = h("h2", {}, this.words.ofProject);
      this.#project.hidden = panels.length === 0;
      this.#project.replaceChildren(
        heading,
        h("div", { className: "charts" }, ...panels.map((panel) => chart(panel, this.setting))),
      );
    } catch (error) {
      this.#problem.textContent =
        error instanceof TypeError ? this.words.unreachable : String(error instanceof Error ? error.message : error);
    }
  }

  /** @returns {Promise<Panel[]>} none where the project has no such route */
  async #ofProject() {
    if (!this.#panels) return [];
    const response = await this.session.fetch(`/panels?language=${this.setting.language}`);
    if (!response.ok) {
      this.#panels = response.status >= 500;
      return [];
    }
    return panelsOf(await response.json().catch(() => []));
  }
}

/**
 * @param {any} stats
 * @param {import("./words.js").Words} words
 * @returns {Panel[]}
 */
function platform({ now, total, days }, words) {
  const { waiting } = now;
  const w = words.panel;
  const waits = Object.entries(waiting).map(([age, value]) => ({
    label: words.waits[age] ?? age,
    value: Number(value),
  }));
  const sum = waits.reduce((sum, one) => sum + one.value, 0);
  const rate = (/** @type {number | null} */ share) => (share === null ? null : Math.round(share * 1000) / 10);
  const each = (/** @type {(day: any) => Record<string, number | null>} */ read, unit = "") =>
    days.flatMap((/** @type {any} */ day) =>
      Object.entries(read(day)).map(([series, value]) => ({ label: day.day.slice(5), value, series, unit })),
    );
  return [
    {
      title: w.now,
      kind: "number",
      points: [point(w.running, now.running), point(w.queued, now.queued), point(w.waiting, sum)],
    },
    {
      title: w.period,
      kind: "number",
      points: [
        point(w.handoffs, rate(total.handoff_rate), "%"),
        point(w.errors, rate(total.runs.error_rate), "%"),
        point(w.rating, total.ratings.average),
        point(w.p50, total.first_token_ms.p50, "ms"),
        point(w.p95, total.first_token_ms.p95, "ms"),
      ],
    },
    { title: w.age, kind: "bars", points: waits },
    {
      title: w.decisions,
      kind: "bars",
      points: each(({ decisions: { approved, edited, rejected, expired } }) => ({
        [w.approved]: approved,
        [w.edited]: edited,
        [w.rejected]: rejected,
        [w.expired]: expired,
      })),
    },
    {
      title: w.firstToken,
      kind: "line",
      points: each((day) => ({ p50: day.first_token_ms.p50, p95: day.first_token_ms.p95 }), "ms"),
    },
    { title: w.handoffDays, kind: "line", points: each((day) => ({ [w.handoffs]: rate(day.handoff_rate) }), "%") },
    {
      title: w.ratings,
      kind: "bars",
      points: ["1", "2", "3", "4", "5"].map((score) => point("★".repeat(Number(score)), total.ratings[score])),
    },
    {
      title: w.runs,
      kind: "bars",
      points: each(({ runs }) => ({
        [w.good]: runs.success,
        [w.failed]: runs.error + runs.timeout,
        [w.stopped]: runs.interrupted,
      })),
    },
  ];
}

/**
 * @param {string} label
 * @param {number | null} value
 * @param {string} [unit]
 */
function point(label, value, unit) {
  return { label, value, unit };
}
