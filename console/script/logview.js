// The log on the page. Only the lines in sight are elements, and they are brought up to date once a frame, however many
// messages came.

const LINE_HEIGHT = 28;
const OVERSCAN = 8;

/** `onChange` is called after each frame that brought something new. */
function createLogView(log, onChange) {
  const scroller = $("log");
  const space = $("log-space");
  const rows = new Map(); // number -> element, for what is in sight
  const unfolded = new Map(); // number -> { body, extra }, extra: the height below the line, in px
  let shown = []; // entries that pass the filter
  let seen = 0; // the highest number that was judged
  let filter = () => true;
  let paused = null; // the highest number at the time of pausing
  let following = true;
  let current = null; // the number of the entry under the keyboard
  let scheduled = false;
  let expectedTop = 0;

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      update();
      render();
      onChange();
    });
  }

  /** Takes in what is new and lets go what the log dropped. */
  function update() {
    if (paused !== null) return;
    const fresh = log.since(seen).filter(filter);
    seen = log.totals.added;
    const oldest = log.firstNumber;
    let gone = 0;
    while (gone < shown.length && shown[gone].number < oldest) gone += 1;
    const goneHeight = gone ? topOf(gone) : 0;
    for (const entry of shown.slice(0, gone)) unfolded.delete(entry.number);
    shown = shown.slice(gone).concat(fresh);
    if (!following && goneHeight) scroller.scrollTop = Math.max(0, scroller.scrollTop - goneHeight);
  }

  /** The distance of the entry at `index` from the top: lines are of one height, and few are unfolded. */
  function topOf(index) {
    let top = index * LINE_HEIGHT;
    const before = index < shown.length ? shown[index].number : Infinity;
    for (const [number, { extra }] of unfolded) if (number < before) top += extra;
    return top;
  }

  function indexAt(top) {
    let low = 0;
    let high = shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (topOf(middle + 1) <= top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function render() {
    const height = topOf(shown.length);
    space.style.height = `${height}px`;
    const room = scroller.clientHeight;
    if (following) {
      expectedTop = Math.max(0, height - room);
      scroller.scrollTop = expectedTop;
    }
    const from = Math.max(0, indexAt(scroller.scrollTop) - OVERSCAN);
    const to = Math.min(shown.length, indexAt(scroller.scrollTop + room) + OVERSCAN);
    const inSight = shown.slice(from, to);
    removeRowsExcept(new Set(inSight.map((entry) => entry.number)));
    let before = null;
    for (const [offset, entry] of inSight.entries()) {
      const row = rows.get(entry.number) ?? makeRow(entry);
      if (row.previousSibling !== before || !row.parentNode)
        space.insertBefore(row, before ? before.nextSibling : space.firstChild);
      row.style.transform = `translateY(${topOf(from + offset)}px)`;
      row.classList.toggle("current", entry.number === current);
      before = row;
    }
    if (height <= room) following = true;
  }

  function removeRowsExcept(inSight) {
    for (const [number, row] of rows) {
      if (inSight.has(number)) continue;
      if (row.contains(document.activeElement)) scroller.focus({ preventScroll: true });
      heights.unobserve(row);
      row.remove();
      rows.delete(number);
    }
  }

  function makeRow(entry) {
    const row = makeEntry(entry, () => {
      current = entry.number;
      toggle(entry);
    });
    rows.set(entry.number, row);
    const open = unfolded.get(entry.number);
    if (open) row.append(open.body);
    markUnfolded(row, Boolean(open));
    heights.observe(row);
    return row;
  }

  function markUnfolded(row, open) {
    row.classList.toggle("unfolded", open);
    row.firstChild.setAttribute("aria-expanded", String(open));
  }

  function toggle(entry) {
    if (unfolded.has(entry.number)) fold(entry.number);
    else {
      unfold(entry);
      following = false;
    }
    schedule();
  }

  function fold(number) {
    unfolded.get(number).body.remove();
    unfolded.delete(number);
    if (rows.has(number)) markUnfolded(rows.get(number), false);
  }

  function unfold(entry) {
    const row = rows.get(entry.number);
    const open = { body: makeBody(entry, schedule), extra: 0 };
    unfolded.set(entry.number, open);
    if (!row) return;
    row.append(open.body);
    markUnfolded(row, true);
    open.extra = row.offsetHeight - LINE_HEIGHT;
  }

  const heights = new ResizeObserver((changes) => {
    let changed = false;
    for (const { target } of changes) {
      const open = unfolded.get(Number(target.dataset.number));
      const extra = target.offsetHeight - LINE_HEIGHT;
      if (!open || !target.isConnected || open.extra === extra) continue;
      open.extra = extra;
      changed = true;
    }
    if (changed) schedule();
  });

  function refilter(next) {
    filter = next;
    for (const number of [...unfolded.keys()]) fold(number);
    seen = paused ?? log.totals.added;
    shown = log.all().filter((entry) => entry.number <= seen && filter(entry));
    following = true;
    schedule();
  }

  function moveTo(index) {
    if (!shown.length) return;
    const entry = shown[Math.max(0, Math.min(shown.length - 1, index))];
    current = entry.number;
    const at = shown.indexOf(entry);
    following = at === shown.length - 1;
    const top = topOf(at);
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + LINE_HEIGHT > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = top + LINE_HEIGHT - scroller.clientHeight;
    render();
    rows.get(current)?.firstChild.focus({ preventScroll: true });
  }

  function onKey(event) {
    if (event.target.closest(".entry-body") || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = shown.findIndex((entry) => entry.number === current);
    const page = Math.floor(scroller.clientHeight / LINE_HEIGHT) - 1;
    const steps = {
      ArrowUp: at < 0 ? shown.length - 1 : at - 1,
      ArrowDown: at < 0 ? shown.length - 1 : at + 1,
      PageUp: at < 0 ? 0 : at - page,
      PageDown: at + page,
      Home: 0,
      End: shown.length - 1,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    moveTo(steps[event.key]);
  }

  scroller.addEventListener("keydown", onKey);
  scroller.addEventListener("scroll", () => {
    if (Math.abs(scroller.scrollTop - expectedTop) > 2) {
      following = scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 4;
    }
    schedule();
  });
  scroller.addEventListener("wheel", (event) => (following &&= event.deltaY >= 0), { passive: true });
  new ResizeObserver(schedule).observe(scroller);

  return {
    schedule,
    refilter,
    /** Unfolds an entry where the filter shows it. */
    unfold(entry) {
      update();
      if (shown.includes(entry) && !unfolded.has(entry.number)) unfold(entry);
      schedule();
    },
    follow() {
      following = true;
      schedule();
    },
    clear() {
      log.clear();
      shown = [];
      unfolded.clear();
      seen = log.totals.added;
      if (paused !== null) paused = seen;
      following = true;
      schedule();
    },
    pause(on) {
      if (on) update();
      paused = on ? log.totals.added : null;
      schedule();
    },
    shownEntries: () => shown,
    get following() {
      return following;
    },
    get held() {
      return paused === null ? 0 : log.totals.added - paused;
    },
  };
}
