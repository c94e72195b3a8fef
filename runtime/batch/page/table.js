"use strict";
// The table: only the rows that can be seen are in the document, so that thousands of images take no more of it than
// a few; all of them are while it is printed.

const ROW_HEIGHT = 60;  // as in page.css
const MORE_ROWS = 6;  // above and below those that can be seen
const rowNodes = new Map();  // by image
const [above, below] = [0, 1].map(() => make("tr", { "aria-hidden": "true", class: "space" }, make("td")));
let printing = false;

const fixedHeads = [
  { name: "", label: "Picture" }, { name: "name", label: "Name" }, { name: "mark", label: "Mark" },
  { name: "status", label: "Status" }, { name: "warnings", label: "Warnings" },
];
const shownColumns = () => columns.filter((column) => column.shown);
const heads = () => [...fixedHeads, ...shownColumns()];

// Lay the header, and all rows anew.
function layTable() {
  element("heads").replaceChildren(...heads().map((head) => {
    const cell = make("th", { scope: "col", class: head.values ? "number" : `c-${head.name || "picture"}` });
    if (!head.name) {
      cell.append(make("span", { class: "unseen" }, head.label));
      return cell;
    }
    const button = make("button", { type: "button" }, head.label);
    button.addEventListener("click", () => sortBy(head.name));
    cell.append(button);
    cell.dataset.name = head.name;
    return cell;
  }));
  showOrder();
  rowNodes.clear();
  for (const space of [above, below]) space.firstChild.colSpan = heads().length;
  element("body").replaceChildren(above, below);
  drawTable();
}

// Sort up, then down, then as the images came.
function sortBy(name) {
  if (order.by !== name) Object.assign(order, { by: name, descending: false });
  else if (!order.descending) order.descending = true;
  else Object.assign(order, { by: "", descending: false });
  showOrder();
  element("rows").scrollTop = 0;
  list();
}

function showOrder() {
  for (const cell of element("heads").children) {
    if (order.by && cell.dataset.name === order.by) {
      cell.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    } else {
      cell.removeAttribute("aria-sort");
    }
  }
}

function rowOf(image) {
  let row = rowNodes.get(image);
  if (!row) {
    row = make("tr", {}, ...cellsOf(image));
    row.dataset.image = image;
    rowNodes.set(image, row);
  }
  row.querySelector(".c-mark").textContent = marks.textOf(image);
  if (image === chosen) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
  return row;
}

function cellsOf(image) {
  const status = report.statuses[images.status[image]];
  const picture = make("td", { class: "c-picture" });
  if (images.pictures[image]) {
    picture.append(make("img", {
      alt: "", loading: "lazy", decoding: "async", draggable: "false",
      src: `${report.pictures}/${images.digits[image]}/${report.thumbnail}?${images.map[image]}`,
    }));
  }
  return [
    picture,
    make("td", { class: "c-name" }, make("button", { type: "button", title: named[image] }, named[image])),
    make("td", { class: "c-mark" }),
    make("td", { class: "c-status" }, make("span", { class: `status ${status}` }, status)),
    warningsCell(codesOf(image).map(visible)),
    ...shownColumns().map((column) => make("td", { class: "number" }, inDigits(column.values[image]))),
  ];
}

// Two codes fit into a row. Of more, the first and the number of others are shown; the title has all.
function warningsCell(codes) {
  const text = codes.length > 2 ? `${codes[0]} +${codes.length - 1}` : codes.join(", ");
  return make("td", { class: "c-warnings", title: codes.join(", ") }, make("span", {}, text));
}

// Bring the rows that can be seen into the document, and those that cannot out of it.
function drawTable() {
  const room = element("rows");
  const first = printing ? 0 : Math.max(0, Math.floor(room.scrollTop / ROW_HEIGHT) - MORE_ROWS);
  const count = printing ? listed.length : Math.ceil(room.clientHeight / ROW_HEIGHT) + 2 * MORE_ROWS;
  const start = Math.max(0, Math.min(first, listed.length - count));
  const wanted = listed.slice(start, start + count);
  const kept = new Set(wanted);
  for (const [image, row] of rowNodes) {
    if (!kept.has(image)) {
      row.remove();
      rowNodes.delete(image);
    }
  }
  let last = above;
  wanted.forEach((image, place) => {
    const row = rowOf(image);
    row.setAttribute("aria-rowindex", start + place + 2);
    if (last.nextSibling !== row) last.after(row);
    last = row;
  });
  above.firstChild.style.height = `${start * ROW_HEIGHT}px`;
  below.firstChild.style.height = `${Math.max(0, listed.length - start - wanted.length) * ROW_HEIGHT}px`;
  above.hidden = start === 0;
  below.hidden = start + wanted.length >= listed.length;
  room.firstElementChild.setAttribute("aria-rowcount", listed.length + 1);
}

function scrollTo(image) {
  const place = listed.indexOf(image);
  if (place < 0) return;
  const room = element("rows");
  const head = element("heads").offsetHeight;
  const top = place * ROW_HEIGHT;
  if (top < room.scrollTop) room.scrollTop = top;
  else if (top + ROW_HEIGHT + head > room.scrollTop + room.clientHeight) {
    room.scrollTop = top + ROW_HEIGHT + head - room.clientHeight;
  }
  drawTable();
}

function watchTable() {
  const room = element("rows");
  let asked = false;
  room.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; drawTable(); });
  }, { passive: true });
  new ResizeObserver(drawTable).observe(room);
  element("body").addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-image]");
    if (row) choose(Number(row.dataset.image), false);
  });
  for (const [event, begins] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(event, () => {
      printing = begins;
      drawTable();
      layPictureForPrint(begins);
    });
  }
}
