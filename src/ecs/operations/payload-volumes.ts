import type { Volume } from "@aws-sdk/client-ecs";
import type { PayloadTask, PayloadVolume } from "../../protocol/acs.ts";

/** Kinds of volumes that no agent of ours mounts: it refuses them by these names. */
const FOREIGN_VOLUMES = [
  ["fsxWindowsFileServerVolumeConfiguration", "fsxWindowsFileServer"],
  ["configuredAtLaunch", "ebs"],
] as const;

/** Without a source path the agent makes a volume that lives as long as the task. */
export function toPayloadVolume(volume: Volume): PayloadVolume {
  const name = volume.name ?? "";
  if (volume.efsVolumeConfiguration) {
    return { name, type: "efs", efsVolumeConfiguration: volume.efsVolumeConfiguration };
  }
  if (volume.dockerVolumeConfiguration) {
    // ECS: a volume is its task's unless it says otherwise. AWS's agent takes one that says nothing for a shared one.
    const dockerVolumeConfiguration = { scope: "task", ...volume.dockerVolumeConfiguration };
    return { name, type: "docker", dockerVolumeConfiguration };
  }
  if (volume.s3filesVolumeConfiguration) return { name };
  const foreign = FOREIGN_VOLUMES.find(([member]) => volume[member]);
  if (foreign !== undefined) return { name, type: foreign[1] };
  return { name, type: "host", host: { sourcePath: volume.host?.sourcePath ?? "" } };
}

/** The volumes that an agent is told of apart, with what it takes to mount them. */
export function attachmentsOf(volumes: readonly Volume[]): PayloadTask["attachments"] {
  const attachments = volumes.flatMap(({ name, s3filesVolumeConfiguration: config }) => {
    if (config === undefined) return [];
    const properties = {
      volumeId: lastSegment(config.fileSystemArn),
      volumeName: name,
      s3FilesRootDirectory: config.rootDirectory,
      s3FilesTransitEncryptionPort: config.transitEncryptionPort,
      s3FilesAccessPointId: lastSegment(config.accessPointArn),
    };
    return {
      attachmentType: "s3files" as const,
      attachmentProperties: Object.entries(properties).flatMap(([key, value]) =>
        value ? [{ name: key, value: String(value) }] : [],
      ),
    };
  });
  return attachments.length > 0 ? attachments : undefined;
}

function lastSegment(arn: string | undefined): string | undefined {
  return arn?.split("/").at(-1);
}
