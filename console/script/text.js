"use strict";

// Elements, numbers and text. What a peer sent reaches the page through appendVisible or textContent only.

const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
const encoder = new TextEncoder();

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function makeButton(className, label, onClick) {
  const button = make("button", className, label);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

function makeSvg(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Sets the text of an element only where it differs, so that live regions stay silent. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows a problem below a field, or takes it away. */
function setProblem(element, text, field) {
  setText(element, text || "");
  element.hidden = !text;
  if (field) field.setAttribute("aria-invalid", text ? "true" : "false");
}

// Numbers.

const countFormat = new Intl.NumberFormat("en");

const formatCount = (count) => countFormat.format(count);

const plural = (count, word) => `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;

/** A number in three figures: 0.12, 1.23, 12.3, 123. */
const threeFigures = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

function formatBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1023.5 && unit < units.length - 1; unit++) value /= 1024;
  return `${threeFigures(value).replace(/\.0+$/, "")} ${units[unit]}`;
}

/** Two sizes, with the unit once where both have it. */
function formatBytesChange(from, to) {
  const [number, unit] = formatBytes(from).split(" ");
  const after = formatBytes(to);
  return after.endsWith(` ${unit}`) ? `${number} → ${after}` : `${number} ${unit} → ${after}`;
}

function formatRate(perSecond) {
  if (perSecond >= 9999.5) return `${threeFigures(perSecond / 1000)}k`;
  return perSecond >= 99.5 || Number.isInteger(perSecond) ? formatCount(Math.round(perSecond)) : perSecond.toFixed(1);
}

function formatDuration(milliseconds) {
  if (milliseconds === 0) return "0 ms";
  if (milliseconds < 0.9995) return `${Math.round(milliseconds * 1000)} µs`;
  if (milliseconds < 999.5) return `${threeFigures(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${threeFigures(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A time in whole seconds, for what is still running. */
const formatSeconds = (milliseconds) =>
  milliseconds < 60_000 ? `${Math.floor(milliseconds / 1000)} s` : formatDuration(milliseconds);

const two = (number) => String(number).padStart(2, "0");

function clockTime(wall) {
  const date = new Date(wall);
  const thousandths = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}

/** The length of a text in UTF-8, without encoding it. */
function utf8Length(text) {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    length += unit < 0x800 ? 1 : 2;
    if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i += 1;
  }
  return length;
}

// Characters that have no look of their own, or that reorder their neighbours.

const HIDDEN =
  /[\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202f\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

const HIDDEN_NAMES = new Map(
  Object.entries({
    "\t": "⇥",
    "\n": "↵",
    "\u007f": "DEL",
    "\u00a0": "NBSP",
    "\u00ad": "SHY",
    "\u061c": "ALM",
    "\u200b": "ZWSP",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u2028": "LSEP",
    "\u2029": "PSEP",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
  }),
);

const CONTROL_NAMES =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(
    " ",
  );

function codePointName(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function hiddenMark(character) {
  const name = HIDDEN_NAMES.get(character) ?? CONTROL_NAMES[character.codePointAt(0)] ?? codePointName(character);
  const mark = make("span", "mark", name);
  mark.title = codePointName(character);
  return mark;
}

/** Appends text with its hidden characters as marks; with `keepLines`, line ends and tabs stay as they are too. */
function appendVisible(parent, text, keepLines) {
  let from = 0;
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    const lineEnd = character === "\n" || (character === "\r" && text[index + 1] === "\n");
    if (keepLines && (lineEnd || character === "\t")) continue;
    parent.append(text.slice(from, index), hiddenMark(character));
    from = index + character.length;
  }
  parent.append(text.slice(from));
}

/** The first `limit` characters of a text, never half a surrogate pair. */
function headOf(text, limit) {
  if (text.length <= limit) return text;
  return text.slice(0, (text.charCodeAt(limit - 1) & 0xfc00) === 0xd800 ? limit - 1 : limit);
}

// Bytes as text, and back.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

const hexOf = (bytes, separator = " ") => Array.from(bytes, (byte) => HEX[byte]).join(separator);

/** Lines of 16 bytes: offset, hex in two groups, printable ASCII. */
function hexDump(bytes, from, to) {
  const lines = [];
  for (let at = from; at < to; at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, to));
    const hex = `${hexOf(row.subarray(0, 8))}  ${hexOf(row.subarray(8))}`.padEnd(48);
    const ascii = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex}  ${ascii}`);
  }
  return lines.join("\n");
}

/** Reads hex digits; space, comma, colon, dash and `0x` may stand between bytes. Throws with the position. */
function parseHex(text) {
  const digits = text.replace(/0x|[\s,:;_-]/gi, (skipped) => " ".repeat(skipped.length));
  const wrong = /[^0-9a-f ]/i.exec(digits);
  if (wrong) throw new Error(`“${wrong[0]}” at position ${wrong.index + 1} is no hex digit.`);
  const packed = digits.replaceAll(" ", "");
  if (packed.length % 2) throw new Error(`${packed.length} hex digits: a byte takes two, one is missing.`);
  return Uint8Array.from({ length: packed.length / 2 }, (_, i) => parseInt(packed.slice(2 * i, 2 * i + 2), 16));
}

/** Reads base64 in the standard or the URL alphabet, with or without padding. Throws with the position. */
function parseBase64(text) {
  const wrong = /[^A-Za-z0-9+/_=\s-]|=(?=\s*[^=\s])/.exec(text);
  if (wrong) throw new Error(`“${wrong[0]}” at position ${wrong.index + 1} does not belong there in base64.`);
  const packed = text.replace(/[\s=]/g, "").replaceAll("-", "+").replaceAll("_", "/");
  if (packed.length % 4 === 1) throw new Error("The last base64 character stands alone: one is missing.");
  return Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
}

function toBase64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Sets valid JSON anew, token by token: numbers, escapes, order and double names stay as they were sent. */
function reindentJson(text, indent) {
  const lineBreak = (depth) => (indent ? `\n${" ".repeat(indent * depth)}` : "");
  let depth = 0;
  let before = "";
  const parts = [];
  for (const [token] of text.matchAll(JSON_TOKEN)) {
    const opened = before === "{" || before === "[";
    if (token === "}" || token === "]") {
      depth -= 1;
      if (!opened) parts.push(lineBreak(depth));
    } else if (opened || before === ",") {
      parts.push(lineBreak(depth));
    }
    if (token === "{" || token === "[") depth += 1;
    parts.push(token === ":" && indent ? ": " : token);
    before = token;
  }
  return parts.join("");
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// Commands for a terminal.

const quotePosix = (word) => (/^[\w/:=.,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

const quotePowerShell = (word) => (/^[\w/:=.+-]+$/.test(word) ? word : `'${word.replace(/['‘’‚‛]/g, "$&$&")}'`);

function connectCommand(url, protocols) {
  const quote = /^Win/.test(navigator.platform) ? quotePowerShell : quotePosix;
  const options = protocols.map((protocol) => quote(`--protocol=${protocol}`));
  return ["tidewire", "connect", ...options, quote(url)].join(" ");
}

// Files and the clipboard.

function download(name, parts, type) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Copies text; a page that is neither HTTPS nor on a loopback address has no clipboard API, hence the second way. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", "hidden", text);
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}
