import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageSocket } from "../lib/message-socket.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { NodeKeys } from "../protocol/node-join.ts";
import { joinServer, type Machine, renewKeys } from "./join.ts";
import type { Membership } from "./membership.ts";

const ACCOUNT = "111111111111";
const TOKEN = {
  endpoint: "http://server:4566",
  region: "us-east-1",
  accessKeyId: "ASIATOKEN",
  secretAccessKey: "secret",
  sessionToken: "session",
};

test("keys that are being written down when the connection ends are the ones to go on with", async () => {
  const machine = new TestMachine();
  const renewing = renewKeys(membershipOf("AKIAOLD"), machine, new AbortController().signal);
  const socket = await machine.dialled;
  socket.deliver({ type: "keys", keys: keysOf("AKIANEW") });
  socket.close(1011, "the server stops");
  machine.disk.resolve();
  assert.equal((await renewing).keys[ACCOUNT]?.accessKeyId, "AKIANEW");
});

test("keys that could not be written down are not taken", async () => {
  const machine = new TestMachine();
  const renewing = renewKeys(membershipOf("AKIAOLD"), machine, new AbortController().signal);
  const socket = await machine.dialled;
  socket.deliver({ type: "keys", keys: keysOf("AKIANEW") });
  machine.disk.reject(new Error("no space left on device"));
  await assert.rejects(renewing, /no space left on device/);
  assert.deepEqual(socket.sent, []);
});

test("an exchange ends with its machine, or when the server says nothing", async () => {
  const stopped = new TestMachine();
  const stop = new AbortController();
  const joining = joinServer(TOKEN, stopped, stop.signal);
  await stopped.dialled;
  stop.abort(new Error("asked to stop"));
  await assert.rejects(joining, /asked to stop/);

  const patient = new TestMachine();
  const waiting = joinServer(TOKEN, patient, new AbortController().signal);
  await patient.dialled;
  const rejected = assert.rejects(waiting, /no keys in 30000 ms/);
  await patient.clock.advance(30_000);
  await rejected;
});

function membershipOf(accessKeyId: string): Membership {
  return { endpoint: TOKEN.endpoint, ...keysOf(accessKeyId) };
}

function keysOf(accessKeyId: string): NodeKeys {
  const keys = { [ACCOUNT]: { accessKeyId, secretAccessKey: "secret" } };
  return { accountId: ACCOUNT, region: TOKEN.region, keys };
}

/** A machine whose disk takes until it is told. */
class TestMachine implements Machine {
  readonly ec2InstanceId = "i-0123456789abcdef0";
  readonly clock = new VirtualClock(Date.UTC(2026, 0, 1));
  readonly disk: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #dialled: PromiseWithResolvers<ServerEnd> = Promise.withResolvers();
  readonly dialled: Promise<ServerEnd> = this.#dialled.promise;

  readonly dial = async (): Promise<MessageSocket> => {
    const socket = new ServerEnd();
    // Whoever awaits the socket sets its listeners first.
    setImmediate(() => this.#dialled.resolve(socket));
    return socket;
  };

  readonly save = (): Promise<void> => this.disk.promise;
}

class ServerEnd implements MessageSocket {
  readonly bufferedBytes = 0;
  readonly sent: string[] = [];
  #onMessage: (text: string) => void = () => undefined;
  #onClose: (code: number, reason: string) => void = () => undefined;

  send(text: string): void {
    this.sent.push(text);
  }

  deliver(message: object): void {
    this.#onMessage(JSON.stringify(message));
  }

  close(code: number, reason: string): void {
    this.#onClose(code, reason);
  }

  onMessage(listener: (text: string) => void): void {
    this.#onMessage = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#onClose = listener;
  }
}
