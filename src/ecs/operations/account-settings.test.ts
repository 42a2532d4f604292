import assert from "node:assert/strict";
import { test } from "node:test";
import type { SettingName } from "@aws-sdk/client-ecs";
import { openApi } from "./api.fixture.ts";

const ROOT = "arn:aws:iam::111111111111:root";
const USER = "arn:aws:iam::111111111111:user/kim";

test("a setting is the principal's own, else the account's, else ECS's", async () => {
  await using api = await openApi();
  const effective = async (): Promise<string | undefined> => {
    const { settings } = await api.call("ListAccountSettings", {
      name: "containerInsights",
      principalArn: USER,
      effectiveSettings: true,
    });
    return settings?.[0]?.value;
  };
  assert.equal(await effective(), "disabled");
  const { setting } = await api.call("PutAccountSettingDefault", {
    name: "containerInsights",
    value: "enhanced",
  });
  assert.deepEqual(setting, {
    name: "containerInsights",
    value: "enhanced",
    principalArn: ROOT,
    type: "user",
  });
  assert.equal(await effective(), "enhanced");
  const own = { name: "containerInsights", principalArn: USER } as const;
  await api.call("PutAccountSetting", { ...own, value: "enabled" });
  assert.equal(await effective(), "enabled");
  const deleted = await api.call("DeleteAccountSetting", own);
  assert.deepEqual(deleted.setting, { ...own, value: "enhanced", type: "user" });
});

test("ListAccountSettings lists what the principal has set, and all that is in effect in two pages", async () => {
  await using api = await openApi();
  assert.deepEqual((await api.call("ListAccountSettings", {})).settings, []);
  await api.call("PutAccountSetting", { name: "awsvpcTrunking", value: "enabled" });
  const own = await api.call("ListAccountSettings", {});
  assert.deepEqual(own.settings, [
    { name: "awsvpcTrunking", value: "enabled", principalArn: ROOT, type: "user" },
  ]);
  assert.deepEqual((await api.call("ListAccountSettings", { principalArn: USER })).settings, []);
  const first = await api.call("ListAccountSettings", { effectiveSettings: true });
  assert.equal(first.settings?.length, 10);
  const { nextToken } = first;
  const second = await api.call("ListAccountSettings", { effectiveSettings: true, nextToken });
  assert.deepEqual([second.settings?.length, second.nextToken], [2, undefined]);
  const guarded = await api.call("ListAccountSettings", {
    name: "guardDutyActivate",
    effectiveSettings: true,
  });
  assert.equal(guarded.settings?.[0]?.type, "aws_managed");
});

test("a cluster without settings takes containerInsights from the account", async () => {
  await using api = await openApi();
  await api.call("PutAccountSettingDefault", { name: "containerInsights", value: "enhanced" });
  const { cluster } = await api.call("CreateCluster", { clusterName: "seen" });
  assert.deepEqual(cluster?.settings, [{ name: "containerInsights", value: "enhanced" }]);
});

test("settings that cannot be", async (t) => {
  await using api = await openApi();
  const names =
    "serviceLongArnFormat,taskLongArnFormat,containerInstanceLongArnFormat,awsvpcTrunking,containerInsights,dualStackIPv6,fargateFIPSMode,tagResourceAuthorization,fargateTaskRetirementWaitPeriod,guardDutyActivate,defaultLogDriverMode,fargateEventWindows";
  const cases: readonly (readonly [name: string, value: string, message: string])[] = [
    ["unknown", "enabled", `unknown should be one of [${names}]`],
    ["containerInsights", "ENABLED", "Invalid setting 'value'"],
    ["taskLongArnFormat", "disabled", "You can no longer disable Long Arn settings"],
    ["fargateTaskRetirementWaitPeriod", "8", "Invalid setting 'value'"],
    [
      "guardDutyActivate",
      "on",
      "The setting guardDutyActivate is managed by AWS and cannot be changed.",
    ],
  ];
  for (const [name, value, message] of cases) {
    await t.test(`${name}=${value}`, async () => {
      const input = { name: name as SettingName, value };
      const expected = { name: "InvalidParameterException", message };
      await assert.rejects(api.call("PutAccountSetting", input), expected);
      await assert.rejects(api.call("PutAccountSettingDefault", input), expected);
    });
  }
  await assert.rejects(
    api.call("PutAccountSetting", {
      name: "containerInsights",
      value: "enabled",
      principalArn: "arn:aws:iam::222222222222:user/kim",
    }),
    { name: "InvalidParameterException", message: "Invalid setting 'principalArn'" },
  );
  await assert.rejects(api.call("ListAccountSettings", { value: "enabled" }), {
    name: "InvalidParameterException",
  });
  await assert.rejects(api.call("ListAccountSettings", { maxResults: 11 }), {
    message: "maxResults must be between 1 and 10, not 11.",
  });
});
