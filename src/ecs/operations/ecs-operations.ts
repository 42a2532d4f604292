import type { Operations } from "../../door/service.ts";

/** Rows of the ECS service, typed by the SDK. What has no row is answered 501 by the door. */
export type EcsOperations = Operations<typeof import("@aws-sdk/client-ecs")>;
