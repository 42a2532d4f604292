import assert from "node:assert/strict";
import type { UpgradeCall, UpgradeDecision } from "../../door/upgrade.ts";
import { writeRole } from "../../iam/model/role.fixture.ts";
import type { ServerMessage } from "../../protocol/acs.ts";
import type { SessionRequest } from "../../sts/model.ts";
import {
  connectPeer,
  openWorld,
  type Peer,
  settle,
  type World,
  writeDefinition,
  writeInstance,
} from "./control.fixture.ts";
import { createDispatcher, type Dispatcher } from "./dispatcher.ts";
import type { SessionMinter } from "./task-credentials.ts";

export const CLUSTER_ARN = "arn:aws:ecs:us-east-1:111111111111:cluster/demo";
export const INSTANCE_ARN =
  "arn:aws:ecs:us-east-1:111111111111:container-instance/demo/22222222222222222222222222222222";

/** The root key of the account of `buildInstance()`. */
export const ROOT: UpgradeCall["principal"] = {
  accountId: "111111111111",
  arn: "arn:aws:iam::111111111111:root",
  accessKeyId: "AKIAROOT",
  kind: "root",
};

export interface AgentWorld extends World {
  readonly dispatcher: Dispatcher;
  /** What credentials have been minted for. */
  readonly minted: readonly SessionRequest[];
  startDispatcher(): { readonly dispatcher: Dispatcher };
  open(
    query?: Record<string, string>,
    dispatcher?: Dispatcher,
    principal?: UpgradeCall["principal"],
  ): Promise<UpgradeDecision>;
  connect(query?: Record<string, string>, dispatcher?: Dispatcher): Promise<Peer<ServerMessage>>;
  /** Lets time pass for an agent that is alive. */
  answerHeartbeatsFor(agent: Peer<ServerMessage>, ms: number): Promise<void>;
}

export async function openAgentWorld(
  instance: Parameters<typeof writeInstance>[0] = {},
): Promise<AgentWorld> {
  const world = await openWorld();
  await world.put(
    writeInstance(instance),
    writeDefinition(),
    writeRole({ roleName: "app" }),
    writeRole({ roleName: "exec", path: "/service-role/" }),
  );
  const minted: SessionRequest[] = [];
  const minter = countingMinter(world, minted);
  const startDispatcher = (): { dispatcher: Dispatcher } => {
    const dispatcher = createDispatcher({ ...world, minter });
    world.run((signal) => dispatcher.run(signal));
    return { dispatcher };
  };
  const { dispatcher } = startDispatcher();
  await settle();
  const open: AgentWorld["open"] = async (query = {}, to = dispatcher, principal = ROOT) => {
    const route = to.routes.find(({ path }) => path === "/acs/ws");
    assert.ok(route);
    return route.open(upgradeCall({ ...AGENT_QUERY, ...query }, principal));
  };
  return {
    ...world,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    dispatcher,
    minted,
    startDispatcher,
    open,
    connect: async (query, to) => {
      const decision = await open(query, to);
      assert.ok("accept" in decision);
      const agent = connectPeer<ServerMessage>();
      decision.accept(agent.socket);
      await settle();
      return agent;
    },
    answerHeartbeatsFor: async (agent, ms) => {
      for (let passed = 0; passed < ms; passed += 20_000) {
        say(agent, "HeartbeatAckRequest", { messageId: "" });
        await world.clock.advance(Math.min(20_000, ms - passed));
        await settle();
      }
    },
  };
}

/** Numbers its sessions: `ASIA1`, `ASIA2`, … */
function countingMinter({ clock }: World, minted: SessionRequest[]): SessionMinter {
  return {
    stableId: async (subject) => `id of ${subject}`,
    mintSession: async (request) => {
      const count = minted.push(request);
      const expiresAt = clock.now() + request.durationSeconds * 1000;
      const secrets = { secretAccessKey: `secret${count}`, sessionToken: `token${count}` };
      return { accessKeyId: `ASIA${count}`, ...secrets, expiresAt };
    },
  };
}

const AGENT_QUERY = {
  agentHash: "a8b3e7d3",
  agentVersion: "1.105.1",
  clusterArn: "demo",
  containerInstanceArn: INSTANCE_ARN,
  dockerVersion: "DockerVersion: 20.10.24",
  protocolVersion: "2",
  seqNum: "1",
  sendCredentials: "true",
};

export function upgradeCall(
  query: Record<string, string>,
  principal: UpgradeCall["principal"],
): UpgradeCall {
  return {
    principal,
    region: "us-east-1",
    query: new URLSearchParams(query),
    requestId: "r",
    endpoint: "http://127.0.0.1:4566",
  };
}

export function say(agent: Peer<ServerMessage>, type: string, message: object): void {
  agent.send(JSON.stringify({ type, message }));
}

export function acknowledge(agent: Peer<ServerMessage>, messageId: string | undefined): void {
  say(agent, "AckRequest", { cluster: CLUSTER_ARN, containerInstance: INSTANCE_ARN, messageId });
}

type MessageOf<Type extends ServerMessage["type"]> = Extract<
  ServerMessage,
  { type: Type }
>["message"];

export function all<Type extends ServerMessage["type"]>(
  agent: Peer<ServerMessage>,
  type: Type,
): MessageOf<Type>[] {
  return agent.received.flatMap((sent) =>
    sent.type === type ? [sent.message as MessageOf<Type>] : [],
  );
}

export function only<Type extends ServerMessage["type"]>(
  agent: Peer<ServerMessage>,
  type: Type,
): MessageOf<Type> {
  const [message, ...others] = all(agent, type);
  assert.ok(message && others.length === 0, `one ${type} was sent`);
  return message;
}

export function payloads(agent: Peer<ServerMessage>): MessageOf<"PayloadMessage">[] {
  return all(agent, "PayloadMessage");
}

export function toldTasks(agent: Peer<ServerMessage>): string[] {
  return payloads(agent).flatMap(({ tasks }) => tasks.map(({ arn }) => arn));
}

export function typesOf(agent: Peer<ServerMessage>): string[] {
  return agent.received.map(({ type }) => type).filter((type) => type !== "HeartbeatMessage");
}

/** Says that the credentials of a message have come, as the agent does. */
export function acknowledgeCredentials(
  agent: Peer<ServerMessage>,
  { credentialsId, expiration }: { readonly credentialsId: string; readonly expiration: string },
): void {
  say(agent, "IAMRoleCredentialsAckRequest", { messageId: "", credentialsId, expiration });
}
