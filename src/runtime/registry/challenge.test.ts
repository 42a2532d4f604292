import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

test("challenges as registries write them", () => {
  const cases: readonly [string, ReturnType<typeof parseChallenges>][] = [
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/hello:pull"',
      [
        {
          scheme: "bearer",
          parameters: {
            realm: "https://auth.docker.io/token",
            service: "registry.docker.io",
            scope: "repository:library/hello:pull",
          },
        },
      ],
    ],
    [
      'Basic realm="a, \\"b\\"", charset=UTF-8',
      [{ scheme: "basic", parameters: { realm: 'a, "b"', charset: "UTF-8" } }],
    ],
    [
      'Negotiate, Bearer realm = "https://x/token" , Service=y,Basic realm=""',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "bearer", parameters: { realm: "https://x/token", service: "y" } },
        { scheme: "basic", parameters: { realm: "" } },
      ],
    ],
    ["", []],
    ['="x"', []],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseChallenges(header), expected);
});

test("whatever a header holds, reading it ends", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (header) => {
      for (const { scheme } of parseChallenges(header)) assert.ok(scheme.length > 0);
    }),
  );
});
