// Turn text and Telegram's entities into nodes. Offsets and lengths count UTF-16 units, as in JavaScript; entities may nest.

import { h, icon, linkTo, pressable, safeLink } from "./nodes.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", text_mention: "span.mention" };
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);
// In Telegram, hashtags and the like start a search; here they do nothing.
const TINTED = new Set(["hashtag", "cashtag", "bank_card"]);

// `acts` has the actions of words: `say(text)` sends a command, `copy(text, what)` fills the clipboard.
export function formatted(text, entities, acts) {
  const ended = entities.map((entity) => ({ ...entity, end: entity.offset + entity.length }));
  const sound = ended.filter((entity) => entity.length > 0 && entity.end <= text.length);
  sound.sort((a, b) => a.offset - b.offset || b.end - a.end);
  return nest(text, sound, 0, text.length, acts);
}

function nest(text, entities, start, end, acts) {
  const fragment = document.createDocumentFragment();
  let position = start;
  for (let i = 0; i < entities.length;) {
    const entity = entities[i];
    const after = entities.findIndex((other, place) => place > i && other.offset >= entity.end);
    const inner = entities.slice(i + 1, after < 0 ? entities.length : after);
    for (const child of inner) child.end = Math.min(child.end, entity.end);
    const children = nest(text, inner, entity.offset, entity.end, acts);
    fragment.append(text.slice(position, entity.offset), wrap(entity, text.slice(entity.offset, entity.end), children, acts));
    i += 1 + inner.length;
    position = entity.end;
    // A block ends its line: another line break would show as an empty line.
    if (BLOCKS.has(entity.type) && text[position] === "\n") position += 1;
  }
  fragment.append(text.slice(Math.min(position, end), end));
  return fragment;
}

function wrap(entity, words, children, acts) {
  switch (entity.type) {
    case "spoiler": return spoiler(children);
    case "code": return code(words, children, acts);
    case "pre": return block(entity, words, children, acts);
    case "blockquote": return h("blockquote", {}, children);
    case "expandable_blockquote": return folding(children);
    case "bot_command": return pressable("button.command", () => acts.say(words), children);
    case "date_time": return moment(entity, words, children);
    case "custom_emoji": return h("span.emoji", { title: "A custom emoji: Telegram shows a picture here" }, children);
  }
  const link = linkOf(entity, words);
  if (link) return h("a", linkTo(link), children);
  return h(TAGS[entity.type] ?? (TINTED.has(entity.type) ? "span.mention" : "span"), {}, children);
}

function spoiler(children) {
  const node = h("span.spoiler", { role: "button", tabindex: "0", "aria-label": "Hidden text: show it" }, children);
  const open = (event) => {
    if (node.classList.contains("open") || (event.key && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    node.classList.add("open");
    for (const name of ["role", "tabindex", "aria-label"]) node.removeAttribute(name);
  };
  node.addEventListener("click", open, { capture: true });
  node.addEventListener("keydown", open);
  return node;
}

// A click copies it, as in Telegram.
function code(words, children, acts) {
  return h("code", { title: "Copy", onclick: () => acts.copy(words, "Text") }, children);
}

function block(entity, words, children, acts) {
  const copying = pressable("button.copying", () => acts.copy(words, "Code"), icon("copy"));
  copying.setAttribute("aria-label", "Copy the code");
  const head = h("span.block-head", {}, h("span", {}, entity.language || "code"), copying);
  return h("span.block", {}, head, h("pre", { "data-language": entity.language || null }, h("code", {}, children)));
}

// A long quote starts folded; one that fits has no button.
function folding(children) {
  const quote = h("blockquote.folds", {}, h("span.folded", {}, children));
  const turn = () => {
    const isOpen = quote.classList.toggle("open");
    button.setAttribute("aria-expanded", String(isOpen));
    button.setAttribute("aria-label", isOpen ? "Fold the quote" : "Unfold the quote");
  };
  const button = pressable("button.fold", turn, icon("down"));
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", "Unfold the quote");
  quote.append(button);
  requestAnimationFrame(() => {
    const inside = quote.firstElementChild;
    if (inside.scrollHeight <= inside.clientHeight + 1) quote.classList.add("fits");
  });
  return quote;
}

function linkOf(entity, words) {
  if (entity.type === "text_link") return safeLink(entity.url);
  if (entity.type === "url") return safeLink(/^[a-z][a-z0-9+.-]*:/i.test(words) ? words : `https://${words}`);
  if (entity.type === "email") return safeLink(`mailto:${words}`);
  if (entity.type === "phone_number") return safeLink(`tel:${words.replace(/[^+\d]/g, "")}`);
  if (entity.type === "mention") return safeLink(`https://t.me/${words.slice(1)}`);
  return null;
}

// A point in time in the reader's zone, in the format that the bot chose, else the original words.
function moment(entity, words, children) {
  const date = new Date(entity.unix_time * 1000);
  const shown = entity.date_time_format ? momentText(date, entity.date_time_format) : children;
  return h("time.moment", { datetime: date.toISOString(), title: `${date.toLocaleString()} (${words})` }, shown);
}

function momentText(date, form) {
  if (form === "r") return relative(date);
  const has = (letter) => form.includes(letter);
  const day = has("D") ? { day: "numeric", month: "long", year: "numeric" } : has("d") ? { dateStyle: "short" } : null;
  const time = has("T") ? { timeStyle: "medium" } : has("t") ? { timeStyle: "short" } : null;
  const parts = [has("w") ? { weekday: "long" } : null, day, time].filter(Boolean);
  return parts.map((part) => date.toLocaleString("en-GB", part)).join(", ");
}

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const [unit, size] = [["day", 86_400], ["hour", 3600], ["minute", 60]].find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en").format(Math.round(seconds / size), unit);
}
