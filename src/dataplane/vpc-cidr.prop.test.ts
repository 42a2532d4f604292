import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { overlap, readCidr } from "../lib/cidr.ts";
import { chooseVpcCidr, findCollision } from "./vpc-cidr.ts";

const cidr = fc
  .tuple(
    fc.oneof(fc.constantFrom(10, 172, 192), fc.nat(255)),
    fc.nat(255),
    fc.nat(255),
    fc.nat(255),
    fc.integer({ min: 9, max: 32 }),
  )
  .map(([a, b, c, d, length]) => `${a}.${b}.${c}.${d}/${length}`);

test("chooseVpcCidr() never overlaps what exists, and offers AWS's own default first", () => {
  fc.assert(
    fc.property(fc.array(cidr, { maxLength: 40 }), (existing) => {
      const chosen = readCidr(chooseVpcCidr(existing));
      assert.equal(chosen?.prefixLength, 16);
      for (const each of existing) {
        const other = readCidr(each);
        assert.ok(other !== undefined && !overlap(chosen, other), each);
      }
      const withoutDefault = existing.every((each) => !each.startsWith("172."));
      if (withoutDefault) assert.equal(chooseVpcCidr(existing), "172.31.0.0/16");
    }),
  );
});

test("findCollision() finds a route if and only if one overlaps over another device", () => {
  fc.assert(
    fc.property(
      cidr,
      fc.array(fc.record({ cidr, device: fc.constantFrom("own", "eth0") })),
      (vpc, routes) => {
        const found = findCollision(vpc, routes, "own");
        const overlapping = routes.filter((route) => {
          const [a, b] = [readCidr(vpc), readCidr(route.cidr)];
          return a !== undefined && b !== undefined && overlap(a, b) && route.device !== "own";
        });
        assert.equal(found === undefined, overlapping.length === 0);
        assert.ok(found === undefined || overlapping.some((route) => route === found));
      },
    ),
  );
});
