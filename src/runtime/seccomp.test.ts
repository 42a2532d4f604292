import assert from "node:assert/strict";
import { test } from "node:test";
import { seccompProfile } from "./seccomp.ts";

function freelyAllowed(capabilities: readonly string[]): ReadonlySet<string> {
  const { syscalls } = seccompProfile("x64", new Set(capabilities));
  return new Set(
    syscalls
      .filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args === undefined)
      .flatMap(({ names }) => names),
  );
}

const NEVER_BY_DEFAULT =
  "mount umount2 unshare setns pivot_root bpf kexec_load kexec_file_load init_module finit_module delete_module " +
  "keyctl add_key request_key io_uring_setup io_uring_enter userfaultfd perf_event_open open_by_handle_at " +
  "reboot swapon clone clone3 socket personality sethostname settimeofday syslog acct iopl";

for (const name of NEVER_BY_DEFAULT.split(" ")) {
  test(`seccompProfile() does not let ${name} through by default`, () => {
    assert.equal(freelyAllowed(["CHOWN", "NET_RAW", "SYS_CHROOT"]).has(name), false);
  });
}

test("seccompProfile() allows what a capability stands for with that capability only", () => {
  assert.ok(freelyAllowed(["SYS_ADMIN"]).has("unshare"));
  assert.ok(freelyAllowed(["SYS_MODULE"]).has("init_module"));
  assert.ok(!freelyAllowed(["SYS_MODULE"]).has("unshare"));
});

test("seccompProfile() allows clone without new namespaces, and answers clone3 as an old kernel does", () => {
  const { syscalls } = seccompProfile("x64", new Set());
  const clone = syscalls.find(({ names }) => names.includes("clone"));
  assert.deepEqual(clone?.args, [
    { index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" },
  ]);
  assert.equal(syscalls.find(({ names }) => names.includes("clone3"))?.errnoRet, 38);
});

test("seccompProfile() lists no call in two places that contradict", () => {
  const { syscalls } = seccompProfile("x64", new Set(["SYS_ADMIN", "SYSLOG", "BPF"]));
  const names = syscalls.filter(({ args }) => args === undefined).flatMap((rule) => rule.names);
  assert.equal(new Set(names).size, names.length);
  assert.ok(!names.includes(""));
});
