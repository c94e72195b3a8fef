"use strict";
// What the page knows of the images: columns with an item for each, as `html.py` writes them. All text in them is
// hostile; it reaches the page by `textContent` alone.

const report = JSON.parse(document.getElementById("data").textContent);
const images = report.images;
const imageCount = images.name.length;

const element = (id) => document.getElementById(id);

// Make an element: attributes by name, then children (text or elements).
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// Text as it can be seen: characters that hide, turn around or break text become their numbers, bytes of names that
// are no text become \xff.
function visible(text) {
  // The two joiners of some scripts stay: they neither turn nor hide text.
  return text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (character) => {
    const code = character.codePointAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

const named = images.name.map(visible);

// A column's name in words: "length_pixels" -> "Length pixels", "roi_share" -> "ROI share".
function inWords(name) {
  const words = name.replaceAll("_", " ").trim().replace(/^roi\b/, "ROI");
  return visible(words.charAt(0).toUpperCase() + words.slice(1));
}

// A number in three or four digits; a whole one, and one of 1000 or more, in all digits before the point.
function inDigits(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size >= 1e7 || (size !== 0 && size < 0.001)) return value.toExponential(2);
  if (Number.isInteger(value) || size >= 1000) return String(Math.round(value));
  return value.toPrecision(size < 1 ? 3 : 4);
}

function codesOf(image) {
  return images.warnings[image] ? images.warnings[image].split(" ") : [];
}

const runOf = (image) => report.runs[images.run[image]];

// The columns that can be sorted, filtered and drawn, those of run.csv first. Some are shown at the start.
const SHOWN_AT_FIRST = ["confidence", "vessel_density"];
const MEASURES_SHOWN_AT_FIRST = 4;
const columns = Object.entries(report.numbers).map(([name, values], place) => ({
  name,
  values,
  label: inWords(name),
  shown: place < report.ownNumbers ? SHOWN_AT_FIRST.includes(name)
    : place < report.ownNumbers + MEASURES_SHOWN_AT_FIRST,
}));
