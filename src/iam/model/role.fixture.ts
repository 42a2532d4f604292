import type { Write } from "../../store/store.ts";
import { roleKey } from "./keys.ts";
import type { Role } from "./records.ts";

/** A trust policy that lets a service act in the role. */
export function trusting(service: string): string {
  const Principal = { Service: service };
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Principal, Action: "sts:AssumeRole" },
  });
}

/** A role of account 111111111111 that ECS tasks may have, and that allows nothing. */
export function buildRole(overrides: Partial<Role> = {}): Role {
  const { roleName = "app" } = overrides;
  return {
    accountId: "111111111111",
    path: "/",
    roleName,
    roleId: `AROA${roleName.toUpperCase()}`,
    trustPolicy: trusting("ecs-tasks.amazonaws.com"),
    description: "",
    maxSessionDurationSeconds: 3600,
    inlinePolicies: [],
    attachedPolicyArns: [],
    tags: {},
    createdAt: 1_000,
    ...overrides,
  };
}

export function writeRole(overrides: Partial<Role> = {}): Write {
  const role = buildRole(overrides);
  return { key: roleKey(role.accountId, role.roleName), value: role };
}
