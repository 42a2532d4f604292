import assert from "node:assert/strict";
import { test } from "node:test";
import { INSTANCE_ARN, openAgentWorld, ROOT, upgradeCall } from "./agent-world.fixture.ts";
import { connectPeer } from "./control.fixture.ts";

test("telemetry is acknowledged, signed frames and bare ones, and heartbeats come", async () => {
  await using world = await openAgentWorld();
  const route = world.dispatcher.routes.find(({ path }) => path === "/tcs/ws");
  const decision = await route?.open(
    upgradeCall({ cluster: "demo", containerInstance: INSTANCE_ARN }, ROOT),
  );
  assert.ok(decision && "accept" in decision);
  const agent = connectPeer<{ type: string }>();
  decision.accept(agent.socket);
  agent.send(`Authorization: x\r\nHost: y\r\n\r\n{"type":"PublishMetricsRequest","message":{}}`);
  agent.send(`{"type":"PublishHealthRequest","message":{}}`);
  agent.send("noise");
  await world.clock.advance(26_000);
  assert.deepEqual(
    agent.received.map(({ type }) => type),
    ["HeartbeatMessage", "AckPublishMetric", "AckPublishHealth", "HeartbeatMessage"],
  );
});
