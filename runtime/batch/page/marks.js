"use strict";
// Marks that a person gives images. They are kept in this browser, one entry each, so that two windows with the same
// page do not undo each other's, and leave it as a CSV file. A mark is for a map: when the image is segmented again
// with another result, it is said to be of an earlier map.

const marks = {
  given: new Map(),  // by image: {mark, at, map}
  kept: true,
  prefix: `retina-run/${report.number}/`,

  read() {
    const places = new Map(images.digits.map((digits, image) => [digits, image]));
    this.given.clear();
    try {
      for (let place = 0; place < localStorage.length; place++) {
        const key = localStorage.key(place);
        const image = key.startsWith(this.prefix) ? places.get(key.slice(this.prefix.length)) : undefined;
        if (image !== undefined) this.take(image, localStorage.getItem(key));
      }
    } catch {
      this.notKept();
    }
  },

  take(image, text) {
    let mark = null;
    try {
      mark = JSON.parse(text);
    } catch {
      return;  // not ours
    }
    if (mark && ["usable", "not usable"].includes(mark.mark)) {
      this.given.set(image, { mark: mark.mark, at: String(mark.at), map: String(mark.map) });
    }
  },

  // Mark an image "usable" or "not usable", or take its mark away by giving it again or null.
  give(image, mark) {
    if (mark === null || (this.isOfThisMap(image) && this.given.get(image).mark === mark)) {
      this.given.delete(image);
    } else {
      this.given.set(image, { mark, at: new Date().toISOString(), map: images.map[image] });
    }
    try {
      const key = this.prefix + images.digits[image];
      if (this.given.has(image)) localStorage.setItem(key, JSON.stringify(this.given.get(image)));
      else localStorage.removeItem(key);
    } catch {
      this.notKept();
    }
  },

  notKept() {
    this.kept = false;
    say("This browser keeps no marks for this page: export them before you close it.");
  },

  isOfThisMap(image) {
    return this.given.has(image) && this.given.get(image).map === images.map[image];
  },

  // "usable", "not usable", "earlier" for a mark of an earlier map, or "none".
  kindOf(image) {
    if (!this.given.has(image)) return "none";
    return this.isOfThisMap(image) ? this.given.get(image).mark : "earlier";
  },

  // What a table says.
  textOf(image) {
    if (!this.given.has(image)) return "";
    return this.isOfThisMap(image) ? this.given.get(image).mark : `${this.given.get(image).mark}, earlier map`;
  },

  csv() {
    const lines = [[report.hidden ? "name" : "path", "mark", "marked_at", "of_this_map"]];
    for (let image = 0; image < imageCount; image++) {
      const mark = this.given.get(image);
      const rest = mark ? [mark.mark, mark.at, this.isOfThisMap(image) ? "yes" : "no"] : ["", "", ""];
      lines.push([pathCell(images.name[image]), ...rest]);
    }
    return lines.map((cells) => `${cells.map(csvCell).join(",")}\n`).join("");
  },

  export() {
    const link = make("a", { download: "marks.csv", href: URL.createObjectURL(new Blob([this.csv()])) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  },
};

// As in run.csv, so that the files can be joined; a spreadsheet must not read a name as a formula.
const pathCell = (name) => (/^[=+\-@\t\r]/.test(name) ? `./${name}` : name);
const csvCell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

// Say something above all else.
function say(text) {
  element("notice").textContent = text;
  element("notice").hidden = !text;
}
