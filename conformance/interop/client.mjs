// The client of Node's ws against our server: client.mjs URL.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";

const SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1048576];
const EMOJI = "Grüße 🌊🏄 ";

// How deflate is asked for. False: not at all. The threshold makes ws compress short messages too.
const OFFERS = {
  "without deflate": false,
  "deflate as it comes": { threshold: 0 },
  "deflate without context takeover": { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  "deflate with small windows": { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
};

function* messages() {
  for (const size of SIZES) {
    // Through a Buffer, because a cut may leave half a character.
    yield Buffer.from(EMOJI.repeat(size / EMOJI.length + 1).slice(0, size)).toString();
    // Bytes that deflate cannot shrink.
    yield Buffer.from({ length: size }, (_, index) => Math.imul(Math.imul(index, index), 2654435761) >>> 16);
  }
}

async function check(name, perMessageDeflate, url) {
  const ws = new WebSocket(url, { perMessageDeflate, maxPayload: 0 });
  const inbox = [];
  let wake = () => {};
  ws.on("message", (data, isBinary) => {
    inbox.push(isBinary ? data : data.toString());
    wake();
  });
  const receive = async () => {
    while (inbox.length === 0) await new Promise((resolve) => { wake = resolve; });
    return inbox.shift();
  };
  await once(ws, "open");
  assert.equal(ws.extensions.startsWith("permessage-deflate"), perMessageDeflate !== false, `${name}: ${ws.extensions}`);

  for (const sent of messages()) {
    ws.send(sent);
    assert.deepEqual(await receive(), sent, `${name}: ${sent.length} of ${typeof sent} came back changed`);
  }
  // In pieces, with a ping that the server has to answer.
  const pong = once(ws, "pong");
  ws.send(EMOJI, { fin: false });
  ws.ping("between");
  ws.send("", { fin: false });
  ws.send("end", { fin: true });
  assert.equal(await receive(), EMOJI + "end", `${name}: a fragmented message came back changed`);
  assert.equal((await pong)[0].toString(), "between", `${name}: another pong`);
  // Many at once, in order.
  for (let number = 0; number < 500; number++) ws.send(`message ${number} ${EMOJI.repeat(8)}`);
  for (let number = 0; number < 500; number++) {
    assert.equal(await receive(), `message ${number} ${EMOJI.repeat(8)}`, `${name}: message ${number} of many`);
  }
  ws.close(3001, "done");
  const [code, reason] = await once(ws, "close");
  assert.deepEqual([code, reason.toString()], [3001, "done"], `${name}: the close`);
  console.log(`${name}: ok`);
}

// A promise that nothing will keep would let Node end as if all were well; an error event is not caught at all.
process.exitCode = 1;
for (const [name, offer] of Object.entries(OFFERS)) await check(name, offer, process.argv[2]);
process.exitCode = 0;
