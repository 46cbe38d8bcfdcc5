// Every workflow type there is; the worker bundles this file. A changed workflow is a new type beside the old.

export { lifecycle } from "./lifecycle.ts";
export { purge } from "./purge.ts";
export { sweep } from "./sweep.ts";
