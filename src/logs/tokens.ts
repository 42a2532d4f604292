import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { LogPosition, LogQuery, LogStreamStat } from "../telemetry/log-store.ts";
import { invalidParameter } from "./validate.ts";

/** Opaque texts that callers bring back, in AWS's form. */

const EVENT_TOKEN = /^([fb])\/3(\d{15})(\d{16})0{14}(\d{10})\/s$/;

/** `f/<56 digits>/s` or `b/…`: a place in a stream. Two equal places have equal tokens, which is how callers see the end. */
export function formatEventToken(
  streamId: string,
  direction: LogQuery["direction"],
  position: LogPosition,
): string {
  const timestamp = String(position.timestamp).padStart(15, "0");
  const arrival = String(position.arrival).padStart(16, "0");
  const check = checkOf(streamId, timestamp, arrival);
  return `${direction === "forward" ? "f" : "b"}/3${timestamp}${arrival}${"0".repeat(14)}${check}/s`;
}

/** Throws InvalidParameterException when it is not a token of this stream. */
export function parseEventToken(
  streamId: string,
  token: string,
): Required<Pick<LogQuery, "direction" | "position">> {
  const [, letter, timestamp = "", arrival = "", check] = EVENT_TOKEN.exec(token) ?? [];
  if (check === undefined || check !== checkOf(streamId, timestamp, arrival)) throw invalidToken();
  return {
    direction: letter === "f" ? "forward" : "backward",
    position: { timestamp: Number(timestamp), arrival: Number(arrival) },
  };
}

/** What tells an event from every other of its group, for ever: 56 digits, as AWS has them. */
export function eventId(streamId: string, { timestamp, arrival }: LogPosition): string {
  const digest = createHash("sha256").update(streamId).digest("hex").slice(0, 20);
  const stream = String(BigInt(`0x${digest}`))
    .padStart(24, "0")
    .slice(-24);
  return `3${String(timestamp).padStart(15, "0")}${String(arrival).padStart(16, "0")}${stream}`;
}

/** Where a listing goes on: after the item with this sort key. `kind` keeps the tokens of two listings apart. */
export function formatPageToken(kind: string, after: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([kind, ...after])).toString("base64url");
}

/** The sort key in a token of this kind, of `length` parts. Throws InvalidParameterException. */
export function parsePageToken(kind: string, token: string, length: number): unknown[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw invalidToken();
  }
  if (!Array.isArray(parts) || parts[0] !== kind || parts.length !== length + 1) {
    throw invalidToken();
  }
  return parts.slice(1);
}

/** What AWS still hands out for a stream's next upload. It reads none back, and neither do we. */
export function sequenceToken(streamId: string, stat: LogStreamStat): string {
  const state = `${streamId} ${stat.lastIngestionAt} ${stat.bytes}`;
  const digest = createHash("sha256").update(state).digest("hex");
  return `4964${(BigInt(`0x${digest}`) % 10n ** 52n).toString().padStart(52, "0")}`;
}

function checkOf(streamId: string, timestamp: string, arrival: string): string {
  return String(crc32(`${streamId} ${timestamp} ${arrival}`)).padStart(10, "0");
}

/** AWS's error for a token that does not belong here. */
export function invalidToken(): Error {
  return invalidParameter("The specified nextToken is invalid.");
}
