// What browsers hide and Tidewire's own server tells: the request as it came, round trips by ping, bytes on the wire.

const INSPECT_EVERY = 2000;
const RTT_KEPT = 60;

async function fetchJson(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`The server answered ${response.status} to ${path}.`);
  return response.json();
}

/** What `/_tidewire/info` says; null where this page's server is not Tidewire's. */
async function fetchInfo() {
  if (!location.host) return null;
  try {
    const info = await fetchJson("/_tidewire/info");
    return info?.name === "tidewire" ? info : null;
  } catch {
    return null;
  }
}

/** `facts` as in createConnection; `onClosed(closed)` is called with what the server says of the end. */
function createInspector(onClosed) {
  let facts = null;
  let report = null;
  let problem = null;
  let timer = 0;
  let rtts = [];
  let secretsShown = false;

  /** Asks about the connection of `mine`; an answer that comes after the next connection began is let go. */
  async function ask(mine) {
    if (!mine.token) return;
    try {
      const next = await fetchJson(`/_tidewire/connections/${mine.token}`);
      if (mine !== facts) return;
      problem = next || report ? null : "The server does not know this connection (any more).";
      if (next) take(next, mine);
    } catch (error) {
      if (mine !== facts) return;
      problem =
        error.name === "TimeoutError"
          ? "The server did not answer within 5 s."
          : `The server cannot be asked: ${error.message}`;
    }
    show();
  }

  function take(next, mine) {
    report = next;
    if (next.rtt_us !== null) rtts = [...rtts, next.rtt_us].slice(-RTT_KEPT);
    if (next.closed && !mine.closedTold) {
      mine.closedTold = true;
      onClosed(next.closed);
    }
  }

  function show() {
    const body = $("inspect-body");
    setText($("inspect-source"), report ? "as the server sees it" : "");
    body.replaceChildren(...sections());
  }

  function sections() {
    if (!facts) return [make("p", "note", INSPECT_WORDS.idle)];
    const parts = [];
    if (problem) parts.push(make("p", "note", problem));
    if (report) parts.push(wireSection(report, rtts), ...closedSection(report.closed));
    if (facts.opened || report) parts.push(negotiatedSection(facts, report));
    if (report) parts.push(requestSection(report.request, secretsShown, revealSecrets));
    if (!facts.token) parts.push(foreignNote(facts));
    return parts;
  }

  function revealSecrets() {
    secretsShown = true;
    show();
  }

  return {
    show,
    begin(mine) {
      clearInterval(timer);
      facts = mine;
      report = null;
      problem = null;
      rtts = [];
      secretsShown = false;
      show();
    },
    opened(mine) {
      show();
      ask(mine);
      timer = setInterval(() => ask(mine), INSPECT_EVERY);
    },
    ended(mine) {
      clearInterval(timer);
      if (mine.opened) ask(mine);
      else show();
    },
  };
}

const foreignNote = ({ url }) => make("p", "note", INSPECT_WORDS[isOwnHost(url) ? "own" : "foreign"]);

/** A group with a heading; each row is [term, description, explanation]. */
function group(title, rows) {
  const list = make("dl", "facts");
  for (const [term, value, explanation] of rows) {
    const content = make("span", "mono");
    if (value instanceof Node) content.append(value);
    else appendVisible(content, String(value), false);
    const name = make("dt");
    appendVisible(name, term, false);
    const description = make("dd", "", content);
    if (explanation) description.append(make("span", "explained", explanation));
    list.append(name, description);
  }
  return make("section", "group", make("h3", "", title), list);
}

// Sections.

function wireSection(report, rtts) {
  const section = make("section", "group", make("h3", "", "On the wire"));
  const tiles = make("div", "tiles");
  tiles.append(
    rttTile(report.rtt_us, rtts),
    ratioTile("To the server", report.bytes_in, report.wire_in),
    ratioTile("To this browser", report.bytes_out, report.wire_out),
  );
  section.append(tiles);
  return section;
}

function rttTile(rtt, rtts) {
  const tile = make("div", "tile", make("span", "tile-name", "Server’s ping"));
  tile.append(make("b", "", rtt === null ? "–" : formatDuration(rtt / 1000)));
  if (rtts.length > 1) tile.append(sparkline(rtts));
  else tile.append(make("span", "muted", rtt === null ? "no pong yet" : "first pong"));
  return tile;
}

function sparkline(values) {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const points = values.map(
    (value, i) => `${((i / (values.length - 1)) * 96 + 2).toFixed(1)} ${(20 - ((value - low) / span) * 16).toFixed(1)}`,
  );
  const line = makeSvg("svg", {
    class: "sparkline",
    viewBox: "0 0 100 24",
    role: "img",
    "aria-label": `The last ${values.length} round trips`,
  });
  line.append(makeSvg("path", { d: `M${points.join("L")}` }));
  return line;
}

/** Message bytes against bytes on the wire: what compression saved, less what framing cost. */
function ratioTile(name, bytes, wire) {
  const tile = make("div", "tile", make("span", "tile-name", name));
  if (!bytes) {
    tile.append(make("b", "", "–"), make("span", "muted", "nothing yet"));
    return tile;
  }
  const share = wire / bytes;
  const saved = Math.round((1 - share) * 100);
  const bar = make("span", "bar", make("i"));
  bar.firstChild.style.width = `${Math.min(100, share * 100)}%`;
  const words = saved < 0 ? `+${-saved} %` : `−${saved} %`;
  tile.append(make("b", "", words), bar, make("span", "muted", formatBytesChange(bytes, wire)));
  tile.title = "Bytes of messages, and what they took on the wire with compression and frame headers";
  return tile;
}

function closedSection(closed) {
  if (!closed) return [];
  const [name] = closeWords(closed.code);
  const who = closed.by === "server" ? "The server began" : "This browser began";
  return [
    group("Closing handshake", [
      ["code", `${closed.code} ${name}`],
      ["reason", closed.reason || "none"],
      ["by", who],
    ]),
  ];
}

function negotiatedSection(facts, report) {
  const extensions = facts.socket.extensions || report?.extensions || "";
  const protocol = facts.socket.protocol || report?.subprotocol || "";
  const offered = facts.protocols.length ? `of ${facts.protocols.join(", ")}` : "none was offered";
  const rows = [
    [
      "subprotocol",
      protocol || "none",
      protocol ? `Chosen ${offered}.` : facts.protocols.length ? "The server chose none of those offered." : "",
    ],
    [
      "extensions",
      extensions ? explainedExtensions(extensions) : "none",
      extensions ? "" : "Messages travel uncompressed.",
    ],
  ];
  rows.push([
    "opened",
    facts.openedUrl,
    facts.token ? "_tidewire names this connection, so that the page can ask the server about it." : "",
  ]);
  if (report) rows.push(["from", report.peer, "This browser’s address, as the server sees it."]);
  return group("Agreed", rows);
}

/** Each extension and parameter over what it does. */
function explainedExtensions(extensions) {
  const list = make("dl", "parameters");
  for (const [name, words] of extensionWords(extensions)) {
    const term = make("dt");
    appendVisible(term, name, false);
    list.append(term, make("dd", "explained", words));
  }
  return list;
}

function requestSection(request, secretsShown, onReveal) {
  const rows = [["request line", `${request.method} ${request.target} ${request.version}`]];
  for (const [name, value] of request.headers) {
    const words = HEADER_WORDS.get(name.toLowerCase());
    if (isSecretHeader(name) && !secretsShown) {
      rows.push([name, makeButton("quiet small", `Show ${plural(value.length, "character")}`, onReveal), words]);
    } else {
      rows.push([name, value, words]);
    }
  }
  return group("Request, as received", rows);
}
