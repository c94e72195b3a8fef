"use strict";
// The page comes to life: controls are wired, keys work, the first image is chosen.

const KEYS = [
  ["j", "next image", () => step(1), "ArrowDown"],
  ["k", "previous image", () => step(-1), "ArrowUp"],
  ["PageDown", "ten images on", () => step(10)],
  ["PageUp", "ten images back", () => step(-10)],
  ["Home", "first image", () => chooseAt(0)],
  ["End", "last image", () => chooseAt(imageCount)],
  ["u", "usable (again: no mark)", () => mark("usable")],
  ["n", "not usable (again: no mark)", () => mark("not usable")],
  ["]", "raise the threshold", () => moveThreshold(1)],
  ["[", "lower the threshold", () => moveThreshold(-1)],
  ["\\", "threshold of the map", () => element("own-threshold").click()],
  ["m", "hide or show the map", () => setOpacity(Number(element("opacity").value) ? 0 : 80)],
  ["d", "divider to the left, the middle, the right", () => setDivider({ 0: 50, 50: 100 }[element("divide").value] ?? 0)],
  ["l", "another look of the map", () => nextLook()],
  ["+", "zoom in", () => zoomTo(picture.scale * 1.5), "="],
  ["-", "zoom out", () => zoomTo(picture.scale / 1.5)],
  ["0", "fit the picture", () => element("zoom-fit").click()],
  ["1", "a pixel of the image on a pixel of the screen", () => element("zoom-full").click()],
  ["/", "search for a name", () => element("filter-text").focus()],
  ["?", "this list", () => element("keys").showModal()],
];
const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const byKey = new Map(KEYS.flatMap(([key, , act, other]) => [[key, act], [other, act]]));

function moveThreshold(by) {
  if (!element("controls").disabled) {
    setThreshold(Math.min(255, Math.max(1, Number(element("threshold").value) + by)));
  }
}

function nextLook() {
  const looks = [...element("look").options].map((option) => option.value);
  setLook(looks[(looks.indexOf(pane.dataset.look) + 1) % looks.length]);
}

function keyPressed(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || !element("keys-on").checked) return;
  if (element("keys").open || target.matches("select, input:not([type=range], [type=checkbox])")) return;
  const isKeyOfItsOwn = target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(key);
  if (isKeyOfItsOwn) return;
  if (MOVES[key] && (event.shiftKey || target === pane)) {
    if (picture.levels.length) moveTo(picture.x + 60 * MOVES[key][0], picture.y + 60 * MOVES[key][1]);
  } else if (byKey.has(key)) {
    byKey.get(key)();
  } else {
    return;
  }
  event.preventDefault();
}

function fillKeys() {
  const rows = [...KEYS, ["Shift + arrows", "move the picture"]];
  element("keys-list").append(...rows.map(([key, meaning, , other]) => make("tr", {},
    make("th", { scope: "row" }, make("kbd", {}, key), ...(other ? [" or ", make("kbd", {}, other)] : [])),
    make("td", {}, meaning))));
}

function start() {
  element("written").textContent = `Written ${new Date(report.written).toLocaleString()}`;
  marks.read();
  fillFilters();
  fillColumns();
  fillKeys();
  watchPicture();
  watchTable();
  layTable();
  layHistograms();
  list();
  choose(imageCount ? 0 : null);
  element("previous").addEventListener("click", () => step(-1));
  element("next").addEventListener("click", () => step(1));
  element("usable").addEventListener("click", () => mark("usable"));
  element("not-usable").addEventListener("click", () => mark("not usable"));
  element("export").addEventListener("click", () => marks.export());
  element("help").addEventListener("click", () => element("keys").showModal());
  document.addEventListener("keydown", keyPressed);
  window.addEventListener("storage", () => { marks.read(); showMark(); list(); });
}

start();
