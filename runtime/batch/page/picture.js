"use strict";
// The picture of the card: photograph and map, with zoom, a divider between them, opacity and a threshold. The map's
// tiles hold probabilities of 8 bits. The threshold is an SVG filter over them, since a page on a disk may show its
// pictures but not read their pixels.

const MOST_SCALE = 16;
const pane = element("picture");
const photograph = new Layer(element("photograph"), "photograph");
const map = new Layer(element("map"), "map");
const picture = { image: null, levels: [], scale: 1, x: 0, y: 0, fitted: true };

function showPicture(image) {
  photograph.clear();
  map.clear();
  picture.image = image;
  const pictures = image === null ? 0 : images.pictures[image];
  pane.dataset.pictures = pictures;
  element("no-picture").hidden = pictures > 0;
  element("no-picture").textContent = image === null ? "No image is chosen."
    : "There are no pictures of this image.";
  element("controls").disabled = pictures < 2;
  picture.levels = [];
  if (image !== null) setThreshold(images.level[image]);
  if (!pictures) return;
  picture.levels = levelsOf(images.width[image], images.height[image]);
  fit();
}

function showMissing() {
  element("no-picture").hidden = false;
  element("no-picture").textContent =
    "Pictures of this image are missing: the folder report/ must lie beside this page. The command that wrote them "
    + "writes them again.";
}

const leastScale = () => Math.min(fittingScale(), 1) / 2;
const fittingScale = () => Math.min(
  pane.clientWidth / picture.levels[0].width, pane.clientHeight / picture.levels[0].height);

function fit() {
  if (!picture.levels.length) return;
  picture.scale = Math.min(MOST_SCALE, fittingScale());
  picture.fitted = true;
  const [{ width, height }] = picture.levels;
  moveTo((pane.clientWidth - width * picture.scale) / 2, (pane.clientHeight - height * picture.scale) / 2);
}

// Zoom so that the point of the image under (atX, atY) of the pane stays there.
function zoomTo(scale, atX = pane.clientWidth / 2, atY = pane.clientHeight / 2) {
  if (!picture.levels.length) return;
  const next = Math.min(MOST_SCALE, Math.max(leastScale(), scale));
  const x = atX - (atX - picture.x) * next / picture.scale;
  const y = atY - (atY - picture.y) * next / picture.scale;
  picture.scale = next;
  picture.fitted = false;
  moveTo(x, y);
}

// Put the image's corner there; its middle part stays in the pane.
function moveTo(x, y) {
  const [{ width, height }] = picture.levels;
  const within = (value, size, room) => Math.min(room / 2, Math.max(room / 2 - size, value));
  picture.x = within(x, width * picture.scale, pane.clientWidth);
  picture.y = within(y, height * picture.scale, pane.clientHeight);
  drawPicture();
}

function drawPicture() {
  const grain = window.devicePixelRatio || 1;
  const { left, top } = pane.getBoundingClientRect();
  const halvings = Math.floor(Math.log2(1 / (picture.scale * grain)) + 1e-6);
  const view = {
    image: picture.image, levels: picture.levels, scale: picture.scale, x: picture.x, y: picture.y,
    level: Math.min(picture.levels.length - 1, Math.max(0, halvings)),
    width: pane.clientWidth, height: pane.clientHeight, originX: left, originY: top, grain,
  };
  pane.dataset.grid = picture.scale * grain >= 2;  // single pixels can be told apart
  photograph.update(view);
  if (images.pictures[picture.image] > 1) map.update(view);
  element("zoom-value").textContent = `${Math.round(picture.scale * 100)} %`;
}

// Show pixels of at least this 8-bit level as vessel. The filters stretch the half level around it to all or nothing:
// alpha (or grey) is 510 p - (2 level - 1.5), which is at least 1 at the level and at most 0 one below.
function setThreshold(level) {
  const offset = 1.5 - 2 * level;
  const [red, green, blue] = report.vesselColor.map((part) => part / 255);
  const [nothing, step] = ["0 0 0 0", `510 0 0 0 ${offset}`];
  element("vessels-matrix").setAttribute(
    "values", `${nothing} ${red} ${nothing} ${green} ${nothing} ${blue} ${step}`);
  element("plain-matrix").setAttribute("values", `${step} ${step} ${step} ${nothing} 1`);
  element("threshold").value = level;
  const own = level === images.level[picture.image], threshold = images.threshold[picture.image];
  const whose = threshold ? `${inDigits(Number(threshold))}, the map's` : "";  // none without a map
  const value = own ? whose : (level / 255).toFixed(3);
  element("threshold-value").textContent = value;
  element("threshold").setAttribute("aria-valuetext", value);
  element("threshold-note").textContent = own ? ""
    : `The numbers and the map on the disk are those of the map's threshold, ${threshold}.`;
}

// On paper the pane has a size that fits any sheet; what is in it is laid for that before the sheet is.
function layPictureForPrint(begins) {
  Object.assign(pane.style, begins ? { width: "680px", height: "510px" } : { width: "", height: "" });
  layAgain();
}

// Lay the picture for another size of the pane.
function layAgain() {
  if (!picture.levels.length) return;
  if (picture.fitted) fit();
  else moveTo(picture.x, picture.y);
}

function setDivider(percent) {
  pane.style.setProperty("--divide", `${percent}%`);
  element("divide").value = percent;
}

function setLook(look) {
  pane.dataset.look = look;
  element("look").value = look;
}

function setOpacity(percent) {
  pane.style.setProperty("--opacity", percent / 100);
  element("opacity").value = percent;
}

// Pointers on the pane: one moves the image or the divider, two zoom.
const pointers = new Map();
let holdsDivider = false;

function placeOf(event) {
  const box = pane.getBoundingClientRect();
  return { x: event.clientX - box.left - pane.clientLeft, y: event.clientY - box.top - pane.clientTop };
}

function pointerMoved(event) {
  if (!pointers.has(event.pointerId)) return;
  const [before, now] = [pointers.get(event.pointerId), placeOf(event)];
  pointers.set(event.pointerId, now);
  if (holdsDivider) {
    setDivider(Math.min(100, Math.max(0, (now.x / pane.clientWidth) * 100)));
  } else if (pointers.size === 1) {
    picture.fitted = false;
    moveTo(picture.x + now.x - before.x, picture.y + now.y - before.y);
  } else {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const apart = (a, b) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
    zoomTo(picture.scale * apart(now, other) / apart(before, other), (now.x + other.x) / 2, (now.y + other.y) / 2);
  }
}

function watchPicture() {
  pane.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !picture.levels.length) return;
    holdsDivider = element("divider").contains(event.target);
    pointers.set(event.pointerId, placeOf(event));
    pane.setPointerCapture(event.pointerId);
  });
  pane.addEventListener("pointermove", pointerMoved);
  for (const end of ["pointerup", "pointercancel"]) {
    pane.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  pane.addEventListener("wheel", (event) => {
    if (!picture.levels.length) return;
    event.preventDefault();
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
    const { x, y } = placeOf(event);
    zoomTo(picture.scale * Math.exp(-pixels / 400), x, y);
  }, { passive: false });
  pane.addEventListener("dblclick", fit);
  new ResizeObserver(layAgain).observe(pane);
  element("divide").addEventListener("input", (event) => setDivider(event.target.value));
  element("opacity").addEventListener("input", (event) => setOpacity(event.target.value));
  element("threshold").addEventListener("input", (event) => setThreshold(Number(event.target.value)));
  element("look").addEventListener("change", (event) => setLook(event.target.value));
  element("own-threshold").addEventListener("click", () => setThreshold(images.level[picture.image]));
  element("zoom-in").addEventListener("click", () => zoomTo(picture.scale * 1.5));
  element("zoom-out").addEventListener("click", () => zoomTo(picture.scale / 1.5));
  element("zoom-fit").addEventListener("click", fit);
  element("zoom-full").addEventListener("click", () => zoomTo(1));
  setDivider(50);
  setOpacity(80);
  setLook("vessels");
}
