// The sandbox's chat page: chats as in Telegram and, with the demo, the daemon's details of each message.
//
// Data comes from the sandbox's state and event stream (/sandbox/…), the daemon's API (/daemon/…, proxied by the demo) and the
// demo (/demo/…). When data changes, `draw` schedules a redraw, and `reconcile` updates only the nodes that differ. Messages are
// untrusted: text only ever becomes text nodes.

import { file, hasMedia, hasPhoto, photos, viewer, widthOf } from "./media.js";
import { h, icon, linkTo, pressable, safeLink, setText, svg } from "./nodes.js";
import { formatted } from "./words.js";

const WINDOW = 120;            // bubbles drawn at first
const WINDOW_MOST = 240;       // limit for bubbles in the page, however long the chat
const WINDOW_STEP = 60;
const GROUP_SECONDS = 300;     // a sender's messages within this time are grouped
const DAEMON_EVERY_MS = 1000;
const RECENT = 50;
const TIMELINE_LINES = 6;
const CALLS_KEPT = 40;
const ANSWER_WAIT_MS = 15_000;
const PLUG = { messages: 12, callers: 3, pullAfter: 6, downForS: 2.5, readMs: 1500, waitMs: 120_000 };
const HUES = [44, 24, 300, 130, 340, 205, 262, 172];
const RING = 2 * Math.PI * 16;

const at = (id) => document.getElementById(id);
const now = () => Date.now();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// --------------------------------------------------------------------------------------------------------- drawing

// Make the children of `parent` match `items`, in order; a node lives as long as its item's key.
function reconcile(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = old.get(key);
    if (node) old.delete(key);
    else (node = create(item)).dataset.key = key;
    update?.(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of old.values()) node.remove();
}

const asked = new Set();
function draw(...parts) {
  if (!asked.size) requestAnimationFrame(() => { const due = [...asked]; asked.clear(); due.forEach((part) => part()); });
  parts.forEach((part) => asked.add(part));
}

// ----------------------------------------------------------------------------------------------------------- requests

class Refused extends Error {
  constructor(status, body) {
    const lines = (body?.errors ?? []).map((error) => `${[].concat(error.loc).join(".")}: ${error.msg}`);
    super([body?.detail ?? body?.description ?? body?.error ?? `HTTP ${status}`, body?.hint, ...lines].filter(Boolean).join("\n"));
    this.status = status;
  }
}

async function ask(method, path, body) {
  const request = { method, signal: AbortSignal.timeout(20_000) };
  if (body !== undefined) Object.assign(request, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const response = await fetch(path, request);
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}
const get = (path) => ask("GET", path);
const post = (path, body = {}) => ask("POST", path, body);

async function attempt(work) {
  try { return await work(); } catch (error) { toast(error.message); return null; }
}

async function copy(text, what) {
  await attempt(async () => { await navigator.clipboard.writeText(text); toast(`${what} copied`); });
}

// -------------------------------------------------------------------------------------------------------------- time

const two = (n) => String(n).padStart(2, "0");
const hourMinute = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
const withSeconds = (date) => `${hourMinute(date)}:${two(date.getSeconds())}`;
const dayOf = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

function dayName(date) {
  if (dayOf(date) === dayOf(new Date())) return "Today";
  if (dayOf(date) === dayOf(new Date(now() - 86_400_000))) return "Yesterday";
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return date.toLocaleDateString("en", { day: "numeric", month: "long", ...year });
}

function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest.replace(/^0/, "");
}

function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

// ------------------------------------------------------------------------------------------- Telegram's state

const telegram = {
  bot: null,
  users: new Map(),          // id -> user
  chats: new Map(),          // id -> chat
  messages: new Map(),       // chat id -> messages in their order
  touched: new Map(),        // chat id -> rank of its newest message
  faults: [],
  commands: {},              // scope -> the bot's commands
  bans: [],                  // flood bans: {chat_id, until}
  calls: [],
  lastEvent: 0,
  rank: 0,
};

const view = {
  chatId: null,
  size: WINDOW,
  end: null,                 // null: follow the newest messages
  speakers: new Map(),       // chat id -> user id
  read: new Map(),           // chat id -> last message id that was seen
  waiting: new Map(),        // callback query id -> its button's key
  pressed: new Map(),        // button's key -> true until its query is answered
  answers: new Map(),        // answers that arrived before the response to the press
  sticks: true,              // keep the newest message in view
  flash: null,               // key of a bubble to highlight
};

const messageKey = (chatId, messageId) => `${chatId}:${messageId}`;
const messagesOf = (chatId) => telegram.messages.get(chatId) ?? [];
const titleOf = (chat) => chat.title ?? chat.first_name ?? telegram.users.get(chat.id)?.first_name ?? String(chat.id);
const isMine = (message) => Boolean(message.from) && !message.from.is_bot && message.from.id === speakerOf(message.chat.id);
const lastOf = (chatId) => messagesOf(chatId).at(-1);

async function loadSandbox() {
  const state = await get("/sandbox/state");
  telegram.bot = state.bot;
  telegram.users = new Map(state.users.map((user) => [user.id, user]));
  telegram.chats = new Map(state.chats.map((chat) => [chat.id, chat]));
  telegram.messages = new Map(Object.entries(state.messages).map(([id, messages]) => [Number(id), messages]));
  telegram.faults = state.faults;
  telegram.bans = state.bans ?? [];
  telegram.commands = state.commands ?? {};
  telegram.lastEvent = state.last_event ?? 0;
  for (const [id, messages] of telegram.messages) if (messages.length) touch(id, messages.at(-1));
  drawAll();
}

function touch(chatId, message) {
  telegram.touched.set(chatId, message.date * 1e6 + (telegram.rank = (telegram.rank + 1) % 1e6));
}

function follow() {
  const stream = new EventSource(`/sandbox/events?since=${telegram.lastEvent}`);
  for (const [kind, apply] of Object.entries(EVENTS)) {
    stream.addEventListener(kind, (event) => {
      telegram.lastEvent = Math.max(telegram.lastEvent, Number(event.lastEventId) || 0);
      apply(JSON.parse(event.data));
    });
  }
  stream.addEventListener("error", async () => {
    stream.close();
    at("cut").hidden = false;
    for (;;) {
      await pause(1000);
      try { await loadSandbox(); break; } catch { /* the sandbox is not back yet */ }
    }
    at("cut").hidden = true;
    follow();
  });
}

const EVENTS = {
  message: putMessage,
  edited: (message) => {
    if (message.chat.id === view.chatId) view.flash = messageKey(message.chat.id, message.message_id);
    putMessage(message);
  },
  deleted: ({ chat, chat_id = chat?.id, message_id }) => {
    telegram.messages.set(chat_id, messagesOf(chat_id).filter((message) => message.message_id !== message_id));
    draw(drawChats, drawBubbles);
  },
  answered: answered,
  chat: (chat) => { telegram.chats.set(chat.id, { ...telegram.chats.get(chat.id), ...chat }); drawAll(); },
  user: (user) => { telegram.users.set(user.id, { ...telegram.users.get(user.id), ...user }); drawAll(); },
  commands: (data) => { telegram.commands = data; },
  faults: (data) => {
    telegram.faults = data.faults;
    faultsSoon();
    draw(drawFaults);
  },
  call: (call) => {
    telegram.calls.push(call);
    telegram.calls.splice(0, telegram.calls.length - CALLS_KEPT);
    if (call.status !== 200) faultsSoon();
    draw(drawCalls);
  },
};

// Faults that struck, and bans from them, have no event of their own: reload them after failed calls.
let faultTimer = null;
function faultsSoon() {
  faultTimer ??= setTimeout(async () => {
    faultTimer = null;
    const state = await get("/sandbox/state").catch(() => null);
    if (state) Object.assign(telegram, { faults: state.faults, bans: state.bans ?? [] });
    draw(drawFaults);
  }, 300);
}

function putMessage(message) {
  const chatId = message.chat.id;
  if (!telegram.chats.has(chatId)) telegram.chats.set(chatId, { ...message.chat, member_ids: [] });
  const messages = [...messagesOf(chatId)];
  const place = messages.findLastIndex((other) => other.message_id <= message.message_id);
  if (messages[place]?.message_id === message.message_id) {
    messages[place] = message;
  } else {
    messages.splice(place + 1, 0, message);
    touch(chatId, message);
    if (view.chatId === null && chooseFirst.matches?.(chatId)) openChat(chatId);
  }
  telegram.messages.set(chatId, messages);
  draw(drawChats, drawComposer, drawBubbles);
  daemonSoon();
}

// ------------------------------------------------------------------------------------------------------------- chats

// All chats, and all people who have not written to the bot yet.
function chatRows() {
  const rows = [...telegram.chats.values()];
  for (const user of telegram.users.values()) {
    if (!telegram.chats.has(user.id) && !user.is_bot) rows.push({ id: user.id, type: "private", first_name: user.first_name, fresh: true });
  }
  const rank = (chat) => telegram.touched.get(chat.id) ?? (chat.fresh ? -1 : 0);
  return rows.filter((chat) => !chat.moved_to).sort((a, b) => rank(b) - rank(a) || titleOf(a).localeCompare(titleOf(b)));
}

const chatById = (id) => telegram.chats.get(id) ?? chatRows().find((chat) => chat.id === id);

function avatar(name, kind) {
  const known = { channel: "channel", bot: "bell" };
  const letters = [...name.trim()].slice(0, 1).join("").toUpperCase() || "?";
  const node = h(kind === "bot" ? "span.avatar.bot" : "span.avatar", { "aria-hidden": "true" }, known[kind] ? icon(known[kind]) : letters);
  node.style.setProperty("--hue", hueOf(name));
  return node;
}

const hueOf = (name) => HUES[[...name].reduce((sum, letter) => sum * 23 + letter.codePointAt(0), 4) % HUES.length];
const chatAvatar = (chat) => avatar(titleOf(chat), chat.type === "private" ? "person" : chat.type);

function preview(message) {
  if (!message) return "";
  const spoken = message.media_group_id ? messagesOf(message.chat.id).findLast((one) => sameAlbum(one, message) && one.caption) : null;
  const text = (message.text ?? (spoken ?? message).caption ?? "").replace(/\s+/g, " ").slice(0, 160);
  return text || serviceText(message) || attachmentName(message) || "Message";
}

function unreadOf(chat) {
  const read = view.read.get(chat.id) ?? 0;
  const messages = messagesOf(chat.id);
  const fresh = messages.slice(messages.findLastIndex((message) => message.message_id <= read) + 1);
  return fresh.filter((message) => !message.from || message.from.is_bot).length;
}

function drawChats() {
  reconcile(at("chat-list"), chatRows(), (chat) => chat.id, makeChat, updateChat);
  const all = chatRows().reduce((sum, chat) => sum + (chat.id === view.chatId ? 0 : unreadOf(chat)), 0);
  document.title = all ? `(${all}) notifybot sandbox` : "notifybot sandbox";
}

function makeChat(chat) {
  const name = h("span.chat-name", {}, h("span"), chat.type === "private" ? null : icon(chat.type === "channel" ? "channel" : "group"));
  const rest = [h("time.chat-time"), h("span.chat-last"), h("span.unread")];
  return h("li", {}, pressable("button.chat", () => openChat(chat.id, true), chatAvatar(chat), name, ...rest));
}

function updateChat(row, chat) {
  const last = lastOf(chat.id);
  const unread = unreadOf(chat);
  const button = row.firstElementChild;
  button.setAttribute("aria-current", String(chat.id === view.chatId));
  setText(row.querySelector(".chat-name span"), titleOf(chat));
  setText(row.querySelector("time"), last ? hourMinute(new Date(last.date * 1000)) : "");
  const badge = row.querySelector(".unread");
  badge.hidden = !unread || (chat.id === view.chatId && !document.hidden);
  setText(badge, String(unread));
  badge.setAttribute("aria-label", `${unread} unread`);
  const who = last?.from && !last.from.is_bot ? (chat.type === "private" ? "You: " : `${last.from.first_name}: `) : "";
  const none = chat.fresh ? "Has not started the bot yet" : "No messages yet";
  row.querySelector(".chat-last").replaceChildren(...(who ? [h("b", {}, who)] : []), last ? preview(last) : none);
}

// Phones start with the list; elsewhere the latest chat is open.
function chooseFirst() {
  const wanted = Number(location.hash.slice(1));
  if (wanted && chatById(wanted)) return openChat(wanted);
  if (matchMedia("(max-width: 719px)").matches) return null;
  const rows = chatRows().filter((chat) => chat.type === "private" && messagesOf(chat.id).length);
  const first = rows.find((chat) => lastOf(chat.id).reply_markup) ?? rows[0] ?? chatRows()[0];
  return first ? openChat(first.id) : null;
}
chooseFirst.matches = (chatId) => !matchMedia("(max-width: 719px)").matches && telegram.chats.get(chatId)?.type === "private";

function openChat(id, byHand = false) {
  Object.assign(view, { chatId: id, size: WINDOW, end: null, sticks: true });
  at("bubbles").replaceChildren();
  at("toast").classList.remove("on");
  if (byHand || matchMedia("(max-width: 719px)").matches) document.body.dataset.view = "chat";
  else if (document.body.dataset.view === "list") document.body.dataset.view = "chat";
  history.replaceState(null, "", `#${id}`);
  markRead();
  drawAll();
  if (byHand && matchMedia("(hover: hover)").matches) at("say").focus();
}

function markRead() {
  const last = view.chatId === null ? null : lastOf(view.chatId);
  if (!last || document.hidden || document.body.dataset.view === "list" && matchMedia("(max-width: 719px)").matches) return;
  view.read.set(view.chatId, last.message_id);
  keep("read", Object.fromEntries(view.read));
}

function drawHead() {
  const chat = view.chatId === null ? null : chatById(view.chatId);
  at("talk-avatar").replaceChildren(...(chat ? [chatAvatar(chat)] : []));
  setText(at("talk-title"), chat ? titleOf(chat) : "Choose a chat");
  if (!chat) return setText(at("talk-sub"), "");
  const members = (chat.member_ids ?? []).length;
  const alone = isBlocked(chat.id) ? "has blocked the bot" : "private chat with the bot";
  const kinds = { private: alone, channel: `channel, ${members} readers` };
  return setText(at("talk-sub"), `${kinds[chat.type] ?? `group, ${members} people`} · chat id ${chat.id}`);
}

// ----------------------------------------------------------------------------------------------------------- bubbles

function drawBubbles() {
  const scroll = at("scroll");
  const messages = view.chatId === null ? [] : messagesOf(view.chatId);
  const end = view.end ?? messages.length;
  const start = Math.max(0, end - view.size);
  const sticks = view.end === null && view.sticks;
  const anchor = sticks ? null : anchorOf(scroll);
  const isFirst = !at("bubbles").childElementCount;
  reconcile(at("bubbles"), rowsOf(messages.slice(start, end)), (row) => row.key, (row) => makeRow(row, !isFirst), updateRow);
  if (sticks || isFirst) toBottom();
  else if (anchor) scroll.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
  if (sticks) markRead();
  drawNewer();
}

function toBottom() {
  at("scroll").scrollTop = at("scroll").scrollHeight;
  view.sticks = view.end === null;
}

function anchorOf(scroll) {
  const edge = scroll.getBoundingClientRect().top;
  const node = [...at("bubbles").children].find((child) => child.classList.contains("msg") && child.getBoundingClientRect().bottom > edge);
  return node ? { node, top: node.getBoundingClientRect().top } : null;
}

function drawNewer() {
  const scroll = at("scroll");
  const isAway = view.end !== null || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight > 160;
  const unread = view.chatId === null ? 0 : unreadOf(chatById(view.chatId) ?? { id: 0 });
  at("newer").hidden = !isAway;
  setText(at("newer-count"), unread ? String(unread) : "");
}

function onScroll() {
  const scroll = at("scroll");
  view.sticks = view.end === null && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const total = messagesOf(view.chatId).length;
  const start = Math.max(0, (view.end ?? total) - view.size);
  if (scroll.scrollTop < 160 && start > 0) {
    view.size = Math.min(view.size + WINDOW_STEP, WINDOW_MOST);
    if (view.size === WINDOW_MOST) view.end = Math.min(total, Math.max(view.size, start - WINDOW_STEP + view.size));
    drawBubbles();
  } else if (view.end !== null && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 160) {
    view.end = view.end + WINDOW_STEP >= total ? null : view.end + WINDOW_STEP;
    drawBubbles();
  }
  if (view.sticks) { markRead(); draw(drawChats); }
  drawNewer();
}

function toNewest() {
  Object.assign(view, { end: null, size: WINDOW });
  at("bubbles").replaceChildren();
  drawBubbles();
}

function showBubble(chatId, messageId) {
  if (view.chatId !== chatId) openChat(chatId, true);
  document.body.dataset.view = "chat";
  const messages = messagesOf(chatId);
  const place = messages.findIndex((message) => message.message_id === messageId);
  if (place < 0) return;
  const start = (view.end ?? messages.length) - view.size;
  if (place < start) Object.assign(view, { end: Math.min(messages.length, place + WINDOW / 2), size: WINDOW });
  Object.assign(view, { sticks: false, flash: messageKey(chatId, messageId) });
  drawBubbles();
  const isIt = (node) => node.album?.some((message) => message.message_id === messageId);
  [...at("bubbles").children].find(isIt)?.scrollIntoView({ block: "center" });
}

// Rows of a conversation: days, service lines, and bubbles with their position in the sender's group.
function rowsOf(messages) {
  const rows = [];
  let day = null;
  messages.forEach((message, i) => {
    const date = new Date(message.date * 1000);
    if (dayOf(date) !== day) rows.push({ key: `d${(day = dayOf(date))}`, day: dayName(date) });
    const service = serviceText(message);
    const key = `m${messageKey(message.chat.id, message.message_id)}`;
    if (service) return rows.push({ key, service });
    if (sameAlbum(messages[i - 1], message)) return rows.at(-1).album.push(message);
    const end = messages.findIndex((other, place) => place > i && !sameAlbum(message, other));
    const after = end < 0 ? undefined : messages[end];
    const album = [message];
    return rows.push({ key, message, album, follows: together(messages[i - 1], message), last: !together(message, after) });
  });
  return rows;
}

const sameAlbum = (one, other) => Boolean(one?.media_group_id) && one.media_group_id === other?.media_group_id;

function together(one, other) {
  if (!one || !other || serviceText(one) || serviceText(other)) return false;
  const sender = (message) => message.from?.id ?? message.sender_chat?.id;
  const day = (message) => dayOf(new Date(message.date * 1000));
  return sender(one) === sender(other) && other.date - one.date < GROUP_SECONDS && day(one) === day(other);
}

function serviceText(message) {
  const who = message.from?.first_name ?? "Somebody";
  const names = (users) => users.map((user) => user.first_name).join(", ");
  if (message.new_chat_members) return `${names(message.new_chat_members)} joined`;
  if (message.left_chat_member) return `${message.left_chat_member.first_name} left`;
  if (message.migrate_to_chat_id) return `The group became a supergroup: ${message.migrate_to_chat_id}`;
  if (message.migrate_from_chat_id) return `This supergroup was a group: ${message.migrate_from_chat_id}`;
  if (message.group_chat_created || message.supergroup_chat_created || message.channel_chat_created) return "The chat was created";
  if (message.new_chat_title) return `${who} renamed the chat: ${message.new_chat_title}`;
  if (message.pinned_message) return `${who} pinned a message`;
  if (message.forum_topic_created) return `Topic: ${message.forum_topic_created.name}`;
  if (message.forum_topic_closed) return `${who} closed the topic`;
  if (message.forum_topic_reopened) return `${who} reopened the topic`;
  return null;
}

function attachmentName(message) {
  if (message.photo) return "Photo";
  if (message.document) return message.document.file_name ?? "File";
  return ["video", "audio", "voice", "animation", "sticker", "location", "contact"].find((kind) => message[kind]) ?? null;
}

function makeRow(row, arrives) {
  if (row.day) return h("li.day", {}, row.day);
  if (row.service) return h("li.service", {}, row.service);
  const node = h("li.msg");
  node.classList.toggle("arrives", arrives && view.end === null);
  return node;
}

function updateRow(node, row) {
  if (!row.message) return;
  const { message } = row;
  const key = messageKey(message.chat.id, message.message_id);
  const mine = isMine(message);
  const many = message.chat.type === "group" || message.chat.type === "supergroup";
  const shape = [row.follows, row.last, mine, many].join();
  const isSame = node.shape === shape && row.album.length === node.album?.length && row.album.every((one, i) => one === node.album[i]);
  if (!isSame) {
    fillBubble(node, message, { ...row, mine, many });
    Object.assign(node, { album: row.album, shape });
  }
  const kinds = { follows: row.follows, last: row.last, mine, many, keyed: Boolean(message.reply_markup?.inline_keyboard?.length) };
  kinds.known = daemon.index.has(key);
  kinds.chosen = kinds.known && daemon.index.get(key) === daemon.chosen;
  for (const [name, is] of Object.entries(kinds)) node.classList.toggle(name, is);
  for (const button of node.querySelectorAll(".key[data-press]")) button.classList.toggle("waits", view.pressed.has(button.dataset.press));
  if (row.album.some((one) => view.flash === messageKey(one.chat.id, one.message_id))) flash(node);
}

function flash(node) {
  view.flash = null;
  node.classList.remove("flash", "arrives");
  void node.offsetWidth;   // without a reflow, a second edit would not restart the animation
  node.classList.add("flash");
  setTimeout(() => node.classList.remove("flash"), 1900);
}

function fillBubble(node, message, { follows, last, mine, many, album }) {
  const sender = message.from ?? message.sender_chat ?? message.chat;
  const name = sender.first_name ?? sender.title;
  const head = !mine && !follows && (many || message.chat.type === "channel") ? h("span.who", {}, name) : null;
  const face = many && !mine && last ? avatar(name, message.from?.is_bot ? "bot" : "person") : null;
  const isPictured = hasPhoto(message);
  const meta = metaOf(album);
  const shown = contentOf(album, meta);
  const inside = [head, replyOf(message), ...shown];
  const body = h("div.body", { onclick: (event) => bubbleClicked(event, message) }, ...inside);
  node.classList.toggle("pictured", isPictured);
  node.classList.toggle("wordless", isPictured && shown.includes(meta));
  node.style.width = isPictured ? `${widthOf(album) + (many && !mine ? 44 : 0)}px` : "";
  if (head) head.style.setProperty("--hue", message.from?.is_bot === false ? hueOf(name) : 212);
  node.replaceChildren(...[face, body, keysOf(message)].filter(Boolean));
}

// Content of a bubble and its time, which goes beside the last line if the bubble ends with text.
function contentOf(album, meta) {
  const [message] = album;
  const [media, words] = [mediaOf(album), wordsOf(album)];
  if (message.show_caption_above_media) return [words, media, meta];
  if (words && hasPhoto(message)) return [media, h("div.said", {}, words, meta)];
  const last = media?.querySelector(":scope > .words:last-child");
  if (!last) return [media, words, linkPreviewOf(message), meta];
  const said = h("div.said");
  last.replaceWith(said);
  said.append(last, meta);
  return [media];
}

function bubbleClicked(event, message) {
  if (event.target.closest("a, button, code, .spoiler") || String(getSelection())) return;
  const id = daemon.index.get(messageKey(message.chat.id, message.message_id));
  if (id) choose(id, true);
}

// A photo album shows a caption only if there is exactly one; each document shows its own below it.
function wordsOf(album) {
  const spoken = album.filter((message) => message.text ?? message.caption);
  const [message] = spoken;
  if (!message && attachmentName(album[0])) return null;
  if (!message) return h("span.words.service-note", {}, "This type of message is not shown here.");
  if (album[0].document || spoken.length > 1) return null;
  return wordsNode(message);
}

function wordsNode(message) {
  const entities = message.entities ?? message.caption_entities ?? [];
  return h("span.words", { dir: "auto" }, formatted(message.text ?? message.caption, entities, { say, copy }));
}

function mediaOf(album) {
  const [message] = album;
  if (hasPhoto(message)) return photos(album, (chosen) => viewer(at("viewer"), chosen));
  if (hasMedia(message)) return h("div.files", {}, ...album.flatMap((one) => [file(one), one.caption ? wordsNode(one) : null]));
  const name = attachmentName(message);
  return name ? h("span.attached", {}, h("span", {}, icon("file")), name) : null;
}

function replyOf(message) {
  const quoted = message.reply_to_message;
  if (!quoted) return null;
  const name = quoted.from?.first_name ?? quoted.chat.title;
  const show = () => showBubble(message.chat.id, quoted.message_id);
  return pressable("button.reply", show, h("b", {}, name), h("span", {}, preview(quoted)));
}

// Telegram fetches the page and shows its title and image. Here nothing is fetched: the card only marks the place.
function linkPreviewOf(message) {
  const options = message.link_preview_options ?? {};
  if (!message.text || options.is_disabled) return null;
  const links = (message.entities ?? []).filter((entity) => entity.type === "url" || entity.type === "text_link");
  const first = links[0] && (links[0].url ?? message.text.substr(links[0].offset, links[0].length));
  const address = safeLink(options.url ?? first ?? "");
  if (!address || !address.startsWith("http")) return null;
  return h("a.preview", linkTo(address), h("b", {}, new URL(address).host), h("span", {}, "Telegram shows a preview of this page here."));
}

function metaOf(album) {
  const message = album.findLast((one) => one.edit_date) ?? album[0];
  const date = new Date(message.date * 1000);
  const edited = message.edit_date ? `, edited ${new Date(message.edit_date * 1000).toLocaleString()}` : "";
  const openDetail = () => choose(daemon.index.get(messageKey(message.chat.id, message.message_id)), true);
  const ask = pressable("button.ask", openDetail, icon("panel"));
  ask.setAttribute("aria-label", "Show the daemon's details of this message");
  const isBot = message.from?.is_bot || message.sender_chat;
  const time = h("time", { datetime: date.toISOString() }, hourMinute(date));
  const mark = edited ? h("span.edited", {}, "edited") : null;
  const bell = message.is_silent ? h("span.silent", { title: "Sent without a sound", role: "img", "aria-label": "Sent without a sound" }, icon("silent")) : null;
  return h("span.meta", { title: `${date.toLocaleString()}${edited}` }, bell, mark, time, isBot ? ask : null);
}

function keysOf(message) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows?.length) return null;
  return h("div.keys", {}, ...rows.map((row, r) => h("div", {}, ...row.map((button, c) => keyOf(message, button, r, c)))));
}

function keyOf(message, button, row, column) {
  const link = button.url && safeLink(button.url);
  if (link) return h("a.key", { "data-style": button.style, ...linkTo(link) }, button.text, icon("link"));
  const key = `${messageKey(message.chat.id, message.message_id)}:${row}:${column}`;
  const isCopy = Boolean(button.copy_text);
  const act = isCopy ? () => copy(button.copy_text.text, "Text") : () => pressKey(message, row, column, key);
  const node = pressable("button.key", act, button.text, isCopy ? icon("copy") : null);
  if (button.style) node.dataset.style = button.style;
  if (!isCopy) node.dataset.press = key;
  return node;
}

async function pressKey(message, row, column, key) {
  if (view.pressed.has(key)) return;
  view.pressed.set(key, true);
  draw(drawBubbles);
  const done = () => { view.pressed.delete(key); draw(drawBubbles); };
  const chatId = message.chat.id;
  const body = { user_id: speakerOf(chatId), chat_id: chatId, message_id: message.message_id, row, column };
  const query = await attempt(() => post("/sandbox/press", body));
  if (!query) return done();
  view.waiting.set(query.callback_query_id, done);
  const early = view.answers.get(query.callback_query_id);
  if (early) return answered(early);
  return setTimeout(() => { view.waiting.delete(query.callback_query_id); done(); }, ANSWER_WAIT_MS);
}

function answered(answer) {
  const done = view.waiting.get(answer.callback_query_id);
  view.waiting.delete(answer.callback_query_id);
  if (!done) {
    view.answers.set(answer.callback_query_id, answer);
    if (view.answers.size > 100) view.answers.delete(view.answers.keys().next().value);
    return;
  }
  done();
  if (!answer.text) return;
  if (!answer.show_alert) { toast(answer.text); return; }
  setText(at("answer-text"), answer.text);
  at("answer-dialog").showModal();
}

let toastTimer = 0;
function toast(text) {
  setText(at("toast"), text);
  at("toast").classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => at("toast").classList.remove("on"), Math.max(3200, text.length * 55));
}

// ---------------------------------------------------------------------------------------------------------- speaking

function membersOf(chat) {
  if (chat.type === "private") return [telegram.users.get(chat.id)].filter(Boolean);
  const members = (chat.member_ids ?? []).map((id) => telegram.users.get(id)).filter((user) => user && !user.is_bot);
  return members.length ? members : [...telegram.users.values()].filter((user) => !user.is_bot);
}

function speakerOf(chatId) {
  const chat = chatById(chatId);
  if (!chat) return null;
  const members = membersOf(chat);
  const chosen = view.speakers.get(chatId);
  return (members.find((user) => user.id === chosen) ?? members[0])?.id ?? null;
}

function drawComposer() {
  const chat = view.chatId === null ? null : chatById(view.chatId);
  const isFresh = Boolean(chat) && chat.type === "private" && !messagesOf(chat.id).length;
  at("composer").hidden = !chat || isFresh;
  at("start").hidden = !isFresh;
  if (!chat) return;
  setText(at("start-text"), `${titleOf(chat)} has not started the bot yet. A bot cannot write to people first: they start it with /start.`);
  const speaker = telegram.users.get(speakerOf(chat.id));
  const select = at("speaker");
  reconcile(select, membersOf(chat), (user) => user.id, (user) => h("option", { value: user.id }, user.first_name));
  select.value = String(speaker?.id ?? "");
  select.disabled = select.length < 2;
  if (at("speaker-avatar").dataset.who !== String(speaker?.id)) {
    at("speaker-avatar").dataset.who = String(speaker?.id);
    at("speaker-avatar").replaceChildren(...(speaker ? [avatar(speaker.first_name, "person")] : []));
  }
  const isChannel = chat.type === "channel";
  at("say").hidden = isChannel;
  at("mute").hidden = !isChannel;
  document.querySelector(".commands").hidden = isChannel;
  document.querySelector(".send").hidden = isChannel;
}

async function say(text) {
  const chatId = view.chatId;
  if (!text.trim() || chatId === null) return false;
  const message = await attempt(() => post("/sandbox/say", { user_id: speakerOf(chatId), chat_id: chatId, text }));
  if (message) Object.assign(view, { end: null, sticks: true });
  return Boolean(message);
}

async function submitSay(event) {
  event.preventDefault();
  const field = at("say");
  const text = field.value;
  field.value = "";
  if (!(await say(text)) && !field.value) field.value = text;
  growSay();
}

function growSay() {
  const field = at("say");
  if (CSS.supports("field-sizing", "content")) return;
  field.style.height = "36px";
  field.style.height = `${Math.min(160, field.scrollHeight)}px`;
}

// The bot's own menu for this kind of chat, as in Telegram's apps.
function commandsHere() {
  const scope = chatById(view.chatId)?.type === "private" ? "all_private_chats" : "all_group_chats";
  return telegram.commands[scope] ?? telegram.commands.default ?? [{ command: "start", description: "start the bot" }];
}

function toggleCommands(open = at("command-menu").hidden) {
  if (open) fillCommands();
  at("command-menu").hidden = !open;
  at("commands").setAttribute("aria-expanded", String(open));
  if (open) at("command-menu").querySelector("button").focus();
}

function fillCommands() {
  at("command-menu").replaceChildren();
  for (const { command: name, description: what } of commandsHere()) {
    const command = `/${name.replace(/^\//, "")}`;
    const entry = pressable("button", () => { toggleCommands(false); at("say").focus(); say(command); }, command, h("small", {}, what));
    entry.setAttribute("role", "menuitem");
    at("command-menu").append(entry);
  }
}

async function addToSandbox(event) {
  event.preventDefault();
  const kind = at("add-kind").value;
  const name = at("add-name").value.trim();
  const people = [...telegram.users.values()].filter((user) => !user.is_bot).map((user) => user.id);
  const isPerson = kind === "person";
  setText(at("add-problem"), "");
  try {
    const wish = isPerson ? { first_name: name } : { type: kind, title: name, member_ids: people };
    const made = await post(isPerson ? "/sandbox/users" : "/sandbox/chats", wish);
    (isPerson ? telegram.users : telegram.chats).set(made.id, made);
    at("add-dialog").close();
    at("add-name").value = "";
    openChat(made.id, true);
  } catch (error) { setText(at("add-problem"), error.message); }
}

// ----------------------------------------------------------------------------------------------- the daemon's side

const daemon = {
  isUp: null,
  health: null,
  status: null,              // of the demo: pid, kills, socket
  rows: [],                  // newest messages, newest first
  details: new Map(),        // id -> message with deliveries and timeline
  seen: new Map(),           // id -> what its row looked like when the details were read
  index: new Map(),          // "<chat>:<telegram message>" -> id
  chosen: null,
};
const FINAL = new Set(["closed", "cancelled"]);
const isAlert = (message) => message.kind === "alert" || message.acknowledge === true;
const isAcknowledged = (message) => Boolean(message.acknowledged_by);
// The daemon's word is shown; an acknowledged alert that is closed keeps the colour of an answer.
const stateOf = (message) => (message.status === "closed" && isAcknowledged(message) ? "acknowledged" : message.status);

async function lookForDemo() {
  try { daemon.status = await get("/demo/status"); } catch { return; }
  document.body.classList.remove("no-demo", "no-daemon");
  setText(at("tag"), "demo");
  drawCurl();
  for (;;) {
    await readDaemon();
    await Promise.race([pause(document.hidden ? 5 * DAEMON_EVERY_MS : DAEMON_EVERY_MS), new Promise((soon) => { wakeDaemon = soon; })]);
  }
}

let wakeDaemon = () => {};
let soonTimer = 0;
function daemonSoon() {
  clearTimeout(soonTimer);
  soonTimer = setTimeout(() => wakeDaemon(), 150);
}

async function readDaemon() {
  daemon.status = await get("/demo/status").catch(() => null) ?? daemon.status;
  const asks = daemon.status.daemon.alive ? [get("/daemon/health"), get(`/daemon/api/messages?limit=${RECENT}`)] : [];
  const [health, list] = (await Promise.allSettled(asks)).map((answer) => answer.value);
  Object.assign(daemon, { isUp: Boolean(health ?? list), health: health ?? null });
  if (list) await takeRows(list.messages);
  draw(drawStrip, drawRecent, drawDetail, drawBubbles);
}

const isBack = async () => (await get("/demo/status")).daemon.alive && Boolean(await get("/daemon/health"));

const printOf = (row) => JSON.stringify([row.status, row.updated_at, row.acknowledged_by, row.deliveries?.length]);
const isMoving = (id) => daemon.details.get(id)?.deliveries?.some((delivery) => delivery.status === "waiting") ?? true;

async function takeRows(rows) {
  daemon.rows = rows;
  const stale = rows.filter((row) => row.id === daemon.chosen || isMoving(row.id) || daemon.seen.get(row.id) !== printOf(row));
  for (let i = 0; i < stale.length; i += 6) await Promise.all(stale.slice(i, i + 6).map((row) => readMessage(row.id, printOf(row))));
  if (daemon.chosen && !rows.some((row) => row.id === daemon.chosen)) await readMessage(daemon.chosen);
  if (!daemon.chosen) daemon.chosen = (rows.find(isAlert) ?? rows[0])?.id ?? null;
}

async function readMessage(id, print = null) {
  const message = await get(`/daemon/api/messages/${id}`).catch(() => null);
  if (!message) return;
  daemon.details.set(id, message);
  daemon.seen.set(id, print);
  for (const delivery of message.deliveries ?? []) {
    for (const shown of delivery.telegram_message_ids ?? []) daemon.index.set(messageKey(delivery.chat_id, shown), id);
  }
}

async function choose(id, byHand = false) {
  daemon.chosen = id;
  showTab("message");
  if (byHand && matchMedia("(max-width: 1099px)").matches) document.body.dataset.view = "panel";
  drawRecent();
  drawDetail();
  drawBubbles();
  await readMessage(id);
  draw(drawDetail, drawBubbles);
}

function drawStrip() {
  const health = daemon.health;
  const isDegraded = daemon.isUp && health?.status !== "ok";
  at("pill").dataset.up = daemon.isUp ? (isDegraded ? "degraded" : "up") : "down";
  at("pill").title = (health?.warnings ?? []).join("\n");
  setText(at("pill-text"), daemon.isUp ? (isDegraded ? "degraded" : "up") : "down");
  setText(at("waiting"), String(health?.waiting ?? "–"));
  setText(at("kills"), String(daemon.status?.daemon.kills ?? 0));
}

const textOf = (message) => (message.plain_text || message.content || message.caption || message.text || "").trim();
const subjectOf = (message) => message.title || textOf(message).split("\n")[0] || "(no text)";
const stateLabel = (item, tone = item.status) => h("span.state", { "data-state": tone }, item.status);

function drawRecent() {
  const empty = { id: "none", none: true };
  const make = (row) => (row.none ? h("li.empty", {}, "No messages yet.") : makeRecent(row));
  reconcile(at("recent"), daemon.rows.length ? daemon.rows : [empty], (row) => row.id, make, updateRecent);
}

function makeRecent(row) {
  return h("li", {}, pressable("button", () => choose(row.id), h("span.name"), h("span.how"), h("span.state")));
}

function updateRecent(node, row) {
  if (row.none) return;
  const button = node.firstElementChild;
  button.setAttribute("aria-current", String(row.id === daemon.chosen));
  setText(button.querySelector(".name"), subjectOf(row));
  const deliveries = daemon.details.get(row.id)?.deliveries ?? [];
  const whom = [...new Set(deliveries.map((delivery) => nameOfChat(delivery.chat_id)))].join(", ");
  const how = [hourMinute(new Date(row.created_at)), isAlert(row) ? "alert" : "notice", whom, isAcknowledged(row) && `acknowledged by ${whoOf(row.acknowledged_by)}`];
  setText(button.querySelector(".how"), how.filter(Boolean).join(" · "));
  button.querySelector(".state").dataset.state = stateOf(row);
  setText(button.querySelector(".state"), row.status);
}

function nameOfChat(chatId) {
  const chat = chatById(Number(chatId));
  return chat ? titleOf(chat) : String(chatId);
}

// Redraw the selected message only when it changed: countdowns tick in place, and focus stays.
function drawDetail() {
  const message = daemon.details.get(daemon.chosen);
  const print = JSON.stringify([daemon.chosen, message, daemon.isUp]);
  const box = at("detail");
  if (box.print === print) return;
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  box.print = print;
  const none = h("p.empty", {}, "Select a message in the chat or below to see the daemon's details.");
  box.replaceChildren(...(message ? detailOf(message) : [none]));
  if (focused) box.querySelector(`[data-act="${focused}"]`)?.focus();
  tickDeadlines();
}

function detailOf(message) {
  const content = textOf(message);
  const rest = message.title ? content : content.split("\n").slice(1).join("\n").trim();
  return [
    h("div.labels", {}, stateLabel(message, stateOf(message)), kindOf(message), idButton(message.id)),
    h("p.subject", {}, subjectOf(message)),
    rest ? h("p.excerpt", {}, rest) : null,
    verdictOf(message),
    deadlinesOf(message),
    actsOf(message),
    h("h3", {}, "Deliveries"),
    h("ul.deliveries", {}, ...(message.deliveries ?? []).map((delivery) => h("li", {}, deliveryOf(delivery)))),
    h("h3", {}, "Timeline"),
    ...timelineNodes(message.timeline ?? []),
  ].filter(Boolean);
}

const kindOf = (message) => [isAlert(message) ? "Alert" : "Notice", message.source].filter(Boolean).join(" · ");

function idButton(id) {
  const look = { type: "button", "data-act": "id", title: id, "aria-label": `Copy the id ${id}`, onclick: () => copy(id, "Id") };
  return h("button.id", look, `${id.slice(0, 4)}…${id.slice(-4)}`, icon("copy"));
}

const eventOf = (message, name) => (message.timeline ?? []).find((entry) => entry.event === name);
const after = (message, entry) => (entry ? ` after ${span(new Date(entry.at) - new Date(message.created_at))}` : "");

// Name an actor: `acknowledged_by` is an object; a timeline's actor is "telegram:<id>", "account:<name>" or the daemon itself.
function whoOf(who) {
  if (!who || who === "notifybot") return "";
  if (typeof who === "string") {
    const [kind, name] = who.split(/:(.*)/s);
    return kind === "telegram" ? telegram.users.get(Number(name))?.first_name ?? who : name || who;
  }
  return who.name ?? who.username ?? who.account ?? String(who.telegram_id ?? "");
}

function verdictOf(message) {
  const seal = (name, tone, ...texts) => h("p.verdict", { "data-tone": tone }, icon(name), texts.join(""));
  const answer = eventOf(message, "acknowledged");
  const error = message.deliveries?.find((delivery) => delivery.last_error)?.last_error;
  if (isAcknowledged(message)) return seal("check", "good", "Acknowledged by ", whoOf(message.acknowledged_by), after(message, answer));
  if (message.status === "closed") return seal("flood", "calm", "Closed without acknowledgement", after(message, eventOf(message, "closed")));
  if (message.status === "cancelled") return seal("block", "calm", "Cancelled before it was shown");
  if (message.status === "failed") return seal("block", "bad", error ?? "Not delivered");
  return null;
}

function deadlinesOf(message) {
  if (FINAL.has(message.status) || !isAlert(message)) return null;
  const { created_at: from, escalate_at: due } = message;
  const escalated = eventOf(message, "escalated");
  const cells = [];
  if (escalated) cells.push(sealed("escalate", "Escalated", withSeconds(new Date(escalated.at))));
  else if (due && !isAcknowledged(message)) cells.push(running("escalate", "Escalates in", from, due));
  if (message.close_at) cells.push(running("close", "Closes in", from, message.close_at));
  return cells.length ? h("div.deadlines", {}, ...cells) : null;
}

function sealed(kind, label, text) {
  return h("div.deadline.over", { "data-kind": kind }, h("span.seal", {}, icon("check")), h("p", {}, label, h("strong", {}, text)));
}

function running(kind, label, from, until) {
  const circle = (name) => svg("circle", { class: name, cx: 19, cy: 19, r: 16 });
  const rest = circle("rest");
  rest.setAttribute("stroke-dasharray", String(RING));
  const ring = svg("svg", { class: "ring", viewBox: "0 0 38 38", "aria-hidden": "true" }, circle("track"), rest);
  const facts = { "data-kind": kind, "data-from": from, "data-until": until, title: new Date(until).toLocaleString() };
  return h("div.deadline", facts, ring, h("p", {}, label, h("strong", { role: "timer" })));
}

function tickDeadlines() {
  for (const node of document.querySelectorAll(".deadline[data-until]")) {
    const left = new Date(node.dataset.until) - now();
    const share = Math.min(1, Math.max(0, left / Math.max(1, new Date(node.dataset.until) - new Date(node.dataset.from))));
    setText(node.querySelector("strong"), left > 0 ? countdown(left) : "now");
    node.querySelector(".rest").setAttribute("stroke-dashoffset", String(RING * (1 - share)));
  }
  for (const node of document.querySelectorAll("[data-ends]")) {
    setText(node, countdown(Number(node.dataset.ends) - now()));
    if (Number(node.dataset.ends) <= now()) draw(drawFaults);
  }
}

function actsOf(message) {
  const offers = [];
  if (isAlert(message) && !FINAL.has(message.status)) offers.push(["Acknowledge", "acknowledge"], ["Close", "close"]);
  if (!isAlert(message) && message.status === "initiated") offers.push(["Cancel", "cancel"]);
  if (!offers.length || !daemon.isUp) return null;
  const button = ([label, verb]) => {
    const look = { type: "button", "data-act": verb, title: `POST /api/messages/${message.id}/${verb}`, onclick: () => act(message.id, verb) };
    return h("button", look, label);
  };
  return h("div.acts", {}, ...offers.map(button));
}

async function act(id, verb) {
  await attempt(() => post(`/daemon/api/messages/${id}/${verb}`));
  await readMessage(id);
  draw(drawDetail);
  daemonSoon();
}

function deliveryOf(delivery) {
  const chat = chatById(Number(delivery.chat_id));
  const first = delivery.telegram_message_ids?.[0];
  const how = [delivery.purpose];
  if (delivery.shown_at) how.push(withSeconds(new Date(delivery.shown_at)));
  if (delivery.attempts > 1) how.push(`${delivery.attempts} attempts`);
  const error = delivery.last_error ? h("em", {}, ` · ${delivery.last_error}`) : null;
  const inside = [
    chat ? chatAvatar(chat) : avatar("?", "person"),
    h("span.name", {}, nameOfChat(delivery.chat_id)),
    stateLabel(delivery),
    h("span.how", {}, how.join(" · "), error),
  ];
  if (!first || !chat) return h("div.delivery", {}, ...inside);
  const node = pressable("button.delivery", () => showBubble(chat.id, first), ...inside);
  Object.assign(node, { title: "Show it in the chat" });
  node.dataset.act = `d${delivery.chat_id}${first}`;
  return node;
}

// A long timeline starts folded, so that the recent messages below stay in view.
function timelineNodes(timeline) {
  const list = h("ol.timeline", {}, ...timeline.slice(-TIMELINE_LINES).map(timelineOf));
  const hidden = timeline.slice(0, -TIMELINE_LINES);
  if (!hidden.length) return [list];
  const unfold = () => { list.prepend(...hidden.map(timelineOf)); more.remove(); };
  const more = h("button.more", { type: "button", "data-act": "more", onclick: unfold }, `${hidden.length} earlier`);
  return [more, list];
}

const EVENT_WORDS = { sent: "shown", released: "due" };

function timelineOf(entry) {
  const actor = whoOf(entry.actor);
  const date = new Date(entry.at);
  const what = h("span", {}, h("b", {}, EVENT_WORDS[entry.event] ?? entry.event), actor ? ` · ${actor}` : "");
  const words = entry.detail ? h("small", {}, entry.detail.replace(/-?\d{6,}/g, nameOfChat)) : null;
  return h("li", { "data-event": entry.event }, what, h("time", { datetime: entry.at }, withSeconds(date)), words);
}

// -------------------------------------------------------------------------------------------- sending an alert

function drawTargets() {
  const chats = chatRows().filter((chat) => !chat.fresh);
  const kinds = { private: "person", supergroup: "group" };
  const select = at("alert-to");
  const before = select.value;
  reconcile(select, chats, (chat) => chat.id, (chat) => h("option", { value: chat.id }), (node, chat) => {
    setText(node, `${titleOf(chat)} (${kinds[chat.type] ?? chat.type})`);
  });
  const target = chats.find((chat) => String(chat.id) === before) ?? chats.find((chat) => chat.id === view.chatId) ?? chats[0];
  select.value = String(target?.id ?? "");
  drawCurl();
}

function alertBody() {
  const body = { type: "text", content: at("alert-text").value, channel_id: at("alert-to").value };
  if (!at("alert-ack").checked) return { ...body, acknowledge: false };
  return { ...body, escalate_after: at("alert-escalate").value, close_after: at("alert-close").value };
}

function drawCurl() {
  const asks = at("alert-ack").checked;
  at("alert-escalate").disabled = at("alert-close").disabled = !asks;
  setText(at("alert-submit"), asks ? "Send alert" : "Send notice");
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = [
    `curl --unix-socket ${daemon.status?.socket ?? "…"}`,
    "-H 'Content-Type: application/json'",
    `-d ${quoted(JSON.stringify(alertBody()))}`,
    "http://localhost/api/ingest",
  ];
  setText(at("curl"), words.join(" \\\n  "));
}

async function sendAlert(event) {
  event.preventDefault();
  setText(at("alert-problem"), "");
  const body = alertBody();
  try {
    const answer = await post("/daemon/api/ingest", body);
    const chatId = Number(body.channel_id);
    if (chatById(chatId) && view.chatId !== chatId) openChat(chatId, true);
    document.body.dataset.view = "chat";
    await choose(answer.id);
    daemonSoon();
  } catch (error) {
    setText(at("alert-problem"), error instanceof Refused ? error.message : "The daemon does not respond. Nothing was accepted; try again.");
  }
}

// ------------------------------------------------------------------------------------------------------------ faults

const isBlocked = (userId) => Boolean(telegram.users.get(userId)?.has_blocked ?? telegram.users.get(userId)?.blocked);
const ofKind = (kind, chatId = null) => (fault) => fault.kind === kind && (fault.chat_id ?? null) === chatId;

// Faults on offer; `wish` is the request to the sandbox.
const offer = (key, picture, name, text, wish) => ({ key, icon: picture, name, text, wish });
const FAULTS = [
  offer("away", "away", "Telegram is away", "Every connection is cut at once.", { kind: "away" }),
  offer("flood", "flood", "Flood ban: every chat", "429 for the whole bot for 20 s.", { kind: "flood", retry_after: 20 }),
  offer("cut_after", "cut", "Cut after acceptance", "The next 3 sends arrive, but their responses are lost.", {
    kind: "cut_after", method: "sendMessage", times: 3,
  }),
  offer("cut_upload", "cut", "Uploads are cut", "Files do not get through, texts do.", { kind: "cut_upload" }),
  offer("html", "html", "502 with an HTML page", "The response of a broken proxy.", { kind: "html" }),
  offer("slow", "slow", "Slow", "Every response takes 2 s.", { kind: "slow", seconds: 2 }),
];

// Some faults concern the open chat. A block is not a sandbox fault, but an action of a person.
function faultOffers() {
  const chat = view.chatId === null ? null : chatById(view.chatId);
  if (!chat) return FAULTS;
  const here = titleOf(chat);
  const flood = { kind: "flood", chat_id: chat.id, retry_after: 20 };
  const own = [offer(`flood${chat.id}`, "flood", `Flood ban: ${here}`, "429 in this chat for 20 s.", flood)];
  const blocking = { ...offer(`block${chat.id}`, "block", `${here} blocks the bot`, "403 for this person."), blocks: chat.id };
  if (chat.type === "private") own.push(blocking);
  return [FAULTS[0], ...own, ...FAULTS.slice(1)];
}

const isOver = (item) => Boolean(item.until) && item.until * 1000 <= now();
const bans = () => telegram.bans.filter((ban) => !isOver(ban) && !ban.method);
const faults = () => telegram.faults.filter((fault) => !isOver(fault));

// Find the active form of an offer, and how to end it. One call uses up a flood fault; its ban lasts.
function activeOf({ blocks, wish }) {
  if (blocks) return isBlocked(blocks) ? { end: () => attempt(() => block(blocks, false)) } : null;
  const chatId = wish.chat_id ?? null;
  const fault = faults().find(ofKind(wish.kind, chatId));
  if (fault) return { end: () => endFault(fault) };
  const isBanned = wish.kind === "flood" && bans().some((ban) => (ban.chat_id ?? null) === chatId);
  return isBanned ? { end: endBans } : null;
}

async function toggleFault(offer) {
  const active = activeOf(offer);
  if (active) return active.end();
  if (offer.blocks) return attempt(() => block(offer.blocks, true));
  return attempt(async () => takeFault(await post("/sandbox/faults", offer.wish)));
}

function takeFault(fault) {
  telegram.faults = [...telegram.faults.filter((other) => other.id !== fault.id), fault];
  draw(drawFaults);
}

async function block(userId, blocked) {
  await post("/sandbox/block", { user_id: userId, blocked });
  telegram.users.set(userId, { ...telegram.users.get(userId), has_blocked: blocked, blocked });
  draw(drawFaults, drawHead);
}

async function endFault(fault) {
  await attempt(() => ask("DELETE", `/sandbox/faults/${fault.id}`));
  telegram.faults = telegram.faults.filter((other) => other.id !== fault.id);
  draw(drawFaults);
}

// The sandbox clears bans only together with all faults; set the other faults again.
async function endBans() {
  const others = faults();
  await attempt(() => ask("DELETE", "/sandbox/faults"));
  telegram.bans = [];
  for (const { kind, method, chat_id, times, seconds, after, error_code, description, retry_after, result } of others) {
    const wish = Object.entries({ kind, method, chat_id, times, seconds, after, error_code, description, retry_after, result });
    await attempt(() => post("/sandbox/faults", Object.fromEntries(wish.filter(([, value]) => value !== null && value !== undefined))));
  }
  draw(drawFaults);
}

async function endAllFaults() {
  await attempt(() => ask("DELETE", "/sandbox/faults"));
  Object.assign(telegram, { faults: [], bans: [] });
  for (const user of telegram.users.values()) if (isBlocked(user.id)) await attempt(() => block(user.id, false));
  draw(drawFaults);
}

const FAULT_NAMES = {
  away: ["away", "Telegram is away"], flood: ["flood", "Flood ban"], html: ["html", "502 with HTML"],
  cut_after: ["cut", "Cut after acceptance"], cut_before: ["cut", "Cut before acceptance"],
  cut_upload: ["cut", "Uploads cut"],
  slow: ["slow", "Slow"], hang: ["slow", "No response"], error: ["block", "Error"], result: ["block", "Wrong result"],
};

function chips() {
  const blocked = [...telegram.users.values()].filter((user) => isBlocked(user.id));
  return [...faults().map(faultChip), ...bans().map(banChip), ...blocked.map(blockChip)];
}

const chatOrAll = (item) => (item.chat_id ? nameOfChat(item.chat_id) : "every chat");

function faultChip(fault) {
  const [picture, name] = FAULT_NAMES[fault.kind] ?? ["block", fault.kind];
  const place = fault.chat_id || fault.kind === "flood" ? `: ${chatOrAll(fault)}` : "";
  const left = fault.times > 1 ? `${fault.times} times` : "";
  return { key: `f${fault.id}`, icon: picture, name: `${name}${place}`, left, end: () => endFault(fault) };
}

function banChip(ban) {
  return { key: `n${ban.chat_id}`, icon: "flood", name: `Banned: ${chatOrAll(ban)}`, ends: ban.until * 1000, end: endBans };
}

function blockChip(user) {
  const end = () => attempt(() => block(user.id, false));
  return { key: `b${user.id}`, icon: "block", name: `${user.first_name} blocked the bot`, end };
}

function drawFaults() {
  const all = chips();
  reconcile(at("chips"), all, (chip) => chip.key, makeChip, updateChip);
  at("fault-count").hidden = !all.length;
  setText(at("fault-count"), String(all.length));
  at("faults-clear").hidden = !all.length;
  reconcile(at("fault-list"), faultOffers(), (offer) => offer.key, makeFault, updateFault);
}

function makeChip(chip) {
  const end = pressable("button", chip.end, icon("close"));
  end.setAttribute("aria-label", `End: ${chip.name}`);
  return h("li.chip", {}, icon(chip.icon), chip.name, h("small"), end);
}

function updateChip(node, chip) {
  const rest = node.querySelector("small");
  rest.hidden = !chip.ends && !chip.left;
  if (!chip.ends) return setText(rest, chip.left ?? "");
  rest.dataset.ends = chip.ends;
  return setText(rest, countdown(chip.ends - now()));
}

function makeFault(offer) {
  const button = pressable("button", () => toggleFault(offer));
  button.setAttribute("aria-label", offer.name);
  const words = h("div", {}, h("b", {}, offer.name), h("small", {}, offer.text));
  return h("li.fault", {}, h("span", {}, icon(offer.icon)), words, button);
}

function updateFault(node, offer) {
  const isOn = Boolean(activeOf(offer));
  node.classList.toggle("on", isOn);
  node.lastElementChild.setAttribute("aria-pressed", String(isOn));
  setText(node.lastElementChild, isOn ? "End" : "Set");
}

function drawCalls() {
  const shown = telegram.calls.filter((call) => call.method !== "getUpdates" || call.status !== 200);
  reconcile(at("calls"), shown.reverse(), (call) => (call.key ??= `${telegram.rank += 1}`), makeCall);
}

// A call's `at` is in Unix seconds; status 0 means no response.
function makeCall(call) {
  const place = call.chat_id ? ` → ${nameOfChat(call.chat_id)}` : "";
  const said = h(call.status === 200 ? "b" : "b.not", {}, call.status ? String(call.status) : "cut");
  return h("li", {}, h("time", {}, withSeconds(new Date(call.at * 1000))), h("span", {}, call.method, place), said);
}

// ---------------------------------------------------------------------------------------------------------- the plug

// Pull the plug while messages are being sent. Each has a client id, so a caller that lost its response retries with the same
// id, and nothing is accepted twice.
async function pullThePlug() {
  const tag = Math.random().toString(36).slice(2, 6);
  const targets = chatRows().filter((chat) => !chat.fresh && chat.type !== "channel" && !isBlocked(chat.id)).slice(0, 4);
  if (!targets.length) return toast("Nobody has started the bot yet.");
  const beads = Array.from({ length: PLUG.messages }, (_, i) => ({
    chat: targets[i % targets.length].id,
    content: `Check ${i + 1} of ${PLUG.messages} done (run ${tag})`,
    client: `plug-${tag}-${i}`,
    is: "ready",   // then accepted or refused, shown or lost
    id: null,
  }));
  const run = { tag, beads, step: "work", began: now(), downAt: null, backAt: null, isClosed: false };
  at("plug").disabled = true;
  drawPlug(run);
  const sending = sendBeads(run);
  await pulled(run);
  const watching = watchBeads(run);
  await Promise.all([sending, watching]);
  // Everything may be shown as soon as the daemon is back: keep that step long enough to read it.
  if (run.step === "back") await pause(PLUG.readMs - (now() - run.backAt));
  run.step = "done";
  drawPlug(run);
  at("plug").disabled = false;
  return daemonSoon();
}

// Several concurrent callers, so that the daemon is busy when it is killed.
async function sendBeads(run) {
  const waiting = [...run.beads];
  const caller = async () => {
    while (waiting.length) {
      await sendBead(run, waiting.shift());
      drawPlug(run);
    }
  };
  await Promise.all(Array.from({ length: PLUG.callers }, caller));
}

async function sendBead(run, bead) {
  const what = { type: "text", content: bead.content, acknowledge: false, source: "plug" };
  const body = { ...what, channel_id: String(bead.chat), client_id: bead.client };
  while (now() - run.began < PLUG.waitMs) {
    try {
      bead.id = (await post("/daemon/api/ingest", body)).id;
      bead.is = "accepted";
      return;
    } catch (error) {
      bead.is = "refused";
      drawPlug(run);
      if (error instanceof Refused && error.status < 500 && error.status !== 429) { run.problem = error.message; return; }
      do await pause(200); while (now() - run.began < PLUG.waitMs && !(await isBack().catch(() => false)));
    }
  }
}

async function pulled(run) {
  while (acceptedOf(run).length < PLUG.pullAfter && now() - run.began < 10_000) await pause(5);
  const answer = await attempt(() => post("/demo/plug", { down_for_s: PLUG.downForS }));
  if (!answer) return;
  Object.assign(run, { step: "down", downAt: now() });
  daemon.isUp = false;
  draw(drawStrip);
  drawPlug(run);
}

const acceptedOf = (run) => run.beads.filter((bead) => bead.id);

async function watchBeads(run) {
  const isOpen = (bead) => bead.is !== "shown" && bead.is !== "lost";
  while (now() - run.began < PLUG.waitMs && run.beads.some(isOpen) && !run.problem) {
    await pause(250);
    if (!(await isBack().catch(() => false))) { drawPlug(run); continue; }
    if (run.step === "down") Object.assign(run, { step: "back", backAt: now() });
    await Promise.all(acceptedOf(run).filter((bead) => !timesShown(bead)).map(lookAfter));
    drawPlug(run);
  }
}

// Shown means present in the chat; lost means unknown to the daemon.
async function lookAfter(bead) {
  try {
    await get(`/daemon/api/messages/${bead.id}`);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) bead.is = "lost";
  }
}

const timesShown = (bead) => messagesOf(bead.chat).filter((message) => message.text?.includes(bead.content)).length;

// Count duplicates in a chat: only sends cut in flight may have one.
const doublesOf = (run) => run.beads.reduce((sum, bead) => sum + Math.max(0, timesShown(bead) - 1), 0);

const PLUG_WORDS = {
  work: () => ["Sending messages", "In a moment the daemon is killed in the middle of them."],
  down: (run) => [
    "The daemon is down",
    `SIGKILL, ${span(now() - run.downAt)} ago. Accepted messages are on disk; new callers are refused and retry.`,
  ],
  back: (run) => ["The daemon is back", `It was down for ${span(run.backAt - run.downAt)}. Waiting messages go out now.`],
  done: (run) => {
    const lost = run.beads.filter((bead) => bead.is === "lost").length;
    const open = run.beads.filter((bead) => bead.is !== "shown").length - lost;
    if (run.problem) return ["That did not work", run.problem];
    if (lost) return [`${lost} lost`, "This must not happen. See the daemon's log."];
    if (open) return ["Nothing lost so far", `${open} are still waiting for their chat and will be shown.`];
    if (!doublesOf(run)) return ["Nothing was lost", "Every accepted message was shown exactly once."];
    return ["Nothing was lost", "Every accepted message was shown; a send that was cut in flight appears twice."];
  },
};

function drawPlug(run) {
  const card = at("plug-card");
  card.hidden = run.isClosed;
  if (run.isClosed) return;
  card.dataset.step = run.step;
  for (const bead of run.beads) if (bead.id && timesShown(bead)) bead.is = "shown";
  const [title, text] = PLUG_WORDS[run.step](run);
  const isDone = run.step === "done";
  const close = pressable("button.icon", () => { run.isClosed = card.hidden = true; }, icon("close"));
  close.setAttribute("aria-label", "Close this card");
  const seal = h("span", {}, icon(isDone || run.step === "back" ? "check" : "plug"));
  card.replaceChildren(
    h("header", {}, seal, h("div", {}, h("h2", {}, title), h("p", {}, text)), close),
    h("dl", {}, ...plugCounts(run, isDone)),
    h("div.beads", { "aria-hidden": "true" }, ...run.beads.map((bead) => h("i", { "data-is": bead.is }))),
  );
}

function plugCounts(run, isDone) {
  const count = (is) => run.beads.filter((bead) => bead.is === is).length;
  const cell = (word, value, tone = null) => {
    return h("div", { "data-tone": tone, "data-count": word }, h("dt", {}, word), h("dd", {}, String(value)));
  };
  const lost = count("lost");
  return [
    cell("accepted", acceptedOf(run).length),
    cell("shown", count("shown"), isDone && count("shown") === PLUG.messages ? "good" : null),
    cell("lost", lost, lost ? "bad" : isDone ? "good" : null),
    cell("shown twice", doublesOf(run)),
  ];
}

// ------------------------------------------------------------------------------------------------- page setup

const TABS = ["message", "send", "faults"];

function showTab(name, focus = false) {
  for (const tab of TABS) {
    const button = at(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === name));
    button.tabIndex = tab === name ? 0 : -1;
    at(`pane-${tab}`).hidden = tab !== name;
    if (focus && tab === name) button.focus();
  }
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const place = TABS.findIndex((tab) => at(`tab-${tab}`) === document.activeElement);
  if (step && place >= 0) showTab(TABS[(place + step + TABS.length) % TABS.length], true);
}

function moveChat(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const buttons = [...at("chat-list").querySelectorAll("button")];
  const place = buttons.indexOf(document.activeElement);
  if (!step || place < 0) return;
  event.preventDefault();
  buttons[Math.min(buttons.length - 1, Math.max(0, place + step))].focus();
}

function moveMenu(event) {
  if (event.key === "Escape") { toggleCommands(false); at("commands").focus(); event.stopPropagation(); return; }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const buttons = [...at("command-menu").children];
  if (!step) return;
  event.preventDefault();
  buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
}

function stepBack() {
  const at_ = document.body.dataset.view;
  if (at_ === "panel") document.body.dataset.view = "chat";
  else if (matchMedia("(max-width: 719px)").matches && at_ === "chat") {
    document.body.dataset.view = "list";
    at("chat-list").querySelector('[aria-current="true"]')?.focus();
  }
}

function keep(name, value) {
  try { sessionStorage.setItem(`notifybot.${name}`, JSON.stringify(value)); } catch { /* private mode: then it is forgotten */ }
}
function kept(name) {
  try { return JSON.parse(sessionStorage.getItem(`notifybot.${name}`)); } catch { return null; }
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  keep("theme", theme);
}

function otherTheme() {
  const chosen = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  setTheme(chosen === "dark" ? "light" : "dark");
}

// Ignore read marks of an earlier sandbox: message numbers start again.
function restoreRead() {
  for (const [id, messageId] of Object.entries(kept("read") ?? {})) {
    if (messageId <= (lastOf(Number(id))?.message_id ?? 0)) view.read.set(Number(id), messageId);
  }
}

function drawAll() {
  draw(drawChats, drawHead, drawComposer, drawTargets, drawFaults, drawBubbles);
}

function listen() {
  const on = (id, event, work) => at(id).addEventListener(event, work);
  on("composer", "submit", submitSay);
  on("say", "input", growSay);
  on("say", "keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submitSay(event); });
  on("speaker", "change", () => { view.speakers.set(view.chatId, Number(at("speaker").value)); draw(drawComposer, drawBubbles); });
  on("start-button", "click", () => say("/start"));
  on("commands", "click", () => toggleCommands());
  on("command-menu", "keydown", moveMenu);
  on("scroll", "scroll", onScroll);
  on("newer", "click", toNewest);
  on("back", "click", stepBack);
  on("panel-open", "click", () => { document.body.dataset.view = "panel"; });
  on("panel-close", "click", stepBack);
  on("chat-list", "keydown", moveChat);
  document.querySelector(".tabs").addEventListener("keydown", moveTab);
  for (const tab of TABS) on(`tab-${tab}`, "click", () => showTab(tab));
  on("theme", "click", otherTheme);
  on("plug", "click", pullThePlug);
  on("alert-form", "submit", sendAlert);
  on("alert-form", "input", drawCurl);
  on("curl-copy", "click", () => copy(at("curl").textContent, "Command"));
  on("faults-clear", "click", endAllFaults);
  on("add", "click", () => at("add-dialog").showModal());
  on("add-cancel", "click", () => at("add-dialog").close());
  on("add-form", "submit", addToSandbox);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !document.querySelector("dialog[open]")) stepBack(); });
  document.addEventListener("click", (event) => { if (!event.target.closest(".commands")) toggleCommands(false); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { markRead(); drawAll(); wakeDaemon(); } });
  new ResizeObserver(() => { if (view.sticks) toBottom(); }).observe(at("scroll"));
  setInterval(tickDeadlines, 250);
}

async function begin() {
  setTheme(kept("theme"));
  listen();
  await loadSandbox();
  restoreRead();
  chooseFirst();
  follow();
  await lookForDemo();
}

begin().catch((error) => toast(`The sandbox does not respond: ${error.message}`));
