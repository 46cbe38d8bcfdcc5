// Temporal's SDK, once it is needed: it is a fifth of what a command takes to start, and few commands start a run.

import { createRequire } from "node:module";
import type * as Sdk from "@temporalio/client";

/** The client of a connection, made when it is first asked for. */
export type Clients = { readonly client: Sdk.Client };

const require = createRequire(import.meta.url);

/** Waits some 0.2 s when it is first asked. */
export const sdk = (): typeof Sdk => require("@temporalio/client");
