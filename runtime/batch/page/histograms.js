"use strict";
// A histogram for each number that is shown: light bars for all images, dark ones for those listed. Dragging over it,
// or its two fields, filters.

const BARS = 24;
const [CHART_WIDTH, CHART_HEIGHT] = [240, 64];
const charts = new Map();  // by column: {bars, least, most, ...}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function boundsOf(column) {
  if (!column.bounds) {
    const found = column.values.filter((value) => value !== null);
    const least = found.reduce((a, b) => Math.min(a, b), Infinity);
    const most = found.reduce((a, b) => Math.max(a, b), -Infinity);
    column.bounds = found.length ? { least, most, count: found.length } : { least: 0, most: 0, count: 0 };
  }
  return column.bounds;
}

function countsOf(column, which) {
  const { least, most } = boundsOf(column);
  const counts = new Array(BARS).fill(0);
  for (const image of which) {
    const value = column.values[image];
    if (value === null) continue;
    const place = most > least ? Math.floor(((value - least) / (most - least)) * BARS) : 0;
    counts[Math.min(BARS - 1, place)]++;
  }
  return counts;
}

const medianOf = (values) => {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

// Make the charts of the columns that are shown.
function layHistograms() {
  const room = element("histograms");
  room.replaceChildren();
  charts.clear();
  for (const column of columns.filter((one) => one.shown && boundsOf(one).count)) {
    const { least, most } = boundsOf(column);
    const chart = svg("svg", { viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, role: "img", class: "chart" });
    const title = svg("title", {});
    chart.append(title);
    const step = CHART_WIDTH / BARS;
    const whole = countsOf(column, Array(imageCount).keys());
    const tallest = Math.max(1, ...whole);
    const bars = whole.map((count, place) => {
      const height = count / tallest * CHART_HEIGHT;
      chart.append(svg("rect", {
        class: "all", x: place * step + 0.5, width: step - 1, y: CHART_HEIGHT - height, height,
      }));
      return chart.appendChild(svg("rect", { class: "listed", x: place * step + 0.5, width: step - 1, height: 0 }));
    });
    const field = (side, value) => {
      const input = make("input", {
        type: "number", step: "any", placeholder: inDigits(value), "aria-label": `${column.label}, ${side}`,
      });
      input.addEventListener("change", () => filterByFields(column));
      return input;
    };
    const [from, to] = [field("at least", least), field("at most", most)];
    const range = make("div", { class: "range" }, from, "to", to);
    room.append(make("figure", {}, make("figcaption", {}, column.label), chart, range));
    charts.set(column, { bars, from, to, title, tallest });
    dragToFilter(chart, column);
  }
  fillRanges();
  drawHistograms();
}

// Draw the dark bars for the images that are listed.
function drawHistograms() {
  for (const [column, { bars, title, tallest }] of charts) {
    countsOf(column, listed).forEach((count, place) => {
      const height = count / tallest * CHART_HEIGHT;
      bars[place].setAttribute("y", CHART_HEIGHT - height);
      bars[place].setAttribute("height", height);
    });
    const values = listed.map((image) => column.values[image]).filter((value) => value !== null);
    title.textContent = values.length
      ? `${column.label}: ${values.length} listed images from ${inDigits(values.reduce((a, b) => Math.min(a, b)))} `
        + `to ${inDigits(values.reduce((a, b) => Math.max(a, b)))}, median ${inDigits(medianOf(values))}`
      : `${column.label}: none of the listed images has it`;
  }
}

function fillRanges() {
  for (const [column, { from, to }] of charts) {
    const [least, most] = filters.ranges.get(column) || [-Infinity, Infinity];
    from.value = Number.isFinite(least) ? least : "";
    to.value = Number.isFinite(most) ? most : "";
  }
}

function filterByFields(column) {
  const { from, to } = charts.get(column);
  if (from.value === "" && to.value === "") filters.ranges.delete(column);
  else {
    filters.ranges.set(column, [
      from.value === "" ? -Infinity : Number(from.value), to.value === "" ? Infinity : Number(to.value),
    ]);
  }
  list();
}

// Dragging takes whole bars; a click on one bar takes that bar.
function dragToFilter(chart, column) {
  const { least, most } = boundsOf(column);
  let start = null;
  const barAt = (event) => {
    const box = chart.getBoundingClientRect();
    return Math.min(BARS - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * BARS)));
  };
  chart.addEventListener("pointerdown", (event) => {
    start = barAt(event);
    chart.setPointerCapture(event.pointerId);
  });
  chart.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const [first, last] = [start, barAt(event)].sort((a, b) => a - b);
    const edge = (place) => Number((least + ((most - least) * place) / BARS).toPrecision(6));
    const { from, to } = charts.get(column);
    from.value = first === 0 ? "" : edge(first);
    to.value = last === BARS - 1 ? "" : edge(last + 1);
    start = null;
    filterByFields(column);
  });
  chart.addEventListener("pointercancel", () => { start = null; });
}

// The boxes that choose which numbers have a histogram and a column.
function fillColumns() {
  for (const column of columns) {
    const box = make("input", { type: "checkbox", checked: column.shown });
    box.addEventListener("change", () => {
      column.shown = box.checked;
      if (!column.shown && filters.ranges.delete(column)) list();
      layHistograms();
      layTable();
    });
    element("columns").append(make("label", {}, box, ` ${column.label}`));
  }
}
