import assert from "node:assert/strict";
import { test } from "node:test";
import { signalNumber } from "./signals.ts";

const NUMBERS: Readonly<Record<string, number | undefined>> = {
  SIGTERM: 15,
  TERM: 15,
  sigint: 2,
  "9": 9,
  "SIGRTMIN+3": 37,
  "SIGRTMAX-14": 50,
  SIGRTMIN: 34,
  "0": undefined,
  "65": undefined,
  "SIGRTMIN+31": undefined,
  SIGNONE: undefined,
  "": undefined,
};

for (const [text, number] of Object.entries(NUMBERS)) {
  test(`signalNumber() of ${JSON.stringify(text)} is ${number}`, () => {
    assert.equal(signalNumber(text), number);
  });
}
