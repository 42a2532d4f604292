import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { datetimePattern } from "./datetime-format.ts";
import { logDestination } from "./log-options.ts";

const DEFAULTS = { region: "us-east-1", containerId: "task-web" };
const AWSLOGS = { "awslogs-group": "/g", "awslogs-stream": "s" };

function read(driver: string, options: Record<string, string> = {}) {
  return logDestination({ Type: driver, Config: options }, DEFAULTS);
}

describe("logDestination()", () => {
  test("reads awslogs with all its options", () => {
    assert.deepEqual(read("awslogs", { "awslogs-group": "/g" }), {
      driver: "awslogs",
      group: "/g",
      stream: "task-web",
      region: "us-east-1",
      createGroup: false,
      spoolBytesMax: 2 ** 30,
    });
    const all = read("awslogs", {
      ...AWSLOGS,
      "awslogs-region": "eu-west-1",
      "awslogs-endpoint": "http://logs",
      "awslogs-create-group": "true",
      "awslogs-multiline-pattern": "^(INFO|WARN)",
      mode: "non-blocking",
      "max-buffer-size": "25m",
    });
    assert.ok(!("error" in all) && all.driver === "awslogs");
    const { startsEvent, ...rest } = all;
    assert.ok(startsEvent?.test("WARN x") && !startsEvent.test(" WARN"));
    assert.deepEqual(rest, {
      driver: "awslogs",
      group: "/g",
      stream: "s",
      region: "eu-west-1",
      endpoint: "http://logs",
      createGroup: true,
      spoolBytesMax: 25 * 2 ** 20,
    });
    const blocking = read("awslogs", { ...AWSLOGS, mode: "blocking", "max-buffer-size": "1k" });
    assert.equal("spoolBytesMax" in blocking && blocking.spoolBytesMax, 8 * 2 ** 30);
  });

  test("json-file and none keep what they are told to on the machine", () => {
    assert.deepEqual(logDestination(undefined, DEFAULTS), { driver: "file", keepBytes: 2 ** 26 });
    assert.deepEqual(read("none"), { driver: "file", keepBytes: 0 });
    assert.deepEqual(read("json-file", { "max-size": "10m", "max-file": "3", mode: "blocking" }), {
      driver: "file",
      keepBytes: 30 * 2 ** 20,
    });
  });

  test("takes all that Go reads as a boolean", () => {
    for (const [text, createGroup] of [
      ["True", true],
      ["1", true],
      ["TRUE", true],
      ["f", false],
      ["0", false],
    ] as const) {
      const made = read("awslogs", { ...AWSLOGS, "awslogs-create-group": text });
      assert.equal("createGroup" in made && made.createGroup, createGroup, text);
    }
  });

  test("says what is wrong", () => {
    for (const [driver, options, message] of [
      ["fluentd", {}, /driver fluentd is not supported/],
      ["awslogs", {}, /awslogs-group/],
      ["awslogs", { ...AWSLOGS, tag: "x" }, /option tag of awslogs/],
      ["awslogs", { ...AWSLOGS, "awslogs-create-group": "yes" }, /awslogs-create-group': yes/],
      ["awslogs", { ...AWSLOGS, mode: "sometimes" }, /sometimes is not a valid log mode/],
      ["awslogs", { ...AWSLOGS, "max-buffer-size": "x" }, /max-buffer-size: invalid size: x/],
      ["awslogs", { ...AWSLOGS, "awslogs-multiline-pattern": "(" }, /could not parse multiline/],
      ["awslogs", { ...AWSLOGS, "awslogs-datetime-format": "%Q" }, /%Q in %Q is not a known code/],
      [
        "awslogs",
        { ...AWSLOGS, "awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "a" },
        /at the same time/,
      ],
      ["json-file", { "max-size": "big" }, /invalid log options/],
    ] as const) {
      const result = read(driver, options);
      assert.match("error" in result ? result.error : "", message);
    }
  });
});

test("awslogs-datetime-format tells lines that begin with such a time", () => {
  for (const [format, matching, other] of [
    ["\\[%b %d, %Y %H:%M:%S\\]", "[May 01, 2017 19:00:01] x", "Some random message"],
    ["%Y-%m-%dT%H:%M:%S%L%z", "2026-11-26T23:59:60.123+0100 x", "2026-13-26T23:59:60.123+0100"],
    ["%A, %d %B %y %I:%M %p", "Monday, 31 October 26 11:05 PM", "Monday, 32 October 26 11:05 PM"],
    ["%a %j %w", "Mon 366 6", "Mon 367 6"],
    ["%f%%", "000345%", "345%"],
  ] as const) {
    const pattern = datetimePattern(format);
    const options = { ...AWSLOGS, "awslogs-datetime-format": format };
    const result = read("awslogs", options);
    assert.ok(typeof pattern === "string" && "startsEvent" in result, format);
    assert.ok(result.startsEvent?.test(matching), `${format} matches ${matching}`);
    assert.ok(!result.startsEvent?.test(other), `${format}, but not ${other}`);
  }
});
