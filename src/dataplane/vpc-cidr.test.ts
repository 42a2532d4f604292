import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, readCidr } from "../lib/cidr.ts";
import { parseRoutes } from "./host-routes.ts";
import { chooseVpcCidr } from "./vpc-cidr.ts";

test("chooseVpcCidr() walks down from AWS's default, and says what to do when nothing is free", () => {
  assert.equal(chooseVpcCidr([]), "172.31.0.0/16");
  assert.equal(chooseVpcCidr(["172.31.5.1", "fd00::/8", "default"]), "172.30.0.0/16");
  assert.equal(chooseVpcCidr(["172.16.0.0/12"]), "10.255.0.0/16");
  assert.throws(() => chooseVpcCidr(["172.16.0.0/12", "10.0.0.0/8"]), {
    name: "SetupError",
    message: /--vpc-cidr or GANTRY_VPC_CIDR/,
  });
});

test("parseRoutes() keeps networks and addresses, and leaves out ways to the world", () => {
  const routes = parseRoutes([
    { dst: "default", gateway: "192.0.2.1", dev: "eth0" },
    { dst: "128.0.0.0/1", dev: "tun0" },
    { dst: "10.8.0.0/24", dev: "tun0" },
    { type: "blackhole", dst: "10.9.0.0/16" },
    { type: "local", dst: "192.0.2.2", dev: "eth0", table: "local" },
    { type: "broadcast", dst: "192.0.2.255", dev: "eth0", table: "local" },
  ]);
  assert.deepEqual(routes, [
    { cidr: "10.8.0.0/24", device: "tun0" },
    { cidr: "10.9.0.0/16", device: "blackhole" },
    { cidr: "192.0.2.2", device: "eth0" },
  ]);
});

test("readCidr() clears host bits and refuses what is no IPv4 block", () => {
  const block = readCidr("172.31.17.9/20");
  assert.ok(block !== undefined);
  assert.equal(formatAddress(block.base + 1), "172.31.16.1");
  for (const text of ["172.31.0.0/33", "256.0.0.0/8", "1.2.3/8", "::1", "1.2.3.4/16; reboot"])
    assert.equal(readCidr(text), undefined, text);
});
