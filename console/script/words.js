// What codes, extensions and headers mean, in words.

const ABNORMAL_WORDS =
  "1006 is never sent: it stands for the lack of a close frame. Browsers hide what happened, so that no page can " +
  "scan a network. Likely causes, from what this page saw:";

const INSPECT_WORDS = {
  idle:
    "Connect, and this panel shows what browsers hide: the request as the server received it, extensions in words, " +
    "round trips measured by ping, bytes on the wire.",
  own:
    "This page’s server does not offer connection reports, so request headers, pings and bytes on the wire stay hidden: " +
    "a browser gives them to no page.",
  foreign:
    "Request headers, pings and bytes on the wire stay hidden here: a browser gives them to no page, and only a Tidewire " +
    "server tells them to its own console. If this one is Tidewire, open the console it serves itself.",
};

const CLOSE_CODES = new Map([
  [1000, ["normal closure", "The purpose of the connection is fulfilled."]],
  [1001, ["going away", "The server stops, or the page was left."]],
  [1002, ["protocol error", "One side found that the other broke the WebSocket protocol."]],
  [1003, ["unsupported data", "A kind of message came that is not taken here, such as binary where text is expected."]],
  [
    1005,
    [
      "no status received",
      "A close frame came, and it carried no code. That is allowed; it says that the end was meant, not why.",
    ],
  ],
  [1006, ["abnormal closure", "No close frame came: the connection was cut, or it never opened."]],
  [1007, ["invalid payload data", "A message did not fit its type, such as text that is not UTF-8."]],
  [1008, ["policy violation", "The message, or the client, is not welcome by a rule of the server."]],
  [1009, ["message too big", "A message was larger than the other side takes."]],
  [1010, ["mandatory extension missing", "The client wanted an extension that the server did not grant."]],
  [1011, ["internal error", "The server met a condition it did not expect."]],
  [1012, ["service restart", "The server restarts; connect again in a moment."]],
  [1013, ["try again later", "The server is overloaded or not ready; connect again later."]],
  [1014, ["bad gateway", "A gateway got an invalid answer from the server behind it."]],
  [1015, ["TLS handshake failed", "No TLS session came about, for instance because the certificate is not trusted."]],
  [3000, ["unauthorized", "The server wants credentials."]],
  [3003, ["forbidden", "The credentials do not allow this."]],
  [3008, ["timeout", "Something took too long."]],
]);

/** A close code as [name, meaning]. */
function closeWords(code) {
  const known = CLOSE_CODES.get(code);
  if (known) return known;
  if (code >= 4000 && code <= 4999)
    return ["application’s own code", "4000–4999 mean what the application says they mean."];
  if (code >= 3000 && code <= 3999)
    return ["registered code", "3000–3999 are registered with IANA by libraries and frameworks."];
  return ["unassigned code", "The standard assigns no meaning to this code."];
}

/** Whether `WebSocket.close` takes this code (WHATWG WebSockets: 1000, 3000–4999). */
const isCloseCodeOfBrowsers = (code) => code === 1000 || (code >= 3000 && code <= 4999);

/**
 * Why a connection may have ended with 1006. Browsers hide the reason on purpose, so that a page cannot scan a network;
 * `facts` are what the page itself saw: { url, opened, lasted, sameHost, serverAnswers }.
 */
function abnormalCauses(facts) {
  const { url, opened, lasted, sameHost, serverAnswers } = facts;
  const secure = url.startsWith("wss:");
  const causes = [];
  if (opened) {
    if (serverAnswers === false)
      causes.push("The server no longer answers at all: it stopped, crashed, or the network is gone.");
    if (serverAnswers)
      causes.push(
        "The server is still there: it, or the program behind it, dropped this one connection without a close frame.",
      );
    if (lasted > 20_000)
      causes.push(
        "A proxy or load balancer cut a connection that was silent too long (many do after 60 s). Pings keep it open.",
      );
    causes.push(
      "The server broke the protocol, and this browser failed the connection. Its developer console may say how.",
    );
    if (serverAnswers === undefined) causes.push("The server process ended, or the network between was lost.");
    return causes;
  }
  if (location.protocol === "https:" && !secure)
    causes.push("This page came by HTTPS, and such a page may not open ws:// addresses. Use wss://.");
  if (serverAnswers)
    causes.push("The server answers plain HTTP, so it runs: it refused the WebSocket handshake. Its log says why.");
  if (serverAnswers === false)
    causes.push("The server does not answer plain HTTP either: it is not running, or something between blocks it.");
  if (serverAnswers === undefined && lasted < 500)
    causes.push(
      "It failed at once: nothing listens on that host and port, the host name is wrong, or the browser refuses the port, as it does 6000 and 6667.",
    );
  if (lasted > 5000)
    causes.push(
      `It took ${formatDuration(lasted)}: a firewall may drop the packets, or the server never answered the handshake.`,
    );
  if (!sameHost) {
    causes.push(
      `The server refused this page’s origin, ${location.origin}. With Tidewire: tidewire serve --origin ${location.origin}`,
    );
    causes.push(
      "The path is wrong, or what listens there speaks no WebSocket: it answered 404, 400 or 426 in place of 101.",
    );
  }
  if (secure)
    causes.push(
      "The certificate is not trusted. Open the https:// address once in a tab: it shows what is wrong with it.",
    );
  return causes;
}

const bits = (value) => `${formatBytes(2 ** Number(value))} (${value} bits)`;

/** What an extension and its parameters do, as [name, words] pairs. */
function extensionWords(extensions) {
  const rows = [];
  for (const extension of extensions.split(",")) {
    const [name, ...parameters] = extension.split(";").map((part) => part.trim());
    const known = name === "permessage-deflate";
    rows.push([
      name,
      known
        ? "Each message is compressed with DEFLATE where that helps (RFC 7692)."
        : "An extension that this page does not know.",
    ]);
    for (const parameter of parameters) rows.push([parameter, known ? deflateWords(parameter) : ""]);
    if (known) rows.push(...deflateDefaults(parameters));
  }
  return rows;
}

function deflateWords(parameter) {
  const [name, value = ""] = parameter.split("=").map((part) => part.trim().replaceAll('"', ""));
  switch (name) {
    case "server_no_context_takeover":
      return "The server compresses each message on its own: no memory between messages, a little less compression.";
    case "client_no_context_takeover":
      return "This browser compresses each message on its own, so the server need keep no window for it.";
    case "server_max_window_bits":
      return `The server looks back at most ${bits(value)} for repetitions; this browser needs no more to inflate.`;
    case "client_max_window_bits":
      return value
        ? `This browser looks back at most ${bits(value)}; the server needs no more to inflate.`
        : "This browser can limit its window.";
    default:
      return "A parameter that RFC 7692 does not know.";
  }
}

function deflateDefaults(parameters) {
  const names = parameters.map((parameter) => parameter.split("=")[0].trim());
  const takeovers = ["server", "client"].filter((side) => !names.includes(`${side}_no_context_takeover`));
  if (!takeovers.length) return [];
  const who =
    takeovers.length === 2
      ? "Both sides compress"
      : takeovers[0] === "server"
        ? "The server compresses"
        : "This browser compresses";
  return [
    [
      "context takeover",
      `${who} with what earlier messages left in the window: smaller messages, memory for each connection.`,
    ],
  ];
}

const HEADER_WORDS = new Map([
  ["host", "The name this browser asked for."],
  ["upgrade", "Which protocol to change to."],
  ["connection", "Upgrade concerns this connection, not one behind a proxy."],
  ["origin", "The page that connects. Only a browser is bound to tell the truth here."],
  ["sec-websocket-key", "16 random bytes; the server proves that it understood by hashing them."],
  ["sec-websocket-version", "13: RFC 6455."],
  ["sec-websocket-extensions", "What this browser offers; the server picks."],
  ["sec-websocket-protocol", "The subprotocols asked for, best first."],
  ["cookie", "Cookies of this host go along, whichever page connects."],
  ["user-agent", "What this browser calls itself."],
  ["cache-control", "No stored answer, please."],
  ["pragma", "The same, for HTTP/1.0."],
  ["accept-encoding", "For HTTP answers; without meaning for WebSocket messages."],
]);

const isSecretHeader = (name) => /^(cookie|authorization|proxy-authorization)$/i.test(name);
