"use strict";
const SPAN = 20; // Seconds that are shown.
const canvas = document.getElementById("plot");
const state = document.getElementById("state");
let points = [];
let drawing = false;

function connect() {
  const ws = new WebSocket(location.origin.replace("http", "ws"));
  ws.binaryType = "arraybuffer";
  ws.onopen = () => { points = []; };
  ws.onmessage = (event) => {
    const view = new DataView(event.data);
    for (let at = 0; at < view.byteLength; at += 16) points.push([view.getFloat64(at, true), view.getFloat64(at + 8, true)]);
    const [now, value] = points.at(-1) ?? [0, NaN];
    points = points.filter(([time]) => time > now - SPAN);
    state.textContent = `now ${value.toFixed(3)}, ${points.length} points`;
    if (!drawing) { // Once for each picture of the screen, however many messages come.
      drawing = true;
      requestAnimationFrame(draw);
    }
  };
  ws.onclose = (event) => {
    state.textContent = `gone (${event.code}), trying again …`;
    setTimeout(connect, 1000 + 1000 * Math.random());
  };
}

function draw() {
  drawing = false;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  if (points.length < 2) return;
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const now = points.at(-1)[0];
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
  context.beginPath();
  for (const [time, value] of points) {
    context.lineTo(width * (1 - (now - time) / SPAN), 20 + (height - 40) * (1 - (value - low) / (high - low || 1)));
  }
  context.stroke();
  context.fillText(high.toFixed(2), 4, 14);
  context.fillText(low.toFixed(2), 4, height - 6);
}

connect();
