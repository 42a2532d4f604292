import assert from "node:assert/strict";
import { test } from "node:test";
import { linkEnvironment, linksOf, parseLink } from "./links.ts";
import { newRecord, type TaskRecord } from "./task-record.ts";
import { payloadContainer, payloadTask } from "./testing/rig.fixture.ts";

const TASK = payloadTask("a1", {
  networkMode: "bridge",
  containers: [
    payloadContainer("web", { links: ["db:the-store", "cache"] }),
    payloadContainer("db", {
      portMappings: [
        { containerPort: 5433, protocol: "udp" },
        { containerPort: 5432, hostPort: 0, protocol: "tcp" },
        { containerPortRange: "7000-7001", protocol: "tcp" },
      ],
    }),
    payloadContainer("cache"),
  ],
});

function record(states: Readonly<Record<string, "PENDING" | "RUNNING" | "STOPPED">>): TaskRecord {
  const fresh = newRecord(TASK);
  const containers = fresh.containers.map((container, index) => ({
    ...container,
    status: states[container.name] ?? container.status,
    address: `192.168.240.${index + 4}`,
  }));
  return { ...fresh, containers };
}

test("parseLink() takes a name with an alias, or alone", () => {
  assert.deepEqual(parseLink("db:store"), { name: "db", alias: "store" });
  assert.deepEqual(parseLink("db"), { name: "db", alias: "db" });
});

test("linksOf() leads to the containers that run", () => {
  const links = linksOf(record({ db: "RUNNING", cache: "STOPPED" }), "web");
  assert.deepEqual(links, [
    {
      name: "db",
      alias: "the-store",
      address: "192.168.240.5",
      ports: [
        { port: 5433, protocol: "udp" },
        { port: 5432, protocol: "tcp" },
      ],
    },
  ]);
  assert.deepEqual(linksOf(record({ db: "RUNNING" }), "cache"), []);
});

test("linkEnvironment() names each port as Docker does", () => {
  const links = linksOf(record({ db: "RUNNING", cache: "RUNNING" }), "web");
  assert.deepEqual(linkEnvironment("web", links), [
    "THE_STORE_NAME=/web/the-store",
    "THE_STORE_PORT=tcp://192.168.240.5:5432",
    "THE_STORE_PORT_5432_TCP=tcp://192.168.240.5:5432",
    "THE_STORE_PORT_5432_TCP_ADDR=192.168.240.5",
    "THE_STORE_PORT_5432_TCP_PORT=5432",
    "THE_STORE_PORT_5432_TCP_PROTO=tcp",
    "THE_STORE_PORT_5433_UDP=udp://192.168.240.5:5433",
    "THE_STORE_PORT_5433_UDP_ADDR=192.168.240.5",
    "THE_STORE_PORT_5433_UDP_PORT=5433",
    "THE_STORE_PORT_5433_UDP_PROTO=udp",
    "CACHE_NAME=/web/cache",
  ]);
});
