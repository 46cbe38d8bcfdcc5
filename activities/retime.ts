// Policies that came into force apply to what is stored: page by page, repeatable after a kill, by two workers at once.

import { LetheError } from "../domain/errors.ts";
import { isFinal } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import type { Retiming } from "../domain/proposal.ts";
import { type HoldRecord, standingOf } from "../domain/subject.ts";
import { hold } from "../domain/transition.ts";
import { tally } from "../policies/simulate.ts";
import type { Stepped } from "../workflows/contract.ts";
import { certifyErased, type Erased } from "./certify.ts";
import type { ActivityDeps } from "./deps.ts";
import { formerCohorts, readKeyDates } from "./keyDates.ts";
import { type Needs, planRetime, type RetimePlan, type RetimePlanDeps, type Subject } from "./retimePlan.ts";
import { createRetimeRecords } from "./retimeRecords.ts";

export type RetimeDeps = Pick<
	ActivityDeps,
	"clock" | "monotonic" | "ids" | "policies" | "encryption" | "cohorts" | "certificates" | "evidence" | "log"
> & {
	store: Pick<
		ActivityDeps["store"],
		"messages" | "messageScan" | "retimings" | "cohorts" | "tenants" | "certificates" | "subjectRecords"
	>;
	runs: Pick<ActivityDeps["runs"], "settleSoon" | "startRetime">;
	rejudge: RetimePlanDeps["rejudge"];
};

const roundsMax = 8;
// A pass has gone through all messages once its cursor begins so: what follows is the last record of a recipient.
const ofRecords = "records/";
const retriedCodes = ["keys_unavailable", "store_unavailable", "policies_unavailable"];

/** `retimePages` does pages for some seconds; `continueRetiming` begins a pass when other packs are in force, and drives it. */
export function createRetime(deps: RetimeDeps) {
	const { retimings, messageScan } = deps.store;
	const retimeRecords = createRetimeRecords(deps);

	/** One page, of messages or, once there are no more, of records; the one after the last ends the pass. */
	async function retimePage(pass: Retiming): Promise<void> {
		const now = deps.clock();
		if (deps.policies.inForce(now).fingerprint !== pass.fingerprint) {
			throw new LetheError("policies_unavailable", { cause: "this process knows other packs than the pass" });
		}
		if (pass.cursor.startsWith(ofRecords)) {
			const last = await retimeRecords(pass.cursor.slice(ofRecords.length), pass.since ?? 0, now);
			const set = last === undefined ? ({ state: "done", endedAt: now } as const) : { cursor: `${ofRecords}${last}` };
			return void (await retimings.advance(pass._id, pass.cursor, set));
		}
		const found = await messageScan.scan(pass.cursor, limits.policyPageItems);
		const last = found.at(-1);
		if (!last) return void (await retimings.advance(pass._id, pass.cursor, { cursor: ofRecords }));
		const page = found.filter(({ acceptedAt }) => acceptedAt >= (pass.since ?? 0));
		const [needs, keeps] = await Promise.all([readNeeds(deps, page), readKeeps(deps, page)]);
		// The page's ciphertext stays in the store: nothing here needs it.
		const subjects = page.map((message) => ({
			message: message as Message,
			needs: needs.get(message.tenantId) ?? {},
			keeps: keeps.get(message.tenantId) ?? [],
			pass,
			now,
		}));
		const plans = subjects.map((subject) => tryPlan(deps, subject));
		// Noted before anything leaves: whoever dies in between leaves a look too many, never one too few.
		await deps.store.cohorts.noteLeaving(latestOf(plans), now, now + limits.driverPatienceMs);
		const results = await Promise.all(subjects.map((subject, index) => retimeOne(deps, subject, plans[index])));
		await certify(
			deps,
			results.flatMap(({ erased }) => erased),
		);
		const sum = { counts: { ...pass.counts }, samples: {} };
		page.forEach(({ _id }, index) => {
			const effects = results[index]?.effects ?? [];
			// A second look adds what it finds to what the first has counted: most of it that one has looked at.
			if (pass.since === undefined || effects.length > 0) tally(sum, _id, effects);
		});
		await retimings.advance(pass._id, pass.cursor, { cursor: last._id, counts: sum.counts });
	}

	async function retimePages(retimingId: string): Promise<Stepped> {
		const startedAt = deps.monotonic();
		for (;;) {
			const pass = await retimings.find(retimingId);
			if (pass?.state !== "running") return { moreDue: false, percent: 100 };
			if ((await retimings.latest())?._id !== retimingId) {
				await retimings.advance(retimingId, pass.cursor, { state: "superseded", endedAt: deps.clock() });
				continue;
			}
			await retimePage(pass);
			if (deps.monotonic() - startedAt < limits.policyStepMs) continue;
			return {
				moreDue: true,
				percent: Math.min(99, Math.floor((100 * (pass.counts.messages ?? 0)) / (pass.total || 1))),
			};
		}
	}

	async function continueRetiming(): Promise<void> {
		const now = deps.clock();
		const due = await beginRetiming(deps, await retimings.latest(), now);
		if (due?.state === "running") await deps.runs.startRetime({ retimingId: due._id });
	}

	return { retimePages, continueRetiming };
}

/** The pass to work on: a new one when other packs are in force than at the last, or when that one may have missed some. */
async function beginRetiming(deps: RetimeDeps, latest: Retiming | undefined, now: number) {
	const { fingerprint, from, published } = deps.policies.inForce(now);
	// A process that knows less than the one that began the last pass must not undo it.
	const changed = !latest || (latest.fingerprint !== fingerprint && from >= latest.inForceFrom);
	// What was judged just before, and stored just after the pass had gone by, is found by a second look.
	const settled = latest && now >= latest.inForceFrom + limits.retimeSettleMs;
	const again = latest?.state === "done" && settled && latest.startedAt < latest.inForceFrom + limits.retimeSettleMs;
	if (!changed && !again) return latest;
	const sequence = (latest?.sequence ?? 0) + 1;
	const pass: Retiming = {
		_id: deps.ids.derive("retiming", `${sequence}`),
		sequence,
		fingerprint,
		inForceFrom: from,
		// A new deployment has nothing that other packs than these have judged.
		state: latest || published ? "running" : "done",
		cursor: "",
		...(changed ? {} : { since: from - limits.retimeSettleMs }),
		total: await deps.store.messageScan.countAll(),
		// Whoever asks afterwards is told what all of it has done.
		counts: changed ? {} : latest.counts,
		startedAt: now,
	};
	return (await deps.store.retimings.insert(pass)) ? pass : deps.store.retimings.latest();
}

type Planned = RetimePlan | "failed" | undefined;
type Result = { effects: string[]; erased: (Erased & { cohortId: string })[] };

// A message that can't be judged is counted, and stops no other.
function tryPlan(deps: RetimeDeps, subject: Subject): Planned {
	try {
		return planRetime(deps, subject);
	} catch (error) {
		if ((error as { code?: string }).code === "policies_unavailable") throw error;
		deps.log.warn({ messageId: subject.message._id, code: "unjudged" }, "message not re-timed");
		return "failed";
	}
}

async function retimeOne(deps: RetimeDeps, subject: Subject, first: Planned): Promise<Result> {
	const { messages } = deps.store;
	if (first === "failed") return { effects: ["failed"], erased: [] };
	let { message } = subject;
	let plan = first;
	for (let round = 0; round < roundsMax; round++) {
		// A batch reports by token, and a worker may have died after its change: what is on the message counts.
		const known = message.retimings?.at(-1);
		if (known?.id === subject.pass._id) return { effects: known.effects, erased: findErased(message, plan) };
		if (!plan) return { effects: [], erased: [] };
		try {
			if (plan.transition.to === "rejected") {
				const held = await bearHold(deps, message);
				if (held) {
					message = held;
					plan = planRetime(deps, { ...subject, message });
					continue;
				}
			}
			const set = await rewrapAll(deps, message, plan);
			const transition = { ...plan.transition, set: { ...plan.transition.set, ...set } };
			const applied = await messages.transition(transition);
			if (applied && transition.to && isFinal(transition.to)) deps.runs.settleSoon(message);
			const read = await messages.find(message._id);
			if (!read) return { effects: [], erased: [] };
			message = read;
			if (!applied) plan = planRetime(deps, { ...subject, message });
		} catch (error) {
			const { code } = error as { code?: string };
			// What is away comes back, and the page is done again.
			if (code !== undefined && retriedCodes.includes(code)) throw error;
			// What can't be opened can't be moved; it stays in its cohort and ends with it.
			deps.log.warn({ messageId: message._id, code: code ?? "internal" }, "message not re-timed");
			return { effects: ["failed"], erased: [] };
		}
	}
	throw new LetheError("store_unavailable", { cause: "lost every race" });
}

/**
 * Has a message that is to be refused, which erases, bear a hold on its recipient that it does not bear yet; answers it as it
 * then is, or undefined when there is none.
 */
async function bearHold(deps: RetimeDeps, message: Message): Promise<Message | undefined> {
	const { subject, tenantId, restrictedBy = [] } = message;
	const records = await deps.store.subjectRecords.findBySubjects([subject.mac, ...(subject.others ?? [])]);
	const id = standingOf(records, tenantId).holds.find((one) => !restrictedBy.includes(one));
	if (id === undefined) return undefined;
	await deps.store.messages.transition(hold(message, id));
	return deps.store.messages.find(message._id);
}

function findErased(stored: Message, plan: RetimePlan | undefined): Result["erased"] {
	return (plan?.erased ?? []).flatMap(({ object, cohortId }) => {
		const erasedAt = stored.retention[object]?.erasedAt;
		const verified = stored[object] === undefined;
		return erasedAt === undefined ? [] : [{ messageId: stored._id, object, cohortId, erasedAt, verified, stored }];
	});
}

/** One certificate for each cohort that a page has erased something of; what fails here the sweep certifies. */
async function certify(deps: RetimeDeps, erased: Result["erased"]): Promise<void> {
	const groups = [...Map.groupBy(erased, (entry) => entry.cohortId)];
	const issue = groups.map(async ([cohortId, entries]) => {
		const cohort = await deps.store.cohorts.find(cohortId);
		try {
			const records = entries.map(({ stored, object }) => ({ ...stored.retention[object], cohortId }));
			const dates = await readKeyDates(deps.store, records);
			const objects = entries.map((entry, index) => ({ ...entry, ...dates[index] }));
			if (cohort) await certifyErased(deps, { kind: "purge", tenantId: cohort.tenantId, about: cohortId }, objects);
		} catch (error) {
			deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "certificate postponed");
		}
	});
	await Promise.all(issue);
}

/** The live holds on a period or on all of each tenant of a page. */
async function readKeeps(deps: RetimeDeps, page: readonly { tenantId: string }[]): Promise<Map<string, HoldRecord[]>> {
	const ids = [...new Set(page.map(({ tenantId }) => tenantId))];
	const records = ids.length > 0 ? await deps.store.subjectRecords.findBySubjects(ids) : [];
	return new Map(ids.map((id) => [id, standingOf(records, id).keeps]));
}

/** What each tenant of a page has stated it needs. */
async function readNeeds(deps: RetimeDeps, page: readonly { tenantId: string }[]): Promise<Map<string, Needs>> {
	const ids = [...new Set(page.map(({ tenantId }) => tenantId))];
	const tenants = await Promise.all(ids.map((id) => deps.store.tenants.find(id)));
	return new Map(ids.map((id, index) => [id, tenants[index]?.retention ?? {}]));
}

/** Each cohort once, with the latest time at which something that leaves it is due. */
function latestOf(plans: readonly Planned[]): RetimePlan["leaving"] {
	const latest = new Map<string, number>();
	for (const { cohortId, dueAt } of plans.flatMap((plan) => (plan === "failed" ? [] : (plan?.leaving ?? [])))) {
		latest.set(cohortId, Math.max(dueAt, latest.get(cohortId) ?? 0));
	}
	return [...latest].map(([cohortId, dueAt]) => ({ cohortId, dueAt }));
}

/** Wraps the data keys of what moves under the keys of its new cohorts; nothing is changed in the store. */
async function rewrapAll(deps: RetimeDeps, message: Message, { moves }: RetimePlan): Promise<Record<string, unknown>> {
	const set: Record<string, unknown> = {};
	for (const { object, place } of moves) {
		const sealed = message[object];
		if (!sealed) continue;
		const cohortId = await deps.cohorts.ensure(place);
		const { tenantId, _id: messageId } = message;
		const { wrappingKeyId, wrappedKey } = await deps.encryption.rewrap({
			tenantId,
			messageId,
			object,
			sealed,
			cohortId,
		});
		Object.assign(set, {
			[`${object}.cohortId`]: cohortId,
			[`${object}.wrappingKeyId`]: wrappingKeyId,
			[`${object}.wrappedKey`]: wrappedKey,
			[`retention.${object}.cohortId`]: cohortId,
			[`retention.${object}.formerCohorts`]: formerCohorts(message, object, cohortId),
			[`retention.${object}.keyDueAt`]: place.dueAt,
		});
	}
	return set;
}
