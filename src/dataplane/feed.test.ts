import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, sleepOn } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import { systemRandom } from "../lib/random.ts";
import { type FeedMessage, NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import { DataplaneError } from "./dataplane.ts";
import { mergeChange, runNodeFeed } from "./feed.ts";

const EMPTY = NO_NETWORK;
const ONE: NodeNetwork = {
  ...NO_NETWORK,
  vpcs: [{ vpcId: "vpc-1", cidr: "172.31.0.0/16" }],
  interfaces: [],
};
const TWO: NodeNetwork = {
  ...NO_NETWORK,
  vpcs: [...ONE.vpcs, { vpcId: "vpc-2", cidr: "172.30.0.0/16" }],
};
const CHANGE_TO_TWO: FeedMessage = {
  type: "change",
  put: { vpcs: TWO.vpcs.slice(1) },
  deleted: {},
};

test("runNodeFeed() applies the list and then each change to it, and answers heartbeats", async () => {
  await using feed = start();
  const socket = await feed.connection();
  socket.say({ type: "list", network: ONE });
  assert.deepEqual(await feed.applied(), ONE);
  socket.say(CHANGE_TO_TWO);
  assert.deepEqual(await feed.applied(), TWO);
  socket.say({ type: "heartbeat" });
  assert.deepEqual(socket.sent, ['{"type":"heartbeat"}']);
});

test("runNodeFeed() skips what is overtaken while an earlier network is being made", async () => {
  await using feed = start();
  const socket = await feed.connection();
  feed.hold();
  socket.say({ type: "list", network: EMPTY });
  assert.deepEqual(await feed.applied(), EMPTY);
  socket.say({ type: "list", network: ONE });
  socket.say(CHANGE_TO_TWO);
  feed.release();
  assert.deepEqual(await feed.applied(), TWO);
  await settle();
  assert.equal(feed.appliedCount(), 2);
});

test("runNodeFeed() connects again, waiting longer each time, and takes the new list", async () => {
  await using feed = start();
  (await feed.connection()).close(1006, "");
  feed.refuse(2);
  await feed.passPause();
  await feed.passPause();
  const pauses = [await feed.passPause()];
  const socket = await feed.connection();
  socket.say({ type: "list", network: ONE });
  assert.deepEqual(await feed.applied(), ONE);
  socket.close(1006, "");
  pauses.push(await feed.passPause());
  const [long = 0, short = 0] = pauses;
  assert.ok(long > short, `${long} ms after failures, ${short} ms after a good connection`);
  await feed.connection();
});

test("runNodeFeed() closes a connection that is silent for 100 s", async () => {
  await using feed = start();
  const socket = await feed.connection();
  assert.equal(await feed.passPause(), 100_000);
  assert.deepEqual(await socket.closed, [1001, "silent for 100 s"]);
});

test("runNodeFeed() tries again after a failure, and at once when there is something newer", async () => {
  await using feed = start();
  const socket = await feed.connection();
  feed.fail(2);
  socket.say({ type: "list", network: ONE });
  assert.deepEqual(await feed.applied(), ONE);
  await feed.passPause();
  assert.deepEqual(await feed.applied(), ONE);
  socket.say(CHANGE_TO_TWO);
  assert.deepEqual(await feed.applied(), TWO);
});

test("runNodeFeed() closes a connection whose messages make no sense", async () => {
  await using feed = start();
  const socket = await feed.connection();
  socket.say(CHANGE_TO_TWO);
  assert.equal((await socket.closed)[0], 1002);
  assert.equal(feed.appliedCount(), 0);
});

test("mergeChange() replaces by id and removes what is deleted", () => {
  const moved = { vpcId: "vpc-1", cidr: "10.0.0.0/16" };
  const peer = { ec2InstanceId: "i-2", address: "10.0.0.2" };
  const change = {
    type: "change" as const,
    put: { vpcs: [moved], peers: [peer] },
    deleted: { vpcs: ["vpc-2"] },
  };
  assert.deepEqual(mergeChange(TWO, change), { ...NO_NETWORK, vpcs: [moved], peers: [peer] });
});

interface PeerSocket extends MessageSocket {
  readonly sent: string[];
  readonly closed: Promise<readonly [number, string]>;
  say(message: FeedMessage): void;
}

function peerSocket(): PeerSocket {
  const closed = Promise.withResolvers<readonly [number, string]>();
  let listener: (text: string) => void = () => undefined;
  const sent: string[] = [];
  return {
    sent,
    closed: closed.promise,
    bufferedBytes: 0,
    say: (message) => listener(JSON.stringify(message)),
    send: (text) => sent.push(text),
    close: (code, reason) => closed.resolve([code, reason]),
    onMessage: (given) => {
      listener = given;
    },
    onClose: (given) => void closed.promise.then(([code, reason]) => given(code, reason)),
  };
}

/** A line in which whoever comes first waits for the other. */
function line<T>(): { push(item: T): void; shift(): Promise<T> } {
  const items: T[] = [];
  const waiting: ((item: T) => void)[] = [];
  return {
    push: (item) => {
      const next = waiting.shift();
      if (next === undefined) items.push(item);
      else next(item);
    },
    shift: () => {
      const item = items.shift();
      return item === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(item);
    },
  };
}

/** Lets everything that can happen without time passing happen. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function start() {
  const stop = new AbortController();
  const connections = line<PeerSocket>();
  const applies = line<NodeNetwork>();
  const sleeps: { dueAt: number; ms: number; wake: () => void }[] = [];
  let [now, refusals, failures, appliedCount] = [0, 0, 0, 0];
  let held: PromiseWithResolvers<void> | undefined;
  const clock: Clock = {
    now: () => now,
    after: (ms, due) => {
      const sleep = { dueAt: now + ms, ms, wake: due };
      sleeps.push(sleep);
      return () => {
        if (sleeps.includes(sleep)) sleeps.splice(sleeps.indexOf(sleep), 1);
      };
    },
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
  };
  const done = runNodeFeed(
    {
      dial: async () => {
        if (refusals-- > 0) throw new Error("refused");
        const socket = peerSocket();
        connections.push(socket);
        return socket;
      },
      dataplane: {
        apply: async (network) => {
          appliedCount++;
          applies.push(network);
          await held?.promise;
          if (failures-- > 0) throw new DataplaneError("no");
        },
      },
      clock,
      random: systemRandom,
      log: silentLog,
    },
    stop.signal,
  );
  return {
    connection: () => connections.shift(),
    applied: () => applies.shift(),
    appliedCount: () => appliedCount,
    refuse: (count: number) => {
      refusals = count;
    },
    fail: (count: number) => {
      failures = count;
    },
    hold: () => {
      held = Promise.withResolvers();
    },
    release: () => {
      held?.resolve();
      held = undefined;
    },
    /** Moves time to the end of the shortest sleep. Returns how long that sleep was. */
    passPause: async () => {
      await settle();
      const next = sleeps.toSorted((a, b) => a.dueAt - b.dueAt)[0];
      assert.ok(next !== undefined, "nobody sleeps");
      sleeps.splice(sleeps.indexOf(next), 1);
      now = next.dueAt;
      next.wake();
      await settle();
      return next.ms;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done;
    },
  };
}
