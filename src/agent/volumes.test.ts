import assert from "node:assert/strict";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { PayloadTask, PayloadVolume } from "../protocol/acs.ts";
import { parseTask } from "./payload.ts";
import { payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";
import { findUnsupported } from "./unsupported.ts";
import { normalImageVolumes, volumeMounts } from "./volumes.ts";

const PLACES = { directory: "/agent", volumesDirectory: "/shared" };
const NO_IMAGE_VOLUMES = (_name: string): readonly string[] => [];

const VOLUMES: readonly PayloadVolume[] = [
  { name: "logs", type: "host", host: { sourcePath: "/var/log" } },
  { name: "scratch", type: "host", host: { sourcePath: "" } },
  { name: "local", type: "docker", dockerVolumeConfiguration: { scope: "task" } },
  {
    name: "data",
    type: "docker",
    dockerVolumeConfiguration: { scope: "shared", autoprovision: true },
  },
  { name: "given", type: "docker", dockerVolumeConfiguration: { scope: "shared" } },
  {
    name: "bound",
    type: "docker",
    dockerVolumeConfiguration: {
      driver: "local",
      driverOpts: { type: "none", o: "bind,ro", device: "/srv" },
    },
  },
  { name: "../odd", type: "host", host: { sourcePath: "" } },
  { name: "named", type: "host", host: { sourcePath: "pgdata" } },
  { name: "relative", type: "host", host: { sourcePath: "../etc" } },
];

function mountPoint(sourceVolume: string, containerPath: string, readOnly = false) {
  return { sourceVolume, containerPath, readOnly };
}

function withVolumes(...names: readonly string[]): PayloadTask {
  const mountPoints = names.map((name, index) => mountPoint(name, `/m${index}`));
  return payloadTask("a1", {
    volumes: VOLUMES,
    containers: [payloadContainer("web", { mountPoints })],
  });
}

function mountsOf(task: PayloadTask, name: string, imageVolumes = NO_IMAGE_VOLUMES) {
  const container = task.containers.find((candidate) => candidate.name === name);
  assert.ok(container);
  return volumeMounts(task, container, PLACES, imageVolumes);
}

test("each kind of volume has its place, and only what Docker fills is filled", () => {
  const task = withVolumes("logs", "scratch", "local", "data", "given", "bound");
  assert.deepEqual(
    mountsOf(task, "web").map(({ source, copyUp, mayMake }) => [source, copyUp, mayMake]),
    [
      ["/var/log", false, true],
      ["/agent/tasks/a1/volumes/scratch", true, true],
      ["/agent/tasks/a1/volumes/local", true, true],
      ["/shared/data", true, true],
      ["/shared/given", true, false],
      ["/srv", false, true],
    ],
  );
  const [odd] = mountsOf(withVolumes("../odd"), "web");
  assert.match(odd?.source ?? "", /^\/agent\/tasks\/a1\/volumes\/[0-9a-f]{64}$/);
});

test("a host's path that is none is a volume's name, as in Docker, or refused", () => {
  const [named] = mountsOf(withVolumes("named"), "web");
  assert.deepEqual([named?.source, named?.copyUp, named?.mayMake], ["/shared/pgdata", true, true]);
  const parsed = parseTask(withVolumes("relative"));
  assert.ok(parsed.ok);
  assert.deepEqual(findUnsupported(parsed.task), {
    container: "web",
    feature: 'the relative sourcePath "../etc"',
  });
});

test("volumesFrom takes all that the other mounts, read-only if asked, but not over own mount points", () => {
  const task = payloadTask("a1", {
    volumes: VOLUMES,
    containers: [
      payloadContainer("reader", {
        mountPoints: [mountPoint("data", "/own/")],
        volumesFrom: [{ sourceContainer: "writer", readOnly: true }],
      }),
      payloadContainer("writer", {
        mountPoints: [mountPoint("scratch", "/work"), mountPoint("logs", "/own")],
        volumesFrom: [{ sourceContainer: "base", readOnly: false }],
      }),
      payloadContainer("base", { mountPoints: [mountPoint("local", "/base", true)] }),
    ],
  });
  const imageVolumes = (name: string) => (name === "base" ? ["/declared"] : []);
  const show = (name: string) =>
    mountsOf(task, name, imageVolumes).map(({ target, readonly }) => [target, readonly]);
  assert.deepEqual(show("reader"), [
    ["/own", false],
    ["/work", true],
    ["/base", true],
    ["/declared", true],
  ]);
  assert.deepEqual(show("writer"), [
    ["/work", false],
    ["/own", false],
    ["/base", true],
    ["/declared", false],
  ]);
  const [, , , declared] = mountsOf(task, "reader", imageVolumes);
  assert.equal(declared?.source, mountsOf(task, "base", imageVolumes)[1]?.source);
});

test("what an image declares is a volume unless a mount point or a tmpfs is there", () => {
  const task = payloadTask("a1", {
    volumes: VOLUMES,
    containers: [
      payloadContainer("web", {
        mountPoints: [mountPoint("logs", "/a")],
        hostConfig: { Tmpfs: { "/b": "size=1m" } },
      }),
    ],
  });
  const declared = normalImageVolumes(["/a/", "b", "/c//d/", "/", "/c/d"]);
  assert.deepEqual(declared, ["/a", "/b", "/c/d"]);
  const targets = mountsOf(task, "web", () => declared).map(({ target }) => target);
  assert.deepEqual(targets, ["/a", "/c/d"]);
});

test("volumes that nobody here can mount are refused by name", () => {
  const cases: readonly [Partial<PayloadVolume>, string][] = [
    [{ type: "efs", efsVolumeConfiguration: {} }, "efs volumes"],
    [{ type: "fsxWindowsFileServer" }, "fsxWindowsFileServer volumes"],
    [{ type: "docker", dockerVolumeConfiguration: { driver: "rexray" } }, "volume driver rexray"],
    [
      { type: "docker", dockerVolumeConfiguration: { driverOpts: { type: "nfs", o: "addr=x" } } },
      "driverOpts of the volume driver local other than a bind",
    ],
  ];
  for (const [volume, feature] of cases) {
    const mountPoints = [mountPoint("v", "/v")];
    const task = payloadTask("a1", {
      volumes: [{ name: "v", type: "host", ...volume }],
      containers: [payloadContainer("web", { mountPoints })],
    });
    assert.deepEqual(findUnsupported(task), { container: "web", feature });
  }
});

test("a task that mounts what it has not, or nowhere, cannot be read", () => {
  const parse = (sourceVolume: string, containerPath: string) =>
    parseTask(
      payloadTask("a1", {
        volumes: VOLUMES,
        containers: [
          payloadContainer("web", { mountPoints: [mountPoint(sourceVolume, containerPath)] }),
        ],
      }),
    );
  const unknown = parse("nosuch", "/v");
  assert.ok(!unknown.ok);
  assert.equal(unknown.error, "container web mounts unknown volume nosuch");
  for (const path of ["", "relative", "/", "//"]) assert.ok(!parse("logs", path).ok, path);
  const source = { sourceContainer: "nosuch", readOnly: false };
  const from = parseTask(
    payloadTask("a1", { containers: [payloadContainer("web", { volumesFrom: [source] })] }),
  );
  assert.ok(!from.ok);
  assert.match(from.error, /unknown container nosuch/);
});

test("a task's volumes are made before its containers and go with it; shared ones stay", async () => {
  await using rig = await Rig.create();
  const { agent } = await rig.connect();
  const task = withVolumes("scratch", "data");
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const scratch = join(rig.directory, "tasks/a1/volumes/scratch");
  const data = join(rig.directory, "volumes/data");
  assert.ok((await stat(scratch)).isDirectory() && (await stat(data)).isDirectory());
  const mounts = rig.runtime.containers.get("a1-web")?.mounts ?? [];
  assert.deepEqual(
    mounts.filter(({ copyUp }) => copyUp).map(({ source, target }) => [source, target]),
    [
      [scratch, "/m0"],
      [data, "/m1"],
    ],
  );
  rig.server.assign({ ...task, desiredStatus: "STOPPED" });
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.deepEqual(await readdir(join(rig.directory, "tasks")), []);
  assert.ok((await stat(data)).isDirectory());
});

test("a shared volume without autoprovision must be there", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  rig.server.assign(withVolumes("given"));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.match(
    rig.server.reports[0]?.containers[0]?.reason ?? "",
    /^CannotCreateContainerError: there is no volume given on this machine, and autoprovision is off/,
  );
  await mkdir(join(rig.directory, "volumes/given"), { recursive: true });
  rig.server.assign({ ...withVolumes("given"), arn: payloadTask("a2").arn });
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  assert.equal(rig.server.reports[1]?.status, "RUNNING");
});
