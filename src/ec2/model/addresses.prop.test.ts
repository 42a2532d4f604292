import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  contains,
  formatAddress,
  formatCidr,
  overlap,
  parseAddress,
  parseCidr,
  sizeOf,
  subrange,
} from "../../lib/cidr.ts";
import { gatewayOf, pickAddress, privateDnsName } from "./addresses.ts";

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const cidr = fc
  .tuple(address, fc.integer({ min: 16, max: 28 }))
  .map(([base, length]) => parseCidr(`${formatAddress(base)}/${length}`));

test("addresses and ranges are read as they are written", () => {
  fc.assert(
    fc.property(address, cidr, (value, range) => {
      assert.equal(parseAddress(formatAddress(value)), value);
      assert.deepEqual(parseCidr(formatCidr(range)), range);
    }),
  );
});

test("`parseAddress()` refuses what is no address", () => {
  for (const text of ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "a.b.c.d", "1.2.3.-4"]) {
    assert.throws(() => parseAddress(text), /is no IPv4 address/);
  }
});

test("`pickAddress()` gives a free address that AWS would give, as long as there is one", () => {
  fc.assert(
    fc.property(
      cidr,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.nat(30),
      (range, start, takenCount) => {
        const taken = new Set<number>();
        for (let count = 0; count <= takenCount; count++) {
          const picked = pickAddress(range, (value) => taken.has(value), start);
          if (picked === undefined) {
            assert.equal(taken.size, sizeOf(range) - 5);
            return;
          }
          assert.ok(contains(range, picked) && !taken.has(picked));
          assert.ok(picked >= range.base + 4 && picked < range.base + sizeOf(range) - 1);
          taken.add(picked);
        }
      },
    ),
  );
});

test("`subrange()` cuts a range into parts that do not overlap", () => {
  fc.assert(
    fc.property(cidr, fc.nat(20), fc.nat(20), (range, a, b) => {
      const [first, second] = [a, b].map((index) => subrange(range, 24, index));
      if (!first || !second) return;
      assert.ok(contains(range, first.base));
      assert.equal(overlap(first, second), a === b);
    }),
  );
});

test("router and private names are AWS's", () => {
  const subnet = parseCidr("172.31.16.0/20");
  assert.equal(formatAddress(gatewayOf(subnet)), "172.31.16.1");
  const ip = parseAddress("172.31.16.9");
  assert.equal(privateDnsName(ip, "us-east-1"), "ip-172-31-16-9.ec2.internal");
  assert.equal(privateDnsName(ip, "eu-west-1"), "ip-172-31-16-9.eu-west-1.compute.internal");
});
