import { constants } from "node:os";

/** The kernel's first and last real-time signals, as C libraries show them (glibc and musl keep 32 and 33 to themselves). */
const RTMIN = 34;
const RTMAX = 64;

/** The number of `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3` (an image's STOPSIGNAL may be any); undefined when it is none. */
export function signalNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^(SIG)?/, "SIG");
  const [, base, offset] = /^(SIGRTMIN|SIGRTMAX)(?:[+-](\d{1,2}))?$/.exec(name) ?? [];
  if (base !== undefined) {
    const number = base === "SIGRTMIN" ? RTMIN + Number(offset ?? 0) : RTMAX - Number(offset ?? 0);
    return number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  return new Map(Object.entries(constants.signals)).get(name);
}
