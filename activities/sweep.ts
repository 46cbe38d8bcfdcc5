// Repairs what drivers lost: each message whose nextCheckAt has passed is looked at and driven on, whatever died.

import type { ParkedReceipt } from "../adapters/mongo/models.ts";
import { redactableParts, redactionKey } from "../domain/carrierCopy.ts";
import { isSound } from "../domain/evidence.ts";
import { limits } from "../domain/limits.ts";
import { isRestricted, type Message, type SealedObjectName, sealedObjects } from "../domain/message.ts";
import { close, eraseObjects, forget, outcomeAsRead, receiptErasure } from "../domain/transition.ts";
import type { Swept } from "../workflows/contract.ts";
import { type createCertify, erasedObjects, nextDueAt } from "./certify.ts";
import { change } from "./change.ts";
import type { createConfirm } from "./confirm.ts";
import { deleteRecord } from "./deleteRecord.ts";
import type { createDeliver } from "./deliver.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createDropEndedHolds } from "./dropEndedHolds.ts";
import { endSpending } from "./endSpending.ts";
import { guarded } from "./guarded.ts";
import type { createIntegrate } from "./integrate.ts";
import { isHeldBack } from "./isHeldBack.ts";
import type { createOffboard } from "./offboard.ts";
import type { createPrepare } from "./prepare.ts";
import type { createRefund } from "./refund.ts";
import type { createRenewKeys } from "./renewKeys.ts";
import type { createResolve } from "./resolve.ts";
import type { createRetime } from "./retime.ts";
import type { createSweepRequests } from "./sweepRequests.ts";
import type { createTend } from "./tend.ts";
import { tidyVerifications } from "./tidyVerifications.ts";
import type { createUnpark } from "./unpark.ts";

export type SweepDeps = Pick<
	ActivityDeps,
	"clock" | "log" | "runs" | "publish" | "evidence" | "checkpoints" | "ledger"
> & {
	store: Pick<
		ActivityDeps["store"],
		| "messages"
		| "certificates"
		| "cohorts"
		| "parkedReceipts"
		| "purgePages"
		| "idempotencyKeys"
		| "spentProofs"
		| "proposals"
		| "subjectRecords"
		| "webhookDeliveries"
		| "verifications"
		| "spending"
		| "tenants"
	>;
	confirm: ReturnType<typeof createConfirm>;
	retime: Pick<ReturnType<typeof createRetime>, "continueRetiming">;
	prepare: Pick<ReturnType<typeof createPrepare>, "prepareMessage">;
	deliver: Pick<ReturnType<typeof createDeliver>, "queueMessage">;
	resolve: ReturnType<typeof createResolve>;
	certify: ReturnType<typeof createCertify>;
	tend: ReturnType<typeof createTend>;
	sweepRequests: ReturnType<typeof createSweepRequests>;
	offboard: ReturnType<typeof createOffboard>;
	renewKeys: ReturnType<typeof createRenewKeys>;
	refund: ReturnType<typeof createRefund>;
	dropEndedHolds: ReturnType<typeof createDropEndedHolds>;
	unpark: ReturnType<typeof createUnpark>;
	integrate: ReturnType<typeof createIntegrate>;
};

/** `sweepPage` repairs one page; one message's failure never stops the others. */
export function createSweep(deps: SweepDeps) {
	const { messages, cohorts } = deps.store;

	async function sweepPage(): Promise<Swept> {
		const now = deps.clock();
		// Before the messages: what waits for one of them may spare it a look-up, or an end as unknown.
		const receiptCount = await sweepParked(deps, now);
		const due = await messages.findDue(now, limits.sweepPageItems);
		await Promise.all(due.map((message) => guarded(deps, () => repair(deps, message), message._id)));
		const dueCohorts = await cohorts.findDue(now, limits.sweepPageItems);
		for (const cohort of dueCohorts) {
			const start = async () => {
				await cohorts.nextCheck(cohort._id, now + limits.heldCohortCheckMs);
				await deps.runs.startPurge({ cohortId: cohort._id, tenantId: cohort.tenantId, region: cohort.region });
			};
			await guarded(deps, start, cohort._id);
		}
		await guarded(deps, () => deps.tend());
		await guarded(deps, () => deps.sweepRequests());
		const isOffboarding = (await guarded(deps, () => deps.offboard())) ?? false;
		await guarded(deps, () => deps.ledger.beat());
		await guarded(deps, () => deps.renewKeys());
		await guarded(deps, () => deps.store.parkedReceipts.eraseDue(now));
		await guarded(deps, () => deps.store.idempotencyKeys.eraseDue(now));
		await guarded(deps, () => deps.store.spentProofs.eraseDue(now));
		await guarded(deps, () => deps.store.webhookDeliveries.eraseDue(now));
		await guarded(deps, () => tidyVerifications(deps));
		await guarded(deps, () => endSpending(deps));
		await guarded(deps, () => sweepProposals(deps, now));
		await guarded(deps, () => deps.retime.continueRetiming());
		const integratedCount = await deps.integrate();
		await guarded(deps, () => publishCheckpoint(deps));
		const isFull = [due.length, dueCohorts.length, receiptCount, integratedCount].includes(limits.sweepPageItems);
		return { messageCount: due.length, cohortCount: dueCohorts.length, moreDue: isFull || isOffboarding };
	}

	return { sweepPage, repair: (message: Message) => repair(deps, message) };
}

// A log that is not the one its witnesses saw is told to people; until they have judged it, nothing is signed over it.
async function publishCheckpoint(deps: SweepDeps): Promise<void> {
	const { standing, size } = await deps.checkpoints.publish();
	if (!isSound(standing)) deps.log.error({ code: `evidence_${standing}`, size }, "evidence log not as witnessed");
}

// Whoever was to apply a receipt once its message was known died: the sender after it had stored the carrier's id, say.
async function sweepParked(deps: SweepDeps, now: number): Promise<number> {
	const { messages, parkedReceipts } = deps.store;
	const due = await parkedReceipts.findDue(now, limits.sweepPageItems);
	// Before anything is tried, and each time twice as late: what is of no message, or can't be read, keeps none waiting.
	const later = ({ parkedAt }: ParkedReceipt) => now + Math.max(now - parkedAt, limits.driverPatienceMs);
	await parkedReceipts.nextChecks(due.map((receipt) => ({ id: receipt._id, at: later(receipt) })));
	const waiting = Map.groupBy(due, ({ sendQueue, carrierId }) => JSON.stringify([sendQueue, carrierId]));
	const known: (Pick<ParkedReceipt, "sendQueue" | "carrierId"> & { messageId: string })[] = [];
	const find = async ({ sendQueue, carrierId }: ParkedReceipt) => {
		const message = await messages.findByCarrierId(sendQueue, carrierId);
		if (message) known.push({ sendQueue, carrierId, messageId: message._id });
	};
	await Promise.all([...waiting.values()].map(([receipt]) => guarded(deps, () => find(receipt as ParkedReceipt))));
	const unparkAll = async ([messageId, receipts]: [string, typeof known]) => {
		// One by one: parts of a message that are applied at once race each other.
		for (const { sendQueue, carrierId } of receipts) {
			await guarded(deps, () => deps.unpark(messageId, sendQueue, carrierId), messageId);
		}
	};
	await Promise.all([...Map.groupBy(known, ({ messageId }) => messageId)].map(unparkAll));
	return due.length;
}

// A publisher or a starter died: what it had begun is completed or given up.
async function sweepProposals(deps: SweepDeps, now: number): Promise<void> {
	for (const proposal of await deps.store.proposals.findDue(now, limits.sweepPageItems)) {
		const { _id, publishing, simulation, nextCheckAt } = proposal;
		if (publishing) await deps.publish.settle(proposal);
		else if (simulation && simulation.endedAt === undefined) {
			const set = { nextCheckAt: now + limits.driverPatienceMs };
			const claimed = await deps.store.proposals.change(_id, { where: { nextCheckAt }, set });
			if (claimed) await deps.runs.startSimulate({ proposalId: _id });
		} else await deps.store.proposals.change(_id, { where: { nextCheckAt }, unset: ["nextCheckAt"] });
	}
}

async function repair(deps: SweepDeps, message: Message): Promise<void> {
	const now = deps.clock();
	const nextCheckAt = Math.max(now, waitsUntil(message, now)) + limits.driverPatienceMs;
	// The new date is a claim: of two sweeps one goes on, and a repair that fails comes back later, not at once.
	const claimed = await deps.store.messages.transition({
		id: message._id,
		from: [message.state],
		where: { nextCheckAt: message.nextCheckAt },
		set: { nextCheckAt },
	});
	if (!claimed) return;
	// Before its deadline is looked at: what was never accepted does not expire either.
	const isUnsent = message.state === "accepted" || message.state === "deferred";
	if (isUnsent && !(await deps.confirm({ ...message, nextCheckAt }))) return;
	const over = await change(deps.store.messages, message._id, (current) => close(current, now), message);
	if (over) return deps.runs.settle(message);
	switch (message.state) {
		case "accepted":
		case "deferred":
			return driveUnsent(deps, message);
		case "queued":
			// No sender may claim it; without its hold the sweep comes back at once.
			if (isRestricted(message)) return void (await deps.dropEndedHolds(message));
			return void (await deps.deliver.queueMessage(message));
		case "sending":
		case "submitted":
			return deps.resolve(message);
		default:
			return endFinal(deps, message, now);
	}
}

// Until then nothing is to be done for an open message, whatever woke the sweep. One whose head may be missing can't wait.
function waitsUntil(message: Message, now: number): number {
	// No sender may claim it; its release has the sweep look at once.
	const held = message.state === "queued" && isRestricted(message);
	if (held) return Math.min(message.deadlineAt, now + limits.heldCohortCheckMs);
	if (message.backlog !== undefined) return message.deadlineAt - limits.driverPatienceMs;
	if (message.state === "queued") return message.notBefore ?? 0;
	return message.state === "deferred" && message.headId === undefined ? (message.releaseAt ?? 0) : 0;
}

// The run may never have started, or its worker died with the activity in hand: start it, and if it stands, do its work.
async function driveUnsent(deps: SweepDeps, message: Message): Promise<void> {
	const { submissionId, tenantId, category, region } = message;
	const started = await deps.runs.start({ submissionId, tenantId, category, region }).catch(() => false);
	// Woken before its time, by a hold's release say: its run sleeps until then, and the claim has the sweep come back after.
	if (started || waitsUntil(message, deps.clock()) > deps.clock()) return;
	const prepared = await deps.prepare.prepareMessage(message);
	const releaseAt = prepared.releaseAt ?? 0;
	if (releaseAt <= deps.clock()) await deps.deliver.queueMessage(prepared);
}

// A record is the last to go: what is left of text and number goes before it, and is certified while it can be read back.
async function endRecord(deps: SweepDeps, message: Message, now: number): Promise<void> {
	const left = sealedObjects.filter((name) => message[name] !== undefined);
	if (left.length > 0) return void (await deps.store.messages.transition(eraseObjects(message, left, now, {})));
	const { certificates, purgePages } = deps.store;
	// Of a purge page that is not through yet the certificate comes first; the claim has the sweep come back.
	for (const [object, { certificateId }] of Object.entries(message.retention)) {
		if (certificateId === undefined || (await certificates.find(certificateId))) continue;
		// In this order: a page goes after its certificate is there.
		if ((await purgePages.find(certificateId)) || (await certificates.find(certificateId))) return;
		// Whoever erased it did so after the page had been given up, and died: nobody else would certify it.
		const page = { _id: certificateId, object: object as SealedObjectName };
		return deps.store.messages.disown(page, [message._id], now);
	}
	await deleteRecord(deps, message);
}

// A hold kept its carrier's copy, and is released; or it became due before there was a line of its own.
async function queueRedaction(deps: SweepDeps, message: Message, now: number): Promise<void> {
	const { _id: id, state, sendQueue, carrierCopy, holds, redaction } = message;
	if (carrierCopy?.state !== "due" || redaction !== undefined || holds.length > 0) return;
	const set = { redaction: redactionKey(sendQueue, Math.max(now, carrierCopy.nextTryAt)) };
	await deps.store.messages.transition({
		id,
		from: [state],
		where: { redaction: { $exists: false }, holds: { $size: 0 } },
		set,
	});
}

async function endFinal(deps: SweepDeps, message: Message, now: number): Promise<void> {
	await guarded(deps, () => deps.runs.settle(message));
	await deps.refund(message);
	if (message.holds.length > 0 && (await deps.dropEndedHolds(message))) return;
	await queueRedaction(deps, message, now);
	// What a hold on all of the tenant may be about to reach is left as it is; the claim has the sweep come back.
	if (message.holds.length === 0 && (await isHeldBack(deps, message))) return;
	// What a hold kept beyond its time goes once nothing holds it any more.
	const kept = forget(message, now);
	if (kept) {
		// A cohort that nothing is left in may end as well, when policies of today have it so.
		const leaving = sealedObjects
			.filter((name) => kept.unset?.includes(name) && message.retention[name]?.inPlace)
			.map((name) => ({ cohortId: message[name]?.cohortId ?? "", dueAt: now }));
		await deps.store.cohorts.noteLeaving(leaving, now, now + limits.driverPatienceMs);
		return void (await deps.store.messages.transition(kept));
	}
	if (erasedObjects(message).length > 0) return deps.certify([message]);
	const { receipt, decision_record: record } = message.retention;
	if (message.holds.length === 0 && record && record.eraseBy <= now) return endRecord(deps, message, now);
	const isDue = (nextDueAt(message) ?? Number.POSITIVE_INFINITY) <= now;
	if (message.holds.length === 0 && !isDue && isCopyUnseen(message)) return deps.certify([message]);
	const eraseReceipts = message.holds.length === 0 && receipt && !receipt.erasedAt && receipt.eraseBy <= now;
	// What else is due in its place, before the record is, stays on the list.
	const retention = eraseReceipts
		? { ...message.retention, receipt: { ...receipt, erasedAt: now } }
		: message.retention;
	const dueAt = nextDueAt({ ...message, retention });
	// What a hold keeps is looked at again, but not at every sweep.
	const heldUntil = message.holds.length > 0 ? now + limits.heldCohortCheckMs : undefined;
	const erasing = eraseReceipts ? receiptErasure(now) : undefined;
	await deps.store.messages.transition({
		id: message._id,
		from: [message.state],
		// Whoever places or releases a hold meanwhile, or notes an outcome, has a say of their own.
		where: { holds: { $size: message.holds.length }, ...outcomeAsRead(message) },
		set: {
			...erasing?.set,
			...(dueAt !== undefined && dueAt > now ? { nextCheckAt: dueAt } : heldUntil ? { nextCheckAt: heldUntil } : {}),
		},
		...(erasing && { evidence: erasing.evidence }),
	});
}

// Its carrier's answer came after its end was seen to: the copy is due where the carrier can forget, and so is its next date.
function isCopyUnseen({ carrierCopy, attempts }: Message): boolean {
	return carrierCopy === undefined && redactableParts(attempts) !== undefined;
}
