// The connection: opening, closing, reconnecting, and what its end means.

const TOKEN_PATTERN = /^[!#$%&'*+\-.^_`|~\w]+$/;
const BACKOFF_FIRST = 500;
const BACKOFF_LAST = 30_000;
const STEADY_AFTER = 5000;

/** This page's own server as a WebSocket URL; a page from a file has none. */
function ownUrl(path = "/") {
  if (!location.host) return "ws://127.0.0.1:9876/";
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

/** The URL of a field, complete; throws in words. */
function parseUrl(text) {
  const typed = text.trim();
  if (!typed) throw new Error("A URL is missing, such as ws://127.0.0.1:9876/.");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(typed)?.[1].toLowerCase();
  if (scheme && !["ws", "wss", "http", "https"].includes(scheme))
    throw new Error(`A WebSocket URL begins with ws:// or wss://, not ${scheme}://.`);
  let url;
  try {
    url = new URL(scheme ? typed : typed.startsWith("/") ? new URL(typed, ownUrl()).href : `ws://${typed}`);
  } catch {
    throw new Error("This is no URL: perhaps a host name with a space, or a port above 65535.");
  }
  if (url.host.includes("%")) throw new Error("The host name holds a character that no host name has.");
  if (url.hash) throw new Error("A WebSocket URL has no fragment: take away # and what follows, or write %23.");
  if (url.username || url.password)
    throw new Error("A browser sends no user and password from a WebSocket URL. “tidewire connect --auth” does.");
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** The subprotocols of a field; throws in words. */
function parseProtocols(text) {
  const protocols = text.split(/[\s,]+/).filter(Boolean);
  for (const protocol of protocols) {
    if (!TOKEN_PATTERN.test(protocol))
      throw new Error(`“${protocol}” is no subprotocol: a name has letters, digits and !#$%&'*+-.^_\`|~ only.`);
  }
  const twice = protocols.find((protocol, index) => protocols.indexOf(protocol) !== index);
  if (twice) throw new Error(`“${twice}” stands twice; each subprotocol may be offered once.`);
  return protocols;
}

const isOwnHost = (url) => Boolean(location.host) && new URL(url).host === location.host;

/** 16 random bytes as 22 characters of base64url. */
function randomToken() {
  const base64 = toBase64(crypto.getRandomValues(new Uint8Array(16)));
  return base64.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}

function withToken(url, token) {
  return `${url}${url.includes("?") ? "&" : "?"}_tidewire=${token}`;
}

/** Waits ever longer, up to 30 s, and never the same time as all others. */
function backoffDelay(attempt) {
  const ceiling = Math.min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** attempt);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/**
 * One connection at a time. States: idle, connecting, open, closing, waiting (to reconnect), closed.
 *
 * `hooks`: tokenFor(url) -> token or null; wantsReconnect() -> boolean; onState(state, facts); onOpen(facts); onMessage(data);
 * onEnd(facts, event). `facts` of a connection: { url, openedUrl, protocols, token, startedAt, openedAt, opened, socket }.
 */
function createConnection(hooks) {
  let state = "idle";
  let facts = null;
  let attempt = 0;
  let timer = 0;
  let wanted = false;

  function setState(next, extra) {
    state = next;
    hooks.onState(state, facts, extra);
  }

  /** Opens a connection; throws where the browser refuses the URL or the subprotocols. */
  function connect(url, protocols) {
    wanted = true;
    attempt = 0;
    open(url, protocols);
  }

  function open(url, protocols) {
    clearTimeout(timer);
    const token = hooks.tokenFor(url);
    const openedUrl = token ? withToken(url, token) : url;
    const socket = new WebSocket(openedUrl, protocols);
    socket.binaryType = "arraybuffer";
    facts = { url, openedUrl, protocols, token, socket, startedAt: performance.now(), openedAt: null, opened: false };
    const mine = facts;
    socket.addEventListener("open", () => onOpen(mine));
    socket.addEventListener("message", (event) => mine === facts && hooks.onMessage(event.data));
    socket.addEventListener("close", (event) => onClose(mine, event));
    setState("connecting");
  }

  function onOpen(mine) {
    if (mine !== facts) return;
    mine.opened = true;
    mine.openedAt = performance.now();
    if (state === "connecting") setState("open");
    hooks.onOpen(mine);
  }

  function onClose(mine, event) {
    if (mine !== facts) return;
    const now = performance.now();
    mine.lasted = now - (mine.openedAt ?? mine.startedAt);
    if (mine.opened && mine.lasted > STEADY_AFTER) attempt = 0;
    const again = wanted && hooks.wantsReconnect();
    hooks.onEnd(mine, event);
    if (again) reconnect(mine.url, mine.protocols);
    else setState("closed", event);
  }

  function reconnect(url, protocols) {
    const delay = backoffDelay(attempt);
    attempt += 1;
    setState("waiting", { delay, attempt });
    timer = setTimeout(() => open(url, protocols), delay);
  }

  /** Begins the closing handshake, gives up an attempt, or ends the waiting. */
  function close(code, reason) {
    wanted = false;
    clearTimeout(timer);
    if (state === "waiting") setState("closed");
    else if (state === "connecting") facts.socket.close();
    else if (state === "open") {
      facts.socket.close(code, reason);
      setState("closing");
    }
  }

  return {
    connect,
    close,
    /** Sends a string or bytes; false where no connection is open. */
    send(data) {
      if (state !== "open" || facts.socket.readyState !== WebSocket.OPEN) return false;
      facts.socket.send(data);
      return true;
    },
    get state() {
      return state;
    },
    get facts() {
      return facts;
    },
    get buffered() {
      return facts?.socket.bufferedAmount ?? 0;
    },
  };
}

/** Whether this page's server still answers plain HTTP; undefined where that cannot be asked. */
async function serverAnswers(url) {
  if (!isOwnHost(url)) return undefined;
  try {
    await fetch("/_tidewire/info", { cache: "no-store", signal: AbortSignal.timeout(3000) });
    return true;
  } catch {
    return false;
  }
}

/** Why `new WebSocket` threw, in words. */
function refusalWords(error, url) {
  if (location.protocol === "https:" && url.startsWith("ws:"))
    return "This page came by HTTPS, and such a page may not open ws:// addresses. Use wss://.";
  return `The browser refuses this address: ${error.message}`;
}
