import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings } from "../config.ts";
import { SETTINGS, type SettingName } from "../settings.ts";
import { COMMANDS } from "./commands.ts";
import { flagsOf, type UnitCommand } from "./unit.ts";

/** None is a default, and no two are alike. Those that are missing are secrets. */
const GIVEN: Partial<Record<SettingName, string>> = {
  dataDirectory: "/srv/gantry",
  listen: "0.0.0.0:443",
  endpointHost: "ecs.example.com",
  tlsCertificate: "/etc/cert.pem",
  tlsKey: "/etc/key.pem",
  tlsAuthority: "/etc/ca.pem",
  accountId: "111111111111",
  region: "eu-west-1",
  vpcCidr: "10.9.0.0/16",
  taskRetention: "30h",
  agent: "amazon-ecs-agent",
  cluster: "blue",
  zone: "eu-west-1c",
  advertise: "10.0.0.7",
  nodeLossAfter: "90s",
  metricsInterval: "5s",
  runtimeEc2: "crun",
  runtimeFargate: "runsc",
  imagePullBehavior: "once",
  registryAuth: "/etc/logins.json",
  insecureRegistries: "registry.lan:5000,other.lan",
  imageCleanupAge: "90m",
  logLevel: "debug",
};

for (const command of ["up", "server", "node"] satisfies UnitCommand[]) {
  test(`a unit of ${command} starts it with the settings that it was made with`, () => {
    const { settings: names = [] } = COMMANDS.find(({ name }) => name === command) ?? {};
    const flags = Object.fromEntries(names.map((name) => [SETTINGS[name].flag, GIVEN[name]]));
    const settings = readSettings(flags, {});
    assert.deepEqual(readSettings(parse(flagsOf(command, settings)), {}), settings);
  });
}

test("a unit names no secret, and nothing that is as it would be anyway", () => {
  const secrets = {
    [SETTINGS.rootAccessKeyId.flag]: "AKIAROOTROOTROOTROOT",
    [SETTINGS.rootSecretAccessKey.flag]: "a-secret-that-nobody-sees",
    [SETTINGS.join.flag]: "gantry1.secret",
  };
  for (const command of ["up", "server", "node"] satisfies UnitCommand[]) {
    assert.deepEqual(flagsOf(command, readSettings(secrets, {})), []);
  }
});

function parse(flags: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (let at = 0; at < flags.length; at += 2) {
    values[(flags[at] ?? "").replace(/^--/, "")] = flags[at + 1] ?? "";
  }
  return values;
}
