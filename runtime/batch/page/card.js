"use strict";
// The card of the chosen image: its name, marks, picture and numbers; and moving through the list.

let chosen = null;

function choose(image, scroll = true) {
  chosen = image;
  element("card-name").textContent = image === null ? "No image" : named[image];
  showPicture(image);
  showFacts(image);
  showMark();
  showPlace();
  drawTable();
  if (scroll && image !== null) scrollTo(image);
  prefetch();
}

// Go some images on in the list; from an image that the filters hide, to the first.
function step(by) {
  const place = listed.indexOf(chosen);
  chooseAt(place < 0 ? 0 : place + by);
}

function chooseAt(place) {
  if (listed.length) choose(listed[Math.min(listed.length - 1, Math.max(0, place))]);
}

function showPlace() {
  const place = listed.indexOf(chosen);
  element("card-place").textContent = chosen === null ? ""
    : place < 0 ? "not among the images listed" : `${place + 1} of ${listed.length}`;
}

// Have the browser read the smallest photograph and map of the next image, so that it is there at once.
let fetched = [];
function prefetch() {
  fetched = [];
  const next = listed[listed.indexOf(chosen) + 1];
  if (chosen === null || next === undefined || !images.pictures[next]) return;
  const level = levelsOf(images.width[next], images.height[next]).length - 1;
  for (const kind of ["photograph", "map"].slice(0, images.pictures[next])) {
    const ahead = new Image();
    ahead.src = `${report.pictures}/${images.digits[next]}/${level}_0_0_${kind}.webp?${images.map[next]}`;
    fetched.push(ahead);
  }
}

function showFacts(image) {
  const facts = element("facts");
  facts.replaceChildren();
  if (image === null) return;
  const list = make("dl");
  const add = (name, ...value) => list.append(make("div", {}, make("dt", {}, name), make("dd", {}, ...value)));
  const status = report.statuses[images.status[image]];
  add("Status", make("span", { class: `status ${status}` }, status));
  for (const code of codesOf(image)) {
    add("Warning", `${visible(code)}: ${report.sentences[code] || ""}`);
  }
  if (images.message[image]) add("Message", visible(images.message[image]));
  if (images.width[image]) add("Size", `${images.width[image]} × ${images.height[image]} pixels`);
  if (images.field_of_view[image]) {
    add("Angle", `${images.field_of_view[image]}° (${visible(images.field_of_view_from[image])})`);
  }
  for (const column of columns) {
    if (column.values[image] !== null) add(column.label, inDigits(column.values[image]));
  }
  const run = runOf(image);
  if (images.threshold[image]) add("Threshold", images.threshold[image]);
  add("Model", `${visible(run.model)} ${run.model_sha256}`);
  add("Engine", visible(run.engine));
  add("Version", visible(run.version));
  facts.append(list);
}

function showMark() {
  const kind = chosen === null ? "none" : marks.kindOf(chosen);
  element("usable").setAttribute("aria-pressed", kind === "usable");
  element("not-usable").setAttribute("aria-pressed", kind === "not usable");
  element("mark-earlier").textContent = kind === "earlier"
    ? `An earlier map was marked ${marks.given.get(chosen).mark}.` : "";
  for (const id of ["usable", "not-usable", "previous", "next"]) element(id).disabled = chosen === null;
}

function mark(kind) {
  if (chosen === null) return;
  marks.give(chosen, kind);
  showMark();
  drawTable();
}
