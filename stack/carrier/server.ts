// Runs the simulated carrier as its own process, on loopback, until it is told to stop or its parent is gone.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { createCarrierApp } from "./app.ts";
import { openCredentials } from "./credentials.ts";
import { openLedger } from "./ledger.ts";
import { isLoopbackUrl } from "./reply.ts";

const milliseconds = z.coerce.number().int().min(0).max(600_000).optional();

/** Name → schema; an empty value counts as none. */
const settings = z.object({
	LETHE_CARRIER_DIR: z.string(),
	LETHE_CARRIER_PORT: z.coerce.number().int().min(0).max(65535).default(0),
	LETHE_CARRIER_TOKEN: z
		.string()
		.regex(/^[\w.~+/=-]{16,256}$/)
		.optional(),
	LETHE_CARRIER_CALLBACK_URL: z.string().refine(isLoopbackUrl).optional(),
	LETHE_CARRIER_INBOUND_URL: z.string().refine(isLoopbackUrl).optional(),
	LETHE_CARRIER_RECEIPT_DELAY_MS: milliseconds,
	LETHE_CARRIER_LATE_RECEIPT_MS: milliseconds,
});

await main();

async function main(): Promise<void> {
	const given = Object.entries(process.env).filter(([, value]) => value !== "");
	const read = settings.safeParse(Object.fromEntries(given));
	if (!read.success) {
		process.stderr.write(`${String(read.error.issues[0]?.path[0])} is missing or bad; see stack/carrier/README.md.\n`);
		process.exit(2);
	}
	const folder = read.data.LETHE_CARRIER_DIR;
	const { signingKey, publicKey, token } = openCredentials(folder, {
		token: read.data.LETHE_CARRIER_TOKEN,
		randomBytes,
	});
	const ledger = openLedger(join(folder, "ledger.jsonl"));
	const app = createCarrierApp({
		clock: Date.now,
		randomBytes,
		signingKey,
		token,
		ledger,
		callbackUrl: read.data.LETHE_CARRIER_CALLBACK_URL,
		inboundUrl: read.data.LETHE_CARRIER_INBOUND_URL,
		receiptDelayMs: read.data.LETHE_CARRIER_RECEIPT_DELAY_MS,
		lateReceiptMs: read.data.LETHE_CARRIER_LATE_RECEIPT_MS,
	});
	const url = await app.listen(read.data.LETHE_CARRIER_PORT);

	let stopping = false;
	const stop = async () => {
		if (stopping) return;
		stopping = true;
		await app.close();
		ledger.close();
		process.exit(0);
	};
	for (const reason of ["SIGTERM", "SIGINT", "disconnect"]) process.on(reason, () => void stop());

	process.send?.({ ready: true, url, publicKey });
	process.stdout.write(`${JSON.stringify({ ready: true, url, publicKey })}\n`);
}
