/** What AWS refuses in a `Resource` element, apart from what its services know of their own ARNs. */

/** The segments of an ARN; a policy variable, which has colons of its own, counts as one `$`. */
function segmentsOf(resource: string): readonly string[] {
  return resource.replace(/\$\{[^}]*\}/g, "$").split(":");
}

/** Whether AWS's oldest parser reads it: six segments, or fewer if none of them is empty (`arn:aws:logs:*`). */
export function isLegacyArn(resource: string): boolean {
  const [, partition, service, ...others] = segmentsOf(resource);
  if (partition !== "aws" || service === undefined) return true;
  return service !== "" && (others.length >= 3 || !resource.includes("::"));
}

/** The first fault among resources. */
export function findResourceFault(resources: readonly string[]): string | undefined {
  for (const resource of resources) {
    const fault = resource === "*" ? undefined : findArnFault(resource);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function findArnFault(resource: string): string | undefined {
  const [, partition, service, region, account, ...path] = segmentsOf(resource);
  if (partition === undefined) return `Resource ${resource} must be in ARN format or "*".`;
  if (partition !== "aws" && partition !== "*") {
    const shown = [service, region, account, path.length > 0 ? path.join(":") : undefined];
    const arn = ["arn", partition, ...shown.map((segment) => segment ?? "*")].join(":");
    return `Partition "${partition}" is not valid for resource "${arn}".`;
  }
  if (service === undefined || /[*?]/.test(service)) {
    return "Resource vendor must be fully qualified and cannot contain regexes.";
  }
  if (service === "s3" && region !== undefined && region !== "") {
    return `Resource ${resource} can not contain region information.`;
  }
  return service === "iam" ? findIamFault(resource, region, path.join(":")) : undefined;
}

const IAM_PATHS = [
  "user/",
  "federated-user/",
  "role/",
  "group/",
  "instance-profile/",
  "mfa/",
  "server-certificate/",
  "policy/",
  "sms-mfa/",
  "saml-provider/",
  "oidc-provider/",
  "report/",
  "access-report/",
];

function findIamFault(
  resource: string,
  region: string | undefined,
  path: string,
): string | undefined {
  if (region !== undefined && region !== "") {
    return `IAM resource ${resource} cannot contain region information.`;
  }
  // What stands before a wildcard or variable may be the start of such a path, or a path with more behind it.
  const [fixed = "", ...others] = path.split(/[*?$]/);
  const canStart = (start: string): boolean =>
    others.length > 0 && fixed.length < start.length
      ? start.startsWith(fixed)
      : fixed.startsWith(start);
  return IAM_PATHS.some(canStart)
    ? undefined
    : `IAM resource path must either be "*" or start with ${IAM_PATHS.join(", ")}.`;
}
