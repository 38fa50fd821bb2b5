// Composing, sending and repeating messages.

const HISTORY_LENGTH = 50;
const BUFFER_LIMIT = 4 * 1024 * 1024;
const BURST_LIMIT = 2000;

const PLACEHOLDERS = {
  text: "A message, sent as it stands. ↑ brings back what you sent before.",
  json: '{"type": "hello", "n": 1}',
  hex: "48 65 6c 6c 6f   or 48656c6c6f, 0x48,0x65 …",
  base64: "SGVsbG8=   (standard or URL alphabet)",
};

/** The content of the field as what is sent: a string or bytes. Throws in words. */
function parseMessage(kind, text) {
  if (kind === "hex") return parseHex(text);
  if (kind === "base64") return parseBase64(text);
  if (kind === "json") {
    try {
      JSON.parse(text);
    } catch (error) {
      throw new Error(text.trim() ? `This is no JSON: ${error.message}.` : "This is no JSON: it is empty.");
    }
  }
  return text;
}

/** Fills in {n}, the number of a repeated message, and {t}, the time in milliseconds since 1970. */
const fillTemplate = (text, number) => text.replaceAll("{n}", number).replaceAll("{t}", Date.now());

/** `hooks`: send(data) -> boolean; onSent(), after a send by hand; buffered() -> bytes; maxMessage() -> bytes or null. */
function createComposer(hooks) {
  const message = $("message");
  const problem = $("message-problem");
  let kind = "text";
  let file = null; // { name, bytes }
  let open = false;

  const read = (number) => {
    if (kind === "file") {
      if (!file) throw new Error("Choose a file first.");
      return file.bytes;
    }
    return parseMessage(kind, number === undefined ? message.value : fillTemplate(message.value, number));
  };

  /** The message as it stands: { data } or { wrong }, the problem in words. */
  function attempt() {
    try {
      return { data: read(repeater.running ? 1 : undefined) };
    } catch (error) {
      return { wrong: error.message };
    }
  }

  function send() {
    if (!open) return notify("Connect first: then messages can be sent.");
    let data;
    try {
      data = read();
    } catch (error) {
      return setProblem(problem, error.message, message);
    }
    setProblem(problem, null, message);
    if (!hooks.send(data)) return notify("The connection is closing: nothing was sent.");
    hooks.onSent();
    if (kind !== "file") history.add({ kind, text: message.value });
    if (document.activeElement === message) message.select();
  }

  function refresh() {
    const typed = kind === "file" ? file : message.value;
    const { data, wrong } = typed ? attempt() : {};
    const templated = kind === "json" && /\{[nt]\}/.test(message.value);
    setProblem(problem, templated ? null : wrong, message);
    showSize(data);
    $("send").disabled = !open;
    $("repeat").disabled = !open && !repeater.running;
    $("pretty").hidden = kind !== "json";
    $("pretty").disabled = Boolean(wrong) || !typed;
    $("pretty").textContent = message.value.includes("\n") ? "Compact" : "Pretty";
  }

  function showSize(data) {
    let words = "";
    if (data !== undefined) {
      const size = typeof data === "string" ? utf8Length(data) : data.length;
      const limit = hooks.maxMessage();
      words = size < 1024 ? plural(size, "byte") : formatBytes(size);
      if (limit && size > limit) words += ` – above the ${formatBytes(limit)} this server takes: it will close with 1009`;
    }
    setText($("message-size"), words);
  }

  function setKind(next) {
    kind = next;
    $(`kind-${kind}`).checked = true;
    message.hidden = kind === "file";
    message.placeholder = PLACEHOLDERS[kind] ?? "";
    $("file-area").hidden = kind !== "file";
    settings.set("kind", kind);
    refresh();
  }

  async function takeFile(chosen) {
    if (!chosen) return;
    try {
      file = { name: chosen.name, bytes: new Uint8Array(await chosen.arrayBuffer()) };
    } catch {
      file = null;
      notify("This file could not be read; a folder cannot be sent.");
      return;
    }
    setText($("file-note"), `${headOf(file.name, 80)} is ready. Send makes it one binary message.`);
    setKind("file");
  }

  function togglePretty() {
    message.value = reindentJson(message.value, message.value.includes("\n") ? 0 : 2);
    refresh();
  }

  const history = createHistory(message, (entry) => {
    setKind(entry.kind);
    message.value = entry.text;
    refresh();
  });
  const repeater = createRepeater({
    read,
    send: hooks.send,
    buffered: hooks.buffered,
    isOpen: () => open,
    onChange: refresh,
  });

  const kept = settings.get("kind", "text");
  setKind(kept in PLACEHOLDERS ? kept : "text");
  $("kind").addEventListener("change", (event) => setKind(event.target.value));
  message.addEventListener("input", refresh);
  $("pretty").addEventListener("click", togglePretty);
  $("file").addEventListener("change", (event) => takeFile(event.target.files[0]));
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  setUpDrop(takeFile);

  return {
    send,
    refresh,
    stopRepeating: () => repeater.running && (repeater.stop(), true),
    setOpen(on) {
      open = on;
      if (!on) repeater.stop();
      refresh();
    },
  };
}

/** What was sent before, by the arrow keys: up from the first line, down from the last. */
function createHistory(message, recall) {
  const entries = session.get("history", []);
  let at = entries.length;
  let draft = null;

  function step(by) {
    const next = at + by;
    if (next < 0 || next > entries.length) return false;
    if (at === entries.length)
      draft = { kind: document.querySelector("#kind input:checked").value, text: message.value };
    at = next;
    recall(at === entries.length ? draft : entries[at]);
    message.setSelectionRange(message.value.length, message.value.length);
    return true;
  }

  message.addEventListener("keydown", (event) => {
    if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const { value, selectionStart, selectionEnd } = message;
    const up = event.key === "ArrowUp" && !value.slice(0, selectionStart).includes("\n");
    const down = event.key === "ArrowDown" && !value.slice(selectionEnd).includes("\n");
    if ((up && step(-1)) || (down && step(1))) event.preventDefault();
  });

  return {
    add(entry) {
      const last = entries.at(-1);
      if (last?.kind !== entry.kind || last.text !== entry.text) entries.push(entry);
      if (entries.length > HISTORY_LENGTH) entries.shift();
      at = entries.length;
      session.set("history", entries);
    },
  };
}

/** Sends the message again and again. A tick sends all that is due, so that 1 ms means a thousand a second. */
function createRepeater({ read, send, buffered, isOpen, onChange }) {
  const button = $("repeat");
  let timer = 0;
  let startedAt = 0;
  let sent = 0;
  let skipped = 0;
  let every = 0;
  let times = Infinity;

  function readFields() {
    every = Number($("repeat-every").value);
    if (!(every >= 1)) throw new Error("Repeat: the time between two messages is 1 ms or more.");
    const typed = $("repeat-times").value.trim();
    times = typed ? Number(typed) : Infinity;
    if (!(times >= 1)) throw new Error("Repeat: “times” is a number from 1, or empty for no end.");
  }

  function start() {
    if (!isOpen()) return;
    try {
      readFields();
      read(1);
    } catch (error) {
      setProblem($("message-problem"), error.message);
      return;
    }
    sent = 0;
    skipped = 0;
    startedAt = performance.now();
    timer = setInterval(tick, Math.max(4, every));
    show();
    tick();
  }

  function tick() {
    const due = Math.floor((performance.now() - startedAt) / every) + 1 - sent - skipped;
    let now = Math.min(due, BURST_LIMIT);
    skipped += due - now; // a sleeping tab does not catch up for minutes
    for (; now > 0 && sent < times; now--) {
      if (buffered() > BUFFER_LIMIT) {
        skipped += now;
        break;
      }
      try {
        if (!send(read(sent + 1))) return stop();
      } catch (error) {
        stop();
        setProblem($("message-problem"), error.message);
        return;
      }
      sent += 1;
    }
    if (sent >= times) stop();
    else showNote();
  }

  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    show();
  }

  function showNote() {
    const held = skipped ? `, ${formatCount(skipped)} left out: the connection or this tab is slower` : "";
    setText($("repeat-note"), `${formatCount(sent)} sent${held}`);
  }

  function show() {
    const running = timer !== 0;
    button.textContent = running ? "Stop" : "Repeat";
    button.setAttribute("aria-pressed", String(running));
    button.classList.toggle("running", running);
    showNote();
    onChange();
  }

  button.addEventListener("click", () => (timer ? stop() : start()));

  return {
    stop,
    get running() {
      return timer !== 0;
    },
  };
}

/** A file dropped anywhere on the page is taken. */
function setUpDrop(takeFile) {
  const curtain = $("drop");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    curtain.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    curtain.hidden = depth <= 0;
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    curtain.hidden = true;
    takeFile(event.dataTransfer.files[0]);
  });
}
