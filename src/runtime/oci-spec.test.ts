import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CAPABILITY_NAMES } from "./capabilities.ts";
import { type HostFacts, parseCapabilities, parseHardLimits } from "./host-facts.ts";
import { buildOciSpec, type OciSpecInput } from "./oci-spec.ts";
import type { ContainerSpec } from "./runtime.ts";

const MEBIBYTE = 1024 * 1024;

const container: ContainerSpec = {
  id: "t1-web",
  taskId: "t1",
  runtime: "runc",
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
  memorySwapBytesMax: undefined,
  swappiness: undefined,
  pidNamespace: "own",
  ipcNamespace: "own",
  init: false,
  devices: [],
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
  stdinOpen: false,
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
  apparmorProfiles: undefined,
  swappiness: 60,
  initPath: "/usr/bin/catatonit",
  devices: [
    { path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 0o660, uid: 0, gid: 0 },
  ],
};

const root = { uid: 0, gid: 0, additionalGids: [], home: "/root" };

function build(
  over: Partial<ContainerSpec> = {},
  facts: Partial<HostFacts> = {},
  user = root,
  found: Partial<Pick<OciSpecInput, "devices" | "holder">> = {},
) {
  return buildOciSpec({
    container: { ...container, ...over },
    user,
    host: { ...host, ...facts },
    devices: [],
    holder: undefined,
    ...found,
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

test("buildOciSpec() gives the limits that were asked for or says which it cannot, and lowers only its own default", () => {
  const limit = fc.record({
    name: fc.constantFrom("nofile", "core", "memlock"),
    soft: fc.integer({ min: -1, max: 40_000 }),
    hard: fc.integer({ min: -1, max: 40_000 }),
  });
  const unlimited = 2 ** 63;
  fc.assert(
    fc.property(limit, fc.boolean(), ({ name, soft, hard }, canRaiseLimits) => {
      const asked = [soft, hard].map((value) => (value < 0 ? unlimited : value));
      try {
        const { rlimits } = build({ ulimits: [{ name, soft, hard }] }, { canRaiseLimits }).process;
        const given = rlimits.find(({ type }) => type === `RLIMIT_${name.toUpperCase()}`);
        assert.deepEqual([given?.soft, given?.hard], asked);
      } catch (error) {
        assert.match(String(error), new RegExp(`ulimit ${name}: `));
        const [wantsSoft = 0, wantsHard = 0] = asked;
        const isTooHigh = name === "nofile" && wantsHard > 20_000 && !canRaiseLimits;
        assert.ok(wantsSoft > wantsHard || isTooHigh);
      }
    }),
  );
  const filesOf = (facts: Partial<HostFacts>) => build({}, facts).process.rlimits[0]?.hard;
  assert.deepEqual([filesOf({}), filesOf({ canRaiseLimits: true })], [20_000, 65_535]);
});

test("buildOciSpec() applies an AppArmor profile by name where it is loaded, and never leaves it out", () => {
  const loaded = { apparmorProfiles: new Set(["strict"]), apparmorProfile: "docker-default" };
  const of = (apparmorProfile: string, facts: Partial<HostFacts> = loaded) =>
    build({ apparmorProfile }, facts).process.apparmorProfile;
  assert.equal(of("strict"), "strict");
  assert.equal(of("unconfined"), undefined);
  assert.throws(() => of("lost"), /profile lost is not loaded/);
  assert.throws(() => of("strict", {}), /no AppArmor on this machine/);
});

test("buildOciSpec() has namespaces of its own, the machine's, or the task's", () => {
  const holder = { pid: 42, shmPath: "/shm/t1" };
  const shared = { holder: "t1.pause" };
  const spec = build({ pidNamespace: shared, ipcNamespace: shared }, {}, root, { holder });
  assert.deepEqual(spec.linux.namespaces.slice(0, 2), [
    { type: "pid", path: "/proc/42/ns/pid" },
    { type: "ipc", path: "/proc/42/ns/ipc" },
  ]);
  const shmOf = (made: ReturnType<typeof build>) =>
    made.mounts.find(({ destination }) => destination === "/dev/shm");
  assert.equal(shmOf(spec)?.source, "/shm/t1");
  const hostly = build({ pidNamespace: "host", ipcNamespace: "host" });
  assert.deepEqual(types(hostly), ["uts", "mount", "network"]);
  assert.equal(shmOf(hostly)?.source, "/dev/shm");
  const none = build({ ipcNamespace: "none" });
  assert.ok(types(none).includes("ipc"));
  assert.equal(shmOf(none), undefined);
  assert.throws(() => build({ pidNamespace: shared }), /nobody holds/);
});

test("buildOciSpec() puts init before the command, where it is installed", () => {
  const spec = build({ init: true });
  assert.deepEqual(spec.process.args, ["/sbin/docker-init", "--", "/bin/sh"]);
  assert.equal(spec.mounts.at(-1)?.source, "/usr/bin/catatonit");
  assert.throws(() => build({ init: true }, { initPath: undefined }), /Debian package catatonit/);
});

test("buildOciSpec() allows swap as asked, and says where the kernel cannot", () => {
  const bytes = 512 * MEBIBYTE;
  const of = (over: Partial<ContainerSpec>, facts: Partial<HostFacts> = {}) =>
    build({ memorySwapBytesMax: 2 * bytes, ...over }, facts).linux.resources.memory;
  assert.equal(of({}).swap, 2 * bytes);
  assert.equal(of({ swappiness: 10 }).swappiness, 10);
  assert.equal(of({ memorySwapBytesMax: undefined, swappiness: 10 }).swappiness, undefined);
  assert.equal(of({ swappiness: 60 }, { cgroupVersion: 2 }).swappiness, undefined);
  assert.throws(() => of({ swappiness: 10 }, { cgroupVersion: 2 }), /swappiness: .* version 2/);
  assert.throws(() => of({ memoryBytesMax: undefined }), /maxSwap needs a memory limit/);
  assert.throws(() => of({}, { canLimitSwap: false }), /does not account for swap/);
});

test("buildOciSpec() makes mapped devices and allows them, in privileged containers too", () => {
  const node = { type: "c", major: 10, minor: 200, fileMode: 0o666, uid: 0, gid: 0 } as const;
  const rule = { allow: true, type: "c", major: 10, minor: 200, access: "rw" } as const;
  const devices = [{ node: { ...node, path: "/dev/kvm" }, rule }];
  const usual = build({}, {}, root, { devices });
  assert.deepEqual(usual.linux.devices, [{ ...node, path: "/dev/kvm" }]);
  assert.deepEqual(usual.linux.resources.devices, [{ allow: false, access: "rwm" }, rule]);
  const privileged = build({ privileged: true }, {}, root, { devices });
  assert.deepEqual(
    privileged.linux.devices,
    [{ ...node, path: "/dev/kvm" }],
    "mapped over its own",
  );
});

test("buildOciSpec() lets the later environment entry win and fills in the usual ones", () => {
  const { env } = build().process;
  assert.deepEqual(env.slice(1), ["HOSTNAME=ip-10-0-0-1", "HOME=/root", "A=3", "B=2"]);
  assert.ok(build({ environment: ["HOME=/x", "PATH=/y"] }).process.env.includes("HOME=/x"));
});

test("buildOciSpec() joins the task's network, and has every other namespace to itself", () => {
  assert.deepEqual(types(build()), ["pid", "ipc", "uts", "mount", "network"]);
  assert.deepEqual(types(build({ network: { mode: "host" } })), ["pid", "ipc", "uts", "mount"]);
  const isolated = build({ network: { mode: "isolated" } }).linux.namespaces.at(-1);
  assert.deepEqual(isolated, { type: "network" });
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
