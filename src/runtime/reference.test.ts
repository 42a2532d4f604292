import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatReference, parseReference } from "./reference.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

const FULL: Readonly<Record<string, string>> = {
  hello: "docker.io/library/hello:latest",
  "hello:v1": "docker.io/library/hello:v1",
  "amazon/amazon-ecs-agent": "docker.io/amazon/amazon-ecs-agent:latest",
  "docker.io/hello": "docker.io/library/hello:latest",
  "index.docker.io/library/hello": "docker.io/library/hello:latest",
  "localhost/hello": "localhost/hello:latest",
  "localhost:5000/team/app:2": "localhost:5000/team/app:2",
  "[::1]:5000/app": "[::1]:5000/app:latest",
  "111122223333.dkr.ecr.us-east-1.amazonaws.com/app":
    "111122223333.dkr.ecr.us-east-1.amazonaws.com/app:latest",
  [`hello@${DIGEST}`]: `docker.io/library/hello@${DIGEST}`,
  [`hello:v1@${DIGEST}`]: `docker.io/library/hello:v1@${DIGEST}`,
  "public.ecr.aws/docker/library/nginx:1.27": "public.ecr.aws/docker/library/nginx:1.27",
};

for (const [short, full] of Object.entries(FULL)) {
  test(`parseReference() reads ${short} as Docker does`, () => {
    const reference = parseReference(short);
    assert.ok(reference);
    assert.equal(formatReference(reference), full);
  });
}

for (const text of [
  "",
  "Hello",
  "a b",
  "hello:",
  "hello:-x",
  "/hello",
  "a//b",
  "hello@sha256:12",
  "x@y@z",
  "a..b.io/x",
]) {
  test(`parseReference() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseReference(text), undefined);
  });
}

test("parseReference() is not kept busy by what is no name", () => {
  // An expression with two ways to read a run of letters would have 2^64 of them to try here.
  for (const run of ["a".repeat(64), "a-".repeat(64), "a.".repeat(64), "A".repeat(100_000)]) {
    for (const text of [`A${run}_/x`, `A.${run}!/x`, `x.io/${run}!`]) {
      assert.equal(parseReference(text), undefined);
    }
  }
});

test("parseReference() of formatReference() is the same reference", () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?$/);
  const members = {
    registry: fc.constantFrom("docker.io", "localhost", "localhost:5000", "registry.example:443"),
    repository: fc.array(part, { minLength: 2, maxLength: 4 }).map((parts) => parts.join("/")),
    tag: fc.stringMatching(/^\w[\w.-]{0,20}$/),
    digest: fc.constantFrom(undefined, DIGEST),
  };
  const reference = fc.record(members, { noNullPrototype: true });
  fc.assert(
    fc.property(reference, (wanted) => {
      assert.deepEqual(parseReference(formatReference(wanted)), wanted);
    }),
  );
});

test("parseReference() takes any text without harm, and what it takes has one full form", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab0.:/@-_[]A") }), (text) => {
      const reference = parseReference(text);
      if (reference === undefined) return;
      assert.deepEqual(parseReference(formatReference(reference)), reference);
    }),
    { numRuns: 1000 },
  );
});
