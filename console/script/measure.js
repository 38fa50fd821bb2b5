// The instruments: round-trip times and traffic, drawn as SVG so that colours and text follow the page's style.

const PLOT_SECONDS = 30;
const MAX_SAMPLES = 8192;
const MAX_AWAITED = 65_536;
const PLOT = { width: 360, height: 132, left: 44, right: 6, top: 10, bottom: 20 };
const TIDE_SECONDS = 60;

/** The value below which `share` of the sorted values lie. */
const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];

/** A round number at or above `value`, for the top of an axis. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

/**
 * Matches replies to sent messages in order, as an echo server answers them. A reply of another kind or size than its message
 * is counted: then the order is no echo's, and the figures mean little.
 */
function createRoundTrip() {
  let awaited = []; // { at, size, kind }
  let head = 0;
  let samples = []; // { at, took }
  let count = 0;
  let strays = 0;
  let overflowed = false;

  return {
    sent(kind, size) {
      if (awaited.length - head >= MAX_AWAITED) overflowed = true;
      else if (!overflowed) awaited.push({ at: performance.now(), size, kind });
    },
    received(kind, size) {
      if (overflowed || head === awaited.length) return;
      const { at, size: sentSize, kind: sentKind } = awaited[head];
      awaited[head++] = undefined;
      if (head > 4096) {
        awaited = awaited.slice(head);
        head = 0;
      }
      if (size !== sentSize || kind !== sentKind) strays += 1;
      const now = performance.now();
      samples.push({ at: now, took: now - at });
      count += 1;
      if (samples.length >= 2 * MAX_SAMPLES) samples = samples.slice(-MAX_SAMPLES);
    },
    reset() {
      awaited = [];
      head = 0;
      samples = [];
      count = 0;
      strays = 0;
      overflowed = false;
    },
    /** The samples of the plot's span, at most the newest 8,192. */
    recent(now) {
      const oldest = now - PLOT_SECONDS * 1000;
      return samples.slice(-MAX_SAMPLES).filter(({ at }) => at >= oldest);
    },
    state: () => ({ count, strays, overflowed, awaited: awaited.length - head }),
  };
}

/** Shows the figures and the plot of a round trip; called a few times a second. */
function showRoundTrip(roundTrip, isOpen) {
  const now = performance.now();
  const { count, strays, overflowed, awaited } = roundTrip.state();
  const samples = roundTrip.recent(now);
  const plot = $("plot");
  $("roundtrip-figures").hidden = !count;
  plot.toggleAttribute("hidden", !count);
  setText($("roundtrip-count"), count ? plural(count, "reply").replace("replys", "replies") : "");
  setText($("roundtrip-note"), roundTripNote({ count, strays, overflowed, awaited, isOpen }));
  if (!count) return;
  const sorted = Float64Array.from(samples, ({ took }) => took).sort();
  const coarse = sorted.length > 20 && sorted.every(Number.isInteger);
  if (coarse && !strays && !overflowed)
    setText($("roundtrip-note"), "This browser gives pages a clock in steps of 1 ms.");
  const figures = sorted.length
    ? { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), max: sorted.at(-1), last: samples.at(-1).took }
    : {};
  for (const name of ["p50", "p95", "max", "last"])
    setText($(`rtt-${name}`), name in figures ? formatDuration(figures[name]) : "–");
  drawPlot(plot, samples, figures, now);
}

function roundTripNote({ count, strays, overflowed, awaited, isOpen }) {
  if (overflowed)
    return "Too many messages are unanswered: this server does not echo, or cannot keep up. Connect anew to measure again.";
  if (strays) {
    const share = `${formatCount(strays)} of ${formatCount(count)} replies differ from what was sent.`;
    return `${share} Replies are matched in order, which is right for an echo server only.`;
  }
  if (count) return "";
  if (awaited) return "Waiting for the first reply. Replies are matched to messages in order.";
  return isOpen
    ? "Send a message: an echo server’s reply is timed here. Repeat draws a curve."
    : "Connect to an echo server and repeat a message: its replies are timed here.";
}

/** A time without the zeros that end its fraction. */
const formatTick = (time) => formatDuration(time).replace(/\.0+(?= )|(\.\d*[1-9])0+(?= )/, "$1");

function drawPlot(plot, samples, { p50, p95, max }, now) {
  const { width, height, left, right, top, bottom } = PLOT;
  const ceiling = niceCeiling(Math.max(max ?? 1, 0.1));
  const y = (took) => top + (1 - took / ceiling) * (height - top - bottom);
  const x = (at) => width - right - ((now - at) / (PLOT_SECONDS * 1000)) * (width - left - right);
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const at = y(share * ceiling);
    parts.push(makeSvg("path", { class: "grid", d: `M${left} ${at}H${width - right}` }));
    parts.push(
      makeSvg("text", { class: "tick end", x: left - 6, y: at + 3 }, share ? formatTick(share * ceiling) : "0"),
    );
  }
  for (const seconds of [0, 10, 20, 30]) {
    const anchor = seconds === 0 ? "end" : seconds === 30 ? "start" : "middle";
    parts.push(
      makeSvg(
        "text",
        { class: `tick ${anchor}`, x: x(now - seconds * 1000), y: height - 5 },
        seconds ? `−${seconds} s` : "now",
      ),
    );
  }
  if (samples.length) {
    parts.push(...plotCurves(samples, x, y));
    for (const [name, value] of [
      ["p95", p95],
      ["p50", p50],
    ]) {
      parts.push(makeSvg("path", { class: `level ${name}`, d: `M${left} ${y(value)}H${width - right}` }));
    }
  }
  plot.replaceChildren(...parts);
}

/** One column a unit of width: a band from the least to the largest, and a line through the medians. */
function plotCurves(samples, x, y) {
  const columns = new Map();
  for (const { at, took } of samples) {
    const column = Math.round(x(at));
    if (!columns.has(column)) columns.set(column, []);
    columns.get(column).push(took);
  }
  let line = "";
  let lower = "";
  let upper = "";
  const dots = [];
  for (const [column, values] of columns) {
    values.sort((a, b) => a - b);
    const middle = y(percentile(values, 0.5)).toFixed(1);
    line += `${line ? "L" : "M"}${column} ${middle}`;
    upper += `${upper ? "L" : "M"}${column} ${y(values.at(-1)).toFixed(1)}`;
    lower = `L${column} ${y(values[0]).toFixed(1)}${lower}`;
    if (columns.size <= 60) dots.push(makeSvg("circle", { class: "sample", cx: column, cy: middle, r: 2 }));
  }
  return [
    makeSvg("path", { class: "band", d: `${upper}${lower}Z` }),
    makeSvg("path", { class: "curve", d: line }),
    ...dots,
  ];
}

// Traffic.

function createTraffic() {
  const flow = () => ({
    messages: 0,
    bytes: 0,
    before: 0,
    bytesBefore: 0,
    seconds: new Array(TIDE_SECONDS).fill(0),
    rates: [],
  });
  const flows = { in: flow(), out: flow() };

  return {
    add(direction, size) {
      flows[direction].messages += 1;
      flows[direction].bytes += size;
    },
    /** Called each half second: the rate is that of the last second. */
    tick(elapsedSeconds) {
      for (const [direction, one] of Object.entries(flows)) {
        one.rates = [...one.rates.slice(-1), (one.messages - one.before) / elapsedSeconds];
        one.before = one.messages;
        const rate = one.rates.reduce((sum, value) => sum + value, 0) / one.rates.length;
        one.seconds = [...one.seconds.slice(1 - 2 * TIDE_SECONDS), rate];
        setText($(`rate-${direction}`), formatRate(rate));
        const bytesPerSecond = Math.round((one.bytes - one.bytesBefore) / elapsedSeconds);
        one.bytesBefore = one.bytes;
        setText($(`bytes-${direction}`), `${formatBytes(bytesPerSecond)}/s`);
        setText($(`total-${direction}`), `${plural(one.messages, "message")}, ${formatBytes(one.bytes)}`);
      }
      drawTide(flows.in.seconds, flows.out.seconds);
    },
    reset() {
      Object.assign(flows.in, { messages: 0, bytes: 0, before: 0, bytesBefore: 0, rates: [] });
      Object.assign(flows.out, { messages: 0, bytes: 0, before: 0, bytesBefore: 0, rates: [] });
    },
  };
}

/** Received above the axis, sent below it, each as a filled curve over the last minute. */
function drawTide(received, sent) {
  const top = Math.max(1, ...received, ...sent);
  const area = (rates, sign) => {
    const step = 360 / (2 * TIDE_SECONDS - 1);
    const from = 360 - step * (rates.length - 1);
    const points = rates.map(
      (rate, i) => `L${(from + i * step).toFixed(1)} ${(28 - sign * Math.sqrt(rate / top) * 26).toFixed(1)}`,
    );
    return `M${from.toFixed(1)} 28${points.join("")}L360 28Z`;
  };
  $("tide").querySelector(".tide-in").setAttribute("d", area(received, 1));
  $("tide").querySelector(".tide-out").setAttribute("d", area(sent, -1));
}
