// Every workflow type there is; the worker bundles this file. A changed workflow is a new type beside the old.

export { lifecycle } from "./lifecycle.ts";
export { purge } from "./purge.ts";
export { retime } from "./retime.ts";
export { reveal } from "./reveal.ts";
export { simulate } from "./simulate.ts";
export { subjectRequest } from "./subjectRequest.ts";
export { sweep } from "./sweep.ts";
