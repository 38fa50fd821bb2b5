// The echo server of Node's ws: ws.mjs PORT [deflate].

import { WebSocketServer } from "ws";

const [port, ...words] = process.argv.slice(2);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(port),
  maxPayload: 64 * 2 ** 20,
  perMessageDeflate: words.includes("deflate") && {
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    threshold: 0,
    zlibDeflateOptions: { level: 1 },
  },
});
server.on("listening", () => console.log(`listening 127.0.0.1:${server.address().port}`));
server.on("connection", (ws) => {
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
  ws.on("error", () => ws.terminate());
});
