import { type Agent, createAgent } from "../../src/agent/agent.ts";
import type { ApiFactory, Credentials } from "../../src/agent/agent-deps.ts";
import { EndpointHub } from "../../src/agent/endpoints/hub.ts";
import { removeStrayNetworks } from "../../src/agent/stray-networks.ts";
import { FreshKeys } from "../../src/cli/fresh-keys.ts";
import { joinServer } from "../../src/cli/join.ts";
import type { JoinToken } from "../../src/cli/join-token.ts";
import type { Membership } from "../../src/cli/membership.ts";
import { runNodeFeed } from "../../src/dataplane/feed.ts";
import { SERVICE_TABLE } from "../../src/door/service-table.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER } from "../../src/ecs/model/keys.ts";
import { createAwsJsonClient, type HttpSend } from "../../src/lib/aws-json-client.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Log } from "../../src/lib/log.ts";
import { signRequest } from "../../src/lib/sigv4.ts";
import { Supervisor } from "../../src/lib/supervisor.ts";
import { NODE_FEED_PATH } from "../../src/protocol/node-feed.ts";
import { createFakeRuntime, type FakeRuntime, type FakeScript } from "../../src/runtime/fake.ts";
import { ContainerHistory } from "./container-history.ts";
import { Effects, type EngineConditions, GOOD_ENGINE } from "./effects.ts";
import { HostClock } from "./host-clock.ts";
import { Link } from "./link.ts";
import { MemoryDisk } from "./memory-disk.ts";
import type { SafetyChecker } from "./safety.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { ACCOUNT_ID, ENDPOINT, REGION } from "./server.ts";
import { createSimDataplane, Kernel } from "./sim-dataplane.ts";
import type { Trace } from "./trace.ts";
import { type Door, Uplink } from "./uplink.ts";

/** Both registrations of a machine, as `node.ts` makes them. */
const REGISTRATIONS: readonly Registration[] = [
  { label: "ec2", cluster: "default", accountId: ACCOUNT_ID },
  { label: "fargate", cluster: FLEET_CLUSTER, accountId: FLEET_ACCOUNT_ID },
];

export type AgentLabel = "ec2" | "fargate";

interface Registration {
  readonly label: AgentLabel;
  readonly cluster: string;
  readonly accountId: string;
}

export interface MachineSize {
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  readonly availabilityZone: string;
}

export interface SimMachineDeps {
  /** `i-…`. */
  readonly id: string;
  /** The machine of `gantry up`, which renews no keys: the server hands it some at each start. */
  readonly isServers: boolean;
  /** Unique in this thread: names the databases in memory. */
  readonly diskName: string;
  readonly size: MachineSize;
  readonly scripts: Readonly<Record<string, FakeScript>>;
  readonly door: () => Door | undefined;
  readonly records: SafetyChecker;
  /** Virtual time. */
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly log: Log;
  /** Told when a process ends that nobody has ended, or the machine is in a state that must not be. */
  readonly onBroken: (error: unknown) => void;
}

/** One machine: what outlives its processes (containers, network, disk), and the node process that runs now. */
export class SimMachine implements Disposable {
  readonly id: string;
  readonly clock: HostClock;
  readonly link: Link;
  readonly runtime: FakeRuntime;
  readonly kernel: Kernel = new Kernel();
  readonly disk: MemoryDisk;
  readonly history: ContainerHistory;
  conditions: EngineConditions = GOOD_ENGINE;
  /** On its disk; undefined until it has joined. */
  membership: Membership | undefined;
  readonly #deps: SimMachineDeps;
  readonly #power: SeededRandom;
  #process: NodeProcess | undefined;

  constructor(deps: SimMachineDeps) {
    this.#deps = deps;
    this.#power = deps.random.fork("power");
    this.id = deps.id;
    this.clock = new HostClock(deps.clock, deps.onBroken);
    this.link = new Link(deps.clock, deps.random.fork("link"));
    this.disk = new MemoryDisk(deps.diskName);
    const write = (path: string, text: string): void => this.disk.append(path, text);
    this.runtime = createFakeRuntime(this.clock, deps.scripts, write, deps.clock);
    this.history = new ContainerHistory(this.runtime, deps.records);
  }

  get process(): NodeProcess | undefined {
    return this.#process;
  }

  /** As `gantry node --join` does first. */
  async join(token: JoinToken): Promise<void> {
    const { dial } = new Uplink(this.link, this.#deps.door);
    const save = async (membership: Membership): Promise<void> => {
      this.membership = membership;
    };
    const machine = { ec2InstanceId: this.id, clock: this.clock, dial, save };
    await joinServer(token, machine, new AbortController().signal);
  }

  start(): void {
    this.#process ??= new NodeProcess(this.#deps, this);
  }

  /** As kill -9 of the node process: containers run on, its kernel ends its connections. */
  async crash(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.uplink.kill();
    await process?.end();
  }

  /** The power goes: nobody is told, no container survives, writes that were not waited for may be lost, of the engine's too. */
  async losePower(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    this.link.cut();
    process?.uplink.vanish();
    await process?.end();
    this.history.losePower();
    this.runtime.restartMachine(() => this.#power.chance(0.7));
    await this.history.regainPower();
    this.kernel.restart();
    this.disk.loseQuickWrites();
  }

  /** One of the agents loses its directory. The node process must be gone. */
  loseDirectory(label: AgentLabel): void {
    this.history.loseMemory(label);
    this.disk.lose(directoryOf(label));
  }

  [Symbol.dispose](): void {
    this.disk[Symbol.dispose]();
  }
}

/** One run of a machine's node process: both agents and the network feed, wired as in `node.ts`. */
export class NodeProcess {
  readonly agents: readonly Agent[];
  readonly uplink: Uplink;
  readonly #dead = new AbortController();
  readonly #loops: Supervisor;

  constructor(deps: SimMachineDeps, machine: SimMachine) {
    const { id, isServers, random } = deps;
    const { clock, membership } = machine;
    if (membership === undefined) throw new Error(`${id} has not joined`);
    const log = deps.log.child(id);
    this.uplink = new Uplink(machine.link, deps.door);
    this.#loops = new Supervisor(log);
    this.#loops.failed.catch(deps.onBroken);
    const effects = effectsOn(deps, machine, this.#dead.signal);
    const keys = new FreshKeys(
      membership,
      {
        ec2InstanceId: id,
        clock,
        dial: this.uplink.dial,
        save: (received) =>
          effects.replaceFile("write keys", () => {
            machine.membership = received;
          }),
      },
      log,
    );
    const dataplane = createSimDataplane({
      kernel: machine.kernel,
      clock,
      effects,
      onConflict: (what) => deps.onBroken(new Error(what)),
    });
    const runtime = effects.over(machine.runtime);
    const api = apiFactory(this.uplink.send, clock);
    const endpoints = new EndpointHub();
    this.agents = REGISTRATIONS.map(({ label, cluster, accountId }) =>
      createAgent({
        runtime,
        dataplane,
        api,
        dial: this.uplink.dial,
        disk: machine.disk,
        endpoints,
        credentials: () => keys.of(accountId),
        directory: directoryOf(label),
        volumesDirectory: "/gantry/volumes",
        config: agentConfig(deps, { label, cluster, accountId }),
        clock,
        random,
        log: log.child(label),
      }),
    );
    const dial = feedDial(this.uplink, { id, key: () => keys.of(FLEET_ACCOUNT_ID), clock });
    this.#loops.start("feed", (signal) =>
      runNodeFeed({ dial, dataplane, clock, random, log }, signal),
    );
    if (!isServers) this.#loops.start("key renewal", (signal) => keys.run(signal, "now"));
    for (const agent of this.agents) this.#loops.start("agent", (signal) => agent.run(signal));
    const strays = { agents: this.agents, dataplane, clock, random, log };
    this.#loops.start("stray networks", (signal) => removeStrayNetworks(strays, signal));
  }

  async end(): Promise<void> {
    this.#dead.abort();
    await this.#loops[Symbol.asyncDispose]();
  }
}

function directoryOf(label: AgentLabel): string {
  return `/gantry/agent-${label}`;
}

function agentConfig(
  { id, size }: SimMachineDeps,
  registration: Registration,
): Parameters<typeof createAgent>[0]["config"] {
  return {
    ...registration,
    ...size,
    region: REGION,
    ec2InstanceId: id,
    instanceType: "gantry.sim",
    privateIp: `10.0.0.${Number.parseInt(id.slice("i-".length), 16) + 1}`,
    architecture: "x64",
    reservedPorts: [22],
    runtime: "runc",
    comesBack: registration.label === "fargate",
    version: "0.0.0",
    imagePullBehavior: "default",
  };
}

/** Clients of the API over a simulated network. */
export function apiFactory(send: HttpSend, clock: Clock): ApiFactory {
  return ({ service, region }, credentials) =>
    createAwsJsonClient({
      endpoint: ENDPOINT,
      service,
      targetPrefix: SERVICE_TABLE.find(({ name }) => name === service)?.target ?? "",
      region,
      credentials,
      clock,
      send,
    });
}

function feedDial(
  uplink: Uplink,
  { id, key, clock }: { id: string; key: () => Credentials; clock: Clock },
): Parameters<typeof runNodeFeed>[0]["dial"] {
  const url = new URL(NODE_FEED_PATH, ENDPOINT.replace(/^http/, "ws"));
  url.searchParams.set("ec2InstanceId", id);
  return (signal) => {
    const now = clock.now();
    const request = { method: "GET", url, credentials: key(), service: "ecs", region: REGION, now };
    return uplink.dial(url.href, signRequest(request), signal);
  };
}

/** What a process does to its machine until it is `dead`. */
function effectsOn(deps: SimMachineDeps, machine: SimMachine, dead: AbortSignal): Effects {
  const { id, onBroken, random, trace } = deps;
  return new Effects({
    machine: id,
    clock: machine.clock,
    random: random.fork("engine"),
    trace,
    conditions: () => machine.conditions,
    hasRoom: () => machine.disk.room === "enough",
    onStarted: (containerId) => {
      try {
        machine.history.started(containerId);
      } catch (error) {
        onBroken(error);
      }
    },
    dead,
  });
}
