/** What a task definition says about its containers, true in real ones. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type ContainerDefinition,
  type RegisterTaskDefinitionCommandInput,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { GantryKit, skipReason, until } from "./gantry-kit.ts";
import { buildHelloImage } from "./images.ts";

const skip = await skipReason();

describe("containers", { skip, concurrency: false }, () => {
  let gantry: GantryKit;
  let image: string;
  /** A volume of the machine, where containers tell what they see. */
  let told: string;

  before(async () => {
    gantry = new GantryKit();
    told = mkdtempSync(join(tmpdir(), "gantry-told-"));
    await gantry.start();
    image = await buildHelloImage();
    await gantry.loadImage(image);
  });
  after(async () => {
    await gantry[Symbol.asyncDispose]();
    rmSync(image, { force: true });
    rmSync(told, { recursive: true, force: true });
  });

  const run = (definition: RegisterTaskDefinitionCommandInput): Promise<string> =>
    gantry.runTask({
      networkMode: "host",
      volumes: [{ name: "told", host: { sourcePath: told } }],
      ...definition,
    });

  const container = (
    name: string,
    script: string,
    override: Partial<ContainerDefinition> = {},
  ): ContainerDefinition => ({
    name,
    image: "hello:latest",
    memory: 32,
    stopTimeout: 2,
    entryPoint: ["/bin/sh", "-c"],
    command: [script],
    mountPoints: [
      { sourceVolume: "told", containerPath: "/told" },
      ...(override.mountPoints ?? []),
    ],
    ...Object.fromEntries(Object.entries(override).filter(([key]) => key !== "mountPoints")),
  });

  const tell = (name: string): string => readFileSync(join(told, name), "utf8");

  test("dependencies by success and health, task volumes, volumesFrom, shared processes, init", async () => {
    const arn = await run({
      family: "together",
      pidMode: "task",
      volumes: [{ name: "told", host: { sourcePath: told } }, { name: "work" }],
      containerDefinitions: [
        container(
          "reader",
          "cat /work/a > /told/a; touch /work/b || echo readonly > /told/b; ps > /told/ps; sleep 999",
          {
            dependsOn: [{ containerName: "service", condition: "HEALTHY" }],
            volumesFrom: [{ sourceContainer: "writer", readOnly: true }],
            readonlyRootFilesystem: true,
          },
        ),
        container("service", "sleep 1; touch /tmp/up; sleep 998", {
          dependsOn: [{ containerName: "writer", condition: "SUCCESS" }],
          healthCheck: { command: ["CMD-SHELL", "test -e /tmp/up"], interval: 5, retries: 1 },
          linuxParameters: { initProcessEnabled: true },
          startTimeout: 60,
        }),
        container("writer", "echo written > /work/a", {
          essential: false,
          mountPoints: [{ sourceVolume: "work", containerPath: "/work" }],
        }),
      ],
    });
    const task = await gantry.taskIs("default", arn, "RUNNING");
    const writer = task.containers?.find(({ name }) => name === "writer");
    assert.deepEqual([writer?.lastStatus, writer?.exitCode], ["STOPPED", 0]);
    await until("the reader has told", () => tell("ps").includes("sleep 999"));
    assert.equal(tell("a"), "written\n");
    const ps = tell("ps");
    assert.match(ps, /\/pause -P/);
    assert.match(ps, /docker-init/);
    assert.match(ps, /sleep 998/, "the task's containers see each other's processes");
    await gantry.ecs.send(new StopTaskCommand({ task: arn }));
    await gantry.taskIs("default", arn, "STOPPED");
  });

  test("users, limits, capabilities, /dev/shm, tmpfs, sysctls, hosts: as the definition has them", async () => {
    const script = `{ id -u; ulimit -n; grep CapEff /proc/self/status; df -k /dev/shm | tail -1; df -k /scratch | tail -1
      cat /proc/sys/net/ipv4/tcp_keepalive_time; cat /etc/hosts | grep example; hostname; pwd; cat /proc/1/status | grep NoNewPrivs
      echo $COLOUR; } > /told/seen`;
    const arn = await run({
      family: "settings",
      networkMode: "none",
      containerDefinitions: [
        container("main", script, {
          user: "0:5",
          workingDirectory: "/tmp",
          hostname: "chosen",
          environment: [{ name: "COLOUR", value: "red" }],
          extraHosts: [{ hostname: "db.example", ipAddress: "10.1.2.3" }],
          ulimits: [{ name: "nofile", softLimit: 100, hardLimit: 200 }],
          systemControls: [{ namespace: "net.ipv4.tcp_keepalive_time", value: "77" }],
          dockerSecurityOptions: ["no-new-privileges"],
          linuxParameters: {
            capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] },
            sharedMemorySize: 5,
            tmpfs: [{ containerPath: "/scratch", size: 3, mountOptions: ["mode=1777"] }],
          },
        }),
      ],
    });
    const { containers } = await gantry.taskIs("default", arn, "STOPPED");
    assert.equal(containers?.[0]?.exitCode, 0);
    const [uid, files, caps, shm, scratch, ...rest] = tell("seen").trimEnd().split("\n");
    assert.deepEqual([uid, files], ["0", "100"]);
    assert.match(caps ?? "", /0000000000001000$/);
    assert.match(shm ?? "", /\s5120\s/);
    assert.match(scratch ?? "", /\s3072\s/);
    assert.deepEqual(rest, [
      "77",
      "10.1.2.3\tdb.example",
      "chosen",
      "/tmp",
      "NoNewPrivs:\t1",
      "red",
    ]);
  });

  test("what cannot be is the container's reason", async () => {
    const cases: readonly [string, Partial<ContainerDefinition>, RegExp][] = [
      [
        "device",
        { linuxParameters: { devices: [{ hostPath: "/dev/nosuch" }] } },
        /^CannotStartContainerError: error gathering device information .*\/dev\/nosuch/,
      ],
      [
        "user",
        { user: "nobody-here" },
        /^CannotStartContainerError: unable to find user nobody-here/,
      ],
      [
        "command",
        { command: ["nosuch"], entryPoint: [] },
        /^CannotStartContainerError: exec: "nosuch": executable file not found in \$PATH/,
      ],
      [
        "profile",
        { dockerSecurityOptions: ["apparmor:nosuch"] },
        /^CannotCreateContainerError: .*AppArmor/,
      ],
    ];
    for (const [name, override, reason] of cases) {
      const arn = await run({
        family: `impossible-${name}`,
        containerDefinitions: [container("main", "true", override)],
      });
      const { containers, stopCode } = await gantry.taskIs("default", arn, "STOPPED");
      assert.equal(stopCode, "TaskFailedToStart");
      assert.match(containers?.[0]?.reason ?? "", reason);
    }
  });
});
