/** How machines come in and keep their keys fresh: the server's side of `protocol/node-join.ts`. */
import type { UpgradeCall, UpgradeDecision, UpgradeRoute } from "../door/upgrade.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import {
  ALREADY_JOINED,
  JOIN_TOKEN_PATH,
  type JoinTokenMessage,
  MACHINE_PARAMETER,
  NODE_JOIN_PATH,
  NODE_KEYS_PATH,
  type NodeKeysMessage,
  type NodeKeysReply,
} from "../protocol/node-join.ts";
import { assumedRoleArn, type Session, type SessionRequest } from "../sts/model.ts";
import type { AccessKeyDeps } from "./access-keys.ts";
import { confirmKeys, type Machine, offerFirstKeys, offerNextKeys } from "./machine-keys.ts";
import { type AccessKey, machineOf } from "./model/access-key.ts";

/** Chosen: long enough to carry a token to some machines, too short to be worth stealing from a shell's history. */
const TOKEN_SECONDS = 3600;
/** Chosen: writing a small file takes a machine no longer. */
const SAVED_MS_MAX = 30_000;
/** EC2's form. */
const MACHINE_ID = /^i-[0-9a-f]{17}$/;

export interface NodeJoinDeps extends AccessKeyDeps {
  readonly minter: { mintSession(request: SessionRequest): Promise<Session> };
  /** The account that machines join for the EC2 launch type, and its region. */
  readonly accountId: string;
  readonly region: string;
  /** Every account in which a machine has a key: the one above, and the fleet's. */
  readonly accountIds: readonly string[];
  readonly log: Log;
}

/** The routes `/join-token/ws`, `/node-join/ws` and `/node-keys/ws`. */
export function nodeJoinRoutes(deps: NodeJoinDeps): readonly UpgradeRoute[] {
  return [
    {
      path: JOIN_TOKEN_PATH,
      action: "gantry:CreateJoinToken",
      open: (call) => openToken(deps, call),
    },
    { path: NODE_JOIN_PATH, action: "gantry:JoinNode", open: (call) => openJoin(deps, call) },
    {
      path: NODE_KEYS_PATH,
      action: "gantry:RenewNodeKeys",
      open: (call) => openRenewal(deps, call),
    },
  ];
}

/** Whoever has a machine's keys learns of the tasks placed on it, of any account: no other account lets machines in. */
async function openToken(deps: NodeJoinDeps, { principal }: UpgradeCall): Promise<UpgradeDecision> {
  const { accountId } = deps;
  if (principal.accountId !== accountId) {
    return refuse(403, `machines join account ${accountId}: only its own users are given tokens`);
  }
  const token = await mintJoinToken(deps);
  return {
    accept: (socket) => {
      socket.send(JSON.stringify(token));
      socket.close(1000, "done");
    },
  };
}

/** Credentials that let machines join, for an hour. */
export async function mintJoinToken({
  accountId,
  minter,
  random,
}: Pick<NodeJoinDeps, "accountId" | "minter" | "random">): Promise<JoinTokenMessage> {
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = await minter.mintSession({
    principal: {
      accountId,
      arn: assumedRoleArn(accountId, `arn:aws:iam::${accountId}:role/gantry-join`, random.hex(8)),
      kind: "join",
    },
    durationSeconds: TOKEN_SECONDS,
  });
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt };
}

function openJoin(deps: NodeJoinDeps, call: UpgradeCall): UpgradeDecision {
  const machine = machineIn(deps, call);
  if (machine === undefined) {
    return refuse(400, `${MACHINE_PARAMETER} must be i- and 17 hex digits`);
  }
  deps.log.info("a machine joins", { machine: machine.ec2InstanceId, by: call.principal.arn });
  return {
    accept: (socket) => void handOver(deps, () => offerFirstKeys(deps, machine), socket),
  };
}

function openRenewal(deps: NodeJoinDeps, call: UpgradeCall): UpgradeDecision {
  const machine = machineIn(deps, call);
  if (machine === undefined || machineOf(call.principal) !== machine.ec2InstanceId) {
    return refuse(403, "a machine may renew its own keys only");
  }
  const offer = () => offerNextKeys(deps, machine, call.principal.accessKeyId);
  return { accept: (socket) => void handOver(deps, offer, socket) };
}

function machineIn({ accountIds }: NodeJoinDeps, call: UpgradeCall): Machine | undefined {
  const ec2InstanceId = call.query.get(MACHINE_PARAMETER) ?? "";
  return MACHINE_ID.test(ec2InstanceId) ? { ec2InstanceId, accountIds } : undefined;
}

function refuse(status: number, body: string): UpgradeDecision {
  return { refuse: { status, body } };
}

/** Offers keys and waits for the machine to have them. Must be called in the tick in which the socket was received. */
async function handOver(
  deps: NodeJoinDeps,
  offer: () => Promise<readonly AccessKey[] | undefined>,
  socket: MessageSocket,
): Promise<void> {
  const { clock, log } = deps;
  const over = new AbortController();
  let isSaved = false;
  socket.onMessage((text) => {
    isSaved = isSavedReply(text);
    over.abort();
  });
  socket.onClose(() => over.abort());
  try {
    const keys = await offer();
    if (keys === undefined) return socket.close(ALREADY_JOINED, "this machine has joined already");
    send(socket, { type: "keys", keys: toMessage(deps, keys) });
    await clock.sleep(SAVED_MS_MAX, over.signal);
    if (!isSaved) return socket.close(1000, "the keys were not taken");
    await confirmKeys(deps, keys);
    send(socket, { type: "done" });
    socket.close(1000, "done");
  } catch (error) {
    // What was offered and what was there both work now; the next renewal cleans up.
    log.warn("cannot record a machine's keys", { error: messageOf(error) });
    socket.close(1011, "the keys could not be recorded");
  }
}

function send(socket: MessageSocket, message: NodeKeysMessage): void {
  socket.send(JSON.stringify(message));
}

function toMessage({ accountId, region }: NodeJoinDeps, keys: readonly AccessKey[]) {
  const pairs = keys.map(({ accountId: account, accessKeyId, secretAccessKey }) => [
    account,
    { accessKeyId, secretAccessKey },
  ]);
  return { accountId, region, keys: Object.fromEntries(pairs) };
}

function isSavedReply(text: string): boolean {
  try {
    const reply = JSON.parse(text) as NodeKeysReply | null;
    return reply?.type === "saved";
  } catch {
    // Not of this protocol: then nothing was saved.
    return false;
  }
}
