// How things look. Names are an attacker's text: everything becomes text nodes, and what does not print is escaped.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(3).filter((child) => child));
  return element;
}

export const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
export const printable = (text) =>
  text.replace(/\p{C}|\p{Zl}|\p{Zp}|(?! )\p{Zs}/gu, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);

export function name(text) {
  const plain = /^[A-Za-z0-9_.:@$%+/[\]-]+$/.test(text);
  return el("bdi", {}, plain ? text : text ? `"${printable(text.replace(/["\\]/g, "\\$&"))}"` : "(empty)");
}

export const group = (columns) => Object.entries(columns).map(([column, value], place, { length }) =>
  [place ? " " : "", length > 1 ? `${column}=` : "", name(value)]);

export const utc = (moment) => new Date(moment).toISOString().slice(0, 19).replace("T", " ");

// In UTC, and as the clock on the wall says, where that differs.
export function time(moment) {
  const at = new Date(moment), sameDay = at.getDate() === at.getUTCDate();
  const local = at.toLocaleString("en-GB", { ...(sameDay ? {} : { dateStyle: "medium" }), timeStyle: "long" });
  return el("time", { datetime: at.toISOString() }, `${utc(at)} UTC${at.getTimezoneOffset() ? ` (${local})` : ""}`);
}

export const table = (caption, head, rows) => el("details", {}, el("summary", {}, caption), el("table", {},
  el("thead", {}, el("tr", {}, head.map((cell) => el("th", { scope: "col" }, cell)))),
  el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));

const css = (variable) => getComputedStyle(document.documentElement).getPropertyValue(variable);
const charts = new Map(); // by the element that holds it
export const redraw = () => charts.forEach((chart) => chart.redraw());

// Draws a chart once it comes near the view, as it has no size before, and keeps it as wide as its place.
const sizes = new ResizeObserver((entries) => entries.forEach(({ target, contentRect: { width } }) => {
  if (charts.has(target)) charts.get(target).setSize({ width, height: charts.get(target).height });
  else if (width) charts.set(target, target.draw(width));
}));

// Failures over an interval as bars, and as a table. Spans are a strip above the bars, moments lines across: [from, to, colour].
export function chart({ start, end }, failures, spans, moments = [], height = 90) {
  const [first, last] = [start, end].map((moment) => Date.parse(moment) / 1000);
  const times = failures.map((_, part) => first + (part + 0.5) * (last - first) / failures.length);
  const paint = (marks, share) => (u) => marks.forEach(([from, to, colour]) => {
    const [left, right] = [from, to].map((moment) =>
      u.valToPos(Math.min(Math.max(new Date(moment) / 1000, first), last), "x", true));
    u.ctx.fillStyle = css(colour);
    u.ctx.fillRect(left, u.bbox.top, Math.max(right - left, 3 * devicePixelRatio), u.bbox.height * share);
  });
  const axis = { stroke: () => css("--text"), grid: { show: false }, font: "11px sans-serif" };
  const label = (at) => utc(at * 1000).slice(...(last - first > 86_400 ? [5, 16] : [11, 16]));
  const host = el("div", { class: "chart", "aria-hidden": "true" });
  host.draw = (width) => new uPlot({
    width, height, padding: [8, 20, 0, 0], legend: { show: false }, cursor: { show: false },
    hooks: { draw: [paint(spans, 0.07), paint(moments, 1)] },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    scales: { x: { range: [first, last] }, y: { range: [0, 1.2 * Math.max(...failures, 1)] } },
    axes: [{ ...axis, size: 26, values: (_, ticks) => ticks.map(label) },
      { ...axis, size: 44, space: 20, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5] }],
    series: [{}, { fill: () => css("--failures"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.9] }) }],
  }, [times, failures], host);
  sizes.observe(host);
  const minutes = +((last - first) / 60 / failures.length).toFixed(1);
  return [host, table(`Failures in each ${count(minutes, "minute")}, as a table`, ["From (UTC)", "Failures"],
    failures.map((number, part) => [utc((first + part * (last - first) / failures.length) * 1000), String(number)]))];
}
