// Acceptance: judge, encrypt, one journaled insert, start; of one message or of up to 500 together.

import { commitmentOf } from "../audit/sendingReceipt.ts";
import { errorCatalogue, LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import {
	type Message,
	type Refusal,
	type RetentionObject,
	type RetentionRecord,
	sealedObjects,
} from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import { type AssessDeps, type Assessed, createAssess, type Sender } from "./assess.ts";
import { canonical } from "./canonical.ts";
import type { ApiDeps } from "./deps.ts";
import type { Reply } from "./judge.ts";
import { modeOf } from "./planDelivery.ts";
import type { MessageInput } from "./schemas.ts";
import { createTenants, type TenantsDeps } from "./tenants.ts";

export type AcceptDeps = Pick<
	ApiDeps,
	| "clock"
	| "ids"
	| "encryption"
	| "linkSeal"
	| "cohorts"
	| "hmac"
	| "log"
	| "policies"
	| "runs"
	| "sharedRuns"
	| "textSeal"
> & {
	sendQueues: AssessDeps["sendQueues"];
	sendCounts: AssessDeps["sendCounts"];
	store: AssessDeps["store"] &
		TenantsDeps["store"] & {
			messages: Pick<ApiDeps["store"]["messages"], "insert" | "find" | "findBySubmission" | "transition">;
		};
};

/** One a request, in its order; `replayed` when an earlier request with the same key was answered. */
export type Acceptance = { replayed: boolean; items: ({ message: Message } | { error: LetheError })[] };

type Request = {
	principal: Sender;
	inputs: MessageInput[];
	key?: string | undefined;
	/** It came as a batch, be it of one message. */
	batch?: boolean;
	/** The head's id, where whoever asks knows it beforehand. */
	headId?: string;
	/** Set by the engine alone. */
	reply?: Reply;
	/** Whoever asks does not tell what is on record of the recipient: see `assess`. */
	discreet?: boolean;
};
/** The head's id is the request's; the submission and its other members are this try's own. */
type Origin = { headId: string; submissionId: string; idempotency?: { keyMac: string; fingerprint: string } };
type Item = Assessed & { index: number };

/**
 * Accepts messages: once this answers, each that is not an `error` is journaled and reaches a final state.
 * @throws LetheError idempotency_mismatch; keys_unavailable, and then nothing was accepted; store_unavailable, and then
 * nothing was unless there is a key, which a repeat with it finds out; outcome_unknown, without a key only
 */
export function createAccept(deps: AcceptDeps) {
	const { readActive } = createTenants(deps);
	const { assess, foresee, tryOut, forgo, giveBack } = createAssess(deps);

	async function acceptNew(request: Request, origin: Origin): Promise<Acceptance | undefined> {
		const now = deps.clock();
		const tenant = await readActive(request.principal);
		const judged = request.inputs.map((input) => assess(input, request, tenant, now));
		const forgoAll = forgo(tenant._id, judged);
		const items = await Promise.all(judged.map((item) => item.catch(toRefusal))).catch(forgoAll);
		const accepted = items.flatMap((item, index) => ("judgement" in item ? [{ ...item, index }] : []));
		const refused = items.flatMap((item, index) => ("error" in item ? [describeRefusal(item.error, index)] : []));
		const groups = [...new Set(accepted.map(({ judgement }) => judgement.releaseAt))];
		const making = accepted.map(async (item, position) => {
			const group = groups.indexOf(item.judgement.releaseAt);
			const listed = request.batch === true || items.length > 1;
			const place = { now, listed, size: accepted.length, position, group, refused };
			return toMessage(deps, request.principal, item, origin, place);
		});
		const made = await Promise.all(making).catch(forgoAll);
		const written = new Set<string>();
		const giveBackUnwritten = () => {
			for (const [position, item] of accepted.entries()) {
				if (!written.has(made[position]?._id ?? "")) giveBack(tenant._id, item);
			}
		};
		const messages = await store(deps, made, { origin, judgedAt: now, written }).catch((error: unknown) => {
			for (const { judgement } of accepted) judgement.reservation?.forgo();
			giveBackUnwritten();
			throw error;
		});
		if (!messages) {
			giveBackUnwritten();
			return undefined;
		}
		const byIndex = new Map(accepted.map((item, position) => [item.index, messages[position] as Message]));
		return {
			replayed: false,
			items: items.map((item, index) => ("error" in item ? item : { message: byIndex.get(index) as Message })),
		};
	}

	async function accept(request: Request): Promise<Acceptance> {
		const { origin, earlier } = await readOrigin(deps, request);
		// A single message finds out by its insert; a batch would leave a whole submission of orphans.
		const asked = request.inputs.length > 1 && origin.idempotency ? [origin.headId, ...earlier] : earlier;
		if (asked.length > 0) {
			const known = await replay(deps, request, asked);
			if (known) return known;
		}
		let result: Acceptance | undefined;
		let failure: unknown;
		try {
			result = await acceptNew(request, origin);
		} catch (error) {
			failure = error;
		}
		if (result?.items.some((item) => "message" in item)) return result;
		// Refused now, or accepted before: time may have changed the verdict, but not the first answer. A refusal is no answer
		// that is kept: to find one would cost each acceptance another look.
		const known = origin.idempotency ? await replay(deps, request, [origin.headId]) : undefined;
		if (known) return known;
		if (result) return result;
		throw failure ?? new LetheError("internal", { cause: "a duplicate is nowhere" });
	}

	return {
		accept: (request: Request) => deps.runs.whileAccepting(() => accept(request)),
		/** What the policies and the tenant's own limits would say, and what the text would cost; nothing is stored or counted. */
		tryOut: async (principal: Sender, asked: MessageInput) => tryOut(asked, principal, await readActive(principal)),
		foresee,
	};
}

/**
 * `written`: ids of those that are, or may be, in the store by then. What of a batch that was not accepted is among them
 * stays charged until the sweep has erased it.
 */
type Storing = { origin: Origin; judgedAt: number; written: Set<string> };

/** Stores messages and has their run started; answers them as they are stored, or undefined when they were accepted before. */
async function store(deps: AcceptDeps, messages: Message[], storing: Storing): Promise<Message[] | undefined> {
	const [head] = messages;
	if (!head) return messages;
	// What came as a batch, be it of one, is driven by itself: its run's id is the batch's.
	const seat = head.index === undefined ? deps.sharedRuns.join(head) : undefined;
	if (!seat) {
		if (!(await insertAll(deps, messages, storing))) return undefined;
		deps.runs.startSoon(messages);
		return messages;
	}
	let isStored = false;
	try {
		isStored = await insertAll(deps, [seat.message], storing);
	} finally {
		seat.leave(isStored);
	}
	return isStored ? [seat.message] : undefined;
}

/** False when the messages were accepted before. */
async function insertAll(deps: AcceptDeps, messages: Message[], storing: Storing): Promise<boolean> {
	const { origin, judgedAt, written } = storing;
	const [head, ...rest] = messages;
	// Later, the policies may have changed, its cohort may be given up, and a head might find its members erased.
	const notAfter = judgedAt + limits.headInsertMsMax;
	const insert = async (message: Message) => {
		written.add(message._id);
		const answer = await deps.store.messages.insert(message, notAfter).catch((error: unknown) => {
			if ((error as { code?: unknown }).code === "store_unavailable") written.delete(message._id);
			throw toInsertFailure(error, message, origin);
		});
		if (answer !== "inserted") written.delete(message._id);
		if (answer === "late") throw new LetheError("store_unavailable", { cause: "it took too long to insert" });
		return answer;
	};
	// The head is the acceptance: what was inserted without one is an orphan, and is erased. What became of each is waited
	// for, whatever became of the others.
	const failure = (await Promise.allSettled(rest.map(insert))).find((one) => one.status === "rejected");
	if (failure) throw failure.reason;
	if (head && (await insert(head)) === "inserted") return true;
	if (!origin.idempotency) throw new LetheError("internal", { cause: "an id was drawn twice" });
	return false;
}

// A member counts for nothing without its head, and a key finds out by a repeat; without one, the id has to do.
function toInsertFailure(error: unknown, { _id: messageId, headId }: Message, origin: Origin): unknown {
	if (!(error instanceof LetheError) || error.code !== "outcome_unknown") return error;
	const { cause } = error;
	if (headId !== undefined || origin.idempotency) return new LetheError("store_unavailable", { cause });
	return new LetheError("outcome_unknown", { cause, extra: { messageId } });
}

/** Ids of a request: with a key, its head always has the same one; `earlier` under other versions of the hash. */
async function readOrigin(deps: AcceptDeps, request: Request): Promise<{ origin: Origin; earlier: string[] }> {
	const { principal, key } = request;
	const submissionId = deps.ids.random("submission");
	const { headId = deps.ids.random("message") } = request;
	if (key === undefined) return { origin: { headId, submissionId }, earlier: [] };
	// Derived from a keyed hash: callers put order numbers, or worse, into their keys.
	const text = JSON.stringify([principal.tenantId, principal.id, key]);
	const [{ toStore, others }, { mac: fingerprint }] = await Promise.all([
		deps.hmac.macs("idempotency", undefined, text),
		deps.hmac.mac("idempotency", undefined, contentOf(request)),
	]);
	return {
		origin: {
			headId: deps.ids.derive("message", toStore.mac),
			submissionId,
			idempotency: { keyMac: toStore.mac, fingerprint },
		},
		earlier: others.map(({ mac }) => deps.ids.derive("message", mac)),
	};
}

/** What two requests with one key must share to be the same one. Only a batch of one could be taken for a message. */
function contentOf({ principal, inputs, batch }: Request): string {
	return canonical([principal.tenantId, inputs, ...(batch && inputs.length === 1 ? ["batch"] : [])]);
}

async function replay(deps: AcceptDeps, request: Request, headIds: string[]): Promise<Acceptance | undefined> {
	const heads = await Promise.all(headIds.map((id) => deps.store.messages.find(id)));
	const head = heads.find((message) => message !== undefined);
	if (!head) return undefined;
	const macs = await deps.hmac.allMacs("idempotency", undefined, contentOf(request));
	if (!macs.some(({ mac }) => mac === head.idempotency?.fingerprint)) throw new LetheError("idempotency_mismatch");
	// That it can be read does not make it durable: whoever wrote it may be waiting for that, or not have heard. Stores journal
	// in order, so a write that is acknowledged now tells.
	await deps.store.messages.transition({ id: head._id, from: [head.state] });
	const messages = head.submissionSize > 1 ? await deps.store.messages.findBySubmission(head.submissionId) : [head];
	// One whose record has been deleted since is not to be had any more.
	const items: Acceptance["items"] = request.inputs.map(() => ({ error: new LetheError("not_found") }));
	for (const message of messages) items[message.index ?? 0] = { message };
	for (const { index, code, ...about } of head.refused ?? []) items[index] = { error: new LetheError(code, about) };
	return { replayed: true, items };
}

function describeRefusal({ code, errors, extra }: LetheError, index: number): Refusal {
	return { index, code, errors, extra };
}

/** Where a message stands: whether it has a place in a list that was asked for, and among the `size` that are accepted of it. */
type Place = { now: number; listed: boolean; size: number; position: number; group: number; refused: Refusal[] };

async function toMessage(
	deps: AcceptDeps,
	principal: Sender,
	item: Item,
	origin: Origin,
	{ now, listed, size, position, group, refused }: Place,
): Promise<Message> {
	const { input, index, judgement, queue, segments, passed } = item;
	const { releaseAt, decision, excluded, keeps, facts, country, subject } = judgement;
	const isHead = position === 0;
	const messageId = isHead ? origin.headId : deps.ids.random("message");
	judgement.reservation?.settle(messageId);
	const state = releaseAt === undefined ? "accepted" : "deferred";
	const place = { tenantId: principal.tenantId, messageId, region: country };
	const { content, ...prepared } = await item.delivery.prepare(messageId, item.retention.content.eraseBy);
	const sealed = await sealParts(deps, place, item, { content, linked: prepared.link !== undefined });
	return {
		_id: messageId,
		tenantId: principal.tenantId,
		submissionId: origin.submissionId,
		submissionSize: size,
		...(isHead ? {} : { headId: origin.headId }),
		...(listed ? { index } : {}),
		...(isHead && refused.length > 0 ? { refused } : {}),
		group,
		principalId: principal.id,
		...(origin.idempotency ? { idempotency: origin.idempotency } : {}),
		category: input.category,
		dataClasses: input.dataClasses,
		deliveryMode: modeOf(decision),
		...prepared,
		country,
		region: country,
		sendQueue: queue._id,
		senderId: queue.sender,
		...(input.sender === undefined ? {} : { senderAsked: true as const }),
		segments,
		...(input.clientReference === undefined ? {} : { clientReference: input.clientReference }),
		...item.notified,
		...(input.template === undefined ? {} : { templateId: input.template }),
		...(input.commitmentSalt === undefined ? {} : { commitment: commit(input.commitmentSalt, item) }),
		subject,
		facts,
		decision,
		...(excluded.length > 0 ? { excluded } : {}),
		...(passed.noted.length > 0 ? { abuse: passed.noted } : {}),
		...(passed.charge ? { charge: passed.charge } : {}),
		state,
		attempt: 0,
		acceptedAt: now,
		stateAt: now,
		deadlineAt: judgement.deadlineAt,
		closeAt: judgement.closeAt,
		...(releaseAt === undefined ? {} : { releaseAt }),
		attempts: [],
		receipts: [],
		evidence: [
			{ at: now, type: "decided", ...(decision.rules[0] ? { code: decision.rules[0] } : {}) },
			{ at: now, type: "accepted", code: state },
		],
		unintegratedSince: now,
		holds: keeps,
		...sealed,
		certificates: [],
		// Whether its head made it is found out soon, whenever the member itself is due.
		nextCheckAt: (isHead ? (releaseAt ?? now) : now) + limits.driverPatienceMs,
	};
}

function commit(salt: Plaintext, { input, judgement }: Item): string {
	return commitmentOf(salt.reveal(), judgement.number.reveal(), input.body.reveal());
}

type Sealing = Pick<Message, "content" | "address" | "retention">;

async function sealParts(
	deps: AcceptDeps,
	place: { tenantId: string; messageId: string; region: string },
	item: Item,
	{ content, linked }: { content: Plaintext; linked: boolean },
): Promise<Sealing> {
	const { region, ...owner } = place;
	const plain = { content, address: item.judgement.number };
	const retention = {} as Record<RetentionObject, RetentionRecord>;
	const { dueAfter, ...planned } = item.retention;
	for (const [object, { eraseBy, atFinal }] of Object.entries(planned)) {
		retention[object as RetentionObject] = { eraseBy, atFinal };
	}
	const sealed = await Promise.all(
		sealedObjects.map(async (object) => {
			const { retentionClass, dueAt } = planned[object];
			const own = linked && object === "content" ? { linked: true as const } : {};
			const place = { tenantId: owner.tenantId, region, retentionClass, dueAt, ...own };
			// Bound, for a function of this scope would keep the plaintext alive as long as the place is known.
			const cohortId = await deps.cohorts.ensure(place, dueAfter.bind(undefined, object));
			retention[object] = { ...retention[object], cohortId, keyDueAt: dueAt };
			const plaintext = plain[object];
			return [object, await deps.encryption.encrypt({ ...owner, object, cohortId, plaintext })] as const;
		}),
	);
	return { ...Object.fromEntries(sealed), retention };
}

// A refusal concerns one message; a server that is away, or policies that can't be read, concern them all.
function toRefusal(error: unknown): { error: LetheError } {
	if (error instanceof LetheError && errorCatalogue[error.code].status < 500) return { error };
	throw error;
}
