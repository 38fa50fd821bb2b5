// What the page remembers, and what a link may preset.

/** A store that may be missing or full: a browser may refuse it to a page, and reading it may throw. */
function createStore(open, prefix) {
  function attempt(action) {
    try {
      return action(open());
    } catch {
      return null;
    }
  }
  return {
    get: (name, otherwise) => attempt((store) => JSON.parse(store.getItem(prefix + name))) ?? otherwise,
    set: (name, value) => attempt((store) => store.setItem(prefix + name, JSON.stringify(value))),
    remove: (name) => attempt((store) => store.removeItem(prefix + name)),
  };
}

const settings = createStore(() => localStorage, "tidewire.");
const session = createStore(() => sessionStorage, "tidewire.");

/** Keeps the value of a field over visits. */
function rememberField(field, name) {
  const property = field.type === "checkbox" ? "checked" : "value";
  const kept = settings.get(name, null);
  if (typeof kept === typeof field[property]) field[property] = kept;
  field.addEventListener("change", () => settings.set(name, field[property]));
}

/** `#url=…&protocol=a&protocol=b`; null where the link presets nothing. */
function readLink(hash) {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const url = parameters.get("url");
  if (!url) return null;
  return { url, protocols: parameters.getAll("protocol").join(", ") };
}

function buildLink(url, protocols) {
  const parameters = new URLSearchParams([["url", url], ...protocols.map((protocol) => ["protocol", protocol])]);
  return `${location.href.split("#")[0]}#${parameters}`;
}

// Light and dark.

const THEMES = ["auto", "light", "dark"];
const THEME_WORDS = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  const button = $("theme");
  button.title = THEME_WORDS[theme];
  button.setAttribute("aria-label", THEME_WORDS[theme]);
}

function setUpTheme() {
  let theme = settings.get("theme", "auto");
  if (!THEMES.includes(theme)) theme = "auto";
  applyTheme(theme);
  $("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    settings.set("theme", theme);
    applyTheme(theme);
    notify(THEME_WORDS[theme]);
  });
}

// A short word at the top of the page, read aloud by screen readers.

let noticeTimer = 0;

function notify(text) {
  const notice = $("notice");
  notice.textContent = text;
  notice.classList.add("shown");
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => notice.classList.remove("shown"), 2500);
}

async function copyAndNotify(text, words) {
  notify((await copyText(text)) ? words : "This browser did not let the page copy.");
}

// Keyboard.

const isMac = /^(Mac|iP)/.test(navigator.platform);

const isEditable = (element) =>
  element.matches?.("input:not([type=radio], [type=checkbox], [type=file]), textarea, select");

/** `handlers`: { send, pause, escape }. */
function setUpKeyboard(handlers) {
  const dialog = $("shortcuts");
  const singleKeys = $("single-keys");
  rememberField(singleKeys, "single-keys");
  if (isMac) {
    for (const key of document.querySelectorAll("kbd.mod")) key.textContent = "⌘";
    $("send-key").textContent = "⌘ ↵";
  }
  $("help").addEventListener("click", () => dialog.showModal());

  const single = {
    "/": () => focusView("log", $("filter")),
    "m": () => focusView("log", $("message")),
    "p": handlers.pause,
    "?": () => dialog.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (dialog.open) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      handlers.send();
    } else if (event.key === "Escape") {
      handlers.escape(event.target);
    } else if (
      singleKeys.checked &&
      single[event.key] &&
      !isEditable(event.target) &&
      !event.ctrlKey &&
      !event.metaKey &&
      !event.altKey
    ) {
      event.preventDefault();
      single[event.key]();
    }
  });
}

// On a narrow screen, one of two views is shown at a time.

function showView(view) {
  $("main").dataset.view = view;
  for (const button of document.querySelectorAll(".views button")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
}

function focusView(view, element) {
  showView(view);
  element.focus();
}

function setUpViews() {
  for (const button of document.querySelectorAll(".views button")) {
    button.addEventListener("click", () => showView(button.dataset.view));
  }
}
