// What the simulated carrier does with a message: accepts or troubles it by its number, and tells what became of it.

import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { z } from "zod";
import { segmentText } from "../../domain/segments.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";
import { type Answer, type MagicRow, magicOf } from "./magic.ts";
import type { Receipts } from "./receipts.ts";
import { isLoopbackUrl, parse, refusal, reply } from "./reply.ts";

const sendRequest = z.strictObject({
	to: z.string().regex(/^\+[1-9]\d{6,14}$/),
	from: z
		.string()
		.regex(/^(\+?\d{3,15}|[A-Za-z0-9 ]{1,11})$/)
		.optional(),
	text: z
		.string()
		.min(1)
		.max(1600)
		.refine((text) => text.isWellFormed()),
	reference: z.string().regex(/^[\w-]{1,64}$/),
	validitySeconds: z
		.int()
		.min(1)
		.max(7 * 24 * 3600),
	callbackUrl: z.string().refine(isLoopbackUrl).optional(),
});
type SendRequest = z.output<typeof sendRequest>;

const firstReceiptWaitMs = 2_000;
const troubledMax = 10_000;

/** @param deps see `createCarrierApp` */
export function createMessages(deps: {
	clock: () => number;
	randomBytes: (size: number) => Buffer;
	ledger: Ledger;
	receipts: Receipts;
	callbackUrl?: string | undefined;
	receiptDelayMs: number;
	lateReceiptMs: number;
}) {
	const { clock, ledger, receipts } = deps;
	const isTroubled = createTroubles();
	const answers: Partial<Record<Answer, number>> = {};

	/** Takes a message as its number says. @throws a refusal */
	async function send(body: unknown, response: ServerResponse): Promise<void> {
		const message = parse(sendRequest, body);
		const row = magicOf(message.to);
		const trouble = row.trouble && isTroubled(row.trouble, message) ? row.trouble : undefined;
		const full = receipts.isFull() || ledger.isFull();
		const kind = full ? "unavailable" : (trouble?.answer ?? "accepted");
		answers[kind] = (answers[kind] ?? 0) + 1;
		if (full || trouble?.accepts === false) return answer(response, kind, message.to);

		const { callbackUrl = deps.callbackUrl, ...kept } = message;
		const id = deps.randomBytes(16).toString("hex");
		const entry = ledger.append({ ...kept, id, segments: segmentText(message.text).segments, at: clock() });
		const run = (steps: MagicRow["steps"]) =>
			callbackUrl === undefined ? Promise.resolve() : receipts.run({ id, callbackUrl }, steps);
		const early = row.receiptFirst ? 1 : 0;
		if (early) await Promise.race([run(row.steps.slice(0, early)), wait(firstReceiptWaitMs)]);
		try {
			answer(response, kind, message.to, entry);
		} finally {
			void run(row.steps.slice(early));
		}
	}

	/** Answers with what became of a reference. @throws a refusal when nothing with it was accepted */
	function lookup(reference: string | null, response: ServerResponse): void {
		const entry = reference ? ledger.find(reference) : undefined;
		if (!entry) throw refusal(404, "no_such_message", "No message has this reference.");
		const row = magicOf(entry.to);
		const settledAt = entry.at + (row.steps[0]?.wait === "long" ? deps.lateReceiptMs : deps.receiptDelayMs);
		const settled = row.settles !== "sent" && clock() >= settledAt;
		const at = new Date(settled ? settledAt : entry.at).toISOString();
		const { id, segments } = entry;
		reply(response, 200, { id, reference, segments, status: settled ? row.settles : "sent", at });
	}

	return { send, lookup, answers: () => ({ ...answers }) };
}

function answer(response: ServerResponse, kind: Answer, to: string, entry?: LedgerEntry): void {
	switch (kind) {
		case "accepted":
			reply(response, 202, { id: entry?.id, segments: entry?.segments });
			return;
		case "garbled":
			response.writeHead(202, { "content-type": "application/json" }).end('{"id":"');
			return;
		case "silence":
			return;
		case "reset":
			response.socket?.resetAndDestroy();
			return;
		// As real carriers do, the texts quote the recipient: they may travel no further than Lethe's adapter.
		case "rejected":
			throw refusal(422, "4101", `The number ${to} is not in service.`);
		case "throttled":
			throw refusal(429, "too_many_requests", `Too many messages to ${to}.`, { "retry-after": "1" });
		case "unavailable":
			throw refusal(503, "unavailable", `Not accepted: no route to ${to} at present.`);
		case "server_error":
			throw refusal(500, "internal", `Something failed while sending to ${to}.`);
	}
}

/** Counts the tries of each text to each number; after the last troubled try the count starts anew. */
function createTroubles() {
	const tries = new Map<string, number>();
	return (trouble: NonNullable<MagicRow["trouble"]>, { to, text }: SendRequest): boolean => {
		if (trouble.tries === Number.POSITIVE_INFINITY) return true;
		const key = createHash("sha256").update(`${to}\n${text}`).digest("base64");
		const count = (tries.get(key) ?? 0) + 1;
		tries.delete(key);
		if (count > trouble.tries) return false;
		tries.set(key, count);
		const [oldest] = tries.keys();
		if (tries.size > troubledMax && oldest !== undefined) tries.delete(oldest);
		return true;
	};
}

function wait(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
