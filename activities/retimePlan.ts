// What policies of now make of one stored message: one conditional change, with what it moves, erases and counts.

import { isFinal, type State, unsentStates } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import {
	currentFacts,
	type Message,
	type RetentionObject,
	type RetentionRecord,
	type RetimingRecord,
	type SealedObjectName,
	sealedObjects,
} from "../domain/message.ts";
import type { Retiming } from "../domain/proposal.ts";
import { type HoldRecord, keepsOf } from "../domain/subject.ts";
import { close, defer, refuse, type Transition } from "../domain/transition.ts";
import { missingFrom, samePacks } from "../policies/inForce.ts";
import { countEffects, findPresent, isDue, type Replan, replan } from "../policies/replan.ts";
import { nextDueAt } from "./certify.ts";
import type { ActivityDeps } from "./deps.ts";
import type { createRejudge } from "./rejudge.ts";

export type RetimePlanDeps = Pick<ActivityDeps, "policies"> & {
	cohorts: Pick<ActivityDeps["cohorts"], "isAt">;
	rejudge: Pick<ReturnType<typeof createRejudge>, "judge">;
};

/** What a tenant has stated that it needs, per object. */
export type Needs = Partial<Record<RetentionObject, string>>;

/** What a pass does to one message: `leaving` are the cohorts that it will be gone from, and when it is due now. */
export type RetimePlan = {
	transition: Transition;
	moves: { object: SealedObjectName; place: Parameters<ActivityDeps["cohorts"]["ensure"]>[0] }[];
	leaving: { cohortId: string; dueAt: number }[];
	erased: { object: SealedObjectName; cohortId: string }[];
};

/**
 * One message and what it was found to be: planned anew after every lost race. `keeps`: its tenant's holds on a period or on
 * all of it.
 */
export type Subject = { message: Message; needs: Needs; keeps: readonly HoldRecord[]; pass: Retiming; now: number };

// An object whose cohort would end so soon stays where it is: a cohort must not end while something joins it.
const joinMarginMs = 5 * 60_000;

/** The whole change of one message as one conditional update; undefined when nothing about it changes. */
export function planRetime(deps: RetimePlanDeps, subject: Subject): RetimePlan | undefined {
	const { needs, pass, now } = subject;
	// What such a hold covers is held, whether it bears the hold yet or not.
	const message = {
		...subject.message,
		holds: [...subject.message.holds, ...keepsOf(subject, subject.message.acceptedAt)],
	};
	// Of the route that it has now, as it is judged by below.
	const facts = currentFacts(message);
	const decision = deps.policies.reevaluate(facts, now);
	const excluded = deps.policies.excluded(facts, now);
	const last = message.retimings?.at(-1);
	const [before, beforeExcluded] = last
		? [last.packs, last.excluded ?? []]
		: [message.decision.packs, message.excluded ?? []];
	const dates = replan(message, deps.policies.replan(facts, now), needs);
	const fates = sealedObjects
		.filter((name) => message[name])
		.map((name) => decideFate(deps, { message, now }, dates, name));
	const unchanged = samePacks(before, decision.packs) && samePacks(beforeExcluded, excluded);
	if (unchanged && !differs(message, dates) && fates.every(({ fate }) => fate === "stays")) return undefined;

	const planned: Message = { ...message, ...dates, retention: mergeRetention(message, dates, fates) };
	const verdict = judge(deps, planned, now);
	// What its end erases by itself goes nowhere else.
	const left = fates.filter(({ name }) => !verdict?.unset?.includes(name));
	const [going, moving] = [left.filter(({ fate }) => fate === "goes"), left.filter(({ fate }) => fate === "moves")];
	const leave = (list: Fate[], dueAt: (fate: Fate) => number) =>
		list.map((fate) => ({ object: fate.name, cohortId: message[fate.name]?.cohortId ?? "", dueAt: dueAt(fate) }));
	const goes = leave(going, () => now);
	const effects = new Set([
		...countEffects(message, dates, now),
		...(isDeferral(verdict) ? ["deferred_longer"] : verdict?.to ? [`ended_${verdict.to}`] : []),
		...(moving.length > 0 ? ["rewrapped"] : []),
		...(goes.length > 0 ? ["purged"] : []),
	]);
	const record: RetimingRecord = {
		id: pass._id,
		at: now,
		from: missingFrom([...before, ...beforeExcluded], [...decision.packs, ...excluded]),
		packs: decision.packs,
		...(excluded.length > 0 ? { excluded } : {}),
		...(isFinal(message.state) ? {} : { decision }),
		...(message.reroutes ? { reroutes: message.reroutes.length } : {}),
		effects: [...effects],
	};
	return {
		transition: toTransition(message, planned, {
			...{ verdict, erased: goes.map(({ object }) => object), record, now },
			read: subject.message,
		}),
		moves: moving.map(({ name, place }) => ({ object: name, place })),
		leaving: [...goes, ...leave(moving, ({ place }) => place.dueAt)],
		erased: goes,
	};
}

type Fate = {
	name: SealedObjectName;
	fate: "stays" | "moves" | "in_place" | "goes";
	place: RetimePlan["moves"][number]["place"];
};

/** What becomes of one encrypted object. Held ones are never erased, and never moved to where they could be. */
function decideFate(
	deps: RetimePlanDeps,
	{ message, now }: Pick<Subject, "message" | "now">,
	dates: Replan,
	name: SealedObjectName,
): Fate {
	const { dueAt, retentionClass, bucketed } = dates.retention[name];
	const { tenantId, region } = message;
	const linked = name === "content" && message.link !== undefined;
	const place = { tenantId, region, retentionClass, dueAt, ...(linked ? { linked: true as const } : {}) };
	const known = message.retention[name];
	if (isDue(message, name, dates.retention, now) && isFinal(message.state) && message.holds.length === 0) {
		return { name, fate: "goes", place };
	}
	if (deps.cohorts.isAt(message[name]?.cohortId ?? "", place)) return { name, fate: "stays", place };
	if (!bucketed || dueAt <= now + joinMarginMs) {
		const stays = known?.inPlace === true && known.eraseBy === dates.retention[name].eraseBy;
		return { name, fate: stays ? "stays" : "in_place", place };
	}
	return { name, fate: "moves", place };
}

/** What the policies of now make of an open message: its end, a later release, or nothing. They may only be stricter. */
function judge(deps: RetimePlanDeps, message: Message, now: number): Transition | undefined {
	if (isFinal(message.state)) return undefined;
	const over = close(message, now);
	if (over || !isUnsent(message)) return over;
	const found = deps.rejudge.judge(message, Math.max(now, message.releaseAt ?? now));
	if (found.kind === "refused") return refuse(message, now, found.code, found.rule);
	return found.kind === "later" ? defer(message, found.until, now, "quiet_hours") : undefined;
}

function differs(message: Message, dates: Replan): boolean {
	if (dates.closeAt !== message.closeAt || dates.deadlineAt !== message.deadlineAt) return true;
	return findPresent(message).some((name) => {
		const [before, after] = [message.retention[name], dates.retention[name]];
		return before?.eraseBy !== after.eraseBy || before.atFinal !== after.atFinal;
	});
}

function mergeRetention(message: Message, dates: Replan, fates: readonly Fate[]): Message["retention"] {
	const retention = { ...message.retention };
	for (const name of findPresent(message)) {
		const { eraseBy, atFinal } = dates.retention[name];
		const record: RetentionRecord = { ...retention[name], eraseBy, atFinal };
		const fate = fates.find((one) => one.name === name)?.fate;
		if (fate === "moves" || fate === "in_place") delete record.inPlace;
		if (fate === "in_place" || (fate === "goes" && message.holds.length > 0)) record.inPlace = true;
		retention[name] = record;
	}
	return retention;
}

type Step = {
	verdict: Transition | undefined;
	erased: SealedObjectName[];
	record: RetimingRecord;
	now: number;
	/** As it is stored: with the holds that it bears, and no others. */
	read: Message;
};

function toTransition(was: Message, planned: Message, { verdict, erased, record, now, read }: Step): Transition {
	const where: Record<string, unknown> = {
		attempt: was.attempt,
		"retimings.id": { $ne: record.id },
		// Another route has other facts.
		[`reroutes.${was.reroutes?.length ?? 0}`]: { $exists: false },
		...verdict?.where,
		// Whoever places or releases a hold meanwhile has the sweep look at it by a date that must stand.
		holds: { $size: read.holds.length },
		nextCheckAt: read.nextCheckAt ?? null,
	};
	for (const name of sealedObjects) {
		where[`${name}.cohortId`] = was[name]?.cohortId ?? null;
		where[`${name}.wrappingKeyId`] = was[name]?.wrappingKeyId ?? null;
	}
	const { set: dated, unset: undated } = datesOf(was, planned);
	const gone = Object.fromEntries(erased.map((name) => [`retention.${name}.erasedAt`, now]));
	const { deadlineAt, closeAt } = planned;
	return {
		id: was._id,
		...(verdict?.to ? { to: verdict.to } : {}),
		from: [was.state],
		where,
		...(erased.length > 0 || verdict?.erases ? { erases: was } : {}),
		set: { ...dated, deadlineAt, closeAt, ...verdict?.set, ...gone, ...nextCheck(planned, verdict, erased, now) },
		unset: [
			...undated,
			...(verdict?.unset ?? []),
			...erased,
			// An object that came back is read back once more.
			...erased.flatMap((name) => [`retention.${name}.verifiedAt`, `retention.${name}.certificateId`]),
		],
		push: { ...verdict?.push, retimings: { value: record, keep: limits.retimingsKeptMax } },
		evidence: [
			...describeChanges(was, record).map((code) => ({ at: now, type: "retimed" as const, ...(code ? { code } : {}) })),
			...(verdict?.evidence ?? []),
			...erased.map((name) => ({ at: now, type: "erased" as const, code: name })),
		],
	};
}

function datesOf(was: Message, planned: Message): { set: Record<string, unknown>; unset: string[] } {
	const set: Record<string, unknown> = {};
	const unset: string[] = [];
	for (const name of findPresent(was)) {
		const { eraseBy, atFinal, inPlace } = planned.retention[name] as RetentionRecord;
		Object.assign(set, { [`retention.${name}.eraseBy`]: eraseBy, [`retention.${name}.atFinal`]: atFinal });
		if (inPlace) set[`retention.${name}.inPlace`] = true;
		else if (was.retention[name]?.inPlace) unset.push(`retention.${name}.inPlace`);
		if (was.retention[name]?.before) unset.push(`retention.${name}.before`);
	}
	return { set, unset };
}

// Whatever drove the message drives it on, but never later than its new dates ask for.
function nextCheck(planned: Message, verdict: Transition | undefined, erased: SealedObjectName[], now: number) {
	if (isDeferral(verdict)) return { nextCheckAt: verdict?.set?.releaseAt };
	if (verdict?.to || erased.length > 0) return { nextCheckAt: now + limits.driverPatienceMs };
	if (!isFinal(planned.state)) {
		const endsAt = isUnsent(planned) ? planned.deadlineAt : planned.closeAt;
		return { nextCheckAt: Math.min(planned.nextCheckAt ?? Infinity, endsAt) };
	}
	const dueAt = nextDueAt(planned);
	return dueAt === undefined ? {} : { nextCheckAt: Math.min(planned.nextCheckAt ?? Infinity, dueAt) };
}

function isUnsent({ state }: Message): boolean {
	return (unsentStates as readonly State[]).includes(state);
}

// What waits already and waits longer keeps its state.
function isDeferral(verdict: Transition | undefined): boolean {
	return verdict?.set?.releaseAt !== undefined;
}

// One entry a pack whose version changed; one without a word when only a date has come.
function describeChanges({ retimings, decision }: Message, { packs, from }: RetimingRecord): (string | undefined)[] {
	const changed = missingFrom(packs, retimings?.at(-1)?.packs ?? decision.packs);
	const gone = from.filter((ref) => !packs.some(({ id }) => id === ref.id));
	const told = [
		...changed.map(({ id, version }) => {
			const old = from.find((ref) => ref.id === id);
			return old ? `${id}@${old.version}:to:${version}` : `${id}@${version}`;
		}),
		...gone.map(({ id, version }) => `${id}@${version}:to:none`),
	];
	return told.length > 0 ? told : [undefined];
}
