import assert from "node:assert/strict";
import { test } from "node:test";
import { attachmentsOf, toPayloadVolume } from "./payload-volumes.ts";

test("volumes without a source are made by the agent", () => {
  const volumes = [
    { name: "a" },
    { name: "b", host: { sourcePath: "/b" } },
    // As Terraform says it of each volume.
    { name: "c", configuredAtLaunch: false, host: {} },
  ];
  assert.deepEqual(volumes.map(toPayloadVolume), [
    { name: "a", type: "host", host: { sourcePath: "" } },
    { name: "b", type: "host", host: { sourcePath: "/b" } },
    { name: "c", type: "host", host: { sourcePath: "" } },
  ]);
});

test("volumes of S3 Files come as attachments, in the agent's words", () => {
  const arn = "arn:aws:s3files:us-east-1:111111111111:file-system/fs-1";
  const volumes = [
    { name: "bare", s3filesVolumeConfiguration: { fileSystemArn: arn } },
    {
      name: "full",
      s3filesVolumeConfiguration: {
        fileSystemArn: arn,
        rootDirectory: "/data",
        transitEncryptionPort: 2049,
        accessPointArn: `${arn}/access-point/fsap-1`,
      },
    },
  ];
  assert.deepEqual(volumes.map(toPayloadVolume), [{ name: "bare" }, { name: "full" }]);
  const attachment = (...properties: [name: string, value: string][]): unknown => ({
    attachmentType: "s3files",
    attachmentProperties: properties.map(([name, value]) => ({ name, value })),
  });
  assert.deepEqual(attachmentsOf(volumes), [
    attachment(["volumeId", "fs-1"], ["volumeName", "bare"]),
    attachment(
      ["volumeId", "fs-1"],
      ["volumeName", "full"],
      ["s3FilesRootDirectory", "/data"],
      ["s3FilesTransitEncryptionPort", "2049"],
      ["s3FilesAccessPointId", "fsap-1"],
    ),
  ]);
  assert.equal(attachmentsOf([{ name: "a" }]), undefined);
});
