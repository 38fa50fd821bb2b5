// The page: its parts put together.

const STATE_WORDS = {
  idle: "Not connected",
  connecting: "Connecting …",
  open: "Connected",
  closing: "Closing …",
  waiting: "Reconnecting",
  closed: "Closed",
};

const log = createLog();
const roundTrip = createRoundTrip();
const traffic = createTraffic();
const logView = createLogView(log, showLogState);
let info = null;
let retryAt = 0;

const connection = createConnection({
  tokenFor: (url) => (info && isOwnHost(url) ? randomToken() : null),
  wantsReconnect: () => $("reconnect").checked,
  onState: showState,
  onOpen,
  onMessage,
  onEnd,
});

const inspector = createInspector(({ code, reason, by }) => {
  const [name] = closeWords(code);
  record(
    "event",
    "note",
    `The server says: closed with ${code} (${name}), begun by ${by === "server" ? "the server" : "this browser"}`,
    reason ? [`Reason: ${reason}`] : [],
  );
});

const composer = createComposer({
  send,
  onSent: logView.follow,
  buffered: () => connection.buffered,
  maxMessage: () => (info && connection.facts && isOwnHost(connection.facts.url) ? info.max_message : null),
});

// Messages and events.

function record(direction, kind, data, details) {
  const size = typeof data === "string" ? utf8Length(data) : data.byteLength;
  const entry = log.add(direction, kind, data, size, details);
  logView.schedule();
  return entry;
}

function send(data) {
  const kind = typeof data === "string" ? "text" : "binary";
  const size = kind === "text" ? utf8Length(data) : data.byteLength;
  roundTrip.sent(kind, size);
  if (!connection.send(data)) return false;
  traffic.add("out", size);
  record("out", kind, data);
  return true;
}

function onMessage(data) {
  const binary = typeof data !== "string";
  const payload = binary ? new Uint8Array(data) : data;
  const { kind, size } = record("in", binary ? "binary" : "text", payload);
  roundTrip.received(kind, size);
  traffic.add("in", size);
}

function onOpen(facts) {
  const { protocol, extensions } = facts.socket;
  record("event", "open", `Connected in ${formatDuration(facts.openedAt - facts.startedAt)}`, [
    `URL: ${facts.url}`,
    `Subprotocol: ${protocol || "none"}`,
    `Extensions: ${extensions || "none"}`,
  ]);
  inspector.opened(facts);
}

async function onEnd(facts, { code, reason }) {
  const [name, meaning] = closeWords(code);
  const details = code === 1006 ? [] : [meaning];
  if (reason) details.push(`Reason: ${reason}`);
  details.push(
    facts.opened
      ? `The connection was open for ${formatDuration(facts.lasted)}.`
      : `It never opened; the browser gave up after ${formatDuration(facts.lasted)}.`,
  );
  inspector.ended(facts);
  if (code !== 1006) {
    record("event", "close", `Closed: ${code} ${name}${reason ? ` – ${reason}` : ""}`, details);
    return;
  }
  details.push(ABNORMAL_WORDS);
  const entry = record(
    "event",
    "error",
    facts.opened ? `Cut: 1006 ${name}` : `Could not connect: 1006 ${name}`,
    details,
  );
  const causes = abnormalCauses({
    ...facts,
    sameHost: isOwnHost(facts.url),
    serverAnswers: await serverAnswers(facts.url),
  });
  details.push(...causes.map((cause) => `→ ${cause}`));
  if (connection.state === "closed") logView.unfold(entry);
}

// The state line.

function showState(state, facts, extra) {
  const status = $("status");
  for (const element of [status, $("state-dot"), $("connection")]) element.dataset.state = state;
  status.dataset.code = state === "closed" ? (extra?.code ?? "") : "";
  let words = STATE_WORDS[state];
  if (state === "closed" && extra) words = `Closed ${extra.code} – ${closeWords(extra.code)[0]}`;
  if (state === "waiting") {
    words = `Reconnecting, attempt ${extra.attempt}`;
    retryAt = performance.now() + extra.delay;
  }
  setText(status, words);
  const busy = ["connecting", "open", "closing", "waiting"].includes(state);
  const focused = [$("connect"), $("disconnect")].includes(document.activeElement);
  $("connect").hidden = busy;
  $("disconnect").hidden = !busy;
  $("disconnect").disabled = state === "closing";
  setText($("disconnect"), state === "connecting" ? "Cancel" : state === "waiting" ? "Stop" : "Disconnect");
  if (focused) (busy ? $("disconnect") : $("connect")).focus();
  for (const id of ["url", "protocols"]) $(id).readOnly = busy;
  $("url-reset").hidden = busy || $("url").value === ownUrl(info?.url_path);
  composer.setOpen(state === "open");
  if (state === "connecting") {
    roundTrip.reset();
    traffic.reset();
    inspector.begin(facts);
  }
  showStateDetail();
  logView.schedule();
}

function showStateDetail() {
  const { state, facts } = connection;
  let words = "";
  if (state === "open") {
    const parts = [`for ${formatSeconds(performance.now() - facts.openedAt)}`];
    if (facts.socket.protocol) parts.push(facts.socket.protocol);
    parts.push(facts.socket.extensions.startsWith("permessage-deflate") ? "compressed" : "uncompressed");
    if (connection.buffered > 65_536) parts.push(`${formatBytes(connection.buffered)} wait to be sent`);
    words = parts.join(" · ");
  }
  if (state === "waiting") words = `in ${Math.max(0, (retryAt - performance.now()) / 1000).toFixed(0)} s`;
  setText($("status-detail"), words);
}

function showLogState() {
  const shown = logView.shownEntries().length;
  const { dropped } = log.totals;
  const parts = [
    shown === log.length
      ? plural(shown, "entry").replace("entrys", "entries")
      : `${formatCount(shown)} of ${formatCount(log.length)}`,
  ];
  if (logView.held) parts.push(`${formatCount(logView.held)} held`);
  if (dropped) parts.push(`${formatCount(dropped)} older dropped`);
  setText($("log-count"), log.length || dropped ? parts.join(" · ") : "");
  $("log-count").title =
    `The newest ${formatCount(MAX_ENTRIES)} entries are kept, up to ${formatBytes(MAX_LOG_BYTES)} of payload`;
  const pressed = $("pause").getAttribute("aria-pressed") === "true";
  setText(
    $("pause").lastElementChild,
    pressed ? (logView.held ? `Go on · ${formatCount(logView.held)} held` : "Go on") : "Pause",
  );
  $("follow").hidden = logView.following;
  showEmptyState(shown);
}

function showEmptyState(shown) {
  $("log-empty").hidden = shown > 0;
  if (shown) return;
  const [title, text] = log.length
    ? [
        "Nothing matches",
        `None of the ${formatCount(log.length)} entries kept passes the filter. Esc in the filter empties it.`,
      ]
    : connection.state === "open"
      ? ["The line is open", "Write a message below and send it. What comes back appears here, newest last."]
      : [
          "Nothing here yet",
          "Connect, send a message, and watch it travel: each entry unfolds to its whole payload, as text, JSON or a hex dump.",
        ];
  setText($("log-empty-title"), title);
  setText($("log-empty-text"), text);
}

// Fields and buttons.

/** The URL and subprotocols of the fields, complete; null after showing what is wrong. */
function readTarget() {
  try {
    const target = { url: parseUrl($("url").value), protocols: parseProtocols($("protocols").value) };
    setProblem($("connection-problem"), null);
    return target;
  } catch (error) {
    setProblem($("connection-problem"), error.message);
    return null;
  }
}

function connect() {
  const target = readTarget();
  if (!target) return $("url").focus();
  $("url").value = target.url;
  settings.set("url", target.url);
  settings.set("protocols", $("protocols").value);
  try {
    connection.connect(target.url, target.protocols);
    logView.follow();
  } catch (error) {
    setProblem($("connection-problem"), refusalWords(error, target.url));
  }
}

/** Checks code and reason against what a browser may send (WHATWG WebSockets, `close`), then closes. */
function disconnect() {
  const code = Number($("close-code").value);
  const reason = $("close-reason").value;
  const open = connection.state === "open";
  logView.follow();
  if (open && !isCloseCodeOfBrowsers(code))
    return showCloseProblem("A browser may send the close codes 1000 and 3000–4999, no other.", $("close-code"));
  if (open && utf8Length(reason) > 123)
    return showCloseProblem(
      `The reason has ${utf8Length(reason)} bytes; a close frame carries 123.`,
      $("close-reason"),
    );
  setProblem($("connection-problem"), null);
  connection.close(code, reason);
}

function showCloseProblem(words, field) {
  $("closing").open = true;
  setProblem($("connection-problem"), words);
  field.focus();
}

function applyFilter() {
  const field = $("filter");
  try {
    logView.refilter(
      createFilter({ text: field.value, direction: $("filter-direction").value, kind: $("filter-kind").value }),
    );
    setProblem($("filter-problem"), null, field);
  } catch (error) {
    setProblem($("filter-problem"), error.message, field);
  }
}

function togglePause() {
  const on = $("pause").getAttribute("aria-pressed") !== "true";
  $("pause").setAttribute("aria-pressed", String(on));
  $("pause")
    .querySelector("use")
    .setAttribute("href", on ? "#i-play" : "#i-pause");
  logView.pause(on);
}

function onEscape(target) {
  if (composer.stopRepeating()) return;
  if (target.id === "filter" && target.value) {
    target.value = "";
    applyFilter();
  } else if (isEditable(target)) {
    $("log").focus();
  }
}

function presetTarget(target) {
  if (connection.state !== "idle" && connection.state !== "closed") return;
  $("url").value = target.url;
  $("protocols").value = target.protocols;
  $("url-reset").hidden = target.url === ownUrl(info?.url_path);
}

async function greetServer() {
  const before = ownUrl();
  info = await fetchInfo();
  if (!info) return;
  const server = $("server");
  server.hidden = false;
  server.textContent = `${info.name} ${info.version} · ${info.mode} · messages to ${formatBytes(info.max_message)}`;
  if ($("url").value === before) presetTarget({ url: ownUrl(info.url_path), protocols: $("protocols").value });
}

function setUpFields() {
  for (const id of ["close-code", "close-reason", "reconnect", "repeat-every", "repeat-times"])
    rememberField($(id), id);
  const narrow = matchMedia("(max-width: 900px)");
  const fold = () => ($("closing").open = !narrow.matches);
  narrow.addEventListener("change", fold);
  fold();
  $("connection").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!$("connect").hidden) connect();
  });
  $("disconnect").addEventListener("click", disconnect);
  $("url").addEventListener("input", () => ($("url-reset").hidden = $("url").value === ownUrl(info?.url_path)));
  $("url-reset").addEventListener("click", () => {
    presetTarget({ url: ownUrl(info?.url_path), protocols: "" });
    $("url").focus();
  });
  $("copy-link").addEventListener("click", () => copyTarget(buildLink, "Link copied"));
  $("copy-command").addEventListener("click", () => copyTarget(connectCommand, "Command copied"));
}

function copyTarget(build, words) {
  const target = readTarget();
  if (target) copyAndNotify(build(target.url, target.protocols), words);
}

function setUpLog() {
  for (const id of ["filter", "filter-direction", "filter-kind"]) $(id).addEventListener("input", applyFilter);
  $("pause").addEventListener("click", togglePause);
  $("clear").addEventListener("click", logView.clear);
  $("follow").addEventListener("click", logView.follow);
  $("export").addEventListener("click", () => {
    const entries = logView.shownEntries();
    if (entries.length) exportEntries(entries);
    else notify("There is nothing to export.");
  });
}

function setUpInstruments() {
  let before = performance.now();
  setInterval(() => {
    const now = performance.now();
    traffic.tick((now - before) / 1000);
    before = now;
    showStateDetail();
  }, 500);
  setInterval(() => document.hidden || showRoundTrip(roundTrip, connection.state === "open"), 200);
  traffic.tick(1);
  showRoundTrip(roundTrip, false);
  inspector.show();
}

setUpTheme();
setUpViews();
setUpFields();
setUpLog();
setUpInstruments();
setUpKeyboard({ send: composer.send, pause: togglePause, escape: onEscape });
presetTarget(
  readLink(location.hash) ?? { url: settings.get("url", ownUrl()), protocols: settings.get("protocols", "") },
);
addEventListener("hashchange", () => {
  const target = readLink(location.hash);
  if (target) presetTarget(target);
});
showLogState();
composer.refresh();
greetServer();
