import assert from "node:assert/strict";
import { test } from "node:test";
import type { Principal } from "../door/service.ts";
import type { UpgradeRoute } from "../door/upgrade.ts";
import { silentLog } from "../lib/log.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import {
  ALREADY_JOINED,
  JOIN_TOKEN_PATH,
  type JoinTokenMessage,
  NODE_JOIN_PATH,
  NODE_KEYS_PATH,
  type NodeKeys,
  type NodeKeysMessage,
} from "../protocol/node-join.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import { Sessions } from "../sts/session.ts";
import { createFindIdentity } from "./identities.ts";
import { nodeJoinRoutes } from "./node-join.ts";

const ACCOUNT = "111111111111";
const FLEET = "999999999999";
const MACHINE = "i-0123456789abcdef0";

test("a join token is good for an hour", async () => {
  await using server = await openServer();
  const token = await server.token();
  const identity = server.find(token.accessKeyId, token.sessionToken);
  assert.equal(identity?.principal.kind, "join");
  await server.clock.advance(3600_000);
  assert.equal(server.find(token.accessKeyId, token.sessionToken), undefined);
});

test("nobody of another account has a token: machines that join run tasks of all", async () => {
  await using server = await openServer();
  const other = {
    accountId: "222222222222",
    arn: "root",
    accessKeyId: "AKIA",
    kind: "root",
  } as const;
  const { status, body } = await server.refused(JOIN_TOKEN_PATH, other);
  assert.equal(status, 403);
  assert.match(body, /account 111111111111/);
});

test("a machine that joins has a key in each account, which names it", async () => {
  await using server = await openServer();
  const { keys, ended } = await server.exchange(NODE_JOIN_PATH, await server.joiner(), "saved");
  assert.deepEqual(ended, [1000, "done"]);
  assert.deepEqual(Object.keys(keys.keys), [ACCOUNT, FLEET]);
  for (const [account, { accessKeyId }] of Object.entries(keys.keys)) {
    const principal = server.find(accessKeyId)?.principal;
    assert.equal(principal?.arn, `arn:aws:sts::${account}:assumed-role/gantry-node/${MACHINE}`);
  }
});

test("a token takes no machine's place", async () => {
  await using server = await openServer();
  await server.exchange(NODE_JOIN_PATH, await server.joiner(), "saved");
  const socket = await server.open(NODE_JOIN_PATH, await server.joiner(), MACHINE);
  assert.deepEqual(await socket.ended, [ALREADY_JOINED, "this machine has joined already"]);
  const bad = await server.refused(NODE_JOIN_PATH, await server.joiner(), "i-1");
  assert.equal(bad.status, 400);
});

test("renewed keys end the older ones once the machine has written them down", async () => {
  await using server = await openServer();
  const first = (await server.exchange(NODE_JOIN_PATH, await server.joiner(), "saved")).keys;
  const second = (await server.exchange(NODE_KEYS_PATH, server.node(first), "saved")).keys;
  for (const account of [ACCOUNT, FLEET]) {
    assert.equal(server.find(first.keys[account]?.accessKeyId ?? ""), undefined);
    assert.ok(server.find(second.keys[account]?.accessKeyId ?? ""));
  }
});

test("an answer that is lost leaves both keys valid, and asking again piles nothing up", async () => {
  await using server = await openServer();
  const first = (await server.exchange(NODE_JOIN_PATH, await server.joiner(), "saved")).keys;
  const offers: NodeKeys[] = [];
  for (let round = 0; round < 4; round++) {
    await server.clock.advance(1000);
    offers.push((await server.exchange(NODE_KEYS_PATH, server.node(first), "lost")).keys);
  }
  assert.ok(server.find(first.keys[FLEET]?.accessKeyId ?? ""));
  const valid = offers.filter(({ keys }) => server.find(keys[FLEET]?.accessKeyId ?? ""));
  assert.deepEqual(valid, offers.slice(-1));
  // The machine may have written the last one down without the server hearing of it.
  const last = offers.at(-1) as NodeKeys;
  await server.clock.advance(1000);
  const next = (await server.exchange(NODE_KEYS_PATH, server.node(last), "saved")).keys;
  for (const { keys } of [first, last])
    assert.equal(server.find(keys[FLEET]?.accessKeyId ?? ""), undefined);
  assert.ok(server.find(next.keys[FLEET]?.accessKeyId ?? ""));
});

test("word of older keys that comes late takes the newer ones from nobody", async () => {
  await using server = await openServer();
  const first = (await server.exchange(NODE_JOIN_PATH, await server.joiner(), "saved")).keys;
  const late = await server.open(NODE_KEYS_PATH, server.node(first), MACHINE);
  const offer = JSON.parse(await late.received(0)) as NodeKeysMessage;
  assert.ok(offer.type === "keys");
  // The machine had them on its disk when its power went, and asks by them when it is back.
  await server.clock.advance(1000);
  const newest = (await server.exchange(NODE_KEYS_PATH, server.node(offer.keys), "saved")).keys;
  late.deliver(JSON.stringify({ type: "saved" }));
  assert.equal((await late.ended)[0], 1011);
  for (const account of [ACCOUNT, FLEET])
    assert.ok(server.find(newest.keys[account]?.accessKeyId ?? ""));
});

test("a machine renews no other machine's keys", async () => {
  await using server = await openServer();
  const { keys } = await server.exchange(NODE_JOIN_PATH, await server.joiner(), "saved");
  const other = "i-fedcba98765432100";
  assert.equal((await server.refused(NODE_KEYS_PATH, server.node(keys), other)).status, 403);
});

async function openServer() {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: {}, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  const deps = { store, cache, clock, random: systemRandom, log: silentLog };
  const sessions = new Sessions(deps);
  const findIdentity = createFindIdentity({ cache, sessions, clock });
  const routes = nodeJoinRoutes({
    ...deps,
    minter: sessions,
    accountId: ACCOUNT,
    region: "us-east-1",
    accountIds: [ACCOUNT, FLEET],
  });
  const find = (id: string, token?: string) => {
    const identity = findIdentity(id, token);
    return identity === "expired" ? undefined : identity;
  };
  const decide = async (path: string, principal: Principal, machine?: string) => {
    const route = routes.find((one) => one.path === path) as UpgradeRoute;
    const query = new URLSearchParams(machine === undefined ? {} : { ec2InstanceId: machine });
    return route.open({
      principal,
      region: "us-east-1",
      query,
      requestId: "r",
      endpoint: "http://127.0.0.1",
    });
  };
  const open = async (path: string, principal: Principal, machine?: string) => {
    const decision = await decide(path, principal, machine);
    assert.ok("accept" in decision, JSON.stringify(decision));
    const socket = new TestSocket();
    decision.accept(socket);
    return socket;
  };
  const token = async (): Promise<JoinTokenMessage> => {
    const root = { accountId: ACCOUNT, arn: "root", accessKeyId: "AKIA", kind: "root" } as const;
    const socket = await open(JOIN_TOKEN_PATH, root);
    return JSON.parse(await socket.received(0)) as JoinTokenMessage;
  };
  const principalOf = (id: string, sessionToken?: string): Principal => {
    const identity = find(id, sessionToken);
    assert.ok(identity);
    return identity.principal;
  };
  return {
    clock,
    find,
    open,
    token,
    refused: async (path: string, principal: Principal, machine?: string) => {
      const decision = await decide(path, principal, machine);
      assert.ok("refuse" in decision);
      return decision.refuse;
    },
    joiner: async (): Promise<Principal> => {
      const { accessKeyId, sessionToken } = await token();
      return principalOf(accessKeyId, sessionToken);
    },
    node: ({ keys }: NodeKeys): Principal => principalOf(keys[FLEET]?.accessKeyId ?? ""),
    /** One exchange to its end: the machine answers, or its connection is lost. */
    exchange: async (path: string, principal: Principal, answer: "saved" | "lost") => {
      const socket = await open(path, principal, MACHINE);
      const message = JSON.parse(await socket.received(0)) as NodeKeysMessage;
      assert.ok(message.type === "keys");
      if (answer === "saved") socket.deliver(JSON.stringify({ type: "saved" }));
      else socket.close(1006, "");
      return { keys: message.keys, ended: await socket.ended };
    },
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await following;
      await store.close();
    },
  };
}

/** The server's end of a websocket. */
class TestSocket implements MessageSocket {
  readonly bufferedBytes = 0;
  readonly ended: Promise<[number, string]>;
  readonly #sent: PromiseWithResolvers<string>[] = [];
  #sentCount = 0;
  readonly #end: (how: [number, string]) => void;
  #onMessage: (text: string) => void = () => undefined;
  #onClose: (code: number, reason: string) => void = () => undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<[number, string]>();
    this.ended = promise;
    this.#end = resolve;
  }

  received(index: number): Promise<string> {
    return this.#slot(index).promise;
  }

  send(text: string): void {
    this.#slot(this.#sentCount++).resolve(text);
  }

  deliver(text: string): void {
    this.#onMessage(text);
  }

  close(code: number, reason: string): void {
    this.#end([code, reason]);
    this.#onClose(code, reason);
  }

  onMessage(listener: (text: string) => void): void {
    this.#onMessage = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#onClose = listener;
  }

  #slot(index: number): PromiseWithResolvers<string> {
    this.#sent[index] ??= Promise.withResolvers<string>();
    return this.#sent[index];
  }
}
