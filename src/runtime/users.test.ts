import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { resolveUser } from "./users.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/sh
web:x:1000:1001:web:/www:/bin/sh

broken line
4242:x:7:8::/seven:/bin/sh
`;
const GROUP = `root:x:0:
web:x:1001:
logs:x:1003:web,other
media:x:1002:web
`;

test("resolveUser() of nothing is root with root's home", () => {
  assert.deepEqual(resolveUser("", PASSWD, GROUP), {
    uid: 0,
    gid: 0,
    additionalGids: [],
    home: "/root",
  });
});

test("resolveUser() gives a named user the groups that list it", () => {
  assert.deepEqual(resolveUser("web", PASSWD, GROUP), {
    uid: 1000,
    gid: 1001,
    additionalGids: [1002, 1003],
    home: "/www",
  });
});

test("resolveUser() finds the entry of a number", () => {
  assert.deepEqual(resolveUser("1000", PASSWD, GROUP), resolveUser("web", PASSWD, GROUP));
});

test("resolveUser() takes a number without an entry, in group 0", () => {
  assert.deepEqual(resolveUser("555", PASSWD, ""), {
    uid: 555,
    gid: 0,
    additionalGids: [],
    home: "/",
  });
});

test("resolveUser() with a group drops the supplementary groups", () => {
  assert.deepEqual(resolveUser("web:logs", PASSWD, GROUP), {
    uid: 1000,
    gid: 1003,
    additionalGids: [],
    home: "/www",
  });
  assert.equal(resolveUser("5:77", "", "").gid, 77);
});

test("resolveUser() prefers a name made of digits over the number", () => {
  assert.equal(resolveUser("4242", PASSWD, GROUP).uid, 7);
});

test("resolveUser() names the unknown user or group", () => {
  assert.throws(() => resolveUser("nobody", PASSWD, GROUP), /unable to find user nobody/);
  assert.throws(() => resolveUser("web:staff", PASSWD, GROUP), /unable to find group staff/);
  assert.throws(() => resolveUser("a:b:c", PASSWD, GROUP), /expected user\[:group\]/);
});

test("resolveUser() never gives an id the kernel would read as another", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."09:a-\n,") }), fc.string(), (text, file) => {
      try {
        const { uid, gid } = resolveUser(text, file, file);
        assert.ok(uid >= 0 && uid < 2 ** 31 && gid >= 0 && gid < 2 ** 31);
      } catch (error) {
        assert.match(String(error), /unable to find|expected user/);
      }
    }),
  );
});
