import type {
  EFSVolumeConfiguration,
  RegisterTaskDefinitionRequest,
  Volume,
} from "@aws-sdk/client-ecs";
import { isName } from "./names.ts";
import { VOLUME_KINDS } from "./task-definition-normalise.ts";

/** What is wrong with the volumes of a definition and with how its containers mount them (`ecs-behaviour` §2.6). */
export function findVolumesViolation(request: RegisterTaskDefinitionRequest): string | undefined {
  const { volumes = [], containerDefinitions = [] } = request;
  for (const volume of volumes) {
    const violation = findVolumeViolation(volume, request);
    if (violation !== undefined) return violation;
  }
  if (volumes.filter(({ configuredAtLaunch }) => configuredAtLaunch).length > 1) {
    return "Only one volume can be configured at launch.";
  }
  const known = new Set(volumes.map(({ name }) => name));
  const mounts = containerDefinitions.flatMap(({ mountPoints = [] }) => mountPoints);
  const unknown = mounts.find(({ sourceVolume }) => !known.has(sourceVolume));
  if (unknown) return `Unknown volume '${unknown.sourceVolume ?? ""}'.`;
  const nowhere = mounts.find(({ containerPath }) => !containerPath);
  return nowhere && `The mount point of volume '${nowhere.sourceVolume}' needs a 'containerPath'.`;
}

function findVolumeViolation(
  volume: Volume,
  { taskRoleArn }: RegisterTaskDefinitionRequest,
): string | undefined {
  const { name, dockerVolumeConfiguration: docker, efsVolumeConfiguration: efs } = volume;
  if (!name || !isName(name)) return "Volume name contains invalid characters.";
  if (kindsOf(volume) > 1) return `Volume '${name}' has more than one configuration.`;
  if (docker?.autoprovision !== undefined && docker.scope !== "shared") {
    return `Volume '${name}' has 'autoprovision', which is for scope shared only.`;
  }
  const violation = efs && findEfsViolation(efs);
  if (violation !== undefined) return `Volume '${name}': ${violation}`;
  return volume.s3filesVolumeConfiguration && !taskRoleArn
    ? `Volume '${name}': S3 Files volumes need a task role.`
    : undefined;
}

function findEfsViolation({
  fileSystemId,
  rootDirectory = "/",
  transitEncryption,
  transitEncryptionPort,
  authorizationConfig,
}: EFSVolumeConfiguration): string | undefined {
  if (!fileSystemId) return "EFS volumes need a 'fileSystemId'.";
  const { accessPointId, iam } = authorizationConfig ?? {};
  if (accessPointId && rootDirectory !== "/") {
    return "with an access point 'rootDirectory' must be / or left out.";
  }
  const isEncrypted = transitEncryption === "ENABLED";
  if ((accessPointId || iam === "ENABLED") && !isEncrypted) {
    return "an access point or IAM authorisation needs 'transitEncryption' ENABLED.";
  }
  return transitEncryptionPort !== undefined && !isEncrypted
    ? "'transitEncryptionPort' needs 'transitEncryption' ENABLED."
    : undefined;
}

function kindsOf(volume: Volume): number {
  return VOLUME_KINDS.filter((kind) => volume[kind] !== undefined && volume[kind] !== false).length;
}
