import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuestion } from "./question.ts";

test("every path of the ECS agent's endpoint is understood", () => {
  const metadata = (version: number, about: string, more: object = {}): object => ({
    kind: "metadata",
    version,
    about,
    ...more,
  });
  const byId = { containerId: "id" };
  const cases: Readonly<Record<string, object>> = {
    "/v1/credentials?id=cred-1": { kind: "credentials", credentialsId: "cred-1" },
    "/v1/credentials": { kind: "credentials", credentialsId: "" },
    "/v2/credentials/cred-1": { kind: "credentials", credentialsId: "cred-1" },
    "/v2/credentials": { kind: "credentials", credentialsId: "" },
    "/v2/credentials/": { kind: "credentials", credentialsId: "" },
    "/v2/metadata": metadata(2, "task"),
    "/v2/metadata/": metadata(2, "task"),
    "/v2/metadata/a1-web": metadata(2, "container", { dockerId: "a1-web" }),
    "/v2/metadataWithTags": metadata(2, "taskWithTags"),
    "/v2/stats": metadata(2, "taskStats"),
    "/v2/stats/a1-web": metadata(2, "stats", { dockerId: "a1-web" }),
    "/v4/id/stats": metadata(4, "stats", byId),
    "/v4/id/task/stats": metadata(4, "taskStats", byId),
    "/v3/id": metadata(3, "container", byId),
    "/v3/id/task": metadata(3, "task", byId),
    "/v3/id/task/": metadata(3, "task", byId),
    "/v4/id": metadata(4, "container", byId),
    "/v4/id/taskWithTags": metadata(4, "taskWithTags", byId),
    "/v4/id/associations/gpu": metadata(4, "associations", byId),
    "/v4/id/associations/gpu/0": metadata(4, "association", byId),
    "/api/id/task-protection/v1/state": { kind: "protection", containerId: "id" },
    "/api/id/fault/v1/network-latency/start": { kind: "fault", containerId: "id" },
  };
  for (const [target, question] of Object.entries(cases)) {
    assert.deepEqual(parseQuestion(target), question, target);
  }
});

test("nothing else is", () => {
  const targets = [
    "/",
    "//",
    "*",
    "/v1",
    "/v1/metadata",
    "/v2",
    "/v2/metadata/a/b",
    "/v3",
    "/v3/",
    "/v4//task",
    "/v4/id/tasks",
    "/v4/id/associations",
    "/v4/id/associations/gpu/0/1",
    "/v5/id",
    "/api/id",
    "/api/id/fault/v1/network-latency",
    "/latest/meta-data",
    "http://elsewhere/v4/id",
  ];
  for (const target of targets) assert.equal(parseQuestion(target), undefined, target);
});
