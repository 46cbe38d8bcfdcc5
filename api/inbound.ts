// What a recipient writes: STOP is in force at once and confirmed once, START lifts what STOP had placed and is an opt-in of
// its own, HELP is answered.

import type { InboundMessage } from "../adapters/carriers/carrier.ts";
import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import type { Decision, Facts } from "../domain/decision.ts";
import { errorCatalogue, LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { isLiftedSince, lastSaidAt, type OptOutRecord, standingOf } from "../domain/subject.ts";
import { type ContentFacts, contentFacts } from "../policies/contentFacts.ts";
import { durationMs } from "../policies/durations.ts";
import { factsAbout } from "../policies/subjectRetention.ts";
import { type AcceptDeps, createAccept } from "./accept.ts";
import type { ApiDeps } from "./deps.ts";
import { isWrittenTo } from "./isWrittenTo.ts";
import type { Reply } from "./judge.ts";
import type { Metrics } from "./metrics.ts";
import { createOptOuts, type OptOutsDeps } from "./optOuts.ts";
import { type Recipient, readRecipient } from "./recipient.ts";
import { schemas } from "./schemas.ts";
import { createSubjects, type Subject } from "./subjects.ts";

export type InboundDeps = AcceptDeps &
	OptOutsDeps & {
		metrics: Pick<Metrics, "countCallback">;
		store: {
			idempotencyKeys: Pick<ApiDeps["store"]["idempotencyKeys"], "answer" | "claim" | "release" | "takeOver">;
			sendQueues: Pick<ApiDeps["store"]["sendQueues"], "find">;
			subjectMessages: Pick<ApiDeps["store"]["subjectMessages"], "newestAt">;
			tenants: Pick<ApiDeps["store"]["tenants"], "findBySendQueue">;
		};
	};

/** What came of a message; also how it is counted. */
export type InboundTaken =
	| "stop"
	| "stop_repeated"
	| "stop_late"
	| "stop_overtaken"
	| "start"
	| "start_refused"
	| "help"
	| "other"
	| "duplicate"
	| "stale"
	| "unknown_sender"
	| "unknown_number";

/** One message in hand; `at` is when it was written, `id` its own. `late`: out of the time in which its carrier's word counts. */
type Case = {
	parties: Party[];
	recipient: Recipient;
	sender: string;
	carrier: string;
	at: number;
	id: string;
	late: boolean;
	isPart: boolean;
	/** The recipient wants nothing at all any more, in so many words. */
	revokesAll: boolean;
};

/** A recipient as one of the tenants behind a sender knows it. */
type Party = { tenant: TenantDocument; subject: Subject };

const engine = "engine";
// The process that took it in hand is gone if it has not come to an end by then.
const handlingMsMax = 60_000;
const stopReplies = {
	all: "You have opted out and will get no more messages from this sender.",
	marketing: "You have opted out and will get no more marketing messages from this sender.",
};

const stopScopeOf = ({ inbound }: TenantDocument) => inbound?.stopScope ?? "all";

/**
 * Takes one message that `verify` vouches for; what it does is durable when this resolves. The text is judged in
 * memory; of it only the keyword's effect is recorded. Its texts stay the caller's, who wipes them.
 *
 * The tenants that share a sender are one to the recipient: a STOP reaches them all. It is honoured from anyone; answers
 * go only to numbers that have been written to, else strangers could be sent messages in anyone's name.
 *
 * Of what is stale a STOP counts, and nothing else: a revocation that comes late is one (47 CFR 64.1200(a)(10)), and a
 * carrier that was not heard for a while brings what was written then. It stands from when it was written, as if it had
 * come then: an opt-out that was lifted since is not placed again. And it counts within the time for which the store knows
 * what was seen, so that it counts once.
 * @throws LetheError store_unavailable, keys_unavailable, callback_unconfirmed: the carrier must bring it again
 */
export function createInbound(deps: InboundDeps) {
	const subjects = createSubjects(deps);
	const { handleStop, handleStart, handleHelp } = createKeywords(deps);

	return async (sendQueue: string, message: InboundMessage, stale: boolean): Promise<InboundTaken> => {
		// Before it is noted as seen: brought again, signed anew, it is to count.
		if (stale && !isLateStop(message, deps.clock())) return "stale";
		const queue = await deps.store.sendQueues.find(sendQueue);
		if (!queue || !isWrittenTo(queue.sender, message)) return "unknown_sender";
		const recipient = readSender(message);
		if (!recipient) return "unknown_number";
		try {
			return await takeOnce(queue, message, recipient, stale);
		} finally {
			recipient.number.wipe();
		}
	};

	async function takeOnce(
		{ _id: sendQueue, carrier, sender }: SendQueueDocument,
		message: InboundMessage,
		recipient: Recipient,
		late: boolean,
	): Promise<InboundTaken> {
		const id = deps.ids.derive("request", JSON.stringify([sendQueue, "inbound", message.eventId]));
		const claimed = await claim(deps, id);
		if (!claimed) return "duplicate";
		try {
			const tenants = await deps.store.tenants.findBySendQueue(sendQueue);
			const parties = await Promise.all(
				tenants.map(async (tenant) => ({ tenant, subject: await subjects.identify(tenant._id, recipient.number) })),
			);
			const at = Math.min(message.at, deps.clock());
			const { keywordClass, revokesAll = false } = read(message);
			const isPart = message.isPart ?? false;
			const one = { parties, recipient, sender, carrier, at, id, late, isPart, revokesAll };
			const taken = await handle(one, keywordClass);
			await deps.store.idempotencyKeys.answer(claimed, { status: 200, body: "" });
			return taken;
		} catch (error) {
			await deps.store.idempotencyKeys.release(claimed).catch(() => undefined);
			throw error;
		}
	}

	async function handle(one: Case, keywordClass: ContentFacts["keywordClass"]): Promise<InboundTaken> {
		if (one.parties.length === 0) return "unknown_sender";
		if (keywordClass === "stop") return handleStop(one);
		// Where the rest is not known, it may say anything: that would lift a STOP on a word that a sentence ended in.
		if (one.isPart) return "other";
		if (keywordClass === "start") return handleStart(one);
		return keywordClass === "help" ? handleHelp(one) : "other";
	}
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a factory; the functions in it are short.
function createKeywords(deps: InboundDeps) {
	const subjects = createSubjects(deps);
	const optOuts = createOptOuts(deps);
	const { accept } = createAccept(deps);

	async function handleStop(one: Case): Promise<InboundTaken> {
		const { parties, recipient, at, late, revokesAll } = one;
		let taken: InboundTaken = late ? "stop_overtaken" : "stop_repeated";
		const placed = [];
		for (const { tenant, subject } of parties) {
			const scope = revokesAll ? "all" : stopScopeOf(tenant);
			if (late && isLiftedSince(await subjects.records(subject), tenant._id, scope, at)) continue;
			const { facts, decision } = judge(tenant, recipient, scope);
			const stated = { scope, source: "keyword", at, recordedBy: engine, facts, decision } as const;
			const result = await optOuts.place({ tenant, recipient, subject, ...stated });
			if (late) taken = "stop_late";
			else if (result.placed) taken = "stop";
			placed.push({ tenant, subject, record: result.record });
		}
		// Again after a repeat: the confirmation is one message however often it is asked for.
		const party = await lastWriter(placed);
		if (party) await confirm(one, party);
		return taken;
	}

	function judge(
		tenant: TenantDocument,
		recipient: Recipient,
		scope: OptOutRecord["scope"],
	): { facts: Facts; decision: Decision } {
		const now = deps.clock();
		const about = factsAbout(tenant, recipient, now);
		const receivedAt = new Date(now).toISOString();
		const facts = {
			...about,
			context: {
				...about.context,
				event: "inbound",
				keywordClass: "stop",
				...(scope === "all" ? { revokesAll: true } : {}),
				receivedAt,
			},
		} as const;
		return { facts, decision: deps.policies.evaluate(facts) };
	}

	async function confirm(one: Case, { tenant, record }: Party & { record: OptOutRecord }): Promise<void> {
		const { maxConfirmations = 0, confirmationWithin } = record.decision ?? {};
		// Only where a law speaks of one, and for the opt-out that the recipient's own message placed.
		if (record.source !== "keyword" || maxConfirmations < 1 || confirmationWithin === undefined) return;
		const by = record.at + durationMs(confirmationWithin);
		// The tenant's words are of what STOP means there: of one from everything they may say too little.
		const own = record.scope === stopScopeOf(tenant) ? tenant.inbound?.stopReply : undefined;
		const body = own ?? stopReplies[record.scope];
		await reply(one, tenant, body, `stop ${record._id}`, { optOutAt: record.at, by });
	}

	async function handleStart({ parties, at }: Case): Promise<InboundTaken> {
		let taken: InboundTaken = "start";
		for (const { tenant, subject } of parties) {
			const records = await subjects.records(subject);
			const { optOut } = standingOf(records, tenant._id);
			if (!optOut) continue;
			// What was said otherwise than by keyword needs better proof than a keyword; and a keyword sent before it, none.
			const mayLift =
				optOut.source === "keyword" && at > lastSaidAt(optOut) && records.length < limits.recordsPerSubjectMax;
			if (!mayLift || !(await lifted(optOut, at))) taken = "start_refused";
		}
		return taken;
	}

	/** False for a START that a STOP of later has overtaken. */
	async function lifted(optOut: OptOutRecord, at: number): Promise<boolean> {
		const lifting = optOuts.lift(optOut, { at, recordedBy: engine, source: "keyword" });
		return lifting.then(
			() => true,
			(error: unknown) => {
				if (error instanceof LetheError && error.code === "opt_in_not_fresh") return false;
				throw error;
			},
		);
	}

	async function handleHelp(one: Case): Promise<InboundTaken> {
		const party = await lastWriter(one.parties);
		const body = party?.tenant.inbound?.helpReply;
		const by = deps.clock() + limits.validForOtpDefaultMs;
		if (party && body !== undefined) await reply(one, party.tenant, body, `help ${one.id}`, { by });
		return "help";
	}

	/** The tenant whose message the recipient got last. */
	async function lastWriter<P extends Party>(parties: P[]): Promise<P | undefined> {
		let last: { party: P; at: number } | undefined;
		for (const party of parties) {
			const at = await deps.store.subjectMessages.newestAt(party.subject.macs);
			if (at !== undefined && at > (last?.at ?? Number.NEGATIVE_INFINITY)) last = { party, at };
		}
		return last?.party;
	}

	/** The engine's own message, through the same door as any other; the same key makes it once. */
	async function reply(
		{ recipient, sender, carrier }: Case,
		tenant: TenantDocument,
		body: string,
		key: string,
		own: Reply,
	) {
		if (own.by - deps.clock() < limits.validForMinMs) return;
		const principal = { id: engine, tenantId: tenant._id };
		try {
			const input = schemas.messageInput.safeParse({
				to: recipient.number.reveal(),
				body,
				sender,
				category: "transactional",
				lawfulBasis: "legitimate_interests",
				validFor: "PT5M",
			});
			if (!input.success) throw new LetheError("invalid_request");
			const { items } = await accept({ principal, inputs: [input.data], key, reply: own });
			for (const item of items) if ("error" in item) throw item.error;
		} catch (error) {
			if (!(error instanceof LetheError) || !isForGood(error)) throw error;
			deps.metrics.countCallback(carrier, `inbound_reply_${error.code}`);
		}
	}

	return { handleStop, handleStart, handleHelp };
}

// No queue may take the answer, the tenant has reworded it since, it is no text that may be sent, nothing is sent there or
// so much: what the recipient said stands without. Whatever may pass, the carrier is to bring the message again for.
function isForGood({ code }: LetheError): boolean {
	return code === "limit_reached" || !errorCatalogue[code].retryable;
}

function isLateStop(message: InboundMessage, now: number): boolean {
	const { at } = message;
	return at < now && now - at < limits.inboundSeenMs && read(message).keywordClass === "stop";
}

/** What is said, where the carrier does not know that it is an opt-out. */
function read({ text, isStop }: InboundMessage): ContentFacts {
	const facts = contentFacts(text.reveal());
	return isStop ? { ...facts, keywordClass: "stop" } : facts;
}

/** Whose message it is; undefined for a number that no plan knows. */
function readSender(message: InboundMessage): Recipient | undefined {
	try {
		return readRecipient(message.from, "/from");
	} catch {
		return undefined;
	}
}

/** Undefined when it has been handled: otherwise this process is to handle it. */
async function claim(deps: InboundDeps, id: string) {
	const now = deps.clock();
	const claimed = { id, startedAt: now };
	const keys = deps.store.idempotencyKeys;
	const standing = await keys.claim({ _id: id, fingerprint: "", startedAt: now, eraseBy: now + limits.inboundSeenMs });
	if (!standing) return claimed;
	if (standing.answer) return undefined;
	const { startedAt } = standing;
	if (now - startedAt > handlingMsMax && (await keys.takeOver(id, startedAt, now))) return claimed;
	// Whoever has it in hand may have died over it, and some carriers bring nothing again that was answered by a 4xx.
	throw new LetheError("callback_unconfirmed");
}
