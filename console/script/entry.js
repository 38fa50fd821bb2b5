// One entry of the log as elements: a line, and when unfolded its payload.

const PREVIEW_CHARACTERS = 240;
const PREVIEW_BYTES = 32;
const FIRST_TEXT = 4096;
const FIRST_BYTES = 1024;
const MORE = 16;

const DIRECTION_SIGNS = { in: "↓", out: "↑", event: "•" };
const DIRECTION_WORDS = { in: "received", out: "sent", event: "event" };

function formatDelta(delta) {
  if (delta === null) return "";
  return `+${formatDuration(delta)}`;
}

function appendPreview(parent, entry) {
  if (entry.data === null) parent.append(make("i", "", "too large to keep"));
  else if (typeof entry.data === "string") {
    appendVisible(parent, headOf(entry.data, PREVIEW_CHARACTERS), false);
    if (entry.data.length > PREVIEW_CHARACTERS) parent.append("…");
    if (!entry.data) parent.append(make("i", "", "empty"));
  } else {
    parent.append(hexOf(entry.data.subarray(0, PREVIEW_BYTES)), entry.data.length > PREVIEW_BYTES ? " …" : "");
    if (!entry.data.length) parent.append(make("i", "", "empty"));
  }
}

/** The line of an entry. `onToggle` is called when it is to unfold or fold. */
function makeEntry(entry, onToggle) {
  const preview = make("span", "entry-preview");
  appendPreview(preview, entry);
  const sign = make("span", "entry-sign", DIRECTION_SIGNS[entry.direction]);
  sign.setAttribute("aria-label", DIRECTION_WORDS[entry.direction]);
  sign.setAttribute("role", "img");
  const line = makeButton("entry-line", "", onToggle);
  line.tabIndex = -1;
  line.append(
    make("span", "entry-time", clockTime(entry.wall)),
    make("span", "entry-delta", formatDelta(entry.delta)),
    sign,
    make("span", "entry-kind", entry.kind),
    preview,
    make("span", "entry-size", entry.direction === "event" ? "" : formatBytes(entry.size)),
  );
  const element = make("article", "entry", line);
  element.dataset.direction = entry.direction;
  element.dataset.kind = entry.kind;
  element.dataset.number = entry.number;
  return element;
}

/** What an unfolded entry shows below its line. `onResize` is called after its height changed. */
function makeBody(entry, onResize) {
  if (entry.direction === "event") return make("div", "entry-body", makeDetails(entry));
  if (entry.data === null)
    return make("div", "entry-body", make("p", "note", "This payload alone is larger than the whole log may be."));
  const body = make("div", "entry-body");
  const payload = make("div", "entry-payload");
  const views =
    typeof entry.data === "string" ? textViews(entry) : { Hex: (from, to) => hexPiece(entry.data, from, to) };
  const show = (name) => {
    showPayload(payload, views[name], onResize);
    for (const button of bar.querySelectorAll("[aria-pressed]"))
      button.setAttribute("aria-pressed", String(button.textContent === name));
    onResize();
  };
  const bar = makeBodyBar(entry, Object.keys(views), show);
  body.append(bar, payload);
  show(Object.keys(views)[0]);
  return body;
}

function makeDetails(entry) {
  const list = make("ul", "entry-details");
  for (const detail of entry.details ?? []) {
    const item = make("li");
    appendVisible(item, detail, false);
    list.append(item);
  }
  return list;
}

function makeBodyBar(entry, names, show) {
  const bar = make("div", "entry-bar");
  const choice = make("div", "segments");
  for (const name of names) {
    const button = makeButton("", name, () => show(name));
    button.setAttribute("aria-pressed", "false");
    choice.append(button);
  }
  if (names.length > 1) bar.append(choice);
  bar.append(make("span", "muted", `#${formatCount(entry.number)} · ${plural(entry.size, "byte")}`));
  const text = typeof entry.data === "string";
  bar.append(
    makeButton("quiet small", "Copy", () =>
      copyAndNotify(text ? entry.data : hexOf(entry.data), text ? "Text copied" : "Hex copied"),
    ),
    makeButton("quiet small", "Download", () => downloadEntry(entry)),
  );
  return bar;
}

function downloadEntry(entry) {
  const text = typeof entry.data === "string";
  download(
    `message-${entry.number}.${text ? "txt" : "bin"}`,
    [entry.data],
    text ? "text/plain" : "application/octet-stream",
  );
}

/** The ways to show a text; each returns a piece of its content and what is left. */
function textViews(entry) {
  const views = { Text: (from, to) => textPiece(entry.data, from, to) };
  if (/^\s*[{["]/.test(entry.data) && isJson(entry.data)) {
    const pretty = reindentJson(entry.data, 2);
    views.JSON = (from, to) => textPiece(pretty, from, to);
  }
  let bytes = null;
  views.Hex = (from, to) => hexPiece((bytes ??= encoder.encode(entry.data)), from, to);
  return views;
}

function textPiece(text, from, to) {
  const piece = headOf(text.slice(from), to);
  const node = make("span");
  appendVisible(node, piece, true);
  return { node, next: from + piece.length, total: text.length, unit: "character" };
}

function hexPiece(bytes, from, to) {
  const next = Math.min(bytes.length, from + (to * FIRST_BYTES) / FIRST_TEXT);
  const text = (from ? "\n" : "") + hexDump(bytes, from, next);
  return { node: make("span", "", text), next, total: bytes.length, unit: "byte" };
}

/** Shows the beginning of a payload, and more of it on request. */
function showPayload(parent, view, onResize) {
  const content = make("pre", "mono");
  content.dir = "auto";
  content.tabIndex = 0;
  parent.replaceChildren(content);
  const append = (from, limit) => {
    const { node, next, total, unit } = view(from, limit);
    content.append(node);
    if (next >= total) return;
    const more = makeButton("quiet small more", `${plural(total - next, unit)} more`, () => {
      more.remove();
      append(next, limit * MORE);
      onResize();
    });
    parent.append(more);
  };
  append(0, FIRST_TEXT);
}
