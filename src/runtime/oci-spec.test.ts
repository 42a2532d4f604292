import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CAPABILITY_NAMES } from "./capabilities.ts";
import { type HostFacts, parseCapabilities, parseHardLimits } from "./host-facts.ts";
import { buildOciSpec } from "./oci-spec.ts";
import type { ContainerSpec } from "./runtime.ts";

const MEBIBYTE = 1024 * 1024;

const container: ContainerSpec = {
  id: "t1-web",
  taskId: "t1",
  image: "docker.io/library/hello:latest",
  args: ["/bin/sh"],
  environment: ["A=1", "B=2", "A=3"],
  workingDirectory: "",
  user: "",
  hostname: "ip-10-0-0-1",
  network: { mode: "namespace", path: "/run/netns/t1" },
  cpuShares: 256,
  memoryBytesMax: 512 * MEBIBYTE,
  memoryBytesReserved: 128 * MEBIBYTE,
  taskLimits: { cpuUnits: undefined, memoryBytes: undefined },
  privileged: false,
  readonlyRootfs: false,
  capabilitiesAdded: [],
  capabilitiesDropped: [],
  noNewPrivileges: false,
  apparmorProfile: undefined,
  ulimits: [],
  sysctls: {},
  shmBytes: 64 * MEBIBYTE,
  tmpfs: {},
  mounts: [],
  terminal: false,
  outputPath: "/tmp/out",
  labels: {},
};

const host: HostFacts = {
  architecture: "x64",
  cgroupVersion: 1,
  canLimitSwap: true,
  capabilities: new Set(CAPABILITY_NAMES.filter((name) => name !== "SYS_RESOURCE")),
  hardLimits: new Map([["nofile", 20_000]]),
  canRaiseLimits: false,
  oomScoreAdj: 0,
  seccomp: true,
  apparmorProfile: undefined,
  devices: [
    { path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 0o660, uid: 0, gid: 0 },
  ],
};

const root = { uid: 0, gid: 0, additionalGids: [], home: "/root" };

function build(over: Partial<ContainerSpec> = {}, facts: Partial<HostFacts> = {}, user = root) {
  return buildOciSpec({
    container: { ...container, ...over },
    user,
    host: { ...host, ...facts },
    cgroupsPath: "/gantry/t1/t1-web",
  });
}

const types = (spec: ReturnType<typeof build>) => spec.linux.namespaces.map(({ type }) => type);

test("buildOciSpec() gives Docker's capabilities, in the bounding set alone to others than root", () => {
  const { bounding, effective } = build().process.capabilities;
  assert.equal(bounding.length, 14);
  assert.deepEqual(effective, bounding);
  assert.ok(bounding.includes("CAP_NET_BIND_SERVICE") && !bounding.includes("CAP_SYS_ADMIN"));
  const web = build({}, {}, { uid: 1000, gid: 1000, additionalGids: [], home: "/" });
  assert.deepEqual(web.process.capabilities, { bounding, effective: [], permitted: [] });
});

test("buildOciSpec() adds and drops capabilities, ALL included", () => {
  const of = (added: string[], dropped: string[]) =>
    build({ capabilitiesAdded: added, capabilitiesDropped: dropped }).process.capabilities.bounding;
  assert.deepEqual(of(["CAP_NET_ADMIN"], ["ALL"]), ["CAP_NET_ADMIN"]);
  assert.deepEqual(of([], ["all"]), []);
  assert.equal(of(["ALL"], ["SYS_ADMIN"]).length, host.capabilities.size - 1);
  assert.ok(!of([], ["CHOWN"]).includes("CAP_CHOWN"));
  assert.throws(() => of(["SYS_RESOURCE"], []), /SYS_RESOURCE is not available on this machine/);
});

test("buildOciSpec() never gives a capability that this machine cannot give", () => {
  const names = fc.subarray([...CAPABILITY_NAMES, "ALL"]);
  fc.assert(
    fc.property(
      names,
      names,
      fc.subarray([...CAPABILITY_NAMES]),
      fc.boolean(),
      (added, dropped, available, privileged) => {
        const facts = { capabilities: new Set(available) };
        const request = { capabilitiesAdded: added, capabilitiesDropped: dropped, privileged };
        try {
          for (const name of build(request, facts).process.capabilities.bounding) {
            assert.ok(available.includes(name.replace("CAP_", "")));
          }
        } catch (error) {
          assert.match(String(error), /not available on this machine/);
        }
      },
    ),
  );
});

test("buildOciSpec() never asks for a limit above its own", () => {
  const limit = fc.record({
    name: fc.constantFrom("nofile", "core", "memlock"),
    soft: fc.integer({ min: -1, max: 1_000_000 }),
    hard: fc.integer({ min: -1, max: 1_000_000 }),
  });
  fc.assert(
    fc.property(fc.array(limit, { maxLength: 3 }), (ulimits) => {
      for (const { type, soft, hard } of build({ ulimits }).process.rlimits) {
        assert.ok(soft <= hard && soft >= 0);
        if (type === "RLIMIT_NOFILE") assert.ok(hard <= 20_000);
      }
    }),
  );
  assert.deepEqual(build({}, { canRaiseLimits: true }).process.rlimits, [
    { type: "RLIMIT_NOFILE", soft: 65_535, hard: 65_535 },
  ]);
});

test("buildOciSpec() lets the later environment entry win and fills in the usual ones", () => {
  const { env } = build().process;
  assert.deepEqual(env.slice(1), ["HOSTNAME=ip-10-0-0-1", "HOME=/root", "A=3", "B=2"]);
  assert.ok(build({ environment: ["HOME=/x", "PATH=/y"] }).process.env.includes("HOME=/x"));
});

test("buildOciSpec() joins the task's network, and has every other namespace to itself", () => {
  assert.deepEqual(types(build()), ["pid", "ipc", "uts", "mount", "network"]);
  assert.deepEqual(types(build({ network: { mode: "host" } })), ["pid", "ipc", "uts", "mount"]);
  assert.ok(types(build({}, { cgroupVersion: 2 })).includes("cgroup"));
});

test("buildOciSpec() lets any user listen on low ports, in a network of the task's own only", () => {
  const low = "net.ipv4.ip_unprivileged_port_start";
  assert.equal(build().linux.sysctl[low], "0");
  assert.equal(build({ network: { mode: "host" } }).linux.sysctl[low], undefined);
  assert.equal(build({ sysctls: { [low]: "1024" } }).linux.sysctl[low], "1024");
});

test("buildOciSpec() limits memory with no swap beside it, where the kernel can", () => {
  const bytes = 512 * MEBIBYTE;
  const reservation = 128 * MEBIBYTE;
  assert.deepEqual(build().linux.resources.memory, { limit: bytes, swap: bytes, reservation });
  const memory = build({ memoryBytesReserved: undefined }, { canLimitSwap: false });
  assert.deepEqual(memory.linux.resources.memory, { limit: bytes });
  assert.equal(build({ cpuShares: 0 }).linux.resources.cpu.shares, 2);
});

test("buildOciSpec() shields the host unless the container is privileged", () => {
  const usual = build();
  assert.ok(usual.linux.seccomp && usual.linux.maskedPaths?.includes("/proc/kcore"));
  assert.deepEqual(usual.linux.resources.devices, [{ allow: false, access: "rwm" }]);
  const privileged = build({ privileged: true }, { apparmorProfile: "docker-default" });
  assert.equal(privileged.linux.seccomp, undefined);
  assert.equal(privileged.linux.maskedPaths, undefined);
  assert.equal(privileged.process.apparmorProfile, undefined);
  assert.deepEqual(privileged.linux.devices, host.devices);
  assert.equal(privileged.process.capabilities.bounding.length, host.capabilities.size);
  assert.equal(build({}, { apparmorProfile: "p" }).process.apparmorProfile, "p");
  assert.equal(build({}, { oomScoreAdj: 300 }).process.oomScoreAdj, 300);
  assert.equal(build({}, { oomScoreAdj: -900 }).process.oomScoreAdj, 0);
});

test("buildOciSpec() mounts outer directories before inner ones, and the user's in place of its own", () => {
  const { mounts } = build({
    tmpfs: { "/dev/shm": "size=1m", "/data/cache/": "size=2m,exec" },
    mounts: [
      { source: "/b", target: "/data/cache/deep", readonly: true },
      { source: "/a", target: "/data", readonly: false },
    ],
  });
  const own = mounts.slice(-4).map(({ destination }) => destination);
  assert.deepEqual(own, ["/data", "/dev/shm", "/data/cache", "/data/cache/deep"]);
  assert.equal(mounts.filter(({ destination }) => destination === "/dev/shm").length, 1);
  assert.deepEqual(mounts.at(-1)?.options, ["rbind", "rprivate", "ro"]);
  assert.throws(() => build({ tmpfs: { "../etc": "" } }), /must be an absolute path/);
});

test("parseCapabilities() keeps what is both permitted and bounding", () => {
  const status = "Name:\tx\nCapPrm:\t0000000000000003\nCapBnd:\t0000000000000005\n";
  assert.deepEqual([...parseCapabilities(status)], ["CHOWN"]);
});

test("parseHardLimits() reads the second column, and none for unlimited", () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 20000                files
Max core file size        0                    unlimited            bytes`;
  assert.deepEqual([...parseHardLimits(text)], [["nofile", 20_000]]);
});
