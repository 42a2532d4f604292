import { join } from "node:path";
import { silentLog } from "../../lib/log.ts";
import type { PayloadTask, RoleCredentials } from "../../protocol/acs.ts";
import type { FakeScript } from "../../runtime/fake.ts";
import { machineDisk } from "../disk.ts";
import { type AgentHandle, payloadTask, Rig } from "../testing/rig.fixture.ts";
import { passUntil } from "../testing/time.fixture.ts";
import { Endpoint } from "./endpoint.ts";
import { type EndpointServer, openEndpointServer } from "./endpoint-server.ts";

export const TASK_ROLE: RoleCredentials = {
  credentialsId: "5d3ab47b-8a2e-4b51-8d19-7b0d43c1e6a9",
  roleArn: "arn:aws:iam::123456789012:role/web",
  accessKeyId: "ASIATASK",
  secretAccessKey: "task-secret",
  sessionToken: "task-token",
  expiration: "2026-01-01T06:00:00Z",
};

/** An agent on a fake machine, and its endpoint without the sockets. */
export interface EndpointRig extends AsyncDisposable {
  readonly rig: Rig;
  readonly agent: AgentHandle;
  readonly endpoint: Endpoint;
  /** Assigns a task and waits until it runs. */
  run(id: string, task?: Partial<PayloadTask>): Promise<void>;
  /** The value of a variable in a container's environment. */
  variable(containerId: string, name: string): string;
  /** Asks as a container of that address would, by default as a task of host mode. */
  ask(target: string, as?: Asker): Promise<{ status: number; body: unknown }>;
}

export interface Asker {
  readonly from?: string;
  readonly method?: string;
  readonly body?: string;
}

export async function openEndpointRig(
  scripts: Readonly<Record<string, FakeScript>> = {},
): Promise<EndpointRig> {
  const rig = await Rig.create(scripts);
  const agent = await rig.connect();
  const endpoint = new Endpoint({ hub: rig.endpoints, clock: rig.clock, log: silentLog });
  return {
    rig,
    agent,
    endpoint,
    run: async (id, task = {}) => {
      const { arn } = payloadTask(id);
      rig.server.assign(payloadTask(id, task));
      await passUntil(rig.clock, () => rig.server.reportsOf(arn).length > 0);
    },
    variable: (containerId, name) => {
      const environment = rig.runtime.containers.get(containerId)?.environment ?? [];
      const line = environment.findLast((variable) => variable.startsWith(`${name}=`));
      return line?.slice(name.length + 1) ?? "";
    },
    ask: async (target, { from = "127.0.0.1", method = "GET", body = "" } = {}) => {
      const answer = await endpoint.answer({ method, target, sourceAddress: from, body });
      const isJson = answer.contentType === "application/json";
      return { status: answer.status, body: isJson ? JSON.parse(answer.body) : answer.body };
    },
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

/** The server of a rig's endpoint. */
export function openServer({ rig }: EndpointRig): Promise<EndpointServer> {
  return openEndpointServer({
    hub: rig.endpoints,
    disk: machineDisk,
    portFile: join(rig.directory, "endpoint-port"),
    clock: rig.clock,
    log: silentLog,
  });
}

/** Path of a URL that points to the link-local address. */
export function pathOf(url: string): string {
  return new URL(url).pathname;
}
