/** The few facts about a service that routing needs before its shapes are loaded, and the names of two of its errors. */
import { readFileSync } from "node:fs";
import { ownFile } from "../lib/own-files.ts";
import { ServiceShapes } from "./shape.ts";
import type { ProtocolName } from "./wire/protocol.ts";

export interface ServiceRow {
  /** What the AWS CLI calls the service, and its shapes' file. */
  readonly name: string;
  /** The service in the credential scope. No two rows share one. */
  readonly signingName: string;
  /** What stands before the dot in `X-Amz-Target`, and in the path of CBOR calls. */
  readonly target: string;
  /** The `Version` that calls in the query protocols name. */
  readonly version: string;
  /** The protocols it speaks, its own first. */
  readonly protocols: readonly ProtocolName[];
  /** The exception that the generic check of an input answers with. */
  readonly validationError: string;
  /** The exception for what nobody expected, where the service models one. */
  readonly internalError?: string;
  /** The exception, with 500, while something that is needed cannot be reached, where callers know another one than ServiceUnavailableException. */
  readonly unavailableError?: string;
}

export const SERVICE_TABLE: readonly ServiceRow[] = [
  {
    name: "acm",
    signingName: "acm",
    target: "CertificateManager",
    version: "2015-12-08",
    protocols: ["awsJson1_1"],
    validationError: "ValidationException",
    internalError: "InternalServerException",
  },
  {
    name: "application-autoscaling",
    signingName: "application-autoscaling",
    target: "AnyScaleFrontendService",
    version: "2016-02-06",
    protocols: ["awsJson1_1"],
    validationError: "ValidationException",
    internalError: "InternalServiceException",
  },
  {
    name: "appmesh",
    signingName: "appmesh",
    target: "AppMesh",
    version: "2019-01-25",
    protocols: ["restJson1"],
    validationError: "BadRequestException",
    internalError: "InternalServerErrorException",
  },
  {
    name: "autoscaling",
    signingName: "autoscaling",
    target: "AutoScaling_2011_01_01",
    version: "2011-01-01",
    protocols: ["awsQuery"],
    validationError: "ValidationError",
  },
  {
    name: "cloudwatch",
    signingName: "monitoring",
    target: "GraniteServiceVersion20100801",
    version: "2010-08-01",
    protocols: ["awsJson1_0", "rpcv2Cbor", "awsQuery"],
    validationError: "ValidationException",
    internalError: "InternalServiceFault",
  },
  {
    name: "ec2",
    signingName: "ec2",
    target: "AmazonEC2",
    version: "2016-11-15",
    protocols: ["ec2Query"],
    validationError: "InvalidParameterValue",
  },
  {
    name: "ecr",
    signingName: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921",
    version: "2015-09-21",
    protocols: ["awsJson1_1"],
    validationError: "InvalidParameterException",
    internalError: "ServerException",
  },
  {
    name: "ecs",
    signingName: "ecs",
    target: "AmazonEC2ContainerServiceV20141113",
    version: "2014-11-13",
    protocols: ["awsJson1_1"],
    validationError: "InvalidParameterException",
    internalError: "ServerException",
    // The ECS agent registers again after no other.
    unavailableError: "ServerException",
  },
  {
    name: "elbv2",
    signingName: "elasticloadbalancing",
    target: "ElasticLoadBalancing_v10",
    version: "2015-12-01",
    protocols: ["awsQuery"],
    validationError: "ValidationError",
  },
  {
    name: "events",
    signingName: "events",
    target: "AWSEvents",
    version: "2015-10-07",
    protocols: ["awsJson1_1"],
    validationError: "ValidationException",
    internalError: "InternalException",
  },
  {
    name: "iam",
    signingName: "iam",
    target: "AWSIdentityManagementV20100508",
    version: "2010-05-08",
    protocols: ["awsQuery"],
    validationError: "ValidationError",
    internalError: "ServiceFailureException",
  },
  {
    name: "kms",
    signingName: "kms",
    target: "TrentService",
    version: "2014-11-01",
    protocols: ["awsJson1_1"],
    validationError: "ValidationException",
    internalError: "KMSInternalException",
  },
  {
    name: "logs",
    signingName: "logs",
    target: "Logs_20140328",
    version: "2014-03-28",
    protocols: ["awsJson1_1"],
    validationError: "InvalidParameterException",
  },
  {
    name: "scheduler",
    signingName: "scheduler",
    target: "AWSChronosService",
    version: "2021-06-30",
    protocols: ["restJson1"],
    validationError: "ValidationException",
    internalError: "InternalServerException",
  },
  {
    name: "secretsmanager",
    signingName: "secretsmanager",
    target: "secretsmanager",
    version: "2017-10-17",
    protocols: ["awsJson1_1"],
    validationError: "ValidationException",
    internalError: "InternalServiceError",
  },
  {
    name: "servicediscovery",
    signingName: "servicediscovery",
    target: "Route53AutoNaming_v20170314",
    version: "2017-03-14",
    protocols: ["awsJson1_1"],
    validationError: "InvalidInput",
  },
  {
    name: "ssm",
    signingName: "ssm",
    target: "AmazonSSM",
    version: "2014-11-06",
    protocols: ["awsJson1_1"],
    validationError: "ValidationException",
    internalError: "InternalServerError",
  },
  {
    name: "sts",
    signingName: "sts",
    target: "AWSSecurityTokenServiceV20110615",
    version: "2011-06-15",
    protocols: ["awsQuery"],
    validationError: "ValidationError",
  },
  {
    name: "xray",
    signingName: "xray",
    target: "AWSXRay",
    version: "2016-04-12",
    protocols: ["restJson1"],
    validationError: "InvalidRequestException",
  },
];

const LOADED = new Map<string, ServiceShapes>();

/** The shapes of a service, which never change: reading them takes some milliseconds, so it is done once. */
export function loadShapes(name: string): ServiceShapes {
  const known = LOADED.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(ownFile(`door/shapes/${name}.json`), "utf8");
  const shapes = new ServiceShapes(JSON.parse(text));
  LOADED.set(name, shapes);
  return shapes;
}
