import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { PortUnavailableError } from "../dataplane/dataplane.ts";
import type { PayloadTask } from "../protocol/acs.ts";
import { payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

/** A web server that links to a database listed after it. */
function linkedTask(id: string): PayloadTask {
  return payloadTask(id, {
    networkMode: "bridge",
    containers: [
      payloadContainer("web", {
        links: ["db:store"],
        portMappings: [
          { containerPort: 80, hostPort: 8080, protocol: "tcp" },
          { containerPortRange: "7000-7001", protocol: "udp" },
        ],
      }),
      payloadContainer("db", {
        portMappings: [{ containerPort: 5432, hostPort: 0, protocol: "tcp" }],
      }),
    ],
  });
}

/** Has a machine restart under a container that its policy starts again. Returns the ports that it had. */
async function loseMachine(rig: Rig): Promise<unknown> {
  const { stop } = await rig.connect();
  const container = payloadContainer("web", {
    portMappings: [{ containerPort: 80, protocol: "tcp" }],
    restartPolicy: { enabled: true, restartAttemptPeriod: 60 },
  });
  rig.server.assign(payloadTask("a1", { networkMode: "bridge", containers: [container] }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const ports = rig.dataplane.bridged.get("a1-web")?.bindings;
  await pass(rig.clock, 61_000);
  await stop();
  rig.runtime.restartMachine(() => true);
  await rig.dataplane.detachBridge("a1-web");
  return ports;
}

test("a container that is started again after a restart of the machine is on the bridge, with its ports", async () => {
  await using rig = await Rig.create();
  const ports = await loseMachine(rig);
  await rig.connect();
  await passUntil(rig.clock, () => rig.runtime.starts.get("a1-web") === 2);
  assert.deepEqual(rig.dataplane.bridged.get("a1-web")?.bindings, ports);
});

test("one that cannot be started again ends with the code of its last run, and says why", async () => {
  await using rig = await Rig.create();
  await loseMachine(rig);
  const attachBridge = async (): Promise<never> => {
    throw new PortUnavailableError("Bind for 0.0.0.0:32768 failed: port is already allocated");
  };
  await rig.connect({ dataplane: { ...rig.dataplane, attachBridge } });
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  const [web] = rig.server.reports.at(-1)?.containers ?? [];
  assert.equal(web?.exitCode, 255);
  assert.match(web?.reason ?? "", /^CannotStartContainerError: Bind for 0\.0\.0\.0:32768 failed/);
});

test("containers on the bridge have namespaces, ports and links of their own", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  rig.server.assign(linkedTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  const [report] = rig.server.reports;
  const bindings = new Map(
    report?.containers.map(({ containerName, networkBindings }) => [
      containerName,
      networkBindings,
    ]),
  );
  assert.deepEqual(bindings.get("db"), [
    { bindIP: "0.0.0.0", containerPort: 5432, hostPort: 32_768, protocol: "tcp" },
  ]);
  assert.deepEqual(bindings.get("web"), [
    { bindIP: "0.0.0.0", containerPort: 80, hostPort: 8080, protocol: "tcp" },
    {
      bindIP: "0.0.0.0",
      containerPortRange: "7000-7001",
      hostPortRange: "32769-32770",
      protocol: "udp",
    },
  ]);
  assert.deepEqual([...rig.runtime.starts.keys()], ["a1-db", "a1-web"], "the linked one first");
  const web = rig.runtime.containers.get("a1-web");
  assert.deepEqual(web?.network, { mode: "namespace", path: "/run/netns/a1-web" });
  assert.ok(web.environment.includes("STORE_PORT_5432_TCP_ADDR=192.168.240.4"));
  const hosts = web.mounts.find(({ target }) => target === "/etc/hosts");
  assert.match(
    await readFile(hosts?.source ?? "", "utf8"),
    /\n192\.168\.240\.4\tstore [0-9a-f]{12} db\n/,
  );
  assert.deepEqual([...rig.dataplane.attached], []);

  rig.server.assign({ ...linkedTask("a1"), desiredStatus: "STOPPED" });
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.equal(rig.dataplane.bridged.size, 0);
  assert.equal(rig.server.reports.at(-1)?.containers[0]?.networkBindings?.length, 2);
});

test("a task that names no network mode is on the bridge", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const { networkMode: _, ...task } = payloadTask("a1");
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  assert.deepEqual([...rig.dataplane.bridged.keys()], ["a1-web"]);
});

test("a port that cannot be had fails the container at once, in ECS's words, and holds nothing", async () => {
  await using rig = await Rig.create();
  const dataplane = {
    ...rig.dataplane,
    attachBridge: async () => {
      throw new PortUnavailableError("Bind for 0.0.0.0:8080 failed: port is already allocated");
    },
  };
  await rig.connect({ dataplane });
  rig.server.assign(payloadTask("a1", { networkMode: "bridge" }));
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  const [report] = rig.server.reports;
  assert.equal(report?.status, "STOPPED");
  assert.equal(
    report.containers[0]?.reason,
    "CannotStartContainerError: Bind for 0.0.0.0:8080 failed: port is already allocated",
  );
});

test("a restarted agent still knows the ports of what runs, and frees those of orphans", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(linkedTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  await first.stop();
  await rig.connect();
  rig.runtime.exit("a1-web", 3);
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  const ended = rig.server.reports
    .flatMap(({ containers }) => containers)
    .find(({ containerName, status }) => containerName === "web" && status === "STOPPED");
  assert.equal(ended?.networkBindings?.[0]?.hostPort, 8080);
  assert.equal(rig.dataplane.bridged.size, 0);
});
