/** What amazon-ecs-agent 1.105 does with a task after it has read it: what fails the task there fails the test here. */
import assert from "node:assert/strict";
import { isIPv4 } from "node:net";

type Json = Readonly<Record<string, unknown>>;

/** What the agent computes itself: Docker's configuration is decoded over it, and would destroy it, even by a null. */
const OWN_CONFIG = ["Cmd", "Entrypoint", "Env", "ExposedPorts", "Image"];
const OWN_HOST_CONFIG = ["Binds", "CpuShares", "Links", "Memory", "PortBindings", "VolumesFrom"];
const CONDITIONS = ["START", "COMPLETE", "SUCCESS", "HEALTHY"];
/** `agent/api/container/container.go`: no signs. */
const UNSIGNED = ["cpu", "memory", "startTimeout", "stopTimeout"];

/** Throws AssertionError naming what the agent would not run. The task's members have their types already. */
export function checkTask(task: Json, path: string): void {
  assert.match(String(task.arn), /^arn:[^:]+:ecs:[^:]+:\d{12}:task\/[^/]+\/[0-9a-f]{32}$/, path);
  assert.ok(["RUNNING", "STOPPED"].includes(String(task.desiredStatus)), `${path}.desiredStatus`);
  const interfaces = listOf(task.elasticNetworkInterfaces);
  const containers = listOf(task.containers);
  for (const [index, eni] of interfaces.entries()) checkInterface(eni, `${path}.eni[${index}]`);
  for (const [index, container] of containers.entries()) {
    const at = `${path}.containers[${index}]`;
    checkContainer(container, at);
    const isAwsvpc = interfaces.length > 0;
    // Docker refuses to publish ports of a container that shares another's network.
    if (isAwsvpc) assert.deepEqual(container.portMappings, [], `${at}.portMappings`);
    const { NetworkMode } = documentOf(container, "hostConfig");
    if (!isAwsvpc && task.desiredStatus === "RUNNING") {
      assert.ok(["bridge", "host", "none"].includes(String(NetworkMode)), `${at} has no network`);
    }
  }
  const names = new Set(containers.map(({ name }) => name));
  for (const { dependsOn } of containers) {
    for (const { condition, containerName } of listOf(dependsOn)) {
      assert.ok(names.has(containerName), `${path} depends on ${containerName}`);
      assert.ok(CONDITIONS.includes(String(condition)), `${path} depends by ${condition}`);
    }
  }
  for (const { dockerVolumeConfiguration: docker, name, type } of listOf(task.volumes)) {
    // What has no type is the machine's directory, but for what is attached.
    const isAttached = JSON.stringify(task.attachments ?? []).includes(JSON.stringify(name));
    assert.ok(type !== undefined || isAttached, `${path}: ${name}`);
    if (docker === undefined) continue;
    // `agent/api/task/task.go`: whatever is not "task" is a shared volume, which without autoprovision must be there.
    assert.ok(["shared", "task"].includes(String((docker as Json).scope)), `${path}: ${name}`);
  }
  for (const role of ["roleCredentials", "executionRoleCredentials"]) {
    const { expiration } = (task[role] ?? { expiration: "2026-01-01T00:00:00Z" }) as Json;
    assert.match(String(expiration), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, `${path}.${role}`);
  }
}

function checkInterface(eni: Json, path: string): void {
  assert.match(String(eni.macAddress), /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, path);
  assert.match(String(eni.subnetGatewayIpv4Address), /^[\d.]+\/\d+$/, path);
  const primary = listOf(eni.ipv4Addresses).filter((address) => address.primary === true);
  assert.equal(primary.length, 1, `${path} has no primary address`);
  for (const server of (eni.domainNameServers ?? []) as readonly string[])
    assert.ok(isIPv4(server));
  assert.ok(["default", undefined].includes(eni.interfaceAssociationProtocol as string), path);
}

function checkContainer(container: Json, path: string): void {
  for (const name of UNSIGNED) assert.ok(Number(container[name] ?? 0) >= 0, `${path}.${name}`);
  for (const { containerPort, hostPort } of listOf(container.portMappings)) {
    for (const port of [containerPort, hostPort]) {
      assert.ok(port === undefined || (Number(port) >= 0 && Number(port) < 2 ** 16), path);
    }
  }
  const overrides = JSON.parse(String(container.overrides ?? "{}")) as object;
  for (const name of Object.keys(overrides)) assert.equal(name, "command", `${path}.overrides`);
  const [config, hostConfig] = [
    documentOf(container, "config"),
    documentOf(container, "hostConfig"),
  ];
  for (const name of OWN_CONFIG) assert.ok(!(name in config), `${path} destroys ${name}`);
  for (const name of OWN_HOST_CONFIG) assert.ok(!(name in hostConfig), `${path} destroys ${name}`);
  const { Healthcheck, Labels } = config;
  if (container.healthCheckType !== undefined) assert.ok(Healthcheck, `${path} has no check`);
  for (const value of Object.values(Labels ?? {})) assert.equal(typeof value, "string", path);
  const { Type, Config } = (hostConfig.LogConfig ?? { Type: "none", Config: {} }) as Json;
  assert.equal(typeof Type, "string", path);
  for (const value of Object.values(Config as object)) assert.equal(typeof value, "string", path);
}

function documentOf({ dockerConfig }: Json, member: "config" | "hostConfig"): Json {
  return JSON.parse(String((dockerConfig as Json)[member] ?? "{}")) as Json;
}

function listOf(value: unknown): readonly Json[] {
  return (value ?? []) as readonly Json[];
}
