// The notifier as a process of its own, so that a test can end it at any instant.

import { randomBytes } from "node:crypto";
import { createNotify } from "../../activities/notify.ts";
import { createBatcher } from "../../adapters/batcher.ts";
import { deriveId } from "../../adapters/deriveId.ts";
import { connectMongo } from "../../adapters/mongo/connection.ts";
import { createStore } from "../../adapters/mongo/store.ts";
import { createOutboundHttp } from "../../adapters/outboundHttp.ts";
import { createWebhookSecrets } from "../../adapters/vault/webhookSecrets.ts";
import { createWebhookSender } from "../../adapters/webhookSender.ts";
import { createEvidence } from "../../audit/evidence.ts";
import { formatId, type IdKind } from "../../domain/ids.ts";
import { createNotifier } from "../../workers/notifier.ts";
import { createMemoryTransit } from "./memoryTransit.ts";

const [database = "", key = ""] = process.argv.slice(2);
const clock = () => Date.now();
const ids = {
	random: (kind: IdKind) => formatId(kind, randomBytes(16)),
	derive: deriveId,
};
const connection = await connectMongo({ url: process.env.MONGODB_URL as string, database });
const store = createStore(connection, { clock, randomToken: () => randomBytes(9).toString("base64url") });
const secrets = createWebhookSecrets({ vault: createMemoryTransit(Buffer.from(key, "hex")) });
const notify = createNotify({
	clock,
	monotonic: () => performance.now(),
	random: () => 0,
	ids,
	log: { info: () => undefined, warn: () => undefined, error: () => undefined },
	store,
	evidence: createEvidence({ clock, ids, store: store.evidence, gather: createBatcher }),
	sendWebhook: createWebhookSender({ http: createOutboundHttp({ allowed: ["127.0.0.0/8"] }), secrets, clock }),
});
createNotifier({
	notify,
	isAny: store.webhookEndpoints.isAny,
	check: async () => undefined,
	onError: () => undefined,
}).start();
