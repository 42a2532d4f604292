import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { removeStrayNetworks } from "./stray-networks.ts";
import { evenRandom, payloadTask, Rig, TEST_CONFIG } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

test("what no agent of the machine claims is removed, when both have looked into their journals", async () => {
  await using rig = await Rig.create();
  const { clock, dataplane, directory, server } = rig;
  const fargate = {
    directory: join(directory, "fargate"),
    config: { ...TEST_CONFIG, label: "fargate" },
  };
  const before = [await rig.connect(), await rig.connect(fargate)] as const;
  server.assign(
    payloadTask("isolated", { networkMode: "none" }),
    payloadTask("bridged", { networkMode: "bridge" }),
  );
  await passUntil(clock, () => server.reports.length === 2);
  for (const { stop } of before) await stop();
  await dataplane.isolate("stray");
  await dataplane.attachBridge("stray-web", []);

  const over = new AbortController();
  const first = rig.start();
  const second = rig.start(fargate);
  const { promise: recovered, resolve: recover } = Promise.withResolvers<void>();
  const agents = [first.agent, { recovered: () => recovered, tasks: () => second.agent.tasks() }];
  const sweeping = removeStrayNetworks(
    { agents, dataplane, clock, random: evenRandom, log: silentLog },
    over.signal,
  );
  await pass(clock, 60_000);
  assert.ok(dataplane.attached.has("stray"), "an agent that has not looked yet may claim it");
  recover();
  await sweeping;
  assert.deepEqual([...dataplane.attached], ["isolated"]);
  assert.deepEqual([...dataplane.bridged.keys()], ["bridged-web"]);
});

test("a dataplane that cannot tell yet is asked again; an abort ends the wait", async () => {
  await using rig = await Rig.create();
  const { clock } = rig;
  let failures = 3;
  const dataplane = {
    ...rig.dataplane,
    namespaces: async () => {
      if (failures-- > 0) throw new UnavailableError("not yet");
      return rig.dataplane.namespaces();
    },
  };
  await dataplane.isolate("stray");
  const { agent } = await rig.connect();
  const deps = { agents: [agent], dataplane, clock, random: evenRandom, log: silentLog };
  const sweeping = removeStrayNetworks(deps, new AbortController().signal);
  await passUntil(clock, () => !rig.dataplane.attached.has("stray"));
  await sweeping;

  failures = Number.POSITIVE_INFINITY;
  const over = new AbortController();
  const hopeless = removeStrayNetworks(deps, over.signal);
  await pass(clock, 60_000);
  over.abort();
  await hopeless;
});
