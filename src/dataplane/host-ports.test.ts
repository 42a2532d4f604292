import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { createHostPorts } from "./host-ports.ts";

/** A port that nobody has at this moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("a held port is no other process's, until it is released", async () => {
  const [ours, theirs] = [createHostPorts(), createHostPorts()];
  const port = await freePort();
  assert.equal(await ours.hold("tcp", port), true);
  assert.equal(await ours.hold("tcp", port), true);
  assert.equal(await ours.hold("udp", port), true);
  assert.equal(await theirs.hold("tcp", port), false);
  assert.equal(await theirs.hold("udp", port), false);
  ours.release("tcp", port);
  assert.equal(await theirs.hold("tcp", port), true);
  ours.close();
  assert.equal(await theirs.hold("udp", port), true);
  theirs.close();
});

test("a port that a process has on one address only cannot be held", async () => {
  const ports = createHostPorts();
  const server = createServer().listen(0, "127.0.0.1");
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await Promise.all([once(server, "listening"), once(socket, "listening")]);
  assert.equal(await ports.hold("tcp", (server.address() as AddressInfo).port), false);
  assert.equal(await ports.hold("udp", socket.address().port), false);
  server.close();
  socket.close();
});

test("who connects to a held port is sent away", async () => {
  const ports = createHostPorts();
  const port = await freePort();
  await ports.hold("tcp", port);
  const client = connect(port, "127.0.0.1");
  await once(client, "close");
  ports.close();
});

test("the range of ports that nobody asks for is the kernel's", async () => {
  const { first, last } = await createHostPorts().dynamicRange();
  assert.ok(first >= 1024 && last > first && last <= 65_535);
});
