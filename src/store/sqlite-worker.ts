/** The journal's thread: waiting for the disk, checkpoints and rewrites happen here, off the main thread. */
import { parentPort } from "node:worker_threads";
import { assert, messageOf, SetupError } from "../lib/errors.ts";
import { JournalDirectory } from "./sqlite-directory.ts";
import type { JournalNotice, JournalReply, JournalRequest } from "./sqlite-protocol.ts";

assert(parentPort !== null, "the journal runs in a thread of its own");
serve(parentPort);

type Port = NonNullable<typeof parentPort>;

function serve(port: Port): void {
  let journal: JournalDirectory | undefined;
  let stepScheduled = false;

  const onNotice = (text: string): void =>
    port.postMessage({ kind: "notice", text } satisfies JournalNotice);
  const onRewritten = (path: string): void =>
    port.postMessage({ kind: "rewritten", path } satisfies JournalNotice);
  const handle = (request: JournalRequest): JournalReply => {
    if (request.kind === "open") {
      const { directory, deadRowsMin } = request;
      journal = new JournalDirectory({ directory, deadRowsMin, onNotice, onRewritten });
      return { kind: "opened", revision: journal.revision, path: journal.path };
    }
    if (request.kind === "close") journal?.close();
    if (request.kind === "close") return { kind: "done" };
    assert(journal !== undefined, "the journal is open");
    if (request.kind === "load") return { kind: "loaded", page: journal.loadPage() };
    if (request.kind === "append") journal.append(request.rows, request.liveRows);
    return { kind: "done" };
  };
  /** One slice of a rewrite per turn of the event loop: requests come in between. */
  const step = (): void => {
    stepScheduled = false;
    journal?.stepRewrite();
    scheduleStep();
  };
  const scheduleStep = (): void => {
    if (stepScheduled || journal?.isRewriting !== true) return;
    stepScheduled = true;
    setImmediate(step);
  };
  port.on("message", (request: JournalRequest) => {
    const reply = answer(() => handle(request));
    port.postMessage(reply, handedOver(reply));
    if (request.kind === "close") {
      journal = undefined;
      port.close();
    }
    scheduleStep();
  });
}

/** What the other thread takes without a copy. */
function handedOver(reply: JournalReply): ArrayBuffer[] {
  if (reply.kind !== "loaded" || reply.page === undefined) return [];
  const { revisions, ids, heads, ends } = reply.page;
  return [revisions.buffer, ids.buffer, heads.buffer, ends.buffer];
}

function answer(handle: () => JournalReply): JournalReply {
  try {
    return handle();
  } catch (error) {
    return { kind: "failed", message: messageOf(error), setup: error instanceof SetupError };
  }
}
