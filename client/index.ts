// The TypeScript client of Lethe; all that it needs is `fetch` and WebCrypto.

export { type CallOptions, type ClientOptions, createClient, type LetheClient } from "./client.ts";
export { LetheKeyMissing, LetheProblem, LetheTimeout, LetheUnreachable, WebhookRefused } from "./errors.ts";
export type * from "./types.ts";
export { unwrap, type Webhook } from "./unwrap.ts";
