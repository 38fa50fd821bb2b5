// The log: what is kept, how much of it, and how it is filtered and exported. Nothing here touches the page.

const MAX_ENTRIES = 2000;
const MAX_LOG_BYTES = 64 * 1024 * 1024;

/**
 * Keeps the newest entries within a count and a number of payload bytes.
 *
 * An entry: { number, wall, at, delta, direction: "in" | "out" | "event", kind: "text" | "binary" | "open" | "close" | "error" |
 * "note", size, data, details }. `data` is a string or a Uint8Array; null where it was too large to keep.
 */
function createLog(maxEntries = MAX_ENTRIES, maxBytes = MAX_LOG_BYTES) {
  let entries = [];
  let first = 0;
  let bytes = 0;
  let last = null;
  const totals = { added: 0, dropped: 0 };

  const costOf = (entry) => (typeof entry.data === "string" ? 2 * entry.data.length : (entry.data?.byteLength ?? 0));

  function dropOldest() {
    bytes -= costOf(entries[first]);
    entries[first] = undefined;
    first += 1;
    totals.dropped += 1;
    if (first >= maxEntries) {
      entries = entries.slice(first);
      first = 0;
    }
  }

  function add(direction, kind, data, size, details = null) {
    const at = performance.now();
    const entry = {
      number: ++totals.added,
      wall: Date.now(),
      at,
      delta: last === null ? null : at - last,
      direction,
      kind,
      size,
      data,
      details,
    };
    last = at;
    if (costOf(entry) > maxBytes) entry.data = null;
    bytes += costOf(entry);
    entries.push(entry);
    while (entries.length - first > maxEntries || bytes > maxBytes) dropOldest();
    return entry;
  }

  return {
    add,
    totals,
    /** The kept entries, oldest first. */
    all: () => entries.slice(first),
    /** The kept entries with a number above `number`. */
    since: (number) => entries.slice(Math.max(first, entries.length - (totals.added - number))),
    get firstNumber() {
      return first < entries.length ? entries[first].number : totals.added + 1;
    },
    get length() {
      return entries.length - first;
    },
    clear() {
      entries = [];
      first = 0;
      bytes = 0;
      totals.dropped = 0;
    },
  };
}

// The filter.

const SEARCHED_CHARACTERS = 65_536;

/** What of an entry a filter searches: its text, the first bytes of a binary message as hex, or the words of an event. */
function searchedText(entry) {
  if (entry.direction === "event") return [entry.data, ...(entry.details ?? [])].join("\n");
  if (entry.data === null) return "";
  return typeof entry.data === "string"
    ? entry.data.slice(0, SEARCHED_CHARACTERS)
    : hexOf(entry.data.subarray(0, 1024));
}

/** A test of entries made from the three fields; throws where the expression is wrong. */
function createFilter({ text, direction, kind }) {
  const search = createSearch(text);
  return (entry) =>
    (!direction || entry.direction === direction) &&
    (!kind || entry.kind === kind || (kind === "event" && entry.direction === "event")) &&
    (!search || search(searchedText(entry)));
}

function createSearch(text) {
  if (!text) return null;
  const expression = /^\/(.+)\/([imsu]*)$/s.exec(text);
  if (expression) {
    const pattern = new RegExp(expression[1], expression[2]);
    return (searched) => pattern.test(searched);
  }
  const wanted = text.toLowerCase();
  return (searched) => searched.toLowerCase().includes(wanted);
}

// Export.

/** An entry as one line of JSON; bytes as base64. */
function entryAsJson(entry) {
  const line = {
    time: new Date(entry.wall).toISOString(),
    delta_ms: entry.delta === null ? null : Math.round(entry.delta * 1000) / 1000,
    direction: entry.direction,
    kind: entry.kind,
    size: entry.size,
  };
  if (entry.data instanceof Uint8Array) line.base64 = toBase64(entry.data);
  else line.data = entry.data;
  if (entry.details) line.details = entry.details;
  return JSON.stringify(line);
}

function exportEntries(entries) {
  const name = `tidewire-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jsonl`;
  download(
    name,
    entries.map((entry) => `${entryAsJson(entry)}\n`),
    "application/jsonl",
  );
}
