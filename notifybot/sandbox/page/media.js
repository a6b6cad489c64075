// Photos, albums and documents as in Telegram, loaded from /sandbox/files/<file_unique_id>.

import { h, icon, pressable } from "./nodes.js";

const WIDEST = 430;
const HIGHEST = 430;
const NARROWEST = 150;         // narrower photos have no room for the time
const SHOWN_TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"]);
// Photos in each row of an album, by number of photos.
const ROWS = { 1: [1], 2: [2], 3: [1, 2], 4: [1, 3], 5: [2, 3], 6: [3, 3], 7: [2, 2, 3], 8: [2, 3, 3], 9: [3, 3, 3], 10: [2, 2, 3, 3] };

const addressOf = (file) => `/sandbox/files/${encodeURIComponent(file.file_unique_id)}`;
const largest = (message) => message.photo.at(-1);
const between = (least, value, most) => Math.min(most, Math.max(least, value));

export const hasPhoto = (message) => Boolean(message.photo);
export const hasMedia = (message) => Boolean(message.photo || message.document);

export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, scale] = bytes < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  return `${(bytes / scale).toFixed(1).replace(/\.0$/, "")} ${unit}`;
}

// One photo, or a grid of several; `open(message)` shows one full size.
export function photos(messages, open) {
  if (messages.length === 1) return single(messages[0], open);
  const grid = h("div.grid");
  let place = 0;
  for (const count of ROWS[messages.length] ?? [messages.length]) {
    grid.append(gridRow(messages.slice(place, place + count), open));
    place += count;
  }
  return grid;
}

// Width of a photo's bubble: the whole photo if it fits.
export function widthOf(messages) {
  if (messages.length > 1) return WIDEST;
  const { width, height } = largest(messages[0]);
  return Math.round(between(NARROWEST, Math.min(1, WIDEST / width, HIGHEST / height) * width, WIDEST));
}

function single(message, open) {
  const node = photo(message, open);
  const { width, height } = largest(message);
  const shownWidth = widthOf([message]);
  node.style.aspectRatio = `${shownWidth} / ${Math.round(between(90, height / width * shownWidth, HIGHEST))}`;
  return node;
}

function gridRow(messages, open) {
  const ratios = messages.map((message) => between(.66, largest(message).width / largest(message).height, 1.7));
  const isAlone = messages.length === 1;
  const nodes = messages.map((message, i) => {
    const node = photo(message, open);
    node.style.flexGrow = String(ratios[i]);
    return node;
  });
  const row = h("div.grid-row", {}, ...nodes);
  row.style.aspectRatio = String(between(isAlone ? 1.4 : 1.2, ratios.reduce((sum, ratio) => sum + ratio), 3.4));
  return row;
}

function photo(message, open) {
  const { width, height } = largest(message);
  const picture = h("img", { src: addressOf(largest(message)), width, height, alt: message.caption ?? "Photo", loading: "lazy", decoding: "async" });
  const node = pressable("button.photo", () => (node.classList.contains("hidden") ? node.classList.remove("hidden") : open(message)), picture);
  node.setAttribute("aria-label", "Show the photo");
  if (message.has_media_spoiler) {
    node.classList.add("hidden");
    node.setAttribute("aria-label", "Hidden photo: show it");
    node.addEventListener("click", () => node.setAttribute("aria-label", "Show the photo"), { once: true });
  }
  return node;
}

// A document with icon, name and size; a click downloads it.
export function file(message) {
  const { document: sent } = message;
  const name = sent.file_name ?? "File";
  const extension = name.includes(".") ? name.split(".").at(-1).slice(0, 4).toLowerCase() : "";
  const face = SHOWN_TYPES.has(sent.mime_type)
    ? h("img.thumb", { src: addressOf(sent), alt: "", loading: "lazy" })
    : h("span.sheet", { "data-extension": extension, "aria-hidden": "true" }, icon("file"), h("b", {}, extension));
  const about = h("span.about", {}, h("span.file-name", {}, ...shortened(name)), h("small", {}, sizeText(sent.file_size)));
  const look = { href: addressOf(sent), download: name, title: `Download ${name}` };
  return h("a.file", look, face, about, icon("download"));
}

// Shorten a long name in the middle, so that its end stays visible.
function shortened(name) {
  const tail = name.length > 24 ? name.slice(-10) : "";
  return [h("span", {}, tail ? name.slice(0, -10) : name), tail ? h("span.tail", {}, tail) : null];
}

// Show a photo over the whole page, until a click or Escape.
export function viewer(dialog, message) {
  const close = pressable("button.icon", () => dialog.close(), icon("close"));
  close.setAttribute("aria-label", "Close the photo");
  const picture = h("img", { src: addressOf(largest(message)), alt: message.caption ?? "Photo" });
  dialog.replaceChildren(close, picture, message.caption ? h("p", {}, message.caption) : "");
  dialog.onclick = (event) => { if (event.target !== picture) dialog.close(); };
  dialog.showModal();
}
