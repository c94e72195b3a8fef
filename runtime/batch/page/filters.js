"use strict";
// Which images are listed, and in which order.

const filters = { text: "", statuses: new Set(report.statuses.keys()), warning: "", mark: "", ranges: new Map() };
const order = { by: "", descending: false };
let listed = [...Array(imageCount).keys()];

// The place of each image in the order of names, in which "scan2" comes before "scan10"; computed when first needed.
let nameRanks = null;
function rankOfName(image) {
  if (nameRanks === null) {
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    const sorted = [...Array(imageCount).keys()].sort((a, b) => compare(named[a], named[b]));
    nameRanks = new Int32Array(imageCount);
    sorted.forEach((image, rank) => { nameRanks[image] = rank; });
  }
  return nameRanks[image];
}

function passes(image) {
  if (!filters.statuses.has(images.status[image])) return false;
  if (filters.warning === "none" && images.warnings[image]) return false;
  if (filters.warning && filters.warning !== "none" && !codesOf(image).includes(filters.warning)) return false;
  if (filters.mark && filters.mark !== marks.kindOf(image)) return false;
  for (const [column, [least, most]] of filters.ranges) {
    const value = column.values[image];
    if (value === null || value < least || value > most) return false;
  }
  return !filters.text || named[image].toLowerCase().includes(filters.text)
    || images.name[image].toLowerCase().includes(filters.text);
}

// What an image is sorted by; null comes last in both directions.
function sortKey(image) {
  if (order.by === "name") return rankOfName(image);
  if (order.by === "status") return images.status[image];
  if (order.by === "warnings") return images.warnings[image] || null;
  if (order.by === "mark") return marks.kindOf(image) === "none" ? null : marks.kindOf(image);
  return columns.find((column) => column.name === order.by).values[image];
}

// List the images anew after a change of filters, order or marks.
function list() {
  listed = [...Array(imageCount).keys()].filter(passes);
  if (order.by) {
    const keys = new Map(listed.map((image) => [image, sortKey(image)]));
    const sign = order.descending ? -1 : 1;
    listed.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return x < y ? -sign : x > y ? sign : a - b;
    });
  }
  element("count").textContent = listed.length === imageCount
    ? `All ${imageCount} images` : `${listed.length} of ${imageCount} images`;
  drawTable();
  drawHistograms();
  showPlace();
}

function fillFilters() {
  const counts = report.statuses.map((_, status) => images.status.filter((one) => one === status).length);
  report.statuses.forEach((name, status) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (box.checked) filters.statuses.add(status);
      else filters.statuses.delete(status);
      list();
    });
    element("filter-status").append(make("label", {}, box, ` ${name} (${counts[status]})`));
  });
  const codes = new Map();
  for (let image = 0; image < imageCount; image++) {
    for (const code of codesOf(image)) codes.set(code, (codes.get(code) || 0) + 1);
  }
  const warning = element("filter-warning");
  warning.append(make("option", { value: "" }, "any"), make("option", { value: "none" }, "none"));
  for (const code of [...codes.keys()].sort()) {
    warning.append(make("option", { value: code }, `${visible(code)} (${codes.get(code)})`));
  }
  warning.addEventListener("change", () => { filters.warning = warning.value; list(); });
  const mark = element("filter-mark");
  mark.addEventListener("change", () => { filters.mark = mark.value; list(); });
  const text = element("filter-text");
  text.addEventListener("input", () => { filters.text = text.value.toLowerCase(); list(); });
  const form = element("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    Object.assign(filters, { text: "", warning: "", mark: "" });
    report.statuses.forEach((_, status) => filters.statuses.add(status));
    filters.ranges.clear();
    list();
    fillRanges();
  });
}
