import type { Operation, Refusal, Service } from "./service.ts";
import { loadShapes, type ServiceRow } from "./service-table.ts";
import type { ServiceShapes } from "./shape.ts";
import { RestRoutes } from "./wire/rest-routes.ts";

/** A service of the table as a gateway keeps it: its handlers, if any, and its shapes once they are needed. */
export class LoadedService {
  readonly row: ServiceRow;
  readonly #service: Service | undefined;
  #shapes: ServiceShapes | undefined;
  #restRoutes: RestRoutes | undefined;

  constructor(row: ServiceRow, service: Service | undefined) {
    this.row = row;
    this.#service = service;
  }

  get shapes(): ServiceShapes {
    this.#shapes ??= loadShapes(this.row.name);
    return this.#shapes;
  }

  get restRoutes(): RestRoutes {
    this.#restRoutes ??= new RestRoutes(this.shapes);
    return this.#restRoutes;
  }

  /** The row of an operation; `undefined` when only AWS has it. */
  operation(name: string): Operation | Refusal | undefined {
    const operations = this.#service?.operations ?? {};
    return Object.hasOwn(operations, name) ? operations[name] : undefined;
  }
}
