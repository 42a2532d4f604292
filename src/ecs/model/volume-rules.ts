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
  if (nowhere)
    return `The mount point of volume '${nowhere.sourceVolume}' needs a 'containerPath'.`;
  const mounted = new Set(mounts.map(({ sourceVolume }) => sourceVolume));
  const idle = volumes.find((volume) => volume.configuredAtLaunch && !mounted.has(volume.name));
  return idle && `Volumes [${idle.name}] are not referenced by any of the containers.`;
}

function findVolumeViolation(
  volume: Volume,
  { taskRoleArn }: RegisterTaskDefinitionRequest,
): string | undefined {
  const { name, dockerVolumeConfiguration: docker, efsVolumeConfiguration: efs } = volume;
  if (!name || !isName(name)) return "Volume name contains invalid characters.";
  if (kindsOf(volume) > 1) return `Volume '${name}' has more than one configuration.`;
  if (volume.host?.sourcePath === "") return "host.sourcePath should not be blank.";
  if (docker?.driver === "") {
    return "volume.dockerVolumeConfiguration.driver should not be null or empty.";
  }
  if (docker?.scope === "task" && docker.autoprovision === false) {
    return "When 'scope' parameter is 'task', 'autoprovision' must either not be specified or set to 'True'.";
  }
  const violation = efs && findEfsViolation(efs);
  if (violation !== undefined) return violation;
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
    return 'When using an EFS access point, the root directory must either be set to "/" or be omitted.';
  }
  const isEncrypted = transitEncryption === "ENABLED";
  if (isEncrypted) return undefined;
  if (iam === "ENABLED") {
    return "EFS IAM authorization requires TransitEncryption to be enabled.";
  }
  if (accessPointId) return "EFS access points require TransitEncryption to be enabled.";
  return transitEncryptionPort !== undefined
    ? "TransitEncryptionPort requires that TransitEncryption is enabled."
    : undefined;
}

function kindsOf(volume: Volume): number {
  return VOLUME_KINDS.filter((kind) => volume[kind]).length;
}
