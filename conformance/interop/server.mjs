// The echo server of Node's ws, which insists on deflate, or with --plain on none: server.mjs [--plain].

import { WebSocketServer } from "ws";

const deflate = !process.argv.includes("--plain");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 0,
  perMessageDeflate: deflate && { threshold: 0 },
});
server.on("listening", () => console.log(`listening on ws://127.0.0.1:${server.address().port}/`));
server.on("connection", (ws) => {
  if (ws.extensions.startsWith("permessage-deflate") !== deflate) ws.close(4001, `agreed on ${ws.extensions}`);
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
});
