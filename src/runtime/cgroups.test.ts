import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createTaskCgroup, parseCgroupMounts, taskCgroupWrites } from "./cgroups.ts";

const HYBRID = `32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
22 27 0:21 / /proc rw,relatime - proc proc rw`;

test("parseCgroupMounts() takes a hybrid system for version 1", () => {
  const { version, controllers } = parseCgroupMounts(HYBRID);
  assert.equal(version, 1);
  assert.equal(controllers.get("memory"), "/sys/fs/cgroup/memory");
  assert.equal(controllers.get("name=systemd"), "/sys/fs/cgroup/systemd");
  assert.equal(controllers.get("unified"), "/sys/fs/cgroup/unified");
});

test("parseCgroupMounts() knows a unified system", () => {
  const mounts = parseCgroupMounts(
    "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate",
  );
  assert.equal(mounts.version, 2);
  assert.deepEqual([...mounts.controllers], [["unified", "/sys/fs/cgroup"]]);
});

test("taskCgroupWrites() gives a quarter of a vCPU a quarter of each period", () => {
  const limits = { cpuUnits: 256, memoryBytes: 1 << 29 };
  assert.deepEqual(taskCgroupWrites(2, limits), [
    { controller: "unified", file: "cpu.max", value: "25000 100000" },
    { controller: "unified", file: "memory.max", value: "536870912" },
  ]);
  assert.deepEqual(taskCgroupWrites(1, limits), [
    { controller: "cpu", file: "cpu.cfs_period_us", value: "100000" },
    { controller: "cpu", file: "cpu.cfs_quota_us", value: "25000" },
    { controller: "memory", file: "memory.limit_in_bytes", value: "536870912" },
  ]);
});

test("taskCgroupWrites() limits swap and processes in each version's way", () => {
  const limits = { cpuUnits: undefined, memoryBytes: 1000, swapBytes: 24, pidsMax: 99 };
  assert.deepEqual(taskCgroupWrites(1, limits), [
    { controller: "memory", file: "memory.limit_in_bytes", value: "1000" },
    { controller: "memory", file: "memory.memsw.limit_in_bytes", value: "1024", isOptional: true },
    { controller: "pids", file: "pids.max", value: "99" },
  ]);
  assert.deepEqual(taskCgroupWrites(2, limits), [
    { controller: "unified", file: "memory.max", value: "1000" },
    { controller: "unified", file: "memory.swap.max", value: "24", isOptional: true },
    { controller: "unified", file: "pids.max", value: "99" },
  ]);
});

test("taskCgroupWrites() never goes below the kernel's smallest quota, and writes nothing without limits", () => {
  assert.equal(
    taskCgroupWrites(2, { cpuUnits: 2, memoryBytes: undefined })[0]?.value,
    "1000 100000",
  );
  assert.deepEqual(taskCgroupWrites(1, { cpuUnits: undefined, memoryBytes: undefined }), []);
});

test("createTaskCgroup() limits the processor of a new group when its first process is made, of others at once", async () => {
  const root = await mkdtemp(join(tmpdir(), "gantry-cgroup1-"));
  try {
    const places = ["cpu", "memory"].map((name) => [name, join(root, name)] as const);
    const mounts = { version: 1, controllers: new Map(places) } as const;
    const quota = (): Promise<string> => readFile(join(root, "cpu/t1/cpu.cfs_quota_us"), "utf8");
    const limits = { cpuUnits: 256, memoryBytes: 1024 };
    const { limitCpu } = await createTaskCgroup(mounts, "/t1", limits);
    assert.equal(await readFile(join(root, "memory/t1/memory.limit_in_bytes"), "utf8"), "1024");
    await assert.rejects(quota(), { code: "ENOENT" });
    await limitCpu();
    assert.equal(await quota(), "25000");
    await createTaskCgroup(mounts, "/t1", { ...limits, cpuUnits: 512 });
    assert.equal(await quota(), "50000");
  } finally {
    await rm(root, { recursive: true });
  }
});

test("createTaskCgroup() hands the controllers of version 2 down to the task", async () => {
  const root = await mkdtemp(join(tmpdir(), "gantry-cgroup2-"));
  try {
    // Plain files stand for the kernel's: each directory of the path must offer its controllers before it is entered.
    for (const path of ["", "gantry", "gantry/t1"]) {
      await mkdir(join(root, path), { recursive: true });
      await writeFile(join(root, path, "cgroup.controllers"), "cpu memory pids rdma\n");
    }
    const mounts = { version: 2, controllers: new Map([["unified", root]]) } as const;
    await createTaskCgroup(mounts, "/gantry/t1", { cpuUnits: 512, memoryBytes: undefined });
    for (const path of ["", "gantry", "gantry/t1"]) {
      const handedDown = await readFile(join(root, path, "cgroup.subtree_control"), "utf8");
      assert.equal(handedDown, "+cpu +memory +pids");
    }
    assert.equal(await readFile(join(root, "gantry/t1/cpu.max"), "utf8"), "50000 100000");
  } finally {
    await rm(root, { recursive: true });
  }
});
