// @ts-check
// Figures as drawings: bars, lines, numbers and parts of a whole, each with its text and its table.
import { h } from "../parts/dom.js";

/**
 * @typedef {{label: string, value: number | null, unit?: string, series?: string}} Point
 * @typedef {{title: string, kind: string, points: Point[]}} Panel
 * @typedef {{words: import("./words.js").Words, language: string}} Setting
 * @typedef {{labels: string[], series: string[], at: (label: string, series: string) => Point | undefined}} Grid
 */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [400, 168, 40, 20, 10];
const MOST = { panels: 24, points: 200, text: 80, labels: 7, spoken: 12 };
const COLORS = 6;

/**
 * @param {Panel} panel
 * @param {Setting} setting
 */
export function chart(panel, setting) {
  const points = panel.points.slice(0, MOST.points);
  const known = ["line", "number"].includes(panel.kind)
    ? points.some((point) => point.value !== null)
    : points.some((point) => point.value);
  const drawn = known
    ? drawing(panel.kind, points, `${cut(panel.title)}. ${spoken(points, setting)}`, setting)
    : [h("p", { className: "soft blank" }, setting.words.noFigures)];
  const figure = h("div", { className: "drawn" }, ...drawn);
  const title = h("h3", {}, cut(panel.title));
  const head = h("div", { className: "line" }, title);
  if (panel.kind !== "number" && known) head.append(toggle(figure, points, panel.title, setting));
  return h("section", { className: panel.kind === "number" ? "chart figures" : "chart" }, head, figure);
}

/**
 * What a drawing shows, in a sentence: each point where they are few, else the last of each series and its range.
 * @param {Point[]} points
 * @param {Setting} setting
 */
function spoken(points, setting) {
  if (points.length <= MOST.spoken)
    return points.map((point) => `${named(point)}: ${shown(point, setting)}`).join("; ");
  const { series } = gridOf(points);
  const said = series.map((name) => {
    const known = points
      .filter((point) => (point.series ?? "") === name && point.value !== null)
      .sort((one, other) => (one.value ?? 0) - (other.value ?? 0));
    const last = points.findLast((point) => (point.series ?? "") === name && point.value !== null);
    return (
      last &&
      `${named(last)}: ${shown(last, setting)} (${shown(known[0], setting)} – ${shown(known[known.length - 1], setting)})`
    );
  });
  return said.filter(Boolean).join("; ");
}

/** @param {unknown} given what a project's route answers with */
export function panelsOf(given) {
  const panels = Array.isArray(given) ? given.slice(0, MOST.panels) : [];
  return /** @type {Panel[]} */ (
    panels
      .filter((panel) => panel && Array.isArray(panel.points))
      .map(({ title, kind, points }) => ({
        title: String(title ?? ""),
        kind: String(kind),
        points: points.map(pointOf),
      }))
  );
}

/** @param {any} given */
function pointOf(given) {
  const value = typeof given?.value === "number" && Number.isFinite(given.value) ? given.value : null;
  return {
    label: cut(given?.label),
    value,
    unit: given?.unit ? cut(given.unit) : undefined,
    series: given?.series ? cut(given.series) : undefined,
  };
}

/**
 * @param {string} kind
 * @param {Point[]} points
 * @param {string} text
 * @param {Setting} setting
 * @returns {Element[]}
 */
function drawing(kind, points, text, setting) {
  if (kind === "number") return [numbers(points, setting)];
  if (kind === "parts") return parts(points, text, setting);
  const grid = gridOf(points);
  const most = nice(Math.max(0, ...points.map((point) => point.value ?? 0)));
  const svg = canvas(text, HEIGHT);
  svg.append(
    ...axes(grid.labels, most, kind === "line", setting),
    ...(kind === "line" ? lines(grid, most) : bars(grid, most, setting)),
  );
  return grid.series.length > 1 ? [svg, legend(grid.series.map((name) => [name, ""]))] : [svg];
}

/**
 * @param {Point[]} points
 * @param {Setting} setting
 */
function numbers(points, setting) {
  const each = points
    .slice(0, 6)
    .map((point) =>
      h(
        "div",
        {},
        h("dt", {}, named(point)),
        h(
          "dd",
          {},
          shown({ ...point, unit: undefined }, setting),
          point.unit && point.value !== null && h("small", {}, point.unit),
        ),
      ),
    );
  return h("dl", { className: "numbers" }, ...each);
}

/**
 * @param {Point[]} points
 * @param {string} text
 * @param {Setting} setting
 */
function parts(points, text, setting) {
  const whole = points.reduce((sum, point) => sum + Math.max(point.value ?? 0, 0), 0);
  const svg = canvas(text, 20);
  let x = 0;
  points.forEach((point, at) => {
    const width = whole ? (Math.max(point.value ?? 0, 0) / whole) * WIDTH : 0;
    svg.append(shape("rect", { x, y: 0, width: Math.max(width - 2, 0), height: 20, rx: 3, class: `c${at % COLORS}` }));
    x += width;
  });
  const share = new Intl.NumberFormat(setting.language, { style: "percent" });
  return [
    svg,
    legend(
      points.map((point) => [
        named(point),
        shown(point, setting) + (whole ? ` · ${share.format((point.value ?? 0) / whole)}` : ""),
      ]),
    ),
  ];
}

/**
 * @param {Grid} grid
 * @param {number} most
 * @param {Setting} setting
 */
function bars({ labels, series, at }, most, setting) {
  const step = (WIDTH - LEFT) / labels.length;
  const width = Math.min((step * 0.72) / series.length, 44);
  return labels.flatMap((label, place) =>
    series.flatMap((name, number) => {
      const point = at(label, name);
      if (!point?.value) return [];
      const x = LEFT + step * (place + 0.5) + width * (number - series.length / 2);
      const y = height(point.value, most);
      const bar = shape("rect", {
        x: x + 0.5,
        y,
        width: Math.max(width - 1, 1),
        height: Math.max(HEIGHT - BOTTOM - y, 0),
        rx: Math.min(2, width / 3),
        class: `c${number % COLORS}`,
      });
      bar.append(shape("title", {}, `${named(point)}: ${shown(point, setting)}`));
      return [bar];
    }),
  );
}

/**
 * @param {Grid} grid
 * @param {number} most
 */
function lines({ labels, series, at }, most) {
  return series.flatMap((name, number) => {
    const known = labels
      .map((label, place) => ({ place, value: at(label, name)?.value ?? null }))
      .filter((one) => one.value !== null);
    const spots = known.map(({ place, value }) => [across(place, labels.length), height(value ?? 0, most)]);
    const path = spots
      .map(
        ([x, y], at) =>
          `${at && known[at].place === known[at - 1].place + 1 ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`,
      )
      .join("");
    const dots = spots.map(([cx, cy]) => shape("circle", { cx, cy, r: 2.5, class: `c${number % COLORS}` }));
    return [shape("path", { d: path, class: `stroke s${number % COLORS}` }), ...dots];
  });
}

/**
 * @param {string[]} labels
 * @param {number} most
 * @param {boolean} spots whether labels stand under points, or under the middle of their share
 * @param {Setting} setting
 */
function axes(labels, most, spots, setting) {
  const number = new Intl.NumberFormat(setting.language, { notation: "compact", maximumFractionDigits: 2 });
  const rules = [0, 0.5, 1].flatMap((share) => {
    const y = height(most * share, most);
    return [
      shape("path", { d: `M${LEFT} ${y}H${WIDTH}`, class: "rule" }),
      shape("text", { x: LEFT - 6, y: y + 3.5, class: "end" }, number.format(most * share)),
    ];
  });
  const every = Math.ceil(labels.length / MOST.labels);
  const step = (WIDTH - LEFT) / labels.length;
  const under = labels.flatMap((label, at) => {
    if ((labels.length - 1 - at) % every) return [];
    const x = spots ? across(at, labels.length) : LEFT + step * (at + 0.5);
    return [shape("text", { x: Math.min(x, WIDTH - 14), y: HEIGHT - 5, class: "middle" }, label.slice(0, 14))];
  });
  return [...rules, ...under];
}

/**
 * The points as a table, in place of the drawing and back.
 * @param {HTMLElement} figure
 * @param {Point[]} points
 * @param {string} title
 * @param {Setting} setting
 */
function toggle(figure, points, title, setting) {
  const drawn = [...figure.children];
  const { words } = setting;
  const rows = points.map((point) =>
    h("tr", {}, h("th", { scope: "row" }, named(point)), h("td", {}, shown(point, setting))),
  );
  const table = h(
    "div",
    { className: "table", tabIndex: 0, role: "region", "aria-label": title },
    h("table", {}, h("tbody", {}, ...rows)),
  );
  const press = h(
    "button",
    { type: "button", className: "slim", "aria-pressed": "false", "aria-label": `${words.asTable}: ${title}` },
    words.asTable,
  );
  press.onclick = () => {
    const asked = press.getAttribute("aria-pressed") === "false";
    press.setAttribute("aria-pressed", String(asked));
    figure.replaceChildren(...(asked ? [table] : drawn));
  };
  return press;
}

/** @param {[string, string][]} entries */
function legend(entries) {
  return h(
    "ul",
    { className: "legend" },
    ...entries.map(([name, value], at) =>
      h("li", {}, h("i", { className: `k${at % COLORS}` }), name, value && h("span", { className: "soft" }, value)),
    ),
  );
}

/**
 * @param {Point[]} points
 * @returns {Grid}
 */
function gridOf(points) {
  const found = new Map(points.map((point) => [`${point.label}\n${point.series ?? ""}`, point]));
  const labels = [...new Set(points.map((point) => point.label))];
  const series = [...new Set(points.map((point) => point.series ?? ""))];
  return { labels, series, at: (label, name) => found.get(`${label}\n${name}`) };
}

/**
 * The next round number, for the top of a scale.
 * @param {number} value
 */
function nice(value) {
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((one) => one * size).find((one) => one >= value) ?? value;
}

/**
 * @param {number} value
 * @param {number} most
 */
function height(value, most) {
  return HEIGHT - BOTTOM - (Math.max(value, 0) / most) * (HEIGHT - BOTTOM - TOP);
}

/**
 * @param {number} place
 * @param {number} count
 */
function across(place, count) {
  return LEFT + 6 + (count > 1 ? (place / (count - 1)) * (WIDTH - LEFT - 12) : (WIDTH - LEFT - 12) / 2);
}

/** @param {Point} point */
function named({ label, series }) {
  return series && series !== label ? `${label} ${series}` : label;
}

/**
 * @param {Point} point
 * @param {Setting} setting
 */
function shown({ value, unit }, { language }) {
  if (value === null) return "–";
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(value);
  return unit === "%" ? `${number}%` : unit ? `${number} ${unit}` : number;
}

/**
 * @param {string} text
 * @param {number} tall
 */
function canvas(text, tall) {
  return shape("svg", { viewBox: `0 0 ${WIDTH} ${tall}`, role: "img", "aria-label": text });
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} given
 * @param {string} [text]
 */
function shape(name, given, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(given)) element.setAttribute(key, String(value));
  if (text) element.textContent = text;
  return element;
}

/** @param {unknown} text */
function cut(text) {
  return String(text ?? "").slice(0, MOST.text);
}
