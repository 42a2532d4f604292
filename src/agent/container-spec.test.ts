import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import type { PayloadContainer, PayloadTask } from "../protocol/acs.ts";
import type { DockerHostConfig } from "../protocol/docker-config.ts";
import type { ContainerSpec, Image } from "../runtime/runtime.ts";
import { containerIdOf, containerSpec } from "./container-spec.ts";
import type { Disk } from "./disk.ts";
import { etcFiles, hostnameOf, writeContainerFiles } from "./task-files.ts";
import { AWSVPC, payloadContainer, payloadTask } from "./testing/rig.fixture.ts";
import { findUnsupported } from "./unsupported.ts";

const IMAGE: Image = {
  name: "docker.io/library/hello:latest",
  digest: "sha256:1",
  origin: "loaded",
  config: {
    entrypoint: ["/entry"],
    command: ["default"],
    environment: ["PATH=/image", "FROM=image", "AWS_REGION=of-image"],
    workingDirectory: "/srv",
    user: "nobody",
    stopSignal: "SIGQUIT",
    volumes: [],
  },
};

function spec(
  container: PayloadContainer,
  task: Partial<PayloadTask> = {},
  image: Image = IMAGE,
): ContainerSpec {
  return containerSpec(payloadTask("a1", { containers: [container], ...task }), container, image, {
    agentLabel: "ec2",
    cluster: "default",
    runtime: "runc",
    network: { mode: "host" },
    endpoints: {
      defaults: ["AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"],
      injected: ["ECS_AGENT_URI=http://169.254.170.2/api/id"],
    },
    hostname: "box",
    linkEnvironment: [],
    mounts: [],
    outputPath: "/tmp/out",
  });
}

/** What a process would see: the last of a name counts. */
function environment(made: ContainerSpec): Record<string, string> {
  return Object.fromEntries(
    made.environment.map((line) => {
      const equals = line.indexOf("=");
      return [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
}

test("entry point and command combine with the image's as in Docker", () => {
  const args = (given: Partial<PayloadContainer>) => spec(payloadContainer("c", given)).args;
  assert.deepEqual(args({}), ["/entry", "default"]);
  assert.deepEqual(args({ command: ["x"] }), ["/entry", "x"]);
  assert.deepEqual(args({ entryPoint: ["/mine"] }), ["/mine"]);
  assert.deepEqual(args({ entryPoint: ["/mine"], command: ["x"] }), ["/mine", "x"]);
  assert.deepEqual(args({ entryPoint: [] }), ["default"]);
  assert.deepEqual(args({ overrides: '{"command":["y"]}', command: ["x"] }), ["/entry", "y"]);
  const bare = { ...IMAGE, config: { ...IMAGE.config, entrypoint: [], command: [] } };
  assert.throws(() => spec(payloadContainer("c"), {}, bare), /no command specified/);
});

test("the definition's environment wins over the image's, the image's over the defaults", () => {
  const seen = environment(spec(payloadContainer("c", { environment: { FROM: "task" } })));
  assert.equal(seen.FROM, "task");
  assert.equal(seen.PATH, "/image");
  assert.equal(seen.AWS_REGION, "of-image");
  assert.equal(seen.AWS_DEFAULT_REGION, "eu-west-1");
  assert.equal(seen.HOSTNAME, "box");
});

test("limits and Docker settings reach the runtime in its units", () => {
  const hostConfig = {
    MemoryReservation: 64 * 2 ** 20,
    Privileged: true,
    ReadonlyRootfs: true,
    CapAdd: ["SYS_PTRACE"],
    CapDrop: ["ALL"],
    Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
    Tmpfs: { "/scratch": "size=64m" },
    SecurityOpt: ["no-new-privileges:true"],
  };
  const made = spec(payloadContainer("c", { cpu: 1, memory: 128, hostConfig }), {
    cpu: 0.25,
    memory: 512,
  });
  assert.equal(made.cpuShares, 2);
  assert.equal(made.memoryBytesMax, 128 * 2 ** 20);
  assert.equal(made.memoryBytesReserved, 64 * 2 ** 20);
  assert.deepEqual(made.taskLimits, {
    cpuUnits: 256,
    memoryBytes: 512 * 2 ** 20,
    swapBytes: 0,
    pidsMax: undefined,
  });
  assert.deepEqual(made.ulimits, [{ name: "nofile", soft: 1, hard: 2 }]);
  assert.ok(made.privileged && made.readonlyRootfs && made.noNewPrivileges);
  assert.equal(made.user, "nobody");
  assert.equal(made.workingDirectory, "/srv");
});

test("container ids are containerd's, and different names never share one", () => {
  const arn = `arn:aws:ecs:eu-west-1:1:task/c/${"0".repeat(32)}`;
  assert.equal(containerIdOf(arn, "web"), `${"0".repeat(32)}-web`);
  const names = ["x".repeat(255), `${"x".repeat(254)}y`, "a_", "a-", "_", "a__b"];
  const ids = names.map((name) => containerIdOf(arn, name));
  assert.equal(new Set(ids).size, names.length);
  for (const id of ids) assert.match(id, /^(?=.{1,76}$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/);
});

test("an awsvpc task's files name its interface and its resolver", () => {
  const files = etcFiles(payloadTask("a1", AWSVPC), "web", {
    hosts: "127.0.0.1 machine",
    hostname: "machine\n",
    "resolv.conf": "nameserver 127.0.0.53\nnameserver 9.9.9.9\n",
  });
  assert.match(files.hosts, /^127\.0\.0\.1\tlocalhost\n/);
  assert.match(files.hosts, /\n10\.9\.0\.6\tip-10-9-0-6\.lab\.internal\n$/);
  assert.equal(files.hostname, "ip-10-9-0-6.lab.internal\n");
  assert.equal(files["resolv.conf"], "nameserver 10.9.0.2\nsearch lab.internal\n");
});

test("on the host's network the machine's own files are seen; elsewhere its loopback resolver is not", () => {
  const machine = {
    hosts: "127.0.0.1 machine\n",
    hostname: "machine\n",
    "resolv.conf": "nameserver 127.0.0.53\nnameserver 9.9.9.9\n",
  };
  const extra = payloadContainer("web", { hostConfig: { ExtraHosts: ["db:fd00::1"] } });
  const host = etcFiles(payloadTask("a1", { containers: [extra] }), "web", machine);
  assert.deepEqual(host, { ...machine, hosts: "127.0.0.1 machine\nfd00::1\tdb\n" });
  const none = etcFiles(payloadTask("abc", { networkMode: "none" }), "web", machine);
  assert.equal(none["resolv.conf"], "nameserver 9.9.9.9\n");
  assert.match(none.hostname, /^[0-9a-f]{12}\n$/);
});

test("names are looked up as on the machine where neither definition nor interface says how", () => {
  const text = "search corp.example lab\noptions ndots:2\nnameserver 9.9.9.9\n";
  const machine = { hosts: "", hostname: "machine\n", "resolv.conf": text };
  const resolvers = (hostConfig: DockerHostConfig): string => {
    const containers = [payloadContainer("web", { hostConfig })];
    const task = payloadTask("abc", { networkMode: "bridge", containers });
    return etcFiles(task, "web", machine)["resolv.conf"];
  };
  assert.equal(resolvers({}), "nameserver 9.9.9.9\nsearch corp.example lab\noptions ndots:2\n");
  assert.equal(
    resolvers({ Dns: ["1.1.1.1"], DnsSearch: ["own.example"] }),
    "nameserver 1.1.1.1\nsearch own.example\noptions ndots:2\n",
  );
  const { "resolv.conf": inVpc } = etcFiles(payloadTask("a1", AWSVPC), "web", machine);
  assert.equal(inVpc, "nameserver 10.9.0.2\nsearch lab.internal\n");
  const [eni] = AWSVPC.elasticNetworkInterfaces ?? [];
  assert.ok(eni);
  const elasticNetworkInterfaces = [{ ...eni, domainNameServers: [] }];
  const task = payloadTask("a1", { ...AWSVPC, elasticNetworkInterfaces });
  const { "resolv.conf": withoutServers } = etcFiles(task, "web", machine);
  assert.equal(withoutServers, "nameserver 9.9.9.9\nsearch lab.internal\n");
});

test("a container has its files on a machine that has none", async () => {
  const missing = Object.assign(new Error("ENOENT: no such file or directory"), { code: "ENOENT" });
  const written = new Map<string, string>();
  const disk = {
    makeDirectory: async () => undefined,
    readText: async () => Promise.reject(missing),
    writeText: async (path: string, text: string) => void written.set(basename(path), text),
  } as unknown as Disk;
  for (const networkMode of ["bridge", "host"] as const) {
    const task = payloadTask("abc", { networkMode });
    await writeContainerFiles({ disk, directory: "/agent" }, task, "web");
    assert.deepEqual([...written.keys()].sort(), ["hostname", "hosts", "resolv.conf"]);
  }
});

test("on the bridge a container finds itself and its links by name", () => {
  const machine = { hosts: "", hostname: "machine\n", "resolv.conf": "nameserver 9.9.9.9\n" };
  const containers = [
    payloadContainer("web"),
    payloadContainer("db", { config: { Hostname: "chosen" } }),
    payloadContainer("cache"),
  ];
  const task = payloadTask("abc", { networkMode: "bridge", containers });
  const links = [
    { name: "db", alias: "store", address: "192.168.240.5" },
    { name: "cache", alias: "cache", address: "192.168.240.6" },
  ];
  const place = { address: "192.168.240.4", links };
  const { hosts, hostname } = etcFiles(task, "web", machine, place);
  const cache = hostnameOf(task, "cache");
  assert.match(hosts, new RegExp(`\n192\\.168\\.240\\.4\t${hostname}`));
  assert.match(hosts, /\n192\.168\.240\.5\tstore chosen db\n/);
  assert.match(hosts, new RegExp(`\n192\\.168\\.240\\.6\tcache ${cache}\n$`));
});

test("containers share their task's host name in awsvpc only; elsewhere each has its own, as in Docker", () => {
  const containers = ["web", "db"].map((name) => payloadContainer(name));
  const namesIn = (over: Partial<PayloadTask>): readonly (string | undefined)[] =>
    containers.map(({ name }) => hostnameOf(payloadTask("abc", { containers, ...over }), name));
  assert.deepEqual(namesIn(AWSVPC), Array(2).fill("ip-10-9-0-6.lab.internal"));
  assert.deepEqual(namesIn({ networkMode: "host" }), [undefined, undefined]);
  for (const networkMode of ["bridge", "none"] as const) {
    const names = namesIn({ networkMode });
    assert.equal(new Set(names).size, 2);
    for (const name of names) assert.match(name ?? "", /^[0-9a-f]{12}$/);
    assert.deepEqual(namesIn({ networkMode }), names, "also when the container is made again");
  }
});

test("linuxParameters, streams and namespaces reach the runtime", () => {
  const hostConfig = {
    Init: true,
    Devices: [{ PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "rw" }],
    MemorySwap: 256 * 2 ** 20,
    MemorySwappiness: 20,
    SecurityOpt: ["apparmor:strict", "label=disable"],
  };
  const config = { OpenStdin: true, Tty: true, NetworkDisabled: true };
  const container = payloadContainer("c", { memory: 128, config, hostConfig });
  const made = spec(container, { memory: 512, pidMode: "task", ipcMode: "none" });
  assert.ok(made.init && made.stdinOpen && made.terminal);
  assert.deepEqual(made.devices, [
    { hostPath: "/dev/a", containerPath: "/dev/b", permissions: "rw" },
  ]);
  assert.deepEqual([made.memorySwapBytesMax, made.swappiness], [256 * 2 ** 20, 20]);
  assert.deepEqual(made.network, { mode: "isolated" });
  assert.equal(made.apparmorProfile, "strict");
  assert.deepEqual(made.pidNamespace, { holder: `${made.taskId}.pause` });
  assert.equal(made.ipcNamespace, "none");
  assert.equal(made.taskLimits.swapBytes, undefined, "one of its containers was given swap");
  const fargate = spec(payloadContainer("c"), { memory: 512, launchType: "FARGATE" });
  assert.deepEqual([fargate.taskLimits.swapBytes, fargate.taskLimits.pidsMax], [0, 16_384]);
});

test("each feature this agent lacks is found by the definition's name for it", () => {
  const inHostConfig = (settings: object) =>
    payloadContainer("c", {
      dockerConfig: { config: "{}", hostConfig: JSON.stringify(settings) },
    });
  const cases: readonly (readonly [PayloadContainer, string | undefined])[] = [
    [payloadContainer("c"), undefined],
    [inHostConfig({ Init: false, Devices: [], MemorySwap: null }), undefined],
    [inHostConfig({ Runtime: "kata" }), "Runtime"],
    [inHostConfig({ SecurityOpt: ["label:x"] }), "security option label:x"],
    [payloadContainer("c", { environmentFiles: [{}] }), "environmentFiles"],
  ];
  for (const [container, feature] of cases) {
    const found = findUnsupported(payloadTask("a1", { containers: [container] }));
    assert.equal(found?.feature, feature);
  }
});
